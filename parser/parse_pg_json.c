/*
 * parse_pg_json.c - SQL/JSON of PostgreSQL 16 and later: constructors, query functions, JSON_TABLE.
 */
#include "parser/parse.h"

#include "parser/parse_pg.h"

/* ---- SQL/JSON (PostgreSQL 16 and later) ------------------------------------------------------------------------------ */

/* [FORMAT JSON [ENCODING name]] */
static void parse_opt_json_format(struct sql_reader *p) {
    if (parse_at(p, KW_FORMAT) && parse_peek(p, 1) == KW_JSON) {
        parse_advance(p);
        parse_advance(p);
        if (parse_accept(p, KW_ENCODING)) parse_name(p);
    }
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

/* expr (":" | VALUE) json_value as two arguments; KEY is no word of PostgreSQL's here */
static struct ast *parse_json_pair(struct sql_reader *p) {
    struct ast_named_arg *pair = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
    pair->name = parse_expr_primary(p);
    if (!parse_at(p, ':') && !parse_at(p, KW_VALUE)) pair->name = parse_expr_rest(p, pair->name, pair->node.start);
    if (!parse_accept(p, ':')) parse_expect(p, KW_VALUE);
    pair->value = parse_json_value(p);
    return parse_done(p, pair);
}

/* JSON_OBJECT[AGG], JSON_ARRAY[AGG] - the inside */
void parse_pg_json_constructor(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    if (!parse_at(p, ')') && !parse_at(p, KW_RETURNING)) {
        if (kind == KW_JSON_OBJECT || kind == KW_JSON_OBJECTAGG) {
            struct parse_list args;
            parse_list_init(&args);
            uint32_t start = p->tok.start;
            struct ast *first = parse_arg(p);
            if (parse_at(p, ':') || parse_at(p, KW_VALUE)) {
                struct ast_named_arg *pair = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
                pair->node.start = start;
                pair->name = first;
                parse_advance(p);
                pair->value = parse_json_value(p);
                parse_list_add(&args, parse_done(p, pair));
                while (kind == KW_JSON_OBJECT && parse_accept(p, ',')) parse_list_add(&args, parse_json_pair(p));
            } else { /* the ordinary function json_object(...) */
                parse_list_add(&args, first);
                f->node.op = CALL_PLAIN;
                while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
            }
            f->args = args.first;
        } else if (kind == KW_JSON_ARRAY && (parse_at(p, KW_SELECT) || parse_at(p, KW_WITH) || parse_at(p, KW_VALUES))) {
            f->args = parse_query(p);
            parse_opt_json_format(p);
        } else if (kind == KW_JSON_ARRAY) {
            f->args = parse_comma_list(p, parse_json_value);
        } else {
            f->args = parse_json_value(p);
            f->order = parse_opt_order(p);
        }
    }
    struct parse_list options;
    parse_list_init(&options);
    struct ast *nulls = parse_opt_json_nulls(p);
    if (nulls) parse_list_add(&options, nulls);
    parse_opt_json_unique(p);
    struct ast *returning = parse_opt_json_returning(p);
    if (returning) parse_list_add(&options, returning);
    f->options = options.first;
}

/* name AS expr */
static struct ast *parse_json_passing(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->expr = parse_json_value(p);
    parse_expect(p, KW_AS);
    target->name = parse_label(p);
    return parse_done(p, target);
}

/* { (ERROR | NULL | EMPTY [ARRAY | OBJECT] | DEFAULT expr | TRUE | FALSE | UNKNOWN) ON (EMPTY | ERROR) } */
static struct ast *parse_opt_json_behaviour(struct sql_reader *p) {
    struct parse_list options;
    parse_list_init(&options);
    for (;;) {
        uint32_t start = p->tok.start;
        struct ast *value;
        switch (p->tok.kind) {
        case KW_DEFAULT:
            parse_advance(p);
            value = parse_expr(p);
            break;
        case KW_EMPTY:
            value = parse_word(p);
            if (!parse_accept(p, KW_ARRAY)) parse_accept(p, KW_OBJECT);
            break;
        case KW_ERROR:
        case KW_NULL:
        case KW_TRUE:
        case KW_FALSE:
        case KW_UNKNOWN:
            if (parse_peek(p, 1) != KW_ON) return options.first;
            value = parse_word(p);
            break;
        default: return options.first;
        }
        parse_expect(p, KW_ON);
        bool is_empty = parse_accept(p, KW_EMPTY);
        if (!is_empty) parse_expect(p, KW_ERROR);
        parse_list_add(&options, parse_option(p, start, is_empty ? "on empty" : "on error", value));
    }
}

/* [(WITH [CONDITIONAL | UNCONDITIONAL] | WITHOUT) [ARRAY] WRAPPER] [(KEEP | OMIT) QUOTES [ON SCALAR STRING]] */
static void parse_opt_json_wrapper(struct sql_reader *p) {
    if (parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT)) {
        parse_advance(p);
        if (!parse_accept(p, KW_CONDITIONAL)) parse_accept(p, KW_UNCONDITIONAL);
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

/* JSON_VALUE, JSON_QUERY, JSON_EXISTS "(" value "," path [PASSING ...] [RETURNING type] ... ")" - the inside */
void parse_pg_json_query(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_json_value(p);
    parse_expect(p, ',');
    f->args->next = parse_expr(p);
    struct parse_list options;
    parse_list_init(&options);
    if (parse_at(p, KW_PASSING)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        parse_list_add(&options, parse_option(p, start, "passing", parse_comma_list(p, parse_json_passing)));
    }
    struct ast *returning = parse_opt_json_returning(p);
    if (returning) parse_list_add(&options, returning);
    parse_opt_json_wrapper(p);
    *options.tail = parse_opt_json_behaviour(p);
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

/* name FOR ORDINALITY | name type [FORMAT JSON] [EXISTS] [PATH 'p'] wrapper behaviour | NESTED [PATH] 'p' [AS n] COLUMNS (...) */
static struct ast *parse_json_column(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    if (parse_at(p, KW_NESTED) && (parse_peek(p, 1) == KW_PATH || parse_peek(p, 1) == TOKEN_STRING)) {
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
    if (parse_accept2(p, KW_FORMAT, KW_JSON) && parse_accept(p, KW_ENCODING)) parse_name(p);
    parse_accept(p, KW_EXISTS);
    if (parse_at(p, KW_PATH)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *path = parse_string(p);
        parse_list_add(&options, parse_option(p, start, "path", path));
    }
    parse_opt_json_wrapper(p);
    *options.tail = parse_opt_json_behaviour(p);
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

/* JSON_TABLE "(" value "," path [AS name] [PASSING ...] COLUMNS (...) [... ON ERROR] ")" - PostgreSQL 17 */
struct ast *parse_pg_json_table(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    struct parse_list options;
    parse_list_init(&options);
    f->node.op = CALL_SPECIAL;
    f->names = parse_name_of_token(p);
    parse_expect(p, '(');
    f->args = parse_expr(p);
    parse_accept2(p, KW_FORMAT, KW_JSON);
    parse_expect(p, ',');
    f->args->next = parse_expr(p);
    if (parse_accept(p, KW_AS)) parse_name(p);
    if (parse_at(p, KW_PASSING)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *list = parse_comma_list(p, parse_json_passing);
        parse_list_add(&options, parse_option(p, start, "passing", list));
    }
    parse_list_add(&options, parse_json_columns(p));
    *options.tail = parse_opt_json_behaviour(p);
    f->options = options.first;
    parse_expect(p, ')');
    return parse_done(p, f);
}
