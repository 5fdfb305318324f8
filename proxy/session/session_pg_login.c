/*
 * A PostgreSQL client logs in: encryption requests, startup packet, proof, and the
 * greeting with the parameters of a real server connection.
 *
 *      FIRST -> (N) FIRST -> LOOKED_UP -> ...
 *                         -> SASL_INITIAL -> SASL_RESPONSE -> pool -> greeting
 *                         -> MD5                           ->
 *                         -> PASSWORD -> IN_LINE           ->
 *                                     -> ASKING            ->
 *                         (certificate, peer, trust)       ->
 *
 * Identity is bound once, by the startup packet; any other message in any state ends
 * the login. Unknown users run the same exchange against a mock verifier, so that
 * they cannot be told from wrong passwords; databases are looked up only after the
 * proof.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_move.h"
#include "proxy/session/session_pg_login.h"
#include "proxy/session/session_place.h"

enum {
    COMPLAIN_EVERY_MS = 1000,
    GREETING_USUAL = 640, /* bytes of a greeting from PostgreSQL 15 with room to spare: one allocation */
};

void session_pg_fail(struct session *s, const char *sqlstate, const char *fmt, ...) {
    struct err err = {0};
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    err_set(&err, sqlstate, "%s", message);
    session_end(s, &err);
}

void session_pg_complain(struct session_env *env, const char *user, const char *what, const struct err *err) {
    if (env->complained_us && env->loop->now_us - env->complained_us < COMPLAIN_EVERY_MS * 1000) return;
    env->complained_us = env->loop->now_us;
    log_line(LOG_WARN, "session", NULL, "\"%s\" %s: %s", user, what, err->message);
}

void session_pg_login_begin(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    session_pg_prepared_init(ps);
    struct session_pg_login *login = ps->login = mem_alloc_raw(sizeof *login);
    if (!login) {
        session_close(s, "out of memory");
        return;
    }
    login->step = LOGIN_FIRST;
    login->saw_ssl = login->saw_gssenc = login->is_mock = login->is_replication = login->is_physical = login->has_long_key = false;
    login->cancel = NULL;
    login->client = s;
    login->password = NULL;
    login->is_looked_up = login->has_found = login->is_asked = false;
    login->question = NULL;
    login->refusal.impl = NULL;
    password_turn_init(&login->turn, session_pg_password_check);
    secret_wait_init(&login->lookup, s, session_pg_lookup_on_known);
    scram_server_init(&login->scram);
    login->keys.is_set = false;
    writer_init(&login->params, VARIANT_KEY_MAX);
}

void session_pg_login_release(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    if (!ps->login) return;
    session_pg_cancel_detach(ps->login->cancel);
    writer_release(&ps->login->params);
    scram_server_wipe(&ps->login->scram);
    secret_wipe(&ps->login->keys, sizeof ps->login->keys);
    session_pg_password_release(ps->login);
    session_pg_external_release(s);
    secret_wait_release(&ps->login->lookup);
    secret_wipe(&ps->login->found, sizeof ps->login->found);
    mem_free(ps->login);
    ps->login = NULL;
}

/* ---- after the proof ---- */

/* Tools that know PgBouncer ask for `pgbouncer`; a database that really has that name comes first. */
bool session_pg_is_console_name(const struct session *s) {
    if (!s->env->console) return false;
    if (strcmp(s->database, "gilmok") == 0) return true;
    if (strcmp(s->database, "pgbouncer") != 0) return false;
    const struct config_database *db = config_find_database(s->env->config, bytes_str(s->database));
    return !db || db->is_wildcard;
}

static bool is_console_user(const struct session *s) {
    struct bytes user = bytes_str(s->user);
    return config_name_in_list(s->env->config->admin_users, user) || config_name_in_list(s->env->config->stats_users, user);
}

static void put_greeting(struct session *s, struct writer *w, const struct params_pg *params) {
    struct session_pg *ps = session_pg_of(s);
    uint8_t key[CANCEL_KEY_LONG];
    pg_put_auth(w, PG_AUTH_OK, bytes_of(NULL, 0));
    for (int i = 0; params && i < params->count; i++) {
        bool is_app_name = strcmp(params->items[i].name, "application_name") == 0;
        const char *value = is_app_name ? (ps->app_name ? ps->app_name : "") : params->items[i].value;
        pg_put_parameter_status(w, bytes_str(params->items[i].name), bytes_str(value));
    }
    pg_put_key_data(w, ps->pid, bytes_of(key, cancel_key_write(&ps->cancel_key, key)));
    pg_put_ready(w, PG_TXN_IDLE);
}

/* Process id and key, by which the client will ask for cancels. */
static bool make_identity(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    const struct backend *b = s->lessee.backend;
    bool has_server = s->pins & PIN_MODE && b;
    ps->pid = has_server ? b->server_id : (uint32_t)s->id & 0x7fffffff;
    ps->cancel_key.is_long = ps->login->has_long_key;
    ps->cancel_key.instance = (uint16_t)s->env->config->instance;
    ps->cancel_key.worker = (uint8_t)s->env->worker;
    ps->cancel_key.session = s->id;
    return clock_random(s->env->loop->clock, ps->cancel_key.secret, sizeof ps->cancel_key.secret);
}

static void greet(struct session *s, const struct params_pg *params) {
    struct session_pg *ps = session_pg_of(s);
    char label[192];
    struct writer w;
    if (!make_identity(s)) {
        session_pg_fail(s, ERR_INTERNAL, "no random numbers");
        return;
    }
    writer_init(&w, PARAMS_PG_MAX * PG_STATUS_MAX);
    (void)writer_reserve(&w, GREETING_USUAL);
    put_greeting(s, &w, params);
    if (w.failed) {
        writer_release(&w);
        session_close(s, "out of memory");
        return;
    }
    session_send(s, writer_bytes(&w));
    writer_release(&w);
    ps->params_digest = params ? params->digest : 0;
    session_pg_login_release(s);
    session_set_state(s, SESSION_IDLE);
    if (s->is_console) atomic_fetch_add_explicit(&s->env->hub->console_count, 1, memory_order_relaxed);
    else session_pool(s)->stats.logins++;
    if (log_is_on(LOG_DEBUG, "session")) log_line(LOG_DEBUG, "session", session_label(s, label), "logged in");
}

/* The console has no server behind it; these are what drivers look for. */
static void greet_console(struct session *s) {
    static const char *const values[][2] = {
        {"server_version", "15.0 (gilmok " GILMOK_VERSION ")"}, {"server_encoding", "UTF8"}, {"client_encoding", "UTF8"},
        {"DateStyle", "ISO, MDY"}, {"standard_conforming_strings", "on"}, {"integer_datetimes", "on"}, {"TimeZone", "UTC"},
    };
    struct params_pg params = {0};
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ok = ok && params_pg_set(&params, bytes_str(values[i][0]), bytes_str(values[i][1]));
    s->is_console = true;
    if (ok) greet(s, &params);
    else session_close(s, "out of memory");
    params_pg_release(&params);
}

/* ---- to the pool ---- */

/* Which worker's share of the pool takes it. */
static bool find_place(struct session *s, struct err *err) {
    struct session_env *env = s->env;
    const struct config_database *db = session_find_place(s, PROTO_POSTGRESQL, err);
    if (!db) return false;
    const struct scram_keys *keys = &session_pg_of(s)->login->keys;
    bool is_all_there_is = !db->server_user && !user_store_server_secret(user_store_find(env->users, bytes_str(s->user)));
    if (keys->is_set && is_all_there_is) share_book_learn(&env->hub->shares, s->group, db->cluster->name, keys);
    return true;
}

/* `key`: its startup parameters. */
static bool join_pool(struct session *s, struct bytes key, struct err *err) {
    const struct config *c = s->env->config;
    struct bytes user = bytes_str(s->user), database = bytes_str(s->database);
    const struct config_database *db = config_find_database(c, database);
    if (!db) return err_set(err, ERR_NO_SUCH_DATABASE, "database \"%s\" does not exist", s->database);
    const char *password = user_store_server_secret(user_store_find(s->env->users, user));
    struct pool *p = pool_get(s->env->pools, &backend_pg_proto, c, db, database, user, password, s->group, s->share, err);
    struct variant *v = p ? session_pg_startup_variant(s, p, key, err) : NULL;
    if (!v) return false;
    if (!db->server_user && !p->server.password) share_book_keys(&s->env->hub->shares, s->group, db->cluster->name,
                                                                 &p->server.scram_keys);
    if (p->reads || p->subscribers) pool_share_keys(p);
    if (session_pg_of(s)->login) v->is_single_use = session_pg_of(s)->login->is_replication;
    session_join(s, v);
    return true;
}

/* On the worker where it belongs: a client that is still to be greeted. */
void session_pg_begin_service(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    struct err err = {0};
    if (!join_pool(s, writer_bytes(&ps->login->params), &err)) {
        session_end(s, &err);
    } else if (ps->startup || (s->variant->baseline && !s->variant->is_judging && !(s->pins & PIN_MODE))) {
        greet(s, ps->startup ? &ps->startup->reported : s->variant->baseline);
        session_resume_input(s);
    } else if (pool_acquire(s->variant, &s->lessee)) {
        session_pg_login_leased(s, s->lessee.backend);
    }
}

void session_pg_on_arrived(struct session *s, struct bytes key) {
    struct err err = {0};
    session_pg_names_unpack(s);
    if (s->state == SESSION_LOGIN_WAITING) session_pg_begin_service(s);
    else if (!join_pool(s, key, &err)) session_end(s, &err);
    else session_resume_input(s);
}

void session_pg_login_proven(struct session *s) {
    struct err err = {0};
    session_pg_of(s)->login->step = LOGIN_PROVEN;
    if (session_pg_is_console_name(s)) {
        if (session_pg_of(s)->login->is_replication) session_pg_fail(s, ERR_FEATURE_NOT_SUPPORTED,
                                                                     "the console has no replication");
        else if (is_console_user(s)) greet_console(s);
        else session_pg_fail(s, ERR_INSUFFICIENT_PRIVILEGE, "user \"%s\" is in neither admin_users nor stats_users", s->user);
    } else if (!find_place(s, &err)) {
        session_end(s, &err);
    } else {
        session_set_state(s, SESSION_LOGIN_WAITING);
        if (s->group->shares[s->share].worker == s->env->worker) session_pg_begin_service(s);
        else session_move_soon(s, s->share);
    }
}

/*
 * A server connection is here: what it says at login is what the client hears. A client in
 * session mode keeps it from now on; any other gives it back.
 */
void session_pg_login_leased(struct session *s, struct backend *b) {
    if (s->pins & PIN_MODE || !session_pg_startup_ask(s, b)) session_pg_greet_leased(s, b);
}

void session_pg_greet_leased(struct session *s, struct backend *b) {
    greet(s, &backend_pg_of(b)->params);
    if (s->state != SESSION_IDLE) return;
    if (s->pins & PIN_MODE) {
        s->proto->prepare(s, b);
        if (s->state == SESSION_IDLE) session_hold(s);
    } else {
        session_release_lease(s);
    }
    session_resume_input(s);
}

/* ---- what the client sends ---- */

size_t session_pg_login_received(struct session *s, struct bytes data) {
    size_t used = 0;
    while (s->state == SESSION_LOGIN && used < data.len) {
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        enum login_step step = session_pg_of(s)->login->step;
        if (step == LOGIN_IN_LINE || step == LOGIN_LOOKED_UP || step == LOGIN_ASKING) break;
        size_t n = step == LOGIN_FIRST ? session_pg_first_received(s, rest) : session_pg_auth_received(s, rest);
        if (n == 0) break;
        used += n;
    }
    return s->state == SESSION_CLOSED ? data.len : used;
}
