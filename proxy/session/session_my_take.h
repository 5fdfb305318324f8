/*
 * session_my_take.h - how a command of a MySQL client is taken: what session_my.c and its kin share. Not for others.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_MY_TAKE_H
#define GILMOK_PROXY_SESSION_SESSION_MY_TAKE_H

#include "proxy/session/session_my.h"

/* A run of bytes that goes to the server as it came. */
struct run {
    struct buf *buf;
    const uint8_t *start;
    size_t len;
};

static inline void flush_run(struct session *s, struct run *run) {
    struct backend *b = s->lessee.backend;
    if (run->len && b) stream_send_ref(b->stream, run->buf, bytes_of(run->start, run->len));
    run->len = 0;
}

static inline void add_to_run(struct run *run, const uint8_t *ptr, size_t len) {
    if (run->len == 0) run->start = ptr;
    run->len += len;
}

/* One packet of a client, as much of it as is in hand. */
struct packet {
    struct my_header h;
    const uint8_t *ptr;
    size_t avail;
};

static inline bool packet_is_whole(const struct packet *p) {
    return p->avail == MY_HEADER_LEN + (size_t)p->h.len;
}

/* A longer one could not be kept until all of it is there. */
static inline bool packet_may_be_kept(const struct packet *p) {
    return MY_HEADER_LEN + (size_t)p->h.len <= STREAM_HELD_MAX;
}

/* Behind the first byte, as much of it as is in hand. */
static inline struct bytes packet_body(const struct packet *p) {
    return bytes_of(p->ptr + MY_HEADER_LEN + 1, p->avail - MY_HEADER_LEN - 1);
}

enum take {
    TAKE_GOES_ON, /* as much as is in hand is dealt with */
    TAKE_KEEP,    /* the packet is offered again */
    TAKE_STOP,    /* the session is closed, or nothing more may be taken */
};

static inline enum take take_keep_or_stop(const struct session *s) {
    return s->state == SESSION_CLOSED ? TAKE_STOP : TAKE_KEEP;
}

/* session_my.c */
/* The packet has not the number that it must have: the session ends. */
void take_out_of_order(struct session *s);
/* It is answered here, and goes nowhere. */
enum take take_refuse(struct session *s, const struct packet *p, uint16_t number, const char *sqlstate, const char *why);
/* It was answered. */
enum take take_answered(struct session *s, struct run *run);
/* It is offered again when the connection has said something. */
enum take take_hold_back(struct session *s);
/* A request is open, and has its connection; perhaps it has waited for it. False: it waits, or the session is closed. */
bool take_has_connection(struct session *s);
/* The request that was opened for a connection's sake comes to nothing. */
void take_end_unsent(struct session *s);
/* The command goes to the server, as much of its first packet as is in hand. */
enum take take_send(struct session *s, struct run *run, const struct packet *p, uint8_t command);
/* In its place another packet, or the beginning of one: `rest` bytes of the client's follow, the last that are in hand. */
enum take take_send_instead(struct session *s, struct run *run, const struct packet *p, uint8_t command, struct bytes packet,
                            size_t rest);

/* session_my_infile.c: LOAD DATA LOCAL, of clients that let servers ask for files */
/* A text goes out: the files that it names may be asked for (sm->files). False: it is dealt with, and *take says how. */
bool take_files_named(struct session *s, const struct packet *p, uint8_t command, enum take *take);
/* A packet of the file that the server waits for. */
enum take take_file(struct session *s, struct run *run, const struct packet *p);

/* session_my_take_shared.c: a command of who shares connections */
enum take take_shared(struct session *s, struct run *run, const struct packet *p, uint8_t command);
/* What is kept of the last answer needs no connection. False: it is dealt with, and *take says how. */
bool take_goes_to_server(struct session *s, struct run *run, const struct packet *p, enum take *take);
/* What its answer says of LAST_INSERT_ID() may count from what was there before, or it asks for that. */
bool take_may_tell_id(unsigned effects);

/* session_my_prepared.c: statements prepared by protocol, of who shares connections */
enum take take_prepared(struct session *s, struct run *run, const struct packet *p, uint8_t command);

#endif
