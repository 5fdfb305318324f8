/*
 * fake_pg_conn.h - one connection of the fake server; for fake_pg*.c only.
 */
#ifndef GILMOK_TESTS_SIM_FAKE_PG_CONN_H
#define GILMOK_TESTS_SIM_FAKE_PG_CONN_H

#include "proxy/wire/pg_encode.h"
#include "tests/sim/fake_pg.h"

enum { FAKE_SETTINGS_MAX = 12, FAKE_STATEMENTS_MAX = 24, FAKE_PORTALS_MAX = 8, FAKE_SQL_MAX = 512 };

struct fake_setting {
    char name[32];
    char value[64];
    char start[64]; /* what RESET goes back to */
    bool is_reported;
};

struct fake_statement {
    char name[64];
    char sql[FAKE_SQL_MAX];
};

struct fake_portal {
    char name[32];
    char sql[FAKE_SQL_MAX];
    char value[64];
    bool has_value;
    uint32_t row; /* next row of `rows` */
};

enum fake_step { STEP_FIRST, STEP_SASL_INITIAL, STEP_SASL_FINAL, STEP_RUNNING };
enum fake_copy { COPY_NONE, COPY_QUERY, COPY_EXTENDED };
enum fake_ending { ENDING_QUIET, ENDING_FATAL, ENDING_RESET, ENDING_SILENT };

struct fake_conn {
    struct list node;
    struct fake_pg *pg;
    struct stream *stream; /* NULL: dead */
    uint32_t pid;
    enum fake_step step;
    struct scram_server scram;
    char user[64];
    bool is_param_bad, has_tls;
    struct fake_setting settings[FAKE_SETTINGS_MAX];
    struct fake_setting before_txn[FAKE_SETTINGS_MAX];
    int setting_count;
    struct fake_statement statements[FAKE_STATEMENTS_MAX];
    int statement_count;
    struct fake_portal portals[FAKE_PORTALS_MAX];
    int portal_count;
    char txn; /* enum pg_txn_status */
    bool is_skipping;
    enum fake_copy copy;
    bool is_copy_bad;
    uint32_t copy_sum;
    char *rest;      /* of a simple Query that waits; NULL: none */
    size_t rest_at;
    struct fake_portal *napping; /* an Execute waits */
    bool is_asleep;
    struct timer nap;
    struct task resume;
    bool is_cut; /* a part of an answer was lost: not a byte more is sent */
    struct writer out;
};

/* fake_pg.c */
void fake_complain(struct fake_conn *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fake_error(struct fake_conn *c, const char *severity, const char *sqlstate, const char *message);
void fake_extended_error(struct fake_conn *c, const char *sqlstate, const char *message);
void fake_flush(struct fake_conn *c);
void fake_end(struct fake_conn *c, enum fake_ending how);
void fake_forget_portals(struct fake_conn *c);

/* fake_pg_sql.c */
void fake_settings_init(struct fake_conn *c);
bool fake_setting_start(struct fake_conn *c, struct bytes name, struct bytes value); /* false: unknown */
void fake_settings_report(struct fake_conn *c);
struct fake_statement *fake_find_statement(struct fake_conn *c, struct bytes name);
struct fake_portal *fake_find_portal(struct fake_conn *c, struct bytes name);
void fake_check_owner(struct fake_conn *c, struct bytes sql);
void fake_check_style(struct fake_conn *c, struct bytes sql);
bool fake_returns_rows(const char *sql);
void fake_put_description(struct fake_conn *c);
void fake_run_query(struct fake_conn *c, struct bytes sql);
void fake_run_portal(struct fake_conn *c, struct fake_portal *p, uint32_t limit);
bool fake_take_copy(struct fake_conn *c, uint8_t type, struct bytes body); /* false: not part of the COPY */
void fake_go_on(struct fake_conn *c); /* after a nap, or when there is room again */

#endif
