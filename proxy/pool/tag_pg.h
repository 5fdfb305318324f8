/*
 * tag_pg.h - what a PostgreSQL command tag says about the session it leaves behind.
 *
 * Of a statement that is not read (above inspect_limit, and in session mode) the tag
 * of CommandComplete is all that is known. A tag that is not on the list of harmless
 * ones taints. Statements that are read: routing/effect.h.
 */
#ifndef GILMOK_PROXY_POOL_TAG_PG_H
#define GILMOK_PROXY_POOL_TAG_PG_H

#include "base/bytes.h"

enum tag_pg_effect {
    TAG_PG_CLEAN = 0,
    TAG_PG_TAINTS = 1,           /* may leave state behind */
    TAG_PG_RESETS = 2,           /* settings went back to the connection's defaults */
    TAG_PG_DROPS_STATEMENTS = 4, /* all prepared statements are gone */
    TAG_PG_IS_SELECT = 8,        /* harmless with rows or their description; else CREATE TABLE AS or SELECT INTO */
};

enum tag_pg_effect tag_pg_effect(struct bytes tag);

#endif
