/*
 * fake_client.h - a PostgreSQL client on the simulated network that runs a random
 * script and knows, message by message, what it must get for an answer.
 *
 * Client number N calls itself "cN" (application_name) and writes "cN qM" into each
 * query, so that a row that belongs to somebody else cannot pass for its own. What
 * it expects is an exact list of messages for each exchange; in a world with
 * trouble, an exchange may be refused as a whole, and a FATAL error or a broken
 * connection may end it at any time. In a calm world neither may happen.
 */
#ifndef GILMOK_TESTS_SIM_FAKE_CLIENT_H
#define GILMOK_TESTS_SIM_FAKE_CLIENT_H

#include "proxy/auth/scram.h"
#include "proxy/net/tls.h"
#include "proxy/wire/pg_encode.h"
#include "tests/sim/net_sim.h"

enum { CLIENT_EXPECTS_MAX = 40, CLIENT_GROUPS_MAX = 12, CLIENT_PARAMS_MAX = 12, CLIENT_TEXT_MAX = 96 };

enum client_fate {
    FATE_NORMAL,
    FATE_WRONG_PASSWORD,
    FATE_UNKNOWN_USER,
    FATE_BAD_PARAMETER, /* of the startup packet */
    FATE_SUDDEN_DEATH,  /* at a random byte */
};

/* One message that must come. */
struct expect {
    uint8_t type;
    uint8_t check;  /* enum client_check */
    uint32_t count; /* how many of it, numbered from `first` */
    uint32_t first;
    uint32_t pad;
    char text[CLIENT_TEXT_MAX];
};

/* What one exchange must be answered with. */
struct group {
    struct expect e[CLIENT_EXPECTS_MAX];
    int count, at;
    uint32_t row;       /* of e[at] */
    int tail_at;        /* `tail` is sent when e[tail_at] is next; -1: never */
    struct writer tail;
    bool is_refusable;  /* a refusal is a right answer when there is trouble */
    bool opens_txn, ends_txn;
    bool is_first;      /* of a transaction whose BEGIN may be held back: when it is refused, the transaction has failed */
    char may_fail[6];   /* SQLSTATE that is as good an answer; "": none */
    bool tail_is_sync;  /* the tail ends the group: to be sent after an error too */
    bool forgets_names;
    char names[CLIENT_TEXT_MAX]; /* the text that it prepares as "s1"; "": none */
};

struct fake_client;

struct client_world {
    struct net_sim *sim;
    struct addr proxy;
    bool has_trouble;  /* servers die, refuse, stall */
    bool has_faults;   /* memory runs out, for clients too */
    bool is_pinned;    /* session pooling */
    bool holds_begin;  /* no server has heard of a BEGIN that was answered */
    bool has_one_app;  /* all have FAKE_ONE_APP: then no SET goes before the first message of another client */
    struct tls_context *tls[2]; /* of users u0 and u1, borrowed; NULL: they come in clear */
    uint32_t steps_max;
    uint32_t running;
    uint64_t exchanges;
    /* A client has had all its answers a while ago and holds nothing: is that so on the proxy, too? May be NULL. */
    const char *(*on_idle)(struct client_world *w, const struct fake_client *c);
    struct scram_keys keys[2]; /* of users u0 and u1, kept between seeds */
    char complaint[320];       /* the first wrong thing that a client saw */
};

struct fake_client {
    struct client_world *world;
    struct stream *stream;
    struct timer pause;
    uint32_t number;
    enum client_fate fate;
    int user;
    const char *database;
    const char *time_zone;   /* startup parameters; NULL: not sent */
    const char *search_path;
    struct scram_client scram;
    bool is_logged_in, is_over, is_dying, has_tls;
    bool is_long_pause;
    struct {
        char name[32], value[64];
    } params[CLIENT_PARAMS_MAX]; /* as the server reported them */
    int param_count;
    char txn;
    bool is_begun_only;      /* nothing stands behind its BEGIN yet */
    char txn_pid[16]; /* the server connection of the open transaction; "": none yet */
    bool is_pinned;
    char named[CLIENT_TEXT_MAX]; /* text of the prepared statement "s1"; "": none */
    int unnamed_parses; /* how many more times it parses an unnamed statement before it uses it; each an exchange of its own */
    char unnamed[CLIENT_TEXT_MAX]; /* what that one says; "": none is to be used */
    char own_path[64];           /* search_path that this client has set, ever */
    bool has_set_app_name;
    uint32_t steps_left, query;
    struct group groups[CLIENT_GROUPS_MAX];
    int group_first, group_count;
    struct writer out;
};

void fake_client_start(struct fake_client *c, struct client_world *world, uint32_t number);
void fake_client_release(struct fake_client *c);

/* What the server last reported of this parameter. */
const char *fake_client_param(const struct fake_client *c, const char *name);

/* fake_client_plan.c: the next exchanges into c->groups and c->out. False: the script is over. */
bool fake_client_plan(struct fake_client *c);

enum client_check {
    CHECK_TEXT,   /* column 1 is `text`; with count > 1 or pad: "text #i xxx" */
    CHECK_BELIEF, /* column 1 is what ParameterStatus last said about `text` */
    CHECK_PATH,   /* column 1 is a search_path that this client may see */
    CHECK_APP,    /* column 1 is an application_name that this client may see */
};

#endif
