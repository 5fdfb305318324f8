/*
 * parse_mysql_command.h - the readers of single statements that parse_mysql_command.c chooses from.
 *
 * Each is called with p->tok at the statement's first word and reads all of it.
 */
#ifndef GILMOK_PARSER_PARSE_MYSQL_COMMAND_H
#define GILMOK_PARSER_PARSE_MYSQL_COMMAND_H

#include "parser/parse_mysql_ddl.h"

/* parse_mysql_transaction.c */
parse_function parse_mysql_start_transaction;
parse_function parse_mysql_begin;
parse_function parse_mysql_commit;
parse_function parse_mysql_rollback;
parse_function parse_mysql_savepoint;
parse_function parse_mysql_release;
parse_function parse_mysql_xa;
parse_function parse_mysql_lock;
parse_function parse_mysql_unlock;

/* parse_mysql_show.c */
parse_function parse_mysql_describe; /* DESCRIBE, DESC, EXPLAIN, and MariaDB's ANALYZE of a statement */
/* May what EXPLAIN explains begin with this word? */
bool parse_mysql_is_explainable(uint16_t kind);

/* parse_mysql_admin.c */
parse_function parse_mysql_flush;
parse_function parse_mysql_reset;
parse_function parse_mysql_purge;
parse_function parse_mysql_kill;
parse_function parse_mysql_binlog;
parse_function parse_mysql_backup;
parse_function parse_mysql_shutdown;
parse_function parse_mysql_clone;
parse_function parse_mysql_import;

/* parse_mysql_replica.c */
parse_function parse_mysql_change;
parse_function parse_mysql_start_stop; /* START and STOP of replication */

/* parse_mysql_maintain.c */
parse_function parse_mysql_analyze_table;
parse_function parse_mysql_check_table; /* CHECK and CHECKSUM */
parse_function parse_mysql_optimize;
parse_function parse_mysql_repair;
parse_function parse_mysql_cache_index;
parse_function parse_mysql_load_index;
parse_function parse_mysql_handler;

/* [ LIKE string | WHERE expr ]: an OPTION "like" or "where" */
struct ast *parse_mysql_opt_filter(struct sql_reader *p);
/* [ FOR CHANNEL string ]: an OPTION */
struct ast *parse_mysql_opt_channel(struct sql_reader *p);
/* [ LOCAL | NO_WRITE_TO_BINLOG ] */
void parse_mysql_opt_no_binlog(struct sql_reader *p, struct ast_command *c);

#endif
