/*
 * fuzz_session.c - whole sessions: who says what to gilmok in which order, on the simulated network.
 *
 * Three bytes draw the world (see draw_world), then steps follow (session_steps.h). Some are raw bytes, others are what a right
 * peer would do now, so that an input comes to the places behind a login, inside a transaction, in the middle of a COPY.
 *
 * Promises: no turn of the loop is without end; what session_client.c looks at, no client's bytes at another one above all; a right
 * client of right servers gets an answer to all that it has asked, or is sent away; a client and a server that are gone leave
 * nothing behind: no session, no place in a pool, no memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/reader.h"
#include "proxy/worker.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session_peers.h"
#include "tests/fuzz/session_steps.h"

enum { TURNS_MAX = 20000, WORKERS = 2, END_TURNS_MAX = 200000, END_MS = 120 * 1000, SERVE_MS = 30 * 1000 };
/* Behind these an input has said enough: read byte by byte, connections that come and go for minutes are half a million events. */
enum { STEPS_EVENTS_MAX = 6000, STEPS_MS_MAX = 30 * 1000 };

static struct config *config;
static struct snapshot *snapshot;
static struct addr proxy_addr, server_addr;
static struct scram_verifier verifier;
static struct scram_keys keys[2];

struct world {
    struct loop loop;
    struct net_sim sim;
    struct session_hub hub;
    struct worker workers[WORKERS];
    uint32_t worker_count;
    struct fuzz_servers servers;
    struct fuzz_client clients[PEER_CLIENTS];
    unsigned client_number;
    uint64_t began_us;
    struct writer out;
};

/* ---- made once ------------------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    PROMISE(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0);
}

static void load_config(void) {
    char dir[] = "/tmp/fuzz_session.XXXXXX", conf[64], users[64];
    struct config_findings findings;
    PROMISE(mkdtemp(dir));
    snprintf(conf, sizeof conf, "%s/gilmok.conf", dir);
    snprintf(users, sizeof users, "%s/users.txt", dir);
    write_file(users, "\"u0\" \"secret-0\"\n\"u1\" \"secret-1\"\n");
    write_file(conf, "[gilmok]\nlisten = 127.0.0.1:6432\nuser_file = users.txt\nmax_client_conn = 100\n"
                     "[cluster main]\n[node main/a]\nhost = 127.0.0.1\nport = 5432\n"
                     "[database *]\nmax_variants = 4\n");
    config_findings_init(&findings);
    config = config_load(conf, &findings);
    PROMISE(config && !findings.errors);
    config_findings_release(&findings);
    unlink(conf);
    unlink(users);
    rmdir(dir);
}

static void prepare(void) {
    static const uint8_t salt[SCRAM_SALT_DEFAULT] = "salt of the fuzz";
    struct err err;
    log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, LOG_TEXT);
    map_seed(1);
    load_config();
    snapshot = snapshot_new(config, NULL, &err);
    PROMISE(snapshot && scram_verifier_derive("secret-0", salt, sizeof salt, 16, &verifier));
    PROMISE(addr_resolve(&proxy_addr, "127.0.0.1", 6432, &err) && addr_resolve(&server_addr, "127.0.0.1", 5432, &err));
}

/* ---- one world ------------------------------------------------------------------------------------------------------- */

/* The keys of cancel requests go out as they are: nothing in them may look like a mark. */
static bool random_without_marks(void *ctx, void *out, size_t len) {
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)net_sim_random(ctx);
        if (bytes[i] == '~') bytes[i] = '!';
    }
    return true;
}

/* The first byte: pools and servers; the second: the network and workers; the third: seeds the dice, and limits. */
static void draw_world(struct world *w, struct reader *r) {
    uint8_t pools = reader_u8(r), net = reader_u8(r), seed = reader_u8(r);
    struct config_database *db = CONTAINER_OF(list_first(&config->databases), struct config_database, node);
    struct config_cluster *cluster = CONTAINER_OF(list_first(&config->clusters), struct config_cluster, node);
    struct net_sim_options options = {.latency_max_us = 0, .pipe_min = 100, .pipe_max = 100000, .chunk_max = 60000};
    if (net & 4) options.chunk_max = !(net & 8) ? 50 : seed & 3 ? 8 : 1;
    if (net & 8) options.pipe_max = 100;
    net_sim_init(&w->sim, &w->loop, seed, &options);
    w->sim.clock.random = random_without_marks;
    w->worker_count = net & 1 ? 2 : 1;
    w->servers.greets = !(pools & 1);
    w->servers.answers = !(pools & 2);
    w->servers.verifier = pools & 4 ? &verifier : NULL;
    db->pool_mode = pools & 8 ? POOL_SESSION : POOL_TRANSACTION;
    db->pool_size = 1 + (pools >> 4 & 3);
    db->query_timeout_ms = seed & 4 ? 4000 : 0; /* it would end who waits for ever, too */
    db->idle_transaction_timeout_ms = 5000;
    db->transaction_timeout_ms = 0;
    db->queue_timeout_ms = 500;
    db->server_check_delay_ms = net & 16 ? 20 : 30000;
    db->server_lifetime_ms = net & 32 ? 200 : 0;
    db->server_idle_timeout_ms = net & 64 ? 100 : 60000;
    db->min_pool_size = net & 128 ? 1 : 0;
    config->max_server_conn = pools & 64 ? 2 : 0;
    cluster->connect_timeout_ms = 2000;
    cluster->login_retry_ms = 200;
}

static bool may_step(const struct world *w) {
    return w->sim.events < STEPS_EVENTS_MAX && w->sim.now_us - w->began_us < (uint64_t)STEPS_MS_MAX * 1000;
}

static void start(struct world *w) {
    struct err err;
    PROMISE(fuzz_servers_open(&w->servers, &w->sim, &server_addr, &err));
    session_hub_init(&w->hub, w->worker_count);
    for (uint32_t i = 0; i < w->worker_count; i++)
        PROMISE(worker_init(&w->workers[i], i, &w->hub, &w->loop, snapshot, NULL, &err) && worker_listen(&w->workers[i], &err));
    for (int i = 0; i < PEER_CLIENTS; i++) w->clients[i] = (struct fuzz_client){.sim = &w->sim, .proxy = &proxy_addr, .keys = keys};
    writer_init(&w->out, PEER_OUT_MAX);
    w->began_us = w->sim.now_us;
}

static bool is_worker_settled(const struct worker *worker) {
    if (worker->sessions.session_count || worker->sessions.login_count) return false;
    LIST_EACH(n, &worker->pools.all) {
        struct pool *p = CONTAINER_OF(n, struct pool, node);
        if (p->clients) return false;
        LIST_EACH(i, &p->variants) {
            struct variant *v = CONTAINER_OF(i, struct variant, node);
            if (v->waiting_count || v->busy_count || v->opening_count || v->sessions) return false;
        }
    }
    return true;
}

static bool is_settled(const struct world *w) {
    for (uint32_t i = 0; i < w->worker_count; i++)
        if (!is_worker_settled(&w->workers[i])) return false;
    return !w->hub.session_count;
}

/* Everybody leaves, and nobody new comes: then gilmok must forget them, in bounded time. */
static void ck_forgets(struct world *w) {
    uint32_t turns = 0;
    for (int i = 0; i < PEER_CLIENTS; i++) fuzz_client_end(&w->clients[i], END_RESET);
    net_sim_set_gate(&w->servers.li, GATE_REFUSES);
    fuzz_servers_close(&w->servers);
    uint64_t until_us = w->sim.now_us + (uint64_t)END_MS * 1000;
    while (!is_settled(w)) {
        PROMISE(turns++ < END_TURNS_MAX && w->sim.now_us < until_us);
        PROMISE(w->loop.ops->turn(&w->loop));
        fuzz_servers_close(&w->servers);
    }
}

static void finish(struct world *w) {
    do
        for (uint32_t i = 0; i < w->worker_count; i++) worker_close_sessions(&w->workers[i]);
    while (loop_take_mail(&w->loop));
    LIST_EACH(n, &w->hub.shares.groups) {
        const struct share_group *g = CONTAINER_OF(n, struct share_group, node);
        for (uint32_t i = 0; i < g->count; i++) PROMISE(g->shares[i].clients == 0);
        PROMISE(g->clients == 0);
    }
    for (uint32_t i = 0; i < w->worker_count; i++) worker_release(&w->workers[i]);
    (void)loop_take_mail(&w->loop);
    PROMISE(budget_book_total(&w->hub.budgets) == 0);
    session_hub_release(&w->hub);
    fuzz_servers_close(&w->servers);
    listener_close(&w->servers.li);
    for (int i = 0; i < PEER_CLIENTS; i++) {
        fuzz_client_end(&w->clients[i], END_CLOSE);
        writer_release(&w->clients[i].first);
    }
    writer_release(&w->out);
    loop_settle(&w->loop);
    while (!list_is_empty(&w->loop.finishing)) stream_close(CONTAINER_OF(list_first(&w->loop.finishing), struct stream, end_node));
    loop_bury(&w->loop);
    PROMISE(!w->loop.streams.taken && !w->loop.out_slices.taken);
    PROMISE(w->loop.bufs.out <= (w->loop.recv_buf ? 1u : 0u));
    loop_release(&w->loop);
}

/* ---- what clients say ------------------------------------------------------------------------------------------------ */

/* A "%" in a text is the client's mark. */
struct saying {
    uint8_t type;
    const char *a, *b;
};

static const struct saying client_sayings[] = {
    [SAY_SELECT] = {'Q', "select '%'", NULL}, [SAY_BEGIN] = {'Q', "begin", NULL}, [SAY_COMMIT] = {'Q', "commit", NULL},
    [SAY_ROLLBACK] = {'Q', "rollback", NULL}, [SAY_FAIL] = {'Q', "fail -- %", NULL},
    [SAY_SET] = {'Q', "set search_path to a", NULL}, [SAY_RESET] = {'Q', "reset all", NULL},
    [SAY_DISCARD] = {'Q', "discard all", NULL}, {'Q', "", NULL}, [SAY_COPY_IN] = {'Q', "copy t from stdin -- %", NULL},
    [SAY_COPY_OUT] = {'Q', "copy t to stdout -- %", NULL}, [SAY_LISTEN] = {'Q', "listen ch", NULL}, {'Q', "unlisten *", NULL},
    [SAY_PREPARE] = {'Q', "prepare p as select '%'", NULL}, [SAY_EXECUTE_P] = {'Q', "execute p -- %", NULL},
    {'Q', "deallocate p", NULL}, {'Q', "deallocate all", NULL}, [SAY_TEMP] = {'Q', "create temp table t (a int) -- %", NULL},
    {'Q', "select set_config('a.b', '%', false)", NULL}, {'Q', "select pg_advisory_lock(1) -- %", NULL},
    {'Q', "declare c cursor with hold for select '%'", NULL}, {'Q', "begin; select '%'", NULL},
    [SAY_CALL] = {'Q', "select f('%')", NULL}, {'Q', "set role r", NULL}, {'Q', "load 'x'", NULL},
    [SAY_PARSE] = {'P', "", "select '%'"}, [SAY_PARSE_S1] = {'P', "s1", "select '%'"}, {'P', "s2", "select 2"},
    {'P', "", "begin"}, {'P', "", "commit"}, [SAY_PARSE_COPY] = {'P', "", "copy t from stdin -- %"},
    {'P', "s1", "set search_path to b"}, {'P', "", "discard all"}, {'P', "s2", "execute p -- %"}, [SAY_BIND] = {'B', "", ""},
    [SAY_BIND_S1] = {'B', "", "s1"}, {'B', "p1", "s1"}, {'B', "", "s2"}, [SAY_DESCRIBE_S1] = {'D', "S", "s1"}, {'D', "S", ""},
    [SAY_DESCRIBE_PORTAL] = {'D', "P", ""}, {'D', "P", "p1"}, [SAY_EXECUTE] = {'E', "", NULL}, {'E', "p1", NULL},
    [SAY_SYNC] = {'S', NULL, NULL}, {'S', NULL, NULL}, [SAY_FLUSH] = {'H', NULL, NULL}, [SAY_CLOSE_S1] = {'C', "S", "s1"},
    {'C', "S", "s2"}, {'C', "P", "p1"}, [SAY_DATA] = {'d', "data %\n", NULL}, [SAY_DONE] = {'c', NULL, NULL},
    [SAY_COPY_FAIL] = {'f', "", NULL}, {'F', NULL, NULL}, [SAY_TERMINATE] = {'X', NULL, NULL},
};

static void put_text(struct writer *out, const char *text, const char *mark) {
    for (; *text; text++) {
        if (*text == '%') writer_str(out, mark);
        else writer_u8(out, (uint8_t)*text);
    }
}

static void put_saying(struct writer *out, const struct saying *s, const char *mark) {
    size_t at = pg_begin(out, s->type);
    switch (s->type) {
    case PG_F_QUERY:
    case PG_F_COPY_FAIL:
    case PG_F_EXECUTE:
        put_text(out, s->a, mark);
        writer_u8(out, 0);
        if (s->type == PG_F_EXECUTE) writer_be32(out, 0);
        break;
    case PG_F_PARSE:
        writer_cstr(out, bytes_str(s->a));
        put_text(out, s->b, mark);
        writer_u8(out, 0);
        writer_be16(out, 0);
        break;
    case PG_F_BIND:
        writer_cstr(out, bytes_str(s->a));
        writer_cstr(out, bytes_str(s->b));
        writer_be16(out, 0);
        writer_be16(out, 1);
        writer_be32(out, 3);
        writer_str(out, mark);
        writer_be16(out, 0);
        break;
    case PG_F_DESCRIBE:
    case PG_F_CLOSE:
        writer_str(out, s->a);
        writer_cstr(out, bytes_str(s->b));
        break;
    case PG_F_COPY_DATA:
        put_text(out, s->a, mark);
        break;
    case PG_F_FUNCTION_CALL:
        writer_put(out, bytes_of("\0\0\0\1\0\0\0\0\0\0", 10));
        break;
    default:
        break;
    }
    pg_end(out, at);
}

/* ---- what servers say ------------------------------------------------------------------------------------------------ */

/* True: an honest server may say it at any time. */
static bool put_server_saying(struct writer *out, unsigned n) {
    static const uint8_t bare[] = {'1', '2', '3', 'n', 's', 'I', 'c', 'V'};
    static const char status[] = "ITE";
    struct err err;
    err_set(&err, "57P01", "over");
    switch (n % 20) {
    case 0:
        pg_put_notice(out, "mind");
        return true;
    case 1:
        pg_put_parameter_status(out, bytes_str("search_path"), bytes_str("c"));
        return true;
    case 2:
        pg_put_parameter_status(out, bytes_str("client_encoding"), bytes_str("SJIS"));
        return true;
    case 3:
        writer_put(out, bytes_of("A\0\0\0\021\0\0\0\1ch\0hello\0", 18));
        return true;
    case 4:
        pg_put_error(out, "FATAL", &err);
        break;
    case 5:
        pg_put_error(out, "ERROR", &err);
        break;
    case 6:
    case 7:
    case 8:
        pg_put_ready(out, status[n % 20 - 6]);
        break;
    case 9:
        pg_put_command_complete(out, "DISCARD ALL");
        break;
    case 10:
        writer_put(out, bytes_of("G\0\0\0\7\0\0\0", 8));
        break;
    case 11:
        writer_put(out, bytes_of("H\0\0\0\7\0\0\0", 8));
        break;
    default:
        pg_end(out, pg_begin(out, bare[n % 20 - 12]));
    }
    return false;
}

/* ---- steps ----------------------------------------------------------------------------------------------------------- */

/* Without "~", which only marks have. */
static struct bytes without_marks(struct bytes raw, uint8_t storage[STEP_RAW_MAX]) {
    for (size_t i = 0; i < raw.len; i++) storage[i] = raw.ptr[i] == '~' ? '!' : raw.ptr[i];
    return bytes_of(storage, raw.len);
}

static void put_framed(struct writer *out, uint8_t type, struct bytes body) {
    size_t at = pg_begin(out, type == '~' || type == 0 ? 'Q' : type);
    writer_put(out, body);
    pg_end(out, at);
}

static void client_step(struct world *w, const struct session_step *st) {
    uint8_t storage[STEP_RAW_MAX], arg = st->arg;
    struct fuzz_client *c = &w->clients[st->who];
    struct bytes raw = without_marks(st->raw, storage);
    switch (st->kind) {
    case STEP_CLIENT_RAW:
        fuzz_client_say_raw(c, raw);
        break;
    case STEP_CLIENT_MESSAGE:
        put_framed(&w->out, arg, raw);
        fuzz_client_say_raw(c, writer_bytes(&w->out));
        break;
    case STEP_CLIENT_LOGIN:
        fuzz_client_login(c, w->client_number++, arg);
        break;
    case STEP_CLIENT_SAYS:
        put_saying(&w->out, &client_sayings[arg % COUNT_OF(client_sayings)], c->mark);
        fuzz_client_say(c, writer_bytes(&w->out));
        break;
    case STEP_CLIENT_QUERY: {
        size_t at = pg_begin(&w->out, PG_F_QUERY);
        writer_put(&w->out, raw);
        writer_str(&w->out, " -- ");
        writer_cstr(&w->out, bytes_str(c->mark));
        pg_end(&w->out, at);
        fuzz_client_say(c, writer_bytes(&w->out));
        break;
    }
    case STEP_CLIENT_ENDS:
        fuzz_client_end(c, arg % 3); /* silence would be for ever: nobody but TCP asks whether a client is there */
        break;
    case STEP_CLIENT_CONNECTS:
        fuzz_client_connect(c, w->client_number++);
        break;
    default: { /* STEP_CANCEL: the key of any client, on a connection of its own */
        struct fuzz_client *of = &w->clients[arg & 3];
        if (of == c || !of->key_len) break;
        pg_put_cancel(&w->out, of->pid, bytes_of(of->key, of->key_len));
        fuzz_client_connect(c, w->client_number++);
        fuzz_client_say_raw(c, writer_bytes(&w->out));
    }
    }
}

static void server_step(struct world *w, const struct session_step *st) {
    uint8_t storage[STEP_RAW_MAX], arg = st->arg;
    struct fuzz_server *s = fuzz_servers_find(&w->servers, st->who);
    struct bytes raw = without_marks(st->raw, storage);
    if (!s) return;
    switch (st->kind) {
    case STEP_SERVER_RAW:
        fuzz_server_say(s, raw, false);
        break;
    case STEP_SERVER_MESSAGE:
        put_framed(&w->out, arg, raw);
        fuzz_server_say(s, writer_bytes(&w->out), false);
        break;
    case STEP_SERVER_ANSWERS:
        fuzz_server_answer(s, arg & 3, arg >> 2 ? (size_t)(arg >> 2) * 2 : SIZE_MAX);
        break;
    case STEP_SERVER_SAYS: {
        bool is_honest = put_server_saying(&w->out, arg) && s->step == SERVER_RUNNING && !s->out.len;
        fuzz_server_say(s, writer_bytes(&w->out), is_honest);
        break;
    }
    case STEP_SERVER_ENDS:
        fuzz_server_end(s, arg & 3);
        break;
    default:
        fuzz_server_greet(s);
    }
}

static void pass_time(struct world *w, uint64_t ms) {
    uint64_t until_us = w->sim.now_us + ms * 1000;
    uint32_t turns = 0;
    while (w->sim.now_us < until_us && w->loop.ops->turn(&w->loop)) PROMISE(turns++ < TURNS_MAX);
}

static bool are_served(const struct world *w) {
    for (int i = 0; i < PEER_CLIENTS; i++)
        if (!fuzz_client_is_served(&w->clients[i])) return false;
    return true;
}

/* With servers that never did wrong, and that answer now if they have not until here, nobody waits for ever. */
static void ck_serves(struct world *w) {
    if (w->servers.may_fail) return;
    fuzz_servers_serve(&w->servers);
    PROMISE(net_sim_settle(&w->sim, TURNS_MAX));
    for (int ms = 0; ms < SERVE_MS && !are_served(w); ms += WORKER_TICK_MS) pass_time(w, WORKER_TICK_MS);
    PROMISE(are_served(w) || w->servers.may_fail);
}

static void step(struct world *w, struct reader *r) {
    static const enum net_sim_gate gates[] = {GATE_OPEN, GATE_OPEN, GATE_REFUSES, GATE_SILENT};
    struct session_step st = session_step_read(r);
    writer_reset(&w->out);
    if (st.kind <= STEP_CLIENT_CONNECTS || st.kind == STEP_CANCEL) {
        client_step(w, &st);
    } else if (st.kind == STEP_TIME) {
        pass_time(w, (uint64_t)st.arg * 20);
    } else if (st.kind == STEP_SWITCH) {
        net_sim_set_gate(&w->servers.li, gates[st.arg & 3]);
        w->servers.greets = st.arg & 4;
        w->servers.answers = st.arg & 8;
    } else {
        server_step(w, &st);
    }
    if (st.flags & STEP_GOES_ON) return;
    PROMISE(net_sim_settle(&w->sim, TURNS_MAX));
    if (st.flags & STEP_NO_TIME) return;
    pass_time(w, WORKER_TICK_MS); /* what gilmok does a little later, it does now */
    PROMISE(net_sim_settle(&w->sim, TURNS_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_over(bytes_of(data, size));
    static struct world w;
    if (!config) prepare();
    if (size > 16384) return 0;
    w = (struct world){0};
    peer_reach_begin();
    draw_world(&w, &r);
    start(&w);
    for (int i = 0; i < STEPS_MAX && reader_left(&r) && may_step(&w); i++) step(&w, &r);
    ck_serves(&w);
    ck_forgets(&w);
    finish(&w);
    peer_reach_end(w.sim.events);
    return 0;
}
