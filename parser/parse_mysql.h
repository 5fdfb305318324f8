/*
 * parse_mysql.h - who parses what of MySQL's and MariaDB's own: types, calls, and every statement that is no query.
 *
 * Included by parse_mysql_*.c and parse_load.c; the rest of the parser knows parse_type, parse_special_call,
 * parse_variable and parse_mysql_command of parse.h.
 *
 * Rules as in parse.h: parse_X reads an X that must be there, parse_opt_X gives NULL when there is none. A function
 * named after a verb (parse_mysql_create) is called with p->tok at that verb and reads it too.
 */
#ifndef GILMOK_PARSER_PARSE_MYSQL_H
#define GILMOK_PARSER_PARSE_MYSQL_H

#include "parser/parse.h"

/* ---- types: parse_mysql_type.c --------------------------------------------------------------------------------------- */

/* TYPE of a column, parameter, local variable or RETURNS, with everything that belongs to a type: see its production. */
struct ast *parse_mysql_type(struct sql_reader *p);
/* TYPE behind AS of CAST and behind the comma of CONVERT: fewer and others. */
struct ast *parse_mysql_cast_type(struct sql_reader *p);
/* NAME of a character set, or a LITERAL: a name, a string, BINARY; before MySQL 8 and in MariaDB DEFAULT. */
struct ast *parse_mysql_charset_name(struct sql_reader *p);
/* NAME of a collation: the same. */
struct ast *parse_mysql_collation_name(struct sql_reader *p);
/* At `CHARACTER SET`, `CHAR SET` or `CHARSET`? Reads these words, and no `=`. */
bool parse_mysql_accept_charset(struct sql_reader *p);

/* ---- calls: parse_mysql_call.c --------------------------------------------------------------------------------------- */

/*
 * At a keyword: FUNC, CAST, INTERVAL and their like for a function with syntax of its own, or that a name may not
 * call. NULL when it is none: then nothing was read.
 */
struct ast *parse_mysql_special_call(struct sql_reader *p);
/* The scope that GLOBAL, SESSION, LOCAL, PERSIST or PERSIST_ONLY names; SCOPE_NONE for other words. */
enum ast_scope_op parse_mysql_scope(uint16_t kind);
/* FUNC of JSON_TABLE(...), without the alias: parse_from.c puts it into a TABLE_FUNC. */
struct ast *parse_mysql_json_table(struct sql_reader *p);

/* ---- sessions: parse_mysql_session.c and its like -------------------------------------------------------------------- */

struct ast *parse_mysql_set(struct sql_reader *p);
struct ast *parse_mysql_show(struct sql_reader *p);

/* Words joined to the one OPTION that they name, for options that end there: reads `count` tokens. */
struct ast *parse_mysql_words(struct sql_reader *p, const char *name, unsigned count);
/* OPTION: WAIT n or NOWAIT (MariaDB). NULL when there is none. */
struct ast *parse_mysql_opt_wait(struct sql_reader *p);
/* One object of a command, named by NAMEs: OBJECT around parse_qualified_name. */
struct ast *parse_mysql_object(struct sql_reader *p, enum sql_object object);

/* ---- definitions: parse_mysql_create.c, parse_mysql_alter.c, parse_mysql_routine.c, parse_mysql_grant.c -------------- */

struct ast *parse_mysql_create(struct sql_reader *p);
struct ast *parse_mysql_alter(struct sql_reader *p);
struct ast *parse_mysql_drop(struct sql_reader *p);
struct ast *parse_mysql_rename(struct sql_reader *p);    /* RENAME TABLE, RENAME USER */
struct ast *parse_mysql_truncate(struct sql_reader *p);
struct ast *parse_mysql_grant(struct sql_reader *p);
struct ast *parse_mysql_revoke(struct sql_reader *p);
struct ast *parse_mysql_install(struct sql_reader *p);   /* INSTALL PLUGIN, SONAME, COMPONENT */
struct ast *parse_mysql_uninstall(struct sql_reader *p);

/*
 * COMPOUND: a compound statement outside of a routine, at its BEGIN NOT ATOMIC, IF, CASE, LOOP, WHILE, REPEAT or FOR
 * (MariaDB; sql_mode=ORACLE: also DECLARE and plain BEGIN), or at the label before it.
 */
struct ast *parse_mysql_compound(struct sql_reader *p);
/* At `BEGIN NOT ATOMIC` or another beginning of a compound statement outside of a routine? */
bool parse_mysql_at_compound(struct sql_reader *p);

/*
 * Inside routine bodies (p->routine_depth > 0) parse_statement comes to parse_mysql_command too; what only stands
 * there (DECLARE, LEAVE, ITERATE, RETURN, OPEN, FETCH, CLOSE, labels) is the compound's author's: NULL when it is none.
 */
struct ast *parse_mysql_routine_statement(struct sql_reader *p);

#endif
