/*
 * statement_pg.h - the texts of prepared statements, each kept once per worker.
 *
 * A thousand clients prepare the same dozen statements. What they have in common is the
 * source: text and parameter types, exactly as Parse brought them; and the settings that
 * parse analysis read (params_pg.h). Statements are
 * counted references; whoever holds one calls statement_pg_unref. The name on servers
 * is made from the source's hash, so that the same statement has the same name on each
 * connection and in pg_prepared_statements.
 */
#ifndef GILMOK_PROXY_POOL_STATEMENT_PG_H
#define GILMOK_PROXY_POOL_STATEMENT_PG_H

#include "base/map.h"
#include "routing/effect.h"

#define STATEMENT_PG_PREFIX "gilmok_" /* of every name that gilmok gives */

enum { STATEMENT_PG_NAME_LEN = 7 + 16 };

/* Settings that parse analysis reads. */
struct settings_pg {
    uint64_t digest;     /* params_pg.analysis_digest; 0: the statement means the same under all settings */
    struct bytes values; /* as params_pg_put_analysis() writes them; empty: they are not known any more */
};

struct statement_pg {
    struct map *home; /* borrowed; outlives it; NULL: it is on its way between two */
    struct bytes source; /* a Parse body behind the name: "text\0", count (2), type oids (4 each); inside `key` */
    struct settings_pg settings; /* under which it was parsed; values inside `key` */
    struct bytes key;    /* source, digest and values; owned */
    uint32_t refs;
    struct effect_reading reading; /* the session's own: what carrying it out may leave */
    char name[STATEMENT_PG_NAME_LEN + 1];
};

/*
 * The statement of this source and settings (NULL: it does not depend on them), with one
 * more reference; found in `home` or made. NULL: memory is out.
 */
struct statement_pg *statement_pg_intern(struct map *home, struct bytes source, const struct settings_pg *settings);
/* One of its own that no map knows, to be taken to another thread. NULL: memory is out. */
struct statement_pg *statement_pg_copy(const struct statement_pg *st);
struct statement_pg *statement_pg_ref(struct statement_pg *st);
void statement_pg_unref(struct statement_pg *st); /* NULL is fine */

#endif
