/*
 * parse_pg_type.c - types, domains, collations and the parts of text search: what is defined by a list of options.
 */
#include "parser/parse_pg.h"

/* ---- types ----------------------------------------------------------------------------------------------------------- */

static struct ast *paren_fields(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *fields = parse_at(p, ')') ? NULL : parse_comma_list(p, parse_pg_field);
    parse_expect(p, ')');
    return fields;
}

static struct ast *paren_labels(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *labels = parse_at(p, ')') ? NULL : parse_comma_list(p, parse_string);
    parse_expect(p, ')');
    return labels;
}

static unsigned length(const struct ast *list) {
    unsigned n = 0;
    for (; list; list = list->next) n++;
    return n;
}

/*
 * TYPE name [definition | AS ("(" [fields] ")" | ENUM "(" [labels] ")" | RANGE definition)]
 *
 * objects: the TYPE. elements: COLUMN_DEFs or LITERALs. options: OPTIONs of the definition, and the WORD ENUM or RANGE.
 */
void parse_pg_create_type(struct sql_reader *p, struct ast_command *c) {
    uint32_t position = p->tok.start;
    c->objects = parse_pg_qualified(p, SQL_OBJECT_TYPE);
    if (parse_at(p, '(')) {
        c->options = parse_pg_definition(p);
        return;
    }
    if (!parse_accept(p, KW_AS)) return;
    if (parse_at(p, KW_ENUM)) {
        c->options = parse_word(p);
        c->elements = paren_labels(p);
    } else if (parse_at(p, KW_RANGE)) {
        struct ast *range = parse_word(p);
        range->next = parse_pg_definition(p);
        c->options = range;
    } else {
        c->elements = paren_fields(p);
        bool is_long = !p->failed && length(AST_AS(object, OBJECT, c->objects)->names) > 3;
        if (is_long) parse_fail_at(p, position, "too many names joined by dots");
    }
}

static struct ast *attribute_and_behavior(struct sql_reader *p) {
    return parse_pg_and_behavior(p, parse_pg_field(p));
}

/* name [SET DATA] TYPE type [COLLATE name] [CASCADE | RESTRICT] */
static struct ast *changed_attribute(struct sql_reader *p) {
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    d->name = parse_name(p);
    parse_accept2(p, KW_SET, KW_DATA);
    parse_expect(p, KW_TYPE);
    d->type = parse_type(p);
    uint32_t start = p->tok.start;
    struct ast *collation = parse_pg_opt_collate(p);
    if (collation) d->constraints = parse_option(p, start, "collate", collation);
    return parse_pg_and_behavior(p, parse_done(p, d));
}

/* ADD ATTRIBUTE field | DROP ATTRIBUTE [IF EXISTS] name | ALTER ATTRIBUTE ..., each [CASCADE | RESTRICT] */
static struct ast *attribute_action(struct sql_reader *p) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD, KW_ATTRIBUTE}, .name = "add attribute", .value = attribute_and_behavior},
        {.words = {KW_DROP, KW_ATTRIBUTE, KW_IF, KW_EXISTS}, .name = "drop attribute if exists", .value = parse_pg_dropped},
        {.words = {KW_DROP, KW_ATTRIBUTE}, .name = "drop attribute", .value = parse_pg_dropped},
        {.words = {KW_ALTER, KW_ATTRIBUTE}, .name = "alter attribute", .value = changed_attribute},
        {.name = NULL},
    };
    return parse_pg_phrase(p, actions);
}

/* string [(BEFORE | AFTER) string] */
static struct ast *added_value(struct sql_reader *p) {
    static const struct parse_pg_phrase places[] = {
        {.words = {KW_BEFORE}, .name = "before", .value = parse_string},
        {.words = {KW_AFTER}, .name = "after", .value = parse_string},
        {.name = NULL},
    };
    struct ast *value = parse_string(p);
    value->next = parse_pg_opt_phrase(p, places);
    return value;
}

/* string TO string */
static struct ast *renamed_value(struct sql_reader *p) {
    struct ast *value = parse_string(p);
    parse_expect(p, KW_TO);
    value->next = parse_string(p);
    return value;
}

static struct ast *renamed_attribute(struct sql_reader *p) {
    struct ast *names = parse_pg_renamed(p);
    if (names->next) parse_pg_and_behavior(p, names->next);
    return names;
}

/* ADD VALUE [IF NOT EXISTS] ... | RENAME VALUE ... | RENAME ATTRIBUTE a TO b | SET definition | attribute actions */
void parse_pg_alter_type(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD, KW_VALUE, KW_IF, KW_NOT, KW_EXISTS}, .name = "add value if not exists", .value = added_value},
        {.words = {KW_ADD, KW_VALUE}, .name = "add value", .value = added_value},
        {.words = {KW_RENAME, KW_VALUE}, .name = "rename value", .value = renamed_value},
        {.words = {KW_RENAME, KW_ATTRIBUTE}, .name = "rename attribute", .value = renamed_attribute},
        {.words = {KW_SET}, .name = "set", .value = parse_pg_operator_definition},
        {.name = NULL},
    };
    c->elements = parse_pg_opt_phrase(p, actions);
    if (!c->elements) c->elements = parse_comma_list(p, attribute_action);
}

/* ---- domains --------------------------------------------------------------------------------------------------------- */

/*
 * DOMAIN name [AS] type constraints
 *
 * objects: the DOMAIN. args: the TYPE. elements: CONSTRAINTs.
 */
void parse_pg_create_domain(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_pg_qualified(p, SQL_OBJECT_DOMAIN);
    parse_accept(p, KW_AS);
    c->args = parse_type(p);
    c->elements = parse_pg_column_constraints(p);
}

/* SET DEFAULT e | DROP DEFAULT | (SET | DROP) NOT NULL | ADD constraint | DROP CONSTRAINT ... | VALIDATE CONSTRAINT name
   | RENAME CONSTRAINT a TO b */
void parse_pg_alter_domain(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_SET, KW_DEFAULT}, .name = "set default", .value = parse_expr},
        {.words = {KW_DROP, KW_DEFAULT}, .name = "drop default"},
        {.words = {KW_SET, KW_NOT, KW_NULL}, .name = "set not null"},
        {.words = {KW_DROP, KW_NOT, KW_NULL}, .name = "drop not null"},
        {.words = {KW_ADD}, .name = "add", .value = parse_pg_domain_constraint},
        {.words = {KW_DROP, KW_CONSTRAINT, KW_IF, KW_EXISTS}, .name = "drop constraint if exists", .value = parse_pg_dropped},
        {.words = {KW_DROP, KW_CONSTRAINT}, .name = "drop constraint", .value = parse_pg_dropped},
        {.words = {KW_VALIDATE, KW_CONSTRAINT}, .name = "validate constraint", .value = parse_name},
        {.words = {KW_RENAME, KW_CONSTRAINT}, .name = "rename constraint", .value = parse_pg_renamed},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- collations, text search ----------------------------------------------------------------------------------------- */

/* COLLATION [IF NOT EXISTS] name (definition | FROM name) */
void parse_pg_create_collation(struct sql_reader *p, struct ast_command *c) {
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_pg_qualified(p, SQL_OBJECT_COLLATION);
    c->options = parse_pg_opt_clause(p, KW_FROM, "from", parse_qualified_name);
    if (!c->options) c->options = parse_pg_definition(p);
}

/* REFRESH VERSION */
void parse_pg_alter_collation(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_REFRESH, KW_VERSION}, .name = "refresh version"},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* TEXT SEARCH (PARSER | DICTIONARY | TEMPLATE | CONFIGURATION) name definition */
void parse_pg_create_defined(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_pg_qualified(p, c->object);
    c->options = parse_pg_definition(p);
}

/* definition */
void parse_pg_alter_dictionary(struct sql_reader *p, struct ast_command *c) {
    c->options = parse_pg_definition(p);
}

static struct ast *dictionary(struct sql_reader *p) {
    return parse_pg_qualified(p, SQL_OBJECT_TEXT_SEARCH_DICTIONARY);
}

static struct ast *dictionaries(struct sql_reader *p) {
    return parse_comma_list(p, dictionary);
}

static struct ast *token_types(struct sql_reader *p) {
    return parse_comma_list(p, parse_name);
}

/* (ADD | ALTER) MAPPING FOR types WITH dictionaries | ALTER MAPPING [FOR types] REPLACE dictionary WITH dictionary
   | DROP MAPPING [IF EXISTS] FOR types */
void parse_pg_alter_configuration(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD, KW_MAPPING, KW_FOR}, .name = "add mapping", .value = token_types},
        {.words = {KW_ALTER, KW_MAPPING, KW_FOR}, .name = "alter mapping", .value = token_types},
        {.words = {KW_ALTER, KW_MAPPING, KW_REPLACE}, .name = "replace", .value = dictionary},
        {.words = {KW_DROP, KW_MAPPING, KW_IF, KW_EXISTS, KW_FOR}, .name = "drop mapping if exists", .value = token_types},
        {.words = {KW_DROP, KW_MAPPING, KW_FOR}, .name = "drop mapping", .value = token_types},
        {.name = NULL},
    };
    bool is_drop = parse_at(p, KW_DROP);
    bool is_replace = parse_pg_at_words(p, actions[2].words, COUNT_OF(actions[2].words));
    bool is_alter = parse_at(p, KW_ALTER);
    struct parse_list l;
    parse_list_init(&l);
    parse_list_add(&l, parse_pg_phrase(p, actions));
    if (is_alter && !is_replace && parse_at(p, KW_REPLACE)) {
        parse_list_add(&l, parse_pg_opt_clause(p, KW_REPLACE, "replace", dictionary));
        is_replace = true;
    }
    if (!is_drop) parse_list_add(&l, parse_pg_clause(p, KW_WITH, "with", is_replace ? dictionary : dictionaries));
    c->elements = l.first;
}
