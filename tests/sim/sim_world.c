/*
 * Draws a world from its seed, runs it, and looks at what is left. Knows no single
 * message: those are judged by fake_client.c and fake_pg.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/map.h"
#include "proxy/session/session_pg.h"
#include "tests/sim/fake_pg_conn.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/tls_certs.h"

enum { RUN_LIMIT_MS = 20 * 60 * 1000, SETTLE_LIMIT_MS = 120 * 1000 };


/* Made once; the seeds share them and change their numbers. */
static struct config *plain_config, *ruled_config, *tls_config, *split_config;
static struct config *config; /* of this seed: one of them */
static struct tls_context *server_tls, *client_tls[2]; /* of the fake server, and of users u0 and u1 */
enum { ASKER = 2 };
static struct scram_verifier verifiers[3]; /* of u0, u1, and of who asks for u1 */
static struct scram_keys warm_keys[2];     /* so that clients derive theirs once */

#define USERS "\"u0\" \"secret-0\"\n\"u1\" \"secret-1\"\n"
#define GILMOK "[gilmok]\nlisten = 127.0.0.1:6432\nuser_file = users.txt\nmax_client_conn = 100\n"
#define CLUSTER "[cluster main]\n"
#define NODE "[node main/a]\nhost = 127.0.0.1\nport = 5432\n"
#define REPLICA "[node main/b]\nhost = 127.0.0.1\nport = 5433\nweight = 0\n"
#define DATABASE "[database *]\nmax_variants = 20\n"

#define HBA                                                                                   \
    "host  gilmok,/^x[0-9]+$  all                127.0.0.0/8  reject\n"                       \
    "host  @bases,other       /^(u0|nobody)$     127.0.0.0/8  scram-sha-256\n"                \
    "host  all                \"u0\",/u[1-9]$,asker 127.0.0.1 255.255.255.255 scram-sha-256\n" \
    "host  all                all                all          reject\n"
/* The same over TLS. What is asked of u0 by a certificate is asked before its password. */
#define HBA_TLS                                                                                                \
    "hostnossl all            all               all  reject\n"                                                 \
    "hostssl   @bases,/^othe  /^(u0|nobody)$    127.0.0.0/8  scram-sha-256 clientcert=verify-full map=people\n" \
    "hostssl   all            /u[1-9]$,asker    127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n"
#define IDENT "people \"/^client ([a-z0-9]+)$\" \\1\npeople \"client u0\" nobody\npeople somebody nobody\n"

/* ---- the configuration ---- */

static bool write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    if (!f) return false;
    fputs(text, f);
    return fclose(f) == 0 && chmod(path, 0600) == 0;
}

struct file {
    const char *name, *text;
};

static struct config *load_config(const struct file *files, size_t count) {
    char dir[] = "/tmp/sim_pool.XXXXXX", path[64];
    struct config_findings findings;
    bool ok = mkdtemp(dir) != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
        ok = write_file(path, files[i].text);
    }
    config_findings_init(&findings);
    struct config *c = ok ? config_load(path, &findings) : NULL; /* the last one */
    LIST_EACH(n, &findings.all) {
        struct config_finding *f = CONTAINER_OF(n, struct config_finding, node);
        if (!c) fprintf(stderr, "%s:%d: %s\n", f->file, f->line, f->message);
    }
    config_findings_release(&findings);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
        unlink(path);
    }
    rmdir(dir);
    return c;
}

static struct config *load_plain(void) {
    const struct file files[] = {{"users.txt", USERS}, {"gilmok.conf", GILMOK CLUSTER NODE DATABASE}};
    return load_config(files, COUNT_OF(files));
}

/* There is a second node, which nobody goes to: gilmok wants to know what could be read there, and holds BEGIN back. */
static struct config *load_split(void) {
    static const char conf[] = GILMOK CLUSTER "monitor_user = u0\n" NODE REPLICA DATABASE "read_write_split = on\n";
    const struct file files[] = {{"users.txt", USERS}, {"gilmok.conf", conf}};
    return load_config(files, COUNT_OF(files));
}

/* As PostgreSQL keeps it. */
static void put_verifier(const struct scram_verifier *v, char out[256]) {
    unsigned char salt[96], stored[48], server[48];
    EVP_EncodeBlock(salt, v->salt, v->salt_len);
    EVP_EncodeBlock(stored, v->stored_key, SCRAM_KEY_LEN);
    EVP_EncodeBlock(server, v->server_key, SCRAM_KEY_LEN);
    snprintf(out, 256, "SCRAM-SHA-256$%u:%s$%s:%s", v->iterations, (char *)salt, (char *)stored, (char *)server);
}

static struct config *load_ruled(bool has_tls) {
    char verifier[256], users[300];
    put_verifier(&verifiers[0], verifier);
    snprintf(users, sizeof users, "\"u0\" \"%s\"\n", verifier);
    static const char asking[] = "auth_user = asker\nauth_password_file = asker.txt\nauth_cache = 1s\n";
    char tls[512] = "", server_tls_lines[256] = "", conf[2048];
    if (has_tls) {
        int at = snprintf(tls, sizeof tls, "client_tls = allow\nclient_tls_cert_file = %s\n", certs_path("gilmok.crt"));
        at += snprintf(tls + at, sizeof tls - (size_t)at, "client_tls_key_file = %s\n", certs_path("gilmok.key"));
        snprintf(tls + at, sizeof tls - (size_t)at, "client_tls_ca_file = %s\n", certs_path("ca.crt"));
        snprintf(server_tls_lines, sizeof server_tls_lines, "server_tls = verify-full\nserver_tls_ca_file = %s\n", certs_path("ca.crt"));
    }
    snprintf(conf, sizeof conf, "%shba_file = hba.conf\nident_file = ident.conf\n%s%s%s%s%s", GILMOK, tls, CLUSTER, asking,
             server_tls_lines, NODE DATABASE);
    const struct file files[] = {
        {"users.txt", users},
        {"asker.txt", "asker-secret\n"},
        {"hba.conf", has_tls ? HBA_TLS : HBA},
        {"bases", "shop\n"},
        {"ident.conf", IDENT},
        {"gilmok.conf", conf},
    };
    return load_config(files, COUNT_OF(files));
}

static void draw_config(struct world *w) {
    struct net_sim *sim = &w->sim;
    struct config_database *db = CONTAINER_OF(list_first(&config->databases), struct config_database, node);
    struct config_cluster *cluster = CONTAINER_OF(list_first(&config->clusters), struct config_cluster, node);
    bool has_trouble = w->clients.has_trouble;
    db->pool_size = net_sim_one_in(sim, 3) ? 8 + net_sim_below(sim, 12) : 1 + net_sim_below(sim, 4);
    db->pool_mode = net_sim_one_in(sim, 4) ? POOL_SESSION : POOL_TRANSACTION;
    db->query_timeout_ms = has_trouble ? 4000 : 0;
    db->idle_transaction_timeout_ms = 0;
    db->transaction_timeout_ms = 0;
    /* In a calm world everybody is served in the end: pinned clients leave sooner or later. */
    db->queue_timeout_ms = has_trouble && net_sim_one_in(sim, 2) ? 500 : 10 * 60 * 1000;
    db->server_check_delay_ms = net_sim_one_in(sim, 2) ? 20 : 30000;
    db->server_round_robin = net_sim_one_in(sim, 3);
    db->server_lifetime_ms = net_sim_one_in(sim, 4) ? 200 : 0;
    db->server_idle_timeout_ms = net_sim_one_in(sim, 4) ? 100 : 60000;
    config->max_server_conn = net_sim_one_in(sim, 4) ? 1 + net_sim_below(sim, 4) : 0;
    db->min_pool_size = net_sim_one_in(sim, 4) ? net_sim_below(sim, 4) : 0;
    db->reserve_pool_size = net_sim_one_in(sim, 4) ? net_sim_below(sim, 3) : 0;
    db->reserve_pool_timeout_ms = 1 + net_sim_below(sim, 300);
    cluster->connect_timeout_ms = 2000;
    cluster->login_retry_ms = 100 + net_sim_below(sim, 900);
    w->clients.is_pinned = db->pool_mode == POOL_SESSION;
    w->clients.holds_begin = config == split_config && !w->clients.is_pinned;
}

/* ---- one seed ---- */

static void fail(struct world *w, const char *what) {
    if (!w->failure[0]) snprintf(w->failure, sizeof w->failure, "%s", what);
}

static void collect_complaints(struct world *w) {
    if (w->clients.complaint[0]) fail(w, w->clients.complaint);
    if (w->pg.complaint[0]) fail(w, w->pg.complaint);
}

/* The server's listener opens, refuses, or does not answer, for a while each. */
static void on_gate(struct timer *t) {
    struct world *w = CONTAINER_OF(t, struct world, gate);
    static const enum net_sim_gate gates[] = {GATE_OPEN, GATE_OPEN, GATE_OPEN, GATE_REFUSES, GATE_SILENT};
    net_sim_set_gate(&w->pg.li, gates[net_sim_below(&w->sim, COUNT_OF(gates))]);
    timer_set(t, 50 + net_sim_below(&w->sim, 1500));
}

static bool is_everybody_gone(void *ctx) {
    struct world *w = ctx;
    return w->clients.running == 0 || w->clients.complaint[0] || w->pg.complaint[0];
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

static bool is_settled(void *ctx) {
    struct world *w = ctx;
    if (w->hub.session_count) return false;
    for (uint32_t i = 0; i < w->worker_count; i++)
        if (!is_worker_settled(&w->workers[i])) return false;
    return true;
}

static void check_unsettled(struct world *w) {
    char what[256];
    snprintf(what, sizeof what, "after all clients have left: %u sessions; workers:", w->hub.session_count);
    for (uint32_t k = 0; k < w->worker_count; k++) {
        LIST_EACH(n, &w->workers[k].pools.all) {
            LIST_EACH(i, &CONTAINER_OF(n, struct pool, node)->variants) {
                struct variant *v = CONTAINER_OF(i, struct variant, node);
                size_t at = strlen(what);
                snprintf(what + at, sizeof what - at, " (%u: waiting %u busy %u opening %u sessions %u)", k, v->waiting_count,
                         v->busy_count, v->opening_count, v->sessions);
            }
        }
    }
    fail(w, what);
}

/* Clients are counted in their shares, as often as they are there. */
static void check_shares(struct world *w) {
    LIST_EACH(n, &w->hub.shares.groups) {
        const struct share_group *g = CONTAINER_OF(n, struct share_group, node);
        uint32_t clients = 0, size = 0;
        for (uint32_t i = 0; i < g->count; i++) {
            clients += g->shares[i].clients;
            size += g->shares[i].size;
        }
        if (clients || g->clients) fail(w, "clients are left in a share");
        if (size != CONTAINER_OF(list_first(&config->databases), struct config_database, node)->pool_size)
            fail(w, "the shares are not the pool");
    }
}

/* Where gilmok stands, for whoever has to find out why a client waits. */
static void print_sessions(const struct worker *worker) {
    LIST_EACH(n, &worker->sessions.sessions) {
        const struct session *s = CONTAINER_OF(n, struct session, node);
        const struct backend *b = s->lessee.backend;
        const char *app = ((const struct session_pg *)s)->app_name;
        printf("    worker %u: session of %s: %s, request %s, pins %d, %s, holds %u bytes, queues %zu%s\n", worker->number, app ? app : "-",
               session_state_name(s->state), request_stage_name(s->request.stage), s->pins,
               s->is_held_back ? "held back" : "not held back", s->stream->held_len, s->stream->out.bytes,
               s->stream->is_paused ? ", paused" : "");
        if (!b) continue;
        printf("        on s%llu: owes %u in %u groups, txn %s, group %s, message %s, %s%s, holds %u bytes, queues %zu%s\n",
               (unsigned long long)b->id, b->ledger.count, b->ledger.groups, txn_state_name(b->ledger.txn),
               b->ledger.is_group_open ? "open" : "closed", b->ledger.is_message_open ? "open" : "closed",
               b->ledger.is_client_turn ? "client's turn" : "server's turn", b->ledger.is_skipping ? ", skipping" : "",
               b->stream->held_len, b->stream->out.bytes, b->stream->is_paused ? ", paused" : "");
    }
}

static void print_pools(const struct worker *worker) {
    LIST_EACH(n, &worker->pools.all) {
        const struct pool *p = CONTAINER_OF(n, struct pool, node);
        printf("    worker %u: pool %s/%s: %u of %u connections, %s%s\n", worker->number, p->database, p->user, p->total, p->limits.size,
               p->places.claim.is_filed ? "claims a place" : "claims nothing", budget_has_room(&p->places.budgets) ? "" : ", a cap is full");
        LIST_EACH(i, &p->variants) {
            const struct variant *v = CONTAINER_OF(i, struct variant, node);
            printf("        variant: waiting %u, idle %u, busy %u, opening %u\n", v->waiting_count, v->idle_count, v->busy_count,
                   v->opening_count);
        }
    }
}

static void print_servers(struct world *w) {
    LIST_EACH(n, &w->pg.conns) {
        struct fake_conn *c = CONTAINER_OF(n, struct fake_conn, node);
        printf("    server connection %u: step %d, txn %c%s%s%s%s, holds %u bytes, queues %zu, owes %zu\n", c->pid, c->step, c->txn,
               c->is_skipping ? ", skipping" : "", c->copy ? ", in COPY" : "", c->is_asleep ? ", asleep" : "",
               c->rest ? ", in a Query" : "", c->stream->held_len, c->stream->out.bytes, c->out.len);
    }
}

static void check_waits(struct world *w) {
    char what[256];
    for (uint32_t i = 0; i < w->client_count; i++) {
        struct fake_client *c = &w->client[i];
        if (c->is_over) continue;
        struct group *g = c->group_count ? &c->groups[c->group_first] : NULL;
        snprintf(what, sizeof what, "client %u waits for ever after query %u: %s, for message %c \"%s\" (number %d of its exchange)",
                 c->number, c->query, !c->is_logged_in ? "login" : "logged in", g ? g->e[g->at].type : '-',
                 g ? g->e[g->at].text : "", g ? g->at : 0);
        fail(w, what);
    }
}

/* An unnamed statement that was parsed and not used keeps the connection, which is right. */
static const char *on_idle(struct client_world *clients, const struct fake_client *c) {
    struct world *w = CONTAINER_OF(clients, struct world, clients);
    char app[16];
    snprintf(app, sizeof app, "c%u", c->number);
    for (uint32_t i = 0; i < w->worker_count; i++) {
        LIST_EACH(n, &w->workers[i].sessions.sessions) {
            const struct session *s = CONTAINER_OF(n, struct session, node);
            const char *name = ((const struct session_pg *)s)->app_name;
            if (!name || strcmp(name, app) != 0 || s->pins) continue;
            if (s->lessee.backend && s->lessee.backend->ledger.is_message_open) continue; /* is still being copied */
            if (s->lessee.backend) return "it keeps a server connection";
            if (s->state != SESSION_IDLE) return session_state_name(s->state);
        }
    }
    return NULL;
}

/* As if the monitor had found the first of them to be the primary. */
static bool publish_primary(struct world *w) {
    struct topology_node nodes[2] = {{.name = "a", .address = "127.0.0.1:5432", .health = NODE_UP, .role = NODE_PRIMARY},
                                     {.name = "b", .address = "127.0.0.1:5433", .health = NODE_DOWN}};
    const struct topology_cluster cluster = {.name = "main", .primary = 0, .node_count = 2, .nodes = nodes};
    return topology_publish(&w->hub.topology, &cluster, true);
}

static bool start_workers(struct world *w, struct err *err) {
    w->worker_count = 1 + net_sim_below(&w->sim, WORLD_WORKERS_MAX);
    session_hub_init(&w->hub, w->worker_count);
    if (config == split_config && !publish_primary(w)) return false;
    w->snapshot = snapshot_new(config, NULL, err);
    if (!w->snapshot) return false;
    for (uint32_t i = 0; i < w->worker_count; i++) {
        struct worker *worker = &w->workers[i];
        if (!worker_init(worker, i, &w->hub, &w->loop, w->snapshot, NULL, err) || !worker_listen(worker, err)) return false;
    }
    return true;
}

static bool start(struct world *w, struct err *err) {
    struct net_sim_options options = {.latency_max_us = 300};
    struct addr server;
    net_sim_init(&w->sim, &w->loop, w->seed, &options);
    w->sim.options.latency_max_us = net_sim_one_in(&w->sim, 4) ? 20000 : 300;
    w->sim.options.pipe_min = 16;
    w->sim.options.pipe_max = net_sim_one_in(&w->sim, 2) ? 2000 : 200000;
    w->clients.sim = &w->sim;
    w->clients.has_trouble = w->expects_faults || net_sim_one_in(&w->sim, 2);
    w->clients.has_one_app = net_sim_one_in(&w->sim, 3);
    w->clients.has_faults = w->expects_faults;
    w->clients.steps_max = w->steps_max ? w->steps_max : 12;
    w->clients.on_idle = on_idle;
    config = w->has_tls ? tls_config : w->is_ruled ? ruled_config : w->is_split ? split_config : plain_config;
    draw_config(w);
    if (!addr_resolve(&w->clients.proxy, "127.0.0.1", 6432, err) || !addr_resolve(&server, "127.0.0.1", 5432, err)) return false;
    if (!fake_pg_open(&w->pg, &w->sim, &server, err)) return false;
    if (w->has_tls) w->pg.tls = server_tls;
    if (w->has_tls) memcpy(w->clients.tls, client_tls, sizeof client_tls);
    if (w->is_ruled || net_sim_one_in(&w->sim, 2)) {
        static const char *const names[] = {"u0", "u1", "asker"};
        static char texts[COUNT_OF(names)][256];
        for (int i = 0; i < (int)COUNT_OF(names); i++) {
            put_verifier(&verifiers[i], texts[i]);
            fake_pg_add_user(&w->pg, names[i], &verifiers[i], texts[i]);
        }
    }
    if (!start_workers(w, err)) return false;
    if (!timer_init(&w->gate, &w->loop, on_gate)) return false;
    if (w->clients.has_trouble && !w->expects_faults) {
        w->pg.dies_one_in = 20 + net_sim_below(&w->sim, 100);
        w->pg.refuses_one_in = 4 + net_sim_below(&w->sim, 8);
        timer_set(&w->gate, 100);
    }
    return true;
}

static void finish(struct world *w) {
    for (uint32_t i = 0; i < w->client_count; i++) fake_client_release(&w->client[i]);
    timer_release(&w->gate);
    do
        for (uint32_t i = 0; i < w->worker_count; i++) worker_close_sessions(&w->workers[i]);
    while (loop_take_mail(&w->loop));
    if (!w->failure[0] && !w->expects_faults) check_shares(w);
    for (uint32_t i = 0; i < w->worker_count; i++) worker_release(&w->workers[i]);
    (void)loop_take_mail(&w->loop);
    if (!w->failure[0] && budget_book_total(&w->hub.budgets)) fail(w, "places for connections are left taken");
    session_hub_release(&w->hub);
    w->snapshot->config = NULL; /* is shared by all seeds */
    snapshot_unref(w->snapshot);
    fake_pg_close(&w->pg);
    loop_settle(&w->loop);
    while (!list_is_empty(&w->loop.finishing)) stream_close(CONTAINER_OF(list_first(&w->loop.finishing), struct stream, end_node));
    loop_bury(&w->loop);
    if (w->loop.streams.taken || w->loop.out_slices.taken) fail(w, "streams or output are left behind");
    if (w->loop.bufs.out > (w->loop.recv_buf ? 1u : 0u)) fail(w, "chunks of memory are left behind");
    loop_release(&w->loop);
}

void world_run(struct world *w) {
    struct err err = {0};
    memcpy(w->clients.keys, warm_keys, sizeof warm_keys);
    if (!start(w, &err)) {
        fail(w, err.message);
        return;
    }
    w->client_count = 2 + net_sim_below(&w->sim, w->clients_max - 1);
    if (w->on_started) w->on_started(w);
    for (uint32_t i = 0; i < w->client_count; i++) fake_client_start(&w->client[i], &w->clients, i + 1);
    bool all_gone = net_sim_run(&w->sim, is_everybody_gone, w, RUN_LIMIT_MS);
    collect_complaints(w);
    if (!all_gone) check_waits(w);
    if (w->failure[0]) {
        for (uint32_t i = 0; i < w->worker_count; i++) {
            print_sessions(&w->workers[i]);
            print_pools(&w->workers[i]);
        }
        print_servers(w);
        net_sim_print(&w->sim);
    }
    timer_stop(&w->gate);
    net_sim_set_gate(&w->pg.li, GATE_OPEN);
    if (!w->failure[0] && !net_sim_run(&w->sim, is_settled, w, SETTLE_LIMIT_MS)) check_unsettled(w);
    collect_complaints(w);
    finish(w);
    memcpy(warm_keys, w->clients.keys, sizeof warm_keys);
}

static void make_certificates(void) {
    certs_open();
    certs_make(&(struct cert_plan){.name = "ca", .cn = "the CA", .is_ca = true, .is_ed25519 = true});
    certs_make(&(struct cert_plan){.name = "server", .issuer = "ca", .cn = "server", .san = "IP:127.0.0.1", .is_ed25519 = true});
    certs_make(&(struct cert_plan){.name = "gilmok", .issuer = "ca", .cn = "gilmok", .san = "IP:127.0.0.1", .is_ed25519 = true});
    certs_make(&(struct cert_plan){.name = "u0", .issuer = "ca", .cn = "client u0", .is_ed25519 = true});
    certs_make(&(struct cert_plan){.name = "u1", .issuer = "ca", .cn = "somebody", .is_ed25519 = true});
}

static bool make_contexts(void) {
    struct err err;
    struct tls_server_options so = {.cert_file = certs_path("server.crt"), .key_file = certs_path("server.key"), .alpn = "postgresql"};
    server_tls = tls_context_new_server(&so, &err);
    for (int i = 0; i < 2; i++) {
        struct tls_client_options co = {.verify = TLS_VERIFY_FULL, .ca_file = certs_path("ca.crt"), .alpn = "postgresql"};
        co.cert_file = certs_path(i ? "u1.crt" : "u0.crt");
        co.key_file = certs_path(i ? "u1.key" : "u0.key");
        client_tls[i] = tls_context_new_client(&co, &err);
    }
    return server_tls && client_tls[0] && client_tls[1];
}

bool world_prepare(void) {
    static const uint8_t salt[SCRAM_SALT_DEFAULT] = "salt of the sim";
    static const char *const passwords[] = {"secret-0", "secret-1", "asker-secret"};
    map_seed(1); /* before the configuration holds names; the same for all seeds */
    for (size_t i = 0; i < COUNT_OF(passwords); i++)
        if (!scram_verifier_derive(passwords[i], salt, sizeof salt, 16, &verifiers[i])) return false;
    make_certificates();
    plain_config = load_plain();
    split_config = load_split();
    ruled_config = load_ruled(false);
    tls_config = load_ruled(true);
    return plain_config && split_config && ruled_config && tls_config && make_contexts();
}

void world_finish(void) {
    config_free(plain_config);
    config_free(split_config);
    config_free(ruled_config);
    config_free(tls_config);
    tls_context_unref(server_tls);
    for (int i = 0; i < 2; i++) tls_context_unref(client_tls[i]);
    certs_close();
}
