/*
 * my_key_book.h - what MySQL clients' logins have told of passwords that are stored as hashes, for as long as the process lives.
 *
 * A proof by mysql_native_password shows SHA1(password), which is enough to log in to servers with, by the same plugin. Who has
 * sent the whole password has told it: servers may then ask for it by any plugin, and the next proof can be a scramble. Each entry
 * is for one user (of the user file, or of a cluster) and one stored secret: with another secret in the user file it is nobody's.
 *
 * Of all workers; every call takes the lock. Secrets are wiped when they are replaced, and at the end.
 */
#ifndef GILMOK_PROXY_POOL_MY_KEY_BOOK_H
#define GILMOK_PROXY_POOL_MY_KEY_BOOK_H

#include <pthread.h>

#include "base/map.h"
#include "proxy/auth/user_store.h"

struct my_key_book {
    pthread_mutex_t lock;
    struct map users; /* name, or "cluster\0name" -> struct my_key_entry, owned */
};

void my_key_book_init(struct my_key_book *b);
void my_key_book_release(struct my_key_book *b);

/* Where memory is out it is not remembered. `secret`: what the user file holds, which the keys are right for. */
void my_key_book_learn(struct my_key_book *b, struct bytes user, const struct user_secret *secret, const struct my_auth_keys *keys);
/* Copies them to `out`, which the caller wipes. False, and `out` stays as it is: there are none for that secret (NULL: for any). */
bool my_key_book_find(struct my_key_book *b, struct bytes user, const struct user_secret *secret, struct my_auth_keys *out);

#endif
