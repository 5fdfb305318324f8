/*
 * parse.c - the parser's verbs, the loop over a text's statements, and which function reads which statement.
 *
 * Owns the reader's state. Knows no grammar beyond a statement's first word.
 */
#include "parser/parse.h"

/* ---- verbs ----------------------------------------------------------------------------------------------------------- */

/* From here on the current token is an error for good: every loop that waits for something ends. */
void parse_fail_at(struct sql_reader *p, uint32_t position, const char *reason) {
    if (!p->failed) {
        p->failed = true;
        p->problem = (struct sql_problem){.position = position, .reason = reason};
    }
    p->ahead_count = 0;
    p->tok = (struct token){.kind = TOKEN_ERROR, .start = position, .end = position};
}

void parse_fail(struct sql_reader *p, const char *reason) {
    parse_fail_at(p, p->tok.start, reason);
}

void parse_expect_failed(struct sql_reader *p, uint16_t kind) {
    switch (kind) { /* the ones that people leave out most; a reason is a static text */
    case ')': parse_fail(p, "syntax error: expected )"); break;
    case '(': parse_fail(p, "syntax error: expected ("); break;
    case ',': parse_fail(p, "syntax error: expected ,"); break;
    case '=': parse_fail(p, "syntax error: expected ="); break;
    case KW_FROM: parse_fail(p, "syntax error: expected FROM"); break;
    case KW_AS: parse_fail(p, "syntax error: expected AS"); break;
    case KW_BY: parse_fail(p, "syntax error: expected BY"); break;
    case KW_END: parse_fail(p, "syntax error: expected END"); break;
    case KW_SET: parse_fail(p, "syntax error: expected SET"); break;
    case KW_THEN: parse_fail(p, "syntax error: expected THEN"); break;
    case KW_TABLE: parse_fail(p, "syntax error: expected TABLE"); break;
    default: parse_fail(p, parse_at(p, TOKEN_END) ? "syntax error: the statement is not complete" : "syntax error"); break;
    }
}

void parse_too_deep(struct sql_reader *p) {
    parse_fail(p, "the statement is nested too deeply");
}

bool parse_enter(struct sql_reader *p) {
    if (LIKELY(++p->depth <= PARSE_DEPTH_MAX)) return true;
    parse_too_deep(p);
    return false;
}

void parse_advance_slow(struct sql_reader *p) {
    if (p->failed) return;
    p->last_end = p->tok.end;
    if (p->ahead_count > 0) {
        p->tok = p->ahead[p->ahead_first];
        p->ahead_first = (p->ahead_first + 1) % PARSE_AHEAD;
        p->ahead_count--;
    } else {
        lex_next(&p->lex, &p->tok);
    }
    if (p->tok.kind == TOKEN_ERROR) parse_fail_at(p, p->lex.problem_at, p->lex.problem);
}

const struct token *parse_peek_token(struct sql_reader *p, unsigned n) {
    INVARIANT(n >= 1 && n <= PARSE_AHEAD);
    if (p->failed) return &p->tok;
    while (p->ahead_count < n) {
        lex_next(&p->lex, &p->ahead[(p->ahead_first + p->ahead_count) % PARSE_AHEAD]);
        p->ahead_count++;
    }
    return &p->ahead[(p->ahead_first + n - 1) % PARSE_AHEAD];
}

uint16_t parse_peek(struct sql_reader *p, unsigned n) {
    return parse_peek_token(p, n)->kind;
}

bool parse_accept2(struct sql_reader *p, uint16_t first, uint16_t second) {
    if (!parse_at(p, first) || parse_peek(p, 1) != second) return false;
    parse_advance(p);
    parse_advance(p);
    return true;
}

bool parse_accept3(struct sql_reader *p, uint16_t first, uint16_t second, uint16_t third) {
    if (!parse_at(p, first) || parse_peek(p, 1) != second || parse_peek(p, 2) != third) return false;
    parse_advance(p);
    parse_advance(p);
    parse_advance(p);
    return true;
}

bool parse_at_word(const struct sql_reader *p, const char *word) {
    if (p->tok.kind != TOKEN_IDENT && p->tok.kind < KEYWORD_FIRST) return false;
    const uint8_t *s = p->text + p->tok.start, *end = p->text + p->tok.end;
    for (; s < end && *word; s++, word++) {
        uint8_t c = *s >= 'A' && *s <= 'Z' ? *s | 0x20 : *s;
        if (c != (uint8_t)*word) return false;
    }
    return s == end && *word == 0;
}

bool parse_accept_word(struct sql_reader *p, const char *word) {
    if (!parse_at_word(p, word)) return false;
    parse_advance(p);
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------------- */

/* Memory is out, or the arena's ceiling reached: the statement fails, and everybody shares the spare node meanwhile. */
void *parse_node_failed(struct sql_reader *p, enum ast_kind kind) {
    parse_fail(p, "the statement needs more memory than it may have");
    memset(&p->spare, 0, sizeof p->spare);
    p->spare.node.kind = (uint16_t)kind;
    return &p->spare;
}

struct ast *parse_comma_list(struct sql_reader *p, parse_function *item) {
    struct parse_list list;
    parse_list_init(&list);
    do parse_list_add(&list, item(p));
    while (parse_accept(p, ','));
    return list.first;
}

struct ast *parse_paren_list(struct sql_reader *p, parse_function *item) {
    parse_expect(p, '(');
    struct ast *list = parse_comma_list(p, item);
    parse_expect(p, ')');
    return list;
}

struct ast *parse_opt_paren_list(struct sql_reader *p, parse_function *item) {
    return parse_at(p, '(') ? parse_paren_list(p, item) : NULL;
}

struct ast *parse_word(struct sql_reader *p) {
    struct ast *word = PARSE_NODE(p, ast, WORD);
    word->op = p->tok.kind;
    if (parse_at(p, TOKEN_END) || parse_at(p, ';')) parse_fail(p, "syntax error: the statement is not complete");
    parse_advance(p);
    return parse_done(p, word);
}

struct ast *parse_option(struct sql_reader *p, uint32_t start, const char *name, struct ast *values) {
    struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
    option->node.start = start;
    if (name) option->name = parse_name_static(p, start, name);
    option->values = values;
    return parse_done(p, option);
}

struct ast *parse_object(struct sql_reader *p, enum sql_object object, struct ast *names) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    if (names) o->node.start = names->start;
    o->names = names;
    return parse_done(p, o);
}

bool parse_at_string(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_STRING:
    case TOKEN_ESCAPE_STRING:
    case TOKEN_UNICODE_STRING:
    case TOKEN_DOLLAR_STRING: return true;
    default: return false;
    }
}

/* The literal that a token is; LITERAL_COUNT when it is none. */
static enum ast_literal_op literal_of(uint16_t kind) {
    switch (kind) {
    case TOKEN_INTEGER: return LITERAL_INTEGER;
    case TOKEN_NUMBER: return LITERAL_NUMBER;
    case TOKEN_STRING: return LITERAL_STRING;
    case TOKEN_ESCAPE_STRING: return LITERAL_ESCAPE_STRING;
    case TOKEN_UNICODE_STRING: return LITERAL_UNICODE_STRING;
    case TOKEN_DOLLAR_STRING: return LITERAL_DOLLAR_STRING;
    case TOKEN_NATIONAL_STRING: return LITERAL_NATIONAL_STRING;
    case TOKEN_BIT_STRING:
    case TOKEN_BIT_NUMBER: return LITERAL_BIT_STRING;
    case TOKEN_HEX_STRING:
    case TOKEN_HEX_NUMBER: return LITERAL_HEX_STRING;
    case TOKEN_NULL_ESCAPE:
    case KW_NULL: return LITERAL_NULL;
    case KW_TRUE: return LITERAL_TRUE;
    case KW_FALSE: return LITERAL_FALSE;
    default: return LITERAL_COUNT;
    }
}

/* The token at hand as a LITERAL of its own. */
static struct ast *literal_of_token(struct sql_reader *p, enum ast_literal_op op) {
    struct ast_literal *literal = PARSE_NODE(p, ast_literal, LITERAL);
    literal->node.op = (uint16_t)op;
    if (p->tok.flags & TOKEN_IS_JOINED) literal->node.flags = AST_LITERAL_JOINED;
    parse_advance(p);
    return parse_done(p, literal);
}

/* A constant of several tokens, MySQL's: _utf8mb4 'a', and 'a' 'b', which is one string. `parts` has what was read of it. */
static struct ast *literal_of_parts(struct sql_reader *p, struct ast *first, uint32_t start, enum ast_literal_op op) {
    struct ast_literal *literal = PARSE_NODE(p, ast_literal, LITERAL);
    struct parse_list parts;
    parse_list_init(&parts);
    literal->node.start = start;
    literal->node.op = (uint16_t)op;
    parse_list_add(&parts, first);
    if (first->kind == AST_NAME) parse_list_add(&parts, literal_of_token(p, op));
    if (op == LITERAL_STRING || op == LITERAL_NATIONAL_STRING) {
        while (parse_at(p, TOKEN_STRING)) parse_list_add(&parts, literal_of_token(p, LITERAL_STRING));
    }
    literal->parts = parts.first;
    return parse_done(p, literal);
}

struct ast *parse_literal(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *charset = parse_at(p, TOKEN_INTRODUCER) ? parse_name_of_token(p) : NULL;
    enum ast_literal_op op = literal_of(p->tok.kind);
    if (op == LITERAL_COUNT) {
        parse_fail(p, "syntax error: expected a constant");
        return parse_node_failed(p, AST_LITERAL);
    }
    if (UNLIKELY(charset)) return literal_of_parts(p, charset, start, op);
    struct ast *literal = literal_of_token(p, op);
    bool is_text = op == LITERAL_STRING || op == LITERAL_NATIONAL_STRING;
    if (LIKELY(!is_text || !p->is_mysql || !parse_at(p, TOKEN_STRING))) return literal;
    return literal_of_parts(p, literal, start, op);
}

/* In MySQL several strings are one only as an operand: here one of them is all there may be. */
struct ast *parse_string(struct sql_reader *p) {
    if (!parse_at_string(p)) {
        parse_fail(p, "syntax error: expected a string");
        return parse_node_failed(p, AST_LITERAL);
    }
    return literal_of_token(p, literal_of(p->tok.kind));
}

struct ast *parse_opt_string(struct sql_reader *p) {
    return parse_at_string(p) ? parse_string(p) : NULL;
}

static unsigned digit_of(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    return (c | 0x20) - 'a' + 10u;
}

/* Greater integers are numbers like those with a fraction to PostgreSQL's grammar. */
bool parse_is_integer(const struct sql_reader *p, const struct token *t) {
    if (t->kind != TOKEN_INTEGER) return false;
    const uint8_t *at = p->text + t->start, *end = p->text + t->end;
    unsigned base = 10;
    if (end - at > 2 && at[0] == '0' && at[1] >= 'A') {
        uint8_t letter = at[1] | 0x20;
        base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
        at += 2;
    }
    uint64_t value = 0;
    for (; at < end; at++) {
        if (*at == '_') continue;
        value = value * base + digit_of(*at);
        if (value > INT32_MAX) return false;
    }
    return true;
}

struct ast *parse_integer(struct sql_reader *p) {
    if (!parse_is_integer(p, &p->tok)) parse_fail(p, "syntax error: expected an integer");
    return parse_literal(p);
}

struct ast *parse_signed_number(struct sql_reader *p) {
    if (!parse_at(p, '+') && !parse_at(p, '-')) {
        if (!parse_at(p, TOKEN_INTEGER) && !parse_at(p, TOKEN_NUMBER)) parse_fail(p, "syntax error: expected a number");
        return parse_literal(p);
    }
    struct ast_unary *sign = PARSE_NODE(p, ast_unary, UNARY);
    sign->node.op = parse_at(p, '-') ? OPERATOR_MINUS : OPERATOR_PLUS;
    parse_advance(p);
    if (!parse_at(p, TOKEN_INTEGER) && !parse_at(p, TOKEN_NUMBER)) parse_fail(p, "syntax error: expected a number");
    sign->arg = parse_literal(p);
    return parse_done(p, sign);
}

void parse_skip_rest(struct sql_reader *p) {
    unsigned open = 0;
    for (;;) {
        switch (p->tok.kind) {
        case TOKEN_END:
        case TOKEN_ERROR: return;
        case ';':
            if (open == 0) return;
            break;
        case '(':
        case '[': open++; break;
        case ')':
        case ']':
            if (open == 0) return;
            open--;
            break;
        default: break;
        }
        parse_advance(p);
    }
}

void parse_skip_parens(struct sql_reader *p) {
    parse_expect(p, '(');
    parse_skip_rest(p);
    parse_expect(p, ')');
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

struct ast *parse_statement(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *statement;
    struct parse_into outer = p->into;
    if (!parse_enter(p)) {
        parse_leave(p);
        return parse_node_failed(p, AST_COMMAND);
    }
    p->into = (struct parse_into){0};
    switch (p->tok.kind) {
    case KW_SELECT:
    case KW_VALUES:
    case '(': statement = parse_query(p); break;
    case KW_WITH: statement = parse_statement_with(p); break;
    case KW_INSERT:
    case KW_REPLACE: statement = parse_insert(p, NULL, start); break;
    case KW_UPDATE: statement = parse_update(p, NULL, start); break;
    case KW_DELETE: statement = parse_delete(p, NULL, start); break;
    case KW_TABLE:
        if (p->is_mariadb) goto command; /* MariaDB has no TABLE statement */
        statement = parse_query(p);
        break;
    case KW_MERGE:
        if (!parse_is_pg(p, 150000)) goto command;
        statement = parse_merge(p, NULL, start);
        break;
    case KW_COPY:
        if (p->is_mysql) goto command;
        statement = parse_copy(p);
        break;
    case KW_LOAD:
        if (!p->is_mysql || (parse_peek(p, 1) != KW_DATA && parse_peek(p, 1) != KW_XML)) goto command;
        statement = parse_load(p);
        break;
    default:
    command:
        statement = p->is_mysql ? parse_mysql_command(p) : parse_pg_command(p);
        break;
    }
    if (UNLIKELY(p->into.count + p->into.procedure_count > 0) && !p->failed) parse_check_into(p, statement);
    p->into = outer;
    parse_leave(p);
    return statement;
}

/*
 * Where a statement ends that could not be read: at the next `;` outside of parentheses, and, in a routine's body, outside
 * of BEGIN ... END. That is what can be known without knowing what went wrong.
 */
static void find_end(struct sql_reader *p, uint32_t start) {
    uint32_t open = 0, blocks = 0;
    bool is_create = false;
    uint16_t before = 0;
    p->failed = false;
    p->ahead_count = 0;
    p->lex.problem = NULL;
    p->lex.pos = p->resume_at > start ? p->resume_at : start;
    p->lex.is_in_executable = p->lex.is_after_dot = p->lex.is_after_at = p->lex.may_hint = false;
    for (bool is_first = true;; is_first = false) {
        lex_next(&p->lex, &p->tok);
        uint16_t kind = p->tok.kind;
        if (is_first) is_create = kind == KW_CREATE || kind == KW_BEGIN;
        if (kind == TOKEN_END) return;
        bool is_end = kind == ';' && open == 0 && blocks == 0;
        /* Nothing behind an error can be read; behind a comment's `;` servers read nothing, as they refuse the whole text. */
        if (kind == TOKEN_ERROR || (is_end && p->lex.is_in_executable)) {
            p->tok = (struct token){.kind = TOKEN_END, .start = p->lex.len, .end = p->lex.len};
            p->last_end = p->lex.len;
            p->lex.pos = p->lex.len;
            p->lex.problem = NULL;
            return;
        }
        if (is_end) return;
        if (kind == '(' || kind == '[') open++;
        else if ((kind == ')' || kind == ']') && open > 0) open--;
        else if (is_create && (p->is_mysql ? kind == KW_BEGIN && !is_first : kind == KW_ATOMIC && before == KW_BEGIN)) blocks++;
        else if (blocks > 0 && kind == KW_CASE && before != KW_END) blocks++;
        else if (blocks > 0 && kind == KW_END) {
            struct lexer mark = p->lex;
            struct token next;
            lex_next(&p->lex, &next); /* END IF and END LOOP close what is not counted */
            p->lex = mark;
            if (next.kind != KW_IF && next.kind != KW_LOOP && next.kind != KW_WHILE && next.kind != KW_REPEAT) blocks--;
        }
        before = kind;
        p->last_end = p->tok.end;
    }
}

/* MySQL's servers take semicolons and white space off a text's end before they read it, whatever they are part of. */
static struct bytes without_end(struct bytes text) {
    while (text.len > 0 && text.ptr[text.len - 1] != 0 && strchr("; \t\n\v\f\r", text.ptr[text.len - 1])) text.len--;
    return text;
}

struct sql_reader *sql_reader_new(struct bytes text, const struct sql_options *options, struct arena *arena) {
    struct sql_reader *p = arena_alloc_words(arena, sizeof *p);
    if (!p) return NULL;
    p->arena = arena;
    p->options = options;
    p->text = text.ptr;
    p->is_mysql = options->dialect == SQL_MYSQL;
    p->is_mariadb = p->is_mysql && options->flavour == SQL_FLAVOUR_MARIADB;
    lex_init(&p->lex, p->is_mysql ? without_end(text) : text, options);
    p->is_after_semicolon = false;
    return p;
}

/* ---- executable comments ------------------------------------------------------------------------------------------------- */

/* Is a comment at `i` whose inside a server may execute: of MySQL, of MariaDB? */
static bool at_executable(const uint8_t *s, uint32_t i, uint32_t end) {
    if (i + 3 > end || s[i] != '/' || s[i + 1] != '*') return false;
    return s[i + 2] == '!' || (s[i + 2] == 'M' && i + 3 < end && s[i + 3] == '!');
}

/*
 * Between two tokens stand white space, comments, and the beginnings and ends of executable ones. Where the first such mark
 * begins and the last one ends; both `from` when there is none. An executable comment at a statement's edge is part of it,
 * or its text would be cut in two, be the comment executed by this server or not.
 */
static void find_marks(const struct sql_reader *p, uint32_t from, uint32_t to, uint32_t *first, uint32_t *last) {
    const uint8_t *s = p->text;
    bool is_inside = false;
    *first = *last = from;
    for (uint32_t i = from; i + 1 < to; i++) {
        bool is_end = s[i] == '*' && s[i + 1] == '/';
        if (is_end || at_executable(s, i, to)) {
            if (*first == *last) *first = i;
            *last = i + 2;
            is_inside = !is_end;
            i++;
        } else if (!is_inside && s[i] == '/' && s[i + 1] == '*') {
            for (i += 2; i + 1 < to && (s[i] != '*' || s[i + 1] != '/');) i++;
            i++;
        } else if (!is_inside && (s[i] == '#' || (s[i] == '-' && s[i + 1] == '-'))) {
            while (i < to && s[i] != '\n') i++;
        }
    }
}

/* Where a statement begins that has its first token at `at`, and ends that has its last one end there. */
static uint32_t edge_before(const struct sql_reader *p, uint32_t at) {
    uint32_t first, last;
    if (LIKELY(!p->is_mysql || at - p->last_end < 3)) return at;
    find_marks(p, p->last_end, at, &first, &last);
    return first < last ? first : at;
}

static uint32_t edge_behind(const struct sql_reader *p, uint32_t at) {
    uint32_t first, last;
    if (LIKELY(!p->is_mysql || p->tok.start - at < 2)) return at;
    find_marks(p, at, p->tok.start, &first, &last);
    return last;
}

/* Reads the statement that begins at the current token, which is neither `;` nor the end. */
static void read_statement(struct sql_reader *p, struct sql_statement *out) {
    uint32_t start = edge_before(p, p->tok.start), params_before = p->lex.param_count;
    p->depth = p->height = 0;
    p->param_max = 0;
    p->resume_at = 0;
    out->start = start;
    struct ast *statement = NULL;
    if (!p->failed) statement = parse_statement(p);
    if (!p->failed && !parse_at(p, ';') && !parse_at(p, TOKEN_END)) parse_fail(p, "syntax error");
    if (parse_at(p, ';') && p->lex.is_in_executable) parse_fail(p, "a statement ends inside an executable comment");
    if (p->failed) {
        out->outcome = SQL_UNKNOWN;
        out->problem = p->problem;
        find_end(p, start);
        out->end = p->last_end > start ? p->last_end : p->tok.start;
    } else {
        out->outcome = SQL_PARSED;
        out->ast = statement;
        out->end = edge_behind(p, p->last_end);
    }
    out->param_count = p->is_mysql ? p->lex.param_count - params_before : p->param_max;
}

bool sql_reader_next(struct sql_reader *p, struct sql_statement *out) {
    if (p->is_finished) return false;
    *out = (struct sql_statement){.outcome = SQL_EMPTY};
    bool is_first = !p->is_after_semicolon;
    if (is_first) {
        lex_next(&p->lex, &p->tok);
        if (p->tok.kind == TOKEN_ERROR) { /* the text as a whole, or its first token */
            *out = (struct sql_statement){.outcome = SQL_UNKNOWN, .end = p->lex.len};
            out->problem = (struct sql_problem){p->lex.problem_at, p->lex.problem};
            p->is_finished = true;
            return true;
        }
    }
    if (parse_at(p, TOKEN_END)) {
        p->is_finished = true;
        out->start = out->end = p->tok.start;
        /* Behind a semicolon MySQL's text has something left, as its end was taken off: comments, which get an OK. */
        return is_first || p->is_mysql;
    }
    if (p->is_mysql && parse_at(p, ';')) { /* a syntax error to its servers, and nothing behind it is read */
        *out = (struct sql_statement){.outcome = SQL_UNKNOWN, .start = p->tok.start, .end = p->lex.len};
        out->problem = (struct sql_problem){p->tok.start, "syntax error: an empty statement before a semicolon"};
        p->is_finished = true;
        return true;
    }
    if (parse_at(p, ';')) out->start = out->end = p->tok.start;
    else read_statement(p, out);
    p->is_after_semicolon = true;
    if (parse_at(p, ';')) {
        parse_advance(p);
        /* What is wrong with the next statement's first token is the next statement's trouble: its words are in `problem`. */
    } else {
        p->is_finished = true;
    }
    return true;
}

void sql_parse_one(struct bytes text, const struct sql_options *options, struct arena *arena, struct sql_statement *out) {
    struct sql_reader *p = sql_reader_new(text, options, arena);
    if (!p) {
        *out = (struct sql_statement){.outcome = SQL_UNKNOWN, .problem = {0, "the statement needs more memory than it may have"}};
        return;
    }
    struct sql_statement more;
    sql_reader_next(p, out);
    while (sql_reader_next(p, &more)) {
        if (more.outcome == SQL_EMPTY) continue;
        if (out->outcome == SQL_EMPTY) {
            *out = more;
            continue;
        }
        out->outcome = SQL_UNKNOWN;
        out->ast = NULL;
        out->problem = (struct sql_problem){more.start, "more than one statement"};
        out->end = more.end;
    }
}
