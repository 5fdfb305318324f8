/*
 * test_hba.c - rules and name maps: which line counts for a connection, and which name may be which user.
 *
 * What is said about lines that are wrong is in tests/golden/config/hba*.case.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "proxy/access/login_fit.h"
#include "proxy/access/name_map.h"
#include "proxy/access/rule_regex.h"
#include "proxy/access/rule_text.h"
#include "tests/unit/check_main.h"

static struct arena arena;
static struct hba hba;
static struct name_maps maps;
static int complaints;
static char complaint[400];

static bool read_file(void *ctx, const char *file, int line, const char *name, struct writer *out) {
    (void)ctx;
    (void)file;
    (void)line;
    if (strcmp(name, "names") == 0) writer_str(out, "ann, \"bob b\" # and\n\n  @more\n");
    else if (strcmp(name, "more") == 0) writer_str(out, "/^x");
    else if (strcmp(name, "loop") == 0) writer_str(out, "a @loop");
    else return false;
    return true;
}

static void complain(void *ctx, const char *file, int line, const char *what, const char *advice) {
    (void)ctx;
    complaints++;
    snprintf(complaint, sizeof complaint, "%s:%d: %s. %s", file, line, what, advice);
}

static const struct hba_files files = {.read = read_file, .complain = complain};

static void set_up(void) {
    arena_init(&arena, 4 << 20);
    hba_init(&hba);
    name_maps_init(&maps);
    complaints = 0;
}

static void tear_down(void) {
    hba_release(&hba);
    name_maps_release(&maps);
    arena_release(&arena);
}

static void rules(const char *text) {
    ck_assert(hba_parse(&hba, &arena, "hba", bytes_str(text), &files));
    ck_assert_msg(complaints == 0, "%s", complaint);
}

static void name_lines(const char *text) {
    ck_assert(name_maps_parse(&maps, &arena, "ident", bytes_str(text), &files));
    ck_assert_msg(complaints == 0, "%s", complaint);
}

/* "unix", "tls 10.0.0.1", "10.0.0.1", "unknown": a connection from there. */
static struct hba_who from(const char *where, const char *user, const char *database) {
    static uint8_t ip[16];
    struct hba_who who = {.user = user, .database = database, .family = AF_UNIX, .ip = ip};
    who.has_tls = strncmp(where, "tls ", 4) == 0;
    if (who.has_tls) where += 4;
    who.is_on_socket = strcmp(where, "unix") == 0;
    if (who.is_on_socket || strcmp(where, "unknown") == 0) return who;
    who.family = strchr(where, ':') ? AF_INET6 : AF_INET;
    ck_assert_int_eq(inet_pton(who.family, where, ip), 1);
    return who;
}

/* The number of the line that counts; 0: none. */
static int line_for(const char *where, const char *user, const char *database) {
    struct hba_who who = from(where, user, database);
    const struct hba_rule *r = hba_find(&hba, &who);
    return r ? r->line : 0;
}

START_TEST(first_line_that_fits_counts) {
    rules("local   all all                 scram-sha-256\n"
          "hostssl all all 10.0.0.0/8      scram-sha-256\n"
          "hostnossl all all 10.0.0.0/8    reject\n"
          "host    all all 192.168.0.0 255.255.0.0 md5\n"
          "host    all all fd00:: ff00::   md5\n"
          "hostnogssenc all all ::1/128    md5\n"
          "host    all all 0.0.0.0/0       scram-sha-256\n"
          "host    all all 10.1.0.0/16     trust\n");
    ck_assert_int_eq(line_for("unix", "u", "d"), 1);
    ck_assert_int_eq(line_for("tls 10.1.2.3", "u", "d"), 2);
    ck_assert_int_eq(line_for("10.1.2.3", "u", "d"), 3);
    ck_assert_int_eq(line_for("192.168.255.1", "u", "d"), 4);
    ck_assert_int_eq(line_for("fd12::1", "u", "d"), 5);
    ck_assert_int_eq(line_for("::1", "u", "d"), 6);
    ck_assert_int_eq(line_for("192.169.0.1", "u", "d"), 7);
    ck_assert_int_eq(line_for("::ffff:192.168.0.9", "u", "d"), 4); /* IPv4, as it comes to a socket for both */
    ck_assert_int_eq(line_for("::2", "u", "d"), 0);
    ck_assert_int_eq(line_for("unknown", "u", "d"), 0); /* a proxy that says of no address */
}
END_TEST

START_TEST(any_address_means_any) {
    rules("host all all all md5");
    ck_assert_int_eq(line_for("unknown", "u", "d"), 1);
    ck_assert_int_eq(line_for("tls ::2", "u", "d"), 1);
    ck_assert_int_eq(line_for("unix", "u", "d"), 0);
}
END_TEST

START_TEST(databases_and_users) {
    rules("local a,\"all\", b  ann   md5\n"
          "local sameuser       all   md5\n"
          "local \"sameuser\"   all   md5\n"
          "local /^t[0-9]+$     /_rw  md5\n"
          "local all            @names md5\n"
          "local \"x\"\"y\"     \"\"  md5\n"
          "local /              q     md5\n"
          "local all            \"@names\" md5\n");
    ck_assert_int_eq(line_for("unix", "ann", "a"), 1);
    ck_assert_int_eq(line_for("unix", "ann", "b"), 1);
    ck_assert_int_eq(line_for("unix", "ann", "all"), 1);
    ck_assert_int_eq(line_for("unix", "ann", "ann"), 2);
    ck_assert_int_eq(line_for("unix", "joe", "sameuser"), 3);
    ck_assert_int_eq(line_for("unix", "svc_rw_1", "t17"), 4);
    ck_assert_int_eq(line_for("unix", "svc_rw_1", "t17x"), 0);
    ck_assert_int_eq(line_for("unix", "ann", "c"), 5);
    ck_assert_int_eq(line_for("unix", "bob b", "c"), 5);
    ck_assert_int_eq(line_for("unix", "x9", "c"), 5);
    ck_assert_int_eq(line_for("unix", "bob", "c"), 0);
    ck_assert_int_eq(line_for("unix", "", "x\"y"), 6);
    ck_assert_int_eq(line_for("unix", "q", "/"), 7);
    ck_assert_int_eq(line_for("unix", "@names", "c"), 8);
    ck_assert_int_eq(line_for("unix", "Ann", "c"), 0);
}
END_TEST

/* `all` is every database, and physical replication is in none. */
START_TEST(replication_is_no_database) {
    rules("local all all md5\n"
          "local replication repl md5\n"
          "local \"replication\" other md5\n"
          "local sameuser,/.* repl md5\n");
    struct hba_who who = from("unix", "repl", "repl");
    who.is_physical_replication = true;
    ck_assert_int_eq(hba_find(&hba, &who)->line, 2);
    who.user = "other";
    ck_assert_ptr_null(hba_find(&hba, &who));
    ck_assert_int_eq(line_for("unix", "repl", "replication"), 1);
    hba_release(&hba);
    ck_assert(hba_add_for_all(&hba, &arena, HBA_LOCAL, AUTH_PEER)); /* client_auth knows no difference */
    ck_assert_int_eq(hba_find(&hba, &who)->method, AUTH_PEER);
}
END_TEST

START_TEST(options) {
    rules("hostssl all all all cert\n"
          "hostssl all all all cert map=m clientname=DN\n"
          "hostssl all all all md5 clientcert=verify-ca\n"
          "hostssl all all all md5 clientcert=verify-full,map=m clientname=CN\n"
          "local all all peer map=m\n");
    const struct hba_rule *r[5];
    size_t i = 0;
    LIST_EACH(n, &hba.rules) r[i++] = CONTAINER_OF(n, struct hba_rule, node);
    ck_assert_int_eq(r[0]->clientcert, HBA_CERT_VERIFY_FULL);
    ck_assert(!r[0]->is_by_dn && !r[0]->map);
    ck_assert(r[1]->is_by_dn);
    ck_assert_str_eq(r[1]->map, "m");
    ck_assert_int_eq(r[2]->clientcert, HBA_CERT_VERIFY_CA);
    ck_assert_int_eq(r[3]->clientcert, HBA_CERT_VERIFY_FULL);
    ck_assert(!r[3]->is_by_dn);
    ck_assert_str_eq(r[3]->map, "m");
    ck_assert_str_eq(r[4]->map, "m");
}
END_TEST

START_TEST(lines_and_comments) {
    rules("\xef\xbb\xbf# local all all trust\r\n"
          "\r\n"
          "local all \\\r\n"
          "  all md5 # a comment that \\\n"
          " local all all trust goes on\n"
          "local \"#\" all md5");
    ck_assert_uint_eq(hba.count, 2);
    ck_assert_int_eq(line_for("unix", "u", "d"), 3);
    hba_release(&hba);
    ck_assert(hba_parse(&hba, &arena, "hba", bytes_of("local all \0 md5\nlocal all all md5\n", 34), &files));
    ck_assert_int_eq(complaints, 1);
    ck_assert_int_eq(line_for("unix", "u", "d"), 2);
}
END_TEST

/* What a wrong line would have let in is nobody's. */
START_TEST(wrong_lines_let_nobody_in) {
    ck_assert(hba_parse(&hba, &arena, "hba", bytes_str("local all all trust nonsense\n"), &files));
    ck_assert_int_eq(complaints, 1);
    ck_assert_uint_eq(hba.count, 0);
    struct hba_who who = from("unix", "u", "d");
    const struct hba_rule *r = hba_find(&hba, &who);
    ck_assert(!r || r->method == AUTH_REJECT);
}
END_TEST

START_TEST(files_in_files_end) {
    ck_assert(hba_parse(&hba, &arena, "hba", bytes_str("local all @loop md5\n"), &files));
    ck_assert_int_eq(complaints, 1);
    ck_assert_ptr_nonnull(strstr(complaint, "too many files"));
}
END_TEST

START_TEST(long_words) {
    static char text[RULE_WORD_MAX + 64];
    for (int more = 0; more <= 1; more++) {
        int len = RULE_WORD_MAX + more;
        snprintf(text, sizeof text, "local all %*s md5\n", len, "");
        memset(text + strlen("local all "), 'u', (size_t)len);
        ck_assert(hba_parse(&hba, &arena, "hba", bytes_str(text), &files));
        ck_assert_int_eq(complaints, more);
    }
}
END_TEST

START_TEST(memory_that_is_out_is_said) {
    arena_release(&arena);
    arena_init(&arena, 2000);
    static char text[20000];
    size_t len = 0;
    while (len < sizeof text - 40) len += (size_t)snprintf(text + len, 40, "local all u%zu md5\n", len);
    ck_assert(!hba_parse(&hba, &arena, "hba", bytes_str(text), &files));
}
END_TEST

/* ---- name maps ---- */

START_TEST(without_a_map_names_are_the_same) {
    ck_assert(name_maps_allow(&maps, NULL, "ann", "ann"));
    ck_assert(!name_maps_allow(&maps, NULL, "ann", "Ann"));
    ck_assert(!name_maps_allow(&maps, NULL, "ann", "ann "));
    ck_assert(!name_maps_allow(&maps, NULL, "", ""));
    ck_assert(!name_maps_allow(&maps, "m", "ann", "ann"));
}
END_TEST

START_TEST(lines_of_a_map) {
    name_lines("m ann app\n"
               "m ann \"all\"\n"
               "m root all\n"
               "m /^(.*)@shop$ \\1\n"
               "m \"/^team-([a-z]+)$\" \"t_\\1_x\"\n"
               "m ops \"/^app_\"\n"
               "n ann other\n");
    ck_assert(name_maps_has(&maps, "m") && name_maps_has(&maps, "n") && !name_maps_has(&maps, "o"));
    ck_assert(name_maps_allow(&maps, "m", "ann", "app"));
    ck_assert(name_maps_allow(&maps, "m", "ann", "all"));
    ck_assert(!name_maps_allow(&maps, "m", "ann", "ann"));
    ck_assert(!name_maps_allow(&maps, "m", "ann", "other"));
    ck_assert(name_maps_allow(&maps, "n", "ann", "other"));
    ck_assert(name_maps_allow(&maps, "m", "root", "whoever"));
    ck_assert(name_maps_allow(&maps, "m", "joe@shop", "joe"));
    ck_assert(!name_maps_allow(&maps, "m", "joe@shop2", "joe"));
    ck_assert(!name_maps_allow(&maps, "m", "joe@shop", "joe@shop"));
    ck_assert(!name_maps_allow(&maps, "m", "all@shop", "joe")); /* what is found is a name and nothing else */
    ck_assert(name_maps_allow(&maps, "m", "team-red", "t_red_x"));
    ck_assert(!name_maps_allow(&maps, "m", "team-red", "t_re_x"));
    ck_assert(name_maps_allow(&maps, "m", "ops", "app_1"));
    ck_assert(!name_maps_allow(&maps, "m", "ops", "xapp_1"));
    ck_assert(!name_maps_allow(&maps, "m", "", "app"));
}
END_TEST

START_TEST(parentheses_that_found_nothing) {
    name_lines("m /^(a)|b$ x\\1\n");
    ck_assert(name_maps_allow(&maps, "m", "a", "xa"));
    ck_assert(!name_maps_allow(&maps, "m", "b", "x"));
    ck_assert(!name_maps_allow(&maps, "m", "b", "xb"));
}
END_TEST

/* ---- the table ---- */

/* Each would take gigabytes; and what is usual is not too much. */
START_TEST(regular_expressions_are_bounded) {
    static const char *const large[] = {"a++++++++++++++++++++++++++++++++++++++++", "((((a{99}){99}){99}){99})", "a{1,30000}{30000}",
                                        "((((((((((((((((a))))))))))))))))", "[a]{999}+", "(b(a+){500})"};
    static const char *const usual[] = {"^app_[0-9]+$", "^(a|b)+@(x{2,8}\\.)*example\\.org$", "[]a]{3}[^]]+", "[[:alpha:]]{1,63}", "\\(+", ""};
    regex_t regex;
    for (size_t i = 0; i < COUNT_OF(large); i++) ck_assert_msg(rule_regex_compile(&regex, large[i], 0) == REG_ESPACE, "%s", large[i]);
    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        ck_assert_msg(rule_regex_compile(&regex, usual[i], 0) == 0, "%s", usual[i]);
        regfree(&regex);
    }
    ck_assert(hba_parse(&hba, &arena, "hba", bytes_str("host /a++++++++++++++++++++++++++++++ all all md5\n"), &files));
    ck_assert(complaints == 1 && strstr(complaint, "regular expression"));
}
END_TEST

START_TEST(login_fit_is_closed) {
    for (int m = 0; m < AUTH_METHODS; m++) {
        for (int s = 0; s < STORED_SECRETS; s++) {
            enum auth_method method = (enum auth_method)m;
            enum stored_secret secret = (enum stored_secret)s;
            bool is_in = login_fit_client(method, secret);
            bool was_more = false;
            for (int w = SERVER_AUTH_SCRAM; w <= SERVER_AUTH_PASSWORD; w++) {
                bool fits = login_fit_server(method, secret, (enum server_auth)w);
                ck_assert(!fits || is_in);
                ck_assert(fits || !was_more); /* a server that may ask for more asks no less */
                was_more = fits;
            }
            if (secret == STORED_PASSWORD) ck_assert_int_eq(is_in, method != AUTH_REJECT);
            if (secret == STORED_NOTHING) ck_assert_int_eq(is_in, auth_method_takes_strangers(method));
        }
    }
    ck_assert(login_fit_server(AUTH_SCRAM, STORED_SCRAM, SERVER_AUTH_SCRAM));
    ck_assert(!login_fit_server(AUTH_PEER, STORED_SCRAM, SERVER_AUTH_PASSWORD));
    ck_assert(!login_fit_server(AUTH_PASSWORD, STORED_MD5, SERVER_AUTH_SCRAM));
    ck_assert(login_fit_server(AUTH_PASSWORD, STORED_MD5, SERVER_AUTH_MD5));
    ck_assert(login_fit_client(AUTH_PASSWORD, STORED_MYSQL) && !login_fit_client(AUTH_SCRAM, STORED_MYSQL));
    ck_assert(!login_fit_server(AUTH_PASSWORD, STORED_MYSQL, SERVER_AUTH_PASSWORD));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("hba");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, first_line_that_fits_counts);
    tcase_add_test(t, any_address_means_any);
    tcase_add_test(t, databases_and_users);
    tcase_add_test(t, replication_is_no_database);
    tcase_add_test(t, options);
    tcase_add_test(t, lines_and_comments);
    tcase_add_test(t, wrong_lines_let_nobody_in);
    tcase_add_test(t, files_in_files_end);
    tcase_add_test(t, long_words);
    tcase_add_test(t, memory_that_is_out_is_said);
    tcase_add_test(t, without_a_map_names_are_the_same);
    tcase_add_test(t, lines_of_a_map);
    tcase_add_test(t, parentheses_that_found_nothing);
    tcase_add_test(t, regular_expressions_are_bounded);
    tcase_add_test(t, login_fit_is_closed);
    return check_main_of("hba", t);
}
