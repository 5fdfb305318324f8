#include "proxy/pool/login_my.h"

#include "proxy/auth/secret.h"
#include "proxy/wire/my_encode.h"

static enum login_my_step fail(struct err *err, const char *what) {
    err_set(err, ERR_CANNOT_CONNECT, "%s", what);
    return LOGIN_MY_FAILED;
}

static enum login_my_step said(const struct writer *out, struct err *err) {
    return out->failed ? fail(err, "out of memory") : LOGIN_MY_SEND;
}

/* ---- what is said ---- */

static struct my_login login_of(const struct login_my *l, const struct login_my_who *who, struct bytes answer) {
    uint32_t asked = (who->schema ? MY_CAP_CONNECT_WITH_DB : 0) | (who->wants_tls ? MY_CAP_SSL : 0);
    return (struct my_login){
        .caps = (LOGIN_MY_CAPS & ~(who->mariadb_caps ? (uint32_t)MY_CAP_LONG_PASSWORD : 0)) | who->caps | asked,
        .mariadb_caps = who->mariadb_caps,
        .packet_max = 1 << 30,
        .collation = who->collation,
        .user = bytes_str(who->user),
        .answer = answer,
        .schema = who->schema ? bytes_str(who->schema) : bytes_of(NULL, 0),
        .plugin = bytes_str(my_auth_plugin_name(l->auth.plugin)),
    };
}

/* The answer to the plugin and nonce of the greeting. */
static enum my_auth_step answer_greeting(struct login_my *l, const struct login_my_server *server, const struct login_my_who *who,
                                         struct writer *answer, struct err *err) {
    enum my_auth_plugin plugin = my_auth_plugin_of(bytes_str(server->plugin));
    bool is_known = plugin == MY_AUTH_NATIVE || plugin == MY_AUTH_SHA2; /* else the server asks for another one */
    struct bytes nonce = bytes_of(server->nonce, sizeof server->nonce);
    return my_auth_client_begin(&l->auth, bytes_str(is_known ? server->plugin : MY_PLUGIN_NATIVE), nonce, who->password,
                                who->native_key, &who->way, answer, err);
}

static enum login_my_step put_login(struct login_my *l, const struct login_my_server *server, const struct login_my_who *who,
                                    uint8_t seq, struct writer *out, struct err *err) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer;
    writer_init_fixed(&answer, storage, sizeof storage);
    bool is_ok = answer_greeting(l, server, who, &answer, err) != MY_AUTH_FAILED;
    struct my_login login = login_of(l, who, writer_bytes(&answer));
    if (is_ok && seq) my_put_login(out, seq, &login);
    else if (is_ok) my_put_change_user(out, &login);
    secret_wipe(storage, sizeof storage);
    return is_ok ? said(out, err) : LOGIN_MY_FAILED;
}

enum login_my_step login_my_secured(struct login_my *l, const struct login_my_server *server, const struct login_my_who *who,
                                    struct writer *out, struct err *err) {
    l->is_wanting_tls = false;
    return put_login(l, server, who, 2, out, err);
}

enum login_my_step login_my_again(struct login_my *l, const struct login_my_server *server, const struct login_my_who *who,
                                  struct writer *out, struct err *err) {
    l->has_greeting = true;
    return put_login(l, server, who, 0, out, err);
}

/* ---- what the server says ---- */

static const char *greeting_fault(const struct login_my_who *who, const struct my_greeting *g) {
    if ((g->caps & LOGIN_MY_NEEDS) != LOGIN_MY_NEEDS)
        return "it is too old: gilmok needs MariaDB 10.2, MySQL 5.7 or later (DEPRECATE_EOF and SESSION_TRACK)";
    if (who->wants_tls && !(g->caps & MY_CAP_SSL)) return "it offers no TLS, and server_tls asks for it";
    return NULL;
}

static enum login_my_step take_greeting(struct login_my *l, struct login_my_server *server, const struct login_my_who *who,
                                        struct bytes payload, struct writer *out, struct err *err) {
    struct my_greeting g;
    if (!my_greeting_read(payload, &g)) return fail(err, "it does not greet as a MySQL server does");
    const char *fault = greeting_fault(who, &g);
    if (fault) return fail(err, fault);
    if (who->mariadb_caps & ~g.mariadb_caps) {
        err_set(err, ERR_INVALID_PARAMETER,
                "the server lacks what MariaDB has of the version that clients are greeted with (mysql_server_version)");
        return LOGIN_MY_FAILED;
    }
    *server = (struct login_my_server){.thread_id = g.thread_id};
    memcpy(server->nonce, g.nonce, sizeof server->nonce);
    if (g.plugin.len < sizeof server->plugin) memcpy(server->plugin, g.plugin.ptr, g.plugin.len); /* NULs are behind it */
    l->has_greeting = true;
    if (!who->wants_tls) return put_login(l, server, who, 1, out, err);
    struct my_login request = login_of(l, who, bytes_of(NULL, 0));
    request.is_tls_request = true;
    my_put_login(out, 1, &request);
    l->is_wanting_tls = true;
    return out->failed ? fail(err, "out of memory") : LOGIN_MY_SECURE;
}

static enum login_my_step go_on(enum my_auth_step step, uint8_t seq, const struct writer *answer, struct writer *out,
                                struct err *err) {
    if (step == MY_AUTH_FAILED) return LOGIN_MY_FAILED;
    if (step != MY_AUTH_SEND) return LOGIN_MY_READ;
    my_put(out, (uint8_t)(seq + 1), writer_bytes(answer));
    return said(out, err);
}

static enum login_my_step take_switch(struct login_my *l, const struct login_my_who *who, uint8_t seq, struct bytes payload,
                                      struct writer *out, struct err *err) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer;
    struct bytes plugin, nonce;
    if (l->has_switched) return fail(err, "it changes the plugin twice");
    if (!my_auth_switch_read(payload, &plugin, &nonce)) return fail(err, "it asks for a login of before MySQL 4.1");
    l->has_switched = true;
    writer_init_fixed(&answer, storage, sizeof storage);
    enum my_auth_step step = my_auth_client_begin(&l->auth, plugin, nonce, who->password, who->native_key, &who->way, &answer, err);
    enum login_my_step next = go_on(step, seq, &answer, out, err);
    secret_wipe(storage, sizeof storage);
    return next;
}

static enum login_my_step take_more(struct login_my *l, const struct login_my_who *who, uint8_t seq, struct bytes data,
                                    struct writer *out, struct err *err) {
    uint8_t storage[MY_AUTH_ANSWER_MAX];
    struct writer answer;
    writer_init_fixed(&answer, storage, sizeof storage);
    enum my_auth_step step = my_auth_client_more(&l->auth, data, who->password, &who->way, &answer, err);
    enum login_my_step next = go_on(step, seq, &answer, out, err);
    secret_wipe(storage, sizeof storage);
    return next;
}

enum login_my_step login_my_take(struct login_my *l, struct login_my_server *server, const struct login_my_who *who, uint8_t seq,
                                 struct bytes payload, struct writer *out, struct err *err) {
    uint8_t mark = payload.len ? payload.ptr[0] : MY_MARK_LOCAL_INFILE;
    if (mark == MY_MARK_ERR) return LOGIN_MY_REFUSED;
    if (l->is_wanting_tls) return fail(err, "it speaks before TLS has begun");
    if (!l->has_greeting) return take_greeting(l, server, who, payload, out, err);
    if (mark == MY_MARK_OK) return LOGIN_MY_DONE;
    if (mark == MY_MARK_EOF) return take_switch(l, who, seq, payload, out, err);
    if (mark == MY_MARK_MORE_AUTH) return take_more(l, who, seq, bytes_of(payload.ptr + 1, payload.len - 1), out, err);
    return fail(err, "a packet that belongs to no login");
}
