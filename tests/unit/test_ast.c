/* Trees built by hand: walking, slots, names, and what a dump says. */
#include <stdio.h>

#include "base/arena.h"
#include "parser/ast.h"
#include "parser/keyword.h"
#include "tests/unit/check_main.h"

static struct arena arena;

static void setup(void) {
    arena_init(&arena, 16 << 20);
}

static void teardown(void) {
    arena_release(&arena);
}

#define NODE(type, constant) ((struct type *)node_of(AST_##constant, sizeof(struct type)))

static void *node_of(enum ast_kind kind, size_t size) {
    struct ast *node = arena_alloc(&arena, size);
    ck_assert_ptr_nonnull(node);
    node->kind = (uint16_t)kind;
    return node;
}

static struct ast *name_of(const char *text) {
    struct ast_name *n = NODE(ast_name, NAME);
    n->text = bytes_str(text);
    return &n->node;
}

static struct ast *column_of(const char *name) {
    struct ast_column *c = NODE(ast_column, COLUMN);
    c->names = name_of(name);
    return &c->node;
}

/* A constant whose span is `part`, somewhere in `text`. */
static struct ast *literal_of(enum ast_literal_op op, const char *text, const char *part) {
    struct ast_literal *l = NODE(ast_literal, LITERAL);
    l->node.op = (uint16_t)op;
    l->node.start = (uint32_t)(strstr(text, part) - text);
    l->node.end = l->node.start + (uint32_t)strlen(part);
    return &l->node;
}

static struct ast *param_of(const char *text, const char *part, uint32_t number) {
    struct ast_param *p = NODE(ast_param, PARAM);
    p->node.start = (uint32_t)(strstr(text, part) - text);
    p->node.end = p->node.start + (uint32_t)strlen(part);
    p->number = number;
    return &p->node;
}

static struct ast *binary_of(enum ast_operator op, struct ast *left, struct ast *right) {
    struct ast_binary *b = NODE(ast_binary, BINARY);
    b->node.op = (uint16_t)op;
    b->left = left;
    b->right = right;
    return &b->node;
}

static struct ast *table_of(const char *name) {
    struct ast_table *t = NODE(ast_table, TABLE);
    t->names = name_of(name);
    return &t->node;
}

static void dumps_as(const struct ast *node, struct bytes text, const char *expected) {
    struct writer w;
    writer_init(&w, 1 << 20);
    ast_dump(node, text, &w);
    writer_u8(&w, '\0');
    ck_assert(!w.failed);
    ck_assert_str_eq((const char *)w.data, expected);
    writer_release(&w);
}

static void dumps(const struct ast *node, const char *text, const char *expected) {
    dumps_as(node, bytes_str(text), expected);
}

/* ---- dumps ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_select_is_one_line) {
    const char *text = "SELECT c FROM sbtest1 WHERE id = $1";
    struct ast_target *target = NODE(ast_target, TARGET);
    target->expr = column_of("c");
    struct ast_select *s = NODE(ast_select, SELECT);
    s->targets = &target->node;
    s->from = table_of("sbtest1");
    s->where = binary_of(OPERATOR_EQ, column_of("id"), param_of(text, "$1", 1));
    dumps(&s->node, text,
          "(select :targets (target :expr (column :names c)) :from (table :names sbtest1)"
          " :where (binary:= :left (column :names id) :right $1))");
}
END_TEST

START_TEST(flags_have_their_names) {
    struct ast_select *s = NODE(ast_select, SELECT);
    s->node.flags = AST_SELECT_DISTINCT | AST_SELECT_CALC_FOUND_ROWS | AST_PARENS;
    dumps(&s->node, "", "(select parens distinct calc-found-rows)");
    struct ast_in *in = NODE(ast_in, IN);
    in->node.flags = AST_NOT;
    in->arg = column_of("a");
    in->query = &s->node;
    dumps(&in->node, "", "(in not :arg (column :names a) :query (select parens distinct calc-found-rows))");
    struct ast_command *c = NODE(ast_command, COMMAND);
    c->node.op = SQL_DROP;
    c->object = SQL_OBJECT_MATERIALIZED_VIEW;
    c->node.flags = AST_COMMAND_IF_EXISTS | AST_COMMAND_CASCADE | AST_COMMAND_BODY;
    dumps(&c->node, "", "(command:drop/materialized-view if-exists cascade body)");
    c->node.flags = 1u << 29;
    c->object = SQL_OBJECT_NONE;
    dumps(&c->node, "", "(command:drop flags-20000000)");
}
END_TEST

/* Every flag of every kind that has some, one at a time: each has a name, and no two of a kind have the same. */
START_TEST(every_flag_has_a_name) {
    static const struct {
        enum ast_kind kind;
        uint32_t last;
    } kinds[] = {
        {AST_BETWEEN, AST_BETWEEN_SYMMETRIC},
        {AST_QUANTIFIED, AST_QUANTIFIED_ALL},
        {AST_TYPE, AST_TYPE_PERCENT},
        {AST_FUNC, AST_FUNC_FROM_LAST},
        {AST_SUBSCRIPT, AST_SUBSCRIPT_SLICE},
        {AST_ROW, AST_ROW_KEYWORD},
        {AST_TABLE, AST_TABLE_STAR},
        {AST_DERIVED, AST_DERIVED_ORDINALITY},
        {AST_TABLE_FUNC, AST_DERIVED_ORDINALITY},
        {AST_JOIN, AST_JOIN_LIST},
        {AST_SELECT, AST_SELECT_CALC_FOUND_ROWS},
        {AST_SETOP, AST_SETOP_DISTINCT},
        {AST_WITH, AST_WITH_RECURSIVE},
        {AST_CTE, AST_CTE_NOT_MATERIALIZED},
        {AST_SORT, AST_SORT_NULLS_LAST},
        {AST_LIMIT, AST_LIMIT_WITH_TIES},
        {AST_LOCK, AST_LOCK_SKIP_LOCKED},
        {AST_INTO, AST_INTO_UNLOGGED},
        {AST_INSERT, AST_INSERT_OVERRIDING_USER},
        {AST_ASSIGNMENT, AST_ASSIGNMENT_MULTI},
        {AST_UPDATE, AST_UPDATE_HISTORY},
        {AST_DELETE, AST_UPDATE_HISTORY},
        {AST_MERGE_WHEN, AST_MERGE_OVERRIDING_USER},
        {AST_COPY, AST_COPY_BINARY},
        {AST_LOAD, AST_LOAD_CONCURRENT},
        {AST_COMMAND, AST_COMMAND_BODY},
    };
    enum { LARGEST_NODE = sizeof(struct ast) + (AST_SLOTS_MAX + 1) * sizeof(struct ast *) };
    struct writer w;
    writer_init(&w, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char seen[32][256];
        int count = 0;
        for (uint32_t flag = 1; flag <= kinds[i].last; flag <<= 1) {
            struct ast *node = node_of(kinds[i].kind, LARGEST_NODE);
            node->flags = flag;
            writer_reset(&w);
            ast_dump(node, bytes_str(""), &w);
            snprintf(seen[count], sizeof seen[count], "%.*s", (int)w.len, (const char *)w.data);
            ck_assert_msg(!strstr(seen[count], "flags-"), "%s: flag %x has no name", seen[count], (unsigned)flag);
            ck_assert_msg(strchr(seen[count], ' '), "%s: flag %x is not shown", seen[count], (unsigned)flag);
            for (int j = 0; j < count; j++) ck_assert_str_ne(seen[j], seen[count]);
            count++;
        }
    }
    writer_release(&w);
}
END_TEST

START_TEST(ops_have_their_names) {
    struct ast_func *f = NODE(ast_func, FUNC);
    f->names = name_of("count");
    f->args = NODE(ast, STAR);
    dumps(&f->node, "", "(func :names count :args *)");
    f->node.op = CALL_BARE;
    dumps(&f->node, "", "(func:bare :names count :args *)");
    struct ast_subquery *q = NODE(ast_subquery, SUBQUERY);
    dumps(&q->node, "", "(subquery)");
    q->node.op = SUBQUERY_EXISTS;
    dumps(&q->node, "", "(subquery:exists)");
    struct ast_binary *b = NODE(ast_binary, BINARY);
    b->node.op = OPERATOR_CUSTOM;
    b->symbol = name_of("@@");
    dumps(&b->node, "", "(binary:custom :symbol \"@@\")");
    struct ast_object *o = NODE(ast_object, OBJECT);
    o->node.op = SQL_OBJECT_FOREIGN_DATA_WRAPPER;
    dumps(&o->node, "", "(object:foreign-data-wrapper)");
    struct ast_variable *v = NODE(ast_variable, VARIABLE);
    v->node.op = SCOPE_PERSIST_ONLY;
    v->names = name_of("a");
    dumps(&v->node, "", "(variable:persist-only :names a)");
    struct ast_column *no_op = NODE(ast_column, COLUMN);
    no_op->node.op = 7;
    dumps(&no_op->node, "", "(column:7)");
}
END_TEST

START_TEST(names_are_unambiguous) {
    dumps(name_of("abc_1"), "", "abc_1");
    dumps(name_of("_a"), "", "_a");
    dumps(name_of("1a"), "", "\"1a\"");
    dumps(name_of("Abc"), "", "\"Abc\"");
    dumps(name_of(""), "", "\"\"");
    dumps(name_of("a b"), "", "\"a b\"");
    dumps(name_of("a)(\"\\"), "", "\"a)(\\\"\\\\\"");
    dumps(name_of("\n\t\x7f\xc3\xa9"), "", "\"\\x0a\\x09\\x7f\\xc3\\xa9\"");
    struct ast_name *n = NODE(ast_name, NAME);
    n->text = bytes_of("a\0b", 3);
    dumps(&n->node, "", "\"a\\x00b\"");
    struct ast *quoted = name_of("user");
    quoted->flags = AST_NAME_QUOTED;
    dumps(quoted, "", "\"user\"");
}
END_TEST

START_TEST(constants_are_as_written) {
    const char *text = "12 1.5e-3 .5 0x1F 1_000 'a b' 'a''b' 'a\\' \"d\" E'x' null TRUE unknown 'a\nb'";
    dumps(literal_of(LITERAL_INTEGER, text, "12"), text, "12");
    dumps(literal_of(LITERAL_NUMBER, text, "1.5e-3"), text, "1.5e-3");
    dumps(literal_of(LITERAL_NUMBER, text, ".5"), text, ".5");
    dumps(literal_of(LITERAL_INTEGER, text, "0x1F"), text, "(literal:integer \"0x1F\")");
    dumps(literal_of(LITERAL_INTEGER, text, "1_000"), text, "(literal:integer \"1_000\")");
    dumps(literal_of(LITERAL_STRING, text, "'a b'"), text, "'a b'");
    dumps(literal_of(LITERAL_STRING, text, "'a''b'"), text, "(literal:string \"'a''b'\")");
    dumps(literal_of(LITERAL_STRING, text, "'a\\'"), text, "(literal:string \"'a\\\\'\")");
    dumps(literal_of(LITERAL_STRING, text, "\"d\""), text, "(literal:string \"\\\"d\\\"\")");
    dumps(literal_of(LITERAL_ESCAPE_STRING, text, "E'x'"), text, "(literal:escape-string \"E'x'\")");
    dumps(literal_of(LITERAL_STRING, text, "'a\nb'"), text, "(literal:string \"'a\\x0ab'\")");
    dumps(literal_of(LITERAL_NULL, text, "null"), text, "#null");
    dumps(literal_of(LITERAL_TRUE, text, "TRUE"), text, "#true");
    dumps(literal_of(LITERAL_UNKNOWN, text, "unknown"), text, "#unknown");
    struct ast *with_charset = literal_of(LITERAL_STRING, text, "'a b'");
    ((struct ast_literal *)with_charset)->parts = name_of("utf8mb4");
    dumps(with_charset, text, "(literal:string :parts utf8mb4)");
}
END_TEST

START_TEST(words_parameters_and_hints) {
    struct ast *word = NODE(ast, WORD);
    word->op = KW_DAY;
    dumps(word, "", "DAY");
    const char *text = "? /*+ NO_MERGE(t) */ (";
    struct ast *bracket = NODE(ast, WORD);
    bracket->op = '(';
    bracket->start = (uint32_t)strlen(text) - 1;
    bracket->end = (uint32_t)strlen(text);
    dumps(bracket, text, "(word \"(\")");
    dumps(param_of(text, "?", 3), text, "?3");
    struct ast *hint = NODE(ast, HINT);
    hint->start = 2;
    hint->end = hint->start + (uint32_t)strlen("/*+ NO_MERGE(t) */");
    dumps(hint, text, "(hint \"/*+ NO_MERGE(t) */\")");
    struct ast_default *d = NODE(ast_default, DEFAULT);
    dumps(&d->node, "", "(default)");
}
END_TEST

START_TEST(lists_stand_in_their_slot) {
    const char *text = "f(1, 2) x";
    struct ast_func *f = NODE(ast_func, FUNC);
    f->names = name_of("s");
    f->names->next = name_of("f");
    f->args = literal_of(LITERAL_INTEGER, text, "1");
    f->args->next = literal_of(LITERAL_INTEGER, text, "2");
    f->node.next = name_of("sibling"); /* not part of what is dumped */
    dumps(&f->node, text, "(func :names s f :args 1 2)");
}
END_TEST

START_TEST(a_full_writer_fails_and_no_more) {
    uint8_t storage[8];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    ast_dump(binary_of(OPERATOR_ADD, column_of("a"), column_of("b")), bytes_str(""), &w);
    ck_assert(w.failed);
}
END_TEST

/* ---- kinds and walking ----------------------------------------------------------------------------------------------- */

START_TEST(slots_by_number) {
    struct ast_between *b = NODE(ast_between, BETWEEN);
    b->arg = column_of("a");
    b->high = column_of("h");
    ck_assert_int_eq(ast_slot_count(&b->node), 3);
    ck_assert_ptr_eq(ast_slot(&b->node, 0), b->arg);
    ck_assert_ptr_null(ast_slot(&b->node, 1));
    ck_assert_ptr_eq(ast_slot(&b->node, 2), b->high);
    ck_assert_str_eq(ast_slot_name(&b->node, 0), "arg");
    ck_assert_str_eq(ast_slot_name(&b->node, 2), "high");
    ck_assert_int_eq(ast_slot_count(name_of("a")), 0);
    ck_assert_int_eq(ast_slot_count(NODE(ast, STAR)), 0);
    ck_assert_int_eq(ast_slot_count(&NODE(ast_select, SELECT)->node), AST_SLOTS_MAX);
    ck_assert_int_eq(ast_slot_count(&NODE(ast_command, COMMAND)->node), 5);
}
END_TEST

START_TEST(kinds_and_words_have_names) {
    for (int kind = 0; kind < AST_KIND_COUNT; kind++) {
        const char *name = ast_kind_name((enum ast_kind)kind);
        ck_assert_ptr_nonnull(name);
        for (int other = 0; other < kind; other++) ck_assert_str_ne(name, ast_kind_name((enum ast_kind)other));
    }
    ck_assert_str_eq(ast_kind_name(AST_NAME), "name");
    ck_assert_str_eq(ast_kind_name(AST_CONSTRAINT), "constraint");
    ck_assert_str_eq(ast_literal_name(LITERAL_NULL), "null");
    ck_assert_str_eq(ast_literal_name(LITERAL_TRUE), "true");
    ck_assert_str_eq(ast_operator_name(OPERATOR_CUSTOM), "custom");
    ck_assert_str_eq(ast_operator_name(OPERATOR_PRIOR), "prior");
    ck_assert_str_eq(ast_is_name(IS_DISTINCT_FROM), "distinct-from");
    ck_assert_str_eq(ast_lock_strength_name(LOCK_KEY_SHARE), "key-share");
    ck_assert_str_eq(ast_constraint_name(CONSTRAINT_FOREIGN_KEY), "foreign-key");
    ck_assert_str_eq(sql_verb_name(SQL_XA_RECOVER), "XA RECOVER");
    ck_assert_str_eq(sql_object_name(SQL_OBJECT_TABLE_AS), "TABLE AS");
}
END_TEST

struct visits {
    char seen[256];
    bool skips_binary;
};

static bool note_kind(struct ast *node, void *ctx) {
    struct visits *v = ctx;
    size_t len = strlen(v->seen);
    snprintf(v->seen + len, sizeof v->seen - len, "%s%s", len ? " " : "", ast_kind_name(node->kind));
    return !(v->skips_binary && node->kind == AST_BINARY);
}

START_TEST(a_walk_goes_in_slot_order) {
    struct ast *sum = binary_of(OPERATOR_ADD, column_of("a"), NODE(ast, STAR));
    struct ast_list_expr *row = NODE(ast_list_expr, ROW);
    row->items = sum;
    row->items->next = &NODE(ast_default, DEFAULT)->node;
    row->node.next = name_of("sibling");
    struct visits all = {.skips_binary = false};
    ast_walk(&row->node, note_kind, &all);
    ck_assert_str_eq(all.seen, "row binary column name star default");
    struct visits some = {.skips_binary = true};
    ast_walk(&row->node, note_kind, &some);
    ck_assert_str_eq(some.seen, "row binary default");
}
END_TEST

static bool count_node(struct ast *node, void *ctx) {
    (void)node;
    ++*(int *)ctx;
    return true;
}

/* As high as a tree can be (PARSE_HEIGHT_MAX in parser.h): walking and dumping stay within an ordinary stack. */
START_TEST(the_highest_tree) {
    enum { HEIGHT = 4000 };
    struct ast *node = NODE(ast, STAR);
    for (int i = 0; i < HEIGHT; i++) node = binary_of(OPERATOR_ADD, node, NODE(ast, STAR));
    int count = 0;
    ast_walk(node, count_node, &count);
    ck_assert_int_eq(count, 2 * HEIGHT + 1);
    struct writer w;
    writer_init(&w, 1 << 20);
    ast_dump(node, bytes_str(""), &w);
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.len, HEIGHT * strlen("(binary:+ :left  :right *)") + 1);
    writer_release(&w);
}
END_TEST

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static void is_called(struct ast *node, const char *expected) {
    char buf[64];
    ck_assert_str_eq(ast_statement_name(node, buf, sizeof buf), expected);
}

START_TEST(statements_have_names) {
    is_called(&NODE(ast_select, SELECT)->node, "SELECT");
    is_called(&NODE(ast_values, VALUES)->node, "SELECT");
    is_called(&NODE(ast_setop, SETOP)->node, "SELECT");
    struct ast_insert *insert = NODE(ast_insert, INSERT);
    is_called(&insert->node, "INSERT");
    insert->node.flags = AST_INSERT_REPLACE | AST_INSERT_DELAYED;
    is_called(&insert->node, "REPLACE");
    is_called(&NODE(ast_update, UPDATE)->node, "UPDATE");
    is_called(&NODE(ast_delete, DELETE)->node, "DELETE");
    is_called(&NODE(ast_merge, MERGE)->node, "MERGE");
    is_called(&NODE(ast_copy, COPY)->node, "COPY");
    struct ast_load *load = NODE(ast_load, LOAD);
    is_called(&load->node, "LOAD DATA");
    load->node.flags = AST_LOAD_XML;
    is_called(&load->node, "LOAD XML");
    struct ast_command *c = NODE(ast_command, COMMAND);
    c->node.op = SQL_SET;
    is_called(&c->node, "SET");
    c->node.op = SQL_CREATE;
    c->object = SQL_OBJECT_TABLE;
    is_called(&c->node, "CREATE TABLE");
    c->object = SQL_OBJECT_TABLE_AS;
    is_called(&c->node, "CREATE TABLE AS");
}
END_TEST

/* The longest verb with the longest object fits into the 64 bytes that the header asks for. */
START_TEST(no_name_is_cut) {
    char buf[64], whole[128];
    for (unsigned verb = 0; verb < SQL_COUNT; verb++) {
        for (unsigned object = 1; object < SQL_OBJECT_COUNT; object++) {
            struct ast_command c = {.node = {.kind = AST_COMMAND, .op = (uint16_t)verb}, .object = (uint16_t)object};
            snprintf(whole, sizeof whole, "%s %s", sql_verb_name(verb), sql_object_name(object));
            ck_assert_str_eq(ast_statement_name(&c.node, buf, sizeof buf), whole);
        }
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("ast");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_select_is_one_line);
    tcase_add_test(tc, flags_have_their_names);
    tcase_add_test(tc, every_flag_has_a_name);
    tcase_add_test(tc, ops_have_their_names);
    tcase_add_test(tc, names_are_unambiguous);
    tcase_add_test(tc, constants_are_as_written);
    tcase_add_test(tc, words_parameters_and_hints);
    tcase_add_test(tc, lists_stand_in_their_slot);
    tcase_add_test(tc, a_full_writer_fails_and_no_more);
    tcase_add_test(tc, slots_by_number);
    tcase_add_test(tc, kinds_and_words_have_names);
    tcase_add_test(tc, a_walk_goes_in_slot_order);
    tcase_add_test(tc, the_highest_tree);
    tcase_add_test(tc, statements_have_names);
    tcase_add_test(tc, no_name_is_cut);
    return check_main_of("ast", tc);
}
