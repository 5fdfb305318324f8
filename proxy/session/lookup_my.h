/*
 * lookup_my.h - a MySQL or MariaDB server's answer to auth_query: the accounts of one user name.
 *
 * $1 in the question is the name as a literal in hex digits, which no sql_mode can read otherwise. The answer has a row for each
 * account, or none, with these columns:
 *
 *     user | host | plugin | authentication_string | account_locked | password_expired
 *
 * of which the last two may be missing; they say it by Y, 1 or true. NULL is nothing, or no.
 */
#ifndef GILMOK_PROXY_SESSION_LOOKUP_MY_H
#define GILMOK_PROXY_SESSION_LOOKUP_MY_H

#include "proxy/session/lookup.h"

extern const struct lookup_proto lookup_my;

/* What is asked where no auth_query is given: of a MySQL server, and of MariaDB, which keeps it in JSON. */
#define LOOKUP_MY_QUERY \
    "SELECT User, Host, plugin, authentication_string, account_locked, password_expired FROM mysql.user WHERE User = $1"
#define LOOKUP_MARIADB_QUERY                                                                                               \
    "SELECT User, Host, JSON_VALUE(Priv, '$.plugin'), JSON_VALUE(Priv, '$.authentication_string'), "                       \
    "JSON_VALUE(Priv, '$.account_locked'), IF(JSON_VALUE(Priv, '$.password_last_changed') = 0, 'Y', 'N') "                 \
    "FROM mysql.global_priv WHERE User = $1 AND JSON_VALUE(Priv, '$.is_role') IS NULL"

/* Writes the text of the question. */
void lookup_my_put_query(struct writer *w, const char *query, const char *user);
/*
 * Reads the packets of an answer, which ends as where DEPRECATE_EOF was agreed. `accounts` is empty and has room for
 * ACCOUNTS_MY_MAX. Pure, for tests.
 */
enum lookup_result lookup_my_read(struct bytes reply, const char *user, struct accounts_my *accounts, struct err *err);

#endif
