/*
 * effect_cache.h - what texts may leave behind (routing/effect.h), for texts that were seen before. Of one worker.
 *
 * A table of fixed size in which a text takes the place of the one that was there; found is only what is the same
 * byte by byte, but for whole numbers in plain texts, read under the same options and with the same meaning of its names.
 */
#ifndef GILMOK_PROXY_SESSION_EFFECT_CACHE_H
#define GILMOK_PROXY_SESSION_EFFECT_CACHE_H

#include "routing/classify.h"
#include "routing/effect.h"

enum {
    EFFECT_CACHE_SLOTS = 4096,
    EFFECT_CACHE_TEXT_MAX = 64 << 10, /* longer ones are read each time */
    EFFECT_CACHE_BYTES_MAX = 16 << 20, /* of all texts: beyond it they are forgotten, all at once */
};

struct effect_cache;

/* NULL: memory is out. */
struct effect_cache *effect_cache_new(void);
void effect_cache_free(struct effect_cache *cache); /* NULL is fine */

/*
 * As effect_of; `version` stands for what `names` says of functions and relations, and for `routing`: how the same text is
 * classified, in the same reading of it; NULL: it is not. A text that names settings is never
 * remembered (`is_known` is false): whoever asks wants to hear the names. `cache` may be NULL.
 */
struct effect_reading effect_cache_of(struct effect_cache *cache, struct bytes text, const struct sql_options *options,
                                      uint64_t version, struct arena *arena, const struct effect_names *names,
                                      const struct classify_options *routing);

/* What it would say without reading; NULL: nothing. `is_placed`: with how the text is classified. Good until the next reading. */
const struct effect_reading *effect_cache_find(struct effect_cache *cache, struct bytes text, const struct sql_options *options,
                                               uint64_t version, bool is_placed);

/* A replica, or one that has copies of tables, has refused a text that was read so, and would again. */
void effect_cache_refuse(struct effect_cache *cache, struct bytes text, const struct sql_options *options, uint64_t version,
                         bool of_copy);

#endif
