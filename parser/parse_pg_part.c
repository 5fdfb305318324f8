/*
 * parse_pg_part.c - the small parts that PostgreSQL's definitions share: phrases, names
 * of objects, numbers, roles, and the lists of options in their several grammars.
 *
 * It knows no statement.
 */
#include "parser/parse_pg_command.h"

/* ---- phrases --------------------------------------------------------------------------------------------------------- */

bool parse_pg_at_words(struct sql_reader *p, const uint16_t *words, unsigned max) {
    if (!parse_at(p, words[0])) return false;
    for (unsigned i = 1; i < max && words[i]; i++) {
        if (parse_peek(p, i) != words[i]) return false;
    }
    return true;
}

void parse_pg_skip_words(struct sql_reader *p, const uint16_t *words, unsigned max) {
    for (unsigned i = 0; i < max && words[i]; i++) parse_advance(p);
}

bool parse_pg_at_operator_class(struct sql_reader *p) {
    uint16_t second = parse_peek(p, 1);
    return parse_at(p, KW_OPERATOR) && (second == KW_CLASS || second == KW_FAMILY) && parse_peek(p, 2) != '.';
}

struct ast *parse_pg_opt_phrase(struct sql_reader *p, const struct parse_pg_phrase *table) {
    for (const struct parse_pg_phrase *f = table; f->name; f++) {
        if (!parse_pg_at_words(p, f->words, COUNT_OF(f->words)) || !parse_is_pg(p, f->since)) continue;
        uint32_t start = p->tok.start;
        parse_pg_skip_words(p, f->words, COUNT_OF(f->words));
        return parse_option(p, start, f->name, f->value ? f->value(p) : NULL);
    }
    return NULL;
}

struct ast *parse_pg_phrase(struct sql_reader *p, const struct parse_pg_phrase *table) {
    struct ast *option = parse_pg_opt_phrase(p, table);
    if (option) return option;
    parse_fail(p, "no such clause here");
    return parse_word(p);
}

struct ast *parse_pg_phrases(struct sql_reader *p, const struct parse_pg_phrase *table) {
    struct parse_list l;
    parse_list_init(&l);
    for (struct ast *option; (option = parse_pg_opt_phrase(p, table)) != NULL;) parse_list_add(&l, option);
    return l.first;
}

struct ast *parse_pg_opt_clause(struct sql_reader *p, uint16_t keyword, const char *name, parse_function *value) {
    uint32_t start = p->tok.start;
    if (!parse_accept(p, keyword)) return NULL;
    return parse_option(p, start, name, value(p));
}

struct ast *parse_pg_clause(struct sql_reader *p, uint16_t keyword, const char *name, parse_function *value) {
    uint32_t start = p->tok.start;
    parse_expect(p, keyword);
    return parse_option(p, start, name, value(p));
}

/* [IF EXISTS]: `if` alone may be a name */
void parse_pg_opt_if_exists(struct sql_reader *p, struct ast_command *c) {
    if (parse_accept2(p, KW_IF, KW_EXISTS)) c->node.flags |= AST_COMMAND_IF_EXISTS;
}

/* [IF NOT EXISTS] */
void parse_pg_opt_if_not_exists(struct sql_reader *p, struct ast_command *c) {
    if (parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) c->node.flags |= AST_COMMAND_IF_NOT_EXISTS;
}

struct ast *parse_pg_and_behavior(struct sql_reader *p, struct ast *node) {
    if (parse_at(p, KW_CASCADE) || parse_at(p, KW_RESTRICT)) node->next = parse_word(p);
    return node;
}

/* name [CASCADE | RESTRICT] */
struct ast *parse_pg_dropped(struct sql_reader *p) {
    return parse_pg_and_behavior(p, parse_name(p));
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

struct ast *parse_pg_named(struct sql_reader *p, enum sql_object object) {
    return parse_object(p, object, parse_name(p));
}

struct ast *parse_pg_qualified(struct sql_reader *p, enum sql_object object) {
    return parse_object(p, object, parse_qualified_name(p));
}

struct ast *parse_pg_large_object(struct sql_reader *p, enum sql_object object) {
    return parse_object(p, object, parse_signed_number(p));
}

/* name {"." name}: where the grammar takes any length, and the server complains later */
struct ast *parse_pg_table_by_name(struct sql_reader *p) {
    struct ast_table *t = PARSE_NODE(p, ast_table, TABLE);
    t->names = parse_qualified_name(p);
    return parse_done(p, t);
}

/* name TO name */
struct ast *parse_pg_renamed(struct sql_reader *p) {
    struct ast *name = parse_name(p);
    parse_expect(p, KW_TO);
    name->next = parse_name(p);
    return name;
}

/* role {"," role} */
struct ast *parse_pg_roles(struct sql_reader *p) {
    return parse_comma_list(p, parse_role);
}

/* A role by name: not PUBLIC, nor CURRENT_USER and the like, which the server knows by their text. */
struct ast *parse_pg_role_id(struct sql_reader *p) {
    if (parse_at(p, KW_CURRENT_USER) || parse_at(p, KW_SESSION_USER) || parse_at(p, KW_CURRENT_ROLE)) {
        parse_fail(p, "a role's own name is expected here");
    }
    uint32_t position = p->tok.start;
    struct ast *role = parse_role(p);
    const struct ast *name = p->failed ? NULL : AST_AS(object, OBJECT, role)->names;
    if (name && name->kind == AST_NAME && bytes_is(AST_AS(name, NAME, name)->text, "public")) {
        parse_fail_at(p, position, "role name \"public\" is reserved");
    }
    return role;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

bool parse_pg_is_string(uint16_t kind) {
    return kind == TOKEN_STRING || kind == TOKEN_ESCAPE_STRING || kind == TOKEN_UNICODE_STRING || kind == TOKEN_DOLLAR_STRING;
}

bool parse_pg_is_identifier(uint16_t kind) {
    return kind == TOKEN_IDENT || kind == TOKEN_QUOTED_IDENT || kind == TOKEN_UNICODE_IDENT;
}

static bool is_number(uint16_t kind) {
    return kind == TOKEN_INTEGER || kind == TOKEN_NUMBER;
}

static bool at_sign(const struct sql_reader *p) {
    return parse_at(p, '+') || parse_at(p, '-');
}

bool parse_pg_at_number(struct sql_reader *p) {
    return is_number(p->tok.kind) || (at_sign(p) && is_number(parse_peek(p, 1)));
}

/* integer, without a sign */
struct ast *parse_pg_int(struct sql_reader *p) {
    if (at_sign(p)) parse_fail(p, "an integer is expected here");
    return parse_pg_signed_integer(p);
}

/* [+ | -] integer | DEFAULT */
struct ast *parse_pg_int_or_default(struct sql_reader *p) {
    if (parse_at(p, KW_DEFAULT) && parse_is_pg(p, 170000)) return parse_word(p);
    return parse_pg_signed_integer(p);
}

/* string | NULL */
struct ast *parse_pg_string_or_null(struct sql_reader *p) {
    if (!parse_at(p, KW_NULL)) return parse_string(p);
    struct ast_literal *null = PARSE_NODE(p, ast_literal, LITERAL);
    null->node.op = LITERAL_NULL;
    parse_advance(p);
    return parse_done(p, null);
}

/* "(" expression ")" */
struct ast *parse_pg_paren_expr(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *expr = parse_expr(p);
    parse_expect(p, ')');
    return expr;
}

/* type | [SETOF] name "." name {"." name} "%" TYPE */
struct ast *parse_pg_func_type(struct sql_reader *p) {
    struct ast *node = parse_type(p);
    if (!parse_at(p, '%') || parse_peek(p, 1) != KW_TYPE) return node;
    struct ast_type *type = AST_AS(type, TYPE, node);
    if (!type->names || !type->names->next || type->modifiers || type->bounds) parse_fail(p, "%TYPE follows a column's name");
    parse_advance(p);
    parse_advance(p);
    type->node.flags |= AST_TYPE_PERCENT;
    return parse_done(p, type);
}

struct ast *parse_pg_simple_type(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    struct ast *node = parse_type(p);
    if (p->failed) return node;
    const struct ast_type *type = AST_AS(type, TYPE, node);
    if (type->bounds || (type->node.flags & AST_TYPE_SETOF)) parse_fail_at(p, position, "no array or set of a type here");
    return node;
}

/* "(" type {"," type} ")" */
struct ast *parse_pg_types(struct sql_reader *p) {
    return parse_paren_list(p, parse_type);
}

/* name | DEFAULT */
struct ast *parse_pg_name_or_default(struct sql_reader *p) {
    return parse_at(p, KW_DEFAULT) ? parse_word(p) : parse_name(p);
}

/* [COLLATE name] */
struct ast *parse_pg_opt_collate(struct sql_reader *p) {
    return parse_accept(p, KW_COLLATE) ? parse_qualified_name(p) : NULL;
}

/* [WITH DATA | WITH NO DATA] */
struct ast *parse_pg_with_data(struct sql_reader *p, struct ast_command *c) {
    uint32_t start = p->tok.start;
    if (parse_accept3(p, KW_WITH, KW_NO, KW_DATA)) c->node.flags |= AST_COMMAND_NO_DATA;
    else if (parse_accept2(p, KW_WITH, KW_DATA)) return parse_option(p, start, "with data", NULL);
    return NULL;
}

/* ---- name = value ---------------------------------------------------------------------------------------------------- */

static bool at_reserved_word(const struct sql_reader *p) {
    uint8_t uses = parse_uses(p, p->tok.kind);
    return uses && !(uses & (KEYWORD_COLUMN | KEYWORD_FUNCTION));
}

/* operator | OPERATOR "(" {name "."} operator ")" */
static struct ast *operator_value(struct sql_reader *p) {
    if (!parse_accept(p, KW_OPERATOR)) return parse_object(p, SQL_OBJECT_OPERATOR, parse_operator_name(p));
    parse_expect(p, '(');
    struct ast *value = parse_object(p, SQL_OBJECT_OPERATOR, parse_operator_name(p));
    parse_expect(p, ')');
    return value;
}

/* type | reserved word | operator | number | string | NONE */
struct ast *parse_pg_def_arg(struct sql_reader *p) {
    if (parse_at_string(p)) return parse_string(p);
    if (parse_pg_at_number(p)) return parse_signed_number(p);
    if (parse_is_operator(p->tok.kind)) return operator_value(p);
    if (parse_at(p, KW_OPERATOR) && parse_peek(p, 1) == '(') return operator_value(p);
    if (at_reserved_word(p) || parse_at(p, KW_NONE)) return parse_word(p);
    return parse_pg_func_type(p);
}

/* label ["=" value] */
static struct ast *definition_item(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_label(p);
    if (parse_accept(p, '=')) o->values = parse_pg_def_arg(p);
    return parse_done(p, o);
}

struct ast *parse_pg_definition(struct sql_reader *p) {
    return parse_paren_list(p, definition_item);
}

struct ast *parse_pg_opt_definition(struct sql_reader *p) {
    return parse_pg_opt_clause(p, KW_WITH, "with", parse_pg_definition);
}

/* label "=" value; PostgreSQL 17: label ["=" value] */
static struct ast *operator_definition_item(struct sql_reader *p) {
    struct ast *item = definition_item(p);
    if (!p->failed && !AST_AS(option, OPTION, item)->values && !parse_is_pg(p, 170000)) parse_expect(p, '=');
    return item;
}

struct ast *parse_pg_operator_definition(struct sql_reader *p) {
    return parse_paren_list(p, operator_definition_item);
}

/* label ["." label] ["=" value]; of two labels, the first is an OPTION around the second */
static struct ast *reloption(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_label(p);
    if (parse_accept(p, '.')) o->values = definition_item(p);
    else if (parse_accept(p, '=')) o->values = parse_pg_def_arg(p);
    return parse_done(p, o);
}

struct ast *parse_pg_reloptions(struct sql_reader *p) {
    return parse_paren_list(p, reloption);
}

struct ast *parse_pg_opt_reloptions(struct sql_reader *p) {
    return parse_pg_opt_clause(p, KW_WITH, "with", parse_pg_reloptions);
}

/* label string */
static struct ast *generic_option(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_label(p);
    o->values = parse_string(p);
    return parse_done(p, o);
}

static struct ast *generic_options(struct sql_reader *p) {
    return parse_paren_list(p, generic_option);
}

struct ast *parse_pg_opt_generic_options(struct sql_reader *p) {
    return parse_pg_opt_clause(p, KW_OPTIONS, "options", generic_options);
}

/* [ADD | SET] label string | DROP label; an option may be called like one of the three words */
static struct ast *alter_generic_option(struct sql_reader *p) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD}, .name = "add", .value = generic_option},
        {.words = {KW_SET}, .name = "set", .value = generic_option},
        {.words = {KW_DROP}, .name = "drop", .value = parse_label},
        {.name = NULL},
    };
    struct ast *action = parse_pg_is_string(parse_peek(p, 1)) ? NULL : parse_pg_opt_phrase(p, actions);
    return action ? action : generic_option(p);
}

static struct ast *alter_generic_options(struct sql_reader *p) {
    return parse_paren_list(p, alter_generic_option);
}

struct ast *parse_pg_alter_generic_options(struct sql_reader *p) {
    return parse_pg_clause(p, KW_OPTIONS, "options", alter_generic_options);
}

/* ---- sequences ------------------------------------------------------------------------------------------------------- */

static struct ast *opt_number(struct sql_reader *p) {
    return parse_pg_at_number(p) ? parse_signed_number(p) : NULL;
}

/* AS type | CACHE n | [NO] CYCLE | INCREMENT [BY] n | [NO] MAXVALUE n | [NO] MINVALUE n | OWNED BY name | SEQUENCE NAME name
   | START [WITH] n | RESTART [[WITH] n] | LOGGED | UNLOGGED */
struct ast *parse_pg_sequence_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_AS}, .name = "as", .value = parse_pg_simple_type},
        {.words = {KW_CACHE}, .name = "cache", .value = parse_signed_number},
        {.words = {KW_CYCLE}, .name = "cycle"},
        {.words = {KW_NO, KW_CYCLE}, .name = "no cycle"},
        {.words = {KW_INCREMENT, KW_BY}, .name = "increment", .value = parse_signed_number},
        {.words = {KW_INCREMENT}, .name = "increment", .value = parse_signed_number},
        {.words = {KW_MAXVALUE}, .name = "maxvalue", .value = parse_signed_number},
        {.words = {KW_MINVALUE}, .name = "minvalue", .value = parse_signed_number},
        {.words = {KW_NO, KW_MAXVALUE}, .name = "no maxvalue"},
        {.words = {KW_NO, KW_MINVALUE}, .name = "no minvalue"},
        {.words = {KW_OWNED, KW_BY}, .name = "owned by", .value = parse_qualified_name},
        {.words = {KW_SEQUENCE, KW_NAME}, .name = "sequence name", .value = parse_qualified_name},
        {.words = {KW_START, KW_WITH}, .name = "start", .value = parse_signed_number},
        {.words = {KW_START}, .name = "start", .value = parse_signed_number},
        {.words = {KW_RESTART, KW_WITH}, .name = "restart", .value = parse_signed_number},
        {.words = {KW_RESTART}, .name = "restart", .value = opt_number},
        {.words = {KW_LOGGED}, .name = "logged", .since = 180000},
        {.words = {KW_UNLOGGED}, .name = "unlogged", .since = 180000},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, options);
}

struct ast *parse_pg_sequence_options(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    for (struct ast *option; (option = parse_pg_sequence_option(p)) != NULL;) parse_list_add(&l, option);
    return l.first;
}
