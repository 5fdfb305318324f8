/*
 * parse_mysql_routine.c - routines, triggers, events and packages up to their bodies.
 *
 * Every command has the program in `objects`, parameters as COLUMN_DEFs in `elements`, characteristics in `options` together
 * with an OPTION "body" whose span is the body's, and the body's statement in `query`, see parse_mysql_body.c.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- types and parameters -------------------------------------------------------------------------------------------- */

/* TYPE OF column | ROW TYPE OF table: the names with AST_TYPE_PERCENT (MariaDB). NULL: neither. */
static struct ast *opt_type_of(struct sql_reader *p, bool may_be_row) {
    if (!p->is_mariadb) return NULL;
    bool is_type_of = parse_at(p, KW_TYPE) && parse_peek(p, 1) == KW_OF;
    bool is_row_of = may_be_row && parse_at(p, KW_ROW) && parse_peek(p, 1) == KW_TYPE;
    if (!is_type_of && !is_row_of) return NULL;
    struct ast_type *type = PARSE_NODE(p, ast_type, TYPE);
    type->node.flags |= AST_TYPE_PERCENT;
    parse_accept(p, KW_ROW);
    parse_advance(p);
    parse_expect(p, KW_OF);
    type->names = parse_qualified_name(p);
    return parse_done(p, type);
}

/* type | TYPE OF column */
static struct ast *scalar_type(struct sql_reader *p) {
    struct ast *type = opt_type_of(p, false);
    return type ? type : parse_mysql_type(p);
}

/* name type of a field of ROW */
static struct ast *row_field(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    def->name = parse_name(p);
    def->type = scalar_type(p);
    return parse_done(p, def);
}

/* type | TYPE OF column | ROW TYPE OF table | ROW "(" fields ")": "row" with its fields as modifiers (MariaDB) */
struct ast *parse_mysql_variable_type(struct sql_reader *p) {
    struct ast *type_of = opt_type_of(p, true);
    if (type_of) return type_of;
    if (!p->is_mariadb || !parse_at(p, KW_ROW) || parse_peek(p, 1) != '(') return parse_mysql_type(p);
    struct ast_type *type = PARSE_NODE(p, ast_type, TYPE);
    type->names = parse_name_of_token(p);
    type->modifiers = parse_paren_list(p, row_field);
    return parse_done(p, type);
}

/* [IN | OUT | INOUT] name type [DEFAULT expression] */
static struct ast *parameter(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    struct parse_list constraints;
    parse_list_init(&constraints);
    if (parse_at(p, KW_IN) || parse_at(p, KW_OUT) || parse_at(p, KW_INOUT)) parse_list_add(&constraints, parse_word(p));
    def->name = parse_name(p);
    def->type = parse_mysql_variable_type(p);
    uint32_t start = p->tok.start;
    if (p->is_mariadb && parse_accept(p, KW_DEFAULT)) {
        parse_list_add(&constraints, parse_option(p, start, "default", parse_expr(p)));
    }
    def->constraints = constraints.first;
    return parse_done(p, def);
}

/* "(" [parameter { "," parameter }] ")" */
struct ast *parse_mysql_parameters(struct sql_reader *p) {
    if (parse_at(p, '(') && parse_peek(p, 1) == ')') {
        parse_advance(p);
        parse_advance(p);
        return NULL;
    }
    return parse_paren_list(p, parameter);
}

/* MySQL's functions have no IN and OUT: a parameter begins with its name. */
static void refuse_modes(struct sql_reader *p, const struct ast *parameters) {
    for (const struct ast *a = parameters; a && !p->failed; a = a->next) {
        if (AST_AS(column_def, COLUMN_DEF, a)->constraints) parse_fail_at(p, a->start, "syntax error: IN or OUT in a function");
    }
}

/* ---- procedures and functions ---------------------------------------------------------------------------------------- */

/* library [[AS] name]: the name that the body knows it by is not kept */
static struct ast *library(struct sql_reader *p) {
    struct ast *object = parse_mysql_object(p, SQL_OBJECT_LIBRARY);
    if (parse_accept(p, KW_AS) || parse_at_name(p)) parse_name(p);
    return object;
}

/* USING "(" [library { "," library }] ")" */
static struct ast *libraries(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    if (!parse_at(p, '(') || parse_peek(p, 1) != ')') return parse_option(p, start, "using", parse_paren_list(p, library));
    parse_advance(p);
    parse_advance(p);
    return parse_option(p, start, "using", NULL);
}

/* NO SQL | CONTAINS SQL | READS SQL DATA | MODIFIES SQL DATA | [NOT] DETERMINISTIC | LANGUAGE name | COMMENT string |
   SQL SECURITY ... | USING "(" libraries ")" (MySQL 9). ALTER does not change whether it is deterministic. */
static struct ast *opt_characteristic(struct sql_reader *p, bool is_create) {
    if (!is_create && (parse_at(p, KW_DETERMINISTIC) || parse_at(p, KW_NOT))) return NULL;
    switch (p->tok.kind) {
    case KW_NO: return parse_peek(p, 1) == KW_SQL ? parse_mysql_words(p, "no sql", 2) : NULL;
    case KW_CONTAINS: return parse_peek(p, 1) == KW_SQL ? parse_mysql_words(p, "contains sql", 2) : NULL;
    case KW_READS: return parse_peek(p, 2) == KW_DATA ? parse_mysql_words(p, "reads sql data", 3) : NULL;
    case KW_MODIFIES: return parse_peek(p, 2) == KW_DATA ? parse_mysql_words(p, "modifies sql data", 3) : NULL;
    case KW_DETERMINISTIC: return parse_mysql_words(p, "deterministic", 1);
    case KW_NOT: return parse_peek(p, 1) == KW_DETERMINISTIC ? parse_mysql_words(p, "not deterministic", 2) : NULL;
    case KW_LANGUAGE: return parse_mysql_word_option(p, parse_label);
    case KW_COMMENT: return parse_mysql_word_option(p, parse_string);
    case KW_SQL: return parse_mysql_sql_security(p);
    case KW_USING: return libraries(p);
    default: return NULL;
    }
}

/* { characteristic } */
static void characteristics(struct sql_reader *p, struct parse_list *options, bool is_create) {
    for (struct ast *o = opt_characteristic(p, is_create); o; o = opt_characteristic(p, is_create)) parse_list_add(options, o);
}

/* statement | AS string, in a language that is not SQL (MySQL 9) */
static void routine_body(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (p->is_mariadb || !parse_accept(p, KW_AS)) {
        parse_mysql_body(p, c, options);
        return;
    }
    c->node.flags |= AST_COMMAND_BODY;
    parse_list_add(options, parse_option(p, start, "body", parse_string(p)));
}

/* RETURNS (STRING | INTEGER | REAL | DECIMAL) SONAME string: a function from a shared library */
static void loadable_function(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_RETURNS);
    parse_list_add(options, parse_option(p, start, "returns", parse_word(p)));
    start = p->tok.start;
    parse_expect(p, KW_SONAME);
    parse_list_add(options, parse_option(p, start, "soname", parse_string(p)));
}

/* [AGGREGATE] FUNCTION [IF NOT EXISTS] name (RETURNS x SONAME string | "(" parameters ")" RETURNS type characteristics body) |
   PROCEDURE [IF NOT EXISTS] name "(" parameters ")" characteristics body */
struct ast *parse_mysql_routine(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    bool has_definer = options->first != NULL;
    if (parse_at(p, KW_AGGREGATE)) parse_list_add(options, parse_mysql_words(p, "aggregate", 1));
    bool is_function = parse_accept(p, KW_FUNCTION);
    if (!is_function) parse_expect(p, KW_PROCEDURE);
    c->object = is_function ? SQL_OBJECT_FUNCTION : SQL_OBJECT_PROCEDURE;
    parse_mysql_if_not_exists(p, c);
    c->objects = parse_mysql_object(p, (enum sql_object)c->object);
    if (is_function && !has_definer && parse_at(p, KW_RETURNS)) {
        loadable_function(p, options);
    } else {
        c->elements = parse_mysql_parameters(p);
        if (is_function && !p->is_mariadb) refuse_modes(p, c->elements);
        uint32_t start = p->tok.start;
        if (is_function) {
            parse_expect(p, KW_RETURNS);
            parse_list_add(options, parse_option(p, start, "returns", scalar_type(p)));
        }
        characteristics(p, options, true);
        routine_body(p, c, options);
    }
    c->options = options->first;
    return parse_done(p, c);
}

/* (PROCEDURE | FUNCTION | LIBRARY) name characteristics */
struct ast *parse_mysql_alter_routine(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = parse_at(p, KW_FUNCTION) ? SQL_OBJECT_FUNCTION
                : parse_at(p, KW_PROCEDURE) ? SQL_OBJECT_PROCEDURE : SQL_OBJECT_LIBRARY;
    parse_advance(p);
    c->objects = parse_mysql_object(p, (enum sql_object)c->object);
    characteristics(p, &options, false);
    c->options = options.first;
    return parse_done(p, c);
}

/* string | hexadecimal or binary string, with a character set before it or without */
static struct ast *library_code(struct sql_reader *p) {
    if (parse_at(p, TOKEN_INTEGER) || parse_at(p, TOKEN_NUMBER)) parse_fail(p, "syntax error: expected a string");
    return parse_literal(p);
}

/* LIBRARY [IF NOT EXISTS] name characteristics AS code (MySQL 9) */
struct ast *parse_mysql_library(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_LIBRARY;
    parse_advance(p);
    parse_mysql_if_not_exists(p, c);
    c->objects = parse_mysql_object(p, SQL_OBJECT_LIBRARY);
    characteristics(p, &options, true);
    uint32_t start = p->tok.start;
    parse_expect(p, KW_AS);
    c->node.flags |= AST_COMMAND_BODY;
    parse_list_add(&options, parse_option(p, start, "body", library_code(p)));
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- triggers -------------------------------------------------------------------------------------------------------- */

/* INSERT | DELETE | UPDATE [OF names] */
static struct ast *trigger_event(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_INSERT)) return parse_option(p, start, "insert", NULL);
    if (parse_accept(p, KW_DELETE)) return parse_option(p, start, "delete", NULL);
    parse_expect(p, KW_UPDATE);
    return parse_option(p, start, "update", p->is_mariadb && parse_accept(p, KW_OF) ? parse_name_list(p) : NULL);
}

/* TRIGGER [IF NOT EXISTS] name (BEFORE | AFTER) event { OR event } ON table FOR EACH ROW [(FOLLOWS | PRECEDES) name] body */
struct ast *parse_mysql_trigger(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    c->object = SQL_OBJECT_TRIGGER;
    parse_advance(p);
    parse_mysql_if_not_exists(p, c);
    struct ast_object *trigger = PARSE_NODE(p, ast_object, OBJECT);
    trigger->node.op = SQL_OBJECT_TRIGGER;
    trigger->names = parse_qualified_name(p);
    if (!parse_at(p, KW_BEFORE) && !parse_at(p, KW_AFTER)) parse_fail(p, "syntax error: expected BEFORE or AFTER");
    parse_list_add(options, parse_word(p));
    do parse_list_add(options, trigger_event(p));
    while (p->is_mariadb && parse_accept(p, KW_OR));
    parse_expect(p, KW_ON);
    trigger->on = parse_table_name(p);
    c->objects = parse_done(p, trigger);
    parse_expect(p, KW_FOR);
    parse_expect(p, KW_EACH);
    parse_expect(p, KW_ROW);
    if (parse_at(p, KW_FOLLOWS) || parse_at(p, KW_PRECEDES)) parse_list_add(options, parse_mysql_word_option(p, parse_name));
    parse_mysql_body(p, c, options);
    c->options = options->first;
    return parse_done(p, c);
}

/* ---- events ---------------------------------------------------------------------------------------------------------- */

/* ON SCHEDULE (AT expression | EVERY expression unit [STARTS expression] [ENDS expression]) */
static void schedule(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_expect(p, KW_SCHEDULE);
    if (parse_accept(p, KW_AT)) {
        parse_list_add(options, parse_option(p, start, "on schedule at", parse_expr(p)));
        return;
    }
    parse_expect(p, KW_EVERY);
    struct ast *every = parse_expr(p);
    every->next = parse_interval_unit(p);
    parse_list_add(options, parse_option(p, start, "on schedule every", every));
    start = p->tok.start;
    if (parse_accept(p, KW_STARTS)) parse_list_add(options, parse_option(p, start, "starts", parse_expr(p)));
    start = p->tok.start;
    if (parse_accept(p, KW_ENDS)) parse_list_add(options, parse_option(p, start, "ends", parse_expr(p)));
}

/* ON COMPLETION [NOT] PRESERVE */
static void completion(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_expect(p, KW_COMPLETION);
    bool is_not = parse_accept(p, KW_NOT);
    parse_expect(p, KW_PRESERVE);
    parse_list_add(options, parse_option(p, start, is_not ? "on completion not preserve" : "on completion preserve", NULL));
}

/* [ENABLE | DISABLE [ON (SLAVE | REPLICA)]] */
static void event_status(struct sql_reader *p, struct parse_list *options) {
    if (parse_at(p, KW_ENABLE)) parse_list_add(options, parse_mysql_words(p, "enable", 1));
    if (!parse_at(p, KW_DISABLE)) return;
    bool is_on_replica = parse_peek(p, 1) == KW_ON;
    parse_list_add(options, parse_mysql_words(p, is_on_replica ? "disable on replica" : "disable", is_on_replica ? 3 : 1));
}

/* EVENT [IF NOT EXISTS] name [ON SCHEDULE ...] [ON COMPLETION ...] [RENAME TO name] [ENABLE | DISABLE ...] [COMMENT string]
   [DO body]: CREATE must have the schedule and the body */
struct ast *parse_mysql_event(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    bool is_create = c->node.op == SQL_CREATE;
    struct ast **before = options->tail;
    c->object = SQL_OBJECT_EVENT;
    parse_advance(p);
    if (is_create) parse_mysql_if_not_exists(p, c);
    c->objects = parse_mysql_object(p, SQL_OBJECT_EVENT);
    if (parse_at(p, KW_ON) && parse_peek(p, 1) == KW_SCHEDULE) schedule(p, options);
    else if (is_create) parse_fail(p, "syntax error: expected ON SCHEDULE");
    if (parse_at(p, KW_ON)) completion(p, options);
    uint32_t start = p->tok.start;
    if (!is_create && parse_accept2(p, KW_RENAME, KW_TO)) {
        struct ast *names = parse_qualified_name(p);
        parse_list_add(options, parse_option(p, start, "rename to", parse_object(p, SQL_OBJECT_EVENT, names)));
    }
    event_status(p, options);
    if (parse_at(p, KW_COMMENT)) parse_list_add(options, parse_mysql_word_option(p, parse_string));
    if (parse_accept(p, KW_DO)) parse_mysql_body(p, c, options);
    else if (is_create) parse_fail(p, "syntax error: expected DO");
    else if (options->tail == before) parse_fail(p, "syntax error: nothing to alter");
    c->options = options->first;
    return parse_done(p, c);
}

/* ---- packages (MariaDB) ---------------------------------------------------------------------------------------------- */

/* PACKAGE [BODY] [IF NOT EXISTS] name characteristics ... END [name] */
struct ast *parse_mysql_package(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    parse_advance(p);
    c->object = parse_accept(p, KW_BODY) ? SQL_OBJECT_PACKAGE_BODY : SQL_OBJECT_PACKAGE;
    parse_mysql_if_not_exists(p, c);
    c->objects = parse_mysql_object(p, (enum sql_object)c->object);
    characteristics(p, options, true);
    parse_mysql_package_body(p, c, options);
    c->options = options->first;
    return parse_done(p, c);
}
