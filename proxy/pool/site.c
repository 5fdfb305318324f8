/*
 * Owns the copy of an address and its references; opens nothing.
 */
#include "proxy/pool/site.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"

static void free_site(struct site *s) {
    topology_gauge_unref(s->gauge);
    tls_context_unref(s->tls);
    mem_free(s->host);
    mem_free(s);
}

struct site *site_new(const struct config_node *node, const struct book_entry *at, struct tls_context *tls, struct err *err) {
    char text[ADDR_TEXT_MAX];
    if (at && !at->is_known) {
        *err = at->err;
        return NULL;
    }
    struct site *s = at ? mem_alloc(sizeof *s) : NULL;
    char *host = s ? mem_strdup(node->host, strlen(node->host)) : NULL;
    if (!host) {
        mem_free(s);
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory for the address of node \"%s\"", node->name);
        return NULL;
    }
    list_init(&s->node);
    s->refs = 1;
    s->addr = at->addr;
    s->tls = tls ? tls_context_ref(tls) : NULL;
    s->host = host;
    snprintf(s->node_name, sizeof s->node_name, "%s", node->name);
    snprintf(s->name, sizeof s->name, "%.60s %s", node->name, addr_text(&s->addr, text));
    return s;
}

struct site *site_ref(struct site *s) {
    s->refs++;
    return s;
}

void site_unref(struct site *s) {
    if (s && --s->refs == 0) free_site(s);
}

bool site_is_still(const struct site *s, const struct config_node *node, const struct book_entry *at,
                   const struct tls_context *tls) {
    return at && at->is_known && addr_equal(&at->addr, &s->addr) &&
           strncmp(s->node_name, node->name, sizeof s->node_name - 1) == 0 && strcmp(s->host, node->host) == 0 && !tls == !s->tls;
}

void site_renew(struct site *s, struct tls_context *tls) {
    struct tls_context *old = s->tls;
    s->tls = tls ? tls_context_ref(tls) : NULL;
    tls_context_unref(old);
}
