/*
 * The busy life of a MySQL connection: packets from the server are matched with the ledger and passed on in runs. Never looks
 * into a row. What the client's capabilities want otherwise is changed on the way: sequence numbers in place, the rest by packets
 * of gilmok's own.
 */
#include "proxy/pool/backend_my.h"

#include "base/fault.h"
#include "proxy/pool/kill_my.h"
#include "proxy/pool/pool.h"
#include "proxy/wire/my_encode.h"

static void broken(struct backend *b, const char *what) {
    struct err err;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s broke the protocol: %s", b->site->name, what);
    backend_fail(b, &err);
}

/* ---- what is sent ---- */

bool backend_my_note_sent(struct backend *b, uint8_t command) {
    enum reply_fate fate = b->state == BACKEND_LEASED ? REPLY_FORWARD : REPLY_SWALLOW;
    struct err err;
    if (b->state == BACKEND_LEASED) backend_my_forget_answer(backend_my_of(b));
    if (reply_my_is_unanswered(command) || reply_my_sent(&b->ledger, command, fate)) return true;
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the replies of server %s", b->site->name);
    backend_fail(b, &err);
    return false;
}

void backend_my_note_more(struct backend *b, uint8_t seq) {
    reply_my_sent_more(&b->ledger, seq);
}

static bool send_own(struct backend *b, uint8_t command, enum reply_fate fate, struct bytes packet) {
    struct err err;
    if (reply_my_sent(&b->ledger, command, fate)) {
        stream_send(b->stream, packet);
        return true;
    }
    err_set(&err, ERR_OUT_OF_MEMORY, "out of memory for the replies of server %s", b->site->name);
    backend_fail(b, &err);
    return false;
}

bool backend_my_send_own(struct backend *b, uint8_t command, struct bytes packet) {
    return send_own(b, command, REPLY_SWALLOW, packet);
}

bool backend_my_ask(struct backend *b, uint8_t command, struct bytes packet) {
    return send_own(b, command, REPLY_COLLECT, packet);
}

void backend_my_note_files(struct backend *b, char *files) {
    struct backend_my *bm = backend_my_of(b);
    mem_free(bm->files);
    bm->files = files;
}

uint8_t backend_my_note_file_sent(struct backend *b, bool is_last) {
    return reply_my_sent_file(&backend_my_of(b)->reply, &b->ledger, is_last);
}

void backend_my_note_cursor(struct backend *b) {
    reply_my_sent_cursor(&b->ledger);
}

void backend_my_serve(struct backend *b, uint32_t client_caps) {
    backend_my_of(b)->client_caps = client_caps;
}

static void send_command(struct backend *b, uint8_t command) {
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_command(&w, command, bytes_of(NULL, 0));
    stream_send(b->stream, writer_bytes(&w));
}

static void send_check(struct backend *b) {
    if (backend_my_note_sent(b, MY_COM_PING)) send_command(b, MY_COM_PING);
}

static void send_goodbye(struct backend *b) {
    send_command(b, MY_COM_QUIT);
}

/* ---- between two clients ---- */

void backend_my_keep_state(struct backend *b, struct state_my *state) {
    struct backend_my *bm = backend_my_of(b);
    if (bm->state == state) return;
    state_my_unref(bm->state);
    bm->state = state_my_ref(state);
}

static const char *schema_of_login(const struct backend *b) {
    return startup_my_read_key(b->variant->key).has_schema ? b->variant->pool->server.database : "";
}

/* What the client does next must not be done in another one, so the answer is waited for. */
static bool bring_schema(struct backend *b, const char *wanted, bool *waits) {
    struct backend_my *bm = backend_my_of(b);
    const char *now = bm->schema ? bm->schema : schema_of_login(b);
    if (strcmp(now, wanted) == 0) return true;
    uint8_t storage[1024 + 16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    my_put_command(&w, MY_COM_INIT_DB, bytes_str(wanted));
    mem_free(bm->schema);
    bm->schema = mem_strdup(wanted, strlen(wanted));
    *waits = true;
    if (bm->schema) return backend_my_send_own(b, MY_COM_INIT_DB, writer_bytes(&w));
    broken(b, "out of memory for the name of a schema");
    return false;
}

static bool bring_state(struct backend *b, struct state_my *state) {
    struct backend_my *bm = backend_my_of(b);
    struct my_header h;
    struct writer w;
    writer_init(&w, STATE_MY_WAY_MAX);
    (void)state_my_put_way(&w, bm->state, state, bm->start);
    struct bytes all = writer_bytes(&w);
    bool is_ok = !w.failed;
    while (is_ok && my_header_read(all, &h)) {
        size_t len = MY_HEADER_LEN + (size_t)h.len;
        is_ok = backend_my_send_own(b, MY_COM_QUERY, bytes_of(all.ptr, len));
        all = bytes_of(all.ptr + len, all.len - len);
    }
    writer_release(&w);
    if (is_ok) backend_my_keep_state(b, state);
    else broken(b, "out of memory for the settings of a client");
    return is_ok;
}

bool backend_my_bring(struct backend *b, struct state_my *state, const char *schema, bool *waits) {
    struct backend_my *bm = backend_my_of(b);
    if (UNLIKELY(bm->schema || schema) && !bring_schema(b, schema ? schema : schema_of_login(b), waits)) return false;
    if (LIKELY(bm->state == state)) return true;
    if (state_my_is_same(bm->state, state)) backend_my_keep_state(b, state);
    else return bring_state(b, state);
    return true;
}

/* ---- to the lessee ---- */

/* A run of bytes that goes to the lessee as it came, but for sequence numbers. */
struct run {
    struct buf *buf;
    const uint8_t *start;
    size_t len;
};

static void flush_run(struct backend *b, struct run *run) {
    if (run->len && b->lessee) b->lessee->ops->on_reply(b->lessee, run->buf, bytes_of(run->start, run->len));
    run->len = 0;
}

static void pass(struct run *run, const uint8_t *ptr, size_t len) {
    if (run->len == 0) run->start = ptr;
    run->len += len;
}

/* Packets of gilmok's own, in their place; in pieces that are copied. */
static void say(struct backend *b, struct run *run, struct writer *w) {
    flush_run(b, run);
    struct bytes all = writer_bytes(w);
    for (size_t at = 0, n; at < all.len && b->lessee; at += n) {
        n = all.len - at < STREAM_COPY_MAX ? all.len - at : STREAM_COPY_MAX;
        b->lessee->ops->on_reply(b->lessee, run->buf, bytes_of(all.ptr + at, n));
    }
    if (w->failed) broken(b, "out of memory for what it said");
    writer_release(w);
}

static bool tracks(const struct backend_my *bm) {
    return bm->client_caps & MY_CAP_SESSION_TRACK;
}

static bool wants_eof(const struct backend_my *bm) {
    return !(bm->client_caps & MY_CAP_DEPRECATE_EOF);
}

static void say_eof(struct backend *b, struct run *run, uint16_t warnings, uint16_t status) {
    uint8_t storage[16];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    struct my_eof eof = {.warnings = warnings, .status = status & (uint16_t)~MY_STATUS_SESSION_CHANGED};
    my_put_eof(&w, b->lessee->next_seq++, &eof);
    say(b, run, &w);
}

/* Where nothing is left of the changes but what gilmok has asked for itself, none are told. */
static void say_ok(struct backend *b, struct run *run, const struct my_ok *ok, uint8_t mark) {
    struct backend_my *bm = backend_my_of(b);
    struct my_ok shown = *ok;
    struct writer w, changes;
    writer_init(&changes, REPLY_MY_WHOLE_MAX);
    if (tracks(bm)) backend_my_put_shown_changes(&changes, ok->changes);
    shown.changes = writer_bytes(&changes);
    shown.status = shown.changes.len ? ok->status : ok->status & (uint16_t)~MY_STATUS_SESSION_CHANGED;
    writer_init(&w, REPLY_MY_WHOLE_MAX);
    my_put_ok(&w, b->lessee->next_seq++, mark, &shown, tracks(bm));
    if (changes.failed) w.failed = true;
    writer_release(&changes);
    say(b, run, &w);
}

/* The numbers of a client go on where packets were put in between. The buffer is this connection's own. */
static void renumber(struct run *run, const uint8_t *packet, uint8_t seq) {
    uint8_t *at = run->buf->data + (packet - run->buf->data);
    if (UNLIKELY(at[3] != seq)) at[3] = seq;
}

/* `avail` bytes of a packet are at `ptr`: all of it where `p` says what it is. */
static void show(struct backend *b, struct run *run, const uint8_t *ptr, size_t avail, const struct reply_my_packet *p) {
    struct backend_my *bm = backend_my_of(b);
    bool is_ok = p->kind == REPLY_MY_OK || p->kind == REPLY_MY_ROWS_END;
    uint16_t between = bm->status & BACKEND_MY_LASTING;
    if (p->eof_before && wants_eof(bm)) say_eof(b, run, p->eof_warnings, between);
    if (b->state == BACKEND_CLOSED) return;
    if (p->kind == REPLY_MY_ROWS_END && wants_eof(bm)) {
        say_eof(b, run, p->ok.warnings, p->ok.status);
    } else if (is_ok && p->ok.status & MY_STATUS_SESSION_CHANGED && (!tracks(bm) || bm->start)) {
        say_ok(b, run, &p->ok, ptr[MY_HEADER_LEN]);
    } else {
        renumber(run, ptr, b->lessee->next_seq++);
        pass(run, ptr, avail);
    }
    if (p->eof_behind && wants_eof(bm) && b->state != BACKEND_CLOSED) say_eof(b, run, p->eof_warnings, between);
}

/* ---- from the server ---- */

/* An error that answers nothing: the server is about to close the connection. */
static void take_goodbye(struct backend *b, struct bytes payload) {
    struct my_error e;
    struct err err;
    if (!my_err_read(payload, &e)) {
        broken(b, "a packet that nobody asked for");
        return;
    }
    int len = e.text.len > 180 ? 180 : (int)e.text.len;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s closes the connection: %u %.*s", b->site->name, e.number, len,
            (const char *)e.text.ptr);
    backend_fail(b, &err);
}

/* What was to be set for the client is not: it must not go on here. */
static void take_own_error(struct backend *b, struct bytes payload) {
    struct my_error e;
    struct err err;
    if (!my_err_read(payload, &e)) {
        broken(b, "malformed error packet");
        return;
    }
    int len = e.text.len > 180 ? 180 : (int)e.text.len;
    err_set(&err, ERR_CONNECTION_FAILURE, "server %s does not take the settings of the session: %u %.*s", b->site->name, e.number,
            len, (const char *)e.text.ptr);
    backend_fail(b, &err);
}

/* A reply to what gilmok itself has asked, while the connection is leased. */
static void take_own_end(struct backend *b, const struct reply_my_packet *p, struct bytes payload) {
    struct writer asked = backend_my_of(b)->asked;
    if (p->fate == REPLY_COLLECT) {
        backend_my_of(b)->asked = (struct writer){.data = NULL};
        if (b->lessee) b->lessee->ops->on_looked(b->lessee, writer_bytes(&asked), p->kind != REPLY_MY_ERROR && !asked.failed);
        writer_release(&asked);
    } else if (p->kind == REPLY_MY_ERROR) take_own_error(b, payload);
    else if (ledger_is_quiet(&b->ledger) && b->lessee) b->lessee->ops->on_settled(b->lessee);
}

/* Outside of autocommit a transaction has begun whatever has failed in it, and an error does not tell. */
static void note_error(struct backend *b) {
    if (!(backend_my_of(b)->status & MY_STATUS_AUTOCOMMIT)) b->ledger.txn = TXN_OPEN;
}

/* An answer is complete. What was ours is reported to backend.c; what was the lessee's to the lessee. */
static void take_end(struct backend *b, struct run *run, const struct reply_my_packet *p, struct bytes payload) {
    bool is_quiet = ledger_is_quiet(&b->ledger);
    flush_run(b, run);
    if (p->fate != REPLY_FORWARD) {
        if (b->state == BACKEND_LEASED) take_own_end(b, p, payload);
        else if (is_quiet) backend_on_own_done(b, p->kind != REPLY_MY_ERROR);
        return;
    }
    b->queries++;
    if (!b->lessee) return;
    b->lessee->next_seq = 1; /* of what is said when it asks next */
    b->lessee->ops->on_group_end(b->lessee, 0, is_quiet);
}

/* Packets of which not all is in hand are too long to be kept. */
static void collect(struct backend_my *bm, bool begins, uint8_t command, const struct my_header *h, const uint8_t *ptr,
                    size_t avail) {
    if (command == MY_COM_STMT_PREPARE && !begins) return; /* definitions: they come with each result again */
    if (begins) {
        writer_release(&bm->asked);
        writer_init(&bm->asked, BACKEND_MY_ASKED_MAX);
    }
    if (avail < MY_HEADER_LEN + (size_t)h->len) bm->asked.failed = true;
    writer_put(&bm->asked, bytes_of(ptr, avail));
}

/* A server may ask for any file of the client's: it gets what the client has named. */
static bool may_ask_for(const struct backend_my *bm, const struct reply_my_packet *p) {
    if (p->fate != REPLY_FORWARD || !bm->base.lessee) return false;
    for (const char *name = bm->files; name && *name; name += strlen(name) + 1)
        if (bytes_is(p->file, name)) return true;
    return false;
}

/* Deals with one packet, or with its head. False: the connection is closed. */
static bool take_packet(struct backend *b, struct run *run, const struct my_header *h, const uint8_t *ptr, size_t avail) {
    struct backend_my *bm = backend_my_of(b);
    struct bytes payload = bytes_of(ptr + MY_HEADER_LEN, avail - MY_HEADER_LEN);
    struct reply_my_packet p;
    if (!ledger_head(&b->ledger) || backend_my_wants_file(b)) {
        flush_run(b, run);
        take_goodbye(b, payload);
        return false;
    }
    bool begins = !bm->reply.is_begun;
    enum reply_my_verdict verdict = reply_my_received(&bm->reply, &b->ledger, h, payload, &p);
    if (verdict == REPLY_MY_BROKEN) {
        flush_run(b, run);
        broken(b, "an answer that does not fit its command");
        return false;
    }
    if (UNLIKELY(p.kind == REPLY_MY_FILE) && !may_ask_for(bm, &p)) {
        flush_run(b, run);
        broken(b, "it asks for a file of the client's that the client has not named");
        return false;
    }
    bool is_ok = p.kind == REPLY_MY_OK || p.kind == REPLY_MY_ROWS_END;
    if (is_ok) bm->status = p.ok.status;
    else if (p.kind == REPLY_MY_ERROR) note_error(b);
    if (bm->start && p.kind != REPLY_MY_DATA && p.kind != REPLY_MY_FILE && p.fate == REPLY_FORWARD) backend_my_hear(b, &p);
    if (b->state == BACKEND_CLOSED) return false;
    bm->rest_is_shown = p.fate == REPLY_FORWARD && b->lessee;
    if (begins && bm->start && p.command == MY_COM_STMT_PREPARE && p.fate == REPLY_FORWARD && p.kind == REPLY_MY_DATA)
        backend_my_hear_prepared(b, run->buf->data + (ptr - run->buf->data) + MY_HEADER_LEN, payload.len);
    if (UNLIKELY(p.fate == REPLY_COLLECT)) {
        collect(bm, begins, p.command, h, ptr, avail);
        if (is_ok) backend_my_hear_own(b, &p);
    }
    if (begins && bm->rest_is_shown) b->lessee->next_seq = h->seq;
    if (bm->rest_is_shown) show(b, run, ptr, avail, &p);
    if (b->state != BACKEND_CLOSED && verdict == REPLY_MY_END) take_end(b, run, &p, payload);
    return b->state != BACKEND_CLOSED;
}

/* Before anybody hears of what has come: who says something of their own must know. */
static void note_cut(struct backend *b) {
    const struct backend_my *bm = backend_my_of(b);
    b->is_reply_cut = (bm->packet_left || bm->reply.is_continued) && bm->rest_is_shown;
}

/*
 * The head of the packet at `data`, as much of it as must be in hand. 0: more must come, or *fault says why it cannot be one. What
 * nobody has asked for is there at once, all of it: the rest must not come as the answer to what is asked meanwhile.
 */
static size_t head_of(const struct backend *b, struct bytes data, struct my_header *h, const char **fault) {
    const struct backend_my *bm = (const struct backend_my *)b;
    bool is_asked = ledger_head((struct ledger *)&b->ledger) != NULL && !backend_my_wants_file(b);
    if (!is_asked) *fault = "a packet that nobody asked for";
    if (!my_header_read(data, h)) return 0;
    size_t total = MY_HEADER_LEN + (size_t)h->len, in_hand = data.len < total ? data.len : total;
    if (h->len && in_hand == MY_HEADER_LEN) return 0;
    size_t needed = is_asked ? reply_my_needed(&bm->reply, &b->ledger, h, h->len ? data.ptr[4] : 0) : h->len;
    bool is_kept = is_asked && ledger_head((struct ledger *)&b->ledger)->fate == REPLY_COLLECT;
    if (UNLIKELY(is_kept) && h->len <= REPLY_MY_WHOLE_MAX) needed = h->len;
    if (needed > REPLY_MY_WHOLE_MAX) *fault = "a packet with an impossible length";
    else if (in_hand >= MY_HEADER_LEN + needed) *fault = NULL;
    return *fault || in_hand < MY_HEADER_LEN + needed ? 0 : in_hand;
}

static size_t relay_received(struct backend *b, struct buf *buf, struct bytes data) {
    struct backend_my *bm = backend_my_of(b);
    struct run run = {.buf = buf};
    size_t at = 0;
    while (at < data.len) {
        const uint8_t *ptr = data.ptr + at;
        size_t left = data.len - at;
        if (bm->packet_left) {
            size_t n = left < bm->packet_left ? left : bm->packet_left;
            if (bm->rest_is_shown) pass(&run, ptr, n);
            bm->packet_left -= (uint32_t)n;
            note_cut(b);
            at += n;
            continue;
        }
        struct my_header h;
        const char *fault = NULL;
        size_t avail = head_of(b, bytes_of(ptr, left), &h, &fault);
        if (fault) {
            flush_run(b, &run);
            broken(b, fault);
            return data.len;
        }
        if (!avail) break;
        bm->packet_left = (uint32_t)(MY_HEADER_LEN + (size_t)h.len - avail);
        if (!take_packet(b, &run, &h, ptr, avail)) return data.len;
        note_cut(b);
        at += avail;
        if (bm->login) break; /* it was given back, and begins anew */
    }
    flush_run(b, &run);
    return at;
}

/* ---- the table ---- */

static size_t on_received(struct backend *b, struct buf *buf, struct bytes data) {
    size_t used = 0;
    if (backend_my_of(b)->login) used = backend_my_login_received(b, data);
    if (backend_my_of(b)->login || b->state == BACKEND_CLOSED || used == data.len) return used;
    return used + relay_received(b, buf, bytes_of(data.ptr + used, data.len - used));
}

static void release(struct backend *b) {
    struct backend_my *bm = backend_my_of(b);
    mem_free(bm->login);
    mem_free(bm->schema);
    mem_free(bm->files);
    start_my_unref(bm->start);
    state_my_unref(bm->state);
    statements_my_release(&bm->statements);
    backend_my_forget_answer(bm);
    writer_release(&bm->asked);
}

const struct backend_proto backend_my_proto = {
    .name = "mysql",
    .protocol = PROTO_MYSQL,
    .size = sizeof(struct backend_my),
    .on_connected = backend_my_login_begin,
    .on_secured = backend_my_login_secured,
    .on_received = on_received,
    .send_check = send_check,
    .send_clean = backend_my_begin_anew,
    .send_goodbye = send_goodbye,
    .send_abort = kill_my_send,
    .release = release,
};
