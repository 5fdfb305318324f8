#include "tests/unit/tls_pair.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct pair pair;
const size_t pair_chunks[PAIR_CHUNKS] = {1, 2, 3, 5, 7, 100, 1000, 16384, 16406, 40000, SIZE_MAX};
static uint8_t pipe_storage[2][PIPE_SIZE], taken_storage[2][TAKEN_MAX];

static uint64_t pair_now(void *ctx) {
    (void)ctx;
    return pair.now_us;
}

static const struct clock_ops pair_clock = {.now_us = pair_now};

static int side_of(const struct stream *s) {
    return pair.end[SERVER].s == s ? SERVER : CLIENT;
}

/* ---- the network ---- */

static ssize_t pair_recv(struct stream *s, void *into, size_t cap) {
    struct pair_pipe *p = &pair.from[1 - side_of(s)];
    ck_assert_uint_gt(cap, 0);
    if (p->at == p->end) return p->has_ended ? 0 : IO_AGAIN;
    size_t n = p->end - p->at;
    if (n > cap) n = cap;
    if (n > p->chunk_max) n = p->chunk_max;
    memcpy(into, p->data + p->at, n);
    p->at += n;
    return (ssize_t)n;
}

static ssize_t pair_send(struct stream *s, const struct iovec *iov, int iov_count) {
    struct pair_pipe *p = &pair.from[side_of(s)];
    size_t taken = 0;
    for (int i = 0; i < iov_count; i++) {
        size_t n = iov[i].iov_len < p->room ? iov[i].iov_len : p->room;
        size_t lives = p->cut_after - p->end < n ? p->cut_after - p->end : n;
        ck_assert_uint_le(p->end + lives, PIPE_SIZE);
        memcpy(p->data + p->end, iov[i].iov_base, lives);
        p->end += lives;
        p->room -= n;
        taken += n;
    }
    if (p->end == p->cut_after) p->has_ended = true;
    return taken ? (ssize_t)taken : IO_AGAIN;
}

static void pair_watch(struct stream *s, bool read, bool write) {
    pair.end[side_of(s)].watches_read = read;
    pair.end[side_of(s)].watches_write = write;
}

static void pair_shutdown(struct stream *s) {
    pair.end[side_of(s)].shutdowns++;
    pair.from[side_of(s)].has_ended = true;
}

static void pair_closed(struct stream *s) {
    pair.from[side_of(s)].has_ended = true;
    pair.from[side_of(s)].room = SIZE_MAX;
}

static void pair_release(struct loop *l) {
    (void)l;
}

static const struct loop_ops pair_ops = {
    .name = "pair",
    .stream_size = sizeof(struct stream),
    .release = pair_release,
    .recv = pair_recv,
    .send = pair_send,
    .watch = pair_watch,
    .shutdown = pair_shutdown,
    .close = pair_closed,
};

/* ---- the owners ---- */

static void start_tls(struct pair_end *e, size_t unused) {
    int side = (int)(e - pair.end);
    struct tls_start how = {.unused = unused, .is_direct = pair.is_direct, .host = side == CLIENT ? pair.host : NULL};
    if (!stream_start_tls(e->s, pair.context[side], &how, &e->err)) stream_close(e->s);
}

/* In clear: the server waits for a request or a handshake, the client for the answer. */
static size_t take_clear(struct pair_end *e, struct bytes data) {
    bool is_server = e == &pair.end[SERVER];
    if (is_server && pair.is_direct) {
        start_tls(e, e->lies ? 0 : data.len);
        return 0;
    }
    ck_assert_uint_eq(data.ptr[0], is_server ? 'R' : 'S');
    if (is_server) stream_send(e->s, bytes_str("S"));
    if (is_server && e->sends_stuff) stream_send(e->s, bytes_str("stuffed"));
    start_tls(e, e->lies ? 0 : data.len - 1);
    return 1;
}

static size_t on_received(void *ctx, struct buf *buf, struct bytes data) {
    struct pair_end *e = ctx;
    ck_assert(data.ptr >= buf->data && data.ptr + data.len <= buf->data + buf->cap);
    e->calls++;
    if (!e->s->tls && pair.context[e - pair.end]) return take_clear(e, data);
    size_t n = data.len < e->use_max ? data.len : e->use_max;
    writer_put(&e->taken, bytes_of(data.ptr, n));
    if (e->echoes) stream_send_ref(e->s, buf, bytes_of(data.ptr, n));
    if (e->pauses) stream_pause(e->s);
    if (e->finishes) stream_finish(e->s);
    return n;
}

static void on_drained(void *ctx) {
    struct pair_end *e = ctx;
    ck_assert_uint_eq(stream_queued(e->s), 0);
    e->drained++;
}

static void on_closed(void *ctx, const char *why) {
    struct pair_end *e = ctx;
    e->closed++;
    snprintf(e->why, sizeof e->why, "%s", why);
}

static void on_secured(void *ctx) {
    struct pair_end *e = ctx;
    e->secured++;
    if (e->first_words.len) stream_send(e->s, e->first_words);
    if (e->finishes_secured) stream_finish(e->s);
}

static const struct stream_handler handler = {NULL, on_received, on_drained, on_closed, on_secured};

/* ---- turning ---- */

void pair_open(struct tls_context *client, struct tls_context *server) {
    memset(&pair, 0, sizeof pair);
    pair.now_us = 1000000;
    pair.context[CLIENT] = client;
    pair.context[SERVER] = server;
    loop_init(&pair.loop, &pair_ops, NULL, &pair_clock);
    pair_join();
}

void pair_join(void) {
    for (int i = 0; i < 2; i++) pair.end[i] = (struct pair_end){0};
    loop_bury(&pair.loop);
    for (int i = 0; i < 2; i++) {
        pair.from[i] = (struct pair_pipe){.data = pipe_storage[i], .room = SIZE_MAX, .chunk_max = SIZE_MAX, .cut_after = SIZE_MAX};
        writer_init_fixed(&pair.end[i].taken, taken_storage[i], TAKEN_MAX);
        pair.end[i].use_max = SIZE_MAX;
        pair.end[i].s = stream_new(&pair.loop);
        ck_assert_ptr_nonnull(pair.end[i].s);
        stream_adopt(pair.end[i].s, &handler, &pair.end[i]);
    }
}

static void end_event(void) {
    loop_settle(&pair.loop);
    for (int i = 0; i < 2; i++)
        if (pair.end[i].s && pair.end[i].s->state == STREAM_CLOSED) pair.end[i].s = NULL;
    loop_bury(&pair.loop);
}

void pair_close(void) {
    for (int i = 0; i < 2; i++)
        if (pair.end[i].s) stream_close(pair.end[i].s);
    end_event();
    ck_assert_uint_eq(pair.loop.out_slices.taken, 0);
    loop_release(&pair.loop);
    ck_assert(!pair.end[0].taken.failed && !pair.end[1].taken.failed);
}

void pair_start(void) {
    struct pair_end *client = &pair.end[CLIENT];
    if (pair.is_direct) start_tls(client, 0);
    else stream_send(client->s, client->sends_stuff ? bytes_str("Rstuffed") : bytes_str("R"));
    end_event();
}

bool pair_turn(void) {
    bool has_worked = false;
    for (int i = 0; i < 2; i++) {
        struct pair_end *e = &pair.end[i];
        struct pair_pipe *in = &pair.from[1 - i];
        if (e->s && e->watches_read && (in->at < in->end || in->has_ended)) {
            stream_on_readable(e->s);
            end_event();
            has_worked = true;
        }
        if (e->s && e->watches_write && pair.from[i].room > 0) {
            stream_on_writable(e->s);
            end_event();
            has_worked = true;
        }
    }
    return has_worked;
}

void pair_run(void) {
    end_event();
    for (int i = 0; pair_turn(); i++) ck_assert_int_lt(i, 10 << 20);
}

void pair_shake(void) {
    pair_start();
    pair_run();
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(pair.end[i].closed == 0, "%s: %s", i == CLIENT ? "client" : "server", pair.end[i].why);
        ck_assert_msg(!err_is_set(&pair.end[i].err), "%s", pair.end[i].err.message);
        ck_assert_int_eq(pair.end[i].secured, 1);
    }
}

/* ---- what tests say and look for ---- */

struct tls_info pair_info(int side) {
    struct tls_info info;
    ck_assert(stream_tls_info(pair.end[side].s, &info));
    return info;
}

void pair_say(int side, struct bytes data) {
    stream_send(pair.end[side].s, data);
    loop_settle(&pair.loop);
}

void pair_ck_taken(int side, struct bytes expected) {
    struct bytes got = writer_bytes(&pair.end[side].taken);
    ck_assert_uint_eq(got.len, expected.len);
    ck_assert(bytes_equal(got, expected));
}

void pair_ck_closed(int side, const char *why) {
    ck_assert_int_eq(pair.end[side].closed, 1);
    ck_assert_msg(strstr(pair.end[side].why, why) != NULL, "`%s` is not in `%s`", why, pair.end[side].why);
}
