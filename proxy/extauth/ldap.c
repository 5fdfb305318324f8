/*
 * Asks LDAP servers: finds the user's entry, and binds as it with the password.
 *
 * As PostgreSQL does it, but for two things. Referrals are not followed: a password goes to the servers of the rule and to no
 * other. And a name that would mean something inside of a distinguished name or a filter is nobody's, so that a name can never
 * become another entry. Certificates are checked as ldap.conf of this machine says, which is to demand a right one unless it was
 * changed.
 */
#include <ldap.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/writer.h"
#include "proxy/extauth/question.h"

enum { TRY_MAX_MS = 5000, DN_MAX = 4096, FILTER_MAX = 8192, ENTRIES_MAX = 2 };

static_assert(ENTRIES_MAX == 2, "one entry, and whether there are more");

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The library reads its files and the environment at its first use: not by two threads at once. */
static void wake_library(void) {
    int version = 0;
    (void)ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

/* ---- verdicts ---- */

/* Always false. What a server says goes to the log, cut. */
static bool failed(struct extauth_question *q, LDAP *ld, const char *what, int code) {
    char *said = NULL;
    if (ld) (void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    q->result = EXTAUTH_FAILED;
    err_set(&q->err, ERR_CANNOT_CONNECT, "%s %.100s: %s%s%.80s", what, q->ldap.uris, ldap_err2string(code), said && *said ? ": "
            : "",
            said ? said : "");
    ldap_memfree(said);
    return false;
}

/* Always false. */
static bool wrong(struct extauth_question *q, const char *why) {
    q->result = EXTAUTH_WRONG;
    err_set(&q->err, ERR_INVALID_AUTHORIZATION, "%s", why);
    return false;
}

/* An answer about the entry and its password; all others are about the server. */
static bool is_verdict(int code) {
    switch (code) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_UNWILLING_TO_PERFORM:
    case LDAP_CONSTRAINT_VIOLATION: /* a locked account */
        return true;
    default:
        return false;
    }
}

/* ---- steps ---- */

static struct timeval in_time(const struct extauth_question *q, uint32_t parts) {
    uint32_t ms = extauth_question_left_ms(q) / parts;
    if (ms > TRY_MAX_MS) ms = TRY_MAX_MS;
    if (ms == 0) ms = 1;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static bool open_connection(struct extauth_question *q, LDAP **ld) {
    const int version = LDAP_VERSION3;
    struct timeval one_try = in_time(q, q->ldap.server_count), answer = in_time(q, 1);
    int code = ldap_initialize(ld, q->ldap.uris);
    if (code != LDAP_SUCCESS) return failed(q, NULL, "no connection to", code);
    if (ldap_set_option(*ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS ||
        ldap_set_option(*ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
        ldap_set_option(*ld, LDAP_OPT_NETWORK_TIMEOUT, &one_try) != LDAP_OPT_SUCCESS ||
        ldap_set_option(*ld, LDAP_OPT_TIMEOUT, &answer) != LDAP_OPT_SUCCESS)
        return failed(q, NULL, "no connection to", LDAP_OTHER);
    code = q->ldap.starts_tls ? ldap_start_tls_s(*ld, NULL, NULL) : LDAP_SUCCESS;
    return code == LDAP_SUCCESS || failed(q, *ld, "no TLS with", code);
}

static int bind_as(LDAP *ld, const char *dn, const char *password) {
    struct berval secret = {.bv_len = strlen(password), .bv_val = (char *)password};
    return ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
}

static bool log_searcher_in(struct extauth_question *q, LDAP *ld) {
    if (!*q->ldap.bind_dn) return true; /* a search without a bind is anonymous */
    int code = bind_as(ld, q->ldap.bind_dn, q->ldap.bind_password);
    return code == LDAP_SUCCESS || failed(q, ld, "ldapbinddn cannot log in to", code);
}

static bool fill_in(const char *filter, const char *user, char out[FILTER_MAX]) {
    struct writer w;
    writer_init_fixed(&w, out, FILTER_MAX);
    for (const char *found; (found = strstr(filter, LDAP_FILTER_USER)) != NULL; filter = found + strlen(LDAP_FILTER_USER)) {
        writer_put(&w, bytes_of(filter, (size_t)(found - filter)));
        writer_str(&w, user);
    }
    writer_cstr(&w, bytes_str(filter));
    return !w.failed;
}

static bool take_entry(struct extauth_question *q, LDAP *ld, LDAPMessage *found, char dn[DN_MAX]) {
    int count = ldap_count_entries(ld, found);
    char *name = count == 1 ? ldap_get_dn(ld, ldap_first_entry(ld, found)) : NULL;
    size_t len = name ? strlen(name) : 0;
    bool fits = len > 0 && len < DN_MAX; /* an empty one would be an anonymous bind, which is always right */
    if (fits) memcpy(dn, name, len + 1);
    ldap_memfree(name);
    return fits || wrong(q, count == 0 ? "no entry is found" : count > 1 ? "more than one entry is found"
                         : "the entry has no name");
}

static bool search(struct extauth_question *q, LDAP *ld, char dn[DN_MAX]) {
    static const int reaches[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL, LDAP_SCOPE_SUBTREE};
    char none[] = LDAP_NO_ATTRS, *no_attributes[] = {none, NULL}, filter[FILTER_MAX];
    struct timeval limit = in_time(q, 1);
    LDAPMessage *found = NULL;
    if (!fill_in(q->ldap.filter, q->user, filter)) return wrong(q, "the filter becomes too long");
    int code = ldap_search_ext_s(ld, q->ldap.base, reaches[q->ldap.reach], filter, no_attributes, 0, NULL, NULL, &limit,
                                 ENTRIES_MAX, &found);
    bool is_answer = code == LDAP_SUCCESS || code == LDAP_SIZELIMIT_EXCEEDED || code == LDAP_NO_SUCH_OBJECT;
    bool ok = is_answer ? take_entry(q, ld, found, dn) : failed(q, ld, "no search at", code);
    ldap_msgfree(found);
    return ok;
}

/* The entry to bind as. */
static bool find_entry(struct extauth_question *q, LDAP *ld, char dn[DN_MAX]) {
    if (q->ldap.base) return log_searcher_in(q, ld) && search(q, ld, dn);
    int len = snprintf(dn, DN_MAX, "%s%s%s", q->ldap.prefix, q->user, q->ldap.suffix);
    return len < DN_MAX || wrong(q, "the entry's name becomes too long");
}

void extauth_ask_ldap(struct extauth_question *q) {
    LDAP *ld = NULL;
    char dn[DN_MAX];
    pthread_once(&once, wake_library);
    if (!*q->password) { /* servers take a bind without one for an anonymous one, and say yes */
        wrong(q, "an empty password");
    } else if (!external_is_ldap_name(q->user)) {
        wrong(q, "the name holds what is special in LDAP");
    } else if (open_connection(q, &ld) && find_entry(q, ld, dn)) {
        int code = bind_as(ld, dn, q->password);
        if (code == LDAP_SUCCESS) q->result = EXTAUTH_RIGHT;
        else if (is_verdict(code)) wrong(q, ldap_err2string(code));
        else failed(q, ld, "no bind at", code);
    }
    if (ld) (void)ldap_unbind_ext_s(ld, NULL, NULL);
}
