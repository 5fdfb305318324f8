/*
 * A ring of samples; the oldest one goes when it is full.
 */
#include "proxy/topology/freshness.h"

#include <string.h>

enum { WAL_PAGE = 8192, PAGE_HEADER_MAX = 40 };

/* A record that ends with its page ends at the page's end; the next one begins behind the header of the next page. */
static uint64_t end_of_records(uint64_t inserted) {
    uint64_t in_page = inserted % WAL_PAGE;
    return in_page <= PAGE_HEADER_MAX ? inserted - in_page : inserted;
}

static struct freshness_sample *latest(struct freshness *f) {
    return f->count ? &f->samples[(f->first + f->count - 1) % FRESHNESS_SAMPLES] : NULL;
}

void freshness_forget(struct freshness *f) {
    f->first = f->count = 0;
}

void freshness_note(struct freshness *f, uint64_t asked_us, uint64_t inserted) {
    uint64_t lsn = end_of_records(inserted);
    struct freshness_sample *last = latest(f);
    if (!lsn || (last && asked_us <= last->asked_us)) return; /* an answer that comes late */
    if (last && lsn == last->lsn) {
        last->asked_us = asked_us;
        return;
    }
    if (last && lsn < last->lsn) freshness_forget(f); /* another history */
    if (f->count == FRESHNESS_SAMPLES) {
        f->first = (f->first + 1) % FRESHNESS_SAMPLES;
        f->count--;
    }
    f->samples[(f->first + f->count++) % FRESHNESS_SAMPLES] = (struct freshness_sample){asked_us, lsn};
}

uint64_t freshness_at(const struct freshness *f, uint64_t replayed) {
    for (uint32_t i = f->count; i-- > 0;) {
        const struct freshness_sample *s = &f->samples[(f->first + i) % FRESHNESS_SAMPLES];
        if (s->lsn <= replayed) return s->asked_us;
    }
    return 0;
}
