/*
 * parse_pg_extension.c - what a database is extended by: extensions, languages, conversions, access methods, foreign data.
 */
#include "parser/parse_pg_command.h"

/* ---- extensions ------------------------------------------------------------------------------------------------------ */

/*
 * EXTENSION [IF NOT EXISTS] name [WITH] {SCHEMA name | VERSION v | CASCADE}; before PostgreSQL 13 also FROM v
 */
void parse_pg_create_extension(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_SCHEMA}, .name = "schema", .value = parse_name},
        {.words = {KW_VERSION}, .name = "version", .value = parse_pg_nonreserved_word_or_string},
        {.words = {KW_CASCADE}, .name = "cascade"},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_pg_named(p, SQL_OBJECT_EXTENSION);
    parse_accept(p, KW_WITH);
    bool has_from = !parse_is_pg(p, 130000);
    for (;;) {
        struct ast *option = has_from ? parse_pg_opt_clause(p, KW_FROM, "from", parse_pg_nonreserved_word_or_string) : NULL;
        if (!option) option = parse_pg_opt_phrase(p, options);
        if (!option) break;
        parse_list_add(&l, option);
    }
    c->options = l.first;
}

/* {TO version} */
static struct ast *versions(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    while (parse_accept(p, KW_TO)) parse_list_add(&l, parse_pg_nonreserved_word_or_string(p));
    return l.first;
}

/* UPDATE {TO version} | (ADD | DROP) kind thing */
void parse_pg_alter_extension(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_UPDATE}, .name = "update", .value = versions},
        {.words = {KW_ADD}, .name = "add", .value = parse_pg_member},
        {.words = {KW_DROP}, .name = "drop", .value = parse_pg_member},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- languages, conversions, access methods -------------------------------------------------------------------------- */

/* [TRUSTED] [PROCEDURAL] LANGUAGE name [HANDLER routine [INLINE routine] [VALIDATOR routine | NO VALIDATOR]] */
void parse_pg_create_language(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase validators[] = {
        {.words = {KW_VALIDATOR}, .name = "validator", .value = parse_qualified_name},
        {.words = {KW_NO, KW_VALIDATOR}, .name = "no validator"},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_append(p, &l, c->options);
    bool may_quote = !parse_is_pg(p, 140000) && parse_at_string(p);
    c->objects = may_quote ? parse_object(p, SQL_OBJECT_LANGUAGE, parse_string(p)) : parse_pg_named(p, SQL_OBJECT_LANGUAGE);
    if (parse_at(p, KW_HANDLER)) {
        parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_HANDLER, "handler", parse_qualified_name));
        parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_INLINE, "inline", parse_qualified_name));
        parse_pg_append(p, &l, parse_pg_opt_phrase(p, validators));
    }
    c->options = l.first;
}

/* [DEFAULT] CONVERSION name FOR string TO string FROM routine */
void parse_pg_create_conversion(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_append(p, &l, c->options);
    c->objects = parse_pg_qualified(p, SQL_OBJECT_CONVERSION);
    parse_list_add(&l, parse_pg_clause(p, KW_FOR, "for", parse_string));
    parse_list_add(&l, parse_pg_clause(p, KW_TO, "to", parse_string));
    parse_list_add(&l, parse_pg_clause(p, KW_FROM, "from", parse_qualified_name));
    c->options = l.first;
}

/* ACCESS METHOD name TYPE (INDEX | TABLE) HANDLER routine */
void parse_pg_create_access_method(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase types[] = {
        {.words = {KW_TYPE, KW_INDEX}, .name = "type index"},
        {.words = {KW_TYPE, KW_TABLE}, .name = "type table"},
        {.name = NULL},
    };
    c->objects = parse_pg_named(p, SQL_OBJECT_ACCESS_METHOD);
    struct ast *type = parse_pg_phrase(p, types);
    type->next = parse_pg_clause(p, KW_HANDLER, "handler", parse_qualified_name);
    c->options = type;
}

/* ---- foreign data ---------------------------------------------------------------------------------------------------- */

/* {[NO] HANDLER routine | [NO] VALIDATOR routine | [NO] CONNECTION routine: PostgreSQL 19} */
static struct ast *wrapper_routines(struct sql_reader *p) {
    static const struct parse_pg_phrase routines[] = {
        {.words = {KW_HANDLER}, .name = "handler", .value = parse_qualified_name},
        {.words = {KW_NO, KW_HANDLER}, .name = "no handler"},
        {.words = {KW_VALIDATOR}, .name = "validator", .value = parse_qualified_name},
        {.words = {KW_NO, KW_VALIDATOR}, .name = "no validator"},
        {.words = {KW_CONNECTION}, .name = "connection", .value = parse_qualified_name, .since = 190000},
        {.words = {KW_NO, KW_CONNECTION}, .name = "no connection", .since = 190000},
        {.name = NULL},
    };
    return parse_pg_phrases(p, routines);
}

/* FOREIGN DATA WRAPPER name {routine} [OPTIONS "(" ... ")"] */
void parse_pg_create_wrapper(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->objects = parse_pg_named(p, SQL_OBJECT_FOREIGN_DATA_WRAPPER);
    parse_pg_append(p, &l, wrapper_routines(p));
    parse_pg_append(p, &l, parse_pg_opt_generic_options(p));
    c->options = l.first;
}

/* {routine} [OPTIONS "(" changes ")"], not nothing */
void parse_pg_alter_wrapper(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_append(p, &l, wrapper_routines(p));
    if (!l.first || parse_at(p, KW_OPTIONS)) parse_list_add(&l, parse_pg_alter_generic_options(p));
    c->elements = l.first;
}

static struct ast *opt_version(struct sql_reader *p) {
    return parse_pg_opt_clause(p, KW_VERSION, "version", parse_pg_string_or_null);
}

/* SERVER [IF NOT EXISTS] name [TYPE string] [VERSION (string | NULL)] FOREIGN DATA WRAPPER name [OPTIONS "(" ... ")"] */
void parse_pg_create_server(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase wrapper[] = {
        {.words = {KW_FOREIGN, KW_DATA, KW_WRAPPER}, .name = "foreign data wrapper", .value = parse_name},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_pg_named(p, SQL_OBJECT_SERVER);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_TYPE, "type", parse_string));
    parse_pg_append(p, &l, opt_version(p));
    parse_list_add(&l, parse_pg_phrase(p, wrapper));
    parse_pg_append(p, &l, parse_pg_opt_generic_options(p));
    c->options = l.first;
}

/* [VERSION (string | NULL)] [OPTIONS "(" changes ")"], not nothing */
void parse_pg_alter_server(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_append(p, &l, opt_version(p));
    if (!l.first || parse_at(p, KW_OPTIONS)) parse_list_add(&l, parse_pg_alter_generic_options(p));
    c->elements = l.first;
}

/* FOR (role | USER) SERVER name: the OBJECT has the role in `names` and the server in `on` */
static struct ast *user_mapping(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    parse_expect(p, KW_FOR);
    if (parse_at(p, KW_USER)) {
        o->names = parse_name_of_token(p);
    } else {
        const struct ast *role = parse_role(p);
        if (!p->failed) o->names = AST_AS(object, OBJECT, role)->names;
    }
    parse_expect(p, KW_SERVER);
    o->on = parse_name(p);
    return parse_done(p, o);
}

/* USER MAPPING [IF NOT EXISTS] mapping [OPTIONS "(" ... ")"] */
void parse_pg_create_user_mapping(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_not_exists(p, c);
    c->objects = user_mapping(p, SQL_OBJECT_USER_MAPPING);
    c->options = parse_pg_opt_generic_options(p);
}

/* mapping OPTIONS "(" changes ")" */
void parse_pg_alter_user_mapping(struct sql_reader *p, struct ast_command *c) {
    c->objects = user_mapping(p, SQL_OBJECT_USER_MAPPING);
    c->elements = parse_pg_alter_generic_options(p);
}

/* [IF EXISTS] mapping */
void parse_pg_drop_user_mapping(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_exists(p, c);
    c->objects = user_mapping(p, SQL_OBJECT_USER_MAPPING);
}

static struct ast *paren_relations(struct sql_reader *p) {
    return parse_paren_list(p, parse_relation);
}

/*
 * IMPORT FOREIGN SCHEMA name [LIMIT TO "(" tables ")" | EXCEPT "(" tables ")"] FROM SERVER name INTO name [OPTIONS "(" ... ")"]
 *
 * objects: the schema there, the server, the schema here. options: "limit to" or "except", "options".
 */
struct ast *parse_pg_import(struct sql_reader *p) {
    static const struct parse_pg_phrase limits[] = {
        {.words = {KW_LIMIT, KW_TO}, .name = "limit to", .value = paren_relations},
        {.words = {KW_EXCEPT}, .name = "except", .value = paren_relations},
        {.name = NULL},
    };
    struct ast_command *c = parse_command(p, SQL_IMPORT, SQL_OBJECT_FOREIGN_SCHEMA);
    struct parse_list objects;
    struct parse_list options;
    parse_list_init(&objects);
    parse_list_init(&options);
    parse_advance(p);
    parse_expect(p, KW_FOREIGN);
    parse_expect(p, KW_SCHEMA);
    parse_list_add(&objects, parse_pg_named(p, SQL_OBJECT_SCHEMA));
    parse_pg_append(p, &options, parse_pg_opt_phrase(p, limits));
    parse_expect(p, KW_FROM);
    parse_expect(p, KW_SERVER);
    parse_list_add(&objects, parse_pg_named(p, SQL_OBJECT_SERVER));
    parse_expect(p, KW_INTO);
    parse_list_add(&objects, parse_pg_named(p, SQL_OBJECT_SCHEMA));
    parse_pg_append(p, &options, parse_pg_opt_generic_options(p));
    c->objects = objects.first;
    c->options = options.first;
    return parse_done(p, c);
}
