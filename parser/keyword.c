/*
 * keyword.c - finding keywords: one hash over the word's first sixteen bytes, one comparison.
 *
 * Setting bit 0x20 in every byte folds letters to lower case and leaves digits as they are; '_' becomes 0x7f, which no
 * word holds otherwise. So two words are equal in any case when their folded bytes are.
 */
#include "parser/keyword.h"

struct keyword_row {
    uint64_t folded[4]; /* 32 bytes, zero behind the word's end */
    const char *word;
    uint8_t len;
};

#include "parser/keyword_table.h"

#define FOLD UINT64_C(0x2020202020202020)

/* The `len` (at most 8) bytes at `p`, zero behind them. */
static inline uint64_t load_part(const uint8_t *p, size_t len, const uint8_t *text_end) {
    uint64_t part = 0;
    if (len >= 8) {
        memcpy(&part, p, 8);
        return part | FOLD;
    }
    if (len == 0) return 0;
    uint64_t mask = (UINT64_C(1) << (8 * len)) - 1;
    if (text_end - p >= 8) memcpy(&part, p, 8);
    else memcpy(&part, p, len);
    return (part | FOLD) & mask;
}

uint16_t keyword_find(const struct keyword_set *set, const uint8_t *word, size_t len, const uint8_t *text_end) {
    if (len > KEYWORD_WORD_MAX || len < 2) return 0;
    uint64_t a = load_part(word, len, text_end);
    uint64_t b = len > 8 ? load_part(word + 8, len - 8, text_end) : 0;
    uint64_t hash = (a ^ (b >> 3) ^ ((uint64_t)len << 56)) * KEYWORD_MULTIPLIER;
    uint32_t at = (uint32_t)(hash >> 52);
    uint16_t kind;
    while ((kind = keyword_slots[at]) != 0) {
        const struct keyword_row *row = &keyword_rows[kind - KEYWORD_FIRST];
        if (row->folded[0] == a && row->folded[1] == b && row->len == len) {
            if (len > 16 && load_part(word + 16, len - 16, text_end) != row->folded[2]) goto next;
            if (len > 24 && load_part(word + 24, len - 24, text_end) != row->folded[3]) goto next;
            uint8_t uses = set->uses[kind];
            if (!(uses & KEYWORD_KNOWN)) return 0;
            if ((uses & KEYWORD_VERSIONED) && set->since[kind] > set->version) return 0;
            return kind;
        }
    next:
        at = (at + 1) % KEYWORD_SLOTS;
    }
    return 0;
}

struct keyword_set keyword_set_of(const struct sql_options *options) {
    struct keyword_set set = {.version = options->version};
    if (options->dialect == SQL_POSTGRES) {
        set.uses = keyword_uses_pg;
        set.since = keyword_since_pg;
    } else if (options->flavour == SQL_FLAVOUR_MARIADB) {
        set.uses = options->version < KEYWORD_CHANGE_MARIADB ? keyword_uses_mariadb_before : keyword_uses_mariadb;
        set.since = keyword_since_mariadb;
    } else {
        set.uses = options->version < KEYWORD_CHANGE_MYSQL ? keyword_uses_mysql_before : keyword_uses_mysql;
        set.since = keyword_since_mysql;
    }
    return set;
}

const char *keyword_name(uint16_t kind) {
    INVARIANT(kind >= KEYWORD_FIRST && kind < KEYWORD_END);
    return keyword_rows[kind - KEYWORD_FIRST].word;
}
