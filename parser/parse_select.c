/*
 * parse_select.c - SELECT, VALUES and TABLE, clause by clause. How they are put together to queries (set operations,
 * WITH, and the clauses behind all that) is parse_query.c.
 */
#include "parser/parse.h"

/* ---- targets, WHERE, GROUP BY ---------------------------------------------------------------------------------------- */

/* Is the expression t.*? In MySQL it is a target without a name. */
static bool is_star(const struct ast *expr) {
    if (expr->kind != AST_COLUMN) return false;
    const struct ast *name = AST_AS(column, COLUMN, expr)->names;
    while (name->next) name = name->next;
    return name->kind == AST_STAR;
}

/* name of a target: PostgreSQL: a label; MySQL: a name or one string */
static struct ast *parse_target_name(struct sql_reader *p) {
    if (!p->is_mysql) return parse_label(p);
    return parse_name_or_string(p);
}

/* "*" | expr [AS label | bare_label] */
static struct ast *parse_target(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    if (parse_at(p, '*')) {
        struct ast_column *column = PARSE_NODE(p, ast_column, COLUMN);
        struct ast *star = PARSE_NODE(p, ast, STAR);
        parse_advance(p);
        column->names = parse_done(p, star);
        target->expr = parse_done(p, column);
        return parse_done(p, target);
    }
    target->expr = parse_expr(p);
    if (p->is_mysql && !p->failed && is_star(target->expr)) return parse_done(p, target);
    if (parse_accept(p, KW_AS)) target->name = parse_target_name(p);
    else if (parse_at_bare_label(p)) target->name = parse_at_string(p) ? parse_string(p) : parse_name_of_token(p);
    return parse_done(p, target);
}

/* target { "," target }; MySQL: "*" alone only as the first */
struct ast *parse_targets(struct sql_reader *p) {
    if (!p->is_mysql) return parse_comma_list(p, parse_target);
    struct parse_list targets;
    parse_list_init(&targets);
    parse_list_add(&targets, parse_target(p));
    while (parse_accept(p, ',')) {
        if (parse_at(p, '*')) parse_fail(p, "syntax error: * is the first target");
        parse_list_add(&targets, parse_target(p));
    }
    return targets.first;
}

/* [WHERE expr] */
struct ast *parse_opt_where(struct sql_reader *p) {
    return parse_accept(p, KW_WHERE) ? parse_expr(p) : NULL;
}

static struct ast *parse_grouping_set(struct sql_reader *p);

/* expr | "(" ")" | (CUBE | ROLLUP) "(" exprs ")" | GROUPING SETS "(" items ")" */
static struct ast *parse_group_element(struct sql_reader *p, bool may_be_empty) {
    uint16_t kind = p->tok.kind, next = kind == '(' || kind >= KEYWORD_FIRST ? parse_peek(p, 1) : 0;
    bool is_set = (kind == '(' && next == ')' && may_be_empty) || ((kind == KW_CUBE || kind == KW_ROLLUP) && next == '(') ||
                  (kind == KW_GROUPING && next == KW_SETS);
    if (!is_set) {
        struct ast *expr = parse_expr(p);
        bool may_sort = p->is_mariadb || (p->is_mysql && p->options->version < 80013);
        if (!may_sort || (!parse_at(p, KW_ASC) && !parse_at(p, KW_DESC))) return expr;
        struct ast_sort *sort = PARSE_NODE(p, ast_sort, SORT); /* MariaDB, MySQL before 8.0.13: GROUP BY a DESC */
        sort->node.start = expr->start;
        sort->node.flags = parse_at(p, KW_ASC) ? AST_SORT_ASC : AST_SORT_DESC;
        sort->expr = expr;
        parse_advance(p);
        return parse_done(p, sort);
    }
    struct ast_grouping *grouping = PARSE_NODE(p, ast_grouping, GROUPING);
    if (!parse_enter(p)) {
        parse_leave(p);
        return parse_done(p, grouping);
    }
    if (kind == '(') {
        grouping->node.op = GROUPING_EMPTY;
        parse_advance(p);
        parse_advance(p);
    } else if (kind == KW_GROUPING) {
        grouping->node.op = GROUPING_SETS;
        parse_advance(p);
        parse_advance(p);
        grouping->items = parse_paren_list(p, parse_grouping_set);
    } else {
        grouping->node.op = kind == KW_CUBE ? GROUPING_CUBE : GROUPING_ROLLUP;
        parse_advance(p);
        grouping->items = parse_paren_list(p, parse_expr);
    }
    parse_leave(p);
    return parse_done(p, grouping);
}

static struct ast *parse_grouping_set(struct sql_reader *p) {
    return parse_group_element(p, true);
}

/* In MySQL an empty set stands among grouping sets only. */
static struct ast *parse_group_item(struct sql_reader *p) {
    return parse_group_element(p, !p->is_mysql);
}

/* GROUP BY [ALL | DISTINCT] items [WITH ROLLUP] - at GROUP */
static void parse_group_by(struct sql_reader *p, struct ast_select *s) {
    parse_advance(p);
    parse_expect(p, KW_BY);
    if (!p->is_mysql) {
        if (parse_accept(p, KW_DISTINCT)) s->node.flags |= AST_SELECT_GROUP_DISTINCT;
        else if (parse_accept(p, KW_ALL)) s->node.flags |= AST_SELECT_GROUP_ALL;
        if ((s->node.flags & AST_SELECT_GROUP_ALL) && parse_is_pg(p, 190000)) {
            uint16_t next = p->tok.kind;
            bool is_over = next == TOKEN_END || next == ';' || next == ')' || next == KW_HAVING || next == KW_WINDOW ||
                           next == KW_ORDER || next == KW_LIMIT || next == KW_OFFSET || next == KW_FETCH || next == KW_FOR ||
                           next == KW_UNION || next == KW_INTERSECT || next == KW_EXCEPT;
            if (is_over) return;
        }
    }
    s->group = parse_comma_list(p, parse_group_item);
    /* WITH CUBE is read by both servers, which then say that they do not have it. */
    if (p->is_mysql && (parse_accept2(p, KW_WITH, KW_ROLLUP) || parse_accept2(p, KW_WITH, KW_CUBE))) {
        s->node.flags |= AST_SELECT_ROLLUP;
    }
}

/* name AS "(" ... ")" */
static struct ast *parse_named_window(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *name = parse_name(p);
    parse_expect(p, KW_AS);
    struct ast_window *window = (struct ast_window *)parse_window(p);
    window->node.start = start;
    window->name = name;
    return &window->node;
}

/* ---- ORDER BY, LIMIT, locks ------------------------------------------------------------------------------------------ */

/* expr [ASC | DESC | USING operator] [NULLS (FIRST | LAST)] */
static struct ast *parse_sort(struct sql_reader *p) {
    struct ast_sort *sort = PARSE_NODE(p, ast_sort, SORT);
    sort->expr = parse_expr(p);
    if (parse_accept(p, KW_ASC)) {
        sort->node.flags |= AST_SORT_ASC;
    } else if (parse_accept(p, KW_DESC)) {
        sort->node.flags |= AST_SORT_DESC;
    } else if (!p->is_mysql && parse_accept(p, KW_USING)) {
        if (parse_accept(p, KW_OPERATOR)) {
            parse_expect(p, '(');
            sort->using_ = parse_operator_name(p);
            parse_expect(p, ')');
        } else {
            if (!parse_is_operator(p->tok.kind)) parse_fail(p, "syntax error: expected an operator");
            sort->using_ = parse_name_of_token(p);
        }
    }
    if (!p->is_mysql && parse_at(p, KW_NULLS)) {
        parse_advance(p);
        if (parse_accept(p, KW_FIRST)) {
            sort->node.flags |= AST_SORT_NULLS_FIRST;
        } else {
            parse_expect(p, KW_LAST);
            sort->node.flags |= AST_SORT_NULLS_LAST;
        }
    }
    return parse_done(p, sort);
}

struct ast *parse_sort_list(struct sql_reader *p) {
    return parse_comma_list(p, parse_sort);
}

/* [ORDER BY sorts] */
struct ast *parse_opt_order(struct sql_reader *p) {
    if (!parse_at(p, KW_ORDER)) return NULL;
    parse_advance(p);
    parse_expect(p, KW_BY);
    return parse_sort_list(p);
}

/* ROW | ROWS */
static void parse_rows_word(struct sql_reader *p) {
    if (!parse_accept(p, KW_ROW)) parse_expect(p, KW_ROWS);
}

/* FETCH (FIRST | NEXT) [count] (ROW | ROWS) (ONLY | WITH TIES) - at FETCH */
static void parse_fetch(struct sql_reader *p, struct ast_limit *limit) {
    parse_advance(p);
    limit->node.flags |= AST_LIMIT_FETCH;
    if (!parse_accept(p, KW_FIRST)) parse_expect(p, KW_NEXT);
    if (!parse_at(p, KW_ROW) && !parse_at(p, KW_ROWS)) {
        bool is_signed = parse_at(p, '+') || parse_at(p, '-');
        limit->count = is_signed ? parse_signed_number(p) : parse_expr_primary(p);
    }
    parse_rows_word(p);
    if (parse_accept2(p, KW_WITH, KW_TIES)) limit->node.flags |= AST_LIMIT_WITH_TIES;
    else parse_expect(p, KW_ONLY);
}

/* { LIMIT (expr | ALL) | OFFSET expr [ROW | ROWS] | FETCH ... }, each once, in any order */
static void parse_pg_limit(struct sql_reader *p, struct ast_limit *limit) {
    bool has_limit = false, has_offset = false;
    for (;;) {
        if ((parse_at(p, KW_LIMIT) || parse_at(p, KW_FETCH)) && !has_limit) {
            has_limit = true;
            if (parse_at(p, KW_FETCH)) {
                parse_fetch(p, limit);
            } else {
                parse_advance(p);
                if (parse_accept(p, KW_ALL)) limit->node.flags |= AST_LIMIT_ALL;
                else limit->count = parse_expr(p);
                if (parse_at(p, ',')) parse_fail(p, "LIMIT #,# is not PostgreSQL's syntax");
            }
        } else if (parse_at(p, KW_OFFSET) && !has_offset) {
            has_offset = true;
            parse_advance(p);
            limit->offset = parse_expr(p);
            if (parse_at(p, KW_ROW) || parse_at(p, KW_ROWS)) parse_advance(p);
        } else {
            return;
        }
    }
}

/* MySQL: a whole number, a parameter, or a routine's variable */
static struct ast *parse_limit_number(struct sql_reader *p) {
    bool is_known = parse_at(p, TOKEN_INTEGER) || parse_at(p, TOKEN_PARAM) || parse_at_name(p);
    if (!is_known) parse_fail(p, "syntax error: expected a number");
    return parse_expr_primary(p);
}

/* LIMIT [count [("," | OFFSET) count]] [ROWS EXAMINED n]; MariaDB: [OFFSET n ROWS] FETCH ... */
static void parse_mysql_limit(struct sql_reader *p, struct ast_limit *limit) {
    if (parse_accept(p, KW_LIMIT)) {
        if (!parse_at(p, KW_ROWS)) {
            limit->count = parse_limit_number(p);
            if (parse_accept(p, ',')) {
                limit->node.flags |= AST_LIMIT_COMMA;
                limit->offset = limit->count;
                limit->count = parse_limit_number(p);
            } else if (parse_accept(p, KW_OFFSET)) {
                limit->offset = parse_limit_number(p);
            }
        }
        if (p->is_mariadb && parse_accept(p, KW_ROWS)) {
            if (!parse_accept_word(p, "examined")) parse_fail(p, "syntax error: expected EXAMINED");
            limit->examined = parse_limit_number(p);
        }
        return;
    }
    if (parse_accept(p, KW_OFFSET)) {
        limit->offset = parse_limit_number(p);
        parse_rows_word(p);
    }
    if (parse_at(p, KW_FETCH)) parse_fetch(p, limit);
}

struct ast *parse_opt_limit(struct sql_reader *p) {
    if (!parse_at(p, KW_LIMIT) && !parse_at(p, KW_OFFSET) && !parse_at(p, KW_FETCH)) return NULL;
    if (p->is_mysql && !p->is_mariadb && !parse_at(p, KW_LIMIT)) return NULL;
    struct ast_limit *limit = PARSE_NODE(p, ast_limit, LIMIT);
    if (p->is_mysql) parse_mysql_limit(p, limit);
    else parse_pg_limit(p, limit);
    return parse_done(p, limit);
}

/* FOR (UPDATE | NO KEY UPDATE | SHARE | KEY SHARE) [OF tables] [NOWAIT | SKIP LOCKED | WAIT n] | LOCK IN SHARE MODE */
static struct ast *parse_lock(struct sql_reader *p) {
    struct ast_lock *lock = PARSE_NODE(p, ast_lock, LOCK);
    if (parse_accept(p, KW_LOCK)) {
        parse_expect(p, KW_IN);
        parse_expect(p, KW_SHARE);
        parse_expect(p, KW_MODE);
        lock->node.op = LOCK_SHARE_MODE;
    } else {
        parse_expect(p, KW_FOR);
        if (parse_accept(p, KW_UPDATE)) {
            lock->node.op = LOCK_UPDATE;
        } else if (parse_accept(p, KW_SHARE)) {
            lock->node.op = LOCK_SHARE;
        } else if (!p->is_mysql && parse_accept(p, KW_KEY)) {
            parse_expect(p, KW_SHARE);
            lock->node.op = LOCK_KEY_SHARE;
        } else {
            parse_expect(p, KW_NO);
            parse_expect(p, KW_KEY);
            parse_expect(p, KW_UPDATE);
            lock->node.op = LOCK_NO_KEY_UPDATE;
            if (p->is_mysql) parse_fail(p, "syntax error");
        }
    }
    if (p->is_mysql && !p->is_mariadb && lock->node.op == LOCK_SHARE_MODE) return parse_done(p, lock);
    if (!p->is_mariadb && parse_accept(p, KW_OF)) lock->tables = parse_comma_list(p, parse_table_name);
    if (parse_accept(p, KW_NOWAIT)) lock->node.flags |= AST_LOCK_NOWAIT;
    else if (parse_accept2(p, KW_SKIP, KW_LOCKED)) lock->node.flags |= AST_LOCK_SKIP_LOCKED;
    else if (p->is_mariadb && parse_accept(p, KW_WAIT)) lock->wait = parse_expr_primary(p);
    return parse_done(p, lock);
}

bool parse_at_lock(struct sql_reader *p) {
    if (parse_at(p, KW_LOCK)) return p->is_mysql && parse_peek(p, 1) == KW_IN;
    if (!parse_at(p, KW_FOR)) return false;
    uint16_t next = parse_peek(p, 1);
    if (p->is_mysql) return next == KW_UPDATE || (next == KW_SHARE && !p->is_mariadb);
    return next == KW_UPDATE || next == KW_SHARE || next == KW_NO || next == KW_KEY;
}

struct ast *parse_opt_locks(struct sql_reader *p) {
    struct parse_list locks;
    parse_list_init(&locks);
    while (parse_at_lock(p) && !(p->is_mariadb && locks.first)) parse_list_add(&locks, parse_lock(p));
    return locks.first;
}

/* ---- INTO ------------------------------------------------------------------------------------------------------------ */

/* [TEMPORARY | TEMP | LOCAL TEMP ... | UNLOGGED] [TABLE] name */
static void parse_into_table(struct sql_reader *p, struct ast_into *into) {
    uint16_t next = parse_at(p, KW_LOCAL) || parse_at(p, KW_GLOBAL) ? parse_peek(p, 1) : 0;
    if (next == KW_TEMPORARY || next == KW_TEMP) parse_advance(p);
    bool is_temporary = parse_at(p, KW_TEMPORARY) || parse_at(p, KW_TEMP);
    if (is_temporary || parse_at(p, KW_UNLOGGED)) {
        next = parse_peek(p, 1);
        if (next == KW_TABLE || parse_is_name(p, next)) { /* else a table of that name */
            parse_advance(p);
            into->node.flags |= is_temporary ? AST_INTO_TEMPORARY : AST_INTO_UNLOGGED;
        }
    }
    parse_accept(p, KW_TABLE);
    into->targets = parse_table_name(p);
}

/* 'a' | X'61' | 0x61 | B'01' | 0b01 */
static struct ast *parse_export_text(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_STRING: return parse_string(p);
    case TOKEN_HEX_STRING:
    case TOKEN_HEX_NUMBER:
    case TOKEN_BIT_STRING:
    case TOKEN_BIT_NUMBER: return parse_literal(p);
    default: parse_fail(p, "syntax error: expected a string"); return parse_literal(p);
    }
}

/* { TERMINATED BY text | [OPTIONALLY] ENCLOSED BY text | ESCAPED BY text }, or of LINES { (TERMINATED | STARTING) BY text } */
static void parse_export_words(struct sql_reader *p, bool is_lines, struct parse_list *options) {
    unsigned count = 0;
    for (;; count++) {
        uint32_t start = p->tok.start;
        const char *name;
        if (parse_at(p, KW_TERMINATED)) name = is_lines ? "lines terminated by" : "fields terminated by";
        else if (!is_lines && (parse_at(p, KW_OPTIONALLY) || parse_at(p, KW_ENCLOSED))) name = "enclosed by";
        else if (!is_lines && parse_at(p, KW_ESCAPED)) name = "escaped by";
        else if (is_lines && parse_at(p, KW_STARTING)) name = "starting by";
        else break;
        if (parse_accept(p, KW_OPTIONALLY) && !parse_at(p, KW_ENCLOSED)) parse_fail(p, "syntax error: expected ENCLOSED");
        parse_advance(p);
        parse_expect(p, KW_BY);
        struct ast *value = parse_export_text(p);
        parse_list_add(options, parse_option(p, start, name, value));
    }
    if (count == 0) parse_fail(p, "syntax error: expected TERMINATED, ENCLOSED, ESCAPED or STARTING");
}

/* [(FIELDS | COLUMNS) words] [LINES words] */
struct ast *parse_opt_export_options(struct sql_reader *p) {
    struct parse_list options;
    parse_list_init(&options);
    if (parse_accept(p, KW_FIELDS) || parse_accept(p, KW_COLUMNS)) parse_export_words(p, false, &options);
    if (parse_accept(p, KW_LINES)) parse_export_words(p, true, &options);
    return options.first;
}

/* OUTFILE 'file' [CHARACTER SET name] options | DUMPFILE 'file' | variables */
static void parse_mysql_into(struct sql_reader *p, struct ast_into *into) {
    if (parse_accept(p, KW_DUMPFILE)) {
        into->node.op = INTO_DUMPFILE;
        into->targets = parse_string(p);
        return;
    }
    if (parse_accept(p, KW_OUTFILE)) {
        into->node.op = INTO_OUTFILE;
        into->targets = parse_string(p);
        uint32_t start = p->tok.start;
        if (parse_accept2(p, KW_CHARACTER, KW_SET) || parse_accept2(p, KW_CHAR, KW_SET) || parse_accept(p, KW_CHARSET)) {
            struct ast *charset = parse_at(p, KW_BINARY) ? parse_label(p) : parse_name_or_string(p);
            into->options = parse_option(p, start, "character set", charset);
        }
        struct ast **tail = into->options ? &into->options->next : &into->options;
        *tail = parse_opt_export_options(p);
        return;
    }
    into->node.op = INTO_VARIABLES;
    struct parse_list targets;
    parse_list_init(&targets);
    do parse_list_add(&targets, parse_at(p, TOKEN_USER_VARIABLE) ? parse_variable(p) : parse_column(p));
    while (parse_accept(p, ','));
    into->targets = targets.first;
}

/* INTO ... - at INTO */
static struct ast *parse_into(struct sql_reader *p) {
    struct ast_into *into = PARSE_NODE(p, ast_into, INTO);
    parse_advance(p);
    if (p->is_mysql) {
        parse_mysql_into(p, into);
    } else {
        into->node.op = INTO_TABLE;
        parse_into_table(p, into);
    }
    return parse_done(p, into);
}

void parse_opt_into(struct sql_reader *p, struct ast **slot) {
    if (!parse_at(p, KW_INTO)) return;
    if (p->is_mysql) {
        p->into.count++;
        p->into.at = p->tok.start;
    }
    while (*slot) slot = &(*slot)->next;
    *slot = parse_into(p);
}

/* ---- SELECT ---------------------------------------------------------------------------------------------------------- */

/* MySQL's words between SELECT and the targets, in any order. */
static void parse_mysql_select_options(struct sql_reader *p, struct ast_select *s) {
    for (;;) {
        switch (p->tok.kind) {
        case KW_UNIQUE: /* no word of MySQL's there, but reserved */
            if (!p->is_mariadb) return;
            s->node.flags |= AST_SELECT_DISTINCT;
            break;
        case KW_DISTINCT:
        case KW_DISTINCTROW: s->node.flags |= AST_SELECT_DISTINCT; break;
        case KW_ALL: s->node.flags |= AST_SELECT_ALL; break;
        case KW_HIGH_PRIORITY: s->node.flags |= AST_SELECT_HIGH_PRIORITY; break;
        case KW_STRAIGHT_JOIN: s->node.flags |= AST_SELECT_STRAIGHT_JOIN; break;
        case KW_SQL_SMALL_RESULT: s->node.flags |= AST_SELECT_SMALL_RESULT; break;
        case KW_SQL_BIG_RESULT: s->node.flags |= AST_SELECT_BIG_RESULT; break;
        case KW_SQL_BUFFER_RESULT: s->node.flags |= AST_SELECT_BUFFER_RESULT; break;
        case KW_SQL_NO_CACHE: s->node.flags |= AST_SELECT_NO_CACHE; break;
        case KW_SQL_CACHE: /* an ordinary name since MySQL 8 */
            if (!p->is_mariadb && p->options->version >= 80000) return;
            s->node.flags |= AST_SELECT_CACHE;
            break;
        case KW_SQL_CALC_FOUND_ROWS: s->node.flags |= AST_SELECT_CALC_FOUND_ROWS; break;
        default: return;
        }
        parse_advance(p);
    }
}

/* [ALL | DISTINCT [ON "(" exprs ")"]] */
static void parse_pg_distinct(struct sql_reader *p, struct ast_select *s) {
    if (parse_accept(p, KW_ALL)) {
        s->node.flags |= AST_SELECT_ALL;
    } else if (parse_accept(p, KW_DISTINCT)) {
        s->node.flags |= AST_SELECT_DISTINCT;
        if (parse_accept(p, KW_ON)) s->distinct = parse_paren_list(p, parse_expr);
    }
}

/* In PostgreSQL the list of targets may be empty: is one here? */
static bool at_no_targets(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_END:
    case ';':
    case ')':
    case KW_INTO:
    case KW_FROM:
    case KW_WHERE:
    case KW_GROUP:
    case KW_HAVING:
    case KW_WINDOW:
    case KW_UNION:
    case KW_INTERSECT:
    case KW_EXCEPT:
    case KW_ORDER:
    case KW_LIMIT:
    case KW_OFFSET:
    case KW_FETCH:
    case KW_FOR:
    case KW_ON:        /* CONFLICT, behind INSERT ... SELECT */
    case KW_RETURNING: /* the same */
    case KW_WITH:      /* [NO] DATA, behind CREATE TABLE AS SELECT */
    case KW_CREATE:    /* the next element of CREATE SCHEMA */
    case KW_GRANT: return true;
    default: return false;
    }
}

/* Optimizer hint behind the statement's first word, MySQL. */
struct ast *parse_opt_hint(struct sql_reader *p) {
    if (!parse_at(p, TOKEN_HINT)) return NULL;
    struct ast *hint = PARSE_NODE(p, ast, HINT);
    parse_advance(p);
    return parse_done(p, hint);
}

/*
 * SELECT options targets [INTO ...] [FROM tables] [WHERE expr] [GROUP BY ...] [HAVING expr] [WINDOW ...] - at SELECT
 * The clauses from ORDER BY on belong to the query around it: parse_tail.
 */
struct ast *parse_select(struct sql_reader *p) {
    struct ast_select *s = PARSE_NODE(p, ast_select, SELECT);
    parse_advance(p);
    if (p->is_mysql) {
        s->hints = parse_opt_hint(p);
        parse_mysql_select_options(p, s);
    } else {
        parse_pg_distinct(p, s);
    }
    if (p->is_mysql || (s->node.flags & AST_SELECT_DISTINCT) || !at_no_targets(p)) s->targets = parse_targets(p);
    parse_opt_into(p, &s->into);
    if (parse_accept(p, KW_FROM)) s->from = parse_from_list(p);
    s->where = parse_opt_where(p);
    if (parse_at(p, KW_GROUP)) parse_group_by(p, s);
    if (parse_accept(p, KW_HAVING)) s->having = parse_expr(p);
    if (parse_at(p, KW_WINDOW) && (!p->is_mysql || parse_peek(p, 2) == KW_AS)) {
        parse_advance(p);
        s->windows = parse_comma_list(p, parse_named_window);
    }
    if (p->is_mysql && parse_accept(p, KW_QUALIFY)) s->qualify = parse_expr(p);
    return parse_done(p, s);
}

/* [ROW] "(" [value { "," value }] ")" */
static struct ast *parse_values_row(struct sql_reader *p) {
    struct ast_list_expr *row = PARSE_NODE(p, ast_list_expr, ROW);
    if (p->is_mysql && !p->is_mariadb && parse_accept(p, KW_ROW)) row->node.flags |= AST_ROW_KEYWORD;
    parse_expect(p, '(');
    if (!p->is_mysql || !parse_at(p, ')')) row->items = parse_comma_list(p, parse_expr_or_default);
    parse_expect(p, ')');
    return parse_done(p, row);
}

/* (VALUES | VALUE) rows - at the word; MySQL: rows with ROW as a query of their own, MariaDB without */
struct ast *parse_values(struct sql_reader *p) {
    struct ast_values *values = PARSE_NODE(p, ast_values, VALUES);
    parse_advance(p);
    values->rows = parse_comma_list(p, parse_values_row);
    return parse_done(p, values);
}

/* TABLE relation - at TABLE */
struct ast *parse_table_query(struct sql_reader *p) {
    struct ast_select *s = PARSE_NODE(p, ast_select, SELECT);
    parse_advance(p);
    s->node.flags = AST_SELECT_TABLE;
    s->from = parse_relation(p);
    return parse_done(p, s);
}
