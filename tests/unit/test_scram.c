/*
 * test_scram.c - logins that must work, and the many that must not.
 *
 * The vector is the one of RFC 7677 section 3.
 */
#include "proxy/auth/scram.h"
#include "tests/unit/check_main.h"

#define VECTOR_VERIFIER                                                                                   \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTA" \
    "mQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define VECTOR_CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define VECTOR_NONCE VECTOR_CLIENT_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define VECTOR_SERVER_FIRST "r=" VECTOR_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define VECTOR_CLIENT_FINAL "c=biws,r=" VECTOR_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define VECTOR_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

enum { FEW_ITERATIONS = 16 }; /* tests log in thousands of times */

static const uint8_t nonce_a[SCRAM_NONCE_RAW] = "aaaaaabbbbbbcccccc";
static const uint8_t nonce_b[SCRAM_NONCE_RAW] = "ddddddeeeeeeffffff";
static const uint8_t salt_16[16] = "0123456789abcdef";

static uint8_t out_storage[SCRAM_MESSAGE_MAX];
static struct writer out;
static struct err err;

static void fresh_out(void) {
    writer_init_fixed(&out, out_storage, sizeof(out_storage));
    err = (struct err){0};
}

/* ---- the vector ---- */

START_TEST(vector_client_side) {
    struct scram_client c = {.client_first_bare = "n=user,r=" VECTOR_CLIENT_NONCE, .client_nonce = VECTOR_CLIENT_NONCE};
    struct scram_keys keys = {0};
    ck_assert(scram_client_final(&c, "pencil", bytes_str(VECTOR_SERVER_FIRST), &keys, &out, &err));
    ck_assert(bytes_is(writer_bytes(&out), VECTOR_CLIENT_FINAL));
    ck_assert(scram_client_verify(&c, bytes_str(VECTOR_SERVER_FINAL), &err));
    ck_assert(!err_is_set(&err));
    ck_assert(keys.is_set);
}
END_TEST

START_TEST(vector_server_side) {
    struct scram_server s = {.client_first_bare = "n=user,r=" VECTOR_CLIENT_NONCE, .server_first = VECTOR_SERVER_FIRST,
                             .nonce = VECTOR_NONCE, .gs2_header = "n,,"};
    ck_assert(scram_verifier_parse(bytes_str(VECTOR_VERIFIER), &s.verifier));
    ck_assert_int_eq(scram_server_final(&s, bytes_str(VECTOR_CLIENT_FINAL), &out, &err), SCRAM_OK);
    ck_assert(bytes_is(writer_bytes(&out), VECTOR_SERVER_FINAL));
}
END_TEST

START_TEST(derived_verifier_is_the_stored_one) {
    struct scram_verifier stored, derived;
    ck_assert(scram_verifier_parse(bytes_str(VECTOR_VERIFIER), &stored));
    ck_assert_uint_eq(stored.iterations, 4096);
    ck_assert_uint_eq(stored.salt_len, 16);
    ck_assert(scram_verifier_derive("pencil", stored.salt, stored.salt_len, 4096, &derived));
    ck_assert_mem_eq(stored.stored_key, derived.stored_key, SCRAM_KEY_LEN);
    ck_assert_mem_eq(stored.server_key, derived.server_key, SCRAM_KEY_LEN);
}
END_TEST

/* ---- both sides against each other, with one message changed on its way ---- */

enum { CLIENT_FIRST, SERVER_FIRST, CLIENT_FINAL, SERVER_FINAL, MESSAGES };

struct change {
    int message; /* which one; MESSAGES: none */
    enum { REPLACE, TRUNCATE, APPEND } how;
    size_t at;
    uint8_t byte;
};

struct login {
    const struct scram_verifier *verifier;
    const char *password;
    struct scram_keys keys;
    size_t lens[MESSAGES]; /* as sent */
};

enum outcome { LOGIN_OK, CLIENT_SAYS_NO, SERVER_SAYS_MALFORMED, SERVER_SAYS_REFUSED };

/* Takes what was just written, and gives what arrives. */
static struct bytes carry(struct login *l, int message, const struct change *ch, uint8_t *storage) {
    struct bytes sent = writer_bytes(&out);
    size_t len = sent.len;
    ck_assert(!out.failed && len > 0 && len + 1 < SCRAM_MESSAGE_MAX);
    l->lens[message] = len;
    memcpy(storage, sent.ptr, len);
    if (ch->message == message) {
        if (ch->how == REPLACE) storage[ch->at] = ch->byte;
        if (ch->how == TRUNCATE) len = ch->at;
        if (ch->how == APPEND) storage[len++] = ch->byte;
    }
    writer_reset(&out);
    return bytes_of(storage, len);
}

static enum outcome server_no(enum scram_result result) {
    ck_assert(err_is_set(&err));
    ck_assert_uint_eq(writer_bytes(&out).len, 0); /* nothing is told to a refused client */
    ck_assert_str_eq(err.sqlstate, result == SCRAM_REFUSED ? ERR_INVALID_PASSWORD
                                   : err.message[0] == 'm' ? ERR_PROTOCOL_VIOLATION : ERR_FEATURE_NOT_SUPPORTED);
    return result == SCRAM_REFUSED ? SERVER_SAYS_REFUSED : SERVER_SAYS_MALFORMED;
}

static enum outcome client_no(void) {
    ck_assert(err_is_set(&err));
    return CLIENT_SAYS_NO;
}

static enum outcome run_login(struct login *l, const struct change *ch) {
    uint8_t message[SCRAM_MESSAGE_MAX];
    struct scram_client c;
    struct scram_server s;
    enum scram_result result;
    fresh_out();
    ck_assert(scram_client_first(&c, SCRAM_BINDING_CANNOT, NULL, nonce_a, &out));
    scram_server_init(&s);
    result = scram_server_first(&s, l->verifier, carry(l, CLIENT_FIRST, ch, message), nonce_b, &out, &err);
    if (result != SCRAM_OK) return server_no(result);
    if (!scram_client_final(&c, l->password, carry(l, SERVER_FIRST, ch, message), &l->keys, &out, &err))
        return client_no();
    result = scram_server_final(&s, carry(l, CLIENT_FINAL, ch, message), &out, &err);
    if (result != SCRAM_OK) return server_no(result);
    if (!scram_client_verify(&c, carry(l, SERVER_FINAL, ch, message), &err)) return client_no();
    ck_assert(!err_is_set(&err));
    return LOGIN_OK;
}

static const struct change no_change = {.message = MESSAGES};
static struct scram_verifier few;

static struct login fresh_login(const char *password) {
    ck_assert(scram_verifier_derive("secret", salt_16, sizeof(salt_16), FEW_ITERATIONS, &few));
    return (struct login){.verifier = &few, .password = password};
}

START_TEST(right_password_logs_in_and_keys_are_reused) {
    struct login l = fresh_login("secret");
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
    l.password = "no longer looked at: the keys fit";
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
}
END_TEST

START_TEST(keys_for_another_salt_or_count_are_derived_again) {
    struct login l = fresh_login("secret");
    struct scram_verifier other;
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
    ck_assert(scram_verifier_derive("secret", salt_16, 15, FEW_ITERATIONS, &other));
    l.verifier = &other;
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
    ck_assert_uint_eq(l.keys.salt_len, 15);
    ck_assert(scram_verifier_derive("secret", salt_16, 15, FEW_ITERATIONS + 1, &other));
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
    ck_assert_uint_eq(l.keys.iterations, FEW_ITERATIONS + 1);
}
END_TEST

START_TEST(wrong_passwords_are_refused) {
    static const char *const wrong[] = {"", "s", "secre", "secret ", "Secret", "secret\x01"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct login l = fresh_login(wrong[i]);
        ck_assert_int_eq(run_login(&l, &no_change), SERVER_SAYS_REFUSED);
    }
}
END_TEST

/*
 * No change keeps the meaning: the messages that are signed are signed byte by
 * byte, and base64 is accepted in its canonical form only.
 */
START_TEST(every_changed_byte_ends_the_login) {
    struct login l = fresh_login("secret");
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
    struct change ch = {.message = _i, .how = REPLACE};
    const struct scram_keys right = l.keys;
    const size_t len = l.lens[_i];
    uint8_t original[SCRAM_MESSAGE_MAX];
    for (ch.at = 0; ch.at < len; ch.at++) {
        size_t same = 0;
        for (unsigned byte = 0; byte < 256; byte++) {
            ch.byte = (uint8_t)byte;
            if (run_login(&l, &ch) == LOGIN_OK) {
                same++; /* the byte that stood there anyway */
                original[ch.at] = ch.byte;
            }
            l.keys = right;
        }
        ck_assert_msg(same == 1, "message %d, byte %zu: %zu values log in", _i, ch.at, same);
    }
    static const char *const starts[MESSAGES] = {"n,,n=,r=", "r=", "c=biws,r=", "v="};
    ck_assert(bytes_starts_with(bytes_of(original, len), starts[_i]));
}
END_TEST

START_TEST(every_truncation_and_appended_byte_ends_the_login) {
    struct login l = fresh_login("secret");
    ck_assert_int_eq(run_login(&l, &no_change), LOGIN_OK);
    struct change ch = {.message = _i, .how = TRUNCATE};
    const struct scram_keys right = l.keys;
    const size_t len = l.lens[_i];
    for (ch.at = 0; ch.at < len; ch.at++) {
        ck_assert_int_ne(run_login(&l, &ch), LOGIN_OK);
        l.keys = right;
    }
    ch.how = APPEND;
    for (unsigned byte = 0; byte < 256; byte++) {
        ch.byte = (uint8_t)byte;
        ck_assert_int_ne(run_login(&l, &ch), LOGIN_OK);
        l.keys = right;
    }
}
END_TEST

/* ---- clients that gilmok must not believe ---- */

static const struct scram_verifier *vector_verifier(void) {
    static struct scram_verifier v;
    ck_assert(scram_verifier_parse(bytes_str(VECTOR_VERIFIER), &v));
    return &v;
}

static enum scram_result try_client_first(struct scram_server *s, const char *message) {
    fresh_out();
    scram_server_init(s);
    return scram_server_first(s, vector_verifier(), bytes_str(message), nonce_b, &out, &err);
}

START_TEST(client_first_forms) {
    static const char *const good[] = {"n,,n=,r=x", "y,,n=user,r=x", "n,,n=a=2Cb,r=x", "n,,n=,r=x,a=b", "n,,n=,r=!~="};
    static const char *const bad[] = {
        "", "n", "n,", "n,,", "n,,n=", "n,,n=,", "n,,n=,r=", "n,,r=x", "n,,r=x,n=", "n,,n=,r=x,", "n,,n=,r=x,a",
        "n,,n=,r=x y", "n,,n=,r=x\x7f", "n,,n=,r=\xc3\xa4", "n,,m=x,n=,r=x", "n,,n=,m=x,r=x", "n,,n=,r=x,m=y",
        "N,,n=,r=x", "z,,n=,r=x", "n,x,n=,r=x", "n,,n=,r=x,1=2", "n,,n=a,b,r=x", " n,,n=,r=x",
    };
    struct scram_server s;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(try_client_first(&s, good[i]) == SCRAM_OK, "refused: %s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(try_client_first(&s, bad[i]) == SCRAM_MALFORMED, "accepted: %s", bad[i]);
        ck_assert_str_eq(err.sqlstate, ERR_PROTOCOL_VIOLATION);
    }
    ck_assert_int_eq(try_client_first(&s, "p=tls-server-end-point,,n=,r=x"), SCRAM_MALFORMED);
    ck_assert_str_eq(err.sqlstate, ERR_PROTOCOL_VIOLATION);
    ck_assert_int_eq(try_client_first(&s, "n,a=admin,n=,r=x"), SCRAM_MALFORMED);
    ck_assert_str_eq(err.sqlstate, ERR_FEATURE_NOT_SUPPORTED);
}
END_TEST

START_TEST(client_nonce_and_message_lengths) {
    static char message[SCRAM_MESSAGE_MAX + 2] = "n,,n=,r=";
    struct scram_server s;
    memset(message + 8, 'x', SCRAM_NONCE_MAX);
    ck_assert_int_eq(try_client_first(&s, message), SCRAM_OK);
    ck_assert_uint_eq(strlen(s.nonce), SCRAM_NONCE_MAX + 24);
    ck_assert(bytes_starts_with(writer_bytes(&out), "r=xxxx"));
    message[8 + SCRAM_NONCE_MAX] = 'x';
    ck_assert_int_eq(try_client_first(&s, message), SCRAM_MALFORMED);

    memset(message + 5, 'u', sizeof(message) - 6); /* a long name */
    memcpy(message + SCRAM_MESSAGE_MAX - 1 - 4, ",r=x", 5);
    ck_assert_int_eq(try_client_first(&s, message), SCRAM_OK);
    memset(message + 5, 'u', sizeof(message) - 6);
    memcpy(message + SCRAM_MESSAGE_MAX - 4, ",r=x", 5);
    ck_assert_int_eq(try_client_first(&s, message), SCRAM_MALFORMED);
}
END_TEST

START_TEST(client_final_forms) {
    static const char *const bad[] = {
        "", "c=biws", "c=biws,p=%s", "c=biws,r=%s", "c=eSws,r=%s,p=@", "c=biws=,r=%s,p=@", "c=,r=%s,p=@",
        "c=biws,r=%sx,p=@", "c=biws,r=x,p=@", "c=biws,r=,p=@", "r=%s,p=@", "r=%s,c=biws,p=@", "c=biws,r=%s,p=@,x=y",
        "c=biws,r=%s,p=@,", "c=biws,r=%s,p=", "c=biws,r=%s,p=AAAA", "c=biws,r=%s,m=x,p=@", "c=biws,r=%s,p=@A",
        "c=biws,r=%s,x=y", "c=biws,r=%s,", "c=biws,r=%s,,p=@",
    };
    static const char proof[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (size_t i = 0; i <= COUNT_OF(bad); i++) {
        struct scram_server s;
        struct writer w;
        char message[SCRAM_MESSAGE_MAX];
        ck_assert_int_eq(try_client_first(&s, "n,,n=,r=x"), SCRAM_OK);
        writer_init_fixed(&w, message, sizeof(message));
        for (const char *p = i < COUNT_OF(bad) ? bad[i] : "c=biws,r=%s,x=y,p=@"; *p; p++) {
            if (*p == '%') {
                writer_str(&w, s.nonce);
                p++;
            } else if (*p == '@') {
                writer_str(&w, proof);
            } else {
                writer_u8(&w, (uint8_t)*p);
            }
        }
        fresh_out();
        enum scram_result result = scram_server_final(&s, writer_bytes(&w), &out, &err);
        /* The last one shows that these are refused for their form, not for the proof. */
        ck_assert_msg(result == (i < COUNT_OF(bad) ? SCRAM_MALFORMED : SCRAM_REFUSED), "form %zu", i);
        ck_assert_uint_eq(writer_bytes(&out).len, 0);
    }
}
END_TEST

START_TEST(server_takes_one_final_for_each_first) {
    struct scram_server s = {.client_first_bare = "n=user,r=" VECTOR_CLIENT_NONCE, .server_first = VECTOR_SERVER_FIRST,
                             .nonce = VECTOR_NONCE, .gs2_header = "n,,", .verifier = *vector_verifier()};
    ck_assert_int_eq(scram_server_final(&s, bytes_str(VECTOR_CLIENT_FINAL), &out, &err), SCRAM_OK);
    fresh_out();
    ck_assert_int_eq(scram_server_final(&s, bytes_str(VECTOR_CLIENT_FINAL), &out, &err), SCRAM_MALFORMED);
    ck_assert_int_eq(try_client_first(&s, "broken"), SCRAM_MALFORMED);
    ck_assert_int_eq(scram_server_final(&s, bytes_str(VECTOR_CLIENT_FINAL), &out, &err), SCRAM_MALFORMED);
}
END_TEST

START_TEST(client_that_supports_binding_must_say_so_twice) {
    struct scram_server s;
    char message[SCRAM_MESSAGE_MAX];
    static const char *const bindings[] = {"biws", "eSws"};
    for (size_t i = 0; i < 2; i++) {
        struct writer w;
        ck_assert_int_eq(try_client_first(&s, "y,,n=,r=x"), SCRAM_OK);
        writer_init_fixed(&w, message, sizeof(message));
        writer_fmt(&w, "c=%s,r=%s,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", bindings[i], s.nonce);
        fresh_out();
        enum scram_result want = i == 0 ? SCRAM_MALFORMED : SCRAM_REFUSED;
        ck_assert_int_eq(scram_server_final(&s, writer_bytes(&w), &out, &err), want);
    }
}
END_TEST

/* ---- channel binding ---- */

static const struct scram_binding ours = {.hash = "the hash of our certificate.....", .len = 32};
static const struct scram_binding others = {.hash = "the hash of another one.........", .len = 32};

/* A whole login: what the client says of binding, and what it is bound to; what the server offers; what it chose. */
static enum scram_result bound_login(enum scram_binding_use use, const struct scram_binding *of_client,
                                     const struct scram_binding *of_server, struct scram_keys *learned) {
    static struct scram_server s;
    struct scram_client c;
    struct scram_keys keys = {.is_set = false};
    uint8_t message[SCRAM_MESSAGE_MAX];
    fresh_out();
    scram_server_init(&s);
    scram_server_offer(&s, of_server);
    ck_assert(scram_client_first(&c, use, use == SCRAM_BINDING_USED ? of_client : NULL, nonce_a, &out));
    if (!scram_server_choose(&s, bytes_str(use == SCRAM_BINDING_USED ? SCRAM_MECHANISM_PLUS : SCRAM_MECHANISM))) return SCRAM_REFUSED;
    struct writer to_client;
    writer_init_fixed(&to_client, message, sizeof message);
    enum scram_result result = scram_server_first(&s, vector_verifier(), writer_bytes(&out), nonce_b, &to_client, &err);
    if (result != SCRAM_OK) return result;
    fresh_out();
    ck_assert(scram_client_final(&c, "pencil", writer_bytes(&to_client), &keys, &out, &err));
    writer_init_fixed(&to_client, message, sizeof message);
    result = scram_server_final(&s, writer_bytes(&out), &to_client, &err);
    if (result != SCRAM_OK) return result;
    ck_assert(scram_client_verify(&c, writer_bytes(&to_client), &err));
    scram_server_keys(&s, learned);
    scram_server_wipe(&s);
    return result;
}

START_TEST(channel_binding_ties_both_ends) {
    static const struct scram_binding none = {.len = 0};
    struct scram_keys learned;
    ck_assert_int_eq(bound_login(SCRAM_BINDING_USED, &ours, &ours, &learned), SCRAM_OK);
    ck_assert_int_eq(bound_login(SCRAM_BINDING_CANNOT, NULL, &ours, &learned), SCRAM_OK);
    ck_assert_int_eq(bound_login(SCRAM_BINDING_CANNOT, NULL, &none, &learned), SCRAM_OK);
    ck_assert_int_eq(bound_login(SCRAM_BINDING_NOT_OFFERED, NULL, &none, &learned), SCRAM_OK);
    /* Somebody in between has shown the client another certificate. */
    ck_assert_int_eq(bound_login(SCRAM_BINDING_USED, &others, &ours, &learned), SCRAM_MALFORMED);
    ck_assert_str_eq(err.sqlstate, ERR_INVALID_AUTHORIZATION);
    /* ... or has taken the offer out. */
    ck_assert_int_eq(bound_login(SCRAM_BINDING_NOT_OFFERED, NULL, &ours, &learned), SCRAM_MALFORMED);
    ck_assert_str_eq(err.sqlstate, ERR_INVALID_AUTHORIZATION);
    /* What was not offered cannot be chosen. */
    ck_assert_int_eq(bound_login(SCRAM_BINDING_USED, &ours, &none, &learned), SCRAM_REFUSED);
}
END_TEST

START_TEST(mechanism_and_flag_must_agree) {
    static const char *const bad[] = {"n,,n=,r=x", "y,,n=,r=x", "p=tls-unique,,n=,r=x", "p=tls-server-end-point,a=x,n=,r=x",
                                      "p=tls-server-end-point", "p=", "p", "p=tls-server-end-point,,", "p=tls-server-end-point,n=,r=x"};
    struct scram_server s;
    for (size_t i = 0; i <= COUNT_OF(bad); i++) {
        const char *first = i < COUNT_OF(bad) ? bad[i] : "p=tls-server-end-point,,n=,r=x";
        fresh_out();
        scram_server_init(&s);
        scram_server_offer(&s, &ours);
        ck_assert(scram_server_choose(&s, bytes_str(SCRAM_MECHANISM_PLUS)));
        enum scram_result want = i < COUNT_OF(bad) ? SCRAM_MALFORMED : SCRAM_OK;
        ck_assert_msg(scram_server_first(&s, vector_verifier(), bytes_str(first), nonce_b, &out, &err) == want, "%s", first);
    }
    ck_assert(!scram_server_choose(&s, bytes_str("SCRAM-SHA-1")));
    ck_assert(!scram_server_choose(&s, bytes_str("")));
}
END_TEST

START_TEST(keys_from_a_login_log_in) {
    static const struct scram_binding none = {.len = 0};
    struct scram_keys learned, derived;
    struct scram_client c;
    ck_assert_int_eq(bound_login(SCRAM_BINDING_CANNOT, NULL, &none, &learned), SCRAM_OK);
    ck_assert(scram_verifier_keys(vector_verifier(), "pencil", &derived));
    ck_assert(memcmp(learned.client_key, derived.client_key, SCRAM_KEY_LEN) == 0);
    ck_assert(memcmp(learned.server_key, derived.server_key, SCRAM_KEY_LEN) == 0);
    /* RFC 7677's exchange again, without the password. */
    c = (struct scram_client){.client_first_bare = "n=user,r=" VECTOR_CLIENT_NONCE, .client_nonce = VECTOR_CLIENT_NONCE};
    fresh_out();
    ck_assert(scram_client_final(&c, NULL, bytes_str(VECTOR_SERVER_FIRST), &learned, &out, &err));
    ck_assert(bytes_is(writer_bytes(&out), VECTOR_CLIENT_FINAL));
    ck_assert(scram_client_verify(&c, bytes_str(VECTOR_SERVER_FINAL), &err));
    /* A server whose verifier has another salt: nothing is sent, and only keys for that salt are of use from now on. */
    c = (struct scram_client){.client_first_bare = "n=,r=abc", .client_nonce = "abc"};
    fresh_out();
    ck_assert(!scram_client_final(&c, NULL, bytes_str("r=abcd,s=QQ==,i=4096"), &learned, &out, &err));
    ck_assert_str_eq(err.sqlstate, ERR_CANNOT_CONNECT);
    ck_assert(!learned.is_set && learned.salt_len == 1 && learned.client_key[0] == 0);
    ck_assert(!scram_keys_are_wanted(&learned, &derived));
    derived.salt_len = 1;
    derived.salt[0] = 'A';
    ck_assert(scram_keys_are_wanted(&learned, &derived));
    ck_assert(!scram_keys_are_wanted(&derived, &derived));
    ck_assert(scram_keys_are_wanted(&(struct scram_keys){.is_set = false}, &derived));
}
END_TEST

/* ---- servers that gilmok must not believe ---- */

static bool try_server_first(struct scram_client *c, struct scram_keys *keys, const char *message) {
    *c = (struct scram_client){.client_first_bare = "n=,r=abc", .client_nonce = "abc"};
    *keys = (struct scram_keys){0};
    fresh_out();
    return scram_client_final(c, "secret", bytes_str(message), keys, &out, &err);
}

START_TEST(server_first_forms) {
    static const char *const good[] = {"r=abcd,s=QQ==,i=1", "r=abc!,s=QUI=,i=16"};
    static const char *const bad[] = {
        "", "r=", "r=abc,s=QQ==,i=1", "r=ab,s=QQ==,i=1", "r=abdd,s=QQ==,i=1", "r=xabc,s=QQ==,i=1", "r=,s=QQ==,i=1",
        "r=abc d,s=QQ==,i=1", "r=abc\x80,s=QQ==,i=1", "s=QQ==,i=1", "s=QQ==,r=abcd,i=1", "m=x,r=abcd,s=QQ==,i=1",
        "r=abcd,m=x,s=QQ==,i=1", "r=abcd,s=QQ==,i=1,m=x", "r=abcd,s=QQ==,i=1,x=y", "r=abcd,s=QQ==,i=1,",
        "r=abcd,s=,i=1", "r=abcd,s=Q,i=1", "r=abcd,s=QQ,i=1", "r=abcd,s=QQ=,i=1", "r=abcd,s=QR==,i=1",
        "r=abcd,s=====,i=1", "r=abcd,s=Q===,i=1", "r=abcd,s=QQ==QQ==,i=1", "r=abcd,s=Q-==,i=1", "r=abcd,s=QQ==\n,i=1",
        "r=abcd,s=QQ==", "r=abcd,s=QQ==,i=", "r=abcd,s=QQ==,i=0", "r=abcd,s=QQ==,i=01", "r=abcd,s=QQ==,i=-1",
        "r=abcd,s=QQ==,i=+1", "r=abcd,s=QQ==,i= 1", "r=abcd,s=QQ==,i=1 ", "r=abcd,s=QQ==,i=1x", "r=abcd,s=QQ==,i=0x10",
        "r=abcd,s=QQ==,i=100001", "r=abcd,s=QQ==,i=2147483647", "r=abcd,s=QQ==,i=4294967297",
        "r=abcd,s=QQ==,i=18446744073709551617", "e=other-error",
    };
    struct scram_client c;
    struct scram_keys keys;
    for (size_t i = 0; i < COUNT_OF(good); i++) ck_assert_msg(try_server_first(&c, &keys, good[i]), "good %zu", i);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(!try_server_first(&c, &keys, bad[i]), "accepted: %s", bad[i]);
        ck_assert_str_eq(err.sqlstate, ERR_PROTOCOL_VIOLATION);
        ck_assert_uint_eq(writer_bytes(&out).len, 0); /* no proof for a server that lies */
        ck_assert(!keys.is_set && !c.is_final_sent);
    }
}
END_TEST

START_TEST(server_nonce_and_salt_lengths) {
    struct scram_client c;
    struct scram_keys keys;
    char nonce[SCRAM_MESSAGE_MAX], message[2 * SCRAM_MESSAGE_MAX];
    static const size_t lens[] = {SCRAM_NONCE_MAX, SCRAM_NONCE_MAX + 1, 1000, 2000, SCRAM_MESSAGE_MAX - 1};
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        struct writer w;
        memset(nonce, 'n', lens[i]);
        memcpy(nonce, "abc", 3);
        nonce[lens[i]] = '\0';
        writer_init_fixed(&w, message, sizeof(message));
        writer_fmt(&w, "r=%s,s=QQ==,i=1", nonce);
        writer_u8(&w, 0);
        ck_assert_int_eq(try_server_first(&c, &keys, message), i == 0);
    }
    for (size_t salt_len = 63; salt_len <= 66; salt_len += 3) { /* no padding: every character is an 'A' */
        struct writer w;
        writer_init_fixed(&w, message, sizeof(message));
        writer_str(&w, "r=abcd,s=");
        for (size_t i = 0; i < salt_len / 3 * 4; i++) writer_u8(&w, 'A');
        writer_cstr(&w, bytes_str(",i=1"));
        ck_assert_int_eq(try_server_first(&c, &keys, message), salt_len <= SCRAM_SALT_MAX);
        message[strlen("r=abcd,s=") + 84] = '\0'; /* 63 bytes, and one more or two more */
        static const char *const more[] = {"AA==,i=1", "AAA=,i=1"};
        for (size_t i = 0; salt_len == 63 && i < 2; i++) {
            char longer[200];
            writer_init_fixed(&w, longer, sizeof(longer));
            writer_str(&w, message);
            writer_cstr(&w, bytes_str(more[i]));
            ck_assert_int_eq(try_server_first(&c, &keys, longer), i == 0); /* 64 is the last that fits */
        }
    }
}
END_TEST

START_TEST(server_that_does_not_know_the_password_is_found_out) {
    static const char *const bad[] = {
        "", "v=", "v=AAAA", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
        "x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        VECTOR_SERVER_FINAL ",x=y", VECTOR_SERVER_FINAL ",", "e=invalid-proof", "e=",
        "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct scram_client c = {.client_first_bare = "n=user,r=" VECTOR_CLIENT_NONCE,
                                 .client_nonce = VECTOR_CLIENT_NONCE};
        struct scram_keys keys = {0};
        fresh_out();
        ck_assert(scram_client_final(&c, "pencil", bytes_str(VECTOR_SERVER_FIRST), &keys, &out, &err));
        ck_assert_msg(!scram_client_verify(&c, bytes_str(bad[i]), &err), "accepted: %s", bad[i]);
        ck_assert(err_is_set(&err));
        /* One answer for each login: the right one comes too late. */
        ck_assert(!scram_client_verify(&c, bytes_str(VECTOR_SERVER_FINAL), &err));
    }
}
END_TEST

START_TEST(server_messages_out_of_turn_are_refused) {
    struct scram_client c;
    struct scram_keys keys = {0};
    ck_assert(scram_client_first(&c, SCRAM_BINDING_CANNOT, NULL, nonce_a, &out));
    /* A signature of zeros equals the one that a client which has sent nothing expects. */
    ck_assert(!scram_client_verify(&c, bytes_str("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &err));
    ck_assert(try_server_first(&c, &keys, "r=abcd,s=QQ==,i=1"));
    fresh_out();
    ck_assert(!scram_client_final(&c, "secret", bytes_str("r=abcd,s=QQ==,i=1"), &keys, &out, &err));
    ck_assert_uint_eq(writer_bytes(&out).len, 0);
    c = (struct scram_client){0};
    ck_assert(!scram_client_final(&c, "secret", bytes_str("r=abcd,s=QQ==,i=1"), &keys, &out, &err));
}
END_TEST

START_TEST(no_room_is_an_error_not_a_cut_message) {
    struct scram_client c;
    struct scram_keys keys = {0};
    for (size_t room = 0; room <= 32; room++) {
        writer_init_fixed(&out, out_storage, room);
        ck_assert_int_eq(scram_client_first(&c, SCRAM_BINDING_CANNOT, NULL, nonce_a, &out), room == 32);
    }
    c = (struct scram_client){.client_first_bare = "n=,r=abc", .client_nonce = "abc"};
    writer_init_fixed(&out, out_storage, 30);
    ck_assert(!scram_client_final(&c, "secret", bytes_str("r=abcd,s=QQ==,i=1"), &keys, &out, &err));
    ck_assert(!c.is_final_sent);
}
END_TEST

/* ---- verifiers and passwords ---- */

START_TEST(verifier_texts_are_exact) {
    struct scram_verifier v;
    const size_t len = strlen(VECTOR_VERIFIER);
    char text[sizeof(VECTOR_VERIFIER) + 1];
    for (size_t cut = 0; cut < len; cut++) ck_assert(!scram_verifier_parse(bytes_of(VECTOR_VERIFIER, cut), &v));
    memcpy(text, VECTOR_VERIFIER, len);
    text[len] = ' ';
    ck_assert(!scram_verifier_parse(bytes_of(text, len + 1), &v));
    for (size_t at = 0; at < strlen("SCRAM-SHA-256$"); at++) {
        memcpy(text, VECTOR_VERIFIER, len);
        text[at] ^= 1;
        ck_assert(!scram_verifier_parse(bytes_of(text, len), &v));
    }
    static const char keys[] = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=";
    static const struct {
        const char *start;
        bool is_good;
    } starts[] = {
        {"SCRAM-SHA-256$1:QQ==$", true},       {"SCRAM-SHA-256$100000:QQ==$", true},
        {"SCRAM-SHA-256$100001:QQ==$", false}, {"SCRAM-SHA-256$0:QQ==$", false},
        {"SCRAM-SHA-256$:QQ==$", false},       {"SCRAM-SHA-256$1:$", false},
        {"SCRAM-SHA-256$1:QR==$", false},      {"scram-sha-256$1:QQ==$", false},
        {"SCRAM-SHA-256-PLUS$1:QQ==$", false}, {"SCRAM-SHA-256$-1:QQ==$", false},
    };
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        struct writer w;
        char storage[300];
        writer_init_fixed(&w, storage, sizeof(storage));
        writer_fmt(&w, "%s%s:%s", starts[i].start, keys, keys);
        ck_assert_msg(scram_verifier_parse(writer_bytes(&w), &v) == starts[i].is_good, "%s", starts[i].start);
    }
}
END_TEST

START_TEST(derive_checks_its_limits) {
    struct scram_verifier v;
    static const uint8_t salt[SCRAM_SALT_MAX + 1];
    ck_assert(!scram_verifier_derive("x", salt, 0, 1, &v));
    ck_assert(scram_verifier_derive("x", salt, SCRAM_SALT_MAX, 1, &v));
    ck_assert(!scram_verifier_derive("x", salt, SCRAM_SALT_MAX + 1, 1, &v));
    ck_assert(!scram_verifier_derive("x", salt, 16, 0, &v));
    ck_assert(!scram_verifier_derive("x", salt, 16, SCRAM_ITERATIONS_MAX + 1, &v));
}
END_TEST

static bool is_same_password(const char *a, const char *b) {
    struct scram_verifier va, vb;
    ck_assert(scram_verifier_derive(a, salt_16, 16, 1, &va));
    ck_assert(scram_verifier_derive(b, salt_16, 16, 1, &vb));
    return memcmp(va.stored_key, vb.stored_key, SCRAM_KEY_LEN) == 0;
}

START_TEST(passwords_are_prepared_as_far_as_documented) {
    ck_assert(is_same_password("I\xc2\xadX", "IX"));                         /* mapped to nothing */
    ck_assert(is_same_password("a\xc2\xa0" "b\xe3\x80\x80", "a b "));         /* spaces */
    ck_assert(is_same_password("a\xe2\x80\x8b" "b", "a b"));                  /* U+200B, as in PostgreSQL */
    ck_assert(is_same_password("\xef\xbb\xbfp\xc3\xa4", "p\xc3\xa4"));        /* U+FEFF */
    ck_assert(!is_same_password("p\xc3\xa4", "pa"));                          /* letters stay */
    ck_assert(!is_same_password("\xc2\xadX\xff", "X\xff"));                   /* not UTF-8: raw */
    ck_assert(!is_same_password("\xc2\xadX\xee\x80\x80", "X\xee\x80\x80"));   /* prohibited: raw */
    ck_assert(!is_same_password("\xc2\xadX\x01", "X\x01"));
    ck_assert(!is_same_password("\xc2\xad", ""));                             /* nothing would be left: raw */
    ck_assert(!is_same_password("\xed\xa0\x80\xc2\xad", "\xed\xa0\x80"));     /* a surrogate is not UTF-8 */
    ck_assert(!is_same_password("a\x01", "a"));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("scram");
    tcase_set_timeout(t, 60); /* room for sanitizers and valgrind */
    tcase_add_checked_fixture(t, fresh_out, NULL);
    tcase_add_test(t, vector_client_side);
    tcase_add_test(t, vector_server_side);
    tcase_add_test(t, derived_verifier_is_the_stored_one);
    tcase_add_test(t, right_password_logs_in_and_keys_are_reused);
    tcase_add_test(t, keys_for_another_salt_or_count_are_derived_again);
    tcase_add_test(t, wrong_passwords_are_refused);
    tcase_add_loop_test(t, every_changed_byte_ends_the_login, 0, MESSAGES);
    tcase_add_loop_test(t, every_truncation_and_appended_byte_ends_the_login, 0, MESSAGES);
    tcase_add_test(t, client_first_forms);
    tcase_add_test(t, client_nonce_and_message_lengths);
    tcase_add_test(t, client_final_forms);
    tcase_add_test(t, server_takes_one_final_for_each_first);
    tcase_add_test(t, client_that_supports_binding_must_say_so_twice);
    tcase_add_test(t, channel_binding_ties_both_ends);
    tcase_add_test(t, mechanism_and_flag_must_agree);
    tcase_add_test(t, keys_from_a_login_log_in);
    tcase_add_test(t, server_first_forms);
    tcase_add_test(t, server_nonce_and_salt_lengths);
    tcase_add_test(t, server_that_does_not_know_the_password_is_found_out);
    tcase_add_test(t, server_messages_out_of_turn_are_refused);
    tcase_add_test(t, no_room_is_an_error_not_a_cut_message);
    tcase_add_test(t, verifier_texts_are_exact);
    tcase_add_test(t, derive_checks_its_limits);
    tcase_add_test(t, passwords_are_prepared_as_far_as_documented);
    return check_main_of("scram", t);
}
