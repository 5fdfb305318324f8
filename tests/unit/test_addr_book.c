/*
 * test_addr_book.c - a name is looked up once for each configuration that is loaded, whether it was found or not.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>

#include "proxy/topology/addr_book.h"
#include "tests/unit/check_main.h"

/* ---- names, instead of the system's ---- */

static unsigned lookups;
static bool has_name_server;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*system)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&system = dlsym(RTLD_NEXT, "getaddrinfo");
    (void)host;
    lookups++;
    return has_name_server ? system("127.0.0.1", service, hints, found) : EAI_NONAME;
}

/* ---- configurations ---- */

struct world {
    struct config config;
    struct config_cluster main;
    struct config_node a, b;
};

static void add(struct config_cluster *cluster, struct config_node *n, const char *name, const char *host) {
    *n = (struct config_node){.name = name, .host = host, .port = 5432};
    list_init(&n->node);
    list_push_back(&cluster->nodes, &n->node);
}

static void make(struct world *w, const char *a, const char *b) {
    *w = (struct world){.main.name = "main"};
    list_init(&w->config.clusters);
    list_init(&w->config.peers);
    list_init(&w->main.node);
    list_init(&w->main.nodes);
    list_push_back(&w->config.clusters, &w->main.node);
    add(&w->main, &w->a, "a", a);
    if (b) add(&w->main, &w->b, "b", b);
}

static const struct book_entry *check(const struct addr_book *book, const void *of, bool is_known) {
    const struct book_entry *e = addr_book_find(book, of);
    ck_assert(e && e->is_known == is_known && err_is_set(&e->err) == !is_known);
    return e;
}

static void setup(void) {
    lookups = 0;
    has_name_server = false;
}

/* ---- tests ---- */

START_TEST(what_cannot_be_resolved_is_asked_for_once) {
    struct world before, after, elsewhere;
    struct addr_book book, next, last;
    make(&before, "a.test", NULL);
    addr_book_init(&book, &before.config);
    check(&book, &before.a, false);
    ck_assert_uint_eq(lookups, 1);
    make(&after, "a.test", "b.test"); /* as an order about nodes makes it: b is new */
    addr_book_init_like(&next, &after.config, &book, &before.config);
    ck_assert_uint_eq(lookups, 2);
    ck_assert_str_eq(check(&next, &after.a, false)->err.message, check(&book, &before.a, false)->err.message);
    check(&next, &after.b, false);
    has_name_server = true;
    make(&elsewhere, "a.test", "c.test"); /* b is in another place now */
    addr_book_init_like(&last, &elsewhere.config, &next, &after.config);
    ck_assert_uint_eq(lookups, 3);
    check(&last, &elsewhere.a, false);
    check(&last, &elsewhere.b, true);
    addr_book_release(&book);
    addr_book_init(&book, &before.config); /* a reload */
    ck_assert_uint_eq(lookups, 4);
    check(&book, &before.a, true);
    addr_book_release(&book);
    addr_book_release(&next);
    addr_book_release(&last);
}
END_TEST

START_TEST(what_is_known_stays_known) {
    struct world before, after;
    struct addr_book book, next;
    has_name_server = true;
    make(&before, "a.test", NULL);
    addr_book_init(&book, &before.config);
    has_name_server = false;
    make(&after, "a.test", NULL);
    addr_book_init_like(&next, &after.config, &book, &before.config);
    ck_assert_uint_eq(lookups, 1);
    check(&next, &after.a, true);
    addr_book_release(&book);
    addr_book_release(&next);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("addr_book");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, what_cannot_be_resolved_is_asked_for_once);
    tcase_add_test(t, what_is_known_stays_known);
    return check_main_of("addr_book", t);
}
