/*
 * parse_pg_view.c - CREATE VIEW and CREATE MATERIALIZED VIEW.
 *
 * objects: the TABLE. args: NAMEs of columns. query: what it shows. options: "with", "using", "tablespace", the check option.
 */
#include "parser/parse_pg.h"

/* [WITH [CASCADED | LOCAL] CHECK OPTION] */
static struct ast *check_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_WITH, KW_CHECK, KW_OPTION}, .name = "with check option"},
        {.words = {KW_WITH, KW_CASCADED, KW_CHECK, KW_OPTION}, .name = "with cascaded check option"},
        {.words = {KW_WITH, KW_LOCAL, KW_CHECK, KW_OPTION}, .name = "with local check option"},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, options);
}

/* [RECURSIVE] VIEW name ["(" columns ")"] [WITH "(" parameters ")"] AS query [check option]; recursive ones name their
   columns and have no check option */
void parse_pg_create_view(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    bool is_recursive = c->node.flags & AST_COMMAND_RECURSIVE;
    c->objects = parse_table_name(p);
    c->args = is_recursive ? parse_paren_names(p) : parse_opt_paren_names(p);
    parse_pg_append(p, &l, parse_pg_opt_reloptions(p));
    parse_expect(p, KW_AS);
    c->query = parse_query(p);
    if (!is_recursive) parse_pg_append(p, &l, check_option(p));
    c->options = l.first;
}

/* MATERIALIZED VIEW [IF NOT EXISTS] name ["(" columns ")"] [USING method] [WITH "(" parameters ")"] [TABLESPACE name]
   AS query [WITH [NO] DATA] */
void parse_pg_create_materialized_view(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->node.flags |= AST_COMMAND_MATERIALIZED;
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_table_name(p);
    c->args = parse_opt_paren_names(p);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_USING, "using", parse_name));
    parse_pg_append(p, &l, parse_pg_opt_reloptions(p));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_TABLESPACE, "tablespace", parse_name));
    parse_expect(p, KW_AS);
    c->query = parse_query(p);
    parse_pg_append(p, &l, parse_pg_with_data(p, c));
    c->options = l.first;
}
