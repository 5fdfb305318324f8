/*
 * FNV-1a over the parts that count. The column's fixed part:
 *
 *      0..3 table   4..5 column   6..9 type   10..11 size   12..15 modifier   16..17 format
 */
#include "proxy/pool/description_pg.h"

#include "proxy/wire/pg_proto.h"

enum {
    COUNT_LEN = 2,
    FIXED_LEN = 18,
    FIXED_FIRST = 6,
    FIXED_END = 16,
    PARAMETERS_MAX = COUNT_LEN + 4 * 0xffff,
    PARAMETERS_KEPT = 256, /* storage of this size stays for the next one */
};

static void add(struct description_pg *d, uint8_t byte) {
    d->digest = (d->digest ^ byte) * 0x100000001b3u;
}

void description_pg_init(struct description_pg *d) {
    *d = (struct description_pg){0};
    writer_init(&d->parameters, PARAMETERS_MAX);
}

void description_pg_release(struct description_pg *d) {
    writer_release(&d->parameters);
}

void description_pg_begin(struct description_pg *d) {
    d->digest = 0xcbf29ce484222325u;
    if (d->parameters.cap > PARAMETERS_KEPT) {
        writer_release(&d->parameters);
        writer_init(&d->parameters, PARAMETERS_MAX);
    }
    writer_reset(&d->parameters);
}

void description_pg_message(struct description_pg *d, uint8_t type) {
    d->type = type;
    d->at = 0;
    d->is_in_name = false;
    add(d, type);
}

/* Row descriptions: the count first, then name and fixed part by turns. */
static void feed_column_byte(struct description_pg *d, uint8_t byte) {
    if (d->is_in_name) {
        add(d, byte);
        d->is_in_name = byte != 0;
        return;
    }
    if (d->at < COUNT_LEN || (d->at >= COUNT_LEN + FIXED_FIRST && d->at < COUNT_LEN + FIXED_END)) add(d, byte);
    d->at++;
    if (d->at == COUNT_LEN || d->at == COUNT_LEN + FIXED_LEN) {
        d->at = COUNT_LEN;
        d->is_in_name = true;
    }
}

void description_pg_feed(struct description_pg *d, struct bytes piece) {
    if (d->type == PG_B_PARAMETER_DESCRIPTION) writer_put(&d->parameters, piece);
    for (size_t i = 0; i < piece.len; i++) {
        if (d->type == PG_B_ROW_DESCRIPTION) feed_column_byte(d, piece.ptr[i]);
        else add(d, piece.ptr[i]);
    }
}

void description_pg_end(struct description_pg *d) {
    d->digest = (d->digest & ~UINT64_C(1)) | (d->type == PG_B_ROW_DESCRIPTION);
}
