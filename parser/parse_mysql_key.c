/*
 * parse_mysql_key.c - what stands in a table's parentheses beside columns: keys, constraints, periods.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- the parts of a key ---------------------------------------------------------------------------------------------- */

static struct ast *key_column(struct sql_reader *p) {
    struct ast_column *column = PARSE_NODE(p, ast_column, COLUMN);
    column->names = parse_name(p);
    return parse_done(p, column);
}

/* name ["(" length ")"] [ASC | DESC] | name WITHOUT OVERLAPS | "(" expression ")" [ASC | DESC] */
static struct ast *key_part(struct sql_reader *p) {
    struct ast_sort *part = PARSE_NODE(p, ast_sort, SORT);
    if (!p->is_mariadb && parse_accept(p, '(')) {
        part->expr = parse_expr(p);
        parse_expect(p, ')');
    } else {
        part->expr = key_column(p);
        uint32_t start = p->tok.start;
        if (parse_accept(p, '(')) {
            struct ast *length = parse_mysql_number(p);
            parse_expect(p, ')');
            part->options = parse_option(p, start, "length", length);
        } else if (parse_accept2(p, KW_WITHOUT, KW_OVERLAPS)) {
            part->options = parse_option(p, start, "without overlaps", NULL);
        }
    }
    if (parse_accept(p, KW_ASC)) part->node.flags |= AST_SORT_ASC;
    else if (parse_accept(p, KW_DESC)) part->node.flags |= AST_SORT_DESC;
    return parse_done(p, part);
}

/* "(" key_part { "," key_part } ")" */
struct ast *parse_mysql_key_parts(struct sql_reader *p) {
    return parse_paren_list(p, key_part);
}

/* (USING | TYPE) (BTREE | HASH | RTREE) */
struct ast *parse_mysql_opt_key_algorithm(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_USING) && !parse_accept(p, KW_TYPE)) return NULL;
    if (!parse_at(p, KW_BTREE) && !parse_at(p, KW_HASH) && !parse_at(p, KW_RTREE)) parse_fail(p, "syntax error");
    return parse_option(p, start, "using", parse_word(p));
}

static struct ast *opt_key_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_USING:
    case KW_TYPE: return parse_mysql_opt_key_algorithm(p);
    case KW_KEY_BLOCK_SIZE: return parse_mysql_word_option(p, parse_mysql_number);
    case KW_COMMENT:
    case KW_ENGINE_ATTRIBUTE:
    case KW_SECONDARY_ENGINE_ATTRIBUTE: return parse_mysql_word_option(p, parse_string);
    case KW_WITH:
        if (parse_peek(p, 1) != KW_PARSER) return NULL;
        return parse_mysql_option(p, "with parser", 2, parse_name);
    case KW_VISIBLE: return parse_mysql_words(p, "visible", 1);
    case KW_INVISIBLE: return parse_mysql_words(p, "invisible", 1);
    case KW_IGNORED: return p->is_mariadb ? parse_mysql_words(p, "ignored", 1) : NULL;
    case KW_NOT:
        if (!p->is_mariadb || parse_peek(p, 1) != KW_IGNORED) return NULL;
        return parse_mysql_words(p, "not ignored", 2);
    default: return p->is_mariadb ? parse_mysql_opt_engine_option(p) : NULL;
    }
}

/* { option } */
void parse_mysql_key_options(struct sql_reader *p, struct parse_list *options) {
    for (struct ast *o = opt_key_option(p); o; o = opt_key_option(p)) parse_list_add(options, o);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

static bool at_key(const struct sql_reader *p) {
    return parse_at(p, KW_KEY) || parse_at(p, KW_INDEX);
}

/* VECTOR [KEY | INDEX] (MariaDB 11.7); the word is no keyword there */
bool parse_mysql_at_vector_key(struct sql_reader *p) {
    if (!p->is_mariadb || !parse_at_word(p, "vector")) return false;
    uint16_t next = parse_peek(p, 1);
    return next == KW_KEY || next == KW_INDEX || next == '(';
}

/* [PRIMARY] KEY | UNIQUE [KEY | INDEX] | FULLTEXT [KEY | INDEX] | SPATIAL ... | VECTOR ... | KEY | INDEX */
static enum ast_constraint_op key_kind(struct sql_reader *p) {
    enum ast_constraint_op op = CONSTRAINT_INDEX;
    switch (p->tok.kind) {
    case KW_PRIMARY:
        parse_advance(p);
        parse_expect(p, KW_KEY);
        return CONSTRAINT_PRIMARY_KEY;
    case KW_UNIQUE: op = CONSTRAINT_UNIQUE; break;
    case KW_FULLTEXT: op = CONSTRAINT_FULLTEXT; break;
    case KW_SPATIAL: op = CONSTRAINT_SPATIAL; break;
    case KW_KEY:
    case KW_INDEX: break;
    default: op = CONSTRAINT_OTHER; break; /* VECTOR */
    }
    parse_advance(p);
    if (op != CONSTRAINT_INDEX && at_key(p)) parse_advance(p);
    return op;
}

/* The name of a key beside that of its constraint. */
static void key_name(struct sql_reader *p, struct ast_constraint *c, struct parse_list *options) {
    if (!parse_at_name(p)) return;
    uint32_t start = p->tok.start;
    struct ast *name = parse_name(p);
    if (c->name) parse_list_add(options, parse_option(p, start, "index", name));
    else c->name = name;
}

/* key_kind [IF NOT EXISTS] [name] [USING x] "(" parts ")" { option } */
static void key(struct sql_reader *p, struct ast_constraint *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->node.op = (uint16_t)key_kind(p);
    uint32_t start = p->tok.start;
    if (p->is_mariadb && parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) {
        parse_list_add(&options, parse_option(p, start, "if not exists", NULL));
    }
    key_name(p, c, &options);
    bool may_have_algorithm = c->node.op != CONSTRAINT_FULLTEXT && c->node.op != CONSTRAINT_SPATIAL;
    struct ast *algorithm = may_have_algorithm ? parse_mysql_opt_key_algorithm(p) : NULL;
    if (algorithm) parse_list_add(&options, algorithm);
    c->columns = parse_mysql_key_parts(p);
    parse_mysql_key_options(p, &options);
    c->options = options.first;
}

/* FOREIGN KEY [IF NOT EXISTS] [name] "(" names ")" REFERENCES ... */
static void foreign_key(struct sql_reader *p, struct ast_constraint *c) {
    struct parse_list options;
    parse_list_init(&options);
    parse_advance(p);
    parse_expect(p, KW_KEY);
    uint32_t start = p->tok.start;
    if (p->is_mariadb && parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) {
        parse_list_add(&options, parse_option(p, start, "if not exists", NULL));
    }
    key_name(p, c, &options);
    c->columns = parse_mysql_key_parts(p);
    parse_mysql_references_clause(p, c, &options);
}

/* [CONSTRAINT [name]] (key | FOREIGN KEY ... | CHECK ...) */
static struct ast *table_constraint(struct sql_reader *p) {
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    if (parse_accept(p, KW_CONSTRAINT)) {
        bool must_be_check = p->is_mariadb && parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS);
        if (parse_at_name(p)) c->name = parse_name(p);
        if (must_be_check && !parse_at(p, KW_CHECK)) parse_fail(p, "syntax error: expected CHECK");
        if (!parse_at(p, KW_PRIMARY) && !parse_at(p, KW_UNIQUE) && !parse_at(p, KW_FOREIGN) && !parse_at(p, KW_CHECK)) {
            parse_fail(p, "syntax error: expected a constraint");
        }
    }
    if (parse_at(p, KW_FOREIGN)) foreign_key(p, c);
    else if (parse_at(p, KW_CHECK)) parse_mysql_check_clause(p, c);
    else key(p, c);
    return parse_done(p, c);
}

/* PERIOD FOR name "(" name "," name ")" */
static struct ast *period(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_advance(p);
    struct ast *name = parse_name(p);
    name->next = parse_paren_names(p);
    return parse_option(p, start, "period for", name);
}

/* ---- elements -------------------------------------------------------------------------------------------------------- */

bool parse_mysql_at_constraint(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_CONSTRAINT:
    case KW_PRIMARY:
    case KW_UNIQUE:
    case KW_FOREIGN:
    case KW_KEY:
    case KW_INDEX:
    case KW_FULLTEXT:
    case KW_SPATIAL:
    case KW_CHECK: return true;
    case KW_PERIOD: return parse_peek(p, 1) == KW_FOR;
    default: return parse_mysql_at_vector_key(p);
    }
}

/* column_def | table_constraint | PERIOD FOR ... */
struct ast *parse_mysql_table_element(struct sql_reader *p) {
    if (!parse_mysql_at_constraint(p)) return parse_mysql_column_def(p);
    if (parse_at(p, KW_PERIOD)) return period(p);
    return table_constraint(p);
}
