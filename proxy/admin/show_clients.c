/*
 * SHOW CLIENTS, SERVERS, SOCKETS, ACTIVE_SOCKETS: one row a connection. The first columns
 * are PgBouncer's and speak its words (`state`); `phase` and what follows are gilmok's.
 * `ptr` and `link` are the names that the log uses: c12 a client, s7 a server connection.
 */
#include <stdio.h>

#include "proxy/admin/console.h"
#include "proxy/net/tls.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/session/session_my.h"
#include "proxy/session/session_pg.h"

#define SOCKET_COLUMNS                                                                                         \
    "type user database replication state addr #port local_addr #local_port connect_time request_time #wait " \
    "#wait_us #close_needed ptr link #remote_pid tls application_name #prepared_statements #id"
#define CLIENT_COLUMNS SOCKET_COLUMNS " phase held_by #server_id #server_pid #connected_s #in_state_ms #queries #worker compression"
#define SERVER_COLUMNS \
    SOCKET_COLUMNS " phase server transaction #owes tainted #client_id #connected_s #in_state_ms #queries #worker"
#define BUFFER_COLUMNS SOCKET_COLUMNS " #recv_pos #pkt_pos #pkt_remain #send_pos #send_remain #pkt_avail #send_avail"

static void put_tls(struct row *r, struct stream *s) {
    struct tls_info info = {0};
    char text[96];
    if (!s || !stream_tls_info(s, &info) || !info.is_secured) {
        row_text(r, "");
        return;
    }
    snprintf(text, sizeof text, "%s/%s", info.version, info.cipher);
    row_text(r, text);
}

/* Two cells. Asked for here, so that nobody pays for it who does not look. */
static void put_local(struct row *r, struct stream *s) {
    struct addr local;
    char text[ADDR_TEXT_MAX];
    if (s && stream_local_addr(s, &local)) {
        row_address(r, addr_text(&local, text));
        return;
    }
    row_text(r, "");
    row_number(r, 0);
}

static void put_label(struct row *r, char kind, uint64_t id) {
    char text[32];
    snprintf(text, sizeof text, "%c%llu", kind, (unsigned long long)id);
    row_text(r, id ? text : "");
}

static void put_number_or_null(struct row *r, uint64_t value) {
    if (value) row_number(r, value);
    else row_text(r, NULL);
}

/* ---- clients ---- */

/* What keeps its server connection from everybody else; of several reasons the one that ends first. */
static const char *hold_reason(const struct session *s) {
    const struct backend *b = s->lessee.backend;
    if (!b) return "";
    if (s->variant->is_single_use) return "replication";
    if (b->ledger.is_message_open) return "message";
    if (b->ledger.is_client_turn) return "copy";
    if (b->ledger.count == 0 && b->ledger.is_group_open) return "portal";
    if (s->pins & PIN_MODE) return "session pooling";
    if (b->ledger.txn != TXN_NONE) return "transaction";
    if (s->pins & PIN_PREPARED) return "prepared statement";
    if (s->pins & (PIN_SETTINGS | PIN_FIXED)) return "settings";
    if (s->pins & PIN_UNNAMED) return "unnamed statement";
    if (s->pins & PIN_TEMP) return "temporary objects";
    if (s->pins & PIN_LOCKS) return "advisory locks";
    if (s->pins & PIN_LISTEN) return "listen";
    if (s->pins & PIN_CURSOR) return "cursor with hold";
    if (s->pins & PIN_SQL_PREPARED) return "sql prepare";
    if (s->pins & (PIN_STAYS | PIN_HIDDEN)) return "session state";
    if (s->pins & PIN_USER_VARIABLES) return "user variables";
    if (s->pins & PIN_HANDLER) return "handler";
    if (s->pins & PIN_XA) return "xa";
    if (s->pins & PIN_ROUTINE) return "routine";
    if (s->pins & PIN_UNREAD) return "unread text";
    if (s->pins & PIN_NEXT) return "next transaction";
    if (s->pins & PIN_ASKED) return "last answer";
    if (s->state == SESSION_HELD && s->pins & (PIN_LOOKING | PIN_DESCRIBING | PIN_LENT)) return "probe";
    return "request";
}

/* Of one in a transaction of which no server knows, that. */
static const char *phase_of(const struct session *s) {
    const struct session_pg *ps = session_pg_try(s);
    bool is_begun = ps && s->state == SESSION_IDLE && s->has_begun;
    return is_begun ? begun_name((enum begun)ps->begin.phase) : session_state_name(s->state);
}

static bool is_waiting(const struct session *s) {
    return list_is_linked(&s->lessee.wait_node);
}

/* PgBouncer's words: a client that has a server connection is active, whatever it does with it. */
static const char *client_state(const struct session *s, bool is_socket) {
    if (s->state == SESSION_LOGIN || s->state == SESSION_LOGIN_WAITING) return is_socket ? "cl_login" : "login";
    if (is_waiting(s)) return is_socket ? "cl_waiting" : "waiting";
    if (s->lessee.backend || s->console_job || is_socket) return is_socket ? "cl_active" : "active";
    return "idle";
}

/* Of a client on this machine; behind a proxy it would be the proxy's. */
static uint64_t client_pid(const struct session *s) {
    struct peer_process peer;
    return s->is_on_socket && s->stream && stream_peer_process(s->stream, &peer) ? peer.pid : 0;
}

static void put_client_cells(struct console_call *call, struct row *r, const struct session *s, bool is_socket) {
    const struct session_pg *ps = session_pg_try(s);
    const struct backend *b = s->lessee.backend;
    char peer[64];
    uint64_t wait_us = is_waiting(s) ? console_age_us(call, s->lessee.waiting_since_us) : 0;
    row_text(r, "C");
    row_text(r, s->user ? s->user : "");
    row_text(r, s->database ? s->database : "");
    row_text(r, s->variant && s->variant->is_single_use ? "replication" : "none");
    row_text(r, client_state(s, is_socket));
    row_address(r, session_peer_text(s, peer));
    put_local(r, s->stream);
    row_time(r, console_age_us(call, s->opened_us));
    row_time(r, console_age_us(call, s->request.started_us ? s->request.started_us : s->opened_us));
    row_number(r, wait_us / 1000000);
    row_number(r, wait_us % 1000000);
    row_number(r, 0);
    put_label(r, 'c', s->id);
    put_label(r, 's', b ? b->id : 0);
    row_number(r, client_pid(s));
    put_tls(r, s->stream);
    row_text(r, ps && ps->app_name ? ps->app_name : "");
    row_number(r, ps ? ps->prepared.named.count : 0);
    row_number(r, s->id);
}

static void put_client(struct console_call *call, const struct session *s) {
    struct row r = console_row(call);
    put_client_cells(call, &r, s, false);
    row_text(&r, phase_of(s));
    row_text(&r, hold_reason(s));
    put_number_or_null(&r, s->lessee.backend ? s->lessee.backend->id : 0);
    put_number_or_null(&r, s->lessee.backend ? s->lessee.backend->server_id : 0);
    row_number(&r, console_age_us(call, s->opened_us) / 1000000);
    row_number(&r, console_age_us(call, s->state_since_us) / 1000);
    row_number(&r, s->queries);
    row_number(&r, s->env->worker);
    row_text(&r, session_my_compression(s));
    row_end(&r);
}

static void each_client(struct console_call *call, void (*put)(struct console_call *call, const struct session *s)) {
    struct session_env *env = &call->worker->sessions;
    LIST_EACH(n, &env->logins) put(call, CONTAINER_OF(n, struct session, node));
    LIST_EACH(n, &env->sessions) put(call, CONTAINER_OF(n, struct session, node));
}

static void visit_clients(struct console_call *call) {
    each_client(call, put_client);
}

/* ---- servers ---- */

static const char *server_state(const struct backend *b, bool is_socket) {
    switch (b->state) {
    case BACKEND_CONNECTING:
    case BACKEND_LOGIN:
        return is_socket ? "sv_login" : "new";
    case BACKEND_IDLE:
        return is_socket ? "sv_idle" : "idle";
    case BACKEND_LEASED:
        return is_socket ? "sv_active" : "active";
    case BACKEND_CHECKING:
    case BACKEND_CLEANING:
        if (b->cancels_open) return is_socket ? "sv_being_canceled" : "being_canceled";
        return is_socket ? "sv_tested" : "tested";
    case BACKEND_CLOSED:
        break;
    }
    return "";
}

static void put_server_cells(struct console_call *call, struct row *r, const struct backend *b, bool is_socket) {
    const struct pool *p = b->variant->pool;
    const struct backend_pg *bp = backend_pg_try(b);
    char address[ADDR_TEXT_MAX];
    row_text(r, "S");
    row_text(r, p->server.user);
    row_text(r, p->database);
    row_text(r, b->variant->is_single_use ? "replication" : "none");
    row_text(r, server_state(b, is_socket));
    row_address(r, addr_text(&b->site->addr, address));
    put_local(r, b->stream);
    row_time(r, console_age_us(call, b->opened_us));
    row_time(r, console_age_us(call, b->state_since_us));
    row_number(r, 0);
    row_number(r, 0);
    row_number(r, b->is_retired);
    put_label(r, 's', b->id);
    put_label(r, 'c', b->lessee ? b->lessee->id : 0);
    row_number(r, b->server_id);
    put_tls(r, b->stream);
    row_text(r, bp && b->lessee && bp->params.app_name ? bp->params.app_name : "");
    row_number(r, bp ? bp->prepared.count : 0);
    row_number(r, b->id);
}

static void put_server(struct console_call *call, const struct backend *b) {
    struct row r = console_row(call);
    put_server_cells(call, &r, b, false);
    row_text(&r, backend_state_name(b->state));
    row_text(&r, b->site->name);
    row_text(&r, txn_state_name(b->ledger.txn));
    row_number(&r, b->ledger.count);
    row_text(&r, b->is_tainted ? "yes" : "no");
    put_number_or_null(&r, b->lessee ? b->lessee->id : 0);
    row_number(&r, console_age_us(call, b->opened_us) / 1000000);
    row_number(&r, console_age_us(call, b->state_since_us) / 1000);
    row_number(&r, b->queries);
    row_number(&r, call->worker->number);
    row_end(&r);
}

static void each_server(struct console_call *call, void (*put)(struct console_call *call, const struct backend *b)) {
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        LIST_EACH(i, &p->variants) {
            const struct variant *v = CONTAINER_OF(i, struct variant, node);
            LIST_EACH(k, &v->busy) put(call, CONTAINER_OF(k, struct backend, node));
            LIST_EACH(k, &v->idle) put(call, CONTAINER_OF(k, struct backend, node));
            LIST_EACH(k, &v->opening) put(call, CONTAINER_OF(k, struct backend, node));
        }
    }
}

static void visit_servers(struct console_call *call) {
    each_server(call, put_server);
}

/* ---- sockets ---- */

/* What waits on both sides; gilmok's buffers have no positions. */
static void put_buffers(struct row *r, const struct stream *s) {
    const uint64_t numbers[] = {0, 0, 0, 0, s ? stream_queued(s) : 0, s ? s->held_len : 0, 0};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) row_number(r, numbers[i]);
}

static void put_client_socket(struct console_call *call, const struct session *s) {
    struct row r = console_row(call);
    put_client_cells(call, &r, s, true);
    put_buffers(&r, s->stream);
    row_end(&r);
}

static void put_server_socket(struct console_call *call, const struct backend *b) {
    struct row r = console_row(call);
    put_server_cells(call, &r, b, true);
    put_buffers(&r, b->stream);
    row_end(&r);
}

static void visit_sockets(struct console_call *call) {
    each_client(call, put_client_socket);
    each_server(call, put_server_socket);
}

static void put_active_client(struct console_call *call, const struct session *s) {
    if (s->lessee.backend || is_waiting(s) || s->console_job) put_client_socket(call, s);
}

static void put_active_server(struct console_call *call, const struct backend *b) {
    if (b->state != BACKEND_IDLE) put_server_socket(call, b);
}

static void visit_active_sockets(struct console_call *call) {
    each_client(call, put_active_client);
    each_server(call, put_active_server);
}

/* ---- the table ---- */

static const struct console_verb verbs[] = {
    {"SHOW CLIENTS", NULL, CONSOLE_STATS, "every client, and why it holds a server connection", .columns = CLIENT_COLUMNS,
     .visit = visit_clients},
    {"SHOW SERVERS", NULL, CONSOLE_STATS, "every server connection, and what it owes", .columns = SERVER_COLUMNS,
     .visit = visit_servers},
    {"SHOW SOCKETS", NULL, CONSOLE_STATS, "both, with the bytes that wait", .columns = BUFFER_COLUMNS, .visit = visit_sockets},
    {"SHOW ACTIVE_SOCKETS", NULL, CONSOLE_STATS, "those of them that are in use", .columns = BUFFER_COLUMNS,
     .visit = visit_active_sockets},
};

const struct console_table show_clients_table = CONSOLE_TABLE(verbs);
