/*
 * Knows PostgreSQL's views; sends nothing.
 */
#include "proxy/topology/facts_pg.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Of one moment but for the positions, which are asked for behind everything else: a position that is too new would make a standby
 * look further than it is. What is written counts, not what is inserted: a new file of the log begins with bytes that no standby
 * replays.
 *
 * Who receives the log without replaying it (pg_receivewal), and who is sent a base backup, is listed too, and told apart by having
 * no position of replay; subscribers of logical replication are not listed: they are servers of other clusters.
 *
 * A primary's timeline is that of the file it writes. A standby's is in three places, none of which is right at all times: the
 * last checkpoint's, the end of what it must replay to be consistent, and that of the stream it receives.
 */
const char *facts_pg_query(void) {
    return "SELECT s.system_identifier, r.is_in_recovery,"
           " CASE WHEN r.is_in_recovery THEN greatest(c.timeline_id, m.min_recovery_end_timeline, coalesce(w.received_tli, 0))"
           "      ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int8 END,"
           " CASE WHEN r.is_in_recovery THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn,"
           " pg_last_wal_receive_lsn() - '0/0'::pg_lsn,"
           " CASE WHEN NOT r.is_in_recovery THEN pg_current_wal_insert_lsn() - '0/0'::pg_lsn END,"
           " CASE WHEN r.is_in_recovery"
           "      THEN (1000 * extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))::int8 END,"
           " current_setting('server_version_num'), current_setting('default_transaction_read_only'),"
           " CASE WHEN r.is_in_recovery THEN pg_is_wal_replay_paused() END,"
           " w.status, w.sender_host, w.sender_port, current_setting('cluster_name'),"
           " substring(w.conninfo FROM 'application_name=([^ '']+)'),"
           " (1000000 * extract(epoch FROM pg_postmaster_start_time()))::int8"
           " FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() m,"
           " (SELECT pg_is_in_recovery() AS is_in_recovery) r LEFT JOIN pg_stat_wal_receiver w ON true;"
           "SELECT application_name, sync_state, host(client_addr), replay_lsn IS NOT NULL AND state <> 'backup'"
           " FROM pg_stat_replication r WHERE sync_state IS NOT NULL AND NOT EXISTS"
           " (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')";
}

const char *facts_pg_position_query(void) {
    return "SELECT r.is_in_recovery, CASE WHEN r.is_in_recovery THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END"
           " - '0/0'::pg_lsn FROM (SELECT pg_is_in_recovery() AS is_in_recovery) r";
}

enum column {
    SYSTEM_ID, IS_IN_RECOVERY, TIMELINE, LSN, RECEIVED, INSERTED, REPLAY_AGE, VERSION, READ_ONLY, IS_PAUSED,
    RECEIVER_STATUS, SENDER_HOST, SENDER_PORT, CLUSTER_NAME, STANDBY_NAME, STARTED
};

static uint64_t number_of(const char *value) {
    return value ? strtoull(value, NULL, 10) : 0;
}

static bool is_true(const char *value) {
    return value && (value[0] == 't' || strcmp(value, "on") == 0);
}

static void keep(char *out, size_t size, const char *value) {
    snprintf(out, size, "%s", value ? value : "");
}

bool facts_pg_take(struct node_facts *f, const char *const row[FACTS_PG_COLUMNS]) {
    bool is_streaming = row[RECEIVER_STATUS] && strcmp(row[RECEIVER_STATUS], "streaming") == 0;
    *f = (struct node_facts){
        .system_id = number_of(row[SYSTEM_ID]),
        .version = (uint32_t)number_of(row[VERSION]),
        .timeline = (uint32_t)number_of(row[TIMELINE]),
        .is_in_recovery = is_true(row[IS_IN_RECOVERY]),
        .is_read_only = is_true(row[READ_ONLY]),
        .is_paused = is_true(row[IS_PAUSED]),
        .lsn = number_of(row[LSN]),
        .received = number_of(row[RECEIVED]),
        .inserted = number_of(row[INSERTED]),
        .replay_age_ms = row[REPLAY_AGE] ? strtoll(row[REPLAY_AGE], NULL, 10) : -1,
        .started_us = number_of(row[STARTED]),
    };
    bool has_own_name = row[STANDBY_NAME] && row[STANDBY_NAME][0];
    keep(f->name, sizeof f->name, has_own_name ? row[STANDBY_NAME] : row[CLUSTER_NAME]);
    if (is_streaming) {
        keep(f->upstream_host, sizeof f->upstream_host, row[SENDER_HOST]);
        f->upstream_port = (uint16_t)number_of(row[SENDER_PORT]);
    }
    return row[IS_IN_RECOVERY] && f->system_id && f->version && f->timeline;
}

bool facts_pg_take_position(struct node_position *p, const char *const row[FACTS_PG_POSITION_COLUMNS]) {
    *p = (struct node_position){.is_in_recovery = is_true(row[0]), .lsn = number_of(row[1])};
    return row[0] && p->lsn;
}

void facts_pg_take_standby(struct node_facts *f, const char *const row[FACTS_PG_STANDBY_COLUMNS]) {
    if (f->standby_count == FACTS_STANDBYS_MAX) return;
    struct standby_facts *s = &f->standbys[f->standby_count++];
    keep(s->name, sizeof s->name, row[0]);
    keep(s->sync_state, sizeof s->sync_state, row[1]);
    keep(s->address, sizeof s->address, row[2]);
    s->has_replayed = is_true(row[3]);
}

/* "FATAL:  57P03: the database system is starting up": the first word is of the server's language. */
bool facts_pg_sqlstate(const char *message, char out[6]) {
    for (const char *at = message; (at = strstr(at, ":  ")); at++) {
        const char *state = at + 3;
        int len = 0;
        while (len < 5 && (isdigit((unsigned char)state[len]) || isupper((unsigned char)state[len]))) len++;
        if (len < 5 || state[5] != ':') continue;
        memcpy(out, state, 5);
        out[5] = '\0';
        return true;
    }
    return false;
}

bool facts_pg_is_away(const char sqlstate[6]) {
    return strncmp(sqlstate, "57P0", 4) == 0;
}
