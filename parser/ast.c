/*
 * ast.c - nodes without knowing their kinds: slots, walking, the words of a statement.
 *
 * Owns the tables made from AST_KINDS. Everything rests on a struct's slots standing directly behind its `struct ast`,
 * in the order of AST_KINDS, with whatever else it has behind them: the assertions below hold the two together.
 */
#include "parser/ast.h"

#include <stdio.h>

/* The slots of a kind in AST_KINDS, counted with its word in front, so that no list is empty. */
#define SLOT_COUNT(word, ...) (COUNT_OF(((const char *const[]){word, __VA_ARGS__})) - 1)

/* What a struct has behind its slots. */
#define EXTRA(constant)                                                        \
    (AST_##constant == AST_NAME      ? sizeof(struct bytes)                    \
     : AST_##constant == AST_PARAM   ? sizeof(struct ast *) /* with padding */ \
     : AST_##constant == AST_COMMAND ? sizeof(struct ast *)                    \
                                     : 0)

#define SLOTS_END(count) (sizeof(struct ast) + (count) * sizeof(struct ast *))
#define AST_ASSERT(constant, type, ...)                                                                  \
    static_assert(SLOT_COUNT(__VA_ARGS__) <= AST_SLOTS_MAX, #type " has more than AST_SLOTS_MAX slots"); \
    static_assert(sizeof(struct type) == SLOTS_END(SLOT_COUNT(__VA_ARGS__)) + EXTRA(constant),           \
                  "the slots of " #type " differ from those in AST_KINDS");
AST_KINDS(AST_ASSERT)
#undef AST_ASSERT
static_assert(offsetof(struct ast_name, text) == SLOTS_END(0), "ast_name has no slots");
static_assert(offsetof(struct ast_param, number) == SLOTS_END(0), "ast_param has no slots");
static_assert(offsetof(struct ast_command, object) == SLOTS_END(5), "what is no slot stands behind the slots");

static const uint8_t slot_counts[AST_KIND_COUNT] = {
#define AST_COUNT(constant, type, ...) [AST_##constant] = SLOT_COUNT(__VA_ARGS__),
    AST_KINDS(AST_COUNT)
#undef AST_COUNT
};

/* The kind's word, then its slots'. */
static const char *const kind_words[AST_KIND_COUNT][1 + AST_SLOTS_MAX] = {
    [AST_NONE] = {"none"},
#define AST_WORDS(constant, type, ...) [AST_##constant] = {__VA_ARGS__},
    AST_KINDS(AST_WORDS)
#undef AST_WORDS
};

const char *ast_kind_name(enum ast_kind kind) {
    INVARIANT((unsigned)kind < AST_KIND_COUNT);
    return kind_words[kind][0];
}

int ast_slot_count(const struct ast *node) {
    INVARIANT(node->kind < AST_KIND_COUNT);
    return slot_counts[node->kind];
}

static inline struct ast *const *slots_of(const struct ast *node) {
    return (struct ast *const *)(const void *)(node + 1);
}

struct ast *ast_slot(const struct ast *node, int slot) {
    INVARIANT(slot >= 0 && slot < ast_slot_count(node));
    return slots_of(node)[slot];
}

const char *ast_slot_name(const struct ast *node, int slot) {
    INVARIANT(slot >= 0 && slot < ast_slot_count(node));
    return kind_words[node->kind][1 + slot];
}

void ast_walk(struct ast *node, ast_visit *visit, void *ctx) {
    if (!visit(node, ctx)) return;
    int count = ast_slot_count(node);
    struct ast *const *slots = slots_of(node);
    for (int i = 0; i < count; i++)
        for (struct ast *child = slots[i]; child; child = child->next) ast_walk(child, visit, ctx);
}

static const char *command_name(const struct ast_command *c, char *buf, size_t size) {
    const char *verb = sql_verb_name(c->node.op);
    if (c->object == SQL_OBJECT_NONE) return verb;
    snprintf(buf, size, "%s %s", verb, sql_object_name(c->object));
    return buf;
}

const char *ast_statement_name(const struct ast *statement, char *buf, size_t size) {
    switch (statement->kind) {
    case AST_SELECT:
    case AST_SETOP:
    case AST_VALUES: return "SELECT";
    case AST_INSERT: return statement->flags & AST_INSERT_REPLACE ? "REPLACE" : "INSERT";
    case AST_UPDATE: return "UPDATE";
    case AST_DELETE: return "DELETE";
    case AST_MERGE: return "MERGE";
    case AST_COPY: return "COPY";
    case AST_LOAD: return statement->flags & AST_LOAD_XML ? "LOAD XML" : "LOAD DATA";
    case AST_COMMAND: return command_name(AST_AS(command, COMMAND, statement), buf, size);
    default: return ast_kind_name(statement->kind); /* a part of a statement */
    }
}
