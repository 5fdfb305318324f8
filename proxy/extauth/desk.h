/*
 * desk.h - threads that ask LDAP servers and PAM for the workers, whose loops must never wait for them.
 *
 *      worker --ask--> line --> thread: extauth_ask_ldap() or extauth_ask_pam()
 *      worker <--------- mail: q->mail.run ----'
 *
 * A thread is started when all others are busy, up to a number; none as long as nobody asks. Who leaves takes its question out of
 * the line, or leaves it to the thread that works on it. So the line is never longer than there are clients that log in.
 *
 * There is one desk for each method, so that a directory that does not answer keeps no PAM login waiting.
 */
#ifndef GILMOK_PROXY_EXTAUTH_DESK_H
#define GILMOK_PROXY_EXTAUTH_DESK_H

#include "proxy/extauth/question.h"

struct extauth_desk;

/* NULL: memory is out. */
struct extauth_desk *extauth_desk_new(void);

/*
 * Nobody is answered any more. Waits a moment for threads that are at work; one that is stuck in a PAM module is left alone with
 * its question and ends when it comes back. NULL is fine. False: a thread was left.
 */
MUST_USE bool extauth_desk_close(struct extauth_desk *d);

/*
 * Hands `q` over: with its password, `until_us`, `answer_to`, `asker` and `mail.run` set. The mail comes in any case, unless it is
 * forgotten; the runner frees the question. False: err says why, and it is still the caller's.
 */
MUST_USE bool extauth_desk_ask(struct extauth_desk *d, struct extauth_question *q, uint32_t threads_max, struct err *err);

/*
 * By the thread of q->answer_to: nobody waits for it any more. It is freed now, or when its mail comes: `asker`
 * is NULL then. */
void extauth_desk_forget(struct extauth_desk *d, struct extauth_question *q);

#endif
