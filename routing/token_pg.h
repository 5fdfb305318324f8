/*
 * token_pg.h - SHOW gilmok.consistency_token: a question about the primary's log, to be carried to another session. Pure.
 *
 *      "00000003/0/5A2F110/6A3C0D5B2F9E41A7"     timeline, where the log ended when it was asked for, system identifier; in hex
 *
 * Older ones end in front of the system identifier: nobody knows which cluster's log they mean.
 */
#ifndef GILMOK_ROUTING_TOKEN_PG_H
#define GILMOK_ROUTING_TOKEN_PG_H

#include "parser/parser.h"

#define TOKEN_PG_SETTING "gilmok.consistency_token"

/* What gives the setting its value, until the end of the transaction: a statement for the primary. */
#define TOKEN_PG_TELL                                                                                               \
    "SELECT pg_catalog.set_config('" TOKEN_PG_SETTING "', pg_catalog.concat("                                       \
    "pg_catalog.substr(pg_catalog.pg_walfile_name(lsn), 1, 8), '/', lsn, '/', "                                     \
    "pg_catalog.upper(pg_catalog.to_hex(system_identifier))), true) "                                               \
    "FROM pg_catalog.pg_current_wal_insert_lsn() AS lsn, pg_catalog.pg_control_system()"

/* What a token says. */
struct token_pg {
    uint64_t system_id;
    uint32_t timeline;
    uint64_t lsn;
};

/* By its first letters: false for nearly all that are none. */
static inline bool token_pg_may_be(struct bytes text) {
    switch (text.len ? text.ptr[0] : 0) {
    case 's': case 'S': return text.len > 1 && (text.ptr[1] | 0x20) == 'h';
    case ' ': case '\t': case '\n': case '\r': case '\f': case '\v': case '-': case '/': case ';': return true;
    default: return false;
    }
}

/* False: it is none, or an older one; *t is untouched. */
MUST_USE bool token_pg_read(struct bytes text, struct token_pg *t);

/* The name of the setting, in any case. */
bool token_pg_is_setting(struct bytes name);

/* True for SHOW of just that setting, alone or with other statements behind it. */
bool token_pg_is_asked(struct bytes text, const struct sql_options *options);

#endif
