/*
 * Messages that gilmok puts among a client's, on the connection that the client has. They
 * belong to the client's group: an error in one of them ends it, and nothing here sends a
 * Sync. The unnamed statement and portal stay the client's.
 */
#include "proxy/pool/backend_pg.h"

#include <stdio.h>

#include "base/reader.h"
#include "proxy/wire/pg_decode.h"
#include "proxy/wire/pg_encode.h"

#define OWN_NAME STATEMENT_PG_PREFIX "own" /* of a statement and a portal that live for one Execute */

void backend_pg_send_parse_as(struct backend *b, struct bytes name, struct bytes source) {
    uint8_t storage[PG_HEADER_LEN];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, PG_F_PARSE);
    writer_be32(&w, (uint32_t)(4 + name.len + 1 + source.len));
    stream_send(b->stream, writer_bytes(&w));
    stream_send(b->stream, name);
    stream_send(b->stream, bytes_of("", 1));
    stream_send(b->stream, source);
}

void backend_pg_send_parse(struct backend *b, const struct prepared_pg *p) {
    backend_pg_send_parse_as(b, bytes_str(p->name), p->statement->source);
}

void backend_pg_send_empty_parse(struct backend *b, const char *name) {
    uint8_t storage[PG_HEADER_LEN + PREPARED_PG_NAME_MAX + 3];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    size_t at = pg_begin(&w, PG_F_PARSE);
    writer_cstr(&w, bytes_str(name));
    writer_cstr(&w, bytes_of("", 0));
    writer_be16(&w, 0); /* no parameters */
    pg_end(&w, at);
    stream_send(b->stream, writer_bytes(&w));
}

static void put_about(struct writer *w, uint8_t type, uint8_t kind, const char *name) {
    size_t at = pg_begin(w, type);
    writer_u8(w, kind);
    writer_cstr(w, bytes_str(name));
    pg_end(w, at);
}

/*   source = text NUL count types */
void backend_pg_send_stand_in(struct backend *b, const struct prepared_pg *p, uint16_t parameters) {
    enum { TEXT_OID = 25 };
    struct bytes source = p->statement->source;
    const uint8_t *end = memchr(source.ptr, 0, source.len);
    struct reader types = reader_over(end ? bytes_of(end + 1, source.len - (size_t)(end + 1 - source.ptr)) : bytes_of(NULL, 0));
    uint16_t told = reader_be16(&types), count = told > parameters ? told : parameters;
    struct writer w;
    writer_init(&w, source.len + 4 * (size_t)count + PG_HEADER_LEN + PREPARED_PG_NAME_MAX);
    size_t at = pg_begin(&w, PG_F_PARSE);
    writer_cstr(&w, bytes_str(p->name));
    writer_cstr(&w, bytes_of("", 0));
    writer_be16(&w, count);
    for (uint16_t i = 0; i < count; i++) {
        uint32_t type = i < told ? reader_be32(&types) : 0;
        writer_be32(&w, type ? type : TEXT_OID); /* what is not said the server would find in the text */
    }
    pg_end(&w, at);
    stream_send(b->stream, writer_bytes(&w));
    writer_release(&w);
}

void backend_pg_send_about(struct backend *b, uint8_t type, const char *name) {
    uint8_t storage[PG_HEADER_LEN + 1 + PREPARED_PG_NAME_MAX];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    put_about(&w, type, 'S', name);
    stream_send(b->stream, writer_bytes(&w));
}

void backend_pg_send_flush(struct backend *b) {
    static const uint8_t flush[] = {PG_F_FLUSH, 0, 0, 0, 4};
    stream_send(b->stream, bytes_of(flush, sizeof flush));
    backend_pg_of(b)->is_flushed = true;
}

void backend_pg_send_sync(struct backend *b) {
    static const uint8_t sync[] = {PG_F_SYNC, 0, 0, 0, 4};
    stream_send(b->stream, bytes_of(sync, sizeof sync));
}

/* One statement without parameters, from its Parse to the end of its portal. */
static void put_run(struct writer *w, const char *name, struct bytes sql) {
    put_about(w, PG_F_CLOSE, 'S', name); /* an error may have left it */
    size_t at = pg_begin(w, PG_F_PARSE);
    writer_cstr(w, bytes_str(name));
    writer_cstr(w, sql);
    writer_be16(w, 0); /* no parameters */
    pg_end(w, at);
    at = pg_begin(w, PG_F_BIND);
    writer_cstr(w, bytes_str(name)); /* portal */
    writer_cstr(w, bytes_str(name));
    for (int i = 0; i < 3; i++) writer_be16(w, 0); /* no formats, no values, no result formats */
    pg_end(w, at);
    at = pg_begin(w, PG_F_EXECUTE);
    writer_cstr(w, bytes_str(name));
    writer_be32(w, 0); /* all rows */
    pg_end(w, at);
    put_about(w, PG_F_CLOSE, 'P', name);
    put_about(w, PG_F_CLOSE, 'S', name);
}

/* `fate`: of the statement's own reply. */
static bool note_run(struct backend *b, enum reply_fate fate) {
    static const uint8_t types[] = {PG_F_CLOSE, PG_F_PARSE, PG_F_BIND, PG_F_EXECUTE, PG_F_CLOSE, PG_F_CLOSE};
    enum reply_fate of_others = fate == REPLY_SWALLOW ? REPLY_SWALLOW : REPLY_QUIET;
    for (size_t i = 0; i < sizeof types; i++)
        if (!backend_pg_note_own(b, types[i], 0, types[i] == PG_F_EXECUTE ? fate : of_others, 0)) return false;
    return true;
}

/* Sends what was written, and releases it. */
static bool send_writer(struct backend *b, struct writer *w) {
    bool ok = !w->failed;
    if (ok) stream_send(b->stream, writer_bytes(w));
    writer_release(w);
    if (ok) return true;
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
    backend_fail(b, &err);
    return false;
}

bool backend_pg_run_as(struct backend *b, struct bytes sql, enum reply_fate fate) {
    struct writer w;
    if (!sql.len) return true;
    if (!note_run(b, fate)) return false;
    writer_init(&w, sql.len + 256);
    put_run(&w, OWN_NAME, sql);
    return send_writer(b, &w);
}

bool backend_pg_run_among(struct backend *b, struct bytes sql) {
    return backend_pg_run_as(b, sql, REPLY_QUIET);
}

/* The next of these words, which end with a NUL each. */
static bool next_word(struct bytes *words, struct bytes *word) {
    const uint8_t *end = words->len ? memchr(words->ptr, 0, words->len) : NULL;
    if (!end) return false;
    *word = bytes_of(words->ptr, (size_t)(end - words->ptr));
    *words = bytes_of(end + 1, words->len - word->len - 1);
    return true;
}

bool backend_pg_run_each(struct backend *b, struct bytes statements) {
    struct bytes sql;
    while (next_word(&statements, &sql))
        if (!backend_pg_run_as(b, sql, REPLY_QUIET)) return false;
    return true;
}

bool backend_pg_close_each(struct backend *b, struct bytes names, enum reply_fate fate) {
    struct writer w;
    struct bytes name;
    bool ok = true;
    if (!names.len) return true;
    writer_init(&w, 8 * names.len);
    while (ok && next_word(&names, &name)) {
        ok = backend_pg_note_own(b, PG_F_CLOSE, 'S', fate, 0);
        put_about(&w, PG_F_CLOSE, 'S', (const char *)name.ptr);
    }
    if (ok) return send_writer(b, &w);
    writer_release(&w);
    return false;
}

bool backend_pg_end_own_group(struct backend *b) {
    if (!backend_pg_note_own(b, PG_F_SYNC, 0, REPLY_SWALLOW, 0)) return false;
    backend_pg_send_sync(b);
    return true;
}

bool backend_pg_prepare_aside(struct backend *b, const struct prepared_pg *p, struct bytes settings, uint16_t tag) {
    static const uint8_t sync[] = {PG_F_SYNC, 0, 0, 0, 4};
    if (!backend_pg_run_as(b, settings, REPLY_SWALLOW)) return false;
    if (!backend_pg_note_own(b, PG_F_PARSE, 0, REPLY_SWALLOW, tag)) return false;
    backend_pg_send_parse(b, p);
    if (!backend_pg_note_own(b, PG_F_DESCRIBE, TARGET_STATEMENT, REPLY_SWALLOW, tag)) return false;
    backend_pg_send_about(b, PG_F_DESCRIBE, p->name);
    if (!backend_pg_note_own(b, PG_F_SYNC, 0, REPLY_SWALLOW, tag)) return false;
    stream_send(b->stream, bytes_of(sync, sizeof sync));
    return true;
}

bool backend_pg_run_query(struct backend *b, struct bytes sql, struct bytes behind, uint16_t tag) {
    struct writer w;
    if (!note_run(b, REPLY_FORWARD)) return false;
    writer_init(&w, sql.len + 256);
    put_run(&w, "", sql); /* a simple query, too, ends the unnamed statement and portal */
    if (!send_writer(b, &w) || !backend_pg_run_each(b, behind) || !backend_pg_note_sent(b, PG_F_SYNC, 0, tag)) return false;
    backend_pg_send_sync(b);
    return true;
}

bool backend_pg_query(struct backend *b, const char *sql, uint16_t tag) {
    struct writer w;
    if (!backend_pg_note_sent(b, PG_F_QUERY, 0, tag)) return false;
    writer_init(&w, strlen(sql) + 64);
    pg_put_query(&w, sql);
    return send_writer(b, &w);
}

/* ---- which settings are in force? ---- */

/* Their names and values as last reported; the caller releases it. */
static struct bytes put_questions(const struct params_pg *params, struct writer *w) {
    writer_init(w, PARAMS_PG_ANALYSIS_MAX);
    params_pg_put_analysis(params, w);
    return writer_bytes(w);
}

bool backend_pg_ask(struct backend *b) {
    struct writer questions, w;
    struct bytes rest = put_questions(&backend_pg_of(b)->params, &questions);
    const char *name, *value;
    bool ok = true;
    writer_init(&w, PARAMS_PG_ANALYSIS_MAX);
    while (ok && params_pg_next_pair(&rest, &name, &value)) {
        char show[64];
        ok = note_run(b, REPLY_COLLECT);
        snprintf(show, sizeof show, "SHOW %.48s", name);
        put_run(&w, OWN_NAME, bytes_str(show));
    }
    w.failed |= questions.failed;
    writer_release(&questions);
    if (ok) return send_writer(b, &w);
    writer_release(&w);
    return false;
}

void backend_pg_begin_asked(struct backend_pg *bp) {
    struct writer questions;
    uint32_t count = 0;
    struct bytes rest = put_questions(&bp->params, &questions);
    const char *name, *value;
    while (params_pg_next_pair(&rest, &name, &value)) count++;
    writer_release(&questions);
    if (bp->asked_rows == count) backend_pg_forget_asked(bp); /* of a question whose answer nobody needed any more */
    if (!bp->asked_rows++) writer_init(&bp->asked, PARAMS_PG_ANALYSIS_MAX);
}

void backend_pg_forget_asked(struct backend_pg *bp) {
    writer_release(&bp->asked);
    bp->asked = (struct writer){0};
    bp->asked_rows = 0;
}

/*   DataRow = int16 1, int32 length, value */
static bool take_row(struct bytes *rows, struct bytes *value) {
    struct pg_header h;
    if (pg_header_read(*rows, &h) != PG_FRAME_OK || h.total > rows->len) return false;
    struct reader r = reader_over(bytes_of(rows->ptr + PG_HEADER_LEN, h.body_len));
    uint16_t columns = reader_be16(&r);
    uint32_t len = reader_be32(&r);
    *value = reader_take(&r, len);
    *rows = bytes_of(rows->ptr + h.total, rows->len - h.total);
    return !r.failed && columns == 1;
}

bool backend_pg_take_asked(struct backend_pg *bp, struct params_pg *out) {
    struct writer questions;
    struct bytes rest = put_questions(&bp->params, &questions), rows = writer_bytes(&bp->asked), value;
    const char *name, *before;
    bool ok = !questions.failed && !bp->asked.failed && params_pg_copy(out, &bp->params);
    while (ok && params_pg_next_pair(&rest, &name, &before))
        ok = take_row(&rows, &value) && params_pg_set(out, bytes_str(name), value);
    if (!ok) params_pg_release(out);
    writer_release(&questions);
    backend_pg_forget_asked(bp);
    return ok;
}
