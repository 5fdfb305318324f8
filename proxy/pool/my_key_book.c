/*
 * The book of learned keys; owns every one of them.
 */
#include "proxy/pool/my_key_book.h"

#include "base/fault.h"
#include "proxy/auth/secret.h"

struct my_key_entry {
    struct my_auth_stored native; /* what is stored: one of both, the other is zero */
    struct sha_crypt sha2;
    struct my_auth_keys keys;
};

void my_key_book_init(struct my_key_book *b) {
    pthread_mutex_init(&b->lock, NULL);
    map_init(&b->users);
}

static void free_entry(struct my_key_entry *e) {
    secret_wipe(e, sizeof *e);
    mem_free(e);
}

void my_key_book_release(struct my_key_book *b) {
    struct bytes name;
    void *value;
    for (size_t at = 0; map_next(&b->users, &at, &name, &value);) free_entry(value);
    map_release(&b->users);
    pthread_mutex_destroy(&b->lock);
}

static bool is_of(const struct my_key_entry *e, const struct user_secret *secret) {
    return secret_equal(&e->native, &secret->native, sizeof e->native) && secret_equal(&e->sha2, &secret->sha2, sizeof e->sha2);
}

static bool has_hash(const struct user_secret *secret) {
    return secret->has_native || secret->has_sha2;
}

static struct my_key_entry *entry_of(struct my_key_book *b, struct bytes user) {
    struct my_key_entry *e = map_get(&b->users, user);
    if (e) return e;
    e = mem_alloc(sizeof *e);
    if (e && map_put(&b->users, user, e)) return e;
    mem_free(e);
    return NULL;
}

void my_key_book_learn(struct my_key_book *b, struct bytes user, const struct user_secret *secret,
                       const struct my_auth_keys *keys) {
    INVARIANT(secret && has_hash(secret) && keys->is_set);
    pthread_mutex_lock(&b->lock);
    struct my_key_entry *e = entry_of(b, user);
    if (e) *e = (struct my_key_entry){secret->native, secret->sha2, *keys};
    pthread_mutex_unlock(&b->lock);
}

bool my_key_book_find(struct my_key_book *b, struct bytes user, const struct user_secret *secret, struct my_auth_keys *out) {
    if (secret && !has_hash(secret)) return false;
    pthread_mutex_lock(&b->lock);
    const struct my_key_entry *e = map_get(&b->users, user);
    bool is_found = e && (!secret || is_of(e, secret));
    if (is_found) *out = e->keys;
    pthread_mutex_unlock(&b->lock);
    return is_found;
}
