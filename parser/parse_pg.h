/*
 * parse_pg.h - PostgreSQL's statements that are no query and change no rows: who reads what.
 *
 * Each of these stands at the first keyword of its statement, reads the statement up to
 * its `;` or the end, and gives a COMMAND, except for those that say otherwise. What a
 * command puts into which slot stands above its parse function.
 */
#ifndef GILMOK_PARSER_PARSE_PG_H
#define GILMOK_PARSER_PARSE_PG_H

#include "parser/parse.h"

/* ---- definitions ----------------------------------------------------------------------------------------------------- */

struct ast *parse_pg_create(struct sql_reader *p);         /* CREATE anything */
struct ast *parse_pg_alter(struct sql_reader *p);          /* ALTER anything; DEFAULT PRIVILEGES by the function below */
struct ast *parse_pg_drop(struct sql_reader *p);           /* DROP anything, DROP OWNED */
struct ast *parse_pg_comment(struct sql_reader *p);        /* COMMENT ON */
struct ast *parse_pg_security_label(struct sql_reader *p); /* SECURITY LABEL */
struct ast *parse_pg_reassign(struct sql_reader *p);       /* REASSIGN OWNED */
struct ast *parse_pg_truncate(struct sql_reader *p);       /* TRUNCATE */
struct ast *parse_pg_import(struct sql_reader *p);         /* IMPORT FOREIGN SCHEMA */
struct ast *parse_pg_index_element(struct sql_reader *p); /* SORT: an element of an index or a conflict target */

/* ---- what both sides use --------------------------------------------------------------------------------------------- */

/* OBJECT with `args`: name [ "(" arguments ")" ], as DROP FUNCTION and GRANT ... ON FUNCTION name it. */
struct ast *parse_pg_routine_signature(struct sql_reader *p, enum sql_object object);
/* A value of an option in `name = value`: a type, a keyword, an operator, a number, a string, NONE. */
struct ast *parse_pg_def_arg(struct sql_reader *p);
/* "(" name [ "=" value ] { "," ... } ")", names in one or two parts: storage parameters. OPTIONs. */
struct ast *parse_pg_reloptions(struct sql_reader *p);

/* ---- commands -------------------------------------------------------------------------------------------------------- */

struct ast *parse_pg_grant(struct sql_reader *p);              /* GRANT, REVOKE */
struct ast *parse_pg_default_privileges(struct sql_reader *p); /* ALTER DEFAULT PRIVILEGES, at ALTER */
/* SETTING of SET ..., RESET ... as ALTER ROLE, DATABASE, FUNCTION, SYSTEM have it; at SET or RESET, which is read too. */
struct ast *parse_pg_set_clause(struct sql_reader *p);

#endif
