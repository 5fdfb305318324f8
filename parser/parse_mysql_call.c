/*
 * parse_mysql_call.c - functions of MySQL and MariaDB whose names are words of the grammar, and variables.
 *
 * Two servers' rules meet here. A word that is reserved may be called only with the arguments that the grammar gives it,
 * and some functions are read as such only when the parenthesis follows at once (COUNT(a), but not COUNT (a)): with a
 * space between, the word is an ordinary name unless sql_mode has IGNORE_SPACE. Both were measured for every word.
 * Aggregates and window functions are in parse_mysql_aggregate.c, those of JSON in parse_mysql_json.c.
 *
 * Arguments stand in `args` in the order written; words that are arguments (units, LEADING) are WORDs among them, words
 * that only part arguments (FROM, FOR, IN) are left out, and the node's op says that it was so written.
 */
#include "parser/parse_mysql.h"
#include "parser/parse_mysql_call.h"

#include <string.h>

/* ---- common parts ------------------------------------------------------------------------------------------------------ */

struct ast_func *parse_mysql_call_start(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.op = CALL_SPECIAL;
    f->names = parse_name_of_token(p);
    parse_expect(p, '(');
    return f;
}

struct ast *parse_mysql_call_end(struct sql_reader *p, struct ast_func *f) {
    parse_expect(p, ')');
    return parse_done(p, f);
}

/* word "(" [ expr { "," expr } ] ")" with so many arguments */
static struct ast *parse_counted(struct sql_reader *p, const struct mysql_call *c) {
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    struct parse_list args;
    parse_list_init(&args);
    unsigned count = 0;
    if (!parse_at(p, ')')) {
        do {
            parse_list_add(&args, parse_expr(p));
            count++;
        } while (parse_accept(p, ','));
    }
    bool is_right = count >= c->min && (count <= c->max || c->max == MYSQL_CALL_ANY);
    if (!is_right) parse_fail(p, "syntax error: expected another number of arguments");
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* ---- dates and times --------------------------------------------------------------------------------------------------- */

/* word [ "(" [ number ] ")" ]; a digit count only where c->max allows one */
static struct ast *parse_clock(struct sql_reader *p, const struct mysql_call *c) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.op = CALL_BARE;
    f->names = parse_name_of_token(p);
    if (!parse_accept(p, '(')) return parse_done(p, f);
    f->node.op = CALL_PLAIN;
    if (c->max != 0 && parse_at(p, TOKEN_INTEGER)) f->args = parse_literal(p);
    return parse_mysql_call_end(p, f);
}

/* EXTRACT "(" unit FROM expr ")" */
static struct ast *parse_extract(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_interval_unit(p));
    parse_expect(p, KW_FROM);
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

static bool is_single_unit(uint16_t kind) {
    switch (kind) {
    case KW_MICROSECOND: case KW_SECOND: case KW_MINUTE: case KW_HOUR: case KW_DAY: case KW_WEEK: case KW_MONTH:
    case KW_QUARTER: case KW_YEAR: case KW_SQL_TSI_SECOND: case KW_SQL_TSI_MINUTE: case KW_SQL_TSI_HOUR: case KW_SQL_TSI_DAY:
    case KW_SQL_TSI_WEEK: case KW_SQL_TSI_MONTH: case KW_SQL_TSI_QUARTER: case KW_SQL_TSI_YEAR:
        return true;
    default:
        return false;
    }
}

/* { TIMESTAMPADD | TIMESTAMPDIFF } "(" unit "," expr "," expr ")" */
static struct ast *parse_timestamp_math(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    if (!is_single_unit(p->tok.kind)) parse_fail(p, "syntax error: expected a unit of time");
    parse_list_add(&args, parse_word(p));
    parse_expect(p, ',');
    parse_list_add(&args, parse_expr(p));
    parse_expect(p, ',');
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* { DATE_ADD | DATE_SUB } "(" expr "," INTERVAL expr unit ")" | { ADDDATE | SUBDATE } "(" expr "," expr ")" */
static struct ast *parse_date_math(struct sql_reader *p, const struct mysql_call *c) {
    bool takes_days = c->max != 0;
    struct ast_func *f = parse_mysql_call_start(p);
    f->node.op = CALL_PLAIN;
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_expr(p));
    parse_expect(p, ',');
    if (!takes_days && !parse_at(p, KW_INTERVAL)) parse_fail(p, "syntax error: expected INTERVAL");
    uint32_t start = p->tok.start;
    if (parse_at(p, KW_INTERVAL)) parse_list_add(&args, parse_expr_rest(p, parse_expr_primary(p), start));
    else parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* GET_FORMAT "(" { DATE | TIME | DATETIME | TIMESTAMP } "," expr ")" */
static struct ast *parse_get_format(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    if (!parse_at(p, KW_DATE) && !parse_at(p, KW_TIME) && !parse_at(p, KW_DATETIME) && !parse_at(p, KW_TIMESTAMP))
        parse_fail(p, "syntax error: expected DATE, TIME or DATETIME");
    parse_list_add(&args, parse_word(p));
    parse_expect(p, ',');
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* { DATE | TIME | TIMESTAMP } string */
static struct ast *parse_time_literal(struct sql_reader *p) {
    struct ast_cast *cast = PARSE_NODE(p, ast_cast, CAST);
    cast->node.op = CAST_PREFIX;
    struct ast_type *type = PARSE_NODE(p, ast_type, TYPE);
    type->names = parse_name_of_token(p);
    cast->type = parse_done(p, type);
    cast->arg = parse_literal(p);
    return parse_done(p, cast);
}

/* The query of "(" query ")" as a value. */
static struct ast *subquery_of(struct sql_reader *p, struct ast *query, uint32_t start) {
    struct ast_subquery *node = PARSE_NODE(p, ast_subquery, SUBQUERY);
    node->node.start = start;
    node->node.op = SUBQUERY_SCALAR;
    query->flags |= AST_PARENS;
    node->query = query;
    return parse_done(p, node);
}

/*
 * INTERVAL expr unit | INTERVAL "(" expr "," expr { "," expr } ")"
 * The value of the first may begin with a parenthesis too: what follows the first expression in it decides.
 */
static struct ast *parse_interval(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_interval *i = PARSE_NODE(p, ast_interval, INTERVAL);
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.op = CALL_PLAIN;
    f->names = parse_name_of_token(p);
    uint32_t start = p->tok.start;
    if (parse_at(p, '(')) {
        struct ast *inside;
        bool is_query = parse_paren(p, &inside);
        if (!is_query && inside->next) {
            f->args = inside;
            return parse_done(p, f);
        }
        i->value = parse_expr_rest(p, is_query ? subquery_of(p, inside, start) : inside, start);
    } else {
        i->value = parse_expr(p);
    }
    i->unit = parse_interval_unit(p);
    return parse_done(p, i);
}

/* ---- strings ----------------------------------------------------------------------------------------------------------- */

/* TRIM "(" [ LEADING | TRAILING | BOTH ] [ expr ] FROM expr ")" | TRIM "(" expr ")" */
static struct ast *parse_trim(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    bool has_side = parse_at(p, KW_LEADING) || parse_at(p, KW_TRAILING) || parse_at(p, KW_BOTH);
    if (has_side) parse_list_add(&args, parse_word(p));
    if (!has_side || !parse_at(p, KW_FROM)) parse_list_add(&args, parse_expr(p));
    if (has_side) parse_expect(p, KW_FROM);
    if (has_side || parse_accept(p, KW_FROM)) parse_list_add(&args, parse_expr(p));
    else f->node.op = CALL_PLAIN;
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* { SUBSTRING | SUBSTR | MID } "(" expr { "," expr [ "," expr ] | FROM expr [ FOR expr ] } ")" */
static struct ast *parse_substring(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_expr(p));
    bool is_plain = parse_accept(p, ',');
    if (is_plain) f->node.op = CALL_PLAIN;
    else parse_expect(p, KW_FROM);
    parse_list_add(&args, parse_expr(p));
    if (parse_accept(p, is_plain ? ',' : KW_FOR)) parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* POSITION "(" bit_expr IN expr ")" */
static struct ast *parse_position(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_bit_expr(p));
    parse_expect(p, KW_IN);
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* A character set's name behind USING: no DEFAULT. */
static struct ast *parse_using_charset(struct sql_reader *p) {
    if (parse_at(p, KW_DEFAULT)) parse_fail(p, "syntax error: expected a character set");
    return parse_mysql_charset_name(p);
}

/* { CHAR | CHARACTER } "(" expr { "," expr } [ USING charset ] ")" */
static struct ast *parse_char(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    f->args = parse_expr_list(p);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_USING)) f->options = parse_option(p, start, "using", parse_using_charset(p));
    else f->node.op = CALL_PLAIN;
    return parse_mysql_call_end(p, f);
}

/* LEVEL { number "-" number | number [ ASC | DESC ] [ REVERSE ] { "," number [ ASC | DESC ] [ REVERSE ] } } */
static struct ast *parse_weight_levels(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct parse_list values;
    parse_list_init(&values);
    parse_expect(p, KW_LEVEL);
    bool is_range = parse_peek(p, 1) == '-';
    do {
        parse_list_add(&values, parse_literal(p));
        if (!is_range && (parse_at(p, KW_ASC) || parse_at(p, KW_DESC))) parse_list_add(&values, parse_word(p));
        if (!is_range && parse_at(p, KW_REVERSE)) parse_list_add(&values, parse_word(p));
    } while (parse_accept(p, is_range ? '-' : ','));
    return parse_option(p, start, "level", values.first);
}

/* WEIGHT_STRING "(" expr [ AS { CHAR | BINARY } "(" n ")" ] [ LEVEL levels ] | expr "," n "," n "," n ")" */
static struct ast *parse_weight_string(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args, options;
    parse_list_init(&args);
    parse_list_init(&options);
    parse_list_add(&args, parse_expr(p));
    if (parse_accept(p, ',')) {
        for (int i = 0; i < 3; i++) {
            if (i > 0) parse_expect(p, ',');
            parse_list_add(&args, parse_literal(p));
        }
    }
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_AS)) {
        bool is_known = parse_at(p, KW_CHAR) || parse_at(p, KW_CHARACTER) || parse_at(p, KW_BINARY);
        if (!is_known || parse_peek(p, 1) != '(') parse_fail(p, "syntax error: expected CHAR(n) or BINARY(n)");
        parse_list_add(&options, parse_option(p, start, "as", parse_mysql_cast_type(p)));
    }
    bool has_levels = p->is_mariadb || p->options->version < 80000;
    if (has_levels && parse_at(p, KW_LEVEL)) parse_list_add(&options, parse_weight_levels(p));
    f->args = args.first;
    f->options = options.first;
    return parse_mysql_call_end(p, f);
}

/* ---- casts ------------------------------------------------------------------------------------------------------------- */

/* AT TIME ZONE [ INTERVAL ] string | AT LOCAL */
static struct ast *parse_at_zone(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_AT);
    if (parse_accept(p, KW_LOCAL)) return parse_option(p, start, "at local", NULL);
    parse_expect(p, KW_TIME);
    parse_expect(p, KW_ZONE);
    parse_accept(p, KW_INTERVAL);
    return parse_option(p, start, "at time zone", parse_string(p));
}

/* ARRAY behind a type */
static void parse_array_mark(struct sql_reader *p, struct ast *type) {
    struct ast *mark = PARSE_NODE(p, ast, STAR);
    parse_advance(p);
    parse_done(p, mark);
    if (type->kind != AST_TYPE) return;
    AST_AS(type, TYPE, type)->bounds = mark;
    parse_done(p, type);
}

/* CAST "(" expr [ AT TIME ZONE zone ] AS cast-type [ ARRAY ] ")" */
static struct ast *parse_cast(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_cast *cast = PARSE_NODE(p, ast_cast, CAST);
    cast->node.op = CAST_FUNCTION;
    parse_advance(p);
    parse_expect(p, '(');
    cast->arg = parse_expr(p);
    if (!p->is_mariadb && parse_at(p, KW_AT)) cast->options = parse_at_zone(p);
    parse_expect(p, KW_AS);
    if (cast->options && !parse_at(p, KW_DATETIME)) parse_fail(p, "syntax error: expected DATETIME");
    cast->type = parse_mysql_cast_type(p);
    if (!p->is_mariadb && parse_at(p, KW_ARRAY)) parse_array_mark(p, cast->type);
    parse_expect(p, ')');
    return parse_done(p, cast);
}

/* CONVERT "(" expr { "," cast-type | USING charset } ")" */
static struct ast *parse_convert(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_cast *cast = PARSE_NODE(p, ast_cast, CAST);
    cast->node.op = CAST_CONVERT;
    parse_advance(p);
    parse_expect(p, '(');
    cast->arg = parse_expr(p);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_USING)) {
        cast->node.op = CAST_USING;
        cast->options = parse_option(p, start, "using", parse_using_charset(p));
    } else {
        parse_expect(p, ',');
        cast->type = parse_mysql_cast_type(p);
    }
    parse_expect(p, ')');
    return parse_done(p, cast);
}

/* ---- MariaDB's dynamic columns ----------------------------------------------------------------------------------------- */

/* expr "," expr [ AS cast-type ] */
static void parse_dynamic_pair(struct sql_reader *p, struct parse_list *args) {
    parse_list_add(args, parse_expr(p));
    parse_expect(p, ',');
    parse_list_add(args, parse_expr(p));
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_AS)) parse_list_add(args, parse_option(p, start, "as", parse_mysql_cast_type(p)));
}

/* COLUMN_CREATE "(" pair { "," pair } ")" | COLUMN_ADD "(" expr "," pair { "," pair } ")" */
static struct ast *parse_dynamic_columns(struct sql_reader *p, const struct mysql_call *c) {
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    if (c->min != 0) {
        parse_list_add(&args, parse_expr(p));
        parse_expect(p, ',');
    }
    do parse_dynamic_pair(p, &args);
    while (parse_accept(p, ','));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* COLUMN_GET "(" expr "," expr AS cast-type ")" */
static struct ast *parse_dynamic_get(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_expr(p));
    parse_expect(p, ',');
    parse_list_add(&args, parse_expr(p));
    uint32_t start = p->tok.start;
    parse_expect(p, KW_AS);
    parse_list_add(&args, parse_option(p, start, "as", parse_mysql_cast_type(p)));
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* ---- columns, rows, sequences ------------------------------------------------------------------------------------------ */

/* { VALUES | VALUE } "(" column ")" */
static struct ast *parse_values_of(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_func *f = parse_mysql_call_start(p);
    f->args = parse_column(p);
    return parse_mysql_call_end(p, f);
}

/* DEFAULT "(" column ")" */
static struct ast *parse_default_of(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_default *d = PARSE_NODE(p, ast_default, DEFAULT);
    parse_advance(p);
    parse_expect(p, '(');
    d->column = parse_column(p);
    parse_expect(p, ')');
    return parse_done(p, d);
}

/* ROW "(" expr "," expr { "," expr } ")" */
static struct ast *parse_row(struct sql_reader *p, const struct mysql_call *c) {
    (void)c;
    struct ast_list_expr *row = PARSE_NODE(p, ast_list_expr, ROW);
    row->node.flags = AST_ROW_KEYWORD;
    parse_advance(p);
    parse_expect(p, '(');
    row->items = parse_expr_list(p);
    if (!p->failed && !row->items->next) parse_fail(p, "syntax error: expected a row of two or more values");
    parse_expect(p, ')');
    return parse_done(p, row);
}

/* { NEXT | PREVIOUS } VALUE FOR sequence, as NEXTVAL and LASTVAL */
static struct ast *parse_value_for(struct sql_reader *p) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.op = CALL_SPECIAL;
    uint32_t start = p->tok.start;
    bool is_next = parse_at(p, KW_NEXT);
    parse_advance(p);
    parse_expect(p, KW_VALUE);
    parse_expect(p, KW_FOR);
    f->names = parse_name_static(p, start, is_next ? "nextval" : "lastval");
    f->args = parse_table_name(p);
    return parse_done(p, f);
}

/* { NEXTVAL | LASTVAL } "(" sequence ")" | SETVAL "(" sequence "," [ sign ] n [ "," expr [ "," n ] ] ")" */
static struct ast *parse_sequence_call(struct sql_reader *p, const struct mysql_call *c) {
    struct ast_func *f = parse_mysql_call_start(p);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, parse_table_name(p));
    if (c->max > 1) {
        parse_expect(p, ',');
        parse_list_add(&args, parse_signed_number(p));
        if (parse_accept(p, ',')) parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, ',')) parse_list_add(&args, parse_signed_number(p));
    }
    f->args = args.first;
    return parse_mysql_call_end(p, f);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------- */

#define PLAIN(minimum, maximum) {.read = parse_counted, .min = (minimum), .max = (maximum)}
#define PLAIN_ADJACENT(minimum, maximum) \
    {.read = parse_counted, .min = (minimum), .max = (maximum), .flags = MYSQL_CALL_ADJACENT}
#define OWN(function) {.read = (function)}
#define OWN_ADJACENT(function) {.read = (function), .flags = MYSQL_CALL_ADJACENT}
#define COUNTED(function, minimum, maximum, flag) {.read = (function), .min = (minimum), .max = (maximum), .flags = (flag)}
#define AGGREGATE(flag) COUNTED(parse_mysql_aggregate, 1, 1, MYSQL_CALL_ADJACENT | (flag))
#define CLOCK(maximum) COUNTED(parse_clock, 0, (maximum), MYSQL_CALL_BARE)
#define RANKING(maximum) COUNTED(parse_mysql_window_call, (maximum), (maximum), MYSQL_CALL_ADJACENT_MARIADB)

static const struct mysql_call calls[KEYWORD_END] = {
    [KW_ASCII] = PLAIN(1, 1), [KW_CHARSET] = PLAIN(1, 1), [KW_COALESCE] = PLAIN(1, MYSQL_CALL_ANY), [KW_COLLATION] = PLAIN(1, 1),
    [KW_COLUMN_CHECK] = PLAIN(1, 1), [KW_COLUMN_DELETE] = PLAIN(2, MYSQL_CALL_ANY), [KW_CONTAINS] = PLAIN(2, 2),
    [KW_DATABASE] = PLAIN(0, 0), [KW_DAY] = PLAIN(1, 1), [KW_FORMAT] = PLAIN(2, 3), [KW_GROUPING] = PLAIN(1, MYSQL_CALL_ANY),
    [KW_HOUR] = PLAIN(1, 1), [KW_IF] = PLAIN(3, 3), [KW_INSERT] = PLAIN(4, 4), [KW_LEFT] = PLAIN(2, 2),
    [KW_LINESTRING] = PLAIN(1, MYSQL_CALL_ANY), [KW_LOG] = PLAIN(1, 2), [KW_MICROSECOND] = PLAIN(1, 1),
    [KW_MINUTE] = PLAIN(1, 1), [KW_MOD] = PLAIN(2, 2), [KW_MONTH] = PLAIN(1, 1), [KW_MULTILINESTRING] = PLAIN(1, MYSQL_CALL_ANY),
    [KW_MULTIPOINT] = PLAIN(1, MYSQL_CALL_ANY),
    [KW_MULTIPOLYGON] = PLAIN(1, MYSQL_CALL_ANY), [KW_PASSWORD] = PLAIN(1, 1), [KW_POINT] = PLAIN(2, 2),
    [KW_POLYGON] = PLAIN(1, MYSQL_CALL_ANY), [KW_QUARTER] = PLAIN(1, 1), [KW_REPEAT] = PLAIN(2, 2), [KW_REPLACE] = PLAIN(3, 3),
    [KW_REVERSE] = PLAIN(1, 1), [KW_RIGHT] = PLAIN(2, 2), [KW_ROWNUM] = PLAIN(0, 0), [KW_ROW_COUNT] = PLAIN(0, 0),
    [KW_SCHEMA] = PLAIN(0, 0), [KW_SECOND] = PLAIN(1, 1), [KW_SQL_TSI_DAY] = PLAIN(1, 1), [KW_SQL_TSI_HOUR] = PLAIN(1, 1),
    [KW_SQL_TSI_MINUTE] = PLAIN(1, 1), [KW_SQL_TSI_MONTH] = PLAIN(1, 1), [KW_SQL_TSI_QUARTER] = PLAIN(1, 1),
    [KW_SQL_TSI_SECOND] = PLAIN(1, 1), [KW_SQL_TSI_WEEK] = PLAIN(1, 2), [KW_SQL_TSI_YEAR] = PLAIN(1, 1),
    [KW_TRUNCATE] = PLAIN(2, 2), [KW_USER] = PLAIN(0, 0), [KW_WEEK] = PLAIN(1, 2), [KW_YEAR] = PLAIN(1, 1),
    [KW_CURDATE] = PLAIN_ADJACENT(0, 0), [KW_SESSION_USER] = PLAIN_ADJACENT(0, 0), [KW_SYSTEM_USER] = PLAIN_ADJACENT(0, 0),

    /* in DATE 'a' they may also be the beginning of a literal */
    [KW_DATE] = COUNTED(parse_counted, 1, 1, MYSQL_CALL_LITERAL), [KW_TIME] = COUNTED(parse_counted, 1, 1, MYSQL_CALL_LITERAL),
    [KW_TIMESTAMP] = COUNTED(parse_counted, 1, 2, MYSQL_CALL_LITERAL),

    [KW_CURRENT_DATE] = CLOCK(0), [KW_CURRENT_ROLE] = CLOCK(0),
    [KW_CURRENT_TIME] = CLOCK(1), [KW_CURRENT_USER] = CLOCK(0),
    [KW_CURRENT_TIMESTAMP] = CLOCK(1), [KW_UTC_DATE] = CLOCK(0),
    [KW_LOCALTIME] = CLOCK(1), [KW_LOCALTIMESTAMP] = CLOCK(1),
    [KW_UTC_TIME] = CLOCK(1), [KW_UTC_TIMESTAMP] = CLOCK(1),
    [KW_CURTIME] = COUNTED(parse_clock, 0, 1, MYSQL_CALL_ADJACENT), [KW_NOW] = COUNTED(parse_clock, 0, 1, MYSQL_CALL_ADJACENT),
    [KW_SYSDATE] = COUNTED(parse_clock, 0, 1, MYSQL_CALL_ADJACENT_MYSQL),
    [KW_INTERVAL] = COUNTED(parse_interval, 0, 0, MYSQL_CALL_BARE),
    [KW_DATE_ADD] = OWN_ADJACENT(parse_date_math), [KW_DATE_SUB] = OWN_ADJACENT(parse_date_math),
    [KW_ADDDATE] = COUNTED(parse_date_math, 2, 2, MYSQL_CALL_ADJACENT),
    [KW_SUBDATE] = COUNTED(parse_date_math, 2, 2, MYSQL_CALL_ADJACENT),
    [KW_EXTRACT] = OWN_ADJACENT(parse_extract), [KW_GET_FORMAT] = OWN(parse_get_format),
    [KW_TIMESTAMPADD] = OWN(parse_timestamp_math), [KW_TIMESTAMPDIFF] = OWN(parse_timestamp_math),

    [KW_CHAR] = OWN(parse_char), [KW_CHARACTER] = OWN(parse_char), [KW_POSITION] = OWN_ADJACENT(parse_position),
    [KW_MID] = OWN_ADJACENT(parse_substring), [KW_SUBSTR] = OWN_ADJACENT(parse_substring),
    [KW_SUBSTRING] = OWN_ADJACENT(parse_substring), [KW_TRIM] = OWN_ADJACENT(parse_trim), [KW_TRIM_ORACLE] = OWN(parse_trim),
    [KW_WEIGHT_STRING] = OWN(parse_weight_string),

    [KW_CAST] = OWN_ADJACENT(parse_cast), [KW_CONVERT] = OWN(parse_convert), [KW_DEFAULT] = OWN(parse_default_of),
    [KW_VALUES] = OWN(parse_values_of), [KW_VALUE] = COUNTED(parse_values_of, 0, 0, MYSQL_CALL_MARIADB), [KW_ROW] = OWN(parse_row),
    [KW_COLUMN_ADD] = COUNTED(parse_dynamic_columns, 1, 1, MYSQL_CALL_MARIADB),
    [KW_COLUMN_CREATE] = COUNTED(parse_dynamic_columns, 0, 0, MYSQL_CALL_MARIADB),
    [KW_COLUMN_GET] = COUNTED(parse_dynamic_get, 0, 0, MYSQL_CALL_MARIADB),
    [KW_NEXTVAL] = COUNTED(parse_sequence_call, 1, 1, MYSQL_CALL_MARIADB),
    [KW_LASTVAL] = COUNTED(parse_sequence_call, 1, 1, MYSQL_CALL_MARIADB),
    [KW_SETVAL] = COUNTED(parse_sequence_call, 2, 4, MYSQL_CALL_MARIADB), [KW_JSON_VALUE] = OWN(parse_mysql_json_value),

    [KW_AVG] = COUNTED(parse_mysql_aggregate, 1, 1, MYSQL_CALL_DISTINCT | MYSQL_CALL_ALL),
    [KW_BIT_AND] = AGGREGATE(MYSQL_CALL_ALL), [KW_BIT_OR] = AGGREGATE(MYSQL_CALL_ALL), [KW_BIT_XOR] = AGGREGATE(MYSQL_CALL_ALL),
    [KW_COUNT] = OWN_ADJACENT(parse_mysql_count), [KW_GROUP_CONCAT] = OWN_ADJACENT(parse_mysql_group_concat),
    [KW_JSON_ARRAYAGG] = OWN_ADJACENT(parse_mysql_group_concat), [KW_JSON_OBJECTAGG] = OWN_ADJACENT(parse_mysql_json_objectagg),
    [KW_MAX] = AGGREGATE(MYSQL_CALL_DISTINCT | MYSQL_CALL_ALL), [KW_MIN] = AGGREGATE(MYSQL_CALL_DISTINCT | MYSQL_CALL_ALL),
    [KW_STD] = AGGREGATE(MYSQL_CALL_ALL), [KW_STDDEV] = AGGREGATE(MYSQL_CALL_ALL), [KW_STDDEV_POP] = AGGREGATE(MYSQL_CALL_ALL),
    [KW_STDDEV_SAMP] = AGGREGATE(MYSQL_CALL_ALL), [KW_SUM] = AGGREGATE(MYSQL_CALL_DISTINCT | MYSQL_CALL_ALL),
    [KW_VARIANCE] = AGGREGATE(MYSQL_CALL_ALL), [KW_VAR_POP] = AGGREGATE(MYSQL_CALL_ALL), [KW_VAR_SAMP] = AGGREGATE(MYSQL_CALL_ALL),

    [KW_CUME_DIST] = RANKING(0), [KW_DENSE_RANK] = RANKING(0), [KW_PERCENT_RANK] = RANKING(0), [KW_RANK] = RANKING(0),
    [KW_ROW_NUMBER] = RANKING(0), [KW_NTILE] = RANKING(1), [KW_FIRST_VALUE] = RANKING(1), [KW_NTH_VALUE] = RANKING(2),
    [KW_MEDIAN] = COUNTED(parse_mysql_window_call, 1, 1, MYSQL_CALL_ADJACENT),
    [KW_LAG] = COUNTED(parse_mysql_window_call, 1, 3, MYSQL_CALL_ADJACENT_MARIADB),
    [KW_LEAD] = COUNTED(parse_mysql_window_call, 1, 3, MYSQL_CALL_ADJACENT_MARIADB), [KW_LAST_VALUE] = OWN(parse_mysql_last_value),
    [KW_PERCENTILE_CONT] = OWN_ADJACENT(parse_mysql_percentile), [KW_PERCENTILE_DISC] = OWN_ADJACENT(parse_mysql_percentile),
};

/* Must the parenthesis follow this word at once? */
static bool needs_adjacent(const struct sql_reader *p, const struct mysql_call *c) {
    if (p->options->modes & SQL_IGNORE_SPACE) return false;
    return c->flags & MYSQL_CALL_ADJACENT || (c->flags & MYSQL_CALL_ADJACENT_MARIADB && p->is_mariadb) ||
           (c->flags & MYSQL_CALL_ADJACENT_MYSQL && !p->is_mariadb);
}

/*
 * special-call: word "(" arguments of its own ")" [ over ] | word without parentheses (CURRENT_DATE, INTERVAL 1 DAY)
 *             | DATE string | NEXT VALUE FOR sequence
 */
struct ast *parse_mysql_special_call(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    if (kind < KEYWORD_FIRST) return NULL;
    const struct mysql_call *c = &calls[kind];
    if (!c->read) {
        bool is_sequence = kind == KW_NEXT || kind == KW_PREVIOUS;
        if (is_sequence && p->is_mariadb && parse_peek(p, 1) == KW_VALUE && parse_peek(p, 2) == KW_FOR) return parse_value_for(p);
        return NULL;
    }
    bool is_ordinary = parse_uses(p, kind) & KEYWORD_FUNCTION || (c->flags & MYSQL_CALL_MARIADB && !p->is_mariadb);
    if (is_ordinary) return NULL;
    if (c->flags & MYSQL_CALL_BARE) return c->read(p, c);
    const struct token *next = parse_peek_token(p, 1);
    if (c->flags & MYSQL_CALL_LITERAL && next->kind == TOKEN_STRING) return parse_time_literal(p);
    if (next->kind != '(') return NULL;
    if (next->flags & TOKEN_AFTER_SPACE && needs_adjacent(p, c)) {
        uint32_t start = p->tok.start;
        struct ast *name = parse_name_of_token(p);
        return parse_call(p, name, start);
    }
    return c->read(p, c);
}

/* ---- variables --------------------------------------------------------------------------------------------------------- */

/* The name in @'name', @"name" or @`name`: `quoted` without its quotes, doubled quotes single and backslashes undone. */
static struct bytes unquote_variable(struct sql_reader *p, struct bytes quoted) {
    uint8_t quote = quoted.ptr[0];
    struct bytes inner = bytes_of(quoted.ptr + 1, quoted.len - 2);
    bool has_escapes = quote != '`' && !(p->options->modes & SQL_NO_BACKSLASH_ESCAPES) && memchr(inner.ptr, '\\', inner.len);
    if (!has_escapes && !memchr(inner.ptr, quote, inner.len)) return inner;
    uint8_t *copy = arena_alloc(p->arena, inner.len);
    if (!copy) return inner;
    size_t len = 0;
    for (size_t i = 0; i < inner.len; i++) {
        if (i + 1 < inner.len && (inner.ptr[i] == quote || (has_escapes && inner.ptr[i] == '\\'))) i++;
        copy[len++] = inner.ptr[i];
    }
    return bytes_of(copy, len);
}

/* "@" name, one token */
static struct ast *parse_user_variable(struct sql_reader *p) {
    struct ast_variable *v = PARSE_NODE(p, ast_variable, VARIABLE);
    v->node.op = SCOPE_USER;
    struct ast_name *name = PARSE_NODE(p, ast_name, NAME);
    if (p->failed) return parse_done(p, v); /* memory is out: the token is an error, with nothing behind a first byte */
    name->text = bytes_of(p->text + p->tok.start + 1, p->tok.end - p->tok.start - 1);
    if (name->text.len >= 2 && (name->text.ptr[0] == '`' || name->text.ptr[0] == '\'' || name->text.ptr[0] == '"')) {
        name->node.flags = AST_NAME_QUOTED;
        name->text = unquote_variable(p, name->text);
    }
    parse_advance(p);
    v->names = parse_done(p, name);
    return parse_done(p, v);
}

enum ast_scope_op parse_mysql_scope(uint16_t kind) {
    switch (kind) {
    case KW_GLOBAL: return SCOPE_GLOBAL;
    case KW_SESSION: return SCOPE_SESSION;
    case KW_LOCAL: return SCOPE_LOCAL;
    case KW_PERSIST: return SCOPE_PERSIST;
    case KW_PERSIST_ONLY: return SCOPE_PERSIST_ONLY;
    default: return SCOPE_NONE;
    }
}

/* variable: "@" name | "@@" [ { GLOBAL | SESSION | LOCAL | PERSIST | PERSIST_ONLY } "." ] name [ "." name ] */
struct ast *parse_variable(struct sql_reader *p) {
    if (parse_at(p, TOKEN_USER_VARIABLE)) return parse_user_variable(p);
    struct ast_variable *v = PARSE_NODE(p, ast_variable, VARIABLE);
    v->node.op = SCOPE_SYSTEM;
    parse_expect(p, TOKEN_SYSTEM_VARIABLE);
    enum ast_scope_op scope = parse_mysql_scope(p->tok.kind);
    struct parse_list names;
    parse_list_init(&names);
    if (scope != SCOPE_NONE && parse_peek(p, 1) == '.') {
        v->node.op = (uint16_t)scope;
        parse_advance(p);
        parse_advance(p);
        parse_list_add(&names, parse_label(p));
    } else {
        parse_list_add(&names, parse_name(p));
    }
    if (parse_accept(p, '.')) parse_list_add(&names, parse_label(p));
    v->names = names.first;
    return parse_done(p, v);
}
