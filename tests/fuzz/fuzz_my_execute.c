/*
 * fuzz_my_execute.c - what a client may say who executes a statement: the head is read from no more than was asked for, and what
 * is written for a server is read as the same, with the types that were put in.
 *
 * An input is 2 bytes for the parameters, 3 for the length of the packet (0: as long as what follows), and the payload.
 */
#include "proxy/wire/my_encode.h"
#include "proxy/wire/my_execute.h"
#include "tests/fuzz/fuzz.h"

static struct writer w;
static uint8_t types[MY_EXECUTE_TYPE_LEN * UINT16_MAX];

/* In a block that ends where what is in hand ends; it is longer each time. The head, if it comes to one: to be freed. */
static uint8_t *read_head(struct bytes in, size_t total, uint16_t n, struct my_execute *e) {
    enum my_execute_verdict v;
    size_t len = 0;
    for (int asked = 0;; asked++) {
        uint8_t *block = malloc(len + 1);
        PROMISE(block != NULL && asked <= 3);
        if (len) memcpy(block + 1, in.ptr, len);
        v = my_execute_read(bytes_of(len ? block + 1 : NULL, len), total, n, e);
        if (v == MY_EXECUTE_READ) {
            e->types = e->types ? in.ptr + (e->types - (block + 1)) : NULL;
            PROMISE(e->head_len == len);
            return block;
        }
        free(block);
        if (v == MY_EXECUTE_BROKEN) return NULL;
        PROMISE(e->head_len > len && e->head_len <= total);
        len = e->head_len;
        if (len > in.len) return NULL;
    }
}

static void ck_written(const struct my_execute *e, struct bytes in, size_t total, uint16_t n, const uint8_t *put) {
    struct my_execute again;
    struct my_header h;
    size_t len = (size_t)MY_EXECUTE_TYPE_LEN * n, added = put && !e->has_types ? len : 0;
    writer_reset(&w);
    my_put_execute_head(&w, e, in, total, n, ~e->statement, put);
    PROMISE(w.failed == (total > MY_PACKET_MAX || (added && total + added >= MY_PACKET_MAX)));
    if (w.failed) return;
    PROMISE(my_header_read(writer_bytes(&w), &h) && h.seq == 0 && h.len == total + added);
    struct bytes head = bytes_of(w.data + MY_HEADER_LEN, w.len - MY_HEADER_LEN);
    PROMISE(my_execute_read(head, h.len, n, &again) == MY_EXECUTE_READ);
    PROMISE(again.statement == ~e->statement && again.flags == e->flags && again.head_len == head.len);
    PROMISE(head.len == e->head_len + added && again.has_types == (e->has_types || added));
    if (again.has_types) PROMISE(memcmp(again.types, e->has_types ? e->types : put, len) == 0);
    PROMISE(memcmp(head.ptr + 5, in.ptr + 5, e->head_len - 5 - (added ? 1 : 0)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_over(bytes_of(data, size));
    struct my_execute e;
    uint16_t n = my_le16(&r);
    size_t total = my_le24(&r);
    struct bytes in = reader_take(&r, reader_left(&r));
    if (total < in.len) total = in.len;
    uint8_t *head = r.failed ? NULL : read_head(in, total, n, &e);
    if (!head) return 0;
    writer_init(&w, 1 << 20);
    memset(types, 0x5a, sizeof types);
    PROMISE(e.has_types == (e.types != NULL));
    ck_written(&e, in, total, n, NULL);
    ck_written(&e, in, total, n, types);
    writer_release(&w);
    free(head);
    return 0;
}
