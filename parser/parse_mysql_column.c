/*
 * parse_mysql_column.c - definitions of columns: a name, a type, and what may stand behind it in any order.
 *
 * The server has rules of its own about which attributes go together; here they are a list in the order written.
 */
#include "parser/parse_mysql_ddl.h"

static struct ast_constraint *constraint(struct sql_reader *p, enum ast_constraint_op op) {
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    c->node.op = (uint16_t)op;
    return c;
}

static struct ast *paren_expr(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *expr = parse_expr(p);
    parse_expect(p, ')');
    return expr;
}

/* In MySQL what stands behind DEFAULT is a constant, the time or "(" expression ")". */
static bool at_mysql_default(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case '(':
    case TOKEN_INTEGER:
    case TOKEN_NUMBER:
    case TOKEN_STRING:
    case TOKEN_NATIONAL_STRING:
    case TOKEN_BIT_STRING:
    case TOKEN_BIT_NUMBER:
    case TOKEN_HEX_STRING:
    case TOKEN_HEX_NUMBER:
    case TOKEN_INTRODUCER:
    case TOKEN_NULL_ESCAPE:
    case KW_NULL:
    case KW_TRUE:
    case KW_FALSE:
    case KW_DATE:
    case KW_TIME:
    case KW_TIMESTAMP:
    case KW_NOW:
    case KW_CURRENT_TIMESTAMP:
    case KW_LOCALTIME:
    case KW_LOCALTIMESTAMP: return true;
    default: return false;
    }
}

/* number with a sign | constant, call, variable, name or "(" expression ")" */
struct ast *parse_mysql_default_value(struct sql_reader *p) {
    if (parse_at(p, '+') || parse_at(p, '-')) return parse_signed_number(p);
    if (!p->is_mariadb && !at_mysql_default(p)) parse_fail(p, "syntax error: expected a constant");
    return parse_expr_primary(p);
}

/* ---- references and checks ------------------------------------------------------------------------------------------- */

/* RESTRICT | CASCADE | SET NULL | SET DEFAULT | NO ACTION */
static struct ast *reference_action(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_SET, KW_NULL)) return parse_option(p, start, "set null", NULL);
    if (parse_accept2(p, KW_SET, KW_DEFAULT)) return parse_option(p, start, "set default", NULL);
    if (parse_accept2(p, KW_NO, KW_ACTION)) return parse_option(p, start, "no action", NULL);
    if (parse_accept(p, KW_RESTRICT)) return parse_option(p, start, "restrict", NULL);
    parse_expect(p, KW_CASCADE);
    return parse_option(p, start, "cascade", NULL);
}

/* [MATCH (FULL | PARTIAL | SIMPLE)] [ON DELETE action] [ON UPDATE action], the last two in any order */
static void reference_options(struct sql_reader *p, struct parse_list *options) {
    bool has_delete = false, has_update = false;
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_MATCH)) {
        if (!parse_at(p, KW_FULL) && !parse_at(p, KW_PARTIAL) && !parse_at(p, KW_SIMPLE)) parse_fail(p, "syntax error");
        parse_list_add(options, parse_option(p, start, "match", parse_word(p)));
    }
    for (;;) {
        start = p->tok.start;
        if (!has_delete && parse_accept2(p, KW_ON, KW_DELETE)) {
            has_delete = true;
            parse_list_add(options, parse_option(p, start, "on delete", reference_action(p)));
        } else if (!has_update && parse_accept2(p, KW_ON, KW_UPDATE)) {
            has_update = true;
            parse_list_add(options, parse_option(p, start, "on update", reference_action(p)));
        } else {
            return;
        }
    }
}

/* REFERENCES table ["(" names ")"] options */
void parse_mysql_references_clause(struct sql_reader *p, struct ast_constraint *c, struct parse_list *options) {
    c->node.op = CONSTRAINT_FOREIGN_KEY;
    parse_expect(p, KW_REFERENCES);
    c->table = parse_table_name(p);
    c->references = parse_opt_paren_names(p);
    reference_options(p, options);
    c->options = options->first;
}

/* CHECK "(" expression ")" [[NOT] ENFORCED] */
void parse_mysql_check_clause(struct sql_reader *p, struct ast_constraint *c) {
    c->node.op = CONSTRAINT_CHECK;
    parse_expect(p, KW_CHECK);
    c->expr = paren_expr(p);
    if (parse_at(p, KW_ENFORCED)) c->options = parse_mysql_words(p, "enforced", 1);
    else if (parse_at(p, KW_NOT) && parse_peek(p, 1) == KW_ENFORCED) c->options = parse_mysql_words(p, "not enforced", 2);
}

/* ---- attributes ------------------------------------------------------------------------------------------------------ */

/* [GENERATED ALWAYS] AS ("(" expression ")" [VIRTUAL | STORED | PERSISTENT] | ROW START | ROW END) */
static struct ast *generated(struct sql_reader *p) {
    struct ast_constraint *c = constraint(p, CONSTRAINT_GENERATED);
    if (parse_accept(p, KW_GENERATED)) parse_expect(p, KW_ALWAYS);
    parse_expect(p, KW_AS);
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_ROW)) {
        if (!parse_accept(p, KW_START)) parse_expect(p, KW_END);
        c->options = parse_option(p, start, "row", NULL);
    } else {
        c->expr = paren_expr(p);
        bool is_persistent = p->is_mariadb && parse_at(p, KW_PERSISTENT);
        if (is_persistent || parse_at(p, KW_VIRTUAL) || parse_at(p, KW_STORED)) c->options = parse_word(p);
    }
    return parse_done(p, c);
}

/* NOT NULL | NOT SECONDARY */
static struct ast *negated(struct sql_reader *p) {
    if (parse_peek(p, 1) == KW_SECONDARY) return parse_mysql_words(p, "not secondary", 2);
    struct ast_constraint *c = constraint(p, CONSTRAINT_NOT_NULL);
    parse_advance(p);
    parse_expect(p, KW_NULL);
    return parse_done(p, c);
}

static struct ast *default_clause(struct sql_reader *p) {
    struct ast_constraint *c = constraint(p, CONSTRAINT_DEFAULT);
    parse_expect(p, KW_DEFAULT);
    c->expr = parse_mysql_default_value(p);
    return parse_done(p, c);
}

/* ON UPDATE (NOW "(" [n] ")" | CURRENT_TIMESTAMP ["(" [n] ")"] | LOCALTIME ... | LOCALTIMESTAMP ...) */
static struct ast *on_update(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_expect(p, KW_UPDATE);
    switch (p->tok.kind) {
    case KW_NOW:
        if (parse_peek(p, 1) == '(') break;
        parse_fail(p, "syntax error: expected NOW()");
        break;
    case KW_CURRENT_TIMESTAMP:
    case KW_LOCALTIME:
    case KW_LOCALTIMESTAMP: break;
    default: parse_fail(p, "syntax error: expected CURRENT_TIMESTAMP"); break;
    }
    return parse_option(p, start, "on update", parse_expr_primary(p));
}

/* UNIQUE [KEY] | [PRIMARY] KEY */
static struct ast *key(struct sql_reader *p) {
    bool is_unique = parse_at(p, KW_UNIQUE);
    struct ast_constraint *c = constraint(p, is_unique ? CONSTRAINT_UNIQUE : CONSTRAINT_PRIMARY_KEY);
    if (is_unique) {
        parse_advance(p);
        parse_accept(p, KW_KEY);
    } else {
        parse_accept(p, KW_PRIMARY);
        parse_expect(p, KW_KEY);
    }
    return parse_done(p, c);
}

/* [CONSTRAINT [name]] CHECK ... | REFERENCES ... */
static struct ast *check_or_references(struct sql_reader *p) {
    struct ast_constraint *c = PARSE_NODE(p, ast_constraint, CONSTRAINT);
    struct parse_list options;
    parse_list_init(&options);
    bool is_named = parse_accept(p, KW_CONSTRAINT);
    if (is_named && parse_at_name(p)) c->name = parse_name(p);
    if (parse_at(p, KW_REFERENCES) && (!is_named || p->is_mariadb)) parse_mysql_references_clause(p, c, &options);
    else parse_mysql_check_clause(p, c);
    return parse_done(p, c);
}

/* COLLATE name */
static struct ast *collate(struct sql_reader *p) {
    struct ast_constraint *c = constraint(p, CONSTRAINT_COLLATE);
    parse_expect(p, KW_COLLATE);
    parse_accept(p, '=');
    c->options = parse_mysql_collation_name(p);
    return parse_done(p, c);
}

/* COMPRESSED ["=" method] */
static struct ast *compressed(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    return parse_option(p, start, "compressed", parse_accept(p, '=') ? parse_name(p) : NULL);
}

/* (WITH | WITHOUT) SYSTEM VERSIONING */
static struct ast *versioning(struct sql_reader *p) {
    if (parse_peek(p, 1) != KW_SYSTEM || parse_peek(p, 2) != KW_VERSIONING) return NULL;
    return parse_mysql_words(p, parse_at(p, KW_WITH) ? "with system versioning" : "without system versioning", 3);
}

/* A word with a value or without, which only needs to be known. NULL: none of them. */
static struct ast *opt_word_attribute(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_AUTO_INCREMENT: return parse_mysql_words(p, "auto_increment", 1);
    case KW_INVISIBLE: return parse_mysql_words(p, "invisible", 1);
    case KW_VISIBLE: return p->is_mariadb ? NULL : parse_mysql_words(p, "visible", 1);
    case KW_COMMENT:
    case KW_ENGINE_ATTRIBUTE:
    case KW_SECONDARY_ENGINE_ATTRIBUTE: return parse_mysql_word_option(p, parse_string);
    case KW_COLUMN_FORMAT:
    case KW_STORAGE: return p->is_mariadb ? NULL : parse_mysql_word_option(p, parse_mysql_value);
    case KW_SRID: return parse_mysql_word_option(p, parse_mysql_number);
    case KW_COMPRESSED: return p->is_mariadb ? compressed(p) : NULL;
    case KW_MASKING: return parse_peek(p, 1) == KW_POLICY ? parse_mysql_option(p, "masking policy", 2, parse_name) : NULL;
    case KW_WITH:
    case KW_WITHOUT: return versioning(p);
    case KW_SERIAL:
        if (parse_peek(p, 1) != KW_DEFAULT || parse_peek(p, 2) != KW_VALUE) return NULL;
        return parse_mysql_words(p, "serial default value", 3);
    default: return p->is_mariadb ? parse_mysql_opt_engine_option(p) : NULL;
    }
}

static struct ast *opt_attribute(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_NULL: {
        struct ast_constraint *c = constraint(p, CONSTRAINT_NULL);
        parse_advance(p);
        return parse_done(p, c);
    }
    case KW_NOT: return negated(p);
    case KW_DEFAULT: return default_clause(p);
    case KW_ON: return on_update(p);
    case KW_UNIQUE:
    case KW_PRIMARY:
    case KW_KEY: return key(p);
    case KW_COLLATE: return collate(p);
    case KW_CHECK:
    case KW_CONSTRAINT:
    case KW_REFERENCES: return check_or_references(p);
    default: return opt_word_attribute(p);
    }
}

/* ---- columns --------------------------------------------------------------------------------------------------------- */

/* name | [[database "."] table] "." name: the name alone is kept, the server wants the others to be the table's */
static struct ast *column_name(struct sql_reader *p) {
    if (p->is_mariadb && parse_accept(p, '.')) return parse_label(p);
    struct ast *name = parse_name(p);
    while (p->is_mariadb && parse_accept(p, '.')) name = parse_label(p);
    return name;
}

/* name type [[GENERATED ALWAYS] AS ...] { attribute }; REFERENCES, and in MariaDB CHECK too, is the last one */
struct ast *parse_mysql_column_def(struct sql_reader *p) {
    struct ast_column_def *def = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    struct parse_list constraints;
    parse_list_init(&constraints);
    def->name = column_name(p);
    def->type = parse_mysql_type(p);
    if (parse_at(p, KW_GENERATED) || parse_at(p, KW_AS)) parse_list_add(&constraints, generated(p));
    for (struct ast *a = opt_attribute(p); a; a = opt_attribute(p)) {
        parse_list_add(&constraints, a);
        if (a->kind != AST_CONSTRAINT) continue;
        if (a->op == CONSTRAINT_FOREIGN_KEY || (p->is_mariadb && a->op == CONSTRAINT_CHECK)) break;
    }
    def->constraints = constraints.first;
    return parse_done(p, def);
}
