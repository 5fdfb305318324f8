/*
 * A PostgreSQL client at the console: simple and extended queries around statements
 * that the console (admin/) answers as a whole, sooner or later.
 *
 * Statements and portals have names here as on a server. A portal runs once, at its
 * first Execute; what it returned is kept until its rows are fetched or it is dropped.
 * There are no transactions: portals end at the Sync, and so does the skipping after an
 * error. Every column is text or int8; where the client asks for binary, text is as it
 * is, and numbers are turned into eight bytes on the way (console_format.h).
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/session/console_format.h"
#include "proxy/session/session_pg.h"
#include "proxy/wire/pg_states.h"

enum {
    STATEMENT_MAX = 16 << 10, /* bytes of a message */
    STATEMENTS_MAX = 1000,    /* named, of one client */
    PORTALS_MAX = 64,
};

struct statement {
    size_t len;
    uint8_t text[];
};

struct portal {
    struct list node;
    char *name;         /* owned */
    char *text;         /* owned */
    struct writer description; /* RowDescription as the client wants it; empty: no rows */
    struct writer reply; /* of the statement; RowDescription and all */
    size_t at;           /* so much of it was sent */
    bool has_run;
    bool is_over; /* all of it was sent */
};

struct console_pg {
    struct map statements; /* name -> struct statement, owned */
    struct list portals;
    struct portal *running; /* its Execute waits for the console; NULL: a Query does */
    uint32_t max_rows;      /* of that Execute; 0: all */
    bool is_skipping;       /* after an error, up to the Sync */
};

/* ---- what it has ---- */

static struct console_pg *console_of(struct session *s) {
    struct session_pg *ps = session_pg_of(s);
    if (ps->console) return ps->console;
    struct console_pg *c = ps->console = mem_alloc(sizeof *c);
    if (!c) {
        session_close(s, "out of memory");
        return NULL;
    }
    map_init(&c->statements);
    list_init(&c->portals);
    return c;
}

static void free_portal(struct portal *p) {
    list_remove(&p->node);
    writer_release(&p->description);
    writer_release(&p->reply);
    mem_free(p->name);
    mem_free(p->text);
    mem_free(p);
}

static void drop_portals(struct console_pg *c) {
    struct list *n;
    while ((n = list_first(&c->portals))) free_portal(CONTAINER_OF(n, struct portal, node));
}

static struct portal *find_portal(const struct console_pg *c, struct bytes name) {
    LIST_EACH(n, &c->portals) {
        struct portal *p = CONTAINER_OF(n, struct portal, node);
        if (bytes_is(name, p->name)) return p;
    }
    return NULL;
}

static bool put_statement(struct console_pg *c, struct bytes name, struct bytes text) {
    struct statement *st = mem_alloc(sizeof *st + text.len);
    if (!st) return false;
    st->len = text.len;
    if (text.len) memcpy(st->text, text.ptr, text.len);
    mem_free(map_take(&c->statements, name));
    if (map_put(&c->statements, name, st)) return true;
    mem_free(st);
    return false;
}

void session_pg_console_release(struct session_pg *ps) {
    struct console_pg *c = ps->console;
    struct bytes name;
    void *statement;
    size_t at = 0;
    if (!c) return;
    drop_portals(c);
    while (map_next(&c->statements, &at, &name, &statement)) mem_free(statement);
    map_release(&c->statements);
    mem_free(c);
    ps->console = NULL;
}

/* ---- words of its own ---- */

static void say(struct session *s, uint8_t type) {
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    size_t at = pg_begin(&w, type);
    if (type == PG_B_PARAMETER_DESCRIPTION) writer_be16(&w, 0);
    pg_end(&w, at);
    session_send(s, writer_bytes(&w));
}

static void say_ready(struct session *s) {
    uint8_t storage[8];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    pg_put_ready(&w, PG_TXN_IDLE);
    session_send(s, writer_bytes(&w));
}

static void fail(struct session *s, const struct err *err) {
    session_pg_tell(s, err, false);
    console_of(s)->is_skipping = true;
}

static void fail_with(struct session *s, const char *sqlstate, const char *what) {
    struct err err;
    err_set(&err, sqlstate, "%s", what);
    fail(s, &err);
}

/* ---- results ---- */

static void send_row(struct session *s, const struct portal *p, struct bytes row) {
    struct writer w;
    writer_init(&w, CONSOLE_ROW_MAX(row.len));
    console_format_row(writer_bytes(&p->description), row, &w);
    session_send(s, writer_bytes(&w));
    if (w.failed) session_close(s, "out of memory");
    writer_release(&w);
}

/* The next rows of a portal that has run, and its end when they are the last. */
static void fetch(struct session *s, struct portal *p, uint32_t max_rows) {
    struct bytes reply = writer_bytes(&p->reply);
    uint32_t rows = 0;
    struct pg_header h;
    while (s->state != SESSION_CLOSED && pg_header_read(bytes_of(reply.ptr + p->at, reply.len - p->at), &h) == PG_FRAME_OK) {
        struct bytes m = bytes_of(reply.ptr + p->at, h.total);
        if (h.type == PG_B_DATA_ROW && max_rows && rows == max_rows) {
            say(s, PG_B_PORTAL_SUSPENDED);
            return;
        }
        if (h.type == PG_B_DATA_ROW) send_row(s, p, m);
        else if (h.type != PG_B_ROW_DESCRIPTION) session_send(s, m);
        if (h.type == PG_B_ERROR) console_of(s)->is_skipping = true;
        rows += h.type == PG_B_DATA_ROW;
        p->at += h.total;
    }
    p->is_over = true;
}

void session_pg_console_reply(struct session *s, struct writer *reply, bool ends) {
    struct console_pg *c = session_pg_of(s)->console;
    struct portal *p = c ? c->running : NULL;
    if (!p) {
        session_send(s, writer_bytes(reply));
        if (!ends) say_ready(s);
        return;
    }
    c->running = NULL;
    p->reply = *reply;
    writer_init(reply, 0);
    p->has_run = true;
    fetch(s, p, c->max_rows);
}

/* ---- messages ---- */

static void run(struct session *s, struct bytes sql) {
    s->env->console->run(s->env->console->ctx, s, sql);
}

static bool describe(struct session *s, struct bytes sql, struct writer *out, struct err *err) {
    return s->env->console->describe(s->env->console->ctx, s, sql, out, err);
}

/* "text\0" */
static void take_query(struct session *s, struct bytes body) {
    struct reader r = reader_over(body);
    struct bytes text = reader_cstr(&r);
    if (!reader_done(&r)) session_pg_violation(s, "invalid message format");
    else run(s, text);
}

/* "name\0", "text\0", count (2), type (4) ... */
static void take_parse(struct session *s, struct console_pg *c, struct bytes body) {
    struct reader r = reader_over(body);
    struct bytes name = reader_cstr(&r), text = reader_cstr(&r);
    uint16_t types = reader_be16(&r);
    struct writer unused;
    struct err err = {0};
    (void)reader_take(&r, (size_t)types * 4);
    if (!reader_done(&r)) {
        session_pg_violation(s, "invalid message format");
        return;
    }
    if (types || (text.len && memchr(text.ptr, '$', text.len))) {
        fail_with(s, ERR_FEATURE_NOT_SUPPORTED, "the console takes no parameters: write the value into the statement");
        return;
    }
    if (name.len && map_get(&c->statements, name)) {
        err_set(&err, "42P05", "prepared statement \"%.*s\" already exists", (int)name.len, (const char *)name.ptr);
        fail(s, &err);
        return;
    }
    writer_init(&unused, STATEMENT_MAX);
    bool ok = describe(s, text, &unused, &err);
    writer_release(&unused);
    if (ok && c->statements.count >= STATEMENTS_MAX)
        ok = err_set(&err, ERR_LIMIT_EXCEEDED, "more than %d prepared statements at the console", STATEMENTS_MAX);
    else if (ok && !put_statement(c, name, text))
        ok = err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
    if (ok) say(s, PG_B_PARSE_COMPLETE);
    else fail(s, &err);
}

static struct portal *new_portal(struct console_pg *c, struct bytes name, const struct statement *st) {
    struct portal *p = mem_alloc(sizeof *p);
    if (!p) return NULL;
    list_init(&p->node);
    writer_init(&p->description, STATEMENT_MAX);
    writer_init(&p->reply, 0);
    p->name = mem_strdup((const char *)name.ptr, name.len);
    p->text = mem_strdup((const char *)st->text, st->len);
    list_push_back(&c->portals, &p->node);
    if (p->name && p->text) return p;
    free_portal(p);
    return NULL;
}

static bool bind_portal(struct session *s, struct console_pg *c, struct bytes body, struct err *err) {
    struct reader r = reader_over(body);
    struct bytes name = reader_cstr(&r), statement = reader_cstr(&r);
    uint16_t formats = reader_be16(&r);
    (void)reader_take(&r, (size_t)formats * 2);
    uint16_t values = reader_be16(&r);
    const struct statement *st = r.failed ? NULL : map_get(&c->statements, statement);
    struct portal *old = r.failed ? NULL : find_portal(c, name);
    if (r.failed) return err_set(err, ERR_PROTOCOL_VIOLATION, "invalid message format");
    if (!st) {
        return err_set(err, ERR_NO_SUCH_STATEMENT, "prepared statement \"%.*s\" does not exist", (int)statement.len,
                       (const char *)statement.ptr);
    }
    if (values) return err_set(err, ERR_PROTOCOL_VIOLATION, "the console takes no parameters");
    if (old && name.len) return err_set(err, "42P03", "cursor \"%s\" already exists", old->name);
    if (old) free_portal(old);
    size_t count = 0;
    LIST_EACH(n, &c->portals) count += n != NULL;
    if (count >= PORTALS_MAX) return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d portals at the console", PORTALS_MAX);
    struct portal *p = new_portal(c, name, st);
    if (!p) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    if (describe(s, bytes_str(p->text), &p->description, err) && console_format_choose(&p->description, &r, err)) return true;
    free_portal(p);
    return false;
}

static void take_bind(struct session *s, struct console_pg *c, struct bytes body) {
    struct err err = {0};
    if (bind_portal(s, c, body, &err)) say(s, PG_B_BIND_COMPLETE);
    else fail(s, &err);
}

static void send_description(struct session *s, const struct writer *description) {
    if (description->len) session_send(s, writer_bytes(description));
    else say(s, PG_B_NO_DATA);
}

static void fail_missing(struct session *s, uint8_t kind, struct bytes name) {
    struct err err;
    err_set(&err, kind == 'S' ? ERR_NO_SUCH_STATEMENT : "34000", "%s \"%.*s\" does not exist",
            kind == 'S' ? "prepared statement" : "portal", (int)name.len, (const char *)name.ptr);
    fail(s, &err);
}

static void take_describe(struct session *s, struct console_pg *c, uint8_t kind, struct bytes name) {
    const struct statement *st = kind == 'S' ? map_get(&c->statements, name) : NULL;
    const struct portal *p = kind == 'P' ? find_portal(c, name) : NULL;
    if (!st && !p) {
        fail_missing(s, kind, name);
    } else if (p) {
        send_description(s, &p->description);
    } else {
        struct writer out;
        struct err err = {0};
        writer_init(&out, STATEMENT_MAX);
        if (describe(s, bytes_of(st->text, st->len), &out, &err)) {
            say(s, PG_B_PARAMETER_DESCRIPTION);
            send_description(s, &out);
        } else {
            fail(s, &err);
        }
        writer_release(&out);
    }
}

/* To close what does not exist is no error. */
static void take_close(struct session *s, struct console_pg *c, uint8_t kind, struct bytes name) {
    struct portal *p = kind == 'P' ? find_portal(c, name) : NULL;
    if (p) free_portal(p);
    if (kind == 'S') mem_free(map_take(&c->statements, name));
    say(s, PG_B_CLOSE_COMPLETE);
}

/* "portal\0", most rows (4) */
static void take_execute(struct session *s, struct console_pg *c, struct bytes body) {
    struct reader r = reader_over(body);
    struct bytes name = reader_cstr(&r);
    uint32_t max_rows = reader_be32(&r);
    struct portal *p = r.failed ? NULL : find_portal(c, name);
    if (!reader_done(&r)) {
        session_pg_violation(s, "invalid message format");
    } else if (!p) {
        fail_missing(s, 'P', name);
    } else if (p->is_over) {
        fail_with(s, "55000", "the portal has been run to its end");
    } else if (p->has_run) {
        fetch(s, p, max_rows);
    } else {
        c->running = p;
        c->max_rows = max_rows > INT32_MAX ? 0 : max_rows;
        run(s, bytes_str(p->text));
    }
}

static void take_target(struct session *s, struct console_pg *c, uint8_t type, struct bytes body) {
    uint8_t kind;
    struct bytes name;
    if (!pg_target_read(body, &kind, &name) || (kind != 'S' && kind != 'P')) session_pg_violation(s, "invalid message format");
    else if (type == PG_F_DESCRIBE) take_describe(s, c, kind, name);
    else take_close(s, c, kind, name);
}

static void take_sync(struct session *s, struct console_pg *c) {
    drop_portals(c);
    c->is_skipping = false;
    say_ready(s);
}

void session_pg_console_take(struct session *s, uint8_t type, struct bytes body) {
    struct console_pg *c = console_of(s);
    if (!c || pg_client_verdict(c->is_skipping ? PG_CLIENT_CONSOLE_FAILED : PG_CLIENT_CONSOLE, type) != PG_TAKEN) return;
    if (type == PG_F_TERMINATE) session_close(s, "client said goodbye");
    else if (type == PG_F_SYNC) take_sync(s, c);
    else if (type == PG_F_QUERY) take_query(s, body);
    else if (type == PG_F_PARSE) take_parse(s, c, body);
    else if (type == PG_F_BIND) take_bind(s, c, body);
    else if (type == PG_F_DESCRIBE || type == PG_F_CLOSE) take_target(s, c, type, body);
    else if (type == PG_F_EXECUTE) take_execute(s, c, body);
    else if (type == PG_F_FUNCTION_CALL) {
        fail_with(s, ERR_FEATURE_NOT_SUPPORTED, "the console has no functions");
        take_sync(s, c);
    }
}
