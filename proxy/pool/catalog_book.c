/*
 * Owns the catalogs of a worker, and decides when each is read again. How the rows come in is backend_pg_catalog.c's business.
 */
#include "proxy/pool/catalog_book.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/catalog_change.h"

enum { KEY_MAX = 512, ARENA_MAX = 16 << 20 };

struct catalog_entry *catalog_book_entry(struct pool *p) {
    if (p->catalog) return p->catalog;
    uint8_t storage[KEY_MAX];
    struct writer key;
    writer_init_fixed(&key, storage, sizeof storage);
    writer_cstr(&key, bytes_str(p->server.name));
    writer_cstr(&key, bytes_str(p->server.database));
    if (key.failed) return NULL;
    struct pool_set *set = p->set;
    struct catalog_entry *e = map_get(&set->catalogs, writer_bytes(&key));
    if (!e) {
        e = mem_alloc(sizeof *e);
        if (!e || !map_put(&set->catalogs, writer_bytes(&key), e)) {
            mem_free(e);
            return NULL;
        }
    }
    p->catalog = e;
    return e;
}

void catalog_book_release(struct pool_set *set) {
    size_t at = 0;
    struct bytes key;
    void *value;
    while (map_next(&set->catalogs, &at, &key, &value)) {
        struct catalog_entry *e = value;
        catalog_free(e->now);
        mem_free(e);
    }
    map_release(&set->catalogs);
}

/* ---- for how long ---------------------------------------------------------------------------------------------------- */

void catalog_entry_doubt(struct catalog_entry *e) {
    e->changes = 0; /* nobody ever sees that */
}

static bool is_younger(const struct catalog_entry *e, const struct pool *p, uint32_t ms) {
    return e->now && e->changes == catalog_changes_seen(p->set) && p->set->loop->now_us - e->checked_us < (uint64_t)ms * 1000;
}

const struct catalog *catalog_entry_current(const struct catalog_entry *e, const struct pool *p) {
    return is_younger(e, p, p->limits.catalog_refresh_ms) ? e->now : NULL;
}

bool catalog_is_hoped_for(struct pool *p) {
    if (p->mode == POOL_SESSION || p->limits.unknown_effects == UNKNOWN_EFFECTS_TRUST || p->set->is_closing) return false;
    struct catalog_entry *e = catalog_book_entry(p);
    if (!e || e->now || e->failed_us) return false;
    e->is_wanted = true;
    return true;
}

/* In good time: nobody should have to do without it. */
bool catalog_reading_is_due(const struct pool *p) {
    const struct catalog_entry *e = p->catalog;
    uint64_t now_us = p->set->loop->now_us;
    if (!e || !e->is_wanted || e->is_under_way || is_younger(e, p, p->limits.catalog_refresh_ms / 2)) return false;
    return !e->failed_us || now_us - e->failed_us > (uint64_t)CATALOG_RETRY_MS * 1000;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

/* Everything, or with something known only whether that is still true. False: memory is out. */
static bool begin(struct catalog_reading *r, const struct pool *p, struct writer *w, uint32_t version, bool is_check) {
    r->changes = catalog_changes_seen(p->set);
    r->has_digest = false;
    if (is_check) {
        catalog_pg_put_check(w);
        return !w->failed;
    }
    r->coming = catalog_new();
    catalog_pg_put_query(w, version);
    return r->coming && !w->failed;
}

/* Whoever has waited for it, in whichever pool of the database. */
static void wake_waiters(struct pool_set *set) {
    LIST_EACH(n, &set->all) pool_want_dispatch(CONTAINER_OF(n, struct pool, node));
}

static void end(struct catalog_reading *r) {
    r->entry->is_under_way = false;
    catalog_free(r->coming);
    arena_release(&r->arena);
    mem_free(r);
}

struct catalog_reading *catalog_reading_begin(struct pool *p, struct writer *w, uint32_t version) {
    struct catalog_entry *e = p->catalog;
    struct catalog_reading *r = mem_alloc(sizeof *r);
    if (!r) return NULL;
    r->entry = e;
    e->is_under_way = true;
    arena_init(&r->arena, ARENA_MAX);
    if (begin(r, p, w, version, e->now != NULL)) return r;
    end(r);
    return NULL;
}

void catalog_reading_row(struct catalog_reading *r, const struct bytes row[CATALOG_PG_COLUMNS]) {
    if (catalog_pg_is_digest(row)) {
        r->has_digest = row[1].len < sizeof r->digest;
        if (!r->has_digest) return;
        memcpy(r->digest, row[1].ptr, row[1].len);
        r->digest[row[1].len] = '\0';
    } else if (!r->coming || !catalog_pg_take(r->coming, row, &r->arena)) {
        r->has_failed = true;
    }
}

static void put_in_force(struct catalog_reading *r, struct pool *p) {
    struct catalog_entry *e = r->entry;
    if (r->coming) {
        catalog_free(e->now);
        e->now = r->coming;
        e->version = ++p->set->last_catalog_version;
        memcpy(e->digest, r->digest, sizeof e->digest);
        r->coming = NULL;
    }
    e->changes = r->changes;
    e->checked_us = p->set->loop->now_us;
    e->failed_us = 0;
}

void catalog_reading_fail(struct catalog_reading *r, const struct pool *p) {
    struct catalog_entry *e = r->entry;
    if (!e->failed_us)
        log_line(LOG_WARN, "pool", p->server.name, "the functions, views and triggers of database %s could not be read: what "
                 "statements leave behind is looked for after each of them", p->server.database);
    e->failed_us = p->set->loop->now_us;
    end(r);
    wake_waiters(p->set);
}

bool catalog_reading_end(struct catalog_reading *r, struct pool *p, bool is_ok, struct writer *w, uint32_t version) {
    bool is_known = is_ok && r->has_digest && !r->has_failed && (!r->coming || catalog_is_whole(r->coming));
    if (is_known && !r->coming && strcmp(r->digest, r->entry->digest) != 0 && begin(r, p, w, version, false)) return true;
    if (is_known && (r->coming || strcmp(r->digest, r->entry->digest) == 0)) {
        put_in_force(r, p);
        end(r);
        wake_waiters(p->set);
    } else {
        catalog_reading_fail(r, p);
    }
    return false;
}
