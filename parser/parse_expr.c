/*
 * parse_expr.c - operators: how tightly each binds, and what stands on its right.
 *
 * One loop and one table of binding powers for each dialect (precedence climbing). An operator of power n takes what binds
 * tighter as its right operand; operators that do not associate (PostgreSQL's comparisons, LIKE, IS DISTINCT FROM ...) are
 * an error when they meet their like. What stands between operators is parse_primary.c.
 *
 * Agrees with: PostgreSQL documentation 4.1.6 "Operator Precedence"; MySQL manual "Operator Precedence" and
 * "Expression Syntax"; MariaDB "Operator Precedence".
 */
#include "parser/parse.h"

/* ---- binding powers -------------------------------------------------------------------------------------------------- */

enum pg_power {
    PG_NONE,
    PG_OR,
    PG_AND,
    PG_NOT,
    PG_IS,
    PG_COMPARE,
    PG_LIKE, /* BETWEEN, IN, LIKE, ILIKE, SIMILAR TO */
    PG_OP,   /* every other operator */
    PG_ADD,
    PG_MUL,
    PG_POW,
    PG_AT,
    PG_COLLATE,
    PG_SIGN,
    PG_CAST,
};

static const uint8_t pg_powers[KEYWORD_END] = {
    [KW_OR] = PG_OR, [KW_AND] = PG_AND, [KW_IS] = PG_IS, [KW_ISNULL] = PG_IS, [KW_NOTNULL] = PG_IS,
    ['<'] = PG_COMPARE, ['>'] = PG_COMPARE, ['='] = PG_COMPARE, [TOKEN_LESS_EQUAL] = PG_COMPARE,
    [TOKEN_GREATER_EQUAL] = PG_COMPARE, [TOKEN_NOT_EQUAL] = PG_COMPARE,
    [KW_BETWEEN] = PG_LIKE, [KW_IN] = PG_LIKE, [KW_LIKE] = PG_LIKE, [KW_ILIKE] = PG_LIKE, [KW_SIMILAR] = PG_LIKE,
    [KW_NOT] = PG_LIKE, /* NOT LIKE ...; any other NOT ends the operand */
    [TOKEN_OPERATOR] = PG_OP, [TOKEN_RIGHT_ARROW] = PG_OP, [KW_OPERATOR] = PG_OP,
    ['+'] = PG_ADD, ['-'] = PG_ADD, ['*'] = PG_MUL, ['/'] = PG_MUL, ['%'] = PG_MUL, ['^'] = PG_POW,
    [KW_AT] = PG_AT, [KW_COLLATE] = PG_COLLATE, [TOKEN_TYPECAST] = PG_CAST, [KW_OVERLAPS] = PG_CAST,
};

enum my_power {
    MY_NONE,
    MY_OR,
    MY_XOR,
    MY_AND,
    MY_NOT,
    MY_COMPARE, /* and IS */
    MY_LIKE,    /* BETWEEN, IN, LIKE, REGEXP, SOUNDS LIKE, MEMBER OF */
    MY_BIT_OR,
    MY_BIT_AND,
    MY_SHIFT,
    MY_ADD,
    MY_MUL,
    MY_POW,
    MY_CONCAT, /* || under PIPES_AS_CONCAT */
    MY_SIGN,
    MY_COLLATE,
    MY_JSON,
};

static const uint8_t my_powers[KEYWORD_END] = {
    [KW_OR] = MY_OR, [TOKEN_OR_OR] = MY_OR, [KW_XOR] = MY_XOR, [KW_AND] = MY_AND, [TOKEN_AND_AND] = MY_AND,
    ['<'] = MY_COMPARE, ['>'] = MY_COMPARE, ['='] = MY_COMPARE, [TOKEN_LESS_EQUAL] = MY_COMPARE,
    [TOKEN_GREATER_EQUAL] = MY_COMPARE, [TOKEN_NOT_EQUAL] = MY_COMPARE, [TOKEN_NULL_SAFE_EQUAL] = MY_COMPARE,
    [KW_IS] = MY_COMPARE, [KW_BETWEEN] = MY_LIKE, [KW_IN] = MY_LIKE, [KW_LIKE] = MY_LIKE, [KW_REGEXP] = MY_LIKE,
    [KW_RLIKE] = MY_LIKE, [KW_SOUNDS] = MY_LIKE, [KW_MEMBER] = MY_LIKE, [KW_NOT] = MY_LIKE,
    ['|'] = MY_BIT_OR, ['&'] = MY_BIT_AND, [TOKEN_SHIFT_LEFT] = MY_SHIFT, [TOKEN_SHIFT_RIGHT] = MY_SHIFT,
    ['+'] = MY_ADD, ['-'] = MY_ADD, ['*'] = MY_MUL, ['/'] = MY_MUL, ['%'] = MY_MUL, [KW_DIV] = MY_MUL, [KW_MOD] = MY_MUL,
    ['^'] = MY_POW, [KW_COLLATE] = MY_COLLATE, [TOKEN_JSON_EXTRACT] = MY_JSON, [TOKEN_JSON_UNQUOTE] = MY_JSON,
};

/* The operator that a token is, in both dialects; OPERATOR_CUSTOM when it has no name of its own. */
static enum ast_operator operator_of(uint16_t kind) {
    switch (kind) {
    case '=': return OPERATOR_EQ;
    case '<': return OPERATOR_LT;
    case '>': return OPERATOR_GT;
    case TOKEN_LESS_EQUAL: return OPERATOR_LE;
    case TOKEN_GREATER_EQUAL: return OPERATOR_GE;
    case TOKEN_NOT_EQUAL: return OPERATOR_NE;
    case TOKEN_NULL_SAFE_EQUAL: return OPERATOR_NULL_SAFE_EQ;
    case '+': return OPERATOR_ADD;
    case '-': return OPERATOR_SUB;
    case '*': return OPERATOR_MUL;
    case '/': return OPERATOR_DIV;
    case '%':
    case KW_MOD: return OPERATOR_MOD;
    case KW_DIV: return OPERATOR_INT_DIV;
    case '^': return OPERATOR_POW; /* MySQL: the caller says BIT_XOR */
    case '&': return OPERATOR_BIT_AND;
    case '|': return OPERATOR_BIT_OR;
    case TOKEN_SHIFT_LEFT: return OPERATOR_SHIFT_LEFT;
    case TOKEN_SHIFT_RIGHT: return OPERATOR_SHIFT_RIGHT;
    case TOKEN_OR_OR: return OPERATOR_CONCAT;
    case TOKEN_JSON_EXTRACT: return OPERATOR_JSON_EXTRACT;
    case TOKEN_JSON_UNQUOTE: return OPERATOR_JSON_UNQUOTE;
    case KW_LIKE: return OPERATOR_LIKE;
    case KW_ILIKE: return OPERATOR_ILIKE;
    case KW_REGEXP:
    case KW_RLIKE: return OPERATOR_REGEXP;
    default: return OPERATOR_CUSTOM;
    }
}

/* ---- shared pieces --------------------------------------------------------------------------------------------------- */

/* Which operands an expression takes: its least binding power, and whether it is a b_expr. */
struct level {
    unsigned min;
    bool is_b;
};

static struct ast *expr_at(struct sql_reader *p, struct level level);

static struct ast *operand(struct sql_reader *p, unsigned min, bool is_b) {
    return expr_at(p, (struct level){.min = min, .is_b = is_b});
}

/* A node that begins where its left operand began. */
#define INFIX_NODE(p, type, constant, from) ((struct type *)infix_node((p), AST_##constant, sizeof(struct type), (from)))
static void *infix_node(struct sql_reader *p, enum ast_kind kind, size_t size, uint32_t start) {
    struct ast *node = parse_node(p, kind, size);
    node->start = start;
    return node;
}

/*
 * PostgreSQL: does the token at hand end a result column? A keyword that could be an operator is the column's label then:
 * SELECT a and FROM t.
 */
static bool is_end_of_target(uint16_t kind) {
    switch (kind) {
    case TOKEN_END:
    case ';':
    case ',':
    case ')':
    case KW_EXCEPT:
    case KW_FETCH:
    case KW_FOR:
    case KW_FROM:
    case KW_GROUP:
    case KW_HAVING:
    case KW_INTERSECT:
    case KW_INTO:
    case KW_LIMIT:
    case KW_OFFSET:
    case KW_ON:
    case KW_ORDER:
    case KW_RETURNING:
    case KW_UNION:
    case KW_WHERE:
    case KW_WINDOW:
    case KW_WITH: return true;
    default: return false;
    }
}

/* Back to `token`, which was read last, when `last_end` was the end of the one before it. */
static void unread(struct sql_reader *p, const struct token *token, uint32_t last_end) {
    if (p->failed) return;
    INVARIANT(p->ahead_count < PARSE_AHEAD);
    p->ahead_first = (p->ahead_first + PARSE_AHEAD - 1) % PARSE_AHEAD;
    p->ahead[p->ahead_first] = p->tok;
    p->ahead_count++;
    p->tok = *token;
    p->last_end = last_end;
}

/*
 * a AND b AND c: the operator was not read. All operands of one chain go into one node. Gives `left` when the word turns out
 * to be no operator.
 */
static struct ast *parse_logic(struct sql_reader *p, enum ast_kind kind, struct ast *left, uint32_t start, unsigned min,
                               struct level level) {
    bool may_be_label = !p->is_mysql && level.min == 1;
    uint16_t word = p->tok.kind, other = word;
    struct ast_logic *node = infix_node(p, kind, sizeof *node, start);
    struct parse_list args;
    parse_list_init(&args);
    parse_list_add(&args, left);
    if (p->is_mysql) {
        if (word == KW_OR) other = p->options->modes & SQL_PIPES_AS_CONCAT ? word : TOKEN_OR_OR;
        else if (word == TOKEN_OR_OR) other = KW_OR;
        else if (word == KW_AND) other = TOKEN_AND_AND;
        else if (word == TOKEN_AND_AND) other = KW_AND;
    }
    while (parse_at(p, word) || parse_at(p, other)) {
        struct token token = p->tok;
        uint32_t last_end = p->last_end;
        parse_advance(p);
        if (UNLIKELY(may_be_label && is_end_of_target(p->tok.kind))) {
            unread(p, &token, last_end);
            break;
        }
        parse_list_add(&args, operand(p, min + 1, level.is_b));
    }
    if (UNLIKELY(args.first == left && !left->next)) return left;
    node->args = args.first;
    return parse_done(p, node);
}

/* Behind an operator: ANY, SOME or ALL, with what follows. NULL when it is none of them. PostgreSQL: "(" expr ")" too. */
static struct ast *parse_opt_quantified(struct sql_reader *p, struct ast *left, uint32_t start, enum ast_operator op,
                                        struct ast *symbol) {
    if (!parse_at(p, KW_ANY) && !parse_at(p, KW_SOME) && !parse_at(p, KW_ALL)) return NULL;
    if (p->is_mysql && parse_peek(p, 1) != '(') return NULL;
    struct ast_quantified *node = INFIX_NODE(p, ast_quantified, QUANTIFIED, start);
    node->node.op = (uint16_t)op;
    if (parse_at(p, KW_ALL)) node->node.flags |= AST_QUANTIFIED_ALL;
    parse_advance(p);
    if (!parse_at(p, '(')) parse_fail(p, "syntax error: expected (");
    struct ast *inside = NULL;
    bool is_query = parse_paren(p, &inside);
    if (!p->failed && !is_query && (p->is_mysql || inside->next)) parse_fail_at(p, inside->start, "syntax error: expected a query");
    node->left = left;
    node->right = inside;
    node->symbol = symbol;
    return parse_done(p, node);
}

static struct ast *binary(struct sql_reader *p, enum ast_operator op, struct ast *left, struct ast *right, struct ast *symbol,
                          uint32_t start) {
    struct ast_binary *node = INFIX_NODE(p, ast_binary, BINARY, start);
    node->node.op = (uint16_t)op;
    node->left = left;
    node->right = right;
    node->symbol = symbol;
    return parse_done(p, node);
}

/* [NOT] IN "(" query | expr { "," expr } ")" - at IN */
static struct ast *parse_in(struct sql_reader *p, struct ast *left, uint32_t start, uint32_t not_flag) {
    struct ast_in *node = INFIX_NODE(p, ast_in, IN, start);
    node->node.flags = not_flag;
    node->arg = left;
    parse_advance(p);
    if (!parse_at(p, '(')) parse_fail(p, "syntax error: expected (");
    struct ast *inside = NULL;
    if (parse_paren(p, &inside)) node->query = inside;
    else node->list = inside;
    return parse_done(p, node);
}

/* [NOT] BETWEEN [SYMMETRIC | ASYMMETRIC] low AND high - at BETWEEN */
static struct ast *parse_between(struct sql_reader *p, struct ast *left, uint32_t start, uint32_t not_flag) {
    struct ast_between *node = INFIX_NODE(p, ast_between, BETWEEN, start);
    node->node.flags = not_flag;
    node->arg = left;
    parse_advance(p);
    if (!p->is_mysql) {
        if (parse_accept(p, KW_SYMMETRIC)) node->node.flags |= AST_BETWEEN_SYMMETRIC;
        else parse_accept(p, KW_ASYMMETRIC);
    }
    if (p->is_mysql) node->low = operand(p, p->is_mariadb ? (unsigned)MY_LIKE : (unsigned)MY_BIT_OR, false);
    else node->low = operand(p, PG_OR, true);
    parse_expect(p, KW_AND);
    node->high = operand(p, p->is_mysql ? (unsigned)MY_LIKE : (unsigned)PG_LIKE + 1, false);
    return parse_done(p, node);
}

static bool is_negated_operator(struct sql_reader *p);
static struct ast *parse_mysql_predicate(struct sql_reader *p, struct ast *left, uint32_t start);

/*
 * What stands behind LIKE and its kin. In MariaDB a negated predicate behind it belongs to it (a LIKE b NOT LIKE c is
 * a LIKE (b NOT LIKE c)), while a LIKE b LIKE c is (a LIKE b) LIKE c.
 */
static struct ast *pattern_operand(struct sql_reader *p, unsigned tight) {
    uint32_t start = p->tok.start;
    struct ast *node = operand(p, tight, false);
    if (!p->is_mariadb || !parse_at(p, KW_NOT)) return node;
    if (parse_enter(p)) {
        while (parse_at(p, KW_NOT) && is_negated_operator(p)) node = parse_mysql_predicate(p, node, start);
    }
    parse_leave(p);
    return node;
}

/* [NOT] (LIKE | ILIKE | SIMILAR TO | REGEXP | RLIKE) pattern [ESCAPE expr] - at the word; `tight` binds the pattern. */
static struct ast *parse_like(struct sql_reader *p, struct ast *left, uint32_t start, uint32_t not_flag, unsigned tight) {
    enum ast_operator op = parse_at(p, KW_SIMILAR) ? OPERATOR_SIMILAR : operator_of(p->tok.kind);
    parse_advance(p);
    if (op == OPERATOR_SIMILAR) {
        parse_expect(p, KW_TO);
    } else if (!p->is_mysql) {
        struct ast *quantified = parse_opt_quantified(p, left, start, op, NULL);
        if (quantified) {
            quantified->flags |= not_flag;
            return quantified;
        }
    }
    struct ast_like *node = INFIX_NODE(p, ast_like, LIKE, start);
    node->node.op = (uint16_t)op;
    node->node.flags = not_flag;
    node->arg = left;
    node->pattern = pattern_operand(p, tight);
    if (op != OPERATOR_REGEXP && parse_accept(p, KW_ESCAPE)) node->escape = pattern_operand(p, tight);
    return parse_done(p, node);
}

/* COLLATE name - at COLLATE */
static struct ast *parse_collate(struct sql_reader *p, struct ast *left, uint32_t start) {
    struct ast_collate *node = INFIX_NODE(p, ast_collate, COLLATE, start);
    parse_advance(p);
    node->arg = left;
    node->names = p->is_mysql ? parse_name_or_string(p) : parse_qualified_name(p);
    return parse_done(p, node);
}

/* ---- PostgreSQL ------------------------------------------------------------------------------------------------------ */

/* NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM expr | DOCUMENT | [form] NORMALIZED | JSON [kind] [unique]
   - behind IS [NOT]. `*is_open` when it ends with an operand. */
static void parse_pg_is_what(struct sql_reader *p, struct ast_is *node, bool is_b, bool *is_open) {
    if (parse_at(p, KW_DISTINCT)) {
        parse_advance(p);
        parse_expect(p, KW_FROM);
        node->node.op = IS_DISTINCT_FROM;
        node->right = operand(p, PG_IS + 1, is_b);
        *is_open = true;
        return;
    }
    if (parse_accept(p, KW_DOCUMENT)) {
        node->node.op = IS_DOCUMENT;
        return;
    }
    if (is_b) {
        parse_fail(p, "syntax error");
        return;
    }
    switch (p->tok.kind) {
    case KW_NULL: node->node.op = IS_NULL; break;
    case KW_TRUE: node->node.op = IS_TRUE; break;
    case KW_FALSE: node->node.op = IS_FALSE; break;
    case KW_UNKNOWN: node->node.op = IS_UNKNOWN; break;
    case KW_NFC:
    case KW_NFD:
    case KW_NFKC:
    case KW_NFKD:
        node->right = parse_word(p);
        node->node.op = IS_NORMALIZED;
        parse_expect(p, KW_NORMALIZED);
        return;
    case KW_NORMALIZED: node->node.op = IS_NORMALIZED; break;
    case KW_JSON: {
        struct parse_list words;
        parse_list_init(&words);
        node->node.op = IS_JSON;
        parse_advance(p);
        if (parse_at(p, KW_VALUE) || parse_at(p, KW_ARRAY) || parse_at(p, KW_OBJECT) || parse_at(p, KW_SCALAR)) {
            parse_list_add(&words, parse_word(p));
        }
        if ((parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT)) && parse_peek(p, 1) == KW_UNIQUE) {
            parse_list_add(&words, parse_word(p));
            parse_list_add(&words, parse_word(p));
            parse_accept(p, KW_KEYS);
        }
        node->right = words.first;
        return;
    }
    default: parse_fail(p, "syntax error"); break;
    }
    parse_advance(p);
}

/* IS [NOT] what | ISNULL | NOTNULL - at the word */
static struct ast *parse_pg_is(struct sql_reader *p, struct ast *left, uint32_t start, bool is_b, bool *is_open) {
    struct ast_is *node = INFIX_NODE(p, ast_is, IS, start);
    node->arg = left;
    if (parse_at(p, KW_ISNULL) || parse_at(p, KW_NOTNULL)) {
        if (parse_at(p, KW_NOTNULL)) node->node.flags |= AST_NOT;
        parse_advance(p);
        return parse_done(p, node);
    }
    parse_advance(p);
    if (parse_accept(p, KW_NOT)) node->node.flags |= AST_NOT;
    parse_pg_is_what(p, node, is_b, is_open);
    return parse_done(p, node);
}

/* AT TIME ZONE expr | AT LOCAL - at AT */
static struct ast *parse_at_zone(struct sql_reader *p, struct ast *left, uint32_t start) {
    struct ast_at_zone *node = INFIX_NODE(p, ast_at_zone, AT_ZONE, start);
    parse_advance(p);
    node->arg = left;
    if (parse_is_pg(p, 170000) && parse_accept(p, KW_LOCAL)) return parse_done(p, node);
    parse_expect(p, KW_TIME);
    parse_expect(p, KW_ZONE);
    node->zone = operand(p, PG_AT + 1, false);
    return parse_done(p, node);
}

/* The operator at hand as symbol, for those without a name of their own: @> or OPERATOR(schema.@>). */
static struct ast *parse_symbol(struct sql_reader *p) {
    if (parse_accept(p, KW_OPERATOR)) {
        parse_expect(p, '(');
        struct ast *names = parse_operator_name(p);
        parse_expect(p, ')');
        return names;
    }
    struct ast_name *symbol = PARSE_NODE(p, ast_name, NAME);
    symbol->text = bytes_of(p->text + p->tok.start, p->tok.end - p->tok.start);
    parse_advance(p);
    return parse_done(p, symbol);
}

/* left op right, where op is any operator by its symbol - at the operator */
static struct ast *parse_pg_operator(struct sql_reader *p, struct ast *left, uint32_t start, unsigned power, bool is_b,
                                     bool *is_open) {
    enum ast_operator op = operator_of(p->tok.kind);
    struct ast *symbol = NULL;
    if (op == OPERATOR_CUSTOM) symbol = parse_symbol(p);
    else parse_advance(p);
    if (!is_b) {
        struct ast *quantified = parse_opt_quantified(p, left, start, op, symbol);
        if (quantified) return quantified;
    }
    struct ast *right = operand(p, power + 1, is_b);
    *is_open = true;
    return binary(p, op, left, right, symbol, start);
}

/* left "::" type */
static struct ast *parse_typecast(struct sql_reader *p, struct ast *left, uint32_t start) {
    struct ast_cast *node = INFIX_NODE(p, ast_cast, CAST, start);
    node->node.op = CAST_COLONS;
    parse_advance(p);
    node->arg = left;
    node->type = parse_type(p);
    return parse_done(p, node);
}

static bool is_pair(const struct ast *node) {
    if (node->kind != AST_ROW) return false;
    const struct ast *items = AST_AS(list_expr, ROW, node)->items;
    return items && items->next && !items->next->next;
}

/* row OVERLAPS row - at OVERLAPS; rows of two, or else it is no syntax */
static struct ast *parse_overlaps(struct sql_reader *p, struct ast *left, uint32_t start) {
    if (left->kind != AST_ROW) parse_fail(p, "syntax error");
    else if (!is_pair(left)) parse_fail_at(p, left->start, "wrong number of parameters on left side of OVERLAPS expression");
    parse_advance(p);
    struct ast *right = parse_expr_primary(p);
    if (!p->failed && !is_pair(right)) {
        parse_fail_at(p, right->start, "wrong number of parameters on right side of OVERLAPS expression");
    }
    return binary(p, OPERATOR_OVERLAPS, left, right, NULL, start);
}

/* NOT was seen where an operator may stand: is it the beginning of NOT LIKE and such? */
static bool is_negated_operator(struct sql_reader *p) {
    switch (parse_peek(p, 1)) {
    case KW_BETWEEN:
    case KW_IN:
    case KW_LIKE:
    case KW_ILIKE:
    case KW_SIMILAR: return true;
    case KW_REGEXP:
    case KW_RLIKE: return p->is_mysql;
    default: return false;
    }
}

/* The operators of power PG_LIKE - at NOT or the word */
static struct ast *parse_pg_predicate(struct sql_reader *p, struct ast *left, uint32_t start, bool *is_open) {
    uint32_t not_flag = parse_accept(p, KW_NOT) ? (uint32_t)AST_NOT : 0;
    if (parse_at(p, KW_IN)) return parse_in(p, left, start, not_flag);
    struct ast *node = parse_at(p, KW_BETWEEN) ? parse_between(p, left, start, not_flag)
                                               : parse_like(p, left, start, not_flag, PG_LIKE + 1);
    *is_open = node->kind != AST_QUANTIFIED;
    return node;
}

/* Is the keyword of an operator a column's label here? Of AND and OR parse_logic finds out itself, as there are many. */
static bool is_label_here(struct sql_reader *p, unsigned power) {
    if (p->tok.kind < KEYWORD_FIRST || power == PG_AND || power == PG_OR) return false;
    return !parse_at(p, KW_ISNULL) && !parse_at(p, KW_NOTNULL) && is_end_of_target(parse_peek(p, 1));
}

/*
 * Everything behind a first operand. `locked` is the power of an operator that was just used and does not associate: its
 * like may not follow.
 */
static struct ast *pg_infix(struct sql_reader *p, struct ast *left, uint32_t start, struct level level) {
    unsigned locked = PG_NONE, count = 0;
    for (;; count++) {
        unsigned power = pg_powers[p->tok.kind];
        if (power == PG_NONE || power < level.min) break;
        bool is_open = false; /* does what was read end with an operand of this power? */
        if (level.is_b && (power <= PG_NOT || power == PG_LIKE || power == PG_AT || power == PG_COLLATE)) break;
        if (power == PG_LIKE && parse_at(p, KW_NOT) && !is_negated_operator(p)) break;
        if (parse_at(p, KW_SIMILAR) && parse_peek(p, 1) != KW_TO) break; /* of SUBSTRING(a SIMILAR b ESCAPE c) */
        if (level.is_b && (parse_at(p, KW_OVERLAPS) || parse_at(p, KW_ISNULL) || parse_at(p, KW_NOTNULL))) break;
        if (power == locked) {
            parse_fail(p, "syntax error: these operators do not associate; write parentheses");
            break;
        }
        if (level.min == 1 && is_label_here(p, power)) break;
        parse_rise(p);
        struct ast *before = left;
        switch (power) {
        case PG_OR: left = parse_logic(p, AST_OR, left, start, PG_OR, level); break;
        case PG_AND: left = parse_logic(p, AST_AND, left, start, PG_AND, level); break;
        case PG_IS: left = parse_pg_is(p, left, start, level.is_b, &is_open); break;
        case PG_LIKE: left = parse_pg_predicate(p, left, start, &is_open); break;
        case PG_AT: left = parse_at_zone(p, left, start); break;
        case PG_COLLATE: left = parse_collate(p, left, start); break;
        case PG_CAST:
            left = parse_at(p, KW_OVERLAPS) ? parse_overlaps(p, left, start) : parse_typecast(p, left, start);
            break;
        default: left = parse_pg_operator(p, left, start, power, level.is_b, &is_open); break;
        }
        if (UNLIKELY(left == before)) {
            parse_sink(p, 1);
            break;
        }
        if (is_open && (power == PG_IS || power == PG_COMPARE || power == PG_LIKE)) locked = power;
    }
    parse_sink(p, count);
    return left;
}

static struct ast *unary(struct sql_reader *p, enum ast_operator op, unsigned min, bool is_b) {
    struct ast_unary *node = PARSE_NODE(p, ast_unary, UNARY);
    node->node.op = (uint16_t)op;
    if (op == OPERATOR_CUSTOM) node->symbol = parse_symbol(p);
    else parse_advance(p);
    node->arg = operand(p, min, is_b);
    return parse_done(p, node);
}

/* DEFAULT in place of a value */
static struct ast *parse_default(struct sql_reader *p) {
    struct ast_default *node = PARSE_NODE(p, ast_default, DEFAULT);
    parse_advance(p);
    return parse_done(p, node);
}

/* What may stand before an operand. */
static struct ast *pg_prefix(struct sql_reader *p, struct level level) {
    switch (p->tok.kind) {
    case '+': return unary(p, OPERATOR_PLUS, PG_SIGN, level.is_b);
    case '-': return unary(p, OPERATOR_MINUS, PG_SIGN, level.is_b);
    case KW_OPERATOR:
        if (parse_peek(p, 1) != '(') break; /* a column of that name */
        return unary(p, OPERATOR_CUSTOM, PG_OP + 1, level.is_b);
    case TOKEN_OPERATOR: return unary(p, OPERATOR_CUSTOM, PG_OP + 1, level.is_b);
    case KW_NOT:
        if (level.is_b) break;
        return unary(p, OPERATOR_NOT, PG_NOT, false);
    case KW_DEFAULT:
        if (level.is_b) break;
        return parse_default(p);
    default: break;
    }
    return parse_expr_primary(p);
}

/* ---- MySQL ----------------------------------------------------------------------------------------------------------- */

/* IS [NOT] (NULL | TRUE | FALSE | UNKNOWN | JSON ...) - at IS */
static struct ast *parse_mysql_is(struct sql_reader *p, struct ast *left, uint32_t start) {
    struct ast_is *node = INFIX_NODE(p, ast_is, IS, start);
    parse_advance(p);
    node->arg = left;
    if (parse_accept(p, KW_NOT)) node->node.flags |= AST_NOT;
    switch (p->tok.kind) {
    case KW_NULL: node->node.op = IS_NULL; break;
    case KW_TRUE: node->node.op = IS_TRUE; break;
    case KW_FALSE: node->node.op = IS_FALSE; break;
    case KW_UNKNOWN: node->node.op = IS_UNKNOWN; break;
    default: parse_fail(p, "syntax error"); break;
    }
    parse_advance(p);
    return parse_done(p, node);
}

/* The operators of power MY_LIKE - at NOT or the word */
static struct ast *parse_mysql_predicate(struct sql_reader *p, struct ast *left, uint32_t start) {
    uint32_t not_flag = parse_accept(p, KW_NOT) ? (uint32_t)AST_NOT : 0;
    switch (p->tok.kind) {
    case KW_IN: return parse_in(p, left, start, not_flag);
    case KW_BETWEEN: return parse_between(p, left, start, not_flag);
    case KW_SOUNDS:
        parse_advance(p);
        parse_expect(p, KW_LIKE);
        return binary(p, OPERATOR_SOUNDS_LIKE, left, pattern_operand(p, MY_BIT_OR), NULL, start);
    case KW_MEMBER: {
        parse_advance(p);
        parse_accept(p, KW_OF);
        parse_expect(p, '(');
        struct ast *right = operand(p, MY_SIGN, false);
        parse_expect(p, ')');
        return binary(p, OPERATOR_MEMBER_OF, left, right, NULL, start);
    }
    case KW_LIKE: return parse_like(p, left, start, not_flag, p->is_mariadb ? (unsigned)MY_BIT_OR : (unsigned)MY_CONCAT);
    default: return parse_like(p, left, start, not_flag, MY_BIT_OR);
    }
}

static struct ast *parse_mysql_operator(struct sql_reader *p, struct ast *left, uint32_t start, unsigned power) {
    enum ast_operator op = parse_at(p, '^') ? OPERATOR_BIT_XOR : operator_of(p->tok.kind);
    parse_advance(p);
    if (power == MY_JSON) {
        bool is_column = left->kind == AST_COLUMN && left->start == start;
        if (!is_column || !parse_at_string(p)) parse_fail(p, "syntax error: -> is between a column and a path");
    }
    if (power == MY_COMPARE && op != OPERATOR_NULL_SAFE_EQ) {
        struct ast *quantified = parse_opt_quantified(p, left, start, op, NULL);
        if (quantified) return quantified;
    }
    return binary(p, op, left, operand(p, power + 1, false), NULL, start);
}

/*
 * Everything behind a first operand. An operator never follows one that binds less: it would have been part of that one's
 * right operand, and where there is none, as behind IN (...), it is an error. In MySQL, not in MariaDB, a predicate such as
 * LIKE takes no predicate as its left operand, and nothing compares what IS TRUE.
 */
static struct ast *mysql_infix(struct sql_reader *p, struct ast *left, uint32_t start, struct level level, unsigned ceiling) {
    unsigned locked = MY_NONE, count = 0;
    for (;; count++) {
        unsigned power = my_powers[p->tok.kind];
        if (power == MY_OR && parse_at(p, TOKEN_OR_OR) && (p->options->modes & SQL_PIPES_AS_CONCAT)) power = MY_CONCAT;
        if (power == MY_NONE || power < level.min || power > ceiling) break;
        if (parse_at(p, KW_NOT) && !is_negated_operator(p)) break;
        if (power == locked) {
            parse_fail(p, "syntax error: these operators do not associate; write parentheses");
            break;
        }
        parse_rise(p);
        switch (power) {
        case MY_OR: left = parse_logic(p, AST_OR, left, start, MY_OR, level); break;
        case MY_XOR: left = parse_logic(p, AST_XOR, left, start, MY_XOR, level); break;
        case MY_AND: left = parse_logic(p, AST_AND, left, start, MY_AND, level); break;
        case MY_LIKE: left = parse_mysql_predicate(p, left, start); break;
        case MY_COLLATE: left = parse_collate(p, left, start); break;
        default:
            left = parse_at(p, KW_IS) ? parse_mysql_is(p, left, start) : parse_mysql_operator(p, left, start, power);
            break;
        }
        ceiling = power;
        if (p->is_mariadb) continue;
        bool is_truth = left->kind == AST_IS && left->op != IS_NULL;
        locked = power == MY_LIKE || is_truth ? power : MY_NONE;
    }
    parse_sink(p, count);
    return left;
}

/* INTERVAL 1 DAY is no value: something is added to it, or it is what is added or taken away. */
static struct ast *parse_interval_operand(struct sql_reader *p, struct level level) {
    struct ast *node = parse_expr_primary(p);
    bool is_alone = node->kind == AST_INTERVAL && level.min != MY_MUL && !parse_at(p, '+');
    if (is_alone) parse_fail(p, "syntax error: expected + behind an interval");
    return node;
}

static struct ast *mysql_prefix(struct sql_reader *p, struct level level) {
    switch (p->tok.kind) {
    case '+': return unary(p, OPERATOR_PLUS, MY_SIGN, false);
    case '-': return unary(p, OPERATOR_MINUS, MY_SIGN, false);
    case '~': return unary(p, OPERATOR_BIT_NOT, MY_SIGN, false);
    case '!': return unary(p, OPERATOR_BANG, MY_SIGN, false);
    case KW_BINARY: return unary(p, OPERATOR_BINARY, MY_SIGN, false);
    case KW_INTERVAL: return parse_interval_operand(p, level);
    case KW_NOT:
        if (p->options->modes & SQL_HIGH_NOT_PRECEDENCE) return unary(p, OPERATOR_NOT, MY_SIGN, false);
        if (level.min > MY_NOT) {
            parse_fail(p, "syntax error");
            break;
        }
        return unary(p, OPERATOR_NOT, MY_NOT, false);
    default: break;
    }
    return parse_expr_primary(p);
}

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

static struct ast *expr_at(struct sql_reader *p, struct level level) {
    uint32_t start = p->tok.start;
    if (!parse_enter(p)) {
        parse_leave(p);
        return parse_node_failed(p, AST_LITERAL);
    }
    struct ast *left;
    if (p->is_mysql) {
        bool is_not = parse_at(p, KW_NOT) && !(p->options->modes & SQL_HIGH_NOT_PRECEDENCE);
        left = mysql_prefix(p, level);
        if (my_powers[p->tok.kind]) left = mysql_infix(p, left, start, level, is_not ? (unsigned)MY_NOT : (unsigned)MY_JSON);
    } else {
        left = pg_prefix(p, level);
        if (pg_powers[p->tok.kind]) left = pg_infix(p, left, start, level);
    }
    parse_leave(p);
    return left;
}

struct ast *parse_expr(struct sql_reader *p) {
    return expr_at(p, (struct level){.min = 1});
}

struct ast *parse_expr_b(struct sql_reader *p) {
    return expr_at(p, (struct level){.min = 1, .is_b = true});
}

struct ast *parse_bit_expr(struct sql_reader *p) {
    return expr_at(p, (struct level){.min = MY_BIT_OR});
}

struct ast *parse_expr_rest(struct sql_reader *p, struct ast *left, uint32_t start) {
    struct level level = {.min = 1};
    return p->is_mysql ? mysql_infix(p, left, start, level, MY_JSON) : pg_infix(p, left, start, level);
}

struct ast *parse_expr_list(struct sql_reader *p) {
    return parse_comma_list(p, parse_expr);
}

struct ast *parse_expr_or_default(struct sql_reader *p) {
    /* MySQL's DEFAULT(column) is an expression. PostgreSQL's grammar has DEFAULT wherever an expression may stand. */
    if (p->is_mysql && parse_at(p, KW_DEFAULT) && parse_peek(p, 1) != '(') return parse_default(p);
    if (p->is_mariadb && parse_at(p, KW_IGNORE)) return parse_word(p); /* leave the column as it is */
    return parse_expr(p);
}
