/*
 * What a group needs is brought to the connection before the group begins.
 *
 * A statement that is not on this connection can be prepared where it is used, but that leaves traces in the client's own
 * transaction: a snapshot, after which SET TRANSACTION fails; the tables of that moment, when the group has changed them
 * before; settings that the server has not reported yet. So the messages in hand are looked through when a group begins outside of
 * a transaction, and what they name is prepared in groups of gilmok's own. What is not in hand then, what fails, and what is used
 * inside a transaction, is prepared where it is used (session_pg_bring.c), and fails there.
 */
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg_names.h"

/* What is known of the group as far as it was walked through. */
struct walk {
    bool is_first;   /* at its first message */
    bool has_parsed; /* the unnamed statement is one of its own */
};

/* The statement that a message uses: false when it uses none that may have to be brought. */
static bool is_use(struct session *s, struct walk *walk, const struct pg_header *h, struct bytes body, struct bytes *name) {
    struct bytes portal;
    uint8_t kind;
    switch (h->type) {
    case PG_F_PARSE:
        if (body.len && !body.ptr[0]) walk->has_parsed = true;
        return false;
    case PG_F_BIND: /* one that begins the group can as well be prepared where it stands */
        if (walk->is_first || pg_bind_names(body, &portal, name) != PG_FRAME_OK) return false;
        break;
    case PG_F_DESCRIBE:
        if (!body.len || body.ptr[0] != 'S' || !pg_target_read(body, &kind, name)) return false;
        break;
    default:
        return false;
    }
    if (!name->len && (walk->has_parsed || !session_pg_unnamed_adopt(s, s->lessee.backend))) return false;
    return session_pg_prepared_lacks(s, *name);
}

static bool ends_walk(uint8_t type) {
    return type == PG_F_SYNC || type == PG_F_QUERY || type == PG_F_FUNCTION_CALL || type == PG_F_COPY_DATA;
}

/* It has no names, and begins with a Parse of the unnamed statement. */
static bool has_own_only(const struct session_pg *ps, const struct message *m) {
    bool is_unnamed_parse = m->h.type == PG_F_PARSE && m->in_hand > PG_HEADER_LEN && !m->ptr[PG_HEADER_LEN];
    return is_unnamed_parse && !ps->prepared.named.count;
}

enum step session_pg_look_ahead(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes rest = bytes_of(m->ptr, m->in_hand), name;
    struct walk walk = {.is_first = true};
    struct pg_header h;
    bool has_brought = false;
    if (has_own_only(ps, m) || s->pins & PIN_MODE) rest.len = 0;
    if (b->ledger.is_group_open || b->ledger.is_skipping || b->ledger.is_client_turn) rest.len = 0;
    while (pg_header_read(rest, &h) == PG_FRAME_OK && h.total <= rest.len && !ends_walk(h.type)) {
        struct bytes body = bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len);
        if (is_use(s, &walk, &h, body, &name)) {
            if (ledger_owes_forward(&b->ledger)) { /* of earlier groups: the answers come */
                s->is_held_back = true;
                return STEP_KEEP;
            }
            if (b->ledger.txn != TXN_NONE) break;
            size_t owed = b->ledger.count;
            if (!session_pg_prepared_bring(s, name)) return STEP_STOP;
            has_brought |= b->ledger.count != owed; /* one whose settings cannot be made is left to where it is used */
        }
        walk.is_first = false;
        rest = bytes_of(rest.ptr + h.total, rest.len - h.total);
    }
    ps->prepared.has_looked_ahead = true;
    s->is_held_back |= has_brought;
    return has_brought ? STEP_KEEP : STEP_DONE;
}
