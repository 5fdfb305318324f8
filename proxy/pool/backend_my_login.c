/*
 * A backend logs in to its server, and once more on the same connection, which begins its session anew: the conversation
 * (login_my.h), and behind it how the session begins, where that must be known.
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

/* ---- the conversation ---- */

/*
 * What the server takes for a private way: TLS and unix sockets, not TCP on loopback; there its key is nobody else's. Whoever is
 * reached over TLS must have been verified, or be on this machine.
 */
struct my_auth_way backend_my_way_to(const struct site *site, struct stream *stream) {
    struct tls_info tls;
    bool has_tls = stream_tls_info(stream, &tls), is_near = addr_is_loopback(&site->addr);
    bool is_private = addr_is_unix(&site->addr) || (has_tls && (tls.peer_verified || is_near));
    return (struct my_auth_way){.is_private = is_private, .takes_key = is_near && !has_tls};
}

/* Where SHA1(password) is all that is known. */
static const uint8_t *native_key_of(const struct pool_server *server) {
    return !server->password && server->my_keys.is_set && !*server->my_keys.password ? server->my_keys.native : NULL;
}

static struct login_my_who who_of(struct backend *b) {
    const struct pool_server *server = &pool_of(b)->server;
    struct startup_my startup = startup_my_read_key(b->variant->key);
    return (struct login_my_who){
        .user = server->user,
        .password = server->password ? server->password : server->my_keys.password,
        .native_key = native_key_of(server),
        .schema = startup.has_schema ? server->database : NULL,
        .caps = startup.flags,
        .mariadb_caps = startup.mariadb,
        .collation = startup.collation,
        .wants_tls = b->site->tls != NULL,
        .way = backend_my_way_to(b->site, b->stream),
    };
}

static void start_tls(struct backend *b) {
    struct tls_start how = {.host = b->site->host};
    struct err err = {0};
    if (!stream_start_tls(b->stream, b->site->tls, &how, &err)) give_up(b, err.message);
}

/* What stands in `out` is sent, or not, and wiped. */
static void go_on(struct backend *b, enum login_my_step step, struct writer *out, const struct err *err) {
    if (step == LOGIN_MY_FAILED && strcmp(err->sqlstate, ERR_INVALID_PARAMETER) == 0) backend_fail_parameters(b, err);
    else if (step == LOGIN_MY_FAILED) give_up(b, err->message);
    if (step == LOGIN_MY_SEND || step == LOGIN_MY_SECURE) stream_send(b->stream, writer_bytes(out));
    if (out->data) secret_wipe(out->data, out->len);
    writer_release(out);
    if (step == LOGIN_MY_SECURE) start_tls(b);
}

void backend_my_login_secured(struct backend *b) {
    struct backend_my *bm = backend_my_of(b);
    struct login_my_who who = who_of(b);
    struct writer out;
    struct err err = {0};
    writer_init(&out, LOGIN_MY_SAYS_MAX);
    go_on(b, login_my_secured(&bm->login->talk, &bm->server, &who, &out, &err), &out, &err);
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
    struct backend_my *bm = backend_my_of(b);
    struct login_my_who who = who_of(b);
    struct writer out;
    struct err err = {0};
    if (b->ledger.count) { /* what gilmok has asked itself is not answered yet, and would be taken for what the login is told */
        backend_retire(b);
        return;
    }
    if (!begin(b) || !backend_my_note_sent(b, MY_COM_CHANGE_USER)) return;
    writer_init(&out, LOGIN_MY_SAYS_MAX);
    go_on(b, login_my_again(&bm->login->talk, &bm->server, &who, &out, &err), &out, &err);
}

/* ---- refused ---- */

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
    stream_send(b->stream, writer_bytes(&w));
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
    struct backend_my *bm = backend_my_of(b);
    struct login_my_who who = who_of(b);
    struct writer out;
    struct err err = {0};
    if (bm->login->setup != SETUP_NONE) {
        take_setup(b, payload);
        return;
    }
    writer_init(&out, LOGIN_MY_SAYS_MAX);
    enum login_my_step step = login_my_take(&bm->login->talk, &bm->server, &who, seq, payload, &out, &err);
    b->server_id = bm->server.thread_id;
    go_on(b, step, &out, &err);
    if (step == LOGIN_MY_REFUSED) take_error(b, payload);
    if (step == LOGIN_MY_DONE) take_ok(b, payload);
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
        bool goes_on = login_my_goes_on(bytes_of(payload, h.len)) || backend_my_of(b)->login->setup != SETUP_NONE;
        if (at < data.len && !goes_on) give_up(b, "it goes on without waiting for an answer");
        else take_packet(b, h.seq, bytes_of(payload, h.len));
    }
    return b->state == BACKEND_CLOSED ? data.len : at;
}
