/*
 * test_my_auth.c - MySQL's passwords, against vectors that another program computed, and servers that ask for too much.
 */
#include "proxy/auth/my_auth.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "tests/unit/check_main.h"

enum { PLAIN_MAX = 2100 };

static const uint8_t nonce[MY_AUTH_NONCE + 1] = "abcdefghijklmnopqrst";
static const struct my_auth_way open_way, key_way = {.takes_key = true}, private_way = {.is_private = true},
                                                  both_ways = {.is_private = true, .takes_key = true};
static struct err err;
static struct writer out;
static uint8_t storage[MY_AUTH_ANSWER_MAX];
static EVP_PKEY *server_key; /* of 2048 bits; made once: it takes long */

static void fresh(void) {
    memset(&err, 0, sizeof err);
    writer_init_fixed(&out, storage, sizeof storage);
}

static struct bytes from_hex(const char *hex, uint8_t *into) {
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &value), 1);
        into[i] = (uint8_t)value;
    }
    return bytes_of(into, len);
}

/* ---- both sides: vectors ---- */

static char long_password[2049];

static const struct vector {
    const char *password, *nonce, *native, *sha2, *stored;
} vectors[] = {
    {"secret", "6162636465666768696a6b6c6d6e6f7071727374", "8817c50fa779daef010ee7577825b0847df9842e",
     "c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"},
    {"secret", "ffffffffffffffffffff00000000000000000000", "df7f4edde7e675127c393c0bbb1e9ca0d32dc0d2",
     "85302a34824d0646b14a4b992cd206e0ed0cdeb104148427efcde438ec966cc4", "*14e65567abdb5135d0cfd9a70b3032c179a49ee7"},
    {"x", "0102030405060708090a0b0c0d0e0f1011121314", "d6735703ddb55a10a902fa57c33fe543b1f57040",
     "6de9055332ab03b0277f5c582964cf1404aff68d7b3c26f9aa6aa1f2caeae10d", "*B69027D44F6E5EDC07F1AEAD1477967B16F28227"},
    {"p\xc3\xa4ssw\xc3\xb6rd \xf0\x9f\x90\x98", "6162636465666768696a6b6c6d6e6f7071727374",
     "b619843abe324f724c5c8679d9083e8189e21206",
     "a0b253c587640e81d7c8eb2506784bb21fd6e5bbf06608b7a617260cef77eee7", "*A1C07BF4366640DAB21C21AAF4F422EB76E3B9E5"},
    {long_password, "0102030405060708090a0b0c0d0e0f1011121314", "b0069e1bf8c64c38e48c5f8413ebf4a85664a4c7",
     "157ea4775d6331d3338462c4d83e364d7b1272ee1b0371f22d8fd3be678d7754", "*F7957DA1D55B66748DB215EACD2904285E25A575"},
};

static const struct vector *take_vector(int i) {
    memset(long_password, 'x', sizeof long_password - 1);
    return &vectors[i];
}

static bool is_right(enum my_auth_plugin plugin, const char *password, const uint8_t *of_nonce, struct bytes answer) {
    bool is_it = true;
    ck_assert(my_auth_check(plugin, password, of_nonce, answer, &is_it, &err));
    return is_it;
}

static bool is_right_stored(const struct my_auth_stored *stored, const uint8_t *of_nonce, struct bytes answer) {
    bool is_it = true;
    ck_assert(my_auth_check_stored(stored, of_nonce, answer, &is_it, NULL, &err));
    return is_it;
}

START_TEST(vectors_of_both_plugins) {
    const struct vector *v = take_vector(_i);
    uint8_t of_nonce[MY_AUTH_NONCE], expected[MY_AUTH_SHA2_LEN];
    from_hex(v->nonce, of_nonce);
    for (enum my_auth_plugin plugin = MY_AUTH_NATIVE; plugin <= MY_AUTH_SHA2; plugin++) {
        struct my_auth_client c;
        struct bytes answer = from_hex(plugin == MY_AUTH_SHA2 ? v->sha2 : v->native, expected);
        writer_reset(&out);
        ck_assert_int_eq(my_auth_client_begin(&c, bytes_str(my_auth_plugin_name(plugin)), bytes_of(of_nonce, sizeof of_nonce),
                                              v->password, NULL, &open_way, &out, &err), MY_AUTH_SEND);
        ck_assert(bytes_equal(writer_bytes(&out), answer));
        ck_assert(is_right(plugin, v->password, of_nonce, answer));
        ck_assert(!is_right(plugin, "", of_nonce, answer));
        ck_assert(!is_right(plugin, "Secret", of_nonce, answer));
    }
    ck_assert(!err_is_set(&err));
}
END_TEST

START_TEST(stored_hashes_check_answers) {
    const struct vector *v = take_vector(_i);
    uint8_t of_nonce[MY_AUTH_NONCE], bytes[MY_AUTH_SHA2_LEN];
    struct my_auth_stored stored, made;
    from_hex(v->nonce, of_nonce);
    ck_assert(my_auth_stored_parse(bytes_str(v->stored), &stored));
    ck_assert(my_auth_stored_derive(v->password, &made, &err));
    ck_assert_mem_eq(&stored, &made, sizeof made);
    struct bytes answer = from_hex(v->native, bytes);
    ck_assert(is_right_stored(&stored, of_nonce, answer));
    ck_assert(!is_right_stored(&stored, of_nonce, bytes_of(NULL, 0)));
    ck_assert(!is_right_stored(&stored, of_nonce, bytes_of(stored.hash, sizeof stored.hash)));
    for (size_t i = 0; i < answer.len; i++) {
        ck_assert(!is_right_stored(&stored, of_nonce, bytes_of(bytes, i)));
        bytes[i] ^= 0x10;
        ck_assert(!is_right_stored(&stored, of_nonce, answer));
        bytes[i] ^= 0x10;
    }
    ck_assert(!is_right_stored(&stored, of_nonce, bytes_of(bytes, answer.len + 1)));
    of_nonce[19] ^= 1; /* heard elsewhere */
    ck_assert(!is_right_stored(&stored, of_nonce, answer));
}
END_TEST

START_TEST(wrong_answers) {
    for (enum my_auth_plugin plugin = MY_AUTH_NATIVE; plugin <= MY_AUTH_SHA2; plugin++) {
        uint8_t bytes[MY_AUTH_SHA2_LEN + 1] = {0};
        struct bytes answer = from_hex(plugin == MY_AUTH_SHA2 ? vectors[0].sha2 : vectors[0].native, bytes);
        for (size_t i = 0; i < answer.len; i++) {
            ck_assert(!is_right(plugin, "secret", nonce, bytes_of(bytes, i))); /* cut */
            bytes[i] ^= 1;
            ck_assert(!is_right(plugin, "secret", nonce, answer));
            bytes[i] ^= 1;
        }
        ck_assert(!is_right(plugin, "secret", nonce, bytes_of(bytes, answer.len + 1)));
        ck_assert(!is_right(plugin, "secret", nonce, bytes_of("secret", 7)));
        ck_assert(!is_right(plugin, "secret", (const uint8_t *)"abcdefghijklmnopqrsu", answer));
        ck_assert(is_right(plugin, "secret", nonce, answer));
    }
}
END_TEST

START_TEST(empty_passwords) {
    uint8_t zero[MY_AUTH_SHA2_LEN] = {0};
    for (enum my_auth_plugin plugin = MY_AUTH_NATIVE; plugin <= MY_AUTH_SHA2; plugin++) {
        ck_assert(is_right(plugin, "", nonce, bytes_of(NULL, 0)));
        ck_assert(!is_right(plugin, "secret", nonce, bytes_of(NULL, 0)));
        ck_assert(!is_right(plugin, "secret", nonce, bytes_of(zero, 1)));
        ck_assert_int_eq(is_right(plugin, "", nonce, bytes_of(zero, 1)), plugin == MY_AUTH_SHA2);
        ck_assert(!is_right(plugin, "", nonce, bytes_of("\1", 1)));
        ck_assert(!is_right(plugin, "", nonce, bytes_of(zero, 2)));
        ck_assert(!is_right(plugin, "", nonce, bytes_of(zero, sizeof zero)));
    }
    /* What would be the answer of the hash of nothing is not taken either. */
    struct my_auth_stored none;
    ck_assert(my_auth_stored_parse(bytes_str("*BE1BDEC0AA74B4DCB079943E70528096CCA985F8"), &none));
    ck_assert(!is_right_stored(&none, nonce, bytes_of(NULL, 0)));
}
END_TEST

/* Which is all that a server's next question by the same plugin takes, and of no use for others. */
START_TEST(a_right_answer_tells_what_servers_take) {
    const struct vector *v = take_vector(_i);
    uint8_t of_nonce[MY_AUTH_NONCE], bytes[MY_AUTH_SHA2_LEN], longer[MY_AUTH_NONCE_MAX] = {0};
    struct my_auth_stored stored;
    struct my_auth_keys keys = {.is_set = false};
    struct my_auth_client c;
    bool is_it = false;
    from_hex(v->nonce, of_nonce);
    struct bytes answer = from_hex(v->native, bytes), elsewhere = bytes_of(nonce, MY_AUTH_NONCE);
    ck_assert(my_auth_stored_parse(bytes_str(v->stored), &stored));
    bytes[0] ^= 1;
    ck_assert(my_auth_check_stored(&stored, of_nonce, answer, &is_it, &keys, &err) && !is_it && !keys.is_set);
    bytes[0] ^= 1;
    ck_assert(my_auth_check_stored(&stored, of_nonce, answer, &is_it, &keys, &err) && is_it && keys.is_set);
    ck_assert_str_eq(keys.password, "");
    ck_assert_int_eq(my_auth_client_begin(&c, bytes_str("mysql_native_password"), elsewhere, "", keys.native, &open_way, &out, &err),
                     MY_AUTH_SEND);
    ck_assert(is_right(MY_AUTH_NATIVE, v->password, nonce, writer_bytes(&out)));
    for (enum my_auth_plugin plugin = MY_AUTH_NATIVE + 1; plugin < MY_AUTH_OTHER; plugin++) {
        fresh();
        ck_assert_int_eq(my_auth_client_begin(&c, bytes_str(my_auth_plugin_name(plugin)), bytes_of(longer, my_auth_nonce_len(plugin)), "",
                                              keys.native, &both_ways, &out, &err), MY_AUTH_FAILED);
        ck_assert_int_eq(out.len, 0);
        ck_assert_ptr_nonnull(strstr(err.message, my_auth_plugin_name(plugin)));
        ck_assert_int_eq(my_auth_client_more(&c, bytes_of("\4", 1), "", &both_ways, &out, &err), MY_AUTH_FAILED);
    }
}
END_TEST

START_TEST(stored_hashes_are_parsed_to_the_letter) {
    static const char *const wrong[] = {
        "", "*", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE70",
        "14E65567ABDB5135D0CFD9A70B3032C179A49EE70", "*14E65567ABDB5135D0CFD9A70B3032C179A49EEG",
        "*/4E65567ABDB5135D0CFD9A70B3032C179A49EE7", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE:",
        "*14E65567ABDB5135D0CFD9A70B3032C179A49EE@", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE`",
        "* 4E65567ABDB5135D0CFD9A70B3032C179A49EE7", "**4E65567ABDB5135D0CFD9A70B3032C179A49EE7",
    };
    struct my_auth_stored stored, mixed;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(!my_auth_stored_parse(bytes_str(wrong[i]), &stored), "%s", wrong[i]);
    ck_assert(!my_auth_stored_parse(bytes_of("*14E65567ABDB5135D0CFD9A70B3032C179A49EE\0", MY_AUTH_STORED_LEN), &stored));
    ck_assert(my_auth_stored_parse(bytes_str("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"), &stored));
    ck_assert(my_auth_stored_parse(bytes_str("*14e65567ABDB5135d0cfd9a70b3032c179a49ee7"), &mixed));
    ck_assert_mem_eq(&stored, &mixed, sizeof mixed);
}
END_TEST

START_TEST(nonces_hold_nothing_that_clients_stumble_over) {
    for (int value = 0; value < 256; value++) {
        uint8_t random[MY_AUTH_NONCE], made[MY_AUTH_NONCE];
        memset(random, 'r', sizeof random);
        random[value % MY_AUTH_NONCE] = (uint8_t)value;
        my_auth_nonce(made, random);
        for (size_t i = 0; i < sizeof made; i++) ck_assert(made[i] > 0 && made[i] < 128 && made[i] != '$');
        ck_assert_int_eq(made[(value + 1) % MY_AUTH_NONCE], 'r'); /* each by its own byte */
    }
}
END_TEST

START_TEST(plugins_by_name) {
    static const char *const others[] = {
        "", "mysql_clear_password", "dialog", "sha256_passwor", "ed25519", "parsec", "mysql_old_password", "auth_gssapi_client",
        "MYSQL_NATIVE_PASSWORD", "caching_sha2_password?", "mysql_native_passwor",
    };
    for (enum my_auth_plugin plugin = MY_AUTH_NATIVE; plugin < MY_AUTH_OTHER; plugin++)
        ck_assert_int_eq(my_auth_plugin_of(bytes_str(my_auth_plugin_name(plugin))), plugin);
    ck_assert_ptr_null(my_auth_plugin_name(MY_AUTH_OTHER));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct my_auth_client c;
        fresh();
        ck_assert_int_eq(my_auth_plugin_of(bytes_str(others[i])), MY_AUTH_OTHER);
        ck_assert_int_eq(my_auth_client_begin(&c, bytes_str(others[i]), bytes_of(nonce, 20), "secret", NULL, &open_way, &out, &err),
                         MY_AUTH_FAILED);
        ck_assert_int_eq(out.len, 0);
        ck_assert_str_eq(err.sqlstate, ERR_CANNOT_CONNECT);
        ck_assert_ptr_nonnull(strstr(err.message, others[i]));
        ck_assert_int_eq(my_auth_client_more(&c, bytes_of("\4", 1), "secret", &both_ways, &out, &err), MY_AUTH_FAILED);
        ck_assert_int_eq(out.len, 0);
    }
    struct my_auth_client c;
    char name[300];
    memset(name, '\n', sizeof name);
    ck_assert_int_eq(my_auth_client_begin(&c, bytes_of(name, sizeof name), bytes_of(nonce, 20), "s", NULL, &open_way, &out, &err),
                     MY_AUTH_FAILED);
    ck_assert_ptr_null(strchr(err.message, '\n'));
    ck_assert_ptr_nonnull(strstr(err.message, "mysql_native_password")); /* what to do is not cut off */
}
END_TEST

/* ---- client side ---- */

static enum my_auth_step begin(struct my_auth_client *c, const char *plugin, const char *password) {
    return my_auth_client_begin(c, bytes_str(plugin), bytes_of(nonce, sizeof nonce), password, NULL, &open_way, &out, &err);
}

static enum my_auth_step more(struct my_auth_client *c, struct bytes data, const char *password, const struct my_auth_way *way) {
    writer_reset(&out);
    return my_auth_client_more(c, data, password, way, &out, &err);
}

static struct my_auth_client begun(const char *password) {
    struct my_auth_client c;
    ck_assert_int_eq(begin(&c, "caching_sha2_password", password), MY_AUTH_SEND);
    return c;
}

#define FAILS(step, what) \
    do { \
        ck_assert_int_eq(step, MY_AUTH_FAILED); \
        ck_assert_int_eq(writer_bytes(&out).len, 0); \
        ck_assert_msg(strstr(err.message, what) != NULL, "%s", err.message); \
    } while (0)

START_TEST(nonces_of_servers) {
    static const uint8_t bytes[24] = "abcdefghijklmnopqrst\0\0\0";
    struct bytes native = bytes_str("mysql_native_password");
    struct my_auth_client c;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        fresh();
        enum my_auth_step step = my_auth_client_begin(&c, native, bytes_of(bytes, len), "secret", NULL, &open_way, &out, &err);
        if (len == 20 || len == 21) ck_assert_int_eq(step, MY_AUTH_SEND);
        else FAILS(step, "nonce");
    }
    fresh();
    FAILS(my_auth_client_begin(&c, native, bytes_str("abcdefghijklmnopqrstu"), "secret", NULL, &open_way, &out, &err), "nonce");
}
END_TEST

START_TEST(a_right_scramble_is_accepted) {
    struct my_auth_client c = begun("secret");
    ck_assert_int_eq(more(&c, bytes_of("\3", 1), "secret", &open_way), MY_AUTH_NOTHING);
    ck_assert(c.is_accepted && !c.is_password_sent);
    ck_assert_int_eq(out.len, 0);
    FAILS(more(&c, bytes_of("\3", 1), "secret", &both_ways), "wrong order");
}
END_TEST

START_TEST(the_whole_password_goes_private_ways_only) {
    struct my_auth_client c = begun("secret");
    ck_assert_int_eq(more(&c, bytes_of("\4", 1), "secret", &both_ways), MY_AUTH_SEND);
    ck_assert(bytes_equal(writer_bytes(&out), bytes_of("secret", 7)));
    ck_assert(c.is_password_sent && !c.awaits_key);
    c = begun("secret");
    ck_assert_int_eq(more(&c, bytes_of("\4", 1), "secret", &private_way), MY_AUTH_SEND);
    ck_assert(bytes_equal(writer_bytes(&out), bytes_of("secret", 7)));
    c = begun("secret");
    FAILS(more(&c, bytes_of("\4", 1), "secret", &open_way), "server_tls");
    ck_assert_ptr_nonnull(strstr(err.message, "unix socket)"));
    FAILS(more(&c, bytes_of("\4", 1), "secret", &both_ways), "wrong order"); /* a login that has failed stays so */
}
END_TEST

START_TEST(native_never_says_more) {
    static const char *const asks[] = {"\3", "\4", "\2", "", "-----BEGIN PUBLIC KEY-----\n"};
    for (size_t i = 0; i < COUNT_OF(asks); i++) {
        struct my_auth_client c;
        ck_assert_int_eq(begin(&c, "mysql_native_password", "secret"), MY_AUTH_SEND);
        FAILS(more(&c, bytes_str(asks[i]), "secret", &both_ways), "authentication plugin");
    }
}
END_TEST

START_TEST(a_nonce_is_signed) {
    static const uint8_t bytes[ED25519_NONCE + 2] = "abcdefghijklmnopqrstuvwxyz012345";
    static const char *const asks[] = {"\3", "\4", "\2", "", "-----BEGIN PUBLIC KEY-----\n"};
    struct bytes plugin = bytes_str("client_ed25519");
    struct ed25519_key key;
    struct my_auth_client c;
    ck_assert(ed25519_derive(bytes_str("secret"), &key));
    for (size_t len = 0; len <= sizeof bytes; len++) {
        fresh();
        enum my_auth_step step = my_auth_client_begin(&c, plugin, bytes_of(bytes, len), "secret", NULL, &open_way, &out, &err);
        if (len != ED25519_NONCE && len != ED25519_NONCE + 1) {
            FAILS(step, "nonce");
            continue;
        }
        ck_assert_int_eq(step, MY_AUTH_SEND);
        ck_assert(ed25519_check(&key, bytes, writer_bytes(&out)));
        for (size_t i = 0; i < COUNT_OF(asks); i++) FAILS(more(&c, bytes_str(asks[i]), "secret", &both_ways), "authentication plugin");
    }
}
END_TEST

static enum my_auth_step begin_sha256(struct my_auth_client *c, const struct my_auth_way *way) {
    fresh();
    return my_auth_client_begin(c, bytes_str("sha256_password"), bytes_of(nonce, sizeof nonce), "secret", NULL, way, &out, &err);
}

START_TEST(sha256_says_the_password_at_once_or_asks_for_the_key) {
    struct my_auth_client c;
    ck_assert_int_eq(begin_sha256(&c, &private_way), MY_AUTH_SEND);
    ck_assert(bytes_equal(writer_bytes(&out), bytes_of("secret", 7)));
    ck_assert(c.is_password_sent && !c.awaits_key);
    FAILS(more(&c, bytes_of("\4", 1), "secret", &private_way), "wrong order");
    FAILS(begin_sha256(&c, &open_way), "server_tls");
    FAILS(more(&c, bytes_of("\4", 1), "secret", &both_ways), "wrong order");
    for (int i = 0; i < 2; i++) { /* a unix socket takes both, and the server wants the key there */
        const struct my_auth_way *way = i ? &both_ways : &key_way;
        ck_assert_int_eq(begin_sha256(&c, way), MY_AUTH_SEND);
        ck_assert(bytes_equal(writer_bytes(&out), bytes_of("\1", 1)));
        ck_assert(c.awaits_key && !c.is_password_sent);
        FAILS(more(&c, bytes_of("\4", 1), "secret", way), "no such key");
        FAILS(more(&c, bytes_of("\4", 1), "secret", way), "wrong order");
    }
}
END_TEST

START_TEST(an_empty_password_is_never_sent) {
    static const uint8_t longest[MY_AUTH_NONCE_MAX];
    for (enum my_auth_plugin plugin = MY_AUTH_NATIVE; plugin < MY_AUTH_OTHER; plugin++) {
        struct my_auth_client c;
        for (const char *ask = "\3\4"; *ask; ask++) {
            ck_assert_int_eq(my_auth_client_begin(&c, bytes_str(my_auth_plugin_name(plugin)),
                                                  bytes_of(longest, my_auth_nonce_len(plugin)), "", NULL, &open_way, &out, &err),
                             MY_AUTH_SEND);
            ck_assert_int_eq(out.len, 0);
            FAILS(more(&c, bytes_of(ask, 1), "", &both_ways), plugin == MY_AUTH_SHA2 || plugin == MY_AUTH_SHA256 ? "wrong order" : "plugin");
        }
    }
}
END_TEST

START_TEST(malformed_messages) {
    static const struct bytes wrong[] = {{(const uint8_t *)"", 0},     {(const uint8_t *)"\0", 1},   {(const uint8_t *)"\1", 1},
                                         {(const uint8_t *)"\2", 1},   {(const uint8_t *)"\5", 1},   {(const uint8_t *)"\xfe", 1},
                                         {(const uint8_t *)"\4\4", 2}, {(const uint8_t *)"\3\0", 2}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct my_auth_client c = begun("secret");
        FAILS(more(&c, wrong[i], "secret", &both_ways), "message of caching_sha2_password");
    }
    struct my_auth_client never = {.plugin = MY_AUTH_SHA2};
    FAILS(more(&never, bytes_of("\4", 1), "secret", &both_ways), "wrong order");
}
END_TEST

START_TEST(no_room_is_an_error) {
    struct my_auth_client c;
    for (size_t room = 0; room <= MY_AUTH_SHA2_LEN; room++) {
        writer_init_fixed(&out, storage, room);
        ck_assert_int_eq(begin(&c, "caching_sha2_password", "secret"), room < MY_AUTH_SHA2_LEN ? MY_AUTH_FAILED : MY_AUTH_SEND);
    }
    writer_init_fixed(&out, storage, 6);
    FAILS(more(&c, bytes_of("\4", 1), "secret", &private_way), "no room");
}
END_TEST

/* ---- RSA ---- */

/* A public key with a modulus of so many bits, which nobody can decrypt by. */
static EVP_PKEY *key_of_bits(int bits) {
    BIGNUM *n = BN_new(), *e = BN_new();
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    ck_assert(n && e && build && ctx && BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) && BN_set_word(e, 65537));
    ck_assert(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    ck_assert(EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(e);
    return key;
}

enum form { PUBLIC_FORM, PRIVATE_FORM, PKCS1_FORM };

static struct bytes pem_of(EVP_PKEY *key, enum form form, const char *before, const char *behind) {
    static char text[8192];
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert(BIO_puts(bio, before) >= 0);
    if (form == PRIVATE_FORM) ck_assert(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    else if (form == PUBLIC_FORM) ck_assert(PEM_write_bio_PUBKEY(bio, key) == 1);
    else {
        unsigned char *der = NULL;
        int len = i2d_PublicKey(key, &der);
        ck_assert(len > 0 && PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, len) > 0);
        OPENSSL_free(der);
    }
    ck_assert(BIO_puts(bio, behind) >= 0);
    size_t len = (size_t)BIO_get_mem_data(bio, &data);
    ck_assert_uint_lt(len, sizeof text);
    memcpy(text, data, len);
    BIO_free(bio);
    return bytes_of(text, len);
}

static struct my_auth_client awaiting_of_sha256(void) {
    struct my_auth_client c;
    ck_assert_int_eq(begin_sha256(&c, &key_way), MY_AUTH_SEND);
    return c;
}

static struct my_auth_client awaiting(const char *password) {
    struct my_auth_client c = begun(password);
    ck_assert_int_eq(more(&c, bytes_of("\4", 1), password, &key_way), MY_AUTH_SEND);
    ck_assert(bytes_equal(writer_bytes(&out), bytes_of("\2", 1)));
    ck_assert(c.awaits_key && !c.is_password_sent);
    return c;
}

/* As a server: decrypts by OAEP with SHA-1, and takes the nonce off again. */
static struct bytes decrypt(struct bytes cipher, uint8_t *plain) {
    size_t len = PLAIN_MAX;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(server_key, NULL);
    ck_assert(ctx && EVP_PKEY_decrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1);
    ck_assert_int_eq(EVP_PKEY_decrypt(ctx, plain, &len, cipher.ptr, cipher.len), 1);
    EVP_PKEY_CTX_free(ctx);
    for (size_t i = 0; i < len; i++) plain[i] ^= nonce[i % 20];
    return bytes_of(plain, len);
}

START_TEST(the_password_goes_by_the_servers_key) {
    static const char *const behind[] = {"", "\n", " \t\r\n\v\f\n"};
    static const char password[] = "more than twenty bytes long";
    uint8_t plain[PLAIN_MAX];
    for (size_t i = 0; i < COUNT_OF(behind); i++) {
        struct my_auth_client c = awaiting(password);
        ck_assert_int_eq(more(&c, pem_of(server_key, PUBLIC_FORM, "", behind[i]), password, &key_way), MY_AUTH_SEND);
        ck_assert_int_eq(out.len, 256);
        ck_assert(bytes_equal(decrypt(writer_bytes(&out), plain), bytes_of(password, sizeof password)));
        ck_assert(c.is_password_sent && !c.is_accepted);
        FAILS(more(&c, pem_of(server_key, PUBLIC_FORM, "", ""), password, &key_way), "wrong order");
    }
}
END_TEST

START_TEST(the_same_for_sha256) {
    uint8_t plain[PLAIN_MAX];
    struct my_auth_client c = awaiting_of_sha256();
    ck_assert_int_eq(more(&c, pem_of(server_key, PUBLIC_FORM, "", "\n"), "secret", &key_way), MY_AUTH_SEND);
    ck_assert(bytes_equal(decrypt(writer_bytes(&out), plain), bytes_of("secret", 7)));
    ck_assert(c.is_password_sent && !c.is_accepted);
    FAILS(more(&c, bytes_of("\3", 1), "secret", &key_way), "wrong order");
}
END_TEST

START_TEST(the_longest_password_for_a_key) {
    char password[215];
    uint8_t plain[PLAIN_MAX];
    memset(password, 'p', sizeof password);
    password[213] = '\0'; /* 256 bytes of key, 42 of padding, and the NUL */
    struct my_auth_client c = awaiting(password);
    ck_assert_int_eq(more(&c, pem_of(server_key, PUBLIC_FORM, "", ""), password, &key_way), MY_AUTH_SEND);
    ck_assert(bytes_equal(decrypt(writer_bytes(&out), plain), bytes_of(password, 214)));
    password[213] = 'p', password[214] = '\0';
    c = awaiting(password);
    FAILS(more(&c, pem_of(server_key, PUBLIC_FORM, "", ""), password, &key_way), "too long for its RSA key");
}
END_TEST

START_TEST(sizes_of_keys) {
    static const struct {
        int bits;
        bool is_good;
    } cases[] = {{1024, false}, {2047, false}, {2048, true}, {4096, true}, {8192, true}, {8193, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct my_auth_client c = awaiting("secret");
        EVP_PKEY *key = key_of_bits(cases[i].bits);
        enum my_auth_step step = more(&c, pem_of(key, PUBLIC_FORM, "", ""), "secret", &key_way);
        EVP_PKEY_free(key);
        if (!cases[i].is_good) FAILS(step, "2048 to 8192 bits");
        else ck_assert(step == MY_AUTH_SEND && (int)out.len == cases[i].bits / 8);
        ck_assert_int_eq(ERR_peek_error(), 0);
    }
}
END_TEST

static void refuses_key(struct bytes text) {
    struct my_auth_client c = awaiting("secret");
    FAILS(more(&c, text, "secret", &key_way), "no such key");
    ck_assert_int_eq(ERR_peek_error(), 0);
    FAILS(more(&c, pem_of(server_key, PUBLIC_FORM, "", ""), "secret", &key_way), "wrong order"); /* no second try */
}

START_TEST(texts_of_keys_end_at_4096_bytes) {
    static char blanks[4097];
    size_t more_len = 4096 - pem_of(server_key, PUBLIC_FORM, "", "").len;
    memset(blanks, ' ', more_len);
    struct my_auth_client c = awaiting("secret");
    ck_assert_int_eq(more(&c, pem_of(server_key, PUBLIC_FORM, "", blanks), "secret", &key_way), MY_AUTH_SEND);
    blanks[more_len] = ' ';
    refuses_key(pem_of(server_key, PUBLIC_FORM, "", blanks));
}
END_TEST

START_TEST(what_is_no_key) {
    refuses_key(bytes_of(NULL, 0));
    refuses_key(bytes_of("\3", 1));
    refuses_key(bytes_of("\4", 1));
    refuses_key(pem_of(server_key, PUBLIC_FORM, "\n", ""));
    refuses_key(pem_of(server_key, PUBLIC_FORM, "note\n", ""));
    refuses_key(pem_of(server_key, PUBLIC_FORM, "", "x"));
    refuses_key(pem_of(server_key, PUBLIC_FORM, "", "-----BEGIN PUBLIC KEY-----\n"));
    struct bytes key = pem_of(server_key, PUBLIC_FORM, "", "\n");
    refuses_key(bytes_of(key.ptr, key.len - 3)); /* its last line is cut */
    refuses_key(bytes_of(key.ptr, key.len / 2));
    refuses_key(pem_of(server_key, PRIVATE_FORM, "", ""));
    refuses_key(pem_of(server_key, PKCS1_FORM, "", ""));
    EVP_PKEY *other = EVP_EC_gen("P-256");
    refuses_key(pem_of(other, PUBLIC_FORM, "", ""));
    EVP_PKEY_free(other);
    refuses_key(bytes_str("-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
                          "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END PUBLIC KEY-----\n"));
    refuses_key(bytes_str("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"));
}
END_TEST

int main(void) {
    server_key = EVP_RSA_gen(2048);
    TCase *t = tcase_create("my_auth");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, fresh, NULL);
    tcase_add_loop_test(t, vectors_of_both_plugins, 0, COUNT_OF(vectors));
    tcase_add_loop_test(t, stored_hashes_check_answers, 0, COUNT_OF(vectors));
    tcase_add_loop_test(t, a_right_answer_tells_what_servers_take, 0, COUNT_OF(vectors));
    tcase_add_test(t, wrong_answers);
    tcase_add_test(t, empty_passwords);
    tcase_add_test(t, stored_hashes_are_parsed_to_the_letter);
    tcase_add_test(t, nonces_hold_nothing_that_clients_stumble_over);
    tcase_add_test(t, plugins_by_name);
    tcase_add_test(t, nonces_of_servers);
    tcase_add_test(t, a_right_scramble_is_accepted);
    tcase_add_test(t, the_whole_password_goes_private_ways_only);
    tcase_add_test(t, native_never_says_more);
    tcase_add_test(t, a_nonce_is_signed);
    tcase_add_test(t, sha256_says_the_password_at_once_or_asks_for_the_key);
    tcase_add_test(t, an_empty_password_is_never_sent);
    tcase_add_test(t, malformed_messages);
    tcase_add_test(t, no_room_is_an_error);
    tcase_add_test(t, the_password_goes_by_the_servers_key);
    tcase_add_test(t, the_same_for_sha256);
    tcase_add_test(t, the_longest_password_for_a_key);
    tcase_add_test(t, sizes_of_keys);
    tcase_add_test(t, texts_of_keys_end_at_4096_bytes);
    tcase_add_test(t, what_is_no_key);
    int status = check_main_of("my_auth", t);
    EVP_PKEY_free(server_key);
    return status;
}
