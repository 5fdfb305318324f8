/*
 * parse_pg_setting.c - PostgreSQL's settings: SET in all its forms, RESET, SHOW, and SET as a clause of definitions.
 *
 * A setting is a SETTING with its names and values. The words of a special form give the setting's own name:
 * TIME ZONE is timezone, SCHEMA search_path, NAMES client_encoding, ROLE role, SESSION AUTHORIZATION
 * session_authorization, XML OPTION xmloption. What such a word means depends on what follows: SET role TO x is the
 * setting as any other. Whether a setting exists, and what its values mean, is not known here.
 */
#include "parser/parse_pg_command.h"

/* ---- names and values ------------------------------------------------------------------------------------------------ */

static struct ast_setting *setting_here(struct sql_reader *p, uint16_t scope) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    s->node.op = scope;
    return s;
}

static struct ast *read_default(struct sql_reader *p) {
    struct ast_default *d = PARSE_NODE(p, ast_default, DEFAULT);
    parse_expect(p, KW_DEFAULT);
    return parse_done(p, d);
}

/* Is the word at hand a setting's name here? Behind it: TO, "=", a dot, or FROM of FROM CURRENT. */
static bool at_plain_setting(struct sql_reader *p) {
    uint16_t next = parse_peek(p, 1);
    return next == KW_TO || next == '=' || next == '.' || next == KW_FROM;
}

/* SESSION CHARACTERISTICS AS, where SESSION is at hand; characteristics alone may be a setting. */
static bool at_characteristics(struct sql_reader *p) {
    return parse_peek(p, 1) == KW_CHARACTERISTICS && parse_peek(p, 2) == KW_AS;
}

/* names ( TO | "=" ) ( value { "," value } | DEFAULT | NULL (19) ), with FROM CURRENT unless `is_bare`. */
static void read_plain(struct sql_reader *p, struct ast_setting *s, bool is_bare) {
    s->names = parse_pg_setting_name(p);
    if (!is_bare && parse_accept2(p, KW_FROM, KW_CURRENT)) return;
    if (!parse_accept(p, '=')) parse_expect(p, KW_TO);
    if (parse_at(p, KW_DEFAULT)) s->values = read_default(p);
    else if (parse_at(p, KW_NULL) && parse_is_pg(p, 190000)) s->values = parse_name_of_token(p);
    else s->values = parse_comma_list(p, parse_pg_option_value);
}

/* Only hours and minutes may be the fields of a time zone's interval. */
static struct ast *check_zone_interval(struct sql_reader *p, struct ast *value) {
    if (p->failed) return value;
    if (value->kind != AST_CAST || value->op != CAST_PREFIX) {
        parse_fail_at(p, value->start, "syntax error: expected a time zone");
        return value;
    }
    for (const struct ast *field = AST_AS(cast, CAST, value)->options; field; field = field->next) {
        if (field->kind != AST_WORD || (field->op != KW_HOUR && field->op != KW_MINUTE)) {
            parse_fail_at(p, field->start, "time zone interval must be HOUR or HOUR TO MINUTE");
        }
    }
    return value;
}

/* string | identifier | INTERVAL string [ HOUR [ TO MINUTE ] ] | INTERVAL "(" n ")" string | number | DEFAULT | LOCAL */
static struct ast *parse_zone(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_DEFAULT: return read_default(p);
    case KW_LOCAL: return parse_word(p);
    case KW_INTERVAL: return check_zone_interval(p, parse_expr_primary(p));
    case TOKEN_IDENT:
    case TOKEN_QUOTED_IDENT:
    case TOKEN_UNICODE_IDENT: return parse_name(p);
    default: return parse_at_string(p) ? parse_string(p) : parse_signed_number(p);
    }
}

/* ---- special forms --------------------------------------------------------------------------------------------------- */

/* Ends the words of a special form that began at `start`. */
static void name_setting(struct sql_reader *p, struct ast_setting *s, const char *name) {
    s->names = parse_name_static(p, s->node.start, name);
}

/* TIME ZONE zone */
static void read_time_zone(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    parse_expect(p, KW_ZONE);
    name_setting(p, s, "timezone");
    s->values = parse_zone(p);
}

/* NAMES [ string | DEFAULT ] */
static void read_names(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    name_setting(p, s, "client_encoding");
    if (parse_at_string(p)) s->values = parse_string(p);
    else if (parse_at(p, KW_DEFAULT)) s->values = read_default(p);
    else s->values = parse_pg_implied_default(p);
}

/* SESSION AUTHORIZATION ( name | string | DEFAULT ) */
static void read_authorization(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    parse_expect(p, KW_AUTHORIZATION);
    name_setting(p, s, "session_authorization");
    s->values = parse_at(p, KW_DEFAULT) ? read_default(p) : parse_pg_nonreserved_word_or_string(p);
}

/* XML OPTION ( DOCUMENT | CONTENT ) */
static void read_xml_option(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    parse_expect(p, KW_OPTION);
    name_setting(p, s, "xmloption");
    if (!parse_at(p, KW_DOCUMENT) && !parse_at(p, KW_CONTENT)) parse_fail(p, "syntax error: expected DOCUMENT or CONTENT");
    s->values = parse_name_of_token(p);
}

/* TRANSACTION ( SNAPSHOT string | modes ). The modes are the values. */
static void read_transaction(struct sql_reader *p, struct ast_setting *s, bool is_snapshot_only) {
    parse_advance(p);
    name_setting(p, s, "transaction");
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_SNAPSHOT)) s->values = parse_option(p, start, "snapshot", parse_string(p));
    else if (is_snapshot_only) parse_fail(p, "syntax error: expected SNAPSHOT");
    else s->values = parse_pg_transaction_modes(p);
}

/* SESSION CHARACTERISTICS AS TRANSACTION modes */
static void read_characteristics(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    parse_expect(p, KW_CHARACTERISTICS);
    parse_expect(p, KW_AS);
    parse_expect(p, KW_TRANSACTION);
    name_setting(p, s, "session characteristics");
    s->values = parse_pg_transaction_modes(p);
}

/* ROLE ( name | string ), SCHEMA string */
static void read_role(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    name_setting(p, s, "role");
    s->values = parse_pg_nonreserved_word_or_string(p);
}

static void read_schema(struct sql_reader *p, struct ast_setting *s) {
    parse_advance(p);
    name_setting(p, s, "search_path");
    s->values = parse_string(p);
}

enum set_forms { SET_ANY, SET_OF_ROUTINE };

/*
 * plain-setting | TIME ZONE ... | SCHEMA string | NAMES ... | ROLE ... | SESSION AUTHORIZATION ... | XML OPTION ...
 * | TRANSACTION SNAPSHOT string, and unless it is of a routine: TRANSACTION modes | SESSION CHARACTERISTICS ...
 * CATALOG is not there, as no version of the server takes it. Gives the kind of form.
 */
static enum sql_object read_setting(struct sql_reader *p, struct ast_setting *s, enum set_forms forms) {
    uint16_t kind = at_plain_setting(p) ? 0 : p->tok.kind;
    switch (kind) {
    case KW_TIME: read_time_zone(p, s); return SQL_OBJECT_TIME_ZONE;
    case KW_SCHEMA: read_schema(p, s); return SQL_OBJECT_SCHEMA;
    case KW_NAMES: read_names(p, s); return SQL_OBJECT_NAMES;
    case KW_ROLE: read_role(p, s); return SQL_OBJECT_ROLE;
    case KW_XML: read_xml_option(p, s); return SQL_OBJECT_XML_OPTION;
    case KW_TRANSACTION: read_transaction(p, s, forms == SET_OF_ROUTINE); return SQL_OBJECT_TRANSACTION;
    case KW_SESSION:
        if (forms == SET_OF_ROUTINE || !at_characteristics(p)) {
            read_authorization(p, s);
            return SQL_OBJECT_AUTHORIZATION;
        }
        read_characteristics(p, s);
        return SQL_OBJECT_SESSION;
    default: read_plain(p, s, false); return SQL_OBJECT_NONE;
    }
}

/* name | TIME ZONE | TRANSACTION ISOLATION LEVEL | SESSION AUTHORIZATION: of RESET and SHOW. */
static enum sql_object read_setting_name(struct sql_reader *p, struct ast_setting *s) {
    if (parse_accept2(p, KW_TIME, KW_ZONE)) {
        name_setting(p, s, "timezone");
        return SQL_OBJECT_TIME_ZONE;
    }
    if (parse_accept3(p, KW_TRANSACTION, KW_ISOLATION, KW_LEVEL)) {
        name_setting(p, s, "transaction_isolation");
        return SQL_OBJECT_TRANSACTION;
    }
    if (parse_accept2(p, KW_SESSION, KW_AUTHORIZATION)) {
        name_setting(p, s, "session_authorization");
        return SQL_OBJECT_AUTHORIZATION;
    }
    s->names = parse_pg_setting_name(p);
    return SQL_OBJECT_NONE;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* CONSTRAINTS ( ALL | names ) ( DEFERRED | IMMEDIATE ). objects: OBJECTs; options: the WORD. */
static void read_constraints(struct sql_reader *p, struct ast_command *c) {
    struct parse_list objects;
    parse_list_init(&objects);
    parse_advance(p);
    c->object = SQL_OBJECT_CONSTRAINTS;
    if (parse_accept(p, KW_ALL)) {
        c->node.flags |= AST_COMMAND_ALL;
    } else {
        do parse_list_add(&objects, parse_object(p, SQL_OBJECT_CONSTRAINT, parse_pg_relation_name(p)));
        while (parse_accept(p, ','));
    }
    c->objects = objects.first;
    if (!parse_at(p, KW_DEFERRED) && !parse_at(p, KW_IMMEDIATE)) parse_fail(p, "syntax error: expected DEFERRED or IMMEDIATE");
    c->options = parse_word(p);
}

/*
 * SET [ SESSION | LOCAL ] setting | SET CONSTRAINTS ...
 * args: one SETTING. SET TRANSACTION and SESSION CHARACTERISTICS have no args but their modes (or "snapshot") in options.
 * object: the kind of a special form.
 */
struct ast *parse_pg_set(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_SET, SQL_OBJECT_NONE);
    uint16_t scope = SCOPE_NONE;
    parse_advance(p);
    if (!at_plain_setting(p)) {
        bool is_scope = parse_peek(p, 1) != KW_AUTHORIZATION && !at_characteristics(p);
        if (parse_at(p, KW_CONSTRAINTS)) {
            read_constraints(p, c);
            return parse_done(p, c);
        }
        if (parse_accept(p, KW_LOCAL)) scope = SCOPE_LOCAL;
        else if (is_scope && parse_accept(p, KW_SESSION)) scope = SCOPE_SESSION;
    }
    if (scope == SCOPE_LOCAL) c->node.flags |= AST_COMMAND_LOCAL;
    if (scope == SCOPE_SESSION) c->node.flags |= AST_COMMAND_SESSION;
    struct ast_setting *s = setting_here(p, scope);
    c->object = (uint16_t)read_setting(p, s, SET_ANY);
    c->args = parse_done(p, s);
    if (c->object == SQL_OBJECT_TRANSACTION || c->object == SQL_OBJECT_SESSION) {
        c->args = NULL;
        c->options = s->values;
        c->node.flags |= parse_pg_access_flag(p, c->options);
    }
    return parse_done(p, c);
}

/* RESET ( name | ALL ). args: one SETTING whose value is DEFAULT; none with ALL. */
struct ast *parse_pg_reset(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_RESET, SQL_OBJECT_NONE);
    parse_advance(p);
    if (parse_accept(p, KW_ALL)) {
        c->node.flags |= AST_COMMAND_ALL;
        return parse_done(p, c);
    }
    struct ast_setting *s = setting_here(p, SCOPE_NONE);
    c->object = (uint16_t)read_setting_name(p, s);
    s->values = parse_pg_implied_default(p);
    c->args = parse_done(p, s);
    return parse_done(p, c);
}

/* SHOW ( name | ALL ). args: one SETTING without values; none with ALL. */
struct ast *parse_pg_show(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_SHOW, SQL_OBJECT_NONE);
    parse_advance(p);
    if (parse_accept(p, KW_ALL)) {
        c->node.flags |= AST_COMMAND_ALL;
        return parse_done(p, c);
    }
    struct ast_setting *s = setting_here(p, SCOPE_NONE);
    c->object = (uint16_t)read_setting_name(p, s);
    c->args = parse_done(p, s);
    return parse_done(p, c);
}

/* ---- clauses --------------------------------------------------------------------------------------------------------- */

/* RESET ( name | ALL ), with the special names unless `is_bare`. */
static struct ast *parse_reset_clause(struct sql_reader *p, bool is_bare) {
    parse_expect(p, KW_RESET);
    struct ast_setting *s = setting_here(p, SCOPE_NONE);
    if (!parse_accept(p, KW_ALL)) {
        if (is_bare) s->names = parse_pg_setting_name(p);
        else read_setting_name(p, s);
    }
    s->values = parse_pg_implied_default(p);
    return parse_done(p, s);
}

static struct ast *parse_set_clause(struct sql_reader *p, enum set_forms forms) {
    if (parse_at(p, KW_RESET)) return parse_reset_clause(p, false);
    parse_expect(p, KW_SET);
    struct ast_setting *s = setting_here(p, SCOPE_NONE);
    read_setting(p, s, forms);
    return parse_done(p, s);
}

/* SET setting | RESET ( name | ALL ), as ALTER ROLE and ALTER DATABASE have it. */
struct ast *parse_pg_set_clause(struct sql_reader *p) {
    return parse_set_clause(p, SET_ANY);
}

struct ast *parse_pg_set_clause_routine(struct sql_reader *p) {
    return parse_set_clause(p, SET_OF_ROUTINE);
}

/* SET name ( TO | "=" ) values | RESET ( name | ALL ) */
struct ast *parse_pg_set_clause_system(struct sql_reader *p) {
    if (parse_at(p, KW_RESET)) return parse_reset_clause(p, true);
    parse_expect(p, KW_SET);
    struct ast_setting *s = setting_here(p, SCOPE_NONE);
    read_plain(p, s, true);
    return parse_done(p, s);
}
