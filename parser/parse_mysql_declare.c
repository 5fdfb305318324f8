/*
 * parse_mysql_declare.c - the statements and declarations of stored programs that hold no others, each to its `;`.
 *
 * What happens when one of them cannot be read is the business of the body around it (parse_mysql_body.c).
 */
#include "parser/parse_mysql_ddl.h"

/* ---- statements -------------------------------------------------------------------------------------------------------- */

/* RETURN expression */
static struct ast *return_statement(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_RETURN, SQL_OBJECT_NONE);
    parse_advance(p);
    c->args = parse_expr(p);
    return parse_done(p, c);
}

/* (LEAVE | ITERATE) label */
static struct ast *leave(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, parse_at(p, KW_LEAVE) ? SQL_LEAVE : SQL_ITERATE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_name(p);
    return parse_done(p, c);
}

/* OPEN cursor ["(" expressions ")"] */
static struct ast *open_cursor(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_OPEN, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_name(p);
    if (p->is_mariadb && parse_accept(p, '(')) {
        if (!parse_at(p, ')')) c->args = parse_expr_list(p);
        parse_expect(p, ')');
    }
    return parse_done(p, c);
}

/* FETCH [[NEXT] FROM] cursor INTO names | FETCH GROUP NEXT ROW (MariaDB, in aggregate functions) */
static struct ast *fetch(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_FETCH, SQL_OBJECT_NONE);
    parse_advance(p);
    if (p->is_mariadb && parse_at(p, KW_GROUP)) {
        parse_advance(p);
        parse_expect(p, KW_NEXT);
        parse_expect(p, KW_ROW);
        return parse_done(p, c);
    }
    if (parse_peek(p, 1) == KW_FROM) parse_accept(p, KW_NEXT);
    parse_accept(p, KW_FROM);
    c->objects = parse_name(p);
    parse_expect(p, KW_INTO);
    c->args = parse_comma_list(p, parse_column);
    return parse_done(p, c);
}

/* CLOSE cursor */
static struct ast *close_cursor(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CLOSE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_name(p);
    return parse_done(p, c);
}

/* LEAVE, ITERATE, RETURN, OPEN, FETCH, CLOSE: statements of stored programs that hold no others. NULL: none of them. */
struct ast *parse_mysql_routine_statement(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_RETURN: return return_statement(p);
    case KW_LEAVE:
    case KW_ITERATE: return leave(p);
    case KW_OPEN: return open_cursor(p);
    case KW_FETCH: return fetch(p);
    case KW_CLOSE: return close_cursor(p);
    default: return NULL;
    }
}

/* ---- declarations ---------------------------------------------------------------------------------------------------- */

/* integer | SQLSTATE [VALUE] string | SQLWARNING | NOT FOUND | SQLEXCEPTION | name */
struct ast *parse_mysql_handled_condition(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case TOKEN_INTEGER: return parse_literal(p);
    case KW_SQLSTATE:
        parse_advance(p);
        parse_accept(p, KW_VALUE);
        return parse_option(p, start, "sqlstate", parse_string(p));
    case KW_SQLWARNING:
    case KW_SQLEXCEPTION: return parse_word(p);
    case KW_NOT:
        parse_advance(p);
        parse_expect(p, KW_FOUND);
        return parse_option(p, start, "not found", NULL);
    default: return parse_name(p);
    }
}

/* DECLARE name CURSOR ["(" parameters ")"] FOR query */
struct ast *parse_mysql_declare_cursor(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DECLARE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_name(p);
    parse_expect(p, KW_CURSOR);
    if (p->is_mariadb && parse_at(p, '(')) c->elements = parse_mysql_parameters(p);
    parse_expect(p, KW_FOR);
    c->query = parse_own_query(p);
    return parse_done(p, c);
}

/* DECLARE name CONDITION FOR condition */
struct ast *parse_mysql_declare_condition(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DECLARE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_name(p);
    parse_expect(p, KW_CONDITION);
    parse_expect(p, KW_FOR);
    c->args = parse_mysql_handled_condition(p);
    return parse_done(p, c);
}

/* DECLARE name { "," name } type [DEFAULT expression]: names in `objects`, the TYPE in `elements` */
struct ast *parse_mysql_declare_variables(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DECLARE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_name_list(p);
    c->elements = parse_mysql_variable_type(p);
    if (parse_accept(p, KW_DEFAULT)) c->args = parse_expr(p);
    return parse_done(p, c);
}
