/*
 * parse_mysql_user.c - users and roles: who they are, how they prove it, what they may use up.
 *
 * A user is an OBJECT whose names are what is written: a name or string, and a host. How it proves who it is stands among
 * its args as OPTIONs. What holds for all users of the command is among the command's options.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- names ----------------------------------------------------------------------------------------------------------- */

/* user ["@" host] | CURRENT_USER ["(" ")"] | CURRENT_ROLE | USER "(" ")" */
struct ast *parse_mysql_user_name(struct sql_reader *p) {
    if (!p->is_mariadb && parse_at(p, KW_USER) && parse_peek(p, 1) == '(') {
        struct ast *names = parse_name_of_token(p);
        parse_advance(p);
        parse_expect(p, ')');
        return parse_object(p, SQL_OBJECT_USER, names);
    }
    struct ast *user = parse_role(p);
    user->op = SQL_OBJECT_USER;
    return user;
}

/* ---- identification -------------------------------------------------------------------------------------------------- */

/* string | hexadecimal string | RANDOM PASSWORD | PASSWORD "(" string ")" */
static struct ast *secret(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_at(p, TOKEN_HEX_NUMBER) || parse_at(p, TOKEN_HEX_STRING)) return parse_literal(p);
    if (parse_at(p, KW_RANDOM)) return parse_mysql_words(p, "random password", 2);
    if (parse_at(p, KW_PASSWORD) && parse_peek(p, 1) == '(') {
        parse_advance(p);
        parse_advance(p);
        struct ast *text = parse_string(p);
        parse_expect(p, ')');
        return parse_option(p, start, "password", text);
    }
    return parse_string(p);
}

/* plugin [(AS | BY) secret]; MariaDB: USING instead of BY */
static struct ast *plugin(struct sql_reader *p) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    parse_list_init(&list);
    parse_list_add(&list, parse_mysql_string_or_name(p));
    bool has_secret = parse_accept(p, KW_AS) || parse_accept(p, p->is_mariadb ? KW_USING : KW_BY);
    if (has_secret) parse_list_add(&list, secret(p));
    return parse_option(p, start, "plugin", list.first);
}

/* IDENTIFIED (BY [PASSWORD] secret | (WITH | VIA) plugin { OR plugin }) */
static void identified(struct sql_reader *p, struct parse_list *list) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_IDENTIFIED);
    if (parse_accept(p, KW_BY)) {
        bool is_hash = parse_at(p, KW_PASSWORD) && parse_peek(p, 1) != '(';
        if (is_hash) parse_advance(p);
        parse_list_add(list, parse_option(p, start, is_hash ? "identified by password" : "identified by", secret(p)));
        return;
    }
    struct parse_list plugins;
    parse_list_init(&plugins);
    bool is_plugin = parse_accept(p, KW_WITH) || (p->is_mariadb && parse_accept(p, KW_VIA));
    if (!is_plugin) parse_fail(p, "syntax error: expected BY or WITH");
    do parse_list_add(&plugins, plugin(p));
    while (p->is_mariadb && parse_accept(p, KW_OR));
    parse_list_add(list, parse_option(p, start, "identified with", plugins.first));
}

/* IDENTIFIED ... { AND IDENTIFIED ... } [INITIAL AUTHENTICATION IDENTIFIED ...] [REPLACE string] [RETAIN CURRENT PASSWORD]
   | DISCARD OLD PASSWORD */
static void authentication(struct sql_reader *p, struct parse_list *list) {
    if (parse_at(p, KW_DISCARD)) {
        parse_list_add(list, parse_mysql_words(p, "discard old password", 3));
        return;
    }
    if (!parse_at(p, KW_IDENTIFIED)) return;
    identified(p, list);
    while (parse_accept(p, KW_AND)) identified(p, list);
    if (parse_accept2(p, KW_INITIAL, KW_AUTHENTICATION)) identified(p, list);
    if (parse_at(p, KW_REPLACE)) parse_list_add(list, parse_mysql_word_option(p, parse_string));
    if (parse_at(p, KW_RETAIN)) parse_list_add(list, parse_mysql_words(p, "retain current password", 3));
}

/* (ADD | MODIFY | DROP) n FACTOR [IDENTIFIED ...] | n FACTOR (INITIATE | FINISH | ...): MySQL's factors */
static void factors(struct sql_reader *p, struct parse_list *list) {
    while (parse_at(p, KW_ADD) || parse_at(p, KW_MODIFY) || parse_at(p, KW_DROP)) {
        struct ast *verb = parse_word(p);
        uint32_t start = verb->start;
        verb->next = parse_mysql_number(p);
        parse_expect(p, KW_FACTOR);
        parse_list_add(list, parse_option(p, start, "factor", verb));
        if (parse_at(p, KW_IDENTIFIED)) identified(p, list);
    }
    if (!parse_at(p, TOKEN_INTEGER)) return;
    parse_list_add(list, parse_mysql_number(p));
    parse_expect(p, KW_FACTOR);
    if (parse_at(p, KW_INITIATE) || parse_at(p, KW_UNREGISTER)) {
        parse_list_add(list, parse_word(p));
        parse_accept(p, KW_REGISTRATION);
    } else {
        parse_expect(p, KW_FINISH);
        parse_expect(p, KW_REGISTRATION);
        parse_expect(p, KW_SET);
        parse_expect(p, KW_CHALLENGE_RESPONSE);
        parse_expect(p, KW_AS);
        parse_list_add(list, secret(p));
    }
}

/* user [authentication] */
struct ast *parse_mysql_user_auth(struct sql_reader *p) {
    struct parse_list list;
    struct ast_object *user = PARSE_NODE(p, ast_object, OBJECT);
    user->node.op = SQL_OBJECT_USER;
    parse_list_init(&list);
    if (!p->is_mariadb && parse_at(p, KW_USER) && parse_peek(p, 1) == '(') {
        user->names = parse_name_of_token(p);
        parse_advance(p);
        parse_expect(p, ')');
    } else {
        user->names = ((struct ast_object *)parse_role(p))->names;
    }
    authentication(p, &list);
    user->args = list.first;
    return parse_done(p, user);
}

/* ---- what holds for all of them -------------------------------------------------------------------------------------- */

/* (SUBJECT | ISSUER | CIPHER) string */
static struct ast *certificate(struct sql_reader *p) {
    if (!parse_at(p, KW_SUBJECT) && !parse_at(p, KW_ISSUER) && !parse_at(p, KW_CIPHER)) parse_fail(p, "syntax error");
    return parse_mysql_word_option(p, parse_string);
}

/* [REQUIRE (NONE | SSL | X509 | certificate { [AND] certificate })] */
void parse_mysql_user_require(struct sql_reader *p, struct parse_list *options) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_REQUIRE)) return;
    parse_list_init(&list);
    if (parse_at(p, KW_NONE) || parse_at(p, KW_SSL) || parse_at(p, KW_X509)) {
        parse_list_add(&list, parse_word(p));
    } else {
        do parse_list_add(&list, certificate(p));
        while (parse_accept(p, KW_AND) || parse_at(p, KW_SUBJECT) || parse_at(p, KW_ISSUER) || parse_at(p, KW_CIPHER));
    }
    parse_list_add(options, parse_option(p, start, "require", list.first));
}

/* MAX_QUERIES_PER_HOUR n | MAX_UPDATES_PER_HOUR n | MAX_CONNECTIONS_PER_HOUR n | MAX_USER_CONNECTIONS n | ... */
struct ast *parse_mysql_opt_user_limit(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_MAX_QUERIES_PER_HOUR:
    case KW_MAX_UPDATES_PER_HOUR:
    case KW_MAX_CONNECTIONS_PER_HOUR: return parse_mysql_word_option(p, parse_mysql_number);
    case KW_MAX_USER_CONNECTIONS: return parse_mysql_word_option(p, parse_signed_number);
    case KW_MAX_STATEMENT_TIME: return parse_mysql_word_option(p, parse_mysql_number);
    default: return NULL;
    }
}

/* WITH limit { limit } */
static void limits(struct sql_reader *p, struct parse_list *options) {
    if (!parse_accept(p, KW_WITH)) return;
    struct ast *limit = parse_mysql_opt_user_limit(p);
    if (!limit) parse_fail(p, "syntax error: expected a limit");
    for (; limit; limit = parse_mysql_opt_user_limit(p)) parse_list_add(options, limit);
}

/* INTERVAL n DAY */
static struct ast *days(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_INTERVAL);
    struct ast *count = parse_mysql_number(p);
    parse_expect(p, KW_DAY);
    return parse_option(p, start, "days", count);
}

/* PASSWORD (EXPIRE [DEFAULT | NEVER | INTERVAL n DAY] | HISTORY n | REUSE INTERVAL n DAY | REQUIRE CURRENT [DEFAULT|OPTIONAL]) */
static struct ast *password_option(struct sql_reader *p) {
    struct ast *value = NULL;
    uint32_t start = p->tok.start;
    const char *name = "password expire";
    parse_advance(p);
    if (p->is_mariadb && !parse_at(p, KW_EXPIRE)) parse_fail(p, "syntax error: expected EXPIRE");
    switch (p->tok.kind) {
    case KW_EXPIRE:
        parse_advance(p);
        if (parse_at(p, KW_INTERVAL)) value = days(p);
        else if (parse_at(p, KW_DEFAULT) || parse_at(p, KW_NEVER)) value = parse_word(p);
        break;
    case KW_HISTORY:
        name = "password history";
        parse_advance(p);
        value = parse_mysql_number_or_default(p);
        break;
    case KW_REUSE:
        name = "password reuse interval";
        parse_advance(p);
        if (parse_at(p, KW_INTERVAL) && parse_peek(p, 1) == KW_DEFAULT) {
            parse_advance(p);
            value = parse_word(p);
        } else {
            value = days(p);
        }
        break;
    case KW_REQUIRE:
        name = "password require current";
        parse_advance(p);
        parse_expect(p, KW_CURRENT);
        if (parse_at(p, KW_DEFAULT) || parse_at(p, KW_OPTIONAL)) value = parse_word(p);
        break;
    default: parse_fail(p, "syntax error"); break;
    }
    return parse_option(p, start, name, value);
}

/* PASSWORD ... | ACCOUNT (LOCK | UNLOCK) | FAILED_LOGIN_ATTEMPTS n | PASSWORD_LOCK_TIME (n | UNBOUNDED) | (COMMENT|ATTRIBUTE) s */
static struct ast *opt_account_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_PASSWORD: return password_option(p);
    case KW_ACCOUNT:
        if (parse_peek(p, 1) != KW_LOCK && parse_peek(p, 1) != KW_UNLOCK) return NULL;
        return parse_mysql_words(p, parse_peek(p, 1) == KW_LOCK ? "account lock" : "account unlock", 2);
    case KW_FAILED_LOGIN_ATTEMPTS: return parse_mysql_word_option(p, parse_mysql_number);
    case KW_PASSWORD_LOCK_TIME:
        if (parse_peek(p, 1) == KW_UNBOUNDED) return parse_mysql_words(p, "password_lock_time unbounded", 2);
        return parse_mysql_word_option(p, parse_mysql_number);
    case KW_COMMENT:
    case KW_ATTRIBUTE: return p->is_mariadb ? NULL : parse_mysql_word_option(p, parse_string);
    default: return NULL;
    }
}

/* [DEFAULT ROLE (NONE | ALL | roles)] (MySQL) */
static void default_role(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (p->is_mariadb || !parse_accept2(p, KW_DEFAULT, KW_ROLE)) return;
    bool is_word = parse_at(p, KW_NONE) || parse_at(p, KW_ALL);
    struct ast *roles = is_word ? parse_word(p) : parse_comma_list(p, parse_mysql_user_name);
    parse_list_add(options, parse_option(p, start, "default role", roles));
}

/* [DEFAULT ROLE ...] [REQUIRE ...] [WITH limits] { account option } */
static void user_options(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    default_role(p, &options);
    parse_mysql_user_require(p, &options);
    limits(p, &options);
    for (struct ast *o = opt_account_option(p); o; o = opt_account_option(p)) parse_list_add(&options, o);
    c->options = options.first;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* USER [IF NOT EXISTS] user { "," user } options */
struct ast *parse_mysql_create_user(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_USER;
    parse_advance(p);
    parse_mysql_if_not_exists(p, c);
    c->objects = parse_comma_list(p, parse_mysql_user_auth);
    user_options(p, c);
    return parse_done(p, c);
}

/* user [authentication | factors] */
static struct ast *altered_user(struct sql_reader *p) {
    struct parse_list list;
    struct ast *user = parse_mysql_user_auth(p);
    bool is_factor = parse_at(p, KW_ADD) || parse_at(p, KW_MODIFY) || parse_at(p, KW_DROP) || parse_at(p, TOKEN_INTEGER);
    if (!is_factor) return user;
    parse_list_init(&list);
    factors(p, &list);
    ((struct ast_object *)user)->args = list.first;
    return parse_done(p, user);
}

/* USER [IF EXISTS] user { "," user } options */
struct ast *parse_mysql_alter_user(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_USER;
    parse_advance(p);
    parse_mysql_if_exists(p, c);
    c->objects = parse_comma_list(p, altered_user);
    user_options(p, c);
    return parse_done(p, c);
}

/* ROLE [IF NOT EXISTS] role { "," role } [WITH ADMIN user] */
struct ast *parse_mysql_create_role(struct sql_reader *p, struct ast_command *c) {
    uint32_t start;
    c->object = SQL_OBJECT_ROLE;
    parse_advance(p);
    parse_mysql_if_not_exists(p, c);
    c->objects = parse_comma_list(p, parse_mysql_user_name);
    start = p->tok.start;
    if (parse_accept2(p, KW_WITH, KW_ADMIN)) c->options = parse_option(p, start, "with admin", parse_mysql_user_name(p));
    return parse_done(p, c);
}
