/*
 * Owns the connection, its channels and their seats. What a member does with what it hears, and when its mark is sent, is the
 * member's business.
 */
#include "proxy/pool/ear_pg.h"

#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_encode.h"

enum { ASK_MAX = 48 << 10 /* bytes of LISTENs in one send */ };

#define APP_NAME "gilmok listens"
/* Nobody speaks here for long, and a NOTIFY may wait for others; not every version has them all. */
#define NO_TIMEOUTS                                                                                  \
    "SELECT pg_catalog.set_config(s.name, '0', false) FROM pg_catalog.pg_show_all_settings() AS s " \
    "WHERE s.name OPERATOR(pg_catalog.=) ANY "                                                      \
    "(ARRAY['idle_session_timeout', 'statement_timeout', 'lock_timeout', 'transaction_timeout'])"

enum channel_state {
    CHANNEL_WANTED,   /* not asked for yet */
    CHANNEL_ASKED,    /* LISTEN is out */
    CHANNEL_HEARD,
    CHANNEL_UNWANTED, /* heard, and nobody has a seat any more */
    CHANNEL_LEAVING,  /* UNLISTEN is out */
};

struct channel {
    struct list node; /* in ear.to_ask or ear.asked, by state; in none when it is heard */
    struct ear_pg *ear;
    struct list seats;
    enum channel_state state;
    struct bytes name; /* behind the struct */
};

struct seat {
    struct list of_channel, of_member;
    struct channel *channel;
    struct ear_member *member;
    bool is_heard; /* no mark is awaited */
    bool is_new;
};

struct ear_pg {
    struct pool_ear base;
    struct lessee lessee;
    struct pool *pool;
    struct map channels; /* struct channel, owned */
    struct list to_ask, asked;
    struct list to_mark; /* members */
    struct list members;
    struct task ask;
    char marker[EAR_MARKER_MAX];
    char *encoding; /* owned */
    uint64_t last_mark;
    uint64_t empty_since_us; /* 0: it has members */
    bool is_asking;          /* a command is out */
};

static struct ear_pg *ear_of(struct lessee *l) {
    return CONTAINER_OF(l, struct ear_pg, lessee);
}

static struct channel *channel_at(struct list *n) {
    return CONTAINER_OF(n, struct channel, node);
}

static struct seat *seat_of_member(struct list *n) {
    return CONTAINER_OF(n, struct seat, of_member);
}

static struct ear_member *member_at(struct list *n) {
    return CONTAINER_OF(n, struct ear_member, node);
}

void ear_member_init(struct ear_member *m, const struct ear_member_ops *ops) {
    *m = (struct ear_member){.ops = ops};
    list_init(&m->node);
    list_init(&m->mark_node);
    list_init(&m->seats);
}

/* ---- channels -------------------------------------------------------------------------------------------------------- */

static void want_to_ask(struct ear_pg *e) {
    loop_defer(e->pool->set->loop, &e->ask);
}

static void free_channel(struct channel *c) {
    (void)map_take(&c->ear->channels, c->name);
    list_remove(&c->node);
    mem_free(c);
}

/* To be asked for, or to be given up. */
static void set_aside(struct channel *c, enum channel_state state) {
    c->state = state;
    list_push_back(&c->ear->to_ask, &c->node);
    want_to_ask(c->ear);
}

static struct channel *get_channel(struct ear_pg *e, struct bytes name, enum channel_state state) {
    struct channel *c = map_get(&e->channels, name);
    if (c) return c;
    c = mem_alloc(sizeof *c + name.len);
    if (!c) return NULL;
    memcpy(c + 1, name.ptr, name.len);
    c->name = bytes_of((uint8_t *)(c + 1), name.len);
    c->ear = e;
    list_init(&c->node);
    list_init(&c->seats);
    if (!map_put(&e->channels, c->name, c)) {
        mem_free(c);
        return NULL;
    }
    c->state = state;
    if (state == CHANNEL_WANTED) set_aside(c, state);
    return c;
}

static void give_up_seat(struct seat *s) {
    struct channel *c = s->channel;
    list_remove(&s->of_channel);
    list_remove(&s->of_member);
    mem_free(s);
    if (!list_is_empty(&c->seats)) return;
    if (c->state == CHANNEL_WANTED) free_channel(c);
    else if (c->state == CHANNEL_HEARD) set_aside(c, CHANNEL_UNWANTED);
}

static bool take_seat(struct ear_pg *e, struct ear_member *m, struct bytes name, bool is_heard) {
    struct channel *c = get_channel(e, name, is_heard ? CHANNEL_HEARD : CHANNEL_WANTED);
    struct seat *s = c ? mem_alloc(sizeof *s) : NULL;
    if (!s) {
        if (c && list_is_empty(&c->seats) && c->state == CHANNEL_WANTED) free_channel(c);
        return false;
    }
    if (c->state == CHANNEL_UNWANTED) {
        list_remove(&c->node);
        c->state = CHANNEL_HEARD;
    }
    s->channel = c;
    s->member = m;
    s->is_heard = is_heard;
    s->is_new = !is_heard;
    list_init(&s->of_channel);
    list_init(&s->of_member);
    list_push_back(&c->seats, &s->of_channel);
    list_push_back(&m->seats, &s->of_member);
    return true;
}

/* The next word of a list of names. */
static bool next_name(struct bytes *names, struct bytes *name) {
    const uint8_t *end = names->len ? memchr(names->ptr, 0, names->len) : NULL;
    if (!end) return false;
    *name = bytes_of(names->ptr, (size_t)(end - names->ptr));
    *names = bytes_of(end + 1, names->len - name->len - 1);
    return true;
}

static struct seat *find_seat(const struct ear_member *m, struct bytes channel) {
    const struct channel *c = m->ear ? map_get(&m->ear->channels, channel) : NULL;
    if (!c) return NULL;
    LIST_EACH(n, &m->seats) {
        if (seat_of_member(n)->channel == c) return seat_of_member(n);
    }
    return NULL;
}

/* ---- asking the server ----------------------------------------------------------------------------------------------- */

static bool has_all(const struct ear_member *m) {
    LIST_EACH(n, &m->seats) {
        if (seat_of_member(n)->channel->state != CHANNEL_HEARD) return false;
    }
    return true;
}

static void tell_ready(struct ear_pg *e) {
    LIST_EACH(n, &e->members) {
        struct ear_member *m = member_at(n);
        if (!m->is_waiting || !has_all(m)) continue;
        m->is_waiting = false;
        m->ops->on_ready(m);
    }
}

static void put_question(struct writer *w, struct channel *c) {
    bool is_wanted = c->state == CHANNEL_WANTED;
    writer_str(w, is_wanted ? "LISTEN " : "UNLISTEN ");
    pg_put_identifier(w, c->name);
    writer_u8(w, ';');
    list_remove(&c->node);
    c->state = is_wanted ? CHANNEL_ASKED : CHANNEL_LEAVING;
    list_push_back(&c->ear->asked, &c->node);
}

static void put_mark(struct writer *w, struct ear_member *m) {
    writer_fmt(w, "NOTIFY \"%s\", '%llu';", m->ear->marker, (unsigned long long)m->mark);
    list_remove(&m->mark_node);
}

/* One question at a time: when its answer is in, all that was asked is so. */
static void on_ask(struct task *t) {
    struct ear_pg *e = CONTAINER_OF(t, struct ear_pg, ask);
    struct writer sql;
    if (e->is_asking || !e->lessee.backend) return;
    if (list_is_empty(&e->to_ask) && list_is_empty(&e->to_mark)) {
        tell_ready(e);
        return;
    }
    writer_init(&sql, 2 * ASK_MAX);
    while (!list_is_empty(&e->to_ask) && sql.len < ASK_MAX) put_question(&sql, channel_at(list_first(&e->to_ask)));
    while (!list_is_empty(&e->to_mark) && sql.len < ASK_MAX)
        put_mark(&sql, CONTAINER_OF(list_first(&e->to_mark), struct ear_member, mark_node));
    e->is_asking = true;
    (void)backend_pg_run(e->lessee.backend, sql.failed ? bytes_of(NULL, 0) : writer_bytes(&sql));
    writer_release(&sql);
}

static void answer(struct channel *c) {
    bool has_seats = !list_is_empty(&c->seats);
    list_remove(&c->node);
    if (c->state == CHANNEL_ASKED) {
        c->state = CHANNEL_HEARD;
        if (!has_seats) set_aside(c, CHANNEL_UNWANTED);
    } else if (has_seats) {
        set_aside(c, CHANNEL_WANTED);
    } else {
        free_channel(c);
    }
}

static void on_settled(struct lessee *l) {
    struct ear_pg *e = ear_of(l);
    e->is_asking = false;
    while (!list_is_empty(&e->asked)) answer(channel_at(list_first(&e->asked)));
    want_to_ask(e);
}

/* ---- hearing --------------------------------------------------------------------------------------------------------- */

static void take_mark(struct ear_pg *e, struct bytes payload) {
    uint64_t mark = 0;
    for (size_t i = 0; i < payload.len && i < 19; i++) mark = mark * 10 + (uint64_t)(payload.ptr[i] - '0');
    LIST_EACH(n, &e->members) {
        struct ear_member *m = member_at(n);
        if (!mark || m->mark != mark) continue;
        m->mark = 0;
        LIST_EACH(k, &m->seats) seat_of_member(k)->is_heard = true;
        m->ops->on_marked(m);
        return;
    }
}

static bool on_notification(struct lessee *l, struct buf *buf, struct bytes message) {
    struct ear_pg *e = ear_of(l);
    struct pg_notification note;
    if (!pg_notification_read(bytes_of(message.ptr + PG_HEADER_LEN, message.len - PG_HEADER_LEN), &note)) {
        struct err err;
        err_set(&err, ERR_CONNECTION_FAILURE, "server %s broke the protocol: malformed notification",
                e->lessee.backend->site->name);
        backend_fail(l->backend, &err);
        return false;
    }
    if (bytes_is(note.channel, e->marker)) {
        take_mark(e, note.payload);
        return false;
    }
    struct channel *c = map_get(&e->channels, note.channel);
    if (!c) return false;
    LIST_EACH(n, &c->seats) {
        struct seat *s = CONTAINER_OF(n, struct seat, of_channel);
        if (s->is_heard) s->member->ops->on_heard(s->member, buf, message);
    }
    return false;
}

/* ---- beginning and end ----------------------------------------------------------------------------------------------- */

static void leave(struct ear_member *m) {
    while (!list_is_empty(&m->seats)) give_up_seat(seat_of_member(list_first(&m->seats)));
    list_remove(&m->node);
    list_remove(&m->mark_node);
    m->ear = NULL;
    m->mark = 0;
    m->is_waiting = false;
}

void ear_pg_leave(struct ear_member *m) {
    struct ear_pg *e = m->ear;
    if (!e) return;
    leave(m);
    if (list_is_empty(&e->members)) e->empty_since_us = e->pool->set->loop->now_us;
}

static void free_ear(struct ear_pg *e) {
    size_t at = 0;
    void *c;
    struct bytes name;
    while (map_next(&e->channels, &at, &name, &c)) mem_free(c);
    map_release(&e->channels);
    task_cancel(&e->ask);
    if (e->pool->ear == &e->base) e->pool->ear = NULL;
    mem_free(e->encoding);
    mem_free(e);
}

static void on_lost(struct lessee *l, const struct err *why) {
    struct ear_pg *e = ear_of(l);
    struct err err;
    struct list *n;
    err_set(&err, why ? why->sqlstate : ERR_ADMIN_SHUTDOWN,
            "the server connection through which this client listens is lost: %.150s", why ? why->message : "the server closed it");
    err_hint(&err, "What was notified since is not known. Connect again, and LISTEN again.");
    e->pool->ear = NULL; /* whoever listens next begins anew */
    while ((n = list_first(&e->members))) {
        struct ear_member *m = member_at(n);
        leave(m);
        m->ops->on_lost(m, &err);
    }
    free_ear(e);
}

static void lose(struct pool_ear *base, const struct err *err) {
    struct ear_pg *e = (struct ear_pg *)base;
    backend_fail(e->lessee.backend, err);
}

/* Nobody listens any more: the connection goes back to the pool, which resets it. */
static void on_tick(struct pool_ear *base) {
    struct ear_pg *e = (struct ear_pg *)base;
    struct pool *p = e->pool;
    if (!list_is_empty(&e->members) || e->is_asking) return;
    bool is_in_the_way = p->vacant_until_us > p->set->loop->now_us; /* of who drops the database, say */
    bool is_wanted_back = p->is_paused || is_in_the_way || pool_has_waiters(e->lessee.backend->variant);
    if (!is_wanted_back && p->set->loop->now_us - e->empty_since_us < EAR_LINGER_MS * UINT64_C(1000)) return;
    e->lessee.backend->is_tainted = true;
    pool_release(&e->lessee);
    free_ear(e);
}

static void ignore(struct lessee *l) {
    (void)l;
}

static void ignore_reply(struct lessee *l, struct buf *buf, struct bytes data) {
    (void)l;
    (void)buf;
    (void)data;
}

/* The server's goodbye, perhaps: on_lost tells. */
static bool on_error(struct lessee *l, uint8_t kind, uint16_t tag, struct bytes message) {
    (void)l;
    (void)kind;
    (void)tag;
    (void)message;
    return false;
}

static const struct lessee_ops lessee_ops = {
    .on_reply = ignore_reply, /* notices */
    .on_error = on_error,
    .on_hidden = ignore,
    .on_statements_dropped = ignore,
    .on_settled = on_settled,
    .on_notification = on_notification,
    .on_room = ignore,
    .on_lost = on_lost,
};

static bool set_names(struct ear_pg *e, const struct backend *b) {
    uint64_t number[2];
    struct loop *loop = e->pool->set->loop;
    const char *encoding = params_pg_get(&backend_pg_of((struct backend *)b)->params, "client_encoding");
    if (!encoding || !clock_random(loop->clock, number, sizeof number)) return false;
    snprintf(e->marker, sizeof e->marker, "gilmok_%016llx%016llx", (unsigned long long)number[0], (unsigned long long)number[1]);
    e->encoding = mem_strdup(encoding, strlen(encoding));
    return e->encoding != NULL;
}

/* Of what its client has set, nothing shall end it or slow it down. */
static void set_up(struct ear_pg *e) {
    struct backend *b = e->lessee.backend;
    const struct state_pg nothing = {0};
    char sql[sizeof NO_TIMEOUTS + sizeof e->marker + 32];
    b->is_tainted = b->reads_notifications = true;
    e->is_asking = true;
    if (!state_pg_equal(&backend_pg_of(b)->state, &nothing) && !backend_pg_change_state(b, &nothing)) return;
    backend_pg_set_app_name(b, APP_NAME);
    if (b->state == BACKEND_CLOSED) return;
    snprintf(sql, sizeof sql, "LISTEN \"%s\"; %s", e->marker, NO_TIMEOUTS);
    (void)backend_pg_run(b, bytes_str(sql));
}

bool ear_pg_found(struct lessee *from, struct ear_member *m, struct bytes names) {
    struct pool *p = from->backend->variant->pool;
    struct ear_pg *e = mem_alloc(sizeof *e);
    struct bytes name;
    INVARIANT(!p->ear && !m->ear);
    if (!e) return false;
    *e = (struct ear_pg){.base = {.on_tick = on_tick, .lose = lose}, .pool = p, .lessee = {.ops = &lessee_ops}};
    map_init(&e->channels);
    list_init(&e->to_ask);
    list_init(&e->asked);
    list_init(&e->to_mark);
    list_init(&e->members);
    list_init(&e->lessee.wait_node);
    task_init(&e->ask, on_ask);
    bool ok = set_names(e, from->backend);
    while (ok && next_name(&names, &name)) ok = take_seat(e, m, name, true);
    if (!ok) {
        while (!list_is_empty(&m->seats)) give_up_seat(seat_of_member(list_first(&m->seats)));
        free_ear(e);
        return false;
    }
    m->ear = e;
    list_push_back(&e->members, &m->node);
    p->ear = &e->base;
    pool_hand_over(from, &e->lessee);
    log_line(LOG_INFO, "pool", e->lessee.backend->site->name, "s%llu listens for all clients of %s/%s",
             (unsigned long long)e->lessee.backend->id,
             p->database, p->user);
    set_up(e);
    return true;
}

bool ear_pg_join(struct ear_pg *e, struct ear_member *m, struct bytes names) {
    struct bytes name;
    INVARIANT(!m->ear || m->ear == e);
    if (!m->ear) {
        m->ear = e;
        list_push_back(&e->members, &m->node);
        e->empty_since_us = 0;
    }
    while (next_name(&names, &name))
        if (!find_seat(m, name) && !take_seat(e, m, name, false)) return false;
    m->is_waiting = true;
    want_to_ask(e);
    return true;
}

void ear_pg_keep(struct ear_member *m, struct bytes names) {
    LIST_EACH(n, &m->seats) {
        struct bytes rest = names, name;
        bool is_kept = false;
        while (!is_kept && next_name(&rest, &name)) is_kept = bytes_equal(name, seat_of_member(n)->channel->name);
        if (!is_kept) give_up_seat(seat_of_member(n));
    }
}

/* ---- questions ------------------------------------------------------------------------------------------------------- */

struct ear_pg *ear_pg_of(const struct pool *p) {
    return (struct ear_pg *)p->ear;
}

uint64_t ear_pg_send_mark(struct ear_member *m) {
    INVARIANT(!m->mark);
    list_push_back(&m->ear->to_mark, &m->mark_node);
    want_to_ask(m->ear);
    return m->mark = ++m->ear->last_mark;
}

const char *ear_pg_marker(const struct ear_pg *e) {
    return e->marker;
}

const char *ear_pg_encoding(const struct ear_pg *e) {
    return e->encoding;
}

enum ear_seat ear_pg_seat(const struct ear_member *m, struct bytes channel) {
    const struct seat *s = find_seat(m, channel);
    if (!s) return EAR_NO_SEAT;
    return s->is_new ? EAR_SEAT_NEW : EAR_SEAT_OLD;
}

void ear_pg_settle(struct ear_member *m) {
    LIST_EACH(n, &m->seats) seat_of_member(n)->is_new = false;
}

void ear_pg_put_names(const struct ear_member *m, struct writer *w) {
    LIST_EACH(n, &m->seats) writer_cstr(w, seat_of_member(n)->channel->name);
}
