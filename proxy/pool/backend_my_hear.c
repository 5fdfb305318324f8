/*
 * What a server tells of the session behind its answers, where connections go from client to client: what the lessee must know for
 * the next one that it gets, and what of it the client has not asked for.
 */
#include "base/fault.h"
#include "proxy/pool/backend_my.h"
#include "proxy/pool/site.h"
#include "proxy/wire/my_encode.h"

void backend_my_forget_answer(struct backend_my *bm) {
    mem_free(bm->answer.sql_mode);
    mem_free(bm->answer.character_set);
    bm->answer = (struct my_answer){.is_error = false};
}

/* False: memory is out. */
static bool keep(char **text, struct bytes value) {
    mem_free(*text);
    *text = mem_strdup((const char *)value.ptr, value.len);
    return *text != NULL;
}

/* Pairs of name and value. */
static bool hear_variables(struct my_answer *a, struct bytes data) {
    struct reader r = reader_over(data);
    bool is_ok = true;
    while (reader_left(&r) && is_ok) {
        struct bytes name = my_lenenc_str(&r), value = my_lenenc_str(&r);
        if (r.failed) return false;
        if (bytes_is(name, "sql_mode")) is_ok = keep(&a->sql_mode, value);
        else if (bytes_is(name, "character_set_client")) is_ok = keep(&a->character_set, value);
    }
    return is_ok;
}

static bool hear_schema(struct backend_my *bm, struct bytes data) {
    struct reader r = reader_over(data);
    struct bytes name = my_lenenc_str(&r);
    bm->answer.has_schema = true;
    return reader_done(&r) && keep(&bm->schema, name);
}

static bool hear_changes(struct backend_my *bm, struct bytes changes) {
    struct reader r = reader_over(changes);
    struct my_change c;
    bool is_ok = true;
    while (is_ok && my_change_next(&r, &c)) {
        if (c.type == MY_CHANGE_VARIABLE) is_ok = hear_variables(&bm->answer, c.data);
        else if (c.type == MY_CHANGE_SCHEMA) is_ok = hear_schema(bm, c.data);
        else if (c.type == MY_CHANGE_STATE) bm->answer.has_changed = true;
    }
    return is_ok && !r.failed;
}

void backend_my_hear(struct backend *b, const struct reply_my_packet *p) {
    struct backend_my *bm = backend_my_of(b);
    struct my_answer *a = &bm->answer;
    a->is_told = true;
    if (p->kind == REPLY_MY_ERROR) {
        a->is_error = true;
        a->error = p->error;
        return;
    }
    a->has_rows = p->kind == REPLY_MY_ROWS_END;
    a->rows = p->rows;
    if (p->ok.warnings) a->warnings = p->ok.warnings; /* of several statements whichever has some */
    a->affected_rows = p->ok.affected_rows;
    if (p->ok.last_insert_id && !a->has_rows) a->insert_id = p->ok.last_insert_id;
    if (!(p->ok.status & MY_STATUS_SESSION_CHANGED) || hear_changes(bm, p->ok.changes)) return;
    struct err err;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s told what has changed in the session, and it could not be read",
            b->site->name);
    backend_fail(b, &err);
}

void backend_my_hear_own(struct backend *b, const struct reply_my_packet *p) {
    struct reader r = reader_over(p->ok.changes);
    struct my_change c;
    if (!(p->ok.status & MY_STATUS_SESSION_CHANGED)) return;
    while (my_change_next(&r, &c))
        if (c.type == MY_CHANGE_STATE) backend_my_of(b)->answer.has_changed = true;
}

void backend_my_hear_prepared(struct backend *b, uint8_t *payload, size_t len) {
    struct backend_my *bm = backend_my_of(b);
    struct my_answer *a = &bm->answer;
    if (!my_prepared_read(bytes_of(payload, len), &a->prepared)) return; /* and it is found to be broken */
    a->has_prepared = true;
    for (int i = 0; i < 4; i++) payload[1 + i] = (uint8_t)(bm->prepares_as >> (8 * i));
}

/* What servers tell of without being asked. */
static bool is_told_anyway(struct bytes name) {
    return bytes_is(name, "autocommit") || bytes_is(name, "time_zone") || bytes_is(name, "character_set_client") ||
           bytes_is(name, "character_set_connection") || bytes_is(name, "character_set_results");
}

static void put_shown_variables(struct writer *w, struct bytes data) {
    struct reader r = reader_over(data);
    struct writer pairs;
    uint8_t storage[4096];
    writer_init_fixed(&pairs, storage, sizeof storage);
    while (reader_left(&r)) {
        struct bytes name = my_lenenc_str(&r), value = my_lenenc_str(&r);
        if (r.failed || !is_told_anyway(name)) continue;
        my_w_lenenc_str(&pairs, name);
        my_w_lenenc_str(&pairs, value);
    }
    if (!writer_bytes(&pairs).len) return;
    writer_u8(w, MY_CHANGE_VARIABLE);
    my_w_lenenc_str(w, writer_bytes(&pairs));
}

void backend_my_put_shown_changes(struct writer *w, struct bytes changes) {
    struct reader r = reader_over(changes);
    struct my_change c;
    while (my_change_next(&r, &c)) {
        if (c.type == MY_CHANGE_VARIABLE) {
            put_shown_variables(w, c.data);
        } else if (c.type != MY_CHANGE_STATE) {
            writer_u8(w, c.type);
            my_w_lenenc_str(w, c.data);
        }
    }
}
