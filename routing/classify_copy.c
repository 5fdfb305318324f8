/*
 * classify_copy.c - may a read be answered by a server of its own that has copies of some tables, and nothing else of the database?
 *
 * Only what is listed here. Such a server has the same rows; all else may be another there: catalogs and their numbers, functions
 * and types of the database's own, dictionaries, collations, where a row is. What is not listed goes where it would go without it.
 * A whole row as a value has the number of its table's type, which is another one there, too.
 */
#include "base/build.h"
#include "routing/classify_walk.h"

/* Sorted. What speaks of values alone, whatever the server; now() and its kin besides. */
static const char *const functions[] = {
    "abs", "acos", "age", "array_agg", "array_append", "array_cat", "array_length", "array_lower", "array_ndims",
    "array_position", "array_positions", "array_prepend", "array_remove", "array_replace", "array_to_json",
    "array_to_string", "array_upper", "ascii", "asin", "atan", "atan2", "avg", "bit_and", "bit_length", "bit_or", "bit_xor",
    "bool_and", "bool_or", "btrim", "cardinality", "cbrt", "ceil", "ceiling", "char_length", "character_length", "chr",
    "clock_timestamp", "coalesce", "concat", "concat_ws", "corr", "cos", "count", "covar_pop", "covar_samp", "cume_dist",
    "current_date", "current_time", "current_timestamp", "date", "date_bin", "date_part", "date_trunc", "decode", "degrees",
    "dense_rank", "div", "encode", "every", "exp", "extract", "factorial", "first_value", "float4", "float8", "floor",
    "format", "gcd", "gen_random_uuid", "generate_series", "generate_subscripts", "greatest", "grouping", "initcap", "int2",
    "int4", "int8", "isfinite", "json_agg", "json_array_elements", "json_array_elements_text", "json_array_length",
    "json_build_array", "json_build_object", "json_each", "json_each_text", "json_extract_path", "json_extract_path_text",
    "json_object", "json_object_agg", "json_object_keys", "json_strip_nulls", "json_typeof", "jsonb_agg",
    "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array", "jsonb_build_object",
    "jsonb_each", "jsonb_each_text", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert", "jsonb_object",
    "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_first", "jsonb_pretty", "jsonb_set", "jsonb_strip_nulls", "jsonb_typeof", "justify_days",
    "justify_hours", "justify_interval", "lag", "last_value", "lcm", "lead", "least", "left", "length", "ln", "localtime",
    "localtimestamp", "log", "log10", "lower", "lpad", "ltrim", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "max", "md5", "min", "mod", "mode", "now", "nth_value", "ntile", "nullif", "numeric",
    "octet_length", "overlay", "percent_rank", "percentile_cont", "percentile_disc", "pi", "position", "power",
    "quote_ident", "quote_literal", "quote_nullable", "radians", "random", "rank", "regexp_count", "regexp_like",
    "regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table", "regexp_substr",
    "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "repeat", "replace", "reverse",
    "right", "round", "row_number", "row_to_json", "rpad", "rtrim", "sha224", "sha256", "sha384", "sha512", "sign", "sin",
    "split_part", "sqrt", "starts_with", "statement_timestamp", "stddev", "stddev_pop", "stddev_samp", "string_agg",
    "string_to_array", "string_to_table", "strpos", "substr", "substring", "sum", "tan", "text", "timezone", "to_char",
    "to_date", "to_hex", "to_json", "to_jsonb", "to_number", "to_timestamp", "transaction_timestamp", "translate", "trim",
    "trunc", "unnest", "upper", "var_pop", "var_samp", "variance", "width_bucket",
};

/* Sorted, in the words that may stand in a text. */
static const char *const types[] = {
    "bigint", "bit", "bool", "boolean", "bpchar", "bytea", "char", "character", "character varying", "cidr", "date", "dec",
    "decimal", "double precision", "float", "float4", "float8", "inet", "int", "int2", "int4", "int8", "integer",
    "interval", "json", "jsonb", "macaddr", "money", "name", "numeric", "real", "smallint", "text", "time", "timestamp",
    "timestamptz", "timetz", "uuid", "varbit", "varchar",
};

static const char *const system_columns[] = {"cmax", "cmin", "ctid", "oid", "tableoid", "xmax", "xmin"};

static bool is_among(struct bytes name, const char *const *words, size_t count) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2, len = strlen(words[middle]);
        int order = memcmp(name.ptr, words[middle], name.len < len ? name.len : len);
        if (!order && name.len == len) return true;
        if (order < 0 || (!order && name.len < len)) high = middle;
        else low = middle + 1;
    }
    return false;
}

/* Without a schema, or in the server's own. */
static bool is_own(const struct ast *names, const char *const *words, size_t count) {
    struct classify_subject s = {.about = CLASSIFY_FUNCTION};
    if (!classify_name_of(names, &s) || (s.schema.len && !bytes_is(s.schema, "pg_catalog"))) return false;
    return s.name.len && is_among(s.name, words, count);
}

/* Text search asks dictionaries. */
static bool is_own_operator(const struct ast *symbol) {
    struct classify_subject s = {.about = CLASSIFY_OPERATOR};
    if (!symbol) return true;
    if (!classify_name_of(symbol, &s) || (s.schema.len && !bytes_is(s.schema, "pg_catalog"))) return false;
    return read_pg_is_operator(s.name) && !bytes_starts_with(s.name, "@@");
}

/* A column of rows, and no more: row.name may call a function, too. */
static bool is_of_rows(const struct ast *name) {
    if (name->kind == AST_STAR) return true;
    if (name->kind != AST_NAME) return false;
    struct bytes text = AST_AS(name, NAME, name)->text;
    if (!text.len) return false;
    return !is_among(text, system_columns, COUNT_OF(system_columns)) && !bytes_starts_with(text, "pg_");
}

static bool are_of_rows(const struct ast *names) {
    for (const struct ast *n = names; n; n = n->next)
        if (!is_of_rows(n)) return false;
    return true;
}

static bool is_type(const struct ast_type *type) {
    bool is_plain = !(type->node.flags & (AST_TYPE_SETOF | AST_TYPE_PERCENT));
    return is_plain && is_own(type->names, types, COUNT_OF(types));
}

static bool may_be_copied(const struct ast *node) {
    switch ((enum ast_kind)node->kind) {
    case AST_NAME: case AST_STAR: case AST_LITERAL: case AST_PARAM: case AST_WORD: return true;
    case AST_COLUMN: return are_of_rows(AST_AS(column, COLUMN, node)->names);
    case AST_FIELD: return is_of_rows(AST_AS(field, FIELD, node)->name);
    case AST_TABLE: return !AST_AS(table, TABLE, node)->sample;
    case AST_FUNC: return is_own(AST_AS(func, FUNC, node)->names, functions, COUNT_OF(functions));
    case AST_TYPE: return is_type(AST_AS(type, TYPE, node));
    case AST_UNARY: return is_own_operator(AST_AS(unary, UNARY, node)->symbol);
    case AST_BINARY: return is_own_operator(AST_AS(binary, BINARY, node)->symbol);
    case AST_QUANTIFIED: return is_own_operator(AST_AS(quantified, QUANTIFIED, node)->symbol);
    case AST_SORT: return is_own_operator(AST_AS(sort, SORT, node)->using_);
    case AST_SELECT: case AST_SETOP: case AST_VALUES: case AST_AND: case AST_OR: case AST_IS: case AST_LIKE: case AST_BETWEEN:
    case AST_IN: case AST_SUBQUERY: case AST_CASE: case AST_WHEN: case AST_CAST: case AST_NAMED_ARG: case AST_SUBSCRIPT:
    case AST_ROW: case AST_ARRAY: case AST_AT_ZONE: case AST_ALIAS: case AST_DERIVED: case AST_TABLE_FUNC: case AST_JOIN:
    case AST_TARGET: case AST_CTE: case AST_LIMIT: case AST_GROUPING: case AST_WINDOW: case AST_FRAME: case AST_BOUND:
        return true;
    default: return false;
    }
}

void classify_deny_copies(struct classify *c) {
    c->common = c->result.copies = 0;
}

void classify_note_copies(struct classify *c, uint8_t copies) {
    c->common &= copies;
    c->result.copies = c->common;
}

void classify_copy_node(struct classify *c, const struct ast *node) {
    if (c->common && !may_be_copied(node)) classify_deny_copies(c);
}

/* ---- whole rows ------------------------------------------------------------------------------------------------------ */

enum { ROWS_MAX = 16 /* tables in a text */ };

struct row_names {
    struct bytes all[ROWS_MAX];
    uint32_t count;
    bool is_short; /* there are more */
};

static void add_row_name(struct row_names *names, const struct ast *name) {
    if (!name || name->kind != AST_NAME) return;
    names->is_short |= names->count == ROWS_MAX;
    if (!names->is_short) names->all[names->count++] = AST_AS(name, NAME, name)->text;
}

static const struct ast *last_of(const struct ast *list) {
    while (list && list->next) list = list->next;
    return list;
}

/* What a row of a table can be called. */
static void find_row_names(struct row_names *names, const struct ast *node) {
    if (node->kind == AST_TABLE) {
        const struct ast_table *table = AST_AS(table, TABLE, node);
        add_row_name(names, last_of(table->names));
        if (table->alias) add_row_name(names, AST_AS(alias, ALIAS, table->alias)->name);
    }
    for (int i = 0; i < ast_slot_count(node); i++)
        for (const struct ast *n = ast_slot(node, i); n; n = n->next) find_row_names(names, n);
}

static bool is_row_name(const struct row_names *names, const struct ast *name) {
    for (uint32_t i = 0; i < names->count; i++)
        if (name->kind == AST_NAME && bytes_equal(AST_AS(name, NAME, name)->text, names->all[i])) return true;
    return false;
}

/* `orders`, `public.orders`, or `orders.*` where it does not stand for columns. */
static bool has_whole_row(const struct row_names *names, const struct ast *node, enum ast_kind within) {
    if (node->kind == AST_COLUMN) {
        const struct ast *last = last_of(AST_AS(column, COLUMN, node)->names);
        if (last->kind != AST_STAR) return is_row_name(names, last);
        return within != AST_TARGET && within != AST_ROW;
    }
    for (int i = 0; i < ast_slot_count(node); i++)
        for (const struct ast *n = ast_slot(node, i); n; n = n->next)
            if (has_whole_row(names, n, (enum ast_kind)node->kind)) return true;
    return false;
}

void classify_copy_statement(struct classify *c, const struct ast *statement) {
    struct row_names names;
    if (!c->result.copies) return;
    names.count = 0;
    names.is_short = false;
    find_row_names(&names, statement);
    if (names.is_short || has_whole_row(&names, statement, AST_SELECT)) classify_deny_copies(c);
}

/* ---- for the proof --------------------------------------------------------------------------------------------------- */

void classify_put_copy_functions(struct writer *w) {
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        writer_u8(w, i ? ',' : '{');
        writer_str(w, functions[i]);
    }
    writer_u8(w, '}');
}
