/*
 * parse_load.c - LOAD DATA and LOAD XML of MySQL and MariaDB.
 */
#include "parser/parse_mysql_command.h"

/* [ LOW_PRIORITY | CONCURRENT ] [ FROM ] [ LOCAL ] */
static void parse_load_words(struct sql_reader *p, struct ast_load *load) {
    if (parse_accept(p, KW_LOW_PRIORITY)) load->node.flags |= AST_LOAD_LOW_PRIORITY;
    else if (parse_accept(p, KW_CONCURRENT)) load->node.flags |= AST_LOAD_CONCURRENT;
    if (!p->is_mariadb) parse_accept(p, KW_FROM);
    if (parse_accept(p, KW_LOCAL)) load->node.flags |= AST_LOAD_LOCAL;
}

/* INFILE string; MySQL 9: { INFILE | URI | URL | S3 } string [ COUNT n ] [ IN PRIMARY KEY ORDER ] */
static void parse_load_source(struct sql_reader *p, struct ast_load *load, struct parse_list *options) {
    if (!p->is_mariadb && (parse_at(p, KW_URI) || parse_at(p, KW_URL) || parse_at(p, KW_S3))) {
        parse_list_add(options, parse_word(p));
    } else parse_expect(p, KW_INFILE);
    load->file = parse_string(p);
    if (p->is_mariadb) return;
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_COUNT)) parse_list_add(options, parse_option(p, start, "count", parse_mysql_number(p)));
    start = p->tok.start;
    if (!parse_accept(p, KW_IN)) return;
    parse_expect(p, KW_PRIMARY);
    parse_expect(p, KW_KEY);
    parse_expect(p, KW_ORDER);
    parse_list_add(options, parse_option(p, start, "in primary key order", NULL));
}

/* [ REPLACE | IGNORE ] INTO TABLE table [ PARTITION "(" names ")" ] */
static void parse_load_table(struct sql_reader *p, struct ast_load *load) {
    if (parse_accept(p, KW_REPLACE)) load->node.flags |= AST_LOAD_REPLACE;
    else if (parse_accept(p, KW_IGNORE)) load->node.flags |= AST_LOAD_IGNORE;
    parse_expect(p, KW_INTO);
    parse_expect(p, KW_TABLE);
    load->table = parse_table_name(p);
    if (p->failed || !parse_accept(p, KW_PARTITION)) return;
    struct ast_table *table = AST_AS(table, TABLE, load->table);
    table->partitions = parse_paren_names(p);
    parse_done(p, table);
}

/* [ CHARACTER SET name ] [ COMPRESSION "=" string ] [ ROWS IDENTIFIED BY string ] [ FIELDS ... ] [ LINES ... ]
   [ IGNORE n { LINES | ROWS } ] */
static void parse_load_format(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (parse_mysql_accept_charset(p))
        parse_list_add(options, parse_option(p, start, "character set", parse_mysql_charset_name(p)));
    if (!p->is_mariadb && parse_at(p, KW_COMPRESSION)) parse_list_add(options, parse_mysql_word_option(p, parse_string));
    start = p->tok.start;
    if (parse_accept3(p, KW_ROWS, KW_IDENTIFIED, KW_BY))
        parse_list_add(options, parse_option(p, start, "rows identified by", parse_string(p)));
    parse_mysql_append(options, parse_opt_export_options(p));
    start = p->tok.start;
    if (!parse_accept(p, KW_IGNORE)) return;
    struct ast *count = parse_mysql_number(p);
    if (!parse_accept(p, KW_LINES)) parse_expect(p, KW_ROWS);
    parse_list_add(options, parse_option(p, start, "ignore lines", count));
}

/* MySQL 9: [ PARALLEL "=" n ] [ MEMORY "=" size ] [ ALGORITHM "=" BULK ] */
static void parse_load_bulk(struct sql_reader *p, struct parse_list *options) {
    if (p->is_mariadb) return;
    if (parse_at(p, KW_PARALLEL)) parse_list_add(options, parse_mysql_word_option(p, parse_mysql_number));
    if (parse_at(p, KW_MEMORY)) parse_list_add(options, parse_mysql_word_option(p, parse_mysql_size));
    if (parse_at(p, KW_ALGORITHM)) parse_list_add(options, parse_mysql_word_option(p, parse_label));
}

static struct ast *parse_load_column(struct sql_reader *p) {
    return parse_at(p, TOKEN_USER_VARIABLE) ? parse_variable(p) : parse_column(p);
}

/*
 * LOAD { DATA | XML } [ LOW_PRIORITY | CONCURRENT ] [ LOCAL ] INFILE string [ REPLACE | IGNORE ] INTO TABLE table
 *   [ PARTITION "(" names ")" ] format [ "(" [ columns ] ")" ] [ SET assignments ]
 */
struct ast *parse_load(struct sql_reader *p) {
    struct ast_load *load = PARSE_NODE(p, ast_load, LOAD);
    struct parse_list options;
    parse_list_init(&options);
    parse_expect(p, KW_LOAD);
    if (parse_accept(p, KW_XML)) load->node.flags |= AST_LOAD_XML;
    else parse_expect(p, KW_DATA);
    parse_load_words(p, load);
    parse_load_source(p, load, &options);
    parse_load_table(p, load);
    parse_load_format(p, &options);
    if (parse_accept(p, '(')) {
        if (!parse_at(p, ')')) load->columns = parse_comma_list(p, parse_load_column);
        parse_expect(p, ')');
    }
    if (parse_accept(p, KW_SET)) load->set = parse_assignments(p);
    parse_load_bulk(p, &options);
    load->options = options.first;
    return parse_done(p, load);
}
