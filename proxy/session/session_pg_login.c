/*
 * A PostgreSQL client logs in: encryption requests, startup packet, SCRAM, and the
 * greeting with the parameters of a real server connection.
 *
 *      FIRST -> (N) FIRST -> SASL_INITIAL -> SASL_RESPONSE -> pool -> greeting
 *
 * Identity is bound once, by the startup packet; any other message in any state ends
 * the login. Unknown users run the same exchange against a mock verifier, so that
 * they cannot be told from wrong passwords; databases are looked up only after the
 * proof.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/net/tls.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_move.h"
#include "proxy/session/session_pg.h"

enum { GREETING_USUAL = 640 }; /* bytes of a greeting from PostgreSQL 15 with room to spare: one allocation */

enum login_step { LOGIN_FIRST, LOGIN_SASL_INITIAL, LOGIN_SASL_RESPONSE, LOGIN_PROVEN };

struct session_pg_login {
    enum login_step step;
    bool saw_ssl;
    bool saw_gssenc;
    bool is_mock;        /* the user does not exist */
    bool is_replication; /* a connection of its own, for the replication protocol */
    bool has_long_key;   /* it speaks protocol 3.2 */
    struct cancel_wait *cancel; /* this connection brought a CancelRequest that is under way */
    struct scram_server scram;
    struct writer params; /* "name\0value\0"..., sorted: the variant's key */
};

PRINTF_LIKE(3, 4) static void fail(struct session *s, const char *sqlstate, const char *fmt, ...) {
    struct err err = {0};
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    err_set(&err, sqlstate, "%s", message);
    session_end(s, &err);
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
    login->saw_ssl = login->saw_gssenc = login->is_mock = login->is_replication = login->has_long_key = false;
    login->cancel = NULL;
    scram_server_init(&login->scram);
    writer_init(&login->params, VARIANT_KEY_MAX);
}

void session_pg_login_release(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    if (!ps->login) return;
    session_pg_cancel_detach(ps->login->cancel);
    writer_release(&ps->login->params);
    scram_server_wipe(&ps->login->scram);
    mem_free(ps->login);
    ps->login = NULL;
}

/* ---- startup parameters ---- */

/*
 * Parameters that do not make a server connection different. A replication connection
 * is one client's alone: there application_name (which synchronous_standby_names goes
 * by) is given at startup like the rest, since such connections take no SET.
 */
static bool is_not_in_key(struct bytes name, bool is_replication) {
    if (bytes_is(name, "application_name") || bytes_is(name, "replication")) return !is_replication;
    return bytes_is(name, "user") || bytes_is(name, "database") || bytes_starts_with(name, "_pq_.");
}

/* As the server reads it: "database" or a boolean that is true. */
static bool asks_for_replication(struct bytes value) {
    static const char *const no[] = {"", "false", "off", "no", "0", "f", "n"};
    for (size_t i = 0; i < COUNT_OF(no); i++)
        if (bytes_is(value, no[i])) return false;
    return true;
}

static int compare_names(const struct pg_param *a, const struct pg_param *b) {
    size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order = memcmp(a->name.ptr, b->name.ptr, len);
    return order ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

/* Insertion sort, stable: of repeated names the last one still counts on the server. */
static void sort_params(struct pg_first *f) {
    for (int i = 1; i < f->param_count; i++)
        for (int k = i; k > 0 && compare_names(&f->params[k - 1], &f->params[k]) > 0; k--) {
            struct pg_param swap = f->params[k];
            f->params[k] = f->params[k - 1];
            f->params[k - 1] = swap;
        }
}

static bool keep_params(struct session *s, struct pg_first *f) {
    struct session_pg_login *login = session_pg_of(s)->login;
    sort_params(f);
    for (int i = 0; i < f->param_count; i++) {
        if (is_not_in_key(f->params[i].name, login->is_replication)) continue;
        writer_cstr(&login->params, f->params[i].name);
        writer_cstr(&login->params, f->params[i].value);
    }
    return !login->params.failed;
}

/* As the server does it: at most 63 bytes, everything but printable ASCII becomes a question mark. */
static bool keep_app_name(struct session_pg *ps, struct bytes value) {
    size_t len = value.len < SESSION_PG_APP_NAME_MAX ? value.len : SESSION_PG_APP_NAME_MAX;
    if (len == 0) return true;
    ps->app_name = mem_strdup((const char *)value.ptr, len);
    if (!ps->app_name) return false;
    for (char *c = ps->app_name; *c; c++)
        if (*c < 32 || *c > 126) *c = '?';
    return true;
}

static bool is_sane_name(struct bytes name) {
    if (name.len == 0 || name.len > USER_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < 32 || name.ptr[i] == 127) return false;
    return true;
}

static bool bind_identity(struct session *s, const struct pg_first *f) {
    struct bytes user = pg_first_param(f, "user");
    struct bytes database = pg_first_param(f, "database");
    if (database.len == 0) database = user;
    session_pg_of(s)->login->is_replication = asks_for_replication(pg_first_param(f, "replication"));
    if (!user.len) {
        fail(s, ERR_INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet");
    } else if (!is_sane_name(user) || !is_sane_name(database)) {
        fail(s, ERR_INVALID_AUTHORIZATION, "user and database names must be 1 to 63 bytes without control characters");
    } else {
        s->user = mem_strdup((const char *)user.ptr, user.len);
        s->database = mem_strdup((const char *)database.ptr, database.len);
        if (s->user && s->database && keep_app_name(session_pg_of(s), pg_first_param(f, "application_name"))) return true;
        fail(s, ERR_OUT_OF_MEMORY, "out of memory");
    }
    return false;
}

/* ---- SCRAM ---- */

static void finish_identity(struct session *s);

static void ask_for_scram(struct session *s) {
    uint8_t storage[64];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_auth_sasl(&w, SCRAM_MECHANISM);
    session_send(s, writer_bytes(&w));
    session_pg_of(s)->login->step = LOGIN_SASL_INITIAL;
}

static void send_auth(struct session *s, uint32_t code, const struct writer *message) {
    uint8_t storage[SCRAM_MESSAGE_MAX + 16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_auth(&w, code, writer_bytes(message));
    session_send(s, writer_bytes(&w));
}

static void take_sasl_initial(struct session *s, struct bytes body) {
    struct session_pg_login *login = session_pg_of(s)->login;
    struct bytes mechanism, response, user = bytes_str(s->user);
    struct scram_verifier verifier;
    uint8_t nonce[SCRAM_NONCE_RAW], storage[SCRAM_MESSAGE_MAX];
    struct writer out;
    struct err err = {0};
    writer_init_fixed(&out, storage, sizeof storage);
    if (!pg_sasl_initial_read(body, &mechanism, &response) || !response.ptr || !bytes_is(mechanism, SCRAM_MECHANISM)) {
        session_pg_violation(s, "malformed SASL message");
        return;
    }
    struct user_secret *secret = user_store_find(s->env->users, user);
    if (!user_store_verifier(s->env->users, user, secret, &verifier, &login->is_mock) ||
        !clock_random(s->env->loop->clock, nonce, sizeof nonce)) {
        fail(s, ERR_INTERNAL, "authentication is not available");
        return;
    }
    if (scram_server_first(&login->scram, &verifier, response, nonce, &out, &err) != SCRAM_OK) {
        session_end(s, &err);
        return;
    }
    send_auth(s, PG_AUTH_SASL_CONTINUE, &out);
    login->step = LOGIN_SASL_RESPONSE;
}

static void take_sasl_response(struct session *s, struct bytes body) {
    struct session_pg_login *login = session_pg_of(s)->login;
    uint8_t storage[SCRAM_MESSAGE_MAX];
    struct writer out;
    struct err err = {0};
    writer_init_fixed(&out, storage, sizeof storage);
    enum scram_result result = scram_server_final(&login->scram, body, &out, &err);
    if (result == SCRAM_MALFORMED) {
        session_end(s, &err);
    } else if (result != SCRAM_OK || login->is_mock) {
        fail(s, ERR_INVALID_PASSWORD, "password authentication failed for user \"%s\"", s->user);
    } else {
        send_auth(s, PG_AUTH_SASL_FINAL, &out);
        finish_identity(s);
    }
}

/* ---- after the proof ---- */

/* Tools that know PgBouncer ask for `pgbouncer`; a database that really has that name comes first. */
static bool is_console_name(const struct session *s) {
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
    ps->pid = has_server ? backend_pg_of((struct backend *)b)->pid : (uint32_t)s->id & 0x7fffffff;
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
        fail(s, ERR_INTERNAL, "no random numbers");
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
    const struct config_database *db = config_find_database(env->config, bytes_str(s->database));
    if (!db) return err_set(err, ERR_NO_SUCH_DATABASE, "database \"%s\" does not exist", s->database);
    if (gate_book_of(&env->hub->gates, bytes_str(s->database)) & GATE_DISABLED)
        return err_set(err, ERR_CANNOT_CONNECT, "database \"%s\" is disabled", s->database);
    return share_book_enter(&env->hub->shares, env->config, db, bytes_str(s->database), bytes_str(s->user), env->worker, &s->group,
                            &s->share, err);
}

/* `key`: its startup parameters. */
static bool join_pool(struct session *s, struct bytes key, struct err *err) {
    const struct config *c = s->env->config;
    struct bytes user = bytes_str(s->user), database = bytes_str(s->database);
    const struct config_database *db = config_find_database(c, database);
    if (!db) return err_set(err, ERR_NO_SUCH_DATABASE, "database \"%s\" does not exist", s->database);
    const struct user_secret *secret = user_store_find(s->env->users, user);
    const char *password = secret ? secret->password : NULL;
    struct pool *p = pool_get(s->env->pools, &backend_pg_proto, c, db, database, user, password, s->group, s->share, err);
    struct variant *v = p ? variant_get(p, key, err) : NULL;
    if (!v) return false;
    if (session_pg_of(s)->login) v->is_single_use = session_pg_of(s)->login->is_replication;
    session_join(s, v);
    return true;
}

/* On the worker where it belongs: a client that is still to be greeted. */
static void begin_service(struct session *s) {
    struct err err = {0};
    if (!join_pool(s, writer_bytes(&session_pg_of(s)->login->params), &err)) {
        session_end(s, &err);
    } else if (s->variant->baseline && !(s->pins & PIN_MODE)) {
        greet(s, s->variant->baseline);
        session_resume_input(s);
    } else if (pool_acquire(s->variant, &s->lessee)) {
        session_pg_login_leased(s, s->lessee.backend);
    }
}

void session_pg_on_arrived(struct session *s, struct bytes key) {
    struct err err = {0};
    session_pg_prepared_unpack(s);
    if (s->state == SESSION_LOGIN_WAITING) begin_service(s);
    else if (!join_pool(s, key, &err)) session_end(s, &err);
    else session_resume_input(s);
}

static void finish_identity(struct session *s) {
    struct err err = {0};
    session_pg_of(s)->login->step = LOGIN_PROVEN;
    if (s->env->console && is_console_name(s)) {
        if (is_console_user(s)) greet_console(s);
        else fail(s, ERR_INSUFFICIENT_PRIVILEGE, "user \"%s\" is in neither admin_users nor stats_users", s->user);
    } else if (!find_place(s, &err)) {
        session_end(s, &err);
    } else {
        session_set_state(s, SESSION_LOGIN_WAITING);
        if (s->group->shares[s->share].worker == s->env->worker) begin_service(s);
        else session_move_soon(s, s->share);
    }
}

/*
 * A server connection is here: what it says at login is what the client hears. A client in
 * session mode keeps it from now on; any other gives it back.
 */
void session_pg_login_leased(struct session *s, struct backend *b) {
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

/* ---- first packets ---- */

enum { TLS_FIRST_BYTE = 0x16 }; /* a handshake record, where a packet's length would begin: no packet is that long */

/*
 * TLS begins here; what the stream hands over afterwards is what came inside it. Bytes
 * that came in clear behind the request are refused by stream_start_tls.
 */
static bool start_tls(struct session *s, size_t unused, bool is_direct) {
    struct tls_start how = {.unused = unused, .is_direct = is_direct};
    struct err err = {0};
    char label[192];
    if (stream_start_tls(s->stream, s->env->tls, &how, &err)) return true;
    log_line(LOG_INFO, "session", session_label(s, label), "no TLS: %s", err.message);
    session_close(s, "no TLS");
    return false;
}

static void answer_no(struct session *s, bool *was_asked, const char *name) {
    if (*was_asked) {
        fail(s, ERR_PROTOCOL_VIOLATION, "repeated %s request", name);
        return;
    }
    *was_asked = true;
    session_send(s, bytes_str("N"));
}

static bool is_in_clear(const struct session *s) {
    return !stream_has_tls(s->stream);
}

static void answer_ssl_request(struct session *s, bool *was_asked) {
    if (!s->env->tls || !is_in_clear(s)) {
        answer_no(s, was_asked, "SSL");
    } else if (*was_asked) {
        fail(s, ERR_PROTOCOL_VIOLATION, "repeated SSL request");
    } else {
        *was_asked = true;
        session_send(s, bytes_str("S"));
        (void)start_tls(s, 0, false);
    }
}

static void take_direct_tls(struct session *s, struct bytes data) {
    struct session_pg_login *login = session_pg_of(s)->login;
    if (!s->env->tls || login->saw_ssl || login->saw_gssenc) session_close(s, "TLS where none is offered");
    else if (start_tls(s, data.len, true)) login->saw_ssl = true;
}

/* As the server does: the newest version that both speak, and every option refused. No word when nothing was refused. */
static void negotiate(struct session *s, const struct pg_first *f) {
    struct writer w;
    bool has_options = false;
    uint32_t agreed = f->version < PG_VERSION_LATEST ? f->version : PG_VERSION_LATEST;
    session_pg_of(s)->login->has_long_key = agreed >= PG_VERSION_3_2;
    for (int i = 0; i < f->param_count; i++) has_options |= bytes_starts_with(f->params[i].name, "_pq_.");
    if (f->version == agreed && !has_options) return;
    writer_init(&w, PG_STARTUP_MAX + 64);
    pg_put_negotiate(&w, agreed, f);
    session_send(s, writer_bytes(&w));
    writer_release(&w);
}

static void take_startup(struct session *s, struct pg_first *f) {
    if (!bind_identity(s, f)) return;
    if (s->env->config->client_tls == CLIENT_TLS_REQUIRE && is_in_clear(s) && s->peer.family != AF_UNIX) {
        fail(s, ERR_INVALID_AUTHORIZATION, "this server accepts connections with TLS only (client_tls = require)");
        return;
    }
    if (atomic_load_explicit(&s->env->hub->session_count, memory_order_relaxed) >= s->env->config->max_client_conn) {
        fail(s, ERR_TOO_MANY_CONNECTIONS, "sorry, too many clients already (max_client_conn)");
        return;
    }
    negotiate(s, f);
    if (!keep_params(s, f)) {
        fail(s, ERR_LIMIT_EXCEEDED, "startup parameters are too long");
        return;
    }
    if (s->env->config->allow_trust) finish_identity(s);
    else ask_for_scram(s);
}

/* ---- cancel requests ---- */

static void take_cancel(struct session *s, const struct pg_first *f) {
    struct cancel_wait *wait = session_pg_cancel(s, f->cancel_pid, f->cancel_key);
    if (wait) session_pg_of(s)->login->cancel = wait;
    else session_close(s, "cancel request");
}

void session_pg_login_forget_cancel(struct session *s) {
    session_pg_of(s)->login->cancel = NULL;
}

static size_t take_first(struct session *s, struct bytes data) {
    struct session_pg_login *login = session_pg_of(s)->login;
    struct pg_first first, *f = &first;
    struct err err = {0};
    if (data.ptr[0] == TLS_FIRST_BYTE && is_in_clear(s)) {
        take_direct_tls(s, data);
        return 0;
    }
    switch (pg_first_read(data, f, &err)) {
    case PG_FRAME_NEED_MORE:
        return 0;
    case PG_FRAME_BAD:
        session_end(s, &err);
        return data.len;
    case PG_FRAME_OK:
        break;
    }
    bool has_more = data.len > f->total;
    if (has_more) { /* nobody may speak before the answer to a first packet is out */
        session_close(s, "bytes behind the first packet");
        return data.len;
    }
    switch (f->kind) {
    case PG_FIRST_SSL:
        answer_ssl_request(s, &login->saw_ssl);
        break;
    case PG_FIRST_GSSENC:
        answer_no(s, &login->saw_gssenc, "GSSENC");
        break;
    case PG_FIRST_CANCEL:
        take_cancel(s, f);
        break;
    case PG_FIRST_STARTUP:
        take_startup(s, f);
        break;
    }
    return data.len;
}

/* ---- later packets ---- */

static size_t take_auth_message(struct session *s, struct bytes data) {
    struct pg_header h;
    enum pg_frame frame = pg_header_read(data, &h);
    if (data.ptr[0] != PG_F_AUTH) {
        session_pg_violation(s, "expected a SASL response");
        return data.len;
    }
    if (frame == PG_FRAME_NEED_MORE) return 0;
    if (frame == PG_FRAME_BAD || h.total - 1 > PG_AUTH_MAX) {
        session_pg_violation(s, "invalid message length");
        return data.len;
    }
    if (data.len < h.total) return 0;
    struct bytes body = bytes_of(data.ptr + PG_HEADER_LEN, h.body_len);
    if (session_pg_of(s)->login->step == LOGIN_SASL_INITIAL) take_sasl_initial(s, body);
    else take_sasl_response(s, body);
    return h.total;
}

size_t session_pg_login_received(struct session *s, struct bytes data) {
    size_t used = 0;
    while (s->state == SESSION_LOGIN && used < data.len) {
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        enum login_step step = session_pg_of(s)->login->step;
        size_t n = step == LOGIN_FIRST ? take_first(s, rest) : take_auth_message(s, rest);
        if (n == 0) break;
        used += n;
    }
    return s->state == SESSION_CLOSED ? data.len : used;
}
