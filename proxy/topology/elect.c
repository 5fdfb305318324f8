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
    if (is_early && (best < 0 || count_of_system(nodes, count, nodes[best].system_id) * 2 <= count))
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

static int count_writable(const struct election *e, const struct elect_node *nodes, int count, int *first) {
    int found = 0;
    for (int i = count - 1; i >= 0; i--) {
        if (!is_writable(e, &nodes[i])) continue;
        *first = i;
        found++;
    }
    return found;
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

/* ---- the decision ---- */

static const char *what_became_of(const struct election *e, const struct elect_node *n) {
    if (!n->is_up) return "does not answer";
    if (elect_is_foreign(e, n)) return "is another cluster now";
    return n->is_in_recovery ? "is a standby now" : "can be written to";
}

static int nobody_is_writable(struct election *e, const struct elect_node *nodes) {
    if (e->known < 0) return because(e, ELECT_NOBODY, "no node can be written to");
    const struct elect_node *k = &nodes[e->known];
    return because(e, ELECT_NOBODY, "node %s, the primary until now, %s, and no other node can be written to", k->name,
                   what_became_of(e, k));
}

/* A standby that replays a higher timeline: this node is a primary from before the last promotion. */
static int ahead_of(const struct election *e, const struct elect_node *nodes, int count, int one) {
    for (int i = 0; i < count; i++)
        if (is_of_cluster(e, &nodes[i]) && nodes[i].timeline > nodes[one].timeline) return i;
    return ELECT_NOBODY;
}

static int only_one(struct election *e, const struct elect_node *nodes, int count, int one) {
    const struct elect_node *n = &nodes[one];
    int ahead = ahead_of(e, nodes, count, one);
    if (e->known == one) return because(e, one, "it is the only node that can be written to");
    if (e->known < 0 && ahead >= 0)
        return because(e, ELECT_NOBODY,
                       "node %s can be written to, on timeline %u; but node %s is on timeline %u already: there was "
                       "another primary since", n->name, n->timeline, nodes[ahead].name, nodes[ahead].timeline);
    if (e->known < 0) return because(e, one, "it is the only node that can be written to");
    const struct elect_node *k = &nodes[e->known];
    if (n->timeline <= e->timeline)
        return because(e, ELECT_NOBODY,
                       "node %s can be written to, on timeline %u; but node %s was the primary until now, on timeline "
                       "%u: a promoted standby would have a higher one", n->name, n->timeline, k->name, e->timeline);
    return because(e, one, "it can be written to, on timeline %u, and node %s, the primary until now, %s", n->timeline, k->name,
                   what_became_of(e, k));
}

/* Who of several that can be written to. */
struct rivals {
    int first, second;    /* any two */
    int followed, rival;  /* of those that standbys stream from; the known primary first */
    int highest;          /* by timeline; ELECT_NOBODY: two are as high */
    bool has_known;
};

static struct rivals rivals_of(const struct election *e, const struct elect_node *nodes, int count) {
    struct rivals r = {ELECT_NOBODY, ELECT_NOBODY, ELECT_NOBODY, ELECT_NOBODY, ELECT_NOBODY, false};
    uint32_t timeline = 0;
    for (int i = 0; i < count; i++) {
        if (!is_writable(e, &nodes[i])) continue;
        if (r.first < 0) r.first = i;
        else if (r.second < 0) r.second = i;
        r.has_known |= i == e->known;
        if (nodes[i].timeline >= timeline) r.highest = nodes[i].timeline > timeline ? i : ELECT_NOBODY;
        if (nodes[i].timeline > timeline) timeline = nodes[i].timeline;
        if (!count_followers(e, nodes, count, i)) continue;
        if (r.followed < 0 || i == e->known) {
            r.rival = r.followed;
            r.followed = i;
        } else {
            r.rival = i;
        }
    }
    return r;
}

static int several(struct election *e, const struct elect_node *nodes, int count) {
    struct rivals r = rivals_of(e, nodes, count);
    if (r.followed >= 0 && r.followed == e->known)
        return because(e, r.followed, "standbys stream from it; node %s can be written to as well, and is left alone",
                       nodes[r.first == r.followed ? r.second : r.first].name);
    bool is_old = r.followed >= 0 && e->known >= 0 && nodes[r.followed].timeline <= e->timeline;
    if (is_old)
        return because(e, r.has_known ? e->known : ELECT_NOBODY,
                       "standbys stream from node %s, which can be written to; but its timeline "
                       "(%u) is not above that of node %s, the primary until now (%u): it is an old primary",
                           nodes[r.followed].name,
                       nodes[r.followed].timeline, nodes[e->known].name, e->timeline);
    if (r.followed >= 0 && r.rival < 0)
        return because(e, r.followed, "of the nodes that can be written to it is the one that standbys stream from");
    if (r.followed < 0 && e->known >= 0 && !r.has_known && r.highest >= 0 && nodes[r.highest].timeline > e->timeline)
        return because(e, r.highest,
                       "of the nodes that can be written to it has the highest timeline (%u), and node %s, the primary "
                       "until now, %s", nodes[r.highest].timeline, nodes[e->known].name, what_became_of(e, &nodes[e->known]));
    int a = r.followed >= 0 ? r.followed : r.first, b = r.followed >= 0 ? r.rival : r.second;
    return because(e, ELECT_NOBODY,
                   "nodes %s (timeline %u) and %s (timeline %u) can both be written to, and %s: stop the wrong one",
                   nodes[a].name, nodes[a].timeline, nodes[b].name, nodes[b].timeline,
                   r.followed >= 0 ? "standbys stream from both" : "no standby streams from either");
}

/* Before everybody was heard: only who has standbys already can be nothing else. */
static int decide_early(struct election *e, const struct elect_node *nodes, int count, int missing) {
    int one = ELECT_NOBODY;
    bool is_clear = count_writable(e, nodes, count, &one) == 1 && count_followers(e, nodes, count, one) > 0 &&
                    ahead_of(e, nodes, count, one) < 0;
    if (is_clear && e->known < 0) return because(e, one, "standbys stream from it");
    return because(e, e->primary, "node %s was not probed yet", nodes[missing].name);
}

static int decide(struct election *e, const struct elect_node *nodes, int count) {
    int one = ELECT_NOBODY, missing = ELECT_NOBODY;
    for (int i = 0; i < count; i++)
        if (!nodes[i].was_probed) missing = i;
    if (!e->system_id && !learn_system(e, nodes, count, missing >= 0)) return ELECT_NOBODY;
    if (missing >= 0) return decide_early(e, nodes, count, missing);
    switch (count_writable(e, nodes, count, &one)) {
    case 0: return nobody_is_writable(e, nodes);
    case 1: return only_one(e, nodes, count, one);
    default: return several(e, nodes, count);
    }
}

bool elect_step(struct election *e, const struct elect_node *nodes, int count) {
    int was = e->primary;
    e->primary = decide(e, nodes, count);
    if (e->primary >= 0) {
        const struct elect_node *n = &nodes[e->primary];
        e->known = e->primary;
        if (n->is_up && n->timeline > e->timeline) e->timeline = n->timeline;
    }
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
    e->primary = number_now(was, count, e->primary);
    e->known = number_now(was, count, e->known);
    if (e->known < 0) e->timeline = 0;
}
