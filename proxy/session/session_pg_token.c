/*
 * SHOW gilmok.consistency_token: where the primary's log ends now, behind everything that this client was told is written. Another
 * session that sets it finds all of that in what it reads.
 *
 * The server answers. Each connection is started with the setting, empty, so that it can be prepared and described like any other;
 * gilmok puts a statement in front of what shows it that gives it its value, in the same transaction, which ends it.
 */
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"
#include "proxy/session/session_pg_ops.h"
#include "routing/token_pg.h"

/* `source`: a text with a NUL behind it. */
static bool asks(struct session *s, struct bytes source) {
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES);
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    if (!end || !token_pg_may_be(source)) return false;
    return token_pg_is_asked(bytes_of(source.ptr, (size_t)(end - source.ptr)), options ? options : &fallback);
}

/* Of a Bind. */
static struct bytes source_of(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    if (!m->has_names || !m->statement.len) return m->has_names ? session_pg_unnamed_latest(ps) : bytes_of(NULL, 0);
    const struct statement_pg *st = session_pg_prepared_statement(ps, m->statement);
    return st ? st->source : bytes_of(NULL, 0);
}

static enum step take_query(struct session *s, const struct message *m) {
    struct ledger *l = &s->lessee.backend->ledger;
    struct bytes text;
    bool is_edited = session_pg_of(s)->left.latest & EFFECT_STATEMENTS; /* for other reasons, with something behind it */
    if (is_edited || !session_pg_answer_text(m, &text) || !asks(s, bytes_of(text.ptr, text.len + 1))) return STEP_RAW;
    if (ledger_owes_forward(l) || l->doubtful) return session_pg_await_replies(s);
    return session_pg_reset_text_behind(s, m, text, TOKEN_PG_TELL, true);
}

enum step session_pg_token_take(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    const struct ledger *l = &s->lessee.backend->ledger;
    if (l->is_client_turn || l->is_skipping) return STEP_RAW; /* the server will say what it thinks of that */
    switch (m->h.type) {
    case PG_F_QUERY: return take_query(s, m);
    case PG_F_PARSE: {
        struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
        const uint8_t *name_end = memchr(body.ptr, 0, body.len);
        if (!name_end || !asks(s, bytes_of(name_end + 1, (size_t)(body.ptr + body.len - name_end - 1)))) return STEP_RAW;
        ps->asks_token = true; /* and the connection may be from before there was such a setting */
        return backend_pg_run_among(s->lessee.backend, bytes_str(TOKEN_PG_TELL)) ? STEP_RAW : STEP_STOP;
    }
    case PG_F_BIND:
        if (!asks(s, source_of(s, m))) return STEP_RAW;
        return backend_pg_run_among(s->lessee.backend, bytes_str(TOKEN_PG_TELL)) ? STEP_RAW : STEP_STOP;
    default: return STEP_RAW;
    }
}
