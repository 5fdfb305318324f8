/*
 * parse_pg_publication.c - logical replication: publications and subscriptions.
 */
#include "parser/parse_pg.h"

/* ---- what is published ----------------------------------------------------------------------------------------------- */

enum publishing {
    PUBLISH_NOTHING, /* neither TABLE nor TABLES IN SCHEMA has been said yet */
    PUBLISH_TABLES,
    PUBLISH_SCHEMAS,
};

/* relation ["(" columns ")"] [WHERE "(" condition ")"]: OPTION "table" with the TABLE, then OPTIONs "columns" and "where" */
static struct ast *published_table(struct sql_reader *p, uint32_t start) {
    struct parse_list l;
    parse_list_init(&l);
    parse_list_add(&l, parse_relation(p));
    uint32_t at = p->tok.start;
    if (parse_at(p, '(')) parse_list_add(&l, parse_option(p, at, "columns", parse_paren_names(p)));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_WHERE, "where", parse_pg_paren_expr));
    return parse_option(p, start, "table", l.first);
}

/* name | CURRENT_SCHEMA */
static struct ast *published_schema(struct sql_reader *p, uint32_t start) {
    struct ast *name = parse_at(p, KW_CURRENT_SCHEMA) ? parse_name_of_token(p) : parse_name(p);
    return parse_option(p, start, "tables in schema", name);
}

/* TABLE table | TABLES IN SCHEMA schema | one more of what came last */
static struct ast *published_object(struct sql_reader *p, enum publishing *what) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_TABLE)) *what = PUBLISH_TABLES;
    else if (parse_accept3(p, KW_TABLES, KW_IN, KW_SCHEMA)) *what = PUBLISH_SCHEMAS;
    if (*what == PUBLISH_NOTHING) parse_fail(p, "TABLE or TABLES IN SCHEMA is expected here");
    return *what == PUBLISH_SCHEMAS ? published_schema(p, start) : published_table(p, start);
}

static struct ast *published_objects(struct sql_reader *p) {
    enum publishing what = PUBLISH_NOTHING;
    struct parse_list l;
    parse_list_init(&l);
    do parse_list_add(&l, published_object(p, &what));
    while (parse_accept(p, ','));
    return l.first;
}

/* [TABLE] relation */
static struct ast *excepted_table(struct sql_reader *p) {
    parse_accept(p, KW_TABLE);
    return parse_relation(p);
}

/* "(" TABLE relation {"," [TABLE] relation} ")" */
static struct ast *excepted_tables(struct sql_reader *p) {
    if (parse_peek(p, 1) != KW_TABLE) parse_fail(p, "tables are expected here");
    return parse_paren_list(p, excepted_table);
}

/* ALL TABLES; PostgreSQL 19: [EXCEPT "(" tables ")"] */
static struct ast *opt_except(struct sql_reader *p) {
    static const struct parse_pg_phrase except[] = {
        {.words = {KW_EXCEPT}, .name = "except", .value = excepted_tables, .since = 190000},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, except);
}

/* ALL TABLES | ALL SEQUENCES: PostgreSQL 19 */
static struct ast *published_all(struct sql_reader *p) {
    static const struct parse_pg_phrase alls[] = {
        {.words = {KW_ALL, KW_TABLES}, .name = "all tables", .value = opt_except},
        {.words = {KW_ALL, KW_SEQUENCES}, .name = "all sequences", .since = 190000},
        {.name = NULL},
    };
    return parse_pg_phrase(p, alls);
}

/* all {"," all}: PostgreSQL 19; one before */
static struct ast *published_alls(struct sql_reader *p) {
    return parse_is_pg(p, 190000) ? parse_comma_list(p, published_all) : published_all(p);
}

/* ---- publications ---------------------------------------------------------------------------------------------------- */

/*
 * PUBLICATION name [FOR (ALL TABLES | objects)] [WITH definition]
 *
 * objects: the PUBLICATION. elements: OPTIONs "table", "tables in schema", "all tables", "all sequences". options: "with".
 */
void parse_pg_create_publication(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_pg_named(p, SQL_OBJECT_PUBLICATION);
    if (parse_accept(p, KW_FOR)) c->elements = parse_at(p, KW_ALL) ? published_alls(p) : published_objects(p);
    c->options = parse_pg_opt_definition(p);
}

static struct ast *set_published(struct sql_reader *p) {
    if (parse_at(p, '(')) return parse_pg_definition(p);
    return parse_at(p, KW_ALL) && parse_is_pg(p, 190000) ? published_alls(p) : published_objects(p);
}

/* SET definition | (ADD | SET | DROP) objects; PostgreSQL 19: SET all */
void parse_pg_alter_publication(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD}, .name = "add", .value = published_objects},
        {.words = {KW_SET}, .name = "set", .value = set_published},
        {.words = {KW_DROP}, .name = "drop", .value = published_objects},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- subscriptions --------------------------------------------------------------------------------------------------- */

/* CONNECTION string | SERVER name: PostgreSQL 19 */
static const struct parse_pg_phrase sources[] = {
    {.words = {KW_CONNECTION}, .name = "connection", .value = parse_string},
    {.words = {KW_SERVER}, .name = "server", .value = parse_name, .since = 190000},
    {.name = NULL},
};

/* SUBSCRIPTION name source PUBLICATION names [WITH definition] */
void parse_pg_create_subscription(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_pg_named(p, SQL_OBJECT_SUBSCRIPTION);
    struct ast *source = parse_pg_phrase(p, sources);
    source->next = parse_pg_clause(p, KW_PUBLICATION, "publication", parse_name_list);
    c->elements = source;
    c->options = parse_pg_opt_definition(p);
}

/* SET definition | source | (ADD | DROP | SET) PUBLICATION names [WITH definition] | REFRESH PUBLICATION [WITH definition]
   | ENABLE | DISABLE | SKIP definition | REFRESH SEQUENCES: PostgreSQL 19 */
void parse_pg_alter_subscription(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase changes[] = {
        {.words = {KW_ADD, KW_PUBLICATION}, .name = "add publication", .value = parse_name_list},
        {.words = {KW_DROP, KW_PUBLICATION}, .name = "drop publication", .value = parse_name_list},
        {.words = {KW_SET, KW_PUBLICATION}, .name = "set publication", .value = parse_name_list},
        {.words = {KW_REFRESH, KW_PUBLICATION}, .name = "refresh publication"},
        {.name = NULL},
    };
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_SET}, .name = "set", .value = parse_pg_definition},
        {.words = {KW_SKIP}, .name = "skip", .value = parse_pg_definition},
        {.words = {KW_REFRESH, KW_SEQUENCES}, .name = "refresh sequences", .since = 190000},
        {.words = {KW_ENABLE}, .name = "enable"},
        {.words = {KW_DISABLE}, .name = "disable"},
        {.name = NULL},
    };
    c->elements = parse_pg_opt_phrase(p, changes);
    if (c->elements) {
        c->options = parse_pg_opt_definition(p);
        return;
    }
    c->elements = parse_pg_opt_phrase(p, sources);
    if (!c->elements) c->elements = parse_pg_phrase(p, actions);
}
