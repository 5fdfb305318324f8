/*
 * Owns counts and claims; opens and closes nothing.
 */
#include "proxy/pool/budget.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"

enum { KEY_MAX = 256 };

struct budget {
    _Atomic uint32_t limit;
    _Atomic uint32_t used; /* changed under the lock alone */
};

void budget_book_init(struct budget_book *b) {
    *b = (struct budget_book){0};
    pthread_mutex_init(&b->lock, NULL);
    map_init(&b->budgets);
    list_init(&b->claims);
}

void budget_book_release(struct budget_book *b) {
    struct bytes key;
    void *value;
    size_t at = 0;
    while (map_next(&b->budgets, &at, &key, &value)) mem_free(value);
    map_release(&b->budgets);
    pthread_mutex_destroy(&b->lock);
}

/* ---- which budgets ---- */

/* One without a limit is not worth counting, unless it has had one. */
static bool add(struct budget_book *b, struct budget_list *l, char kind, const char *name, uint32_t limit) {
    char key[KEY_MAX];
    size_t len = strlen(name) + 1;
    if (len > sizeof key) return false;
    key[0] = kind;
    memcpy(key + 1, name, len - 1);
    struct budget *budget = map_get(&b->budgets, bytes_of(key, len));
    if (!budget) {
        if (!limit) return true;
        budget = mem_alloc(sizeof *budget);
        if (!budget || !map_put(&b->budgets, bytes_of(key, len), budget)) {
            mem_free(budget);
            return false;
        }
    }
    budget->limit = limit ? limit : UINT32_MAX;
    l->at[l->count++] = budget;
    return true;
}

static bool add_node(struct budget_book *b, struct budget_list *l, const struct config_cluster *cluster,
                     const struct config_node *node) {
    char name[KEY_MAX / 2];
    snprintf(name, sizeof name, "%.60s/%.60s", cluster->name, node->name);
    return add(b, l, 'n', name, node->max_server_conn);
}

bool budget_book_node(struct budget_book *b, const struct config_cluster *cluster, const struct config_node *node,
                      struct budget_list *out) {
    struct budget_list l = {.count = 0};
    pthread_mutex_lock(&b->lock);
    bool ok = add_node(b, &l, cluster, node);
    pthread_mutex_unlock(&b->lock);
    if (ok) *out = l;
    return ok;
}

bool budget_book_list(struct budget_book *b, const struct config *c, const struct config_database *db,
                      const struct config_node *node,
                      struct bytes user, struct budget_list *out) {
    const struct config_user *u = config_find_user(c, user);
    struct budget_list l = {.count = 0};
    pthread_mutex_lock(&b->lock);
    bool ok = add(b, &l, 'a', "", c->max_server_conn) && (!node || add_node(b, &l, db->cluster, node)) &&
              add(b, &l, 'd', db->name, db->max_server_conn) && (!u || add(b, &l, 'u', u->name, u->max_server_conn));
    pthread_mutex_unlock(&b->lock);
    if (ok) *out = l;
    return ok;
}

/* ---- places; under the lock ---- */

bool budget_has_room(const struct budget_list *l) {
    for (int i = 0; i < l->count; i++)
        if (l->at[i]->used >= l->at[i]->limit) return false;
    return true;
}

static void count(const struct budget_list *l, int change) {
    for (int i = 0; i < l->count; i++) l->at[i]->used += (uint32_t)change;
}

static bool is_shared(const struct budget_list *a, const struct budget_list *b) {
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++)
            if (a->at[i] == b->at[k]) return true;
    return false;
}

static struct budget_claim *claim_at(struct list *n) {
    return CONTAINER_OF(n, struct budget_claim, node);
}

static bool is_claimed(const struct budget_book *b, const struct budget_list *l) {
    LIST_EACH(n, &b->claims)
        if (is_shared(&claim_at(n)->wants, l)) return true;
    return false;
}

static void end_claim(struct budget_book *b, struct budget_claim *c) {
    list_remove(&c->node);
    atomic_fetch_sub_explicit(&b->claim_count, 1, memory_order_relaxed);
}

static void run_granted(struct mail *m) {
    struct budget_claim *c = CONTAINER_OF(m, struct budget_claim, mail);
    c->is_filed = false;
    c->on_granted(c);
}

/* In order; one that does not fit keeps nobody waiting who wants other budgets. */
static void grant_claims(struct budget_book *b) {
    LIST_EACH(n, &b->claims) {
        struct budget_claim *c = claim_at(n);
        if (!budget_has_room(&c->wants)) continue;
        count(&c->wants, 1);
        end_claim(b, c);
        c->is_granted = true;
        c->mail.run = run_granted;
        loop_post(c->loop, &c->mail);
    }
}

/* ---- what pools call ---- */

bool budget_take(struct budget_book *b, const struct budget_list *l) {
    if (!l->count) return true;
    pthread_mutex_lock(&b->lock);
    bool ok = budget_has_room(l) && !is_claimed(b, l);
    if (ok) count(l, 1);
    pthread_mutex_unlock(&b->lock);
    return ok;
}

void budget_give(struct budget_book *b, const struct budget_list *l) {
    if (!l->count) return;
    pthread_mutex_lock(&b->lock);
    count(l, -1);
    grant_claims(b);
    pthread_mutex_unlock(&b->lock);
}

void budget_claim(struct budget_book *b, struct budget_claim *c) {
    INVARIANT(!c->is_filed && c->wants.count);
    c->is_filed = true;
    c->is_granted = false;
    list_init(&c->node);
    pthread_mutex_lock(&b->lock);
    list_push_back(&b->claims, &c->node);
    atomic_fetch_add_explicit(&b->claim_count, 1, memory_order_relaxed);
    grant_claims(b);
    pthread_mutex_unlock(&b->lock);
}

bool budget_withdraw(struct budget_book *b, struct budget_claim *c) {
    if (!c->is_filed) return false;
    pthread_mutex_lock(&b->lock);
    bool is_granted = c->is_granted;
    if (!is_granted) end_claim(b, c);
    pthread_mutex_unlock(&b->lock);
    if (!is_granted) c->is_filed = false;
    return is_granted;
}

bool budget_has_claim_before(struct budget_book *b, const struct budget_list *l, const struct budget_claim *own,
                             uint64_t since_us) {
    if (!l->count || !atomic_load_explicit(&b->claim_count, memory_order_relaxed)) return false;
    bool found = false;
    pthread_mutex_lock(&b->lock);
    LIST_EACH(n, &b->claims) {
        const struct budget_claim *c = claim_at(n);
        found |= c != own && c->since_us < since_us && is_shared(&c->wants, l);
    }
    pthread_mutex_unlock(&b->lock);
    return found;
}

bool budget_is_claimed(struct budget_book *b, const struct budget_list *l) {
    pthread_mutex_lock(&b->lock);
    bool found = is_claimed(b, l);
    pthread_mutex_unlock(&b->lock);
    return found;
}

uint64_t budget_book_total(struct budget_book *b) {
    struct bytes key;
    void *value;
    size_t at = 0;
    uint64_t total = 0;
    pthread_mutex_lock(&b->lock);
    while (map_next(&b->budgets, &at, &key, &value)) total += ((struct budget *)value)->used;
    pthread_mutex_unlock(&b->lock);
    return total;
}

void budget_recount(struct budget_book *b, const struct budget_list *from, const struct budget_list *to) {
    if (!from->count && !to->count) return;
    pthread_mutex_lock(&b->lock);
    count(from, -1);
    count(to, 1);
    grant_claims(b);
    pthread_mutex_unlock(&b->lock);
}

bool budget_would_help(const struct budget_list *l, const struct budget_list *other) {
    for (int i = 0; i < l->count; i++)
        for (int k = 0; k < other->count; k++)
            if (l->at[i] == other->at[k] && l->at[i]->used >= l->at[i]->limit) return true;
    return false;
}
