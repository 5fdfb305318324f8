/*
 * test_lookup_pg.c - what a server's answer about a user means, and what is no answer.
 */
#include "proxy/auth/secret.h"
#include "proxy/session/lookup_pg.h"
#include "proxy/wire/pg_encode.h"
#include "tests/unit/check_main.h"

#define VERIFIER                                                                                                                    \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define HASH "md50123456789abcdef0123456789abcdef"

static uint8_t storage[4096];
static struct writer w;
static struct user_secret secret;
static struct err err;

static void fresh(void) {
    writer_init_fixed(&w, storage, sizeof storage);
    secret = (struct user_secret){.password = NULL};
    err = (struct err){0};
}

/* One row; NULL stands for NULL. */
static void put_row(int count, const char *const values[]) {
    size_t at = pg_begin(&w, 'D');
    writer_be16(&w, (uint16_t)count);
    for (int i = 0; i < count; i++) {
        writer_be32(&w, values[i] ? (uint32_t)strlen(values[i]) : UINT32_MAX);
        if (values[i]) writer_str(&w, values[i]);
    }
    pg_end(&w, at);
}

static void put_end(void) {
    size_t at = pg_begin(&w, 'C');
    writer_cstr(&w, bytes_str("SELECT 1"));
    pg_end(&w, at);
    pg_put_ready(&w, 'I');
}

static enum lookup_result read_as(const char *user) {
    return lookup_pg_read(writer_bytes(&w), user, &secret, &err);
}

static enum lookup_result row(int count, const char *a, const char *b, const char *c) {
    fresh();
    put_row(count, (const char *const[]){a, b, c, "more"});
    put_end();
    return read_as("sam");
}

START_TEST(rows_that_say_something) {
    ck_assert_int_eq(row(2, "sam", VERIFIER, NULL), LOOKUP_FOUND);
    ck_assert(secret.has_verifier && !secret.has_md5 && !secret.password);
    ck_assert_uint_eq(secret.verifier.iterations, 4096);
    ck_assert_int_eq(row(3, "sam", HASH, "t"), LOOKUP_FOUND);
    ck_assert(secret.has_md5 && !secret.has_verifier);
    ck_assert_int_eq(row(4, "sam", VERIFIER, "t"), LOOKUP_FOUND);
    ck_assert_int_eq(row(3, "sam", VERIFIER, "f"), LOOKUP_ABSENT);
    ck_assert_int_eq(row(3, "sam", VERIFIER, NULL), LOOKUP_ABSENT);
    ck_assert_int_eq(row(3, "sam", VERIFIER, "true"), LOOKUP_ABSENT);
    ck_assert_int_eq(row(2, "sam", NULL, NULL), LOOKUP_ABSENT);
    ck_assert_int_eq(row(2, "sam", "", NULL), LOOKUP_ABSENT);
    ck_assert_int_eq(row(3, NULL, NULL, NULL), LOOKUP_ABSENT);
    fresh();
    put_end();
    ck_assert_int_eq(read_as("sam"), LOOKUP_ABSENT);
    ck_assert(!err_is_set(&err));
}
END_TEST

START_TEST(rows_that_must_not_be_believed) {
    static const struct {
        int count;
        const char *a, *b;
    } bad[] = {{0, "", ""}, {1, "sam", ""}, {2, "Sam", VERIFIER}, {2, "sam ", VERIFIER}, {2, "", VERIFIER}};
    static const char *const unreadable[] = {"in clear", "md5", "SCRAM-SHA-256$", VERIFIER " "};
    for (size_t i = 0; i < COUNT_OF(unreadable); i++) { /* as if it did not exist; the operator hears of it */
        ck_assert_int_eq(row(2, "sam", unreadable[i], NULL), LOOKUP_ABSENT);
        ck_assert(err_is_set(&err) && !strstr(err.message, "in clear"));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(row(bad[i].count, bad[i].a, bad[i].b, NULL) == LOOKUP_FAILED, "%zu", i);
        ck_assert(err_is_set(&err));
        ck_assert_msg(!strstr(err.message, "in clear"), "a secret in the log");
    }
    fresh();
    put_row(2, (const char *const[]){"sam", VERIFIER});
    put_row(2, (const char *const[]){"sam", VERIFIER});
    put_end();
    ck_assert_int_eq(read_as("sam"), LOOKUP_FAILED);
    ck_assert(!secret.has_verifier);
}
END_TEST

START_TEST(errors_and_rests) {
    struct err of_server = {0};
    fresh();
    err_set(&of_server, "42501", "permission denied for table pg_authid");
    pg_put_error(&w, "ERROR", &of_server);
    pg_put_ready(&w, 'I');
    ck_assert_int_eq(read_as("sam"), LOOKUP_FAILED);
    ck_assert_ptr_nonnull(strstr(err.message, "permission denied"));
    /* Cut anywhere, and with a length that lies: never a row, never beyond the end. */
    fresh();
    put_row(2, (const char *const[]){"sam", VERIFIER});
    size_t whole = w.len;
    for (size_t cut = 1; cut < whole; cut++) {
        uint8_t part[512];
        memcpy(part, storage, cut);
        ck_assert_int_eq(lookup_pg_read(bytes_of(part, cut), "sam", &secret, &err), LOOKUP_FAILED);
    }
    for (size_t at = 5; at < 12; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t changed[512];
            memcpy(changed, storage, whole);
            if (changed[at] == value) continue;
            changed[at] = (uint8_t)value;
            ck_assert_int_ne(lookup_pg_read(bytes_of(changed, whole), "sam", &secret, &err), LOOKUP_FOUND);
        }
    }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("lookup");
    tcase_add_test(t, rows_that_say_something);
    tcase_add_test(t, rows_that_must_not_be_believed);
    tcase_add_test(t, errors_and_rests);
    return check_main_of("lookup", t);
}
