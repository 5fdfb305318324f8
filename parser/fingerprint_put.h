/*
 * fingerprint_put.h - the back room of fingerprint.c: a fingerprint in the making, and its rules token by token.
 */
#ifndef GILMOK_PARSER_FINGERPRINT_PUT_H
#define GILMOK_PARSER_FINGERPRINT_PUT_H

#include "parser/lex.h"
#include "parser/normal.h"

enum {
    FINGERPRINT_FORMS = 4,  /* forms of elements that are remembered of a list */
    FINGERPRINT_LISTS = 32, /* lists in lists; deeper ones are not collapsed */
};

#define FINGERPRINT_NOWHERE SIZE_MAX

enum list_kind {
    LIST_ELEMENTS, /* (a, b) or [a, b]: elements up to the closing bracket */
    LIST_ROWS,     /* (a), (b): rows up to what is neither a comma nor a row */
};

enum row_state { ROW_OPEN, ROW_CLOSED, ROW_EXPECTED };

struct listing {
    enum list_kind kind;
    enum row_state state; /* rows: inside one, behind one, behind a comma */
    uint32_t depth;       /* open brackets around its elements */
    unsigned count;       /* forms that were remembered so far */
    size_t comma_at;      /* where the comma before the current element stands */
    size_t element_at;
    struct {
        size_t at, len;
    } forms[FINGERPRINT_FORMS];
};

struct maker {
    struct normal n;
    struct lexer lex;
    struct token tok;
    const uint8_t *text_end;
    bool is_mysql;
    bool has_shortcuts;     /* common tokens and long lists are not read token by token */
    bool is_glued;          /* nothing may stand between what was put last and what comes next */
    bool is_waiting;        /* the next token decides about something: fingerprint_settle */
    bool has_semicolon;     /* one was read and not put yet */
    uint16_t prev;          /* kind of the token put last; 0 at the start */
    uint32_t depth;         /* open brackets */
    size_t sign_at;         /* where a row of signs begins that belongs to a constant if one follows; or NOWHERE */
    bool sign_is_glued;     /* is_glued and prev before it */
    uint16_t sign_prev;
    size_t null_at;         /* where NULL, TRUE or FALSE stands that is a constant if the element ends here; or NOWHERE */
    struct listing *list;      /* the innermost, or NULL */
    struct listing lists[FINGERPRINT_LISTS];
};

/*
 * Makes the text of a fingerprint; the caller sets m->has_shortcuts. What shortcuts make must be what is made without
 * them, which is only slower. False: m->lex.problem says what is unreadable, or the writer has no room.
 */
bool fingerprint_run(struct maker *m, struct bytes text, const struct sql_options *options, struct writer *out);

/* Puts m->tok. False at the end of the text and at an unreadable token. */
bool fingerprint_put(struct maker *m);

/* Is a parenthesis put close to the token before it, as to the name of a function? `prev` is that token's kind. */
bool fingerprint_takes_parenthesis(const struct maker *m, uint16_t prev);

#endif
