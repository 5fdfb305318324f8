/*
 * A MySQL client logs in: greeting, TLS, proof, and the server connection that is its own from then on.
 *
 *      greeting -> FIRST -> (TLS -> FIRST) -> proof -> pool -> OK
 *
 * Identity is bound by the login packet, and anew by COM_CHANGE_USER, which begins with leaving everything that the one before had:
 *
 *      COM_CHANGE_USER -> proof -> pool -> OK      without a connection, until it asks for something
 *
 * The proof is session_my_proof.c's; databases are looked up only after it. Whatever fails ends the login.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "parser/dialect_words.h"
#include "proxy/access/hba.h"
#include "proxy/auth/secret.h"
#include "proxy/net/codec.h"
#include "proxy/net/tls.h"
#include "proxy/pool/backend_my.h"
#include "proxy/session/session_move.h"
#include "proxy/session/session_my_kill.h"
#include "proxy/session/session_place.h"

void session_my_login_release(struct session *s) {
    struct session_my *sm = session_my_of(s);
    if (sm->login) {
        password_line_leave(&sm->login->turn);
        if (sm->login->codec) sm->login->codec->ops->free(sm->login->codec);
        secret_wait_release(&sm->login->lookup);
        secret_wipe(sm->login, sizeof *sm->login);
    }
    mem_free(sm->login);
    sm->login = NULL;
}

/* ---- the greeting ---- */

static uint32_t offered_caps(const struct session *s) {
    uint32_t unwanted = s->env->config->mysql_local_infile ? 0 : MY_CAP_LOCAL_FILES;
    return (SESSION_MY_CAPS & ~unwanted) | session_my_compress_offered(s) |
           (s->env->tls && !stream_has_tls(s->stream) ? MY_CAP_SSL : 0);
}

/* 0: the version is MySQL's, or too old. */
static uint32_t offered_mariadb_caps(const struct session *s) {
    enum { HAS_ALL = 100502 }; /* EXTENDED_METADATA came last */
    const char *version = s->env->config->mysql_server_version, *prefix = "5.5.5-";
    if (!strstr(version, "MariaDB")) return 0;
    if (strncmp(version, prefix, strlen(prefix)) == 0) version += strlen(prefix);
    return sql_version_of(SQL_MYSQL, bytes_str(version)) >= HAS_ALL ? SESSION_MY_MARIADB_CAPS : 0;
}

static void greet(struct session *s) {
    struct session_my *sm = session_my_of(s);
    struct my_greeting g = {
        .version = bytes_str(s->env->config->mysql_server_version),
        .thread_id = session_my_thread_id(s),
        .caps = offered_caps(s),
        .mariadb_caps = offered_mariadb_caps(s),
        .collation = MY_COLLATION_UTF8MB4_GENERAL,
        .status = MY_STATUS_AUTOCOMMIT,
        .plugin = bytes_str(MY_PLUGIN_NATIVE),
    };
    uint8_t storage[1024];
    struct writer w;
    memcpy(g.nonce, sm->nonce, sizeof g.nonce);
    writer_init_fixed(&w, storage, sizeof storage);
    if (g.mariadb_caps) g.caps &= ~(uint32_t)MY_CAP_LONG_PASSWORD;
    my_put_greeting(&w, s->lessee.next_seq++, &g);
    session_send(s, writer_bytes(&w));
    sm->login->next_seq = s->lessee.next_seq++; /* what is said before it has spoken is read as the answer to what it says */
}

/* False: the session is closed. */
static bool begin(struct session *s) {
    struct session_my *sm = session_my_of(s);
    sm->login = mem_alloc(sizeof *sm->login);
    if (sm->login) session_my_proof_init(s);
    else session_close(s, "no memory for a login");
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
    sm->caps = l->caps & (offered_caps(s) | MY_CAP_COMPRESS | MY_CAP_ZSTD);
    sm->mariadb_caps = l->mariadb_caps & offered_mariadb_caps(s);
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
    } else if (!session_my_compress_agrees(s, l.caps)) { /* mysqlnd does not look at the greeting, and waits for packed answers */
        session_my_fail(s, MY_ER_NOT_SUPPORTED_YET, "42000", "this compression is not offered (mysql_compression)");
    } else if (!session_my_compress_ready(s, &l)) {
        session_my_fail(s, MY_ER_UNKNOWN, "HY000", "out of memory");
    } else if (bind_identity(s, &l)) {
        session_my_prove(s, &l);
    }
}

size_t session_my_login_received(struct session *s, struct bytes data) {
    struct session_my *sm = session_my_of(s);
    struct my_header h;
    if (!my_header_read(data, &h)) return 0;
    if (sm->login->step == MY_LOGIN_IN_LINE || sm->login->step == MY_LOGIN_LOOKED_UP) { /* it has nothing to say */
        session_close(s, "bytes behind the login");
        return data.len;
    }
    s->lessee.next_seq = (uint8_t)(sm->login->next_seq + 1);
    if (UNLIKELY(sm->is_compressed)) {
        session_my_compress_answer(s);
        h.seq = sm->login->next_seq; /* nobody looks at it inside of compressed packets */
    }
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
    else session_my_proof_take(s, payload);
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
    l.mariadb_caps = sm->mariadb_caps;
    leave_all(s);
    s->is_proving = true;
    if (is_read && l.collation > UINT8_MAX) /* a server cannot be asked for it at login */
        session_my_fail(s, MY_ER_UNKNOWN_COLLATION, "HY000", "Unknown collation: %u", l.collation);
    else if (!is_read) session_my_fail(s, MY_ER_MALFORMED_PACKET, "HY000", "Malformed communication packet");
    else if (begin(s) && bind_identity(s, &l)) session_my_prove(s, &l);
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
    if (p && !db->server_user && !password) (void)session_my_keys(s, &p->server.my_keys);
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
    session_my_compress_begin(s);
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
    if (sm->state.is_lost || !session_my_compress_arrive(s)) {
        err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the state of the session");
        session_end(s, &err);
        return;
    }
    writer_init_fixed(&own, storage, sizeof storage);
    if (sm->login)
        startup_my_put_key(&own, &(struct startup_my){
                                        .flags = sm->caps & STARTUP_MY_FLAGS,
                                        .mariadb = sm->mariadb_caps,
                                        .collation = sm->login->collation,
                                        .has_schema = sm->login->has_schema,
                                    });
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
