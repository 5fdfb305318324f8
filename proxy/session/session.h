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

#include "proxy/config.h"
#include "proxy/pool/pool.h"
#include "proxy/session/request.h"

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
    PIN_UNNAMED = 4,  /* it parsed the unnamed statement and has not used it yet */
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
    void (*on_statements_dropped)(struct session *s); /* by a command of the client's; may be NULL */
    void (*tell)(struct session *s, const struct err *err, bool is_fatal); /* an error in the client's language */
    void (*refuse)(struct session *s, const struct err *err); /* the open request cannot run: error, session lives */
    void (*release)(struct session *s);
};

/* Interface to the console, which stands above sessions. */
struct console_ops {
    /* Answers one statement with complete messages in `out`. False: end the session after them. */
    bool (*run)(void *ctx, struct session *s, struct bytes sql, struct writer *out);
    void *ctx;
};

struct session_env {
    struct loop *loop;
    struct pool_set *pools;
    const struct config *config; /* current; replaced by a reload */
    struct user_store *users;    /* of the current configuration; keys are derived lazily */
    const struct console_ops *console;
    struct list logins;   /* sessions in LOGIN, oldest first */
    struct list sessions; /* all others */
    struct list dead;
    struct task bury;
    uint32_t login_count;
    uint32_t session_count;
    uint64_t next_id;
    bool is_draining; /* sessions end when they hold nothing */
};

/* Where the client is, small. */
struct session_peer {
    uint8_t ip[16];
    uint16_t port;
    uint8_t family; /* AF_UNIX, AF_INET, AF_INET6 */
};

struct session {
    struct list node; /* in env.logins, env.sessions or env.dead */
    struct session_env *env;
    const struct session_proto *proto;
    struct stream *stream;
    struct lessee lessee;
    struct variant *variant; /* NULL before login and on the console */
    struct request request;
    struct task resume; /* offers kept input again */
    char *user;     /* owned; NULL before login */
    char *database; /* owned */
    uint64_t id;
    uint64_t opened_us;
    uint64_t state_since_us;
    uint64_t transaction_since_us; /* start of the lease */
    uint64_t queries;
    enum session_state state;
    uint8_t pins; /* enum session_pin */
    bool is_held_back; /* input is kept until the backend has room or its replies are in */
    bool is_console;
    struct session_peer peer;
};

void session_env_init(struct session_env *env, struct loop *loop, struct pool_set *pools);
/* Closes every session. */
void session_env_release(struct session_env *env);
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
/* Tells the client, then closes when that has left. */
void session_end(struct session *s, const struct err *err);
/* The session becomes a client of this variant, and pinned when its pool says so. False: its user has too many. */
MUST_USE bool session_join(struct session *s, struct variant *v, struct err *err);
/* Sends to the client. */
void session_send(struct session *s, struct bytes data);
/* True when nothing keeps it on its connection. */
bool session_may_release(const struct session *s);
/* Ends the open request if everything it asked for has been answered. */
void session_check_answered(struct session *s);
/* A client in session mode has its connection before it asks for anything: IDLE becomes HELD. */
void session_hold(struct session *s);
/* Ends the lease, if there is one. */
void session_release_lease(struct session *s);
/* The pool, or NULL. */
static inline struct pool *session_pool(const struct session *s) {
    return s->variant ? s->variant->pool : NULL;
}
/* Offers kept input again, soon. */
void session_resume_input(struct session *s);
/* "c12 shop/app@127.0.0.1:5123" */
const char *session_label(const struct session *s, char out[192]);
const char *session_peer_text(const struct session *s, char out[64]);

#endif
