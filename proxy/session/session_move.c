/*
 * Owns a session only while it is in the mail.
 */
#include "proxy/session/session_move.h"

#include "base/fault.h"
#include "base/log.h"

struct session_mail {
    struct mail mail;
    struct session_env *to;
    struct session *session;
    struct stream_parcel parcel;
    uint64_t waits_since_us; /* 0: it was not in line */
    size_t key_len;
    uint8_t key[]; /* of its variant */
};

static void arrive(struct mail *mail) {
    struct session_mail *m = CONTAINER_OF(mail, struct session_mail, mail);
    struct session *s = m->session;
    struct session_env *env = s->env = m->to;
    list_push_back(&env->sessions, &s->node);
    env->session_count++;
    s->lessee.waited_elsewhere_since_us = m->waits_since_us;
    s->stream = stream_attach(env->loop, &m->parcel, &session_stream_handler, s);
    if (s->stream) s->proto->on_arrived(s, bytes_of(m->key, m->key_len));
    else session_close(s, "out of memory");
    mem_free(m);
}

static struct session_mail *new_mail(const struct session *s, uint32_t index) {
    struct bytes key = s->variant ? s->variant->key : bytes_of(NULL, 0);
    struct session_mail *m = mem_alloc(sizeof *m + key.len);
    if (!m) return NULL;
    m->mail.run = arrive;
    m->to = s->env->hub->envs[s->group->shares[index].worker];
    m->waits_since_us = list_is_linked(&s->lessee.wait_node) ? s->lessee.waiting_since_us : 0;
    m->key_len = key.len;
    if (key.len) memcpy(m->key, key.ptr, key.len);
    return m;
}

static void leave_worker(struct session *s) {
    struct session_env *env = s->env;
    request_drop(s);
    task_cancel(&s->resume);
    if (s->state == SESSION_WAITING) session_set_state(s, SESSION_IDLE);
    session_leave_variant(s);
    s->is_held_back = false;
    s->moves_to = 0;
    s->stream = NULL;
    list_remove(&s->node);
    env->session_count--;
}

bool session_move(struct session *s, uint32_t index) {
    INVARIANT(!s->lessee.backend && !s->is_console);
    struct session_mail *m = new_mail(s, index);
    if (!m || !stream_detach(s->stream, &m->parcel)) {
        mem_free(m);
        return false;
    }
    char label[192];
    if (log_is_on(LOG_DEBUG, "session"))
        log_line(LOG_DEBUG, "session", session_label(s, label), "moves from worker %u to %u", s->env->worker, m->to->worker);
    m->session = s;
    s->proto->pack(s);
    leave_worker(s);
    share_book_move(&m->to->hub->shares, s->group, s->share, index);
    s->share = index;
    loop_post(m->to->loop, &m->mail);
    return true;
}

void session_move_soon(struct session *s, uint32_t index) {
    INVARIANT(!s->lessee.backend);
    s->moves_to = index + 1;
    session_resume_input(s);
}
