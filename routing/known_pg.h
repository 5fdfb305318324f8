/*
 * known_pg.h - what a PostgreSQL database says of its functions and relations, for classify.h: the query, and what its rows
 * mean. Pure.
 *
 *      known_pg_put_query(&w, 150000);            its rows, one after the other, whatever brings them:
 *      known_pg_take(f, row) ...
 *      known_pg_judge(f, &options);               once, behind the last row
 *      ... known_pg_facts(f)
 *
 * A function in SQL is what its body is, which is asked about as any text is. Another one that is marked volatile may write. One
 * that is marked immutable or stable cannot write itself, but may call what does, or ask the server who it is: bodies in PL/pgSQL
 * are gone through word by word (body_pg.h), other languages are believed. Definitions of views and policies are texts, too. What
 * is unsafe makes unsafe who uses it. Of more than KNOWN_PG_JUDGED_MAX bytes of code, which take about a second, none is judged:
 * all of it is unsafe.
 */
#ifndef GILMOK_ROUTING_KNOWN_PG_H
#define GILMOK_ROUTING_KNOWN_PG_H

#include "routing/classify.h"

enum { KNOWN_PG_COLUMNS = 4, KNOWN_PG_QUERY_MAX = 16 << 10, KNOWN_PG_MEMORY_MAX = 256 << 20, KNOWN_PG_JUDGED_MAX = 64 << 20 };

struct known_pg;

/* NULL: memory is out. */
struct known_pg *known_pg_new(void);
void known_pg_free(struct known_pg *f); /* NULL is fine */

/* One text of several statements, in one transaction that only reads. The server has version 12 at least. */
void known_pg_put_query(struct writer *w, uint32_t version);
/* Takes a row; its memory is borrowed. False: it is none of these, or memory is out. */
MUST_USE bool known_pg_take(struct known_pg *f, const struct bytes row[KNOWN_PG_COLUMNS]);
/* Judges bodies, definitions and policies, by the lists of functions and the version of `options`. False: memory is out. */
MUST_USE bool known_pg_judge(struct known_pg *f, const struct classify_options *options);

/* Subscriber number `number`, less than eight, has a copy of that table. What is not known has none. */
void known_pg_note_copy(struct known_pg *f, struct bytes schema, struct bytes table, uint8_t number);

/* As long as `f` lives. */
const struct classify_facts *known_pg_facts(const struct known_pg *f);

#endif
