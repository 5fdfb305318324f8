/*
 * config_value.c - owns the spelling of values; knows neither keys nor files.
 */
#include "proxy/config_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <sys/un.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: the way back to text takes the first that divides. */
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {{"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}};

/* ---- numbers and what is made of them ---- */

/* Digits at the start of text; *rest is behind them. False without digits or beyond 10^15. */
static bool take_digits(const char *text, uint64_t *out, const char **rest) {
    uint64_t value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++) {
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > UINT64_C(1000000000000000)) return false;
    }
    *out = value;
    *rest = at;
    return at > text;
}

bool config_value_bool(const char *text, bool *out, struct err *err) {
    static const char *const yes[] = {"on", "yes", "true"};
    static const char *const no[] = {"off", "no", "false"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    err_set(err, ERR_CONFIG, "is neither on nor off");
    err_hint(err, "Write on or off");
    return false;
}

bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *err) {
    uint64_t value;
    const char *rest;
    if (!take_digits(text, &value, &rest) || *rest) {
        err_set(err, ERR_CONFIG, "is not a whole number");
        err_hint(err, "Write a number from %" PRIu64 " to %" PRIu64 ", and nothing behind it", min, max);
        return false;
    }
    if (value < min || value > max) {
        err_set(err, ERR_CONFIG, "is too %s", value < min ? "small" : "large");
        err_hint(err, "Write a number from %" PRIu64 " to %" PRIu64, min, max);
        return false;
    }
    *out = value;
    return true;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, name) == 0) return &units[i];
    }
    return NULL;
}

static void to_text(const struct unit *units, size_t count, uint64_t value, char *out, size_t size) {
    const struct unit *u = units;
    while (u < units + count - 1 && value % u->factor != 0) u++;
    if (value == 0) snprintf(out, size, "0");
    else snprintf(out, size, "%" PRIu64 "%s", value / u->factor, u->name);
}

/* A number with a unit. `what` and `examples` are for the sentences. */
static bool take_quantity(const char *text, const struct unit *units, size_t count, const char *what,
                          const char *examples, uint64_t min, uint64_t max, uint64_t *out, struct err *err) {
    uint64_t value;
    const char *rest;
    if (!take_digits(text, &value, &rest)) {
        err_set(err, ERR_CONFIG, "is not a %s", what);
        err_hint(err, "Write a number and its unit: %s", examples);
        return false;
    }
    while (*rest == ' ') rest++;
    const struct unit *u = find_unit(units, count, rest);
    if (!u && !(value == 0 && !*rest)) {
        err_set(err, ERR_CONFIG, *rest ? "has an unknown unit" : "has no unit");
        err_hint(err, "Write the unit behind the number: %s", examples);
        return false;
    }
    uint64_t factor = u ? u->factor : 1;
    value = value > UINT64_MAX / factor ? UINT64_MAX : value * factor;
    if (value < min || value > max) {
        char low[32], high[32];
        to_text(units, count, min, low, sizeof(low));
        to_text(units, count, max, high, sizeof(high));
        err_set(err, ERR_CONFIG, "is too %s", value < min ? "short" : "long");
        if (units == sizes) err_set(err, ERR_CONFIG, "is too %s", value < min ? "small" : "large");
        err_hint(err, "Write a %s from %s to %s", what, low, high);
        return false;
    }
    *out = value;
    return true;
}

bool config_value_duration(const char *text, uint64_t min, uint64_t max, uint64_t *ms, struct err *err) {
    return take_quantity(text, durations, COUNT_OF(durations), "duration", "250ms, 15s, 2min, 1h, 1d", min, max, ms, err);
}

bool config_value_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes, struct err *err) {
    return take_quantity(text, sizes, COUNT_OF(sizes), "size", "512B, 64kB, 16MB, 1GB", min, max, bytes, err);
}

void config_value_duration_text(uint64_t ms, char *out, size_t size) {
    to_text(durations, COUNT_OF(durations), ms, out, size);
}

void config_value_size_text(uint64_t bytes, char *out, size_t size) {
    to_text(sizes, COUNT_OF(sizes), bytes, out, size);
}

/* ---- words and names ---- */

static bool is_word(const char *text, const char *const *words, int *out) {
    for (int i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) != 0) continue;
        *out = i;
        return true;
    }
    return false;
}

static void hint_words(const char *const *words, struct err *err) {
    char all[ERR_HINT_MAX] = "";
    size_t len = 0;
    for (int i = 0; words[i]; i++) {
        int more = snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", words[i]);
        if (more > 0 && (size_t)more < sizeof(all) - len) len += (size_t)more;
    }
    err_hint(err, "Write one of: %s", all);
}

bool config_value_word(const char *text, const char *const *words, int *out, struct err *err) {
    if (is_word(text, words, out)) return true;
    err_set(err, ERR_CONFIG, "is not a known word here");
    hint_words(words, err);
    return false;
}

bool config_value_levels(const char *text, const char *const *areas, struct log_levels *out, struct err *err) {
    if (!log_levels_parse(text, out, err)) return false;
    for (int i = 0, at; i < out->count; i++) {
        if (is_word(out->areas[i].area, areas, &at)) continue;
        err_set(err, ERR_CONFIG, "holds an unknown area: %s", out->areas[i].area);
        hint_words(areas, err);
        return false;
    }
    return true;
}

/* The next part of a comma-separated list, trimmed; *at moves behind its comma, to NULL at the end. */
static struct bytes next_part(const char **at) {
    const char *from = *at;
    const char *comma = strchr(from, ',');
    const char *to = comma ? comma : from + strlen(from);
    *at = comma ? comma + 1 : NULL;
    while (from < to && isspace((unsigned char)*from)) from++;
    while (to > from && isspace((unsigned char)to[-1])) to--;
    return bytes_of(from, (size_t)(to - from));
}

bool config_value_names(const char *text, struct err *err) {
    for (const char *at = *text ? text : NULL; at;) {
        if (next_part(&at).len > 0) continue;
        err_set(err, ERR_CONFIG, "holds an empty name");
        err_hint(err, "Write the names with one comma between them");
        return false;
    }
    return true;
}

bool config_name_in_list(const char *list, struct bytes name) {
    for (const char *at = list && *list ? list : NULL; at && name.len;) {
        if (bytes_equal(next_part(&at), name)) return true;
    }
    return false;
}

bool config_next_name(const char **at, struct bytes *name) {
    while (*at && **at) {
        *name = next_part(at);
        if (name->len) return true;
    }
    return false;
}

/* ---- addresses ---- */

static bool bad_listen(struct err *err, struct bytes part, const char *why, const char *advice) {
    err_set(err, ERR_CONFIG, "holds %s: %.*s", why, (int)(part.len < 120 ? part.len : 120), (const char *)part.ptr);
    err_hint(err, "%s", advice);
    return false;
}

static bool take_unix(struct config_listen *l, const char *text, struct bytes part, struct err *err) {
    const char *path = text + 5;
    if (*path != '/') return bad_listen(err, part, "a socket path that is not absolute", "Write unix:/path/of/socket");
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        return bad_listen(err, part, "a socket path of more than 107 bytes", "Choose a shorter path");
    }
    l->unix_path = path;
    return true;
}

/* host:port or [v6]:port in `text`, which is cut in two. */
static bool take_tcp(struct config_listen *l, char *text, struct bytes part, struct err *err) {
    static const char form[] = "Write host:port, [v6 address]:port, or unix:/path; 0.0.0.0 and [::] are all addresses";
    char *colon = strrchr(text, ':');
    if (!colon || colon == text) return bad_listen(err, part, "an address without host or port", form);
    uint64_t port;
    struct err ignored;
    if (!config_value_number(colon + 1, 1, 65535, &port, &ignored)) {
        return bad_listen(err, part, "a port that is not a number from 1 to 65535", form);
    }
    *colon = '\0';
    if (*text == '[' && colon[-1] == ']') {
        struct in6_addr v6;
        colon[-1] = '\0';
        text++;
        if (inet_pton(AF_INET6, text, &v6) != 1) return bad_listen(err, part, "what is not an IPv6 address", form);
    } else {
        for (const char *c = text; *c; c++) {
            if (isalnum((unsigned char)*c) || *c == '.' || *c == '-' || *c == '_') continue;
            return bad_listen(err, part, *c == ':' ? "an IPv6 address without brackets" : "what is not a host", form);
        }
    }
    l->host = text;
    l->port = (uint16_t)port;
    return true;
}

bool config_value_is_same_listen(const struct config_listen *a, const struct config_listen *b) {
    if (a->unix_path && b->unix_path) return strcmp(a->unix_path, b->unix_path) == 0;
    if (a->unix_path || b->unix_path) return false;
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

bool config_value_listens(const char *text, struct arena *arena, struct list *out, struct err *err) {
    for (const char *at = *text ? text : NULL; at;) {
        struct bytes part = next_part(&at);
        struct config_listen *l = arena_alloc(arena, sizeof(*l));
        char *copy = arena_strdup(arena, part);
        if (!l || !copy) return err_set(err, ERR_OUT_OF_MEMORY, "does not fit into memory");
        list_init(&l->node);
        if (strncmp(copy, "unix:", 5) == 0 ? !take_unix(l, copy, part, err) : !take_tcp(l, copy, part, err)) return false;
        LIST_EACH(n, out) {
            if (!config_value_is_same_listen(l, CONTAINER_OF(n, struct config_listen, node))) continue;
            return bad_listen(err, part, "an address twice", "Remove one of the two");
        }
        list_push_back(out, &l->node);
    }
    return true;
}

void config_value_listen_text(const struct config_listen *l, char *out, size_t size) {
    if (l->unix_path) snprintf(out, size, "unix:%s", l->unix_path);
    else snprintf(out, size, strchr(l->host, ':') ? "[%s]:%u" : "%s:%u", l->host, (unsigned)l->port);
}

bool config_value_is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool config_listen_is_local(const struct config_listen *l) {
    return l->unix_path || config_value_is_loopback(l->host);
}
