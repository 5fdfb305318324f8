/*
 * One errand of a pool set each: log in, KILL, read the answer, leave.
 */
#include "proxy/pool/kill_my.h"

#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/net/tls.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/my_encode.h"

struct kill_my {
    struct pool_errand errand;
    struct stream *stream;
    struct timer deadline;
    struct site *site; /* one reference */
    char *user, *password; /* owned; the latter is secret, NULL: the keys have it */
    struct my_auth_keys keys; /* likewise */
    struct login_my talk;
    struct login_my_server server;
    uint32_t thread_id; /* that is to end */
    bool is_asked;      /* KILL is sent */
};

static void free_kill(struct kill_my *k) {
    if (k->password) secret_wipe(k->password, strlen(k->password));
    secret_wipe(&k->talk, sizeof k->talk);
    secret_wipe(&k->keys, sizeof k->keys);
    mem_free(k->user);
    mem_free(k->password);
    site_unref(k->site);
    mem_free(k);
}

/* The stream is closed, or being finished. */
static void finish(struct kill_my *k) {
    list_remove(&k->errand.node);
    timer_release(&k->deadline);
    free_kill(k);
}

static void give_up(struct kill_my *k, const char *why) {
    log_line(LOG_WARN, "pool", k->site->name, "what thread %u does is not stopped: %s", k->thread_id, why);
    stream_close(k->stream);
    finish(k);
}

static struct login_my_who who_of(const struct kill_my *k) {
    bool has_key_alone = !k->password && k->keys.is_set && !*k->keys.password;
    return (struct login_my_who){
        .user = k->user,
        .password = k->password ? k->password : k->keys.password,
        .native_key = has_key_alone ? k->keys.native : NULL,
        .collation = MY_COLLATION_UTF8MB4_GENERAL,
        .wants_tls = k->site->tls != NULL,
        .way = backend_my_way_to(k->site, k->stream),
    };
}

static void send_kill(struct kill_my *k) {
    uint8_t storage[64];
    char text[32];
    struct writer w;
    int len = snprintf(text, sizeof text, "KILL %u", k->thread_id);
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_command(&w, MY_COM_QUERY, bytes_of(text, (size_t)len));
    stream_send(k->stream, writer_bytes(&w));
    k->is_asked = true;
}

/* What stands in `out` is sent, or not, and wiped. False: it is over. */
static bool go_on(struct kill_my *k, enum login_my_step step, struct writer *out, const struct err *err) {
    struct tls_start how = {.host = k->site->host};
    struct err tls_err = {0};
    const char *why = NULL;
    if (step == LOGIN_MY_SEND || step == LOGIN_MY_SECURE) stream_send(k->stream, writer_bytes(out));
    if (out->data) secret_wipe(out->data, out->len);
    writer_release(out);
    if (step == LOGIN_MY_FAILED) why = err->message;
    if (step == LOGIN_MY_REFUSED) why = "the server refuses the connection";
    if (step == LOGIN_MY_SECURE && !stream_start_tls(k->stream, k->site->tls, &how, &tls_err)) why = tls_err.message;
    if (why) give_up(k, why);
    else if (step == LOGIN_MY_DONE) send_kill(k);
    return !why;
}

/* The answer to KILL. An error says that there is no such thread any more: it has ended by itself. */
static bool leave(struct kill_my *k) {
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_command(&w, MY_COM_QUIT, bytes_of(NULL, 0));
    stream_send(k->stream, writer_bytes(&w));
    stream_finish(k->stream);
    finish(k);
    return false;
}

static bool take_packet(struct kill_my *k, uint8_t seq, struct bytes payload) {
    struct login_my_who who = who_of(k);
    struct writer out;
    struct err err = {0};
    if (k->is_asked) return leave(k);
    writer_init(&out, LOGIN_MY_SAYS_MAX);
    return go_on(k, login_my_take(&k->talk, &k->server, &who, seq, payload, &out, &err), &out, &err);
}

/* ---- the stream ---- */

static void on_connected(void *owner) {
    (void)owner; /* the server speaks first */
}

static void on_secured(void *owner) {
    struct kill_my *k = owner;
    struct login_my_who who = who_of(k);
    struct writer out;
    struct err err = {0};
    writer_init(&out, LOGIN_MY_SAYS_MAX);
    (void)go_on(k, login_my_secured(&k->talk, &k->server, &who, &out, &err), &out, &err);
}

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct kill_my *k = owner;
    struct my_header h;
    size_t at = 0;
    (void)buf;
    while (my_header_read(bytes_of(data.ptr + at, data.len - at), &h)) {
        struct bytes payload = bytes_of(data.ptr + at + MY_HEADER_LEN, h.len);
        if (h.len > MY_LOGIN_MAX - MY_HEADER_LEN - BUF_OVERHEAD) {
            give_up(k, "a packet with an impossible length");
            return data.len;
        }
        if (data.len - at - MY_HEADER_LEN < h.len) break;
        at += MY_HEADER_LEN + h.len;
        if (at < data.len && !login_my_goes_on(payload)) {
            give_up(k, "it goes on without waiting for an answer");
            return data.len;
        }
        if (!take_packet(k, h.seq, payload)) return data.len;
    }
    return at;
}

static void on_drained(void *owner) {
    (void)owner;
}

static void on_closed(void *owner, const char *why) {
    struct kill_my *k = owner;
    if (!k->is_asked) log_line(LOG_WARN, "pool", k->site->name, "what thread %u does is not stopped: %s", k->thread_id, why);
    finish(k);
}

static const struct stream_handler handler = {
    .on_connected = on_connected,
    .on_secured = on_secured,
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* ---- beginning ---- */

static void abandon(struct pool_errand *e) {
    struct kill_my *k = CONTAINER_OF(e, struct kill_my, errand);
    stream_close(k->stream);
    finish(k);
}

static void on_deadline(struct timer *t) {
    give_up(CONTAINER_OF(t, struct kill_my, deadline), "it takes longer than connect_timeout");
}

static bool has_room(const struct pool_set *set) {
    unsigned count = 0;
    LIST_EACH(n, &set->errands) count += CONTAINER_OF(n, struct pool_errand, node)->abandon == abandon;
    return count < KILL_MY_MAX;
}

static struct kill_my *new_kill(struct backend *b) {
    const struct pool_server *server = &b->variant->pool->server;
    struct kill_my *k = mem_alloc(sizeof *k);
    if (!k) return NULL;
    k->errand.abandon = abandon;
    k->site = site_ref(b->site);
    k->user = mem_strdup(server->user, strlen(server->user));
    k->password = server->password ? mem_strdup(server->password, strlen(server->password)) : NULL;
    k->keys = server->my_keys;
    k->thread_id = b->server_id;
    list_init(&k->errand.node);
    bool has_all = k->user && (k->password || !server->password);
    if (has_all && timer_init(&k->deadline, b->variant->pool->set->loop, on_deadline)) return k;
    free_kill(k);
    return NULL;
}

void kill_my_send(struct backend *b) {
    struct pool *p = b->variant->pool;
    struct err err;
    if (!b->server_id || p->set->is_closing || !has_room(p->set)) return;
    struct kill_my *k = new_kill(b);
    if (!k) return;
    k->stream = stream_connect(p->set->loop, &b->site->addr, &p->set->tcp, &handler, k, &err);
    if (!k->stream) {
        log_line(LOG_WARN, "pool", k->site->name, "what thread %u does is not stopped: %s", k->thread_id, err.message);
        timer_release(&k->deadline);
        free_kill(k);
        return;
    }
    list_push_back(&p->set->errands, &k->errand.node);
    timer_set(&k->deadline, p->limits.connect_timeout_ms);
}
