/*
 * Statements that a MySQL client has prepared by protocol, where it shares server connections.
 *
 *      PREPARE  -> goes to the server; the client is told a number of its own, gilmok keeps the text
 *      EXECUTE  -> on a connection that does not have the text prepared: PREPARE of gilmok's own first
 *      CLOSE    -> forgotten; the connection keeps it for the next client with the same text
 *
 * What a text means is settled when it is prepared: its names are those of the schema that was current, and it is read under the
 * sql_mode and the character sets of then. So these are part of what it is known by on a connection (its key), and are put in force
 * for the moment when gilmok prepares it.
 *
 * MySQL settles more, from 8.0.22 on: by the types with which it is executed first those of its parameters, which later values are
 * made to fit; as it is prepared those of user variables, and what a dozen settings say. Clients that differ in these do not share
 * a statement there.
 *
 * The types of parameters are sent once by clients, and put in again where a connection has not had them from this one. What is
 * kept inside a statement on the server keeps its client there: long data until it is executed, a cursor until it is closed.
 *
 * Source: the prepared statement chapters of MySQL's and MariaDB's protocol documentation.
 */
#include <stdio.h>

#include "base/fault.h"
#include "proxy/session/session_my_take.h"
#include "proxy/wire/my_execute.h"

enum {
    LAST_PREPARED = -1, /* MariaDB: the latest one, by whatever number */
    SETTLES_SINCE = 80022, /* MySQL's version */
    ID_LEN = 4,
    STATEMENTS_MAX = 16384, /* of a client, at a time */
    PINS_PASSING = PIN_ASKED | PIN_LOOKING | PIN_PREPARED | PIN_CURSOR | PIN_TEMP | PIN_USER_VARIABLES | PIN_HANDLER |
                   PIN_SQL_PREPARED, /* with these, what is set is known */
};

/* ---- a client's own -------------------------------------------------------------------------------------------------- */

struct session_my_statement {
    uint32_t id;
    uint16_t parameters, columns;
    uint8_t *types; /* owned; MY_EXECUTE_TYPE_LEN each; NULL: it has not told them yet */
    bool has_data, has_cursor; /* on the connection that it has */
    bool has_lost_data;        /* that could not be sent, as it cannot be read as it was prepared: EXECUTE says so */
    struct state_my *set; /* what was set, and which schema was current (owned; NULL: the login's), when it was prepared */
    char *schema;
    enum state_my_reach reach; /* of that, what matters */
    uint8_t *typed_key; /* owned; the key and its types; NULL: they do not matter, or are not known */
    uint32_t typed_key_len;
    uint32_t text_len, key_len; /* the text is the beginning of the key */
    uint8_t key[];
};

static struct bytes text_of(const struct session_my_statement *t) {
    return bytes_of(t->key, t->text_len);
}

static struct bytes key_of(const uint32_t *id) {
    return bytes_of(id, sizeof *id);
}

/* text | 0 | schema | 0 | what decides how it is read */
static void put_key(struct writer *w, struct bytes text, const char *schema, const struct state_my *set,
                    enum state_my_reach reach) {
    writer_init(w, 2 * STREAM_HELD_MAX);
    writer_put(w, text);
    writer_u8(w, 0);
    writer_str(w, schema ? schema : "");
    writer_u8(w, 0);
    state_my_put_reading(w, set, reach);
}

/* ... | 1 | types, where they are settled on the server. */
static void put_types(struct writer *w, const struct session_my_statement *t) {
    if (t->reach == STATE_MY_READING || !t->types) return;
    writer_u8(w, 1);
    writer_put(w, bytes_of(t->types, MY_EXECUTE_TYPE_LEN * (size_t)t->parameters));
}

/* An @ anywhere may be that of a user variable. */
static enum state_my_reach reach_of(const struct session_my_state *st, struct bytes text) {
    if (st->sql.flavour == SQL_FLAVOUR_MARIADB || st->sql.version < SETTLES_SINCE) return STATE_MY_READING;
    return text.len && memchr(text.ptr, '@', text.len) ? STATE_MY_SETTLED_USERS : STATE_MY_SETTLED;
}

static void free_statement(struct session_my_statement *t) {
    if (!t) return;
    state_my_unref(t->set);
    mem_free(t->schema);
    mem_free(t->types);
    mem_free(t->typed_key);
    mem_free(t);
}

/* NULL: memory is out. */
static struct session_my_statement *make(const struct session_my_state *st, struct bytes text) {
    const char *schema = st->schema;
    enum state_my_reach reach = reach_of(st, text);
    struct writer w;
    put_key(&w, text, schema, st->set, reach);
    struct bytes key = writer_bytes(&w);
    struct session_my_statement *t = w.failed ? NULL : mem_alloc(sizeof *t + key.len);
    if (t) {
        t->text_len = (uint32_t)text.len;
        t->key_len = (uint32_t)key.len;
        memcpy(t->key, key.ptr, key.len);
        t->set = state_my_ref(st->set);
        t->reach = reach;
        t->schema = schema ? mem_strdup(schema, strlen(schema)) : NULL;
    }
    writer_release(&w);
    if (!t || !schema || t->schema) return t;
    free_statement(t);
    return NULL;
}

/* What is kept inside of a statement on the server is one client's: it has it for itself. text ... | 0 | its number */
static void put_private_key(struct writer *w, struct bytes text, const struct session_my_statement *t) {
    put_key(w, text, t->schema, t->set, t->reach);
    writer_u8(w, 0);
    writer_put(w, bytes_of(&t->id, sizeof t->id));
}

/* By what it is known on a connection, with this text. */
static void put_key_there(struct writer *w, struct bytes text, const struct session_my_statement *t, bool is_private) {
    if (is_private) {
        put_private_key(w, text, t);
        return;
    }
    put_key(w, text, t->schema, t->set, t->reach);
    put_types(w, t);
}

/* The same statement, with another text or for itself alone, to be prepared. NULL: memory is out. */
static struct session_my_statement *make_like(const struct session_my_statement *as, struct bytes text, bool is_private) {
    struct writer w;
    put_key_there(&w, text, as, is_private);
    struct bytes key = writer_bytes(&w);
    struct session_my_statement *t = w.failed ? NULL : mem_alloc(sizeof *t + key.len);
    if (t) {
        t->parameters = as->parameters;
        t->text_len = (uint32_t)text.len;
        t->key_len = (uint32_t)key.len;
        memcpy(t->key, key.ptr, key.len);
    }
    writer_release(&w);
    return t;
}

static struct bytes key_of_statement(const struct session_my_statement *t) {
    return bytes_of(t->key, t->key_len);
}

static struct session_my_statement *find(struct session_my_state *st, uint32_t id) {
    bool is_last = id == (uint32_t)LAST_PREPARED && st->sql.flavour == SQL_FLAVOUR_MARIADB;
    uint32_t real = is_last ? (st->has_failed ? 0 : st->last_statement) : id;
    return map_get(&st->statements, key_of(&real));
}

void session_my_statements_release(struct session_my_state *st) {
    struct bytes key;
    void *value;
    for (size_t at = 0; map_next(&st->statements, &at, &key, &value);) free_statement(value);
    map_release(&st->statements);
    free_statement(st->preparing);
    st->preparing = NULL;
    st->last_statement = 0;
}

/* False: memory is out. */
bool session_my_statements_own(struct session_my_state *st) {
    struct bytes key;
    void *value;
    for (size_t at = 0; map_next(&st->statements, &at, &key, &value);) {
        struct session_my_statement *t = value;
        if (!state_my_own(&t->set)) return false;
    }
    return true;
}

/* What keeps the client on its connection. */
static void settle_pins(struct session *s) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct bytes key;
    void *value;
    s->pins &= ~(uint32_t)(PIN_PREPARED | PIN_CURSOR);
    for (size_t at = 0; map_next(&st->statements, &at, &key, &value);) {
        const struct session_my_statement *t = value;
        if (t->has_data) s->pins |= PIN_PREPARED;
        if (t->has_cursor) s->pins |= PIN_CURSOR;
    }
}

/* ---- on a connection --------------------------------------------------------------------------------------------------- */

static bool send_close(struct backend *b, uint32_t id) {
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    size_t at = my_begin(&w, 0);
    writer_u8(&w, MY_COM_STMT_CLOSE);
    my_w32(&w, id);
    my_end(&w, at);
    stream_send(b->stream, writer_bytes(&w));
    return true;
}

/* False: memory is out; then it is closed there. */
static bool note_prepared(struct backend *b, struct bytes text, const struct my_prepared *p) {
    struct statements_my *all = &backend_my_of(b)->statements;
    uint32_t closes = 0, max = b->variant->pool->limits.max_prepared_statements;
    bool is_ok = statements_my_add(all, text, p->statement, p->parameters, p->columns, max, &closes) != NULL;
    if (!is_ok) closes = p->statement;
    if (closes) send_close(b, closes);
    return is_ok;
}

static bool send_prepare(struct backend *b, struct bytes text) {
    struct writer w;
    writer_init(&w, 2 * STREAM_HELD_MAX);
    my_put_command(&w, MY_COM_STMT_PREPARE, text);
    bool is_sent = !w.failed && backend_my_ask(b, MY_COM_STMT_PREPARE, writer_bytes(&w));
    writer_release(&w);
    return is_sent;
}

/*
 * gilmok's own PREPARE is sent, as things were when the client prepared it; the command is offered again when it is answered. Where
 * something is set that cannot be said again, only the schema is another one meanwhile.
 */
static enum take prepare_there(struct session *s, struct bytes text, const struct session_my_statement *as, bool is_private) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct backend *b = s->lessee.backend;
    struct state_my *now = state_my_ref(backend_my_of(b)->state), *then = NULL;
    bool waits = false; /* it does in any case */
    bool is_made = s->pins & ~(uint32_t)PINS_PASSING ? (then = state_my_ref(now), true)
                                                     : state_my_read_as(now, as->set, as->reach, &then);
    st->preparing = is_made ? make_like(as, text, is_private) : NULL;
    bool is_sent = st->preparing && backend_my_bring(b, then, as->schema, &waits) && send_prepare(b, text) &&
                   backend_my_bring(b, now, st->schema, &waits);
    state_my_unref(then);
    state_my_unref(now);
    st->has_row_count = st->has_warnings = false;
    if (!is_sent) {
        if (s->state != SESSION_CLOSED) session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
        return TAKE_STOP;
    }
    st->awaits_own = true;
    return take_hold_back(s);
}

/* True: that was the answer to it. */
bool session_my_on_prepared(struct session *s, struct backend *b, struct bytes answer, bool ok) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct my_header h;
    struct my_prepared p;
    if (!st->preparing) return false;
    bool has_first = my_header_read(answer, &h) && answer.len >= MY_HEADER_LEN + (size_t)h.len;
    struct bytes first = has_first ? bytes_of(answer.ptr + MY_HEADER_LEN, h.len) : bytes_of(NULL, 0);
    bool is_prepared = ok && my_prepared_read(first, &p), is_the_same = is_prepared && p.parameters == st->preparing->parameters;
    if (is_prepared && !is_the_same) send_close(b, p.statement);
    if (!is_the_same || !note_prepared(b, key_of_statement(st->preparing), &p)) {
        mem_free(st->refusal);
        st->refusal = ok ? NULL : mem_strdup((const char *)first.ptr, first.len); /* the server's error */
        st->refusal_len = st->refusal ? (uint32_t)first.len : 0;
        st->is_refused = true;
    }
    free_statement(st->preparing);
    st->preparing = NULL;
    if (ledger_is_quiet(&b->ledger)) st->awaits_own = false; /* else what was put back is still to be answered: on_settled */
    session_resume_input(s);
    return true;
}

/* What the server has said to gilmok's PREPARE is the answer to the client's command. */
static enum take refuse_as_server(struct session *s, const struct packet *p) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct my_error e;
    char text[MY_ERROR_TEXT_MAX + 1] = "the statement could not be prepared on this server connection";
    bool is_error = st->refusal && my_err_read(bytes_of(st->refusal, st->refusal_len), &e);
    uint16_t number = is_error ? e.number : MY_ER_UNKNOWN;
    if (is_error) snprintf(text, sizeof text, "%.*s", (int)e.text.len, (const char *)e.text.ptr);
    mem_free(st->refusal);
    st->refusal = NULL;
    st->is_refused = false;
    take_end_unsent(s);
    session_my_forget_command(s);
    return take_refuse(s, p, number, is_error ? e.sqlstate : "HY000", text);
}

/* One that nobody has executed yet is settled by who does first. NULL: there is none. */
static struct statement_my *find_unsettled(struct statements_my *all, const struct session_my_statement *t) {
    struct statement_my *found = t->typed_key ? statements_my_find(all, key_of_statement(t)) : NULL;
    return found ? statements_my_rename(all, found, bytes_of(t->typed_key, t->typed_key_len)) : NULL;
}

/* With its own text. NULL: it is not prepared there. */
static struct statement_my *find_its_own(struct statements_my *all, const struct session_my_statement *t) {
    if (LIKELY(!t->typed_key)) return statements_my_find(all, key_of_statement(t));
    struct statement_my *found = statements_my_find(all, bytes_of(t->typed_key, t->typed_key_len));
    return found ? found : find_unsettled(all, t);
}

static struct statement_my *find_there(struct statements_my *all, const struct session_my_statement *t, struct bytes text,
                                       bool is_private) {
    struct writer key;
    if (text.ptr == t->key && !is_private) return find_its_own(all, t); /* and not one with numbers in it */
    put_key_there(&key, text, t, is_private);
    struct statement_my *found = statements_my_find(all, writer_bytes(&key));
    writer_release(&key);
    return found;
}

/*
 * It was prepared under another sql_mode or other character sets than are in force, and these cannot be said for the moment: the
 * client is kept on its connection for something that nobody knows to the end.
 */
static bool is_read_otherwise(struct session *s, const struct session_my_statement *t) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct writer w;
    bool has_one = !t->schema || t->schema[0];
    if (session_my_has_lost_schema(s) && has_one) return true; /* and could not be without one again */
    if (!s->lessee.backend || !(s->pins & ~(uint32_t)PINS_PASSING) || t->set == st->set) return false;
    put_key(&w, text_of(t), t->schema, st->set, t->reach);
    bool is_other = !bytes_equal(writer_bytes(&w), key_of_statement(t));
    writer_release(&w);
    return is_other;
}

static enum take refuse_reading(struct session *s, const struct packet *p) {
    static const char why[] = "the statement was prepared under another sql_mode, schema or character set, and cannot be prepared "
                              "so on the server connection that the client is kept on: prepare it again";
    take_end_unsent(s);
    session_my_forget_command(s);
    return take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", why);
}

/* NULL: *take says how it goes on. */
static struct statement_my *there(struct session *s, const struct packet *p, const struct session_my_statement *t,
                                  struct bytes text, bool is_private, enum take *take) {
    struct session_my_state *st = &session_my_of(s)->state;
    struct statement_my *found;
    if (!take_has_connection(s)) {
        *take = take_keep_or_stop(s);
        return NULL;
    }
    if (UNLIKELY(st->awaits_own)) {
        *take = take_hold_back(s);
        return NULL;
    }
    found = find_there(&backend_my_of(s->lessee.backend)->statements, t, text, is_private);
    if (UNLIKELY(found && is_private)) found->is_kept = true;
    if (LIKELY(found != NULL)) return found;
    if (UNLIKELY(st->looks)) { /* what was asked before is answered first */
        *take = take_hold_back(s);
        return NULL;
    }
    if (UNLIKELY(st->is_refused)) *take = refuse_as_server(s, p);
    else *take = is_read_otherwise(s, t) ? refuse_reading(s, p) : prepare_there(s, text, t, is_private);
    return NULL;
}

/* What was kept inside of it is over. */
static void close_private(struct backend *b, const struct session_my_statement *t) {
    struct statements_my *all = &backend_my_of(b)->statements;
    struct writer key;
    put_private_key(&key, text_of(t), t);
    struct statement_my *on = key.failed ? NULL : statements_my_find(all, writer_bytes(&key));
    writer_release(&key);
    if (!on) return;
    send_close(b, on->id);
    statements_my_remove(all, on);
}

/* ---- the commands ------------------------------------------------------------------------------------------------------ */

static bool is_mariadb(struct session *s) {
    return session_my_of(s)->state.sql.flavour == SQL_FLAVOUR_MARIADB;
}

static enum take refuse_unknown(struct session *s, const struct packet *p, uint32_t id, const char *where) {
    char why[96];
    if (!is_mariadb(s)) where = "mysql_stmt_precheck";
    snprintf(why, sizeof why, "Unknown prepared statement handler (%u) given to %s", id, where);
    session_my_forget_command(s);
    return take_refuse(s, p, MY_ER_UNKNOWN_STMT_HANDLER, "HY000", why);
}

/* The number of its statement; false: it is not in hand. */
static bool read_id(const struct packet *p, uint32_t *id) {
    struct reader r = reader_over(packet_body(p));
    *id = my_le32(&r);
    return !r.failed;
}

static enum take refuse_malformed(struct session *s, const struct packet *p) {
    const char *why = is_mariadb(s) ? "Malformed communication packet" : "Malformed communication packet.";
    session_my_forget_command(s);
    return take_refuse(s, p, MY_ER_MALFORMED_PACKET, "HY000", why);
}

/*
 * Nothing at all about parameters, or values without types, are wrong arguments; what is cut off within them is malformed, and by
 * the number for the latest one, of which clients know nothing, all of it is.
 */
static enum take refuse_arguments(struct session *s, const struct packet *p, uint32_t id, uint16_t parameters, bool is_broken) {
    const size_t fixed = 10, without_types = fixed + ((size_t)parameters + 7) / 8 + 1;
    bool is_cut = is_broken && (p->h.len < fixed || p->h.len >= without_types);
    if (is_cut || id == (uint32_t)LAST_PREPARED) return refuse_malformed(s, p);
    session_my_forget_command(s);
    return take_refuse(s, p, MY_ER_WRONG_ARGUMENTS, "HY000", "Incorrect arguments to mysqld_stmt_execute");
}

/* What a statement of tables clears is cleared when it is prepared, and SET CHARACTER SET takes its collation then. */
static void judge_prepare(struct session *s, struct bytes text) {
    struct session_my *sm = session_my_of(s);
    struct effect_my_ears ears = {.ctx = s};
    session_my_judge_command(s, MY_COM_STMT_PREPARE, true);
    if (!sm->state.warnings && !sm->state.has_forgotten_schema) return;
    unsigned effects = effect_my_of(text, &sm->state.sql, &s->env->arena, &ears);
    sm->command.effects |= effects & EFFECT_MY_ASKS_COLLATION;
    if (effects & (EFFECT_MY_KEEPS_WARNINGS | EFFECT_MY_ROUTINE)) sm->command.effects |= EFFECT_MY_KEEPS_WARNINGS;
}

/* 0x16 | text */
static enum take take_prepare(struct session *s, struct run *run, const struct packet *p) {
    static const char is_long[] = "a statement of more than 64 KB cannot be prepared with pool_mode = transaction";
    struct session_my *sm = session_my_of(s);
    struct session_my_state *st = &sm->state;
    if (!packet_may_be_kept(p)) return take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", is_long);
    if (!packet_is_whole(p)) return TAKE_KEEP;
    if (st->statements.count >= STATEMENTS_MAX)
        return take_refuse(s, p, MY_ER_MAX_PREPARED_STMT_COUNT_REACHED, "42000", "too many prepared statements (16384)");
    if (!sm->command.is_judged) judge_prepare(s, packet_body(p));
    if (!take_has_connection(s)) return take_keep_or_stop(s);
    if (UNLIKELY(st->awaits_own)) return take_hold_back(s);
    if (!session_my_bring_collation(s, s->lessee.backend)) return TAKE_STOP;
    if (!sm->command.statement) sm->command.statement = make(st, packet_body(p));
    if (!sm->command.statement) {
        session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
        return TAKE_STOP;
    }
    backend_my_of(s->lessee.backend)->prepares_as = st->last_statement + 1;
    return take_send(s, run, p, MY_COM_STMT_PREPARE);
}

/* With its parameters the server forgets long data. */
static void forget_data(struct session *s, struct session_my_statement *t) {
    if (!t->has_data || t->has_cursor || !s->lessee.backend) return;
    close_private(s->lessee.backend, t);
    t->has_data = false;
    settle_pins(s);
    if (!request_is_open(&s->request)) session_my_let_go(s);
}

/* With the text of `t`, or with one in which numbers have taken the place of what asks for them. */
static enum take execute(struct session *s, struct run *run, const struct packet *p, struct session_my_statement *t,
                         const struct my_execute *e, struct bytes text) {
    struct writer w;
    enum take take = TAKE_STOP;
    size_t rest = p->avail - MY_HEADER_LEN - e->head_len;
    bool is_private = e->flags || t->has_data || t->has_cursor;
    if (!e->types && e->has_values && !t->types) {
        take_end_unsent(s);
        forget_data(s, t);
        return refuse_arguments(s, p, e->statement, t->parameters, false);
    }
    struct statement_my *on = there(s, p, t, text, is_private, &take);
    if (!on) return take;
    size_t len = MY_EXECUTE_TYPE_LEN * (size_t)t->parameters;
    bool has_types = e->types != NULL, is_known = on->types && t->types && memcmp(on->types, t->types, len) == 0;
    writer_init(&w, MY_HEADER_LEN + e->head_len + len);
    my_put_execute_head(&w, e, bytes_of(p->ptr + MY_HEADER_LEN, p->avail - MY_HEADER_LEN), p->h.len, t->parameters, on->id,
                        has_types || is_known ? NULL : t->types);
    bool is_kept = !t->types || statements_my_keep_types(on, t->types);
    if (!w.failed && is_kept) take = take_send_instead(s, run, p, p->ptr[MY_HEADER_LEN], writer_bytes(&w), rest);
    else session_my_fail(s, MY_ER_NOT_SUPPORTED_YET, "42000", "the types of its parameters do not fit into the packet");
    writer_release(&w);
    if (take != TAKE_GOES_ON) return take;
    session_my_of(s)->command.executes = t->id;
    session_my_of(s)->command.is_private = is_private;
    if (e->flags) backend_my_note_cursor(s->lessee.backend);
    return take;
}

static RARELY enum take execute_question(struct session *s, struct run *run, const struct packet *p, struct session_my_statement *t,
                                         const struct my_execute *e) {
    const char *why = "";
    struct writer w;
    enum take take = TAKE_STOP;
    writer_init(&w, 2 * STREAM_HELD_MAX);
    enum session_my_asked asked = session_my_ask(s, s->lessee.backend, text_of(t), &w, &why);
    bool is_edited = asked == ASKED_EDITED;
    if (is_edited && e->flags) { /* what is fetched later is looked for by the statement's own text */
        asked = ASKED_REFUSED;
        why = "a number that the statement before has left is not known any more to a cursor";
    }
    if (asked != ASKED_REFUSED) {
        take = execute(s, run, p, t, e, is_edited ? writer_bytes(&w) : text_of(t));
    } else if (s->state != SESSION_CLOSED) {
        take_end_unsent(s);
        session_my_forget_command(s);
        take = take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", why);
    }
    writer_release(&w);
    return take;
}

/* As put_key_there() says it. False: memory is out. */
static bool keep_typed_key(struct session_my_statement *t) {
    struct writer w;
    put_key_there(&w, text_of(t), t, false);
    struct bytes key = writer_bytes(&w);
    mem_free(t->typed_key);
    t->typed_key = w.failed ? NULL : mem_alloc_raw(key.len);
    t->typed_key_len = (uint32_t)key.len;
    if (t->typed_key) memcpy(t->typed_key, key.ptr, key.len);
    writer_release(&w);
    return t->typed_key != NULL;
}

/* What it says of its parameters' types holds until it says otherwise. False: memory is out. */
static bool keep_types(struct session_my_statement *t, const struct my_execute *e) {
    size_t len = MY_EXECUTE_TYPE_LEN * (size_t)t->parameters;
    if (!e->types || !len || (t->types && memcmp(t->types, e->types, len) == 0)) return true;
    if (!t->types) t->types = mem_alloc_raw(len);
    if (!t->types) return false;
    memcpy(t->types, e->types, len);
    return t->reach == STATE_MY_READING || keep_typed_key(t);
}

static enum take take_execute(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    struct my_execute e;
    uint32_t id;
    enum take take = TAKE_KEEP;
    if (!read_id(p, &id)) return packet_is_whole(p) ? refuse_malformed(s, p) : TAKE_KEEP;
    struct session_my_statement *t = find(&sm->state, id);
    if (!t) return refuse_unknown(s, p, id, "mysqld_stmt_execute");
    switch (my_execute_read(bytes_of(p->ptr + MY_HEADER_LEN, p->avail - MY_HEADER_LEN), p->h.len, t->parameters, &e)) {
    case MY_EXECUTE_READ: break;
    case MY_EXECUTE_MORE:
        if (MY_HEADER_LEN + e.head_len <= STREAM_HELD_MAX) return TAKE_KEEP;
        return take_refuse(s, p, MY_ER_NOT_SUPPORTED_YET, "42000", "a statement with so many parameters cannot be executed with "
                           "pool_mode = transaction");
    case MY_EXECUTE_BROKEN:
        forget_data(s, t);
        return is_mariadb(s) ? refuse_arguments(s, p, id, t->parameters, true) : refuse_malformed(s, p);
    }
    if (UNLIKELY(id == (uint32_t)LAST_PREPARED && t->parameters && !e.types)) {
        forget_data(s, t);
        return refuse_malformed(s, p);
    }
    if (!sm->command.is_judged) {
        session_my_judge_text(s, text_of(t));
        if (!keep_types(t, &e)) {
            session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
            return TAKE_STOP;
        }
    }
    if (UNLIKELY(t->has_lost_data)) {
        t->has_lost_data = false;
        return refuse_reading(s, p);
    }
    if (!take_goes_to_server(s, run, p, &take)) return take;
    if (!take_has_connection(s)) return take_keep_or_stop(s);
    if (UNLIKELY(sm->state.awaits_own)) return take_hold_back(s);
    if (take_may_tell_id(sm->command.effects) && !session_my_bring_id(s, s->lessee.backend)) return TAKE_STOP;
    if (!session_my_bring_collation(s, s->lessee.backend)) return TAKE_STOP;
    if (UNLIKELY(sm->command.effects & SESSION_MY_ASKS)) return execute_question(s, run, p, t, &e);
    return execute(s, run, p, t, &e, text_of(t));
}

/* command | the server's number | what the client has sent behind its own */
static enum take send_with_id(struct session *s, struct run *run, const struct packet *p, uint32_t id) {
    uint8_t storage[MY_HEADER_LEN + 1 + ID_LEN];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_put(&w, bytes_of(p->ptr, MY_HEADER_LEN + 1));
    my_w32(&w, id);
    return take_send_instead(s, run, p, p->ptr[MY_HEADER_LEN], writer_bytes(&w), p->avail - sizeof storage);
}

/* 0x18 | statement 4 | parameter 2 | data; no answer, not even an error */
static enum take take_long_data(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    uint32_t id;
    enum take take = TAKE_KEEP;
    if (!read_id(p, &id) && !packet_is_whole(p)) return TAKE_KEEP;
    struct session_my_statement *t = find(&sm->state, id);
    if (!t) return take_answered(s, run);
    if (!sm->command.is_judged) session_my_judge_command(s, MY_COM_STMT_SEND_LONG_DATA, true);
    t->has_lost_data |= !t->has_data && !t->has_cursor && is_read_otherwise(s, t);
    if (UNLIKELY(sm->state.is_refused || t->has_lost_data)) { /* nothing is said of it: EXECUTE will hear the same */
        sm->state.is_refused = false;
        take_end_unsent(s);
        return take_answered(s, run);
    }
    struct statement_my *on = there(s, p, t, text_of(t), true, &take);
    if (!on) return take;
    take = send_with_id(s, run, p, on->id);
    if (take == TAKE_GOES_ON) t->has_data = true;
    return take;
}

static enum take say_ok(struct session *s, struct run *run) {
    const struct session_my *sm = session_my_of(s);
    struct my_ok ok = {.status = sm->state.status};
    uint8_t storage[64];
    struct writer w;
    s->lessee.next_seq = 1;
    session_my_of(s)->state.row_count = 0;
    session_my_of(s)->state.has_row_count = false;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_ok(&w, s->lessee.next_seq++, MY_MARK_OK, &ok, sm->caps & MY_CAP_SESSION_TRACK);
    session_send(s, writer_bytes(&w));
    return take_answered(s, run);
}

/*
 * 0x1a | statement 4. Where there is something of it on the server that is asked, and in a transaction: it may have ended without a
 * word, by an error, and the status is part of the answer.
 */
static enum take take_reset(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    uint32_t id;
    enum take take = TAKE_KEEP;
    if (!read_id(p, &id)) return packet_is_whole(p) ? refuse_malformed(s, p) : TAKE_KEEP;
    struct session_my_statement *t = find(&sm->state, id);
    if (!t) return refuse_unknown(s, p, id, "mysqld_stmt_reset");
    t->has_lost_data = false;
    bool is_private = t->has_data || t->has_cursor;
    bool has_begun = s->lessee.backend && s->lessee.backend->ledger.txn != TXN_NONE;
    if (!is_private && !has_begun) return say_ok(s, run);
    if (!sm->command.is_judged) session_my_judge_command(s, MY_COM_STMT_RESET, true);
    if (UNLIKELY(!is_private && (sm->state.is_refused || is_read_otherwise(s, t)))) { /* there is nothing of it */
        sm->state.is_refused = false;
        take_end_unsent(s);
        return say_ok(s, run);
    }
    struct statement_my *on = there(s, p, t, text_of(t), is_private, &take);
    if (!on) return take;
    sm->command.resets = t->id;
    return send_with_id(s, run, p, on->id);
}

/* 0x19 | statement 4; no answer */
static enum take take_close(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    struct backend *b = s->lessee.backend;
    uint32_t id;
    if (!read_id(p, &id) && !packet_is_whole(p)) return TAKE_KEEP;
    struct session_my_statement *t = find(&sm->state, id);
    if (!t) return take_answered(s, run);
    if (b && (t->has_data || t->has_cursor)) close_private(b, t);
    (void)map_take(&sm->state.statements, key_of(&t->id));
    free_statement(t);
    settle_pins(s);
    if (b) session_my_let_go(s);
    return take_answered(s, run);
}

/* 0x1c | statement 4 | rows 4 */
static enum take take_fetch(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    uint32_t id;
    enum take take = TAKE_KEEP;
    if (!read_id(p, &id)) return packet_is_whole(p) ? refuse_malformed(s, p) : TAKE_KEEP;
    struct session_my_statement *t = find(&sm->state, id);
    if (!t) return refuse_unknown(s, p, id, "mysqld_stmt_fetch");
    if (!t->has_cursor) {
        char why[64];
        snprintf(why, sizeof why, "The statement (%u) has no open cursor%s", t->id, is_mariadb(s) ? "" : ".");
        return take_refuse(s, p, MY_ER_STMT_HAS_NO_OPEN_CURSOR, "HY000", why);
    }
    if (!sm->command.is_judged) session_my_judge_command(s, MY_COM_STMT_FETCH, true);
    struct statement_my *on = there(s, p, t, text_of(t), true, &take);
    if (!on) return take;
    sm->command.fetches = t->id;
    return send_with_id(s, run, p, on->id);
}

enum take take_prepared(struct session *s, struct run *run, const struct packet *p, uint8_t command) {
    switch (command) {
    case MY_COM_STMT_PREPARE: return take_prepare(s, run, p);
    case MY_COM_STMT_EXECUTE:
    case MY_COM_STMT_BULK_EXECUTE: return take_execute(s, run, p);
    case MY_COM_STMT_SEND_LONG_DATA: return take_long_data(s, run, p);
    case MY_COM_STMT_CLOSE: return take_close(s, run, p);
    case MY_COM_STMT_RESET: return take_reset(s, run, p);
    default: return take_fetch(s, run, p);
    }
}

/* ---- what is left of them ---------------------------------------------------------------------------------------------- */

static void settle_prepare(struct session *s, struct backend *b) {
    struct session_my *sm = session_my_of(s);
    struct session_my_statement *t = sm->command.statement;
    const struct my_prepared *p = &backend_my_of(b)->answer.prepared;
    sm->state.has_failed = !backend_my_of(b)->answer.has_prepared;
    if (sm->state.has_failed) return;
    t->id = ++sm->state.last_statement;
    t->parameters = p->parameters;
    t->columns = p->columns;
    sm->command.statement = NULL;
    if (map_put(&sm->state.statements, key_of(&t->id), t)) {
        (void)note_prepared(b, key_of_statement(t), p); /* without, the next EXECUTE prepares it once more */
        return;
    }
    free_statement(t);
    send_close(b, p->statement);
    session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
}

void session_my_prepared_settle(struct session *s, struct backend *b) {
    struct session_my *sm = session_my_of(s);
    const struct session_my_command *c = &sm->command;
    const struct backend_my *bm = backend_my_of(b);
    if (c->statement) settle_prepare(s, b);
    if (s->state == SESSION_CLOSED) return;
    uint32_t id = c->executes ? c->executes : c->resets ? c->resets : c->fetches;
    struct session_my_statement *t = id ? find(&sm->state, id) : NULL;
    bool was_in_use = t && (t->has_data || t->has_cursor || c->is_private);
    if (t && c->executes && !bm->answer.is_error) t->has_cursor = bm->status & MY_STATUS_CURSOR_EXISTS; /* else one may be left */
    if (t && (c->executes || c->resets)) t->has_data = false;
    if (t && c->resets) t->has_cursor = false;
    if (t && c->fetches && (bm->answer.is_error || bm->status & MY_STATUS_LAST_ROW_SENT)) t->has_cursor = false;
    if (was_in_use && !t->has_data && !t->has_cursor) close_private(b, t);
    settle_pins(s);
}

void session_my_prepared_forget(struct session_my_command *c) {
    free_statement(c->statement);
    c->statement = NULL;
}
