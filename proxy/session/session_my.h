/*
 * session_my.h - a MySQL client.
 *
 * It is greeted before it has said who it is, and logs in to gilmok by the user file. From then on it has a server connection of
 * its own until it leaves (pool_mode = session), or shares them with others: then each command is judged by what it leaves behind
 * (session_my_shared.c), which goes along to the next connection, or keeps the client on this one. One command is under way at a
 * time: a client that sends more before it has its answer waits for it.
 *
 * Source: the protocol chapters of MySQL's and MariaDB's server documentation.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_MY_H
#define GILMOK_PROXY_SESSION_SESSION_MY_H

#include "base/map.h"
#include "parser/dialect.h"
#include "proxy/auth/my_auth.h"
#include "proxy/pool/backend_my.h"
#include "proxy/session/password_line.h"
#include "proxy/session/secret_book.h"
#include "proxy/session/session.h"
#include "proxy/wire/my_decode.h"
#include "proxy/wire/my_encode.h"

enum {
    /* What gilmok offers to clients; TLS where there is any. */
    SESSION_MY_CAPS = MY_CAP_LONG_PASSWORD | MY_CAP_FOUND_ROWS | MY_CAP_LONG_FLAG | MY_CAP_CONNECT_WITH_DB | MY_CAP_NO_SCHEMA |
                      MY_CAP_ODBC | MY_CAP_LOCAL_FILES | MY_CAP_IGNORE_SPACE | MY_CAP_PROTOCOL_41 | MY_CAP_INTERACTIVE |
                      MY_CAP_IGNORE_SIGPIPE | MY_CAP_TRANSACTIONS | MY_CAP_RESERVED | MY_CAP_SECURE_CONNECTION |
                      MY_CAP_MULTI_STATEMENTS | MY_CAP_MULTI_RESULTS | MY_CAP_PS_MULTI_RESULTS | MY_CAP_PLUGIN_AUTH |
                      MY_CAP_CONNECT_ATTRS | MY_CAP_PLUGIN_AUTH_LENENC | MY_CAP_SESSION_TRACK | MY_CAP_DEPRECATE_EOF,
    /* Where the version that clients are greeted with is one of MariaDB's that has them. */
    SESSION_MY_MARIADB_CAPS = MY_MARIADB_BULK | MY_MARIADB_EXTENDED_METADATA,
    /* Of effects: what the last answer has left, and only its own connection knows. */
    SESSION_MY_ASKS = EFFECT_MY_ASKS_INSERT_ID | EFFECT_MY_ASKS_ROW_COUNT | EFFECT_MY_ASKS_FOUND_ROWS | EFFECT_MY_ASKS_WARNINGS,
    SESSION_MY_DROPS_MAX = 32 << 10, /* a command that is refused and was not put together; a longer one ends the session */
};

enum session_my_step {
    MY_LOGIN_FIRST,  /* the client's login, or its request for TLS, comes next */
    MY_LOGIN_LOOKED_UP, /* a server is asked for the user's secret */
    MY_LOGIN_ANSWER, /* its answer to another plugin */
    MY_LOGIN_WHOLE,  /* its whole password */
    MY_LOGIN_IN_LINE, /* that is checked when its turn comes */
    MY_LOGIN_PROVEN,
};

/* Until it is greeted. */
struct session_my_login {
    enum session_my_step step;
    enum my_auth_plugin begun;  /* that it would choose itself */
    enum my_auth_plugin plugin; /* that it was asked for */
    bool has_plugins;           /* it can be asked for one */
    struct secret_wait lookup;
    struct user_secret found;   /* what the server keeps; no password in clear; secret */
    bool is_looked_up, has_found;
    bool is_locked, is_expired; /* the server's rules for the account */
    uint8_t to_sign[ED25519_NONCE]; /* of client_ed25519: random anew */
    uint8_t collation;
    bool has_schema;
    uint8_t next_seq; /* of the packet that the client sends next */
    struct session *client;
    struct password_turn turn;
    struct my_auth_keys keys; /* what it has told of its password, right or not; secret */
    struct codec *codec; /* for what comes behind it; owned; NULL: none */
};

/* What the command at hand means for who shares connections, until its answer is complete. */
struct session_my_command {
    bool is_judged;
    bool is_sent;
    unsigned effects;      /* enum effect_my */
    struct state_my *wish; /* what is set once it has succeeded; a reference, where has_wish */
    bool has_wish;
    bool awaits_mode;      /* its sql_mode is computed: the answer tells it */
    uint32_t pins;         /* that it has brought */
    struct session_my_statement *statement;     /* of PREPARE; owned */
    uint32_t executes, resets, fetches;         /* number of the statement; 0: it does not */
    bool is_private;                            /* on one of its own */
    bool has_id;                                /* LAST_INSERT_ID() was on the connection what it is in the session */
    bool is_silent;                             /* it has no answer, not even an error */
};

/* Of who shares connections: the session as it goes from one to the other. */
struct session_my_state {
    struct start_my *start; /* what its session began with; a reference; NULL: it has had no connection yet */
    struct state_my *set;   /* what it has set since; a reference */
    char *schema;           /* current; owned; NULL: that of its login */
    struct sql_options sql; /* how its texts are read */
    bool cannot_read;       /* its sql_mode is not known */
    bool is_lost;           /* there was no memory for taking it to another worker */
    uint64_t backend_id, lease; /* the connection that it was brought in line with last, and which of its leases */
    /* That connection itself knows, since answers of this lease have said it: */
    bool has_row_count, has_found_rows, has_warnings;
    bool awaits_own;        /* something of gilmok's must have come back before its command may be sent */
    bool was_in_transaction;
    bool has_forgotten_schema; /* COM_RESET_CONNECTION has left the schema, but at MariaDB not its collation */
    bool has_failed_late;   /* a statement that writes has failed on its connection, and its triggers may have left something */
    /* What functions tell of the last answer */
    bool is_id_doubtful, are_rows_doubtful; /* LAST_INSERT_ID(), FOUND_ROWS(): known to the connection alone */
    bool are_rows_unknown;  /* ... to nobody */
    uint64_t insert_id;     /* LAST_INSERT_ID() */
    uint64_t found_rows;    /* FOUND_ROWS() */
    int64_t row_count;      /* ROW_COUNT() */
    uint32_t warnings;      /* how many, its error included; UINT32_MAX: more than is known */
    struct buf *told;       /* the packets that SHOW WARNINGS was answered with; one reference; NULL: nobody has asked */
    /* Prepared by protocol (session_my_prepared.c) */
    struct map statements;   /* by number; owned */
    uint32_t last_statement; /* number of the latest */
    struct session_my_statement *preparing; /* gilmok prepares it there; owned */
    char *refusal;           /* what the server has answered to that, an ERR packet's payload; owned; NULL: all is well */
    uint32_t refusal_len;
    bool is_refused;         /* it could not be prepared, for that reason or another */
    bool has_failed;         /* the client's latest PREPARE */
    uint16_t status;         /* as answers have told it last, as far as it lasts */
    uint8_t looks;          /* questions about that are under way ... */
    bool looks_for_numbers;      /* ... one of them about the numbers */
};

struct session_my {
    struct session base;
    struct session_my_login *login; /* owned; NULL behind it */
    uint8_t nonce[MY_NONCE_LEN]; /* of the greeting and of all proofs: libraries in C answer COM_CHANGE_USER's question with it */
    uint32_t caps;         /* as agreed ... */
    uint32_t mariadb_caps; /* ... and MariaDB's */
    bool is_compressed;   /* behind its login: session_my_compress.c */
    uint8_t command_seq;  /* of the latest packet of the command that is coming in */
    bool goes_on;         /* ... which goes on in a further packet */
    bool is_dropped;      /* ... and goes nowhere */
    bool drops_next;      /* the command that stands first in what is kept was refused */
    uint32_t packet_left; /* bytes of a packet whose head is dealt with */
    char *files;          /* that its command names; owned; as in backend_my.h; NULL: none */
    struct kill_question *kill; /* answered; owned; NULL: none is */
    bool asks_kill;       /* one is under way (session_my_kill.h) */
    struct session_my_command command;
    struct session_my_state state;
};

extern const struct session_proto session_my_proto;

static inline struct session_my *session_my_of(struct session *s) {
    return (struct session_my *)s;
}

/* It shares server connections with others. */
static inline bool session_my_is_shared(const struct session *s) {
    return s->variant && !(s->pins & PIN_MODE);
}

/* Its current schema was dropped, which its own connection alone knows: no other could be given none. */
static inline bool session_my_has_lost_schema(const struct session *s) {
    const char *schema = ((const struct session_my *)s)->state.schema;
    return schema && !schema[0] && startup_my_read_key(s->variant->key).has_schema;
}

/* session_my.c: the client's next packet is no command, but its answer to what it was asked, or of a file. */
bool session_my_is_asked(const struct session *s);

/* session_my_shared.c: what commands mean for who shares connections, and what their answers leave */
void session_my_judge_text(struct session *s, struct bytes text);
void session_my_judge_command(struct session *s, uint8_t command, bool is_whole);
/* It is about to be sent to `b`: what it may leave keeps the client there, until its answer tells. */
void session_my_note_sent(struct session *s, struct backend *b);
void session_my_forget_command(struct session *s);
/* The first connection that it meets, if only to be let in, says how its session begins. */
void session_my_learn_beginning(struct session *s, struct backend *b);
/* As in session_proto. */
void session_my_bring(struct session *s, struct backend *b);
void session_my_settle(struct session *s, struct backend *b);
/* COM_RESET_CONNECTION: it begins anew. */
void session_my_begin_anew(struct session *s);
void session_my_state_release(struct session *s);
/* Nothing of it is anybody else's any more: it goes to another worker. */
void session_my_state_pack(struct session *s);

/* session_my_prepared.c: statements prepared by protocol */
void session_my_prepared_settle(struct session *s, struct backend *b);
void session_my_prepared_forget(struct session_my_command *c);
/* An answer to gilmok's own PREPARE; false: it is another one. */
bool session_my_on_prepared(struct session *s, struct backend *b, struct bytes answer, bool ok);
void session_my_statements_release(struct session_my_state *st);
/* Nothing of them is anybody else's. False: memory is out. */
MUST_USE bool session_my_statements_own(struct session_my_state *st);

/* session_my_asked.c: what may be asked about the last answer, on whatever connection */
void session_my_note_answer(struct session *s, struct backend *b);
/* gilmok itself has answered with an error: no connection knows of it. */
void session_my_note_refusal(struct session *s);
/* True: gilmok keeps the connection for what may be asked next, for a moment. */
bool session_my_may_be_asked(const struct session *s);
void session_my_on_hold_over(struct session *s);
/* What may be asked about the last answer is asked by gilmok: PIN_ASKED becomes PIN_LOOKING, or nothing is left to ask. */
void session_my_look(struct session *s);
/* Nothing of its own keeps it on its connection any more: it is let go, once what may be asked is known. */
void session_my_let_go(struct session *s);
/* What it has left there must be cleaned, or not. */
void session_my_settle_taint(struct session *s, struct backend *b);
void session_my_on_looked(struct session *s, struct backend *b, struct bytes answer, bool ok);
enum session_my_asked {
    ASKED_NOTHING,  /* the command can be sent as it is */
    ASKED_ANSWERED, /* gilmok has answered it */
    ASKED_REFUSED,  /* nobody knows any more; *why says it */
    ASKED_EDITED,   /* `out` has another text */
};
/* Without a connection, or on another one: of what is kept. */
enum session_my_asked session_my_ask_kept(struct session *s, bool as_text, const char **why);
/* SET STATEMENT has put back what it has set: with the answer to its next statement the server says so. */
void session_my_hear_put_back(struct session *s, struct backend *b);
/* LAST_INSERT_ID() is on the connection what it is in the session, from the next command on. False: it has failed. */
MUST_USE bool session_my_bring_id(struct session *s, struct backend *b);
/* @@collation_database is on the connection what it is in the session, from the next command on. False: it has failed. */
MUST_USE bool session_my_bring_collation(struct session *s, struct backend *b);
/* On a connection that may not know it: what `text` asks about the last answer. Empty: a command without one. */
enum session_my_asked session_my_ask(struct session *s, struct backend *b, struct bytes text, struct writer *out,
                                     const char **why);

/* session_my_say.c: in the client's language, as the packet that it expects next */
void session_my_tell(struct session *s, const struct err *err, bool is_fatal);
void session_my_error(struct session *s, uint16_t number, const char *sqlstate, const char *text);
/* Tells, and ends the session. */
void session_my_fail(struct session *s, uint16_t number, const char *sqlstate, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* session_my_compress.c: compression, where is_compressed is set; elsewhere these do nothing */
/* The capabilities that it is offered. */
uint32_t session_my_compress_offered(const struct session *s);
/* What a client's login asks for of it was offered. */
MUST_USE bool session_my_compress_agrees(const struct session *s, uint32_t caps);
/* What it asks for is there when it is let in. False: memory is out. */
MUST_USE bool session_my_compress_ready(struct session *s, const struct my_login *l);
/* From now on, behind what is queued. */
void session_my_compress_begin(struct session *s);
/* On another worker. False: memory is out. */
MUST_USE bool session_my_compress_arrive(struct session *s);
/* What is said from now on answers what was received last. */
void session_my_compress_answer(struct session *s);
/* It asks for nothing: what is said now it reads as the answer to what it asks next. */
void session_my_compress_end(struct session *s);
void session_my_on_garbled(struct session *s);
/* "zlib", "zstd"; of any session; "": none. */
const char *session_my_compression(const struct session *s);

/* session_my_login.c */
void session_my_open(struct session *s);
size_t session_my_login_received(struct session *s, struct bytes data);
/* COM_CHANGE_USER, behind its first byte. Nothing of the client's is under way. */
void session_my_change_user(struct session *s, struct bytes body);
void session_my_login_leased(struct session *s, struct backend *b);
void session_my_on_arrived(struct session *s, struct bytes key);
void session_my_login_release(struct session *s);

/* session_my_proof.c */
void session_my_proof_init(struct session *s); /* of a login that has just begun */
/* It has said who it is, and is asked for its proof, which may have come along. */
void session_my_prove(struct session *s, const struct my_login *l);
/* The payload of its answer to that, in MY_LOGIN_ANSWER and MY_LOGIN_WHOLE. */
void session_my_proof_take(struct session *s, struct bytes answer);
/* What logins have told of its password, for servers. False: nothing. */
bool session_my_keys(const struct session *s, struct my_auth_keys *out);

#endif
