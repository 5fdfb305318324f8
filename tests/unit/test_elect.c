/*
 * test_elect.c - who is primary: each rule of proxy/topology/elect.h by what nodes say of themselves.
 *
 * A picture is one word a node: name, P (can be written to) or S (a standby), its timeline; then >x (it streams from node x),
 * ? (not probed yet), ! (does not answer), * (of another cluster), ~ (apart: a subscriber).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/topology/elect.h"
#include "proxy/topology/health.h"
#include "proxy/topology/lag.h"
#include "tests/unit/check_main.h"

enum { NODES = 8 };

static char names[NODES][2];
static struct elect_node nodes[NODES];

static void take_word(const char *word, struct elect_node *n, char *name) {
    name[0] = word[0];
    *n = (struct elect_node){.name = name, .was_probed = true, .is_up = true, .is_in_recovery = word[1] == 'S', .system_id = 7,
                             .timeline = (uint32_t)(word[2] - '0'), .upstream = ELECT_NOBODY};
    for (const char *at = word + 3; *at; at++) {
        if (*at == '>') n->upstream = *++at - 'a';
        else if (*at == '?') n->was_probed = n->is_up = false;
        else if (*at == '!') n->is_up = false;
        else if (*at == '*') n->system_id = 8;
        else if (*at == '~') n->is_apart = true, n->is_up = false, n->system_id = 9;
    }
}

static int picture(const char *text) {
    char copy[128], *rest = copy;
    int count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word; (word = strsep(&rest, " ")); count++) take_word(word, &nodes[count], names[count]);
    return count;
}

static struct election e;

/* Who is primary after each picture of a story; `why` is part of the last reason. */
static void story(const char *const *pictures, const char *expected, const char *why) {
    election_init(&e);
    for (int i = 0; pictures[i]; i++) {
        int before = e.primary;
        bool has_changed = elect_step(&e, nodes, picture(pictures[i]));
        char now = e.primary < 0 ? '-' : nodes[e.primary].name[0];
        ck_assert_msg(now == expected[i], "%s (picture %d) gives %c instead of %c: %s", pictures[i], i, now, expected[i], e.reason);
        ck_assert(has_changed == (before != e.primary));
    }
    ck_assert_msg(strstr(e.reason, why) != NULL, "the reason is: %s", e.reason);
}
#define STORY(expected, why, ...) story((const char *const[]){__VA_ARGS__, NULL}, expected, why)

START_TEST(a_cluster_as_it_should_be) {
    STORY("a", "only node", "aP1 bS1>a cS1>a");
    STORY("b", "only node", "aS3>b bP3 cS3>a");
    STORY("a", "only node", "aP1");
    STORY("-", "no node can be written to", "aS1 bS1");
}
END_TEST

START_TEST(nothing_is_decided_before_all_were_asked) {
    STORY("-", "not all nodes", "aP1 bS1?");
    STORY("-", "not all nodes", "aP1? bS1?");
    STORY("-a", "only node", "aP1 bS1?", "aP1 bS1!");
    STORY("a", "standbys stream from it", "aP1 bS1>a cS1?"); /* it can be nothing else */
    STORY("-b", "only node", "aP1? bP2 cS2!", "aS2>b bP2 cS2!");
    STORY("aa", "only node", "aP1 bS1>a", "aP1 bS1>a cS1?"); /* one that joins takes nothing away ... */
    STORY("a-b", "does not answer", "aP1 bS1>a", "aP1! bS1 cS1?", "aP1! bP2 cS1?"); /* ... and holds nothing up */
    STORY("a-c", "does not answer", "aP1 bS1>a", "aP1! bS1 cP2?", "aP1! bS2>c cP2");
}
END_TEST

START_TEST(a_subscriber_has_no_part_in_it) {
    STORY("a", "only node", "aP1 bP1~");
    STORY("b", "only node", "aP1~ bP1");
    STORY("a", "only node", "aP1 bS1>a cP9~");
    STORY("a", "only node", "aP1 bS1>a cP9~?"); /* nobody waits for it */
    STORY("-", "not all nodes", "aP1 bS1? cP9~");
    STORY("a-b", "does not answer", "aP1 bS1>a cP9~", "aP1! bS1 cP9~", "aP1! bP2 cP9~");
    STORY("a-", "no other node can be written to", "aP1 bP9~", "aP1! bP9~");
    STORY("aa", "only node", "aP1 bS1>a cP9~", "aP1* bS1>a* cP9~"); /* after pg_upgrade */
}
END_TEST

START_TEST(a_failover_is_followed) {
    STORY("a-b", "does not answer", "aP1 bS1>a cS1>a", "aP1! bS1 cS1", "aP1! bP2 cS1");
    STORY("a-b", "is a standby now", "aP1 bS1>a cS1>a", "aS1 bS1 cS1", "aS2>b bP2 cS2>b");
    STORY("abc", "", "aP1 bS1>a cS1>a", "aS2>b bP2 cS2>b", "aS3>c bS3>c cP3");
    STORY("aaa", "only node", "aP1 bS1>a", "aP1 bS1!", "aP1 bS1>a");
    STORY("a-a", "only node", "aP1 bS1>a", "aP1! bS1", "aP1 bS1>a"); /* it was restarted */
}
END_TEST

START_TEST(the_old_primary_comes_back) {
    STORY("a-bb", "left alone", "aP1 bS1>a cS1>a", "aP1! bS1 cS1", "aP1! bP2 cS2>b", "aP1 bP2 cS2>b");
    STORY("a-bb", "left alone", "aP1 bS1>a cS1>a", "aP1! bS1 cS1", "aP1! bP2 cS1", "aP1 bP2 cS1>a"); /* to its standbys */
    STORY("a-b-", "higher one", "aP1 bS1>a cS1>a", "aP1! bS1 cS1", "aP1! bP2 cS1", "aP1 bP2! cS1>a"); /* while the new one is away */
    STORY("a-bb", "left alone", "aP1 bS1>a", "aP1! bS1", "aP1! bP2", "aP1 bP2"); /* with a lower timeline: an older one */
    STORY("b", "stream from", "aP1 bP2 cS2>b"); /* for a gilmok that has begun just now */
}
END_TEST

START_TEST(a_stray_promotion_takes_nothing) {
    STORY("aa", "node c can be written to as well", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2");
    STORY("aa", "node c can be written to as well", "aP1 bS1>a cS1>a dS1>c", "aP1 bS1>a cP2 dS2>c"); /* with a standby of its own */
    STORY("a-", "no standby streams from either", "aP1 bS1>a", "aP1 bP2");
    STORY("aaa", "can be written to as well", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1 bS1>a cP2"); /* however long */
    STORY("aa-a", "left alone", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1! bS1>a cP2", "aP1 bS1>a cP2"); /* not by gilmok's blindness */
    STORY("aa-a", "left alone", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1! bS1 cP2", "aP1 bS1>a cP2"); /* nor by a restart */
    STORY("aa-", "was promoted beside node a", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1! bS1 cP2");
    STORY("aa-b", "on timeline 3", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1! bS1 cP2", "aP1! bP3 cP2");
    STORY("aa-c", "on timeline 2", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1! bS1 cP2", "aP1! bS2>c cP2"); /* somebody has decided */
    STORY("aaa-c", "on timeline 3", "aP1 bS1>a cS1>a", "aP1 bS1>a cP2", "aP1 bS1>a cS2", "aP1! bS1 cS2", "aP1! bS1 cP3");
    STORY("ac", "does not answer", "aP1 bS1>a cS1>a", "aP1! bS1>a cP2"); /* promoted after that: b has not noticed yet */
}
END_TEST

START_TEST(several_that_can_be_written_to) {
    STORY("b", "stream from", "aP1 bP2 cS2>b");
    STORY("-", "streams from either", "aP1 bP2");
    STORY("-", "stream from both", "aP1 bP2 cS1>a dS2>b");
    STORY("ab", "stream from", "aP1 bS1>a cS1>a", "aP1 bP2 cS2>b"); /* promoted on purpose, the old one not stopped */
    STORY("a-c", "highest timeline", "aP1 bS1>a cS1>a", "aP1! bS1 cS1", "aP1! bP2 cP3");
    STORY("a--", "streams from either", "aP1 bS1>a cS1>a", "aP1! bS1 cS1", "aP1! bP2 cP2");
    STORY("ab", "stream from", "aP1 bS1>a cS1>a dS1>c", "aP1 bP2 cS2>b dS2>c"); /* in a chain */
}
END_TEST

START_TEST(a_copy_is_no_promotion) {
    STORY("a--", "would have a higher one", "aP1 bS1>a", "aP1! bS1", "aP1! bP1"); /* its standby.signal was removed */
    STORY("a-", "would have a higher one", "aP4 bS4>a", "aS4 bP3");
    STORY("a-", "another primary since", "aP1 bS1>a cS1>a dS1>a", "aP1! bP2 cP3! dS3>c");
    STORY("a-", "another primary since", "aP1 bS1>a cS1>a dS1>a", "aP1 bS1! cS2>b dS2>b"); /* only gilmok does not reach it */
    STORY("-", "another primary since", "aP1 bS2"); /* gilmok has begun behind a failover, and the new primary is away */
}
END_TEST

START_TEST(another_cluster) {
    STORY("a", "only node", "aP1 bS1>a cP9*");
    STORY("aa-a", "only node", "aP1 bS1>a", "aP1 bS1>a", "aP1* bS1", "aP1* bS1>a*"); /* pg_upgrade */
    STORY("aa", "only node", "aP1 bS1>a", "aP1 bP9*");
    STORY("a-", "is another cluster now", "aP1 bS1>a", "aP1* bS1");
    STORY("-", "different clusters", "aP1 bP1*");
    STORY("-", "different clusters", "aP1 bS1 cP1* dS1*");
    election_init(&e);
    (void)elect_step(&e, nodes, picture("aP1 bS1>a cP9*"));
    ck_assert(elect_is_foreign(&e, &nodes[2]) && !elect_is_foreign(&e, &nodes[0]));
}
END_TEST

START_TEST(circles_end) {
    STORY("-", "no node can be written to", "aS1>b bS1>a");
    STORY("c", "only node", "aS1>b bS1>a cP1");
    STORY("a", "only node", "aP1 bS1>z"); /* from somebody whom the configuration does not have */
}
END_TEST

START_TEST(nodes_come_and_go) {
    election_init(&e);
    (void)elect_step(&e, nodes, picture("aP1 bS1>a"));
    elect_renumber(&e, (const int[]){-1, 0, 1}, 3); /* a new one in front */
    ck_assert_int_eq(e.primary, 1);
    ck_assert(!elect_step(&e, nodes, picture("aS1>b bP1 cS1>b")));
    elect_renumber(&e, (const int[]){0, 2}, 2); /* the primary was taken out */
    ck_assert_int_eq(e.primary, ELECT_NOBODY);
    ck_assert(e.system_id == 7);
    (void)elect_step(&e, nodes, picture("aP2 bS2>a"));
    ck_assert_int_eq(e.primary, 0);
    (void)elect_step(&e, nodes, picture("aP1 bS1>a")); /* an old copy was put back there */
    ck_assert(e.primary == 0 && e.timeline == 1);
    (void)elect_step(&e, nodes, picture("aP1 bS1>a cP2")); /* the primary is taken out, and a stray stays */
    elect_renumber(&e, (const int[]){1, 2}, 2);
    (void)elect_step(&e, nodes, picture("aS1 bP2"));
    ck_assert_int_eq(e.primary, 1);
    elect_renumber(&e, (const int[]){-1, -1}, 2); /* all others: another cluster under the name */
    ck_assert(e.system_id == 0 && e.known == ELECT_NOBODY);
}
END_TEST

/* ---- histories that chance makes up ---- */

static uint64_t seed;

static uint32_t below(uint32_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* One event in a cluster of `count` nodes: someone stops, starts, is promoted, is demoted, streams from another, is seen or is not. */
static void happen(int count) {
    struct elect_node *n = &nodes[below((uint32_t)count)];
    int other = (int)below((uint32_t)count);
    switch (below(8)) {
    case 0: n->is_up = !n->is_up; break;
    case 1: n->is_up = true; break;
    case 2: /* a promotion begins a timeline that nobody has */
        for (int i = 0; i < count && n->is_in_recovery; i++)
            if (nodes[i].timeline >= n->timeline) n->timeline = nodes[i].timeline + 1;
        n->is_in_recovery = false;
        n->upstream = ELECT_NOBODY;
        break;
    case 3: n->is_in_recovery = true; break;
    case 4: case 5:
        if (!n->is_in_recovery || &nodes[other] == n) break;
        n->upstream = other;
        if (nodes[other].timeline > n->timeline) n->timeline = nodes[other].timeline;
        break;
    case 6: n->was_probed = true; break;
    default: n->system_id = below(20) ? 7 : 8;
    }
}

static int count_direct_followers(int count, int of) {
    int found = 0;
    for (int i = 0; i < count; i++)
        found += nodes[i].is_up && nodes[i].is_in_recovery && nodes[i].upstream == of && nodes[i].system_id == nodes[of].system_id;
    return found;
}

/* Whatever happens: who is chosen can be written to, is of the cluster, and is never older than who was chosen before. */
START_TEST(no_history_makes_it_go_back) {
    int chosen = 0, changes = 0;
    for (uint64_t history = 1; history <= 3000; history++) {
        int count = 2 + (int)below(4);
        uint32_t highest = 0;
        seed = history * 7919;
        for (int i = 0; i < count; i++) {
            names[i][0] = (char)('a' + i);
            nodes[i] = (struct elect_node){.name = names[i], .was_probed = true, .is_up = true, .is_in_recovery = i > 0, .system_id = 7,
                                           .timeline = 1, .upstream = i > 0 ? 0 : ELECT_NOBODY};
        }
        election_init(&e);
        for (int step = 0; step < 60; step++) {
            int known = e.known;
            bool was_firm = known >= 0 && e.primary == known;
            happen(count);
            bool holds = was_firm && nodes[known].is_up && !nodes[known].is_in_recovery && nodes[known].system_id == e.system_id &&
                         count_direct_followers(count, known) > 0;
            changes += elect_step(&e, nodes, count);
            ck_assert(e.reason[0] && strlen(e.reason) < sizeof e.reason - 1);
            if (holds) ck_assert_msg(e.primary == known, "history %d: it leaves %s: %s", (int)history, nodes[known].name, e.reason);
            if (e.primary < 0) continue;
            const struct elect_node *p = &nodes[e.primary];
            chosen++;
            ck_assert_msg(p->is_up && !p->is_in_recovery && p->system_id == e.system_id, "history %d: %s", (int)history, e.reason);
            ck_assert_msg(p->timeline >= highest, "history %d: timeline %u behind %u: %s", (int)history, p->timeline, highest, e.reason);
            if (e.primary != known && known >= 0) ck_assert_msg(p->timeline > highest, "history %d: %s", (int)history, e.reason);
            highest = p->timeline;
        }
    }
    ck_assert(chosen > 30000 && changes > 3000); /* else it has tried nothing */
}
END_TEST

START_TEST(a_node_is_down_after_several_failures) {
    struct health h = {0};
    ck_assert(health_note(&h, true, 2, 3) && h.state == NODE_UP);
    ck_assert(!health_note(&h, false, 2, 3) && !health_note(&h, false, 2, 3) && !health_note(&h, true, 2, 3)); /* begins again */
    ck_assert(!health_note(&h, false, 2, 3) && !health_note(&h, false, 2, 3) && health_note(&h, false, 2, 3));
    ck_assert_int_eq(h.state, NODE_DOWN);
    ck_assert(!health_note(&h, true, 2, 3) && health_note(&h, true, 2, 3) && h.state == NODE_UP);
    h = (struct health){0};
    ck_assert(!health_note(&h, false, 2, 2) && h.state == NODE_UNKNOWN && health_note(&h, false, 2, 2) && h.state == NODE_DOWN);
}
END_TEST

START_TEST(lag_on_an_idle_primary_is_none) {
    struct lag_history h = {0};
    ck_assert(lag_ms(&h, 0, 1000000) == -1);
    lag_note(&h, 1000000, 100);
    for (int i = 2; i < 100; i++) lag_note(&h, (uint64_t)i * 1000000, 100);
    ck_assert(lag_ms(&h, 100, 100000000) == 0 && lag_bytes(&h, 100) == 0);
    lag_note(&h, 100000000, 300); /* the standby has a sample's time to follow */
    ck_assert(lag_ms(&h, 100, 100000000) == 0 && lag_bytes(&h, 100) == 200);
    ck_assert(lag_ms(&h, 100, 102500000) == 2500 && lag_ms(&h, 299, 102500000) == 2500 && lag_ms(&h, 300, 102500000) == 0);
    ck_assert(lag_ms(&h, 400, 102500000) == 0 && lag_bytes(&h, 400) == 0); /* it was asked later */
}
END_TEST

START_TEST(lag_of_hours_is_told_too) {
    struct lag_history h = {0};
    for (uint64_t s = 1; s <= 7200; s++) lag_note(&h, s * 1000000, s * 10);
    ck_assert(h.count <= LAG_SAMPLES);
    int64_t two_seconds = lag_ms(&h, 7198 * 10, UINT64_C(7200000000)), an_hour = lag_ms(&h, 3600 * 10, UINT64_C(7200000000));
    ck_assert_msg(two_seconds == 1000, "%lld", (long long)two_seconds); /* past 7198 since the sample of 7199 */
    ck_assert_msg(an_hour > 3000000 && an_hour <= 3600000, "%lld", (long long)an_hour);
    lag_note(&h, UINT64_C(7201000000), 50); /* a new primary, whose log is another one */
    ck_assert(h.count == 1 && lag_ms(&h, 50, UINT64_C(7202000000)) == 0);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("elect");
    tcase_add_test(t, a_cluster_as_it_should_be);
    tcase_add_test(t, nothing_is_decided_before_all_were_asked);
    tcase_add_test(t, a_subscriber_has_no_part_in_it);
    tcase_add_test(t, a_failover_is_followed);
    tcase_add_test(t, the_old_primary_comes_back);
    tcase_add_test(t, a_stray_promotion_takes_nothing);
    tcase_add_test(t, several_that_can_be_written_to);
    tcase_add_test(t, a_copy_is_no_promotion);
    tcase_add_test(t, another_cluster);
    tcase_add_test(t, circles_end);
    tcase_add_test(t, nodes_come_and_go);
    tcase_add_test(t, no_history_makes_it_go_back);
    tcase_add_test(t, a_node_is_down_after_several_failures);
    tcase_add_test(t, lag_on_an_idle_primary_is_none);
    tcase_add_test(t, lag_of_hours_is_told_too);
    return check_main_of("elect", t);
}
