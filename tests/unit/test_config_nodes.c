/*
 * test_config_nodes.c - a configuration with other nodes than its file has is that of the file in everything else, and outlives it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "proxy/config_diff.h"
#include "proxy/config_nodes.h"
#include "tests/unit/check_main.h"

#define TWO_NODES "[node main/a]\nhost = 10.0.0.1\n[node main/b]\nhost = 10.0.0.2\nweight = 3\n"
#define REST                                                                                                              \
    "[gilmok]\nlisten = 127.0.0.1:7001, unix:/tmp/gilmok.sock\nlisten_mysql = 127.0.0.1:7002, 127.0.0.1:7003\n"              \
    "user_file = users.txt\ninstance = 3\nmax_client_conn = 77\n"                                                         \
    "[cluster main]\nmonitor_user = watcher\nauth_user = asker\nserver_tls = disable\nprobe_interval = 70ms\n"              \
    "[cluster alone]\nprotocol = mysql\nserver_tls = disable\n[node alone/x]\nhost = 10.0.0.9\n"                            \
    "[database shop]\ncluster = main\npool_size = 9\nread_write_split = on\nserver_user = app\nserver_password = secret\n"   \
    "[database other]\ncluster = alone\npool_mode = session\n[user app]\npool_size = 5\n[peer two]\ninstance = 4\nhost = 10.0.0.8\n"

static char dir[64];
static struct err err;
static struct node_changes changes;

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

static struct config *load(const char *nodes) {
    static const char *const files[] = {"users.txt", "g.conf"};
    char path[128], text[12288];
    struct config_findings findings;
    snprintf(dir, sizeof dir, "/tmp/gilmok-nodes-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("users.txt", "\"app\" \"1\"\n");
    snprintf(text, sizeof text, "%s%s", REST, nodes);
    put("g.conf", text);
    snprintf(path, sizeof path, "%s/g.conf", dir);
    config_findings_init(&findings);
    struct config *c = config_load(path, &findings);
    ck_assert_msg(c != NULL, "%s",
                  c ? "" : CONTAINER_OF(list_first(&findings.all), struct config_finding, node)->message);
    config_findings_release(&findings);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
    err = (struct err){0};
    return c;
}

static struct node_order order_of(enum node_verb verb, const char *name, const char *host) {
    struct node_order o = {.verb = verb, .source = NODE_FROM_CONSOLE, .cluster = "main", .port = 5432, .weight = 1};
    snprintf(o.name, sizeof o.name, "%s", name);
    snprintf(o.host, sizeof o.host, "%s", host);
    return o;
}

/* The configuration after the order; `c` is given away. */
static struct config *after(struct config *c, enum node_verb verb, const char *name, const char *host) {
    struct node_order o = order_of(verb, name, host);
    ck_assert_msg(node_changes_note(&changes, &o, c, &err), "%s", err.message);
    struct config *next = config_with_nodes(c->base ? c->base : c, &changes, &err);
    ck_assert_ptr_nonnull(next);
    config_free(c);
    return next;
}

static void check_refused(struct config *c, enum node_verb verb, const char *name, const char *host, const char *sqlstate) {
    struct node_order o = order_of(verb, name, host);
    struct config *before = config_with_nodes(c->base ? c->base : c, &changes, &err);
    err = (struct err){0};
    ck_assert(!node_changes_note(&changes, &o, c, &err));
    ck_assert_str_eq(err.sqlstate, sqlstate);
    struct config *now = config_with_nodes(before->base ? before->base : before, &changes, &err);
    ck_assert_int_eq(before == now, before->base == NULL);
    config_free(before);
    config_free(now);
}

static const char *names(const struct config *c) {
    static char out[256];
    size_t len = 0;
    out[0] = '\0';
    const struct config_cluster *main = config_find_database(c, bytes_str("shop"))->cluster;
    LIST_EACH(n, &main->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s%s", len ? " " : "", node->name, node->is_drained ? "(drained)" : "");
    }
    return out;
}

static const char *difference(const struct config *from, const struct config *to) {
    static char out[1024];
    struct map start;
    struct writer lines;
    map_init(&start);
    writer_init_fixed(&lines, out, sizeof out - 1);
    config_diff(from, to, &start, &lines);
    out[lines.len] = '\0';
    map_release(&start);
    return out;
}

static void setup(void) {
    node_changes_init(&changes);
}

static void teardown(void) {
    node_changes_release(&changes);
}

/* ---- tests ---- */

START_TEST(everything_else_is_the_files) {
    struct config *file = load(TWO_NODES), *c = after(config_ref(file), NODE_ADD, "c", "10.0.0.3");
    ck_assert_str_eq(difference(file, c), "added: [node main/c]\n");
    ck_assert_str_eq(difference(c, file), "removed: [node main/c]\n");
    config_free(file);
    const struct config_database *shop = config_find_database(c, bytes_str("shop")), *other = config_find_database(c, bytes_str("other"));
    const struct config_database *asks = config_pool_database(c, bytes_str("auth_query of main"));
    ck_assert_str_eq(names(c), "a b c");
    ck_assert_uint_eq(config_find_node(shop->cluster, "b")->weight, 3);
    ck_assert_int_eq(config_find_node(shop->cluster, "c")->source, NODE_FROM_CONSOLE);
    ck_assert_int_eq(config_find_node(shop->cluster, "b")->source, NODE_FROM_CONFIG);
    ck_assert_str_eq(shop->server_password, "secret");
    ck_assert_str_eq(other->cluster->name, "alone");
    ck_assert(asks && asks->cluster == shop->cluster && shop->cluster->auth == asks);
    ck_assert_uint_eq(config_find_user(c, bytes_str("app"))->pool_size, 5);
    ck_assert_str_eq(config_find_peer(c, 4)->name, "two");
    ck_assert_str_eq(user_store_find(c->user_store, bytes_str("app"))->password, "1");
    ck_assert(c->max_client_conn == 77 && list_first(&c->listens)->next != &c->listens && c->hba->count > 0);
    ck_assert_uint_eq(CONTAINER_OF(list_first(&c->listens_mysql), struct config_listen, node)->port, 7002);
    ck_assert_uint_eq(CONTAINER_OF(list_last(&c->listens_mysql), struct config_listen, node)->port, 7003);
    config_free(c);
}
END_TEST

START_TEST(one_node_where_servers_speak_mysql) {
    struct config *c = load(TWO_NODES);
    struct node_order o = order_of(NODE_ADD, "y", "10.0.0.8");
    snprintf(o.cluster, sizeof o.cluster, "alone");
    ck_assert(!node_changes_note(&changes, &o, c, &err));
    ck_assert_str_eq(err.message, "cluster alone speaks MySQL: more than one node is not there yet");
    ck_assert(list_is_empty(&changes.all));
    config_free(c);
}
END_TEST

START_TEST(orders_and_their_undoing) {
    struct config *file = load(TWO_NODES), *c = after(config_ref(file), NODE_DRAIN, "b", "");
    ck_assert_str_eq(names(c), "a b(drained)");
    c = after(c, NODE_DRAIN, "b", "");
    c = after(c, NODE_RESUME, "b", "");
    ck_assert(c == file && list_is_empty(&changes.all));
    c = after(c, NODE_REMOVE, "b", "");
    ck_assert_str_eq(names(c), "a");
    ck_assert(config_is_elective(config_find_database(c, bytes_str("shop"))->cluster));
    check_refused(c, NODE_REMOVE, "a", "", "55000");
    c = after(c, NODE_ADD, "b2", "10.0.0.2");
    check_refused(c, NODE_ADD, "b", "", "42710");
    c = after(c, NODE_DRAIN, "b2", "");
    c = after(c, NODE_REMOVE, "b2", "");
    c = after(c, NODE_ADD, "b2", "10.0.0.2");
    ck_assert_str_eq(names(c), "a b2");
    c = after(c, NODE_REMOVE, "b2", "");
    c = after(c, NODE_ADD, "b", "");
    ck_assert(c == file && list_is_empty(&changes.all));
    config_free(c);
    config_free(file);
}
END_TEST

START_TEST(what_is_refused_changes_nothing) {
    struct config *c = load(TWO_NODES);
    check_refused(c, NODE_ADD, "b", "10.0.0.7", "42710");
    check_refused(c, NODE_ADD, "c", "10.0.0.2", "42710");
    check_refused(c, NODE_ADD, "c", "", "42704");
    check_refused(c, NODE_RESUME, "b", "", "55000");
    check_refused(c, NODE_DRAIN, "c", "", "42704");
    struct node_order o = order_of(NODE_ADD, "y", "10.0.0.7");
    snprintf(o.cluster, sizeof o.cluster, "alone");
    ck_assert(!node_changes_note(&changes, &o, c, &err));
    ck_assert_str_eq(err.sqlstate, "55000"); /* nobody watches it */
    snprintf(o.cluster, sizeof o.cluster, "nosuch");
    ck_assert(!node_changes_note(&changes, &o, c, &err));
    ck_assert_str_eq(err.sqlstate, "42704");
    for (int i = 3; i <= CONFIG_NODES_MAX; i++) {
        char name[16], host[16];
        snprintf(name, sizeof name, "n%d", i);
        snprintf(host, sizeof host, "10.0.0.%d", i);
        c = after(c, NODE_ADD, name, host);
    }
    check_refused(c, NODE_ADD, "more", "10.0.1.1", "55000");
    config_free(c);
}
END_TEST

/* The lines about it, and the nodes then. */
static void check_review(const char *nodes, const char *lines, const char *expected) {
    static char said[1024];
    struct writer w;
    struct config *file = load(nodes);
    writer_init_fixed(&w, said, sizeof said - 1);
    node_changes_review(&changes, file, &w);
    said[w.len] = '\0';
    ck_assert_str_eq(said, lines);
    struct config *c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), expected);
    config_free(c);
    config_free(file);
}

START_TEST(after_a_reload) {
    struct config *c = after(after(load(TWO_NODES), NODE_REMOVE, "b", ""), NODE_ADD, "c", "10.0.0.3");
    config_free(after(c, NODE_DRAIN, "c", ""));
    check_review(TWO_NODES,
                 "node main/b stays removed, until ADD NODE or a restart\nnode main/c stays added, until REMOVE NODE or a restart\n"
                 "node main/c stays drained, until RESUME NODE or a restart\n",
                 "a c(drained)");
    check_review("[node main/a]\nhost = 10.0.0.1\n[node main/d]\nhost = 10.0.0.3\n",
                 "node main/c was added at the console, and is as the file says now\n", "a d");
    ck_assert(list_is_empty(&changes.all));
    check_review(TWO_NODES, "", "a b");
}
END_TEST

/* In a file that has grown. */
START_TEST(after_a_reload_there_may_be_no_room) {
    static char nodes[8192], said[256];
    struct writer w;
    struct config *c = after(after(load(TWO_NODES), NODE_ADD, "c", "10.0.1.1"), NODE_ADD, "d", "10.0.1.2");
    config_free(c);
    for (int i = 1, len = 0; i < CONFIG_NODES_MAX; i++)
        len += snprintf(nodes + len, sizeof nodes - (size_t)len, "[node main/n%d]\nhost = 10.0.0.%d\n", i, i);
    struct config *file = load(nodes);
    writer_init_fixed(&w, said, sizeof said - 1);
    node_changes_review(&changes, file, &w);
    said[w.len] = '\0';
    ck_assert_str_eq(said, "node main/d was added at the console, and goes: its cluster has 64 nodes without it\n"
                           "node main/c stays added, until REMOVE NODE or a restart\n");
    c = config_with_nodes(file, &changes, &err);
    ck_assert_ptr_null(config_find_node(config_find_database(c, bytes_str("shop"))->cluster, "d"));
    ck_assert_ptr_nonnull(config_find_node(config_find_database(c, bytes_str("shop"))->cluster, "c"));
    config_free(c);
    config_free(file);
}
END_TEST

/* ---- discovery ---- */

static struct node_order found(enum node_verb verb, enum node_source source, const char *address) {
    struct node_order o = order_of(verb, address, address);
    o.source = source;
    if (source != NODE_FROM_DNS) return o;
    snprintf(o.name, sizeof o.name, "r@%s", address);
    snprintf(o.of, sizeof o.of, "r");
    return o;
}

static bool note(const struct config *c, const struct node_order *o) {
    err = (struct err){0};
    return node_changes_note(&changes, o, c, &err);
}

#define BY_NAME "[node main/r]\nhost = replicas.test\nport = 5433\nweight = 7\ndiscover_addresses = on\n"

START_TEST(a_name_stands_for_its_addresses) {
    struct config *file = load(TWO_NODES BY_NAME), *c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), "a b"); /* itself it is none */
    struct node_order one = found(NODE_ADD, NODE_FROM_DNS, "10.0.0.7"), again = found(NODE_ADD, NODE_FROM_DNS, "10.0.0.7");
    one.port = again.port = 5433;
    ck_assert(note(c, &one));
    config_free(c);
    c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), "a b r@10.0.0.7");
    const struct config_node *n = config_find_node(config_find_database(c, bytes_str("shop"))->cluster, "r@10.0.0.7");
    ck_assert(n->weight == 7 && n->port == 5433 && n->source == NODE_FROM_DNS && !n->discover_addresses);
    ck_assert_str_eq(n->host, "replicas.test"); /* whose certificate it has */
    ck_assert_str_eq(n->address, "10.0.0.7");
    ck_assert(!note(c, &again));
    config_free(c);
    config_free(file);
    check_review(TWO_NODES BY_NAME, "", "a b r@10.0.0.7");
    check_review(TWO_NODES "[node main/r]\nhost = others.test\nport = 5433\ndiscover_addresses = on\n", "", "a b");
    ck_assert(list_is_empty(&changes.all));
}
END_TEST

START_TEST(a_name_alone_is_a_node_until_it_is_known) {
    struct config *file = load(BY_NAME), *c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), "r");
    struct node_order one = found(NODE_ADD, NODE_FROM_DNS, "10.0.0.7"), lost = found(NODE_REMOVE, NODE_FROM_DNS, "10.0.0.7");
    ck_assert(config_is_elective(config_find_database(c, bytes_str("shop"))->cluster));
    ck_assert(note(c, &one));
    config_free(c);
    c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), "r@10.0.0.7");
    ck_assert(!note(c, &lost)); /* the only one */
    config_free(c);
    config_free(file);
}
END_TEST

START_TEST(a_standby_that_is_removed_is_not_found_again) {
    struct node_order one = found(NODE_ADD, NODE_FROM_STANDBYS, "10.0.0.6"), lost = found(NODE_REMOVE, NODE_FROM_STANDBYS, "10.0.0.6");
    struct config *file = load(TWO_NODES), *c = config_ref(file);
    ck_assert(note(c, &one));
    config_free(c);
    c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), "a b 10.0.0.6");
    c = after(c, NODE_DRAIN, "10.0.0.6", "");
    c = after(c, NODE_REMOVE, "10.0.0.6", "");
    ck_assert_str_eq(names(c), "a b");
    ck_assert(!note(c, &one));
    c = after(c, NODE_ADD, "10.0.0.6", "");
    ck_assert_str_eq(names(c), "a b 10.0.0.6");
    ck_assert(note(c, &lost) && list_is_empty(&changes.all));
    ck_assert(note(file, &one));
    config_free(c);
    config_free(file);
    check_review(TWO_NODES, "", "a b"); /* which does not ask for standbys */
}
END_TEST

START_TEST(what_was_removed_is_not_found_under_another_name) {
    struct node_order b = found(NODE_ADD, NODE_FROM_STANDBYS, "10.0.0.2"), elsewhere = b;
    struct config *c = after(load(TWO_NODES "[node main/c]\nhost = 10.0.0.3\n"), NODE_REMOVE, "b", "");
    ck_assert(!note(c, &b));
    ck_assert_ptr_nonnull(strstr(err.message, "main/b was removed"));
    elsewhere.port = 5433;
    ck_assert(note(c, &elsewhere)); /* another server on its machine */
    config_free(c);
}
END_TEST

#define DISCOVERS "[cluster third]\nmonitor_user = watcher\nserver_tls = disable\ndiscover_standbys = on\n[node third/a]\nhost = 10.0.0.1\n"

static struct node_order of_third(enum node_verb verb, const char *name, const char *host) {
    struct node_order o = order_of(verb, name, host);
    snprintf(o.cluster, sizeof o.cluster, "third");
    return o;
}

static struct node_order found_there(const char *address) {
    struct node_order o = of_third(NODE_ADD, address, address);
    o.source = NODE_FROM_STANDBYS;
    return o;
}

static struct config *with(struct config *c, const struct node_order *o) {
    ck_assert_msg(note(c, o), "%s", err.message);
    struct config *next = config_with_nodes(c->base ? c->base : c, &changes, &err);
    config_free(c);
    return next;
}

/* Also where the console knows it by its name, which the list does not tell. */
START_TEST(what_the_console_added_and_removed_is_not_found_again) {
    struct config *c = load(TWO_NODES DISCOVERS);
    struct node_order add = of_third(NODE_ADD, "d", "db4.test"), gone = of_third(NODE_REMOVE, "d", ""), back = of_third(NODE_ADD, "d", ""),
                      listed = found_there("10.0.0.8"), other = found_there("10.0.0.9"), again = of_third(NODE_ADD, "e", "10.0.0.8");
    snprintf(gone.address, sizeof gone.address, "10.0.0.8");
    c = with(with(c, &add), &gone);
    ck_assert(!note(c, &listed));
    ck_assert_ptr_nonnull(strstr(err.message, "third/d was removed"));
    ck_assert(note(c, &other)); /* another server */
    c = with(c, &back);
    const struct config_node *d = config_find_node(config_find_cluster(c, "third"), "d");
    ck_assert(d && d->source == NODE_FROM_CONSOLE && strcmp(d->host, "db4.test") == 0);
    c = with(with(c, &gone), &again);
    ck_assert(note(c, &back)); /* db4.test may be anything now */
    config_free(c);
}
END_TEST

START_TEST(what_was_removed_stays_so_behind_a_reload) {
    struct config *c = load(TWO_NODES DISCOVERS);
    struct node_order add = of_third(NODE_ADD, "d", "10.0.0.8"), gone = of_third(NODE_REMOVE, "d", ""), listed = found_there("10.0.0.8");
    config_free(with(with(c, &add), &gone));
    check_review(TWO_NODES DISCOVERS, "node third/d stays removed, until ADD NODE or a restart\n", "a b");
    c = load(TWO_NODES DISCOVERS);
    ck_assert(!note(c, &listed));
    config_free(c);
    check_review(TWO_NODES DISCOVERS "[node third/x]\nhost = 10.0.0.8\n", "", "a b"); /* the file wants it */
    ck_assert(list_is_empty(&changes.all));
}
END_TEST

/* In the file by its name. */
START_TEST(what_was_removed_is_not_found_by_its_address) {
    struct node_order gone = of_third(NODE_REMOVE, "b", ""), listed = found_there("10.0.0.2");
    snprintf(gone.address, sizeof gone.address, "10.0.0.2");
    struct config *c = load(TWO_NODES DISCOVERS "[node third/b]\nhost = db2.test\n");
    c = with(c, &gone);
    ck_assert(!note(c, &listed));
    config_free(c);
}
END_TEST

/* One that was found and removed is not brought back where another node has taken its place. */
START_TEST(what_comes_back_may_have_a_twin) {
    struct config *c = load(TWO_NODES DISCOVERS);
    struct node_order listed = found_there("10.0.0.8"), gone = of_third(NODE_REMOVE, "10.0.0.8", ""), add = of_third(NODE_ADD, "d", "10.0.0.8"),
                      back = of_third(NODE_ADD, "10.0.0.8", "");
    c = with(with(with(c, &listed), &gone), &add);
    ck_assert(!note(c, &back));
    ck_assert_str_eq(err.sqlstate, "42710");
    config_free(c);
}
END_TEST

START_TEST(what_is_lost_and_found_is_drained_still) {
    struct node_order one = found(NODE_ADD, NODE_FROM_STANDBYS, "10.0.0.6"), lost = found(NODE_REMOVE, NODE_FROM_STANDBYS, "10.0.0.6");
    struct config *file = load(TWO_NODES), *c;
    ck_assert(note(file, &one));
    c = after(config_with_nodes(file, &changes, &err), NODE_DRAIN, "10.0.0.6", "");
    ck_assert(note(c, &lost));
    ck_assert(note(file, &one));
    config_free(c);
    c = config_with_nodes(file, &changes, &err);
    ck_assert_str_eq(names(c), "a b 10.0.0.6(drained)");
    config_free(after(c, NODE_RESUME, "10.0.0.6", ""));
    config_free(file);
}
END_TEST

/* Orders of one moment are each right for itself. */
START_TEST(a_cluster_has_neither_too_many_nodes_nor_none) {
    struct config *file = load(TWO_NODES), *c = NULL;
    struct node_order o;
    for (int i = 3; i < 90; i++) {
        char address[16];
        snprintf(address, sizeof address, "10.0.0.%d", i);
        o = found(NODE_ADD, NODE_FROM_STANDBYS, address);
        ck_assert_int_eq(note(file, &o), i <= CONFIG_NODES_MAX);
    }
    o = order_of(NODE_ADD, "c", "10.0.1.3");
    ck_assert(!note(file, &o) && strstr(err.message, "cannot have more"));
    c = config_with_nodes(file, &changes, &err);
    uint32_t count = 0;
    LIST_EACH(n, &config_find_database(c, bytes_str("shop"))->cluster->nodes) count++;
    ck_assert_uint_eq(count, CONFIG_NODES_MAX);
    config_free(c);
    node_changes_release(&changes);
    o = order_of(NODE_REMOVE, "a", "");
    ck_assert(note(file, &o));
    o = order_of(NODE_REMOVE, "b", "");
    ck_assert(note(file, &o));
    ck_assert_ptr_null(config_with_nodes(file, &changes, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "would have no node"));
    config_free(file);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("config_nodes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, everything_else_is_the_files);
    tcase_add_test(t, one_node_where_servers_speak_mysql);
    tcase_add_test(t, orders_and_their_undoing);
    tcase_add_test(t, what_is_refused_changes_nothing);
    tcase_add_test(t, after_a_reload);
    tcase_add_test(t, after_a_reload_there_may_be_no_room);
    tcase_add_test(t, a_name_stands_for_its_addresses);
    tcase_add_test(t, a_name_alone_is_a_node_until_it_is_known);
    tcase_add_test(t, a_standby_that_is_removed_is_not_found_again);
    tcase_add_test(t, what_was_removed_is_not_found_under_another_name);
    tcase_add_test(t, what_the_console_added_and_removed_is_not_found_again);
    tcase_add_test(t, what_was_removed_stays_so_behind_a_reload);
    tcase_add_test(t, what_was_removed_is_not_found_by_its_address);
    tcase_add_test(t, what_comes_back_may_have_a_twin);
    tcase_add_test(t, what_is_lost_and_found_is_drained_still);
    tcase_add_test(t, a_cluster_has_neither_too_many_nodes_nor_none);
    return check_main_of("config_nodes", t);
}
