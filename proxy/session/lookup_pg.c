/*
 * The question to a PostgreSQL server, and what its answer says.
 */
#include "proxy/session/lookup_pg.h"

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/auth/secret.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_decode.h"
#include "proxy/wire/pg_encode.h"

#define EMPTY_SEARCH_PATH "search_path\0" /* and the NUL of an empty value */

/* ---- the answer ---- */

enum { COLUMNS_MAX = 3 };

/* True at success; a NULL has no pointer. */
static bool read_row(struct bytes body, struct bytes column[COLUMNS_MAX], size_t *count) {
    struct reader r = reader_over(body);
    *count = reader_be16(&r);
    for (size_t i = 0; i < *count && !r.failed; i++) {
        uint32_t len = reader_be32(&r);
        struct bytes value = len == UINT32_MAX ? bytes_of(NULL, 0) : reader_take(&r, len);
        if (i < COLUMNS_MAX) column[i] = value;
    }
    return reader_done(&r);
}

/* PostgreSQL keeps no passwords in clear, and what else it may keep some day nobody can check. */
static bool read_secret(struct bytes text, struct user_secret *secret) {
    *secret = (struct user_secret){.password = NULL};
    secret->has_md5 = md5_verifier_parse(text, &secret->md5);
    secret->has_verifier = !secret->has_md5 && scram_verifier_parse(text, &secret->verifier);
    return secret->has_md5 || secret->has_verifier;
}

static enum lookup_result judge(const struct bytes column[COLUMNS_MAX], size_t count, const char *user, struct user_secret *secret,
                                struct err *err) {
    if (count < 2) {
        err_set(err, ERR_CONFIG, "auth_query gives less than two columns: the user's name and its secret");
    } else if (!column[0].ptr) {
        return LOOKUP_ABSENT; /* as a function answers that has found no row */
    } else if (!bytes_is(column[0], user)) {
        err_set(err, ERR_CONFIG, "auth_query gives another user than the one that was asked for");
    } else if (count >= COLUMNS_MAX && !bytes_is(column[2], "t")) {
        return LOOKUP_ABSENT;
    } else if (!column[1].ptr || column[1].len == 0) {
        return LOOKUP_ABSENT; /* it has no password: nobody can know it */
    } else if (!read_secret(column[1], secret)) { /* to the client as one that does not exist */
        err_set(err, ERR_CONFIG,
                "the secret that auth_query gives is neither a SCRAM verifier (of 100000 rounds at most) nor an md5 one");
        return LOOKUP_ABSENT;
    } else {
        return LOOKUP_FOUND;
    }
    return LOOKUP_FAILED;
}

static void read_error(struct bytes body, struct err *err) {
    struct pg_error_fields f;
    bool is_read = pg_error_read(body, &f) && f.message.ptr;
    int len = !is_read ? 0 : f.message.len > 200 ? 200 : (int)f.message.len;
    err_set(err, ERR_CANNOT_CONNECT, "auth_query failed: %.*s", len, is_read ? (const char *)f.message.ptr : "");
}

enum lookup_result lookup_pg_read(struct bytes reply, const char *user, struct user_secret *secret, struct err *err) {
    enum lookup_result result = LOOKUP_ABSENT;
    size_t rows = 0;
    for (struct pg_header h; reply.len; reply = bytes_of(reply.ptr + h.total, reply.len - h.total)) {
        struct bytes column[COLUMNS_MAX] = {{0}};
        size_t count;
        if (pg_header_read(reply, &h) != PG_FRAME_OK || h.total > reply.len) {
            err_set(err, ERR_PROTOCOL_VIOLATION, "the answer to auth_query is cut");
            return LOOKUP_FAILED;
        }
        struct bytes body = bytes_of(reply.ptr + PG_HEADER_LEN, h.body_len);
        if (h.type == PG_B_ERROR) {
            read_error(body, err);
            return LOOKUP_FAILED;
        }
        if (h.type != PG_B_DATA_ROW) continue;
        if (!read_row(body, column, &count) || ++rows > 1) {
            err_set(err, ERR_CONFIG, rows > 1 ? "auth_query gives more than one row" : "the answer to auth_query is malformed");
            secret_wipe(secret, sizeof *secret);
            return LOOKUP_FAILED;
        }
        result = judge(column, count, user, secret, err);
        if (result == LOOKUP_FAILED) return result;
    }
    return result;
}

/* ---- the question ---- */

static void put_question(struct writer *w, const char *query, const char *user) {
    size_t at = pg_begin(w, PG_F_PARSE);
    writer_u8(w, 0);
    writer_cstr(w, bytes_str(query));
    writer_be16(w, 0);
    pg_end(w, at);
    at = pg_begin(w, PG_F_BIND);
    writer_be16(w, 0); /* portal and statement: "" */
    writer_be16(w, 0); /* formats: text */
    writer_be16(w, 1);
    writer_be32(w, (uint32_t)strlen(user));
    writer_str(w, user);
    writer_be16(w, 0);
    pg_end(w, at);
    at = pg_begin(w, PG_F_EXECUTE);
    writer_u8(w, 0);
    writer_be32(w, 0);
    pg_end(w, at);
    pg_put_sync(w);
}

static bool ask(struct backend *b, const char *query, const char *user) {
    struct writer w;
    writer_init(&w, LOOKUP_REPLY_MAX);
    put_question(&w, query, user);
    bool has_room = !w.failed;
    if (has_room && backend_pg_note_sent(b, PG_F_PARSE, 0, 0) && backend_pg_note_sent(b, PG_F_BIND, 0, 0) &&
        backend_pg_note_sent(b, PG_F_EXECUTE, TARGET_UNNAMED_PORTAL, 0) && backend_pg_note_sent(b, PG_F_SYNC, 0, 0)) {
        stream_send(b->stream, writer_bytes(&w));
    }
    writer_release(&w);
    return has_room;
}

static struct bytes key(struct writer *w) {
    (void)w;
    return bytes_of(EMPTY_SEARCH_PATH, sizeof EMPTY_SEARCH_PATH);
}

static enum lookup_result read_answer(struct bytes reply, const char *user, struct lookup_answer *answer, struct err *err) {
    return lookup_pg_read(reply, user, &answer->secret, err);
}

const struct lookup_proto lookup_pg = {.backend = &backend_pg_proto, .key = key, .usual = LOOKUP_PG_QUERY, .ask = ask,
                                       .read = read_answer};
