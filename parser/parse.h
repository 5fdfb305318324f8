/*
 * parse.h - the back room of the parser: its state, its verbs, and who parses what.
 *
 * Recursive descent, one token of lookahead in `tok`, up to PARSE_AHEAD more by
 * parse_peek. Errors are sticky: the first one is noted with its position, and
 * from then on `tok` is TOKEN_ERROR for good, so that every loop ends and every
 * function comes home; the statement is checked once, at its end. Nodes are never
 * NULL: when memory is out they are one spare node that nobody will look at.
 *
 * The verbs (all about p->tok):
 *      parse_at(p, k)        is it k?
 *      parse_accept(p, k)    if it is k, go on and say so
 *      parse_expect(p, k)    it must be k
 *      parse_fail(p, why)    it must not be what it is
 *      parse_peek(p, n)      the kind of the token n places further, n >= 1
 *
 * Every function that makes a node leaves p->tok behind the node's last token
 * and sets its span: parse_node takes the start from p->tok, parse_done sets
 * the end. Functions named parse_X read an X that must be there; functions named
 * parse_opt_X read one if it is there and give NULL otherwise.
 */
#ifndef GILMOK_PARSER_PARSE_H
#define GILMOK_PARSER_PARSE_H

#include "parser/lex.h"
#include "parser/parser.h"

enum { PARSE_AHEAD = 8 };

/* MySQL: the INTOs and PROCEDUREs read since the statement began; where they may stand is known at its end. */
struct parse_into {
    uint32_t count, procedure_count;
    uint32_t tail_count; /* of the INTOs, those behind a query's FROM and what follows it */
    uint32_t at, procedure_at; /* offset of the last one */
};

struct sql_reader {
    struct token tok; /* the current token */
    uint32_t last_end; /* the end of the token before it */
    struct token ahead[PARSE_AHEAD]; /* a ring of tokens read in advance */
    unsigned ahead_first, ahead_count;
    struct lexer lex;
    struct arena *arena;
    const struct sql_options *options;
    const uint8_t *text;
    bool is_mysql, is_mariadb;
    bool failed;
    bool is_finished;   /* no statement left */
    bool is_after_semicolon;
    unsigned depth;      /* open constructs: PARSE_DEPTH_MAX */
    unsigned height;     /* of the chain being read, on top of depth: PARSE_HEIGHT_MAX */
    uint32_t param_max;
    struct parse_into into;
    uint32_t resume_at; /* after a failure, the statement's end is looked for from here on; 0: from its start */
    uint32_t routine_depth; /* inside how many routine bodies: statements of stored programs are allowed */
    struct sql_problem problem;
    union { /* what parse_node gives when memory is out */
        struct ast node;
        uint8_t bytes[sizeof(struct ast) + (AST_SLOTS_MAX + 4) * sizeof(struct ast *)];
    } spare;
};

/* ---- verbs ----------------------------------------------------------------------------------------------------------- */

void parse_advance_slow(struct sql_reader *p);
uint16_t parse_peek(struct sql_reader *p, unsigned n);
const struct token *parse_peek_token(struct sql_reader *p, unsigned n);
void parse_fail(struct sql_reader *p, const char *reason);
void parse_fail_at(struct sql_reader *p, uint32_t position, const char *reason);

static inline bool parse_at(const struct sql_reader *p, uint16_t kind) {
    return p->tok.kind == kind;
}

static inline void parse_advance(struct sql_reader *p) {
    if (UNLIKELY(p->ahead_count != 0 || p->failed)) {
        parse_advance_slow(p);
        return;
    }
    p->last_end = p->tok.end;
    lex_next(&p->lex, &p->tok);
    if (UNLIKELY(p->tok.kind == TOKEN_ERROR)) parse_fail_at(p, p->lex.problem_at, p->lex.problem);
}

static inline bool parse_accept(struct sql_reader *p, uint16_t kind) {
    if (p->tok.kind != kind) return false;
    parse_advance(p);
    return true;
}

void parse_expect_failed(struct sql_reader *p, uint16_t kind);
static inline void parse_expect(struct sql_reader *p, uint16_t kind) {
    if (LIKELY(p->tok.kind == kind)) parse_advance(p);
    else parse_expect_failed(p, kind);
}

/* Two words one after the other: both or none. */
bool parse_accept2(struct sql_reader *p, uint16_t first, uint16_t second);
bool parse_accept3(struct sql_reader *p, uint16_t first, uint16_t second, uint16_t third);
/* Is the token this word, keyword or not? For words that are no keyword of the dialect. `word` in lower case. */
bool parse_at_word(const struct sql_reader *p, const char *word);
bool parse_accept_word(struct sql_reader *p, const char *word);

/* enum keyword_use of the current token when it is a keyword, 0 otherwise. */
static inline uint8_t parse_uses(const struct sql_reader *p, uint16_t kind) {
    return kind >= KEYWORD_FIRST ? p->lex.keywords.uses[kind] : 0;
}

/* PostgreSQL at this version (150000) or later. */
static inline bool parse_is_pg(const struct sql_reader *p, uint32_t version) {
    return !p->is_mysql && p->options->version >= version;
}

/* Bounds recursion: every construct that may nest enters and leaves. False (and failed) when it is too deep. */
bool parse_enter(struct sql_reader *p);
static inline void parse_leave(struct sql_reader *p) {
    p->depth--;
}

/*
 * A chain of operators read by a loop makes a tree as high as the chain is long: parse_rise at every link, parse_sink with
 * their number behind the loop.
 */
void parse_too_deep(struct sql_reader *p);
static inline void parse_rise(struct sql_reader *p) {
    if (UNLIKELY(++p->height + p->depth * 4 > PARSE_HEIGHT_MAX)) parse_too_deep(p);
}
static inline void parse_sink(struct sql_reader *p, unsigned count) {
    p->height -= count;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------------- */

/* A zeroed node of this kind that starts at the current token. */
#define PARSE_NODE(p, type, constant) ((struct type *)parse_node((p), AST_##constant, sizeof(struct type)))

void *parse_node_failed(struct sql_reader *p, enum ast_kind kind);
static inline void *parse_node(struct sql_reader *p, enum ast_kind kind, size_t size) {
    struct ast *node = arena_alloc_words(p->arena, size);
    if (UNLIKELY(!node)) return parse_node_failed(p, kind);
    node->kind = (uint16_t)kind;
    node->start = p->tok.start;
    return node;
}

/* Ends the node behind the last token read. Takes any struct that begins with a node, gives it as one. */
static inline struct ast *parse_done(struct sql_reader *p, void *node) {
    struct ast *a = node;
    a->end = p->last_end;
    return a;
}

/* A list being built, node by node; a list may be its last one. */
struct parse_list {
    struct ast *first;
    struct ast **tail;
};
static inline void parse_list_init(struct parse_list *l) {
    l->first = NULL;
    l->tail = &l->first;
}
static inline void parse_list_add(struct parse_list *l, struct ast *node) {
    *l->tail = node;
    l->tail = &node->next;
}

/*
 * The same for a slot whose first node is known already. Slots are read only so, or when the statement has not failed: when
 * memory is out the node that was put there is the spare one, and so is the node that has the slot, empty again by now.
 */
static inline void parse_append(struct ast **slot, struct ast *node) {
    if (LIKELY(*slot)) (*slot)->next = node;
    else *slot = node;
}

typedef struct ast *parse_function(struct sql_reader *p);
/* item { "," item } */
struct ast *parse_comma_list(struct sql_reader *p, parse_function *item);
/* "(" item { "," item } ")" */
struct ast *parse_paren_list(struct sql_reader *p, parse_function *item);
struct ast *parse_opt_paren_list(struct sql_reader *p, parse_function *item);

/* A WORD of the current keyword (any token is taken: its kind becomes op), which is read. */
struct ast *parse_word(struct sql_reader *p);
/* OPTION whose name is this text (static), with these values; its span begins at `start`. */
struct ast *parse_option(struct sql_reader *p, uint32_t start, const char *name, struct ast *values);
/* One LITERAL: a number or a string, with its sign if `p` stands at one (then a UNARY). */
struct ast *parse_literal(struct sql_reader *p);
struct ast *parse_string(struct sql_reader *p);   /* a string literal that must be there; MySQL: one, no N'...' */
struct ast *parse_opt_string(struct sql_reader *p);
bool parse_at_string(const struct sql_reader *p);
struct ast *parse_signed_number(struct sql_reader *p); /* [+|-] number */
struct ast *parse_integer(struct sql_reader *p);       /* LITERAL: an integer of at most 31 bits without a sign */
bool parse_is_integer(const struct sql_reader *p, const struct token *t);

/*
 * Skips to the `;` or the end of the text that ends the statement, or to the closing parenthesis or bracket that has not
 * been opened here. For parts whose structure nobody needs. Balanced brackets are skipped as wholes.
 */
void parse_skip_rest(struct sql_reader *p);
/* "(" ... ")" as a whole. */
void parse_skip_parens(struct sql_reader *p);

/* ---- names: parse_name.c --------------------------------------------------------------------------------------------- */

/* May the current token be a name of a column, table, or alias behind AS? PostgreSQL: ColId. */
bool parse_at_name(const struct sql_reader *p);
bool parse_is_name(const struct sql_reader *p, uint16_t kind);
struct ast *parse_name(struct sql_reader *p);        /* NAME: ColId; MySQL: identifier */
struct ast *parse_label(struct sql_reader *p);       /* NAME: any word: ColLabel; behind a dot */
struct ast *parse_type_function_name(struct sql_reader *p); /* NAME: PostgreSQL type_function_name */
struct ast *parse_nonreserved_word(struct sql_reader *p); /* NAME: PostgreSQL NonReservedWord */
struct ast *parse_name_or_string(struct sql_reader *p); /* NAME or LITERAL string */
struct ast *parse_qualified_name(struct sql_reader *p); /* list of NAMEs: a.b.c */
struct ast *parse_name_list(struct sql_reader *p);   /* a, b, c */
struct ast *parse_paren_names(struct sql_reader *p); /* (a, b, c) */
struct ast *parse_opt_paren_names(struct sql_reader *p);
/* NAME of the current token whatever it is; its text is what the token says as an identifier. */
struct ast *parse_name_of_token(struct sql_reader *p);
/* NAME with a static text for the words since `start`. */
struct ast *parse_name_static(struct sql_reader *p, uint32_t start, const char *text);
/* A name is at hand or would begin here: column alias without AS, PostgreSQL BareColLabel. */
bool parse_at_bare_label(struct sql_reader *p);
bool parse_at_table_alias(struct sql_reader *p);
struct ast *parse_role(struct sql_reader *p);        /* OBJECT: user or role; MySQL: user@host, CURRENT_USER() */
struct ast *parse_operator_name(struct sql_reader *p); /* PostgreSQL: [schema.]+ as NAMEs, without OPERATOR() */
bool parse_is_operator(uint16_t kind); /* PostgreSQL: a token that is an operator by itself */

/* ---- MySQL's own: parse_mysql.h has the rest --------------------------------------------------------------------------- */

struct ast *parse_mysql_type(struct sql_reader *p);
struct ast *parse_mysql_cast_type(struct sql_reader *p);
struct ast *parse_mysql_special_call(struct sql_reader *p);
struct ast *parse_mysql_json_table(struct sql_reader *p);

/* ---- types: parse_type.c --------------------------------------------------------------------------------------------- */

struct ast *parse_type(struct sql_reader *p);     /* TYPE, PostgreSQL Typename or MySQL field type */
struct ast *parse_cast_type(struct sql_reader *p); /* TYPE inside CAST: MySQL has fewer and others */
struct ast *parse_opt_interval_fields(struct sql_reader *p); /* WORDs: YEAR TO MONTH and such, PostgreSQL */

/* ---- expressions: parse_expr.c, parse_call.c ------------------------------------------------------------------------- */

struct ast *parse_expr(struct sql_reader *p);      /* PostgreSQL a_expr */
struct ast *parse_expr_b(struct sql_reader *p);    /* PostgreSQL b_expr: no AND, OR, NOT, IN, LIKE ... at the top */
struct ast *parse_expr_primary(struct sql_reader *p); /* PostgreSQL c_expr; MySQL simple_expr: parse_primary.c */
/* Goes on with an expression whose first operand was read; it began at `start`. */
struct ast *parse_expr_rest(struct sql_reader *p, struct ast *left, uint32_t start);
/* "(" ... ")": true and a query, or false and a list of expressions. */
bool parse_paren(struct sql_reader *p, struct ast **out);
struct ast *parse_indirection(struct sql_reader *p, struct ast *base, uint32_t start); /* { "[" ... "]" | "." name } */
struct ast *parse_bit_expr(struct sql_reader *p);  /* MySQL bit_expr */
struct ast *parse_expr_or_default(struct sql_reader *p);
struct ast *parse_expr_list(struct sql_reader *p); /* a, b, c */
struct ast *parse_call(struct sql_reader *p, struct ast *names, uint32_t start); /* FUNC; at "(" */
struct ast *parse_application(struct sql_reader *p, struct ast *names, uint32_t start); /* the same without FILTER and OVER */
struct ast *parse_arg(struct sql_reader *p); /* an argument: expression or NAMED_ARG */
struct ast *parse_special_call(struct sql_reader *p); /* FUNC or CAST with syntax of its own, or NULL when it is none */
struct ast *parse_xml_passing(struct sql_reader *p); /* PASSING ... of XMLTABLE and XMLEXISTS: an expression */
struct ast *parse_func_primary(struct sql_reader *p); /* PostgreSQL func_expr_windowless: an index expression, a table function */
struct ast *parse_column(struct sql_reader *p);    /* COLUMN by name, no expression */
struct ast *parse_window(struct sql_reader *p);    /* WINDOW: "(" ... ")" */
struct ast *parse_filter_over(struct sql_reader *p, struct ast_func *f);
struct ast *parse_variable(struct sql_reader *p);  /* MySQL @a, @@a */
struct ast *parse_interval_unit(struct sql_reader *p); /* WORD */

/* ---- queries: parse_query.c, parse_select.c, parse_from.c ------------------------------------------------------------- */

bool parse_at_query(struct sql_reader *p);   /* SELECT, VALUES, TABLE, WITH, or parentheses with one of them inside */
struct ast *parse_query(struct sql_reader *p); /* SELECT, SETOP or VALUES, in parentheses or not, with WITH and all */
struct ast *parse_paren_query(struct sql_reader *p); /* "(" query ")" */
struct ast *parse_own_query(struct sql_reader *p); /* a query with an INTO of its own: of a cursor, MySQL */
/* MySQL: fails when an INTO or PROCEDURE of p->into stands where the statement may have none. */
void parse_check_into(struct sql_reader *p, const struct ast *statement);
/* Goes on with a query whose first part in parentheses (they began at `start`) was read: UNION ..., ORDER BY ..., LIMIT ... */
struct ast *parse_query_rest(struct sql_reader *p, struct ast *first, uint32_t start);
bool parse_at_query_word(struct sql_reader *p); /* SELECT, VALUES, TABLE, WITH */
bool parse_at_query_tail(struct sql_reader *p); /* what parse_query_rest would go on with */
struct ast *parse_with_clause(struct sql_reader *p);
struct ast *parse_select(struct sql_reader *p);      /* SELECT up to WINDOW, at SELECT */
struct ast *parse_values(struct sql_reader *p);      /* VALUES rows alone, at VALUES or VALUE */
struct ast *parse_table_query(struct sql_reader *p); /* TABLE name, at TABLE */
bool parse_at_lock(struct sql_reader *p);
struct ast *parse_opt_locks(struct sql_reader *p);   /* LOCKs */
void parse_opt_into(struct sql_reader *p, struct ast **slot); /* appends an INTO */
struct ast *parse_opt_hint(struct sql_reader *p);    /* HINT */
struct ast *parse_opt_export_options(struct sql_reader *p); /* FIELDS ... LINES ...: OPTIONs, MySQL */
struct ast *parse_statement_with(struct sql_reader *p); /* WITH ... then a query, INSERT, UPDATE, DELETE or MERGE */
struct ast *parse_targets(struct sql_reader *p);
struct ast *parse_opt_where(struct sql_reader *p);
struct ast *parse_opt_order(struct sql_reader *p);   /* ORDER BY: SORTs */
struct ast *parse_sort_list(struct sql_reader *p);   /* SORTs, without ORDER BY */
struct ast *parse_opt_limit(struct sql_reader *p);
struct ast *parse_opt_returning(struct sql_reader *p);
struct ast *parse_opt_alias(struct sql_reader *p, bool may_record); /* ALIAS; of functions also with definitions of columns */
struct ast *parse_record_column(struct sql_reader *p); /* COLUMN_DEF of such an alias */
struct ast *parse_opt_table_func(struct sql_reader *p); /* TABLE_FUNC of ROWS FROM, XMLTABLE, JSON_TABLE: parse_table_func.c */
struct ast *parse_table_func_rest(struct sql_reader *p, struct ast_table_func *t); /* [WITH ORDINALITY] [alias] */
struct ast *parse_from_list(struct sql_reader *p);   /* table references */
struct ast *parse_table_ref(struct sql_reader *p);
struct ast *parse_table_name(struct sql_reader *p);  /* TABLE: names alone */
struct ast *parse_relation(struct sql_reader *p);    /* TABLE: PostgreSQL [ONLY] name [*] */
struct ast *parse_relation_alias(struct sql_reader *p); /* TABLE with an alias, as UPDATE, DELETE, INSERT have it */
struct ast *parse_opt_portion(struct sql_reader *p);   /* OPTION: FOR PORTION OF */

/* ---- statements ------------------------------------------------------------------------------------------------------ */

struct ast *parse_insert(struct sql_reader *p, struct ast *with, uint32_t start); /* parse_dml.c */
struct ast *parse_update(struct sql_reader *p, struct ast *with, uint32_t start);
struct ast *parse_delete(struct sql_reader *p, struct ast *with, uint32_t start);
struct ast *parse_merge(struct sql_reader *p, struct ast *with, uint32_t start);
struct ast *parse_assignments(struct sql_reader *p);
struct ast *parse_copy(struct sql_reader *p);  /* parse_copy.c */
struct ast *parse_load(struct sql_reader *p);

/* Any statement at all, without its `;`. Statements inside EXPLAIN, PREPARE and such are read by it too. parse.c */
struct ast *parse_statement(struct sql_reader *p);

/* The statements that are not SELECT, VALUES, TABLE, WITH, INSERT, REPLACE, UPDATE, DELETE, MERGE, COPY, LOAD DATA. */
struct ast *parse_pg_command(struct sql_reader *p);    /* parse_pg_command.c and its like */
struct ast *parse_mysql_command(struct sql_reader *p); /* parse_mysql_command.c and its like */

/* COMMAND node that starts at the current token. */
static inline struct ast_command *parse_command(struct sql_reader *p, enum sql_verb verb, enum sql_object object) {
    struct ast_command *c = PARSE_NODE(p, ast_command, COMMAND);
    c->node.op = (uint16_t)verb;
    c->object = (uint16_t)object;
    return c;
}
/* OBJECT of this type around names. */
struct ast *parse_object(struct sql_reader *p, enum sql_object object, struct ast *names);

#endif
