/*
 * A small table of strings: a server reports 13 to 15 parameters.
 */
#include "proxy/pool/params_pg.h"

#include "base/fault.h"
#include "base/map.h"

static uint64_t item_digest(struct bytes name, struct bytes value) {
    return map_hash(name) * 0x9e3779b97f4a7c15u ^ map_hash(value);
}

static bool is_one_of(struct bytes name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes_is(name, names[i])) return true;
    return false;
}

static bool matters_to_analysis(struct bytes name) {
    static const char *const names[] = {"DateStyle", "IntervalStyle", "TimeZone", "client_encoding", "search_path",
                                        "session_authorization", "standard_conforming_strings"};
    return is_one_of(name, names, COUNT_OF(names));
}

bool params_pg_is_settable(struct bytes name) {
    static const char *const only_told[] = {"application_name", "in_hot_standby", "integer_datetimes", "is_superuser",
                                            "server_encoding", "server_version", "session_authorization"};
    return !is_one_of(name, only_told, COUNT_OF(only_told));
}

bool params_pg_follows_client(struct bytes name) {
    static const char *const names[] = {"application_name", "is_superuser", "session_authorization"};
    return is_one_of(name, names, COUNT_OF(names));
}

/* Takes the item out of the digests. */
static void discount(struct params_pg *p, struct bytes name, struct bytes value) {
    uint64_t digest = item_digest(name, value);
    if (!params_pg_follows_client(name)) p->digest -= digest;
    if (params_pg_is_settable(name)) p->settable_digest -= digest;
    if (matters_to_analysis(name)) p->analysis_digest -= digest;
}

static void count_in(struct params_pg *p, struct bytes name, struct bytes value) {
    uint64_t digest = item_digest(name, value);
    if (!params_pg_follows_client(name)) p->digest += digest;
    if (params_pg_is_settable(name)) p->settable_digest += digest;
    if (matters_to_analysis(name)) p->analysis_digest += digest;
}

void params_pg_release(struct params_pg *p) {
    for (int i = 0; i < p->count; i++) {
        mem_free(p->items[i].name);
        mem_free(p->items[i].value);
    }
    p->count = 0;
    p->digest = p->settable_digest = p->analysis_digest = 0;
    p->app_name = NULL;
}

static int find(const struct params_pg *p, struct bytes name) {
    for (int i = 0; i < p->count; i++)
        if (bytes_is(name, p->items[i].name)) return i;
    return -1;
}

bool params_pg_set(struct params_pg *p, struct bytes name, struct bytes value) {
    int i = find(p, name);
    if (i < 0 && p->count == PARAMS_PG_MAX) return false;
    char *copy = mem_strdup((const char *)value.ptr, value.len);
    char *name_copy = i < 0 ? mem_strdup((const char *)name.ptr, name.len) : NULL;
    if (!copy || (i < 0 && !name_copy)) {
        mem_free(copy);
        mem_free(name_copy);
        return false;
    }
    if (i < 0) {
        i = p->count++;
        p->items[i].name = name_copy;
    } else {
        discount(p, name, bytes_str(p->items[i].value));
        mem_free(p->items[i].value);
    }
    p->items[i].value = copy;
    if (bytes_is(name, "application_name")) p->app_name = copy;
    count_in(p, name, value);
    return true;
}

bool params_pg_copy(struct params_pg *to, const struct params_pg *from) {
    params_pg_release(to);
    for (int i = 0; i < from->count; i++)
        if (!params_pg_set(to, bytes_str(from->items[i].name), bytes_str(from->items[i].value))) return false;
    return true;
}

const char *params_pg_get(const struct params_pg *p, const char *name) {
    int i = find(p, bytes_str(name));
    return i < 0 ? NULL : p->items[i].value;
}

void params_pg_put_analysis(const struct params_pg *p, struct writer *w) {
    for (int i = 0; i < p->count; i++) {
        if (!matters_to_analysis(bytes_str(p->items[i].name))) continue;
        writer_cstr(w, bytes_str(p->items[i].name));
        writer_cstr(w, bytes_str(p->items[i].value));
    }
}

static const char *take_word(struct bytes *rest) {
    const char *word = (const char *)rest->ptr;
    size_t len = strlen(word) + 1;
    *rest = bytes_of(rest->ptr + len, rest->len - len);
    return word;
}

bool params_pg_next_pair(struct bytes *rest, const char **name, const char **value) {
    if (!rest->len) return false;
    *name = take_word(rest);
    *value = take_word(rest);
    return true;
}
