/*
 * ast.h - the syntax tree of SQL, both dialects.
 *
 * A node begins with a `struct ast`; behind it stand its slots, each the first node
 * of a list linked by `next`, NULL when the part is absent. A slot said to hold
 * one node holds a list of one. So a tree can be walked without knowing its
 * kinds (ast_walk), and read by field where the kind is known:
 *
 *      const struct ast_select *s = AST_AS(select, SELECT, node);
 *      for (const struct ast *t = s->targets; t; t = t->next) ...
 *
 * Every node knows its bytes in the statement's text: [start, end). Parentheses
 * around an expression or a query belong to the node around it, not to the
 * expression; a query in parentheses carries AST_PARENS.
 *
 * The tree says what is written, not what it means: names are not resolved,
 * constants not computed, and what the grammar cannot tell apart (a column or a
 * whole row; a function or a cast) is one kind here.
 *
 * Memory: the arena that was given to the parser. Names point into the statement's
 * text where that is their value. Nothing is freed singly.
 *
 * Sources: PostgreSQL, "SQL Commands" and "Value Expressions"; MySQL Reference
 * Manual, "SQL Statements" and "Expressions"; MariaDB Knowledge Base, the same.
 */
#ifndef GILMOK_PARSER_AST_H
#define GILMOK_PARSER_AST_H

#include "base/bytes.h"
#include "base/writer.h"
#include "parser/ast_words.h"

struct ast {
    uint16_t kind;  /* enum ast_kind */
    uint16_t op;    /* which one of its kind; the comment at the kind says of which enum */
    uint32_t flags; /* enum ast_*_flag of the kind, and AST_PARENS, AST_NOT */
    uint32_t start; /* offset of its first byte in the text */
    uint32_t end;   /* offset behind its last byte */
    struct ast *next; /* the next in the list that holds it; NULL at the end */
};

/* Flags that many kinds share; the others of a kind start at bit 0. */
enum {
    AST_NOT = 1 << 30,    /* NOT IN, NOT LIKE, NOT BETWEEN, IS NOT, NOT EXISTS is a unary NOT */
    AST_PARENS = 1 << 31, /* written in parentheses (queries, table references, lists where it matters) */
};

/* ---- names and values ------------------------------------------------------------------------------------------------ */

/* AST_NAME: an identifier. op: 0, or the keyword (KW_) that it is written with. */
struct ast_name {
    struct ast node;
    struct bytes text; /* quotes and escapes undone, folded to lower case and cut to 63 bytes as PostgreSQL does */
};
enum ast_name_flag { AST_NAME_QUOTED = 1 };

/* AST_STAR: `*` in a target list, at the end of a column's names, or in count(*). No slots. */

/* AST_LITERAL: a constant. op: enum ast_literal. No slots; its text is its span. A sign is a unary operator. */
struct ast_literal {
    struct ast node;
    struct ast *parts; /* of several tokens (MySQL): the NAME of an introducer, _utf8mb4 'a'; LITERALs that are one: 'a' 'b' */
};

/* JOINED: PostgreSQL's pieces on several lines, with white space and -- comments between. */
enum ast_literal_flag { AST_LITERAL_JOINED = 1 };

/* AST_PARAM: $1 or ?. No slots. */
struct ast_param {
    struct ast node;
    uint32_t number; /* $n: n. ?: 1 for the first in the whole text */
};

/* AST_VARIABLE: @a or @@session.a (MySQL), and names of settings there. op: enum ast_scope. */
struct ast_variable {
    struct ast node;
    struct ast *names; /* NAMEs, without the scope */
};

/* AST_DEFAULT: the word DEFAULT where a value may stand; slot: names of MySQL's DEFAULT(column). */
struct ast_default {
    struct ast node;
    struct ast *column; /* one COLUMN, or NULL */
};

/* AST_WORD: a keyword as an option, such as the field of EXTRACT, a unit, a mode. op: the keyword. No slots. */

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

/* AST_COLUMN: a, t.a, s.t.a, t.*. Field selection behind names is part of it: the grammar cannot tell. */
struct ast_column {
    struct ast node;
    struct ast *names; /* NAMEs; the last may be a STAR */
};

/* AST_UNARY: op enum ast_operator. PostgreSQL's own operators: OPERATOR_CUSTOM. */
struct ast_unary {
    struct ast node;
    struct ast *arg;
    struct ast *symbol; /* NAMEs: the operator as written, with its schema in OPERATOR(s.+). NULL unless custom. */
};

/* AST_BINARY: op enum ast_operator. */
struct ast_binary {
    struct ast node;
    struct ast *left;
    struct ast *right;
    struct ast *symbol; /* as in unary */
};

/* AST_AND, AST_OR, AST_XOR: a OR b OR c is one node with three args. */
struct ast_logic {
    struct ast node;
    struct ast *args; /* two or more */
};

/* AST_IS: `arg IS ...`. op: enum ast_is. AST_NOT for IS NOT. */
struct ast_is {
    struct ast node;
    struct ast *arg;
    struct ast *right; /* IS DISTINCT FROM right; IS OF (types); IS JSON ... (words); else NULL */
};

/* AST_LIKE: op: LIKE, ILIKE, SIMILAR, REGEXP of enum ast_operator. AST_NOT. */
struct ast_like {
    struct ast node;
    struct ast *arg;
    struct ast *pattern;
    struct ast *escape; /* or NULL */
};

/* AST_BETWEEN: AST_NOT, AST_BETWEEN_SYMMETRIC. */
struct ast_between {
    struct ast node;
    struct ast *arg;
    struct ast *low;
    struct ast *high;
};
enum ast_between_flag { AST_BETWEEN_SYMMETRIC = 1 };

/* AST_IN: arg IN (list) or arg IN (query). AST_NOT. */
struct ast_in {
    struct ast node;
    struct ast *arg;
    struct ast *list;  /* expressions; NULL when it is a query */
    struct ast *query; /* SELECT, SETOP or VALUES */
};

/* AST_QUANTIFIED: left op ANY|SOME|ALL (right). op: enum ast_operator. AST_QUANTIFIED_ALL. */
struct ast_quantified {
    struct ast node;
    struct ast *left;
    struct ast *right;  /* a query, or an expression giving an array */
    struct ast *symbol; /* as in unary */
};
enum ast_quantified_flag { AST_QUANTIFIED_ALL = 1 };

/* AST_SUBQUERY: op: enum ast_subquery. (query), EXISTS (query), ARRAY(query). */
struct ast_subquery {
    struct ast node;
    struct ast *query;
};

/* AST_CASE */
struct ast_case {
    struct ast node;
    struct ast *arg;   /* CASE arg WHEN ...; or NULL */
    struct ast *whens; /* WHENs */
    struct ast *otherwise; /* ELSE, or NULL */
};

/* AST_WHEN */
struct ast_when {
    struct ast node;
    struct ast *condition;
    struct ast *result;
};

/* AST_CAST: op: enum ast_cast. */
struct ast_cast {
    struct ast node;
    struct ast *arg;
    struct ast *type; /* one TYPE; NULL with CAST_USING, whose option "using" has the character set */
    struct ast *options; /* FORMAT, AT TIME ZONE, USING (MySQL); or NULL */
};

/* AST_TYPE: a type's name. Interval fields, CHARACTER SET and such are words in `options`. */
struct ast_type {
    struct ast node;
    struct ast *names;     /* NAMEs; "double precision" is one name with that text, spaces and all */
    struct ast *modifiers; /* (10, 2), ENUM's values */
    struct ast *options;   /* WORDs and OPTIONs: UNSIGNED, ZEROFILL, CHARSET x, interval fields, WITH TIME ZONE */
    struct ast *bounds;    /* LITERALs or STARs ([] without a number), one for each [] or ARRAY */
};
enum ast_type_flag { AST_TYPE_SETOF = 1, AST_TYPE_PERCENT = 2 /* column%TYPE */ };

/* AST_FUNC: a call. op: enum ast_call. */
struct ast_func {
    struct ast node;
    struct ast *names;  /* NAMEs */
    struct ast *args;   /* expressions, NAMED_ARGs, STAR; words of special syntax are WORDs and OPTIONs among them */
    struct ast *order;  /* SORTs of ORDER BY inside the parentheses */
    struct ast *options; /* SEPARATOR, LIMIT, RETURNING, ON ERROR ...: OPTIONs */
    struct ast *within; /* SORTs of WITHIN GROUP (ORDER BY ...) */
    struct ast *filter; /* the condition of FILTER (WHERE ...) */
    struct ast *over;   /* one WINDOW: OVER name has only `base` */
};
enum ast_func_flag {
    AST_FUNC_DISTINCT = 1,
    AST_FUNC_ALL = 2,
    AST_FUNC_VARIADIC = 4, /* the last argument */
    AST_FUNC_IGNORE_NULLS = 8,
    AST_FUNC_RESPECT_NULLS = 16,
    AST_FUNC_FROM_LAST = 32,
};

/* AST_NAMED_ARG: name => value, name := value. */
struct ast_named_arg {
    struct ast node;
    struct ast *name;
    struct ast *value;
};

/* AST_FIELD: (expression).name or (expression).* */
struct ast_field {
    struct ast node;
    struct ast *arg;
    struct ast *name; /* NAME or STAR */
};

/* AST_SUBSCRIPT: arg[low] or arg[low:high]; AST_SUBSCRIPT_SLICE. */
struct ast_subscript {
    struct ast node;
    struct ast *arg;
    struct ast *low;
    struct ast *high;
};
enum ast_subscript_flag { AST_SUBSCRIPT_SLICE = 1 };

/* AST_ROW: (a, b) or ROW(a, b); AST_ROW_KEYWORD. AST_ARRAY: ARRAY[a, b]; inner [c, d] are AST_ARRAY too. */
struct ast_list_expr {
    struct ast node;
    struct ast *items;
};
enum ast_row_flag { AST_ROW_KEYWORD = 1 };

/* AST_COLLATE, AST_AT_ZONE (AT TIME ZONE, AT LOCAL has no zone). */
struct ast_collate {
    struct ast node;
    struct ast *arg;
    struct ast *names;
};
struct ast_at_zone {
    struct ast node;
    struct ast *arg;
    struct ast *zone;
};

/* AST_INTERVAL: INTERVAL value unit (MySQL). PostgreSQL's INTERVAL '1' DAY is a CAST. */
struct ast_interval {
    struct ast node;
    struct ast *value;
    struct ast *unit; /* one WORD */
};

/* AST_MATCH: MATCH (columns) AGAINST (against mode). */
struct ast_match {
    struct ast node;
    struct ast *columns;
    struct ast *against;
    struct ast *mode; /* WORDs: IN BOOLEAN MODE ..., or NULL */
};

/* AST_OPTION: a name and what belongs to it, where no kind says more. */
struct ast_option {
    struct ast node;
    struct ast *name;   /* one NAME: the words of the option in lower case, joined by spaces; NULL for a bare value */
    struct ast *values; /* anything; or NULL */
};

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

/* AST_TABLE: a table, view or CTE by name. */
struct ast_table {
    struct ast node;
    struct ast *names;      /* NAMEs: [[database.]schema.]table */
    struct ast *alias;      /* one ALIAS, or NULL */
    struct ast *sample;     /* one FUNC with option REPEATABLE: TABLESAMPLE; or NULL */
    struct ast *partitions; /* NAMEs of PARTITION (p0, p1) */
    struct ast *hints;      /* USE, FORCE, IGNORE INDEX: OPTIONs with the words as name, NAMEs as values */
    struct ast *period;     /* FOR SYSTEM_TIME ..., FOR PORTION OF: one OPTION */
};
enum ast_table_flag { AST_TABLE_ONLY = 1, AST_TABLE_STAR = 2 /* `t *` */ };

/* AST_ALIAS: [AS] name [(columns)] */
struct ast_alias {
    struct ast node;
    struct ast *name;    /* NULL in `AS (a int, ...)` */
    struct ast *columns; /* NAMEs, or COLUMN_DEFs for functions that return records */
};

/* AST_DERIVED: (query) alias. AST_DERIVED_LATERAL. */
struct ast_derived {
    struct ast node;
    struct ast *query;
    struct ast *alias;
};
enum ast_derived_flag { AST_DERIVED_LATERAL = 1, AST_DERIVED_ORDINALITY = 2 };

/* AST_TABLE_FUNC: a function, ROWS FROM (...), XMLTABLE or JSON_TABLE as a table. Flags as AST_DERIVED. */
struct ast_table_func {
    struct ast node;
    struct ast *funcs; /* FUNCs; each followed by no alias of its own except in ROWS FROM: OPTION "as" with COLUMN_DEFs */
    struct ast *alias;
};

/* AST_JOIN: op: enum ast_join. `a, b` in FROM is a list, not a JOIN. */
struct ast_join {
    struct ast node;
    struct ast *left;  /* one table reference (MySQL: a list in parentheses is possible) */
    struct ast *right;
    struct ast *on;    /* condition, or NULL */
    struct ast *using_; /* NAMEs, or NULL */
    struct ast *alias; /* of (a JOIN b) AS x, or of USING (...) AS x; or NULL */
};
enum ast_join_flag { AST_JOIN_NATURAL = 1, AST_JOIN_LIST = 2 /* MySQL: (a, b) is a list inside `left` */ };

/* ---- queries --------------------------------------------------------------------------------------------------------- */

/* AST_SELECT */
struct ast_select {
    struct ast node;
    struct ast *with;     /* one WITH */
    struct ast *hints;    /* MySQL: one HINT */
    struct ast *distinct; /* DISTINCT ON expressions */
    struct ast *targets;  /* TARGETs; NULL only in PostgreSQL's SELECT FROM t, or TABLE t */
    struct ast *into;     /* INTOs; MySQL allows them in several places */
    struct ast *from;     /* table references */
    struct ast *where;
    struct ast *group;    /* expressions, GROUPINGs; MySQL: SORTs in old forms */
    struct ast *having;
    struct ast *windows;  /* WINDOWs with names */
    struct ast *qualify;  /* MySQL 9: a condition over windows */
    struct ast *order;    /* SORTs */
    struct ast *limit;    /* one LIMIT */
    struct ast *locks;    /* LOCKs */
    struct ast *procedure; /* MySQL's PROCEDURE ANALYSE: one FUNC */
};
enum ast_select_flag {
    AST_SELECT_DISTINCT = 1,
    AST_SELECT_ALL = 1 << 1,
    AST_SELECT_GROUP_DISTINCT = 1 << 2,
    AST_SELECT_GROUP_ALL = 1 << 3,
    AST_SELECT_ROLLUP = 1 << 4, /* MySQL: GROUP BY ... WITH ROLLUP */
    AST_SELECT_TABLE = 1 << 5,  /* TABLE t */
    AST_SELECT_HIGH_PRIORITY = 1 << 6,
    AST_SELECT_STRAIGHT_JOIN = 1 << 7,
    AST_SELECT_SMALL_RESULT = 1 << 8,
    AST_SELECT_BIG_RESULT = 1 << 9,
    AST_SELECT_BUFFER_RESULT = 1 << 10,
    AST_SELECT_NO_CACHE = 1 << 11,
    AST_SELECT_CACHE = 1 << 12,
    AST_SELECT_CALC_FOUND_ROWS = 1 << 13,
};

/* AST_SETOP: a UNION b UNION c is one node with three branches, as long as operator and ALL are the same. op: enum ast_setop. */
struct ast_setop {
    struct ast node;
    struct ast *with;
    struct ast *branches; /* queries; two or more */
    struct ast *into;     /* MySQL: INTO behind the last branch */
    struct ast *order;
    struct ast *limit;
    struct ast *locks;
};
enum ast_setop_flag { AST_SETOP_ALL = 1, AST_SETOP_DISTINCT = 2 };

/* AST_VALUES: VALUES (1, 2), (3, 4); also of INSERT. */
struct ast_values {
    struct ast node;
    struct ast *with;
    struct ast *rows; /* ROWs */
    struct ast *order;
    struct ast *limit;
    struct ast *locks;
};

/* AST_TARGET: expression [AS name]; also of RETURNING. */
struct ast_target {
    struct ast node;
    struct ast *expr;
    struct ast *name; /* NAME, MySQL also a LITERAL string; or NULL */
};

/* AST_WITH: AST_WITH_RECURSIVE. */
struct ast_with {
    struct ast node;
    struct ast *ctes;
};
enum ast_with_flag { AST_WITH_RECURSIVE = 1 };

/* AST_CTE */
struct ast_cte {
    struct ast node;
    struct ast *name;
    struct ast *columns; /* NAMEs */
    struct ast *query;   /* a query, or INSERT, UPDATE, DELETE, MERGE */
    struct ast *search;  /* SEARCH ... SET x: one OPTION */
    struct ast *cycle;   /* CYCLE ...: one OPTION */
};
enum ast_cte_flag { AST_CTE_MATERIALIZED = 1, AST_CTE_NOT_MATERIALIZED = 2 };

/* AST_SORT: an item of ORDER BY; also of an index or a conflict target (then with collation and class). */
struct ast_sort {
    struct ast node;
    struct ast *expr;
    struct ast *using_;  /* USING operator: NAMEs */
    struct ast *collation; /* NAMEs */
    struct ast *opclass; /* NAMEs */
    struct ast *options; /* OPTIONs of the operator class */
};
enum ast_sort_flag { AST_SORT_ASC = 1, AST_SORT_DESC = 2, AST_SORT_NULLS_FIRST = 4, AST_SORT_NULLS_LAST = 8 };

/* AST_LIMIT: LIMIT, OFFSET, FETCH in any of their forms. */
struct ast_limit {
    struct ast node;
    struct ast *count;  /* NULL: no limit, or FETCH FIRST ROW (one), see flags */
    struct ast *offset; /* or NULL */
    struct ast *examined; /* MariaDB: ROWS EXAMINED n */
};
enum ast_limit_flag {
    AST_LIMIT_COMMA = 1,     /* LIMIT offset, count */
    AST_LIMIT_ALL = 2,       /* LIMIT ALL */
    AST_LIMIT_FETCH = 4,     /* FETCH FIRST count ROWS; one row when count is NULL */
    AST_LIMIT_WITH_TIES = 8,
};

/* AST_LOCK: FOR UPDATE ... op: enum ast_lock_strength. */
struct ast_lock {
    struct ast node;
    struct ast *tables; /* TABLEs of OF */
    struct ast *wait;   /* MariaDB: WAIT n */
};
enum ast_lock_flag { AST_LOCK_NOWAIT = 1, AST_LOCK_SKIP_LOCKED = 2 };

/* AST_INTO: op: enum ast_into. */
struct ast_into {
    struct ast node;
    struct ast *targets; /* one TABLE; a LITERAL file name; VARIABLEs and COLUMNs */
    struct ast *options; /* OPTIONs: CHARACTER SET, FIELDS, LINES */
};
enum ast_into_flag { AST_INTO_TEMPORARY = 1, AST_INTO_UNLOGGED = 2 };

/* AST_GROUPING: ROLLUP (...), CUBE (...), GROUPING SETS (...), (). op: enum ast_grouping. */
struct ast_grouping {
    struct ast node;
    struct ast *items;
};

/* AST_WINDOW: a definition in WINDOW or OVER. */
struct ast_window {
    struct ast node;
    struct ast *name;      /* WINDOW name AS (...) */
    struct ast *base;      /* OVER base, or (base ...) */
    struct ast *partition; /* expressions */
    struct ast *order;     /* SORTs */
    struct ast *frame;     /* one FRAME */
};

/* AST_FRAME: op: enum ast_frame. */
struct ast_frame {
    struct ast node;
    struct ast *from;    /* one BOUND */
    struct ast *to;      /* one BOUND, or NULL */
    struct ast *exclude; /* one WORD: CURRENT, GROUP, TIES, NO; or NULL */
};

/* AST_BOUND: op: enum ast_bound. */
struct ast_bound {
    struct ast node;
    struct ast *offset; /* of `offset PRECEDING` */
};

/* AST_HINT: an optimizer hint as a whole. No slots. */

/* ---- statements that change rows ------------------------------------------------------------------------------------- */

/* AST_INSERT: also REPLACE. */
struct ast_insert {
    struct ast node;
    struct ast *with;
    struct ast *hints;
    struct ast *table;     /* one TABLE */
    struct ast *columns;   /* COLUMNs; with fields and subscripts: SUBSCRIPT, FIELD */
    struct ast *query;     /* VALUES or another query; NULL with DEFAULT VALUES or SET */
    struct ast *set;       /* ASSIGNMENTs of INSERT ... SET */
    struct ast *row_alias; /* MySQL 8: VALUES (...) AS new(a, b): one ALIAS */
    struct ast *conflict;  /* one CONFLICT */
    struct ast *returning; /* TARGETs */
};
enum ast_insert_flag {
    AST_INSERT_REPLACE = 1,
    AST_INSERT_IGNORE = 2,
    AST_INSERT_LOW_PRIORITY = 4,
    AST_INSERT_HIGH_PRIORITY = 8,
    AST_INSERT_DELAYED = 16,
    AST_INSERT_DEFAULT_VALUES = 32,
    AST_INSERT_OVERRIDING_SYSTEM = 64,
    AST_INSERT_OVERRIDING_USER = 128,
};

/* AST_CONFLICT: ON CONFLICT or ON DUPLICATE KEY UPDATE. op: enum ast_conflict. */
struct ast_conflict {
    struct ast node;
    struct ast *target;     /* SORTs */
    struct ast *target_where;
    struct ast *constraint; /* one NAME */
    struct ast *set;        /* ASSIGNMENTs */
    struct ast *where;
};

/* AST_ASSIGNMENT: a = 1, (a, b) = (1, 2). */
struct ast_assignment {
    struct ast node;
    struct ast *targets; /* COLUMN, FIELD, SUBSCRIPT, VARIABLE; several when AST_ASSIGNMENT_MULTI */
    struct ast *value;
};
enum ast_assignment_flag { AST_ASSIGNMENT_MULTI = 1 };

/* AST_UPDATE */
struct ast_update {
    struct ast node;
    struct ast *with;
    struct ast *hints;
    struct ast *tables; /* PostgreSQL: the target. MySQL: table references; which are written, SET says */
    struct ast *set;    /* ASSIGNMENTs */
    struct ast *from;   /* PostgreSQL: FROM */
    struct ast *where;  /* a condition or CURRENT_OF */
    struct ast *order;
    struct ast *limit;
    struct ast *returning;
};
enum ast_update_flag { AST_UPDATE_IGNORE = 1, AST_UPDATE_LOW_PRIORITY = 2, AST_UPDATE_QUICK = 4, AST_UPDATE_HISTORY = 8 };

/* AST_DELETE: flags as AST_UPDATE; HISTORY: MariaDB's DELETE HISTORY. */
struct ast_delete {
    struct ast node;
    struct ast *with;
    struct ast *hints;
    struct ast *tables; /* what is deleted from: one TABLE; MySQL's multi-table forms: several, by name or alias */
    struct ast *from;   /* USING, or the table references of a multi-table DELETE; NULL when `tables` says it all */
    struct ast *where;
    struct ast *order;
    struct ast *limit;
    struct ast *returning;
};

/* AST_CURRENT_OF: WHERE CURRENT OF cursor. */
struct ast_current_of {
    struct ast node;
    struct ast *name; /* NAME or PARAM */
};

/* AST_MERGE */
struct ast_merge {
    struct ast node;
    struct ast *with;
    struct ast *table;
    struct ast *source; /* one table reference */
    struct ast *on;
    struct ast *whens;  /* MERGE_WHENs */
    struct ast *returning;
};

/* AST_MERGE_WHEN: op: enum ast_merge_action; flags: enum ast_merge_flag. */
struct ast_merge_when {
    struct ast node;
    struct ast *condition; /* AND condition, or NULL */
    struct ast *columns;   /* INSERT (columns) */
    struct ast *values;    /* one VALUES, or NULL with DEFAULT VALUES */
    struct ast *set;       /* ASSIGNMENTs */
};
enum ast_merge_flag {
    AST_MERGE_MATCHED = 1,
    AST_MERGE_BY_SOURCE = 2, /* NOT MATCHED BY SOURCE; without MATCHED and this it is NOT MATCHED [BY TARGET] */
    AST_MERGE_OVERRIDING_SYSTEM = 4,
    AST_MERGE_OVERRIDING_USER = 8,
};

/* AST_COPY */
struct ast_copy {
    struct ast node;
    struct ast *table;   /* one TABLE; NULL with a query */
    struct ast *columns; /* NAMEs */
    struct ast *query;   /* COPY (query) TO */
    struct ast *file;    /* LITERAL; NULL with STDIN, STDOUT */
    struct ast *options; /* OPTIONs */
    struct ast *where;
};
enum ast_copy_flag { AST_COPY_FROM = 1, AST_COPY_PROGRAM = 2, AST_COPY_BINARY = 4 };

/* AST_LOAD: LOAD DATA, LOAD XML. */
struct ast_load {
    struct ast node;
    struct ast *file;
    struct ast *table;
    struct ast *options; /* OPTIONs: CHARACTER SET, FIELDS ..., LINES ..., IGNORE n LINES, ROWS IDENTIFIED BY */
    struct ast *columns; /* COLUMNs and VARIABLEs */
    struct ast *set;     /* ASSIGNMENTs */
};
enum ast_load_flag {
    AST_LOAD_XML = 1,
    AST_LOAD_LOCAL = 2,
    AST_LOAD_REPLACE = 4,
    AST_LOAD_IGNORE = 8,
    AST_LOAD_LOW_PRIORITY = 16,
    AST_LOAD_CONCURRENT = 32,
};

/* ---- everything else ------------------------------------------------------------------------------------------------- */

/*
 * AST_COMMAND: any other statement. op: enum sql_verb; `object`: what kind of thing it is about. Together they
 * are the words of the command, such as CREATE TABLE (ast_statement_name). What each command puts into which slot stands
 * above its parse function.
 */
struct ast_command {
    struct ast node;
    struct ast *objects;  /* OBJECTs or TABLEs: what it is about */
    struct ast *args;     /* expressions, SETTINGs, NAMEs ... */
    struct ast *elements; /* COLUMN_DEFs, CONSTRAINTs and the like; of ALTER TABLE: OPTIONs, one an action */
    struct ast *options;  /* OPTIONs and WORDs */
    struct ast *query;    /* the statement inside: of EXPLAIN, PREPARE, DECLARE, CREATE VIEW ...; rules may have several */
    uint16_t object;      /* enum sql_object; 0 when the verb says it all. Not a slot. */
};
enum ast_command_flag {
    AST_COMMAND_IF_EXISTS = 1,
    AST_COMMAND_IF_NOT_EXISTS = 1 << 1,
    AST_COMMAND_OR_REPLACE = 1 << 2,
    AST_COMMAND_TEMPORARY = 1 << 3,
    AST_COMMAND_UNLOGGED = 1 << 4,
    AST_COMMAND_CASCADE = 1 << 5,
    AST_COMMAND_RESTRICT = 1 << 6,
    AST_COMMAND_CONCURRENTLY = 1 << 7,
    AST_COMMAND_LOCAL = 1 << 8,    /* SET LOCAL */
    AST_COMMAND_SESSION = 1 << 9,  /* SET SESSION */
    AST_COMMAND_GLOBAL = 1 << 10,  /* SHOW GLOBAL ... */
    AST_COMMAND_ALL = 1 << 11,     /* DEALLOCATE ALL, RESET ALL, FETCH ALL */
    AST_COMMAND_HOLD = 1 << 12,    /* DECLARE ... WITH HOLD */
    AST_COMMAND_ANALYZE = 1 << 13, /* EXPLAIN ANALYZE: the inner statement runs */
    AST_COMMAND_CHAIN = 1 << 14,   /* COMMIT AND CHAIN */
    AST_COMMAND_RELEASE = 1 << 15, /* COMMIT RELEASE (MySQL): the session ends */
    AST_COMMAND_READ_ONLY = 1 << 16,
    AST_COMMAND_READ_WRITE = 1 << 17,
    AST_COMMAND_UNIQUE = 1 << 18,
    AST_COMMAND_MATERIALIZED = 1 << 19,
    AST_COMMAND_RECURSIVE = 1 << 20,
    AST_COMMAND_NO_DATA = 1 << 21, /* WITH NO DATA */
    AST_COMMAND_BODY = 1 << 22,    /* a body was skipped over: routines, triggers, events, compound statements */
};

/* AST_OBJECT: a thing that a command names. op: enum sql_object. */
struct ast_object {
    struct ast node;
    struct ast *names; /* NAMEs; operators by their symbol; a LITERAL for user names in quotes */
    struct ast *args;  /* TYPEs of a routine or operator; or NULL */
    struct ast *on;    /* ON table, USING method: TABLE or NAMEs */
};

/* AST_SETTING: name = values. op: enum ast_scope. */
struct ast_setting {
    struct ast node;
    struct ast *names;  /* NAMEs; for user variables one NAME */
    struct ast *values; /* expressions; one DEFAULT; NULL with FROM CURRENT */
};
enum ast_setting_flag { AST_SETTING_INHERITED = 1 /* MySQL: the scope stands before an earlier setting of the list */ };

/* AST_COLUMN_DEF: name type constraints. */
struct ast_column_def {
    struct ast node;
    struct ast *name;
    struct ast *type;        /* or NULL (generated by AS (...) in MySQL has one; CREATE TABLE OF has none) */
    struct ast *constraints; /* CONSTRAINTs and OPTIONs */
};

/* AST_CONSTRAINT: of a column or a table. op: enum ast_constraint. */
struct ast_constraint {
    struct ast node;
    struct ast *name;
    struct ast *columns;    /* SORTs or NAMEs */
    struct ast *expr;       /* CHECK, DEFAULT, GENERATED */
    struct ast *table;      /* REFERENCES: one TABLE */
    struct ast *references; /* its NAMEs */
    struct ast *options;    /* WORDs and OPTIONs */
};

/* ---- kinds ----------------------------------------------------------------------------------------------------------- */

/* X(CONSTANT, struct or "ast" for a kind without slots, word in dumps, names of the slots in order) */
#define AST_KINDS(X)                                                                                                             \
    X(NAME, ast_name, "name", )                                                                                                  \
    X(STAR, ast, "star", )                                                                                                       \
    X(LITERAL, ast_literal, "literal", "parts")                                                                                  \
    X(PARAM, ast_param, "param", )                                                                                               \
    X(VARIABLE, ast_variable, "variable", "names")                                                                               \
    X(DEFAULT, ast_default, "default", "column")                                                                                 \
    X(WORD, ast, "word", )                                                                                                       \
    X(COLUMN, ast_column, "column", "names")                                                                                     \
    X(UNARY, ast_unary, "unary", "arg", "symbol")                                                                                \
    X(BINARY, ast_binary, "binary", "left", "right", "symbol")                                                                   \
    X(AND, ast_logic, "and", "args")                                                                                             \
    X(OR, ast_logic, "or", "args")                                                                                               \
    X(XOR, ast_logic, "xor", "args")                                                                                             \
    X(IS, ast_is, "is", "arg", "right")                                                                                          \
    X(LIKE, ast_like, "like", "arg", "pattern", "escape")                                                                        \
    X(BETWEEN, ast_between, "between", "arg", "low", "high")                                                                     \
    X(IN, ast_in, "in", "arg", "list", "query")                                                                                  \
    X(QUANTIFIED, ast_quantified, "quantified", "left", "right", "symbol")                                                       \
    X(SUBQUERY, ast_subquery, "subquery", "query")                                                                               \
    X(CASE, ast_case, "case", "arg", "whens", "else")                                                                            \
    X(WHEN, ast_when, "when", "condition", "result")                                                                             \
    X(CAST, ast_cast, "cast", "arg", "type", "options")                                                                          \
    X(TYPE, ast_type, "type", "names", "modifiers", "options", "bounds")                                                         \
    X(FUNC, ast_func, "func", "names", "args", "order", "options", "within", "filter", "over")                                   \
    X(NAMED_ARG, ast_named_arg, "named-arg", "name", "value")                                                                    \
    X(FIELD, ast_field, "field", "arg", "name")                                                                                  \
    X(SUBSCRIPT, ast_subscript, "subscript", "arg", "low", "high")                                                               \
    X(ROW, ast_list_expr, "row", "items")                                                                                        \
    X(ARRAY, ast_list_expr, "array", "items")                                                                                    \
    X(COLLATE, ast_collate, "collate", "arg", "names")                                                                           \
    X(AT_ZONE, ast_at_zone, "at-zone", "arg", "zone")                                                                            \
    X(INTERVAL, ast_interval, "interval", "value", "unit")                                                                       \
    X(MATCH, ast_match, "match", "columns", "against", "mode")                                                                   \
    X(OPTION, ast_option, "option", "name", "values")                                                                            \
    X(TABLE, ast_table, "table", "names", "alias", "sample", "partitions", "hints", "period")                                    \
    X(ALIAS, ast_alias, "alias", "name", "columns")                                                                              \
    X(DERIVED, ast_derived, "derived", "query", "alias")                                                                         \
    X(TABLE_FUNC, ast_table_func, "table-func", "funcs", "alias")                                                                \
    X(JOIN, ast_join, "join", "left", "right", "on", "using", "alias")                                                           \
    X(SELECT, ast_select, "select", "with", "hints", "distinct", "targets", "into", "from", "where", "group", "having",          \
      "windows", "qualify", "order", "limit", "locks", "procedure")                                                             \
    X(SETOP, ast_setop, "setop", "with", "branches", "into", "order", "limit", "locks")                                          \
    X(VALUES, ast_values, "values", "with", "rows", "order", "limit", "locks")                                                   \
    X(TARGET, ast_target, "target", "expr", "name")                                                                              \
    X(WITH, ast_with, "with", "ctes")                                                                                            \
    X(CTE, ast_cte, "cte", "name", "columns", "query", "search", "cycle")                                                        \
    X(SORT, ast_sort, "sort", "expr", "using", "collation", "opclass", "options")                                                \
    X(LIMIT, ast_limit, "limit", "count", "offset", "examined")                                                                  \
    X(LOCK, ast_lock, "lock", "tables", "wait")                                                                                  \
    X(INTO, ast_into, "into", "targets", "options")                                                                              \
    X(GROUPING, ast_grouping, "grouping", "items")                                                                               \
    X(WINDOW, ast_window, "window", "name", "base", "partition", "order", "frame")                                               \
    X(FRAME, ast_frame, "frame", "from", "to", "exclude")                                                                        \
    X(BOUND, ast_bound, "bound", "offset")                                                                                       \
    X(HINT, ast, "hint", )                                                                                                       \
    X(INSERT, ast_insert, "insert", "with", "hints", "table", "columns", "query", "set", "row-alias", "conflict", "returning")   \
    X(CONFLICT, ast_conflict, "conflict", "target", "target-where", "constraint", "set", "where")                                \
    X(ASSIGNMENT, ast_assignment, "assignment", "targets", "value")                                                              \
    X(UPDATE, ast_update, "update", "with", "hints", "tables", "set", "from", "where", "order", "limit", "returning")            \
    X(DELETE, ast_delete, "delete", "with", "hints", "tables", "from", "where", "order", "limit", "returning")                   \
    X(CURRENT_OF, ast_current_of, "current-of", "name")                                                                          \
    X(MERGE, ast_merge, "merge", "with", "table", "source", "on", "whens", "returning")                                          \
    X(MERGE_WHEN, ast_merge_when, "merge-when", "condition", "columns", "values", "set")                                         \
    X(COPY, ast_copy, "copy", "table", "columns", "query", "file", "options", "where")                                           \
    X(LOAD, ast_load, "load", "file", "table", "options", "columns", "set")                                                      \
    X(COMMAND, ast_command, "command", "objects", "args", "elements", "options", "query")                                        \
    X(OBJECT, ast_object, "object", "names", "args", "on")                                                                       \
    X(SETTING, ast_setting, "setting", "names", "values")                                                                        \
    X(COLUMN_DEF, ast_column_def, "column-def", "name", "type", "constraints")                                                   \
    X(CONSTRAINT, ast_constraint, "constraint", "name", "columns", "expr", "table", "references", "options")

enum ast_kind {
    AST_NONE, /* no node has it */
#define AST_ENUM(constant, type, word, ...) AST_##constant,
    AST_KINDS(AST_ENUM)
#undef AST_ENUM
    AST_KIND_COUNT,
};

enum { AST_SLOTS_MAX = 15 };

/* The node as its struct; aborts on the wrong kind. */
#define AST_AS(type, constant, node_ptr) ((struct ast_##type *)ast_checked((node_ptr), AST_##constant))
static inline void *ast_checked(const struct ast *node, enum ast_kind kind) {
    INVARIANT(node && node->kind == kind);
    return (void *)(uintptr_t)node;
}

/* ---- walking --------------------------------------------------------------------------------------------------------- */

int ast_slot_count(const struct ast *node);
struct ast *ast_slot(const struct ast *node, int slot); /* the first node of the slot's list, or NULL */
const char *ast_slot_name(const struct ast *node, int slot);
const char *ast_kind_name(enum ast_kind kind);

/*
 * Visits `node`, then what is below it in slot order, depth first; its siblings (`next`) not. The visitor returns false
 * to leave out what is below a node. Recursion is bounded by the parser's limit of height (PARSE_HEIGHT_MAX).
 */
typedef bool ast_visit(struct ast *node, void *ctx);
void ast_walk(struct ast *node, ast_visit *visit, void *ctx);

/* The words of a statement: "SELECT", "INSERT", "REPLACE", "CREATE TABLE", "SET". Static or in `buf` (64 bytes suffice). */
const char *ast_statement_name(const struct ast *statement, char *buf, size_t size);

/* One line, an s-expression: (kind[:op] [flags] [slot: (node) (node)] ...). Names and literals by their text. */
void ast_dump(const struct ast *node, struct bytes text, struct writer *w);

#endif
