/*
 * A short table. It knows names by how they look, and nothing of who may import what: the server says that.
 */
#include "proxy/pool/exported.h"

#include <stdio.h>

#include "base/reader.h"
#include "proxy/pool/pool.h"

void exported_init(struct exported_book *book) {
    pthread_mutex_init(&book->lock, NULL);
}

void exported_release(struct exported_book *book) {
    pthread_mutex_destroy(&book->lock);
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static bool are_all(struct bytes text, const char *these) {
    for (size_t i = 0; i < text.len; i++)
        if (!text.ptr[i] || !strchr(these, text.ptr[i])) return false;
    return text.len > 0;
}

/*   00000003-0000001B-1: two numbers in hex, of eight digits each, and one in decimal (snapmgr.c, ExportSnapshot) */
static bool is_name(struct bytes text) {
    static const char hex[] = "0123456789ABCDEF";
    if (text.len < 19 || text.len >= EXPORTED_NAME_MAX || text.ptr[8] != '-' || text.ptr[17] != '-') return false;
    return are_all(bytes_of(text.ptr, 8), hex) && are_all(bytes_of(text.ptr + 9, 8), hex) &&
           are_all(bytes_of(text.ptr + 18, text.len - 18), "0123456789");
}

/* ---- the table ------------------------------------------------------------------------------------------------------- */

static void note(struct backend *b, struct bytes name) {
    const struct pool *p = b->variant->pool;
    struct exported_book *book = p->set->exported;
    pthread_mutex_lock(&book->lock);
    struct exported *e = &book->all[book->count++ % EXPORTED_MAX];
    snprintf(e->name, sizeof e->name, "%.*s", (int)name.len, (const char *)name.ptr);
    snprintf(e->database, sizeof e->database, "%s", p->server.database);
    snprintf(e->cluster, sizeof e->cluster, "%s", p->server.cluster);
    e->node = site_gauge_id(b->site);
    e->backend_id = b->id;
    pthread_mutex_unlock(&book->lock);
    b->has_exported = true;
}

/*   DataRow = count(2) ( length(4) value ) ... : text is the same in both formats */
void exported_read(struct backend *b, struct bytes body) {
    struct reader r = reader_over(body);
    if (!b->variant->pool->set->exported || !site_gauge_id(b->site)) return;
    for (uint16_t left = reader_be16(&r); left && !r.failed; left--) {
        uint32_t len = reader_be32(&r);
        if (len > INT32_MAX) continue; /* NULL */
        struct bytes value = reader_take(&r, len);
        if (!r.failed && is_name(value)) note(b, value);
    }
}

void exported_forget(struct backend *b) {
    struct exported_book *book = b->variant->pool->set->exported;
    b->has_exported = false;
    pthread_mutex_lock(&book->lock);
    for (size_t i = 0; i < EXPORTED_MAX; i++)
        if (book->all[i].backend_id == b->id) book->all[i] = (struct exported){.node = 0};
    pthread_mutex_unlock(&book->lock);
}

static bool is_of(const struct exported *e, const struct pool *p, struct bytes name) {
    return e->node && bytes_is(name, e->name) && strncmp(e->database, p->server.database, sizeof e->database - 1) == 0 &&
           strncmp(e->cluster, p->server.cluster, sizeof e->cluster - 1) == 0;
}

enum exported_where exported_find(const struct pool *p, struct bytes name, uint64_t *node) {
    struct exported_book *book = p->set->exported;
    uint64_t found = 0;
    bool is_at_several = false;
    if (!book) return EXPORTED_NOWHERE;
    pthread_mutex_lock(&book->lock);
    for (size_t i = 0; i < EXPORTED_MAX; i++) {
        const struct exported *e = &book->all[i];
        if (!is_of(e, p, name)) continue;
        is_at_several |= found && found != e->node;
        found = e->node;
    }
    pthread_mutex_unlock(&book->lock);
    if (is_at_several) return EXPORTED_AT_SEVERAL;
    if (found) *node = found;
    return found ? EXPORTED_AT : EXPORTED_NOWHERE;
}
