/*
 * A command of a client that shares connections: judged, given its connection, brought in line with what the client has, and sent,
 * as it came or with the numbers in it that it asks for.
 */
#include "proxy/session/session_my_take.h"

#include "base/fault.h"

static struct bytes text_of(const struct packet *p, uint8_t command) {
    return command == MY_COM_QUERY && packet_is_whole(p) ? packet_body(p) : bytes_of(NULL, 0);
}

/* About the last answer, which another connection may have given. */
static RARELY enum take take_question(struct session *s, struct run *run, const struct packet *p, uint8_t command) {
    const char *why = "";
    struct writer w;
    size_t at;
    enum take take = TAKE_STOP;
    writer_init(&w, p->h.len + STREAM_HELD_MAX);
    at = my_begin(&w, 0);
    writer_u8(&w, command);
    switch (session_my_ask(s, s->lessee.backend, text_of(p, command), &w, &why)) {
    case ASKED_NOTHING:
    case ASKED_ANSWERED:
        take = take_send(s, run, p, command);
        break;
    case ASKED_EDITED:
        my_end(&w, at);
        if (!w.failed) take = take_send_instead(s, run, p, command, writer_bytes(&w), 0);
        break;
    case ASKED_REFUSED:
        if (s->state == SESSION_CLOSED) break;
        take_end_unsent(s);
        session_my_forget_command(s);
        take = take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", why);
        break;
    }
    writer_release(&w);
    return take;
}

bool take_goes_to_server(struct session *s, struct run *run, const struct packet *p, enum take *take) {
    static const char is_others[] = "LASTVAL(), PREVIOUS VALUE FOR and @@last_gtid tell what a server connection has drawn or "
                                    "written, which with pool_mode = transaction may be somebody else's";
    struct session_my *sm = session_my_of(s);
    const char *why = "";
    if (UNLIKELY(sm->command.effects & EFFECT_MY_SEQUENCE)) {
        take_end_unsent(s);
        session_my_forget_command(s);
        *take = take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", is_others);
        return false;
    }
    bool is_asking = sm->command.effects & SESSION_MY_ASKS;
    bool asks_here = s->lessee.backend && (sm->state.has_warnings || !(sm->command.effects & EFFECT_MY_ASKS_WARNINGS));
    if (LIKELY(!is_asking || (asks_here && !sm->state.looks))) return true;
    if (sm->state.looks) {
        *take = take_hold_back(s);
        return false;
    }
    s->lessee.next_seq = 1;
    enum session_my_asked asked = session_my_ask_kept(s, p->ptr[MY_HEADER_LEN] == MY_COM_QUERY, &why);
    if (asked == ASKED_NOTHING) return true;
    take_end_unsent(s);
    if (s->state == SESSION_CLOSED) return *take = TAKE_STOP, false;
    if (asked == ASKED_ANSWERED) {
        *take = take_answered(s, run);
    } else {
        session_my_forget_command(s);
        *take = take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", why);
    }
    return false;
}

/* COM_RESET_CONNECTION: there may be no connection, and none is needed. */
static RARELY enum take take_reset(struct session *s, struct run *run) {
    const struct session_my *sm = session_my_of(s);
    struct my_ok ok = {.status = MY_STATUS_AUTOCOMMIT};
    uint8_t storage[64];
    struct writer w;
    session_my_begin_anew(s);
    if (s->state == SESSION_CLOSED) return TAKE_STOP;
    s->lessee.next_seq = 1;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_ok(&w, s->lessee.next_seq++, MY_MARK_OK, &ok, sm->caps & MY_CAP_SESSION_TRACK);
    session_send(s, writer_bytes(&w));
    return take_answered(s, run);
}

bool take_may_tell_id(unsigned effects) {
    const unsigned asks = EFFECT_MY_ASKS_INSERT_ID | EFFECT_MY_INSERT_ID | EFFECT_MY_STAYS;
    return !(effects & (EFFECT_MY_READS | EFFECT_MY_KEEPS_WARNINGS)) || effects & asks;
}

/* A text of which not all is in hand. False: it is too long to be read, and goes as it comes. */
static bool take_to_be_read(struct session *s, const struct packet *p, enum take *take) {
    *take = packet_may_be_kept(p) ? TAKE_KEEP : TAKE_GOES_ON;
    if (*take == TAKE_KEEP) return true;
    return p->h.len < MY_PACKET_MAX && session_gather(s, MY_HEADER_LEN + (size_t)p->h.len, bytes_of(p->ptr, p->avail));
}

static bool is_about_prepared(uint8_t command) {
    bool is_usual = command >= MY_COM_STMT_PREPARE && command <= MY_COM_STMT_FETCH && command != MY_COM_SET_OPTION;
    return is_usual || command == MY_COM_STMT_BULK_EXECUTE;
}

enum take take_shared(struct session *s, struct run *run, const struct packet *p, uint8_t command) {
    struct session_my *sm = session_my_of(s);
    enum take take = TAKE_KEEP;
    bool has_option = s->lessee.backend && s->lessee.backend->is_retired && s->pins; /* COM_SET_OPTION outlives it */
    static const char is_dropped[] = "the current schema was dropped, and another server connection has one: name one first";
    bool resets = command == MY_COM_RESET_CONNECTION && !has_option;
    if (UNLIKELY(resets && session_my_has_lost_schema(s))) return take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", is_dropped);
    if (UNLIKELY(resets)) return take_reset(s, run);
    if (UNLIKELY(sm->state.awaits_own)) return take_hold_back(s);
    if (UNLIKELY(is_about_prepared(command))) return take_prepared(s, run, p, command);
    if (!sm->command.is_judged) {
        if (command == MY_COM_QUERY && !packet_is_whole(p) && take_to_be_read(s, p, &take)) return take;
        if (UNLIKELY(!sm->state.start) && !take_has_connection(s)) return take_keep_or_stop(s);
        if (command == MY_COM_QUERY && packet_is_whole(p)) session_my_judge_text(s, text_of(p, command));
        else session_my_judge_command(s, command, packet_is_whole(p));
    }
    if (!take_goes_to_server(s, run, p, &take)) return take;
    if (!take_has_connection(s)) return take_keep_or_stop(s);
    if (UNLIKELY(sm->state.awaits_own)) return take_hold_back(s);
    if (take_may_tell_id(sm->command.effects) && !session_my_bring_id(s, s->lessee.backend)) return TAKE_STOP;
    if (!session_my_bring_collation(s, s->lessee.backend)) return TAKE_STOP;
    bool is_asking = sm->command.effects & SESSION_MY_ASKS;
    return UNLIKELY(is_asking) ? take_question(s, run, p, command) : take_send(s, run, p, command);
}

