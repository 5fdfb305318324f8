/*
 * parse_mysql_ddl.h - the back room of MySQL's and MariaDB's definitions: what their files share.
 *
 * Included by the files named below alone; whoever wants a statement read takes parse_mysql.h. Rules as in parse.h.
 */
#ifndef GILMOK_PARSER_PARSE_MYSQL_DDL_H
#define GILMOK_PARSER_PARSE_MYSQL_DDL_H

#include "parser/parse_mysql.h"

/* ---- options and their values: parse_mysql_option.c ------------------------------------------------------------------ */

struct ast *parse_mysql_number(struct sql_reader *p);            /* LITERAL: a number without a sign, 0x1F too */
struct ast *parse_mysql_integer(struct sql_reader *p);           /* the same, without a point */
struct ast *parse_mysql_number_or_default(struct sql_reader *p); /* the same, or DEFAULT */
struct ast *parse_mysql_size(struct sql_reader *p);              /* a number, or a NAME like 16M */
struct ast *parse_mysql_value(struct sql_reader *p);             /* a name, a string, a number or DEFAULT */
struct ast *parse_mysql_string_or_name(struct sql_reader *p);

/* OPTION: the current word, ["="], value. Its name is the word in lower case. */
struct ast *parse_mysql_word_option(struct sql_reader *p, parse_function *value);
/* OPTION: so many words, ["="], value. */
struct ast *parse_mysql_option(struct sql_reader *p, const char *name, unsigned words, parse_function *value);
/* OPTION of an engine: name "=" value (MariaDB). NULL when there is none. */
struct ast *parse_mysql_opt_engine_option(struct sql_reader *p);
/* OPTION: [DEFAULT] CHARACTER SET ["="] x, [DEFAULT] COLLATE ["="] x. NULL when there is none. */
struct ast *parse_mysql_opt_charset_option(struct sql_reader *p);
/* OPTION: ALGORITHM ["="] x or LOCK ["="] x. NULL when there is none. */
struct ast *parse_mysql_opt_online_option(struct sql_reader *p);
/* OPTION: DEFINER "=" user. At DEFINER. */
struct ast *parse_mysql_definer(struct sql_reader *p);
/* OPTION: SQL SECURITY DEFINER|INVOKER. At SQL. */
struct ast *parse_mysql_sql_security(struct sql_reader *p);

/* Set the command's flags. */
void parse_mysql_if_exists(struct sql_reader *p, struct ast_command *c);
void parse_mysql_if_not_exists(struct sql_reader *p, struct ast_command *c);
void parse_mysql_restrict(struct sql_reader *p, struct ast_command *c); /* [RESTRICT | CASCADE] */

/* Appends all of a list, or nothing when it is NULL. */
void parse_mysql_append(struct parse_list *list, struct ast *nodes);

/* ---- columns: parse_mysql_column.c ----------------------------------------------------------------------------------- */

struct ast *parse_mysql_column_def(struct sql_reader *p);    /* COLUMN_DEF */
struct ast *parse_mysql_default_value(struct sql_reader *p); /* what may stand behind DEFAULT */
/* At REFERENCES, at CHECK: what they say goes into the constraint, with `options` as the first of its options. */
void parse_mysql_references_clause(struct sql_reader *p, struct ast_constraint *c, struct parse_list *options);
void parse_mysql_check_clause(struct sql_reader *p, struct ast_constraint *c);

/* ---- keys and other elements of a table: parse_mysql_key.c ----------------------------------------------------------- */

struct ast *parse_mysql_table_element(struct sql_reader *p); /* COLUMN_DEF, CONSTRAINT or OPTION "period for" */
bool parse_mysql_at_constraint(struct sql_reader *p);        /* does an element begin here that is no column? */
struct ast *parse_mysql_key_parts(struct sql_reader *p);     /* "(" SORTs ")" */
void parse_mysql_key_options(struct sql_reader *p, struct parse_list *options);
struct ast *parse_mysql_opt_key_algorithm(struct sql_reader *p); /* OPTION: USING x, TYPE x; or NULL */
bool parse_mysql_at_vector_key(struct sql_reader *p);        /* MariaDB 11.7: VECTOR KEY */

/* ---- tables: parse_mysql_create_table.c ------------------------------------------------------------------------------------- */

/* Behind CREATE [OR REPLACE] [TEMPORARY], at TABLE. */
struct ast *parse_mysql_create_table(struct sql_reader *p, struct ast_command *c);
/* Behind CREATE [OR REPLACE], at [UNIQUE|FULLTEXT|SPATIAL|VECTOR] INDEX. */
struct ast *parse_mysql_create_index(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_defining_query(struct sql_reader *p);   /* of a view or a table */
struct ast *parse_mysql_opt_table_option(struct sql_reader *p); /* OPTION or NULL */

/* ---- partitions: parse_mysql_partition.c ----------------------------------------------------------------------------- */

struct ast *parse_mysql_partition_by(struct sql_reader *p);    /* OPTION. At PARTITION */
/* An action on partitions that stands alone in ALTER TABLE: OPTION; NULL when it is none. */
struct ast *parse_mysql_opt_partition_action(struct sql_reader *p);

/* ---- ALTER: parse_mysql_alter.c -------------------------------------------------------------------------------------- */

/* Behind ALTER, at TABLE or what may stand before it. */
struct ast *parse_mysql_alter_table(struct sql_reader *p, struct ast_command *c);

/* ---- other objects: parse_mysql_object.c ----------------------------------------------------------------------------- */

/* Each behind CREATE or ALTER, at the word named. */
struct ast *parse_mysql_database(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_sequence(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_server(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_tablespace(struct sql_reader *p, struct ast_command *c); /* or LOGFILE GROUP, UNDO TABLESPACE */
struct ast *parse_mysql_resource_group(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_spatial_reference(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_masking_policy(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_alter_instance(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_duality_view(struct sql_reader *p, struct ast_command *c, struct parse_list *options); /* at JSON */
struct ast *parse_mysql_view(struct sql_reader *p, struct ast_command *c, struct parse_list *options);

/* ---- users: parse_mysql_user.c --------------------------------------------------------------------------------------- */

struct ast *parse_mysql_create_user(struct sql_reader *p, struct ast_command *c); /* at USER */
struct ast *parse_mysql_create_role(struct sql_reader *p, struct ast_command *c); /* at ROLE */
struct ast *parse_mysql_alter_user(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_user_name(struct sql_reader *p); /* OBJECT: a user */
struct ast *parse_mysql_user_auth(struct sql_reader *p); /* OBJECT: a user, how it proves who it is among its args */
void parse_mysql_user_require(struct sql_reader *p, struct parse_list *options); /* [REQUIRE ...] */
struct ast *parse_mysql_opt_user_limit(struct sql_reader *p); /* MAX_QUERIES_PER_HOUR n ...; or NULL */

/* ---- stored programs: parse_mysql_routine.c, parse_mysql_body.c, parse_mysql_declare.c ------------------------------- */

/* Behind CREATE [OR REPLACE] [DEFINER = x], at the word named; `options` holds what was read before. */
struct ast *parse_mysql_routine(struct sql_reader *p, struct ast_command *c, struct parse_list *options);
struct ast *parse_mysql_trigger(struct sql_reader *p, struct ast_command *c, struct parse_list *options);
struct ast *parse_mysql_event(struct sql_reader *p, struct ast_command *c, struct parse_list *options);
struct ast *parse_mysql_package(struct sql_reader *p, struct ast_command *c, struct parse_list *options);
struct ast *parse_mysql_library(struct sql_reader *p, struct ast_command *c);
/* ALTER PROCEDURE, ALTER FUNCTION, ALTER PACKAGE. */
struct ast *parse_mysql_alter_routine(struct sql_reader *p, struct ast_command *c);
struct ast *parse_mysql_parameters(struct sql_reader *p); /* "(" [COLUMN_DEFs] ")" */
struct ast *parse_mysql_variable_type(struct sql_reader *p); /* TYPE of a parameter or local variable */

/* COMMAND DECLARE, each at DECLARE. */
struct ast *parse_mysql_declare_variables(struct sql_reader *p);
struct ast *parse_mysql_declare_condition(struct sql_reader *p);
struct ast *parse_mysql_declare_cursor(struct sql_reader *p);
struct ast *parse_mysql_handled_condition(struct sql_reader *p); /* what a handler or a condition is for */

/*
 * The body of a routine, trigger or event: one statement of stored programs, which becomes c->query, its span an OPTION
 * "body". Ends where the body ends even when a statement inside could not be read: the whole then fails behind it.
 */
void parse_mysql_body(struct sql_reader *p, struct ast_command *c, struct parse_list *options);
/* MariaDB in sql_mode=ORACLE: fails, the rest of the text being one statement. */
bool parse_mysql_refuse_oracle(struct sql_reader *p);
/* A body between DECLARE or what begins it and END, of a package. */
void parse_mysql_package_body(struct sql_reader *p, struct ast_command *c, struct parse_list *options);

#endif
