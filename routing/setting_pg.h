/*
 * setting_pg.h - PostgreSQL's settings, by what its lists of settings tell of them.
 */
#ifndef GILMOK_ROUTING_SETTING_PG_H
#define GILMOK_ROUTING_SETTING_PG_H

#include "base/bytes.h"

/* True for one that a session may have set without a list of the server's telling it: it must be asked for by name. */
bool setting_pg_is_unlisted(struct bytes name);
/* True for one whose value every server reports by itself whenever it changes (ParameterStatus), and that a session may set. */
bool setting_pg_is_reported(struct bytes name);

#endif
