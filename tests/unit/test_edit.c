/*
 * test_edit.c - edited texts have the tokens that stayed and the tokens that came, and no others.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parser/edit.h"
#include "parser/lex.h"
#include "tests/unit/check_main.h"

static struct sql_options options;
static struct arena arena;
static struct writer out;

static void setup(void) {
    options = sql_options_default(SQL_POSTGRES);
    arena_init(&arena, 1 << 24);
    writer_init(&out, 1 << 24);
}

static void teardown(void) {
    arena_release(&arena);
    writer_release(&out);
}

static void mysql(void) {
    options = sql_options_default(SQL_MYSQL);
}

static void mariadb(void) {
    options = (struct sql_options){.dialect = SQL_MYSQL, .flavour = SQL_FLAVOUR_MARIADB, .version = 101119};
}

/* One edit, said as the text between two bars: "a|b|c" and "x" give "axc", "a||c" is an insertion. */
struct example {
    const char *text, *with, *edited; /* NULL: refused */
};

static const char *problem_of(const struct edit_list *list) {
    return list->problem ? list->problem : "";
}

static void check(const struct example *e) {
    char text[512];
    struct edit_list list;
    const char *first = strchr(e->text, '|'), *second = strrchr(e->text, '|');
    uint32_t start = (uint32_t)(first - e->text), end = (uint32_t)(second - e->text) - 1;
    snprintf(text, sizeof text, "%.*s%.*s%s", (int)start, e->text, (int)(end - start), first + 1, second + 1);
    arena_reset(&arena);
    writer_reset(&out);
    edit_init(&list, bytes_str(text), &options, &arena);
    edit_replace(&list, start, end, bytes_str(e->with));
    bool is_printed = edit_print(&list, &out);
    struct bytes got = writer_bytes(&out);
    ck_assert_msg(is_printed == (e->edited != NULL), "%s with %s: %s, %.*s", e->text, e->with, problem_of(&list), (int)got.len,
                  (const char *)got.ptr);
    if (!is_printed) ck_assert(got.len == 0 && list.problem && list.problem_at <= strlen(text));
    else ck_assert_msg(bytes_is(got, e->edited), "%s with %s: %.*s", e->text, e->with, (int)got.len, (const char *)got.ptr);
}

static void check_all(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) check(&examples[i]);
}

#define CHECK_ALL(examples) check_all(examples, COUNT_OF(examples))

START_TEST(both_dialects) {
    static const struct example examples[] = {
        {"select |a| from t", "b", "select b from t"},
        {"select a from t||", " limit 10", "select a from t limit 10"},
        {"select a from t||", "limit 10", "select a from t limit 10"},
        {"select a from ||t", "s.", "select a from s.t"},
        {"||select 1", "/* x */", "/* x */select 1"},
        {"||select 1", "-- x", "-- x\nselect 1"},
        {"select 1 -- x||", "limit 1", "select 1 -- x\nlimit 1"},
        {"select |1|2", "", NULL}, /* cuts 12 */
        {"select a|+|b", "", "select a b"},
        {"select a|+|1", "", "select a 1"},
        {"select 1|+|2", "", "select 1 2"},
        {"select 5-|6|", "-6", "select 5- -6"},
        {"select 5/|6|", "*6", "select 5/ *6"},
        {"select a |/|*b", "", NULL}, /* a comment without an end */
        {"select a|/| * b", "", "select a * b"},
        {"select a <|b|", "=b", "select a < =b"},
        {"select 'a'|,|'b'", "", "select 'a' 'b'"},
        {"select 'a|b|c'", "x", NULL},
        {"select /* a|b|c */ 1", "x", NULL},
        {"select /* a|*|/ 1", "x", NULL},
        {"select 1 /* a|*/|", "", NULL},
        {"select 1 |/* a */|", "", "select 1 "},
        {"select a|| from t", "'", NULL},
        {"select a|| from t", "/*", NULL},
        {"select a|| from t", "x */", "select a x */ from t"},
        {"select |a -- x\n| from t", "b", "select b from t"},
        {"select a |-- x\n| from t", "", "select a  from t"},
        {"select a |-- x|\n from t", "b", "select a b\n from t"},
        {"select a -|- x|\n from t", "b", NULL},
        {"select a|| -- x\n from t", "b -- y", "select a b -- y -- x\n from t"},
        {"||", "", ""},
        {"||", "select 1", "select 1"},
        {"||", "x 'y", NULL},
        {"|select 1|", "", ""},
        {"|'|", "x", NULL}, /* the original is unreadable */
    };
    CHECK_ALL(examples);
}
END_TEST

START_TEST(of_postgres) {
    static const struct example examples[] = {
        {"select 'a'|,|\n'b'", "", "select 'a'/**/\n'b'"},
        {"select 'a'||\n, 'b'", " -- x\n 'c'", "select 'a'/**/ -- x\n 'c'\n, 'b'"},
        {"select $|1|", "1", NULL},
        {"select |$1|0", "2", NULL},
        {"select $1|+|0", "", "select $1 0"},
        {"select 5-|6|", "-6 -- x", "select 5- -6 -- x"},
        {"select a|,|$1", "", "select a $1"},
        {"select a|,|$$b$$", "", "select a $$b$$"},
        {"select a @|b|", "-1", "select a @ -1"},
        {"select x|,|'y'", "", "select x 'y'"},
        {"select e|,|'y'", "", "select e 'y'"},
        {"select u&|b|", "'y'", "select u& 'y'"},
        {"select u&|b|", " 'y'", "select u& 'y'"},
        {"select U&'y' |uescape| '!'", "", NULL},
        {"select U&'y' |a| uescape '!'", "", NULL},
        {"select a|.5|", "5", "select a 5"},
        {"select 1|+|.5", "", "select 1 .5"},
        {"select 1.|+|.5", "", "select 1. .5"},
        {"select a|=|:b", "", "select a:b"},
        {"select a:|b|", ":c", "select a: :c"},
        {"select \"a\"|,|\"b\"", "", "select \"a\" \"b\""},
    };
    CHECK_ALL(examples);
    /* Words that become others' neighbours stay words. */
    static const struct example words[] = {{"select a|,|b", "", "select a b"}, {"select a||", "b", "select a b"}};
    CHECK_ALL(words);
}
END_TEST

START_TEST(of_mysql) {
    static const struct example examples[] = {
        {"select 'a'|,|'b'", "", "select 'a' 'b'"},
        {"select t.|5|", "x", "select t.x"},
        {"select t.|x|", "5", "select t. 5"},
        {"select t|+|.5", "", "select t .5"},
        {"select - -|5|", " a", "select - - a"},
        {"select --|5|", " a", "select --/**/ a"},
        {"select --|5|", "a", "select --a"},
        {"select |t.|select", "", NULL}, /* the name would be the keyword */
        {"select |t.|user", "", "select user"},
        {"select * from ||user", "db.", "select * from db.user"},
        {"select @|a|", "b", NULL},
        {"select |@a|", "@b", "select @b"},
        {"select @@global.|x|", "y", "select @@global.y"},
        {"select @@|global.|x", "", "select @@x"},
        {"/*! select |a| */", "b", "/*! select b */"},
        {"/*! select a|| */ + b", "/* c */ + 1", "/*! select a/* c */ + 1 */ + b"},
        {"/*! select a|| */ + b", " /*! + 1 */", NULL}, /* its end would end both */
        {"select a /*!| + b |*/", "- 1", "select a /*!- 1*/"},
        {"select a |/*! + b */|", "", "select a "},
        {"select a |/*! + |b */", "", NULL},
        {"select |a /*! + |b */", "/*!", NULL},
        {"/*! select a|| */", "-- x", "/*! select a-- x\n */"},
        {"/*! select |a */ + b|", "c", NULL},
        {"/*! select |a */ + b|", "c */", NULL}, /* elsewhere these are two signs */
        {"select|| a", " /*+ no_icp(t) */", "select /*+ no_icp(t) */ a"},
        {"select |x|'41'", "y", NULL},
        {"select x|,|'41'", "", "select x '41'"},
        {"select n|,|'a'", "", "select n 'a'"},
        {"select 1|,|e5", "", "select 1 e5"},
        {"select 1|,|a", "", "select 1 a"},
        {"select a |,|b", "", "select a b"},
        {"select ?|,|b", "", "select ? b"},
        {"select a:|b|", "=c", "select a: =c"},
        {"select a #|b|\n", "c", "select a #\nc\n"},
    };
    mysql();
    CHECK_ALL(examples);
    options.modes = SQL_ANSI_QUOTES;
    static const struct example ansi[] = {{"select |a|\"b\"", "\"c\"", "select \"c\" \"b\""}};
    CHECK_ALL(ansi);
}
END_TEST

START_TEST(lists_in_any_order) {
    static const char text[] = "select a, b, c from t where d = 1";
    static const struct {
        uint32_t start, end;
        const char *with;
    } edits[] = {
        {7, 8, "x"}, {10, 11, ""}, {9, 9, " y,"}, {13, 14, "z"}, {20, 21, "u"}, {32, 33, "$1"}, {33, 33, " limit 1"}, {0, 0, "explain "},
    };
    static const char wanted[] = "explain select x, y, , z from u where d = $1 limit 1";
    uint32_t order[COUNT_OF(edits)];
    for (uint32_t i = 0; i < COUNT_OF(edits); i++) order[i] = i;
    srand(1);
    for (int round = 0; round < 200; round++) {
        for (uint32_t i = COUNT_OF(edits) - 1; i > 0; i--) {
            uint32_t j = (uint32_t)rand() % (i + 1), swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        struct edit_list list;
        arena_reset(&arena);
        writer_reset(&out);
        edit_init(&list, bytes_str(text), &options, &arena);
        for (size_t i = 0; i < COUNT_OF(edits); i++) {
            edit_replace(&list, edits[order[i]].start, edits[order[i]].end, bytes_str(edits[order[i]].with));
        }
        ck_assert_msg(edit_print(&list, &out), "%s", problem_of(&list));
        ck_assert_msg(bytes_is(writer_bytes(&out), wanted), "%.*s", (int)out.len, (const char *)out.data);
    }
}
END_TEST

START_TEST(places_next_to_each_other) {
    struct edit_list list;
    edit_init(&list, bytes_str("a + b"), &options, &arena);
    edit_insert(&list, 2, bytes_str("1"));
    edit_replace(&list, 2, 3, bytes_str("*"));
    edit_insert(&list, 2, bytes_str("/"));
    edit_insert(&list, 3, bytes_str("2"));
    edit_insert(&list, 2, bytes_str("3"));
    edit_insert(&list, 3, bytes_str("-"));
    ck_assert(edit_print(&list, &out));
    ck_assert_msg(bytes_is(writer_bytes(&out), "a 1/3*2- b"), "%.*s", (int)out.len, (const char *)out.data);
}
END_TEST

START_TEST(refused_edits) {
    static const struct {
        uint32_t start, end;
    } pairs[][2] = {
        {{0, 3}, {2, 4}}, {{2, 4}, {0, 3}}, {{0, 4}, {1, 2}}, {{1, 2}, {0, 4}}, {{0, 2}, {0, 2}}, {{0, 4}, {2, 2}}, {{2, 2}, {0, 4}},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct edit_list list;
        edit_init(&list, bytes_str("a+b+c+d"), &options, &arena);
        edit_delete(&list, pairs[i][0].start, pairs[i][0].end);
        ck_assert_ptr_null(list.problem);
        edit_delete(&list, pairs[i][1].start, pairs[i][1].end);
        ck_assert_ptr_nonnull(list.problem);
        edit_delete(&list, 6, 7);
        ck_assert(!edit_print(&list, &out));
    }
    struct edit_list list;
    edit_init(&list, bytes_str("abc"), &options, &arena);
    edit_insert(&list, 4, bytes_str("x"));
    ck_assert(list.problem && !edit_print(&list, &out));
    edit_init(&list, bytes_str("abc"), &options, &arena);
    edit_delete(&list, 2, 1);
    ck_assert(list.problem && !edit_print(&list, &out));
}
END_TEST

START_TEST(no_edits_no_change) {
    static const char *const texts[] = {"", "select 1", "'", "/*", "\xff\x80 \x01", "select 'a' -- x"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct edit_list list;
        writer_reset(&out);
        edit_init(&list, bytes_str(texts[i]), &options, &arena);
        ck_assert(edit_print(&list, &out));
        ck_assert(bytes_is(writer_bytes(&out), texts[i]));
    }
}
END_TEST

START_TEST(no_room) {
    uint8_t storage[64];
    static const char wanted[] = "before select 1, 2 limit 1";
    for (size_t size = 0; size <= sizeof wanted; size++) {
        struct writer fixed;
        struct edit_list list;
        writer_init_fixed(&fixed, storage, size);
        writer_str(&fixed, "before ");
        edit_init(&list, bytes_str("select 1, 2"), &options, &arena);
        edit_insert(&list, 11, bytes_str(" limit 1"));
        bool is_printed = edit_print(&list, &fixed);
        ck_assert(is_printed == (size >= strlen(wanted)));
        if (is_printed) ck_assert(bytes_is(writer_bytes(&fixed), wanted));
        else ck_assert(fixed.failed && list.problem);
    }
    struct arena small;
    arena_init(&small, 16);
    struct edit_list list;
    edit_init(&list, bytes_str("select 1"), &options, &small);
    edit_delete(&list, 7, 8);
    ck_assert(list.problem && !edit_print(&list, &out));
    arena_release(&small);
}
END_TEST

/* ---- any edits ------------------------------------------------------------------------------------------------------- */

static uint32_t rng_state = 1;

static uint32_t rng(uint32_t below) {
    rng_state = rng_state * 1664525 + 1013904223;
    return (rng_state >> 8) % below;
}

enum { TOKENS_MAX = 400, EDITS_MAX = 4 };

struct word {
    uint16_t kind;
    struct bytes text;
};

/* The tokens of a text that lie between two places. False: the text cannot be read. */
static bool read_words(struct bytes text, uint32_t from, uint32_t to, struct word *words, size_t *count) {
    struct lexer l;
    struct token t;
    lex_init(&l, text, &options);
    for (lex_next(&l, &t); t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_next(&l, &t)) {
        if (t.kind == TOKEN_HINT || t.start < from || t.end > to) continue;
        ck_assert_uint_lt(*count, TOKENS_MAX);
        words[(*count)++] = (struct word){t.kind, bytes_of(text.ptr + t.start, t.end - t.start)};
    }
    return t.kind == TOKEN_END;
}

static bool is_word(uint16_t kind) {
    return kind == TOKEN_IDENT || kind == TOKEN_INTRODUCER || kind >= KEYWORD_FIRST;
}

static void check_words(const struct word *wanted, size_t wanted_count, const struct edit_list *list) {
    struct word got[TOKENS_MAX];
    size_t count = 0;
    bool is_readable = read_words(writer_bytes(&out), 0, (uint32_t)out.len, got, &count);
    bool is_same = is_readable && count == wanted_count;
    for (size_t i = 0; is_same && i < count; i++) {
        bool is_kind = got[i].kind == wanted[i].kind || (is_word(got[i].kind) && is_word(wanted[i].kind));
        is_same = is_kind && bytes_equal(got[i].text, wanted[i].text);
    }
    ck_assert_msg(is_same, "%.*s\nbecame\n%.*s", (int)list->text.len, (const char *)list->text.ptr, (int)out.len,
                  (const char *)out.data);
}

static const char *const seeds[] = {
    "SELECT a.b, count(*) FROM T AS x WHERE id IN (1, -2, 'x') AND y = $1 LIMIT 5; SELECT 1.5 ;",
    "select ?, @a:=5, t.select, @@global.x from `a b`.c where d->'$.x' > 0x1f and e = _utf8'x' 'y'",
    "/*!50000 insert into t values (1, 'a', null), (2, \"b\", now()) */ # x",
    "select x::int[1], 'a'||E'b\\'' , U&'d' UESCAPE '!', $a$ x $a$, a?b, a<=5 -- c\n and b",
    "update t set a=a-1,b=- 1,c=count(*),d=t . e where f<>1 and g!=2/* c */;;",
    "select 'a' 'b', 'c'-- x\n'd', 'e' \n 'f', n'g', b'1', x'1f', 1.5,.5,5.,1e5,1_000,0b1,t.5,t.5e",
    "select 'a'\n,'b'\n,e'c'\n,1--1\n--2\n,a<b,a>b,a!=b,a/b,a*b,a-b,-- \n/* x */+c",
    "",
};

static const char *const pieces[] = {
    "", "", "", "x", "'x'", "\"x\"", "`x`", "5", ".5", "5.", "-", "+", "--", "-- c", "-- c\n", "# c", "/* c */", "*", "/",
    "/*", "*/", "<", ">", "=", "!", "|", "&", ":", "::", ".", "..", "?", "$1", "$", "$$", "@", "@a", "@@", "@@x", "e", "n",
    "x", "b", "U&", "_utf8", "select", "uescape", "'", "\n", " ", " 'y'", "\n'y'", "e5", "1e", "0x", "\\N", "(1, 2)",
    "/*! 1 */", "/*!99999 x */", "a -- b\n c", "->", "~", ",", ";", "\xc3\xa9", "a.b", " limit 1",
};

/* The places where tokens begin and end; 0 and the text's end are among them. */
static size_t boundaries_of(struct bytes text, uint32_t *at) {
    struct lexer l;
    struct token t;
    size_t count = 0;
    at[count++] = 0;
    lex_init(&l, text, &options);
    for (lex_next(&l, &t); t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_next(&l, &t)) {
        at[count++] = t.start;
        at[count++] = t.end;
    }
    at[count++] = (uint32_t)text.len;
    return count;
}

/* Random edits, in order; each begins at or behind the end of the one before it. */
static size_t make_edits(struct bytes text, bool only_boundaries, struct edit *edits) {
    uint32_t places[2 * TOKENS_MAX], last = 0;
    size_t place_count = boundaries_of(text, places), count = 0;
    for (size_t i = rng(EDITS_MAX) + 1; i > 0; i--) {
        uint32_t a = only_boundaries ? places[rng((uint32_t)place_count)] : rng((uint32_t)text.len + 1);
        uint32_t b = rng(3) == 0 ? a : only_boundaries ? places[rng((uint32_t)place_count)] : rng((uint32_t)text.len + 1);
        if (b < a || b - a > 20) b = a;
        if (a < last) continue;
        edits[count++] = (struct edit){a, b, bytes_str(pieces[rng(COUNT_OF(pieces))])};
        last = b > a ? b : a + 1;
    }
    return count;
}

static void choose_options(void) {
    static const uint32_t modes[] = {0, 0, SQL_ANSI_QUOTES, SQL_NO_BACKSLASH_ESCAPES};
    uint32_t which = rng(3);
    if (which == 0) options = sql_options_default(SQL_POSTGRES);
    else if (which == 1) mysql();
    else mariadb();
    if (which == 0) options.modes = rng(4) ? SQL_STANDARD_STRINGS : 0;
    else options.modes = modes[rng(COUNT_OF(modes))];
}

START_TEST(any_edits) {
    unsigned printed = 0, refused = 0;
    for (unsigned round = 0; round < 6000; round++) {
        choose_options();
        struct bytes text = bytes_str(seeds[rng(COUNT_OF(seeds))]);
        struct edit edits[EDITS_MAX];
        size_t count = make_edits(text, rng(4) != 0, edits), word_count = 0;
        struct word wanted[TOKENS_MAX];
        struct edit_list list;
        uint32_t at = 0;
        arena_reset(&arena);
        writer_reset(&out);
        edit_init(&list, text, &options, &arena);
        for (size_t i = 0; i < count; i++) {
            edit_replace(&list, edits[i].start, edits[i].end, edits[i].with);
            read_words(text, at, edits[i].start, wanted, &word_count);
            read_words(edits[i].with, 0, (uint32_t)edits[i].with.len, wanted, &word_count);
            at = edits[i].end;
        }
        read_words(text, at, (uint32_t)text.len, wanted, &word_count);
        ck_assert_ptr_null(list.problem);
        if (edit_print(&list, &out)) {
            if (count > 0) check_words(wanted, word_count, &list);
            printed++;
        } else {
            ck_assert(list.problem && out.len == 0);
            refused++;
        }
    }
    ck_assert_msg(printed > refused, "%u printed, %u refused", printed, refused);
}
END_TEST

/* What is on the list of pieces because it is harmless may go between any two tokens of any readable text. */
START_TEST(harmless_edits_are_not_refused) {
    static const char *const harmless[] = {
        "x", "'x'", "5", ".5", "-", "+", "/* c */", "*", "<", "=", "(1, 2)", "a.b", " limit 1", ",", "-1", "-- c\n",
    };
    unsigned refused = 0, total = 0;
    for (unsigned round = 0; round < 3000; round++) {
        choose_options();
        struct bytes text = bytes_str(seeds[rng(COUNT_OF(seeds))]);
        struct word words[TOKENS_MAX];
        size_t word_count = 0;
        if (!read_words(text, 0, (uint32_t)text.len, words, &word_count)) continue;
        uint32_t places[2 * TOKENS_MAX];
        size_t place_count = boundaries_of(text, places);
        struct edit_list list;
        arena_reset(&arena);
        writer_reset(&out);
        edit_init(&list, text, &options, &arena);
        uint32_t at = places[rng((uint32_t)place_count)];
        const char *what = harmless[rng(COUNT_OF(harmless))];
        edit_insert(&list, at, bytes_str(what));
        total++;
        refused += !edit_print(&list, &out);
    }
    /* Nothing can stand between @@ and a name, or where a dot makes a word or number a name. */
    ck_assert_msg(total > 1500 && refused * 40 < total, "%u of %u", refused, total);
}
END_TEST

/* ---- quoting --------------------------------------------------------------------------------------------------------- */

/* What a quoted thing means: doubled quotes are one, and backslashes take what follows if they are special. */
static size_t unquote(struct bytes text, bool has_escapes, char *value) {
    size_t count = 0;
    uint8_t quote = text.ptr[0];
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.ptr[i] == quote || (has_escapes && text.ptr[i] == '\\')) i++;
        value[count++] = (char)text.ptr[i];
    }
    return count;
}

static void check_quoted(struct bytes value, bool is_name) {
    writer_reset(&out);
    bool is_made = is_name ? edit_quote_name(&out, value, &options) : edit_quote_string(&out, value, &options);
    bool has_nul = value.len > 0 && memchr(value.ptr, 0, value.len);
    bool is_possible = options.dialect == SQL_MYSQL || !(has_nul || (is_name && value.len == 0));
    ck_assert(is_made == is_possible);
    if (!is_made) {
        ck_assert_uint_eq(out.len, 0);
        return;
    }
    struct lexer l;
    struct token t;
    char back[64];
    lex_init(&l, writer_bytes(&out), &options);
    lex_next(&l, &t);
    bool is_escape = t.kind == TOKEN_ESCAPE_STRING && out.data[0] == 'E';
    bool has_escapes = is_escape || (options.dialect == SQL_MYSQL && !is_name && !(options.modes & SQL_NO_BACKSLASH_ESCAPES));
    if (is_name) ck_assert_uint_eq(t.kind, TOKEN_QUOTED_IDENT);
    else ck_assert(t.kind == TOKEN_STRING || t.kind == TOKEN_ESCAPE_STRING);
    ck_assert(t.start == 0 && t.end == out.len);
    size_t len = unquote(bytes_of(out.data + is_escape, out.len - is_escape), has_escapes, back);
    ck_assert(bytes_equal(bytes_of(back, len), value));
}

START_TEST(quoting) {
    static const char bytes[] = "'\"`\\a \n\0$/*-E";
    for (unsigned round = 0; round < 20000; round++) {
        char value[16];
        size_t len = rng(sizeof value);
        for (size_t i = 0; i < len; i++) value[i] = bytes[rng(sizeof bytes - 1)];
        choose_options();
        check_quoted(bytes_of(value, len), rng(2));
    }
    options = sql_options_default(SQL_POSTGRES);
    writer_reset(&out);
    ck_assert(edit_quote_string(&out, bytes_str("a'b"), &options) && edit_quote_string(&out, bytes_str("a\\'b"), &options));
    ck_assert(edit_quote_name(&out, bytes_str("a\"b"), &options));
    ck_assert(bytes_is(writer_bytes(&out), "'a''b'E'a\\\\''b'\"a\"\"b\""));
    options.encoding = SQL_ENCODING_UNSAFE;
    ck_assert(!edit_quote_string(&out, bytes_str("\x81"), &options) && !edit_quote_name(&out, bytes_str("\x81"), &options));
    ck_assert(edit_quote_string(&out, bytes_str("x"), &options));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("edit");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, both_dialects);
    tcase_add_test(tc, of_postgres);
    tcase_add_test(tc, of_mysql);
    tcase_add_test(tc, lists_in_any_order);
    tcase_add_test(tc, places_next_to_each_other);
    tcase_add_test(tc, refused_edits);
    tcase_add_test(tc, no_edits_no_change);
    tcase_add_test(tc, no_room);
    tcase_add_test(tc, any_edits);
    tcase_add_test(tc, harmless_edits_are_not_refused);
    tcase_add_test(tc, quoting);
    return check_main_of("edit", tc);
}
