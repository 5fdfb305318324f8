/*
 * stream_net.h - one stream over a network made of a few variables, and its owner.
 *
 * The network gives input in the pieces that a test lays out, takes as much output as the
 * test allows, and remembers what it was asked to watch.
 */
#ifndef GILMOK_TESTS_UNIT_STREAM_NET_H
#define GILMOK_TESTS_UNIT_STREAM_NET_H

#include "base/writer.h"
#include "proxy/net/stream.h"

/* The other end. One stream is enough. */
extern struct net {
    struct loop loop;
    uint64_t now_us;
    struct bytes input; /* what the next recv gives */
    bool is_ended;      /* the peer has closed */
    int recv_error;
    size_t room; /* bytes that the socket still takes */
    int send_error;
    struct writer output;
    bool watches_read, watches_write;
    int shutdowns, closes, wakes;
    size_t output_at_shutdown;
    bool refuses_connect;
} net;

enum { USE_ALL = 1 << 30 };

extern struct owner {
    struct stream *stream;
    size_t use; /* bytes that it consumes at its next call */
    struct writer offered; /* at the last call */
    int calls;
    bool keeps_ref; /* passes everything on by reference */
    bool closes, finishes, pauses; /* inside on_received */
    int connected, drained, closed;
    const char *why;
} owner;

extern const struct stream_handler owner_handler;

void net_fresh(void);
void net_release(void); /* every chunk and every stream must have come home */

/* What a backend does with an event. */
void net_end_event(void);
void net_readable(void);
void net_deliver(const char *text); /* as the next input, at once */
void net_writable(size_t room);

void net_say(const char *text); /* waits for the end of the event */
void net_ck_offered(const char *expected); /* at the owner's last call */
void net_ck_output(const char *expected);  /* all that the network has taken */

#endif
