/*
 * parse_mysql_body.c - the statements of stored programs, and compound statements outside of them (MariaDB).
 *
 * A block or a control statement is a COMMAND COMPOUND: its first word among the `options`, its conditions and bounds in
 * `args`, the statements below it, of all its branches, in `query`. Simple statements are read by parse_statement.
 *
 * A `;` inside must not end the statement, whatever stands between: a simple statement that cannot be read is skipped to its
 * `;`, a condition to the word behind it; the first trouble stays noted in p->problem while p->failed is false, and fails
 * the whole at its end. Only where the blocks themselves cannot be followed is the end unknown.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- parts that cannot be read --------------------------------------------------------------------------------------- */

/* Where the reader stood. */
struct mark {
    struct lexer lex;
    struct token tok, ahead[PARSE_AHEAD];
    unsigned ahead_first, ahead_count, depth, height;
    uint32_t last_end, routine_depth;
    struct sql_problem noted;
};

static void mark_set(const struct sql_reader *p, struct mark *mark) {
    mark->lex = p->lex;
    mark->tok = p->tok;
    memcpy(mark->ahead, p->ahead, sizeof mark->ahead);
    mark->ahead_first = p->ahead_first;
    mark->ahead_count = p->ahead_count;
    mark->depth = p->depth;
    mark->height = p->height;
    mark->last_end = p->last_end;
    mark->routine_depth = p->routine_depth;
    mark->noted = p->problem;
}

/*
 * Notes what went wrong and goes back to the mark. False when a body inside was lost: its `;` are not ours, and going on
 * from here would read the same text once for every body around it.
 */
static bool mark_return(struct sql_reader *p, const struct mark *mark) {
    if (p->routine_depth != mark->routine_depth) return false;
    if (mark->noted.reason) p->problem = mark->noted;
    p->failed = false;
    p->lex = mark->lex;
    p->tok = mark->tok;
    memcpy(p->ahead, mark->ahead, sizeof p->ahead);
    p->ahead_first = mark->ahead_first;
    p->ahead_count = mark->ahead_count;
    p->depth = mark->depth;
    p->height = mark->height;
    p->last_end = mark->last_end;
    return true;
}

/* To the `;` that ends a simple statement. */
static void skip_statement(struct sql_reader *p) {
    while (!parse_at(p, ';') && !parse_at(p, TOKEN_END) && !p->failed) parse_advance(p);
}

/* To the word behind a condition; CASE ... END may have the same words inside. */
static void skip_condition(struct sql_reader *p, uint16_t stop) {
    for (unsigned cases = 0; !parse_at(p, ';') && !parse_at(p, TOKEN_END) && !p->failed; parse_advance(p)) {
        if (cases == 0 && parse_at(p, stop)) return;
        if (parse_at(p, KW_CASE)) cases++;
        else if (parse_at(p, KW_END) && cases > 0) cases--;
    }
}

static bool at_end_of_statement(const struct sql_reader *p) {
    return parse_at(p, ';') || parse_at(p, TOKEN_END);
}

/* A statement that ends at its `;`. NULL when it could not be read. */
static struct ast *simple(struct sql_reader *p, parse_function *read) {
    struct mark mark;
    mark_set(p, &mark);
    struct ast *statement = read(p);
    if (!p->failed && !at_end_of_statement(p)) parse_fail(p, "syntax error");
    if (!p->failed) return statement;
    if (mark_return(p, &mark)) skip_statement(p);
    return NULL;
}

/* An expression up to the word `stop`, which is read. NULL when it could not be read. */
static struct ast *condition(struct sql_reader *p, uint16_t stop) {
    struct mark mark;
    mark_set(p, &mark);
    struct ast *expr = parse_expr(p);
    if (!p->failed) parse_expect(p, stop);
    if (!p->failed) return expr;
    if (!mark_return(p, &mark)) return NULL;
    skip_condition(p, stop);
    parse_expect(p, stop);
    return NULL;
}

static void add(struct parse_list *list, struct ast *node) {
    if (node) parse_list_add(list, node);
}

/* ---- blocks and control ---------------------------------------------------------------------------------------------- */

static struct ast *any_simple(struct sql_reader *p) {
    struct ast *statement = parse_mysql_routine_statement(p);
    return statement ? statement : parse_statement(p);
}

static struct ast *body_statement(struct sql_reader *p);

/* Does a word stand here that ends a list of statements? */
static bool at_end_of_list(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_END:
    case KW_ELSE:
    case KW_ELSEIF:
    case KW_WHEN:
    case KW_UNTIL:
    case TOKEN_END:
    case TOKEN_ERROR: return true;
    default: return false;
    }
}

/* { statement ";" }; control statements have at least one */
static void statements(struct sql_reader *p, struct parse_list *list, bool is_one_needed) {
    if (is_one_needed && at_end_of_list(p)) parse_fail(p, "syntax error: expected a statement");
    while (!at_end_of_list(p)) {
        add(list, body_statement(p));
        parse_expect(p, ';');
    }
}

/* The node of a block or control statement; its first word is read and kept. */
static struct ast_command *compound(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_COMPOUND, SQL_OBJECT_NONE);
    c->options = parse_word(p);
    return c;
}

static struct ast *compound_done(struct sql_reader *p, struct ast_command *c, struct parse_list *args, struct parse_list *list) {
    c->args = args->first;
    c->query = list->first;
    return parse_done(p, c);
}

/* IF condition THEN statements { ELSEIF condition THEN statements } [ELSE statements] END IF */
static struct ast *if_statement(struct sql_reader *p) {
    struct parse_list args, list;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    do {
        add(&args, condition(p, KW_THEN));
        statements(p, &list, true);
    } while (parse_accept(p, KW_ELSEIF));
    if (parse_accept(p, KW_ELSE)) statements(p, &list, true);
    parse_expect(p, KW_END);
    parse_expect(p, KW_IF);
    return compound_done(p, c, &args, &list);
}

/* CASE [expression] WHEN condition THEN statements { WHEN ... } [ELSE statements] END CASE */
static struct ast *case_statement(struct sql_reader *p) {
    struct parse_list args, list;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    if (!parse_accept(p, KW_WHEN)) add(&args, condition(p, KW_WHEN));
    do {
        add(&args, condition(p, KW_THEN));
        statements(p, &list, true);
    } while (parse_accept(p, KW_WHEN));
    if (parse_accept(p, KW_ELSE)) statements(p, &list, true);
    parse_expect(p, KW_END);
    parse_expect(p, KW_CASE);
    return compound_done(p, c, &args, &list);
}

/* LOOP statements END LOOP */
static struct ast *loop_statement(struct sql_reader *p) {
    struct parse_list args, list;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    statements(p, &list, true);
    parse_expect(p, KW_END);
    parse_expect(p, KW_LOOP);
    return compound_done(p, c, &args, &list);
}

/* WHILE condition DO statements END WHILE */
static struct ast *while_statement(struct sql_reader *p) {
    struct parse_list args, list;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    add(&args, condition(p, KW_DO));
    statements(p, &list, true);
    parse_expect(p, KW_END);
    parse_expect(p, KW_WHILE);
    return compound_done(p, c, &args, &list);
}

/* REPEAT statements UNTIL condition END REPEAT */
static struct ast *repeat_statement(struct sql_reader *p) {
    struct parse_list args, list;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    statements(p, &list, true);
    parse_expect(p, KW_UNTIL);
    add(&args, condition(p, KW_END));
    parse_expect(p, KW_REPEAT);
    return compound_done(p, c, &args, &list);
}

/* [REVERSE] expression ".." expression | "(" query ")" | cursor ["(" expressions ")"] */
static struct ast *for_bounds(struct sql_reader *p) {
    if (parse_at_query(p)) return parse_paren_query(p);
    parse_accept(p, KW_REVERSE);
    struct ast *low = parse_expr(p);
    if (parse_accept(p, TOKEN_DOT_DOT)) low->next = parse_expr(p);
    return low;
}

/* FOR name IN bounds DO statements END FOR (MariaDB) */
static struct ast *for_statement(struct sql_reader *p) {
    struct parse_list args, list;
    struct mark mark;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    c->objects = parse_name(p);
    parse_expect(p, KW_IN);
    mark_set(p, &mark);
    args.first = for_bounds(p);
    if (!p->failed) parse_expect(p, KW_DO);
    if (p->failed && mark_return(p, &mark)) {
        args.first = NULL;
        skip_condition(p, KW_DO);
        parse_expect(p, KW_DO);
    }
    statements(p, &list, true);
    parse_expect(p, KW_END);
    parse_expect(p, KW_FOR);
    return compound_done(p, c, &args, &list);
}

/* ---- declarations ---------------------------------------------------------------------------------------------------- */

/* DECLARE (CONTINUE | EXIT) HANDLER FOR condition { "," condition } statement */
static struct ast *declare_handler(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_DECLARE, SQL_OBJECT_NONE);
    parse_advance(p);
    c->options = parse_word(p);
    parse_expect(p, KW_HANDLER);
    parse_expect(p, KW_FOR);
    c->args = parse_comma_list(p, parse_mysql_handled_condition);
    c->query = body_statement(p);
    return parse_done(p, c);
}

static struct ast *declaration(struct sql_reader *p) {
    uint16_t first = parse_peek(p, 1), second = parse_peek(p, 2);
    if (second == KW_HANDLER && (first == KW_CONTINUE || first == KW_EXIT)) return declare_handler(p);
    if (second == KW_CURSOR) return simple(p, parse_mysql_declare_cursor);
    if (second == KW_CONDITION) return simple(p, parse_mysql_declare_condition);
    return simple(p, parse_mysql_declare_variables);
}

/* { declaration ";" } */
static void declarations(struct sql_reader *p, struct parse_list *list) {
    while (parse_at(p, KW_DECLARE)) {
        add(list, declaration(p));
        parse_expect(p, ';');
    }
}

/* BEGIN [NOT ATOMIC] { declaration ";" } { statement ";" } END */
static struct ast *block(struct sql_reader *p) {
    struct parse_list args, list;
    struct ast_command *c = compound(p);
    parse_list_init(&args);
    parse_list_init(&list);
    if (p->is_mariadb && parse_accept(p, KW_NOT)) parse_expect(p, KW_ATOMIC);
    declarations(p, &list);
    statements(p, &list, false);
    parse_expect(p, KW_END);
    return compound_done(p, c, &args, &list);
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* A block or a control statement, without labels. NULL: none. */
static struct ast *opt_compound(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_BEGIN: return block(p);
    case KW_IF: return if_statement(p);
    case KW_CASE: return case_statement(p);
    case KW_LOOP: return loop_statement(p);
    case KW_WHILE: return while_statement(p);
    case KW_REPEAT: return repeat_statement(p);
    case KW_FOR: return p->is_mariadb ? for_statement(p) : NULL;
    default: return NULL;
    }
}

/* label ":" (block | LOOP | WHILE | REPEAT | FOR) [label] */
static struct ast *labelled(struct sql_reader *p) {
    parse_name(p);
    parse_expect(p, ':');
    if (parse_at(p, KW_IF) || parse_at(p, KW_CASE)) parse_fail(p, "syntax error: a label before what is no loop");
    struct ast *statement = opt_compound(p);
    if (!statement) {
        parse_fail(p, "syntax error: expected a block or a loop");
        return NULL;
    }
    if (parse_at_name(p)) parse_name(p);
    return statement;
}

/* [label ":"] block | IF | CASE | loop | simple statement. NULL when it could not be read. */
static struct ast *body_statement(struct sql_reader *p) {
    struct ast *statement;
    if (!parse_enter(p)) {
        parse_leave(p);
        return NULL;
    }
    if (parse_at_name(p) && parse_peek(p, 1) == ':') statement = labelled(p);
    else statement = opt_compound(p);
    if (!statement && !p->failed) statement = simple(p, any_simple);
    parse_leave(p);
    return statement;
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

/* Gives how many bodies are open around this one. */
static uint32_t body_begin(struct sql_reader *p) {
    if (p->routine_depth == 0 && !p->failed) p->problem.reason = NULL;
    return p->routine_depth++;
}

/*
 * What could not be read inside fails the whole, now that its end is known. A lost body stays open for those around it to
 * see (mark_return); the outermost one closes them all.
 */
static void body_end(struct sql_reader *p, uint32_t around) {
    if (p->failed && around > 0) return;
    p->routine_depth = around;
    if (around > 0 || p->failed || !p->problem.reason) return;
    p->resume_at = p->tok.start;
    parse_fail_at(p, p->problem.position, p->problem.reason);
}

/* In sql_mode=ORACLE blocks, labels and words are others: where a program ends is not known here, so it takes all that follows. */
bool parse_mysql_refuse_oracle(struct sql_reader *p) {
    if (!(p->options->modes & SQL_ORACLE) || !p->is_mariadb) return false;
    uint32_t start = p->tok.start;
    while (!parse_at(p, TOKEN_END) && !p->failed) parse_advance(p);
    p->resume_at = p->lex.len;
    parse_fail_at(p, start, "stored programs in sql_mode=ORACLE are not analysed");
    return true;
}

void parse_mysql_body(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    uint32_t start = p->tok.start;
    c->node.flags |= AST_COMMAND_BODY;
    uint32_t around = body_begin(p);
    c->query = body_statement(p);
    parse_list_add(options, parse_option(p, start, "body", NULL));
    body_end(p, around);
}

/* (PROCEDURE name "(" parameters ")" | FUNCTION name "(" parameters ")" RETURNS type) { word } [statement]: a routine of a
   package, only announced when no statement follows */
static void package_routine(struct sql_reader *p, struct parse_list *list) {
    bool is_function = parse_at(p, KW_FUNCTION);
    parse_advance(p);
    parse_name(p);
    parse_mysql_parameters(p);
    if (is_function) {
        parse_expect(p, KW_RETURNS);
        parse_mysql_variable_type(p);
    }
    while (!at_end_of_statement(p) && !p->failed) {
        switch (p->tok.kind) {
        case KW_NO:
        case KW_NOT:
        case KW_SQL:
        case KW_READS:
        case KW_MODIFIES:
        case KW_CONTAINS:
        case KW_DETERMINISTIC:
        case KW_DATA:
        case KW_SECURITY:
        case KW_DEFINER:
        case KW_INVOKER:
        case KW_LANGUAGE:
        case KW_COMMENT:
        case TOKEN_STRING: parse_advance(p); break;
        default: add(list, body_statement(p)); return;
        }
    }
}

/* { declaration ";" | routine ";" } [BEGIN statements] END */
void parse_mysql_package_body(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    parse_list_init(&list);
    c->node.flags |= AST_COMMAND_BODY;
    uint32_t around = body_begin(p);
    while (parse_at(p, KW_DECLARE) || parse_at(p, KW_PROCEDURE) || parse_at(p, KW_FUNCTION)) {
        if (parse_at(p, KW_DECLARE)) add(&list, declaration(p));
        else package_routine(p, &list);
        parse_expect(p, ';');
    }
    parse_accept(p, KW_BEGIN);
    statements(p, &list, false);
    parse_expect(p, KW_END);
    c->query = list.first;
    parse_list_add(options, parse_option(p, start, "body", NULL));
    body_end(p, around);
}

/* ---- compound statements outside of stored programs (MariaDB) -------------------------------------------------------- */

bool parse_mysql_at_compound(struct sql_reader *p) {
    bool is_oracle_mode = p->options->modes & SQL_ORACLE;
    if (!p->is_mariadb) return false;
    switch (p->tok.kind) {
    case KW_BEGIN: return (parse_peek(p, 1) == KW_NOT && parse_peek(p, 2) == KW_ATOMIC) || is_oracle_mode;
    case KW_DECLARE:
    case TOKEN_SHIFT_LEFT: return is_oracle_mode;
    case KW_IF:
    case KW_CASE:
    case KW_LOOP:
    case KW_WHILE:
    case KW_REPEAT:
    case KW_FOR: return true;
    default: return false;
    }
}

/* BEGIN NOT ATOMIC ... END | IF ... | CASE ... | LOOP ... | WHILE ... | REPEAT ... | FOR ... */
struct ast *parse_mysql_compound(struct sql_reader *p) {
    struct ast *statement = NULL;
    if (!parse_mysql_refuse_oracle(p)) {
        uint32_t around = body_begin(p);
        statement = opt_compound(p);
        if (statement) statement->flags |= AST_COMMAND_BODY;
        else parse_fail(p, "syntax error: expected a compound statement");
        body_end(p, around);
    }
    return statement ? statement : parse_node_failed(p, AST_COMMAND);
}
