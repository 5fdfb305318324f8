/*
 * fuzz_password_message.c - how a client proves who it is: each method, for users with each kind of secret.
 *
 * Four bytes choose the method with the client's place and TLS, the user, how the rest is meant, and where its pieces
 * part. The rest is what the client sends; or, third byte odd, it is laid over the right answer (XOR), and then a login
 * succeeds exactly when nothing was changed.
 */
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>

#include "proxy/auth/peer_user.h"
#include "proxy/net/tls.h"
#include "proxy/session/session_pg_login.h"
#include "tests/fuzz/fuzz.h"

#define PASSWORD "right"
enum { PLAIN, VERIFIER, HASHED, NOBODY, USERS, MESSAGE_MAX = 2048, ITERATIONS = 4 };

static const char *const names[USERS] = {"plain", "verifier", "hashed", "nobody"};

static struct user_store users;
static struct loop loop;
static struct stream stream;
static struct session_env env;
static struct session_pg_login login;
static struct session_pg client;
static struct writer sent;
static uint8_t sent_storage[16 << 10];
static bool is_proven, certificate_fits, uid_fits;
static struct err told; /* with it the session ended */

/* ---- what the session and the network are for it ---- */

void session_send(struct session *s, struct bytes data) {
    PROMISE(s->state == SESSION_LOGIN && !is_proven);
    writer_put(&sent, data);
}

void session_end(struct session *s, const struct err *err) {
    PROMISE(s->state == SESSION_LOGIN && !is_proven && err_is_set(err));
    told = *err;
    s->state = SESSION_CLOSED;
}

void session_pg_fail(struct session *s, const char *sqlstate, const char *fmt, ...) {
    struct err err = {0};
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    err_set(&err, sqlstate, "%s", message);
    session_end(s, &err);
}

void session_pg_violation(struct session *s, const char *what) {
    session_pg_fail(s, ERR_PROTOCOL_VIOLATION, "%s", what);
}

void session_pg_login_proven(struct session *s) {
    PROMISE(s == &client.base && s->state == SESSION_LOGIN && !is_proven);
    is_proven = true;
    login.step = LOGIN_PROVEN;
    s->state = SESSION_LOGIN_WAITING;
}

bool stream_tls_info(struct stream *s, struct tls_info *out) {
    *out = (struct tls_info){.has_peer_cert = stream_has_tls(s), .peer_verified = stream_has_tls(s)};
    snprintf(out->peer_cn, sizeof out->peer_cn, "%s", certificate_fits ? client.base.user : "");
    return stream_has_tls(s);
}

/* No certificate has a hash that is used alone: what is bound to TLS is in scram_server's target. */
size_t stream_tls_end_point_hash(struct stream *s, uint8_t out[TLS_HASH_MAX]) {
    (void)s;
    (void)out;
    return 0;
}

const char *session_peer_text(const struct session *s, char out[64]) {
    (void)s;
    return memcpy(out, "here", 5);
}

const char *session_label(const struct session *s, char out[192]) {
    (void)s;
    return memcpy(out, "client", 7);
}

/* No server is asked for anybody. */
const struct user_secret *session_pg_secret(const struct session *s) {
    return user_store_find(s->env->users, bytes_str(s->user));
}

bool session_pg_lookup_is_due(const struct session *s) {
    (void)s;
    return false;
}

void session_pg_lookup_begin(struct session *s) {
    (void)s;
    PROMISE(false);
}

void session_pg_lookup_doubt(struct session *s) {
    (void)s;
}

/* No rule here is about LDAP or PAM. */
bool session_pg_external_prepare(struct session *s, const struct hba_rule *r) {
    (void)s;
    (void)r;
    PROMISE(false);
    return false;
}

void session_pg_external_take(struct session *s, struct bytes password) {
    (void)s;
    (void)password;
    PROMISE(false);
}

bool stream_peer_process(struct stream *s, struct peer_process *out) {
    *out = (struct peer_process){.uid = 1000};
    return s == &stream;
}

bool peer_user_name(uint32_t uid, char out[USER_NAME_MAX + 1]) {
    snprintf(out, USER_NAME_MAX + 1, "%s", uid_fits ? client.base.user : "another");
    return uid == 1000;
}

bool timer_init(struct timer *t, struct loop *l, void (*on_fire)(struct timer *t)) {
    *t = (struct timer){.loop = l, .on_fire = on_fire, .impl = t};
    return true;
}

void timer_set(struct timer *t, uint64_t after_ms) {
    PROMISE(after_ms < 60000);
    t->is_set = true;
}

void timer_release(struct timer *t) {
    t->impl = NULL;
}

static uint64_t fake_now_us(void *ctx) {
    (void)ctx;
    return 1000000;
}

static bool fake_random(void *ctx, void *out, size_t len) {
    (void)ctx;
    memset(out, 'r', len);
    return true;
}

static const struct clock_ops fake_clock = {.now_us = fake_now_us, .random = fake_random};

/* ---- the users ---- */

static void put_user(struct writer *file, const char *name, const char *secret) {
    writer_fmt(file, "\"%s\" \"%s\"\n", name, secret);
}

/* "md5" and the hash of both as hex digits, without any code of gilmok's. */
static void hash(struct bytes a, struct bytes b, char out[MD5_TEXT_LEN + 1]) {
    uint8_t all[256], digest[16];
    PROMISE(a.len + b.len <= sizeof all);
    memcpy(all, a.ptr, a.len);
    memcpy(all + a.len, b.ptr, b.len);
    PROMISE(EVP_Q_digest(NULL, "MD5", NULL, all, a.len + b.len, digest, NULL));
    snprintf(out, 4, "md5");
    for (size_t i = 0; i < sizeof digest; i++) snprintf(out + 3 + 2 * i, 3, "%02x", digest[i]);
}

static void put_verifier(struct writer *file, const char *name) {
    static const uint8_t salt[SCRAM_SALT_DEFAULT] = "0123456789abcdef";
    struct scram_verifier v;
    uint8_t salt_text[32], stored[64], server[64];
    char secret[256];
    PROMISE(scram_verifier_derive(PASSWORD, salt, sizeof salt, ITERATIONS, &v));
    EVP_EncodeBlock(salt_text, v.salt, v.salt_len);
    EVP_EncodeBlock(stored, v.stored_key, SCRAM_KEY_LEN);
    EVP_EncodeBlock(server, v.server_key, SCRAM_KEY_LEN);
    snprintf(secret, sizeof secret, SCRAM_MECHANISM "$%d:%s$%s:%s", ITERATIONS, salt_text, stored, server);
    put_user(file, name, secret);
}

/* One for each place and method, with trust at the other place. */
static struct config configs[2][AUTH_METHODS];
static struct hba rules[2][AUTH_METHODS];
static struct name_maps maps;

static void init_rules(void) {
    static struct arena arena;
    arena_init(&arena, 1 << 20);
    name_maps_init(&maps);
    for (int place = 0; place < 2; place++) {
        for (int m = 0; m < AUTH_METHODS; m++) {
            struct config *c = &configs[place][m];
            c->hba = &rules[place][m];
            c->name_maps = &maps;
            hba_init(c->hba);
            PROMISE(hba_add_for_all(c->hba, &arena, HBA_LOCAL, place ? (enum auth_method)m : AUTH_TRUST));
            PROMISE(hba_add_for_all(c->hba, &arena, HBA_HOST, place ? AUTH_TRUST : (enum auth_method)m));
        }
    }
}

static void init(void) {
    static const uint8_t mock_key[32] = {1};
    static uint8_t storage[1024];
    struct writer file;
    struct err err = {0};
    char md5[MD5_TEXT_LEN + 1];
    int line;
    if (env.users) return;
    writer_init_fixed(&file, storage, sizeof storage);
    hash(bytes_str(PASSWORD), bytes_str(names[HASHED]), md5);
    put_user(&file, names[PLAIN], PASSWORD);
    put_verifier(&file, names[VERIFIER]);
    put_user(&file, names[HASHED], md5);
    user_store_init(&users, mock_key);
    users.allows_md5 = true;
    PROMISE(user_store_parse(&users, writer_bytes(&file), &line, &err));
    PROMISE(user_store_warm(&users, NULL, &err));
    loop.clock = &fake_clock;
    env.users = &users;
    env.loop = &loop;
    list_init(&env.password_line);
    init_rules();
}

/* ---- the client ---- */

/* The session reads, as session_pg_login.c has it, in two pieces; then a password that waits is checked. */
static size_t feed(struct bytes data, size_t cut) {
    size_t used = 0;
    for (size_t end = cut < data.len ? cut : data.len;; end = data.len) {
        while (client.base.state == SESSION_LOGIN && login.step != LOGIN_IN_LINE && used < end) {
            size_t n = session_pg_auth_received(&client.base, bytes_of(data.ptr + used, end - used));
            PROMISE(n <= end - used);
            if (n == 0) break;
            used += n;
        }
        if (end == data.len) break;
    }
    PROMISE((login.step == LOGIN_IN_LINE && client.base.state == SESSION_LOGIN) == !list_is_empty(&env.password_line));
    PROMISE(list_is_empty(&env.password_line) || env.password_timer.is_set);
    if (!list_is_empty(&env.password_line)) {
        env.password_timer.is_set = false;
        env.password_timer.on_fire(&env.password_timer);
    }
    PROMISE(list_is_empty(&env.password_line));
    return used;
}

/* The first half of a SCRAM login, without a fault. */
static void begin_scram(struct scram_client *c) {
    uint8_t storage[512], body[256];
    struct writer w, first;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_init_fixed(&first, body, sizeof body);
    PROMISE(scram_client_first(c, SCRAM_BINDING_CANNOT, NULL, (const uint8_t *)"aaaaaabbbbbbcccccc", &first));
    pg_put_sasl_initial(&w, SCRAM_MECHANISM, writer_bytes(&first));
    writer_reset(&sent);
    PROMISE(feed(writer_bytes(&w), w.len) == w.len && login.step == LOGIN_SASL_RESPONSE);
}

/* The one message that proves who the user is, at this step; of users without such a proof one that does not. */
static void put_right(struct writer *w, int user) {
    static struct scram_keys keys[USERS];
    char hashed[MD5_TEXT_LEN + 1], answer[MD5_TEXT_LEN + 1];
    uint8_t storage[SCRAM_MESSAGE_MAX];
    struct scram_client c = {.is_final_sent = false};
    struct err err = {0};
    struct writer final;
    if (login.step == LOGIN_PASSWORD) {
        pg_put_password(w, bytes_str(PASSWORD));
    } else if (login.step == LOGIN_MD5) {
        hash(bytes_str(PASSWORD), bytes_str(names[user]), hashed);
        hash(bytes_of(hashed + 3, 32), bytes_of(login.salt, MD5_SALT_LEN), answer);
        pg_put_password(w, bytes_str(answer));
    } else {
        begin_scram(&c);
        writer_init_fixed(&final, storage, sizeof storage);
        struct bytes server_first = bytes_of(sent.data + PG_HEADER_LEN + 4, sent.len - PG_HEADER_LEN - 4);
        PROMISE(scram_client_final(&c, PASSWORD, server_first, &keys[user], &final, &err));
        pg_put_sasl_response(w, writer_bytes(&final));
    }
}

/* A password message as a client sends it: one text, whatever it says. */
static bool is_one_text(struct bytes m) {
    struct pg_header h;
    if (pg_header_read(m, &h) != PG_FRAME_OK || h.type != PG_F_AUTH || h.total != m.len || h.body_len == 0) return false;
    return memchr(m.ptr + PG_HEADER_LEN, 0, h.body_len) == m.ptr + m.len - 1;
}

/* Nobody is let in but who answers right; who is not hears why, and an unknown user hears what a wrong password does. */
static void ck_answered(int user, struct bytes message, bool is_right) {
    bool takes_text = login.step == LOGIN_MD5 || login.step == LOGIN_PASSWORD || login.step == LOGIN_IN_LINE;
    PROMISE(is_proven == (is_right && user != NOBODY));
    if (is_proven) return;
    PROMISE((client.base.state == SESSION_CLOSED) == err_is_set(&told));
    if (is_right || (takes_text && is_one_text(message))) PROMISE(strcmp(told.sqlstate, ERR_INVALID_PASSWORD) == 0);
    if (!err_is_set(&told)) return;
    bool is_usual = strcmp(told.sqlstate, ERR_INVALID_PASSWORD) == 0 || strcmp(told.sqlstate, ERR_PROTOCOL_VIOLATION) == 0;
    PROMISE(is_usual || (!takes_text && strcmp(told.sqlstate, ERR_INTERNAL) != 0)); /* SCRAM: things that gilmok does not do */
    PROMISE(!strstr(told.message, PASSWORD));
}

/* Methods that ask for nothing have decided; others have asked, or will hear no password in clear. */
static void ck_begun(enum auth_method method, bool has_tls) {
    bool is_local = client.base.is_local, is_on_socket = client.base.is_on_socket;
    if (method == AUTH_CERT) PROMISE(is_proven == (has_tls && certificate_fits));
    else if (method == AUTH_PEER) PROMISE(is_proven == (is_on_socket && uid_fits));
    else if (method == AUTH_TRUST) PROMISE(is_proven == is_local);
    else if (method == AUTH_PASSWORD) PROMISE((sent.len == 0) == (!has_tls && !is_on_socket));
    else PROMISE(sent.len > 0);
    if (client.base.state == SESSION_CLOSED) PROMISE(strcmp(told.sqlstate, ERR_INVALID_AUTHORIZATION) == 0);
    else if (client.base.state == SESSION_LOGIN) PROMISE(sent.len > 0 && sent.data[0] == PG_B_AUTH);
}

static void begin(uint8_t how, int user) {
    static char name[USER_NAME_MAX + 1];
    enum auth_method method = (enum auth_method)(how % AUTH_LDAP); /* those from there on are asked about elsewhere, or reject */
    bool has_tls = how & 0x20, is_on_socket = how & 0x40;
    snprintf(name, sizeof name, "%s", names[user]);
    login = (struct session_pg_login){.client = &client.base};
    password_turn_init(&login.turn, session_pg_password_check);
    scram_server_init(&login.scram);
    client = (struct session_pg){.login = &login};
    client.base = (struct session){.env = &env, .stream = &stream, .user = name, .database = name, .state = SESSION_LOGIN,
                                   .is_on_socket = is_on_socket, .is_local = is_on_socket || how & 0x80};
    stream.tls = has_tls ? (struct tls *)&stream : NULL;
    env.config = &configs[is_on_socket][method];
    writer_init_fixed(&sent, sent_storage, sizeof sent_storage);
    told = (struct err){0};
    is_proven = false;
    env.password_from_us = 0;
    session_pg_auth_begin(&client.base);
    ck_begun(method, has_tls);
}

static void answer(int user, bool is_laid_over, size_t cut, struct bytes rest) {
    static uint8_t message[MESSAGE_MAX], right[MESSAGE_MAX];
    struct writer w;
    bool has_scram = login.step == LOGIN_SASL_INITIAL;
    size_t len = 0;
    writer_init_fixed(&w, right, sizeof right);
    if (is_laid_over || !has_scram) put_right(&w, user);
    PROMISE(!w.failed);
    if (is_laid_over) {
        for (; len < w.len; len++) message[len] = right[len] ^ (len < rest.len ? rest.ptr[len] : 0);
    } else {
        len = rest.len < sizeof message ? rest.len : sizeof message;
        if (len) memcpy(message, rest.ptr, len);
    }
    bool is_right = w.len && len >= w.len && memcmp(message, right, w.len) == 0 && !(has_scram && user == HASHED);
    PROMISE(feed(bytes_of(message, len), cut) <= len);
    ck_answered(user, bytes_of(message, len), is_right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    init();
    if (size < 4) return 0;
    int user = data[1] % USERS;
    certificate_fits = data[1] & 0x10;
    uid_fits = data[1] & 0x20;
    begin(data[0], user);
    if (client.base.state == SESSION_LOGIN) answer(user, data[2] & 1, data[3], bytes_of(data + 4, size - 4));
    PROMISE(!sent.failed);
    session_pg_password_release(&login);
    scram_server_wipe(&login.scram);
    return 0;
}
