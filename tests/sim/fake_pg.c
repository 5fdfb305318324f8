/*
 * The fake server's connections: login and messages. What statements do is in
 * fake_pg_sql.c.
 */
#include "tests/sim/fake_pg_conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/reader.h"

enum { OUT_MAX = 64 << 20, SEND_BUFFER = 8 << 10 };

void fake_complain(struct fake_conn *c, const char *fmt, ...) {
    va_list args;
    if (c->pg->complaint[0]) return;
    size_t at = (size_t)snprintf(c->pg->complaint, sizeof c->pg->complaint, "server connection %u: ", c->pid);
    va_start(args, fmt);
    vsnprintf(c->pg->complaint + at, sizeof c->pg->complaint - at, fmt, args);
    va_end(args);
}

void fake_error(struct fake_conn *c, const char *severity, const char *sqlstate, const char *message) {
    struct err err;
    err_set(&err, sqlstate, "%s", message);
    pg_put_error(&c->out, severity, &err);
}

void fake_flush(struct fake_conn *c) {
    if (!c->stream) return;
    if (c->out.failed) {
        net_sim_reset(c->stream);
        c->is_cut = true;
    }
    if (c->out.len && !c->is_cut) stream_send(c->stream, writer_bytes(&c->out));
    writer_reset(&c->out);
}

void fake_forget_portals(struct fake_conn *c) {
    c->portal_count = 0;
}

void fake_end(struct fake_conn *c, enum fake_ending how) {
    if (!c->stream) return;
    if (how == ENDING_FATAL) fake_error(c, "FATAL", ERR_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    if (how == ENDING_SILENT) {
        net_sim_silence(c->stream);
        c->is_asleep = true;
        return;
    }
    fake_flush(c);
    if (how == ENDING_RESET) {
        net_sim_reset(c->stream);
        stream_close(c->stream);
    } else {
        stream_finish(c->stream);
    }
    c->stream = NULL;
    list_remove(&c->node);
    list_push_back(&c->pg->dead, &c->node);
    loop_defer(c->pg->sim->loop, &c->pg->bury);
}

/* ---- login ---- */

static void take_startup_params(struct fake_conn *c, const struct pg_first *f) {
    for (int i = 0; i < f->param_count; i++) {
        struct bytes name = f->params[i].name, value = f->params[i].value;
        if (bytes_is(name, "user")) {
            snprintf(c->user, sizeof c->user, "%.*s", (int)value.len, (const char *)value.ptr);
        } else if (!bytes_is(name, "database") && !fake_setting_start(c, name, value)) {
            c->is_param_bad |= !memchr(name.ptr, '.', name.len); /* with a dot it is somebody else's, and taken as it is */
        }
    }
}

static void welcome(struct fake_conn *c) {
    uint8_t key[4] = {1, 2, 3, 4};
    pg_put_auth(&c->out, PG_AUTH_OK, bytes_of(NULL, 0));
    c->step = STEP_RUNNING;
    if (c->is_param_bad) {
        fake_error(c, "FATAL", "42704", "unrecognized configuration parameter");
        fake_end(c, ENDING_QUIET);
        return;
    }
    if (net_sim_one_in(c->pg->sim, c->pg->refuses_one_in)) {
        bool is_full = net_sim_one_in(c->pg->sim, 2);
        fake_error(c, "FATAL", is_full ? "53300" : "57P03", is_full ? "sorry, too many clients" : "starting up");
        fake_end(c, ENDING_QUIET);
        return;
    }
    fake_settings_report(c);
    pg_put_key_data(&c->out, c->pid, bytes_of(key, sizeof key));
    pg_put_ready(&c->out, PG_TXN_IDLE);
    fake_flush(c);
}

static void take_ssl_request(struct fake_conn *c) {
    const struct tls_start how = {0};
    struct err err;
    writer_u8(&c->out, 'S');
    fake_flush(c);
    c->has_tls = stream_start_tls(c->stream, c->pg->tls, &how, &err);
    if (!c->has_tls) fake_end(c, ENDING_RESET);
}

static size_t take_first(struct fake_conn *c, struct bytes data) {
    struct pg_first f;
    struct err err;
    if (data.len < 4) return 0;
    enum pg_frame frame = pg_first_read(data, &f, &err);
    if (frame == PG_FRAME_NEED_MORE) return 0;
    if (frame == PG_FRAME_OK && f.kind == PG_FIRST_CANCEL) { /* taken, too late to matter */
        fake_end(c, ENDING_QUIET);
        return data.len;
    }
    if (frame == PG_FRAME_OK && f.kind == PG_FIRST_SSL && c->pg->tls && !c->has_tls) {
        take_ssl_request(c);
        return f.total;
    }
    if (frame == PG_FRAME_BAD || f.kind != PG_FIRST_STARTUP || (c->pg->tls && !c->has_tls)) {
        fake_complain(c, "a bad first packet");
        fake_end(c, ENDING_RESET);
        return data.len;
    }
    take_startup_params(c, &f);
    if (c->pg->user_count == 0) {
        welcome(c);
    } else {
        pg_put_auth_sasl(&c->out, SCRAM_MECHANISM, NULL);
        c->step = STEP_SASL_INITIAL;
        fake_flush(c);
    }
    return f.total;
}

static const struct scram_verifier *find_verifier(const struct fake_pg *pg, const char *user) {
    for (int i = 0; i < pg->user_count; i++)
        if (strcmp(pg->users[i].name, user) == 0) return &pg->users[i].verifier;
    return NULL;
}

static void take_sasl(struct fake_conn *c, struct bytes body) {
    uint8_t nonce[SCRAM_NONCE_RAW], storage[SCRAM_MESSAGE_MAX];
    struct writer out;
    struct err err;
    struct bytes mechanism, response;
    const struct scram_verifier *verifier = find_verifier(c->pg, c->user);
    enum scram_result result = SCRAM_REFUSED;
    bool is_first = c->step == STEP_SASL_INITIAL;
    writer_init_fixed(&out, storage, sizeof storage);
    if (is_first && verifier && pg_sasl_initial_read(body, &mechanism, &response)) {
        bool has_nonce = clock_random(&c->pg->sim->clock, nonce, sizeof nonce);
        result = has_nonce ? scram_server_first(&c->scram, verifier, response, nonce, &out, &err) : SCRAM_REFUSED;
    } else if (!is_first) {
        result = scram_server_final(&c->scram, body, &out, &err);
    }
    if (result != SCRAM_OK) {
        fake_complain(c, "SCRAM of user %s failed", c->user);
        fake_error(c, "FATAL", ERR_INVALID_PASSWORD, "password authentication failed");
        fake_end(c, ENDING_QUIET);
        return;
    }
    pg_put_auth(&c->out, is_first ? PG_AUTH_SASL_CONTINUE : PG_AUTH_SASL_FINAL, writer_bytes(&out));
    if (is_first) c->step = STEP_SASL_FINAL;
    else welcome(c);
    fake_flush(c);
}

/* ---- the extended protocol ---- */

/* After an error nothing is heard until Sync. */
void fake_extended_error(struct fake_conn *c, const char *sqlstate, const char *message) {
    fake_error(c, "ERROR", sqlstate, message);
    c->is_skipping = true;
    if (c->txn == PG_TXN_OPEN) c->txn = PG_TXN_FAILED;
}

static void take_parse(struct fake_conn *c, struct bytes body) {
    struct reader r = reader_over(body);
    struct bytes name = reader_cstr(&r), sql = reader_cstr(&r);
    if (name.len && fake_find_statement(c, name)) {
        fake_extended_error(c, "42P05", "prepared statement already exists");
        return;
    }
    if (c->txn == PG_TXN_FAILED) {
        fake_extended_error(c, "25P02", "current transaction is aborted");
        return;
    }
    struct fake_statement *st = fake_find_statement(c, name);
    if (!st && c->statement_count < FAKE_STATEMENTS_MAX) st = &c->statements[c->statement_count++];
    if (!st || r.failed || name.len >= sizeof st->name || sql.len >= sizeof st->sql) {
        fake_complain(c, "a Parse that the fake server cannot hold");
        return;
    }
    fake_check_owner(c, sql);
    fake_check_style(c, sql);
    memcpy(st->name, name.ptr, name.len + 1);
    memcpy(st->sql, sql.ptr, sql.len + 1);
    pg_end(&c->out, pg_begin(&c->out, PG_B_PARSE_COMPLETE));
}

static void take_bind(struct fake_conn *c, struct bytes body) {
    struct reader r = reader_over(body);
    struct bytes portal = reader_cstr(&r), name = reader_cstr(&r);
    for (uint16_t n = reader_be16(&r); n > 0; n--) (void)reader_be16(&r);
    uint16_t params = reader_be16(&r);
    struct bytes value = bytes_of(NULL, 0);
    if (params == 1) value = reader_take(&r, reader_be32(&r));
    struct fake_statement *st = fake_find_statement(c, name);
    if (!st) {
        fake_extended_error(c, ERR_NO_SUCH_STATEMENT, "prepared statement does not exist");
        return;
    }
    fake_check_owner(c, bytes_str(st->sql)); /* a foreign statement would run here */
    struct fake_portal *p = fake_find_portal(c, portal);
    if (!p && c->portal_count < FAKE_PORTALS_MAX) p = &c->portals[c->portal_count++];
    if (!p || r.failed || portal.len >= sizeof p->name || value.len >= sizeof p->value) {
        fake_complain(c, "a Bind that the fake server cannot hold");
        return;
    }
    *p = (struct fake_portal){0};
    memcpy(p->name, portal.ptr, portal.len + 1);
    memcpy(p->sql, st->sql, sizeof p->sql);
    if (value.len) memcpy(p->value, value.ptr, value.len);
    p->has_value = params == 1;
    pg_end(&c->out, pg_begin(&c->out, PG_B_BIND_COMPLETE));
}

static void put_description(struct fake_conn *c, const char *sql) {
    if (fake_returns_rows(sql)) fake_put_description(c);
    else pg_end(&c->out, pg_begin(&c->out, PG_B_NO_DATA));
}

static void take_describe(struct fake_conn *c, struct bytes body) {
    uint8_t kind;
    struct bytes name;
    if (!pg_target_read(body, &kind, &name)) {
        fake_complain(c, "malformed Describe");
        return;
    }
    struct fake_statement *st = kind == 'S' ? fake_find_statement(c, name) : NULL;
    struct fake_portal *p = kind == 'P' ? fake_find_portal(c, name) : NULL;
    if (!st && !p) {
        fake_extended_error(c, kind == 'S' ? ERR_NO_SUCH_STATEMENT : "34000", "does not exist");
        return;
    }
    if (st) {
        size_t at = pg_begin(&c->out, PG_B_PARAMETER_DESCRIPTION);
        writer_be16(&c->out, 0);
        pg_end(&c->out, at);
    }
    put_description(c, st ? st->sql : p->sql);
}

static void take_execute(struct fake_conn *c, struct bytes body) {
    struct reader r = reader_over(body);
    struct fake_portal *p = fake_find_portal(c, reader_cstr(&r));
    if (!p) {
        fake_extended_error(c, "34000", "portal does not exist");
        return;
    }
    fake_run_portal(c, p, reader_be32(&r));
}

static void take_close(struct fake_conn *c, struct bytes body) {
    uint8_t kind;
    struct bytes name;
    if (pg_target_read(body, &kind, &name) && kind == 'S') {
        struct fake_statement *st = fake_find_statement(c, name);
        if (st) *st = c->statements[--c->statement_count];
    }
    pg_end(&c->out, pg_begin(&c->out, PG_B_CLOSE_COMPLETE));
}

static void take_sync(struct fake_conn *c) {
    c->is_skipping = false;
    if (c->txn == PG_TXN_IDLE) fake_forget_portals(c);
    pg_put_ready(&c->out, c->txn);
    fake_flush(c);
}

/* ---- messages ---- */

static bool take_trouble(struct fake_conn *c) {
    static const enum fake_ending endings[] = {ENDING_FATAL, ENDING_RESET, ENDING_QUIET, ENDING_SILENT};
    c->pg->commands++;
    if (!net_sim_one_in(c->pg->sim, c->pg->dies_one_in)) return false;
    fake_end(c, endings[net_sim_below(c->pg->sim, COUNT_OF(endings))]);
    return true;
}

static void take_message(struct fake_conn *c, uint8_t type, struct bytes body) {
    if (c->step != STEP_RUNNING) {
        if (type == PG_F_AUTH) take_sasl(c, body);
        else fake_complain(c, "message %c during login", type);
        return;
    }
    if (c->copy != COPY_NONE && fake_take_copy(c, type, body)) return;
    if (type == PG_F_TERMINATE) {
        fake_end(c, ENDING_QUIET);
        return;
    }
    if (type == PG_F_SYNC) {
        take_sync(c);
        return;
    }
    if (c->is_skipping || take_trouble(c)) return;
    switch (type) {
    case PG_F_QUERY:
        fake_run_query(c, bytes_of(body.ptr, body.len - 1));
        break;
    case PG_F_PARSE:
        take_parse(c, body);
        break;
    case PG_F_BIND:
        take_bind(c, body);
        break;
    case PG_F_DESCRIBE:
        take_describe(c, body);
        break;
    case PG_F_EXECUTE:
        take_execute(c, body);
        break;
    case PG_F_CLOSE:
        take_close(c, body);
        break;
    case PG_F_FLUSH:
        fake_flush(c);
        break;
    case PG_F_COPY_DATA:
    case PG_F_COPY_DONE:
    case PG_F_COPY_FAIL:
        break; /* the rest of a COPY that failed */
    default:
        fake_complain(c, "message of unknown type %d", type);
    }
}

/* A server that cannot get rid of its answers does not read on. */
static bool is_stuck(const struct fake_conn *c) {
    return c->stream && (c->is_asleep || stream_is_congested(c->stream));
}

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct fake_conn *c = owner;
    size_t used = 0;
    (void)buf;
    while (c->stream && !is_stuck(c)) {
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        struct pg_header h;
        if (c->step == STEP_FIRST) {
            size_t n = take_first(c, rest);
            used += n;
            if (n == 0) break;
            continue;
        }
        enum pg_frame frame = pg_header_read(rest, &h);
        if (frame == PG_FRAME_BAD) {
            fake_complain(c, "malformed message");
            fake_end(c, ENDING_RESET);
        }
        if (frame != PG_FRAME_OK || rest.len < h.total) break;
        used += h.total;
        take_message(c, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
        if (c->out.len > SEND_BUFFER) fake_flush(c);
    }
    return c->stream ? used : data.len;
}

static void on_resume(struct task *t) {
    struct fake_conn *c = CONTAINER_OF(t, struct fake_conn, resume);
    if (!c->stream || is_stuck(c)) return;
    fake_go_on(c);
    if (c->stream && !is_stuck(c)) stream_reoffer(c->stream);
}

static void on_drained(void *owner) {
    struct fake_conn *c = owner;
    loop_defer(c->pg->sim->loop, &c->resume);
}

static void on_wake(struct timer *t) {
    struct fake_conn *c = CONTAINER_OF(t, struct fake_conn, nap);
    c->is_asleep = false;
    loop_defer(c->pg->sim->loop, &c->resume);
}

static void on_closed(void *owner, const char *why) {
    struct fake_conn *c = owner;
    (void)why;
    c->stream = NULL;
    list_remove(&c->node);
    list_push_back(&c->pg->dead, &c->node);
    loop_defer(c->pg->sim->loop, &c->pg->bury);
}

static const struct stream_handler handler = {
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* ---- beginning and end ---- */

static void on_bury(struct task *t) {
    struct fake_pg *pg = CONTAINER_OF(t, struct fake_pg, bury);
    struct list *n;
    while ((n = list_take_first(&pg->dead))) {
        struct fake_conn *c = CONTAINER_OF(n, struct fake_conn, node);
        task_cancel(&c->resume);
        timer_release(&c->nap);
        writer_release(&c->out);
        free(c->rest);
        free(c);
        pg->conn_count--;
    }
}

static void on_accept(struct listener *li, struct stream *s, const struct addr *peer) {
    struct fake_pg *pg = li->owner;
    struct fake_conn *c = calloc(1, sizeof *c);
    (void)peer;
    INVARIANT(c);
    if (!timer_init(&c->nap, li->loop, on_wake)) {
        free(c);
        stream_close(s);
        return;
    }
    c->pg = pg;
    c->stream = s;
    c->pid = ++pg->next_pid;
    c->txn = PG_TXN_IDLE;
    list_init(&c->node);
    task_init(&c->resume, on_resume);
    writer_init(&c->out, OUT_MAX);
    fake_settings_init(c);
    list_push_back(&pg->conns, &c->node);
    pg->conn_count++;
    stream_adopt(s, &handler, c);
}

bool fake_pg_open(struct fake_pg *pg, struct net_sim *sim, const struct addr *at, struct err *err) {
    *pg = (struct fake_pg){.sim = sim, .checks_owner = true};
    list_init(&pg->conns);
    list_init(&pg->dead);
    task_init(&pg->bury, on_bury);
    pg->li = (struct listener){.on_accept = on_accept, .owner = pg};
    return listener_open(&pg->li, sim->loop, at, err);
}

void fake_pg_add_user(struct fake_pg *pg, const char *name, const struct scram_verifier *verifier, const char *secret) {
    INVARIANT(pg->user_count < FAKE_PG_USERS_MAX);
    pg->users[pg->user_count].name = name;
    pg->users[pg->user_count].secret = secret;
    pg->users[pg->user_count++].verifier = *verifier;
}

void fake_pg_close(struct fake_pg *pg) {
    struct list *n;
    while ((n = list_first(&pg->conns))) fake_end(CONTAINER_OF(n, struct fake_conn, node), ENDING_RESET);
    task_cancel(&pg->bury);
    on_bury(&pg->bury);
    listener_close(&pg->li);
}
