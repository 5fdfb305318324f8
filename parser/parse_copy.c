/*
 * parse_copy.c - PostgreSQL's COPY, with its options in all three ages of their syntax.
 *
 * OPTIONs have the names of today's list in parentheses: what BINARY before the table, DELIMITERS behind the file and
 * words without parentheses say is "format", "delimiter", "null", "header", "quote", "escape", "force_quote",
 * "force_not_null", "force_null", "freeze", "encoding" all the same.
 */
#include "parser/parse_pg_command.h"

/* ---- options --------------------------------------------------------------------------------------------------------- */

static struct ast *parse_star(struct sql_reader *p) {
    struct ast *star = parse_node(p, AST_STAR, sizeof(struct ast));
    parse_expect(p, '*');
    return parse_done(p, star);
}

/* word-or-string | number | "*" | "(" word-or-string { "," word-or-string } ")" | DEFAULT (17) | nothing */
static struct ast *parse_opt_generic_value(struct sql_reader *p) {
    if (parse_at(p, '*')) return parse_star(p);
    if (parse_at(p, '(')) return parse_paren_list(p, parse_pg_word_or_string);
    if (parse_at(p, KW_DEFAULT) && parse_is_pg(p, 170000)) return parse_name_of_token(p);
    return parse_pg_at_option_value(p) ? parse_pg_option_value(p) : NULL;
}

/* label [ value ]. FORMAT JSON became an option with 19 only; before, the two words are one piece of syntax. */
static struct ast *parse_generic_option(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    bool is_format = parse_is_pg(p, 190000) && parse_accept(p, KW_FORMAT);
    o->name = is_format ? parse_name_static(p, o->node.start, "format") : parse_label(p);
    o->values = parse_opt_generic_value(p);
    return parse_done(p, o);
}

/* [ AS ] string */
static struct ast *parse_as_string(struct sql_reader *p) {
    parse_accept(p, KW_AS);
    return parse_string(p);
}

/* FORCE ( QUOTE | NOT NULL | NULL ) ( names | "*" ), the star only behind QUOTE before 17 */
static struct ast *parse_force(struct sql_reader *p, uint32_t start) {
    const char *name = "force_null";
    parse_expect(p, KW_FORCE);
    bool is_quote = parse_accept(p, KW_QUOTE);
    if (is_quote) name = "force_quote";
    else if (parse_accept2(p, KW_NOT, KW_NULL)) name = "force_not_null";
    else parse_expect(p, KW_NULL);
    bool may_be_star = is_quote || parse_is_pg(p, 170000);
    struct ast *columns = may_be_star && parse_at(p, '*') ? parse_star(p) : parse_name_list(p);
    return parse_option(p, start, name, columns);
}

/*
 * BINARY | CSV | FREEZE | HEADER | ( DELIMITER | NULL | QUOTE | ESCAPE ) [ AS ] string | ENCODING string | FORCE ...
 * NULL where no option begins.
 */
static struct ast *parse_opt_old_option(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_BINARY:
    case KW_CSV: return parse_option(p, start, "format", parse_name_of_token(p));
    case KW_FREEZE: return parse_pg_opt_flag(p, KW_FREEZE, "freeze");
    case KW_HEADER: return parse_pg_opt_flag(p, KW_HEADER, "header");
    case KW_DELIMITER: parse_advance(p); return parse_option(p, start, "delimiter", parse_as_string(p));
    case KW_NULL: parse_advance(p); return parse_option(p, start, "null", parse_as_string(p));
    case KW_QUOTE: parse_advance(p); return parse_option(p, start, "quote", parse_as_string(p));
    case KW_ESCAPE: parse_advance(p); return parse_option(p, start, "escape", parse_as_string(p));
    case KW_ENCODING: parse_advance(p); return parse_option(p, start, "encoding", parse_string(p));
    case KW_FORCE: return parse_force(p, start);
    default: return NULL;
    }
}

/* [ WITH ] ( "(" generic-option { "," generic-option } ")" | { old-option } ) */
static void read_options(struct sql_reader *p, struct parse_list *options) {
    parse_accept(p, KW_WITH);
    if (parse_at(p, '(')) {
        struct ast *list = parse_paren_list(p, parse_generic_option);
        for (; list && !p->failed; list = list->next) parse_list_add(options, list);
        return;
    }
    for (struct ast *o; (o = parse_opt_old_option(p)) != NULL;) parse_list_add(options, o);
}

/* [ [ USING ] DELIMITERS string ] */
static void read_delimiters(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    bool is_using = parse_accept(p, KW_USING);
    if (!is_using && !parse_at(p, KW_DELIMITERS)) return;
    parse_expect(p, KW_DELIMITERS);
    parse_list_add(options, parse_option(p, start, "delimiter", parse_string(p)));
}

/* ---- COPY ------------------------------------------------------------------------------------------------------------ */

/* [ PROGRAM ] string | STDIN | STDOUT. The server takes STDIN for STDOUT and the other way round. */
static void read_file(struct sql_reader *p, struct ast_copy *c) {
    if (parse_accept(p, KW_PROGRAM)) c->node.flags |= AST_COPY_PROGRAM;
    bool is_program = c->node.flags & AST_COPY_PROGRAM;
    if (!is_program && (parse_accept(p, KW_STDIN) || parse_accept(p, KW_STDOUT))) return;
    c->file = parse_string(p);
}

/* "(" statement ")" TO file options */
static void read_query_copy(struct sql_reader *p, struct ast_copy *c, struct parse_list *options) {
    parse_expect(p, '(');
    c->query = parse_pg_preparable(p);
    parse_expect(p, ')');
    parse_expect(p, KW_TO);
    read_file(p, c);
    read_options(p, options);
}

/* [ BINARY ] table [ "(" names ")" ] ( FROM | TO ) file [ delimiters ] options [ WHERE condition ] */
static void read_table_copy(struct sql_reader *p, struct ast_copy *c, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (parse_at(p, KW_BINARY)) parse_list_add(options, parse_option(p, start, "format", parse_name_of_token(p)));
    c->table = parse_table_name(p);
    c->columns = parse_opt_paren_names(p);
    bool is_from = parse_accept(p, KW_FROM);
    if (is_from) c->node.flags |= AST_COPY_FROM;
    else parse_expect(p, KW_TO);
    read_file(p, c);
    read_delimiters(p, options);
    read_options(p, options);
    if (!is_from && parse_at(p, KW_WHERE)) parse_fail(p, "WHERE clause not allowed with COPY TO");
    c->where = parse_opt_where(p);
}

/* Does this option say that the format is binary? */
static bool says_binary(const struct sql_reader *p, const struct ast_option *option) {
    const struct ast *value = option->values;
    if (!value || !bytes_is(AST_AS(name, NAME, option->name)->text, "format")) return false;
    if (value->kind == AST_NAME) return bytes_is(AST_AS(name, NAME, value)->text, "binary");
    return bytes_is(bytes_of(p->text + value->start, value->end - value->start), "'binary'");
}

/* COPY table ... | COPY "(" statement ")" TO ... */
struct ast *parse_copy(struct sql_reader *p) {
    struct ast_copy *c = PARSE_NODE(p, ast_copy, COPY);
    struct parse_list options;
    parse_list_init(&options);
    parse_expect(p, KW_COPY);
    if (parse_at(p, '(')) read_query_copy(p, c, &options);
    else read_table_copy(p, c, &options);
    c->options = options.first;
    for (const struct ast *o = c->options; o && !p->failed; o = o->next) {
        if (says_binary(p, AST_AS(option, OPTION, o))) c->node.flags |= AST_COPY_BINARY;
    }
    return parse_done(p, c);
}
