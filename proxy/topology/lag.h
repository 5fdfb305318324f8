/*
 * lag.h - how far a standby is behind its primary, in bytes and in time. Pure.
 *
 * A standby's own clock cannot tell: "now minus the last commit that was replayed" grows on an idle primary, where nothing is to
 * be replayed. So the primary's positions are kept with the time of each; a standby that has replayed up to P is as far behind as
 * the oldest moment at which the primary is known to have been past P. What was written after that moment is not yet replayed; how
 * much earlier it was written is not known by less than the time between two samples.
 *
 * The history has a fixed length and becomes coarser with age, so that hours of lag are told as well as milliseconds (a tenth of it
 * may be missing).
 */
#ifndef GILMOK_PROXY_TOPOLOGY_LAG_H
#define GILMOK_PROXY_TOPOLOGY_LAG_H

#include <stdint.h>

enum { LAG_SAMPLES = 128 };

struct lag_sample {
    uint64_t at_us;
    uint64_t lsn;
};

/* Zeroed: nothing is known. */
struct lag_history {
    struct lag_sample samples[LAG_SAMPLES]; /* oldest first; both numbers rise */
    uint32_t count;
};

/* The primary was there at that time. A position behind the latest (another timeline) begins a new history. */
void lag_note(struct lag_history *h, uint64_t at_us, uint64_t lsn);
void lag_forget(struct lag_history *h);

/* Bytes that were written by the latest sample and are not replayed at `replayed`. */
uint64_t lag_bytes(const struct lag_history *h, uint64_t replayed);
/* -1: nothing is known of the primary. */
int64_t lag_ms(const struct lag_history *h, uint64_t replayed, uint64_t now_us);

#endif
