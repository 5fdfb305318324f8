/*
 * sim_fault - the same sessions again and again, with one failure in each run.
 *
 *      sim_fault                    all kinds, bounded in time
 *      sim_fault --seconds N        with that many seconds for each kind
 *      sim_fault --one KIND N SEED  one run, with gilmok's log; KIND may have "ruled-" or "tls-" before it
 *
 * A run without a failure tells how often it passes through a failure point (an
 * allocation, a recv, a send, a connect, an accept); then pass number n fails, for
 * each n, in an order that is spread over all of them should the time end. First
 * gilmok has everybody's password, and splits reads from writes in one seed; then ("ruled") rules of an hba_file decide, and
 * gilmok knows one user by a verifier and asks the server for the other; then
 * ("tls") the same over TLS on both sides, with certificates and a name map. No run
 * may crash, hang, leak, or give anybody a wrong answer. Builds without -Dfault=true
 * have no failure points: skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fault.h"
#include "tests/sim/sim_world.h"

#ifdef GILMOK_FAULT
enum { SEEDS = 3 };
static const uint64_t NEVER = 1ull << 40;
static const double SECONDS_A_KIND = 6, SECONDS_BEHIND_A_DOOR = 1.6;

static const char *const kinds[FAULT_KINDS] = {"alloc", "recv", "send", "connect", "accept"};
static enum fault_kind kind;

static const char *const doors[] = {"", "ruled-", "tls-"};
enum { DOORS_OPEN, DOORS_RULED, DOORS_TLS };
static int door;
static uint64_t nth, lookups;

static void arm(struct world *w) {
    (void)w;
    fault_arm(kind, nth);
}

static uint64_t passed, failed, passes;

/* Counts the run, and in `passes` how often it came to the failure point. */
static void run(uint64_t seed) {
    struct world *w = calloc(1, sizeof *w);
    INVARIANT(w);
    w->seed = seed;
    w->clients_max = door ? 2 : 4; /* few, so that a kind gets through its numbers in time */
    w->steps_max = door ? 2 : 0;
    w->expects_faults = true;
    w->is_ruled = door >= DOORS_RULED;
    w->is_split = seed % 4 == 1;
    w->has_tls = door == DOORS_TLS;
    w->on_started = arm;
    world_run(w);
    passes = nth - fault_left(kind);
    fault_disarm();
    lookups += w->pg.lookups;
    if (w->failure[0]) {
        printf("FAILED: %s%s number %llu of seed %llu: %s\n", doors[door], kinds[kind], (unsigned long long)nth,
               (unsigned long long)seed, w->failure);
        failed++;
    } else {
        passed++;
    }
    free(w);
}

static double seconds_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    return b ? common_divisor(b, a % b) : a;
}

/* All numbers below `total`, in an order that is spread over them wherever the clock stops it. */
static uint64_t run_numbers(uint64_t seed, uint64_t total, double until) {
    uint64_t step = total * 618 / 1000 + 1, i = 0;
    while (common_divisor(step, total) > 1) step++;
    for (; i < total && (i == 0 || seconds_now() < until); i++) {
        nth = i * step % total;
        run(seed);
    }
    return i;
}

static void run_kind(double seconds) {
    double begun = seconds_now();
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        nth = NEVER;
        run(seed);
        uint64_t total = passes;
        uint64_t count = total ? run_numbers(seed, total, begun + seconds * (double)seed / SEEDS) : 0;
        printf("%s%s, seed %llu: %llu of %llu%s\n", doors[door], kinds[kind], (unsigned long long)seed, (unsigned long long)count,
               (unsigned long long)total, count < total ? ", stopped by the clock" : "");
    }
}

static void run_one(const char *name, uint64_t n, uint64_t seed) {
    char whole[32];
    nth = n;
    for (door = 0; door < (int)COUNT_OF(doors); door++) {
        for (kind = 0; kind < FAULT_KINDS; kind++) {
            snprintf(whole, sizeof whole, "%s%s", doors[door], kinds[kind]);
            if (strcmp(name, whole) == 0) run(seed);
        }
    }
}

int main(int argc, char **argv) {
    bool is_one = argc == 5 && strcmp(argv[1], "--one") == 0;
    double seconds = argc == 3 && strcmp(argv[1], "--seconds") == 0 ? strtod(argv[2], NULL) : 0;
    log_setup(2, is_one ? LOG_DEBUG : LOG_ERROR + 1, LOG_TEXT);
    if (!world_prepare()) return 1;
    if (is_one) run_one(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    for (door = 0; door < (int)COUNT_OF(doors) && !is_one; door++)
        for (kind = 0; kind < FAULT_KINDS; kind++) run_kind(seconds > 0 ? seconds : door ? SECONDS_BEHIND_A_DOOR : SECONDS_A_KIND);
    world_finish();
    if (!is_one && lookups == 0) {
        printf("FAILED: no user was ever looked up\n");
        failed++;
    }
    printf("%llu users were looked up\n", (unsigned long long)lookups);
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed > 0;
}
#else
int main(void) {
    printf("skipped: this build has no failure points\n");
    return 77;
}
#endif
