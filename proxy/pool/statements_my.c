/*
 * Bookkeeping only: what is sent to the server is its callers' business.
 */
#include "proxy/pool/statements_my.h"

#include "base/fault.h"

enum { TYPE_LEN = 2 };

static struct statement_my *statement_at(struct list *node) {
    return node ? CONTAINER_OF(node, struct statement_my, node) : NULL;
}

static struct bytes text_of(const struct statement_my *st) {
    return bytes_of(st->text, st->text_len);
}

void statements_my_init(struct statements_my *s) {
    *s = (struct statements_my){0};
    map_init(&s->by_text);
    list_init(&s->used);
}

/* It is not found by its text, or another one is. */
static void forget(struct statements_my *s, struct statement_my *st) {
    list_remove(&st->node);
    s->count--;
    mem_free(st->types);
    mem_free(st);
}

void statements_my_release(struct statements_my *s) {
    if (!s->used.next) return; /* never initialised: the connection did not get that far */
    struct list *n;
    while ((n = list_first(&s->used))) forget(s, statement_at(n));
    map_release(&s->by_text);
}

struct statement_my *statements_my_find(struct statements_my *s, struct bytes text) {
    struct statement_my *st = map_get_again(&s->by_text, text);
    if (st && list_first(&s->used) != &st->node) {
        list_remove(&st->node);
        list_push_front(&s->used, &st->node);
    }
    return st;
}

static struct statement_my *statement_new(struct bytes text) {
    if (text.len > UINT32_MAX) return NULL; /* no server has room for it */
    struct statement_my *st = mem_alloc(sizeof *st + text.len);
    if (!st) return NULL;
    list_init(&st->node);
    st->text_len = (uint32_t)text.len;
    if (text.len) memcpy(st->text, text.ptr, text.len);
    return st;
}

struct statement_my *statements_my_add(struct statements_my *s, struct bytes text, uint32_t id, uint16_t parameters,
                                       uint16_t columns, uint32_t max, uint32_t *closes) {
    *closes = 0;
    struct statement_my *st = statement_new(text);
    if (!st) return NULL;
    st->id = id;
    st->parameters = parameters;
    st->columns = columns;
    struct statement_my *same = map_get(&s->by_text, text);
    if (!map_put(&s->by_text, text_of(st), st)) {
        mem_free(st);
        return NULL;
    }
    list_push_front(&s->used, &st->node);
    s->count++;
    if (same) {
        *closes = same->id;
        forget(s, same);
    } else {
        *closes = statements_my_shed(s, max);
    }
    return st;
}

uint32_t statements_my_shed(struct statements_my *s, uint32_t max) {
    if (s->count <= 1 || s->count <= max) return 0;
    for (struct list *n = s->used.prev; n != &s->used; n = n->prev) {
        struct statement_my *oldest = statement_at(n);
        if (oldest->is_kept || n == s->used.next) continue;
        uint32_t id = oldest->id;
        statements_my_remove(s, oldest);
        return id;
    }
    return 0;
}

struct statement_my *statements_my_rename(struct statements_my *s, struct statement_my *statement, struct bytes text) {
    struct statement_my *st = statement_new(text);
    if (!st) return NULL;
    if (!map_put(&s->by_text, text_of(st), st)) {
        mem_free(st);
        return NULL;
    }
    st->id = statement->id;
    st->parameters = statement->parameters;
    st->columns = statement->columns;
    st->is_kept = statement->is_kept;
    st->types = statement->types;
    statement->types = NULL;
    list_push_front(&s->used, &st->node);
    s->count++;
    statements_my_remove(s, statement);
    return st;
}

void statements_my_remove(struct statements_my *s, struct statement_my *statement) {
    (void)map_take(&s->by_text, text_of(statement));
    forget(s, statement);
}

/* How many there are does not change: there is room for them from the first time on. */
bool statements_my_keep_types(struct statement_my *statement, const uint8_t *types) {
    size_t len = (size_t)TYPE_LEN * statement->parameters;
    if (len == 0) return true;
    if (!statement->types) statement->types = mem_alloc_raw(len);
    if (!statement->types) return false;
    memmove(statement->types, types, len); /* they may be its own */
    return true;
}
