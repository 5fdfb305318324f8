/*
 * parse_pg_index.c - CREATE INDEX and statistics.
 */
#include "parser/parse_pg.h"

/* NULLS FIRST, NULLS LAST: `nulls` is a name anywhere else */
static bool at_nulls_order(struct sql_reader *p) {
    return parse_at(p, KW_NULLS) && (parse_peek(p, 1) == KW_FIRST || parse_peek(p, 1) == KW_LAST);
}

/* column | function call | "(" expression ")" */
struct ast *parse_pg_key_expr(struct sql_reader *p) {
    if (parse_at(p, '(')) return parse_pg_paren_expr(p);
    uint16_t next = parse_peek(p, 1);
    if (parse_at_name(p) && next != '(' && next != '.' && !at_nulls_order(p)) return parse_column(p);
    return parse_func_primary(p);
}

/* key [COLLATE name] [operator class ["(" parameters ")"]] [ASC | DESC] [NULLS FIRST | NULLS LAST] */
struct ast *parse_pg_index_element(struct sql_reader *p) {
    struct ast_sort *s = PARSE_NODE(p, ast_sort, SORT);
    s->expr = parse_pg_key_expr(p);
    s->collation = parse_pg_opt_collate(p);
    if (parse_at_name(p) && !at_nulls_order(p)) {
        s->opclass = parse_qualified_name(p);
        if (parse_at(p, '(')) s->options = parse_pg_reloptions(p);
    }
    if (parse_accept(p, KW_ASC)) s->node.flags |= AST_SORT_ASC;
    else if (parse_accept(p, KW_DESC)) s->node.flags |= AST_SORT_DESC;
    if (parse_accept2(p, KW_NULLS, KW_FIRST)) s->node.flags |= AST_SORT_NULLS_FIRST;
    else if (parse_accept2(p, KW_NULLS, KW_LAST)) s->node.flags |= AST_SORT_NULLS_LAST;
    return parse_done(p, s);
}

static struct ast *index_elements(struct sql_reader *p) {
    return parse_paren_list(p, parse_pg_index_element);
}

/*
 * [UNIQUE] INDEX [CONCURRENTLY] [[IF NOT EXISTS] name] ON table [USING method] "(" elements ")" [INCLUDE "(" elements ")"]
 *   [NULLS [NOT] DISTINCT] [WITH "(" parameters ")"] [TABLESPACE name] [WHERE condition]
 *
 * objects: the INDEX, its names NULL when it has none, on the TABLE. elements: SORTs. args: the condition of WHERE.
 */
void parse_pg_create_index(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    if (parse_accept(p, KW_CONCURRENTLY)) c->node.flags |= AST_COMMAND_CONCURRENTLY;
    parse_pg_opt_if_not_exists(p, c);
    struct ast_object *index = PARSE_NODE(p, ast_object, OBJECT);
    index->node.op = SQL_OBJECT_INDEX;
    if (!parse_at(p, KW_ON) || (c->node.flags & AST_COMMAND_IF_NOT_EXISTS)) index->names = parse_name(p);
    parse_expect(p, KW_ON);
    index->on = parse_relation(p);
    c->objects = parse_done(p, index);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_USING, "using", parse_name));
    c->elements = index_elements(p);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_INCLUDE, "include", index_elements));
    parse_pg_append(p, &l, parse_pg_opt_nulls_distinct(p));
    parse_pg_append(p, &l, parse_pg_opt_reloptions(p));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_TABLESPACE, "tablespace", parse_name));
    c->args = parse_opt_where(p);
    c->options = l.first;
}

/*
 * STATISTICS [IF NOT EXISTS] name ["(" kinds ")"] ON key {"," key} FROM tables; PostgreSQL 16: the name may be absent
 *
 * objects: the STATISTICS, if they have a name. args: NAMEs of kinds. elements: keys. options: "from" with table references.
 */
void parse_pg_create_statistics(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_not_exists(p, c);
    bool is_nameless = parse_is_pg(p, 160000) && !(c->node.flags & AST_COMMAND_IF_NOT_EXISTS) &&
                       (parse_at(p, '(') || parse_at(p, KW_ON));
    if (!is_nameless) c->objects = parse_pg_qualified(p, SQL_OBJECT_STATISTICS);
    c->args = parse_opt_paren_names(p);
    parse_expect(p, KW_ON);
    c->elements = parse_comma_list(p, parse_pg_key_expr);
    c->options = parse_pg_clause(p, KW_FROM, "from", parse_from_list);
}

/* name SET STATISTICS integer; PostgreSQL 17: or DEFAULT */
void parse_pg_alter_statistics(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_SET, KW_STATISTICS}, .name = "set statistics", .value = parse_pg_int_or_default},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}
