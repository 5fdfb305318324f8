/*
 * A list of samples. When it is full the one goes that is missed least: whose neighbours are nearest, measured by its age.
 */
#include "proxy/topology/lag.h"

#include <string.h>

void lag_forget(struct lag_history *h) {
    h->count = 0;
}

static void thin_out(struct lag_history *h, uint64_t now_us) {
    uint32_t least = 1;
    double least_missed = 0;
    for (uint32_t i = 1; i + 1 < h->count; i++) {
        double missed = (double)(h->samples[i + 1].at_us - h->samples[i - 1].at_us) / (double)(now_us - h->samples[i].at_us + 1);
        if (i > 1 && missed >= least_missed) continue;
        least = i;
        least_missed = missed;
    }
    h->count--;
    memmove(&h->samples[least], &h->samples[least + 1], (h->count - least) * sizeof h->samples[0]);
}

/* Where nothing is written the time of the first sample counts: there is nothing to be behind of. */
void lag_note(struct lag_history *h, uint64_t at_us, uint64_t lsn) {
    const struct lag_sample *last = h->count ? &h->samples[h->count - 1] : NULL;
    if (last && lsn < last->lsn) lag_forget(h);
    else if (last && lsn == last->lsn) return;
    if (h->count == LAG_SAMPLES) thin_out(h, at_us);
    h->samples[h->count++] = (struct lag_sample){at_us, lsn};
}

uint64_t lag_bytes(const struct lag_history *h, uint64_t replayed) {
    uint64_t latest = h->count ? h->samples[h->count - 1].lsn : 0;
    return latest > replayed ? latest - replayed : 0;
}

int64_t lag_ms(const struct lag_history *h, uint64_t replayed, uint64_t now_us) {
    if (!h->count) return -1;
    for (uint32_t i = 0; i < h->count; i++) {
        const struct lag_sample *s = &h->samples[i];
        if (s->lsn > replayed) return now_us > s->at_us ? (int64_t)((now_us - s->at_us) / 1000) : 0;
    }
    return 0;
}
