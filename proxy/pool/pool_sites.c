/*
 * Where a pool's connections go: to the one node of a cluster, to the primary of several, or to those that may serve reads
 * (`role` of the database). While there is nowhere to go nobody is leased a connection, and who waits does so for failover_wait.
 *
 * What is known of the nodes comes from proxy/topology: pools look when they are told that there is another primary, and those that
 * read from several nodes on every tick, too.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/pool/pool_impl.h"
#include "proxy/pool/tls_book.h"
#include "proxy/topology/topology.h"

enum { TOGETHER_MS = 3000 /* nodes that have come up within that have done so together */ };

static struct site *site_at(const struct list *n) {
    return CONTAINER_OF(n, struct site, node);
}

struct site *pool_site(const struct pool *p) {
    struct list *n = list_first(&p->sites);
    return n ? site_at(n) : NULL;
}

/* ---- which nodes ---- */

static bool is_at(const struct config_node *node, const char *address) {
    char its[TOPOLOGY_ADDRESS_MAX];
    return strcmp(topology_address(its, config_node_place(node), node->port), address) == 0;
}

/* Without a primary it is the one of before: its connections stay, unused, for it may come back. */
static const struct config_node *choose_primary(struct pool *p, const struct config_cluster *cluster) {
    struct topology_place primary;
    const struct config_node *node = NULL;
    const struct site *before = pool_site(p);
    bool is_known = topology_primary(p->set->topology, cluster->name, &primary, &p->is_contested, &p->nowhere);
    if (is_known) node = config_find_node(cluster, primary.name);
    if (node && !is_at(node, primary.address)) node = NULL; /* it is elsewhere now, and nobody has looked there yet */
    if (node && config_node_subscribes(node)) node = NULL; /* by the configuration of this moment */
    if (is_known && !node)
        err_set(&p->nowhere, ERR_CANNOT_CONNECT_NOW, "the primary of cluster \"%.60s\" is not looked for yet", cluster->name);
    p->is_leaderless = !node;
    if (!node && before) node = config_find_node(cluster, before->node_name);
    if (node && config_node_subscribes(node)) node = NULL;
    return node ? node : config_first_node(cluster);
}

static struct site *find_same(const struct pool *p, const struct config_node *node, const struct book_entry *at,
                              const struct tls_context *tls) {
    LIST_EACH(n, &p->sites)
        if (site_is_still(site_at(n), node, at, tls)) return site_at(n);
    return NULL;
}

/* A pool may have come to another cluster, whose node has the same name and address. */
static void look_at_gauge(const struct pool *p, struct site *s, const struct config_cluster *cluster,
                          const struct config_node *node) {
    char address[TOPOLOGY_ADDRESS_MAX];
    struct topology_gauge *before = s->gauge;
    if (!p->set->topology) return;
    (void)topology_address(address, config_node_place(node), node->port);
    s->gauge = topology_gauge(p->set->topology, cluster->name, node->name, address);
    topology_gauge_unref(before);
}

static bool want(struct pool *p, const struct config_cluster *cluster, const struct config_node *node, struct err *err) {
    const struct book_entry *at = addr_book_find(p->set->book, node);
    bool has_policy = p->set->tls && at && at->is_known;
    struct tls_context *tls = has_policy ? tls_book_find(p->set->tls, cluster, &at->addr) : NULL;
    struct site *s = find_same(p, node, at, tls);
    if (s) {
        site_renew(s, tls);
    } else {
        s = site_new(node, at, tls, err);
        if (!s) return false;
        list_push_back(&p->sites, &s->node);
    }
    s->is_wanted = true;
    s->weight = node->weight;
    s->is_drained = node->is_drained;
    s->choice.is_near = node->is_near;
    if (p->is_spread) look_at_gauge(p, s, cluster, node);
    return true;
}

/* A node without an address is one that cannot be used; all of them are a mistake. */
static bool want_all(struct pool *p, const struct config_cluster *cluster, struct err *err) {
    bool ok = false;
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *node = CONTAINER_OF(n, struct config_node, node);
        if (!config_node_subscribes(node)) ok |= want(p, cluster, node, err);
    }
    return ok;
}

/* Without such a node it has none: others have taken its place, or there is nothing any more. */
static bool want_copy(struct pool *p, const struct config_database *db, struct err *err) {
    const char *database = db->server_database ? db->server_database : p->database;
    const struct config_node *node = config_find_node(db->cluster, p->copy_node);
    bool is_one = node && config_node_subscribes(node) && strcmp(node->database, database) == 0;
    p->copy_id = is_one ? config_copy_id(node) : 0;
    p->is_off |= !is_one;
    if (!is_one) return true;
    return want(p, db->cluster, node, err);
}

static void leave(struct pool *p, struct site *s) {
    if (p->opens_at == s) p->opens_at = NULL;
    list_remove(&s->node);
    s->is_in_force = s->is_usable = false;
    site_unref(s);
}

static void settle(struct pool *p, bool is_right) {
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        if (is_right ? !s->is_wanted : !s->is_in_force) {
            leave(p, s);
            continue;
        }
        s->is_in_force = true;
        s->is_usable |= !p->is_spread;
    }
}

static void name_server(struct pool *p, const struct config_cluster *cluster) {
    const char *what = p->copy_node ? p->copy_node : pool_role_name(p->role);
    if (p->is_spread) snprintf(p->server.name, sizeof p->server.name, "%.60s/%.60s", cluster->name, what);
    else snprintf(p->server.name, sizeof p->server.name, "%s", pool_site(p)->name);
}

static void note_leaderless(struct pool *p, bool was_leaderless) {
    if (!p->is_leaderless || was_leaderless) return;
    if (!p->lonely_since_us) p->lonely_since_us = pool_now_us(p);
}

static bool want_places(struct pool *p, const struct config_database *db, struct err *err) {
    const struct config_cluster *cluster = db->cluster;
    if (!p->is_spread) return want(p, cluster, p->is_elective ? choose_primary(p, cluster) : config_first_node(cluster), err);
    return p->copy_node ? want_copy(p, db, err) : want_all(p, cluster, err);
}

bool pool_place(struct pool *p, const struct config_database *db, struct err *err) {
    const struct config_cluster *cluster = db->cluster;
    bool was_leaderless = p->is_leaderless;
    p->is_elective = config_is_elective(cluster) && p->set->topology;
    p->role = p->main ? ROLE_REPLICA : db->role;
    p->is_spread = p->is_elective && p->role != ROLE_PRIMARY;
    p->is_off = p->main && !(p->is_spread && p->main->limits.read_write_split);
    p->max_replica_lag_ms = db->max_replica_lag_ms;
    p->is_leaderless = false;
    LIST_EACH(n, &p->sites) site_at(n)->is_wanted = false;
    bool ok = want_places(p, db, err);
    settle(p, ok);
    if (!ok) return false;
    snprintf(p->server.cluster, sizeof p->server.cluster, "%s", cluster->name);
    name_server(p, cluster);
    if (p->is_spread) pool_look_at_nodes(p);
    else note_leaderless(p, was_leaderless);
    return true;
}

/* ---- connections that lead elsewhere ---- */

/* True: there were some. */
bool pool_retire_left(struct pool *p) {
    bool had_some = false;
    LIST_EACH(n, &p->variants) {
        struct variant *v = CONTAINER_OF(n, struct variant, node);
        struct list *lists[] = {&v->idle, &v->opening, &v->busy};
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
            LIST_EACH(k, lists[i]) {
                struct backend *b = pool_backend_at(k);
                if (b->site->is_usable) continue;
                had_some = true;
                if (i == 2) b->is_retired = true;
                else backend_retire(b);
            }
        }
    }
    return had_some;
}

/* In the middle of something at a node that is not the one any more: what it writes there would be lost. */
/* `at`: of that site; NULL: of all that are not in force. */
static struct backend *first_leased(const struct pool *p, const struct site *at) {
    LIST_EACH(n, &p->variants) {
        LIST_EACH(i, &CONTAINER_OF(n, struct variant, node)->busy) {
            struct backend *b = pool_backend_at(i);
            if (at ? b->site == at : !b->site->is_in_force) return b;
        }
    }
    return NULL;
}

/* One after the other from the beginning: whose lessee is told may end others, too. */
static void cut(struct pool *p, const struct site *at, const char *why) {
    struct backend *b;
    struct err err;
    while ((b = first_leased(p, at))) {
        err_set(&err, ERR_CONNECTION_FAILURE, "node %.60s %s: the connection to it was closed", b->site->node_name, why);
        err_hint(&err, "A transaction that was not committed is rolled back; begin it again.");
        backend_abort(b, &err);
    }
}

static void follow(struct pool *p, const struct config *c) {
    bool was_leaderless = p->is_leaderless;
    if (!pool_reconfigure(p, c)) return;
    if (!p->is_spread) cut(p, NULL, "is not the primary any more");
    if (!p->is_spread && p->is_leaderless && p->is_contested) cut(p, pool_site(p), "is not the only one that can be written to");
    if (was_leaderless != p->is_leaderless) pool_publish(p);
}

void pool_set_follow(struct pool_set *set, const struct config *c) {
    LIST_EACH(n, &set->all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (p->is_elective) follow(p, c);
    }
}

/* ---- reads over several nodes ---- */

struct looking {
    struct pool *pool;
    char why[ERR_DETAIL_MAX]; /* no node can be used */
};

static void complain(struct looking *l, const char *node, const char *what) {
    size_t len = strlen(l->why);
    snprintf(l->why + len, sizeof l->why - len, "%s%s %s", len ? "; " : "", node, what);
}

static const char *why_not(enum node_role role) {
    if (role == NODE_FOREIGN) return "is of another cluster";
    return role == NODE_DUPLICATE ? "is the same server as another node" : "can be written to, but is not the primary";
}

static enum site_fit fit_of(struct looking *l, const struct topology_node *n) {
    const struct pool *p = l->pool;
    char text[64];
    if (n->health != NODE_UP) {
        complain(l, n->name, n->health == NODE_DOWN ? "is down" : "was not probed yet");
        return SITE_LOST;
    }
    if (n->role == NODE_PRIMARY && !p->copy_node) {
        if (p->role == ROLE_REPLICA) complain(l, n->name, "is the primary");
        return SITE_PRIMARY;
    }
    if (p->copy_node) {
        bool is_it = n->role == NODE_SUBSCRIBER && n->is_copy && n->copy_id == p->copy_id;
        if (!is_it) complain(l, n->name, "is no copy of its tables");
        if (!is_it) return SITE_UNFIT;
    } else if (n->role != NODE_REPLICA) {
        complain(l, n->name, why_not(n->role));
        return n->role == NODE_FOREIGN ? SITE_LOST : SITE_UNFIT;
    }
    if (p->max_replica_lag_ms && (n->lag_ms < 0 || n->lag_ms > p->max_replica_lag_ms)) {
        snprintf(text, sizeof text, n->lag_ms < 0 ? "has no known lag" : "is %lld ms behind", (long long)n->lag_ms);
        complain(l, n->name, text);
        return SITE_UNFIT;
    }
    return SITE_REPLICA;
}

static void judge_site(struct looking *l, struct site *s, const struct topology_node *n) {
    s->fit = fit_of(l, n);
    s->up_since_us = n->health_since_us;
    if (!s->is_drained || s->fit != SITE_REPLICA) return; /* nobody drains a primary: it was one of the others then */
    s->fit = SITE_UNFIT;
    complain(l, n->name, "is drained");
}

/* What was found out at another place is not known of this one. */
static void look_at(void *ctx, const struct topology_node *n) {
    struct looking *l = ctx;
    LIST_EACH(i, &l->pool->sites) {
        struct site *s = site_at(i);
        bool is_it = s->gauge && strcmp(s->gauge->name, n->name) == 0 && strcmp(s->gauge->address, n->address) == 0;
        if (is_it) judge_site(l, s, n);
    }
}

/* By the role, and where there is a choice not those without a weight. */
static bool has_fit(const struct pool *p, enum site_fit fit, bool with_weight) {
    LIST_EACH(n, &p->sites)
        if (site_at(n)->fit == fit && (site_at(n)->weight || !with_weight)) return true;
    return false;
}

static bool is_wanted_for_reads(const struct pool *p, const struct site *s) {
    bool has_replica = has_fit(p, SITE_REPLICA, false), has_weighty_replica = has_fit(p, SITE_REPLICA, true);
    bool has_share = p->role != ROLE_REPLICA && p->limits.primary_share;
    bool counts_primary = p->role == ROLE_ANY || (p->role == ROLE_PREFER_REPLICA && (!has_replica || has_share));
    bool has_weighty = has_weighty_replica || (counts_primary && has_fit(p, SITE_PRIMARY, true));
    if (s->fit != SITE_REPLICA && !(s->fit == SITE_PRIMARY && counts_primary)) return false;
    if (s->fit == SITE_PRIMARY && has_share) return true;
    return s->weight || !has_weighty;
}

/* Who was met when gilmok began, or has come up together with the others, has not come back. */
static void tell_who_is_back(struct pool *p) {
    uint64_t first_us = UINT64_MAX;
    LIST_EACH(n, &p->sites)
        if (site_at(n)->is_usable && site_at(n)->up_since_us < first_us) first_us = site_at(n)->up_since_us;
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        bool is_later = s->is_usable && s->up_since_us - first_us > TOGETHER_MS * UINT64_C(1000);
        s->choice.back_us = is_later ? s->up_since_us : 0;
    }
}

/* The primary's is its own where it has no share by the configuration. */
static void weigh(struct pool *p) {
    uint64_t others = 0;
    struct site *primary = NULL;
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        s->choice.weight = s->weight * CHOOSE_SHARE_ONE;
        if (!s->is_usable) continue;
        if (s->fit == SITE_PRIMARY && p->limits.primary_share) primary = s;
        else others += s->weight ? s->choice.weight : CHOOSE_SHARE_ONE;
    }
    if (primary && others) primary->choice.weight = choose_weight_for(p->limits.primary_share, others);
}

/* It was away when a connection to it failed, and has come up since: nobody need wait for login_retry. */
static void forgive(struct pool *p, struct site *s) {
    if (!s->is_usable) return;
    if (s->failed_us < s->up_since_us) s->failed_us = 0;
    if (p->failed_us < s->up_since_us) p->failed_us = 0;
}

/* True: some site that could be used cannot be any more. */
static bool judge(struct pool *p) {
    bool has_lost = false;
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        bool was_usable = s->is_usable;
        s->is_usable = is_wanted_for_reads(p, s);
        forgive(p, s);
        p->is_leaderless &= !s->is_usable;
        has_lost |= was_usable && !s->is_usable;
    }
    tell_who_is_back(p);
    weigh(p);
    return has_lost;
}

void pool_look_at_nodes(struct pool *p) {
    struct looking l = {.pool = p};
    p->looked_us = pool_now_us(p);
    bool was_leaderless = p->is_leaderless;
    LIST_EACH(n, &p->sites) site_at(n)->fit = SITE_LOST;
    topology_each_node(p->set->topology, p->server.cluster, look_at, &l);
    p->is_leaderless = true;
    bool has_lost = judge(p);
    if (p->is_leaderless) {
        err_set(&p->nowhere, ERR_CANNOT_CONNECT_NOW, "no node of cluster \"%.60s\" can serve as %s now", p->server.cluster,
                pool_role_name(p->role));
        err_detail(&p->nowhere, "%.250s.", l.why[0] ? l.why : "Its nodes were not probed yet");
        err_hint(&p->nowhere, "SHOW NODES on the console tells what each node says of itself.");
    }
    note_leaderless(p, was_leaderless);
    if (has_lost) {
        (void)pool_retire_left(p);
        LIST_EACH(n, &p->sites)
            if (site_at(n)->fit == SITE_LOST) cut(p, site_at(n), "is down");
    }
    if (was_leaderless != p->is_leaderless) pool_publish(p);
    if (was_leaderless && !p->is_leaderless) pool_want_dispatch(p);
}

/* Once in a turn of the loop: what it cuts may ask again. */
void pool_look_again(struct pool *p) {
    if (p->is_spread && p->looked_us != pool_now_us(p)) pool_look_at_nodes(p);
}

static uint64_t next_random(struct pool_set *set) {
    uint64_t x = set->random ? set->random : 88172645463325252u ^ set->loop->now_us;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return set->random = x;
}

static struct choose_rules rules_of(const struct pool *p) {
    return (struct choose_rules){.balance = p->limits.balance, .slow_start_ms = p->limits.slow_start_ms, .now_us = pool_now_us(p)};
}

/* A near one; of two that are, or are not, the one with less for its share. */
static bool is_rather(const struct pool *p, const struct site *a, uint32_t of_a, const struct site *b, uint32_t of_b) {
    struct choose_rules r = rules_of(p);
    if (a->choice.is_near != b->choice.is_near) return a->choice.is_near;
    return choose_is_less(of_a, choose_share(&a->choice, &r), of_b, choose_share(&b->choice, &r));
}

static bool is_backing_off(const struct pool *p, const struct site *s) {
    return s->failed_us && pool_now_us(p) - s->failed_us < (uint64_t)p->limits.login_retry_ms * 1000;
}

/* As far as the node is concerned. */
static bool may_open_at(const struct pool *p, const struct site *s) {
    return !is_backing_off(p, s) && budget_has_room(&s->budgets);
}

/* One more lease: a connection is free, or may be opened. */
static bool has_room(const struct pool *p, const struct site *s) {
    return s->total > s->choice.outstanding || may_open_at(p, s);
}

static struct site *pick(struct pool *p, const struct lessee *l, uint64_t needs_us) {
    struct choose_node *nodes[ELECT_NODES_MAX];
    struct choose_rules r = rules_of(p);
    int count = 0;
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        if (!site_is_fit(s, needs_us, l->place) || pool_is_shunned(s, l) || count == ELECT_NODES_MAX) continue;
        s->choice.has_room = s->choice.is_near && has_room(p, s);
        nodes[count++] = &s->choice;
    }
    if (!count) return NULL;
    return CONTAINER_OF(nodes[choose_node(nodes, count, &r, next_random(p->set))], struct site, choice);
}

/*
 * What its server has told of its replay, it has told since this connection was made: a standby that was restarted may begin
 * further back than it has been.
 */
static bool is_proven(const struct backend *b, uint64_t needs_us) {
    if (!needs_us || site_told_us(b->site) > b->opened_us) return true;
    topology_want_freshness(b->variant->pool->set->topology, pool_now_us(b->variant->pool));
    return false;
}

/*
 * Something comes of the wish for one more: there is room, or an idle one elsewhere can make way, where the site has none at all or
 * nothing else will do.
 */
static bool may_open_for(const struct variant *v, const struct lessee *l, const struct site *picked) {
    const struct pool *p = v->pool;
    if (!may_open_at(p, picked) || v->opening_count) return false;
    return p->total < p->limits.size || ((!picked->total || l->insists) && v->idle_count);
}

struct backend *pool_idle_for_reads(const struct variant *v, const struct lessee *l) {
    struct pool *p = v->pool;
    if (UNLIKELY(pool_is_outdated(p, l))) return NULL;
    struct site *home = pool_home(p, l);
    uint64_t needs_us = pool_needs_us(p, l);
    struct backend *best = NULL;
    bool has_fit = false;
    bool is_picky = needs_us || l->only || l->shuns;
    struct site *picked = home || l->only ? home : v->idle_count || is_picky ? pick(p, l, needs_us) : NULL;
    LIST_EACH(n, &v->idle) {
        struct backend *b = pool_backend_at((struct list *)n);
        uint64_t needs_there_us = pool_needs_at_us(l, b);
        if (!site_is_fit(b->site, needs_there_us, l->place) || !pool_is_allowed(b->site, l)) continue;
        has_fit = true;
        if (!is_proven(b, needs_there_us)) continue;
        if (b->site == picked) return b;
        if (!best || is_rather(p, b->site, b->site->choice.outstanding, best->site, best->site->choice.outstanding)) best = b;
    }
    bool has_none = is_picky && picked && !has_fit && may_open_for(v, l, picked); /* nobody stands in line for it */
    bool has_too_few = picked && best && may_open_at(p, picked) &&
                       is_rather(p, picked, picked->total, best->site, best->site->total);
    if ((has_none || has_too_few) && !p->opens_at) { /* it gets one more, for the next time */
        p->opens_at = picked;
        pool_want_dispatch(p);
    }
    return best;
}

struct site *pool_site_to_open(struct pool *p) {
    struct site *best = NULL;
    if (!p->is_spread) return pool_site(p);
    if (p->opens_at && may_open_at(p, p->opens_at)) return p->opens_at;
    LIST_EACH(n, &p->sites) {
        struct site *s = site_at(n);
        bool is_open = site_is_open(s) && may_open_at(p, s);
        if (is_open && (!best || is_rather(p, s, s->total, best, best->total))) best = s;
    }
    return best;
}

bool pool_wishes_for_more(struct pool *p) {
    struct site *s = p->opens_at;
    if (s && (!site_is_open(s) || !may_open_at(p, s))) p->opens_at = NULL;
    return p->opens_at != NULL;
}

/* Of one node among several: the others go on. */
bool pool_note_site_failure(struct pool *p, struct site *s) {
    if (!p->is_spread) return false;
    s->failed_us = pool_now_us(p);
    LIST_EACH(n, &p->sites)
        if (site_at(n)->is_usable && !is_backing_off(p, site_at(n))) return true;
    return false;
}

/* Sticky reads of one client are all alike. */
bool pool_draws_primary(struct pool *main, const struct lessee *l) {
    if (!main->limits.primary_share) return false;
    uint64_t number = main->limits.is_sticky ? (l->id * UINT64_C(0x9E3779B97F4A7C15)) >> 32 : next_random(main->set);
    return number % 100 < main->limits.primary_share;
}

void pool_note_answer(struct backend *b, uint64_t since_us) {
    const struct pool *p = b->variant->pool;
    if (LIKELY(!p->is_spread || p->limits.balance != BALANCE_LATENCY)) return; /* nobody would ask */
    if (b->state_since_us > since_us) since_us = b->state_since_us;
    choose_note_latency(&b->site->choice, pool_now_us(p) - since_us, pool_now_us(p));
}

bool pool_serves_reads(const struct pool *p) {
    return p && !p->is_off && !pool_is_held(p) && !pool_is_backing_off(p) && (LIKELY(!p->has_doubts) || pool_has_sound(p));
}

uint32_t pool_reads_weight(const struct pool *p) {
    uint32_t weight = 0;
    LIST_EACH(n, &((struct pool *)p)->sites)
        if (site_is_open(site_at(n))) weight += site_at(n)->weight;
    return weight;
}

uint32_t pool_draw(struct pool *p, uint32_t below) {
    return below ? (uint32_t)((next_random(p->set) >> 16) % below) : 0;
}

bool pool_is_fresh_everywhere(const struct pool *p, const struct lessee *l, uint64_t needs_us) {
    LIST_EACH(n, &((struct pool *)p)->sites) {
        const struct site *s = site_at(n);
        if (!site_is_open(s) || pool_is_shunned(s, l)) continue;
        if (!site_is_fit(s, needs_us, l->place) || !pool_is_allowed(s, l)) return false;
    }
    return true;
}

bool pool_may_open_at(const struct variant *v, const struct site *s) {
    const struct pool *p = v->pool;
    return has_room(p, s) && (p->total < p->limits.size || v->idle_count || v->busy_count);
}

uint64_t pool_find_open(const struct pool *p, struct bytes name) {
    LIST_EACH(n, &((struct pool *)p)->sites) {
        const struct site *s = site_at(n);
        if (site_is_open(s) && bytes_is(name, s->node_name)) return site_gauge_id(s);
    }
    return 0;
}

bool pool_is_fresh(const struct pool *p, const struct lessee *l, uint64_t needs_us) {
    LIST_EACH(n, &((struct pool *)p)->sites)
        if (site_is_fit(site_at(n), needs_us, l->place) && pool_is_allowed(site_at(n), l)) return true;
    topology_want_freshness(p->set->topology, pool_now_us(p));
    return false;
}

/* ---- waiting for somewhere to go ---- */

/* Not there, or about to go or to come: another one may take its place. Else it is there, and means what it says. */
static bool is_away(const struct err *failure) {
    return strncmp(failure->sqlstate, "08", 2) == 0 || strncmp(failure->sqlstate, "57P", 3) == 0;
}

void pool_suspect(struct pool *p, const struct err *failure) {
    if (!p->is_elective || !is_away(failure)) return;
    if (!p->lonely_since_us) p->lonely_since_us = pool_now_us(p);
    topology_suspect(p->set->topology);
}

bool pool_awaits_primary(const struct pool *p) {
    return p->is_elective && (p->is_leaderless || (p->failed_us && p->ready == 0 && is_away(&p->failure)));
}

void pool_expire_for_primary(struct variant *v) {
    struct pool *p = v->pool;
    struct lessee *l;
    while ((l = pool_first_waiter(v)) && pool_awaits_primary(p)) {
        if (p->main) { /* there is another way */
            struct err none = p->is_leaderless ? p->nowhere : p->failure;
            pool_refuse(l, &none);
            continue;
        }
        uint64_t since_us = l->waiting_since_us > p->lonely_since_us ? l->waiting_since_us : p->lonely_since_us;
        if (pool_now_us(p) - since_us < (uint64_t)p->limits.failover_wait_ms * 1000) return;
        struct err err = p->is_leaderless ? p->nowhere : p->failure;
        pool_refuse(l, &err);
    }
}
