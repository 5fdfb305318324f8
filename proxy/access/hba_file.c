/*
 * The text of rules: one function a field. A line with something wrong in it makes no rule: the caller, who has been told,
 * uses none of them.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "proxy/access/hba.h"
#include "proxy/access/rule_regex.h"
#include "proxy/access/rule_text.h"

enum { TEXT_MAX = 300, SHOWN_MAX = 60 };

struct reading {
    struct hba *hba;
    struct arena *arena;
    const char *file;
    const struct hba_files *files;
    const struct rule_line *line;
    const struct list *at; /* the field that comes next; the line's head at its end */
    struct external_draft external; /* what the line says of LDAP or PAM */
};

/* Always false. */
PRINTF_LIKE(3, 4) static bool wrong(const struct reading *r, const char *advice, const char *fmt, ...) {
    char what[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    r->files->complain(r->files->ctx, r->file, r->line->line, what, advice);
    return false;
}

/* ---- fields ---- */

static const struct rule_field *next_field(struct reading *r) {
    if (r->at == &r->line->fields) return NULL;
    const struct rule_field *f = CONTAINER_OF(r->at, struct rule_field, node);
    r->at = r->at->next;
    return f;
}

static const struct rule_word *first_word(const struct rule_field *f) {
    return CONTAINER_OF(f->words.next, struct rule_word, node);
}

/* A field that is one word. NULL, complained about, when there is none or more. */
static const char *take_word(struct reading *r, const char *name, const char *advice) {
    const struct rule_field *f = next_field(r);
    if (!f) {
        wrong(r, advice, "the line ends where its %s should be", name);
        return NULL;
    }
    if (f->words.next->next != &f->words) {
        wrong(r, advice, "the %s is a list", name);
        return NULL;
    }
    return first_word(f)->text;
}

/* ---- databases and users ---- */

enum field { DATABASES, USERS };

static struct hba_word *add_word(struct reading *r, struct list *words, enum hba_word_kind kind, const char *text) {
    struct hba_word *w = arena_alloc(r->arena, sizeof *w);
    if (!w) return NULL;
    w->kind = kind;
    w->text = text;
    list_init(&w->node);
    list_push_back(words, &w->node);
    return w;
}

static bool add_regex(struct reading *r, struct list *words, const char *text) {
    regex_t regex;
    char why[100];
    if (rule_text_has_escape(text + 1))
        return wrong(r, "Write [0-9] and its like; a backslash may stand in front of other signs only",
                     "the regular expression %.*s has an escape that the C library does not know", SHOWN_MAX, text);
    int failed = rule_regex_compile(&regex, text + 1, REG_NOSUB);
    if (failed) {
        regerror(failed, &regex, why, sizeof why);
        return wrong(r, "It must be a POSIX extended regular expression", "the regular expression %.*s is not right: %s", SHOWN_MAX,
                     text, why);
    }
    struct hba_word *w = add_word(r, words, HBA_REGEX, text);
    if (w) w->regex = regex;
    else regfree(&regex);
    return w != NULL;
}

static bool add_names(struct reading *r, struct list *words, enum field field, const struct list *from, int depth);

/* Every word of the file is a name more. */
static bool add_file(struct reading *r, struct list *words, enum field field, const char *name, int depth) {
    struct writer text;
    struct rule_text cut;
    struct rule_line line;
    const char *what = NULL;
    bool ok = true;
    if (depth == HBA_DEPTH_MAX) return wrong(r, "Put the names into this file", "@%.*s is named by too many files in files",
                                             SHOWN_MAX, name);
    writer_init(&text, HBA_FILE_MAX);
    if (!r->files->read(r->files->ctx, r->file, r->line->line, name, &text)) {
        writer_release(&text);
        return false;
    }
    rule_text_init(&cut, r->arena, writer_bytes(&text));
    for (enum rule_text_result got; ok && (got = rule_text_next(&cut, &line, &what)) != RULE_TEXT_END;) {
        if (got == RULE_TEXT_BAD)
            ok = wrong(r, "Correct the line there", "line %d of the file %.*s %s", line.line, SHOWN_MAX, name, what);
        LIST_EACH(n, &line.fields) {
            if (got == RULE_TEXT_BAD || !ok) break;
            ok = add_names(r, words, field, &CONTAINER_OF(n, struct rule_field, node)->words, depth + 1);
        }
    }
    writer_release(&text);
    return ok;
}

static bool refuse_role(const struct reading *r, const char *text) {
    return wrong(r, "Name the users, write a regular expression such as /^app_, or put their names into a @file",
                 "%.*s means the members of a role, which gilmok does not know", SHOWN_MAX, text);
}

static bool add_name(struct reading *r, struct list *words, enum field field, const struct rule_word *w, int depth) {
    const char *text = w->text;
    if (text[0] == '/' && text[1]) return add_regex(r, words, text);
    if (w->is_quoted) return add_word(r, words, HBA_NAME, text) != NULL;
    if (text[0] == '@' && text[1]) return add_file(r, words, field, text + 1, depth);
    if (text[0] == '+') return refuse_role(r, text);
    if (strcmp(text, "all") == 0) return add_word(r, words, HBA_ALL, text) != NULL;
    if (field == DATABASES) {
        if (strcmp(text, "sameuser") == 0) return add_word(r, words, HBA_SAMEUSER, text) != NULL;
        if (strcmp(text, "replication") == 0) return add_word(r, words, HBA_REPLICATION, text) != NULL;
        if (strcmp(text, "samerole") == 0 || strcmp(text, "samegroup") == 0) return refuse_role(r, text);
    }
    return add_word(r, words, HBA_NAME, text) != NULL;
}

static bool add_names(struct reading *r, struct list *words, enum field field, const struct list *from, int depth) {
    LIST_EACH(n, from) {
        if (!add_name(r, words, field, CONTAINER_OF(n, struct rule_word, node), depth)) return false;
    }
    return true;
}

static bool take_names(struct reading *r, struct list *words, enum field field) {
    const struct rule_field *f = next_field(r);
    if (!f) return wrong(r, "Write TYPE DATABASE USER ADDRESS METHOD", "the line ends where its %s should be", field == USERS
                         ? "users" : "databases");
    if (!add_names(r, words, field, &f->words, 0)) return false;
    if (list_is_empty(words)) return wrong(r, "Put one name at least into the file", "the list of %s is empty", field == USERS
                                           ? "users" : "databases");
    return true;
}

/* ---- type and address ---- */

static bool take_type(struct reading *r, struct hba_rule *rule) {
    static const char advice[] = "Write local, host, hostssl or hostnossl";
    const char *text = take_word(r, "type", advice);
    if (!text) return false;
    if (strcmp(text, "hostnogssenc") == 0) text = "host"; /* nothing here is encrypted by GSSAPI */
    for (enum hba_type t = HBA_LOCAL; t <= HBA_HOSTNOSSL; t++) {
        if (strcmp(text, hba_type_name(t)) != 0) continue;
        rule->type = t;
        return true;
    }
    if (strcmp(text, "hostgssenc") == 0) return wrong(r, "Remove the line",
                                                      "gilmok has no GSSAPI encryption: hostgssenc is for nobody");
    if (strncmp(text, "include", 7) == 0)
        return wrong(r, "Put the lines of that file here", "gilmok does not include files of rules (%.*s)", SHOWN_MAX, text);
    return wrong(r, advice, "%.*s is not a type of connection", SHOWN_MAX, text);
}

/* The length of the prefix that a mask stands for, or -1. */
static int mask_bits(const char *mask, bool *is_v4) {
    uint8_t ip[16];
    int bits = 0;
    *is_v4 = inet_pton(AF_INET, mask, ip) == 1;
    if (!*is_v4 && inet_pton(AF_INET6, mask, ip) != 1) return -1;
    int max = *is_v4 ? 32 : 128;
    while (bits < max && ip[bits / 8] & 0x80 >> bits % 8) bits++;
    for (int i = bits; i < max; i++)
        if (ip[i / 8] & 0x80 >> i % 8) return -1;
    return bits;
}

static bool take_mask(struct reading *r, const char *ip, char *out, size_t size) {
    bool is_v4;
    const char *mask = take_word(r, "mask", "Write the address with its prefix length, such as 10.0.0.0/8");
    if (!mask) return false;
    int bits = mask_bits(mask, &is_v4);
    if (bits < 0 || is_v4 == (strchr(ip, ':') != NULL))
        return wrong(r, "Write the address with its prefix length, such as 127.0.0.1/32, or with a mask behind it",
                     "%.*s is not the mask of %.*s", SHOWN_MAX, mask, SHOWN_MAX, ip);
    snprintf(out, size, "%s/%d", ip, bits);
    return true;
}

static bool is_ip(const char *text) {
    uint8_t ip[16];
    return inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1;
}

static bool take_address(struct reading *r, struct hba_rule *rule) {
    char with_bits[INET6_ADDRSTRLEN + 8];
    struct err err = {0};
    bool is_quoted = r->at != &r->line->fields && first_word(CONTAINER_OF(r->at, struct rule_field, node))->is_quoted;
    const char *text = take_word(r, "address", "Write all, or an address with its prefix length, such as 10.0.0.0/8");
    if (!text) return false;
    rule->is_any_address = !is_quoted && strcmp(text, "all") == 0;
    if (rule->is_any_address) return true;
    if (strcmp(text, "samehost") == 0 || strcmp(text, "samenet") == 0)
        return wrong(r, "Write the addresses", "gilmok does not look at the interfaces of its machine (%s)", text);
    if (is_ip(text)) {
        if (!take_mask(r, text, with_bits, sizeof with_bits)) return false;
        text = with_bits;
    } else if (!strchr(text, '/')) {
        return wrong(r, "Write addresses: names are not looked up", "%.*s is not an address", SHOWN_MAX, text);
    }
    return addr_net_parse(&rule->net, bytes_str(text), &err) || wrong(r, err.hint, "the ADDRESS field %s", err.message);
}

/* ---- method and options ---- */

static bool refuse_method(const struct reading *r, const char *text) {
    static const char advice[] = "Write scram-sha-256, md5, password, cert, peer, ldap, pam, trust or reject";
    static const char *const of_postgresql[] = {"gss", "sspi", "ident", "radius", "bsd", "oauth"};
    for (size_t i = 0; i < COUNT_OF(of_postgresql); i++) {
        if (strcmp(text, of_postgresql[i]) == 0) return wrong(r, advice, "gilmok has no login by %s", text);
    }
    return wrong(r, advice, "%.*s is not a login method", SHOWN_MAX, text);
}

static bool take_method(struct reading *r, struct hba_rule *rule) {
    const char *text = take_word(r, "method", "Write TYPE DATABASE USER ADDRESS METHOD; a local line has no ADDRESS");
    if (!text) return false;
    for (int m = 0; m < AUTH_METHODS; m++) {
        if (strcmp(text, auth_method_name((enum auth_method)m)) != 0) continue;
        rule->method = (enum auth_method)m;
        return true;
    }
    return refuse_method(r, text);
}

static bool take_clientcert(const struct reading *r, struct hba_rule *rule, const char *value) {
    if (rule->type != HBA_HOSTSSL) return wrong(r, "Write hostssl", "clientcert needs TLS: it stands in hostssl lines only");
    if (strcmp(value, "verify-full") == 0) rule->clientcert = HBA_CERT_VERIFY_FULL;
    else if (strcmp(value, "verify-ca") == 0) rule->clientcert = HBA_CERT_VERIFY_CA;
    else return wrong(r, "Write clientcert=verify-ca or clientcert=verify-full", "clientcert cannot be %.*s", SHOWN_MAX, value);
    return true;
}

static bool take_clientname(const struct reading *r, struct hba_rule *rule, const char *value) {
    if (rule->type != HBA_HOSTSSL) return wrong(r, "Write hostssl", "clientname needs TLS: it stands in hostssl lines only");
    if (strcmp(value, "DN") != 0 && strcmp(value, "CN") != 0)
        return wrong(r, "Write clientname=CN or clientname=DN", "clientname cannot be %.*s", SHOWN_MAX, value);
    rule->is_by_dn = strcmp(value, "DN") == 0;
    return true;
}

/* Without its value, which may be a secret. */
static bool refuse_option(const struct reading *r, const struct hba_rule *rule, struct bytes name) {
    if (r->external.bind_password) /* it may be a part of that */
        return wrong(r, "Correct it, or put the values into quotes", "the line has an option that ldap has not");
    return wrong(r, "The options are map, clientcert, clientname, and those of ldap and pam in their lines",
                 "a line with %s has no option %.*s", auth_method_name(rule->method),
                 (int)(name.len < SHOWN_MAX ? name.len : SHOWN_MAX), (const char *)name.ptr);
}

static bool take_option(struct reading *r, struct hba_rule *rule, const char *text) {
    const char *equals = strchr(text, '=');
    struct bytes name = equals ? bytes_of(text, (size_t)(equals - text)) : bytes_of(NULL, 0);
    if (!equals && auth_method_is_external(rule->method))
        return wrong(r, "Write NAME=VALUE, with VALUE in quotes where it holds a blank or a comma", "an option has no value");
    if (!equals) return wrong(r, "Write NAME=VALUE without blanks, or remove it", "%.*s is not an option", SHOWN_MAX, text);
    if (bytes_is(name, "clientcert")) return take_clientcert(r, rule, equals + 1);
    if (bytes_is(name, "clientname")) return take_clientname(r, rule, equals + 1);
    if (external_take(&r->external, rule->method, name, equals + 1)) return true;
    if (!bytes_is(name, "map")) return refuse_option(r, rule, name);
    rule->map = equals[1] ? equals + 1 : NULL;
    return rule->map || wrong(r, "Write map=NAME, as in ident_file", "the option map has no name behind it");
}

static bool take_external(struct reading *r, struct hba_rule *rule) {
    char why[EXTERNAL_WHY_MAX];
    const char *advice;
    if (rule->method == AUTH_LDAP) rule->ldap = external_ldap(&r->external, r->arena, why, &advice);
    else if (rule->method == AUTH_PAM) rule->pam = external_pam(&r->external, r->arena, why, &advice);
    else return true;
    if (external_has_secret(&r->external) && !r->hba->secret_line) r->hba->secret_line = rule->line;
    if (rule->ldap || rule->pam) return true;
    external_wipe(&r->external);
    return wrong(r, *why ? advice : "", "%s", *why ? why : "memory is out");
}

static bool take_options(struct reading *r, struct hba_rule *rule) {
    r->external = (struct external_draft){0};
    for (const struct rule_field *f; (f = next_field(r));) {
        LIST_EACH(n, &f->words) {
            if (!take_option(r, rule, CONTAINER_OF(n, struct rule_word, node)->text)) return false;
        }
    }
    return true;
}

/* ---- the line as a whole ---- */

static bool check(const struct reading *r, struct hba_rule *rule) {
    if (rule->method == AUTH_PEER && rule->type != HBA_LOCAL)
        return wrong(r, "Write local, or another method", "peer asks who has opened a unix socket: it stands in local lines only");
    if (rule->method == AUTH_CERT && rule->type != HBA_HOSTSSL)
        return wrong(r, "Write hostssl, or another method", "cert needs TLS: it stands in hostssl lines only");
    if (auth_method_is_in_clear(rule->method) && rule->type == HBA_HOSTNOSSL)
        return wrong(r, "Write hostssl, or scram-sha-256", "a password in clear text needs TLS: nobody could log in by this line");
    if (rule->method == AUTH_CERT && rule->clientcert == HBA_CERT_VERIFY_CA)
        return wrong(r, "Remove clientcert",
                     "cert always looks at the name in the certificate: clientcert=verify-ca would be less");
    if (rule->method == AUTH_CERT) rule->clientcert = HBA_CERT_VERIFY_FULL;
    if (rule->is_by_dn && rule->clientcert != HBA_CERT_VERIFY_FULL)
        return wrong(r, "Add clientcert=verify-full, or remove it",
                     "clientname is of use with cert or clientcert=verify-full only");
    if (rule->map && rule->method != AUTH_PEER && rule->clientcert != HBA_CERT_VERIFY_FULL)
        return wrong(r, "Remove it", "the option map is of use with peer, cert or clientcert=verify-full only");
    return true;
}

static bool take_fields(struct reading *r, struct hba_rule *rule) {
    return take_type(r, rule) && take_names(r, &rule->databases, DATABASES) && take_names(r, &rule->users, USERS) &&
           (rule->type == HBA_LOCAL || take_address(r, rule)) && take_method(r, rule) && take_options(r, rule) &&
           take_external(r, rule) && check(r, rule);
}

/* In the list from the beginning, so that its expressions are released with it. */
static void take_line(struct reading *r) {
    struct hba_rule *rule = arena_alloc(r->arena, sizeof *rule);
    if (!rule) return;
    rule->file = r->file;
    rule->line = r->line->line;
    list_init(&rule->databases);
    list_init(&rule->users);
    list_init(&rule->node);
    list_push_back(&r->hba->rules, &rule->node);
    r->at = r->line->fields.next;
    if (take_fields(r, rule)) r->hba->count++;
    else rule->method = AUTH_REJECT; /* nothing may be made of it, whatever the caller does */
}

bool hba_parse(struct hba *h, struct arena *a, const char *file, struct bytes text, const struct hba_files *files) {
    struct reading r = {.hba = h, .arena = a, .file = file, .files = files};
    struct rule_text cut;
    struct rule_line line;
    const char *what = NULL;
    r.line = &line;
    rule_text_init(&cut, a, text);
    for (enum rule_text_result got; (got = rule_text_next(&cut, &line, &what)) != RULE_TEXT_END && !a->failed;) {
        if (got == RULE_TEXT_BAD) {
            wrong(&r, "Correct the line", "the line %s", what);
        } else if (h->count == HBA_RULES_MAX) {
            wrong(&r, "Write networks, lists and expressions instead of many lines", "the file has more than %d rules",
                  HBA_RULES_MAX);
            break;
        } else {
            take_line(&r);
        }
    }
    return !a->failed;
}
