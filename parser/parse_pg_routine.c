/*
 * parse_pg_routine.c - functions, procedures and aggregates: how they are named, defined and changed.
 */
#include "parser/parse_pg_command.h"

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

struct argument {
    struct ast *mode; /* WORD, or NULL */
    struct ast *name; /* NAME, or NULL */
    struct ast *type;
};

/* [IN | OUT | INOUT | IN OUT | VARIADIC]; the WORD of IN OUT is INOUT */
static struct ast *opt_mode(struct sql_reader *p) {
    if (parse_at(p, KW_IN) && parse_peek(p, 1) == KW_OUT) {
        struct ast *mode = parse_word(p);
        parse_advance(p);
        mode->op = KW_INOUT;
        return parse_done(p, mode);
    }
    bool is_mode = parse_at(p, KW_IN) || parse_at(p, KW_OUT) || parse_at(p, KW_INOUT) || parse_at(p, KW_VARIADIC);
    return is_mode ? parse_word(p) : NULL;
}

/* May a type, or a mode and a type, begin with such a token? */
static bool begins_type(const struct sql_reader *p, uint16_t kind) {
    if (parse_pg_is_identifier(kind) || (parse_uses(p, kind) & KEYWORD_FUNCTION)) return true;
    switch (kind) {
    case KW_BIGINT: case KW_BIT: case KW_BOOLEAN: case KW_CHAR: case KW_CHARACTER: case KW_DEC: case KW_DECIMAL: case KW_FLOAT:
    case KW_INT: case KW_INTEGER: case KW_INTERVAL: case KW_NATIONAL: case KW_NCHAR: case KW_NUMERIC: case KW_REAL: case KW_SETOF:
    case KW_SMALLINT: case KW_TIME: case KW_TIMESTAMP: case KW_VARCHAR: case KW_IN: case KW_OUT: case KW_INOUT: case KW_VARIADIC:
        return true;
    case KW_JSON: return parse_uses(p, kind) != 0;
    default: return false;
    }
}

/* A name before a type, and not the type itself: another type follows. */
static bool at_argument_name(struct sql_reader *p) {
    bool is_name = parse_pg_is_identifier(p->tok.kind) || (parse_uses(p, p->tok.kind) & KEYWORD_FUNCTION);
    return is_name && begins_type(p, parse_peek(p, 1));
}

/* [mode] [name] type | name mode type */
static struct argument read_argument(struct sql_reader *p) {
    struct argument a = {.mode = opt_mode(p)};
    if (at_argument_name(p)) {
        a.name = parse_type_function_name(p);
        if (!a.mode) a.mode = opt_mode(p);
    }
    a.type = parse_pg_func_type(p);
    return a;
}

/* As a signature has it: the TYPE alone, with the mode among its options. */
static struct ast *argument_type(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct argument a = read_argument(p);
    if (a.mode && !p->failed) {
        struct ast_type *type = AST_AS(type, TYPE, a.type);
        a.mode->next = type->options;
        type->options = a.mode;
    }
    a.type->start = start;
    return a.type;
}

/* argument [(DEFAULT | "=") expression]: a COLUMN_DEF, its mode and default in `constraints` */
static struct ast *parameter(struct sql_reader *p) {
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    struct argument a = read_argument(p);
    struct parse_list l;
    parse_list_init(&l);
    d->name = a.name;
    d->type = a.type;
    parse_pg_append(p, &l, a.mode);
    if (parse_at(p, KW_DEFAULT) || parse_at(p, '=')) {
        struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
        c->node.op = CONSTRAINT_DEFAULT;
        parse_advance(p);
        c->expr = parse_expr(p);
        parse_list_add(&l, parse_done(p, c));
    }
    d->constraints = l.first;
    return parse_done(p, d);
}

/* "(" [item {"," item}] ")" */
static struct ast *paren_items(struct sql_reader *p, parse_function *item) {
    parse_expect(p, '(');
    struct ast *items = parse_at(p, ')') ? NULL : parse_comma_list(p, item);
    parse_expect(p, ')');
    return items;
}

/* ---- names and signatures -------------------------------------------------------------------------------------------- */

/* type or function name | name "." name {"." name} */
struct ast *parse_pg_func_name(struct sql_reader *p) {
    if (parse_at_name(p) && parse_peek(p, 1) == '.') return parse_qualified_name(p);
    return parse_type_function_name(p);
}

/* name "(" [arguments] ")" | name; alone, the name may also be a word that functions may not be called by */
struct ast *parse_pg_routine_signature(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    bool is_plain = parse_at_name(p) && parse_peek(p, 1) != '(';
    o->names = is_plain ? parse_qualified_name(p) : parse_pg_func_name(p);
    if (parse_at(p, '(')) o->args = paren_items(p, argument_type);
    return parse_done(p, o);
}

static bool has_mode(const struct ast *type, uint16_t keyword) {
    const struct ast *mode = AST_AS(type, TYPE, type)->options;
    return mode && mode->kind == AST_WORD && mode->op == keyword;
}

/* argument, which nothing comes out of */
static struct ast *aggregate_argument(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    struct ast *type = argument_type(p);
    if (p->failed) return type;
    if (has_mode(type, KW_OUT) || has_mode(type, KW_INOUT)) parse_fail_at(p, position, "aggregates have no output arguments");
    return type;
}

/* By name and dimensions. */
static bool is_same_type(const struct ast *left, const struct ast *right) {
    const struct ast_type *a = AST_AS(type, TYPE, left);
    const struct ast_type *b = AST_AS(type, TYPE, right);
    const struct ast *m = a->names;
    const struct ast *n = b->names;
    for (; m && n; m = m->next, n = n->next) {
        if (!bytes_equal(AST_AS(name, NAME, m)->text, AST_AS(name, NAME, n)->text)) return false;
    }
    const struct ast *x = a->bounds;
    const struct ast *y = b->bounds;
    for (; x && y; x = x->next, y = y->next) {}
    return !m && !n && !x && !y;
}

/* When the last direct argument is VARIADIC, one ordered argument goes with it: it is so too, and of the same type. */
static bool is_ordered_alike(const struct ast *direct, const struct ast *ordered) {
    while (direct && direct->next) direct = direct->next;
    if (!direct || !has_mode(direct, KW_VARIADIC)) return true;
    return !ordered->next && has_mode(ordered, KW_VARIADIC) && is_same_type(direct, ordered);
}

/* "(" ("*" | [arguments] [ORDER BY arguments]) ")"; the ordered ones are in OPTION "order by", after the direct ones */
static struct ast *aggregate_arguments(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    parse_expect(p, '(');
    if (parse_at(p, '*')) {
        parse_list_add(&l, PARSE_NODE(p, ast, STAR));
        parse_advance(p);
        parse_done(p, l.first);
        parse_expect(p, ')');
        return l.first;
    }
    if (!parse_at(p, KW_ORDER)) parse_pg_append(p, &l, parse_comma_list(p, aggregate_argument));
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_ORDER, KW_BY)) {
        struct ast *ordered = parse_comma_list(p, aggregate_argument);
        if (!p->failed && !is_ordered_alike(l.first, ordered)) {
            parse_fail_at(p, start, "one VARIADIC argument of the same type is expected behind ORDER BY");
        }
        parse_list_add(&l, parse_option(p, start, "order by", ordered));
    }
    parse_expect(p, ')');
    return l.first;
}

/* name aggregate arguments */
struct ast *parse_pg_aggregate_signature(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    o->names = parse_pg_func_name(p);
    o->args = aggregate_arguments(p);
    return parse_done(p, o);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

/* string ["," string] */
static struct ast *source(struct sql_reader *p) {
    struct ast *text = parse_string(p);
    if (parse_accept(p, ',')) text->next = parse_string(p);
    return text;
}

/* FOR TYPE type */
static struct ast *transform_type(struct sql_reader *p) {
    parse_expect(p, KW_FOR);
    parse_expect(p, KW_TYPE);
    return parse_type(p);
}

static struct ast *transform_types(struct sql_reader *p) {
    return parse_comma_list(p, transform_type);
}

/* What both CREATE and ALTER of routines take. */
static struct ast *opt_common_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_CALLED, KW_ON, KW_NULL, KW_INPUT}, .name = "called on null input"},
        {.words = {KW_RETURNS, KW_NULL, KW_ON, KW_NULL, KW_INPUT}, .name = "returns null on null input"},
        {.words = {KW_STRICT}, .name = "strict"},
        {.words = {KW_IMMUTABLE}, .name = "immutable"},
        {.words = {KW_STABLE}, .name = "stable"},
        {.words = {KW_VOLATILE}, .name = "volatile"},
        {.words = {KW_EXTERNAL, KW_SECURITY, KW_DEFINER}, .name = "security definer"},
        {.words = {KW_EXTERNAL, KW_SECURITY, KW_INVOKER}, .name = "security invoker"},
        {.words = {KW_SECURITY, KW_DEFINER}, .name = "security definer"},
        {.words = {KW_SECURITY, KW_INVOKER}, .name = "security invoker"},
        {.words = {KW_LEAKPROOF}, .name = "leakproof"},
        {.words = {KW_NOT, KW_LEAKPROOF}, .name = "not leakproof"},
        {.words = {KW_COST}, .name = "cost", .value = parse_signed_number},
        {.words = {KW_ROWS}, .name = "rows", .value = parse_signed_number},
        {.words = {KW_SUPPORT}, .name = "support", .value = parse_qualified_name},
        {.words = {KW_PARALLEL}, .name = "parallel", .value = parse_name},
        {.name = NULL},
    };
    struct ast *option = parse_pg_opt_phrase(p, options);
    if (option || (!parse_at(p, KW_SET) && !parse_at(p, KW_RESET))) return option;
    return parse_pg_set_clause_routine(p);
}

/* AS string ["," string] | LANGUAGE name | TRANSFORM types | WINDOW | a common option */
static struct ast *opt_create_option(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_AS}, .name = "as", .value = source},
        {.words = {KW_LANGUAGE}, .name = "language", .value = parse_pg_nonreserved_word_or_string},
        {.words = {KW_TRANSFORM}, .name = "transform", .value = transform_types},
        {.words = {KW_WINDOW}, .name = "window"},
        {.name = NULL},
    };
    struct ast *option = parse_pg_opt_phrase(p, options);
    return option ? option : opt_common_option(p);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

/* RETURN expression */
static struct ast *return_value(struct sql_reader *p) {
    return parse_pg_opt_clause(p, KW_RETURN, "return", parse_expr);
}

/* RETURN expression | statement; BEGIN and END are no statements here */
static struct ast *body_statement(struct sql_reader *p) {
    struct ast *value = return_value(p);
    if (value) return value;
    if (parse_at(p, KW_BEGIN)) parse_fail(p, "no transaction begins in a routine's body");
    return parse_statement(p);
}

/* BEGIN ATOMIC {[statement] ";"} END */
static struct ast *atomic_body(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    parse_expect(p, KW_BEGIN);
    parse_expect(p, KW_ATOMIC);
    parse_enter(p);
    while (!p->failed && !parse_at(p, KW_END)) {
        if (!parse_at(p, ';')) parse_list_add(&l, body_statement(p));
        parse_expect(p, ';');
    }
    parse_leave(p);
    parse_expect(p, KW_END);
    return l.first;
}

/* ---- CREATE ---------------------------------------------------------------------------------------------------------- */

/* name type */
static struct ast *result_column(struct sql_reader *p) {
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    d->name = parse_type_function_name(p);
    d->type = parse_pg_func_type(p);
    return parse_done(p, d);
}

static struct ast *result_columns(struct sql_reader *p) {
    return parse_paren_list(p, result_column);
}

/* The columns of TABLE (...) are the OUT arguments: there are no others then. */
static void refuse_out_parameters(struct sql_reader *p, const struct ast_command *c) {
    for (const struct ast *d = c->elements; d && !p->failed; d = d->next) {
        const struct ast *mode = AST_AS(column_def, COLUMN_DEF, d)->constraints;
        if (mode && mode->kind == AST_WORD && (mode->op == KW_OUT || mode->op == KW_INOUT)) {
            parse_fail_at(p, mode->start, "no OUT arguments in a function that returns a table");
        }
    }
}

/* [RETURNS (type | TABLE "(" columns ")")] */
static struct ast *opt_returns(struct sql_reader *p, const struct ast_command *c) {
    static const struct parse_pg_phrase results[] = {
        {.words = {KW_RETURNS, KW_TABLE}, .name = "returns table", .value = result_columns},
        {.words = {KW_RETURNS}, .name = "returns", .value = parse_pg_func_type},
        {.name = NULL},
    };
    if (parse_at(p, KW_RETURNS) && parse_peek(p, 1) == KW_NULL) return NULL;
    if (parse_at(p, KW_RETURNS) && parse_peek(p, 1) == KW_TABLE) refuse_out_parameters(p, c);
    return parse_pg_opt_phrase(p, results);
}

/*
 * (FUNCTION | PROCEDURE) name "(" [parameters] ")" [RETURNS ...] {option} [RETURN expression | BEGIN ATOMIC ... END]
 *
 * objects: the routine. elements: COLUMN_DEFs of parameters. options: "returns" first. query: the statements of a body in SQL
 * and OPTIONs "return".
 */
void parse_pg_create_routine(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->objects = parse_object(p, c->object, parse_pg_func_name(p));
    c->elements = paren_items(p, parameter);
    if (c->object == SQL_OBJECT_FUNCTION) parse_pg_append(p, &l, opt_returns(p, c));
    for (struct ast *option; (option = opt_create_option(p)) != NULL;) parse_list_add(&l, option);
    if (!parse_is_pg(p, 110000)) parse_pg_append(p, &l, parse_pg_opt_definition(p));
    c->options = l.first;
    c->query = parse_at(p, KW_BEGIN) ? atomic_body(p) : return_value(p);
}

/* identifier "=" value: an option of aggregates without a list of arguments; no keyword is taken */
static struct ast *old_option(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    if (!parse_pg_is_identifier(p->tok.kind)) parse_fail(p, "an option's name is expected here");
    o->name = parse_name(p);
    parse_expect(p, '=');
    o->values = parse_pg_def_arg(p);
    return parse_done(p, o);
}

/*
 * AGGREGATE name (aggregate arguments definition | "(" identifier "=" value {"," ...} ")")
 *
 * objects: the AGGREGATE, with its arguments. options: the definition.
 */
void parse_pg_create_aggregate(struct sql_reader *p, struct ast_command *c) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = SQL_OBJECT_AGGREGATE;
    o->names = parse_pg_func_name(p);
    bool is_old = parse_at(p, '(') && parse_pg_is_identifier(parse_peek(p, 1)) && parse_peek(p, 2) == '=';
    if (!is_old) o->args = aggregate_arguments(p);
    c->objects = parse_done(p, o);
    c->options = is_old ? parse_paren_list(p, old_option) : parse_pg_definition(p);
}

/* ---- ALTER ----------------------------------------------------------------------------------------------------------- */

/* option {option} [RESTRICT] */
void parse_pg_alter_routine(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    for (struct ast *option; (option = opt_common_option(p)) != NULL;) parse_list_add(&l, option);
    if (!l.first) parse_fail(p, "an option is expected here");
    if (parse_accept(p, KW_RESTRICT)) c->node.flags |= AST_COMMAND_RESTRICT;
    c->elements = l.first;
}
