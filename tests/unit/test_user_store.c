/*
 * test_user_store.c - the user file, and verifiers for users known and unknown.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "proxy/auth/user_store.h"
#include "tests/unit/check_main.h"

#define VERIFIER                                                                                             \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTA" \
    "mQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const uint8_t mock_key[32] = "0123456789abcdef0123456789abcde";
static struct user_store store;
static struct err err;
static int line;

static void setup(void) {
    user_store_init(&store, mock_key);
    err = (struct err){0};
    line = -1;
}

static void teardown(void) {
    user_store_release(&store);
}

static bool parse(const char *text) {
    return user_store_parse(&store, bytes_str(text), &line, &err);
}

/* As for logins. */
static bool serve(const char *text) {
    return parse(text) && user_store_warm(&store, NULL, &err);
}

static const char *password_of(const char *name) {
    const struct user_secret *secret = user_store_find(&store, bytes_str(name));
    return secret ? secret->password : NULL;
}

START_TEST(reads_users_comments_and_quotes) {
    ck_assert(parse("; users of the shop\n"
                    "# also a comment\n"
                    "\n"
                    "   \t\r\n"
                    "\"app\" \"simple\"\n"
                    "  \"o\"\"brien\"\t \"say \"\"hi\"\"; # all of it\" ; comment\r\n"
                    "\"\"\"\" \"\"\"\"#x\n"
                    "\"with verifier\" \"" VERIFIER "\"\n"
                    "\"\xc3\xa4\" \"last line without an end\""));
    ck_assert(!err_is_set(&err));
    ck_assert_uint_eq(store.users.count, 5);
    ck_assert_str_eq(password_of("app"), "simple");
    ck_assert_str_eq(password_of("o\"brien"), "say \"hi\"; # all of it");
    ck_assert_str_eq(password_of("\""), "\"");
    ck_assert_str_eq(password_of("\xc3\xa4"), "last line without an end");
    const struct user_secret *secret = user_store_find(&store, bytes_str("with verifier"));
    ck_assert(secret && !secret->password && secret->has_verifier);
    ck_assert_uint_eq(secret->verifier.iterations, 4096);
    ck_assert_ptr_null(user_store_find(&store, bytes_str("App")));
    ck_assert_ptr_null(user_store_find(&store, bytes_str("")));
}
END_TEST

START_TEST(empty_files_hold_nobody) {
    ck_assert(parse(""));
    ck_assert(parse("\n\n"));
    ck_assert_uint_eq(store.users.count, 0);
}
END_TEST

START_TEST(errors_name_their_line) {
    static const struct {
        const char *text, *says;
        int line;
    } cases[] = {
        {"app \"x\"", "user name must be in double quotes", 1},
        {"\n;\n\"app\"", "followed by a space and a secret", 3},
        {"\"app\"\"x\"", "followed by a space", 1},
        {"\"app\" x", "secret must be in double quotes", 1},
        {"\"app\" ", "secret must be in double quotes", 1},
        {"\"app\" ; \"x\"", "secret must be in double quotes", 1},
        {"\"a\" \"1\"\n\"app\" \"x\n\"", "secret has no closing quote", 2},
        {"\"app", "user name has no closing quote", 1},
        {"\"app\" \"x\"\"", "secret has no closing quote", 1},
        {"\"app\" \"x\" \"y\"", "only a comment may follow", 1},
        {"\"app\" \"x\"y", "only a comment may follow", 1},
        {"\"\" \"x\"", "user name is empty", 1},
        {"\"app\" \"\"", "secret is empty", 1},
        {"\"a\" \"1\"\r\n\r\n\"b\" \"2\"\r\n\"a\" \"3\"", "user \"a\" is listed twice", 4},
        {"\"app\" \"md50123456789abcdef0123456789ABCDEF\"", "md5 secrets are of no use with this client_auth", 1},
        {"\"app\" \"SCRAM-SHA-256$nonsense\"", "SCRAM verifier is not valid", 1},
        {"\"app\" \"" VERIFIER "=\"", "SCRAM verifier is not valid", 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        teardown();
        setup();
        ck_assert_msg(!parse(cases[i].text), "accepted: %s", cases[i].text);
        ck_assert_int_eq(line, cases[i].line);
        ck_assert_msg(strstr(err.message, cases[i].says), "%s: %s", cases[i].text, err.message);
        ck_assert_str_eq(err.sqlstate, ERR_CONFIG);
    }
}
END_TEST

START_TEST(secrets_stay_out_of_errors) {
    static const char *const texts[] = {
        "\"app\" \"hunter2\" x", "\"app\" \"hunter2", "\"app\" hunter2", "\"app\" \"SCRAM-SHA-256$hunter2\"",
        "\"app\" \"hunter2\"\n\"app\" \"hunter2\"",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        teardown();
        setup();
        ck_assert(!parse(texts[i]));
        ck_assert_ptr_null(strstr(err.message, "hunter2"));
        ck_assert_ptr_null(strstr(err.detail, "hunter2"));
        ck_assert_ptr_null(strstr(err.hint, "hunter2"));
    }
}
END_TEST

START_TEST(passwords_that_only_look_like_md5_are_passwords) {
    ck_assert(parse("\"a\" \"md5\"\n\"b\" \"md50123456789abcdef0123456789abcdeg\"\n"
                    "\"c\" \"md50123456789abcdef0123456789abcdef0\"\n\"d\" \"SCRAM-SHA-256\""));
    ck_assert_str_eq(password_of("a"), "md5");
    ck_assert_str_eq(password_of("d"), "SCRAM-SHA-256");
}
END_TEST

#define MD5_OF_APP "md56a422f785c9e20873908ce25d1736ae2" /* "secret", user app */

START_TEST(md5_secrets_where_they_are_allowed) {
    store.allows_md5 = true;
    ck_assert(parse("\"app\" \"" MD5_OF_APP "\"\n\"up\" \"md56A422F785C9E20873908CE25D1736AE2\"\n"
                    "\"x\" \"md56a422f785c9e20873908ce25d1736aex\""));
    const struct user_secret *app = user_store_find(&store, bytes_str("app")), *up = user_store_find(&store, bytes_str("up"));
    ck_assert(app->has_md5 && !app->password && !app->has_verifier);
    ck_assert_str_eq(app->md5.text, MD5_OF_APP);
    ck_assert_str_eq(up->md5.text, MD5_OF_APP);
    ck_assert(!user_store_find(&store, bytes_str("x"))->has_md5); /* an odd password */
    ck_assert(user_store_warm(&store, NULL, &err));
    ck_assert(!app->has_verifier);
    struct scram_verifier verifier; /* SCRAM cannot prove them: like somebody unknown */
    bool is_mock = false;
    ck_assert(user_store_verifier(&store, bytes_str("app"), user_store_find(&store, bytes_str("app")), &verifier, &is_mock));
    ck_assert(is_mock);
}
END_TEST

/* Does the right answer to a salt let `name` with `password` in? */
static bool logs_in_by_md5(const char *name, const char *password) {
    static const uint8_t salt[MD5_SALT_LEN] = {9, 0, 255, 4};
    struct md5_verifier theirs, ours;
    char response[MD5_TEXT_LEN + 1];
    bool is_mock, is_right;
    ck_assert(md5_verifier_derive(bytes_str(password), bytes_str(name), &theirs, &err) && md5_respond(&theirs, salt, response, &err));
    ck_assert(user_store_md5(&store, bytes_str(name), user_store_find(&store, bytes_str(name)), &ours, &is_mock, &err));
    ck_assert(md5_check(&ours, salt, bytes_str(response), &is_right, &err));
    ck_assert(!err_is_set(&err));
    return is_right && !is_mock;
}

static bool logs_in_by_password(const char *name, const char *password) {
    bool is_right = true;
    ck_assert(user_store_check_password(&store, bytes_str(name), user_store_find(&store, bytes_str(name)), password, &is_right, &err));
    return is_right;
}

START_TEST(md5_and_clear_text_logins) {
    static const char *const names[] = {"app", "plain", "scram"};
    store.allows_md5 = true;
    ck_assert(serve("\"app\" \"" MD5_OF_APP "\"\n\"plain\" \"secret\"\n"));
    struct scram_verifier verifier;
    struct user_secret scram = {.has_verifier = true};
    ck_assert(scram_verifier_derive("secret", (const uint8_t *)"0123456789abcdef", 16, 4096, &verifier));
    scram.verifier = verifier;
    ck_assert(map_put(&store.users, bytes_str("scram"), &scram));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_int_eq(logs_in_by_md5(names[i], "secret"), i < 2); /* the last must be asked for SCRAM */
        ck_assert(!logs_in_by_md5(names[i], "secreT"));
        ck_assert(logs_in_by_password(names[i], "secret"));
        ck_assert(!logs_in_by_password(names[i], "secret "));
        ck_assert(!logs_in_by_password(names[i], ""));
    }
    ck_assert(!logs_in_by_md5("nobody", "secret") && !logs_in_by_password("nobody", "secret"));
    ck_assert(!logs_in_by_password("app", MD5_OF_APP)); /* a stolen verifier is not a password here */
    ck_assert_ptr_eq(map_take(&store.users, bytes_str("scram")), &scram);
}
END_TEST

#define NATIVE_OF_SECRET "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7" /* "secret" */

START_TEST(native_hashes_check_passwords_and_prove_none) {
    store.allows_md5 = _i;
    ck_assert(serve("\"my\" \"" NATIVE_OF_SECRET "\"\n\"low\" \"*14e65567abdb5135d0cfd9a70b3032c179a49ee7\"\n"
                    "\"odd\" \"*14E65567ABDB5135D0CFD9A70B3032C179A49EEG\"\n\"short\" \"*14E6\"\n\"plain\" \"secret\""));
    const struct user_secret *my = user_store_find(&store, bytes_str("my")), *low = user_store_find(&store, bytes_str("low"));
    ck_assert(my->has_native && !my->password && !my->has_verifier && !my->has_md5);
    ck_assert(low->has_native);
    ck_assert_mem_eq(&my->native, &low->native, sizeof my->native);
    ck_assert_ptr_null(user_store_server_secret(my));
    ck_assert_str_eq(password_of("odd"), "*14E65567ABDB5135D0CFD9A70B3032C179A49EEG");
    ck_assert_str_eq(password_of("short"), "*14E6");
    ck_assert(!user_store_find(&store, bytes_str("plain"))->has_native);
    ck_assert(logs_in_by_password("my", "secret") && logs_in_by_password("low", "secret"));
    ck_assert(!logs_in_by_password("my", "secreT") && !logs_in_by_password("my", "") && !logs_in_by_password("my", NATIVE_OF_SECRET));
    ck_assert(!logs_in_by_md5("my", "secret"));
    ck_assert(!user_store_asks_md5(&store, my));
    struct scram_verifier verifier;
    bool is_mock = false;
    ck_assert(user_store_verifier(&store, bytes_str("my"), my, &verifier, &is_mock) && is_mock);
}
END_TEST

static bool asks_md5(const char *name) {
    return user_store_asks_md5(&store, user_store_find(&store, bytes_str(name)));
}

START_TEST(unknown_users_are_asked_for_what_most_are_asked_for) {
    store.allows_md5 = true;
    ck_assert(!asks_md5("nobody"));
    ck_assert(parse("\"plain\" \"secret\"\n\"scram\" \"" VERIFIER "\""));
    ck_assert(asks_md5("plain") && !asks_md5("scram") && !asks_md5("nobody")); /* as many: the better one */
    ck_assert(parse("\"hashed\" \"" MD5_OF_APP "\""));
    ck_assert(asks_md5("hashed") && !asks_md5("scram") && asks_md5("nobody"));
    ck_assert(parse("\"two\" \"" VERIFIER "\"\n\"three\" \"" VERIFIER "\""));
    ck_assert(asks_md5("plain") && !asks_md5("nobody"));
}
END_TEST

#define ED25519_OF_SECRET "ed25519:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY" /* the same */

static enum my_auth_plugin asks_by(const char *name, enum my_auth_plugin begun) {
    return user_store_asks_by(&store, user_store_find(&store, bytes_str(name)), begun);
}

/* Whatever they begin with. */
static bool asks_only(const char *name, enum my_auth_plugin plugin) {
    for (enum my_auth_plugin begun = MY_AUTH_NATIVE; begun <= MY_AUTH_OTHER; begun++)
        if (asks_by(name, begun) != plugin) return false;
    return true;
}

static bool lets_choose(const char *name) {
    for (enum my_auth_plugin begun = MY_AUTH_NATIVE; begun < MY_AUTH_OTHER; begun++)
        if (asks_by(name, begun) != begun) return false;
    return asks_by(name, MY_AUTH_OTHER) == MY_AUTH_NATIVE;
}

START_TEST(unknown_mysql_users_are_asked_by_what_most_are_asked_by) {
    ck_assert(lets_choose("nobody"));
    ck_assert(parse("\"plain\" \"secret\"\n\"my\" \"" NATIVE_OF_SECRET "\""));
    ck_assert(asks_only("my", MY_AUTH_NATIVE) && lets_choose("plain") && lets_choose("nobody")); /* as many: the better one */
    ck_assert(parse("\"low\" \"" NATIVE_OF_SECRET "\""));
    ck_assert(lets_choose("plain") && asks_only("nobody", MY_AUTH_NATIVE));
    ck_assert(parse("\"a\" \"" ED25519_OF_SECRET "\"\n\"b\" \"" ED25519_OF_SECRET "\"\n"));
    ck_assert(asks_only("a", MY_AUTH_ED25519) && asks_only("nobody", MY_AUTH_NATIVE));
    ck_assert(parse("\"c\" \"" ED25519_OF_SECRET "\""));
    ck_assert(lets_choose("plain") && asks_only("my", MY_AUTH_NATIVE) && asks_only("nobody", MY_AUTH_ED25519));
}
END_TEST

static bool signs_in(const char *name, const char *password) {
    static const uint8_t nonce[ED25519_NONCE] = "abcdefghijklmnopqrstuvwxyz012345";
    uint8_t signature[ED25519_SIGNATURE_LEN];
    ck_assert(ed25519_sign(bytes_str(password), nonce, signature));
    return user_store_check_ed25519(&store, user_store_find(&store, bytes_str(name)), nonce, bytes_of(signature, sizeof signature));
}

START_TEST(keys_of_ed25519_check_signatures_and_passwords) {
    ck_assert(serve("\"ed\" \"" ED25519_OF_SECRET "\"\n\"plain\" \"secret\"\n\"my\" \"" NATIVE_OF_SECRET "\"\n\"bare\" "
                    "\"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY\"\n"));
    const struct user_secret *ed = user_store_find(&store, bytes_str("ed"));
    ck_assert(ed->has_ed25519 && !ed->password && !ed->has_verifier && !ed->has_md5 && !ed->has_native);
    ck_assert_ptr_null(user_store_server_secret(ed));
    ck_assert_str_eq(password_of("bare"), "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"); /* a password may look like that */
    ck_assert(signs_in("ed", "secret") && signs_in("plain", "secret"));
    ck_assert(!signs_in("ed", "Secret") && !signs_in("plain", "") && !signs_in("my", "secret") && !signs_in("nobody", "secret"));
    ck_assert(!signs_in("nobody", "") && !signs_in("bare", "secret"));
    ck_assert(logs_in_by_password("ed", "secret") && !logs_in_by_password("ed", "Secret"));
    ck_assert(!logs_in_by_md5("ed", "secret"));
    for (size_t cut = strlen("ed25519:"); cut < strlen(ED25519_OF_SECRET); cut++) {
        char text[100];
        snprintf(text, sizeof text, "\"cut\" \"%.*s\"", (int)cut, ED25519_OF_SECRET);
        ck_assert(!parse(text));
        ck_assert_ptr_nonnull(strstr(err.message, "ed25519"));
        ck_assert(err.hint[0]);
    }
}
END_TEST

#define SHA2_OF_SECRET \
    "0x244124303041242514042F4C0A4F5D6D7A376F281E73486D5242615951786771494655634B6C58355639724E70374D443579534B3932585838335544" \
    "45715636796947794F44"
#define SHA256_OF_SECRET \
    "0x2435245A50342A6A7C29466D0233764B1D1B123437105824496C642E54616A547A563454655468434A6E50674F4A70346A5334347776596167513" \
    "26B6C374D45456843"

static bool is_whole(const char *name, const char *password) {
    bool is_right = true;
    const struct user_secret *secret = user_store_find(&store, bytes_str(name));
    ck_assert(user_store_check_whole(&store, secret, bytes_str(password), user_store_wants_whole(&store, secret), &is_right));
    return is_right;
}

START_TEST(hashes_of_sha2_check_whole_passwords) {
    ck_assert(serve("\"a\" \"" SHA2_OF_SECRET "\"\n\"b\" \"" SHA256_OF_SECRET "\"\n\"plain\" \"secret\"\n"));
    const struct user_secret *a = user_store_find(&store, bytes_str("a")), *plain = user_store_find(&store, bytes_str("plain"));
    ck_assert(a->has_sha2 && !a->password && !a->has_verifier && !a->has_native && !a->has_ed25519);
    ck_assert_ptr_null(user_store_server_secret(a));
    ck_assert(is_whole("a", "secret") && is_whole("b", "secret") && is_whole("plain", "secret"));
    ck_assert(!is_whole("a", "Secret") && !is_whole("b", "") && !is_whole("plain", "secreT") && !is_whole("nobody", "secret"));
    ck_assert(logs_in_by_password("a", "secret") && logs_in_by_password("b", "secret") && !logs_in_by_password("b", "Secret"));
    ck_assert(user_store_wants_whole(&store, a) && !user_store_wants_whole(&store, plain) && user_store_wants_whole(&store, NULL));
    for (enum my_auth_plugin begun = MY_AUTH_NATIVE; begun <= MY_AUTH_OTHER; begun++) {
        enum my_auth_plugin expected = begun == MY_AUTH_SHA256 ? MY_AUTH_SHA256 : MY_AUTH_SHA2;
        ck_assert(asks_by("a", begun) == expected && asks_by("b", begun) == expected && asks_by("nobody", begun) == expected);
    }
    ck_assert(lets_choose("plain"));
}
END_TEST

START_TEST(hashes_of_sha2_that_are_cut_are_no_passwords) {
    for (size_t cut = strlen("0x244124"); cut < strlen(SHA2_OF_SECRET); cut++) {
        char text[200];
        snprintf(text, sizeof text, "\"cut\" \"%.*s\"", (int)cut, SHA2_OF_SECRET);
        ck_assert(!parse(text));
        ck_assert(strstr(err.message, "caching_sha2_password") && err.hint[0]);
    }
}
END_TEST

START_TEST(md5_mocks_are_stable_and_differ_between_names) {
    struct md5_verifier a, again, b;
    bool is_mock = false;
    ck_assert(user_store_md5(&store, bytes_str("a"), NULL, &a, &is_mock, &err) && is_mock);
    ck_assert(user_store_md5(&store, bytes_str("a"), NULL, &again, &is_mock, &err) && is_mock);
    ck_assert(user_store_md5(&store, bytes_str("b"), NULL, &b, &is_mock, &err) && is_mock);
    ck_assert_str_eq(a.text, again.text);
    ck_assert_str_ne(a.text, b.text);
}
END_TEST

START_TEST(nul_bytes_are_refused) {
    ck_assert(!user_store_parse(&store, bytes_of("\"a\0b\" \"x\"", 9), &line, &err));
    ck_assert(!user_store_parse(&store, bytes_of("\"a\" \"x\0y\"", 9), &line, &err));
    ck_assert(!user_store_parse(&store, bytes_of("\"a\" \"x\"\0", 8), &line, &err));
    ck_assert_uint_eq(store.users.count, 0);
}
END_TEST

static bool parse_lengths(size_t name_len, size_t secret_len) {
    static char name[100], secret[3000], text[4000];
    memset(name, 'n', name_len);
    memset(secret, 's', secret_len);
    name[name_len] = secret[secret_len] = '\0';
    snprintf(text, sizeof(text), "\"%s\" \"%s\"", name, secret);
    teardown();
    setup();
    return parse(text);
}

START_TEST(sizes_at_their_edges) {
    ck_assert(parse_lengths(USER_NAME_MAX, USER_PASSWORD_MAX));
    ck_assert(!parse_lengths(USER_NAME_MAX + 1, 1));
    ck_assert_ptr_nonnull(strstr(err.message, "user name is longer than 63 bytes"));
    ck_assert(!parse_lengths(1, USER_PASSWORD_MAX + 1));
    ck_assert_ptr_nonnull(strstr(err.message, "secret is longer than 2048 bytes"));

    char *big = malloc(USER_FILE_MAX + 1);
    ck_assert_ptr_nonnull(big);
    memset(big, ';', USER_FILE_MAX + 1);
    ck_assert(user_store_parse(&store, bytes_of(big, USER_FILE_MAX), &line, &err));
    ck_assert(!user_store_parse(&store, bytes_of(big, USER_FILE_MAX + 1), &line, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "larger than"));
    free(big);
}
END_TEST

static struct scram_verifier verifier_of(struct user_store *s, const char *name, bool want_mock) {
    struct scram_verifier v;
    bool is_mock = !want_mock;
    ck_assert(user_store_verifier(s, bytes_str(name), user_store_find(s, bytes_str(name)), &v, &is_mock));
    ck_assert_int_eq(is_mock, want_mock);
    return v;
}

static bool is_same_salt(const struct scram_verifier *a, const struct scram_verifier *b) {
    return a->salt_len == b->salt_len && memcmp(a->salt, b->salt, a->salt_len) == 0;
}

START_TEST(mock_is_stable_for_a_name_and_differs_between_names_and_keys) {
    struct user_store other;
    uint8_t other_key[32] = {1};
    struct scram_verifier a = verifier_of(&store, "nobody", true), b = verifier_of(&store, "nobody", true);
    ck_assert_mem_eq(&a, &b, sizeof(a));
    ck_assert_uint_eq(a.salt_len, SCRAM_SALT_DEFAULT);
    ck_assert_uint_eq(a.iterations, SCRAM_ITERATIONS_DEFAULT);
    b = verifier_of(&store, "nobodx", true);
    ck_assert(!is_same_salt(&a, &b));
    ck_assert_mem_ne(a.stored_key, b.stored_key, SCRAM_KEY_LEN);
    b = verifier_of(&store, "", true);
    ck_assert(!is_same_salt(&a, &b));
    user_store_init(&other, other_key);
    b = verifier_of(&other, "nobody", true);
    ck_assert(!is_same_salt(&a, &b));
    ck_assert_mem_ne(a.stored_key, b.stored_key, SCRAM_KEY_LEN);
    user_store_release(&other);
}
END_TEST

START_TEST(mock_takes_names_of_any_length) {
    static char name[3000];
    memset(name, 'n', sizeof(name) - 1);
    verifier_of(&store, name, true);
    name[USER_NAME_MAX] = '\0';
    verifier_of(&store, name, true);
}
END_TEST

START_TEST(passwords_are_derived_once) {
    ck_assert(parse("\"app\" \"secret\""));
    const struct user_secret *secret = user_store_find(&store, bytes_str("app"));
    ck_assert(!secret->has_verifier);
    ck_assert(user_store_warm(&store, NULL, &err) && secret->has_verifier);
    struct scram_verifier mock = verifier_of(&store, "app ", true), a = verifier_of(&store, "app", false);
    ck_assert_uint_eq(a.salt_len, mock.salt_len); /* looks like an unknown user's */
    ck_assert_uint_eq(a.iterations, mock.iterations);
    secret->password[0] = 'X'; /* a second derivation would show */
    ck_assert(user_store_warm(&store, NULL, &err));
    struct scram_verifier b = verifier_of(&store, "app", false);
    ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

START_TEST(a_name_keeps_its_salt_when_it_becomes_known) {
    struct scram_verifier before = verifier_of(&store, "app", true);
    ck_assert(serve("\"app\" \"secret\""));
    struct scram_verifier after = verifier_of(&store, "app", false);
    ck_assert(is_same_salt(&before, &after));
}
END_TEST

/* A whole login over the store's verifier. */
static enum scram_result login(const char *name, const char *password) {
    static const uint8_t nonce[SCRAM_NONCE_RAW] = "123456789012345678";
    uint8_t a[SCRAM_MESSAGE_MAX], b[SCRAM_MESSAGE_MAX];
    struct scram_verifier v;
    struct scram_client c;
    struct scram_server s;
    struct scram_keys keys = {0};
    struct writer to_server, to_client;
    bool is_mock;
    writer_init_fixed(&to_server, a, sizeof(a));
    writer_init_fixed(&to_client, b, sizeof(b));
    ck_assert(user_store_verifier(&store, bytes_str(name), user_store_find(&store, bytes_str(name)), &v, &is_mock));
    ck_assert(scram_client_first(&c, SCRAM_BINDING_CANNOT, NULL, nonce, &to_server));
    scram_server_init(&s);
    ck_assert_int_eq(scram_server_first(&s, &v, writer_bytes(&to_server), nonce, &to_client, &err), SCRAM_OK);
    writer_reset(&to_server);
    ck_assert(scram_client_final(&c, password, writer_bytes(&to_client), &keys, &to_server, &err));
    writer_reset(&to_client);
    enum scram_result result = scram_server_final(&s, writer_bytes(&to_server), &to_client, &err);
    if (result == SCRAM_OK) ck_assert(scram_client_verify(&c, writer_bytes(&to_client), &err));
    return result;
}

START_TEST(users_log_in_with_their_own_password_only) {
    ck_assert(serve("\"app\" \"secret\"\n\"user\" \"" VERIFIER "\""));
    ck_assert_int_eq(login("app", "secret"), SCRAM_OK);
    ck_assert_int_eq(login("app", "secret"), SCRAM_OK);
    ck_assert_int_eq(login("user", "pencil"), SCRAM_OK);
    ck_assert_int_eq(login("user", "secret"), SCRAM_REFUSED);
    struct err wrong = err;
    ck_assert_int_eq(login("nobody", "secret"), SCRAM_REFUSED);
    ck_assert_mem_eq(&wrong, &err, sizeof(err)); /* unknown user and wrong password read the same */
    ck_assert_int_eq(login("nobody", ""), SCRAM_REFUSED);
}
END_TEST

#ifdef GILMOK_FAULT
START_TEST(missing_memory_is_an_error_and_leaks_nothing) {
    for (uint64_t n = 0;; n++) {
        teardown();
        setup();
        fault_disarm();
        fault_arm(FAULT_ALLOC, n);
        bool is_good = parse("\"a\" \"1\"\n\"b\" \"" VERIFIER "\"\n\"c\" \"2\"");
        ck_assert_int_eq(is_good, !fault_fired(FAULT_ALLOC));
        if (is_good) break;
        ck_assert_str_eq(err.sqlstate, ERR_OUT_OF_MEMORY);
    }
    fault_disarm();
}
END_TEST

START_TEST(a_key_that_cannot_be_derived_is_an_error) {
    bool fired = true;
    for (uint64_t n = 0; fired; n++) {
        teardown();
        setup();
        ck_assert(parse("\"a\" \"1\"\n\"b\" \"" VERIFIER "\"\n\"c\" \"2\""));
        fault_arm(FAULT_ALLOC, n);
        bool is_warm = user_store_warm(&store, NULL, &err);
        fired = fault_fired(FAULT_ALLOC);
        fault_disarm();
        ck_assert_int_eq(is_warm, !fired);
        ck_assert_int_eq(err_is_set(&err), fired);
        if (fired) ck_assert(strstr(err.message, "user \"a\"") || strstr(err.message, "user \"c\""));
    }
}
END_TEST
#endif

int main(void) {
    TCase *t = tcase_create("user store");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reads_users_comments_and_quotes);
    tcase_add_test(t, empty_files_hold_nobody);
    tcase_add_test(t, errors_name_their_line);
    tcase_add_test(t, secrets_stay_out_of_errors);
    tcase_add_test(t, passwords_that_only_look_like_md5_are_passwords);
    tcase_add_test(t, md5_secrets_where_they_are_allowed);
    tcase_add_test(t, md5_and_clear_text_logins);
    tcase_add_loop_test(t, native_hashes_check_passwords_and_prove_none, 0, 2);
    tcase_add_test(t, unknown_users_are_asked_for_what_most_are_asked_for);
    tcase_add_test(t, unknown_mysql_users_are_asked_by_what_most_are_asked_by);
    tcase_add_test(t, keys_of_ed25519_check_signatures_and_passwords);
    tcase_add_test(t, hashes_of_sha2_check_whole_passwords);
    tcase_add_test(t, hashes_of_sha2_that_are_cut_are_no_passwords);
    tcase_add_test(t, md5_mocks_are_stable_and_differ_between_names);
    tcase_add_test(t, nul_bytes_are_refused);
    tcase_add_test(t, sizes_at_their_edges);
    tcase_add_test(t, mock_is_stable_for_a_name_and_differs_between_names_and_keys);
    tcase_add_test(t, mock_takes_names_of_any_length);
    tcase_add_test(t, passwords_are_derived_once);
    tcase_add_test(t, a_name_keeps_its_salt_when_it_becomes_known);
    tcase_add_test(t, users_log_in_with_their_own_password_only);
#ifdef GILMOK_FAULT
    tcase_add_test(t, missing_memory_is_an_error_and_leaks_nothing);
    tcase_add_test(t, a_key_that_cannot_be_derived_is_an_error);
#endif
    return check_main_of("user store", t);
}
