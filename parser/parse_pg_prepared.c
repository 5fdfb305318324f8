/*
 * parse_pg_prepared.c - PostgreSQL's statements inside statements: PREPARE and EXECUTE, cursors, EXPLAIN, CALL, DO.
 *
 * The statement inside is the command's `query`, read by whoever reads it outside. A prepared statement is an OBJECT of
 * type STATEMENT, a cursor one of type CURSOR.
 */
#include <strings.h>

#include "parser/parse_pg_command.h"

/* query | INSERT | UPDATE | DELETE | MERGE, each with WITH or without */
struct ast *parse_pg_preparable(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_WITH: return parse_statement_with(p);
    case KW_INSERT: return parse_insert(p, NULL, start);
    case KW_UPDATE: return parse_update(p, NULL, start);
    case KW_DELETE: return parse_delete(p, NULL, start);
    case KW_MERGE: return parse_merge(p, NULL, start);
    default: return parse_query(p);
    }
}

static struct ast *parse_statement_name(struct sql_reader *p) {
    return parse_object(p, SQL_OBJECT_STATEMENT, parse_name(p));
}

static struct ast *parse_cursor_name(struct sql_reader *p) {
    return parse_object(p, SQL_OBJECT_CURSOR, parse_name(p));
}

/* ---- prepared statements --------------------------------------------------------------------------------------------- */

/*
 * PREPARE name [ "(" type { "," type } ")" ] AS statement | PREPARE TRANSACTION string
 * objects: OBJECT; args: TYPEs; query: the statement.
 */
struct ast *parse_pg_prepare(struct sql_reader *p) {
    bool is_two_phase = parse_peek(p, 1) == KW_TRANSACTION;
    uint16_t next = is_two_phase ? parse_peek(p, 2) : 0;
    if (is_two_phase && next != KW_AS && next != '(') return parse_pg_prepare_transaction(p);
    struct ast_command *c = parse_command(p, SQL_PREPARE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->objects = parse_statement_name(p);
    c->args = parse_opt_paren_list(p, parse_type);
    parse_expect(p, KW_AS);
    c->query = parse_pg_preparable(p);
    return parse_done(p, c);
}

/* EXECUTE name [ "(" expression { "," expression } ")" ]. objects: OBJECT; args: expressions. */
struct ast *parse_pg_execute(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_EXECUTE, SQL_OBJECT_NONE);
    parse_expect(p, KW_EXECUTE);
    c->objects = parse_statement_name(p);
    c->args = parse_opt_paren_list(p, parse_expr);
    return parse_done(p, c);
}

/* DEALLOCATE [ PREPARE ] ( name | ALL ). objects: OBJECT; ALL is the object. */
struct ast *parse_pg_deallocate(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DEALLOCATE, SQL_OBJECT_NONE);
    parse_advance(p);
    if (parse_at(p, KW_PREPARE)) {
        uint16_t next = parse_peek(p, 1);
        if (next == KW_ALL || parse_is_name(p, next)) parse_advance(p);
    }
    if (parse_accept(p, KW_ALL)) {
        c->object = SQL_OBJECT_ALL;
        c->node.flags |= AST_COMMAND_ALL;
    } else {
        c->objects = parse_statement_name(p);
    }
    return parse_done(p, c);
}

/* ---- cursors --------------------------------------------------------------------------------------------------------- */

/* { NO SCROLL | SCROLL | BINARY | INSENSITIVE | ASENSITIVE }. OPTIONs. */
static struct ast *parse_cursor_options(struct sql_reader *p) {
    struct parse_list options;
    parse_list_init(&options);
    for (;;) {
        uint32_t start = p->tok.start;
        const char *name = NULL;
        if (parse_accept(p, KW_SCROLL)) name = "scroll";
        else if (parse_accept(p, KW_BINARY)) name = "binary";
        else if (parse_accept(p, KW_INSENSITIVE)) name = "insensitive";
        else if (parse_accept(p, KW_ASENSITIVE)) name = "asensitive";
        else if (parse_accept2(p, KW_NO, KW_SCROLL)) name = "no scroll";
        if (!name) return options.first;
        parse_list_add(&options, parse_option(p, start, name, NULL));
    }
}

/*
 * DECLARE name options CURSOR [ ( WITH | WITHOUT ) HOLD ] FOR query
 * objects: OBJECT; options: OPTIONs; AST_COMMAND_HOLD; query.
 */
struct ast *parse_pg_declare(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DECLARE, SQL_OBJECT_CURSOR);
    parse_expect(p, KW_DECLARE);
    c->objects = parse_cursor_name(p);
    c->options = parse_cursor_options(p);
    parse_expect(p, KW_CURSOR);
    if (parse_accept(p, KW_WITH)) {
        parse_expect(p, KW_HOLD);
        c->node.flags |= AST_COMMAND_HOLD;
    } else if (parse_accept(p, KW_WITHOUT)) {
        parse_expect(p, KW_HOLD);
    }
    parse_expect(p, KW_FOR);
    c->query = parse_query(p);
    return parse_done(p, c);
}

static bool is_from_or_name(const struct sql_reader *p, uint16_t kind) {
    return kind == KW_FROM || kind == KW_IN || parse_is_name(p, kind);
}

static bool is_count(uint16_t kind) {
    return kind == TOKEN_INTEGER || kind == TOKEN_NUMBER || kind == '+' || kind == '-';
}

/* Is the word at hand a direction, and not the name of a cursor? What follows tells. */
static bool at_direction(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_NEXT:
    case KW_PRIOR:
    case KW_FIRST:
    case KW_LAST: return is_from_or_name(p, parse_peek(p, 1));
    case KW_ABSOLUTE:
    case KW_RELATIVE: return is_count(parse_peek(p, 1));
    case KW_FORWARD:
    case KW_BACKWARD: {
        uint16_t next = parse_peek(p, 1);
        return is_count(next) || next == KW_ALL || is_from_or_name(p, next);
    }
    default: return false;
    }
}

/* [ NEXT | PRIOR | FIRST | LAST | ( ABSOLUTE | RELATIVE ) n | [ FORWARD | BACKWARD ] [ n | ALL ] ] */
static void read_direction(struct sql_reader *p, struct ast_command *c) {
    bool may_be_all = true;
    if (at_direction(p)) {
        may_be_all = parse_at(p, KW_FORWARD) || parse_at(p, KW_BACKWARD);
        c->options = parse_word(p);
    }
    if (may_be_all && parse_accept(p, KW_ALL)) c->node.flags |= AST_COMMAND_ALL;
    else if (is_count(p->tok.kind)) c->args = parse_pg_signed_integer(p);
}

/*
 * ( FETCH | MOVE ) [ direction ] [ FROM | IN ] cursor
 * objects: OBJECT; options: WORD of the direction; args: how many or where to, AST_COMMAND_ALL.
 */
struct ast *parse_pg_fetch(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, parse_at(p, KW_MOVE) ? SQL_MOVE : SQL_FETCH, SQL_OBJECT_NONE);
    parse_advance(p);
    read_direction(p, c);
    if (!parse_accept(p, KW_FROM)) parse_accept(p, KW_IN);
    c->objects = parse_cursor_name(p);
    return parse_done(p, c);
}

/* CLOSE ( name | ALL ). objects: OBJECT. */
struct ast *parse_pg_close(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CLOSE, SQL_OBJECT_CURSOR);
    parse_advance(p);
    if (parse_accept(p, KW_ALL)) {
        c->object = SQL_OBJECT_CURSOR_ALL;
        c->node.flags |= AST_COMMAND_ALL;
    } else {
        c->objects = parse_cursor_name(p);
    }
    return parse_done(p, c);
}

/* ---- EXPLAIN --------------------------------------------------------------------------------------------------------- */

/* Does the parenthesis behind EXPLAIN begin options? Otherwise a query. */
static bool at_explain_options(struct sql_reader *p) {
    if (!parse_at(p, '(')) return false;
    switch (parse_peek(p, 1)) {
    case '(':
    case KW_SELECT:
    case KW_TABLE:
    case KW_WITH: return false;
    case KW_VALUES: return parse_peek(p, 2) != '(';
    default: return true;
    }
}

/* Is ANALYZE with this value switched off? The server's words for no, in any case, and 0. */
static bool is_off(const struct sql_reader *p, const struct ast *value) {
    if (!value) return false;
    const uint8_t *text = p->text + value->start;
    size_t len = value->end - value->start;
    if (value->kind == AST_NAME) {
        const struct bytes *name = &AST_AS(name, NAME, value)->text;
        text = name->ptr;
        len = name->len;
    } else if (len >= 2 && text[0] == '\'') {
        text++;
        len -= 2;
    }
    if (len == 1) return text[0] == '0';
    if (len == 3) return strncasecmp((const char *)text, "off", 3) == 0;
    return len == 5 && strncasecmp((const char *)text, "false", 5) == 0;
}

/* Does the statement run? The last ANALYZE among the options counts. */
static bool is_analyzed(const struct sql_reader *p, const struct ast *options) {
    bool is_on = false;
    for (const struct ast *o = options; o && !p->failed; o = o->next) {
        const struct ast_option *option = AST_AS(option, OPTION, o);
        const struct bytes *name = &AST_AS(name, NAME, option->name)->text;
        if (bytes_is(*name, "analyze")) is_on = !is_off(p, option->values);
    }
    return is_on;
}

/* CREATE TABLE AS, CREATE MATERIALIZED VIEW: of what CREATE begins, only these can be explained. */
static struct ast *parse_explainable_create(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *create = parse_pg_create(p);
    if (p->failed) return create;
    uint16_t object = AST_AS(command, COMMAND, create)->object;
    if (object != SQL_OBJECT_TABLE_AS && object != SQL_OBJECT_MATERIALIZED_VIEW) {
        parse_fail_at(p, start, "this cannot be explained");
    }
    return create;
}

/* preparable | DECLARE ... | EXECUTE ... | CREATE TABLE ... AS | CREATE MATERIALIZED VIEW | REFRESH ... */
static struct ast *parse_explainable(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_DECLARE: return parse_pg_declare(p);
    case KW_EXECUTE: return parse_pg_execute(p);
    case KW_CREATE: return parse_explainable_create(p);
    case KW_REFRESH: return parse_pg_refresh(p);
    default: return parse_pg_preparable(p);
    }
}

/*
 * EXPLAIN ( "(" options ")" | [ ANALYZE ] [ VERBOSE ] ) statement
 * options: OPTIONs; AST_COMMAND_ANALYZE when the statement runs; query: the statement.
 */
struct ast *parse_pg_explain(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_EXPLAIN, SQL_OBJECT_NONE);
    parse_advance(p);
    if (at_explain_options(p)) {
        c->options = parse_pg_utility_options(p);
        if (is_analyzed(p, c->options)) c->node.flags |= AST_COMMAND_ANALYZE;
    } else {
        struct parse_list options;
        parse_list_init(&options);
        uint32_t start = p->tok.start;
        if (parse_accept(p, KW_ANALYZE) || parse_accept(p, KW_ANALYSE)) {
            c->node.flags |= AST_COMMAND_ANALYZE;
            parse_list_add(&options, parse_option(p, start, "analyze", NULL));
        }
        struct ast *verbose = parse_pg_opt_flag(p, KW_VERBOSE, "verbose");
        if (verbose) parse_list_add(&options, verbose);
        c->options = options.first;
    }
    c->query = parse_explainable(p);
    return parse_done(p, c);
}

/* ---- CALL, DO -------------------------------------------------------------------------------------------------------- */

/* CALL name "(" ... ")". args: FUNC. */
struct ast *parse_pg_call(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CALL, SQL_OBJECT_NONE);
    parse_advance(p);
    uint32_t start = p->tok.start;
    c->args = parse_application(p, parse_pg_func_name(p), start);
    return parse_done(p, c);
}

/* DO { string | LANGUAGE word-or-string }, at least one. args: LITERAL; options: OPTION "language". */
struct ast *parse_pg_do(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DO, SQL_OBJECT_NONE);
    struct parse_list code, options;
    parse_list_init(&code);
    parse_list_init(&options);
    parse_advance(p);
    do {
        uint32_t start = p->tok.start;
        if (parse_accept(p, KW_LANGUAGE)) {
            parse_list_add(&options, parse_option(p, start, "language", parse_pg_nonreserved_word_or_string(p)));
        } else {
            parse_list_add(&code, parse_string(p));
        }
    } while (parse_at(p, KW_LANGUAGE) || parse_at_string(p));
    c->args = code.first;
    c->options = options.first;
    return parse_done(p, c);
}
