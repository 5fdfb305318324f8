/*
 * The question to a MySQL server, and what its answer says.
 */
#include "proxy/session/lookup_my.h"

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/auth/secret.h"
#include "proxy/pool/backend_my.h"
#include "proxy/pool/login_my.h"
#include "proxy/wire/my_decode.h"
#include "proxy/wire/my_encode.h"

/* ---- the answer ---- */

enum { NEEDED = 4, LOCKED = 4, EXPIRED = 5, COLUMNS_MAX = 6, NULL_MARK = 0xfb };

/* True at success; a NULL has no pointer. */
static bool read_row(struct bytes payload, size_t count, struct bytes column[COLUMNS_MAX]) {
    struct reader r = reader_over(payload);
    for (size_t i = 0; i < count && !r.failed; i++) {
        bool is_null = reader_left(&r) && *r.pos == NULL_MARK;
        struct bytes value = is_null ? bytes_of(NULL, 0) : my_lenenc_str(&r);
        if (is_null) (void)reader_u8(&r);
        if (i < COLUMNS_MAX) column[i] = value;
    }
    return reader_done(&r);
}

/* What says no, and nothing else, is no. */
static bool is_yes(struct bytes value) {
    return value.ptr && value.len && !bytes_is(value, "N") && !bytes_is(value, "0") && !bytes_is(value, "false");
}

static bool take_row(const struct bytes column[COLUMNS_MAX], const char *user, struct accounts_my *accounts, struct err *err) {
    if (!column[0].ptr || !bytes_is(column[0], user))
        return err_set(err, ERR_CONFIG, "auth_query gives another user than the one that was asked for");
    if (accounts->count == ACCOUNTS_MY_MAX)
        return err_set(err, ERR_CONFIG, "auth_query gives more than %d accounts of one user", ACCOUNTS_MY_MAX);
    struct account_my *a = &accounts->at[accounts->count];
    if (!account_my_fill(a, column[1], column[2], column[3])) return true;
    a->is_locked = is_yes(column[LOCKED]);
    a->is_expired = is_yes(column[EXPIRED]);
    accounts->count++;
    return true;
}

static bool read_error(struct bytes payload, struct err *err) {
    struct my_error e;
    bool is_read = my_err_read(payload, &e);
    int len = !is_read ? 0 : e.text.len > 200 ? 200 : (int)e.text.len;
    return err_set(err, ERR_CANNOT_CONNECT, "auth_query failed: %.*s", len, is_read ? (const char *)e.text.ptr : "");
}

static bool is_end(struct bytes payload) {
    return payload.len && payload.ptr[0] == MY_MARK_EOF && payload.len < MY_PACKET_MAX;
}

static bool take_payload(size_t at, size_t *columns, struct bytes payload, const char *user, struct accounts_my *accounts,
                         struct err *err) {
    struct bytes column[COLUMNS_MAX] = {{0}};
    if (payload.len && payload.ptr[0] == MY_MARK_ERR) return read_error(payload, err);
    if (at == 0) {
        struct reader r = reader_over(payload);
        *columns = (size_t)my_lenenc(&r);
        if (reader_done(&r) && *columns >= NEEDED && *columns <= UINT16_MAX) return true;
        return err_set(err, ERR_CONFIG, "auth_query gives less than four columns: user, host, plugin and authentication_string");
    }
    if (at <= *columns || is_end(payload)) return true; /* definitions; the end */
    if (!read_row(payload, *columns, column)) return err_set(err, ERR_CONFIG, "the answer to auth_query is malformed");
    return take_row(column, user, accounts, err);
}

enum lookup_result lookup_my_read(struct bytes reply, const char *user, struct accounts_my *accounts, struct err *err) {
    struct my_header h;
    size_t at = 0, columns = 0;
    bool has_end = false;
    for (; my_header_read(reply, &h) && !has_end; at++) {
        if (reply.len - MY_HEADER_LEN < h.len) break;
        struct bytes payload = bytes_of(reply.ptr + MY_HEADER_LEN, h.len);
        if (!take_payload(at, &columns, payload, user, accounts, err)) return LOOKUP_FAILED;
        has_end = at > columns && is_end(payload);
        reply = bytes_of(reply.ptr + MY_HEADER_LEN + h.len, reply.len - MY_HEADER_LEN - h.len);
    }
    if (has_end && reply.len == 0) return accounts->count ? LOOKUP_FOUND : LOOKUP_ABSENT;
    err_set(err, ERR_PROTOCOL_VIOLATION, "the answer to auth_query is cut");
    return LOOKUP_FAILED;
}

static enum lookup_result read_answer(struct bytes reply, const char *user, struct lookup_answer *answer, struct err *err) {
    struct accounts_my *all = mem_alloc(accounts_my_size(ACCOUNTS_MY_MAX));
    enum lookup_result result = all ? lookup_my_read(reply, user, all, err) : LOOKUP_FAILED;
    size_t size = all ? accounts_my_size(all->count) : 0;
    if (result == LOOKUP_FOUND) answer->accounts = mem_alloc(size); /* most have one: it is remembered without the room for more */
    if (answer->accounts) memcpy(answer->accounts, all, size);
    if (!all || (result == LOOKUP_FOUND && !answer->accounts)) {
        err_set(err, ERR_OUT_OF_MEMORY, "no room for the answer to auth_query");
        result = LOOKUP_FAILED;
    }
    if (all) secret_wipe(all, size);
    mem_free(all);
    return result;
}

/* ---- the question ---- */

static void put_literal(struct writer *w, const char *user) {
    static const char digits[] = "0123456789abcdef";
    writer_str(w, "_utf8mb4 X'");
    for (const char *c = user; *c; c++) {
        writer_u8(w, (uint8_t)digits[(uint8_t)*c >> 4]);
        writer_u8(w, (uint8_t)digits[(uint8_t)*c & 15]);
    }
    writer_u8(w, '\'');
}

void lookup_my_put_query(struct writer *w, const char *query, const char *user) {
    for (const char *next; (next = strstr(query, "$1")); query = next + 2) {
        writer_put(w, bytes_of(query, (size_t)(next - query)));
        put_literal(w, user);
    }
    writer_str(w, query);
}

static const char *usual_of(const struct backend *b) {
    const struct start_my *start = backend_my_of((struct backend *)b)->start;
    struct bytes version = start ? start->fields[START_MY_VERSION] : bytes_of(NULL, 0);
    return version.len && memmem(version.ptr, version.len, "MariaDB", 7) ? LOOKUP_MARIADB_QUERY : LOOKUP_MY_QUERY;
}

static bool ask(struct backend *b, const char *query, const char *user) {
    struct writer text, w;
    writer_init(&text, LOOKUP_REPLY_MAX);
    writer_init(&w, LOOKUP_REPLY_MAX);
    lookup_my_put_query(&text, query ? query : usual_of(b), user);
    my_put_command(&w, MY_COM_QUERY, writer_bytes(&text));
    bool has_room = !text.failed && !w.failed;
    if (has_room && backend_my_note_sent(b, MY_COM_QUERY)) {
        backend_my_serve(b, LOGIN_MY_CAPS);
        stream_send(b->stream, writer_bytes(&w));
    }
    writer_release(&text);
    writer_release(&w);
    return has_room;
}

static struct bytes key(struct writer *w) {
    startup_my_put_key(w, &(struct startup_my){.collation = MY_COLLATION_UTF8MB4_GENERAL});
    return writer_bytes(w);
}

const struct lookup_proto lookup_my = {.backend = &backend_my_proto, .key = key, .ask = ask, .read = read_answer};
