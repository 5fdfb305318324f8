/*
 * effect.h - what a text of SQL may leave behind in its session, PostgreSQL. Pure.
 *
 * A server connection goes from client to client, so whatever a statement leaves in it must be known before it goes: settings,
 * temporary objects, locks, prepared statements and so on. What exactly is there is not computed here: a look at the
 * session itself tells it (pool/state_pg.h), and takes a tenth of a millisecond. Here it is decided which
 * statements make that look necessary.
 *
 * The rule is the other way round from the tags' (pool/tag_pg.h): what is known to leave nothing leaves nothing, everything else
 * may leave anything. Known are the statements' own grammar and PostgreSQL's own functions.
 *
 * Not seen in a text, and taken to leave nothing: what triggers, rules, views, defaults, operators, casts and policies
 * call (docs/compatibility.md).
 */
#ifndef GILMOK_ROUTING_EFFECT_H
#define GILMOK_ROUTING_EFFECT_H

#include "parser/parser.h"

enum effect {
    EFFECT_LEAVES = 1 << 0,  /* may leave something that a look finds; also of what is not analysable */
    EFFECT_TAKES = 1 << 1,   /* may take away what was left: a look is worth it when something is known to be there */
    EFFECT_STAYS = 1 << 2,   /* leaves something that no look finds and nothing undoes: LOAD, setseed */
    EFFECT_UNKNOWN = 1 << 3, /* runs code that is not PostgreSQL's own: functions, DO, CALL */
    EFFECT_NEXTVAL = 1 << 4, /* may move sequences: INSERT and the like too, for defaults and triggers */
    EFFECT_CURRVAL = 1 << 5, /* reads currval or lastval */
    EFFECT_STATEMENTS = 1 << 6, /* names prepared statements (name_use.h): what EXECUTE leaves is not told here */
};

/*
 * A setting whose name has a dot is seen by no list of the server's: whoever looks must ask for it by name. Called for each one
 * that the text names in SET, RESET and set_config; `name` is folded as the server does, and borrowed for the call.
 */
typedef void effect_name(void *ctx, struct bytes name);

/* enum effect of all statements of the text together. The arena is used and left as it is; its ceiling may be small. */
unsigned effect_of(struct bytes text, const struct sql_options *options, struct arena *arena, effect_name *on_name, void *ctx);

#endif
