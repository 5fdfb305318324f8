/*
 * Texts that name prepared statements, by Parse, Bind and Execute.
 *
 * The text itself is parsed as it is, and its names mean nothing yet: the server looks them up when it runs, and so does gilmok
 * when it is bound. Then the text is edited (session_pg_sql_text.c), parsed under a name of its own that the next one takes over,
 * and bound from there. So it works on any connection, and finds what the names stand for at that time.
 *
 * A portal of such a text is remembered until it is gone: the Execute that runs it changes what names stand for.
 */
#include "base/fault.h"
#include "proxy/session/session_pg_ops.h"
#include "proxy/wire/pg_encode.h"

struct sql_portal {
    struct list node; /* in prepared_client.portals */
    struct sql_text *text; /* one reference */
    size_t name_len;
    uint8_t name[];
};

static struct sql_portal *portal_at(struct list *n) {
    return CONTAINER_OF(n, struct sql_portal, node);
}

static struct sql_portal *find_portal(struct prepared_client *pc, struct bytes name) {
    LIST_EACH(n, &pc->portals)
        if (bytes_equal(bytes_of(portal_at(n)->name, portal_at(n)->name_len), name)) return portal_at(n);
    return NULL;
}

static void end_portal(struct sql_portal *portal, struct prepared_set_pg *set) {
    session_pg_sql_text_unref(portal->text, set);
    list_remove(&portal->node);
    mem_free(portal);
}

void session_pg_sql_end_portals(struct prepared_client *pc, struct prepared_set_pg *set) {
    struct list *n;
    while ((n = list_first(&pc->portals))) end_portal(portal_at(n), set);
}

static bool add_portal(struct prepared_client *pc, struct bytes name, struct sql_text *text) {
    struct sql_portal *portal = mem_alloc(sizeof *portal + name.len);
    if (!portal) return false;
    list_init(&portal->node);
    list_push_back(&pc->portals, &portal->node);
    portal->text = text;
    text->refs++;
    text->is_portal = true;
    portal->name_len = name.len;
    if (name.len) memcpy(portal->name, name.ptr, name.len);
    return true;
}

/* ---- Bind and Describe ----------------------------------------------------------------------------------------------- */

/* Parses the edited text under its own name; the one before it gives way. */
static bool send_text(struct backend *b, struct bytes text, struct bytes types) {
    struct writer w;
    if (!backend_pg_note_own(b, PG_F_CLOSE, 'S', REPLY_QUIET, 0)) return false;
    backend_pg_send_about(b, PG_F_CLOSE, SQL_TEXT_OWN);
    if (!backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_QUIET, 0)) return false;
    writer_init(&w, text.len + types.len + 64);
    size_t at = pg_begin(&w, PG_F_PARSE);
    writer_cstr(&w, bytes_str(SQL_TEXT_OWN));
    writer_cstr(&w, text);
    writer_put(&w, types);
    pg_end(&w, at);
    bool ok = !w.failed;
    if (ok) stream_send(b->stream, writer_bytes(&w));
    writer_release(&w);
    return ok;
}

static enum step send_edited(struct session *s, const struct message *m, struct bytes edited, struct bytes types,
                             struct sql_text *text, uint16_t number) {
    struct backend *b = s->lessee.backend;
    if (!send_text(b, edited, types)) return s->state == SESSION_CLOSED ? STEP_STOP : session_pg_prepared_out_of_memory(s);
    if (m->h.type == PG_F_BIND) {
        if (!add_portal(&session_pg_of(s)->prepared, m->portal, text)) return session_pg_prepared_out_of_memory(s);
        return session_pg_send_bind(s, m, SQL_TEXT_OWN, number);
    }
    if (!backend_pg_note_sent(b, PG_F_DESCRIBE, TARGET_STATEMENT, 0)) return STEP_STOP;
    backend_pg_send_about(b, PG_F_DESCRIBE, SQL_TEXT_OWN);
    return STEP_DONE;
}

/*   source = text NUL count types */
enum step session_pg_sql_take(struct session *s, const struct message *m, struct bytes source, uint16_t number) {
    struct backend *b = s->lessee.backend;
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    struct sql_text *text;
    struct writer w;
    if (!end) return STEP_RAW;
    if (session_pg_sql_text_must_wait(s)) return session_pg_await_replies(s);
    if (session_pg_is_failed(s)) return STEP_RAW; /* and so does this, as it is */
    struct bytes sql = bytes_of(source.ptr, (size_t)(end - source.ptr));
    writer_init(&w, 4 * sql.len + 4096);
    enum step step = session_pg_sql_text_make(s, m, sql, &text, &w);
    if (step == STEP_DONE && text) {
        struct bytes types = bytes_of(end + 1, source.len - sql.len - 1);
        step = send_edited(s, m, writer_bytes(&w), types, text, number);
        session_pg_sql_text_unref(text, s->lessee.backend ? &backend_pg_of(b)->prepared : NULL);
    }
    writer_release(&w);
    return step;
}

/* ---- Execute, and what ends portals ---------------------------------------------------------------------------------- */

/*
 * The server looks a name up when the portal runs; the text says what it stood for when it was bound. False: that is not the same
 * any more. `err` is what the server would say, or where it would do something else, a refusal.
 */
static bool still_holds(struct session *s, const struct sql_use *use, struct err *err) {
    const struct statement_pg *now = session_pg_prepared_statement(session_pg_of(s), use->name);
    const struct prepared_pg *p = prepared_pg_named(&backend_pg_of(s->lessee.backend)->prepared, bytes_str(use->server));
    const char *name = (const char *)use->name.ptr;
    int len = (int)use->name.len;
    bool needs_one = use->kind == SQL_USES || use->kind == SQL_DEALLOCATES;
    if (needs_one && !now) return err_set(err, "26000", "prepared statement \"%.*s\" does not exist", len, name);
    if (use->kind == SQL_DEALLOCATES || (use->kind == SQL_PREPARES && !now) || (use->kind == SQL_TAKEN && now)) return true;
    if (use->kind == SQL_PREPARES) return err_set(err, "42P05", "prepared statement \"%.*s\" already exists", len, name);
    if (use->kind == SQL_USES && p && p->statement == now) return true;
    return err_set(err, ERR_FEATURE_NOT_SUPPORTED, "prepared statement \"%.*s\" is another one than when this portal was bound",
                   len, name);
}

static enum step take_execute(struct session *s, struct message *m, struct sql_text *text) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    struct err err = {0};
    if (!text->has_run && session_pg_sql_text_must_wait(s)) return session_pg_await_replies(s);
    bool is_looked_up = !text->has_run && !session_pg_is_failed(s); /* else it goes on, or fails */
    for (uint32_t i = 0; is_looked_up && i < text->count; i++)
        if (!still_holds(s, &text->uses[i], &err)) return session_pg_fail_here(s, m, &err);
    text->has_run = true;
    if (!session_pg_sql_text_send_voids(b, text)) return STEP_STOP;
    struct prepared_op *op = session_pg_ops_add(pc, OP_SQL, bytes_of("", 0), NULL);
    if (!op) return session_pg_prepared_out_of_memory(s);
    op->text = text;
    text->refs++;
    m->tag = op->tag;
    return STEP_RAW;
}

enum step session_pg_sql_track(struct session *s, struct message *m) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct backend *b = s->lessee.backend;
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), name = bytes_of("", 0);
    const uint8_t *end;
    uint8_t kind;
    if (b->ledger.is_skipping) return STEP_RAW;
    switch (m->h.type) {
    case PG_F_QUERY: break;
    case PG_F_BIND:
        if (!m->has_names) return STEP_RAW;
        name = m->portal;
        break;
    case PG_F_CLOSE:
        if (!pg_target_read(body, &kind, &name) || kind != 'P') return STEP_RAW;
        break;
    case PG_F_EXECUTE:
        end = body.len ? memchr(body.ptr, 0, body.len) : NULL;
        if (!end) return STEP_RAW;
        name = bytes_of(body.ptr, (size_t)(end - body.ptr));
        break;
    default: return STEP_RAW;
    }
    struct sql_portal *portal = find_portal(pc, name);
    if (!portal) return STEP_RAW;
    if (m->h.type == PG_F_EXECUTE) return take_execute(s, m, portal->text);
    end_portal(portal, &backend_pg_of(b)->prepared);
    return STEP_RAW;
}
