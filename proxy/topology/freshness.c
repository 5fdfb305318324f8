/*
 * A list of samples. When it is full the one goes that is missed least, as in lag.c: without it a standby is called less fresh
 * than it is, by a part of its age.
 */
#include "proxy/topology/freshness.h"

#include <string.h>

enum { WAL_PAGE = 8192, PAGE_HEADER_MAX = 40 };

/* A record that ends with its page ends at the page's end; the next one begins behind the header of the next page. */
uint64_t freshness_end(uint64_t inserted) {
    uint64_t in_page = inserted % WAL_PAGE;
    return in_page <= PAGE_HEADER_MAX ? inserted - in_page : inserted;
}

void freshness_forget(struct freshness *f) {
    f->count = 0;
}

/* How far apart its neighbours are, for its age. */
static double missed(const struct freshness *f, uint32_t i, uint64_t now_us) {
    const struct freshness_sample *s = f->samples;
    return (double)(s[i + 1].asked_us - s[i - 1].asked_us) / (double)(now_us - s[i].asked_us + 1);
}

static void thin_out(struct freshness *f, uint64_t now_us) {
    uint32_t least = 1;
    for (uint32_t i = 2; i + 1 < f->count; i++)
        if (missed(f, i, now_us) < missed(f, least, now_us)) least = i;
    f->count--;
    memmove(&f->samples[least], &f->samples[least + 1], (f->count - least) * sizeof f->samples[0]);
}

void freshness_note(struct freshness *f, uint64_t asked_us, uint64_t inserted) {
    uint64_t lsn = freshness_end(inserted);
    struct freshness_sample *last = f->count ? &f->samples[f->count - 1] : NULL;
    if (!lsn || (last && asked_us <= last->asked_us)) return; /* an answer that comes late */
    if (last && lsn == last->lsn) {
        last->asked_us = asked_us;
        return;
    }
    if (last && lsn < last->lsn) freshness_forget(f); /* another history */
    if (f->count == FRESHNESS_SAMPLES) thin_out(f, asked_us);
    f->samples[f->count++] = (struct freshness_sample){asked_us, lsn};
}

uint64_t freshness_at(const struct freshness *f, uint64_t replayed) {
    for (uint32_t i = f->count; i-- > 0;)
        if (f->samples[i].lsn <= replayed) return f->samples[i].asked_us;
    return 0;
}
