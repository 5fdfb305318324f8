/*
 * facts.h - what a probe has found out about one PostgreSQL server.
 *
 * Positions in the write-ahead log are bytes from its beginning (an LSN as one number); 0: not known.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_FACTS_H
#define GILMOK_PROXY_TOPOLOGY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

enum { FACTS_HOST_MAX = 256, FACTS_NAME_MAX = 64, FACTS_STANDBYS_MAX = 32 };

/* A standby as the server that it streams from sees it (pg_stat_replication). */
struct standby_facts {
    char name[FACTS_NAME_MAX]; /* its application_name there */
    char address[48];    /* from where it streams; "": over a unix socket */
    char sync_state[16]; /* "async", "sync", "potential", "quorum" */
    bool has_replayed;   /* it is a server, as far as can be seen from there */
};

/* In short: where a standby's replay is, or where the log of a primary ends. */
struct node_position {
    bool is_in_recovery;
    uint64_t lsn;
};

struct node_facts {
    uint64_t system_id;
    uint32_t version;  /* 150018 for 15.18 */
    uint32_t timeline; /* that it writes, or replays */
    bool is_in_recovery; /* a standby, or one that is not yet through its own crash */
    bool is_read_only;   /* default_transaction_read_only, as the monitor's user gets it */
    bool is_paused;      /* replay is paused */
    uint64_t started_us; /* by its own clock, to the microsecond: two nodes that say the same are one server */
    uint64_t lsn;      /* of the last byte written (primary), or replayed (standby) */
    uint64_t inserted; /* where the log of a primary ends, written or not */
    uint64_t received; /* by a standby */
    int64_t replay_age_ms; /* since the commit that was replayed last, by the standby's own clock; -1: there was none yet */
    char name[FACTS_NAME_MAX];          /* cluster_name,
        or the application_name of its primary_conninfo: how its upstream calls it */
    char upstream_host[FACTS_HOST_MAX]; /* whom it streams from; "": nobody */
    uint16_t upstream_port;
    uint32_t standby_count; /* of `standbys`; more are left out */
    struct standby_facts standbys[FACTS_STANDBYS_MAX];
};

#endif
