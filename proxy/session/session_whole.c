/*
 * A message that is longer than a stream keeps, put together so that it can be read before any of it is sent. It stands in front of
 * what the client has sent since. While it comes in, the client needs no server connection.
 */
#include <stdatomic.h>

#include "base/fault.h"
#include "proxy/session/session.h"

/* Of all clients, these bytes may be in such messages. */
static bool claim(struct session_hub *hub, size_t bytes) {
    size_t now = atomic_fetch_add_explicit(&hub->whole_bytes, bytes, memory_order_relaxed);
    if (now + bytes <= SESSION_WHOLE_ALL_MAX) return true;
    atomic_fetch_sub_explicit(&hub->whole_bytes, bytes, memory_order_relaxed);
    return false;
}

bool session_gather(struct session *s, size_t total, struct bytes first) {
    INVARIANT(!s->whole && first.len <= total);
    if (total > SESSION_WHOLE_MAX || !claim(s->env->hub, total)) return false;
    s->whole = buf_make(&s->env->loop->bufs, (uint32_t)total);
    if (s->whole) session_gather_more(s, first);
    else atomic_fetch_sub_explicit(&s->env->hub->whole_bytes, total, memory_order_relaxed);
    return s->whole != NULL;
}

void session_gather_more(struct session *s, struct bytes more) {
    struct buf *buf = s->whole;
    INVARIANT(more.len <= buf->cap - buf->len);
    if (more.len) memcpy(buf->data + buf->len, more.ptr, more.len);
    buf->len += (uint32_t)more.len;
    if (session_has_whole(s)) session_resume_input(s);
}

void session_forget_whole(struct session *s) {
    if (!s->whole) return;
    atomic_fetch_sub_explicit(&s->env->hub->whole_bytes, s->whole->cap, memory_order_relaxed);
    buf_unref(s->whole);
    s->whole = NULL;
}

bool session_offer_whole(struct session *s) {
    struct buf *buf = buf_ref(s->whole);
    size_t used = s->proto->on_received(s, buf, bytes_of(buf->data, buf->len));
    INVARIANT(!used || used == buf->len || s->state == SESSION_CLOSED);
    buf_unref(buf);
    if (used) session_forget_whole(s);
    return used && s->state != SESSION_CLOSED;
}
