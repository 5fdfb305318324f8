/*
 * external.h - whom a rule asks about a password that somebody has sent: LDAP servers, or a PAM service.
 *
 * The options are PostgreSQL's (ldapserver, ldapbasedn, pamservice, ...), as they stand behind the method of a line:
 *
 *     hostssl shop all all ldap ldapserver=ldap.example.com ldaptls=1 ldapprefix="uid=" ldapsuffix=",ou=people,dc=example"
 *     hostssl shop all all ldap ldapurl="ldaps://ldap.example.com/ou=people,dc=example?uid?sub"
 *     hostssl ops  all all pam  pamservice=gilmok
 *
 * Here they are read and checked; who asks is extauth's. Memory is an arena's, never changed after the rule is made.
 */
#ifndef GILMOK_PROXY_ACCESS_EXTERNAL_H
#define GILMOK_PROXY_ACCESS_EXTERNAL_H

#include "base/arena.h"
#include "proxy/access/method.h"

enum {
    EXTERNAL_WHY_MAX = 200,
    LDAP_SERVERS_MAX = 8,
    LDAP_URIS_MAX = 1024, /* bytes of all URIs */
};

/* What stands for the user's name in a filter. */
#define LDAP_FILTER_USER "$username"
#define PAM_SERVICE_DEFAULT "gilmok"

enum ldap_reach { LDAP_REACH_BASE, LDAP_REACH_ONE, LDAP_REACH_SUB };

struct ldap_options {
    const char *uris; /* "ldap://a:389 ldap://b:389": tried in this order until one answers */
    unsigned server_count;
    bool starts_tls;      /* StartTLS before anything is said */
    bool is_in_clear;     /* passwords leave without TLS for a server that is not on this machine */
    const char *prefix;   /* bind as prefix, user, suffix; with `base` they are "" */
    const char *suffix;
    const char *base;     /* search below it for the entry to bind as; NULL: there is no search */
    enum ldap_reach reach;
    const char *filter;        /* of the search, with LDAP_FILTER_USER in it */
    const char *attribute;     /* that must be the name, byte by byte; NULL: the filter is somebody's own */
    const char *bind_dn;       /* who searches; "": anonymously */
    const char *bind_password; /* secret */
};

struct pam_options {
    const char *service;
};

/* What a line says before it is checked; all NULL at first. The texts live as long as the arena. */
struct external_draft {
    const char *server, *port, *scheme, *tls, *prefix, *suffix, *base, *bind_dn, *bind_password, *attribute, *filter, *url;
    const char *service, *by_name;
};

/* True when it is an option of the method, and is kept; given twice the last one counts, as in PostgreSQL. */
bool external_take(struct external_draft *d, enum auth_method method, struct bytes name, const char *value);

/* True when a line of these methods holds a secret. */
static inline bool external_has_secret(const struct external_draft *d) {
    return d->bind_password && *d->bind_password;
}

/* The secret in it, where a line is of no use. */
void external_wipe(struct external_draft *d);

/* NULL: the options do not go together; `why` and `advice` (static) say what is wrong. Or memory is out: why is "". */
const struct ldap_options *external_ldap(const struct external_draft *d, struct arena *a, char why[EXTERNAL_WHY_MAX],
                                         const char **advice);
const struct pam_options *external_pam(const struct external_draft *d, struct arena *a, char why[EXTERNAL_WHY_MAX],
                                       const char **advice);

/*
 * May a user of this name be asked for? Whatever means something inside of a distinguished name or a filter may not be in it:
 * then a name can never become another entry. Unless the entry's attribute `is_compared` with it, neither may anything be in it
 * that directories take for another spelling of the same: blanks in a row, anything but ASCII. Upper and lower case are the same to
 * most of them all the same.
 */
bool external_is_ldap_name(const char *user, bool is_compared);

#endif
