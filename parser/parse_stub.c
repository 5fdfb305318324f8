#include "parser/parse_mysql.h"
#include "parser/parse_pg.h"
#define STUB(n) __attribute__((weak)) struct ast *n(struct sql_reader *p); __attribute__((weak)) struct ast *n(struct sql_reader *p) { parse_fail(p, "stub"); return parse_node_failed(p, AST_COMMAND); }

STUB(parse_mysql_command) STUB(parse_load) 
