/*
 * SHOW MEM: what is allocated, by kind of object. SHOW PREPARED: the statements that
 * clients and server connections have in common.
 */
#include "proxy/admin/console.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_pg.h"

enum { STATEMENT_TEXT_MAX = 200 };

/* ---- SHOW MEM ---- */

/* One kind of object over all workers. */
struct kind {
    uint64_t size, used, free, total;
};

static void add_kind(struct console_call *call, const char *name, size_t size, size_t used, size_t free) {
    struct kind *k = rows_total(call->totals, name, "", sizeof *k);
    if (!k) return;
    k->size = size;
    k->used += used;
    k->free += free;
    k->total += size * (used + free);
}

static void visit_chunks(struct console_call *call) {
    static const struct {
        const char *name;
        size_t size;
    } classes[BUF_CLASSES] = {
        [BUF_SMALL] = {"chunks_small", BUF_SMALL_SIZE + BUF_OVERHEAD},
        [BUF_MEDIUM] = {"chunks_medium", BUF_MEDIUM_SIZE + BUF_OVERHEAD},
        [BUF_LARGE] = {"chunks_large", BUF_LARGE_SIZE + BUF_OVERHEAD},
    };
    const struct buf_pool *bufs = &call->worker->loop->bufs;
    for (int i = 0; i < BUF_CLASSES; i++)
        add_kind(call, classes[i].name, classes[i].size, bufs->made[i] - bufs->kept[i], bufs->kept[i]);
}

static void visit_statements(struct console_call *call) {
    struct kind *k = rows_total(call->totals, "statements", "", sizeof *k);
    struct bytes key;
    void *value;
    size_t at = 0;
    if (!k) return;
    k->size = sizeof(struct statement_pg);
    while (map_next(&call->worker->pools.statements, &at, &key, &value)) {
        k->used++;
        k->total += sizeof(struct statement_pg) + 2 * key.len; /* once in the statement, once in the map */
    }
}

static void visit_memory(struct console_call *call) {
    const struct loop *loop = call->worker->loop;
    const struct session_env *env = &call->worker->sessions;
    size_t pools = 0, variants = 0, servers = 0;
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        pools++;
        variants += p->variant_count;
        servers += p->total;
    }
    visit_chunks(call);
    visit_statements(call);
    add_kind(call, "streams", loop->streams.size, loop->streams.taken, loop->streams.made - loop->streams.taken);
    add_kind(call, "out_slices", loop->out_slices.size, loop->out_slices.taken, loop->out_slices.made - loop->out_slices.taken);
    add_kind(call, "clients", sizeof(struct session_pg), env->session_count + env->login_count, 0);
    add_kind(call, "servers", sizeof(struct backend_pg), servers, 0);
    add_kind(call, "pools", sizeof(struct pool), pools, 0);
    add_kind(call, "variants", sizeof(struct variant), variants, 0);
}

static void put_kind(void *ctx, const char *name, const char *second, void *total) {
    const struct kind *k = total;
    struct row r = console_row(ctx);
    (void)second;
    row_text(&r, name);
    row_number(&r, k->size);
    row_number(&r, k->used);
    row_number(&r, k->free);
    row_number(&r, k->total);
    row_end(&r);
}

static void end_memory(struct console_call *call) {
    rows_each_total(call->totals, put_kind, call);
}

/* ---- SHOW PREPARED ---- */

struct holders {
    uint64_t clients, servers, len;
    char text[STATEMENT_TEXT_MAX];
    size_t text_len;
};

static struct holders *holders_of(struct console_call *call, const struct statement_pg *st) {
    struct holders *h = rows_total(call->totals, st->name, "", sizeof *h);
    if (!h || h->len) return h;
    const uint8_t *end = memchr(st->source.ptr, 0, st->source.len);
    h->len = end ? (uint64_t)(end - st->source.ptr) : st->source.len;
    h->text_len = h->len < STATEMENT_TEXT_MAX ? h->len : STATEMENT_TEXT_MAX;
    if (h->text_len < h->len) /* not inside a character */
        while (h->text_len && (st->source.ptr[h->text_len] & 0xc0) == 0x80) h->text_len--;
    memcpy(h->text, st->source.ptr, h->text_len);
    return h;
}

static void add_client(void *ctx, const struct statement_pg *st) {
    struct holders *h = holders_of(ctx, st);
    if (h) h->clients++;
}

static void add_servers(struct console_call *call, const struct list *backends) {
    LIST_EACH(n, backends) {
        const struct backend_pg *b = backend_pg_try(CONTAINER_OF(n, struct backend, node));
        if (!b) return; /* nor are the others */
        LIST_EACH(i, &b->prepared.recent) {
            struct holders *h = holders_of(call, CONTAINER_OF(i, struct prepared_pg, node)->statement);
            if (h) h->servers++;
        }
    }
}

static void visit_prepared(struct console_call *call) {
    LIST_EACH(n, &call->worker->sessions.sessions) {
        const struct session_pg *ps = session_pg_try(CONTAINER_OF(n, struct session, node));
        if (ps) session_pg_names_each(ps, add_client, call);
    }
    LIST_EACH(n, &call->worker->pools.all) {
        LIST_EACH(i, &CONTAINER_OF(n, struct pool, node)->variants) {
            const struct variant *v = CONTAINER_OF(i, struct variant, node);
            add_servers(call, &v->idle);
            add_servers(call, &v->busy);
        }
    }
}

static void put_prepared(void *ctx, const char *name, const char *second, void *total) {
    const struct holders *h = total;
    struct row r = console_row(ctx);
    (void)second;
    row_text(&r, name);
    row_bytes(&r, bytes_of(h->text, h->text_len));
    row_number(&r, h->len);
    row_number(&r, h->clients);
    row_number(&r, h->servers);
    row_end(&r);
}

static void end_prepared(struct console_call *call) {
    rows_each_total(call->totals, put_prepared, call);
}

/* ---- the table ---- */

static const struct console_verb verbs[] = {
    {"SHOW MEM", NULL, CONSOLE_STATS, "bytes allocated, by kind of object", .columns = "name #size #used #free #memtotal",
     .visit = visit_memory, .end = end_memory},
    {"SHOW PREPARED", NULL, CONSOLE_STATS, "prepared statements: how many clients and server connections have each",
     .columns = "name text #text_len #clients #servers", .visit = visit_prepared, .end = end_prepared},
};

const struct console_table show_memory_table = CONSOLE_TABLE(verbs);
