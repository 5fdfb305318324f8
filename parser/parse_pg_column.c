/*
 * parse_pg_column.c - columns and constraints, as CREATE TABLE, ALTER TABLE and domains define them.
 */
#include "parser/parse_pg.h"

/* ---- attributes ------------------------------------------------------------------------------------------------------ */

enum {
    IS_DEFERRABLE = 1,
    IS_NOT_DEFERRABLE = 2,
    IS_IMMEDIATE = 4,
    IS_DEFERRED = 8,
    IS_ENFORCED = 16,
    IS_NOT_ENFORCED = 32,
};

/* What an attribute sets, and which constraints may have it (enum parse_pg_attribute; 0: all). By place in `attributes`. */
static const struct {
    uint8_t sets;
    uint8_t needs;
} attribute_rules[] = {
    {IS_NOT_DEFERRABLE, 0}, {IS_DEFERRABLE, PARSE_PG_DEFERRABLE}, {IS_IMMEDIATE, 0},
    {IS_DEFERRED, PARSE_PG_DEFERRABLE}, {0, PARSE_PG_NOT_VALID}, {0, PARSE_PG_NO_INHERIT},
    {IS_NOT_ENFORCED, PARSE_PG_ENFORCED}, {IS_ENFORCED, PARSE_PG_ENFORCED},
};

static const struct parse_pg_phrase attributes[] = {
    {.words = {KW_NOT, KW_DEFERRABLE}, .name = "not deferrable"},
    {.words = {KW_DEFERRABLE}, .name = "deferrable"},
    {.words = {KW_INITIALLY, KW_IMMEDIATE}, .name = "initially immediate"},
    {.words = {KW_INITIALLY, KW_DEFERRED}, .name = "initially deferred"},
    {.words = {KW_NOT, KW_VALID}, .name = "not valid"},
    {.words = {KW_NO, KW_INHERIT}, .name = "no inherit"},
    {.words = {KW_NOT, KW_ENFORCED}, .name = "not enforced"},
    {.words = {KW_ENFORCED}, .name = "enforced"},
    {.name = NULL},
};

static_assert(COUNT_OF(attribute_rules) + 1 == COUNT_OF(attributes), "a rule for every attribute");

static bool is_contradiction(unsigned set) {
    return (set & (IS_DEFERRABLE | IS_NOT_DEFERRABLE)) == (IS_DEFERRABLE | IS_NOT_DEFERRABLE) ||
           (set & (IS_IMMEDIATE | IS_DEFERRED)) == (IS_IMMEDIATE | IS_DEFERRED) ||
           (set & (IS_DEFERRED | IS_NOT_DEFERRABLE)) == (IS_DEFERRED | IS_NOT_DEFERRABLE) ||
           (set & (IS_ENFORCED | IS_NOT_ENFORCED)) == (IS_ENFORCED | IS_NOT_ENFORCED);
}

/* {[NOT] DEFERRABLE | INITIALLY (IMMEDIATE | DEFERRED) | NOT VALID | NO INHERIT | [NOT] ENFORCED} */
struct ast *parse_pg_attributes(struct sql_reader *p, unsigned allowed) {
    struct parse_list l;
    parse_list_init(&l);
    unsigned set = 0;
    for (unsigned i = 0; i < COUNT_OF(attribute_rules);) {
        if (!parse_pg_at_words(p, attributes[i].words, COUNT_OF(attributes[i].words))) {
            i++;
            continue;
        }
        set |= attribute_rules[i].sets;
        if (is_contradiction(set)) parse_fail(p, "contradictory attributes of a constraint");
        if (attribute_rules[i].needs & ~allowed) parse_fail(p, "such a constraint cannot have this attribute");
        parse_list_add(&l, parse_pg_phrase(p, attributes + i));
        i = 0;
    }
    return l.first;
}

/* ---- foreign keys ---------------------------------------------------------------------------------------------------- */

/* (NO ACTION | RESTRICT | CASCADE | SET (NULL | DEFAULT) ["(" columns ")"]) */
static struct ast *key_action(struct sql_reader *p) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_NO, KW_ACTION}, .name = "no action"},
        {.words = {KW_RESTRICT}, .name = "restrict"},
        {.words = {KW_CASCADE}, .name = "cascade"},
        {.words = {KW_SET, KW_NULL}, .name = "set null", .value = parse_opt_paren_names},
        {.words = {KW_SET, KW_DEFAULT}, .name = "set default", .value = parse_opt_paren_names},
        {.name = NULL},
    };
    return parse_pg_phrase(p, actions);
}

/* as above, without columns: they are for ON DELETE alone */
static struct ast *update_action(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    struct ast *action = key_action(p);
    if (!p->failed && AST_AS(option, OPTION, action)->values) parse_fail_at(p, position, "columns to set are for ON DELETE alone");
    return action;
}

/* [MATCH (FULL | SIMPLE)] [ON UPDATE action] [ON DELETE action], the actions in either order */
static struct ast *key_options(struct sql_reader *p) {
    static const struct parse_pg_phrase matches[] = {
        {.words = {KW_MATCH, KW_FULL}, .name = "match full"},
        {.words = {KW_MATCH, KW_SIMPLE}, .name = "match simple"},
        {.name = NULL},
    };
    static const struct parse_pg_phrase on_update[] = {
        {.words = {KW_ON, KW_UPDATE}, .name = "on update", .value = update_action},
        {.name = NULL},
    };
    static const struct parse_pg_phrase on_delete[] = {
        {.words = {KW_ON, KW_DELETE}, .name = "on delete", .value = key_action},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    const struct parse_pg_phrase *order[] = {matches, on_update, on_delete, on_update};
    bool is_updated = false;
    for (unsigned i = 0; i < COUNT_OF(order); i++) {
        struct ast *option = order[i] == on_update && is_updated ? NULL : parse_pg_opt_phrase(p, order[i]);
        if (!option) continue;
        is_updated = is_updated || order[i] == on_update;
        parse_list_add(&l, option);
    }
    return l.first;
}

/* name | PERIOD name, which comes last (PostgreSQL 18) */
static struct ast *period_column(struct sql_reader *p) {
    static const struct parse_pg_phrase period[] = {
        {.words = {KW_PERIOD}, .name = "period", .value = parse_name},
        {.name = NULL},
    };
    struct ast *option = parse_is_name(p, parse_peek(p, 1)) ? parse_pg_opt_phrase(p, period) : NULL;
    if (!option) return parse_name(p);
    if (!parse_at(p, ')')) parse_expect(p, ')');
    return option;
}

/* REFERENCES table ["(" columns ")"] options */
static void references(struct sql_reader *p, struct ast_constraint *c, parse_function *column) {
    parse_expect(p, KW_REFERENCES);
    c->table = parse_table_name(p);
    c->references = parse_opt_paren_list(p, column);
    c->options = key_options(p);
}

/* ---- constraints of columns ------------------------------------------------------------------------------------------ */

/* [NULLS [NOT] DISTINCT] */
struct ast *parse_pg_opt_nulls_distinct(struct sql_reader *p) {
    static const struct parse_pg_phrase treatments[] = {
        {.words = {KW_NULLS, KW_NOT, KW_DISTINCT}, .name = "nulls not distinct"},
        {.words = {KW_NULLS, KW_DISTINCT}, .name = "nulls distinct"},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, treatments);
}

/* [WITH definition] [USING INDEX TABLESPACE name] */
static void index_options(struct sql_reader *p, struct parse_list *l) {
    static const struct parse_pg_phrase tablespace[] = {
        {.words = {KW_USING, KW_INDEX, KW_TABLESPACE}, .name = "using index tablespace", .value = parse_name},
        {.name = NULL},
    };
    parse_pg_append(p, l, parse_pg_opt_definition(p));
    parse_pg_append(p, l, parse_pg_opt_phrase(p, tablespace));
}

static struct ast *opt_no_inherit(struct sql_reader *p) {
    static const struct parse_pg_phrase no_inherit[] = {
        {.words = {KW_NO, KW_INHERIT}, .name = "no inherit"},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, no_inherit);
}

/* "(" sequence option {sequence option} ")" */
static struct ast *paren_sequence_options(struct sql_reader *p) {
    if (!parse_accept(p, '(')) return NULL;
    struct ast *options = parse_pg_sequence_options(p);
    if (!options) parse_fail(p, "a sequence's option is expected here");
    parse_expect(p, ')');
    return options;
}

/* GENERATED (ALWAYS | BY DEFAULT) AS; says which */
static bool generated(struct sql_reader *p) {
    parse_expect(p, KW_GENERATED);
    bool is_always = parse_accept(p, KW_ALWAYS);
    if (!is_always) {
        parse_expect(p, KW_BY);
        parse_expect(p, KW_DEFAULT);
    }
    parse_expect(p, KW_AS);
    return is_always;
}

/* GENERATED (ALWAYS | BY DEFAULT) AS IDENTITY ["(" sequence options ")"]: how, as a WORD, then the options */
static void identity(struct sql_reader *p, struct ast_constraint *c, bool is_always) {
    c->node.op = CONSTRAINT_IDENTITY;
    parse_expect(p, KW_IDENTITY);
    struct ast *when = parse_option(p, c->node.start, is_always ? "generated always" : "generated by default", NULL);
    when->next = paren_sequence_options(p);
    c->options = when;
}

struct ast *parse_pg_identity(struct sql_reader *p) {
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    bool is_always = generated(p);
    identity(p, c, is_always);
    return parse_done(p, c);
}

/* identity | GENERATED ALWAYS AS "(" expression ")" STORED; PostgreSQL 18: [STORED | VIRTUAL] */
static void generated_column(struct sql_reader *p, struct ast_constraint *c) {
    bool is_always = generated(p);
    if (parse_at(p, KW_IDENTITY)) {
        identity(p, c, is_always);
        return;
    }
    c->node.op = CONSTRAINT_GENERATED;
    if (!is_always) parse_fail(p, "a generated column is GENERATED ALWAYS");
    c->expr = parse_pg_paren_expr(p);
    bool is_optional = parse_is_pg(p, 180000);
    if (parse_at(p, KW_STORED) || (is_optional && parse_at(p, KW_VIRTUAL))) c->options = parse_word(p);
    else if (!is_optional) parse_expect(p, KW_STORED);
}

/* NOT NULL [NO INHERIT: PostgreSQL 18] */
static void not_null(struct sql_reader *p, struct ast_constraint *c) {
    c->node.op = CONSTRAINT_NOT_NULL;
    parse_expect(p, KW_NOT);
    parse_expect(p, KW_NULL);
    if (parse_is_pg(p, 180000)) c->options = opt_no_inherit(p);
}

/* UNIQUE [NULLS [NOT] DISTINCT] index options | PRIMARY KEY index options */
static void column_key(struct sql_reader *p, struct ast_constraint *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->node.op = parse_at(p, KW_UNIQUE) ? CONSTRAINT_UNIQUE : CONSTRAINT_PRIMARY_KEY;
    parse_advance(p);
    if (c->node.op == CONSTRAINT_UNIQUE) parse_pg_append(p, &l, parse_pg_opt_nulls_distinct(p));
    else parse_expect(p, KW_KEY);
    index_options(p, &l);
    c->options = l.first;
}

/* NOT NULL | NULL | unique | primary key | CHECK "(" expression ")" [NO INHERIT] | DEFAULT expression | generated | references */
static void column_constraint_body(struct sql_reader *p, struct ast_constraint *c) {
    switch (p->tok.kind) {
    case KW_NOT: not_null(p, c); break;
    case KW_UNIQUE: case KW_PRIMARY: column_key(p, c); break;
    case KW_GENERATED: generated_column(p, c); break;
    case KW_NULL:
        c->node.op = CONSTRAINT_NULL;
        parse_advance(p);
        break;
    case KW_CHECK:
        c->node.op = CONSTRAINT_CHECK;
        parse_advance(p);
        c->expr = parse_pg_paren_expr(p);
        c->options = opt_no_inherit(p);
        break;
    case KW_DEFAULT:
        c->node.op = CONSTRAINT_DEFAULT;
        parse_advance(p);
        c->expr = parse_expr_b(p);
        break;
    case KW_REFERENCES:
        c->node.op = CONSTRAINT_FOREIGN_KEY;
        references(p, c, parse_name);
        break;
    default: parse_fail(p, "a column's constraint is expected here");
    }
}

static bool at_column_constraint(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_CONSTRAINT: case KW_NULL: case KW_UNIQUE: case KW_PRIMARY: case KW_CHECK: case KW_DEFAULT: case KW_GENERATED:
    case KW_REFERENCES: case KW_COLLATE:
        return true;
    case KW_NOT: return parse_peek(p, 1) == KW_NULL;
    default: return false;
    }
}

/* [CONSTRAINT name] constraint | COLLATE name; the collation's NAMEs are the node's `name` */
static struct ast *column_constraint(struct sql_reader *p) {
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    if (parse_accept(p, KW_COLLATE)) {
        c->node.op = CONSTRAINT_COLLATE;
        c->options = parse_qualified_name(p);
        return parse_done(p, c);
    }
    if (parse_accept(p, KW_CONSTRAINT)) c->name = parse_name(p);
    column_constraint_body(p, c);
    return parse_done(p, c);
}

/* {constraint | [NOT] DEFERRABLE | INITIALLY (DEFERRED | IMMEDIATE) | [NOT] ENFORCED}, with one COLLATE at most */
struct ast *parse_pg_column_constraints(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    bool is_collated = false;
    for (;;) {
        if (at_column_constraint(p)) {
            if (is_collated && parse_at(p, KW_COLLATE)) parse_fail(p, "a column has one COLLATE clause");
            is_collated = is_collated || parse_at(p, KW_COLLATE);
            parse_list_add(&l, column_constraint(p));
            continue;
        }
        /* which constraint an attribute belongs to is found out later, and whether it fits */
        bool is_other = parse_pg_at_words(p, (const uint16_t[]){KW_NOT, KW_VALID}, 2) || parse_at(p, KW_NO);
        struct ast *attribute = is_other ? NULL : parse_pg_opt_phrase(p, attributes);
        if (!attribute) return l.first;
        parse_list_add(&l, attribute);
    }
}

/* name type [STORAGE how] [COMPRESSION how] [OPTIONS "(" ... ")"] constraints */
struct ast *parse_pg_column_def(struct sql_reader *p) {
    static const struct parse_pg_phrase storage[] = {
        {.words = {KW_STORAGE}, .name = "storage", .value = parse_pg_name_or_default, .since = 160000},
        {.name = NULL},
    };
    static const struct parse_pg_phrase compression[] = {
        {.words = {KW_COMPRESSION}, .name = "compression", .value = parse_pg_name_or_default},
        {.name = NULL},
    };
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    struct parse_list l;
    parse_list_init(&l);
    d->name = parse_name(p);
    d->type = parse_type(p);
    parse_pg_append(p, &l, parse_pg_opt_phrase(p, storage));
    parse_pg_append(p, &l, parse_pg_opt_phrase(p, compression));
    parse_pg_append(p, &l, parse_pg_opt_generic_options(p));
    parse_pg_append(p, &l, parse_pg_column_constraints(p));
    d->constraints = l.first;
    return parse_done(p, d);
}

/* name type [COLLATE name] */
struct ast *parse_pg_field(struct sql_reader *p) {
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    d->name = parse_name(p);
    d->type = parse_type(p);
    if (parse_at(p, KW_COLLATE)) d->constraints = column_constraint(p);
    return parse_done(p, d);
}

/* ---- constraints of tables ------------------------------------------------------------------------------------------- */

/* `exclude` is a word that columns may be called by; NOT NULL is for tables since PostgreSQL 18 */
bool parse_pg_at_constraint(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_CONSTRAINT: case KW_CHECK: case KW_UNIQUE: case KW_PRIMARY: case KW_FOREIGN: return true;
    case KW_EXCLUDE: return parse_peek(p, 1) == '(' || parse_peek(p, 1) == KW_USING;
    case KW_NOT: return parse_is_pg(p, 180000);
    default: return false;
    }
}

/* name [WITHOUT OVERLAPS: PostgreSQL 18, of the last; an OPTION around the NAME] */
static struct ast *key_column(struct sql_reader *p) {
    struct ast *name = parse_name(p);
    if (!parse_is_pg(p, 180000) || !parse_accept2(p, KW_WITHOUT, KW_OVERLAPS)) return name;
    if (!parse_at(p, ')')) parse_expect(p, ')');
    return parse_option(p, name->start, "without overlaps", name);
}

/* (UNIQUE [NULLS [NOT] DISTINCT] | PRIMARY KEY) ("(" columns ")" [INCLUDE "(" columns ")"] index options | USING INDEX name)
   attributes */
static void table_key(struct sql_reader *p, struct ast_constraint *c) {
    static const struct parse_pg_phrase existing[] = {
        {.words = {KW_USING, KW_INDEX}, .name = "using index", .value = parse_name},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    c->node.op = parse_at(p, KW_UNIQUE) ? CONSTRAINT_UNIQUE : CONSTRAINT_PRIMARY_KEY;
    parse_advance(p);
    if (c->node.op == CONSTRAINT_PRIMARY_KEY) parse_expect(p, KW_KEY);
    struct ast *index = parse_pg_opt_phrase(p, existing);
    if (!index) {
        if (c->node.op == CONSTRAINT_UNIQUE) parse_pg_append(p, &l, parse_pg_opt_nulls_distinct(p));
        c->columns = parse_paren_list(p, key_column);
        parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_INCLUDE, "include", parse_paren_names));
        index_options(p, &l);
    }
    parse_pg_append(p, &l, index);
    parse_pg_append(p, &l, parse_pg_attributes(p, PARSE_PG_DEFERRABLE));
    c->options = l.first;
}

/* index element WITH (operator | OPERATOR "(" operator ")"): the operator is the SORT's `using` */
static struct ast *exclusion(struct sql_reader *p) {
    struct ast *element = parse_pg_index_element(p);
    parse_expect(p, KW_WITH);
    bool is_wrapped = parse_at(p, KW_OPERATOR) && parse_peek(p, 1) == '(';
    if (is_wrapped) {
        parse_advance(p);
        parse_advance(p);
    }
    struct ast *operator = parse_operator_name(p);
    if (is_wrapped) parse_expect(p, ')');
    if (p->failed) return element;
    AST_AS(sort, SORT, element)->using_ = operator;
    return parse_done(p, element);
}

/* EXCLUDE [USING method] "(" exclusion {"," exclusion} ")" [INCLUDE "(" columns ")"] index options [WHERE "(" condition ")"]
   attributes */
static void exclude(struct sql_reader *p, struct ast_constraint *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->node.op = CONSTRAINT_EXCLUDE;
    parse_expect(p, KW_EXCLUDE);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_USING, "using", parse_name));
    c->columns = parse_paren_list(p, exclusion);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_INCLUDE, "include", parse_paren_names));
    index_options(p, &l);
    if (parse_accept(p, KW_WHERE)) c->expr = parse_pg_paren_expr(p);
    parse_pg_append(p, &l, parse_pg_attributes(p, PARSE_PG_DEFERRABLE));
    c->options = l.first;
}

/* FOREIGN KEY "(" columns ")" REFERENCES table ["(" columns ")"] options attributes */
static void foreign_key(struct sql_reader *p, struct ast_constraint *c) {
    parse_function *column = parse_is_pg(p, 180000) ? period_column : parse_name;
    struct parse_list l;
    parse_list_init(&l);
    c->node.op = CONSTRAINT_FOREIGN_KEY;
    parse_expect(p, KW_FOREIGN);
    parse_expect(p, KW_KEY);
    c->columns = parse_paren_list(p, column);
    references(p, c, column);
    parse_pg_append(p, &l, c->options);
    parse_pg_append(p, &l, parse_pg_attributes(p, PARSE_PG_DEFERRABLE | PARSE_PG_NOT_VALID | PARSE_PG_ENFORCED));
    c->options = l.first;
}

/* CHECK "(" condition ")" attributes */
static void check(struct sql_reader *p, struct ast_constraint *c, unsigned allowed) {
    c->node.op = CONSTRAINT_CHECK;
    parse_expect(p, KW_CHECK);
    c->expr = parse_pg_paren_expr(p);
    c->options = parse_pg_attributes(p, allowed);
}

/* [CONSTRAINT name] (check | key | exclude | foreign key | NOT NULL column attributes: PostgreSQL 18) */
struct ast *parse_pg_table_constraint(struct sql_reader *p) {
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    if (parse_accept(p, KW_CONSTRAINT)) c->name = parse_name(p);
    switch (p->tok.kind) {
    case KW_CHECK: check(p, c, PARSE_PG_NOT_VALID | PARSE_PG_NO_INHERIT | PARSE_PG_ENFORCED); break;
    case KW_UNIQUE: case KW_PRIMARY: table_key(p, c); break;
    case KW_EXCLUDE: exclude(p, c); break;
    case KW_NOT:
        if (!parse_is_pg(p, 180000)) parse_fail(p, "a table's constraint is expected here");
        c->node.op = CONSTRAINT_NOT_NULL;
        parse_advance(p);
        parse_expect(p, KW_NULL);
        c->columns = parse_name(p);
        c->options = parse_pg_attributes(p, PARSE_PG_NOT_VALID | PARSE_PG_NO_INHERIT);
        break;
    default: foreign_key(p, c);
    }
    return parse_done(p, c);
}

/* Till PostgreSQL 16 a table's constraint; then [CONSTRAINT name] (CHECK "(" condition ")" | NOT NULL) attributes */
struct ast *parse_pg_domain_constraint(struct sql_reader *p) {
    if (!parse_is_pg(p, 170000)) return parse_pg_table_constraint(p);
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    if (parse_accept(p, KW_CONSTRAINT)) c->name = parse_name(p);
    if (parse_at(p, KW_CHECK)) {
        check(p, c, PARSE_PG_NOT_VALID | PARSE_PG_NO_INHERIT);
    } else {
        c->node.op = CONSTRAINT_NOT_NULL;
        parse_expect(p, KW_NOT);
        parse_expect(p, KW_NULL);
        c->options = parse_pg_attributes(p, 0);
    }
    return parse_done(p, c);
}
