/*
 * Both of gilmok's sides of the toy protocol.
 */
#include "tests/sim/toy_proto.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"

enum { TOY_COMMAND = 1 };

struct toy_session {
    struct session base; /* first */
    bool skips_line;     /* of a refused command */
};

struct toy_backend {
    struct backend base; /* first */
    bool is_greeted;
    uint32_t rows_left; /* lines of the head's reply that are still to come */
    bool has_more;      /* another result follows */
};

bool toy_line(struct bytes data, struct bytes *line, size_t *total) {
    const uint8_t *end = data.len ? memchr(data.ptr, '\n', data.len) : NULL;
    if (!end) return false;
    *line = bytes_of(data.ptr, (size_t)(end - data.ptr));
    *total = line->len + 1;
    return true;
}

static void say(struct stream *s, const char *text) {
    stream_send(s, bytes_str(text));
}

/* ---- towards the server ---- */

static struct toy_backend *toy_of(struct backend *b) {
    return (struct toy_backend *)b;
}

/* The server speaks first. */
static void on_connected(struct backend *b) {
    (void)b;
}

static void send_own(struct backend *b, const char *command) {
    if (ledger_push(&b->ledger, TOY_COMMAND, REPLY_SWALLOW, true)) say(b->stream, command);
}

static void send_check(struct backend *b) {
    send_own(b, "PING\n");
}

static void send_clean(struct backend *b) {
    send_own(b, "RESET\n");
}

static void send_goodbye(struct backend *b) {
    say(b->stream, "QUIT\n");
}

static void release(struct backend *b) {
    (void)b;
}

static void broken(struct backend *b) {
    struct err err;
    err_set(&err, ERR_CONNECTION_FAILURE, "the server does not speak toy");
    backend_fail(b, &err);
}

static void take_login(struct backend *b, struct bytes line) {
    struct toy_backend *tb = toy_of(b);
    char user[128];
    if (!tb->is_greeted && bytes_starts_with(line, "HELLO")) {
        tb->is_greeted = true;
        snprintf(user, sizeof user, "USER %s %s\n", b->variant->pool->server.user, b->variant->pool->server.database);
        say(b->stream, user);
    } else if (tb->is_greeted && bytes_starts_with(line, "OK")) {
        backend_on_ready(b);
    } else {
        broken(b);
    }
}

enum line_end { LINE_PART, LINE_LAST, LINE_BAD };

/* What a line means can only be told from the lines before it. */
static enum line_end take_reply_line(struct backend *b, struct bytes line) {
    struct toy_backend *tb = toy_of(b);
    char head[64] = "", status = 'I', what[16] = "", extra[16] = "";
    unsigned count = 0;
    if (tb->rows_left > 0) {
        tb->rows_left--;
    } else {
        snprintf(head, sizeof head, "%.*s", (int)line.len, (const char *)line.ptr);
        if (strcmp(head, "DATA") == 0) {
            b->ledger.is_client_turn = true;
            return LINE_PART;
        }
        if (sscanf(head, "ROWS %u %c %15s", &count, &status, extra) >= 2) {
            tb->rows_left = count;
            tb->has_more = strcmp(extra, "MORE") == 0;
        } else if (sscanf(head, "%15s %c %15s", what, &status, extra) < 2) {
            return LINE_BAD;
        }
        if (strcmp(extra, "CHANGED") == 0) b->is_tainted = true;
        b->ledger.txn = status == 'T' ? TXN_OPEN : TXN_NONE;
    }
    if (tb->rows_left > 0) return LINE_PART;
    if (head[0] != 'R' && head[0] != '\0') return LINE_LAST; /* OK or ERR */
    return tb->has_more ? LINE_PART : LINE_LAST;
}

static void end_reply(struct backend *b, enum reply_fate fate) {
    ledger_pop(&b->ledger);
    if (fate == REPLY_FORWARD) b->lessee->ops->on_group_end(b->lessee, 0, ledger_is_quiet(&b->ledger));
    else backend_on_own_done(b, b->ledger.txn == TXN_NONE);
}

static size_t backend_received(struct backend *b, struct buf *buf, struct bytes data) {
    size_t used = 0, total;
    struct bytes line;
    while (b->state != BACKEND_CLOSED && toy_line(bytes_of(data.ptr + used, data.len - used), &line, &total)) {
        used += total;
        if (b->state == BACKEND_LOGIN) {
            take_login(b, line);
            continue;
        }
        struct ledger_entry *head = ledger_head(&b->ledger);
        enum line_end end = head ? take_reply_line(b, line) : LINE_BAD;
        if (end == LINE_BAD) {
            broken(b);
            break;
        }
        enum reply_fate fate = (enum reply_fate)head->fate;
        if (fate == REPLY_FORWARD) b->lessee->ops->on_reply(b->lessee, buf, bytes_of(line.ptr, total));
        if (end == LINE_LAST) end_reply(b, fate);
    }
    return b->state == BACKEND_CLOSED ? data.len : used;
}

const struct backend_proto toy_backend_proto = {
    .name = "toy",
    .size = sizeof(struct toy_backend),
    .on_connected = on_connected,
    .on_received = backend_received,
    .send_check = send_check,
    .send_clean = send_clean,
    .send_goodbye = send_goodbye,
    .release = release,
};

/* ---- towards the client ---- */

static void on_open(struct session *s) {
    session_send(s, bytes_str("HELLO gilmok\n"));
}

static void tell(struct session *s, const struct err *err, bool is_fatal) {
    char line[ERR_MESSAGE_MAX + 32];
    snprintf(line, sizeof line, "%s I %s\n", is_fatal ? "BYE" : "ERR", err->message);
    session_send(s, bytes_str(line));
}

/* The command that waited is still held: it is to be skipped. */
static void refuse(struct session *s, const struct err *err) {
    tell(s, err, false);
    ((struct toy_session *)s)->skips_line = true;
}

static void take_user(struct session *s, struct bytes line) {
    char text[128], user[32], database[32];
    struct err err = {0};
    snprintf(text, sizeof text, "%.*s", (int)line.len, (const char *)line.ptr);
    if (sscanf(text, "USER %31s %31s", user, database) != 2) {
        session_close(s, "not a toy client");
        return;
    }
    const struct config_database *db = config_find_database(s->env->config, bytes_str(database));
    struct pool *p = db ? pool_get(s->env->pools, &toy_backend_proto, s->env->config, db, bytes_str(database), bytes_str(user),
                                   NULL, NULL, 0, &err)
                        : NULL;
    struct variant *v = p ? variant_get(p, bytes_str("toy"), &err) : NULL;
    if (!v) {
        session_end(s, &err);
        return;
    }
    session_join(s, v);
    session_send(s, bytes_str("OK I\n"));
    session_set_state(s, SESSION_IDLE);
}

static bool has_reply(struct bytes line) {
    return !bytes_starts_with(line, "NOTE");
}

/* False: keep the line for later. */
static bool take_command(struct session *s, struct bytes whole, struct bytes line) {
    struct toy_session *ts = (struct toy_session *)s;
    if (ts->skips_line) {
        ts->skips_line = false;
        return true;
    }
    if (bytes_is(line, "QUIT")) {
        session_close(s, "client said goodbye");
        return true;
    }
    struct backend *b = s->lessee.backend;
    if (b && b->ledger.is_client_turn) {
        stream_send(b->stream, whole);
        if (bytes_is(line, ".")) b->ledger.is_client_turn = false;
        return true;
    }
    if (b && ledger_head(&b->ledger)) { /* what comes next may be data for a LOAD: one command at a time */
        s->is_held_back = true;
        return false;
    }
    if (!request_is_open(&s->request) ? !request_open(s, false) : s->request.stage != REQUEST_RELAY) return false;
    b = s->lessee.backend;
    if (has_reply(line) && !ledger_push(&b->ledger, TOY_COMMAND, REPLY_FORWARD, true)) return true;
    s->request.has_sent = true;
    stream_send(b->stream, whole);
    if (!has_reply(line)) session_check_answered(s);
    return true;
}

static size_t session_received(struct session *s, struct buf *buf, struct bytes data) {
    size_t used = 0, total;
    struct bytes line;
    (void)buf;
    while (s->state != SESSION_CLOSED && toy_line(bytes_of(data.ptr + used, data.len - used), &line, &total)) {
        struct bytes whole = bytes_of(line.ptr, total);
        if (s->state == SESSION_LOGIN) take_user(s, line);
        else if (!take_command(s, whole, line)) break;
        used += total;
    }
    return s->state == SESSION_CLOSED ? data.len : used;
}

static void on_login_leased(struct session *s, struct backend *b) {
    (void)s;
    (void)b;
}

static void prepare(struct session *s, struct backend *b) {
    (void)s;
    (void)b;
}

static void release_session(struct session *s) {
    (void)s;
}

static void on_group_end(struct session *s, struct backend *b, uint16_t tag) {
    (void)tag;
    prepare(s, b);
}

const struct session_proto toy_session_proto = {
    .name = "toy",
    .size = sizeof(struct toy_session),
    .on_open = on_open,
    .on_received = session_received,
    .on_login_leased = on_login_leased,
    .prepare = prepare,
    .on_group_end = on_group_end,
    .tell = tell,
    .refuse = refuse,
    .release = release_session,
};
