/*
 * A ring of owed replies. Knows groups, not messages.
 */
#include "proxy/pool/ledger.h"

#include <string.h>

#include "base/fault.h"

const char *txn_state_name(enum txn_state txn) {
    switch (txn) {
    case TXN_NONE:
        return "none";
    case TXN_OPEN:
        return "open";
    case TXN_FAILED:
        return "failed";
    }
    return "?";
}

void ledger_init(struct ledger *l) {
    memset(l, 0, sizeof *l);
    l->ring = l->inline_ring;
    l->cap = LEDGER_INLINE;
}

void ledger_release(struct ledger *l) {
    if (l->ring != l->inline_ring) mem_free(l->ring);
    ledger_init(l);
}

static RARELY bool grow(struct ledger *l) {
    uint32_t cap = l->cap * 2;
    if (cap > LEDGER_MAX * 2) return false;
    struct ledger_entry *ring = mem_alloc(cap * sizeof *ring);
    if (!ring) return false;
    for (uint32_t i = 0; i < l->count; i++) ring[i] = *ledger_at(l, i);
    if (l->ring != l->inline_ring) mem_free(l->ring);
    l->ring = ring;
    l->cap = cap;
    l->head = 0;
    return true;
}

bool ledger_push(struct ledger *l, uint8_t kind, enum reply_fate fate, bool ends_group) {
    uint16_t tag = l->next_tag;
    l->next_tag = 0;
    l->is_group_open = !ends_group;
    if (UNLIKELY(l->is_skipping)) {
        if (kind != l->resume_kind) {
            l->is_group_open = true;
            return true;
        }
        l->is_skipping = false;
    }
    if (UNLIKELY(l->count == l->cap) && !grow(l)) return false;
    l->ring[(l->head + l->count) & (l->cap - 1)] =
        (struct ledger_entry){.kind = kind, .fate = (uint8_t)fate, .ends_group = ends_group, .tag = tag};
    l->count++;
    l->groups += ends_group;
    return true;
}

struct ledger_entry *ledger_head(struct ledger *l) {
    return l->count ? &l->ring[l->head] : NULL;
}

struct ledger_entry *ledger_at(struct ledger *l, uint32_t i) {
    INVARIANT(i < l->count);
    return &l->ring[(l->head + i) & (l->cap - 1)];
}

bool ledger_owes_forward(struct ledger *l) {
    for (uint32_t i = 0; i < l->count; i++)
        if (ledger_at(l, i)->fate == REPLY_FORWARD) return true;
    return false;
}

bool ledger_owes_own_only(struct ledger *l) {
    if (l->doubtful || l->is_group_open || l->is_message_open || l->is_skipping || l->is_client_turn) return false;
    return !ledger_owes_forward(l);
}

void ledger_pop(struct ledger *l) {
    INVARIANT(l->count > 0);
    l->groups -= l->ring[l->head].ends_group;
    l->head = (l->head + 1) & (l->cap - 1);
    l->count--;
    l->phase = 0;
}

void ledger_remove(struct ledger *l, uint32_t i) {
    l->groups -= ledger_at(l, i)->ends_group;
    for (uint32_t k = i; k + 1 < l->count; k++) *ledger_at(l, k) = *ledger_at(l, k + 1);
    l->count--;
}

void ledger_void_until(struct ledger *l, uint8_t resume_kind) {
    l->has_voided_end = false;
    for (const struct ledger_entry *head; (head = ledger_head(l)) && head->kind != resume_kind; ledger_pop(l)) {
        if (!head->ends_group || l->has_voided_end) continue;
        l->has_voided_end = true;
        l->voided_tag = head->tag;
    }
    if (l->count == 0) {
        l->is_skipping = true;
        l->resume_kind = resume_kind;
        l->is_group_open = true;
    }
    l->is_client_turn = false;
    l->phase = 0;
}
