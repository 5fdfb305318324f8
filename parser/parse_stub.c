#include "parser/parse_mysql.h"
#include "parser/parse_pg.h"
#define STUB(n) __attribute__((weak)) struct ast *n(struct sql_reader *p); __attribute__((weak)) struct ast *n(struct sql_reader *p) { parse_fail(p, "stub"); return parse_node_failed(p, AST_COMMAND); }
STUB(parse_pg_create) STUB(parse_pg_alter) STUB(parse_pg_drop) STUB(parse_pg_comment) STUB(parse_pg_security_label) STUB(parse_pg_reassign)
STUB(parse_pg_truncate) STUB(parse_pg_import) STUB(parse_mysql_command) STUB(parse_load) STUB(parse_pg_index_element)
__attribute__((weak)) struct ast *parse_pg_routine_signature(struct sql_reader *p, enum sql_object object) { (void)object; parse_fail(p, "stub"); return parse_node_failed(p, AST_OBJECT); }
