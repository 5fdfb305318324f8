/*
 * A statement that drops, renames or copies a database: idle server connections of gilmok's own must not be in its way
 * (pool/vacate.h). In all pool modes; the statement itself goes on as it is, and the server waits for who is leaving.
 */
#include "proxy/session/session_pg.h"
#include "routing/database_pg.h"

void session_pg_vacate_on_text(struct session *s, const struct message *m) {
    struct session_hub *hub = s->env->hub;
    struct bytes text = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    char database[DATABASE_PG_NAME_MAX];
    if (m->h.type == PG_F_PARSE) {
        const uint8_t *name_end = text.len ? memchr(text.ptr, 0, text.len) : NULL;
        if (!name_end) return;
        text = bytes_of(name_end + 1, text.len - (size_t)(name_end + 1 - text.ptr));
    }
    if (LIKELY(!database_pg_may_start(text))) return;
    const uint8_t *end = memchr(text.ptr, 0, text.len);
    if (!end) return; /* not in hand as a whole */
    text.len = (size_t)(end - text.ptr);
    if (!database_pg_starts(text)) return;
    if (!database_pg_needs(text, session_pg_settings_options(s, s->lessee.backend), &s->env->arena, database)) return;
    vacate_ask(&hub->vacating, s->env->config, session_pool(s), database);
    vacate_run(&hub->vacating, s->env->config, &hub->shares, s->env->pools);
}
