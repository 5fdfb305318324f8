/*
 * classify_walk.c - queries and expressions. Every kind of node that may stand in a read has its line here; what has none
 * is no read.
 */
#include "routing/classify_walk.h"

/* The names of one WITH that can be seen: up to `end`, or all. */
struct classify_scope {
    const struct ast *ctes, *end;
    const struct classify_scope *outer;
    unsigned count; /* with those outside */
};

/* ---- names ----------------------------------------------------------------------------------------------------------- */

bool classify_name_of(const struct ast *names, struct classify_subject *subject) {
    unsigned parts = 0;
    for (const struct ast *n = names; n; n = n->next) {
        if (n->kind != AST_NAME || ++parts > 3) return false;
        subject->schema = subject->name;
        subject->name = AST_AS(name, NAME, n)->text;
    }
    if (parts == 1) subject->schema = bytes_of(NULL, 0);
    if (parts) subject->position = names->start;
    return parts;
}

bool classify_is_plain_name(const struct classify_options *options, const struct classify_subject *subject) {
    if (options->sql->encoding == SQL_ENCODING_UTF8) return true;
    for (size_t i = 0; i < subject->name.len; i++)
        if (subject->name.ptr[i] >= 0x80) return false;
    for (size_t i = 0; i < subject->schema.len; i++)
        if (subject->schema.ptr[i] >= 0x80) return false;
    return true;
}

/* ---- relations ------------------------------------------------------------------------------------------------------- */

static bool is_cte(const struct classify *c, struct bytes name) {
    for (const struct classify_scope *s = c->scope; s; s = s->outer)
        for (const struct ast *cte = s->ctes; cte && cte != s->end; cte = cte->next) {
            const struct ast *its_name = cte->kind == AST_CTE ? AST_AS(cte, CTE, cte)->name : NULL;
            if (its_name && its_name->kind == AST_NAME && bytes_equal(AST_AS(name, NAME, its_name)->text, name)) return true;
        }
    return false;
}

static enum classify_why why_own_relation(enum read_kind kind) {
    switch (kind) {
    case READ_STEADY: return CLASSIFY_CATALOG;
    case READ_NODE: return CLASSIFY_TABLE_NODE;
    case READ_AHEAD: return CLASSIFY_TABLE_AHEAD;
    case READ_SESSION: return CLASSIFY_TABLE_SESSION;
    default: return CLASSIFY_TABLE_OWN_UNKNOWN;
    }
}

static enum classify_why why_relation(enum classify_relation_kind kind) {
    switch (kind) {
    case CLASSIFY_RELATION_NONE: return CLASSIFY_TABLE_NONE;
    case CLASSIFY_RELATION_TABLE: return CLASSIFY_TABLE_KNOWN;
    case CLASSIFY_RELATION_VIEW: return CLASSIFY_VIEW_KNOWN;
    case CLASSIFY_RELATION_UNSAFE: return CLASSIFY_TABLE_UNSAFE;
    case CLASSIFY_RELATION_SEQUENCE: return CLASSIFY_TABLE_AHEAD;
    case CLASSIFY_RELATION_FOREIGN: return CLASSIFY_TABLE_FOREIGN;
    case CLASSIFY_RELATION_UNLOGGED: return CLASSIFY_TABLE_UNLOGGED;
    case CLASSIFY_RELATION_TEMPORARY: return CLASSIFY_TABLE_TEMPORARY;
    case CLASSIFY_RELATION_UNKNOWN: break;
    }
    return CLASSIFY_TABLE_UNKNOWN;
}

/* Of PostgreSQL's own by its name; CLASSIFY_WHY_COUNT: it is not. */
static enum classify_why why_own_name(const struct classify_subject *s, bool has_facts) {
    if (bytes_is(s->schema, "information_schema")) return CLASSIFY_CATALOG;
    if (bytes_is(s->schema, "pg_catalog")) return why_own_relation(read_pg_relation(s->name));
    if (s->schema.len) return CLASSIFY_WHY_COUNT;
    enum read_kind own = read_pg_relation(s->name);
    if (own != READ_UNKNOWN) return why_own_relation(own);
    return !has_facts && bytes_starts_with(s->name, "pg_") ? CLASSIFY_TABLE_OWN_UNKNOWN : CLASSIFY_WHY_COUNT;
}

/* It is a table, and none of the server's own could be meant. False: it is something else. */
static bool find_copies(const struct classify *c, const struct classify_subject *s, uint8_t *copies) {
    const struct classify_facts *facts = c->options->facts;
    if (!c->common || !facts || why_own_name(s, true) != CLASSIFY_WHY_COUNT || !classify_is_plain_name(c->options, s)) return false;
    const struct classify_relation known = facts->of_relation(facts->ctx, s->schema, s->name);
    *copies = known.copies;
    return known.kind == CLASSIFY_RELATION_TABLE && known.copies;
}

static void note_relation(struct classify *c, const struct ast *names, uint32_t position) {
    struct classify_subject s = {.about = CLASSIFY_TABLE, .position = position};
    const struct classify_facts *facts = c->options->facts;
    bool is_named = classify_name_of(names, &s);
    if (is_named && !s.schema.len && is_cte(c, s.name)) return;
    uint8_t copies = 0;
    bool has_copies = is_named && find_copies(c, &s, &copies);
    if (has_copies) classify_note_copies(c, copies);
    else classify_deny_copies(c);
    if (!is_named) {
        classify_note(c, CLASSIFY_TABLE_UNKNOWN, &s);
        return;
    }
    if (bytes_starts_with(s.schema, "pg_temp")) {
        classify_note(c, CLASSIFY_TABLE_TEMPORARY, &s);
        return;
    }
    enum classify_why own = why_own_name(&s, facts);
    if (!facts || s.schema.len) {
        if (own != CLASSIFY_WHY_COUNT) {
            classify_note(c, own, &s);
            return;
        }
        if (!facts) {
            classify_note(c, CLASSIFY_TABLE_ASSUMED, &s);
            return;
        }
    }
    struct classify_relation known = {.kind = CLASSIFY_RELATION_UNKNOWN};
    if (classify_is_plain_name(c->options, &s)) known = facts->of_relation(facts->ctx, s.schema, s.name);
    enum classify_why theirs = why_relation(known.kind);
    /* One of the server's own may have a namesake: the path decides, and both count. */
    bool is_own = own != CLASSIFY_WHY_COUNT;
    if (is_own && (theirs == CLASSIFY_TABLE_NONE || classify_why_place(theirs) <= classify_why_place(own))) theirs = own;
    else s.detail = known.because;
    classify_note(c, theirs, &s);
}

/* ---- what is below expressions --------------------------------------------------------------------------------------- */

static void note_type(struct classify *c, const struct ast_type *type) {
    struct classify_subject s = {.about = CLASSIFY_TYPE, .position = type->node.start};
    if (c->options->facts || !type->names) return; /* is_everything_safe knows of types */
    if (!classify_name_of(type->names, &s)) {
        classify_note(c, CLASSIFY_OTHER_CLAUSE, &s);
        return;
    }
    bool may_be_own = !s.schema.len || bytes_is(s.schema, "pg_catalog");
    if (may_be_own && read_pg_is_type(s.name)) return;
    classify_note(c, CLASSIFY_TYPE_ASSUMED, &s);
}

static void note_operator(struct classify *c, const struct ast *symbol) {
    struct classify_subject s = {.about = CLASSIFY_OPERATOR};
    if (!symbol || c->options->facts) return; /* the same */
    bool has_name = classify_name_of(symbol, &s);
    bool may_be_own = has_name && (!s.schema.len || bytes_is(s.schema, "pg_catalog"));
    if (may_be_own && read_pg_is_operator(s.name)) return;
    classify_note(c, CLASSIFY_OPERATOR_UNKNOWN, &s);
}

static void note_clause(struct classify *c, enum classify_why why, const struct ast *node, const char *word) {
    classify_note_word(c, why, CLASSIFY_CLAUSE, word, node->start);
}

static void note_locks(struct classify *c, const struct ast *locks) {
    static const char *const words[] = {"FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE"};
    if (c->is_planned) return;
    for (const struct ast *l = locks; l; l = l->next)
        note_clause(c, CLASSIFY_LOCKS_ROWS, l, l->op < COUNT_OF(words) ? words[l->op] : "a lock");
}

static void note_into(struct classify *c, const struct ast *into) {
    if (!into) return;
    bool is_temporary = into->flags & AST_INTO_TEMPORARY;
    note_clause(c, is_temporary ? CLASSIFY_MAKES_TEMPORARY : CLASSIFY_MAKES_TABLE, into, "INTO");
}

/* row.name may call a function of a row. */
static void note_column(struct classify *c, const struct ast *name) {
    const struct classify_facts *facts = c->options->facts;
    if (!name || name->kind != AST_NAME || !facts || !facts->is_unsafe_column || c->is_planned) return;
    struct classify_subject s = {.about = CLASSIFY_FUNCTION, .name = AST_AS(name, NAME, name)->text, .position = name->start};
    bool is_safe = classify_is_plain_name(c->options, &s) && !facts->is_unsafe_column(facts->ctx, s.name);
    if (!is_safe) classify_note(c, CLASSIFY_FUNCTION_COLUMN, &s);
}

/* A name alone is a column's. */
static void note_columns(struct classify *c, const struct ast *names) {
    for (const struct ast *n = names ? names->next : NULL; n; n = n->next) note_column(c, n);
}

/* ---- queries --------------------------------------------------------------------------------------------------------- */

static void walk_slots(struct classify *c, const struct ast *node) {
    for (int i = 0; i < ast_slot_count(node); i++) classify_walk_list(c, ast_slot(node, i));
}

/* TABLESAMPLE method (arguments): not a call of a function of that name. */
static void walk_sample(struct classify *c, const struct ast *sample) {
    struct classify_subject s = {.about = CLASSIFY_FUNCTION, .position = sample->start};
    const struct ast_func *method = sample->kind == AST_FUNC ? AST_AS(func, FUNC, sample) : NULL;
    bool is_own = method && classify_name_of(method->names, &s) && (!s.schema.len || bytes_is(s.schema, "pg_catalog")) &&
                  (bytes_is(s.name, "system") || bytes_is(s.name, "bernoulli"));
    if (!is_own && method) classify_call(c, method);
    else classify_note(c, is_own ? CLASSIFY_SAMPLES : CLASSIFY_OTHER_CLAUSE, &s);
    if (method && !method->options) c->result.is_fresh = true;
    walk_slots(c, sample);
}

static void walk_table(struct classify *c, const struct ast_table *table) {
    note_relation(c, table->names, table->node.start);
    classify_walk_list(c, table->alias);
    if (table->sample) walk_sample(c, table->sample);
    bool has_others = table->partitions || table->hints || table->period;
    if (has_others) note_clause(c, CLASSIFY_OTHER_CLAUSE, &table->node, "a table's options");
}

/* How many names: the first ones are few enough to be looked through for each table. */
static unsigned count_of(const struct ast *list) {
    unsigned count = 0;
    while (list && count <= CLASSIFY_CTES_MAX) count++, list = list->next;
    return count;
}

/* The queries of WITH: each sees the ones before it, with RECURSIVE all. */
static void walk_ctes(struct classify *c, const struct ast_with *with, struct classify_scope *scope) {
    bool is_recursive = with->node.flags & AST_WITH_RECURSIVE;
    for (const struct ast *cte = with->ctes; cte; cte = cte->next) {
        scope->end = is_recursive ? NULL : cte;
        classify_walk(c, cte);
    }
    scope->end = NULL;
}

/* A statement whose first slot is `with`. */
static void walk_statement(struct classify *c, const struct ast *node) {
    const struct ast *with = ast_slot(node, 0);
    const struct classify_scope *outer = c->scope;
    struct classify_scope scope = {.outer = outer};
    if (with && with->kind == AST_WITH) {
        scope.ctes = AST_AS(with, WITH, with)->ctes;
        scope.count = count_of(scope.ctes) + (outer ? outer->count : 0);
        if (scope.count > CLASSIFY_CTES_MAX) {
            note_clause(c, CLASSIFY_MANY_CTES, with, "WITH");
            return;
        }
        c->scope = &scope;
        walk_ctes(c, AST_AS(with, WITH, with), &scope);
    }
    for (int i = 1; i < ast_slot_count(node); i++) classify_walk_list(c, ast_slot(node, i));
    c->scope = outer;
}

static void note_write(struct classify *c, const struct ast *node, const char *word) {
    if (!c->is_planned) note_clause(c, CLASSIFY_WRITES, node, word);
    walk_statement(c, node);
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

void classify_walk_list(struct classify *c, const struct ast *list) {
    for (; list; list = list->next) classify_walk(c, list);
}

void classify_walk(struct classify *c, const struct ast *node) {
    if (!node) return;
    classify_copy_node(c, node);
    switch ((enum ast_kind)node->kind) {
    case AST_NAME: case AST_STAR: case AST_LITERAL: case AST_PARAM: case AST_DEFAULT: case AST_WORD: return;
    case AST_COLUMN: note_columns(c, AST_AS(column, COLUMN, node)->names); return;
    case AST_FIELD:
        note_column(c, AST_AS(field, FIELD, node)->name);
        walk_slots(c, node);
        return;
    case AST_SELECT: case AST_SETOP: case AST_VALUES:
        walk_statement(c, node);
        return;
    case AST_INSERT: note_write(c, node, "INSERT"); return;
    case AST_UPDATE: note_write(c, node, "UPDATE"); return;
    case AST_DELETE: note_write(c, node, "DELETE"); return;
    case AST_MERGE: note_write(c, node, "MERGE"); return;
    case AST_LOCK: note_locks(c, node); return;
    case AST_INTO: note_into(c, node); return;
    case AST_TABLE: walk_table(c, AST_AS(table, TABLE, node)); return;
    case AST_FUNC:
        if (!c->is_planned) classify_call(c, AST_AS(func, FUNC, node));
        walk_slots(c, node);
        return;
    case AST_TYPE:
        note_type(c, AST_AS(type, TYPE, node));
        walk_slots(c, node);
        return;
    case AST_UNARY:
        note_operator(c, AST_AS(unary, UNARY, node)->symbol);
        walk_slots(c, node);
        return;
    case AST_BINARY:
        note_operator(c, AST_AS(binary, BINARY, node)->symbol);
        walk_slots(c, node);
        return;
    case AST_QUANTIFIED:
        note_operator(c, AST_AS(quantified, QUANTIFIED, node)->symbol);
        walk_slots(c, node);
        return;
    case AST_SORT:
        note_operator(c, AST_AS(sort, SORT, node)->using_);
        walk_slots(c, node);
        return;
    case AST_AND: case AST_OR: case AST_IS: case AST_LIKE: case AST_BETWEEN: case AST_IN: case AST_SUBQUERY: case AST_CASE:
    case AST_WHEN: case AST_CAST: case AST_NAMED_ARG: case AST_SUBSCRIPT: case AST_ROW: case AST_ARRAY:
    case AST_COLLATE: case AST_AT_ZONE: case AST_OPTION: case AST_ALIAS: case AST_DERIVED: case AST_TABLE_FUNC: case AST_JOIN:
    case AST_TARGET: case AST_CTE: case AST_LIMIT: case AST_GROUPING: case AST_WINDOW: case AST_FRAME: case AST_BOUND:
    case AST_COLUMN_DEF: case AST_CONFLICT: case AST_ASSIGNMENT: case AST_CURRENT_OF: case AST_MERGE_WHEN:
        walk_slots(c, node);
        return;
    default: note_clause(c, CLASSIFY_OTHER_CLAUSE, node, ast_kind_name((enum ast_kind)node->kind)); return;
    }
}
