/*
 * Owns addresses; opens nothing.
 */
#include "proxy/topology/addr_book.h"

#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"

static bool resolve(struct book_entry *e, const char *host, uint16_t port) {
    char path[ADDR_TEXT_MAX];
    if (host[0] != '/') return addr_resolve(&e->addr, host, port, &e->err);
    snprintf(path, sizeof path, "%s/.s.PGSQL.%u", host, port);
    return addr_unix(&e->addr, path, &e->err);
}

static void add(struct addr_book *book, const void *of, const char *name, const char *host, uint16_t port) {
    struct book_entry *e = mem_alloc(sizeof *e);
    if (!e) return;
    list_init(&e->node);
    e->of = of;
    e->is_known = resolve(e, host, port);
    if (!e->is_known) log_line(LOG_ERROR, "config", name, "%s", e->err.message);
    list_push_back(&book->entries, &e->node);
}

void addr_book_init(struct addr_book *book, const struct config *c) {
    list_init(&book->entries);
    LIST_EACH(n, &c->clusters) {
        LIST_EACH(i, &CONTAINER_OF(n, struct config_cluster, node)->nodes) {
            const struct config_node *node = CONTAINER_OF(i, struct config_node, node);
            add(book, node, node->name, node->host, node->port);
        }
    }
    LIST_EACH(n, &c->peers) {
        const struct config_peer *peer = CONTAINER_OF(n, struct config_peer, node);
        add(book, peer, peer->name, peer->host, peer->port);
    }
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
