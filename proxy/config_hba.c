/*
 * config_hba.c - owns how the rules of who may log in come about: from hba_file, or from client_auth.
 *
 * Afterwards there are only rules: nothing else in gilmok asks for client_auth.
 */
#include "proxy/auth/secret.h"
#include "proxy/config_check.h"
#include "proxy/config_findings.h"
#include "proxy/config_value.h"

struct reading {
    struct config_draft_gilmok *g;
    struct config_findings *findings;
    const char *key;
};

static void complain(void *ctx, const char *file, int line, const char *what, const char *advice) {
    struct reading *r = ctx;
    config_error(r->findings, file, line, "%s", what);
    config_advice(r->findings, "%s", advice);
}

/* Names behind an @, from a file that is as safe as the rules. */
static bool read_names(void *ctx, const char *file, int line, const char *name, struct writer *out) {
    struct reading *r = ctx;
    struct config *c = &r->g->config;
    struct config_secret_place at = {.key = r->key, .file = file, .line = line, .run_as = c->run_as, .is_public = true};
    const char *path = config_path_from(&c->arena, file, name);
    return path && config_secret_read(&at, path, false, out, r->findings);
}

typedef bool parse_fn(struct config *c, struct bytes text, const struct hba_files *files);

static bool parse_rules(struct config *c, struct bytes text, const struct hba_files *files) {
    return hba_parse(c->hba, &c->arena, c->hba_file, text, files);
}

static bool parse_maps(struct config *c, struct bytes text, const struct hba_files *files) {
    return name_maps_parse(c->name_maps, &c->arena, c->ident_file, text, files);
}

/* What is wrong is in the findings. */
static void read_file(struct config_draft_gilmok *g, const char *key, const char *path, parse_fn *parse,
                      struct config_findings *f) {
    struct reading r = {.g = g, .findings = f, .key = key};
    struct hba_files files = {.read = read_names, .complain = complain, .ctx = &r};
    struct config_secret_place at = config_secret_place_of(&g->config, g->section, key);
    struct writer text;
    at.is_public = true;
    writer_init(&text, HBA_FILE_MAX);
    if (config_secret_read(&at, path, false, &text, f) && !parse(&g->config, writer_bytes(&text), &files))
        config_error(f, path, 0, "the file does not fit into memory");
    if (text.data) secret_wipe(text.data, text.len); /* ldapbindpasswd */
    writer_release(&text);
}

/* Only now is it known that the file holds a secret, and must be as safe as one. */
static void check_secrecy(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_secret_place at = {
        .key = "ldapbindpasswd", .file = c->hba_file, .line = c->hba->secret_line, .run_as = c->run_as};
    struct writer text;
    if (!at.line) return;
    writer_init(&text, HBA_FILE_MAX);
    bool is_safe = config_secret_read(&at, c->hba_file, false, &text, f);
    (void)is_safe; /* or it is in the findings */
    if (text.data) secret_wipe(text.data, text.len);
    writer_release(&text);
}

/* Two places that say who may log in would be one too many. */
static void refuse_both(struct config_draft_gilmok *g, const char *key, struct config_findings *f) {
    const struct config_entry *e = config_section_entry(g->section, key);
    if (!e) return;
    config_error(f, e->file, e->line, "`%s` is for nobody: hba_file says how everybody logs in", key);
    config_advice(f, "Remove one of the two");
}

static void rules_from_keys(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    struct config_place at = config_place_of(c, g->section, "ident_file");
    if (!hba_add_for_all(c->hba, &c->arena, HBA_LOCAL, c->client_auth_socket) ||
        !hba_add_for_all(c->hba, &c->arena, HBA_HOST, c->client_auth))
        config_error(f, c->path, 0, "memory is out");
    if (!c->ident_file) return;
    config_warning(f, at.file, at.line, "`ident_file` is of no use: its maps are named by lines of an hba_file, and there is none");
    config_advice(f, "Write hba_file = FILE, or remove ident_file");
}

void config_hba_read(struct config_draft_gilmok *g, struct config_findings *f) {
    struct config *c = &g->config;
    c->client_auth_socket = g->client_auth_socket < 0 ? c->client_auth : (enum auth_method)g->client_auth_socket;
    if (c->ident_file) read_file(g, "ident_file", c->ident_file, parse_maps, f);
    if (!c->hba_file) {
        rules_from_keys(g, f);
        return;
    }
    refuse_both(g, "client_auth", f);
    refuse_both(g, "client_auth_socket", f);
    int errors = f->errors;
    read_file(g, "hba_file", c->hba_file, parse_rules, f);
    check_secrecy(g, f);
    if (c->hba->count || f->errors > errors) return;
    config_error(f, c->hba_file, 0, "nobody could log in: the file has no rule");
    config_advice(f, "Write lines such as: host all all 127.0.0.1/32 scram-sha-256");
}

bool config_is_socket(const struct config *c, const struct config_listen *l) {
    return l->unix_path && !c->proxy_protocol_from.has_unix;
}

bool config_rule_is_for(const struct config *c, const struct hba_rule *r, const struct config_listen *l) {
    return (r->type == HBA_LOCAL) == config_is_socket(c, l);
}

bool config_rule_is_used(const struct config *c, const struct hba_rule *r) {
    const struct list *const lists[] = {&c->listens, &c->listens_mysql};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        LIST_EACH(n, lists[i]) {
            if (config_rule_is_for(c, r, CONTAINER_OF(n, struct config_listen, node))) return true;
        }
    }
    return false;
}

struct config_place config_rule_place(const struct config_draft_gilmok *g, const struct hba_rule *r) {
    if (r->line) return (struct config_place){r->file, r->line};
    bool is_own = r->type == HBA_LOCAL && config_section_entry(g->section, "client_auth_socket");
    return config_place_of(&g->config, g->section, is_own ? "client_auth_socket" : "client_auth");
}
