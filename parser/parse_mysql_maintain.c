/*
 * parse_mysql_maintain.c - what is done to tables as a whole: ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR, key caches, HANDLER.
 */
#include "parser/parse_mysql_command.h"

/* { TABLE | TABLES } table { "," table } */
static void parse_tables(struct sql_reader *p, struct ast_command *c) {
    if (!parse_accept(p, KW_TABLES)) parse_expect(p, KW_TABLE);
    c->objects = parse_comma_list(p, parse_table_name);
}

/* [ LOCAL | NO_WRITE_TO_BINLOG ] and the words behind the tables: all are options */
static void parse_words_of(struct sql_reader *p, struct ast_command *c, const uint16_t *words, unsigned count) {
    struct ast **tail = c->options ? &c->options->next : &c->options;
    for (unsigned i = 0; i < count;) {
        if (!parse_at(p, words[i])) {
            i++;
            continue;
        }
        *tail = parse_word(p);
        tail = &(*tail)->next;
        i = 0;
    }
}

/* ---- ANALYZE TABLE ------------------------------------------------------------------------------------------------------ */

/* name of a column or an index, PRIMARY */
static struct ast *parse_index_name(struct sql_reader *p) {
    return parse_at(p, KW_PRIMARY) ? parse_name_of_token(p) : parse_name(p);
}

/* { COLUMNS | INDEXES } { ALL | "(" [ names ] ")" } */
static struct ast *parse_persistent_part(struct sql_reader *p, uint16_t word, const char *name) {
    uint32_t start = p->tok.start;
    parse_expect(p, word);
    if (parse_at(p, KW_ALL)) return parse_option(p, start, name, parse_word(p));
    parse_expect(p, '(');
    struct ast *names = parse_at(p, ')') ? NULL : parse_comma_list(p, parse_index_name);
    parse_expect(p, ')');
    return parse_option(p, start, name, names);
}

/* PERSISTENT FOR { ALL | COLUMNS which INDEXES which }, of MariaDB */
static struct ast *parse_persistent(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct parse_list values;
    parse_list_init(&values);
    parse_expect(p, KW_PERSISTENT);
    parse_expect(p, KW_FOR);
    if (parse_at(p, KW_ALL)) {
        parse_list_add(&values, parse_word(p));
    } else {
        parse_list_add(&values, parse_persistent_part(p, KW_COLUMNS, "columns"));
        parse_list_add(&values, parse_persistent_part(p, KW_INDEXES, "indexes"));
    }
    return parse_option(p, start, "persistent for", values.first);
}

/* [ WITH n BUCKETS ] [ { AUTO | MANUAL } UPDATE ] | USING DATA string, behind UPDATE HISTOGRAM ON columns */
static void parse_histogram_rest(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_USING)) {
        parse_expect(p, KW_DATA);
        parse_list_add(options, parse_option(p, start, "using data", parse_string(p)));
        return;
    }
    if (parse_accept(p, KW_WITH)) {
        struct ast *count = parse_mysql_number(p);
        parse_expect(p, KW_BUCKETS);
        parse_list_add(options, parse_option(p, start, "with buckets", count));
    }
    start = p->tok.start;
    if (parse_accept2(p, KW_AUTO, KW_UPDATE)) parse_list_add(options, parse_option(p, start, "auto update", NULL));
    else if (parse_accept2(p, KW_MANUAL, KW_UPDATE)) parse_list_add(options, parse_option(p, start, "manual update", NULL));
}

/* { UPDATE | DROP } HISTOGRAM ON name { "," name } ..., of MySQL */
static struct ast *parse_histogram(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct parse_list options;
    parse_list_init(&options);
    bool is_drop = parse_accept(p, KW_DROP);
    if (!is_drop) parse_expect(p, KW_UPDATE);
    parse_expect(p, KW_HISTOGRAM);
    parse_expect(p, KW_ON);
    parse_list_add(&options, parse_option(p, start, is_drop ? "drop histogram" : "update histogram", parse_name_list(p)));
    if (!is_drop) parse_histogram_rest(p, &options);
    return options.first;
}

/* table [ PERSISTENT FOR ... ]; the option stands among the table's hints */
static struct ast *parse_analyzed_table(struct sql_reader *p) {
    struct ast *name = parse_table_name(p);
    if (p->failed || !p->is_mariadb || !parse_at(p, KW_PERSISTENT)) return name;
    struct ast_table *table = AST_AS(table, TABLE, name);
    table->hints = parse_persistent(p);
    return parse_done(p, table);
}

/* ANALYZE [ LOCAL | NO_WRITE_TO_BINLOG ] { TABLE | TABLES } table { "," table } [ histogram ] */
struct ast *parse_mysql_analyze_table(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_ANALYZE, SQL_OBJECT_TABLE);
    parse_expect(p, KW_ANALYZE);
    parse_mysql_opt_no_binlog(p, c);
    if (!parse_accept(p, KW_TABLES)) parse_expect(p, KW_TABLE);
    c->objects = parse_comma_list(p, parse_analyzed_table);
    if (!p->is_mariadb && (parse_at(p, KW_UPDATE) || parse_at(p, KW_DROP))) c->args = parse_histogram(p);
    return parse_done(p, c);
}

/* ---- CHECK, CHECKSUM, OPTIMIZE, REPAIR --------------------------------------------------------------------------------- */

/* { FOR UPGRADE | QUICK | FAST | MEDIUM | EXTENDED | CHANGED }; of views only the first */
static void parse_check_options(struct sql_reader *p, struct ast_command *c) {
    static const uint16_t words[] = {KW_QUICK, KW_FAST, KW_MEDIUM, KW_EXTENDED, KW_CHANGED};
    struct parse_list options;
    parse_list_init(&options);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]) && !p->failed;) {
        uint32_t start = p->tok.start;
        if (parse_accept2(p, KW_FOR, KW_UPGRADE)) {
            parse_list_add(&options, parse_option(p, start, "for upgrade", NULL));
        } else if (parse_at(p, words[i]) && c->object == SQL_OBJECT_TABLE) {
            parse_list_add(&options, parse_word(p));
            i = 0;
        } else {
            i++;
        }
    }
    c->options = options.first;
}

/* VIEW view { "," view } */
static void parse_views(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_VIEW;
    parse_expect(p, KW_VIEW);
    c->objects = parse_comma_list(p, parse_table_name);
}

/* CHECK { { TABLE | TABLES } tables options | VIEW views [ FOR UPGRADE ] }
   CHECKSUM { TABLE | TABLES } tables [ QUICK | EXTENDED ] */
struct ast *parse_mysql_check_table(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, parse_at(p, KW_CHECK) ? SQL_CHECK : SQL_CHECKSUM, SQL_OBJECT_TABLE);
    bool is_sum = parse_at(p, KW_CHECKSUM);
    parse_advance(p);
    if (!is_sum && p->is_mariadb && parse_at(p, KW_VIEW)) parse_views(p, c);
    else parse_tables(p, c);
    if (!is_sum) parse_check_options(p, c);
    else if (parse_at(p, KW_QUICK) || parse_at(p, KW_EXTENDED)) c->options = parse_word(p);
    return parse_done(p, c);
}

/* OPTIMIZE [ LOCAL | NO_WRITE_TO_BINLOG ] { TABLE | TABLES } tables [ WAIT n | NOWAIT ] */
struct ast *parse_mysql_optimize(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_OPTIMIZE, SQL_OBJECT_TABLE);
    parse_expect(p, KW_OPTIMIZE);
    parse_mysql_opt_no_binlog(p, c);
    parse_tables(p, c);
    c->args = parse_mysql_opt_wait(p);
    return parse_done(p, c);
}

/* REPAIR [ LOCAL | NO_WRITE_TO_BINLOG ] { { TABLE | TABLES } tables { QUICK | EXTENDED | USE_FRM } | VIEW views [ FROM MYSQL ] } */
struct ast *parse_mysql_repair(struct sql_reader *p) {
    static const uint16_t words[] = {KW_QUICK, KW_EXTENDED, KW_USE_FRM};
    struct ast_command *c = parse_command(p, SQL_REPAIR, SQL_OBJECT_TABLE);
    parse_expect(p, KW_REPAIR);
    parse_mysql_opt_no_binlog(p, c);
    uint32_t start;
    if (p->is_mariadb && parse_at(p, KW_VIEW)) {
        parse_views(p, c);
        start = p->tok.start;
        if (parse_accept2(p, KW_FROM, KW_MYSQL)) c->args = parse_option(p, start, "from mysql", NULL);
        return parse_done(p, c);
    }
    parse_tables(p, c);
    parse_words_of(p, c, words, sizeof(words) / sizeof(words[0]));
    return parse_done(p, c);
}

/* ---- key caches -------------------------------------------------------------------------------------------------------- */

/* [ PARTITION "(" { ALL | names } ")" ] [ { INDEX | KEY } "(" [ names ] ")" ] behind a table */
static void parse_cached_parts(struct sql_reader *p, struct ast_table *table) {
    if (parse_accept(p, KW_PARTITION)) {
        parse_expect(p, '(');
        table->partitions = parse_at(p, KW_ALL) ? parse_word(p) : parse_name_list(p);
        parse_expect(p, ')');
    }
    uint32_t start = p->tok.start;
    if (!parse_accept(p, KW_INDEX) && !parse_accept(p, KW_KEY)) return;
    parse_expect(p, '(');
    struct ast *names = parse_at(p, ')') ? NULL : parse_comma_list(p, parse_index_name);
    parse_expect(p, ')');
    table->hints = parse_option(p, start, "index", names);
}

/* table [ PARTITION ... ] [ INDEX ... ] */
static struct ast *parse_cached_table(struct sql_reader *p) {
    struct ast *name = parse_table_name(p);
    if (p->failed) return name;
    struct ast_table *table = AST_AS(table, TABLE, name);
    parse_cached_parts(p, table);
    return parse_done(p, table);
}

/* table [ PARTITION ... ] [ INDEX ... ] [ IGNORE LEAVES ] */
static struct ast *parse_loaded_table(struct sql_reader *p) {
    struct ast *table = parse_cached_table(p);
    uint32_t start = p->tok.start;
    if (!parse_accept2(p, KW_IGNORE, KW_LEAVES)) return table;
    struct ast **tail = &AST_AS(table, TABLE, table)->hints;
    while (!p->failed && *tail) tail = &(*tail)->next;
    *tail = parse_option(p, start, "ignore leaves", NULL);
    return parse_done(p, table);
}

/* Parts of a table are named where it is the only one. */
static void check_partitions(struct sql_reader *p, const struct ast *tables) {
    if (p->failed || !tables->next) return;
    for (const struct ast *t = tables; t; t = t->next) {
        if (AST_AS(table, TABLE, t)->partitions) parse_fail_at(p, t->start, "syntax error: PARTITION with several tables");
    }
}

/* CACHE INDEX table { "," table } IN { name | DEFAULT } */
struct ast *parse_mysql_cache_index(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_CACHE, SQL_OBJECT_INDEX);
    parse_expect(p, KW_CACHE);
    parse_expect(p, KW_INDEX);
    c->objects = parse_comma_list(p, parse_cached_table);
    check_partitions(p, c->objects);
    parse_expect(p, KW_IN);
    c->args = parse_at(p, KW_DEFAULT) ? parse_name_of_token(p) : parse_name(p);
    return parse_done(p, c);
}

/* LOAD INDEX INTO CACHE table { "," table } */
struct ast *parse_mysql_load_index(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_LOAD, SQL_OBJECT_INDEX_CACHE);
    parse_expect(p, KW_LOAD);
    parse_expect(p, KW_INDEX);
    parse_expect(p, KW_INTO);
    parse_expect(p, KW_CACHE);
    c->objects = parse_comma_list(p, parse_loaded_table);
    check_partitions(p, c->objects);
    return parse_done(p, c);
}

/* ---- HANDLER ----------------------------------------------------------------------------------------------------------- */

/* FIRST | NEXT | PREV | LAST */
static struct ast *parse_opt_handler_step(struct sql_reader *p, bool has_index) {
    if (parse_at(p, KW_FIRST) || parse_at(p, KW_NEXT)) return parse_word(p);
    return has_index && (parse_at(p, KW_PREV) || parse_at(p, KW_LAST)) ? parse_word(p) : NULL;
}

/* { "=" | "<" | "<=" | ">" | ">=" } "(" values ")": the operator is a WORD, the values one ROW behind it */
static struct ast *parse_handler_key(struct sql_reader *p) {
    switch (p->tok.kind) {
    case '=': case '<': case '>': case TOKEN_LESS_EQUAL: case TOKEN_GREATER_EQUAL:
        break;
    default:
        parse_fail(p, "syntax error");
    }
    struct ast *operator_ = parse_word(p);
    struct ast_list_expr *row = PARSE_NODE(p, ast_list_expr, ROW);
    row->items = parse_paren_list(p, parse_expr_or_default);
    operator_->next = parse_done(p, row);
    return operator_;
}

/* Does a READ without an index end here, or go on with WHERE or LIMIT? Otherwise the word before it names an index. */
static bool is_handler_end(uint16_t kind) {
    return kind == TOKEN_END || kind == ';' || kind == KW_WHERE || kind == KW_LIMIT;
}

/* READ { step | index step | index key } [ WHERE expr ] [ LIMIT ... ]: elements: the index, the step or the key */
static void parse_handler_read(struct sql_reader *p, struct ast_command *c) {
    struct parse_list args;
    parse_list_init(&args);
    bool is_step = (parse_at(p, KW_FIRST) || parse_at(p, KW_NEXT)) && is_handler_end(parse_peek(p, 1));
    if (!is_step) c->elements = parse_index_name(p);
    struct ast *step = parse_opt_handler_step(p, !is_step);
    if (!step) step = parse_handler_key(p);
    if (c->elements) c->elements->next = step;
    else c->elements = step;
    uint32_t start = p->tok.start;
    if (parse_at(p, KW_WHERE)) {
        struct ast *condition = parse_opt_where(p);
        parse_list_add(&args, parse_option(p, start, "where", condition));
    }
    if (parse_at(p, KW_LIMIT)) parse_list_add(&args, parse_opt_limit(p));
    c->args = args.first;
}

/* HANDLER table { OPEN [ [ AS ] alias ] | READ ... | CLOSE }: the option says which */
struct ast *parse_mysql_handler(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_HANDLER, SQL_OBJECT_TABLE);
    parse_expect(p, KW_HANDLER);
    c->objects = parse_table_name(p);
    bool is_qualified = !p->failed && AST_AS(table, TABLE, c->objects)->names->next;
    if (parse_at(p, KW_OPEN)) {
        c->options = parse_word(p);
        parse_accept(p, KW_AS);
        if (parse_at_name(p)) c->args = parse_name(p);
        return parse_done(p, c);
    }
    if (is_qualified) parse_fail(p, "syntax error: expected OPEN");
    if (parse_at(p, KW_CLOSE)) {
        c->options = parse_word(p);
        return parse_done(p, c);
    }
    if (!parse_at(p, KW_READ)) parse_fail(p, "syntax error: expected OPEN, READ or CLOSE");
    c->options = parse_word(p);
    parse_handler_read(p, c);
    return parse_done(p, c);
}
