/*
 * What gilmok itself says to a MySQL client: errors, with the numbers that MySQL's own errors of that kind have.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/session/session_my.h"

/* SQLSTATEs of gilmok's are PostgreSQL's; MySQL has numbers, and SQLSTATEs of its own. */
static const struct {
    const char *theirs;
    uint16_t number;
    const char *ours;
} numbers[] = {
    {ERR_TOO_MANY_CONNECTIONS, MY_ER_CON_COUNT, "08004"},
    {ERR_INVALID_PASSWORD, MY_ER_ACCESS_DENIED, "28000"},
    {ERR_INVALID_AUTHORIZATION, MY_ER_ACCESS_DENIED, "28000"},
    {ERR_INSUFFICIENT_PRIVILEGE, MY_ER_DBACCESS_DENIED, "42000"},
    {ERR_INVALID_PARAMETER, MY_ER_WRONG_VALUE_FOR_VAR, "42000"},
    {ERR_NO_SUCH_DATABASE, MY_ER_BAD_DB, "42000"},
    {ERR_ADMIN_SHUTDOWN, MY_ER_SERVER_SHUTDOWN, "08S01"},
    {ERR_QUERY_CANCELED, MY_ER_QUERY_INTERRUPTED, "70100"},
    {ERR_FEATURE_NOT_SUPPORTED, MY_ER_NOT_SUPPORTED_YET, "42000"},
    {ERR_PROTOCOL_VIOLATION, MY_ER_MALFORMED_PACKET, "HY000"},
    {ERR_CONNECTION_FAILURE, MY_ER_UNKNOWN, "08S01"},
    {ERR_CANNOT_CONNECT, MY_ER_UNKNOWN, "08S01"},
    {ERR_CANNOT_CONNECT_NOW, MY_ER_UNKNOWN, "08S01"},
};

/* Times that are over: an end, and nothing that a client may take for the end of its statement alone. */
static bool is_timeout(const char *sqlstate) {
    return strcmp(sqlstate, ERR_QUERY_CANCELED) == 0 || strcmp(sqlstate, ERR_IDLE_SESSION_TIMEOUT) == 0 ||
           strcmp(sqlstate, ERR_IDLE_IN_TRANSACTION) == 0 || strcmp(sqlstate, "25P04") == 0;
}

void session_my_error(struct session *s, uint16_t number, const char *sqlstate, const char *text) {
    uint8_t storage[MY_ERROR_TEXT_MAX + 32];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_err(&w, s->lessee.next_seq++, number, sqlstate, bytes_str(text));
    session_send(s, writer_bytes(&w));
}

/*
 * Its server connection has ended while it asked for nothing: it finds its own closed, as it would directly. Drivers connect anew
 * then, and would take an error for the answer to what they ask next.
 */
static bool is_found_out(const struct session *s, const struct err *err, bool is_fatal) {
    bool is_idle = s->state == SESSION_HELD && !request_is_open(&s->request);
    return is_fatal && is_idle && strcmp(err->sqlstate, ERR_CONNECTION_FAILURE) == 0;
}

void session_my_tell(struct session *s, const struct err *err, bool is_fatal) {
    char text[ERR_MESSAGE_MAX + ERR_HINT_MAX + 8];
    uint16_t number = MY_ER_UNKNOWN;
    const char *sqlstate = "HY000";
    if (is_found_out(s, err, is_fatal)) return;
    if (is_fatal && session_my_of(s)->is_compressed) session_my_compress_end(s);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (strcmp(numbers[i].theirs, err->sqlstate) != 0) continue;
        number = numbers[i].number;
        sqlstate = numbers[i].ours;
    }
    if (is_fatal && is_timeout(err->sqlstate)) {
        number = MY_ER_SERVER_SHUTDOWN;
        sqlstate = "08S01";
    }
    snprintf(text, sizeof text, "%s%s%s", err->message, err->hint[0] ? ". " : "", err->hint);
    session_my_error(s, number, sqlstate, text);
}

void session_my_fail(struct session *s, uint16_t number, const char *sqlstate, const char *fmt, ...) {
    char label[192], message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    log_line(LOG_INFO, "session", session_label(s, label), "ended: %s", message);
    bool has_place = !s->lessee.backend || !s->lessee.backend->is_reply_cut; /* not inside of a packet: it would become its rest */
    if (has_place) session_my_error(s, number, sqlstate, message);
    session_leave(s, message);
}
