/*
 * A direct-mapped table: no list to keep, no order, one comparison.
 */
#include "proxy/session/effect_cache.h"

#include <endian.h>

#include "base/fault.h"
#include "base/map.h"

struct slot {
    uint8_t *text; /* owned; NULL: empty */
    uint32_t len;
    struct effect_reading reading;
};

struct effect_cache {
    size_t bytes; /* of all texts */
    struct slot slots[EFFECT_CACHE_SLOTS];
};

struct effect_cache *effect_cache_new(void) {
    return mem_alloc(sizeof(struct effect_cache));
}

static void forget_all(struct effect_cache *cache) {
    for (size_t i = 0; i < EFFECT_CACHE_SLOTS; i++) mem_free(cache->slots[i].text);
    memset(cache, 0, sizeof *cache);
}

void effect_cache_free(struct effect_cache *cache) {
    if (!cache) return;
    forget_all(cache);
    mem_free(cache);
}

static bool is_it(const struct slot *slot, struct bytes text, const struct sql_options *o, uint64_t version) {
    return slot->text && slot->len == text.len && effect_reading_holds(&slot->reading, o, version) &&
           memcmp(slot->text, text.ptr, text.len) == 0;
}

static void keep(struct effect_cache *cache, struct slot *slot, struct bytes text, const struct effect_reading *reading) {
    uint8_t *copy = mem_alloc_raw(text.len);
    if (!copy) return;
    memcpy(copy, text.ptr, text.len);
    if (cache->bytes + text.len > EFFECT_CACHE_BYTES_MAX) forget_all(cache);
    cache->bytes += text.len - slot->len;
    mem_free(slot->text);
    *slot = (struct slot){.text = copy, .len = (uint32_t)text.len, .reading = *reading};
}

/* ---- what texts are the same ----------------------------------------------------------------------------------------- */

enum { PLAIN_MAX = 1024 };

/*
 * WORD: it may belong to a name, to a number that is not whole, or to whatever else is one piece with digits beside it. QUOTE: a
 * string or a name in quotes may begin, whose digits count.
 */
enum { DIGIT = 1, WORD = 2, QUOTE = 4 };
static const uint8_t kinds[256] = {
    ['0' ... '9'] = DIGIT | WORD, ['a' ... 'z'] = WORD, ['A' ... 'Z'] = WORD, ['_'] = WORD, ['.'] = WORD, [0x80 ... 0xff] = WORD,
    ['$'] = QUOTE | WORD, ['\''] = QUOTE, ['"'] = QUOTE, ['\\'] = QUOTE,
};

/*
 * Copies the eight bytes there, and says how many of them stand before the first that may be a digit or begin something in quotes.
 * Those between the two kinds of quotes (# % &) are taken for such, too: whoever asks looks closer.
 */
enum { PIECE = 8 };
static size_t copy_plain(uint8_t *to, const uint8_t *from) {
    typedef uint8_t piece __attribute__((vector_size(PIECE)));
    uint64_t found;
    piece p;
    memcpy(&p, from, PIECE);
    memcpy(to, &p, PIECE);
    piece is_special = (piece)(p - '0' <= 9) | (piece)(p - '"' <= '\'' - '"') | (piece)(p == '\\');
    memcpy(&found, &is_special, PIECE);
    return LIKELY(!found) ? PIECE : (size_t)__builtin_ctzll(le64toh(found)) / 8;
}

static bool is_a(struct bytes text, size_t at, uint8_t kind) {
    return at < text.len && kinds[text.ptr[at]] & kind;
}

/*
 * The text with a 0 in place of each whole number: what a statement leaves behind depends on names and strings, never on how much.
 * So `WHERE id = 17` is read once, whatever the number. The text as it is where there are quotes, or it is long.
 */
static struct bytes without_numbers(struct bytes text, uint8_t plain[PLAIN_MAX]) {
    size_t len = 0;
    if (text.len > PLAIN_MAX) return text;
    for (size_t at = 0; at < text.len;) {
        size_t count = text.len - at >= PIECE ? copy_plain(plain + len, text.ptr + at) : 0;
        at += count;
        len += count;
        if (count == PIECE) continue;
        uint8_t kind = kinds[text.ptr[at]];
        if (LIKELY(!(kind & (DIGIT | QUOTE)))) {
            plain[len++] = text.ptr[at++];
            continue;
        }
        size_t end = at + 1;
        while (is_a(text, end, DIGIT)) end++;
        if (kind & QUOTE && (!(kind & WORD) || end == at + 1)) return text; /* $1 is none */
        bool is_number = kind & DIGIT && (at == 0 || !is_a(text, at - 1, WORD)) && !is_a(text, end, WORD);
        if (is_number) plain[len++] = '0';
        for (; !is_number && at < end; at++) plain[len++] = text.ptr[at];
        at = end;
    }
    return bytes_of(plain, len);
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

struct listener {
    const struct effect_names *names;
    bool has_heard;
    struct classify classify; /* where it is asked for */
    struct classify_options options;
};

static unsigned of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    const struct effect_names *names = ((struct listener *)ctx)->names;
    return names->of_function(names->ctx, name, first);
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    const struct effect_names *names = ((struct listener *)ctx)->names;
    return names->of_relation(names->ctx, name, is_written);
}

static void on_setting(void *ctx, struct bytes name) {
    struct listener *l = ctx;
    l->has_heard = true;
    l->names->on_setting(l->names->ctx, name);
}

static void on_statement(void *ctx, const struct sql_options *options, const struct sql_statement *s) {
    struct listener *l = ctx;
    l->options.sql = options;
    classify_statement(&l->classify, s);
}

/* One that names settings is not known for the next time: then, too, they must be heard. */
static struct effect_reading read_text(struct bytes text, const struct sql_options *o, uint64_t version, struct arena *arena,
                                       const struct effect_names *names, const struct classify_options *routing) {
    struct listener listener = {.names = names};
    const struct effect_names heard = {
        .of_function = of_function, .of_relation = of_relation, .on_setting = on_setting, .has_parameter = names->has_parameter,
        .parameter = names->parameter, .on_statement = routing ? on_statement : NULL, .ctx = &listener};
    if (routing) {
        listener.options = *routing;
        listener.options.sql = o;
        classify_begin(&listener.classify, text, &listener.options, NULL);
    }
    unsigned effects = effect_of(text, o, arena, &heard);
    if (routing) classify_hints(&listener.classify);
    const struct classify_result *result = &listener.classify.result;
    return (struct effect_reading){.names_version = version, .version = o->version, .modes = o->modes,
                                   .encoding = (uint8_t)o->encoding, .is_known = !listener.has_heard, .effects = effects,
                                   .is_placed = routing != NULL, .may_write = result->may_write, .place = (uint8_t)result->place,
                                   .within = (uint8_t)result->within, .transaction = (uint8_t)result->transaction,
                                   .why = (uint8_t)result->decisive.why, .hint = hint_pack(result->hint),
                                   .copies = result->copies};
}

/* Where it would be; NULL: nowhere. `*key`: what it goes by. */
static struct slot *slot_of(struct effect_cache *cache, struct bytes text, uint64_t version, uint8_t plain[PLAIN_MAX],
                            struct bytes *key) {
    if (!cache || !text.len || text.len > EFFECT_CACHE_TEXT_MAX) return NULL;
    *key = without_numbers(text, plain);
    return &cache->slots[(map_hash(*key) ^ version) % EFFECT_CACHE_SLOTS];
}

void effect_cache_refuse(struct effect_cache *cache, struct bytes text, const struct sql_options *options, uint64_t version,
                         bool of_copy) {
    uint8_t plain[PLAIN_MAX];
    struct bytes key;
    struct slot *slot = slot_of(cache, text, version, plain, &key);
    if (slot && is_it(slot, key, options, version)) effect_reading_refuse(&slot->reading, of_copy);
}

const struct effect_reading *effect_cache_find(struct effect_cache *cache, struct bytes text, const struct sql_options *options,
                                               uint64_t version, bool is_placed) {
    uint8_t plain[PLAIN_MAX];
    struct bytes key;
    struct slot *slot = slot_of(cache, text, version, plain, &key);
    return slot && is_it(slot, key, options, version) && slot->reading.is_placed >= is_placed ? &slot->reading : NULL;
}

struct effect_reading effect_cache_of(struct effect_cache *cache, struct bytes text, const struct sql_options *options,
                                      uint64_t version, struct arena *arena, const struct effect_names *names,
                                      const struct classify_options *routing) {
    uint8_t plain[PLAIN_MAX];
    struct bytes key;
    struct slot *slot = slot_of(cache, text, version, plain, &key);
    if (slot && is_it(slot, key, options, version) && slot->reading.is_placed >= (routing != NULL)) return slot->reading;
    struct effect_reading reading = read_text(text, options, version, arena, names, routing);
    if (slot && reading.is_known) keep(cache, slot, key, &reading);
    return reading;
}
