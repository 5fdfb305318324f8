/*
 * lookup_pg.h - a PostgreSQL server's answer to auth_query.
 *
 * It is asked with an empty search_path. The user's name is a parameter, never text. The answer is one row: name, secret, and
 * perhaps whether the user may log in.
 */
#ifndef GILMOK_PROXY_SESSION_LOOKUP_PG_H
#define GILMOK_PROXY_SESSION_LOOKUP_PG_H

#include "proxy/session/lookup.h"

extern const struct lookup_proto lookup_pg;

/* What is asked where no auth_query is given. */
#define LOOKUP_PG_QUERY                                                                                              \
    "SELECT rolname, rolpassword, "                                                                                  \
    "rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now()) " \
    "FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1"

/* Reads the messages of an answer. Pure, for tests. */
enum lookup_result lookup_pg_read(struct bytes reply, const char *user, struct user_secret *secret, struct err *err);

#endif
