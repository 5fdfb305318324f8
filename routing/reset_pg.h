/*
 * reset_pg.h - which settings a text of SQL puts back to what its session started with, PostgreSQL. Pure.
 *
 * gilmok's server connections start with other values than their clients' own would: what a client resets must be set to the
 * client's own value behind it. That is possible where nothing else of the text comes after the reset. Asked only about texts
 * with EFFECT_RESETS (effect.h).
 */
#ifndef GILMOK_ROUTING_RESET_PG_H
#define GILMOK_ROUTING_RESET_PG_H

#include "parser/parser.h"

enum { RESET_PG_NAME_MAX = 64 };

enum reset_pg_kind {
    RESET_PG_NOTHING, /* that anybody has to know about */
    RESET_PG_ONE,     /* RESET name, SET name TO DEFAULT and their kin: the last statement of its text, or the only one */
    RESET_PG_ALL,     /* RESET ALL, likewise; DISCARD ALL, which can only stand alone */
    RESET_PG_INSIDE,  /* a watched setting, or all, before or inside other statements; perhaps only */
};

struct reset_pg {
    enum reset_pg_kind kind;
    bool is_local;                /* SET LOCAL: of RESET_PG_ONE */
    bool is_discard;
    uint32_t statements;          /* of the text; of RESET_PG_ONE and RESET_PG_ALL */
    char name[RESET_PG_NAME_MAX]; /* of RESET_PG_ONE */
};

/* True when it matters what becomes of this setting. Names are compared as the server does, without regard to case. */
typedef bool reset_pg_watch(void *ctx, struct bytes name);

/* `watch`: for RESET_PG_INSIDE, which is not looked for when it is NULL. The arena is used and left as it is. */
struct reset_pg reset_pg_of(struct bytes text, const struct sql_options *options, struct arena *arena, reset_pg_watch *watch,
                            void *ctx);

#endif
