/*
 * effect.c - one walk over each tree: commands by their verb, calls by their name.
 */
#include "routing/effect.h"

#include <strings.h>

#include "routing/body_pg.h"
#include "routing/constant.h"
#include "routing/function_pg.h"
#include "routing/setting_pg.h"

struct finding {
    unsigned effects;
    const struct effect_names *names;
    const struct sql_options *options;
    struct bytes text;
    const struct ast *of_list; /* a call of set_config(), whose first argument may be a column of pg_settings; or NULL */
    bool has_others; /* a $1 may be another one than the text's: PREPARE, CREATE FUNCTION */
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
    if (setting_pg_is_unlisted(bytes_of(name, len))) f->names->on_setting(f->names->ctx, bytes_of(name, len));
}

/* An argument by its place, or by its name: f(a, b), f(a, second => b). NULL: it is not given. */
static const struct ast *argument(const struct ast_func *call, int place, const char *name) {
    const struct ast *arg = call->args;
    for (; arg; arg = arg->next, place--) {
        if (arg->kind != AST_NAMED_ARG) {
            if (place == 0) return arg;
            continue;
        }
        const struct ast_named_arg *named = AST_AS(named_arg, NAMED_ARG, arg);
        if (named->name->kind == AST_NAME && bytes_is(AST_AS(name, NAME, named->name)->text, name)) return named->value;
    }
    return NULL;
}

static bool is_coalesce(const struct ast *node) {
    if (node->kind != AST_FUNC || node->op != CALL_SPECIAL) return false;
    const struct ast *name = AST_AS(func, FUNC, node)->names;
    return name && name->kind == AST_NAME && bytes_is(AST_AS(name, NAME, name)->text, "coalesce");
}

/* False: it may be NULL. */
static bool sets_value(const struct ast *value) {
    value = constant_without_cast(value);
    if (!value) return false;
    const struct ast *arg = is_coalesce(value) ? AST_AS(func, FUNC, value)->args : NULL;
    while (arg && arg->next) arg = arg->next;
    if (arg) value = constant_without_cast(arg);
    return value->kind == AST_LITERAL && value->op != LITERAL_NULL;
}

unsigned effect_of_named(const struct effect_names *names, unsigned effects, const struct effect_argument *first) {
    if (!(effects & EFFECT_NAMED) || first->is_parameter) return effects;
    effects &= ~(unsigned)EFFECT_NAMED;
    if (!first->text.ptr) return effects | EFFECT_STAYS; /* it is computed, and may have a dot */
    if (setting_pg_is_unlisted(first->text)) names->on_setting(names->ctx, first->text);
    return effects;
}

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t skip_space(struct bytes text, size_t at) {
    while (at < text.len && is_space(text.ptr[at])) at++;
    return at;
}

/*
 * True when a call is all that a SELECT has: then a name in it is that of a parameter, because there are no columns. The server
 * prints a name of the column behind it.
 */
static bool is_alone(struct bytes text, const struct ast *call) {
    static const char select[] = "select";
    size_t before = call->start, at = skip_space(text, call->end);
    while (before && is_space(text.ptr[before - 1])) before--;
    if (before < sizeof select - 1 || strncasecmp((const char *)text.ptr + before - 6, select, 6) != 0) return false;
    if (before > 6 && !is_space(text.ptr[before - 7]) && text.ptr[before - 7] != ';') return false;
    if (text.len - at > 3 && strncasecmp((const char *)text.ptr + at, "as ", 3) == 0) {
        at += 3;
        while (at < text.len && (text.ptr[at] == '_' || ((text.ptr[at] | 0x20) >= 'a' && (text.ptr[at] | 0x20) <= 'z'))) at++;
        at = skip_space(text, at);
    }
    return at == text.len || text.ptr[at] == ';';
}

static bool is_parameter(const struct finding *f, const struct ast *call, const struct ast *arg) {
    if (!arg || !f->names->has_parameter || f->has_others) return false;
    if (arg->kind == AST_PARAM) return AST_AS(param, PARAM, arg)->number == 1;
    if (arg->kind != AST_COLUMN || !f->names->parameter.len) return false;
    const struct ast *name = AST_AS(column, COLUMN, arg)->names;
    bool is_it = name && !name->next && name->kind == AST_NAME && bytes_equal(AST_AS(name, NAME, name)->text, f->names->parameter);
    return is_it && is_alone(f->text, call);
}

static struct effect_argument argument_of(const struct finding *f, const struct ast_func *call, const struct ast *arg) {
    arg = constant_without_cast(arg);
    struct effect_argument first = {.is_parameter = is_parameter(f, &call->node, arg)};
    if (!constant_text(f->text, arg, &first.text)) first.text = bytes_of(NULL, 0);
    return first;
}

/* name */
static bool is_name_column(const struct ast *arg) {
    const struct ast *name = arg && arg->kind == AST_COLUMN ? AST_AS(column, COLUMN, arg)->names : NULL;
    return name && !name->next && name->kind == AST_NAME && bytes_is(AST_AS(name, NAME, name)->text, "name");
}

/* set_config(name, value, is_local): a name that is computed may have a dot or not; one that has a quote in it is no name. */
static void note_set_config(struct finding *f, const struct ast_func *call) {
    const struct ast *name = argument(call, 0, "setting_name"), *is_local = argument(call, 2, "is_local");
    bool ends_with_transaction = is_local && is_local->kind == AST_LITERAL && is_local->op == LITERAL_TRUE;
    f->effects |= EFFECT_MOVES;
    if (!ends_with_transaction) f->effects |= EFFECT_LEAVES;
    if (!sets_value(argument(call, 1, "new_value"))) f->effects |= EFFECT_RESETS;
    struct effect_argument first = argument_of(f, call, name);
    bool is_of_list = f->of_list == &call->node && is_name_column(name);
    unsigned found = is_of_list ? EFFECT_LISTED : effect_of_named(f->names, EFFECT_NAMED, &first);
    if (!ends_with_transaction) f->effects |= found;
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

/* What the name of a function may mean; not to be asked about CALL_SPECIAL and CALL_BARE. */
static enum function_kind function_of(const struct ast_func *call, struct bytes *name) {
    bool may_be_own = false;
    *name = last_name(call->names, &may_be_own);
    return may_be_own ? function_pg_find(*name) : FUNCTION_UNKNOWN;
}

static bool is_grammar(const struct ast_func *call) {
    return call->node.op == CALL_SPECIAL || call->node.op == CALL_BARE;
}

bool effect_resets_by_call(struct bytes text, const struct ast_func *call, struct effect_reset_call *out) {
    struct bytes name;
    if (is_grammar(call) || function_of(call, &name) != FUNCTION_SET_CONFIG) return false;
    *out = (struct effect_reset_call){.name = argument(call, 0, "setting_name"), .value = argument(call, 1, "new_value")};
    if (sets_value(out->value)) return false;
    if (!constant_text(text, constant_without_cast(out->name), &out->setting)) out->setting = bytes_of(NULL, 0);
    return true;
}

/* One of PostgreSQL's own may have a namesake with other arguments: both count. */
static void note_call(struct finding *f, const struct ast_func *call) {
    if (is_grammar(call)) return; /* and always the server's own */
    struct bytes name;
    enum function_kind kind = function_of(call, &name);
    const struct ast *arg = call->args && call->args->kind != AST_NAMED_ARG ? call->args : NULL;
    struct effect_argument first = argument_of(f, call, arg);
    unsigned found = effect_of_named(f->names, f->names->of_function(f->names->ctx, name, &first), &first);
    if (kind == FUNCTION_SET_CONFIG) note_set_config(f, call);
    else if (kind != FUNCTION_UNKNOWN || found & EFFECT_NO_SUCH) f->effects |= function_pg_effects(kind);
    f->effects |= found & ~(unsigned)EFFECT_NO_SUCH;
}

/* ---- relations ------------------------------------------------------------------------------------------------------- */

static void note_relation(struct finding *f, const struct ast *names, bool is_written) {
    bool ignored = false;
    struct bytes name = last_name(names, &ignored);
    if (bytes_is(name, "pg_prepared_statements")) f->effects |= EFFECT_LISTS;
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

/* TIME ZONE LOCAL is a DEFAULT, too; the implied ones of RESET and SET NAMES are written down by the parser. */
static bool is_default(const struct ast *value) {
    return value && (value->kind == AST_DEFAULT || (value->kind == AST_WORD && !value->next));
}

bool effect_resets(const struct ast_command *c) {
    if (c->node.op == SQL_RESET) return true;
    if (c->node.op == SQL_DISCARD) return c->object == SQL_OBJECT_ALL;
    if (c->node.op != SQL_SET || !c->args || c->args->kind != AST_SETTING) return false;
    const struct ast *value = AST_AS(setting, SETTING, c->args)->values;
    return is_default(value) && (value->kind == AST_DEFAULT || c->object == SQL_OBJECT_TIME_ZONE);
}

/* Whatever becomes of it, the server says so by itself; not that it was reset. */
static bool sets_reported(const struct ast_command *c) {
    if (!c->args || c->args->next || c->args->kind != AST_SETTING || effect_resets(c)) return false;
    const struct ast *name = AST_AS(setting, SETTING, c->args)->names;
    return name && !name->next && name->kind == AST_NAME && setting_pg_is_reported(AST_AS(name, NAME, name)->text);
}

static unsigned effect_of_set(const struct ast_command *c) {
    if (c->object == SQL_OBJECT_TRANSACTION || c->object == SQL_OBJECT_CONSTRAINTS) return 0;
    return c->node.flags & AST_COMMAND_LOCAL || sets_reported(c) ? EFFECT_MOVES : EFFECT_LEAVES | EFFECT_MOVES;
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
    case SQL_ANALYZE: case SQL_BEGIN: case SQL_CALL: case SQL_CHECKPOINT: case SQL_CLUSTER: case SQL_COMMENT:
    case SQL_COMMIT_PREPARED: case SQL_EXPLAIN: case SQL_GRANT: case SQL_LOCK: case SQL_NOTIFY: case SQL_REASSIGN:
    case SQL_REFRESH: case SQL_REINDEX: case SQL_RELEASE: case SQL_REPACK: case SQL_REVOKE: case SQL_ROLLBACK_PREPARED:
    case SQL_SECURITY_LABEL: case SQL_SHOW: case SQL_START: case SQL_TRUNCATE: case SQL_VACUUM: case SQL_WAIT:
        return 0;
    case SQL_SAVEPOINT: return EFFECT_SAVEPOINT;
    case SQL_COMMIT: case SQL_FETCH: case SQL_MOVE: case SQL_PREPARE_TRANSACTION: case SQL_ROLLBACK: case SQL_ROLLBACK_TO:
        return EFFECT_MOVES; /* SET LOCAL ends; a SET is taken back; the cursor calls set_config */
    case SQL_CLOSE: return EFFECT_TAKES;
    case SQL_UNLISTEN: return EFFECT_TAKES | EFFECT_CHANNELS;
    case SQL_LISTEN: return EFFECT_LEAVES | EFFECT_CHANNELS;
    case SQL_DEALLOCATE: return EFFECT_TAKES | EFFECT_STATEMENTS;
    case SQL_EXECUTE: case SQL_PREPARE: return EFFECT_STATEMENTS;
    case SQL_ALTER: return effect_of_change(c);
    case SQL_CREATE: return effect_of_create(c);
    case SQL_DECLARE: return c->node.flags & AST_COMMAND_HOLD ? EFFECT_LEAVES : 0;
    case SQL_DO: return 0; /* its body: note_do() */
    case SQL_DROP: return effect_of_drop(c);
    case SQL_DISCARD: return EFFECT_LEAVES | EFFECT_MOVES | (c->object == SQL_OBJECT_ALL ? EFFECT_DISCARD : 0u);
    case SQL_IMPORT: return EFFECT_LEAVES | EFFECT_CATALOG;
    case SQL_LOAD: return EFFECT_STAYS;
    case SQL_SET: return effect_of_set(c);
    default: return EFFECT_LEAVES | EFFECT_MOVES;
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
    struct effect_names names = *f->names;
    names.has_parameter = false;
    names.on_statement = NULL;
    unsigned effects = body.ptr ? body_pg_effects(body, f->options, &names) : function_pg_effects(FUNCTION_UNKNOWN);
    if (effects & (EFFECT_UNKNOWN | EFFECT_LEAVES)) effects |= EFFECT_CATALOG;
    f->effects |= effects;
}

static void note_command(struct finding *f, const struct ast_command *c) {
    if (c->node.op == SQL_PREPARE || c->node.op == SQL_CREATE) f->has_others = true;
    f->effects |= effect_of_command(c);
    if (effect_resets(c)) f->effects |= EFFECT_RESETS;
    if (c->node.op == SQL_DO) note_do(f, c);
    note_target(f, c->objects);
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

static bool is_settings_view(const struct ast *names) {
    if (!names) return false;
    while (names->next) names = names->next;
    return names->kind == AST_NAME && bytes_is(AST_AS(name, NAME, names)->text, "pg_settings");
}

/* SELECT f(...) FROM pg_settings ...: the call, if it is all that is selected, from that alone; else NULL. */
static const struct ast *call_of_list(const struct ast_select *s) {
    bool is_plain = s->targets && !s->targets->next && s->targets->kind == AST_TARGET && s->from && !s->from->next && !s->with;
    if (!is_plain || s->from->kind != AST_TABLE || !is_settings_view(AST_AS(table, TABLE, s->from)->names)) return NULL;
    if (AST_AS(table, TABLE, s->from)->alias) return NULL;
    const struct ast *expr = AST_AS(target, TARGET, s->targets)->expr;
    return expr && expr->kind == AST_FUNC ? expr : NULL;
}

/* Defaults and triggers may move a sequence. */
static void note_write(struct finding *f, const struct ast *tables) {
    f->effects |= EFFECT_NEXTVAL;
    note_target(f, tables);
}

static bool is_settings_update(const struct ast_update *update) {
    const struct ast *target = update->tables;
    return target && target->kind == AST_TABLE && is_settings_view(AST_AS(table, TABLE, target)->names);
}

bool effect_resets_settings(const struct ast_update *update) {
    if (!is_settings_update(update)) return false;
    for (const struct ast *n = update->set; n; n = n->next) {
        bool is_single = n->kind == AST_ASSIGNMENT && !(n->flags & AST_ASSIGNMENT_MULTI);
        if (!is_single || !sets_value(AST_AS(assignment, ASSIGNMENT, n)->value)) return true;
    }
    return false;
}

static bool visit(struct ast *node, void *ctx) {
    struct finding *f = ctx;
    switch ((enum ast_kind)node->kind) {
    case AST_SELECT: f->of_list = call_of_list(AST_AS(select, SELECT, node)); break;
    case AST_FUNC: note_call(f, AST_AS(func, FUNC, node)); break;
    case AST_COMMAND:
        note_command(f, AST_AS(command, COMMAND, node));
        return node->op != SQL_PREPARE; /* what is prepared does not run */
    case AST_TABLE: note_relation(f, AST_AS(table, TABLE, node)->names, false); break;
    case AST_SETTING: note_name(f, AST_AS(setting, SETTING, node)->names); break;
    case AST_INTO:
    case AST_LOAD: f->effects |= EFFECT_LEAVES; break;
    case AST_COPY:
        if (node->flags & AST_COPY_FROM) note_write(f, AST_AS(copy, COPY, node)->table);
        break;
    case AST_UPDATE:
        if (is_settings_update(AST_AS(update, UPDATE, node))) f->effects |= EFFECT_LEAVES | EFFECT_MOVES;
        if (effect_resets_settings(AST_AS(update, UPDATE, node))) f->effects |= EFFECT_RESETS;
        note_write(f, AST_AS(update, UPDATE, node)->tables);
        break;
    case AST_INSERT: note_write(f, AST_AS(insert, INSERT, node)->table); break;
    case AST_DELETE: note_write(f, AST_AS(delete, DELETE, node)->tables); break;
    case AST_MERGE: note_write(f, AST_AS(merge, MERGE, node)->table); break;
    case AST_NAME: case AST_LITERAL: case AST_COLUMN: case AST_TYPE: return false; /* nothing is called below them */
    default: break;
    }
    return true;
}

/* Not analysable. */
#define ANYTHING (EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_MOVES | EFFECT_CHANNELS)

static unsigned effects_under(struct bytes text, const struct sql_options *options, struct arena *arena,
                              const struct effect_names *names) {
    struct finding f = {.names = names, .options = options, .text = text};
    struct sql_statement s;
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    if (!reader) f.effects = ANYTHING;
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_UNKNOWN) f.effects |= ANYTHING;
        if (names->on_statement) names->on_statement(names->ctx, options, &s);
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
