/*
 * parse_mysql_command.c - which function reads which statement of MySQL and MariaDB, and the small statements themselves:
 * prepared ones, CALL, DO, USE, HELP, SIGNAL, GET DIAGNOSTICS.
 */
#include "parser/parse_mysql_command.h"

/* ---- shared pieces ----------------------------------------------------------------------------------------------------- */

struct ast *parse_mysql_words(struct sql_reader *p, const char *name, unsigned count) {
    uint32_t start = p->tok.start;
    for (unsigned i = 0; i < count; i++) parse_advance(p);
    return parse_option(p, start, name, NULL);
}

struct ast *parse_mysql_object(struct sql_reader *p, enum sql_object object) {
    return parse_object(p, object, parse_qualified_name(p));
}

/* ---- prepared statements ----------------------------------------------------------------------------------------------- */

/* MariaDB: expr | DEFAULT | IGNORE; MySQL: "@" name */
static struct ast *parse_using_value(struct sql_reader *p) {
    if (!p->is_mariadb) {
        if (!parse_at(p, TOKEN_USER_VARIABLE)) parse_fail(p, "syntax error: expected a variable");
        return parse_variable(p);
    }
    return parse_at(p, KW_IGNORE) ? parse_word(p) : parse_expr_or_default(p);
}

/* The text of a statement: MariaDB: expr; MySQL: string | "@" name */
static struct ast *parse_statement_text(struct sql_reader *p) {
    if (p->is_mariadb) return parse_expr(p);
    return parse_at(p, TOKEN_USER_VARIABLE) ? parse_variable(p) : parse_string(p);
}

/* PREPARE name FROM text */
static struct ast *parse_prepare(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_PREPARE, SQL_OBJECT_NONE);
    parse_expect(p, KW_PREPARE);
    c->objects = parse_object(p, SQL_OBJECT_PREPARE, parse_name(p));
    parse_expect(p, KW_FROM);
    c->args = parse_statement_text(p);
    return parse_done(p, c);
}

/* EXECUTE { name | IMMEDIATE text } [ USING value { "," value } ]: the text is the option "immediate" */
static struct ast *parse_execute(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_EXECUTE, SQL_OBJECT_NONE);
    parse_expect(p, KW_EXECUTE);
    uint32_t start = p->tok.start;
    uint16_t next = parse_peek(p, 1);
    bool is_immediate = p->is_mariadb && parse_at(p, KW_IMMEDIATE) && next != KW_USING && next != TOKEN_END && next != ';';
    if (is_immediate) {
        parse_advance(p);
        struct ast *text = parse_expr(p);
        c->options = parse_option(p, start, "immediate", text);
    } else {
        c->objects = parse_object(p, SQL_OBJECT_PREPARE, parse_name(p));
    }
    if (parse_accept(p, KW_USING)) c->args = parse_comma_list(p, parse_using_value);
    return parse_done(p, c);
}

/* { DEALLOCATE | DROP } PREPARE name */
static struct ast *parse_deallocate(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DEALLOCATE, SQL_OBJECT_NONE);
    parse_advance(p);
    parse_expect(p, KW_PREPARE);
    c->objects = parse_object(p, SQL_OBJECT_PREPARE, parse_name(p));
    return parse_done(p, c);
}

/* ---- CALL, DO, USE, HELP ----------------------------------------------------------------------------------------------- */

/* CALL name { "." name } [ "(" [ expr { "," expr } ] ")" ] */
struct ast *parse_mysql_call_statement(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CALL, SQL_OBJECT_NONE);
    parse_expect(p, KW_CALL);
    c->objects = parse_mysql_object(p, SQL_OBJECT_PROCEDURE);
    if (parse_accept(p, '(')) {
        if (!parse_at(p, ')')) c->args = parse_expr_list(p);
        parse_expect(p, ')');
    }
    return parse_done(p, c);
}

/* DO expr { "," expr }; MySQL: targets, as of a SELECT */
static struct ast *parse_do(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DO, SQL_OBJECT_NONE);
    parse_expect(p, KW_DO);
    c->args = p->is_mariadb ? parse_expr_list(p) : parse_targets(p);
    return parse_done(p, c);
}

/* USE name */
static struct ast *parse_use(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_USE, SQL_OBJECT_NONE);
    parse_expect(p, KW_USE);
    c->objects = parse_object(p, SQL_OBJECT_DATABASE, parse_name(p));
    return parse_done(p, c);
}

/* HELP { name | string } */
static struct ast *parse_help(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_HELP, SQL_OBJECT_NONE);
    parse_expect(p, KW_HELP);
    c->args = parse_name_or_string(p);
    return parse_done(p, c);
}

/* ---- conditions -------------------------------------------------------------------------------------------------------- */

static bool is_signal_item(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_CLASS_ORIGIN: case KW_SUBCLASS_ORIGIN: case KW_MESSAGE_TEXT: case KW_MYSQL_ERRNO: case KW_CONSTRAINT_CATALOG:
    case KW_CONSTRAINT_SCHEMA: case KW_CONSTRAINT_NAME: case KW_CATALOG_NAME: case KW_SCHEMA_NAME: case KW_TABLE_NAME:
    case KW_COLUMN_NAME: case KW_CURSOR_NAME:
        return true;
    case KW_ROW_NUMBER:
        return p->is_mariadb;
    default:
        return false;
    }
}

/* constant | variable | name */
static struct ast *parse_simple_value(struct sql_reader *p) {
    if (parse_at(p, TOKEN_USER_VARIABLE) || parse_at(p, TOKEN_SYSTEM_VARIABLE)) return parse_variable(p);
    return parse_at_name(p) ? parse_column(p) : parse_literal(p);
}

/* item "=" value */
static struct ast *parse_signal_item(struct sql_reader *p) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    if (!is_signal_item(p)) parse_fail(p, "syntax error: expected an item of a condition");
    s->names = parse_name_of_token(p);
    parse_expect(p, '=');
    s->values = parse_simple_value(p);
    return parse_done(p, s);
}

/* SQLSTATE [ VALUE ] string | name */
static struct ast *parse_condition(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_SQLSTATE)) return parse_name(p);
    parse_accept(p, KW_VALUE);
    return parse_option(p, start, "sqlstate", parse_string(p));
}

/* SIGNAL condition [ SET item { "," item } ] | RESIGNAL [ condition ] [ SET item { "," item } ]: objects: the condition */
struct ast *parse_mysql_signal(struct sql_reader *p) {
    bool is_again = parse_at(p, KW_RESIGNAL);
    struct ast_command *c = parse_command(p, is_again ? SQL_RESIGNAL : SQL_SIGNAL, SQL_OBJECT_NONE);
    parse_advance(p);
    bool has_condition = parse_at(p, KW_SQLSTATE) || parse_at_name(p);
    if (!is_again || has_condition) c->objects = parse_condition(p);
    if (parse_accept(p, KW_SET)) c->args = parse_comma_list(p, parse_signal_item);
    return parse_done(p, c);
}

/* { "@" name | name } "=" item */
static struct ast *parse_diagnostics_item(struct sql_reader *p, bool is_condition) {
    struct ast_assignment *a = PARSE_NODE(p, ast_assignment, ASSIGNMENT);
    a->targets = parse_at(p, TOKEN_USER_VARIABLE) ? parse_variable(p) : parse_column(p);
    parse_expect(p, '=');
    bool is_known = is_condition ? is_signal_item(p) || parse_at(p, KW_RETURNED_SQLSTATE)
                                 : parse_at(p, KW_NUMBER) || parse_at(p, KW_ROW_COUNT);
    if (!is_known) parse_fail(p, "syntax error: expected an item of the diagnostics");
    a->value = parse_word(p);
    return parse_done(p, a);
}

/* GET [ CURRENT | STACKED ] DIAGNOSTICS [ CONDITION value ] target "=" item { "," target "=" item } */
struct ast *parse_mysql_get_diagnostics(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_GET_DIAGNOSTICS, SQL_OBJECT_NONE);
    struct parse_list items;
    parse_list_init(&items);
    parse_expect(p, KW_GET);
    if (parse_at(p, KW_CURRENT) || parse_at(p, KW_STACKED)) c->options = parse_word(p);
    parse_expect(p, KW_DIAGNOSTICS);
    bool is_condition = parse_accept(p, KW_CONDITION);
    if (is_condition) c->elements = parse_simple_value(p);
    do parse_list_add(&items, parse_diagnostics_item(p, is_condition));
    while (parse_accept(p, ','));
    c->args = items.first;
    return parse_done(p, c);
}

/* ---- which statement --------------------------------------------------------------------------------------------------- */

/* Two statements share a word: what the next one says. */
static struct ast *parse_by_second_word(struct sql_reader *p) {
    uint16_t next = parse_peek(p, 1);
    switch (p->tok.kind) {
    case KW_ANALYZE:
        if (p->is_mariadb && (next == KW_FORMAT || parse_mysql_is_explainable(next)) && next != KW_TABLE) {
            return parse_mysql_describe(p);
        }
        return parse_mysql_analyze_table(p);
    case KW_DROP:
        return next == KW_PREPARE ? parse_deallocate(p) : parse_mysql_drop(p);
    case KW_START:
        return next == KW_TRANSACTION ? parse_mysql_start_transaction(p) : parse_mysql_start_stop(p);
    default:
        return next == KW_INDEX ? parse_mysql_load_index(p) : parse_load(p);
    }
}

/* Words that are the first of statements in one of the two flavours only, and elsewhere no word of the grammar. */
static struct ast *parse_rare_command(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_BACKUP: return parse_mysql_backup(p);
    case KW_BINLOG: return parse_mysql_binlog(p);
    case KW_CACHE: return parse_mysql_cache_index(p);
    case KW_CHANGE: return parse_mysql_change(p);
    case KW_CLONE: return parse_mysql_clone(p);
    case KW_GET: return parse_mysql_get_diagnostics(p);
    case KW_IMPORT: return parse_mysql_import(p);
    case KW_INSTALL: return parse_mysql_install(p);
    case KW_PURGE: return parse_mysql_purge(p);
    case KW_RESET: return parse_mysql_reset(p);
    case KW_RESIGNAL: case KW_SIGNAL: return parse_mysql_signal(p);
    case KW_RESTART: {
        struct ast_command *c = parse_command(p, SQL_RESTART, SQL_OBJECT_NONE);
        if (p->is_mariadb) parse_fail(p, "syntax error");
        parse_advance(p);
        return parse_done(p, c);
    }
    case KW_SHUTDOWN: return parse_mysql_shutdown(p);
    case KW_STOP: return parse_mysql_start_stop(p);
    case KW_UNINSTALL: return parse_mysql_uninstall(p);
    default: break;
    }
    parse_fail(p, "syntax error: no statement begins here");
    return parse_node_failed(p, AST_COMMAND);
}

struct ast *parse_mysql_command(struct sql_reader *p) {
    if (parse_mysql_at_compound(p)) return parse_mysql_compound(p);
    switch (p->tok.kind) {
    case KW_ALTER: return parse_mysql_alter(p);
    case KW_ANALYZE: case KW_DROP: case KW_START: case KW_LOAD: return parse_by_second_word(p);
    case KW_BEGIN: return parse_mysql_begin(p);
    case KW_CALL: return parse_mysql_call_statement(p);
    case KW_CHECK: case KW_CHECKSUM: return parse_mysql_check_table(p);
    case KW_COMMIT: return parse_mysql_commit(p);
    case KW_CREATE: return parse_mysql_create(p);
    case KW_DEALLOCATE: return parse_deallocate(p);
    case KW_DESC: case KW_DESCRIBE: case KW_EXPLAIN: return parse_mysql_describe(p);
    case KW_DO: return parse_do(p);
    case KW_EXECUTE: return parse_execute(p);
    case KW_FLUSH: return parse_mysql_flush(p);
    case KW_GRANT: return parse_mysql_grant(p);
    case KW_HANDLER: return parse_mysql_handler(p);
    case KW_HELP: return parse_help(p);
    case KW_KILL: return parse_mysql_kill(p);
    case KW_LOCK: return parse_mysql_lock(p);
    case KW_OPTIMIZE: return parse_mysql_optimize(p);
    case KW_PREPARE: return parse_prepare(p);
    case KW_RELEASE: return parse_mysql_release(p);
    case KW_RENAME: return parse_mysql_rename(p);
    case KW_REPAIR: return parse_mysql_repair(p);
    case KW_REVOKE: return parse_mysql_revoke(p);
    case KW_ROLLBACK: return parse_mysql_rollback(p);
    case KW_SAVEPOINT: return parse_mysql_savepoint(p);
    case KW_SET: return parse_mysql_set(p);
    case KW_SHOW: return parse_mysql_show(p);
    case KW_TRUNCATE: return parse_mysql_truncate(p);
    case KW_UNLOCK: return parse_mysql_unlock(p);
    case KW_USE: return parse_use(p);
    case KW_XA: return parse_mysql_xa(p);
    default: return parse_rare_command(p);
    }
}
