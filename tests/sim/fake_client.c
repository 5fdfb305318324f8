/*
 * The fake client's connection: login, and the comparison of each message with what
 * was expected.
 */
#include "tests/sim/fake_client.h"
#include "tests/sim/fake_pg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/reader.h"

enum { OUT_MAX = 8 << 20 };

PRINTF_LIKE(2, 3) static void complain(struct fake_client *c, const char *fmt, ...) {
    va_list args;
    char *to = c->world->complaint;
    if (to[0] || c->is_dying) return;
    size_t at = (size_t)snprintf(to, sizeof c->world->complaint, "client %u after query %u: ", c->number, c->query);
    va_start(args, fmt);
    vsnprintf(to + at, sizeof c->world->complaint - at, fmt, args);
    va_end(args);
}

static void be_over(struct fake_client *c) {
    if (c->is_over) return;
    c->is_over = true;
    timer_stop(&c->pause);
    if (c->stream) stream_close(c->stream);
    c->stream = NULL;
    c->world->running--;
}

static void send_out(struct fake_client *c, struct writer *w) {
    if (c->stream && !w->failed) stream_send(c->stream, writer_bytes(w));
    else if (w->failed) be_over(c);
    writer_reset(w);
}

/* ---- login ---- */

static void put_param(struct writer *w, const char *name, const char *value) {
    if (value) pg_put_startup_param(w, bytes_str(name), bytes_str(value));
}

static void send_startup(struct fake_client *c) {
    static const char *const users[] = {"u0", "u1"};
    char app[16];
    size_t start;
    if (c->world->has_one_app) snprintf(app, sizeof app, "%s", FAKE_ONE_APP);
    else snprintf(app, sizeof app, "c%u", c->number);
    pg_put_startup_begin(&c->out, &start);
    put_param(&c->out, "user", c->fate == FATE_UNKNOWN_USER ? "nobody" : users[c->user]);
    put_param(&c->out, "database", c->database);
    put_param(&c->out, "application_name", app);
    put_param(&c->out, "TimeZone", c->time_zone);
    put_param(&c->out, "search_path", c->search_path);
    if (c->fate == FATE_BAD_PARAMETER) put_param(&c->out, "no_such_thing", "1");
    pg_put_startup_end(&c->out, start);
    send_out(c, &c->out);
}

static void on_connected(void *owner) {
    struct fake_client *c = owner;
    if (!c->world->tls[c->user]) {
        send_startup(c);
        return;
    }
    pg_put_ssl_request(&c->out);
    send_out(c, &c->out);
}

static void on_secured(void *owner) {
    send_startup(owner);
}

static void take_auth(struct fake_client *c, struct bytes body) {
    static const char *const passwords[] = {"secret-0", "secret-1"};
    uint8_t nonce[SCRAM_NONCE_RAW], storage[SCRAM_MESSAGE_MAX];
    const char *password = c->fate == FATE_WRONG_PASSWORD || c->fate == FATE_UNKNOWN_USER ? "wrong" : passwords[c->user];
    struct scram_keys other = {0};
    struct scram_keys *keys = password == passwords[c->user] ? &c->world->keys[c->user] : &other;
    struct writer w;
    struct err err = {0};
    uint32_t code;
    struct bytes rest;
    bool ok = pg_auth_read(body, &code, &rest);
    writer_init_fixed(&w, storage, sizeof storage);
    if (code == PG_AUTH_SASL) {
        ok = ok && clock_random(&c->world->sim->clock, nonce, sizeof nonce) && scram_client_first(&c->scram, SCRAM_BINDING_CANNOT, NULL, nonce, &w);
        pg_put_sasl_initial(&c->out, SCRAM_MECHANISM, writer_bytes(&w));
    } else if (code == PG_AUTH_SASL_CONTINUE) {
        ok = ok && scram_client_final(&c->scram, password, rest, keys, &w, &err);
        pg_put_sasl_response(&c->out, writer_bytes(&w));
    } else if (code == PG_AUTH_SASL_FINAL) {
        ok = ok && scram_client_verify(&c->scram, rest, &err);
    } else {
        ok = ok && code == PG_AUTH_OK;
    }
    if (!ok && c->world->has_faults) be_over(c); /* the client's own memory was out */
    else if (!ok) complain(c, "login message %u is wrong: %s", code, err.message);
    if (c->out.len) send_out(c, &c->out);
}

static void take_param(struct fake_client *c, struct bytes body) {
    struct pg_param p;
    int i = 0;
    if (!pg_parameter_status_read(body, &p)) {
        complain(c, "malformed ParameterStatus");
        return;
    }
    while (i < c->param_count && !bytes_is(p.name, c->params[i].name)) i++;
    if (i == CLIENT_PARAMS_MAX) return;
    if (i == c->param_count) c->param_count++;
    snprintf(c->params[i].name, sizeof c->params[i].name, "%.*s", (int)p.name.len, (const char *)p.name.ptr);
    snprintf(c->params[i].value, sizeof c->params[i].value, "%.*s", (int)p.value.len, (const char *)p.value.ptr);
}

const char *fake_client_param(const struct fake_client *c, const char *name) {
    for (int i = 0; i < c->param_count; i++)
        if (strcmp(c->params[i].name, name) == 0) return c->params[i].value;
    return "(never reported)";
}

/* ---- errors ---- */

static bool is_rejection(const struct fake_client *c, struct bytes sqlstate) {
    switch (c->fate) {
    case FATE_WRONG_PASSWORD:
    case FATE_UNKNOWN_USER:
        return bytes_is(sqlstate, ERR_INVALID_PASSWORD);
    case FATE_BAD_PARAMETER:
        return bytes_is(sqlstate, "42704") || c->world->has_trouble;
    case FATE_NORMAL:
    case FATE_SUDDEN_DEATH:
        break;
    }
    return false;
}

static struct group *head(struct fake_client *c) {
    return c->group_count ? &c->groups[c->group_first] : NULL;
}

static bool expects_death(struct fake_client *c) {
    struct group *g = head(c);
    return g && g->at < g->count && g->e[g->at].type == 'X';
}

static void take_fatal(struct fake_client *c, const struct pg_error_fields *f) {
    if (!c->is_logged_in ? is_rejection(c, f->sqlstate) || c->world->has_trouble : c->world->has_trouble || expects_death(c)) {
        c->is_dying = true;
        return;
    }
    complain(c, "FATAL %.*s: %.*s", (int)f->sqlstate.len, (const char *)f->sqlstate.ptr, (int)f->message.len,
             (const char *)f->message.ptr);
    c->is_dying = true;
}

static bool is_refusal(struct bytes sqlstate) {
    return bytes_is(sqlstate, ERR_TOO_MANY_CONNECTIONS) || bytes_is(sqlstate, ERR_CANNOT_CONNECT) ||
           bytes_is(sqlstate, ERR_CONNECTION_FAILURE) || bytes_is(sqlstate, ERR_CANNOT_CONNECT_NOW) ||
           bytes_is(sqlstate, ERR_OUT_OF_MEMORY);
}

/* The rest of the exchange is not coming: only its ReadyForQuery. */
static void skip_to_ready(struct fake_client *c, struct group *g) {
    if (g->tail_at > g->at && g->tail_is_sync) {
        writer_reset(&g->tail);
        pg_put_sync(&g->tail);
        send_out(c, &g->tail);
    }
    g->tail_at = -1;
    while (g->at < g->count && g->e[g->at].type != PG_B_READY) g->at++;
    g->row = 0;
}

/* BEGIN was refused: what was sent behind it ran outside of a transaction. */
static void forget_txn(struct fake_client *c) {
    for (int i = 0; i < c->group_count; i++) {
        struct group *g = &c->groups[(c->group_first + i) % CLIENT_GROUPS_MAX];
        for (int k = 0; k < g->count; k++)
            if (g->e[k].type == PG_B_READY) g->e[k].text[0] = PG_TXN_IDLE;
        g->is_refusable = true;
        g->is_first = false;
    }
}

/* The server's answer in a transaction that has failed; the group has one statement, or ends at its first. */
static void want_failed(struct group *g) {
    struct expect *ready = &g->e[g->count - 1];
    ready->text[0] = PG_TXN_FAILED;
    g->is_refusable = true; /* what goes to a server for its answer */
    g->tail_at = -1;
    if (g->e[0].type == PG_B_EMPTY_QUERY) return;
    g->e[0] = (struct expect){.type = PG_B_ERROR, .text = "25P02"};
    g->e[1] = *ready;
    g->count = 2;
}

/* Its first statement was refused, and what was sent behind that has failed with it, up to its end. */
static void fail_txn(struct fake_client *c) {
    struct group *first = head(c);
    first->e[first->count - 1].text[0] = PG_TXN_FAILED;
    for (int i = 1; i < c->group_count; i++) {
        struct group *g = &c->groups[(c->group_first + i) % CLIENT_GROUPS_MAX];
        if (g->ends_txn) {
            memcpy(g->e[0].text, "ROLLBACK", sizeof "ROLLBACK");
            return;
        }
        want_failed(g);
    }
}

/* True when the error stands for the exchange, or for a part that may fail. */
static bool take_error(struct fake_client *c, struct group *g, const struct pg_error_fields *f) {
    struct expect *e = &g->e[g->at];
    if (e->type == PG_B_ERROR && bytes_is(f->sqlstate, e->text)) {
        g->at++;
        return true;
    }
    bool is_known = g->may_fail[0] && bytes_is(f->sqlstate, g->may_fail);
    bool is_refused = g->is_refusable && g->at == 0 && c->world->has_trouble && is_refusal(f->sqlstate);
    if (!is_known && !is_refused) return false;
    if (is_refused && g->opens_txn) forget_txn(c);
    if (is_refused && g->is_first) fail_txn(c);
    if (is_refused && c->group_count > 1) { /* an unnamed statement that was to be parsed is missing later */
        for (int i = 1; i < c->group_count; i++)
            memcpy(c->groups[(c->group_first + i) % CLIENT_GROUPS_MAX].may_fail, ERR_NO_SUCH_STATEMENT, 6);
    }
    if (is_refused) g->names[0] = g->forgets_names = 0;
    skip_to_ready(c, g);
    return true;
}

/* ---- rows ---- */

static bool row_text(struct bytes body, struct bytes *text, struct bytes *pid) {
    struct reader r = reader_over(body);
    if (reader_be16(&r) != 2) return false;
    *text = reader_take(&r, reader_be32(&r));
    *pid = reader_take(&r, reader_be32(&r));
    return reader_done(&r);
}

static bool is_numbered(struct bytes text, const struct expect *e, uint32_t row) {
    char want[CLIENT_TEXT_MAX + 16];
    int n = snprintf(want, sizeof want, "%s #%u ", e->text, e->first + row);
    if (text.len != (size_t)n + e->pad || memcmp(text.ptr, want, (size_t)n) != 0) return false;
    for (size_t i = (size_t)n; i < text.len; i++)
        if (text.ptr[i] != 'x') return false;
    return true;
}

static bool is_right_text(const struct fake_client *c, struct bytes text, const struct expect *e, uint32_t row) {
    char app[16];
    switch (e->check) {
    case CHECK_BELIEF:
        return bytes_is(text, fake_client_param(c, e->text));
    case CHECK_PATH:
        return bytes_is(text, c->search_path ? c->search_path : "public") || (c->own_path[0] && bytes_is(text, c->own_path));
    case CHECK_APP:
        snprintf(app, sizeof app, "c%u", c->number);
        if (c->world->has_one_app) snprintf(app, sizeof app, "%s", FAKE_ONE_APP);
        return bytes_is(text, app) || (c->has_set_app_name && bytes_is(text, ""));
    default:
        return e->count ? is_numbered(text, e, row) : bytes_is(text, e->text);
    }
}

/* In a transaction, and when pinned, all rows come from one server connection. */
static void check_connection(struct fake_client *c, struct bytes pid) {
    if (c->txn == PG_TXN_IDLE && !c->is_pinned) return;
    if (!c->txn_pid[0]) snprintf(c->txn_pid, sizeof c->txn_pid, "%.*s", (int)pid.len, (const char *)pid.ptr);
    if (!bytes_is(pid, c->txn_pid))
        complain(c, "was moved from server connection %s to %.*s", c->txn_pid, (int)pid.len, (const char *)pid.ptr);
}

static void take_row(struct fake_client *c, const struct expect *e, uint32_t row, struct bytes body, bool is_copy) {
    struct bytes text = body, pid = bytes_of(NULL, 0);
    if (!is_copy && !row_text(body, &text, &pid)) {
        complain(c, "malformed row");
        return;
    }
    if (!is_right_text(c, text, e, row))
        complain(c, "wanted row \"%s\" #%u, got \"%.*s\"", e->check == CHECK_BELIEF ? fake_client_param(c, e->text) : e->text, row,
                 (int)(text.len < 60 ? text.len : 60), (const char *)text.ptr);
    if (!is_copy) check_connection(c, pid);
}

/* ---- replies ---- */

static void plan_more(struct fake_client *c);

static void end_group(struct fake_client *c, struct group *g, char status) {
    c->txn = status;
    c->is_begun_only = g->opens_txn && status == PG_TXN_OPEN;
    if (g->names[0]) {
        memcpy(c->named, g->names, sizeof c->named);
    }
    if (g->forgets_names) {
        c->named[0] = '\0';
        c->is_pinned = c->world->is_pinned;
    }
    if (status == PG_TXN_IDLE && !c->is_pinned) c->txn_pid[0] = '\0';
    c->world->exchanges++;
    writer_release(&g->tail);
    c->group_first = (c->group_first + 1) % CLIENT_GROUPS_MAX;
    c->group_count--;
    if (c->group_count == 0) plan_more(c);
}

static void advance(struct fake_client *c, struct group *g) {
    struct expect *e = &g->e[g->at];
    if (e->count && ++g->row < e->count) return;
    g->row = 0;
    g->at++;
    if (g->at == g->tail_at) {
        g->tail_at = -1;
        send_out(c, &g->tail);
    }
}

static void take_reply(struct fake_client *c, uint8_t type, struct bytes body) {
    struct group *g = head(c);
    struct pg_error_fields f;
    struct bytes tag;
    if (type == PG_B_ERROR && pg_error_read(body, &f)) {
        if (bytes_is(f.severity, "FATAL")) take_fatal(c, &f);
        else if (!g || !take_error(c, g, &f))
            complain(c, "error %.*s: %.*s", (int)f.sqlstate.len, (const char *)f.sqlstate.ptr, (int)f.message.len,
                     (const char *)f.message.ptr);
        return;
    }
    if (!g) {
        complain(c, "message %c answers nothing", type);
        return;
    }
    struct expect *e = &g->e[g->at];
    if (type != e->type) {
        complain(c, "wanted message %c \"%s\" (number %d of its exchange), got %c", e->type, e->text, g->at, type);
        return;
    }
    if (type == PG_B_DATA_ROW || type == PG_B_COPY_DATA) {
        take_row(c, e, g->row, body, type == PG_B_COPY_DATA);
    } else if (type == PG_B_COMMAND_COMPLETE) {
        if (!pg_command_tag_read(body, &tag) || !bytes_is(tag, e->text))
            complain(c, "wanted tag \"%s\", got \"%.*s\"", e->text, (int)body.len, (const char *)body.ptr);
    } else if (type == PG_B_READY) {
        char status = body.len == 1 ? (char)body.ptr[0] : '?';
        if (status != e->text[0]) complain(c, "wanted status %c, got %c", e->text[0], status);
        end_group(c, g, status);
        return;
    }
    advance(c, g);
}

static void take_message(struct fake_client *c, uint8_t type, struct bytes body) {
    struct pg_error_fields f;
    if (type == PG_B_PARAMETER_STATUS) {
        take_param(c, body);
    } else if (c->is_logged_in) {
        take_reply(c, type, body);
    } else if (type == PG_B_AUTH) {
        take_auth(c, body);
    } else if (type == PG_B_ERROR && pg_error_read(body, &f)) {
        take_fatal(c, &f);
    } else if (type == PG_B_READY) {
        c->is_logged_in = true;
        c->txn = PG_TXN_IDLE;
        if (c->fate != FATE_NORMAL && c->fate != FATE_SUDDEN_DEATH) complain(c, "was let in");
        plan_more(c);
    } else if (type != PG_B_KEY_DATA) {
        complain(c, "message %c during login", type);
    }
}

/* The answer to the SSLRequest. */
static size_t take_ssl_answer(struct fake_client *c, struct bytes data) {
    const struct tls_start how = {.host = "127.0.0.1"};
    struct err err;
    if (data.len != 1 || data.ptr[0] != 'S') { /* or an error in clear */
        if (data.ptr[0] != 'E' || !c->world->has_trouble) complain(c, "%zu bytes for an answer to SSLRequest", data.len);
        be_over(c);
        return data.len;
    }
    c->has_tls = stream_start_tls(c->stream, c->world->tls[c->user], &how, &err);
    if (c->has_tls) return 1;
    if (!c->world->has_faults) complain(c, "TLS does not start: %s", err.message);
    be_over(c);
    return data.len;
}

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct fake_client *c = owner;
    size_t used = 0;
    (void)buf;
    if (c->world->tls[c->user] && !c->has_tls) return take_ssl_answer(c, data);
    while (!c->is_over && !c->world->complaint[0]) {
        struct pg_header h;
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        enum pg_frame frame = pg_header_read(rest, &h);
        if (frame == PG_FRAME_BAD) complain(c, "malformed message");
        if (frame != PG_FRAME_OK || rest.len < h.total) break;
        used += h.total;
        take_message(c, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
    }
    if (c->is_over || c->world->complaint[0]) return data.len;
    return used;
}

static void on_closed(void *owner, const char *why) {
    struct fake_client *c = owner;
    c->stream = NULL;
    bool may_break = c->world->has_trouble || c->fate == FATE_SUDDEN_DEATH;
    if (!c->is_dying && !may_break) complain(c, "connection ended: %s", why);
    be_over(c);
}

static void on_drained(void *owner) {
    (void)owner;
}

static const struct stream_handler handler = {
    .on_connected = on_connected,
    .on_received = on_received,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .on_secured = on_secured,
};

/* ---- the script ---- */

static void leave(struct fake_client *c) {
    uint32_t how = net_sim_below(c->world->sim, 4);
    if (how == 0) net_sim_reset(c->stream);
    if (how >= 2) {
        pg_put_terminate(&c->out);
        send_out(c, &c->out);
        if (c->stream) stream_finish(c->stream);
        c->stream = NULL;
    }
    be_over(c);
}

static void go_on(struct fake_client *c) {
    if (c->is_over) return;
    if (!fake_client_plan(c)) leave(c);
    else send_out(c, &c->out);
}

static void on_pause_over(struct timer *t) {
    struct fake_client *c = CONTAINER_OF(t, struct fake_client, pause);
    struct client_world *w = c->world;
    if (c->is_long_pause && !c->is_pinned && c->txn == PG_TXN_IDLE && w->on_idle) {
        const char *what = w->on_idle(w, c);
        if (what) complain(c, "is idle, but %s", what);
    }
    go_on(c);
}

static void plan_more(struct fake_client *c) {
    struct net_sim *sim = c->world->sim;
    c->is_long_pause = net_sim_one_in(sim, 25);
    timer_set(&c->pause, c->is_long_pause ? 1000 : net_sim_one_in(sim, 4) ? net_sim_below(sim, 60) : 0);
}

static void try_connect(struct fake_client *c) {
    struct err err;
    c->stream = stream_connect(c->world->sim->loop, &c->world->proxy, NULL, &handler, c, &err);
    if (!c->stream) be_over(c);
    else if (c->fate == FATE_SUDDEN_DEATH) net_sim_reset_after(c->stream, net_sim_below(c->world->sim, 1500));
}

static void on_start(struct timer *t) {
    struct fake_client *c = CONTAINER_OF(t, struct fake_client, pause);
    t->on_fire = on_pause_over;
    try_connect(c);
}

static void draw_self(struct fake_client *c) {
    struct net_sim *sim = c->world->sim;
    static const char *const zones[] = {NULL, NULL, "Europe/Riga", "UTC"};
    static const char *const paths[] = {NULL, NULL, NULL, "shop"};
    uint32_t dice = net_sim_below(sim, 24);
    if (dice < 3) c->fate = FATE_SUDDEN_DEATH;
    else if (dice == 3) c->fate = FATE_WRONG_PASSWORD;
    else if (dice == 4) c->fate = FATE_UNKNOWN_USER;
    else if (dice == 5) c->fate = FATE_BAD_PARAMETER;
    c->user = (int)net_sim_below(sim, 2);
    c->database = net_sim_one_in(sim, 4) ? "other" : "shop";
    c->time_zone = zones[net_sim_below(sim, COUNT_OF(zones))];
    c->search_path = paths[net_sim_below(sim, COUNT_OF(paths))];
    c->steps_left = 1 + net_sim_below(sim, c->world->steps_max);
}

void fake_client_start(struct fake_client *c, struct client_world *world, uint32_t number) {
    *c = (struct fake_client){.world = world, .number = number, .is_pinned = world->is_pinned};
    world->running++;
    writer_init(&c->out, OUT_MAX);
    draw_self(c);
    if (!timer_init(&c->pause, world->sim->loop, on_start)) {
        c->pause.loop = NULL;
        be_over(c);
        return;
    }
    timer_set(&c->pause, net_sim_below(world->sim, 100));
}

void fake_client_release(struct fake_client *c) {
    be_over(c);
    timer_release(&c->pause);
    while (c->group_count) {
        writer_release(&c->groups[c->group_first].tail);
        c->group_first = (c->group_first + 1) % CLIENT_GROUPS_MAX;
        c->group_count--;
    }
    writer_release(&c->out);
}
