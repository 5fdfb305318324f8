/*
 * CancelRequests: whom a key means, and how the request gets there.
 *
 * A client names a session by the process id and the key that gilmok gave it. What is
 * cancelled is the exchange that the session has on a server connection at this moment.
 * The asking connection is closed, which is the only answer there is, when the cancel
 * has reached the server.
 */
#include "base/fault.h"
#include "proxy/pool/cancel_conn.h"
#include "proxy/pool/cancel_pg.h"
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
        if (s->proto != &session_pg_proto || session_pg_of(s)->pid != pid || s->is_console) continue;
        if (cancel_key_matches(&session_pg_of(s)->cancel_key, key)) return s;
    }
    return NULL;
}

/* It never reached a server: the request ends here. */
static void cancel_waiting(struct session *s) {
    struct err err;
    err_set(&err, ERR_QUERY_CANCELED, "canceling statement due to user request");
    pool_cancel_wait(&s->lessee);
    s->lessee.ops->on_refused(&s->lessee, &err);
}

/* True when something is under way, at whose end `wait` is told. */
static bool cancel_here(struct session_env *env, uint32_t pid, const struct cancel_key *key, struct cancel_wait *wait) {
    struct session *target = find_target(env, pid, key);
    if (!target) return false;
    if (target->state == SESSION_WAITING) cancel_waiting(target);
    else if (target->state == SESSION_ACTIVE) return cancel_pg_send(target->lessee.backend, target->id, on_over, wait);
    return false;
}

/* The client of another gilmok: its key says which. Passed on once, so that a wrong peer list cannot make it run in circles. */
static bool pass_on(struct session_env *env, uint32_t pid, struct cancel_key key, struct cancel_wait *wait) {
    const struct config_peer *peer = config_find_peer(env->config, key.instance);
    const struct node_addr *at = peer ? pool_set_find_addr(env->pools, peer) : NULL;
    if (!at || !at->is_known || key.is_passed_on) return false;
    uint8_t bytes[CANCEL_KEY_LONG], storage[CANCEL_REQUEST_MAX];
    struct writer w;
    key.is_passed_on = true;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_cancel(&w, pid, bytes_of(bytes, cancel_key_write(&key, bytes)));
    return cancel_conn_open(env->pools, &at->addr, peer->name, CANCEL_PEER_TIMEOUT_MS, writer_bytes(&w), NULL, on_peer_end, wait);
}

struct cancel_wait *session_pg_cancel(struct session *asker, uint32_t pid, struct bytes brought) {
    struct session_env *env = asker->env;
    struct cancel_key key;
    if (!cancel_key_read(brought, &key)) return NULL;
    struct cancel_wait *wait = mem_alloc(sizeof *wait);
    if (!wait) return NULL;
    wait->asker = asker;
    bool is_foreign = key.is_long && key.instance != env->config->instance;
    if (is_foreign ? pass_on(env, pid, key, wait) : cancel_here(env, pid, &key, wait)) return wait;
    mem_free(wait);
    return NULL;
}
