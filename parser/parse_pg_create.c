/*
 * parse_pg_create.c - CREATE: the words before the object, which reads which, and the objects with few options of their own.
 */
#include "parser/parse_pg_command.h"

/* ---- what is small --------------------------------------------------------------------------------------------------- */

/* SEQUENCE [IF NOT EXISTS] name {option} */
static void create_sequence(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_object(p, SQL_OBJECT_SEQUENCE, parse_pg_relation_name(p));
    c->options = parse_pg_sequence_options(p);
}

/* What may stand inside CREATE SCHEMA. */
static bool is_schema_element(const struct sql_reader *p, const struct ast_command *c) {
    switch (c->object) {
    case SQL_OBJECT_TABLE: case SQL_OBJECT_INDEX: case SQL_OBJECT_SEQUENCE: case SQL_OBJECT_TRIGGER: case SQL_OBJECT_VIEW:
        return true;
    case SQL_OBJECT_FUNCTION: case SQL_OBJECT_PROCEDURE: case SQL_OBJECT_AGGREGATE: case SQL_OBJECT_OPERATOR:
    case SQL_OBJECT_TYPE: case SQL_OBJECT_DOMAIN: case SQL_OBJECT_COLLATION: case SQL_OBJECT_TEXT_SEARCH_PARSER:
    case SQL_OBJECT_TEXT_SEARCH_DICTIONARY: case SQL_OBJECT_TEXT_SEARCH_TEMPLATE: case SQL_OBJECT_TEXT_SEARCH_CONFIGURATION:
        return parse_is_pg(p, 190000);
    default: return false;
    }
}

/* CREATE ... | GRANT privileges ... */
static struct ast *schema_element(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *element = parse_at(p, KW_GRANT) ? parse_pg_grant(p) : parse_pg_create(p);
    if (p->failed) return element;
    const struct ast_command *c = AST_AS(command, COMMAND, element);
    bool is_element = c->node.op == SQL_GRANT ? c->object != SQL_OBJECT_ROLE : is_schema_element(p, c);
    if (!is_element) parse_fail_at(p, start, "no such statement inside CREATE SCHEMA");
    return element;
}

/*
 * SCHEMA ([IF NOT EXISTS] name [AUTHORIZATION role] | [IF NOT EXISTS] AUTHORIZATION role) {element}
 *
 * objects: the SCHEMA; none when it is called like the role. options: "authorization". elements: COMMANDs.
 */
static void create_schema(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_opt_if_not_exists(p, c);
    if (!parse_at(p, KW_AUTHORIZATION)) c->objects = parse_pg_named(p, SQL_OBJECT_SCHEMA);
    c->options = parse_pg_opt_clause(p, KW_AUTHORIZATION, "authorization", parse_role);
    bool is_element = parse_at(p, KW_CREATE) || parse_at(p, KW_GRANT);
    if (is_element && c->node.flags & AST_COMMAND_IF_NOT_EXISTS) parse_fail(p, "IF NOT EXISTS is for schemas without elements");
    parse_enter(p);
    while (parse_at(p, KW_CREATE) || parse_at(p, KW_GRANT)) parse_list_add(&l, schema_element(p));
    parse_leave(p);
    c->elements = l.first;
}

/* ---- what is created, and what may stand before it ------------------------------------------------------------------- */

enum {
    OR_REPLACE = AST_COMMAND_OR_REPLACE,
    TEMPORARY = AST_COMMAND_TEMPORARY,
    UNLOGGED = AST_COMMAND_UNLOGGED,
};

struct created {
    uint16_t words[4];
    uint16_t object;
    uint32_t may;  /* flags of what may stand before the words */
    uint32_t sets; /* flags that the words mean */
    const char *option; /* the OPTION that the first word is, or NULL */
    parse_pg_rest *rest;
};

#define CREATED(object, may, rest, ...) {{__VA_ARGS__}, SQL_OBJECT_##object, (may), 0, NULL, (rest)}

static const struct created creations[] = {
    CREATED(TABLE, TEMPORARY | UNLOGGED, parse_pg_create_table, KW_TABLE),
    CREATED(VIEW, OR_REPLACE | TEMPORARY | UNLOGGED, parse_pg_create_view, KW_VIEW),
    {{KW_RECURSIVE, KW_VIEW}, SQL_OBJECT_VIEW, OR_REPLACE | TEMPORARY | UNLOGGED, AST_COMMAND_RECURSIVE, NULL,
     parse_pg_create_view},
    CREATED(MATERIALIZED_VIEW, UNLOGGED, parse_pg_create_materialized_view, KW_MATERIALIZED, KW_VIEW),
    CREATED(SEQUENCE, TEMPORARY | UNLOGGED, create_sequence, KW_SEQUENCE),
    CREATED(INDEX, 0, parse_pg_create_index, KW_INDEX),
    {{KW_UNIQUE, KW_INDEX}, SQL_OBJECT_INDEX, 0, AST_COMMAND_UNIQUE, NULL, parse_pg_create_index},
    CREATED(FUNCTION, OR_REPLACE, parse_pg_create_routine, KW_FUNCTION),
    CREATED(PROCEDURE, OR_REPLACE, parse_pg_create_routine, KW_PROCEDURE),
    CREATED(AGGREGATE, OR_REPLACE, parse_pg_create_aggregate, KW_AGGREGATE),
    CREATED(TRIGGER, OR_REPLACE, parse_pg_create_trigger, KW_TRIGGER),
    {{KW_CONSTRAINT, KW_TRIGGER}, SQL_OBJECT_TRIGGER, 0, 0, "constraint", parse_pg_create_trigger},
    CREATED(EVENT_TRIGGER, 0, parse_pg_create_event_trigger, KW_EVENT, KW_TRIGGER),
    CREATED(RULE, OR_REPLACE, parse_pg_create_rule, KW_RULE),
    CREATED(POLICY, 0, parse_pg_create_policy, KW_POLICY),
    CREATED(SCHEMA, 0, create_schema, KW_SCHEMA),
    CREATED(TYPE, 0, parse_pg_create_type, KW_TYPE),
    CREATED(DOMAIN, 0, parse_pg_create_domain, KW_DOMAIN),
    CREATED(COLLATION, 0, parse_pg_create_collation, KW_COLLATION),
    CREATED(STATISTICS, 0, parse_pg_create_statistics, KW_STATISTICS),
    CREATED(OPERATOR_CLASS, 0, parse_pg_create_operator_class, KW_OPERATOR, KW_CLASS),
    CREATED(OPERATOR_FAMILY, 0, parse_pg_create_operator_family, KW_OPERATOR, KW_FAMILY),
    CREATED(OPERATOR, 0, parse_pg_create_operator, KW_OPERATOR),
    CREATED(CAST, 0, parse_pg_create_cast, KW_CAST),
    CREATED(TRANSFORM, OR_REPLACE, parse_pg_create_transform, KW_TRANSFORM),
    CREATED(TEXT_SEARCH_PARSER, 0, parse_pg_create_defined, KW_TEXT, KW_SEARCH, KW_PARSER),
    CREATED(TEXT_SEARCH_DICTIONARY, 0, parse_pg_create_defined, KW_TEXT, KW_SEARCH, KW_DICTIONARY),
    CREATED(TEXT_SEARCH_TEMPLATE, 0, parse_pg_create_defined, KW_TEXT, KW_SEARCH, KW_TEMPLATE),
    CREATED(TEXT_SEARCH_CONFIGURATION, 0, parse_pg_create_defined, KW_TEXT, KW_SEARCH, KW_CONFIGURATION),
    CREATED(EXTENSION, 0, parse_pg_create_extension, KW_EXTENSION),
    CREATED(LANGUAGE, OR_REPLACE, parse_pg_create_language, KW_LANGUAGE),
    CREATED(LANGUAGE, OR_REPLACE, parse_pg_create_language, KW_PROCEDURAL, KW_LANGUAGE),
    {{KW_TRUSTED, KW_LANGUAGE}, SQL_OBJECT_LANGUAGE, OR_REPLACE, 0, "trusted", parse_pg_create_language},
    {{KW_TRUSTED, KW_PROCEDURAL, KW_LANGUAGE}, SQL_OBJECT_LANGUAGE, OR_REPLACE, 0, "trusted", parse_pg_create_language},
    CREATED(CONVERSION, 0, parse_pg_create_conversion, KW_CONVERSION),
    {{KW_DEFAULT, KW_CONVERSION}, SQL_OBJECT_CONVERSION, 0, 0, "default", parse_pg_create_conversion},
    CREATED(ACCESS_METHOD, 0, parse_pg_create_access_method, KW_ACCESS, KW_METHOD),
    CREATED(FOREIGN_TABLE, 0, parse_pg_create_foreign_table, KW_FOREIGN, KW_TABLE),
    CREATED(FOREIGN_DATA_WRAPPER, 0, parse_pg_create_wrapper, KW_FOREIGN, KW_DATA, KW_WRAPPER),
    CREATED(SERVER, 0, parse_pg_create_server, KW_SERVER),
    CREATED(PUBLICATION, 0, parse_pg_create_publication, KW_PUBLICATION),
    CREATED(SUBSCRIPTION, 0, parse_pg_create_subscription, KW_SUBSCRIPTION),
    CREATED(DATABASE, 0, parse_pg_create_database, KW_DATABASE),
    CREATED(TABLESPACE, 0, parse_pg_create_tablespace, KW_TABLESPACE),
    CREATED(ROLE, 0, parse_pg_create_role, KW_ROLE),
    CREATED(USER, 0, parse_pg_create_role, KW_USER),
    CREATED(GROUP, 0, parse_pg_create_role, KW_GROUP),
    CREATED(PROPERTY_GRAPH, TEMPORARY | UNLOGGED, parse_pg_create_graph, KW_PROPERTY, KW_GRAPH),
};

/* [OR REPLACE] [[LOCAL | GLOBAL] (TEMPORARY | TEMP) | UNLOGGED]: as flags */
static uint32_t modifiers(struct sql_reader *p) {
    uint32_t flags = parse_accept2(p, KW_OR, KW_REPLACE) ? OR_REPLACE : 0;
    if (parse_accept(p, KW_UNLOGGED)) return flags | UNLOGGED;
    bool has_scope = parse_accept(p, KW_LOCAL) || parse_accept(p, KW_GLOBAL);
    if (parse_accept(p, KW_TEMPORARY) || parse_accept(p, KW_TEMP)) return flags | TEMPORARY;
    if (has_scope) parse_expect(p, KW_TEMPORARY);
    return flags;
}

/* A role may be called `mapping`. */
static bool at_user_mapping(struct sql_reader *p) {
    uint16_t third = parse_peek(p, 2);
    return parse_at(p, KW_USER) && parse_peek(p, 1) == KW_MAPPING && (third == KW_FOR || third == KW_IF);
}

static const struct created *find_created(struct sql_reader *p) {
    static const struct created user_mapping = CREATED(USER_MAPPING, 0, parse_pg_create_user_mapping, KW_USER, KW_MAPPING);
    if (at_user_mapping(p)) return &user_mapping;
    for (unsigned i = 0; i < COUNT_OF(creations); i++) {
        const struct created *t = creations + i;
        if (!parse_pg_at_words(p, t->words, COUNT_OF(t->words))) continue;
        bool is_class = t->object == SQL_OBJECT_OPERATOR_CLASS || t->object == SQL_OBJECT_OPERATOR_FAMILY;
        if (!is_class || parse_pg_at_operator_class(p)) return t;
    }
    return NULL;
}

/* CREATE modifiers object ... */
struct ast *parse_pg_create(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CREATE, SQL_OBJECT_NONE);
    parse_advance(p);
    uint32_t flags = modifiers(p);
    uint32_t start = p->tok.start;
    const struct created *t = find_created(p);
    if (!t || flags & ~t->may) {
        parse_fail(p, "no such object is created");
        return parse_done(p, c);
    }
    c->object = t->object;
    c->node.flags |= flags | t->sets;
    parse_pg_skip_words(p, t->words, 1);
    if (t->option) c->options = parse_option(p, start, t->option, NULL);
    parse_pg_skip_words(p, t->words + 1, COUNT_OF(t->words) - 1);
    t->rest(p, c);
    return parse_done(p, c);
}
