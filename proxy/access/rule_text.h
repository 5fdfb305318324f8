/*
 * rule_text.h - the common spelling of pg_hba.conf and pg_ident.conf: lines of fields, fields of words.
 *
 *     host    shop,"a b", other   all   10.0.0.0/8   scram-sha-256   # comment
 *     [type]  [--- a field ----]
 *
 * Blanks part fields, commas part the words of one (a blank may stand behind a comma). Between quotes nothing is special but
 * a quote, which is doubled. A backslash at the end of a line joins the next one to it. Lines without a field are skipped.
 */
#ifndef GILMOK_PROXY_ACCESS_RULE_TEXT_H
#define GILMOK_PROXY_ACCESS_RULE_TEXT_H

#include "base/arena.h"
#include "base/list.h"

enum { RULE_WORD_MAX = 1024 }; /* bytes */

struct rule_word {
    struct list node; /* in rule_field.words */
    const char *text; /* without its quotes */
    bool is_quoted;   /* it begins with a quote: then no word has a meaning of its own */
};

struct rule_field {
    struct list node;  /* in rule_line.fields */
    struct list words; /* struct rule_word; at least one */
};

struct rule_line {
    int line;           /* where it begins, from 1 */
    struct list fields; /* struct rule_field */
};

struct rule_text {
    struct arena *arena; /* borrowed; the words live in it */
    struct bytes rest;
    int line; /* of the next byte */
};

enum rule_text_result { RULE_TEXT_LINE, RULE_TEXT_END, RULE_TEXT_BAD };

void rule_text_init(struct rule_text *t, struct arena *a, struct bytes text);

/* BAD: *wrong says what is wrong with the line out->line; the next call goes on behind it. Memory: see arena->failed. */
enum rule_text_result rule_text_next(struct rule_text *t, struct rule_line *out, const char **wrong);

/*
 * True for a regular expression with a backslash in front of a letter or a digit: PostgreSQL's mean something (\d, \y, \A),
 * POSIX extended ones are that letter.
 */
bool rule_text_has_escape(const char *regex);

#endif
