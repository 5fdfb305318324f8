/*
 * fake_pg.h - a small PostgreSQL server on the simulated network, with the right
 * semantics of groups, errors, transactions and session state, and an eye for
 * proxies that mix clients up.
 *
 * Its statements (separated by ; in a simple Query):
 *
 *      select 'TEXT'             one row: TEXT and, when Bind gave one, " VALUE"; second column: the connection's number
 *      rows N LEN TEXT           N rows "TEXT #i " and LEN times x
 *      begin | commit | rollback
 *      set NAME = VALUE | reset NAME | reset all | discard all | show NAME
 *      copy in TEXT | copy bad TEXT (fails in mid-data) | copy out N LEN TEXT
 *      sleep MS TEXT | fail TEXT | die TEXT | empty
 *      deallocate all
 *      select rolname, rolpassword, ... from pg_authid: what it knows of the user that Bind gave
 *      select pg_catalog.set_config('NAME','VALUE',true), ...
 *
 * CLIENTS ARE TOLD APART BY application_name "cN": each TEXT begins with "cN " of the
 * client that wrote it, and the server complains when it runs one for another. A text
 * that ends with FAKE_STYLE_MARK and a DateStyle must be parsed under that one.
 */
#ifndef GILMOK_TESTS_SIM_FAKE_PG_H
#define GILMOK_TESTS_SIM_FAKE_PG_H

#include "proxy/auth/scram.h"
#include "proxy/net/tls.h"
#include "tests/sim/net_sim.h"

#define FAKE_STYLE_MARK " -- parsed under DateStyle "

#define FAKE_ONE_APP "everybody" /* an application_name that tells nobody from another */

enum { FAKE_PG_USERS_MAX = 4, FAKE_PG_COPY_MOD = 1000003 };

struct fake_pg {
    struct net_sim *sim;
    struct listener li;
    struct list conns;
    struct list dead; /* closed, freed by `bury` */
    struct task bury;
    struct {
        const char *name;
        struct scram_verifier verifier;
        const char *secret; /* the verifier's text: what pg_authid has of it */
    } users[FAKE_PG_USERS_MAX]; /* none: everybody is trusted */
    int user_count;
    struct tls_context *tls; /* borrowed. NULL: nobody may ask for TLS; otherwise everybody must, but requests to cancel */
    /* Trouble, one in so many; 0: never. */
    uint32_t dies_one_in;    /* of commands: FATAL, reset, end without a word, or silence */
    uint32_t refuses_one_in; /* of logins: FATAL "too many clients" or "starting up" */
    bool checks_owner;       /* of TEXT */
    uint32_t next_pid;
    uint32_t conn_count;
    uint64_t commands;
    uint64_t lookups; /* how often pg_authid was read */
    char complaint[256]; /* the first rule that was broken; empty: none */
};

MUST_USE bool fake_pg_open(struct fake_pg *pg, struct net_sim *sim, const struct addr *at, struct err *err);
/* From then on SCRAM is asked for. `name` and `secret` are borrowed. */
void fake_pg_add_user(struct fake_pg *pg, const char *name, const struct scram_verifier *verifier, const char *secret);
void fake_pg_close(struct fake_pg *pg); /* drops every connection */
/* The checksum that `copy in` answers with, in its tag "COPY n". */
uint32_t fake_pg_copy_sum(uint32_t sum, struct bytes data);

#endif
