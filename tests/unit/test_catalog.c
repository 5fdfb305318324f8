/* What names stand for: the graph, and the rows that a PostgreSQL database tells it with. */
#include <stdio.h>

#include "routing/catalog_pg.h"
#include "tests/unit/check_main.h"

enum { L = EFFECT_LEAVES, S = EFFECT_STAYS, M = EFFECT_MOVES, U = EFFECT_UNKNOWN | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_EXECUTES, N = EFFECT_NEXTVAL,
       E = EFFECT_NAMED };

static struct catalog *c;
static struct arena arena;

static void fresh(void) {
    c = catalog_new();
    arena_init(&arena, 1 << 20);
    ck_assert_ptr_nonnull(c);
}

static void release(void) {
    catalog_free(c);
    arena_release(&arena);
}

static uint32_t node(enum catalog_kind kind, const char *key) {
    return catalog_node(c, kind, bytes_str(key));
}

START_TEST(what_runs_something_leaves_what_that_leaves) {
    uint32_t a = node('F', "1"), b = node('F', "2"), d = node('F', "3");
    catalog_runs(c, a, b);
    catalog_runs(c, b, d);
    ck_assert_uint_eq(catalog_effects(c, a), 0);
    catalog_leaves(c, d, L);
    ck_assert_uint_eq(catalog_effects(c, a), L);
    catalog_runs(c, d, a); /* each other */
    catalog_leaves(c, b, S);
    ck_assert_uint_eq(catalog_effects(c, d), L | S);
    ck_assert_uint_eq(catalog_effects(c, a), L | S);
    catalog_runs(c, node('F', "4"), a);
    ck_assert_uint_eq(catalog_effects(c, node('F', "4")), L | S);
    ck_assert_uint_eq(catalog_effects(c, node('R', "4")), 0);
}
END_TEST

/* A long chain and a wide star: no recursion, no list that is too short. */
START_TEST(many_nodes) {
    char key[16];
    uint32_t before = node('F', "0"), hub = node('F', "hub");
    for (int i = 1; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        uint32_t now = node('F', key);
        catalog_runs(c, before, now);
        catalog_runs(c, now, hub);
        before = now;
    }
    catalog_leaves(c, before, S);
    catalog_leaves(c, hub, L);
    ck_assert_uint_eq(catalog_effects(c, node('F', "0")), L | S);
    ck_assert_uint_eq(catalog_effects(c, node('F', "2500")), L | S);
    ck_assert(catalog_is_whole(c));
}
END_TEST

START_TEST(settings_have_room_or_not) {
    char name[300];
    ck_assert(catalog_note_setting(c, bytes_str("a.b")) && catalog_note_setting(c, bytes_str("a.b")));
    ck_assert_uint_eq(catalog_settings(c).len, 4);
    memset(name, 'x', sizeof name);
    int count = 0;
    for (; count < 10; count++) {
        snprintf(name, 4, "%d", count);
        name[1] = '.';
        if (!catalog_note_setting(c, bytes_of((const uint8_t *)name, sizeof name))) break;
    }
    ck_assert_int_eq(count, 3);
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static void take(const char *kind, const char *id, const char *name, const char *list) {
    struct bytes row[] = {bytes_str(kind), bytes_str(id), bytes_str(name), list ? bytes_str(list) : bytes_of(NULL, 0)};
    ck_assert(catalog_pg_take(c, row, &arena));
}

static unsigned function(const char *name) {
    return catalog_of_function(c, bytes_str(name));
}

static unsigned reading(const char *name) {
    return catalog_of_relation(c, bytes_str(name), false);
}

static unsigned writing(const char *name) {
    return catalog_of_relation(c, bytes_str(name), true);
}

START_TEST(functions_by_language_and_body) {
    take("function", "1", "in_perl", "plperl ");
    take("function", "2", "in_c", "c $libdir/hstore");
    take("function", "3", "in_other_c", "c $libdir/dblink");
    take("function", "4", "calls", "sql ");
    take("function", "5", "sets", "plpgsql ");
    take("function", "6", "two", "plpgsql ");
    take("function", "7", "two", "plpgsql ");
    take("function", "8", "huge", "plpgsql ");
    take("function", "9", "geo", "c $libdir/postgis-3");
    take("function", "10", "own", "internal ");
    take("body", "4", "sql", "select sets(), in_c()");
    take("body", "5", "plpgsql", "begin set app.who = 'x'; end");
    take("body", "6", "plpgsql", "begin return 1; end");
    take("body", "7", "plpgsql", "begin return nextval('s'); end");
    take("body", "8", "plpgsql", NULL);
    ck_assert_uint_eq(function("in_perl"), U);
    ck_assert_uint_eq(function("in_c"), 0);
    ck_assert_uint_eq(function("geo"), 0);
    ck_assert_uint_eq(function("in_other_c"), U);
    ck_assert_uint_eq(function("own"), U);
    ck_assert_uint_eq(function("sets"), L | M);
    ck_assert_uint_eq(function("calls"), L | M);
    ck_assert_uint_eq(function("two"), N); /* the worst of both */
    ck_assert_uint_eq(function("huge"), U);
    ck_assert_uint_eq(function("nobody"), EFFECT_NO_SUCH);
    ck_assert_str_eq((const char *)catalog_settings(c).ptr, "app.who");
    ck_assert(!catalog_may_do(c));
    take("do", "", "", "");
    ck_assert(catalog_may_do(c));
}
END_TEST

/* Who calls a function that sets what it is told to, says what that is, or not. */
START_TEST(settings_are_named_by_callers) {
    static const char *const functions[] = {"set_ctx", "given", "passes", "computes", "twice", "gives_on", "plain", "odd"};
    char number[8];
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        snprintf(number, sizeof number, "%zu", i + 1);
        take("function", number, functions[i], "plpgsql ");
    }
    take("body", "2", "plpgsql", "begin perform set_ctx('app.given', 1); end");
    take("body", "3", "plpgsql key", "begin perform set_ctx(key, 1); end");
    take("body", "4", "plpgsql key", "begin perform set_ctx('a.' || key, 1); end");
    take("body", "5", "sql ", "select set_ctx('app.one', 1); select set_ctx($1, 2)");
    take("body", "6", "plpgsql", "begin perform passes('app.two'), computes('app.unused'); end");
    take("body", "7", "plpgsql", "begin perform set_ctx('work_mem', 1); end");
    take("body", "8", "plpgsql", "begin perform set_ctx('app.\177', 1); end");
    take("body", "1", "plpgsql k", "begin perform set_config(k, v, false); end");
    take("write", "20", "t", "f1");
    take("everywhere", "", "", "f3");
    ck_assert_uint_eq(function("set_ctx"), L | M | E);
    ck_assert_uint_eq(function("given"), L | M);
    ck_assert_uint_eq(function("passes"), L | M | E);
    ck_assert_uint_eq(function("computes"), L | S | M);
    ck_assert_uint_eq(function("twice"), L | M | E);
    ck_assert_uint_eq(function("gives_on"), L | S | M);
    ck_assert_uint_eq(function("plain"), L | M);
    ck_assert_uint_eq(function("odd"), L | S | M); /* no look could ask for it */
    ck_assert_uint_eq(writing("t"), L | S | M);
    ck_assert_uint_eq(catalog_everywhere(c), L | S | M);
    static const char names[] = "app.one\0app.two\0app.given"; /* not those of functions that set nothing of the kind */
    struct bytes settings = catalog_settings(c);
    for (size_t at = 0; at < sizeof names; at += strlen(names + at) + 1)
        ck_assert_msg(memmem(settings.ptr, settings.len, names + at, strlen(names + at) + 1), "%s", names + at);
    ck_assert_uint_eq(settings.len, sizeof names);
}
END_TEST

START_TEST(relations_run_what_their_rows_say) {
    take("function", "1", "sets", "plpgsql ");
    take("read", "20", "v", "f1 r21");
    take("read", "22", "v2", "r20");
    take("write", "23", "t", "f1");
    take("write", "24", "parent", "w23 f0");
    take("write", "25", "by_default", "bset_config");
    take("write", "26", "harmless", "bnow");
    take("function", "2", "reads", "sql ");
    take("function", "3", "writes", "plpgsql ");
    take("body", "1", "plpgsql", "begin set x = 1; end");
    take("body", "2", "sql", "select * from v2");
    take("body", "3", "plpgsql", "begin insert into parent values (1); end");
    ck_assert_uint_eq(reading("v"), L | M);
    ck_assert_uint_eq(reading("v2"), L | M);
    ck_assert_uint_eq(writing("v2"), 0);
    ck_assert_uint_eq(writing("t"), L | M);
    ck_assert_uint_eq(reading("t"), 0);
    ck_assert_uint_eq(writing("parent"), L | M);
    ck_assert_uint_eq(writing("by_default"), L | M);
    ck_assert_uint_eq(writing("harmless"), 0);
    ck_assert_uint_eq(function("reads"), L | M);
    ck_assert_uint_eq(function("writes"), L | N | M);
}
END_TEST

START_TEST(aggregates_operators_and_names_in_other_letters) {
    take("function", "1", "sets", "plpgsql ");
    take("function", "2", "agg", "aggregate");
    take("aggregate", "2", "", "f177 f1 f0");
    ck_assert_uint_eq(catalog_everywhere(c), 0);
    take("everywhere", "", "", NULL);
    ck_assert_uint_eq(catalog_everywhere(c), 0);
    take("everywhere", "", "", "f1");
    take("function", "3", "", "plperl "); /* a name that is not plain ASCII */
    take("body", "1", "plpgsql", "begin set x = 1; end");
    ck_assert_uint_eq(function("agg"), L | M);
    ck_assert_uint_eq(catalog_everywhere(c), L | M);
    ck_assert_uint_eq(function("f\xc3\xbc"), U);
    ck_assert_uint_eq(function("fu"), EFFECT_NO_SUCH);
}
END_TEST

START_TEST(rows_that_are_none) {
    struct bytes row[] = {bytes_str("else"), bytes_str("1"), bytes_str("x"), bytes_str("y")};
    ck_assert(!catalog_pg_take(c, row, &arena));
    row[0] = bytes_str("digest");
    ck_assert(catalog_pg_take(c, row, &arena) && catalog_pg_is_digest(row));
    take("write", "1", "t", "f r w x1  bnobody f");
    ck_assert(catalog_is_whole(c));
}
END_TEST

START_TEST(the_queries_fit) {
    struct writer w;
    writer_init(&w, CATALOG_PG_QUERY_MAX);
    catalog_pg_put_query(&w, 180000);
    ck_assert(!w.failed && memmem(w.data, w.len, "'setseed'", 9) && memmem(w.data, w.len, "sqlbody", 7));
    writer_reset(&w);
    catalog_pg_put_query(&w, 130000);
    ck_assert(!w.failed && !memmem(w.data, w.len, "sqlbody", 7));
    writer_reset(&w);
    catalog_pg_put_check(&w);
    ck_assert(!w.failed);
    writer_release(&w);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("catalog");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, what_runs_something_leaves_what_that_leaves);
    tcase_add_test(tc, many_nodes);
    tcase_add_test(tc, settings_have_room_or_not);
    tcase_add_test(tc, functions_by_language_and_body);
    tcase_add_test(tc, settings_are_named_by_callers);
    tcase_add_test(tc, relations_run_what_their_rows_say);
    tcase_add_test(tc, aggregates_operators_and_names_in_other_letters);
    tcase_add_test(tc, rows_that_are_none);
    tcase_add_test(tc, the_queries_fit);
    return check_main_of("catalog", tc);
}
