/*
 * parse_pg_option.c - the words, values and option lists that PostgreSQL's commands have in common.
 */
#include "parser/parse_pg_command.h"

bool parse_pg_at_nonreserved_word(const struct sql_reader *p) {
    return parse_at_name(p) || (parse_uses(p, p->tok.kind) & KEYWORD_FUNCTION);
}

static bool at_word_or_string(const struct sql_reader *p) {
    return parse_at(p, KW_TRUE) || parse_at(p, KW_FALSE) || parse_at(p, KW_ON) || parse_at_string(p) ||
           parse_pg_at_nonreserved_word(p);
}

/* NonReservedWord | string */
struct ast *parse_pg_nonreserved_word_or_string(struct sql_reader *p) {
    return parse_at_string(p) ? parse_string(p) : parse_nonreserved_word(p);
}

/* TRUE | FALSE | ON | NonReservedWord | string */
struct ast *parse_pg_word_or_string(struct sql_reader *p) {
    if (parse_at(p, KW_TRUE) || parse_at(p, KW_FALSE) || parse_at(p, KW_ON)) return parse_name_of_token(p);
    return parse_pg_nonreserved_word_or_string(p);
}

static bool at_signed_number(const struct sql_reader *p) {
    return parse_at(p, TOKEN_INTEGER) || parse_at(p, TOKEN_NUMBER) || parse_at(p, '+') || parse_at(p, '-');
}

/* word-or-string | [ "+" | "-" ] number */
struct ast *parse_pg_option_value(struct sql_reader *p) {
    return at_signed_number(p) ? parse_signed_number(p) : parse_pg_word_or_string(p);
}

bool parse_pg_at_option_value(const struct sql_reader *p) {
    return at_signed_number(p) || at_word_or_string(p);
}

/* ( NonReservedWord | ANALYZE | ANALYSE ) [ value ]. OPTION. */
static struct ast *parse_utility_option(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    bool is_analyze = parse_accept(p, KW_ANALYZE) || parse_accept(p, KW_ANALYSE);
    if (is_analyze) o->name = parse_name_static(p, o->node.start, "analyze");
    else if (parse_accept(p, KW_FORMAT)) o->name = parse_name_static(p, o->node.start, "format"); /* FORMAT JSON, too */
    else o->name = parse_nonreserved_word(p);
    if (parse_pg_at_option_value(p)) o->values = parse_pg_option_value(p);
    return parse_done(p, o);
}

/* "(" option { "," option } ")" */
struct ast *parse_pg_utility_options(struct sql_reader *p) {
    return parse_paren_list(p, parse_utility_option);
}

struct ast *parse_pg_opt_utility_options(struct sql_reader *p) {
    return parse_at(p, '(') ? parse_pg_utility_options(p) : NULL;
}

struct ast *parse_pg_opt_flag(struct sql_reader *p, uint16_t kind, const char *name) {
    uint32_t start = p->tok.start;
    return parse_accept(p, kind) ? parse_option(p, start, name, NULL) : NULL;
}

/* [ "+" | "-" ] integer */
struct ast *parse_pg_signed_integer(struct sql_reader *p) {
    bool is_signed = parse_at(p, '+') || parse_at(p, '-');
    const struct token *number = is_signed ? parse_peek_token(p, 1) : &p->tok;
    if (!parse_is_integer(p, number)) parse_fail_at(p, number->start, "syntax error: expected an integer");
    return parse_signed_number(p);
}

/* name { "." name } */
struct ast *parse_pg_setting_name(struct sql_reader *p) {
    struct parse_list names;
    parse_list_init(&names);
    do parse_list_add(&names, parse_name(p));
    while (parse_accept(p, '.'));
    return names.first;
}

/* name { "." label }, three at most. NAMEs. */
struct ast *parse_pg_relation_name(struct sql_reader *p) {
    struct ast *names = parse_qualified_name(p);
    unsigned count = 0;
    for (const struct ast *n = names; n && !p->failed; n = n->next) count++;
    if (count > 3) parse_fail_at(p, names->start, "improper qualified name (too many dotted names)");
    return names;
}

struct ast *parse_pg_implied_default(struct sql_reader *p) {
    struct ast_default *d = PARSE_NODE(p, ast_default, DEFAULT);
    d->node.start = p->last_end;
    return parse_done(p, d);
}

/* [ CASCADE | RESTRICT ] */
uint32_t parse_pg_opt_behavior(struct sql_reader *p) {
    if (parse_accept(p, KW_CASCADE)) return AST_COMMAND_CASCADE;
    return parse_accept(p, KW_RESTRICT) ? AST_COMMAND_RESTRICT : 0;
}
