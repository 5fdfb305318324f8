/*
 * catalog.h - what the names of a database stand for: which functions leave something behind, and which relations run such
 * functions when they are read or written. Pure.
 *
 * A graph. A node is a function, the reading or the writing of a relation, or a name; an edge says "runs". What a node leaves is
 * what it leaves itself and what everything leaves that it runs. It is kept up to date while nodes and edges come in,
 * in any order; afterwards only names are asked for.
 *
 * EFFECT_NAMED is what a function's caller must know more about. Who calls it with a string has named the setting, and leaves
 * nothing of that kind; who passes its own first parameter on is such a function itself; of anybody else it is EFFECT_STAYS.
 *
 * Names count without their schema: of several things with one name the worst counts.
 */
#ifndef GILMOK_ROUTING_CATALOG_H
#define GILMOK_ROUTING_CATALOG_H

#include "routing/effect.h"

enum { CATALOG_MEMORY_MAX = 64 << 20, CATALOG_SETTINGS_MAX = 1 << 10 };

struct catalog;

/* NULL: memory is out. */
struct catalog *catalog_new(void);
void catalog_free(struct catalog *c); /* NULL is fine */

/* What a node is. Names are keys of their kinds; the rest is known by the server's numbers, as text. */
enum catalog_kind {
    CATALOG_FUNCTION_NAME = 'f',
    CATALOG_READ_NAME = 'r',
    CATALOG_WRITE_NAME = 'w',
    CATALOG_FUNCTION = 'F',
    CATALOG_READ = 'R',
    CATALOG_WRITE = 'W',
    CATALOG_EVERYWHERE = 'e', /* what any statement may run: operators, casts, types. The key is empty */
};

/* Found or made. 0: memory is out, and stays so: catalog_is_whole() says it. */
uint32_t catalog_node(struct catalog *c, enum catalog_kind kind, struct bytes key);
/* 0: there is none. */
uint32_t catalog_find(const struct catalog *c, enum catalog_kind kind, struct bytes key);
/* `effects` is enum effect. Node 0 is nobody. */
void catalog_leaves(struct catalog *c, uint32_t node, unsigned effects);
void catalog_runs(struct catalog *c, uint32_t node, uint32_t what);
/* The same of a call with such a first argument. */
void catalog_calls(struct catalog *c, uint32_t node, uint32_t what, const struct effect_argument *first);
/* A setting with a dot in its name that some function sets. False: there is no room for it, or no look could ask for it. */
MUST_USE bool catalog_note_setting(struct catalog *c, struct bytes name);

/* The user may run DO in PL/pgSQL. */
void catalog_note_do(struct catalog *c);
bool catalog_may_do(const struct catalog *c);

/* Nothing was left out. */
bool catalog_is_whole(const struct catalog *c);
unsigned catalog_effects(const struct catalog *c, uint32_t node);
/* Words with a NUL behind each; borrowed. */
struct bytes catalog_settings(const struct catalog *c);

/*
 * For effect_names. A name that is not plain ASCII may be written in another encoding there than here: all those are one, whose
 * key is empty.
 */
unsigned catalog_of_function(const struct catalog *c, struct bytes name);
unsigned catalog_of_relation(const struct catalog *c, struct bytes name, bool is_written);
unsigned catalog_everywhere(const struct catalog *c);

#endif
