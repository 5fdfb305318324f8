/*
 * fingerprint.h - the statistics fingerprint: what is left of a statement when its constants do not count.
 *
 * Two statements that differ in constants, in the number of elements of a list, in comments, white space or the
 * case of keywords have the same fingerprint:
 *
 *      SELECT c FROM t WHERE id IN (1, 2, 3)       select c from t where id in (?)
 *      insert into T (a, b) values (-1,'x'),       insert into t(a, b) values (?, ?)      (PostgreSQL)
 *             (2, null) -- two
 *
 * - Constants and parameters are `?`; so is a sign in front of one where it is no operation between two operands, and
 *   NULL, TRUE and FALSE where they stand as an element of a list or behind an operator. Pieces of one string are one `?`.
 * - Behind IN and ARRAY, and of the rows behind VALUES, each form of element stands once, in the order of first
 *   appearance. (Of the last four forms: a list without end of ever other forms is told apart from others.)
 * - Keywords are in lower case. Names are as the dialect folds them: PostgreSQL's in lower case, MySQL's as written; quotes
 *   go where the name would mean the same without them.
 * - Comments and optimizer hints are gone; what stands in an executable comment that is executed counts. So do
 *   all statements of a text of several; semicolons at its ends do not.
 *
 * Not to be mixed up with the plan key (plan_key.h), which collapses nothing. Text and hash are the same in every
 * process and in every version of gilmok (the unit test holds constants); a change of either is a change of format.
 */
#ifndef GILMOK_PARSER_FINGERPRINT_H
#define GILMOK_PARSER_FINGERPRINT_H

#include "base/writer.h"
#include "parser/dialect.h"
#include "parser/parser.h"

struct fingerprint {
    struct bytes text; /* in the writer, valid until it grows or goes */
    uint64_t hash;     /* of the text; not for tables that a peer could fill with collisions */
};

/*
 * Appends the fingerprint's text to `out`, which allocates if it is a growing one that is still too small. False: the
 * text cannot be read to its end, and `problem` says where (the writer is as before); or the writer has no room (it has
 * failed; a fixed one needs up to 64 bytes more than the text), and `problem` is at 0.
 */
MUST_USE bool fingerprint_make(struct bytes text, const struct sql_options *options, struct writer *out,
                               struct fingerprint *fingerprint, struct sql_problem *problem);

/* The hash of a fingerprint's text. */
uint64_t fingerprint_hash(struct bytes text);

#endif
