/*
 * backend_pg_catalog.h - the errand of a free connection: to read its database's catalog.
 */
#ifndef GILMOK_PROXY_POOL_BACKEND_PG_CATALOG_H
#define GILMOK_PROXY_POOL_BACKEND_PG_CATALOG_H

#include "proxy/pool/backend_pg.h"

/* backend_proto's try_learn. */
bool backend_pg_try_learn(struct backend *b);

/* For backend_pg.c, while an errand is under way: a piece of a row; the end of the reply; the end of the connection. */
void backend_pg_errand_piece(struct backend *b, struct bytes piece, bool is_last);
/* True: another query is out. */
MUST_USE bool backend_pg_errand_goes_on(struct backend *b, bool is_ok);
void backend_pg_errand_lost(struct backend *b);

/* In backend_pg.c. */
void backend_pg_send_errand(struct backend *b, struct bytes sql);

#endif
