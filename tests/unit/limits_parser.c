/*
 * Bad input of every size: an answer with a position, in bounded time and memory.
 *
 * The bounds are those of a build with sanitizers on a busy machine. What takes time in the square of the text's length takes
 * hours here, and what recurses without a bound ends the program.
 */
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "parser/lex.h"
#include "parser/parser.h"
#include "tests/unit/check_main.h"

enum { MILLION = 1000 * 1000, MANY = 100 * 1000, SECONDS_MAX = 30 };
#define MEMORY_MAX ((size_t)1 << 30)

static struct writer text;
static struct arena arena;
static clock_t started;

static void setup(void) {
    writer_init(&text, (size_t)1 << 28);
    arena_init(&arena, MEMORY_MAX);
    started = clock();
}

static void teardown(void) {
    ck_assert_int_lt((clock() - started) / CLOCKS_PER_SEC, SECONDS_MAX);
    writer_release(&text);
    arena_release(&arena);
}

static void put(const char *piece, int times) {
    struct bytes bytes = bytes_str(piece);
    for (int i = 0; i < times; i++) writer_put(&text, bytes);
    INVARIANT(!text.failed);
}

/* What came of a text: of its first statement, and how many there are. */
struct answer {
    struct sql_statement first;
    int count;
};

/* Check is told of every assertion, which is slow: a million statements are looked at without it. */
static bool is_answer(const struct sql_statement *s, uint32_t least) {
    if (s->start < least || s->end < s->start || s->end > text.len) return false;
    if (s->outcome != SQL_UNKNOWN) return true;
    return s->problem.position <= text.len && s->problem.reason && s->problem.reason[0];
}

static struct answer read_all(enum sql_dialect dialect) {
    static struct sql_options options;
    options = sql_options_default(dialect);
    struct answer a = {.count = 0};
    arena_reset(&arena);
    struct sql_reader *r = sql_reader_new(writer_bytes(&text), &options, &arena);
    ck_assert_ptr_nonnull(r);
    struct sql_statement s;
    uint32_t last_end = 0;
    bool ok = true;
    while (ok && sql_reader_next(r, &s)) {
        if (a.count++ == 0) a.first = s;
        ok = is_answer(&s, last_end);
        last_end = s.end;
    }
    ck_assert_msg(ok, "statement %d: %u to %u, problem at %u", a.count, s.start, s.end, s.problem.position);
    return a;
}

static void read_both(void) {
    read_all(SQL_POSTGRES);
    read_all(SQL_MYSQL);
}

/* The text as it is now is not analysable, in both dialects. */
static void is_refused(void) {
    for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) {
        struct answer a = read_all(d);
        ck_assert_msg(a.first.outcome == SQL_UNKNOWN, "%.40s... is analysable", (const char *)text.data);
    }
}

static void is_read(void) {
    for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) {
        struct answer a = read_all(d);
        ck_assert_msg(a.first.outcome == SQL_PARSED, "%.40s...: %s at %u", (const char *)text.data, a.first.problem.reason,
                      a.first.problem.position);
    }
}

static bool count_node(struct ast *node, void *ctx) {
    (void)node;
    ++*(int *)ctx;
    return true;
}

/* ---- nesting --------------------------------------------------------------------------------------------------------- */

/* Each is repeated many times: head, open ..., middle, close ..., tail. */
static const struct {
    const char *head, *open, *middle, *close, *tail;
} nestings[] = {
    {"SELECT ", "(", "1", ")", ""},
    {"SELECT ", "(SELECT ", "1", ")", ""},
    {"SELECT ", "f(", "1", ")", ""},
    {"SELECT ", "CASE WHEN ", "a", " THEN 1 END", ""},
    {"SELECT ", "NOT ", "a", "", ""},
    {"SELECT ", "- ", "1", "", ""},
    {"SELECT ", "~", "1", "", ""},
    {"SELECT ", "EXISTS (SELECT ", "1", ")", ""},
    {"SELECT 1 FROM ", "(", "a", " JOIN b ON true)", ""},
    {"SELECT 1 FROM ", "(SELECT 1 FROM ", "a", ") x", ""},
    {"", "(", "SELECT 1", ")", ""},
    {"", "WITH x AS (", "SELECT 1", ") SELECT 1", ""},
    {"", "EXPLAIN ", "SELECT 1", "", ""},
    {"SELECT 1 IN ", "(1, 1 IN ", "(1)", ")", ""},
    {"SELECT a BETWEEN 1 AND ", "a BETWEEN 1 AND ", "2", "", ""},
    {"INSERT INTO t VALUES (", "(", "1", ")", ")"},
    {"SELECT CAST(", "CAST(", "1", " AS char)", " AS char)"},
};

static void nest(size_t i, int times, bool is_closed) {
    writer_reset(&text);
    put(nestings[i].head, 1);
    put(nestings[i].open, times);
    put(nestings[i].middle, 1);
    if (is_closed) put(nestings[i].close, times);
    put(nestings[i].tail, 1);
}

START_TEST(nested_many_times) {
    for (size_t i = 0; i < COUNT_OF(nestings); i++) {
        nest(i, MANY, false);
        is_refused();
        nest(i, MANY, true);
        is_refused();
    }
}
END_TEST

START_TEST(nested_a_million_times) {
    static const char *const of_a_million[] = {"(", "NOT ", "- "};
    for (size_t i = 0; i < COUNT_OF(nestings); i++) {
        for (size_t j = 0; j < COUNT_OF(of_a_million); j++) {
            if (strcmp(nestings[i].open, of_a_million[j]) != 0) continue;
            nest(i, MILLION, true);
            is_refused();
        }
    }
}
END_TEST

/* Only PostgreSQL has these, or only MySQL. */
START_TEST(nested_in_one_dialect) {
    static const struct {
        enum sql_dialect dialect;
        const char *head, *open, *middle, *close;
    } only[] = {
        {SQL_POSTGRES, "SELECT ARRAY", "[", "1", "]"},
        {SQL_POSTGRES, "SELECT ", "ROW(", "1", ")"},
        {SQL_POSTGRES, "SELECT a", "[", "1", "]"},
        {SQL_POSTGRES, "SELECT 1 GROUP BY ", "ROLLUP (", "1", ")"},
        {SQL_POSTGRES, "SELECT ", "@ ", "1", ""},
        {SQL_POSTGRES, "SELECT 1 ", "+ ALL (SELECT 1 ", "", ")"},
        {SQL_MYSQL, "SELECT ", "!", "1", ""},
        {SQL_MYSQL, "SELECT ", "BINARY ", "1", ""},
        {SQL_MYSQL, "SELECT ", "{d ", "1", "}"},
        {SQL_MYSQL, "SELECT ", "@a := ", "1", ""},
        {SQL_MYSQL, "CREATE PROCEDURE p() ", "BEGIN ", "SELECT 1;", " END;"},
        {SQL_MYSQL, "CREATE PROCEDURE p() ", "IF a THEN ", "SELECT 1;", " END IF;"},
    };
    for (size_t i = 0; i < COUNT_OF(only); i++) {
        writer_reset(&text);
        put(only[i].head, 1);
        put(only[i].open, MANY);
        put(only[i].middle, 1);
        put(only[i].close, MANY);
        struct answer a = read_all(only[i].dialect);
        ck_assert_msg(a.first.outcome == SQL_UNKNOWN, "%.40s... is analysable", (const char *)text.data);
    }
}
END_TEST

/* The largest `n` for which `n` times `open` and `close` is read. */
static int deepest(const char *head, const char *open, const char *middle, const char *close, int limit) {
    for (int n = 1; n <= limit; n++) {
        writer_reset(&text);
        put(head, 1);
        put(open, n);
        put(middle, 1);
        put(close, n);
        if (read_all(SQL_POSTGRES).first.outcome != SQL_PARSED) return n - 1;
    }
    return limit;
}

/* A few levels may be the statement's own. */
START_TEST(depth_at_its_edge) {
    int depth = deepest("SELECT ", "(", "1", ")", 2 * PARSE_DEPTH_MAX);
    ck_assert_int_le(depth, PARSE_DEPTH_MAX);
    ck_assert_int_ge(depth, PARSE_DEPTH_MAX - 20);
    depth = deepest("SELECT ", "(SELECT ", "1", ")", 2 * PARSE_DEPTH_MAX);
    ck_assert_int_le(depth, PARSE_DEPTH_MAX);
    ck_assert_int_ge(depth, PARSE_DEPTH_MAX / 4);
}
END_TEST

/* What stands behind a statement that is nested too deep is read as ever. */
START_TEST(the_next_statement_is_read) {
    put("SELECT ", 1);
    put("(", MILLION);
    put("1", 1);
    put(")", MILLION);
    put("; SELECT 2", 1);
    struct answer a = read_all(SQL_POSTGRES);
    ck_assert_int_eq(a.count, 2);
    ck_assert_int_eq(a.first.outcome, SQL_UNKNOWN);
    ck_assert_uint_eq(a.first.end, strlen("SELECT 1") + 2 * MILLION);
}
END_TEST

/* ---- chains ---------------------------------------------------------------------------------------------------------- */

static void chain(const char *head, const char *link, int times) {
    writer_reset(&text);
    put(head, 1);
    put(link, times);
}

/* Each link makes the tree higher: too high is not analysable, and just not too high can be walked and dumped. */
START_TEST(chains_of_operators) {
    static const char *const chains[][2] = {
        {"SELECT 1", "+1"},       {"SELECT 1", " * 1"},          {"SELECT a", " IS NULL"},
        {"SELECT a", " LIKE b"},  {"SELECT a", " COLLATE c"},    {"SELECT 1", " UNION SELECT 1 EXCEPT SELECT 1"},
        {"SELECT 1 FROM a", " JOIN b ON true"}, {"SELECT 1 FROM a", " NATURAL JOIN b"}, {"SELECT a", " BETWEEN b AND c"},
        {"SELECT a", " AND b OR c"},
    };
    for (size_t i = 0; i < COUNT_OF(chains); i++) {
        chain(chains[i][0], chains[i][1], MANY);
        for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) read_all(d);
        chain(chains[i][0], chains[i][1], PARSE_HEIGHT_MAX / 2);
        for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) {
            struct answer a = read_all(d);
            if (a.first.outcome != SQL_PARSED) continue;
            int nodes = 0;
            ast_walk(a.first.ast, count_node, &nodes);
            ck_assert_int_gt(nodes, PARSE_HEIGHT_MAX / 2);
            struct writer w;
            writer_init(&w, (size_t)1 << 28);
            ast_dump(a.first.ast, writer_bytes(&text), &w);
            ck_assert(!w.failed);
            writer_release(&w);
        }
    }
}
END_TEST

START_TEST(height_at_its_edge) {
    int low = 1, high = 2 * PARSE_HEIGHT_MAX; /* the first is read, the last is not */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        chain("SELECT 1", "+1", middle);
        if (read_all(SQL_POSTGRES).first.outcome == SQL_PARSED) low = middle;
        else high = middle;
    }
    ck_assert_int_le(low, PARSE_HEIGHT_MAX);
    ck_assert_int_ge(low, PARSE_HEIGHT_MAX - 20);
    chain("SELECT 1", "+1", MILLION);
    is_refused();
}
END_TEST

/* Lists are lists, however long. */
START_TEST(long_lists) {
    static const struct {
        const char *head, *item, *tail;
    } lists[] = {
        {"SELECT 1", ", 1", ""},
        {"SELECT a", " AND b", ""},
        {"SELECT a", " OR b", ""},
        {"SELECT 1", " UNION ALL SELECT 1", ""},
        {"SELECT 1 IN (1", ", 1", ")"},
        {"SELECT f(1", ", 1", ")"},
        {"SELECT 1 FROM a", ", b", ""},
        {"SELECT 1 ORDER BY 1", ", 2", ""},
        {"INSERT INTO t VALUES (1)", ", (1)", ""},
        {"UPDATE t SET a = 1", ", b = 2", ""},
        {"WITH a AS (SELECT 1)", ", b AS (SELECT 1)", " SELECT 1"},
        {"SELECT CASE", " WHEN a THEN 1", " END"},
    };
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        writer_reset(&text);
        put(lists[i].head, 1);
        put(lists[i].item, MANY);
        put(lists[i].tail, 1);
        is_read();
    }
    chain("SELECT 1", " UNION ALL SELECT 1", MILLION);
    is_read();
}
END_TEST

/* ---- size ------------------------------------------------------------------------------------------------------------ */

enum { HUNDRED_MB = 100 << 20 };

static void fill(const char *head, char byte, size_t count, const char *tail) {
    writer_reset(&text);
    put(head, 1);
    uint8_t *room = writer_reserve(&text, count);
    ck_assert_ptr_nonnull(room);
    memset(room, byte, count);
    text.len += count;
    put(tail, 1);
}

START_TEST(hundred_megabytes) {
    fill("SELECT '", 'a', HUNDRED_MB, "'");
    is_read();
    fill("SELECT 1 /* ", 'a', HUNDRED_MB, " */");
    is_read();
    fill("SELECT 1 ", ' ', HUNDRED_MB, "+ 2");
    is_read();
    fill("SELECT '", 'a', HUNDRED_MB, "");
    is_refused();
    fill("", '(', HUNDRED_MB, "");
    is_refused();
}
END_TEST

/* One character, and two in turns, behind anything that may begin a token. */
START_TEST(a_long_run_of_anything) {
    static const char *const heads[] = {"SELECT ", "SELECT '", "SELECT \"", "SELECT `", "SELECT /*", "SELECT --", "SELECT $$",
                                        "SELECT E'",
                                        "SELECT U&'", "SELECT 0x", "SELECT 1e", "SELECT @", "SELECT #", "SELECT a.", "SELECT \\"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        for (int byte = 0; byte < 128; byte++) {
            fill(heads[i], (char)byte, 1 << 12, "");
            read_both();
        }
    }
    for (int byte = ' '; byte < 127; byte++) {
        fill("SELECT 1 ", (char)byte, MANY, " 1");
        read_both();
    }
}
END_TEST

/* The same word, or two, again and again. */
START_TEST(a_long_run_of_words) {
    static const char *const words[] = {
        "+-", "-+", "U&'a' ", "U&\"a\" ", "'a'\n", "'a' ", "$a$", "$a$ ", "$a", "E'a'\n", "N'a' ", "X'1' ", "@a ", "@@a ", "_utf8 ",
        "/**/ ", "/* */+", "--\n", "/*! ", "/*!99999 */ ", "/*+ */ ", "SELECT ", "SELECT /*+ */ ", "a.", "a,", "(a,", "a b ",
        "::a", "[1]",
        "JOIN ", "JOIN a ", "ON ", "FROM a ", "UNION ", "WITH a AS (", "CASE ", "WHEN ", "BETWEEN ", "INTERVAL ", "NOT ", "AND ",
        "UESCAPE ", "UESCAPE 'a' ", "BEGIN ", "BEGIN;", "END ", "IF ", "AS ", "x ", "1 ", "? ", "$1 ", ";", ";a", ";(",
        "FROB; ", "a;)",
        "CREATE ", "CREATE PROCEDURE p() BEGIN ", "CREATE FUNCTION f() BEGIN ATOMIC ", "EXPLAIN ", "PREPARE p AS ", "VALUES (1), ",
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        chain("", words[i], MANY / (int)strlen(words[i]));
        read_both();
        chain("SELECT 1 ", words[i], MANY / (int)strlen(words[i]));
        read_both();
    }
}
END_TEST

/* Each of them looks whether UESCAPE follows: it must not look at the next one for that, which looks at the next one. */
START_TEST(unicode_strings_one_after_the_other) {
    chain("SELECT ", "U&'a' ", MILLION / 5);
    read_both();
    chain("SELECT ", "U&\"a\" ", MILLION / 5);
    read_both();
}
END_TEST

/* Comments are counted, not stacked. */
START_TEST(comments_in_comments) {
    chain("SELECT 1 ", "/*", MILLION);
    is_refused();
    put("*/", MILLION);
    put("+ 2", 1);
    ck_assert_int_eq(read_all(SQL_POSTGRES).first.outcome, SQL_PARSED);
}
END_TEST

START_TEST(a_million_statements) {
    chain("", ";", MILLION);
    read_both();
    chain("", "SELECT 1;", MILLION);
    for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) ck_assert_int_eq(read_all(d).count, MILLION);
    chain("", "FROB;", MILLION);
    for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) ck_assert_int_eq(read_all(d).count, MILLION);
}
END_TEST

/* What the trees need beyond the ceiling is refused; so is all that comes then. */
START_TEST(the_ceiling_of_memory) {
    arena_release(&arena);
    enum { CEILING = 1 << 20 };
    arena_init(&arena, CEILING);
    chain("SELECT 1", ", 1", MILLION);
    is_refused();
    ck_assert_uint_le(arena.used, CEILING);
    chain("", "SELECT a;", MILLION);
    ck_assert_int_eq(read_all(SQL_POSTGRES).first.outcome, SQL_PARSED);
    ck_assert_uint_le(arena.used, CEILING);
}
END_TEST

/* Memory that is out after any number of bytes. */
START_TEST(memory_out_anywhere) {
    put("WITH x AS (SELECT a, count(*) OVER (PARTITION BY b ORDER BY c) FROM t JOIN u USING (i) WHERE a IN (1, 2)) "
        "INSERT INTO v (a, b) SELECT CASE WHEN a THEN 1 ELSE -2 END, 'x' FROM x GROUP BY 1 HAVING a > 1 ORDER BY 2 LIMIT 3",
        1);
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    bool was_read = false;
    for (size_t max = 0; !was_read; max += 40) {
        ck_assert_uint_lt(max, 1 << 20);
        arena_release(&arena);
        arena_init(&arena, max);
        struct sql_reader *r = sql_reader_new(writer_bytes(&text), &options, &arena);
        struct sql_statement s;
        if (!r) continue;
        ck_assert(sql_reader_next(r, &s));
        was_read = s.outcome == SQL_PARSED;
        ck_assert(was_read || s.outcome == SQL_UNKNOWN);
        ck_assert(!sql_reader_next(r, &s));
    }
    ck_assert(was_read);
}
END_TEST

/* A length alone is refused: not a byte of such a text is read here. */
START_TEST(longer_than_a_text_may_be) {
    uint8_t byte = 'a';
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct sql_statement s;
    sql_parse_one(bytes_of(&byte, (size_t)LEX_TEXT_MAX + 1), &options, &arena, &s);
    ck_assert_int_eq(s.outcome, SQL_UNKNOWN);
    ck_assert_uint_eq(s.problem.position, 0);
    ck_assert_ptr_nonnull(s.problem.reason);
}
END_TEST

/* ---- strange bytes --------------------------------------------------------------------------------------------------- */

START_TEST(a_nul_byte_anywhere) {
    static const char sql[] = "SELECT 'a', \"b\", c + 1 FROM d /* e */ WHERE f = $1 -- g\n; SELECT 2";
    for (size_t i = 0; i < sizeof sql; i++) {
        writer_reset(&text);
        put(sql, 1);
        if (i < text.len) text.data[i] = '\0';
        else writer_u8(&text, '\0');
        read_all(SQL_POSTGRES);
        read_all(SQL_MYSQL);
    }
}
END_TEST

START_TEST(every_byte_anywhere) {
    static const char sql[] = "SELECT 'a', \"b\", c+1, E'\\n' FROM d /* e */ WHERE f = $1 -- g\n; SELECT 2";
    for (size_t i = 0; i < sizeof sql - 1; i++) {
        for (int byte = 1; byte < 256; byte++) {
            writer_reset(&text);
            put(sql, 1);
            text.data[i] = (uint8_t)byte;
            read_all(SQL_POSTGRES);
            read_all(SQL_MYSQL);
        }
    }
}
END_TEST

struct unterminated {
    enum sql_dialect dialect;
    const char *sql;
    uint32_t position;
};

START_TEST(what_has_no_end_is_named_by_its_beginning) {
    static const struct unterminated texts[] = {
        {SQL_POSTGRES, "SELECT 'abc", 7},       {SQL_POSTGRES, "SELECT \"abc", 7},     {SQL_POSTGRES, "SELECT E'abc\\'", 7},
        {SQL_POSTGRES, "SELECT $a$ $b$", 7},    {SQL_POSTGRES, "SELECT /* /* */", 7},  {SQL_POSTGRES, "SELECT U&'abc", 7},
        {SQL_POSTGRES, "SELECT X'12", 7},       {SQL_POSTGRES, "SELECT B'01", 7},      {SQL_POSTGRES, "SELECT N'a", 7},
        {SQL_POSTGRES, "SELECT 1; SELECT 'a", 17}, {SQL_MYSQL, "SELECT 'abc\\'", 7},   {SQL_MYSQL, "SELECT \"abc", 7},
        {SQL_MYSQL, "SELECT `abc", 7},          {SQL_MYSQL, "SELECT /* abc", 7},       {SQL_MYSQL, "SELECT x'12", 7},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        writer_reset(&text);
        put(texts[i].sql, 1);
        struct sql_options options = sql_options_default(texts[i].dialect);
        arena_reset(&arena);
        struct sql_reader *r = sql_reader_new(writer_bytes(&text), &options, &arena);
        struct sql_statement s;
        ck_assert(sql_reader_next(r, &s));
        if (s.outcome == SQL_PARSED) ck_assert(sql_reader_next(r, &s));
        ck_assert_msg(s.outcome == SQL_UNKNOWN, "%s", texts[i].sql);
        ck_assert_msg(s.problem.position == texts[i].position, "%s: %u", texts[i].sql, s.problem.position);
        ck_assert(!sql_reader_next(r, &s));
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("parser limits");
    tcase_set_timeout(tc, 2 * SECONDS_MAX);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, nested_many_times);
    tcase_add_test(tc, nested_a_million_times);
    tcase_add_test(tc, nested_in_one_dialect);
    tcase_add_test(tc, depth_at_its_edge);
    tcase_add_test(tc, the_next_statement_is_read);
    tcase_add_test(tc, chains_of_operators);
    tcase_add_test(tc, height_at_its_edge);
    tcase_add_test(tc, long_lists);
    tcase_add_test(tc, hundred_megabytes);
    tcase_add_test(tc, a_long_run_of_anything);
    tcase_add_test(tc, a_long_run_of_words);
    tcase_add_test(tc, unicode_strings_one_after_the_other);
    tcase_add_test(tc, comments_in_comments);
    tcase_add_test(tc, a_million_statements);
    tcase_add_test(tc, the_ceiling_of_memory);
    tcase_add_test(tc, memory_out_anywhere);
    tcase_add_test(tc, longer_than_a_text_may_be);
    tcase_add_test(tc, a_nul_byte_anywhere);
    tcase_add_test(tc, every_byte_anywhere);
    tcase_add_test(tc, what_has_no_end_is_named_by_its_beginning);
    return check_main_of("parser_limits", tc);
}
