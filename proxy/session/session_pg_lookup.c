/*
 * Secrets that a server keeps (auth_query): asked for once by whoever comes first, remembered for auth_cache.
 *
 *      nobody knows --> ASKING (logins wait here) --> FOUND or ABSENT --> old --> ASKING ...
 *
 * Each worker asks for itself. A login that fails makes what is remembered old, so that a new password counts at once; but no
 * user is asked for more than once a second. While a server cannot be asked, nobody whom only it knows gets in.
 */
#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/session/lookup_pg.h"
#include "proxy/session/session_pg_login.h"

enum {
    ENTRIES_MAX = 10000,    /* of one worker; beyond that everything that nobody waits for is forgotten */
    LEAST_AGE_MS = 1000,    /* an answer holds for so long, whatever happens */
};

enum entry_state { ENTRY_NEW, ENTRY_ASKING, ENTRY_FOUND, ENTRY_ABSENT };

struct secret_entry {
    struct lookup_pg lookup;
    struct session_env *env;
    struct list waiting; /* struct session_pg_login */
    enum entry_state state;
    struct user_secret secret; /* of ENTRY_FOUND; no password in clear */
    uint64_t asked_us;
    bool is_doubted; /* a login has failed */
    bool is_outdated; /* the configuration has changed since it was asked */
    size_t key_len;
    uint8_t key[]; /* "cluster\0user" */
};

/* ---- entries ---- */

static struct secret_entry *entry_of(struct lookup_pg *l) {
    return CONTAINER_OF(l, struct secret_entry, lookup);
}

static void free_entry(struct secret_entry *e) {
    lookup_pg_release(&e->lookup);
    secret_wipe(&e->secret, sizeof e->secret);
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

void session_pg_lookups_init(struct session_env *env) {
    map_init(&env->secrets);
}

void session_pg_lookups_release(struct session_env *env) {
    free_entries(env, true);
    map_release(&env->secrets);
}

void session_pg_lookups_forget(struct session_env *env) {
    struct bytes name;
    void *value;
    free_entries(env, false);
    for (size_t at = 0; map_next(&env->secrets, &at, &name, &value);) ((struct secret_entry *)value)->is_outdated = true;
}

static const struct config_cluster *cluster_of(const struct session *s) {
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

static void on_done(struct lookup_pg *l, enum lookup_result result, const struct user_secret *secret, const struct err *err);

static struct secret_entry *get_entry(const struct session *s, struct bytes key) {
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
    if (lookup_pg_init(&e->lookup, env->loop, s->user, on_done)) {
        if (map_put(&env->secrets, bytes_of(e->key, e->key_len), e)) return e;
        lookup_pg_release(&e->lookup);
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

static void hand_over(struct session *s, const struct secret_entry *e) {
    struct session_pg_login *login = session_pg_of(s)->login;
    login->is_looked_up = true;
    login->has_found = e->state == ENTRY_FOUND;
    if (login->has_found) login->found = e->secret;
    s->owes_nothing = false;
    session_pg_auth_ask(s);
}

static void refuse(struct session *s) {
    session_pg_fail(s, ERR_CANNOT_CONNECT, "authentication is not available: the server cannot be asked");
}

static void on_done(struct lookup_pg *l, enum lookup_result result, const struct user_secret *secret, const struct err *err) {
    struct secret_entry *e = entry_of(l);
    struct list *n;
    if (e->is_outdated) result = LOOKUP_FAILED; /* who knows which server that was */
    e->state = result == LOOKUP_FOUND ? ENTRY_FOUND : result == LOOKUP_ABSENT ? ENTRY_ABSENT : ENTRY_NEW;
    secret_wipe(&e->secret, sizeof e->secret);
    if (result == LOOKUP_FOUND) e->secret = *secret;
    if (result == LOOKUP_FOUND) *(secret->has_md5 ? &e->env->found_md5 : &e->env->found_scram) += 1;
    if (err_is_set(err)) session_pg_complain(e->env, e->lookup.user, "cannot log in, whom only a server knows", err);
    while ((n = list_take_first(&e->waiting))) {
        struct session *s = CONTAINER_OF(n, struct session_pg_login, lookup_node)->client;
        if (s->state != SESSION_LOGIN) continue; /* it has left, and is not buried yet */
        if (result == LOOKUP_FAILED) refuse(s);
        else hand_over(s, e);
        if (s->state != SESSION_CLOSED) session_resume_input(s);
    }
}

bool session_pg_lookup_is_due(const struct session *s) {
    bool is_for_console = session_pg_is_console_name(s); /* who may stop gilmok is not a server's to say */
    return !is_for_console && !user_store_find(s->env->users, bytes_str(s->user)) && cluster_of(s);
}

void session_pg_lookup_begin(struct session *s) {
    struct session_pg_login *login = session_pg_of(s)->login;
    const struct config_cluster *cluster = cluster_of(s);
    uint8_t storage[256];
    struct bytes key = key_of(s, cluster, storage);
    struct secret_entry *e = key.ptr ? get_entry(s, key) : NULL;
    if (!e) {
        session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    if (is_fresh(e, cluster->auth_cache_ms)) {
        hand_over(s, e);
        return;
    }
    login->step = LOGIN_LOOKED_UP;
    s->owes_nothing = true;
    list_push_back(&e->waiting, &login->lookup_node);
    if (e->state == ENTRY_ASKING) return;
    e->state = ENTRY_ASKING;
    e->is_doubted = e->is_outdated = false;
    e->asked_us = s->env->loop->now_us;
    lookup_pg_start(&e->lookup, s->env->pools, s->env->config, cluster);
}

void session_pg_lookup_doubt(struct session *s) {
    const struct config_cluster *cluster = cluster_of(s);
    uint8_t storage[256];
    if (!session_pg_of(s)->login->is_looked_up || !cluster) return;
    struct bytes key = key_of(s, cluster, storage);
    struct secret_entry *e = key.ptr ? map_get(&s->env->secrets, key) : NULL;
    if (e) e->is_doubted = true;
}

const struct user_secret *session_pg_secret(const struct session *s) {
    const struct session_pg_login *login = session_pg_of((struct session *)s)->login;
    if (login && login->is_looked_up) return login->has_found ? &login->found : NULL;
    return user_store_find(s->env->users, bytes_str(s->user));
}
