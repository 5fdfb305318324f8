/*
 * A direct-mapped table: no list to keep, no order, one comparison.
 */
#include "proxy/session/effect_cache.h"

#include "base/fault.h"
#include "base/map.h"

struct slot {
    uint8_t *text; /* owned; NULL: empty */
    uint32_t len;
    uint32_t version, modes;
    uint8_t encoding;
    uint16_t effects;
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

static bool is_it(const struct slot *slot, struct bytes text, const struct sql_options *o) {
    return slot->text && slot->len == text.len && slot->version == o->version && slot->modes == o->modes &&
           slot->encoding == o->encoding && memcmp(slot->text, text.ptr, text.len) == 0;
}

static void keep(struct effect_cache *cache, struct slot *slot, struct bytes text, const struct sql_options *o, unsigned effects) {
    uint8_t *copy = mem_alloc_raw(text.len);
    if (!copy) return;
    memcpy(copy, text.ptr, text.len);
    if (cache->bytes + text.len > EFFECT_CACHE_BYTES_MAX) forget_all(cache);
    cache->bytes += text.len - slot->len;
    mem_free(slot->text);
    *slot = (struct slot){.text = copy, .len = (uint32_t)text.len, .version = o->version, .modes = o->modes,
                          .encoding = (uint8_t)o->encoding, .effects = (uint16_t)effects};
}

struct listener {
    effect_name *on_name;
    void *ctx;
    bool has_heard;
};

static void pass_on(void *ctx, struct bytes name) {
    struct listener *l = ctx;
    l->has_heard = true;
    l->on_name(l->ctx, name);
}

unsigned effect_cache_of(struct effect_cache *cache, struct bytes text, const struct sql_options *options, struct arena *arena,
                         effect_name *on_name, void *ctx) {
    struct slot *slot = NULL;
    if (cache && text.len && text.len <= EFFECT_CACHE_TEXT_MAX) {
        slot = &cache->slots[map_hash(text) % EFFECT_CACHE_SLOTS];
        if (is_it(slot, text, options)) return slot->effects;
    }
    struct listener listener = {.on_name = on_name, .ctx = ctx};
    unsigned effects = effect_of(text, options, arena, pass_on, &listener);
    if (slot && !listener.has_heard) keep(cache, slot, text, options, effects);
    return effects;
}
