/*
 * Words and sums; pure.
 */
#include "proxy/pool/route_stats.h"

const char *route_reason_word(enum route_reason reason, char out[ROUTE_WORD_MAX]) {
    static const char *const words[] = {
#define ROUTE_ENUM(constant, word, text) word,
        ROUTE_REASONS(ROUTE_ENUM)
#undef ROUTE_ENUM
    };
    const char *word = reason < ROUTE_TEXT ? words[reason] : classify_why_word((enum classify_why)(reason - ROUTE_TEXT));
    size_t len = 0;
    for (; word[len] && len < ROUTE_WORD_MAX - 1; len++)
        out[len] = word[len] >= 'A' && word[len] <= 'Z' ? (char)(word[len] | ' ') : word[len];
    out[len] = '\0';
    return out;
}

const char *route_reason_text(enum route_reason reason) {
    static const char *const texts[] = {
#define ROUTE_ENUM(constant, word, text) text,
        ROUTE_REASONS(ROUTE_ENUM)
#undef ROUTE_ENUM
    };
    return reason < ROUTE_TEXT ? texts[reason] : classify_why_text((enum classify_why)(reason - ROUTE_TEXT));
}

void route_stats_add(struct route_stats *sum, const struct route_stats *more) {
    for (size_t i = 0; i < COUNT_OF(sum->exchanges); i++) sum->exchanges[i] += more->exchanges[i];
}
