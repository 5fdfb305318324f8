/*
 * Owns the sources. Knows neither clients nor connections.
 */
#include "proxy/pool/statement_pg.h"

#include <stdio.h>

#include "base/fault.h"

static_assert(sizeof STATEMENT_PG_PREFIX - 1 + 16 == STATEMENT_PG_NAME_LEN, "prefix and 64 bits in hex");

/* Source, then the settings' digest and values; or NULL. */
static uint8_t *make_key(struct bytes source, const struct settings_pg *settings) {
    size_t digest_len = sizeof settings->digest;
    uint8_t *key = mem_alloc_raw(source.len + digest_len + settings->values.len);
    if (!key) return NULL;
    memcpy(key, source.ptr, source.len);
    memcpy(key + source.len, &settings->digest, digest_len);
    if (settings->values.len) memcpy(key + source.len + digest_len, settings->values.ptr, settings->values.len);
    return key;
}

static void point_into_key(struct statement_pg *st, struct bytes key, size_t source_len, uint64_t digest) {
    size_t values_at = source_len + sizeof digest;
    st->key = key;
    st->source = bytes_of(key.ptr, source_len);
    st->settings = (struct settings_pg){digest, bytes_of(key.ptr + values_at, key.len - values_at)};
}

/* Takes the key. */
static struct statement_pg *make(struct map *home, struct bytes key, size_t source_len, uint64_t digest) {
    struct statement_pg *st = mem_alloc(sizeof *st);
    if (!st) return NULL;
    st->home = home;
    point_into_key(st, key, source_len, digest);
    snprintf(st->name, sizeof st->name, STATEMENT_PG_PREFIX "%016llx", (unsigned long long)map_hash(key));
    if (map_put(home, key, st)) return st;
    mem_free(st);
    return NULL;
}

struct statement_pg *statement_pg_intern(struct map *home, struct bytes source, const struct settings_pg *settings) {
    static const struct settings_pg none;
    if (!settings) settings = &none;
    uint8_t *key = make_key(source, settings);
    if (!key) return NULL;
    struct bytes wanted = bytes_of(key, source.len + sizeof settings->digest + settings->values.len);
    struct statement_pg *st = map_get(home, wanted);
    if (!st && (st = make(home, wanted, source.len, settings->digest))) return statement_pg_ref(st);
    mem_free(key);
    return st ? statement_pg_ref(st) : NULL;
}

struct statement_pg *statement_pg_copy(const struct statement_pg *st) {
    struct statement_pg *copy = mem_alloc(sizeof *copy);
    uint8_t *key = copy ? make_key(st->source, &st->settings) : NULL;
    if (!key) {
        mem_free(copy);
        return NULL;
    }
    *copy = *st;
    copy->home = NULL;
    copy->reading.is_known = false; /* each worker counts for itself what names stand for */
    point_into_key(copy, bytes_of(key, st->key.len), st->source.len, st->settings.digest);
    copy->refs = 1;
    return copy;
}

struct statement_pg *statement_pg_ref(struct statement_pg *st) {
    st->refs++;
    return st;
}

void statement_pg_unref(struct statement_pg *st) {
    if (!st || --st->refs > 0) return;
    if (st->home) (void)map_take(st->home, st->key);
    mem_free((void *)st->key.ptr);
    mem_free(st);
}
