/*
 * Rules held against a connection. Their text is hba_file.c's.
 */
#include "proxy/access/hba.h"

#include <string.h>

const char *hba_type_name(enum hba_type type) {
    static const char *const names[] = {
        [HBA_LOCAL] = "local", [HBA_HOST] = "host", [HBA_HOSTSSL] = "hostssl", [HBA_HOSTNOSSL] = "hostnossl"};
    return names[type];
}

void hba_init(struct hba *h) {
    list_init(&h->rules);
    h->count = 0;
    h->secret_line = 0;
}

static void release_words(struct list *words) {
    LIST_EACH(n, words) {
        struct hba_word *w = CONTAINER_OF(n, struct hba_word, node);
        if (w->kind == HBA_REGEX) regfree(&w->regex);
    }
    list_init(words);
}

void hba_release(struct hba *h) {
    LIST_EACH(n, &h->rules) {
        struct hba_rule *r = CONTAINER_OF(n, struct hba_rule, node);
        release_words(&r->databases);
        release_words(&r->users);
        if (r->ldap) explicit_bzero((char *)r->ldap->bind_password, strlen(r->ldap->bind_password));
    }
    hba_init(h);
}

static bool add_word(struct arena *a, struct list *words, enum hba_word_kind kind) {
    struct hba_word *w = arena_alloc(a, sizeof *w);
    if (!w) return false;
    w->kind = kind;
    w->text = kind == HBA_ALL ? "all" : "replication";
    list_init(&w->node);
    list_push_back(words, &w->node);
    return true;
}

bool hba_add_for_all(struct hba *h, struct arena *a, enum hba_type type, enum auth_method method) {
    struct hba_rule *r = arena_alloc(a, sizeof *r);
    if (!r) return false;
    r->type = type;
    r->method = method;
    r->is_any_address = true;
    r->clientcert = method == AUTH_CERT ? HBA_CERT_VERIFY_FULL : HBA_CERT_NOT_ASKED;
    list_init(&r->databases);
    list_init(&r->users);
    list_init(&r->node);
    list_push_back(&h->rules, &r->node);
    h->count++;
    return add_word(a, &r->databases, HBA_ALL) && add_word(a, &r->databases, HBA_REPLICATION) && add_word(a, &r->users, HBA_ALL);
}

bool hba_is_keyword(const char *word) {
    static const char *const words[] = {"all", "sameuser", "samerole", "samegroup", "replication"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(word, words[i]) == 0) return true;
    return false;
}

/* ---- does it fit? ---- */

static bool is_type(const struct hba_rule *r, const struct hba_who *who) {
    switch (r->type) {
    case HBA_LOCAL:
        return who->is_on_socket;
    case HBA_HOST:
        return !who->is_on_socket;
    case HBA_HOSTSSL:
        return !who->is_on_socket && who->has_tls;
    case HBA_HOSTNOSSL:
        return !who->is_on_socket && !who->has_tls;
    }
    return false;
}

static bool is_text(const struct hba_word *w, const char *name) {
    return w->kind == HBA_REGEX ? regexec(&w->regex, name, 0, NULL, 0) == 0 : w->kind == HBA_NAME && strcmp(w->text, name) == 0;
}

/* Who replicates physically is connected to no database, whatever it has said. */
static bool is_database(const struct list *words, const struct hba_who *who) {
    LIST_EACH(n, words) {
        const struct hba_word *w = CONTAINER_OF(n, struct hba_word, node);
        if (who->is_physical_replication) {
            if (w->kind == HBA_REPLICATION) return true;
        } else if (w->kind == HBA_ALL || is_text(w, who->database) ||
                   (w->kind == HBA_SAMEUSER && strcmp(who->database, who->user) == 0)) {
            return true;
        }
    }
    return false;
}

bool hba_rule_is_for_user(const struct hba_rule *r, const char *user) {
    LIST_EACH(n, &r->users) {
        const struct hba_word *w = CONTAINER_OF(n, struct hba_word, node);
        if (w->kind == HBA_ALL || is_text(w, user)) return true;
    }
    return false;
}

static bool is_address(const struct hba_rule *r, const struct hba_who *who) {
    return r->type == HBA_LOCAL || r->is_any_address || addr_net_contains(&r->net, who->family, who->ip);
}

const struct hba_rule *hba_find(const struct hba *h, const struct hba_who *who) {
    LIST_EACH(n, &h->rules) {
        const struct hba_rule *r = CONTAINER_OF(n, struct hba_rule, node);
        if (is_type(r, who) && is_address(r, who) && is_database(&r->databases, who) && hba_rule_is_for_user(r,
                                                                                                             who->user)) return r;
    }
    return NULL;
}
