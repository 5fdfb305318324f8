/*
 * currval() and lastval() tell what nextval() has left in the session. What another client has left, or this one on its last visit,
 * must never be told: it is discarded before such a statement. By then the client's own nextval() may be behind it, and would be
 * discarded along; and in a transaction DISCARD takes a snapshot, behind which a SET TRANSACTION fails. So where they are used,
 * what is old is discarded when a lease begins.
 *
 * WHETHER they are used is known from the first time that somebody does. Until then it is taken for granted where it matters, in a
 * transaction, so that the first time of all is as right as any other; but only so often, for most pools never use them.
 */
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_ops.h"

enum { BENEFITS_OF_DOUBT = 1000 };

static bool may_be_read(struct pool *p, const struct backend *b, bool is_alone) {
    if (p->uses_currval) return true;
    if (b->ledger.txn != TXN_OPEN || !is_alone || p->sequence_doubts >= BENEFITS_OF_DOUBT) return false;
    p->sequence_doubts++;
    return true;
}

static void note_old(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    if (!bp->sequences_lease || bp->sequences_lease == b->leases) return;
    bp->has_old_sequences = true;
    bp->sequences_lease = 0;
}

bool session_pg_sequences_must_go_first(struct session *s, struct backend *b) {
    note_old(b);
    return backend_pg_of(b)->has_old_sequences && session_pool(s)->uses_currval;
}

bool session_pg_sequences_must_go(struct session *s, unsigned effects, bool is_alone) {
    struct backend *b = s->lessee.backend;
    struct backend_pg *bp = backend_pg_of(b);
    struct pool *p = session_pool(s);
    note_old(b);
    if (effects & EFFECT_CURRVAL) p->uses_currval = true;
    bool must = bp->has_old_sequences && may_be_read(p, b, is_alone);
    if (effects & EFFECT_NEXTVAL) bp->sequences_lease = b->leases;
    return must && !session_pg_is_failed(s) && !b->ledger.is_skipping;
}
