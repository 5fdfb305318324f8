/*
 * parse_mysql_grant.c - GRANT and REVOKE: of privileges on objects, of PROXY, of roles.
 *
 * What is granted stands in `args` (OPTIONs named by the privilege's words with the columns as values, or role OBJECTs), on
 * what in `objects` (a TABLE, or an OBJECT with `*` as a STAR), to whom in `elements` (user OBJECTs).
 */
#include "parser/parse_mysql_ddl.h"

/* ---- privileges ------------------------------------------------------------------------------------------------------ */

/* Privileges by their words; the first word says where to look. */
static const struct privilege {
    uint16_t words[3];
    const char *name;
} privileges[] = {
    {{KW_ALL, KW_PRIVILEGES}, "all privileges"},
    {{KW_ALL}, "all"},
    {{KW_SELECT}, "select"},
    {{KW_INSERT}, "insert"},
    {{KW_UPDATE}, "update"},
    {{KW_REFERENCES}, "references"},
    {{KW_DELETE, KW_HISTORY}, "delete history"},
    {{KW_DELETE}, "delete"},
    {{KW_USAGE}, "usage"},
    {{KW_INDEX}, "index"},
    {{KW_ALTER, KW_ROUTINE}, "alter routine"},
    {{KW_ALTER}, "alter"},
    {{KW_CREATE, KW_TEMPORARY, KW_TABLES}, "create temporary tables"},
    {{KW_CREATE, KW_VIEW}, "create view"},
    {{KW_CREATE, KW_ROUTINE}, "create routine"},
    {{KW_CREATE, KW_USER}, "create user"},
    {{KW_CREATE, KW_TABLESPACE}, "create tablespace"},
    {{KW_CREATE, KW_ROLE}, "create role"},
    {{KW_CREATE}, "create"},
    {{KW_DROP, KW_ROLE}, "drop role"},
    {{KW_DROP}, "drop"},
    {{KW_EXECUTE}, "execute"},
    {{KW_RELOAD}, "reload"},
    {{KW_SHUTDOWN}, "shutdown"},
    {{KW_PROCESS}, "process"},
    {{KW_FILE}, "file"},
    {{KW_GRANT, KW_OPTION}, "grant option"},
    {{KW_SHOW, KW_DATABASES}, "show databases"},
    {{KW_SHOW, KW_VIEW}, "show view"},
    {{KW_SHOW, KW_CREATE, KW_ROUTINE}, "show create routine"},
    {{KW_SUPER}, "super"},
    {{KW_LOCK, KW_TABLES}, "lock tables"},
    {{KW_REPLICATION, KW_SLAVE, KW_ADMIN}, "replication slave admin"},
    {{KW_REPLICATION, KW_REPLICA, KW_ADMIN}, "replication replica admin"},
    {{KW_REPLICATION, KW_MASTER, KW_ADMIN}, "replication master admin"},
    {{KW_REPLICATION, KW_SLAVE}, "replication slave"},
    {{KW_REPLICATION, KW_REPLICA}, "replication replica"},
    {{KW_REPLICATION, KW_CLIENT}, "replication client"},
    {{KW_EVENT}, "event"},
    {{KW_TRIGGER}, "trigger"},
    {{KW_BINLOG, KW_ADMIN}, "binlog admin"},
    {{KW_BINLOG, KW_MONITOR}, "binlog monitor"},
    {{KW_BINLOG, KW_REPLAY}, "binlog replay"},
    {{KW_FEDERATED, KW_ADMIN}, "federated admin"},
    {{KW_CONNECTION, KW_ADMIN}, "connection admin"},
    {{KW_READ_ONLY, KW_ADMIN}, "read_only admin"},
    {{KW_READ, KW_ONLY, KW_ADMIN}, "read only admin"},
    {{KW_SET, KW_USER}, "set user"},
    {{KW_SLAVE, KW_MONITOR}, "slave monitor"},
    {{KW_REPLICA, KW_MONITOR}, "replica monitor"},
};

static unsigned word_count(const struct privilege *privilege) {
    unsigned n = 0;
    while (n < 3 && privilege->words[n]) n++;
    return n;
}

/* The privilege that is written here, or NULL. */
static const struct privilege *privilege_here(struct sql_reader *p) {
    for (size_t i = 0; i < sizeof privileges / sizeof *privileges; i++) {
        const struct privilege *privilege = &privileges[i];
        unsigned n = word_count(privilege), found = 1;
        if (!parse_at(p, privilege->words[0])) continue;
        while (found < n && parse_peek(p, found) == privilege->words[found]) found++;
        if (found == n) return privilege;
    }
    return NULL;
}

/* privilege ["(" columns ")"] | role, which in MariaDB may be named EVENT */
static struct ast *privilege_or_role(struct sql_reader *p) {
    const struct privilege *privilege = privilege_here(p);
    uint32_t start = p->tok.start;
    bool is_before_users = parse_peek(p, 1) == KW_TO || parse_peek(p, 1) == KW_FROM;
    if (!privilege || (p->is_mariadb && parse_at_name(p) && is_before_users)) return parse_mysql_user_name(p);
    struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
    for (unsigned i = word_count(privilege); i > 0; i--) parse_advance(p);
    option->name = parse_name_static(p, start, privilege->name);
    option->values = parse_opt_paren_names(p);
    return parse_done(p, option);
}

/* ---- on what --------------------------------------------------------------------------------------------------------- */

static struct ast *star(struct sql_reader *p) {
    struct ast *node = PARSE_NODE(p, ast, STAR);
    parse_expect(p, '*');
    return parse_done(p, node);
}

/* "*" | "*" "." "*" | name "." "*": OBJECT of DATABASE | [name "."] name: TABLE */
static struct ast *table_or_database(struct sql_reader *p) {
    if (!parse_at(p, '*') && !(parse_peek(p, 1) == '.' && parse_peek(p, 2) == '*')) return parse_table_name(p);
    struct ast_object *object = PARSE_NODE(p, ast_object, OBJECT);
    object->node.op = SQL_OBJECT_DATABASE;
    object->names = parse_at(p, '*') ? star(p) : parse_name(p);
    if (parse_accept(p, '.')) parse_append(&object->names, star(p));
    return parse_done(p, object);
}

/* [TABLE] table | (FUNCTION | PROCEDURE | LIBRARY | PACKAGE [BODY]) name */
static struct ast *target(struct sql_reader *p) {
    enum sql_object object;
    switch (p->tok.kind) {
    case KW_TABLE: parse_advance(p); return table_or_database(p);
    case KW_FUNCTION: object = SQL_OBJECT_FUNCTION; break;
    case KW_PROCEDURE: object = SQL_OBJECT_PROCEDURE; break;
    case KW_LIBRARY: object = SQL_OBJECT_LIBRARY; break;
    case KW_PACKAGE: object = SQL_OBJECT_PACKAGE; break;
    default: return table_or_database(p);
    }
    uint16_t next = parse_peek(p, 1);
    if (next == '.' || next == KW_TO || next == KW_FROM) return table_or_database(p); /* a table named so */
    parse_advance(p);
    if (object == SQL_OBJECT_PACKAGE && parse_accept(p, KW_BODY)) object = SQL_OBJECT_PACKAGE_BODY;
    return parse_mysql_object(p, object);
}

/* ON target; MariaDB knows all privileges by their words, in MySQL a name may be one */
static void on_target(struct sql_reader *p, struct ast_command *c) {
    for (const struct ast *a = c->args; a && p->is_mariadb; a = a->next) {
        if (a->kind != AST_OPTION) parse_fail_at(p, a->start, "syntax error: unknown privilege");
    }
    parse_expect(p, KW_ON);
    c->objects = target(p);
}

/* Roles, without ON: one in MariaDB, any number in MySQL */
static void check_roles(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_ROLE;
    for (const struct ast *a = c->args; a; a = a->next) {
        if (a->kind != AST_OBJECT || (p->is_mariadb && a->next)) parse_fail(p, "syntax error: expected ON");
    }
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* WITH { GRANT OPTION | ADMIN OPTION | limit } */
static void with_options(struct sql_reader *p, struct parse_list *options) {
    struct ast *limit;
    if (!parse_accept(p, KW_WITH)) return;
    for (bool is_first = true;; is_first = false) {
        if (parse_at(p, KW_GRANT) && parse_peek(p, 1) == KW_OPTION) {
            parse_list_add(options, parse_mysql_words(p, "with grant option", 2));
        } else if (parse_at(p, KW_ADMIN) && parse_peek(p, 1) == KW_OPTION) {
            parse_list_add(options, parse_mysql_words(p, "with admin option", 2));
        } else if ((limit = parse_mysql_opt_user_limit(p))) {
            parse_list_add(options, limit);
        } else {
            if (is_first) parse_fail(p, "syntax error: expected GRANT OPTION");
            return;
        }
    }
}

/* [AS user [WITH ROLE ({ DEFAULT | NONE | ALL [EXCEPT roles] | roles })]] (MySQL) */
static void grant_as(struct sql_reader *p, struct parse_list *options) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    if (p->is_mariadb || !parse_accept(p, KW_AS)) return;
    parse_list_init(&list);
    parse_list_add(&list, parse_mysql_user_name(p));
    if (parse_accept2(p, KW_WITH, KW_ROLE)) {
        if (parse_at(p, KW_DEFAULT) || parse_at(p, KW_NONE)) {
            parse_list_add(&list, parse_word(p));
        } else if (parse_at(p, KW_ALL)) {
            parse_list_add(&list, parse_word(p));
            if (parse_accept(p, KW_EXCEPT)) parse_mysql_append(&list, parse_comma_list(p, parse_mysql_user_name));
        } else {
            parse_mysql_append(&list, parse_comma_list(p, parse_mysql_user_name));
        }
    }
    parse_list_add(options, parse_option(p, start, "as", list.first));
}

/* PROXY ON user: what is granted is a word, on an OBJECT that is a user */
static bool proxy(struct sql_reader *p, struct ast_command *c) {
    if (!parse_at(p, KW_PROXY) || parse_peek(p, 1) != KW_ON) return false;
    c->object = SQL_OBJECT_USER;
    c->args = parse_word(p);
    parse_advance(p);
    c->objects = parse_mysql_user_name(p);
    return true;
}

/* GRANT (privileges ON target | PROXY ON user | roles) TO users [REQUIRE ...] [WITH ...] [AS user ...] */
struct ast *parse_mysql_grant(struct sql_reader *p) {
    struct parse_list options;
    struct ast_command *c = parse_command(p, SQL_GRANT, SQL_OBJECT_NONE);
    parse_list_init(&options);
    parse_advance(p);
    if (!proxy(p, c)) {
        c->args = parse_comma_list(p, privilege_or_role);
        if (parse_at(p, KW_ON)) on_target(p, c);
        else check_roles(p, c);
    }
    parse_expect(p, KW_TO);
    c->elements = parse_comma_list(p, parse_mysql_user_auth);
    parse_mysql_user_require(p, &options);
    with_options(p, &options);
    grant_as(p, &options);
    c->options = options.first;
    return parse_done(p, c);
}

/* REVOKE [IF EXISTS] (privileges ON target | PROXY ON user | ALL PRIVILEGES "," GRANT OPTION | [ADMIN OPTION FOR] roles)
   FROM users [IGNORE UNKNOWN USER] */
struct ast *parse_mysql_revoke(struct sql_reader *p) {
    struct parse_list options;
    struct ast_command *c = parse_command(p, SQL_REVOKE, SQL_OBJECT_NONE);
    parse_list_init(&options);
    parse_advance(p);
    parse_mysql_if_exists(p, c);
    if (!proxy(p, c)) {
        if (parse_at(p, KW_ADMIN) && parse_peek(p, 1) == KW_OPTION) {
            parse_list_add(&options, parse_mysql_words(p, "admin option for", 2));
            parse_expect(p, KW_FOR);
        }
        c->args = parse_comma_list(p, privilege_or_role);
        if (parse_at(p, KW_ON)) on_target(p, c);
        else if (!p->failed && c->args->kind == AST_OBJECT) check_roles(p, c);
    }
    parse_expect(p, KW_FROM);
    c->elements = parse_comma_list(p, parse_mysql_user_name);
    if (parse_at(p, KW_IGNORE)) parse_list_add(&options, parse_mysql_words(p, "ignore unknown user", 3));
    c->options = options.first;
    return parse_done(p, c);
}
