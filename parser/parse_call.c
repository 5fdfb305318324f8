/*
 * parse_call.c - ordinary calls of functions, and what may stand behind them: WITHIN GROUP, FILTER, OVER. Calls with a
 * syntax of their own are parse_pg_call.c and parse_mysql_call.c.
 */
#include "parser/parse.h"

#include <strings.h>

/* ---- windows --------------------------------------------------------------------------------------------------------- */

/* How far: expr; MySQL: number | parameter | INTERVAL expr unit; MariaDB: a constant of any kind */
static struct ast *parse_bound_offset(struct sql_reader *p) {
    if (!p->is_mysql) return parse_expr(p);
    switch (p->tok.kind) {
    case TOKEN_INTEGER:
    case TOKEN_NUMBER: return parse_literal(p);
    case TOKEN_PARAM:
    case KW_INTERVAL:
        if (p->is_mariadb) break;
        return parse_expr_primary(p);
    case '(':
    case TOKEN_IDENT:
    case TOKEN_QUOTED_IDENT:
    case TOKEN_USER_VARIABLE:
    case TOKEN_SYSTEM_VARIABLE: break;
    default:
        if (p->is_mariadb) return parse_expr_primary(p);
        break;
    }
    parse_fail(p, "syntax error: expected a number");
    return parse_literal(p);
}

/* UNBOUNDED (PRECEDING | FOLLOWING) | CURRENT ROW | offset (PRECEDING | FOLLOWING) */
static struct ast *parse_bound(struct sql_reader *p) {
    struct ast_bound *bound = PARSE_NODE(p, ast_bound, BOUND);
    uint16_t next = parse_at(p, KW_UNBOUNDED) || parse_at(p, KW_CURRENT) ? parse_peek(p, 1) : 0;
    if (parse_at(p, KW_CURRENT) && next == KW_ROW) {
        parse_advance(p);
        parse_advance(p);
        bound->node.op = BOUND_CURRENT_ROW;
        return parse_done(p, bound);
    }
    bool is_unbounded = parse_at(p, KW_UNBOUNDED) && (next == KW_PRECEDING || next == KW_FOLLOWING);
    if (is_unbounded) parse_advance(p);
    else bound->offset = parse_bound_offset(p);
    if (parse_accept(p, KW_PRECEDING)) {
        bound->node.op = is_unbounded ? BOUND_UNBOUNDED_PRECEDING : BOUND_PRECEDING;
    } else {
        parse_expect(p, KW_FOLLOWING);
        bound->node.op = is_unbounded ? BOUND_UNBOUNDED_FOLLOWING : BOUND_FOLLOWING;
    }
    return parse_done(p, bound);
}

/* (ROWS | RANGE | GROUPS) (bound | BETWEEN bound AND bound) [EXCLUDE (CURRENT ROW | GROUP | TIES | NO OTHERS)] */
static struct ast *parse_opt_frame(struct sql_reader *p) {
    uint16_t unit = p->tok.kind;
    if (unit != KW_ROWS && unit != KW_RANGE && unit != KW_GROUPS) return NULL;
    struct ast_frame *frame = PARSE_NODE(p, ast_frame, FRAME);
    frame->node.op = unit == KW_ROWS ? FRAME_ROWS : unit == KW_RANGE ? FRAME_RANGE : FRAME_GROUPS;
    parse_advance(p);
    if (parse_accept(p, KW_BETWEEN)) {
        frame->from = parse_bound(p);
        parse_expect(p, KW_AND);
        frame->to = parse_bound(p);
    } else {
        frame->from = parse_bound(p);
    }
    if (!p->failed && p->is_mysql && !frame->to && frame->from->op > BOUND_CURRENT_ROW) {
        parse_fail_at(p, frame->node.start, "syntax error: a frame cannot begin behind the current row");
    }
    if (!p->failed && !p->is_mysql) {
        unsigned from = frame->from->op, to = frame->to ? frame->to->op : (unsigned)BOUND_CURRENT_ROW;
        bool is_wrong = from == BOUND_UNBOUNDED_FOLLOWING || to == BOUND_UNBOUNDED_PRECEDING ||
                        (!frame->to && from == BOUND_FOLLOWING) || (from == BOUND_CURRENT_ROW && to == BOUND_PRECEDING) ||
                        (from == BOUND_FOLLOWING && (to == BOUND_PRECEDING || to == BOUND_CURRENT_ROW));
        if (is_wrong) parse_fail_at(p, frame->node.start, "the frame's bounds are in the wrong order");
    }
    if (parse_accept(p, KW_EXCLUDE)) {
        uint16_t what = p->tok.kind;
        frame->exclude = parse_word(p);
        if (what == KW_CURRENT) parse_expect(p, KW_ROW);
        else if (what == KW_NO) parse_expect(p, KW_OTHERS);
        else if (what != KW_GROUP && what != KW_TIES) parse_fail_at(p, frame->exclude->start, "syntax error");
    }
    return parse_done(p, frame);
}

/* "(" [name] [PARTITION BY exprs] [ORDER BY sorts] [frame] ")" */
struct ast *parse_window(struct sql_reader *p) {
    struct ast_window *window = PARSE_NODE(p, ast_window, WINDOW);
    parse_expect(p, '(');
    bool is_clause = parse_at(p, KW_PARTITION) || ((parse_at(p, KW_RANGE) || parse_at(p, KW_ROWS) || parse_at(p, KW_GROUPS)));
    if (!is_clause && parse_at_name(p)) window->base = parse_name(p);
    if (parse_accept(p, KW_PARTITION)) {
        parse_expect(p, KW_BY);
        window->partition = parse_expr_list(p);
    }
    window->order = parse_opt_order(p);
    window->frame = parse_opt_frame(p);
    parse_expect(p, ')');
    return parse_done(p, window);
}

/* [WITHIN GROUP "(" ORDER BY sorts ")"] [FILTER "(" WHERE expr ")"] [(IGNORE | RESPECT) NULLS] [OVER (name | window)] */
struct ast *parse_filter_over(struct sql_reader *p, struct ast_func *f) {
    if (parse_at(p, KW_WITHIN) && parse_peek(p, 1) == KW_GROUP) {
        parse_advance(p);
        parse_advance(p);
        parse_expect(p, '(');
        if (!parse_at(p, KW_ORDER)) parse_fail(p, "syntax error: expected ORDER BY");
        f->within = parse_opt_order(p);
        parse_expect(p, ')');
    }
    if (parse_at(p, KW_FILTER) && parse_peek(p, 1) == '(') {
        parse_advance(p);
        parse_advance(p);
        parse_expect(p, KW_WHERE);
        f->filter = parse_expr(p);
        parse_expect(p, ')');
    }
    if ((parse_at(p, KW_IGNORE) || parse_at(p, KW_RESPECT)) && parse_peek(p, 1) == KW_NULLS) {
        f->node.flags |= parse_at(p, KW_IGNORE) ? AST_FUNC_IGNORE_NULLS : AST_FUNC_RESPECT_NULLS;
        parse_advance(p);
        parse_advance(p);
    }
    if (parse_at(p, KW_OVER)) {
        uint16_t next = parse_peek(p, 1);
        if (next == '(') {
            parse_advance(p);
            f->over = parse_window(p);
        } else if (parse_is_name(p, next)) {
            parse_advance(p);
            struct ast_window *window = PARSE_NODE(p, ast_window, WINDOW);
            window->base = parse_name(p);
            f->over = parse_done(p, window);
        } else {
            parse_advance(p);
            parse_fail(p, "syntax error");
        }
    }
    return parse_done(p, f);
}

/* ---- ordinary calls -------------------------------------------------------------------------------------------------- */

/* expr | name (":=" | "=>") expr */
struct ast *parse_arg(struct sql_reader *p) {
    bool may_name = p->tok.kind == TOKEN_IDENT || p->tok.kind == TOKEN_QUOTED_IDENT || p->tok.kind == TOKEN_UNICODE_IDENT ||
                    (parse_uses(p, p->tok.kind) & KEYWORD_FUNCTION);
    if (!may_name) return parse_expr(p);
    uint16_t next = parse_peek(p, 1);
    if (next != TOKEN_ASSIGN && next != TOKEN_ARROW) return parse_expr(p);
    struct ast_named_arg *arg = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
    arg->name = parse_name_of_token(p);
    parse_advance(p);
    arg->value = parse_expr(p);
    return parse_done(p, arg);
}

/* MySQL: the arguments of a stored or loadable function may have names: expr [AS name] */
static struct ast *parse_mysql_arg(struct sql_reader *p, bool may_name) {
    struct ast *expr = parse_expr(p);
    bool is_as = parse_at(p, KW_AS);
    if (!may_name || (!is_as && !parse_at_bare_label(p))) return expr;
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->node.start = expr->start;
    parse_accept(p, KW_AS);
    target->expr = expr;
    target->name = parse_at_string(p) ? parse_string(p) : parse_name(p);
    return parse_done(p, target);
}

/* MySQL: ST_COLLECT is an aggregate though its name is no word of the grammar. */
static bool is_mysql_aggregate(const struct sql_reader *p, const struct ast *names) {
    if (p->is_mariadb || names->next || names->kind != AST_NAME) return false;
    struct bytes name = AST_AS(name, NAME, names)->text;
    return name.len == 10 && strncasecmp((const char *)name.ptr, "st_collect", 10) == 0;
}

/* [expr {"," expr}], or of an aggregate [ALL | DISTINCT] expr - behind "(" */
static void parse_mysql_args(struct sql_reader *p, struct ast_func *f) {
    if ((parse_at(p, KW_DISTINCT) || parse_at(p, KW_ALL)) && is_mysql_aggregate(p, f->names)) {
        f->node.flags |= parse_at(p, KW_DISTINCT) ? AST_FUNC_DISTINCT : AST_FUNC_ALL;
        parse_advance(p);
    }
    if (parse_at(p, ')')) return;
    bool may_name = !p->failed && !f->names->next;
    struct parse_list args;
    parse_list_init(&args);
    do parse_list_add(&args, parse_mysql_arg(p, may_name));
    while (parse_accept(p, ','));
    f->args = args.first;
}

/* "*" | [ALL | DISTINCT] args [ORDER BY sorts]; VARIADIC before the last - behind "(" */
static void parse_args(struct sql_reader *p, struct ast_func *f) {
    if (parse_at(p, '*')) {
        struct ast *star = PARSE_NODE(p, ast, STAR);
        parse_advance(p);
        f->args = parse_done(p, star);
        return;
    }
    bool must = false;
    if (parse_accept(p, KW_DISTINCT)) {
        f->node.flags |= AST_FUNC_DISTINCT;
        must = true;
    } else if (parse_accept(p, KW_ALL)) {
        f->node.flags |= AST_FUNC_ALL;
        must = true;
    }
    if (parse_at(p, ')') && !must) return;
    struct parse_list args;
    parse_list_init(&args);
    do {
        if (f->node.flags & AST_FUNC_VARIADIC) {
            parse_fail(p, "syntax error: VARIADIC is the last argument");
            break;
        }
        if (parse_at(p, KW_VARIADIC)) {
            if (must) parse_fail(p, "syntax error");
            parse_advance(p);
            f->node.flags |= AST_FUNC_VARIADIC;
        }
        parse_list_add(&args, parse_arg(p));
    } while (parse_accept(p, ','));
    f->args = args.first;
    f->order = parse_opt_order(p);
    if (!p->failed && (parse_at(p, KW_IGNORE) || parse_at(p, KW_RESPECT))) parse_fail(p, "syntax error");
}

/* names "(" args ")" - at "(" */
struct ast *parse_application(struct sql_reader *p, struct ast *names, uint32_t start) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.start = start;
    f->node.op = CALL_PLAIN;
    f->names = names;
    parse_expect(p, '(');
    if (p->is_mysql) parse_mysql_args(p, f);
    else parse_args(p, f);
    parse_expect(p, ')');
    return parse_done(p, f);
}

/* names "(" args ")" filter_over - at "(" */
struct ast *parse_call(struct sql_reader *p, struct ast *names, uint32_t start) {
    struct ast_func *f = (struct ast_func *)parse_application(p, names, start);
    if (p->is_mysql) return parse_at(p, KW_OVER) && is_mysql_aggregate(p, names) ? parse_filter_over(p, f) : &f->node;
    switch (p->tok.kind) {
    case KW_WITHIN:
        if (f->order) parse_fail(p, "cannot use multiple ORDER BY clauses with WITHIN GROUP");
        else if (f->node.flags & AST_FUNC_DISTINCT) parse_fail(p, "cannot use DISTINCT with WITHIN GROUP");
        else if (f->node.flags & AST_FUNC_VARIADIC) parse_fail(p, "cannot use VARIADIC with WITHIN GROUP");
        return parse_filter_over(p, f);
    case KW_FILTER:
    case KW_OVER:
    case KW_IGNORE:
    case KW_RESPECT: return parse_filter_over(p, f);
    default: return &f->node;
    }
}

/* A call and nothing but a call: func_expr_windowless, as index elements and tables in FROM have it. */
struct ast *parse_func_primary(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    uint16_t kind = p->tok.kind;
    if (kind >= KEYWORD_FIRST && kind != KW_GROUPING) { /* GROUPING stands in expressions alone */
        struct ast *call = p->is_mysql ? parse_mysql_special_call(p) : parse_special_call(p);
        if (call) return call;
    }
    bool may_call = kind < KEYWORD_FIRST || (parse_uses(p, kind) & KEYWORD_FUNCTION) || parse_peek(p, 1) == '.';
    if (!may_call) parse_fail(p, "syntax error");
    struct parse_list list;
    parse_list_init(&list);
    parse_list_add(&list, parse_label(p));
    while (parse_accept(p, '.')) parse_list_add(&list, parse_label(p));
    if (!parse_at(p, '(')) parse_fail(p, "syntax error: expected (");
    return parse_application(p, list.first, start);
}

/* ---- units of intervals, MySQL --------------------------------------------------------------------------------------- */

struct ast *parse_interval_unit(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_MICROSECOND:
    case KW_SECOND:
    case KW_MINUTE:
    case KW_HOUR:
    case KW_DAY:
    case KW_WEEK:
    case KW_MONTH:
    case KW_QUARTER:
    case KW_YEAR:
    case KW_SECOND_MICROSECOND:
    case KW_MINUTE_MICROSECOND:
    case KW_MINUTE_SECOND:
    case KW_HOUR_MICROSECOND:
    case KW_HOUR_SECOND:
    case KW_HOUR_MINUTE:
    case KW_DAY_MICROSECOND:
    case KW_DAY_SECOND:
    case KW_DAY_MINUTE:
    case KW_DAY_HOUR:
    case KW_YEAR_MONTH:
    case KW_SQL_TSI_SECOND:
    case KW_SQL_TSI_MINUTE:
    case KW_SQL_TSI_HOUR:
    case KW_SQL_TSI_DAY:
    case KW_SQL_TSI_WEEK:
    case KW_SQL_TSI_MONTH:
    case KW_SQL_TSI_QUARTER:
    case KW_SQL_TSI_YEAR: break;
    default: parse_fail(p, "syntax error: expected a unit of time"); break;
    }
    return parse_word(p);
}
