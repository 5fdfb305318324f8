/*
 * parse_pg_alter.c - ALTER: how each kind of object is named there, and what all of them share: RENAME TO, OWNER TO,
 * SET SCHEMA, DEPENDS ON EXTENSION. What only one kind has, its own file reads.
 *
 * objects: what is altered. elements: what is done, OPTIONs. The rest stands where the actions are read.
 */
#include "parser/parse_pg_command.h"

/* What is there for a kind of objects. */
enum {
    RENAME = 1,
    RENAME_ROLE = 2,
    OWNER = 4,
    SCHEMA = 8,
    DEPENDS = 16,
    IF_EXISTS = 32,      /* ALTER kind IF EXISTS, with anything but DEPENDS */
    IF_EXISTS_NAME = 64, /* IF EXISTS with RENAME alone */
    IF_EXISTS_ELSE = 128, /* IF EXISTS with the own actions alone */
    ALL_IN = 256,        /* ALL IN TABLESPACE ... instead of a name */
    ALL_ROLES = 512,     /* ALL instead of a name */
};

struct target {
    uint16_t words[4];
    uint16_t object;
    uint16_t may;
    struct ast *(*name)(struct sql_reader *p, enum sql_object object); /* NULL: there is no name, or the actions read it */
    parse_pg_rest *actions; /* or NULL */
};

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static struct ast *relation(struct sql_reader *p, enum sql_object object) {
    (void)object;
    return parse_relation(p);
}

static struct ast *table(struct sql_reader *p, enum sql_object object) {
    (void)object;
    return parse_table_name(p);
}

/* As of a relation, which has three parts at most. */
static struct ast *relation_object(struct sql_reader *p, enum sql_object object) {
    return parse_object(p, object, parse_pg_relation_name(p));
}

static struct ast *on_table(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    o->names = parse_name(p);
    parse_expect(p, KW_ON);
    o->on = parse_table_name(p);
    return parse_done(p, o);
}

/* What is renamed is called by its own name. */
static struct ast *role(struct sql_reader *p, enum sql_object object) {
    (void)object;
    return parse_peek(p, 1) == KW_RENAME ? parse_pg_role_id(p) : parse_role(p);
}

/* ---- kinds ----------------------------------------------------------------------------------------------------------- */

#define TARGET(object, may, name, actions, ...) {{__VA_ARGS__}, SQL_OBJECT_##object, (may), (name), (actions)}

static const struct target targets[] = {
    TARGET(TABLE, RENAME | SCHEMA | IF_EXISTS | ALL_IN, relation, parse_pg_alter_relation, KW_TABLE),
    TARGET(FOREIGN_TABLE, RENAME | SCHEMA | IF_EXISTS, relation, parse_pg_alter_relation, KW_FOREIGN, KW_TABLE),
    TARGET(VIEW, RENAME | SCHEMA | IF_EXISTS, table, parse_pg_alter_relation, KW_VIEW),
    TARGET(MATERIALIZED_VIEW, RENAME | SCHEMA | DEPENDS | IF_EXISTS | ALL_IN, table, parse_pg_alter_relation, KW_MATERIALIZED,
           KW_VIEW),
    TARGET(INDEX, RENAME | DEPENDS | IF_EXISTS | ALL_IN, relation_object, parse_pg_alter_relation, KW_INDEX),
    TARGET(SEQUENCE, RENAME | SCHEMA | IF_EXISTS, relation_object, parse_pg_alter_relation, KW_SEQUENCE),
    TARGET(FUNCTION, RENAME | OWNER | SCHEMA | DEPENDS, parse_pg_routine_signature, parse_pg_alter_routine, KW_FUNCTION),
    TARGET(PROCEDURE, RENAME | OWNER | SCHEMA | DEPENDS, parse_pg_routine_signature, parse_pg_alter_routine, KW_PROCEDURE),
    TARGET(ROUTINE, RENAME | OWNER | SCHEMA | DEPENDS, parse_pg_routine_signature, parse_pg_alter_routine, KW_ROUTINE),
    TARGET(AGGREGATE, RENAME | OWNER | SCHEMA, parse_pg_aggregate_signature, NULL, KW_AGGREGATE),
    TARGET(TYPE, RENAME | OWNER | SCHEMA, parse_pg_qualified, parse_pg_alter_type, KW_TYPE),
    TARGET(DOMAIN, RENAME | OWNER | SCHEMA, parse_pg_qualified, parse_pg_alter_domain, KW_DOMAIN),
    TARGET(COLLATION, RENAME | OWNER | SCHEMA, parse_pg_qualified, parse_pg_alter_collation, KW_COLLATION),
    TARGET(CONVERSION, RENAME | OWNER | SCHEMA, parse_pg_qualified, NULL, KW_CONVERSION),
    TARGET(OPERATOR_CLASS, RENAME | OWNER | SCHEMA, parse_pg_class_by_name, NULL, KW_OPERATOR, KW_CLASS),
    TARGET(OPERATOR_FAMILY, RENAME | OWNER | SCHEMA, parse_pg_class_by_name, parse_pg_alter_operator_family, KW_OPERATOR,
           KW_FAMILY),
    TARGET(OPERATOR, OWNER | SCHEMA, parse_pg_operator_signature, parse_pg_alter_operator, KW_OPERATOR),
    TARGET(STATISTICS, RENAME | OWNER | SCHEMA | IF_EXISTS_ELSE, parse_pg_qualified, parse_pg_alter_statistics, KW_STATISTICS),
    TARGET(TEXT_SEARCH_PARSER, RENAME | SCHEMA, parse_pg_qualified, NULL, KW_TEXT, KW_SEARCH, KW_PARSER),
    TARGET(TEXT_SEARCH_TEMPLATE, RENAME | SCHEMA, parse_pg_qualified, NULL, KW_TEXT, KW_SEARCH, KW_TEMPLATE),
    TARGET(TEXT_SEARCH_DICTIONARY, RENAME | OWNER | SCHEMA, parse_pg_qualified, parse_pg_alter_dictionary, KW_TEXT, KW_SEARCH,
           KW_DICTIONARY),
    TARGET(TEXT_SEARCH_CONFIGURATION, RENAME | OWNER | SCHEMA, parse_pg_qualified, parse_pg_alter_configuration, KW_TEXT,
           KW_SEARCH, KW_CONFIGURATION),
    TARGET(PROPERTY_GRAPH, RENAME | OWNER | SCHEMA | IF_EXISTS, relation_object, parse_pg_alter_graph, KW_PROPERTY, KW_GRAPH),
    TARGET(TRIGGER, RENAME | DEPENDS, on_table, NULL, KW_TRIGGER),
    TARGET(RULE, RENAME, on_table, NULL, KW_RULE),
    TARGET(POLICY, RENAME | IF_EXISTS_NAME, on_table, parse_pg_alter_policy, KW_POLICY),
    TARGET(EVENT_TRIGGER, RENAME | OWNER, parse_pg_named, parse_pg_alter_event_trigger, KW_EVENT, KW_TRIGGER),
    TARGET(SCHEMA, RENAME | OWNER, parse_pg_named, NULL, KW_SCHEMA),
    TARGET(LANGUAGE, RENAME | OWNER, parse_pg_named, NULL, KW_LANGUAGE),
    TARGET(LANGUAGE, RENAME | OWNER, parse_pg_named, NULL, KW_PROCEDURAL, KW_LANGUAGE),
    TARGET(LARGE_OBJECT, OWNER, parse_pg_large_object, NULL, KW_LARGE, KW_OBJECT),
    TARGET(EXTENSION, SCHEMA, parse_pg_named, parse_pg_alter_extension, KW_EXTENSION),
    TARGET(FOREIGN_DATA_WRAPPER, RENAME | OWNER, parse_pg_named, parse_pg_alter_wrapper, KW_FOREIGN, KW_DATA, KW_WRAPPER),
    TARGET(SERVER, RENAME | OWNER, parse_pg_named, parse_pg_alter_server, KW_SERVER),
    TARGET(PUBLICATION, RENAME | OWNER, parse_pg_named, parse_pg_alter_publication, KW_PUBLICATION),
    TARGET(SUBSCRIPTION, RENAME | OWNER, parse_pg_named, parse_pg_alter_subscription, KW_SUBSCRIPTION),
    TARGET(DATABASE, RENAME | OWNER, parse_pg_named, parse_pg_alter_database, KW_DATABASE),
    TARGET(TABLESPACE, RENAME | OWNER, parse_pg_named, parse_pg_alter_tablespace, KW_TABLESPACE),
    TARGET(ROLE, RENAME_ROLE | ALL_ROLES, role, parse_pg_alter_role, KW_ROLE),
    TARGET(ROLE, RENAME_ROLE | ALL_ROLES, role, parse_pg_alter_role, KW_USER),
    TARGET(ROLE, RENAME_ROLE, role, parse_pg_alter_group, KW_GROUP),
    TARGET(SYSTEM, 0, NULL, parse_pg_alter_system, KW_SYSTEM),
};

/* ---- what all share -------------------------------------------------------------------------------------------------- */

/* RENAME TO name | OWNER TO role | SET SCHEMA name | [NO] DEPENDS ON EXTENSION name, as far as the kind has them */
static struct ast *opt_shared_action(struct sql_reader *p, unsigned may) {
    static const struct parse_pg_phrase rename[] = {
        {.words = {KW_RENAME, KW_TO}, .name = "rename to", .value = parse_name},
        {.name = NULL},
    };
    static const struct parse_pg_phrase rename_role[] = {
        {.words = {KW_RENAME, KW_TO}, .name = "rename to", .value = parse_pg_role_id},
        {.name = NULL},
    };
    static const struct parse_pg_phrase owner[] = {
        {.words = {KW_OWNER, KW_TO}, .name = "owner to", .value = parse_role},
        {.name = NULL},
    };
    static const struct parse_pg_phrase schema[] = {
        {.words = {KW_SET, KW_SCHEMA}, .name = "set schema", .value = parse_name},
        {.name = NULL},
    };
    static const struct parse_pg_phrase depends[] = {
        {.words = {KW_DEPENDS, KW_ON, KW_EXTENSION}, .name = "depends on extension", .value = parse_name},
        {.words = {KW_NO, KW_DEPENDS, KW_ON, KW_EXTENSION}, .name = "no depends on extension", .value = parse_name},
        {.name = NULL},
    };
    struct ast *action = may & RENAME ? parse_pg_opt_phrase(p, rename) : NULL;
    if (!action && may & RENAME_ROLE) action = parse_pg_opt_phrase(p, rename_role);
    if (!action && may & OWNER) action = parse_pg_opt_phrase(p, owner);
    /* routines have SET SCHEMA 'name' and SET schema = ... as settings too */
    bool is_schema = may & SCHEMA && parse_is_name(p, parse_peek(p, 2));
    if (!action && is_schema) action = parse_pg_opt_phrase(p, schema);
    if (!action && may & DEPENDS) action = parse_pg_opt_phrase(p, depends);
    return action;
}

/* Where IF EXISTS was read, is it allowed with what follows? */
static bool may_if_exists(struct sql_reader *p, unsigned may) {
    bool is_rename = parse_at(p, KW_RENAME);
    bool is_schema = parse_at(p, KW_SET) && parse_peek(p, 1) == KW_SCHEMA;
    bool is_owner = parse_at(p, KW_OWNER);
    bool is_depends = parse_at(p, KW_DEPENDS) || (parse_at(p, KW_NO) && parse_peek(p, 1) == KW_DEPENDS);
    if (may & IF_EXISTS) return !is_depends;
    if (may & IF_EXISTS_NAME) return is_rename;
    return !is_rename && !is_schema && !is_owner;
}

/* [IF EXISTS] name (shared action | actions of the kind) */
static void alter_target(struct sql_reader *p, struct ast_command *c, const struct target *t) {
    if (parse_at(p, KW_ALL) && t->may & ALL_IN) {
        parse_pg_alter_all_in_tablespace(p, c);
        return;
    }
    unsigned may = t->may;
    if (may & (IF_EXISTS | IF_EXISTS_NAME | IF_EXISTS_ELSE)) parse_pg_opt_if_exists(p, c);
    if (may & ALL_ROLES && parse_accept(p, KW_ALL)) {
        c->node.flags |= AST_COMMAND_ALL;
        may = 0;
    } else if (t->name) {
        c->objects = t->name(p, t->object);
    }
    if (c->node.flags & AST_COMMAND_IF_EXISTS && !may_if_exists(p, may)) parse_fail(p, "IF EXISTS is not for this action");
    c->elements = opt_shared_action(p, may);
    if (c->elements) return;
    if (t->actions) t->actions(p, c);
    else parse_fail(p, "an action is expected here");
}

/* A role may be called `mapping`. */
static bool at_user_mapping(struct sql_reader *p) {
    return parse_at(p, KW_USER) && parse_peek(p, 1) == KW_MAPPING && parse_peek(p, 2) == KW_FOR;
}

/* ALTER kind [IF EXISTS] name action | ALTER DEFAULT PRIVILEGES ... */
struct ast *parse_pg_alter(struct sql_reader *p) {
    if (parse_peek(p, 1) == KW_DEFAULT) return parse_pg_default_privileges(p);
    struct ast_command *c = parse_command(p, SQL_ALTER, SQL_OBJECT_NONE);
    parse_advance(p);
    if (at_user_mapping(p)) {
        parse_accept2(p, KW_USER, KW_MAPPING);
        c->object = SQL_OBJECT_USER_MAPPING;
        parse_pg_alter_user_mapping(p, c);
        return parse_done(p, c);
    }
    for (unsigned i = 0; i < COUNT_OF(targets); i++) {
        const struct target *t = targets + i;
        if (!parse_pg_at_words(p, t->words, COUNT_OF(t->words))) continue;
        bool is_class = t->object == SQL_OBJECT_OPERATOR_CLASS || t->object == SQL_OBJECT_OPERATOR_FAMILY;
        if (is_class && !parse_pg_at_operator_class(p)) continue;
        parse_pg_skip_words(p, t->words, COUNT_OF(t->words));
        c->object = t->object;
        alter_target(p, c, t);
        return parse_done(p, c);
    }
    parse_fail(p, "a kind of object is expected here");
    return parse_done(p, c);
}
