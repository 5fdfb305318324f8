/*
 * Logging in to a PostgreSQL server: startup packet, proof, the first parameters.
 *
 * Servers are hostile input too: nothing may be longer than PG_BACKEND_AUTH_MAX,
 * methods below the cluster's server_auth are refused, a password in clear text leaves
 * for nobody who could be somebody else, and an AuthenticationOk that nothing
 * preceded is believed on loopback and unix sockets only. Whether a login is bound to its TLS connection is
 * judged by what was negotiated, not by what was offered.
 */
#include <stdio.h>
#include <strings.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/reader.h"
#include "proxy/auth/md5.h"
#include "proxy/auth/secret.h"
#include "proxy/net/tls.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/pg_encode.h"
#include "proxy/wire/pg_states.h"
#include "routing/token_pg.h"

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
    writer_release(w);
}

/* Where clients may ask for it: it must be there to be described, unless their startup parameters name it. */
static bool needs_token(const struct backend *b) {
    struct bytes key = b->variant->key;
    static const char word[] = "gilmok.consistency"; /* behind it stands _ or - */
    const struct pool *p = b->variant->pool;
    if (!p->limits.read_write_split && !p->main) return false;
    for (size_t i = 0; i + strlen(word) <= key.len; i++)
        if (strncasecmp((const char *)key.ptr + i, word, strlen(word)) == 0) return false;
    return true;
}

static void send_startup(struct backend *b) {
    struct pool *p = pool_of(b);
    struct writer w;
    size_t start;
    writer_init(&w, PG_STARTUP_MAX);
    pg_put_startup_begin(&w, &start);
    pg_put_startup_param(&w, bytes_str("user"), bytes_str(p->server.user));
    pg_put_startup_param(&w, bytes_str("database"), bytes_str(p->server.database));
    if (needs_token(b)) pg_put_startup_param(&w, bytes_str(TOKEN_PG_SETTING), bytes_str(""));
    struct reader r = reader_over(b->variant->key);
    while (reader_left(&r)) {
        struct bytes name = reader_cstr(&r);
        struct bytes value = reader_cstr(&r);
        pg_put_startup_param(&w, name, value);
    }
    /* Whatever passes for a read: behind what the client says, for the last one counts. */
    if (p->copy_node) pg_put_startup_param(&w, bytes_str("default_transaction_read_only"), bytes_str("on"));
    pg_put_startup_end(&w, start);
    send_writer(b, &w);
}

static void send_tls_request(struct backend *b) {
    uint8_t storage[8];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_ssl_request(&w);
    stream_send(b->stream, writer_bytes(&w));
}

void backend_pg_login_begin(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    prepared_pg_init(&bp->prepared);
    description_pg_init(&bp->description);
    bp->login = mem_alloc(sizeof *bp->login);
    if (!bp->login) {
        give_up(b, "out of memory");
    } else if (b->site->tls) {
        bp->login->awaits_tls_answer = true;
        send_tls_request(b);
    } else {
        send_startup(b);
    }
}

/* ---- TLS ---- */

/* One byte and nothing behind it. Whatever else comes is not shown to anybody: nobody has proved who it is. */
static size_t take_tls_answer(struct backend *b, struct bytes data) {
    struct tls_start how = {.unused = data.len - 1, .host = b->site->host};
    struct err err = {0};
    backend_pg_of(b)->login->awaits_tls_answer = false;
    if (data.ptr[0] == 'N') give_up(b, "it offers no TLS, and server_tls asks for it");
    else if (data.ptr[0] != 'S') give_up(b, "it answers the request for TLS with something else");
    else if (!stream_start_tls(b->stream, b->site->tls, &how, &err)) give_up(b, err.message);
    return b->state == BACKEND_CLOSED ? data.len : 1;
}

void backend_pg_login_secured(struct backend *b) {
    send_startup(b);
}

/* ---- authentication ---- */

/* The password is known as its md5 verifier only. */
static bool has_md5_only(const struct pool *p, struct md5_verifier *out) {
    return md5_verifier_parse(bytes_str(p->server.password), out);
}

/* What this login can say of channel binding, of a server that offers these mechanisms. */
static enum scram_binding_use binding_use(struct backend *b, struct bytes mechanisms, struct scram_binding *out) {
    *out = (struct scram_binding){.len = 0};
    if (pool_of(b)->server.channel_binding == CHANNEL_BINDING_DISABLE || !stream_has_tls(b->stream)) return SCRAM_BINDING_CANNOT;
    size_t len = stream_tls_end_point_hash(b->stream, out->hash);
    if (len == 0) return SCRAM_BINDING_CANNOT;
    if (!pg_sasl_offers(mechanisms, SCRAM_MECHANISM_PLUS)) return SCRAM_BINDING_NOT_OFFERED;
    out->len = (uint8_t)len;
    return SCRAM_BINDING_USED;
}

static bool must_bind(const struct backend *b) {
    return pool_of((struct backend *)b)->server.channel_binding == CHANNEL_BINDING_REQUIRE;
}

static const char no_binding[] = "it offers no channel binding, and server_channel_binding = require";

static void begin_sasl(struct backend *b, struct bytes mechanisms) {
    struct backend_pg *bp = backend_pg_of(b);
    struct scram_binding binding;
    enum scram_binding_use use = binding_use(b, mechanisms, &binding);
    const char *mechanism = use == SCRAM_BINDING_USED ? SCRAM_MECHANISM_PLUS : SCRAM_MECHANISM;
    struct md5_verifier verifier;
    uint8_t nonce[SCRAM_NONCE_RAW], storage[SCRAM_MESSAGE_MAX];
    struct writer first;
    writer_init_fixed(&first, storage, sizeof storage);
    if (!pg_sasl_offers(mechanisms, mechanism)) {
        give_up(b, "it offers no SCRAM-SHA-256");
    } else if (must_bind(b) && use != SCRAM_BINDING_USED) {
        give_up(b, no_binding);
    } else if (!pool_of(b)->server.password && !pool_of(b)->server.scram_keys.is_set) {
        give_up(b, "it asks for a password, and none is known for this user");
    } else if (bp->login->is_sasl_begun || bp->login->is_password_sent) {
        give_up(b, "it asks for a second proof");
    } else if (pool_of(b)->server.password && has_md5_only(pool_of(b), &verifier)) {
        give_up(b, "it asks for SCRAM, and the password is known as an md5 verifier only");
    } else if (!clock_random(pool_of(b)->set->loop->clock, nonce, sizeof nonce) ||
               !scram_client_first(&bp->login->scram, use, use == SCRAM_BINDING_USED ? &binding : NULL, nonce, &first)) {
        give_up(b, "no random numbers");
    } else {
        struct writer w;
        writer_init(&w, PG_AUTH_MAX);
        pg_put_sasl_initial(&w, mechanism, writer_bytes(&first));
        bp->login->is_sasl_begun = true;
        send_writer(b, &w);
    }
}

static void continue_sasl(struct backend *b, struct bytes server_first) {
    struct backend_pg *bp = backend_pg_of(b);
    struct pool *p = pool_of(b);
    uint8_t storage[SCRAM_MESSAGE_MAX];
    struct writer final;
    struct err err = {0};
    writer_init_fixed(&final, storage, sizeof storage);
    if (!bp->login->is_sasl_begun || bp->login->scram.is_final_sent) {
        give_up(b, "SCRAM messages in the wrong order");
    } else if (!scram_client_final(&bp->login->scram, p->server.password, server_first, &p->server.scram_keys, &final, &err)) {
        give_up(b, err.message);
    } else {
        struct writer w;
        writer_init(&w, PG_AUTH_MAX);
        pg_put_sasl_response(&w, writer_bytes(&final));
        send_writer(b, &w);
    }
}

static void finish_sasl(struct backend *b, struct bytes server_final) {
    struct backend_pg *bp = backend_pg_of(b);
    struct err err = {0};
    if (!bp->login->scram.is_final_sent || bp->login->is_server_proven) give_up(b, "SCRAM messages in the wrong order");
    else if (!scram_client_verify(&bp->login->scram, server_final, &err)) give_up(b, err.message);
    else bp->login->is_server_proven = true;
}

/* ---- md5 and clear text ---- */

static bool may_answer(struct backend *b, enum server_auth method, const char *refusal) {
    const struct pool *p = pool_of(b);
    const struct backend_pg_login *login = backend_pg_of(b)->login;
    if (p->server.auth < method) give_up(b, refusal);
    else if (must_bind(b)) give_up(b, no_binding);
    else if (!p->server.password) give_up(b, "it asks for a password, and none is known for this user");
    else if (login->is_sasl_begun || login->is_password_sent) give_up(b, "it asks for a second proof");
    else return true;
    return false;
}

static void send_password(struct backend *b, struct bytes text) {
    struct writer w;
    writer_init(&w, PG_AUTH_MAX);
    pg_put_password(&w, text);
    if (w.failed) give_up(b, "out of memory");
    else stream_send(b->stream, writer_bytes(&w));
    if (w.data) secret_wipe(w.data, w.len);
    writer_release(&w);
    if (b->state != BACKEND_CLOSED) backend_pg_of(b)->login->is_password_sent = true;
}

static void answer_md5(struct backend *b, struct bytes salt) {
    const struct pool *p = pool_of(b);
    struct md5_verifier verifier;
    char response[MD5_TEXT_LEN + 1];
    struct err err = {0};
    if (!may_answer(b, SERVER_AUTH_MD5, "it asks for an md5 password, which server_auth does not allow (set password_encryption "
                                        "and the password anew, or server_auth = md5)"))
        return;
    if (salt.len != MD5_SALT_LEN) {
        give_up(b, "malformed request for an md5 password");
        return;
    }
    bool ok = (has_md5_only(p, &verifier) ||
               md5_verifier_derive(bytes_str(p->server.password), bytes_str(p->server.user), &verifier, &err)) &&
              md5_respond(&verifier, salt.ptr, response, &err);
    secret_wipe(&verifier, sizeof verifier);
    if (ok) send_password(b, bytes_str(response));
    else give_up(b, err.message);
}

/* Nobody can listen, and nobody else can have answered. */
static bool is_secret_safe(struct backend *b) {
    struct tls_info tls;
    return addr_is_loopback(&b->site->addr) || (stream_tls_info(b->stream, &tls) && tls.peer_verified);
}

static void answer_cleartext(struct backend *b) {
    const struct pool *p = pool_of(b);
    struct md5_verifier verifier;
    if (!may_answer(b, SERVER_AUTH_PASSWORD, "it asks for the password in clear text, which server_auth does not allow")) return;
    if (!is_secret_safe(b)) give_up(b, "it asks for the password in clear text without TLS that is verified");
    else if (has_md5_only(p, &verifier)) give_up(b, "it asks for the password, which is known as an md5 verifier only");
    else send_password(b, bytes_str(p->server.password));
}

/* ---- requests ---- */

static void accept_auth_ok(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    bool is_trusted = !bp->login->is_sasl_begun && !must_bind(b) && addr_is_loopback(&b->site->addr);
    if (bp->login->is_server_proven || bp->login->is_password_sent || is_trusted) bp->login->is_authenticated = true;
    else if (must_bind(b)) give_up(b, no_binding);
    else give_up(b, "it let us in without SCRAM, which is accepted from loopback and unix sockets only");
}

static void take_auth(struct backend *b, struct bytes body) {
    uint32_t code;
    struct bytes rest;
    if (!pg_auth_read(body, &code, &rest)) {
        give_up(b, "malformed authentication request");
        return;
    }
    switch (code) {
    case PG_AUTH_OK:
        accept_auth_ok(b);
        break;
    case PG_AUTH_SASL:
        begin_sasl(b, rest);
        break;
    case PG_AUTH_SASL_CONTINUE:
        continue_sasl(b, rest);
        break;
    case PG_AUTH_SASL_FINAL:
        finish_sasl(b, rest);
        break;
    case PG_AUTH_CLEARTEXT:
        answer_cleartext(b);
        break;
    case PG_AUTH_MD5:
        answer_md5(b, rest);
        break;
    default:
        give_up(b, "it asks for an authentication method that gilmok does not know");
    }
}

/* ---- errors ---- */

/* Errors that mean "this startup parameter is wrong": the client's doing, not the server's state. */
static bool is_parameter_error(struct bytes sqlstate) {
    static const char *const codes[] = {"22023", "42704", "55P02", "42501", "22P02", "42601", "42602"};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (bytes_is(sqlstate, codes[i])) return true;
    return false;
}

/* States of the server that a client may know as they are; all others become "cannot connect". */
static bool is_passed_on(struct bytes sqlstate) {
    return bytes_is(sqlstate, ERR_NO_SUCH_DATABASE) || bytes_is(sqlstate, ERR_TOO_MANY_CONNECTIONS) ||
           bytes_is(sqlstate, ERR_CANNOT_CONNECT_NOW);
}

static void take_error(struct backend *b, struct bytes body) {
    struct pg_error_fields f;
    struct err err;
    if (!pg_error_read(body, &f)) {
        give_up(b, "malformed error message");
        return;
    }
    int len = f.message.len > 200 ? 200 : (int)f.message.len;
    const char *message = f.message.ptr ? (const char *)f.message.ptr : "";
    char sqlstate[6] = ERR_CANNOT_CONNECT;
    bool is_known = f.sqlstate.len == 5;
    bool is_parameter = is_known && b->variant->key.len && is_parameter_error(f.sqlstate) &&
                        backend_pg_of(b)->login->is_authenticated;
    if (is_known && (is_parameter || is_passed_on(f.sqlstate))) memcpy(sqlstate, f.sqlstate.ptr, 5);
    if (is_parameter) {
        err_set(&err, sqlstate, "%.*s", len, message);
        backend_fail_parameters(b, &err);
    } else {
        err_set(&err, sqlstate, "server %s refused the connection: %.*s", b->site->name, len, message);
        backend_fail(b, &err);
    }
}

/* ---- the end of the login ---- */

static bool remember_baseline(struct backend *b) {
    struct variant *v = b->variant;
    struct params_pg *baseline = v->baseline;
    if (!baseline) {
        baseline = mem_alloc(sizeof *baseline);
        if (!baseline) return false;
        v->baseline = baseline;
        v->release_baseline = (void (*)(void *))params_pg_release;
    }
    struct backend_pg *bp = backend_pg_of(b);
    return params_pg_copy(&bp->start, &bp->params) && params_pg_copy(baseline, &bp->params);
}

static void take_ready(struct backend *b, struct bytes body) {
    struct backend_pg *bp = backend_pg_of(b);
    if (body.len != 1 || body.ptr[0] != PG_TXN_IDLE) {
        give_up(b, "unexpected ReadyForQuery");
    } else if (!remember_baseline(b)) {
        give_up(b, "out of memory");
    } else {
        mem_free(bp->login);
        bp->login = NULL;
        backend_on_ready(b);
    }
}

static void take_key_data(struct backend *b, struct bytes body) {
    struct backend_pg *bp = backend_pg_of(b);
    struct bytes key;
    if (!pg_key_data_read(body, &b->server_id, &key)) {
        give_up(b, "malformed BackendKeyData");
        return;
    }
    memcpy(bp->key, key.ptr, key.len);
    bp->key_len = (uint16_t)key.len;
}

static void take_parameter(struct backend *b, struct bytes body) {
    struct pg_param param;
    bool is_read = pg_parameter_status_read(body, &param);
    if (is_read) backend_pg_hide_standby(b, &param);
    if (!is_read || !params_pg_set(&backend_pg_of(b)->params, param.name, param.value))
        give_up(b, "malformed or too many ParameterStatus messages");
}

static void take_message(struct backend *b, uint8_t type, struct bytes body) {
    enum pg_server_state state = backend_pg_of(b)->login->is_authenticated ? PG_SERVER_GREETING : PG_SERVER_LOGIN;
    if (pg_server_verdict(state, type) == PG_FATAL) {
        give_up(b, state == PG_SERVER_LOGIN ? "unexpected message before authentication" : "unexpected message during login");
        return;
    }
    switch (type) {
    case PG_B_AUTH:
        take_auth(b, body);
        break;
    case PG_B_ERROR:
        take_error(b, body);
        break;
    case PG_B_PARAMETER_STATUS:
        take_parameter(b, body);
        break;
    case PG_B_KEY_DATA:
        take_key_data(b, body);
        break;
    case PG_B_READY:
        take_ready(b, body);
        break;
    default: /* a notice */
        break;
    }
}

size_t backend_pg_login_received(struct backend *b, struct bytes data) {
    size_t used = 0;
    if (backend_pg_of(b)->login->awaits_tls_answer) return take_tls_answer(b, data);
    while (b->state == BACKEND_LOGIN) {
        struct pg_header h;
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        enum pg_frame frame = pg_header_read(rest, &h);
        if (frame == PG_FRAME_NEED_MORE) break;
        if (frame == PG_FRAME_BAD || h.total > PG_BACKEND_AUTH_MAX) {
            give_up(b, "it does not speak PostgreSQL's protocol");
            break;
        }
        if (rest.len < h.total) break;
        used += h.total;
        take_message(b, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
    }
    return used;
}
