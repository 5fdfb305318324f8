/*
 * Asks LDAP servers: finds the user's entry, and binds as it with the password.
 *
 * As PostgreSQL does it, but for some things. Referrals are not followed: a password goes to the servers of the rule and to no
 * other. A name that would mean something inside of a distinguished name or a filter is nobody's, and an entry found by an
 * attribute must spell it in the same way, so that a name does not become another entry. A server that fails is not the last one:
 * the next of the rule is asked, in what is left of the time. Certificates are checked as ldap.conf of this machine says, which is
 * to demand a right one unless it was changed.
 */
#include <ldap.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/clock.h"
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

/* One server of the rule. */
struct attempt {
    struct extauth_question *q;
    LDAP *ld;
    char uri[LDAP_URIS_MAX + 1];
    uint32_t servers_left; /* this one included */
};

/* ---- verdicts ---- */

/* Always false. What a server says goes to the log, cut. */
static bool failed(struct attempt *a, const char *what, int code) {
    char *said = NULL;
    if (a->ld) (void)ldap_get_option(a->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    bool has_said = said && *said;
    a->q->result = EXTAUTH_FAILED;
    err_set(&a->q->err, ERR_CANNOT_CONNECT, "%s %.100s: %s%s%.80s", what, a->uri, ldap_err2string(code), has_said ? ": " : "",
            has_said ? said : "");
    ldap_memfree(said);
    return false;
}

/* Always false. */
static bool wrong(struct attempt *a, const char *why) {
    a->q->result = EXTAUTH_WRONG;
    err_set(&a->q->err, ERR_INVALID_AUTHORIZATION, "%s", why);
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

/* The time that is left, shared among the servers that are left. */
static struct timeval in_time(const struct attempt *a) {
    uint32_t ms = extauth_question_left_ms(a->q) / a->servers_left;
    if (ms > TRY_MAX_MS) ms = TRY_MAX_MS;
    if (ms == 0) ms = 1;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static bool open_connection(struct attempt *a) {
    const int version = LDAP_VERSION3;
    struct timeval wait = in_time(a);
    int code = ldap_initialize(&a->ld, a->uri);
    if (code != LDAP_SUCCESS) return failed(a, "no connection to", code);
    if (ldap_set_option(a->ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS ||
        ldap_set_option(a->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
        ldap_set_option(a->ld, LDAP_OPT_NETWORK_TIMEOUT, &wait) != LDAP_OPT_SUCCESS ||
        ldap_set_option(a->ld, LDAP_OPT_TIMEOUT, &wait) != LDAP_OPT_SUCCESS)
        return failed(a, "no connection to", LDAP_OTHER);
    code = a->q->ldap.starts_tls ? ldap_start_tls_s(a->ld, NULL, NULL) : LDAP_SUCCESS;
    return code == LDAP_SUCCESS || failed(a, "no TLS with", code);
}

static int bind_as(LDAP *ld, const char *dn, const char *password) {
    struct berval secret = {.bv_len = strlen(password), .bv_val = (char *)password};
    return ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
}

static bool log_searcher_in(struct attempt *a) {
    const struct ldap_options *o = &a->q->ldap;
    if (!*o->bind_dn) return true; /* a search without a bind is anonymous */
    int code = bind_as(a->ld, o->bind_dn, o->bind_password);
    return code == LDAP_SUCCESS || failed(a, "ldapbinddn cannot log in to", code);
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

/* Directories find "ANN" where "ann" is asked for: that is another user here. */
static bool is_spelled_so(struct attempt *a, LDAPMessage *entry) {
    const char *attribute = a->q->ldap.attribute;
    struct bytes user = bytes_str(a->q->user);
    bool is_found = false;
    if (!attribute) return true;
    struct berval **values = ldap_get_values_len(a->ld, entry, attribute);
    for (int i = 0; values && values[i] && !is_found; i++)
        is_found = bytes_equal(bytes_of(values[i]->bv_val, values[i]->bv_len), user);
    ldap_value_free_len(values);
    return is_found;
}

static bool take_entry(struct attempt *a, LDAPMessage *found, bool is_whole, char dn[DN_MAX]) {
    int count = ldap_count_entries(a->ld, found);
    if (count == 0) return wrong(a, "no entry is found");
    if (count > 1 || !is_whole) return wrong(a, "more than one entry is found");
    LDAPMessage *entry = ldap_first_entry(a->ld, found);
    if (!is_spelled_so(a, entry)) return wrong(a, "the entry spells the name in another way");
    char *name = ldap_get_dn(a->ld, entry);
    size_t len = name ? strlen(name) : 0;
    bool fits = len > 0 && len < DN_MAX; /* an empty one would be an anonymous bind, which is always right */
    if (fits) memcpy(dn, name, len + 1);
    ldap_memfree(name);
    return fits || wrong(a, "the entry has no name");
}

static bool search(struct attempt *a, char dn[DN_MAX]) {
    static const int reaches[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL, LDAP_SCOPE_SUBTREE};
    const struct ldap_options *o = &a->q->ldap;
    char none[] = LDAP_NO_ATTRS, *attributes[] = {o->attribute ? (char *)o->attribute : none, NULL}, filter[FILTER_MAX];
    struct timeval limit = in_time(a);
    LDAPMessage *found = NULL;
    if (!fill_in(o->filter, a->q->user, filter)) return wrong(a, "the filter becomes too long");
    int code = ldap_search_ext_s(a->ld, o->base, reaches[o->reach], filter, attributes, 0, NULL, NULL, &limit, ENTRIES_MAX, &found);
    bool is_answer = code == LDAP_SUCCESS || code == LDAP_SIZELIMIT_EXCEEDED || code == LDAP_NO_SUCH_OBJECT;
    bool ok = is_answer ? take_entry(a, found, code == LDAP_SUCCESS, dn) : failed(a, "no search at", code);
    ldap_msgfree(found);
    return ok;
}

/* The entry to bind as. */
static bool find_entry(struct attempt *a, char dn[DN_MAX]) {
    const struct ldap_options *o = &a->q->ldap;
    if (o->base) return log_searcher_in(a) && search(a, dn);
    int len = snprintf(dn, DN_MAX, "%s%s%s", o->prefix, a->q->user, o->suffix);
    return len < DN_MAX || wrong(a, "the entry's name becomes too long");
}

static void ask_server(struct attempt *a) {
    char dn[DN_MAX];
    if (!open_connection(a) || !find_entry(a, dn)) return;
    int code = bind_as(a->ld, dn, a->q->password);
    if (code == LDAP_SUCCESS) a->q->result = EXTAUTH_RIGHT;
    else if (is_verdict(code)) wrong(a, ldap_err2string(code));
    else failed(a, "no bind at", code);
}

static void ask_servers(struct extauth_question *q) {
    struct attempt a = {.q = q, .servers_left = q->ldap.server_count};
    for (const char *at = q->ldap.uris; *(at += strspn(at, " ")) && a.servers_left; at += strcspn(at, " "), a.servers_left--) {
        snprintf(a.uri, sizeof a.uri, "%.*s", (int)strcspn(at, " "), at);
        a.ld = NULL;
        ask_server(&a);
        if (a.ld) (void)ldap_unbind_ext_s(a.ld, NULL, NULL);
        if (q->result != EXTAUTH_FAILED || clock_now_us(&clock_real) >= q->until_us) return;
    }
}

void extauth_ask_ldap(struct extauth_question *q) {
    struct attempt nobody = {.q = q};
    pthread_once(&once, wake_library);
    if (!q->password || !*q->password) /* servers take a bind without one for an anonymous one, and say yes */
        wrong(&nobody, "an empty password");
    else if (!external_is_ldap_name(q->user, q->ldap.attribute != NULL))
        wrong(&nobody, "the name holds what is special in LDAP");
    else ask_servers(q);
}
