/*
 * config_check_users.c - owns the checks of who can log in with what is stored of it, to gilmok and on to the servers.
 *
 * Which method, secret and server go together is access/login_fit.h's table; here it is held against every rule, user and database.
 */
#include <stdlib.h>

#include "proxy/access/login_fit.h"
#include "proxy/auth/secret.h"
#include "proxy/config_check.h"
#include "proxy/config_findings.h"
#include "proxy/config_value.h"

/* ---- methods ---- */

typedef unsigned method_set; /* of 1 << enum auth_method */

/* Those by which `name` may be asked; NULL: anybody. */
static method_set methods_of(const struct config *c, const char *name) {
    method_set set = 0;
    LIST_EACH(n, &c->hba->rules) {
        const struct hba_rule *r = CONTAINER_OF(n, struct hba_rule, node);
        if (config_rule_is_used(c, r) && (!name || hba_rule_is_for_user(r, name))) set |= 1u << r->method;
    }
    return set;
}

/* True when a user who is not in the user file can log in. */
static bool takes_strangers(const struct config *c) {
    method_set set = methods_of(c, NULL);
    for (int m = 0; m < AUTH_METHODS; m++)
        if (set & 1u << m && auth_method_takes_strangers((enum auth_method)m)) return true;
    return false;
}

/* True when a server may ask for md5. */
static bool has_md5_servers(const struct config *c) {
    LIST_EACH(n, &c->clusters) {
        if (CONTAINER_OF(n, struct config_cluster, node)->server_auth >= SERVER_AUTH_MD5) return true;
    }
    return false;
}

/* ---- the user file ---- */

static void parse_users(struct config_draft_gilmok *g, const char *path, struct bytes text,
                        struct config_findings *f) {
    int line = 0;
    struct err err = {.message = ""};
    if (user_store_parse(g->config.user_store, text, &line, &err)) return;
    config_error(f, path, line, "%s", err.message);
    if (err.hint[0]) config_advice(f, "%s", err.hint);
    else config_advice(f, "Write one user a line: \"name\" \"secret\"");
}

/* Nobody's secret is known: is anybody's needed? */
static void check_lack_of_users(struct config_draft_gilmok *g, struct config_findings *f) {
    const struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, "user_file");
    if (!list_is_empty(&c->auth_databases)) return; /* servers know users */
    LIST_EACH(n, &c->hba->rules) {
        const struct hba_rule *r = CONTAINER_OF(n, struct hba_rule, node);
        if (!config_rule_is_used(c, r) || !auth_method_compares(r->method)) continue;
        if (r->line) at = config_rule_place(g, r);
        else if (!config_section_entry(g->section, "client_auth")) at.line = g->section ? g->section->line : 0;
        config_error(f, at.file, at.line, r->line ? "nobody could log in by this line: it asks for %s and there is no user_file"
                                                  : "nobody could log in: client_auth is %s and there is no user_file",
                     auth_method_name(r->method));
        config_advice(f, "Write user_file = users.txt, with one \"name\" \"secret\" a line");
        return;
    }
}

static void read_users(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_secret_place at = config_secret_place_of(c, g->section, "user_file");
    if (!c->user_file) {
        check_lack_of_users(g, f);
        return;
    }
    c->user_store->allows_md5 = methods_of(c, NULL) & (1u << AUTH_MD5 | 1u << AUTH_PASSWORD) ||
                               (takes_strangers(c) && has_md5_servers(c));
    bool is_credential = c->user_file[0] == '$';
    c->user_file = config_secret_path(&at, c->user_file, &c->arena, f);
    if (!c->user_file) return;
    struct writer text;
    writer_init(&text, USER_FILE_MAX);
    if (config_secret_read(&at, c->user_file, is_credential, &text, f)) {
        parse_users(g, c->user_file, writer_bytes(&text), f);
    }
    if (text.data) secret_wipe(text.data, text.len);
    writer_release(&text);
}

static void check_names(struct config_draft_gilmok *g, const char *key, const char *names, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, key);
    if ((!c->user_file && list_is_empty(&c->auth_databases)) || takes_strangers(c)) return;
    while (names && *names) {
        size_t len = strcspn(names, ",");
        size_t from = strspn(names, " \t");
        size_t to = len;
        while (to > from && (names[to - 1] == ' ' || names[to - 1] == '\t')) to--;
        if (to > from && !user_store_find(c->user_store, bytes_of(names + from, to - from))) {
            config_warning(f, at.file, at.line, "`%s` names %.*s, who is not in the user file", key, (int)(to - from),
                           names + from);
            config_advice(f, "Add the user to %s, or remove the name", c->user_file ? c->user_file : "a user_file");
        }
        names += len + (names[len] == ',');
    }
}

static void check_user_sections(struct config *c, struct config_findings *f) {
    LIST_EACH(n, &c->users) {
        const struct config_user *u = CONTAINER_OF(n, struct config_user, node);
        if (!c->user_file || takes_strangers(c) || !list_is_empty(&c->auth_databases)) return;
        if (user_store_find(c->user_store, bytes_str(u->name))) continue;
        config_warning(f, u->file, u->line, "the user `%s` is not in the user file and cannot log in", u->name);
        config_advice(f, "Add the user to %s, or remove this section", c->user_file);
    }
}

/* ---- users and servers ---- */

static int compare_names(const void *a, const void *b) {
    const struct bytes *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Names that have a verifier only, sorted; NULL when there are none. */
static struct bytes *verifier_only(struct config *c, size_t *count) {
    *count = 0;
    if (c->user_store->users.count == 0) return NULL;
    struct bytes *names = arena_alloc(&c->arena, c->user_store->users.count * sizeof(*names));
    size_t at = 0;
    struct bytes name;
    void *value;
    while (names && map_next(&c->user_store->users, &at, &name, &value)) {
        const struct user_secret *secret = value;
        if (!secret->password) names[(*count)++] = name;
    }
    if (*count > 1) qsort(names, *count, sizeof(*names), compare_names);
    return names;
}

/* One user with a verifier, and how it may log in. */
struct verified {
    struct bytes name;
    enum stored_secret secret;
    bool is_told_at_login; /* MySQL's clients tell, by their proof, what servers take for one */
    method_set methods;
};

static bool is_warmed_up(const struct config_database *db, struct bytes name) {
    return db->warm_up && config_name_in_list(db->warm_up, name);
}

/* The methods by which the user would log in and then get no connection to the server. */
static method_set dead_ends(const struct verified *u, const struct config_database *db, bool *has_another) {
    method_set set = 0;
    *has_another = false;
    for (int m = 0; m < AUTH_METHODS; m++) {
        enum auth_method method = (enum auth_method)m;
        if (!(u->methods & 1u << m) || !login_fit_client(method, u->secret)) continue;
        if (login_fit_server(method, u->secret, db->cluster->server_auth)) *has_another = true;
        else set |= 1u << m;
    }
    return set;
}

struct report {
    struct config_findings *findings;
    const char *user_file;
    const struct config_database *last;
    size_t shown, hidden;
};

static void report(struct report *r, const struct verified *u, const struct config_database *db) {
    r->last = db;
    if (r->shown == CONFIG_SCRAM_USERS_SHOWN) {
        r->hidden++;
        return;
    }
    r->shown++;
    config_error(r->findings, db->file, db->line,
                 "the user %.*s could log in to gilmok but not to the server of the database `%s`: the user "
                 "file holds %s verifier only", (int)u->name.len, (const char *)u->name.ptr, db->name,
                 u->secret == STORED_MD5 ? "an md5" : u->secret == STORED_MYSQL ? "a MySQL" : "a SCRAM");
    config_advice(r->findings, "Give the plain password in %s, or server_user and server_password_file here", r->user_file);
}

static const char *first_name(method_set set) {
    int m = 0;
    while (!(set & 1u << m)) m++;
    return auth_method_name((enum auth_method)m);
}

static bool is_compared(method_set set) {
    for (int m = 0; m < AUTH_METHODS; m++)
        if (set & 1u << m && auth_method_compares((enum auth_method)m)) return true;
    return false;
}

/*
 * A SCRAM verifier by itself proves nothing to a server: the client's own proof does, once it has logged in by SCRAM or with a
 * password. An md5 verifier is as good as the password for a server that asks for md5.
 */
static void check_verifier(struct report *r, const struct verified *u, const struct config_database *db) {
    bool has_another;
    if (db->cluster->protocol == PROTO_MYSQL) { /* whose proofs are made of other things */
        if (!u->is_told_at_login || !is_compared(u->methods)) report(r, u, db);
        return;
    }
    method_set dead = dead_ends(u, db, &has_another);
    if (dead && !has_another) {
        report(r, u, db);
    } else if (dead) {
        config_warning(r->findings, db->file, db->line,
                       "the user %.*s gets no connection to the server of the database `%s` when it logs in by "
                       "%s: only a verifier of its password is known", (int)u->name.len, (const char *)u->name.ptr, db->name,
                           first_name(dead));
        config_advice(r->findings, "Give the plain password in %s, or server_user and server_password_file here", r->user_file);
    }
    if (u->secret != STORED_SCRAM || !is_warmed_up(db, u->name)) return;
    config_warning(r->findings, db->file, db->line,
                   "no connections are opened at start for the user %.*s of the database `%s`: gilmok can log in "
                   "as it only after it has logged in itself", (int)u->name.len, (const char *)u->name.ptr, db->name);
    config_advice(r->findings, "Give the plain password in %s, or remove the name from warm_up", r->user_file);
}

/* What MySQL stores can be held against a clear password, and against no proof of PostgreSQL's clients. */
static bool check_way_in(const struct config *c, const struct verified *u, struct config_findings *f) {
    for (int m = 0; m < AUTH_METHODS; m++)
        if (u->methods & 1u << m && login_fit_client((enum auth_method)m, u->secret)) return true;
    bool is_asked_by_mysql = u->secret == STORED_MYSQL && !list_is_empty(&c->listens_mysql);
    if (u->secret != STORED_MYSQL || !is_compared(u->methods) || is_asked_by_mysql) return true;
    config_error(f, c->user_file, 0, "the user %.*s could not log in: of its password only what MySQL stores is "
                 "known, which neither scram-sha-256 nor md5 can check", (int)u->name.len, (const char *)u->name.ptr);
    config_advice(f, "Give the plain password or a SCRAM verifier, or let the user log in by the method `password`");
    return false;
}

static void check_verifiers(struct config *c, struct config_findings *f) {
    struct report r = {.findings = f, .user_file = c->user_file};
    size_t count;
    const struct bytes *names = verifier_only(c, &count);
    struct verified *users = arena_alloc(&c->arena, count * sizeof *users + 1);
    for (size_t i = 0; users && i < count; i++) {
        const struct user_secret *secret = user_store_find(c->user_store, names[i]);
        const char *name = arena_strdup(&c->arena, names[i]);
        enum stored_secret kind = secret->has_md5 ? STORED_MD5 : user_secret_is_of_mysql(secret) ? STORED_MYSQL : STORED_SCRAM;
        users[i] = (struct verified){names[i], kind, secret->has_native || secret->has_sha2, name ? methods_of(c, name) : 0};
    }
    for (size_t i = 0; users && i < count; i++)
        if (!check_way_in(c, &users[i], f)) break; /* one is enough to look for the others */
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        for (size_t i = 0; users && i < count && !db->server_user && db->cluster; i++) check_verifier(&r, &users[i], db);
    }
    if (r.hidden == 0) return;
    config_error(f, r.last->file, r.last->line, "the same holds for %zu more pairs of user and database", r.hidden);
    config_advice(f, "See the findings above");
}

/* Who logs in without a password has none that could be shown to a server. */
static void check_lack_of_passwords(struct config *c, struct config_findings *f) {
    method_set set = methods_of(c, NULL);
    enum auth_method method = set & 1u << AUTH_CERT ? AUTH_CERT : set & 1u << AUTH_LDAP ? AUTH_LDAP
                              : set & 1u << AUTH_PAM ? AUTH_PAM : AUTH_PEER;
    if (c->user_file || !(set & 1u << method)) return;
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (db->server_user) continue;
        config_error(f, db->file, db->line, "who logs in to gilmok by %s could not log in to the server of the database `%s`: no "
                     "password is known", auth_method_name(method), db->name);
        config_advice(f, "Give server_user and server_password_file here, or user_file with the users' plain passwords");
    }
}

void config_check_users(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    check_lack_of_passwords(c, f);
    int errors = f->errors;
    read_users(g, f);
    if (f->errors > errors) return; /* who is in the file is not known */
    check_names(g, "admin_users", c->admin_users, f);
    check_names(g, "stats_users", c->stats_users, f);
    check_user_sections(c, f);
    check_verifiers(c, f);
}
