/*
 * test_wire_my_compress.c - compressed packets: what is packed is unpacked as it was, in pieces of any size; what breaks a rule
 * goes no further.
 */
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/writer.h"
#include "proxy/wire/my_compress.h"
#include "tests/unit/check_main.h"
#include "tests/unit/my_packets.h"
#include "tests/unit/pattern.h"

static struct my_compress_kit *kit;
static struct my_compress there, here; /* one packs, the other unpacks */
static struct writer wire, plain;

static void begin(enum my_compression how, unsigned level) {
    my_compress_init(&there, kit, how, level);
    my_compress_init(&here, kit, how, level);
    writer_reset(&wire);
    writer_reset(&plain);
}

static void fresh(void) {
    kit = my_compress_kit_new();
    ck_assert_ptr_nonnull(kit);
    writer_init(&wire, 128 << 20);
    writer_init(&plain, 128 << 20);
    begin(MY_COMPRESSION_ZLIB, 0);
}

static void release(void) {
    my_compress_drop(&here);
    my_compress_kit_free(kit);
    writer_release(&wire);
    writer_release(&plain);
}

/* ---- what the other end sends ---- */

static void put(uint32_t len, uint8_t number, uint32_t unpacked, struct bytes payload) {
    uint8_t head[] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), number, (uint8_t)unpacked,
                      (uint8_t)(unpacked >> 8), (uint8_t)(unpacked >> 16)};
    writer_put(&wire, bytes_of(head, sizeof head));
    writer_put(&wire, payload);
}

/* Packed as a client would; `claims` more bytes than there are, `lacks` bytes at the end of the payload. */
static void put_packed(struct bytes data, uint8_t number, int claims, size_t lacks) {
    size_t cap = data.len + 4096, len = 0;
    uint8_t *out = malloc(cap);
    ck_assert_ptr_nonnull(out);
    if (here.how == MY_COMPRESSION_ZLIB) {
        uLongf got = cap;
        ck_assert_int_eq(compress2(out, &got, data.ptr, data.len, 6), Z_OK);
        len = got;
    } else {
        len = ZSTD_compress(out, cap, data.ptr, data.len, 3);
        ck_assert(!ZSTD_isError(len));
    }
    len -= lacks;
    put((uint32_t)len, number, (uint32_t)((int64_t)data.len + claims), bytes_of(out, len));
    free(out);
}

/* A plain packet of `len` bytes with its header. */
static struct bytes command(size_t len) {
    static uint8_t storage[1 << 20];
    size_t body = len - MY_HEADER_LEN;
    memcpy(storage, pattern(len).ptr, len);
    storage[0] = (uint8_t)body;
    storage[1] = (uint8_t)(body >> 8);
    storage[2] = (uint8_t)(body >> 16);
    return bytes_of(storage, len);
}

/* ---- what comes of it ---- */

/* Unpacks all of `wire`, `in_size` bytes of it at a time, into `room` bytes at a time. */
static enum my_compress_found unpack(size_t in_size, size_t room) {
    enum my_compress_found found = MY_COMPRESS_MORE;
    struct bytes in = bytes_of(wire.data, 0);
    size_t given = 0;
    uint8_t *out = malloc(room);
    ck_assert_ptr_nonnull(out);
    for (;;) {
        size_t made = 0, had = in.len;
        found = my_compress_unpack(&here, &in, out, room, &made, true);
        writer_put(&plain, bytes_of(out, made));
        if (found == MY_COMPRESS_GARBLED) break;
        if (found == MY_COMPRESS_FULL) ck_assert_uint_eq(made, room);
        if (found == MY_COMPRESS_WAITS) ck_assert(made > 0);
        if (found != MY_COMPRESS_MORE) continue;
        ck_assert(in.len < MY_COMPRESS_HEADER_LEN && in.len <= had);
        if (given == wire.len) break;
        size_t n = wire.len - given < in_size ? wire.len - given : in_size;
        in.len += n;
        given += n;
    }
    free(out);
    return found;
}

static void ck_plain(struct bytes expected) {
    ck_assert_uint_eq(plain.len, expected.len);
    ck_assert(memcmp(plain.data, expected.ptr, expected.len) == 0);
    ck_assert(my_compress_is_idle(&here));
}

static void ck_garbled(const char *why) {
    ck_assert_int_eq(unpack(1 << 20, 1000), MY_COMPRESS_GARBLED);
    ck_assert_str_eq(here.why, why);
}

static const enum my_compression both[] = {MY_COMPRESSION_ZLIB, MY_COMPRESSION_ZSTD};
#define NOT_SO_LONG "a compressed packet that is not as long as it says"
#define BROKEN "a compressed packet that cannot be unpacked"

START_TEST(what_is_packed_is_unpacked) {
    static const size_t lengths[] = {5, 49, 50, 51, 1000, 65504, 400000};
    static const size_t sizes[][2] = {{1 << 20, 1 << 20}, {1, 1 << 20}, {1 << 20, 1}, {7, 11}, {1000, 65504}};
    enum my_compression how = both[_i];
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        for (size_t k = 0; k < COUNT_OF(sizes); k++) {
            struct bytes data = command(lengths[i]);
            begin(how, 3);
            put_packed(bytes_of(data.ptr, data.len / 2), 0, 0, 0);
            put_packed(bytes_of(data.ptr + data.len / 2, data.len - data.len / 2), 1, 0, 0);
            ck_assert_int_eq(unpack(sizes[k][0], sizes[k][1]), MY_COMPRESS_MORE);
            ck_plain(data);
            ck_assert_uint_eq(here.in_number, 1);
        }
    }
}
END_TEST

static size_t pack_all(struct bytes data, size_t cap) {
    struct iovec pieces[3];
    uint8_t *out = malloc(cap);
    size_t packets = 0;
    ck_assert_ptr_nonnull(out);
    while (data.len > 0) {
        size_t third = data.len / 3, len = data.len;
        for (int i = 0; i < 3; i++) pieces[i].iov_base = (void *)(uintptr_t)(data.ptr + (size_t)i * third);
        pieces[0].iov_len = pieces[1].iov_len = third;
        pieces[2].iov_len = data.len - 2 * third;
        writer_put(&wire, bytes_of(out, my_compress_pack(&there, pieces, 3, &len, out, cap)));
        data = bytes_of(data.ptr + len, data.len - len);
        packets++;
    }
    free(out);
    return packets;
}

START_TEST(what_we_pack_others_unpack) {
    static const size_t lengths[] = {5, 49, 50, 1000, 60000};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        begin(both[_i], 22);
        ck_assert_uint_eq(pack_all(command(lengths[i]), lengths[i] + 7), 1);
        ck_assert_uint_eq(my_compress_is_idle(&there), true);
        ck_assert_int_eq(wire.data[4] || wire.data[5], lengths[i] >= 1000); /* shorter ones go as they are */
        ck_assert_int_eq(unpack(1 << 20, 1 << 20), MY_COMPRESS_MORE);
        ck_plain(command(lengths[i]));
    }
}
END_TEST

START_TEST(what_does_not_get_shorter_goes_as_it_is) {
    uint8_t data[5000];
    uint32_t x = 1;
    begin(both[_i], 3);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    memcpy(data, command(sizeof data).ptr, MY_HEADER_LEN);
    ck_assert_uint_eq(pack_all(bytes_of(data, sizeof data), sizeof data), 2); /* no room for its header: the rest is another one */
    ck_assert_uint_eq(wire.len, sizeof data + 2 * MY_COMPRESS_HEADER_LEN);
    ck_assert_uint_eq(wire.data[sizeof data + 3], 1);
    ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
    ck_plain(bytes_of(data, sizeof data));
}
END_TEST

START_TEST(levels_are_bounded) {
    my_compress_init(&here, kit, MY_COMPRESSION_ZSTD, 0);
    ck_assert_uint_eq(here.level, MY_COMPRESS_ZSTD_LEVEL);
    my_compress_init(&here, kit, MY_COMPRESSION_ZSTD, 22);
    ck_assert_uint_eq(here.level, MY_COMPRESS_ZSTD_LEVEL_MAX);
    my_compress_init(&here, kit, MY_COMPRESSION_ZSTD, 1);
    ck_assert_uint_eq(here.level, 1);
}
END_TEST

/* ---- numbers ---- */

START_TEST(numbers_must_follow) {
    struct bytes data = command(100);
    static const uint8_t wrong[] = {0, 2, 255};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        begin(MY_COMPRESSION_ZLIB, 0);
        put(40, 0, 0, bytes_of(data.ptr, 40));
        put(60, wrong[i], 0, bytes_of(data.ptr + 40, 60));
        ck_garbled("compressed packets out of order");
        ck_assert(here.is_out_of_order);
    }
    begin(MY_COMPRESSION_ZLIB, 0);
    put(100, 1, 0, data);
    ck_garbled("compressed packets out of order");
}
END_TEST

START_TEST(each_command_begins_with_0_and_waits_for_the_one_before) {
    struct bytes data = command(100);
    uint8_t out[300];
    size_t made = 0;
    put(100, 0, 0, data);
    put(100, 0, 0, data);
    struct bytes in = writer_bytes(&wire);
    ck_assert_int_eq(my_compress_unpack(&here, &in, out, sizeof out, &made, true), MY_COMPRESS_WAITS);
    ck_assert_uint_eq(made, 100);
    ck_assert_int_eq(my_compress_unpack(&here, &in, out, sizeof out, &made, false), MY_COMPRESS_WAITS);
    ck_assert_uint_eq(made, 100);
    ck_assert_int_eq(my_compress_unpack(&here, &in, out, sizeof out, &made, true), MY_COMPRESS_MORE);
    ck_assert_uint_eq(made, 200);
}
END_TEST

START_TEST(a_conversation_goes_on_with_the_number_behind_ours) {
    struct bytes data = command(30);
    put(30, 0, 0, data);
    ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
    my_compress_answer(&here);
    struct iovec piece = {(void *)(uintptr_t)data.ptr, 30};
    uint8_t out[100];
    size_t len = 30;
    ck_assert_uint_eq(my_compress_pack(&here, &piece, 1, &len, out, sizeof out), 37);
    ck_assert_uint_eq(out[3], 1);
    here.converses = true;
    writer_reset(&wire);
    put(30, 2, 0, data);
    ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
    writer_reset(&wire);
    put(30, 0, 0, data);
    ck_garbled("compressed packets out of order");
}
END_TEST

START_TEST(a_command_of_several_packets_is_one) {
    uint8_t head[] = {0xff, 0xff, 0xff, 0};
    put(4, 0, 0, bytes_of(head, 4));
    ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
    ck_assert(here.goes_on && here.body_left == MY_PACKET_MAX);
    here.body_left = 0; /* as if all of it had come */
    writer_reset(&wire);
    put(4, 1, 0, BYTES("\0\0\0\1"));
    ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
    ck_assert(!here.goes_on);
    writer_reset(&wire);
    put(5, 0, 0, BYTES("\1\0\0\0\16"));
    ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(lengths_must_be_true) {
    struct bytes data = command(3000);
    static const int claims[] = {-2999, -1000, -1, 1, 1000};
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        begin(both[_i], 3);
        put_packed(data, 0, claims[i], 0);
        ck_garbled(NOT_SO_LONG);
        ck_assert_uint_le(plain.len, (size_t)(3000 + claims[i]));
    }
    for (size_t lacks = 1; lacks < 10; lacks++) {
        begin(both[_i], 3);
        put_packed(data, 0, 0, lacks);
        ck_garbled(NOT_SO_LONG);
    }
}
END_TEST

START_TEST(nothing_stands_behind_what_is_packed) {
    uint8_t out[4096];
    size_t len;
    begin(both[_i], 3);
    put_packed(command(3000), 0, 0, 0);
    len = wire.len - MY_COMPRESS_HEADER_LEN;
    memcpy(out, wire.data + MY_COMPRESS_HEADER_LEN, len);
    out[len] = 'x';
    writer_reset(&wire);
    put((uint32_t)len + 1, 0, 3000, bytes_of(out, len + 1));
    ck_garbled(NOT_SO_LONG);
}
END_TEST

START_TEST(garbage_is_found) {
    uint8_t out[4096];
    size_t len;
    begin(both[_i], 3);
    put(10, 0, 100, BYTES("0123456789"));
    ck_garbled(BROKEN);
    begin(both[_i], 3);
    put(0, 0, 0, BYTES(""));
    ck_garbled("a compressed packet without a payload");
    begin(both[_i], 3);
    put(0, 0, 5, BYTES(""));
    ck_garbled("a compressed packet without a payload");
    begin(both[_i], 3);
    put_packed(command(3000), 0, 0, 0);
    len = wire.len;
    memcpy(out, wire.data, len);
    for (size_t i = MY_COMPRESS_HEADER_LEN; i < len && i < 200; i++) { /* each byte changed: unpacked to something else, or not at all */
        begin(both[_i], 3);
        out[i] ^= 0x55;
        writer_put(&wire, bytes_of(out, len));
        out[i] ^= 0x55;
        (void)unpack(50, 50);
        ck_assert_uint_le(plain.len, 3000);
    }
}
END_TEST

START_TEST(once_garbled_for_ever) {
    put(0, 0, 0, BYTES(""));
    ck_garbled("a compressed packet without a payload");
    writer_reset(&wire);
    put(100, 0, 0, command(100));
    ck_garbled("a compressed packet without a payload");
}
END_TEST

START_TEST(what_is_cut_waits) {
    uint8_t out[4096];
    begin(both[_i], 3);
    put_packed(command(3000), 0, 0, 0);
    size_t len = wire.len;
    memcpy(out, wire.data, len);
    for (size_t cut = 0; cut < len; cut++) {
        begin(both[_i], 3);
        writer_put(&wire, bytes_of(out, cut));
        ck_assert_int_eq(unpack(100, 100), MY_COMPRESS_MORE);
        my_compress_drop(&here);
    }
}
END_TEST

/* ---- bombs ---- */

/* A command of 16 MB less one byte, as short as it can be. */
static void put_bomb(void) {
    static uint8_t zeros[MY_PACKET_MAX];
    memcpy(zeros, "\xfb\xff\xff\0", 4);
    put_packed(bytes_of(zeros, sizeof zeros), 0, 0, 0);
}

START_TEST(bombs_have_a_limit) {
    int count = 0;
    begin(both[_i], 3);
    for (; count < 20; count++) {
        writer_reset(&wire);
        writer_reset(&plain);
        put_bomb();
        if (unpack(1 << 16, 65504) == MY_COMPRESS_GARBLED) break;
    }
    ck_assert_str_eq(here.why, "compressed packets that unpack to too much");
    ck_assert_int_ge(count, MY_COMPRESS_CREDIT / MY_PACKET_MAX);
    ck_assert_int_le(count, MY_COMPRESS_CREDIT / MY_PACKET_MAX + 2);
    ck_assert_uint_eq(plain.len, 0);
}
END_TEST

START_TEST(who_sends_much_may_go_on) {
    begin(both[_i], 3);
    for (int i = 0; i < 400; i++) { /* 60,000 bytes from about 400 */
        writer_reset(&wire);
        writer_reset(&plain);
        put_packed(command(60000), 0, 0, 0);
        ck_assert_int_eq(unpack(1 << 16, 65504), MY_COMPRESS_MORE);
    }
    ck_assert_int_eq(here.credit, MY_COMPRESS_CREDIT - 60000); /* of the last one: what it brings comes first */
}
END_TEST

/* Clients that stop in the middle of large packets: each holds a window. */
START_TEST(windows_have_a_limit) {
    enum { CLIENTS = 100 };
    static struct my_compress clients[CLIENTS];
    static uint8_t out[65504];
    int granted = 0;
    begin(MY_COMPRESSION_ZSTD, 3);
    put_bomb();
    for (int i = 0; i < CLIENTS; i++) {
        struct bytes in = bytes_of(wire.data, 100);
        size_t made = 0;
        my_compress_init(&clients[i], kit, MY_COMPRESSION_ZSTD, 3);
        enum my_compress_found found = my_compress_unpack(&clients[i], &in, out, sizeof out, &made, true);
        granted += found == MY_COMPRESS_FULL;
        if (found == MY_COMPRESS_GARBLED) ck_assert_str_eq(clients[i].why, "too many large packets by zstd at the same time");
    }
    ck_assert_int_ge(granted, 3);
    ck_assert_int_le(granted, MY_COMPRESS_WINDOWS_MAX >> 21);
    for (int i = 0; i < CLIENTS; i++) my_compress_drop(&clients[i]);
    ck_assert_int_eq(unpack(1 << 16, 65504), MY_COMPRESS_MORE);
}
END_TEST

int main(void) {
    TCase *c = tcase_create("my_compress");
    tcase_add_checked_fixture(c, fresh, release);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, what_is_packed_is_unpacked, 0, 2);
    tcase_add_loop_test(c, what_we_pack_others_unpack, 0, 2);
    tcase_add_loop_test(c, what_does_not_get_shorter_goes_as_it_is, 0, 2);
    tcase_add_test(c, levels_are_bounded);
    tcase_add_test(c, numbers_must_follow);
    tcase_add_test(c, each_command_begins_with_0_and_waits_for_the_one_before);
    tcase_add_test(c, a_conversation_goes_on_with_the_number_behind_ours);
    tcase_add_test(c, a_command_of_several_packets_is_one);
    tcase_add_loop_test(c, lengths_must_be_true, 0, 2);
    tcase_add_loop_test(c, nothing_stands_behind_what_is_packed, 0, 2);
    tcase_add_loop_test(c, garbage_is_found, 0, 2);
    tcase_add_test(c, once_garbled_for_ever);
    tcase_add_loop_test(c, what_is_cut_waits, 0, 2);
    tcase_add_loop_test(c, bombs_have_a_limit, 0, 2);
    tcase_add_loop_test(c, who_sends_much_may_go_on, 0, 2);
    tcase_add_test(c, windows_have_a_limit);
    return check_main_of("my_compress", c);
}
