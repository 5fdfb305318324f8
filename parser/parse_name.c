/*
 * parse_name.c - identifiers: which tokens may be one where, and what they say once quotes, escapes and case are undone.
 *
 * PostgreSQL folds unquoted names to lower case (ASCII letters; other letters depend on the server's locale and are left
 * alone) and cuts every name to 63 bytes without breaking a character. MySQL keeps names as written; how they compare
 * is the server's setting.
 */
#include "parser/parse.h"

enum { NAME_MAX_PG = 63 };

/* ---- the text of a name ---------------------------------------------------------------------------------------------- */

/* At most 63 bytes, whole characters. */
static size_t cut(const struct sql_reader *p, const uint8_t *s, size_t len) {
    if (p->is_mysql || len <= NAME_MAX_PG) return len;
    len = NAME_MAX_PG;
    if (p->options->encoding == SQL_ENCODING_UTF8) {
        while (len > 0 && (s[len] & 0xc0) == 0x80) len--;
    }
    return len;
}

static struct bytes folded(struct sql_reader *p, const uint8_t *s, size_t len) {
    len = cut(p, s, len);
    uint8_t *copy = arena_alloc_words(p->arena, (len + 8) & ~(size_t)7);
    if (!copy) {
        parse_fail(p, "the statement needs more memory than it may have");
        return bytes_of(s, 0);
    }
    for (size_t i = 0; i < len; i++) copy[i] = s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i];
    return bytes_of(copy, len);
}

/* The inside of quotes, doubled ones made single. */
static struct bytes unquoted(struct sql_reader *p, const uint8_t *s, size_t len, uint8_t quote) {
    uint8_t *copy = arena_alloc_words(p->arena, (len + 8) & ~(size_t)7);
    size_t n = 0;
    if (!copy) {
        parse_fail(p, "the statement needs more memory than it may have");
        return bytes_of(s, 0);
    }
    for (size_t i = 0; i < len; i++) {
        copy[n++] = s[i];
        if (s[i] == quote) i++;
    }
    return bytes_of(copy, cut(p, copy, n));
}

static uint32_t hex_at(const uint8_t *s, size_t count) {
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) value = value * 16 + (uint32_t)(s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
    return value;
}

static size_t put_utf8(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* U&"..." with its UESCAPE 'c'; the lexer has checked the escapes. An escape is longer than what it stands for. */
static struct bytes unescaped(struct sql_reader *p, const uint8_t *s, size_t len) {
    uint8_t escape = s[len - 1] == '\'' ? s[len - 2] : '\\'; /* U&"..." UESCAPE '!' */
    uint8_t *copy = arena_alloc_words(p->arena, (len + 8) & ~(size_t)7);
    size_t n = 0, i = 3;
    uint32_t high = 0;
    if (!copy) {
        parse_fail(p, "the statement needs more memory than it may have");
        return bytes_of(s, 0);
    }
    while (s[i] != '"' || (i + 1 < len && s[i + 1] == '"')) {
        if (s[i] == escape && s[i + 1] != escape) {
            bool is_long = s[i + 1] == '+';
            size_t digits = is_long ? 6 : 4;
            uint32_t code = hex_at(s + i + 1 + is_long, digits);
            i += 1 + is_long + digits;
            if (code >= 0xd800 && code < 0xdc00) {
                high = code;
                continue;
            }
            if (high) code = 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00);
            high = 0;
            n += put_utf8(copy + n, code);
        } else {
            if (s[i] == escape || s[i] == '"') i++;
            copy[n++] = s[i++];
        }
    }
    return bytes_of(copy, cut(p, copy, n));
}

/*
 * PostgreSQL: with a certain word behind them these words are never names, wherever they stand: NOT IN, NULLS FIRST,
 * WITH TIME ...
 */
static bool is_half_of_two(struct sql_reader *p) {
    if (p->is_mysql) return false;
    switch (p->tok.kind) {
    case KW_NOT:
        switch (parse_peek(p, 1)) {
        case KW_BETWEEN:
        case KW_ILIKE:
        case KW_IN:
        case KW_LIKE:
        case KW_SIMILAR: return true;
        default: return false;
        }
    case KW_NULLS: return parse_peek(p, 1) == KW_FIRST || parse_peek(p, 1) == KW_LAST;
    case KW_WITH: return parse_peek(p, 1) == KW_TIME || parse_peek(p, 1) == KW_ORDINALITY;
    case KW_FORMAT: return parse_is_pg(p, 160000) && parse_peek(p, 1) == KW_JSON;
    case KW_WITHOUT: return parse_is_pg(p, 160000) && parse_peek(p, 1) == KW_TIME;
    default: return false;
    }
}

struct ast *parse_name_of_token(struct sql_reader *p) {
    struct ast_name *name = PARSE_NODE(p, ast_name, NAME);
    const uint8_t *s = p->text + p->tok.start;
    size_t len = p->tok.end - p->tok.start;
    uint16_t kind = p->tok.kind;
    if (kind == TOKEN_QUOTED_IDENT) {
        name->node.flags = AST_NAME_QUOTED;
        name->text = p->tok.flags & TOKEN_IS_PLAIN ? bytes_of(s + 1, len - 2) : unquoted(p, s + 1, len - 2, s[0]);
    } else if (kind == TOKEN_UNICODE_IDENT) {
        name->node.flags = AST_NAME_QUOTED;
        name->text = unescaped(p, s, len);
    } else {
        if (kind >= KEYWORD_FIRST) {
            name->node.op = kind;
            if (UNLIKELY(is_half_of_two(p))) parse_fail(p, "syntax error");
        }
        bool is_as_written = (p->tok.flags & TOKEN_IS_PLAIN) || (p->is_mysql) || kind < TOKEN_ERROR;
        name->text = is_as_written ? bytes_of(s, len) : folded(p, s, len);
    }
    parse_advance(p);
    return parse_done(p, name);
}

struct ast *parse_name_static(struct sql_reader *p, uint32_t start, const char *text) {
    struct ast_name *name = PARSE_NODE(p, ast_name, NAME);
    name->node.start = start;
    name->text = bytes_str(text);
    return parse_done(p, name);
}

/* ---- which tokens ---------------------------------------------------------------------------------------------------- */

static bool is_ident(uint16_t kind) {
    return kind == TOKEN_IDENT || kind == TOKEN_QUOTED_IDENT || kind == TOKEN_UNICODE_IDENT;
}

bool parse_is_name(const struct sql_reader *p, uint16_t kind) {
    return is_ident(kind) || (parse_uses(p, kind) & KEYWORD_COLUMN);
}

bool parse_at_name(const struct sql_reader *p) {
    return parse_is_name(p, p->tok.kind);
}

struct ast *parse_name(struct sql_reader *p) {
    if (UNLIKELY(!parse_at_name(p))) parse_fail(p, "syntax error: expected a name");
    return parse_name_of_token(p);
}

struct ast *parse_label(struct sql_reader *p) {
    if (!is_ident(p->tok.kind) && p->tok.kind < KEYWORD_FIRST) parse_fail(p, "syntax error: expected a name");
    return parse_name_of_token(p);
}

struct ast *parse_type_function_name(struct sql_reader *p) {
    if (!is_ident(p->tok.kind) && !(parse_uses(p, p->tok.kind) & KEYWORD_FUNCTION)) {
        parse_fail(p, "syntax error: expected a name");
    }
    return parse_name_of_token(p);
}

struct ast *parse_nonreserved_word(struct sql_reader *p) {
    if (!is_ident(p->tok.kind) && !(parse_uses(p, p->tok.kind) & (KEYWORD_COLUMN | KEYWORD_FUNCTION))) {
        parse_fail(p, "syntax error: expected a name");
    }
    return parse_name_of_token(p);
}

struct ast *parse_name_or_string(struct sql_reader *p) {
    return parse_at_string(p) ? parse_string(p) : parse_name(p);
}

/* name { "." label } */
struct ast *parse_qualified_name(struct sql_reader *p) {
    struct parse_list names;
    parse_list_init(&names);
    parse_list_add(&names, parse_name(p));
    while (parse_accept(p, '.')) parse_list_add(&names, parse_label(p));
    return names.first;
}

struct ast *parse_name_list(struct sql_reader *p) {
    return parse_comma_list(p, parse_name);
}

struct ast *parse_paren_names(struct sql_reader *p) {
    return parse_paren_list(p, parse_name);
}

struct ast *parse_opt_paren_names(struct sql_reader *p) {
    return parse_opt_paren_list(p, parse_name);
}

bool parse_at_bare_label(struct sql_reader *p) {
    if (is_ident(p->tok.kind)) return true;
    if (parse_uses(p, p->tok.kind) & KEYWORD_LABEL) return !is_half_of_two(p);
    return p->is_mysql && parse_at(p, TOKEN_STRING);
}

bool parse_at_table_alias(struct sql_reader *p) {
    uint8_t bit = p->is_mysql ? KEYWORD_TABLE_ALIAS : KEYWORD_COLUMN;
    return is_ident(p->tok.kind) || (parse_uses(p, p->tok.kind) & bit);
}

/* ---- roles and operators --------------------------------------------------------------------------------------------- */

/* MySQL: "@" host, one token as a user variable is. A lone "@" has an empty host behind it: nothing may follow. */
static struct ast *parse_opt_host(struct sql_reader *p) {
    if (parse_at(p, TOKEN_USER_VARIABLE)) return parse_variable(p);
    parse_accept(p, '@');
    return NULL;
}

/* PostgreSQL: NonReservedWord | CURRENT_ROLE | CURRENT_USER | SESSION_USER
   MySQL: (name | string) [ "@" host ] | CURRENT_USER [ "(" ")" ] */
struct ast *parse_role(struct sql_reader *p) {
    struct ast_object *role = PARSE_NODE(p, ast_object, OBJECT);
    role->node.op = SQL_OBJECT_ROLE;
    switch (p->tok.kind) {
    case KW_CURRENT_USER:
    case KW_CURRENT_ROLE:
    case KW_SESSION_USER:
        role->names = parse_name_of_token(p);
        if (p->is_mysql && parse_accept(p, '(')) parse_expect(p, ')');
        return parse_done(p, role);
    default: break;
    }
    if (!p->is_mysql) {
        uint32_t start = p->tok.start;
        role->names = parse_nonreserved_word(p);
        if (!p->failed && bytes_is(AST_AS(name, NAME, role->names)->text, "none")) {
            parse_fail_at(p, start, "role name \"none\" is reserved");
        }
        return parse_done(p, role);
    }
    role->names = parse_name_or_string(p);
    parse_append(&role->names, parse_opt_host(p));
    return parse_done(p, role);
}

bool parse_is_operator(uint16_t kind) {
    switch (kind) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '^':
    case '<':
    case '>':
    case '=':
    case TOKEN_LESS_EQUAL:
    case TOKEN_GREATER_EQUAL:
    case TOKEN_NOT_EQUAL:
    case TOKEN_RIGHT_ARROW:
    case TOKEN_OPERATOR: return true;
    default: return false;
    }
}

/* { name "." } operator */
struct ast *parse_operator_name(struct sql_reader *p) {
    struct parse_list names;
    parse_list_init(&names);
    while (parse_at_name(p)) {
        parse_list_add(&names, parse_name(p));
        parse_expect(p, '.');
    }
    if (!parse_is_operator(p->tok.kind)) parse_fail(p, "syntax error: expected an operator");
    struct ast_name *symbol = PARSE_NODE(p, ast_name, NAME);
    symbol->text = bytes_of(p->text + p->tok.start, p->tok.end - p->tok.start);
    parse_advance(p);
    parse_list_add(&names, parse_done(p, symbol));
    return names.first;
}
