/*
 * reset_pg.c - the commands by their verb; set_config() with a value that may be NULL, which resets, by its name.
 */
#include "routing/reset_pg.h"

#include "routing/effect.h"

struct search {
    struct bytes text;
    reset_pg_watch *watch;
    void *ctx;
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

/* `alone`: what it would be if it were the only statement. */
static void take_command(struct search *f, const struct ast_command *c, struct reset_pg *alone) {
    if (!effect_resets(c)) return;
    struct reset_pg r = {.kind = RESET_PG_ALL, .is_local = c->node.flags & AST_COMMAND_LOCAL};
    if (name_of(c, r.name)) r.kind = RESET_PG_ONE;
    find(f, bytes_str(r.name));
    if (alone) *alone = r;
}

static void take_call(struct search *f, const struct ast_func *call) {
    const struct ast *name = call->args, *value = name ? name->next : NULL;
    if (!effect_is_set_config(call) || effect_sets_value(value)) return;
    bool is_plain = name && name->kind == AST_LITERAL && name->op == LITERAL_STRING && name->end - name->start > 2;
    find(f, is_plain ? bytes_of(f->text.ptr + name->start + 1, name->end - name->start - 2) : bytes_of(NULL, 0));
}

static bool visit(struct ast *node, void *ctx) {
    struct search *f = ctx;
    if (node->kind == AST_FUNC) take_call(f, AST_AS(func, FUNC, node));
    else if (node->kind == AST_UPDATE && effect_is_settings_update(AST_AS(update, UPDATE, node))) find(f, bytes_of(NULL, 0));
    else if (node->kind == AST_COMMAND) take_command(f, AST_AS(command, COMMAND, node), NULL);
    return !f->found;
}

struct reset_pg reset_pg_of(struct bytes text, const struct sql_options *options, struct arena *arena, reset_pg_watch *watch,
                            void *ctx) {
    struct search f = {.text = text, .watch = watch, .ctx = ctx};
    struct reset_pg alone = {0};
    struct sql_statement s;
    unsigned count = 0;
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    while (reader && sql_reader_next(reader, &s)) {
        if (count++) alone.kind = RESET_PG_NOTHING;
        if (s.outcome != SQL_PARSED) continue; /* the server will refuse it, and with it the text */
        if (s.ast->kind == AST_COMMAND) take_command(&f, AST_AS(command, COMMAND, s.ast), count == 1 ? &alone : NULL);
        if (alone.kind == RESET_PG_NOTHING && watch) ast_walk(s.ast, visit, &f);
    }
    arena_reset(arena);
    if (alone.kind == RESET_PG_NOTHING && f.found) alone.kind = RESET_PG_INSIDE;
    return alone;
}
