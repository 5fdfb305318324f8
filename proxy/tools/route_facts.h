/*
 * route_facts.h - what a database says of its functions and relations, asked by libpq.
 */
#ifndef GILMOK_PROXY_TOOLS_ROUTE_FACTS_H
#define GILMOK_PROXY_TOOLS_ROUTE_FACTS_H

#include "base/err.h"
#include "proxy/config.h"
#include "routing/known_pg.h"

/* How to ask. Strings are borrowed. */
struct route_facts_ask {
    const struct config_database *database;
    const char *name; /* of the database, as a client says it */
    const char *user; /* NULL: the one that the configuration has for this database or its cluster, else libpq's own */
};

/* The server's version, or 0: `err` says why. Takes all rows into `facts`, which are not judged yet. */
uint32_t route_facts_load(const struct route_facts_ask *ask, struct known_pg *facts, struct err *err);

#endif
