/*
 * The libevent backend: owns file descriptors and libevent's objects, and knows
 * nothing of what the bytes mean.
 *
 * One persistent level-triggered read event per stream, added once; a write event
 * only while the socket is full. epoll_ctl is not called on the busy path.
 */
#include "proxy/net/loop_event.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/net/stream.h"

enum {
    SIGNALS_MAX = 4,
    ACCEPT_BATCH = 64,
    ACCEPT_STORM_US = 500, /* events closer than this: clients are queueing */
    ACCEPT_RETRY_MS = 200,
    DEFER_ACCEPT_S = 1, /* a client that says nothing is handed over after this time */
    LISTEN_BACKLOG = 4096,
};

struct event_loop {
    struct event_base *base;
    struct {
        struct event *ev;
        void (*on_signal)(int signo, void *ctx);
        void *ctx;
        struct loop *loop;
    } signals[SIGNALS_MAX];
    int signal_count;
    int wake_fd;
    struct event *wake_ev;
};

struct event_stream {
    struct stream s; /* first: struct loop_ops says so */
    int fd;
    struct event read_ev;
    struct event *write_ev; /* only once the socket was full */
};

struct event_listener {
    struct listener *li;
    int fd;
    struct event *ev;
    struct event *retry; /* runs while descriptors are exhausted */
    int batch;           /* accepts to try at one event: grows while events follow each other closely */
    uint64_t last_us;
    struct addr at;
};

static struct event_base *base_of(struct loop *l) {
    return ((struct event_loop *)l->impl)->base;
}

static struct event_stream *of_stream(struct stream *s) {
    return (struct event_stream *)s;
}


/* ---- the turn ---- */

static bool event_turn(struct loop *l) {
    int rc = event_base_loop(base_of(l), EVLOOP_ONCE);
    loop_bury(l);
    return rc == 0;
}

/* One vdso clock read an event; every handler then sees the same time. */
static void begin_event(struct loop *l) {
    l->now_us = clock_now_us(l->clock);
}

static void event_stop(struct loop *l) {
    event_base_loopbreak(base_of(l));
}

static void event_release(struct loop *l) {
    struct event_loop *el = l->impl;
    for (int i = 0; i < el->signal_count; i++) event_free(el->signals[i].ev);
    if (el->wake_ev) event_free(el->wake_ev);
    if (el->wake_fd >= 0) close(el->wake_fd);
    event_base_free(el->base);
    mem_free(el);
    l->impl = NULL;
}

/* ---- streams ---- */

static ssize_t event_recv(struct stream *s, void *into, size_t cap) {
    ssize_t n;
    do n = recv(of_stream(s)->fd, into, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n >= 0) return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return IO_AGAIN;
    s->error = errno;
    return IO_FAILED;
}

static ssize_t event_send(struct stream *s, const struct iovec *iov, int iov_count) {
    int fd = of_stream(s)->fd;
    ssize_t n;
    do {
        if (iov_count == 1) {
            n = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iov_count};
            n = sendmsg(fd, &msg, MSG_NOSIGNAL);
        }
    } while (n < 0 && errno == EINTR);
    if (n >= 0) return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return IO_AGAIN;
    s->error = errno;
    return IO_FAILED;
}

static void on_read_event(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct stream *s = arg;
    struct loop *l = s->loop;
    begin_event(l);
    stream_on_readable(s);
    loop_settle(l);
}

static void finish_connect(struct stream *s) {
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(of_stream(s)->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) error = errno;
    if (error) {
        s->error = error;
        stream_on_broken(s, strerror(error));
    } else {
        stream_on_connected(s);
    }
}

static void on_write_event(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct stream *s = arg;
    struct loop *l = s->loop;
    begin_event(l);
    if (s->state == STREAM_CONNECTING) finish_connect(s);
    else stream_on_writable(s);
    loop_settle(l);
}

static void event_watch(struct stream *s, bool want_read, bool want_write) {
    struct event_stream *es = of_stream(s);
    bool has_read = event_pending(&es->read_ev, EV_READ, NULL) != 0;
    if (want_read && !has_read) event_add(&es->read_ev, NULL);
    if (!want_read && has_read) event_del(&es->read_ev);
    if (want_write && !es->write_ev)
        es->write_ev = event_new(base_of(s->loop), es->fd, EV_WRITE | EV_PERSIST, on_write_event, s);
    if (!es->write_ev) return;
    if (want_write) event_add(es->write_ev, NULL);
    else event_del(es->write_ev);
}

static void init_stream_events(struct stream *s, int fd) {
    struct event_stream *es = of_stream(s);
    es->fd = fd;
    event_assign(&es->read_ev, base_of(s->loop), fd, EV_READ | EV_PERSIST, on_read_event, s);
}

static void set_int(int fd, int level, int name, uint32_t value) {
    int v = (int)value;
    (void)setsockopt(fd, level, name, &v, sizeof v);
}

static void set_tcp_options(int fd, int family, const struct tcp_options *tcp) {
    if (family != AF_INET && family != AF_INET6) return;
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!tcp) return;
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, tcp->keepalive_idle_s != 0);
    if (tcp->keepalive_idle_s) set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, tcp->keepalive_idle_s);
    if (tcp->keepalive_interval_s) set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, tcp->keepalive_interval_s);
    if (tcp->keepalive_count) set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, tcp->keepalive_count);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, tcp->user_timeout_ms);
}

static bool event_connect(struct stream *s, const struct addr *to, const struct tcp_options *tcp, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_set(err, ERR_CANNOT_CONNECT, "cannot make a socket: %s", strerror(errno));
    set_tcp_options(fd, to->sa.ss_family, tcp);
    if (connect(fd, (const struct sockaddr *)&to->sa, to->len) < 0 && errno != EINPROGRESS) {
        err_set(err, ERR_CANNOT_CONNECT, "cannot connect to %s: %s", addr_text(to, text), strerror(errno));
        close(fd);
        return false;
    }
    init_stream_events(s, fd);
    return true;
}

static void event_shutdown(struct stream *s) {
    (void)shutdown(of_stream(s)->fd, SHUT_WR);
}

static void event_close(struct stream *s) {
    struct event_stream *es = of_stream(s);
    event_del(&es->read_ev);
    if (es->write_ev) event_free(es->write_ev);
    es->write_ev = NULL;
    close(es->fd);
    es->fd = -1;
}

static union link event_detach(struct stream *s) {
    struct event_stream *es = of_stream(s);
    union link link = {.fd = es->fd};
    event_del(&es->read_ev);
    if (es->write_ev) event_free(es->write_ev);
    es->write_ev = NULL;
    es->fd = -1;
    return link;
}

static void event_attach(struct stream *s, union link link) {
    init_stream_events(s, link.fd);
}

/* As it was when the peer connected. Of a TCP socket the kernel says -1. */
static bool event_peer_process(struct stream *s, struct peer_process *out) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(of_stream(s)->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid == (uid_t)-1) return false;
    *out = (struct peer_process){.uid = peer.uid, .pid = (uint32_t)peer.pid};
    return true;
}

static bool event_local_addr(struct stream *s, struct addr *out) {
    *out = (struct addr){.len = sizeof out->sa};
    return getsockname(of_stream(s)->fd, (struct sockaddr *)&out->sa, &out->len) == 0;
}

static void event_discard(struct loop *l, union link link) {
    (void)l;
    close(link.fd);
}

/* ---- mail ---- */

static void event_wake(struct loop *l) {
    uint64_t one = 1;
    (void)!write(((struct event_loop *)l->impl)->wake_fd, &one, sizeof one); /* full: it is awake anyway */
}

static void on_wake(evutil_socket_t fd, short what, void *arg) {
    (void)what;
    struct loop *l = arg;
    uint64_t count;
    begin_event(l);
    (void)!read((int)fd, &count, sizeof count);
    (void)loop_take_mail(l);
}

static bool open_mailbox(struct event_loop *el, struct loop *l) {
    el->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (el->wake_fd < 0) return false;
    el->wake_ev = event_new(el->base, el->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    return el->wake_ev && event_add(el->wake_ev, NULL) == 0;
}

/* ---- listeners ---- */

static bool accept_one(struct event_listener *el) {
    struct listener *li = el->li;
    struct addr peer = {.len = sizeof peer.sa};
    int fd = fault_hit(FAULT_ACCEPT) ? (errno = ECONNABORTED, -1)
                                     : accept4(el->fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_line(LOG_WARN, "net", NULL, "cannot accept clients for now: %s", strerror(errno));
            struct timeval later = {.tv_usec = ACCEPT_RETRY_MS * 1000};
            event_del(el->ev);
            event_add(el->retry, &later);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    struct stream *s = stream_new(li->loop);
    if (!s) {
        close(fd);
        return true;
    }
    if (addr_is_unix(&el->at)) peer = el->at; /* an unnamed peer: show where it came in */
    init_stream_events(s, fd); /* TCP options came with the listening socket */
    li->on_accept(li, s, &peer);
    if (li->client_speaks_first && !addr_is_unix(&el->at)) stream_on_readable(s);
    return true;
}

static void on_accept_event(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct event_listener *el = arg;
    struct loop *l = el->li->loop;
    begin_event(l);
    bool is_storm = l->now_us - el->last_us < ACCEPT_STORM_US;
    el->batch = !is_storm ? 1 : el->batch < ACCEPT_BATCH ? 2 * el->batch : ACCEPT_BATCH;
    el->last_us = l->now_us;
    for (int i = 0; i < el->batch && accept_one(el); i++) {
    }
    loop_settle(l);
}

static void on_accept_retry(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct event_listener *el = arg;
    event_add(el->ev, NULL);
}

static void free_listener(struct event_listener *el) {
    if (el->ev) event_free(el->ev);
    if (el->retry) event_free(el->retry);
    if (el->fd >= 0) close(el->fd);
    mem_free(el);
}

/* A socket file that nobody listens on any more is in the way of bind(). */
static void remove_stale_socket(const struct addr *at) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&at->sa;
    struct stat st;
    if (stat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (connect(fd, (const struct sockaddr *)un, at->len) < 0 && errno == ECONNREFUSED) unlink(un->sun_path);
    close(fd);
}

/* With SO_REUSEPORT a second gilmok of the same user would get a part of the clients: it must fail instead. */
static bool is_port_free(const struct addr *at) {
    int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (at->sa.ss_family == AF_INET6) set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    bool is_free = bind(fd, (const struct sockaddr *)&at->sa, at->len) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return is_free;
}

static bool open_socket(struct event_listener *el, struct err *err) {
    const struct addr *at = &el->at;
    char text[ADDR_TEXT_MAX];
    el->fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (el->fd < 0) return err_set(err, ERR_CONFIG, "cannot make a socket: %s", strerror(errno));
    if (addr_is_unix(at)) remove_stale_socket(at);
    else set_int(el->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!addr_is_unix(at) && el->li->port_is_shared) {
        if (el->li->is_first && !is_port_free(at))
            return err_set(err, ERR_CONFIG, "cannot listen on %s: %s", addr_text(at, text), strerror(errno));
        set_int(el->fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (at->sa.ss_family == AF_INET6) set_int(el->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(el->fd, (const struct sockaddr *)&at->sa, at->len) < 0 || listen(el->fd, LISTEN_BACKLOG) < 0)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: %s", addr_text(at, text), strerror(errno));
    set_tcp_options(el->fd, at->sa.ss_family, el->li->tcp);
    if (el->li->client_speaks_first && !addr_is_unix(at)) set_int(el->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S);
    if (addr_is_unix(at)) (void)chmod(((const struct sockaddr_un *)&at->sa)->sun_path, 0777);
    return true;
}

static bool event_listen(struct loop *l, struct listener *li, const struct addr *at, struct err *err) {
    struct event_listener *el = mem_alloc(sizeof *el);
    if (!el) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    el->li = li;
    el->at = *at;
    el->fd = -1;
    el->batch = 1;
    if (!open_socket(el, err)) {
        free_listener(el);
        return false;
    }
    el->ev = event_new(base_of(l), el->fd, EV_READ | EV_PERSIST, on_accept_event, el);
    el->retry = evtimer_new(base_of(l), on_accept_retry, el);
    if (!el->ev || !el->retry || event_add(el->ev, NULL) != 0) {
        free_listener(el);
        return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    }
    li->impl = el;
    return true;
}

static void event_retune(struct listener *li) {
    struct event_listener *el = li->impl;
    set_tcp_options(el->fd, el->at.sa.ss_family, li->tcp);
}

static void event_unlisten(struct listener *li) {
    struct event_listener *el = li->impl;
    if (addr_is_unix(&el->at)) unlink(((const struct sockaddr_un *)&el->at.sa)->sun_path);
    free_listener(el);
    li->impl = NULL;
}

/* ---- timers and signals ---- */

static void on_timer_event(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct timer *t = arg;
    struct loop *l = t->loop;
    begin_event(l);
    t->is_set = false;
    t->on_fire(t);
    loop_settle(l);
}

static bool event_timer_init(struct timer *t) {
    t->impl = evtimer_new(base_of(t->loop), on_timer_event, t);
    return t->impl != NULL;
}

static void event_timer_set(struct timer *t, uint64_t after_ms) {
    struct timeval tv = {.tv_sec = (time_t)(after_ms / 1000), .tv_usec = (suseconds_t)(after_ms % 1000 * 1000)};
    evtimer_add((struct event *)t->impl, &tv);
}

static void event_timer_stop(struct timer *t) {
    evtimer_del((struct event *)t->impl);
}

static void event_timer_release(struct timer *t) {
    event_free(t->impl);
    t->impl = NULL;
}

static void on_signal_event(evutil_socket_t signo, short what, void *arg) {
    (void)what;
    struct loop *l = arg;
    struct event_loop *el = l->impl;
    begin_event(l);
    for (int i = 0; i < el->signal_count; i++)
        if (event_get_signal(el->signals[i].ev) == signo) el->signals[i].on_signal((int)signo, el->signals[i].ctx);
    loop_settle(l);
}

bool loop_event_signal(struct loop *l, int signo, void (*on_signal)(int signo, void *ctx), void *ctx) {
    struct event_loop *el = l->impl;
    if (el->signal_count == SIGNALS_MAX) return false;
    struct event *ev = evsignal_new(el->base, signo, on_signal_event, l);
    if (!ev) return false;
    el->signals[el->signal_count].ev = ev;
    el->signals[el->signal_count].on_signal = on_signal;
    el->signals[el->signal_count].ctx = ctx;
    el->signal_count++;
    return evsignal_add(ev, NULL) == 0;
}

/* ---- descriptors of others ---- */

static void on_watch_event(evutil_socket_t fd, short what, void *arg) {
    struct loop_watch *w = arg;
    struct loop *l = w->loop;
    (void)fd;
    (void)what;
    begin_event(l);
    loop_event_unwatch(w);
    w->on_ready(w);
    loop_settle(l);
}

bool loop_event_watch(struct loop_watch *w, struct loop *l, int fd, bool for_write, void (*on_ready)(struct loop_watch *w)) {
    loop_event_unwatch(w);
    w->loop = l;
    w->on_ready = on_ready;
    w->impl = event_new(base_of(l), fd, (short)(EV_READ | (for_write ? EV_WRITE : 0)), on_watch_event, w);
    return w->impl && event_add(w->impl, NULL) == 0;
}

void loop_event_unwatch(struct loop_watch *w) {
    if (w->impl) event_free(w->impl);
    w->impl = NULL;
}

static const struct loop_ops event_ops = {
    .name = "libevent",
    .stream_size = sizeof(struct event_stream),
    .turn = event_turn,
    .stop = event_stop,
    .release = event_release,
    .recv = event_recv,
    .send = event_send,
    .watch = event_watch,
    .connect = event_connect,
    .shutdown = event_shutdown,
    .close = event_close,
    .detach = event_detach,
    .attach = event_attach,
    .discard = event_discard,
    .peer_process = event_peer_process,
    .local_addr = event_local_addr,
    .listen = event_listen,
    .retune = event_retune,
    .unlisten = event_unlisten,
    .timer_init = event_timer_init,
    .timer_set = event_timer_set,
    .timer_stop = event_timer_stop,
    .timer_release = event_timer_release,
    .wake = event_wake,
};

bool loop_event_init(struct loop *l, const struct clock_ops *clock, struct err *err) {
    struct event_loop *el = mem_alloc(sizeof *el);
    struct event_config *cfg = event_config_new();
    if (el) el->wake_fd = -1;
    if (el && cfg) {
        event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
        el->base = event_base_new_with_config(cfg);
    }
    if (cfg) event_config_free(cfg);
    if (!el || !el->base) {
        mem_free(el);
        return err_set(err, ERR_OUT_OF_MEMORY, "cannot make an event loop");
    }
    loop_init(l, &event_ops, el, clock);
    if (open_mailbox(el, l)) return true;
    loop_release(l);
    return err_set(err, ERR_INTERNAL, "cannot make a mailbox: %s", strerror(errno));
}
