/*
 * parse_mysql_transaction.c - transactions, savepoints, XA and table locks of MySQL and MariaDB.
 */
#include "parser/parse_mysql.h"
#include "parser/parse_mysql_command.h"

/* ---- transactions ------------------------------------------------------------------------------------------------------ */

/* WITH CONSISTENT SNAPSHOT | READ ONLY | READ WRITE */
static void parse_transaction_mode(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_READ, KW_ONLY)) {
        c->node.flags |= AST_COMMAND_READ_ONLY;
    } else if (parse_accept2(p, KW_READ, KW_WRITE)) {
        c->node.flags |= AST_COMMAND_READ_WRITE;
    } else {
        parse_expect(p, KW_WITH);
        parse_expect(p, KW_CONSISTENT);
        parse_expect(p, KW_SNAPSHOT);
        parse_list_add(options, parse_option(p, start, "consistent snapshot", NULL));
    }
}

/* START TRANSACTION [ mode { "," mode } ] */
struct ast *parse_mysql_start_transaction(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_START, SQL_OBJECT_TRANSACTION);
    struct parse_list options;
    parse_list_init(&options);
    parse_expect(p, KW_START);
    parse_expect(p, KW_TRANSACTION);
    if (parse_at(p, KW_WITH) || parse_at(p, KW_READ)) {
        do parse_transaction_mode(p, c, &options);
        while (parse_accept(p, ','));
        uint32_t both = AST_COMMAND_READ_ONLY | AST_COMMAND_READ_WRITE;
        if ((c->node.flags & both) == both) parse_fail(p, "syntax error: READ ONLY and READ WRITE exclude each other");
    }
    c->options = options.first;
    return parse_done(p, c);
}

/* BEGIN [ WORK ] */
struct ast *parse_mysql_begin(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_BEGIN, SQL_OBJECT_NONE);
    parse_expect(p, KW_BEGIN);
    parse_accept(p, KW_WORK);
    return parse_done(p, c);
}

/* [ AND [ NO ] CHAIN ] [ [ NO ] RELEASE ] */
static void parse_completion(struct sql_reader *p, struct ast_command *c) {
    if (parse_accept(p, KW_AND)) {
        if (!parse_accept(p, KW_NO)) c->node.flags |= AST_COMMAND_CHAIN;
        parse_expect(p, KW_CHAIN);
    }
    if (parse_accept2(p, KW_NO, KW_RELEASE)) return;
    uint32_t at = p->tok.start;
    if (!parse_accept(p, KW_RELEASE)) return;
    c->node.flags |= AST_COMMAND_RELEASE;
    if (c->node.flags & AST_COMMAND_CHAIN) parse_fail_at(p, at, "CHAIN and RELEASE exclude each other");
}

/* COMMIT [ WORK ] completion */
struct ast *parse_mysql_commit(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_COMMIT, SQL_OBJECT_NONE);
    parse_expect(p, KW_COMMIT);
    parse_accept(p, KW_WORK);
    parse_completion(p, c);
    return parse_done(p, c);
}

/* ROLLBACK [ WORK ] { completion | TO [ SAVEPOINT ] name } */
struct ast *parse_mysql_rollback(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_ROLLBACK, SQL_OBJECT_NONE);
    parse_expect(p, KW_ROLLBACK);
    parse_accept(p, KW_WORK);
    if (parse_accept(p, KW_TO)) {
        c->node.op = SQL_ROLLBACK_TO;
        if (parse_at(p, KW_SAVEPOINT) && parse_is_name(p, parse_peek(p, 1))) parse_advance(p);
        c->args = parse_name(p);
    } else {
        parse_completion(p, c);
    }
    return parse_done(p, c);
}

/* SAVEPOINT name */
struct ast *parse_mysql_savepoint(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_SAVEPOINT, SQL_OBJECT_NONE);
    parse_expect(p, KW_SAVEPOINT);
    c->args = parse_name(p);
    return parse_done(p, c);
}

/* RELEASE SAVEPOINT name */
struct ast *parse_mysql_release(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_RELEASE, SQL_OBJECT_NONE);
    parse_expect(p, KW_RELEASE);
    parse_expect(p, KW_SAVEPOINT);
    c->args = parse_name(p);
    return parse_done(p, c);
}

/* ---- XA ---------------------------------------------------------------------------------------------------------------- */

/* part of an xid: 'a' | X'61' | 0x61 | B'01' | 0b01 */
static struct ast *parse_xid_text(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_STRING: case TOKEN_HEX_STRING: case TOKEN_HEX_NUMBER: case TOKEN_BIT_STRING: case TOKEN_BIT_NUMBER:
        break;
    default:
        parse_fail(p, "a transaction's identifier is expected");
    }
    return parse_literal(p);
}

/* xid: text [ "," text [ "," number ] ] */
static struct ast *parse_xid(struct sql_reader *p) {
    struct parse_list parts;
    parse_list_init(&parts);
    parse_list_add(&parts, parse_xid_text(p));
    if (parse_accept(p, ',')) {
        parse_list_add(&parts, parse_xid_text(p));
        if (parse_accept(p, ',')) parse_list_add(&parts, parse_literal(p));
    }
    return parts.first;
}

/* XA { START | BEGIN } xid [ JOIN | RESUME ] */
static void parse_xa_start(struct sql_reader *p, struct ast_command *c) {
    c->node.op = SQL_XA_START;
    parse_advance(p);
    c->args = parse_xid(p);
    if (parse_at(p, KW_JOIN) || parse_at(p, KW_RESUME)) c->options = parse_word(p);
}

/* XA END xid [ SUSPEND [ FOR MIGRATE ] ] */
static void parse_xa_end(struct sql_reader *p, struct ast_command *c) {
    c->node.op = SQL_XA_END;
    parse_advance(p);
    c->args = parse_xid(p);
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_SUSPEND)) return;
    bool is_migrating = parse_accept2(p, KW_FOR, KW_MIGRATE);
    c->options = parse_option(p, start, is_migrating ? "suspend for migrate" : "suspend", NULL);
}

/* XA { PREPARE | ROLLBACK } xid | XA COMMIT xid [ ONE PHASE ] */
static void parse_xa_other(struct sql_reader *p, struct ast_command *c, enum sql_verb verb) {
    c->node.op = (uint16_t)verb;
    parse_advance(p);
    c->args = parse_xid(p);
    uint32_t start = p->tok.start;
    if (verb == SQL_XA_COMMIT && parse_accept2(p, KW_ONE, KW_PHASE)) c->options = parse_option(p, start, "one phase", NULL);
}

/* XA RECOVER [ CONVERT XID | FORMAT "=" string ] */
static void parse_xa_recover(struct sql_reader *p, struct ast_command *c) {
    c->node.op = SQL_XA_RECOVER;
    parse_advance(p);
    uint32_t start = p->tok.start;
    if (p->is_mariadb && parse_accept(p, KW_FORMAT)) {
        parse_expect(p, '=');
        c->options = parse_option(p, start, "format", parse_name_or_string(p));
    } else if (!p->is_mariadb && parse_accept2(p, KW_CONVERT, KW_XID)) {
        c->options = parse_option(p, start, "convert xid", NULL);
    }
}

/* XA { START | BEGIN | END | PREPARE | COMMIT | ROLLBACK } xid ... | XA RECOVER: args are the parts of the xid */
struct ast *parse_mysql_xa(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_XA_START, SQL_OBJECT_NONE);
    parse_expect(p, KW_XA);
    switch (p->tok.kind) {
    case KW_START: case KW_BEGIN: parse_xa_start(p, c); break;
    case KW_END: parse_xa_end(p, c); break;
    case KW_PREPARE: parse_xa_other(p, c, SQL_XA_PREPARE); break;
    case KW_COMMIT: parse_xa_other(p, c, SQL_XA_COMMIT); break;
    case KW_ROLLBACK: parse_xa_other(p, c, SQL_XA_ROLLBACK); break;
    case KW_RECOVER: parse_xa_recover(p, c); break;
    default: parse_fail(p, "syntax error: expected START, END, PREPARE, COMMIT, ROLLBACK or RECOVER");
    }
    return parse_done(p, c);
}

/* ---- locks ------------------------------------------------------------------------------------------------------------- */

/* READ [ LOCAL ] | [ LOW_PRIORITY ] WRITE [ CONCURRENT ] */
static struct ast *parse_lock_mode(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_READ)) return parse_option(p, start, parse_accept(p, KW_LOCAL) ? "read local" : "read", NULL);
    if (parse_accept(p, KW_LOW_PRIORITY)) {
        parse_expect(p, KW_WRITE);
        return parse_option(p, start, "low_priority write", NULL);
    }
    parse_expect(p, KW_WRITE);
    return parse_option(p, start, p->is_mariadb && parse_accept(p, KW_CONCURRENT) ? "write concurrent" : "write", NULL);
}

/* [ NOWAIT | WAIT number ] */
struct ast *parse_mysql_opt_wait(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (!p->is_mariadb) return NULL;
    if (parse_accept(p, KW_NOWAIT)) return parse_option(p, start, "nowait", NULL);
    if (!parse_accept(p, KW_WAIT)) return NULL;
    return parse_option(p, start, "wait", parse_mysql_number(p));
}

/* LOCK { TABLES | TABLE } table [ alias ] mode { "," table [ alias ] mode } [ WAIT n | NOWAIT ]: args are the modes */
static void parse_lock_tables(struct sql_reader *p, struct ast_command *c) {
    struct parse_list tables, modes;
    parse_list_init(&tables);
    parse_list_init(&modes);
    parse_advance(p);
    do {
        parse_list_add(&tables, parse_relation_alias(p));
        parse_list_add(&modes, parse_lock_mode(p));
    } while (parse_accept(p, ','));
    c->objects = tables.first;
    c->args = modes.first;
    c->options = parse_mysql_opt_wait(p);
}

/* LOCK TABLES ... | LOCK INSTANCE FOR BACKUP */
struct ast *parse_mysql_lock(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_LOCK, SQL_OBJECT_TABLE);
    parse_expect(p, KW_LOCK);
    if (parse_at(p, KW_TABLE) || parse_at(p, KW_TABLES)) {
        parse_lock_tables(p, c);
        return parse_done(p, c);
    }
    c->object = SQL_OBJECT_INSTANCE;
    parse_expect(p, KW_INSTANCE);
    parse_expect(p, KW_FOR);
    parse_expect(p, KW_BACKUP);
    return parse_done(p, c);
}

/* UNLOCK { TABLES | TABLE | INSTANCE } */
struct ast *parse_mysql_unlock(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_UNLOCK, SQL_OBJECT_TABLE);
    parse_expect(p, KW_UNLOCK);
    if (!p->is_mariadb && parse_accept(p, KW_INSTANCE)) c->object = SQL_OBJECT_INSTANCE;
    else if (!parse_accept(p, KW_TABLES)) parse_expect(p, KW_TABLE);
    return parse_done(p, c);
}
