/*
 * What the next statement may ask about the last answer: LAST_INSERT_ID(), FOUND_ROWS(), ROW_COUNT(), warnings.
 *
 * On the connection that has given the answer the server says it itself. So where there may be something to ask, a client keeps its
 * connection for a moment; then gilmok asks in its place, keeps what it hears, and lets the connection go:
 *
 *      answer with warnings, an error, a number that was generated -> held -> looked at -> free
 *
 * On another connection LAST_INSERT_ID() is set in front of the statement, FOUND_ROWS() and ROW_COUNT() become the numbers that
 * they stand for, and SHOW WARNINGS is answered with what the server has said then. Nothing of the client that was there before is
 * left to be seen: its warnings are cleared by a statement that reads from something.
 *
 * Source: tried on MariaDB 10.11: statements without a table clear no warnings; functions alone change none of these values but
 * ROW_COUNT() and FOUND_ROWS(). On MySQL 9.7: every statement but those about warnings clears them; of the numbers SHOW WARNINGS
 * changes ROW_COUNT() alone.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "parser/edit.h"
#include "proxy/session/session_my_take.h"

#define LOOK_AT_NUMBERS "SELECT LAST_INSERT_ID(), FOUND_ROWS(), ROW_COUNT()"
#define LOOK_AT_WARNINGS "SHOW WARNINGS"
#define CLEAR_WARNINGS "SELECT 1 FROM (SELECT 1) t"

enum {
    MANY_WARNINGS = UINT32_MAX,
    NUMBER_COLUMNS = 3,
    WARNING_COLUMNS = 3,
    RUNS_CODE = EFFECT_MY_ROUTINE | EFFECT_MY_UNREAD | EFFECT_MY_PREPARES, /* that nobody has read */
    ASKS_COUNTS = EFFECT_MY_ASKS_ROW_COUNT | EFFECT_MY_ASKS_FOUND_ROWS,
};

static void forget_told(struct session_my_state *st) {
    buf_unref(st->told);
    st->told = NULL;
}

/* ---- after an answer ------------------------------------------------------------------------------------------------- */

/* Code that nobody has read leaves those of before, or not. */
static void note_warnings(struct session_my_state *st, const struct my_answer *a, unsigned effects) {
    bool has_some = a->is_error || a->warnings;
    if (effects & EFFECT_MY_KEEPS_WARNINGS && !has_some) return;
    if (effects & RUNS_CODE && !has_some && !st->warnings) return;
    forget_told(st);
    st->warnings = a->is_error || (effects & RUNS_CODE && !has_some) ? MANY_WARNINGS : a->warnings;
    if (has_some || !(effects & RUNS_CODE)) st->has_warnings = true;
}

/* An error may have left it as it was, on a connection where it was another client's. */
static void note_rows(struct session_my_state *st, const struct my_answer *a, unsigned effects) {
    bool is_counted = a->has_rows && effects & EFFECT_MY_READS && !a->is_error;
    bool is_set = !a->is_error && (effects & EFFECT_MY_CALC_ROWS || (effects & EFFECT_MY_READS && !a->has_rows)); /* SELECT INTO */
    bool is_odd = a->is_error ? effects & (EFFECT_MY_READS | EFFECT_MY_CALC_ROWS | EFFECT_MY_UNREAD) : a->has_rows;
    if (is_counted) st->found_rows = a->rows;
    if (effects & EFFECT_MY_FINDS_ROWS) { /* the connection alone knows, unless it has failed: nobody asks for that in advance */
        st->has_found_rows |= !a->is_error;
        st->are_rows_unknown = true;
        st->are_rows_doubtful = false;
    } else if (is_counted || is_set) {
        st->has_found_rows = true;
        st->are_rows_unknown = false;
        st->are_rows_doubtful = is_set;
    } else if (is_odd && !(effects & EFFECT_MY_KEEPS_WARNINGS && !a->is_error)) {
        if (!st->has_found_rows) st->are_rows_unknown = true;
        else st->are_rows_doubtful = true;
    } else if (effects & EFFECT_MY_MANY && effects & EFFECT_MY_ODD_ROWS) { /* in front of what has none */
        st->are_rows_unknown = !st->has_found_rows;
        st->are_rows_doubtful = st->has_found_rows;
    } else if (effects & RUNS_CODE && !st->has_found_rows) {
        st->are_rows_unknown = true;
    }
}

static void note_id(struct session_my_state *st, struct backend_my *bm, const struct my_answer *a, unsigned effects, bool had_id) {
    bool is_other = a->insert_id && a->insert_id != st->insert_id;
    bool is_untold = a->has_rows && effects & EFFECT_MY_ODD_ROWS && take_may_tell_id(effects); /* RETURNING */
    bool may_have_failed_late = a->is_error && a->error != MY_ER_PARSE_ERROR && had_id;
    if (!is_other && !is_untold && !may_have_failed_late && !(effects & EFFECT_MY_INSERT_ID)) return;
    st->is_id_doubtful = true;
    bm->has_id = false;
}

void session_my_note_answer(struct session *s, struct backend *b) {
    const struct my_answer *a = &backend_my_of(b)->answer;
    struct session_my *sm = session_my_of(s);
    struct session_my_state *st = &sm->state;
    unsigned effects = sm->command.effects;
    bool is_opened = backend_my_of(b)->status & MY_STATUS_CURSOR_EXISTS; /* its rows are found by then, though not sent */
    if (is_opened) effects |= EFFECT_MY_FINDS_ROWS;
    bool clears = a->has_prepared && st->warnings && !(effects & EFFECT_MY_KEEPS_WARNINGS);
    if (clears || (a->has_prepared && a->prepared.warnings)) {
        forget_told(st);
        st->warnings = a->prepared.warnings;
        st->has_warnings = true;
    }
    if (!a->is_told) return;
    note_warnings(st, a, effects);
    bool is_diagnostics = effects & EFFECT_MY_KEEPS_COUNT && !(effects & EFFECT_MY_MANY);
    if (is_diagnostics && !a->is_error && !a->warnings) return;
    st->has_row_count = true;
    st->row_count = a->is_error || a->has_rows || is_diagnostics ? -1 : (int64_t)a->affected_rows;
    note_rows(st, a, effects);
    note_id(st, backend_my_of(b), a, effects, sm->command.has_id);
}

void session_my_note_refusal(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    forget_told(st);
    st->row_count = -1;
    st->warnings = MANY_WARNINGS;
    st->has_row_count = st->has_warnings = false;
}

bool session_my_may_be_asked(const struct session *s) {
    const struct session_my_state *st = &session_my_of((struct session *)s)->state;
    return st->is_id_doubtful || st->are_rows_doubtful || (st->warnings && !st->told && st->has_warnings);
}

/* ---- looking --------------------------------------------------------------------------------------------------------- */

static bool look(struct session *s, const char *question) {
    uint8_t storage[128];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_command(&w, MY_COM_QUERY, bytes_str(question));
    if (!backend_my_ask(s->lessee.backend, MY_COM_QUERY, writer_bytes(&w))) return false;
    session_my_of(s)->state.looks++;
    return true;
}

/* MariaDB: asking for them leaves the warnings. At MySQL it is the other way round. */
static bool are_numbers_first(const struct session_my_state *st) {
    return st->sql.flavour == SQL_FLAVOUR_MARIADB;
}

static bool look_at_numbers(struct session *s) {
    return !session_my_of(s)->state.looks_for_numbers || look(s, LOOK_AT_NUMBERS);
}

static bool look_at_warnings(struct session *s) {
    const struct session_my_state *st = &session_my_of(s)->state;
    return !st->warnings || st->told || !st->has_warnings || look(s, LOOK_AT_WARNINGS);
}

void session_my_look(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    s->pins = (s->pins & ~(uint32_t)PIN_ASKED) | PIN_LOOKING;
    st->looks = 0;
    backend_my_of(s->lessee.backend)->answer.has_changed = false;
    st->looks_for_numbers = st->is_id_doubtful || st->are_rows_doubtful;
    if (are_numbers_first(st) && !look_at_numbers(s)) return;
    if (!look_at_warnings(s)) return;
    if (!are_numbers_first(st) && !look_at_numbers(s)) return;
    if (!st->looks) s->pins &= ~(uint32_t)PIN_LOOKING;
}

void session_my_on_hold_over(struct session *s) {
    if (s->state != SESSION_HELD || !s->lessee.backend || s->pins != PIN_ASKED) return;
    session_my_look(s);
    if (s->state == SESSION_HELD && !s->pins) session_on_unpinned(s);
}

/* The payload of packet number `index`, from 0. False: there are fewer. */
static bool packet_at(struct bytes packets, unsigned index, struct bytes *payload) {
    struct my_header h;
    while (my_header_read(packets, &h)) {
        size_t len = MY_HEADER_LEN + (size_t)h.len;
        if (len > packets.len) return false;
        *payload = bytes_of(packets.ptr + MY_HEADER_LEN, h.len);
        if (index-- == 0) return true;
        packets = bytes_of(packets.ptr + len, packets.len - len);
    }
    return false;
}

/* A minus in front of what is below zero. */
static bool read_number(struct reader *r, uint64_t *out) {
    char text[24] = "";
    struct bytes digits = my_lenenc_str(r);
    if (r->failed || !digits.len || digits.len >= sizeof text) return false;
    memcpy(text, digits.ptr, digits.len);
    char *end;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool take_numbers(struct session_my_state *st, struct backend_my *bm, struct bytes packets) {
    struct bytes row;
    uint64_t id, found_rows, row_count;
    if (!packet_at(packets, 1 + NUMBER_COLUMNS, &row)) return false;
    struct reader r = reader_over(row);
    if (!read_number(&r, &id) || !read_number(&r, &found_rows) || !read_number(&r, &row_count)) return false;
    if (st->has_row_count && are_numbers_first(st)) st->row_count = (int64_t)row_count;
    if (st->are_rows_doubtful) st->found_rows = found_rows;
    if (st->is_id_doubtful) st->insert_id = bm->insert_id = id;
    if (st->is_id_doubtful) bm->has_id = true;
    st->is_id_doubtful = st->are_rows_doubtful = false;
    return true;
}

static bool take_warnings(struct session *s, struct bytes packets) {
    struct session_my_state *st = &session_my_of(s)->state;
    forget_told(st);
    struct buf *told = packets.len <= BUF_LARGE_SIZE ? buf_take(&s->env->loop->bufs, buf_class_for(packets.len)) : NULL;
    if (!told) return false;
    memcpy(told->data, packets.ptr, packets.len);
    told->len = (uint32_t)packets.len;
    st->told = told;
    return true;
}

/* Warnings that are too many to be kept are not known; a number that is not known cannot be asked for any more: it stays here. */
void session_my_on_looked(struct session *s, struct backend *b, struct bytes answer, bool ok) {
    struct session_my_state *st = &session_my_of(s)->state;
    if (session_my_on_prepared(s, b, answer, ok)) return;
    bool is_about_numbers = st->looks_for_numbers && (are_numbers_first(st) || st->looks == 1);
    if (st->looks) st->looks--;
    if (is_about_numbers) {
        st->looks_for_numbers = false;
        if (!ok || !take_numbers(st, backend_my_of(b), answer)) s->pins |= PIN_HIDDEN;
    } else if (!ok || !take_warnings(s, answer)) {
        st->warnings = MANY_WARNINGS;
    }
    if (backend_my_of(b)->answer.has_changed) s->pins |= PIN_HIDDEN; /* by a trigger, before an error */
    if (st->looks) return;
    s->pins &= ~(uint32_t)PIN_LOOKING;
    session_my_settle_taint(s, b);
    if (s->is_held_back) session_resume_input(s);
}

/* ---- asking elsewhere ------------------------------------------------------------------------------------------------ */

/* The session's status is that of now. */
static void say_eof(struct session *s, struct writer *w, const struct my_ok *ok) {
    struct my_eof eof = {.warnings = ok->warnings, .status = ok->status & (uint16_t)~MY_STATUS_SESSION_CHANGED};
    my_put_eof(w, s->lessee.next_seq++, &eof);
}

static void say_end(struct session *s, struct writer *w, const struct my_ok *ok) {
    if (session_my_of(s)->caps & MY_CAP_DEPRECATE_EOF)
        my_put_ok(w, s->lessee.next_seq++, MY_MARK_EOF, ok, session_my_of(s)->caps & MY_CAP_SESSION_TRACK);
    else say_eof(s, w, ok);
}

/* What the server has said to gilmok, as this client reads it. */
static bool replay(struct session *s, struct bytes packets) {
    bool wants_eof = !(session_my_of(s)->caps & MY_CAP_DEPRECATE_EOF);
    struct writer w;
    struct bytes payload, end = bytes_of(NULL, 0);
    unsigned count = 0, at;
    struct my_ok ok;
    while (packet_at(packets, count, &payload)) {
        end = payload;
        count++;
    }
    if (count <= WARNING_COLUMNS || !my_ok_read(end, true, &ok)) return false;
    ok.status = (ok.status & (uint16_t)~BACKEND_MY_LASTING) | session_my_of(s)->state.status;
    writer_init(&w, 2 * BUF_LARGE_SIZE);
    for (at = 0; at < count && packet_at(packets, at, &payload); at++) {
        if (at == count - 1) say_end(s, &w, &ok);
        else my_put(&w, s->lessee.next_seq++, payload);
        if (wants_eof && at == WARNING_COLUMNS) say_eof(s, &w, &ok);
    }
    bool is_ok = !w.failed;
    if (is_ok) session_send(s, writer_bytes(&w));
    writer_release(&w);
    session_my_of(s)->state.row_count = -1;
    return is_ok;
}

/* A statement of gilmok's own, whose answer nobody sees; what it counts is another matter. */
static bool send_own(struct session *s, struct backend *b, const char *text) {
    uint8_t storage[128];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_command(&w, MY_COM_QUERY, bytes_str(text));
    session_my_of(s)->state.has_row_count = false;
    return backend_my_send_own(b, MY_COM_QUERY, writer_bytes(&w));
}

enum { COUNTS_MAX = 16 /* in one text */ };

struct counts {
    unsigned count;
    bool has_unclear; /* one that may be about another statement of the text */
    struct {
        enum effect_my which;
        uint32_t start, end;
        bool is_item;
    } at[COUNTS_MAX + 1];
};

static void on_count(void *ctx, enum effect_my which, uint32_t start, uint32_t end, bool is_item) {
    struct counts *c = ctx;
    if (!end) c->has_unclear = true;
    c->at[c->count].which = which;
    c->at[c->count].start = start;
    c->at[c->count].end = end;
    c->at[c->count].is_item = is_item;
    if (c->count < COUNTS_MAX) c->count++;
}

/* The number as the function gives it: a BIGINT of 21 digits, under the name that the column would have had. */
static struct bytes number_for(struct session *s, struct bytes call, bool is_rows_found, bool is_item) {
    const struct session_my_state *st = &session_my_of(s)->state;
    long long value = is_rows_found ? (long long)st->found_rows : (long long)st->row_count;
    struct writer w;
    size_t max = 64 + 2 * call.len;
    uint8_t *storage = arena_alloc(&s->env->arena, max);
    if (!storage) return bytes_of(NULL, 0);
    writer_init_fixed(&w, storage, max);
    writer_fmt(&w, "CAST('%21lld' AS SIGNED)", value);
    if (is_item) writer_str(&w, " AS `");
    for (size_t i = 0; is_item && i < call.len; i++) {
        writer_u8(&w, call.ptr[i]);
        if (call.ptr[i] == '`') writer_u8(&w, '`');
    }
    if (is_item) writer_u8(&w, '`');
    return writer_bytes(&w);
}

static bool edit_counts(struct session *s, struct bytes text, struct writer *out) {
    const struct session_my_state *st = &session_my_of(s)->state;
    const struct sql_options *options = &st->sql;
    struct arena *arena = &s->env->arena;
    struct counts c = {.count = 0};
    struct effect_my_ears ears = {.on_count = on_count, .ctx = &c};
    struct edit_list list;
    (void)effect_my_of(text, options, arena, &ears);
    if (!c.count || c.count == COUNTS_MAX || c.has_unclear) return false;
    arena_reset(arena);
    edit_init(&list, text, options, arena);
    for (unsigned i = 0; i < c.count; i++) {
        struct bytes call = bytes_of(text.ptr + c.at[i].start, c.at[i].end - c.at[i].start);
        bool is_known = c.at[i].which == EFFECT_MY_ASKS_FOUND_ROWS ? st->has_found_rows : st->has_row_count;
        if (is_known) continue;
        struct bytes number = number_for(s, call, c.at[i].which == EFFECT_MY_ASKS_FOUND_ROWS, c.at[i].is_item);
        if (!number.len) return false;
        edit_replace(&list, c.at[i].start, c.at[i].end, number);
    }
    return edit_print(&list, out) && !out->failed;
}

/* Those that were kept, before any connection is asked for. */
enum session_my_asked session_my_ask_kept(struct session *s, bool as_text, const char **why) {
    struct session_my_state *st = &session_my_of(s)->state;
    unsigned effects = session_my_of(s)->command.effects;
    if (!(effects & EFFECT_MY_ASKS_WARNINGS) || !st->warnings) return ASKED_NOTHING;
    bool is_all = effects & EFFECT_MY_SHOW_WARNINGS && as_text && st->told;
    if (is_all && replay(s, bytes_of(st->told->data, st->told->len))) return ASKED_ANSWERED;
    *why = "the warnings of the statement before are not known any more: its server connection serves others now. Ask for them at "
           "once, or in a transaction";
    return ASKED_REFUSED;
}

/* Or the next client would be told of it. What is set here is so already. */
void session_my_hear_put_back(struct session *s, struct backend *b) {
    if (!send_own(s, b, "SET SESSION session_track_schema=1")) return; /* and the session has ended with it */
}

/* No other client could be given it: the connection stays this one's. */
bool session_my_bring_collation(struct session *s, struct backend *b) {
    struct session_my *sm = session_my_of(s);
    if (LIKELY(!sm->state.has_forgotten_schema) || !(sm->command.effects & EFFECT_MY_ASKS_COLLATION)) return true;
    if (sm->state.sql.flavour != SQL_FLAVOUR_MARIADB) return true;
    sm->state.has_forgotten_schema = false;
    s->pins |= PIN_FIXED;
    return send_own(s, b, "SET SESSION collation_database=@@global.collation_database");
}

bool session_my_bring_id(struct session *s, struct backend *b) {
    const struct session_my_state *st = &session_my_of(s)->state;
    struct backend_my *bm = backend_my_of(b);
    char set[64];
    bool is_own_there = st->is_id_doubtful;
    session_my_of(s)->command.has_id = true;
    if (is_own_there || (LIKELY(bm->has_id) && bm->insert_id == st->insert_id)) return true;
    snprintf(set, sizeof set, "SET last_insert_id=%llu", (unsigned long long)st->insert_id);
    bm->insert_id = st->insert_id;
    bm->has_id = true;
    return send_own(s, b, set);
}

enum session_my_asked session_my_ask(struct session *s, struct backend *b, struct bytes text, struct writer *out,
                                     const char **why) {
    struct session_my_state *st = &session_my_of(s)->state;
    unsigned effects = session_my_of(s)->command.effects;
    *why = "a number that the statement before has left is not known any more";
    if (effects & EFFECT_MY_ASKS_WARNINGS && !st->has_warnings) {
        if (!send_own(s, b, CLEAR_WARNINGS)) return ASKED_REFUSED;
        st->has_found_rows = false;
        st->are_rows_unknown |= st->are_rows_doubtful; /* which that statement has counted anew */
        st->are_rows_doubtful = false;
        st->has_warnings = true; /* there are none of anybody's */
    }
    bool is_here = (st->has_row_count || !(effects & EFFECT_MY_ASKS_ROW_COUNT)) &&
                   (st->has_found_rows || !(effects & EFFECT_MY_ASKS_FOUND_ROWS));
    if (is_here) return ASKED_NOTHING;
    if (effects & EFFECT_MY_ASKS_FOUND_ROWS && !st->has_found_rows && st->are_rows_unknown) return ASKED_REFUSED;
    return text.len && edit_counts(s, text, out) ? ASKED_EDITED : ASKED_REFUSED;
}
