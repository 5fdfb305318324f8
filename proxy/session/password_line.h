/*
 * password_line.h - passwords that came whole are checked one at a time.
 *
 * Each check takes a millisecond and more (PBKDF2, or as many rounds as MySQL's hashes have). It is the one piece of a login that
 * is long enough for a flood of wrong passwords to hold up everybody whom the worker serves. So there is a line, and between two
 * checks the worker serves others for three times as long as the last one took. The line is as long as max_login_conn allows, and
 * login_timeout ends the wait.
 */
#ifndef GILMOK_PROXY_SESSION_PASSWORD_LINE_H
#define GILMOK_PROXY_SESSION_PASSWORD_LINE_H

#include "proxy/session/session.h"

struct password_turn {
    struct list node; /* in env.password_line */
    void (*on_turn)(struct password_turn *t); /* it stands in the line no more, and may be released */
};

void password_turn_init(struct password_turn *t, void (*on_turn)(struct password_turn *t));
/* False: memory is out. on_turn comes later. */
MUST_USE bool password_line_join(struct session_env *env, struct password_turn *t);
/* It may stand in the line or not. */
void password_line_leave(struct password_turn *t);

void password_line_release(struct session_env *env);

#endif
