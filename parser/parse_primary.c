/*
 * parse_primary.c - what stands between operators: constants, names, parameters, calls, CASE, rows, arrays, subqueries.
 *
 * A name is a column until a parenthesis or a string behind it says otherwise. Parentheses are read once, from the left,
 * without going back: whether they hold a query or an expression shows at the first word inside, and what began as a
 * query in further parentheses may still turn out to be an operand (parse_paren).
 */
#include "parser/parse_pg.h"

/* ---- parentheses ----------------------------------------------------------------------------------------------------- */

/* SELECT, VALUES, WITH, TABLE: no expression begins with them (MySQL's VALUES(column) does). */
bool parse_at_query_word(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_SELECT: return true;
    case KW_WITH: return true;
    case KW_TABLE: return !p->is_mariadb;
    case KW_VALUES: {
        uint16_t next = parse_peek(p, 1);
        if (!p->is_mysql) return next == '('; /* else a column of that name */
        if (next == KW_ROW) return true;
        if (next != '(' || !p->is_mariadb) return false;
        /* VALUES (a) is the function when one name in parentheses is all there is to it; VALUES (1), (2) is a query. */
        bool is_function = parse_is_name(p, parse_peek(p, 2)) && (parse_peek(p, 3) == ')' || parse_peek(p, 3) == '.');
        return !is_function;
    }
    default: return false;
    }
}

/* Behind a query in parentheses: does it go on as a query? */
bool parse_at_query_tail(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_UNION:
    case KW_INTERSECT:
    case KW_EXCEPT:
    case KW_ORDER:
    case KW_LIMIT:
    case KW_FOR:
    case KW_FETCH: return true;
    case KW_MINUS: return p->is_mariadb;
    case KW_OFFSET: return !p->is_mysql || p->is_mariadb;
    case KW_LOCK:
    case KW_PROCEDURE:
    case KW_INTO: return p->is_mysql;
    default: return false;
    }
}

static struct ast *scalar_subquery(struct sql_reader *p, struct ast *query, uint32_t start) {
    struct ast_subquery *node = PARSE_NODE(p, ast_subquery, SUBQUERY);
    node->node.start = start;
    node->node.op = SUBQUERY_SCALAR;
    query->flags |= AST_PARENS;
    node->query = query;
    return parse_done(p, node);
}

/* "(" inside ")": the inside was begun with a "(" that may have held a query or a first operand. */
static bool parse_paren_in_paren(struct sql_reader *p, struct ast **out) {
    struct ast *inside;
    uint32_t start = p->tok.start;
    bool is_query = parse_paren(p, &inside);
    if (p->failed) {
        *out = inside;
        return false;
    }
    if (is_query && parse_at_query_tail(p)) {
        inside->flags |= AST_PARENS;
        *out = parse_query_rest(p, inside, start);
        return true;
    }
    if (is_query && parse_at(p, ')')) {
        inside->flags |= AST_PARENS;
        *out = inside;
        return true;
    }
    struct ast *first = inside;
    if (is_query) {
        first = scalar_subquery(p, inside, start);
    } else if (inside->next) {
        struct ast_list_expr *row = PARSE_NODE(p, ast_list_expr, ROW);
        row->node.start = start;
        row->items = inside;
        first = parse_done(p, row);
    }
    first = parse_indirection(p, first, start);
    *out = parse_expr_rest(p, first, start);
    return false;
}

/* "(" ( query | expr { "," expr } ) ")" */
bool parse_paren(struct sql_reader *p, struct ast **out) {
    bool is_query = false;
    if (!parse_enter(p)) {
        parse_leave(p);
        *out = parse_node_failed(p, AST_LITERAL);
        return false;
    }
    parse_expect(p, '(');
    if (parse_at_query_word(p)) {
        *out = parse_query(p);
        is_query = true;
    } else if (parse_at(p, '(')) {
        is_query = parse_paren_in_paren(p, out);
    } else {
        *out = parse_expr(p);
    }
    if (!is_query && parse_at(p, ',')) {
        struct parse_list list;
        parse_list_init(&list);
        parse_list_add(&list, *out);
        while (parse_accept(p, ',')) parse_list_add(&list, parse_expr(p));
    }
    parse_expect(p, ')');
    parse_leave(p);
    return is_query;
}

bool parse_at_query(struct sql_reader *p) {
    return parse_at_query_word(p) || parse_at(p, '(');
}

/* "(" query ")" | "(" expr ")" | "(" expr "," expr ... ")", with subscripts and fields behind it */
static struct ast *parse_paren_primary(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *inside;
    if (parse_paren(p, &inside)) return parse_indirection(p, scalar_subquery(p, inside, start), start);
    if (p->failed) return inside;
    if (!inside->next) return parse_indirection(p, inside, start);
    struct ast_list_expr *row = PARSE_NODE(p, ast_list_expr, ROW);
    row->node.start = start;
    row->items = inside;
    return parse_done(p, row);
}

/* ---- subscripts and fields ------------------------------------------------------------------------------------------- */

/* "[" [low] [":" [high]] "]" */
static struct ast *parse_subscript(struct sql_reader *p, struct ast *base, uint32_t start) {
    struct ast_subscript *node = PARSE_NODE(p, ast_subscript, SUBSCRIPT);
    node->node.start = start;
    node->arg = base;
    parse_expect(p, '[');
    if (!parse_at(p, ':')) node->low = parse_expr(p);
    if (parse_accept(p, ':')) {
        node->node.flags |= AST_SUBSCRIPT_SLICE;
        if (!parse_at(p, ']')) node->high = parse_expr(p);
    }
    parse_expect(p, ']');
    return parse_done(p, node);
}

/* "*" behind a dot or alone */
static struct ast *parse_star(struct sql_reader *p) {
    struct ast *star = PARSE_NODE(p, ast, STAR);
    parse_expect(p, '*');
    return parse_done(p, star);
}

/* { "[" ... "]" | "." label | "." "*" } - PostgreSQL; nothing may follow the star */
struct ast *parse_indirection(struct sql_reader *p, struct ast *base, uint32_t start) {
    unsigned count = 0;
    if (p->is_mysql) return base;
    while (parse_at(p, '[') || parse_at(p, '.')) {
        parse_rise(p);
        count++;
        if (parse_at(p, '[')) {
            base = parse_subscript(p, base, start);
            continue;
        }
        struct ast_field *field = PARSE_NODE(p, ast_field, FIELD);
        field->node.start = start;
        parse_advance(p);
        field->arg = base;
        bool is_star = parse_at(p, '*');
        field->name = is_star ? parse_star(p) : parse_label(p);
        base = parse_done(p, field);
        if (is_star && (parse_at(p, '[') || parse_at(p, '.'))) parse_fail(p, "improper use of *");
    }
    parse_sink(p, count);
    return base;
}

/* ---- CASE, rows, arrays ---------------------------------------------------------------------------------------------- */

/* CASE [expr] { WHEN expr THEN expr } [ELSE expr] END */
static struct ast *parse_case(struct sql_reader *p) {
    struct ast_case *node = PARSE_NODE(p, ast_case, CASE);
    struct parse_list whens;
    parse_list_init(&whens);
    parse_advance(p);
    if (!parse_at(p, KW_WHEN)) node->arg = parse_expr(p);
    do {
        struct ast_when *when = PARSE_NODE(p, ast_when, WHEN);
        parse_expect(p, KW_WHEN);
        when->condition = parse_expr(p);
        parse_expect(p, KW_THEN);
        when->result = parse_expr(p);
        parse_list_add(&whens, parse_done(p, when));
    } while (parse_at(p, KW_WHEN));
    node->whens = whens.first;
    if (parse_accept(p, KW_ELSE)) node->otherwise = parse_expr(p);
    parse_expect(p, KW_END);
    return parse_done(p, node);
}

/* ROW "(" [expr { "," expr }] ")" */
static struct ast *parse_row(struct sql_reader *p) {
    struct ast_list_expr *row = PARSE_NODE(p, ast_list_expr, ROW);
    row->node.flags = AST_ROW_KEYWORD;
    parse_advance(p);
    parse_expect(p, '(');
    if (!parse_at(p, ')')) row->items = parse_expr_list(p);
    parse_expect(p, ')');
    return parse_done(p, row);
}

/* "[" [ expr { "," expr } | array { "," array } ] "]" */
static struct ast *parse_array_items(struct sql_reader *p, uint32_t start) {
    struct ast_list_expr *array = PARSE_NODE(p, ast_list_expr, ARRAY);
    array->node.start = start;
    if (!parse_enter(p)) {
        parse_leave(p);
        return parse_done(p, array);
    }
    parse_expect(p, '[');
    if (parse_at(p, '[')) {
        struct parse_list inner;
        parse_list_init(&inner);
        do parse_list_add(&inner, parse_array_items(p, p->tok.start));
        while (parse_accept(p, ','));
        array->items = inner.first;
    } else if (!parse_at(p, ']')) {
        array->items = parse_expr_list(p);
    }
    parse_expect(p, ']');
    parse_leave(p);
    return parse_done(p, array);
}

/* (EXISTS | ARRAY) "(" query ")" - at the word */
static struct ast *parse_subquery_of(struct sql_reader *p, enum ast_subquery_op op) {
    struct ast_subquery *node = PARSE_NODE(p, ast_subquery, SUBQUERY);
    node->node.op = (uint16_t)op;
    parse_advance(p);
    node->query = parse_paren_query(p);
    return parse_done(p, node);
}

/* ---- parameters, constants ------------------------------------------------------------------------------------------- */

static struct ast *parse_param(struct sql_reader *p) {
    struct ast_param *param = PARSE_NODE(p, ast_param, PARAM);
    param->number = p->tok.value;
    if (p->tok.value > p->param_max) p->param_max = p->tok.value;
    parse_advance(p);
    return parse_indirection(p, parse_done(p, param), param->node.start);
}

/* type 'string' [interval fields]: a constant with its type in front */
static struct ast *typed_literal(struct sql_reader *p, struct ast *type) {
    struct ast_cast *cast = PARSE_NODE(p, ast_cast, CAST);
    cast->node.start = type->start;
    cast->node.op = CAST_PREFIX;
    cast->type = type;
    cast->arg = parse_string(p);
    return parse_done(p, cast);
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

/* Does the keyword at hand begin a type in front of a string, as in `timestamp '...'`? Else it is a column's name. */
static bool at_typed_literal(struct sql_reader *p) {
    const struct token *next = parse_peek_token(p, 1);
    switch (next->kind) {
    case TOKEN_STRING:
    case TOKEN_ESCAPE_STRING:
    case TOKEN_UNICODE_STRING:
    case TOKEN_DOLLAR_STRING: return true;
    case '(': return true;
    case KW_VARYING: return parse_at(p, KW_BIT) || parse_at(p, KW_CHAR) || parse_at(p, KW_CHARACTER) || parse_at(p, KW_NCHAR);
    case KW_WITH: return (parse_at(p, KW_TIME) || parse_at(p, KW_TIMESTAMP)) && parse_peek(p, 2) == KW_TIME;
    case KW_WITHOUT: return parse_at(p, KW_TIME) || parse_at(p, KW_TIMESTAMP);
    case KW_PRECISION: return parse_at(p, KW_DOUBLE);
    case KW_CHAR:
    case KW_CHARACTER: return parse_at(p, KW_NATIONAL);
    default: return false;
    }
}

/* The type of a typed constant: as any type, but interval fields stand behind the string. */
static struct ast *parse_typed_literal(struct sql_reader *p) {
    bool is_interval = parse_at(p, KW_INTERVAL);
    if (!is_interval) return typed_literal(p, parse_pg_simple_type(p));
    struct ast_type *type = PARSE_NODE(p, ast_type, TYPE);
    type->names = parse_name_of_token(p);
    if (parse_accept(p, '(')) {
        type->modifiers = parse_integer(p);
        parse_expect(p, ')');
    }
    struct ast *node = typed_literal(p, parse_done(p, type));
    if (p->failed || type->modifiers) return node;
    ((struct ast_cast *)node)->options = parse_opt_interval_fields(p);
    return parse_done(p, node);
}

/* { "." label | "." "*" } behind a first name: all of a column's or function's names, then subscripts and fields */
static struct ast *column_from(struct sql_reader *p, struct ast *names, uint32_t start) {
    struct ast_column *column = PARSE_NODE(p, ast_column, COLUMN);
    column->node.start = start;
    column->names = names;
    struct ast *node = parse_done(p, column);
    if (!parse_at(p, '[') && !parse_at(p, '.')) return node;
    return parse_indirection(p, node, start);
}

struct ast *parse_column(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast_column *column = PARSE_NODE(p, ast_column, COLUMN);
    column->node.start = start;
    struct parse_list names;
    parse_list_init(&names);
    if (p->is_mariadb && parse_at(p, '.') && parse_peek(p, 2) == '.') parse_advance(p); /* .t.a is t.a */
    parse_list_add(&names, parse_name(p));
    unsigned count = 1;
    for (; parse_accept(p, '.'); count++) parse_list_add(&names, !p->is_mysql && parse_at(p, '*') ? parse_star(p) : parse_label(p));
    if (p->is_mysql && count > 3) parse_fail_at(p, start, "improper qualified name");
    column->names = names.first;
    return parse_done(p, column);
}

/* May the arguments of the call be a type's modifiers? What is no plain list of expressions may not. */
static bool may_be_modifiers(const struct ast_func *f) {
    const uint32_t set_flags = AST_FUNC_DISTINCT | AST_FUNC_ALL | AST_FUNC_VARIADIC;
    if (f->filter || f->over || f->within || f->order || (f->node.flags & set_flags)) return false;
    for (const struct ast *a = f->args; a; a = a->next) {
        if (a->kind == AST_NAMED_ARG || a->kind == AST_STAR) return false;
    }
    return f->args != NULL;
}

/* name { "." name } then a call, a string (a typed constant), or nothing: a column */
static struct ast *parse_named(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    uint16_t first = p->tok.kind;
    bool may_call = first < KEYWORD_FIRST || (parse_uses(p, first) & KEYWORD_FUNCTION);
    bool may_column = first < KEYWORD_FIRST || (parse_uses(p, first) & KEYWORD_COLUMN);
    struct parse_list names;
    parse_list_init(&names);
    parse_list_add(&names, parse_name_of_token(p));
    if (UNLIKELY(parse_at(p, '.'))) {
        if (!may_column) parse_fail(p, "syntax error");
        bool is_star = false;
        unsigned count = 1;
        while (!is_star && parse_accept(p, '.')) {
            is_star = parse_at(p, '*');
            parse_list_add(&names, is_star ? parse_star(p) : parse_label(p));
            count++;
        }
        if (p->is_mysql && count > 3) parse_fail_at(p, start, "improper qualified name");
        if (is_star) {
            if (parse_at(p, '.') || parse_at(p, '[')) parse_fail(p, "improper use of *");
            return column_from(p, names.first, start);
        }
        may_call = true;
    }
    if (parse_at(p, '(') && may_call) {
        struct ast *call = parse_call(p, names.first, start);
        if (p->is_mysql || !parse_at_string(p) || call->kind != AST_FUNC) return call;
        struct ast_func *func = (struct ast_func *)call;
        if (p->failed || !may_be_modifiers(func)) return call;
        struct ast_type *type = PARSE_NODE(p, ast_type, TYPE); /* name(1, 2) 'string' */
        type->node.start = start;
        type->names = names.first;
        type->modifiers = func->args;
        return typed_literal(p, parse_done(p, type));
    }
    if (UNLIKELY(!p->is_mysql && parse_at_string(p) && may_call)) {
        struct ast_type *type = PARSE_NODE(p, ast_type, TYPE);
        type->node.start = start;
        type->names = names.first;
        return typed_literal(p, parse_done(p, type));
    }
    if (!may_column) parse_fail(p, "syntax error");
    return column_from(p, names.first, start);
}

/* ---- the primary ----------------------------------------------------------------------------------------------------- */

/* Keywords that begin a typed constant, in PostgreSQL. */
static bool is_type_keyword(uint16_t kind) {
    switch (kind) {
    case KW_BIGINT:
    case KW_BIT:
    case KW_BOOLEAN:
    case KW_CHAR:
    case KW_CHARACTER:
    case KW_DEC:
    case KW_DECIMAL:
    case KW_DOUBLE:
    case KW_FLOAT:
    case KW_INT:
    case KW_INTEGER:
    case KW_INTERVAL:
    case KW_NATIONAL:
    case KW_NCHAR:
    case KW_NUMERIC:
    case KW_REAL:
    case KW_SMALLINT:
    case KW_TIME:
    case KW_TIMESTAMP:
    case KW_VARCHAR: return true;
    default: return false;
    }
}

static struct ast *parse_pg_keyword(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    switch (kind) {
    case KW_ARRAY:
        if (parse_peek(p, 1) == '(') return parse_subquery_of(p, SUBQUERY_ARRAY);
        {
            uint32_t start = p->tok.start;
            parse_advance(p);
            return parse_array_items(p, start);
        }
    case KW_ROW:
        if (parse_peek(p, 1) == '(') return parse_row(p);
        break;
    case KW_EXISTS:
        if (parse_peek(p, 1) == '(') return parse_subquery_of(p, SUBQUERY_EXISTS);
        break;
    default: break;
    }
    if (is_type_keyword(kind) && (kind != KW_DOUBLE || parse_peek(p, 1) == KW_PRECISION) && at_typed_literal(p)) {
        return parse_typed_literal(p);
    }
    struct ast *special = parse_special_call(p);
    if (special) return special;
    if (parse_uses(p, kind) & (KEYWORD_COLUMN | KEYWORD_FUNCTION)) return parse_named(p);
    parse_fail(p, "syntax error");
    return parse_literal(p);
}

/* [IN BOOLEAN MODE | [IN NATURAL LANGUAGE MODE] [WITH QUERY EXPANSION]]: WORDs */
static struct ast *parse_opt_match_mode(struct sql_reader *p) {
    struct parse_list words;
    parse_list_init(&words);
    bool is_boolean = false;
    if (parse_at(p, KW_IN)) {
        parse_list_add(&words, parse_word(p));
        is_boolean = parse_at(p, KW_BOOLEAN);
        if (!is_boolean && (!parse_at(p, KW_NATURAL) || parse_peek(p, 1) != KW_LANGUAGE)) {
            parse_fail(p, "syntax error: expected a mode");
        }
        parse_list_add(&words, parse_word(p));
        if (!is_boolean) parse_list_add(&words, parse_word(p));
        if (!parse_at(p, KW_MODE)) parse_fail(p, "syntax error: expected MODE");
        parse_list_add(&words, parse_word(p));
    }
    if (!is_boolean && parse_at(p, KW_WITH)) {
        parse_list_add(&words, parse_word(p));
        if (!parse_at(p, KW_QUERY) || parse_peek(p, 1) != KW_EXPANSION) parse_fail(p, "syntax error: expected QUERY EXPANSION");
        parse_list_add(&words, parse_word(p));
        parse_list_add(&words, parse_word(p));
    }
    return words.first;
}

/* MATCH "(" columns ")" AGAINST "(" expr [mode] ")"; MATCH columns AGAINST (...) too */
static struct ast *parse_match(struct sql_reader *p) {
    struct ast_match *node = PARSE_NODE(p, ast_match, MATCH);
    parse_advance(p);
    if (parse_accept(p, '(')) {
        node->columns = parse_comma_list(p, parse_column);
        parse_expect(p, ')');
    } else {
        node->columns = parse_comma_list(p, parse_column);
    }
    parse_expect(p, KW_AGAINST);
    parse_expect(p, '(');
    node->against = parse_bit_expr(p);
    node->mode = parse_opt_match_mode(p);
    parse_expect(p, ')');
    return parse_done(p, node);
}

/* "{" name expr "}": ODBC's {d '2020-01-01'}, {fn f()}; the name says nothing that the server would use but for literals */
static struct ast *parse_odbc(struct sql_reader *p) {
    struct ast_option *node = PARSE_NODE(p, ast_option, OPTION);
    parse_advance(p);
    node->name = parse_label(p);
    node->values = parse_expr(p);
    parse_expect(p, '}');
    return parse_done(p, node);
}

/* @a, @@a, and @a := expr */
static struct ast *parse_variable_primary(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *variable = parse_variable(p);
    if (!parse_at(p, TOKEN_ASSIGN) || (variable->op != SCOPE_USER && !p->is_mariadb)) return variable;
    struct ast_binary *node = PARSE_NODE(p, ast_binary, BINARY);
    node->node.start = start;
    node->node.op = OPERATOR_ASSIGN;
    node->left = variable;
    parse_advance(p);
    node->right = parse_expr(p);
    return parse_done(p, node);
}

static struct ast *parse_mysql_keyword(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    switch (kind) {
    case KW_EXISTS: return parse_subquery_of(p, SUBQUERY_EXISTS);
    case KW_MATCH: return parse_match(p);
    default: break;
    }
    struct ast *special = parse_mysql_special_call(p);
    if (special) return special;
    if (parse_uses(p, kind) & (KEYWORD_COLUMN | KEYWORD_FUNCTION)) return parse_named(p);
    parse_fail(p, "syntax error");
    return parse_literal(p);
}

struct ast *parse_expr_primary(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_IDENT:
    case TOKEN_QUOTED_IDENT:
    case TOKEN_UNICODE_IDENT: return parse_named(p);
    case TOKEN_INTEGER:
    case TOKEN_NUMBER:
    case TOKEN_STRING:
    case TOKEN_ESCAPE_STRING:
    case TOKEN_UNICODE_STRING:
    case TOKEN_DOLLAR_STRING:
    case TOKEN_NATIONAL_STRING:
    case TOKEN_BIT_STRING:
    case TOKEN_HEX_STRING:
    case TOKEN_HEX_NUMBER:
    case TOKEN_BIT_NUMBER:
    case TOKEN_INTRODUCER:
    case TOKEN_NULL_ESCAPE:
    case KW_NULL: return parse_literal(p);
    case KW_TRUE:
    case KW_FALSE:
        return parse_literal(p);
    case TOKEN_PARAM: return parse_param(p);
    case '(': return parse_paren_primary(p);
    case KW_CASE: return parse_case(p);
    case TOKEN_USER_VARIABLE:
    case TOKEN_SYSTEM_VARIABLE: return parse_variable_primary(p);
    case '{':
        if (p->is_mysql) return parse_odbc(p);
        break;
    case '.':
        if (p->is_mariadb) return parse_column(p);
        break;
    default:
        if (p->tok.kind >= KEYWORD_FIRST) return p->is_mysql ? parse_mysql_keyword(p) : parse_pg_keyword(p);
        break;
    }
    parse_fail(p, parse_at(p, TOKEN_END) ? "syntax error: the statement is not complete" : "syntax error");
    return parse_literal(p);
}
