/*
 * fuzz_user_file.c - the text of a user list.
 */
#include "proxy/auth/user_store.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t mock_key[32] = {1};
    struct user_store s;
    struct err err = {0};
    int line = 0;
    user_store_init(&s, mock_key);
    s.allows_md5 = size % 2 == 0;
    bool ok = user_store_parse(&s, bytes_of(data, size), &line, &err);
    PROMISE(ok != err_is_set(&err));
    if (!ok) PROMISE(line >= 1);
    size_t at = 0;
    struct bytes name;
    void *value;
    while (ok && map_next(&s.users, &at, &name, &value)) {
        const struct user_secret *secret = value;
        PROMISE(name.len > 0 && name.len <= USER_NAME_MAX);
        PROMISE(user_store_find(&s, name) == secret);
        PROMISE(secret->has_verifier + secret->has_md5 + secret->has_native + secret->has_ed25519 + secret->has_sha2 + (secret->password != NULL) == 1);
        if (secret->has_md5) PROMISE(s.allows_md5 && strlen(secret->md5.text) == MD5_TEXT_LEN);
        if (secret->password) PROMISE(strlen(secret->password) <= USER_PASSWORD_MAX);
        if (secret->has_verifier) PROMISE(secret->verifier.iterations >= 1 && secret->verifier.salt_len <= SCRAM_SALT_MAX);
    }
    user_store_release(&s);
    return 0;
}
