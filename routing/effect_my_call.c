/*
 * effect_my_call.c - calls by their name, and variables that are read.
 */
#include "routing/effect_my_walk.h"
#include "routing/function_my.h"

#include <strings.h>

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

/* Behind a space such a name is that of a stored function. */
static bool is_adjacent(const struct finding_my *f, const struct ast_func *call) {
    if (f->options->modes & SQL_IGNORE_SPACE) return true;
    uint32_t behind = call->names->end;
    return behind < f->text.len && f->text.ptr[behind] == '(';
}

/* NEXT VALUE FOR has that name for what is written in other words: what grammar alone can say is always the server's own. */
static enum function_my_kind kind_of(const struct finding_my *f, const struct ast_func *call) {
    const struct ast *name = call->names;
    if (!name || name->kind != AST_NAME || name->next) return FUNCTION_MY_UNKNOWN;
    enum function_my_kind kind = function_my_find(AST_AS(name, NAME, name)->text, f->options);
    bool is_grammar = call->node.op == CALL_SPECIAL || call->node.op == CALL_BARE;
    if (is_grammar) return kind == FUNCTION_MY_UNKNOWN ? FUNCTION_MY_PLAIN : kind;
    return kind == FUNCTION_MY_ADJACENT && !is_adjacent(f, call) ? FUNCTION_MY_UNKNOWN : kind;
}

/* Is it the whole of an item of the outermost SELECT? */
static bool is_item(const struct finding_my *f, const struct ast *call) {
    if (!f->outermost) return false;
    for (const struct ast *t = AST_AS(select, SELECT, f->outermost)->targets; t; t = t->next) {
        if (t->kind != AST_TARGET || t->start != call->start || t->end != call->end) continue;
        return AST_AS(target, TARGET, t)->expr == call;
    }
    return false;
}

/* ROW_COUNT() behind another statement of the same text is about that one; FOUND_ROWS() may be, or not. */
static void note_count(struct finding_my *f, const struct ast_func *call, enum effect_my which) {
    bool is_clear = !f->is_behind_read;
    if (f->is_behind && which == EFFECT_MY_ASKS_ROW_COUNT) return;
    f->effects |= which;
    if (!f->ears->on_count) return;
    f->ears->on_count(f->ears->ctx, which, call->node.start, is_clear ? call->node.end : 0, is_item(f, &call->node));
}

void effect_my_note_call(struct finding_my *f, const struct ast_func *call) {
    switch (kind_of(f, call)) {
    case FUNCTION_MY_PLAIN:
    case FUNCTION_MY_ADJACENT: return;
    case FUNCTION_MY_LOCK: f->effects |= EFFECT_MY_LOCKS; return;
    case FUNCTION_MY_LAST_INSERT_ID: f->effects |= call->args ? EFFECT_MY_INSERT_ID : EFFECT_MY_ASKS_INSERT_ID; return;
    case FUNCTION_MY_ROW_COUNT: note_count(f, call, EFFECT_MY_ASKS_ROW_COUNT); return;
    case FUNCTION_MY_FOUND_ROWS: note_count(f, call, EFFECT_MY_ASKS_FOUND_ROWS); return;
    case FUNCTION_MY_LASTVAL: f->effects |= EFFECT_MY_SEQUENCE; return;
    case FUNCTION_MY_UNKNOWN: f->effects |= EFFECT_MY_ROUTINE; return;
    }
}

/* ---- variables ------------------------------------------------------------------------------------------------------- */

static bool is_name(const struct ast *node, const char *word) {
    if (!node || node->kind != AST_NAME) return false;
    struct bytes text = AST_AS(name, NAME, node)->text;
    return text.len == strlen(word) && strncasecmp((const char *)text.ptr, word, text.len) == 0;
}

static bool is_one_of(const struct ast *node, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_name(node, words[i])) return true;
    return false;
}

void effect_my_note_variable(struct finding_my *f, const struct ast_variable *variable) {
    static const char *const ids[] = {"last_insert_id", "identity"}, *const counts[] = {"warning_count", "error_count"};
    static const char *const defaults[] = {"collation_database", "character_set_database"};
    if (variable->node.op == SCOPE_USER || variable->node.op == SCOPE_GLOBAL) return;
    if (!variable->names || variable->names->next) return;
    if (is_one_of(variable->names, ids, COUNT_OF(ids))) f->effects |= EFFECT_MY_ASKS_INSERT_ID;
    if (is_one_of(variable->names, counts, COUNT_OF(counts))) f->effects |= EFFECT_MY_ASKS_WARNINGS;
    if (is_one_of(variable->names, defaults, COUNT_OF(defaults))) f->effects |= EFFECT_MY_ASKS_COLLATION;
    if (is_name(variable->names, "last_gtid")) f->effects |= EFFECT_MY_SEQUENCE;
}

/* sql_mode=ORACLE: sequence.currval */
void effect_my_note_column(struct finding_my *f, const struct ast_column *column) {
    if (!(f->options->modes & SQL_ORACLE)) return;
    const struct ast *last = column->names;
    while (last && last->next) last = last->next;
    if (last != column->names && is_name(last, "currval")) f->effects |= EFFECT_MY_SEQUENCE;
}
