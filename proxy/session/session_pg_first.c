/*
 * A PostgreSQL client's first packets: encryption requests, cancel requests, and the
 * startup packet, which binds its identity once.
 */
#include <stdatomic.h>
#include <strings.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/net/tls.h"
#include "proxy/session/session_pg_login.h"

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

/* A part of `word`, from its beginning and `least` bytes long, in upper or lower case. */
static bool begins(const char *word, size_t least, struct bytes value) {
    if (value.len < least || value.len > strlen(word)) return false;
    return strncasecmp((const char *)value.ptr, word, value.len) == 0;
}

/*
 * What `replication` asks for, read exactly as the server reads it (ProcessStartupPacket and parse_bool): rules go by it, and what
 * the two did not read alike would get past them. False: it is neither "database" nor a boolean.
 */
static bool read_replication(struct bytes value, bool *is_replication, bool *is_physical) {
    bool is_database = bytes_is(value, "database");
    bool is_true = begins("true", 1, value) || begins("yes", 1, value) || begins("on", 2, value) || bytes_is(value, "1");
    bool is_false = begins("false", 1, value) || begins("no", 1, value) || begins("off", 2, value) || bytes_is(value, "0");
    *is_replication = is_database || is_true;
    *is_physical = is_true;
    return is_database || is_true || is_false;
}

static bool is_repeated(const struct pg_first *f, const char *name) {
    int count = 0;
    for (int i = 0; i < f->param_count; i++) count += bytes_is(f->params[i].name, name);
    return count > 1;
}

/* Ended when it is not as it should be: of repeated ones the server would take the last, and partly all. */
static bool take_replication(struct session *s, const struct pg_first *f) {
    struct session_pg_login *login = session_pg_of(s)->login;
    struct bytes value = pg_first_param(f, "replication");
    if (!value.ptr) return true;
    if (is_repeated(f, "replication") || !read_replication(value, &login->is_replication, &login->is_physical)) {
        session_pg_fail(s, ERR_INVALID_PARAMETER, "invalid value for parameter \"replication\"");
        return false;
    }
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
    ps->login_app_name = mem_strdup(ps->app_name, strlen(ps->app_name));
    return ps->login_app_name != NULL;
}

/* By itself, or in `options`, which counts less. */
static bool take_app_name(struct session_pg *ps, const struct pg_first *f) {
    char name[STARTUP_PG_APP_NAME_MAX + 1];
    struct bytes own = pg_first_param(f, "application_name");
    if (own.ptr || !startup_pg_app_name(pg_first_param(f, "options"), name)) return keep_app_name(ps, own);
    return keep_app_name(ps, bytes_str(name));
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
    if (!take_replication(s, f)) return false;
    if (!user.len) {
        session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet");
    } else if (is_repeated(f, "user") || is_repeated(f, "database")) {
        session_pg_fail(s, ERR_PROTOCOL_VIOLATION, "the startup packet names two users or two databases");
    } else if (bytes_starts_with(database, CONFIG_AUTH_DATABASE)) {
        session_pg_fail(s, ERR_INVALID_AUTHORIZATION,
                        "databases whose names begin with \"" CONFIG_AUTH_DATABASE "\" are gilmok's own");
    } else if (!is_sane_name(user) || !is_sane_name(database)) {
        session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "user and database names must be 1 to 63 bytes without control characters");
    } else {
        s->user = mem_strdup((const char *)user.ptr, user.len);
        s->database = mem_strdup((const char *)database.ptr, database.len);
        if (s->user && s->database && take_app_name(session_pg_of(s), f)) return true;
        session_pg_fail(s, ERR_OUT_OF_MEMORY, "out of memory");
    }
    return false;
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
        session_pg_fail(s, ERR_PROTOCOL_VIOLATION, "repeated %s request", name);
        return;
    }
    *was_asked = true;
    session_send(s, bytes_str("N"));
}

static void answer_ssl_request(struct session *s, bool *was_asked) {
    if (!s->env->tls || !session_pg_is_in_clear(s)) {
        answer_no(s, was_asked, "SSL");
    } else if (*was_asked) {
        session_pg_fail(s, ERR_PROTOCOL_VIOLATION, "repeated SSL request");
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
    if (s->env->config->client_tls == CLIENT_TLS_REQUIRE && session_pg_is_in_clear(s) && !s->is_on_socket) {
        session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "this server accepts connections with TLS only (client_tls = require)");
        return;
    }
    if (atomic_load_explicit(&s->env->hub->session_count, memory_order_relaxed) >= s->env->config->max_client_conn) {
        session_pg_fail(s, ERR_TOO_MANY_CONNECTIONS, "sorry, too many clients already (max_client_conn)");
        return;
    }
    negotiate(s, f);
    if (!keep_params(s, f)) {
        session_pg_fail(s, ERR_LIMIT_EXCEEDED, "startup parameters are too long");
        return;
    }
    session_pg_auth_begin(s);
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

size_t session_pg_first_received(struct session *s, struct bytes data) {
    struct session_pg_login *login = session_pg_of(s)->login;
    struct pg_first first, *f = &first;
    struct err err = {0};
    if (data.ptr[0] == TLS_FIRST_BYTE && session_pg_is_in_clear(s)) {
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
