/*
 * Owns the map from a client's names to statements. Sends nothing.
 */
#include "proxy/session/session_pg_names.h"

#include <ctype.h>

#include "base/fault.h"
#include "proxy/pool/backend_pg.h"

/* ---- names ---- */

static void free_known(struct client_statement *known) {
    statement_pg_unref(known->statement);
    mem_free(known->original);
    mem_free(known);
}

/* It is nobody's from now on: closed with the next message, if it is still there. */
static void leave_here(struct prepared_client *pc, struct client_statement *known) {
    if (!known->here) return;
    prepared_pg_give_up(known->here_set, known->here);
    known->here = NULL;
    pc->here_count--;
}

/* Not known any more; but an error may still name it. Without memory it will be named as the server does. */
void session_pg_names_lay_out(struct prepared_client *pc, struct bytes name, uint16_t number, struct statement_pg *st) {
    struct gone_statement *gone = mem_alloc(sizeof *gone + name.len);
    if (!gone) return;
    list_init(&gone->node);
    list_push_back(&pc->gone, &gone->node);
    gone->number = number;
    gone->statement = statement_pg_ref(st);
    gone->name_len = name.len;
    if (name.len) memcpy(gone->name, name.ptr, name.len);
}

/* It is or is no more; either way those who count the names begin anew. */
static void count_sql(struct prepared_client *pc, int change) {
    pc->sql_count += (uint32_t)change;
    pc->sql_version++;
}

static void lay_out(struct prepared_client *pc, struct bytes name, struct client_statement *known) {
    if (known->is_sql) count_sql(pc, -1);
    session_pg_names_lay_out(pc, name, known->number, known->statement);
    leave_here(pc, known);
    free_known(known);
}

void session_pg_names_bury(struct prepared_client *pc) {
    struct list *n;
    while ((n = list_take_first(&pc->gone))) {
        struct gone_statement *gone = CONTAINER_OF(n, struct gone_statement, node);
        statement_pg_unref(gone->statement);
        mem_free(gone);
    }
}

void session_pg_names_forget(struct prepared_client *pc, struct bytes name) {
    struct client_statement *known = map_take(&pc->named, name);
    if (!known) return;
    if (pc->changed == known->statement) pc->changed = NULL;
    lay_out(pc, name, known);
}

void session_pg_names_forget_all(struct prepared_client *pc) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&pc->named, &at, &name, &value)) lay_out(pc, name, value);
    map_release(&pc->named);
    map_init(&pc->named);
    pc->changed = NULL;
}

void session_pg_names_release(struct prepared_client *pc) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&pc->named, &at, &name, &value)) free_known(value);
    map_release(&pc->named);
    session_pg_names_bury(pc);
}

void session_pg_names_remember_here(struct prepared_client *pc, struct bytes name, uint16_t number, struct prepared_set_pg *set,
                                    struct prepared_pg *here, struct bytes original) {
    session_pg_names_remember(pc, name, number, here->statement, NULL);
    struct client_statement *known = map_get(&pc->named, name);
    if (!known) {
        prepared_pg_give_up(set, here);
        return;
    }
    if (!known->is_sql) count_sql(pc, 1);
    known->is_sql = true;
    mem_free(known->original);
    known->original = original.len ? mem_strdup((const char *)original.ptr, original.len) : NULL; /* without: in other words */
    known->here = here;
    known->here_set = set;
    pc->here_count++;
}

void session_pg_names_on_described(struct prepared_client *pc, struct client_statement *known, uint64_t description) {
    statement_pg_unref(known->statement);
    known->statement = statement_pg_ref(known->here->statement); /* now with its types */
    known->description = description;
    known->is_described = true;
    known->here = NULL;
    pc->here_count--;
}

void session_pg_names_remember(struct prepared_client *pc, struct bytes name, uint16_t number, struct statement_pg *st,
                               const uint64_t *description) {
    struct client_statement *known = mem_alloc(sizeof *known);
    struct client_statement *old = session_pg_names_get(pc, name);
    bool is_sql = old && old->is_sql; /* the same, prepared once more */
    char *original = old ? old->original : NULL;
    uint64_t age = old ? old->age : ++pc->last_age;
    if (old) old->original = NULL;
    session_pg_names_forget(pc, name);
    if (!known) {
        mem_free(original);
        return;
    }
    known->original = original;
    known->age = age;
    known->statement = statement_pg_ref(st);
    known->number = number;
    known->is_described = description != NULL;
    known->description = description ? *description : 0;
    known->is_sql = is_sql;
    if (is_sql) count_sql(pc, 1);
    if (map_put(&pc->named, name, known)) return;
    if (is_sql) count_sql(pc, -1);
    free_known(known);
}

void session_pg_names_each(const struct session_pg *ps, void (*each)(void *ctx, const struct statement_pg *st), void *ctx) {
    struct bytes name;
    void *value;
    size_t at = 0;
    while (map_next(&ps->prepared.named, &at, &name, &value)) each(ctx, ((const struct client_statement *)value)->statement);
}

/* ---- statements ---- */

/*
 * False when no setting can change what the text means: DateStyle, TimeZone and the like
 * speak through string constants, encodings through bytes beyond ASCII. Most statements
 * that take parameters have neither.
 */
bool session_pg_names_depends_on_settings(struct bytes source) {
    for (size_t i = 0; i < source.len && source.ptr[i]; i++) {
        uint8_t c = source.ptr[i];
        if (c == '\'' || c > 127 || (c == '$' && !isdigit(source.ptr[i + 1]))) return true; /* the text ends with a NUL */
    }
    return false;
}

struct statement_pg *session_pg_names_intern_under(struct session *s, struct bytes source, const struct params_pg *params) {
    struct map *home = &session_pool(s)->set->statements;
    struct settings_pg settings = {.digest = params->analysis_digest};
    struct statement_pg *st = NULL;
    struct writer w;
    if (!session_pg_names_depends_on_settings(source)) return statement_pg_intern(home, source, NULL);
    writer_init(&w, PARAMS_PG_ANALYSIS_MAX);
    params_pg_put_analysis(params, &w);
    settings.values = writer_bytes(&w);
    if (!w.failed) st = statement_pg_intern(home, source, &settings);
    writer_release(&w);
    return st;
}

struct statement_pg *session_pg_names_intern(struct session *s, struct backend *b, struct bytes source) {
    return session_pg_names_intern_under(s, source, session_pg_settings_in_force(s, b));
}

struct statement_pg *session_pg_names_intern_typed(struct session *s, const struct statement_pg *st, struct bytes types) {
    struct bytes text = bytes_of(st->source.ptr, strlen((const char *)st->source.ptr) + 1);
    struct bytes own_types = bytes_of(text.ptr + text.len, st->source.len - text.len);
    struct statement_pg *typed = NULL;
    struct writer w;
    if (bytes_equal(types, own_types)) return statement_pg_ref((struct statement_pg *)st);
    writer_init(&w, text.len + types.len);
    writer_put(&w, text);
    writer_put(&w, types);
    if (!w.failed) typed = statement_pg_intern(&session_pool(s)->set->statements, writer_bytes(&w), &st->settings);
    writer_release(&w);
    return typed;
}

/* ---- the unnamed statement, under the empty name ---- */

bool session_pg_names_know_unnamed(struct session *s, struct bytes source, const struct settings_pg *settings,
                                   const uint64_t *description) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct bytes name = bytes_of("", 0);
    if (map_get(&pc->named, name)) return true;
    if (!session_pg_names_depends_on_settings(source)) settings = NULL;
    struct statement_pg *st = statement_pg_intern(&session_pool(s)->set->statements, source, settings);
    if (!st) return false;
    session_pg_names_remember(pc, name, 0, st, description);
    statement_pg_unref(st);
    return map_get(&pc->named, name) != NULL;
}

void session_pg_names_forget_unnamed(struct session_pg *ps) {
    if (ps->prepared.named.count) session_pg_names_forget(&ps->prepared, bytes_of("", 0));
}

/* ---- from worker to worker ---- */

/* Every name's statement for another copy of it; a name that gets none is forgotten. */
static void exchange_all(struct session *s, struct statement_pg *(*exchange)(struct session *s, struct statement_pg *st)) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct map old = pc->named;
    struct bytes name;
    void *value;
    size_t at = 0;
    INVARIANT(list_is_empty(&pc->ops));
    if (!old.count) return;
    map_init(&pc->named);
    pc->changed = NULL;
    while (map_next(&old, &at, &name, &value)) {
        struct client_statement *known = value;
        struct statement_pg *st = exchange(s, known->statement);
        statement_pg_unref(known->statement);
        known->statement = st;
        if (st && map_put(&pc->named, name, known)) continue;
        if (known->is_sql) count_sql(pc, -1);
        free_known(known);
    }
    map_release(&old);
}

static struct statement_pg *copy_of(struct session *s, struct statement_pg *st) {
    (void)s;
    return statement_pg_copy(st);
}

static struct statement_pg *interned(struct session *s, struct statement_pg *st) {
    return statement_pg_intern(&s->env->pools->statements, st->source, &st->settings);
}

void session_pg_names_pack(struct session *s) {
    session_pg_names_bury(&session_pg_of(s)->prepared);
    exchange_all(s, copy_of);
}

void session_pg_names_unpack(struct session *s) {
    exchange_all(s, interned);
}
