/*
 * The query, its rows, and the way from one set of settings to another.
 */
#include "proxy/pool/state_pg.h"

#include "base/fault.h"
#include "base/map.h"
#include "base/reader.h"
#include "proxy/pool/statement_pg.h"
#include "proxy/wire/pg_decode.h"
#include "proxy/wire/pg_encode.h"

#define ROLE "role"
#define AUTHORIZATION "session_authorization"

/* ---- a set of settings ----------------------------------------------------------------------------------------------- */

static uint64_t item_digest(struct bytes name, struct bytes value) {
    return (map_hash(name) * UINT64_C(0x9e3779b97f4a7c15) ^ map_hash(value)) | 1;
}

void state_pg_release(struct state_pg *st) {
    for (uint32_t i = 0; i < st->count; i++) {
        mem_free(st->items[i].name);
        mem_free(st->items[i].value);
    }
    mem_free(st->items);
    *st = (struct state_pg){0};
}

static bool make_room(struct state_pg *st) {
    if (st->count < st->cap) return true;
    if (st->count == STATE_PG_SETTINGS_MAX) return false;
    uint32_t cap = st->cap ? st->cap * 2 : 4;
    void *bigger = mem_alloc((size_t)cap * sizeof *st->items);
    if (!bigger) return false;
    if (st->count) memcpy(bigger, st->items, st->count * sizeof *st->items);
    mem_free(st->items);
    st->items = bigger;
    st->cap = cap;
    return true;
}

bool state_pg_set(struct state_pg *st, struct bytes name, struct bytes value) {
    if (!make_room(st)) return false;
    char *name_copy = mem_strdup((const char *)name.ptr, name.len);
    char *value_copy = mem_strdup((const char *)value.ptr, value.len);
    if (!name_copy || !value_copy) {
        mem_free(name_copy);
        mem_free(value_copy);
        return false;
    }
    st->items[st->count].name = name_copy;
    st->items[st->count].value = value_copy;
    st->count++;
    st->digest += item_digest(name, value);
    return true;
}

bool state_pg_copy(struct state_pg *to, const struct state_pg *from) {
    state_pg_release(to);
    for (uint32_t i = 0; i < from->count; i++)
        if (!state_pg_set(to, bytes_str(from->items[i].name), bytes_str(from->items[i].value))) return false;
    return true;
}

static const char *get(const struct state_pg *st, const char *name) {
    for (uint32_t i = 0; i < st->count; i++)
        if (strcmp(st->items[i].name, name) == 0) return st->items[i].value;
    return NULL;
}

/* ---- looking --------------------------------------------------------------------------------------------------------- */

/* The words that stand in the first column for what is no setting. */
static const struct {
    const char *word;
    enum state_pg_rest rest;
    const char *condition;
} rests[] = {
    {"=temp", STATE_PG_TEMP,
     "EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) 2615 "
     "AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"},
    {"=locks", STATE_PG_LOCKS,
     "EXISTS (SELECT FROM pg_catalog.pg_lock_status() AS l WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' "
     "AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
    {"=listens", STATE_PG_LISTENS, "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
    {"=cursors", STATE_PG_CURSORS, "EXISTS (SELECT FROM pg_catalog.pg_cursor() AS c WHERE c.is_holdable)"},
    {"=prepared", STATE_PG_PREPARED, "EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() AS p WHERE p.from_sql "
     "AND NOT pg_catalog.starts_with(p.name, '" STATEMENT_PG_PREFIX "'))"}, /* those are known: session_pg_sql.c */
};

static bool is_plain(const char *s) {
    for (; *s; s++)
        if (*s < 32 || *s > 126) return false;
    return true;
}

bool state_pg_put_look(struct writer *w, struct bytes names) {
    writer_str(w, "SELECT s.name, s.setting FROM pg_catalog.pg_show_all_settings() AS s "
                  "WHERE s.source OPERATOR(pg_catalog.=) 'session' "
                  "UNION ALL SELECT '" ROLE "', pg_catalog.current_setting('" ROLE "')");
    for (size_t i = 0; i < COUNT_OF(rests); i++)
        writer_fmt(w, " UNION ALL SELECT '%s', '' WHERE %s", rests[i].word, rests[i].condition);
    while (names.len) {
        const char *name = (const char *)names.ptr;
        size_t len = strlen(name);
        if (!is_plain(name)) return false;
        writer_str(w, " UNION ALL SELECT");
        pg_put_literal(w, bytes_str(name));
        writer_str(w, ", pg_catalog.current_setting(");
        pg_put_literal(w, bytes_str(name));
        writer_str(w, ", true)");
        names = bytes_of(names.ptr + len + 1, names.len - len - 1);
    }
    return !w->failed;
}

/*   DataRow = int16 columns, then for each int32 length (-1: NULL) and the value        two columns are expected */
static bool read_row(struct reader *r, struct bytes *name, struct bytes *value, bool *is_null) {
    if (reader_be16(r) != 2) return false;
    uint32_t len = reader_be32(r);
    *name = reader_take(r, len);
    len = reader_be32(r);
    *is_null = len == UINT32_MAX;
    *value = *is_null ? bytes_of(NULL, 0) : reader_take(r, len);
    return !r->failed;
}

static unsigned rest_of(struct bytes word) {
    for (size_t i = 0; i < COUNT_OF(rests); i++)
        if (bytes_is(word, rests[i].word)) return rests[i].rest;
    return 0;
}

/* Can it be said in the statements of state_pg_put_change? */
static bool can_be_said(struct bytes name, struct bytes value) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$";
    for (size_t i = 0; i < name.len; i++)
        if (!name.ptr[i] || !strchr(letters, name.ptr[i])) return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 32 || value.ptr[i] > 126) return false;
    return name.len > 0;
}

static bool take_setting(struct state_pg *st, unsigned *rest, struct bytes name, struct bytes value,
                         const struct params_pg *reported) {
    char known[64];
    if (name.len < sizeof known) {
        memcpy(known, name.ptr, name.len);
        known[name.len] = '\0';
        if (params_pg_get(reported, known)) return true;
    }
    if (bytes_starts_with(name, "transaction_")) return true; /* of the transaction alone */
    if (bytes_is(name, ROLE) && bytes_is(value, "none")) return true;
    if (!can_be_said(name, value)) {
        *rest |= STATE_PG_FIXED;
        return true;
    }
    return state_pg_set(st, name, value);
}

bool state_pg_read(struct state_pg *st, unsigned *rest, struct bytes rows, const struct params_pg *reported,
                   const struct params_pg *start) {
    const char *authorization = params_pg_get(reported, AUTHORIZATION), *at_start = params_pg_get(start, AUTHORIZATION);
    *rest = 0;
    while (rows.len) {
        struct pg_header h;
        struct bytes name, value;
        bool is_null;
        if (pg_header_read(rows, &h) != PG_FRAME_OK || h.type != PG_B_DATA_ROW || h.total > rows.len) return false;
        struct reader r = reader_over(bytes_of(rows.ptr + PG_HEADER_LEN, h.body_len));
        if (!read_row(&r, &name, &value, &is_null)) return false;
        rows = bytes_of(rows.ptr + h.total, rows.len - h.total);
        unsigned found = rest_of(name);
        *rest |= found;
        if (!found && !is_null && !take_setting(st, rest, name, value, reported)) return false;
    }
    if (!authorization || !at_start || strcmp(authorization, at_start) == 0) return true;
    if (!can_be_said(bytes_str(AUTHORIZATION), bytes_str(authorization))) *rest |= STATE_PG_FIXED;
    return state_pg_set(st, bytes_str(AUTHORIZATION), bytes_str(authorization));
}

/* ---- moving ---------------------------------------------------------------------------------------------------------- */

static bool is_identity(const char *name) {
    return strcmp(name, ROLE) == 0 || strcmp(name, AUTHORIZATION) == 0;
}

static void put_set(struct writer *w, const char *name, const char *value, bool is_first) {
    writer_str(w, is_first ? "SELECT pg_catalog.set_config(" : ",pg_catalog.set_config(");
    pg_put_literal(w, bytes_str(name));
    writer_u8(w, ',');
    pg_put_literal(w, bytes_str(value));
    writer_str(w, ",false)");
}

static void put_identity(struct writer *w, const struct state_pg *to, const char *name) {
    const char *value = get(to, name);
    if (!value) return;
    put_set(w, name, value, true);
    writer_u8(w, ';');
}

void state_pg_put_change(struct writer *w, const struct state_pg *from, const struct state_pg *to) {
    if (state_pg_equal(from, to)) return;
    if (get(from, AUTHORIZATION)) writer_str(w, "RESET SESSION AUTHORIZATION;");
    if (get(from, ROLE)) writer_str(w, "RESET ROLE;");
    for (uint32_t i = 0; i < from->count; i++) {
        const char *name = from->items[i].name;
        if (!is_identity(name) && !get(to, name)) writer_fmt(w, "RESET %s;", name);
    }
    bool is_first = true;
    for (uint32_t i = 0; i < to->count; i++) {
        const char *name = to->items[i].name, *now = get(from, name);
        if (is_identity(name) || (now && strcmp(now, to->items[i].value) == 0)) continue;
        put_set(w, name, to->items[i].value, is_first);
        is_first = false;
    }
    if (!is_first) writer_u8(w, ';');
    put_identity(w, to, AUTHORIZATION);
    put_identity(w, to, ROLE);
}
