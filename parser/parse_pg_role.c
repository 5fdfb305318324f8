/*
 * parse_pg_role.c - what all databases of a server share: roles, databases, tablespaces, the server's own settings.
 */
#include "parser/parse_pg_command.h"

/* ---- roles ----------------------------------------------------------------------------------------------------------- */

/* The attributes that are no keywords. */
static const char *const attributes[] = {
    "superuser", "nosuperuser", "createrole", "nocreaterole", "replication", "noreplication", "createdb", "nocreatedb",
    "login", "nologin", "bypassrls", "nobypassrls", "noinherit",
};

/* superuser | login | ...: an OPTION by that name */
static struct ast *attribute(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_name(p);
    bool is_known = false;
    for (unsigned i = 0; i < COUNT_OF(attributes) && !p->failed; i++) {
        is_known = is_known || bytes_is(AST_AS(name, NAME, o->name)->text, attributes[i]);
    }
    if (!is_known) parse_fail_at(p, position, "unknown option of a role");
    return parse_done(p, o);
}

/* What both CREATE and ALTER take. */
static struct ast *opt_common_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_PASSWORD}, .name = "password", .value = parse_pg_string_or_null},
        {.words = {KW_ENCRYPTED, KW_PASSWORD}, .name = "password", .value = parse_string},
        {.words = {KW_INHERIT}, .name = "inherit"},
        {.words = {KW_CONNECTION, KW_LIMIT}, .name = "connection limit", .value = parse_pg_signed_integer},
        {.words = {KW_VALID, KW_UNTIL}, .name = "valid until", .value = parse_string},
        {.words = {KW_USER}, .name = "user", .value = parse_pg_roles},
        {.name = NULL},
    };
    static const struct parse_pg_phrase unencrypted[] = {
        {.words = {KW_UNENCRYPTED, KW_PASSWORD}, .name = "unencrypted password", .value = parse_string},
        {.name = NULL},
    };
    struct ast *option = parse_pg_opt_phrase(p, options);
    if (!option && !parse_is_pg(p, 100000)) option = parse_pg_opt_phrase(p, unencrypted);
    if (option || !parse_pg_is_identifier(p->tok.kind)) return option;
    return attribute(p);
}

static struct ast *opt_create_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_SYSID}, .name = "sysid", .value = parse_pg_int},
        {.words = {KW_ADMIN}, .name = "admin", .value = parse_pg_roles},
        {.words = {KW_ROLE}, .name = "role", .value = parse_pg_roles},
        {.words = {KW_IN, KW_ROLE}, .name = "in role", .value = parse_pg_roles},
        {.words = {KW_IN, KW_GROUP}, .name = "in role", .value = parse_pg_roles},
        {.name = NULL},
    };
    struct ast *option = parse_pg_opt_phrase(p, options);
    return option ? option : opt_common_option(p);
}

/*
 * (ROLE | USER | GROUP) name [WITH] {option}
 *
 * objects: the ROLE (its OBJECT says USER or GROUP where the statement does). options: OPTIONs.
 */
void parse_pg_create_role(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    struct ast *role = parse_pg_role_id(p);
    role->op = c->object;
    c->objects = role;
    c->object = SQL_OBJECT_ROLE;
    parse_accept(p, KW_WITH);
    for (struct ast *option; (option = opt_create_option(p)) != NULL;) parse_list_add(&l, option);
    c->options = l.first;
}

/* [IN DATABASE name] (SET ... | RESET ...) */
static struct ast *opt_setting(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase in_database[] = {
        {.words = {KW_IN, KW_DATABASE}, .name = "in database", .value = parse_name},
        {.name = NULL},
    };
    c->options = parse_pg_opt_phrase(p, in_database);
    bool is_setting = parse_at(p, KW_SET) || parse_at(p, KW_RESET);
    if (c->options && !is_setting) parse_fail(p, "SET or RESET is expected here");
    return is_setting ? parse_pg_set_clause(p) : NULL;
}

/*
 * (ROLE | USER) (role | ALL) [IN DATABASE name] (SET ... | RESET ...) | (ROLE | USER) role [WITH] {option}
 *
 * objects: the role, none for ALL. args: one SETTING. options: OPTIONs.
 */
void parse_pg_alter_role(struct sql_reader *p, struct ast_command *c) {
    c->args = opt_setting(p, c);
    if (c->args) return;
    if (!c->objects) parse_fail(p, "SET or RESET is expected here");
    struct parse_list l;
    parse_list_init(&l);
    parse_accept(p, KW_WITH);
    for (struct ast *option; (option = opt_common_option(p)) != NULL;) parse_list_add(&l, option);
    c->options = l.first;
}

/* GROUP role (ADD | DROP) USER roles */
void parse_pg_alter_group(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD, KW_USER}, .name = "add user", .value = parse_pg_roles},
        {.words = {KW_DROP, KW_USER}, .name = "drop user", .value = parse_pg_roles},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- databases ------------------------------------------------------------------------------------------------------- */

/* ["="] (number | TRUE | FALSE | ON | word | string | DEFAULT) */
static struct ast *database_value(struct sql_reader *p) {
    parse_accept(p, '=');
    if (parse_pg_at_number(p)) return parse_signed_number(p);
    return parse_at(p, KW_DEFAULT) ? parse_word(p) : parse_pg_word_or_string(p);
}

/* (identifier | CONNECTION LIMIT | ENCODING | LOCATION | OWNER | TABLESPACE | TEMPLATE) value */
static struct ast *opt_database_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_CONNECTION, KW_LIMIT}, .name = "connection limit", .value = database_value},
        {.words = {KW_ENCODING}, .name = "encoding", .value = database_value},
        {.words = {KW_LOCATION}, .name = "location", .value = database_value},
        {.words = {KW_OWNER}, .name = "owner", .value = database_value},
        {.words = {KW_TABLESPACE}, .name = "tablespace", .value = database_value},
        {.words = {KW_TEMPLATE}, .name = "template", .value = database_value},
        {.name = NULL},
    };
    struct ast *option = parse_pg_opt_phrase(p, options);
    if (option || !parse_pg_is_identifier(p->tok.kind)) return option;
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_name(p);
    o->values = database_value(p);
    return parse_done(p, o);
}

static struct ast *database_options(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    for (struct ast *option; (option = opt_database_option(p)) != NULL;) parse_list_add(&l, option);
    return l.first;
}

/* DATABASE name [WITH] {option} */
void parse_pg_create_database(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_pg_named(p, SQL_OBJECT_DATABASE);
    parse_accept(p, KW_WITH);
    c->options = database_options(p);
}

/* SET TABLESPACE name | REFRESH COLLATION VERSION | SET ... | RESET ... | [WITH] {option} */
void parse_pg_alter_database(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_SET, KW_TABLESPACE}, .name = "set tablespace", .value = parse_name},
        {.words = {KW_REFRESH, KW_COLLATION, KW_VERSION}, .name = "refresh collation version"},
        {.name = NULL},
    };
    /* a parameter may be called `tablespace` too */
    uint16_t third = parse_peek(p, 2);
    bool is_parameter = third == '=' || third == KW_TO || third == '.' || third == KW_FROM;
    if (!is_parameter) c->elements = parse_pg_opt_phrase(p, actions);
    if (c->elements) return;
    if (parse_at(p, KW_SET) || parse_at(p, KW_RESET)) {
        c->args = parse_pg_set_clause(p);
        return;
    }
    parse_accept(p, KW_WITH);
    c->options = database_options(p);
}

static struct ast *drop_database_option(struct sql_reader *p) {
    if (!parse_at(p, KW_FORCE)) parse_expect(p, KW_FORCE);
    return parse_word(p);
}

/* [IF EXISTS] name [[WITH] "(" FORCE {"," FORCE} ")"] */
void parse_pg_drop_database(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_exists(p, c);
    c->objects = parse_pg_named(p, SQL_OBJECT_DATABASE);
    if (parse_accept(p, KW_WITH) || parse_at(p, '(')) c->options = parse_paren_list(p, drop_database_option);
}

/* ---- tablespaces, the server ----------------------------------------------------------------------------------------- */

/* TABLESPACE name [OWNER role] LOCATION string [WITH "(" parameters ")"] */
void parse_pg_create_tablespace(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->objects = parse_pg_named(p, SQL_OBJECT_TABLESPACE);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_OWNER, "owner", parse_role));
    parse_list_add(&l, parse_pg_clause(p, KW_LOCATION, "location", parse_string));
    parse_pg_append(p, &l, parse_pg_opt_reloptions(p));
    c->options = l.first;
}

/* (SET | RESET) "(" parameters ")" */
void parse_pg_alter_tablespace(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_SET}, .name = "set", .value = parse_pg_reloptions},
        {.words = {KW_RESET}, .name = "reset", .value = parse_pg_reloptions},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* SYSTEM (SET parameter (TO | "=") values | RESET (parameter | ALL)). args: one SETTING. */
void parse_pg_alter_system(struct sql_reader *p, struct ast_command *c) {
    c->args = parse_pg_set_clause_system(p);
}
