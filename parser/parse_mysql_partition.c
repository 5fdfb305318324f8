/*
 * parse_mysql_partition.c - PARTITION BY, the definitions of partitions, and what ALTER TABLE does to them.
 *
 * All of it is OPTIONs: "partition by range" with an expression or COLUMNs, then "partitions" n, "subpartition by ..." and
 * one OPTION "partition" for each definition: its NAME, OPTIONs, and OPTIONs "subpartition".
 */
#include "parser/parse_mysql_ddl.h"

/* ---- definitions ----------------------------------------------------------------------------------------------------- */

/* MAXVALUE | expression */
static struct ast *bound(struct sql_reader *p) {
    return parse_at(p, KW_MAXVALUE) ? parse_word(p) : parse_expr(p);
}

/* VALUES LESS THAN (MAXVALUE | "(" bounds ")") | VALUES IN "(" expressions ")" */
static struct ast *values(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_VALUES);
    if (parse_accept(p, KW_IN)) return parse_option(p, start, "values in", parse_paren_list(p, parse_expr));
    parse_expect(p, KW_LESS);
    parse_expect(p, KW_THAN);
    struct ast *bounds = parse_at(p, KW_MAXVALUE) ? parse_word(p) : parse_paren_list(p, bound);
    return parse_option(p, start, "values less than", bounds);
}

/* TABLESPACE, [STORAGE] ENGINE, NODEGROUP, MAX_ROWS, MIN_ROWS, COMMENT, CONNECTION, DATA DIRECTORY, INDEX DIRECTORY */
static struct ast *opt_partition_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_TABLESPACE: return parse_mysql_word_option(p, parse_name);
    case KW_ENGINE: return parse_mysql_word_option(p, parse_mysql_string_or_name);
    case KW_STORAGE:
        if (parse_peek(p, 1) != KW_ENGINE) return NULL;
        return parse_mysql_option(p, "engine", 2, parse_mysql_string_or_name);
    case KW_NODEGROUP:
    case KW_MAX_ROWS:
    case KW_MIN_ROWS: return parse_mysql_word_option(p, parse_mysql_number);
    case KW_COMMENT:
    case KW_CONNECTION: return parse_mysql_word_option(p, parse_string);
    case KW_DATA:
        if (parse_peek(p, 1) != KW_DIRECTORY) return NULL;
        return parse_mysql_option(p, "data directory", 2, parse_string);
    case KW_INDEX:
        if (parse_peek(p, 1) != KW_DIRECTORY) return NULL;
        return parse_mysql_option(p, "index directory", 2, parse_string);
    default: return p->is_mariadb ? parse_mysql_opt_engine_option(p) : NULL;
    }
}

static void partition_options(struct sql_reader *p, struct parse_list *list) {
    for (struct ast *o = opt_partition_option(p); o; o = opt_partition_option(p)) parse_list_add(list, o);
}

/* SUBPARTITION (name | string) { option } */
static struct ast *subpartition(struct sql_reader *p) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    parse_list_init(&list);
    parse_expect(p, KW_SUBPARTITION);
    parse_list_add(&list, parse_mysql_string_or_name(p));
    partition_options(p, &list);
    return parse_option(p, start, "subpartition", list.first);
}

/* PARTITION name [VALUES ... | DEFAULT | CURRENT | HISTORY] { option } ["(" subpartition { "," subpartition } ")"];
   in MariaDB the first word may be left out */
static struct ast *partition_def(struct sql_reader *p) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    parse_list_init(&list);
    if (!parse_accept(p, KW_PARTITION) && !p->is_mariadb) parse_expect(p, KW_PARTITION);
    parse_list_add(&list, parse_name(p));
    if (parse_at(p, KW_VALUES)) parse_list_add(&list, values(p));
    else if (p->is_mariadb && (parse_at(p, KW_DEFAULT) || parse_at(p, KW_CURRENT) || parse_at(p, KW_HISTORY))) {
        parse_list_add(&list, parse_word(p));
    }
    partition_options(p, &list);
    parse_mysql_append(&list, parse_opt_paren_list(p, subpartition));
    return parse_option(p, start, "partition", list.first);
}

/* "(" partition { "," partition } ")" */
static struct ast *partition_defs(struct sql_reader *p) {
    return parse_paren_list(p, partition_def);
}

/* ---- PARTITION BY ---------------------------------------------------------------------------------------------------- */

static struct ast *paren_expr(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *expr = parse_expr(p);
    parse_expect(p, ')');
    return expr;
}

/* "(" [names] ")" */
static struct ast *key_columns(struct sql_reader *p) {
    if (parse_at(p, '(') && parse_peek(p, 1) == ')') {
        parse_advance(p);
        parse_advance(p);
        return NULL;
    }
    return parse_paren_list(p, parse_column);
}

/* [LINEAR] HASH "(" expression ")" | [LINEAR] KEY [ALGORITHM ["="] n] "(" [columns] ")" */
static const char *hash_or_key(struct sql_reader *p, struct parse_list *list) {
    parse_accept(p, KW_LINEAR);
    if (parse_accept(p, KW_HASH)) {
        parse_list_add(list, paren_expr(p));
        return "partition by hash";
    }
    parse_expect(p, KW_KEY);
    if (parse_at(p, KW_ALGORITHM)) {
        if (parse_peek(p, 1) != '=') parse_fail(p, "syntax error: expected =");
        parse_list_add(list, parse_mysql_word_option(p, parse_mysql_integer));
    }
    parse_mysql_append(list, key_columns(p));
    return "partition by key";
}

/* (RANGE | LIST) ("(" expression ")" | COLUMNS "(" columns ")") */
static const char *range_or_list(struct sql_reader *p, struct parse_list *list) {
    bool is_range = parse_at(p, KW_RANGE);
    parse_advance(p);
    if (parse_accept(p, KW_COLUMNS)) parse_mysql_append(list, parse_paren_list(p, parse_column));
    else parse_list_add(list, paren_expr(p));
    return is_range ? "partition by range" : "partition by list";
}

/* SYSTEM_TIME [(INTERVAL expression unit [STARTS expression] | LIMIT number) [AUTO]] (MariaDB) */
static const char *system_time(struct sql_reader *p, struct parse_list *list) {
    parse_advance(p);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_INTERVAL)) {
        struct ast *value = parse_expr(p);
        value->next = parse_interval_unit(p);
        parse_list_add(list, parse_option(p, start, "interval", value));
        start = p->tok.start;
        if (parse_accept(p, KW_STARTS)) parse_list_add(list, parse_option(p, start, "starts", parse_expr(p)));
    } else if (parse_accept(p, KW_LIMIT)) {
        parse_list_add(list, parse_option(p, start, "limit", parse_mysql_integer(p)));
    }
    start = p->tok.start;
    if (list->first && parse_accept(p, KW_AUTO)) parse_list_add(list, parse_option(p, start, "auto", NULL));
    return "partition by system_time";
}

/* SUBPARTITION BY hash_or_key [SUBPARTITIONS n] */
static struct ast *subpartition_by(struct sql_reader *p) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    parse_list_init(&list);
    parse_advance(p);
    parse_expect(p, KW_BY);
    hash_or_key(p, &list);
    if (parse_at(p, KW_SUBPARTITIONS)) parse_list_add(&list, parse_mysql_word_option(p, parse_mysql_integer));
    return parse_option(p, start, "subpartition by", list.first);
}

/* PARTITION BY method [PARTITIONS n] [SUBPARTITION BY ...] ["(" partitions ")"] */
struct ast *parse_mysql_partition_by(struct sql_reader *p) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    const char *name;
    parse_list_init(&list);
    parse_expect(p, KW_PARTITION);
    parse_expect(p, KW_BY);
    if (parse_at(p, KW_RANGE) || parse_at(p, KW_LIST)) name = range_or_list(p, &list);
    else if (p->is_mariadb && parse_at(p, KW_SYSTEM_TIME)) name = system_time(p, &list);
    else name = hash_or_key(p, &list);
    if (parse_at(p, KW_PARTITIONS)) parse_list_add(&list, parse_mysql_word_option(p, parse_mysql_integer));
    if (parse_at(p, KW_SUBPARTITION)) parse_list_add(&list, subpartition_by(p));
    if (parse_at(p, '(')) parse_mysql_append(&list, partition_defs(p));
    return parse_option(p, start, name, list.first);
}

/* ---- ALTER TABLE ----------------------------------------------------------------------------------------------------- */

/* [NO_WRITE_TO_BINLOG | LOCAL] */
static void opt_no_binlog(struct sql_reader *p, struct parse_list *list) {
    if (parse_at(p, KW_NO_WRITE_TO_BINLOG) || parse_at(p, KW_LOCAL)) parse_list_add(list, parse_word(p));
}

/* ALL | names */
static void all_or_names(struct sql_reader *p, struct parse_list *list) {
    if (parse_at(p, KW_ALL)) parse_list_add(list, parse_word(p));
    else parse_mysql_append(list, parse_name_list(p));
}

/* [(WITH | WITHOUT) VALIDATION] */
static void opt_validation(struct sql_reader *p, struct parse_list *list) {
    if (!parse_at(p, KW_WITH) && !parse_at(p, KW_WITHOUT)) return;
    const char *name = parse_at(p, KW_WITH) ? "with validation" : "without validation";
    uint32_t start = p->tok.start;
    parse_advance(p);
    if (!parse_accept_word(p, "validation")) parse_fail(p, "syntax error: expected VALIDATION");
    parse_list_add(list, parse_option(p, start, name, NULL));
}

/* ADD PARTITION [IF NOT EXISTS] [LOCAL] ["(" partitions ")" | PARTITIONS n] */
static const char *add(struct sql_reader *p, struct parse_list *list) {
    uint32_t start = p->tok.start;
    if (parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) parse_list_add(list, parse_option(p, start, "if not exists", NULL));
    opt_no_binlog(p, list);
    if (parse_at(p, KW_PARTITIONS)) parse_list_add(list, parse_mysql_word_option(p, parse_mysql_integer));
    else if (parse_at(p, '(')) parse_mysql_append(list, partition_defs(p));
    return "add partition";
}

/* DROP PARTITION [IF EXISTS] names */
static const char *drop(struct sql_reader *p, struct parse_list *list) {
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_IF, KW_EXISTS)) parse_list_add(list, parse_option(p, start, "if exists", NULL));
    parse_mysql_append(list, parse_name_list(p));
    return "drop partition";
}

/* REORGANIZE PARTITION [LOCAL] [names INTO "(" partitions ")"] */
static const char *reorganize(struct sql_reader *p, struct parse_list *list) {
    opt_no_binlog(p, list);
    if (parse_at_name(p)) {
        parse_mysql_append(list, parse_name_list(p));
        parse_expect(p, KW_INTO);
        parse_mysql_append(list, partition_defs(p));
    }
    return "reorganize partition";
}

/* EXCHANGE PARTITION name WITH TABLE table [WITH VALIDATION] */
static const char *exchange(struct sql_reader *p, struct parse_list *list) {
    parse_list_add(list, parse_name(p));
    parse_expect(p, KW_WITH);
    parse_expect(p, KW_TABLE);
    parse_list_add(list, parse_table_name(p));
    opt_validation(p, list);
    return "exchange partition";
}

/* COALESCE PARTITION [LOCAL] n */
static const char *coalesce(struct sql_reader *p, struct parse_list *list) {
    opt_no_binlog(p, list);
    parse_list_add(list, parse_mysql_integer(p));
    return "coalesce partition";
}

/* (OPTIMIZE | REBUILD | ANALYZE | TRUNCATE) PARTITION [LOCAL] (ALL | names) */
static const char *maintain(struct sql_reader *p, struct parse_list *list, const char *name) {
    opt_no_binlog(p, list);
    all_or_names(p, list);
    return name;
}

/* (DISCARD | IMPORT) PARTITION (ALL | names) TABLESPACE (MySQL) */
static const char *tablespace(struct sql_reader *p, struct parse_list *list, const char *name) {
    if (p->is_mariadb) parse_fail(p, "syntax error");
    all_or_names(p, list);
    parse_expect(p, KW_TABLESPACE);
    return name;
}

/* (CHECK | REPAIR) PARTITION [LOCAL] (ALL | names) { QUICK | EXTENDED | USE_FRM | FAST | MEDIUM | CHANGED | FOR UPGRADE } */
static const char *check(struct sql_reader *p, struct parse_list *list, const char *name) {
    maintain(p, list, name);
    for (;;) {
        switch (p->tok.kind) {
        case KW_QUICK:
        case KW_EXTENDED:
        case KW_USE_FRM:
        case KW_FAST:
        case KW_MEDIUM:
        case KW_CHANGED: parse_list_add(list, parse_word(p)); break;
        case KW_FOR:
            if (parse_peek(p, 1) != KW_UPGRADE) return name;
            parse_list_add(list, parse_mysql_words(p, "for upgrade", 2));
            break;
        default: return name;
        }
    }
}

/* CONVERT PARTITION name TO TABLE table [WITH VALIDATION] (MariaDB) */
static const char *convert_partition(struct sql_reader *p, struct parse_list *list) {
    parse_list_add(list, parse_name(p));
    parse_expect(p, KW_TO);
    parse_expect(p, KW_TABLE);
    parse_list_add(list, parse_table_name(p));
    return "convert partition";
}

/* CONVERT TABLE table TO partition [WITH VALIDATION] (MariaDB) */
static const char *convert_table(struct sql_reader *p, struct parse_list *list) {
    parse_list_add(list, parse_table_name(p));
    parse_expect(p, KW_TO);
    parse_list_add(list, partition_def(p));
    opt_validation(p, list);
    return "convert table";
}

/* What follows the verb and PARTITION, both read. */
static const char *partition_action(struct sql_reader *p, uint16_t verb, struct parse_list *list) {
    switch (verb) {
    case KW_ADD: return add(p, list);
    case KW_DROP: return drop(p, list);
    case KW_REORGANIZE: return reorganize(p, list);
    case KW_EXCHANGE: return exchange(p, list);
    case KW_COALESCE: return coalesce(p, list);
    case KW_CONVERT: return convert_partition(p, list);
    case KW_OPTIMIZE: return maintain(p, list, "optimize partition");
    case KW_REBUILD: return maintain(p, list, "rebuild partition");
    case KW_ANALYZE: return maintain(p, list, "analyze partition");
    case KW_CHECK: return check(p, list, "check partition");
    case KW_REPAIR: return check(p, list, "repair partition");
    case KW_TRUNCATE: return maintain(p, list, "truncate partition");
    case KW_DISCARD: return tablespace(p, list, "discard partition");
    case KW_IMPORT: return tablespace(p, list, "import partition");
    default: parse_fail(p, "syntax error"); return "partition";
    }
}

/* verb PARTITION ... | CONVERT TABLE ... */
struct ast *parse_mysql_opt_partition_action(struct sql_reader *p) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    uint16_t verb = p->tok.kind;
    const char *name;
    parse_list_init(&list);
    if (verb < KEYWORD_FIRST || verb == KW_SECONDARY_LOAD || verb == KW_SECONDARY_UNLOAD) return NULL;
    bool is_convert_table = verb == KW_CONVERT && parse_peek(p, 1) == KW_TABLE;
    if (parse_peek(p, 1) != KW_PARTITION && !is_convert_table) return NULL;
    parse_advance(p);
    parse_advance(p);
    name = is_convert_table ? convert_table(p, &list) : partition_action(p, verb, &list);
    return parse_option(p, start, name, list.first);
}
