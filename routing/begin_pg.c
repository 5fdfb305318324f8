/*
 * By tokens alone: the grammar is a handful of words.
 */
#include "routing/begin_pg.h"

#include <stdio.h>

#include "parser/lex.h"

/* A lexer with one token in hand. */
struct scan {
    struct lexer l;
    struct token t;
};

static void advance(struct scan *s) {
    lex_next(&s->l, &s->t);
}

static bool accept(struct scan *s, uint16_t kind) {
    if (s->t.kind != kind) return false;
    advance(s);
    return true;
}

static void skip_noise(struct scan *s) {
    if (!accept(s, KW_WORK)) (void)accept(s, KW_TRANSACTION);
}

/* ---- modes ----------------------------------------------------------------------------------------------------------- */

/* SERIALIZABLE | REPEATABLE READ | READ ( COMMITTED | UNCOMMITTED ) */
static enum begin_isolation take_level(struct scan *s) {
    if (accept(s, KW_SERIALIZABLE)) return ISOLATION_SERIALIZABLE;
    if (accept(s, KW_REPEATABLE)) return accept(s, KW_READ) ? ISOLATION_REPEATABLE_READ : ISOLATION_DEFAULT;
    if (!accept(s, KW_READ)) return ISOLATION_DEFAULT;
    if (accept(s, KW_COMMITTED)) return ISOLATION_READ_COMMITTED;
    return accept(s, KW_UNCOMMITTED) ? ISOLATION_READ_UNCOMMITTED : ISOLATION_DEFAULT;
}

/* ISOLATION LEVEL level | READ ( ONLY | WRITE ) | [ NOT ] DEFERRABLE. False: it is none. */
static bool take_mode(struct scan *s, struct begin_modes *modes) {
    if (accept(s, KW_ISOLATION)) {
        if (!accept(s, KW_LEVEL)) return false;
        modes->isolation = (uint8_t)take_level(s);
        return modes->isolation != ISOLATION_DEFAULT;
    }
    if (accept(s, KW_READ)) {
        modes->access = accept(s, KW_ONLY) ? ACCESS_READ_ONLY : accept(s, KW_WRITE) ? ACCESS_READ_WRITE : ACCESS_DEFAULT;
        return modes->access != ACCESS_DEFAULT;
    }
    modes->deferrable = accept(s, KW_NOT) ? DEFERRABLE_NO : DEFERRABLE_YES;
    return accept(s, KW_DEFERRABLE);
}

static bool is_at_mode(const struct scan *s) {
    return s->t.kind == KW_ISOLATION || s->t.kind == KW_READ || s->t.kind == KW_NOT || s->t.kind == KW_DEFERRABLE;
}

/* One at least, with or without commas. */
static bool take_modes(struct scan *s, struct begin_modes *modes) {
    do {
        if (!take_mode(s, modes)) return false;
    } while (accept(s, ',') || is_at_mode(s));
    return true;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* [ AND NO CHAIN ]: a chain begins the next one. */
static bool take_no_chain(struct scan *s) {
    skip_noise(s);
    return !accept(s, KW_AND) || (accept(s, KW_NO) && accept(s, KW_CHAIN));
}

static enum begin_verb take_statement(struct scan *s, struct begin_modes *modes) {
    if (accept(s, KW_BEGIN)) {
        skip_noise(s);
        return !is_at_mode(s) || take_modes(s, modes) ? BEGIN_BEGINS : BEGIN_NO_VERB;
    }
    if (accept(s, KW_START)) {
        if (!accept(s, KW_TRANSACTION)) return BEGIN_NO_VERB;
        return !is_at_mode(s) || take_modes(s, modes) ? BEGIN_STARTS : BEGIN_NO_VERB;
    }
    if (accept(s, KW_SET)) {
        (void)accept(s, KW_LOCAL);
        return accept(s, KW_TRANSACTION) && take_modes(s, modes) ? BEGIN_SETS : BEGIN_NO_VERB;
    }
    if (accept(s, KW_COMMIT) || accept(s, KW_END)) return take_no_chain(s) ? BEGIN_COMMITS : BEGIN_NO_VERB;
    if (accept(s, KW_ROLLBACK) || accept(s, KW_ABORT)) return take_no_chain(s) ? BEGIN_ROLLS_BACK : BEGIN_NO_VERB;
    return BEGIN_NO_VERB;
}

static bool has_comment(struct bytes text) {
    for (size_t i = 0; i + 1 < text.len; i++) {
        bool opens = (text.ptr[i] == '/' && text.ptr[i + 1] == '*') || (text.ptr[i] == '-' && text.ptr[i + 1] == '-');
        if (opens) return true;
    }
    return false;
}

static struct scan scan_over(struct bytes text, const struct sql_options *options) {
    struct scan s;
    lex_init(&s.l, text, options);
    advance(&s);
    while (accept(&s, ';')) continue;
    return s;
}

bool begin_pg_may_end(struct bytes text, const struct sql_options *options) {
    switch (scan_over(text, options).t.kind) {
    case TOKEN_END: case KW_COMMIT: case KW_END: case KW_ROLLBACK: case KW_ABORT: case KW_PREPARE: return true;
    default: return false;
    }
}

enum begin_verb begin_pg_read(struct bytes text, const struct sql_options *options, struct begin_modes *modes) {
    struct scan s = scan_over(text, options);
    struct begin_modes found = *modes;
    enum begin_verb verb = take_statement(&s, &found);
    while (accept(&s, ';')) continue;
    if (verb == BEGIN_NO_VERB || s.t.kind != TOKEN_END || (has_comment(text) && !begin_pg_ends(verb))) return BEGIN_NO_VERB;
    *modes = found;
    return verb;
}

/* TRANSACTION SNAPSHOT 'name', which stands behind SET alone */
bool begin_pg_imports(struct bytes text, const struct sql_options *options, struct bytes *name) {
    struct scan s = scan_over(text, options);
    while (s.t.kind != TOKEN_END && s.t.kind != TOKEN_ERROR) {
        bool is_it = accept(&s, KW_TRANSACTION) && accept(&s, KW_SNAPSHOT) && s.t.kind == TOKEN_STRING;
        if (is_it) {
            *name = bytes_of(text.ptr + s.t.start + 1, s.t.end - s.t.start - 2);
            return true;
        }
        if (s.t.kind != KW_TRANSACTION) advance(&s);
    }
    return false;
}

/* ---- in words -------------------------------------------------------------------------------------------------------- */

const char *begin_pg_tag(enum begin_verb verb) {
    static const char *const tags[] = {"", "BEGIN", "START TRANSACTION", "SET", "COMMIT", "ROLLBACK"};
    return tags[verb];
}

const char *begin_pg_text(const struct begin_modes *modes, char out[BEGIN_PG_TEXT_MAX]) {
    static const char *const levels[] = {"", " ISOLATION LEVEL READ UNCOMMITTED", " ISOLATION LEVEL READ COMMITTED",
                                         " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE"};
    static const char *const accesses[] = {"", " READ ONLY", " READ WRITE"};
    static const char *const deferrables[] = {"", " DEFERRABLE", " NOT DEFERRABLE"};
    snprintf(out, BEGIN_PG_TEXT_MAX, "BEGIN%s%s%s", levels[modes->isolation], accesses[modes->access],
             deferrables[modes->deferrable]);
    return out;
}
