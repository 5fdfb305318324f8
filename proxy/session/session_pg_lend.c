/*
 * A client's functions execute by name what the client has prepared by SQL: PL/pgSQL's EXECUTE of a text that is made while it
 * runs, or a language that nobody reads here. No text shows such a name, so none can be edited.
 *
 * Before a text that may do so (EFFECT_EXECUTES) the names are lent to the connection: the statements are prepared there once
 * more, as the client calls them, by one DO in the same send. They are no part of transactions, so they stay; one that cannot be
 * prepared any more hurts nobody: its error is caught.
 *
 *      PIN_LENT    names are there, or were in this transaction, whose cursors and triggers may still look for them
 *      settled     when all is answered and the transaction is over, they are closed again, before anybody else gets the
 *                  connection; behind a look, which tells what functions have put in the place of one
 *
 * Lent is only what means the same as when it was prepared. Who has prepared nothing by SQL pays nothing.
 *
 * A LIST. Who reads pg_prepared_statements (EFFECT_LISTS) is to find its own statements there, and no others: everything of
 * gilmok's is closed on this connection, and all that the client has is prepared as it was, by SQL with its own text, by the
 * protocol with Parse. This list ends before the look.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/session/session_pg_ops.h"
#include "proxy/wire/pg_encode.h"
#include "routing/name_use.h"

enum { LENT_TEXTS_MAX = 256 << 10, LENT_SQL_MAX = 2 << 20, LENT_MAX = 1000, DELIMITERS_MAX = 100 };

/* One of the client's. */
struct item {
    struct bytes name;
    const struct client_statement *known;
};

/* A DO in the making. */
struct lending {
    struct session *s;
    struct backend *b;
    const struct params_pg *in_force;
    struct item *items;     /* owned; in the order in which they were prepared */
    uint32_t count;
    struct name_uses named; /* by the text at hand, which says itself what these stand for */
    char word[24];          /* in no text and in no name behind a dollar sign: what is quoted by it cannot end it */
    struct writer names;    /* words with a NUL behind each */
    struct writer sql;
    uint32_t taken;         /* names, and their texts: */
    size_t text_bytes;
    bool is_list;
    bool is_asked;          /* functions may execute what is lent */
    bool leaves_out;        /* one whose meaning depends on other settings */
    bool excludes;          /* one that the text at hand names */
};

static bool names_have(const struct writer *names, struct bytes name) {
    for (size_t at = 0; at < names->len;) {
        size_t len = strlen((const char *)names->data + at);
        if (len == name.len && memcmp(names->data + at, name.ptr, len) == 0) return true;
        at += len + 1;
    }
    return false;
}

bool session_pg_is_lent(const struct session *s, struct bytes name) {
    if (LIKELY(!(s->pins & PIN_LENT))) return false;
    return names_have(&backend_pg_of(s->lessee.backend)->lent, name);
}

/* ---- which ----------------------------------------------------------------------------------------------------------- */

/* A name that every client_encoding writes with the same bytes, and the server does not cut. */
static bool is_plain(struct bytes name) {
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < ' ' || name.ptr[i] > '~') return false;
    return name.len > 0 && name.len < 64;
}

static int older_first(const void *a, const void *b) {
    uint64_t x = ((const struct item *)a)->known->age, y = ((const struct item *)b)->known->age;
    return (x > y) - (x < y);
}

/* False: memory is out. */
static bool collect(struct lending *k) {
    const struct map *named = &session_pg_of(k->s)->prepared.named;
    struct bytes name;
    void *value;
    size_t at = 0;
    k->items = mem_alloc((named->count + 1) * sizeof *k->items);
    while (k->items && map_next(named, &at, &name, &value)) k->items[k->count++] = (struct item){name, value};
    if (k->count) qsort(k->items, k->count, sizeof *k->items, older_first);
    return k->items != NULL;
}

static bool is_named_by_text(const struct lending *k, struct bytes name) {
    for (uint32_t i = 0; i < k->named.count; i++)
        if (k->named.items[i].kind != NAME_EXECUTED && bytes_equal(k->named.items[i].name, name)) return true;
    return false;
}

/* What is reported was true at the group's beginning. */
static bool means_the_same(const struct lending *k, const struct statement_pg *st) {
    if (!st->settings.digest) return true;
    bool is_known = !k->b->ledger.is_group_open || !session_pg_of(k->s)->left.has_moved;
    return is_known && st->settings.digest == k->in_force->analysis_digest;
}

/* What only is to be read may mean something else by now; but its bytes must be those of a text. */
static bool may_be_said(struct lending *k, const struct statement_pg *st) {
    bool is_same = means_the_same(k, st);
    k->leaves_out |= !is_same;
    if (is_same || !k->is_list || k->is_asked) return is_same;
    for (const uint8_t *at = st->source.ptr; *at; at++)
        if (*at > 127) return false;
    return true;
}

static bool is_for_loan(struct lending *k, struct bytes name, const struct client_statement *known) {
    size_t len = strlen((const char *)known->statement->source.ptr) + (known->original ? strlen(known->original) : 0);
    if (!is_plain(name) || k->taken == LENT_MAX || k->text_bytes + len > LENT_TEXTS_MAX) return false;
    bool is_excluded = is_named_by_text(k, name), may = may_be_said(k, known->statement) && !is_excluded;
    k->excludes |= is_excluded;
    k->taken += may;
    if (may) k->text_bytes += len;
    return may;
}

/* ---- the statement --------------------------------------------------------------------------------------------------- */

static bool has_delimiter(const char *delimiter, struct bytes text) {
    return memmem(text.ptr, text.len, delimiter, strlen(delimiter)) != NULL;
}

static bool is_in_use(const struct lending *k, const char *delimiter) {
    for (uint32_t i = 0; i < k->count; i++) {
        const struct client_statement *known = k->items[i].known;
        const char *original = known->original ? known->original : "";
        if (has_delimiter(delimiter, k->items[i].name) || has_delimiter(delimiter, known->statement->source)) return true;
        if (has_delimiter(delimiter, bytes_str(original))) return true;
    }
    return false;
}

static bool find_word(struct lending *k) {
    char delimiter[sizeof k->word + 1];
    for (unsigned i = 0; i < DELIMITERS_MAX; i++) {
        snprintf(k->word, sizeof k->word, "gilmok%u", i);
        snprintf(delimiter, sizeof delimiter, "$%s", k->word);
        if (!is_in_use(k, delimiter)) return true;
    }
    return false;
}

#define LOCK_TIMEOUT(time) "PERFORM pg_catalog.set_config('lock_timeout', '" time "', true);"

static void put_quote(struct lending *k) {
    writer_fmt(&k->sql, "$%s_$", k->word);
}

/* The types by their numbers; of one that is not described yet those that the server has found. As regtype[]. */
static void put_types(struct lending *k, const struct client_statement *known) {
    struct writer *w = &k->sql;
    const struct bytes source = known->statement->source;
    struct reader r = reader_over(source);
    reader_cstr(&r);
    uint16_t count = reader_be16(&r);
    if (known->here) {
        writer_str(w, "(SELECT p.parameter_types FROM pg_catalog.pg_prepared_statement() AS p "
                      "WHERE p.name OPERATOR(pg_catalog.=) ");
        pg_put_literal(w, bytes_str(known->here->name));
        writer_u8(w, ')');
        return;
    }
    writer_str(w, "CAST('{");
    for (uint16_t i = 0; i < count && !r.failed; i++) writer_fmt(w, i ? ",%u" : "%u", reader_be32(&r));
    writer_str(w, "}' AS pg_catalog.regtype[])");
}

/*
 *   BEGIN EXECUTE concat('PREPARE "name"', ' (types)', ' AS text'); EXCEPTION ...        an empty list of types falls away
 *
 * A table that somebody has locked is waited for a moment, once: the function may not want it at all.
 */
static void put_text(struct lending *k, struct bytes name, const struct client_statement *known) {
    struct writer *w = &k->sql;
    writer_str(w, "pg_catalog.concat(");
    put_quote(k);
    writer_str(w, k->is_list ? "PREPARE " : STATE_PG_LENT_MARK);
    pg_put_identifier(w, name);
    put_quote(k);
    writer_str(w, ", pg_catalog.replace(pg_catalog.concat(' (', pg_catalog.array_to_string(");
    put_types(k, known);
    writer_str(w, ", ', '), ')'), ' ()', ''), ");
    put_quote(k);
    writer_str(w, " AS ");
    writer_str(w, (const char *)known->statement->source.ptr);
    put_quote(k);
    writer_u8(w, ')');
}

static void put_prepare(struct lending *k, struct bytes name, const struct client_statement *known) {
    struct writer *w = &k->sql;
    writer_str(w, "BEGIN EXECUTE ");
    if (k->is_list && known->original) {
        put_quote(k);
        writer_str(w, known->original);
        put_quote(k);
    } else {
        put_text(k, name, known);
    }
    writer_str(w, "; EXCEPTION WHEN lock_not_available THEN " LOCK_TIMEOUT("1ms") " WHEN OTHERS THEN NULL; END;\n");
    writer_cstr(&k->names, name);
}

/* All of it in a subtransaction that ends with an error: so the locks go that the statements have taken, and they stay. */
static bool make(struct lending *k) {
    if (!find_word(k)) return false;
    writer_fmt(&k->sql, "DO $%s$ BEGIN BEGIN " LOCK_TIMEOUT("100ms") "\n", k->word);
    for (const struct item *it = k->items; it < k->items + k->count; it++)
        if (it->known->is_sql && is_for_loan(k, it->name, it->known)) put_prepare(k, it->name, it->known);
    writer_fmt(&k->sql, "RAISE EXCEPTION 'enough'; EXCEPTION WHEN OTHERS THEN NULL; END; END $%s$", k->word);
    return !k->sql.failed && !k->names.failed;
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

/*
 * Nothing of a client's is there any more, once this has been read. In a group of the client's the server skips it, if something in
 * front has failed: they are closed once more in the end.
 */
static bool take_back(struct backend *b, enum reply_fate fate) {
    struct backend_pg *bp = backend_pg_of(b);
    struct writer names = bp->lent;
    bool is_certain = !b->ledger.is_group_open;
    bp->lent = (struct writer){0};
    bp->lent_version = 0;
    bool ok = backend_pg_close_each(b, writer_bytes(&names), fate);
    if (is_certain || !ok) writer_release(&names);
    else bp->lent = names;
    return ok;
}

/* With what may be there from before. False: memory is out. */
static bool note_lent(struct backend_pg *bp, struct writer *names) {
    for (size_t at = 0; at < bp->lent.len;) {
        struct bytes name = bytes_str((const char *)bp->lent.data + at);
        if (!names_have(names, name)) writer_cstr(names, name);
        at += name.len + 1;
    }
    if (names->failed) return false;
    writer_release(&bp->lent);
    bp->lent = *names;
    *names = (struct writer){0};
    return true;
}

/* What is gilmok's own on the connection, and nobody is about to use. */
static bool close_gilmoks(struct session *s, struct backend *b, enum reply_fate fate) {
    struct backend_pg *bp = backend_pg_of(b);
    struct writer names;
    char name[PREPARED_PG_NAME_MAX];
    struct list *n;
    writer_init(&names, LENT_SQL_MAX);
    writer_cstr(&names, bytes_str(SQL_TEXT_OWN));
    for (; bp->void_count; bp->void_count--) {
        snprintf(name, sizeof name, SQL_TEXT_VOID "%x", bp->void_count - 1);
        writer_cstr(&names, bytes_str(name));
    }
    bool may = list_is_empty(&session_pg_of(s)->prepared.portals);
    while (may && (n = list_first(&bp->prepared.recent))) {
        struct prepared_pg *p = CONTAINER_OF(n, struct prepared_pg, node);
        writer_cstr(&names, bytes_str(p->name));
        prepared_pg_drop(&bp->prepared, p);
    }
    bool ok = !names.failed && backend_pg_close_each(b, writer_bytes(&names), fate);
    if (names.failed) (void)session_pg_prepared_out_of_memory(s);
    writer_release(&names);
    return ok;
}

/* What the protocol has prepared; outside of a transaction each in a group of its own, so that an error is of one alone. */
static bool send_parses(struct lending *k, enum reply_fate fate) {
    bool ok = true;
    for (const struct item *it = k->items; ok && it < k->items + k->count; it++) {
        if (it->known->is_sql || !is_for_loan(k, it->name, it->known)) continue;
        writer_cstr(&k->names, it->name);
        ok = !k->names.failed && backend_pg_note_own(k->b, PG_F_PARSE, 0, fate, 0);
        if (ok) backend_pg_send_parse_as(k->b, it->name, it->known->statement->source);
        if (ok && fate == REPLY_SWALLOW) ok = backend_pg_end_own_group(k->b);
    }
    return ok;
}

/*
 * In the client's group when one is open; else in one of gilmok's own, of which nothing is seen outside of a transaction. Inside of
 * one an error that nobody has caught (a cancel request) has ended it.
 */
static bool send_all(struct lending *k) {
    struct backend *b = k->b;
    bool is_alone = !b->ledger.is_group_open, is_hidden = is_alone && b->ledger.txn == TXN_NONE;
    enum reply_fate fate = is_hidden ? REPLY_SWALLOW : REPLY_QUIET;
    if (!take_back(b, fate) || (k->is_list && !close_gilmoks(k->s, b, fate))) return false;
    if (k->names.len && !backend_pg_run_as(b, writer_bytes(&k->sql), fate)) return false;
    if (is_hidden && !backend_pg_end_own_group(b)) return false;
    if (k->is_list && !send_parses(k, fate)) return false;
    return !is_alone || is_hidden || backend_pg_end_own_group(b);
}

static void find_named(struct lending *k, const struct message *m) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    const uint8_t *end = body.len ? memchr(body.ptr, 0, body.len) : NULL;
    bool is_it = session_pg_of(k->s)->left.latest & EFFECT_STATEMENTS && m->h.type == PG_F_QUERY && end;
    if (!is_it) return;
    struct bytes text = bytes_of(body.ptr, (size_t)(end - body.ptr));
    name_uses_find(&k->named, text, session_pg_settings_options(k->s, k->b), &k->s->env->arena);
}

/* Even an error that is caught would end the session. */
static bool exits_on_error(const struct session_pg *ps) {
    static const char name[] = "exit_on_error";
    return state_pg_get(&ps->left.state, name) || (ps->startup && state_pg_get(&ps->startup->rest, name));
}

static bool may_run_do(const struct session *s) {
    const struct pool *p = session_pool(s);
    bool is_asked = p->catalog && p->limits.unknown_effects != UNKNOWN_EFFECTS_TRUST;
    const struct catalog *c = is_asked ? p->catalog->now : NULL;
    return c && catalog_may_do(c) && !exits_on_error((const struct session_pg *)s);
}

/* False: the session is over. */
static bool lend(struct session *s, const struct message *m, unsigned effects) {
    struct backend *b = s->lessee.backend;
    struct backend_pg *bp = backend_pg_of(b);
    struct lending k = {.s = s, .b = b, .in_force = session_pg_settings_in_force(s, b),
                        .is_list = effects & EFFECT_LISTS, .is_asked = effects & EFFECT_EXECUTES};
    writer_init(&k.names, LENT_TEXTS_MAX);
    writer_init(&k.sql, LENT_SQL_MAX);
    find_named(&k, m);
    bool has_memory = collect(&k);
    if (!has_memory) (void)session_pg_prepared_out_of_memory(s);
    bool has_some = has_memory && !k.named.failed && may_run_do(s) && make(&k);
    if (!has_some) writer_reset(&k.names); /* and who looks for them is told so */
    bool ok = has_memory && send_all(&k);
    if (ok && !note_lent(bp, &k.names)) ok = session_pg_prepared_out_of_memory(s) == STEP_DONE;
    if (ok) {
        bp->lent_version = k.excludes ? 0 : session_pg_of(s)->prepared.sql_version;
        bp->lent_is_partial = k.leaves_out;
        bp->lent_is_list = k.is_list;
        s->pins |= PIN_LENT;
        session_pg_of(s)->prepared.has_lent = true;
    }
    writer_release(&k.names);
    writer_release(&k.sql);
    mem_free(k.items);
    arena_reset(&s->env->arena);
    return ok;
}

/* The configuration trusts functions, or the client may not run a DO: then none is lent. */
static bool may_lend(const struct session *s, unsigned effects) {
    return effects & EFFECT_LISTS || (session_pool(s)->limits.unknown_effects != UNKNOWN_EFFECTS_TRUST && may_run_do(s));
}

/* Functions may look for them, of this message or of this transaction, and what is there is not what should be. */
static bool is_due(const struct session *s, unsigned effects) {
    const struct session_pg *ps = (const struct session_pg *)s;
    const struct backend_pg *bp = backend_pg_of(s->lessee.backend);
    bool is_lent = s->pins & PIN_LENT, is_asked = effects & EFFECT_EXECUTES, may_have_more = is_asked && bp->lent_is_partial;
    bool is_of_group = is_lent && bp->lent_is_list && s->lessee.backend->ledger.is_group_open; /* made before its Parse, that is */
    if (effects & EFFECT_LISTS) return !is_of_group;
    if (!is_lent && (!is_asked || !ps->prepared.sql_count)) return false;
    return bp->lent_version != ps->prepared.sql_version || may_have_more;
}

/* What a Parse brings runs with a Bind; but in front of the group that it begins, nothing stands among the client's messages. */
static unsigned effects_of_parse(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    const uint8_t *name_end = body.len ? memchr(body.ptr, 0, body.len) : NULL;
    bool is_unnamed = body.len && !body.ptr[0];
    if (!name_end || m->avail < m->h.total || b->ledger.is_group_open || b->ledger.txn != TXN_NONE) return 0;
    struct bytes source = bytes_of(name_end + 1, body.len - (size_t)(name_end + 1 - body.ptr));
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    unsigned effects = is_unnamed ? ps->left.parsed : session_pg_state_effects(s, b, source, NULL);
    if (!(effects & EFFECT_STATEMENTS) || !end) return effects;
    return effects | session_pg_sql_effects(s, b, bytes_of(source.ptr, (size_t)(end - source.ptr)));
}

/* Nobody looks for them now; what has come to an end is not begun again. */
static enum step end_early(struct session *s) {
    struct backend *b = s->lessee.backend;
    bool is_over = b->ledger.txn == TXN_NONE && !b->ledger.is_group_open && !ledger_owes_forward(&b->ledger);
    if (is_over) s->pins &= (uint32_t)~PIN_LENT;
    return take_back(b, REPLY_QUIET) ? STEP_RAW : STEP_STOP;
}

/* As far as is answered; what is under way may change it. */
static enum step lend_if_due(struct session *s, const struct message *m, unsigned effects) {
    struct backend *b = s->lessee.backend;
    bool is_asked = effects & (EFFECT_EXECUTES | EFFECT_LISTS);
    if (session_pg_of(s)->prepared.has_lent) return STEP_RAW; /* what is waited for may be just that */
    if (!is_due(s, effects) && !(is_asked && session_pg_sql_must_wait(s))) return STEP_RAW;
    if (b->ledger.is_client_turn || b->ledger.is_skipping || !may_lend(s, effects)) return STEP_RAW;
    if (is_asked && session_pg_may_end_failed(s)) return session_pg_await_replies(s);
    bool is_for_nobody = b->ledger.txn == TXN_FAILED || (b->ledger.txn == TXN_NONE && !is_asked);
    if (is_for_nobody) return b->ledger.is_group_open ? STEP_RAW : end_early(s); /* what is open may run what looks for them yet */
    if (session_pg_sql_text_must_wait(s)) return session_pg_await_replies(s);
    return !is_due(s, effects) || lend(s, m, effects) ? STEP_RAW : STEP_STOP;
}

enum step session_pg_lend_on_message(struct session *s, const struct message *m) {
    const struct session_pg *ps = session_pg_of(s);
    unsigned effects = m->h.type == PG_F_PARSE ? effects_of_parse(s, m) : ps->left.latest;
    enum step step = lend_if_due(s, m, effects);
    bool may_have_more = step == STEP_RAW && ps->left.latest & EFFECT_CATALOG;
    if (may_have_more) backend_pg_of(s->lessee.backend)->lent_version = 0; /* of what could not be prepared */
    return step;
}

enum step session_pg_lend_first(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    if (!ps->prepared.sql_count) return STEP_RAW;
    ps->left.latest = session_pg_state_message_effects(s, m);
    return lend_if_due(s, m, ps->left.latest);
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

/* Who stays on the connection for another reason keeps them there. */
static bool may_end(const struct session *s, struct backend *b, uint16_t others) {
    return s->pins & PIN_LENT && !(s->pins & (uint32_t)~(PIN_LENT | others)) && b->ledger.txn == TXN_NONE;
}

static void end(struct session *s, struct backend *b) {
    bool is_empty = !backend_pg_of(b)->lent.len;
    s->pins &= (uint32_t)~PIN_LENT;
    backend_pg_of(b)->lent_version = 0;
    if (is_empty || !take_back(b, REPLY_SWALLOW)) return;
    if (!backend_pg_end_own_group(b)) return; /* the connection has failed, and the session with it */
}

bool session_pg_lend_end_list(struct session *s, struct backend *b) {
    if (backend_pg_of(b)->lent_is_list) end(s, b);
    return s->state != SESSION_CLOSED;
}

void session_pg_lend_settle(struct session *s, struct backend *b) {
    if (may_end(s, b, PIN_DESCRIBING)) end(s, b);
}

void session_pg_lend_on_settled(struct session *s, struct backend *b) {
    if (s->state == SESSION_HELD && ledger_is_quiet(&b->ledger) && may_end(s, b, 0)) end(s, b);
}

/* A statement of such a name that gilmok has not made is a function's, which has deallocated the one that was lent. */
void session_pg_lend_on_looked(struct session *s, struct backend *b, struct bytes others) {
    struct writer *lent = &backend_pg_of(b)->lent, kept;
    struct bytes rest = writer_bytes(lent);
    writer_init(&kept, LENT_TEXTS_MAX);
    const struct writer found = {.data = (uint8_t *)(uintptr_t)others.ptr, .len = others.len};
    while (rest.len) {
        struct bytes name = bytes_str((const char *)rest.ptr);
        rest = bytes_of(rest.ptr + name.len + 1, rest.len - name.len - 1);
        if (names_have(&found, name)) session_pg_names_forget(&session_pg_of(s)->prepared, name);
        else writer_cstr(&kept, name);
    }
    if (!kept.failed) {
        writer_release(lent);
        *lent = kept;
    } else {
        writer_release(&kept);
    }
    if (s->state == SESSION_HELD && ledger_is_quiet(&b->ledger) && may_end(s, b, PIN_LISTEN)) end(s, b);
}
