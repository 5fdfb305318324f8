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

/* What stands in the first SCAN_BYTES bytes. */
struct name_scan {
    unsigned len;    /* bytes that are letters, digits, _, $ or >= 0x80, before the first other one; at most SCAN_BYTES */
    unsigned digits; /* as many of them as are digits before the first other one */
    unsigned upper;  /* a bit for each byte that is A to Z, also for those behind `len` */
    unsigned high;   /* the same for those >= 0x80 */
#if defined(__SSE2__)
    __m128i lower; /* all bytes, A to Z in lower case */
#else
    uint8_t lower[SCAN_BYTES];
#endif
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

static inline struct name_scan scan_name_of(__m128i bytes) {
    __m128i upper = scan_range(bytes, 'A', 26), digit = scan_range(bytes, '0', 10);
    __m128i lower = _mm_or_si128(bytes, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
    __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('$')));
    __m128i word = _mm_or_si128(_mm_or_si128(scan_range(lower, 'a', 26), digit), mark);
    unsigned high = (unsigned)_mm_movemask_epi8(bytes);
    return (struct name_scan){
        .len = (unsigned)__builtin_ctz(~((unsigned)_mm_movemask_epi8(word) | high)),
        .digits = (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(digit)),
        .upper = (unsigned)_mm_movemask_epi8(upper),
        .high = high,
        .lower = lower,
    };
}

/* The `len` bytes at `p`, less than sixteen, with zeros behind them: from pieces that overlap. */
static inline __m128i scan_load_part(const uint8_t *p, size_t len) {
    uint64_t first = 0, second = 0;
    if (len >= 8) {
        memcpy(&first, p, 8);
        memcpy(&second, p + len - 8, 8);
        second = len > 8 ? second >> 8 * (16 - len) : 0;
    } else if (len >= 4) {
        uint32_t start, end;
        memcpy(&start, p, 4);
        memcpy(&end, p + len - 4, 4);
        first = start | (uint64_t)end << 8 * (len - 4);
    } else if (len > 0) {
        first = p[0] | (uint64_t)p[len / 2] << 8 * (len / 2) | (uint64_t)p[len - 1] << 8 * (len - 1);
    }
    return _mm_set_epi64x((long long)second, (long long)first);
}

/* Of the bytes at `p`; what is missing behind `end` is read as zero. */
static inline struct name_scan scan_name(const uint8_t *p, const uint8_t *end) {
    if (LIKELY(end - p >= SCAN_BYTES)) return scan_name_of(_mm_loadu_si128((const __m128i *)(const void *)p));
    return scan_name_of(scan_load_part(p, (size_t)(end - p)));
}

/* Puts all SCAN_BYTES bytes of `lower`. */
static inline void scan_put_lower(uint8_t *to, const struct name_scan *s) {
    _mm_storeu_si128((__m128i *)(void *)to, s->lower);
}

/* The first eight bytes of `lower`, the first one lowest. */
static inline uint64_t scan_lower8(const struct name_scan *s) {
    uint64_t word;
    _mm_storel_epi64((__m128i *)(void *)&word, s->lower);
    return word;
}

#else

static inline struct name_scan scan_name(const uint8_t *p, const uint8_t *end) {
    struct name_scan s = {0};
    bool is_name = true, is_number = true;
    for (unsigned i = 0; i < SCAN_BYTES; i++) {
        uint8_t c = i < (size_t)(end - p) ? p[i] : 0;
        bool is_upper = c >= 'A' && c <= 'Z', is_digit = c >= '0' && c <= '9';
        s.lower[i] = is_upper ? c + ('a' - 'A') : c;
        is_number = is_number && is_digit;
        s.digits += is_number;
        is_name = is_name && (is_digit || (s.lower[i] >= 'a' && s.lower[i] <= 'z') || c == '_' || c == '$' || c >= 0x80);
        s.len += is_name;
        s.upper |= (unsigned)is_upper << i;
        s.high |= (unsigned)(c >= 0x80) << i;
    }
    return s;
}

static inline void scan_put_lower(uint8_t *to, const struct name_scan *s) {
    memcpy(to, s->lower, SCAN_BYTES);
}

static inline uint64_t scan_lower8(const struct name_scan *s) {
    uint64_t word = 0;
    for (unsigned i = 8; i-- > 0;) word = word << 8 | s->lower[i];
    return word;
}

#endif

#endif
