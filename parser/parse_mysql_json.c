/*
 * parse_mysql_json.c - JSON_VALUE of MySQL and JSON_TABLE of both, which have syntax of their own.
 */
#include "parser/parse_mysql_call.h"

/* { NULL | ERROR | DEFAULT literal } ON { EMPTY | ERROR }; NULL when there is none. The option says all but the value. */
static struct ast *parse_opt_json_response(struct sql_reader *p) {
    static const char *const names[3][2] = {
        {"null on empty", "null on error"}, {"error on empty", "error on error"}, {"default on empty", "default on error"}};
    uint32_t start = p->tok.start;
    struct ast *value = NULL;
    unsigned row;
    if (parse_at(p, KW_NULL) || parse_at(p, KW_ERROR)) {
        if (parse_peek(p, 1) != KW_ON) return NULL;
        row = parse_at(p, KW_ERROR);
        parse_advance(p);
    } else if (parse_accept(p, KW_DEFAULT)) {
        row = 2;
        value = parse_literal(p);
    } else {
        return NULL;
    }
    parse_expect(p, KW_ON);
    bool is_error = parse_accept(p, KW_ERROR);
    if (!is_error) parse_expect(p, KW_EMPTY);
    return parse_option(p, start, names[row][is_error], value);
}

/* [ response ON EMPTY ] [ response ON ERROR ], in either order */
static void parse_json_responses(struct sql_reader *p, struct parse_list *options) {
    for (int i = 0; i < 2; i++) {
        struct ast *response = parse_opt_json_response(p);
        if (!response) break;
        parse_list_add(options, response);
    }
}

/* JSON_VALUE "(" expr "," path [ RETURNING cast-type ] [ response ON EMPTY ] [ response ON ERROR ] ")" */
struct ast *parse_mysql_json_value(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args, options;
    parse_list_init(&args);
    parse_list_init(&options);
    parse_list_add(&args, parse_expr(p));
    parse_expect(p, ',');
    parse_list_add(&args, parse_string(p));
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_RETURNING)) parse_list_add(&options, parse_option(p, start, "returning", parse_mysql_cast_type(p)));
    parse_json_responses(p, &options);
    if (!options.first) f->node.op = CALL_PLAIN;
    f->args = args.first;
    f->options = options.first;
    return parse_mysql_call_end(p, f);
}

/* ---- JSON_TABLE -------------------------------------------------------------------------------------------------------- */

static struct ast *parse_json_columns(struct sql_reader *p);

/* NESTED PATH string COLUMNS "(" columns ")" */
static struct ast *parse_nested_path(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_NESTED);
    parse_expect(p, KW_PATH);
    struct parse_list values;
    parse_list_init(&values);
    parse_list_add(&values, parse_string(p));
    if (parse_enter(p)) {
        parse_list_add(&values, parse_json_columns(p));
        parse_leave(p);
    }
    return parse_option(p, start, "nested path", values.first);
}

/* json-column: name FOR ORDINALITY | name type [ COLLATE name ] [ EXISTS ] PATH string [ responses ] | nested path */
static struct ast *parse_json_column(struct sql_reader *p) {
    if (parse_at(p, KW_NESTED) && parse_peek(p, 1) == KW_PATH) return parse_nested_path(p);
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    d->name = parse_name(p);
    struct parse_list options;
    parse_list_init(&options);
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_FOR, KW_ORDINALITY)) {
        d->constraints = parse_option(p, start, "for ordinality", NULL);
        return parse_done(p, d);
    }
    d->type = parse_mysql_type(p);
    start = p->tok.start;
    bool is_exists = parse_accept(p, KW_EXISTS);
    parse_expect(p, KW_PATH);
    parse_list_add(&options, parse_option(p, start, is_exists ? "exists path" : "path", parse_string(p)));
    parse_json_responses(p, &options);
    d->constraints = options.first;
    return parse_done(p, d);
}

/* COLUMNS "(" json-column { "," json-column } ")": OPTION with COLUMN_DEFs and the OPTIONs of nested paths */
static struct ast *parse_json_columns(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_COLUMNS);
    return parse_option(p, start, "columns", parse_paren_list(p, parse_json_column));
}

/* JSON_TABLE "(" expr "," path COLUMNS "(" columns ")" ")" */
struct ast *parse_mysql_json_table(struct sql_reader *p) {
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_expr(p));
    parse_expect(p, ',');
    parse_list_add(&args, parse_string(p));
    f->args = args.first;
    f->options = parse_json_columns(p);
    return parse_mysql_call_end(p, f);
}
