/*
 * What gilmok answers itself in the place of a server: a Query, or an exchange of its own with the unnamed statement (Parse, Bind,
 * Describe, Execute, Sync), or one that begins with a Bind, all of it in hand. In any other company a statement goes to the server.
 */
#include "base/reader.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"

/* ---- reading --------------------------------------------------------------------------------------------------------- */

/* Behind the text nothing in a Query; in a Parse count(2) type(4) ... Else the server says what is wrong. */
static bool is_whole(uint8_t type, struct bytes behind) {
    struct reader r = reader_over(behind);
    if (type == PG_F_PARSE) (void)reader_take(&r, (size_t)reader_be16(&r) * 4);
    return reader_done(&r);
}

bool session_pg_answer_text(const struct message *m, struct bytes *text) {
    size_t head = PG_HEADER_LEN + (m->h.type == PG_F_PARSE);
    if (m->avail < m->h.total || m->h.total <= head) return false;
    struct bytes body = bytes_of(m->ptr + head, m->h.total - head);
    const uint8_t *end = memchr(body.ptr, 0, body.len);
    if (!end || !is_whole(m->h.type, bytes_of(end + 1, (size_t)(body.ptr + body.len - end - 1)))) return false;
    *text = bytes_of(body.ptr, (size_t)(end - body.ptr));
    return true;
}

/*   Bind = portal NUL statement NUL count(2) format(2) ... count(2) ( length(4) value ) ... count(2) format(2) ... */
static bool read_bind(struct bytes body, struct own_exchange *x) {
    struct reader r = reader_over(body);
    struct bytes portal = reader_cstr(&r);
    struct bytes statement = reader_cstr(&r);
    bool is_it = !portal.len && bytes_equal(statement, x->statement);
    (void)reader_take(&r, (size_t)reader_be16(&r) * 2);
    uint16_t values = reader_be16(&r);
    x->is_plain &= !values;
    for (; values && !r.failed; values--) {
        uint32_t len = reader_be32(&r);
        if (len <= INT32_MAX) (void)reader_take(&r, len);
    }
    uint16_t formats = reader_be16(&r);
    x->is_binary = formats && reader_be16(&r) == 1;
    return is_it && formats <= 1 && reader_done(&r);
}

/* A Describe or Close of what is answered; a statement with a name stays. */
static bool is_about(struct bytes body, const struct own_exchange *x, bool is_close) {
    uint8_t kind;
    struct bytes name;
    if (!pg_target_read(body, &kind, &name)) return false;
    if (kind == 'P') return !name.len;
    return kind == 'S' && bytes_equal(name, x->statement) && !(is_close && name.len);
}

static bool fits(uint8_t type, bool has_bound, bool has_run) {
    switch (type) {
    case PG_F_BIND: case PG_F_DESCRIBE: case PG_F_CLOSE: return true;
    case PG_F_EXECUTE: return has_bound && !has_run;
    case PG_F_SYNC: return has_run;
    default: return false;
    }
}

/* A portal is described behind its Bind; what is closed is needed no more. */
static bool is_in_place(uint8_t type, struct bytes body, bool has_bound, bool has_run) {
    if (type == PG_F_DESCRIBE) return !has_run && has_bound == (body.ptr[0] == 'P');
    return type != PG_F_CLOSE || has_run;
}

static bool has_types(const struct message *m) {
    struct reader r = reader_over(bytes_of(m->ptr + PG_HEADER_LEN, m->h.body_len));
    (void)reader_cstr(&r);
    (void)reader_cstr(&r);
    return reader_be16(&r);
}

static enum step read_exchange(const struct message *m, struct own_exchange *x) {
    size_t parse_len = m->h.type == PG_F_PARSE ? m->h.total : 0;
    struct bytes rest = bytes_of(m->ptr + parse_len, m->in_hand - parse_len), portal;
    struct pg_header h;
    bool has_bound = false, has_run = false;
    bool is_known = parse_len || pg_bind_names(bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), &portal,
                                               &x->statement) == PG_FRAME_OK;
    if (!is_known) return STEP_RAW;
    enum pg_frame frame;
    while ((frame = pg_header_read(rest, &h)) == PG_FRAME_OK) {
        size_t most = STREAM_HELD_MAX - PG_HEADER_LEN - (size_t)(rest.ptr - m->ptr); /* that will ever be in hand */
        if (!fits(h.type, has_bound, has_run) || h.total > most) return STEP_RAW;
        if (h.total > rest.len) return STEP_KEEP;
        struct bytes body = bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len);
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
        if (h.type == PG_F_BIND && (has_bound || !read_bind(body, x))) return STEP_RAW;
        if ((h.type == PG_F_DESCRIBE || h.type == PG_F_CLOSE) && !is_about(body, x, h.type == PG_F_CLOSE)) return STEP_RAW;
        if (h.type == PG_F_EXECUTE && (!body.len || body.ptr[0])) return STEP_RAW;
        x->closes |= h.type == PG_F_CLOSE && body.ptr[0] == 'S';
        x->is_plain &= is_in_place(h.type, body, has_bound, has_run);
        has_bound |= h.type == PG_F_BIND;
        has_run |= h.type == PG_F_EXECUTE;
        if (h.type == PG_F_SYNC) {
            x->messages = bytes_of(m->ptr, (size_t)(rest.ptr - m->ptr));
            return STEP_DONE;
        }
    }
    return frame == PG_FRAME_NEED_MORE ? STEP_KEEP : STEP_RAW;
}

enum step session_pg_answer_read(const struct message *m, struct own_exchange *x) {
    *x = (struct own_exchange){.is_plain = m->h.type != PG_F_PARSE || !has_types(m)};
    return m->h.type == PG_F_QUERY ? STEP_DONE : read_exchange(m, x);
}

/* ---- answering ------------------------------------------------------------------------------------------------------- */

static void put_empty(struct writer *w, uint8_t type) {
    pg_end(w, pg_begin(w, type));
}

/* Text is the same in both formats, but it says so. */
static void put_description(const struct own_exchange *x, const struct own_answer *a, struct writer *w) {
    if (!a->column) {
        if (x->messages.len) put_empty(w, PG_B_NO_DATA);
        return;
    }
    pg_put_row_description(w, &a->column, 1);
    if (x->is_binary && !w->failed) w->data[w->len - 1] = 1;
}

static void put_result(const struct own_answer *a, struct writer *w) {
    if (a->column) pg_put_text_row(w, &a->value, 1);
    pg_put_command_complete(w, a->tag);
}

/*   source = text NUL count(2) type(4) ... */
static void put_parameters(struct bytes source, struct writer *w) {
    struct reader r = reader_over(source);
    (void)reader_cstr(&r);
    uint16_t count = reader_be16(&r);
    struct bytes types = reader_take(&r, (size_t)count * 4);
    size_t at = pg_begin(w, PG_B_PARAMETER_DESCRIPTION);
    writer_be16(w, count);
    writer_put(w, types);
    pg_end(w, at);
}

static void put_exchange(const struct own_exchange *x, const struct own_answer *a, struct writer *w) {
    struct bytes rest = x->messages, source = x->source;
    struct pg_header h;
    while (rest.len && pg_header_read(rest, &h) == PG_FRAME_OK) {
        struct bytes body = bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len);
        switch (h.type) {
        case PG_F_PARSE:
            source = bytes_of(body.ptr + x->statement.len + 1, body.len - x->statement.len - 1);
            put_empty(w, PG_B_PARSE_COMPLETE);
            break;
        case PG_F_BIND: put_empty(w, PG_B_BIND_COMPLETE); break;
        case PG_F_DESCRIBE:
            if (body.ptr[0] == 'S') put_parameters(source, w);
            put_description(x, a, w);
            break;
        case PG_F_EXECUTE: put_result(a, w); break;
        case PG_F_CLOSE: put_empty(w, PG_B_CLOSE_COMPLETE); break;
        default: break;
        }
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
    }
}

enum step session_pg_answer(struct session *s, const struct message *m, const struct own_exchange *x, const struct own_answer *a) {
    struct session_pg *ps = session_pg_of(s);
    uint8_t storage[128];
    struct writer w;
    if (a->column || x->messages.len) writer_init(&w, OWN_ANSWER_MAX);
    else writer_init_fixed(&w, storage, sizeof storage);
    if (x->messages.len) {
        put_exchange(x, a, &w);
        ps->discard = x->is_inside ? DISCARD_TO_SYNC : DISCARD_ANSWERED;
    } else {
        put_description(x, a, &w);
        put_result(a, &w);
    }
    if (LIKELY(!x->is_inside)) pg_put_ready(&w, session_pg_status(s));
    bool ok = !w.failed;
    if (ok) session_send(s, writer_bytes(&w));
    writer_release(&w);
    if (!ok) {
        session_close(s, "out of memory");
        return STEP_STOP;
    }
    bool leaves_statement = m->h.type == PG_F_PARSE && a->leaves_statement && !x->closes;
    if (leaves_statement) session_pg_unnamed_on_answered(s, m);
    else session_pg_unnamed_on_not_sent(s, m);
    session_pg_drop(ps, m);
    if (UNLIKELY(s->pins & PIN_UNNAMED) && m->h.type != PG_F_BIND) { /* it has none any more */
        s->pins &= (uint32_t)~PIN_UNNAMED;
        session_on_unpinned(s);
    }
    return STEP_DONE;
}
