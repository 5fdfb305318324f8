/*
 * test_wire_my_execute.c - heads of COM_STMT_EXECUTE: read as far as they are there, written with another id and with the types
 * that the client has left out.
 */
#include "proxy/wire/my_execute.h"
#include "tests/unit/check_main.h"
#include "tests/unit/my_packets.h"
#include "tests/unit/pattern.h"

enum { FIXED_LEN = 10 };

static const uint32_t id = 0x81020304, server_id = 0xfffefdfc;
static const uint16_t counts[] = {0, 1, 7, 8, 9, 300, UINT16_MAX};
static struct writer w, client;

static void fresh(void) {
    writer_init(&w, 32 << 20);
    writer_init(&client, 32 << 20);
}

static void release(void) {
    writer_release(&w);
    writer_release(&client);
}

static size_t bitmap_len(uint16_t n) {
    return (n + 7u) / 8;
}

static struct bytes types_of(uint16_t n) {
    return pattern(2 * (size_t)n);
}

/* What a client sends, without the packet header. Behind the head: `values`. */
static struct bytes execute(uint16_t n, bool has_types, struct bytes values) {
    writer_reset(&client);
    writer_u8(&client, MY_COM_STMT_EXECUTE);
    my_w32(&client, id);
    writer_u8(&client, 5);
    my_w32(&client, 1);
    if (n > 0) {
        for (size_t i = 0; i < bitmap_len(n); i++) writer_u8(&client, (uint8_t)(i + 0xa0));
        writer_u8(&client, has_types);
        if (has_types) writer_put(&client, types_of(n));
    }
    writer_put(&client, values);
    return writer_bytes(&client);
}

/* How long the head is, if of so many parameters. */
static size_t head_of(uint16_t n, bool has_types) {
    return n == 0 ? FIXED_LEN : FIXED_LEN + bitmap_len(n) + 1 + (has_types ? 2 * (size_t)n : 0);
}

/* The packet with the head that was written, and with the values behind the one that was read. */
static struct bytes forwarded(const struct my_execute *e, struct bytes payload) {
    writer_put(&w, bytes_of(payload.ptr + e->head_len, payload.len - e->head_len));
    return only_payload(&w, 0);
}

static void ck_read(struct bytes payload, uint16_t n, bool has_types) {
    struct my_execute e;
    ck_assert_int_eq(my_execute_read(payload, payload.len, n, &e), MY_EXECUTE_READ);
    ck_assert_uint_eq(e.statement, id);
    ck_assert_uint_eq(e.flags, 5);
    ck_assert_int_eq(e.has_types, has_types && n > 0);
    ck_assert_int_eq(e.types != NULL, e.has_types);
    if (e.types) ck_equal(bytes_of(e.types, 2 * (size_t)n), types_of(n));
    ck_assert_uint_eq(e.head_len, head_of(n, has_types));
}

START_TEST(heads_are_read) {
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        ck_read(execute(counts[i], false, BYTES("values")), counts[i], false);
        ck_read(execute(counts[i], true, BYTES("values")), counts[i], true);
        ck_read(execute(counts[i], true, BYTES("")), counts[i], true);
    }
}
END_TEST

START_TEST(a_head_as_clients_send_it) {
    struct bytes in = BYTES("\x17\2\0\0\0\1\1\0\0\0\2\1\3\0\xfd\x80\x2a\0\0\0");
    struct my_execute e;
    ck_assert_int_eq(my_execute_read(in, in.len, 2, &e), MY_EXECUTE_READ);
    ck_assert_uint_eq(e.statement, 2);
    ck_assert_uint_eq(e.flags, 1);
    ck_equal(bytes_of(e.types, 4), BYTES("\3\0\xfd\x80"));
    ck_assert_uint_eq(e.head_len, 16);
    ck_assert(e.has_values);
    my_put_execute_head(&w, &e, in, in.len, 2, 0x01020304, NULL);
    ck_equal(writer_bytes(&w), BYTES("\x14\0\0\0\x17\4\3\2\1\1\1\0\0\0\2\1\3\0\xfd\x80"));
}
END_TEST

START_TEST(values_are_missed_where_all_are_null) {
    struct bytes in = BYTES("\x17\2\0\0\0\0\1\0\0\0\xff\1\0");
    struct my_execute e;
    ck_assert_int_eq(my_execute_read(in, in.len, 9, &e), MY_EXECUTE_READ);
    ck_assert(!e.has_values);
    ck_assert_int_eq(my_execute_read(in, in.len, 10, &e), MY_EXECUTE_READ);
    ck_assert(e.has_values);
}
END_TEST

/* At a cut, in a block that ends there: more is asked for, and as much as helps. */
static size_t ck_cut(struct bytes whole, size_t len, uint16_t n, size_t head_len) {
    struct my_execute e;
    uint8_t *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    if (len) memcpy(block, whole.ptr, len);
    enum my_execute_verdict v = my_execute_read(bytes_of(len ? block : NULL, len), whole.len, n, &e);
    ck_assert_int_eq(v, len < head_len ? MY_EXECUTE_MORE : MY_EXECUTE_READ);
    if (v == MY_EXECUTE_MORE) ck_assert(e.head_len > len && e.head_len <= head_len);
    if (v == MY_EXECUTE_READ) ck_assert_uint_eq(e.head_len, head_len);
    free(block);
    return e.head_len;
}

static void ck_every_cut(uint16_t n, bool has_types) {
    struct bytes whole = execute(n, has_types, BYTES("abc"));
    size_t head_len = head_of(n, has_types);
    for (size_t len = 0; len <= whole.len; len++) ck_cut(whole, len, n, head_len);
    size_t len = 0, asked = 0;
    for (; len < head_len; asked++) len = ck_cut(whole, len, n, head_len);
    ck_assert_uint_le(asked, 3);
}

START_TEST(at_every_cut_more_is_asked_for) {
    for (size_t i = 0; i + 1 < COUNT_OF(counts); i++) {
        ck_every_cut(counts[i], false);
        ck_every_cut(counts[i], true);
    }
}
END_TEST

/* The whole packet ends there. */
START_TEST(what_is_shorter_than_its_head_is_broken) {
    for (size_t i = 0; i + 1 < COUNT_OF(counts); i++) {
        for (int has_types = 0; has_types < 2; has_types++) {
            struct bytes whole = execute(counts[i], has_types, BYTES(""));
            struct my_execute e;
            for (size_t total = 0; total < whole.len; total++)
                ck_assert_int_eq(my_execute_read(bytes_of(whole.ptr, total), total, counts[i], &e), MY_EXECUTE_BROKEN);
        }
    }
}
END_TEST

START_TEST(what_cannot_become_whole_is_broken_at_once) {
    struct my_execute e;
    struct bytes in = execute(8, true, BYTES(""));
    ck_assert_int_eq(my_execute_read(bytes_of(NULL, 0), FIXED_LEN - 1, 0, &e), MY_EXECUTE_BROKEN);
    ck_assert_int_eq(my_execute_read(bytes_of(in.ptr, FIXED_LEN), FIXED_LEN + 1, 8, &e), MY_EXECUTE_BROKEN);
    ck_assert_int_eq(my_execute_read(bytes_of(in.ptr, FIXED_LEN + 2), in.len - 1, 8, &e), MY_EXECUTE_BROKEN);
    ck_assert_int_eq(my_execute_read(bytes_of(in.ptr, FIXED_LEN + 2), in.len, 8, &e), MY_EXECUTE_MORE);
}
END_TEST

START_TEST(other_bytes_are_broken) {
    struct my_execute e;
    uint8_t in[12] = {MY_COM_STMT_EXECUTE, [11] = 2};
    ck_assert_int_eq(my_execute_read(bytes_of(in, 12), 12, 1, &e), MY_EXECUTE_BROKEN);
    in[11] = 0xff;
    ck_assert_int_eq(my_execute_read(bytes_of(in, 12), 12, 1, &e), MY_EXECUTE_BROKEN);
    ck_assert_int_eq(my_execute_read(bytes_of(in, 12), 12, 0, &e), MY_EXECUTE_READ); /* nobody looks at it */
    in[0] = MY_COM_STMT_FETCH;
    ck_assert_int_eq(my_execute_read(bytes_of(in, 12), 12, 0, &e), MY_EXECUTE_BROKEN);
    ck_assert_int_eq(my_execute_read(bytes_of(in, 1), 12, 0, &e), MY_EXECUTE_BROKEN);
}
END_TEST

/* Only the id is another one. */
static void ck_as_it_came(uint16_t n, bool has_types, const uint8_t *types) {
    struct bytes in = execute(n, has_types, BYTES("values")), out;
    struct my_execute e;
    writer_reset(&w);
    ck_assert_int_eq(my_execute_read(in, in.len, n, &e), MY_EXECUTE_READ);
    my_put_execute_head(&w, &e, in, in.len, n, server_id, types);
    out = forwarded(&e, in);
    ck_assert_uint_eq(out.len, in.len);
    ck_assert_uint_eq(out.ptr[0], MY_COM_STMT_EXECUTE);
    ck_assert_mem_eq(out.ptr + 1, "\xfc\xfd\xfe\xff", 4);
    ck_assert_mem_eq(out.ptr + 5, in.ptr + 5, in.len - 5);
}

START_TEST(a_head_keeps_all_but_its_id) {
    static uint8_t others[2 * UINT16_MAX];
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        ck_as_it_came(counts[i], false, NULL);
        ck_as_it_came(counts[i], true, NULL);
        ck_as_it_came(counts[i], true, others); /* the client's own count */
    }
    ck_as_it_came(0, false, others);
}
END_TEST

START_TEST(types_are_put_in_where_there_are_none) {
    for (size_t i = 1; i < COUNT_OF(counts); i++) {
        uint16_t n = counts[i];
        struct my_execute e;
        writer_reset(&w);
        struct bytes in = execute(n, false, BYTES("values"));
        ck_assert_int_eq(my_execute_read(in, in.len, n, &e), MY_EXECUTE_READ);
        my_put_execute_head(&w, &e, bytes_of(in.ptr, e.head_len), in.len, n, id, types_of(n).ptr);
        struct bytes out = forwarded(&e, in);
        ck_equal(out, execute(n, true, BYTES("values")));
    }
}
END_TEST

/* Whether a head can be written for a payload of so many bytes, and then says how long it is. */
static bool can_put(size_t total, size_t added, bool has_types) {
    struct bytes in = execute(9, has_types, BYTES(""));
    struct my_execute e;
    struct my_header h;
    writer_reset(&w);
    ck_assert_int_eq(my_execute_read(in, total, 9, &e), MY_EXECUTE_READ);
    my_put_execute_head(&w, &e, in, total, 9, 1, added || has_types ? types_of(9).ptr : NULL);
    if (w.failed) return false;
    ck_assert(my_header_read(writer_bytes(&w), &h));
    ck_assert_uint_eq(h.len, total + added);
    ck_assert_uint_eq(w.len, MY_HEADER_LEN + e.head_len + added);
    return true;
}

START_TEST(nothing_is_put_into_a_packet_that_goes_on) {
    ck_assert(can_put(MY_PACKET_MAX - 19, 18, false));
    ck_assert(!can_put(MY_PACKET_MAX - 18, 18, false));
    ck_assert(!can_put(MY_PACKET_MAX - 1, 18, false));
    ck_assert(!can_put(MY_PACKET_MAX, 18, false));
    ck_assert(can_put(MY_PACKET_MAX, 0, false));
    ck_assert(can_put(MY_PACKET_MAX, 0, true));
    ck_assert(!can_put(MY_PACKET_MAX + 1, 0, true)); /* no packet is so long */
}
END_TEST

int main(void) {
    TCase *t = tcase_create("execute");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, fresh, release);
    tcase_add_test(t, heads_are_read);
    tcase_add_test(t, a_head_as_clients_send_it);
    tcase_add_test(t, values_are_missed_where_all_are_null);
    tcase_add_test(t, at_every_cut_more_is_asked_for);
    tcase_add_test(t, what_is_shorter_than_its_head_is_broken);
    tcase_add_test(t, what_cannot_become_whole_is_broken_at_once);
    tcase_add_test(t, other_bytes_are_broken);
    tcase_add_test(t, a_head_keeps_all_but_its_id);
    tcase_add_test(t, types_are_put_in_where_there_are_none);
    tcase_add_test(t, nothing_is_put_into_a_packet_that_goes_on);
    return check_main_of("execute", t);
}
