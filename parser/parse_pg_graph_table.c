/*
 * parse_pg_graph_table.c - GRAPH_TABLE (PostgreSQL 19): what is asked of a property graph, in the place of a table.
 *
 * A FUNC graph_table: its argument is the OBJECT of the graph, its options "match" (the paths), "where", and "columns"
 * (TARGETs). A path is an OPTION "path" of its elements: OPTIONs "vertex", "edge right", "edge left", "edge any", each with
 * a NAME, an OPTION "is" (labels) and an OPTION "where", as far as they are there.
 */
#include "parser/parse_pg.h"

/* name { "|" name } */
static struct ast *parse_label_list(struct sql_reader *p) {
    struct parse_list labels;
    parse_list_init(&labels);
    for (;;) {
        parse_list_add(&labels, parse_name(p));
        bool is_bar = parse_at(p, TOKEN_OPERATOR) && p->tok.end - p->tok.start == 1 && p->text[p->tok.start] == '|';
        if (!is_bar) return labels.first;
        parse_advance(p);
    }
}

/* [name] [IS labels] [WHERE condition] */
static struct ast *parse_filling(struct sql_reader *p) {
    struct parse_list parts;
    parse_list_init(&parts);
    if (parse_at_name(p)) parse_list_add(&parts, parse_name(p));
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_IS)) {
        struct ast *labels = parse_label_list(p);
        parse_list_add(&parts, parse_option(p, start, "is", labels));
    }
    start = p->tok.start;
    if (parse_at(p, KW_WHERE)) {
        struct ast *condition = parse_opt_where(p);
        parse_list_add(&parts, parse_option(p, start, "where", condition));
    }
    return parts.first;
}

/* "->" as one token */
static bool accept_arrow(struct sql_reader *p) {
    const uint8_t *s = p->text + p->tok.start;
    bool is_arrow = parse_at(p, TOKEN_OPERATOR) && p->tok.end - p->tok.start == 2 && s[0] == '-' && s[1] == '>';
    if (is_arrow) parse_advance(p);
    return is_arrow;
}

/* "-" "[" filling "]" ( "->" | "-" ) | "<" "-" "[" filling "]" "-" | "->" | "<" "-" | "-" */
static struct ast *parse_edge(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (accept_arrow(p)) return parse_option(p, start, "edge right", NULL);
    bool is_left = parse_accept(p, '<');
    const char *name = is_left ? "edge left" : "edge any";
    parse_expect(p, '-');
    if (!parse_accept(p, '[')) return parse_option(p, start, name, NULL);
    struct ast *filling = parse_filling(p);
    parse_expect(p, ']');
    if (!is_left && accept_arrow(p)) name = "edge right";
    else parse_expect(p, '-');
    return parse_option(p, start, name, filling);
}

/* "(" filling ")" */
static struct ast *parse_vertex(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, '(');
    struct ast *filling = parse_filling(p);
    parse_expect(p, ')');
    return parse_option(p, start, "vertex", filling);
}

/* vertex { edge vertex } */
static struct ast *parse_path(struct sql_reader *p) {
    struct parse_list elements;
    parse_list_init(&elements);
    uint32_t start = p->tok.start;
    parse_list_add(&elements, parse_vertex(p));
    while (parse_at(p, '-') || parse_at(p, '<') || parse_at(p, TOKEN_OPERATOR)) {
        parse_list_add(&elements, parse_edge(p));
        parse_list_add(&elements, parse_vertex(p));
    }
    return parse_option(p, start, "path", elements.first);
}

/* GRAPH_TABLE "(" graph MATCH path { "," path } [WHERE condition] COLUMNS "(" targets ")" ")". FUNC. */
struct ast *parse_pg_graph_table(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    struct parse_list options;
    parse_list_init(&options);
    f->node.op = CALL_SPECIAL;
    f->names = parse_name_of_token(p);
    parse_expect(p, '(');
    f->args = parse_object(p, SQL_OBJECT_PROPERTY_GRAPH, parse_qualified_name(p));
    uint32_t start = p->tok.start;
    parse_expect(p, KW_MATCH);
    struct ast *paths = parse_comma_list(p, parse_path);
    parse_list_add(&options, parse_option(p, start, "match", paths));
    start = p->tok.start;
    if (parse_at(p, KW_WHERE)) {
        struct ast *condition = parse_opt_where(p);
        parse_list_add(&options, parse_option(p, start, "where", condition));
    }
    start = p->tok.start;
    parse_expect(p, KW_COLUMNS);
    parse_expect(p, '(');
    struct ast *targets = parse_targets(p);
    parse_expect(p, ')');
    parse_list_add(&options, parse_option(p, start, "columns", targets));
    f->options = options.first;
    parse_expect(p, ')');
    return parse_done(p, f);
}
