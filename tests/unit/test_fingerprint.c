/*
 * test_fingerprint.c - what has the same fingerprint and what has not; that it stays what it is; and that the shortcuts of
 * its making change nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parser/fingerprint.h"
#include "parser/fingerprint_put.h"
#include "parser/literal_list.h"
#include "parser/plan_key.h"
#include "tests/unit/check_main.h"

static struct sql_options options;
static struct sql_problem problem;

static void postgres(void) {
    options = sql_options_default(SQL_POSTGRES);
}

static void mysql(void) {
    options = sql_options_default(SQL_MYSQL);
}

static void mariadb(void) {
    options = (struct sql_options){.dialect = SQL_MYSQL, .flavour = SQL_FLAVOUR_MARIADB, .version = 101119};
}

/* In one of two static buffers that take turns. */
static struct fingerprint make(struct bytes text) {
    static uint8_t storage[2][65536];
    static unsigned turn;
    struct writer out;
    struct fingerprint fp = {.hash = 0};
    writer_init_fixed(&out, storage[++turn % 2], sizeof storage[0]);
    bool is_made = fingerprint_make(text, &options, &out, &fp, &problem);
    ck_assert_msg(is_made, "%.*s: %s", (int)text.len, (const char *)text.ptr, problem.reason);
    ck_assert_uint_eq(fp.hash, fingerprint_hash(fp.text));
    return fp;
}

struct example {
    const char *text, *fingerprint;
};

static void check_all(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct fingerprint fp = make(bytes_str(examples[i].text));
        ck_assert_msg(bytes_is(fp.text, examples[i].fingerprint), "%s\nwanted %s\ngot    %.*s", examples[i].text,
                      examples[i].fingerprint, (int)fp.text.len, (const char *)fp.text.ptr);
    }
}

#define CHECK_ALL(examples) check_all(examples, COUNT_OF(examples))

START_TEST(both_dialects) {
    static const struct example examples[] = {
        {"", ""},
        {" ; ;; ", ""},
        {"SELECT c FROM t WHERE id IN (1,2,3)", "select c from t where id in (?)"},
        {"select c from t where id in(4)", "select c from t where id in (?)"},
        {"select c from t where id not in ( - 4 , +5, 6.5 )", "select c from t where id not in (?)"},
        {"insert into t values (1,'a'),(2,'b'),(3,'c')", "insert into t values (?, ?)"},
        {"insert into t values (1,'a'), (2, now()), (3,'c'), (4, now()) returning a", "insert into t values (?, ?), (?, now()) returning a"},
        {"insert into t (a, b) select 1, 2", "insert into t(a, b) select ?, ?"},
        {"select (a, b) in ((1, 2), (3, 4))", "select (a, b) in ((?, ?))"},
        {"select a in (1, b, 2, b, f(1), f(2))", "select a in (?, b, f(?))"},
        {"select a in ((1), (2) + 1)", "select a in ((?), (?) + ?)"},
        {"select a in (select 1, 1, 1 union select 2, 2)", "select a in (select ?, ?, ? union select ?, ?)"},
        {"select a in (1, (select 1, 1 from t where b in (1, 2)))", "select a in (?, (select ?, ? from t where b in (?)))"},
        {"values (1, 2), (3, 4) union values (5), (6) order by 1", "values (?, ?) union values (?) order by ?"},
        {"select f(1, 1), (1, 1)", "select f(?, ?), (?, ?)"},
        {"select -1, - 1, +1, a-1, a - 1, a - -1, -a, -(1), - - 1", "select ?, ?, ?, a - ?, a - ?, a - ?, - a, - (?), ?"},
        {"select case when -1 then +1 else -1 end - 1 limit 5 offset 5", "select case when ? then ? else ? end - ? limit ? offset ?"},
        {"select null, true, f(null, false), a = null, a is null, a is not true", "select null, ?, f(?, ?), a = ?, a is null, a is not true"},
        {"update t set a = null, b = 'x' where c", "update t set a = ?, b = ? where c"},
        {"create table t (a int null, b int not null default 5)", "create table t(a int null, b int not null default ?)"},
        {"insert into t values (1, null), (null, 2), (true, false)", "insert into t values (?, ?)"},
        {"select 1 -- c\n, /* x */ 2", "select ?, ?"},
        {"select 1;select  2 ;", "select ?; select ?"},
        {";;a;b;", "a; b"},
        {"select t.a, t . b, count( * ), t.*", "select t.a, t.b, count(*), t.*"},
        {"select a<>1, a!=1, a <= 2, 5*3, 1%2", "select a <> ?, a <> ?, a <= ?, ? * ?, ? % ?"},
        {"select 5 in (1, -- c\n 2, 3)", "select ? in (?)"},
        {"select a in (1, ), b in (,1), c in ()", "select a in (?,), b in (, ?), c in ()"},
    };
    postgres();
    CHECK_ALL(examples);
    mysql();
    CHECK_ALL(examples);
    mariadb();
    CHECK_ALL(examples);
}
END_TEST

START_TEST(of_postgres) {
    static const struct example examples[] = {
        {"SELECT Foo, \"foo\", \"Foo\", \"select\", \"a b\", \"name\", \"1a\", \"\"\"\"", "select foo, foo, \"Foo\", \"select\", \"a b\", name, \"1a\", \"\"\"\""},
        {"select 'a'\n 'b', E'x\\'', U&'x' UESCAPE '!', $$x$$, $a$x$a$, $1, B'1', X'1f', N'x', 1.5e10", "select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"},
        {"select interval '1 day', '5'::int, x::text, null::int", "select interval ?, ?::int, x::text, ?::int"},
        {"select a = any(array[1,2,3]), array[[1,2],[3,4]], b[1:2], '{}'::int[]", "select a = any (array[?]), array[[?, ?]], b[? : ?], ?::int[]"},
        {"select a ? 'b', a ?| c, a||'x', a @> b", "select a \\? ?, a ?| c, a || ?, a @> b"},
        {"select * from f(a => 1)", "select * from f(a => ?)"},
        {"select U&\"x\\0061\" from t", "select U&\"x\\0061\" from t"},
        {"alter sequence s increment by -1 minvalue -5", "alter sequence s increment by ? minvalue ?"},
        {"select coalesce(a, 1), substring(b from 2), a between 1 and 2", "select coalesce(a, ?), substring(b from ?), a between ? and ?"},
    };
    postgres();
    CHECK_ALL(examples);
    options.modes = 0;
    struct fingerprint fp = make(bytes_str("select 'a\\'b', 'c' in ('\\'', ')')"));
    ck_assert(bytes_is(fp.text, "select ?, ? in (?)"));
}
END_TEST

START_TEST(of_mysql) {
    static const struct example examples[] = {
        {"SELECT Foo, `foo`, `Foo`, `select`, `a b`, `a``b` FROM T.`Select`", "select Foo, foo, Foo, `select`, `a b`, `a``b` from T.`Select`"},
        {"select t.Select, Select.a, COUNT(*), COUNT (*)", "select t.Select, Select.a, count(*), count(*)"},
        {"select 'a' \"b\" 'c', n'x' 'y', _utf8'x', x'1f', 0x1f, b'1', 0b1, ?", "select ?, ?, ?, ?, ?, ?, ?, ?"},
        {"select @a := 5, @@global.x, @'q' , u@h", "select @a := ?, @@global.x, @'q', u @h"},
        {"select /*+ no_icp(t) */ 1", "select ?"},
        {"select 1 /*!50000 + 2 */", "select ? + ?"},
        {"select 1 /*!99999 + 2 */", "select ?"},
        {"values row(1, 2), row(3, 4), row(5, f(6))", "values row(?, ?), row(?, f(?))"},
        {"insert into t value (1),(2) on duplicate key update a=values(a), b = values(b)", "insert into t value(?) on duplicate key update a = values (a), b = values (b)"},
        {"select a in (\"x\", 'it''s', 'it\\'s', -1.5, ?, null)", "select a in (?)"},
        {"select !a, !!a, a && b, a || b, ~a, a << 1", "select ! a, ! ! a, a && b, a || b, ~ a, a << ?"},
    };
    mariadb();
    CHECK_ALL(examples);
    options.modes = SQL_ANSI_QUOTES | SQL_NO_BACKSLASH_ESCAPES;
    static const struct example ansi[] = {
        {"select \"a\", \"A b\", `A b`, \"select\", \"x`y\", 'a\\', 'b'", "select a, `A b`, `A b`, `select`, \"x`y\", ?, ?"},
        {"select a in ('\\', \"b\", '\\')", "select a in (?, b)"},
    };
    CHECK_ALL(ansi);
}
END_TEST

/* Pairs that must not be mixed up. */
START_TEST(different) {
    static const char *const pairs[][2] = {
        {"select a from t", "select b from t"},
        {"select a from t", "select a from u"},
        {"select 1", "select 1, 2"},
        {"select a in (1)", "select a in (b)"},
        {"select a in (1, b)", "select a in (b)"},
        {"insert into t values (1)", "insert into t values (1, 2)"},
        {"insert into t values (1)", "insert into t (a) values (1)"},
        {"select a - 1", "select a, - 1"},
        {"select a is null", "select a is true"},
        {"select a = b", "select a <> b"},
        {"select a", "select a;select a"},
        {"select (a), b", "select (a, b)"},
        {"select 'a' = b", "select b = 'a'"},
        {"select a.b", "select a b"},
        {"delete from t", "delete from t where a = 1"},
    };
    for (int dialect = 0; dialect < 2; dialect++) {
        if (dialect == 0) postgres();
        else mysql();
        for (size_t i = 0; i < COUNT_OF(pairs); i++) {
            struct fingerprint a = make(bytes_str(pairs[i][0])), b = make(bytes_str(pairs[i][1]));
            ck_assert_msg(!bytes_equal(a.text, b.text) && a.hash != b.hash, "%s\n%s", pairs[i][0], pairs[i][1]);
        }
    }
    postgres();
    struct fingerprint a = make(bytes_str("select a ? b")), b = make(bytes_str("select a, 1 b"));
    ck_assert(!bytes_equal(a.text, b.text));
    a = make(bytes_str("select \"A\""));
    b = make(bytes_str("select a"));
    ck_assert(!bytes_equal(a.text, b.text));
    mysql();
    a = make(bytes_str("select A"));
    b = make(bytes_str("select a"));
    ck_assert(!bytes_equal(a.text, b.text));
}
END_TEST

/* Statistics are kept over restarts and between processes: these numbers never change. */
START_TEST(stable) {
    static const struct {
        const char *text;
        uint64_t hash;
    } of_text[] = {
        {"", UINT64_C(0xf624eb2f8cdb36c6)},
        {"a", UINT64_C(0x022f1f50894d9185)},
        {"select ?", UINT64_C(0x5230872151fb7368)},
        {"select c from t where id in (?)", UINT64_C(0xcfa8e8694198ffc5)},
        {"0123456789abcdef", UINT64_C(0x8d4d8e9fd1d4bc2e)},
        {"0123456789abcdef0", UINT64_C(0x8df840343c519e06)},
    };
    for (size_t i = 0; i < COUNT_OF(of_text); i++) {
        uint64_t got = fingerprint_hash(bytes_str(of_text[i].text));
        ck_assert_msg(got == of_text[i].hash, "%s: %#llx", of_text[i].text, (unsigned long long)got);
    }
    postgres();
    ck_assert_uint_eq(make(bytes_str("SELECT c FROM t WHERE id IN (1, 2)")).hash, of_text[3].hash);
}
END_TEST

static int compare(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* A weak hash would not survive this: all short texts over a few letters, and texts that differ in one bit. */
START_TEST(hashes_differ) {
    enum { COUNT = 4096 };
    static uint64_t seen[COUNT + 800];
    size_t count = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        char text[16];
        int len = snprintf(text, sizeof text, "%o", i);
        seen[count++] = fingerprint_hash(bytes_of(text, (size_t)len));
    }
    uint8_t text[100] = {0};
    for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
        text[bit / 8] ^= (uint8_t)(1 << bit % 8);
        seen[count++] = fingerprint_hash(bytes_of(text, sizeof text));
        text[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    qsort(seen, count, sizeof seen[0], compare);
    for (size_t i = 1; i < count; i++) ck_assert(seen[i] != seen[i - 1]);
}
END_TEST

START_TEST(limits) {
    postgres();
    static const char text[] = "select a, b in (1, 2), c from some_table_with_a_long_name where d = 'x'";
    static const char wanted[] = "select a, b in (?), c from some_table_with_a_long_name where d = ?";
    uint8_t storage[300];
    struct writer out;
    struct fingerprint fp;
    size_t needed = 0;
    for (size_t size = 0; size < sizeof storage; size++) {
        writer_init_fixed(&out, storage, size);
        bool is_made = fingerprint_make(bytes_str(text), &options, &out, &fp, &problem);
        ck_assert(is_made == !out.failed);
        if (is_made && !needed) needed = size;
        ck_assert(is_made == (needed > 0));
        if (is_made) ck_assert(bytes_is(fp.text, wanted));
    }
    ck_assert_uint_le(needed, strlen(wanted) + 64);
    /* Behind what a writer holds already; and an unreadable text leaves no trace. */
    writer_init(&out, 1000);
    writer_str(&out, "before ");
    ck_assert(fingerprint_make(bytes_str("select 1"), &options, &out, &fp, &problem));
    ck_assert(bytes_is(writer_bytes(&out), "before select ?") && bytes_is(fp.text, "select ?"));
    static const char *const unreadable[] = {"select 'x", "select a, b, \"x", "select /* x", "select 1, 'x''", "'"};
    for (size_t i = 0; i < COUNT_OF(unreadable); i++) {
        ck_assert(!fingerprint_make(bytes_str(unreadable[i]), &options, &out, &fp, &problem));
        ck_assert(bytes_is(writer_bytes(&out), "before select ?"));
        ck_assert_ptr_nonnull(problem.reason);
    }
    options.encoding = SQL_ENCODING_UNSAFE;
    ck_assert(!fingerprint_make(bytes_str("select '\x81'"), &options, &out, &fp, &problem));
    ck_assert_uint_eq(problem.position, 8);
    writer_release(&out);
}
END_TEST

/* Lists in lists, deeper than is kept track of: still the same text for the same tokens, and no harm done. */
START_TEST(deep_lists) {
    postgres();
    char text[20000];
    for (int depth = 1; depth < 300; depth += 13) {
        size_t len = 0;
        for (int i = 0; i < depth; i++) len += (size_t)snprintf(text + len, sizeof text - len, "a in (1, 2, (");
        for (int i = 0; i < depth; i++) len += (size_t)snprintf(text + len, sizeof text - len, "), 3)");
        struct fingerprint a = make(bytes_of(text, len));
        for (size_t i = 0; i < len; i++) text[i] = text[i] == '2' ? '9' : text[i];
        struct fingerprint b = make(bytes_of(text, len));
        ck_assert(bytes_equal(a.text, b.text));
    }
    for (int count = 1; count < 5000; count += 997) {
        memset(text, ')', (size_t)count);
        ck_assert_uint_eq(make(bytes_of(text, (size_t)count)).text.len, (size_t)count);
    }
}
END_TEST

/* ---- shortcuts ------------------------------------------------------------------------------------------------------- */

static uint32_t rng_state = 1;

static uint32_t rng(uint32_t below) {
    rng_state = rng_state * 1664525 + 1013904223;
    return (rng_state >> 8) % below;
}

/* With and without shortcuts: the same text, or the same problem. The text stands at the end of its memory. */
static void check_shortcuts(const char *text, size_t len) {
    static uint8_t storage[2][65536];
    static struct maker makers[2];
    bool is_made[2];
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    for (int i = 0; i < 2; i++) {
        struct writer out;
        writer_init_fixed(&out, storage[i], sizeof storage[i]);
        makers[i].has_shortcuts = i == 0;
        is_made[i] = fingerprint_run(&makers[i], bytes_of(copy, len), &options, &out);
    }
    ck_assert_msg(is_made[0] == is_made[1], "%.*s", (int)len, text);
    if (is_made[0]) {
        struct bytes quick = bytes_of(storage[0], makers[0].n.pos), slow = bytes_of(storage[1], makers[1].n.pos);
        ck_assert_msg(bytes_equal(quick, slow), "%.*s\nwith shortcuts    %.*s\nwithout shortcuts %.*s", (int)len, text,
                      (int)quick.len, (const char *)quick.ptr, (int)slow.len, (const char *)slow.ptr);
    } else {
        ck_assert_msg(makers[0].lex.problem_at == makers[1].lex.problem_at, "%.*s", (int)len, text);
    }
    free(copy);
}

static const char *const seeds[] = {
    "SELECT a.b, count(*) FROM T AS x WHERE id IN (1, -2, 'x') AND y = $1 LIMIT 5; SELECT 1.5 ;",
    "select ?, @a := 5, t.select, @@global.x from `a b`.c where d->'$.x' > 0x1f and e = _utf8'x' 'y'",
    "/*!50000 insert into t values (1, 'a', null), (2, \"b\", now()) */ # x",
    "select x::int[1], 'a' || E'b\\'' , U&'d' UESCAPE '!', $a$ x $a$, a ? b, a <= 5 -- c\n and b",
    "update t set a = a - 1, b = - 1, c = count (*), d = t . e where f <> 1 and g != 2 /* c */;;",
    "INSERT INTO t (a_long_name_of_a_column, b) VALUES (1,'x'),(2,'y'),(-3.5,NULL), ( 4 , 'it''s' ),(true,false),(5,6) RETURNING a",
    "insert into t values (1, 2), (3, 4) , (5, f(6)), (7, 8), (9, 1e5), (0x1f, 'a' 'b'), ($1, $2), (?, ?)",
    "select a in (1,2,3), b in ('a', 'b', $3), c in ((1,2),(3,4),(5,6+7)), array[1,2,3], array[[1,2],[3,4]], d in (null, true)",
    "select a1 B2 c$d _e \xc3\xa9t\xc3\xa9 from a.b.c.d where x in (select 1, 1) and row(1, 2) = any (values row(1,2), row(3,4))",
    "select 'a' 'b', 'c'-- x\n'd', 'e' \n 'f', n'g', b'1', x'1f', 12345678901234567890, 1.5, .5, 5., 1e5, 1_000, 0b1",
};

START_TEST(shortcuts_change_nothing) {
    static const char bytes[] = " '\"()[],.;:-+/*#?$_\\`@a1NbxE=<>|\n\t\xc3";
    for (unsigned round = 0; round < 20000; round++) {
        static const uint32_t modes[] = {0, 0, SQL_ANSI_QUOTES, SQL_NO_BACKSLASH_ESCAPES};
        uint32_t which = rng(3);
        if (which == 0) postgres();
        else if (which == 1) mysql();
        else mariadb();
        if (which == 0) options.modes = rng(4) ? SQL_STANDARD_STRINGS : 0;
        else options.modes = modes[rng(COUNT_OF(modes))];
        char text[512];
        const char *seed = seeds[rng(COUNT_OF(seeds))];
        uint32_t len = (uint32_t)strlen(seed);
        memcpy(text, seed, len);
        for (uint32_t i = rng(4); i > 0; i--) text[rng(len)] = bytes[rng(sizeof bytes - 1)];
        if (rng(3) == 0) len = rng(len);
        check_shortcuts(text, len);
    }
}
END_TEST

/* Rows and lists of a thousand constants, one of which is something else: at each place, and of each kind. */
START_TEST(long_lists) {
    static const char *const others[] = {
        "f(1)", "1e5", "1 + 1", "'a' 'b'", "0x1f", "a", "/* c */ 1", "1 -- c\n", "(1)", "$1", "-1", "null", "1.2.3", "'",
    };
    static char text[65536];
    for (int dialect = 0; dialect < 2; dialect++) {
        if (dialect == 0) postgres();
        else mysql();
        for (size_t k = 0; k < COUNT_OF(others); k++) {
            for (unsigned place = 0; place < 1000; place += 1 + rng(300)) {
                size_t len = (size_t)snprintf(text, sizeof text, "insert into t values ");
                for (unsigned i = 0; i < 1000; i++) {
                    const char *comma = i == 0 ? "" : i % 3 ? ", " : " ,\n", *third = i == place ? others[k] : "2.5";
                    len += (size_t)snprintf(text + len, sizeof text - len, "%s(%u,'%u', %s)", comma, i, i * i, third);
                }
                check_shortcuts(text, len);
                len = (size_t)snprintf(text, sizeof text, "select a in (");
                for (unsigned i = 0; i < 1000; i++) {
                    const char *element = i == place ? others[k] : "'x'";
                    len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? ", " : "", element);
                }
                check_shortcuts(text, len);
            }
        }
    }
}
END_TEST

/* The two normalisations share tokens, not results: what one leaves out the other keeps. */
START_TEST(not_the_plan_key) {
    postgres();
    struct plan_literal literals[8];
    uint8_t storage[2][200];
    struct plan_key a, b;
    struct writer out;
    const char *one = "select a in (1)", *two = "select a in (1, 2)";
    struct fingerprint fa = make(bytes_str(one)), fb = make(bytes_str(two));
    writer_init_fixed(&out, storage[0], sizeof storage[0]);
    ck_assert(plan_key_make(bytes_str(one), &options, &out, literals, COUNT_OF(literals), &a, &problem));
    writer_init_fixed(&out, storage[1], sizeof storage[1]);
    ck_assert(plan_key_make(bytes_str(two), &options, &out, literals, COUNT_OF(literals), &b, &problem));
    ck_assert(bytes_equal(fa.text, fb.text) && !bytes_equal(a.text, b.text));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("fingerprint");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, both_dialects);
    tcase_add_test(tc, of_postgres);
    tcase_add_test(tc, of_mysql);
    tcase_add_test(tc, different);
    tcase_add_test(tc, stable);
    tcase_add_test(tc, hashes_differ);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, deep_lists);
    tcase_add_test(tc, shortcuts_change_nothing);
    tcase_add_test(tc, long_lists);
    tcase_add_test(tc, not_the_plan_key);
    return check_main_of("fingerprint", tc);
}
