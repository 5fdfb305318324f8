/*
 * Remembers, and compares.
 */
#include "proxy/topology/feed.h"


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

bool feed_add_table(struct feed_record *r, struct bytes schema, struct bytes table) {
    if (r->count == CONFIG_TABLES_MAX) return false;
    struct feed_table *t = &r->tables[r->count];
    *t = (struct feed_table){.copied = 0};
    int len = snprintf(t->name, sizeof t->name, "%.*s.%.*s", (int)schema.len, (const char *)schema.ptr, (int)table.len,
                       (const char *)table.ptr);
    if (len < 0 || (size_t)len >= sizeof t->name) return false;
    r->count++;
    return true;
}

void feed_inherit(struct feed_record *r, const struct feed_record *old) {
    uint32_t count = r->count;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < old->count; k++)
            if (strcmp(r->tables[i].name, old->tables[k].name) == 0) r->tables[i] = old->tables[k];
}

/* Its last copy is none any more. */
static void lose(struct feed_table *t, const char *why) {
    if (t->copied <= t->lost) return;
    t->lost = t->copied;
    t->why = why;
}

void feed_lose_all(struct feed_record *r, const char *why) {
    for (uint32_t i = 0; i < r->count; i++) lose(&r->tables[i], why);
}

const struct feed_table *feed_lost(const struct feed_record *r) {
    for (uint32_t i = 0; i < r->count; i++)
        if (r->tables[i].lost) return &r->tables[i];
    return NULL;
}

/* ---- the subscriber -------------------------------------------------------------------------------------------------- */

static bool take_number(const char **text, uint64_t *out) {
    char *end;
    if (!isdigit((unsigned char)**text)) return false;
    *out = strtoull(*text, &end, 10);
    if (*end && *end != ' ') return false;
    *text = *end ? end + 1 : end;
    return true;
}

/* Of a copy that was made earlier: from a backup. */
static void take_copied(struct feed_table *t, uint64_t copied) {
    if (!copied) lose(t, "its subscription stopped bringing it");
    else if (copied < t->copied) lose(t, "the subscriber has come from a backup");
    if (!copied || copied == t->copied) return;
    if (copied > t->lost) t->lost = 0;
    t->copied = copied;
    t->timeline = t->origin_timeline = 0;
    t->written = t->numbers = t->columns = 0;
    t->origin = (struct feed_origin){.relation = 0};
}

bool feed_take_copied(struct feed_record *r, const char *numbers) {
    uint64_t copied[CONFIG_TABLES_MAX];
    for (uint32_t i = 0; i < r->count; i++)
        if (!take_number(&numbers, &copied[i])) return false;
    if (*numbers) return false;
    for (uint32_t i = 0; i < r->count; i++) take_copied(&r->tables[i], copied[i]);
    return true;
}

static void take_own_log(struct feed_table *t, uint32_t timeline, uint64_t written) {
    if (t->timeline && t->timeline != timeline) lose(t, "the subscriber is on another timeline");
    else if (written < t->written) lose(t, "the subscriber has come from a backup");
    t->timeline = timeline;
    t->written = written;
}

const char *feed_take_subscriber(struct feed_record *r, uint32_t timeline, uint64_t written, uint64_t received) {
    for (uint32_t i = 0; i < r->count; i++) take_own_log(&r->tables[i], timeline, written);
    r->received = received;
    bool is_another = r->sender && received < r->flushed;
    r->is_proven = r->sender && !is_another;
    if (!is_another) return NULL;
    feed_forget_sender(r);
    return "it has received less than the primary says it has written: another server uses its slot";
}

/* ---- the primary ----------------------------------------------------------------------------------------------------- */

/*
 * Columns have come since both sides were last alike, and they are again. Where one has gone, too, it may have had the same name:
 * the subscriber has kept it then.
 */
static const char *what_came(const struct feed_table *t, const struct feed_origin *now) {
    if (!t->numbers || !now->is_alike || now->newest <= t->numbers) return NULL;
    bool has_lost_none = now->numbers - t->numbers == now->columns - t->columns;
    if (!has_lost_none) return "a column was dropped at the primary, and another one added";
    return now->is_filled_alike ? NULL : "a column was added with another default than at the primary";
}

static const char *what_was_missed(const struct feed_table *t, const struct feed_origin *now, uint32_t timeline) {
    const struct feed_origin *was = &t->origin;
    if (!now->relation || !now->brought_by) return "its publications did not bring it for a while";
    if (now->has_more) return "the subscriber had a column more for a while, with a default";
    if (t->origin_timeline && t->origin_timeline != timeline) return "the primary is on another timeline";
    if (what_came(t, now)) return what_came(t, now);
    if (!was->relation) return NULL;
    if (was->relation != now->relation) return "another table has its name at the primary";
    if (was->brought_by != now->brought_by) return "it has left its publications and come back, or they were changed";
    if (was->file != now->file && was->changes != now->changes) return "all of its rows were written anew at the primary";
    return NULL;
}

static void take_origin(struct feed_table *t, const struct feed_origin *now, uint32_t timeline) {
    const char *why = what_was_missed(t, now, timeline);
    if (why) lose(t, why);
    t->origin = *now;
    t->origin_timeline = timeline;
    if (!now->is_alike) return;
    t->numbers = now->numbers;
    t->columns = now->columns;
}

static bool take_numbers(const char **text, struct feed_origin *o) {
    uint64_t *const numbers[] = {&o->relation, &o->file, &o->changes, &o->brought_by, &o->numbers, &o->columns, &o->newest,
                                 &o->is_alike, &o->is_filled_alike, &o->has_more};
    static_assert(COUNT_OF(numbers) == FEED_ORIGIN_NUMBERS, "all of them");
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (!take_number(text, numbers[i])) return false;
    return true;
}

bool feed_take_tables(struct feed_record *r, uint32_t timeline, const char *numbers) {
    struct feed_origin all[CONFIG_TABLES_MAX];
    for (uint32_t i = 0; i < r->count; i++)
        if (!take_numbers(&numbers, &all[i])) return false;
    if (*numbers) return false;
    for (uint32_t i = 0; i < r->count; i++) take_origin(&r->tables[i], &all[i], timeline);
    return true;
}

/*
 * It tells what it has sent a moment later than it does so: one answer with less than was received says nothing of a process that
 * is known.
 */
const char *feed_take_sender(struct feed_record *r, uint64_t sender, uint64_t sent, uint64_t flushed) {
    if (sender != r->sender) {
        r->is_proven = false;
        r->flushed = 0;
        r->doubts = 0;
    }
    r->sender = sender;
    if (flushed > r->flushed) r->flushed = flushed;
    r->doubts = r->received > sent ? r->doubts + 1 : 0;
    bool is_doubted = r->doubts > 1 || (r->doubts && !r->is_proven);
    if (!is_doubted) return NULL;
    r->is_proven = false;
    return "it has received more than the primary has sent: it subscribes to another server";
}

void feed_forget_sender(struct feed_record *r) {
    r->sender = r->flushed = 0;
    r->doubts = 0;
    r->is_proven = false;
}

/* ---- heartbeats ------------------------------------------------------------------------------------------------------ */

/* One that is waited for stays: a later one would have to be waited for anew, time and again. */
void feed_take_beat(struct feed_beats *b, uint64_t beat, uint64_t inserted, uint64_t written) {
    if (beat < b->seen) b->seen = 0; /* it has lost some */
    if (b->seen && written >= b->end) {
        b->safe = b->seen;
        b->seen = 0;
    }
    if (beat < b->safe) b->safe = beat;
    if (beat <= b->safe) return;
    if (written >= inserted) {
        b->safe = beat;
        b->seen = 0;
    } else if (!b->seen) {
        b->seen = beat;
        b->end = inserted;
    }
}
