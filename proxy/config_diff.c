/*
 * Compares texts, as config_keys_each() gives them. Secrets are compared, never written.
 */
#include "proxy/config_diff.h"

#include <stdio.h>

#include "base/fault.h"
#include "proxy/auth/secret.h"
#include "proxy/config_keys.h"

enum { NAME_MAX_LEN = 256, LINE_MAX_LEN = 240, VALUE_SHOWN = 60 };

/* ---- values by name ---- */

static struct bytes name_of(char out[NAME_MAX_LEN], const char *section, const char *key) {
    int len = snprintf(out, NAME_MAX_LEN, "[%s] %s", section, key);
    return bytes_of(out, (size_t)len < NAME_MAX_LEN ? (size_t)len : NAME_MAX_LEN - 1);
}

static bool put_value(struct map *values, struct bytes name, const char *value) {
    char *copy = mem_strdup(value, strlen(value));
    if (copy && map_put(values, name, copy)) return true;
    mem_free(copy);
    return false;
}

static void release_values(struct map *values) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(values, &at, &name, &value)) mem_free(value);
    map_release(values);
}

struct collection {
    struct map *values;
    bool is_start; /* only what holds until a restart */
    bool failed;
};

static void collect(void *ctx, const char *section, const struct config_key *key, const char *value) {
    struct collection *c = ctx;
    char name[NAME_MAX_LEN];
    if (c->is_start && key->change != CHANGE_BY_RESTART) return;
    if (!put_value(c->values, name_of(name, section, key->name), value)) c->failed = true;
    if (!c->is_start && !map_get(c->values, bytes_str(section)) && !put_value(c->values, bytes_str(section), "")) c->failed = true;
}

static bool collect_all(struct map *values, const struct config *c, bool is_start) {
    struct collection collection = {.values = values, .is_start = is_start};
    map_init(values);
    config_keys_each(c, collect, &collection);
    return !collection.failed;
}

bool config_diff_note_start(struct map *start, const struct config *c) {
    return collect_all(start, c, true);
}

void config_diff_release_start(struct map *start) {
    release_values(start);
}

/* ---- lines ---- */

struct comparison {
    struct writer *out;
    const struct config *old, *fresh;
    const struct map *start;
    struct map old_values, fresh_values;
    char last_section[NAME_MAX_LEN]; /* that was told as a whole */
};

/* The ceiling leaves room for a last line. */
static void put_line(struct writer *out, const char *line) {
    static const char more[] = "... and more\n";
    if (out->failed || out->len + LINE_MAX_LEN + sizeof more > out->max) {
        size_t len = sizeof more - 1;
        bool is_said = out->len >= len && memcmp(out->data + out->len - len, more, len) == 0;
        if (!out->failed && !is_said) writer_str(out, more);
        return;
    }
    writer_fmt(out, "%.*s\n", LINE_MAX_LEN - 2, line);
}

static bool is_secret_changed(const struct comparison *c, const char *section) {
    const char *name = strncmp(section, "database ", 9) == 0 ? section + 9 : "";
    const struct config_database *old = NULL, *fresh = NULL;
    LIST_EACH(n, &c->old->databases) {
        const struct config_database *d = CONTAINER_OF(n, struct config_database, node);
        if (strcmp(d->name, name) == 0) old = d;
    }
    LIST_EACH(n, &c->fresh->databases) {
        const struct config_database *d = CONTAINER_OF(n, struct config_database, node);
        if (strcmp(d->name, name) == 0) fresh = d;
    }
    if (!old || !fresh || !old->server_password || !fresh->server_password)
        return old && fresh && old->server_password != fresh->server_password;
    size_t len = strlen(old->server_password);
    return len != strlen(fresh->server_password) || !secret_equal(old->server_password, fresh->server_password, len);
}

static void put_change(struct comparison *c, const char *what, const char *name, const char *from, const char *to) {
    char line[LINE_MAX_LEN];
    snprintf(line, sizeof line, "%s: %.90s %.*s -> %.*s", what, name, VALUE_SHOWN, from[0] ? from : "(none)", VALUE_SHOWN,
             to[0] ? to : "(none)");
    put_line(c->out, line);
}

static void put_section(struct comparison *c, const char *what, const char *section) {
    char line[LINE_MAX_LEN];
    if (strcmp(c->last_section, section) == 0) return;
    snprintf(c->last_section, sizeof c->last_section, "%s", section);
    snprintf(line, sizeof line, "%s: [%.200s]", what, section);
    put_line(c->out, line);
}

static void compare(void *ctx, const char *section, const struct config_key *key, const char *value) {
    struct comparison *c = ctx;
    char name[NAME_MAX_LEN], line[LINE_MAX_LEN];
    struct bytes id = name_of(name, section, key->name);
    const char *old = map_get(&c->old_values, id), *started = map_get(c->start, id);
    if (!map_get(&c->old_values, bytes_str(section))) {
        put_section(c, "added", section);
    } else if (key->change == CHANGE_BY_RESTART) {
        if (started && strcmp(started, value) != 0) put_change(c, "needs a restart", name, started, value);
    } else if (key->type == KEY_SECRET) {
        if (!is_secret_changed(c, section)) return;
        snprintf(line, sizeof line, "changed: %.200s", name);
        put_line(c->out, line);
    } else if (old && strcmp(old, value) != 0) {
        put_change(c, "changed", name, old, value);
    }
}

static void look_for_removed(void *ctx, const char *section, const struct config_key *key, const char *value) {
    struct comparison *c = ctx;
    (void)key;
    (void)value;
    if (!map_get(&c->fresh_values, bytes_str(section))) put_section(c, "removed", section);
}

/* ---- users ---- */

static bool is_same_secret(const struct user_secret *a, const struct user_secret *b) {
    if (!a->password != !b->password) return false;
    if (a->password) {
        size_t len = strlen(a->password);
        return len == strlen(b->password) && secret_equal(a->password, b->password, len);
    }
    return a->has_verifier == b->has_verifier && a->has_md5 == b->has_md5 && a->has_native == b->has_native &&
           a->has_ed25519 == b->has_ed25519 && secret_equal(&a->ed25519, &b->ed25519, sizeof a->ed25519) &&
           a->has_sha2 == b->has_sha2 && secret_equal(&a->sha2, &b->sha2, sizeof a->sha2) &&
           secret_equal(a->verifier.stored_key, b->verifier.stored_key, sizeof a->verifier.stored_key) &&
           secret_equal(&a->md5, &b->md5, sizeof a->md5) && secret_equal(&a->native, &b->native, sizeof a->native);
}

static void compare_users(struct comparison *c) {
    const struct user_store *old = c->old->user_store, *fresh = c->fresh->user_store;
    unsigned added = 0, removed = 0, changed = 0;
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&fresh->users, &at, &name, &value)) {
        const struct user_secret *before = user_store_find(old, name);
        if (!before) added++;
        else changed += !is_same_secret(before, value);
    }
    for (at = 0; map_next(&old->users, &at, &name, &value);) removed += !user_store_find(fresh, name);
    if (!added && !removed && !changed) return;
    char line[LINE_MAX_LEN];
    snprintf(line, sizeof line, "changed: users: %u added, %u removed, %u with another secret", added, removed, changed);
    put_line(c->out, line);
}

void config_diff(const struct config *old, const struct config *fresh, const struct map *start, struct writer *out) {
    struct comparison c = {.out = out, .old = old, .fresh = fresh, .start = start};
    bool ok = collect_all(&c.old_values, old, false);
    ok = collect_all(&c.fresh_values, fresh, false) && ok;
    if (ok) {
        config_keys_each(fresh, compare, &c);
        config_keys_each(old, look_for_removed, &c);
        compare_users(&c);
    } else {
        put_line(out, "what has changed cannot be told: out of memory");
    }
    release_values(&c.old_values);
    release_values(&c.fresh_values);
}
