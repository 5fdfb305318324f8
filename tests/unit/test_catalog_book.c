/*
 * test_catalog_book.c - when a worker reads what a database's names stand for and what its functions do, what of it is in force, and
 * for how long: the errand's rows are given by hand.
 */
#include "base/fault.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/pool/catalog_change.h"
#include "tests/unit/check_main.h"

enum { REFRESH_MS = 10000 };

static struct loop loop;
static struct pool_set set;
static struct catalog_changes changes;
static struct pool one, other;
static struct writer sql;

static void on_task(struct task *t) {
    (void)t;
}

static void make(struct pool *p, const char *reads, const char *writes) {
    *p = (struct pool){.set = &set, .mode = POOL_TRANSACTION};
    p->server.database = mem_strdup("shop", 4);
    memcpy(p->server.name, "a", 2);
    p->limits.catalog_refresh_ms = REFRESH_MS;
    p->limits.read_write_split = reads;
    p->read_functions = mem_strdup(reads ? reads : "", reads ? strlen(reads) : 0);
    p->write_functions = mem_strdup(writes ? writes : "", writes ? strlen(writes) : 0);
    task_init(&p->dispatch, on_task);
    list_init(&p->node);
    list_push_back(&set.all, &p->node);
}

static void drop(struct pool *p) {
    list_remove(&p->node);
    task_cancel(&p->dispatch);
    mem_free(p->server.database);
    mem_free(p->read_functions);
    mem_free(p->write_functions);
}

static void fresh(void) {
    loop = (struct loop){.now_us = 1000000};
    list_init(&loop.deferred);
    changes = (struct catalog_changes){0};
    pool_set_init(&set, &loop);
    set.catalog_changes = &changes;
    writer_init(&sql, CATALOG_PG_QUERY_MAX);
    make(&one, "", "");
    make(&other, "", "");
}

static void release(void) {
    catalog_book_release(&set);
    drop(&one);
    drop(&other);
    map_release(&set.pools);
    map_release(&set.statements);
    writer_release(&sql);
}

/* ---- the errand ------------------------------------------------------------------------------------------------------ */

static bool asks_for(const char *word) {
    writer_u8(&sql, 0);
    bool has_it = !sql.failed && strstr((const char *)sql.data, word);
    sql.len--;
    return has_it;
}

#define ASKS_FACTS asks_for("'function', n.nspname")
#define ASKS_CATALOG asks_for("'function', p.oid")
#define ASKS_CHECK (!ASKS_FACTS && !ASKS_CATALOG && asks_for("'digest'"))

static struct catalog_reading *begin(struct pool *p, uint32_t version) {
    ck_assert(catalog_reading_is_due(p));
    writer_reset(&sql);
    struct catalog_reading *r = catalog_reading_begin(p, &sql, version);
    ck_assert_ptr_nonnull(r);
    return r;
}

static void row(struct catalog_reading *r, const char *kind, const char *second, const char *third, const char *rest) {
    const struct bytes columns[] = {bytes_str(kind), bytes_str(second), bytes_str(third), rest ? bytes_str(rest) : bytes_of(NULL, 0)};
    catalog_reading_row(r, columns);
}

static bool end(struct catalog_reading *r, struct pool *p, bool is_ok, uint32_t version) {
    writer_reset(&sql);
    return catalog_reading_end(r, p, is_ok, &sql, version);
}

/* True: the facts are asked for next. */
static bool tell_digest(struct catalog_reading *r, struct pool *p, const char *digest, uint32_t version) {
    row(r, "digest", digest, "", "");
    return end(r, p, true, version);
}

/* f is what the database says it is. */
static void tell_facts(struct catalog_reading *r, struct pool *p, const char *kind) {
    ck_assert(ASKS_FACTS);
    row(r, "function", "public", "f", kind);
    row(r, "relation", "public", "v", "view");
    row(r, "code", "public", "v", "sql SELECT public.f()");
    ck_assert(!end(r, p, true, 150000));
}

static void learn(struct pool *p, const char *digest, const char *kind) {
    struct catalog_entry *e = catalog_book_entry(p);
    e->is_wanted = true;
    struct catalog_reading *r = begin(p, 150000);
    ck_assert(ASKS_CATALOG && !ASKS_FACTS);
    ck_assert(tell_digest(r, p, digest, 150000));
    tell_facts(r, p, kind);
}

/* Of f, as the pool's entry has it now. */
static enum classify_function_kind kind_of_f(struct pool *p) {
    const struct classify_facts *facts = catalog_entry_facts(catalog_book_entry(p), p);
    ck_assert_ptr_nonnull(facts);
    return facts->of_function(facts->ctx, bytes_str("public"), bytes_str("f")).kind;
}

static enum classify_relation_kind kind_of_v(struct pool *p) {
    const struct classify_facts *facts = catalog_entry_facts(catalog_book_entry(p), p);
    ck_assert_ptr_nonnull(facts);
    return facts->of_relation(facts->ctx, bytes_str("public"), bytes_str("v")).kind;
}

static bool has_facts(struct pool *p) {
    return catalog_entry_facts(catalog_book_entry(p), p);
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

START_TEST(who_asks_makes_them_be_read) {
    struct catalog_entry *e = catalog_book_entry(&one);
    ck_assert(!catalog_reading_is_due(&one));
    ck_assert(!has_facts(&one) && catalog_reading_is_due(&one));
    struct catalog_reading *r = begin(&one, 150000);
    ck_assert(!catalog_reading_is_due(&one) && ASKS_CATALOG);
    ck_assert(tell_digest(r, &one, "1", 150000));
    ck_assert_ptr_nonnull(catalog_entry_current(e, &one));
    ck_assert(!has_facts(&one) && !catalog_reading_is_due(&one));
    uint64_t version = e->version;
    tell_facts(r, &one, "steady");
    ck_assert_int_eq(kind_of_f(&one), CLASSIFY_FUNCTION_STEADY);
    ck_assert_int_eq(kind_of_v(&one), CLASSIFY_RELATION_VIEW);
    ck_assert_uint_ne(e->version, version);
    ck_assert(!catalog_reading_is_due(&one));
}
END_TEST

START_TEST(who_does_not_split_is_not_told) {
    one.limits.read_write_split = false;
    struct catalog_entry *e = catalog_book_entry(&one);
    ck_assert(!catalog_entry_facts(e, &one) && !e->is_wanted);
    e->is_wanted = true;
    ck_assert(!tell_digest(begin(&one, 150000), &one, "1", 150000));
    ck_assert(!catalog_entry_facts(e, &one) && catalog_entry_current(e, &one));
    ck_assert(!catalog_reading_is_due(&one));
}
END_TEST

/* They hold for as long as the catalog, and one check keeps both. */
START_TEST(a_check_keeps_them) {
    learn(&one, "1", "steady");
    uint64_t version = one.catalog->version;
    loop.now_us += (REFRESH_MS / 2 + 1) * 1000;
    ck_assert(has_facts(&one));
    struct catalog_reading *r = begin(&one, 150000);
    ck_assert(ASKS_CHECK);
    ck_assert(!tell_digest(r, &one, "1", 150000));
    loop.now_us += (REFRESH_MS / 2 - 1) * 1000;
    ck_assert_int_eq(kind_of_f(&one), CLASSIFY_FUNCTION_STEADY);
    ck_assert_uint_eq(one.catalog->version, version);
    loop.now_us += (REFRESH_MS / 2 + 2) * 1000;
    ck_assert(!has_facts(&one));
}
END_TEST

/* What was changed past gilmok is found by the check. */
START_TEST(a_check_that_finds_something_reads_both_again) {
    learn(&one, "1", "steady");
    uint64_t version = one.catalog->version;
    loop.now_us += (REFRESH_MS / 2 + 1) * 1000;
    struct catalog_reading *r = begin(&one, 150000);
    ck_assert(tell_digest(r, &one, "2", 150000));
    ck_assert(ASKS_CATALOG);
    ck_assert(tell_digest(r, &one, "2", 150000));
    ck_assert(!has_facts(&one)); /* those of before are not of this catalog */
    tell_facts(r, &one, "volatile");
    ck_assert_int_eq(kind_of_f(&one), CLASSIFY_FUNCTION_VOLATILE);
    ck_assert_int_eq(kind_of_v(&one), CLASSIFY_RELATION_UNSAFE);
    ck_assert_uint_gt(one.catalog->version, version);
}
END_TEST

/* A client of any worker changes something: at once nothing is taken for granted. */
START_TEST(a_change_through_gilmok_ends_them) {
    learn(&one, "1", "steady");
    atomic_fetch_add(&changes.count, 1);
    ck_assert(!has_facts(&one));
    struct catalog_reading *r = begin(&one, 150000);
    ck_assert(ASKS_CHECK);
    atomic_fetch_add(&changes.count, 1); /* another one, while it is under way */
    ck_assert(!tell_digest(r, &one, "1", 150000));
    ck_assert(!has_facts(&one));
    ck_assert(!tell_digest(begin(&one, 150000), &one, "1", 150000));
    ck_assert(has_facts(&one));
}
END_TEST

START_TEST(lists_of_functions_are_the_pools_own) {
    drop(&other);
    make(&other, "public.f", "");
    learn(&one, "1", "volatile");
    ck_assert(!has_facts(&other));
    learn(&other, "1", "volatile");
    ck_assert_ptr_ne(one.catalog, other.catalog);
    ck_assert_int_eq(kind_of_v(&one), CLASSIFY_RELATION_UNSAFE);
    ck_assert_int_eq(kind_of_v(&other), CLASSIFY_RELATION_VIEW);
}
END_TEST

START_TEST(pools_that_ask_the_same_share_them) {
    learn(&one, "1", "steady");
    ck_assert_int_eq(kind_of_f(&other), CLASSIFY_FUNCTION_STEADY);
    ck_assert_ptr_eq(one.catalog, other.catalog);
}
END_TEST

START_TEST(old_servers_are_not_asked) {
    ck_assert(!has_facts(&one));
    ck_assert(!tell_digest(begin(&one, 110000), &one, "1", 110000));
    ck_assert(!has_facts(&one) && catalog_entry_current(one.catalog, &one));
    ck_assert(!catalog_reading_is_due(&one));
}
END_TEST

/* The catalog is what it is; facts are tried again later. */
START_TEST(facts_that_cannot_be_read) {
    for (int way = 0; way < 3; way++) {
        one.catalog = NULL;
        one.server.name[0] = (char)('b' + way);
        ck_assert(!has_facts(&one));
        struct catalog_reading *r = begin(&one, 150000);
        ck_assert(tell_digest(r, &one, "1", 150000));
        row(r, "function", "public", "f", "steady");
        if (way == 1) row(r, "poison", "", "", "");
        if (way == 2) catalog_reading_fail(r, &one); /* the connection is lost */
        else ck_assert(!end(r, &one, way == 1, 150000));
        ck_assert(!has_facts(&one) && catalog_entry_current(one.catalog, &one) && !catalog_reading_is_due(&one));
        loop.now_us += (uint64_t)CATALOG_RETRY_MS * 1000 + 1;
        r = begin(&one, 150000);
        ck_assert(ASKS_CHECK);
        ck_assert(tell_digest(r, &one, "1", 150000));
        tell_facts(r, &one, "steady");
        ck_assert_int_eq(kind_of_f(&one), CLASSIFY_FUNCTION_STEADY);
    }
}
END_TEST

/* A definition that is too long to be sent is NULL. */
START_TEST(a_column_may_be_null) {
    ck_assert(!has_facts(&one));
    struct catalog_reading *r = begin(&one, 150000);
    ck_assert(tell_digest(r, &one, "1", 150000));
    row(r, "relation", "public", "v", "view");
    row(r, "code", "public", "v", NULL);
    ck_assert(!end(r, &one, true, 150000));
    ck_assert_int_eq(kind_of_v(&one), CLASSIFY_RELATION_UNSAFE);
}
END_TEST

/* What no pool has any more is forgotten, a reading that is under way when that is over. */
START_TEST(what_nobody_has_goes) {
    learn(&one, "1", "steady");
    ck_assert(has_facts(&other));
    struct catalog_entry *e = one.catalog;
    one.catalog = NULL;
    catalog_book_leave(&set, e);
    ck_assert_int_eq(kind_of_f(&other), CLASSIFY_FUNCTION_STEADY);
    loop.now_us += (REFRESH_MS / 2 + 1) * 1000;
    struct catalog_reading *r = begin(&other, 150000);
    other.catalog = NULL;
    catalog_book_leave(&set, e);
    ck_assert_uint_eq(set.catalogs.count, 1);
    ck_assert(!tell_digest(r, &other, "1", 150000));
    ck_assert_uint_eq(set.catalogs.count, 0);
    ck_assert(!has_facts(&one) && catalog_reading_is_due(&one));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("catalog_book");
    tcase_add_checked_fixture(t, fresh, release);
    tcase_add_test(t, who_asks_makes_them_be_read);
    tcase_add_test(t, who_does_not_split_is_not_told);
    tcase_add_test(t, a_check_keeps_them);
    tcase_add_test(t, a_check_that_finds_something_reads_both_again);
    tcase_add_test(t, a_change_through_gilmok_ends_them);
    tcase_add_test(t, lists_of_functions_are_the_pools_own);
    tcase_add_test(t, pools_that_ask_the_same_share_them);
    tcase_add_test(t, old_servers_are_not_asked);
    tcase_add_test(t, facts_that_cannot_be_read);
    tcase_add_test(t, a_column_may_be_null);
    tcase_add_test(t, what_nobody_has_goes);
    return check_main_of("catalog_book", t);
}
