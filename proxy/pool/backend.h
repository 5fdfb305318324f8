/*
 * backend.h - one server connection: its state, its ledger, and who leases it.
 *
 * Protocol-neutral. What the bytes mean is in `proto` (backend_pg.c); which
 * connection serves whom is in pool.c. Upwards a backend knows only its lessee:
 * an interface that a session implements.
 *
 *      CONNECTING -> LOGIN -> IDLE -> LEASED -> IDLE, or first CLEANING -> IDLE
 *                             IDLE -> CHECKING -> IDLE
 *                             CLOSED from every state
 *
 * A connection goes back to IDLE only when its ledger is quiet and outside a
 * transaction; whatever cannot be proved clean is closed, never reused.
 */
#ifndef GILMOK_PROXY_POOL_BACKEND_H
#define GILMOK_PROXY_POOL_BACKEND_H

#include "proxy/config.h"
#include "proxy/net/stream.h"
#include "proxy/pool/budget.h"
#include "proxy/pool/ledger.h"

struct backend;
struct site_place;
struct lessee;
struct variant;

enum backend_state {
    BACKEND_CONNECTING, /* TCP handshake */
    BACKEND_LOGIN,      /* startup and authentication */
    BACKEND_IDLE,
    BACKEND_CHECKING, /* a probe is out, or an errand of gilmok's own */
    BACKEND_LEASED,
    BACKEND_CLEANING, /* a reset is out */
    BACKEND_CLOSED,
};
const char *backend_state_name(enum backend_state state);

/* What a lessee hears. All calls come from the loop; after on_lost the lease is over. */
struct lessee_ops {
    void (*on_leased)(struct lessee *l, struct backend *b);            /* the wait is over */
    void (*on_refused)(struct lessee *l, const struct err *err);       /* the wait ended without a connection */
    void (*on_reply)(struct lessee *l, struct buf *buf, struct bytes data); /* bytes for the client, in order */
    /* A group end was forwarded (counted), and when `is_quiet` the connection could be released. `tag` is its entry's. */
    void (*on_group_end)(struct lessee *l, uint16_t tag, bool is_quiet);
    /* The reply to an entry of this kind (the protocol's) that carries a tag is complete and no error. */
    void (*on_tagged)(struct lessee *l, uint8_t kind, uint16_t tag);
    void (*on_failed)(struct lessee *l, uint8_t kind, uint16_t tag);   /* the same for one that ended with an error: a Parse */
    /*
     * An ErrorResponse that is to be passed on, whole, as an answer to an entry with this tag; a NoticeResponse, too, when it has
     * one. True: the lessee has told its client in words of its own, and it is not passed on.
     */
    bool (*on_error)(struct lessee *l, uint8_t kind, uint16_t tag, struct bytes message);
    /*
     * An ErrorResponse is the answer, whole, while backend.holds_replies: the lessee has seen nothing yet. True: it takes the
     * exchange back: it sees nothing of what comes, and on_settled when that has ended. May be NULL where nobody holds replies.
     */
    bool (*on_held_error)(struct lessee *l, struct bytes message);
    void (*on_hold_ended)(struct lessee *l); /* replies are shown from now on; likewise */
    void (*on_hidden)(struct lessee *l);                               /* replies came in of which it saw nothing */
    void (*on_statements_dropped)(struct lessee *l);                   /* its own command dropped all prepared statements */
    /* What a look at the session has found (backend_proto's own), as the protocol brings it; `ok`: it went well. */
    void (*on_looked)(struct lessee *l, struct bytes answer, bool ok);
    void (*on_settled)(struct lessee *l);                              /* the connection became quiet by a reply of gilmok's own */
    /* One notification, whole, as a message inside `buf`, where backend.reads_notifications is set. True: pass it on. */
    bool (*on_notification)(struct lessee *l, struct buf *buf, struct bytes message);
    void (*on_room)(struct lessee *l);                                 /* the server's input queue has drained */
    /* The connection is gone. NULL: the client must not be told: the server said goodbye itself, or a message was cut. */
    void (*on_lost)(struct lessee *l, const struct err *err);
    /* It waits, and share number `index` of its pool's group would serve it sooner (balance.h). May be NULL. */
    void (*on_better_share)(struct lessee *l, uint32_t index);
};

struct lessee {
    const struct lessee_ops *ops;
    struct list wait_node;      /* in variant.waiting */
    struct variant *variant;    /* where it waits */
    struct backend *backend;    /* its lease, or NULL */
    uint64_t id;                /* unique among sessions; for who-prepared-what */
    uint64_t last_backend_id;   /* that it was leased last, 0 = none */
    uint64_t waiting_since_us;
    uint64_t needs_us;          /* of a pool for reads: only a site that is fresh as of then will do; 0: any */
    const struct site_place *place; /* ... and has this; NULL, or borrowed as long as needs_us, which is not 0, holds */
    uint64_t copy_id;           /* of a pool that goes to a subscriber: which one it is for, as of when that was decided */
    uint64_t home;              /* where reads are sticky: site_gauge_id() of who was the last to serve it; 0: none was */
    uint64_t only;              /* of a pool for reads: no other node than that of this one will do; 0: any */
    uint64_t at;                /* site_gauge_id() of its latest lease, where there are several nodes; else 0 */
    uint64_t shuns;             /* of a pool for reads: that of a node that has just failed it and will not do; 0: none */
    uint8_t next_seq;           /* MySQL's: number of the packet that it is shown next */
    bool insists;               /* on `only`: there is no other way for it, and it waits in line for as long as anybody */
    uint64_t seen_us;           /* where reads are sticky: its latest answer was in by then; 0: it has had none */
    uint64_t waited_elsewhere_since_us; /* 0, or when it began to wait on another worker: its place in line here */
};

struct backend_proto {
    const char *name;
    enum proto_kind protocol;
    size_t size;                            /* of the object that begins with struct backend */
    void (*on_connected)(struct backend *b); /* PostgreSQL speaks first; MySQL would wait for the greeting */
    void (*on_secured)(struct backend *b);   /* the TLS that it asked for stands; may be NULL */
    size_t (*on_received)(struct backend *b, struct buf *buf, struct bytes data);
    /* Each sends a command whose reply is swallowed; when it is back, backend_on_own_done() is called. */
    void (*send_check)(struct backend *b);
    void (*send_clean)(struct backend *b);
    /* A connection that is free may be used to learn about its database: true when it is, and CHECKING. May be NULL. */
    bool (*try_learn)(struct backend *b);
    void (*send_goodbye)(struct backend *b);
    /* Asks the server, on another connection, to stop what it does for us: `b` is about to be closed. May be NULL. */
    void (*send_abort)(struct backend *b);
    void (*release)(struct backend *b); /* frees what the protocol part owns */
};

struct backend {
    struct list node; /* in one of the variant's lists, by state */
    const struct backend_proto *proto;
    struct variant *variant;
    struct site *site; /* where it goes; one reference */
    struct stream *stream;
    enum backend_state state;
    struct lessee *lessee; /* only while LEASED */
    struct ledger ledger;

    struct budget_list budgets; /* that it counts in */
    uint64_t id;
    uint32_t server_id; /* by which the server knows it: PostgreSQL's process id, MySQL's thread id; 0: it has not said */
    uint64_t opened_us;
    uint64_t changing_since_us; /* ... and counts as under way since then; 0: it does not */
    uint64_t state_since_us;
    bool is_tainted;       /* session state may be left behind: clean before the next lessee */
    bool is_checked;       /* a check has just come back */
    bool is_learning;      /* CHECKING: it reads the catalog, which may take longer than an answer to a check */
    bool is_retired;       /* close instead of going back to IDLE */
    bool changes_catalog;  /* what the lessee runs changes code of the database (catalog_change.h) ... */
    bool holds_replies; /* the lessee sees them from the first that brings a result; ends then, or with the lease */
    bool reads_notifications; /* the lessee wants to see each; ends with the lease */
    bool exports;      /* names of snapshots that the lessee exports may be among its rows (exported.h); ends with the lease */
    bool has_exported; /* ... and were, in the transaction that is open */
    uint32_t cancels_open; /* cancel requests for it under way: not reusable, not freed */
    uint32_t cancels_unsent, cancels_sent; /* of these, clients': on their way to the server, and at it */
    bool is_client_told;   /* the server's own last words were passed on */
    bool is_reply_cut;     /* part of a message was passed on; the rest is still to come */
    uint64_t unnamed_owner;   /* lessee id whose unnamed statement it holds, as far as is answered; 0: it is not known */
    uint64_t unnamed_version; /* which of the lessee's: it may have another one by now, parsed elsewhere */
    uint64_t queries;
    uint64_t leases; /* that it has had, the present one included */
};

/* A fresh connection of `variant` begins to connect. NULL: err says why. Result comes through pool.c. */
struct backend *backend_open(struct variant *v, struct site *site, struct err *err);
void backend_set_state(struct backend *b, enum backend_state state);

/* Closes; a lessee is told `err`, the pool is told as well. Safe in any state, and within handlers. */
void backend_fail(struct backend *b, const struct err *err);
/* The same, when the server refused our startup parameters. */
void backend_fail_parameters(struct backend *b, const struct err *err);
/* The same for a connection whose work is to stop on the server as well. */
void backend_abort(struct backend *b, const struct err *err);
/* Closes an idle or unneeded connection politely. */
void backend_retire(struct backend *b);
/* Frees a closed one; pool.c, from a task. */
void backend_free(struct backend *b);

/* For protocols. */
void backend_on_ready(struct backend *b);    /* login is complete */
void backend_on_own_done(struct backend *b, bool is_ok); /* reply of a check or clean */

#endif
