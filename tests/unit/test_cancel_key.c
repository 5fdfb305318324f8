/*
 * test_cancel_key.c - keys as clients carry them: there and back, and what is no key.
 */
#include "proxy/session/cancel_key.h"
#include "tests/unit/check_main.h"

static const struct cancel_key sample = {
    .is_long = true, .worker = 3, .instance = 0xfffe, .session = 0x0102030405060708u,
    .secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20},
};

START_TEST(a_long_key_comes_back_as_it_was) {
    uint8_t bytes[CANCEL_KEY_LONG];
    struct cancel_key k = sample, back;
    k.is_passed_on = true;
    ck_assert_uint_eq(cancel_key_write(&k, bytes), CANCEL_KEY_LONG);
    ck_assert(cancel_key_read(bytes_of(bytes, sizeof bytes), &back));
    ck_assert(back.is_long && back.is_passed_on);
    ck_assert_uint_eq(back.worker, 3);
    ck_assert_uint_eq(back.instance, 0xfffe);
    ck_assert_uint_eq(back.session, 0x0102030405060708u);
    ck_assert(cancel_key_matches(&sample, &back));
}
END_TEST

START_TEST(a_short_key_is_four_bytes_of_the_secret) {
    uint8_t bytes[CANCEL_KEY_LONG];
    struct cancel_key k = sample, back;
    k.is_long = false;
    ck_assert_uint_eq(cancel_key_write(&k, bytes), CANCEL_KEY_SHORT);
    ck_assert_mem_eq(bytes, sample.secret, CANCEL_KEY_SHORT);
    ck_assert(cancel_key_read(bytes_of(bytes, CANCEL_KEY_SHORT), &back));
    ck_assert(cancel_key_matches(&k, &back));
    ck_assert_msg(!cancel_key_matches(&sample, &back), "four bytes must not do where twenty are asked for");
    ck_assert(!cancel_key_matches(&k, &sample));
}
END_TEST

START_TEST(every_byte_of_the_secret_counts) {
    for (int i = 0; i < CANCEL_SECRET_LEN; i++) {
        struct cancel_key other = sample;
        other.secret[i] ^= 0x10;
        ck_assert(!cancel_key_matches(&sample, &other));
    }
}
END_TEST

START_TEST(other_lengths_and_formats_are_no_keys) {
    uint8_t bytes[64] = {0};
    struct cancel_key k;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        bytes[0] = 1;
        ck_assert_int_eq(cancel_key_read(bytes_of(bytes, len), &k), len == CANCEL_KEY_SHORT || len == CANCEL_KEY_LONG);
    }
    for (int format = 0; format < 256; format++) {
        bytes[0] = (uint8_t)format;
        ck_assert_int_eq(cancel_key_read(bytes_of(bytes, CANCEL_KEY_LONG), &k), format == 1 || format == 0x81);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("key");
    tcase_add_test(tc, a_long_key_comes_back_as_it_was);
    tcase_add_test(tc, a_short_key_is_four_bytes_of_the_secret);
    tcase_add_test(tc, every_byte_of_the_secret_counts);
    tcase_add_test(tc, other_lengths_and_formats_are_no_keys);
    return check_main_of("cancel key", tc);
}
