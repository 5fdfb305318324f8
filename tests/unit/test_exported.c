/*
 * test_exported.c - which node a snapshot was exported at, while its transaction is open.
 */
#include "proxy/pool/exported.h"

#include <stdio.h>

#include "base/writer.h"
#include "proxy/pool/pool.h"
#include "tests/unit/check_main.h"

static struct exported_book book;
static struct pool_set set;
static char shop[] = "shop", stock[] = "stock";

/* A connection of a pool of its own, to one node. */
struct place {
    struct topology_gauge gauge;
    struct site site;
    struct pool pool;
    struct variant variant;
    struct backend backend;
};

static void place_init(struct place *p, const char *cluster, const char *node, char *database, uint64_t id) {
    memset(p, 0, sizeof *p);
    p->backend.id = id;
    snprintf(p->gauge.cluster, sizeof p->gauge.cluster, "%s", cluster);
    p->gauge.id = (uint64_t)node[0];
    snprintf(p->pool.server.cluster, sizeof p->pool.server.cluster, "%s", cluster);
    p->pool.server.database = database;
    p->pool.set = &set;
    p->site.gauge = &p->gauge;
    p->variant.pool = &p->pool;
    p->backend.site = &p->site;
    p->backend.variant = &p->variant;
}

static void setup(void) {
    memset(&book, 0, sizeof book);
    exported_init(&book);
    set.exported = &book;
}

static void teardown(void) {
    exported_release(&book);
}

/* One row; NULL ends it. */
static void sees(struct place *p, const char *const values[]) {
    uint8_t storage[512];
    struct writer w;
    uint16_t count = 0;
    writer_init_fixed(&w, storage, sizeof storage);
    while (values[count]) count++;
    writer_be16(&w, (uint16_t)(count + 1));
    writer_be32(&w, UINT32_MAX); /* SQL's NULL */
    for (uint16_t i = 0; i < count; i++) {
        writer_be32(&w, (uint32_t)strlen(values[i]));
        writer_str(&w, values[i]);
    }
    exported_read(&p->backend, writer_bytes(&w));
}

static void exports(struct place *p, const char *name) {
    sees(p, (const char *const[]){name, NULL});
}

static const char *node_for(const struct place *p, const char *name) {
    static char name_of[8];
    uint64_t node = 0;
    switch (exported_find(&p->pool, bytes_str(name), &node)) {
    case EXPORTED_AT:
        name_of[0] = (char)node;
        return name_of;
    case EXPORTED_AT_SEVERAL: return "several";
    default: return "nowhere";
    }
}

#define ONE "00000003-0000001B-1"
#define TWO "00000003-0000001B-2"

START_TEST(it_is_known_while_its_transaction_is_open) {
    struct place b, c;
    place_init(&b, "main", "b", shop, 7);
    place_init(&c, "main", "c", shop, 8);
    ck_assert_str_eq(node_for(&b, ONE), "nowhere");
    exports(&b, ONE);
    exports(&c, TWO);
    ck_assert(b.backend.has_exported && c.backend.has_exported);
    ck_assert_str_eq(node_for(&c, ONE), "b");
    ck_assert_str_eq(node_for(&b, TWO), "c");
    exported_forget(&b.backend);
    ck_assert(!b.backend.has_exported);
    ck_assert_str_eq(node_for(&c, ONE), "nowhere");
    ck_assert_str_eq(node_for(&b, TWO), "c");
}
END_TEST

START_TEST(of_its_database_and_cluster_alone) {
    struct place b, other, elsewhere;
    place_init(&b, "main", "b", shop, 7);
    place_init(&other, "main", "b", stock, 8);
    place_init(&elsewhere, "second", "b", shop, 9);
    exports(&b, ONE);
    ck_assert_str_eq(node_for(&other, ONE), "nowhere");
    ck_assert_str_eq(node_for(&elsewhere, ONE), "nowhere");
}
END_TEST

START_TEST(two_nodes_may_give_the_same_name) {
    struct place b, c, again;
    place_init(&b, "main", "b", shop, 7);
    place_init(&c, "main", "c", shop, 8);
    place_init(&again, "main", "b", shop, 9);
    again.site.gauge = &b.gauge;
    exports(&b, ONE);
    exports(&again, ONE);
    ck_assert_str_eq(node_for(&b, ONE), "b");
    exports(&c, ONE);
    ck_assert_str_eq(node_for(&b, ONE), "several");
    exported_forget(&b.backend);
    exported_forget(&again.backend);
    ck_assert_str_eq(node_for(&b, ONE), "c");
}
END_TEST

START_TEST(what_does_not_look_like_one_is_none) {
    static const char *const texts[] = {
        "", "1", "00000003-0000001B-", "00000003-0000001B-x", "00000003-0000001b-1", "0000003-0000001B-1", "00000003-0000001B-1 ",
        "00000003.0000001B-1", "00000003-0000001B-12345678901234567890",
    };
    struct place b;
    place_init(&b, "main", "b", shop, 7);
    for (size_t i = 0; i < COUNT_OF(texts); i++) exports(&b, texts[i]);
    ck_assert(!b.backend.has_exported);
    sees(&b, (const char *const[]){"a", ONE, "b", TWO, NULL});
    ck_assert_str_eq(node_for(&b, ONE), "b");
    ck_assert_str_eq(node_for(&b, TWO), "b");
    exported_read(&b.backend, bytes_of((const uint8_t *)"\0\1\0\0\0\177ab", 8)); /* longer than it is */
    exported_read(&b.backend, bytes_of((const uint8_t *)"", 0));
}
END_TEST

START_TEST(beyond_so_many_the_oldest_is_forgotten) {
    struct place b;
    char name[EXPORTED_NAME_MAX];
    place_init(&b, "main", "b", shop, 7);
    for (int i = 0; i <= EXPORTED_MAX; i++) {
        snprintf(name, sizeof name, "00000003-0000001B-%d", i);
        exports(&b, name);
    }
    ck_assert_str_eq(node_for(&b, "00000003-0000001B-0"), "nowhere");
    ck_assert_str_eq(node_for(&b, ONE), "b");
    ck_assert_str_eq(node_for(&b, name), "b");
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("exported");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, it_is_known_while_its_transaction_is_open);
    tcase_add_test(tc, of_its_database_and_cluster_alone);
    tcase_add_test(tc, two_nodes_may_give_the_same_name);
    tcase_add_test(tc, what_does_not_look_like_one_is_none);
    tcase_add_test(tc, beyond_so_many_the_oldest_is_forgotten);
    return check_main_of("exported", tc);
}
