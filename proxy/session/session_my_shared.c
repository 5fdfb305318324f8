/*
 * A MySQL client that shares server connections with others: what each of its commands leaves behind.
 *
 *      judged, from its text -> a connection, brought in line -> sent -> answered: what was set is kept, or the client stays
 *
 * What can be said again goes along: settings, user variables from literals, the current schema. All else keeps the client on its
 * connection, each for a reason that the console shows, until it leaves or begins anew; then the connection begins anew, too. The
 * server itself says when something has changed (session_track_state_change), so what neither its texts nor their functions tell,
 * as of triggers, keeps the client there as well.
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "parser/dialect_words.h"
#include "proxy/session/session_my.h"

enum { HOLD_US = 50000 };

static void go_wrong(struct session *s) {
    session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
}

/* ---- how its texts are read ------------------------------------------------------------------------------------------ */

static void read_as(struct session *s, struct bytes sql_mode) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct bytes unknown;
    st->cannot_read = !sql_modes_of(st->sql.flavour, sql_mode, &st->sql.modes, &unknown);
}

static void read_as_begun(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct bytes version = st->start->fields[START_MY_VERSION];
    bool is_mariadb = memmem(version.ptr, version.len, "MariaDB", 7) != NULL;
    st->sql = sql_options_default(SQL_MYSQL);
    st->sql.flavour = is_mariadb ? SQL_FLAVOUR_MARIADB : SQL_FLAVOUR_MYSQL;
    st->sql.version = sql_version_of(SQL_MYSQL, version);
    st->sql.encoding = sql_encoding_of(st->start->fields[START_MY_CLIENT]);
    read_as(s, st->start->fields[START_MY_SQL_MODE]);
}

void session_my_learn_beginning(struct session *s, struct backend *b) {
    struct session_my_state *st = &session_my_of(s)->state;
    if (!backend_my_of(b)->start) return;
    st->start = start_my_ref(backend_my_of(b)->start);
    st->status = backend_my_of(b)->begun_status & BACKEND_MY_LASTING;
    read_as_begun(s);
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

static void on_setting(void *ctx, const struct effect_my_setting *setting) {
    struct session_my_command *c = &session_my_of(ctx)->command;
    if (!setting->value.ptr) c->awaits_mode = true;
    else if (!state_my_set(&c->wish, setting)) c->effects |= EFFECT_MY_FIXED;
}

/* Reading takes a third of a microsecond: looking whether it was read before would not take less. */
void session_my_judge_text(struct session *s, struct bytes text) {
    struct session_my *sm = session_my_of(s);
    struct session_my_command *c = &sm->command;
    struct effect_my_ears ears = {.on_setting = on_setting, .ctx = s};
    session_my_forget_command(s);
    c->is_judged = c->has_wish = true;
    c->wish = state_my_ref(sm->state.set);
    unsigned effects = effect_my_of(text, &sm->state.sql, &s->env->arena, &ears); /* on_setting may add to c->effects meanwhile */
    c->effects |= effects;
    if (sm->state.cannot_read) c->effects |= EFFECT_MY_UNREAD | EFFECT_MY_MANY;
}

void session_my_judge_command(struct session *s, uint8_t command, bool is_whole) {
    struct session_my_command *c = &session_my_of(s)->command;
    session_my_forget_command(s);
    c->is_judged = true;
    switch (command) {
    case MY_COM_QUERY: c->effects = is_whole ? 0 : EFFECT_MY_UNREAD | EFFECT_MY_MANY; break; /* too long to be read */
    case MY_COM_INIT_DB: c->effects = EFFECT_MY_SCHEMA | EFFECT_MY_KEEPS_WARNINGS; break;
    case MY_COM_CREATE_DB:
    case MY_COM_DROP_DB:
    case MY_COM_STMT_PREPARE: break;
    case MY_COM_FIELD_LIST:
    case MY_COM_STATISTICS:
    case MY_COM_PROCESS_INFO:
    case MY_COM_PROCESS_KILL:
    case MY_COM_PING:
    case MY_COM_STMT_SEND_LONG_DATA:
        c->is_silent = true;
        c->effects = EFFECT_MY_KEEPS_WARNINGS;
        break;
    case MY_COM_STMT_RESET:
    case MY_COM_STMT_FETCH: c->effects = EFFECT_MY_KEEPS_WARNINGS; break;
    case MY_COM_SET_OPTION: c->effects = EFFECT_MY_FIXED | EFFECT_MY_KEEPS_WARNINGS; break;
    default: c->effects = EFFECT_MY_FIXED; break;
    }
}

void session_my_forget_command(struct session *s) {
    struct session_my_command *c = &session_my_of(s)->command;
    if (c->has_wish) state_my_unref(c->wish);
    if (UNLIKELY(c->statement != NULL)) session_my_prepared_forget(c);
    *c = (struct session_my_command){.is_judged = false};
}

/* ---- what it leaves -------------------------------------------------------------------------------------------------- */

static const struct {
    unsigned effect;
    uint32_t pin;
} reasons[] = {
    {EFFECT_MY_FIXED, PIN_FIXED},       {EFFECT_MY_USER_VARS, PIN_USER_VARIABLES}, {EFFECT_MY_TEMP, PIN_TEMP},
    {EFFECT_MY_LOCKS, PIN_LOCKS},       {EFFECT_MY_HANDLER, PIN_HANDLER},          {EFFECT_MY_PREPARES, PIN_SQL_PREPARED},
    {EFFECT_MY_XA, PIN_XA},             {EFFECT_MY_ROUTINE, PIN_ROUTINE},          {EFFECT_MY_UNREAD, PIN_UNREAD},
};

enum {
    PINS_STAY = PIN_FIXED | PIN_USER_VARIABLES | PIN_TEMP | PIN_LOCKS | PIN_HANDLER | PIN_SQL_PREPARED | PIN_XA | PIN_ROUTINE |
                PIN_UNREAD | PIN_HIDDEN | PIN_NEXT,
};

static uint32_t pins_of(unsigned effects) {
    uint32_t pins = 0;
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (effects & reasons[i].effect) pins |= reasons[i].pin;
    return pins;
}

void session_my_note_sent(struct session *s, struct backend *b) {
    struct session_my *sm = session_my_of(s);
    struct session_my_command *c = &sm->command;
    uint32_t pins = c->effects & EFFECT_MY_STAYS ? pins_of(c->effects) : 0;
    if (UNLIKELY(c->effects & EFFECT_MY_CHAIN)) { /* the server closes it behind the answer */
        pins |= PIN_FIXED;
        b->is_retired = true;
    }
    c->is_sent = true;
    c->pins = pins & ~s->pins;
    s->pins |= pins;
    const unsigned leaves = EFFECT_MY_STAYS | EFFECT_MY_SETS | EFFECT_MY_SCHEMA | EFFECT_MY_NEXT;
    if (c->effects & leaves || c->is_silent) b->is_tainted = true;
    sm->state.was_in_transaction = b->ledger.txn != TXN_NONE;
}

/* Errors that come before anything was done; of code that is run they may come from within it. */
static bool is_before_all(const struct session_my_command *c, uint16_t error) {
    const unsigned runs = EFFECT_MY_MANY | EFFECT_MY_ROUTINE | EFFECT_MY_PREPARES | EFFECT_MY_LOCKS | EFFECT_MY_USER_VARS |
                          EFFECT_MY_TEMP;
    if (c->effects & runs) return false;
    switch (error) {
    case MY_ER_PARSE_ERROR:
    case MY_ER_WRONG_VALUE_FOR_VAR:
    case MY_ER_UNKNOWN_SYSTEM_VARIABLE:
    case MY_ER_WRONG_TYPE_FOR_VAR:
    case MY_ER_SPECIFIC_ACCESS_DENIED:
    case MY_ER_LOCAL_VARIABLE:
    case MY_ER_GLOBAL_VARIABLE:
    case MY_ER_VARIABLE_IS_READONLY:
    case MY_ER_UNKNOWN_CHARACTER_SET:
    case MY_ER_UNKNOWN_COLLATION: return true;
    default: return false;
    }
}

/* What its triggers have changed before the error, no answer tells for sure. */
static bool may_have_failed_late(const struct session_my_command *c, uint16_t error) {
    bool is_read = c->effects & (EFFECT_MY_READS | EFFECT_MY_KEEPS_WARNINGS) && !(c->effects & EFFECT_MY_ROUTINE);
    return error != MY_ER_PARSE_ERROR && !is_read && !is_before_all(c, error);
}

/* A SET is done as a whole, or not at all; of several statements some may have been done. */
static void settle_failed(struct session *s, uint16_t error) {
    const struct session_my_command *c = &session_my_of(s)->command;
    if (is_before_all(c, error)) s->pins &= ~c->pins;
    else if (c->effects & EFFECT_MY_MANY && c->effects & (EFFECT_MY_SETS | EFFECT_MY_SCHEMA)) s->pins |= PIN_FIXED;
}

static void keep_settings(struct session *s, struct backend *b) {
    struct session_my *sm = session_my_of(s);
    struct session_my_command *c = &sm->command;
    if (!c->has_wish || !(c->effects & EFFECT_MY_SETS)) return;
    state_my_unref(sm->state.set);
    sm->state.set = c->wish;
    c->wish = NULL;
    c->has_wish = false;
    backend_my_keep_state(b, sm->state.set);
}

/* sql_mode is kept as the server says it, however it was set. */
static void keep_sql_mode(struct session *s, struct backend *b, const char *value) {
    struct session_my_state *st = &session_my_of(s)->state;
    uint8_t said[4096];
    struct writer w;
    struct effect_my_setting setting = {.kind = SETTING_MY_VARIABLE, .name = bytes_str("sql_mode")};
    read_as(s, bytes_str(value));
    writer_init_fixed(&w, said, sizeof said);
    writer_fmt(&w, "'%s'", value);
    setting.value = writer_bytes(&w);
    bool is_begun = bytes_equal(bytes_str(value), st->start->fields[START_MY_SQL_MODE]);
    if (is_begun) setting.value = bytes_str("DEFAULT");
    if (!setting.value.len || !state_my_set(&st->set, &setting)) s->pins |= PIN_FIXED;
    else backend_my_keep_state(b, st->set);
}

/* 'value', without its quotes; empty: it is something else. */
static struct bytes unquoted(struct bytes value) {
    const uint8_t *end = value.len > 1 && value.ptr[0] == '\'' ? memchr(value.ptr + 1, '\'', value.len - 1) : NULL;
    return end ? bytes_of(value.ptr + 1, (size_t)(end - value.ptr) - 1) : bytes_of(NULL, 0);
}

/* SET @@sql_mode = ... is done without a word (MariaDB): then it is as it was said. */
static void follow_untold(struct session *s, const struct my_answer *a) {
    struct session_my_state *st = &session_my_of(s)->state;
    if (!a->sql_mode) {
        struct bytes mode = state_my_value(st->set, "sql_mode"), said = unquoted(mode);
        if (session_my_of(s)->command.awaits_mode) s->pins |= PIN_FIXED;
        if (!mode.len) read_as(s, st->start->fields[START_MY_SQL_MODE]);
        else if (said.ptr) read_as(s, said);
        else st->cannot_read = true;
    }
    if (!a->character_set) {
        struct bytes name = state_my_charset(st->set);
        if (!name.len) st->sql.encoding = sql_encoding_of(st->start->fields[START_MY_CLIENT]);
        else st->sql.encoding = sql_encoding_of(unquoted(name));
    }
}

static bool keep_schema(struct session *s, const char *name) {
    struct session_my_state *st = &session_my_of(s)->state;
    mem_free(st->schema);
    st->schema = mem_strdup(name, strlen(name));
    return st->schema != NULL;
}

/* What its text explains. */
static bool is_explained(const struct session *s, unsigned effects) {
    unsigned explains = EFFECT_MY_STAYS;
    if (!(effects & EFFECT_MY_MANY)) explains |= EFFECT_MY_SETS | EFFECT_MY_SCHEMA | EFFECT_MY_NEXT;
    bool is_set = effects & EFFECT_MY_INSERT_ID && effects & EFFECT_MY_KEEPS_WARNINGS && !(effects & EFFECT_MY_MANY);
    return is_set || effects & explains || s->pins & (PINS_STAY & ~(uint32_t)PIN_NEXT);
}

/* What is said for the next transaction holds until one has ended. */
static void settle_next(struct session *s, const struct backend *b, bool has_failed) {
    struct session_my *sm = session_my_of(s);
    bool has_ended = sm->state.was_in_transaction && b->ledger.txn == TXN_NONE;
    if (has_ended) s->pins &= ~(uint32_t)PIN_NEXT;
    if (sm->command.effects & EFFECT_MY_NEXT && !has_failed) s->pins |= PIN_NEXT;
}

/* A schema or a state that no other client could be given goes with the session that has made it. */
void session_my_settle_taint(struct session *s, struct backend *b) {
    const struct backend_my *bm = backend_my_of(b);
    const uint32_t pins = PINS_STAY | PIN_PREPARED | PIN_CURSOR;
    bool has_odd_schema = bm->schema && !startup_my_read_key(b->variant->key).has_schema;
    b->is_tainted = s->pins & pins || has_odd_schema || session_my_of(s)->state.has_failed_late;
}

/* For a moment; while others wait, it is asked at once. */
static void keep_for_questions(struct session *s, struct backend *b) {
    if (b->ledger.txn != TXN_NONE || s->pins || !session_my_may_be_asked(s)) return;
    s->pins |= PIN_ASKED;
    if (b->variant->waiting_count) session_my_look(s);
    else session_hold_for(s, HOLD_US);
}

void session_my_let_go(struct session *s) {
    if (s->lessee.backend && s->state == SESSION_HELD) keep_for_questions(s, s->lessee.backend);
    session_on_unpinned(s);
}

/* SET STATEMENT: what its answer tells of settings was so while it ran. */
static bool puts_back(const struct session_my_command *c) {
    return c->effects & EFFECT_MY_PUTS_BACK && !(c->effects & (EFFECT_MY_SETS | EFFECT_MY_ROUTINE | EFFECT_MY_UNREAD));
}

static void note_status(struct session *s, const struct backend *b) {
    struct session_my *sm = session_my_of(s);
    const uint16_t of_modes = MY_STATUS_NO_BACKSLASH_ESCAPES | MY_STATUS_ANSI_QUOTES;
    uint16_t status = ((const struct backend_my *)b)->status & BACKEND_MY_LASTING;
    if (puts_back(&sm->command)) status = (status & (uint16_t)~of_modes) | (sm->state.status & of_modes);
    sm->state.status = status;
}

void session_my_settle(struct session *s, struct backend *b) {
    struct session_my *sm = session_my_of(s);
    const struct my_answer *a = &backend_my_of(b)->answer;
    if (!session_my_is_shared(s)) return;
    session_end_hold(s);
    s->pins &= ~(uint32_t)PIN_ASKED;
    if (!sm->command.is_sent) {
        session_my_settle_taint(s, b);
        keep_for_questions(s, b);
        return;
    }
    bool has_set = !a->is_error && sm->command.effects & EFFECT_MY_SETS;
    if (a->is_error) settle_failed(s, a->error);
    else keep_settings(s, b);
    if (has_set) follow_untold(s, a);
    if (a->sql_mode && !puts_back(&sm->command)) keep_sql_mode(s, b, a->sql_mode);
    if (a->character_set) sm->state.sql.encoding = sql_encoding_of(bytes_str(a->character_set));
    bool has_none = a->has_schema && !backend_my_of(b)->schema[0] && startup_my_read_key(b->variant->key).has_schema;
    if (has_none) s->pins |= PIN_FIXED; /* that cannot be said: it was dropped */
    if (a->has_schema && !(sm->command.effects & EFFECT_MY_ROUTINE)) sm->state.has_forgotten_schema = false;
    if (a->has_schema && !keep_schema(s, backend_my_of(b)->schema)) {
        go_wrong(s);
        return;
    }
    if (a->has_changed && !is_explained(s, sm->command.effects)) s->pins |= PIN_HIDDEN;
    settle_next(s, b, a->is_error);
    session_my_prepared_settle(s, b);
    if (s->state == SESSION_CLOSED) return;
    session_my_note_answer(s, b);
    note_status(s, b);
    if (a->is_error && may_have_failed_late(&sm->command, a->error)) sm->state.has_failed_late = true;
    session_my_settle_taint(s, b);
    if (UNLIKELY(sm->command.effects & EFFECT_MY_PUTS_BACK)) session_my_hear_put_back(s, b);
    if (s->state == SESSION_CLOSED) return;
    keep_for_questions(s, b);
    session_my_forget_command(s);
}

/* ---- on another connection ------------------------------------------------------------------------------------------- */

/* The connection knows nothing of it, and what it alone knew of the one before is lost. */
static void begin_lease(struct session_my_state *st) {
    st->has_row_count = st->has_found_rows = st->has_warnings = false;
    st->are_rows_unknown |= st->are_rows_doubtful;
    st->is_id_doubtful = st->are_rows_doubtful = false;
    st->awaits_own = st->has_failed_late = false;
}

void session_my_bring(struct session *s, struct backend *b) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct backend_my *bm = backend_my_of(b);
    if (b->ledger.txn != TXN_NONE || s->pins & ~(uint32_t)(PIN_ASKED | PIN_LOOKING)) return; /* it is its own */
    if (UNLIKELY(!bm->start)) { /* from before a reload, when each client had its own */
        struct err err;
        err_set(&err, ERR_CONNECTION_FAILURE, "the connection to server %s is from before pool_mode was changed", b->site->name);
        backend_fail(b, &err);
        return;
    }
    if (UNLIKELY(!st->start)) session_my_learn_beginning(s, b);
    if (st->backend_id != b->id || st->lease != b->leases) begin_lease(st);
    st->backend_id = b->id;
    st->lease = b->leases;
    if (UNLIKELY(st->start != bm->start)) {
        if (!state_my_rebase(&st->set, st->start, bm->start)) {
            go_wrong(s);
            return;
        }
        start_my_unref(st->start);
        st->start = start_my_ref(bm->start);
    }
    if (!backend_my_bring(b, st->set, st->schema, &st->awaits_own)) return; /* and the session has ended with it */
}

/* ---- beginning and end ----------------------------------------------------------------------------------------------- */

void session_my_state_release(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    session_my_forget_command(s);
    state_my_unref(st->set);
    start_my_unref(st->start);
    mem_free(st->schema);
    buf_unref(st->told);
    mem_free(st->refusal);
    session_my_statements_release(st);
    *st = (struct session_my_state){.start = NULL};
}

/*
 * The schema stays. So do the character sets of the login at MariaDB; at MySQL they become the server's own.
 */
void session_my_begin_anew(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    if (request_is_open(&s->request)) request_drop(s);
    if (s->lessee.backend) {
        s->lessee.backend->is_tainted = true;
        s->pins = 0;
        session_release_lease(s);
        session_set_state(s, SESSION_IDLE);
    }
    struct start_my *start = start_my_ref(st->start);
    char *schema = st->schema;
    st->schema = NULL;
    session_my_state_release(s);
    st->start = start;
    st->schema = schema;
    st->has_forgotten_schema = true;
    if (!start) return;
    st->status = MY_STATUS_AUTOCOMMIT;
    read_as_begun(s);
    if (st->sql.flavour == SQL_FLAVOUR_MARIADB) return;
    st->sql.encoding = sql_encoding_of(start->fields[START_MY_GLOBAL_CLIENT]);
    if (!state_my_reset(&st->set, start)) go_wrong(s);
}

void session_my_state_pack(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    session_my_forget_command(s); /* it is judged again */
    bool has_start = st->start != NULL, is_ok = session_my_statements_own(st) && state_my_own(&st->set);
    st->start = start_my_own(st->start);
    buf_unref(st->told);
    st->told = NULL;
    st->is_lost = !is_ok || (has_start && !st->start);
}
