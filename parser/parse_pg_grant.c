/*
 * parse_pg_grant.c - PostgreSQL's GRANT and REVOKE, of privileges and of roles, and ALTER DEFAULT PRIVILEGES.
 *
 * A GRANT tells what it is about only behind its first list: ON makes privileges of it, TO or FROM makes roles.
 */
#include "parser/parse_pg_command.h"

/* ---- privileges ------------------------------------------------------------------------------------------------------ */

/*
 * ( SELECT | REFERENCES | CREATE | ALTER SYSTEM | name ) [ "(" names ")" ]
 * OPTION: its name, and the NAMEs of columns as values.
 */
static struct ast *parse_privilege(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    if (parse_accept2(p, KW_ALTER, KW_SYSTEM)) {
        o->name = parse_name_static(p, o->node.start, "alter system");
        return parse_done(p, o);
    }
    bool is_reserved = parse_at(p, KW_SELECT) || parse_at(p, KW_REFERENCES) || parse_at(p, KW_CREATE);
    o->name = is_reserved ? parse_name_of_token(p) : parse_name(p);
    o->values = parse_opt_paren_names(p);
    return parse_done(p, o);
}

/* ALL [ PRIVILEGES ] [ "(" names ")" ] | privilege { "," privilege } */
static struct ast *parse_privileges(struct sql_reader *p) {
    if (!parse_at(p, KW_ALL)) return parse_comma_list(p, parse_privilege);
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    parse_advance(p);
    parse_accept(p, KW_PRIVILEGES);
    o->name = parse_name_static(p, o->node.start, "all");
    o->values = parse_opt_paren_names(p);
    return parse_done(p, o);
}

/* ---- what privileges are on ------------------------------------------------------------------------------------------ */

/* name { "," name }, each an OBJECT. */
static struct ast *parse_objects(struct sql_reader *p, enum sql_object object, parse_function *name) {
    struct parse_list objects;
    parse_list_init(&objects);
    do parse_list_add(&objects, parse_object(p, object, name(p)));
    while (parse_accept(p, ','));
    return objects.first;
}

/* signature { "," signature } */
static struct ast *parse_routines(struct sql_reader *p, enum sql_object object) {
    struct parse_list objects;
    parse_list_init(&objects);
    do parse_list_add(&objects, parse_pg_routine_signature(p, object));
    while (parse_accept(p, ','));
    return objects.first;
}

/* The things behind the word at hand when it says what kind they are; NULL when it does not. */
static struct ast *parse_objects_of_kind(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    switch (kind) {
    case KW_DATABASE:
    case KW_DOMAIN:
    case KW_FUNCTION:
    case KW_LANGUAGE:
    case KW_PARAMETER:
    case KW_PROCEDURE:
    case KW_ROUTINE:
    case KW_SCHEMA:
    case KW_SEQUENCE:
    case KW_TABLE:
    case KW_TABLESPACE:
    case KW_TYPE: parse_advance(p); break;
    default: return NULL;
    }
    switch (kind) {
    case KW_DATABASE: return parse_objects(p, SQL_OBJECT_DATABASE, parse_name);
    case KW_DOMAIN: return parse_objects(p, SQL_OBJECT_DOMAIN, parse_qualified_name);
    case KW_FUNCTION: return parse_routines(p, SQL_OBJECT_FUNCTION);
    case KW_LANGUAGE: return parse_objects(p, SQL_OBJECT_LANGUAGE, parse_name);
    case KW_PARAMETER: return parse_objects(p, SQL_OBJECT_PARAMETER, parse_pg_setting_name);
    case KW_PROCEDURE: return parse_routines(p, SQL_OBJECT_PROCEDURE);
    case KW_ROUTINE: return parse_routines(p, SQL_OBJECT_ROUTINE);
    case KW_SCHEMA: return parse_objects(p, SQL_OBJECT_SCHEMA, parse_name);
    case KW_SEQUENCE: return parse_objects(p, SQL_OBJECT_SEQUENCE, parse_pg_relation_name);
    case KW_TABLE: return parse_comma_list(p, parse_table_name);
    case KW_TABLESPACE: return parse_objects(p, SQL_OBJECT_TABLESPACE, parse_name);
    default: return parse_objects(p, SQL_OBJECT_TYPE, parse_qualified_name);
    }
}

/* ALL ( TABLES | SEQUENCES | FUNCTIONS | PROCEDURES | ROUTINES ) IN SCHEMA names: OBJECTs; options: OPTION "all tables" ... */
static struct ast *read_all_in_schema(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    const char *name = "all tables";
    parse_advance(p);
    switch (p->tok.kind) {
    case KW_TABLES: break;
    case KW_SEQUENCES: name = "all sequences"; break;
    case KW_FUNCTIONS: name = "all functions"; break;
    case KW_PROCEDURES: name = "all procedures"; break;
    case KW_ROUTINES: name = "all routines"; break;
    default: parse_fail(p, "syntax error: expected TABLES, SEQUENCES, FUNCTIONS, PROCEDURES or ROUTINES"); break;
    }
    parse_advance(p);
    parse_list_add(options, parse_option(p, start, name, NULL));
    parse_expect(p, KW_IN);
    parse_expect(p, KW_SCHEMA);
    return parse_objects(p, SQL_OBJECT_SCHEMA, parse_name);
}

/* FOREIGN ( DATA WRAPPER | SERVER ) names */
static struct ast *parse_foreign(struct sql_reader *p) {
    parse_advance(p);
    if (parse_accept(p, KW_SERVER)) return parse_objects(p, SQL_OBJECT_SERVER, parse_name);
    parse_expect(p, KW_DATA);
    parse_expect(p, KW_WRAPPER);
    return parse_objects(p, SQL_OBJECT_FOREIGN_DATA_WRAPPER, parse_name);
}

/* Does a list of tables go on behind the word at hand? Then the word is a table's name. */
static bool at_table_called_so(struct sql_reader *p) {
    uint16_t next = parse_peek(p, 1);
    return next == ',' || next == '.' || next == KW_TO || next == KW_FROM;
}

/* ALL ... IN SCHEMA ... | FOREIGN ... | LARGE OBJECT numbers | PROPERTY GRAPH names (19) | [ kind ] names */
static struct ast *parse_privilege_target(struct sql_reader *p, struct parse_list *options) {
    if (parse_at(p, KW_ALL)) return read_all_in_schema(p, options);
    if (parse_at(p, KW_FOREIGN)) return parse_foreign(p);
    if (parse_accept2(p, KW_LARGE, KW_OBJECT)) return parse_objects(p, SQL_OBJECT_LARGE_OBJECT, parse_signed_number);
    if (!at_table_called_so(p)) {
        if (parse_at(p, KW_PROPERTY)) {
            parse_advance(p);
            if (!parse_accept_word(p, "graph")) parse_fail(p, "syntax error: expected GRAPH");
            return parse_objects(p, SQL_OBJECT_PROPERTY_GRAPH, parse_pg_relation_name);
        }
        struct ast *objects = parse_objects_of_kind(p);
        if (objects) return objects;
    }
    return parse_comma_list(p, parse_table_name);
}

/* ---- to and from whom ------------------------------------------------------------------------------------------------ */

/* [ GROUP ] role */
static struct ast *parse_grantee(struct sql_reader *p) {
    parse_accept(p, KW_GROUP);
    return parse_role(p);
}

/* [ GRANTED BY role ]: OPTION "granted by". */
static void read_granted_by(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_GRANTED)) return;
    parse_expect(p, KW_BY);
    parse_list_add(options, parse_option(p, start, "granted by", parse_role(p)));
}

/* [ WITH GRANT OPTION ] */
static void read_grant_option(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_WITH)) return;
    parse_expect(p, KW_GRANT);
    parse_expect(p, KW_OPTION);
    parse_list_add(options, parse_option(p, start, "grant option", NULL));
}

/* label ( OPTION | TRUE | FALSE ). OPTION named by the label, with the word as value. */
static struct ast *parse_role_option(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_label(p);
    bool is_known = parse_at(p, KW_OPTION) || parse_at(p, KW_TRUE) || parse_at(p, KW_FALSE);
    if (!is_known) parse_fail(p, "syntax error: expected OPTION, TRUE or FALSE");
    o->values = parse_word(p);
    return parse_done(p, o);
}

/* [ WITH option { "," option } ], before 16 only WITH ADMIN OPTION */
static void read_role_options(struct sql_reader *p, struct parse_list *options) {
    if (!parse_accept(p, KW_WITH)) return;
    if (!parse_is_pg(p, 160000)) {
        if (!parse_at(p, KW_ADMIN) || parse_peek(p, 1) != KW_OPTION) parse_fail(p, "syntax error: expected ADMIN OPTION");
        parse_list_add(options, parse_role_option(p));
        return;
    }
    do parse_list_add(options, parse_role_option(p));
    while (parse_accept(p, ','));
}

/* ---- GRANT, REVOKE --------------------------------------------------------------------------------------------------- */

/*
 * [ GRANT OPTION FOR | ADMIN OPTION FOR | name OPTION FOR (16) ] of REVOKE. OPTION whose name is the first word.
 * Only the first makes privileges of what follows for sure.
 */
static void read_option_for(struct sql_reader *p, struct parse_list *options) {
    bool is_grant = parse_at(p, KW_GRANT);
    if (!is_grant && parse_peek(p, 1) != KW_OPTION) return;
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    if (!is_grant && !parse_is_pg(p, 160000) && !parse_at(p, KW_ADMIN)) parse_fail(p, "syntax error: expected ADMIN");
    if (parse_accept(p, KW_GRANT)) o->name = parse_name_static(p, o->node.start, "grant option");
    else o->name = parse_name(p);
    parse_expect(p, KW_OPTION);
    parse_expect(p, KW_FOR);
    parse_list_add(options, parse_done(p, o));
}

/* The roles that were read as privileges. */
static void make_roles(struct sql_reader *p, struct ast_command *c) {
    struct parse_list roles;
    parse_list_init(&roles);
    c->object = SQL_OBJECT_ROLE;
    for (struct ast *e = c->elements; e && !p->failed; e = e->next) {
        struct ast_option *option = AST_AS(option, OPTION, e);
        struct ast_object *role = PARSE_NODE(p, ast_object, OBJECT);
        role->node.op = SQL_OBJECT_ROLE;
        role->names = option->name;
        role->node.start = e->start;
        role->node.end = option->name->end;
        parse_list_add(&roles, &role->node);
    }
    c->objects = roles.first;
    c->elements = NULL;
}

/* ( TO | FROM ) */
static void read_direction(struct sql_reader *p, const struct ast_command *c) {
    parse_expect(p, c->node.op == SQL_GRANT ? KW_TO : KW_FROM);
}

/*
 * GRANT privileges ON target TO grantees [ WITH GRANT OPTION ] [ GRANTED BY role ]
 * GRANT roles TO roles [ WITH options ] [ GRANTED BY role ]
 * REVOKE [ option FOR ] privileges ON target FROM grantees [ GRANTED BY role ] [ CASCADE | RESTRICT ]
 * REVOKE [ option FOR ] roles FROM roles [ GRANTED BY role ] [ CASCADE | RESTRICT ]
 * objects: what the privileges are on, or the roles that are granted (then object is ROLE); elements: the privileges;
 * args: OBJECTs of the grantees; options: OPTIONs.
 */
struct ast *parse_pg_grant(struct sql_reader *p) {
    bool is_grant = parse_at(p, KW_GRANT);
    struct ast_command *c = parse_command(p, is_grant ? SQL_GRANT : SQL_REVOKE, SQL_OBJECT_NONE);
    struct parse_list options;
    parse_list_init(&options);
    parse_advance(p);
    bool is_privileges = !is_grant && parse_at(p, KW_GRANT);
    if (!is_grant) read_option_for(p, &options);
    bool is_roles = options.first && !is_privileges;
    if (parse_at(p, KW_ALL)) {
        if (is_roles) parse_fail(p, "syntax error: expected a role");
        is_privileges = true;
    }
    c->elements = parse_privileges(p);
    bool is_on = is_privileges || (!is_roles && parse_at(p, KW_ON));
    if (is_on) {
        parse_expect(p, KW_ON);
        c->objects = parse_privilege_target(p, &options);
    } else {
        make_roles(p, c);
    }
    read_direction(p, c);
    c->args = parse_comma_list(p, is_on ? parse_grantee : parse_role);
    if (is_grant && is_on) read_grant_option(p, &options);
    else if (is_grant) read_role_options(p, &options);
    read_granted_by(p, &options);
    if (!is_grant) c->node.flags |= parse_pg_opt_behavior(p);
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- ALTER DEFAULT PRIVILEGES ---------------------------------------------------------------------------------------- */

/* TABLES | FUNCTIONS | ROUTINES | SEQUENCES | TYPES | SCHEMAS | LARGE OBJECTS (18). OBJECT without names. */
static struct ast *parse_default_target(struct sql_reader *p) {
    enum sql_object object = SQL_OBJECT_TABLE;
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    switch (p->tok.kind) {
    case KW_TABLES: break;
    case KW_FUNCTIONS: object = SQL_OBJECT_FUNCTION; break;
    case KW_ROUTINES: object = SQL_OBJECT_ROUTINE; break;
    case KW_SEQUENCES: object = SQL_OBJECT_SEQUENCE; break;
    case KW_TYPES: object = SQL_OBJECT_TYPE; break;
    case KW_SCHEMAS: object = SQL_OBJECT_SCHEMA; break;
    case KW_LARGE:
        object = SQL_OBJECT_LARGE_OBJECT;
        if (!parse_is_pg(p, 180000) || parse_peek(p, 1) != KW_OBJECTS) parse_fail(p, "syntax error: expected a kind of objects");
        parse_advance(p);
        break;
    default: parse_fail(p, "syntax error: expected a kind of objects"); break;
    }
    parse_advance(p);
    o->node.op = (uint16_t)object;
    return parse_done(p, o);
}

/*
 * GRANT privileges ON kind TO grantees [ WITH GRANT OPTION ]
 * | REVOKE [ GRANT OPTION FOR ] privileges ON kind FROM grantees [ CASCADE | RESTRICT ]
 */
static struct ast *parse_default_grant(struct sql_reader *p) {
    bool is_grant = parse_at(p, KW_GRANT);
    struct ast_command *c = parse_command(p, is_grant ? SQL_GRANT : SQL_REVOKE, SQL_OBJECT_NONE);
    struct parse_list options;
    parse_list_init(&options);
    if (!is_grant && !parse_at(p, KW_REVOKE)) parse_fail(p, "syntax error: expected GRANT or REVOKE");
    parse_advance(p);
    if (!is_grant && parse_at(p, KW_GRANT)) read_option_for(p, &options);
    c->elements = parse_privileges(p);
    parse_expect(p, KW_ON);
    c->objects = parse_default_target(p);
    read_direction(p, c);
    c->args = parse_comma_list(p, parse_grantee);
    if (is_grant) read_grant_option(p, &options);
    else c->node.flags |= parse_pg_opt_behavior(p);
    c->options = options.first;
    return parse_done(p, c);
}

/*
 * ALTER DEFAULT PRIVILEGES { IN SCHEMA names | FOR ( ROLE | USER ) roles } ( GRANT ... | REVOKE ... )
 * options: OPTIONs "in schema" and "for role"; query: the GRANT or REVOKE as a COMMAND.
 */
struct ast *parse_pg_default_privileges(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_ALTER, SQL_OBJECT_DEFAULT_PRIVILEGES);
    struct parse_list options;
    parse_list_init(&options);
    parse_expect(p, KW_ALTER);
    parse_expect(p, KW_DEFAULT);
    parse_expect(p, KW_PRIVILEGES);
    for (uint32_t start = p->tok.start;; start = p->tok.start) {
        if (parse_accept(p, KW_IN)) {
            parse_expect(p, KW_SCHEMA);
            parse_list_add(&options, parse_option(p, start, "in schema", parse_name_list(p)));
        } else if (parse_accept(p, KW_FOR)) {
            if (!parse_accept(p, KW_USER)) parse_expect(p, KW_ROLE);
            parse_list_add(&options, parse_option(p, start, "for role", parse_comma_list(p, parse_role)));
        } else {
            break;
        }
    }
    c->options = options.first;
    c->query = parse_default_grant(p);
    return parse_done(p, c);
}
