/*
 * EXPLAIN (ROUTE) statement: where the statement would go from here, and why. gilmok answers it itself, between exchanges, whatever
 * the session is in; in a transaction that has failed the server refuses it as it does everything.
 *
 * Under a name it is prepared like any statement: a server reads it, and does not mind the option before it runs. gilmok answers
 * when it is bound, up to the Sync: as an exchange of its own, or, when the Parse stands in front in the same one, behind the
 * replies to that; then the Sync is the server's.
 *
 * In company that gilmok does not answer (session_pg_answer.c) it goes to the server, which knows no such option, and says so.
 */
#include "proxy/pool/backend_pg.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/session/session_pg.h"
#include "routing/explain_pg.h"

enum { LINE_MAX_LEN = OWN_ANSWER_MAX / 2 };

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

/* Who could answer it besides. In a transaction nobody could. */
static void put_copies(const struct session *s, uint8_t copies, struct writer *w) {
    const struct pool *p = session_pool(s);
    bool is_in_force = p->subscribers && p->catalog && p->catalog->subscribers == p->subscribers && !s->has_begun;
    for (uint32_t i = 0; is_in_force && i < p->subscribers->count; i++)
        if (copies & 1u << i) writer_fmt(w, "; node %s has a copy of all its tables", p->subscribers->all[i].name);
}

/* What keeps the session stands in front. `source`: a text with a NUL behind it. */
static void put_line(struct session *s, struct bytes source, bool is_inside, struct writer *w) {
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
    enum route_reason why = session_pg_route_reason(s, source, is_inside);
    put_text(s, bytes_of(source.ptr, source.len - 1), &result, &of_text);
    bool is_of_text = why == ROUTE_READS ? result.place == CLASSIFY_REPLICA : why >= ROUTE_TEXT && result.place != CLASSIFY_REPLICA;
    if (is_of_text) {
        writer_put(w, writer_bytes(&of_text));
        if (why == ROUTE_READS) put_copies(s, result.copies, w);
    } else {
        const uint8_t *tab = of_text.len ? memchr(of_text.data, '\t', of_text.len) : NULL;
        writer_fmt(w, "%s\t%s; ", place_of(why, result.place), route_reason_text(why));
        if (tab) writer_put(w, bytes_of(tab + 1, of_text.len - (size_t)(tab + 1 - of_text.data)));
    }
    w->failed |= of_text.failed;
    writer_release(&of_text);
}

/* ---- the question ---------------------------------------------------------------------------------------------------- */

/* `*source`: of what is asked about, with the NUL behind it. */
static bool asks(struct session *s, const struct message *m, struct bytes *source) {
    struct bytes text;
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES);
    if (!session_pg_answer_text(m, &text) || !explain_pg_asks_route(text, options ? options : &fallback, source)) return false;
    source->len++;
    return true;
}

/* True: it is asked again when the replies are in, or gilmok has found what the statement before has left. */
static bool must_wait(struct session *s) {
    const struct backend *b = s->lessee.backend;
    if (request_is_open(&s->request)) return true;
    if (!b || b->ledger.txn != TXN_NONE) return false;
    bool is_lent_alone = s->pins == PIN_LENT; /* who stays for another reason keeps what is lent */
    return s->pins & (PIN_LOOKING | PIN_DESCRIBING) || is_lent_alone;
}

static enum step answer(struct session *s, const struct message *m, const struct own_exchange *x, struct bytes source) {
    struct writer line;
    writer_init(&line, LINE_MAX_LEN);
    put_line(s, source, x->is_inside, &line);
    const struct own_answer a = {.column = "route", .value = writer_bytes(&line), .tag = "EXPLAIN"};
    enum step step = STEP_STOP;
    if (line.failed) session_close(s, "out of memory");
    else step = session_pg_answer(s, m, x, &a);
    writer_release(&line);
    return step;
}

/* ---- by its name ----------------------------------------------------------------------------------------------------- */

/* What a prepared statement asks about. `prepared`: as it stood in its Parse, behind the name. */
static bool asks_when_bound(struct session *s, struct bytes prepared, struct bytes *source) {
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const struct sql_options fallback = sql_options_default(SQL_POSTGRES);
    const uint8_t *end = prepared.len ? memchr(prepared.ptr, 0, prepared.len) : NULL;
    struct bytes text = end ? bytes_of(prepared.ptr, (size_t)(end - prepared.ptr)) : bytes_of(NULL, 0);
    if (!explain_pg_may_start(text) || !explain_pg_asks_route(text, options ? options : &fallback, source)) return false;
    source->len++;
    return true;
}

/* It is the server's to read; of its Binds gilmok takes note from now on. */
static enum step note_parse(struct session *s, const struct message *m) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), source;
    const uint8_t *end = m->avail == m->h.total ? memchr(body.ptr, 0, body.len) : NULL;
    if (!end || !asks_when_bound(s, bytes_of(end + 1, (size_t)(body.ptr + body.len - end - 1)), &source)) return STEP_RAW;
    session_pg_of(s)->asks_route = true;
    return STEP_RAW;
}

static enum step take_bind(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes portal, name, source;
    struct own_exchange x;
    bool is_inside = b && b->ledger.is_group_open;
    bool is_servers = b && (b->ledger.is_client_turn || b->ledger.is_skipping || b->ledger.txn == TXN_FAILED);
    if (is_servers) return STEP_RAW;
    if (pg_bind_names(bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), &portal, &name) != PG_FRAME_OK) return STEP_RAW;
    const struct statement_pg *st = name.len ? session_pg_prepared_statement(ps, name) : NULL;
    struct bytes prepared = name.len ? (st ? st->source : bytes_of(NULL, 0)) : session_pg_unnamed_latest(ps);
    if (!asks_when_bound(s, prepared, &source)) return STEP_RAW;
    enum step step = session_pg_answer_read(m, &x);
    if (step == STEP_RAW) return STEP_RAW; /* the request that is open may be its own */
    if (!is_inside && must_wait(s)) {
        s->is_held_back = true;
        return STEP_KEEP;
    }
    if (step != STEP_DONE) return step;
    if (is_inside) backend_pg_show_held(b);
    if (is_inside && b->ledger.count) return session_pg_await_replies(s); /* they come first */
    x.source = prepared;
    x.is_inside = is_inside;
    return answer(s, m, &x, source);
}

enum step session_pg_explain_take(struct session *s, const struct message *m) {
    const struct backend *b = s->lessee.backend;
    struct own_exchange x;
    struct bytes source;
    bool is_inside = b && (b->ledger.is_group_open || b->ledger.is_client_turn || b->ledger.is_skipping);
    if (session_pg_of(s)->begin.phase == BEGUN_FAILED) return STEP_RAW;
    if (s->variant->is_single_use || m->h.total > s->env->config->inspect_limit) return STEP_RAW;
    if (m->h.type == PG_F_BIND) return take_bind(s, m);
    if (m->avail < m->h.total) return STEP_KEEP;
    if (m->h.type == PG_F_PARSE && (is_inside || m->ptr[PG_HEADER_LEN])) return note_parse(s, m);
    if (is_inside || !asks(s, m, &source)) return STEP_RAW;
    enum step step = session_pg_answer_read(m, &x);
    if (step == STEP_RAW) return m->h.type == PG_F_PARSE ? note_parse(s, m) : step; /* the request that is open may be its own */
    if (must_wait(s)) {
        s->is_held_back = true;
        return STEP_KEEP;
    }
    if (b && b->ledger.txn == TXN_FAILED) return STEP_RAW;
    return step == STEP_DONE ? answer(s, m, &x, source) : step;
}
