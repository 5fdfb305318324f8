/*
 * A client's channels where `listen = shared`: heard through the one connection of its pool that listens (pool/ear_pg.h), so that
 * LISTEN does not keep a connection for it. Decision 0010.
 *
 * The client's LISTEN runs on the connection that it has, as it is. The look afterwards tells the channels; then, with nothing of
 * the client's under way and nothing more read from it (PIN_HANDING):
 *
 *      RESTS -> FOUNDS -> RESTS                      nobody listens for the pool yet: the client's connection does from now on
 *      RESTS -> JOINS -> MARKS -> CLEARS -> RESTS    else: the shared one listens to them, too, and this one to the mark;
 *                                                    the mark is notified; UNLISTEN *
 *
 * Until the mark, what its own connection hears goes to the client; behind it, what the shared one hears. Both are told everything
 * in the same order, so nothing is lost, and nothing comes twice.
 *
 * Before a text that may change its channels: session_pg_lay.c. When it hears what: session_pg_hear.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "proxy/session/session_pg_listen.h"
#include "proxy/wire/pg_decode.h"

static struct listen_client *client_of(struct ear_member *m) {
    return CONTAINER_OF(m, struct listen_client, member);
}

static bool is_shared(const struct session *s) {
    return session_pool(s)->limits.listen == LISTEN_SHARED;
}

bool session_pg_listen_wants_names(const struct session *s) {
    return is_shared(s) || session_pg_of((struct session *)s)->listen;
}

/* ---- words with a NUL behind each ------------------------------------------------------------------------------------ */

static uint32_t count_names(struct bytes names) {
    struct bytes name;
    uint32_t count = 0;
    while (listen_next_name(&names, &name)) count++;
    return count;
}

/* True when it was there. */
static bool take_name_out(struct writer *names, const char *gone) {
    struct bytes rest = writer_bytes(names), name;
    while (listen_next_name(&rest, &name)) {
        if (!bytes_is(name, gone)) continue;
        memmove((void *)name.ptr, rest.ptr, rest.len);
        names->len -= name.len + 1;
        return true;
    }
    return false;
}

static bool has_fresh(const struct listen_client *lc) {
    struct bytes rest = writer_bytes(&lc->found), name;
    while (listen_next_name(&rest, &name))
        if (ear_pg_seat(&lc->member, name) == EAR_NO_SEAT) return true;
    return false;
}

void listen_note_marker(struct listen_client *lc) {
    snprintf(lc->marker, sizeof lc->marker, "%s", ear_pg_marker(lc->member.ear));
}

/* ---- from its connection to the shared one ---------------------------------------------------------------------------- */

/* The channels are where they should be, or stay where they are. */
static void come_to_rest(struct listen_client *lc) {
    struct session *s = lc->session;
    lc->phase = LISTEN_RESTS;
    lc->is_withheld = lc->is_discarded = false;
    s->pins &= (uint32_t)~PIN_HANDING;
    listen_release_held(lc);
    if (lc->member.ear && list_is_empty(&lc->member.seats)) ear_pg_leave(&lc->member);
    s->is_bound = lc->member.ear != NULL;
}

static void out_of_memory(struct session *s) {
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the channels that the client listens to");
    session_end(s, &err);
}

/* Both connections listen to what they must. */
static void send_mark(struct listen_client *lc) {
    if (lc->phase != LISTEN_JOINS || !lc->is_ready_here || !lc->is_ready_there) return;
    lc->phase = LISTEN_MARKS;
    lc->mark = ear_pg_send_mark(&lc->member);
}

static void clear_connection(struct listen_client *lc) {
    lc->phase = LISTEN_CLEARS;
    (void)backend_pg_run(lc->session->lessee.backend, bytes_str("UNLISTEN *"));
}

/* Behind the mark on both: the connection of its own need not listen any more. */
static void on_mark(struct listen_client *lc) {
    const struct backend *b = lc->session->lessee.backend;
    if (lc->phase == LISTEN_MARKS && lc->mark_is_here && lc->mark_is_there && ledger_is_quiet(&b->ledger)) clear_connection(lc);
}

static void end_clearing(struct listen_client *lc, struct backend *b) {
    struct session *s = lc->session;
    s->pins &= (uint32_t)~(PIN_LISTEN | PIN_HANDING);
    lc->marker[0] = '\0';
    ear_pg_settle(&lc->member);
    writer_reset(&lc->found);
    lc->laid = LAID_NO;
    b->reads_notifications = true;
    b->is_tainted = s->pins != 0;
    come_to_rest(lc);
    session_on_unpinned(s);
}

static void join(struct listen_client *lc) {
    struct session *s = lc->session;
    struct ear_pg *e = ear_pg_of(session_pool(s));
    uint8_t storage[128];
    struct writer sql;
    lc->phase = LISTEN_JOINS;
    s->pins |= PIN_HANDING;
    s->is_bound = true;
    s->lessee.backend->reads_notifications = true;
    lc->is_ready_here = lc->is_ready_there = lc->mark_is_here = lc->mark_is_there = false;
    if (!ear_pg_join(e, &lc->member, writer_bytes(&lc->found))) {
        out_of_memory(s);
        return;
    }
    listen_note_marker(lc);
    writer_init_fixed(&sql, storage, sizeof storage);
    writer_fmt(&sql, "LISTEN \"%s\"", ear_pg_marker(e));
    (void)backend_pg_run(s->lessee.backend, writer_bytes(&sql));
}

/* Somebody else may have been first. */
static void found(struct listen_client *lc) {
    struct session *s = lc->session;
    if (ear_pg_of(session_pool(s))) {
        join(lc);
        return;
    }
    if (s->lessee.backend->cancels_open) {
        come_to_rest(lc);
        return;
    }
    if (!ear_pg_found(&s->lessee, &lc->member, writer_bytes(&lc->found))) {
        out_of_memory(s);
        return;
    }
    if (s->state == SESSION_CLOSED) return;
    writer_reset(&lc->found);
    s->pins &= (uint32_t)~PIN_LISTEN;
    come_to_rest(lc);
    session_on_handed_over(s);
}

static void on_ready(struct ear_member *m) {
    struct listen_client *lc = client_of(m);
    lc->is_ready_there = true;
    if (lc->session->state != SESSION_CLOSED) send_mark(lc);
}

static void on_marked(struct ear_member *m) {
    struct listen_client *lc = client_of(m);
    lc->mark_is_there = true;
    if (lc->session->state != SESSION_CLOSED) on_mark(lc);
}

static void on_lost(struct ear_member *m, const struct err *err) {
    struct session *s = client_of(m)->session;
    if (s->state != SESSION_CLOSED) session_end(s, err);
}

static void on_heard(struct ear_member *m, struct buf *buf, struct bytes message) {
    listen_on_heard(client_of(m), buf, message);
}

static const struct ear_member_ops member_ops = {
    .on_ready = on_ready,
    .on_marked = on_marked,
    .on_heard = on_heard,
    .on_lost = on_lost,
};

/* A connection that somebody else may need more, or that is about to be closed, is none to listen on. */
static bool can_found(const struct session *s, struct backend *b) {
    return s->pins == PIN_LISTEN && session_pool(s)->limits.size > 1 && !b->is_retired &&
           !backend_pg_of(b)->body_left;
}

static bool can_join(const struct ear_pg *e, struct backend *b) {
    const char *encoding = params_pg_get(&backend_pg_of(b)->params, "client_encoding");
    return encoding && strcmp(encoding, ear_pg_encoding(e)) == 0;
}

static void hand_over(struct listen_client *lc, struct backend *b) {
    struct session *s = lc->session;
    const struct ear_pg *e = ear_pg_of(session_pool(s));
    bool may = is_shared(s) && lc->found.len && count_names(writer_bytes(&lc->found)) <= STATE_PG_CHANNELS_MAX;
    if (may && e && can_join(e, b)) {
        join(lc);
    } else if (may && !e && can_found(s, b)) {
        lc->phase = LISTEN_FOUNDS;
        s->pins |= PIN_HANDING;
        (void)backend_pg_run(b, bytes_str("")); /* on_settled comes when nobody is in the middle of anything */
    } else {
        come_to_rest(lc); /* they stay here, and the client with them */
    }
}

/*
 * What the look has told is the truth, unless nothing is laid there, or what was laid is undone: then the channels are those that
 * there were before, and what is new.
 */
static void give_up_what_is_gone(struct listen_client *lc, const struct backend_pg *bp, bool has_marker) {
    if (bp->saw_discard) lc->laid = LAID_SURE; /* what is left, and what has come since */
    lc->is_discarded = false;
    if (has_marker) lc->laid = LAID_SURE;
    if (lc->laid == LAID_NO) return;
    ear_pg_keep(&lc->member, writer_bytes(&lc->found));
    listen_forget_held(lc);
}

void session_pg_listen_settle(struct session *s, struct backend *b) {
    struct listen_client *lc = session_pg_of(s)->listen;
    if (!lc || lc->phase != LISTEN_RESTS || s->state == SESSION_CLOSED) return;
    if (b->cancels_open) { /* it would hit gilmok's own commands: next time */
        come_to_rest(lc);
    } else if (s->pins & PIN_LISTEN && (lc->member.ear || !lc->found.len) && !has_fresh(lc)) {
        s->pins |= PIN_HANDING;
        clear_connection(lc);
    } else if (s->pins & PIN_LISTEN) {
        hand_over(lc, b);
    } else {
        lc->laid = LAID_NO;
        come_to_rest(lc);
    }
}

static struct listen_client *new_client(struct session *s) {
    struct listen_client *lc = mem_alloc(sizeof *lc);
    if (!lc) return NULL;
    lc->session = s;
    ear_member_init(&lc->member, &member_ops);
    writer_init(&lc->found, STATE_PG_ANSWER_MAX);
    writer_init(&lc->held, LISTEN_BACKLOG_MAX);
    return lc;
}

/* More than can be told by name would be lost sight of. */
static void refuse_many(struct session *s) {
    struct err err;
    err_set(&err, ERR_LIMIT_EXCEEDED, "a client listens to more than %d channels", STATE_PG_CHANNELS_MAX);
    err_hint(&err, "Listen to fewer channels, or set listen = pin for the database.");
    session_end(s, &err);
}

void session_pg_listen_on_found(struct session *s, struct backend *b, struct writer *channels) {
    struct session_pg *ps = session_pg_of(s);
    if (!ps->listen && !channels->len) return;
    if (!ps->listen) ps->listen = new_client(s);
    struct listen_client *lc = ps->listen;
    if (!lc) return; /* the client stays where it is */
    writer_release(&lc->found);
    lc->found = *channels;
    writer_init(channels, 0);
    /* Also when it has left the shared connection meanwhile: who joins with the mark as a channel would give it up for all. */
    bool has_marker = lc->marker[0] && take_name_out(&lc->found, lc->marker);
    if (lc->member.ear) {
        if (count_names(writer_bytes(&lc->found)) > STATE_PG_CHANNELS_MAX) {
            refuse_many(s);
            return;
        }
        give_up_what_is_gone(lc, backend_pg_of(b), has_marker);
    }
    if (s->state == SESSION_HELD && !ps->left.effects) session_pg_listen_settle(s, b); /* else when that is answered */
}

void session_pg_listen_on_settled(struct session *s, struct backend *b) {
    struct listen_client *lc = session_pg_of(s)->listen;
    if (!lc || s->state != SESSION_HELD) return;
    lc->is_ready_here = true;
    if (lc->phase == LISTEN_FOUNDS) found(lc);
    else if (lc->phase == LISTEN_JOINS) send_mark(lc);
    else if (lc->phase == LISTEN_MARKS) on_mark(lc);
    else if (lc->phase == LISTEN_CLEARS) end_clearing(lc, b);
}

/* ---- on its own connection ------------------------------------------------------------------------------------------- */

static void take_mark(struct listen_client *lc, struct bytes payload) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)lc->mark);
    if (lc->phase != LISTEN_MARKS || !bytes_is(payload, text)) return;
    lc->mark_is_here = true;
    on_mark(lc);
}

/* What goes over is the client's at once until the mark, in front of what the shared connection hears of it. */
bool session_pg_listen_on_notification(struct session *s, struct bytes message) {
    struct listen_client *lc = session_pg_of(s)->listen;
    struct pg_notification note;
    if (session_pg_of(s)->login) return false;
    if (!lc || !lc->member.ear) return true;
    if (!pg_notification_read(bytes_of(message.ptr + PG_HEADER_LEN, message.len - PG_HEADER_LEN), &note)) return true;
    if (bytes_is(note.channel, ear_pg_marker(lc->member.ear))) {
        take_mark(lc, note.payload);
        return false;
    }
    enum ear_seat seat = ear_pg_seat(&lc->member, note.channel);
    return seat == EAR_NO_SEAT || (seat == EAR_SEAT_NEW && !lc->mark_is_here);
}

void session_pg_listen_prepare(struct session *s, struct backend *b) {
    b->reads_notifications = session_pg_of(s)->listen->member.ear != NULL;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

void session_pg_listen_release(struct session_pg *ps) {
    struct listen_client *lc = ps->listen;
    if (!lc) return;
    ear_pg_leave(&lc->member);
    writer_release(&lc->found);
    writer_release(&lc->held);
    mem_free(lc);
    ps->listen = NULL;
}
