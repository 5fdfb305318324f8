/*
 * Numbers as text: keys are lists of names and values, whatever the protocol.
 */
#include "proxy/pool/startup_my.h"

#include <stdlib.h>

#include "base/reader.h"

static void put(struct writer *w, const char *name, uint32_t value) {
    writer_cstr(w, bytes_str(name));
    writer_fmt(w, "%u", value);
    writer_u8(w, 0);
}

void startup_my_put_key(struct writer *w, const struct startup_my *s) {
    put(w, "collation", s->collation);
    put(w, "flags", s->flags & STARTUP_MY_FLAGS);
    put(w, "schema", s->has_schema);
    if (s->mariadb) put(w, "mariadb", s->mariadb);
}

struct startup_my startup_my_read_key(struct bytes key) {
    struct startup_my s = {.collation = MY_COLLATION_UTF8MB4_GENERAL, .has_schema = true,
                           .flags = MY_CAP_MULTI_RESULTS | MY_CAP_PS_MULTI_RESULTS};
    struct reader r = reader_over(key);
    while (reader_left(&r)) {
        struct bytes name = reader_cstr(&r), value = reader_cstr(&r);
        if (r.failed) break;
        uint32_t number = (uint32_t)strtoul((const char *)value.ptr, NULL, 10); /* a NUL stands behind it */
        if (bytes_is(name, "collation")) s.collation = (uint8_t)number;
        else if (bytes_is(name, "flags")) s.flags = number & STARTUP_MY_FLAGS;
        else if (bytes_is(name, "mariadb")) s.mariadb = number;
        else if (bytes_is(name, "schema")) s.has_schema = number != 0;
    }
    return s;
}
