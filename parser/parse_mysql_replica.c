/*
 * parse_mysql_replica.c - replication: CHANGE MASTER, CHANGE REPLICATION, START and STOP of replicas and groups.
 *
 * The words of the options are many and grow with every version: an option's name is any word of the grammar before a `=`.
 */
#include "parser/parse_mysql_command.h"

struct ast *parse_mysql_opt_channel(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (!parse_accept2(p, KW_FOR, KW_CHANNEL)) return NULL;
    return parse_option(p, start, "for channel", parse_string(p));
}

/* ---- options ----------------------------------------------------------------------------------------------------------- */

/* OPTION named by the word at hand, which is read with its "="; false when it is no word of the grammar */
static struct ast_option *parse_option_start(struct sql_reader *p) {
    struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
    bool is_word = p->tok.kind >= KEYWORD_FIRST || parse_at_word(p, "assign_gtids_to_anonymous_transactions");
    if (!is_word) parse_fail(p, "syntax error: expected an option");
    option->name = parse_name_of_token(p);
    parse_expect(p, '=');
    return option;
}

/* value: string | number | NULL | word | "(" [ number { "," number } ] ")"; of PRIVILEGE_CHECKS_USER a user */
static struct ast *parse_change_value(struct sql_reader *p, bool is_user) {
    if (is_user && !parse_at(p, KW_NULL)) return parse_role(p);
    switch (p->tok.kind) {
    case TOKEN_STRING: case TOKEN_INTEGER: case TOKEN_NUMBER: case KW_NULL:
        return parse_literal(p);
    case '(': {
        parse_advance(p);
        struct ast *list = parse_at(p, ')') ? NULL : parse_comma_list(p, parse_mysql_number);
        parse_expect(p, ')');
        return list;
    }
    default:
        return parse_label(p);
    }
}

/* word "=" value */
static struct ast *parse_change_option(struct sql_reader *p) {
    bool is_user = parse_at(p, KW_PRIVILEGE_CHECKS_USER);
    struct ast_option *option = parse_option_start(p);
    option->values = parse_change_value(p, is_user);
    return parse_done(p, option);
}

/* ---- CHANGE ------------------------------------------------------------------------------------------------------------ */

/* item of a filter: "(" name "," name ")" | string | name [ "." name ] */
static struct ast *parse_filter_item(struct sql_reader *p) {
    if (!parse_at(p, '(')) return parse_at_string(p) ? parse_string(p) : parse_mysql_object(p, SQL_OBJECT_NONE);
    struct ast_list_expr *pair = PARSE_NODE(p, ast_list_expr, ROW);
    pair->items = parse_paren_names(p);
    return parse_done(p, pair);
}

/* word "=" "(" [ item { "," item } ] ")" */
static struct ast *parse_filter(struct sql_reader *p) {
    struct ast_option *option = parse_option_start(p);
    parse_expect(p, '(');
    if (!parse_at(p, ')')) option->values = parse_comma_list(p, parse_filter_item);
    parse_expect(p, ')');
    return parse_done(p, option);
}

/*
 * CHANGE MASTER [ connection ] TO option { "," option } [ FOR CHANNEL string ]
 * CHANGE REPLICATION { SOURCE TO option { "," option } | FILTER filter { "," filter } } [ FOR CHANNEL string ]
 */
struct ast *parse_mysql_change(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CHANGE, SQL_OBJECT_MASTER);
    parse_expect(p, KW_CHANGE);
    if (!p->is_mariadb && parse_accept(p, KW_REPLICATION) && parse_at(p, KW_FILTER)) {
        parse_advance(p);
        c->object = SQL_OBJECT_REPLICA;
        c->args = parse_comma_list(p, parse_filter);
        c->options = parse_mysql_opt_channel(p);
        return parse_done(p, c);
    }
    if (!parse_accept(p, KW_SOURCE)) parse_expect(p, KW_MASTER);
    if (p->is_mariadb) c->objects = parse_opt_string(p);
    parse_expect(p, KW_TO);
    c->args = parse_comma_list(p, parse_change_option);
    c->options = parse_mysql_opt_channel(p);
    return parse_done(p, c);
}

/* ---- START, STOP ------------------------------------------------------------------------------------------------------- */

/* SQL_THREAD | IO_THREAD | RELAY_THREAD */
static struct ast *parse_thread(struct sql_reader *p) {
    bool is_known = parse_at(p, KW_SQL_THREAD) || parse_at(p, KW_IO_THREAD) || parse_at(p, KW_RELAY_THREAD);
    if (!is_known) parse_fail(p, "syntax error: expected a thread");
    return parse_word(p);
}

/* word "=" expr | SQL_AFTER_MTS_GAPS */
static struct ast *parse_until_condition(struct sql_reader *p) {
    if (parse_at(p, KW_SQL_AFTER_MTS_GAPS)) return parse_word(p);
    struct ast_option *option = parse_option_start(p);
    option->values = parse_expr(p);
    return parse_done(p, option);
}

static bool at_login_option(const struct sql_reader *p) {
    return parse_at(p, KW_USER) || parse_at(p, KW_PASSWORD) || parse_at(p, KW_DEFAULT_AUTH) || parse_at(p, KW_PLUGIN_DIR);
}

/* [ thread { "," thread } ] [ UNTIL condition { "," condition } ] { USER "=" string ... } [ FOR CHANNEL string ] */
static void parse_replica_options(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    if (parse_at(p, KW_SQL_THREAD) || parse_at(p, KW_IO_THREAD) || parse_at(p, KW_RELAY_THREAD))
        c->args = parse_comma_list(p, parse_thread);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_UNTIL))
        parse_list_add(&options, parse_option(p, start, "until", parse_comma_list(p, parse_until_condition)));
    while (!p->is_mariadb && at_login_option(p)) parse_list_add(&options, parse_change_option(p));
    struct ast *channel = parse_mysql_opt_channel(p);
    if (channel) parse_list_add(&options, channel);
    c->options = options.first;
}

/* GROUP_REPLICATION [ USER "=" string { "," option } ] */
static void parse_group(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_GROUP;
    parse_expect(p, KW_GROUP_REPLICATION);
    if (at_login_option(p)) c->options = parse_comma_list(p, parse_change_option);
}

/* { START | STOP } { { SLAVE | REPLICA } [ connection ] options | ALL { SLAVES | REPLICAS } options | GROUP_REPLICATION ... } */
struct ast *parse_mysql_start_stop(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, parse_at(p, KW_START) ? SQL_START : SQL_STOP, SQL_OBJECT_REPLICA);
    parse_advance(p);
    if (parse_at(p, KW_GROUP_REPLICATION)) {
        parse_group(p, c);
        return parse_done(p, c);
    }
    if (p->is_mariadb && parse_accept(p, KW_ALL)) {
        c->node.flags |= AST_COMMAND_ALL;
        if (!parse_accept(p, KW_SLAVES)) parse_expect(p, KW_REPLICAS);
    } else {
        if (!parse_accept(p, KW_SLAVE)) parse_expect(p, KW_REPLICA);
        if (p->is_mariadb) c->objects = parse_opt_string(p);
    }
    parse_replica_options(p, c);
    return parse_done(p, c);
}
