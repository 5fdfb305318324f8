/*
 * parse_pg_table.c - CREATE TABLE in all its forms, and CREATE FOREIGN TABLE.
 *
 * objects: the TABLE. elements: COLUMN_DEFs, CONSTRAINTs, OPTIONs "like". args: the NAMEs of CREATE TABLE t (a, b) AS.
 * query: that of AS, or the EXECUTE. options: the rest, as OPTIONs: "of" (NAMEs), "partition of" (TABLE), "for values ...",
 * "inherits" (TABLEs), "partition by" (NAME, SORTs), "using", "with", "on commit ...", "tablespace", "server", "options".
 */
#include "parser/parse_pg.h"

/* ---- elements -------------------------------------------------------------------------------------------------------- */

/* LIKE table {(INCLUDING | EXCLUDING) what} */
static struct ast *like(struct sql_reader *p) {
    static const struct parse_pg_phrase whats[] = {
        {.words = {KW_COMMENTS}, .name = "comments"},       {.words = {KW_COMPRESSION}, .name = "compression"},
        {.words = {KW_CONSTRAINTS}, .name = "constraints"}, {.words = {KW_DEFAULTS}, .name = "defaults"},
        {.words = {KW_IDENTITY}, .name = "identity"},       {.words = {KW_GENERATED}, .name = "generated"},
        {.words = {KW_INDEXES}, .name = "indexes"},         {.words = {KW_STATISTICS}, .name = "statistics"},
        {.words = {KW_STORAGE}, .name = "storage"},         {.words = {KW_ALL}, .name = "all"},
        {.name = NULL},
    };
    uint32_t start = p->tok.start;
    struct parse_list l;
    parse_list_init(&l);
    parse_expect(p, KW_LIKE);
    parse_list_add(&l, parse_table_name(p));
    while (parse_at(p, KW_INCLUDING) || parse_at(p, KW_EXCLUDING)) {
        uint32_t at = p->tok.start;
        bool is_including = parse_accept(p, KW_INCLUDING);
        if (!is_including) parse_advance(p);
        parse_list_add(&l, parse_option(p, at, is_including ? "including" : "excluding", parse_pg_phrase(p, whats)));
    }
    return parse_option(p, start, "like", l.first);
}

/* column definition | LIKE ... | constraint */
static struct ast *table_element(struct sql_reader *p) {
    if (parse_at(p, KW_LIKE)) return like(p);
    if (parse_pg_at_constraint(p)) return parse_pg_table_constraint(p);
    return parse_pg_column_def(p);
}

/* name [WITH OPTIONS] constraints | constraint: the type says the rest */
static struct ast *typed_element(struct sql_reader *p) {
    if (parse_pg_at_constraint(p)) return parse_pg_table_constraint(p);
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    d->name = parse_name(p);
    parse_accept2(p, KW_WITH, KW_OPTIONS);
    d->constraints = parse_pg_column_constraints(p);
    return parse_done(p, d);
}

/* "(" [element {"," element}] ")" */
static struct ast *table_elements(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *elements = parse_at(p, ')') ? NULL : parse_comma_list(p, table_element);
    parse_expect(p, ')');
    return elements;
}

/* ---- partitions ------------------------------------------------------------------------------------------------------ */

/* word integer: `modulus` and `remainder`, in any order, each once */
static struct ast *hash_bound(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_nonreserved_word(p);
    o->values = parse_pg_int(p);
    return parse_done(p, o);
}

static bool is_named(const struct ast *option, const char *name) {
    const struct ast_option *o = AST_AS(option, OPTION, option);
    return bytes_is(AST_AS(name, NAME, o->name)->text, name);
}

static struct ast *hash_bounds(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    struct ast *bounds = parse_paren_list(p, hash_bound);
    if (p->failed) return bounds;
    bool is_pair = bounds->next && !bounds->next->next;
    if (!is_pair || !((is_named(bounds, "modulus") && is_named(bounds->next, "remainder")) ||
                      (is_named(bounds, "remainder") && is_named(bounds->next, "modulus")))) {
        parse_fail_at(p, position, "a hash partition has a modulus and a remainder");
    }
    return bounds;
}

static struct ast *paren_exprs(struct sql_reader *p) {
    return parse_paren_list(p, parse_expr);
}

/* "(" expressions ")" TO "(" expressions ")": two ROWs */
static struct ast *range_bounds(struct sql_reader *p) {
    struct ast_list_expr *from = PARSE_NODE(p, ast_list_expr, ROW);
    from->items = paren_exprs(p);
    parse_done(p, from);
    parse_expect(p, KW_TO);
    struct ast_list_expr *to = PARSE_NODE(p, ast_list_expr, ROW);
    to->items = paren_exprs(p);
    from->node.next = parse_done(p, to);
    return &from->node;
}

/* FOR VALUES (WITH hash bounds | IN "(" expressions ")" | FROM range bounds) | DEFAULT */
struct ast *parse_pg_partition_bound(struct sql_reader *p) {
    static const struct parse_pg_phrase bounds[] = {
        {.words = {KW_FOR, KW_VALUES, KW_WITH}, .name = "for values with", .value = hash_bounds},
        {.words = {KW_FOR, KW_VALUES, KW_IN}, .name = "for values in", .value = paren_exprs},
        {.words = {KW_FOR, KW_VALUES, KW_FROM}, .name = "for values from", .value = range_bounds},
        {.words = {KW_DEFAULT}, .name = "default"},
        {.name = NULL},
    };
    return parse_pg_phrase(p, bounds);
}

/* column or expression [COLLATE name] [operator class] */
static struct ast *partition_key(struct sql_reader *p) {
    struct ast_sort *s = PARSE_NODE(p, ast_sort, SORT);
    s->expr = parse_pg_key_expr(p);
    s->collation = parse_pg_opt_collate(p);
    if (parse_at_name(p)) s->opclass = parse_qualified_name(p);
    return parse_done(p, s);
}

/* strategy "(" keys ")"; PostgreSQL 16 knows the strategies already here */
static struct ast *partition_by(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    struct ast *strategy = parse_name(p);
    if (!p->failed && parse_is_pg(p, 160000)) {
        struct bytes text = AST_AS(name, NAME, strategy)->text;
        if (!bytes_is(text, "list") && !bytes_is(text, "range") && !bytes_is(text, "hash")) {
            parse_fail_at(p, position, "unknown partitioning strategy");
        }
    }
    strategy->next = parse_paren_list(p, partition_key);
    return strategy;
}

/* ---- behind the columns ---------------------------------------------------------------------------------------------- */

static struct ast *tables(struct sql_reader *p) {
    return parse_paren_list(p, parse_table_name);
}

/* [USING method] [WITH "(" parameters ")" | WITHOUT OIDS] [ON COMMIT what] [TABLESPACE name] */
static void storage(struct sql_reader *p, struct parse_list *l) {
    static const struct parse_pg_phrase oids[] = {
        {.words = {KW_WITHOUT, KW_OIDS}, .name = "without oids"},
        {.name = NULL},
    };
    static const struct parse_pg_phrase with_oids[] = {
        {.words = {KW_WITH, KW_OIDS}, .name = "with oids"},
        {.name = NULL},
    };
    static const struct parse_pg_phrase on_commit[] = {
        {.words = {KW_ON, KW_COMMIT, KW_DROP}, .name = "on commit drop"},
        {.words = {KW_ON, KW_COMMIT, KW_DELETE, KW_ROWS}, .name = "on commit delete rows"},
        {.words = {KW_ON, KW_COMMIT, KW_PRESERVE, KW_ROWS}, .name = "on commit preserve rows"},
        {.name = NULL},
    };
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_USING, "using", parse_name));
    struct ast *option = parse_is_pg(p, 120000) ? NULL : parse_pg_opt_phrase(p, with_oids);
    if (!option) option = parse_pg_opt_phrase(p, oids);
    parse_pg_append(p, l, option ? option : parse_pg_opt_reloptions(p));
    parse_pg_append(p, l, parse_pg_opt_phrase(p, on_commit));
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_TABLESPACE, "tablespace", parse_name));
}

/* PARTITION OF table [typed elements] bound */
static void partition_of(struct sql_reader *p, struct ast_command *c, struct parse_list *l) {
    static const struct parse_pg_phrase of[] = {
        {.words = {KW_PARTITION, KW_OF}, .name = "partition of", .value = parse_table_name},
        {.name = NULL},
    };
    parse_pg_append(p, l, parse_pg_phrase(p, of));
    c->elements = parse_opt_paren_list(p, typed_element);
    parse_pg_append(p, l, parse_pg_partition_bound(p));
}

/* AS (query | EXECUTE ...) [WITH [NO] DATA] */
static void as_query(struct sql_reader *p, struct ast_command *c, struct parse_list *l) {
    c->object = SQL_OBJECT_TABLE_AS;
    parse_expect(p, KW_AS);
    c->query = parse_at(p, KW_EXECUTE) ? parse_statement(p) : parse_query(p);
    parse_pg_append(p, l, parse_pg_with_data(p, c));
}

/* Are names alone in these parentheses? Then a query gives the columns their types. */
static bool at_column_names(struct sql_reader *p) {
    if (!parse_at(p, '(') || !parse_is_name(p, parse_peek(p, 1))) return false;
    return parse_peek(p, 2) == ',' || parse_peek(p, 2) == ')';
}

/*
 * TABLE [IF NOT EXISTS] name
 *   ( "(" elements ")" [INHERITS "(" tables ")"] [PARTITION BY strategy "(" keys ")"] storage
 *   | OF type ["(" typed elements ")"] [PARTITION BY ...] storage
 *   | PARTITION OF table ["(" typed elements ")"] bound [PARTITION BY ...] storage
 *   | ["(" names ")"] storage AS (query | EXECUTE ...) [WITH [NO] DATA] )
 */
void parse_pg_create_table(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase by[] = {
        {.words = {KW_PARTITION, KW_BY}, .name = "partition by", .value = partition_by},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_table_name(p);
    bool is_defined = true;
    if (parse_at(p, KW_OF)) {
        parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_OF, "of", parse_qualified_name));
        c->elements = parse_opt_paren_list(p, typed_element);
    } else if (parse_at(p, KW_PARTITION)) {
        partition_of(p, c, &l);
    } else if (!at_column_names(p) && parse_at(p, '(')) {
        c->elements = table_elements(p);
        parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_INHERITS, "inherits", tables));
    } else {
        c->args = parse_opt_paren_names(p);
        is_defined = false;
    }
    if (is_defined) parse_pg_append(p, &l, parse_pg_opt_phrase(p, by));
    storage(p, &l);
    if (!is_defined) as_query(p, c, &l);
    c->options = l.first;
}

/*
 * FOREIGN TABLE [IF NOT EXISTS] name
 *   ("(" elements ")" [INHERITS "(" tables ")"] | PARTITION OF table ["(" typed elements ")"] bound)
 *   SERVER name [OPTIONS "(" ... ")"]
 */
void parse_pg_create_foreign_table(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_opt_if_not_exists(p, c);
    c->objects = parse_table_name(p);
    if (parse_at(p, KW_PARTITION)) {
        partition_of(p, c, &l);
    } else {
        c->elements = table_elements(p);
        parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_INHERITS, "inherits", tables));
    }
    parse_list_add(&l, parse_pg_clause(p, KW_SERVER, "server", parse_name));
    parse_pg_append(p, &l, parse_pg_opt_generic_options(p));
    c->options = l.first;
}
