/*
 * freshness.h - up to when a standby has everything that its primary has acknowledged. Pure.
 *
 * The primary is asked now and then where its log ends (pg_current_wal_insert_lsn()). Whatever it had acknowledged before it was
 * asked ends before that place. A standby that has replayed up to there, on the same timeline, shows all of it: it is fresh as of
 * the moment of the question. One sample serves everybody, whoever wrote, and over whichever connection.
 */
#ifndef GILMOK_PROXY_TOPOLOGY_FRESHNESS_H
#define GILMOK_PROXY_TOPOLOGY_FRESHNESS_H

#include <stdint.h>

enum { FRESHNESS_SAMPLES = 256 };

struct freshness_sample {
    uint64_t asked_us; /* the latest time when the log ended there */
    uint64_t lsn;
};

/* Of one primary on one timeline. Zeroed: nothing is known. */
struct freshness {
    struct freshness_sample samples[FRESHNESS_SAMPLES]; /* oldest first, both numbers rise; the older, the fewer are kept */
    uint32_t count;
};

/* `inserted` as the server tells it; at the beginning of a page it may be behind the page's header, where nothing ends. */
void freshness_note(struct freshness *f, uint64_t asked_us, uint64_t inserted);
void freshness_forget(struct freshness *f);
/* What ends there at the latest: nothing ends inside of a page's header. */
uint64_t freshness_end(uint64_t inserted);
/* 0: it is behind everything that is known. */
uint64_t freshness_at(const struct freshness *f, uint64_t replayed);

#endif
