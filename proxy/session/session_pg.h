/*
 * session_pg.h - a client that speaks PostgreSQL.
 *
 * After login its messages go to the leased connection in runs, as they came. Read
 * are: every header; the statement name of Parse, Bind, Describe and Close; and, but
 * in session mode and above inspect_limit, the text of Query and Parse, for what it
 * leaves behind (session_pg_state.c). Nothing else.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_H
#define GILMOK_PROXY_SESSION_SESSION_PG_H

#include "proxy/pool/state_pg.h"
#include "proxy/session/cancel_key.h"
#include "proxy/session/session.h"
#include "proxy/wire/pg_encode.h"
#include "routing/begin_pg.h"
#include "routing/explain_pg.h"
#include "routing/reset_pg.h"
#include "routing/token_pg.h"

enum { SESSION_PG_APP_NAME_MAX = 63, CANCEL_PEER_TIMEOUT_MS = 5000, SESSION_PG_OWN_VALUES_MAX = 64 << 10,
       SESSION_PG_UNNAMED_MAX = 8 << 10 /* bytes of an unnamed statement that is kept */ };

struct session_pg_login;
struct sql_text;

/* The statements that a client has by name, wherever they are prepared (session_pg_prepared.c). */
struct prepared_client {
    struct map named;   /* name -> struct client_statement, owned */
    struct list ops;    /* what was sent about statements and is not answered yet, in order */
    struct list gone;   /* names that errors may still be about (session_pg_names.h) */
    uint32_t here_count; /* names that stand for what only the present connection has (session_pg_sql.c) */
    uint32_t sql_count;  /* names of what was prepared by SQL */
    bool has_lent;       /* names have been lent for the message at hand, which waits for something else (session_pg_lend.c) */
    uint64_t last_age;   /* of its names (session_pg_names.h) */
    uint64_t sql_version; /* goes up with each of them that comes or goes */
    struct list portals; /* portals of texts that name statements (session_pg_sql_portal.c) */
    bool has_failed;     /* what had to be prepared for a Query could not be, and the client has been told */
    uint16_t last_tag;
    bool has_asked;     /* backend_pg_ask() is out, for the message that is held back */
    bool has_looked_ahead; /* at the group that is open or begins now (session_pg_ahead.c) */
    const struct statement_pg *changed; /* just prepared anew and found different; identity only */
};

/* The statement that it has without a name, as far as is answered, and what is pending (session_pg_unnamed.c). */
struct unnamed_client {
    bool is_there;        /* it has one */
    bool is_used;         /* in a Bind, since it is there */
    bool is_described;    /* the client has heard what it takes and returns: `description` */
    unsigned effects;     /* of its text (routing/effect.h) */
    uint8_t *source;      /* owned; as it stood in the Parse, behind the name */
    uint32_t len, cap;    /* 0: it is not known, and found only where it was parsed */
    uint64_t version;     /* which one: what a connection has of an older one is not the client's */
    uint64_t description;
    uint64_t settings;    /* under which it was parsed (params_pg.h) */
    uint8_t *values;      /* owned; of such settings, as params_pg_put_analysis() writes them ... */
    uint32_t values_len;
    uint64_t values_of;   /* ... with this digest */

    uint8_t *pending;     /* owned; Parses and Closes that are not answered: struct unnamed_pending, each with its source */
    uint32_t pending_len, pending_cap;
    uint64_t last_version; /* of the latest one that was sent */
    bool is_sure;         /* what the connection has is nobody else's, even if all that is pending should be skipped */
    bool is_sent_whole;   /* the group of the last one that is pending has ended since */
};

/* What its SQL has left behind, beyond what the server reports (session_pg_state.c). */
struct left_client {
    struct state_pg state;   /* settings, to be made again elsewhere */
    bool wants_primary;      /* as gilmok.route among them says */
    uint8_t consistency;     /* enum hint_consistency: as gilmok.read_consistency says */
    struct writer names;     /* of settings with a dot, as it has used them; words with a NUL behind each */
    struct sql_options options; /* for reading its texts */
    uint64_t options_digest; /* of the parameters that `options` was made from */
    unsigned effects;        /* enum effect, of what was sent since the last look */
    uint64_t changes_seen;   /* of the catalog, when the first of that was read, and its own since; 0: nothing was sent */
    bool unnamed_reads;      /* the latest Parse of it: it is known not to write */
    unsigned unnamed;        /* of all that the unnamed statement may be now */
    uint64_t unnamed_version; /* what names stood for when it was parsed (catalog_book.h) ... */
    bool reads;              /* the latest text that was read is known not to write */
    uint64_t read_version;   /* ... and when the latest text was read */
    unsigned parsed;         /* of the latest Parse of it */
    const uint8_t *judged;   /* the source that was read to find out where it may go, while its message is at hand; else NULL */
    struct effect_reading judgement; /* what was said of it */
    unsigned latest;         /* of the message at hand; EFFECT_STATEMENTS only here */
    bool is_nested;          /* the latest text with names executes a statement whose text has names, too */
    bool executes_reset;     /* ... or one with a call that puts something of the client's own back */
    bool will_move;          /* the message at hand may change the settings in force */
    bool has_moved;          /* something in the group that is open may have changed the settings in force */
    bool has_bound;          /* a Bind was sent in it */
    uint8_t failed_looks;    /* in a row */
    bool stays;              /* something that no look finds */
    bool is_reset_here;      /* the message at hand may reset what is the client's own */
    bool is_reset_named;     /* it does, and its text names prepared statements, too: it is edited for both */
    uint64_t reset_portal;   /* mark of one whose Execute does, as `reset` says; 0: none */
    struct reset_pg reset;
    struct writer edited;    /* a Parse as the server gets it, where its text is another; its memory only while it is placed */
    struct sql_text *edit;   /* one reference; what was put into the latest unnamed one of these, ... */
    uint16_t edit_tag;       /* ... which the ledger knows by this tag */
};

/* A transaction that the client has begun (session_pg_begin.c). */
enum begun {
    BEGUN_NOT,    /* none, or it is the server's affair */
    BEGUN_HELD,   /* the server knows nothing of it yet */
    BEGUN_SENT,   /* its first exchange is on its way, behind a BEGIN */
    BEGUN_FAILED, /* it has failed before the server knew of it */
};

const char *begun_name(enum begun phase); /* as SHOW CLIENTS says it */

struct begin_client {
    uint8_t phase; /* enum begun */
    struct begin_modes modes;
};

/* What happens to the client's messages when they are not relayed. */
enum discard {
    DISCARD_NOTHING,
    DISCARD_REQUEST,  /* the refused request, then ReadyForQuery */
    DISCARD_ANSWERED, /* what is left of one that has been answered to its end */
    DISCARD_TO_SYNC,  /* the same, but for the Sync, which is the server's */
};

struct session_pg {
    struct session base;            /* first */
    struct session_pg_login *login; /* owned; NULL after the login */
    char *app_name;                 /* owned; NULL = empty */
    char *login_app_name;           /* owned; what it was at the login: what RESET goes back to */
    struct startup_pg *startup;     /* a reference; what its startup parameters come to, which connections lack; may be NULL */
    struct params_pg *wanted;       /* owned; what is reported, as the client has set it; NULL: as connections start */
    uint64_t params_digest;         /* of the server parameters that the client believes in */
    uint32_t body_left;             /* of a message whose head was relayed or dropped */
    bool body_is_dropped;
    bool app_name_was_reset;        /* the client was told the value that a RESET left; it will be told its own again */
    bool asks_token;                /* it has prepared a SHOW of its consistency token */
    bool asks_route;                /* likewise EXPLAIN (ROUTE), for the server to read */
    bool is_refused_by_copy;        /* likewise, by a subscriber, which has but copies of some tables */
    bool is_refused;                /* what is taken back was refused for good, not for the moment */
    uint64_t token;                 /* digest of the latest that it has set; 0: none */
    struct site_place place;        /* what its tokens say; lsn 0: nothing that written_us does not */
    bool app_name_is_long;          /* the client was told its name with its address behind it; likewise */
    enum discard discard;
    struct prepared_client prepared;
    struct unnamed_client unnamed;
    struct left_client left;
    struct begin_client begin;
    struct listen_client *listen; /* owned; NULL: it has never listened to anything where `listen = shared` */
    struct vacating_pg *vacating; /* owned; its statements that need a database for themselves; NULL: there was none */
    struct console_pg *console; /* owned; what a client of the console has prepared; NULL: nothing */
    uint32_t pid; /* that the client was told: gilmok's number for it, or in session mode the server's own process id */
    struct cancel_key cancel_key; /* with pid, what a CancelRequest must bring */
};

extern const struct session_proto session_pg_proto;

/* NULL: it speaks another protocol. */
static inline const struct session_pg *session_pg_try(const struct session *s) {
    return s->proto == &session_pg_proto ? (const struct session_pg *)s : NULL;
}

static inline struct session_pg *session_pg_of(struct session *s) {
    return (struct session_pg *)s;
}

/* What became of a message. */
enum step {
    STEP_DONE, /* placed or dropped; what is missing of it follows */
    STEP_KEEP, /* not now: offer it again */
    STEP_STOP, /* the session is over */
    STEP_RAW,  /* session_pg_prepared_take: not mine, pass it on as it is */
};

/* A message of which `avail` bytes are in hand, in `buf`. */
struct message {
    struct buf *buf;
    struct pg_header h;
    const uint8_t *ptr;
    size_t avail;
    size_t in_hand; /* from ptr on, the messages behind it included */
    bool has_names; /* of a Bind: its names are in hand */
    struct bytes portal, statement; /* a Bind's; else set by session_pg_prepared_concerns */
    uint16_t tag; /* of an Execute: what the ledger gives back with its reply; 0: nothing */
    struct sql_text *edit; /* one reference; ptr is not in `buf`: the text is not the client's own any more, by this; or NULL */
};

/* The rest of a message, when it comes, is thrown away. */
void session_pg_drop(struct session_pg *ps, const struct message *m);
/* A Bind, Parse or Describe that must fail stands here: one that names no statement at all. */
void session_pg_send_missing(struct backend *b, uint8_t type);
/* ErrorResponse, CommandComplete and ReadyForQuery of gilmok's own. */
void session_pg_tell(struct session *s, const struct err *err, bool is_fatal);
void session_pg_send_ready(struct session *s, char status);

/* ---- session_pg_answer.c ---- */
enum { OWN_ANSWER_MAX = 2 << 20 };
/* A Query, or all messages of an exchange with the unnamed statement; or of one with any, that begins with its Bind. */
struct own_exchange {
    struct bytes statement; /* its name */
    struct bytes messages; /* of the extended protocol; else empty */
    bool is_binary;        /* it wants the value so */
    bool closes;           /* the statement, in the end */
    struct bytes source;   /* of what is bound, when no Parse is among it: as in a Parse, behind the name */
    bool is_inside;        /* other messages stand in front, which the server has answered: it answers the Sync, too */
    bool is_plain;         /* no parameters, and each message where it has its sense: a server would take it */
};
struct own_answer {
    const char *column; /* NULL: no rows; else one row with one column of text, ... */
    struct bytes value; /* ... this */
    const char *tag;    /* the command's */
    bool leaves_statement; /* the unnamed one, which a server would know, too */
};
/* Of a Query or a Parse that is whole, and right. False: it is not, and the server will say so. */
bool session_pg_answer_text(const struct message *m, struct bytes *text);
/* STEP_DONE: gilmok can answer it. STEP_KEEP: not all of it is in hand yet. STEP_RAW: other things are in it. */
enum step session_pg_answer_read(const struct message *m, struct own_exchange *x);
/* Answers it with the status that the session has now. Nothing of the client's is under way. */
enum step session_pg_answer(struct session *s, const struct message *m, const struct own_exchange *x, const struct own_answer *a);

/* ---- session_pg_begin.c ---- */
/* What a ReadyForQuery of gilmok's own says. */
char session_pg_status(const struct session *s);
/* Between exchanges. */
static inline bool session_pg_begin_may_be(const struct session_pg *ps, const struct message *m) {
    bool is_begun = ps->begin.phase == BEGUN_HELD;
    if (UNLIKELY(ps->begin.phase == BEGUN_FAILED)) return true;
    if (!is_begun && !session_pool(&ps->base)->limits.holds_begin) return false;
    if (m->h.type != PG_F_QUERY && m->h.type != PG_F_PARSE) return false;
    size_t head = PG_HEADER_LEN + (m->h.type == PG_F_PARSE); /* of one without a name */
    return m->avail > head && (head == PG_HEADER_LEN || !m->ptr[PG_HEADER_LEN]) &&
           begin_pg_may_be(bytes_of(m->ptr + head, m->avail - head), is_begun);
}
/* It is about to go to one of several nodes: what snapshots it exports is remembered (pool/exported.h). */
void session_pg_export_on_message(struct session *s, const struct message *m);
static inline bool session_pg_may_export(const struct session *s, uint8_t type) {
    const struct pool *p = session_pool(s);
    return UNLIKELY(p->is_spread) && p->mode == POOL_TRANSACTION && (type == PG_F_QUERY || type == PG_F_PARSE || type == PG_F_BIND);
}
/* STEP_RAW: it goes the way of all others. */
enum step session_pg_begin_take(struct session *s, const struct message *m);
/* It has a connection, and this is the first message for it: what was held back goes first. STEP_DONE: now the message may go. */
enum step session_pg_begin_go_first(struct session *s, struct message *m);
/* It has a connection for a request. */
static inline void session_pg_begin_prepare(struct session_pg *ps) {
    if (ps->begin.phase == BEGUN_SENT) ps->begin.phase = BEGUN_NOT;
}
/* What was sent has had no effect, its BEGIN included. */
void session_pg_begin_on_taken_back(struct session *s);
/* The first statement of what is held back has failed. */
void session_pg_begin_fail(struct session_pg *ps);
/* It is held back, and a replica may run it. */
static inline bool session_pg_begin_reads(const struct session_pg *ps) {
    return ps->begin.phase == BEGUN_HELD && ps->begin.modes.access == ACCESS_READ_ONLY &&
           ps->begin.modes.isolation != ISOLATION_SERIALIZABLE;
}

/* ---- session_pg_route.c ---- */
/* An exchange begins with this message. True: it goes to s->reads. */
bool session_pg_route_to_replica(struct session *s, const struct message *m);
/* Its connection is at a replica, and this is next. */
enum route_follow {
    ROUTE_FOLLOWS, /* it may go there, too */
    ROUTE_WAITS,   /* until the connection is given back */
    ROUTE_REFUSED, /* it is in a transaction there, and belongs on the primary */
};
enum route_follow session_pg_route_follow(struct session *s, const struct message *m);
/* Tells the client so, and ends its transaction as an error does. */
enum step session_pg_route_refuse(struct session *s, const struct message *m);
/*
 * What s->route would be of a statement that came now, alone, with this source; ROUTE_READS: it would go to a replica.
 * `is_asked_inside`: the exchange that asks has a connection for itself, which does not count.
 */
enum route_reason session_pg_route_reason(struct session *s, struct bytes source, bool is_asked_inside);

/* ---- session_pg_explain.c ---- */
static inline bool session_pg_explain_may_be(const struct session_pg *ps, const struct message *m) {
    if (m->h.type == PG_F_BIND) return UNLIKELY(ps->asks_route);
    if (m->h.type != PG_F_QUERY && m->h.type != PG_F_PARSE) return false;
    const uint8_t *text = m->ptr + PG_HEADER_LEN, *end = m->ptr + m->avail;
    if (m->h.type == PG_F_PARSE) text = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
    if (m->h.type == PG_F_PARSE && text) text++;
    return text && text < end && explain_pg_may_start(bytes_of(text, (size_t)(end - text)));
}
/* STEP_RAW: it asks no such thing, or in such a way that only the server can answer. */
enum step session_pg_explain_take(struct session *s, const struct message *m);

/* ---- session_pg_token.c ---- */
static inline bool session_pg_token_may_be(const struct session_pg *ps, const struct message *m) {
    if (m->h.type == PG_F_BIND) return ps->asks_token;
    if (m->h.type == PG_F_QUERY) return token_pg_may_be(bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN));
    if (m->h.type != PG_F_PARSE || m->avail != m->h.total) return false;
    const uint8_t *end = m->ptr + m->avail, *name_end = pg_parse_name_end(bytes_of(m->ptr + PG_HEADER_LEN, m->h.body_len));
    return name_end && token_pg_may_be(bytes_of(name_end + 1, (size_t)(end - name_end - 1)));
}
/* STEP_RAW: it is to be placed as any other. */
enum step session_pg_token_take(struct session *s, const struct message *m);

/* For struct session_proto. */
bool session_pg_route_takes_back(struct session *s, struct bytes error);
void session_pg_route_on_taken_back(struct session *s, struct backend *b, struct bytes exchange);

/* ---- session_pg_sequences.c ---- */
/* When a lease begins. True: backend_pg_discard_sequences() is called before anything is sent. */
MUST_USE bool session_pg_sequences_must_go_first(struct session *s, struct backend *b);
/* Before a text with EFFECT_NEXTVAL or EFFECT_CURRVAL; `is_alone`: it is one statement. True: likewise before it. */
MUST_USE bool session_pg_sequences_must_go(struct session *s, unsigned effects, bool is_alone);

/* ---- session_pg_vacate.c ---- */
/* A Query or a Parse is about to go to the server; more than once for the same one does no harm. */
void session_pg_vacate_on_text(struct session *s, const struct message *m);
/* A Bind of that name, where ps->vacating is not NULL. */
void session_pg_vacate_on_bind(struct session *s, struct bytes statement);
void session_pg_vacate_release(struct session_pg *ps);

/* ---- session_pg_state.c ---- */
/* A group end goes out. */
static inline void session_pg_state_on_group_sent(struct session_pg *ps) {
    ps->left.has_moved = ps->left.has_bound = ps->prepared.has_looked_ahead = false;
}
/* A message was sent. */
static inline void session_pg_state_on_sent(struct session_pg *ps, uint8_t type) {
    if (ps->left.will_move && type != PG_F_QUERY && type != PG_F_FUNCTION_CALL) ps->left.has_moved = true;
}
/* Before a message goes to the server. True: sequences must be discarded before it (backend_pg_discard_sequences). */
MUST_USE bool session_pg_state_on_message(struct session *s, const struct message *m);
/* A setting with a dot in its name is the client's: looks must ask for it. */
void session_pg_state_on_name(void *session, struct bytes name);
/* True for a message that must be in hand as a whole to be judged. */
bool session_pg_state_needs_more(const struct session *s, const struct message *m);
/*
 * What its texts may leave behind. A source is a text with a NUL behind it, and then types. `kept`: what was said of it before,
 * and is now; may be NULL.
 */
unsigned session_pg_state_effects(struct session *s, const struct backend *b, struct bytes source, struct effect_reading *kept);
/*
 * What is known of where a text may go; NULL: nothing. From the same reading as what it leaves behind. `kept` as above; borrowed,
 * or good until the next one is asked for.
 */
const struct effect_reading *session_pg_state_reading(struct session *s, struct bytes source, struct effect_reading *kept);
/* A replica has refused it, and would again: it stays on the primary from now on, until the database's code is another one. */
void session_pg_state_refuse(struct session *s, struct bytes source, struct effect_reading *kept);
/* left.state is another one. */
void session_pg_state_on_state(struct session_pg *ps);
/* What is known of its pool's database, and holds; NULL: nothing. */
const struct classify_facts *session_pg_state_facts(struct session *s);
/* All is answered, outside of a transaction. */
void session_pg_state_settle(struct session *s, struct backend *b);
void session_pg_state_on_looked(struct session *s, struct backend *b, struct bytes rows, bool ok);
/* Outside a transaction, before anything is sent. False: the connection has failed. */
MUST_USE bool session_pg_state_prepare(struct session *s, struct backend *b);
void session_pg_state_release(struct session_pg *ps);

/* enum effect of a message's text, that of a Parse included. */
unsigned session_pg_state_message_effects(struct session *s, const struct message *m);

/* ---- session_pg_listen.c, session_pg_lay.c, session_pg_hear.c ---- */
/* Looks tell the channels by name. */
bool session_pg_listen_wants_names(const struct session *s);
/* Of one with `listen`: true while a look is due, whatever pins the client: its channels may have changed. */
bool session_pg_listen_is_due(const struct session_pg *ps);
/* Before a message goes to the server, with nothing of the client's kept back in front of it. STEP_RAW: it may go now. */
enum step session_pg_listen_on_message(struct session *s, const struct message *m);
/* There is no look now, although it is due: what was held back goes out. */
void session_pg_listen_on_no_look(struct session *s);
/* The channels that the connection listens to, words with a NUL behind each; taken from the writer. */
void session_pg_listen_on_found(struct session *s, struct backend *b, struct writer *channels);
/* All is answered, and there is nothing to look for: channels that were found go over to the shared connection (PIN_HANDING). */
void session_pg_listen_settle(struct session *s, struct backend *b);
void session_pg_listen_on_settled(struct session *s, struct backend *b);
void session_pg_listen_on_group_end(struct session *s, struct backend *b);
bool session_pg_listen_on_notification(struct session *s, struct bytes message);
void session_pg_listen_prepare(struct session *s, struct backend *b);
void session_pg_listen_release(struct session_pg *ps);
/* A transaction is over in which no server connection was needed. */
void session_pg_listen_on_rest(struct session *s);

/* ---- session_pg_reset.c ---- */
/* True when the client has values of its own that a reset does not go back to. */
bool session_pg_reset_matters(const struct session_pg *ps);
/* True when something must be done about the message at hand. */
static inline bool session_pg_reset_concerns(const struct session_pg *ps) {
    return ps->left.is_reset_here || ps->left.reset_portal;
}
/* Before it is placed. STEP_RAW: it, or what has been made of it, is to be placed as any other. */
enum step session_pg_reset_take(struct session *s, struct message *m);
bool session_pg_reset_needs_more(const struct session_pg *ps, const struct message *m);
/* Statements that must stand behind a reset, with a NUL behind each; none when what the server goes back to is right. */
void session_pg_reset_put_own(struct session *s, const struct reset_pg *r, struct writer *w);
/* Each value that the client goes back to and the connection does not. */
typedef void session_pg_reset_each(void *ctx, const char *name, const char *value);
void session_pg_reset_each_own(struct session *s, session_pg_reset_each *each, void *ctx);

/* What a text resets, as far as the connection does not go back to the client's own values by itself. */
struct resets_pg session_pg_reset_read(struct session *s, struct bytes text);

/* ---- session_pg_reset_call.c ---- */
#define SESSION_PG_RESET_OPENS "coalesce("
#define SESSION_PG_RESET_CLOSING_MAX(text) ((text).len + SESSION_PG_OWN_VALUES_MAX)
/*
 * What the value of a call is when it is NULL, and the end of what SESSION_PG_RESET_OPENS begins. False: the connection goes back
 * to the client's own value by itself, and nothing is to be put.
 */
bool session_pg_reset_put_closing(struct session *s, struct bytes text, const struct reset_call_pg *call, struct writer *w);
/* True when that stands in all of these calls. */
bool session_pg_reset_calls_are_made(struct session *s, struct bytes text, const struct resets_pg *resets);

/* ---- session_pg_reset_text.c ---- */
/* Places a Query with these resets. STEP_RAW: nothing must stand behind any. */
enum step session_pg_reset_text_take(struct session *s, const struct message *m, struct bytes text, const struct resets_pg *resets);
/*
 * The same to a Query that is edited already, by `names`: it is made anew in `w`, and `*own` tells which of its statements are
 * gilmok's (backend_pg_hide_statements). False: that cannot be done, and session_pg_reset_text_fail() says so to the client.
 */
MUST_USE bool session_pg_reset_text_add(struct session *s, struct sql_text *names, struct writer *w, uint64_t *own);
enum step session_pg_reset_text_fail(struct session *s, const struct message *m);
/*
 * Places a Query behind a statement of gilmok's own. When that fails, nothing of the client's runs, but what the server has to say
 * of the text as a whole it says first. `own_succeeds`: its success is hidden, and nothing else may be owed now.
 */
enum step session_pg_reset_text_behind(struct session *s, const struct message *m, struct bytes text, const char *own,
                                       bool own_succeeds);
/* Makes of a Parse, whose `text` has these calls, another one with the client's own values in them, if any. STEP_RAW: it is. */
enum step session_pg_reset_text_parse(struct session *s, struct message *m, struct bytes text, const struct resets_pg *resets);
/* A message has been placed, or is kept: nothing of what was made of it is needed any more, but to read errors. */
void session_pg_reset_text_end(struct session *s, struct message *m, enum step step);
/* An Execute has been placed. False: the connection has failed. */
MUST_USE bool session_pg_reset_follow(struct session *s, const struct message *m);

/* ---- session_pg_startup.c ---- */
/* The variant for a client that is to be greeted, whose startup parameters are `key`: it shares connections if it can. */
struct variant *session_pg_startup_variant(struct session *s, struct pool *p, struct bytes key, struct err *err);
/* It has a connection that was started with its parameters, and is not greeted yet. True: the server is asked about them. */
bool session_pg_startup_ask(struct session *s, struct backend *b);
void session_pg_startup_on_looked(struct session *s, struct backend *b, struct bytes rows, bool ok);
/* From now on it needs connections that were started with its parameters. It holds none now. */
MUST_USE bool session_pg_startup_go_own(struct session *s, struct err *err);
/* True when a look may find that some of its startup settings are gone: they are made again before its next message. */
static inline bool session_pg_startup_awaits_look(const struct session_pg *ps) {
    return ps->startup && ps->startup->rest.count;
}
/* What its SQL has left, with its own startup values where that left none. False: memory is out. */
MUST_USE bool session_pg_startup_add(const struct session_pg *ps, struct state_pg *left);
void session_pg_startup_release(struct session_pg *ps);

/* ---- session_pg_settings.c ---- */
void session_pg_settings_prepare(struct session *s, struct backend *b);
void session_pg_settings_on_group_end(struct session *s, struct backend *b);
/* How its texts are to be read now; `b` NULL: on its next connection. NULL: that is not known. */
const struct sql_options *session_pg_settings_options(struct session *s, const struct backend *b);
/* What statements that are sent now will find, as far as the server reports it. */
const struct params_pg *session_pg_settings_in_force(const struct session *s, const struct backend *b);
/*
 * Two statements: one puts these settings (params_pg_put_analysis) in force, one puts back those of `in_force`. False: that
 * cannot be done, or they are not known.
 */
bool session_pg_settings_around(const struct params_pg *in_force, struct bytes values, struct writer *there, struct writer *back);
void session_pg_settings_release(struct session_pg *ps);

/* ---- session_pg_prepared.c ---- */
void session_pg_prepared_init(struct session_pg *ps);
void session_pg_prepared_release(struct session_pg *ps);
/* True for a message of which only a part is in hand, when it names a statement and more of it must be. */
bool session_pg_prepared_needs_more(const struct session *s, const struct message *m);
/* True for a Parse, Bind, Describe or Close that names a statement, unless it is to pass as it is. */
bool session_pg_prepared_concerns(struct session *s, struct message *m);
/* The connection is lost, and the session goes on: what was not answered there has not happened. */
void session_pg_prepared_on_lost(struct session *s);
/* Places such a message. */
enum step session_pg_prepared_take(struct session *s, const struct message *m);
/* A group end is sent now. The mark for it. */
uint16_t session_pg_prepared_end_group(struct session_pg *ps);
void session_pg_prepared_on_group_end(struct session *s, struct backend *b, uint16_t tag);
void session_pg_prepared_on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag);
void session_pg_prepared_on_dropped(struct session *s);
/* True when it stands for a statement, at this point of the client's messages. */
bool session_pg_prepared_is_known(struct session_pg *ps, struct bytes name);
/* True when it stands for none, and nothing that is under way can make it stand for one. */
bool session_pg_prepared_is_none(struct session_pg *ps, struct bytes name);
/* The statement that it stands for, or is about to; NULL: none that gilmok knows. */
struct statement_pg *session_pg_prepared_statement(struct session_pg *ps, struct bytes name);

/* True when the client knows it by this name, the connection does not, and it is not on its way there. */
bool session_pg_prepared_lacks(struct session *s, struct bytes name);
/* Prepares it there, in a group of gilmok's own; nothing when that cannot be done now. False: the session is over. */
MUST_USE bool session_pg_prepared_bring(struct session *s, struct bytes name);

/* ---- session_pg_ahead.c ---- */
/* What the group that begins with this message needs is brought to the connection before it. STEP_DONE: the message may go. */
enum step session_pg_look_ahead(struct session *s, const struct message *m);
static inline bool session_pg_must_look_ahead(const struct session_pg *ps) {
    return !ps->prepared.has_looked_ahead && (ps->prepared.named.count || ps->unnamed.len);
}

/* The message stays until everything before it is answered; when that may be never, the server is asked for it. */
enum step session_pg_await_replies(struct session *s);

/* ---- session_pg_errors.c ---- */
/* An error or a notice that is to be passed on. True: the client has been told, in its own names. */
bool session_pg_on_error(struct session *s, struct backend *b, uint8_t kind, uint16_t tag, struct bytes message);

/* ---- session_pg_names.c ---- */
/* What each of its names stands for. */
void session_pg_names_each(const struct session_pg *ps, void (*each)(void *ctx, const struct statement_pg *st), void *ctx);
/* Before and after it goes to another worker: texts are kept once per worker. */
void session_pg_names_pack(struct session *s);
void session_pg_names_unpack(struct session *s);

/* ---- session_pg_sql.c ---- */
/* What a text that names prepared statements may leave behind by what it executes. */
unsigned session_pg_sql_effects(struct session *s, struct backend *b, struct bytes text);
/* session_pg_sql_portal.c: before a message goes out while there are portals of such texts. STEP_RAW: it may go. */
enum step session_pg_sql_track(struct session *s, struct message *m);
/* A Query whose text names prepared statements. STEP_RAW: as it is. */
enum step session_pg_sql_take_query(struct session *s, const struct message *m);
/* All is answered, outside of a transaction: what was prepared by SQL is described. */
void session_pg_sql_settle(struct session *s, struct backend *b);

/* ---- session_pg_lend.c ---- */
/* True when something may have to be done about them before the message at hand. */
static inline bool session_pg_lend_concerns(const struct session_pg *ps, uint8_t type) {
    bool may_be_of_copy = type == PG_F_COPY_DATA || type == PG_F_COPY_DONE || type == PG_F_COPY_FAIL;
    if (may_be_of_copy || type == PG_F_SYNC || type == PG_F_FLUSH) return false; /* a COPY, begun or not, suffers nothing else */
    bool has_some = ps->prepared.sql_count || !list_is_empty(&ps->prepared.ops);
    unsigned effects = type == PG_F_PARSE ? ps->left.parsed | (has_some ? EFFECT_EXECUTES : 0) : ps->left.latest;
    return ps->base.pins & PIN_LENT || effects & EFFECT_LISTS || (has_some && effects & EFFECT_EXECUTES);
}
/* Before a message goes to the server: its functions will find the client's names. STEP_RAW: it may go. */
enum step session_pg_lend_on_message(struct session *s, const struct message *m);
/* The same of the first message of a transaction, before that begins. */
enum step session_pg_lend_first(struct session *s, const struct message *m);
/* True for a name that stands for something on the connection only because it was lent. */
bool session_pg_is_lent(const struct session *s, struct bytes name);
/* All is answered, outside of a transaction; no look is out. */
void session_pg_lend_settle(struct session *s, struct backend *b);
/* The same before a look: it sees no list of all that the client has. False: the connection has failed. */
MUST_USE bool session_pg_lend_end_list(struct session *s, struct backend *b);
void session_pg_lend_on_settled(struct session *s, struct backend *b);
/* `others`: names of statements by SQL that gilmok has not made, with a NUL behind each. */
void session_pg_lend_on_looked(struct session *s, struct backend *b, struct bytes others);

/* Ends the session with a protocol violation. */
void session_pg_violation(struct session *s, const char *what);

/* ---- session_pg_unnamed.c ---- */
void session_pg_unnamed_release(struct session_pg *ps);
/*
 * True for a message that names one of which nobody knows whose it is, until replies are in: the client's Parse may have been
 * skipped after an error, and then the connection still has another client's.
 */
bool session_pg_unnamed_must_wait_for(struct session *s, struct backend *b, uint8_t type);
static inline bool session_pg_unnamed_must_wait(struct session *s, struct backend *b, uint8_t type) {
    const struct unnamed_client *u = &session_pg_of(s)->unnamed;
    return (u->pending_len || (u->is_there && type == PG_F_QUERY)) && session_pg_unnamed_must_wait_for(s, b, type);
}
/* True for a Parse of it whose meaning depends on settings of which only the server knows (backend_pg_ask()). */
bool session_pg_unnamed_must_ask(const struct session *s, const struct message *m);
/* The source of the one that a Bind would mean now; empty: it is not known. */
struct bytes session_pg_unnamed_latest(const struct session_pg *ps);
/* Nothing that is pending has happened. */
void session_pg_unnamed_on_taken_back(struct session_pg *ps);
/* A group end goes out. */
static inline void session_pg_unnamed_on_group_sent(struct session_pg *ps) {
    ps->unnamed.is_sent_whole = true;
}
/* True when the next Parse of it will be read by the server, whatever happens before. */
bool session_pg_unnamed_is_certain(const struct backend *b);
/*
 * Notes what a message does to unnamed statements; `*tag` is set when its reply matters.
 * False: it names one that is not the client's on this connection, and must be replaced.
 */
bool session_pg_unnamed_track(struct session *s, struct backend *b, const struct message *m, uint16_t *tag);
/* gilmok answers it itself: it ends the unnamed statement all the same, and nothing behind it may meet an older one. */
void session_pg_unnamed_on_not_sent(struct session *s, const struct message *m);
/* The same with a Parse that a server would take: it leaves what the client may bind again. */
void session_pg_unnamed_on_answered(struct session *s, const struct message *m);
bool session_pg_unnamed_is_tag(uint16_t tag);
void session_pg_unnamed_on_tagged(struct session *s, struct backend *b, uint8_t kind, uint16_t tag);
void session_pg_unnamed_on_failed(struct session *s, struct backend *b, uint16_t tag);
void session_pg_unnamed_on_group_end(struct session *s, struct backend *b);
/* A Bind or Describe of it, when its text names statements (session_pg_sql_portal.c). STEP_RAW: it is like any other. */
enum step session_pg_unnamed_take_sql(struct session *s, const struct message *m);
/* True when the client's unnamed statement is not on this connection, but known: it now has the empty name. */
bool session_pg_unnamed_adopt(struct session *s, const struct backend *b);

/* ---- session_pg_console.c ---- */
/* One whole message of a client at the console that no console_job is under way for. */
void session_pg_console_take(struct session *s, uint8_t type, struct bytes body);
void session_pg_console_reply(struct session *s, struct writer *reply, bool ends);
void session_pg_console_release(struct session_pg *ps);

/* ---- session_pg_cancel.c ---- */
struct cancel_wait;
/* Carries out a CancelRequest. Not NULL: `asker` stays until it is closed by the cancel's end, or leaves and detaches. */
struct cancel_wait *session_pg_cancel(struct session *asker, uint32_t pid, struct bytes key);
void session_pg_cancel_detach(struct cancel_wait *wait); /* NULL is fine */

/* ---- session_pg_interrupt.c ---- */
/*
 * Cancels what a client has asked and is not answered yet. `on_done` is called once when that is over, and never inside this call.
 * False: it is over already, and on_done is not called.
 */
MUST_USE bool session_pg_interrupt(struct session *s, void (*on_done)(void *ctx), void *ctx);
/* One of its groups has been answered, and counted. */
void session_pg_interrupt_on_answer(struct session *s);

/* ---- session_pg_login.c ---- */
void session_pg_login_begin(struct session *s);
size_t session_pg_login_received(struct session *s, struct bytes data);
void session_pg_on_arrived(struct session *s, struct bytes key);
void session_pg_login_leased(struct session *s, struct backend *b);
void session_pg_login_release(struct session *s);
/* Its startup parameters have been judged: to its pool, in whichever way they say. */
void session_pg_begin_service(struct session *s);
/* It is greeted with what this connection reports. */
void session_pg_greet_leased(struct session *s, struct backend *b);
/* The cancel request that it brought is over. */
void session_pg_login_forget_cancel(struct session *s);

#endif
