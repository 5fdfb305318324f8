/*
 * parse_query.c - queries: what SELECT, VALUES and TABLE are put together to by parentheses, set operations, WITH and the
 * clauses behind.
 *
 * A query in parentheses keeps its own clauses; clauses behind the parentheses are another query around it (a SETOP of
 * one branch), so that every node's bytes are what was written for it.
 */
#include "parser/parse.h"

/* ---- branches -------------------------------------------------------------------------------------------------------- */

/* "(" query ")" */
struct ast *parse_paren_query(struct sql_reader *p) {
    struct ast *inside = NULL;
    uint32_t start = p->tok.start;
    if (!parse_at(p, '(')) parse_fail(p, "syntax error: expected (");
    if (!parse_paren(p, &inside)) {
        parse_fail_at(p, start, "syntax error: expected a query");
        return parse_node_failed(p, AST_SELECT);
    }
    inside->flags |= AST_PARENS;
    return inside;
}

/* SELECT ... | VALUES ... | TABLE name | "(" query ")" */
static struct ast *parse_branch(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_SELECT: return parse_select(p);
    case KW_VALUES: /* MySQL: with ROW; what INSERT has without is read by parse_insert */
        if (p->is_mysql && !p->is_mariadb && parse_peek(p, 1) != KW_ROW) break;
        return parse_values(p);
    case KW_TABLE:
        if (p->is_mariadb) break;
        return parse_table_query(p);
    case '(': return parse_paren_query(p);
    default: break;
    }
    parse_fail(p, parse_at(p, TOKEN_END) ? "syntax error: the statement is not complete" : "syntax error: expected a query");
    return parse_node_failed(p, AST_SELECT);
}

/* ---- set operations -------------------------------------------------------------------------------------------------- */

/* 1 for UNION and EXCEPT, 2 for INTERSECT, which binds tighter; 0 for no set operation. */
static unsigned setop_power(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_UNION:
    case KW_EXCEPT: return 1;
    case KW_MINUS: return p->is_mariadb && (p->options->modes & SQL_ORACLE) ? 1 : 0;
    case KW_INTERSECT: return 2;
    default: return 0;
    }
}

static enum ast_setop_op setop_of(uint16_t kind) {
    return kind == KW_UNION ? SETOP_UNION : kind == KW_INTERSECT ? SETOP_INTERSECT : SETOP_EXCEPT;
}

/* { (UNION | EXCEPT | INTERSECT) [ALL | DISTINCT] branch } behind a first branch that began at `start` */
static struct ast *parse_setops(struct sql_reader *p, struct ast *left, uint32_t start, unsigned min) {
    struct ast_setop *open = NULL; /* the node made last: branches of the same kind go into it */
    struct ast **tail = NULL;
    unsigned power, count = 0;
    while ((power = setop_power(p)) >= min && power > 0) {
        enum ast_setop_op op = setop_of(p->tok.kind);
        parse_advance(p);
        uint32_t flags = parse_accept(p, KW_ALL) ? AST_SETOP_ALL : parse_accept(p, KW_DISTINCT) ? AST_SETOP_DISTINCT : 0;
        uint32_t right_start = p->tok.start;
        struct ast *right = parse_branch(p);
        right = parse_setops(p, right, right_start, power + 1);
        if (!open || open->node.op != (uint16_t)op || open->node.flags != flags) {
            parse_rise(p);
            count++;
            open = PARSE_NODE(p, ast_setop, SETOP);
            open->node.start = start;
            open->node.op = (uint16_t)op;
            open->node.flags = flags;
            open->branches = left;
            tail = &left->next;
        }
        *tail = right;
        tail = &right->next;
        left = parse_done(p, open);
    }
    parse_sink(p, count);
    return left;
}

/* ---- the clauses behind a query -------------------------------------------------------------------------------------- */

/* Where ORDER BY and its like go: slots of the three kinds of queries. */
struct tail_slots {
    struct ast **with, **order, **limit, **locks, **into;
};

static struct tail_slots slots_of(struct ast *query) {
    struct tail_slots slots = {0};
    if (query->kind == AST_SELECT) {
        struct ast_select *s = (struct ast_select *)query;
        slots = (struct tail_slots){&s->with, &s->order, &s->limit, &s->locks, &s->into};
    } else if (query->kind == AST_SETOP) {
        struct ast_setop *s = (struct ast_setop *)query;
        slots = (struct tail_slots){&s->with, &s->order, &s->limit, &s->locks, &s->into};
    } else {
        struct ast_values *v = (struct ast_values *)query;
        slots = (struct tail_slots){&v->with, &v->order, &v->limit, &v->locks, NULL};
    }
    return slots;
}

static bool at_tail(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_ORDER:
    case KW_LIMIT: return true;
    case KW_OFFSET:
    case KW_FETCH: return !p->is_mysql || p->is_mariadb;
    case KW_FOR: return !p->is_mysql ? parse_at_lock(p) || parse_peek(p, 1) == KW_READ : parse_at_lock(p);
    case KW_LOCK: return parse_at_lock(p);
    case KW_INTO: return p->is_mysql;
    case KW_PROCEDURE: return p->is_mysql;
    default: return false;
    }
}

/* PROCEDURE name "(" args ")" - MySQL before 8, MariaDB */
static void parse_procedure(struct sql_reader *p, struct ast *query) {
    if (!p->is_mariadb && p->options->version >= 80000) parse_fail(p, "syntax error");
    p->into.procedure_count++;
    p->into.procedure_at = p->tok.start;
    parse_advance(p);
    uint32_t start = p->tok.start;
    struct ast *call = parse_call(p, parse_name(p), start);
    if (query->kind == AST_SELECT) ((struct ast_select *)query)->procedure = call;
}

/* PostgreSQL gives clauses behind parentheses to the query inside, which must not have its own. */
static void check_pg_clause_once(struct sql_reader *p, struct ast *query, const struct tail_slots *tail, uint32_t at) {
    while (query->kind == AST_SETOP && !((struct ast_setop *)query)->branches->next) {
        struct tail_slots around = slots_of(query);
        if (tail->order && *tail->order && *around.order) parse_fail_at(p, at, "multiple ORDER BY clauses not allowed");
        query = ((struct ast_setop *)query)->branches;
    }
    struct tail_slots inside = slots_of(query);
    struct ast_limit *outer = (struct ast_limit *)*tail->limit, *inner = (struct ast_limit *)*inside.limit;
    if (*tail->order && *inside.order) parse_fail_at(p, at, "multiple ORDER BY clauses not allowed");
    if (outer && inner) {
        bool outer_count = outer->count || (outer->node.flags & (AST_LIMIT_ALL | AST_LIMIT_FETCH));
        bool inner_count = inner->count || (inner->node.flags & (AST_LIMIT_ALL | AST_LIMIT_FETCH));
        if (outer->offset && inner->offset) parse_fail_at(p, at, "multiple OFFSET clauses not allowed");
        if (outer_count && inner_count) parse_fail_at(p, at, "multiple LIMIT clauses not allowed");
    }
    if (tail->with && *tail->with && *inside.with) parse_fail_at(p, at, "multiple WITH clauses not allowed");
}

/* What PostgreSQL's grammar itself refuses about WITH TIES. */
static void check_ties(struct sql_reader *p, const struct tail_slots *slots, const struct ast *inner) {
    const struct ast *limit = *slots->limit;
    if (!limit || !(limit->flags & AST_LIMIT_WITH_TIES)) return;
    bool has_order = *slots->order || (inner && *slots_of((struct ast *)(uintptr_t)inner).order);
    if (!has_order) parse_fail_at(p, limit->start, "WITH TIES cannot be specified without ORDER BY clause");
    for (const struct ast *lock = *slots->locks; lock; lock = lock->next) {
        if (lock->flags & AST_LOCK_SKIP_LOCKED) {
            parse_fail_at(p, limit->start, "SKIP LOCKED and WITH TIES options cannot be used together");
        }
    }
}

/* MySQL: an INTO behind FROM and what follows it */
static void parse_opt_into_tail(struct sql_reader *p, struct ast **slot) {
    if (!p->is_mysql || !slot || !parse_at(p, KW_INTO)) return;
    p->into.tail_count++;
    parse_opt_into(p, slot);
}

/* MariaDB: VALUES ... INTO ...: the INTO belongs to a query around it, of one branch */
static struct ast *parse_values_into(struct sql_reader *p, struct ast *values, uint32_t start) {
    struct ast_setop *around = PARSE_NODE(p, ast_setop, SETOP);
    around->node.start = start;
    around->node.op = SETOP_UNION;
    around->branches = values;
    parse_opt_into_tail(p, &around->into);
    return parse_done(p, around);
}

/* [ORDER BY ...] [LIMIT ...] [locks] [INTO ...] in the orders that the dialects allow; `with` was read before. */
static struct ast *parse_tail(struct sql_reader *p, struct ast *query, struct ast *with, uint32_t start) {
    bool has_tail = at_tail(p);
    if (p->failed || (!with && !has_tail)) return query;
    uint32_t tail_start = p->tok.start;
    struct ast *inner = NULL;
    if (query->flags & AST_PARENS) {
        struct ast_setop *around = PARSE_NODE(p, ast_setop, SETOP);
        around->node.op = SETOP_UNION;
        around->branches = inner = query;
        query = &around->node;
    }
    query->start = start;
    struct tail_slots slots = slots_of(query);
    *slots.with = with;
    *slots.order = parse_opt_order(p);
    *slots.limit = parse_opt_limit(p);
    if (p->is_mysql && parse_at(p, KW_PROCEDURE)) parse_procedure(p, query);
    parse_opt_into_tail(p, slots.into);
    *slots.locks = parse_opt_locks(p);
    parse_opt_into_tail(p, slots.into);
    if (!p->is_mysql) {
        if (parse_at(p, KW_FOR) && parse_peek(p, 1) == KW_READ) {
            parse_advance(p);
            parse_advance(p);
            parse_expect(p, KW_ONLY);
        }
        if (!*slots.limit) *slots.limit = parse_opt_limit(p);
        if (inner && !p->failed) check_pg_clause_once(p, inner, &slots, tail_start);
        if (!p->failed) check_ties(p, &slots, inner);
    }
    parse_done(p, query);
    return p->is_mariadb && !slots.into && parse_at(p, KW_INTO) ? parse_values_into(p, query, start) : query;
}

/* ---- where INTO may stand, MySQL --------------------------------------------------------------------------------------- */

static const struct ast *last_branch(const struct ast *query) {
    const struct ast *branch = AST_AS(setop, SETOP, query)->branches;
    while (branch->next) branch = branch->next;
    return branch;
}

/* The INTO that a statement's query has at its end; NULL without one. */
static const struct ast *into_of(const struct ast *query) {
    if (query->kind == AST_SELECT) return AST_AS(select, SELECT, query)->into;
    if (query->kind != AST_SETOP) return NULL;
    const struct ast *into = AST_AS(setop, SETOP, query)->into;
    if (into) return into;
    const struct ast *last = last_branch(query);
    if (last->kind != AST_SELECT || last->flags & AST_PARENS) return NULL;
    into = AST_AS(select, SELECT, last)->into;
    return into && into->end == last->end ? into : NULL;
}

/* MariaDB: one INTO or one PROCEDURE, of the statement's own query. */
static bool is_into_of_statement(const struct sql_reader *p, const struct ast *statement) {
    const struct parse_into *seen = &p->into;
    if (seen->count + seen->procedure_count > 1 || statement->flags & AST_PARENS) return false;
    if (seen->count == 1) return into_of(statement) != NULL;
    if (statement->kind == AST_SELECT) return AST_AS(select, SELECT, statement)->procedure != NULL;
    return statement->kind == AST_SETOP && seen->procedure_at >= last_branch(statement)->end;
}

/*
 * MySQL: an INTO before FROM may stand in any query as far as the grammar goes; one behind it only in the statement's own,
 * be it in parentheses.
 */
static bool is_tail_of_statement(const struct sql_reader *p, const struct ast *statement) {
    if (p->into.tail_count == 0) return true;
    if (p->into.tail_count > 1) return false;
    while (statement->kind == AST_SETOP && !AST_AS(setop, SETOP, statement)->branches->next && !into_of(statement))
        statement = last_branch(statement);
    return into_of(statement) != NULL;
}

/* A query that is a statement of its own within another one: a cursor's. */
struct ast *parse_own_query(struct sql_reader *p) {
    struct parse_into outer = p->into;
    p->into = (struct parse_into){0};
    struct ast *query = parse_query(p);
    if (!p->failed && p->into.count + p->into.procedure_count > 0) parse_check_into(p, query);
    p->into = outer;
    return query;
}

void parse_check_into(struct sql_reader *p, const struct ast *statement) {
    bool is_right = p->is_mariadb ? is_into_of_statement(p, statement) : is_tail_of_statement(p, statement);
    if (is_right) return;
    if (p->into.count) parse_fail_at(p, p->into.at, "syntax error: INTO is not for this query");
    else parse_fail_at(p, p->into.procedure_at, "syntax error: PROCEDURE is not for this query");
}

/* ---- WITH ------------------------------------------------------------------------------------------------------------ */

/* SEARCH (DEPTH | BREADTH) FIRST BY columns SET name - at SEARCH */
static struct ast *parse_search(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    bool is_depth = parse_at(p, KW_DEPTH);
    if (!parse_accept(p, KW_DEPTH)) parse_expect(p, KW_BREADTH);
    parse_expect(p, KW_FIRST);
    parse_expect(p, KW_BY);
    struct ast *names = parse_name_list(p), **tail = &names->next;
    while (!p->failed && *tail) tail = &(*tail)->next;
    parse_expect(p, KW_SET);
    *tail = parse_name(p);
    return parse_option(p, start, is_depth ? "search depth first" : "search breadth first", names);
}

/* A literal, with a type in front of it or without. */
static struct ast *parse_constant(struct sql_reader *p) {
    struct ast *node = parse_expr_primary(p);
    bool is_constant = node->kind == AST_LITERAL || (node->kind == AST_CAST && node->op == CAST_PREFIX);
    if (!is_constant) parse_fail_at(p, node->start, "syntax error: expected a constant");
    return node;
}

/* CYCLE columns SET name [TO constant DEFAULT constant] USING name - at CYCLE; MariaDB: CYCLE columns RESTRICT */
static struct ast *parse_cycle(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    struct ast *values = parse_name_list(p), **tail = &values->next;
    while (!p->failed && *tail) tail = &(*tail)->next;
    if (p->is_mysql) {
        parse_expect(p, KW_RESTRICT);
        return parse_option(p, start, "cycle", values);
    }
    parse_expect(p, KW_SET);
    *tail = parse_name(p);
    tail = &(*tail)->next;
    if (parse_accept(p, KW_TO)) {
        *tail = parse_constant(p);
        tail = &(*tail)->next;
        parse_expect(p, KW_DEFAULT);
        *tail = parse_constant(p);
        tail = &(*tail)->next;
    }
    parse_expect(p, KW_USING);
    *tail = parse_name(p);
    return parse_option(p, start, "cycle", values);
}

/* The statement of a CTE: a query, or in PostgreSQL one that changes rows. */
static struct ast *parse_cte_statement(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_INSERT:
    case KW_UPDATE:
    case KW_DELETE:
        if (p->is_mysql) break;
        return parse_statement(p);
    case KW_MERGE:
        if (!parse_is_pg(p, 150000)) break;
        return parse_statement(p);
    case KW_WITH: return p->is_mysql ? parse_query(p) : parse_statement_with(p);
    default: break;
    }
    return parse_query(p);
}

/* name ["(" columns ")"] AS [[NOT] MATERIALIZED] "(" statement ")" [SEARCH ...] [CYCLE ...] */
static struct ast *parse_cte(struct sql_reader *p) {
    struct ast_cte *cte = PARSE_NODE(p, ast_cte, CTE);
    cte->name = parse_name(p);
    cte->columns = parse_opt_paren_names(p);
    parse_expect(p, KW_AS);
    if (!p->is_mysql) {
        if (parse_accept(p, KW_MATERIALIZED)) cte->node.flags |= AST_CTE_MATERIALIZED;
        else if (parse_accept2(p, KW_NOT, KW_MATERIALIZED)) cte->node.flags |= AST_CTE_NOT_MATERIALIZED;
    }
    parse_expect(p, '(');
    if (parse_enter(p)) cte->query = parse_cte_statement(p);
    parse_leave(p);
    parse_expect(p, ')');
    if (!p->is_mysql && parse_at(p, KW_SEARCH)) cte->search = parse_search(p);
    if ((!p->is_mysql || p->is_mariadb) && parse_at(p, KW_CYCLE)) cte->cycle = parse_cycle(p);
    return parse_done(p, cte);
}

/* WITH [RECURSIVE] ctes - at WITH */
struct ast *parse_with_clause(struct sql_reader *p) {
    struct ast_with *with = PARSE_NODE(p, ast_with, WITH);
    parse_advance(p);
    uint16_t next = parse_at(p, KW_RECURSIVE) ? parse_peek(p, 1) : 0;
    if (next && (p->is_mysql || (next != KW_AS && next != '('))) { /* else a CTE of that name */
        parse_advance(p);
        with->node.flags |= AST_WITH_RECURSIVE;
    }
    with->ctes = parse_comma_list(p, parse_cte);
    for (const struct ast *c = with->ctes; p->is_mysql && !p->failed && c; c = c->next) {
        const struct ast *cycle = AST_AS(cte, CTE, c)->cycle;
        if (cycle && !(with->node.flags & AST_WITH_RECURSIVE)) {
            parse_fail_at(p, cycle->start, "syntax error: CYCLE without RECURSIVE");
        }
    }
    return parse_done(p, with);
}

/* ---- queries --------------------------------------------------------------------------------------------------------- */

static struct ast *parse_query_with(struct sql_reader *p, struct ast *with, uint32_t start) {
    uint32_t first = p->tok.start;
    struct ast *query = NULL;
    if (parse_enter(p)) {
        query = parse_branch(p);
        query = parse_setops(p, query, first, 1);
        query = parse_tail(p, query, with, start);
    }
    parse_leave(p);
    return query ? query : parse_node_failed(p, AST_SELECT);
}

/* [WITH ...] branch { setop branch } tail */
struct ast *parse_query(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *with = parse_at(p, KW_WITH) ? parse_with_clause(p) : NULL;
    return parse_query_with(p, with, start);
}

/* Behind "(" query ")": what makes it a part of a longer query. */
struct ast *parse_query_rest(struct sql_reader *p, struct ast *first, uint32_t start) {
    struct ast *query = parse_setops(p, first, start, 1);
    return parse_tail(p, query, NULL, start);
}

struct ast *parse_statement_with(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *with = parse_with_clause(p);
    bool may_change = !p->is_mariadb || p->options->version >= 120000;
    switch (p->tok.kind) {
    case KW_INSERT:
        if (p->is_mysql) break; /* there WITH stands before the SELECT of an INSERT */
        return parse_insert(p, with, start);
    case KW_UPDATE:
        if (!may_change) break;
        return parse_update(p, with, start);
    case KW_DELETE:
        if (!may_change) break;
        return parse_delete(p, with, start);
    case KW_MERGE:
        if (parse_is_pg(p, 150000)) return parse_merge(p, with, start);
        break;
    default: break;
    }
    return parse_query_with(p, with, start);
}
