/*
 * parse_pg_session.c - PostgreSQL's transactions, and commands about the session itself: LOCK, LISTEN and its kin,
 * DISCARD, LOAD, CHECKPOINT, WAIT FOR.
 *
 * The verb is what the server's command tag says: END is a COMMIT, ABORT a ROLLBACK.
 */
#include "parser/parse_pg_command.h"

/* ---- modes of transactions ------------------------------------------------------------------------------------------- */

static bool at_mode(const struct sql_reader *p) {
    return parse_at(p, KW_ISOLATION) || parse_at(p, KW_READ) || parse_at(p, KW_DEFERRABLE) || parse_at(p, KW_NOT);
}

/* READ ( COMMITTED | UNCOMMITTED ) | REPEATABLE READ | SERIALIZABLE. NAME with these words. */
static struct ast *parse_isolation_level(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    const char *level = "serializable";
    if (parse_accept2(p, KW_READ, KW_COMMITTED)) level = "read committed";
    else if (parse_accept2(p, KW_READ, KW_UNCOMMITTED)) level = "read uncommitted";
    else if (parse_accept2(p, KW_REPEATABLE, KW_READ)) level = "repeatable read";
    else if (!parse_accept(p, KW_SERIALIZABLE)) parse_fail(p, "syntax error: expected an isolation level");
    return parse_name_static(p, start, level);
}

/* ISOLATION LEVEL level | READ ( ONLY | WRITE ) | [ NOT ] DEFERRABLE */
static struct ast *parse_mode(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_ISOLATION)) {
        parse_expect(p, KW_LEVEL);
        return parse_option(p, start, "isolation level", parse_isolation_level(p));
    }
    if (parse_accept(p, KW_READ)) {
        if (parse_accept(p, KW_WRITE)) return parse_option(p, start, "read write", NULL);
        parse_expect(p, KW_ONLY);
        return parse_option(p, start, "read only", NULL);
    }
    if (parse_accept(p, KW_NOT)) {
        parse_expect(p, KW_DEFERRABLE);
        return parse_option(p, start, "not deferrable", NULL);
    }
    parse_expect(p, KW_DEFERRABLE);
    return parse_option(p, start, "deferrable", NULL);
}

/* mode { [ "," ] mode } */
struct ast *parse_pg_transaction_modes(struct sql_reader *p) {
    struct parse_list modes;
    parse_list_init(&modes);
    do parse_list_add(&modes, parse_mode(p));
    while (parse_accept(p, ',') || at_mode(p));
    return modes.first;
}

struct ast *parse_pg_opt_transaction_modes(struct sql_reader *p) {
    return at_mode(p) ? parse_pg_transaction_modes(p) : NULL;
}

uint32_t parse_pg_access_flag(const struct sql_reader *p, const struct ast *modes) {
    uint32_t flag = 0;
    for (; modes && !p->failed; modes = modes->next) {
        if (modes->kind != AST_OPTION) continue;
        struct bytes name = AST_AS(name, NAME, AST_AS(option, OPTION, modes)->name)->text;
        if (bytes_is(name, "read only")) flag = AST_COMMAND_READ_ONLY;
        else if (bytes_is(name, "read write")) flag = AST_COMMAND_READ_WRITE;
    }
    return flag;
}

/* ---- transactions ---------------------------------------------------------------------------------------------------- */

/* [ WORK | TRANSACTION ] */
static void skip_transaction_word(struct sql_reader *p) {
    if (!parse_accept(p, KW_WORK)) parse_accept(p, KW_TRANSACTION);
}

/* BEGIN [ WORK | TRANSACTION ] [ modes ] | START TRANSACTION [ modes ]. options: the modes. */
struct ast *parse_pg_begin(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_BEGIN, SQL_OBJECT_NONE);
    if (parse_accept(p, KW_START)) {
        c->node.op = SQL_START;
        c->object = SQL_OBJECT_TRANSACTION;
        parse_expect(p, KW_TRANSACTION);
    } else {
        parse_advance(p);
        skip_transaction_word(p);
    }
    c->options = parse_pg_opt_transaction_modes(p);
    c->node.flags |= parse_pg_access_flag(p, c->options);
    return parse_done(p, c);
}

/* [ AND [ NO ] CHAIN ] */
static void read_chain(struct sql_reader *p, struct ast_command *c) {
    if (!parse_accept(p, KW_AND)) return;
    if (!parse_accept(p, KW_NO)) c->node.flags |= AST_COMMAND_CHAIN;
    parse_expect(p, KW_CHAIN);
}

/* A transaction that was prepared, by its id. args: LITERAL. */
static struct ast *read_prepared(struct sql_reader *p, struct ast_command *c, enum sql_verb verb) {
    c->node.op = (uint16_t)verb;
    c->args = parse_string(p);
    return parse_done(p, c);
}

/* ( COMMIT | END ) [ WORK | TRANSACTION ] [ AND [ NO ] CHAIN ] | COMMIT PREPARED string */
struct ast *parse_pg_commit(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_COMMIT, SQL_OBJECT_NONE);
    bool is_end = parse_at(p, KW_END);
    parse_advance(p);
    if (!is_end && parse_accept(p, KW_PREPARED)) return read_prepared(p, c, SQL_COMMIT_PREPARED);
    skip_transaction_word(p);
    read_chain(p, c);
    return parse_done(p, c);
}

/* [ SAVEPOINT ] name: "savepoint" alone is a name. args: NAME. */
static struct ast *parse_savepoint_name(struct sql_reader *p) {
    if (parse_at(p, KW_SAVEPOINT) && parse_is_name(p, parse_peek(p, 1))) parse_advance(p);
    return parse_name(p);
}

/*
 * ( ROLLBACK | ABORT ) [ WORK | TRANSACTION ] [ AND [ NO ] CHAIN ] | ROLLBACK PREPARED string
 * | ROLLBACK [ WORK | TRANSACTION ] TO [ SAVEPOINT ] name
 */
struct ast *parse_pg_rollback(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_ROLLBACK, SQL_OBJECT_NONE);
    bool is_abort = parse_at(p, KW_ABORT);
    parse_advance(p);
    if (!is_abort && parse_accept(p, KW_PREPARED)) return read_prepared(p, c, SQL_ROLLBACK_PREPARED);
    skip_transaction_word(p);
    if (!is_abort && parse_accept(p, KW_TO)) {
        c->node.op = SQL_ROLLBACK_TO;
        c->args = parse_savepoint_name(p);
    } else {
        read_chain(p, c);
    }
    return parse_done(p, c);
}

/* SAVEPOINT name | RELEASE [ SAVEPOINT ] name. args: NAME. */
struct ast *parse_pg_savepoint(struct sql_reader *p) {
    bool is_release = parse_at(p, KW_RELEASE);
    struct ast_command *c = parse_command(p, is_release ? SQL_RELEASE : SQL_SAVEPOINT, SQL_OBJECT_NONE);
    parse_advance(p);
    c->args = is_release ? parse_savepoint_name(p) : parse_name(p);
    return parse_done(p, c);
}

/* PREPARE TRANSACTION string. args: LITERAL. */
struct ast *parse_pg_prepare_transaction(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_PREPARE_TRANSACTION, SQL_OBJECT_NONE);
    parse_expect(p, KW_PREPARE);
    parse_expect(p, KW_TRANSACTION);
    c->args = parse_string(p);
    return parse_done(p, c);
}

/* ---- LOCK ------------------------------------------------------------------------------------------------------------ */

/* ACCESS ( SHARE | EXCLUSIVE ) | ROW ( SHARE | EXCLUSIVE ) | SHARE [ ( UPDATE | ROW ) EXCLUSIVE ] | EXCLUSIVE. Its words. */
static const char *read_lock_mode(struct sql_reader *p) {
    if (parse_accept2(p, KW_ACCESS, KW_SHARE)) return "access share";
    if (parse_accept2(p, KW_ACCESS, KW_EXCLUSIVE)) return "access exclusive";
    if (parse_accept2(p, KW_ROW, KW_SHARE)) return "row share";
    if (parse_accept2(p, KW_ROW, KW_EXCLUSIVE)) return "row exclusive";
    if (parse_accept3(p, KW_SHARE, KW_UPDATE, KW_EXCLUSIVE)) return "share update exclusive";
    if (parse_accept3(p, KW_SHARE, KW_ROW, KW_EXCLUSIVE)) return "share row exclusive";
    if (parse_accept(p, KW_SHARE)) return "share";
    if (!parse_accept(p, KW_EXCLUSIVE)) parse_fail(p, "syntax error: expected a mode of locking");
    return "exclusive";
}

/*
 * LOCK [ TABLE ] relation { "," relation } [ IN mode MODE ] [ NOWAIT ]
 * objects: TABLEs; options: OPTION with the mode's words, none for the server's own ACCESS EXCLUSIVE; OPTION "nowait".
 */
struct ast *parse_pg_lock(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_LOCK, SQL_OBJECT_TABLE);
    struct parse_list options;
    parse_list_init(&options);
    parse_advance(p);
    parse_accept(p, KW_TABLE);
    c->objects = parse_comma_list(p, parse_relation);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_IN)) {
        const char *mode = read_lock_mode(p);
        parse_expect(p, KW_MODE);
        parse_list_add(&options, parse_option(p, start, mode, NULL));
    }
    struct ast *nowait = parse_pg_opt_flag(p, KW_NOWAIT, "nowait");
    if (nowait) parse_list_add(&options, nowait);
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

/* LISTEN name | UNLISTEN ( name | "*" ) | NOTIFY name [ "," string ]. args: NAME, LITERAL; UNLISTEN *: AST_COMMAND_ALL. */
struct ast *parse_pg_listen(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    enum sql_verb verb = kind == KW_LISTEN ? SQL_LISTEN : kind == KW_NOTIFY ? SQL_NOTIFY : SQL_UNLISTEN;
    struct ast_command *c = parse_command(p, verb, SQL_OBJECT_NONE);
    parse_advance(p);
    if (verb == SQL_UNLISTEN && parse_accept(p, '*')) {
        c->node.flags |= AST_COMMAND_ALL;
        return parse_done(p, c);
    }
    c->args = parse_name(p);
    if (verb == SQL_NOTIFY && parse_accept(p, ',')) parse_append(&c->args, parse_string(p));
    return parse_done(p, c);
}

/* DISCARD ( ALL | PLANS | SEQUENCES | TEMP | TEMPORARY ). object: which. */
struct ast *parse_pg_discard(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DISCARD, SQL_OBJECT_NONE);
    parse_advance(p);
    switch (p->tok.kind) {
    case KW_ALL: c->object = SQL_OBJECT_ALL; break;
    case KW_PLANS: c->object = SQL_OBJECT_PLANS; break;
    case KW_SEQUENCES: c->object = SQL_OBJECT_SEQUENCES; break;
    case KW_TEMP:
    case KW_TEMPORARY: c->object = SQL_OBJECT_TEMP; break;
    default: parse_fail(p, "syntax error: expected ALL, PLANS, SEQUENCES or TEMP"); break;
    }
    parse_advance(p);
    return parse_done(p, c);
}

/* LOAD string. args: LITERAL. */
struct ast *parse_pg_load(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_LOAD, SQL_OBJECT_NONE);
    parse_advance(p);
    c->args = parse_string(p);
    return parse_done(p, c);
}

/* CHECKPOINT [ "(" options ")" (19) ]. options: OPTIONs. */
struct ast *parse_pg_checkpoint(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CHECKPOINT, SQL_OBJECT_NONE);
    parse_advance(p);
    if (parse_is_pg(p, 190000)) c->options = parse_pg_opt_utility_options(p);
    return parse_done(p, c);
}

/* WAIT FOR LSN string [ WITH "(" options ")" ] (19). args: LITERAL; options: OPTIONs. */
struct ast *parse_pg_wait(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_WAIT, SQL_OBJECT_NONE);
    parse_advance(p);
    parse_expect(p, KW_FOR);
    parse_expect(p, KW_LSN);
    c->args = parse_string(p);
    if (parse_accept(p, KW_WITH)) c->options = parse_pg_utility_options(p);
    return parse_done(p, c);
}
