/*
 * A Query that resets settings, as the server gets it: with the client's own values set behind each reset.
 *
 *      RESET x; SELECT 1          RESET x (; SET x = own value) ; SELECT 1
 *
 * What stands in parentheses is gilmok's own: of its replies only an error is shown, and positions in what the server says of the
 * text are put back to those of the client's (session_pg_errors.c).
 */
#include "base/fault.h"
#include "proxy/session/session_pg_ops.h"
#include "proxy/wire/pg_encode.h"

enum { STATEMENTS_MAX = 64 }; /* among which gilmok's must be: what backend_pg_hide_statements() counts to */

struct maker {
    struct session *s;
    struct bytes source;
    const struct sql_options *options;
    struct sql_text *text;
    struct writer *w;
    uint64_t own;       /* the statements that are gilmok's */
    uint32_t own_count;
    bool is_too_long;
};

/* What must stand behind the reset: at its last word, in front of any comment. */
static void put_behind(struct maker *k, const struct reset_pg *r) {
    struct writer own;
    size_t at = k->w->len;
    writer_init(&own, SESSION_PG_OWN_VALUES_MAX);
    session_pg_reset_put_own(k->s, r, &own);
    for (size_t i = 0; i < own.len; i += strlen((const char *)own.data + i) + 1) {
        uint32_t number = r->number + 1 + k->own_count++;
        if (number < STATEMENTS_MAX) k->own |= (uint64_t)1 << number;
        else k->is_too_long = true;
        writer_str(k->w, "\n;");
        writer_str(k->w, (const char *)own.data + i);
    }
    if (own.failed) k->w->failed = true;
    writer_release(&own);
    if (k->w->len == at || k->w->failed) return;
    struct sql_use *use = &k->text->uses[k->text->count++];
    use->kind = SQL_INSERTED;
    use->at = session_pg_count_characters(bytes_of(k->source.ptr, r->end), k->options);
    use->server_len = session_pg_count_characters(bytes_of(k->w->data + at, k->w->len - at), k->options);
}

static void put_text(struct maker *k, const struct resets_pg *resets) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < resets->count; i++) {
        uint32_t end = resets->items[i].end;
        writer_put(k->w, bytes_of(k->source.ptr + done, end - done));
        put_behind(k, &resets->items[i]);
        done = end;
    }
    writer_cstr(k->w, bytes_of(k->source.ptr + done, k->source.len - done));
}

static enum step send_text(struct session *s, const struct message *m, const struct maker *k) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct prepared_op *op = session_pg_ops_add(&ps->prepared, OP_SQL, bytes_of("", 0), NULL);
    if (!op) return session_pg_prepared_out_of_memory(s);
    op->text = k->text;
    k->text->refs++;
    uint16_t tag = session_pg_prepared_end_group(ps);
    session_pg_state_on_group_sent(ps);
    session_pg_unnamed_on_group_sent(ps);
    (void)session_pg_unnamed_track(s, b, m, &tag);
    if (!backend_pg_note_sent(b, PG_F_QUERY, 0, tag)) return STEP_STOP;
    backend_pg_hide_statements(backend_pg_of(b), k->own);
    stream_send(b->stream, writer_bytes(k->w));
    session_pg_drop(ps, m);
    return STEP_DONE;
}

static enum step place(struct maker *k, const struct message *m, const struct resets_pg *resets) {
    struct backend *b = k->s->lessee.backend;
    size_t at = pg_begin(k->w, PG_F_QUERY);
    put_text(k, resets);
    pg_end(k->w, at);
    if (k->w->failed) return session_pg_prepared_out_of_memory(k->s);
    if (!k->text->count) return STEP_RAW;
    if (k->is_too_long) {
        struct err err = {0};
        err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "gilmok cannot carry out a reset behind %d other statements", STATEMENTS_MAX - 1);
        err_hint(&err, "Send RESET or SET ... TO DEFAULT as a statement of its own.");
        return session_pg_fail_here(k->s, m, &err);
    }
    if (ledger_owes_forward(&b->ledger) || b->ledger.doubtful) return session_pg_await_replies(k->s);
    return send_text(k->s, m, k);
}

enum step session_pg_reset_text_take(struct session *s, const struct message *m, struct bytes text,
                                     const struct resets_pg *resets) {
    struct backend *b = s->lessee.backend;
    struct writer w;
    struct sql_text *edited = mem_alloc(sizeof *edited + resets->count * sizeof edited->uses[0]);
    if (!edited) return session_pg_prepared_out_of_memory(s);
    edited->refs = 1;
    writer_init(&w, text.len + resets->count * SESSION_PG_OWN_VALUES_MAX + PG_HEADER_LEN);
    struct maker k = {.s = s, .source = text, .options = session_pg_settings_options(s, b), .text = edited, .w = &w};
    enum step step = place(&k, m, resets);
    session_pg_sql_text_unref(edited, s->lessee.backend ? &backend_pg_of(b)->prepared : NULL);
    writer_release(&w);
    return step;
}
