/*
 * The rules of elect.h, in their order.
 */
#include "proxy/topology/elect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/build.h"

void election_init(struct election *e) {
    *e = (struct election){.primary = ELECT_NOBODY, .known = ELECT_NOBODY};
}

bool elect_is_foreign(const struct election *e, const struct elect_node *n) {
    return n->is_up && e->system_id && n->system_id != e->system_id;
}

PRINTF_LIKE(3, 4) static int because(struct election *e, int primary, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(e->reason, sizeof e->reason, format, args);
    va_end(args);
    return primary;
}

/* ---- which cluster it is ---- */

static int count_of_system(const struct elect_node *nodes, int count, uint64_t system_id) {
    int found = 0;
    for (int i = 0; i < count; i++) found += nodes[i].is_up && nodes[i].system_id == system_id;
    return found;
}

static int count_parts(const struct elect_node *nodes, int count) {
    int found = 0;
    for (int i = 0; i < count; i++) found += !nodes[i].is_apart;
    return found;
}

/* The one that most nodes belong to. False: not known yet, or two have as many, and the reason names a node of each. */
static bool learn_system(struct election *e, const struct elect_node *nodes, int count, bool is_early) {
    int best = ELECT_NOBODY, rival = ELECT_NOBODY;
    for (int i = 0; i < count; i++) {
        if (!nodes[i].is_up || (best >= 0 && nodes[i].system_id == nodes[best].system_id)) continue;
        int more = best < 0 ? 1 : count_of_system(nodes, count, nodes[i].system_id) - count_of_system(nodes, count,
                                                                                                      nodes[best].system_id);
        if (more > 0) {
            best = i;
            rival = ELECT_NOBODY;
        } else if (more == 0) {
            rival = i;
        }
    }
    if (is_early && (best < 0 || count_of_system(nodes, count, nodes[best].system_id) * 2 <= count_parts(nodes, count)))
        return because(e, false, "not all nodes were probed yet");
    if (best < 0) return because(e, false, "no node answers");
    if (rival >= 0) {
        (void)because(e, ELECT_NOBODY, "nodes %s and %s are of different clusters (system identifiers %" PRIu64 " and %" PRIu64
                      "): take the wrong one out of the configuration", nodes[best].name, nodes[rival].name, nodes[best].system_id,
                      nodes[rival].system_id);
        return false;
    }
    e->system_id = nodes[best].system_id;
    return true;
}

/* ---- who can be written to ---- */

static bool is_of_cluster(const struct election *e, const struct elect_node *n) {
    return n->is_up && n->system_id == e->system_id;
}

static bool is_writable(const struct election *e, const struct elect_node *n) {
    return is_of_cluster(e, n) && !n->is_in_recovery;
}

/* Standbys that stream from it, whether directly or from one that does. */
static int count_followers(const struct election *e, const struct elect_node *nodes, int count, int of) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        int at = i;
        if (!is_of_cluster(e, &nodes[i]) || !nodes[i].is_in_recovery) continue;
        for (int hops = 0; hops < count && at >= 0 && at != of && nodes[at].is_in_recovery && nodes[at].is_up; hops++)
            at = nodes[at].upstream;
        found += at == of;
    }
    return found;
}

/* ---- who may be it ---- */

static const char *what_became_of(const struct election *e, const struct elect_node *n) {
    if (!n->is_up) return "does not answer";
    if (elect_is_foreign(e, n)) return "is another cluster now";
    return n->is_in_recovery ? "is a standby now" : "can be written to";
}

/* A node that is on a higher timeline: this one is a primary from before the last promotion. */
static int ahead_of(const struct election *e, const struct elect_node *nodes, int count, int one) {
    for (int i = 0; i < count; i++)
        if (is_of_cluster(e, &nodes[i]) && nodes[i].is_in_recovery && nodes[i].timeline > nodes[one].timeline) return i;
    return ELECT_NOBODY;
}

/* One of those that can be written to. */
struct candidate {
    int node;
    int followers;
    int ahead;      /* a standby on a higher timeline, or ELECT_NOBODY */
    bool is_known;  /* the primary until now */
    bool is_behind; /* another was, on this timeline or a higher one */
    bool is_stray;  /* it was promoted beside a primary that its standbys stayed with, and has none of its own */
};

static struct candidate look_at(const struct election *e, const struct elect_node *nodes, int count, int i) {
    struct candidate c = {.node = i, .followers = count_followers(e, nodes, count, i), .ahead = ahead_of(e, nodes, count, i),
                          .is_known = i == e->known};
    c.is_behind = e->known >= 0 && !c.is_known && nodes[i].timeline <= e->timeline;
    c.is_stray = !c.followers && e->strays & (UINT64_C(1) << i);
    return c;
}

static bool may_be_it(const struct candidate *c) {
    bool is_overtaken = c->ahead >= 0 && !c->followers;
    if (c->is_known) return !is_overtaken;
    return !is_overtaken && !c->is_behind && !c->is_stray;
}

static int why_not(struct election *e, const struct elect_node *nodes, const struct candidate *c) {
    const struct elect_node *n = &nodes[c->node];
    const char *known = e->known >= 0 ? nodes[e->known].name : "";
    if (c->is_behind)
        return because(e, ELECT_NOBODY,
                       "node %s can be written to, on timeline %u; but node %s was the primary until now, on timeline "
                       "%u: a promoted standby would have a higher one", n->name, n->timeline, known, e->timeline);
    if (c->ahead >= 0 && !c->followers)
        return because(e, ELECT_NOBODY,
                       "node %s can be written to, on timeline %u; but node %s is on timeline %u already: there was "
                       "another primary since", n->name, n->timeline, nodes[c->ahead].name, nodes[c->ahead].timeline);
    return because(e, ELECT_NOBODY, "node %s can be written to, but was promoted beside node %s, the primary until now, which %s: "
                   "let a standby stream from it if it is to be the primary", n->name, known, what_became_of(e, &nodes[e->known]));
}

/* ---- the decision ---- */

/* All that may be it, and the two of them that matter most. */
struct field {
    struct candidate all[ELECT_NODES_MAX]; /* that can be written to */
    int count;
    int known;       /* in `all`, as the others; ELECT_NOBODY: it may not be it */
    int first, second;          /* others that may be it, by their order */
    int followed, also_followed; /* those of them that standbys stream from */
    int highest;     /* of them by timeline; ELECT_NOBODY: two are as high */
    uint32_t highest_timeline;
};

static void add_other(struct field *f, const struct elect_node *nodes, int i) {
    uint32_t timeline = nodes[f->all[i].node].timeline;
    if (f->first < 0) f->first = i;
    else if (f->second < 0) f->second = i;
    if (f->all[i].followers) {
        if (f->followed < 0) f->followed = i;
        else f->also_followed = i;
    }
    if (timeline >= f->highest_timeline) f->highest = timeline > f->highest_timeline ? i : ELECT_NOBODY;
    if (timeline > f->highest_timeline) f->highest_timeline = timeline;
}

static void survey(struct field *f, const struct election *e, const struct elect_node *nodes, int count) {
    f->count = 0;
    f->known = f->first = f->second = f->followed = f->also_followed = f->highest = ELECT_NOBODY;
    f->highest_timeline = 0;
    for (int i = 0; i < count; i++) {
        if (!is_writable(e, &nodes[i])) continue;
        struct candidate *c = &f->all[f->count++];
        *c = look_at(e, nodes, count, i);
        if (!may_be_it(c)) continue;
        if (c->is_known) f->known = f->count - 1;
        else add_other(f, nodes, f->count - 1);
    }
}

static int both_are_it(struct election *e, const struct elect_node *nodes, const struct candidate *a, const struct candidate *b) {
    const struct elect_node *one = &nodes[a->node], *other = &nodes[b->node];
    return because(e, ELECT_NOBODY,
                   "nodes %s (timeline %u) and %s (timeline %u) can both be written to, and %s: stop the wrong one",
                   one->name, one->timeline, other->name, other->timeline,
                   a->followers && b->followers ? "standbys stream from both" : "no standby streams from either");
}

/* The primary until now can be written to. */
static int keep_or_leave(struct election *e, const struct elect_node *nodes, const struct field *f) {
    const struct candidate *k = &f->all[f->known];
    if (f->first < 0 && f->count == 1) return because(e, k->node, "it is the only node that can be written to");
    if (f->first < 0)
        return because(e, k->node, "it was the primary before; node %s can be written to as well, and is left alone",
                       nodes[f->all[f->all[0].is_known ? 1 : 0].node].name);
    if (k->followers)
        return because(e, k->node, "standbys stream from it; node %s can be written to as well, and is left alone",
                       nodes[f->all[f->first].node].name);
    if (f->followed >= 0 && f->also_followed < 0)
        return because(e, f->all[f->followed].node,
                       "standbys stream from it on timeline %u, and none from node %s, the primary until now",
                       nodes[f->all[f->followed].node].timeline, nodes[k->node].name);
    return both_are_it(e, nodes, k, &f->all[f->first]);
}

static int choose_another(struct election *e, const struct elect_node *nodes, const struct field *f) {
    const struct candidate *one = &f->all[f->first];
    bool is_alone = f->second < 0;
    const char *known = e->known >= 0 ? nodes[e->known].name : "";
    if (is_alone && e->known < 0 && f->count == 1) return because(e, one->node, "it is the only node that can be written to");
    if (f->count > 1 && f->followed >= 0 && f->also_followed < 0)
        return because(e, f->all[f->followed].node, "of the nodes that can be written to it is the one that standbys stream from");
    if (is_alone && e->known >= 0)
        return because(e, one->node, "it can be written to, on timeline %u, and node %s, the primary until now, %s",
                       nodes[one->node].timeline, known, what_became_of(e, &nodes[e->known]));
    if (is_alone) return because(e, one->node, "of the nodes that can be written to it has the highest timeline");
    if (f->followed >= 0) return both_are_it(e, nodes, &f->all[f->followed], &f->all[f->also_followed]);
    if (e->known >= 0 && f->highest >= 0)
        return because(e, f->all[f->highest].node,
                       "of the nodes that can be written to it has the highest timeline (%u), and node %s, "
                       "the primary until now, %s", f->highest_timeline, known, what_became_of(e, &nodes[e->known]));
    return both_are_it(e, nodes, one, &f->all[f->second]);
}

static int nobody_is_writable(struct election *e, const struct elect_node *nodes) {
    if (e->known < 0) return because(e, ELECT_NOBODY, "no node can be written to");
    const struct elect_node *k = &nodes[e->known];
    return because(e, ELECT_NOBODY, "node %s, the primary until now, %s, and no other node can be written to", k->name,
                   what_became_of(e, k));
}

/* Before everybody was heard: only who has standbys already can be nothing else. */
static int decide_early(struct election *e, const struct elect_node *nodes, const struct field *f, int missing) {
    bool is_clear = f->count == 1 && f->first == 0 && f->all[0].followers > 0;
    if (is_clear) return because(e, f->all[0].node, "standbys stream from it");
    return because(e, ELECT_NOBODY, "node %s was not probed yet", nodes[missing].name);
}

/* All nodes are of one other cluster now: it was made anew, by pg_upgrade say. */
static bool is_made_anew(const struct election *e, const struct elect_node *nodes, int count) {
    int first = ELECT_NOBODY;
    for (int i = 0; i < count; i++) {
        if (nodes[i].is_apart) continue;
        if (first < 0) first = i;
        if (!nodes[i].is_up || nodes[i].system_id == e->system_id || nodes[i].system_id != nodes[first].system_id) return false;
    }
    return first >= 0;
}

static int decide(struct election *e, const struct elect_node *nodes, int count) {
    struct field f;
    int missing = ELECT_NOBODY;
    for (int i = 0; i < count; i++)
        if (!nodes[i].was_probed && !nodes[i].is_apart) missing = i;
    if (e->system_id && is_made_anew(e, nodes, count)) election_init(e);
    if (!e->system_id && !learn_system(e, nodes, count, missing >= 0)) return ELECT_NOBODY;
    survey(&f, e, nodes, count);
    e->is_contested = f.count > 0;
    if (missing >= 0 && e->known < 0) return decide_early(e, nodes, &f, missing);
    if (f.count == 0) return nobody_is_writable(e, nodes);
    if (f.known >= 0) return keep_or_leave(e, nodes, &f);
    return f.first >= 0 ? choose_another(e, nodes, &f) : why_not(e, nodes, &f.all[0]);
}

/* Who is promoted beside a primary that keeps its standbys stays a stray until it is a standby again, or has some of its own. */
static void note_strays(struct election *e, const struct elect_node *nodes, int count) {
    bool is_followed = e->primary >= 0 && count_followers(e, nodes, count, e->primary) > 0;
    for (int i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (!nodes[i].is_up) continue;
        if (!is_writable(e, &nodes[i]) || i == e->primary || count_followers(e, nodes, count, i)) e->strays &= ~bit;
        else if (is_followed) e->strays |= bit;
    }
}

bool elect_step(struct election *e, const struct elect_node *nodes, int count) {
    int was = e->primary;
    e->primary = decide(e, nodes, count);
    if (e->primary >= 0 && is_writable(e, &nodes[e->primary])) {
        e->known = e->primary;
        e->timeline = nodes[e->primary].timeline;
    }
    note_strays(e, nodes, count);
    return e->primary != was;
}

static int number_now(const int *was, int count, int old) {
    for (int i = 0; i < count; i++)
        if (old >= 0 && was[i] == old) return i;
    return ELECT_NOBODY;
}

void elect_renumber(struct election *e, const int *was, int count) {
    bool is_same = false;
    for (int i = 0; i < count; i++) is_same |= was[i] >= 0;
    if (!is_same) {
        election_init(e);
        return;
    }
    uint64_t strays = 0;
    for (int i = 0; i < count; i++)
        if (was[i] >= 0 && e->strays & (UINT64_C(1) << was[i])) strays |= UINT64_C(1) << i;
    e->strays = strays;
    e->primary = number_now(was, count, e->primary);
    e->known = number_now(was, count, e->known);
    if (e->known >= 0) return;
    e->timeline = 0;
    e->strays = 0; /* beside whom? */
}
