/*
 * Patterns of hosts, and what is behind them. Knows no sockets and no questions.
 */
#include "proxy/auth/accounts_my.h"

#include <arpa/inet.h>

/* ---- a row ---- */

/* MariaDB's server side has another name than what clients call it by. */
static enum my_auth_plugin plugin_of(struct bytes name) {
    return bytes_is(name, "ed25519") ? MY_AUTH_ED25519 : my_auth_plugin_of(name);
}

static bool read_secret(struct account_my *a, enum my_auth_plugin plugin, struct bytes text) {
    struct user_secret *s = &a->secret;
    *s = (struct user_secret){.password = NULL};
    if (plugin == MY_AUTH_NATIVE) s->has_native = my_auth_stored_parse(text, &s->native);
    else if (plugin == MY_AUTH_ED25519) s->has_ed25519 = ed25519_key_parse(text, &s->ed25519);
    else if (plugin != MY_AUTH_OTHER) s->has_sha2 = sha_crypt_parse(text, &s->sha2);
    return user_secret_is_of_mysql(s);
}

bool account_my_fill(struct account_my *a, struct bytes host, struct bytes plugin, struct bytes secret) {
    if (host.len > ACCOUNT_MY_HOST_MAX || (host.len && memchr(host.ptr, '\0', host.len))) return false;
    if (host.len) memcpy(a->host, host.ptr, host.len);
    a->host[host.len] = '\0';
    a->is_locked = a->is_expired = false;
    a->has_secret = read_secret(a, plugin_of(plugin), secret);
    return true;
}

/* ---- which one ---- */

static uint8_t low(char c) {
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* With one place to come back to, behind the latest %, it is done in len * len steps at most. */
static bool fits_pattern(const char *pattern, const char *text) {
    const char *behind = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '%') {
            behind = ++pattern;
            from = text;
            continue;
        }
        bool is_escaped = *pattern == '\\' && pattern[1];
        const char *one = pattern + is_escaped;
        if ((*one == '_' && !is_escaped) || (*one && low(*one) == low(*text))) {
            pattern = one + 1;
            text++;
        } else if (behind) {
            pattern = behind;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '%') pattern++;
    return !*pattern;
}

/* ADDRESS/BITS or ADDRESS/MASK; the number of bits, or -1: it is none. */
static int read_network(const char *host, int *family, uint8_t net[16], uint8_t mask[16]) {
    char address[ACCOUNT_MY_HOST_MAX + 1];
    const char *slash = strchr(host, '/');
    if (!slash) return -1;
    memcpy(address, host, (size_t)(slash - host));
    address[slash - host] = '\0';
    *family = strchr(address, ':') ? AF_INET6 : AF_INET;
    int max = *family == AF_INET ? 32 : 128, bits = 0;
    if (inet_pton(*family, address, net) != 1) return -1;
    memset(mask, 0, 16);
    if (*family == AF_INET && strchr(slash, '.')) {
        if (inet_pton(AF_INET, slash + 1, mask) != 1) return -1;
        for (int i = 0; i < max; i++) bits += mask[i / 8] >> (7 - i % 8) & 1;
        return bits;
    }
    size_t digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 3 || slash[1 + digits]) return -1;
    for (size_t i = 1; i <= digits; i++) bits = bits * 10 + (slash[i] - '0');
    if (bits > max) return -1;
    for (int i = 0; i < bits; i++) mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return bits;
}

/* Bits beside the mask make a network that nobody is in, as in servers. */
static bool fits_network(const char *host, const char *ip) {
    uint8_t net[16], mask[16], own[16];
    int family;
    if (read_network(host, &family, net, mask) < 0 || !ip || inet_pton(family, ip, own) != 1) return false;
    for (int i = 0; i < (family == AF_INET ? 4 : 16); i++)
        if ((own[i] & mask[i]) != net[i]) return false;
    return true;
}

static bool fits(const char *host, const struct account_my_from *from) {
    if (!*host) return true;
    if (strchr(host, '/')) return fits_network(host, from->ip);
    return (from->ip && fits_pattern(host, from->ip)) || (from->is_near && fits_pattern(host, "localhost"));
}

/* Without wildcards it says most, then networks by their size, then patterns by how much stands before the first wildcard. */
static int exactness(const char *host) {
    enum { WHOLE = 2000, NETWORK = 1000 };
    uint8_t net[16], mask[16];
    int family, bits = strchr(host, '/') ? read_network(host, &family, net, mask) : -1;
    if (bits >= 0) return NETWORK + bits;
    if (!*host) return -1;
    for (const char *p = host; *p; p++) {
        if (*p == '%' || *p == '_') return (int)(p - host);
        if (*p == '\\' && p[1]) p++;
    }
    return WHOLE;
}

const struct account_my *accounts_my_find(const struct accounts_my *all, const struct account_my_from *from) {
    const struct account_my *best = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct account_my *a = &all->at[i];
        if (fits(a->host, from) && (!best || exactness(a->host) > exactness(best->host))) best = a;
    }
    return best;
}
