/*
 * parser.h - FRONT DOOR: SQL text to syntax trees.
 *
 *      struct sql_reader *r = sql_reader_new(text, &options, &arena);
 *      struct sql_statement s;
 *      while (r && sql_reader_next(r, &s)) ...       one statement at a time, in order
 *
 * A statement that cannot be read is an answer (SQL_UNKNOWN with position and
 * reason), not a failure: the server is the judge of what is valid, and such a
 * statement goes to it untouched. Reading goes on behind its `;`.
 *
 * The text and the options are borrowed for as long as trees over them are used;
 * trees live in the arena. After the arena has grown to a text's size once,
 * reading a text like it allocates nothing. No globals, no locks: readers on
 * different threads do not know each other.
 *
 * Limits (each tested at its edge): LEX_TEXT_MAX bytes of text; PARSE_DEPTH_MAX
 * nested parentheses, subqueries and the like; the arena's ceiling.
 *
 * Position: byte offset from the start of the text, not characters.
 */
#ifndef GILMOK_PARSER_PARSER_H
#define GILMOK_PARSER_PARSER_H

#include "base/arena.h"
#include "parser/ast.h"
#include "parser/dialect.h"

enum {
    PARSE_DEPTH_MAX = 400,   /* nested constructs: what recursion in the parser is bounded by */
    PARSE_HEIGHT_MAX = 4000, /* a tree's height, chains of operators included: what recursion over trees is bounded by */
};

struct sql_problem {
    uint32_t position;
    const char *reason; /* static */
};

enum sql_outcome {
    SQL_PARSED,
    SQL_EMPTY,   /* a text without any statement; PostgreSQL: nothing before a semicolon; MySQL: comments alone, at the end */
    SQL_UNKNOWN, /* not analysable: see `problem` */
};

struct sql_statement {
    enum sql_outcome outcome;
    struct ast *ast;            /* SQL_PARSED; never has a `next` */
    struct sql_problem problem; /* SQL_UNKNOWN */
    uint32_t start, end;        /* without white space and comments around it, and without the `;` */
    uint32_t param_count;       /* MySQL: its `?`; PostgreSQL: the highest $n */
};

/* Reads text after text; lives in the arena like what it reads. NULL when memory is out. */
struct sql_reader;
struct sql_reader *sql_reader_new(struct bytes text, const struct sql_options *options, struct arena *arena);
/* The next statement. False when there is none left. */
bool sql_reader_next(struct sql_reader *r, struct sql_statement *out);

/* One statement alone, as the extended protocol has it: more than one is SQL_UNKNOWN, with the position of the second. */
void sql_parse_one(struct bytes text, const struct sql_options *options, struct arena *arena, struct sql_statement *out);

#endif
