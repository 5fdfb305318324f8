/*
 * keyword.h - which words are keywords, and where each may stand as a name.
 *
 * keywords.txt is the source: a word a line with its standing in PostgreSQL,
 * MariaDB and MySQL; keywords.py makes keyword_list.h (the KW_ constants) and
 * keyword_table.h (a hash table and the standings) from it at build time.
 */
#ifndef GILMOK_PARSER_KEYWORD_H
#define GILMOK_PARSER_KEYWORD_H

#include "parser/token.h"

/* Where a keyword may stand as a name. Bits, one set for each of PostgreSQL, MariaDB, MySQL. */
enum keyword_use {
    KEYWORD_KNOWN = 1 << 0,       /* a keyword there at all; else it is an ordinary name */
    KEYWORD_COLUMN = 1 << 1,      /* column, table, alias after AS (PostgreSQL: ColId) */
    KEYWORD_FUNCTION = 1 << 2,    /* function (PostgreSQL: function or type name; MySQL: an ordinary call follows) */
    KEYWORD_LABEL = 1 << 3,       /* label of a result column without AS (PostgreSQL: BareColLabel) */
    KEYWORD_TABLE_ALIAS = 1 << 4, /* MySQL: alias of a table without AS. PostgreSQL: like KEYWORD_COLUMN */
    KEYWORD_VERSIONED = 1 << 5,   /* only since some version */
};

/* The standings of all keywords under some options; keywords that come later than the version are removed by keyword_find. */
struct keyword_set {
    const uint8_t *uses;   /* by kind: enum keyword_use */
    const uint32_t *since; /* by kind: version, when KEYWORD_VERSIONED */
    uint32_t version;
};

struct keyword_set keyword_set_of(const struct sql_options *options);

/*
 * The keyword of a word in any case, or 0 when it is none under these options. `text_end` is the end of the readable
 * text, at or behind the word's end: words are compared eight bytes at a time.
 */
uint16_t keyword_find(const struct keyword_set *set, const uint8_t *word, size_t len, const uint8_t *text_end);

/* The word in lower case. Static. */
const char *keyword_name(uint16_t kind);

#endif
