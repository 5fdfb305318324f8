/*
 * parse_mysql_create.c - CREATE, ALTER, DROP, RENAME, TRUNCATE, INSTALL and UNINSTALL: which function reads which object.
 *
 * What a command puts into which slot stands above the function that reads it.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- CREATE and ALTER ------------------------------------------------------------------------------------------------ */

/* [ALGORITHM "=" (UNDEFINED | MERGE | TEMPTABLE)] [DEFINER "=" user] [SQL SECURITY (DEFINER | INVOKER)] */
static void prefixes(struct sql_reader *p, struct parse_list *options) {
    if (parse_at(p, KW_ALGORITHM)) parse_list_add(options, parse_mysql_word_option(p, parse_word));
    if (parse_at(p, KW_DEFINER)) parse_list_add(options, parse_mysql_definer(p));
    if (parse_at(p, KW_SQL)) parse_list_add(options, parse_mysql_sql_security(p));
}

static struct ast *create_program(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    if (parse_mysql_refuse_oracle(p)) return parse_done(p, c);
    switch (p->tok.kind) {
    case KW_PROCEDURE:
    case KW_FUNCTION:
    case KW_AGGREGATE: return parse_mysql_routine(p, c, options);
    case KW_TRIGGER: return parse_mysql_trigger(p, c, options);
    case KW_EVENT: return parse_mysql_event(p, c, options);
    case KW_PACKAGE:
        if (p->is_mariadb) return parse_mysql_package(p, c, options);
        break;
    default: break;
    }
    parse_fail(p, "syntax error: unknown kind of object");
    return parse_done(p, c);
}

/* What may have a definer. */
static struct ast *create_defined(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    prefixes(p, &options);
    if (parse_at(p, KW_VIEW)) return parse_mysql_view(p, c, &options);
    if (parse_at(p, KW_JSON) && !p->is_mariadb) return parse_mysql_duality_view(p, c, &options);
    return create_program(p, c, &options);
}

/* SPATIAL REFERENCE SYSTEM | SPATIAL INDEX */
static struct ast *create_spatial(struct sql_reader *p, struct ast_command *c) {
    return parse_peek(p, 1) == KW_REFERENCE ? parse_mysql_spatial_reference(p, c) : parse_mysql_create_index(p, c);
}

static struct ast *create_object(struct sql_reader *p, struct ast_command *c) {
    switch (p->tok.kind) {
    case KW_TABLE: return parse_mysql_create_table(p, c);
    case KW_SPATIAL: return create_spatial(p, c);
    case KW_UNIQUE:
    case KW_FULLTEXT:
    case KW_INDEX: return parse_mysql_create_index(p, c);
    case KW_DATABASE:
    case KW_SCHEMA: return parse_mysql_database(p, c);
    case KW_USER: return parse_mysql_create_user(p, c);
    case KW_ROLE: return parse_mysql_create_role(p, c);
    case KW_SERVER: return parse_mysql_server(p, c);
    case KW_UNDO:
    case KW_LOGFILE:
    case KW_TABLESPACE: return parse_mysql_tablespace(p, c);
    case KW_SEQUENCE:
        if (!p->is_mariadb) break;
        return parse_mysql_sequence(p, c);
    case KW_RESOURCE: return parse_mysql_resource_group(p, c);
    case KW_MASKING: return parse_mysql_masking_policy(p, c);
    case KW_EXTERNAL:
        c->options = parse_word(p);
        return parse_mysql_create_table(p, c);
    case KW_LIBRARY: return parse_mysql_library(p, c);
    default: break;
    }
    if (parse_mysql_at_vector_key(p)) return parse_mysql_create_index(p, c);
    return create_defined(p, c);
}

/* OR REPLACE: MySQL has it for views and spatial reference systems alone */
static void or_replace(struct sql_reader *p, struct ast_command *c) {
    if (!parse_accept2(p, KW_OR, KW_REPLACE)) return;
    c->node.flags |= AST_COMMAND_OR_REPLACE;
    if (p->is_mariadb) return;
    switch (p->tok.kind) {
    case KW_ALGORITHM:
    case KW_DEFINER:
    case KW_SQL:
    case KW_VIEW:
    case KW_JSON:
    case KW_SPATIAL: return;
    default: parse_fail(p, "syntax error: expected VIEW"); return;
    }
}

/* CREATE [OR REPLACE] [TEMPORARY] object */
struct ast *parse_mysql_create(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CREATE, SQL_OBJECT_NONE);
    parse_advance(p);
    or_replace(p, c);
    if (!parse_accept(p, KW_TEMPORARY)) return create_object(p, c);
    c->node.flags |= AST_COMMAND_TEMPORARY;
    if (parse_at(p, KW_TABLE)) return parse_mysql_create_table(p, c);
    if (p->is_mariadb && parse_at(p, KW_SEQUENCE)) return parse_mysql_sequence(p, c);
    parse_fail(p, "syntax error: expected TABLE");
    return parse_done(p, c);
}

/* ALTER object */
struct ast *parse_mysql_alter(struct sql_reader *p) {
    struct parse_list options;
    struct ast_command *c = parse_command(p, SQL_ALTER, SQL_OBJECT_NONE);
    parse_advance(p);
    switch (p->tok.kind) {
    case KW_ONLINE:
    case KW_IGNORE:
    case KW_TABLE: return parse_mysql_alter_table(p, c);
    case KW_DATABASE:
    case KW_SCHEMA: return parse_mysql_database(p, c);
    case KW_USER: return parse_mysql_alter_user(p, c);
    case KW_PROCEDURE:
    case KW_FUNCTION:
    case KW_LIBRARY: return parse_mysql_alter_routine(p, c);
    case KW_SERVER: return parse_mysql_server(p, c);
    case KW_UNDO:
    case KW_LOGFILE:
    case KW_TABLESPACE: return parse_mysql_tablespace(p, c);
    case KW_SEQUENCE:
        if (!p->is_mariadb) break;
        return parse_mysql_sequence(p, c);
    case KW_INSTANCE: return parse_mysql_alter_instance(p, c);
    case KW_RESOURCE: return parse_mysql_resource_group(p, c);
    default: break;
    }
    parse_list_init(&options);
    prefixes(p, &options);
    if (parse_at(p, KW_VIEW)) return parse_mysql_view(p, c, &options);
    if (parse_at(p, KW_JSON) && !p->is_mariadb) return parse_mysql_duality_view(p, c, &options);
    if (parse_at(p, KW_EVENT)) return parse_mysql_event(p, c, &options);
    parse_fail(p, "syntax error: unknown kind of object");
    return parse_done(p, c);
}

/* ---- DROP ------------------------------------------------------------------------------------------------------------ */

/* [IF EXISTS] table { "," table } [WAIT n | NOWAIT] [RESTRICT | CASCADE] */
static struct ast *drop_tables(struct sql_reader *p, struct ast_command *c, enum sql_object object) {
    c->object = (uint16_t)object;
    parse_advance(p);
    parse_mysql_if_exists(p, c);
    c->objects = parse_comma_list(p, parse_table_name);
    if (object == SQL_OBJECT_TABLE) c->options = parse_mysql_opt_wait(p);
    parse_mysql_restrict(p, c);
    return parse_done(p, c);
}

/* INDEX [IF EXISTS] name ON table [WAIT n | NOWAIT] { ALGORITHM ... | LOCK ... } */
static struct ast *drop_index(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_INDEX;
    parse_advance(p);
    if (p->is_mariadb) parse_mysql_if_exists(p, c);
    struct ast_object *index = PARSE_NODE(p, ast_object, OBJECT);
    index->node.op = SQL_OBJECT_INDEX;
    index->names = parse_name(p);
    parse_expect(p, KW_ON);
    index->on = parse_table_name(p);
    c->objects = parse_done(p, index);
    struct ast *wait = parse_mysql_opt_wait(p);
    if (wait) parse_list_add(&options, wait);
    for (struct ast *o = parse_mysql_opt_online_option(p); o; o = parse_mysql_opt_online_option(p)) parse_list_add(&options, o);
    c->options = options.first;
    return parse_done(p, c);
}

/* [IF EXISTS] name */
static struct ast *drop_object(struct sql_reader *p, struct ast_command *c, enum sql_object object) {
    c->object = (uint16_t)object;
    parse_mysql_if_exists(p, c);
    c->objects = parse_mysql_object(p, object);
    return parse_done(p, c);
}

/* (DATABASE | SCHEMA) [IF EXISTS] name */
static struct ast *drop_database(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_DATABASE;
    parse_advance(p);
    parse_mysql_if_exists(p, c);
    c->objects = parse_object(p, SQL_OBJECT_DATABASE, parse_name(p));
    return parse_done(p, c);
}

/* object kinds of one word: reads it */
static struct ast *drop_word(struct sql_reader *p, struct ast_command *c, enum sql_object object) {
    parse_advance(p);
    return drop_object(p, c, object);
}

/* (USER | ROLE) [IF EXISTS] user { "," user } */
static struct ast *drop_users(struct sql_reader *p, struct ast_command *c, enum sql_object object) {
    c->object = (uint16_t)object;
    parse_advance(p);
    parse_mysql_if_exists(p, c);
    c->objects = parse_comma_list(p, parse_mysql_user_name);
    return parse_done(p, c);
}

/* PREPARE name: what DEALLOCATE PREPARE is */
static struct ast *drop_prepare(struct sql_reader *p, struct ast_command *c) {
    c->node.op = SQL_DEALLOCATE;
    c->object = SQL_OBJECT_PREPARE;
    parse_advance(p);
    c->objects = parse_object(p, SQL_OBJECT_PREPARE, parse_name(p));
    return parse_done(p, c);
}

/* SERVER [IF EXISTS] (name | string) */
static struct ast *drop_server(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_SERVER;
    parse_advance(p);
    parse_mysql_if_exists(p, c);
    c->objects = parse_object(p, SQL_OBJECT_SERVER, parse_mysql_string_or_name(p));
    return parse_done(p, c);
}

static struct ast *drop_package(struct sql_reader *p, struct ast_command *c) {
    parse_advance(p);
    return drop_object(p, c, parse_accept(p, KW_BODY) ? SQL_OBJECT_PACKAGE_BODY : SQL_OBJECT_PACKAGE);
}

/* DROP [TEMPORARY] object */
struct ast *parse_mysql_drop(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DROP, SQL_OBJECT_NONE);
    parse_advance(p);
    if (parse_accept(p, KW_TEMPORARY)) {
        c->node.flags |= AST_COMMAND_TEMPORARY;
        if (!parse_at(p, KW_TABLE) && !parse_at(p, KW_TABLES) && !parse_at(p, KW_SEQUENCE)) {
            parse_fail(p, "syntax error: expected TABLE");
        }
    }
    if (p->is_mariadb) {
        if (parse_at(p, KW_SEQUENCE)) return drop_tables(p, c, SQL_OBJECT_SEQUENCE);
        if (parse_at(p, KW_PACKAGE)) return drop_package(p, c);
    }
    switch (p->tok.kind) {
    case KW_TABLE:
    case KW_TABLES: return drop_tables(p, c, SQL_OBJECT_TABLE);
    case KW_VIEW: return drop_tables(p, c, SQL_OBJECT_VIEW);
    case KW_INDEX: return drop_index(p, c);
    case KW_DATABASE:
    case KW_SCHEMA: return drop_database(p, c);
    case KW_PROCEDURE: return drop_word(p, c, SQL_OBJECT_PROCEDURE);
    case KW_FUNCTION: return drop_word(p, c, SQL_OBJECT_FUNCTION);
    case KW_TRIGGER: return drop_word(p, c, SQL_OBJECT_TRIGGER);
    case KW_EVENT: return drop_word(p, c, SQL_OBJECT_EVENT);
    case KW_LIBRARY: return drop_word(p, c, SQL_OBJECT_LIBRARY);
    case KW_USER: return drop_users(p, c, SQL_OBJECT_USER);
    case KW_ROLE: return drop_users(p, c, SQL_OBJECT_ROLE);
    case KW_SERVER: return drop_server(p, c);
    case KW_PREPARE: return drop_prepare(p, c);
    case KW_UNDO:
    case KW_LOGFILE:
    case KW_TABLESPACE: return parse_mysql_tablespace(p, c);
    case KW_RESOURCE: return parse_mysql_resource_group(p, c);
    case KW_MASKING: return parse_mysql_masking_policy(p, c);
    case KW_SPATIAL: return parse_mysql_spatial_reference(p, c);
    default: parse_fail(p, "syntax error: unknown kind of object"); return parse_done(p, c);
    }
}

/* ---- RENAME and TRUNCATE --------------------------------------------------------------------------------------------- */

/* table [WAIT n | NOWAIT] TO table: two TABLEs, the old name and the new; the waiting is not kept */
static void renamed_table(struct sql_reader *p, struct parse_list *list) {
    parse_list_add(list, parse_table_name(p));
    parse_mysql_opt_wait(p);
    parse_expect(p, KW_TO);
    parse_list_add(list, parse_table_name(p));
}

static void renamed_user(struct sql_reader *p, struct parse_list *list) {
    parse_list_add(list, parse_mysql_user_name(p));
    parse_expect(p, KW_TO);
    parse_list_add(list, parse_mysql_user_name(p));
}

/* RENAME (TABLE | TABLES) [IF EXISTS] a TO b { "," c TO d } | RENAME USER a TO b { "," c TO d }
   The objects are old and new names by turns. */
struct ast *parse_mysql_rename(struct sql_reader *p) {
    struct parse_list list;
    struct ast_command *c = parse_command(p, SQL_RENAME, SQL_OBJECT_TABLE);
    parse_list_init(&list);
    parse_advance(p);
    if (parse_accept(p, KW_USER)) {
        c->object = SQL_OBJECT_USER;
        do renamed_user(p, &list);
        while (parse_accept(p, ','));
    } else {
        if (!parse_accept(p, KW_TABLES)) parse_expect(p, KW_TABLE);
        parse_mysql_if_exists(p, c);
        do renamed_table(p, &list);
        while (parse_accept(p, ','));
    }
    c->objects = list.first;
    return parse_done(p, c);
}

/* TRUNCATE [TABLE] table [WAIT n | NOWAIT] */
struct ast *parse_mysql_truncate(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_TRUNCATE, SQL_OBJECT_TABLE);
    parse_advance(p);
    parse_accept(p, KW_TABLE);
    c->objects = parse_table_name(p);
    c->options = parse_mysql_opt_wait(p);
    return parse_done(p, c);
}

/* ---- INSTALL and UNINSTALL ------------------------------------------------------------------------------------------- */

/* INSTALL (PLUGIN [IF NOT EXISTS] name SONAME string | SONAME string | COMPONENT strings [SET settings]) */
struct ast *parse_mysql_install(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_INSTALL, SQL_OBJECT_PLUGIN);
    parse_advance(p);
    if (parse_accept(p, KW_PLUGIN)) {
        parse_mysql_if_not_exists(p, c);
        c->objects = parse_object(p, SQL_OBJECT_PLUGIN, parse_name(p));
        parse_expect(p, KW_SONAME);
        c->args = parse_string(p);
    } else if (parse_accept(p, KW_SONAME)) {
        c->object = SQL_OBJECT_SONAME;
        c->args = parse_string(p);
    } else {
        c->object = SQL_OBJECT_COMPONENT;
        parse_expect(p, KW_COMPONENT);
        c->args = parse_comma_list(p, parse_string);
        if (parse_at(p, KW_SET)) c->query = parse_mysql_set(p);
    }
    return parse_done(p, c);
}

/* UNINSTALL (PLUGIN [IF EXISTS] name | SONAME [IF EXISTS] string | COMPONENT strings) */
struct ast *parse_mysql_uninstall(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_UNINSTALL, SQL_OBJECT_PLUGIN);
    parse_advance(p);
    if (parse_accept(p, KW_PLUGIN)) {
        parse_mysql_if_exists(p, c);
        c->objects = parse_object(p, SQL_OBJECT_PLUGIN, parse_name(p));
    } else if (parse_accept(p, KW_SONAME)) {
        c->object = SQL_OBJECT_SONAME;
        parse_mysql_if_exists(p, c);
        c->args = parse_string(p);
    } else {
        c->object = SQL_OBJECT_COMPONENT;
        parse_expect(p, KW_COMPONENT);
        c->args = parse_comma_list(p, parse_string);
    }
    return parse_done(p, c);
}
