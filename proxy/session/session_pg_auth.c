/*
 * How a PostgreSQL client proves who it is: as the first rule says that fits its connection. What
 * a method needs (TLS, a certificate, a socket of this machine) is looked at here for each
 * client, whatever the checks of the configuration have found. Unknown users run the same
 * exchange against a mock verifier, so that they cannot be told from wrong passwords.
 */
#include "base/log.h"
#include "base/reader.h"
#include "proxy/auth/peer_user.h"
#include "proxy/auth/secret.h"
#include "proxy/net/tls.h"
#include "proxy/session/session_pg_login.h"
#include "proxy/wire/pg_states.h"

/* ---- SCRAM ---- */

static_assert((int)SCRAM_BINDING_MAX >= (int)TLS_HASH_MAX, "every hash fits");

static void ask_for_scram(struct session *s) {
    struct scram_binding binding = {.len = 0};
    uint8_t storage[64];
    struct writer w;
    if (!session_pg_is_in_clear(s)) binding.len = (uint8_t)stream_tls_end_point_hash(s->stream, binding.hash);
    scram_server_offer(&session_pg_of(s)->login->scram, &binding);
    writer_init_fixed(&w, storage, sizeof storage);
    if (binding.len) pg_put_auth_sasl(&w, SCRAM_MECHANISM_PLUS, SCRAM_MECHANISM);
    else pg_put_auth_sasl(&w, SCRAM_MECHANISM, NULL);
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
    if (!pg_sasl_initial_read(body, &mechanism, &response) || !response.ptr || !scram_server_choose(&login->scram, mechanism)) {
        session_pg_violation(s, "malformed SASL message");
        return;
    }
    const struct user_secret *secret = session_pg_secret(s);
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
        session_pg_refuse_password(s);
    } else {
        send_auth(s, PG_AUTH_SASL_FINAL, &out);
        scram_server_keys(&login->scram, &login->keys);
        session_pg_login_proven(s);
    }
}

/* ---- md5 and clear text ---- */

static void ask(struct session *s, uint32_t code, struct bytes rest, enum login_step step) {
    uint8_t storage[32];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_auth(&w, code, rest);
    session_send(s, writer_bytes(&w));
    session_pg_of(s)->login->step = step;
}

static void ask_for_md5(struct session *s) {
    uint8_t *salt = session_pg_of(s)->login->salt;
    if (clock_random(s->env->loop->clock, salt, MD5_SALT_LEN)) ask(s, PG_AUTH_MD5, bytes_of(salt, MD5_SALT_LEN), LOGIN_MD5);
    else session_pg_fail(s, ERR_INTERNAL, "no random numbers");
}

static void take_md5(struct session *s, struct bytes response) {
    struct bytes user = bytes_str(s->user);
    const struct user_secret *secret = session_pg_secret(s);
    struct md5_verifier verifier;
    struct err err = {0};
    bool is_mock, is_right;
    bool is_checked = user_store_md5(s->env->users, user, secret, &verifier, &is_mock, &err) &&
                      md5_check(&verifier, session_pg_of(s)->login->salt, response, &is_right, &err);
    secret_wipe(&verifier, sizeof verifier);
    if (!is_checked) {
        log_line(LOG_ERROR, "session", NULL, "client_auth = md5 does not work: %s", err.message);
        session_pg_fail(s, ERR_INTERNAL, "authentication is not available");
    } else if (!is_right || is_mock) {
        session_pg_refuse_password(s);
    } else {
        session_pg_login_proven(s);
    }
}

/* A password message is one string. */
static void take_password(struct session *s, struct bytes body) {
    struct reader r = reader_over(body);
    struct bytes text = reader_cstr(&r);
    if (!reader_done(&r)) session_pg_violation(s, "invalid password packet");
    else if (session_pg_of(s)->login->step == LOGIN_MD5) take_md5(s, text);
    else if (session_pg_of(s)->login->question) session_pg_external_take(s, text);
    else session_pg_password_take(s, text);
}

static void ask_for_password(struct session *s) {
    if (session_pg_is_in_clear(s) && !s->is_on_socket)
        session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "this server takes passwords inside TLS only");
    else ask(s, PG_AUTH_CLEARTEXT, bytes_of(NULL, 0), LOGIN_PASSWORD);
}

/* ---- without a password ---- */

/* The handshake has checked who issued the certificate; a name with a NUL or another control byte comes as none. */
static bool has_certificate(struct session *s, const struct hba_rule *r) {
    struct tls_info tls;
    if (r->clientcert == HBA_CERT_NOT_ASKED) return true;
    if (!stream_tls_info(s->stream, &tls) || !tls.has_peer_cert || !tls.peer_verified) {
        session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "connection requires a valid client certificate");
        return false;
    }
    if (r->clientcert == HBA_CERT_VERIFY_CA ||
        name_maps_allow(s->env->config->name_maps, r->map, r->is_by_dn ? tls.peer_subject : tls.peer_cn, s->user))
        return true;
    session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "certificate authentication failed for user \"%s\"", s->user);
    return false;
}

static void check_peer(struct session *s, const struct hba_rule *r) {
    char name[USER_NAME_MAX + 1];
    struct peer_process peer;
    if (s->is_on_socket && stream_peer_process(s->stream, &peer) && peer_user_name(peer.uid, name) &&
        name_maps_allow(s->env->config->name_maps, r->map, name, s->user))
        session_pg_login_proven(s);
    else session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "peer authentication failed for user \"%s\"", s->user);
}

/* `listen` may still be what it was before a reload that brought trust. */
static void check_place(struct session *s) {
    if (s->is_local) session_pg_login_proven(s);
    else session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "trust is for clients on this machine");
}

/* ---- the choice ---- */

/* As it is now: a rule is never held against what a connection was before its TLS. */
static const struct hba_rule *find_rule(const struct session *s) {
    struct hba_who who = {.user = s->user, .database = s->database, .family = s->peer.family, .ip = s->peer.ip,
                          .is_on_socket = s->is_on_socket, .has_tls = !session_pg_is_in_clear(s),
                          .is_physical_replication = session_pg_of((struct session *)s)->login->is_physical};
    return hba_find(s->env->config->hba, &who);
}

static void turn_away(struct session *s, const struct hba_rule *r) {
    char label[192], peer[64];
    if (r) log_line(LOG_INFO, "session", session_label(s, label), "line %d of hba_file rejects it", r->line);
    session_pg_fail(s, ERR_INVALID_AUTHORIZATION, "%s user \"%s\", database \"%s\", host %s, %s", r ? "hba_file rejects"
                    : "no line of hba_file is for",
                    s->user, s->database, session_peer_text(s, peer), session_pg_is_in_clear(s) ? "no TLS" : "TLS");
}

/* The rule is the configuration's, which a reload may replace while the client takes its time: nobody keeps it. */
void session_pg_auth_begin(struct session *s) {
    const struct hba_rule *r = find_rule(s);
    if (!r || r->method == AUTH_REJECT) {
        turn_away(s, r);
        return;
    }
    if (!has_certificate(s, r)) return;
    session_pg_of(s)->login->method = r->method;
    if (auth_method_is_external(r->method) && !session_pg_external_prepare(s, r)) return;
    if (r->method == AUTH_PEER) check_peer(s, r);
    else if (auth_method_compares(r->method) && session_pg_lookup_is_due(s)) session_pg_lookup_begin(s);
    else session_pg_auth_ask(s);
}

/* Who does not exist is asked for what most are asked for whom the same one knows: the user file, or servers. */
static bool asks_md5(const struct session *s) {
    const struct session_pg_login *login = session_pg_of((struct session *)s)->login;
    if (login->is_looked_up && !login->has_found) return s->env->found_md5 > s->env->found_scram;
    return user_store_asks_md5(s->env->users, session_pg_secret(s));
}

void session_pg_auth_ask(struct session *s) {
    switch (session_pg_of(s)->login->method) {
    case AUTH_SCRAM:
        ask_for_scram(s);
        break;
    case AUTH_MD5:
        if (asks_md5(s)) ask_for_md5(s);
        else ask_for_scram(s);
        break;
    case AUTH_PASSWORD:
    case AUTH_LDAP:
    case AUTH_PAM:
        ask_for_password(s);
        break;
    case AUTH_TRUST:
        check_place(s);
        break;
    case AUTH_CERT: /* its rule asks for a certificate that names the user, and that was it */
        session_pg_login_proven(s);
        break;
    case AUTH_PEER: /* these are through already */
    case AUTH_REJECT:
        break;
    }
}

/* ---- what the client sends ---- */

static void take_body(struct session *s, struct bytes body) {
    switch (session_pg_of(s)->login->step) {
    case LOGIN_SASL_INITIAL:
        take_sasl_initial(s, body);
        break;
    case LOGIN_SASL_RESPONSE:
        take_sasl_response(s, body);
        break;
    default:
        take_password(s, body);
    }
}

size_t session_pg_auth_received(struct session *s, struct bytes data) {
    struct pg_header h;
    enum pg_frame frame = pg_header_read(data, &h);
    if (pg_client_verdict(PG_CLIENT_LOGIN, data.ptr[0]) != PG_TAKEN) {
        session_pg_violation(s, "expected a password or SASL message");
        return data.len;
    }
    if (frame == PG_FRAME_NEED_MORE) return 0;
    if (frame == PG_FRAME_BAD || h.total - 1 > PG_AUTH_MAX) {
        session_pg_violation(s, "invalid message length");
        return data.len;
    }
    if (data.len < h.total) return 0;
    take_body(s, bytes_of(data.ptr + PG_HEADER_LEN, h.body_len));
    return h.total;
}
