/*
 * EXPLAIN (ROUTE) statement: where the statement would go from here, and why. gilmok answers it itself, between exchanges, whatever
 * the session is in; in a transaction that has failed the server refuses it as it does everything.
 *
 * It is answered as a Query, and as an exchange of its own with the unnamed statement: Parse, Bind, Describe, Execute, Sync, all in
 * hand. In any other company it goes to the server, which knows no such option, and says so.
 */
#include "base/reader.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"
#include "routing/explain_pg.h"

enum { LINE_MAX_LEN = 1 << 20 };

static const char *const columns[] = {"route"};

/* ---- the line -------------------------------------------------------------------------------------------------------- */

/* A word and reasons of the text alone, as `gilmok route` prints them. */
static void put_text(struct session *s, struct bytes text, struct classify_result *out, struct writer *w) {
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES);
    const struct classify_facts *facts = session_pg_state_facts(s);
    const struct classify_options routing = {
        .sql = options ? options : &fallback, .facts = facts, .takes_hints = true, .keeps_reasons = true,
        .read_functions = bytes_str(facts ? session_pool(s)->read_functions : ""),
        .write_functions = bytes_str(facts ? session_pool(s)->write_functions : "")};
    classify_text(text, &routing, &s->env->arena, out);
    classify_put(out, w);
    arena_reset(&s->env->arena);
}

static const char *place_of(enum route_reason why, enum classify_place of_text) {
    bool is_kept = why >= ROUTE_SESSION_POOLING && why <= ROUTE_HELD;
    if (is_kept) return classify_place_name(CLASSIFY_SESSION);
    return classify_place_name(why == ROUTE_TRANSACTION || of_text < CLASSIFY_PRIMARY ? CLASSIFY_PRIMARY : of_text);
}

/* What keeps the session stands in front. `source`: a text with a NUL behind it. */
static void put_line(struct session *s, struct bytes source, struct writer *w) {
    const struct pool *p = session_pool(s);
    struct classify_result result;
    struct writer of_text;
    if (!p->limits.read_write_split) {
        const char *role = pool_role_name(p->role);
        if (p->role != ROLE_PRIMARY) writer_fmt(w, "replica\tall of this database goes where role = %s says", role);
        else writer_str(w, "primary\tread_write_split is off here: by the configuration, for one node alone, or in session mode");
        return;
    }
    writer_init(&of_text, LINE_MAX_LEN);
    enum route_reason why = session_pg_route_reason(s, source);
    put_text(s, bytes_of(source.ptr, source.len - 1), &result, &of_text);
    bool is_of_text = why == ROUTE_READS ? result.place == CLASSIFY_REPLICA : why >= ROUTE_TEXT && result.place != CLASSIFY_REPLICA;
    if (is_of_text) {
        writer_put(w, writer_bytes(&of_text));
    } else {
        const uint8_t *tab = of_text.len ? memchr(of_text.data, '\t', of_text.len) : NULL;
        writer_fmt(w, "%s\t%s; ", place_of(why, result.place), route_reason_text(why));
        if (tab) writer_put(w, bytes_of(tab + 1, of_text.len - (size_t)(tab + 1 - of_text.data)));
    }
    w->failed |= of_text.failed;
    writer_release(&of_text);
}

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

/* What of it was asked for, and how. */
struct asked {
    struct bytes source;    /* of the statement, with a NUL */
    struct bytes exchange;  /* all its messages, with the extended protocol; else empty */
    bool is_binary;         /* text is the same in both, but it says so */
};

static void put_description(const struct asked *a, struct writer *w) {
    pg_put_row_description(w, columns, 1);
    if (a->is_binary && !w->failed) w->data[w->len - 1] = 1;
}

static void put_result(struct session *s, const struct asked *a, struct writer *w) {
    struct writer line;
    writer_init(&line, LINE_MAX_LEN);
    put_line(s, a->source, &line);
    const struct bytes row = writer_bytes(&line);
    pg_put_text_row(w, &row, 1);
    pg_put_command_complete(w, "EXPLAIN");
    w->failed |= line.failed;
    writer_release(&line);
}

static void put_empty(struct writer *w, uint8_t type) {
    pg_end(w, pg_begin(w, type));
}

/*   Parse = name NUL text NUL count(2) type(4) ... */
static void put_parameters(struct bytes parse, struct writer *w) {
    struct reader r = reader_over(parse);
    (void)reader_cstr(&r);
    (void)reader_cstr(&r);
    uint16_t count = reader_be16(&r);
    struct bytes types = reader_take(&r, (size_t)count * 4);
    size_t at = pg_begin(w, PG_B_PARAMETER_DESCRIPTION);
    writer_be16(w, count);
    writer_put(w, types);
    pg_end(w, at);
}

static void put_exchange(struct session *s, const struct asked *a, struct writer *w) {
    struct bytes rest = a->exchange, parse = {0};
    struct pg_header h;
    while (rest.len && pg_header_read(rest, &h) == PG_FRAME_OK) {
        struct bytes body = bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len);
        switch (h.type) {
        case PG_F_PARSE:
            parse = body;
            put_empty(w, PG_B_PARSE_COMPLETE);
            break;
        case PG_F_BIND: put_empty(w, PG_B_BIND_COMPLETE); break;
        case PG_F_DESCRIBE:
            if (body.ptr[0] == 'S') put_parameters(parse, w);
            put_description(a, w);
            break;
        case PG_F_EXECUTE: put_result(s, a, w); break;
        case PG_F_CLOSE: put_empty(w, PG_B_CLOSE_COMPLETE); break;
        default: break;
        }
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
    }
}

static enum step answer(struct session *s, const struct message *m, const struct asked *a) {
    struct session_pg *ps = session_pg_of(s);
    const struct backend *b = s->lessee.backend;
    struct writer w;
    writer_init(&w, 2 * LINE_MAX_LEN);
    if (a->exchange.len) {
        put_exchange(s, a, &w);
        ps->discard = DISCARD_ANSWERED;
    } else {
        put_description(a, &w);
        put_result(s, a, &w);
    }
    pg_put_ready(&w, b && b->ledger.txn == TXN_OPEN ? PG_TXN_OPEN : PG_TXN_IDLE);
    bool ok = !w.failed;
    if (ok) session_send(s, writer_bytes(&w));
    writer_release(&w);
    if (!ok) {
        session_close(s, "out of memory");
        return STEP_STOP;
    }
    session_pg_unnamed_on_not_sent(s, m);
    session_pg_drop(ps, m);
    if (UNLIKELY(s->pins & PIN_UNNAMED)) { /* it has none any more */
        s->pins &= (uint16_t)~PIN_UNNAMED;
        session_on_unpinned(s);
    }
    return STEP_DONE;
}

/* ---- the question ---------------------------------------------------------------------------------------------------- */

/*   Bind = portal NUL statement NUL count(2) format(2) ... count(2) ( length(4) value ) ... count(2) format(2) ... */
static bool read_bind(struct bytes body, bool *is_binary) {
    struct reader r = reader_over(body);
    struct bytes portal = reader_cstr(&r), statement = reader_cstr(&r);
    bool is_unnamed = !portal.len && !statement.len;
    (void)reader_take(&r, (size_t)reader_be16(&r) * 2);
    for (uint16_t values = reader_be16(&r); values && !r.failed; values--) {
        uint32_t len = reader_be32(&r);
        if (len <= INT32_MAX) (void)reader_take(&r, len);
    }
    uint16_t formats = reader_be16(&r);
    *is_binary = formats && reader_be16(&r) == 1;
    return is_unnamed && formats <= 1 && reader_done(&r);
}

static bool names_unnamed(struct bytes body) {
    uint8_t kind;
    struct bytes name;
    return pg_target_read(body, &kind, &name) && (kind == 'S' || kind == 'P') && !name.len;
}

static bool fits(uint8_t type, bool has_bound, bool has_run) {
    switch (type) {
    case PG_F_BIND: case PG_F_DESCRIBE: case PG_F_CLOSE: return true;
    case PG_F_EXECUTE: return has_bound && !has_run;
    case PG_F_SYNC: return has_run;
    default: return false;
    }
}

/* STEP_DONE: it is whole, and nothing else is in it. STEP_KEEP: not yet. STEP_RAW: it is something else. */
static enum step read_exchange(const struct message *m, struct asked *a) {
    struct bytes rest = bytes_of(m->ptr + m->h.total, m->in_hand - m->h.total);
    struct pg_header h;
    bool has_bound = false, has_run = false;
    enum pg_frame frame;
    while ((frame = pg_header_read(rest, &h)) == PG_FRAME_OK) {
        size_t most = STREAM_HELD_MAX - PG_HEADER_LEN - (size_t)(rest.ptr - m->ptr); /* that will ever be in hand */
        if (!fits(h.type, has_bound, has_run) || h.total > most) return STEP_RAW;
        if (h.total > rest.len) return STEP_KEEP;
        struct bytes body = bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len);
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
        if (h.type == PG_F_BIND && (has_bound || !read_bind(body, &a->is_binary))) return STEP_RAW;
        if ((h.type == PG_F_DESCRIBE || h.type == PG_F_CLOSE) && !names_unnamed(body)) return STEP_RAW;
        if (h.type == PG_F_EXECUTE && (!body.len || body.ptr[0])) return STEP_RAW;
        has_bound |= h.type == PG_F_BIND;
        has_run |= h.type == PG_F_EXECUTE;
        if (h.type == PG_F_SYNC) {
            a->exchange = bytes_of(m->ptr, (size_t)(rest.ptr - m->ptr));
            return STEP_DONE;
        }
    }
    return frame == PG_FRAME_NEED_MORE ? STEP_KEEP : STEP_RAW;
}

/* Behind the text nothing in a Query; in a Parse count(2) type(4) ... Else the server says what is wrong. */
static bool is_whole(uint8_t type, struct bytes behind) {
    struct reader r = reader_over(behind);
    if (type == PG_F_PARSE) (void)reader_take(&r, (size_t)reader_be16(&r) * 4);
    return reader_done(&r);
}

/* Of a Query or a Parse without a name, whole. */
static bool asks(struct session *s, uint8_t type, struct bytes text, struct asked *a) {
    const uint8_t *end = text.len ? memchr(text.ptr, 0, text.len) : NULL;
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES);
    if (!end || !is_whole(type, bytes_of(end + 1, (size_t)(text.ptr + text.len - end - 1)))) return false;
    text.len = (size_t)(end - text.ptr);
    if (!explain_pg_asks_route(text, options ? options : &fallback, &a->source)) return false;
    a->source.len++;
    return true;
}

/* True: it is asked again when the replies are in, or gilmok has found what the statement before has left. */
static bool must_wait(struct session *s) {
    const struct backend *b = s->lessee.backend;
    if (request_is_open(&s->request)) return true;
    return b && b->ledger.txn == TXN_NONE && s->pins & (PIN_LOOKING | PIN_DESCRIBING | PIN_LENT);
}

enum step session_pg_explain_take(struct session *s, const struct message *m) {
    const struct backend *b = s->lessee.backend;
    size_t head = PG_HEADER_LEN + (m->h.type == PG_F_PARSE);
    struct asked a = {.is_binary = false};
    bool is_inside = b && (b->ledger.is_group_open || b->ledger.is_client_turn || b->ledger.is_skipping);
    if (is_inside || s->variant->is_single_use || m->h.total > s->env->config->inspect_limit) return STEP_RAW;
    if (m->avail < m->h.total) return STEP_KEEP;
    if (!asks(s, m->h.type, bytes_of(m->ptr + head, m->h.total - head), &a)) return STEP_RAW;
    if (must_wait(s)) {
        s->is_held_back = true;
        return STEP_KEEP;
    }
    if (b && b->ledger.txn == TXN_FAILED) return STEP_RAW;
    enum step step = m->h.type == PG_F_PARSE ? read_exchange(m, &a) : STEP_DONE;
    return step == STEP_DONE ? answer(s, m, &a) : step;
}
