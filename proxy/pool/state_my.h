/*
 * state_my.h - what a MySQL client has set in its session, in words that say it again on another connection. Pure.
 *
 * A list of settings: SET NAMES, system variables, user variables. NULL is the list without any: as a connection begins
 * (start_my.h). Lists are immutable and shared: a client and the connection on which it was last have the same one, so that
 * comparing them costs nothing.
 *
 * Character sets are one matter: NAMES sets three variables, and each of these may be set by itself behind it.
 */
#ifndef GILMOK_PROXY_POOL_STATE_MY_H
#define GILMOK_PROXY_POOL_STATE_MY_H

#include "base/writer.h"
#include "proxy/pool/start_my.h"
#include "routing/effect_my.h"

enum {
    STATE_MY_BYTES_MAX = 8 << 10, /* of all names and values */
    STATE_MY_NAME_MAX = 255,
    STATE_MY_WAY_MAX = 3 * STATE_MY_BYTES_MAX, /* of what brings a connection from one state to another */
};

struct state_my;

struct state_my *state_my_ref(struct state_my *s);
void state_my_unref(struct state_my *s); /* NULL is fine, here and below */
/* One that nobody else refers to; takes the caller's reference. False: memory is out, and the reference is gone. */
MUST_USE bool state_my_own(struct state_my **s);

/*
 * *s with one more setting, or another value of it, or without it (DEFAULT of what begins with the server's, NULL of a user
 * variable that has none; one that had a value keeps its type). Takes the reference in *s and leaves one there. False, and *s is as
 * it was: it cannot be said again beside the others (a string of a user variable is in the character set that was in force), there
 * are too many, or memory is out.
 */
MUST_USE bool state_my_set(struct state_my **s, const struct effect_my_setting *setting);

bool state_my_is_same(const struct state_my *a, const struct state_my *b);

/*
 * A client that began as on `from` comes to a connection that begins as `to` says: what it has not set itself is set as it has
 * found it, as far as start_my.h knows it. As state_my_set().
 */
MUST_USE bool state_my_rebase(struct state_my **s, const struct start_my *from, const struct start_my *to);

/*
 * Appends the statements, each a COM_QUERY's whole packet, that bring a connection from `from` to `to`; `start` is what both were
 * measured against. Returns how many: 0 to 2. Its system variables first, since strings of user variables follow their character
 * sets. The writer fails when it is full.
 */
unsigned state_my_put_way(struct writer *w, const struct state_my *from, const struct state_my *to, const struct start_my *start);

/* As after COM_RESET_CONNECTION, which knows no login: the character sets are the server's own. As state_my_set(). */
MUST_USE bool state_my_reset(struct state_my **s, const struct start_my *start);

/* What character_set_client is said to be, in quotes or DEFAULT, by itself or by NAMES; empty: it is as it began. */
struct bytes state_my_charset(const struct state_my *s);

/* What of a session decides what a statement is, once it is prepared. */
enum state_my_reach {
    STATE_MY_READING, /* how its text is read: sql_mode and character sets */
    STATE_MY_SETTLED, /* that, and all variables that may: MySQL settles types, and more, as it prepares (from 8.0.22 on) */
    STATE_MY_SETTLED_USERS, /* and the types of user variables */
};

/* That part of it: the same bytes where a statement is the same. */
void state_my_put_reading(struct writer *w, const struct state_my *s, enum state_my_reach reach);
/* *out: as `base`, but that part as in `reading`. One reference; NULL is the list without any. False: memory is out. */
MUST_USE bool state_my_read_as(struct state_my *base, const struct state_my *reading, enum state_my_reach reach,
                               struct state_my **out);
/* The value of a system variable, as it is said; empty: it is not set. */
struct bytes state_my_value(const struct state_my *s, const char *name);

#endif
