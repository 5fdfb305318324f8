/*
 * One question to a server about one user. Knows neither logins nor what is remembered of answers.
 */
#include "proxy/session/lookup.h"

#include "base/fault.h"
#include "proxy/auth/secret.h"

static struct lookup *lookup_of(struct lessee *l) {
    return CONTAINER_OF(l, struct lookup, lessee);
}

void lookup_answer_release(struct lookup_answer *a) {
    if (a->accounts) secret_wipe(a->accounts, accounts_my_size(a->accounts->count));
    mem_free(a->accounts);
    secret_wipe(a, sizeof *a);
}

/* ---- the conversation ---- */

static void finish(struct lookup *l, enum lookup_result result, struct lookup_answer *answer, const struct err *err) {
    l->is_under_way = false;
    timer_stop(&l->timer);
    if (l->reply.data) secret_wipe(l->reply.data, l->reply.len);
    writer_release(&l->reply);
    mem_free(l->query);
    l->query = NULL;
    struct lookup_answer rest = *answer; /* l may be gone behind the call */
    l->on_done(l, result, &rest, err);
    lookup_answer_release(&rest);
    secret_wipe(answer, sizeof *answer);
}

static void fail(struct lookup *l, const struct err *err) {
    struct lookup_answer none = {.accounts = NULL};
    finish(l, LOOKUP_FAILED, &none, err);
}

/* Takes back what is under way, without a word to anybody but the server, which is to stop. */
static void abandon(struct lookup *l) {
    struct backend *b = l->lessee.backend;
    struct err err;
    if (l->lessee.variant && !b) pool_cancel_wait(&l->lessee);
    if (!b) return;
    l->lessee.backend = NULL;
    b->lessee = NULL;
    err_set(&err, ERR_CONNECTION_FAILURE, "auth_query was given up");
    backend_abort(b, &err);
}

static void on_timer(struct timer *t) {
    struct lookup *l = CONTAINER_OF(t, struct lookup, timer);
    struct err err;
    if (!l->is_under_way) return;
    abandon(l);
    err_set(&err, ERR_CANNOT_CONNECT, "auth_query took longer than connect_timeout");
    fail(l, &err);
}

static void ask(struct lookup *l, struct backend *b) {
    struct err err;
    if (l->proto->ask(b, l->query, l->user)) return;
    abandon(l);
    err_set(&err, ERR_OUT_OF_MEMORY, "no room for auth_query");
    fail(l, &err);
}

static void on_leased(struct lessee *lessee, struct backend *b) {
    ask(lookup_of(lessee), b);
}

static void on_refused(struct lessee *lessee, const struct err *err) {
    fail(lookup_of(lessee), err);
}

static void on_reply(struct lessee *lessee, struct buf *buf, struct bytes data) {
    (void)buf;
    writer_put(&lookup_of(lessee)->reply, data);
}

static void on_group_end(struct lessee *lessee, uint16_t tag, bool is_quiet) {
    struct lookup *l = lookup_of(lessee);
    struct lookup_answer answer = {.accounts = NULL};
    struct err err = {0};
    enum lookup_result result = LOOKUP_FAILED;
    (void)tag;
    (void)is_quiet;
    if (l->reply.failed) err_set(&err, ERR_CONFIG, "the answer to auth_query is too long");
    else result = l->proto->read(writer_bytes(&l->reply), l->user, &answer, &err);
    pool_release(lessee);
    finish(l, result, &answer, &err);
}

static void on_lost(struct lessee *lessee, const struct err *err) {
    struct err lost;
    err_set(&lost, ERR_CONNECTION_FAILURE, "the server has gone during auth_query");
    fail(lookup_of(lessee), err ? err : &lost);
}

static bool on_error(struct lessee *lessee, uint8_t kind, uint16_t tag, struct bytes message) {
    (void)lessee;
    (void)kind;
    (void)tag;
    (void)message;
    return false; /* it comes by on_reply */
}

static void on_part(struct lessee *lessee, uint8_t kind, uint16_t tag) {
    (void)lessee;
    (void)kind;
    (void)tag;
}

static void on_nothing(struct lessee *lessee) {
    (void)lessee;
}

static void on_looked(struct lessee *lessee, struct bytes answer, bool ok) {
    (void)lessee;
    (void)answer;
    (void)ok;
}

static bool on_notification(struct lessee *lessee, struct buf *buf, struct bytes message) {
    (void)lessee;
    (void)buf;
    (void)message;
    return false;
}

static const struct lessee_ops lessee_ops = {
    .on_leased = on_leased,
    .on_refused = on_refused,
    .on_reply = on_reply,
    .on_group_end = on_group_end,
    .on_tagged = on_part,
    .on_failed = on_part,
    .on_error = on_error,
    .on_hidden = on_nothing,
    .on_statements_dropped = on_nothing,
    .on_looked = on_looked,
    .on_settled = on_nothing,
    .on_notification = on_notification,
    .on_room = on_nothing,
    .on_lost = on_lost,
};

bool lookup_init(struct lookup *l, struct loop *loop, const struct lookup_proto *proto, const char *user,
                 void (*on_done)(struct lookup *l, enum lookup_result result, struct lookup_answer *answer,
                                 const struct err *err)) {
    *l = (struct lookup){.lessee = {.ops = &lessee_ops}, .proto = proto, .on_done = on_done};
    list_init(&l->lessee.wait_node);
    INVARIANT(strlen(user) <= USER_NAME_MAX);
    memcpy(l->user, user, strlen(user) + 1);
    return timer_init(&l->timer, loop, on_timer);
}

void lookup_release(struct lookup *l) {
    if (l->is_under_way) {
        abandon(l);
        if (l->reply.data) secret_wipe(l->reply.data, l->reply.len);
        writer_release(&l->reply);
        mem_free(l->query);
    }
    timer_release(&l->timer);
}

void lookup_start(struct lookup *l, struct pool_set *pools, const struct config *c, const struct config_cluster *cluster) {
    const struct config_database *db = cluster->auth;
    uint8_t storage[128];
    struct writer key;
    struct err err = {0};
    INVARIANT(!l->is_under_way);
    l->is_under_way = true;
    const char *query = cluster->auth_query ? cluster->auth_query : l->proto->usual;
    l->query = query ? mem_strdup(query, strlen(query)) : NULL;
    writer_init(&l->reply, LOOKUP_REPLY_MAX);
    writer_init_fixed(&key, storage, sizeof storage);
    timer_set(&l->timer, cluster->connect_timeout_ms);
    struct pool *p = pool_get(pools, l->proto->backend, c, db, bytes_str(db->name), bytes_str(cluster->auth_user), NULL, NULL, 0,
                              &err);
    struct variant *v = p ? variant_get(p, l->proto->key(&key), &err) : NULL;
    if (query && !l->query) err_set(&err, ERR_OUT_OF_MEMORY, "no room for auth_query");
    if (!v || (query && !l->query)) fail(l, &err);
    else if (pool_acquire(v, &l->lessee)) ask(l, l->lessee.backend);
}
