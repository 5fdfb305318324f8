/*
 * One question to a server about one user. Knows neither logins nor what is remembered of answers.
 */
#include "proxy/session/lookup_pg.h"

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/auth/secret.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_decode.h"
#include "proxy/wire/pg_encode.h"

#define EMPTY_SEARCH_PATH "search_path\0" /* and the NUL of an empty value */

static struct lookup_pg *lookup_of(struct lessee *l) {
    return CONTAINER_OF(l, struct lookup_pg, lessee);
}

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

/* ---- the conversation ---- */

static void finish(struct lookup_pg *l, enum lookup_result result, struct user_secret *secret, const struct err *err) {
    l->is_under_way = false;
    timer_stop(&l->timer);
    if (l->reply.data) secret_wipe(l->reply.data, l->reply.len);
    writer_release(&l->reply);
    mem_free(l->query);
    l->query = NULL;
    l->on_done(l, result, secret, err);
    secret_wipe(secret, sizeof *secret);
}

static void fail(struct lookup_pg *l, const struct err *err) {
    struct user_secret none = {.password = NULL};
    finish(l, LOOKUP_FAILED, &none, err);
}

/* Takes back what is under way, without a word to anybody but the server, which is to stop. */
static void abandon(struct lookup_pg *l) {
    struct backend *b = l->lessee.backend;
    struct err err;
    if (l->lessee.variant && !b) pool_cancel_wait(&l->lessee);
    if (!b) return;
    l->lessee.backend = NULL;
    b->lessee = NULL;
    err_set(&err, ERR_CONNECTION_FAILURE, "auth_query was given up");
    backend_abort(b, &err);
}

static void on_timer(struct timer *t) {
    struct lookup_pg *l = CONTAINER_OF(t, struct lookup_pg, timer);
    struct err err;
    if (!l->is_under_way) return;
    abandon(l);
    err_set(&err, ERR_CANNOT_CONNECT, "auth_query took longer than connect_timeout");
    fail(l, &err);
}

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

static void ask(struct lookup_pg *l, struct backend *b) {
    struct writer w;
    struct err err;
    writer_init(&w, LOOKUP_REPLY_MAX);
    put_question(&w, l->query, l->user);
    if (w.failed) {
        abandon(l);
        err_set(&err, ERR_OUT_OF_MEMORY, "no room for auth_query");
        fail(l, &err);
    } else if (backend_pg_note_sent(b, PG_F_PARSE, 0, 0) && backend_pg_note_sent(b, PG_F_BIND, 0, 0) &&
               backend_pg_note_sent(b, PG_F_EXECUTE, TARGET_UNNAMED_PORTAL, 0) && backend_pg_note_sent(b, PG_F_SYNC, 0, 0)) {
        stream_send(b->stream, writer_bytes(&w));
    }
    writer_release(&w);
}

static void on_leased(struct lessee *lessee, struct backend *b) {
    ask(lookup_of(lessee), b);
}

static void on_refused(struct lessee *lessee, const struct err *err) {
    fail(lookup_of(lessee), err);
}

static void on_reply(struct lessee *lessee, struct buf *buf, struct bytes data) {
    (void)buf;
    writer_put(&lookup_of(lessee)->reply, data);
}

static void on_group_end(struct lessee *lessee, uint16_t tag, bool is_quiet) {
    struct lookup_pg *l = lookup_of(lessee);
    struct user_secret secret = {.password = NULL};
    struct err err = {0};
    enum lookup_result result = LOOKUP_FAILED;
    (void)tag;
    (void)is_quiet;
    if (l->reply.failed) err_set(&err, ERR_CONFIG, "the answer to auth_query is too long");
    else result = lookup_pg_read(writer_bytes(&l->reply), l->user, &secret, &err);
    pool_release(lessee);
    finish(l, result, &secret, &err);
}

static void on_lost(struct lessee *lessee, const struct err *err) {
    struct err lost;
    err_set(&lost, ERR_CONNECTION_FAILURE, "the server has gone during auth_query");
    fail(lookup_of(lessee), err ? err : &lost);
}

static bool on_error(struct lessee *lessee, uint8_t kind, uint16_t tag, struct bytes message) {
    (void)lessee;
    (void)kind;
    (void)tag;
    (void)message;
    return false; /* it comes by on_reply */
}

static void on_part(struct lessee *lessee, uint8_t kind, uint16_t tag) {
    (void)lessee;
    (void)kind;
    (void)tag;
}

static void on_nothing(struct lessee *lessee) {
    (void)lessee;
}

static void on_looked(struct lessee *lessee, struct bytes answer, bool ok) {
    (void)lessee;
    (void)answer;
    (void)ok;
}

static bool on_notification(struct lessee *lessee, struct buf *buf, struct bytes message) {
    (void)lessee;
    (void)buf;
    (void)message;
    return false;
}

static const struct lessee_ops lessee_ops = {
    .on_leased = on_leased,
    .on_refused = on_refused,
    .on_reply = on_reply,
    .on_group_end = on_group_end,
    .on_tagged = on_part,
    .on_failed = on_part,
    .on_error = on_error,
    .on_hidden = on_nothing,
    .on_statements_dropped = on_nothing,
    .on_looked = on_looked,
    .on_settled = on_nothing,
    .on_notification = on_notification,
    .on_room = on_nothing,
    .on_lost = on_lost,
};

bool lookup_pg_init(struct lookup_pg *l, struct loop *loop, const char *user,
                    void (*on_done)(struct lookup_pg *l, enum lookup_result result, const struct user_secret *secret,
                                    const struct err *err)) {
    *l = (struct lookup_pg){.lessee = {.ops = &lessee_ops}, .on_done = on_done};
    list_init(&l->lessee.wait_node);
    INVARIANT(strlen(user) <= USER_NAME_MAX);
    memcpy(l->user, user, strlen(user) + 1);
    return timer_init(&l->timer, loop, on_timer);
}

void lookup_pg_release(struct lookup_pg *l) {
    if (l->is_under_way) {
        abandon(l);
        if (l->reply.data) secret_wipe(l->reply.data, l->reply.len);
        writer_release(&l->reply);
        mem_free(l->query);
    }
    timer_release(&l->timer);
}

void lookup_pg_start(struct lookup_pg *l, struct pool_set *pools, const struct config *c, const struct config_cluster *cluster) {
    const struct config_database *db = cluster->auth;
    struct err err = {0};
    INVARIANT(!l->is_under_way);
    l->is_under_way = true;
    const char *query = cluster->auth_query ? cluster->auth_query : LOOKUP_PG_QUERY;
    l->query = mem_strdup(query, strlen(query));
    writer_init(&l->reply, LOOKUP_REPLY_MAX);
    timer_set(&l->timer, cluster->connect_timeout_ms);
    struct pool *p = pool_get(pools, &backend_pg_proto, c, db, bytes_str(db->name), bytes_str(cluster->auth_user), NULL, NULL, 0,
                              &err);
    struct variant *v = p ? variant_get(p, bytes_of(EMPTY_SEARCH_PATH, sizeof EMPTY_SEARCH_PATH), &err) : NULL;
    if (!l->query) err_set(&err, ERR_OUT_OF_MEMORY, "no room for auth_query");
    if (!v || !l->query) fail(l, &err);
    else if (pool_acquire(v, &l->lessee)) ask(l, l->lessee.backend);
}
