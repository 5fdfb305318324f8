/*
 * parse_pg_maintain.c - PostgreSQL's maintenance: VACUUM, ANALYZE, CLUSTER, REPACK, REINDEX, REFRESH MATERIALIZED VIEW.
 */
#include "parser/parse_pg_command.h"

/* relation [ "(" names ")" ], since 18 with ONLY and "*". TABLE; the columns are those of its ALIAS, which has no name. */
static struct ast *parse_maintained(struct sql_reader *p) {
    struct ast *node = parse_is_pg(p, 180000) ? parse_relation(p) : parse_table_name(p);
    if (!parse_at(p, '(')) return node;
    struct ast_alias *columns = PARSE_NODE(p, ast_alias, ALIAS);
    columns->columns = parse_paren_names(p);
    parse_done(p, columns);
    if (!p->failed) AST_AS(table, TABLE, node)->alias = &columns->node;
    return parse_done(p, node);
}

/* [ relation { "," relation } ] */
static struct ast *parse_opt_maintained_list(struct sql_reader *p) {
    return parse_at_name(p) || parse_at(p, KW_ONLY) ? parse_comma_list(p, parse_maintained) : NULL;
}

static void add_flag(struct sql_reader *p, struct parse_list *options, uint16_t kind, const char *name) {
    struct ast *flag = parse_pg_opt_flag(p, kind, name);
    if (flag) parse_list_add(options, flag);
}

/*
 * VACUUM ( "(" options ")" | [ FULL ] [ FREEZE ] [ VERBOSE ] [ ANALYZE ] ) [ relations ]
 * objects: TABLEs; options: OPTIONs.
 */
struct ast *parse_pg_vacuum(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_VACUUM, SQL_OBJECT_NONE);
    parse_advance(p);
    c->options = parse_pg_opt_utility_options(p);
    if (!c->options) {
        struct parse_list options;
        parse_list_init(&options);
        add_flag(p, &options, KW_FULL, "full");
        add_flag(p, &options, KW_FREEZE, "freeze");
        add_flag(p, &options, KW_VERBOSE, "verbose");
        add_flag(p, &options, parse_at(p, KW_ANALYSE) ? KW_ANALYSE : KW_ANALYZE, "analyze");
        c->options = options.first;
    }
    c->objects = parse_opt_maintained_list(p);
    return parse_done(p, c);
}

/* ( ANALYZE | ANALYSE ) ( "(" options ")" | [ VERBOSE ] ) [ relations ] */
struct ast *parse_pg_analyze(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_ANALYZE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->options = parse_at(p, '(') ? parse_pg_utility_options(p) : parse_pg_opt_flag(p, KW_VERBOSE, "verbose");
    c->objects = parse_opt_maintained_list(p);
    return parse_done(p, c);
}

static struct ast *parse_index_name(struct sql_reader *p) {
    return parse_object(p, SQL_OBJECT_INDEX, parse_name(p));
}

/*
 * CLUSTER [ "(" options ")" | VERBOSE ] [ table [ USING index ] ] | CLUSTER [ VERBOSE ] index ON table
 * objects: TABLE; args: OBJECT of the index; options: OPTIONs. Before 17, options in parentheses come with a table.
 */
struct ast *parse_pg_cluster(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CLUSTER, SQL_OBJECT_NONE);
    parse_advance(p);
    bool has_parens = parse_at(p, '(');
    c->options = has_parens ? parse_pg_utility_options(p) : parse_pg_opt_flag(p, KW_VERBOSE, "verbose");
    bool must_have_table = has_parens && !parse_is_pg(p, 170000);
    if (!must_have_table && !parse_at_name(p)) return parse_done(p, c);
    if (!has_parens && parse_peek(p, 1) == KW_ON) {
        c->args = parse_index_name(p);
        parse_advance(p);
        c->objects = parse_table_name(p);
    } else {
        c->objects = parse_table_name(p);
        if (parse_accept(p, KW_USING)) c->args = parse_index_name(p);
    }
    return parse_done(p, c);
}

/*
 * REPACK [ "(" options ")" ] [ relation ] [ USING INDEX [ index ] ] (19)
 * objects: TABLE; args: OBJECT of the index; options: OPTIONs, one of them "using index".
 */
struct ast *parse_pg_repack(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_REPACK, SQL_OBJECT_NONE);
    struct parse_list options;
    parse_list_init(&options);
    parse_advance(p);
    struct ast *list = parse_pg_opt_utility_options(p);
    for (; list && !p->failed; list = list->next) parse_list_add(&options, list);
    if (parse_at_name(p) || parse_at(p, KW_ONLY)) c->objects = parse_maintained(p);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_USING)) {
        parse_expect(p, KW_INDEX);
        parse_list_add(&options, parse_option(p, start, "using index", NULL));
        if (c->objects && parse_at_name(p)) c->args = parse_index_name(p);
    }
    c->options = options.first;
    return parse_done(p, c);
}

/*
 * ( INDEX | TABLE | SCHEMA ) [ CONCURRENTLY ] name | ( DATABASE | SYSTEM ) [ CONCURRENTLY ] name, which 16 may leave out
 * TABLE, or an OBJECT that begins at its kind's word.
 */
static struct ast *parse_reindexed(struct sql_reader *p, struct ast_command *c) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    uint16_t kind = p->tok.kind;
    parse_advance(p);
    if (parse_accept(p, KW_CONCURRENTLY)) c->node.flags |= AST_COMMAND_CONCURRENTLY;
    bool may_be_bare = parse_is_pg(p, 160000) && !parse_at_name(p);
    switch (kind) {
    case KW_TABLE: return parse_table_name(p);
    case KW_INDEX: o->node.op = SQL_OBJECT_INDEX; break;
    case KW_SCHEMA: o->node.op = SQL_OBJECT_SCHEMA; break;
    case KW_DATABASE: o->node.op = SQL_OBJECT_DATABASE; break;
    default: o->node.op = SQL_OBJECT_SYSTEM; break;
    }
    if (kind == KW_INDEX) o->names = parse_pg_relation_name(p);
    else if (kind == KW_SCHEMA || !may_be_bare) o->names = parse_name(p);
    return parse_done(p, o);
}

/*
 * REINDEX [ "(" options ")" ] target
 * objects: TABLE, or an OBJECT that says which kind; options: OPTIONs; AST_COMMAND_CONCURRENTLY.
 */
struct ast *parse_pg_reindex(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_REINDEX, SQL_OBJECT_NONE);
    parse_advance(p);
    c->options = parse_pg_opt_utility_options(p);
    switch (p->tok.kind) {
    case KW_DATABASE:
    case KW_INDEX:
    case KW_SCHEMA:
    case KW_SYSTEM:
    case KW_TABLE: c->objects = parse_reindexed(p, c); break;
    default: parse_fail(p, "syntax error: expected INDEX, TABLE, SCHEMA, DATABASE or SYSTEM"); break;
    }
    return parse_done(p, c);
}

/* REFRESH MATERIALIZED VIEW [ CONCURRENTLY ] name [ WITH [ NO ] DATA ]. objects: OBJECT. */
struct ast *parse_pg_refresh(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_REFRESH, SQL_OBJECT_MATERIALIZED_VIEW);
    parse_expect(p, KW_REFRESH);
    parse_expect(p, KW_MATERIALIZED);
    parse_expect(p, KW_VIEW);
    if (parse_accept(p, KW_CONCURRENTLY)) c->node.flags |= AST_COMMAND_CONCURRENTLY;
    c->objects = parse_object(p, SQL_OBJECT_MATERIALIZED_VIEW, parse_pg_relation_name(p));
    if (parse_accept(p, KW_WITH)) {
        if (parse_accept(p, KW_NO)) c->node.flags |= AST_COMMAND_NO_DATA;
        parse_expect(p, KW_DATA);
    }
    return parse_done(p, c);
}
