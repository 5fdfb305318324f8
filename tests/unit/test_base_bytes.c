/*
 * test_base_bytes.c - reader and writer at their edges.
 */
#include "base/reader.h"
#include "base/writer.h"
#include "tests/unit/check_main.h"

static const uint8_t sample[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 'a', 'b', 0};

START_TEST(reads_integers_in_network_order) {
    struct reader r = reader_over(bytes_of(sample, 7));
    ck_assert_uint_eq(reader_u8(&r), 0x01);
    ck_assert_uint_eq(reader_be16(&r), 0x0203);
    ck_assert_uint_eq(reader_be32(&r), 0x04050607);
    ck_assert(reader_done(&r));
}
END_TEST

START_TEST(high_bytes_do_not_extend_signs) {
    static const uint8_t high[] = {0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfd};
    struct reader r = reader_over(bytes_of(high, sizeof(high)));
    ck_assert_uint_eq(reader_u8(&r), 0xff);
    ck_assert_uint_eq(reader_be16(&r), 0xfffe);
    ck_assert_uint_eq(reader_be32(&r), 0xfffffffdu);
}
END_TEST

START_TEST(unread_bytes_are_not_done) {
    struct reader r = reader_over(bytes_of(sample, 2));
    reader_u8(&r);
    ck_assert(!reader_done(&r));
    ck_assert_uint_eq(reader_left(&r), 1);
}
END_TEST

START_TEST(take_exact_zero_and_one_over) {
    struct reader r = reader_over(bytes_of(sample, 4));
    ck_assert_uint_eq(reader_take(&r, 0).len, 0);
    ck_assert(!r.failed);
    struct bytes all = reader_take(&r, 4);
    ck_assert_ptr_eq(all.ptr, sample);
    ck_assert_uint_eq(all.len, 4);
    ck_assert(reader_done(&r));
    ck_assert_uint_eq(reader_take(&r, 0).len, 0);
    ck_assert(reader_done(&r));

    r = reader_over(bytes_of(sample, 4));
    ck_assert_uint_eq(reader_take(&r, 5).len, 0);
    ck_assert(r.failed);
    ck_assert(!reader_done(&r));
}
END_TEST

START_TEST(huge_lengths_fail_without_wrapping) {
    static const size_t sizes[] = {0x7fffffffu, 0x80000000u, 0xffffffffu, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct reader r = reader_over(bytes_of(sample, sizeof(sample)));
        reader_u8(&r);
        ck_assert_uint_eq(reader_take(&r, sizes[i]).len, 0);
        ck_assert(r.failed);
        ck_assert_ptr_eq(r.pos, sample + 1);
    }
}
END_TEST

START_TEST(failure_is_sticky) {
    struct reader r = reader_over(bytes_of(sample, 1));
    ck_assert_uint_eq(reader_be32(&r), 0);
    ck_assert_uint_eq(reader_u8(&r), 0); /* the byte is there, but the message is not to be trusted any more */
    ck_assert_uint_eq(reader_be16(&r), 0);
    ck_assert_uint_eq(reader_take(&r, 1).len, 0);
    ck_assert_uint_eq(reader_cstr(&r).len, 0);
    ck_assert(r.failed && !reader_done(&r));
}
END_TEST

START_TEST(absent_bytes_are_empty) {
    struct reader r = reader_over(bytes_of(NULL, 0));
    ck_assert(reader_done(&r));
    ck_assert_uint_eq(reader_take(&r, 0).len, 0);
    ck_assert(!r.failed);
    ck_assert_uint_eq(reader_cstr(&r).len, 0);
    ck_assert(r.failed);
}
END_TEST

START_TEST(integers_fail_one_byte_short) {
    struct reader r = reader_over(bytes_of(sample, 0));
    ck_assert_uint_eq(reader_u8(&r), 0);
    ck_assert(r.failed);
    r = reader_over(bytes_of(sample, 1));
    ck_assert_uint_eq(reader_be16(&r), 0);
    ck_assert(r.failed);
    r = reader_over(bytes_of(sample, 3));
    ck_assert_uint_eq(reader_be32(&r), 0);
    ck_assert(r.failed);
}
END_TEST

START_TEST(cstr_needs_its_nul) {
    struct reader r = reader_over(bytes_of(sample + 7, 3));
    ck_assert(bytes_is(reader_cstr(&r), "ab"));
    ck_assert(reader_done(&r));
    r = reader_over(bytes_of(sample + 7, 2)); /* the NUL lies one byte behind the end */
    ck_assert_uint_eq(reader_cstr(&r).len, 0);
    ck_assert(r.failed);
    r = reader_over(bytes_of(sample + 9, 1));
    ck_assert_uint_eq(reader_cstr(&r).len, 0);
    ck_assert(reader_done(&r));
    r = reader_over(bytes_of(sample, 0));
    reader_cstr(&r);
    ck_assert(r.failed);
}
END_TEST

START_TEST(writer_round_trip) {
    struct writer w;
    writer_init(&w, 1000);
    writer_u8(&w, 'Q');
    size_t at = w.len;
    writer_be32(&w, 0);
    writer_be16(&w, 0xfffe);
    writer_str(&w, "xy");
    writer_cstr(&w, bytes_str("name"));
    writer_fmt(&w, "%d-%s", 42, "z");
    writer_patch_be32(&w, at, (uint32_t)(w.len - at));
    static const char want[] = "Q\0\0\0\x11\xff\xfexyname\0" "42-z";
    ck_assert(!w.failed);
    ck_assert(bytes_equal(writer_bytes(&w), bytes_of(want, sizeof(want) - 1)));
    writer_release(&w);
}
END_TEST

START_TEST(ceiling_exact_and_one_over) {
    struct writer w;
    writer_init(&w, 100);
    for (int i = 0; i < 100; i++) writer_u8(&w, (uint8_t)i);
    ck_assert(!w.failed);
    ck_assert_uint_eq(writer_bytes(&w).len, 100);
    ck_assert_uint_le(w.cap, 100);
    writer_put(&w, bytes_of(NULL, 0));
    ck_assert(!w.failed);
    writer_u8(&w, 0);
    ck_assert(w.failed);
    ck_assert_uint_eq(writer_bytes(&w).len, 0);
    writer_release(&w);
}
END_TEST

START_TEST(writer_failure_is_sticky_until_reset) {
    struct writer w;
    writer_init(&w, 3);
    writer_be32(&w, 1);
    writer_u8(&w, 1); /* would fit */
    ck_assert(w.failed);
    ck_assert_ptr_null(writer_reserve(&w, 0));
    writer_patch_be32(&w, 0, 7);
    writer_fmt(&w, "%d", 1);
    ck_assert(w.failed);
    writer_reset(&w);
    writer_be16(&w, 0x4142);
    ck_assert(bytes_is(writer_bytes(&w), "AB"));
    writer_release(&w);
}
END_TEST

START_TEST(huge_reserves_fail_without_wrapping) {
    static const size_t sizes[] = {0x80000000u, 0xffffffffu, SIZE_MAX / 2 + 1, SIZE_MAX - 4, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct writer w;
        writer_init(&w, 1 << 20);
        writer_str(&w, "12345");
        ck_assert_ptr_null(writer_reserve(&w, sizes[i]));
        ck_assert(w.failed);
        writer_release(&w);
    }
    struct writer w; /* no ceiling to speak of: the sum itself would wrap */
    writer_init(&w, SIZE_MAX);
    writer_str(&w, "12345");
    ck_assert_ptr_null(writer_reserve(&w, SIZE_MAX - 4));
    ck_assert(w.failed);
    writer_release(&w);
}
END_TEST

START_TEST(fixed_writer_never_leaves_its_storage) {
    char storage[8] = "-------";
    struct writer w;
    writer_init_fixed(&w, storage, 5);
    writer_fmt(&w, "%s", "12345"); /* exact: the NUL of the formatting must not count */
    ck_assert(!w.failed);
    ck_assert_ptr_eq(w.data, (uint8_t *)storage);
    ck_assert_str_eq(storage, "12345--");
    writer_u8(&w, '6');
    ck_assert(w.failed);
    ck_assert_str_eq(storage, "12345--");
    writer_release(&w);
    writer_init_fixed(&w, NULL, 0);
    writer_u8(&w, 1);
    ck_assert(w.failed);
    writer_release(&w);
}
END_TEST

START_TEST(long_formats_keep_every_byte) {
    static const size_t sizes[] = {511, 512, 513, 3000};
    char text[3001];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        memset(text, 'x', sizes[i]);
        text[sizes[i] - 1] = 'y';
        text[sizes[i]] = '\0';
        for (size_t spare = 0; spare < 3; spare++) {
            struct writer w;
            writer_init(&w, sizes[i] + spare);
            writer_fmt(&w, "%s", text);
            ck_assert(bytes_is(writer_bytes(&w), text));
            writer_release(&w);
        }
        struct writer w;
        writer_init(&w, sizes[i] - 1);
        writer_fmt(&w, "%s", text);
        ck_assert(w.failed);
        writer_release(&w);
    }
}
END_TEST

START_TEST(cstr_with_a_nul_inside_fails) {
    struct writer w;
    writer_init(&w, 100);
    writer_cstr(&w, bytes_of("a\0b", 3));
    ck_assert(w.failed);
    writer_release(&w);
}
END_TEST

int main(void) {
    Suite *s = suite_create("base bytes");
    TCase *reader = tcase_create("reader");
    tcase_add_test(reader, reads_integers_in_network_order);
    tcase_add_test(reader, high_bytes_do_not_extend_signs);
    tcase_add_test(reader, unread_bytes_are_not_done);
    tcase_add_test(reader, take_exact_zero_and_one_over);
    tcase_add_test(reader, huge_lengths_fail_without_wrapping);
    tcase_add_test(reader, failure_is_sticky);
    tcase_add_test(reader, absent_bytes_are_empty);
    tcase_add_test(reader, integers_fail_one_byte_short);
    tcase_add_test(reader, cstr_needs_its_nul);
    suite_add_tcase(s, reader);
    TCase *writer = tcase_create("writer");
    tcase_add_test(writer, writer_round_trip);
    tcase_add_test(writer, ceiling_exact_and_one_over);
    tcase_add_test(writer, writer_failure_is_sticky_until_reset);
    tcase_add_test(writer, huge_reserves_fail_without_wrapping);
    tcase_add_test(writer, fixed_writer_never_leaves_its_storage);
    tcase_add_test(writer, long_formats_keep_every_byte);
    tcase_add_test(writer, cstr_with_a_nul_inside_fails);
    suite_add_tcase(s, writer);
    return check_main(s);
}
