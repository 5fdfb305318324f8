/*
 * Statements that are not on this connection, in a transaction that has failed.
 *
 * The server does not parse anything there but what ends the transaction, and says so (25P02); where the statement is known
 * already it looks at other things first: how many values a Bind brings, and a Describe of what returns no rows is answered. So it
 * gets an empty text with the same parameters, which it parses at any time, and the client's message about that one.
 */
#include "parser/ast.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_ops.h"

bool session_pg_is_failed(const struct session *s) {
    const struct session_pg *ps = (const struct session_pg *)s;
    return s->lessee.backend->ledger.txn == TXN_FAILED && !ps->left.has_moved; /* else a ROLLBACK may be on its way */
}

bool session_pg_may_end_failed(const struct session *s) {
    const struct ledger *l = &s->lessee.backend->ledger;
    return l->txn == TXN_FAILED && !session_pg_is_failed(s) && !l->is_client_turn && session_pg_sql_text_must_wait(s);
}

unsigned session_pg_verb_of(struct session *s, const struct statement_pg *st) {
    struct sql_statement first;
    struct bytes text = bytes_str((const char *)st->source.ptr);
    struct sql_reader *reader = sql_reader_new(text, session_pg_settings_options(s, s->lessee.backend), &s->env->arena);
    unsigned verb = 0;
    bool is_read = reader && sql_reader_next(reader, &first) && first.outcome == SQL_PARSED;
    if (is_read && first.ast->kind == AST_COMMAND) verb = first.ast->op;
    arena_reset(&s->env->arena);
    return verb;
}

/* COMMIT and the like: what a failed transaction listens to. */
static bool is_exit_statement(struct session *s, const struct statement_pg *st) {
    unsigned verb = session_pg_verb_of(s, st);
    return verb == SQL_COMMIT || verb == SQL_ROLLBACK || verb == SQL_ROLLBACK_TO || verb == SQL_PREPARE_TRANSACTION;
}

/* Those of PREPARE and EXECUTE are none of the statement's own: the server looks at them when it runs. */
static bool count_parameter(struct ast *node, void *ctx) {
    uint32_t *max = ctx;
    if (node->kind == AST_COMMAND && (node->op == SQL_PREPARE || node->op == SQL_EXECUTE)) return false;
    if (node->kind == AST_PARAM && AST_AS(param, PARAM, node)->number > *max) *max = AST_AS(param, PARAM, node)->number;
    return true;
}

/* The highest number of a parameter in its text. */
static uint16_t parameters_of(struct session *s, const struct statement_pg *st) {
    struct sql_statement first;
    struct bytes text = bytes_str((const char *)st->source.ptr);
    struct sql_reader *reader = sql_reader_new(text, session_pg_settings_options(s, s->lessee.backend), &s->env->arena);
    uint32_t max = 0;
    bool is_read = reader && sql_reader_next(reader, &first) && first.outcome == SQL_PARSED;
    if (is_read) ast_walk(first.ast, count_parameter, &max);
    arena_reset(&s->env->arena);
    return max <= UINT16_MAX ? (uint16_t)max : 0;
}

bool session_pg_stand_in(struct session *s, struct bytes client_name, const struct client_statement *known, uint8_t type,
                         const char **name, bool *is_exit) {
    struct backend *b = s->lessee.backend;
    struct prepared_set_pg *set = &backend_pg_of(b)->prepared;
    *is_exit = is_exit_statement(s, known->statement);
    *name = NULL;
    if (*is_exit) return true;
    if (type == PG_F_DESCRIBE && known->is_described && description_pg_has_columns(known->description)) {
        const struct prepared_pg *other = prepared_pg_with_rows(set);
        if (other) *name = other->name;
        return true;
    }
    struct prepared_pg *p = prepared_pg_new(set, known->statement);
    struct prepared_op *op = p ? session_pg_ops_add(&session_pg_of(s)->prepared, OP_STAND_IN, client_name, p) : NULL;
    if (!op || !backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_QUIET, op->tag)) return false;
    backend_pg_send_stand_in(b, p, parameters_of(s, known->statement));
    *name = p->name;
    return true;
}
