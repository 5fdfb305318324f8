/*
 * fuzz_my_compress.c - compressed packets of a hostile client: never more than the room that there is, never more than was said,
 * and nothing is left behind in the kit. What is unpacked packs to something that unpacks to the same.
 *
 * An input is 1 byte for the way (zlib, zstd), 1 for the size of the pieces, 1 for the room, and what the client sends.
 */
#include <stdlib.h>

#include "proxy/wire/my_compress.h"
#include "tests/fuzz/fuzz.h"

enum { PLAIN_MAX = 1 << 20, ROOM_MAX = 256 * 64 };

static uint8_t plain[PLAIN_MAX + ROOM_MAX];

/* All that comes of it, up to PLAIN_MAX bytes. */
static size_t unpack(struct my_compress *c, struct bytes data, size_t piece, size_t room) {
    struct bytes in = bytes_of(data.ptr, 0);
    size_t given = 0, len = 0;
    while (len < PLAIN_MAX) {
        uint8_t *out = malloc(room); /* of that size: a byte beyond is found */
        size_t made = 0, had = in.len;
        PROMISE(out != NULL);
        enum my_compress_found found = my_compress_unpack(c, &in, out, room, &made, true);
        PROMISE(made <= room && in.len <= had && in.ptr + in.len == data.ptr + given);
        memcpy(plain + len, out, made);
        len += made;
        free(out);
        if (found == MY_COMPRESS_GARBLED) {
            PROMISE(c->why != NULL && !c->state && !c->window);
            return len;
        }
        PROMISE(c->credit >= 0);
        if (found == MY_COMPRESS_FULL) PROMISE(made == room);
        if (found == MY_COMPRESS_WAITS) PROMISE(made > 0);
        if (found != MY_COMPRESS_MORE) continue;
        PROMISE(in.len == 0 || (in.len < MY_COMPRESS_HEADER_LEN && !c->is_inside));
        if (given == data.len) return len;
        size_t n = data.len - given < piece ? data.len - given : piece;
        in.len += n;
        given += n;
    }
    return len;
}

/* As units of gilmok's, in two pieces each, to another client. */
static void ck_packed(struct my_compress_kit *kit, enum my_compression how, struct bytes data) {
    struct my_compress there, here;
    uint8_t *copy = malloc(data.len), *out = malloc(data.len + MY_COMPRESS_HEADER_LEN), *back = malloc(data.len);
    size_t len = data.len, made = 0;
    PROMISE(copy && out && back);
    memcpy(copy, data.ptr, data.len);
    my_compress_init(&there, kit, how, copy[0]);
    my_compress_init(&here, kit, how, 0);
    struct iovec pieces[] = {{copy, data.len / 2}, {copy + data.len / 2, data.len - data.len / 2}};
    size_t packed = my_compress_pack(&there, pieces, 2, &len, out, data.len + MY_COMPRESS_HEADER_LEN);
    PROMISE(len == data.len && packed <= data.len + MY_COMPRESS_HEADER_LEN && there.out_number == 1);
    struct bytes in = bytes_of(out, packed);
    PROMISE(my_compress_unpack(&here, &in, back, data.len, &made, true) != MY_COMPRESS_GARBLED);
    PROMISE(made == data.len && in.len == 0 && memcmp(back, copy, data.len) == 0);
    my_compress_drop(&here);
    free(copy);
    free(out);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct my_compress_kit *kit;
    struct my_compress c;
    if (size < 3) return 0;
    if (!kit) kit = my_compress_kit_new();
    PROMISE(kit != NULL);
    enum my_compression how = data[0] & 1 ? MY_COMPRESSION_ZSTD : MY_COMPRESSION_ZLIB;
    my_compress_init(&c, kit, how, data[0] >> 1);
    c.converses = data[0] & 2;
    size_t len = unpack(&c, bytes_of(data + 3, size - 3), 1 + data[1], 1 + (size_t)data[2] * 64);
    my_compress_drop(&c);
    PROMISE(my_compress_is_idle(&c) && !c.state);
    if (len > 0 && len <= 1 << 16) ck_packed(kit, how, bytes_of(plain, len));
    return 0;
}
