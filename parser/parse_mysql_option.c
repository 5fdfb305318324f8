/*
 * parse_mysql_option.c - the small parts that MySQL's and MariaDB's definitions are made of: `WORD [=] value`, IF EXISTS,
 * character sets, DEFINER, WAIT.
 *
 * Owns no statement. What value an option takes is its table's business (parse_mysql_create_table.c and others).
 */
#include "parser/parse_mysql_ddl.h"

/* number | hexadecimal number */
struct ast *parse_mysql_number(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_INTEGER:
    case TOKEN_NUMBER:
    case TOKEN_HEX_NUMBER:
    case TOKEN_HEX_STRING: break;
    default: parse_fail(p, "syntax error: expected a number"); break;
    }
    return parse_literal(p);
}

static struct ast *parse_default(struct sql_reader *p) {
    struct ast_default *node = PARSE_NODE(p, ast_default, DEFAULT);
    parse_expect(p, KW_DEFAULT);
    return parse_done(p, node);
}

/* number | DEFAULT */
struct ast *parse_mysql_number_or_default(struct sql_reader *p) {
    return parse_at(p, KW_DEFAULT) ? parse_default(p) : parse_mysql_number(p);
}

/* number | number with K, M, G or T behind it, which is a name to the lexer */
struct ast *parse_mysql_size(struct sql_reader *p) {
    return parse_at(p, TOKEN_IDENT) ? parse_name(p) : parse_mysql_number(p);
}

/* whole number | hexadecimal number */
struct ast *parse_mysql_integer(struct sql_reader *p) {
    if (parse_at(p, TOKEN_NUMBER)) parse_fail(p, "syntax error: expected a whole number");
    return parse_mysql_number(p);
}

/* string | name */
struct ast *parse_mysql_string_or_name(struct sql_reader *p) {
    return parse_at_string(p) ? parse_string(p) : parse_name(p);
}

/* string | number | DEFAULT | name */
struct ast *parse_mysql_value(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_DEFAULT: return parse_default(p);
    case TOKEN_INTEGER:
    case TOKEN_NUMBER:
    case TOKEN_HEX_NUMBER:
    case TOKEN_HEX_STRING: return parse_literal(p);
    default: return parse_mysql_string_or_name(p);
    }
}

/* word ["="] value */
struct ast *parse_mysql_word_option(struct sql_reader *p, parse_function *value) {
    struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
    uint32_t start = p->tok.start;
    if (p->tok.kind >= KEYWORD_FIRST) {
        const char *name = keyword_name(p->tok.kind);
        parse_advance(p);
        option->name = parse_name_static(p, start, name);
    } else {
        option->name = parse_name_of_token(p);
    }
    parse_accept(p, '=');
    option->values = value(p);
    return parse_done(p, option);
}

/* word { word } ["="] value */
struct ast *parse_mysql_option(struct sql_reader *p, const char *name, unsigned words, parse_function *value) {
    struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
    uint32_t start = p->tok.start;
    for (unsigned i = 0; i < words; i++) parse_advance(p);
    option->name = parse_name_static(p, start, name);
    parse_accept(p, '=');
    option->values = value(p);
    return parse_done(p, option);
}

/* string | whole number | DEFAULT | name */
static struct ast *engine_value(struct sql_reader *p) {
    if (parse_at(p, TOKEN_NUMBER)) parse_fail(p, "syntax error: expected a whole number");
    return parse_mysql_value(p);
}

/* name "=" value, where the name is no keyword */
struct ast *parse_mysql_opt_engine_option(struct sql_reader *p) {
    if (!parse_at(p, TOKEN_IDENT) && !parse_at(p, TOKEN_QUOTED_IDENT)) return NULL;
    if (parse_peek(p, 1) != '=') return NULL;
    return parse_mysql_word_option(p, engine_value);
}

/* [DEFAULT] (CHARACTER SET | CHARSET) ["="] name | [DEFAULT] COLLATE ["="] name */
struct ast *parse_mysql_opt_charset_option(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    switch (parse_at(p, KW_DEFAULT) ? parse_peek(p, 1) : p->tok.kind) {
    case KW_COLLATE:
        parse_accept(p, KW_DEFAULT);
        parse_advance(p);
        parse_accept(p, '=');
        return parse_option(p, start, "collate", parse_mysql_collation_name(p));
    case KW_CHARACTER:
    case KW_CHAR:
    case KW_CHARSET:
        parse_accept(p, KW_DEFAULT);
        if (!parse_mysql_accept_charset(p)) parse_fail(p, "syntax error: expected CHARACTER SET");
        parse_accept(p, '=');
        return parse_option(p, start, "character set", parse_mysql_charset_name(p));
    default: return NULL;
    }
}

/* [(ALGORITHM | LOCK) ["="] (name | DEFAULT)] */
struct ast *parse_mysql_opt_online_option(struct sql_reader *p) {
    if (parse_at(p, KW_ALGORITHM) || parse_at(p, KW_LOCK)) return parse_mysql_word_option(p, parse_mysql_value);
    return NULL;
}

/* DEFINER "=" user */
struct ast *parse_mysql_definer(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_DEFINER);
    parse_expect(p, '=');
    return parse_option(p, start, "definer", parse_mysql_user_name(p));
}

/* SQL SECURITY (DEFINER | INVOKER) */
struct ast *parse_mysql_sql_security(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_SQL);
    parse_expect(p, KW_SECURITY);
    if (!parse_at(p, KW_DEFINER) && !parse_at(p, KW_INVOKER)) parse_fail(p, "syntax error: expected DEFINER or INVOKER");
    return parse_option(p, start, "sql security", parse_word(p));
}

/* [IF EXISTS] */
void parse_mysql_if_exists(struct sql_reader *p, struct ast_command *c) {
    if (parse_accept2(p, KW_IF, KW_EXISTS)) c->node.flags |= AST_COMMAND_IF_EXISTS;
}

/* [IF NOT EXISTS] */
void parse_mysql_if_not_exists(struct sql_reader *p, struct ast_command *c) {
    if (parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) c->node.flags |= AST_COMMAND_IF_NOT_EXISTS;
}

/* [RESTRICT | CASCADE] */
void parse_mysql_restrict(struct sql_reader *p, struct ast_command *c) {
    if (parse_accept(p, KW_RESTRICT)) c->node.flags |= AST_COMMAND_RESTRICT;
    else if (parse_accept(p, KW_CASCADE)) c->node.flags |= AST_COMMAND_CASCADE;
}

void parse_mysql_append(struct parse_list *list, struct ast *nodes) {
    while (nodes) {
        struct ast *next = nodes->next;
        parse_list_add(list, nodes);
        nodes = next;
    }
}
