/*
 * reset_pg.h - which settings a text of SQL puts back to what its session started with, PostgreSQL. Pure.
 *
 * gilmok's server connections start with other values than their clients' own would: what a client resets must be set to the
 * client's own value behind it, in front of whatever statement comes next. That is not possible where the reset stands inside an
 * expression. Asked only about texts with EFFECT_RESETS (effect.h).
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

/* A text's. */
struct resets_pg {
    uint32_t statements; /* all of them, but empty ones */
    uint32_t count;
    bool is_inside;      /* a watched setting, or any, is reset where nothing can follow: in an expression, or one reset too many */
    struct reset_pg items[RESETS_PG_MAX];
};

/* True when it matters what becomes of this setting. Names are compared as the server does, without regard to case. */
typedef bool reset_pg_watch(void *ctx, struct bytes name);

/* `watch`: for is_inside, which is not looked for when it is NULL. The arena is used and left as it is. */
void resets_pg_find(struct resets_pg *out, struct bytes text, const struct sql_options *options, struct arena *arena,
                    reset_pg_watch *watch, void *ctx);

#endif
