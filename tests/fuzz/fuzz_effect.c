/*
 * fuzz_effect.c - what a text leaves behind, names, resets and needs, by everything that reads texts on their way.
 *
 * Functions and relations mean something by their names' hash here, so that every effect turns up.
 */
#include "base/map.h"
#include "proxy/session/effect_cache.h"
#include "routing/body_pg.h"
#include "routing/database_pg.h"
#include "routing/begin_pg.h"
#include "routing/explain_pg.h"
#include "routing/hint.h"
#include "routing/name_use.h"
#include "routing/reset_pg.h"
#include "tests/fuzz/fuzz_sql.h"

static struct arena arena;
static struct effect_cache *cache;

static unsigned of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    (void)ctx, (void)first;
    uint64_t hash = map_hash(name);
    return hash & 1 ? EFFECT_NO_SUCH : (unsigned)(hash >> 8) & 0xffff & ~(unsigned)EFFECT_NAMED;
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    (void)ctx;
    return (unsigned)(map_hash(name) >> (is_written ? 8 : 24)) & 0xffff & ~(unsigned)EFFECT_NAMED;
}

static void on_setting(void *ctx, struct bytes name) {
    (void)ctx;
    PROMISE(name.ptr || !name.len);
}

static const struct effect_names names = {.of_function = of_function, .of_relation = of_relation, .on_setting = on_setting,
                                          .has_parameter = true};

static bool is_watched(void *ctx, struct bytes name) {
    (void)ctx;
    return !name.len || name.ptr[0] % 2;
}

/* Names stand in the text, one behind the other, each inside of what its statement is. */
static void check_names(struct bytes text, const struct sql_options *options) {
    struct name_uses uses;
    uint32_t last = 0, number = 0;
    name_uses_find(&uses, text, options, &arena);
    PROMISE(!uses.failed);
    for (uint32_t i = 0; i < uses.count; i++) {
        const struct name_use *use = &uses.items[i];
        PROMISE(use->number >= number);
        number = use->number;
        if (use->kind == NAME_ALL_DEALLOCATED) continue;
        PROMISE(use->start >= last && use->end > use->start && use->end <= text.len && use->name.len > 0);
        last = use->end;
        if (use->kind == NAME_PREPARED) PROMISE(use->inner >= use->end && use->inner_end >= use->inner && use->inner_end <= text.len);
    }
    arena_reset(&arena);
}

/* Each place is in the text, they are in order, and no two of the calls overlap. */
static void check_resets(struct bytes text, const struct sql_options *options) {
    struct resets_pg resets;
    uint32_t last = 0;
    resets_pg_find(&resets, text, options, &arena, is_watched, NULL);
    PROMISE(resets.count <= RESETS_PG_MAX && resets.call_count <= RESETS_PG_MAX && resets.count <= resets.statements);
    for (uint32_t i = 0; i < resets.count; i++) {
        const struct reset_pg *r = &resets.items[i];
        PROMISE(r->kind != RESET_PG_NOTHING && r->number < resets.statements && r->end > last && r->end <= text.len);
        PROMISE(memchr(r->name, 0, sizeof r->name));
        last = r->end;
    }
    last = 0;
    for (uint32_t i = 0; i < resets.call_count; i++) {
        const struct reset_call_pg *c = &resets.calls[i];
        PROMISE(c->value >= last && c->value_end > c->value && c->value_end <= text.len);
        PROMISE(c->name_end > c->name && c->name_end <= c->value && memchr(c->setting, 0, sizeof c->setting));
        last = c->value_end;
    }
}

static void check_database(struct bytes text, const struct sql_options *options) {
    char database[DATABASE_PG_NAME_MAX];
    bool needs = database_pg_needs(text, options, &arena, database);
    bool starts = database_pg_may_start(text) && database_pg_starts(text);
    if (needs) PROMISE(database[0] && memchr(database, 0, sizeof database));
    if (needs && options->modes == sql_options_default(SQL_POSTGRES).modes) PROMISE(starts);
}

/* Behind the last word is where the next one may begin. */
struct heard {
    struct bytes text;
    size_t last;
    bool is_known;
};

static void on_word(void *ctx, struct bytes word, uint32_t position, bool is_known) {
    struct heard *h = ctx;
    PROMISE(position >= h->last && word.len && word.ptr == h->text.ptr + position && word.len <= h->text.len - position);
    h->last = position + word.len;
    h->is_known |= is_known;
}

/* Without a word that is known nothing is asked for. What EXPLAIN (ROUTE) asks about is the end of the text. */
static void check_hints(struct bytes text, const struct sql_options *options) {
    struct heard h = {.text = text};
    struct bytes asked = {0};
    struct hint hint = hint_read(text, options, on_word, &h);
    PROMISE((hint_pack(hint) != 0) == h.is_known && (!h.last || hint_may_be_in(text)));
    PROMISE(hint_pack(hint_read(text, options, NULL, NULL)) == hint_pack(hint));
    if (!explain_pg_asks_route(text, options, &asked)) return;
    PROMISE(explain_pg_may_start(text) && asked.len && asked.ptr > text.ptr && asked.ptr + asked.len == text.ptr + text.len);
}

/* What begins a transaction says the same again in gilmok's words. */
static void check_begin(struct bytes text, const struct sql_options *options) {
    struct begin_modes modes = {0}, again = {0};
    char words[BEGIN_PG_TEXT_MAX];
    enum begin_verb verb = begin_pg_read(text, options, &modes);
    if (verb != BEGIN_BEGINS && verb != BEGIN_STARTS && verb != BEGIN_SETS) return;
    PROMISE(begin_pg_read(bytes_str(begin_pg_text(&modes, words)), options, &again) == BEGIN_BEGINS);
    PROMISE(memcmp(&modes, &again, sizeof modes) == 0);
}

/* What was kept of a text is true of whatever is taken for the same one: with other digits here. */
static void check_cache(struct bytes text, const struct sql_options *options) {
    uint8_t other[4096];
    if (text.len > sizeof other) return;
    for (size_t i = 0; i < text.len; i++)
        other[i] = text.ptr[i] >= '0' && text.ptr[i] <= '9' ? (uint8_t)('0' + (text.ptr[i] - '0' + 7) % 10) : text.ptr[i];
    (void)effect_cache_of(cache, text, options, 1, &arena, &names, NULL);
    struct effect_reading by_cache = effect_cache_of(cache, bytes_of(other, text.len), options, 1, &arena, &names, NULL);
    struct effect_reading itself = effect_cache_of(NULL, bytes_of(other, text.len), options, 1, &arena, &names, NULL);
    PROMISE(by_cache.effects == itself.effects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sql_options options;
    struct bytes text;
    if (!arena.max) {
        arena_init(&arena, 64 << 20);
        arena_keep(&arena, 1 << 20);
        cache = effect_cache_new();
    }
    if (!fuzz_sql_input(data, size, SQL_POSTGRES, &options, &text) || !cache) return 0;
    unsigned effects = effect_of(text, &options, &arena, &names);
    PROMISE(effects == effect_of(text, &options, &arena, &names));
    (void)body_pg_effects(text, &options, &names);
    (void)body_pg_sql_effects(text, &options, &arena, &names);
    check_names(text, &options);
    check_resets(text, &options);
    check_database(text, &options);
    check_hints(text, &options);
    check_begin(text, &options);
    check_cache(text, &options);
    return 0;
}
