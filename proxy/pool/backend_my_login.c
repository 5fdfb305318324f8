/*
 * Logging in to a MySQL or MariaDB server, and logging in once more on the same connection, which begins its session anew.
 *
 *      greeting -> (TLS) -> login -> (other plugin | more)* -> OK
 *                    COM_CHANGE_USER -> (other plugin | more)* -> OK
 *
 * Servers are hostile input too: no packet of a login may be longer than MY_LOGIN_MAX, plugins that would have the password told
 * are not known, and the password leaves as it is only to who cannot be somebody else (my_auth.h).
 */
#include "base/fault.h"
#include "proxy/auth/secret.h"
#include "proxy/net/tls.h"
#include "proxy/pool/backend_my.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/my_encode.h"

static struct pool *pool_of(struct backend *b) {
    return b->variant->pool;
}

static void give_up(struct backend *b, const char *what) {
    struct err err;
    err_set(&err, ERR_CANNOT_CONNECT, "login to server %s failed: %s", b->site->name, what);
    backend_fail(b, &err);
}

static void send_writer(struct backend *b, struct writer *w) {
    if (w->failed) give_up(b, "out of memory");
    else stream_send(b->stream, writer_bytes(w));
    if (w->data) secret_wipe(w->data, w->len);
    writer_release(w);
}

/* ---- what is said ---- */

static const char *password_of(struct backend *b) {
    const char *password = pool_of(b)->server.password;
    return password ? password : "";
}

static uint32_t caps_of(struct backend *b) {
    struct startup_my startup = startup_my_read_key(b->variant->key);
    return BACKEND_MY_CAPS | startup.flags | (startup.has_schema ? MY_CAP_CONNECT_WITH_DB : 0) | (b->site->tls ? MY_CAP_SSL : 0);
}

static struct my_login login_of(struct backend *b, struct bytes answer) {
    const struct pool *p = pool_of(b);
    struct startup_my startup = startup_my_read_key(b->variant->key);
    return (struct my_login){
        .caps = caps_of(b),
        .packet_max = 1 << 30,
        .collation = startup.collation,
        .user = bytes_str(p->server.user),
        .answer = answer,
        .schema = startup.has_schema ? bytes_str(p->server.database) : bytes_of(NULL, 0),
        .plugin = bytes_str(my_auth_plugin_name(backend_my_of(b)->login->auth.plugin)),
    };
}

/*
 * What the server takes for a private way: TLS and unix sockets, not TCP on loopback; there its key is nobody else's. Whoever is
 * reached over TLS must have been verified, or be on this machine.
 */
static struct my_auth_way way_of(struct backend *b) {
    struct tls_info tls;
    bool has_tls = stream_tls_info(b->stream, &tls), is_near = addr_is_loopback(&b->site->addr);
    bool is_private = addr_is_unix(&b->site->addr) || (has_tls && (tls.peer_verified || is_near));
    return (struct my_auth_way){.is_private = is_private, .takes_key = is_near && !has_tls};
}

/* The answer to the plugin and nonce of the greeting. False: it has failed. */
static bool answer_greeting(struct backend *b, struct writer *answer) {
    struct backend_my *bm = backend_my_of(b);
    struct my_auth_way way = way_of(b);
    struct err err = {0};
    enum my_auth_plugin plugin = my_auth_plugin_of(bytes_str(bm->plugin));
    bool is_known = plugin == MY_AUTH_NATIVE || plugin == MY_AUTH_SHA2; /* else the server asks for another one */
    enum my_auth_step step = my_auth_client_begin(&bm->login->auth, bytes_str(is_known ? bm->plugin : MY_PLUGIN_NATIVE),
                                                  bytes_of(bm->nonce, sizeof bm->nonce), password_of(b), &way, answer, &err);
    if (step == MY_AUTH_FAILED) give_up(b, err.message);
    return step != MY_AUTH_FAILED;
}

static void send_login(struct backend *b, uint8_t seq) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer, w;
    writer_init_fixed(&answer, storage, sizeof storage);
    if (!answer_greeting(b, &answer)) return;
    struct my_login login = login_of(b, writer_bytes(&answer));
    writer_init(&w, MY_LOGIN_MAX);
    my_put_login(&w, seq, &login);
    secret_wipe(storage, sizeof storage);
    send_writer(b, &w);
}

static void send_tls_request(struct backend *b) {
    struct my_login request = login_of(b, bytes_of(NULL, 0));
    struct tls_start how = {.host = b->site->host};
    struct err err = {0};
    uint8_t storage[64];
    struct writer w;
    request.is_tls_request = true;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_login(&w, 1, &request);
    stream_send(b->stream, writer_bytes(&w));
    backend_my_of(b)->login->is_wanting_tls = true;
    if (!stream_start_tls(b->stream, b->site->tls, &how, &err)) give_up(b, err.message);
}

void backend_my_login_secured(struct backend *b) {
    backend_my_of(b)->login->is_wanting_tls = false;
    send_login(b, 2);
}

static bool begin(struct backend *b) {
    struct backend_my *bm = backend_my_of(b);
    bm->login = mem_alloc(sizeof *bm->login);
    if (!bm->login) give_up(b, "out of memory");
    return bm->login != NULL;
}

void backend_my_login_begin(struct backend *b) {
    (void)begin(b); /* the server speaks first */
}

void backend_my_begin_anew(struct backend *b) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer, w;
    if (b->ledger.count) { /* what gilmok has asked itself is not answered yet, and would be taken for what the login is told */
        backend_retire(b);
        return;
    }
    if (!begin(b)) return;
    backend_my_of(b)->login->has_greeting = true;
    writer_init_fixed(&answer, storage, sizeof storage);
    if (!backend_my_note_sent(b, MY_COM_CHANGE_USER) || !answer_greeting(b, &answer)) return;
    struct my_login login = login_of(b, writer_bytes(&answer));
    writer_init(&w, MY_LOGIN_MAX);
    my_put_change_user(&w, &login);
    secret_wipe(storage, sizeof storage);
    send_writer(b, &w);
}

/* ---- what the server says ---- */

static const char *greeting_fault(struct backend *b, const struct my_greeting *g) {
    if ((g->caps & BACKEND_MY_NEEDS) != BACKEND_MY_NEEDS)
        return "it is too old: gilmok needs MariaDB 10.2, MySQL 5.7 or later (DEPRECATE_EOF and SESSION_TRACK)";
    if (b->site->tls && !(g->caps & MY_CAP_SSL)) return "it offers no TLS, and server_tls asks for it";
    return NULL;
}

static void take_greeting(struct backend *b, struct bytes payload) {
    struct backend_my *bm = backend_my_of(b);
    struct my_greeting g;
    if (!my_greeting_read(payload, &g)) {
        give_up(b, "it does not greet as a MySQL server does");
        return;
    }
    const char *fault = greeting_fault(b, &g);
    if (fault) {
        give_up(b, fault);
        return;
    }
    b->server_id = g.thread_id;
    memcpy(bm->nonce, g.nonce, sizeof bm->nonce);
    if (g.plugin.len < sizeof bm->plugin) memcpy(bm->plugin, g.plugin.ptr, g.plugin.len); /* NULs are behind it */
    bm->login->has_greeting = true;
    if (b->site->tls) send_tls_request(b);
    else send_login(b, 1);
}

static void go_on(struct backend *b, enum my_auth_step step, uint8_t seq, const struct writer *answer, const struct err *err) {
    struct writer w;
    if (step == MY_AUTH_FAILED) give_up(b, err->message);
    if (step != MY_AUTH_SEND) return;
    writer_init(&w, MY_AUTH_ANSWER_MAX + MY_HEADER_LEN);
    my_put(&w, (uint8_t)(seq + 1), writer_bytes(answer));
    send_writer(b, &w);
}

static void take_switch(struct backend *b, uint8_t seq, struct bytes payload) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer;
    struct bytes plugin, nonce;
    struct my_auth_way way = way_of(b);
    struct err err = {0};
    writer_init_fixed(&answer, storage, sizeof storage);
    struct backend_my_login *login = backend_my_of(b)->login;
    if (login->has_switched || !my_auth_switch_read(payload, &plugin, &nonce)) {
        give_up(b, login->has_switched ? "it changes the plugin twice" : "it asks for a login of before MySQL 4.1");
        return;
    }
    login->has_switched = true;
    enum my_auth_step step = my_auth_client_begin(&login->auth, plugin, nonce, password_of(b), &way, &answer, &err);
    go_on(b, step, seq, &answer, &err);
    secret_wipe(storage, sizeof storage);
}

static void take_more(struct backend *b, uint8_t seq, struct bytes data) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer;
    struct my_auth_way way = way_of(b);
    struct err err = {0};
    writer_init_fixed(&answer, storage, sizeof storage);
    enum my_auth_step step = my_auth_client_more(&backend_my_of(b)->login->auth, data, password_of(b), &way, &answer, &err);
    go_on(b, step, seq, &answer, &err);
    secret_wipe(storage, sizeof storage);
}

/* States of the server that a client may know as they are; all others become "cannot connect". */
static const char *sqlstate_of(uint16_t number) {
    enum { TOO_MANY_USER_CONNECTIONS = 1203, USER_LIMIT_REACHED = 1226 };
    switch (number) {
    case MY_ER_CON_COUNT:
    case TOO_MANY_USER_CONNECTIONS:
    case USER_LIMIT_REACHED: return ERR_TOO_MANY_CONNECTIONS;
    case MY_ER_BAD_DB:
    case MY_ER_DBACCESS_DENIED: return ERR_NO_SUCH_DATABASE;
    case MY_ER_SERVER_SHUTDOWN: return ERR_CANNOT_CONNECT_NOW;
    default: return ERR_CANNOT_CONNECT;
    }
}

/* About the collation that this variant's clients log in with: their doing, not the server's state. */
static bool is_parameter_error(uint16_t number) {
    return number == MY_ER_WRONG_VALUE_FOR_VAR || number == MY_ER_UNKNOWN_CHARACTER_SET || number == MY_ER_UNKNOWN_COLLATION;
}

static void take_error(struct backend *b, struct bytes payload) {
    struct my_error e;
    struct err err;
    if (!my_err_read(payload, &e)) {
        give_up(b, "malformed error packet");
        return;
    }
    int len = e.text.len > 180 ? 180 : (int)e.text.len;
    if (is_parameter_error(e.number)) {
        err_set(&err, ERR_INVALID_PARAMETER, "%.*s", len, (const char *)e.text.ptr);
        backend_fail_parameters(b, &err);
        return;
    }
    err_set(&err, sqlstate_of(e.number), "server %s refused the connection: %u %.*s", b->site->name, e.number, len,
            (const char *)e.text.ptr);
    backend_fail(b, &err);
}

/* ---- how it begins ---- */

static void put_query(struct writer *w, const char *text) {
    my_put_command(w, MY_COM_QUERY, bytes_str(text));
}

static void ask_how_it_begins(struct backend *b) {
    uint8_t storage[1024];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    put_query(&w, START_MY_TRACK);
    put_query(&w, START_MY_ASK);
    backend_my_of(b)->login->setup = SETUP_TRACK;
    send_writer(b, &w);
}

/* It is as every client finds it. */
static void go_on_free(struct backend *b) {
    struct backend_my *bm = backend_my_of(b);
    bool was_begun_anew = b->state != BACKEND_LOGIN;
    mem_free(bm->login);
    bm->login = NULL;
    if (!was_begun_anew) {
        backend_on_ready(b);
        return;
    }
    ledger_pop(&b->ledger);
    b->ledger.txn = TXN_NONE;
    bm->reply = (struct reply_my){.is_begun = false};
    backend_on_own_done(b, true);
}

static void take_begun_row(struct backend *b, struct bytes payload) {
    struct backend_my *bm = backend_my_of(b);
    start_my_unref(bm->start);
    bm->start = start_my_read(payload);
    if (!bm->start) give_up(b, "it does not say how its sessions begin");
}

static void take_setup(struct backend *b, struct bytes payload) {
    struct backend_my_login *login = backend_my_of(b)->login;
    uint8_t mark = payload.len ? payload.ptr[0] : MY_MARK_LOCAL_INFILE;
    switch (login->setup) {
    case SETUP_TRACK:
        if (mark != MY_MARK_OK) give_up(b, "it cannot report what changes in its sessions");
        login->setup = SETUP_COUNT;
        break;
    case SETUP_COUNT:
        if (mark != START_MY_FIELDS) give_up(b, "it does not say how its sessions begin");
        login->setup = SETUP_DEFINITIONS;
        login->left = START_MY_FIELDS;
        break;
    case SETUP_DEFINITIONS:
        if (--login->left == 0) login->setup = SETUP_ROW;
        break;
    case SETUP_ROW:
        take_begun_row(b, payload);
        login->setup = SETUP_END;
        break;
    case SETUP_END:
        if (mark == MY_MARK_EOF) go_on_free(b);
        else give_up(b, "it does not say how its sessions begin");
        break;
    case SETUP_NONE: break;
    }
}

/* Where clients have it for a whole session each, it begins anew between them, and nobody has to know how. */
static void take_ok(struct backend *b, struct bytes payload) {
    struct backend_my *bm = backend_my_of(b);
    struct my_ok ok;
    if (!my_ok_read(payload, true, &ok)) {
        give_up(b, "malformed OK packet");
        return;
    }
    bm->status = bm->begun_status = ok.status;
    bm->insert_id = 0;
    bm->has_id = true;
    state_my_unref(bm->state);
    start_my_unref(bm->start);
    mem_free(bm->schema);
    bm->state = NULL;
    bm->start = NULL;
    bm->schema = NULL;
    statements_my_release(&bm->statements);
    statements_my_init(&bm->statements);
    if (pool_of(b)->mode == POOL_SESSION) go_on_free(b);
    else ask_how_it_begins(b);
}

static void take_packet(struct backend *b, uint8_t seq, struct bytes payload) {
    const struct backend_my_login *login = backend_my_of(b)->login;
    uint8_t mark = payload.len ? payload.ptr[0] : MY_MARK_LOCAL_INFILE;
    if (mark == MY_MARK_ERR) take_error(b, payload);
    else if (login->setup != SETUP_NONE) take_setup(b, payload);
    else if (login->is_wanting_tls) give_up(b, "it speaks before TLS has begun");
    else if (!login->has_greeting) take_greeting(b, payload);
    else if (mark == MY_MARK_OK) take_ok(b, payload);
    else if (mark == MY_MARK_EOF) take_switch(b, seq, payload);
    else if (mark == MY_MARK_MORE_AUTH) take_more(b, seq, bytes_of(payload.ptr + 1, payload.len - 1));
    else give_up(b, "a packet that belongs to no login");
}

size_t backend_my_login_received(struct backend *b, struct bytes data) {
    size_t at = 0;
    struct my_header h;
    while (b->state != BACKEND_CLOSED && backend_my_of(b)->login && my_header_read(bytes_of(data.ptr + at, data.len - at), &h)) {
        if (h.len > MY_LOGIN_MAX - MY_HEADER_LEN - BUF_OVERHEAD) {
            give_up(b, "a packet with an impossible length");
            break;
        }
        if (data.len - at - MY_HEADER_LEN < h.len) break;
        const uint8_t *payload = data.ptr + at + MY_HEADER_LEN;
        at += MY_HEADER_LEN + h.len;
        /* "that was right", and OK behind it; what it says of its beginning */
        bool goes_on = (h.len && payload[0] == MY_MARK_MORE_AUTH) || backend_my_of(b)->login->setup != SETUP_NONE;
        if (at < data.len && !goes_on) give_up(b, "it goes on without waiting for an answer");
        else take_packet(b, h.seq, bytes_of(payload, h.len));
    }
    return b->state == BACKEND_CLOSED ? data.len : at;
}
