/*
 * parse_mysql_session.c - SET of MySQL and MariaDB: what a session's state is made of.
 *
 * Every part of a list is a SETTING among the command's args, in the order written. Its op is the scope as far as the
 * statement says it: USER for @a, SYSTEM for @@a, SESSION, LOCAL, GLOBAL, PERSIST, PERSIST_ONLY, and NONE for a plain
 * name (a session's variable, a routine's own, NEW.a). The word GLOBAL or SESSION holds for the plain names that follow it
 * too, as both servers have it; these carry AST_SETTING_INHERITED.
 *
 * What is no variable is a SETTING with the words as its name, which no variable has: "names", "character set",
 * "password", "role", "default role". The users that a password or a default role is for are the command's objects. The
 * command's object says what the first part is.
 */
#include "parser/parse_mysql.h"

/* Ends a value here that is one word and no expression, such as BINARY alone? */
static bool is_value_end(uint16_t kind) {
    return kind == ',' || kind == ';' || kind == TOKEN_END || kind == KW_FOR;
}

/* value: expr | DEFAULT | ON | ALL | BINARY | ROW | SYSTEM */
static struct ast *parse_set_value(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_DEFAULT:
        return parse_peek(p, 1) == '(' ? parse_expr(p) : parse_expr_or_default(p);
    case KW_ON: case KW_ALL:
        return parse_word(p);
    case KW_BINARY: case KW_ROW: case KW_SYSTEM:
        return is_value_end(parse_peek(p, 1)) ? parse_word(p) : parse_expr(p);
    default:
        return parse_expr(p);
    }
}

/* { "=" | ":=" } */
static void parse_set_sign(struct sql_reader *p) {
    if (!parse_accept(p, TOKEN_ASSIGN)) parse_expect(p, '=');
}

static bool is_set_sign(uint16_t kind) {
    return kind == '=' || kind == TOKEN_ASSIGN;
}

/* NAMES { charset | DEFAULT } [ COLLATE name ]; MySQL: no COLLATE behind DEFAULT, and no DEFAULT behind COLLATE */
static struct ast *parse_set_names(struct sql_reader *p) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    uint32_t start = p->tok.start;
    parse_expect(p, KW_NAMES);
    s->names = parse_name_static(p, start, "names");
    struct parse_list values;
    parse_list_init(&values);
    bool is_default = parse_at(p, KW_DEFAULT);
    parse_list_add(&values, is_default ? parse_expr_or_default(p) : parse_mysql_charset_name(p));
    start = p->tok.start;
    bool has_collation = (p->is_mariadb || !is_default) && parse_accept(p, KW_COLLATE);
    if (has_collation && !p->is_mariadb && parse_at(p, KW_DEFAULT)) parse_fail(p, "syntax error: expected a collation");
    if (has_collation) parse_list_add(&values, parse_option(p, start, "collate", parse_mysql_collation_name(p)));
    s->values = values.first;
    return parse_done(p, s);
}

/* { CHARACTER SET | CHAR SET | CHARSET } { charset | DEFAULT } */
static struct ast *parse_set_charset(struct sql_reader *p) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    uint32_t start = p->tok.start;
    if (!parse_mysql_accept_charset(p)) parse_expect(p, KW_CHARSET);
    s->names = parse_name_static(p, start, "character set");
    s->values = parse_at(p, KW_DEFAULT) ? parse_expr_or_default(p) : parse_mysql_charset_name(p);
    return parse_done(p, s);
}

/* [ REPLACE string ] [ RETAIN CURRENT PASSWORD ], of MySQL */
static struct ast *parse_password_tail(struct sql_reader *p) {
    struct parse_list options;
    parse_list_init(&options);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_REPLACE)) parse_list_add(&options, parse_option(p, start, "replace", parse_string(p)));
    start = p->tok.start;
    if (parse_accept3(p, KW_RETAIN, KW_CURRENT, KW_PASSWORD))
        parse_list_add(&options, parse_option(p, start, "retain current password", NULL));
    return options.first;
}

/* string | { PASSWORD | OLD_PASSWORD } "(" string ")" */
static struct ast *parse_password_value(struct sql_reader *p) {
    bool is_call = parse_at(p, KW_PASSWORD) || parse_at(p, KW_OLD_PASSWORD);
    return is_call && parse_peek(p, 1) == '(' ? parse_expr_primary(p) : parse_string(p);
}

/* PASSWORD [ FOR user ] { "=" string | "=" PASSWORD(string) | TO RANDOM } [ REPLACE string ] [ RETAIN CURRENT PASSWORD ] */
static struct ast *parse_set_password(struct sql_reader *p, struct ast_command *set) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    uint32_t start = p->tok.start;
    parse_expect(p, KW_PASSWORD);
    s->names = parse_name_static(p, start, "password");
    if (parse_accept(p, KW_FOR)) set->objects = parse_role(p);
    if (!p->is_mariadb && parse_accept(p, KW_TO)) {
        if (!parse_at_word(p, "random")) parse_fail(p, "syntax error: expected RANDOM");
        s->values = parse_name_of_token(p);
    } else {
        parse_set_sign(p);
        s->values = parse_password_value(p);
    }
    if (!p->is_mariadb) set->options = parse_password_tail(p);
    return parse_done(p, s);
}

/* READ { ONLY | WRITE }: a flag of the command */
static void parse_access_mode(struct sql_reader *p, struct ast_command *set) {
    parse_expect(p, KW_READ);
    bool is_only = parse_accept(p, KW_ONLY);
    if (!is_only) parse_expect(p, KW_WRITE);
    set->node.flags |= is_only ? AST_COMMAND_READ_ONLY : AST_COMMAND_READ_WRITE;
}

/* ISOLATION LEVEL level: an option */
static void parse_isolation_level(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_ISOLATION);
    parse_expect(p, KW_LEVEL);
    uint32_t at = p->tok.start;
    const char *level = NULL;
    if (parse_accept2(p, KW_READ, KW_UNCOMMITTED)) level = "read uncommitted";
    else if (parse_accept2(p, KW_READ, KW_COMMITTED)) level = "read committed";
    else if (parse_accept2(p, KW_REPEATABLE, KW_READ)) level = "repeatable read";
    else if (parse_accept(p, KW_SERIALIZABLE)) level = "serializable";
    else parse_fail(p, "syntax error: expected an isolation level");
    if (level) parse_list_add(options, parse_option(p, start, "isolation level", parse_name_static(p, at, level)));
}

/* TRANSACTION { level [ "," mode ] | mode [ "," level ] } */
static void parse_set_transaction(struct sql_reader *p, struct ast_command *set) {
    struct parse_list options;
    parse_list_init(&options);
    set->object = SQL_OBJECT_TRANSACTION;
    parse_expect(p, KW_TRANSACTION);
    bool is_mode = parse_at(p, KW_READ);
    if (is_mode) parse_access_mode(p, set);
    else parse_isolation_level(p, &options);
    if (parse_accept(p, ',')) {
        if (is_mode) parse_isolation_level(p, &options);
        else parse_access_mode(p, set);
    }
    set->options = options.first;
}

/* ROLE { NONE | DEFAULT | ALL [ EXCEPT role { "," role } ] | role { "," role } } */
static struct ast *parse_set_role(struct sql_reader *p) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    uint32_t start = p->tok.start;
    parse_expect(p, KW_ROLE);
    s->names = parse_name_static(p, start, "role");
    bool is_word = parse_at(p, KW_NONE) || (!p->is_mariadb && (parse_at(p, KW_DEFAULT) || parse_at(p, KW_ALL)));
    if (!is_word) {
        s->values = p->is_mariadb ? parse_role(p) : parse_comma_list(p, parse_role);
        return parse_done(p, s);
    }
    bool is_all = parse_at(p, KW_ALL);
    s->values = parse_word(p);
    start = p->tok.start;
    if (is_all && parse_accept(p, KW_EXCEPT))
        parse_append(&s->values, parse_option(p, start, "except", parse_comma_list(p, parse_role)));
    return parse_done(p, s);
}

/* DEFAULT ROLE { NONE | ALL | role { "," role } } { [ FOR user ] | TO user { "," user } } */
static struct ast *parse_set_default_role(struct sql_reader *p, struct ast_command *set) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    uint32_t start = p->tok.start;
    parse_expect(p, KW_DEFAULT);
    parse_expect(p, KW_ROLE);
    s->names = parse_name_static(p, start, "default role");
    bool is_word = parse_at(p, KW_NONE) || (!p->is_mariadb && parse_at(p, KW_ALL));
    if (is_word) s->values = parse_word(p);
    else s->values = p->is_mariadb ? parse_role(p) : parse_comma_list(p, parse_role);
    if (!p->is_mariadb) {
        parse_expect(p, KW_TO);
        set->objects = parse_comma_list(p, parse_role);
    } else if (parse_accept(p, KW_FOR)) {
        set->objects = parse_role(p);
    }
    return parse_done(p, s);
}

/* RESOURCE GROUP name [ FOR n { [ "," ] n } ] */
static void parse_set_resource_group(struct sql_reader *p, struct ast_command *set) {
    set->object = SQL_OBJECT_RESOURCE;
    parse_expect(p, KW_RESOURCE);
    parse_expect(p, KW_GROUP);
    set->objects = parse_object(p, SQL_OBJECT_RESOURCE, parse_name(p));
    if (!parse_accept(p, KW_FOR)) return;
    struct parse_list threads;
    parse_list_init(&threads);
    do parse_list_add(&threads, parse_literal(p));
    while (parse_accept(p, ',') || parse_at(p, TOKEN_INTEGER));
    set->args = threads.first;
}

/* name [ "." name ] of a variable, with DEFAULT as its first part too; a keyword is a name behind a dot */
static struct ast *parse_variable_names(struct sql_reader *p) {
    struct parse_list names;
    parse_list_init(&names);
    bool is_default = parse_at(p, KW_DEFAULT) && parse_peek(p, 1) == '.';
    parse_list_add(&names, is_default ? parse_name_of_token(p) : parse_name(p));
    if (parse_accept(p, '.')) parse_list_add(&names, parse_label(p));
    return names.first;
}

/* The list being read: the scope that was written last holds for plain names. */
struct set_list {
    struct ast_command *set;
    enum ast_scope_op scope;
};

/* [ GLOBAL | SESSION | LOCAL | PERSIST | PERSIST_ONLY ] names */
static void parse_scoped_names(struct sql_reader *p, struct ast_setting *s, struct set_list *list) {
    enum ast_scope_op scope = parse_mysql_scope(p->tok.kind);
    uint16_t next = scope == SCOPE_NONE ? 0 : parse_peek(p, 1);
    bool is_name = p->is_mariadb && (next == '.' || is_set_sign(next));
    if (scope != SCOPE_NONE && !is_name) {
        list->scope = scope;
        parse_advance(p);
    } else if (list->scope != SCOPE_NONE) {
        s->node.flags |= AST_SETTING_INHERITED;
    }
    s->node.op = (uint16_t)list->scope;
    s->names = parse_variable_names(p);
}

/* "@" name | "@@" variable, where the variable may also be DEFAULT "." name: a key cache's */
static void parse_at_variable(struct sql_reader *p, struct ast_setting *s) {
    if (parse_at(p, TOKEN_SYSTEM_VARIABLE) && parse_peek(p, 1) == KW_DEFAULT) {
        parse_advance(p);
        s->node.op = SCOPE_SYSTEM;
        s->names = parse_variable_names(p);
        return;
    }
    struct ast *variable = parse_variable(p);
    s->node.op = variable->op;
    if (variable->kind == AST_VARIABLE) s->names = AST_AS(variable, VARIABLE, variable)->names;
}

/* [ scope ] names sign value | "@" name sign expr | "@@" variable sign value */
static struct ast *parse_set_variable(struct sql_reader *p, struct set_list *list) {
    struct ast_setting *s = PARSE_NODE(p, ast_setting, SETTING);
    if (parse_at(p, TOKEN_USER_VARIABLE) || parse_at(p, TOKEN_SYSTEM_VARIABLE)) {
        parse_at_variable(p, s);
    } else {
        parse_scoped_names(p, s, list);
    }
    parse_set_sign(p);
    s->values = s->node.op == SCOPE_USER ? parse_expr(p) : parse_set_value(p);
    return parse_done(p, s);
}

/* Is the word at hand, with the next one known, the beginning of a variable's name? */
static bool is_variable(uint16_t next) {
    return is_set_sign(next) || next == '.';
}

/* item of a list: NAMES ... | CHARACTER SET ... | PASSWORD ... | ROLE ... | DEFAULT ROLE ... | variable */
static struct ast *parse_set_item(struct sql_reader *p, struct set_list *list) {
    uint16_t kind = p->tok.kind;
    uint16_t next = kind >= KEYWORD_FIRST ? parse_peek(p, 1) : 0;
    switch (kind) {
    case KW_NAMES:
        if (is_set_sign(next) && p->routine_depth == 0) parse_fail(p, "syntax error: no variable has this name");
        return is_variable(next) ? parse_set_variable(p, list) : parse_set_names(p);
    case KW_CHARACTER: case KW_CHAR:
        return parse_set_charset(p);
    case KW_CHARSET:
        return is_variable(next) ? parse_set_variable(p, list) : parse_set_charset(p);
    case KW_PASSWORD:
        return next == '.' ? parse_set_variable(p, list) : parse_set_password(p, list->set);
    case KW_ROLE:
        return is_variable(next) ? parse_set_variable(p, list) : parse_set_role(p);
    case KW_DEFAULT:
        return next == KW_ROLE ? parse_set_default_role(p, list->set) : parse_set_variable(p, list);
    default:
        return parse_set_variable(p, list);
    }
}

/* What the first item of a list makes of the command. */
static enum sql_object object_of_first(uint16_t kind, uint16_t next) {
    if (next == '.' || (is_set_sign(next) && kind != KW_PASSWORD)) return SQL_OBJECT_NONE;
    switch (kind) {
    case KW_NAMES: return SQL_OBJECT_NAMES;
    case KW_CHARACTER: case KW_CHAR: case KW_CHARSET: return SQL_OBJECT_CHARACTER_SET;
    case KW_PASSWORD: return SQL_OBJECT_PASSWORD;
    case KW_ROLE: return SQL_OBJECT_ROLE;
    case KW_DEFAULT: return SQL_OBJECT_DEFAULT_ROLE;
    default: return SQL_OBJECT_NONE;
    }
}

/* item { "," item } */
static void parse_set_list(struct sql_reader *p, struct ast_command *set) {
    struct set_list list = {.set = set, .scope = SCOPE_NONE};
    struct parse_list items;
    parse_list_init(&items);
    do parse_list_add(&items, parse_set_item(p, &list));
    while (parse_accept(p, ','));
    set->args = items.first;
}

/* MariaDB: STATEMENT variable { "," variable } FOR statement */
static void parse_set_statement(struct sql_reader *p, struct ast_command *set) {
    set->object = SQL_OBJECT_STATEMENT;
    struct set_list list = {.set = set, .scope = SCOPE_NONE};
    struct parse_list items;
    parse_list_init(&items);
    parse_expect(p, KW_STATEMENT);
    do {
        bool is_plain = parse_mysql_scope(p->tok.kind) == SCOPE_NONE || is_variable(parse_peek(p, 1));
        if (!is_plain || parse_at(p, TOKEN_USER_VARIABLE) || parse_at(p, TOKEN_SYSTEM_VARIABLE)) parse_fail(p, "syntax error");
        parse_list_add(&items, parse_set_variable(p, &list));
    } while (parse_accept(p, ','));
    set->args = items.first;
    parse_expect(p, KW_FOR);
    if (!parse_enter(p)) return;
    set->query = parse_statement(p);
    parse_leave(p);
}

/* [ GLOBAL | SESSION | LOCAL ] TRANSACTION { ISOLATION | READ }: the flag of the scope; false when it is something else */
static bool parse_opt_set_transaction(struct sql_reader *p, struct ast_command *set) {
    enum ast_scope_op scope = parse_mysql_scope(p->tok.kind);
    unsigned at = scope != SCOPE_NONE;
    uint16_t kind = at ? parse_peek(p, 1) : p->tok.kind;
    if (kind != KW_TRANSACTION) return false;
    uint16_t next = parse_peek(p, at + 1);
    if (next != KW_ISOLATION && next != KW_READ) return false;
    if (scope == SCOPE_GLOBAL) set->node.flags |= AST_COMMAND_GLOBAL;
    else if (scope == SCOPE_SESSION) set->node.flags |= AST_COMMAND_SESSION;
    else if (scope == SCOPE_LOCAL) set->node.flags |= AST_COMMAND_LOCAL;
    if (at) parse_advance(p);
    parse_set_transaction(p, set);
    return true;
}

/*
 * SET item { "," item } | SET [ scope ] TRANSACTION ... | SET RESOURCE GROUP ... | SET STATEMENT settings FOR statement
 */
struct ast *parse_mysql_set(struct sql_reader *p) {
    struct ast_command *set = parse_command(p, SQL_SET, SQL_OBJECT_NONE);
    parse_expect(p, KW_SET);
    uint16_t kind = p->tok.kind;
    uint16_t next = kind >= KEYWORD_FIRST ? parse_peek(p, 1) : 0;
    if (parse_opt_set_transaction(p, set)) return parse_done(p, set);
    if (kind == KW_STATEMENT && p->is_mariadb && !is_variable(next)) parse_set_statement(p, set);
    else if (kind == KW_RESOURCE && next == KW_GROUP) parse_set_resource_group(p, set);
    else {
        set->object = (uint16_t)object_of_first(kind, next);
        parse_set_list(p, set);
    }
    return parse_done(p, set);
}
