/*
 * session_peers.h - the two sides of fuzz_session.c: clients and servers whose bytes the input says, on the simulated network.
 *
 * MARKS. What an honest peer writes carries the mark of a client, "~" and two letters: a client puts its own into what it asks
 * for, the server puts that of the request into the rows with which it answers it. No other byte of the input is a "~". So a mark
 * that reaches another client than its own has come there by a mistake of gilmok's.
 */
#ifndef GILMOK_TESTS_FUZZ_SESSION_PEERS_H
#define GILMOK_TESTS_FUZZ_SESSION_PEERS_H

#include "proxy/auth/scram.h"
#include "proxy/wire/pg_encode.h"
#include "tests/sim/net_sim.h"

enum { PEER_CLIENTS = 4, PEER_SERVERS = 8, PEER_REQUESTS = 64, PEER_TEXT_MAX = 64, PEER_OUT_MAX = 1 << 20 };

typedef char peer_mark[4]; /* "": none */

/* The first mark in `data`. */
bool peer_find_mark(struct bytes data, peer_mark out);

/* ---- how far an input comes ---- */

enum peer_reach {
    REACH_LOGIN, REACH_TWO_LOGINS, REACH_ROW, REACH_EXECUTE, REACH_COPY, REACH_COPY_END, REACH_TXN, REACH_LENT,
    REACH_LENT_AFTER_TXN, REACH_CANCEL, REACH_RAW_CLIENT, REACH_LIAR, REACH_COUNT,
};
/* In the execution that runs. With SESSION_REACH in the environment the sums of all are printed at the end. */
extern bool peer_reached[REACH_COUNT];
void peer_reach_begin(void);
void peer_reach_end(uint64_t events);

/* ---- servers ---- */

enum server_step { SERVER_FIRST, SERVER_STARTED, SERVER_SASL_INITIAL, SERVER_SASL_FINAL, SERVER_RUNNING };

/* A message that was read and not answered yet. */
struct server_request {
    uint8_t type;
    peer_mark mark;
    char text[PEER_TEXT_MAX]; /* of a Query or Parse, in small letters */
};

struct fuzz_servers;

struct fuzz_server {
    struct fuzz_servers *all;
    struct stream *stream; /* NULL: this place is free */
    enum server_step step;
    bool is_honest; /* it has said nothing but right answers: only then do its rows carry marks */
    struct server_request requests[PEER_REQUESTS];
    int first, count;
    char txn;
    bool is_skipping, is_in_copy, is_copy_of_query;
    bool has_had_txn;
    peer_mark bound;          /* of the last Bind */
    peer_mark served;         /* of the last request that had one */
    char parsed[PEER_TEXT_MAX]; /* the last Parse */
    struct scram_server scram;
    struct writer out; /* answered, not sent yet */
};

struct fuzz_servers {
    struct listener li;
    struct fuzz_server one[PEER_SERVERS];
    const struct scram_verifier *verifier; /* NULL: everybody is trusted */
    struct net_sim *sim;
    bool greets, answers; /* by themselves */
    bool may_fail;        /* one has lied, is silent, or has lost count: nobody can be sure of an answer */
};

MUST_USE bool fuzz_servers_open(struct fuzz_servers *s, struct net_sim *sim, const struct addr *at, struct err *err);
void fuzz_servers_close(struct fuzz_servers *s);
/* From now on they let everybody in and answer everything. */
void fuzz_servers_serve(struct fuzz_servers *s);
/* Number `n` of those that are connected; NULL: none is. */
struct fuzz_server *fuzz_servers_find(struct fuzz_servers *s, unsigned n);

/* Lets it in, if it waits for that. */
void fuzz_server_greet(struct fuzz_server *s);
enum server_answer { ANSWER_RIGHT, ANSWER_ERROR, ANSWER_ONE, ANSWER_ONE_ERROR };
/* Answers what was asked, all of it or one request; of that at most `bytes` leave now, the rest with what comes next. */
void fuzz_server_answer(struct fuzz_server *s, enum server_answer how, size_t bytes);
/* Anything, right or not. */
void fuzz_server_say(struct fuzz_server *s, struct bytes raw, bool is_honest);
enum peer_end { END_CLOSE, END_FINISH, END_RESET, END_SILENCE /* servers only */ };
void fuzz_server_end(struct fuzz_server *s, enum peer_end how);

/* ---- clients ---- */

struct fuzz_client {
    struct net_sim *sim;
    const struct addr *proxy;
    struct scram_keys *keys; /* of both users */
    struct stream *stream;   /* NULL: not connected */
    peer_mark mark;
    int user;
    const char *database, *app;
    bool is_framed; /* began as a client should: so must what it gets */
    bool is_plain;  /* has sent nothing raw */
    bool is_group_open;
    bool is_muddled; /* has sent what a right server need not answer: a COPY's parts, a Query in a group that may be skipped */
    bool is_logged_in;
    uint32_t asked, ready; /* messages to be answered by ReadyForQuery; how many of these have come */
    uint32_t pid;          /* from KeyData */
    uint8_t key[32];
    size_t key_len;
    struct scram_client scram;
    struct writer first; /* to be sent once it is connected */
};

/* A new connection; what was there is closed. `number` makes the mark. */
void fuzz_client_connect(struct fuzz_client *c, unsigned number);
/* The same, and a right login. */
void fuzz_client_login(struct fuzz_client *c, unsigned number, unsigned how);
/* Complete messages. */
void fuzz_client_say(struct fuzz_client *c, struct bytes messages);
void fuzz_client_say_raw(struct fuzz_client *c, struct bytes raw);
void fuzz_client_end(struct fuzz_client *c, enum peer_end how);
/* It waits for nothing that it must get. */
bool fuzz_client_is_served(const struct fuzz_client *c);

#endif
