/*
 * Owns the groups and counts the clients; opens no connection and moves nobody.
 */
#include "proxy/pool/share.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "proxy/auth/secret.h"

enum { KEY_MAX = 256 };

struct user_count {
    uint32_t clients;
};

void share_book_init(struct share_book *b, uint32_t workers) {
    INVARIANT(workers >= 1 && workers <= WORKERS_MAX);
    *b = (struct share_book){.workers = workers};
    pthread_mutex_init(&b->lock, NULL);
    map_init(&b->groups_by_name);
    map_init(&b->users);
    list_init(&b->groups);
}

static void free_group(struct share_group *g) {
    secret_wipe(&g->keys, sizeof g->keys);
    mem_free(g->database);
    mem_free(g->user);
    mem_free(g);
}

void share_book_release(struct share_book *b) {
    struct list *n;
    struct bytes name;
    void *count;
    size_t at = 0;
    while ((n = list_take_first(&b->groups))) free_group(CONTAINER_OF(n, struct share_group, node));
    while (map_next(&b->users, &at, &name, &count)) mem_free(count);
    map_release(&b->users);
    map_release(&b->groups_by_name);
    pthread_mutex_destroy(&b->lock);
}

struct share_part share_pool_part(const struct config *c, const struct config_database *db, struct bytes user) {
    const struct config_user *u = config_find_user(c, user);
    struct share_part part = {u && u->pool_size ? u->pool_size : db->pool_size, db->reserve_pool_size, db->min_pool_size};
    if (part.min > part.size) part.min = part.size;
    return part;
}

/* ---- sizes ---- */

static uint32_t shares_for(const struct share_book *b, uint32_t size) {
    uint32_t count = size / SHARE_SIZE_MIN;
    if (count < 1) count = 1;
    return count < b->workers ? count : b->workers;
}

/* Parts as equal as can be, the larger ones first. */
static uint32_t part_of(uint32_t whole, uint32_t i, uint32_t active) {
    return i < active ? whole / active + (i < whole % active) : 0;
}

static void set_sizes(struct share_book *b, struct share_group *g, struct share_part all) {
    uint32_t active = shares_for(b, all.size);
    for (uint32_t i = 0; i < g->count; i++) {
        struct share *sh = &g->shares[i];
        uint32_t part = part_of(all.size, i, active);
        atomic_store_explicit(&sh->reserve, part_of(all.reserve, i, active), memory_order_relaxed);
        atomic_store_explicit(&sh->min, part_of(all.min, i, active), memory_order_relaxed);
        b->load[sh->worker] += part - atomic_load_explicit(&sh->size, memory_order_relaxed);
        atomic_store_explicit(&sh->size, part, memory_order_relaxed);
    }
    atomic_store_explicit(&g->active, active, memory_order_relaxed);
}

/* ---- keys ---- */

static bool is_of_cluster(const struct share_group *g, const char *cluster) {
    return strncmp(g->keys_cluster, cluster, sizeof g->keys_cluster - 1) == 0;
}

void share_book_learn(struct share_book *b, struct share_group *g, const char *cluster, const struct scram_keys *keys) {
    pthread_mutex_lock(&b->lock);
    g->keys = *keys;
    snprintf(g->keys_cluster, sizeof g->keys_cluster, "%s", cluster);
    pthread_mutex_unlock(&b->lock);
}

void share_book_keys(struct share_book *b, struct share_group *g, const char *cluster, struct scram_keys *out) {
    pthread_mutex_lock(&b->lock);
    if (is_of_cluster(g, cluster) && scram_keys_are_wanted(out, &g->keys)) *out = g->keys;
    pthread_mutex_unlock(&b->lock);
}

/* Under another configuration they may be for nobody any more. */
static void review_keys(struct share_group *g, const struct config *c, const struct config_database *db) {
    const struct user_secret *secret = user_store_find(c->user_store, bytes_str(g->user));
    bool is_of_use = db && !db->server_user && is_of_cluster(g, db->cluster->name) && !user_store_server_secret(secret);
    if (g->keys.is_set && !is_of_use) secret_wipe(&g->keys, sizeof g->keys);
}

void share_book_resize(struct share_book *b, const struct config *c) {
    pthread_mutex_lock(&b->lock);
    LIST_EACH(n, &b->groups) {
        struct share_group *g = CONTAINER_OF(n, struct share_group, node);
        const struct config_database *db = config_find_database(c, bytes_str(g->database));
        if (db) set_sizes(b, g, share_pool_part(c, db, bytes_str(g->user)));
        review_keys(g, c, db);
    }
    pthread_mutex_unlock(&b->lock);
}

/* ---- groups ---- */

/* Every worker once, those that hold least first. */
static void choose_workers(const struct share_book *b, struct share_group *g) {
    bool is_taken[WORKERS_MAX] = {false};
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t best = WORKERS_MAX;
        for (uint32_t w = 0; w < b->workers; w++)
            if (!is_taken[w] && (best == WORKERS_MAX || b->load[w] < b->load[best])) best = w;
        is_taken[best] = true;
        g->shares[i].worker = best;
    }
}

static struct user_count *count_of(struct share_book *b, struct bytes user) {
    struct user_count *count = map_get(&b->users, user);
    if (count) return count;
    count = mem_alloc(sizeof *count);
    if (count && map_put(&b->users, user, count)) return count;
    mem_free(count);
    return NULL;
}

static struct share_group *make_group(struct share_book *b, struct bytes key, struct bytes database, struct bytes user) {
    struct share_group *g = mem_alloc(sizeof *g + b->workers * sizeof g->shares[0]);
    if (!g) return NULL;
    list_init(&g->node);
    g->count = b->workers;
    g->database = mem_strdup((const char *)database.ptr, database.len);
    g->user = mem_strdup((const char *)user.ptr, user.len);
    g->of_user = count_of(b, user);
    choose_workers(b, g);
    if (g->database && g->user && g->of_user && map_put(&b->groups_by_name, key, g)) {
        list_push_back(&b->groups, &g->node);
        return g;
    }
    free_group(g);
    return NULL;
}

/* Names hold no NUL. */
static struct share_group *find_group(struct share_book *b, const struct config *c, const struct config_database *db,
                                      struct bytes database, struct bytes user) {
    char key[KEY_MAX];
    size_t len = database.len + 1 + user.len;
    if (len > sizeof key) return NULL;
    memcpy(key, database.ptr, database.len);
    key[database.len] = '\0';
    memcpy(key + database.len + 1, user.ptr, user.len);
    struct share_group *g = map_get(&b->groups_by_name, bytes_of(key, len));
    if (!g && (g = make_group(b, bytes_of(key, len), database, user))) set_sizes(b, g, share_pool_part(c, db, user));
    return g;
}

struct share_group *share_book_group(struct share_book *b, const struct config *c, const struct config_database *db,
                                     struct bytes database, struct bytes user) {
    pthread_mutex_lock(&b->lock);
    struct share_group *g = find_group(b, c, db, database, user);
    pthread_mutex_unlock(&b->lock);
    return g;
}

static uint32_t least_used(const struct share_group *g, uint32_t here) {
    uint32_t active = atomic_load_explicit(&g->active, memory_order_relaxed), best = 0;
    for (uint32_t i = 1; i < active; i++) {
        const struct share *sh = &g->shares[i];
        bool is_at_home = sh->worker == here && sh->clients == g->shares[best].clients;
        if (sh->clients < g->shares[best].clients || is_at_home) best = i;
    }
    return best;
}

/* ---- clients ---- */

static void count(struct share_group *g, uint32_t index, int change) {
    g->shares[index].clients += (uint32_t)change;
    g->clients += (uint32_t)change;
    g->of_user->clients += (uint32_t)change;
}

bool share_book_enter(struct share_book *b, const struct config *c, const struct config_database *db, struct bytes database,
                      struct bytes user, uint32_t here, struct share_group **group, uint32_t *index, struct err *err) {
    const struct config_user *u = config_find_user(c, user);
    pthread_mutex_lock(&b->lock);
    struct share_group *g = find_group(b, c, db, database, user);
    bool has_room = g && (!u || !u->max_client_conn || g->of_user->clients < u->max_client_conn);
    if (has_room) {
        *group = g;
        *index = least_used(g, here);
        count(g, *index, 1);
    }
    pthread_mutex_unlock(&b->lock);
    if (has_room) return true;
    if (!g) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    return err_set(err, ERR_TOO_MANY_CONNECTIONS, "too many connections for user \"%.*s\": max_client_conn is %u", (int)user.len,
                   (const char *)user.ptr, u->max_client_conn);
}

void share_book_leave(struct share_book *b, struct share_group *g, uint32_t index) {
    pthread_mutex_lock(&b->lock);
    count(g, index, -1);
    pthread_mutex_unlock(&b->lock);
}

void share_book_move(struct share_book *b, struct share_group *g, uint32_t from, uint32_t to) {
    pthread_mutex_lock(&b->lock);
    g->shares[from].clients--;
    g->shares[to].clients++;
    pthread_mutex_unlock(&b->lock);
}

uint32_t share_book_clients(struct share_book *b, bool (*is_of)(void *ctx, const char *database), void *ctx) {
    uint32_t clients = 0;
    pthread_mutex_lock(&b->lock);
    LIST_EACH(n, &b->groups) {
        const struct share_group *g = CONTAINER_OF(n, struct share_group, node);
        if (g->clients && is_of(ctx, g->database)) clients += g->clients;
    }
    pthread_mutex_unlock(&b->lock);
    return clients;
}

uint32_t share_index_of(const struct share_group *g, uint32_t worker) {
    for (uint32_t i = 0; i < g->count; i++)
        if (g->shares[i].worker == worker) return i;
    INVARIANT(!"every worker has a share, be it of size 0");
    return 0;
}
