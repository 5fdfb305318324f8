/*
 * The question, its answer, and who remembers it. Sends nothing.
 */
#include "proxy/pool/startup_pg.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/wire/pg_encode.h"

enum { NAME_MAX_LEN = 63, OPTION_MAX = 1024 };

/* ---- names ----------------------------------------------------------------------------------------------------------- */

typedef bool each_name(void *ctx, const char *name);

/*
 * Settings that any session may set, and that cannot be given to one later as they can at its start: read only then; closed
 * once they were used; or with a value that SET compares with the catalog.
 */
static bool is_of_the_start(const char *name) {
    static const char *const names[] = {"application_name", "default_table_access_method", "default_tablespace",
                                        "default_text_search_config", "local_preload_libraries", "role", "seed",
                                        "session_authorization", "temp_buffers", "temp_tablespaces"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return strncasecmp(name, "transaction_", 12) == 0;
}

/* A value that pg_put_literal() can say whatever the encoding is. */
static bool is_plain(struct bytes value) {
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 32 || value.ptr[i] > 126) return false;
    return true;
}

static bool tell_name(struct bytes text, each_name *each, void *ctx) {
    char name[NAME_MAX_LEN + 1];
    if (text.len > NAME_MAX_LEN || !state_pg_is_sayable(text)) return false;
    memcpy(name, text.ptr, text.len);
    name[text.len] = '\0';
    return !is_of_the_start(name) && each(ctx, name);
}

/* "name=value", where a minus in the name stands for an underscore. */
static bool tell_assignment(char *text, each_name *each, void *ctx) {
    size_t len = strcspn(text, "=");
    if (!text[len]) return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '-') text[i] = '_';
    return tell_name(bytes_of(text, len), each, ctx);
}

/* The next word as the server splits them: at white space, with a backslash before what is meant literally. 0: none is left. */
static size_t take_word(struct bytes *rest, char out[OPTION_MAX]) {
    size_t at = 0, len = 0;
    while (at < rest->len && isspace(rest->ptr[at])) at++;
    while (at < rest->len && !isspace(rest->ptr[at]) && len < OPTION_MAX - 1) {
        if (rest->ptr[at] == '\\' && at + 1 < rest->len) at++;
        out[len++] = (char)rest->ptr[at++];
    }
    out[len] = '\0';
    if (at) *rest = bytes_of(rest->ptr + at, rest->len - at); /* absent bytes have no place to count from */
    return len;
}

/* -c name=value, -cname=value, --name=value: what stands there, in `word`. NULL: it is over, or with *is_odd something else. */
static char *next_option(struct bytes *text, char word[OPTION_MAX], bool *is_odd) {
    size_t len = take_word(text, word);
    *is_odd = false;
    if (!len) return NULL;
    *is_odd = len == OPTION_MAX - 1 || word[0] != '-' || (word[1] != 'c' && word[1] != '-');
    if (*is_odd) return NULL;
    if (word[1] != 'c' || len > 2) return word + 2;
    *is_odd = !take_word(text, word);
    return *is_odd ? NULL : word;
}

static bool tell_options(struct bytes text, each_name *each, void *ctx) {
    char word[OPTION_MAX], *assignment;
    bool is_odd;
    while ((assignment = next_option(&text, word, &is_odd)))
        if (!tell_assignment(assignment, each, ctx)) return false;
    return !is_odd;
}

bool startup_pg_app_name(struct bytes options, char out[STARTUP_PG_APP_NAME_MAX + 1]) {
    static const char name[] = "application_name";
    char word[OPTION_MAX], *option;
    bool is_odd, is_there = false;
    while ((option = next_option(&options, word, &is_odd))) {
        size_t len = strcspn(option, "=");
        for (size_t i = 0; i < len; i++)
            if (option[i] == '-') option[i] = '_';
        if (!option[len] || len != strlen(name) || strncasecmp(option, name, len) != 0) continue;
        snprintf(out, STARTUP_PG_APP_NAME_MAX + 1, "%.*s", STARTUP_PG_APP_NAME_MAX, option + len + 1);
        is_there = true;
    }
    return is_there;
}

static bool tell_names(struct bytes key, each_name *each, void *ctx) {
    struct reader r = reader_over(key);
    while (reader_left(&r)) {
        struct bytes name = reader_cstr(&r), value = reader_cstr(&r);
        if (r.failed) return false;
        if (!(bytes_is(name, "options") ? tell_options(value, each, ctx) : tell_name(name, each, ctx))) return false;
    }
    return true;
}

/* ---- the question ---------------------------------------------------------------------------------------------------- */

/* No list of the server's shows settings that no library has defined. */
static bool put_custom(void *ctx, const char *name) {
    struct writer *w = ctx;
    if (!strchr(name, '.')) return true;
    writer_str(w, " UNION ALL SELECT");
    pg_put_literal(w, bytes_str(name));
    writer_str(w, ", pg_catalog.current_setting(");
    pg_put_literal(w, bytes_str(name));
    writer_str(w, ", true) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_show_all_settings() AS c "
                  "WHERE pg_catalog.lower(c.name) OPERATOR(pg_catalog.=) pg_catalog.lower(");
    pg_put_literal(w, bytes_str(name));
    writer_str(w, "))");
    return true;
}

bool startup_pg_put_question(struct writer *w, struct bytes key) {
    writer_str(w, "SELECT s.name, s.setting FROM pg_catalog.pg_show_all_settings() AS s "
                  "WHERE s.source OPERATOR(pg_catalog.=) 'client' AND s.context OPERATOR(pg_catalog.=) 'user'");
    return tell_names(key, put_custom, w) && !w->failed;
}

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

struct startup_pg *startup_pg_new(struct bytes key) {
    struct startup_pg *st = mem_alloc(sizeof *st);
    char *copy = st ? mem_strdup((const char *)key.ptr, key.len) : NULL;
    if (!copy) {
        mem_free(st);
        return NULL;
    }
    list_init(&st->node);
    st->refs = 1;
    st->key = bytes_of(copy, key.len);
    return st;
}

void startup_pg_unref(struct startup_pg *st) {
    if (!st || atomic_fetch_sub_explicit(&st->refs, 1, memory_order_acq_rel) > 1) return;
    mem_free((void *)st->key.ptr);
    params_pg_release(&st->reported);
    state_pg_release(&st->rest);
    mem_free(st);
}

static int reported_index(const struct startup_pg *st, const char *name) {
    for (int i = 0; i < st->reported.count; i++)
        if (st->own >> i & 1 && strcasecmp(st->reported.items[i].name, name) == 0) return i;
    return -1;
}

static bool is_found(void *ctx, const char *name) {
    const struct startup_pg *st = ctx;
    if (reported_index(st, name) >= 0) return true;
    for (uint32_t i = 0; i < st->rest.count; i++)
        if (strcasecmp(st->rest.items[i].name, name) == 0) return true;
    return false;
}

bool startup_pg_sets(const struct startup_pg *st, struct bytes name) {
    char text[NAME_MAX_LEN + 1];
    if (name.len > NAME_MAX_LEN) return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return is_found((void *)st, text);
}

struct search {
    struct bytes name;
    bool found;
};

static bool compare_name(void *ctx, const char *name) {
    struct search *search = ctx;
    size_t len = strlen(name);
    search->found |= len == search->name.len && strncasecmp(name, (const char *)search->name.ptr, len) == 0;
    return true;
}

static bool is_given(struct bytes key, struct bytes name) {
    struct search search = {.name = name};
    return tell_names(key, compare_name, &search) && search.found;
}

/* False: memory is out. `can`: it was asked for, and is something that can be set. */
static bool take_setting(struct startup_pg *st, struct bytes name, struct bytes value, bool *can) {
    *can = is_given(st->key, name);
    if (!*can) return true;
    for (int i = 0; i < st->reported.count; i++) {
        if (!bytes_is(name, st->reported.items[i].name)) continue;
        *can = params_pg_is_settable(name) && is_plain(bytes_str(st->reported.items[i].value));
        st->own |= UINT64_C(1) << i;
        return true;
    }
    *can = is_plain(value);
    return startup_pg_sets(st, name) || state_pg_set(&st->rest, name, value);
}

bool startup_pg_read(struct startup_pg *st, struct bytes rows, const struct params_pg *reported) {
    bool ok = params_pg_copy(&st->reported, reported), can = true;
    while (ok && can && rows.len) {
        struct bytes name, value;
        bool is_null;
        can = state_pg_next_row(&rows, &name, &value, &is_null);
        if (can && !is_null) ok = take_setting(st, name, value, &can);
    }
    st->is_shareable = ok && can && tell_names(st->key, is_found, st);
    return ok;
}

bool startup_pg_is_there(const struct startup_pg *st, const struct params_pg *start) {
    for (int i = 0; i < st->reported.count; i++) {
        if (!(st->own >> i & 1)) continue;
        const char *there = params_pg_get(start, st->reported.items[i].name);
        if (!there || strcmp(there, st->reported.items[i].value) != 0) return false;
    }
    return st->rest.count == 0;
}

bool startup_pg_put_on(const struct startup_pg *st, const struct params_pg *start, struct params_pg *home) {
    bool ok = params_pg_copy(home, start);
    for (int i = 0; i < st->reported.count; i++)
        if (st->own >> i & 1)
            ok = ok && params_pg_set(home, bytes_str(st->reported.items[i].name), bytes_str(st->reported.items[i].value));
    return ok;
}

/* ---- who remembers --------------------------------------------------------------------------------------------------- */

void startup_pg_remember(struct list *known, struct startup_pg *st) {
    unsigned count = 0;
    list_push_front(known, &st->node);
    LIST_EACH(n, known) {
        if (++count <= STARTUP_PG_KEPT) continue;
        list_remove(n);
        startup_pg_unref(CONTAINER_OF(n, struct startup_pg, node));
    }
}

struct startup_pg *startup_pg_find(const struct list *known, struct bytes key) {
    LIST_EACH(n, known) {
        struct startup_pg *st = CONTAINER_OF(n, struct startup_pg, node);
        if (bytes_equal(st->key, key)) return st;
    }
    return NULL;
}

void startup_pg_forget_all(struct list *known) {
    struct list *n;
    while ((n = list_take_first(known))) startup_pg_unref(CONTAINER_OF(n, struct startup_pg, node));
}
