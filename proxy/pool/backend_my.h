/*
 * backend_my.h - a connection to a MySQL or MariaDB server.
 *
 * Always with the same capabilities (LOGIN_MY_CAPS and those of its variant's key): what a client's own capabilities want
 * otherwise is made of that on the way to it: EOF packets, and OK packets without what has changed in the session.
 *
 * Source: the connection phase chapters of MySQL's and MariaDB's protocol documentation.
 */
#ifndef GILMOK_PROXY_POOL_BACKEND_MY_H
#define GILMOK_PROXY_POOL_BACKEND_MY_H

#include "proxy/auth/my_auth.h"
#include "proxy/pool/backend.h"
#include "proxy/pool/login_my.h"
#include "proxy/pool/reply_my.h"
#include "proxy/pool/startup_my.h"
#include "proxy/pool/state_my.h"
#include "proxy/pool/statements_my.h"

enum {
    BACKEND_MY_ASKED_MAX = BUF_LARGE_SIZE, /* of an answer to gilmok itself */
    /* What a status says of the session, and not of a result. */
    BACKEND_MY_LASTING = MY_STATUS_IN_TRANSACTION | MY_STATUS_AUTOCOMMIT | MY_STATUS_NO_BACKSLASH_ESCAPES | MY_STATUS_IN_READ_ONLY |
                         MY_STATUS_ANSI_QUOTES,
};

/* What comes next of the answers to START_MY_TRACK and START_MY_ASK. */
enum backend_my_setup { SETUP_NONE, SETUP_TRACK, SETUP_COUNT, SETUP_DEFINITIONS, SETUP_ROW, SETUP_END };

/* A proof that is under way: at the beginning, or when the session is begun anew. Behind it the server is asked how it began. */
struct backend_my_login {
    struct login_my talk;
    enum backend_my_setup setup;
    uint32_t left; /* definitions that are still to come */
};

/* What the answer to the lessee's latest command has told, for who shares connections. */
struct my_answer {
    bool is_told; /* some of it has come */
    bool is_error;
    bool has_rows;        /* its last result has rows, and so many of them */
    bool has_changed;     /* "something in the session has changed" */
    bool has_schema;      /* the current schema has changed: backend_my.schema */
    uint16_t error;       /* its number */
    uint16_t warnings;
    uint64_t rows, affected_rows;
    uint64_t insert_id;   /* the last one that was told and is not 0 */
    bool has_prepared;
    struct my_prepared prepared; /* with the server's number */
    char *sql_mode;       /* owned; as it is now; NULL: it was not told */
    char *character_set;  /* likewise: character_set_client */
};

struct backend_my {
    struct backend base;
    struct backend_my_login *login; /* owned; NULL: nothing is to be proved */
    struct reply_my reply;
    struct login_my_server server;
    uint16_t status;             /* that it told last */
    uint32_t packet_left;        /* bytes of a packet whose head has been dealt with ... */
    bool rest_is_shown;          /* ... and goes to the lessee like it */
    uint32_t client_caps;        /* the lessee's */
    struct start_my *start;      /* what it began with; NULL: it goes from client to client only to begin anew */
    struct state_my *state;      /* what was set since; a reference */
    char *schema;                /* current; owned; NULL: that of its login */
    uint64_t insert_id;          /* LAST_INSERT_ID() there ... */
    bool has_id;                 /* ... where it is known */
    uint16_t begun_status;       /* that its login was answered with */
    struct statements_my statements; /* prepared there, by whomever */
    char *files;                 /* that the lessee's command names; owned; each with a NUL behind it, and one more; NULL: none */
    uint32_t prepares_as;        /* number that the lessee is told for what it prepares now */
    struct my_answer answer;
    struct writer asked;         /* the answer to what gilmok asks, as it comes in */
};

extern const struct backend_proto backend_my_proto;

static inline struct backend_my *backend_my_of(struct backend *b) {
    return (struct backend_my *)b;
}

/* Whom its answers are for: a client with these capabilities. */
void backend_my_serve(struct backend *b, uint32_t client_caps);
/*
 * Notes a command whose first packet the caller sends on b->stream. False: the connection has failed (and was closed). A command of
 * several packets goes on with backend_my_note_more().
 */
MUST_USE bool backend_my_note_sent(struct backend *b, uint8_t command);
void backend_my_note_more(struct backend *b, uint8_t seq);
/* The latest, which is still to be noted as sent, names these files (`files` as in struct backend_my; taken over, may be NULL). */
void backend_my_note_files(struct backend *b, char *files);
/* The server waits for one of them. */
static inline bool backend_my_wants_file(const struct backend *b) {
    return b->ledger.is_client_turn;
}
/* A packet of it is sent: the number that it must have. */
uint8_t backend_my_note_file_sent(struct backend *b, bool is_last);
/* The latest wants a cursor. */
void backend_my_note_cursor(struct backend *b);

/* A command of gilmok's own, with its whole packet: nobody sees its answer, and an error ends the connection. Likewise. */
MUST_USE bool backend_my_send_own(struct backend *b, uint8_t command, struct bytes packet);
/* Likewise, and the lessee hears on_looked, with all packets of the answer; `ok`: it is no error, and not too long. */
MUST_USE bool backend_my_ask(struct backend *b, uint8_t command, struct bytes packet);
/*
 * Between two clients, outside of a transaction: what `state` and `schema` (NULL: that of the login) say holds on the connection
 * from the next command on. *waits: not before backend_proto's lessee hears on_settled. False: it has failed.
 */
MUST_USE bool backend_my_bring(struct backend *b, struct state_my *state, const char *schema, bool *waits);
/* What was set on it so far is `state` now. */
void backend_my_keep_state(struct backend *b, struct state_my *state);

/* backend_my_hear.c: what an OK tells of the session. */
void backend_my_hear(struct backend *b, const struct reply_my_packet *p);
/* Of an answer to gilmok itself: what has changed before it was asked, without a word. */
void backend_my_hear_own(struct backend *b, const struct reply_my_packet *p);
/* The answer to its PREPARE, whose number becomes the lessee's. */
void backend_my_hear_prepared(struct backend *b, uint8_t *payload, size_t len);
void backend_my_forget_answer(struct backend_my *bm);
/* The changes without those that only gilmok has asked for; in `w`. */
void backend_my_put_shown_changes(struct writer *w, struct bytes changes);

/* backend_my_login.c */
/* How far a server there may be trusted with a password. */
struct my_auth_way backend_my_way_to(const struct site *site, struct stream *stream);
void backend_my_login_begin(struct backend *b);
void backend_my_login_secured(struct backend *b);
/* Takes what comes while `login` is there; returns the bytes used. */
size_t backend_my_login_received(struct backend *b, struct bytes data);
/* The session begins anew, as if it had just logged in. */
void backend_my_begin_anew(struct backend *b);

#endif
