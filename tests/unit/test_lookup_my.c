/*
 * test_lookup_my.c - the question about a MySQL user, what a server's answer says, and what is no answer.
 */
#include "proxy/session/lookup_my.h"

#include <stdlib.h>

#include "proxy/wire/my_encode.h"
#include "tests/unit/check_main.h"

#define HASH "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"

static uint8_t storage[8192];
static struct writer w;
static struct accounts_my *accounts;
static struct err err;
static uint8_t seq;

static void setup(void) {
    accounts = calloc(1, accounts_my_size(ACCOUNTS_MY_MAX));
    ck_assert_ptr_nonnull(accounts);
}

static void teardown(void) {
    free(accounts);
}

static void put(struct bytes payload) {
    my_put(&w, seq++, payload);
}

static void begin(int columns) {
    writer_init_fixed(&w, storage, sizeof storage);
    accounts->count = 0;
    err = (struct err){0};
    seq = 1;
    put(bytes_of(&(uint8_t){(uint8_t)columns}, 1));
    for (int i = 0; i < columns; i++) put(bytes_str("a definition"));
}

/* NULL stands for NULL. */
static void row(int columns, const char *const values[]) {
    uint8_t text[1024];
    struct writer r;
    writer_init_fixed(&r, text, sizeof text);
    for (int i = 0; i < columns; i++) {
        if (values[i]) my_w_lenenc_str(&r, bytes_str(values[i]));
        else writer_u8(&r, 0xfb);
    }
    put(writer_bytes(&r));
}

static void end(void) {
    put(bytes_of("\xfe\0\0\2\0\0\0", 7));
}

static enum lookup_result read_all(void) {
    return lookup_my_read(writer_bytes(&w), "sam", accounts, &err);
}

static enum lookup_result one(int columns, const char *a, const char *b, const char *c, const char *d, const char *e, const char *f) {
    begin(columns);
    row(columns, (const char *const[]){a, b, c, d, e, f, "more"});
    end();
    return read_all();
}

#define NATIVE "mysql_native_password"

START_TEST(rows_that_say_something) {
    ck_assert_int_eq(one(4, "sam", "%", NATIVE, HASH, NULL, NULL), LOOKUP_FOUND);
    ck_assert(accounts->count == 1 && accounts->at[0].has_secret && accounts->at[0].secret.has_native);
    ck_assert(!accounts->at[0].is_locked && !accounts->at[0].is_expired);
    ck_assert_str_eq(accounts->at[0].host, "%");
    for (int i = 0; i < 4; i++) {
        static const char *const yes[] = {"Y", "1", "true", "yes"}, *const no[] = {"N", "0", "false", ""};
        ck_assert_int_eq(one(6, "sam", "%", NATIVE, HASH, yes[i], no[i]), LOOKUP_FOUND);
        ck_assert(accounts->at[0].is_locked && !accounts->at[0].is_expired);
        ck_assert_int_eq(one(7, "sam", "%", NATIVE, HASH, no[i], yes[i]), LOOKUP_FOUND);
        ck_assert(!accounts->at[0].is_locked && accounts->at[0].is_expired);
    }
    ck_assert_int_eq(one(6, "sam", "%", NATIVE, NULL, NULL, NULL), LOOKUP_FOUND);
    ck_assert(accounts->count == 1 && !accounts->at[0].has_secret);
    ck_assert_int_eq(one(4, "sam", NULL, NULL, NULL, NULL, NULL), LOOKUP_FOUND);
    ck_assert(!err_is_set(&err));
}
END_TEST

START_TEST(several_accounts_or_none) {
    begin(4);
    end();
    ck_assert_int_eq(read_all(), LOOKUP_ABSENT);
    ck_assert(!err_is_set(&err));
    for (int count = ACCOUNTS_MY_MAX - 1; count <= ACCOUNTS_MY_MAX + 1; count++) {
        begin(4);
        for (int i = 0; i < count; i++) row(4, (const char *const[]){"sam", "%", NATIVE, HASH});
        end();
        ck_assert_int_eq(read_all(), count <= ACCOUNTS_MY_MAX ? LOOKUP_FOUND : LOOKUP_FAILED);
        if (count <= ACCOUNTS_MY_MAX) ck_assert_uint_eq(accounts->count, (unsigned)count);
    }
}
END_TEST

START_TEST(answers_that_are_none) {
    ck_assert_int_eq(one(3, "sam", "%", NATIVE, HASH, NULL, NULL), LOOKUP_FAILED);
    ck_assert_ptr_nonnull(strstr(err.message, "less than four columns"));
    ck_assert_int_eq(one(4, "sams", "%", NATIVE, HASH, NULL, NULL), LOOKUP_FAILED);
    ck_assert_int_eq(one(4, "Sam", "%", NATIVE, HASH, NULL, NULL), LOOKUP_FAILED);
    ck_assert_int_eq(one(4, NULL, "%", NATIVE, HASH, NULL, NULL), LOOKUP_FAILED);
    writer_init_fixed(&w, storage, sizeof storage);
    put(bytes_str("\xff\x28\x04#42000no such table"));
    err = (struct err){0};
    ck_assert_int_eq(read_all(), LOOKUP_FAILED);
    ck_assert_ptr_nonnull(strstr(err.message, "no such table"));
    writer_init_fixed(&w, storage, sizeof storage);
    put(bytes_of("\0\0\0\2\0\0\0", 7)); /* an OK: it was no question */
    ck_assert_int_eq(read_all(), LOOKUP_FAILED);
}
END_TEST

START_TEST(every_cut_is_noticed) {
    ck_assert_int_eq(one(6, "sam", "%", NATIVE, HASH, "N", "N"), LOOKUP_FOUND);
    size_t whole = w.len;
    for (size_t cut = 0; cut < whole; cut++) {
        uint8_t *part = malloc(cut + 1); /* whoever reads behind it is seen */
        memcpy(part, storage, cut);
        accounts->count = 0;
        ck_assert_int_eq(lookup_my_read(bytes_of(part, cut), "sam", accounts, &err), LOOKUP_FAILED);
        free(part);
    }
    for (size_t at = 0; at < whole; at++) { /* any byte: read to the end, or refused */
        uint8_t was = storage[at];
        for (int value = 0; value < 256; value += 15) {
            storage[at] = (uint8_t)value;
            accounts->count = 0;
            (void)lookup_my_read(bytes_of(storage, whole), "sam", accounts, &err);
            ck_assert_uint_le(accounts->count, 1);
        }
        storage[at] = was;
    }
}
END_TEST

static const char *question(const char *query, const char *user) {
    writer_init_fixed(&w, storage, sizeof storage);
    lookup_my_put_query(&w, query, user);
    writer_u8(&w, 0);
    return (const char *)storage;
}

START_TEST(names_are_literals_in_hex) {
    ck_assert_str_eq(question("select $1", "sam"), "select _utf8mb4 X'73616d'");
    ck_assert_str_eq(question("$1 = $1 $2 $", "'\\"), "_utf8mb4 X'275c' = _utf8mb4 X'275c' $2 $");
    ck_assert_str_eq(question("none", "sam"), "none");
    ck_assert_str_eq(question("$1", "$1\xc3\xa4"), "_utf8mb4 X'2431c3a4'");
}
END_TEST

int main(void) {
    TCase *t = tcase_create("lookup_my");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, rows_that_say_something);
    tcase_add_test(t, several_accounts_or_none);
    tcase_add_test(t, answers_that_are_none);
    tcase_add_test(t, every_cut_is_noticed);
    tcase_add_test(t, names_are_literals_in_hex);
    return check_main_of("lookup_my", t);
}
