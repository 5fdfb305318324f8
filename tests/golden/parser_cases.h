/*
 * parser_cases.h - the texts of the .txt files of tests/golden/parser, and what the parser makes of a text.
 *
 *      @ dialect mysql                 options for the whole file, or behind a title for what stands below it:
 *      @ version 10.11.18              dialect, flavour, version, modes, standard-strings, encoding (docs/parser.md)
 *      # why                           comments stand in front of a text
 *      == what these texts are about
 *      SELECT 1
 *        + 2
 *      => (select :targets (target :expr (binary:+ :left 1 :right 2)))
 *
 *      SELECT 1                        the next text under the same title
 *      => ...
 *
 * A text goes from its first line to the line before `=>`, without the last line break. Behind `=>` stands a line for each
 * statement: its s-expression, (empty), (unknown POSITION "reason"); for a text without any, (nothing). More options:
 *      @ escaped                       \xNN in texts stands for a byte
 *      @ texts                         before each line comes the statement's own text
 *      @ nodes                         every node with its own bytes, one a line, instead of s-expressions
 */
#ifndef GILMOK_TESTS_GOLDEN_PARSER_CASES_H
#define GILMOK_TESTS_GOLDEN_PARSER_CASES_H

#include "base/writer.h"
#include "parser/parser.h"

struct parser_case {
    const char *path;
    int line; /* of the text's first line */
    const char *title;
    struct sql_options options;
    bool shows_texts, shows_nodes;
    struct bytes text;     /* with its escapes undone; in memory of exactly its size, so that reading beyond it is noticed */
    struct bytes expected; /* lines, each with its "=> " and line break */
    struct bytes before;   /* the file's bytes between the case before and `expected` */
};

/* Called for each case of a file in order, then once with NULL at the file's end, with the bytes behind its last case. */
typedef void parser_case_visit(const struct parser_case *c, struct bytes rest, void *ctx);

/* Visits all files. False when something about the files themselves is wrong, which has been printed. */
bool parser_cases_each(parser_case_visit *visit, void *ctx);

/* The lines that stand behind `=>`, as the case wants them. */
void parser_case_answer(const struct parser_case *c, struct writer *out);

/*
 * One line for each statement of a text, and what must be true of every answer is checked: statements are in order and inside
 * the text, nodes inside their parents, problems have a position inside the text and a reason. What is not
 * so is written to `wrong`, which stays empty otherwise.
 */
void parser_answer(struct bytes text, const struct sql_options *options, bool shows_texts, bool shows_nodes, struct writer *out,
                   struct writer *wrong);

#endif
