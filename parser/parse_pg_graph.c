/*
 * parse_pg_graph.c - property graphs (PostgreSQL 19): CREATE and ALTER PROPERTY GRAPH.
 *
 * A vertex or edge table is an OPTION "vertex" or "edge": its TABLE (with alias), then OPTIONs "key", "source", "destination",
 * "label", "default label", "properties" and their kin.
 */
#include "parser/parse_pg_command.h"

/* ---- labels and properties ------------------------------------------------------------------------------------------- */

/* expression [AS name] */
static struct ast *property(struct sql_reader *p) {
    struct ast_target *t = PARSE_NODE(p, ast_target, TARGET);
    t->expr = parse_expr(p);
    if (parse_accept(p, KW_AS)) t->name = parse_label(p);
    return parse_done(p, t);
}

static struct ast *paren_properties(struct sql_reader *p) {
    return parse_paren_list(p, property);
}

/* [NO PROPERTIES | PROPERTIES ALL COLUMNS | PROPERTIES "(" properties ")"] */
static struct ast *opt_properties(struct sql_reader *p) {
    static const struct parse_pg_phrase forms[] = {
        {.words = {KW_NO, KW_PROPERTIES}, .name = "no properties"},
        {.words = {KW_PROPERTIES, KW_ALL, KW_COLUMNS}, .name = "properties all columns"},
        {.words = {KW_PROPERTIES}, .name = "properties", .value = paren_properties},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, forms);
}

/* name [properties] */
static struct ast *label(struct sql_reader *p) {
    struct ast *name = parse_name(p);
    name->next = opt_properties(p);
    return name;
}

/* [properties | (LABEL name | DEFAULT LABEL) [properties] {...}] */
static struct ast *labels(struct sql_reader *p) {
    static const struct parse_pg_phrase forms[] = {
        {.words = {KW_LABEL}, .name = "label", .value = label},
        {.words = {KW_DEFAULT, KW_LABEL}, .name = "default label", .value = opt_properties},
        {.name = NULL},
    };
    struct ast *properties = opt_properties(p);
    return properties ? properties : parse_pg_phrases(p, forms);
}

/* ---- element tables -------------------------------------------------------------------------------------------------- */

/* table [AS alias] [KEY "(" columns ")"] */
static void element_table(struct sql_reader *p, struct parse_list *l) {
    struct ast *table = parse_table_name(p);
    if (parse_at(p, KW_AS) && !p->failed) {
        parse_advance(p);
        struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
        alias->name = parse_name(p);
        AST_AS(table, TABLE, table)->alias = parse_done(p, alias);
        parse_done(p, table);
    }
    parse_list_add(l, table);
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_KEY, "key", parse_paren_names));
}

/* element table [labels] */
static struct ast *vertex(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct parse_list l;
    parse_list_init(&l);
    element_table(p, &l);
    parse_pg_append(p, &l, labels(p));
    return parse_option(p, start, "vertex", l.first);
}

/* [KEY "(" columns ")" REFERENCES] name ["(" columns ")"] */
static struct ast *edge_end(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    struct ast *key = parse_at(p, KW_KEY) && parse_peek(p, 1) == '(' ? parse_pg_opt_clause(p, KW_KEY, "key", parse_paren_names)
                                                                    : NULL;
    if (key) parse_expect(p, KW_REFERENCES);
    parse_pg_append(p, &l, key);
    parse_list_add(&l, parse_name(p));
    if (key) parse_pg_append(p, &l, parse_paren_names(p));
    return l.first;
}

/* element table SOURCE end DESTINATION end [labels] */
static struct ast *edge(struct sql_reader *p) {
    static const struct parse_pg_phrase source[] = {
        {.words = {KW_SOURCE}, .name = "source", .value = edge_end},
        {.name = NULL},
    };
    static const struct parse_pg_phrase destination[] = {
        {.words = {KW_DESTINATION}, .name = "destination", .value = edge_end},
        {.name = NULL},
    };
    uint32_t start = p->tok.start;
    struct parse_list l;
    parse_list_init(&l);
    element_table(p, &l);
    parse_list_add(&l, parse_pg_phrase(p, source));
    parse_list_add(&l, parse_pg_phrase(p, destination));
    parse_pg_append(p, &l, labels(p));
    return parse_option(p, start, "edge", l.first);
}

static bool at_vertices(const struct sql_reader *p) {
    return parse_at(p, KW_VERTEX) || parse_at(p, KW_NODE);
}

static bool at_edges(const struct sql_reader *p) {
    return parse_at(p, KW_EDGE) || parse_at(p, KW_RELATIONSHIP);
}

/* [(VERTEX | NODE) TABLES "(" vertices ")"] [(EDGE | RELATIONSHIP) TABLES "(" edges ")"] */
static struct ast *element_tables(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    if (at_vertices(p)) {
        parse_advance(p);
        parse_expect(p, KW_TABLES);
        parse_pg_append(p, &l, parse_paren_list(p, vertex));
    }
    if (at_edges(p)) {
        parse_advance(p);
        parse_expect(p, KW_TABLES);
        parse_pg_append(p, &l, parse_paren_list(p, edge));
    }
    return l.first;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* PROPERTY GRAPH name element tables */
void parse_pg_create_graph(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_object(p, SQL_OBJECT_PROPERTY_GRAPH, parse_pg_relation_name(p));
    c->elements = element_tables(p);
}

/* ADD LABEL name [properties] {...} | DROP LABEL name | ALTER LABEL name (ADD PROPERTIES "(" ... ")" | DROP PROPERTIES "("
   names ")"), drops with [CASCADE | RESTRICT] */
static struct ast *label_changes(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase adds[] = {
        {.words = {KW_ADD, KW_LABEL}, .name = "add label", .value = label},
        {.name = NULL},
    };
    static const struct parse_pg_phrase others[] = {
        {.words = {KW_DROP, KW_LABEL}, .name = "drop label", .value = parse_name},
        {.words = {KW_ALTER, KW_LABEL}, .name = "alter label", .value = parse_name},
        {.name = NULL},
    };
    static const struct parse_pg_phrase properties[] = {
        {.words = {KW_ADD, KW_PROPERTIES}, .name = "add properties", .value = paren_properties},
        {.words = {KW_DROP, KW_PROPERTIES}, .name = "drop properties", .value = parse_paren_names},
        {.name = NULL},
    };
    struct ast *changes = parse_pg_phrases(p, adds);
    if (changes) return changes;
    bool is_alter = parse_at(p, KW_ALTER);
    changes = parse_pg_phrase(p, others);
    bool is_drop = !is_alter || parse_at(p, KW_DROP);
    if (is_alter) changes->next = parse_pg_phrase(p, properties);
    if (is_drop) c->node.flags |= parse_pg_opt_behavior(p);
    return changes;
}

/* ADD element tables | DROP (VERTEX | NODE | EDGE | RELATIONSHIP) TABLES "(" names ")" [CASCADE | RESTRICT]
   | ALTER (VERTEX | NODE | EDGE | RELATIONSHIP) TABLE name label changes */
void parse_pg_alter_graph(struct sql_reader *p, struct ast_command *c) {
    uint32_t start = p->tok.start;
    if (c->node.flags & AST_COMMAND_IF_EXISTS) parse_fail(p, "IF EXISTS is not for this action");
    if (parse_accept(p, KW_ADD)) {
        c->elements = parse_option(p, start, "add", element_tables(p));
        return;
    }
    bool is_drop = parse_accept(p, KW_DROP);
    if (!is_drop) parse_expect(p, KW_ALTER);
    if (!at_vertices(p) && !at_edges(p)) parse_fail(p, "VERTEX or EDGE is expected here");
    bool is_vertex = at_vertices(p);
    parse_advance(p);
    parse_expect(p, is_drop ? KW_TABLES : KW_TABLE);
    if (is_drop) {
        c->elements = parse_option(p, start, is_vertex ? "drop vertex tables" : "drop edge tables", parse_paren_names(p));
        c->node.flags |= parse_pg_opt_behavior(p);
    } else {
        struct ast *name = parse_name(p);
        name->next = label_changes(p, c);
        c->elements = parse_option(p, start, is_vertex ? "alter vertex table" : "alter edge table", name);
    }
}
