/*
 * Replies that are held until there is a result: ParseComplete, BindComplete and descriptions say nothing that would not be said
 * again if the exchange ran once more. With the first row or completion all of them go to the lessee.
 */
#include "base/fault.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_proto.h"

static bool may_wait(uint8_t type) {
    switch (type) {
    case PG_B_PARSE_COMPLETE:
    case PG_B_BIND_COMPLETE:
    case PG_B_CLOSE_COMPLETE:
    case PG_B_PARAMETER_DESCRIPTION:
    case PG_B_ROW_DESCRIPTION:
    case PG_B_NO_DATA:
    case PG_B_NOTICE: /* the last word of a server that is stopped at once, too */
        return true;
    default:
        return false;
    }
}

static void pass_on(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    struct buf *held = bp->held;
    bp->held = NULL;
    b->holds_replies = false;
    if (b->lessee) b->lessee->ops->on_hold_ended(b->lessee);
    if (held && b->lessee) b->lessee->ops->on_reply(b->lessee, held, bytes_of(held->data, held->len));
    if (held) buf_unref(held);
}

bool backend_pg_hold(struct backend *b, struct bytes replies) {
    struct backend_pg *bp = backend_pg_of(b);
    if (!bp->held) bp->held = buf_take(&b->stream->loop->bufs, BUF_LARGE);
    if (bp->held && bp->held_lease != b->leases) bp->held->len = 0; /* what a lessee has left behind who did not stay */
    bp->held_lease = b->leases;
    if (bp->held && replies.len <= bp->held->cap - bp->held->len) {
        memcpy(bp->held->data + bp->held->len, replies.ptr, replies.len);
        bp->held->len += (uint32_t)replies.len;
        return true;
    }
    pass_on(b); /* too many of them */
    return false;
}

void backend_pg_on_shown(struct backend *b, uint8_t type) {
    if (!may_wait(type)) pass_on(b);
}

void backend_pg_show_held(struct backend *b) {
    if (b->holds_replies) pass_on(b);
}

void backend_pg_drop_held(struct backend_pg *bp) {
    buf_unref(bp->held);
    bp->held = NULL;
}

bool backend_pg_take_back(struct backend *b) {
    struct ledger *l = &b->ledger;
    backend_pg_drop_held(backend_pg_of(b));
    b->holds_replies = false;
    for (uint32_t i = 0; i < l->count; i++) ledger_at(l, i)->fate = REPLY_SWALLOW;
    return !l->is_group_open || backend_pg_end_own_group(b); /* else the server would await its end */
}
