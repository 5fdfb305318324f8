/*
 * One row of text, and copies of it.
 */
#include "proxy/pool/start_my.h"

#include "base/fault.h"
#include "proxy/wire/my_decode.h"

enum { FIELD_MAX = 4096, NULL_MARK = 0xfb };

/* A value that stands between quotes in what gilmok says: servers' names and modes have nothing that would end them. */
static bool is_sane(struct bytes value) {
    if (value.len > FIELD_MAX) return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~' || value.ptr[i] == '\'' || value.ptr[i] == '\\') return false;
    return true;
}

static struct start_my *copy(const struct bytes fields[START_MY_FIELDS]) {
    size_t len = 0;
    for (int i = 0; i < START_MY_FIELDS; i++) len += fields[i].len;
    struct start_my *s = mem_alloc(sizeof *s + len + 1);
    if (!s) return NULL;
    uint8_t *at = (uint8_t *)(s + 1);
    s->refs = 1;
    for (int i = 0; i < START_MY_FIELDS; i++) {
        s->fields[i] = bytes_of(fields[i].ptr ? at : NULL, fields[i].len);
        if (fields[i].len) memcpy(at, fields[i].ptr, fields[i].len);
        at += fields[i].len;
    }
    return s;
}

struct start_my *start_my_read(struct bytes row) {
    struct bytes fields[START_MY_FIELDS];
    struct reader r = reader_over(row);
    for (int i = 0; i < START_MY_FIELDS; i++) {
        bool is_null = reader_left(&r) && *r.pos == NULL_MARK;
        fields[i] = is_null ? bytes_of(NULL, 0) : my_lenenc_str(&r);
        if (is_null) (void)reader_u8(&r);
        else if (!fields[i].len) fields[i] = bytes_str("");
        if (r.failed || !is_sane(fields[i])) return NULL;
        if (is_null && i != START_MY_RESULTS && i != START_MY_GLOBAL_RESULTS) return NULL;
    }
    return reader_done(&r) ? copy(fields) : NULL;
}

struct start_my *start_my_ref(struct start_my *s) {
    if (s) s->refs++;
    return s;
}

void start_my_unref(struct start_my *s) {
    if (s && --s->refs == 0) mem_free(s);
}

struct start_my *start_my_own(struct start_my *s) {
    if (!s || s->refs == 1) return s;
    struct start_my *own = copy(s->fields);
    start_my_unref(s);
    return own;
}

bool start_my_is_same(const struct start_my *a, const struct start_my *b) {
    if (a == b) return true;
    for (int i = 0; i < START_MY_VERSION; i++) {
        const struct bytes x = a->fields[i], y = b->fields[i];
        if (!x.ptr != !y.ptr || !bytes_equal(x, y)) return false;
    }
    return true;
}
