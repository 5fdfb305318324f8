/*
 * reset_pg.c - the commands by their verb; set_config() with a value that may be NULL, which resets, by its name and arguments.
 */
#include "routing/reset_pg.h"

#include "routing/effect.h"

struct search {
    struct bytes text;
    struct resets_pg *out;
    reset_pg_watch *watch;
    void *ctx;
    bool is_query; /* the statement at hand runs its expressions, and keeps none of them */
    bool found;
};

static void find(struct search *f, struct bytes name) {
    if (f->watch && (!name.len || f->watch(f->ctx, name))) f->found = true;
}

/* A setting's parts with dots between; false when there are none, or too much of it. */
static bool name_of(const struct ast_command *c, char out[RESET_PG_NAME_MAX]) {
    size_t len = 0;
    if (!c->args || c->args->kind != AST_SETTING) return false;
    for (const struct ast *n = AST_AS(setting, SETTING, c->args)->names; n; n = n->next) {
        if (n->kind != AST_NAME) return false;
        struct bytes part = AST_AS(name, NAME, n)->text;
        if (len + part.len + 2 > RESET_PG_NAME_MAX || memchr(part.ptr, 0, part.len)) return false;
        if (len) out[len++] = '.';
        memcpy(out + len, part.ptr, part.len);
        len += part.len;
    }
    out[len] = '\0';
    return len > 0;
}

/* RESET_PG_NOTHING when it resets nothing. */
static struct reset_pg read_command(const struct ast_command *c) {
    struct reset_pg r = {.is_local = c->node.flags & AST_COMMAND_LOCAL, .is_discard = c->node.op == SQL_DISCARD};
    if (!effect_resets(c)) return r;
    r.kind = name_of(c, r.name) ? RESET_PG_ONE : RESET_PG_ALL;
    return r;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

/* Functions and words of PostgreSQL's own that return one value, and the same one when they are called twice. */
static bool is_simple_name(const struct ast *names) {
    static const char *const simple[] = {
        "array_to_string", "btrim", "coalesce", "concat", "concat_ws", "current_database", "current_role", "current_schema",
        "current_setting", "current_user", "format", "greatest", "initcap", "least", "left", "length", "lower", "lpad", "ltrim",
        "max", "min", "nullif", "overlay", "quote_ident", "quote_literal", "quote_nullable", "replace", "reverse", "right", "rpad",
        "rtrim", "session_user", "split_part", "string_agg", "substr", "substring", "to_char", "to_hex", "translate", "trim",
        "upper", "user",
    };
    if (names && names->next && names->kind == AST_NAME && bytes_is(AST_AS(name, NAME, names)->text, "pg_catalog"))
        names = names->next;
    if (!names || names->next || names->kind != AST_NAME) return false;
    for (size_t i = 0; i < COUNT_OF(simple); i++)
        if (bytes_is(AST_AS(name, NAME, names)->text, simple[i])) return true;
    return false;
}

static bool stays_simple(struct ast *node, void *ctx) {
    bool *is_simple = ctx;
    const struct ast_func *call = node->kind == AST_FUNC ? AST_AS(func, FUNC, node) : NULL;
    if (node->kind == AST_SUBQUERY || (call && (call->over || !is_simple_name(call->names)))) *is_simple = false;
    return *is_simple;
}

/* It can stand in coalesce(), and be evaluated twice. */
static bool is_simple(const struct ast *expression) {
    bool simple = true;
    ast_walk((struct ast *)expression, stays_simple, &simple);
    return simple;
}

static bool add_call(struct resets_pg *out, const struct effect_reset_call *reset) {
    struct reset_call_pg call = {
        .value = reset->value->start, .value_end = reset->value->end, .name = reset->name->start, .name_end = reset->name->end};
    if (out->call_count == RESETS_PG_MAX || reset->setting.len >= sizeof call.setting) return false;
    if (reset->setting.len) memcpy(call.setting, reset->setting.ptr, reset->setting.len);
    uint32_t at = out->call_count++;
    for (; at && out->calls[at - 1].value > call.value; at--) out->calls[at] = out->calls[at - 1];
    out->calls[at] = call;
    return true;
}

static void take_call(struct search *f, const struct ast_func *call) {
    struct effect_reset_call reset;
    if (!effect_resets_by_call(f->text, call, &reset)) return;
    if (!f->watch || (reset.setting.len && !f->watch(f->ctx, reset.setting))) return;
    bool can_be_changed = f->is_query && reset.name && reset.value && is_simple(reset.name) && is_simple(reset.value);
    if (!can_be_changed || !add_call(f->out, &reset)) f->found = true;
}

static bool is_query(const struct ast *statement) {
    switch (statement->kind) {
    case AST_SELECT:
    case AST_SETOP:
    case AST_VALUES:
    case AST_INSERT:
    case AST_UPDATE:
    case AST_DELETE: return true;
    default: return false;
    }
}

/* What is prepared does not run. */
static bool is_prepare(const struct ast *statement) {
    return statement->kind == AST_COMMAND && statement->op == SQL_PREPARE;
}

static bool visit(struct ast *node, void *ctx) {
    struct search *f = ctx;
    if (node->kind == AST_FUNC) take_call(f, AST_AS(func, FUNC, node));
    else if (node->kind == AST_UPDATE && effect_resets_settings(AST_AS(update, UPDATE, node))) find(f, bytes_of(NULL, 0));
    return !f->found;
}

static void add(struct resets_pg *out, struct search *f, const struct reset_pg *r) {
    if (out->count < RESETS_PG_MAX) out->items[out->count++] = *r;
    else find(f, bytes_str(r->name));
}

/* Among other statements it is an error, of which nothing stays. */
static void drop_discards(struct resets_pg *out) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++)
        if (!out->items[i].is_discard) out->items[kept++] = out->items[i];
    out->count = kept;
}

/* With a statement that cannot be read nobody knows where the others end; but most likely the server refuses such a text. */
static void give_up(struct resets_pg *out, struct search *f) {
    for (uint32_t i = 0; i < out->count; i++) find(f, bytes_str(out->items[i].name));
    f->found |= out->call_count > 0;
    out->count = out->call_count = 0;
}

void resets_pg_find(struct resets_pg *out, struct bytes text, const struct sql_options *options, struct arena *arena,
                    reset_pg_watch *watch, void *ctx) {
    struct search f = {.text = text, .out = out, .watch = watch, .ctx = ctx};
    struct sql_statement s;
    bool is_readable = true;
    *out = (struct resets_pg){0};
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_EMPTY) continue;
        uint32_t number = out->statements++;
        is_readable = is_readable && s.outcome == SQL_PARSED;
        if (s.outcome != SQL_PARSED) continue;
        struct reset_pg r = {0};
        if (s.ast->kind == AST_COMMAND) r = read_command(AST_AS(command, COMMAND, s.ast));
        r.number = number;
        r.end = s.end;
        f.is_query = is_query(s.ast);
        if (r.kind != RESET_PG_NOTHING) add(out, &f, &r);
        else if (watch && !is_prepare(s.ast)) ast_walk(s.ast, visit, &f);
    }
    arena_reset(arena);
    if (out->statements > 1) drop_discards(out);
    if (!is_readable) give_up(out, &f);
    out->is_inside = f.found;
}
