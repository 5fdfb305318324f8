/*
 * parse_mysql_aggregate.c - aggregates and window functions of MySQL and MariaDB.
 *
 * They are words of the grammar: which of them take DISTINCT or ALL, how many arguments, and whether OVER must follow is
 * fixed there.
 */
#include "parser/parse_mysql_call.h"

/* ")" [ OVER { name | window } ] */
static struct ast *parse_call_over(struct sql_reader *p, struct ast_func *f) {
    struct ast *call = parse_mysql_call_end(p, f);
    return parse_at(p, KW_OVER) ? parse_filter_over(p, f) : call;
}

/* OVER { name | window }, which must follow */
static struct ast *parse_over(struct sql_reader *p, struct ast_func *f) {
    if (!parse_at(p, KW_OVER)) parse_fail(p, "syntax error: expected OVER");
    return parse_filter_over(p, f);
}

/* aggregate: word "(" [ DISTINCT | ALL ] expr ")" [ over ] */
struct ast *parse_mysql_aggregate(struct sql_reader *p, const struct mysql_call *c) {
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    if (c->flags & MYSQL_CALL_DISTINCT && parse_accept(p, KW_DISTINCT)) f->node.flags |= AST_FUNC_DISTINCT;
    else if (c->flags & MYSQL_CALL_ALL && parse_accept(p, KW_ALL)) f->node.flags |= AST_FUNC_ALL;
    f->args = parse_expr(p);
    return parse_call_over(p, f);
}

/* COUNT "(" { [ ALL ] { "*" | expr } | DISTINCT expr { "," expr } } ")" [ over ] */
struct ast *parse_mysql_count(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    if (parse_accept(p, KW_DISTINCT)) {
        f->node.flags |= AST_FUNC_DISTINCT;
        f->args = parse_expr_list(p);
        return parse_call_over(p, f);
    }
    if (parse_accept(p, KW_ALL)) f->node.flags |= AST_FUNC_ALL;
    if (parse_at(p, '*')) {
        struct ast *star = PARSE_NODE(p, ast, STAR);
        parse_advance(p);
        f->args = parse_done(p, star);
    } else {
        f->args = parse_expr(p);
    }
    return parse_call_over(p, f);
}

/* value of SEPARATOR: 'a' | X'61' | 0x61 | B'01' | 0b01 */
static struct ast *parse_separator(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_STRING: case TOKEN_HEX_STRING: case TOKEN_HEX_NUMBER: case TOKEN_BIT_STRING: case TOKEN_BIT_NUMBER:
        break;
    default:
        parse_fail(p, "syntax error: expected a string");
    }
    return parse_literal(p);
}

/*
 * GROUP_CONCAT "(" [ DISTINCT ] expr { "," expr } [ ORDER BY sorts ] [ SEPARATOR string ] [ LIMIT ... ] ")" [ over ]
 * JSON_ARRAYAGG the same without SEPARATOR; MySQL: JSON_ARRAYAGG "(" [ ALL ] expr ")"
 */
struct ast *parse_mysql_group_concat(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    bool is_json = parse_at(p, KW_JSON_ARRAYAGG);
    struct ast_func *f = parse_mysql_call_start(p);
    bool may_distinct = !is_json || p->is_mariadb;
    if (may_distinct && parse_accept(p, KW_DISTINCT)) f->node.flags |= AST_FUNC_DISTINCT;
    else if (!may_distinct && parse_accept(p, KW_ALL)) f->node.flags |= AST_FUNC_ALL;
    f->args = is_json && !p->is_mariadb ? parse_expr(p) : parse_expr_list(p);
    if (!is_json || p->is_mariadb) f->order = parse_opt_order(p);
    struct parse_list options;
    parse_list_init(&options);
    uint32_t start = p->tok.start;
    if (!is_json && parse_accept(p, KW_SEPARATOR))
        parse_list_add(&options, parse_option(p, start, "separator", parse_separator(p)));
    start = p->tok.start;
    if (p->is_mariadb && parse_at(p, KW_LIMIT)) {
        struct ast *limit = parse_opt_limit(p);
        parse_list_add(&options, parse_option(p, start, "limit", limit));
    }
    f->options = options.first;
    return parse_call_over(p, f);
}

/* JSON_OBJECTAGG "(" [ ALL ] expr "," [ ALL ] expr ")" [ over ] */
struct ast *parse_mysql_json_objectagg(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    struct parse_list args;
    parse_list_init(&args);
    if (!p->is_mariadb) parse_accept(p, KW_ALL);
    parse_list_add(&args, parse_expr(p));
    parse_expect(p, ',');
    if (!p->is_mariadb) parse_accept(p, KW_ALL);
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_call_over(p, f);
}

/* [ FROM { FIRST | LAST } ] [ { RESPECT | IGNORE } NULLS ], of MySQL */
static void parse_nulls(struct sql_reader *p, struct ast_func *f, bool may_have_from) {
    if (p->is_mariadb) return;
    if (may_have_from && parse_accept2(p, KW_FROM, KW_LAST)) f->node.flags |= AST_FUNC_FROM_LAST;
    else if (may_have_from) parse_accept2(p, KW_FROM, KW_FIRST);
    if (parse_accept2(p, KW_RESPECT, KW_NULLS)) f->node.flags |= AST_FUNC_RESPECT_NULLS;
    else if (parse_accept2(p, KW_IGNORE, KW_NULLS)) f->node.flags |= AST_FUNC_IGNORE_NULLS;
}

/* MySQL: how far or how many: a number without a sign, a parameter, or a variable */
static struct ast *parse_stable_integer(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_INTEGER: case TOKEN_PARAM: case TOKEN_USER_VARIABLE:
        break;
    default:
        if (!parse_at_name(p)) parse_fail(p, "syntax error: expected a number without a sign");
    }
    return parse_expr_primary(p);
}

/* word "(" [ expr { "," expr } ] ")" [ FROM { FIRST | LAST } ] [ { RESPECT | IGNORE } NULLS ] over */
struct ast *parse_mysql_window_call(struct sql_reader *p, const struct mysql_call *c) {
    bool is_nth = parse_at(p, KW_NTH_VALUE), is_ntile = parse_at(p, KW_NTILE);
    bool is_shift = parse_at(p, KW_LEAD) || parse_at(p, KW_LAG);
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    struct parse_list args;
    parse_list_init(&args);
    unsigned max = is_shift && p->is_mariadb ? 2 : c->max;
    for (unsigned i = 0; i < max; i++) {
        if (i >= c->min && !parse_at(p, ',')) break;
        if (i > 0) parse_expect(p, ',');
        bool is_count = !p->is_mariadb && (is_ntile || (is_shift && i == 1));
        parse_list_add(&args, is_count ? parse_stable_integer(p) : parse_expr(p));
    }
    f->args = args.first;
    parse_mysql_call_end(p, f);
    parse_nulls(p, f, is_nth);
    return parse_over(p, f);
}

/* LAST_VALUE "(" expr ")" [ nulls ] over; MariaDB, no window function: LAST_VALUE "(" expr { "," expr } ")" */
struct ast *parse_mysql_last_value(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    f->args = parse_expr_list(p);
    struct ast *call = parse_mysql_call_end(p, f);
    parse_nulls(p, f, false);
    if (p->is_mariadb && !parse_at(p, KW_OVER)) return call;
    if (!p->failed && f->args->next) parse_fail(p, "syntax error: expected one argument");
    return parse_over(p, f);
}

/* { PERCENTILE_CONT | PERCENTILE_DISC } "(" expr ")" WITHIN GROUP "(" ORDER BY sort ")" over */
struct ast *parse_mysql_percentile(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    f->args = parse_expr(p);
    parse_mysql_call_end(p, f);
    parse_expect(p, KW_WITHIN);
    parse_expect(p, KW_GROUP);
    parse_expect(p, '(');
    if (!parse_at(p, KW_ORDER)) parse_fail(p, "syntax error: expected ORDER BY");
    f->within = parse_opt_order(p);
    if (!p->failed && f->within->next) parse_fail_at(p, f->within->next->start, "syntax error: one expression to sort by");
    parse_expect(p, ')');
    if (parse_at(p, KW_OVER) && parse_peek(p, 1) != '(') parse_fail(p, "syntax error: expected a window in parentheses");
    return parse_over(p, f);
}
