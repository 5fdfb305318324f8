/*
 * parse_pg_call.c - PostgreSQL's calls with a syntax of their own: CAST, EXTRACT, TRIM, CURRENT_DATE, XML. SQL/JSON's are
 * parse_pg_json.c.
 */
#include "parser/parse.h"

#include "parser/parse_pg.h"

/* ---- PostgreSQL's special syntax ------------------------------------------------------------------------------------- */

/* A call with words of its own: the keyword at hand is its name and is read. */
static struct ast_func *special(struct sql_reader *p, enum ast_call op) {
    struct ast_func *f = PARSE_NODE(p, ast_func, FUNC);
    f->node.op = (uint16_t)op;
    f->names = parse_name_of_token(p);
    return f;
}

/* CAST "(" expr AS type ")" | TREAT "(" expr AS type ")" */
static struct ast *parse_cast(struct sql_reader *p) {
    struct ast_cast *cast = PARSE_NODE(p, ast_cast, CAST);
    cast->node.op = parse_at(p, KW_TREAT) ? CAST_TREAT : CAST_FUNCTION;
    parse_advance(p);
    parse_expect(p, '(');
    cast->arg = parse_expr(p);
    parse_expect(p, KW_AS);
    cast->type = parse_type(p);
    parse_expect(p, ')');
    return parse_done(p, cast);
}

/* EXTRACT "(" (field | string) FROM expr ")" */
static void parse_extract(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    switch (p->tok.kind) {
    case TOKEN_IDENT:
    case TOKEN_QUOTED_IDENT:
    case TOKEN_UNICODE_IDENT: parse_list_add(&args, parse_name_of_token(p)); break;
    case KW_YEAR:
    case KW_MONTH:
    case KW_DAY:
    case KW_HOUR:
    case KW_MINUTE:
    case KW_SECOND: parse_list_add(&args, parse_word(p)); break;
    default: parse_list_add(&args, parse_string(p)); break;
    }
    parse_expect(p, KW_FROM);
    parse_list_add(&args, parse_expr(p));
    f->args = args.first;
}

/* OVERLAY "(" expr PLACING expr FROM expr [FOR expr] ")", or ordinary arguments */
static void parse_overlay(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, ')')) {
        f->node.op = CALL_PLAIN;
        return;
    }
    parse_list_add(&args, parse_arg(p));
    if (parse_accept(p, KW_PLACING)) {
        parse_list_add(&args, parse_expr(p));
        parse_expect(p, KW_FROM);
        parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, KW_FOR)) parse_list_add(&args, parse_expr(p));
    } else {
        f->node.op = CALL_PLAIN;
        while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
    }
    f->args = args.first;
}

/* SUBSTRING "(" expr [FROM expr] [FOR expr] | expr SIMILAR expr ESCAPE expr ")", or ordinary arguments */
static void parse_substring(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, ')')) {
        f->node.op = CALL_PLAIN;
        return;
    }
    parse_list_add(&args, parse_arg(p));
    switch (p->tok.kind) {
    case KW_FROM:
        parse_advance(p);
        parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, KW_FOR)) parse_list_add(&args, parse_expr(p));
        break;
    case KW_FOR: {
        uint32_t start = p->tok.start;
        parse_advance(p);
        struct ast *len = parse_expr(p);
        if (parse_accept(p, KW_FROM)) {
            parse_list_add(&args, parse_expr(p));
            parse_list_add(&args, len);
        } else {
            parse_list_add(&args, parse_option(p, start, "for", len));
        }
        break;
    }
    case KW_SIMILAR:
        parse_advance(p);
        parse_list_add(&args, parse_expr(p));
        parse_expect(p, KW_ESCAPE);
        parse_list_add(&args, parse_expr(p));
        break;
    default:
        f->node.op = CALL_PLAIN;
        while (parse_accept(p, ',')) parse_list_add(&args, parse_arg(p));
        break;
    }
    f->args = args.first;
}

/* POSITION "(" b_expr IN b_expr ")" | POSITION "(" ")" */
static void parse_position(struct sql_reader *p, struct ast_func *f) {
    if (parse_at(p, ')')) {
        f->node.op = CALL_PLAIN;
        return;
    }
    f->args = parse_expr_b(p);
    parse_expect(p, KW_IN);
    parse_append(&f->args, parse_expr_b(p));
}

/* TRIM "(" [BOTH | LEADING | TRAILING] [expr] [FROM] exprs ")" */
static void parse_trim(struct sql_reader *p, struct ast_func *f) {
    struct parse_list args;
    parse_list_init(&args);
    if (parse_at(p, KW_BOTH) || parse_at(p, KW_LEADING) || parse_at(p, KW_TRAILING)) parse_list_add(&args, parse_word(p));
    if (!parse_accept(p, KW_FROM)) {
        parse_list_add(&args, parse_expr(p));
        if (parse_accept(p, KW_FROM)) {
            parse_list_add(&args, parse_expr_list(p));
        } else {
            while (parse_accept(p, ',')) parse_list_add(&args, parse_expr(p));
        }
    } else {
        parse_list_add(&args, parse_expr_list(p));
    }
    f->args = args.first;
}

/* NORMALIZE "(" expr ["," form] ")" */
static void parse_normalize(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_expr(p);
    if (!parse_accept(p, ',')) return;
    if (!parse_at(p, KW_NFC) && !parse_at(p, KW_NFD) && !parse_at(p, KW_NFKC) && !parse_at(p, KW_NFKD)) {
        parse_fail(p, "syntax error");
    }
    parse_append(&f->args, parse_word(p));
}

/* ---- XML ------------------------------------------------------------------------------------------------------------- */

/* expr [AS label] */
static struct ast *parse_xml_attribute(struct sql_reader *p) {
    struct ast_target *target = PARSE_NODE(p, ast_target, TARGET);
    target->expr = parse_expr(p);
    if (parse_accept(p, KW_AS)) target->name = parse_label(p);
    return parse_done(p, target);
}

/* XMLELEMENT "(" NAME label ["," XMLATTRIBUTES "(" ... ")"] ["," exprs] ")" - the inside */
static void parse_xmlelement(struct sql_reader *p, struct ast_func *f) {
    parse_expect(p, KW_NAME);
    f->args = parse_label(p);
    struct ast **tail = &f->args->next;
    if (!parse_accept(p, ',')) return;
    if (parse_at(p, KW_XMLATTRIBUTES)) {
        uint32_t start = p->tok.start;
        parse_advance(p);
        *tail = parse_option(p, start, "xmlattributes", parse_paren_list(p, parse_xml_attribute));
        tail = &(*tail)->next;
        if (!parse_accept(p, ',')) return;
    }
    *tail = parse_expr_list(p);
}

/* XMLROOT "(" expr "," VERSION (expr | NO VALUE) ["," STANDALONE (YES | NO | NO VALUE)] ")" - the inside */
static void parse_xmlroot(struct sql_reader *p, struct ast_func *f) {
    f->args = parse_expr(p);
    struct ast **tail = &f->args->next;
    parse_expect(p, ',');
    parse_expect(p, KW_VERSION);
    if (parse_at(p, KW_NO) && parse_peek(p, 1) == KW_VALUE) {
        *tail = parse_word(p);
        parse_advance(p);
    } else {
        *tail = parse_expr(p);
    }
    tail = &(*tail)->next;
    if (!parse_accept(p, ',')) return;
    parse_expect(p, KW_STANDALONE);
    if (!parse_at(p, KW_YES) && !parse_at(p, KW_NO)) parse_fail(p, "syntax error");
    bool is_no = parse_at(p, KW_NO);
    *tail = parse_word(p);
    if (is_no) parse_accept(p, KW_VALUE);
}

/* [BY (REF | VALUE)]: says nothing that the server would use; BY alone may be a name */
static void skip_xml_mechanism(struct sql_reader *p) {
    if (!parse_accept2(p, KW_BY, KW_REF)) parse_accept2(p, KW_BY, KW_VALUE);
}

/* PASSING [BY (REF | VALUE)] c_expr [BY (REF | VALUE)] */
struct ast *parse_xml_passing(struct sql_reader *p) {
    parse_expect(p, KW_PASSING);
    skip_xml_mechanism(p);
    struct ast *expr = parse_expr_primary(p);
    skip_xml_mechanism(p);
    return expr;
}

static void parse_xml_call(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    struct parse_list args;
    switch (kind) {
    case KW_XMLCONCAT: f->args = parse_expr_list(p); break;
    case KW_XMLELEMENT: parse_xmlelement(p, f); break;
    case KW_XMLEXISTS:
        f->args = parse_expr_primary(p);
        parse_append(&f->args, parse_xml_passing(p));
        break;
    case KW_XMLFOREST: f->args = parse_comma_list(p, parse_xml_attribute); break;
    case KW_XMLPARSE:
    case KW_XMLSERIALIZE:
        if (!parse_at(p, KW_DOCUMENT) && !parse_at(p, KW_CONTENT)) parse_fail(p, "syntax error");
        parse_list_init(&args);
        parse_list_add(&args, parse_word(p));
        parse_list_add(&args, parse_expr(p));
        if (kind == KW_XMLPARSE) {
            if ((parse_at(p, KW_PRESERVE) || parse_at(p, KW_STRIP)) && parse_peek(p, 1) == KW_WHITESPACE) {
                f->options = parse_word(p);
                parse_advance(p);
            }
        } else {
            parse_expect(p, KW_AS);
            parse_list_add(&args, parse_pg_simple_type(p));
            if (parse_is_pg(p, 160000)) {
                if (parse_accept(p, KW_NO)) parse_expect(p, KW_INDENT);
                else parse_accept(p, KW_INDENT);
            }
        }
        f->args = args.first;
        break;
    case KW_XMLPI:
        parse_expect(p, KW_NAME);
        f->args = parse_label(p);
        if (parse_accept(p, ',')) parse_append(&f->args, parse_expr(p));
        break;
    default: parse_xmlroot(p, f); break;
    }
}

/* ---- which call ------------------------------------------------------------------------------------------------------ */

static void parse_special_inside(struct sql_reader *p, struct ast_func *f, uint16_t kind) {
    switch (kind) {
    case KW_NULLIF:
        f->args = parse_expr(p);
        parse_expect(p, ',');
        parse_append(&f->args, parse_expr(p));
        break;
    case KW_EXTRACT: parse_extract(p, f); break;
    case KW_OVERLAY: parse_overlay(p, f); break;
    case KW_POSITION: parse_position(p, f); break;
    case KW_SUBSTRING: parse_substring(p, f); break;
    case KW_TRIM: parse_trim(p, f); break;
    case KW_NORMALIZE: parse_normalize(p, f); break;
    case KW_XMLCONCAT:
    case KW_XMLELEMENT:
    case KW_XMLEXISTS:
    case KW_XMLFOREST:
    case KW_XMLPARSE:
    case KW_XMLPI:
    case KW_XMLROOT:
    case KW_XMLSERIALIZE: parse_xml_call(p, f, kind); break;
    case KW_JSON_OBJECT:
    case KW_JSON_OBJECTAGG:
    case KW_JSON_ARRAY:
    case KW_JSON_ARRAYAGG: parse_pg_json_constructor(p, f, kind); break;
    case KW_JSON_EXISTS:
    case KW_JSON_QUERY:
    case KW_JSON_VALUE: parse_pg_json_query(p, f, kind); break;
    case KW_JSON:
    case KW_JSON_SCALAR:
    case KW_JSON_SERIALIZE: parse_pg_json_simple(p, f, kind); break;
    case KW_MERGE_ACTION: break;
    default: f->args = parse_expr_list(p); break; /* COALESCE, GREATEST, LEAST, GROUPING */
    }
}

/* The keywords whose calls have a syntax of their own: those that are no name of a function for PostgreSQL itself. */
static bool is_special(const struct sql_reader *p, uint16_t kind) {
    switch (kind) {
    case KW_COALESCE:
    case KW_GREATEST:
    case KW_LEAST:
    case KW_GROUPING:
    case KW_NULLIF:
    case KW_EXTRACT:
    case KW_OVERLAY:
    case KW_POSITION:
    case KW_SUBSTRING:
    case KW_TRIM:
    case KW_NORMALIZE:
    case KW_XMLCONCAT:
    case KW_XMLELEMENT:
    case KW_XMLEXISTS:
    case KW_XMLFOREST:
    case KW_XMLPARSE:
    case KW_XMLPI:
    case KW_XMLROOT:
    case KW_XMLSERIALIZE:
    case KW_JSON_OBJECT:
    case KW_JSON_OBJECTAGG:
    case KW_JSON_ARRAY:
    case KW_JSON_ARRAYAGG:
    case KW_JSON_EXISTS:
    case KW_JSON_QUERY:
    case KW_JSON_VALUE:
    case KW_JSON_SCALAR:
    case KW_JSON_SERIALIZE:
    case KW_MERGE_ACTION: return true;
    case KW_JSON: return parse_is_pg(p, 170000);
    default: return false;
    }
}

/* CURRENT_DATE and the like: no parentheses, or a precision. */
static struct ast *parse_bare(struct sql_reader *p, bool may_precision) {
    struct ast_func *f = special(p, CALL_BARE);
    if (may_precision && parse_at(p, '(')) {
        parse_advance(p);
        f->args = parse_integer(p);
        parse_expect(p, ')');
    }
    return parse_done(p, f);
}

/* COLLATION FOR "(" expr ")" */
static struct ast *parse_collation_for(struct sql_reader *p) {
    struct ast_func *f = special(p, CALL_SPECIAL);
    parse_expect(p, KW_FOR);
    parse_expect(p, '(');
    f->args = parse_expr(p);
    parse_expect(p, ')');
    return parse_done(p, f);
}

struct ast *parse_special_call(struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    switch (kind) {
    case KW_CURRENT_CATALOG:
    case KW_CURRENT_DATE:
    case KW_CURRENT_ROLE:
    case KW_CURRENT_USER:
    case KW_SESSION_USER:
    case KW_SYSTEM_USER:
    case KW_USER: return parse_bare(p, false);
    case KW_CURRENT_SCHEMA:
        if (parse_peek(p, 1) == '(' || parse_pg_is_string(parse_peek(p, 1))) return NULL;
        return parse_bare(p, false);
    case KW_CURRENT_TIME:
    case KW_CURRENT_TIMESTAMP:
    case KW_LOCALTIME:
    case KW_LOCALTIMESTAMP: return parse_bare(p, true);
    case KW_CAST:
    case KW_TREAT:
        if (kind == KW_TREAT && parse_peek(p, 1) != '(') return NULL;
        return parse_cast(p);
    case KW_COLLATION:
        if (parse_peek(p, 1) == KW_FOR) return parse_collation_for(p);
        return NULL;
    default: break;
    }
    if (!is_special(p, kind) || parse_peek(p, 1) != '(') return NULL;
    struct ast_func *f = special(p, CALL_SPECIAL);
    parse_expect(p, '(');
    parse_special_inside(p, f, kind);
    parse_expect(p, ')');
    bool is_aggregate = kind == KW_JSON_OBJECTAGG || kind == KW_JSON_ARRAYAGG;
    return is_aggregate ? parse_filter_over(p, f) : parse_done(p, f);
}
