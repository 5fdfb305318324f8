/*
 * parse_mysql_admin.c - statements that administer a server: FLUSH, RESET, PURGE, KILL, BACKUP, SHUTDOWN, CLONE, IMPORT.
 */
#include "parser/parse_mysql_command.h"

void parse_mysql_opt_no_binlog(struct sql_reader *p, struct ast_command *c) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_LOCAL) || parse_accept(p, KW_NO_WRITE_TO_BINLOG))
        c->options = parse_option(p, start, "no_write_to_binlog", NULL);
}

/* ---- FLUSH ------------------------------------------------------------------------------------------------------------- */

/* { TABLES | TABLE } [ table { "," table } ] [ WITH READ LOCK [ AND DISABLE CHECKPOINT ] | FOR EXPORT ] */
static void parse_flush_tables(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_TABLE;
    parse_advance(p);
    if (!parse_at(p, KW_WITH) && !parse_at(p, ';') && !parse_at(p, TOKEN_END)) c->objects = parse_comma_list(p, parse_table_name);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_WITH)) {
        parse_expect(p, KW_READ);
        parse_expect(p, KW_LOCK);
        bool has_more = p->is_mariadb && parse_accept3(p, KW_AND, KW_DISABLE, KW_CHECKPOINT);
        c->args = parse_option(p, start, has_more ? "with read lock and disable checkpoint" : "with read lock", NULL);
    } else if (c->objects && parse_accept(p, KW_FOR)) {
        parse_expect(p, KW_EXPORT);
        c->args = parse_option(p, start, "for export", NULL);
    }
}

/* BINARY LOGS [ DELETE_DOMAIN_ID "=" "(" [ n { "," n } ] ")" ] */
static struct ast *parse_flush_binary_logs(struct sql_reader *p, uint32_t start) {
    struct ast *ids = NULL;
    parse_expect(p, KW_LOGS);
    if (p->is_mariadb && parse_accept(p, KW_DELETE_DOMAIN_ID)) {
        parse_expect(p, '=');
        parse_expect(p, '(');
        if (!parse_at(p, ')')) ids = parse_comma_list(p, parse_signed_number);
        parse_expect(p, ')');
    }
    return parse_option(p, start, "binary logs", ids);
}

/* RELAY LOGS [ connection ] [ FOR CHANNEL string ] */
static struct ast *parse_flush_relay_logs(struct sql_reader *p, uint32_t start) {
    parse_expect(p, KW_LOGS);
    struct ast *connection = p->is_mariadb ? parse_opt_string(p) : NULL;
    if (!connection) connection = parse_mysql_opt_channel(p);
    return parse_option(p, start, "relay logs", connection);
}

/* { ENGINE | ERROR | GENERAL | SLOW } LOGS */
static struct ast *parse_flush_logs(struct sql_reader *p, uint32_t start, const char *name) {
    parse_advance(p);
    parse_expect(p, KW_LOGS);
    return parse_option(p, start, name, NULL);
}

/* { GLOBAL | SESSION } STATUS, of MariaDB 11.5 */
static struct ast *parse_flush_scoped_status(struct sql_reader *p, uint32_t start) {
    bool is_global = parse_at(p, KW_GLOBAL);
    if (!p->is_mariadb || p->options->version < 110500) parse_fail(p, "syntax error");
    parse_advance(p);
    parse_expect(p, KW_STATUS);
    return parse_option(p, start, is_global ? "global status" : "session status", NULL);
}

/* item: a kind of logs | QUERY CACHE | one word: a NAME, of plugins too */
static struct ast *parse_flush_item(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_BINARY: parse_advance(p); return parse_flush_binary_logs(p, start);
    case KW_RELAY: parse_advance(p); return parse_flush_relay_logs(p, start);
    case KW_ENGINE: return parse_flush_logs(p, start, "engine logs");
    case KW_ERROR: return parse_flush_logs(p, start, "error logs");
    case KW_GENERAL: return parse_flush_logs(p, start, "general logs");
    case KW_SLOW: return parse_flush_logs(p, start, "slow logs");
    case KW_GLOBAL: case KW_SESSION: return parse_flush_scoped_status(p, start);
    case KW_QUERY:
        parse_advance(p);
        parse_expect(p, KW_CACHE);
        return parse_option(p, start, "query cache", NULL);
    case KW_LOGS: case KW_STATUS: case KW_HOSTS: case KW_PRIVILEGES: case KW_USER_RESOURCES: case KW_DES_KEY_FILE:
    case KW_MASTER: case KW_SLAVE: case KW_REPLICA: case KW_OPTIMIZER_COSTS: case KW_THREADS: case KW_SSL:
        return parse_name_of_token(p);
    case TOKEN_IDENT: /* what plugins of MariaDB's bring along */
        if (!p->is_mariadb) break;
        return parse_name_of_token(p);
    default: break;
    }
    parse_fail(p, "syntax error: nothing that can be flushed");
    return parse_name_of_token(p);
}

/* FLUSH [ LOCAL | NO_WRITE_TO_BINLOG ] { TABLES ... | item { "," item } }: the items are args */
struct ast *parse_mysql_flush(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_FLUSH, SQL_OBJECT_NONE);
    parse_expect(p, KW_FLUSH);
    parse_mysql_opt_no_binlog(p, c);
    if (parse_at(p, KW_TABLES) || parse_at(p, KW_TABLE)) parse_flush_tables(p, c);
    else c->args = parse_comma_list(p, parse_flush_item);
    return parse_done(p, c);
}

/* ---- RESET, PURGE ------------------------------------------------------------------------------------------------------ */

/* { SLAVE | REPLICA } [ connection ] [ ALL ] [ FOR CHANNEL string ] */
static struct ast *parse_reset_replica(struct sql_reader *p, uint32_t start) {
    struct parse_list values;
    parse_list_init(&values);
    parse_advance(p);
    struct ast *connection = p->is_mariadb ? parse_opt_string(p) : NULL;
    if (connection) parse_list_add(&values, connection);
    if (parse_at(p, KW_ALL)) parse_list_add(&values, parse_word(p));
    struct ast *channel = parse_mysql_opt_channel(p);
    if (channel) parse_list_add(&values, channel);
    return parse_option(p, start, "replica", values.first);
}

/* item: MASTER [ TO number ] | BINARY LOGS AND GTIDS [ TO number ] | replica | QUERY CACHE */
static struct ast *parse_reset_item(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_SLAVE: case KW_REPLICA:
        return parse_reset_replica(p, start);
    case KW_QUERY:
        parse_advance(p);
        parse_expect(p, KW_CACHE);
        return parse_option(p, start, "query cache", NULL);
    case KW_MASTER:
        parse_advance(p);
        break;
    default:
        parse_expect(p, KW_BINARY);
        parse_expect(p, KW_LOGS);
        parse_expect(p, KW_AND);
        parse_expect(p, KW_GTIDS);
        break;
    }
    return parse_option(p, start, "binary logs", parse_accept(p, KW_TO) ? parse_mysql_number(p) : NULL);
}

/* RESET item { "," item } | RESET PERSIST [ [ IF EXISTS ] name { "." name } ] */
struct ast *parse_mysql_reset(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_RESET, SQL_OBJECT_NONE);
    parse_expect(p, KW_RESET);
    if (!parse_accept(p, KW_PERSIST)) {
        c->args = parse_comma_list(p, parse_reset_item);
        return parse_done(p, c);
    }
    c->object = SQL_OBJECT_VARIABLE;
    bool is_needed = parse_accept2(p, KW_IF, KW_EXISTS);
    if (is_needed) c->node.flags |= AST_COMMAND_IF_EXISTS;
    if (is_needed || parse_at_name(p)) c->objects = parse_object(p, SQL_OBJECT_VARIABLE, parse_qualified_name(p));
    return parse_done(p, c);
}

/* PURGE { BINARY | MASTER } LOGS { TO string | BEFORE expr } */
struct ast *parse_mysql_purge(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_PURGE, SQL_OBJECT_BINARY_LOGS);
    parse_expect(p, KW_PURGE);
    if (!parse_accept(p, KW_MASTER)) parse_expect(p, KW_BINARY);
    parse_expect(p, KW_LOGS);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_TO)) {
        c->args = parse_option(p, start, "to", parse_string(p));
    } else {
        parse_expect(p, KW_BEFORE);
        c->args = parse_option(p, start, "before", parse_expr(p));
    }
    return parse_done(p, c);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------- */

/* KILL [ HARD | SOFT ] [ CONNECTION | QUERY [ ID ] ] { expr | USER user } */
struct ast *parse_mysql_kill(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_KILL, SQL_OBJECT_NONE);
    struct parse_list options;
    parse_list_init(&options);
    parse_expect(p, KW_KILL);
    if (p->is_mariadb && (parse_at(p, KW_HARD) || parse_at(p, KW_SOFT))) parse_list_add(&options, parse_word(p));
    bool is_query = parse_at(p, KW_QUERY);
    if (is_query || parse_at(p, KW_CONNECTION)) parse_list_add(&options, parse_word(p));
    if (p->is_mariadb && is_query && parse_at(p, KW_ID)) parse_list_add(&options, parse_word(p));
    c->options = options.first;
    if (p->is_mariadb && parse_at(p, KW_USER) && parse_peek(p, 1) != '(') {
        parse_advance(p);
        c->object = SQL_OBJECT_USER;
        c->objects = parse_role(p);
    } else {
        c->args = parse_expr(p);
    }
    return parse_done(p, c);
}

/* BINLOG { string | "@" name "," "@" name } */
struct ast *parse_mysql_binlog(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_BINLOG, SQL_OBJECT_NONE);
    parse_expect(p, KW_BINLOG);
    if (!p->is_mariadb || !parse_at(p, TOKEN_USER_VARIABLE)) {
        c->args = parse_string(p);
        return parse_done(p, c);
    }
    c->args = parse_variable(p);
    parse_expect(p, ',');
    parse_append(&c->args, parse_variable(p));
    return parse_done(p, c);
}

/* MariaDB: BACKUP { STAGE name | LOCK table | UNLOCK } */
struct ast *parse_mysql_backup(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_BACKUP, SQL_OBJECT_NONE);
    parse_expect(p, KW_BACKUP);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_STAGE)) {
        c->options = parse_option(p, start, "stage", parse_name(p));
    } else if (parse_accept(p, KW_LOCK)) {
        c->options = parse_option(p, start, "lock", NULL);
        c->objects = parse_table_name(p);
    } else {
        parse_expect(p, KW_UNLOCK);
        c->options = parse_option(p, start, "unlock", NULL);
    }
    return parse_done(p, c);
}

/* SHUTDOWN [ WAIT FOR ALL { SLAVES | REPLICAS } ] */
struct ast *parse_mysql_shutdown(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_SHUTDOWN, SQL_OBJECT_NONE);
    parse_expect(p, KW_SHUTDOWN);
    uint32_t start = p->tok.start;
    if (!p->is_mariadb || !parse_accept(p, KW_WAIT)) return parse_done(p, c);
    parse_expect(p, KW_FOR);
    parse_expect(p, KW_ALL);
    if (!parse_accept(p, KW_SLAVES)) parse_expect(p, KW_REPLICAS);
    c->options = parse_option(p, start, "wait for all replicas", NULL);
    return parse_done(p, c);
}

/* DATA DIRECTORY [ "=" ] string */
static struct ast *parse_data_directory(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_DATA);
    parse_expect(p, KW_DIRECTORY);
    parse_accept(p, '=');
    return parse_option(p, start, "data directory", parse_string(p));
}

/* INSTANCE FROM user ":" port IDENTIFIED BY string [ DATA DIRECTORY [ "=" ] string ] [ REQUIRE [ NO ] SSL ] */
static void parse_clone_instance(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_INSTANCE;
    parse_expect(p, KW_INSTANCE);
    parse_expect(p, KW_FROM);
    c->objects = parse_role(p);
    parse_expect(p, ':');
    c->args = parse_mysql_number(p);
    parse_expect(p, KW_IDENTIFIED);
    parse_expect(p, KW_BY);
    parse_string(p);
    if (parse_at(p, KW_DATA)) parse_list_add(&options, parse_data_directory(p));
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_REQUIRE)) {
        bool is_no = parse_accept(p, KW_NO);
        parse_expect(p, KW_SSL);
        parse_list_add(&options, parse_option(p, start, is_no ? "require no ssl" : "require ssl", NULL));
    }
    c->options = options.first;
}

/* MySQL: CLONE { LOCAL DATA DIRECTORY [ "=" ] string | INSTANCE ... } */
struct ast *parse_mysql_clone(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CLONE, SQL_OBJECT_NONE);
    parse_expect(p, KW_CLONE);
    if (parse_accept(p, KW_LOCAL)) {
        c->node.flags |= AST_COMMAND_LOCAL;
        c->options = parse_data_directory(p);
    } else {
        parse_clone_instance(p, c);
    }
    return parse_done(p, c);
}

/* MySQL: IMPORT TABLE FROM string { "," string } */
struct ast *parse_mysql_import(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_IMPORT, SQL_OBJECT_TABLE);
    parse_expect(p, KW_IMPORT);
    parse_expect(p, KW_TABLE);
    parse_expect(p, KW_FROM);
    c->args = parse_comma_list(p, parse_string);
    return parse_done(p, c);
}
