/*
 * SHOW HBA: the rules of who may log in, in the order in which they are tried, as gilmok has understood them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "proxy/admin/console.h"

enum { WORDS_MAX = 4096, V4_OFFSET = 12 };

/* With commas between them; what would mean something else without quotes has them. */
static const char *words_text(const struct list *words, char out[WORDS_MAX]) {
    struct writer w;
    writer_init_fixed(&w, out, WORDS_MAX - 1);
    LIST_EACH(n, words) {
        const struct hba_word *word = CONTAINER_OF(n, struct hba_word, node);
        bool is_quoted = word->kind == HBA_NAME && (!*word->text || strpbrk(word->text, " \t,#\"@+/") ||
                                                    hba_is_keyword(word->text));
        struct bytes before = writer_bytes(&w);
        if (before.len) writer_u8(&w, ',');
        writer_str(&w, is_quoted ? "\"" : "");
        writer_str(&w, word->text);
        writer_str(&w, is_quoted ? "\"" : "");
        if (!w.failed) continue;
        snprintf(out + (before.len < WORDS_MAX - 5 ? before.len : WORDS_MAX - 5), 5, ",...");
        return out;
    }
    out[w.len] = '\0';
    return out;
}

static const char *address_text(const struct hba_rule *r, char out[INET6_ADDRSTRLEN + 8]) {
    char ip[INET6_ADDRSTRLEN];
    if (r->type == HBA_LOCAL) return "";
    if (r->is_any_address) return "all";
    inet_ntop(r->net.is_v4 ? AF_INET : AF_INET6, r->net.ip + (r->net.is_v4 ? V4_OFFSET : 0), ip, sizeof ip);
    snprintf(out, INET6_ADDRSTRLEN + 8, "%s/%d", ip, r->net.bits - (r->net.is_v4 ? 8 * V4_OFFSET : 0));
    return out;
}

static void put_option(struct writer *w, const char *name, const char *value) {
    bool is_quoted = strpbrk(value, " \t,#\"") != NULL;
    if (w->len) writer_u8(w, ' ');
    writer_str(w, name);
    writer_str(w, is_quoted ? "=\"" : "=");
    for (; *value; value++) {
        if (*value == '"') writer_u8(w, '"');
        writer_u8(w, (uint8_t)*value);
    }
    writer_str(w, is_quoted ? "\"" : "");
}

/* In the order in which gilmok uses them; the password is nobody's to see. */
static void put_ldap(struct writer *w, const struct ldap_options *o) {
    put_option(w, "ldapserver", o->uris);
    if (o->starts_tls) put_option(w, "ldaptls", "1");
    if (*o->prefix) put_option(w, "ldapprefix", o->prefix);
    if (*o->suffix) put_option(w, "ldapsuffix", o->suffix);
    if (!o->base) return;
    static const char *const reaches[] = {"base", "one", "sub"};
    put_option(w, "ldapbasedn", o->base);
    put_option(w, "scope", reaches[o->reach]);
    put_option(w, "ldapsearchfilter", o->filter);
    if (!*o->bind_dn) return;
    put_option(w, "ldapbinddn", o->bind_dn);
    put_option(w, "ldapbindpasswd", "(hidden)");
}

static const char *options_text(const struct hba_rule *r, char out[WORDS_MAX]) {
    static const char *const certs[] = {
        [HBA_CERT_VERIFY_CA] = "verify-ca", [HBA_CERT_VERIFY_FULL] = "verify-full"};
    struct writer w;
    writer_init_fixed(&w, out, WORDS_MAX - 1);
    if (r->method != AUTH_CERT && certs[r->clientcert]) put_option(&w, "clientcert", certs[r->clientcert]);
    if (r->is_by_dn) put_option(&w, "clientname", "DN");
    if (r->map) put_option(&w, "map", r->map);
    if (r->ldap) put_ldap(&w, r->ldap);
    if (r->pam) put_option(&w, "pamservice", r->pam->service);
    out[w.len] = '\0';
    return out;
}

static void end_hba(struct console_call *call) {
    char text[WORDS_MAX], address[INET6_ADDRSTRLEN + 8];
    LIST_EACH(n, &console_config(call)->hba->rules) {
        const struct hba_rule *rule = CONTAINER_OF(n, struct hba_rule, node);
        struct row r = console_row(call);
        row_number(&r, (uint64_t)rule->line);
        row_text(&r, hba_type_name(rule->type));
        row_text(&r, words_text(&rule->databases, text));
        row_text(&r, words_text(&rule->users, text));
        row_text(&r, address_text(rule, address));
        row_text(&r, auth_method_name(rule->method));
        row_text(&r, options_text(rule, text));
        row_text(&r, rule->file ? rule->file : "client_auth");
        row_end(&r);
    }
}

static const struct console_verb verbs[] = {
    {"SHOW HBA", NULL, CONSOLE_ADMIN, "the rules of who may log in, in their order",
     .columns = "#line_number type database user_name address auth_method options file_name", .end = end_hba},
};

const struct console_table show_hba_table = CONSOLE_TABLE(verbs);
