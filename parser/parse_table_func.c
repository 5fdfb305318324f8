/*
 * parse_table_func.c - functions as tables: ROWS FROM, XMLTABLE, JSON_TABLE. Ordinary calls are told from tables in
 * parse_from.c.
 */
#include "parser/parse.h"

#include "parser/parse_pg.h"

/* ---- functions as tables, PostgreSQL --------------------------------------------------------------------------------- */

/* ROWS FROM "(" func [AS "(" definitions ")"] { "," ... } ")" - the list's items */
static struct ast *parse_rows_from_item(struct sql_reader *p) {
    struct ast *func = parse_func_primary(p);
    if (!parse_at(p, KW_AS)) return func;
    uint32_t start = p->tok.start;
    parse_advance(p);
    struct ast *columns = parse_paren_list(p, parse_record_column);
    func->next = parse_option(p, start, "as", columns);
    return func;
}

/* items with one or two nodes each */
static struct ast *parse_rows_from(struct sql_reader *p) {
    struct parse_list list;
    parse_list_init(&list);
    parse_expect(p, '(');
    do {
        struct ast *item = parse_rows_from_item(p);
        if (p->failed) return list.first;
        parse_list_add(&list, item);
        while (*list.tail) list.tail = &(*list.tail)->next;
    } while (parse_accept(p, ','));
    parse_expect(p, ')');
    return list.first;
}

/* [WITH ORDINALITY] [alias] behind functions */
struct ast *parse_table_func_rest(struct sql_reader *p, struct ast_table_func *t) {
    if (parse_accept2(p, KW_WITH, KW_ORDINALITY)) t->node.flags |= AST_DERIVED_ORDINALITY;
    t->alias = parse_opt_alias(p, true);
    return parse_done(p, t);
}

/* PATH is a name to older versions, and may stand in quotes. */
static bool at_path(const struct sql_reader *p) {
    if (!parse_at(p, TOKEN_QUOTED_IDENT)) return parse_at_word(p, "path");
    return bytes_is(bytes_of(p->text + p->tok.start, p->tok.end - p->tok.start), "\"path\"");
}

/* name (FOR ORDINALITY | type { DEFAULT b_expr | PATH b_expr | [NOT] NULL }) */
static struct ast *parse_xml_column(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    struct parse_list options;
    parse_list_init(&options);
    def->name = parse_name(p);
    if (parse_accept2(p, KW_FOR, KW_ORDINALITY)) return parse_done(p, def);
    def->type = parse_type(p);
    bool has_default = false, has_null = false, has_path = false;
    for (;;) {
        uint32_t start = p->tok.start;
        bool *has = NULL;
        if (parse_accept(p, KW_DEFAULT)) {
            has = &has_default;
            struct ast *value = parse_expr_b(p);
            parse_list_add(&options, parse_option(p, start, "default", value));
        } else if (parse_at(p, KW_NULL) || parse_at(p, KW_NOT)) {
            has = &has_null;
            bool is_not = parse_accept(p, KW_NOT);
            parse_expect(p, KW_NULL);
            parse_list_add(&options, parse_option(p, start, is_not ? "not null" : "null", NULL));
        } else if (at_path(p)) {
            has = &has_path;
            parse_advance(p);
            struct ast *value = parse_expr_b(p);
            parse_list_add(&options, parse_option(p, start, "path", value));
        } else {
            break;
        }
        if (*has) parse_fail_at(p, start, "DEFAULT, PATH, and NULL or NOT NULL may stand once for each column");
        *has = true;
    }
    def->constraints = options.first;
    return parse_done(p, def);
}

/* b_expr [AS label] | DEFAULT b_expr */
static struct ast *parse_xml_namespace(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    bool is_default = parse_accept(p, KW_DEFAULT);
    target->expr = parse_expr_b(p);
    if (!is_default) {
        parse_expect(p, KW_AS);
        target->name = parse_label(p);
    }
    return parse_done(p, target);
}

/* XMLTABLE "(" [XMLNAMESPACES "(" ... ")" ","] c_expr PASSING ... COLUMNS ... ")" - at XMLTABLE */
static struct ast *parse_xmltable(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    struct parse_list args, options;
    parse_list_init(&args);
    parse_list_init(&options);
    f->node.op = CALL_SPECIAL;
    f->names = parse_name_of_token(p);
    parse_expect(p, '(');
    if (parse_at(p, KW_XMLNAMESPACES) && parse_peek(p, 1) == '(') {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *list = parse_paren_list(p, parse_xml_namespace);
        parse_list_add(&options, parse_option(p, start, "xmlnamespaces", list));
        parse_expect(p, ',');
    }
    parse_list_add(&args, parse_expr_primary(p));
    parse_list_add(&args, parse_xml_passing(p));
    uint32_t start = p->tok.start;
    parse_expect(p, KW_COLUMNS);
    struct ast *columns = parse_comma_list(p, parse_xml_column);
    parse_list_add(&options, parse_option(p, start, "columns", columns));
    f->args = args.first;
    f->options = options.first;
    parse_expect(p, ')');
    return parse_done(p, f);
}

/* JSON_TABLE, XMLTABLE, GRAPH_TABLE, ROWS FROM, or a call - with its alias. NULL when none of them is at hand. */
struct ast *parse_opt_table_func(struct sql_reader *p) {
    uint16_t kind = p->tok.kind, next = kind >= KEYWORD_FIRST ? parse_peek(p, 1) : 0;
    struct ast_table_func *t;
    if (kind == KW_JSON_TABLE && next == '(') {
        t = PARSE_NODE(p, ast_table_func, TABLE_FUNC);
        t->funcs = p->is_mysql ? parse_mysql_json_table(p) : parse_pg_json_table(p);
        t->alias = parse_opt_alias(p, false);
        return parse_done(p, t);
    }
    if (p->is_mysql) return NULL;
    if ((kind == KW_XMLTABLE || kind == KW_GRAPH_TABLE) && next == '(') {
        t = PARSE_NODE(p, ast_table_func, TABLE_FUNC);
        t->funcs = kind == KW_XMLTABLE ? parse_xmltable(p) : parse_pg_graph_table(p);
        t->alias = parse_opt_alias(p, false);
        return parse_done(p, t);
    }
    if (kind == KW_ROWS && next == KW_FROM) {
        t = PARSE_NODE(p, ast_table_func, TABLE_FUNC);
        parse_advance(p);
        parse_advance(p);
        t->funcs = parse_rows_from(p);
        return parse_table_func_rest(p, t);
    }
    return NULL;
}
