/*
 * parse_call.c - calls of functions: ordinary ones, PostgreSQL's with a syntax of their own, and what may stand behind a
 * call: WITHIN GROUP, FILTER, OVER. MySQL's special calls are parse_mysql_call.c.
 */
#include "parser/parse.h"

/* ---- windows --------------------------------------------------------------------------------------------------------- */

/* UNBOUNDED (PRECEDING | FOLLOWING) | CURRENT ROW | expr (PRECEDING | FOLLOWING) */
static struct ast *parse_bound(struct sql_reader *p) {
    struct ast_bound *bound = PARSE_NODE(p, ast_bound, BOUND);
    uint16_t next = parse_at(p, KW_UNBOUNDED) || parse_at(p, KW_CURRENT) ? parse_peek(p, 1) : 0;
    if (parse_at(p, KW_CURRENT) && next == KW_ROW) {
        parse_advance(p);
        parse_advance(p);
        bound->node.op = BOUND_CURRENT_ROW;
        return parse_done(p, bound);
    }
    bool is_unbounded = next == KW_PRECEDING || next == KW_FOLLOWING;
    if (is_unbounded) parse_advance(p);
    else bound->offset = parse_expr(p);
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
    if (!p->is_mysql && parse_at(p, KW_FILTER) && parse_peek(p, 1) == '(') {
        parse_advance(p);
        parse_advance(p);
        parse_expect(p, KW_WHERE);
        f->filter = parse_expr(p);
        parse_expect(p, ')');
    }
    if (parse_at(p, KW_FROM) && p->is_mysql && (parse_peek(p, 1) == KW_FIRST || parse_peek(p, 1) == KW_LAST) &&
        parse_peek(p, 2) != TOKEN_END && (parse_peek(p, 2) == KW_OVER || parse_peek(p, 2) == KW_IGNORE || parse_peek(p, 2) == KW_RESPECT)) {
        parse_advance(p);
        if (parse_at(p, KW_LAST)) f->node.flags |= AST_FUNC_FROM_LAST;
        parse_advance(p);
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
        } else if (!p->is_mysql || !p->is_mariadb) {
            parse_advance(p);
            parse_fail(p, "syntax error");
        }
    }
    return parse_done(p, f);
}

/* ---- ordinary calls -------------------------------------------------------------------------------------------------- */

/* expr | name (":=" | "=>") expr */
static struct ast *parse_arg(struct sql_reader *p) {
    bool may_name = p->tok.kind == TOKEN_IDENT || p->tok.kind == TOKEN_QUOTED_IDENT || p->tok.kind == TOKEN_UNICODE_IDENT ||
                    (parse_uses(p, p->tok.kind) & KEYWORD_FUNCTION);
    if (!may_name || p->is_mysql) return parse_expr(p);
    uint16_t next = parse_peek(p, 1);
    if (next != TOKEN_ASSIGN && next != TOKEN_ARROW) return parse_expr(p);
    struct ast_named_arg *arg = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
    arg->name = parse_name_of_token(p);
    parse_advance(p);
    arg->value = parse_expr(p);
    return parse_done(p, arg);
}

/* MySQL: the arguments of a stored or loadable function may have names: expr [AS name] */
static struct ast *parse_mysql_arg(struct sql_reader *p) {
    struct ast *expr = parse_expr(p);
    bool is_as = parse_at(p, KW_AS);
    if (!is_as && !parse_at_bare_label(p)) return expr;
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->node.start = expr->start;
    parse_accept(p, KW_AS);
    target->expr = expr;
    target->name = parse_at_string(p) ? parse_literal(p) : parse_name_of_token(p);
    return parse_done(p, target);
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
        if (p->is_mysql) parse_accept(p, KW_ALL);
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
        if (!p->is_mysql && parse_at(p, KW_VARIADIC)) {
            if (must) parse_fail(p, "syntax error");
            parse_advance(p);
            f->node.flags |= AST_FUNC_VARIADIC;
        }
        parse_list_add(&args, p->is_mysql ? parse_mysql_arg(p) : parse_arg(p));
    } while (parse_accept(p, ','));
    f->args = args.first;
    f->order = parse_opt_order(p);
    if (!p->is_mysql && !p->failed && (parse_at(p, KW_IGNORE) || parse_at(p, KW_RESPECT))) parse_fail(p, "syntax error");
}

/* names "(" args ")" - at "(" */
struct ast *parse_application(struct sql_reader *p, struct ast *names, uint32_t start) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.start = start;
    f->node.op = CALL_PLAIN;
    f->names = names;
    parse_expect(p, '(');
    parse_args(p, f);
    parse_expect(p, ')');
    return parse_done(p, f);
}

/* names "(" args ")" filter_over - at "(" */
struct ast *parse_call(struct sql_reader *p, struct ast *names, uint32_t start) {
    struct ast_func *f = (struct ast_func *)parse_application(p, names, start);
    switch (p->tok.kind) {
    case KW_WITHIN:
        if (f->order) parse_fail(p, "cannot use multiple ORDER BY clauses with WITHIN GROUP");
        else if (f->node.flags & AST_FUNC_DISTINCT) parse_fail(p, "cannot use DISTINCT with WITHIN GROUP");
        else if (f->node.flags & AST_FUNC_VARIADIC) parse_fail(p, "cannot use VARIADIC with WITHIN GROUP");
        return parse_filter_over(p, f);
    case KW_FILTER:
    case KW_OVER:
    case KW_IGNORE:
    case KW_RESPECT:
    case KW_FROM: return parse_filter_over(p, f);
    default: return &f->node;
    }
}

/* ---- PostgreSQL's special syntax ------------------------------------------------------------------------------------- */

/* A call with words of its own: the keyword at hand is its name and is read. */
static struct ast_func *special(struct sql_reader *p, enum ast_call op) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.op = (uint16_t)op;
    f->names = parse_name_of_token(p);
    return f;
}

/* CAST "(" expr AS type ")" | TREAT "(" expr AS type ")" */
static struct ast *parse_cast(struct sql_reader *p) {
    struct ast_cast *cast = PARSE_NODE(p, ast_cast, CAST);
    cast->node.op = parse_at(p, KW_TREAT) ? CAST_TREAT : CAST_FUNCTION;
    parse_advance(p);
    parse_expect(p, '(');
    cast->arg = parse_expr(p);
    parse_expect(p, KW_AS);
    cast->type = parse_type(p);
    parse_expect(p, ')');
    return parse_done(p, cast);
}

/* EXTRACT "(" (field | string) FROM expr ")" */
static void parse_extract(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    switch (p->tok.kind) {
    case TOKEN_IDENT:
    case TOKEN_QUOTED_IDENT:
    case TOKEN_UNICODE_IDENT: parse_list_add(&args, parse_name_of_token(p)); break;
    case KW_YEAR:
    case KW_MONTH:
    case KW_DAY:
    case KW_HOUR:
    case KW_MINUTE:
    case KW_SECOND: parse_list_add(&args, parse_word(p)); break;
    default: parse_list_add(&args, parse_string(p)); break;
    }
    parse_expect(p, KW_FROM);
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
}

/* OVERLAY "(" expr PLACING expr FROM expr [FOR expr] ")", or ordinary arguments */
static void parse_overlay(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, ')')) {
        f->node.op = CALL_PLAIN;
        return;
    }
    parse_list_add(&args, parse_arg(p));
    if (parse_accept(p, KW_PLACING)) {
        parse_list_add(&args, parse_expr(p));
        parse_expect(p, KW_FROM);
        parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, KW_FOR)) parse_list_add(&args, parse_expr(p));
    } else {
        f->node.op = CALL_PLAIN;
        while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
    }
    f->args = args.first;
}

/* SUBSTRING "(" expr [FROM expr] [FOR expr] | expr SIMILAR expr ESCAPE expr ")", or ordinary arguments */
static void parse_substring(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, ')')) {
        f->node.op = CALL_PLAIN;
        return;
    }
    parse_list_add(&args, parse_arg(p));
    switch (p->tok.kind) {
    case KW_FROM:
        parse_advance(p);
        parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, KW_FOR)) parse_list_add(&args, parse_expr(p));
        break;
    case KW_FOR: {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *len = parse_expr(p);
        if (parse_accept(p, KW_FROM)) {
            parse_list_add(&args, parse_expr(p));
            parse_list_add(&args, len);
        } else {
            parse_list_add(&args, parse_option(p, start, "for", len));
        }
        break;
    }
    case KW_SIMILAR:
        parse_advance(p);
        parse_list_add(&args, parse_expr(p));
        parse_expect(p, KW_ESCAPE);
        parse_list_add(&args, parse_expr(p));
        break;
    default:
        f->node.op = CALL_PLAIN;
        while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
        break;
    }
    f->args = args.first;
}

/* POSITION "(" b_expr IN b_expr ")" | POSITION "(" ")" */
static void parse_position(struct sql_reader *p, struct ast_func *f) {
    if (parse_at(p, ')')) {
        f->node.op = CALL_PLAIN;
        return;
    }
    f->args = parse_expr_b(p);
    parse_expect(p, KW_IN);
    f->args->next = parse_expr_b(p);
}

/* TRIM "(" [BOTH | LEADING | TRAILING] [expr] [FROM] exprs ")" */
static void parse_trim(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, KW_BOTH) || parse_at(p, KW_LEADING) || parse_at(p, KW_TRAILING)) parse_list_add(&args, parse_word(p));
    if (!parse_accept(p, KW_FROM)) {
        parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, KW_FROM)) {
            parse_list_add(&args, parse_expr_list(p));
        } else {
            while (parse_accept(p, ',')) parse_list_add(&args, parse_expr(p));
        }
    } else {
        parse_list_add(&args, parse_expr_list(p));
    }
    f->args = args.first;
}

/* NORMALIZE "(" expr ["," form] ")" */
static void parse_normalize(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_expr(p);
    if (!parse_accept(p, ',')) return;
    if (!parse_at(p, KW_NFC) && !parse_at(p, KW_NFD) && !parse_at(p, KW_NFKC) && !parse_at(p, KW_NFKD)) parse_fail(p, "syntax error");
    f->args->next = parse_word(p);
}

/* ---- XML ------------------------------------------------------------------------------------------------------------- */

/* expr [AS label] */
static struct ast *parse_xml_attribute(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->expr = parse_expr(p);
    if (parse_accept(p, KW_AS)) target->name = parse_label(p);
    return parse_done(p, target);
}

/* XMLELEMENT "(" NAME label ["," XMLATTRIBUTES "(" ... ")"] ["," exprs] ")" - the inside */
static void parse_xmlelement(struct sql_reader *p, struct ast_func *f) {
    parse_expect(p, KW_NAME);
    f->args = parse_label(p);
    struct ast **tail = &f->args->next;
    if (!parse_accept(p, ',')) return;
    if (parse_at(p, KW_XMLATTRIBUTES)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        *tail = parse_option(p, start, "xmlattributes", parse_paren_list(p, parse_xml_attribute));
        tail = &(*tail)->next;
        if (!parse_accept(p, ',')) return;
    }
    *tail = parse_expr_list(p);
}

/* XMLROOT "(" expr "," VERSION (expr | NO VALUE) ["," STANDALONE (YES | NO | NO VALUE)] ")" - the inside */
static void parse_xmlroot(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_expr(p);
    struct ast **tail = &f->args->next;
    parse_expect(p, ',');
    parse_expect(p, KW_VERSION);
    if (parse_at(p, KW_NO) && parse_peek(p, 1) == KW_VALUE) {
        *tail = parse_word(p);
        parse_advance(p);
    } else {
        *tail = parse_expr(p);
    }
    tail = &(*tail)->next;
    if (!parse_accept(p, ',')) return;
    parse_expect(p, KW_STANDALONE);
    if (!parse_at(p, KW_YES) && !parse_at(p, KW_NO)) parse_fail(p, "syntax error");
    bool is_no = parse_at(p, KW_NO);
    *tail = parse_word(p);
    if (is_no) parse_accept(p, KW_VALUE);
}

/* PASSING [BY (REF | VALUE)] c_expr [BY (REF | VALUE)] */
static struct ast *parse_xml_passing(struct sql_reader *p) {
    parse_expect(p, KW_PASSING);
    if (parse_accept(p, KW_BY) && !parse_accept(p, KW_REF)) parse_expect(p, KW_VALUE);
    struct ast *expr = parse_expr_primary(p);
    if (parse_accept(p, KW_BY) && !parse_accept(p, KW_REF)) parse_expect(p, KW_VALUE);
    return expr;
}

static void parse_xml_call(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    switch (kind) {
    case KW_XMLCONCAT: f->args = parse_expr_list(p); break;
    case KW_XMLELEMENT: parse_xmlelement(p, f); break;
    case KW_XMLEXISTS:
        f->args = parse_expr_primary(p);
        f->args->next = parse_xml_passing(p);
        break;
    case KW_XMLFOREST: f->args = parse_comma_list(p, parse_xml_attribute); break;
    case KW_XMLPARSE:
    case KW_XMLSERIALIZE:
        if (!parse_at(p, KW_DOCUMENT) && !parse_at(p, KW_CONTENT)) parse_fail(p, "syntax error");
        f->args = parse_word(p);
        f->args->next = parse_expr(p);
        if (kind == KW_XMLPARSE) {
            if ((parse_at(p, KW_PRESERVE) || parse_at(p, KW_STRIP)) && parse_peek(p, 1) == KW_WHITESPACE) {
                f->options = parse_word(p);
                parse_advance(p);
            }
        } else {
            parse_expect(p, KW_AS);
            f->args->next->next = parse_type(p);
            if (parse_is_pg(p, 160000)) {
                if (parse_accept(p, KW_NO)) parse_expect(p, KW_INDENT);
                else parse_accept(p, KW_INDENT);
            }
        }
        break;
    case KW_XMLPI:
        parse_expect(p, KW_NAME);
        f->args = parse_label(p);
        if (parse_accept(p, ',')) f->args->next = parse_expr(p);
        break;
    default: parse_xmlroot(p, f); break;
    }
}

/* ---- SQL/JSON (PostgreSQL 16 and later) ------------------------------------------------------------------------------ */

/* [FORMAT JSON [ENCODING name]] */
static void parse_opt_json_format(struct sql_reader *p) {
    if (parse_at(p, KW_FORMAT) && parse_peek(p, 1) == KW_JSON) {
        parse_advance(p);
        parse_advance(p);
        if (parse_accept(p, KW_ENCODING)) parse_name(p);
    }
}

/* expr [FORMAT JSON ...] */
static struct ast *parse_json_value(struct sql_reader *p) {
    struct ast *value = parse_expr(p);
    parse_opt_json_format(p);
    return value;
}

/* [RETURNING type [FORMAT JSON ...]] */
static struct ast *parse_opt_json_returning(struct sql_reader *p) {
    if (!parse_at(p, KW_RETURNING)) return NULL;
    uint32_t start = p->tok.start;
    parse_advance(p);
    struct ast *type = parse_type(p);
    parse_opt_json_format(p);
    return parse_option(p, start, "returning", type);
}

/* [(WITH | WITHOUT) UNIQUE [KEYS]] */
static void parse_opt_json_unique(struct sql_reader *p) {
    if ((parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT)) && parse_peek(p, 1) == KW_UNIQUE) {
        parse_advance(p);
        parse_advance(p);
        parse_accept(p, KW_KEYS);
    }
}

/* [(NULL | ABSENT) ON NULL] */
static struct ast *parse_opt_json_nulls(struct sql_reader *p) {
    if ((!parse_at(p, KW_NULL) && !parse_at(p, KW_ABSENT)) || parse_peek(p, 1) != KW_ON) return NULL;
    struct ast *word = parse_word(p);
    parse_advance(p);
    parse_expect(p, KW_NULL);
    return word;
}

/* expr (":" | VALUE) json_value as two arguments; KEY is no word of PostgreSQL's here */
static struct ast *parse_json_pair(struct sql_reader *p) {
    struct ast_named_arg *pair = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
    pair->name = parse_expr_primary(p);
    if (!parse_at(p, ':') && !parse_at(p, KW_VALUE)) pair->name = parse_expr_rest(p, pair->name, pair->node.start);
    if (!parse_accept(p, ':')) parse_expect(p, KW_VALUE);
    pair->value = parse_json_value(p);
    return parse_done(p, pair);
}

/* JSON_OBJECT[AGG], JSON_ARRAY[AGG] - the inside */
static void parse_json_constructor(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    if (!parse_at(p, ')') && !parse_at(p, KW_RETURNING)) {
        if (kind == KW_JSON_OBJECT || kind == KW_JSON_OBJECTAGG) {
            struct parse_list args;
            parse_list_init(&args);
            uint32_t start = p->tok.start;
            struct ast *first = parse_arg(p);
            if (parse_at(p, ':') || parse_at(p, KW_VALUE)) {
                struct ast_named_arg *pair = PARSE_NODE(p, ast_named_arg, NAMED_ARG);
                pair->node.start = start;
                pair->name = first;
                parse_advance(p);
                pair->value = parse_json_value(p);
                parse_list_add(&args, parse_done(p, pair));
                while (kind == KW_JSON_OBJECT && parse_accept(p, ',')) parse_list_add(&args, parse_json_pair(p));
            } else { /* the ordinary function json_object(...) */
                parse_list_add(&args, first);
                f->node.op = CALL_PLAIN;
                while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
            }
            f->args = args.first;
        } else if (kind == KW_JSON_ARRAY && (parse_at(p, KW_SELECT) || parse_at(p, KW_WITH) || parse_at(p, KW_VALUES))) {
            f->args = parse_query(p);
            parse_opt_json_format(p);
        } else if (kind == KW_JSON_ARRAY) {
            f->args = parse_comma_list(p, parse_json_value);
        } else {
            f->args = parse_json_value(p);
            f->order = parse_opt_order(p);
        }
    }
    struct parse_list options;
    parse_list_init(&options);
    struct ast *nulls = parse_opt_json_nulls(p);
    if (nulls) parse_list_add(&options, nulls);
    parse_opt_json_unique(p);
    struct ast *returning = parse_opt_json_returning(p);
    if (returning) parse_list_add(&options, returning);
    f->options = options.first;
}

/* name AS expr */
static struct ast *parse_json_passing(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->expr = parse_json_value(p);
    parse_expect(p, KW_AS);
    target->name = parse_label(p);
    return parse_done(p, target);
}

/* { (ERROR | NULL | EMPTY [ARRAY | OBJECT] | DEFAULT expr | TRUE | FALSE | UNKNOWN) ON (EMPTY | ERROR) } */
struct ast *parse_opt_json_behaviour(struct sql_reader *p) {
    struct parse_list options;
    parse_list_init(&options);
    for (;;) {
        uint32_t start = p->tok.start;
        struct ast *value;
        switch (p->tok.kind) {
        case KW_DEFAULT:
            parse_advance(p);
            value = parse_expr(p);
            break;
        case KW_EMPTY:
            value = parse_word(p);
            if (!parse_accept(p, KW_ARRAY)) parse_accept(p, KW_OBJECT);
            break;
        case KW_ERROR:
        case KW_NULL:
        case KW_TRUE:
        case KW_FALSE:
        case KW_UNKNOWN:
            if (parse_peek(p, 1) != KW_ON) return options.first;
            value = parse_word(p);
            break;
        default: return options.first;
        }
        parse_expect(p, KW_ON);
        bool is_empty = parse_accept(p, KW_EMPTY);
        if (!is_empty) parse_expect(p, KW_ERROR);
        parse_list_add(&options, parse_option(p, start, is_empty ? "on empty" : "on error", value));
    }
}

/* [(WITH [CONDITIONAL | UNCONDITIONAL] | WITHOUT) [ARRAY] WRAPPER] [(KEEP | OMIT) QUOTES [ON SCALAR STRING]] */
void parse_opt_json_wrapper(struct sql_reader *p) {
    if (parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT)) {
        parse_advance(p);
        if (!parse_accept(p, KW_CONDITIONAL)) parse_accept(p, KW_UNCONDITIONAL);
        parse_accept(p, KW_ARRAY);
        parse_expect(p, KW_WRAPPER);
    }
    if (parse_at(p, KW_KEEP) || parse_at(p, KW_OMIT)) {
        parse_advance(p);
        parse_expect(p, KW_QUOTES);
        if (parse_accept(p, KW_ON)) {
            parse_expect(p, KW_SCALAR);
            parse_expect(p, KW_STRING);
        }
    }
}

/* JSON_VALUE, JSON_QUERY, JSON_EXISTS "(" value "," path [PASSING ...] [RETURNING type] ... ")" - the inside */
static void parse_json_query(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_json_value(p);
    parse_expect(p, ',');
    f->args->next = parse_expr(p);
    struct parse_list options;
    parse_list_init(&options);
    if (parse_at(p, KW_PASSING)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        parse_list_add(&options, parse_option(p, start, "passing", parse_comma_list(p, parse_json_passing)));
    }
    struct ast *returning = parse_opt_json_returning(p);
    if (returning) parse_list_add(&options, returning);
    parse_opt_json_wrapper(p);
    *options.tail = parse_opt_json_behaviour(p);
    f->options = options.first;
}

/* JSON, JSON_SCALAR, JSON_SERIALIZE "(" value ... ")" - the inside */
static void parse_json_simple(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_json_value(p);
    parse_opt_json_unique(p);
    f->options = parse_opt_json_returning(p);
}

/* ---- which call ------------------------------------------------------------------------------------------------------ */

static void parse_special_inside(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    switch (kind) {
    case KW_NULLIF:
        f->args = parse_expr(p);
        parse_expect(p, ',');
        f->args->next = parse_expr(p);
        break;
    case KW_EXTRACT: parse_extract(p, f); break;
    case KW_OVERLAY: parse_overlay(p, f); break;
    case KW_POSITION: parse_position(p, f); break;
    case KW_SUBSTRING: parse_substring(p, f); break;
    case KW_TRIM: parse_trim(p, f); break;
    case KW_NORMALIZE: parse_normalize(p, f); break;
    case KW_XMLCONCAT:
    case KW_XMLELEMENT:
    case KW_XMLEXISTS:
    case KW_XMLFOREST:
    case KW_XMLPARSE:
    case KW_XMLPI:
    case KW_XMLROOT:
    case KW_XMLSERIALIZE: parse_xml_call(p, f, kind); break;
    case KW_JSON_OBJECT:
    case KW_JSON_OBJECTAGG:
    case KW_JSON_ARRAY:
    case KW_JSON_ARRAYAGG: parse_json_constructor(p, f, kind); break;
    case KW_JSON_EXISTS:
    case KW_JSON_QUERY:
    case KW_JSON_VALUE: parse_json_query(p, f); break;
    case KW_JSON:
    case KW_JSON_SCALAR:
    case KW_JSON_SERIALIZE: parse_json_simple(p, f); break;
    case KW_MERGE_ACTION: break;
    default: f->args = parse_expr_list(p); break; /* COALESCE, GREATEST, LEAST, GROUPING */
    }
}

/* The keywords whose calls have a syntax of their own: those that are no name of a function for PostgreSQL itself. */
static bool is_special(const struct sql_reader *p, uint16_t kind) {
    switch (kind) {
    case KW_COALESCE:
    case KW_GREATEST:
    case KW_LEAST:
    case KW_GROUPING:
    case KW_NULLIF:
    case KW_EXTRACT:
    case KW_OVERLAY:
    case KW_POSITION:
    case KW_SUBSTRING:
    case KW_TRIM:
    case KW_NORMALIZE:
    case KW_XMLCONCAT:
    case KW_XMLELEMENT:
    case KW_XMLEXISTS:
    case KW_XMLFOREST:
    case KW_XMLPARSE:
    case KW_XMLPI:
    case KW_XMLROOT:
    case KW_XMLSERIALIZE:
    case KW_JSON_OBJECT:
    case KW_JSON_OBJECTAGG:
    case KW_JSON_ARRAY:
    case KW_JSON_ARRAYAGG:
    case KW_JSON_EXISTS:
    case KW_JSON_QUERY:
    case KW_JSON_VALUE:
    case KW_JSON_SCALAR:
    case KW_JSON_SERIALIZE:
    case KW_MERGE_ACTION: return true;
    case KW_JSON: return parse_is_pg(p, 170000);
    default: return false;
    }
}

/* CURRENT_DATE and the like: no parentheses, or a precision. */
static struct ast *parse_bare(struct sql_reader *p, bool may_precision) {
    struct ast_func *f = special(p, CALL_BARE);
    if (may_precision && parse_at(p, '(')) {
        parse_advance(p);
        if (!parse_at(p, TOKEN_INTEGER)) parse_fail(p, "syntax error: expected a number");
        f->args = parse_literal(p);
        parse_expect(p, ')');
    }
    return parse_done(p, f);
}

/* COLLATION FOR "(" expr ")" */
static struct ast *parse_collation_for(struct sql_reader *p) {
    struct ast_func *f = special(p, CALL_SPECIAL);
    parse_expect(p, KW_FOR);
    parse_expect(p, '(');
    f->args = parse_expr(p);
    parse_expect(p, ')');
    return parse_done(p, f);
}

struct ast *parse_special_call(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    switch (kind) {
    case KW_CURRENT_CATALOG:
    case KW_CURRENT_DATE:
    case KW_CURRENT_ROLE:
    case KW_CURRENT_USER:
    case KW_SESSION_USER:
    case KW_SYSTEM_USER:
    case KW_USER: return parse_bare(p, false);
    case KW_CURRENT_SCHEMA:
        if (parse_peek(p, 1) == '(') return NULL;
        return parse_bare(p, false);
    case KW_CURRENT_TIME:
    case KW_CURRENT_TIMESTAMP:
    case KW_LOCALTIME:
    case KW_LOCALTIMESTAMP: return parse_bare(p, true);
    case KW_CAST:
    case KW_TREAT:
        if (kind == KW_TREAT && parse_peek(p, 1) != '(') return NULL;
        return parse_cast(p);
    case KW_COLLATION:
        if (parse_peek(p, 1) == KW_FOR) return parse_collation_for(p);
        return NULL;
    default: break;
    }
    if (!is_special(p, kind) || parse_peek(p, 1) != '(') return NULL;
    struct ast_func *f = special(p, CALL_SPECIAL);
    parse_expect(p, '(');
    parse_special_inside(p, f, kind);
    parse_expect(p, ')');
    bool is_aggregate = kind == KW_JSON_OBJECTAGG || kind == KW_JSON_ARRAYAGG;
    return is_aggregate ? parse_filter_over(p, f) : parse_done(p, f);
}

/* A call and nothing but a call: func_expr_windowless, as index elements and tables in FROM have it. */
struct ast *parse_func_primary(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    uint16_t kind = p->tok.kind;
    if (kind >= KEYWORD_FIRST) {
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
