/*
 * ear_pg.h - the server connection on which gilmok listens for all clients of a pool (`listen = shared`).
 *
 * It begins as the connection of the client that was the first to listen, is leased for as long as anybody listens through it,
 * and a while longer. Whoever listens through it is a *member*; a member has a *seat* on each of its channels. The connection
 * listens to a channel while there is a seat on it.
 *
 *      ear --- channels (by name) --- seats --- members
 *
 * THE MARK. A member's channels come over from a connection of its own, where it listens already. Both connections are told the
 * notifications of all sessions in one order, that of the server's queue, so one notification of gilmok's own cuts it for both:
 * what stands before the mark is the member's from its old connection, what stands behind it from here. Hence a seat is
 * silent until the mark has come by here. The mark is notified by this connection, on a channel with a name of its own,
 * ear_pg_marker(), to which it always listens and the member's by now; its payload is a number.
 *
 * When the connection is lost all members are told, and are members no more: what was notified since is unknown.
 */
#ifndef GILMOK_PROXY_POOL_EAR_PG_H
#define GILMOK_PROXY_POOL_EAR_PG_H

#include "proxy/pool/pool.h"

enum { EAR_LINGER_MS = 5000 /* without members, before the connection goes back to the pool */ };

struct ear_pg;
struct ear_member;

/* All calls come from the loop; a member may leave inside of each. */
struct ear_member_ops {
    void (*on_ready)(struct ear_member *m);  /* the server listens to all its channels: the mark may be sent */
    void (*on_marked)(struct ear_member *m); /* its mark has come by: from now on all its seats are heard */
    void (*on_heard)(struct ear_member *m, struct buf *buf, struct bytes message); /* a NotificationResponse inside `buf` */
    void (*on_lost)(struct ear_member *m, const struct err *err); /* it has left */
};

struct ear_member {
    const struct ear_member_ops *ops;
    struct ear_pg *ear; /* NULL: of none */
    struct list node;   /* in its members */
    struct list seats;
    struct list mark_node; /* in those whose mark is not sent yet */
    uint64_t mark;      /* that it waits for; 0: none */
    bool is_waiting;    /* for on_ready */
};

void ear_member_init(struct ear_member *m, const struct ear_member_ops *ops);

/* The pool's; NULL: there is none. */
struct ear_pg *ear_pg_of(const struct pool *p);
/*
 * Takes the lease over: there is no ear yet. The connection listens to `names` (words with a NUL behind each); `m` hears them
 * from now on, unless the connection fails at once. False: no memory.
 */
MUST_USE bool ear_pg_found(struct lessee *from, struct ear_member *m, struct bytes names);
/* Seats on those of `names` where it has none, silent until its mark; on_ready follows, from a task. False: no memory. */
MUST_USE bool ear_pg_join(struct ear_pg *e, struct ear_member *m, struct bytes names);
/* Its seats on other channels than `names` are given up. */
void ear_pg_keep(struct ear_member *m, struct bytes names);
void ear_pg_leave(struct ear_member *m);

/* Soon, its mark is notified. Its number, never 0. */
uint64_t ear_pg_send_mark(struct ear_member *m);
enum { EAR_MARKER_MAX = 48 }; /* with its NUL */
const char *ear_pg_marker(const struct ear_pg *e);
/* In which the server tells it names and payloads. */
const char *ear_pg_encoding(const struct ear_pg *e);

enum ear_seat { EAR_NO_SEAT, EAR_SEAT_NEW /* since the last ear_pg_settle() */, EAR_SEAT_OLD };
enum ear_seat ear_pg_seat(const struct ear_member *m, struct bytes channel);
/* All its channels have come over: none of its seats is new any more. */
void ear_pg_settle(struct ear_member *m);
/* The names of the channels that it has seats on, with a NUL behind each. */
void ear_pg_put_names(const struct ear_member *m, struct writer *w);

#endif
