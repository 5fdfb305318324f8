/*
 * parse_mysql_create_table.c - CREATE TABLE and CREATE INDEX, and the options of tables.
 *
 * The command has the table in `objects`, columns, keys and LIKE in `elements`, options and PARTITION BY in `options`, and
 * the query that fills it in `query`.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- options --------------------------------------------------------------------------------------------------------- */

/* NULL | string | name, of SECONDARY_ENGINE */
static struct ast *null_or_name(struct sql_reader *p) {
    return parse_at(p, KW_NULL) ? parse_literal(p) : parse_mysql_string_or_name(p);
}

/* "(" [table { "," table }] ")" */
static struct ast *union_tables(struct sql_reader *p) {
    if (parse_at(p, '(') && parse_peek(p, 1) == ')') {
        parse_advance(p);
        parse_advance(p);
        return NULL;
    }
    return parse_paren_list(p, parse_table_name);
}

/* What the option of one word takes as its value; NULL: the word is no option. */
static parse_function *option_value(uint16_t word) {
    switch (word) {
    case KW_ENGINE: return parse_mysql_string_or_name;
    case KW_MAX_ROWS:
    case KW_MIN_ROWS:
    case KW_AVG_ROW_LENGTH:
    case KW_AUTO_INCREMENT:
    case KW_CHECKSUM:
    case KW_TABLE_CHECKSUM:
    case KW_DELAY_KEY_WRITE: return parse_mysql_number;
    case KW_PACK_KEYS:
    case KW_STATS_AUTO_RECALC:
    case KW_STATS_PERSISTENT:
    case KW_STATS_SAMPLE_PAGES:
    case KW_KEY_BLOCK_SIZE: return parse_mysql_number_or_default;
    case KW_AUTOEXTEND_SIZE: return parse_mysql_size;
    case KW_PASSWORD:
    case KW_COMMENT:
    case KW_CONNECTION:
    case KW_ENCRYPTION:
    case KW_ENGINE_ATTRIBUTE:
    case KW_SECONDARY_ENGINE_ATTRIBUTE: return parse_string;
    case KW_COMPRESSION: return parse_mysql_string_or_name;
    case KW_ROW_FORMAT:
    case KW_INSERT_METHOD: return parse_mysql_value;
    case KW_TABLESPACE: return parse_name;
    case KW_SECONDARY_ENGINE: return null_or_name;
    default: return NULL;
    }
}

static parse_function *mariadb_option_value(uint16_t word) {
    switch (word) {
    case KW_SEQUENCE: return parse_mysql_number;
    case KW_TRANSACTIONAL:
    case KW_PAGE_CHECKSUM: return parse_mysql_number_or_default;
    default: return NULL;
    }
}

/* DATA DIRECTORY, INDEX DIRECTORY: both of them are words of other things too */
static struct ast *opt_directory(struct sql_reader *p) {
    if (parse_peek(p, 1) != KW_DIRECTORY) return NULL;
    return parse_mysql_option(p, parse_at(p, KW_DATA) ? "data directory" : "index directory", 2, parse_string);
}

/* STORAGE (DISK | MEMORY) */
static struct ast *opt_storage(struct sql_reader *p) {
    if (parse_peek(p, 1) == KW_DISK) return parse_mysql_words(p, "storage disk", 2);
    return parse_peek(p, 1) == KW_MEMORY ? parse_mysql_words(p, "storage memory", 2) : NULL;
}

static struct ast *opt_with_versioning(struct sql_reader *p) {
    if (parse_peek(p, 1) != KW_SYSTEM || parse_peek(p, 2) != KW_VERSIONING) return NULL;
    return parse_mysql_words(p, "with system versioning", 3);
}

/* word ["="] value | DATA DIRECTORY ["="] string | UNION ["="] "(" tables ")" | [DEFAULT] CHARACTER SET ["="] name | ... */
struct ast *parse_mysql_opt_table_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_DEFAULT:
    case KW_CHARACTER:
    case KW_CHAR:
    case KW_CHARSET:
    case KW_COLLATE: return parse_mysql_opt_charset_option(p);
    case KW_DATA:
    case KW_INDEX: return opt_directory(p);
    case KW_STORAGE: return opt_storage(p);
    case KW_UNION: return parse_mysql_word_option(p, union_tables);
    case KW_WITH: return opt_with_versioning(p);
    case KW_START:
        if (p->is_mariadb || parse_peek(p, 1) != KW_TRANSACTION) return NULL;
        return parse_mysql_words(p, "start transaction", 2);
    default: break;
    }
    parse_function *value = option_value(p->tok.kind);
    if (!value && p->is_mariadb) value = mariadb_option_value(p->tok.kind);
    if (value) return parse_mysql_word_option(p, value);
    return p->is_mariadb ? parse_mysql_opt_engine_option(p) : NULL;
}

/* { option [","] } */
static void table_options(struct sql_reader *p, struct parse_list *options) {
    for (struct ast *o = parse_mysql_opt_table_option(p); o; o = parse_mysql_opt_table_option(p)) {
        parse_list_add(options, o);
        if (!parse_accept(p, ',')) continue;
        if (parse_at(p, TOKEN_END) || parse_at(p, ';')) parse_fail(p, "syntax error: expected an option");
    }
}

/* ---- CREATE TABLE ---------------------------------------------------------------------------------------------------- */

/* LIKE table | "(" LIKE table ")" */
static bool like(struct sql_reader *p, struct ast_command *c) {
    bool is_in_parens = parse_at(p, '(') && parse_peek(p, 1) == KW_LIKE;
    if (!is_in_parens && !parse_at(p, KW_LIKE)) return false;
    uint32_t start = p->tok.start;
    if (is_in_parens) parse_advance(p);
    parse_advance(p);
    struct ast *table = parse_table_name(p);
    if (is_in_parens) parse_expect(p, ')');
    c->elements = parse_option(p, start, "like", table);
    return true;
}

/* A query that defines something gives its rows to nobody else: to MariaDB INTO and PROCEDURE are syntax errors there. */
struct ast *parse_mysql_defining_query(struct sql_reader *p) {
    struct ast *query = parse_query(p);
    if (p->failed || !p->is_mariadb) return query;
    const struct ast_select *select = query->kind == AST_SELECT ? AST_AS(select, SELECT, query) : NULL;
    const struct ast_setop *setop = query->kind == AST_SETOP ? AST_AS(setop, SETOP, query) : NULL;
    if (select && select->into) parse_fail_at(p, select->into->start, "syntax error: INTO in a definition");
    if (select && select->procedure) parse_fail_at(p, select->procedure->start, "syntax error: PROCEDURE in a definition");
    if (setop && setop->into) parse_fail_at(p, setop->into->start, "syntax error: INTO in a definition");
    return query;
}

/* [IGNORE | REPLACE] [AS] query */
static void filling_query(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    bool must_be = false;
    if (parse_at(p, KW_IGNORE) || parse_at(p, KW_REPLACE)) {
        parse_list_add(options, parse_word(p));
        must_be = true;
    }
    if (parse_accept(p, KW_AS)) must_be = true;
    if (must_be || parse_at_query(p)) c->query = parse_mysql_defining_query(p);
}

/* At "(": is it a query's? No column and no key begins with these words. */
static bool at_paren_query(struct sql_reader *p) {
    switch (parse_peek(p, 1)) {
    case '(':
    case KW_SELECT:
    case KW_VALUES:
    case KW_TABLE:
    case KW_WITH: return true;
    default: return false;
    }
}

/* TABLE [IF NOT EXISTS] name (LIKE ... | ["(" elements ")"] { option } [PARTITION BY ...] [query]) */
struct ast *parse_mysql_create_table(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    if (c->options) parse_list_add(&options, c->options); /* EXTERNAL */
    c->object = SQL_OBJECT_TABLE;
    parse_expect(p, KW_TABLE);
    parse_mysql_if_not_exists(p, c);
    c->objects = parse_table_name(p);
    if (like(p, c)) return parse_done(p, c);
    if (parse_at(p, '(') && !at_paren_query(p)) c->elements = parse_paren_list(p, parse_mysql_table_element);
    table_options(p, &options);
    if (parse_at(p, KW_PARTITION)) parse_list_add(&options, parse_mysql_partition_by(p));
    filling_query(p, c, &options);
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- CREATE INDEX ---------------------------------------------------------------------------------------------------- */

static enum ast_constraint_op index_kind(struct sql_reader *p, struct ast_command *c) {
    enum ast_constraint_op op = CONSTRAINT_INDEX;
    if (parse_at(p, KW_UNIQUE)) {
        op = CONSTRAINT_UNIQUE;
        c->node.flags |= AST_COMMAND_UNIQUE;
    } else if (parse_at(p, KW_FULLTEXT)) {
        op = CONSTRAINT_FULLTEXT;
    } else if (parse_at(p, KW_SPATIAL)) {
        op = CONSTRAINT_SPATIAL;
    } else if (parse_mysql_at_vector_key(p)) {
        op = CONSTRAINT_OTHER;
    }
    if (op != CONSTRAINT_INDEX) parse_advance(p);
    return op;
}

/* [UNIQUE | FULLTEXT | SPATIAL | VECTOR] INDEX [IF NOT EXISTS] name [USING x] ON table "(" parts ")" [WAIT n | NOWAIT]
   { key option | ALGORITHM ... | LOCK ... }
   The index is an OBJECT on a TABLE; what it is made of is one CONSTRAINT among the elements. */
struct ast *parse_mysql_create_index(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    struct ast_constraint *key = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    c->object = SQL_OBJECT_INDEX;
    key->node.op = (uint16_t)index_kind(p, c);
    parse_expect(p, KW_INDEX);
    if (p->is_mariadb) parse_mysql_if_not_exists(p, c);
    struct ast_object *index = PARSE_NODE(p, ast_object, OBJECT);
    index->node.op = SQL_OBJECT_INDEX;
    index->names = parse_name(p);
    bool may_have_algorithm = key->node.op != CONSTRAINT_FULLTEXT && key->node.op != CONSTRAINT_SPATIAL;
    struct ast *algorithm = may_have_algorithm ? parse_mysql_opt_key_algorithm(p) : NULL;
    if (algorithm) parse_list_add(&options, algorithm);
    parse_expect(p, KW_ON);
    index->on = parse_table_name(p);
    c->objects = parse_done(p, index);
    key->columns = parse_mysql_key_parts(p);
    struct ast *wait = parse_mysql_opt_wait(p);
    parse_mysql_key_options(p, &options);
    key->options = options.first;
    c->elements = parse_done(p, key);
    parse_list_init(&options);
    if (wait) parse_list_add(&options, wait);
    for (struct ast *o = parse_mysql_opt_online_option(p); o; o = parse_mysql_opt_online_option(p)) parse_list_add(&options, o);
    c->options = options.first;
    return parse_done(p, c);
}
