/*
 * test_plan_key.c - texts with the same tokens, and only these, have the same plan key.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "parser/lex.h"
#include "parser/plan_key.h"
#include "tests/unit/check_main.h"

enum { LITERALS = 512 };

static struct sql_options options;
static struct plan_literal literals[LITERALS];
static struct sql_problem problem;

static void postgres(void) {
    options = sql_options_default(SQL_POSTGRES);
}

static void mysql(void) {
    options = sql_options_default(SQL_MYSQL);
}

/* The key of a text; its text is in one of two static buffers that take turns. */
static bool key_of(struct bytes text, struct plan_key *key) {
    static uint8_t storage[2][16384];
    static unsigned turn;
    struct writer out;
    writer_init_fixed(&out, storage[++turn % 2], sizeof storage[0]);
    return plan_key_make(text, &options, &out, literals, LITERALS, key, &problem);
}

struct example {
    const char *text, *key;
};

static void check_all(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct plan_key key;
        ck_assert_msg(key_of(bytes_str(examples[i].text), &key), "%s: %s", examples[i].text, problem.reason);
        ck_assert_msg(bytes_is(key.text, examples[i].key), "%s\nwanted %s\ngot    %.*s", examples[i].text, examples[i].key,
                      (int)key.text.len, (const char *)key.text.ptr);
        ck_assert_uint_eq(key.hash, map_hash(key.text));
    }
}

#define CHECK_ALL(examples) check_all(examples, COUNT_OF(examples))

START_TEST(keys_of_postgres) {
    static const struct example examples[] = {
        {"SELECT c FROM t WHERE id IN (1, -2, 'x')", "select c from t where id in (?, - ?, '?')"},
        {"select C from T where ID in(1,-2,'x') -- c", "select c from t where id in (?, - ?, '?')"},
        {";; select 1 ; ;", "select ?"},
        {"select 1; select 2;", "select ?; select ?"},
        {"", ""},
        {"values (1, 2), (3, 4)", "values (?, ?), (?, ?)"},
        {"select 1.5, 1e3, E'x', U&'x' UESCAPE '!', $a$x$a$, N'x', B'1', X'1f'", "select ?., ?., e'?', u&'?', $?$, n'?', b'?', x'?'"},
        {"select $2, $10 = $1, null, true", "select :2, :10 = :1, null, true"},
        {"select \"A b\".\"x\", a.b, 'a'\n'b', x::int, a[1]", "select \"A b\".\"x\", a.b, '?', x :: int, a [ ? ]"},
        {"select a != b, a <> b, a||b, a ? b, ?| c", "select a != b, a <> b, a || b, a \\? b, ?| c"},
        {"select count (*), count(*)", "select count (*), count (*)"},
        {"select /* hint */ 1 /*+ x */", "select ?"},
    };
    postgres();
    CHECK_ALL(examples);
}
END_TEST

START_TEST(keys_of_mysql) {
    static const struct example examples[] = {
        {"SELECT c FROM T WHERE Uid IN (1, -2, 'x')", "select c from T where Uid in (?, - ?, '?')"},
        {"select count(*), count (*), COUNT(*)", "select count(*), count (*), count(*)"},
        {"select a.b, a .b, a. b, t.select, `a`.`b``c`", "select a.b, a .b, a. b, t.select, `a`.`b``c`"},
        {"select ?, ?+?, @a:=1, @@global.x, \\N", "select :1, :2 + :3, @a := ?, @@global.x, \\N"},
        {"select /*+ no_icp(t) */ 1 /* x */ # y", "select /*+ no_icp(t) */ ?"},
        {"select _UTF8mb4'a' 'b', n'x', x'1f', 0x1f, b'1', 0b1, \"s\"", "select _utf8mb4 '?' '?', n'?', x'?', 0x?, b'?', 0b?, '?'"},
        {"select 1 /*!50000 + 2 */ /*!99999 + 3 */", "select ? + ?"},
        {"insert into t values(1),(2)", "insert into t values(?), (?)"},
    };
    mysql();
    options.flavour = SQL_FLAVOUR_MARIADB;
    options.version = 101119;
    struct example without_hint[COUNT_OF(examples)];
    memcpy(without_hint, examples, sizeof examples);
    without_hint[4].key = "select ?";
    CHECK_ALL(without_hint);
    mysql();
    options.version = 50744;
    CHECK_ALL(examples);
}
END_TEST

START_TEST(literals_and_their_places) {
    postgres();
    struct plan_key key;
    const char *text = "select 'it''s', -12 , $tag$x$tag$ where a = 1.5 and b = $3 limit 5;";
    ck_assert(key_of(bytes_str(text), &key));
    static const struct {
        const char *text;
        uint16_t kind;
    } wanted[] = {
        {"'it''s'", TOKEN_STRING}, {"12", TOKEN_INTEGER}, {"$tag$x$tag$", TOKEN_DOLLAR_STRING}, {"1.5", TOKEN_NUMBER}, {"5", TOKEN_INTEGER},
    };
    ck_assert_uint_eq(key.literal_count, COUNT_OF(wanted));
    ck_assert_uint_eq(key.param_count, 3);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        ck_assert(bytes_is(bytes_of(text + literals[i].start, literals[i].end - literals[i].start), wanted[i].text));
        ck_assert_uint_eq(literals[i].kind, wanted[i].kind);
    }
    mysql();
    ck_assert(key_of(bytes_str("select ?, 1, ? -- ?"), &key));
    ck_assert(key.param_count == 2 && key.literal_count == 1);
}
END_TEST

START_TEST(limits) {
    postgres();
    uint8_t storage[256];
    struct writer out;
    struct plan_key key;
    static const char text[] = "select 1, 2, 3";
    for (uint32_t max = 0; max < 5; max++) {
        writer_init_fixed(&out, storage, sizeof storage);
        bool is_made = plan_key_make(bytes_str(text), &options, &out, literals, max, &key, &problem);
        ck_assert(is_made == (max >= 3) && !out.failed);
        if (!is_made) ck_assert_uint_eq(problem.position, 7 + 3 * max);
    }
    size_t needed = 0;
    for (size_t size = 0; size < sizeof storage; size++) {
        writer_init_fixed(&out, storage, size);
        bool is_made = plan_key_make(bytes_str(text), &options, &out, literals, LITERALS, &key, &problem);
        ck_assert(is_made == !out.failed);
        if (is_made && !needed) needed = size;
        ck_assert(is_made == (needed > 0));
    }
    ck_assert_uint_le(needed, strlen("select ?, ?, ?") + 64);
    /* Behind what a writer holds already. */
    writer_init(&out, 1000);
    writer_str(&out, "before ");
    ck_assert(plan_key_make(bytes_str(text), &options, &out, literals, LITERALS, &key, &problem));
    ck_assert(bytes_is(writer_bytes(&out), "before select ?, ?, ?") && bytes_is(key.text, "select ?, ?, ?"));
    ck_assert(!plan_key_make(bytes_str("select 'x"), &options, &out, literals, LITERALS, &key, &problem));
    ck_assert(bytes_is(writer_bytes(&out), "before select ?, ?, ?"));
    ck_assert_uint_eq(problem.position, 7);
    writer_release(&out);
}
END_TEST

/* A long name is longer than what is kept free for one token. */
START_TEST(long_words) {
    postgres();
    struct writer out;
    struct plan_key key;
    char text[3000];
    for (size_t len = 1; len < 2900; len += 37) {
        memset(text, 'X', len);
        writer_init(&out, 10000);
        ck_assert(plan_key_make(bytes_of(text, len), &options, &out, literals, LITERALS, &key, &problem));
        ck_assert_uint_eq(key.text.len, len);
        ck_assert_uint_eq(key.text.ptr[len - 1], 'x');
        writer_release(&out);
    }
}
END_TEST

static bool is_constant(uint16_t kind) {
    return kind >= TOKEN_INTEGER && kind <= TOKEN_BIT_NUMBER;
}

static bool same_word(struct bytes a, struct bytes b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t x = a.ptr[i], y = b.ptr[i];
        if (x != y && ((x | 0x20) != (y | 0x20) || (x | 0x20) < 'a' || (x | 0x20) > 'z')) return false;
    }
    return true;
}

static void next_but_semicolons(struct lexer *l, struct token *t, bool *had) {
    for (*had = false, lex_next(l, t); t->kind == ';'; lex_next(l, t)) *had = true;
}

/* The same tokens, but for the values of constants and the case of words. */
static bool same_tokens(struct bytes a, struct bytes b) {
    struct lexer la, lb;
    struct token ta, tb;
    lex_init(&la, a, &options);
    lex_init(&lb, b, &options);
    bool is_first = true;
    do {
        bool had_a, had_b;
        next_but_semicolons(&la, &ta, &had_a);
        next_but_semicolons(&lb, &tb, &had_b);
        if (ta.kind != tb.kind) return false;
        if (had_a != had_b && !is_first && ta.kind != TOKEN_END) return false;
        if (ta.kind == TOKEN_PARAM && ta.value != tb.value) return false;
        if (!is_constant(ta.kind) && ta.kind != TOKEN_PARAM &&
            !same_word(bytes_of(a.ptr + ta.start, ta.end - ta.start), bytes_of(b.ptr + tb.start, tb.end - tb.start))) {
            return false;
        }
        is_first = false;
    } while (ta.kind != TOKEN_END && ta.kind != TOKEN_ERROR);
    return true;
}

static uint32_t rng_state = 1;

static uint32_t rng(uint32_t below) {
    rng_state = rng_state * 1664525 + 1013904223;
    return (rng_state >> 8) % below;
}

static const char *const seeds[] = {
    "SELECT a.b, count(*) FROM t AS x WHERE id IN (1, -2, 'x') AND y = $1 LIMIT 5; SELECT 1.5",
    "select ?, @a := 5, t.select, @@global.x from `a b`.c where d->'$.x' > 0x1f and e = _utf8'x' 'y'",
    "/*! insert into t values (1, 'a', null), (2, \"b\", now()) */ # x",
    "select x::int[1], 'a' || E'b\\'' , U&'d' UESCAPE '!', $a$ x $a$, a ? b, a <= 5 -- c",
    "update t set a = a - 1, b = - 1, c = count (*), d = t . e where f <> 1 and g != 2 /* c */;;",
};

/*
 * One or two bytes changed: when both texts have a key, it is the same exactly when their tokens are. A key may be
 * told apart by white space in MySQL, where it can matter: only the other direction holds.
 */
START_TEST(keys_tell_tokens_apart) {
    static const char bytes[] = " '\"()[],.;:-+/*#?$_\\`@a1Nbx=<>|\n";
    unsigned same = 0, different = 0;
    for (unsigned round = 0; round < 15000; round++) {
        if (round % 3 == 0) postgres();
        else mysql();
        if (round % 3 == 2) options = (struct sql_options){.dialect = SQL_MYSQL, .flavour = SQL_FLAVOUR_MARIADB, .version = 101119};
        char a[256], b[256];
        const char *seed = seeds[rng(COUNT_OF(seeds))];
        uint32_t len = (uint32_t)strlen(seed);
        memcpy(a, seed, len);
        if (rng(2)) a[rng(len)] = bytes[rng(sizeof bytes - 1)];
        memcpy(b, a, len);
        b[rng(len)] = bytes[rng(sizeof bytes - 1)];
        struct plan_key ka, kb;
        if (!key_of(bytes_of(a, len), &ka) || !key_of(bytes_of(b, len), &kb)) continue;
        bool has_same_key = bytes_equal(ka.text, kb.text), is_same = same_tokens(bytes_of(a, len), bytes_of(b, len));
        ck_assert_msg(!has_same_key || is_same, "%.*s\n%.*s\nhave both the key %.*s", (int)len, a, (int)len, b, (int)ka.text.len,
                      (const char *)ka.text.ptr);
        /* In PostgreSQL only quoted names of other case are left to differ. */
        if (options.dialect == SQL_POSTGRES && is_same && !has_same_key) ck_assert_ptr_nonnull(memchr(a, '"', len));
        same += has_same_key;
        different += !has_same_key;
    }
    ck_assert_msg(same > 500 && different > 500, "%u %u", same, different);
}
END_TEST

START_TEST(seeds_of_the_hash) {
    postgres();
    struct plan_key a, b;
    map_seed(1);
    ck_assert(key_of(bytes_str("select 1"), &a));
    map_seed(2);
    ck_assert(key_of(bytes_str("select 2"), &b));
    ck_assert(bytes_equal(a.text, b.text) && a.hash != b.hash);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("plan_key");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, keys_of_postgres);
    tcase_add_test(tc, keys_of_mysql);
    tcase_add_test(tc, literals_and_their_places);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, long_words);
    tcase_add_test(tc, keys_tell_tokens_apart);
    tcase_add_test(tc, seeds_of_the_hash);
    return check_main_of("plan_key", tc);
}
