/*
 * A direct-mapped table: no list to keep, no order, one comparison.
 */
#include "proxy/session/effect_cache.h"

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

struct listener {
    const struct effect_names *names;
    bool has_heard;
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

/* One that names settings is not known for the next time: then, too, they must be heard. */
static struct effect_reading read_text(struct bytes text, const struct sql_options *o, uint64_t version, struct arena *arena,
                                       const struct effect_names *names) {
    struct listener listener = {.names = names};
    const struct effect_names heard = {
        .of_function = of_function, .of_relation = of_relation, .on_setting = on_setting, .has_parameter = names->has_parameter,
        .parameter = names->parameter, .ctx = &listener};
    unsigned effects = effect_of(text, o, arena, &heard);
    return (struct effect_reading){.names_version = version, .version = o->version, .modes = o->modes,
                                   .encoding = (uint8_t)o->encoding, .is_known = !listener.has_heard, .effects = (uint16_t)effects};
}

struct effect_reading effect_cache_of(struct effect_cache *cache, struct bytes text, const struct sql_options *options,
                                      uint64_t version, struct arena *arena, const struct effect_names *names) {
    struct slot *slot = NULL;
    if (cache && text.len && text.len <= EFFECT_CACHE_TEXT_MAX) {
        slot = &cache->slots[(map_hash(text) ^ version) % EFFECT_CACHE_SLOTS];
        if (is_it(slot, text, options, version)) return slot->reading;
    }
    struct effect_reading reading = read_text(text, options, version, arena, names);
    if (slot && reading.is_known) keep(cache, slot, text, &reading);
    return reading;
}
