/*
 * reset_pg.h - which settings a text of SQL puts back to what its session started with, PostgreSQL. Pure.
 *
 * gilmok's server connections start with other values than their clients' own would: what a client resets must be set to the
 * client's own value behind it, in front of whatever statement comes next. Where a set_config() resets, the own value can be put
 * into the call, if its arguments are simple enough. Asked only about texts with EFFECT_RESETS (effect.h).
 */
#ifndef GILMOK_ROUTING_RESET_PG_H
#define GILMOK_ROUTING_RESET_PG_H

#include "parser/parser.h"

enum { RESET_PG_NAME_MAX = 64, RESETS_PG_MAX = 16 };

enum reset_pg_kind {
    RESET_PG_NOTHING,
    RESET_PG_ONE,     /* RESET name, SET name TO DEFAULT and their kin */
    RESET_PG_ALL,     /* RESET ALL; DISCARD ALL, where it is the only statement: among others it is an error */
};

/* A statement that resets. */
struct reset_pg {
    enum reset_pg_kind kind;
    bool is_local;                /* SET LOCAL: of RESET_PG_ONE */
    bool is_discard;
    uint32_t number;              /* of the statement in its text, from 0 */
    uint32_t end;                 /* of the statement: an offset into the text */
    char name[RESET_PG_NAME_MAX]; /* of RESET_PG_ONE */
};

/*
 * set_config(name, value, ...) whose value may be NULL, of a watched setting or perhaps of one: coalesce(value, ...) can stand in
 * its place, and the name be read twice. Offsets into the text; calls do not overlap.
 */
struct reset_call_pg {
    uint32_t value, value_end;
    uint32_t name, name_end;
    char setting[RESET_PG_NAME_MAX]; /* what the name says; empty when it is computed */
};

/* A text's. */
struct resets_pg {
    uint32_t statements; /* all of them, but empty ones */
    uint32_t count, call_count;
    bool is_inside;      /* a watched setting, or any, is reset where nothing can be done: deep in an expression, or one too many */
    struct reset_pg items[RESETS_PG_MAX];
    struct reset_call_pg calls[RESETS_PG_MAX]; /* in the order of the text */
};

/* True when it matters what becomes of this setting. Names are compared as the server does, without regard to case. */
typedef bool reset_pg_watch(void *ctx, struct bytes name);

/* `watch`: for is_inside, which is not looked for when it is NULL. The arena is used and left as it is. */
void resets_pg_find(struct resets_pg *out, struct bytes text, const struct sql_options *options, struct arena *arena,
                    reset_pg_watch *watch, void *ctx);

#endif
