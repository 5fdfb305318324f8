/*
 * test_my_key_book.c - what logins have told: found for the same user and the same stored secret, and for nobody else.
 */
#include "proxy/pool/my_key_book.h"

#include "tests/unit/check_main.h"

static struct my_key_book book;
static struct user_secret native, other, sha2, plain;

static void setup(void) {
    my_key_book_init(&book);
    native = other = sha2 = plain = (struct user_secret){.password = NULL};
    native.has_native = other.has_native = sha2.has_sha2 = true;
    memset(&native.native, 'n', sizeof native.native);
    memset(&other.native, 'o', sizeof other.native);
    memset(&sha2.sha2, 's', sizeof sha2.sha2);
    plain.password = (char[]){"p"};
}

static void teardown(void) {
    my_key_book_release(&book);
}

static const char *found(const char *user, const struct user_secret *secret) {
    static struct my_auth_keys keys;
    keys = (struct my_auth_keys){.is_set = false};
    return my_key_book_find(&book, bytes_str(user), secret, &keys) && keys.is_set ? keys.password : NULL;
}

START_TEST(keys_are_of_one_user_and_one_secret) {
    struct my_auth_keys keys = {.is_set = true, .password = "told"};
    ck_assert_ptr_null(found("app", &native));
    my_key_book_learn(&book, bytes_str("app"), &native, &keys);
    ck_assert_str_eq(found("app", &native), "told");
    ck_assert_ptr_null(found("apps", &native));
    ck_assert_ptr_null(found("app", &other));
    ck_assert_ptr_null(found("app", &sha2));
    ck_assert_ptr_null(found("app", &plain));
    ck_assert_str_eq(found("app", NULL), "told");
    ck_assert_ptr_null(found("apps", NULL));
    memcpy(keys.password, "anew", 5);
    my_key_book_learn(&book, bytes_str("app"), &other, &keys);
    ck_assert_str_eq(found("app", &other), "anew");
    ck_assert_ptr_null(found("app", &native));
    my_key_book_learn(&book, bytes_str("second"), &sha2, &keys);
    ck_assert_str_eq(found("second", &sha2), "anew");
    ck_assert_str_eq(found("app", &other), "anew");
}
END_TEST

int main(void) {
    TCase *t = tcase_create("my_key_book");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, keys_are_of_one_user_and_one_secret);
    return check_main_of("my_key_book", t);
}
