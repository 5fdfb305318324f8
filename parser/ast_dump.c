/*
 * ast_dump.c - trees as s-expressions of one line, for golden tests and `gilmok parse`.
 *
 *      (kind[:op] flag ... :slot node ... :slot node ...)
 *
 * Absent slots are left out. What has a short form without parentheses:
 *      name        lower-case letters, digits and _, written without quotes; every other as "text"
 *      DAY         a keyword as an option
 *      12 'text'   a constant as it is written: a number, or a string of printable ASCII without quotes and backslashes
 *                  inside; every other as (literal:what "as it is written")
 *      #null       the constants NULL, TRUE, FALSE and UNKNOWN
 *      $1 ?1       a parameter with its number
 *      *           a star
 * Text in double quotes: printable ASCII as it is, but \" and \\; any other byte as \xNN. So a dump is one line of ASCII
 * whatever the statement holds, and no two trees have the same one (but for positions and the keywords of names).
 *
 * Owns the names of flags and which op belongs to which list of words.
 */
#include "parser/ast.h"

#include <ctype.h>

#include "parser/keyword.h"

/* ---- flags ----------------------------------------------------------------------------------------------------------- */

struct flag_name {
    uint32_t flag;
    const char *name;
};

#define FLAGS(...) ((const struct flag_name[]){__VA_ARGS__, {0, NULL}})

static const struct flag_name shared_flags[] = {{AST_NOT, "not"}, {AST_PARENS, "parens"}, {0, NULL}};

static const struct flag_name update_flags[] = {
    {AST_UPDATE_IGNORE, "ignore"},
    {AST_UPDATE_LOW_PRIORITY, "low-priority"},
    {AST_UPDATE_QUICK, "quick"},
    {AST_UPDATE_HISTORY, "history"},
    {0, NULL},
};

static const struct flag_name derived_flags[] = {
    {AST_DERIVED_LATERAL, "lateral"},
    {AST_DERIVED_ORDINALITY, "ordinality"},
    {0, NULL},
};

static const struct flag_name select_flags[] = {
    {AST_SELECT_DISTINCT, "distinct"},
    {AST_SELECT_ALL, "all"},
    {AST_SELECT_GROUP_DISTINCT, "group-distinct"},
    {AST_SELECT_GROUP_ALL, "group-all"},
    {AST_SELECT_ROLLUP, "rollup"},
    {AST_SELECT_TABLE, "table"},
    {AST_SELECT_HIGH_PRIORITY, "high-priority"},
    {AST_SELECT_STRAIGHT_JOIN, "straight-join"},
    {AST_SELECT_SMALL_RESULT, "small-result"},
    {AST_SELECT_BIG_RESULT, "big-result"},
    {AST_SELECT_BUFFER_RESULT, "buffer-result"},
    {AST_SELECT_NO_CACHE, "no-cache"},
    {AST_SELECT_CACHE, "cache"},
    {AST_SELECT_CALC_FOUND_ROWS, "calc-found-rows"},
    {0, NULL},
};

static const struct flag_name insert_flags[] = {
    {AST_INSERT_REPLACE, "replace"},
    {AST_INSERT_IGNORE, "ignore"},
    {AST_INSERT_LOW_PRIORITY, "low-priority"},
    {AST_INSERT_HIGH_PRIORITY, "high-priority"},
    {AST_INSERT_DELAYED, "delayed"},
    {AST_INSERT_DEFAULT_VALUES, "default-values"},
    {AST_INSERT_OVERRIDING_SYSTEM, "overriding-system"},
    {AST_INSERT_OVERRIDING_USER, "overriding-user"},
    {0, NULL},
};

static const struct flag_name command_flags[] = {
    {AST_COMMAND_IF_EXISTS, "if-exists"},
    {AST_COMMAND_IF_NOT_EXISTS, "if-not-exists"},
    {AST_COMMAND_OR_REPLACE, "or-replace"},
    {AST_COMMAND_TEMPORARY, "temporary"},
    {AST_COMMAND_UNLOGGED, "unlogged"},
    {AST_COMMAND_CASCADE, "cascade"},
    {AST_COMMAND_RESTRICT, "restrict"},
    {AST_COMMAND_CONCURRENTLY, "concurrently"},
    {AST_COMMAND_LOCAL, "local"},
    {AST_COMMAND_SESSION, "session"},
    {AST_COMMAND_GLOBAL, "global"},
    {AST_COMMAND_ALL, "all"},
    {AST_COMMAND_HOLD, "hold"},
    {AST_COMMAND_ANALYZE, "analyze"},
    {AST_COMMAND_CHAIN, "chain"},
    {AST_COMMAND_RELEASE, "release"},
    {AST_COMMAND_READ_ONLY, "read-only"},
    {AST_COMMAND_READ_WRITE, "read-write"},
    {AST_COMMAND_UNIQUE, "unique"},
    {AST_COMMAND_MATERIALIZED, "materialized"},
    {AST_COMMAND_RECURSIVE, "recursive"},
    {AST_COMMAND_NO_DATA, "no-data"},
    {AST_COMMAND_BODY, "body"},
    {0, NULL},
};

static const struct flag_name *const flag_names[AST_KIND_COUNT] = {
    [AST_NAME] = FLAGS({AST_NAME_QUOTED, "quoted"}),
    [AST_BETWEEN] = FLAGS({AST_BETWEEN_SYMMETRIC, "symmetric"}),
    [AST_QUANTIFIED] = FLAGS({AST_QUANTIFIED_ALL, "all"}),
    [AST_TYPE] = FLAGS({AST_TYPE_SETOF, "setof"}, {AST_TYPE_PERCENT, "percent"}),
    [AST_FUNC] = FLAGS({AST_FUNC_DISTINCT, "distinct"}, {AST_FUNC_ALL, "all"}, {AST_FUNC_VARIADIC, "variadic"},
                       {AST_FUNC_IGNORE_NULLS, "ignore-nulls"}, {AST_FUNC_RESPECT_NULLS, "respect-nulls"},
                       {AST_FUNC_FROM_LAST, "from-last"}),
    [AST_SUBSCRIPT] = FLAGS({AST_SUBSCRIPT_SLICE, "slice"}),
    [AST_ROW] = FLAGS({AST_ROW_KEYWORD, "keyword"}),
    [AST_TABLE] = FLAGS({AST_TABLE_ONLY, "only"}, {AST_TABLE_STAR, "star"}),
    [AST_DERIVED] = derived_flags,
    [AST_TABLE_FUNC] = derived_flags,
    [AST_JOIN] = FLAGS({AST_JOIN_NATURAL, "natural"}, {AST_JOIN_LIST, "list"}),
    [AST_SELECT] = select_flags,
    [AST_SETOP] = FLAGS({AST_SETOP_ALL, "all"}, {AST_SETOP_DISTINCT, "distinct"}),
    [AST_WITH] = FLAGS({AST_WITH_RECURSIVE, "recursive"}),
    [AST_CTE] = FLAGS({AST_CTE_MATERIALIZED, "materialized"}, {AST_CTE_NOT_MATERIALIZED, "not-materialized"}),
    [AST_SORT] = FLAGS({AST_SORT_ASC, "asc"}, {AST_SORT_DESC, "desc"}, {AST_SORT_NULLS_FIRST, "nulls-first"},
                       {AST_SORT_NULLS_LAST, "nulls-last"}),
    [AST_LIMIT] = FLAGS({AST_LIMIT_COMMA, "comma"}, {AST_LIMIT_ALL, "all"}, {AST_LIMIT_FETCH, "fetch"},
                        {AST_LIMIT_WITH_TIES, "with-ties"}),
    [AST_LITERAL] = FLAGS({AST_LITERAL_JOINED, "joined"}),
    [AST_LOCK] = FLAGS({AST_LOCK_NOWAIT, "nowait"}, {AST_LOCK_SKIP_LOCKED, "skip-locked"}),
    [AST_INTO] = FLAGS({AST_INTO_TEMPORARY, "temporary"}, {AST_INTO_UNLOGGED, "unlogged"}),
    [AST_INSERT] = insert_flags,
    [AST_ASSIGNMENT] = FLAGS({AST_ASSIGNMENT_MULTI, "multi"}),
    [AST_UPDATE] = update_flags,
    [AST_DELETE] = update_flags,
    [AST_MERGE_WHEN] = FLAGS({AST_MERGE_MATCHED, "matched"}, {AST_MERGE_BY_SOURCE, "by-source"},
                             {AST_MERGE_OVERRIDING_SYSTEM, "overriding-system"},
                             {AST_MERGE_OVERRIDING_USER, "overriding-user"}),
    [AST_COPY] = FLAGS({AST_COPY_FROM, "from"}, {AST_COPY_PROGRAM, "program"}, {AST_COPY_BINARY, "binary"}),
    [AST_LOAD] = FLAGS({AST_LOAD_XML, "xml"}, {AST_LOAD_LOCAL, "local"}, {AST_LOAD_REPLACE, "replace"},
                       {AST_LOAD_IGNORE, "ignore"}, {AST_LOAD_LOW_PRIORITY, "low-priority"},
                       {AST_LOAD_CONCURRENT, "concurrent"}),
    [AST_COMMAND] = command_flags,
};

static uint32_t dump_known_flags(uint32_t flags, const struct flag_name *names, struct writer *w) {
    for (; names && names->name; names++) {
        if (!(flags & names->flag)) continue;
        writer_u8(w, ' ');
        writer_str(w, names->name);
        flags &= ~names->flag;
    }
    return flags;
}

static void dump_flags(const struct ast *node, struct writer *w) {
    uint32_t rest = dump_known_flags(node->flags, shared_flags, w);
    rest = dump_known_flags(rest, flag_names[node->kind], w);
    if (rest) writer_fmt(w, " flags-%x", (unsigned)rest); /* a flag of the parser's that has no name here */
}

/* ---- ops ------------------------------------------------------------------------------------------------------------- */

typedef const char *op_name(unsigned op);

static op_name *const op_names[AST_KIND_COUNT] = {
    [AST_LITERAL] = ast_literal_name,
    [AST_VARIABLE] = ast_scope_name,
    [AST_UNARY] = ast_operator_name,
    [AST_BINARY] = ast_operator_name,
    [AST_IS] = ast_is_name,
    [AST_LIKE] = ast_operator_name,
    [AST_QUANTIFIED] = ast_operator_name,
    [AST_SUBQUERY] = ast_subquery_name,
    [AST_CAST] = ast_cast_name,
    [AST_FUNC] = ast_call_name,
    [AST_JOIN] = ast_join_name,
    [AST_SETOP] = ast_setop_name,
    [AST_LOCK] = ast_lock_strength_name,
    [AST_INTO] = ast_into_name,
    [AST_GROUPING] = ast_grouping_name,
    [AST_FRAME] = ast_frame_name,
    [AST_BOUND] = ast_bound_name,
    [AST_CONFLICT] = ast_conflict_name,
    [AST_MERGE_WHEN] = ast_merge_action_name,
    [AST_COMMAND] = sql_verb_name,
    [AST_OBJECT] = sql_object_name,
    [AST_SETTING] = ast_scope_name,
    [AST_CONSTRAINT] = ast_constraint_name,
};

/* Is this the op of nearly all of its kind? Then the kind alone says it. */
static bool is_usual_op(const struct ast *node) {
    switch (node->kind) {
    case AST_FUNC: return node->op == CALL_PLAIN;
    case AST_SUBQUERY: return node->op == SUBQUERY_SCALAR;
    case AST_VARIABLE:
    case AST_SETTING: return node->op == SCOPE_NONE;
    case AST_OBJECT: return node->op == SQL_OBJECT_NONE;
    default: return op_names[node->kind] == NULL && node->op == 0;
    }
}

/* The words of a command or an object, in lower case, joined by '-'. */
static void dump_words(const char *words, struct writer *w) {
    for (; *words; words++) writer_u8(w, *words == ' ' ? '-' : (uint8_t)tolower((unsigned char)*words));
}

static void dump_op(const struct ast *node, struct writer *w) {
    if (is_usual_op(node)) return;
    writer_u8(w, ':');
    op_name *name = op_names[node->kind];
    if (name) dump_words(name(node->op), w);
    else writer_fmt(w, "%u", node->op);
    if (node->kind != AST_COMMAND) return;
    uint16_t object = AST_AS(command, COMMAND, node)->object;
    if (object == SQL_OBJECT_NONE) return;
    writer_u8(w, '/');
    dump_words(sql_object_name(object), w);
}

/* ---- names and constants --------------------------------------------------------------------------------------------- */

static void put_escaped(struct bytes text, struct writer *w) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '"' || c == '\\') writer_u8(w, '\\');
        if (c >= ' ' && c <= '~') {
            writer_u8(w, c);
        } else {
            writer_str(w, "\\x");
            writer_u8(w, (uint8_t)hex[c >> 4]);
            writer_u8(w, (uint8_t)hex[c & 15]);
        }
    }
}

static void dump_quoted(struct bytes text, struct writer *w) {
    writer_u8(w, '"');
    put_escaped(text, w);
    writer_u8(w, '"');
}

static struct bytes span_of(const struct ast *node, struct bytes text) {
    INVARIANT(node->start <= node->end && node->end <= text.len);
    return bytes_of(text.ptr + node->start, node->end - node->start);
}

static bool is_simple_word(struct bytes text) {
    if (text.len == 0 || (text.ptr[0] >= '0' && text.ptr[0] <= '9')) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

static void dump_name(const struct ast *node, struct writer *w) {
    struct bytes text = AST_AS(name, NAME, node)->text;
    if (!(node->flags & AST_NAME_QUOTED) && is_simple_word(text)) writer_put(w, text);
    else dump_quoted(text, w);
}

static void dump_word(const struct ast *node, struct bytes text, struct writer *w) {
    if (node->op < KEYWORD_FIRST) {
        writer_str(w, "(word ");
        dump_quoted(span_of(node, text), w);
        writer_u8(w, ')');
        return;
    }
    for (const char *word = keyword_name(node->op); *word; word++) writer_u8(w, (uint8_t)toupper((unsigned char)*word));
}

/* 12, 1.5e-3 */
static bool is_simple_number(struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || c == '.' || (i > 0 && (c == 'e' || c == 'E' || c == '-' || c == '+')))) return false;
    }
    return text.len > 0;
}

/* 'text' */
static bool is_simple_string(struct bytes text) {
    if (text.len < 2 || text.ptr[0] != '\'' || text.ptr[text.len - 1] != '\'') return false;
    for (size_t i = 1; i < text.len - 1; i++) {
        uint8_t c = text.ptr[i];
        if (c < ' ' || c > '~' || c == '\'' || c == '\\') return false;
    }
    return true;
}

static bool is_simple_literal(const struct ast *node, struct bytes source) {
    if (node->flags || AST_AS(literal, LITERAL, node)->parts) return false;
    if (node->op == LITERAL_STRING) return is_simple_string(source);
    return (node->op == LITERAL_INTEGER || node->op == LITERAL_NUMBER) && is_simple_number(source);
}

static bool is_literal_word(const struct ast *node) {
    return node->op == LITERAL_NULL || node->op == LITERAL_TRUE || node->op == LITERAL_FALSE || node->op == LITERAL_UNKNOWN;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------------- */

static void dump_slots(const struct ast *node, struct bytes text, struct writer *w) {
    int count = ast_slot_count(node);
    for (int i = 0; i < count; i++) {
        const struct ast *child = ast_slot(node, i);
        if (!child) continue;
        writer_str(w, " :");
        writer_str(w, ast_slot_name(node, i));
        for (; child; child = child->next) {
            writer_u8(w, ' ');
            ast_dump(child, text, w);
        }
    }
}

/* Behind a piece of a joined string: at the next piece's quote, or at the end. Line comments are the only ones there. */
static size_t next_piece(struct bytes source, size_t at) {
    while (at < source.len && source.ptr[at] != '\'') {
        bool is_comment = source.ptr[at] == '-';
        do at++;
        while (is_comment && at < source.len && source.ptr[at] != '\n' && source.ptr[at] != '\r');
    }
    return at;
}

/* A string of several pieces, with one space between them whatever was there. */
static void dump_joined(const struct ast *node, struct bytes source, struct writer *w) {
    size_t at = 0, start = 0;
    while (at < source.len && source.ptr[at] != '\'') at++;
    while (at < source.len) {
        for (at++; at < source.len; at++) {
            if (source.ptr[at] == '\\' && node->op == LITERAL_ESCAPE_STRING) at++;
            else if (source.ptr[at] != '\'') continue;
            else if (at + 1 < source.len && source.ptr[at + 1] == '\'') at++;
            else break;
        }
        if (at < source.len) at++;
        if (at > source.len) at = source.len;
        put_escaped(bytes_of(source.ptr + start, at - start), w);
        start = at = next_piece(source, at);
        if (at < source.len) writer_u8(w, ' ');
    }
}

/* (kind[:op] flags ["source"] slots) */
static void dump_node(const struct ast *node, struct bytes text, bool has_source, struct writer *w) {
    writer_u8(w, '(');
    writer_str(w, ast_kind_name(node->kind));
    dump_op(node, w);
    dump_flags(node, w);
    if (has_source) {
        writer_u8(w, ' ');
        if (node->kind == AST_LITERAL && (node->flags & AST_LITERAL_JOINED)) {
            writer_u8(w, '"');
            dump_joined(node, span_of(node, text), w);
            writer_u8(w, '"');
        } else {
            dump_quoted(span_of(node, text), w);
        }
    }
    dump_slots(node, text, w);
    writer_u8(w, ')');
}

static void dump_literal(const struct ast *node, struct bytes text, struct writer *w) {
    struct bytes source = span_of(node, text);
    if (is_simple_literal(node, source)) {
        writer_put(w, source);
    } else if (is_literal_word(node)) {
        writer_u8(w, '#');
        writer_str(w, ast_literal_name(node->op));
    } else {
        dump_node(node, text, !AST_AS(literal, LITERAL, node)->parts, w);
    }
}

static void dump_param(const struct ast *node, struct bytes text, struct writer *w) {
    struct bytes source = span_of(node, text);
    writer_u8(w, source.len > 0 && source.ptr[0] == '$' ? '$' : '?');
    writer_fmt(w, "%u", (unsigned)AST_AS(param, PARAM, node)->number);
}

void ast_dump(const struct ast *node, struct bytes text, struct writer *w) {
    switch (node->kind) {
    case AST_NAME: dump_name(node, w); break;
    case AST_STAR: writer_u8(w, '*'); break;
    case AST_WORD: dump_word(node, text, w); break;
    case AST_LITERAL: dump_literal(node, text, w); break;
    case AST_PARAM: dump_param(node, text, w); break;
    case AST_HINT: dump_node(node, text, true, w); break;
    default: dump_node(node, text, false, w); break;
    }
}
