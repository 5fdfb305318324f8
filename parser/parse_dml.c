/*
 * parse_dml.c - statements that change rows: INSERT, REPLACE, UPDATE, DELETE, MERGE. COPY and LOAD DATA have files of
 * their own.
 *
 * Each function stands at the statement's first word; WITH was read before and comes as `with`, beginning at `start`.
 */
#include "parser/parse.h"

#include "parser/parse_pg.h"

/* ---- shared pieces --------------------------------------------------------------------------------------------------- */

/* name { subscript | field } - a column that is given a value, PostgreSQL; MySQL: a qualified name */
static struct ast *parse_target_column(struct sql_reader *p) {
    if (p->is_mysql) return parse_column(p);
    uint32_t start = p->tok.start;
    struct ast_column *column = PARSE_NODE(p, ast_column, COLUMN);
    column->names = parse_name(p);
    return parse_indirection(p, parse_done(p, column), start);
}

/* column "=" value | "(" columns ")" "=" value */
static struct ast *parse_assignment(struct sql_reader *p) {
    struct ast_assignment *a = PARSE_NODE(p, ast_assignment, ASSIGNMENT);
    if (!p->is_mysql && parse_at(p, '(')) {
        a->node.flags = AST_ASSIGNMENT_MULTI;
        a->targets = parse_paren_list(p, parse_target_column);
    } else {
        a->targets = parse_target_column(p);
    }
    if (p->is_mysql && parse_accept(p, TOKEN_ASSIGN)) {
        a->value = parse_expr_or_default(p);
        return parse_done(p, a);
    }
    parse_expect(p, '=');
    a->value = parse_expr_or_default(p);
    return parse_done(p, a);
}

struct ast *parse_assignments(struct sql_reader *p) {
    return parse_comma_list(p, parse_assignment);
}

/* (OLD | NEW) AS name */
static struct ast *parse_returning_alias(struct sql_reader *p) {
    struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
    if (!parse_accept(p, KW_OLD)) parse_expect(p, KW_NEW);
    parse_expect(p, KW_AS);
    alias->name = parse_name(p);
    return parse_done(p, alias);
}

/* [RETURNING [WITH "(" aliases ")"] targets] */
struct ast *parse_opt_returning(struct sql_reader *p) {
    if (p->is_mysql && !p->is_mariadb) return NULL;
    if (!parse_accept(p, KW_RETURNING)) return NULL;
    if (parse_is_pg(p, 180000) && parse_at(p, KW_WITH) && parse_peek(p, 1) == '(') {
        parse_advance(p);
        struct ast *aliases = parse_paren_list(p, parse_returning_alias), **tail = &aliases->next;
        while (!p->failed && *tail) tail = &(*tail)->next;
        *tail = parse_targets(p);
        return aliases;
    }
    return parse_targets(p);
}

/* [WHERE (expr | CURRENT OF cursor)] */
static struct ast *parse_opt_where_or_cursor(struct sql_reader *p) {
    if (p->is_mysql || !parse_at(p, KW_WHERE) || parse_peek(p, 1) != KW_CURRENT || parse_peek(p, 2) != KW_OF) {
        return parse_opt_where(p);
    }
    parse_advance(p);
    struct ast_current_of *current = PARSE_NODE(p, ast_current_of, CURRENT_OF);
    parse_advance(p);
    parse_advance(p);
    current->name = parse_name(p);
    return parse_done(p, current);
}

/* ---- INSERT, REPLACE ------------------------------------------------------------------------------------------------- */

/* "(" elements ")" [WHERE expr] | ON CONSTRAINT name */
static void parse_conflict_target(struct sql_reader *p, struct ast_conflict *c) {
    if (parse_at(p, '(')) {
        c->target = parse_paren_list(p, parse_pg_index_element);
        c->target_where = parse_opt_where(p);
    } else if (parse_accept(p, KW_ON)) {
        parse_expect(p, KW_CONSTRAINT);
        c->constraint = parse_name(p);
    }
}

/* ON CONFLICT [target] DO (NOTHING | UPDATE SET assignments [WHERE expr] | SELECT [lock] [WHERE expr]) - behind ON */
static void parse_on_conflict(struct sql_reader *p, struct ast_conflict *c) {
    parse_expect(p, KW_CONFLICT);
    parse_conflict_target(p, c);
    parse_expect(p, KW_DO);
    if (parse_accept(p, KW_NOTHING)) {
        c->node.op = CONFLICT_NOTHING;
        return;
    }
    if (parse_is_pg(p, 190000) && parse_accept(p, KW_SELECT)) {
        c->node.op = CONFLICT_SELECT;
        if (parse_accept(p, KW_FOR)) {
            if (parse_accept(p, KW_NO)) parse_expect(p, KW_KEY);
            else parse_accept(p, KW_KEY);
            if (!parse_accept(p, KW_UPDATE)) parse_expect(p, KW_SHARE);
        }
        c->where = parse_opt_where(p);
        return;
    }
    parse_expect(p, KW_UPDATE);
    parse_expect(p, KW_SET);
    c->node.op = CONFLICT_UPDATE;
    c->set = parse_assignments(p);
    c->where = parse_opt_where(p);
}

/* [ON CONFLICT ... | ON DUPLICATE KEY UPDATE assignments] */
static struct ast *parse_opt_conflict(struct sql_reader *p) {
    if (!parse_at(p, KW_ON)) return NULL;
    struct ast_conflict *c = PARSE_NODE(p, ast_conflict, CONFLICT);
    parse_advance(p);
    if (!p->is_mysql) {
        parse_on_conflict(p, c);
        return parse_done(p, c);
    }
    parse_expect(p, KW_DUPLICATE);
    parse_expect(p, KW_KEY);
    parse_expect(p, KW_UPDATE);
    c->node.op = CONFLICT_DUPLICATE_KEY;
    c->set = parse_assignments(p);
    return parse_done(p, c);
}

/* At "(": does it hold a query, and not the names of columns? */
static bool at_paren_query(struct sql_reader *p) {
    if (!parse_at(p, '(')) return false;
    switch (parse_peek(p, 1)) {
    case KW_SELECT:
    case KW_WITH:
    case '(': return true;
    case KW_TABLE: return !p->is_mariadb;
    case KW_VALUES: return p->is_mysql ? p->is_mariadb : parse_peek(p, 2) == '('; /* PostgreSQL: may be a column, too */
    default: return false;
    }
}

/* [OVERRIDING (SYSTEM | USER) VALUE] */
static void parse_opt_overriding(struct sql_reader *p, struct ast_insert *insert) {
    if (p->is_mysql || !parse_accept(p, KW_OVERRIDING)) return;
    if (parse_accept(p, KW_SYSTEM)) {
        insert->node.flags |= AST_INSERT_OVERRIDING_SYSTEM;
    } else {
        parse_expect(p, KW_USER);
        insert->node.flags |= AST_INSERT_OVERRIDING_USER;
    }
    parse_expect(p, KW_VALUE);
}

/* INTO name [AS alias] ["(" columns ")"] [OVERRIDING ...] (query | DEFAULT VALUES) */
static void parse_pg_insert(struct sql_reader *p, struct ast_insert *insert) {
    parse_expect(p, KW_INTO);
    struct ast_table *table = (struct ast_table *)parse_table_name(p);
    insert->table = &table->node;
    if (parse_at(p, KW_AS)) {
        struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
        parse_advance(p);
        alias->name = parse_name(p);
        table->alias = parse_done(p, alias);
        parse_done(p, table);
    }
    if (parse_accept2(p, KW_DEFAULT, KW_VALUES)) {
        insert->node.flags |= AST_INSERT_DEFAULT_VALUES;
        return;
    }
    if (parse_at(p, '(') && !at_paren_query(p)) insert->columns = parse_paren_list(p, parse_target_column);
    parse_opt_overriding(p, insert);
    insert->query = parse_query(p);
}

/* [LOW_PRIORITY | DELAYED | HIGH_PRIORITY] [IGNORE]; REPLACE: the first two */
static void parse_mysql_insert_words(struct sql_reader *p, struct ast_insert *insert) {
    bool is_replace = insert->node.flags & AST_INSERT_REPLACE;
    if (parse_accept(p, KW_LOW_PRIORITY)) insert->node.flags |= AST_INSERT_LOW_PRIORITY;
    else if (parse_accept(p, KW_DELAYED)) insert->node.flags |= AST_INSERT_DELAYED;
    else if (!is_replace && parse_accept(p, KW_HIGH_PRIORITY)) insert->node.flags |= AST_INSERT_HIGH_PRIORITY;
    if (!is_replace && parse_accept(p, KW_IGNORE)) insert->node.flags |= AST_INSERT_IGNORE;
}

/* AS name ["(" columns ")"] behind the values, MySQL 8 */
static struct ast *parse_opt_row_alias(struct sql_reader *p) {
    if (p->is_mariadb || !parse_at(p, KW_AS)) return NULL;
    struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
    parse_advance(p);
    alias->name = parse_name(p);
    alias->columns = parse_opt_paren_names(p);
    return parse_done(p, alias);
}

/* [INTO] name [PARTITION (...)] ["(" [columns] ")"] ((VALUES | VALUE) rows | SET assignments | query) [AS ...] */
static void parse_mysql_insert(struct sql_reader *p, struct ast_insert *insert) {
    parse_mysql_insert_words(p, insert);
    parse_accept(p, KW_INTO);
    struct ast_table *table = (struct ast_table *)parse_table_name(p);
    insert->table = &table->node;
    if (parse_at(p, KW_PARTITION) && parse_peek(p, 1) == '(') {
        parse_advance(p);
        table->partitions = parse_paren_names(p);
        parse_done(p, table);
    }
    if (parse_accept(p, KW_SET)) {
        insert->set = parse_assignments(p);
        insert->row_alias = parse_opt_row_alias(p);
        return;
    }
    if (parse_at(p, '(') && !at_paren_query(p)) {
        parse_advance(p);
        if (!parse_at(p, ')')) insert->columns = parse_comma_list(p, parse_target_column);
        parse_expect(p, ')');
    }
    if (parse_at(p, KW_VALUES) || parse_at(p, KW_VALUE)) insert->query = parse_values(p);
    else insert->query = parse_query(p);
    insert->row_alias = parse_opt_row_alias(p);
}

struct ast *parse_insert(struct sql_reader *p, struct ast *with, uint32_t start) {
    struct ast_insert *insert = PARSE_NODE(p, ast_insert, INSERT);
    insert->node.start = start;
    insert->with = with;
    if (parse_at(p, KW_REPLACE)) {
        insert->node.flags |= AST_INSERT_REPLACE;
        if (!p->is_mysql) parse_fail(p, "syntax error");
    }
    parse_advance(p);
    if (p->is_mysql) {
        insert->hints = parse_opt_hint(p);
        parse_mysql_insert(p, insert);
    } else {
        parse_pg_insert(p, insert);
    }
    if (!(insert->node.flags & AST_INSERT_REPLACE)) insert->conflict = parse_opt_conflict(p);
    insert->returning = parse_opt_returning(p);
    return parse_done(p, insert);
}

/* [ORDER BY sorts] [LIMIT count] of MySQL's UPDATE and DELETE: a LIMIT without more */
static void parse_mysql_change_tail(struct sql_reader *p, struct ast **order, struct ast **limit) {
    *order = parse_opt_order(p);
    if (parse_at(p, KW_LIMIT)) *limit = parse_opt_limit(p);
    if (p->failed || !*limit) return;
    const struct ast_limit *l = AST_AS(limit, LIMIT, *limit);
    if (l->offset || l->examined || !l->count) parse_fail_at(p, l->node.start, "syntax error: only a count may be the limit here");
}

/* ---- UPDATE ---------------------------------------------------------------------------------------------------------- */

/* UPDATE [LOW_PRIORITY] [IGNORE] tables SET assignments [FROM tables] [WHERE ...] [ORDER BY ...] [LIMIT n] [RETURNING ...] */
struct ast *parse_update(struct sql_reader *p, struct ast *with, uint32_t start) {
    struct ast_update *update = PARSE_NODE(p, ast_update, UPDATE);
    update->node.start = start;
    update->with = with;
    parse_advance(p);
    if (p->is_mysql) {
        update->hints = parse_opt_hint(p);
        if (parse_accept(p, KW_LOW_PRIORITY)) update->node.flags |= AST_UPDATE_LOW_PRIORITY;
        if (parse_accept(p, KW_IGNORE)) update->node.flags |= AST_UPDATE_IGNORE;
        update->tables = parse_from_list(p);
    } else {
        update->tables = parse_relation_alias(p);
    }
    if (!p->failed && update->tables->kind == AST_TABLE) {
        struct ast_table *table = (struct ast_table *)update->tables;
        table->period = parse_opt_portion(p);
        if (table->period) parse_done(p, table);
        bool has_alias = parse_at(p, KW_AS) || (parse_at_table_alias(p) && !parse_at(p, KW_SET));
        if (table->period && !p->is_mysql && !table->alias && has_alias) {
            struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
            parse_accept(p, KW_AS);
            alias->name = parse_name(p);
            table->alias = parse_done(p, alias);
        }
    }
    parse_expect(p, KW_SET);
    update->set = parse_assignments(p);
    if (!p->is_mysql && parse_accept(p, KW_FROM)) update->from = parse_from_list(p);
    update->where = parse_opt_where_or_cursor(p);
    if (p->is_mysql) parse_mysql_change_tail(p, &update->order, &update->limit);
    if (!p->is_mysql || p->options->version >= 120000) update->returning = parse_opt_returning(p);
    return parse_done(p, update);
}

/* ---- DELETE ---------------------------------------------------------------------------------------------------------- */

/* name { "." name } ["." "*"] - in the lists of a DELETE from several tables */
static struct ast *parse_delete_target(struct sql_reader *p) {
    struct ast_table *table = PARSE_NODE(p, ast_table, TABLE);
    struct parse_list names;
    parse_list_init(&names);
    if (parse_at(p, '.')) parse_advance(p);
    parse_list_add(&names, parse_name(p));
    while (parse_accept(p, '.')) {
        if (parse_accept(p, '*')) {
            table->node.flags |= AST_TABLE_STAR;
            break;
        }
        parse_list_add(&names, parse_label(p));
    }
    table->names = names.first;
    return parse_done(p, table);
}

/* [AS] alias - MySQL 8.0.16, MariaDB 11.6 */
static void parse_delete_alias(struct sql_reader *p, struct ast_table *table) {
    if (p->is_mariadb && p->options->version < 110600) return;
    if (!parse_at(p, KW_AS) && !parse_at_table_alias(p)) return;
    struct ast_alias *alias = PARSE_NODE(p, ast_alias, ALIAS);
    parse_accept(p, KW_AS);
    alias->name = parse_name(p);
    table->alias = parse_done(p, alias);
}

/*
 * What one table's DELETE may have behind its name: [[AS] alias] [PARTITION (...)] [FOR PORTION OF ...]
 * [BEFORE SYSTEM_TIME t]; MariaDB has the alias behind PARTITION
 */
static void parse_delete_table_rest(struct sql_reader *p, struct ast_table *table) {
    if (!p->is_mariadb) parse_delete_alias(p, table);
    if (parse_at(p, KW_PARTITION) && parse_peek(p, 1) == '(') {
        parse_advance(p);
        table->partitions = parse_paren_names(p);
    }
    table->period = parse_opt_portion(p);
    if (p->is_mariadb && parse_at(p, KW_BEFORE)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        parse_expect(p, KW_SYSTEM_TIME);
        if (parse_at(p, KW_TRANSACTION) ||
            (parse_at(p, KW_TIMESTAMP) && parse_peek(p, 1) != TOKEN_STRING && parse_peek(p, 1) != '(')) {
            parse_advance(p);
        }
        struct ast *point = parse_bit_expr(p);
        table->period = parse_option(p, start, "before system_time", point);
    }
    if (p->is_mariadb) parse_delete_alias(p, table);
    parse_done(p, table);
}

/* FROM name ... | targets FROM tables | FROM targets USING tables */
static void parse_mysql_delete(struct sql_reader *p, struct ast_delete *d) {
    for (;;) {
        if (parse_accept(p, KW_LOW_PRIORITY)) d->node.flags |= AST_UPDATE_LOW_PRIORITY;
        else if (parse_accept(p, KW_QUICK)) d->node.flags |= AST_UPDATE_QUICK;
        else if (parse_accept(p, KW_IGNORE)) d->node.flags |= AST_UPDATE_IGNORE;
        else if (p->is_mariadb && parse_at_word(p, "history") && parse_peek(p, 1) == KW_FROM) {
            parse_advance(p);
            d->node.flags |= AST_UPDATE_HISTORY;
        } else break;
    }
    if (!parse_accept(p, KW_FROM)) {
        d->tables = parse_comma_list(p, parse_delete_target);
        parse_expect(p, KW_FROM);
        d->from = parse_from_list(p);
        return;
    }
    d->tables = parse_delete_target(p);
    if (p->failed) return;
    if (parse_accept(p, ',')) parse_append(&d->tables, parse_comma_list(p, parse_delete_target));
    if (parse_accept(p, KW_USING)) {
        d->from = parse_from_list(p);
        return;
    }
    if (p->failed) return;
    if (d->tables->next || (d->tables->flags & AST_TABLE_STAR)) {
        parse_fail(p, "syntax error: expected USING");
        return;
    }
    parse_delete_table_rest(p, (struct ast_table *)d->tables);
}

struct ast *parse_delete(struct sql_reader *p, struct ast *with, uint32_t start) {
    struct ast_delete *d = PARSE_NODE(p, ast_delete, DELETE);
    d->node.start = start;
    d->with = with;
    parse_advance(p);
    if (p->is_mysql) {
        d->hints = parse_opt_hint(p);
        parse_mysql_delete(p, d);
    } else {
        parse_expect(p, KW_FROM);
        d->tables = parse_relation_alias(p);
        if (!p->failed && parse_at(p, KW_FOR)) ((struct ast_table *)d->tables)->period = parse_opt_portion(p);
        if (parse_accept(p, KW_USING)) d->from = parse_from_list(p);
    }
    if (d->node.flags & AST_UPDATE_HISTORY) return parse_done(p, d);
    d->where = parse_opt_where_or_cursor(p);
    bool is_multi = p->is_mysql && d->from;
    if (p->is_mysql && (!is_multi || (p->is_mariadb && p->options->version >= 110800)))
        parse_mysql_change_tail(p, &d->order, &d->limit);
    if (!is_multi) d->returning = parse_opt_returning(p);
    return parse_done(p, d);
}

/* ---- MERGE ----------------------------------------------------------------------------------------------------------- */

/* INSERT [DEFAULT VALUES | ["(" columns ")"] [OVERRIDING ... VALUE] VALUES "(" values ")"] - behind INSERT */
static void parse_merge_insert(struct sql_reader *p, struct ast_merge_when *when) {
    if (parse_accept2(p, KW_DEFAULT, KW_VALUES)) return;
    if (parse_at(p, '(')) when->columns = parse_paren_list(p, parse_target_column);
    if (parse_accept(p, KW_OVERRIDING)) {
        bool is_system = parse_accept(p, KW_SYSTEM);
        if (!is_system) parse_expect(p, KW_USER);
        when->node.flags |= is_system ? AST_MERGE_OVERRIDING_SYSTEM : AST_MERGE_OVERRIDING_USER;
        parse_expect(p, KW_VALUE);
    }
    if (!parse_at(p, KW_VALUES)) parse_fail(p, "syntax error: expected VALUES");
    when->values = parse_values(p);
    struct ast_values *values = (struct ast_values *)when->values;
    if (!p->failed && values->rows->next) parse_fail_at(p, values->rows->next->start, "syntax error: one row of values");
}

/* WHEN [NOT] MATCHED [BY (SOURCE | TARGET)] [AND expr] THEN (UPDATE SET ... | DELETE | INSERT ... | DO NOTHING) */
static struct ast *parse_merge_when(struct sql_reader *p) {
    struct ast_merge_when *when = PARSE_NODE(p, ast_merge_when, MERGE_WHEN);
    parse_expect(p, KW_WHEN);
    bool is_not = parse_accept(p, KW_NOT);
    parse_expect(p, KW_MATCHED);
    if (!is_not) when->node.flags |= AST_MERGE_MATCHED;
    bool by_source = false;
    if (is_not && parse_is_pg(p, 170000) && parse_accept(p, KW_BY)) {
        by_source = parse_accept(p, KW_SOURCE);
        if (!by_source) parse_expect(p, KW_TARGET);
        if (by_source) when->node.flags |= AST_MERGE_BY_SOURCE;
    }
    if (parse_accept(p, KW_AND)) when->condition = parse_expr(p);
    parse_expect(p, KW_THEN);
    bool has_row = !is_not || by_source; /* there is a row of the target to change */
    if (has_row && parse_accept(p, KW_UPDATE)) {
        when->node.op = MERGE_UPDATE;
        parse_expect(p, KW_SET);
        when->set = parse_assignments(p);
    } else if (has_row && parse_accept(p, KW_DELETE)) {
        when->node.op = MERGE_DELETE;
    } else if (!has_row && parse_accept(p, KW_INSERT)) {
        when->node.op = MERGE_INSERT;
        parse_merge_insert(p, when);
    } else {
        when->node.op = MERGE_NOTHING;
        parse_expect(p, KW_DO);
        parse_expect(p, KW_NOTHING);
    }
    return parse_done(p, when);
}

/* MERGE INTO table [alias] USING table ON expr { WHEN ... } [RETURNING ...] */
struct ast *parse_merge(struct sql_reader *p, struct ast *with, uint32_t start) {
    struct ast_merge *merge = PARSE_NODE(p, ast_merge, MERGE);
    struct parse_list whens;
    parse_list_init(&whens);
    merge->node.start = start;
    merge->with = with;
    parse_advance(p);
    parse_expect(p, KW_INTO);
    merge->table = parse_relation_alias(p);
    parse_expect(p, KW_USING);
    merge->source = parse_table_ref(p);
    parse_expect(p, KW_ON);
    merge->on = parse_expr(p);
    do parse_list_add(&whens, parse_merge_when(p));
    while (parse_at(p, KW_WHEN));
    merge->whens = whens.first;
    if (parse_is_pg(p, 170000)) merge->returning = parse_opt_returning(p);
    return parse_done(p, merge);
}
