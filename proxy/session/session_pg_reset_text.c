/*
 * A Query or Parse that resets settings, as the server gets it: with the client's own values behind each reset.
 *
 *      RESET x; SELECT 1                        RESET x (; SET x = own value) ; SELECT 1
 *      SELECT set_config('x', $1, false)        SELECT set_config('x', (coalesce() $1 (, own value)) , false)
 *
 * What stands in parentheses is gilmok's own: of the replies to its statements only an error is shown, and positions in what the
 * server says of the text are put back to those of the client's (session_pg_errors.c). A Parse is edited in the same way, but for
 * statements of gilmok's: it has one statement. From then on its text is what was made of it.
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

/* Of what was written behind `at`: it stands in front of this offset of the client's text. */
static void note_inserted(struct maker *k, uint32_t offset, size_t at) {
    struct sql_use *use = &k->text->uses[k->text->count++];
    use->kind = SQL_INSERTED;
    use->at = session_pg_count_characters(bytes_of(k->source.ptr, offset), k->options);
    use->server_len = session_pg_count_characters(bytes_of(k->w->data + at, k->w->len - at), k->options);
}

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
    if (k->w->len > at && !k->w->failed) note_inserted(k, r->end, at);
}

/* ---- into a call ----------------------------------------------------------------------------------------------------- */

static void put_up_to(struct maker *k, uint32_t *done, uint32_t end) {
    writer_put(k->w, bytes_of(k->source.ptr + *done, end - *done));
    *done = end;
}

static void put_inserted(struct maker *k, uint32_t *done, uint32_t offset, struct bytes what) {
    put_up_to(k, done, offset);
    size_t at = k->w->len;
    writer_put(k->w, what);
    if (!k->w->failed) note_inserted(k, offset, at);
}

static void put_call(struct maker *k, uint32_t *done, const struct reset_call_pg *call) {
    struct writer closing;
    writer_init(&closing, SESSION_PG_RESET_CLOSING_MAX(k->source));
    bool is_needed = session_pg_reset_put_closing(k->s, k->source, call, &closing);
    if (closing.failed) k->w->failed = true;
    if (is_needed && !k->w->failed) {
        put_inserted(k, done, call->value, bytes_str(SESSION_PG_RESET_OPENS));
        put_inserted(k, done, call->value_end, writer_bytes(&closing));
    }
    writer_release(&closing);
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

static void put_text(struct maker *k, const struct resets_pg *resets) {
    uint32_t done = 0, i = 0, c = 0;
    while (i < resets->count || c < resets->call_count) {
        bool is_call = i == resets->count || (c < resets->call_count && resets->calls[c].value < resets->items[i].end);
        if (is_call) {
            put_call(k, &done, &resets->calls[c++]);
        } else {
            put_up_to(k, &done, resets->items[i].end);
            put_behind(k, &resets->items[i++]);
        }
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
    if (k->own) backend_pg_hide_statements(backend_pg_of(b), k->own);
    stream_send(b->stream, writer_bytes(k->w));
    session_pg_drop(ps, m);
    return STEP_DONE;
}

static void make_query(struct maker *k, const struct resets_pg *resets) {
    size_t at = pg_begin(k->w, PG_F_QUERY);
    put_text(k, resets);
    pg_end(k->w, at);
}

enum step session_pg_reset_text_fail(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "gilmok cannot carry out a reset behind %d other statements", STATEMENTS_MAX - 1);
    err_hint(&err, "Send RESET or SET ... TO DEFAULT as a statement of its own.");
    return session_pg_fail_here(s, m, &err);
}

static enum step place(struct maker *k, const struct message *m, const struct resets_pg *resets) {
    struct backend *b = k->s->lessee.backend;
    make_query(k, resets);
    if (k->w->failed) return session_pg_prepared_out_of_memory(k->s);
    if (!k->text->count) return STEP_RAW;
    if (k->is_too_long) return session_pg_reset_text_fail(k->s, m);
    if (ledger_owes_forward(&b->ledger) || b->ledger.doubtful) return session_pg_await_replies(k->s);
    return send_text(k->s, m, k);
}

static struct sql_text *new_edit(const struct resets_pg *resets) {
    struct sql_text *edit = mem_alloc(sizeof *edit + (resets->count + 2 * (size_t)resets->call_count) * sizeof edit->uses[0]);
    if (edit) edit->refs = 1;
    return edit;
}

static size_t size_max(struct bytes text, const struct resets_pg *resets) {
    return 2 * text.len + (resets->count + resets->call_count) * (size_t)SESSION_PG_OWN_VALUES_MAX + PG_HEADER_LEN;
}

enum step session_pg_reset_text_take(struct session *s, const struct message *m, struct bytes text,
                                     const struct resets_pg *resets) {
    struct backend *b = s->lessee.backend;
    struct writer w;
    struct sql_text *edited = new_edit(resets);
    if (!edited) return session_pg_prepared_out_of_memory(s);
    writer_init(&w, size_max(text, resets));
    struct maker k = {.s = s, .source = text, .options = session_pg_settings_options(s, b), .text = edited, .w = &w};
    enum step step = place(&k, m, resets);
    session_pg_sql_text_unref(edited, s->lessee.backend ? &backend_pg_of(b)->prepared : NULL);
    writer_release(&w);
    return step;
}

enum step session_pg_reset_text_behind(struct session *s, const struct message *m, struct bytes text, const char *own,
                                       bool own_succeeds) {
    struct writer w;
    struct resets_pg one = {.count = 1};
    struct sql_text *edit = new_edit(&one);
    if (!edit) return session_pg_prepared_out_of_memory(s);
    writer_init(&w, text.len + strlen(own) + PG_HEADER_LEN + 4);
    struct maker k = {.s = s, .source = text, .options = session_pg_settings_options(s, s->lessee.backend), .text = edit, .w = &w,
                      .own = own_succeeds};
    size_t at = pg_begin(&w, PG_F_QUERY), inserted = w.len;
    writer_str(&w, own);
    writer_str(&w, ";\n");
    if (!w.failed) note_inserted(&k, 0, inserted);
    writer_cstr(&w, text);
    pg_end(&w, at);
    enum step step = w.failed ? session_pg_prepared_out_of_memory(s) : send_text(s, m, &k);
    session_pg_sql_text_unref(edit, NULL);
    writer_release(&w);
    return step;
}

/* A message's text, which has a NUL behind it and stands behind the header. */
static struct bytes text_of_query(const struct writer *w) {
    return bytes_of(w->data + PG_HEADER_LEN, w->len - PG_HEADER_LEN - 1);
}

bool session_pg_reset_text_add(struct session *s, struct sql_text *names, struct writer *w, uint64_t *own) {
    struct writer with;
    struct bytes text = text_of_query(w);
    struct resets_pg resets = session_pg_reset_read(s, text);
    struct sql_text *edit = new_edit(&resets);
    writer_init(&with, size_max(text, &resets));
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    struct maker k = {.s = s, .source = text, .options = options, .text = edit, .w = &with};
    if (edit) make_query(&k, &resets);
    if (edit && !with.failed && edit->count) {
        struct writer before = *w;
        *w = with;
        with = before;
        names->over = edit;
        edit = NULL;
        *own = k.own;
    } else if (!edit || with.failed) {
        w->failed = true;
    }
    session_pg_sql_text_unref(edit, NULL);
    writer_release(&with);
    return !k.is_too_long;
}

/* ---- a Parse --------------------------------------------------------------------------------------------------------- */

/* Parse = name NUL text NUL count types */
enum step session_pg_reset_text_parse(struct session *s, struct message *m, struct bytes text, const struct resets_pg *resets) {
    struct writer *w = &session_pg_of(s)->left.edited;
    struct resets_pg only = *resets;
    struct pg_header h;
    only.count = 0; /* what follows a reset follows its Execute */
    struct sql_text *edit = new_edit(&only);
    if (!edit) return session_pg_prepared_out_of_memory(s);
    writer_init(w, m->h.total + size_max(text, &only));
    struct maker k = {.s = s, .source = text, .options = session_pg_settings_options(s, s->lessee.backend), .text = edit, .w = w};
    const uint8_t *body = m->ptr + PG_HEADER_LEN, *types = text.ptr + text.len + 1, *end = m->ptr + m->avail;
    size_t at = pg_begin(w, PG_F_PARSE);
    writer_put(w, bytes_of(body, (size_t)(text.ptr - body)));
    put_text(&k, &only);
    writer_put(w, bytes_of(types, (size_t)(end - types)));
    pg_end(w, at);
    if (!w->failed && !edit->count) {
        session_pg_sql_text_unref(edit, NULL);
        writer_release(w);
        *w = (struct writer){0};
        return STEP_RAW;
    }
    m->edit = edit;
    if (w->failed || pg_header_read(writer_bytes(w), &h) != PG_FRAME_OK) return session_pg_prepared_out_of_memory(s);
    m->h = h;
    m->ptr = w->data;
    m->avail = m->in_hand = w->len;
    return STEP_RAW;
}

void session_pg_reset_text_end(struct session *s, struct message *m, enum step step) {
    struct session_pg *ps = session_pg_of(s);
    struct prepared_op *op = step == STEP_DONE ? op_at(list_last(&ps->prepared.ops)) : NULL;
    bool is_of_op = op && !op->text && (op->kind == OP_PARSE || op->kind == OP_DUPLICATE);
    writer_release(&ps->left.edited);
    ps->left.edited = (struct writer){0};
    if (is_of_op && m->statement.len) {
        op->text = m->edit;
    } else if (step == STEP_DONE && !m->statement.len) {
        session_pg_sql_text_unref(ps->left.edit, NULL);
        ps->left.edit = m->edit;
        ps->left.edit_tag = m->tag;
    } else {
        session_pg_sql_text_unref(m->edit, NULL);
    }
    m->edit = NULL;
}
