/*
 * Commands that change something: pools on every worker, and what the control thread does.
 *
 * PAUSE, SUSPEND, KILL and DISABLE are words in the hub's gate book; the round through the
 * workers makes the pools obey, and waits where a command waits.
 */
#include <stdlib.h>

#include "proxy/admin/console.h"

/* ---- databases ---- */

static struct gate_book *gates_of(const struct console_call *call) {
    return &call->control->hub.gates;
}

static struct bytes named(const struct console_call *call) {
    return bytes_str(call->argument);
}

static bool is_meant(const struct console_call *call, const char *database) {
    return !call->argument[0] || strcmp(call->argument, database) == 0;
}

/* False: no database has this name, and the command ends with an error. */
static bool check_database(struct console_call *call) {
    if (!call->argument[0] || config_find_database(console_config(call), named(call))) return true;
    err_set(call->err, ERR_NO_SUCH_DATABASE, "database \"%s\" does not exist", call->argument);
    if (strcmp(call->argument, "gilmok") == 0) err_hint(call->err, "The console itself cannot be paused or disabled.");
    return false;
}

static void set_gate(struct console_call *call, unsigned flags) {
    if (check_database(call) && !gate_book_set(gates_of(call), named(call), flags))
        err_set(call->err, ERR_OUT_OF_MEMORY, "out of memory");
}

/* ---- PAUSE, RESUME ---- */

static void begin_pause(struct console_call *call) {
    set_gate(call, GATE_PAUSED);
}

/*
 * Connections that are still open: leased ones close when their lease ends. The one that clients listen through stays open: it
 * is in no transaction, and closing it would end them.
 */
static void visit_pause(struct console_call *call) {
    if (!(gate_book_own(gates_of(call), named(call)) & GATE_PAUSED)) {
        err_set(call->err, "55000", "RESUME has come before everything was paused");
        return;
    }
    pool_set_obey_gates(&call->worker->pools);
    LIST_EACH(n, &call->worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        call->is_pending |= is_meant(call, p->database) && p->total > (p->ear ? 1 : 0);
    }
}

static void begin_resume(struct console_call *call) {
    unsigned was = gate_book_own(gates_of(call), named(call));
    if (!check_database(call)) return;
    if (!(was & (GATE_PAUSED | GATE_SUSPENDED))) {
        if (call->argument[0]) err_set(call->err, "55000", "database \"%s\" is not paused by its name", call->argument);
        else err_set(call->err, "55000", "gilmok is not paused or suspended as a whole");
        err_hint(call->err, "RESUME undoes a PAUSE that was given in the same way, with or without a name: see SHOW DATABASES.");
        return;
    }
    gate_book_clear(gates_of(call), named(call), GATE_PAUSED | GATE_SUSPENDED);
    if (was & GATE_SUSPENDED) (void)rows_total(call->totals, "was suspended", "", 1);
}

static void each_busy(struct console_call *call, void (*fn)(struct console_call *call, struct backend *b)) {
    LIST_EACH(n, &call->worker->pools.all) {
        LIST_EACH(i, &CONTAINER_OF(n, struct pool, node)->variants) {
            LIST_EACH(k, &CONTAINER_OF(i, struct variant, node)->busy) fn(call, CONTAINER_OF(k, struct backend, node));
        }
    }
}

static void wake_server(struct console_call *call, struct backend *b) {
    (void)call;
    stream_resume(b->stream);
}

static void visit_resume(struct console_call *call) {
    pool_set_obey_gates(&call->worker->pools);
    if (!call->totals->count) return;
    LIST_EACH(n, &call->worker->sessions.sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->is_console || !s->stream) continue;
        stream_resume(s->stream);
        session_resume_input(s);
    }
    each_busy(call, wake_server);
}

/* ---- SUSPEND ---- */

static void begin_suspend(struct console_call *call) {
    set_gate(call, GATE_SUSPENDED);
}

static void still_server(struct console_call *call, struct backend *b) {
    stream_pause(b->stream);
    call->is_pending |= stream_queued(b->stream) > 0;
}

/* Output that leaves may wake the other side of a lease: it is put to sleep again in the next round. */
static void visit_suspend(struct console_call *call) {
    if (!(gate_book_own(gates_of(call), named(call)) & GATE_SUSPENDED)) {
        err_set(call->err, "55000", "RESUME has come before everything was suspended");
        return;
    }
    pool_set_obey_gates(&call->worker->pools);
    LIST_EACH(n, &call->worker->sessions.sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->is_console || !s->stream) continue;
        stream_pause(s->stream);
        call->is_pending |= stream_queued(s->stream) > 0;
    }
    each_busy(call, still_server);
}

/* ---- DISABLE, ENABLE ---- */

static void begin_disable(struct console_call *call) {
    set_gate(call, GATE_DISABLED);
}

static void begin_enable(struct console_call *call) {
    if (check_database(call)) gate_book_clear(gates_of(call), named(call), GATE_DISABLED);
}

/* ---- RECONNECT, WAIT_CLOSE ---- */

static void begin_named(struct console_call *call) {
    (void)check_database(call);
}

static void visit_reconnect(struct console_call *call) {
    LIST_EACH(n, &call->worker->pools.all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (!is_meant(call, p->database)) continue;
        pool_retire(p);
        pool_want_dispatch(p);
    }
}

static void look_for_retired(struct console_call *call, struct backend *b) {
    call->is_pending |= b->is_retired && is_meant(call, b->variant->pool->database);
}

static void visit_wait_close(struct console_call *call) {
    each_busy(call, look_for_retired);
}

/* ---- KILL, KILL_CLIENT ---- */

static void kill_session(struct session *s) {
    struct err err = {0};
    err_set(&err, ERR_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    session_forget_exchange(s); /* nor does it run again */
    if (s->lessee.backend) backend_abort(s->lessee.backend, &err); /* ends the session too */
    else session_end(s, &err);
}

/*
 * A client that is on its way between workers is met in a later round: the last one finds nobody. Who comes meanwhile waits for
 * RESUME: else clients that come back at once would be killed for ever.
 */
static void visit_kill(struct console_call *call) {
    pool_set_obey_gates(&call->worker->pools);
    LIST_EACH(n, &call->worker->sessions.sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->is_console || s->id > call->newest || !is_meant(call, s->database)) continue;
        kill_session(s);
        call->is_pending = true;
    }
}

static void begin_kill_client(struct console_call *call) {
    char *end;
    unsigned long long id = strtoull(call->argument, &end, 10);
    if (*end || !id || call->argument[0] == '-')
        err_set(call->err, ERR_SYNTAX, "KILL_CLIENT needs the id of a client, as SHOW CLIENTS tells it");
    else if (id == call->asker)
        err_set(call->err, ERR_FEATURE_NOT_SUPPORTED, "client %llu is this session itself", id);
}

static struct session *find_client(struct list *sessions, uint64_t id) {
    LIST_EACH(n, sessions) {
        struct session *s = CONTAINER_OF(n, struct session, node);
        if (s->id == id) return s;
    }
    return NULL;
}

static void visit_kill_client(struct console_call *call) {
    uint64_t id = strtoull(call->argument, NULL, 10);
    struct session *s = find_client(&call->worker->sessions.sessions, id);
    if (!s) s = find_client(&call->worker->sessions.logins, id);
    if (s) {
        kill_session(s);
        (void)rows_total(call->totals, "killed", "", 1);
    }
    call->is_pending = !call->totals->count && call->round == 0; /* it may be on its way between two workers */
}

static void end_kill_client(struct console_call *call) {
    if (!call->totals->count) err_set(call->err, "42704", "there is no client %s", call->argument);
}

/* ---- the table ---- */

static const struct console_verb verbs[] = {
    {"PAUSE", "[db]", CONSOLE_ADMIN, "let transactions end, close all server connections, let clients wait", .begin = begin_pause,
     .visit = visit_pause},
    {"RESUME", "[db]", CONSOLE_ADMIN, "go on after PAUSE, SUSPEND or KILL", .begin = begin_resume, .visit = visit_resume},
    {"SUSPEND", NULL, CONSOLE_ADMIN, "send what is queued, and read nothing more", .begin = begin_suspend, .visit = visit_suspend},
    {"DISABLE", "db", CONSOLE_ADMIN, "refuse new clients", .begin = begin_disable},
    {"ENABLE", "db", CONSOLE_ADMIN, "accept new clients again", .begin = begin_enable},
    {"KILL", "[db]", CONSOLE_ADMIN, "close all clients and server connections at once; RESUME goes on", .begin = begin_pause,
     .visit = visit_kill},
    {"KILL_CLIENT", "id", CONSOLE_ADMIN, "close one client, and cancel what it does", .begin = begin_kill_client,
     .visit = visit_kill_client, .end = end_kill_client},
    {"RECONNECT", "[db]", CONSOLE_ADMIN, "replace server connections as they become free", .begin = begin_named,
     .visit = visit_reconnect},
    {"WAIT_CLOSE", "[db]", CONSOLE_ADMIN, "wait until those that RECONNECT, RELOAD, DRAIN NODE or REMOVE NODE ends are closed", .begin = begin_named,
     .visit = visit_wait_close},
    {"RELOAD", NULL, CONSOLE_ADMIN, "read the configuration again, all or nothing; notices say what has changed",
     .control = CONTROL_RELOAD},
    {"SHUTDOWN", NULL, CONSOLE_ADMIN, "stop now", .control = CONTROL_STOP, .ends_session = true},
    {"SHUTDOWN WAIT_FOR_SERVERS", NULL, CONSOLE_ADMIN, "take no new clients, let transactions end, stop (as SIGTERM)",
     .control = CONTROL_DRAIN, .ends_session = true},
    {"SHUTDOWN WAIT_FOR_CLIENTS", NULL, CONSOLE_ADMIN, "take no new clients and stop when the last one has left",
     .control = CONTROL_LEAVE},
};

#define NODE_ORDER(what) .control = CONTROL_NODES, .is_node_order = true, .node_verb = what

static const struct console_verb node_verbs[] = {
    {"ADD NODE", "cluster/name [host [port] [weight n] [max_server_conn n] [zone name]]", CONSOLE_ADMIN,
     "a server joins its cluster; without a host one of the file that was removed comes back", NODE_ORDER(NODE_ADD)},
    {"DRAIN NODE", "cluster/name", CONSOLE_ADMIN, "nothing new is read there; WAIT_CLOSE waits for what is under way",
     NODE_ORDER(NODE_DRAIN)},
    {"RESUME NODE", "cluster/name", CONSOLE_ADMIN, "undo DRAIN NODE", NODE_ORDER(NODE_RESUME)},
    {"REMOVE NODE", "cluster/name", CONSOLE_ADMIN, "a server leaves its cluster as soon as nothing is under way there",
     NODE_ORDER(NODE_REMOVE)},
};

const struct console_table verbs_table = CONSOLE_TABLE(verbs);
const struct console_table node_verbs_table = CONSOLE_TABLE(node_verbs);
