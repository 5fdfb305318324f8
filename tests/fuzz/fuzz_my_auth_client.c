/*
 * fuzz_my_auth_client.c - a MySQL server that gilmok logs in to: a byte that says which way leads there and which password is known,
 * then what the server says of passwords, with 0xff between its messages. The first one, and those that begin with 0xfe, name a plugin
 * and a nonce with a NUL between them; of all others the first byte is skipped, as the 0x01 is by who reads packets.
 * The same bytes are taken for a client's answers and for stored hashes.
 */
#include <openssl/err.h>

#include "proxy/auth/my_auth.h"
#include "tests/fuzz/fuzz.h"

enum { PRIVATE_BIT = 1, KEY_BIT = 2, PASSWORD_SHIFT = 2, PART_LEN = 8 };

static const char *choose_password(uint8_t options) {
    static char longest[2049];
    static const char *const passwords[] = {"correct horse battery", "", longest, "staple"};
    memset(longest, 'x', sizeof longest - 1);
    return passwords[options >> PASSWORD_SHIFT & 3];
}

/* What stands before the next 0xff. */
static struct bytes take_message(struct bytes *rest) {
    const uint8_t *end = rest->len ? memchr(rest->ptr, 0xff, rest->len) : NULL;
    struct bytes message = bytes_of(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
    *rest = end ? bytes_of(end + 1, rest->len - message.len - 1) : bytes_of(NULL, 0);
    return message;
}

/* A part of the password at any place of it would be one too many; short ones are looked for whole. */
static bool tells(struct bytes said, const char *password) {
    size_t len = strlen(password), part = len < PART_LEN ? len : PART_LEN;
    for (size_t at = 0; len > 0 && at + part <= len; at++)
        if (memmem(said.ptr, said.len, password + at, part)) return true;
    return false;
}

static void check_answer(const struct my_auth_client *c, enum my_auth_step step, struct bytes said, const char *password,
                         const struct my_auth_way *way) {
    if (step != MY_AUTH_SEND) PROMISE(said.len == 0);
    PROMISE(said.len <= MY_AUTH_ANSWER_MAX);
    if (!way->is_private) PROMISE(said.len == 0 || !tells(said, password));
    if (c->is_password_sent && step == MY_AUTH_SEND) {
        bool takes_it_open = way->is_private && !(c->plugin == MY_AUTH_SHA256 && way->takes_key);
        PROMISE((c->plugin == MY_AUTH_SHA2 || c->plugin == MY_AUTH_SHA256) && (way->is_private || way->takes_key));
        if (takes_it_open) PROMISE(bytes_equal(said, bytes_of(password, strlen(password) + 1)));
        else PROMISE(said.len >= 256 && said.len <= 1024);
    }
    if (*password == '\0') PROMISE(said.len == 0);
    PROMISE(ERR_peek_error() == 0);
}

/* The same as a server: what was answered is right there, by the password and by its stored hash. */
static void check_as_server(const struct my_auth_client *c, struct bytes said, const char *password) {
    struct my_auth_keys keys = {.is_set = false};
    struct my_auth_stored stored;
    struct err err = {0};
    bool is_right = false;
    uint8_t nonce[MY_AUTH_NONCE];
    if (c->plugin == MY_AUTH_SHA256) return; /* it proves nothing */
    if (c->plugin == MY_AUTH_ED25519) {
        struct ed25519_key key;
        PROMISE(ed25519_derive(bytes_str(password), &key));
        PROMISE(ed25519_check(&key, c->nonce, said) == (*password != '\0'));
        return;
    }
    PROMISE(my_auth_check(c->plugin, password, c->nonce, said, &is_right, &err) && is_right);
    PROMISE(my_auth_stored_derive(password, &stored, &err));
    PROMISE(my_auth_check_stored(&stored, c->nonce, said, &is_right, &keys, &err));
    PROMISE(is_right == (c->plugin == MY_AUTH_NATIVE && *password));
    PROMISE(keys.is_set == is_right);
    my_auth_nonce(nonce, c->nonce);
    for (size_t i = 0; i < sizeof nonce; i++) PROMISE(nonce[i] > 0 && nonce[i] < 128 && nonce[i] != '$');
}

/* A message taken for a client's answer, and for a stored hash. */
static void read_as_server(struct bytes message, const char *password) {
    static const uint8_t nonce[MY_AUTH_NONCE] = "abcdefghijklmnopqrst", signed_nonce[ED25519_NONCE];
    struct my_auth_stored stored;
    struct ed25519_key key;
    struct err err = {0};
    bool is_right = false;
    PROMISE(my_auth_check(MY_AUTH_NATIVE, password, nonce, message, &is_right, &err));
    if (is_right) PROMISE(message.len == (*password ? MY_AUTH_NATIVE_LEN : 0));
    PROMISE(my_auth_check(MY_AUTH_SHA2, password, nonce, message, &is_right, &err));
    if (is_right) PROMISE(*password ? message.len == MY_AUTH_SHA2_LEN : message.len <= 1);
    if (ed25519_key_parse(message, &key)) PROMISE(message.len == ED25519_STORED_LEN);
    PROMISE(ed25519_derive(bytes_str(password), &key) && !ed25519_check(&key, signed_nonce, message));
    if (my_auth_stored_parse(message, &stored)) PROMISE(message.len == MY_AUTH_STORED_LEN && message.ptr[0] == '*');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t storage[MY_AUTH_ANSWER_MAX];
    if (size == 0 || !ed25519_init()) return 0;
    const char *password = choose_password(data[0]);
    struct my_auth_way way = {.is_private = data[0] & PRIVATE_BIT, .takes_key = data[0] & KEY_BIT};
    struct my_auth_client c;
    struct bytes rest = bytes_of(data + 1, size - 1);
    for (bool is_first = true; is_first || rest.len > 0; is_first = false) {
        struct writer out;
        struct err err = {0};
        enum my_auth_step step;
        struct bytes message = take_message(&rest), behind = bytes_of(NULL, 0);
        bool is_change = message.len > 0 && message.ptr[0] == 0xfe;
        if (message.len > 0 && !is_first) message = bytes_of(message.ptr + 1, message.len - 1);
        writer_init_fixed(&out, storage, sizeof storage);
        if (is_first || is_change) {
            struct bytes plugin = fuzz_cut(message, &behind);
            step = my_auth_client_begin(&c, plugin, behind, password, NULL, &way, &out, &err);
            PROMISE(step != MY_AUTH_NOTHING && (step == MY_AUTH_FAILED || c.plugin != MY_AUTH_OTHER));
            if (step == MY_AUTH_SEND) check_as_server(&c, writer_bytes(&out), password);
        } else {
            step = my_auth_client_more(&c, message, password, &way, &out, &err);
            read_as_server(message, password);
        }
        PROMISE((step == MY_AUTH_FAILED) == err_is_set(&err));
        check_answer(&c, step, writer_bytes(&out), password, &way);
    }
    return 0;
}
