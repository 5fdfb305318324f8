/*
 * test_config.c - values to and from text, what a loaded configuration holds, and its errors.
 *
 * The wording of every error is in tests/golden/config; here is what the rest of gilmok
 * relies on. Files are written to a temporary directory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/config.h"
#include "proxy/config_file.h"
#include "proxy/config_findings.h"
#include "proxy/config_keys.h"
#include "proxy/config_value.h"
#include "tests/unit/check_main.h"

static char dir[64];

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *text) {
    FILE *f = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path_of(name), 0600), 0);
}

static void make_dir(void) {
    snprintf(dir, sizeof(dir), "/tmp/gilmok-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("users.txt", "\"app\" \"secret\"\n\"admin\" \"other\"\n");
}

static void drop_dir(void) {
    static const char *const names[] = {"users.txt", "g.conf", "more.conf", "password"};
    for (size_t i = 0; i < COUNT_OF(names); i++) unlink(path_of(names[i]));
    ck_assert_int_eq(rmdir(dir), 0);
}

static struct config *load(const char *text, struct config_findings *f) {
    put("g.conf", text);
    config_findings_init(f);
    return config_load(path_of("g.conf"), f);
}

#define SERVERS "[cluster main]\n[node main/a]\n"
#define START "[gilmok]\nuser_file = users.txt\n" SERVERS

/* ---- values ---- */

static uint64_t duration(const char *text) {
    uint64_t ms = 12345;
    struct err err;
    return config_value_duration(text, 0, 30 * UINT64_C(86400000), &ms, &err) ? ms : UINT64_MAX;
}

START_TEST(durations_need_a_unit) {
    ck_assert_uint_eq(duration("250ms"), 250);
    ck_assert_uint_eq(duration("15s"), 15000);
    ck_assert_uint_eq(duration("2min"), 120000);
    ck_assert_uint_eq(duration("1h"), 3600000);
    ck_assert_uint_eq(duration("1d"), 86400000);
    ck_assert_uint_eq(duration("30d"), 2592000000u);
    ck_assert_uint_eq(duration("0"), 0);
    ck_assert_uint_eq(duration("0s"), 0);
    static const char *const wrong[] = {"15", "", "s", "-1s", "1m", "1.5s", "15S", "31d", "999999999999999d",
                                        "99999999999999999999s", "15s x"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(duration(wrong[i]) == UINT64_MAX, "%s", wrong[i]);
}
END_TEST

START_TEST(sizes_are_powers_of_1024) {
    uint64_t n;
    struct err err;
    uint64_t max = UINT64_C(2) << 30;
    ck_assert(config_value_size("64kB", 0, max, &n, &err) && n == 65536);
    ck_assert(config_value_size("16MB", 0, max, &n, &err) && n == 16777216);
    ck_assert(config_value_size("1GB", 0, max, &n, &err) && n == 1073741824);
    ck_assert(config_value_size("7B", 0, max, &n, &err) && n == 7);
    ck_assert(!config_value_size("64", 0, max, &n, &err));
    ck_assert(!config_value_size("64KB", 0, max, &n, &err));
    ck_assert(!config_value_size("3GB", 0, max, &n, &err));
    ck_assert(!config_value_size("999999999999999GB", 0, max, &n, &err));
}
END_TEST

START_TEST(numbers_and_booleans) {
    uint64_t n;
    bool b = false;
    struct err err;
    ck_assert(config_value_number("7", 1, 7, &n, &err) && n == 7);
    ck_assert(!config_value_number("8", 1, 7, &n, &err));
    ck_assert(!config_value_number("0", 1, 7, &n, &err));
    ck_assert(!config_value_number("7 ", 1, 7, &n, &err));
    ck_assert(!config_value_number("", 0, 7, &n, &err));
    ck_assert(config_value_bool("yes", &b, &err) && b);
    ck_assert(config_value_bool("off", &b, &err) && !b);
    ck_assert(!config_value_bool("1", &b, &err));
}
END_TEST

START_TEST(text_of_values) {
    char out[64];
    config_value_duration_text(90000, out, sizeof(out));
    ck_assert_str_eq(out, "90s");
    config_value_duration_text(60000, out, sizeof(out));
    ck_assert_str_eq(out, "1min");
    config_value_duration_text(0, out, sizeof(out));
    ck_assert_str_eq(out, "0");
    config_value_duration_text(1001, out, sizeof(out));
    ck_assert_str_eq(out, "1001ms");
    config_value_size_text(65536, out, sizeof(out));
    ck_assert_str_eq(out, "64kB");
}
END_TEST

START_TEST(names_in_a_list) {
    ck_assert(config_name_in_list("a, bob ,c", bytes_str("bob")));
    ck_assert(config_name_in_list("a", bytes_str("a")));
    ck_assert(!config_name_in_list("alice", bytes_str("ali")));
    ck_assert(!config_name_in_list("", bytes_str("")));
    ck_assert(!config_name_in_list("a,,b", bytes_str("")));
    ck_assert(!config_name_in_list(NULL, bytes_str("a")));
}
END_TEST

START_TEST(tables_in_a_list) {
    const char *at = "public.orders,  Sales.Items_2 ";
    struct bytes schema, table;
    ck_assert(config_next_table(&at, &schema, &table) && bytes_is(schema, "public") && bytes_is(table, "orders"));
    ck_assert(config_next_table(&at, &schema, &table) && bytes_is(schema, "Sales") && bytes_is(table, "Items_2"));
    ck_assert(!config_next_table(&at, &schema, &table));
    static const char *const wrong[] = {"orders", "public.", ".orders", "a.b.c", "a.\"b\"", "a.b'c", "a.b{", "a. b", "a.b,"};
    for (size_t i = 0; i < COUNT_OF(wrong) - 1; i++) {
        at = wrong[i];
        ck_assert_msg(!config_next_table(&at, &schema, &table), "%s", wrong[i]);
    }
}
END_TEST

START_TEST(copies_differ_by_all_that_is_said_of_them) {
    const struct config_node a = {.tables = "a.b", .subscription = "s", .database = "d"};
    struct config_node b = a;
    ck_assert(config_copy_id(&a) == config_copy_id(&b) && config_copy_id(&a) != 0);
    b.tables = "a.bs";
    b.subscription = "";
    ck_assert(config_copy_id(&a) != config_copy_id(&b));
    b = a;
    b.database = "e";
    ck_assert(config_copy_id(&a) != config_copy_id(&b));
}
END_TEST

START_TEST(what_is_local) {
    static const struct {
        const char *host;
        bool is_local;
    } cases[] = {{"127.0.0.1", true}, {"127.9.9.9", true}, {"::1", true}, {"localhost", true}, {"0.0.0.0", false},
                 {"::", false}, {"10.0.0.1", false}, {"localhost.example.org", false}, {"127.0.0.1.example.org", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config_listen l = {.host = cases[i].host, .port = 1};
        ck_assert_msg(config_listen_is_local(&l) == cases[i].is_local, "%s", cases[i].host);
    }
    struct config_listen u = {.unix_path = "/tmp/s"};
    ck_assert(config_listen_is_local(&u));
}
END_TEST

START_TEST(every_default_is_right) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < config_keys_count; i++) {
        union {
            struct config_draft_gilmok g;
            struct config_draft_database d;
        } draft;
        memset(&draft, 0, sizeof(draft));
        struct err err;
        char text[256];
        ck_assert_msg(config_key_set(&config_keys[i], &draft, config_keys[i].fallback, NULL, &arena, &err), "%s",
                      config_keys[i].name);
        config_key_text(&config_keys[i], &draft, text, sizeof(text));
        ck_assert_str_eq(text, config_keys[i].fallback);
    }
    arena_release(&arena);
}
END_TEST

/* ---- loading ---- */

START_TEST(defaults_of_a_small_file) {
    struct config_findings f;
    struct config *c = load(START "[database shop]\n", &f);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(f.errors + f.warnings, 0);
    const struct config_listen *l = CONTAINER_OF(list_first(&c->listens), struct config_listen, node);
    ck_assert_str_eq(l->host, "127.0.0.1");
    ck_assert_uint_eq(l->port, 6432);
    ck_assert(list_is_empty(&c->listens_mysql));
    ck_assert_str_eq(c->mysql_server_version, "5.5.5-10.11.0-MariaDB");
    ck_assert_uint_eq(c->max_client_conn, 1000);
    ck_assert_uint_eq(c->max_login_conn, 200);
    ck_assert_uint_eq(c->login_timeout_ms, 15000);
    ck_assert_uint_eq(c->drain_timeout_ms, 60000);
    ck_assert_uint_eq(c->tcp_keepalive_idle_s, 60);
    ck_assert_uint_eq(c->tcp_keepalive_interval_s, 10);
    ck_assert_int_eq(c->log_levels.lowest, LOG_INFO);
    ck_assert_int_eq(c->log_levels.count, 0);
    ck_assert_int_eq(c->log_format, LOG_TEXT);
    ck_assert_str_eq(c->admin_users, "");
    ck_assert_int_eq(c->client_auth, AUTH_SCRAM);
    ck_assert_int_eq(c->client_auth_socket, AUTH_SCRAM);
    ck_assert_ptr_null(c->log_file);
    const struct config_database *db = config_find_database(c, bytes_str("shop"));
    ck_assert_ptr_nonnull(db);
    ck_assert_int_eq(db->pool_mode, POOL_TRANSACTION);
    ck_assert_uint_eq(db->pool_size, 20);
    ck_assert_uint_eq(db->server_lifetime_ms, 3600000);
    ck_assert_str_eq(db->cluster->name, "main");
    const struct config_node *node = CONTAINER_OF(list_first(&db->cluster->nodes), struct config_node, node);
    ck_assert_str_eq(node->host, "127.0.0.1");
    ck_assert_uint_eq(node->port, 5432);
    ck_assert_ptr_null(config_find_database(c, bytes_str("other")));
    ck_assert_str_eq(user_store_find(c->user_store, bytes_str("app"))->password, "secret");
    config_free(c);
    config_findings_release(&f);
}
END_TEST

START_TEST(values_reach_their_fields) {
    struct config_findings f;
    put("password", "hush, hush\r\nsecond line\n");
    struct config *c = load("[gilmok]\nuser_file = \"users.txt\" ; beside\nlog_level = error, pool=debug\nlog_format = json\n"
                            "tcp_keepalive_idle = 2min\nlisten = [::1]:7, unix:/tmp/s\nadmin_users = admin\n" SERVERS
                            "port = 5433\n[database *]\n[database stock]\nserver_user = s\nserver_database = st\n"
                            "server_password_file = password\npool_mode = session\nquery_timeout = 250ms\n"
                            "[user app]\npool_size = 3\n[user admin]\npool_mode = session\n", &f);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(c->log_levels.lowest, LOG_ERROR);
    ck_assert_int_eq(c->log_levels.count, 1);
    ck_assert_str_eq(c->log_levels.areas[0].area, "pool");
    ck_assert_int_eq(c->log_levels.areas[0].level, LOG_DEBUG);
    ck_assert_int_eq(c->log_format, LOG_JSON);
    ck_assert_uint_eq(c->tcp_keepalive_idle_s, 120);
    const struct config_listen *l = CONTAINER_OF(list_last(&c->listens), struct config_listen, node);
    ck_assert_str_eq(l->unix_path, "/tmp/s");
    ck_assert_ptr_null(l->host);
    const struct config_database *db = config_find_database(c, bytes_str("stock"));
    ck_assert_str_eq(db->server_password, "hush, hush");
    ck_assert_str_eq(db->server_database, "st");
    ck_assert_int_eq(db->pool_mode, POOL_SESSION);
    ck_assert_uint_eq(db->query_timeout_ms, 250);
    ck_assert_uint_eq(CONTAINER_OF(list_first(&db->cluster->nodes), struct config_node, node)->port, 5433);
    ck_assert(config_find_database(c, bytes_str("anything"))->is_wildcard);
    ck_assert_uint_eq(config_find_user(c, bytes_str("app"))->pool_size, 3);
    ck_assert_int_eq(config_find_user(c, bytes_str("app"))->pool_mode, -1);
    ck_assert_int_eq(config_find_user(c, bytes_str("admin"))->pool_mode, POOL_SESSION);
    ck_assert_ptr_null(config_find_user(c, bytes_str("nobody")));
    config_free(c);
    config_findings_release(&f);
}
END_TEST

/* Errors of `text`; -1 when a configuration came all the same. */
static int errors_of(const char *text) {
    struct config_findings f;
    struct config *c = load(text, &f);
    int errors = f.errors;
    if ((c != NULL) != (errors == 0)) errors = -1;
    config_free(c);
    config_findings_release(&f);
    return errors;
}

/* A comment-free line of `len` bytes that is right but for its length. */
static int errors_of_line(size_t len) {
    char text[1024] = START "[database shop]\nserver_database = ";
    size_t at = strlen(text), start = at - strlen("server_database = ");
    while (at - start < len) text[at++] = 'x';
    text[at] = '\0';
    return errors_of(text);
}

START_TEST(limits_at_their_edges) {
    ck_assert_int_eq(errors_of_line(CONFIG_LINE_MAX), 0);
    ck_assert_int_eq(errors_of_line(CONFIG_LINE_MAX + 1), 1);
    ck_assert_int_eq(errors_of(START "[database 0123456789012345678901234567890123456789]\n"), 0);
    ck_assert_int_eq(errors_of(START "[database 01234567890123456789012345678901234567890]\n"), 1);
}
END_TEST

START_TEST(long_names_stay_apart) {
    struct config_findings f;
    struct config *c = load(START "[database 012345678901234567890123456789012345678a]\npool_size = 1\n"
                                  "[database 012345678901234567890123456789012345678b]\npool_size = 2\n", &f);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(config_find_database(c, bytes_str("012345678901234567890123456789012345678b"))->pool_size, 2);
    config_free(c);
    config_findings_release(&f);
}
END_TEST

START_TEST(errors_come_together_in_file_order) {
    struct config_findings f;
    put("more.conf", "[database shop]\npool_size = 0\n");
    ck_assert_ptr_null(load("[gilmok]\nuser_file = nowhere\nlog_levl = x\n[cluster main]\n%include more.conf\n"
                            "[database b]\ncluster = x\n", &f));
    static const int lines[] = {2, 3, 4, 7, 2};
    size_t i = 0;
    LIST_EACH(n, &f.all) {
        const struct config_finding *one = CONTAINER_OF(n, struct config_finding, node);
        ck_assert_uint_lt(i, COUNT_OF(lines));
        ck_assert_int_eq(one->line, lines[i++]);
        ck_assert(one->is_error);
        ck_assert(one->message[0] && one->advice[0]);
    }
    ck_assert_uint_eq(i, COUNT_OF(lines));
    ck_assert_int_eq(f.errors, 5);
    config_findings_release(&f);
}
END_TEST

START_TEST(secrets_are_in_no_finding) {
    static const char *const texts[] = {
        START "[database b]\nserver_password = topsecret\nserver_pasword = topsecret\nserver_password = topsecret\n",
        START "[database b]\nserver_password = \"topsecret\n",
        START "[database b]\nserver_password = \"topsecret ; x\"\n  topsecret\ntopsecret\ntop.secret=topsecret\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct config_findings f;
        ck_assert_ptr_null(load(texts[i], &f));
        LIST_EACH(n, &f.all) {
            const struct config_finding *one = CONTAINER_OF(n, struct config_finding, node);
            ck_assert_ptr_null(strstr(one->message, "secret"));
        }
        config_findings_release(&f);
    }
}
END_TEST

START_TEST(open_secret_files_are_refused) {
    ck_assert_int_eq(errors_of(START "[database b]\n"), 0);
    ck_assert_int_eq(chmod(path_of("users.txt"), 0640), 0);
    ck_assert_int_eq(errors_of(START "[database b]\n"), 1);
    ck_assert_int_eq(chmod(path_of("users.txt"), 0604), 0);
    ck_assert_int_eq(errors_of(START "[database b]\n"), 1);
}
END_TEST

START_TEST(findings_are_capped_but_counted) {
    struct config_findings f;
    config_findings_init(&f);
    for (int i = 0; i < CONFIG_FINDINGS_MAX + 50; i++) {
        config_error(&f, "f", i + 1, "wrong %d", i);
        config_advice(&f, "right %d", i);
    }
    ck_assert_int_eq(f.errors, CONFIG_FINDINGS_MAX + 50);
    const struct config_finding *last = CONTAINER_OF(list_last(&f.all), struct config_finding, node);
    ck_assert_int_eq(last->line, CONFIG_FINDINGS_MAX);
    ck_assert_str_eq(last->advice, "right 199");
    config_findings_release(&f);
}
END_TEST

START_TEST(missing_file) {
    struct config_findings f;
    config_findings_init(&f);
    ck_assert_ptr_null(config_load("/nowhere/gilmok.conf", &f));
    ck_assert_int_eq(f.errors, 1);
    config_findings_release(&f);
}
END_TEST

struct seen {
    int count;
    bool has_secret;
    char pool_size[16];
    char password[16];
};

static void see(void *ctx, const char *section, const struct config_key *key, const char *value) {
    struct seen *s = ctx;
    s->count++;
    if (strstr(value, "hush")) s->has_secret = true;
    if (strcmp(section, "database shop") != 0) return;
    if (strcmp(key->name, "pool_size") == 0) snprintf(s->pool_size, sizeof(s->pool_size), "%s", value);
    if (strcmp(key->name, "server_password") == 0) snprintf(s->password, sizeof(s->password), "%s", value);
}

START_TEST(each_key_is_shown_without_secrets) {
    struct config_findings f;
    struct config *c = load("[gilmok]\nuser_file = users.txt\ninstance = 1\n" SERVERS "[peer b]\ninstance = 2\n"
                            "[database shop]\nserver_user = a\nserver_password = hush\npool_size = 7\n[user app]\n", &f);
    ck_assert_ptr_nonnull(c);
    struct seen s = {.count = 0};
    config_keys_each(c, see, &s);
    ck_assert_int_eq(s.count, (int)config_keys_count);
    ck_assert(!s.has_secret);
    ck_assert_str_eq(s.pool_size, "7");
    ck_assert_str_eq(s.password, "***");
    config_free(c);
    config_findings_release(&f);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config");
    TCase *values = tcase_create("values");
    tcase_add_test(values, durations_need_a_unit);
    tcase_add_test(values, sizes_are_powers_of_1024);
    tcase_add_test(values, numbers_and_booleans);
    tcase_add_test(values, text_of_values);
    tcase_add_test(values, names_in_a_list);
    tcase_add_test(values, tables_in_a_list);
    tcase_add_test(values, copies_differ_by_all_that_is_said_of_them);
    tcase_add_test(values, what_is_local);
    tcase_add_test(values, every_default_is_right);
    tcase_add_test(values, findings_are_capped_but_counted);
    suite_add_tcase(suite, values);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_dir, drop_dir);
    tcase_add_test(files, defaults_of_a_small_file);
    tcase_add_test(files, values_reach_their_fields);
    tcase_add_test(files, limits_at_their_edges);
    tcase_add_test(files, long_names_stay_apart);
    tcase_add_test(files, errors_come_together_in_file_order);
    tcase_add_test(files, secrets_are_in_no_finding);
    tcase_add_test(files, open_secret_files_are_refused);
    tcase_add_test(files, missing_file);
    tcase_add_test(files, each_key_is_shown_without_secrets);
    suite_add_tcase(suite, files);
    return check_main(suite);
}
