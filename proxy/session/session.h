/*
 * session.h - one client, without its language.
 *
 * A session owns its stream, its request (request.h) and at most one lease. What
 * the bytes mean is in `proto` (session_pg.c; the unit tests bring a toy protocol of
 * their own). Sessions live in a session_env: all that a worker lends them.
 *
 *      LOGIN -> LOGIN_WAITING -> IDLE -> WAITING -> ACTIVE -> IDLE
 *                                          ACTIVE -> HELD -> ACTIVE     (transaction or pin)
 *      CLOSED from every state
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_H
#define GILMOK_PROXY_SESSION_SESSION_H

#include "base/arena.h"
#include "proxy/config.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/pool/exported.h"
#include "proxy/pool/my_key_book.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/vacate.h"
#include "proxy/session/effect_cache.h"
#include "proxy/session/request.h"
#include "proxy/topology/topology.h"

enum {
    SESSION_ARENA_MAX = 8 << 20,                /* a text that needs more to be read is not analysable */
    SESSION_WHOLE_MAX = (16 << 20) + 4,         /* bytes of a message that is put together to be read as a whole, ... */
    SESSION_WHOLE_ALL_MAX = 4 * SESSION_WHOLE_MAX, /* ... and of those of all clients at a time */
};

enum session_state {
    SESSION_LOGIN,         /* awaits the client's next login message */
    SESSION_LOGIN_WAITING, /* awaits a server connection to learn what to greet with */
    SESSION_IDLE,          /* awaits a request; holds no server connection */
    SESSION_WAITING,       /* awaits a server connection */
    SESSION_ACTIVE,        /* a request is on a server connection */
    SESSION_HELD,          /* awaits a request; keeps its server connection */
    SESSION_CLOSED,
};
const char *session_state_name(enum session_state state);

/* Why a session keeps its server connection although nothing is owed. */
enum session_pin {
    PIN_MODE = 1,     /* session pooling */
    PIN_PREPARED = 2, /* it has a prepared statement there that no other connection can be given */
    PIN_SETTINGS = 8, /* it has set something that cannot be set again elsewhere */
    PIN_UNNAMED = 4,  /* its unnamed statement is known there alone, and not used yet */
    PIN_LOOKING = 1 << 4,  /* what it has left there is not known yet; soon */
    PIN_TEMP = 1 << 5,     /* it has temporary objects */
    PIN_LOCKS = 1 << 6,    /* advisory locks */
    PIN_LISTEN = 1 << 7,
    PIN_CURSOR = 1 << 8,   /* WITH HOLD */
    PIN_SQL_PREPARED = 1 << 9, /* statements prepared by SQL that gilmok has not read: by functions */
    PIN_FIXED = 1 << 10,   /* settings that cannot be said again */
    PIN_DESCRIBING = 1 << 12, /* statements prepared by SQL that are not known well enough to be made elsewhere; soon */
    PIN_STAYS = 1 << 11,   /* something that nothing finds and nothing undoes: LOAD, setseed */
    PIN_LENT = 1 << 14,    /* its names of prepared statements may be there, for its functions to find; soon not any more */
    /* MySQL alone */
    PIN_USER_VARIABLES = 1 << 16, /* user variables with values that were computed */
    PIN_HANDLER = 1 << 17,
    PIN_XA = 1 << 18,
    PIN_ROUTINE = 1 << 19, /* it has run code that nobody has read */
    PIN_UNREAD = 1 << 20,  /* it has run a text that cannot be read */
    PIN_HIDDEN = 1 << 21,  /* something in its session has changed that its texts do not tell: by triggers, views */
    PIN_NEXT = 1 << 22,    /* it has said something about its next transaction or statement */
    PIN_ASKED = 1 << 23,   /* what it says next may ask about the last answer: its warnings, the number that was generated */
    PIN_HANDING = 1 << 13, /* the channels that it listens to go over to another connection; soon. Nothing is read meanwhile */
};

struct session;

struct session_proto {
    const char *name;
    size_t size;                              /* of the object that begins with struct session */
    void (*on_open)(struct session *s);       /* MySQL greets first; PostgreSQL waits */
    size_t (*on_received)(struct session *s, struct buf *buf, struct bytes data);
    void (*on_login_leased)(struct session *s, struct backend *b); /* LOGIN_WAITING is over */
    void (*prepare)(struct session *s, struct backend *b); /* bring connection and client in line, before anything is sent */
    void (*on_group_end)(struct session *s, struct backend *b, uint16_t tag); /* a reply group went to the client */
    void (*on_tagged)(struct session *s, struct backend *b, uint8_t kind, uint16_t tag); /* as in struct lessee_ops; may be NULL */
    void (*on_failed)(struct session *s, struct backend *b, uint8_t kind, uint16_t tag); /* likewise; may be NULL */
    /* As in struct lessee_ops; may be NULL. */
    bool (*on_error)(struct session *s, struct backend *b, uint8_t kind, uint16_t tag, struct bytes message);
    void (*settle)(struct session *s, struct backend *b); /* all is answered: what has it left behind? Sets pins; may be NULL */
    /* As in struct lessee_ops; may be NULL when settle is. */
    void (*on_looked)(struct session *s, struct backend *b, struct bytes answer, bool ok);
    void (*on_settled)(struct session *s, struct backend *b); /* as in struct lessee_ops; may be NULL */
    /* Likewise; may be NULL when nothing sets backend.reads_notifications. */
    bool (*on_notification)(struct session *s, struct bytes message);
    void (*on_statements_dropped)(struct session *s); /* by a command of the client's; may be NULL */
    void (*on_hold_over)(struct session *s); /* hold_until_us has passed, or others wait; may be NULL where nobody sets it */
    void (*on_garbled)(struct session *s); /* as in struct stream_handler; may be NULL where nobody sets a codec */
    void (*tell)(struct session *s, const struct err *err, bool is_fatal); /* an error in the client's language */
    void (*refuse)(struct session *s, const struct err *err); /* the open request cannot run: error, session lives */
    /* What the console has to say to a statement; may be taken from the writer. `ends`: the session is over with it. */
    void (*on_console_reply)(struct session *s, struct writer *reply, bool ends);
    /*
     * What was sent has had no effect, and will be sent again elsewhere. `b` NULL: its connection was lost. May be NULL where
     * nobody keeps exchanges.
     */
    void (*on_taken_back)(struct session *s, struct backend *b, struct bytes exchange);
    /* The server has answered a kept exchange with this error, whole. True: it is taken back. May be NULL, likewise. */
    bool (*takes_back)(struct session *s, struct bytes error);
    void (*release)(struct session *s);
    /* Before it goes to another worker: nothing that it owns may point into this one. */
    void (*pack)(struct session *s);
    /* It is here, with its stream: it joins its variant again (`key`; empty: it has had none) and goes on. */
    void (*on_arrived)(struct session *s, struct bytes key);
};

/* Interface to the console, which stands above sessions. */
struct console_ops {
    /*
     * What a statement would return: its RowDescription, with every column text or int8;
     * nothing when it returns no rows. False: err says why it cannot be run.
     */
    bool (*describe)(void *ctx, struct session *s, struct bytes sql, struct writer *out, struct err *err);
    /* Begins to answer one statement; session_console_done() follows, inside the call or later. */
    void (*run)(void *ctx, struct session *s, struct bytes sql);
    /* The client does not want to wait for s->console_job any longer. */
    void (*cancel)(void *job);
    /* The session has left while s->console_job was not done. */
    void (*abandon)(void *job);
    void *ctx;
};

struct my_compress_kit;
struct session_env;

/* What the sessions of all workers have in common. Set up before the workers' threads start. */
struct session_hub {
    struct share_book shares;
    struct budget_book budgets;
    struct gate_book gates;
    struct vacate_book vacating;
    struct catalog_changes catalog_changes;
    struct exported_book exported;
    struct my_key_book my_keys;
    struct topology topology;
    struct extauth_desk *ldap_desk, *pam_desk; /* borrowed; NULL: there are no threads that could ask */
    uint32_t worker_count;
    struct session_env *envs[WORKERS_MAX];
    _Atomic uint64_t written_us; /* of all sessions, where somebody reads `global` */
    _Atomic bool reads_globally; /* somebody does, or may */
    _Atomic uint64_t last_id;
    _Atomic uint32_t session_count; /* logged in or about to be, on all workers and between them */
    _Atomic uint32_t console_count; /* of them at the console */
    _Atomic size_t whole_bytes;     /* in messages that are put together (session_whole.c) */
};

struct session_env {
    struct session_hub *hub;
    uint32_t worker; /* number of this one */
    struct loop *loop;
    struct pool_set *pools;
    const struct config *config; /* current; replaced by a reload */
    const struct user_store *users; /* of the current configuration; shared by all workers, which change nothing in it */
    struct tls_context *tls;      /* for clients; borrowed from the current configuration; NULL: they get none */
    const struct console_ops *console;
    struct list logins;   /* sessions in LOGIN, oldest first */
    struct list sessions; /* all others */
    struct list dead;
    struct list await_fresh;  /* sessions that wait for a fresh replica (session_fresh.c) */
    struct timer fresh_timer; /* made when it is first needed */
    struct list holding;      /* sessions that keep their connection for a moment (session_hold_for) */
    struct list interrupts; /* clients' cancel requests (session_pg_interrupt.c) */
    struct task bury;
    struct arena arena;         /* for reading one text of SQL */
    struct effect_cache *effects; /* owned; what texts leave behind (effect_cache.h); made when it is first needed */
    struct my_compress_kit *compress_kit; /* owned; made when it is first needed */
    struct list password_line;    /* logins whose password, sent in clear, awaits its check (password_line.h) */
    struct timer password_timer;  /* for the next of them; made when it is first needed */
    uint64_t password_from_us;    /* no check before this */
    struct map secrets;           /* what servers have told of users (secret_book.h) */
    uint64_t found_md5, found_scram, found_my[MY_AUTH_OTHER]; /* how many of them had which */
    uint64_t complained_us;       /* when it was last logged that a server cannot be asked for them */
    uint32_t login_count;
    uint32_t session_count;
    bool is_draining; /* sessions end when they hold nothing */
};

/* Where the client is, small. Of somebody whom a proxy passes on: as the proxy says. For rules, logs and SHOW. */
struct session_peer {
    uint8_t ip[16];
    uint16_t port;
    uint8_t family; /* AF_UNIX, AF_INET, AF_INET6 */
};

/* An exchange that was judged as a whole and can run again, for as long as its client has heard nothing of it. */
struct session_again {
    struct buf *buf;  /* one reference; all messages of it; NULL: there is none */
    uint32_t used;    /* what of it was taken from the client's input: the rest comes from there, whatever happens */
    uint32_t at;      /* what of that is sent again so far ... */
    bool is_replayed; /* ... when it runs again: the client's next messages wait */
    bool is_elsewhere; /* at another replica, for the second time in all: it can run once more, on the primary */
};

struct session {
    struct list node; /* in env.logins, env.sessions or env.dead */
    struct session_env *env;
    const struct session_proto *proto;
    struct stream *stream;
    struct lessee lessee;
    struct variant *variant; /* NULL before login and on the console */
    struct variant *reads;   /* of the pool for what only reads; NULL: it has not read anything, or may not there */
    const struct subscribers *subscribers; /* whose pools the next ones are of, by their numbers; NULL: it has none */
    struct variant *copies[CONFIG_SUBSCRIBERS_MAX]; /* NULL: it has not read there */
    struct variant *target;  /* of all these the one that its request wants, if it wants any; borrowed */
    struct share_group *group; /* its pool over all workers; NULL before it is proven and on the console */
    uint32_t share;    /* the share that it is counted in */
    uint32_t moves_to; /* number of a share + 1: it goes there at the end of the event */
    struct request request;
    struct task resume; /* offers kept input again */
    struct session_again again;
    struct buf *whole; /* a message that is put together, or is whole (session_whole.c); one reference; NULL: there is none */
    char *user;     /* owned; NULL before login */
    char *database; /* owned */
    uint64_t id;
    uint64_t opened_us;
    uint64_t state_since_us;
    uint64_t transaction_since_us; /* first message of the transaction that is open, or was the last */
    uint64_t queries;
    enum session_state state;
    uint32_t pins; /* enum session_pin */
    struct list hold_node;  /* in env.holding, with hold_until_us */
    uint64_t hold_until_us; /* it gives its connection back then, at the latest */
    struct list fresh_node; /* in env.await_fresh */
    uint64_t fresh_by_us;   /* it waits no longer */
    uint64_t given_up_us;   /* it has waited in vain for a replica that is fresh as of then, and does not again */
    uint64_t written_us; /* by then at the latest its last write was acknowledged; 0: it has not written */
    bool has_written;    /* something that may write is sent, or in the transaction that is open */
    bool has_begun;      /* it is in a transaction of which no server knows */
    uint32_t begun_limit_ms; /* so long it may be idle in that, by its own wish; 0: for ever */
    uint8_t route; /* enum route_reason; why the next exchange to be answered is not at a replica, where that is counted */
    bool owes_nothing; /* in LOGIN: gilmok is at work for it, and it has nothing to say */
    bool is_held_back; /* input is kept until the backend has room or its replies are in */
    bool is_proving; /* behind its login it logs in once more: login_timeout holds */
    bool is_console;
    bool is_bound; /* it stays on this worker: it listens through a connection of it */
    void *console_job; /* the console's, while it works on an answer: nothing more is read */
    struct session_peer peer;
    bool awaits_header; /* a PROXY header must come before anything else */
    bool is_on_socket;  /* it came over a unix socket; not through a proxy */
    bool is_local;      /* it came over a unix socket or from a loopback address; not through a proxy */
};

void session_hub_init(struct session_hub *hub, uint32_t worker_count);
void session_hub_release(struct session_hub *hub);
/* Somebody reads `global`: from now on all sessions tell when they write; before that, each may have written just now. */
void session_hub_read_globally(struct session_hub *hub, uint64_t now_us);
/* Number `worker` of the hub. */
void session_env_init(struct session_env *env, struct session_hub *hub, uint32_t worker, struct loop *loop, struct pool_set *pools);
/* Closes every session. */
void session_env_release(struct session_env *env);
/* What servers have told of users (secret_book.h); forgotten when there is another configuration. */
void secret_book_init(struct session_env *env);
void secret_book_forget(struct session_env *env);
void secret_book_release(struct session_env *env);
/* What clients want cancelled is over (session_pg_interrupt.c). */
void session_pg_interrupts_release(struct session_env *env);
/* Starts a session on an accepted stream, or closes the stream. */
void session_open(struct session_env *env, const struct session_proto *proto, struct stream *stream, const struct addr *peer);
/* Timeouts; about ten times a second. */
void session_env_tick(struct session_env *env);
/* From now on sessions end as soon as they hold nothing. */
void session_env_drain(struct session_env *env);

void session_set_state(struct session *s, enum session_state state);
void session_close(struct session *s, const char *why); /* at once; a lease is given back or destroyed */
/* Closes when what is queued for the client has left; nothing is added to it. */
void session_leave(struct session *s, const char *why);
/* Tells the client, unless part of a message was passed on to it, then closes when all has left. */
void session_end(struct session *s, const struct err *err);
/* The session becomes a client of this variant, and pinned when its pool says so. */
void session_join(struct session *s, struct variant *v);
void session_leave_variant(struct session *s);
/* It has no part in pools that go to subscribers. */
void session_leave_copies(struct session *s);
/* Sends to the client. */
void session_send(struct session *s, struct bytes data);
/* True when nothing keeps it on its connection. */
bool session_may_release(const struct session *s);
/* Ends the open request if everything it asked for has been answered. */
void session_check_answered(struct session *s);
/* The exchange that is about to begin can run again: a copy of its messages is kept until its client hears something of it. */
void session_keep_exchange(struct session *s, struct bytes exchange);
void session_forget_exchange(struct session *s);

/* session_whole.c: a message that is longer than a stream keeps, read as a whole */
/*
 * One of `total` bytes has begun with `first`: it is put together, and then offered to session_proto.on_received alone, which takes
 * all of it or nothing. False: there is no room for it.
 */
MUST_USE bool session_gather(struct session *s, size_t total, struct bytes first);
void session_gather_more(struct session *s, struct bytes more);
/* It has come to its end, and is still to be taken: nothing that came behind it may be. */
static inline bool session_has_whole(const struct session *s) {
    return s->whole && s->whole->len == s->whole->cap;
}
/* False: it must wait, or the session is closed. */
MUST_USE bool session_offer_whole(struct session *s);
void session_forget_whole(struct session *s);
/* Its client has heard nothing of it yet. */
bool session_can_run_again(const struct session *s);
/* It will, once nothing is owed on the connection that it has now. */
void session_take_back(struct session *s);
/* The pool for reads has none for it: why not. */
enum route_reason session_why_no_replica(const struct session *s);
/* session_fresh.c: true: it waits in WAITING, and session_go_on() follows. */
MUST_USE bool session_await_fresh(struct session *s);
void session_stop_awaiting(struct session *s);
void session_fresh_release(struct session_env *env);
/* It has waited: its request is walked on, and its input offered. */
void session_go_on(struct session *s);
/* Its connection is one for reads alone. */
static inline bool session_is_at_replica(const struct session *s) {
    return s->lessee.backend && s->lessee.backend->variant->pool->main;
}
/* It keeps its connection for so long, unless others want one before. */
void session_hold_for(struct session *s, uint64_t us);
void session_end_hold(struct session *s);
/* Somebody waits for a connection of `p`. */
void session_env_want(struct session_env *env, const struct pool *p);
/* A client in session mode has its connection before it asks for anything: IDLE becomes HELD. */
void session_hold(struct session *s);
/* A pin has fallen, outside of an exchange: the lease ends unless something else keeps it. */
void session_on_unpinned(struct session *s);
/* Its lease has become somebody else's. */
void session_on_handed_over(struct session *s);
/* Ends the lease, if there is one. */
void session_release_lease(struct session *s);
/* The pool, or NULL. */
static inline struct pool *session_pool(const struct session *s) {
    return s->variant ? s->variant->pool : NULL;
}
/* Complete messages that answer a console statement, without ReadyForQuery; `ends`: the session is over with them. */
void session_console_done(struct session *s, struct writer *reply, bool ends);
/* Offers kept input again, soon. */
void session_resume_input(struct session *s);
/* Of every session's stream. */
extern const struct stream_handler session_stream_handler;
/* "c12 shop/app@127.0.0.1:5123" */
const char *session_label(const struct session *s, char out[192]);
/* session_peer.c: where it comes from; `a` is the other end of its socket. */
void session_peer_init(struct session *s, const struct addr *a);
/* While it awaits a header: the bytes that were used. It awaits no more, or it is closed, or more must come. */
size_t session_peer_take_header(struct session *s, struct bytes data);
const char *session_peer_text(const struct session *s, char out[64]);
const char *session_peer_ip_text(const struct session *s, char out[64]); /* without the port */

#endif
