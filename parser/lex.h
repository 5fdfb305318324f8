/*
 * lex.h - text to tokens, one at a time, without memory.
 *
 *      struct lexer l;
 *      lex_init(&l, text, options);
 *      do lex_next(&l, &t); while (t.kind != TOKEN_END && t.kind != TOKEN_ERROR);
 *
 * A lexer is a value: a copy of it is a bookmark to return to. It borrows the
 * text and the options. White space and comments give no token. Every call
 * consumes at least one byte or gives TOKEN_END or TOKEN_ERROR, which it then
 * repeats. Time is linear in the text; nested comments are counted, not stacked.
 *
 * Sources: PostgreSQL, "Lexical Structure" and its scanner; MySQL and MariaDB,
 * "Language Structure" and their lexers' behaviour (tests/unit/test_lex_*.c
 * holds every rule that was checked against a server).
 */
#ifndef GILMOK_PARSER_LEX_H
#define GILMOK_PARSER_LEX_H

#include "parser/keyword.h"

enum { LEX_TEXT_MAX = INT32_MAX }; /* bytes of one text; longer ones are a problem at 0 */

struct lexer {
    const uint8_t *text;
    uint32_t len;
    uint32_t pos;         /* next byte to read */
    uint32_t param_count; /* `?` seen so far */
    const struct sql_options *options;
    struct keyword_set keywords;
    const char *problem; /* why TOKEN_ERROR was given; static, NULL while all is well */
    uint32_t problem_at; /* offset where the unreadable thing begins */
    /* PostgreSQL: the run of operator characters read last, when it takes several tokens: its end need not be looked for again. */
    uint32_t run_start, run_end;
    uint32_t run_last; /* behind its last character that is neither + nor - */
    /* MySQL */
    uint32_t comment_start;       /* offset of the executable comment that is open */
    bool is_in_executable;        /* inside one: its end is read like white space */
    bool is_after_dot;            /* the next word is a name, whatever it looks like */
    bool is_after_at;             /* the next word is part of a variable's name */
    bool may_hint;                /* a hint may stand here: the last token was SELECT, INSERT, REPLACE, UPDATE or DELETE */
};

void lex_init(struct lexer *l, struct bytes text, const struct sql_options *options);

void lex_pg_next(struct lexer *l, struct token *t);
void lex_mysql_next(struct lexer *l, struct token *t);

static inline void lex_next(struct lexer *l, struct token *t) {
    if (l->options->dialect == SQL_POSTGRES) lex_pg_next(l, t);
    else lex_mysql_next(l, t);
}

#endif
