/*
 * LOAD DATA LOCAL: the server asks for a file by its name, and the client sends it.
 *
 *      client: QUERY, a text that names files       server: 0xfb, one of these names
 *      client: (piece)* and an empty packet         server: OK | ERR, and perhaps more results
 *
 * A server can answer anything so; it is shown to the client only where the text that is being answered names that file. The names
 * are read before the text goes out, and only of clients that let servers ask at all.
 */
#include "proxy/session/session_my_take.h"

#include "base/fault.h"
#include "routing/infile_my.h"

enum {
    NAMED_WITHIN = 16 << 10, /* of a text: files that it names further behind cannot be had */
    NAMES_MAX = 4096,
};

static struct sql_options options_of(const struct session *s) {
    const struct session_my *sm = session_my_of((struct session *)s);
    if (session_my_is_shared(s) && sm->state.start && !sm->state.cannot_read) return sm->state.sql;
    struct sql_options options = sql_options_default(SQL_MYSQL);
    options.flavour = SQL_FLAVOUR_MARIADB;
    bool is_plain = s->lessee.backend && backend_my_of(s->lessee.backend)->status & MY_STATUS_NO_BACKSLASH_ESCAPES;
    if (is_plain) options.modes |= SQL_NO_BACKSLASH_ESCAPES;
    return options;
}

/* What the one before has named, which was never sent. */
static void keep_none(struct session_my *sm) {
    mem_free(sm->files);
    sm->files = NULL;
}

/* False: memory is out, or there are too many. */
static bool keep_names(struct session *s, struct bytes text) {
    struct session_my *sm = session_my_of(s);
    struct sql_options options = options_of(s);
    struct writer names;
    writer_init(&names, NAMES_MAX);
    infile_my_put_names(text, &options, &names);
    struct bytes all = writer_bytes(&names);
    bool is_ok = !names.failed;
    keep_none(sm);
    sm->files = is_ok && all.len ? mem_strdup((const char *)all.ptr, all.len) : NULL;
    is_ok = is_ok && (sm->files || !all.len);
    writer_release(&names);
    return is_ok;
}

bool take_files_named(struct session *s, const struct packet *p, uint8_t command, enum take *take) {
    struct session_my *sm = session_my_of(s);
    size_t total = MY_HEADER_LEN + (size_t)p->h.len, needed = total < NAMED_WITHIN ? total : NAMED_WITHIN;
    *take = TAKE_KEEP;
    if (p->avail < needed) return false;
    struct bytes head = bytes_of(p->ptr + MY_HEADER_LEN + 1, needed - MY_HEADER_LEN - 1);
    if (LIKELY(!infile_my_may_name(head))) {
        if (UNLIKELY(sm->files != NULL)) keep_none(sm);
        return true;
    }
    if (!keep_names(s, head)) {
        *take = take_refuse(s, p, MY_ER_UNKNOWN, "HY000", "no memory for the names of files, or they have more than 4096 bytes");
        return false;
    }
    if (command != MY_COM_STMT_PREPARE || !sm->files) return true;
    *take = take_refuse(s, p, MY_ER_UNSUPPORTED_PS, "HY000",
                        "LOAD DATA LOCAL is not supported in the prepared statement protocol: send it as a text");
    return false;
}

enum take take_file(struct session *s, struct run *run, const struct packet *p) {
    struct session_my *sm = session_my_of(s);
    struct backend *b = s->lessee.backend;
    bool is_rest = sm->goes_on, is_last = !p->h.len && !is_rest; /* an empty one also ends a piece that is as long as can be */
    if (p->h.seq != s->lessee.next_seq) {
        take_out_of_order(s);
        return TAKE_STOP;
    }
    if (stream_is_congested(b->stream)) {
        stream_pause(s->stream);
        return take_hold_back(s);
    }
    uint8_t *at = run->buf->data + (p->ptr - run->buf->data); /* the buffer is this client's own */
    at[3] = backend_my_note_file_sent(b, is_last);
    add_to_run(run, p->ptr, p->avail);
    return TAKE_GOES_ON;
}
