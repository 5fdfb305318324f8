/*
 * ast_words.c - the names of the words in ast_words.h. Owns the tables from constants to names, nothing else.
 */
#include "parser/ast_words.h"

#include "base/build.h"

/* A function from `prefix`'s constants to their names. An op beyond the list is a bug of the parser. */
#define NAME_FUNCTION(function, list, entry)                \
    const char *function(unsigned op) {                     \
        static const char *const names[] = {list(entry)};   \
        INVARIANT(op < COUNT_OF(names));                    \
        return names[op];                                   \
    }

/* `constant` stands beside ## in each, so that words which are macros elsewhere (NULL, TRUE) stay words. */
#define LITERAL_ENTRY(constant, name) [LITERAL_##constant] = name,
#define OPERATOR_ENTRY(constant, name) [OPERATOR_##constant] = name,
#define IS_ENTRY(constant, name) [IS_##constant] = name,
#define SUBQUERY_ENTRY(constant, name) [SUBQUERY_##constant] = name,
#define CAST_ENTRY(constant, name) [CAST_##constant] = name,
#define CALL_ENTRY(constant, name) [CALL_##constant] = name,
#define SCOPE_ENTRY(constant, name) [SCOPE_##constant] = name,
#define JOIN_ENTRY(constant, name) [JOIN_##constant] = name,
#define SETOP_ENTRY(constant, name) [SETOP_##constant] = name,
#define LOCK_ENTRY(constant, name) [LOCK_##constant] = name,
#define INTO_ENTRY(constant, name) [INTO_##constant] = name,
#define GROUPING_ENTRY(constant, name) [GROUPING_##constant] = name,
#define FRAME_ENTRY(constant, name) [FRAME_##constant] = name,
#define BOUND_ENTRY(constant, name) [BOUND_##constant] = name,
#define CONFLICT_ENTRY(constant, name) [CONFLICT_##constant] = name,
#define MERGE_ENTRY(constant, name) [MERGE_##constant] = name,
#define CONSTRAINT_ENTRY(constant, name) [CONSTRAINT_##constant] = name,
#define VERB_ENTRY(constant, name) [SQL_##constant] = name,
#define OBJECT_ENTRY(constant, name) [SQL_OBJECT_##constant] = name,

NAME_FUNCTION(ast_literal_name, AST_LITERALS, LITERAL_ENTRY)
NAME_FUNCTION(ast_operator_name, AST_OPERATORS, OPERATOR_ENTRY)
NAME_FUNCTION(ast_is_name, AST_ISS, IS_ENTRY)
NAME_FUNCTION(ast_subquery_name, AST_SUBQUERYS, SUBQUERY_ENTRY)
NAME_FUNCTION(ast_cast_name, AST_CASTS, CAST_ENTRY)
NAME_FUNCTION(ast_call_name, AST_CALLS, CALL_ENTRY)
NAME_FUNCTION(ast_scope_name, AST_SCOPES, SCOPE_ENTRY)
NAME_FUNCTION(ast_join_name, AST_JOINS, JOIN_ENTRY)
NAME_FUNCTION(ast_setop_name, AST_SETOPS, SETOP_ENTRY)
NAME_FUNCTION(ast_lock_strength_name, AST_LOCK_STRENGTHS, LOCK_ENTRY)
NAME_FUNCTION(ast_into_name, AST_INTOS, INTO_ENTRY)
NAME_FUNCTION(ast_grouping_name, AST_GROUPINGS, GROUPING_ENTRY)
NAME_FUNCTION(ast_frame_name, AST_FRAMES, FRAME_ENTRY)
NAME_FUNCTION(ast_bound_name, AST_BOUNDS, BOUND_ENTRY)
NAME_FUNCTION(ast_conflict_name, AST_CONFLICTS, CONFLICT_ENTRY)
NAME_FUNCTION(ast_merge_action_name, AST_MERGE_ACTIONS, MERGE_ENTRY)
NAME_FUNCTION(ast_constraint_name, AST_CONSTRAINTS, CONSTRAINT_ENTRY)
NAME_FUNCTION(sql_verb_name, SQL_VERBS, VERB_ENTRY)
NAME_FUNCTION(sql_object_name, SQL_OBJECTS, OBJECT_ENTRY)
