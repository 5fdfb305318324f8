/*
 * Where an exchange goes: to the primary, or, when all of it only reads, to a replica.
 *
 * An exchange is one Query, or everything up to a Sync. It is judged as a whole when it begins, by what is in hand: what has not
 * come in yet may be anything. What its texts are is said by routing/classify.h, from the same reading of them that tells what
 * they leave behind; only those go to a replica that leave nothing. A client that keeps its connection for any reason is not
 * asked about: it has it for what it has there.
 *
 * At a replica exchanges go one after the other: the next one is judged when the one before is answered. A transaction that was
 * begun READ ONLY there stays there; in it each message is judged for itself, and what belongs on the primary is refused.
 */
#include "base/log.h"
#include "base/reader.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/session/session_pg_ops.h"
#include "proxy/wire/pg_decode.h"

/* It stays on the primary, for this reason; of several the latest is said. */
static bool stays(struct session *s, enum route_reason why) {
    s->route = (uint8_t)why;
    return false;
}

/* ---- the way there --------------------------------------------------------------------------------------------------- */

/* By default: a replica refuses everything then. */
static bool is_serializable(const struct session_pg *ps) {
    const char *level = ps->left.state.count ? state_pg_get(&ps->left.state, "default_transaction_isolation") : NULL;
    if (!level && ps->startup && ps->startup->rest.count) level = state_pg_get(&ps->startup->rest, "default_transaction_isolation");
    return level && strcmp(level, "serializable") == 0;
}

static RARELY bool join_replicas(struct session *s) {
    struct pool *p = session_pool(s);
    const struct config *c = s->env->config;
    const struct config_database *db = config_find_database(c, bytes_str(s->database));
    if (!db || s->variant->is_single_use || s->variant->is_judging) return false;
    const struct user_secret *secret = user_store_find(s->env->users, bytes_str(s->user));
    struct err err = {0};
    struct pool *reads = pool_reads_get(p, c, db, user_store_server_secret(secret), &err);
    s->reads = reads ? variant_get(reads, s->variant->key, &err) : NULL;
    if (!s->reads) return false;
    s->reads->readers++;
    return pool_serves_reads(reads);
}

/* The variant of the same startup parameters in the pool for reads. False: there is none, or nobody is served there now. */
static inline bool has_replicas(struct session *s) {
    return LIKELY(s->reads != NULL) ? pool_serves_reads(s->reads->pool) : join_replicas(s);
}

/* The same, in the pool that goes to subscriber `number`. NULL: there is none. */
static struct variant *copy_variant(struct session *s, uint32_t number) {
    const struct config *c = s->env->config;
    const struct config_database *db = config_find_database(c, bytes_str(s->database));
    if (LIKELY(s->copies[number] != NULL)) return s->copies[number];
    if (!db || s->variant->is_single_use || s->variant->is_judging) return NULL;
    const struct user_secret *secret = user_store_find(s->env->users, bytes_str(s->user));
    struct err err = {0};
    struct pool *copy = pool_copies_get(session_pool(s), number, c, db, user_store_server_secret(secret), &err);
    struct variant *v = copy ? variant_get(copy, s->variant->key, &err) : NULL;
    if (!v) return NULL;
    v->readers++;
    return s->copies[number] = v;
}

/* Those that the bits of a reading mean: what its tables were looked up by is what the pool has now. */
static uint8_t copies_in_force(struct session *s, uint8_t copies) {
    const struct pool *p = session_pool(s);
    if (LIKELY(!copies) || !p->subscribers || !p->catalog || p->catalog->subscribers != p->subscribers) return 0;
    if (UNLIKELY(s->subscribers != p->subscribers)) {
        session_leave_copies(s);
        s->subscribers = p->subscribers;
    }
    return copies;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static_assert((int)HINT_EVENTUAL == CONSISTENCY_EVENTUAL + 1 && (int)HINT_STRONG == CONSISTENCY_STRONG + 1, "in the same order");

/* What its texts ask for (enum hint_consistency), else the session, else the configuration. */
static enum read_consistency consistency_of(const struct session *s, uint8_t asked) {
    uint8_t own = asked ? asked : session_pg_of((struct session *)s)->left.consistency;
    return own ? (enum read_consistency)(own - 1) : session_pool(s)->limits.read_consistency;
}

static uint64_t written_by_anybody(struct session_env *env) {
    session_hub_read_globally(env->hub, clock_now_us(env->loop->clock));
    return atomic_load_explicit(&env->hub->written_us, memory_order_acquire);
}

/* Some replica of that pool that will do shows what this client must find, or, where it may wait, may do so soon. */
static bool is_fresh_for(struct session *s, const struct pool *reads, uint8_t asked, bool may_wait) {
    const struct site_place *place = &session_pg_of(s)->place;
    uint64_t needs_us = 0;
    s->lessee.place = NULL;
    switch (consistency_of(s, asked)) {
    case CONSISTENCY_EVENTUAL: place = NULL; break;
    case CONSISTENCY_SESSION: needs_us = later(s->written_us, session_pool(s)->split_since_us); break;
    case CONSISTENCY_GLOBAL: needs_us = later(s->written_us, written_by_anybody(s->env)); break;
    case CONSISTENCY_STRONG: /* the primary alone knows what was written by now */
        if (!may_wait) return false;
        place = NULL;
        needs_us = clock_now_us(s->env->loop->clock);
        break;
    }
    if (UNLIKELY(place && place->at.lsn)) s->lessee.place = place;
    needs_us = pool_wants_us(reads, &s->lessee, needs_us);
    s->lessee.needs_us = needs_us;
    return !needs_us || pool_is_fresh(reads, &s->lessee, needs_us) || may_wait;
}

/* ---- what is in hand ------------------------------------------------------------------------------------------------- */

/* An exchange as far as it was gone through. */
struct walk {
    struct session *s;
    struct bytes parsed; /* the name that its latest Parse gave; ptr NULL: none */
    bool has_bound;      /* a portal of its own */
    bool has_bound_old, has_bound_unnamed; /* of a statement that was there before; of the unnamed one */
    bool is_in_transaction; /* at a replica: it has begun one, or was in one */
    bool has_text;
    uint8_t copies;         /* subscribers that could answer all its texts; where there is one */
    uint8_t consistency;    /* enum hint_consistency: the strictest that its texts ask for */
    bool has_node;          /* they ask for a node by its name: */
    uint64_t node;       /* pool_find_open(); 0: it gets no reads now, or there are two */
};

enum {
    LEFT_NOWHERE = EFFECT_RESETS,
    LEFT_IN_TRANSACTION = LEFT_NOWHERE | EFFECT_MOVES | EFFECT_SAVEPOINT | EFFECT_TAKES | EFFECT_STATEMENTS, /* DEALLOCATE */
    NOT_AT_REPLICAS = CLASSIFY_READ_WRITE | CLASSIFY_SERIALIZABLE | CLASSIFY_SNAPSHOT,
};

/* BEGIN READ ONLY, perhaps with reads behind it. */
static bool begins_to_read(const struct effect_reading *r) {
    return r->transaction & CLASSIFY_BEGINS && r->transaction & CLASSIFY_READ_ONLY;
}

/* The name is in the text alone; nearly none has one. */
static void note_node(struct walk *w, struct bytes source) {
    struct session *s = w->s;
    const uint8_t *end = memchr(source.ptr, 0, source.len); /* it was read: there is one */
    struct bytes text = bytes_of(source.ptr, (size_t)(end - source.ptr));
    struct hint hint = hint_read(text, session_pg_settings_options(s, s->lessee.backend), NULL, NULL);
    uint64_t node = has_replicas(s) ? pool_find_open(s->reads->pool, hint.node) : 0;
    w->node = !w->has_node || w->node == node ? node : 0;
    w->has_node = true;
}

/*
 * Numbers of types that are no other server's, or name what has other numbers there: regclass and its kin, xid, and arrays of them.
 */
static RARELY bool has_own_types(struct bytes source) {
    enum { FIRST_OF_OTHERS = 10000 };
    static const uint32_t names[] = {24,   28,   1011, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191,
                                     1008, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4090, 4097, 4192};
    struct reader r = reader_over(source);
    reader_cstr(&r);
    if (r.failed || r.pos == r.end) return r.failed; /* of a Query */
    for (uint16_t left = reader_be16(&r); left && !r.failed; left--) {
        uint32_t type = reader_be32(&r);
        if (type >= FIRST_OF_OTHERS) return true;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (type == names[i]) return true;
    }
    return r.failed;
}

/* Transactions are the replicas'. */
static inline void note_copies(struct walk *w, struct bytes source, const struct effect_reading *r) {
    uint8_t copies = w->has_text ? w->copies & r->copies : r->copies;
    w->has_text = true;
    w->copies = UNLIKELY(copies) && !w->is_in_transaction && !r->transaction && !has_own_types(source) ? copies : 0;
}

/* As nearly all reads: nothing is to be said against it, and it asks for nothing. */
static inline bool is_plain_read(const struct walk *w, const struct effect_reading *r) {
    return r->place == CLASSIFY_REPLICA && !r->transaction && !(r->effects & ~(unsigned)LEFT_NOWHERE) && !r->is_refused &&
           !r->hint && !w->is_in_transaction && !session_pg_of(w->s)->left.wants_primary;
}

/* The same, asked one by one. In a transaction there, SET LOCAL and cursors end with it. */
static RARELY bool reads_somehow(struct walk *w, struct bytes source, const struct effect_reading *r) {
    struct session *s = w->s;
    bool is_forbidden = r->transaction & NOT_AT_REPLICAS || (r->transaction & CLASSIFY_BEGINS && !begins_to_read(r));
    if (begins_to_read(r)) w->is_in_transaction = true;
    unsigned place = w->is_in_transaction ? r->within : r->place;
    if (place != CLASSIFY_REPLICA || is_forbidden) return stays(s, route_reason_of_text((enum classify_why)r->why));
    if (r->effects & ~(unsigned)(w->is_in_transaction ? LEFT_IN_TRANSACTION : LEFT_NOWHERE)) return stays(s, ROUTE_LEAVES);
    if (UNLIKELY(r->is_refused)) return stays(s, ROUTE_UNFIT);
    note_copies(w, source, r);
    struct hint hint = hint_unpack(r->hint);
    if (hint.consistency > w->consistency) w->consistency = hint.consistency;
    if (UNLIKELY(hint.has_node)) note_node(w, source);
    bool is_unwanted = UNLIKELY(session_pg_of(s)->left.wants_primary) && hint.route != HINT_REPLICA;
    return !is_unwanted || stays(s, ROUTE_SETTING);
}

/* It leaves nothing behind, and what it reads any replica has. */
static bool only_reads(struct walk *w, struct bytes source, struct effect_reading *kept) {
    const struct effect_reading *r = session_pg_state_reading(w->s, source, kept);
    if (UNLIKELY(!r)) return false;
    if (UNLIKELY(!is_plain_read(w, r))) return reads_somehow(w, source, r);
    note_copies(w, source, r);
    return true;
}

/*   Parse = name NUL source */
static bool is_read_parse(struct walk *w, struct bytes body) {
    const uint8_t *end = pg_parse_name_end(body);
    if (!end) return false;
    w->parsed = bytes_of(body.ptr, (size_t)(end - body.ptr));
    return only_reads(w, bytes_of(end + 1, body.len - w->parsed.len - 1), NULL);
}

/* It can be sent twice, and does not keep its connection: no name that is taken, and none that gilmok keeps no copy of. */
static bool is_repeatable(const struct walk *w, struct bytes body) {
    bool is_free_name = w->parsed.len ? !session_pg_prepared_is_known(session_pg_of(w->s), w->parsed)
                                      : body.len <= SESSION_PG_UNNAMED_MAX && !w->has_bound_unnamed;
    return is_free_name || stays(w->s, ROUTE_STATEMENT);
}

/* The statement that a name stands for at this point. */
static bool is_read_statement(struct walk *w, struct bytes name) {
    struct session_pg *ps = session_pg_of(w->s);
    if (w->parsed.ptr && bytes_equal(name, w->parsed)) return true;
    w->has_bound_old = true;
    if (!name.len) w->has_bound_unnamed = true;
    struct bytes latest = name.len || w->parsed.ptr ? bytes_of(NULL, 0) : session_pg_unnamed_latest(ps);
    if (latest.len) return only_reads(w, latest, NULL);
    struct statement_pg *st = name.len ? session_pg_prepared_statement(ps, name) : NULL;
    return st ? only_reads(w, st->source, &st->reading) : stays(w->s, ROUTE_STATEMENT);
}

static bool is_read_bind(struct walk *w, struct bytes body) {
    struct bytes portal, statement;
    w->has_bound = true;
    return pg_bind_names(body, &portal, &statement) == PG_FRAME_OK && is_read_statement(w, statement);
}

static bool is_read_describe(struct walk *w, struct bytes body) {
    struct bytes name;
    uint8_t kind;
    if (!pg_target_read(body, &kind, &name)) return false;
    return kind == 'S' ? is_read_statement(w, name) : w->has_bound;
}

static bool is_read(struct walk *w, uint8_t type, struct bytes body) {
    switch (type) {
    case PG_F_PARSE: return is_read_parse(w, body) && is_repeatable(w, body);
    case PG_F_BIND: return is_read_bind(w, body);
    case PG_F_DESCRIBE: return is_read_describe(w, body);
    case PG_F_EXECUTE: return w->has_bound;
    case PG_F_CLOSE: return !w->has_bound_old;
    default: return false;
    }
}

static size_t read_query(struct walk *w, const struct message *m) {
    struct session *s = w->s;
    s->route = ROUTE_NOT_IN_HAND;
    if (m->avail < m->h.total || m->h.total > s->env->config->inspect_limit) return 0;
    s->route = ROUTE_OTHER_MESSAGE;
    return only_reads(w, bytes_of(m->ptr + PG_HEADER_LEN, m->h.body_len), NULL) ? m->h.total : 0;
}

/* Its length; 0: not all of it reads, or not all of it is in hand. */
static size_t read_exchange(struct walk *w, const struct message *m) {
    if (m->h.type == PG_F_QUERY) return read_query(w, m);
    struct session *s = w->s;
    const uint8_t *at = m->ptr, *end = at + m->in_hand;
    size_t limit = s->env->config->inspect_limit;
    struct pg_header h;
    s->route = ROUTE_NOT_IN_HAND;
    while (pg_header_read(bytes_of(at, (size_t)(end - at)), &h) == PG_FRAME_OK && h.total <= (size_t)(end - at)) {
        if (h.type == PG_F_SYNC) return (size_t)(at - m->ptr) + h.total;
        if (UNLIKELY(h.total > limit)) break;
        s->route = ROUTE_OTHER_MESSAGE;
        if (!is_read(w, h.type, bytes_of(at + PG_HEADER_LEN, h.body_len))) return 0; /* nor is a Query among others */
        at += h.total;
    }
    s->route = ROUTE_NOT_IN_HAND;
    return 0;
}

/* ---- deciding -------------------------------------------------------------------------------------------------------- */

/* Why it has its connection still, or keeps one. */
static enum route_reason why_held(const struct session *s) {
    static const struct {
        uint32_t pins;
        enum route_reason why;
    } whys[] = {
        {PIN_MODE, ROUTE_SESSION_POOLING}, {PIN_PREPARED, ROUTE_PREPARED}, {PIN_SETTINGS | PIN_FIXED, ROUTE_SETTINGS},
        {PIN_UNNAMED, ROUTE_UNNAMED},      {PIN_TEMP, ROUTE_TEMP},         {PIN_LOCKS, ROUTE_LOCKS},
        {PIN_LISTEN, ROUTE_LISTEN},        {PIN_CURSOR, ROUTE_CURSOR},     {PIN_SQL_PREPARED, ROUTE_SQL_PREPARED},
        {PIN_STAYS, ROUTE_STAYS},          {PIN_LOOKING | PIN_DESCRIBING | PIN_LENT | PIN_HANDING, ROUTE_PROBE},
    };
    if (s->lessee.backend && s->lessee.backend->ledger.txn != TXN_NONE) return ROUTE_TRANSACTION;
    for (size_t i = 0; i < COUNT_OF(whys); i++)
        if (s->pins & whys[i].pins) return whys[i].why;
    return ROUTE_HELD;
}

/* Nothing of it is anywhere but in what every connection can be given. */
static bool is_free(struct session *s) {
    return (!s->lessee.backend && !s->pins) || stays(s, why_held(s));
}

/* Where it may be read. */
struct places {
    struct variant *at[1 + CONFIG_SUBSCRIBERS_MAX];
    uint64_t copy_ids[1 + CONFIG_SUBSCRIBERS_MAX]; /* 0: replicas */
    uint32_t count;
};

static void add_place(struct places *places, struct variant *v, uint64_t copy_id) {
    places->at[places->count] = v;
    places->copy_ids[places->count] = copy_id;
    places->count++;
}

/* As it is at a subscriber, where gilmok wants it so. */
static bool is_read_only_by_default(const struct session *s) {
    static const char name[] = "default_transaction_read_only";
    const struct session_pg *ps = (const struct session_pg *)s;
    const struct params_pg *reported = ps->wanted ? ps->wanted : s->variant->baseline;
    const char *value = reported ? params_pg_get(reported, name) : NULL;
    if (value) return strcmp(value, "on") == 0;
    return state_pg_get(&ps->left.state, name) || (ps->startup && state_pg_get(&ps->startup->rest, name));
}

static void find_copies(struct session *s, uint8_t copies, struct places *places) {
    if (copies && is_read_only_by_default(s)) return;
    for (uint32_t i = 0; copies && i < s->subscribers->count; i++) {
        struct variant *v = copies & 1u << i ? copy_variant(s, i) : NULL;
        bool is_it = v && pool_serves_reads(v->pool) && v->pool->copy_id == s->subscribers->all[i].copy_id;
        if (is_it) add_place(places, v, v->pool->copy_id);
    }
}

/* By chance and weight. */
static uint32_t draw_place(struct session *s, const struct places *places) {
    uint32_t weights[1 + CONFIG_SUBSCRIBERS_MAX], all = 0, at = 0;
    if (LIKELY(places->count == 1)) return 0;
    for (uint32_t i = 0; i < places->count; i++) {
        weights[i] = pool_reads_weight(places->at[i]->pool);
        all += weights[i];
    }
    uint32_t number = pool_draw(session_pool(s), all);
    while (at + 1 < places->count && number >= weights[at]) number -= weights[at++];
    return at;
}

static bool take_place(struct session *s, const struct places *places, uint32_t at) {
    s->target = places->at[at];
    s->lessee.copy_id = places->copy_ids[at];
    return true;
}

static RARELY bool finds_place(const struct walk *w) {
    struct session *s = w->s;
    struct places places;
    places.count = 0;
    if (has_replicas(s)) add_place(&places, s->reads, 0);
    if (UNLIKELY(w->copies) && !w->has_node) find_copies(s, copies_in_force(s, w->copies), &places);
    if (!places.count) return stays(s, ROUTE_NO_REPLICA);
    if (UNLIKELY(w->has_node) && !w->node) return stays(s, ROUTE_NODE);
    s->lessee.only = w->node;
    uint32_t first = draw_place(s, &places);
    for (uint32_t i = 0; i < places.count; i++) {
        uint32_t at = (first + i) % places.count;
        if (is_fresh_for(s, places.at[at]->pool, w->consistency, false)) return take_place(s, &places, at);
    }
    bool may_wait = session_pool(s)->limits.consistency_timeout_ms > 0;
    if (!may_wait || !is_fresh_for(s, places.at[0]->pool, w->consistency, true)) return stays(s, ROUTE_STALE);
    return take_place(s, &places, 0);
}

/* It would read: is there a replica for it, or a subscriber that has its tables? */
static bool has_fit_replica(const struct walk *w) {
    struct session *s = w->s;
    if (UNLIKELY(is_serializable(session_pg_of(s)))) return stays(s, ROUTE_NO_REPLICA);
    bool has_replicas_only = !w->copies && !w->has_node && has_replicas(s);
    if (LIKELY(has_replicas_only)) {
        s->lessee.only = 0;
        if (UNLIKELY(!is_fresh_for(s, s->reads->pool, w->consistency, false))) return finds_place(w);
        s->target = s->reads;
        s->lessee.copy_id = 0;
        return true;
    }
    return finds_place(w);
}

/* In a transaction that is held back, and no replica's. */
static bool is_begun_to_write(struct session *s) {
    return s->has_begun && !session_pg_begin_reads(session_pg_of(s));
}

bool session_pg_route_to_replica(struct session *s, const struct message *m) {
    const struct pool *p = session_pool(s);
    if (!p->limits.read_write_split || !is_free(s) || s->again.is_replayed) return false;
    if (is_begun_to_write(s)) return stays(s, ROUTE_TRANSACTION);
    struct walk w = {.s = s, .is_in_transaction = session_pg_begin_reads(session_pg_of(s))};
    size_t len = read_exchange(&w, m);
    if (!len || !has_fit_replica(&w)) return false;
    if (UNLIKELY(pool_draws_primary(session_pool(s), &s->lessee)) && !w.has_node) return stays(s, ROUTE_SHARE);
    session_keep_exchange(s, bytes_of(m->ptr, len)); /* wherever at a replica it runs, it can run again */
    return true;
}

/* One message in a transaction there, which cannot go anywhere else. When that has failed the server takes nothing but its end. */
static bool is_read_message(struct session *s, const struct message *m) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    struct walk w = {.s = s, .is_in_transaction = true};
    bool has_failed = s->lessee.backend->ledger.txn == TXN_FAILED, is_whole = m->avail == m->h.total;
    if (has_failed) return true;
    switch (m->h.type) {
    case PG_F_QUERY: return is_whole && only_reads(&w, body, NULL);
    case PG_F_PARSE: return is_whole && is_read_parse(&w, body);
    case PG_F_BIND: return is_read_bind(&w, body);
    case PG_F_FUNCTION_CALL: return false;
    default: return true; /* of what was parsed or bound */
    }
}

/* At a subscriber not everything is. */
static bool is_read_here(struct session *s, uint8_t copies) {
    const struct pool *p = s->lessee.backend->variant->pool;
    if (LIKELY(!p->copy_node)) return true;
    copies = copies_in_force(s, copies);
    for (uint32_t i = 0; copies && i < s->subscribers->count; i++)
        if (copies & 1u << i && s->copies[i] == s->lessee.backend->variant) return p->copy_id == s->subscribers->all[i].copy_id;
    return false;
}

enum route_follow session_pg_route_follow(struct session *s, const struct message *m) {
    const struct ledger *l = &s->lessee.backend->ledger;
    if (l->is_client_turn) return ROUTE_FOLLOWS;
    if (l->is_group_open && l->txn == TXN_NONE) return ROUTE_FOLLOWS; /* it was judged with what is before it */
    if (request_is_open(&s->request) && s->request.has_sent && !l->is_group_open) return ROUTE_WAITS;
    if (l->is_skipping) return ROUTE_FOLLOWS; /* the server does not read it */
    if (l->txn != TXN_NONE) return is_read_message(s, m) ? ROUTE_FOLLOWS : ROUTE_REFUSED;
    if (request_is_open(&s->request)) return ROUTE_FOLLOWS;
    struct walk w = {.s = s};
    size_t len = read_exchange(&w, m);
    const struct backend *b = s->lessee.backend;
    bool may_wait = session_pool(s)->limits.consistency_timeout_ms > 0;
    bool may_stay = len && is_read_here(s, w.copies) && (LIKELY(!w.has_node) || w.node == site_gauge_id(b->site));
    s->lessee.only = w.node;
    bool is_fresh = may_stay && is_fresh_for(s, b->variant->pool, w.consistency, may_wait) &&
                    site_fresh_us(b->site) >= s->lessee.needs_us && site_has_place(b->site, s->lessee.place);
    if (is_fresh) session_keep_exchange(s, bytes_of(m->ptr, len));
    return is_fresh ? ROUTE_FOLLOWS : ROUTE_WAITS;
}

enum step session_pg_route_refuse(struct session *s, const struct message *m) {
    struct err err = {0};
    err_set(&err, "25006", "this statement needs the primary, and its transaction was begun READ ONLY, at a replica");
    err_detail(&err, "It is not known to read, or not all of it had arrived when it began.");
    err_hint(&err, "EXPLAIN (ROUTE) tells why. Begin the transaction without READ ONLY, and all of it goes to the primary.");
    return session_pg_fail_here(s, m, &err);
}

static enum route_reason reason_now(struct session *s, struct bytes source, bool is_asked_inside) {
    struct walk w = {.s = s, .is_in_transaction = session_pg_begin_reads(session_pg_of(s))};
    bool is_held_by_asking = is_asked_inside && !s->pins && s->lessee.backend->ledger.txn == TXN_NONE;
    if (is_begun_to_write(s)) return ROUTE_TRANSACTION;
    bool is_read = (is_held_by_asking || is_free(s)) && only_reads(&w, source, NULL) && has_fit_replica(&w);
    return is_read ? ROUTE_READS : (enum route_reason)s->route;
}

/* The exchange that asks goes on as it was judged. */
enum route_reason session_pg_route_reason(struct session *s, struct bytes source, bool is_asked_inside) {
    struct lessee *l = &s->lessee;
    struct variant *target = s->target;
    uint64_t needs_us = l->needs_us, copy_id = l->copy_id, only = l->only;
    const struct site_place *place = l->place;
    uint8_t route = s->route;
    enum route_reason why = reason_now(s, source, is_asked_inside);
    s->target = target;
    s->route = route;
    l->needs_us = needs_us;
    l->copy_id = copy_id;
    l->place = place;
    l->only = only;
    return why;
}

/* ---- running again --------------------------------------------------------------------------------------------------- */

/*
 * What a replica says for reasons of its own: it takes the statement for a write, cancels it for its replay, ends, or does not have
 * yet what the statement names. An error that the primary would give, too, is given by it.
 */
static bool is_of_replica(struct bytes sqlstate) {
    static const char *const classes[] = {"25006", "40001", "40P01", "57P", "0A000", "55000", "42", "3D", "3F", "53", "58", "XX"};
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (bytes_starts_with(sqlstate, classes[i])) return true;
    return false;
}

/* It is no read after all, or reads what a standby does not have: the next time it would say so again. */
static bool is_for_good(struct bytes sqlstate) {
    return bytes_is(sqlstate, "25006") || bytes_is(sqlstate, "0A000") || bytes_is(sqlstate, "55000");
}

/* What it names is not there, or may not be read: likewise the next time. */
static bool is_of_copy(struct bytes sqlstate) {
    return bytes_starts_with(sqlstate, "42") || bytes_starts_with(sqlstate, "3F");
}

bool session_pg_route_takes_back(struct session *s, struct bytes error) {
    struct pg_error_fields f = {0};
    char label[192];
    bool is_read = pg_error_read(bytes_of(error.ptr + PG_HEADER_LEN, error.len - PG_HEADER_LEN), &f);
    if (!is_read || !is_of_replica(f.sqlstate)) return false;
    bool is_news = !bytes_starts_with(f.sqlstate, "42"); /* those are mostly the client's own */
    bool of_copy = s->lessee.backend->variant->pool->copy_node != NULL;
    session_pg_of(s)->is_refused_by_copy = of_copy;
    session_pg_of(s)->is_refused = is_for_good(f.sqlstate) || (of_copy && is_of_copy(f.sqlstate));
    log_line(is_news ? LOG_INFO : LOG_DEBUG, "session", session_label(s, label),
             "%s said %.*s to a read: it runs again on the primary",
             s->lessee.backend->site->name, (int)(f.message.len < 200 ? f.message.len : 200), (const char *)f.message.ptr);
    return true;
}

/* The names that the exchange has given mean nothing again: it will give them once more. */
static void forget_names(struct session_pg *ps, struct bytes rest) {
    struct pg_header h;
    while (pg_header_read(rest, &h) == PG_FRAME_OK && h.total <= rest.len) {
        const uint8_t *name = rest.ptr + PG_HEADER_LEN, *end = h.type == PG_F_PARSE ? memchr(name, 0, h.body_len) : NULL;
        if (end && end > name) session_pg_names_forget(&ps->prepared, bytes_of(name, (size_t)(end - name)));
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
    }
}

static void remember_bind(struct session *s, struct bytes body) {
    struct session_pg *ps = session_pg_of(s);
    struct bytes portal, name;
    if (pg_bind_names(body, &portal, &name) != PG_FRAME_OK) return;
    struct statement_pg *st = name.len ? session_pg_prepared_statement(ps, name) : NULL;
    if (st) session_pg_state_refuse(s, st->source, &st->reading);
    else if (!name.len) session_pg_state_refuse(s, session_pg_unnamed_latest(ps), NULL);
}

/* Nobody knows which text of it was meant: none goes to a replica again. */
static void remember_refusal(struct session *s, struct bytes rest) {
    struct pg_header h;
    while (pg_header_read(rest, &h) == PG_FRAME_OK && h.total <= rest.len) {
        struct bytes body = bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len);
        const uint8_t *name_end = h.type == PG_F_PARSE ? memchr(body.ptr, 0, body.len) : NULL;
        if (h.type == PG_F_QUERY) session_pg_state_refuse(s, body, NULL);
        if (name_end) session_pg_state_refuse(s, bytes_of(name_end + 1, (size_t)(body.ptr + body.len - name_end - 1)), NULL);
        if (h.type == PG_F_BIND) remember_bind(s, body);
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
    }
}

void session_pg_route_on_taken_back(struct session *s, struct backend *b, struct bytes exchange) {
    struct session_pg *ps = session_pg_of(s);
    if (b) {
        session_pg_prepared_on_group_end(s, b, 0);
        bool may_be_others = !ps->left.changes_seen || catalog_has_changed_since(session_pool(s)->set, ps->left.changes_seen);
        if (may_be_others) b->is_tainted = true; /* nobody has looked what is there */
    } else {
        session_pg_prepared_on_lost(s);
    }
    if (ps->is_refused) remember_refusal(s, exchange);
    ps->is_refused = ps->is_refused_by_copy = false;
    session_pg_unnamed_on_taken_back(ps);
    forget_names(ps, exchange);
    session_pg_state_on_group_sent(ps);
    session_pg_begin_on_taken_back(s);
    s->pins = 0; /* it had none when it came, and what it has there is gone */
    ps->left.effects = 0;
    ps->left.failed_looks = 0;
    ps->left.is_reset_here = ps->left.is_reset_named = false;
    ps->left.changes_seen = 0;
}
