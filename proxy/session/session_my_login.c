/*
 * A MySQL client logs in: greeting, TLS, proof, and the server connection that is its own from then on.
 *
 *      greeting -> FIRST -> (TLS -> FIRST) -> (another plugin -> ANSWER) -> pool -> OK
 *
 * Identity is bound by the login packet, and anew by COM_CHANGE_USER, which begins with leaving everything that the one before had:
 *
 *      COM_CHANGE_USER -> another plugin -> ANSWER -> pool -> OK      without a connection, until it asks for something
 *
 * Unknown users run the same exchange, so that they cannot be told from wrong
 * passwords; databases are looked up only after the proof. Whatever fails ends the login.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/access/hba.h"
#include "proxy/auth/secret.h"
#include "proxy/net/tls.h"
#include "proxy/pool/backend_my.h"
#include "proxy/session/session_move.h"
#include "proxy/session/session_my_kill.h"
#include "proxy/session/session_place.h"

void session_my_login_release(struct session *s) {
    struct session_my *sm = session_my_of(s);
    if (sm->login) secret_wipe(sm->login, sizeof *sm->login);
    mem_free(sm->login);
    sm->login = NULL;
}

/* ---- the greeting ---- */

static uint32_t offered_caps(const struct session *s) {
    uint32_t unwanted = s->env->config->mysql_local_infile ? 0 : MY_CAP_LOCAL_FILES;
    return (SESSION_MY_CAPS & ~unwanted) | (s->env->tls && !stream_has_tls(s->stream) ? MY_CAP_SSL : 0);
}

static void greet(struct session *s) {
    struct session_my *sm = session_my_of(s);
    struct my_greeting g = {
        .version = bytes_str(s->env->config->mysql_server_version),
        .thread_id = session_my_thread_id(s),
        .caps = offered_caps(s),
        .collation = MY_COLLATION_UTF8MB4_GENERAL,
        .status = MY_STATUS_AUTOCOMMIT,
        .plugin = bytes_str(MY_PLUGIN_NATIVE),
    };
    uint8_t storage[1024];
    struct writer w;
    memcpy(g.nonce, sm->nonce, sizeof g.nonce);
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_greeting(&w, s->lessee.next_seq++, &g);
    session_send(s, writer_bytes(&w));
    sm->login->next_seq = s->lessee.next_seq++; /* what is said before it has spoken is read as the answer to what it says */
}

/* False: the session is closed. */
static bool begin(struct session *s) {
    struct session_my *sm = session_my_of(s);
    sm->login = mem_alloc(sizeof *sm->login);
    if (!sm->login) session_close(s, "no memory for a login");
    return sm->login != NULL;
}

void session_my_open(struct session *s) {
    uint8_t random[MY_NONCE_LEN];
    if (!clock_random(s->env->loop->clock, random, sizeof random)) {
        session_close(s, "no random numbers for a login");
        return;
    }
    my_auth_nonce(session_my_of(s)->nonce, random);
    if (begin(s)) greet(s);
}

/* ---- who it is ---- */

static bool is_sane_name(struct bytes name) {
    if (name.len == 0 || name.len > USER_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < 32 || name.ptr[i] == 127) return false;
    return true;
}

/* Who names no schema is of the only database that there is for MySQL clients. NULL: there are several, or none. */
static const char *only_database(const struct config *c) {
    const char *found = NULL;
    LIST_EACH(n, &c->databases) {
        const struct config_database *db = CONTAINER_OF(n, struct config_database, node);
        if (db->cluster->protocol != PROTO_MYSQL || db->is_wildcard) continue;
        if (found) return NULL;
        found = db->name;
    }
    return found;
}

static bool bind_identity(struct session *s, const struct my_login *l) {
    struct session_my *sm = session_my_of(s);
    const char *only = l->schema.len ? NULL : only_database(s->env->config);
    struct bytes database = only ? bytes_str(only) : l->schema;
    sm->login->has_schema = l->schema.len > 0;
    sm->login->collation = (uint8_t)l->collation;
    sm->caps = l->caps & offered_caps(s);
    if (!database.len) {
        session_my_fail(s, MY_ER_NO_DB, "3D000", "No database selected: there is more than one, name one at login");
    } else if (!is_sane_name(l->user) || !is_sane_name(database)) {
        session_my_fail(s, MY_ER_ACCESS_DENIED, "28000", "names must be 1 to 63 bytes without control characters");
    } else {
        mem_free(s->user);
        mem_free(s->database);
        s->user = mem_strdup((const char *)l->user.ptr, l->user.len);
        s->database = mem_strdup((const char *)database.ptr, database.len);
        if (s->user && s->database) return true;
        session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
    }
    return false;
}

/* ---- the proof ---- */

static void deny(struct session *s, bool has_password) {
    char host[64];
    session_my_fail(s, MY_ER_ACCESS_DENIED, "28000", "Access denied for user '%s'@'%s' (using password: %s)", s->user,
                    s->is_on_socket ? "localhost" : session_peer_ip_text(s, host), has_password ? "YES" : "NO");
}

static void proven(struct session *s) {
    struct err err = {0};
    session_my_of(s)->login->step = MY_LOGIN_PROVEN;
    if (!session_find_place(s, PROTO_MYSQL, &err)) {
        session_end(s, &err);
        return;
    }
    if (s->state == SESSION_LOGIN) session_set_state(s, SESSION_LOGIN_WAITING);
    if (s->group->shares[s->share].worker == s->env->worker) session_my_on_arrived(s, bytes_of(NULL, 0));
    else session_move_soon(s, s->share);
}

/* caching_sha2_password says so before the OK; otherwise it would be the whole password that it asks for. */
static void say_that_was_right(struct session *s) {
    static const uint8_t right[] = {3};
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_more_auth(&w, s->lessee.next_seq++, bytes_of(right, sizeof right));
    session_send(s, writer_bytes(&w));
}

/* Who does not exist, or has nothing stored that fits, is held against a password that nobody has. */
static bool judge(struct session *s, struct bytes answer, bool *is_right, struct err *err) {
    const uint8_t *nonce = session_my_of(s)->nonce;
    const struct session_my_login *login = session_my_of(s)->login;
    const struct user_secret *secret = user_store_find(s->env->users, bytes_str(s->user));
    bool has_password = secret && secret->password, has_hash = secret && secret->has_native;
    const char *password = has_password ? secret->password : "nobody has this one";
    if (login->plugin == MY_AUTH_ED25519) {
        *is_right = user_store_check_ed25519(s->env->users, secret, login->to_sign, answer);
        return true;
    }
    if (has_hash && login->plugin == MY_AUTH_NATIVE) return my_auth_check_stored(&secret->native, nonce, answer, is_right, err);
    if (!my_auth_check(login->plugin, password, nonce, answer, is_right, err)) return false;
    *is_right = *is_right && has_password;
    return true;
}

static void check_answer(struct session *s, struct bytes answer) {
    bool is_right = false;
    struct err err = {0};
    if (!judge(s, answer, &is_right, &err)) {
        session_end(s, &err);
    } else if (is_right) {
        if (session_my_of(s)->login->plugin == MY_AUTH_SHA2) say_that_was_right(s);
        proven(s);
    } else {
        deny(s, answer.len > 0);
    }
}

/* By login->plugin. Who has named none, being of old, takes no such request. */
static void ask(struct session *s, const struct my_login *l) {
    struct session_my *sm = session_my_of(s);
    struct bytes nonce = bytes_of(sm->nonce, sizeof sm->nonce);
    uint8_t storage[128];
    struct writer w;
    if (sm->login->plugin == MY_AUTH_ED25519) nonce = bytes_of(sm->login->to_sign, sizeof sm->login->to_sign);
    if (!(l->caps & MY_CAP_PLUGIN_AUTH) && sm->login->plugin != MY_AUTH_NATIVE) {
        session_my_fail(s, MY_ER_NOT_SUPPORTED_AUTH_MODE, "08004", "Client does not support authentication protocol requested by "
                                                                   "server; consider upgrading MySQL client");
    } else if (!clock_random(s->env->loop->clock, sm->login->to_sign, sizeof sm->login->to_sign)) {
        session_close(s, "no random numbers for a login");
    } else {
        writer_init_fixed(&w, storage, sizeof storage);
        my_put_auth_switch(&w, s->lessee.next_seq++, my_auth_plugin_name(sm->login->plugin), nonce);
        session_send(s, writer_bytes(&w));
        sm->login->step = MY_LOGIN_ANSWER;
        sm->login->next_seq = s->lessee.next_seq;
    }
}

/*
 * By what it begins with itself, if gilmok knows it: MySQL's own clients have nothing but caching_sha2_password any more. But what
 * is stored may be for one plugin alone; who does not exist is asked like most.
 */
static enum my_auth_plugin plugin_for(const struct session *s, const struct my_login *l) {
    const struct user_secret *secret = user_store_find(s->env->users, bytes_str(s->user));
    return user_store_asks_by(s->env->users, secret, l->plugin.ptr ? my_auth_plugin_of(l->plugin) : MY_AUTH_NATIVE);
}

/* As it is now: a rule is never held against what a connection was before its TLS. */
static const struct hba_rule *find_rule(const struct session *s) {
    struct hba_who who = {.user = s->user, .database = s->database, .family = s->peer.family, .ip = s->peer.ip,
                          .is_on_socket = s->is_on_socket, .has_tls = stream_has_tls(s->stream)};
    return hba_find(s->env->config->hba, &who);
}

static bool is_told_natively(const struct my_login *l) {
    return !(l->caps & MY_CAP_PLUGIN_AUTH) || !l->plugin.ptr || bytes_is(l->plugin, MY_PLUGIN_NATIVE);
}

static void prove(struct session *s, const struct my_login *l) {
    const struct hba_rule *r = find_rule(s);
    enum my_auth_plugin plugin = session_my_of(s)->login->plugin = plugin_for(s, l);
    if (!r || r->method == AUTH_REJECT) {
        deny(s, l->answer.len > 0);
    } else if (r->clientcert != HBA_CERT_NOT_ASKED || !(auth_method_compares(r->method) || r->method == AUTH_TRUST)) {
        session_my_fail(s, MY_ER_NOT_SUPPORTED_YET, "42000", "its rule asks for what MySQL clients cannot be asked for yet: %s%s",
                        auth_method_name(r->method), r->clientcert != HBA_CERT_NOT_ASKED ? " and a certificate" : "");
    } else if (r->method == AUTH_TRUST) {
        if (s->is_local) proven(s);
        else deny(s, false);
    } else if (plugin == MY_AUTH_NATIVE && is_told_natively(l) && s->state == SESSION_LOGIN) {
        check_answer(s, l->answer);
    } else {
        ask(s, l);
    }
}

/* ---- what it sends ---- */

static void take_tls_request(struct session *s, size_t unused) {
    struct tls_start how = {.unused = unused, .follows_request = true};
    struct err err = {0};
    if (!s->env->tls || stream_has_tls(s->stream)) {
        session_my_fail(s, MY_ER_HANDSHAKE, "08S01", "TLS where none is offered");
    } else if (!stream_start_tls(s->stream, s->env->tls, &how, &err)) {
        session_end(s, &err);
    }
}

static void take_first(struct session *s, struct bytes payload, size_t unused) {
    const struct config *c = s->env->config;
    struct my_login l;
    if (!my_login_read(payload, &l)) {
        session_my_fail(s, MY_ER_HANDSHAKE, "08S01", "Bad handshake");
    } else if (l.is_tls_request) {
        take_tls_request(s, unused);
    } else if (unused) { /* nobody may speak before the answer is out */
        session_close(s, "bytes behind the login");
    } else if (c->client_tls == CLIENT_TLS_REQUIRE && !stream_has_tls(s->stream) && !s->is_on_socket) {
        session_my_fail(s, MY_ER_SECURE_TRANSPORT_REQUIRED, "HY000", "connections need TLS here (client_tls = require)");
    } else if (atomic_load_explicit(&s->env->hub->session_count, memory_order_relaxed) >= c->max_client_conn) {
        session_my_fail(s, MY_ER_CON_COUNT, "08004", "Too many connections (max_client_conn)");
    } else if (l.caps & MY_CAP_COMPRESS) { /* PHP's mysqlnd does not look at the greeting, and waits for compressed answers */
        session_my_fail(s, MY_ER_NOT_SUPPORTED_YET, "42000", "compression is not supported by gilmok: connect without it");
    } else if (bind_identity(s, &l)) {
        prove(s, &l);
    }
}

size_t session_my_login_received(struct session *s, struct bytes data) {
    struct session_my *sm = session_my_of(s);
    struct my_header h;
    if (!my_header_read(data, &h)) return 0;
    s->lessee.next_seq = (uint8_t)(sm->login->next_seq + 1);
    if (h.seq != sm->login->next_seq || h.len > MY_LOGIN_MAX - MY_HEADER_LEN - BUF_OVERHEAD) {
        session_my_fail(s, MY_ER_HANDSHAKE, "08S01", h.seq != sm->login->next_seq ? "Got packets out of order" : "Bad handshake");
        return data.len;
    }
    size_t total = MY_HEADER_LEN + (size_t)h.len;
    if (data.len < total) return 0;
    sm->login->next_seq = s->lessee.next_seq;
    struct bytes payload = bytes_of(data.ptr + MY_HEADER_LEN, h.len);
    if (sm->login->step == MY_LOGIN_FIRST) take_first(s, payload, data.len - total);
    else if (data.len > total) session_close(s, "bytes behind the login");
    else check_answer(s, payload);
    return s->state == SESSION_CLOSED ? data.len : total;
}

/* ---- another identity ---- */

/* Its connection begins anew for somebody else; it is a client of no pool. */
static void leave_all(struct session *s) {
    if (request_is_open(&s->request)) request_drop(s);
    s->pins = PIN_MODE; /* what it leaves is cleaned */
    session_release_lease(s);
    s->pins = 0;
    session_my_state_release(s);
    if (s->state == SESSION_HELD || s->state == SESSION_ACTIVE) session_set_state(s, SESSION_IDLE);
    s->state_since_us = s->env->loop->now_us; /* login_timeout counts from here */
    session_leave_variant(s);
    if (s->group) share_book_leave(&s->env->hub->shares, s->group, s->share);
    s->group = NULL;
}

void session_my_change_user(struct session *s, struct bytes body) {
    struct session_my *sm = session_my_of(s);
    struct my_login l;
    s->lessee.next_seq = 1;
    bool is_read = my_change_user_read(body, sm->caps, &l);
    l.caps = sm->caps;
    leave_all(s);
    s->is_proving = true;
    if (is_read && l.collation > UINT8_MAX) /* a server cannot be asked for it at login */
        session_my_fail(s, MY_ER_UNKNOWN_COLLATION, "HY000", "Unknown collation: %u", l.collation);
    else if (!is_read) session_my_fail(s, MY_ER_MALFORMED_PACKET, "HY000", "Malformed communication packet");
    else if (begin(s) && bind_identity(s, &l)) prove(s, &l);
    session_resume_input(s); /* what has come behind it was not looked at */
}

/* ---- to the pool ---- */

static struct variant *find_variant(struct session *s, struct bytes key, struct err *err) {
    const struct config *c = s->env->config;
    struct bytes user = bytes_str(s->user), database = bytes_str(s->database);
    const struct config_database *db = config_find_database(c, database);
    if (!db || db->cluster->protocol != PROTO_MYSQL) {
        err_set(err, ERR_NO_SUCH_DATABASE, "database \"%s\" does not exist", s->database);
        return NULL;
    }
    const char *password = user_store_password(user_store_find(s->env->users, user));
    struct pool *p = pool_get(s->env->pools, &backend_my_proto, c, db, database, user, password, s->group, s->share, err);
    return p ? variant_get(p, key, err) : NULL;
}

static void welcome(struct session *s, uint16_t status) {
    struct session_my *sm = session_my_of(s);
    struct my_ok ok = {.status = status};
    char label[192];
    uint8_t storage[64];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_ok(&w, s->lessee.next_seq, MY_MARK_OK, &ok, sm->caps & MY_CAP_SESSION_TRACK);
    session_send(s, writer_bytes(&w));
    s->lessee.next_seq = 1; /* of what is said when it asks next */
    s->is_proving = false;
    session_my_login_release(s);
    session_pool(s)->stats.logins++;
    if (log_is_on(LOG_DEBUG, "session")) log_line(LOG_DEBUG, "session", session_label(s, label), "logged in");
}

/* On the worker where it belongs: by what its login has asked for, or by the key that it has had elsewhere. */
void session_my_on_arrived(struct session *s, struct bytes key) {
    struct session_my *sm = session_my_of(s);
    uint8_t storage[128];
    struct writer own;
    struct err err = {0};
    if (sm->state.is_lost) {
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the state of the session");
        session_end(s, &err);
        return;
    }
    writer_init_fixed(&own, storage, sizeof storage);
    if (sm->login)
        startup_my_put_key(&own, &(struct startup_my){sm->caps & STARTUP_MY_FLAGS, sm->login->collation, sm->login->has_schema});
    struct variant *v = find_variant(s, sm->login ? writer_bytes(&own) : key, &err);
    if (!v) {
        session_end(s, &err);
        return;
    }
    session_join(s, v);
    if (s->state == SESSION_LOGIN_WAITING) {
        if (pool_acquire(v, &s->lessee)) session_my_login_leased(s, s->lessee.backend);
        return;
    }
    if (sm->login) welcome(s, MY_STATUS_AUTOCOMMIT);
    session_resume_input(s);
}

/* It is let in when it has its connection: what the server says of the login's session it hears with it. */
void session_my_login_leased(struct session *s, struct backend *b) {
    welcome(s, backend_my_of(b)->begun_status & BACKEND_MY_LASTING);
    session_set_state(s, SESSION_IDLE);
    if (session_my_is_shared(s)) {
        session_my_learn_beginning(s, b);
        session_release_lease(s);
    } else {
        s->proto->prepare(s, b);
        session_hold(s);
    }
    session_resume_input(s);
}
