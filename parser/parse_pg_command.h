/*
 * parse_pg_command.h - PostgreSQL's statements that are no query, change no rows and define nothing: who reads what.
 *
 * Like parse_pg.h: each stands at the first keyword of its statement and gives a COMMAND. What it puts into which slot
 * stands above its parse function. All names and values are as they were written; what a setting's special form such
 * as SET TIME ZONE sets has the setting's own name.
 */
#ifndef GILMOK_PARSER_PARSE_PG_COMMAND_H
#define GILMOK_PARSER_PARSE_PG_COMMAND_H

#include "parser/parse_pg.h"

/* ---- settings: parse_pg_setting.c ------------------------------------------------------------------------------------ */

struct ast *parse_pg_set(struct sql_reader *p);   /* SET anything */
struct ast *parse_pg_reset(struct sql_reader *p); /* RESET */
struct ast *parse_pg_show(struct sql_reader *p);  /* SHOW */

/* SETTINGs as definitions have them; at SET or RESET. RESET gives values of one DEFAULT; RESET ALL no names. */
struct ast *parse_pg_set_clause_routine(struct sql_reader *p); /* of functions: no modes of transactions */
struct ast *parse_pg_set_clause_system(struct sql_reader *p);  /* of ALTER SYSTEM: name and values alone */

/* ---- transactions and the session: parse_pg_session.c ---------------------------------------------------------------- */

struct ast *parse_pg_begin(struct sql_reader *p);     /* BEGIN, START TRANSACTION */
struct ast *parse_pg_commit(struct sql_reader *p);    /* COMMIT, END, COMMIT PREPARED */
struct ast *parse_pg_rollback(struct sql_reader *p);  /* ROLLBACK, ABORT, ROLLBACK TO, ROLLBACK PREPARED */
struct ast *parse_pg_savepoint(struct sql_reader *p); /* SAVEPOINT, RELEASE */
struct ast *parse_pg_prepare_transaction(struct sql_reader *p);
struct ast *parse_pg_lock(struct sql_reader *p);
struct ast *parse_pg_listen(struct sql_reader *p); /* LISTEN, UNLISTEN, NOTIFY */
struct ast *parse_pg_discard(struct sql_reader *p);
struct ast *parse_pg_load(struct sql_reader *p);
struct ast *parse_pg_checkpoint(struct sql_reader *p);
struct ast *parse_pg_wait(struct sql_reader *p); /* WAIT FOR (19) */

/* Modes of a transaction: OPTIONs "isolation level" (NAME), "read only", "read write", "deferrable", "not deferrable". */
struct ast *parse_pg_transaction_modes(struct sql_reader *p);
struct ast *parse_pg_opt_transaction_modes(struct sql_reader *p);
/* AST_COMMAND_READ_ONLY or AST_COMMAND_READ_WRITE by the last of these modes that says so, or 0. */
uint32_t parse_pg_access_flag(const struct sql_reader *p, const struct ast *modes);

/* ---- statements in statements and cursors: parse_pg_prepared.c ------------------------------------------------------- */

struct ast *parse_pg_prepare(struct sql_reader *p); /* PREPARE, PREPARE TRANSACTION */
struct ast *parse_pg_execute(struct sql_reader *p);
struct ast *parse_pg_deallocate(struct sql_reader *p);
struct ast *parse_pg_declare(struct sql_reader *p);
struct ast *parse_pg_fetch(struct sql_reader *p); /* FETCH, MOVE */
struct ast *parse_pg_close(struct sql_reader *p);
struct ast *parse_pg_explain(struct sql_reader *p);
struct ast *parse_pg_call(struct sql_reader *p);
struct ast *parse_pg_do(struct sql_reader *p);

/* query | INSERT | UPDATE | DELETE | MERGE, with WITH or without */
struct ast *parse_pg_preparable(struct sql_reader *p);

/* ---- maintenance: parse_pg_maintain.c -------------------------------------------------------------------------------- */

struct ast *parse_pg_vacuum(struct sql_reader *p);
struct ast *parse_pg_analyze(struct sql_reader *p);
struct ast *parse_pg_cluster(struct sql_reader *p);
struct ast *parse_pg_repack(struct sql_reader *p); /* (19) */
struct ast *parse_pg_reindex(struct sql_reader *p);
struct ast *parse_pg_refresh(struct sql_reader *p); /* REFRESH MATERIALIZED VIEW */

/* ---- words and options: parse_pg_option.c ---------------------------------------------------------------------------- */

bool parse_pg_at_nonreserved_word(const struct sql_reader *p);
/* NAME or LITERAL: TRUE | FALSE | ON | NonReservedWord | string */
struct ast *parse_pg_word_or_string(struct sql_reader *p);
/* The same, or [+|-] number. */
struct ast *parse_pg_option_value(struct sql_reader *p);
/* NonReservedWord | string */
struct ast *parse_pg_nonreserved_word_or_string(struct sql_reader *p);
/* Is a value as above at hand? */
bool parse_pg_at_option_value(const struct sql_reader *p);
/* "(" name [ value ] { "," ... } ")": OPTIONs with the name in lower case unless it is quoted. */
struct ast *parse_pg_utility_options(struct sql_reader *p);
/* The same, or NULL when no parenthesis is at hand. */
struct ast *parse_pg_opt_utility_options(struct sql_reader *p);
/* OPTION with this name (static) for a keyword at hand, or NULL. */
struct ast *parse_pg_opt_flag(struct sql_reader *p, uint16_t kind, const char *name);
/* [+|-] integer of at most 32 bits */
struct ast *parse_pg_signed_integer(struct sql_reader *p);
/* name { "." name }: names of settings and parameters */
struct ast *parse_pg_setting_name(struct sql_reader *p);
/* name { "." label }, three at most: what has a place among the tables. NAMEs. */
struct ast *parse_pg_relation_name(struct sql_reader *p);
/* DEFAULT that nobody wrote, behind the last token. */
struct ast *parse_pg_implied_default(struct sql_reader *p);
/* AST_COMMAND_CASCADE, AST_COMMAND_RESTRICT or 0: [ CASCADE | RESTRICT ] */
uint32_t parse_pg_opt_behavior(struct sql_reader *p);

#endif
