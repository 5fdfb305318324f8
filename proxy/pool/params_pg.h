/*
 * params_pg.h - the parameter values that a PostgreSQL server has reported.
 *
 * A server reports each GUC_REPORT setting at login and whenever it changes. The
 * digest of a set lets a session ask "does my client still believe what is true on
 * this connection?" with one comparison. application_name is kept apart: it
 * follows the client, not the connection. A second digest is over the settings that
 * parse analysis reads: a date literal parsed under one DateStyle keeps its month.
 */
#ifndef GILMOK_PROXY_POOL_PARAMS_PG_H
#define GILMOK_PROXY_POOL_PARAMS_PG_H

#include "base/bytes.h"
#include "base/writer.h"

enum {
    PARAMS_PG_MAX = 64,
    PARAMS_PG_ANALYSIS_MAX = 16 << 10, /* of what params_pg_put_analysis() writes */
};

struct params_pg {
    struct {
        char *name; /* owned */
        char *value; /* owned */
    } items[PARAMS_PG_MAX];
    int count;
    const char *app_name; /* the item of that name, or NULL: asked for with every lease */
    uint64_t digest; /* independent of order; without those that follow the client */
    uint64_t settable_digest; /* of those that a client can set, again without application_name */
    uint64_t analysis_digest; /* the same of those that a statement's meaning may depend on when it is parsed */
};

/* application_name, and what comes of the role: true on every connection that a client gets, whatever was reported there before. */
bool params_pg_follows_client(struct bytes name);
/* False for those that only tell (server_version, in_hot_standby ...) and for application_name. */
bool params_pg_is_settable(struct bytes name);
void params_pg_release(struct params_pg *p);
/* False: memory is out, or more than PARAMS_PG_MAX names. */
MUST_USE bool params_pg_set(struct params_pg *p, struct bytes name, struct bytes value);
MUST_USE bool params_pg_copy(struct params_pg *to, const struct params_pg *from);
const char *params_pg_get(const struct params_pg *p, const char *name); /* NULL when absent */

/* What analysis_digest is about, in words: "name\0value\0" of each. */
void params_pg_put_analysis(const struct params_pg *p, struct writer *w);
/* The next pair of such words; false at their end. */
bool params_pg_next_pair(struct bytes *rest, const char **name, const char **value);

#endif
