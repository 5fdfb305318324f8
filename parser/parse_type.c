/*
 * parse_type.c - names of types, PostgreSQL's. MySQL's are parse_mysql_type.c.
 *
 * A type of several words (double precision, character varying) is one name with its words; what stands behind the
 * parentheses (WITH TIME ZONE, interval fields) are words of its options.
 */
#include "parser/parse.h"

/* "(" n ")" */
static struct ast *parse_opt_precision(struct sql_reader *p) {
    if (!parse_accept(p, '(')) return NULL;
    struct ast *precision = parse_integer(p);
    parse_expect(p, ')');
    return precision;
}

/* YEAR | MONTH | DAY | HOUR | MINUTE | SECOND ["(" n ")"] [TO field] */
struct ast *parse_opt_interval_fields(struct sql_reader *p) {
    struct parse_list fields;
    parse_list_init(&fields);
    uint16_t from = p->tok.kind;
    switch (from) {
    case KW_YEAR:
    case KW_MONTH:
    case KW_DAY:
    case KW_HOUR:
    case KW_MINUTE:
    case KW_SECOND: break;
    default: return NULL;
    }
    parse_list_add(&fields, parse_word(p));
    bool may_to = from == KW_YEAR || from == KW_DAY || from == KW_HOUR || from == KW_MINUTE;
    if (may_to && parse_accept(p, KW_TO)) {
        uint16_t to = p->tok.kind;
        bool is_right = from == KW_YEAR ? to == KW_MONTH
                                        : (to == KW_SECOND || (to == KW_MINUTE && from != KW_MINUTE) ||
                                           (to == KW_HOUR && from == KW_DAY));
        if (!is_right) parse_fail(p, "syntax error: these fields do not go together");
        parse_list_add(&fields, parse_word(p));
        from = to;
    }
    if (from == KW_SECOND && parse_at(p, '(')) parse_list_add(&fields, parse_opt_precision(p));
    return fields.first;
}

/* [WITH TIME ZONE | WITHOUT TIME ZONE] */
static struct ast *parse_opt_time_zone(struct sql_reader *p) {
    bool is_with = parse_at(p, KW_WITH) && parse_peek(p, 1) == KW_TIME;
    bool is_without = parse_at(p, KW_WITHOUT) && parse_peek(p, 1) == KW_TIME;
    if (!is_with && !is_without) return NULL;
    struct ast *word = parse_word(p);
    parse_expect(p, KW_TIME);
    parse_expect(p, KW_ZONE);
    word->end = p->last_end;
    return word;
}

static struct ast *words_as_name(struct sql_reader *p, uint32_t start, const char *text) {
    return parse_name_static(p, start, text);
}

/* (CHARACTER | CHAR | NCHAR | NATIONAL (CHARACTER | CHAR)) [VARYING] | VARCHAR, then ["(" n ")"] */
static void parse_character(struct sql_reader *p, struct ast_type *type) {
    uint32_t start = p->tok.start;
    bool is_varying = parse_at(p, KW_VARCHAR);
    if (parse_accept(p, KW_NATIONAL)) {
        if (!parse_at(p, KW_CHARACTER) && !parse_at(p, KW_CHAR)) parse_fail(p, "syntax error");
    }
    parse_advance(p);
    if (!is_varying && parse_accept(p, KW_VARYING)) is_varying = true;
    type->names = words_as_name(p, start, is_varying ? "varchar" : "char");
    type->modifiers = parse_opt_precision(p);
}

/* The types that have a syntax of their own. False when the keyword at hand begins none of them. */
static bool parse_keyword_type(struct sql_reader *p, struct ast_type *type) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_INT:
    case KW_INTEGER:
    case KW_SMALLINT:
    case KW_BIGINT:
    case KW_REAL:
    case KW_BOOLEAN: type->names = parse_name_of_token(p); return true;
    case KW_FLOAT:
        type->names = parse_name_of_token(p);
        type->modifiers = parse_opt_precision(p);
        return true;
    case KW_DECIMAL:
    case KW_DEC:
    case KW_NUMERIC:
        type->names = parse_name_of_token(p);
        type->modifiers = parse_opt_paren_list(p, parse_expr);
        return true;
    case KW_DOUBLE:
        if (parse_peek(p, 1) != KW_PRECISION) return false;
        parse_advance(p);
        parse_advance(p);
        type->names = words_as_name(p, start, "double precision");
        return true;
    case KW_BIT:
        parse_advance(p);
        type->names = words_as_name(p, start, parse_accept(p, KW_VARYING) ? "varbit" : "bit");
        type->modifiers = parse_opt_paren_list(p, parse_expr);
        return true;
    case KW_CHARACTER:
    case KW_CHAR:
    case KW_NCHAR:
    case KW_NATIONAL:
    case KW_VARCHAR: parse_character(p, type); return true;
    case KW_TIME:
    case KW_TIMESTAMP:
        type->names = parse_name_of_token(p);
        type->modifiers = parse_opt_precision(p);
        type->options = parse_opt_time_zone(p);
        return true;
    case KW_INTERVAL:
        type->names = parse_name_of_token(p);
        if (parse_at(p, '(')) type->modifiers = parse_opt_precision(p);
        else type->options = parse_opt_interval_fields(p);
        return true;
    default: return false;
    }
}

/* { "[" [n] "]" } | ARRAY ["[" n "]"] */
static struct ast *parse_opt_bounds(struct sql_reader *p) {
    struct parse_list bounds;
    parse_list_init(&bounds);
    uint32_t start = p->tok.start;
    bool is_array = parse_accept(p, KW_ARRAY);
    if (is_array && !parse_at(p, '[')) {
        struct ast *star = PARSE_NODE(p, ast, STAR);
        star->start = start;
        return parse_done(p, star);
    }
    while (parse_at(p, '[')) {
        struct ast *star = PARSE_NODE(p, ast, STAR);
        parse_advance(p);
        bool has_bound = is_array || parse_at(p, TOKEN_INTEGER);
        if (has_bound) parse_list_add(&bounds, parse_integer(p));
        parse_expect(p, ']');
        if (!has_bound) parse_list_add(&bounds, parse_done(p, star));
        if (is_array) break;
    }
    return bounds.first;
}

/* type_function_name { "." label } ["(" expr { "," expr } ")"] */
static void parse_generic_type(struct sql_reader *p, struct ast_type *type) {
    struct parse_list names;
    parse_list_init(&names);
    parse_list_add(&names, parse_type_function_name(p));
    while (parse_accept(p, '.')) parse_list_add(&names, parse_label(p));
    type->names = names.first;
    type->modifiers = parse_opt_paren_list(p, parse_expr);
}

/* [SETOF] name [bounds] */
static struct ast *parse_pg_type(struct sql_reader *p) {
    struct ast_type *type = PARSE_NODE(p, ast_type, TYPE);
    if (parse_accept(p, KW_SETOF)) type->node.flags |= AST_TYPE_SETOF;
    if (!parse_keyword_type(p, type)) parse_generic_type(p, type);
    if (parse_at(p, '[') || parse_at(p, KW_ARRAY)) type->bounds = parse_opt_bounds(p);
    return parse_done(p, type);
}

struct ast *parse_type(struct sql_reader *p) {
    return p->is_mysql ? parse_mysql_type(p) : parse_pg_type(p);
}

struct ast *parse_cast_type(struct sql_reader *p) {
    return p->is_mysql ? parse_mysql_cast_type(p) : parse_pg_type(p);
}
