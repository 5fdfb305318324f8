/*
 * Owns the book; the pools' connections are only told to go.
 */
#include "proxy/pool/vacate.h"

#include "base/log.h"
#include "proxy/pool/catalog_book.h"

void vacate_book_init(struct vacate_book *b) {
    *b = (struct vacate_book){0};
    pthread_mutex_init(&b->lock, NULL);
}

void vacate_book_release(struct vacate_book *b) {
    pthread_mutex_destroy(&b->lock);
}

/* ---- places ---------------------------------------------------------------------------------------------------------- */

/* What clients know by the name `database`. False: it is not configured any more, or has too long a name. */
static bool find_place(const struct config *c, const char *database, struct vacate_place *out) {
    const struct config_database *db = config_pool_database(c, bytes_str(database));
    const struct config_node *node = db ? config_first_node(db->cluster) : NULL;
    if (!node) return false;
    const char *name = db->server_database ? db->server_database : database;
    if (strlen(node->host) >= sizeof out->host || strlen(name) >= sizeof out->database) return false;
    *out = (struct vacate_place){.port = node->port};
    memcpy(out->host, node->host, strlen(node->host));
    memcpy(out->database, name, strlen(name));
    return true;
}

static bool is_same(const struct vacate_place *a, const struct vacate_place *b) {
    return a->port == b->port && strcmp(a->database, b->database) == 0 && strcmp(a->host, b->host) == 0;
}

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

/* The one of that place; else one that is over. NULL: there are too many. */
static struct vacate *item_for(struct vacate_book *b, const struct vacate_place *place, uint64_t now_us) {
    struct vacate *spare = NULL;
    for (size_t i = 0; i < VACATE_MAX; i++) {
        struct vacate *v = &b->items[i];
        if (v->until_us <= now_us) spare = v;
        else if (is_same(&v->place, place)) return v;
    }
    return spare;
}

void vacate_ask(struct vacate_book *b, const struct config *c, const struct pool *asker, const char *database) {
    struct vacate_place place;
    uint64_t now_us = asker->set->loop->now_us, until_us = now_us + (uint64_t)VACATE_MS * 1000;
    if (strlen(database) >= sizeof place.database || !find_place(c, asker->database, &place)) return;
    uint32_t spared = strcmp(place.database, database) == 0;
    memset(place.database, 0, sizeof place.database);
    memcpy(place.database, database, strlen(database));
    pthread_mutex_lock(&b->lock);
    struct vacate *v = item_for(b, &place, now_us);
    if (v) *v = (struct vacate){.place = place, .spared = spared, .until_us = until_us};
    pthread_mutex_unlock(&b->lock);
    atomic_store_explicit(&b->until_us, until_us, memory_order_relaxed);
}

/* ---- vacating -------------------------------------------------------------------------------------------------------- */

/* For share_book_clients(). */
struct wanted {
    const struct config *config;
    const struct vacate_place *place;
};

static bool is_wanted(void *ctx, const char *database) {
    const struct wanted *w = ctx;
    struct vacate_place place;
    return find_place(w->config, database, &place) && is_same(&place, w->place);
}

static void empty(struct pool *p, uint64_t until_us) {
    uint32_t closed = 0;
    p->vacant_until_us = until_us;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        closed += v->idle_count;
        LIST_EACH(i, &v->idle) backend_retire(CONTAINER_OF(i, struct backend, node));
    }
    if (closed)
        log_line(LOG_INFO, "pool", p->server.name, "%s/%s: %u idle connections closed: a client drops, renames or copies %s",
                 p->database, p->user, closed, p->server.database);
}

static void vacate(const struct vacate *v, const struct config *c, struct share_book *clients, struct pool_set *set) {
    struct wanted wanted = {.config = c, .place = &v->place};
    bool is_in_use = share_book_clients(clients, is_wanted, &wanted) > v->spared;
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (!is_wanted(&wanted, p->database)) continue;
        if (p->catalog) catalog_entry_doubt(p->catalog); /* there may soon be another database under that name */
        if (!is_in_use) empty(p, v->until_us);
    }
}

void vacate_run(struct vacate_book *b, const struct config *c, struct share_book *clients, struct pool_set *set) {
    uint64_t now_us = set->loop->now_us;
    for (size_t i = 0; i < VACATE_MAX; i++) {
        pthread_mutex_lock(&b->lock);
        struct vacate v = b->items[i];
        pthread_mutex_unlock(&b->lock);
        if (v.until_us > now_us) vacate(&v, c, clients, set);
    }
}
