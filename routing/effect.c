/*
 * effect.c - one walk over each tree: commands by their verb, calls by their name.
 */
#include "routing/effect.h"

#include "routing/body_pg.h"
#include "routing/function_pg.h"

struct finding {
    unsigned effects;
    const struct effect_names *names;
    const struct sql_options *options;
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
    if (memchr(name, '.', len)) f->names->on_setting(f->names->ctx, bytes_of(name, len));
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
    if (memchr(text.ptr, '.', text.len)) f->names->on_setting(f->names->ctx, text);
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

/* The last part of a name with dots, and whether the parts before it name the schema of PostgreSQL's own functions. */
static struct bytes last_name(const struct ast *names, bool *is_own_schema) {
    const struct ast *first = names;
    while (names && names->next) names = names->next;
    if (!names || names->kind != AST_NAME || first->kind != AST_NAME) return bytes_of(NULL, 0);
    *is_own_schema = first == names || bytes_is(AST_AS(name, NAME, first)->text, "pg_catalog");
    return AST_AS(name, NAME, names)->text;
}

/* One of PostgreSQL's own may have a namesake with other arguments: both count. */
static void note_function(struct finding *f, const struct ast *names, const struct ast_func *call) {
    bool may_be_own = false;
    struct bytes name = last_name(names, &may_be_own);
    enum function_kind kind = may_be_own ? function_pg_find(name) : FUNCTION_UNKNOWN;
    unsigned found = f->names->of_function(f->names->ctx, name);
    if (kind == FUNCTION_SET_CONFIG && call) note_set_config(f, call);
    else if (kind != FUNCTION_UNKNOWN) f->effects |= function_pg_effects(kind);
    else if (found & EFFECT_NO_SUCH) f->effects |= EFFECT_UNKNOWN | EFFECT_NEXTVAL;
    f->effects |= found & ~(unsigned)EFFECT_NO_SUCH;
}

static void note_call(struct finding *f, const struct ast_func *call) {
    if (call->node.op == CALL_SPECIAL || call->node.op == CALL_BARE) return; /* grammar, and always the server's own */
    note_function(f, call->names, call);
}

/* ---- relations ------------------------------------------------------------------------------------------------------- */

static void note_relation(struct finding *f, const struct ast *names, bool is_written) {
    bool ignored = false;
    struct bytes name = last_name(names, &ignored);
    if (name.len) f->effects |= f->names->of_relation(f->names->ctx, name, is_written);
}

/* What a statement writes; reads are noted with each TABLE. */
static void note_target(struct finding *f, const struct ast *tables) {
    for (const struct ast *t = tables; t; t = t->next) {
        if (t->kind == AST_TABLE) note_relation(f, AST_AS(table, TABLE, t)->names, true);
        if (t->kind == AST_OBJECT) {
            note_relation(f, AST_AS(object, OBJECT, t)->names, false);
            note_target(f, AST_AS(object, OBJECT, t)->on);
        }
    }
}

/* ---- commands -------------------------------------------------------------------------------------------------------- */

static unsigned effect_of_set(const struct ast_command *c) {
    if (c->object == SQL_OBJECT_TRANSACTION || c->object == SQL_OBJECT_CONSTRAINTS) return 0;
    return c->node.flags & AST_COMMAND_LOCAL ? 0 : EFFECT_LEAVES;
}

/* No statement runs code for what it finds of these. */
static bool has_no_code(uint16_t object) {
    switch (object) {
    case SQL_OBJECT_DATABASE: case SQL_OBJECT_FOREIGN_DATA_WRAPPER: case SQL_OBJECT_GROUP: case SQL_OBJECT_PUBLICATION:
    case SQL_OBJECT_ROLE: case SQL_OBJECT_SEQUENCE: case SQL_OBJECT_SERVER: case SQL_OBJECT_SUBSCRIPTION:
    case SQL_OBJECT_TABLESPACE: case SQL_OBJECT_USER: case SQL_OBJECT_USER_MAPPING:
        return true;
    default: return false;
    }
}

/*
 * Objects that live in a schema may be temporary without a word: the first schema of the path may be pg_temp. With what names
 * stand for, the rest of the transaction is in doubt.
 */
static unsigned effect_of_create(const struct ast_command *c) {
    if (c->node.flags & AST_COMMAND_TEMPORARY) return EFFECT_LEAVES;
    if (c->object == SQL_OBJECT_SEQUENCE) return EFFECT_LEAVES;
    return has_no_code(c->object) ? 0 : EFFECT_LEAVES | EFFECT_CATALOG;
}

static unsigned effect_of_change(const struct ast_command *c) {
    return has_no_code(c->object) ? 0 : EFFECT_LEAVES | EFFECT_CATALOG;
}

static unsigned effect_of_drop(const struct ast_command *c) {
    return has_no_code(c->object) ? EFFECT_TAKES : EFFECT_TAKES | EFFECT_CATALOG;
}

static unsigned effect_of_command(const struct ast_command *c) {
    switch ((enum sql_verb)c->node.op) {
    case SQL_ANALYZE: case SQL_BEGIN: case SQL_CALL: case SQL_CHECKPOINT: case SQL_CLUSTER: case SQL_COMMENT: case SQL_COMMIT:
    case SQL_COMMIT_PREPARED: case SQL_EXPLAIN: case SQL_FETCH: case SQL_GRANT: case SQL_LOCK: case SQL_MOVE: case SQL_NOTIFY:
    case SQL_PREPARE_TRANSACTION: case SQL_REASSIGN: case SQL_REFRESH: case SQL_REINDEX: case SQL_RELEASE: case SQL_REPACK:
    case SQL_REVOKE: case SQL_ROLLBACK: case SQL_ROLLBACK_PREPARED: case SQL_ROLLBACK_TO: case SQL_SAVEPOINT:
    case SQL_SECURITY_LABEL: case SQL_SHOW: case SQL_START: case SQL_TRUNCATE: case SQL_VACUUM: case SQL_WAIT:
        return 0;
    case SQL_CLOSE: case SQL_DEALLOCATE: case SQL_UNLISTEN: return EFFECT_TAKES;
    case SQL_ALTER: return effect_of_change(c);
    case SQL_CREATE: return effect_of_create(c);
    case SQL_DECLARE: return c->node.flags & AST_COMMAND_HOLD ? EFFECT_LEAVES : 0;
    case SQL_DO: return 0; /* its body: note_do() */
    case SQL_DROP: return effect_of_drop(c);
    case SQL_EXECUTE: return EFFECT_LEAVES | EFFECT_NEXTVAL;
    case SQL_IMPORT: return EFFECT_LEAVES | EFFECT_CATALOG;
    case SQL_LOAD: return EFFECT_STAYS;
    case SQL_SET: return effect_of_set(c);
    default: return EFFECT_LEAVES;
    }
}

/* The name of its language; PL/pgSQL when it names none. */
static bool is_plpgsql(const struct ast *options) {
    for (const struct ast *o = options; o; o = o->next) {
        if (o->kind != AST_OPTION) return false;
        const struct ast *value = AST_AS(option, OPTION, o)->values;
        if (!value || value->kind != AST_NAME || !bytes_is(AST_AS(name, NAME, value)->text, "plpgsql")) return false;
    }
    return true;
}

/* The inside of $tag$...$tag$, or of a string without escapes; empty: none of these. */
static struct bytes inside(struct bytes literal) {
    if (literal.len >= 2 && literal.ptr[0] == '\'' && !memchr(literal.ptr + 1, '\'', literal.len - 2))
        return bytes_of(literal.ptr + 1, literal.len - 2);
    const uint8_t *end = literal.len > 2 && literal.ptr[0] == '$' ? memchr(literal.ptr + 1, '$', literal.len - 1) : NULL;
    if (!end) return bytes_of(NULL, 0);
    size_t tag = (size_t)(end - literal.ptr) + 1;
    return literal.len >= 2 * tag ? bytes_of(literal.ptr + tag, literal.len - 2 * tag) : bytes_of(NULL, 0);
}

/* DO 'body'. One that is not seen through may also be a whole migration. */
static void note_do(struct finding *f, const struct ast_command *c) {
    const struct ast *literal = c->args;
    struct bytes body = bytes_of(NULL, 0);
    if (literal && !literal->next && literal->kind == AST_LITERAL && is_plpgsql(c->options))
        body = inside(bytes_of(f->text.ptr + literal->start, literal->end - literal->start));
    unsigned effects = body.ptr ? body_pg_effects(body, f->options, f->names) : EFFECT_UNKNOWN | EFFECT_NEXTVAL;
    if (effects & (EFFECT_UNKNOWN | EFFECT_LEAVES)) effects |= EFFECT_CATALOG;
    f->effects |= effects;
}

static void note_command(struct finding *f, const struct ast_command *c) {
    f->effects |= effect_of_command(c);
    if (c->node.op == SQL_DO) note_do(f, c);
    note_target(f, c->objects);
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

/* UPDATE pg_settings is set_config by another name. */
static bool is_settings_view(const struct ast *names) {
    if (!names) return false;
    while (names->next) names = names->next;
    return names->kind == AST_NAME && bytes_is(AST_AS(name, NAME, names)->text, "pg_settings");
}

/* Defaults and triggers may move a sequence. */
static void note_write(struct finding *f, const struct ast *tables) {
    f->effects |= EFFECT_NEXTVAL;
    note_target(f, tables);
}

static bool visit(struct ast *node, void *ctx) {
    struct finding *f = ctx;
    switch ((enum ast_kind)node->kind) {
    case AST_FUNC: note_call(f, AST_AS(func, FUNC, node)); break;
    case AST_COMMAND: note_command(f, AST_AS(command, COMMAND, node)); break;
    case AST_TABLE: note_relation(f, AST_AS(table, TABLE, node)->names, false); break;
    case AST_SETTING: note_name(f, AST_AS(setting, SETTING, node)->names); break;
    case AST_INTO:
    case AST_LOAD: f->effects |= EFFECT_LEAVES; break;
    case AST_COPY:
        if (node->flags & AST_COPY_FROM) note_write(f, AST_AS(copy, COPY, node)->table);
        break;
    case AST_UPDATE: {
        const struct ast *target = AST_AS(update, UPDATE, node)->tables;
        if (target && target->kind == AST_TABLE && is_settings_view(AST_AS(table, TABLE, target)->names))
            f->effects |= EFFECT_LEAVES;
        note_write(f, target);
        break;
    }
    case AST_INSERT: note_write(f, AST_AS(insert, INSERT, node)->table); break;
    case AST_DELETE: note_write(f, AST_AS(delete, DELETE, node)->tables); break;
    case AST_MERGE: note_write(f, AST_AS(merge, MERGE, node)->table); break;
    case AST_NAME: case AST_LITERAL: case AST_COLUMN: case AST_TYPE: return false; /* nothing is called below them */
    default: break;
    }
    return true;
}

static unsigned effects_under(struct bytes text, const struct sql_options *options, struct arena *arena,
                              const struct effect_names *names) {
    struct finding f = {.names = names, .options = options, .text = text};
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

unsigned effect_of(struct bytes text, const struct sql_options *options, struct arena *arena, const struct effect_names *names) {
    unsigned effects = effects_under(text, options, arena, names);
    struct sql_options others = *options;
    if (options->dialect != SQL_POSTGRES || !effect_depends_on_strings(text)) return effects;
    others.modes ^= SQL_STANDARD_STRINGS;
    return effects | effects_under(text, &others, arena, names);
}
