/*
 * parse_pg_json.c - SQL/JSON of PostgreSQL 16 and later: constructors, query functions, JSON_TABLE.
 */
#include <strings.h>

#include "parser/parse.h"

#include "parser/parse_pg.h"

/* ---- SQL/JSON (PostgreSQL 16 and later) ------------------------------------------------------------------------------ */

/* ENCODING name: UTF8, UTF16, UTF32 */
static void parse_json_encoding(struct sql_reader *p) {
    static const char *const known[] = {"utf8", "utf16", "utf32"};
    uint32_t start = p->tok.start;
    struct ast *name = parse_name(p);
    for (size_t i = 0; !p->failed && i < sizeof known / sizeof *known; i++) {
        struct bytes text = AST_AS(name, NAME, name)->text;
        if (text.len == strlen(known[i]) && strncasecmp((const char *)text.ptr, known[i], text.len) == 0) return;
    }
    parse_fail_at(p, start, "unrecognized JSON encoding");
}

/* [FORMAT JSON [ENCODING name]]. Is it there? */
static bool parse_opt_json_format(struct sql_reader *p) {
    if (!parse_accept2(p, KW_FORMAT, KW_JSON)) return false;
    if (parse_accept(p, KW_ENCODING)) parse_json_encoding(p);
    return true;
}

/* expr [FORMAT JSON ...] */
static struct ast *parse_json_value(struct sql_reader *p) {
    struct ast *value = parse_expr(p);
    parse_opt_json_format(p);
    return value;
}

/* [RETURNING type [FORMAT JSON ...]] */
static struct ast *parse_opt_json_returning(struct sql_reader *p) {
    if (!parse_at(p, KW_RETURNING)) return NULL;
    uint32_t start = p->tok.start;
    parse_advance(p);
    struct ast *type = parse_type(p);
    parse_opt_json_format(p);
    return parse_option(p, start, "returning", type);
}

/* [(WITH | WITHOUT) UNIQUE [KEYS]] */
static void parse_opt_json_unique(struct sql_reader *p) {
    if ((parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT)) && parse_peek(p, 1) == KW_UNIQUE) {
        parse_advance(p);
        parse_advance(p);
        parse_accept(p, KW_KEYS);
    }
}

/* [(NULL | ABSENT) ON NULL] */
static struct ast *parse_opt_json_nulls(struct sql_reader *p) {
    if ((!parse_at(p, KW_NULL) && !parse_at(p, KW_ABSENT)) || parse_peek(p, 1) != KW_ON) return NULL;
    struct ast *word = parse_word(p);
    parse_advance(p);
    parse_expect(p, KW_NULL);
    return word;
}

/* Does the token at hand begin an expression that is no operand? */
static bool at_prefix(struct sql_reader *p) {
    if (parse_at(p, KW_OPERATOR)) return parse_peek(p, 1) == '(';
    return parse_at(p, KW_NOT) || parse_at(p, KW_DEFAULT) || parse_is_operator(p->tok.kind);
}

/* A pair's first half: an operand before VALUE, any expression before ":". What else may follow is the caller's business. */
static struct ast *parse_json_key(struct sql_reader *p) {
    if (at_prefix(p)) {
        struct ast *key = parse_expr(p);
        if (parse_at(p, KW_VALUE)) parse_fail(p, "syntax error");
        return key;
    }
    uint32_t start = p->tok.start;
    struct ast *key = parse_expr_primary(p);
    if (parse_at(p, ':') || parse_at(p, KW_VALUE)) return key;
    key = parse_expr_rest(p, key, start);
    if (parse_at(p, KW_VALUE)) parse_fail(p, "syntax error");
    return key;
}

/* key (":" | VALUE) value, of which the key was read */
static struct ast *parse_json_pair_rest(struct sql_reader *p, struct ast *key, uint32_t start) {
    struct ast_named_arg *pair = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
    pair->node.start = start;
    pair->name = key;
    if (!parse_accept(p, ':')) parse_expect(p, KW_VALUE);
    pair->value = parse_json_value(p);
    return parse_done(p, pair);
}

static struct ast *parse_json_pair(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    return parse_json_pair_rest(p, parse_json_key(p), start);
}

/* [nulls] [unique] [returning]; arrays have no `unique` */
static struct ast *parse_json_constructor_options(struct sql_reader *p, bool is_object) {
    struct parse_list options;
    parse_list_init(&options);
    struct ast *nulls = parse_opt_json_nulls(p);
    if (nulls) parse_list_add(&options, nulls);
    if (is_object) parse_opt_json_unique(p);
    struct ast *returning = parse_opt_json_returning(p);
    if (returning) parse_list_add(&options, returning);
    return options.first;
}

/* [pair { "," pair } [nulls] [unique]] [returning] | arg { "," arg }: the ordinary function of that name */
static void parse_json_object(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, ')') || parse_at(p, KW_RETURNING)) {
        f->options = parse_opt_json_returning(p);
        return;
    }
    uint32_t start = p->tok.start;
    uint16_t next = parse_peek(p, 1);
    bool is_plain = parse_at(p, KW_VARIADIC) || next == TOKEN_ARROW || next == TOKEN_ASSIGN;
    struct ast *first = is_plain ? parse_arg(p) : parse_json_key(p);
    if (!parse_at(p, ':') && !parse_at(p, KW_VALUE)) {
        parse_list_add(&args, first);
        f->node.op = CALL_PLAIN;
        while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
    } else {
        parse_list_add(&args, parse_json_pair_rest(p, first, start));
        while (parse_accept(p, ',')) parse_list_add(&args, parse_json_pair(p));
        f->options = parse_json_constructor_options(p, true);
    }
    f->args = args.first;
}

/* [value { "," value } [nulls]] [returning] | query [FORMAT JSON ...] [returning] */
static void parse_json_array(struct sql_reader *p, struct ast_func *f) {
    if (parse_at(p, ')') || parse_at(p, KW_RETURNING)) {
        f->options = parse_opt_json_returning(p);
    } else if (parse_at_query_word(p)) {
        f->args = parse_query(p);
        parse_opt_json_format(p);
        f->options = parse_opt_json_returning(p);
    } else {
        f->args = parse_comma_list(p, parse_json_value);
        f->options = parse_json_constructor_options(p, false);
    }
}

/* JSON_OBJECT[AGG], JSON_ARRAY[AGG] - the inside */
void parse_pg_json_constructor(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    switch (kind) {
    case KW_JSON_OBJECT: parse_json_object(p, f); break;
    case KW_JSON_ARRAY: parse_json_array(p, f); break;
    case KW_JSON_OBJECTAGG:
        f->args = parse_json_pair(p);
        f->options = parse_json_constructor_options(p, true);
        break;
    default:
        f->args = parse_json_value(p);
        f->order = parse_opt_order(p);
        f->options = parse_json_constructor_options(p, false);
        break;
    }
}

/* name AS expr */
static struct ast *parse_json_passing(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->expr = parse_json_value(p);
    parse_expect(p, KW_AS);
    target->name = parse_label(p);
    return parse_done(p, target);
}

static bool at_json_behaviour(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_DEFAULT:
    case KW_EMPTY: return true;
    case KW_ERROR:
    case KW_NULL:
    case KW_TRUE:
    case KW_FALSE:
    case KW_UNKNOWN: return parse_peek(p, 1) == KW_ON;
    default: return false;
    }
}

/* ERROR | NULL | EMPTY [ARRAY | OBJECT] | DEFAULT expr | TRUE | FALSE | UNKNOWN */
static struct ast *parse_json_behaviour(struct sql_reader *p) {
    if (parse_accept(p, KW_DEFAULT)) return parse_expr(p);
    bool is_empty = parse_at(p, KW_EMPTY);
    struct ast *word = parse_word(p);
    if (is_empty && !parse_accept(p, KW_ARRAY)) parse_accept(p, KW_OBJECT);
    return word;
}

/* [behaviour ON EMPTY] [behaviour ON ERROR]; only the latter unless `may_be_empty` */
static struct ast *parse_opt_json_behaviours(struct sql_reader *p, bool may_be_empty) {
    struct parse_list options;
    parse_list_init(&options);
    for (bool is_error = false; !is_error && at_json_behaviour(p);) {
        uint32_t start = p->tok.start;
        struct ast *value = parse_json_behaviour(p);
        parse_expect(p, KW_ON);
        is_error = !may_be_empty || !parse_accept(p, KW_EMPTY);
        if (is_error) parse_expect(p, KW_ERROR);
        may_be_empty = false;
        parse_list_add(&options, parse_option(p, start, is_error ? "on error" : "on empty", value));
    }
    return options.first;
}

/* [(WITH [CONDITIONAL | UNCONDITIONAL] | WITHOUT) [ARRAY] WRAPPER] [(KEEP | OMIT) QUOTES [ON SCALAR STRING]] */
static void parse_opt_json_wrapper(struct sql_reader *p) {
    if (parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT)) {
        bool is_with = parse_accept(p, KW_WITH) || !parse_accept(p, KW_WITHOUT);
        if (is_with && !parse_accept(p, KW_CONDITIONAL)) parse_accept(p, KW_UNCONDITIONAL);
        parse_accept(p, KW_ARRAY);
        parse_expect(p, KW_WRAPPER);
    }
    if (parse_at(p, KW_KEEP) || parse_at(p, KW_OMIT)) {
        parse_advance(p);
        parse_expect(p, KW_QUOTES);
        if (parse_accept(p, KW_ON)) {
            parse_expect(p, KW_SCALAR);
            parse_expect(p, KW_STRING);
        }
    }
}

/* value "," path [PASSING ...] [RETURNING type] [wrapper] [behaviours]: the inside of JSON_QUERY; of JSON_VALUE without the
   wrapper, of JSON_EXISTS with nothing but ON ERROR behind the path */
void parse_pg_json_query(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    f->args = parse_json_value(p);
    parse_expect(p, ',');
    parse_append(&f->args, parse_expr(p));
    struct parse_list options;
    parse_list_init(&options);
    if (parse_at(p, KW_PASSING)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *list = parse_comma_list(p, parse_json_passing);
        parse_list_add(&options, parse_option(p, start, "passing", list));
    }
    struct ast *returning = kind == KW_JSON_EXISTS ? NULL : parse_opt_json_returning(p);
    if (returning) parse_list_add(&options, returning);
    if (kind == KW_JSON_QUERY) parse_opt_json_wrapper(p);
    *options.tail = parse_opt_json_behaviours(p, kind != KW_JSON_EXISTS);
    f->options = options.first;
}

/* JSON, JSON_SCALAR, JSON_SERIALIZE "(" value ... ")" - the inside */
void parse_pg_json_simple(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    f->args = kind == KW_JSON_SCALAR ? parse_expr(p) : parse_json_value(p);
    if (kind == KW_JSON) parse_opt_json_unique(p);
    if (kind == KW_JSON_SERIALIZE) f->options = parse_opt_json_returning(p);
}

/* ---- JSON_TABLE ------------------------------------------------------------------------------------------------------ */

static struct ast *parse_json_columns(struct sql_reader *p);

/* NESTED with its path behind it; alone it may be the name of a column. */
static bool at_nested_path(struct sql_reader *p) {
    if (!parse_at(p, KW_NESTED)) return false;
    uint16_t next = parse_peek(p, 1);
    return next == KW_PATH || next == TOKEN_STRING || next == TOKEN_ESCAPE_STRING || next == TOKEN_UNICODE_STRING ||
           next == TOKEN_DOLLAR_STRING;
}

/* name FOR ORDINALITY | name type [FORMAT JSON ...] [PATH 'p'] [wrapper] [behaviours]
   | name type EXISTS [PATH 'p'] [behaviour ON ERROR] | NESTED [PATH] 'p' [AS name] COLUMNS (...) */
static struct ast *parse_json_column(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    if (at_nested_path(p)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        parse_accept(p, KW_PATH);
        struct ast *path = parse_string(p);
        if (parse_accept(p, KW_AS)) def->name = parse_name(p);
        path->next = parse_json_columns(p);
        def->constraints = parse_option(p, start, "nested path", path);
        return parse_done(p, def);
    }
    def->name = parse_name(p);
    if (parse_accept2(p, KW_FOR, KW_ORDINALITY)) return parse_done(p, def);
    def->type = parse_type(p);
    struct parse_list options;
    parse_list_init(&options);
    bool is_exists = !parse_opt_json_format(p) && parse_accept(p, KW_EXISTS);
    if (parse_at(p, KW_PATH)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *path = parse_string(p);
        parse_list_add(&options, parse_option(p, start, "path", path));
    }
    if (!is_exists) parse_opt_json_wrapper(p);
    *options.tail = parse_opt_json_behaviours(p, !is_exists);
    def->constraints = options.first;
    return parse_done(p, def);
}

/* COLUMNS "(" columns ")" */
static struct ast *parse_json_columns(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_COLUMNS);
    struct ast *columns = NULL;
    if (parse_enter(p)) columns = parse_paren_list(p, parse_json_column);
    parse_leave(p);
    return parse_option(p, start, "columns", columns);
}

/* An expression, of which the grammar takes string constants alone. */
static struct ast *parse_json_table_path(struct sql_reader *p) {
    struct ast *path = parse_expr(p);
    bool is_text = path->kind == AST_LITERAL && (path->op == LITERAL_STRING || path->op == LITERAL_ESCAPE_STRING ||
                                                 path->op == LITERAL_UNICODE_STRING || path->op == LITERAL_DOLLAR_STRING);
    if (!is_text) parse_fail_at(p, path->start, "only string constants are supported in JSON_TABLE path specification");
    return path;
}

/* JSON_TABLE "(" value "," path [AS name] [PASSING ...] COLUMNS (...) [... ON ERROR] ")" - PostgreSQL 17 */
struct ast *parse_pg_json_table(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    struct parse_list options;
    parse_list_init(&options);
    f->node.op = CALL_SPECIAL;
    f->names = parse_name_of_token(p);
    parse_expect(p, '(');
    f->args = parse_json_value(p);
    parse_expect(p, ',');
    parse_append(&f->args, parse_json_table_path(p));
    if (parse_accept(p, KW_AS)) parse_name(p);
    if (parse_at(p, KW_PASSING)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *list = parse_comma_list(p, parse_json_passing);
        parse_list_add(&options, parse_option(p, start, "passing", list));
    }
    parse_list_add(&options, parse_json_columns(p));
    *options.tail = parse_opt_json_behaviours(p, false);
    f->options = options.first;
    parse_expect(p, ')');
    return parse_done(p, f);
}
