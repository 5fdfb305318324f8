/*
 * The lessee that nobody is.
 */
#include "proxy/pool/departed.h"

#include "base/fault.h"
#include "proxy/pool/pool.h"

struct departed {
    struct lessee lessee;
    struct list node; /* in pool_set.departed */
    struct task done; /* releases the connection, outside of its callbacks */
    uint64_t since_us;
    uint32_t bytes; /* thrown away so far */
};

static struct departed *departed_of(struct lessee *l) {
    return CONTAINER_OF(l, struct departed, lessee);
}

static void forget(struct departed *d) {
    task_cancel(&d->done);
    list_remove(&d->node);
    mem_free(d);
}

static void give_up(struct departed *d) {
    struct backend *b = d->lessee.backend;
    b->lessee = NULL;
    forget(d);
    backend_retire(b);
}

/* Quiet: it is released; in want of something that only a client can say: it is closed. */
static void on_done(struct task *t) {
    struct departed *d = CONTAINER_OF(t, struct departed, done);
    struct backend *b = d->lessee.backend;
    if (ledger_is_quiet(&b->ledger)) {
        pool_release(&d->lessee);
        forget(d);
    } else if (b->ledger.is_client_turn || d->bytes > DEPARTED_BYTES_MAX) {
        give_up(d);
    }
}

static void look(struct lessee *l) {
    loop_defer(l->backend->variant->pool->set->loop, &departed_of(l)->done);
}

static void on_reply(struct lessee *l, struct buf *buf, struct bytes data) {
    (void)buf;
    uint64_t bytes = (uint64_t)departed_of(l)->bytes + data.len;
    departed_of(l)->bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    look(l);
}

static void on_group_end(struct lessee *l, uint16_t tag, bool is_quiet) {
    (void)tag;
    (void)is_quiet;
    look(l);
}

static void on_part(struct lessee *l, uint8_t kind, uint16_t tag) {
    (void)l;
    (void)kind;
    (void)tag;
}

static bool on_error(struct lessee *l, uint8_t kind, uint16_t tag, struct bytes message) {
    (void)l;
    (void)kind;
    (void)tag;
    (void)message;
    return false;
}

static void on_looked(struct lessee *l, struct bytes answer, bool ok) {
    (void)answer;
    (void)ok;
    look(l);
}

static bool on_notification(struct lessee *l, struct buf *buf, struct bytes message) {
    (void)l;
    (void)buf;
    (void)message;
    return false;
}

static void on_nothing(struct lessee *l) {
    (void)l;
}

static void on_lost(struct lessee *l, const struct err *err) {
    (void)err;
    forget(departed_of(l));
}

static const struct lessee_ops lessee_ops = {
    .on_reply = on_reply,
    .on_group_end = on_group_end,
    .on_tagged = on_part,
    .on_failed = on_part,
    .on_error = on_error,
    .on_hidden = look,
    .on_statements_dropped = on_nothing,
    .on_looked = on_looked,
    .on_settled = look,
    .on_notification = on_notification,
    .on_room = on_nothing,
    .on_lost = on_lost,
};

/* An open group would end with a Sync of the client's; whoever skips waits for one. */
static bool ends_by_itself(const struct ledger *l) {
    return l->count && !l->is_message_open && !l->is_client_turn && !l->is_skipping && !l->is_group_open;
}

bool departed_take(struct backend *b) {
    struct pool_set *set = b->variant->pool->set;
    struct departed *d = set->is_closing || !ends_by_itself(&b->ledger) ? NULL : mem_alloc(sizeof *d);
    if (!d) return false;
    d->lessee.ops = &lessee_ops;
    d->lessee.backend = b;
    d->lessee.variant = b->variant;
    d->lessee.last_backend_id = b->id;
    list_init(&d->lessee.wait_node);
    list_init(&d->node);
    task_init(&d->done, on_done);
    d->since_us = set->loop->now_us;
    b->lessee = &d->lessee;
    b->is_tainted = true; /* nobody has kept count of what is left behind */
    b->reads_notifications = false;
    list_push_back(&set->departed, &d->node);
    return true;
}

void departed_expire(struct pool_set *set) {
    for (struct list *n = set->departed.next, *next; n != &set->departed; n = next) {
        struct departed *d = CONTAINER_OF(n, struct departed, node);
        next = n->next;
        if (set->loop->now_us - d->since_us < DEPARTED_MS * 1000) break; /* the oldest are in front */
        if (!d->lessee.backend->changes_catalog) give_up(d);
    }
}

void departed_close(struct pool_set *set) {
    struct list *n;
    while ((n = list_first(&set->departed))) give_up(CONTAINER_OF(n, struct departed, node));
}
