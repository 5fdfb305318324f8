/*
 * What servers have told of users, worker by worker; owns the questions that are under way. Knows no logins.
 */
#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/session/lookup_my.h"
#include "proxy/session/lookup_pg.h"
#include "proxy/session/secret_book.h"
#include "proxy/session/session_pg_login.h"

enum {
    ENTRIES_MAX = 10000,    /* of one worker; beyond that everything that nobody waits for is forgotten */
    LEAST_AGE_MS = 1000,    /* an answer holds for so long, whatever happens */
};

enum entry_state { ENTRY_NEW, ENTRY_ASKING, ENTRY_FOUND, ENTRY_ABSENT };

struct secret_entry {
    struct lookup lookup;
    struct session_env *env;
    struct list waiting; /* struct secret_wait */
    enum entry_state state;
    struct lookup_answer answer; /* of ENTRY_FOUND */
    uint64_t asked_us;
    bool is_doubted; /* a login has failed */
    bool is_outdated; /* the configuration has changed since it was asked */
    size_t key_len;
    uint8_t key[]; /* "cluster\0user" */
};

/* ---- entries ---- */

static struct secret_entry *entry_of(struct lookup *l) {
    return CONTAINER_OF(l, struct secret_entry, lookup);
}

static void free_entry(struct secret_entry *e) {
    lookup_release(&e->lookup);
    lookup_answer_release(&e->answer);
    mem_free(e);
}

/* What nobody waits for; or all of it, when there are no logins any more. In portions, since a map must not change under a walk. */
static void free_entries(struct session_env *env, bool all) {
    struct secret_entry *portion[256];
    size_t count;
    do {
        struct bytes name;
        void *value;
        count = 0;
        for (size_t at = 0; count < COUNT_OF(portion) && map_next(&env->secrets, &at, &name, &value);) {
            struct secret_entry *e = value;
            if (all || e->state != ENTRY_ASKING) portion[count++] = e;
        }
        for (size_t i = 0; i < count; i++) {
            (void)map_take(&env->secrets, bytes_of(portion[i]->key, portion[i]->key_len));
            free_entry(portion[i]);
        }
    } while (count == COUNT_OF(portion));
}

void secret_book_init(struct session_env *env) {
    map_init(&env->secrets);
}

void secret_book_release(struct session_env *env) {
    free_entries(env, true);
    map_release(&env->secrets);
}

void secret_book_forget(struct session_env *env) {
    struct bytes name;
    void *value;
    free_entries(env, false);
    for (size_t at = 0; map_next(&env->secrets, &at, &name, &value);) ((struct secret_entry *)value)->is_outdated = true;
}

const struct config_cluster *secret_book_cluster(const struct session *s) {
    const struct config_database *db = config_find_database(s->env->config, bytes_str(s->database));
    return db && db->cluster->auth_user ? db->cluster : NULL;
}

static struct bytes key_of(const struct session *s, const struct config_cluster *c, uint8_t storage[256]) {
    struct writer w;
    writer_init_fixed(&w, storage, 256);
    writer_cstr(&w, bytes_str(c->name));
    writer_str(&w, s->user);
    return w.failed ? bytes_of(NULL, 0) : writer_bytes(&w);
}

static const struct lookup_proto *proto_of(const struct config_cluster *c) {
    return c->protocol == PROTO_MYSQL ? &lookup_my : &lookup_pg;
}

static void on_done(struct lookup *l, enum lookup_result result, struct lookup_answer *answer, const struct err *err);

static struct secret_entry *get_entry(const struct session *s, const struct config_cluster *cluster, struct bytes key) {
    struct session_env *env = s->env;
    struct secret_entry *e = map_get(&env->secrets, key);
    if (e) return e;
    if (env->secrets.count >= ENTRIES_MAX) free_entries(env, false);
    e = mem_alloc(sizeof *e + key.len);
    if (!e) return NULL;
    e->env = env;
    e->key_len = key.len;
    memcpy(e->key, key.ptr, key.len);
    list_init(&e->waiting);
    if (lookup_init(&e->lookup, env->loop, proto_of(cluster), s->user, on_done)) {
        if (map_put(&env->secrets, bytes_of(e->key, e->key_len), e)) return e;
        lookup_release(&e->lookup);
    }
    mem_free(e);
    return NULL;
}

static bool is_fresh(const struct secret_entry *e, uint32_t cache_ms) {
    if (e->state != ENTRY_FOUND && e->state != ENTRY_ABSENT) return false;
    uint64_t age_ms = (e->env->loop->now_us - e->asked_us) / 1000;
    if (age_ms < LEAST_AGE_MS && cache_ms) return true;
    return !e->is_doubted && age_ms < cache_ms; /* found or absent alike: the time tells neither */
}

/* ---- logins ---- */

void secret_wait_init(struct secret_wait *w, struct session *s,
                      void (*on_known)(struct session *s, enum lookup_result result, const struct lookup_answer *answer)) {
    list_init(&w->node);
    w->session = s;
    w->on_known = on_known;
}

void secret_wait_release(struct secret_wait *w) {
    list_remove(&w->node);
}

static void tell(struct secret_wait *w, const struct secret_entry *e) {
    bool is_known = e->state == ENTRY_FOUND || e->state == ENTRY_ABSENT;
    enum lookup_result result = !is_known ? LOOKUP_FAILED : e->state == ENTRY_FOUND ? LOOKUP_FOUND : LOOKUP_ABSENT;
    w->session->owes_nothing = false;
    w->on_known(w->session, result, result == LOOKUP_FOUND ? &e->answer : NULL);
}

static void count(struct session_env *env, const struct lookup_answer *answer) {
    const struct accounts_my *all = answer->accounts;
    for (size_t i = 0; all && i < all->count; i++)
        if (all->at[i].has_secret) env->found_my[user_secret_plugin(&all->at[i].secret)]++;
    if (!all) *(answer->secret.has_md5 ? &env->found_md5 : &env->found_scram) += 1;
}

static void on_done(struct lookup *l, enum lookup_result result, struct lookup_answer *answer, const struct err *err) {
    struct secret_entry *e = entry_of(l);
    struct list *n;
    if (e->is_outdated) result = LOOKUP_FAILED; /* who knows which server that was */
    e->state = result == LOOKUP_FOUND ? ENTRY_FOUND : result == LOOKUP_ABSENT ? ENTRY_ABSENT : ENTRY_NEW;
    lookup_answer_release(&e->answer);
    if (result == LOOKUP_FOUND) {
        e->answer = *answer;
        *answer = (struct lookup_answer){.accounts = NULL};
        count(e->env, &e->answer);
    }
    if (err_is_set(err)) session_pg_complain(e->env, e->lookup.user, "cannot log in, whom only a server knows", err);
    while ((n = list_take_first(&e->waiting))) {
        struct secret_wait *w = CONTAINER_OF(n, struct secret_wait, node);
        struct session *s = w->session;
        if (s->state == SESSION_CLOSED) continue; /* it has left, and is not buried yet */
        tell(w, e);
        if (s->state != SESSION_CLOSED) session_resume_input(s);
    }
}

bool secret_book_ask(struct session *s, struct secret_wait *w) {
    const struct config_cluster *cluster = secret_book_cluster(s);
    uint8_t storage[256];
    struct bytes key = key_of(s, cluster, storage);
    struct secret_entry *e = key.ptr ? get_entry(s, cluster, key) : NULL;
    if (!e) return false;
    if (is_fresh(e, cluster->auth_cache_ms)) {
        tell(w, e);
        return true;
    }
    s->owes_nothing = true;
    list_push_back(&e->waiting, &w->node);
    if (e->state == ENTRY_ASKING) return true;
    e->state = ENTRY_ASKING;
    e->is_doubted = e->is_outdated = false;
    e->asked_us = s->env->loop->now_us;
    e->lookup.proto = proto_of(cluster); /* a reload may have changed it */
    lookup_start(&e->lookup, s->env->pools, s->env->config, cluster);
    return true;
}

void secret_book_doubt(struct session *s) {
    const struct config_cluster *cluster = secret_book_cluster(s);
    uint8_t storage[256];
    struct bytes key = cluster ? key_of(s, cluster, storage) : bytes_of(NULL, 0);
    struct secret_entry *e = key.ptr ? map_get(&s->env->secrets, key) : NULL;
    if (e) e->is_doubted = true;
}
