/*
 * Owns the lists. One comes into being with a configuration that differs from all before it, so they are few.
 */
#include "proxy/pool/subscribers.h"

#include <string.h>

#include "base/fault.h"
#include "proxy/pool/pool.h"

static_assert(CONFIG_SUBSCRIBERS_MAX == 8, "a bit of a byte for each");

static bool has_tables_of(const struct config_node *node, const char *database) {
    return config_node_subscribes(node) && strcmp(node->database, database) == 0;
}

static bool is_it(const struct subscribers *s, const struct config_cluster *cluster, const char *database) {
    uint32_t i = 0;
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (!has_tables_of(node, database)) continue;
        if (i == s->count) return false;
        const struct subscriber *one = &s->all[i++];
        bool is_same = one->copy_id == config_copy_id(node) && strcmp(one->name, node->name) == 0 &&
                       strcmp(one->tables, node->tables) == 0;
        if (!is_same) return false;
    }
    return i == s->count;
}

static void free_one(struct subscribers *s) {
    for (uint32_t i = 0; i < s->count; i++) {
        mem_free((void *)(uintptr_t)s->all[i].name);
        mem_free((void *)(uintptr_t)s->all[i].tables);
    }
    mem_free(s);
}

static bool fill(struct subscribers *s, const struct config_cluster *cluster, const char *database) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (!has_tables_of(node, database) || s->count == CONFIG_SUBSCRIBERS_MAX) continue;
        struct subscriber *one = &s->all[s->count++];
        *one = (struct subscriber){.name = mem_strdup(node->name, strlen(node->name)),
                                   .tables = mem_strdup(node->tables, strlen(node->tables)), .copy_id = config_copy_id(node)};
        if (!one->name || !one->tables) return false;
    }
    return s->count;
}

const struct subscribers *subscribers_of(struct pool_set *set, const struct config_cluster *cluster, const char *database) {
    bool has_some = false;
    LIST_EACH(n, &cluster->nodes) has_some |= has_tables_of(CONTAINER_OF(n, struct config_node, node), database);
    if (!has_some) return NULL;
    LIST_EACH(n, &set->subscribers)
        if (is_it(CONTAINER_OF(n, struct subscribers, node), cluster, database)) return CONTAINER_OF(n, struct subscribers, node);
    struct subscribers *s = mem_alloc(sizeof *s);
    if (!s) return NULL;
    list_init(&s->node);
    if (!fill(s, cluster, database)) {
        free_one(s);
        return NULL;
    }
    list_push_back(&set->subscribers, &s->node);
    return s;
}

void subscribers_release(struct pool_set *set) {
    struct list *n;
    while ((n = list_take_first(&set->subscribers))) free_one(CONTAINER_OF(n, struct subscribers, node));
}
