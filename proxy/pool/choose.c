/*
 * Sums and comparisons; knows no pool.
 */
#include "proxy/pool/choose.h"

/* Grows evenly from its first part to all of it. */
uint64_t choose_share(const struct choose_node *n, const struct choose_rules *r) {
    uint64_t whole = n->weight ? n->weight : CHOOSE_SHARE_ONE;
    uint64_t up_us = r->now_us > n->back_us ? r->now_us - n->back_us : 0;
    if (LIKELY(up_us >= (uint64_t)r->slow_start_ms * 1000)) return whole;
    uint64_t percent = CHOOSE_FIRST_PERCENT + (100 - CHOOSE_FIRST_PERCENT) * (up_us / 1000) / r->slow_start_ms;
    return whole * percent / 100;
}

uint32_t choose_weight_for(uint32_t percent, uint64_t others) {
    uint64_t weight = others * percent / (100 - percent);
    return weight < 1 ? 1 : weight < CHOOSE_WEIGHT_MAX ? (uint32_t)weight : CHOOSE_WEIGHT_MAX;
}

/* Who is looked at. */
struct field {
    struct choose_node *const *nodes;
    int count;
    const struct choose_rules *rules;
    uint64_t total; /* of the shares */
};

/* By their shares, but for one; -1: there is no other. */
static int draw(const struct field *f, int but, uint64_t random) {
    uint64_t total = f->total - (but >= 0 ? f->nodes[but]->share : 0);
    uint64_t at = total ? random % total : 0;
    for (int i = 0; i < f->count; i++) {
        if (i == but) continue;
        uint64_t share = f->nodes[i]->share;
        if (at < share) return i;
        at -= share;
    }
    return -1;
}

/* Half of it after each CHOOSE_FADES_MS. */
static uint64_t latency_now(const struct choose_node *n, uint64_t now_us) {
    uint64_t halvings = now_us > n->latency_at_us ? (now_us - n->latency_at_us) / (CHOOSE_FADES_MS * UINT64_C(1000)) : 0;
    return halvings < 32 ? (uint64_t)n->latency_us >> halvings : 0;
}

static bool is_better(const struct field *f, int b, int a) {
    uint64_t of_a = (uint64_t)f->nodes[a]->outstanding + 1, of_b = (uint64_t)f->nodes[b]->outstanding + 1;
    if (f->rules->balance == BALANCE_LATENCY) {
        of_a *= latency_now(f->nodes[a], f->rules->now_us) + 1;
        of_b *= latency_now(f->nodes[b], f->rules->now_us) + 1;
    }
    return choose_is_less(of_b, f->nodes[b]->share, of_a, f->nodes[a]->share);
}

/* The first of them is it in any case when it has nothing to do, unless answers take longer there. */
static int of_two(const struct field *f, uint64_t random) {
    int a = draw(f, -1, random & UINT32_MAX);
    if (f->rules->balance != BALANCE_LATENCY && !f->nodes[a]->outstanding) return a;
    int b = draw(f, a, random >> 32);
    return b >= 0 && is_better(f, b, a) ? b : a;
}

/* Each is owed its share of every turn, and pays with a whole one; so turns are spread evenly, and who was away owes nothing. */
static int in_turn(const struct field *f) {
    int best = -1;
    for (int i = 0; i < f->count; i++) {
        struct choose_node *n = f->nodes[i];
        if (!n->share) continue;
        n->turn += (int64_t)n->share;
        if (best < 0 || n->turn > f->nodes[best]->turn) best = i;
    }
    f->nodes[best]->turn -= (int64_t)f->total;
    return best;
}

int choose_node(struct choose_node *const nodes[], int count, const struct choose_rules *r, uint64_t random) {
    struct field f = {.nodes = nodes, .count = count, .rules = r};
    bool is_near_only = false;
    for (int i = 0; i < count; i++) {
        is_near_only |= nodes[i]->is_near && nodes[i]->has_room;
        f.total += nodes[i]->share = choose_share(nodes[i], r);
    }
    for (int i = 0; UNLIKELY(is_near_only) && i < count; i++) {
        if (nodes[i]->is_near && nodes[i]->has_room) continue;
        f.total -= nodes[i]->share;
        nodes[i]->share = 0;
    }
    return r->balance == BALANCE_ROUND_ROBIN ? in_turn(&f) : of_two(&f, random);
}

/* Up at once by half, down by an eighth: who has become slow is left soon, who is fast again wins slowly. */
void choose_note_latency(struct choose_node *n, uint64_t took_us, uint64_t now_us) {
    uint64_t took = took_us < CHOOSE_LATENCY_MAX_US ? took_us : CHOOSE_LATENCY_MAX_US, before = latency_now(n, now_us);
    if (!n->latency_at_us) before = took;
    n->latency_us = (uint32_t)(took > before ? before + (took - before) / 2 : before - (before - took) / 8);
    n->latency_at_us = now_us;
}
