/*
 * Bookkeeping only: what is sent to the server is its callers' business.
 */
#include "proxy/pool/prepared_pg.h"

#include <stdio.h>

#include "base/fault.h"
#include "proxy/pool/description_pg.h"

struct key {
    const struct statement_pg *statement;
    uint64_t description;
};

static struct bytes key_bytes(const struct key *k) {
    return bytes_of(k, sizeof *k);
}

static_assert(sizeof(struct key) == sizeof(void *) + sizeof(uint64_t), "no padding: it is hashed as bytes");

void prepared_pg_init(struct prepared_set_pg *set) {
    *set = (struct prepared_set_pg){0};
    map_init(&set->known);
    list_init(&set->recent);
    list_init(&set->unsettled);
}

static void drop_all(struct prepared_set_pg *set, struct list *head) {
    struct list *n;
    while ((n = list_first(head))) prepared_pg_drop(set, CONTAINER_OF(n, struct prepared_pg, node));
}

void prepared_pg_release(struct prepared_set_pg *set) {
    if (!set->recent.next) return; /* never initialised: the connection did not get that far */
    drop_all(set, &set->recent);
    drop_all(set, &set->unsettled);
    map_release(&set->known);
}

struct prepared_pg *prepared_pg_find(struct prepared_set_pg *set, const struct statement_pg *st, uint64_t description) {
    struct key key = {st, description};
    struct list *latest = list_first(&set->recent);
    struct prepared_pg *p = latest ? CONTAINER_OF(latest, struct prepared_pg, node) : NULL;
    if (p && !p->is_spare && p->statement == st && p->description == description) return p; /* what is no spare is known */
    p = map_get(&set->known, key_bytes(&key));
    if (p && list_first(&set->recent) != &p->node) {
        list_remove(&p->node);
        list_push_front(&set->recent, &p->node);
    }
    return p;
}

struct prepared_pg *prepared_pg_new(struct prepared_set_pg *set, struct statement_pg *st) {
    struct prepared_pg *p = mem_alloc(sizeof *p);
    if (!p) return NULL;
    list_init(&p->node);
    list_push_back(&set->unsettled, &p->node);
    p->statement = statement_pg_ref(st);
    snprintf(p->name, sizeof p->name, "%s_%x", st->name, set->next++);
    set->count++;
    return p;
}

void prepared_pg_settle(struct prepared_set_pg *set, struct prepared_pg *p, uint64_t description) {
    struct key key = {p->statement, description};
    p->description = description;
    p->is_settled = true;
    p->is_spare = map_get(&set->known, key_bytes(&key)) || !map_put(&set->known, key_bytes(&key), p);
    set->spares += p->is_spare;
    list_remove(&p->node);
    if (p->is_spare) list_push_back(&set->recent, &p->node);
    else list_push_front(&set->recent, &p->node);
}

void prepared_pg_give_up(struct prepared_set_pg *set, struct prepared_pg *p) {
    p->is_settled = p->is_spare = true;
    set->spares++;
    list_remove(&p->node);
    list_push_back(&set->recent, &p->node);
}

void prepared_pg_drop(struct prepared_set_pg *set, struct prepared_pg *p) {
    struct key key = {p->statement, p->description};
    if (p->is_settled && !p->is_spare) (void)map_take(&set->known, key_bytes(&key));
    set->spares -= p->is_spare;
    set->count--;
    list_remove(&p->node);
    statement_pg_unref(p->statement);
    mem_free(p);
}

void prepared_pg_clear(struct prepared_set_pg *set) {
    drop_all(set, &set->recent);
}

void prepared_pg_clear_unsettled(struct prepared_set_pg *set) {
    drop_all(set, &set->unsettled);
}

/* The one that was used last is about to be used: unsettled ones beside it may stay for a whole transaction. */
static uint32_t count_settled(const struct prepared_set_pg *set) {
    uint32_t count = set->count;
    LIST_EACH(n, &set->unsettled) count--;
    return count;
}

struct prepared_pg *prepared_pg_surplus(struct prepared_set_pg *set, uint32_t max) {
    if (set->spares == 0 && (set->count <= max || count_settled(set) <= 1)) return NULL;
    struct list *n = list_last(&set->recent);
    return n ? CONTAINER_OF(n, struct prepared_pg, node) : NULL;
}

static const struct prepared_pg *named_among(const struct list *head, struct bytes name) {
    LIST_EACH(n, head) {
        const struct prepared_pg *p = CONTAINER_OF(n, struct prepared_pg, node);
        if (bytes_is(name, p->name)) return p;
    }
    return NULL;
}

const struct prepared_pg *prepared_pg_named(const struct prepared_set_pg *set, struct bytes name) {
    const struct prepared_pg *p = named_among(&set->recent, name);
    return p ? p : named_among(&set->unsettled, name);
}

const struct prepared_pg *prepared_pg_with_rows(const struct prepared_set_pg *set) {
    LIST_EACH(n, &set->recent) {
        const struct prepared_pg *p = CONTAINER_OF(n, struct prepared_pg, node);
        if (description_pg_has_columns(p->description)) return p;
    }
    return NULL;
}
