/*
 * question.h - one password, and somebody outside of gilmok who is asked about it.
 *
 * A question is a value of its own: it holds copies of everything, so that neither a reload nor the client's leaving can take
 * anything away from the thread that works on it. One block of memory, wiped when it is freed.
 */
#ifndef GILMOK_PROXY_EXTAUTH_QUESTION_H
#define GILMOK_PROXY_EXTAUTH_QUESTION_H

#include "proxy/access/external.h"
#include "proxy/net/loop.h"

enum { EXTAUTH_DELAY_MAX_MS = 10000 };

enum extauth_result {
    EXTAUTH_FAILED, /* nobody could be asked; err says why */
    EXTAUTH_WRONG,  /* err says what the log may tell */
    EXTAUTH_RIGHT,
};

struct extauth_question {
    struct mail mail; /* to whoever asks */
    struct list node; /* in the desk's line */
    bool is_taken;    /* a thread works on it; the desk's lock */
    struct loop *answer_to;
    void *asker; /* NULL: nobody waits any more; the asker's thread alone looks at it */
    uint64_t until_us; /* by the monotonic clock: nobody waits for longer */

    enum auth_method method; /* AUTH_LDAP or AUTH_PAM */
    struct ldap_options ldap;
    struct pam_options pam;
    const char *pam_directory; /* of the service files; NULL: the system's */
    const char *user;
    const char *host; /* the client's address; "[local]" on a unix socket */
    char *password;   /* owned, secret; NULL: there is none yet */

    enum extauth_result result;
    uint32_t delay_ms; /* a wrong password is to be told after it; at most EXTAUTH_DELAY_MAX_MS */
    struct err err;

    size_t size; /* of the whole block */
};

/* Of `ldap` and `pam` the one that `method` is about. Without a password yet. NULL: memory is out. */
struct extauth_question *extauth_question_new(enum auth_method method, const struct ldap_options *ldap,
                                              const struct pam_options *pam, const char *pam_directory, const char *user,
                                              const char *host);
void extauth_question_free(struct extauth_question *q); /* NULL is fine */

/* False: memory is out. */
MUST_USE bool extauth_question_set_password(struct extauth_question *q, struct bytes password);

/* Milliseconds until q->until_us, at least 1. */
uint32_t extauth_question_left_ms(const struct extauth_question *q);

/* They take their time; each thread may run them. The result is in the question. */
void extauth_ask_ldap(struct extauth_question *q);
void extauth_ask_pam(struct extauth_question *q);

#endif
