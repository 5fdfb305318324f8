/*
 * A server whose answers are right as far as gilmok looks into them, until it is told to say something else. Knows no SQL: the
 * first word of a statement says what its answer looks like.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session_peers.h"

bool peer_find_mark(struct bytes data, peer_mark out) {
    out[0] = '\0';
    for (size_t i = 0; i + 3 <= data.len; i++) {
        const uint8_t *p = data.ptr + i;
        if (p[0] != '~' || p[1] < 'A' || p[1] > 'P' || p[2] < 'A' || p[2] > 'P') continue;
        memcpy(out, p, 3);
        out[3] = '\0';
        return true;
    }
    return false;
}

/* ---- output ---- */

static void flush(struct fuzz_server *s, size_t bytes) {
    PROMISE(!s->out.failed);
    if (!s->stream || !s->out.len) return;
    size_t n = bytes < s->out.len ? bytes : s->out.len;
    if (n) stream_send(s->stream, bytes_of(s->out.data, n));
    memmove(s->out.data, s->out.data + n, s->out.len - n);
    s->out.len -= n;
}

static void put_empty(struct fuzz_server *s, uint8_t type) {
    pg_end(&s->out, pg_begin(&s->out, type));
}

static void put_description(struct fuzz_server *s) {
    static const char *const names[] = {"a", "b"};
    pg_put_row_description(&s->out, names, 2);
}

/* True: there was a mark to put into it. */
static bool put_row(struct fuzz_server *s, const char *mark) {
    if (!mark[0] || !s->is_honest) return false;
    struct bytes values[2] = {bytes_str(mark), bytes_str(mark)};
    pg_put_text_row(&s->out, values, 2);
    return true;
}

static void put_copy(struct fuzz_server *s, uint8_t type) {
    size_t at = pg_begin(&s->out, type);
    writer_u8(&s->out, 0);
    writer_be16(&s->out, 1);
    writer_be16(&s->out, 0);
    pg_end(&s->out, at);
}

static void put_error(struct fuzz_server *s, const char *severity) {
    struct err err;
    err_set(&err, "22000", "no");
    pg_put_error(&s->out, severity, &err);
    if (s->txn == PG_TXN_OPEN) s->txn = PG_TXN_FAILED;
}

/* ---- statements ---- */

static bool begins_with(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

static bool returns_rows(const char *text) {
    return begins_with(text, "select") || begins_with(text, "show") || begins_with(text, "execute") || begins_with(text, "fetch");
}

/* False: a COPY has begun. */
static bool run(struct fuzz_server *s, const char *text, const char *mark, bool is_query) {
    char tag[32];
    int len = 0;
    if (begins_with(text, "copy") && strstr(text, "stdin")) {
        put_copy(s, PG_B_COPY_IN);
        peer_reached[REACH_COPY] = true;
        s->is_in_copy = true;
        s->is_copy_of_query = is_query;
        s->all->may_fail |= !is_query; /* whose text that is it does not know: it remembers the last Parse alone */
        return false;
    }
    if (begins_with(text, "copy")) {
        put_copy(s, PG_B_COPY_OUT);
        size_t at = pg_begin(&s->out, PG_B_COPY_DATA);
        if (s->is_honest) writer_str(&s->out, mark);
        writer_str(&s->out, "\n");
        pg_end(&s->out, at);
        put_empty(s, PG_B_COPY_DONE);
        pg_put_command_complete(&s->out, "COPY 1");
    } else if (returns_rows(text)) {
        if (is_query) put_description(s);
        pg_put_command_complete(&s->out, put_row(s, mark) ? "SELECT 1" : "SELECT 0");
    } else if (!text[0]) {
        pg_put_empty_query(&s->out);
    } else {
        if (begins_with(text, "begin")) {
            s->txn = PG_TXN_OPEN;
            bool is_gilmoks = begins_with(text, "begin isolation");
            if (!is_gilmoks) s->has_had_txn = peer_reached[REACH_TXN] = true;
        }
        if (begins_with(text, "commit") || begins_with(text, "rollback")) s->txn = PG_TXN_IDLE;
        while (isalpha((unsigned char)text[len]) && len < 20) len++;
        snprintf(tag, sizeof tag, "%.*s%s", len, text, begins_with(text, "discard all") || begins_with(text, "create temp") ? " ALL" : "");
        for (char *c = tag; *c; c++) *c = (char)toupper((unsigned char)*c);
        pg_put_command_complete(&s->out, tag);
    }
    return true;
}

static void put_ready(struct fuzz_server *s) {
    if (s->txn == PG_TXN_IDLE) s->bound[0] = '\0';
    pg_put_ready(&s->out, s->txn);
}

static void answer_query(struct fuzz_server *s, const struct server_request *q, bool fails) {
    s->bound[0] = '\0';
    if (fails || begins_with(q->text, "fail")) put_error(s, "ERROR");
    else if (!run(s, q->text, q->mark, true)) return;
    put_ready(s);
}

static void answer_in_copy(struct fuzz_server *s, const struct server_request *q, bool fails) {
    if (q->type != PG_F_COPY_DONE && q->type != PG_F_COPY_FAIL && !fails) return;
    s->is_in_copy = false;
    peer_reached[REACH_COPY_END] = true;
    if (q->type == PG_F_COPY_DONE && !fails) pg_put_command_complete(&s->out, "COPY 1");
    else put_error(s, "ERROR");
    if (s->is_copy_of_query) put_ready(s);
    else if (fails || q->type == PG_F_COPY_FAIL) s->is_skipping = true;
}

static void answer_extended(struct fuzz_server *s, const struct server_request *q) {
    switch (q->type) {
    case PG_F_PARSE:
        memcpy(s->parsed, q->text, sizeof s->parsed);
        put_empty(s, PG_B_PARSE_COMPLETE);
        break;
    case PG_F_BIND:
        memcpy(s->bound, q->mark, sizeof s->bound);
        put_empty(s, PG_B_BIND_COMPLETE);
        break;
    case PG_F_DESCRIBE:
        if (q->text[0] == 's') {
            size_t at = pg_begin(&s->out, PG_B_PARAMETER_DESCRIPTION);
            writer_be16(&s->out, 0);
            pg_end(&s->out, at);
        }
        if (returns_rows(s->parsed)) put_description(s);
        else put_empty(s, PG_B_NO_DATA);
        break;
    case PG_F_EXECUTE:
        (void)run(s, s->parsed, s->bound, false);
        break;
    case PG_F_CLOSE:
        put_empty(s, PG_B_CLOSE_COMPLETE);
        break;
    default:
        break; /* Flush, and a COPY's rest */
    }
}

static void note_reach(struct fuzz_server *s, const struct server_request *q) {
    if (q->type == PG_F_EXECUTE) peer_reached[REACH_EXECUTE] = true;
    if (!q->mark[0]) return;
    if (s->served[0] && strcmp(s->served, q->mark) != 0) {
        peer_reached[REACH_LENT] = true;
        if (s->has_had_txn) peer_reached[REACH_LENT_AFTER_TXN] = true;
    }
    memcpy(s->served, q->mark, sizeof s->served);
}

static void answer_one(struct fuzz_server *s, const struct server_request *q, bool fails) {
    note_reach(s, q);
    if (s->is_in_copy) {
        answer_in_copy(s, q, fails);
    } else if (q->type == PG_F_SYNC) {
        s->is_skipping = false;
        put_ready(s);
    } else if (s->is_skipping) {
        return;
    } else if (q->type == PG_F_QUERY) {
        answer_query(s, q, fails);
    } else if (q->type == PG_F_FUNCTION_CALL) {
        if (fails) put_error(s, "ERROR");
        else put_empty(s, PG_B_FUNCTION_RESPONSE);
        put_ready(s);
    } else if (fails && q->type != PG_F_COPY_DATA && q->type != PG_F_COPY_DONE && q->type != PG_F_COPY_FAIL && q->type != PG_F_FLUSH) {
        put_error(s, "ERROR");
        s->is_skipping = true;
    } else {
        answer_extended(s, q);
    }
}

void fuzz_server_answer(struct fuzz_server *s, enum server_answer how, size_t bytes) {
    bool is_one = how == ANSWER_ONE || how == ANSWER_ONE_ERROR, fails = how == ANSWER_ERROR || how == ANSWER_ONE_ERROR;
    if (s->step != SERVER_RUNNING) return;
    while (s->count) {
        answer_one(s, &s->requests[s->first], fails);
        s->first = (s->first + 1) % PEER_REQUESTS;
        s->count--;
        if (is_one) break;
        fails = false;
    }
    flush(s, bytes);
}

void fuzz_server_say(struct fuzz_server *s, struct bytes raw, bool is_honest) {
    s->is_honest = s->is_honest && is_honest;
    if (!is_honest) s->all->may_fail = peer_reached[REACH_LIAR] = true;
    writer_put(&s->out, raw);
    flush(s, SIZE_MAX);
}

/* ---- login ---- */

void fuzz_server_greet(struct fuzz_server *s) {
    static const char *const params[][2] = {{"server_version", "16.4"},     {"client_encoding", "UTF8"}, {"DateStyle", "ISO, MDY"},
                                            {"standard_conforming_strings", "on"}, {"TimeZone", "UTC"},         {"application_name", ""}};
    uint8_t key[4] = {1, 2, 3, 4};
    if (s->step != SERVER_STARTED) return;
    s->step = SERVER_RUNNING;
    pg_put_auth(&s->out, PG_AUTH_OK, bytes_of(NULL, 0));
    for (size_t i = 0; i < COUNT_OF(params); i++) pg_put_parameter_status(&s->out, bytes_str(params[i][0]), bytes_str(params[i][1]));
    pg_put_key_data(&s->out, (uint32_t)(s - s->all->one) + 1, bytes_of(key, sizeof key));
    pg_put_ready(&s->out, PG_TXN_IDLE);
    flush(s, SIZE_MAX);
}

static size_t take_first(struct fuzz_server *s, struct bytes data) {
    struct pg_first f;
    struct err err;
    if (data.len < 4) return 0;
    enum pg_frame frame = pg_first_read(data, &f, &err);
    PROMISE(frame != PG_FRAME_BAD);
    if (frame == PG_FRAME_NEED_MORE) return 0;
    PROMISE(f.kind == PG_FIRST_STARTUP || f.kind == PG_FIRST_CANCEL);
    if (f.kind == PG_FIRST_CANCEL) {
        peer_reached[REACH_CANCEL] = true;
        fuzz_server_end(s, END_FINISH);
        return data.len;
    }
    s->step = SERVER_STARTED;
    if (s->all->verifier) {
        pg_put_auth_sasl(&s->out, SCRAM_MECHANISM, NULL);
        s->step = SERVER_SASL_INITIAL;
        flush(s, SIZE_MAX);
    } else if (s->all->greets) {
        fuzz_server_greet(s);
    }
    return f.total;
}

static void take_sasl(struct fuzz_server *s, struct bytes body) {
    uint8_t nonce[SCRAM_NONCE_RAW] = {7}, storage[SCRAM_MESSAGE_MAX];
    struct writer out;
    struct err err;
    struct bytes mechanism, response;
    enum scram_result result = SCRAM_REFUSED;
    bool is_first = s->step == SERVER_SASL_INITIAL;
    writer_init_fixed(&out, storage, sizeof storage);
    if (!is_first) result = scram_server_final(&s->scram, body, &out, &err);
    else if (pg_sasl_initial_read(body, &mechanism, &response)) result = scram_server_first(&s->scram, s->all->verifier, response, nonce, &out, &err);
    if (result != SCRAM_OK) { /* the second user has another password */
        put_error(s, "FATAL");
        flush(s, SIZE_MAX);
        fuzz_server_end(s, END_FINISH);
        return;
    }
    pg_put_auth(&s->out, is_first ? PG_AUTH_SASL_CONTINUE : PG_AUTH_SASL_FINAL, writer_bytes(&out));
    s->step = is_first ? SERVER_SASL_FINAL : SERVER_STARTED;
    flush(s, SIZE_MAX);
    if (!is_first && s->all->greets) fuzz_server_greet(s);
}

/* ---- input ---- */

static bool is_frontend(uint8_t type) {
    return type && strchr("BCDEFHPQSXdcfp", type);
}

static void note_text(struct server_request *q, struct bytes text) {
    size_t n = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] && n + 1 < sizeof q->text; i++) q->text[n++] = (char)tolower(text.ptr[i]);
    q->text[n] = '\0';
}

static void take_message(struct fuzz_server *s, uint8_t type, struct bytes body) {
    PROMISE(is_frontend(type));
    if (type == PG_F_TERMINATE) {
        fuzz_server_end(s, END_FINISH);
        return;
    }
    if (s->step != SERVER_RUNNING) {
        if (type == PG_F_AUTH && (s->step == SERVER_SASL_INITIAL || s->step == SERVER_SASL_FINAL)) take_sasl(s, body);
        return;
    }
    if (s->count == PEER_REQUESTS) { /* it has lost count of them */
        s->is_honest = false;
        s->all->may_fail = true;
        return;
    }
    struct server_request *q = &s->requests[(s->first + s->count++) % PEER_REQUESTS];
    *q = (struct server_request){.type = type};
    (void)peer_find_mark(body, q->mark);
    if (type == PG_F_QUERY || type == PG_F_DESCRIBE) note_text(q, body);
    if (type != PG_F_PARSE) return;
    struct reader r = reader_over(body);
    (void)reader_cstr(&r);
    note_text(q, reader_cstr(&r));
}

static size_t on_received(void *owner, struct buf *buf, struct bytes data) {
    struct fuzz_server *s = owner;
    size_t used = 0;
    (void)buf;
    while (s->stream) {
        struct bytes rest = bytes_of(data.ptr + used, data.len - used);
        struct pg_header h;
        if (s->step == SERVER_FIRST) {
            size_t n = take_first(s, rest);
            if (n == 0) break;
            used += n;
            continue;
        }
        enum pg_frame frame = pg_header_read(rest, &h);
        PROMISE(frame != PG_FRAME_BAD);
        if (frame != PG_FRAME_OK || rest.len < h.total) break;
        used += h.total;
        take_message(s, h.type, bytes_of(rest.ptr + PG_HEADER_LEN, h.body_len));
    }
    if (!s->stream) return data.len;
    if (s->all->answers) fuzz_server_answer(s, ANSWER_RIGHT, SIZE_MAX);
    return used;
}

static void on_drained(void *owner) {
    (void)owner;
}

static void release(struct fuzz_server *s) {
    s->stream = NULL;
    writer_release(&s->out);
}

static void on_closed(void *owner, const char *why) {
    (void)why;
    release(owner);
}

static const struct stream_handler handler = {.on_received = on_received, .on_drained = on_drained, .on_closed = on_closed};

void fuzz_server_end(struct fuzz_server *s, enum peer_end how) {
    if (how == END_SILENCE) {
        net_sim_silence(s->stream);
        s->all->may_fail = true;
        return;
    }
    if (how == END_RESET) net_sim_reset(s->stream);
    if (how == END_FINISH) stream_finish(s->stream);
    else stream_close(s->stream);
    release(s);
}

/* ---- all of them ---- */

static void on_accept(struct listener *li, struct stream *stream, const struct addr *peer) {
    struct fuzz_servers *all = li->owner;
    (void)peer;
    for (int i = 0; i < PEER_SERVERS; i++) {
        struct fuzz_server *s = &all->one[i];
        if (s->stream) continue;
        *s = (struct fuzz_server){.all = all, .stream = stream, .is_honest = true, .txn = PG_TXN_IDLE};
        writer_init(&s->out, PEER_OUT_MAX);
        stream_adopt(stream, &handler, s);
        net_sim_take_all(stream);
        return;
    }
    stream_close(stream); /* too many clients */
}

bool fuzz_servers_open(struct fuzz_servers *s, struct net_sim *sim, const struct addr *at, struct err *err) {
    s->sim = sim;
    s->li = (struct listener){.on_accept = on_accept, .owner = s};
    return listener_open(&s->li, sim->loop, at, err);
}

void fuzz_servers_close(struct fuzz_servers *s) {
    for (int i = 0; i < PEER_SERVERS; i++)
        if (s->one[i].stream) fuzz_server_end(&s->one[i], END_RESET);
}

void fuzz_servers_serve(struct fuzz_servers *s) {
    s->greets = s->answers = true;
    net_sim_set_gate(&s->li, GATE_OPEN);
    for (int i = 0; i < PEER_SERVERS; i++) {
        if (s->one[i].stream) fuzz_server_greet(&s->one[i]);
        if (s->one[i].stream) fuzz_server_answer(&s->one[i], ANSWER_RIGHT, SIZE_MAX);
    }
}

struct fuzz_server *fuzz_servers_find(struct fuzz_servers *s, unsigned n) {
    unsigned count = 0;
    for (int i = 0; i < PEER_SERVERS; i++) count += s->one[i].stream != NULL;
    if (!count) return NULL;
    n %= count;
    for (int i = 0; i < PEER_SERVERS; i++)
        if (s->one[i].stream && n-- == 0) return &s->one[i];
    return NULL;
}
