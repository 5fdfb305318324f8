/*
 * A logged-in MySQL client: which of its commands go to its server connection, in pieces as they come, and which are refused.
 * Answers come back through session.c.
 */
#include "proxy/session/session_my_take.h"

#include <stdio.h>

#include "base/fault.h"
#include "proxy/pool/backend_my.h"
#include "proxy/session/session_my_kill.h"

/* ---- which commands ---- */

/* NULL: it goes to the server. */
static const char *why_refused(uint8_t command) {
    switch (command) {
    case MY_COM_BINLOG_DUMP:
    case MY_COM_BINLOG_DUMP_GTID:
    case MY_COM_REGISTER_SLAVE:
    case MY_COM_TABLE_DUMP: return "replication through gilmok is not supported yet: connect to the server itself";
    case MY_COM_SHUTDOWN:
    case MY_COM_DAEMON:
    case MY_COM_DEBUG:
    case MY_COM_REFRESH: return "this command is for the server itself: connect to it";
    default: return NULL;
    }
}

static bool is_known(uint8_t command) {
    switch (command) {
    case MY_COM_SLEEP:
    case MY_COM_CONNECT:
    case MY_COM_TIME:
    case MY_COM_DELAYED_INSERT:
    case MY_COM_CONNECT_OUT: return false; /* inside of servers only */
    default: return command <= MY_COM_RESET_CONNECTION || command == MY_COM_STMT_BULK_EXECUTE;
    }
}

/* ---- the connection ---- */

static void prepare(struct session *s, struct backend *b) {
    backend_my_serve(b, session_my_of(s)->caps);
    if (session_my_is_shared(s)) session_my_bring(s, b);
}

static void on_group_end(struct session *s, struct backend *b, uint16_t tag) {
    (void)b;
    (void)tag;
    if (UNLIKELY(session_my_of(s)->kill != NULL)) session_my_kill_end(s);
}

/* The command that was to be carried out stands in what is kept, and is still to be taken. */
static void refuse(struct session *s, const struct err *err) {
    s->lessee.next_seq = 1;
    if (session_my_of(s)->command.is_silent) { /* an error would be taken for the next answer */
        session_end(s, err);
        return;
    }
    session_my_tell(s, err, false);
    session_my_kill_end(s);
    session_my_forget_command(s);
    session_my_of(s)->drops_next = true;
}

/* What its command had to wait for is there. */
static void on_settled(struct session *s, struct backend *b) {
    (void)b;
    session_my_of(s)->state.awaits_own = false;
    session_resume_input(s);
}

/* ---- from the client ---- */

void take_out_of_order(struct session *s) {
    s->lessee.next_seq = (uint8_t)(session_my_of(s)->command_seq + 1);
    session_my_fail(s, MY_ER_NET_PACKETS_OUT_OF_ORDER, "08S01", "Got packets out of order");
}

enum take take_refuse(struct session *s, const struct packet *p, uint16_t number, const char *sqlstate, const char *why) {
    struct session_my *sm = session_my_of(s);
    s->lessee.next_seq = 1;
    if (p->h.len > SESSION_MY_DROPS_MAX && !session_has_whole(s)) {
        session_my_fail(s, number, sqlstate, "%s", why);
        return TAKE_STOP;
    }
    session_my_error(s, number, sqlstate, why);
    session_my_note_refusal(s);
    sm->is_dropped = true;
    return TAKE_GOES_ON;
}

/* Its packets are those of a file. */
static bool takes_file(const struct session *s) {
    return s->lessee.backend && backend_my_wants_file(s->lessee.backend);
}

/* The rest of it will come; or that was all of it. */
static void note_rest(struct session *s, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    sm->packet_left = (uint32_t)(MY_HEADER_LEN + (size_t)p->h.len - p->avail);
    sm->goes_on = p->h.len == MY_PACKET_MAX;
    sm->command_seq = p->h.seq;
    s->lessee.next_seq = (uint8_t)(p->h.seq + 1);
    bool is_sent = s->lessee.backend && !sm->is_dropped && !s->whole;
    if (is_sent) s->lessee.backend->ledger.is_message_open = sm->packet_left || sm->goes_on;
}

/* What has no answer is done with as soon as all of it is on its way. */
static void check_sent(struct session *s, struct run *run) {
    struct session_my *sm = session_my_of(s);
    if (sm->packet_left || sm->goes_on || takes_file(s)) return;
    flush_run(s, run);
    if (!sm->is_dropped && s->lessee.backend && ledger_is_quiet(&s->lessee.backend->ledger)) session_check_answered(s);
    sm->is_dropped = false;
}

/* The command before it has no answer yet, or it waits itself for a connection. */
static bool is_busy(const struct session *s) {
    return request_is_open(&s->request) && (s->request.stage != REQUEST_RELAY || s->request.has_sent);
}

enum take take_hold_back(struct session *s) {
    s->is_held_back = true;
    return TAKE_KEEP;
}

bool take_has_connection(struct session *s) {
    return request_is_open(&s->request) || request_open(s, false);
}

/* STMT_EXECUTE: 0x17 | statement 4 | flags 1 (0: no cursor) | iterations 4 | ... */
enum { EXECUTE_FLAGS = MY_HEADER_LEN + 5 };

static bool wants_cursor(const struct packet *p) {
    return p->avail > EXECUTE_FLAGS && p->ptr[EXECUTE_FLAGS] != 0;
}

static bool is_head_cut(const struct packet *p) {
    return p->avail <= EXECUTE_FLAGS && p->avail < MY_HEADER_LEN + (size_t)p->h.len;
}

enum take take_send(struct session *s, struct run *run, const struct packet *p, uint8_t command) {
    flush_run(s, run);
    if (!take_has_connection(s)) return s->state == SESSION_CLOSED ? TAKE_STOP : TAKE_KEEP;
    struct backend *b = s->lessee.backend;
    if (!backend_my_note_sent(b, command)) return TAKE_STOP;
    if (UNLIKELY(session_my_of(s)->files || backend_my_of(b)->files)) {
        backend_my_note_files(b, session_my_of(s)->files);
        session_my_of(s)->files = NULL;
    }
    if (command == MY_COM_SET_OPTION) b->is_retired = true; /* nothing takes that back */
    if (session_my_is_shared(s)) session_my_note_sent(s, b);
    if (command == MY_COM_STMT_EXECUTE && wants_cursor(p)) backend_my_note_cursor(b);
    s->request.has_sent = true;
    add_to_run(run, p->ptr, p->avail);
    return TAKE_GOES_ON;
}

enum take take_send_instead(struct session *s, struct run *run, const struct packet *p, uint8_t command, struct bytes packet,
                            size_t rest) {
    struct packet instead = {.h = p->h, .ptr = p->ptr, .avail = 0}; /* its beginning is not the client's */
    enum take take = take_send(s, run, &instead, command);
    if (take != TAKE_GOES_ON) return take;
    stream_send(s->lessee.backend->stream, packet);
    add_to_run(run, p->ptr + p->avail - rest, rest);
    return take;
}

enum take take_answered(struct session *s, struct run *run) {
    flush_run(s, run);
    session_my_forget_command(s);
    session_my_of(s)->is_dropped = true;
    return TAKE_GOES_ON;
}

void take_end_unsent(struct session *s) {
    if (!request_is_open(&s->request)) return;
    s->request.has_sent = true;
    session_check_answered(s);
}

static enum take take_known(struct session *s, struct run *run, const struct packet *p, uint8_t command) {
    bool has_text = command == MY_COM_QUERY || command == MY_COM_STMT_PREPARE;
    enum take take;
    if (has_text && session_my_of(s)->caps & MY_CAP_LOCAL_FILES && !take_files_named(s, p, command, &take)) return take;
    return session_my_is_shared(s) ? take_shared(s, run, p, command) : take_send(s, run, p, command);
}

/* KILL, by the id that gilmok has given: the server is told its own. */
static RARELY enum take take_kill(struct session *s, struct run *run, const struct packet *p) {
    uint8_t storage[SESSION_MY_KILL_MAX + 32];
    struct bytes payload = bytes_of(p->ptr + MY_HEADER_LEN, p->h.len);
    struct writer out;
    char why[64];
    uint32_t thread = 0;
    if (p->avail < MY_HEADER_LEN + (size_t)p->h.len) return TAKE_KEEP;
    if (!s->lessee.backend && !take_has_connection(s)) return s->state == SESSION_CLOSED ? TAKE_STOP : TAKE_KEEP;
    if (UNLIKELY(session_my_of(s)->state.awaits_own)) return take_hold_back(s);
    writer_init_fixed(&out, storage, sizeof storage);
    switch (session_my_kill_take(s, payload, &out, &thread)) {
    case KILL_NONE: return take_known(s, run, p, payload.ptr[0]);
    case KILL_WAITS: return TAKE_KEEP;
    case KILL_UNKNOWN:
        take_end_unsent(s);
        snprintf(why, sizeof why, "Unknown thread id: %u", thread);
        return take_refuse(s, p, MY_ER_NO_SUCH_THREAD, "HY000", why);
    case KILL_FOREIGN:
        take_end_unsent(s);
        snprintf(why, sizeof why, "You are not owner of thread %u", thread);
        return take_refuse(s, p, MY_ER_KILL_DENIED, "HY000", why);
    case KILL_SENDS: break;
    }
    session_my_judge_command(s, MY_COM_PROCESS_KILL, true);
    return take_send_instead(s, run, p, payload.ptr[0], writer_bytes(&out), 0);
}

/* From here on it logs in again. */
static RARELY enum take take_change_user(struct session *s, struct run *run, const struct packet *p) {
    static const char no_plugins[] = "COM_CHANGE_USER of clients without PLUGIN_AUTH is not supported";
    if (!(session_my_of(s)->caps & MY_CAP_PLUGIN_AUTH) || p->h.len > SESSION_MY_DROPS_MAX)
        return take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", no_plugins);
    if (p->avail < MY_HEADER_LEN + (size_t)p->h.len) return TAKE_KEEP;
    flush_run(s, run);
    session_my_change_user(s, bytes_of(p->ptr + MY_HEADER_LEN + 1, p->h.len - 1));
    return s->state == SESSION_CLOSED ? TAKE_STOP : TAKE_GOES_ON;
}

static enum take take_command(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    uint8_t command = p->h.len ? p->ptr[MY_HEADER_LEN] : MY_COM_SLEEP;
    if (command == MY_COM_QUIT) {
        session_close(s, "client said goodbye");
        return TAKE_STOP;
    }
    if (is_busy(s)) return take_hold_back(s); /* nothing may be said into an answer */
    if (UNLIKELY(sm->is_compressed) && !session_has_whole(s)) session_my_compress_answer(s); /* else it was, as its end came in */
    if (p->h.seq != 0 || !p->h.len) {
        sm->command_seq = 0;
        take_out_of_order(s);
        return TAKE_STOP;
    }
    if (UNLIKELY(sm->drops_next)) {
        sm->drops_next = false;
        sm->is_dropped = true;
        return TAKE_GOES_ON;
    }
    if (UNLIKELY(!is_known(command))) return take_refuse(s, p, MY_ER_UNKNOWN_COM, "08S01", "Unknown command");
    const char *why = why_refused(command);
    if (UNLIKELY(why != NULL)) return take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", why);
    if (UNLIKELY(command == MY_COM_CHANGE_USER)) return take_change_user(s, run, p);
    if (command == MY_COM_STMT_EXECUTE && is_head_cut(p)) return TAKE_KEEP;
    bool may_be_kill = session_my_kill_may_be(&p->h, bytes_of(p->ptr + MY_HEADER_LEN, p->avail - MY_HEADER_LEN));
    return UNLIKELY(may_be_kill) ? take_kill(s, run, p) : take_known(s, run, p, command);
}

/* The next packet of a command that is too long for one. */
static enum take take_next(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    if (p->h.seq != (uint8_t)(sm->command_seq + 1)) {
        take_out_of_order(s);
        return TAKE_STOP;
    }
    if (sm->is_dropped) return TAKE_GOES_ON;
    backend_my_note_more(s->lessee.backend, p->h.seq);
    add_to_run(run, p->ptr, p->avail);
    return TAKE_GOES_ON;
}

/* The rest of a packet whose head is gone already. Returns the bytes used. */
static size_t take_rest(struct session *s, struct run *run, const uint8_t *ptr, size_t left) {
    struct session_my *sm = session_my_of(s);
    size_t n = left < sm->packet_left ? left : sm->packet_left;
    if (UNLIKELY(sm->is_compressed)) session_my_compress_answer(s); /* more of it has come since its head was taken */
    if (UNLIKELY(s->whole != NULL)) { /* to be read before it is sent */
        session_gather_more(s, bytes_of(ptr, n));
        sm->packet_left -= (uint32_t)n;
        return n;
    }
    if (!sm->is_dropped) {
        struct backend *b = s->lessee.backend;
        if (stream_is_congested(b->stream)) {
            stream_pause(s->stream);
            s->is_held_back = true;
            return 0;
        }
        add_to_run(run, ptr, n);
        b->ledger.is_message_open = n < sm->packet_left || sm->goes_on;
    }
    sm->packet_left -= (uint32_t)n;
    check_sent(s, run);
    return n;
}

static enum take take_packet(struct session *s, struct run *run, const struct packet *p) {
    if (UNLIKELY(takes_file(s))) return take_file(s, run, p);
    return session_my_of(s)->goes_on ? take_next(s, run, p) : take_command(s, run, p);
}

/* Servers do not look at the numbers inside of compressed packets; ours does, as it gets these as they are. */
static RARELY void set_number(struct session *s, struct buf *buf, struct packet *p) {
    const struct session_my *sm = session_my_of(s);
    bool is_file = takes_file(s);
    if (sm->goes_on || is_file) session_my_compress_answer(s);
    p->h.seq = is_file ? s->lessee.next_seq : sm->goes_on ? (uint8_t)(sm->command_seq + 1) : 0;
    buf->data[p->ptr - buf->data + MY_HEADER_LEN - 1] = p->h.seq;
}

static size_t relay_received(struct session *s, struct buf *buf, struct bytes data) {
    struct session_my *sm = session_my_of(s);
    struct run run = {.buf = buf};
    bool is_counted = session_has_whole(s);
    size_t at = 0;
    while (at < data.len && s->state != SESSION_CLOSED && !sm->login) {
        const uint8_t *ptr = data.ptr + at;
        size_t left = data.len - at;
        if (sm->packet_left) {
            size_t n = take_rest(s, &run, ptr, left);
            if (n == 0) break;
            at += n;
            if (UNLIKELY(session_has_whole(s))) break;
            continue;
        }
        struct packet p = {.ptr = ptr};
        if (!my_header_read(bytes_of(ptr, left), &p.h) || (p.h.len && left == MY_HEADER_LEN)) break;
        size_t total = MY_HEADER_LEN + (size_t)p.h.len;
        p.avail = left < total ? left : total;
        if (UNLIKELY(sm->is_compressed)) set_number(s, buf, &p);
        enum take take = take_packet(s, &run, &p);
        if (take == TAKE_STOP) return s->state == SESSION_CLOSED ? data.len : at;
        if (take == TAKE_KEEP) break;
        note_rest(s, &p);
        at += p.avail;
        check_sent(s, &run);
    }
    flush_run(s, &run);
    struct pool *p = session_pool(s);
    if (p && !is_counted) p->stats.received += at;
    return s->state == SESSION_CLOSED ? data.len : at;
}

/* ---- the table ---- */

static bool is_asked_for_proof(const struct session_my_login *login) {
    return login && (login->step == MY_LOGIN_ANSWER || login->step == MY_LOGIN_WHOLE);
}

bool session_my_is_asked(const struct session *s) {
    return is_asked_for_proof(session_my_of((struct session *)s)->login) || takes_file(s);
}

static size_t on_received(struct session *s, struct buf *buf, struct bytes data) {
    const struct session_my_login *login = session_my_of(s)->login;
    bool is_asked = s->state == SESSION_LOGIN || is_asked_for_proof(login);
    if (is_asked && s->state != SESSION_CLOSED) return session_my_login_received(s, data);
    if (login || s->state == SESSION_CLOSED) return 0; /* it is on its way to its connection */
    return relay_received(s, buf, data);
}

static void release(struct session *s) {
    session_my_kill_end(s);
    mem_free(session_my_of(s)->files);
    session_my_login_release(s);
    session_my_state_release(s);
}

const struct session_proto session_my_proto = {
    .name = "mysql",
    .size = sizeof(struct session_my),
    .on_open = session_my_open,
    .on_received = on_received,
    .on_login_leased = session_my_login_leased,
    .prepare = prepare,
    .on_group_end = on_group_end,
    .settle = session_my_settle,
    .on_looked = session_my_on_looked,
    .on_settled = on_settled,
    .on_hold_over = session_my_on_hold_over,
    .on_garbled = session_my_on_garbled,
    .tell = session_my_tell,
    .refuse = refuse,
    .release = release,
    .pack = session_my_state_pack,
    .on_arrived = session_my_on_arrived,
};
