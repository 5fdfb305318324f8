/*
 * Owns the changes, and copies of what they change. Asks no server, and reads no file.
 */
#include "proxy/config_nodes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "proxy/config_keys.h"

enum { CONFIG_COPY_MAX = 32 << 20 };

#define UNDEFINED_OBJECT "42704"
#define DUPLICATE_OBJECT "42710"
#define NOT_IN_PREREQUISITE_STATE "55000"

/* ---- changes ---- */

void node_changes_init(struct node_changes *c) {
    list_init(&c->all);
}

void node_changes_release(struct node_changes *c) {
    struct list *n;
    while ((n = list_take_first(&c->all))) mem_free(CONTAINER_OF(n, struct node_change, node));
}

static struct node_change *change_at(struct list *n) {
    return CONTAINER_OF(n, struct node_change, node);
}

static struct node_change *find_change(const struct node_changes *c, const char *cluster, const char *name) {
    LIST_EACH(n, &c->all)
        if (strcmp(change_at(n)->name, name) == 0 && strcmp(change_at(n)->cluster, cluster) == 0) return change_at(n);
    return NULL;
}

static struct node_change *new_change(struct node_changes *c, const char *cluster, const char *name) {
    struct node_change *change = mem_alloc(sizeof *change);
    if (!change) return NULL;
    snprintf(change->cluster, sizeof change->cluster, "%s", cluster);
    snprintf(change->name, sizeof change->name, "%s", name);
    list_init(&change->node);
    list_push_back(&c->all, &change->node);
    return change;
}

static void forget(struct node_change *change) {
    list_remove(&change->node);
    mem_free(change);
}

static void forget_if_void(struct node_change *change) {
    if (!change->is_added && !change->is_removed && !change->is_drained && !change->is_gone) forget(change);
}

bool node_changes_copy(struct node_changes *to, const struct node_changes *from) {
    LIST_EACH(n, &from->all) {
        struct node_change *copy = mem_alloc(sizeof *copy);
        if (!copy) return false;
        *copy = *change_at(n);
        list_init(&copy->node);
        list_push_back(&to->all, &copy->node);
    }
    return true;
}

/* ---- orders ---- */

static struct config_cluster *find_cluster(const struct config *c, const char *name) {
    LIST_EACH(n, &c->clusters) {
        struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        if (strcmp(cluster->name, name) == 0) return cluster;
    }
    return NULL;
}

static uint32_t count_nodes(const struct config_cluster *cluster) {
    uint32_t count = 0;
    LIST_EACH(n, &cluster->nodes) count++;
    return count;
}

static const struct config_node *find_place(const struct config_cluster *cluster, const char *host, uint16_t port) {
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (node->port == port && strcmp(config_node_place(node), host) == 0) return node;
    }
    return NULL;
}

static bool refuse_as_known(const struct config_cluster *cluster, const struct config_node *node, struct err *err) {
    err_set(err, DUPLICATE_OBJECT, "node %s/%s exists already", cluster->name, node->name);
    if (node->is_drained) err_hint(err, "It is drained: RESUME NODE %s/%s.", cluster->name, node->name);
    else err_hint(err, "REMOVE NODE first, to add it with another place or weight.");
    return false;
}

/* The node of the file that stands for others, of this name. */
static const struct config_node *find_origin(const struct config_cluster *cluster, const char *name) {
    const struct config_node *node = cluster ? config_find_node(cluster, name) : NULL;
    return node && node->discover_addresses ? node : NULL;
}

/* Where it is to be: as ordered, or as it was when it was removed. NULL: nowhere. */
static const struct config_node *find_twin(const struct node_changes *c, const struct node_order *o,
                                           const struct config_cluster *cluster, const struct config *file) {
    const struct config_cluster *of_file = o->host[0] ? NULL : find_cluster(file, o->cluster);
    const struct config_node *node = of_file ? config_find_node(of_file, o->name) : NULL;
    const struct node_change *was = find_change(c, o->cluster, o->name);
    if (o->host[0]) return find_place(cluster, o->host, o->port);
    if (node) return find_place(cluster, config_node_place(node), node->port);
    return was ? find_place(cluster, was->host, was->port) : NULL;
}

/* One that was added at the console is gone with its removal; others stay known, and hidden. */
static bool is_in_force(const struct node_change *change) {
    return change->is_added && (!change->is_removed || change->source == NODE_FROM_CONSOLE);
}

/* How many nodes a cluster of the file has with the changes, and of those no later ones than `last` (NULL: all). */
static uint32_t count_with(const struct node_changes *c, const struct config_cluster *of, const struct node_change *last) {
    uint32_t count = 0;
    LIST_EACH(n, &of->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        const struct node_change *change = find_change(c, of->name, node->name);
        count += !node->discover_addresses && !(change && change->is_removed);
    }
    LIST_EACH(n, &c->all) {
        count += is_in_force(change_at(n)) && strcmp(change_at(n)->cluster, of->name) == 0;
        if (change_at(n) == last) break;
    }
    return count;
}

/* Orders of one moment are noted one behind the other: what is in force does not have the first ones yet. */
static bool may_be_added(const struct node_changes *c, const struct node_order *o, const struct config_cluster *cluster,
                         const struct config *file, struct err *err) {
    const struct config_cluster *of = find_cluster(file, o->cluster);
    const struct config_node *same = find_twin(c, o, cluster, file);
    if (of && count_with(c, of, NULL) >= CONFIG_NODES_MAX)
        return err_set(err, NOT_IN_PREREQUISITE_STATE, "cluster %s has %d nodes, and cannot have more", o->cluster,
                       CONFIG_NODES_MAX);
    if (cluster->protocol == PROTO_MYSQL)
        return err_set(err, NOT_IN_PREREQUISITE_STATE, "cluster %s speaks MySQL: more than one node is not there yet", o->cluster);
    if (!cluster->monitor_user) {
        err_set(err, NOT_IN_PREREQUISITE_STATE, "nobody would ask the nodes of cluster %s which of them is the primary",
                o->cluster);
        err_hint(err, "Write monitor_user = NAME in [cluster %s], and RELOAD.", o->cluster);
        return false;
    }
    if (!same) return true;
    err_set(err, DUPLICATE_OBJECT, "node %s/%s is the same server", o->cluster, same->name);
    err_hint(err, "A server may be only one node of its cluster.");
    return false;
}

/* Nobody who finds a server brings back what was taken away at the console under another name. */
static bool refuse_removed(const struct node_changes *c, const struct node_order *o, const struct config *file, struct err *err) {
    const struct config_cluster *cluster = find_cluster(file, o->cluster);
    LIST_EACH(n, &c->all) {
        const struct node_change *change = change_at(n);
        if (!(change->is_removed || change->is_gone) || strcmp(change->cluster, o->cluster) != 0) continue;
        const struct config_node *node = cluster ? config_find_node(cluster, change->name) : NULL;
        bool is_own = change->is_added || change->is_gone;
        const char *host = is_own ? change->host : node ? config_node_place(node) : "";
        uint16_t port = is_own ? change->port : node ? node->port : 0;
        bool is_there = port == o->port && (strcmp(host, o->host) == 0 || strcmp(change->address, o->host) == 0);
        if (is_there || strcmp(change->name, o->name) == 0)
            return err_set(err, NOT_IN_PREREQUISITE_STATE, "node %s/%s was removed at the console", o->cluster, change->name);
    }
    return true;
}

static bool note_addition(struct node_changes *c, const struct node_order *o, const struct config_cluster *cluster,
                          const struct config *file, struct err *err) {
    const struct config_node *node = config_find_node(cluster, o->name);
    struct node_change *change = find_change(c, o->cluster, o->name);
    if (node) return refuse_as_known(cluster, node, err);
    if (!may_be_added(c, o, cluster, file, err)) return false;
    if (!o->host[0] && !(change && (change->is_removed || change->is_gone))) {
        err_set(err, UNDEFINED_OBJECT, "nothing is known of node %s/%s", o->cluster, o->name);
        err_hint(err, "Say where it is: ADD NODE %s/%s HOST [PORT].", o->cluster, o->name);
        return false;
    }
    const struct config_node *origin = o->source == NODE_FROM_DNS ? find_origin(find_cluster(file, o->cluster), o->of) : NULL;
    if (o->source == NODE_FROM_DNS && !origin)
        return err_set(err, UNDEFINED_OBJECT, "node %s/%s stands for no others now", o->cluster, o->of);
    if (o->source != NODE_FROM_CONSOLE && !refuse_removed(c, o, file, err)) return false;
    if (!change) change = new_change(c, o->cluster, o->name);
    if (!change) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    if (!o->host[0]) {
        if (!change->is_removed) change->is_added = true; /* as the console had it */
        change->is_removed = change->is_gone = false;
        forget_if_void(change);
        return true;
    }
    change->is_added = true;
    change->is_gone = false;
    change->address[0] = '\0';
    change->is_drained &= o->source != NODE_FROM_CONSOLE; /* one that is found again is what it was */
    change->source = o->source;
    change->port = o->port;
    change->weight = o->weight;
    change->max_server_conn = o->max_server_conn;
    snprintf(change->host, sizeof change->host, "%s", o->host);
    snprintf(change->zone, sizeof change->zone, "%s", o->zone);
    snprintf(change->of, sizeof change->of, "%s", o->of);
    snprintf(change->of_host, sizeof change->of_host, "%s", origin ? origin->host : "");
    return true;
}

/* Who would do its work? */
static bool refuse_only_one(const struct node_order *o, const struct config_cluster *cluster, struct err *err) {
    if (count_nodes(cluster) > 1) return true;
    return err_set(err, NOT_IN_PREREQUISITE_STATE, "node %s/%s is the only one of its cluster", o->cluster, o->name);
}

static bool note_drain(struct node_changes *c, const struct node_order *o, const struct config_cluster *cluster, struct err *err) {
    if (!refuse_only_one(o, cluster, err)) return false;
    struct node_change *change = find_change(c, o->cluster, o->name);
    if (!change) change = new_change(c, o->cluster, o->name);
    if (!change) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    change->is_drained = true;
    return true;
}

static bool note_resumption(struct node_changes *c, const struct node_order *o, struct err *err) {
    struct node_change *change = find_change(c, o->cluster, o->name);
    if (!change || !change->is_drained)
        return err_set(err, NOT_IN_PREREQUISITE_STATE, "node %s/%s is not drained", o->cluster, o->name);
    change->is_drained = false;
    forget_if_void(change);
    return true;
}

/* Somebody may find servers of the cluster. */
static bool discovers(const struct config_cluster *cluster) {
    bool has_names = false;
    if (cluster) LIST_EACH(n, &cluster->nodes) has_names |= CONTAINER_OF(n, struct config_node, node)->discover_addresses;
    return cluster && (cluster->discover_standbys || has_names);
}

static bool note_removal(struct node_changes *c, const struct node_order *o, const struct config_cluster *cluster,
                         const struct config_node *node, const struct config *file, struct err *err) {
    struct node_change *change = find_change(c, o->cluster, o->name);
    if (!refuse_only_one(o, cluster, err)) return false;
    if (!change) change = new_change(c, o->cluster, o->name);
    if (!change) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    change->is_drained &= o->source != NODE_FROM_CONSOLE; /* who is lost may come again */
    if (o->source == NODE_FROM_CONSOLE) snprintf(change->address, sizeof change->address, "%s", o->address);
    if (node->source == NODE_FROM_CONSOLE || node->source == o->source) change->is_added = false;
    else change->is_removed = true;
    change->is_gone = node->source == NODE_FROM_CONSOLE && discovers(find_cluster(file, o->cluster));
    forget_if_void(change);
    return true;
}

bool node_changes_note(struct node_changes *c, const struct node_order *o, const struct config *in_force, struct err *err) {
    const struct config_cluster *cluster = find_cluster(in_force, o->cluster);
    if (!cluster) {
        err_set(err, UNDEFINED_OBJECT, "there is no cluster %s", o->cluster);
        err_hint(err, "SHOW CLUSTERS lists them.");
        return false;
    }
    const struct config_node *node = config_find_node(cluster, o->name);
    if (!node && o->verb != NODE_ADD) {
        err_set(err, UNDEFINED_OBJECT, "cluster %s has no node %s", o->cluster, o->name);
        err_hint(err, "SHOW NODES lists them.");
        return false;
    }
    switch (o->verb) {
    case NODE_ADD: return note_addition(c, o, cluster, config_root(in_force), err);
    case NODE_DRAIN: return note_drain(c, o, cluster, err);
    case NODE_RESUME: return note_resumption(c, o, err);
    case NODE_REMOVE: return note_removal(c, o, cluster, node, config_root(in_force), err);
    }
    return false;
}

/* ---- after a reload ---- */

static void say(struct writer *lines, const struct node_change *change, const char *what) {
    writer_fmt(lines, "node %s/%s %s\n", change->cluster, change->name, what);
}

/* The file says where it is. */
static bool is_in_file(const struct node_change *change, const struct config_cluster *cluster, const struct config_node *node) {
    return (node && !change->is_removed) || find_place(cluster, change->host, change->port);
}

/* The file wants nodes of this kind. */
static bool is_sought(const struct node_change *change, const struct config_cluster *cluster) {
    const struct config_node *origin = find_origin(cluster, change->of);
    if (!cluster || !cluster->monitor_user) return false;
    if (change->source == NODE_FROM_DNS)
        return origin && strcmp(origin->host, change->of_host) == 0 && origin->port == change->port;
    if (change->source == NODE_FROM_CONSOLE) return true;
    return cluster->discover_standbys && (!cluster->discover_port || change->port == cluster->discover_port);
}

static void review_addition(struct node_change *change, const struct config_cluster *cluster, const struct config_node *node,
                            struct writer *lines) {
    bool is_ordered = change->source == NODE_FROM_CONSOLE;
    if (!is_sought(change, cluster)) {
        change->is_added = false;
        if (is_ordered) say(lines, change, "was added at the console, and goes: its cluster cannot have several nodes any more");
    } else if (is_in_file(change, cluster, node)) {
        change->is_added = false;
        if (is_ordered) say(lines, change, "was added at the console, and is as the file says now");
    }
}

/* The file may have more nodes now: those that came last go. */
static void review_room(struct node_changes *c, struct node_change *change, const struct config *file, struct writer *lines) {
    const struct config_cluster *cluster = find_cluster(file, change->cluster);
    if (!cluster || !is_in_force(change) || count_with(c, cluster, change) <= CONFIG_NODES_MAX) return;
    change->is_added = false;
    if (change->source == NODE_FROM_CONSOLE)
        writer_fmt(lines, "node %s/%s was added at the console, and goes: its cluster has %d nodes without it\n", change->cluster,
                   change->name, CONFIG_NODES_MAX);
}

static const struct config_node *node_of_file(const struct node_change *change, const struct config *file) {
    const struct config_cluster *cluster = find_cluster(file, change->cluster);
    return cluster ? config_find_node(cluster, change->name) : NULL;
}

static void review(struct node_change *change, const struct config *file, struct writer *lines) {
    const struct config_node *node = node_of_file(change, file);
    const struct config_cluster *cluster = find_cluster(file, change->cluster);
    bool was_found = change->is_added && change->source != NODE_FROM_CONSOLE;
    change->is_removed &= node || was_found;
    change->is_gone &= discovers(cluster) && !is_in_file(change, cluster, node);
    bool may_be_found = change->source == NODE_FROM_STANDBYS || change->source == NODE_FROM_DNS;
    change->is_drained &= is_in_force(change) || (node && !change->is_removed) || may_be_found;
    if (change->is_removed || change->is_gone) say(lines, change, "stays removed, until ADD NODE or a restart");
    if (change->is_added && !was_found) say(lines, change, "stays added, until REMOVE NODE or a restart");
    if (change->is_drained) say(lines, change, "stays drained, until RESUME NODE or a restart");
    forget_if_void(change);
}

void node_changes_review(struct node_changes *c, const struct config *file, struct writer *lines) {
    LIST_EACH(n, &c->all)
        if (change_at(n)->is_added)
            review_addition(change_at(n), find_cluster(file, change_at(n)->cluster), node_of_file(change_at(n), file), lines);
    LIST_EACH(n, &c->all) review_room(c, change_at(n), file, lines);
    LIST_EACH(n, &c->all) review(change_at(n), file, lines);
}

/* ---- the configuration ---- */

static void *copy(struct arena *a, const void *of, size_t size) {
    void *out = arena_alloc(a, size);
    if (out) memcpy(out, of, size);
    return out;
}

/*
 * One function a kind of section: the draft of each is copied, for the keys that stand behind the public part, and what points to
 * another section is set anew.
 */
#define COPY_EACH(kind, from, to, arena)                                                                                   \
    LIST_EACH(n, from) {                                                                                                   \
        struct config_draft_##kind *d = copy(arena, CONTAINER_OF(n, struct config_##kind, node), sizeof *d);               \
        if (!d) return;                                                                                                    \
        list_init(&d->kind.node);                                                                                          \
        list_push_back(to, &d->kind.node);                                                                                 \
    }

static void copy_listens(struct config *c, const struct list *from, struct list *to) {
    LIST_EACH(n, from) {
        struct config_listen *l = copy(&c->arena, CONTAINER_OF(n, struct config_listen, node), sizeof *l);
        if (!l) return;
        list_init(&l->node);
        list_push_back(to, &l->node);
    }
}

static void copy_plain(struct config *c, const struct config *file) {
    COPY_EACH(user, &file->users, &c->users, &c->arena)
    COPY_EACH(peer, &file->peers, &c->peers, &c->arena)
    copy_listens(c, &file->listens, &c->listens);
    copy_listens(c, &file->listens_mysql, &c->listens_mysql);
}

/* As its origin, but for the address. */
static struct config_draft_node *new_of_name(struct config *c, const struct config_node *origin, const struct node_change *change) {
    struct config_draft_node *d = origin ? copy(&c->arena, origin, sizeof *d) : NULL;
    if (!d) return NULL;
    d->node.name = arena_strdup(&c->arena, bytes_str(change->name));
    d->node.address = arena_strdup(&c->arena, bytes_str(change->host));
    d->node.discover_addresses = false;
    d->node.source = NODE_FROM_DNS;
    return d;
}

static struct config_draft_node *new_node(struct config *c, const struct config_cluster *cluster,
                                          const struct node_change *change) {
    struct config_draft_node *d = arena_alloc(&c->arena, sizeof *d);
    if (!d) return NULL;
    d->node = (struct config_node){
        .name = arena_strdup(&c->arena, bytes_str(change->name)),
        .host = arena_strdup(&c->arena, bytes_str(change->host)),
        .port = change->port,
        .weight = change->weight,
        .max_server_conn = change->max_server_conn,
        .zone = change->zone[0] ? arena_strdup(&c->arena, bytes_str(change->zone)) : NULL,
        .is_near = c->zone && strcmp(c->zone, change->zone) == 0,
        .source = change->source,
        .line = cluster->line,
        .file = cluster->file,
    };
    return d;
}

static void put_node(struct config_cluster *cluster, struct config_draft_node *d, const struct node_change *change) {
    d->node.is_drained = change && change->is_drained;
    list_init(&d->node.node);
    list_push_back(&cluster->nodes, &d->node.node);
}

/* Of names that are looked up. Until the first answer they have to stand for something where there is nothing else. */
static void put_names(struct config *c, struct config_cluster *cluster, const struct config_cluster *of) {
    LIST_EACH(n, &of->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        struct config_draft_node *d = node->discover_addresses ? copy(&c->arena, node, sizeof *d) : NULL;
        if (d) put_node(cluster, d, NULL);
    }
}

static bool has_names(const struct config *c) {
    LIST_EACH(n, &c->clusters) {
        LIST_EACH(i, &CONTAINER_OF(n, struct config_cluster, node)->nodes)
            if (CONTAINER_OF(i, struct config_node, node)->discover_addresses) return true;
    }
    return false;
}

static void copy_nodes(struct config *c, struct config_cluster *cluster, const struct config_cluster *of,
                       const struct node_changes *changes) {
    LIST_EACH(n, &of->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        const struct node_change *change = find_change(changes, of->name, node->name);
        if ((change && change->is_removed) || node->discover_addresses) continue;
        struct config_draft_node *d = copy(&c->arena, node, sizeof *d);
        if (d) put_node(cluster, d, change);
    }
    LIST_EACH(n, &changes->all) {
        const struct node_change *change = change_at(n);
        if (!is_in_force(change) || strcmp(change->cluster, of->name) != 0 || count_nodes(cluster) >= CONFIG_NODES_MAX) continue;
        struct config_draft_node *d = change->source == NODE_FROM_DNS ? new_of_name(c, find_origin(of, change->of), change)
                                                                      : new_node(c, cluster, change);
        if (d) put_node(cluster, d, change);
    }
    if (!config_first_node(cluster)) put_names(c, cluster, of);
}

/* Whoever asks the servers for users does so as a database of its own. */
static void copy_auth(struct config *c, struct config_cluster *cluster) {
    struct config_draft_database *d = copy(&c->arena, cluster->auth, sizeof *d);
    if (!d) return;
    bool is_used = list_is_linked(&cluster->auth->node);
    list_init(&d->database.node);
    if (d->database.cluster) d->database.cluster = cluster;
    if (is_used) list_push_back(&c->auth_databases, &d->database.node);
    cluster->auth = &d->database;
}

static void copy_clusters(struct config *c, const struct config *file, const struct node_changes *changes) {
    LIST_EACH(n, &file->clusters) {
        const struct config_cluster *of = CONTAINER_OF(n, struct config_cluster, node);
        struct config_draft_cluster *d = copy(&c->arena, of, sizeof *d);
        if (!d) return;
        list_init(&d->cluster.node);
        list_init(&d->cluster.nodes);
        list_push_back(&c->clusters, &d->cluster.node);
        d->cluster.is_elective = config_is_elective(of);
        copy_auth(c, &d->cluster);
        copy_nodes(c, &d->cluster, of, changes);
    }
}

static void copy_databases(struct config *c, const struct config *file) {
    COPY_EACH(database, &file->databases, &c->databases, &c->arena)
    LIST_EACH(n, &c->databases) {
        struct config_database *d = CONTAINER_OF(n, struct config_database, node);
        d->cluster = find_cluster(c, d->cluster->name);
    }
}

/* By orders that are right each for itself, and by what the file says now. */
static bool refuse_empty_cluster(const struct config *c, struct err *err) {
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        if (config_first_node(cluster)) continue;
        err_set(err, NOT_IN_PREREQUISITE_STATE, "cluster %s would have no node%s", cluster->name,
                list_is_empty(&cluster->nodes) ? "" : " but subscribers");
        err_hint(err, "ADD NODE brings back one that was removed at the console.");
        return false;
    }
    return true;
}

struct config *config_with_nodes(struct config *file, const struct node_changes *changes, struct err *err) {
    if (list_is_empty(&changes->all) && !has_names(file)) return config_ref(file);
    struct config_draft_gilmok *g = mem_alloc(sizeof *g);
    if (!g) {
        err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    struct config *c = &g->config;
    memcpy(g, file, sizeof *g);
    atomic_init(&c->refs, 1);
    c->base = config_ref(file);
    arena_init(&c->arena, CONFIG_COPY_MAX);
    struct list *lists[] = {&c->listens, &c->listens_mysql, &c->clusters, &c->databases, &c->auth_databases, &c->users, &c->peers};
    for (size_t i = 0; i < COUNT_OF(lists); i++) list_init(lists[i]);
    copy_plain(c, file);
    copy_clusters(c, file, changes);
    copy_databases(c, file);
    if (c->arena.failed) err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    if (!c->arena.failed && refuse_empty_cluster(c, err)) return c;
    config_free(c);
    return NULL;
}
