/*
 * test_sha_crypt.c - hashes as a MySQL 9.7 has stored them, and texts that are none.
 */
#include "proxy/auth/sha_crypt.h"

#include <stdlib.h>

#include "tests/unit/check_main.h"

#define FAST \
    "0x244124303041242514042F4C0A4F5D6D7A376F281E73486D5242615951786771494655634B6C58355639724E70374D443579534B39325858383355444571" \
    "5636796947794F44"
#define OLD \
    "0x2435245A50342A6A7C29466D0233764B1D1B123437105824496C642E54616A547A563454655468434A6E50674F4A70346A533434777659616751326B6C37" \
    "4D45456843"

static const struct vector {
    const char *stored, *password;
    uint32_t rounds;
} vectors[] = {
    {FAST, "secret", 10000},
    {"0x2441243030412428682F12481141252A0D0B6D436D056737680F586B6834577376723241612F494E414E7251546863464E49364D4D4C46556F4A30436A57"
     "646F715841653734", "a password of more than thirty-two bytes, p\xc3\xa4ssw\xc3\xb6rd", 10000},
    {OLD, "secret", 5000},
    {"0x2435242F45143B3B743907255F3A1A542660294A1C427A2458393744674F50666C33524F2E7065644C7035347575574B565A434648507249497436555346"
     "49372F5038", "x", 5000},
};

static bool is_right(const struct sha_crypt *stored, struct bytes password) {
    bool is_it = true;
    ck_assert(sha_crypt_check(stored, password, &is_it));
    return is_it;
}

START_TEST(vectors_of_a_server) {
    const struct vector *v = &vectors[_i];
    struct sha_crypt stored;
    struct bytes password = bytes_str(v->password);
    ck_assert(sha_crypt_is_meant(bytes_str(v->stored)));
    ck_assert(sha_crypt_parse(bytes_str(v->stored), &stored));
    ck_assert_uint_eq(stored.rounds, v->rounds);
    ck_assert(is_right(&stored, password));
    ck_assert(!is_right(&stored, bytes_of(password.ptr, password.len - 1)));
    ck_assert(!is_right(&stored, bytes_of(password.ptr, password.len + 1)));
    ck_assert(!is_right(&stored, bytes_str("Secret")));
    stored.digest[42] ^= 1;
    ck_assert(!is_right(&stored, password));
    stored.digest[42] ^= 1;
    stored.salt[19] ^= 1;
    ck_assert(!is_right(&stored, password));
}
END_TEST

static struct bytes unhexed(const char *text, uint8_t *into) {
    size_t len = strlen(text) / 2 - 1;
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {text[2 + 2 * i], text[3 + 2 * i], '\0'};
        into[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes_of(into, len);
}

START_TEST(the_bytes_themselves_are_taken_too) {
    uint8_t bytes[80];
    struct sha_crypt a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    struct bytes open = unhexed(vectors[_i].stored, bytes);
    ck_assert(sha_crypt_is_meant(open) && sha_crypt_parse(open, &a) && sha_crypt_parse(bytes_str(vectors[_i].stored), &b));
    ck_assert_mem_eq(&a, &b, sizeof a);
    for (size_t len = 0; len < open.len; len++) ck_assert(!sha_crypt_parse(bytes_of(bytes, len), &a));
    bytes[open.len] = 'x';
    ck_assert(!sha_crypt_parse(bytes_of(bytes, open.len + 1), &a));
}
END_TEST

START_TEST(hex_is_parsed_to_the_letter) {
    char text[200];
    struct sha_crypt stored;
    size_t len = strlen(FAST);
    memcpy(text, FAST, len + 1);
    for (size_t cut = 0; cut < len; cut++) ck_assert(!sha_crypt_parse(bytes_of(text, cut), &stored));
    for (size_t i = 2; i < len; i++) {
        text[i] = 'g';
        ck_assert(!sha_crypt_parse(bytes_of(text, len), &stored));
        text[i] = FAST[i];
    }
    ck_assert(!sha_crypt_parse(bytes_str(FAST "24"), &stored) && !sha_crypt_parse(bytes_str(FAST "2"), &stored));
    memset(text + 2, '2', sizeof text - 2);
    ck_assert(!sha_crypt_parse(bytes_of(text, sizeof text), &stored));
}
END_TEST

#define SALT "abcdefghijklmnopqrst"
#define DIGEST "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef."

START_TEST(wrong_texts) {
    static const char *const wrong[] = {
        "$A$005$" SALT DIGEST "x", "$A$005$" SALT "_" DIGEST, "$A$004$" SALT DIGEST, "$A$065$" SALT DIGEST, "$A$FFF$" SALT DIGEST,
        "$A$00G$" SALT DIGEST, "$A$005x" SALT DIGEST, "$B$005$" SALT DIGEST, "$5$" SALT DIGEST, "$5$" SALT "x" DIGEST,
        "$5$" SALT "$" DIGEST "x", "$6$" SALT "$" DIGEST, "$A$005$" SALT "!123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef.", "",
    };
    struct sha_crypt stored;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(!sha_crypt_parse(bytes_str(wrong[i]), &stored), "%s", wrong[i]);
    ck_assert(sha_crypt_parse(bytes_str("$A$005$" SALT DIGEST), &stored) && stored.rounds == 5000);
    ck_assert(sha_crypt_parse(bytes_str("$A$064$" SALT DIGEST), &stored) && stored.rounds == SHA_CRYPT_ROUNDS_MAX);
    ck_assert(sha_crypt_parse(bytes_str("$5$" SALT "$" DIGEST), &stored) && stored.rounds == 5000);
    ck_assert(!sha_crypt_is_meant(bytes_str("$A")) && !sha_crypt_is_meant(bytes_str("0x")) && !sha_crypt_is_meant(bytes_str("secret")));
}
END_TEST

START_TEST(lengths_of_passwords_at_their_edges) {
    char password[SHA_CRYPT_PASSWORD_MAX + 1];
    struct sha_crypt stored;
    memset(password, 'x', sizeof password);
    ck_assert(sha_crypt_parse(bytes_str(OLD), &stored));
    for (size_t len = 0; len <= sizeof password; len += len < 70 ? 1 : 17) ck_assert(!is_right(&stored, bytes_of(password, len)));
    ck_assert(!is_right(&stored, bytes_of(password, SHA_CRYPT_PASSWORD_MAX)));
    ck_assert(!is_right(&stored, bytes_of(password, sizeof password)));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("sha_crypt");
    tcase_add_loop_test(t, vectors_of_a_server, 0, COUNT_OF(vectors));
    tcase_add_loop_test(t, the_bytes_themselves_are_taken_too, 0, COUNT_OF(vectors));
    tcase_add_test(t, hex_is_parsed_to_the_letter);
    tcase_add_test(t, wrong_texts);
    tcase_add_test(t, lengths_of_passwords_at_their_edges);
    return check_main_of("sha_crypt", t);
}
