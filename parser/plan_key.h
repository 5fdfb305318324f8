/*
 * plan_key.h - what plans are cached by: the text of a statement without its constants, and these.
 *
 *      SELECT c FROM t WHERE id IN (1, -2, 'x')        select c from t where id in (?, - ?, '?')
 *
 * Nothing is collapsed. Two texts with the same key have the same tokens but for the values of their constants, so the
 * parser reads them alike and a plan for one is a plan for the other, if it gives the same answer for every constant
 * that was looked at in its making: `literals` holds their places, in order. Therefore
 * - each kind of constant has a mark of its own (? '?' ?. x'?' ...): some stand where others may not. NULL, TRUE and
 *   FALSE are words, signs are operators. Parameters are :1, :2 ... with their numbers.
 * - white space and comments are gone, but in MySQL a space before a parenthesis or beside a dot can make a difference,
 *   and stays. Hints stay.
 * - names are as written (PostgreSQL: in lower case without quotes), quotes stay.
 *
 * What else decides about a plan belongs to the cache's key besides: dialect, version and modes, search_path or
 * database, role, what routing comments say, the versions of catalog and shard map.
 *
 * Not to be mixed up with the statistics fingerprint (fingerprint.h), which is the same in every process.
 */
#ifndef GILMOK_PARSER_PLAN_KEY_H
#define GILMOK_PARSER_PLAN_KEY_H

#include "base/writer.h"
#include "parser/dialect.h"
#include "parser/parser.h"

struct plan_literal {
    uint32_t start, end; /* its bytes in the text, quotes and all */
    uint16_t kind;       /* enum token_kind */
};

struct plan_key {
    struct bytes text; /* in the writer, valid until it grows or goes */
    uint64_t hash;     /* of the text, with the process's seed (map_hash) */
    uint32_t literal_count;
    uint32_t param_count; /* the highest number of a parameter */
};

/*
 * Appends the key's text to `out` and fills `literals`, of which there may be `literal_max`. Allocates only where `out` is a
 * growing writer that is still too small. False: there is no key, and `problem` says why: the text cannot be read, it has
 * more constants, or the writer has no room (then it has failed; a fixed one needs up to 64 bytes more than the text).
 */
MUST_USE bool plan_key_make(struct bytes text, const struct sql_options *options, struct writer *out, struct plan_literal *literals,
                            uint32_t literal_max, struct plan_key *key, struct sql_problem *problem);

#endif
