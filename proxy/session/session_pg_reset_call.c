/*
 * A call of set_config() whose value may be NULL, which resets: what is put around the value, so that it is the client's own
 * instead.
 *
 *      set_config('x', $1, false)      set_config('x', (coalesce() $1 (,CAST('own' AS text))) , false)
 *      set_config(f, $1, false)        ... (,CAST(CASE lower(f) WHEN 'x' THEN 'own' ... END AS text)))
 */
#include <ctype.h>
#include <strings.h>

#include "proxy/session/session_pg.h"
#include "proxy/wire/pg_encode.h"

struct closing {
    struct writer *w;
    const struct reset_call_pg *call;
    uint32_t values;
};

static void put_value_of(void *ctx, const char *name, const char *value) {
    struct closing *c = ctx;
    if (strcasecmp(c->call->setting, name) != 0 || c->values++) return;
    state_pg_put_value(c->w, value);
}

static void put_when(void *ctx, const char *name, const char *value) {
    struct closing *c = ctx;
    char lower[RESET_PG_NAME_MAX];
    size_t len = 0;
    for (; name[len] && len + 1 < sizeof lower; len++) lower[len] = (char)tolower((unsigned char)name[len]);
    lower[len] = 0;
    if (name[len]) return; /* none that a startup packet has is that long */
    c->values++;
    writer_str(c->w, " WHEN ");
    pg_put_literal(c->w, bytes_str(lower));
    writer_str(c->w, " THEN ");
    state_pg_put_value(c->w, value);
}

bool session_pg_reset_put_closing(struct session *s, struct bytes text, const struct reset_call_pg *call, struct writer *w) {
    struct closing c = {.w = w, .call = call};
    writer_str(w, ",CAST(");
    if (call->setting[0]) {
        session_pg_reset_each_own(s, put_value_of, &c);
    } else {
        writer_str(w, "CASE pg_catalog.lower(");
        writer_put(w, bytes_of(text.ptr + call->name, call->name_end - call->name));
        writer_u8(w, ')');
        session_pg_reset_each_own(s, put_when, &c);
        writer_str(w, " END");
    }
    writer_str(w, " AS pg_catalog.text))");
    return c.values > 0;
}

static bool ends_with(struct bytes text, struct bytes end) {
    return text.len >= end.len && memcmp(text.ptr + text.len - end.len, end.ptr, end.len) == 0;
}

bool session_pg_reset_calls_are_made(struct session *s, struct bytes text, const struct resets_pg *resets) {
    bool is_made = true;
    for (uint32_t i = 0; is_made && i < resets->call_count; i++) {
        const struct reset_call_pg *call = &resets->calls[i];
        struct bytes value = bytes_of(text.ptr + call->value, call->value_end - call->value);
        struct writer w;
        writer_init(&w, SESSION_PG_RESET_CLOSING_MAX(text));
        bool is_needed = session_pg_reset_put_closing(s, text, call, &w);
        bool has_own = bytes_starts_with(value, SESSION_PG_RESET_OPENS) && ends_with(value, writer_bytes(&w));
        is_made = !w.failed && (!is_needed || has_own);
        writer_release(&w);
    }
    return is_made;
}
