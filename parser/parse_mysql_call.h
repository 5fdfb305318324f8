/*
 * parse_mysql_call.h - one row for each function of MySQL whose name is a word of the grammar: who reads it, and how it is written.
 */
#ifndef GILMOK_PARSER_PARSE_MYSQL_CALL_H
#define GILMOK_PARSER_PARSE_MYSQL_CALL_H

#include "parser/parse_mysql.h"

enum { MYSQL_CALL_ANY = 255 };

enum mysql_call_flag {
    MYSQL_CALL_ADJACENT = 1 << 0,         /* only with the parenthesis right behind it; otherwise an ordinary name */
    MYSQL_CALL_ADJACENT_MARIADB = 1 << 1, /* ... in MariaDB; a reserved word in MySQL */
    MYSQL_CALL_ADJACENT_MYSQL = 1 << 2,   /* ... in MySQL */
    MYSQL_CALL_BARE = 1 << 3,             /* also, or only, without parentheses */
    MYSQL_CALL_LITERAL = 1 << 4,          /* a string may follow: DATE '2020-02-02' */
    MYSQL_CALL_MARIADB = 1 << 5,          /* only there; in MySQL an ordinary name */
    MYSQL_CALL_DISTINCT = 1 << 6,         /* f(DISTINCT a) */
    MYSQL_CALL_ALL = 1 << 7,              /* f(ALL a) */
};

struct mysql_call;
typedef struct ast *mysql_call_read(struct sql_reader *p, const struct mysql_call *c);

struct mysql_call {
    mysql_call_read *read; /* at the word; NULL for words that are no function */
    uint8_t min, max;      /* of arguments, where the reader asks; MYSQL_CALL_ANY: without end */
    uint16_t flags;        /* enum mysql_call_flag */
};

/* word "(": the FUNC, with its name */
struct ast_func *parse_mysql_call_start(struct sql_reader *p);
/* ")" */
struct ast *parse_mysql_call_end(struct sql_reader *p, struct ast_func *f);

/* parse_mysql_aggregate.c */
mysql_call_read parse_mysql_aggregate;
mysql_call_read parse_mysql_count;
mysql_call_read parse_mysql_group_concat;
mysql_call_read parse_mysql_json_objectagg;
mysql_call_read parse_mysql_window_call;
mysql_call_read parse_mysql_last_value;
mysql_call_read parse_mysql_percentile;

/* parse_mysql_json.c */
mysql_call_read parse_mysql_json_value;

#endif
