/*
 * config.c - owns the making of a configuration: file, sections, keys, checks, in that order.
 *
 * It knows the five kinds of sections and how they hang together, not the syntax
 * (config_file.c), the keys (config_keys.c), nor what must fit (config_check.c).
 */
#include "proxy/config.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/fault.h"
#include "proxy/auth/secret.h"
#include "proxy/config_check.h"
#include "proxy/config_file.h"
#include "proxy/config_findings.h"
#include "proxy/config_keys.h"

enum { CONFIG_MEMORY_MAX = 32 << 20 };

struct build {
    struct config_draft_gilmok *g;
    struct config_text text;
    struct config_findings *findings;
};

const char *pool_mode_name(enum pool_mode mode) {
    switch (mode) {
    case POOL_SESSION:
        return "session";
    case POOL_TRANSACTION:
        return "transaction";
    case POOL_STATEMENT:
        return "statement";
    }
    return "unknown";
}

const char *node_source_name(enum node_source source) {
    static const char *const names[] = {"config", "console", "standbys", "dns"};
    return names[source];
}

const char *read_consistency_name(enum read_consistency consistency) {
    static const char *const names[] = {"eventual", "session", "global", "strong"};
    return names[consistency];
}

const char *pool_role_name(enum pool_role role) {
    static const char *const names[] = {"primary", "replica", "prefer-replica", "any"};
    return names[role];
}

/* ---- keys ---- */

/* Tells where an unknown key belongs, or which one was meant. */
static void report_unknown_key(struct build *b, enum config_kind kind, const struct config_entry *e) {
    struct config_findings *f = b->findings;
    config_error(f, e->file, e->line, "unknown key `%s` in %s", e->key, config_kind_header(kind));
    const char *homes[2] = {NULL, NULL};
    for (int k = 0, found = 0; k < CONFIG_KINDS && found < 2; k++) {
        if (config_key_find((enum config_kind)k, e->key)) homes[found++] = config_kind_header((enum config_kind)k);
    }
    const char *nearest = config_key_nearest(kind, e->key);
    if (homes[1]) config_advice(f, "This key belongs in %s or %s", homes[0], homes[1]);
    else if (homes[0]) config_advice(f, "This key belongs in %s", homes[0]);
    else if (nearest) config_advice(f, "Did you mean `%s`?", nearest);
    else config_advice(f, "docs/configuration.md lists the keys");
}

static void report_value(struct build *b, const struct config_key *key, const struct config_entry *e,
                         const struct err *err) {
    config_error(b->findings, e->file, e->line, "`%s = %s` %s", key->name, key->type == KEY_SECRET ? "***" : e->value,
                 err->message);
    if (err->hint[0]) config_advice(b->findings, "%s", err->hint);
}

/* Every key once: its value, or the default where there is none or a wrong one. */
static void set_keys(struct build *b, enum config_kind kind, void *draft, const struct config_section *s) {
    struct arena *arena = &b->g->config.arena;
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->kind != kind) continue;
        const struct config_entry *e = config_section_entry(s, key->name);
        struct err err = {.message = ""};
        if (e && config_key_set(key, draft, e->value, e->file, arena, &err)) continue;
        if (e) report_value(b, key, e, &err);
        bool is_set = config_key_set(key, draft, key->fallback, NULL, arena, &err);
        INVARIANT(is_set || arena->failed);
    }
    if (!s) return;
    LIST_EACH(n, &s->entries) {
        const struct config_entry *e = CONTAINER_OF(n, struct config_entry, node);
        if (!config_key_find(kind, e->key)) report_unknown_key(b, kind, e);
    }
}

/* ---- sections ---- */

static void take_cluster(struct build *b, const struct config_section *s) {
    struct config_draft_cluster *d = arena_alloc(&b->g->config.arena, sizeof(*d));
    if (!d) return;
    list_init(&d->cluster.node);
    list_init(&d->cluster.nodes);
    d->section = s;
    d->cluster.name = s->name;
    d->cluster.file = s->file;
    d->cluster.line = s->line;
    set_keys(b, CONFIG_CLUSTER, d, s);
    struct config_draft_database *auth = arena_alloc(&b->g->config.arena, sizeof(*auth));
    if (!auth) return;
    list_init(&auth->database.node);
    set_keys(b, CONFIG_DATABASE, auth, NULL);
    d->cluster.auth = &auth->database;
    if (strchr(s->name, '/')) {
        config_error(b->findings, s->file, s->line, "the name of a cluster must not hold a /");
        config_advice(b->findings, "The / stands between cluster and node in [node CLUSTER/NAME]");
    }
    if (!s->is_repeated) list_push_back(&b->g->config.clusters, &d->cluster.node);
}

static struct config_cluster *find_cluster(struct build *b, struct bytes name) {
    LIST_EACH(n, &b->g->config.clusters) {
        struct config_cluster *c = CONTAINER_OF(n, struct config_cluster, node);
        if (bytes_is(name, c->name)) return c;
    }
    return NULL;
}

/* After all clusters, which may stand behind their nodes. */
static void take_node(struct build *b, const struct config_section *s) {
    struct config_draft_node *d = arena_alloc(&b->g->config.arena, sizeof(*d));
    if (!d) return;
    list_init(&d->node.node);
    d->section = s;
    d->node.file = s->file;
    d->node.line = s->line;
    set_keys(b, CONFIG_NODE, d, s);
    const char *slash = strchr(s->name, '/');
    if (!slash || slash == s->name || !slash[1] || strchr(slash + 1, '/')) {
        config_error(b->findings, s->file, s->line, "the node `%s` does not say which cluster it is in", s->name);
        config_advice(b->findings, "Write [node CLUSTER/NAME]");
        return;
    }
    d->node.name = slash + 1;
    struct bytes cluster_name = bytes_of(s->name, (size_t)(slash - s->name));
    struct config_cluster *cluster = find_cluster(b, cluster_name);
    if (!cluster) {
        config_error(b->findings, s->file, s->line, "the node `%s` is in a cluster that does not exist", s->name);
        config_advice(b->findings, "Add a section [cluster %.*s], or correct the name", (int)cluster_name.len, s->name);
        return;
    }
    if (cluster->protocol == PROTO_MYSQL && !config_section_entry(s, "port")) d->node.port = CONFIG_MYSQL_PORT;
    if (!s->is_repeated) list_push_back(&cluster->nodes, &d->node.node);
}

static void take_database(struct build *b, const struct config_section *s) {
    struct config_draft_database *d = arena_alloc(&b->g->config.arena, sizeof(*d));
    if (!d) return;
    list_init(&d->database.node);
    d->section = s;
    d->database.name = s->name;
    d->database.is_wildcard = strcmp(s->name, "*") == 0;
    if (bytes_starts_with(bytes_str(s->name), CONFIG_AUTH_DATABASE)) {
        config_error(b->findings, s->file, s->line, "names that begin with \"%s\" are gilmok's own", CONFIG_AUTH_DATABASE);
        config_advice(b->findings, "Give the database another name");
    }
    d->database.file = s->file;
    d->database.line = s->line;
    set_keys(b, CONFIG_DATABASE, d, s);
    if (!s->is_repeated) list_push_back(&b->g->config.databases, &d->database.node);
}

static void take_user(struct build *b, const struct config_section *s) {
    struct config_draft_user *d = arena_alloc(&b->g->config.arena, sizeof(*d));
    if (!d) return;
    list_init(&d->user.node);
    d->section = s;
    d->user.name = s->name;
    d->user.file = s->file;
    d->user.line = s->line;
    set_keys(b, CONFIG_USER, d, s);
    if (!s->is_repeated) list_push_back(&b->g->config.users, &d->user.node);
}

static void take_peer(struct build *b, const struct config_section *s) {
    struct config_draft_peer *d = arena_alloc(&b->g->config.arena, sizeof(*d));
    if (!d) return;
    list_init(&d->peer.node);
    d->section = s;
    d->peer.name = s->name;
    d->peer.file = s->file;
    d->peer.line = s->line;
    set_keys(b, CONFIG_PEER, d, s);
    if (!s->is_repeated) list_push_back(&b->g->config.peers, &d->peer.node);
}

/* False, reported, when the header is not one of ours. */
static bool check_header(struct build *b, const struct config_section *s, enum config_kind *kind) {
    struct config_findings *f = b->findings;
    if (!config_kind_find(s->kind, kind)) {
        const char *nearest = config_kind_nearest(s->kind);
        config_error(f, s->file, s->line, "unknown section [%s%s%s]", s->kind, *s->name ? " " : "", s->name);
        if (nearest) config_advice(f, "Did you mean [%s%s%s]?", nearest, *s->name ? " " : "", s->name);
        else config_advice(f, "Write one of [gilmok], [cluster NAME], [node CLUSTER/NAME], [database NAME], [user NAME], "
                              "[peer NAME]");
        return false;
    }
    if ((*kind == CONFIG_GILMOK) != (*s->name == '\0')) {
        config_error(f, s->file, s->line, *s->name ? "the section [%s] has no name behind it" : "the section [%s] needs a "
                                                                                                "name", s->kind);
        config_advice(f, "Write %s", config_kind_header(*kind));
        return false;
    }
    return true;
}

static void take_sections(struct build *b) {
    struct config_draft_gilmok *g = b->g;
    LIST_EACH(n, &b->text.sections) {
        const struct config_section *s = CONTAINER_OF(n, struct config_section, node);
        enum config_kind kind;
        if (!check_header(b, s, &kind)) continue;
        if (kind == CONFIG_GILMOK && !g->section) g->section = s;
        else if (kind == CONFIG_CLUSTER) take_cluster(b, s);
        else if (kind == CONFIG_DATABASE) take_database(b, s);
        else if (kind == CONFIG_USER) take_user(b, s);
        else if (kind == CONFIG_PEER) take_peer(b, s);
    }
    set_keys(b, CONFIG_GILMOK, g, g->section);
    LIST_EACH(n, &b->text.sections) {
        const struct config_section *s = CONTAINER_OF(n, struct config_section, node);
        if (strcmp(s->kind, "node") == 0 && *s->name) take_node(b, s);
    }
}

/* ---- the whole ---- */

/* One key for the life of the process: a reload must not change what unknown users see. Control thread only. */
static bool process_mock_key(uint8_t out[32]) {
    static uint8_t key[32];
    static bool is_made;
    if (!is_made) is_made = clock_random(&clock_real, key, sizeof(key));
    memcpy(out, key, sizeof(key));
    return is_made;
}

static struct config_draft_gilmok *new_draft(const char *path) {
    uint8_t mock_key[32];
    struct config_draft_gilmok *g = mem_alloc(sizeof(*g));
    if (!g || !process_mock_key(mock_key)) {
        mem_free(g);
        return NULL;
    }
    struct config *c = &g->config;
    arena_init(&c->arena, CONFIG_MEMORY_MAX);
    list_init(&c->listens);
    list_init(&c->listens_mysql);
    list_init(&c->clusters);
    list_init(&c->databases);
    list_init(&c->auth_databases);
    list_init(&c->users);
    list_init(&c->peers);
    atomic_init(&c->refs, 1);
    c->hba = &g->hba;
    c->name_maps = &g->name_maps;
    c->user_store = &g->user_store;
    hba_init(c->hba);
    name_maps_init(c->name_maps);
    user_store_init(c->user_store, mock_key);
    secret_wipe(mock_key, sizeof(mock_key));
    c->path = arena_strdup(&c->arena, bytes_str(path));
    return g;
}

/* Passwords that stand in the file, wherever they were put. */
static void wipe_entries(struct config_text *text) {
    LIST_EACH(n, &text->sections) {
        struct config_entry *e = config_section_entry(CONTAINER_OF(n, struct config_section, node), "server_password");
        if (e) secret_wipe(e->value, strlen(e->value));
    }
}

struct config *config_load(const char *path, struct config_findings *findings) {
    struct build b = {.g = new_draft(path), .findings = findings};
    if (!b.g || !b.g->config.path) {
        config_error(findings, path, 0, "memory or randomness is out");
        if (b.g) config_free(&b.g->config);
        return NULL;
    }
    struct config *c = &b.g->config;
    config_file_read(&b.text, &c->arena, path, findings);
    if (b.text.file_count > 0 && !c->arena.failed) {
        take_sections(&b);
        if (!c->arena.failed) config_check(b.g, findings);
        if (c->arena.failed) config_error(findings, path, 0, "the configuration is too large, or memory is out");
    }
    config_findings_sort(findings, b.text.files, b.text.file_count);
    if (findings->errors == 0) return c;
    wipe_entries(&b.text);
    config_free(c);
    return NULL;
}

/* The arena owns it; const is for the readers. */
static void wipe(const char *secret) {
    if (secret) secret_wipe((void *)(uintptr_t)secret, strlen(secret));
}

struct config *config_ref(struct config *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

/* It has its secrets from the other. */
static void free_variant(struct config *c) {
    struct config *base = c->base;
    arena_release(&c->arena);
    mem_free(c);
    config_free(base);
}

void config_free(struct config *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1) return;
    if (c->base) {
        free_variant(c);
        return;
    }
    LIST_EACH(n, &c->databases) {
        wipe(CONTAINER_OF(n, struct config_database, node)->server_password);
    }
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        wipe(cluster->auth_password);
        wipe(cluster->monitor_password);
    }
    user_store_release(c->user_store);
    hba_release(c->hba);
    name_maps_release(c->name_maps);
    arena_release(&c->arena);
    mem_free(c); /* the draft: `config` is its first member */
}

const struct config_cluster *config_find_cluster(const struct config *c, const char *name) {
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        if (strcmp(cluster->name, name) == 0) return cluster;
    }
    return NULL;
}

const struct config_node *config_find_node(const struct config_cluster *cluster, const char *name) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (strcmp(node->name, name) == 0) return node;
    }
    return NULL;
}

const struct config_node *config_first_node(const struct config_cluster *cluster) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (!config_node_subscribes(node)) return node;
    }
    return NULL;
}

/* FNV-1a, with the NUL that ends the text. */
static uint64_t mix(uint64_t hash, const char *text) {
    if (!text) text = "";
    do hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    while (*text++);
    return hash;
}

uint64_t config_copy_id(const struct config_node *n) {
    uint64_t hash = mix(mix(UINT64_C(0xcbf29ce484222325), n->tables), n->database);
    hash = mix(mix(hash, n->subscription), n->heartbeat);
    return hash ? hash : 1;
}

/* What needs no quotes in any context, and no folding. */
static bool is_plain_name(struct bytes name) {
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
        if (!is_letter) return false;
    }
    return name.len && name.len <= CONFIG_TABLE_NAME_MAX;
}

bool config_next_table(const char **at, struct bytes *schema, struct bytes *table) {
    struct bytes name;
    if (!config_next_name(at, &name)) return false;
    const uint8_t *dot = memchr(name.ptr, '.', name.len);
    *schema = bytes_of(name.ptr, dot ? (size_t)(dot - name.ptr) : 0);
    *table = dot ? bytes_of(dot + 1, name.len - schema->len - 1) : name;
    return is_plain_name(*schema) && is_plain_name(*table);
}

bool config_is_elective(const struct config_cluster *cluster) {
    const struct list *first = list_first(&cluster->nodes);
    return cluster->monitor_user && (cluster->is_elective || (first && first->next != &cluster->nodes));
}

const struct config_database *config_find_database(const struct config *c, struct bytes name) {
    const struct config_database *wildcard = NULL;
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (db->is_wildcard) wildcard = db;
        else if (bytes_is(name, db->name)) return db;
    }
    return wildcard;
}

const struct config_database *config_pool_database(const struct config *c, struct bytes name) {
    LIST_EACH(n, &c->auth_databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (bytes_is(name, db->name)) return db;
    }
    return config_find_database(c, name);
}

const struct config_user *config_find_user(const struct config *c, struct bytes name) {
    LIST_EACH(n, &c->users) {
        const struct config_user *u = CONTAINER_OF(n, struct config_user, node);
        if (bytes_is(name, u->name)) return u;
    }
    return NULL;
}

const struct config_peer *config_find_peer(const struct config *c, uint32_t instance) {
    LIST_EACH(n, &c->peers) {
        const struct config_peer *p = CONTAINER_OF(n, struct config_peer, node);
        if (p->instance == instance) return p;
    }
    return NULL;
}
