/*
 * parse_pg_object.c - the kinds of objects, and the statements that take any of them: DROP, COMMENT, SECURITY LABEL;
 * TRUNCATE and REASSIGN, which take one.
 */
#include "parser/parse_pg_command.h"

/* ---- kinds ----------------------------------------------------------------------------------------------------------- */

enum use {
    USE_DROP = 1,     /* DROP kind [IF EXISTS] thing {"," thing} [CASCADE | RESTRICT] */
    USE_DROP_ONE = 2, /* DROP kind [IF EXISTS] thing [CASCADE | RESTRICT] */
    USE_COMMENT = 4,  /* COMMENT ON kind thing */
    USE_LABEL = 8,    /* SECURITY LABEL ON kind thing */
    USE_MEMBER = 16,  /* ALTER EXTENSION name ADD kind thing */
};

struct kind {
    uint16_t words[4]; /* keywords; 0 behind the last */
    uint16_t object;   /* enum sql_object */
    uint16_t uses;     /* enum use, or-ed */
    struct ast *(*name)(struct sql_reader *p, enum sql_object object); /* reads the thing itself */
};

static struct ast *table_by_name(struct sql_reader *p, enum sql_object object) {
    (void)object;
    return parse_pg_table_by_name(p);
}

/* A type by nothing but its name has that name; of others the TYPE is in `args`. */
static struct ast *type_by_name(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    struct ast *node = parse_type(p);
    if (p->failed) return parse_done(p, o);
    const struct ast_type *type = AST_AS(type, TYPE, node);
    bool is_name = !type->modifiers && !type->options && !type->bounds && !(type->node.flags & AST_TYPE_SETOF);
    if (is_name) o->names = type->names;
    else o->args = node;
    return parse_done(p, o);
}

/* name ON (table | DOMAIN name): `domain` may be a table */
static struct ast *constraint_by_name(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    o->names = parse_name(p);
    parse_expect(p, KW_ON);
    if (parse_at(p, KW_DOMAIN) && parse_is_name(p, parse_peek(p, 1))) {
        o->node.op = SQL_OBJECT_DOMAIN_CONSTRAINT;
        parse_advance(p);
        o->on = parse_qualified_name(p);
    } else {
        o->on = parse_pg_table_by_name(p);
    }
    return parse_done(p, o);
}

enum {
    ANY = USE_DROP | USE_COMMENT | USE_LABEL | USE_MEMBER,
    NO_DROP = USE_COMMENT | USE_LABEL | USE_MEMBER,
    NO_LABEL = USE_DROP | USE_COMMENT | USE_MEMBER,
    ONE = USE_DROP_ONE | USE_COMMENT | USE_MEMBER,
    ON_TABLE = USE_DROP_ONE | USE_COMMENT,
};

#define KIND(object, uses, name, ...) {{__VA_ARGS__}, SQL_OBJECT_##object, (uses), (name)}

static const struct kind kinds[] = {
    KIND(TABLE, ANY, table_by_name, KW_TABLE),
    KIND(VIEW, ANY, table_by_name, KW_VIEW),
    KIND(MATERIALIZED_VIEW, ANY, table_by_name, KW_MATERIALIZED, KW_VIEW),
    KIND(FOREIGN_TABLE, ANY, table_by_name, KW_FOREIGN, KW_TABLE),
    KIND(SEQUENCE, ANY, parse_pg_qualified, KW_SEQUENCE),
    KIND(INDEX, ANY, parse_pg_qualified, KW_INDEX),
    KIND(COLLATION, ANY, parse_pg_qualified, KW_COLLATION),
    KIND(CONVERSION, ANY, parse_pg_qualified, KW_CONVERSION),
    KIND(STATISTICS, ANY, parse_pg_qualified, KW_STATISTICS),
    KIND(PROPERTY_GRAPH, ANY, parse_pg_qualified, KW_PROPERTY, KW_GRAPH),
    KIND(TEXT_SEARCH_PARSER, ANY, parse_pg_qualified, KW_TEXT, KW_SEARCH, KW_PARSER),
    KIND(TEXT_SEARCH_DICTIONARY, ANY, parse_pg_qualified, KW_TEXT, KW_SEARCH, KW_DICTIONARY),
    KIND(TEXT_SEARCH_TEMPLATE, ANY, parse_pg_qualified, KW_TEXT, KW_SEARCH, KW_TEMPLATE),
    KIND(TEXT_SEARCH_CONFIGURATION, ANY, parse_pg_qualified, KW_TEXT, KW_SEARCH, KW_CONFIGURATION),
    KIND(ACCESS_METHOD, ANY, parse_pg_named, KW_ACCESS, KW_METHOD),
    KIND(EVENT_TRIGGER, ANY, parse_pg_named, KW_EVENT, KW_TRIGGER),
    KIND(EXTENSION, ANY, parse_pg_named, KW_EXTENSION),
    KIND(FOREIGN_DATA_WRAPPER, ANY, parse_pg_named, KW_FOREIGN, KW_DATA, KW_WRAPPER),
    KIND(LANGUAGE, ANY, parse_pg_named, KW_LANGUAGE),
    KIND(LANGUAGE, ANY, parse_pg_named, KW_PROCEDURAL, KW_LANGUAGE),
    KIND(PUBLICATION, ANY, parse_pg_named, KW_PUBLICATION),
    KIND(SCHEMA, ANY, parse_pg_named, KW_SCHEMA),
    KIND(SERVER, ANY, parse_pg_named, KW_SERVER),
    KIND(DATABASE, NO_DROP, parse_pg_named, KW_DATABASE),
    KIND(ROLE, NO_DROP, parse_pg_named, KW_ROLE),
    KIND(SUBSCRIPTION, NO_DROP | USE_DROP_ONE, parse_pg_named, KW_SUBSCRIPTION),
    KIND(TABLESPACE, NO_DROP, parse_pg_named, KW_TABLESPACE),
    KIND(TYPE, ANY, type_by_name, KW_TYPE),
    KIND(DOMAIN, ANY, type_by_name, KW_DOMAIN),
    KIND(FUNCTION, ANY, parse_pg_routine_signature, KW_FUNCTION),
    KIND(PROCEDURE, ANY, parse_pg_routine_signature, KW_PROCEDURE),
    KIND(ROUTINE, ANY, parse_pg_routine_signature, KW_ROUTINE),
    KIND(AGGREGATE, ANY, parse_pg_aggregate_signature, KW_AGGREGATE),
    KIND(OPERATOR_CLASS, ONE, parse_pg_class_by_name, KW_OPERATOR, KW_CLASS),
    KIND(OPERATOR_FAMILY, ONE, parse_pg_class_by_name, KW_OPERATOR, KW_FAMILY),
    KIND(OPERATOR, NO_LABEL, parse_pg_operator_signature, KW_OPERATOR),
    KIND(CAST, ONE, parse_pg_cast_by_types, KW_CAST),
    KIND(TRANSFORM, ONE, parse_pg_transform_by_type, KW_TRANSFORM),
    KIND(POLICY, ON_TABLE, parse_pg_named_on_table, KW_POLICY),
    KIND(RULE, ON_TABLE, parse_pg_named_on_table, KW_RULE),
    KIND(TRIGGER, ON_TABLE, parse_pg_named_on_table, KW_TRIGGER),
    KIND(CONSTRAINT, USE_COMMENT, constraint_by_name, KW_CONSTRAINT),
    KIND(COLUMN, USE_COMMENT | USE_LABEL, parse_pg_qualified, KW_COLUMN),
    KIND(LARGE_OBJECT, USE_COMMENT | USE_LABEL, parse_pg_large_object, KW_LARGE, KW_OBJECT),
};

/* The kind that stands here and has one of these uses, its words read; NULL (and failed) when none does. */
static const struct kind *kind_of(struct sql_reader *p, unsigned uses) {
    for (unsigned i = 0; i < COUNT_OF(kinds); i++) {
        const struct kind *k = kinds + i;
        if (!(k->uses & uses) || !parse_pg_at_words(p, k->words, COUNT_OF(k->words))) continue;
        bool is_class = k->object == SQL_OBJECT_OPERATOR_CLASS || k->object == SQL_OBJECT_OPERATOR_FAMILY;
        if (is_class && !parse_pg_at_operator_class(p)) continue;
        parse_pg_skip_words(p, k->words, COUNT_OF(k->words));
        return k;
    }
    parse_fail(p, "a kind of object is expected here");
    return NULL;
}

/* kind thing: of a relation that is no table an OBJECT, since the statement's own object says nothing about it */
static struct ast *kind_and_thing(struct sql_reader *p, enum use use) {
    const struct kind *kind = kind_of(p, use);
    if (!kind) return parse_word(p);
    bool is_other_relation = kind->name == table_by_name && kind->object != SQL_OBJECT_TABLE;
    return is_other_relation ? parse_pg_qualified(p, kind->object) : kind->name(p, kind->object);
}

struct ast *parse_pg_member(struct sql_reader *p) {
    return kind_and_thing(p, USE_MEMBER);
}

/* ---- DROP ------------------------------------------------------------------------------------------------------------ */

/* thing {"," thing} */
static struct ast *things(struct sql_reader *p, const struct kind *kind) {
    struct parse_list l;
    parse_list_init(&l);
    do parse_list_add(&l, kind->name(p, kind->object));
    while (parse_accept(p, ','));
    return l.first;
}

/* OWNED BY roles [CASCADE | RESTRICT] */
static void drop_owned(struct sql_reader *p, struct ast_command *c) {
    parse_expect(p, KW_BY);
    c->objects = parse_pg_roles(p);
    c->node.flags |= parse_pg_opt_behavior(p);
}

/* (ROLE | USER | GROUP) [IF EXISTS] roles */
static void drop_role(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_exists(p, c);
    c->objects = parse_pg_roles(p);
}

/* TABLESPACE [IF EXISTS] name */
static void drop_tablespace(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_exists(p, c);
    c->objects = parse_pg_named(p, SQL_OBJECT_TABLESPACE);
}

/* INDEX CONCURRENTLY [IF EXISTS] names [CASCADE | RESTRICT] */
static void drop_index_concurrently(struct sql_reader *p, struct ast_command *c) {
    static const struct kind index = KIND(INDEX, USE_DROP, parse_pg_qualified, KW_INDEX);
    c->node.flags |= AST_COMMAND_CONCURRENTLY;
    parse_pg_opt_if_exists(p, c);
    c->objects = things(p, &index);
    c->node.flags |= parse_pg_opt_behavior(p);
}

/* What DROP does not do to other kinds. A role may be called `mapping`. */
static const struct {
    uint16_t words[4];
    uint16_t object;
    uint16_t read; /* how many of the words are read before `rest` */
    parse_pg_rest *rest;
} drops[] = {
    {{KW_OWNED}, SQL_OBJECT_OWNED, 1, drop_owned},
    {{KW_USER, KW_MAPPING, KW_FOR}, SQL_OBJECT_USER_MAPPING, 2, parse_pg_drop_user_mapping},
    {{KW_USER, KW_MAPPING, KW_IF}, SQL_OBJECT_USER_MAPPING, 2, parse_pg_drop_user_mapping},
    {{KW_ROLE}, SQL_OBJECT_ROLE, 1, drop_role},
    {{KW_USER}, SQL_OBJECT_ROLE, 1, drop_role},
    {{KW_GROUP}, SQL_OBJECT_ROLE, 1, drop_role},
    {{KW_DATABASE}, SQL_OBJECT_DATABASE, 1, parse_pg_drop_database},
    {{KW_TABLESPACE}, SQL_OBJECT_TABLESPACE, 1, drop_tablespace},
    {{KW_INDEX, KW_CONCURRENTLY}, SQL_OBJECT_INDEX, 2, drop_index_concurrently},
};

/*
 * DROP kind [IF EXISTS] things [CASCADE | RESTRICT], and the forms above
 *
 * objects: the things.
 */
struct ast *parse_pg_drop(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DROP, SQL_OBJECT_NONE);
    parse_advance(p);
    for (unsigned i = 0; i < COUNT_OF(drops); i++) {
        if (!parse_pg_at_words(p, drops[i].words, COUNT_OF(drops[i].words))) continue;
        c->object = drops[i].object;
        parse_pg_skip_words(p, drops[i].words, drops[i].read);
        drops[i].rest(p, c);
        return parse_done(p, c);
    }
    const struct kind *kind = kind_of(p, USE_DROP | USE_DROP_ONE);
    if (kind) {
        c->object = kind->object;
        parse_pg_opt_if_exists(p, c);
        c->objects = kind->uses & USE_DROP ? things(p, kind) : kind->name(p, kind->object);
        c->node.flags |= parse_pg_opt_behavior(p);
    }
    return parse_done(p, c);
}

/* ---- COMMENT, SECURITY LABEL ----------------------------------------------------------------------------------------- */

/* ON kind thing IS (string | NULL) */
static void described(struct sql_reader *p, struct ast_command *c, enum use use) {
    parse_expect(p, KW_ON);
    c->objects = kind_and_thing(p, use);
    parse_expect(p, KW_IS);
    c->args = parse_pg_string_or_null(p);
}

/* COMMENT ON kind thing IS (string | NULL) */
struct ast *parse_pg_comment(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_COMMENT, SQL_OBJECT_NONE);
    parse_advance(p);
    described(p, c, USE_COMMENT);
    return parse_done(p, c);
}

/* SECURITY LABEL [FOR provider] ON kind thing IS (string | NULL) */
struct ast *parse_pg_security_label(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_SECURITY_LABEL, SQL_OBJECT_NONE);
    parse_advance(p);
    parse_expect(p, KW_LABEL);
    c->options = parse_pg_opt_clause(p, KW_FOR, "for", parse_pg_nonreserved_word_or_string);
    described(p, c, USE_LABEL);
    return parse_done(p, c);
}

/* ---- TRUNCATE, REASSIGN ---------------------------------------------------------------------------------------------- */

/* TRUNCATE [TABLE] tables [(RESTART | CONTINUE) IDENTITY] [CASCADE | RESTRICT] */
struct ast *parse_pg_truncate(struct sql_reader *p) {
    static const struct parse_pg_phrase identities[] = {
        {.words = {KW_RESTART, KW_IDENTITY}, .name = "restart identity"},
        {.words = {KW_CONTINUE, KW_IDENTITY}, .name = "continue identity"},
        {.name = NULL},
    };
    struct ast_command *c = parse_command(p, SQL_TRUNCATE, SQL_OBJECT_TABLE);
    parse_advance(p);
    parse_accept(p, KW_TABLE);
    c->objects = parse_comma_list(p, parse_relation);
    c->options = parse_pg_opt_phrase(p, identities);
    c->node.flags |= parse_pg_opt_behavior(p);
    return parse_done(p, c);
}

/* REASSIGN OWNED BY roles TO role; the new owner is in `args` */
struct ast *parse_pg_reassign(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_REASSIGN, SQL_OBJECT_OWNED);
    parse_advance(p);
    parse_expect(p, KW_OWNED);
    parse_expect(p, KW_BY);
    c->objects = parse_pg_roles(p);
    parse_expect(p, KW_TO);
    c->args = parse_role(p);
    return parse_done(p, c);
}
