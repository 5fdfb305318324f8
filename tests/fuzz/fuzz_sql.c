/*
 * fuzz_sql.c - the promises of the SQL lexers and parsers.
 */
#include "tests/fuzz/fuzz_sql.h"

#include "parser/lex.h"

struct sql_options fuzz_sql_options(enum sql_dialect dialect, uint8_t byte) {
    struct sql_options options = sql_options_default(dialect);
    if (dialect == SQL_POSTGRES) {
        static const uint32_t versions[] = {190000, 150000, 140000, 160000, 170000, 180000};
        options.version = versions[(byte & 7) % COUNT_OF(versions)];
        if (byte & 8) options.modes = 0;
        if (byte & 16) options.encoding = SQL_ENCODING_SINGLE_BYTE;
        if (byte & 32) options.encoding = SQL_ENCODING_UNSAFE;
        return options;
    }
    options.flavour = byte & 1 ? SQL_FLAVOUR_MARIADB : SQL_FLAVOUR_MYSQL;
    options.version = byte & 1 ? (byte & 2 ? 101118 : 110800) : byte & 2 ? 50744 : 90700;
    if (byte & 4) options.modes |= SQL_ANSI_QUOTES;
    if (byte & 8) options.modes |= SQL_NO_BACKSLASH_ESCAPES;
    if (byte & 16) options.modes |= SQL_PIPES_AS_CONCAT | SQL_HIGH_NOT_PRECEDENCE;
    if (byte & 32) options.modes |= SQL_ORACLE;
    if (byte & 64) options.modes |= SQL_IGNORE_SPACE;
    if (byte & 128) options.encoding = SQL_ENCODING_SINGLE_BYTE;
    return options;
}

/* Tokens stand one behind the other inside the text; an error has a reason and stays; every call makes progress. */
void fuzz_sql_tokens(struct bytes text, const struct sql_options *options) {
    struct lexer l;
    struct token t;
    uint32_t last = 0;
    lex_init(&l, text, options);
    for (size_t count = 0;; count++) {
        lex_next(&l, &t);
        if (t.kind == TOKEN_END || t.kind == TOKEN_ERROR) break;
        PROMISE(count < text.len);
        PROMISE(t.start >= last && t.end > t.start && t.end <= text.len);
        PROMISE(t.kind < TOKEN_KIND_COUNT || (t.kind >= KEYWORD_FIRST && t.kind < KEYWORD_END));
        PROMISE(token_kind_name(t.kind)[0]);
        last = t.end;
    }
    uint16_t end = t.kind;
    if (end == TOKEN_ERROR) PROMISE(l.problem && l.problem_at <= text.len);
    lex_next(&l, &t);
    PROMISE(t.kind == end);
}

/* ---- trees ----------------------------------------------------------------------------------------------------------- */

struct tree {
    uint32_t start, end; /* of the statement */
    size_t height, count;
};

/* Every node lies in the statement, and in the node above it; the tree is as low as the limit says. */
static void check_node(const struct ast *node, struct tree *tree, const struct ast *above) {
    tree->count++;
    PROMISE(++tree->height <= PARSE_HEIGHT_MAX + 8 * PARSE_DEPTH_MAX);
    PROMISE(node->kind > AST_NONE && node->kind < AST_KIND_COUNT);
    PROMISE(node->start <= node->end && node->start >= tree->start && node->end <= tree->end);
    if (above) PROMISE(node->start >= above->start && node->end <= above->end);
    for (int slot = 0; slot < ast_slot_count(node); slot++) {
        for (const struct ast *below = ast_slot(node, slot); below; below = below->next) check_node(below, tree, node);
    }
    tree->height--;
}

static bool count_visit(struct ast *node, void *ctx) {
    (void)node;
    (*(size_t *)ctx)++;
    return true;
}

/* They live as long as the process: the heap would cost more than all the rest. */
static struct arena arena;
static struct writer dump;

static void check_tree(struct ast *root, const struct sql_statement *s, struct bytes text) {
    struct tree tree = {.start = s->start, .end = s->end};
    char words[64];
    PROMISE(!root->next);
    check_node(root, &tree, NULL);
    size_t visited = 0;
    ast_walk(root, count_visit, &visited);
    PROMISE(visited == tree.count);
    PROMISE(ast_statement_name(root, words, sizeof words)[0]);
    writer_reset(&dump);
    ast_dump(root, text, &dump);
    PROMISE(!dump.failed && dump.len > 0 && !memchr(dump.data, '\n', dump.len));
}

/* Memory that ends somewhere on the way is a problem of the statement like any other. */
static void check_scarce_memory(struct bytes text, const struct sql_options *options) {
    struct arena scarce;
    struct sql_statement s;
    size_t count = 0;
    arena_init(&scarce, 1024 + (text.len * 2654435761u) % 4096);
    struct sql_reader *reader = sql_reader_new(text, options, &scarce);
    while (reader && sql_reader_next(reader, &s)) {
        PROMISE(count++ <= text.len);
        PROMISE(s.outcome != SQL_UNKNOWN || s.problem.reason);
    }
    PROMISE(scarce.used <= scarce.max);
    arena_release(&scarce);
}

/* Statements stand one behind the other; each is read, empty, or has a problem with a position and a reason. */
void fuzz_sql_statements(struct bytes text, const struct sql_options *options) {
    struct sql_statement s;
    uint32_t last = 0;
    size_t count = 0;
    if (arena.max == 0) {
        arena_init(&arena, 64 << 20);
        arena_keep(&arena, 1 << 20);
        writer_init(&dump, 64 << 20);
    }
    arena_reset(&arena);
    struct sql_reader *reader = sql_reader_new(text, options, &arena);
    PROMISE(reader);
    while (sql_reader_next(reader, &s)) {
        PROMISE(count++ <= text.len);
        PROMISE(s.start >= last && s.end >= s.start && s.end <= text.len);
        last = s.end;
        if (s.outcome == SQL_PARSED) {
            PROMISE(s.ast && s.end > s.start);
            check_tree(s.ast, &s, text);
        } else if (s.outcome == SQL_UNKNOWN) {
            PROMISE(s.problem.reason && s.problem.position <= text.len);
        } else {
            PROMISE(s.start == s.end);
        }
    }
    PROMISE(!sql_reader_next(reader, &s));
    sql_parse_one(text, options, &arena, &s);
    PROMISE(s.end <= text.len);
    check_scarce_memory(text, options);
}
