/*
 * The text of a client that names prepared statements, as the server gets it: with the names that they have on this connection.
 *
 * What a name stands for changes within a text, too; the server stops at the first error, so what stands in front of a name has
 * succeeded by the time it is looked up. A name that stands for nothing stays as it is: the server has no such statement, either.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/fault.h"
#include "parser/edit.h"
#include "proxy/session/session_pg_ops.h"
#include "routing/name_use.h"

/* No statement has this name: those of gilmok's end with a number. */
#define NOTHING STATEMENT_PG_PREFIX "nothing"

struct maker {
    struct session *s;
    const struct message *m;
    struct bytes source;
    const struct sql_options *options;
    struct name_uses uses;
    const char **here; /* in the arena: of each that is executed, its name on the connection; NULL: none yet, or none at all */
    struct sql_text *text;
    uint8_t *names_end; /* in the text's memory: where the next name goes */
    bool is_unreadable; /* the text as a whole: the server says so, too, before it runs any of it */
    bool is_over;       /* the message has failed, and been dealt with */
};

/* The last use before number `i` that decides what the name stands for; -1: what it stood for before the text. */
static int decided_by(const struct name_uses *uses, uint32_t i) {
    for (int k = (int)i - 1; k >= 0; k--) {
        const struct name_use *use = &uses->items[k];
        if (use->kind == NAME_ALL_DEALLOCATED) return k;
        if (use->kind != NAME_EXECUTED && bytes_equal(use->name, uses->items[i].name)) return k;
    }
    return -1;
}

static bool is_there(const struct maker *k, uint32_t i) {
    int by = decided_by(&k->uses, i);
    if (by >= 0) return k->uses.items[by].kind == NAME_PREPARED;
    return meaning_is_named(session_pg_meaning(&session_pg_of(k->s)->prepared, k->uses.items[i].name));
}

/* ---- what is executed must be on the connection first ---- */

static enum step bring_here(struct maker *k, uint32_t i) {
    struct backend *b = k->s->lessee.backend;
    struct bytes name = k->uses.items[i].name;
    struct meaning meaning = session_pg_meaning(&session_pg_of(k->s)->prepared, name);
    if (meaning.made) {
        k->here[i] = meaning.made->name;
    } else if (meaning.known && session_pg_is_failed(k->s)) { /* nothing can be prepared; it is executed only behind a ROLLBACK */
        struct prepared_pg *p = NULL;
        if (meaning.known->is_described)
            p = prepared_pg_find(&backend_pg_of(b)->prepared, meaning.known->statement, meaning.known->description);
        k->here[i] = p ? p->name : NULL;
    } else if (meaning.known) {
        enum step step = session_pg_prepare_here(k->s, k->m, name, meaning.known, &k->here[i]);
        k->is_over = step == STEP_DONE && !k->here[i];
        return step;
    }
    return STEP_DONE;
}

static enum step bring_all_here(struct maker *k) {
    for (uint32_t i = 0; i < k->uses.count; i++) {
        if (k->uses.items[i].kind != NAME_EXECUTED || decided_by(&k->uses, i) >= 0) continue;
        enum step step = bring_here(k, i);
        if (step != STEP_DONE || k->is_over) return step;
    }
    return STEP_DONE;
}

/* ---- the text ---- */

uint32_t session_pg_count_characters(struct bytes text, const struct sql_options *o) {
    uint32_t count = 0;
    if (o->encoding != SQL_ENCODING_UTF8) return (uint32_t)text.len;
    for (size_t i = 0; i < text.len; i++) count += (text.ptr[i] & 0xc0) != 0x80;
    return count;
}

/* False for some that are: those with a semicolon inside. */
static bool is_one_prepare(const struct maker *k) {
    const uint8_t *end = k->source.ptr + k->source.len, *at = memchr(k->source.ptr, ';', k->source.len);
    if (k->uses.count != 1 || k->uses.items[0].kind != NAME_PREPARED) return false;
    while (at && at < end && (*at == ';' || *at <= ' ')) at++;
    return !at || at == end;
}

static struct sql_text *new_text(struct maker *k) {
    size_t size = sizeof *k->text + k->uses.count * sizeof k->text->uses[0], names = 0;
    for (uint32_t i = 0; i < k->uses.count; i++) names += k->uses.items[i].name.len;
    size_t original = is_one_prepare(k) ? k->source.len + 1 : 0;
    struct sql_text *text = mem_alloc(size + names + original);
    if (!text) return NULL;
    if (original) {
        text->original = bytes_of((uint8_t *)text + size + names, k->source.len);
        memcpy((uint8_t *)text + size + names, k->source.ptr, k->source.len);
    }
    text->refs = 1;
    text->may_move = session_pg_of(k->s)->left.has_moved || session_pg_of(k->s)->left.will_move;
    k->names_end = (uint8_t *)text + size;
    return text;
}

static struct sql_use *add_use(struct maker *k, enum sql_use_kind kind, const struct name_use *from) {
    struct sql_use *use = &k->text->uses[k->text->count++];
    use->kind = kind;
    use->number = from->number;
    use->at = session_pg_count_characters(bytes_of(k->source.ptr, from->start), k->options);
    use->len = session_pg_count_characters(bytes_of(k->source.ptr + from->start, from->end - from->start), k->options);
    memcpy(k->names_end, from->name.ptr, from->name.len);
    use->name = bytes_of(k->names_end, from->name.len);
    k->names_end += from->name.len;
    return use;
}

/* The source of the statement inside, its types still open: PREPARE names them in words, and the server finds them. */
static struct prepared_pg *new_prepared(struct maker *k, const struct name_use *from) {
    struct backend *b = k->s->lessee.backend;
    struct statement_pg *st = NULL;
    struct writer w;
    writer_init(&w, k->source.len + 8);
    writer_cstr(&w, bytes_of(k->source.ptr + from->inner, from->inner_end - from->inner));
    writer_be16(&w, 0);
    if (!w.failed) st = session_pg_names_intern(k->s, b, writer_bytes(&w));
    writer_release(&w);
    struct prepared_pg *p = st ? prepared_pg_new(&backend_pg_of(b)->prepared, st) : NULL;
    statement_pg_unref(st);
    return p;
}

static bool add_prepare(struct maker *k, const struct name_use *from) {
    struct prepared_pg *p = new_prepared(k, from);
    if (!p) return false;
    struct sql_use *use = add_use(k, SQL_PREPARES, from);
    use->made = p;
    snprintf(use->server, sizeof use->server, "%s", p->name);
    k->s->pins |= PIN_DESCRIBING;
    return true;
}

/* What the text has prepared itself is found among its uses. */
static const char *name_made_by(const struct maker *k, int by) {
    const struct name_use *from = &k->uses.items[by];
    for (uint32_t i = 0; i < k->text->count; i++) {
        const struct sql_use *use = &k->text->uses[i];
        if (use->kind == SQL_PREPARES && use->number == from->number && bytes_equal(use->name, from->name)) return use->server;
    }
    return NULL;
}

/* What was there before the text is everybody's, and gets a stand-in. */
static void add_taken(struct maker *k, enum sql_use_kind kind, uint32_t i) {
    int by = decided_by(&k->uses, i);
    const char *made = by >= 0 ? name_made_by(k, by) : NULL;
    struct sql_use *use = add_use(k, kind, &k->uses.items[i]);
    if (made) snprintf(use->server, sizeof use->server, "%s", made);
    else snprintf(use->server, sizeof use->server, SQL_TEXT_VOID "%x", k->text->voids++);
}

/* It stands for something there, but not for this client any more, or never. */
static bool is_not_the_clients(const struct maker *k, struct bytes name) {
    return bytes_starts_with(name, STATEMENT_PG_PREFIX) || session_pg_is_lent(k->s, name);
}

static void add_execute(struct maker *k, uint32_t i) {
    const struct name_use *from = &k->uses.items[i];
    int by = decided_by(&k->uses, i);
    const char *name = by >= 0 ? name_made_by(k, by) : k->here[i];
    if (!name && is_not_the_clients(k, from->name)) name = NOTHING;
    if (name) snprintf(add_use(k, SQL_USES, from)->server, PREPARED_PG_NAME_MAX, "%s", name);
}

static bool add_uses(struct maker *k) {
    for (uint32_t i = 0; i < k->uses.count; i++) {
        const struct name_use *from = &k->uses.items[i];
        if (from->kind == NAME_EXECUTED) {
            add_execute(k, i);
        } else if (from->kind == NAME_PREPARED && !is_there(k, i)) {
            if (!add_prepare(k, from)) return false;
        } else if (from->kind != NAME_ALL_DEALLOCATED && is_there(k, i)) {
            add_taken(k, from->kind == NAME_PREPARED ? SQL_TAKEN : SQL_DEALLOCATES, i);
        } else if (from->kind == NAME_DEALLOCATED && is_not_the_clients(k, from->name)) {
            snprintf(add_use(k, SQL_USES, from)->server, PREPARED_PG_NAME_MAX, "%s", NOTHING);
        }
    }
    return true;
}

/* A name in quotes gives way to one in quotes: so nothing joins that did not, and what is printed has the expected length. */
static bool print(struct maker *k, struct writer *w) {
    struct arena *arena = &k->s->env->arena;
    size_t at = w->len, expected = k->source.len;
    struct edit_list list;
    edit_init(&list, k->source, k->options, arena);
    for (uint32_t i = 0, u = 0; i < k->uses.count && u < k->text->count; i++) {
        const struct name_use *from = &k->uses.items[i];
        struct sql_use *use = &k->text->uses[u];
        if (from->kind == NAME_ALL_DEALLOCATED || use->number != from->number) continue; /* one name a statement */
        bool is_plain = memchr(k->source.ptr + from->start, '"', from->end - from->start) == NULL;
        size_t len = strlen(use->server) + (is_plain ? 0 : 2);
        char *with = arena_alloc(arena, len + 1);
        if (!with) return false;
        snprintf(with, len + 1, is_plain ? "%s" : "\"%s\"", use->server);
        edit_replace(&list, from->start, from->end, bytes_of(with, len));
        use->server_len = (uint32_t)len;
        expected = expected - (from->end - from->start) + len;
        u++;
    }
    bool ok = edit_print(&list, w);
    k->is_unreadable = list.problem != NULL;
    return ok && w->len - at == expected;
}

static enum step fail_text(struct maker *k) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED, "this statement names prepared statements in a way that cannot be followed");
    return session_pg_fail_here(k->s, k->m, &err);
}

/* The server has its text as the client wrote it, with names that are not the client's there. */
static enum step fail_nested(struct maker *k) {
    struct err err = {0};
    err_set(&err, ERR_FEATURE_NOT_SUPPORTED,
            "a prepared statement that is itself a PREPARE, EXECUTE or DEALLOCATE cannot be executed by SQL");
    err_hint(&err, "Bind it, or execute what it names.");
    return session_pg_fail_here(k->s, k->m, &err);
}

static bool names_gilmoks(const struct maker *k) {
    for (uint32_t i = 0; i < k->uses.count; i++)
        if (is_not_the_clients(k, k->uses.items[i].name)) return true;
    return false;
}

static enum step make(struct maker *k, struct sql_text **out, struct writer *w) {
    struct arena *arena = &k->s->env->arena;
    name_uses_find(&k->uses, k->source, k->options, arena);
    if (k->uses.failed || !k->uses.count) return STEP_RAW;
    bool is_run = k->m->h.type != PG_F_DESCRIBE && !session_pg_is_failed(k->s);
    if (is_run && session_pg_of(k->s)->left.is_nested) return fail_nested(k);
    k->here = arena_alloc(arena, k->uses.count * sizeof *k->here);
    if (!k->here) return STEP_RAW;
    enum step step = bring_all_here(k);
    if (step != STEP_DONE || k->is_over) return step;
    k->text = new_text(k);
    bool ok = k->text && add_uses(k);
    bool is_printed = ok && k->text->count && print(k, w);
    if (is_printed) {
        *out = k->text;
        return STEP_DONE;
    }
    bool is_as_it_is = ok && (!k->text->count || (k->is_unreadable && !names_gilmoks(k)));
    if (k->text) session_pg_sql_text_unref(k->text, &backend_pg_of(k->s->lessee.backend)->prepared);
    if (!ok) return session_pg_prepared_out_of_memory(k->s);
    return is_as_it_is ? STEP_RAW : fail_text(k);
}

enum step session_pg_sql_text_make(struct session *s, const struct message *m, struct bytes text, struct sql_text **out,
                                   struct writer *w) {
    struct maker k = {.s = s, .m = m, .source = text, .options = session_pg_settings_options(s, s->lessee.backend)};
    struct arena *arena = &s->env->arena;
    *out = NULL;
    enum step step = make(&k, out, w);
    arena_reset(arena);
    return step;
}

void session_pg_sql_text_unref(struct sql_text *text, struct prepared_set_pg *set) {
    if (!text || --text->refs) return;
    session_pg_sql_text_unref(text->over, set);
    for (uint32_t i = 0; set && i < text->count; i++)
        if (text->uses[i].made) prepared_pg_drop(set, text->uses[i].made);
    mem_free(text);
}

bool session_pg_sql_text_send_voids(struct backend *b, const struct sql_text *text) {
    struct backend_pg *bp = backend_pg_of(b);
    char name[PREPARED_PG_NAME_MAX];
    if (bp->void_count < text->voids) bp->void_count = text->voids;
    for (uint32_t i = 0; i < text->voids; i++) {
        snprintf(name, sizeof name, SQL_TEXT_VOID "%x", i);
        if (!backend_pg_note_own(b, PG_F_CLOSE, 'S', REPLY_QUIET, 0)) return false; /* one that was not used is still there */
        backend_pg_send_about(b, PG_F_CLOSE, name);
        if (!backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_QUIET, 0)) return false;
        backend_pg_send_empty_parse(b, name);
    }
    return true;
}

/* ---- errors ---- */

uint32_t session_pg_sql_text_position(const struct sql_text *text, uint32_t position) {
    if (text->over) position = session_pg_sql_text_position(text->over, position);
    uint32_t sent = position - 1, skew = 0; /* what the names in front have grown by, modulo 2^32 */
    for (uint32_t i = 0; position && i < text->count; i++) {
        const struct sql_use *use = &text->uses[i];
        if (sent < use->at + skew) break;
        if (sent < use->at + skew + use->server_len) return use->at + 1;
        skew += use->server_len - use->len;
    }
    return position ? sent - skew + 1 : 0;
}

bool session_pg_sql_text_find(const struct sql_text *text, struct bytes at, const struct sql_use **use) {
    for (uint32_t i = 0; i < text->count; i++) {
        *use = &text->uses[i];
        if ((*use)->kind == SQL_INSERTED || !bytes_starts_with(at, (*use)->server)) continue;
        size_t len = strlen((*use)->server);
        if (at.len == len || !isalnum(at.ptr[len])) return true;
    }
    return false;
}
