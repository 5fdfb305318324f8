/*
 * ledger.h - the replies that one server connection owes, in order, and what to do
 * with each. Protocol-neutral: entries have a kind that only the protocol's own
 * reply step (reply_pg.h, reply_my.h) understands.
 *
 *      head                                              tail
 *       | QUERY swallow | PARSE fwd | BIND fwd | ... SYNC fwd |
 *       '--- group -----'--------------- group ---------------'
 *
 * A group ends with an entry that has ends_group: PostgreSQL answers each with a
 * ReadyForQuery; on MySQL every command is a group of its own. docs/decisions/0001
 * writes both out.
 *
 * WHEN IS A CONNECTION FREE? Only when ledger_is_quiet(): nothing owed, no group
 * left open (something was sent after the last group end), no message half sent,
 * the server not waiting for the client's data, no doubt about what is still to
 * come; and `txn` says TXN_NONE. All other
 * evidence ("all replies are in") is not enough: after Parse/Bind/Execute/Flush an
 * implicit transaction is open although nothing is owed.
 *
 * The first LEDGER_INLINE entries need no heap. At most LEDGER_MAX are held; the
 * sender stops reading its client while ledger_is_full().
 */
#ifndef GILMOK_PROXY_POOL_LEDGER_H
#define GILMOK_PROXY_POOL_LEDGER_H

#include "base/build.h"

enum {
    LEDGER_INLINE = 32,
    LEDGER_MAX = 16384,      /* more than a server's 8 KiB send buffer holds of the shortest replies, so it must flush */
    LEDGER_GROUPS_MAX = 64,  /* requests that one client may have open on a connection */
};

/*
 * What becomes of a reply. The last two are for messages that gilmok puts among the
 * client's own: nobody sees their success, but their error is the client's, because it
 * ends the client's group.
 */
enum reply_fate { REPLY_FORWARD, REPLY_SWALLOW, REPLY_QUIET, REPLY_COLLECT /* quiet, and its contents are wanted */ };
enum txn_state { TXN_NONE, TXN_OPEN, TXN_FAILED };
const char *txn_state_name(enum txn_state txn);

struct ledger_entry {
    uint8_t kind;
    uint8_t fate; /* enum reply_fate */
    bool ends_group;
    uint16_t tag; /* the sender's own mark, handed back with the reply; 0 = none */
};

struct ledger {
    struct ledger_entry *ring; /* inline_ring, or owned heap memory */
    uint32_t cap;              /* a power of two */
    uint32_t head;             /* index of the oldest entry */
    uint32_t count;
    uint32_t groups;           /* entries with ends_group */

    enum txn_state txn;        /* as of the last group end that came back; and OPEN where a failed one has ended in a group since */
    bool is_group_open;        /* sent something since the last group end that was sent */
    bool is_message_open;      /* a message is half sent */
    bool is_skipping;          /* after an error: the server answers nothing until a `resume_kind` is sent */
    uint8_t resume_kind;
    bool has_voided_end;       /* what the latest error made void had a group's end in it, ... */
    uint16_t voided_tag;       /* ... the first with this tag */
    bool is_client_turn;       /* the server waits for data from the client (COPY IN; LOCAL INFILE) */
    uint16_t doubtful;         /* group ends that may still come, or not: see reply_pg.h on failed COPYs */
    uint16_t next_tag;         /* goes to the next entry that is pushed, or dropped because the server skips it */
    uint8_t phase;             /* how far the head entry's reply has come; the reply step's own */

    struct ledger_entry inline_ring[LEDGER_INLINE];
};

void ledger_init(struct ledger *l);
void ledger_release(struct ledger *l);

/*
 * Notes that a message was sent. False when memory is out (the connection must then
 * be given up). An entry pushed while skipping is dropped, unless it is of the
 * kind that ends the skipping.
 */
MUST_USE bool ledger_push(struct ledger *l, uint8_t kind, enum reply_fate fate, bool ends_group);

/* The entry whose reply comes next, or NULL. */
struct ledger_entry *ledger_head(struct ledger *l);
/* True when a reply that somebody is to see is owed: not only to gilmok's own commands. */
bool ledger_owes_forward(struct ledger *l);
/* True when all that is owed are replies to gilmok's own commands, and nobody is in the middle of anything. */
bool ledger_owes_own_only(struct ledger *l);
/* Entry number i from the head, 0-based; i < count. */
struct ledger_entry *ledger_at(struct ledger *l, uint32_t i);
void ledger_pop(struct ledger *l);
/* Takes out entry number i; later ones move up. */
void ledger_remove(struct ledger *l, uint32_t i);
/*
 * After an error: everything up to the next entry of `resume_kind` is void, group
 * ends of other kinds included (after an error in the extended protocol PostgreSQL
 * skips a Query too; only Sync makes it listen again). Without one, skipping begins.
 */
void ledger_void_until(struct ledger *l, uint8_t resume_kind);

static inline bool ledger_is_quiet(const struct ledger *l) {
    return l->count == 0 && !l->doubtful && !l->is_group_open && !l->is_message_open && !l->is_skipping && !l->is_client_turn;
}

static inline bool ledger_is_full(const struct ledger *l) {
    return l->groups >= LEDGER_GROUPS_MAX || l->count >= LEDGER_MAX;
}

#endif
