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

/* RESET_PG_NOTHING when it resets nothing. */
static struct reset_pg read_command(const struct ast_command *c) {
    struct reset_pg r = {.is_local = c->node.flags & AST_COMMAND_LOCAL, .is_discard = c->node.op == SQL_DISCARD};
    if (!effect_resets(c)) return r;
    r.kind = name_of(c, r.name) ? RESET_PG_ONE : RESET_PG_ALL;
    return r;
}

static void take_call(struct search *f, const struct ast_func *call) {
    struct bytes setting;
    if (effect_resets_by_call(f->text, call, &setting)) find(f, setting);
}

static bool visit(struct ast *node, void *ctx) {
    struct search *f = ctx;
    if (node->kind == AST_FUNC) take_call(f, AST_AS(func, FUNC, node));
    else if (node->kind == AST_UPDATE && effect_resets_settings(AST_AS(update, UPDATE, node))) find(f, bytes_of(NULL, 0));
    return !f->found;
}

/* Among other statements DISCARD ALL is an error, of which nothing stays. */
static void note_earlier(struct search *f, const struct reset_pg *r) {
    if (r->kind != RESET_PG_NOTHING && !r->is_discard) find(f, bytes_str(r->name));
}

struct reset_pg reset_pg_of(struct bytes text, const struct sql_options *options, struct arena *arena, reset_pg_watch *watch,
                            void *ctx) {
    struct search f = {.text = text, .watch = watch, .ctx = ctx};
    struct reset_pg last = {0}, nothing = {0}, inside = {.kind = RESET_PG_INSIDE};
    struct sql_statement s;
    bool is_readable = true;
    uint32_t count = 0;
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_EMPTY) continue;
        note_earlier(&f, &last);
        last = nothing;
        count++;
        is_readable = is_readable && s.outcome == SQL_PARSED; /* else the server will most likely refuse the text */
        if (s.outcome != SQL_PARSED) continue;
        if (s.ast->kind == AST_COMMAND) last = read_command(AST_AS(command, COMMAND, s.ast));
        if (last.kind == RESET_PG_NOTHING && watch) ast_walk(s.ast, visit, &f);
    }
    arena_reset(arena);
    if (!is_readable) note_earlier(&f, &last);
    if (f.found) return inside;
    if (!is_readable || (last.is_discard && count > 1)) return nothing;
    last.statements = count;
    return last;
}
