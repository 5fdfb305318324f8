/*
 * A MySQL client's proof of who it is: which plugin it is asked for, and what its answers are worth.
 *
 *      (a server is asked for what it has stored: LOOKED_UP ->) (another plugin -> ANSWER) -> proven or refused
 *                                  ANSWER -> (the whole password -> WHOLE) -> IN_LINE
 *
 * The whole password is asked for by caching_sha2_password, of whom only a hash of that is stored, and inside TLS or on a unix
 * socket alone; it is checked when its turn comes (password_line.h), and remembered then (my_key_book.h): the next proof is a
 * scramble.
 *
 * Unknown users run the same exchange, so that they cannot be told from wrong passwords.
 */
#include "base/fault.h"
#include "base/log.h"
#include "proxy/access/hba.h"
#include "proxy/auth/secret.h"
#include "proxy/pool/backend_my.h"
#include "proxy/session/session_move.h"
#include "proxy/session/session_my.h"
#include "proxy/session/session_place.h"

static void on_known(struct session *s, enum lookup_result result, const struct lookup_answer *answer);

/* What caching_sha2_password says: "that was right", and "the whole password, please". */
enum { SHA2_RIGHT = 3, SHA2_ALL = 4 };

/* ---- how it ends ---- */

static void deny(struct session *s, bool has_password) {
    char host[64];
    if (session_my_of(s)->login->is_looked_up) secret_book_doubt(s);
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

/* The server's rules for the account: told to who has proved the password, and to nobody else. */
static void admit(struct session *s) {
    const struct session_my_login *login = session_my_of(s)->login;
    bool is_mariadb = strstr(s->env->config->mysql_server_version, "MariaDB");
    if (login->is_locked) {
        secret_book_doubt(s);
        session_my_fail(s, is_mariadb ? MY_ER_ACCOUNT_LOCKED_MARIADB : MY_ER_ACCOUNT_LOCKED, "HY000",
                        "Access denied, the account of '%s' is locked", s->user);
    } else if (login->is_expired) {
        secret_book_doubt(s);
        session_my_fail(s, MY_ER_MUST_CHANGE_PASSWORD_LOGIN, "HY000",
                        "Your password has expired: change it past gilmok, which lets nobody in for that alone");
    } else {
        proven(s);
    }
}

/* ---- what is stored ---- */

static const struct user_secret *secret_of(const struct session *s) {
    const struct session_my_login *login = session_my_of((struct session *)s)->login;
    if (login && login->is_looked_up) return login->has_found ? &login->found : NULL;
    return user_store_find(s->env->users, bytes_str(s->user));
}

/* Only a server can know it. */
static bool is_lookup_due(const struct session *s) {
    const struct config_cluster *c = secret_book_cluster(s);
    return c && c->protocol == PROTO_MYSQL && !user_store_find(s->env->users, bytes_str(s->user));
}

/* In the book of keys: of a user whom only a server knows, behind the cluster's name. */
static struct bytes key_name(const struct session *s, uint8_t storage[256]) {
    struct writer w;
    if (!is_lookup_due(s)) return bytes_str(s->user);
    writer_init_fixed(&w, storage, 256);
    writer_cstr(&w, bytes_str(secret_book_cluster(s)->name));
    writer_str(&w, s->user);
    return w.failed ? bytes_of(NULL, 0) : writer_bytes(&w);
}

bool session_my_keys(const struct session *s, struct my_auth_keys *out) {
    const struct user_secret *secret = secret_of(s);
    uint8_t storage[256];
    struct bytes name = key_name(s, storage);
    if (!name.len || (!secret && !is_lookup_due(s))) return false;
    return my_key_book_find(&s->env->hub->my_keys, name, secret, out);
}

/* A scramble cannot be checked. */
static bool wants_whole(const struct session *s) {
    const struct session_my_login *login = session_my_of((struct session *)s)->login;
    if (login->is_looked_up && !login->has_found) return login->plugin == MY_AUTH_SHA2 || login->plugin == MY_AUTH_SHA256;
    return user_store_wants_whole(s->env->users, secret_of(s));
}

/* ---- the whole password ---- */

/* Nobody else can read what comes. */
static bool is_private(const struct session *s) {
    return s->is_on_socket || stream_has_tls(s->stream);
}

/* It may be somebody's who has no hash: then there is nothing to remember. */
static void learn(struct session *s, const struct my_auth_keys *keys) {
    const struct user_secret *secret = secret_of(s);
    uint8_t storage[256];
    struct bytes name = key_name(s, storage);
    if (secret && keys->is_set && name.len) my_key_book_learn(&s->env->hub->my_keys, name, secret, keys);
}

static void on_turn(struct password_turn *t) {
    struct session_my_login *login = CONTAINER_OF(t, struct session_my_login, turn);
    struct session *s = login->client;
    const struct user_secret *secret = secret_of(s);
    bool is_right = false;
    struct err err;
    if (s->state == SESSION_CLOSED) return; /* it has left, and is not buried yet */
    s->owes_nothing = false;
    if (!user_store_check_whole(s->env->users, secret, bytes_str(login->keys.password), wants_whole(s), &is_right)) {
        err_set(&err, ERR_INTERNAL, "the crypto library failed");
        session_end(s, &err);
    } else if (!is_right) {
        deny(s, true);
    } else {
        login->keys.is_set = true;
        if (secret->has_sha2) learn(s, &login->keys);
        admit(s);
    }
}

void session_my_proof_init(struct session *s) {
    struct session_my_login *login = session_my_of(s)->login;
    login->client = s;
    password_turn_init(&login->turn, on_turn);
    secret_wait_init(&login->lookup, s, on_known);
}

/* "password\0"; longer ones nobody has, nor any with a NUL inside. */
static void take_whole(struct session *s, struct bytes answer) {
    struct session_my_login *login = session_my_of(s)->login;
    struct bytes password = answer;
    struct err err;
    if (password.len > 0 && password.ptr[password.len - 1] == '\0') password.len--;
    bool is_possible = password.len > 0 && password.len < sizeof login->keys.password && !memchr(password.ptr, '\0', password.len);
    if (!is_possible) {
        deny(s, password.len > 0);
        return;
    }
    memcpy(login->keys.password, password.ptr, password.len);
    login->step = MY_LOGIN_IN_LINE;
    s->owes_nothing = true;
    if (password_line_join(s->env, &login->turn)) return;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
    session_end(s, &err);
}

static void say(struct session *s, uint8_t what) {
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_more_auth(&w, s->lessee.next_seq++, bytes_of(&what, 1));
    session_send(s, writer_bytes(&w));
}

static void ask_for_all(struct session *s) {
    if (!is_private(s)) {
        session_my_fail(s, MY_ER_SECURE_TRANSPORT_REQUIRED, "HY000", "this login needs TLS, since gilmok has to see the password "
                                                                     "once");
        return;
    }
    say(s, SHA2_ALL);
    session_my_of(s)->login->step = MY_LOGIN_WHOLE;
    session_my_of(s)->login->next_seq = s->lessee.next_seq;
}

/* ---- answers ---- */

/* By what an earlier login has told; where none has, as if it were wrong. */
static bool judge_by_keys(struct session *s, struct bytes answer, bool *is_right, struct err *err) {
    struct my_auth_keys keys = {.password = "nobody has this one"};
    bool is_known = secret_of(s) && session_my_keys(s, &keys);
    bool is_done = my_auth_check(MY_AUTH_SHA2, keys.password, session_my_of(s)->nonce, answer, is_right, err);
    *is_right = *is_right && is_known;
    secret_wipe(&keys, sizeof keys);
    return is_done;
}

/* Who does not exist, or has nothing stored that fits, is held against a password that nobody has. */
static bool judge(struct session *s, struct bytes answer, bool *is_right, struct err *err) {
    const uint8_t *nonce = session_my_of(s)->nonce;
    struct session_my_login *login = session_my_of(s)->login;
    const struct user_secret *secret = secret_of(s);
    bool has_password = secret && secret->password, has_hash = secret && secret->has_native;
    const char *password = has_password ? secret->password : "nobody has this one";
    if (login->plugin == MY_AUTH_ED25519) {
        *is_right = user_store_check_ed25519(s->env->users, secret, login->to_sign, answer);
        return true;
    }
    if (has_hash && login->plugin == MY_AUTH_NATIVE)
        return my_auth_check_stored(&secret->native, nonce, answer, is_right, &login->keys, err);
    if (!my_auth_check(login->plugin, password, nonce, answer, is_right, err)) return false;
    *is_right = *is_right && has_password;
    return true;
}

static void check_answer(struct session *s, struct bytes answer) {
    struct session_my_login *login = session_my_of(s)->login;
    bool is_asked_whole = login->plugin == MY_AUTH_SHA2 && wants_whole(s);
    bool is_right = false, is_empty = answer.len == 0 || (answer.len == 1 && answer.ptr[0] == '\0');
    struct err err = {0};
    bool ok = is_asked_whole ? judge_by_keys(s, answer, &is_right, &err) : judge(s, answer, &is_right, &err);
    if (!ok) {
        session_end(s, &err);
    } else if (is_right) {
        if (login->plugin == MY_AUTH_SHA2) say(s, SHA2_RIGHT); /* it awaits that in front of the OK */
        learn(s, &login->keys);
        admit(s);
    } else if (is_asked_whole && !is_empty) {
        ask_for_all(s);
    } else {
        deny(s, answer.len > 0);
    }
}

void session_my_proof_take(struct session *s, struct bytes answer) {
    const struct session_my_login *login = session_my_of(s)->login;
    if (login->step == MY_LOGIN_WHOLE || login->plugin == MY_AUTH_SHA256) take_whole(s, answer);
    else check_answer(s, answer);
}

/* ---- questions ---- */

/* By login->plugin. Who has named none, being of old, takes no such request. */
static void ask(struct session *s) {
    struct session_my *sm = session_my_of(s);
    struct session_my_login *login = sm->login;
    struct bytes nonce = bytes_of(sm->nonce, sizeof sm->nonce);
    uint8_t storage[128];
    struct writer w;
    if (login->plugin == MY_AUTH_ED25519) nonce = bytes_of(login->to_sign, sizeof login->to_sign);
    if (!login->has_plugins && login->plugin != MY_AUTH_NATIVE) {
        session_my_fail(s, MY_ER_NOT_SUPPORTED_AUTH_MODE, "08004", "Client does not support authentication protocol requested by "
                                                                   "server; consider upgrading MySQL client");
    } else if (!clock_random(s->env->loop->clock, login->to_sign, sizeof login->to_sign)) {
        session_close(s, "no random numbers for a login");
    } else {
        writer_init_fixed(&w, storage, sizeof storage);
        my_put_auth_switch(&w, s->lessee.next_seq++, my_auth_plugin_name(login->plugin), nonce);
        session_send(s, writer_bytes(&w));
        login->step = MY_LOGIN_ANSWER;
        login->next_seq = s->lessee.next_seq;
    }
}

/* Whom no server knows is asked for what most are asked for whom one has known. */
static enum my_auth_plugin most_found(const struct session *s, enum my_auth_plugin begun) {
    const uint64_t *found = s->env->found_my;
    int most = MY_AUTH_NATIVE;
    for (int i = 0; i < MY_AUTH_OTHER; i++)
        if (found[i] > found[most]) most = i;
    return most == MY_AUTH_SHA2 && begun == MY_AUTH_SHA256 ? MY_AUTH_SHA256 : (enum my_auth_plugin)most;
}

/*
 * By what it begins with itself, if gilmok knows it: MySQL's own clients have nothing but caching_sha2_password any more. But what
 * is stored may be for one plugin alone; who does not exist is asked like most.
 */
static enum my_auth_plugin plugin_for(const struct session *s) {
    const struct session_my_login *login = session_my_of((struct session *)s)->login;
    if (login->is_looked_up && !login->has_found) return most_found(s, login->begun);
    return user_store_asks_by(s->env->users, secret_of(s), login->begun);
}

static void begin_with(struct session *s, const struct my_login *l) {
    struct session_my_login *login = session_my_of(s)->login;
    login->has_plugins = l->caps & MY_CAP_PLUGIN_AUTH;
    login->begun = l->plugin.ptr ? my_auth_plugin_of(l->plugin) : MY_AUTH_NATIVE;
    if (login->begun == MY_AUTH_SHA256 && !stream_has_tls(s->stream)) login->begun = MY_AUTH_OTHER; /* it would want an RSA key */
}

/* ---- a server is asked ---- */

static void on_known(struct session *s, enum lookup_result result, const struct lookup_answer *answer) {
    struct session_my_login *login = session_my_of(s)->login;
    char ip[64];
    struct account_my_from from = {.ip = s->is_on_socket ? NULL : session_peer_ip_text(s, ip),
                                   .is_near = s->is_on_socket || s->is_local};
    const struct account_my *a = answer ? accounts_my_find(answer->accounts, &from) : NULL;
    if (result == LOOKUP_FAILED) {
        session_my_fail(s, MY_ER_UNKNOWN, "HY000", "authentication is not available: the server cannot be asked");
        return;
    }
    login->is_looked_up = true;
    login->has_found = a && a->has_secret;
    if (login->has_found) {
        login->found = a->secret;
        login->is_locked = a->is_locked;
        login->is_expired = a->is_expired;
    }
    login->plugin = plugin_for(s);
    ask(s);
}

static void look_up(struct session *s) {
    struct session_my_login *login = session_my_of(s)->login;
    struct err err;
    login->step = MY_LOGIN_LOOKED_UP;
    if (secret_book_ask(s, &login->lookup)) return;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
    session_end(s, &err);
}

/* ---- who must prove what ---- */

/* As it is now: a rule is never held against what a connection was before its TLS. */
static const struct hba_rule *find_rule(const struct session *s) {
    struct hba_who who = {.user = s->user, .database = s->database, .family = s->peer.family, .ip = s->peer.ip,
                          .is_on_socket = s->is_on_socket, .has_tls = stream_has_tls(s->stream)};
    return hba_find(s->env->config->hba, &who);
}

static bool is_told_natively(const struct my_login *l) {
    return !(l->caps & MY_CAP_PLUGIN_AUTH) || !l->plugin.ptr || bytes_is(l->plugin, MY_PLUGIN_NATIVE);
}

void session_my_prove(struct session *s, const struct my_login *l) {
    const struct hba_rule *r = find_rule(s);
    struct session_my_login *login = session_my_of(s)->login;
    begin_with(s, l);
    if (!r || r->method == AUTH_REJECT) {
        deny(s, l->answer.len > 0);
    } else if (r->clientcert != HBA_CERT_NOT_ASKED || !(auth_method_compares(r->method) || r->method == AUTH_TRUST)) {
        session_my_fail(s, MY_ER_NOT_SUPPORTED_YET, "42000", "its rule asks for what MySQL clients cannot be asked for yet: %s%s",
                        auth_method_name(r->method), r->clientcert != HBA_CERT_NOT_ASKED ? " and a certificate" : "");
    } else if (r->method == AUTH_TRUST) {
        if (s->is_local) proven(s);
        else deny(s, false);
    } else if (is_lookup_due(s)) {
        look_up(s);
    } else {
        login->plugin = plugin_for(s);
        if (login->plugin == MY_AUTH_NATIVE && is_told_natively(l) && s->state == SESSION_LOGIN) check_answer(s, l->answer);
        else ask(s);
    }
}
