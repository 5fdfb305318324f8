/*
 * test_accounts_my.c - which account a client is, by where it comes from, and what secrets are.
 */
#include "proxy/auth/accounts_my.h"

#include <stdlib.h>

#include "tests/unit/check_main.h"

static struct accounts_my *all;

static void setup(void) {
    free(all);
    all = calloc(1, accounts_my_size(ACCOUNTS_MY_MAX));
    ck_assert_ptr_nonnull(all);
}

static void teardown(void) {
    free(all);
    all = NULL;
}

static void add(const char *host) {
    ck_assert(account_my_fill(&all->at[all->count++], bytes_str(host), bytes_str("mysql_native_password"),
                              bytes_str("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7")));
}

/* The host of the account; "-": there is none. */
static const char *found(const char *ip) {
    struct account_my_from from = {.ip = strcmp(ip, "socket") ? ip : NULL,
                                   .is_near = !strcmp(ip, "socket") || !strcmp(ip, "127.0.0.1") || !strcmp(ip, "::1")};
    const struct account_my *a = accounts_my_find(all, &from);
    return a ? a->host : "-";
}

static bool fits(const char *host, const char *ip) {
    setup();
    add(host);
    return strcmp(found(ip), host) == 0;
}

START_TEST(hosts_that_fit) {
    static const char *const right[][2] = {
        {"%", "192.0.2.7"}, {"", "192.0.2.7"}, {"%", "socket"}, {"%", "2001:db8::7"}, {"192.0.2.7", "192.0.2.7"}, {"192.0.2.%", "192.0.2.7"},
        {"192.0._.7", "192.0.2.7"}, {"%.7", "192.0.2.7"}, {"1%2%7", "192.0.2.7"}, {"%%", "192.0.2.7"}, {"192.0.2.0/255.255.255.0", "192.0.2.7"},
        {"192.0.2.0/24", "192.0.2.7"}, {"192.0.2.7/32", "192.0.2.7"}, {"0.0.0.0/0", "192.0.2.7"}, {"2001:db8::/32", "2001:db8::7"},
        {"2001:DB8::7", "2001:db8::7"}, {"localhost", "socket"}, {"LocalHost", "127.0.0.1"}, {"localhost", "::1"}, {"local%", "socket"},
        {"127.0.0.1", "127.0.0.1"}, {"192.0.2.4/255.255.255.252", "192.0.2.7"},
    };
    static const char *const wrong[][2] = {
        {"192.0.2.7", "192.0.2.77"}, {"192.0.2.77", "192.0.2.7"}, {"192.0.2._", "192.0.2.77"}, {"192.0.2.", "192.0.2.7"}, {"localhost", "192.0.2.7"},
        {"127.0.0.1", "socket"}, {"db.example.net", "192.0.2.7"}, {"192.0.2.1/24", "192.0.2.7"}, {"192.0.3.0/24", "192.0.2.7"},
        {"192.0.2.0/33", "192.0.2.7"}, {"192.0.2.0/", "192.0.2.7"}, {"192.0.2.0/x", "192.0.2.7"}, {"192.0.2.0/24x", "192.0.2.7"},
        {"192.0.2.0/0255", "192.0.2.7"}, {"/24", "192.0.2.7"}, {"192.0.2.0/24", "socket"}, {"192.0.2.0/24", "2001:db8::7"},
        {"2001:db8::/32", "192.0.2.7"}, {"2001:db8::/129", "2001:db8::7"}, {"192.0.2\\.7\\", "192.0.2.7"}, {"192.0.2.\\%", "192.0.2.7"},
        {"192.0.2.0/255.255.0.x", "192.0.2.7"}, {"%8", "192.0.2.7"}, {"_", "192.0.2.7"},
    };
    for (size_t i = 0; i < COUNT_OF(right); i++) ck_assert_msg(fits(right[i][0], right[i][1]), "%s %s", right[i][0], right[i][1]);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(!fits(wrong[i][0], wrong[i][1]), "%s %s", wrong[i][0], wrong[i][1]);
}
END_TEST

START_TEST(the_most_exact_account_is_taken) {
    static const char *const hosts[] = {"", "%", "192.%", "192.0.%", "192.0.0.0/16", "192.0.2.0/24", "192.0.2.7"};
    for (size_t count = 1; count <= COUNT_OF(hosts); count++) { /* in any order */
        setup();
        for (size_t i = 0; i < count; i++) add(hosts[i]);
        ck_assert_str_eq(found("192.0.2.7"), hosts[count - 1]);
        setup();
        for (size_t i = count; i-- > 0;) add(hosts[i]);
        ck_assert_str_eq(found("192.0.2.7"), hosts[count - 1]);
    }
    ck_assert_str_eq(found("192.0.2.8"), "192.0.2.0/24");
    ck_assert_str_eq(found("192.0.3.8"), "192.0.0.0/16");
    ck_assert_str_eq(found("192.1.3.8"), "192.%");
    ck_assert_str_eq(found("socket"), "%");
    setup();
    ck_assert_str_eq(found("192.0.2.7"), "-");
}
END_TEST

static bool has_secret(const char *plugin, const char *secret) {
    struct account_my a;
    ck_assert(account_my_fill(&a, bytes_str("%"), bytes_str(plugin), bytes_str(secret)));
    ck_assert(!a.is_locked && !a.is_expired && !a.secret.password);
    ck_assert(a.has_secret == user_secret_is_of_mysql(&a.secret));
    return a.has_secret;
}

START_TEST(secrets_of_each_plugin) {
    static const char native[] = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7", key[] = "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY",
                      sha2[] = "$A$005$abcdefghijklmnopqrst0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef.";
    ck_assert(has_secret("mysql_native_password", native) && has_secret("ed25519", key));
    ck_assert(has_secret("caching_sha2_password", sha2) && has_secret("sha256_password", sha2));
    ck_assert(!has_secret("mysql_native_password", "") && !has_secret("mysql_native_password", key));
    ck_assert(!has_secret("ed25519", native) && !has_secret("caching_sha2_password", native) && !has_secret("unix_socket", native));
    ck_assert(!has_secret("", native) && !has_secret("", "") && !has_secret("caching_sha2_password", ""));
}
END_TEST

START_TEST(hosts_at_their_edges) {
    struct account_my a;
    char host[ACCOUNT_MY_HOST_MAX + 2];
    memset(host, '1', sizeof host);
    ck_assert(account_my_fill(&a, bytes_of(host, ACCOUNT_MY_HOST_MAX), bytes_str("p"), bytes_str("")));
    ck_assert(!account_my_fill(&a, bytes_of(host, ACCOUNT_MY_HOST_MAX + 1), bytes_str("p"), bytes_str("")));
    ck_assert(!account_my_fill(&a, bytes_of("%\0", 2), bytes_str("p"), bytes_str("")));
    memset(host, '%', ACCOUNT_MY_HOST_MAX);
    host[ACCOUNT_MY_HOST_MAX - 1] = 'x';
    host[ACCOUNT_MY_HOST_MAX] = '\0';
    ck_assert(!fits(host, "192.0.2.7"));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("accounts_my");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, hosts_that_fit);
    tcase_add_test(t, the_most_exact_account_is_taken);
    tcase_add_test(t, secrets_of_each_plugin);
    tcase_add_test(t, hosts_at_their_edges);
    return check_main_of("accounts_my", t);
}
