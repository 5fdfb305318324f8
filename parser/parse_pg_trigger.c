/*
 * parse_pg_trigger.c - what happens by itself on tables: triggers, event triggers, rules and policies.
 */
#include "parser/parse_pg.h"

/* name ON table */
struct ast *parse_pg_named_on_table(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    o->names = parse_name(p);
    parse_expect(p, KW_ON);
    o->on = parse_pg_table_by_name(p);
    return parse_done(p, o);
}

/* ---- triggers -------------------------------------------------------------------------------------------------------- */

/* INSERT | DELETE | UPDATE [OF columns] | TRUNCATE */
static struct ast *trigger_event(struct sql_reader *p) {
    static const struct parse_pg_phrase events[] = {
        {.words = {KW_INSERT}, .name = "insert"},
        {.words = {KW_DELETE}, .name = "delete"},
        {.words = {KW_UPDATE, KW_OF}, .name = "update of", .value = parse_name_list},
        {.words = {KW_UPDATE}, .name = "update"},
        {.words = {KW_TRUNCATE}, .name = "truncate"},
        {.name = NULL},
    };
    return parse_pg_phrase(p, events);
}

/* event {OR event}, none twice */
static struct ast *trigger_events(struct sql_reader *p) {
    static const uint16_t words[] = {KW_INSERT, KW_DELETE, KW_UPDATE, KW_TRUNCATE};
    struct parse_list l;
    parse_list_init(&l);
    unsigned seen = 0;
    do {
        for (unsigned i = 0; i < COUNT_OF(words); i++) {
            if (!parse_at(p, words[i])) continue;
            if (seen & 1u << i) parse_fail(p, "the event is named twice");
            seen |= 1u << i;
        }
        parse_list_add(&l, trigger_event(p));
    } while (parse_accept(p, KW_OR));
    return l.first;
}

/* (OLD | NEW) (TABLE | ROW) [AS] name */
static struct ast *transition(struct sql_reader *p) {
    static const struct parse_pg_phrase whats[] = {
        {.words = {KW_OLD, KW_TABLE}, .name = "old table"}, {.words = {KW_OLD, KW_ROW}, .name = "old row"},
        {.words = {KW_NEW, KW_TABLE}, .name = "new table"}, {.words = {KW_NEW, KW_ROW}, .name = "new row"},
        {.name = NULL},
    };
    struct ast *option = parse_pg_phrase(p, whats);
    parse_accept(p, KW_AS);
    struct ast *name = parse_name(p);
    if (p->failed) return option;
    AST_AS(option, OPTION, option)->values = name;
    return parse_done(p, option);
}

/* transition {transition} */
static struct ast *transitions(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    do parse_list_add(&l, transition(p));
    while (parse_at(p, KW_OLD) || parse_at(p, KW_NEW));
    return l.first;
}

/* integer | number | string | label */
static struct ast *trigger_argument(struct sql_reader *p) {
    if (parse_at_string(p)) return parse_string(p);
    if (parse_at(p, TOKEN_INTEGER) || parse_at(p, TOKEN_NUMBER)) return parse_literal(p);
    return parse_label(p);
}

/* EXECUTE (FUNCTION | PROCEDURE) name "(" [[argument] {"," argument}] ")": the first argument may be missing alone */
static struct ast *execute(struct sql_reader *p, bool has_arguments) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_EXECUTE);
    if (!parse_accept(p, KW_PROCEDURE)) parse_expect(p, KW_FUNCTION);
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = SQL_OBJECT_FUNCTION;
    o->names = parse_pg_func_name(p);
    struct parse_list l;
    parse_list_init(&l);
    parse_expect(p, '(');
    if (has_arguments && !parse_at(p, ')')) {
        if (!parse_at(p, ',')) parse_list_add(&l, trigger_argument(p));
        while (parse_accept(p, ',')) parse_list_add(&l, trigger_argument(p));
    }
    parse_expect(p, ')');
    o->args = l.first;
    return parse_option(p, start, "execute", parse_done(p, o));
}

/* REFERENCING transitions, FOR [EACH] (ROW | STATEMENT), WHEN "(" condition ")", each or none */
static void trigger_scope(struct sql_reader *p, struct parse_list *l) {
    static const struct parse_pg_phrase eaches[] = {
        {.words = {KW_FOR, KW_EACH, KW_ROW}, .name = "for each row"},
        {.words = {KW_FOR, KW_EACH, KW_STATEMENT}, .name = "for each statement"},
        {.words = {KW_FOR, KW_ROW}, .name = "for each row"},
        {.words = {KW_FOR, KW_STATEMENT}, .name = "for each statement"},
        {.name = NULL},
    };
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_REFERENCING, "referencing", transitions));
    parse_pg_append(p, l, parse_pg_opt_phrase(p, eaches));
}

/* [FROM table] attributes FOR EACH ROW */
static void constraint_trigger_scope(struct sql_reader *p, struct parse_list *l) {
    static const struct parse_pg_phrase each[] = {
        {.words = {KW_FOR, KW_EACH, KW_ROW}, .name = "for each row"},
        {.name = NULL},
    };
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_FROM, "from", parse_table_name));
    parse_pg_append(p, l, parse_pg_attributes(p, PARSE_PG_DEFERRABLE));
    parse_pg_append(p, l, parse_pg_phrase(p, each));
}

/*
 * TRIGGER name (BEFORE | AFTER | INSTEAD OF) events ON table scope [WHEN "(" condition ")"] execute
 * CONSTRAINT TRIGGER name AFTER events ON table [FROM table] attributes FOR EACH ROW [WHEN "(" condition ")"] execute
 *
 * objects: the TRIGGER on its TABLE, which stands behind the events. elements: the events. args: the condition. options:
 * when, the rest, "execute".
 */
void parse_pg_create_trigger(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase times[] = {
        {.words = {KW_AFTER}, .name = "after"},
        {.words = {KW_BEFORE}, .name = "before"},
        {.words = {KW_INSTEAD, KW_OF}, .name = "instead of"},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    bool is_constraint = c->options != NULL;
    if (is_constraint) parse_list_add(&l, c->options);
    struct ast_object *trigger = PARSE_NODE(p, ast_object, OBJECT);
    trigger->node.op = SQL_OBJECT_TRIGGER;
    trigger->names = parse_name(p);
    if (is_constraint && !parse_at(p, KW_AFTER)) parse_expect(p, KW_AFTER);
    parse_list_add(&l, parse_pg_phrase(p, times));
    c->elements = trigger_events(p);
    parse_expect(p, KW_ON);
    trigger->on = parse_table_name(p);
    c->objects = parse_done(p, trigger);
    if (is_constraint) constraint_trigger_scope(p, &l);
    else trigger_scope(p, &l);
    if (parse_accept(p, KW_WHEN)) c->args = parse_pg_paren_expr(p);
    parse_list_add(&l, execute(p, true));
    c->options = l.first;
}

/* ---- event triggers -------------------------------------------------------------------------------------------------- */

static struct ast *strings(struct sql_reader *p) {
    return parse_paren_list(p, parse_string);
}

/* name IN "(" strings ")" */
static struct ast *event_filter(struct sql_reader *p) {
    struct ast_option *o = PARSE_NODE(p, ast_option, OPTION);
    o->name = parse_name(p);
    parse_expect(p, KW_IN);
    o->values = strings(p);
    return parse_done(p, o);
}

/* filter {AND filter} */
static struct ast *event_filters(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    do parse_list_add(&l, event_filter(p));
    while (parse_accept(p, KW_AND));
    return l.first;
}

/* EVENT TRIGGER name ON event [WHEN filters] execute */
void parse_pg_create_event_trigger(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    c->objects = parse_pg_named(p, SQL_OBJECT_EVENT_TRIGGER);
    parse_expect(p, KW_ON);
    c->elements = parse_label(p);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_WHEN, "when", event_filters));
    parse_list_add(&l, execute(p, false));
    c->options = l.first;
}

/* ENABLE [REPLICA | ALWAYS] | DISABLE */
void parse_pg_alter_event_trigger(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ENABLE, KW_REPLICA}, .name = "enable replica"},
        {.words = {KW_ENABLE, KW_ALWAYS}, .name = "enable always"},
        {.words = {KW_ENABLE}, .name = "enable"},
        {.words = {KW_DISABLE}, .name = "disable"},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- rules ----------------------------------------------------------------------------------------------------------- */

/* query | INSERT | UPDATE | DELETE, with WITH or without | NOTIFY */
static struct ast *rule_action(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_at(p, KW_INSERT)) return parse_insert(p, NULL, start);
    if (parse_at(p, KW_UPDATE)) return parse_update(p, NULL, start);
    if (parse_at(p, KW_DELETE)) return parse_delete(p, NULL, start);
    if (parse_at(p, KW_NOTIFY)) return parse_statement(p);
    if (!parse_at(p, KW_WITH)) return parse_query(p);
    struct ast *statement = parse_statement_with(p);
    if (statement->kind == AST_MERGE) parse_fail_at(p, start, "a rule does not merge");
    return statement;
}

/* [action] {";" [action]} ")", behind "(" and a first action that was read, or NULL */
static struct ast *rule_actions(struct sql_reader *p, struct ast *first) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_append(p, &l, first);
    if (!first && !parse_at(p, ';') && !parse_at(p, ')')) parse_list_add(&l, rule_action(p));
    while (parse_accept(p, ';')) {
        if (!parse_at(p, ';') && !parse_at(p, ')')) parse_list_add(&l, rule_action(p));
    }
    parse_expect(p, ')');
    return l.first;
}

/* NOTHING | action | "(" actions ")": one query in parentheses is that query, and may go on behind them */
static struct ast *rule_body(struct sql_reader *p) {
    if (parse_at(p, KW_NOTHING)) {
        parse_advance(p);
        return NULL;
    }
    if (!parse_at(p, '(')) return rule_action(p);
    parse_enter(p);
    uint32_t start = p->tok.start;
    parse_advance(p);
    struct ast *body;
    struct ast *first = parse_at_query(p) ? rule_action(p) : NULL;
    bool is_query = first && (first->kind == AST_SELECT || first->kind == AST_SETOP || first->kind == AST_VALUES);
    if (is_query && parse_accept(p, ')')) {
        first->flags |= AST_PARENS;
        body = parse_query_rest(p, first, start);
    } else {
        body = rule_actions(p, first);
    }
    parse_leave(p);
    return body;
}

/*
 * RULE name AS ON (SELECT | UPDATE | DELETE | INSERT) TO table [WHERE condition] DO [INSTEAD | ALSO] body
 *
 * objects: the RULE on its TABLE. options: the WORD of the event, then INSTEAD or ALSO. args: the condition. query: the
 * actions; none for NOTHING.
 */
void parse_pg_create_rule(struct sql_reader *p, struct ast_command *c) {
    struct ast_object *rule = PARSE_NODE(p, ast_object, OBJECT);
    rule->node.op = SQL_OBJECT_RULE;
    rule->names = parse_name(p);
    parse_expect(p, KW_AS);
    parse_expect(p, KW_ON);
    bool is_event = parse_at(p, KW_SELECT) || parse_at(p, KW_UPDATE) || parse_at(p, KW_DELETE) || parse_at(p, KW_INSERT);
    if (!is_event) parse_fail(p, "an event is expected here");
    struct ast *event = parse_word(p);
    parse_expect(p, KW_TO);
    rule->on = parse_table_name(p);
    c->objects = parse_done(p, rule);
    c->args = parse_opt_where(p);
    parse_expect(p, KW_DO);
    if (parse_at(p, KW_INSTEAD) || parse_at(p, KW_ALSO)) event->next = parse_word(p);
    c->options = event;
    c->query = rule_body(p);
}

/* ---- policies -------------------------------------------------------------------------------------------------------- */

/* PERMISSIVE | RESTRICTIVE: no keywords */
static struct ast *policy_kind(struct sql_reader *p) {
    uint32_t position = p->tok.start;
    if (!parse_pg_is_identifier(p->tok.kind)) parse_fail(p, "PERMISSIVE or RESTRICTIVE is expected here");
    struct ast *kind = parse_name(p);
    if (p->failed) return kind;
    struct bytes text = AST_AS(name, NAME, kind)->text;
    if (!bytes_is(text, "permissive") && !bytes_is(text, "restrictive")) {
        parse_fail_at(p, position, "PERMISSIVE or RESTRICTIVE is expected here");
    }
    return kind;
}

/* ALL | SELECT | INSERT | UPDATE | DELETE */
static struct ast *policy_command(struct sql_reader *p) {
    bool is_command = parse_at(p, KW_ALL) || parse_at(p, KW_SELECT) || parse_at(p, KW_INSERT) || parse_at(p, KW_UPDATE) ||
                      parse_at(p, KW_DELETE);
    if (!is_command) parse_fail(p, "a command is expected here");
    return parse_word(p);
}

/* [TO roles] [USING "(" condition ")"] [WITH CHECK "(" condition ")"] */
static void policy_conditions(struct sql_reader *p, struct parse_list *l) {
    static const struct parse_pg_phrase check[] = {
        {.words = {KW_WITH, KW_CHECK}, .name = "with check", .value = parse_pg_paren_expr},
        {.name = NULL},
    };
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_TO, "to", parse_pg_roles));
    parse_pg_append(p, l, parse_pg_opt_clause(p, KW_USING, "using", parse_pg_paren_expr));
    parse_pg_append(p, l, parse_pg_opt_phrase(p, check));
}

/* POLICY name ON table [AS kind] [FOR command] conditions */
void parse_pg_create_policy(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    struct ast_object *policy = PARSE_NODE(p, ast_object, OBJECT);
    policy->node.op = SQL_OBJECT_POLICY;
    policy->names = parse_name(p);
    parse_expect(p, KW_ON);
    policy->on = parse_table_name(p);
    c->objects = parse_done(p, policy);
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_AS, "as", policy_kind));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_FOR, "for", policy_command));
    policy_conditions(p, &l);
    c->options = l.first;
}

/* conditions */
void parse_pg_alter_policy(struct sql_reader *p, struct ast_command *c) {
    struct parse_list l;
    parse_list_init(&l);
    policy_conditions(p, &l);
    c->elements = l.first;
}
