/*
 * effect.c - one walk over each tree: commands by their verb, calls by their name.
 */
#include "routing/effect.h"

#include "routing/function_pg.h"

struct finding {
    unsigned effects;
    effect_name *on_name;
    void *ctx;
    struct bytes text;
};

/* ---- settings -------------------------------------------------------------------------------------------------------- */

enum { SETTING_NAME_MAX = 256 };

/* The parts of a.b, joined again. */
static void note_name(struct finding *f, const struct ast *names) {
    char name[SETTING_NAME_MAX];
    size_t len = 0;
    for (const struct ast *n = names; n; n = n->next) {
        if (n->kind != AST_NAME) return;
        struct bytes part = AST_AS(name, NAME, n)->text;
        if (len + part.len + 1 >= sizeof name) {
            f->effects |= EFFECT_STAYS; /* too long to be asked for */
            return;
        }
        if (len) name[len++] = '.';
        memcpy(name + len, part.ptr, part.len);
        len += part.len;
    }
    if (memchr(name, '.', len)) f->on_name(f->ctx, bytes_of(name, len));
}

static bool is_plain_string(const struct ast *node) {
    return node && node->kind == AST_LITERAL && node->op == LITERAL_STRING && !(node->flags & AST_LITERAL_JOINED);
}

/* set_config(name, value, is_local): a name that is computed may have a dot or not; one that has a quote in it is no name. */
static void note_set_config(struct finding *f, const struct ast_func *call) {
    const struct ast *name = call->args, *value = name ? name->next : NULL, *is_local = value ? value->next : NULL;
    bool ends_with_transaction = is_local && is_local->kind == AST_LITERAL && is_local->op == LITERAL_TRUE;
    if (!ends_with_transaction) f->effects |= EFFECT_LEAVES;
    if (!is_plain_string(name) || name->end - name->start < 2) {
        if (!ends_with_transaction) f->effects |= EFFECT_STAYS;
        return;
    }
    struct bytes text = bytes_of(f->text.ptr + name->start + 1, name->end - name->start - 2);
    if (memchr(text.ptr, '.', text.len)) f->on_name(f->ctx, text);
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

static void note_call(struct finding *f, const struct ast_func *call) {
    if (call->node.op == CALL_SPECIAL || call->node.op == CALL_BARE) return; /* grammar, and always the server's own */
    const struct ast *first = call->names;
    if (!first || first->kind != AST_NAME) {
        f->effects |= EFFECT_UNKNOWN;
        return;
    }
    struct bytes name = AST_AS(name, NAME, first)->text;
    if (first->next) {
        bool is_builtin = bytes_is(name, "pg_catalog") && !first->next->next && first->next->kind == AST_NAME;
        name = is_builtin ? AST_AS(name, NAME, first->next)->text : bytes_of(NULL, 0);
    }
    switch (function_pg_find(name)) {
    case FUNCTION_UNKNOWN: f->effects |= EFFECT_UNKNOWN | EFFECT_NEXTVAL; break;
    case FUNCTION_CLEAN: break;
    case FUNCTION_LEAVES: f->effects |= EFFECT_LEAVES; break;
    case FUNCTION_TAKES: f->effects |= EFFECT_TAKES; break;
    case FUNCTION_STAYS: f->effects |= EFFECT_STAYS; break;
    case FUNCTION_NEXTVAL: f->effects |= EFFECT_NEXTVAL; break;
    case FUNCTION_CURRVAL: f->effects |= EFFECT_CURRVAL; break;
    case FUNCTION_SET_CONFIG: note_set_config(f, call); break;
    }
}

/* ---- commands -------------------------------------------------------------------------------------------------------- */

static unsigned effect_of_set(const struct ast_command *c) {
    if (c->object == SQL_OBJECT_TRANSACTION || c->object == SQL_OBJECT_CONSTRAINTS) return 0;
    return c->node.flags & AST_COMMAND_LOCAL ? 0 : EFFECT_LEAVES;
}

/* Objects that live in a schema may be temporary without a word: the first schema of the path may be pg_temp. */
static unsigned effect_of_create(const struct ast_command *c) {
    switch (c->object) {
    case SQL_OBJECT_DATABASE: case SQL_OBJECT_EVENT_TRIGGER: case SQL_OBJECT_FOREIGN_DATA_WRAPPER: case SQL_OBJECT_GROUP:
    case SQL_OBJECT_INDEX: case SQL_OBJECT_POLICY: case SQL_OBJECT_PUBLICATION: case SQL_OBJECT_ROLE: case SQL_OBJECT_RULE:
    case SQL_OBJECT_SCHEMA: case SQL_OBJECT_SERVER: case SQL_OBJECT_SUBSCRIPTION: case SQL_OBJECT_TABLESPACE:
    case SQL_OBJECT_TRIGGER: case SQL_OBJECT_USER: case SQL_OBJECT_USER_MAPPING:
        return 0;
    default: return EFFECT_LEAVES;
    }
}

static unsigned effect_of_command(const struct ast_command *c) {
    switch ((enum sql_verb)c->node.op) {
    case SQL_ALTER: case SQL_ANALYZE: case SQL_BEGIN: case SQL_CHECKPOINT: case SQL_CLUSTER: case SQL_COMMENT: case SQL_COMMIT:
    case SQL_COMMIT_PREPARED: case SQL_EXPLAIN: case SQL_FETCH: case SQL_GRANT: case SQL_LOCK: case SQL_MOVE: case SQL_NOTIFY:
    case SQL_PREPARE_TRANSACTION: case SQL_REASSIGN: case SQL_REFRESH: case SQL_REINDEX: case SQL_RELEASE: case SQL_REPACK:
    case SQL_REVOKE: case SQL_ROLLBACK: case SQL_ROLLBACK_PREPARED: case SQL_ROLLBACK_TO: case SQL_SAVEPOINT:
    case SQL_SECURITY_LABEL: case SQL_SHOW: case SQL_START: case SQL_TRUNCATE: case SQL_VACUUM: case SQL_WAIT:
        return 0;
    case SQL_CLOSE: case SQL_DROP: case SQL_UNLISTEN: return EFFECT_TAKES;
    case SQL_DEALLOCATE: return EFFECT_TAKES | EFFECT_STATEMENTS;
    case SQL_EXECUTE: case SQL_PREPARE: return EFFECT_STATEMENTS;
    case SQL_CALL: case SQL_DO: return EFFECT_UNKNOWN | EFFECT_NEXTVAL;
    case SQL_CREATE: return effect_of_create(c);
    case SQL_DECLARE: return c->node.flags & AST_COMMAND_HOLD ? EFFECT_LEAVES : 0;
    case SQL_LOAD: return EFFECT_STAYS;
    case SQL_SET: return effect_of_set(c);
    default: return EFFECT_LEAVES;
    }
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

/* UPDATE pg_settings is set_config by another name. */
static bool is_settings_view(const struct ast *names) {
    if (!names) return false;
    while (names->next) names = names->next;
    return names->kind == AST_NAME && bytes_is(AST_AS(name, NAME, names)->text, "pg_settings");
}

static bool visit(struct ast *node, void *ctx) {
    struct finding *f = ctx;
    switch ((enum ast_kind)node->kind) {
    case AST_FUNC: note_call(f, AST_AS(func, FUNC, node)); break;
    case AST_COMMAND:
        f->effects |= effect_of_command(AST_AS(command, COMMAND, node));
        return node->op != SQL_PREPARE; /* what is prepared does not run */
    case AST_SETTING: note_name(f, AST_AS(setting, SETTING, node)->names); break;
    case AST_INTO:
    case AST_LOAD: f->effects |= EFFECT_LEAVES; break;
    case AST_COPY:
        if (node->flags & AST_COPY_FROM) f->effects |= EFFECT_NEXTVAL;
        break;
    case AST_UPDATE: {
        const struct ast *target = AST_AS(update, UPDATE, node)->tables;
        if (target && target->kind == AST_TABLE && is_settings_view(AST_AS(table, TABLE, target)->names))
            f->effects |= EFFECT_LEAVES;
        f->effects |= EFFECT_NEXTVAL;
        break;
    }
    case AST_INSERT:
    case AST_DELETE:
    case AST_MERGE: f->effects |= EFFECT_NEXTVAL; break;
    case AST_NAME: case AST_LITERAL: case AST_COLUMN: case AST_TYPE: return false; /* nothing is called below them */
    default: break;
    }
    return true;
}

unsigned effect_of(struct bytes text, const struct sql_options *options, struct arena *arena, effect_name *on_name, void *ctx) {
    struct finding f = {.on_name = on_name, .ctx = ctx, .text = text};
    struct sql_statement s;
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    if (!reader) f.effects = EFFECT_LEAVES | EFFECT_NEXTVAL;
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_UNKNOWN) f.effects |= EFFECT_LEAVES | EFFECT_NEXTVAL;
        if (s.outcome == SQL_PARSED) ast_walk(s.ast, visit, &f);
    }
    arena_reset(arena);
    return f.effects;
}
