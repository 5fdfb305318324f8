/*
 * Sessions, requests, pools, backends and ledgers under a protocol that is not
 * PostgreSQL (tests/sim/toy_proto.h), over the simulated network.
 */
#include <stdio.h>

#include "tests/sim/net_sim.h"
#include "tests/sim/toy_proto.h"
#include "tests/unit/check_main.h"

enum { SERVERS_MAX = 8, TEXT_MAX = 4096, SOON_MS = 5000 };

static struct world {
    struct loop loop;
    struct net_sim sim;
    struct pool_set pools;
    struct session_env sessions;
    struct config config;
    struct addr_book book;
    struct session_hub hub;
    struct config_cluster cluster;
    struct config_node node;
    struct config_database database;
    struct listener door, server_door;
    struct addr door_addr;
    struct timer tick;
    struct server {
        struct stream *stream;
        bool is_in_txn, is_loading;
        char set[32];
        char seen[TEXT_MAX]; /* lines */
    } servers[SERVERS_MAX];
    int server_count;
} w;

struct client {
    struct stream *stream;
    char got[TEXT_MAX];
    bool is_ended;
};

/* ---- the toy server ---- */

static void answer(struct server *sv, const char *line) {
    char out[TEXT_MAX], s = sv->is_in_txn ? 'T' : 'I';
    unsigned count = 0;
    if (strncmp(line, "ECHO ", 5) == 0) {
        snprintf(out, sizeof out, "ROWS 1 %c\n%s\n", s, line + 5);
    } else if (sscanf(line, "COUNT %u", &count) == 1) {
        int n = snprintf(out, sizeof out, "ROWS %u %c\n", count, s);
        for (unsigned i = 0; i < count; i++) n += snprintf(out + n, sizeof out - (size_t)n, "%u\n", i);
    } else if (strcmp(line, "MULTI") == 0) {
        snprintf(out, sizeof out, "ROWS 1 %c MORE\na\nROWS 2 %c\nb\nc\n", s, s);
    } else if (strncmp(line, "SET ", 4) == 0) {
        snprintf(sv->set, sizeof sv->set, "%.31s", line + 4);
        snprintf(out, sizeof out, "OK %c CHANGED\n", s);
    } else if (strcmp(line, "GET") == 0) {
        snprintf(out, sizeof out, "ROWS 1 %c\n%s\n", s, sv->set[0] ? sv->set : "-");
    } else if (strcmp(line, "LOAD") == 0) {
        sv->is_loading = true;
        snprintf(out, sizeof out, "DATA\n");
    } else if (strncmp(line, "FAIL", 4) == 0) {
        snprintf(out, sizeof out, "ERR %c it failed\n", s);
    } else {
        if (strcmp(line, "BEGIN") == 0) sv->is_in_txn = true;
        if (strcmp(line, "COMMIT") == 0) sv->is_in_txn = false;
        if (strcmp(line, "RESET") == 0) {
            sv->is_in_txn = false;
            sv->set[0] = '\0';
        }
        snprintf(out, sizeof out, "OK %c\n", sv->is_in_txn ? 'T' : 'I');
    }
    stream_send(sv->stream, bytes_str(out));
}

static size_t server_received(void *owner, struct buf *buf, struct bytes data) {
    struct server *sv = owner;
    struct bytes line;
    size_t used = 0, total;
    (void)buf;
    while (sv->stream && toy_line(bytes_of(data.ptr + used, data.len - used), &line, &total)) {
        char text[512];
        snprintf(text, sizeof text, "%.*s", (int)line.len, (const char *)line.ptr);
        used += total;
        size_t at = strlen(sv->seen);
        snprintf(sv->seen + at, sizeof sv->seen - at, "%s\n", text);
        if (sv->is_loading) {
            if (strcmp(text, ".") != 0) continue;
            sv->is_loading = false;
            stream_send(sv->stream, bytes_str("OK I\n"));
        } else if (strcmp(text, "DIE") == 0 || strcmp(text, "QUIT") == 0) {
            stream_finish(sv->stream);
            sv->stream = NULL;
        } else if (strncmp(text, "NOTE", 4) != 0 && strcmp(text, "HANG") != 0) {
            answer(sv, text);
        }
    }
    return sv->stream ? used : data.len;
}

static void server_closed(void *owner, const char *why) {
    (void)why;
    ((struct server *)owner)->stream = NULL;
}

static void nothing(void *owner) {
    (void)owner;
}

static const struct stream_handler server_handler = {
    .on_received = server_received, .on_drained = nothing, .on_closed = server_closed};

static void on_server_accept(struct listener *li, struct stream *s, const struct addr *peer) {
    (void)li;
    (void)peer;
    ck_assert_int_lt(w.server_count, SERVERS_MAX);
    struct server *sv = &w.servers[w.server_count++];
    sv->stream = s;
    stream_adopt(s, &server_handler, sv);
    stream_send(s, bytes_str("HELLO toy\n"));
}

/* ---- the toy client ---- */

static size_t client_received(void *owner, struct buf *buf, struct bytes data) {
    struct client *c = owner;
    size_t at = strlen(c->got);
    (void)buf;
    ck_assert_uint_lt(at + data.len, sizeof c->got);
    memcpy(c->got + at, data.ptr, data.len);
    c->got[at + data.len] = '\0';
    return data.len;
}

static void client_closed(void *owner, const char *why) {
    struct client *c = owner;
    (void)why;
    c->stream = NULL;
    c->is_ended = true;
}

static const struct stream_handler client_handler = {
    .on_connected = nothing, .on_received = client_received, .on_drained = nothing, .on_closed = client_closed};

static void say(struct client *c, const char *text) {
    stream_send(c->stream, bytes_str(text));
}

static bool never(void *ctx) {
    (void)ctx;
    return false;
}

static void wait_ms(uint64_t ms) {
    (void)net_sim_run(&w.sim, never, NULL, ms);
}

struct wanted {
    const struct client *c;
    const char *text;
};

static bool has_got(void *ctx) {
    const struct wanted *want = ctx;
    return strlen(want->c->got) >= strlen(want->text);
}

/* All that the client has got since the last time must be `text`. */
static void expect(struct client *c, const char *text) {
    struct wanted want = {c, text};
    (void)net_sim_run(&w.sim, has_got, &want, SOON_MS);
    ck_assert_str_eq(c->got, text);
    c->got[0] = '\0';
}

static void ask(struct client *c, const char *command, const char *reply) {
    say(c, command);
    expect(c, reply);
}

static void client_connect(struct client *c) {
    struct err err;
    *c = (struct client){0};
    c->stream = stream_connect(&w.loop, &w.door_addr, NULL, &client_handler, c, &err);
    ck_assert_ptr_nonnull(c->stream);
    expect(c, "HELLO gilmok\n");
    ask(c, "USER anna shop\n", "OK I\n");
}

static void client_close(struct client *c) {
    if (c->stream) stream_close(c->stream);
    c->stream = NULL;
}

/* ---- the world ---- */

static void on_accept(struct listener *li, struct stream *s, const struct addr *peer) {
    (void)li;
    session_open(&w.sessions, &toy_session_proto, s, peer);
}

static void on_tick(struct timer *t) {
    pool_set_tick(&w.pools);
    session_env_tick(&w.sessions);
    timer_set(t, 100);
}

static void make_config(void) {
    w.config = (struct config){.max_client_conn = 100, .max_login_conn = 100, .login_timeout_ms = 60000};
    list_init(&w.config.clusters);
    list_init(&w.config.databases);
    list_init(&w.config.users);
    list_init(&w.config.peers);
    w.cluster = (struct config_cluster){.name = "main", .connect_timeout_ms = 2000, .login_retry_ms = 500};
    list_init(&w.cluster.node);
    list_init(&w.cluster.nodes);
    list_push_back(&w.config.clusters, &w.cluster.node);
    w.node = (struct config_node){.name = "a", .host = "127.0.0.1", .port = 3306};
    list_init(&w.node.node);
    list_push_back(&w.cluster.nodes, &w.node.node);
    w.database = (struct config_database){.name = "shop", .cluster = &w.cluster, .pool_mode = POOL_TRANSACTION, .pool_size = 1,
                                           .server_check_delay_ms = 3600 * 1000,
                                          .max_variants = 1, .queue_timeout_ms = 1000, .query_timeout_ms = 3000};
    list_init(&w.database.node);
    list_push_back(&w.config.databases, &w.database.node);
}

static void setup(void) {
    struct net_sim_options options = {.latency_max_us = 200, .pipe_min = 64, .pipe_max = 64, .chunk_max = 5};
    struct addr server;
    struct err err;
    memset(&w, 0, sizeof w);
    net_sim_init(&w.sim, &w.loop, 7, &options);
    make_config();
    ck_assert(addr_resolve(&w.door_addr, "127.0.0.1", 6432, &err) && addr_resolve(&server, "127.0.0.1", 3306, &err));
    pool_set_init(&w.pools, &w.loop);
    addr_book_init(&w.book, &w.config);
    w.pools.book = &w.book;
    session_hub_init(&w.hub, 1);
    session_env_init(&w.sessions, &w.hub, 0, &w.loop, &w.pools);
    w.sessions.config = &w.config;
    w.door = (struct listener){.on_accept = on_accept};
    w.server_door = (struct listener){.on_accept = on_server_accept};
    ck_assert(listener_open(&w.door, &w.loop, &w.door_addr, &err) && listener_open(&w.server_door, &w.loop, &server, &err));
    ck_assert(timer_init(&w.tick, &w.loop, on_tick));
    timer_set(&w.tick, 100);
}

/* Everything must be there to be given back: the loop's own checks stop the program otherwise. */
static void teardown(void) {
    session_env_release(&w.sessions);
    pool_set_release(&w.pools);
    addr_book_release(&w.book);
    session_hub_release(&w.hub);
    for (int i = 0; i < w.server_count; i++)
        if (w.servers[i].stream) stream_close(w.servers[i].stream);
    listener_close(&w.door);
    listener_close(&w.server_door);
    timer_release(&w.tick);
    loop_settle(&w.loop);
    loop_release(&w.loop);
}

static uint32_t leases(void) {
    uint32_t count = 0;
    LIST_EACH(n, &w.sessions.sessions) count += CONTAINER_OF(n, struct session, node)->lessee.backend != NULL;
    return count;
}

/* ---- tests ---- */

START_TEST(greets_first_and_answers) {
    struct client c;
    client_connect(&c);
    ask(&c, "ECHO hello\n", "ROWS 1 I\nhello\n");
    ask(&c, "COUNT 3\n", "ROWS 3 I\n0\n1\n2\n");
    ask(&c, "COUNT 0\n", "ROWS 0 I\n");
    ask(&c, "MULTI\n", "ROWS 1 I MORE\na\nROWS 2 I\nb\nc\n");
    ask(&c, "FAIL\n", "ERR I it failed\n");
    ck_assert_str_eq(w.servers[0].seen, "USER anna shop\nECHO hello\nCOUNT 3\nCOUNT 0\nMULTI\nFAIL\n");
    ck_assert_uint_eq(leases(), 0);
    client_close(&c);
}
END_TEST

START_TEST(pipelined_commands_are_answered_in_order) {
    struct client c;
    client_connect(&c);
    ask(&c, "ECHO a\nMULTI\nECHO b\nBEGIN\nCOUNT 1\nCOMMIT\nECHO c\n",
        "ROWS 1 I\na\nROWS 1 I MORE\na\nROWS 2 I\nb\nc\nROWS 1 I\nb\nOK T\nROWS 1 T\n0\nOK I\nROWS 1 I\nc\n");
    ck_assert_uint_eq(leases(), 0);
    client_close(&c);
}
END_TEST

START_TEST(a_transaction_keeps_its_connection) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "BEGIN\n", "OK T\n");
    say(&b, "ECHO b\n");
    wait_ms(300);
    ck_assert_str_eq(b.got, "");
    ask(&a, "ECHO a\n", "ROWS 1 T\na\n");
    ask(&a, "COMMIT\n", "OK I\n");
    expect(&b, "ROWS 1 I\nb\n");
    ck_assert_int_eq(w.server_count, 1);
    client_close(&a);
    client_close(&b);
}
END_TEST

START_TEST(a_command_without_reply_holds_nothing) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    say(&a, "NOTE this\n");
    wait_ms(300);
    ck_assert_uint_eq(leases(), 0);
    ask(&b, "ECHO b\n", "ROWS 1 I\nb\n");
    ask(&a, "NOTE one\nECHO a\nNOTE two\nECHO c\n", "ROWS 1 I\na\nROWS 1 I\nc\n");
    ck_assert_str_eq(w.servers[0].seen, "USER anna shop\nNOTE this\nECHO b\nNOTE one\nECHO a\nNOTE two\nECHO c\n");
    client_close(&a);
    client_close(&b);
}
END_TEST

START_TEST(the_client_sends_data_in_mid_reply) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "LOAD\n", "DATA\n");
    say(&b, "ECHO b\n");
    say(&a, "x\ny\n");
    wait_ms(300);
    ck_assert_str_eq(b.got, "");
    say(&a, "ECHO not a command\n.\n");
    expect(&a, "OK I\n");
    expect(&b, "ROWS 1 I\nb\n");
    ck_assert_str_eq(w.servers[0].seen, "USER anna shop\nLOAD\nx\ny\nECHO not a command\n.\nECHO b\n");
    client_close(&a);
    client_close(&b);
}
END_TEST

START_TEST(a_tainted_connection_is_cleaned_before_the_next_client) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "SET mine\n", "OK I CHANGED\n");
    ask(&b, "GET\n", "ROWS 1 I\n-\n");
    ck_assert_int_eq(w.server_count, 1);
    ck_assert_str_eq(w.servers[0].seen, "USER anna shop\nSET mine\nRESET\nGET\n");
    client_close(&a);
    client_close(&b);
}
END_TEST

START_TEST(an_abandoned_transaction_is_undone) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "BEGIN\n", "OK T\n");
    say(&b, "ECHO b\n");
    client_close(&a);
    expect(&b, "ROWS 1 I\nb\n");
    client_close(&b);
}
END_TEST

START_TEST(the_servers_death_is_told_in_the_clients_language) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "DIE\n", "BYE I server a 127.0.0.1:3306 closed the connection: closed by peer\n");
    wait_ms(100);
    ck_assert(a.is_ended);
    ask(&b, "ECHO b\n", "ROWS 1 I\nb\n");
    ck_assert_int_eq(w.server_count, 2);
    client_close(&b);
}
END_TEST

START_TEST(a_wait_that_is_too_long_is_refused) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "BEGIN\n", "OK T\n");
    ask(&b, "ECHO b\n", "ERR I no server connection became free within queue_timeout (1000 ms)\n");
    ask(&a, "COMMIT\n", "OK I\n");
    ask(&b, "ECHO again\n", "ROWS 1 I\nagain\n");
    client_close(&a);
    client_close(&b);
}
END_TEST

START_TEST(a_reply_that_is_too_late_ends_the_session) {
    struct client a, b;
    client_connect(&a);
    client_connect(&b);
    ask(&a, "HANG\n", "BYE I terminating connection due to query_timeout (3000 ms)\n");
    ask(&b, "ECHO b\n", "ROWS 1 I\nb\n");
    client_close(&b);
    client_close(&a);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("toy");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, greets_first_and_answers);
    tcase_add_test(tc, pipelined_commands_are_answered_in_order);
    tcase_add_test(tc, a_transaction_keeps_its_connection);
    tcase_add_test(tc, a_command_without_reply_holds_nothing);
    tcase_add_test(tc, the_client_sends_data_in_mid_reply);
    tcase_add_test(tc, a_tainted_connection_is_cleaned_before_the_next_client);
    tcase_add_test(tc, an_abandoned_transaction_is_undone);
    tcase_add_test(tc, the_servers_death_is_told_in_the_clients_language);
    tcase_add_test(tc, a_wait_that_is_too_long_is_refused);
    tcase_add_test(tc, a_reply_that_is_too_late_ends_the_session);
    return check_main_of("session_toy", tc);
}
