/*
 * sim_tls - TLS streams over a simulated network, seed by seed.
 *
 *      sim_tls                         as many seeds as fit into three seconds
 *      sim_tls --seeds FROM COUNT      these
 *
 * A client sends a text of its seed in pieces of any size, a server of ours sends it back, and both leave input over,
 * pause, and meet a network that cuts bytes anywhere. In a calm seed everything comes back and both ends part in peace;
 * in the others the connection breaks at some byte: then what did come back is the beginning of the text, and both ends
 * hear of the end. Nothing may be left at the end: no chunk, no slice. Certificates are Ed25519, whose signatures have
 * one length, so that a seed means the same network in every run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/net/tls.h"
#include "tests/sim/net_sim.h"
#include "tests/unit/tls_certs.h"

enum { TEXT_MAX = 400000, LIMIT_MS = 600000, SECONDS = 3 };

struct world;

struct end {
    struct world *w;
    struct stream *s; /* NULL: closed */
    struct timer later;
    bool has_closed; /* heard of the end, or ended it */
    char why[192];
};

struct world {
    struct net_sim sim;
    struct loop loop;
    struct listener listener;
    struct end client, server;
    bool is_calm, is_direct;
    uint32_t len, sent, back;
    const char *failure;
};

static struct tls_context *server_context, *client_context;

static uint8_t text_at(uint32_t i) {
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static void fail(struct world *w, const char *what) {
    if (!w->failure) w->failure = what;
}

/* ---- both ends ---- */

static void start_tls(struct end *e, size_t unused) {
    struct world *w = e->w;
    struct err err = {0};
    bool is_server = e == &w->server;
    struct tls_start how = {.unused = unused, .is_direct = w->is_direct, .host = is_server ? NULL : "db.example"};
    if (stream_start_tls(e->s, is_server ? server_context : client_context, &how, &err)) return;
    if (strcmp(err.sqlstate, ERR_OUT_OF_MEMORY) != 0) fail(w, "TLS does not start");
    stream_close(e->s);
    e->s = NULL;
    e->has_closed = true;
}

static void on_closed(void *owner, const char *why) {
    struct end *e = owner;
    struct tls_info info;
    (void)stream_tls_info(e->s, &info);
    snprintf(e->why, sizeof e->why, "%s", why);
    e->s = NULL;
    e->has_closed = true;
}

/* Pauses, or leaves some over; the timer makes up for both. */
static size_t appetite(struct end *e, size_t len) {
    struct net_sim *sim = &e->w->sim;
    if (net_sim_one_in(sim, 6)) stream_pause(e->s);
    size_t use = net_sim_one_in(sim, 3) ? net_sim_below(sim, (uint32_t)len + 1) : len;
    if (e->s->is_paused || use < len) timer_set(&e->later, net_sim_below(sim, 5));
    return use;
}

static void on_later(struct timer *t) {
    struct end *e = CONTAINER_OF(t, struct end, later);
    if (!e->s) return;
    stream_resume(e->s);
    stream_reoffer(e->s);
}

/* ---- the server ---- */

static size_t server_received(void *owner, struct buf *buf, struct bytes data) {
    struct end *e = owner;
    struct world *w = e->w;
    struct tls_info info;
    if (!stream_tls_info(e->s, &info)) {
        if (!w->is_direct && data.len != 1) fail(w, "the request in clear is not one byte");
        if (!w->is_direct) stream_send(e->s, bytes_str("S"));
        start_tls(e, w->is_direct ? data.len : 0);
        return w->is_direct ? 0 : 1;
    }
    size_t use = appetite(e, data.len);
    stream_send_ref(e->s, buf, bytes_of(data.ptr, use));
    if (stream_is_congested(e->s)) stream_pause(e->s);
    return use;
}

static void server_drained(void *owner) {
    stream_resume(((struct end *)owner)->s);
}

static const struct stream_handler server_handler = {NULL, server_received, server_drained, on_closed, NULL};

static void on_accept(struct listener *li, struct stream *s, const struct addr *peer) {
    struct world *w = li->owner;
    (void)peer;
    w->server.s = s;
    stream_adopt(s, &server_handler, &w->server);
}

/* ---- the client ---- */

static void client_speaks(struct world *w) {
    while (w->client.s && w->sent < w->len && !stream_is_congested(w->client.s)) {
        uint8_t piece[20000];
        uint32_t n = 1 + net_sim_below(&w->sim, net_sim_one_in(&w->sim, 4) ? sizeof piece : 200);
        if (n > w->len - w->sent) n = w->len - w->sent;
        for (uint32_t i = 0; i < n; i++) piece[i] = text_at(w->sent + i);
        stream_send(w->client.s, bytes_of(piece, n));
        w->sent += n;
    }
}

static void client_connected(void *owner) {
    struct end *e = owner;
    if (e->w->is_direct) start_tls(e, 0);
    else stream_send(e->s, bytes_str("R"));
}

static size_t client_received(void *owner, struct buf *buf, struct bytes data) {
    struct end *e = owner;
    struct world *w = e->w;
    struct tls_info info;
    (void)buf;
    if (!stream_tls_info(e->s, &info)) {
        if (data.len != 1 || data.ptr[0] != 'S') fail(w, "the answer in clear is not S");
        start_tls(e, 0);
        return 1;
    }
    size_t use = appetite(e, data.len);
    for (size_t i = 0; i < use; i++)
        if (data.ptr[i] != text_at(w->back + (uint32_t)i)) fail(w, "other bytes came back than were sent");
    w->back += (uint32_t)use;
    if (w->back > w->sent) fail(w, "more came back than was sent");
    if (w->back < w->len) return use;
    stream_finish(e->s);
    e->s = NULL;
    e->has_closed = true;
    return use;
}

static void client_drained(void *owner) {
    client_speaks(((struct end *)owner)->w);
}

static void client_secured(void *owner) {
    struct world *w = ((struct end *)owner)->w;
    if (!w->is_calm) net_sim_reset_after(w->client.s, net_sim_below(&w->sim, 2 * w->len));
    client_speaks(w);
}

static const struct stream_handler client_handler = {client_connected, client_received, client_drained, on_closed, client_secured};

/* ---- a seed ---- */

static bool is_over(void *ctx) {
    struct world *w = ctx;
    return w->failure || (w->client.has_closed && (w->server.has_closed || !w->server.s));
}

static bool open_world(struct world *w, uint64_t seed) {
    static const uint32_t pipes[] = {1, 30, 500, 9000, 200000};
    struct net_sim_options options = {.latency_max_us = 500, .pipe_min = pipes[seed % COUNT_OF(pipes)], .pipe_max = 200000};
    struct err err = {0};
    struct addr at;
    memset(w, 0, sizeof *w);
    net_sim_init(&w->sim, &w->loop, seed, &options);
    w->is_calm = net_sim_below(&w->sim, 2);
    w->is_direct = net_sim_below(&w->sim, 2);
    w->len = 1 + net_sim_below(&w->sim, net_sim_one_in(&w->sim, 4) ? TEXT_MAX : 3000);
    w->client.w = w->server.w = w;
    w->listener = (struct listener){.on_accept = on_accept, .owner = w};
    if (!addr_resolve(&at, "127.0.0.1", 5432, &err) || !listener_open(&w->listener, &w->loop, &at, &err)) return false;
    if (!timer_init(&w->client.later, &w->loop, on_later) || !timer_init(&w->server.later, &w->loop, on_later)) return false;
    w->client.s = stream_connect(&w->loop, &at, NULL, &client_handler, &w->client, &err);
    return w->client.s != NULL;
}

static void close_world(struct world *w) {
    if (w->client.s) stream_close(w->client.s);
    if (w->server.s) stream_close(w->server.s);
    loop_settle(&w->loop);
    loop_bury(&w->loop);
    timer_release(&w->client.later);
    timer_release(&w->server.later);
    listener_close(&w->listener);
    while (!list_is_empty(&w->loop.finishing)) {
        stream_close(CONTAINER_OF(list_first(&w->loop.finishing), struct stream, end_node));
        loop_bury(&w->loop);
    }
    if (w->loop.out_slices.taken > 0) fail(w, "output is left at the end");
    loop_release(&w->loop); /* insists on every chunk */
}

static bool run_seed(uint64_t seed) {
    static struct world w;
    if (!open_world(&w, seed)) return false;
    if (!net_sim_run(&w.sim, is_over, &w, LIMIT_MS)) fail(&w, "it hangs");
    if (w.is_calm && w.back != w.len) fail(&w, "not everything came back");
    if (w.failure) {
        printf("FAILED: seed %llu: %s (%s, %s; %u of %u sent, %u back; client: %s; server: %s)\n  again: sim_tls --seeds %llu 1\n",
               (unsigned long long)seed, w.failure, w.is_calm ? "calm" : "trouble", w.is_direct ? "direct" : "by request", w.sent,
               w.len, w.back, w.client.why, w.server.why, (unsigned long long)seed);
        net_sim_print(&w.sim);
    }
    close_world(&w);
    return !w.failure;
}

static void make_contexts(void) {
    struct err err = {0};
    certs_open();
    certs_make(&(struct cert_plan){.name = "ca", .cn = "the CA", .is_ca = true, .is_ed25519 = true});
    certs_make(&(struct cert_plan){.name = "server", .issuer = "ca", .cn = "server", .san = "DNS:db.example", .is_ed25519 = true});
    struct tls_server_options so = {.cert_file = certs_path("server.crt"), .key_file = certs_path("server.key"), .alpn = "postgresql"};
    struct tls_client_options co = {.verify = TLS_VERIFY_FULL, .ca_file = certs_path("ca.crt"), .alpn = "postgresql"};
    server_context = tls_context_new_server(&so, &err);
    client_context = tls_context_new_client(&co, &err);
    certs_close();
    INVARIANT(server_context && client_context);
}

int main(int argc, char **argv) {
    uint64_t first = 1, count = 0, passed = 0, failed = 0;
    if (argc == 4 && strcmp(argv[1], "--seeds") == 0) {
        first = strtoull(argv[2], NULL, 10);
        count = strtoull(argv[3], NULL, 10);
    } else if (argc != 1) {
        fprintf(stderr, "usage: sim_tls [--seeds FROM COUNT]\n");
        return 2;
    }
    make_contexts();
    time_t until = time(NULL) + SECONDS;
    for (uint64_t seed = first; count ? seed < first + count : time(NULL) < until; seed++) {
        if (run_seed(seed)) passed++;
        else failed++;
    }
    tls_context_unref(server_context);
    tls_context_unref(client_context);
    printf("%llu seeds passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed > 0;
}
