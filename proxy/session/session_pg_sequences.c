/*
 * currval() and lastval() tell what nextval() has left in the session. What another client has left, or this one on its last visit,
 * must never be told: it is discarded before such a statement. By then the client's own nextval() may be behind it, and would be
 * discarded along; so where they are used, what is old is discarded before a lease's first nextval() already.
 *
 * WHETHER they are used is known from the first time that somebody does. Until then it is taken for granted where it matters, in a
 * transaction, so that the first time of all is as right as any other; but only so often, for most pools never use them.
 */
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"

enum { BENEFITS_OF_DOUBT = 1000 };

static bool may_be_read(struct pool *p, const struct backend *b) {
    if (p->uses_currval) return true;
    if (b->ledger.txn != TXN_OPEN || p->sequence_doubts >= BENEFITS_OF_DOUBT) return false;
    p->sequence_doubts++;
    return true;
}

bool session_pg_sequences_must_go(struct session *s, unsigned effects) {
    struct backend *b = s->lessee.backend;
    struct backend_pg *bp = backend_pg_of(b);
    struct pool *p = session_pool(s);
    if (bp->sequences_lease && bp->sequences_lease != b->leases) {
        bp->has_old_sequences = true;
        bp->sequences_lease = 0;
    }
    if (effects & EFFECT_CURRVAL) p->uses_currval = true;
    bool must = bp->has_old_sequences && may_be_read(p, b);
    if (effects & EFFECT_NEXTVAL) bp->sequences_lease = b->leases;
    return must && b->ledger.txn != TXN_FAILED && !b->ledger.is_skipping;
}
