/*
 * byte_scan.h - sixteen bytes at a time: where does the string end, how long is the name?
 *
 * Words and strings are short and their lengths unpredictable: a loop over their bytes costs more in wrong guesses at
 * its end than in work. Without SSE2 it is that loop.
 */
#ifndef GILMOK_PARSER_BYTE_SCAN_H
#define GILMOK_PARSER_BYTE_SCAN_H

#include "base/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The first `a` or `b` from `p` on, or `end`. */
static inline const uint8_t *scan_either(const uint8_t *p, const uint8_t *end, uint8_t a, uint8_t b) {
#if defined(__SSE2__)
    __m128i all_a = _mm_set1_epi8((char)a), all_b = _mm_set1_epi8((char)b);
    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, all_a), _mm_cmpeq_epi8(bytes, all_b)));
        if (found) return p + __builtin_ctz((unsigned)found);
    }
#endif
    while (p < end && *p != a && *p != b) p++;
    return p;
}

enum { SCAN_BYTES = 16 };

struct name_scan {
    unsigned len;    /* bytes that are letters, digits, _, $ or >= 0x80, before the first other one; at most SCAN_BYTES */
    unsigned digits; /* as many of them as are digits before the first other one */
    unsigned upper;  /* a bit for each byte that is A to Z, also for those behind `len` */
    unsigned high;   /* the same for those >= 0x80 */
};

/* Is there such a byte in the name? */
static inline bool scan_has(const struct name_scan *s, unsigned bits) {
    return (bits & ((1u << s->len) - 1)) != 0;
}

#if defined(__SSE2__)

/* 0xff for each byte from `first` on, `count` of them, at most 128; else 0. */
static inline __m128i scan_range(__m128i bytes, uint8_t first, uint8_t count) {
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8((char)(0x80 - first))); /* `first` is now the least of signed bytes */
    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(0x80 + count)));
}

/* Of the SCAN_BYTES bytes at `p`, which are put into `lower` with A to Z in lower case. */
static inline struct name_scan scan_name(const uint8_t *p, uint8_t lower[SCAN_BYTES]) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i upper = scan_range(bytes, 'A', 26), digit = scan_range(bytes, '0', 10);
    __m128i folded = _mm_or_si128(bytes, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
    __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('$')));
    __m128i word = _mm_or_si128(_mm_or_si128(scan_range(folded, 'a', 26), digit), mark);
    _mm_storeu_si128((__m128i *)(void *)lower, folded);
    unsigned high = (unsigned)_mm_movemask_epi8(bytes);
    return (struct name_scan){
        .len = (unsigned)__builtin_ctz(~((unsigned)_mm_movemask_epi8(word) | high)),
        .digits = (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(digit)),
        .upper = (unsigned)_mm_movemask_epi8(upper),
        .high = high,
    };
}

#else

static inline struct name_scan scan_name(const uint8_t *p, uint8_t lower[SCAN_BYTES]) {
    struct name_scan s = {0};
    bool is_name = true, is_number = true;
    for (unsigned i = 0; i < SCAN_BYTES; i++) {
        uint8_t c = p[i];
        bool is_upper = c >= 'A' && c <= 'Z', is_digit = c >= '0' && c <= '9';
        lower[i] = is_upper ? c + ('a' - 'A') : c;
        is_number = is_number && is_digit;
        s.digits += is_number;
        is_name = is_name && (is_digit || (lower[i] >= 'a' && lower[i] <= 'z') || c == '_' || c == '$' || c >= 0x80);
        s.len += is_name;
        s.upper |= (unsigned)is_upper << i;
        s.high |= (unsigned)(c >= 0x80) << i;
    }
    return s;
}

#endif

/* The same where fewer bytes may be left: what is missing is read as zero. */
static inline struct name_scan scan_name_end(const uint8_t *p, const uint8_t *end, uint8_t lower[SCAN_BYTES]) {
    if (LIKELY(end - p >= SCAN_BYTES)) return scan_name(p, lower);
    uint8_t padded[SCAN_BYTES] = {0};
    for (size_t i = 0; i < (size_t)(end - p); i++) padded[i] = p[i];
    return scan_name(padded, lower);
}

#endif
