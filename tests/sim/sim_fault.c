/*
 * sim_fault - the same sessions again and again, with one failure in each run.
 *
 *      sim_fault                    all kinds, bounded in time
 *      sim_fault --seconds N        with that many seconds for each kind
 *      sim_fault --one KIND N SEED  one run, with gilmok's log
 *
 * For n = 0, 1, 2, ... pass number n through a failure point (an allocation, a recv,
 * a send, a connect, an accept) fails, until a run passes without the fault having
 * fired. No run may crash, hang, leak, or give anybody a wrong answer. Builds without
 * -Dfault=true have no failure points: skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fault.h"
#include "tests/sim/sim_world.h"

#ifdef GILMOK_FAULT
enum { SECONDS_A_KIND = 6, SEEDS = 3 };

static const char *const kinds[FAULT_KINDS] = {"alloc", "recv", "send", "connect", "accept"};
static enum fault_kind kind;
static uint64_t nth;

static void arm(struct world *w) {
    (void)w;
    fault_arm(kind, nth);
}

/* True: the run was right. *has_fired: it is not the last one. */
static bool run(uint64_t seed, bool *has_fired) {
    struct world *w = calloc(1, sizeof *w);
    if (!w) return false;
    w->seed = seed;
    w->clients_max = 4;
    w->expects_faults = true;
    w->on_started = arm;
    world_run(w);
    *has_fired = fault_fired(kind);
    fault_disarm();
    bool ok = !w->failure[0];
    if (!ok)
        printf("FAILED: %s number %llu of seed %llu: %s\n", kinds[kind], (unsigned long long)nth, (unsigned long long)seed,
               w->failure);
    free(w);
    return ok;
}

static double seconds_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    uint64_t passed = 0, failed = 0;
    bool has_fired;
    bool is_one = argc == 5 && strcmp(argv[1], "--one") == 0;
    double seconds = argc == 3 && strcmp(argv[1], "--seconds") == 0 ? strtod(argv[2], NULL) : SECONDS_A_KIND;
    log_setup(2, is_one ? LOG_DEBUG : LOG_ERROR + 1, LOG_TEXT);
    if (!world_prepare()) return 1;
    for (kind = 0; kind < FAULT_KINDS; kind++) {
        if (is_one && strcmp(argv[2], kinds[kind]) != 0) continue;
        nth = is_one ? strtoull(argv[3], NULL, 10) : 0;
        double begun = seconds_now();
        for (uint64_t seed = 1; seed <= SEEDS && !is_one; seed++) {
            uint64_t before = passed + failed;
            double until = begun + seconds * (double)seed / SEEDS;
            nth = 0;
            do {
                if (run(seed, &has_fired)) passed++;
                else failed++;
                nth++;
            } while (has_fired && seconds_now() < until);
            printf("%s, seed %llu: %llu runs%s\n", kinds[kind], (unsigned long long)seed,
                   (unsigned long long)(passed + failed - before), has_fired ? ", stopped by the clock" : "");
        }
        if (!is_one) continue;
        if (run(strtoull(argv[4], NULL, 10), &has_fired)) passed++;
        else failed++;
    }
    world_finish();
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed > 0;
}
#else
int main(void) {
    printf("skipped: this build has no failure points\n");
    return 77;
}
#endif
