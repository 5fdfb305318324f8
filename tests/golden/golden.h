/*
 * golden.h - text files of inputs and what must come out, line by line.
 *
 *     # why this rule exists
 *     == name of a case            begins anew
 *     INPUT => EXPECTED
 *
 * A program gives golden_main() a suite; it runs every .txt file of
 * tests/golden/NAME (from the tree's root) and prints a line for each line that
 * differs. `--update` rewrites the expectations instead; what they say now is then
 * to be read by a person. The last line has the form of a Check summary, so that
 * every case counts.
 */
#ifndef GILMOK_TESTS_GOLDEN_H
#define GILMOK_TESTS_GOLDEN_H

#include "base/writer.h"

struct golden_suite {
    const char *name;
    void (*begin_case)(void); /* NULL: cases have no state */
    /* Writes what comes out of `input`. False: the line itself makes no sense; `out` then says why. */
    bool (*step)(char *input, struct writer *out);
    bool counts_lines; /* each line is a case, but for those that begin with `@`, which say something about the others */
};

int golden_main(int argc, char **argv, const struct golden_suite *suite);

/* Any bytes as a quoted string: printable ASCII as it is, the rest as \xNN. */
void golden_quote(struct writer *w, struct bytes data);

#endif
