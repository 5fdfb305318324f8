/*
 * facts_pg.h - how a PostgreSQL server tells what it is: the question, and what its rows mean. Pure.
 *
 * Works from version 12. A user without pg_monitor is not told whom the server streams from and who streams from it.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_FACTS_PG_H
#define GILMOK_PROXY_TOPOLOGY_FACTS_PG_H

#include "base/build.h"
#include "proxy/topology/facts.h"

/* Two results: one row of FACTS_PG_COLUMNS, and one of FACTS_PG_STANDBY_COLUMNS for each standby. */
enum { FACTS_PG_COLUMNS = 16, FACTS_PG_STANDBY_COLUMNS = 4, FACTS_PG_POSITION_COLUMNS = 2 };
const char *facts_pg_query(void);

/* Values as text, NULL for SQL's. False: it is no such row. */
MUST_USE bool facts_pg_take(struct node_facts *f, const char *const row[FACTS_PG_COLUMNS]);
void facts_pg_take_standby(struct node_facts *f, const char *const row[FACTS_PG_STANDBY_COLUMNS]);

/* One row of FACTS_PG_POSITION_COLUMNS. */
const char *facts_pg_position_query(void);
MUST_USE bool facts_pg_take_position(struct node_position *p, const char *const row[FACTS_PG_POSITION_COLUMNS]);

/* The SQLSTATE in an error of libpq's in its verbose form. False: it is none of the server's. */
bool facts_pg_sqlstate(const char *message, char out[6]);
/* The server is about to begin or to end, and serves nobody. */
bool facts_pg_is_away(const char sqlstate[6]);

#endif
