/*
 * A free PostgreSQL connection reads what the names of its database stand for (catalog_book.h), while it counts as being
 * checked. Its rows come in one at a time and are taken as they come: none of it is kept as text.
 */
#include "proxy/pool/backend_pg_catalog.h"

#include "base/fault.h"
#include "base/reader.h"
#include "parser/dialect_words.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/wire/pg_decode.h"

struct catalog_errand {
    struct catalog_reading *reading;
    struct writer row; /* the DataRow message that is coming in */
};

static uint32_t version_of(const struct backend_pg *bp) {
    const char *version = params_pg_get(&bp->params, "server_version");
    return version ? sql_version_of(SQL_POSTGRES, bytes_str(version)) : 0;
}

static void free_errand(struct backend_pg *bp) {
    writer_release(&bp->errand->row);
    mem_free(bp->errand);
    bp->errand = NULL;
    bp->base.is_learning = false;
}

bool backend_pg_try_learn(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    struct pool *p = b->variant->pool;
    if (!catalog_reading_is_due(p) || b->variant->is_single_use || bp->errand || p->set->is_closing) return false;
    struct writer sql;
    writer_init(&sql, CATALOG_PG_QUERY_MAX);
    struct catalog_reading *reading = catalog_reading_begin(p, &sql, version_of(bp));
    bp->errand = reading ? mem_alloc(sizeof *bp->errand) : NULL;
    if (bp->errand) {
        bp->errand->reading = reading;
        writer_init(&bp->errand->row, CATALOG_PG_ROW_MAX);
        backend_set_state(b, BACKEND_CHECKING);
        b->is_learning = true;
        backend_pg_send_errand(b, writer_bytes(&sql));
    } else if (reading) {
        catalog_reading_fail(reading, p);
    }
    writer_release(&sql);
    return b->state != BACKEND_IDLE;
}

/*   DataRow = int16 columns, then for each int32 length (-1: NULL) and the value */
static bool read_columns(struct bytes message, struct bytes row[CATALOG_PG_COLUMNS]) {
    struct reader r = reader_over(bytes_of(message.ptr + PG_HEADER_LEN, message.len - PG_HEADER_LEN));
    if (reader_be16(&r) != CATALOG_PG_COLUMNS) return false;
    for (int i = 0; i < CATALOG_PG_COLUMNS; i++) {
        uint32_t len = reader_be32(&r);
        row[i] = len == UINT32_MAX ? bytes_of(NULL, 0) : reader_take(&r, len);
    }
    return reader_done(&r);
}

/* A row that is none of the query's ends the connection: whatever sent it cannot be trusted with the next answer. */
void backend_pg_errand_piece(struct backend *b, struct bytes piece, bool is_last) {
    struct catalog_errand *e = backend_pg_of(b)->errand;
    struct bytes row[CATALOG_PG_COLUMNS];
    writer_put(&e->row, piece);
    if (!is_last) return;
    if (e->row.failed) e->reading->has_failed = true; /* longer than any that is read */
    else if (read_columns(writer_bytes(&e->row), row)) catalog_reading_row(e->reading, row);
    else backend_pg_of(b)->own_failed = true;
    writer_reset(&e->row);
}

bool backend_pg_errand_goes_on(struct backend *b, bool is_ok) {
    struct backend_pg *bp = backend_pg_of(b);
    struct writer sql;
    writer_init(&sql, CATALOG_PG_QUERY_MAX);
    bool goes_on = catalog_reading_end(bp->errand->reading, b->variant->pool, is_ok, &sql, version_of(bp));
    if (goes_on) backend_pg_send_errand(b, writer_bytes(&sql));
    else free_errand(bp);
    writer_release(&sql);
    return goes_on;
}

void backend_pg_errand_lost(struct backend *b) {
    struct backend_pg *bp = backend_pg_of(b);
    if (!bp->errand) return;
    catalog_reading_fail(bp->errand->reading, b->variant->pool);
    free_errand(bp);
}
