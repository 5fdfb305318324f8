/*
 * reply_my.h - what a MySQL server's packets mean, as answers to the commands in the ledger. Pure.
 *
 * Links to servers always have DEPRECATE_EOF and SESSION_TRACK, and never compression, so that an answer is one of:
 *
 *     OK | ERR                                                       most commands
 *     count, definitions, (rows)*, end      the end is an OK that begins with 0xfe; with a cursor it comes at once, without rows
 *     (answer with MORE_RESULTS)* answer                             of several statements, and of procedures
 *     0x00 and counts, definitions of parameters, of columns         STMT_PREPARE
 *     definitions, end                                               FIELD_LIST
 *     rows, end                                                      STMT_FETCH
 *     one text                                                       STATISTICS
 *     0xfb and a name; then the client sends its file, and OK | ERR  of a LOAD DATA LOCAL in a QUERY
 *     nothing                                                        QUIT, STMT_CLOSE, STMT_SEND_LONG_DATA: not in the ledger
 *
 * ERR may stand in the place of any packet, and is the end of all of it. Each command is a group of the ledger.
 *
 * Clients that know no DEPRECATE_EOF want an EOF packet behind definitions and in the place of the end. What of that is due is told
 * with each packet (eof_before, eof_behind); where a cursor was opened the end itself is the one behind the definitions.
 *
 * Source: the command phase chapters of MySQL's and MariaDB's protocol documentation; tried on MariaDB 10.11.
 */
#ifndef GILMOK_PROXY_POOL_REPLY_MY_H
#define GILMOK_PROXY_POOL_REPLY_MY_H

#include "proxy/pool/ledger.h"
#include "proxy/wire/my_decode.h"

enum {
    REPLY_MY_WHOLE_MAX = 48 << 10, /* a longer OK or ERR is nothing that a server has to say */
    REPLY_MY_COLUMNS_MAX = 65535,
};

/* Where an answer stands. */
enum reply_my_phase { REPLY_MY_FIRST, REPLY_MY_DEFINITIONS, REPLY_MY_DEFINED, REPLY_MY_ROWS };

struct reply_my {
    bool is_begun;          /* its first packet has come */
    uint8_t seq;            /* ... and the next one has this number */
    bool is_continued;      /* it goes on with the one before, which was as long as can be */
    uint32_t left;          /* definitions that are still to come ... */
    uint32_t left_behind;   /* ... and those of the columns behind those of the parameters */
    uint64_t rows;          /* of the result that is coming in */
    uint16_t warnings;      /* of a statement that was prepared */
};

enum reply_my_verdict {
    REPLY_MY_PART,   /* more of the answer comes */
    REPLY_MY_END,    /* that was all: the entry is out of the ledger, ledger.txn is up to date */
    REPLY_MY_BROKEN, /* cannot be explained: the connection must be closed, nothing more may be forwarded */
};

enum reply_my_kind {
    REPLY_MY_DATA,     /* to be passed on as it is: definitions, rows, texts, rests */
    REPLY_MY_OK,       /* begins with 0x00: `ok` is set */
    REPLY_MY_ROWS_END, /* begins with 0xfe: `ok` is set */
    REPLY_MY_ERROR,    /* an ERR packet, whole in hand */
    REPLY_MY_FILE,     /* the client is to send a file; it is its turn (ledger.is_client_turn) until reply_my_sent_file() */
};

struct reply_my_packet {
    enum reply_my_kind kind;
    bool eof_before, eof_behind; /* where a client without DEPRECATE_EOF wants an EOF packet */
    uint16_t eof_warnings;       /* what it counts: clients look there whether there are any */
    enum reply_fate fate;        /* of the answer that it is part of */
    uint8_t command;             /* likewise: which it answers */
    struct my_ok ok;
    uint64_t rows;               /* REPLY_MY_ROWS_END: so many were before it */
    uint16_t error;              /* REPLY_MY_ERROR: its number */
    struct bytes file;           /* REPLY_MY_FILE: its name; borrowed */
};

/* A command begins to be sent, with a packet of number 0. False: memory is out. Not of commands that have no answer. */
MUST_USE bool reply_my_sent(struct ledger *l, uint8_t command, enum reply_fate fate);
/* The latest goes on with a packet of this number: its answer begins behind that. */
void reply_my_sent_more(struct ledger *l, uint8_t seq);
/*
 * The latest wants a cursor: an error in the place of the one that opens it stands right behind the definitions. (So it is with a
 * CALL then, which opens none: there the client learns of the error a packet earlier than past gilmok.)
 */
void reply_my_sent_cursor(struct ledger *l);
/* A packet of the file that was asked for is sent: the number that it must have. `is_last`: the empty one behind it. */
uint8_t reply_my_sent_file(struct reply_my *r, struct ledger *l, bool is_last);
/* True of a command that servers do not answer. */
bool reply_my_is_unanswered(uint8_t command);

/*
 * How many bytes of a packet's payload must be in hand before it can be judged: of those that may end an answer, or have an EOF
 * behind them, all. `first`: its first byte (0 where it is empty).
 */
size_t reply_my_needed(const struct reply_my *r, const struct ledger *l, const struct my_header *h, uint8_t first);

/* Takes a packet: `payload` has as many bytes as are in hand, reply_my_needed() at least. */
enum reply_my_verdict reply_my_received(struct reply_my *r, struct ledger *l, const struct my_header *h, struct bytes payload,
                                        struct reply_my_packet *out);

#endif
