/*
 * How a PostgreSQL client proves who it is. Unknown users run the same exchange against
 * a mock verifier, so that they cannot be told from wrong passwords.
 */
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/session/session_pg_login.h"

/* ---- SCRAM ---- */

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
        session_pg_fail(s, ERR_INTERNAL, "authentication is not available");
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
        session_pg_fail(s, ERR_INVALID_PASSWORD, "password authentication failed for user \"%s\"", s->user);
    } else {
        send_auth(s, PG_AUTH_SASL_FINAL, &out);
        session_pg_login_proven(s);
    }
}

/* ---- the choice ---- */

void session_pg_auth_begin(struct session *s) {
    if (s->env->config->allow_trust) session_pg_login_proven(s);
    else ask_for_scram(s);
}

size_t session_pg_auth_received(struct session *s, struct bytes data) {
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
