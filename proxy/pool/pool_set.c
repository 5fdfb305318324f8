/*
 * Pools and variants: made from the configuration, found by name, changed by a
 * reload, freed. Owns all of them; whom they serve is pool.c's business.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/pool/departed.h"
#include "proxy/pool/pool_impl.h"

static struct backend *backend_at(struct list *n) {
    return CONTAINER_OF(n, struct backend, node);
}

/* Frees closed connections, except those that a cancel request still points at. */
static void on_bury(struct task *t) {
    struct pool_set *set = CONTAINER_OF(t, struct pool_set, bury);
    LIST_EACH(n, &set->dead) {
        if (backend_at(n)->cancels_open) continue;
        list_remove(n);
        backend_free(backend_at(n));
    }
}

void pool_set_init(struct pool_set *set, struct loop *loop) {
    *set = (struct pool_set){.loop = loop, .backend_id_step = 1};
    map_init(&set->pools);
    map_init(&set->catalogs);
    map_init(&set->statements);
    list_init(&set->all);
    list_init(&set->subscribers);
    list_init(&set->errands);
    list_init(&set->departed);
    list_init(&set->dead);
    task_init(&set->bury, on_bury);
}

static char *dup_or_null(const char *s) {
    return s ? mem_strdup(s, strlen(s)) : NULL;
}

static void free_credentials(struct pool *p) {
    if (p->server.password) secret_wipe(p->server.password, strlen(p->server.password));
    secret_wipe(&p->server.scram_keys, sizeof p->server.scram_keys);
    secret_wipe(&p->server.my_keys, sizeof p->server.my_keys);
    mem_free(p->server.password);
    mem_free(p->server.database);
    mem_free(p->server.user);
    p->server.password = p->server.database = p->server.user = NULL;
}

/* Its size is that of the share that it stands beside. */
static void follow_main(struct pool *p) {
    p->limits.size = p->main->limits.size;
    p->limits.reserve_size = p->main->limits.reserve_size;
    p->limits.min_size = 0;
    p->limits.unknown_effects = UNKNOWN_EFFECTS_TRUST; /* nobody asks it what names stand for: a replica may be behind */
    p->limits.read_write_split = false;
}

static void set_limits(struct pool *p, const struct config *c, const struct config_database *db) {
    struct bytes name = bytes_str(p->user);
    const struct config_user *user = config_find_user(c, name);
    struct share_part all = share_pool_part(c, db, name);
    p->mode = user && user->pool_mode >= 0 ? (enum pool_mode)user->pool_mode : db->pool_mode;
    p->limits.size = p->share ? atomic_load_explicit(&p->share->size, memory_order_relaxed) : all.size;
    p->limits.reserve_size = p->share ? atomic_load_explicit(&p->share->reserve, memory_order_relaxed) : all.reserve;
    p->limits.min_size = p->share ? atomic_load_explicit(&p->share->min, memory_order_relaxed) : all.min;
    p->limits.reserve_timeout_ms = db->reserve_pool_timeout_ms;
    p->limits.app_name_add_host = db->app_name_add_host;
    p->limits.max_variants = db->max_variants;
    p->limits.max_prepared_statements = db->max_prepared_statements;
    p->server.auth = db->cluster->server_auth;
    p->server.channel_binding = db->cluster->channel_binding;
    p->limits.connect_timeout_ms = db->cluster->connect_timeout_ms;
    p->limits.login_retry_ms = db->cluster->login_retry_ms;
    p->limits.stall_ms = db->cluster->stall_timeout_ms;
    p->limits.failover_wait_ms = db->cluster->failover_wait_ms;
    p->limits.queue_timeout_ms = db->queue_timeout_ms;
    p->limits.query_timeout_ms = db->query_timeout_ms;
    p->limits.transaction_timeout_ms = db->transaction_timeout_ms;
    p->limits.idle_transaction_timeout_ms = db->idle_transaction_timeout_ms;
    p->limits.server_idle_timeout_ms = db->server_idle_timeout_ms;
    p->limits.server_lifetime_ms = db->server_lifetime_ms;
    p->limits.server_check_delay_ms = db->server_check_delay_ms;
    p->limits.session_reuse = db->session_reuse;
    p->limits.is_round_robin = db->server_round_robin;
    p->limits.catalog_refresh_ms = db->catalog_refresh_ms;
    p->limits.unknown_effects = db->unknown_effects;
    p->limits.session_sequences = db->session_sequences;
    p->limits.listen = db->listen;
    p->limits.read_write_split = db->read_write_split && p->mode != POOL_SESSION && config_is_elective(db->cluster);
    if (!p->limits.read_write_split) p->split_since_us = 0;
    else if (!p->split_since_us) p->split_since_us = clock_now_us(p->set->loop->clock);
    bool has_choice = p->limits.read_write_split || (db->role != ROLE_PRIMARY && config_is_elective(db->cluster)); /* of nodes */
    bool may_hold_begin = p->mode == POOL_TRANSACTION && !p->main;
    p->limits.holds_begin = may_hold_begin && (db->begin == BEGIN_AUTO ? has_choice : db->begin == BEGIN_HELD);
    p->limits.read_consistency = db->read_consistency;
    p->limits.consistency_timeout_ms = db->consistency_timeout_ms;
    p->limits.balance = db->balance;
    p->limits.slow_start_ms = db->slow_start_ms;
    p->limits.primary_share = db->primary_share;
    p->limits.is_sticky = db->read_stickiness == STICKY_SESSION && db->read_write_split;
    if (p->limits.read_write_split && !p->main && !p->routes) p->routes = mem_alloc(sizeof *p->routes);
    if (p->main) follow_main(p);
}

/* NULL is fine. */
static bool replace_text(char **text, const char *with) {
    mem_free(*text);
    *text = dup_or_null(with ? with : "");
    return *text;
}

/* Of a pool that goes to several nodes, each node's own. */
static bool set_node_budgets(struct pool *p, const struct config_cluster *cluster) {
    LIST_EACH(n, &p->sites) {
        struct site *s = CONTAINER_OF(n, struct site, node);
        const struct config_node *node = config_find_node(cluster, s->node_name);
        if (node && !budget_book_node(p->set->budget_book, cluster, node, &s->budgets)) return false;
    }
    return true;
}

static struct budget_list both_of(const struct budget_list *a, const struct budget_list *b) {
    struct budget_list both = *a;
    for (int i = 0; i < b->count && both.count < BUDGETS_OF_A_POOL; i++) both.at[both.count++] = b->at[i];
    return both;
}

/* Connections that are open count in what is capped now. */
static bool set_budgets(struct pool *p, const struct config *c, const struct config_database *db) {
    struct budget_book *book = p->set->budget_book;
    const struct config_node *node = p->is_spread ? NULL : config_find_node(db->cluster, pool_site(p)->node_name);
    struct budget_list now;
    if (!book) return true;
    if (!budget_book_list(book, c, db, node, bytes_str(p->user), &now)) return false;
    if (p->is_spread && !set_node_budgets(p, db->cluster)) return false;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        struct list *lists[] = {&v->idle, &v->busy, &v->opening};
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
            LIST_EACH(k, lists[i]) {
                struct budget_list its = p->is_spread ? both_of(&now, &backend_at(k)->site->budgets) : now;
                budget_recount(book, &backend_at(k)->budgets, &its);
                backend_at(k)->budgets = its;
            }
        }
    }
    p->places.budgets = now;
    return true;
}

static bool is_same_text(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static bool configure(struct pool *p, const struct config *c, const struct config_database *db, const char *user_password,
                      struct err *err) {
    const char *user = db->server_user ? db->server_user : p->user;
    const char *password = db->server_user ? db->server_password : user_password;
    bool is_same_cluster = strncmp(p->server.cluster, db->cluster->name, sizeof p->server.cluster - 1) == 0;
    if (!pool_place(p, db, err)) return false;
    if (p->main) p->server.scram_keys = p->main->server.scram_keys;
    struct scram_keys learned = {.is_set = false}; /* what clients have proved to its servers is as good as before */
    struct my_auth_keys my_learned = {.is_set = false};
    bool is_same_user = !db->server_user && is_same_text(user, p->server.user);
    if ((p->main || (is_same_cluster && is_same_user)) && !password && !p->server.password) {
        learned = p->server.scram_keys;
        my_learned = p->server.my_keys;
    }
    free_credentials(p);
    p->server.scram_keys = learned;
    p->server.my_keys = my_learned;
    secret_wipe(&learned, sizeof learned);
    secret_wipe(&my_learned, sizeof my_learned);
    p->server.database = dup_or_null(db->server_database ? db->server_database : p->database);
    p->server.user = dup_or_null(user);
    p->server.password = dup_or_null(password);
    set_limits(p, c, db);
    if (!set_budgets(p, c, db)) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    bool has_lists = replace_text(&p->read_functions, db->read_functions) && replace_text(&p->write_functions, db->write_functions);
    p->limits.read_write_split &= has_lists;
    bool may_be_elsewhere = p->limits.read_write_split && p->server.database;
    p->subscribers = may_be_elsewhere ? subscribers_of(p->set, db->cluster, p->server.database) : NULL;
    if (!p->server.database || !p->server.user || !has_lists) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    return true;
}

/* It may be another database, or be asked something else. */
static bool configure_anew(struct pool *p, const struct config *c, const struct config_database *db, const char *user_password,
                           struct err *err) {
    struct catalog_entry *before = p->catalog;
    enum pool_mode mode = p->mode;
    p->catalog = NULL;
    bool ok = configure(p, c, db, user_password, err);
    /* Only where they are shared is it known how they began. */
    if (p->mode != mode && p->proto->protocol == PROTO_MYSQL) pool_retire(p);
    if (ok && before) (void)catalog_book_entry(p);
    if (before) catalog_book_leave(p->set, before);
    return ok;
}

static void free_variant(struct variant *v) {
    INVARIANT(!v->busy_count && !v->idle_count && !v->opening_count && !v->waiting_count && !v->sessions && !v->readers);
    list_remove(&v->node);
    v->pool->variant_count--;
    mem_free((void *)v->key.ptr);
    if (v->baseline) v->release_baseline(v->baseline);
    mem_free(v->baseline);
    mem_free(v);
}

static void free_pool(struct pool *p) {
    struct list *n;
    while ((n = list_first(&p->variants))) free_variant(CONTAINER_OF(n, struct variant, node));
    startup_pg_forget_all(&p->startups);
    task_cancel(&p->dispatch);
    list_remove(&p->node);
    free_credentials(p);
    while ((n = list_take_first(&p->sites))) site_unref(CONTAINER_OF(n, struct site, node));
    mem_free(p->read_functions);
    mem_free(p->write_functions);
    mem_free(p->routes);
    mem_free(p->database);
    mem_free(p->user);
    mem_free(p->copy_node);
    mem_free(p);
}

/*
 * Pools are keyed by "database\0user", with a NUL behind it for reads alone, and behind that the subscriber that they go to: none
 * of these names can hold a NUL.
 */
static struct pool *new_pool(struct pool_set *set, struct bytes database, struct bytes user) {
    struct pool *p = mem_alloc(sizeof *p);
    if (!p) return NULL;
    p->set = set;
    p->database = mem_strdup((const char *)database.ptr, database.len);
    p->user = mem_strdup((const char *)user.ptr, user.len);
    list_init(&p->node);
    list_init(&p->sites);
    list_init(&p->variants);
    list_init(&p->startups);
    task_init(&p->dispatch, pool_dispatch);
    if (p->database && p->user) return p;
    free_pool(p);
    return NULL;
}

/* Whose it is, and what it is a part of. */
struct origin {
    struct bytes database, user;
    const struct backend_proto *proto;
    struct share_group *group; /* NULL: the pool is all here */
    uint32_t index;
    struct pool *main; /* of one for reads alone */
    const char *copy_node; /* of one that goes to a subscriber */
};

/* database NUL user NUL protocol, and of a part of another one: NUL, and its subscriber. Empty: too long. */
static struct bytes pool_key(char *out, size_t cap, const struct origin *o) {
    struct writer w;
    writer_init_fixed(&w, out, cap);
    writer_cstr(&w, o->database);
    writer_cstr(&w, o->user);
    writer_str(&w, o->proto->name);
    if (o->main) writer_u8(&w, 0);
    if (o->copy_node) writer_str(&w, o->copy_node);
    return writer_bytes(&w);
}

static struct pool *get(struct pool_set *set, const struct origin *o, const struct config *c, const struct config_database *db,
                        const char *user_password, struct err *err) {
    char storage[320];
    struct bytes key = pool_key(storage, sizeof storage, o);
    if (!key.len) {
        err_set(err, ERR_LIMIT_EXCEEDED, "database and user name are too long");
        return NULL;
    }
    struct pool *p = map_get(&set->pools, key);
    if (p) return p;
    p = new_pool(set, o->database, o->user);
    if (!p) {
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    p->proto = o->proto;
    p->main = o->main;
    p->copy_node = o->copy_node ? mem_strdup(o->copy_node, strlen(o->copy_node)) : NULL;
    if (o->copy_node && !p->copy_node) {
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
        free_pool(p);
        return NULL;
    }
    if (o->group && o->group->count > 1) {
        p->group = o->group;
        p->share = &o->group->shares[o->index];
    }
    if (!configure(p, c, db, user_password, err) || !map_put(&set->pools, key, p)) {
        if (!err_is_set(err)) err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
        free_pool(p);
        return NULL;
    }
    list_push_back(&set->all, &p->node);
    pool_obey_gates(p);
    return p;
}

struct pool *pool_get(struct pool_set *set, const struct backend_proto *proto, const struct config *c,
                      const struct config_database *db, struct bytes database, struct bytes user,
                      const char *user_password, struct share_group *group, uint32_t index, struct err *err) {
    const struct origin o = {.database = database, .user = user, .proto = proto, .group = group, .index = index};
    return get(set, &o, c, db, user_password, err);
}

struct pool *pool_reads_get(struct pool *main, const struct config *c, const struct config_database *db, const char *user_password,
                            struct err *err) {
    const struct origin o = {.database = bytes_str(main->database), .user = bytes_str(main->user), .proto = main->proto,
                             .main = main};
    if (!main->reads) main->reads = get(main->set, &o, c, db, user_password, err);
    return main->reads;
}

struct pool *pool_copies_get(struct pool *main, uint32_t number, const struct config *c, const struct config_database *db,
                             const char *user_password, struct err *err) {
    const struct origin o = {.database = bytes_str(main->database), .user = bytes_str(main->user), .proto = main->proto,
                             .main = main, .copy_node = main->subscribers->all[number].name};
    return get(main->set, &o, c, db, user_password, err);
}

void pool_share_keys(const struct pool *main) {
    LIST_EACH(n, &main->set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (p->main == main) p->server.scram_keys = main->server.scram_keys;
    }
}

/* Clients would go on listening where nobody notifies any more. */
static void lose_ear(struct pool *p, const char *why) {
    struct err err;
    if (!p->ear) return;
    err_set(&err, ERR_ADMIN_SHUTDOWN, "%s", why);
    p->ear->lose(p->ear, &err);
}

void pool_retire(struct pool *p) {
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        LIST_EACH(i, &v->idle) backend_retire(backend_at(i));
        LIST_EACH(i, &v->opening) backend_retire(backend_at(i));
        LIST_EACH(i, &v->busy) backend_at(i)->is_retired = true;
    }
}

/* What a connection was made with, but for the place (site.h). */
struct identity {
    char *user, *database, *password; /* owned; the last is secret and may be NULL */
};

static struct identity identity_of(const struct pool *p) {
    return (struct identity){
        .user = dup_or_null(p->server.user),
        .database = dup_or_null(p->server.database),
        .password = dup_or_null(p->server.password),
    };
}

static void forget_identity(struct identity *id) {
    if (id->password) secret_wipe(id->password, strlen(id->password));
    mem_free(id->password);
    mem_free(id->user);
    mem_free(id->database);
}

static bool is_same_secret(const char *a, const char *b) {
    if (!a || !b) return a == b;
    return strlen(a) == strlen(b) && secret_equal(a, b, strlen(a));
}

static bool is_still(const struct pool *p, const struct identity *id) {
    return is_same_text(id->user, p->server.user) && is_same_text(id->database, p->server.database) &&
           is_same_secret(id->password, p->server.password);
}

/* Those that lead elsewhere, or were made with something else, close as they become free. */
static void retire_others(struct pool *p, const struct identity *before) {
    bool is_same = is_still(p, before);
    if (!is_same) pool_retire(p);
    if (!pool_retire_left(p) && is_same) return;
    if (is_same && p->is_spread) return; /* one of several */
    startup_pg_forget_all(&p->startups);
    p->failed_us = 0;
    lose_ear(p, p->is_elective ? "another node is the primary" : "the configuration names another server");
}

bool pool_reconfigure(struct pool *p, const struct config *c) {
    const struct config_database *db = config_pool_database(c, bytes_str(p->database));
    bool is_for_lookups = db && db != config_find_database(c, bytes_str(p->database));
    bool is_other = db && db->cluster->protocol != p->proto->protocol; /* then it is another database, whatever its name */
    if (!db || is_other || (is_for_lookups && strcmp(p->user, db->server_user) != 0)) { /* nobody becomes who asks for users */
        pool_retire(p);
        return false;
    }
    const struct user_secret *secret = user_store_find(c->user_store, bytes_str(p->user));
    struct identity before = identity_of(p);
    struct err err = {0};
    const char *password = p->proto->protocol == PROTO_MYSQL ? user_store_password(secret) : user_store_server_secret(secret);
    if (!configure_anew(p, c, db, password, &err)) {
        log_line(LOG_ERROR, "pool", p->server.name, "%s/%s keeps its server: %s", p->database, p->user, err.message);
        (void)pool_retire_left(p); /* as far as it has come */
    } else {
        retire_others(p, &before);
    }
    forget_identity(&before);
    pool_want_dispatch(p);
    return true;
}

/* A closed connection that a cancel request still points at needs its variant. */
static bool has_open_cancel(const struct variant *v) {
    LIST_EACH(n, &v->pool->set->dead) {
        if (backend_at(n)->variant == v && backend_at(n)->cancels_open) return true;
    }
    return false;
}

static bool is_unused(const struct variant *v) {
    return !v->sessions && !v->readers && !v->busy_count && !v->waiting_count && !v->opening_count && !has_open_cancel(v);
}

static void drop_variant(struct variant *v) {
    LIST_EACH(i, &v->idle) backend_retire(backend_at(i));
    on_bury(&v->pool->set->bury);
    free_variant(v);
}

/* A variant that nobody uses makes room for a new one; its idle connections are closed. */
static bool drop_unused_variant(struct pool *p) {
    struct variant *oldest = NULL;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        if (is_unused(v) && (!oldest || v->last_used_us < oldest->last_used_us)) oldest = v;
    }
    if (oldest) drop_variant(oldest);
    return oldest != NULL;
}

void pool_drop_spent(struct pool *p) {
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        if (v->is_spent && is_unused(v)) drop_variant(v);
    }
}

struct variant *variant_get(struct pool *p, struct bytes key, struct err *err) {
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        if (!bytes_equal(v->key, key)) continue;
        v->is_spent = false;
        return v;
    }
    if (p->variant_count >= p->limits.max_variants && !drop_unused_variant(p)) {
        err_set(err, ERR_TOO_MANY_CONNECTIONS, "database \"%s\" has %u different sets of startup parameters in use by user \"%s\"",
                p->database, p->variant_count, p->user);
        err_hint(err, "Let clients agree on their startup parameters, or raise max_variants of the database.");
        return NULL;
    }
    struct variant *v = mem_alloc(sizeof *v);
    char *copy = v ? mem_strdup((const char *)key.ptr, key.len) : NULL;
    if (!copy) {
        mem_free(v);
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    v->pool = p;
    v->key = bytes_of(copy, key.len);
    list_init(&v->node);
    list_init(&v->idle);
    list_init(&v->busy);
    list_init(&v->opening);
    list_init(&v->waiting);
    v->last_used_us = p->set->loop->now_us;
    list_push_back(&p->variants, &v->node);
    p->variant_count++;
    return v;
}

void pool_set_release(struct pool_set *set) {
    struct list *n;
    departed_close(set);
    while ((n = list_first(&set->errands))) {
        struct pool_errand *e = CONTAINER_OF(n, struct pool_errand, node);
        e->abandon(e);
    }
    while ((n = list_first(&set->all))) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        lose_ear(p, "gilmok is shutting down");
        LIST_EACH(i, &p->variants) {
            struct variant *v = CONTAINER_OF(i, struct variant, node);
            LIST_EACH(k, &v->busy) backend_retire(backend_at(k));
        }
        pool_retire(p);
        on_bury(&set->bury);
        free_pool(p);
    }
    task_cancel(&set->bury);
    catalog_book_release(set);
    subscribers_release(set);
    map_release(&set->pools);
    map_release(&set->statements);
}
