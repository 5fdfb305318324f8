/*
 * Owns the library's channel and watches its sockets. Names and addresses mean nothing to it.
 */
#include "proxy/topology/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { TRY_MS = 1000, TRIES = 3, SERVERS_MAX = 256 /* longer than a line of the file */ };

static void turn(struct resolver *r, ares_socket_t readable, ares_socket_t writable);

static void on_timeout(struct timer *t) {
    turn(CONTAINER_OF(t, struct resolver, timeout), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* ---- sockets ---- */

static void on_ready(struct loop_watch *w);

static void watch(struct resolver_socket *s) {
    struct resolver *r = s->w.resolver;
    if (loop_event_watch(&s->w.watch, r->loop, s->fd, s->for_write, on_ready)) return;
    log_line(LOG_ERROR, "topology", NULL, "out of memory: a name server's answer will not be seen"); /* it is late, then */
}

static void on_ready(struct loop_watch *w) {
    struct resolver_socket *s = CONTAINER_OF(CONTAINER_OF(w, struct resolver_watch, watch), struct resolver_socket, w);
    int fd = s->fd;
    turn(s->w.resolver, s->for_read ? fd : ARES_SOCKET_BAD, s->for_write ? fd : ARES_SOCKET_BAD);
    if (s->is_used && s->fd == fd && !s->w.watch.impl) watch(s);
}

static struct resolver_socket *find_socket(struct resolver *r, int fd) {
    struct resolver_socket *unused = NULL;
    for (size_t i = 0; i < RESOLVER_SOCKETS_MAX; i++) {
        if (r->sockets[i].is_used && r->sockets[i].fd == fd) return &r->sockets[i];
        if (!r->sockets[i].is_used && !unused) unused = &r->sockets[i];
    }
    return unused;
}

/* Of the library's: what it waits for at this socket has changed. Neither: it is about to be closed. */
static void on_state(void *ctx, ares_socket_t fd, int for_read, int for_write) {
    struct resolver *r = ctx;
    struct resolver_socket *s = find_socket(r, fd);
    if (!s) return; /* its answer is late, then */
    s->w.resolver = r;
    s->fd = fd;
    s->is_used = for_read || for_write;
    s->for_read = for_read;
    s->for_write = for_write;
    if (s->is_used) watch(s);
    else loop_event_unwatch(&s->w.watch);
}

static void turn(struct resolver *r, ares_socket_t readable, ares_socket_t writable) {
    struct timeval longest = {.tv_sec = TRY_MS / 1000}, left;
    if (!r->channel) return;
    ares_process_fd(r->channel, readable, writable);
    const struct timeval *next = ares_timeout(r->channel, &longest, &left);
    timer_set(&r->timeout, (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1);
}

/* ---- the answer ---- */

static void take_address(struct resolver *r, const struct ares_addrinfo_node *n) {
    char text[RESOLVER_TEXT_MAX];
    const void *ip = n->ai_family == AF_INET ? (const void *)&((const struct sockaddr_in *)(const void *)n->ai_addr)->sin_addr
                                             : (const void *)&((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr;
    bool is_ip = n->ai_family == AF_INET || n->ai_family == AF_INET6;
    if (!is_ip || !inet_ntop(n->ai_family, ip, text, sizeof text) || r->count == RESOLVER_ADDRESSES_MAX) return;
    if (n->ai_ttl >= 0 && (uint32_t)n->ai_ttl < r->ttl_s) r->ttl_s = (uint32_t)n->ai_ttl;
    for (uint32_t i = 0; i < r->count; i++)
        if (strcmp(r->addresses[i], text) == 0) return;
    memcpy(r->addresses[r->count++], text, sizeof text);
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info) {
    struct resolver *r = ctx;
    (void)timeouts;
    if (status == ARES_EDESTRUCTION) return; /* nobody waits any more */
    r->count = 0;
    r->ttl_s = UINT32_MAX;
    for (const struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next) take_address(r, n);
    for (const struct ares_addrinfo_cname *n = info ? info->cnames : NULL; n; n = n->next)
        if (n->ttl >= 0 && (uint32_t)n->ttl < r->ttl_s) r->ttl_s = (uint32_t)n->ttl;
    if (info) ares_freeaddrinfo(info);
    r->has_answer = r->count > 0;
    if (!r->has_answer)
        err_set(&r->err, ERR_CANNOT_CONNECT, "%s", status == ARES_SUCCESS ? "it has no address" : ares_strerror(status));
    loop_defer(r->loop, &r->finish);
}

static void end_channel(struct resolver *r) {
    ares_channel channel = r->channel;
    r->channel = NULL;
    timer_stop(&r->timeout);
    if (channel) ares_destroy(channel);
    for (size_t i = 0; i < RESOLVER_SOCKETS_MAX; i++) {
        loop_event_unwatch(&r->sockets[i].w.watch);
        r->sockets[i].is_used = false;
    }
}

static void on_finish(struct task *t) {
    struct resolver *r = CONTAINER_OF(t, struct resolver, finish);
    end_channel(r);
    r->on_done(r);
}

/* ---- beginning and end ---- */

bool resolver_init(struct resolver *r, struct loop *loop, void (*on_done)(struct resolver *r)) {
    *r = (struct resolver){.loop = loop, .on_done = on_done};
    task_init(&r->finish, on_finish);
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return false;
    if (timer_init(&r->timeout, loop, on_timeout)) return true;
    ares_library_cleanup();
    return false;
}

void resolver_release(struct resolver *r) {
    task_cancel(&r->finish);
    end_channel(r);
    timer_release(&r->timeout);
    ares_library_cleanup();
}

static void fail(struct resolver *r, int status) {
    r->has_answer = false;
    err_set(&r->err, ERR_CANNOT_CONNECT, "%s", ares_strerror(status));
    loop_defer(r->loop, &r->finish);
}

/* The library takes no blanks. */
static void without_blanks(const char *servers, char out[SERVERS_MAX]) {
    size_t len = 0;
    for (; *servers && len < SERVERS_MAX - 1; servers++)
        if (*servers != ' ' && *servers != '\t') out[len++] = *servers;
    out[len] = '\0';
}

void resolver_start(struct resolver *r, const char *name, const char *servers) {
    char list[SERVERS_MAX];
    struct ares_options o = {.timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_state, .sock_state_cb_data = r};
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_channel channel = NULL;
    int status = ares_init_options(&channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (servers) without_blanks(servers, list);
    if (status == ARES_SUCCESS && servers) status = ares_set_servers_ports_csv(channel, list);
    r->channel = status == ARES_SUCCESS ? channel : NULL;
    if (status != ARES_SUCCESS) {
        if (channel) ares_destroy(channel);
        fail(r, status);
        return;
    }
    ares_getaddrinfo(channel, name, NULL, &hints, on_answer, r);
    turn(r, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}
