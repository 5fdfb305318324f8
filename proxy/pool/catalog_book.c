/*
 * Owns the catalogs of a worker, and decides when each is read again. How the rows come in is backend_pg_catalog.c's business.
 */
#include "proxy/pool/catalog_book.h"

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/catalog_change.h"

enum { KEY_MAX = 64 << 10, ARENA_MAX = 16 << 20 };

static_assert((int)KNOWN_PG_COLUMNS == (int)CATALOG_PG_COLUMNS && (int)KNOWN_PG_QUERY_MAX <= (int)CATALOG_PG_QUERY_MAX,
              "rows and queries of both come the same way");

static void free_entry(struct catalog_entry *e) {
    catalog_free(e->now);
    known_pg_free(e->known);
    mem_free(e->read_functions);
    mem_free(e->write_functions);
    mem_free(e);
}

static struct catalog_entry *new_entry(const struct pool *p) {
    struct catalog_entry *e = mem_alloc(sizeof *e);
    if (!e || !p->limits.read_write_split) return e;
    e->wants_facts = true;
    e->subscribers = p->subscribers;
    e->read_functions = mem_strdup(p->read_functions, strlen(p->read_functions));
    e->write_functions = mem_strdup(p->write_functions, strlen(p->write_functions));
    if (e->read_functions && e->write_functions) return e;
    free_entry(e);
    return NULL;
}

static struct catalog_entry *find_or_make(const struct pool *p, struct bytes key) {
    struct catalog_entry *e = map_get(&p->set->catalogs, key);
    if (e) return e;
    e = new_entry(p);
    if (!e || map_put(&p->set->catalogs, key, e)) return e;
    free_entry(e);
    return NULL;
}

static void put_subscribers(struct writer *key, const struct subscribers *s) {
    for (uint32_t i = 0; s && i < s->count; i++) {
        writer_cstr(key, bytes_str(s->all[i].name));
        writer_cstr(key, bytes_str(s->all[i].tables));
        writer_fmt(key, "%llx", (unsigned long long)s->all[i].copy_id);
        writer_u8(key, 0);
    }
}

struct catalog_entry *catalog_book_entry(struct pool *p) {
    if (p->catalog) return p->catalog;
    struct writer key;
    writer_init(&key, KEY_MAX);
    writer_cstr(&key, bytes_str(p->server.name));
    writer_cstr(&key, bytes_str(p->server.database));
    if (p->limits.read_write_split) {
        writer_cstr(&key, bytes_str(p->read_functions));
        writer_cstr(&key, bytes_str(p->write_functions));
        put_subscribers(&key, p->subscribers);
    }
    p->catalog = key.failed ? NULL : find_or_make(p, writer_bytes(&key));
    writer_release(&key);
    return p->catalog;
}

static bool is_in_use(const struct pool_set *set, const struct catalog_entry *e) {
    if (e->is_under_way) return true;
    LIST_EACH(n, (struct list *)&set->all)
        if (CONTAINER_OF(n, struct pool, node)->catalog == e) return true;
    return false;
}

void catalog_book_leave(struct pool_set *set, struct catalog_entry *e) {
    size_t at = 0;
    struct bytes key;
    void *value;
    if (is_in_use(set, e)) return;
    while (map_next(&set->catalogs, &at, &key, &value)) {
        if (value != e) continue;
        (void)map_take(&set->catalogs, key);
        free_entry(e);
        return;
    }
}

void catalog_book_release(struct pool_set *set) {
    size_t at = 0;
    struct bytes key;
    void *value;
    while (map_next(&set->catalogs, &at, &key, &value)) free_entry(value);
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

const struct classify_facts *catalog_entry_facts(const struct catalog_entry *e, const struct pool *p) {
    if (!e || !e->wants_facts) return NULL;
    p->catalog->is_wanted = true;
    return e->known && catalog_entry_current(e, p) ? known_pg_facts(e->known) : NULL;
}

bool catalog_is_hoped_for(struct pool *p) {
    if (p->mode == POOL_SESSION || p->limits.unknown_effects == UNKNOWN_EFFECTS_TRUST || p->set->is_closing) return false;
    struct catalog_entry *e = catalog_book_entry(p);
    if (!e || e->now || e->failed_us) return false;
    e->is_wanted = true;
    return true;
}

static bool may_try(const struct pool *p, uint64_t failed_us) {
    return !failed_us || p->set->loop->now_us - failed_us > (uint64_t)CATALOG_RETRY_MS * 1000;
}

/* In good time: nobody should have to do without it. */
bool catalog_reading_is_due(const struct pool *p) {
    const struct catalog_entry *e = p->catalog;
    if (!e || !e->is_wanted || e->is_under_way || !may_try(p, e->failed_us)) return false;
    bool lacks_facts = e->facts_failed_us && may_try(p, e->facts_failed_us);
    return lacks_facts || !is_younger(e, p, p->limits.catalog_refresh_ms / 2);
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

/* True: the facts are to be read next, too. */
static bool begin_facts(struct catalog_reading *r, const struct pool *p, struct writer *w, uint32_t version) {
    const struct catalog_entry *e = r->entry;
    if (!e->wants_facts || e->known || version < CATALOG_FACTS_VERSION_MIN || !may_try(p, e->facts_failed_us)) return false;
    known_pg_put_query(w, version);
    r->facts = w->failed ? NULL : known_pg_new();
    return r->facts;
}

static void end(struct catalog_reading *r, struct pool_set *set) {
    struct catalog_entry *e = r->entry;
    e->is_under_way = false;
    catalog_free(r->coming);
    known_pg_free(r->facts);
    arena_release(&r->arena);
    mem_free(r);
    catalog_book_leave(set, e); /* it may have been kept for this alone */
}

struct catalog_reading *catalog_reading_begin(struct pool *p, struct writer *w, uint32_t version) {
    struct catalog_entry *e = p->catalog;
    struct catalog_reading *r = mem_alloc(sizeof *r);
    if (!r) return NULL;
    r->entry = e;
    e->is_under_way = true;
    arena_init(&r->arena, ARENA_MAX);
    if (begin(r, p, w, version, e->now != NULL)) return r;
    end(r, p->set);
    return NULL;
}

static void take_fact(struct catalog_reading *r, const struct bytes row[]) {
    struct bytes full[KNOWN_PG_COLUMNS];
    for (int i = 0; i < KNOWN_PG_COLUMNS; i++) full[i] = row[i].ptr ? row[i] : bytes_str("");
    if (!known_pg_take(r->facts, full)) r->has_failed = true;
}

void catalog_reading_row(struct catalog_reading *r, const struct bytes row[CATALOG_PG_COLUMNS]) {
    if (r->facts) {
        take_fact(r, row);
    } else if (catalog_pg_is_digest(row)) {
        r->has_digest = row[1].len < sizeof r->digest;
        if (!r->has_digest) return;
        memcpy(r->digest, row[1].ptr, row[1].len);
        r->digest[row[1].len] = '\0';
    } else if (!r->coming || !catalog_pg_take(r->coming, row, &r->arena)) {
        r->has_failed = true;
    }
}

/* The facts of before may be wrong now. */
static void put_in_force(struct catalog_reading *r, struct pool *p) {
    struct catalog_entry *e = r->entry;
    if (r->coming) {
        catalog_free(e->now);
        known_pg_free(e->known);
        e->now = r->coming;
        e->known = NULL;
        e->version = ++p->set->last_catalog_version;
        memcpy(e->digest, r->digest, sizeof e->digest);
        r->coming = NULL;
    }
    e->changes = r->changes;
    e->checked_us = p->set->loop->now_us;
    e->failed_us = 0;
}

static bool judge_facts(const struct catalog_reading *r, uint32_t version) {
    struct sql_options sql = sql_options_default(SQL_POSTGRES);
    sql.version = version;
    const struct classify_options options = {.sql = &sql, .read_functions = bytes_str(r->entry->read_functions),
                                             .write_functions = bytes_str(r->entry->write_functions)};
    return known_pg_judge(r->facts, &options);
}

static void note_copies(struct known_pg *facts, const struct subscribers *s) {
    struct bytes schema, table;
    for (uint32_t i = 0; s && i < s->count; i++) {
        const char *at = s->all[i].tables;
        while (config_next_table(&at, &schema, &table)) known_pg_note_copy(facts, schema, table, (uint8_t)i);
    }
}

static void put_facts_in_force(struct catalog_reading *r, struct pool_set *set) {
    struct catalog_entry *e = r->entry;
    note_copies(r->facts, e->subscribers);
    e->known = r->facts;
    e->version = ++set->last_catalog_version;
    e->facts_failed_us = 0;
    r->facts = NULL;
}

/* The server says an error, too, of what was dropped while its definition was asked for: that is read again at once. */
static bool is_overtaken(const struct catalog_reading *r, const struct pool *p) {
    return r->facts && r->changes != catalog_changes_seen(p->set);
}

static void note_failure(const struct catalog_reading *r, const struct pool *p) {
    if (is_overtaken(r, p)) return;
    uint64_t *failed_us = r->facts ? &r->entry->facts_failed_us : &r->entry->failed_us;
    if (!*failed_us && r->facts)
        log_line(LOG_WARN, "pool", p->server.name, "what the functions, views and policies of database %s do could not be read: "
                 "everything stays on the primary", p->server.database);
    else if (!*failed_us)
        log_line(LOG_WARN, "pool", p->server.name, "the functions, views and triggers of database %s could not be read: what "
                 "statements leave behind is looked for after each of them", p->server.database);
    *failed_us = p->set->loop->now_us;
}

void catalog_reading_fail(struct catalog_reading *r, const struct pool *p) {
    note_failure(r, p);
    end(r, p->set);
    wake_waiters(p->set);
}

/* True: it was the catalog, or is still what it was. */
static bool take_over(struct catalog_reading *r, struct pool *p) {
    if (!r->coming && strcmp(r->digest, r->entry->digest) != 0) return false;
    put_in_force(r, p);
    wake_waiters(p->set);
    return true;
}

bool catalog_reading_end(struct catalog_reading *r, struct pool *p, bool is_ok, struct writer *w, uint32_t version) {
    bool is_known = is_ok && r->has_digest && !r->has_failed && (!r->coming || catalog_is_whole(r->coming));
    if (is_known && r->facts && judge_facts(r, version)) {
        put_facts_in_force(r, p->set);
        end(r, p->set);
    } else if (is_known && !r->facts && take_over(r, p)) {
        if (begin_facts(r, p, w, version)) return true;
        end(r, p->set);
    } else if (is_known && !r->facts && begin(r, p, w, version, false)) {
        return true;
    } else {
        catalog_reading_fail(r, p);
    }
    return false;
}
