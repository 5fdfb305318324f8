/*
 * CancelRequests: whom a key means, and how the request gets there. What is done then: session_pg_interrupt.c.
 *
 * A client names a session by the process id and the key that gilmok gave it. The asking
 * connection is closed, which is the only answer there is, when all is over.
 */
#include "base/fault.h"
#include "proxy/pool/cancel_conn.h"
#include "proxy/session/session_pg.h"

/* Who asked, until the cancel is over; it may leave before. */
struct cancel_wait {
    struct session *asker;
};

void session_pg_cancel_detach(struct cancel_wait *wait) {
    if (wait) wait->asker = NULL;
}

static void on_over(void *ctx) {
    struct cancel_wait *wait = ctx;
    struct session *asker = wait->asker;
    mem_free(wait);
    if (!asker) return;
    session_pg_login_forget_cancel(asker);
    session_close(asker, "cancel request");
}

static void on_peer_end(void *ctx, bool is_certain) {
    (void)is_certain;
    on_over(ctx);
}

static struct session *find_target(struct session_env *env, uint32_t pid, const struct cancel_key *key) {
    LIST_EACH(n, &env->sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->proto != &session_pg_proto || session_pg_of(s)->pid != pid) continue;
        if (cancel_key_matches(&session_pg_of(s)->cancel_key, key)) return s;
    }
    return NULL;
}

/* True when something is under way, at whose end `on_done` is called. */
static bool cancel_target(struct session *target, void (*on_done)(void *ctx), void *ctx) {
    if (!target->is_console) return session_pg_interrupt(target, on_done, ctx);
    if (target->console_job) target->env->console->cancel(target->console_job);
    return false;
}

/*
 * The session may live on another worker: the one that its key names, or, when it has
 * moved since or the key is too short to say, any. The request makes its round by mail
 * until somebody knows the key, and comes home when the cancel is over. Whom nobody knows
 * may have passed it on the way, in the mail as well: it goes round once more.
 */
struct cancel_round {
    struct mail mail;
    struct session_hub *hub;
    uint32_t home, at;
    uint32_t visited; /* home included, each of them twice */
    uint32_t pid;
    struct cancel_key key;
    struct cancel_wait *wait;
};

static void come_home(struct mail *m) {
    struct cancel_round *r = CONTAINER_OF(m, struct cancel_round, mail);
    on_over(r->wait);
    mem_free(r);
}

static void send_home(void *ctx) {
    struct cancel_round *r = ctx;
    r->mail.run = come_home;
    loop_post(r->hub->envs[r->home]->loop, &r->mail);
}

static void visit(struct mail *m);

static void go_on(struct cancel_round *r) {
    uint32_t workers = r->hub->worker_count, first = r->key.is_long ? r->key.worker % workers : 0;
    while (r->visited < 2 * workers) {
        bool is_second = r->visited >= workers;
        r->at = (first + r->visited++) % workers;
        if (r->at == r->home && !is_second) continue; /* there it came in */
        r->mail.run = visit;
        loop_post(r->hub->envs[r->at]->loop, &r->mail);
        return;
    }
    send_home(r);
}

static void visit(struct mail *m) {
    struct cancel_round *r = CONTAINER_OF(m, struct cancel_round, mail);
    struct session *target = find_target(r->hub->envs[r->at], r->pid, &r->key);
    if (!target) go_on(r);
    else if (!cancel_target(target, send_home, r)) send_home(r);
}

static bool make_round(struct session_env *env, uint32_t pid, const struct cancel_key *key, struct cancel_wait *wait) {
    uint32_t workers = env->hub->worker_count;
    struct cancel_round *r = workers > 1 ? mem_alloc(sizeof *r) : NULL;
    if (!r) return false;
    *r = (struct cancel_round){.hub = env->hub, .home = env->worker, .pid = pid, .key = *key, .wait = wait};
    go_on(r);
    return true;
}

/* The client of another gilmok: its key says which. Passed on once, so that a wrong peer list cannot make it run in circles. */
static bool pass_on(struct session_env *env, uint32_t pid, struct cancel_key key, struct cancel_wait *wait) {
    const struct config_peer *peer = config_find_peer(env->config, key.instance);
    const struct book_entry *at = peer ? addr_book_find(env->pools->book, peer) : NULL;
    if (!at || !at->is_known || key.is_passed_on) return false;
    uint8_t bytes[CANCEL_KEY_LONG], storage[CANCEL_REQUEST_MAX];
    struct writer w;
    key.is_passed_on = true;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_cancel(&w, pid, bytes_of(bytes, cancel_key_write(&key, bytes)));
    struct cancel_target to = {.addr = &at->addr, .host = peer->host, .name = peer->name};
    to.tls = env->pools->tls ? tls_book_find(env->pools->tls, peer, &at->addr) : NULL;
    return cancel_conn_open(env->pools, &to, CANCEL_PEER_TIMEOUT_MS, writer_bytes(&w), NULL, on_peer_end, wait);
}

struct cancel_wait *session_pg_cancel(struct session *asker, uint32_t pid, struct bytes brought) {
    struct session_env *env = asker->env;
    struct cancel_key key;
    if (!cancel_key_read(brought, &key)) return NULL;
    struct cancel_wait *wait = mem_alloc(sizeof *wait);
    if (!wait) return NULL;
    wait->asker = asker;
    bool is_foreign = key.is_long && key.instance != env->config->instance, is_under_way;
    struct session *target = is_foreign ? NULL : find_target(env, pid, &key);
    if (is_foreign) is_under_way = pass_on(env, pid, key, wait);
    else if (target) is_under_way = cancel_target(target, on_over, wait);
    else is_under_way = make_round(env, pid, &key, wait);
    if (is_under_way) return wait;
    mem_free(wait);
    return NULL;
}
