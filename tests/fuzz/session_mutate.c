/*
 * Changes inputs of fuzz_session.c step by step: among bytes that are changed anywhere, most inputs end at the login. Knows what
 * steps look like, and what people usually say one after the other; what comes of it is no concern of its.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session_steps.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out, size_t max_len,
                                 unsigned seed);

enum { INPUT_MAX = 16384, PHRASE_STEPS = 10 };

static uint64_t dice;

static uint32_t below(uint32_t n) {
    uint64_t z = dice += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % n);
}

/* ---- an input, cut into steps ---- */

struct cut {
    size_t at[STEPS_MAX + 1]; /* where each begins; behind the last: the end */
    uint32_t count;
};

static void cut_input(struct cut *c, const uint8_t *data, size_t size) {
    size_t begin = size < STEPS_WORLD_LEN ? size : STEPS_WORLD_LEN;
    struct reader r = reader_over(bytes_of(data + begin, size - begin));
    c->count = 0;
    while (reader_left(&r) && c->count < STEPS_MAX) {
        c->at[c->count++] = size - reader_left(&r);
        (void)session_step_read(&r);
    }
    c->at[c->count] = size - reader_left(&r);
}

/* Bytes from..to give way to `with`; what does not fit is left as it is. */
static size_t replace(uint8_t *data, size_t size, size_t max_size, size_t from, size_t to, struct bytes with) {
    size_t new_size = size - (to - from) + with.len;
    if (new_size > max_size) return size;
    memmove(data + from + with.len, data + to, size - to);
    if (with.len) memcpy(data + from, with.ptr, with.len);
    return new_size;
}

/* ---- phrases ---- */

struct phrase {
    uint8_t steps[PHRASE_STEPS][2]; /* kind and flags, arg; a client step is said by one client */
    uint8_t count;
};

#define SAYS(n) {STEP_CLIENT_SAYS, n}
#define AND(n) {STEP_CLIENT_SAYS | STEP_GOES_ON, n}

static const struct phrase phrases[] = {
    {{{STEP_CLIENT_LOGIN, 0}}, 1},
    {{{STEP_CLIENT_LOGIN, 0}, SAYS(SAY_SELECT)}, 2},
    {{{STEP_CLIENT_LOGIN, 4}, SAYS(SAY_SELECT)}, 2},
    {{SAYS(SAY_SELECT)}, 1},
    {{SAYS(SAY_BEGIN), SAYS(SAY_SELECT), SAYS(SAY_COMMIT)}, 3},
    {{SAYS(SAY_BEGIN), SAYS(SAY_SELECT)}, 2},
    {{AND(SAY_BEGIN), AND(SAY_SELECT), SAYS(SAY_COMMIT)}, 3},
    {{SAYS(SAY_BEGIN), SAYS(SAY_FAIL), SAYS(SAY_ROLLBACK)}, 3},
    {{SAYS(SAY_SET), SAYS(SAY_SELECT)}, 2},
    {{SAYS(SAY_RESET), SAYS(SAY_SELECT)}, 2},
    {{SAYS(SAY_DISCARD), SAYS(SAY_SELECT)}, 2},
    {{AND(SAY_PARSE), AND(SAY_BIND), AND(SAY_DESCRIBE_PORTAL), AND(SAY_EXECUTE), SAYS(SAY_SYNC)}, 5},
    {{AND(SAY_PARSE_S1), AND(SAY_DESCRIBE_S1), SAYS(SAY_SYNC), AND(SAY_BIND_S1), AND(SAY_EXECUTE), SAYS(SAY_SYNC)}, 6},
    {{AND(SAY_BIND_S1), AND(SAY_EXECUTE), AND(SAY_SYNC), AND(SAY_BIND_S1), AND(SAY_EXECUTE), SAYS(SAY_SYNC)}, 6},
    {{AND(SAY_CLOSE_S1), SAYS(SAY_SYNC)}, 2},
    {{AND(SAY_PARSE), AND(SAY_BIND), AND(SAY_EXECUTE), SAYS(SAY_FLUSH), SAYS(SAY_SYNC)}, 5},
    {{SAYS(SAY_COPY_IN), AND(SAY_DATA), SAYS(SAY_DATA), SAYS(SAY_DONE)}, 4},
    {{SAYS(SAY_COPY_IN), SAYS(SAY_DATA), SAYS(SAY_COPY_FAIL)}, 3},
    {{AND(SAY_PARSE_COPY), AND(SAY_BIND), AND(SAY_EXECUTE), SAYS(SAY_SYNC), AND(SAY_DATA), AND(SAY_DONE), SAYS(SAY_SYNC)}, 7},
    {{AND(SAY_COPY_IN), AND(SAY_DATA), AND(SAY_DONE), SAYS(SAY_SELECT)}, 4},
    {{SAYS(SAY_COPY_OUT)}, 1},
    {{SAYS(SAY_PREPARE), SAYS(SAY_EXECUTE_P)}, 2},
    {{SAYS(SAY_EXECUTE_P), SAYS(SAY_CALL)}, 2},
    {{SAYS(SAY_TEMP), SAYS(SAY_SELECT)}, 2},
    {{SAYS(SAY_LISTEN)}, 1},
    {{AND(SAY_SELECT), SAYS(SAY_TERMINATE)}, 2},
    {{{STEP_CLIENT_ENDS, 0}, {STEP_CLIENT_LOGIN, 0}, SAYS(SAY_SELECT)}, 3},
    {{AND(SAY_SELECT), {STEP_CLIENT_ENDS, 2}}, 2},
    {{SAYS(SAY_BEGIN), {STEP_CLIENT_ENDS, 1}}, 2},
    {{{STEP_SERVER_ANSWERS, 0}}, 1},
    {{{STEP_SERVER_ANSWERS, 8}, {STEP_SERVER_ANSWERS, 0}}, 2},
    {{{STEP_SERVER_ANSWERS | STEP_GOES_ON, 20}, {STEP_SERVER_ENDS, 2}}, 2},
    {{{STEP_SERVER_ANSWERS, 1}}, 1},
    {{{STEP_SERVER_ENDS, 0}}, 1},
    {{{STEP_CANCEL, 0}}, 1},
    {{{STEP_CANCEL, 1}}, 1},
    {{{STEP_TIME, 5}}, 1},
    {{{STEP_TIME, 30}}, 1},
    {{{STEP_TIME, 210}}, 1},
    {{{STEP_SWITCH, 4}}, 1},
    {{{STEP_SWITCH, 12}}, 1},
};

/* Said by `who`; who has not logged in does so first. */
static struct bytes put_phrase(uint8_t storage[2 * (PHRASE_STEPS + 1)], unsigned who, bool is_in) {
    const struct phrase *p = &phrases[below(COUNT_OF(phrases))];
    uint8_t len = 0;
    if (!is_in && (p->steps[0][0] & 15) == STEP_CLIENT_SAYS) {
        storage[len++] = (uint8_t)(STEP_CLIENT_LOGIN | who << 4);
        storage[len++] = 0;
    }
    for (uint8_t i = 0; i < p->count; i++) {
        storage[len] = (uint8_t)(p->steps[i][0] | who << 4);
        storage[len + 1] = p->steps[i][1];
        if (p->steps[i][0] == STEP_CLIENT_LOGIN && below(4) == 0) storage[len + 1] = (uint8_t)below(64);
        len += 2;
    }
    return bytes_of(storage, len);
}

/* ---- changes ---- */

static bool has_logged_in(const uint8_t *data, const struct cut *c, uint32_t before, unsigned who) {
    for (uint32_t i = 0; i < before; i++)
        if ((data[c->at[i]] & 0x3f) == (STEP_CLIENT_LOGIN | who << 4)) return true;
    return false;
}

static size_t insert_phrase(uint8_t *data, size_t size, size_t max_size, const struct cut *c) {
    uint8_t storage[2 * (PHRASE_STEPS + 1)];
    uint32_t n = below(c->count + 1);
    unsigned who = below(4);
    for (int tries = 0; tries < 2 && !has_logged_in(data, c, n, who); tries++) who = below(4);
    struct bytes phrase = put_phrase(storage, who, has_logged_in(data, c, n, who));
    return replace(data, size, max_size, c->at[n], c->at[n], phrase);
}

static size_t change_step(uint8_t *data, size_t size, const struct cut *c) {
    size_t at = c->at[below(c->count)];
    bool has_arg = session_step_has_arg(data[at] & 15) && at + 1 < size;
    switch (below(4)) {
    case 0:
        data[at] = (uint8_t)((data[at] & ~0x30u) | below(4) << 4);
        break;
    case 1:
        data[at] ^= below(2) ? STEP_GOES_ON : STEP_NO_TIME;
        break;
    default:
        if (has_arg && below(4)) data[at + 1] = (uint8_t)below(256);
        else data[at] = (uint8_t)below(256);
    }
    return size;
}

static size_t drop_steps(uint8_t *data, size_t size, size_t max_size, const struct cut *c) {
    uint32_t first = below(c->count), count = 1 + below(4);
    if (count > c->count - first) count = c->count - first;
    return replace(data, size, max_size, c->at[first], c->at[first + count], bytes_of(NULL, 0));
}

/* Some steps once more, elsewhere; perhaps by somebody else. */
static size_t repeat_steps(uint8_t *data, size_t size, size_t max_size, const struct cut *c) {
    static uint8_t copy[INPUT_MAX];
    uint32_t first = below(c->count), count = 1 + below(6);
    if (count > c->count - first) count = c->count - first;
    size_t from = c->at[first], len = c->at[first + count] - from, to = c->at[below(c->count + 1)];
    uint8_t who = (uint8_t)(below(4) << 4);
    if (len > sizeof copy) return size;
    memcpy(copy, data + from, len);
    for (uint32_t i = first; below(2) && i < first + count; i++) copy[c->at[i] - from] ^= who;
    return replace(data, size, max_size, to, to, bytes_of(copy, len));
}

/* The bytes of a step that has some, by libFuzzer's own ways. */
static size_t change_raw(uint8_t *data, size_t size, size_t max_size, const struct cut *c) {
    static uint8_t piece[STEP_RAW_MAX + 8];
    for (int tries = 0; tries < 8; tries++) {
        uint32_t n = below(c->count);
        uint8_t *at = data + c->at[n];
        size_t head = session_step_has_arg(at[0] & 15) ? 2 : 1, step_len = c->at[n + 1] - c->at[n];
        if (!session_step_has_raw(at[0] & 15) || step_len < head) continue;
        struct reader r = reader_over(bytes_of(at, step_len));
        struct bytes raw = session_step_read(&r).raw;
        memcpy(piece, at, head);
        memcpy(piece + head + 3, raw.ptr ? raw.ptr : at, raw.len);
        size_t len = LLVMFuzzerMutate(piece + head + 3, raw.len, raw.len + 64 < STEP_RAW_MAX ? raw.len + 64 : STEP_RAW_MAX);
        size_t prefix = len < 255 ? 1 : 3;
        piece[head] = len < 255 ? (uint8_t)len : 255;
        if (prefix == 3) piece[head + 1] = (uint8_t)(len >> 8), piece[head + 2] = (uint8_t)len;
        else memmove(piece + head + 1, piece + head + 3, len);
        return replace(data, size, max_size, c->at[n], c->at[n + 1], bytes_of(piece, head + prefix + len));
    }
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    struct cut c;
    dice = seed;
    if (max_size < STEPS_WORLD_LEN) return LLVMFuzzerMutate(data, size, max_size);
    while (size < STEPS_WORLD_LEN) data[size++] = 0;
    cut_input(&c, data, size);
    uint32_t way = c.count ? below(20) : 0;
    if (way < 7) return insert_phrase(data, size, max_size, &c);
    if (way < 11) return change_step(data, size, &c);
    if (way < 14) return drop_steps(data, size, max_size, &c);
    if (way < 16) return repeat_steps(data, size, max_size, &c);
    if (way < 18) return change_raw(data, size, max_size, &c);
    if (way < 19) data[below(STEPS_WORLD_LEN)] ^= (uint8_t)(1u << below(8));
    else return LLVMFuzzerMutate(data, size, max_size);
    return size;
}

/* The one's beginning and the other's end. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out, size_t max_len,
                                 unsigned seed) {
    struct cut first, second;
    dice = seed;
    cut_input(&first, a, a_len);
    cut_input(&second, b, b_len);
    size_t head = first.at[below(first.count + 1)], from = second.at[below(second.count + 1)], tail = b_len - from;
    if (head > max_len) head = max_len;
    if (tail > max_len - head) tail = max_len - head;
    memcpy(out, a, head);
    memcpy(out + head, b + from, tail);
    return head + tail;
}
