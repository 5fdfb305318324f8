/*
 * A client's settings, on whichever server connection it gets.
 *
 * What the server reports (ParameterStatus) is known: what a client has set of it is
 * kept, and put in force again on its next connection, in the same send as its first
 * message. A client that has set nothing gets what the connection started with, or what its startup parameters say.
 * application_name follows the client always; with application_name_add_host the server
 * gets it with the client's address behind it, and the client never hears of that but by
 * SHOW. Settings that are not reported: session_pg_state.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "parser/dialect_words.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"

/* ---- application_name, as the client and as the server know it ---- */

#define NAMELESS "app" /* PgBouncer's word for who gives no name */

static const char *own_name(const struct session_pg *ps) {
    return ps->app_name ? ps->app_name : "";
}

/* " - host:port", or "" where the database does not ask for it. */
static size_t put_suffix(const struct session *s, char out[SESSION_PG_APP_NAME_MAX + 1]) {
    char peer[64];
    const struct pool *p = session_pool(s);
    out[0] = '\0';
    if (!p || !p->limits.app_name_add_host) return 0;
    snprintf(out, SESSION_PG_APP_NAME_MAX + 1, " - %.48s", session_peer_text(s, peer));
    return strlen(out);
}

/* The name gives way to the address: the server would cut the end. */
static RARELY const char *name_with_suffix(struct session *s, char out[SESSION_PG_APP_NAME_MAX + 1]) {
    char suffix[SESSION_PG_APP_NAME_MAX + 1];
    const char *own = own_name(session_pg_of(s));
    size_t len = put_suffix(s, suffix);
    if (!len) return own;
    if (!*own) own = NAMELESS;
    size_t kept = strnlen(own, SESSION_PG_APP_NAME_MAX - len);
    memcpy(out, own, kept);
    memcpy(out + kept, suffix, len + 1);
    return out;
}

static const char *name_on_server(struct session *s, char out[SESSION_PG_APP_NAME_MAX + 1]) {
    const struct pool *p = session_pool(s);
    return LIKELY(!p || !p->limits.app_name_add_host) ? own_name(session_pg_of(s)) : name_with_suffix(s, out);
}

static RARELY void set_name_with_suffix(struct session *s, struct backend *b) {
    char name[SESSION_PG_APP_NAME_MAX + 1];
    backend_pg_set_app_name(b, name_with_suffix(s, name));
}

/* What the client itself calls what the server has reported: an address that gilmok has put there is not its wish. */
static struct bytes without_suffix(const struct session *s, const char *reported) {
    char suffix[SESSION_PG_APP_NAME_MAX + 1];
    struct bytes name = bytes_str(reported);
    size_t len = put_suffix(s, suffix);
    if (!len || name.len < len || memcmp(name.ptr + name.len - len, suffix, len) != 0) return name;
    name.len -= len;
    return bytes_is(name, NAMELESS) ? bytes_str("") : name;
}

/* ---- telling the client ---- */

static void put_status(struct writer *w, const char *name, const char *value) {
    pg_put_parameter_status(w, bytes_str(name), bytes_str(value));
}

/* What a reset goes back to, as the client sees it: what the connection started with, and its own startup parameters. */
static const struct params_pg *home_on(const struct session_pg *ps, const struct backend_pg *bp) {
    return ps->startup ? &bp->home : &bp->start;
}

/* What the client should find on this connection: its own wishes, else what it would have started with. */
static const struct params_pg *wanted_on(const struct session_pg *ps, const struct backend_pg *bp) {
    return ps->wanted ? ps->wanted : home_on(ps, bp);
}

/* False: the connection has failed. */
static RARELY bool make_new_home(const struct session_pg *ps, struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    startup_pg_unref(bp->home_of);
    bp->home_of = startup_pg_ref(ps->startup);
    bp->home_start = bp->start.settable_digest;
    if (startup_pg_put_on(ps->startup, &bp->start, &bp->home)) return true;
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the settings of a client");
    backend_fail(b, &err);
    return false;
}

static bool make_home(const struct session_pg *ps, struct backend *b) {
    const struct backend_pg *bp = backend_pg_of(b);
    bool is_made = !ps->startup || (bp->home_of == ps->startup && bp->home_start == bp->start.settable_digest);
    return LIKELY(is_made) || make_new_home(ps, b);
}

/* The digest of everything reported, once the wanted settings are in force. */
static uint64_t digest_with(const struct params_pg *now, const struct params_pg *wanted) {
    return now->digest - now->settable_digest + wanted->settable_digest;
}

/* The client hears about every parameter when one is not what it last heard. */
static RARELY void tell_params(struct session *s, const struct params_pg *now, const struct params_pg *wanted) {
    struct writer w;
    writer_init(&w, PARAMS_PG_MAX * PG_STATUS_MAX);
    for (int i = 0; i < now->count; i++) {
        const char *name = now->items[i].name;
        const char *value = params_pg_is_settable(bytes_str(name)) ? params_pg_get(wanted, name) : NULL;
        if (!params_pg_follows_client(bytes_str(name))) put_status(&w, name, value ? value : now->items[i].value);
    }
    session_send(s, writer_bytes(&w));
    writer_release(&w);
}

static RARELY void tell_app_name(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    uint8_t storage[SESSION_PG_APP_NAME_MAX + 64];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    put_status(&w, "application_name", own_name(ps));
    session_send(s, writer_bytes(&w));
    ps->app_name_was_reset = ps->app_name_is_long = false;
}

/* ---- before a request ---- */

static RARELY void bring_in_line(struct backend *b, const struct params_pg *wanted) {
    struct backend_pg *bp = backend_pg_of(b);
    for (int i = 0; i < wanted->count; i++) {
        const char *name = wanted->items[i].name, *value = wanted->items[i].value;
        const char *now = params_pg_get(&bp->params, name);
        if (params_pg_is_settable(bytes_str(name)) && now && strcmp(now, value) != 0) backend_pg_set(b, name, value);
    }
    bp->analysis_to_be = wanted->analysis_digest;
}

void session_pg_settings_prepare(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    struct backend_pg *bp = backend_pg_of(b);
    ps->prepared.has_looked_ahead = ps->prepared.has_lent = false;
    if (b->ledger.txn != TXN_NONE || b->variant->is_single_use || !make_home(ps, b) || !session_pg_state_prepare(s, b)) return;
    const struct params_pg *wanted = wanted_on(ps, bp);
    uint64_t digest = digest_with(&bp->params, wanted);
    if (digest != bp->params.digest) bring_in_line(b, wanted);
    if (ps->params_digest != digest) tell_params(s, &bp->params, wanted);
    ps->params_digest = digest;
    if (LIKELY(!session_pool(s)->limits.app_name_add_host)) backend_pg_set_app_name(b, own_name(ps));
    else set_name_with_suffix(s, b);
    if (ps->app_name_was_reset || ps->app_name_is_long) tell_app_name(s);
}

/* ---- after a reply group ---- */

/* True when `now` is what a RESET leaves: the value that the connection itself started with. */
static bool is_reset_value(const struct backend_pg *bp, const char *now) {
    return bp->start.app_name && strcmp(now, bp->start.app_name) == 0;
}

static bool set_app_name(struct session_pg *ps, struct bytes name) {
    char *copy = mem_strdup((const char *)name.ptr, name.len);
    if (!copy) return false;
    mem_free(ps->app_name);
    ps->app_name = copy;
    return true;
}

/*
 * The client may have set its application_name by SQL. Where a RESET went back to the connection's own value, because nothing
 * could follow it (session_pg_reset.c), the client's is that of its login all the same. What is on the server until then stays
 * inside a transaction, until session_pg_settings_prepare() can put it right.
 */
static void follow_app_name(struct session *s, const struct backend_pg *bp) {
    struct session_pg *ps = session_pg_of(s);
    char name[SESSION_PG_APP_NAME_MAX + 1];
    const char *now = bp->params.app_name, *at_login = ps->login_app_name ? ps->login_app_name : "";
    if (!now || !bp->saw_app_name) return;
    struct bytes wish = without_suffix(s, now);
    ps->app_name_is_long = wish.len < strlen(now);
    if (strcmp(now, name_on_server(s, name)) == 0) return;
    ps->app_name_was_reset = (bp->saw_reset || ps->app_name_was_reset) && is_reset_value(bp, now) && strcmp(now, at_login) != 0;
    if (ps->app_name_was_reset) wish = bytes_str(at_login);
    (void)set_app_name(ps, wish);
}

static void forget_wishes(struct session_pg *ps) {
    if (!ps->wanted) return;
    params_pg_release(ps->wanted);
    mem_free(ps->wanted);
    ps->wanted = NULL;
}

/* A value that pg_put_literal() can say as it is. */
static bool can_be_said(const char *value) {
    for (; *value; value++)
        if (*value < 32 || *value > 126) return false;
    return true;
}

static bool can_be_set_again(const struct params_pg *wanted) {
    for (int i = 0; i < wanted->count; i++)
        if (params_pg_is_settable(bytes_str(wanted->items[i].name)) && !can_be_said(wanted->items[i].value)) return false;
    return true;
}

/* What the client has set would not be in force any more, and it would not know. */
static void end_without_settings(struct session *s) {
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the settings of the client");
    session_end(s, &err);
}

/* Outside of a transaction what is in force is the client's wish; inside it may still be undone. */
static void follow_settings(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    const struct backend_pg *bp = backend_pg_of(b);
    if (b->ledger.txn != TXN_NONE || bp->params.settable_digest == wanted_on(ps, bp)->settable_digest) return;
    s->pins &= (uint32_t)~PIN_SETTINGS;
    if (bp->params.settable_digest == home_on(ps, bp)->settable_digest) {
        forget_wishes(ps);
        return;
    }
    if (!ps->wanted) ps->wanted = mem_alloc(sizeof *ps->wanted);
    if (ps->wanted && params_pg_copy(ps->wanted, &bp->params)) {
        if (!can_be_set_again(ps->wanted)) s->pins |= PIN_SETTINGS;
        return;
    }
    end_without_settings(s);
}

void session_pg_settings_on_group_end(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    struct backend_pg *bp = backend_pg_of(b);
    ps->params_digest = bp->params.digest; /* its changes were part of what was passed on */
    follow_app_name(s, bp);
    follow_settings(s, b);
    bp->saw_reset = bp->saw_app_name = false;
}

/* ---- around a Parse ---- */

const struct params_pg *session_pg_settings_in_force(const struct session *s, const struct backend *b) {
    const struct backend_pg *bp = backend_pg_of((struct backend *)b);
    return bp->analysis_to_be ? wanted_on(session_pg_of((struct session *)s), bp) : &bp->params;
}

/* Without a connection: what it will find on the next one. NULL: that is not known. */
static const struct params_pg *expected(const struct session *s) {
    const struct session_pg *ps = (const struct session_pg *)s;
    if (ps->wanted) return ps->wanted;
    return ps->startup ? &ps->startup->reported : s->variant->baseline;
}

static RARELY const struct sql_options *make_options(struct session_pg *ps, const struct params_pg *params) {
    struct sql_options *o = &ps->left.options;
    *o = sql_options_default(SQL_POSTGRES);
    const char *version = params_pg_get(params, "server_version"), *encoding = params_pg_get(params, "client_encoding");
    const char *strings = params_pg_get(params, "standard_conforming_strings");
    uint32_t number = version ? sql_version_of(SQL_POSTGRES, bytes_str(version)) : 0;
    if (number) o->version = number;
    o->encoding = encoding ? sql_encoding_of(bytes_str(encoding)) : SQL_ENCODING_UNSAFE;
    if (strings && strcmp(strings, "off") == 0) o->modes &= ~(uint32_t)SQL_STANDARD_STRINGS;
    ps->left.options_digest = params->digest;
    return o;
}

const struct sql_options *session_pg_settings_options(struct session *s, const struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    const struct params_pg *params = b ? session_pg_settings_in_force(s, b) : expected(s);
    if (UNLIKELY(!params)) return NULL;
    bool is_made = ps->left.options_digest == params->digest && params->digest;
    return LIKELY(is_made) ? &ps->left.options : make_options(ps, params);
}

/* Until the end of the transaction: an error in between takes it back like everything else. */
static void put_set_config(struct writer *w, const char *name, const char *value) {
    writer_str(w, w->len ? "," : "SELECT ");
    writer_str(w, "pg_catalog.set_config(");
    pg_put_literal(w, bytes_str(name));
    writer_u8(w, ',');
    pg_put_literal(w, bytes_str(value));
    writer_str(w, ",true)");
}

/*
 * The session authorization cannot be put in force for a moment, and need not be: no type of the server's own reads its text
 * differently for different users, but for names that are looked up along the search path (regclass and its kin), where "$user" and
 * permissions count. Of a statement whose path has become another one the server reads the whole text again, with a Bind, and does
 * so under the present settings, constants included. So where nothing else differs, a Parse under the present authorization
 * gives what the server would give; where more differs, it depends on the path, which nobody here knows.
 */
bool session_pg_settings_around(const struct params_pg *in_force, struct bytes values, struct writer *there, struct writer *back) {
    const char *name, *value;
    bool is_other_user = false;
    while (params_pg_next_pair(&values, &name, &value)) {
        const char *now = params_pg_get(in_force, name);
        if (now && strcmp(now, value) == 0) continue;
        if (now && strcmp(name, "session_authorization") == 0) {
            is_other_user = true;
            continue;
        }
        if (!now || !params_pg_is_settable(bytes_str(name)) || !can_be_said(now) || !can_be_said(value)) return false;
        put_set_config(there, name, value);
        put_set_config(back, name, now);
    }
    return (there->len > 0) != is_other_user && !there->failed && !back->failed;
}

void session_pg_settings_release(struct session_pg *ps) {
    forget_wishes(ps);
}
