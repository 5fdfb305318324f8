/*
 * Knows the words; whether there is such a node is for others to say.
 */
#include "proxy/admin/node_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "proxy/config_file.h"

enum { NODE_NAME_MAX = CONFIG_SECTION_MAX - 5 /* "node " */, DEFAULT_PORT = 5432, WEIGHT_MAX = 1000, CONN_MAX = 1000000 };

struct options {
    const struct words *w;
    int at;
};

/* Bytes that would look like something else in a list or in the log. */
static bool is_plain(const char *text) {
    for (; *text; text++)
        if ((uint8_t)*text <= ' ' || *text == 127 || *text == ']' || *text == '"') return false;
    return true;
}

static bool take_name(struct node_order *o, const char *word, struct err *err) {
    const char *slash = strchr(word, '/');
    bool is_right = slash && slash > word && slash[1] && !strchr(slash + 1, '/') && is_plain(word) &&
                    strlen(slash) <= CONFIG_NODE_NAME_SIZE && slash - word < CONFIG_NODE_NAME_SIZE;
    if (!is_right) {
        err_set(err, ERR_SYNTAX, "a node is called by its cluster and its name, such as main/b");
        err_hint(err, "SHOW NODES lists the nodes.");
        return false;
    }
    snprintf(o->cluster, sizeof o->cluster, "%.*s", (int)(slash - word), word);
    snprintf(o->name, sizeof o->name, "%s", slash + 1);
    return true;
}

/* Digits alone. */
static bool is_number(const char *word, uint32_t max, uint32_t *out) {
    char *end;
    if (*word < '0' || *word > '9' || strlen(word) > 9) return false;
    unsigned long value = strtoul(word, &end, 10);
    *out = (uint32_t)value;
    return !*end && value <= max;
}

static const char *next(struct options *o) {
    return o->at < o->w->count ? o->w->text[o->at++] : NULL;
}

static bool refuse(const char *word, struct err *err) {
    err_set(err, ERR_SYNTAX, "ADD NODE does not know \"%.60s\" here", word);
    err_hint(err, "ADD NODE cluster/name host [port] [weight n] [max_server_conn n] [zone name]");
    return false;
}

static bool take_zone(const char *value, struct node_order *out, struct err *err) {
    if (!value || !*value || strlen(value) >= sizeof out->zone || !is_plain(value))
        return err_set(err, ERR_SYNTAX, "zone is a name of at most %d bytes, without blanks", (int)sizeof out->zone - 1);
    snprintf(out->zone, sizeof out->zone, "%s", value);
    return true;
}

/* "weight n", "weight = n", "weight=n". */
static bool take_option(struct options *o, struct node_order *out, struct err *err) {
    const char *word = next(o);
    const char *equals = strchr(word, '=');
    const char *value = equals && equals[1] ? equals + 1 : next(o);
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    if (value && !equals && strcmp(value, "=") == 0) value = next(o);
    bool is_weight = len == 6 && strncasecmp(word, "weight", len) == 0;
    bool is_cap = len == 15 && strncasecmp(word, "max_server_conn", len) == 0;
    if (len == 4 && strncasecmp(word, "zone", len) == 0) return take_zone(value, out, err);
    if (!is_weight && !is_cap) return refuse(word, err);
    if (value && is_number(value, is_weight ? WEIGHT_MAX : CONN_MAX, is_weight ? &out->weight : &out->max_server_conn)) return true;
    err_set(err, ERR_SYNTAX, "%.*s is a number from 0 to %d", (int)len, word, is_weight ? WEIGHT_MAX : CONN_MAX);
    return false;
}

static bool take_place(struct options *o, struct node_order *out, struct err *err) {
    const char *host = next(o);
    uint32_t port = DEFAULT_PORT;
    if (strlen(out->cluster) + 1 + strlen(out->name) > NODE_NAME_MAX)
        return err_set(err, ERR_SYNTAX, "cluster and name of a node have at most %d bytes", (int)NODE_NAME_MAX);
    if (!*host || !is_plain(host)) return refuse(host, err);
    snprintf(out->host, sizeof out->host, "%s", host);
    if (o->at < o->w->count && o->w->text[o->at][0] >= '0' && o->w->text[o->at][0] <= '9') {
        const char *word = next(o);
        if (!is_number(word, 65535, &port) || !port)
            return err_set(err, ERR_SYNTAX, "\"%.60s\" is not a port: 1 to 65535", word);
    }
    out->port = (uint16_t)port;
    while (o->at < o->w->count)
        if (!take_option(o, out, err)) return false;
    return true;
}

bool node_order_parse(struct node_order *out, enum node_verb verb, const struct words *w, int used, struct err *err) {
    struct options o = {.w = w, .at = used};
    *out = (struct node_order){.verb = verb, .source = NODE_FROM_CONSOLE, .weight = 1};
    const char *name = next(&o);
    if (!take_name(out, name ? name : "", err)) return false;
    if (o.at == w->count) return true;
    if (verb == NODE_ADD) return take_place(&o, out, err);
    return err_set(err, ERR_SYNTAX, "nothing more is said behind the node's name");
}
