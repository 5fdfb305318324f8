/*
 * Owns the simulated wires, their clock and the dice; knows nothing of what the
 * bytes mean.
 */
#include "tests/sim/net_sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

enum { EVENTS_A_TURN = 8 };
#define NEVER UINT64_MAX

struct segment {
    struct segment *next;
    uint64_t arrives_us;
    uint32_t at, len;
    uint8_t data[];
};

/* One direction. */
struct pipe {
    struct segment *first, *last;
    uint32_t queued, cap;
    uint64_t last_arrives_us;
    uint64_t ends_us; /* when the end of the data arrives; NEVER: not ended */
    uint64_t reset_after; /* bytes still to be sent before the connection is reset; NEVER: not planned */
};

struct sim_stream {
    struct stream s; /* first: struct loop_ops says so */
    struct conn *conn;
    int side; /* 0 connected, 1 was accepted */
    bool wants_read, wants_write;
};

struct conn {
    struct list node;
    struct net_sim *sim;
    struct sim_stream *end[2];
    struct pipe from[2]; /* from[i]: what side i has sent */
    struct addr to;
    struct sim_listener *pending; /* established, not accepted yet */
    bool away[2]; /* that end is between two loops */
    bool is_established;
    bool is_silent;
    bool takes_all[2];
    bool drops_data; /* a reset overtakes data */
    uint64_t ready_us;
    uint64_t reset_us; /* NEVER: none */
    uint32_t chunk_max;
};

struct sim_listener {
    struct list node;
    struct listener *li;
    struct addr at;
    enum net_sim_gate gate;
};

struct sim_timer {
    struct list node; /* linked while set */
    struct timer *t;
    uint64_t due_us;
};

/* ---- dice and time ---- */

uint64_t net_sim_random(struct net_sim *sim) {
    uint64_t z = sim->dice += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t net_sim_below(struct net_sim *sim, uint32_t n) {
    return n ? (uint32_t)(net_sim_random(sim) % n) : 0;
}

static uint64_t clock_now(void *ctx) {
    return ((struct net_sim *)ctx)->now_us;
}

static bool clock_bytes(void *ctx, void *out, size_t len) {
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)net_sim_random(ctx);
    return true;
}

static struct net_sim *sim_of(struct loop *l) {
    return l->impl;
}

static struct sim_stream *of_stream(struct stream *s) {
    return (struct sim_stream *)s;
}

static uint64_t arrival(struct net_sim *sim) {
    return sim->now_us + net_sim_below(sim, sim->options.latency_max_us + 1);
}

/* ---- pipes ---- */

static void pipe_init(struct net_sim *sim, struct pipe *p) {
    uint32_t span = sim->options.pipe_max - sim->options.pipe_min + 1;
    *p = (struct pipe){.cap = sim->options.pipe_min + net_sim_below(sim, span), .ends_us = NEVER, .reset_after = NEVER};
}

static void drop_segment(struct pipe *p) {
    struct segment *seg = p->first;
    p->first = seg->next;
    if (!p->first) p->last = NULL;
    free(seg);
}

static void pipe_clear(struct pipe *p) {
    while (p->first) drop_segment(p);
    p->queued = 0;
}

static void pipe_put(struct net_sim *sim, struct pipe *p, const struct iovec *iov, int iov_count, size_t len) {
    struct segment *seg = malloc(sizeof *seg + len);
    INVARIANT(seg);
    uint64_t arrives = arrival(sim);
    if (arrives < p->last_arrives_us) arrives = p->last_arrives_us;
    *seg = (struct segment){.arrives_us = arrives, .len = (uint32_t)len};
    size_t at = 0;
    for (int i = 0; i < iov_count && at < len; i++) {
        size_t n = iov[i].iov_len < len - at ? iov[i].iov_len : len - at;
        memcpy(seg->data + at, iov[i].iov_base, n);
        at += n;
    }
    p->last_arrives_us = arrives;
    p->queued += (uint32_t)len;
    if (p->last) p->last->next = seg;
    else p->first = seg;
    p->last = seg;
}

static size_t pipe_take(struct pipe *p, uint64_t now, uint8_t *into, size_t cap) {
    size_t done = 0;
    while (p->first && p->first->arrives_us <= now && done < cap) {
        struct segment *seg = p->first;
        size_t n = seg->len - seg->at < cap - done ? seg->len - seg->at : cap - done;
        memcpy(into + done, seg->data + seg->at, n);
        seg->at += (uint32_t)n;
        done += n;
        if (seg->at == seg->len) drop_segment(p);
    }
    p->queued -= (uint32_t)done;
    return done;
}

/* ---- connections ---- */

static void conn_free(struct conn *c) {
    list_remove(&c->node);
    pipe_clear(&c->from[0]);
    pipe_clear(&c->from[1]);
    free(c);
}

static void free_if_unused(struct conn *c) {
    if (!c->end[0] && !c->end[1] && !c->away[0] && !c->away[1] && !c->pending) conn_free(c);
}

static void conn_reset(struct conn *c) {
    if (c->reset_us != NEVER) return;
    c->reset_us = arrival(c->sim);
    c->drops_data = net_sim_one_in(c->sim, 2);
}

void net_sim_reset(struct stream *s) {
    if (of_stream(s)->conn) conn_reset(of_stream(s)->conn);
}

void net_sim_reset_after(struct stream *s, uint64_t bytes) {
    struct sim_stream *ss = of_stream(s);
    if (ss->conn) ss->conn->from[ss->side].reset_after = bytes;
}

void net_sim_silence(struct stream *s) {
    if (of_stream(s)->conn) of_stream(s)->conn->is_silent = true;
}

void net_sim_take_all(struct stream *s) {
    if (of_stream(s)->conn) of_stream(s)->conn->takes_all[of_stream(s)->side] = true;
}

static bool sim_connect(struct stream *s, const struct addr *to, const struct tcp_options *tcp, struct err *err) {
    static const uint32_t chunks[] = {1, 7, 50, 600, 5000, 60000, 60000, 60000};
    (void)tcp;
    struct net_sim *sim = sim_of(s->loop);
    struct conn *c = calloc(1, sizeof *c);
    if (!c) return err_set(err, ERR_CANNOT_CONNECT, "out of memory");
    c->sim = sim;
    c->to = *to;
    c->end[0] = of_stream(s);
    c->ready_us = arrival(sim);
    c->reset_us = NEVER;
    c->chunk_max = sim->options.chunk_max ? sim->options.chunk_max : chunks[net_sim_below(sim, COUNT_OF(chunks))];
    pipe_init(sim, &c->from[0]);
    pipe_init(sim, &c->from[1]);
    list_init(&c->node);
    list_push_back(&sim->conns, &c->node);
    of_stream(s)->conn = c;
    of_stream(s)->side = 0;
    return true;
}

static void sim_watch(struct stream *s, bool want_read, bool want_write) {
    of_stream(s)->wants_read = want_read;
    of_stream(s)->wants_write = want_write;
}

static bool is_reset(const struct conn *c) {
    return !c->is_silent && c->reset_us <= c->sim->now_us;
}

static ssize_t sim_recv(struct stream *s, void *into, size_t cap) {
    struct conn *c = of_stream(s)->conn;
    struct net_sim *sim = c->sim;
    int side = of_stream(s)->side;
    struct pipe *p = &c->from[1 - side];
    if (c->is_silent || net_sim_one_in(sim, 40)) return IO_AGAIN;
    bool has_data = p->first && p->first->arrives_us <= sim->now_us;
    if (is_reset(c) && (c->drops_data || !has_data)) {
        s->error = ECONNRESET;
        return IO_FAILED;
    }
    if (has_data) {
        if (cap > c->chunk_max && !c->takes_all[side]) cap = 1 + net_sim_below(sim, c->chunk_max);
        return (ssize_t)pipe_take(p, sim->now_us, into, cap);
    }
    return !p->first && p->ends_us <= sim->now_us ? 0 : IO_AGAIN;
}

static bool is_peer_gone(const struct conn *c, int side) {
    return c->is_established && !c->end[1 - side] && !c->away[1 - side] && !c->pending;
}

static ssize_t sim_send(struct stream *s, const struct iovec *iov, int iov_count) {
    struct sim_stream *ss = of_stream(s);
    struct conn *c = ss->conn;
    struct pipe *p = &c->from[ss->side];
    size_t total = 0;
    for (int i = 0; i < iov_count; i++) total += iov[i].iov_len;
    if (is_reset(c)) {
        s->error = EPIPE;
        return IO_FAILED;
    }
    if (is_peer_gone(c, ss->side) && !c->is_silent) {
        conn_reset(c);
        return (ssize_t)total;
    }
    if (p->queued >= p->cap) return IO_AGAIN;
    size_t n = total < p->cap - p->queued ? total : p->cap - p->queued;
    if (n > 1 && net_sim_one_in(c->sim, 8)) n = 1 + net_sim_below(c->sim, (uint32_t)n);
    if (n >= p->reset_after) {
        n = (size_t)p->reset_after;
        conn_reset(c);
    }
    if (n > 0) pipe_put(c->sim, p, iov, iov_count, n);
    if (p->reset_after != NEVER) p->reset_after -= n;
    return n > 0 ? (ssize_t)n : IO_AGAIN;
}

static void end_output(struct conn *c, int side) {
    struct pipe *p = &c->from[side];
    if (p->ends_us != NEVER) return;
    uint64_t at = arrival(c->sim);
    p->ends_us = at < p->last_arrives_us ? p->last_arrives_us : at;
}

static void sim_shutdown(struct stream *s) {
    end_output(of_stream(s)->conn, of_stream(s)->side);
}

static void sim_close(struct stream *s) {
    struct sim_stream *ss = of_stream(s);
    struct conn *c = ss->conn;
    ss->conn = NULL;
    ss->wants_read = ss->wants_write = false;
    if (!c) return;
    c->end[ss->side] = NULL;
    struct pipe *in = &c->from[1 - ss->side];
    if (in->first && in->first->arrives_us <= c->sim->now_us) conn_reset(c);
    else end_output(c, ss->side);
    pipe_clear(in);
    if (!c->is_established) c->pending = NULL;
    free_if_unused(c);
}

static union link sim_detach(struct stream *s) {
    struct sim_stream *ss = of_stream(s);
    union link link = {.ptr = ss->conn};
    ss->conn->away[ss->side] = true;
    ss->conn->end[ss->side] = NULL;
    ss->conn = NULL;
    ss->wants_read = ss->wants_write = false;
    return link;
}

static int side_away(const struct conn *c) {
    return c->away[0] ? 0 : 1;
}

static void sim_attach(struct stream *s, union link link) {
    struct sim_stream *ss = of_stream(s);
    ss->conn = link.ptr;
    ss->side = side_away(ss->conn);
    ss->conn->away[ss->side] = false;
    ss->conn->end[ss->side] = ss;
}

static void sim_discard(struct loop *l, union link link) {
    struct conn *c = link.ptr;
    (void)l;
    int side = side_away(c);
    c->away[side] = false;
    end_output(c, side);
    conn_reset(c);
    free_if_unused(c);
}

/* ---- listeners ---- */

static bool sim_listen(struct loop *l, struct listener *li, const struct addr *at, struct err *err) {
    struct sim_listener *sl = mem_alloc(sizeof *sl);
    if (!sl) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    *sl = (struct sim_listener){.li = li, .at = *at};
    list_init(&sl->node);
    list_push_back(&sim_of(l)->listeners, &sl->node);
    li->impl = sl;
    return true;
}

static void sim_unlisten(struct listener *li) {
    struct sim_listener *sl = li->impl;
    LIST_EACH(n, &sim_of(li->loop)->conns) {
        struct conn *c = CONTAINER_OF(n, struct conn, node);
        if (c->pending != sl) continue;
        c->pending = NULL;
        conn_reset(c);
        free_if_unused(c);
    }
    list_remove(&sl->node);
    mem_free(sl);
    li->impl = NULL;
}

void net_sim_set_gate(struct listener *li, enum net_sim_gate gate) {
    ((struct sim_listener *)li->impl)->gate = gate;
}

static bool listens_at(const struct sim_listener *sl, const struct addr *at) {
    return sl->at.len == at->len && memcmp(&sl->at.sa, &at->sa, at->len) == 0;
}

static struct sim_listener *find_listener(struct net_sim *sim, const struct addr *at) {
    LIST_EACH(n, &sim->listeners) {
        struct sim_listener *sl = CONTAINER_OF(n, struct sim_listener, node);
        if (listens_at(sl, at)) return sl;
    }
    return NULL;
}

/* Those that share a port take turns at random. */
static struct sim_listener *draw_listener(struct net_sim *sim, const struct addr *at) {
    struct sim_listener *drawn = NULL;
    uint32_t count = 0;
    LIST_EACH(n, &sim->listeners) {
        struct sim_listener *sl = CONTAINER_OF(n, struct sim_listener, node);
        if (listens_at(sl, at) && (count++ == 0 || net_sim_below(sim, count) == 0)) drawn = sl;
    }
    return drawn;
}

/* ---- timers ---- */

static bool sim_timer_init(struct timer *t) {
    struct sim_timer *st = mem_alloc(sizeof *st);
    if (!st) return false;
    st->t = t;
    list_init(&st->node);
    t->impl = st;
    return true;
}

static void sim_timer_set(struct timer *t, uint64_t after_ms) {
    struct sim_timer *st = t->impl;
    st->due_us = sim_of(t->loop)->now_us + after_ms * 1000;
    if (!list_is_linked(&st->node)) list_push_back(&sim_of(t->loop)->timers, &st->node);
}

static void sim_timer_stop(struct timer *t) {
    list_remove(&((struct sim_timer *)t->impl)->node);
}

static void sim_timer_release(struct timer *t) {
    sim_timer_stop(t);
    mem_free(t->impl);
    t->impl = NULL;
}

/* ---- what can happen ---- */

enum event_kind { EVENT_NONE, EVENT_MAIL, EVENT_CONNECT, EVENT_ACCEPT, EVENT_READ, EVENT_WRITE, EVENT_TIMER };

struct choice {
    struct net_sim *sim;
    uint32_t count;
    uint64_t next_us; /* the earliest thing that is not possible yet */
    enum event_kind kind;
    struct conn *conn;
    int side;
    struct sim_timer *timer;
};

/* Draws evenly among all that is possible now, without a list of it. */
static bool wins(struct choice *ch, uint64_t when_us) {
    if (when_us > ch->sim->now_us) {
        if (when_us < ch->next_us) ch->next_us = when_us;
        return false;
    }
    return net_sim_below(ch->sim, ++ch->count) == 0;
}

static void choose(struct choice *ch, uint64_t when_us, enum event_kind kind, struct conn *c, int side) {
    if (!wins(ch, when_us)) return;
    ch->kind = kind;
    ch->conn = c;
    ch->side = side;
}

static uint64_t readable_us(const struct conn *c, int side) {
    const struct pipe *p = &c->from[1 - side];
    if (c->is_silent) return NEVER;
    uint64_t at = p->first ? p->first->arrives_us : p->ends_us;
    return c->reset_us < at ? c->reset_us : at;
}

static uint64_t writable_us(const struct conn *c, int side) {
    const struct pipe *p = &c->from[side];
    bool has_room = p->queued < p->cap && p->reset_after > 0;
    if (has_room || (is_peer_gone(c, side) && !c->is_silent)) return 0;
    return c->is_silent ? NEVER : c->reset_us;
}

static void consider_conn(struct choice *ch, struct conn *c) {
    if (!c->is_established) {
        struct sim_listener *sl = find_listener(c->sim, &c->to);
        if (!sl || sl->gate != GATE_SILENT) choose(ch, c->ready_us, EVENT_CONNECT, c, 0);
        return;
    }
    if (c->pending) choose(ch, c->ready_us, EVENT_ACCEPT, c, 1);
    for (int side = 0; side < 2; side++) {
        struct sim_stream *ss = c->end[side];
        if (ss && ss->wants_read) choose(ch, readable_us(c, side), EVENT_READ, c, side);
        if (ss && ss->wants_write) choose(ch, writable_us(c, side), EVENT_WRITE, c, side);
    }
}

static void look_around(struct net_sim *sim, struct choice *ch) {
    *ch = (struct choice){.sim = sim, .next_us = NEVER};
    LIST_EACH(n, &sim->conns) consider_conn(ch, CONTAINER_OF(n, struct conn, node));
    choose(ch, sim->mail_us, EVENT_MAIL, NULL, 0);
    LIST_EACH(n, &sim->timers) {
        struct sim_timer *st = CONTAINER_OF(n, struct sim_timer, node);
        if (!wins(ch, st->due_us)) continue;
        ch->kind = EVENT_TIMER;
        ch->timer = st;
    }
}

/* ---- making it happen ---- */

static void finish_connect(struct conn *c) {
    struct sim_listener *sl = draw_listener(c->sim, &c->to);
    struct stream *s = &c->end[0]->s;
    if (!sl || sl->gate == GATE_REFUSES) {
        s->error = ECONNREFUSED;
        stream_on_broken(s, strerror(ECONNREFUSED));
        return;
    }
    c->is_established = true;
    c->pending = sl;
    stream_on_connected(s);
}

static void set_peer(struct net_sim *sim, struct addr *peer) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(++sim->next_port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(peer, 0, sizeof *peer);
    memcpy(&peer->sa, &in, sizeof in);
    peer->len = sizeof in;
}

static void accept_one(struct conn *c) {
    struct listener *li = c->pending->li;
    struct addr peer;
    c->pending = NULL;
    struct stream *s = fault_hit(FAULT_ACCEPT) ? NULL : stream_new(li->loop);
    if (!s) {
        conn_reset(c);
        free_if_unused(c);
        return;
    }
    of_stream(s)->conn = c;
    of_stream(s)->side = 1;
    c->end[1] = of_stream(s);
    set_peer(c->sim, &peer);
    li->on_accept(li, s, &peer);
}

static void fire_timer(struct sim_timer *st) {
    struct timer *t = st->t;
    list_remove(&st->node);
    t->is_set = false;
    t->on_fire(t);
}

static void happen(struct loop *l, struct choice *ch) {
    struct net_sim *sim = ch->sim;
    sim->events++;
    sim->now_us += net_sim_below(sim, 5);
    l->now_us = sim->now_us;
    switch (ch->kind) {
    case EVENT_CONNECT:
        finish_connect(ch->conn);
        break;
    case EVENT_ACCEPT:
        accept_one(ch->conn);
        break;
    case EVENT_READ:
        stream_on_readable(&ch->conn->end[ch->side]->s);
        break;
    case EVENT_WRITE:
        stream_on_writable(&ch->conn->end[ch->side]->s);
        break;
    case EVENT_TIMER:
        fire_timer(ch->timer);
        break;
    case EVENT_MAIL:
        sim->mail_us = NEVER;
        (void)loop_take_mail(l);
        break;
    case EVENT_NONE:
        break;
    }
    loop_settle(l);
}

static bool sim_turn(struct loop *l) {
    struct net_sim *sim = sim_of(l);
    struct choice ch;
    look_around(sim, &ch);
    if (ch.count == 0) {
        if (ch.next_us == NEVER) return false;
        sim->now_us = ch.next_us;
        look_around(sim, &ch);
    }
    uint32_t left = 1 + net_sim_below(sim, EVENTS_A_TURN);
    while (ch.count > 0 && left-- > 0 && !l->is_stopping) {
        happen(l, &ch);
        look_around(sim, &ch);
    }
    loop_bury(l);
    return true;
}

/* Mail comes in as an event among others, some time from now. */
static void sim_wake(struct loop *l) {
    struct net_sim *sim = sim_of(l);
    sim->mail_us = arrival(sim);
}

static void sim_stop(struct loop *l) {
    (void)l;
}

static void sim_release(struct loop *l) {
    struct net_sim *sim = sim_of(l);
    INVARIANT(list_is_empty(&sim->conns) && list_is_empty(&sim->listeners) && list_is_empty(&sim->timers));
}

static const struct loop_ops sim_ops = {
    .name = "simulation",
    .stream_size = sizeof(struct sim_stream),
    .turn = sim_turn,
    .stop = sim_stop,
    .release = sim_release,
    .recv = sim_recv,
    .send = sim_send,
    .watch = sim_watch,
    .connect = sim_connect,
    .shutdown = sim_shutdown,
    .close = sim_close,
    .detach = sim_detach,
    .attach = sim_attach,
    .discard = sim_discard,
    .listen = sim_listen,
    .unlisten = sim_unlisten,
    .timer_init = sim_timer_init,
    .timer_set = sim_timer_set,
    .timer_stop = sim_timer_stop,
    .timer_release = sim_timer_release,
    .wake = sim_wake,
};

void net_sim_init(struct net_sim *sim, struct loop *l, uint64_t seed, const struct net_sim_options *options) {
    *sim = (struct net_sim){.loop = l, .options = *options, .dice = seed * 0x2545f4914f6cdd1du + 1, .now_us = 1000000, .mail_us = NEVER,
                            .next_port = 20000};
    sim->clock = (struct clock_ops){.now_us = clock_now, .random = clock_bytes, .ctx = sim};
    list_init(&sim->conns);
    list_init(&sim->listeners);
    list_init(&sim->timers);
    loop_init(l, &sim_ops, sim, &sim->clock);
}

bool net_sim_run(struct net_sim *sim, bool (*is_done)(void *ctx), void *ctx, uint64_t limit_ms) {
    uint64_t limit_us = sim->now_us + limit_ms * 1000;
    while (!is_done(ctx)) {
        if (sim->now_us > limit_us || !sim->loop->ops->turn(sim->loop)) return is_done(ctx);
    }
    return true;
}

bool net_sim_settle(struct net_sim *sim, uint32_t turns_max) {
    struct choice ch;
    for (;;) {
        look_around(sim, &ch);
        if (ch.count == 0) return true;
        if (turns_max-- == 0 || !sim->loop->ops->turn(sim->loop)) return false;
    }
}

void net_sim_print(const struct net_sim *sim) {
    LIST_EACH(n, &sim->conns) {
        const struct conn *c = CONTAINER_OF(n, struct conn, node);
        printf("    connection%s%s%s:", c->is_silent ? ", silent" : "", c->reset_us != NEVER ? ", reset" : "",
               c->is_established ? "" : ", not established");
        for (int i = 0; i < 2; i++) {
            const struct sim_stream *ss = c->end[i];
            printf(" [%s%s%s, sent %llu, received %llu, %u of %u under way]", ss ? "open" : "gone",
                   ss && ss->wants_read ? ", reads" : "", ss && ss->wants_write ? ", writes" : "",
                   ss ? (unsigned long long)ss->s.sent : 0, ss ? (unsigned long long)ss->s.received : 0, c->from[i].queued,
                   c->from[i].cap);
        }
        printf("\n");
    }
}
