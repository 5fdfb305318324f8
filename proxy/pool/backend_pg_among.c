/*
 * Messages that gilmok puts among a client's, on the connection that the client has. They
 * belong to the client's group: an error in one of them ends it, and nothing here sends a
 * Sync. The unnamed statement and portal stay the client's.
 */
#include "proxy/pool/backend_pg.h"
#include "proxy/wire/pg_encode.h"

#define OWN_NAME STATEMENT_PG_PREFIX "own" /* of a statement and a portal that live for one Execute */

void backend_pg_send_parse(struct backend *b, const struct prepared_pg *p) {
    uint8_t storage[PG_HEADER_LEN + PREPARED_PG_NAME_MAX];
    struct bytes source = p->statement->source;
    size_t name_len = strlen(p->name) + 1;
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_u8(&w, PG_F_PARSE);
    writer_be32(&w, (uint32_t)(4 + name_len + source.len));
    writer_cstr(&w, bytes_str(p->name));
    stream_send(b->stream, writer_bytes(&w));
    stream_send(b->stream, source);
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
}

void backend_pg_send_sync(struct backend *b) {
    static const uint8_t sync[] = {PG_F_SYNC, 0, 0, 0, 4};
    stream_send(b->stream, bytes_of(sync, sizeof sync));
}

static void put_run(struct writer *w, struct bytes sql) {
    size_t at = pg_begin(w, PG_F_PARSE);
    writer_cstr(w, bytes_str(OWN_NAME));
    writer_cstr(w, sql);
    writer_be16(w, 0); /* no parameters */
    pg_end(w, at);
    at = pg_begin(w, PG_F_BIND);
    writer_cstr(w, bytes_str(OWN_NAME)); /* portal */
    writer_cstr(w, bytes_str(OWN_NAME));
    for (int i = 0; i < 3; i++) writer_be16(w, 0); /* no formats, no values, no result formats */
    pg_end(w, at);
    at = pg_begin(w, PG_F_EXECUTE);
    writer_cstr(w, bytes_str(OWN_NAME));
    writer_be32(w, 0); /* all rows */
    pg_end(w, at);
    put_about(w, PG_F_CLOSE, 'P', OWN_NAME);
    put_about(w, PG_F_CLOSE, 'S', OWN_NAME);
}

static bool note_run(struct backend *b) {
    static const uint8_t types[] = {PG_F_PARSE, PG_F_BIND, PG_F_EXECUTE, PG_F_CLOSE, PG_F_CLOSE};
    for (size_t i = 0; i < sizeof types; i++)
        if (!backend_pg_note_own(b, types[i], 0, REPLY_QUIET, 0)) return false;
    return true;
}

bool backend_pg_run_among(struct backend *b, struct bytes sql) {
    struct writer w;
    if (!sql.len) return true;
    if (!note_run(b)) return false;
    writer_init(&w, sql.len + 256);
    put_run(&w, sql);
    bool ok = !w.failed;
    if (ok) stream_send(b->stream, writer_bytes(&w));
    writer_release(&w);
    if (ok) return true;
    struct err err;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
    backend_fail(b, &err);
    return false;
}
