/*
 * Owns addresses; opens nothing.
 */
#include "proxy/topology/addr_book.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"

static bool resolve(struct book_entry *e, const char *host, uint16_t port) {
    char path[ADDR_TEXT_MAX];
    if (host[0] != '/') return addr_resolve(&e->addr, host, port, &e->err);
    snprintf(path, sizeof path, "%s/.s.PGSQL.%u", host, port);
    return addr_unix(&e->addr, path, &e->err);
}

/* Where that is to be found out. */
struct place {
    const void *of;
    const char *name, *host;
    uint16_t port;
    bool is_awaited; /* somebody else looks the name up */
};

/* `known`: what was found out before, or that it could not be; or NULL. */
static void add(struct addr_book *book, const struct place *at, const struct book_entry *known) {
    struct book_entry *e = mem_alloc(sizeof *e);
    if (!e) return;
    if (known) *e = *known;
    list_init(&e->node);
    e->of = at->of;
    if (!known && at->is_awaited)
        err_set(&e->err, ERR_CANNOT_CONNECT, "the addresses of \"%.100s\" are not known yet", at->host);
    else if (!known) e->is_known = resolve(e, at->host, at->port);
    if (!known && !e->is_known && !at->is_awaited) log_line(LOG_ERROR, "config", at->name, "%s", e->err.message);
    list_push_back(&book->entries, &e->node);
}

/* `old` and `before` may be NULL, in the next ones too. */
static const struct book_entry *known_node(const struct addr_book *old, const struct config *before,
                                           const struct config_cluster *cluster, const struct config_node *node) {
    const struct config_cluster *was_in = before ? config_find_cluster(before, cluster->name) : NULL;
    const struct config_node *was = was_in ? config_find_node(was_in, node->name) : NULL;
    bool is_same = was && was->port == node->port && strcmp(config_node_place(was), config_node_place(node)) == 0;
    return is_same ? addr_book_find(old, was) : NULL;
}

static const struct book_entry *known_peer(const struct addr_book *old, const struct config *before,
                                           const struct config_peer *peer) {
    const struct config_peer *was = before ? config_find_peer(before, peer->instance) : NULL;
    return was ? addr_book_find(old, was) : NULL;
}

static void fill(struct addr_book *book, const struct config *c, const struct addr_book *old, const struct config *before) {
    list_init(&book->entries);
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        LIST_EACH(i, &cluster->nodes) {
            const struct config_node *node = CONTAINER_OF(i, struct config_node, node);
            const struct place at = {.of = node, .name = node->name, .host = config_node_place(node), .port = node->port,
                                     .is_awaited = node->discover_addresses};
            add(book, &at, known_node(old, before, cluster, node));
        }
    }
    LIST_EACH(n, &c->peers) {
        const struct config_peer *peer = CONTAINER_OF(n, struct config_peer, node);
        const struct place at = {.of = peer, .name = peer->name, .host = peer->host, .port = peer->port};
        add(book, &at, known_peer(old, before, peer));
    }
}

void addr_book_init(struct addr_book *book, const struct config *c) {
    fill(book, c, NULL, NULL);
}

void addr_book_init_like(struct addr_book *book, const struct config *c, const struct addr_book *old, const struct config *before) {
    fill(book, c, old, before);
}

void addr_book_release(struct addr_book *book) {
    struct list *n;
    while ((n = list_take_first(&book->entries))) mem_free(CONTAINER_OF(n, struct book_entry, node));
}

const struct book_entry *addr_book_find(const struct addr_book *book, const void *of) {
    LIST_EACH(n, &book->entries) {
        const struct book_entry *e = CONTAINER_OF(n, struct book_entry, node);
        if (e->of == of) return e;
    }
    return NULL;
}
