/*
 * A statement that drops, renames or copies a database: idle server connections of gilmok's own must not be in its way
 * (pool/vacate.h). In all pool modes; the statement itself goes on as it is, and the server waits for who is leaving.
 *
 * One that is prepared under a name is remembered for its Binds: the latest few of a client.
 */
#include "base/fault.h"
#include "base/map.h"
#include "proxy/session/session_pg.h"
#include "routing/database_pg.h"

enum { REMEMBERED = 8 };

struct vacating_pg {
    uint32_t next; /* the place of the next one */
    struct {
        uint64_t name; /* mark_of(); 0: none */
        char database[DATABASE_PG_NAME_MAX];
    } items[REMEMBERED];
};

static uint64_t mark_of(struct bytes name) {
    return map_hash(name) | 1;
}

static void ask(struct session *s, const char *database) {
    struct session_hub *hub = s->env->hub;
    vacate_ask(&hub->vacating, s->env->config, session_pool(s), database);
    vacate_run(&hub->vacating, s->env->config, &hub->shares, s->env->pools);
}

/* Without memory its Binds are not helped. */
static void remember(struct session_pg *ps, struct bytes name, const char *database) {
    if (!ps->vacating) ps->vacating = mem_alloc(sizeof *ps->vacating);
    struct vacating_pg *v = ps->vacating;
    if (!v) return;
    for (uint32_t i = 0; i < REMEMBERED; i++)
        if (v->items[i].name == mark_of(name)) v->items[i].name = 0;
    v->items[v->next].name = mark_of(name);
    memcpy(v->items[v->next].database, database, DATABASE_PG_NAME_MAX);
    v->next = (v->next + 1) % REMEMBERED;
}

void session_pg_vacate_on_text(struct session *s, const struct message *m) {
    struct bytes text = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), name = {0};
    char database[DATABASE_PG_NAME_MAX] = "";
    if (m->h.type == PG_F_PARSE) {
        const uint8_t *name_end = pg_parse_name_end(text);
        if (!name_end) return;
        name = bytes_of(text.ptr, (size_t)(name_end - text.ptr));
        text = bytes_of(name_end + 1, text.len - (size_t)(name_end + 1 - text.ptr));
    }
    if (LIKELY(!database_pg_may_start(text))) return;
    const uint8_t *end = memchr(text.ptr, 0, text.len);
    if (!end) return; /* not in hand as a whole */
    text.len = (size_t)(end - text.ptr);
    if (!database_pg_starts(text)) return;
    if (!database_pg_needs(text, session_pg_settings_options(s, s->lessee.backend), &s->env->arena, database)) return;
    if (name.len) remember(session_pg_of(s), name, database);
    ask(s, database);
}

void session_pg_vacate_on_bind(struct session *s, struct bytes statement) {
    const struct vacating_pg *v = session_pg_of(s)->vacating;
    for (uint32_t i = 0; i < REMEMBERED; i++)
        if (statement.len && v->items[i].name == mark_of(statement)) ask(s, v->items[i].database);
}

void session_pg_vacate_release(struct session_pg *ps) {
    mem_free(ps->vacating);
    ps->vacating = NULL;
}
