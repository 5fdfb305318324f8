/*
 * parse_pg_operator.c - operators, their classes and families, casts and transforms.
 */
#include "parser/parse_pg.h"

/* ---- how they are named ---------------------------------------------------------------------------------------------- */

/* type | NONE */
static struct ast *operand(struct sql_reader *p) {
    return parse_at(p, KW_NONE) ? parse_word(p) : parse_type(p);
}

/* "(" (type | NONE) "," (type | NONE) ")", not both NONE */
static struct ast *operands(struct sql_reader *p) {
    parse_expect(p, '(');
    struct ast *left = operand(p);
    parse_expect(p, ',');
    if (left->kind == AST_WORD && parse_at(p, KW_NONE)) parse_fail(p, "an operator has an operand");
    left->next = operand(p);
    parse_expect(p, ')');
    return left;
}

/* operator operands */
struct ast *parse_pg_operator_signature(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    o->names = parse_operator_name(p);
    o->args = operands(p);
    return parse_done(p, o);
}

/* name USING method */
struct ast *parse_pg_class_by_name(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    o->names = parse_qualified_name(p);
    parse_expect(p, KW_USING);
    o->on = parse_name(p);
    return parse_done(p, o);
}

/* "(" type AS type ")" */
struct ast *parse_pg_cast_by_types(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    parse_expect(p, '(');
    struct ast *from = parse_type(p);
    parse_expect(p, KW_AS);
    from->next = parse_type(p);
    parse_expect(p, ')');
    o->args = from;
    return parse_done(p, o);
}

/* FOR type LANGUAGE name */
struct ast *parse_pg_transform_by_type(struct sql_reader *p, enum sql_object object) {
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = (uint16_t)object;
    parse_expect(p, KW_FOR);
    o->args = parse_type(p);
    parse_expect(p, KW_LANGUAGE);
    o->on = parse_name(p);
    return parse_done(p, o);
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

/* OPERATOR operator definition */
void parse_pg_create_operator(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_object(p, SQL_OBJECT_OPERATOR, parse_operator_name(p));
    c->options = parse_pg_definition(p);
}

/* SET definition */
void parse_pg_alter_operator(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_SET}, .name = "set", .value = parse_pg_operator_definition},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- classes and families -------------------------------------------------------------------------------------------- */

/* integer operator [operands] [FOR (SEARCH | ORDER BY family)] */
static struct ast *class_operator(struct sql_reader *p) {
    static const struct parse_pg_phrase purposes[] = {
        {.words = {KW_FOR, KW_SEARCH}, .name = "for search"},
        {.words = {KW_FOR, KW_ORDER, KW_BY}, .name = "for order by", .value = parse_qualified_name},
        {.name = NULL},
    };
    struct ast *number = parse_pg_int(p);
    struct ast_object *o = PARSE_NODE(p, ast_object, OBJECT);
    o->node.op = SQL_OBJECT_OPERATOR;
    o->names = parse_operator_name(p);
    if (parse_at(p, '(')) o->args = operands(p);
    number->next = parse_done(p, o);
    o->node.next = parse_pg_opt_phrase(p, purposes);
    return number;
}

/* integer ["(" types ")"] routine */
static struct ast *class_function(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    parse_list_add(&l, parse_pg_int(p));
    if (parse_at(p, '(')) parse_pg_append(p, &l, parse_pg_types(p));
    parse_list_add(&l, parse_pg_routine_signature(p, SQL_OBJECT_FUNCTION));
    return l.first;
}

/* OPERATOR ... | FUNCTION ... | STORAGE type */
static struct ast *class_item(struct sql_reader *p) {
    static const struct parse_pg_phrase items[] = {
        {.words = {KW_OPERATOR}, .name = "operator", .value = class_operator},
        {.words = {KW_FUNCTION}, .name = "function", .value = class_function},
        {.words = {KW_STORAGE}, .name = "storage", .value = parse_type},
        {.name = NULL},
    };
    return parse_pg_phrase(p, items);
}

/* integer "(" types ")" */
static struct ast *dropped_by_types(struct sql_reader *p) {
    struct ast *number = parse_pg_int(p);
    number->next = parse_pg_types(p);
    return number;
}

/* (OPERATOR | FUNCTION) integer "(" types ")" */
static struct ast *dropped_item(struct sql_reader *p) {
    static const struct parse_pg_phrase items[] = {
        {.words = {KW_OPERATOR}, .name = "operator", .value = dropped_by_types},
        {.words = {KW_FUNCTION}, .name = "function", .value = dropped_by_types},
        {.name = NULL},
    };
    return parse_pg_phrase(p, items);
}

static struct ast *class_items(struct sql_reader *p) {
    return parse_comma_list(p, class_item);
}

static struct ast *dropped_items(struct sql_reader *p) {
    return parse_comma_list(p, dropped_item);
}

/*
 * OPERATOR CLASS name [DEFAULT] FOR TYPE type USING method [FAMILY name] AS items
 *
 * objects: the OPERATOR CLASS. elements: the items. options: "default", "for type", "using", "family".
 */
void parse_pg_create_operator_class(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase is_default[] = {
        {.words = {KW_DEFAULT}, .name = "default"},
        {.name = NULL},
    };
    static const struct parse_pg_phrase for_type[] = {
        {.words = {KW_FOR, KW_TYPE}, .name = "for type", .value = parse_type},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    c->objects = parse_pg_qualified(p, SQL_OBJECT_OPERATOR_CLASS);
    parse_pg_append(p, &l, parse_pg_opt_phrase(p, is_default));
    parse_list_add(&l, parse_pg_phrase(p, for_type));
    parse_list_add(&l, parse_pg_clause(p, KW_USING, "using", parse_name));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_FAMILY, "family", parse_qualified_name));
    parse_expect(p, KW_AS);
    c->options = l.first;
    c->elements = class_items(p);
}

/* OPERATOR FAMILY name USING method */
void parse_pg_create_operator_family(struct sql_reader *p, struct ast_command *c) {
    c->objects = parse_pg_class_by_name(p, SQL_OBJECT_OPERATOR_FAMILY);
}

/* ADD items | DROP items */
void parse_pg_alter_operator_family(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase actions[] = {
        {.words = {KW_ADD}, .name = "add", .value = class_items},
        {.words = {KW_DROP}, .name = "drop", .value = dropped_items},
        {.name = NULL},
    };
    c->elements = parse_pg_phrase(p, actions);
}

/* ---- casts and transforms -------------------------------------------------------------------------------------------- */

static struct ast *routine(struct sql_reader *p) {
    return parse_pg_routine_signature(p, SQL_OBJECT_FUNCTION);
}

/* CAST "(" type AS type ")" (WITH FUNCTION routine | WITHOUT FUNCTION | WITH INOUT) [AS (IMPLICIT | ASSIGNMENT)] */
void parse_pg_create_cast(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase ways[] = {
        {.words = {KW_WITH, KW_FUNCTION}, .name = "with function", .value = routine},
        {.words = {KW_WITHOUT, KW_FUNCTION}, .name = "without function"},
        {.words = {KW_WITH, KW_INOUT}, .name = "with inout"},
        {.name = NULL},
    };
    static const struct parse_pg_phrase contexts[] = {
        {.words = {KW_AS, KW_IMPLICIT}, .name = "as implicit"},
        {.words = {KW_AS, KW_ASSIGNMENT}, .name = "as assignment"},
        {.name = NULL},
    };
    c->objects = parse_pg_cast_by_types(p, SQL_OBJECT_CAST);
    struct ast *way = parse_pg_phrase(p, ways);
    way->next = parse_pg_opt_phrase(p, contexts);
    c->options = way;
}

/* TRANSFORM FOR type LANGUAGE name "(" FROM SQL WITH FUNCTION routine ["," TO SQL ...] ")", in either order, one at least */
void parse_pg_create_transform(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase from[] = {
        {.words = {KW_FROM, KW_SQL, KW_WITH, KW_FUNCTION}, .name = "from sql", .value = routine},
        {.name = NULL},
    };
    static const struct parse_pg_phrase to[] = {
        {.words = {KW_TO, KW_SQL, KW_WITH, KW_FUNCTION}, .name = "to sql", .value = routine},
        {.name = NULL},
    };
    c->objects = parse_pg_transform_by_type(p, SQL_OBJECT_TRANSFORM);
    parse_expect(p, '(');
    bool is_from = parse_at(p, KW_FROM);
    struct ast *first = parse_pg_phrase(p, is_from ? from : to);
    if (parse_accept(p, ',')) first->next = parse_pg_phrase(p, is_from ? to : from);
    parse_expect(p, ')');
    c->elements = first;
}
