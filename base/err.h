/*
 * err.h - what went wrong, in the words a user will read.
 *
 * Functions that can fail take a `struct err *` that stays untouched on success
 * and return a bool (or an enum) that must be used. The SQLSTATE is right for
 * both protocols; `message` says what happened, `detail` where, `hint` what to
 * do. Texts are cut at their size, never overrun. Never holds a secret.
 */
#ifndef GILMOK_BASE_ERR_H
#define GILMOK_BASE_ERR_H

#include "base/build.h"

enum {
    ERR_MESSAGE_MAX = 256,
    ERR_DETAIL_MAX = 256,
    ERR_HINT_MAX = 192,
};

struct err {
    char sqlstate[6]; /* five characters and a NUL; empty when no error is set */
    char message[ERR_MESSAGE_MAX];
    char detail[ERR_DETAIL_MAX];
    char hint[ERR_HINT_MAX];
    const char *routine; /* static; the function of the server's whose error this is, where drivers go by it; else NULL */
};

/* Sets sqlstate and message, clears the rest. Returns false, for `return err_set(...)`. */
bool err_set(struct err *e, const char *sqlstate, const char *fmt, ...) PRINTF_LIKE(3, 4);
void err_detail(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool err_is_set(const struct err *e);

/* SQLSTATEs that gilmok itself raises (PostgreSQL appendix A). */
#define ERR_CONNECTION_FAILURE "08006"
#define ERR_CANNOT_CONNECT "08001"
#define ERR_PROTOCOL_VIOLATION "08P01"
#define ERR_FEATURE_NOT_SUPPORTED "0A000"
#define ERR_INVALID_PARAMETER "22023"
#define ERR_INVALID_PASSWORD "28P01"
#define ERR_INVALID_AUTHORIZATION "28000"
#define ERR_NO_SUCH_DATABASE "3D000"
#define ERR_NO_SUCH_STATEMENT "26000"
#define ERR_SYNTAX "42601"
#define ERR_INSUFFICIENT_PRIVILEGE "42501"
#define ERR_TOO_MANY_CONNECTIONS "53300"
#define ERR_OUT_OF_MEMORY "53200"
#define ERR_LIMIT_EXCEEDED "54000"
#define ERR_QUERY_CANCELED "57014"
#define ERR_ADMIN_SHUTDOWN "57P01"
#define ERR_CANNOT_CONNECT_NOW "57P03"
#define ERR_IDLE_SESSION_TIMEOUT "57P05"
#define ERR_IDLE_IN_TRANSACTION "25P03"
#define ERR_INTERNAL "XX000"
#define ERR_CONFIG "F0000"

#endif
