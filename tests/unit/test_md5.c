/*
 * test_md5.c - md5 passwords, against vectors that another program computed.
 */
#include <openssl/evp.h>

#include "proxy/auth/md5.h"
#include "tests/unit/check_main.h"

static struct err err;

START_TEST(verifiers_and_responses) {
    static char long_password[2049], long_user[64];
    memset(long_password, 'x', sizeof long_password - 1);
    memset(long_user, 'y', sizeof long_user - 1);
    static const struct {
        const char *password, *user, *salt, *verifier, *response;
    } cases[] = {
        {"secret", "app", "\1\2\3\4", "md56a422f785c9e20873908ce25d1736ae2", "md5911f527656472583a006e7727877b33e"},
        {"sec", "retapp", "\1\2\3\4", "md56a422f785c9e20873908ce25d1736ae2", "md5911f527656472583a006e7727877b33e"},
        {"", "", "\0\0\0\0", "md5d41d8cd98f00b204e9800998ecf8427e", "md591b86670dcd47857d222fa05653500aa"},
        {"p\xc3\xa4ssw\xc3\xb6rd \xf0\x9f\x90\x98", "k\xc3\xa4the", "\xff\0\x80\n", "md53d226d455801ae84a0ca6c71c5c385c5",
         "md50377c606d3f53674fd24825a74b6c9b7"},
        {long_password, long_user, "salt", "md54cc1dd85a5143cb9148aa004aaa2548f", "md5580e60aff031e9832314213e2ecae34d"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct md5_verifier v;
        char response[MD5_TEXT_LEN + 1];
        bool is_right = false;
        const uint8_t *salt = (const uint8_t *)cases[i].salt;
        ck_assert(md5_verifier_derive(bytes_str(cases[i].password), bytes_str(cases[i].user), &v, &err));
        ck_assert_str_eq(v.text, cases[i].verifier);
        ck_assert(md5_respond(&v, salt, response, &err));
        ck_assert_str_eq(response, cases[i].response);
        ck_assert(md5_check(&v, salt, bytes_str(cases[i].response), &is_right, &err));
        ck_assert(is_right);
    }
    ck_assert(!err_is_set(&err));
}
END_TEST

START_TEST(wrong_responses) {
    static const uint8_t salt[MD5_SALT_LEN] = {1, 2, 3, 4}, other[MD5_SALT_LEN] = {1, 2, 3, 5};
    static const char right[] = "md5911f527656472583a006e7727877b33e";
    struct md5_verifier v;
    bool is_right;
    ck_assert(md5_verifier_parse(bytes_str("md56a422f785c9e20873908ce25d1736ae2"), &v));
    for (size_t i = 0; i < MD5_TEXT_LEN; i++) { /* one byte is another */
        char wrong[sizeof right];
        memcpy(wrong, right, sizeof wrong);
        wrong[i] ^= 1;
        ck_assert(md5_check(&v, salt, bytes_str(wrong), &is_right, &err) && !is_right);
        ck_assert(md5_check(&v, salt, bytes_of(right, i), &is_right, &err) && !is_right); /* cut */
    }
    ck_assert(md5_check(&v, salt, bytes_of(right, sizeof right), &is_right, &err) && !is_right); /* its NUL is one too many */
    ck_assert(md5_check(&v, salt, bytes_of(NULL, 0), &is_right, &err) && !is_right);
    ck_assert(md5_check(&v, salt, bytes_str("MD5911F527656472583A006E7727877B33E"), &is_right, &err) && !is_right);
    ck_assert(md5_check(&v, salt, bytes_str(v.text), &is_right, &err) && !is_right); /* the verifier itself */
    ck_assert(md5_check(&v, salt, bytes_str("secret"), &is_right, &err) && !is_right);
    ck_assert(md5_check(&v, other, bytes_str(right), &is_right, &err) && !is_right); /* heard elsewhere */
    ck_assert(md5_check(&v, salt, bytes_str(right), &is_right, &err) && is_right);
}
END_TEST

START_TEST(verifiers_are_parsed_to_the_letter) {
    static const char *const wrong[] = {
        "", "md5", "md56a422f785c9e20873908ce25d1736ae", "md56a422f785c9e20873908ce25d1736ae22",
        "md56a422f785c9e20873908ce25d1736aeg", "MD56a422f785c9e20873908ce25d1736ae2", "md4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "md5/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`",
        "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@", "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
    };
    struct md5_verifier v;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(!md5_verifier_parse(bytes_str(wrong[i]), &v), "%s", wrong[i]);
    ck_assert(!md5_verifier_parse(bytes_of("md56a422f785c9e20873908ce25d1736ae\0", MD5_TEXT_LEN), &v));
    ck_assert(md5_verifier_parse(bytes_str("md50123456789abcdefABCDEF0123456789"), &v));
    ck_assert_str_eq(v.text, "md50123456789abcdefabcdef0123456789");
}
END_TEST

START_TEST(fips_rules_are_kept) {
    static const uint8_t salt[MD5_SALT_LEN] = {1, 2, 3, 4};
    struct md5_verifier v;
    char response[MD5_TEXT_LEN + 1];
    bool is_right = true;
    ck_assert(md5_verifier_parse(bytes_str("md56a422f785c9e20873908ce25d1736ae2"), &v));
    ck_assert_int_eq(EVP_default_properties_enable_fips(NULL, 1), 1);
    ck_assert(!md5_respond(&v, salt, response, &err));
    ck_assert_str_eq(err.sqlstate, ERR_FEATURE_NOT_SUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "md5 passwords are not available"));
    ck_assert(!md5_check(&v, salt, bytes_str("md5911f527656472583a006e7727877b33e"), &is_right, &err) && !is_right);
    ck_assert(!md5_verifier_derive(bytes_str("secret"), bytes_str("app"), &v, &err));
    ck_assert_int_eq(EVP_default_properties_enable_fips(NULL, 0), 1);
    ck_assert(md5_respond(&v, salt, response, &err));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("md5");
    tcase_add_test(t, verifiers_and_responses);
    tcase_add_test(t, wrong_responses);
    tcase_add_test(t, verifiers_are_parsed_to_the_letter);
    tcase_add_test(t, fips_rules_are_kept);
    return check_main_of("md5", t);
}
