/*
 * secret_book.h - secrets that a server keeps (auth_query): asked for once by whoever comes first, remembered for auth_cache.
 *
 *      nobody knows --> ASKING (logins wait here) --> FOUND or ABSENT --> old --> ASKING ...
 *
 * Each worker asks for itself. A login that fails makes what is remembered old, so that a new password counts at once; but no
 * user is asked for more than once a second. While a server cannot be asked, nobody whom only it knows gets in.
 */
#ifndef GILMOK_PROXY_SESSION_SECRET_BOOK_H
#define GILMOK_PROXY_SESSION_SECRET_BOOK_H

#include "proxy/session/lookup.h"
#include "proxy/session/session.h"

/* A login's place among those who wait for the same. */
struct secret_wait {
    struct list node;
    struct session *session;
    /* `answer`: of LOOKUP_FOUND; valid for the call; else NULL. LOOKUP_FAILED: nobody can be asked. */
    void (*on_known)(struct session *s, enum lookup_result result, const struct lookup_answer *answer);
};

void secret_wait_init(struct secret_wait *w, struct session *s,
                      void (*on_known)(struct session *s, enum lookup_result result, const struct lookup_answer *answer));
void secret_wait_release(struct secret_wait *w); /* it may wait or not */

/* Who is asked about users of the session's database; NULL: nobody is. */
const struct config_cluster *secret_book_cluster(const struct session *s);
/* Of the session's user, where there is such a cluster. on_known comes later, or before it returns. False: memory is out. */
MUST_USE bool secret_book_ask(struct session *s, struct secret_wait *w);
/* A login has failed, of which the book has told. */
void secret_book_doubt(struct session *s);

#endif
