/*
 * session_pg_listen.h - what the three files about a client's shared channels know of each other, and nobody else.
 *
 *      session_pg_listen.c  how channels go over from a connection of the client's to the shared one
 *      session_pg_lay.c     and back for a moment, before a text that may change them
 *      session_pg_hear.c    when the client hears what
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PG_LISTEN_H
#define GILMOK_PROXY_SESSION_SESSION_PG_LISTEN_H

#include "proxy/pool/backend_pg.h"
#include "proxy/pool/ear_pg.h"
#include "proxy/session/session_pg.h"

enum {
    LISTEN_BACKLOG_MAX = 1 << 20,
};

enum listen_phase { LISTEN_RESTS, LISTEN_FOUNDS, LISTEN_JOINS, LISTEN_MARKS, LISTEN_CLEARS };

/* Does its connection listen to its channels, and to the marker's, beside the shared one? */
enum laid {
    LAID_NO,
    LAID_MAYBE, /* it was made to, in a transaction that is not over */
    LAID_SURE,  /* so what it listens to by now is what the client listens to */
};

struct listen_client {
    struct ear_member member; /* its seats are the channels that are heard through the shared connection */
    struct session *session;
    enum listen_phase phase;
    uint64_t mark;       /* the number of the last one */
    struct writer found; /* what its connection listens to, since the last look; words with a NUL behind each */
    struct writer held;  /* notifications that it may not hear yet, as messages */
    char marker[EAR_MARKER_MAX]; /* that its own connection may listen to, as gilmok told it to; "": to none */
    enum laid laid;
    bool is_discarded;      /* a DISCARD ALL was sent since the last look */
    bool is_withheld;       /* its channels may have changed: a look is due */
    bool is_ready_here, is_ready_there; /* its own connection, and the shared one, listen to what they must for the mark */
    bool mark_is_here, mark_is_there;   /* it has come by */
};

/* Its own connection is about to listen to the mark: never to be taken for a channel of the client's, whatever comes between. */
void listen_note_marker(struct listen_client *lc);

/* The next of words with a NUL behind each. */
static inline bool listen_next_name(struct bytes *names, struct bytes *name) {
    const uint8_t *end = names->len ? memchr(names->ptr, 0, names->len) : NULL;
    if (!end) return false;
    *name = bytes_of(names->ptr, (size_t)(end - names->ptr));
    *names = bytes_of(end + 1, names->len - name->len - 1);
    return true;
}

/* ---- session_pg_hear.c ---- */
/* One notification on a channel of its own, from the shared connection. */
void listen_on_heard(struct listen_client *lc, struct buf *buf, struct bytes message);
/* What was held back goes out: nothing is in its way any more. May end the session. */
void listen_release_held(struct listen_client *lc);
/* Of channels that it has given up nothing is heard any more, even if it listens to them again. */
void listen_forget_held(struct listen_client *lc);

#endif
