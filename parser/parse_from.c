/*
 * parse_from.c - tables: names, aliases, joins, derived tables, functions as tables.
 *
 * Joins are read from the left. A qualified join takes as its right side everything up to its own ON or USING, so
 * `a JOIN b JOIN c ON x ON y` nests to the right, as both servers have it.
 */
#include "parser/parse.h"

/* ---- names of tables ------------------------------------------------------------------------------------------------- */

/* name { "." name }: at most database, schema and table */
struct ast *parse_table_name(struct sql_reader *p) {
    struct ast_table *table = PARSE_NODE(p, ast_table, TABLE);
    if (p->is_mariadb && parse_at(p, '.')) parse_advance(p);
    table->names = parse_qualified_name(p);
    if (!p->failed && table->names->next && table->names->next->next) {
        if (p->is_mysql || table->names->next->next->next) parse_fail_at(p, table->node.start, "improper qualified name");
    }
    return parse_done(p, table);
}

/* name ["*"] | ONLY name | ONLY "(" name ")" */
struct ast *parse_relation(struct sql_reader *p) {
    if (p->is_mysql) return parse_table_name(p);
    uint32_t start = p->tok.start;
    bool is_only = parse_accept(p, KW_ONLY);
    bool is_paren = is_only && parse_accept(p, '(');
    struct ast *table = parse_table_name(p);
    if (is_paren) parse_expect(p, ')');
    if (is_only) table->flags |= AST_TABLE_ONLY;
    else if (parse_accept(p, '*')) table->flags |= AST_TABLE_STAR;
    table->start = start;
    return parse_done(p, table);
}

/* ---- aliases --------------------------------------------------------------------------------------------------------- */

/* name type [COLLATE name] */
struct ast *parse_record_column(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    def->name = parse_name(p);
    def->type = parse_type(p);
    if (parse_at(p, KW_COLLATE)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        def->constraints = parse_option(p, start, "collate", parse_qualified_name(p));
    }
    return parse_done(p, def);
}

/* "(" names ")", or for functions "(" name type { "," name type } ")" */
static struct ast *parse_alias_columns(struct sql_reader *p, bool may_record) {
    uint16_t next = may_record ? parse_peek(p, 2) : ',';
    if (next == ',' || next == ')') return parse_paren_names(p);
    return parse_paren_list(p, parse_record_column);
}

/* [[AS] name ["(" columns ")"]]; functions that return records also AS "(" definitions ")" */
struct ast *parse_opt_alias(struct sql_reader *p, bool may_record) {
    bool is_as = parse_at(p, KW_AS) || (p->is_mariadb && parse_at(p, '=')); /* MariaDB: t1 = a is t1 AS a */
    if (!is_as && !parse_at_table_alias(p)) return NULL;
    struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
    if (is_as) parse_advance(p);
    if (may_record && is_as && parse_at(p, '(')) {
        alias->columns = parse_paren_list(p, parse_record_column);
        return parse_done(p, alias);
    }
    if (is_as && p->is_mariadb && parse_at(p, KW_WINDOW)) parse_fail(p, "syntax error: expected a name");
    if (is_as) alias->name = parse_name(p);
    else alias->name = parse_name_of_token(p);
    if (parse_at(p, '(')) alias->columns = parse_alias_columns(p, may_record);
    return parse_done(p, alias);
}

/* relation [AS] alias, as the target of a statement */
struct ast *parse_relation_alias(struct sql_reader *p) {
    struct ast_table *table = (struct ast_table *)parse_relation(p);
    if (p->failed) return &table->node;
    if (!p->is_mysql && parse_at(p, KW_SET)) return &table->node;
    if (!parse_at(p, KW_AS) && !parse_at_table_alias(p)) return &table->node;
    struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
    parse_accept(p, KW_AS);
    alias->name = parse_name(p);
    table->alias = parse_done(p, alias);
    return parse_done(p, table);
}

/* ---- plain tables ---------------------------------------------------------------------------------------------------- */

/* TABLESAMPLE name "(" exprs ")" [REPEATABLE "(" expr ")"] - at TABLESAMPLE */
static struct ast *parse_sample(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    parse_advance(p);
    f->names = parse_peek(p, 1) == '.' ? parse_qualified_name(p) : parse_type_function_name(p);
    f->args = parse_paren_list(p, parse_expr);
    if (parse_at(p, KW_REPEATABLE)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        parse_expect(p, '(');
        struct ast *seed = parse_expr(p);
        parse_expect(p, ')');
        f->options = parse_option(p, start, "repeatable", seed);
    }
    return parse_done(p, f);
}

/* TABLESAMPLE (SYSTEM | BERNOULLI) "(" number | parameter | variable ")" - at TABLESAMPLE, MySQL 9 */
static struct ast *parse_mysql_sample(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    parse_advance(p);
    if (!parse_at(p, KW_SYSTEM) && !parse_at(p, KW_BERNOULLI)) parse_fail(p, "syntax error: expected SYSTEM or BERNOULLI");
    f->names = parse_name_of_token(p);
    parse_expect(p, '(');
    f->args = parse_expr_primary(p);
    parse_expect(p, ')');
    return parse_done(p, f);
}

/* [TIMESTAMP | TRANSACTION] bit_expr */
static struct ast *parse_system_time_point(struct sql_reader *p) {
    if (parse_at(p, KW_TRANSACTION) || (parse_at(p, KW_TIMESTAMP) && !parse_at_string(p) && parse_peek(p, 1) != TOKEN_STRING)) {
        if (parse_peek(p, 1) != '(') parse_advance(p);
    }
    return parse_bit_expr(p);
}

/* FOR SYSTEM_TIME (AS OF point | BETWEEN point AND point | FROM point TO point | ALL) - at FOR, MariaDB */
static struct ast *parse_system_time(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *points = NULL;
    parse_advance(p);
    parse_advance(p);
    if (parse_accept(p, KW_AS)) {
        parse_expect(p, KW_OF);
        points = parse_system_time_point(p);
    } else if (parse_accept(p, KW_BETWEEN)) {
        points = parse_system_time_point(p);
        parse_expect(p, KW_AND);
        points->next = parse_system_time_point(p);
    } else if (parse_accept(p, KW_FROM)) {
        points = parse_system_time_point(p);
        parse_expect(p, KW_TO);
        points->next = parse_system_time_point(p);
    } else {
        parse_expect(p, KW_ALL);
    }
    return parse_option(p, start, "for system_time", points);
}

/* FOR PORTION OF name FROM expr TO expr - at FOR; MariaDB, PostgreSQL 19 */
struct ast *parse_opt_portion(struct sql_reader *p) {
    if (!parse_at(p, KW_FOR) || (!p->is_mariadb && !parse_is_pg(p, 190000))) return NULL;
    uint32_t start = p->tok.start;
    parse_advance(p);
    if (!parse_accept_word(p, "portion")) parse_fail(p, "syntax error: expected PORTION");
    parse_expect(p, KW_OF);
    struct parse_list values;
    parse_list_init(&values);
    parse_list_add(&values, parse_name(p));
    parse_expect(p, KW_FROM);
    parse_list_add(&values, p->is_mysql ? parse_bit_expr(p) : parse_expr(p));
    parse_expect(p, KW_TO);
    parse_list_add(&values, p->is_mysql ? parse_bit_expr(p) : parse_expr(p));
    return parse_option(p, start, "for portion of", values.first);
}

/* name, PRIMARY */
static struct ast *parse_index_name(struct sql_reader *p) {
    return parse_at(p, KW_PRIMARY) ? parse_name_of_token(p) : parse_name(p);
}

/* { (USE | FORCE | IGNORE) (INDEX | KEY) [FOR (JOIN | ORDER BY | GROUP BY)] "(" [names] ")" } - MySQL */
static struct ast *parse_index_hints(struct sql_reader *p) {
    struct parse_list hints;
    parse_list_init(&hints);
    for (;;) {
        uint32_t start = p->tok.start;
        const char *name;
        uint16_t next = parse_at(p, KW_USE) || parse_at(p, KW_FORCE) || parse_at(p, KW_IGNORE) ? parse_peek(p, 1) : 0;
        if (next != KW_INDEX && next != KW_KEY) break;
        name = parse_at(p, KW_USE) ? "use index" : parse_at(p, KW_FORCE) ? "force index" : "ignore index";
        parse_advance(p);
        parse_advance(p);
        if (parse_accept(p, KW_FOR) && !parse_accept(p, KW_JOIN)) {
            if (!parse_accept(p, KW_ORDER)) parse_expect(p, KW_GROUP);
            parse_expect(p, KW_BY);
        }
        parse_expect(p, '(');
        bool is_none = parse_at(p, ')') && name[0] == 'u'; /* USE INDEX () is to use none */
        struct ast *names = is_none ? NULL : parse_comma_list(p, parse_index_name);
        parse_expect(p, ')');
        parse_list_add(&hints, parse_option(p, start, name, names));
    }
    return hints.first;
}

/* PARTITION "(" names ")" */
static struct ast *parse_opt_partitions(struct sql_reader *p) {
    if (!p->is_mysql || !parse_at(p, KW_PARTITION) || parse_peek(p, 1) != '(') return NULL;
    parse_advance(p);
    return parse_paren_names(p);
}

/* name [PARTITION ...] [FOR SYSTEM_TIME ...] [alias] [index hints] [TABLESAMPLE ...] */
static struct ast *parse_mysql_table(struct sql_reader *p) {
    struct ast_table *table;
    if (parse_at(p, KW_DUAL)) {
        table = PARSE_NODE(p, ast_table, TABLE);
        table->names = parse_name_of_token(p);
        return parse_done(p, table);
    }
    table = (struct ast_table *)parse_table_name(p);
    if (p->failed) return &table->node;
    table->partitions = parse_opt_partitions(p);
    if (p->is_mariadb && parse_at(p, KW_FOR) && parse_peek(p, 1) == KW_SYSTEM_TIME) table->period = parse_system_time(p);
    table->alias = parse_opt_alias(p, false);
    table->hints = parse_index_hints(p);
    if (!p->is_mariadb && parse_at(p, KW_TABLESAMPLE)) table->sample = parse_mysql_sample(p);
    return parse_done(p, table);
}

/* ---- tables, and calls in their place -------------------------------------------------------------------------------- */

/* PostgreSQL: relation | call | special call, told apart by the parenthesis behind the names */
static struct ast *parse_pg_table(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    uint16_t kind = p->tok.kind;
    struct ast *special = kind >= KEYWORD_FIRST && kind != KW_GROUPING ? parse_special_call(p) : NULL;
    if (special || ((kind < KEYWORD_FIRST || parse_uses(p, kind) & KEYWORD_FUNCTION) && parse_peek(p, 1) == '(')) {
        struct ast_table_func *t = PARSE_NODE(p, ast_table_func, TABLE_FUNC);
        t->node.start = start;
        t->funcs = special ? special : parse_func_primary(p);
        return parse_table_func_rest(p, t);
    }
    if (kind == KW_ONLY) {
        struct ast_table *table = (struct ast_table *)parse_relation(p);
        if (!p->failed) {
            table->alias = parse_opt_alias(p, false);
            if (parse_at(p, KW_TABLESAMPLE)) table->sample = parse_sample(p);
        }
        return parse_done(p, table);
    }
    struct ast_table *table = PARSE_NODE(p, ast_table, TABLE);
    table->names = parse_qualified_name(p);
    if (parse_at(p, '(') && !p->failed && table->names->next) {
        struct ast_table_func *t = PARSE_NODE(p, ast_table_func, TABLE_FUNC);
        t->node.start = start;
        t->funcs = parse_application(p, table->names, start);
        return parse_table_func_rest(p, t);
    }
    unsigned count = 0;
    for (const struct ast *n = table->names; !p->failed && n; n = n->next) count++;
    if (count > 3) parse_fail_at(p, start, "improper qualified name (too many dotted names)");
    if (parse_accept(p, '*')) table->node.flags |= AST_TABLE_STAR;
    table->alias = parse_opt_alias(p, false);
    if (parse_at(p, KW_TABLESAMPLE)) table->sample = parse_sample(p);
    return parse_done(p, table);
}

/* ---- parentheses, joins ---------------------------------------------------------------------------------------------- */

static struct ast *parse_joins(struct sql_reader *p, struct ast *left, uint32_t start);

static bool is_query(const struct ast *node) {
    return node->kind == AST_SELECT || node->kind == AST_SETOP || node->kind == AST_VALUES;
}

/* alias behind a query in parentheses */
static struct ast *derived(struct sql_reader *p, struct ast *query, uint32_t start) {
    struct ast_derived *d = PARSE_NODE(p, ast_derived, DERIVED);
    d->node.start = start;
    query->flags |= AST_PARENS;
    d->query = query;
    d->alias = parse_opt_alias(p, false);
    bool must_alias = p->is_mariadb && p->options->version < 120000 && !(p->options->modes & SQL_ORACLE);
    if (must_alias && !d->alias) parse_fail(p, "syntax error: a derived table must have an alias");
    if (!p->is_mysql && !p->failed && !d->alias && !parse_is_pg(p, 160000)) {
        parse_fail_at(p, start,
                      query->kind == AST_VALUES ? "VALUES in FROM must have an alias" : "subquery in FROM must have an alias");
    }
    return parse_done(p, d);
}

/* "(" query ")" gives the query; "(" tables ")" gives a table reference, its parentheses noted */
static struct ast *parse_table_paren(struct sql_reader *p) {
    struct ast *inside;
    if (!parse_enter(p)) {
        parse_leave(p);
        return parse_node_failed(p, AST_TABLE);
    }
    parse_expect(p, '(');
    uint32_t start = p->tok.start;
    if (parse_at_query_word(p)) {
        inside = parse_query(p);
    } else {
        if (parse_at(p, '(')) {
            inside = parse_table_paren(p);
            if (!p->failed && is_query(inside)) {
                inside->flags |= AST_PARENS;
                if (parse_at_query_tail(p)) inside = parse_query_rest(p, inside, start);
                else if (!parse_at(p, ')')) inside = parse_joins(p, derived(p, inside, start), start);
            } else {
                inside = parse_joins(p, inside, start);
            }
        } else {
            inside = parse_table_ref(p);
        }
        if (!p->failed && !is_query(inside)) {
            if (p->is_mysql) {
                for (struct ast **tail = &inside->next; parse_accept(p, ','); tail = &(*tail)->next) *tail = parse_table_ref(p);
            } else if (inside->kind != AST_JOIN) {
                parse_fail(p, "syntax error");
            }
        }
    }
    parse_expect(p, ')');
    parse_leave(p);
    return inside;
}

/* What parentheses gave, with what may stand behind them. */
static struct ast *parse_paren_table(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *inside = parse_table_paren(p);
    if (p->failed) return inside;
    if (is_query(inside)) return derived(p, inside, start);
    if (p->is_mysql && !inside->next) {
        inside->flags |= AST_PARENS;
        return inside;
    }
    if (!p->is_mysql && (inside->flags & AST_PARENS) && !parse_at(p, KW_AS) && !parse_at_table_alias(p)) return inside;
    bool has_alias = !p->is_mysql && (parse_at(p, KW_AS) || parse_at_table_alias(p));
    if (!has_alias && !inside->next) {
        inside->flags |= AST_PARENS;
        return inside;
    }
    struct ast_join *join = PARSE_NODE(p, ast_join, JOIN); /* (a, b), or (a JOIN b) AS x: a node around it */
    join->node.start = start;
    join->node.flags = AST_JOIN_LIST;
    inside->flags |= AST_PARENS;
    join->left = inside;
    if (has_alias) join->alias = parse_opt_alias(p, false);
    return parse_done(p, join);
}

/* LATERAL (call | "(" query ")") - at LATERAL */
static struct ast *parse_lateral(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *table;
    parse_advance(p);
    if (parse_at(p, '(')) {
        table = parse_paren_table(p);
    } else {
        table = parse_opt_table_func(p);
        if (!table) table = parse_pg_table(p);
    }
    if (p->failed) return table;
    if (table->kind != AST_DERIVED && table->kind != AST_TABLE_FUNC) parse_fail_at(p, table->start, "syntax error");
    table->flags |= AST_DERIVED_LATERAL;
    table->start = start;
    return table;
}

/* A table reference without joins. */
static struct ast *parse_table_primary(struct sql_reader *p) {
    if (parse_at(p, '(')) return parse_paren_table(p);
    if (parse_at(p, KW_LATERAL) && !p->is_mariadb) return parse_lateral(p);
    if (p->is_mysql && parse_at(p, '{')) { /* ODBC: {OJ a LEFT JOIN b ON c} */
        parse_advance(p);
        parse_label(p);
        struct ast *inside = parse_table_ref(p);
        parse_expect(p, '}');
        return inside;
    }
    struct ast *func = parse_opt_table_func(p);
    if (func) return func;
    return p->is_mysql ? parse_mysql_table(p) : parse_pg_table(p);
}

/* The kind of join at hand, its words read; false when there is none. */
struct join_words {
    enum ast_join_op op;
    uint32_t flags;
    bool is_qualified; /* ON or USING belongs to it */
    bool may_lack;     /* MySQL: but may be left out */
};

static bool parse_join_words(struct sql_reader *p, struct join_words *w) {
    *w = (struct join_words){.op = JOIN_INNER, .is_qualified = true};
    if (parse_at(p, KW_NATURAL)) {
        parse_advance(p);
        w->flags = AST_JOIN_NATURAL;
        w->is_qualified = false;
    }
    switch (p->tok.kind) {
    case KW_JOIN: w->may_lack = p->is_mysql; break;
    case KW_INNER:
        w->may_lack = p->is_mysql;
        parse_advance(p);
        break;
    case KW_CROSS:
        if (w->flags) return false;
        w->op = JOIN_CROSS;
        w->is_qualified = p->is_mysql;
        w->may_lack = true;
        parse_advance(p);
        break;
    case KW_LEFT:
    case KW_RIGHT:
    case KW_FULL:
        if (p->is_mysql && parse_at(p, KW_FULL)) return false;
        w->op = parse_at(p, KW_LEFT) ? JOIN_LEFT : parse_at(p, KW_RIGHT) ? JOIN_RIGHT : JOIN_FULL;
        parse_advance(p);
        parse_accept(p, KW_OUTER);
        break;
    case KW_STRAIGHT_JOIN:
        if (!p->is_mysql) return false;
        w->op = JOIN_STRAIGHT;
        w->may_lack = true;
        parse_advance(p);
        return true;
    default:
        if (w->flags) parse_fail(p, "syntax error: expected JOIN");
        return false;
    }
    parse_expect(p, KW_JOIN);
    return !p->failed;
}

/* ON expr | USING "(" names ")" [AS name] */
static bool parse_opt_join_condition(struct sql_reader *p, struct ast_join *join) {
    if (parse_accept(p, KW_ON)) {
        join->on = parse_expr(p);
        return true;
    }
    if (!parse_accept(p, KW_USING)) return false;
    join->using_ = parse_paren_names(p);
    if (!p->is_mysql && parse_at(p, KW_AS)) {
        struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
        parse_advance(p);
        alias->name = parse_name(p);
        join->alias = parse_done(p, alias);
    }
    return true;
}

/* { join } behind a first table */
static struct ast *parse_joins(struct sql_reader *p, struct ast *left, uint32_t start) {
    struct join_words words;
    unsigned count = 0;
    while (!p->failed && parse_join_words(p, &words)) {
        struct ast_join *join = PARSE_NODE(p, ast_join, JOIN);
        join->node.start = start;
        join->node.op = (uint16_t)words.op;
        join->node.flags = words.flags;
        join->left = left;
        parse_rise(p);
        count++;
        uint32_t right_start = p->tok.start;
        struct ast *right = parse_table_primary(p);
        if (words.is_qualified && !p->failed && !parse_at(p, KW_ON) && !parse_at(p, KW_USING)) {
            if (parse_enter(p)) right = parse_joins(p, right, right_start);
            parse_leave(p);
        }
        join->right = right;
        if (words.is_qualified && !parse_opt_join_condition(p, join) && !words.may_lack) {
            parse_fail(p, "syntax error: expected ON or USING");
        }
        left = parse_done(p, join);
    }
    parse_sink(p, count);
    return left;
}

/* table { join } */
struct ast *parse_table_ref(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *table = parse_table_primary(p);
    switch (p->tok.kind) {
    case KW_JOIN:
    case KW_INNER:
    case KW_CROSS:
    case KW_LEFT:
    case KW_RIGHT:
    case KW_FULL:
    case KW_NATURAL:
    case KW_STRAIGHT_JOIN: return parse_joins(p, table, start);
    default: return table;
    }
}

struct ast *parse_from_list(struct sql_reader *p) {
    return parse_comma_list(p, parse_table_ref);
}
