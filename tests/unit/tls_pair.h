/*
 * tls_pair.h - a client and a server on two streams of one loop, joined by two pipes in memory.
 *
 * Deterministic: in each turn the client's end is served, then the server's. Pipes can be slow, small, cut or stopped.
 * The server speaks first what PostgreSQL's does: to the byte 'R' it answers 'S' and starts TLS; a first byte 0x16 is a
 * direct start.
 */
#ifndef GILMOK_TESTS_UNIT_TLS_PAIR_H
#define GILMOK_TESTS_UNIT_TLS_PAIR_H

#include "base/writer.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls.h"

enum { CLIENT, SERVER, PIPE_SIZE = 8 << 20, TAKEN_MAX = 3 << 20, PAIR_CHUNKS = 11 };

struct pair_pipe {
    uint8_t *data; /* static storage */
    size_t at, end;
    bool has_ended;
    size_t room;      /* bytes that it still takes */
    size_t chunk_max; /* the most bytes in one recv */
    size_t cut_after; /* it ends after that many bytes; what comes later is lost */
};

struct pair_end {
    struct stream *s;
    bool watches_read, watches_write;
    int shutdowns;
    struct writer taken; /* clear bytes that on_received has used */
    size_t use_max;      /* bytes used by one call of on_received */
    bool pauses;         /* inside on_received */
    bool finishes;       /* inside on_received, once everything is used */
    bool echoes;
    bool sends_stuff;  /* clear bytes right behind the request, or the answer */
    bool lies;         /* about what it leaves over */
    struct bytes first_words; /* sent in on_secured */
    bool finishes_secured;    /* and then it finishes */
    int calls, secured, drained, closed;
    char why[192];
    struct err err; /* of stream_start_tls */
};

struct pair {
    struct loop loop;
    struct pair_pipe from[2]; /* from[i]: what end i has sent */
    struct pair_end end[2];
    struct tls_context *context[2];
    bool is_direct;
    const char *host;
    uint64_t now_us;
};

extern struct pair pair;
extern const size_t pair_chunks[PAIR_CHUNKS]; /* for chunk_max: around every size that matters */

/* Contexts are borrowed. The client has connected, nothing was said yet. */
void pair_open(struct tls_context *client, struct tls_context *server);
void pair_join(void);  /* two new ends on the same loop; the old ones are forgotten */
void pair_close(void); /* every chunk, slice and stream must have come home */
void pair_start(void); /* the client asks for TLS, or begins directly */
bool pair_turn(void);  /* false: nothing happened */
void pair_run(void);   /* until nothing happens */
void pair_shake(void); /* start and run: both ends must be secured */

struct tls_info pair_info(int side);
void pair_say(int side, struct bytes data); /* it is sent at once */
void pair_ck_taken(int side, struct bytes expected); /* all that its owner has used */
void pair_ck_closed(int side, const char *why);      /* `why` is a part of what its owner was told */

#endif
