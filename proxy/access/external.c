/*
 * The options of LDAP and PAM: one by one, then together.
 */
#include "proxy/access/external.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ldap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/writer.h"

enum { SHOWN = 60, PORT_MAX = 65535 };

/* ---- one by one ---- */

static const struct option {
    const char *name;
    enum auth_method method;
    size_t offset;
} options[] = {
    {"ldapserver", AUTH_LDAP, offsetof(struct external_draft, server)},
    {"ldapport", AUTH_LDAP, offsetof(struct external_draft, port)},
    {"ldapscheme", AUTH_LDAP, offsetof(struct external_draft, scheme)},
    {"ldaptls", AUTH_LDAP, offsetof(struct external_draft, tls)},
    {"ldapprefix", AUTH_LDAP, offsetof(struct external_draft, prefix)},
    {"ldapsuffix", AUTH_LDAP, offsetof(struct external_draft, suffix)},
    {"ldapbasedn", AUTH_LDAP, offsetof(struct external_draft, base)},
    {"ldapbinddn", AUTH_LDAP, offsetof(struct external_draft, bind_dn)},
    {"ldapbindpasswd", AUTH_LDAP, offsetof(struct external_draft, bind_password)},
    {"ldapsearchattribute", AUTH_LDAP, offsetof(struct external_draft, attribute)},
    {"ldapsearchfilter", AUTH_LDAP, offsetof(struct external_draft, filter)},
    {"ldapurl", AUTH_LDAP, offsetof(struct external_draft, url)},
    {"pamservice", AUTH_PAM, offsetof(struct external_draft, service)},
    {"pam_use_hostname", AUTH_PAM, offsetof(struct external_draft, by_name)},
};

void external_wipe(struct external_draft *d) {
    if (d->bind_password) explicit_bzero((char *)d->bind_password, strlen(d->bind_password));
    d->bind_password = NULL;
}

bool external_take(struct external_draft *d, enum auth_method method, struct bytes name, const char *value) {
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].method != method || !bytes_is(name, options[i].name)) continue;
        const char **place = (const char **)((char *)d + options[i].offset);
        if (place == &d->bind_password) external_wipe(d);
        *place = value;
        return true;
    }
    return false;
}

/* ---- together ---- */

struct making {
    struct arena *arena;
    struct ldap_options *o;
    struct writer uris; /* over storage */
    char storage[LDAP_URIS_MAX + 1];
    char *why; /* EXTERNAL_WHY_MAX bytes */
    const char **advice;
};

/* Always false. */
PRINTF_LIKE(3, 4) static bool wrong(struct making *m, const char *advice, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(m->why, EXTERNAL_WHY_MAX, fmt, args);
    va_end(args);
    *m->advice = advice;
    return false;
}

static bool keep(struct making *m, const char **out, const char *text) {
    *out = arena_strdup(m->arena, bytes_str(text));
    return *out != NULL;
}

/* ---- servers ---- */

enum { HOST_MAX = 255 };

/* A name, or an address of either kind: then its family. */
static bool is_host(const char *host, int *family) {
    uint8_t ip[16];
    *family = inet_pton(AF_INET6, host, ip) == 1 ? AF_INET6 : inet_pton(AF_INET, host, ip) == 1 ? AF_INET : AF_UNSPEC;
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(".-_", *c) && (*c != ':' || *family != AF_INET6)) return false;
    return *host;
}

static bool is_here(const char *host, int family) {
    return strcmp(host, family == AF_INET6 ? "::1" : "localhost") == 0 || (family == AF_INET && strncmp(host, "127.", 4) == 0);
}

static bool add_server(struct making *m, const char *scheme, struct bytes name, unsigned port) {
    char text[16], host[HOST_MAX + 1] = "";
    int family;
    if (name.len <= HOST_MAX) memcpy(host, name.ptr, name.len);
    if (!is_host(host, &family)) return wrong(m, "Write names or addresses of LDAP servers, with blanks between them",
                                              "%.*s is not the name of a server", (int)(name.len < SHOWN ? name.len : SHOWN),
                                              (const char *)name.ptr);
    if (m->o->server_count++ == LDAP_SERVERS_MAX) return wrong(m, "Name fewer", "there are more than %d LDAP servers",
                                                               LDAP_SERVERS_MAX);
    snprintf(text, sizeof text, ":%u", port);
    if (m->uris.len) writer_u8(&m->uris, ' ');
    writer_str(&m->uris, scheme);
    writer_str(&m->uris, family == AF_INET6 ? "://[" : "://");
    writer_str(&m->uris, host);
    writer_str(&m->uris, family == AF_INET6 ? "]" : "");
    writer_str(&m->uris, text);
    m->o->is_in_clear |= strcmp(scheme, "ldap") == 0 && !m->o->starts_tls && !is_here(host, family);
    return !m->uris.failed || wrong(m, "Name fewer", "the names of the LDAP servers are longer than %d bytes", LDAP_URIS_MAX);
}

static bool take_port(struct making *m, const char *text, bool is_tls, unsigned *port) {
    char *end;
    unsigned long value = text ? strtoul(text, &end, 10) : is_tls ? LDAPS_PORT : LDAP_PORT;
    if (text && (!isdigit((unsigned char)*text) || *end || value == 0 || value > PORT_MAX))
        return wrong(m, "Write a number such as 389", "ldapport cannot be %.*s", SHOWN, text);
    *port = (unsigned)value;
    return true;
}

static bool take_servers(struct making *m, const struct external_draft *d) {
    const char *scheme = d->scheme ? d->scheme : "ldap";
    bool is_tls = strcmp(scheme, "ldaps") == 0;
    unsigned port = 0;
    if (!is_tls && strcmp(scheme, "ldap") != 0) return wrong(m, "Write ldapscheme=ldap or ldapscheme=ldaps",
                                                             "ldapscheme cannot be %.*s", SHOWN, scheme);
    if (!take_port(m, d->port, is_tls, &port)) return false;
    for (const char *at = d->server ? d->server : ""; *(at += strspn(at, " "));) {
        size_t len = strcspn(at, " ");
        if (!add_server(m, scheme, bytes_of(at, len), port)) return false;
        at += len;
    }
    return m->o->server_count || wrong(m, "Write ldapserver=NAME, or ldapurl=\"ldap://NAME/...\"", "no LDAP server is named");
}

/* ---- the user's entry ---- */

static bool take_filter(struct making *m, const char *filter, const char *attribute) {
    char text[256];
    if (filter && attribute) return wrong(m, "Write one of the two", "an attribute to search by and a filter do not go together");
    if (attribute && (size_t)snprintf(text, sizeof text, "(%s=" LDAP_FILTER_USER ")", attribute) >= sizeof text)
        return wrong(m, "Write the name of an attribute, such as uid", "ldapsearchattribute is too long");
    for (const char *c = attribute; c && *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-.;", *c))
            return wrong(m, "Write the name of an attribute, such as uid", "%.*s is not the name of an attribute", SHOWN,
                         attribute);
    if (filter && !strstr(filter, LDAP_FILTER_USER))
        return wrong(m, "Write " LDAP_FILTER_USER " where the name is to stand, such as (uid=" LDAP_FILTER_USER ")",
                     "the filter finds the same for everybody: the user's name is not in it");
    int depth = 0;
    for (const char *c = filter; c && *c && depth >= 0; c++) depth += *c == '(' ? 1 : *c == ')' ? -1 : 0;
    if (depth) return wrong(m, "Correct the parentheses", "the filter has parentheses without their counterparts");
    if (!filter && !keep(m, &m->o->attribute, attribute ? attribute : "uid")) return false;
    return keep(m, &m->o->filter, filter ? filter : attribute ? text : "(uid=" LDAP_FILTER_USER ")");
}

static bool take_searcher(struct making *m, const struct external_draft *d) {
    if (d->bind_password && (!d->bind_dn || !*d->bind_dn))
        return wrong(m, "Write ldapbinddn=DN", "ldapbindpasswd is the password of nobody");
    if (d->bind_dn && *d->bind_dn && (!d->bind_password || !*d->bind_password))
        return wrong(m, "Write ldapbindpasswd=PASSWORD, or remove ldapbinddn to search anonymously",
                     "ldapbinddn has no password: servers take that for an anonymous login");
    m->o->bind_password = d->bind_password ? d->bind_password : ""; /* no second copy of it */
    return keep(m, &m->o->bind_dn, d->bind_dn ? d->bind_dn : "");
}

static bool is_search(const struct external_draft *d) {
    return d->base || d->bind_dn || d->bind_password || d->attribute || d->filter;
}

static bool take_entry(struct making *m, const struct external_draft *d) {
    if (d->prefix || d->suffix) {
        if (is_search(d)) return wrong(m, "Write ldapprefix and ldapsuffix, or ldapbasedn and what belongs to it",
                                       "one line cannot name the entry by ldapprefix or ldapsuffix and search for it, too");
        return keep(m, &m->o->prefix, d->prefix ? d->prefix : "") && keep(m, &m->o->suffix, d->suffix ? d->suffix : "");
    }
    if (!d->base) return wrong(m, "Write ldapprefix and ldapsuffix, or ldapbasedn to search below it",
                               "nothing says which entry of the directory a user is");
    m->o->reach = LDAP_REACH_SUB;
    return keep(m, &m->o->base, d->base) && take_filter(m, d->filter, d->attribute) && take_searcher(m, d);
}

/* ---- all in one URL ---- */

static bool take_parsed_url(struct making *m, const struct external_draft *d, const LDAPURLDesc *u) {
    const char *attribute = u->lud_attrs ? u->lud_attrs[0] : NULL;
    if (strcmp(u->lud_scheme, "ldap") != 0 && strcmp(u->lud_scheme, "ldaps") != 0)
        return wrong(m, "Write ldap:// or ldaps://", "ldapurl cannot begin with %.*s", SHOWN, u->lud_scheme);
    if (!u->lud_host || !*u->lud_host) return wrong(m, "Write ldapurl=\"ldap://NAME/...\"", "ldapurl names no server");
    if (u->lud_port < 1 || u->lud_port > PORT_MAX) return wrong(m, "Write a port such as 389", "ldapurl has no right port");
    if (!u->lud_dn || !*u->lud_dn) return wrong(m, "Write ldapurl=\"ldap://NAME/BASEDN?uid?sub\"",
                                                "ldapurl does not say below what to search");
    if (m->o->starts_tls && strcmp(u->lud_scheme, "ldaps") == 0)
        return wrong(m, "Remove ldaptls", "ldaps is TLS from the first byte: ldaptls=1 would be a second one");
    bool is_whole = add_server(m, u->lud_scheme, bytes_str(u->lud_host), (unsigned)u->lud_port) &&
                    keep(m, &m->o->base, u->lud_dn) && take_filter(m, u->lud_filter, attribute) && take_searcher(m, d);
    m->o->reach = u->lud_scope == LDAP_SCOPE_SUBTREE ? LDAP_REACH_SUB : u->lud_scope == LDAP_SCOPE_ONELEVEL ? LDAP_REACH_ONE
                  : LDAP_REACH_BASE;
    return is_whole;
}

static bool take_url(struct making *m, const struct external_draft *d) {
    LDAPURLDesc *u = NULL;
    if (d->server || d->port || d->scheme || d->prefix || d->suffix || d->base || d->attribute || d->filter)
        return wrong(m, "Write ldapurl, ldaptls, ldapbinddn and ldapbindpasswd only",
                     "ldapurl says already what another option of the line says");
    int result = ldap_url_parse(d->url, &u);
    bool ok = result == LDAP_SUCCESS ? take_parsed_url(m, d, u)
              : wrong(m, "Write ldapurl=\"ldap://NAME/BASEDN?uid?sub\"", "ldapurl is not a URL of LDAP");
    if (u) ldap_free_urldesc(u);
    return ok;
}

/* ---- a line's options ---- */

static bool take_ldap(struct making *m, const struct external_draft *d) {
    m->o->prefix = m->o->suffix = m->o->filter = m->o->bind_dn = m->o->bind_password = "";
    bool is_ldaps = d->scheme && strcmp(d->scheme, "ldaps") == 0;
    if (d->tls && strcmp(d->tls, "1") != 0 && strcmp(d->tls, "0") != 0)
        return wrong(m, "Write ldaptls=1, or remove it", "ldaptls cannot be %.*s", SHOWN, d->tls);
    m->o->starts_tls = d->tls && *d->tls == '1';
    if (m->o->starts_tls && is_ldaps) return wrong(m, "Remove ldaptls",
                                                   "ldaps is TLS from the first byte: ldaptls=1 would be a second one");
    if (d->url) return take_url(m, d);
    return take_servers(m, d) && take_entry(m, d);
}

const struct ldap_options *external_ldap(const struct external_draft *d, struct arena *a, char why[EXTERNAL_WHY_MAX],
                                         const char **advice) {
    struct making m = {.arena = a, .o = arena_alloc(a, sizeof *m.o), .why = why, .advice = advice};
    why[0] = '\0';
    *advice = "";
    writer_init_fixed(&m.uris, m.storage, LDAP_URIS_MAX);
    if (!m.o || !take_ldap(&m, d)) return NULL;
    m.storage[m.uris.len] = '\0';
    return keep(&m, &m.o->uris, m.storage) ? m.o : NULL;
}

const struct pam_options *external_pam(const struct external_draft *d, struct arena *a, char why[EXTERNAL_WHY_MAX],
                                       const char **advice) {
    struct pam_options *o = arena_alloc(a, sizeof *o);
    const char *service = d->service ? d->service : PAM_SERVICE_DEFAULT;
    bool is_name = *service && *service != '.';
    why[0] = '\0';
    *advice = "";
    for (const char *c = service; *c; c++)
        is_name = is_name && (islower((unsigned char)*c) || isdigit((unsigned char)*c) || strchr("-_.", *c));
    if (d->by_name && strcmp(d->by_name, "0") != 0) {
        snprintf(why, EXTERNAL_WHY_MAX, "gilmok tells PAM the client's address: names are not looked up");
        *advice = "Remove pam_use_hostname";
        return NULL;
    }
    if (!is_name) {
        snprintf(why, EXTERNAL_WHY_MAX, "`%.*s` is not the name of a PAM service", SHOWN, service);
        *advice = "Write the name of a file in /etc/pam.d in lower case, which is how PAM reads it, such as " PAM_SERVICE_DEFAULT;
        return NULL;
    }
    if (o) o->service = arena_strdup(a, bytes_str(service));
    return o && o->service ? o : NULL;
}

bool external_is_ldap_name(const char *user, bool is_compared) {
    if (!is_compared && strstr(user, "  ")) return false;
    if (!*user || *user == ' ' || *user == '#' || user[strlen(user) - 1] == ' ') return false;
    for (const char *c = user; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127 || (!is_compared && (unsigned char)*c > 127) || strchr(",+\"\\<>;=*()/",
                                                                                                       *c)) return false;
    return true;
}
