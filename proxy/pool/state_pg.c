/*
 * The query, its rows, and the way from one set of settings to another.
 */
#include "proxy/pool/state_pg.h"

#include <strings.h>

#include "base/fault.h"
#include "base/map.h"
#include "base/reader.h"
#include "parser/keyword.h"
#include "proxy/pool/statement_pg.h"
#include "proxy/wire/pg_decode.h"
#include "proxy/wire/pg_encode.h"

#define ROLE "role"
#define SUPERUSER "is_superuser"
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

const char *state_pg_get(const struct state_pg *st, const char *name) {
    for (uint32_t i = 0; i < st->count; i++)
        if (strcmp(st->items[i].name, name) == 0) return st->items[i].value;
    return NULL;
}

bool state_pg_add_missing(struct state_pg *st, const struct state_pg *from) {
    bool ok = true;
    for (uint32_t i = 0; ok && i < from->count; i++) {
        const char *name = from->items[i].name;
        if (!state_pg_get(st, name)) ok = state_pg_set(st, bytes_str(name), bytes_str(from->items[i].value));
    }
    return ok;
}

/* ---- looking --------------------------------------------------------------------------------------------------------- */

#define CHANNELS "=listens"
#define PREPARED "=prepared"

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
    {CHANNELS, STATE_PG_LISTENS, "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
    {"=cursors", STATE_PG_CURSORS, "EXISTS (SELECT FROM pg_catalog.pg_cursor() AS c WHERE c.is_holdable)"},
    {PREPARED, STATE_PG_PREPARED, NULL},
};

static bool is_plain(const char *s) {
    for (; *s; s++)
        if (*s < 32 || *s > 126) return false;
    return true;
}

static struct bytes first_word(struct bytes words) {
    return bytes_str((const char *)words.ptr);
}

static struct bytes behind_word(struct bytes words) {
    size_t len = first_word(words).len + 1;
    return bytes_of(words.ptr + len, words.len - len);
}

static bool has_word(struct bytes words, struct bytes word) {
    for (; words.len; words = behind_word(words))
        if (bytes_equal(first_word(words), word)) return true;
    return false;
}

static bool put_dotted(struct writer *w, struct bytes name) {
    if (!is_plain((const char *)name.ptr)) return false;
    writer_str(w, " UNION ALL SELECT");
    pg_put_literal(w, name);
    writer_str(w, ", pg_catalog.current_setting(");
    pg_put_literal(w, name);
    writer_str(w, ", true)");
    return true;
}

#define GUESSES_BEGIN " UNION ALL SELECT g.name, g.setting FROM (SELECT n, pg_catalog.current_setting(n, true) FROM (VALUES "
#define GUESSES_END ") AS v (n)) AS g (name, setting) WHERE g.setting OPERATOR(pg_catalog.<>) ''"

/*
 * Settings that may be there, and of which no value is as good as none. NULLIF would compare by whatever `=` the client's
 * search_path has.
 */
static bool put_guesses(struct writer *w, struct bytes others, struct bytes known) {
    bool is_first = true;
    for (struct bytes left = others; left.len; left = behind_word(left)) {
        struct bytes name = first_word(left);
        if (has_word(known, name)) continue;
        if (!is_plain((const char *)name.ptr)) return false;
        writer_str(w, is_first ? GUESSES_BEGIN "(" : "),(");
        pg_put_literal(w, name);
        is_first = false;
    }
    if (!is_first) writer_str(w, ")" GUESSES_END);
    return true;
}

/*
 * A value that is not plain ASCII is told by the bytes that it has in the database, in hexadecimal: what the client would read
 * depends on its client_encoding, which need not be the same, or able to, where the setting is made again.
 */
#define HEX "=hex:"
#define IS_ODD "l.setting OPERATOR(pg_catalog.~) '[^ -~]'"
#define STATEMENTS_OF_SQL /* but for those that are known: session_pg_sql.c, session_pg_lend.c */ \
    " UNION ALL (SELECT '" PREPARED "', CASE WHEN p.name OPERATOR(pg_catalog.~) '[^ -~]' THEN '' ELSE p.name END " \
    "FROM pg_catalog.pg_prepared_statement() AS p WHERE p.from_sql " \
    "AND NOT pg_catalog.starts_with(p.name, '" STATEMENT_PG_PREFIX "') " \
    "AND NOT pg_catalog.starts_with(p.statement, '" STATE_PG_LENT_MARK "') LIMIT %d)"
#define TWO_BACKSLASHES "pg_catalog.repeat(pg_catalog.chr(92), 2)"

/*
 * A client may forbid the planner whatever this query could be planned with: enable_seqscan and its kin. Up to PostgreSQL 17 that
 * makes it look so expensive that the server compiles it, for more than a second instead of a third of a millisecond.
 */
static bool may_be_compiled(const struct state_pg *st) {
    for (uint32_t i = 0; i < st->count; i++)
        if (strncmp(st->items[i].name, "enable_", 7) == 0 || strncmp(st->items[i].name, "jit_", 4) == 0) return true;
    return false;
}

/* Then it is run without the compiler; whether the client has set that is asked before. All is one transaction of the server's. */
#define JIT "s.name OPERATOR(pg_catalog.=) 'jit'"
#define OF_SESSION \
    "SELECT s.name, s.setting FROM pg_catalog.pg_show_all_settings() AS s WHERE s.source OPERATOR(pg_catalog.=) 'session' "

bool state_pg_put_look(struct writer *w, struct bytes names, struct bytes others, bool with_channels,
                       const struct state_pg *known) {
    bool is_without_jit = may_be_compiled(known);
    if (is_without_jit) writer_str(w, OF_SESSION "AND " JIT "; SET LOCAL jit TO off; ");
    writer_str(w, "SELECT CASE WHEN " IS_ODD " THEN pg_catalog.concat('" HEX "', l.name) ELSE l.name END, "
                  "CASE WHEN " IS_ODD " THEN pg_catalog.encode(CAST(pg_catalog.replace(l.setting, pg_catalog.chr(92), "
                  TWO_BACKSLASHES ") AS pg_catalog.bytea), 'hex') ELSE l.setting END FROM (");
    writer_str(w, OF_SESSION);
    if (is_without_jit) writer_str(w, "AND NOT " JIT " ");
    writer_str(w, "UNION ALL SELECT '" ROLE "', pg_catalog.current_setting('" ROLE "')");
    for (size_t i = 0; i < COUNT_OF(rests); i++)
        if (rests[i].condition && (!with_channels || rests[i].rest != STATE_PG_LISTENS))
            writer_fmt(w, " UNION ALL SELECT '%s', '' WHERE %s", rests[i].word, rests[i].condition);
    writer_fmt(w, STATEMENTS_OF_SQL, STATE_PG_PREPARED_MAX);
    for (struct bytes left = names; left.len; left = behind_word(left))
        if (!put_dotted(w, first_word(left))) return false;
    if (!put_guesses(w, others, names)) return false;
    writer_str(w, ") AS l (name, setting)");
    /* In the client's encoding, as notifications will tell them. */
    if (with_channels)
        writer_fmt(w, " UNION ALL (SELECT '" CHANNELS "', c FROM pg_catalog.pg_listening_channels() AS c LIMIT %d)",
                   STATE_PG_CHANNELS_MAX + 1);
    return !w->failed;
}

/*   DataRow = int16 columns, then for each int32 length (-1: NULL) and the value        two columns are expected */
bool state_pg_next_row(struct bytes *rows, struct bytes *name, struct bytes *value, bool *is_null) {
    struct pg_header h;
    if (pg_header_read(*rows, &h) != PG_FRAME_OK || h.type != PG_B_DATA_ROW || h.total > rows->len) return false;
    struct reader r = reader_over(bytes_of(rows->ptr + PG_HEADER_LEN, h.body_len));
    if (reader_be16(&r) != 2) return false;
    uint32_t len = reader_be32(&r);
    *name = reader_take(&r, len);
    len = reader_be32(&r);
    *is_null = len == UINT32_MAX;
    *value = *is_null ? bytes_of(NULL, 0) : reader_take(&r, len);
    *rows = bytes_of(rows->ptr + h.total, rows->len - h.total);
    return reader_done(&r);
}

static unsigned rest_of(struct bytes word) {
    for (size_t i = 0; i < COUNT_OF(rests); i++)
        if (bytes_is(word, rests[i].word)) return rests[i].rest;
    return 0;
}

bool state_pg_is_sayable(struct bytes name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$";
    for (size_t i = 0; i < name.len; i++)
        if (!name.ptr[i] || !strchr(letters, name.ptr[i])) return false;
    return name.len > 0;
}

/* Where anybody has ever used temporary objects, the server refuses to set it. */
static bool is_for_good(struct bytes name) {
    return bytes_is(name, "temp_buffers");
}

/* Two digits for each byte; what they stand for is shorter, and takes their place. */
static bool read_hex(struct bytes hex, uint8_t *out, size_t *len) {
    *len = hex.len / 2;
    if (hex.len % 2) return false;
    for (size_t i = 0; i < hex.len; i++) {
        const char *digits = "0123456789abcdef", *at = hex.ptr[i] ? strchr(digits, hex.ptr[i]) : NULL;
        if (!at) return false;
        unsigned value = (unsigned)(at - digits);
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | value : value << 4);
    }
    return true;
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
    if (is_for_good(name) || !state_pg_is_sayable(name)) {
        *rest |= STATE_PG_FIXED;
        return true;
    }
    return state_pg_set(st, name, value);
}

static bool take_odd_setting(struct state_pg *st, unsigned *rest, struct bytes name, struct bytes hex,
                             const struct params_pg *reported) {
    size_t len;
    uint8_t *value = mem_alloc_raw(hex.len + 1);
    bool ok = value && read_hex(hex, value, &len) && !memchr(value, 0, len) &&
              take_setting(st, rest, name, bytes_of(value, len), reported);
    mem_free(value);
    return ok;
}

/* A superuser who has taken another role: the server hides some settings from that, which the superuser may have set. */
static bool is_less_than_at_start(const struct params_pg *reported, const struct params_pg *start) {
    const char *now = params_pg_get(reported, SUPERUSER), *then = params_pg_get(start, SUPERUSER);
    return now && then && strcmp(then, "on") == 0 && strcmp(now, "on") != 0;
}

bool state_pg_read(struct state_pg *st, unsigned *rest, struct writer *channels, struct writer *prepared, struct bytes rows,
                   const struct params_pg *reported, const struct params_pg *start) {
    const char *authorization = params_pg_get(reported, AUTHORIZATION), *at_start = params_pg_get(start, AUTHORIZATION);
    *rest = 0;
    while (rows.len) {
        struct bytes name, value;
        bool is_null;
        if (!state_pg_next_row(&rows, &name, &value, &is_null)) return false;
        unsigned found = rest_of(name);
        *rest |= found;
        if (found == STATE_PG_LISTENS && channels && value.len) writer_cstr(channels, value);
        if (found == STATE_PG_PREPARED && prepared && value.len) writer_cstr(prepared, value);
        if (found || is_null) continue;
        bool is_odd = bytes_starts_with(name, HEX);
        if (is_odd) name = bytes_of(name.ptr + strlen(HEX), name.len - strlen(HEX));
        if (!(is_odd ? take_odd_setting : take_setting)(st, rest, name, value, reported)) return false;
    }
    if ((channels && channels->failed) || (prepared && prepared->failed)) return false;
    if (is_less_than_at_start(reported, start)) *rest |= STATE_PG_FIXED;
    if (!authorization || !at_start || strcmp(authorization, at_start) == 0) return true;
    if (!is_plain(authorization)) *rest |= STATE_PG_FIXED; /* reported: in an encoding of the client's */
    return state_pg_set(st, bytes_str(AUTHORIZATION), bytes_str(authorization));
}

/* ---- moving ---------------------------------------------------------------------------------------------------------- */

static bool is_identity(const char *name) {
    return strcmp(name, ROLE) == 0 || strcmp(name, AUTHORIZATION) == 0;
}

void state_pg_put_value(struct writer *w, const char *value) {
    if (is_plain(value)) {
        pg_put_literal(w, bytes_str(value));
        return;
    }
    writer_str(w, "pg_catalog.convert_from(pg_catalog.decode('");
    for (; *value; value++) writer_fmt(w, "%02x", (unsigned)(uint8_t)*value);
    writer_str(w, "','hex'),pg_catalog.getdatabaseencoding())");
}

static void put_call(struct writer *w, const char *name, const char *value, bool is_local) {
    writer_str(w, "pg_catalog.set_config(");
    pg_put_literal(w, bytes_str(name));
    writer_u8(w, ',');
    state_pg_put_value(w, value);
    writer_str(w, is_local ? ",true)" : ",false)");
    if (!is_plain(value)) writer_str(w, " IS NULL"); /* an odd one could not be told to every client_encoding */
}

static void put_set(struct writer *w, const char *name, const char *value, bool is_first) {
    writer_str(w, is_first ? "SELECT " : ",");
    put_call(w, name, value, false);
}

/* Of these SET takes a list, and a text for one word of it. */
static bool is_list(const char *name) {
    static const char *const lists[] = {"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (strcasecmp(name, lists[i]) == 0) return true;
    return false;
}

static bool is_word(struct bytes s) {
    for (size_t i = 0; i < s.len; i++) {
        bool is_letter = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || s.ptr[i] == '_', is_digit = s.ptr[i] >= '0' && s.ptr[i] <= '9';
        if (!is_letter && (i == 0 || !is_digit)) return false;
    }
    return s.len > 0;
}

static bool is_keyword(struct bytes word) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct keyword_set keywords = keyword_set_of(&options);
    char padded[64 + 8] = "";
    if (word.len > 64) return true;
    memcpy(padded, word.ptr, word.len);
    return keyword_find(&keywords, (const uint8_t *)padded, word.len, (const uint8_t *)padded + sizeof padded) != 0;
}

/*
 * The next element of a list, as SET takes it, when the server would write it down again just as it stands here: a word without
 * quotes that needs none, or one with quotes that it needs.
 */
static bool put_element(struct writer *w, struct bytes *list) {
    const uint8_t *p = list->ptr, *end = p + list->len;
    bool is_quoted = p < end && *p == '"';
    const uint8_t *stop = is_quoted ? memchr(p + 1, '"', list->len - 1) : memchr(p, ',', list->len);
    if (is_quoted && !stop) return false;
    struct bytes word = bytes_of(p + is_quoted, (size_t)((stop ? stop : end) - p) - is_quoted);
    if (!word.len || is_word(word) == is_quoted || (!is_quoted && is_keyword(word))) return false;
    pg_put_literal(w, word);
    p = !stop ? end : stop + is_quoted;
    if (p < end && (end - p < 3 || p[0] != ',' || p[1] != ' ')) return false;
    *list = p < end ? bytes_of(p + 2, (size_t)(end - p) - 2) : bytes_of(end, 0);
    return true;
}

static bool put_list(struct writer *w, const char *value) {
    struct bytes list = bytes_str(value);
    bool ok = list.len > 0;
    while (ok && list.len) {
        ok = put_element(w, &list);
        if (list.len) writer_u8(w, ',');
    }
    return ok;
}

/* False, and what was written is to be taken back: SET cannot say it. */
static bool put_set_command(struct writer *w, const char *name, const char *value, unsigned how) {
    writer_str(w, how & STATE_PG_LOCAL ? "SET LOCAL " : "SET ");
    for (const char *part = name, *dot; part; part = dot ? dot + 1 : NULL) {
        dot = strchr(part, '.');
        pg_put_identifier(w, bytes_of(part, dot ? (size_t)(dot - part) : strlen(part)));
        writer_str(w, dot ? "." : " = ");
    }
    if (is_list(name)) return !(how & STATE_PG_QUOTES_ALL) && put_list(w, value);
    pg_put_literal(w, bytes_str(value));
    return is_plain(value);
}

void state_pg_put_setting(struct writer *w, const char *name, const char *value, unsigned how) {
    size_t at = w->len;
    if (put_set_command(w, name, value, how)) return;
    if (!w->failed) w->len = at;
    writer_str(w, "SELECT ");
    put_call(w, name, value, how & STATE_PG_LOCAL);
}

static void put_identity(struct writer *w, const struct state_pg *to, const char *name) {
    const char *value = state_pg_get(to, name);
    if (!value) return;
    put_set(w, name, value, true);
    writer_u8(w, ';');
}

/* What is off goes first: the server does not suffer log_statement_stats beside the statistics of single stages. */
static void put_settings(struct writer *w, const struct state_pg *from, const struct state_pg *to, bool is_off, bool *has_begun) {
    for (uint32_t i = 0; i < to->count; i++) {
        const char *name = to->items[i].name, *value = to->items[i].value, *now = state_pg_get(from, name);
        if (is_identity(name) || (strcmp(value, "off") == 0) != is_off || (now && strcmp(now, value) == 0)) continue;
        put_set(w, name, value, !*has_begun);
        *has_begun = true;
    }
}

void state_pg_put_change(struct writer *w, const struct state_pg *from, const struct state_pg *to) {
    if (state_pg_equal(from, to)) return;
    if (state_pg_get(from, AUTHORIZATION)) writer_str(w, "RESET SESSION AUTHORIZATION;");
    if (state_pg_get(from, ROLE)) writer_str(w, "RESET ROLE;");
    for (uint32_t i = 0; i < from->count; i++) {
        const char *name = from->items[i].name;
        if (!is_identity(name) && !state_pg_get(to, name)) writer_fmt(w, "RESET %s;", name);
    }
    bool has_begun = false;
    put_settings(w, from, to, true, &has_begun);
    put_settings(w, from, to, false, &has_begun);
    if (has_begun) writer_u8(w, ';');
    put_identity(w, to, AUTHORIZATION);
    put_identity(w, to, ROLE);
}
