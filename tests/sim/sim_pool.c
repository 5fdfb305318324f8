/*
 * sim_pool - whole sessions over a simulated network, seed by seed.
 *
 *      sim_pool                         as many seeds as fit into ten seconds
 *      sim_pool --seeds FROM COUNT      these
 *      sim_pool --verbose               with gilmok's log
 *
 * A seed draws the pool (size, mode), the network, the clients and what they ask,
 * and whether servers make trouble; every fourth has rules and users of the server, and some
 * of those TLS; another fourth splits reads from writes. Checked for each: all that fake_client.h and
 * fake_pg.h promise to complain about; nobody waits for ever; in the end no client,
 * no lease and no chunk of memory is left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/sim/sim_world.h"

enum { DEFAULT_SECONDS = 10 };

static bool run_and_report(uint64_t seed, bool is_verbose) {
    struct world *w = calloc(1, sizeof *w);
    if (!w) return false;
    w->seed = seed;
    w->clients_max = WORLD_CLIENTS_MAX;
    w->is_ruled = seed % 4 == 3;
    w->is_split = seed % 4 == 1;
    w->has_tls = seed % 16 == 15;
    world_run(w);
    bool ok = !w->failure[0];
    if (!ok) printf("FAILED: seed %llu: %s\n  again: sim_pool --verbose --seeds %llu 1\n", (unsigned long long)seed, w->failure, (unsigned long long)seed);
    if (is_verbose)
        printf("seed %llu: %u clients, %s, %llu exchanges, %llu events, %llu ms\n", (unsigned long long)seed, w->client_count,
               w->clients.has_trouble ? "trouble" : "calm", (unsigned long long)w->clients.exchanges,
               (unsigned long long)w->sim.events, (unsigned long long)(w->sim.now_us / 1000));
    free(w);
    return ok;
}

static double seconds_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    uint64_t first = 1, count = 0, passed = 0, failed = 0;
    bool is_verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            is_verbose = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            first = strtoull(argv[++i], NULL, 10);
            count = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: sim_pool [--seeds FROM COUNT] [--verbose]\n");
            return 2;
        }
    }
    log_setup(2, is_verbose ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    if (!world_prepare()) return 1;
    double until = seconds_now() + DEFAULT_SECONDS;
    for (uint64_t seed = first; count ? seed < first + count : seconds_now() < until; seed++) {
        if (is_verbose) printf("seed %llu\n", (unsigned long long)seed);
        fflush(stdout);
        if (run_and_report(seed, is_verbose)) passed++;
        else failed++;
    }
    world_finish();
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed > 0;
}
