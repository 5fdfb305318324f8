/*
 * Owns the threads, and the snapshot in force. Knows no client.
 */
#include "proxy/control.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/config_diff.h"
#include "proxy/extauth/desk.h"
#include "proxy/net/loop_event.h"

/* A message of the control thread to one worker, and back. Each worker has one of each kind. */
struct order {
    struct mail mail;
    struct worker_thread *thread;
};

struct worker_thread {
    struct control *control;
    struct loop loop;
    struct worker worker;
    pthread_t id;
    bool has_loop, has_worker, is_started;
    struct order adoption, adopted, drain, drained, leave, stop;
    struct snapshot *next; /* to be adopted; one reference */
    struct order follow;
    _Atomic bool is_following; /* `follow` is on its way */
};

struct worker *control_worker(const struct control *c, uint32_t number) {
    return &c->threads[number].worker;
}

static struct worker_thread *thread_of(struct mail *m) {
    return CONTAINER_OF(m, struct order, mail)->thread;
}

static void send_order(struct order *o, struct worker_thread *t, struct loop *to, void (*run)(struct mail *m)) {
    o->mail.run = run;
    o->thread = t;
    loop_post(to, &o->mail);
}

/* ---- another primary ---- */

static void run_follow(struct mail *m) {
    struct worker_thread *t = thread_of(m);
    atomic_store_explicit(&t->is_following, false, memory_order_release);
    worker_follow(&t->worker);
}

/* On the monitor's thread. What changes while the order is on its way is seen when it is carried out. */
static void on_topology(struct watch *w) {
    struct control *c = CONTAINER_OF(w, struct control, watch);
    for (uint32_t i = 0; i < c->hub.worker_count; i++) {
        struct worker_thread *t = &c->threads[i];
        if (t->has_worker && !atomic_exchange_explicit(&t->is_following, true, memory_order_acq_rel))
            send_order(&t->follow, t, &t->loop, run_follow);
    }
}

/* ---- reload ---- */

static void begin_reload(struct control *c);

static void answer(struct control_request *r) {
    list_remove(&r->node);
    if (r->is_controls) mem_free(r);
    else if (r->answer_to) loop_post(r->answer_to, &r->mail);
}

static void run_answer(struct mail *m) {
    struct control_request *r = CONTAINER_OF(m, struct control_request, mail);
    r->on_answer(r);
}

static void end_reload(struct control *c, const struct err *err) {
    struct list *n = list_first(&c->reloads);
    c->is_reloading = false;
    if (n) {
        struct control_request *r = CONTAINER_OF(n, struct control_request, node);
        if (err) r->err = *err;
        answer(r);
    }
    if (!list_is_empty(&c->reloads)) begin_reload(c);
}

static void on_adopted(struct mail *m) {
    struct control *c = thread_of(m)->control;
    if (--c->adoptions_owed > 0) return;
    const struct list *n = list_first(&c->reloads);
    if (n && CONTAINER_OF(n, struct control_request, node)->verb == CONTROL_RELOAD)
        log_line(LOG_INFO, "config", NULL, "reloaded %s", c->snapshot->config->path);
    end_reload(c, NULL);
}

static void run_adoption(struct mail *m) {
    struct worker_thread *t = thread_of(m);
    worker_adopt(&t->worker, t->next);
    snapshot_unref(t->next);
    t->next = NULL;
    send_order(&t->adopted, t, t->control->loop, on_adopted);
}

static void report(const struct config_findings *findings, struct err *err) {
    LIST_EACH(n, &findings->all) {
        struct config_finding *f = CONTAINER_OF(n, struct config_finding, node);
        log_line(f->is_error ? LOG_ERROR : LOG_WARN, "config", NULL, "%s:%d: %s. %s", f->file, f->line, f->message, f->advice);
        if (f->is_error && !err_is_set(err)) err_set(err, ERR_CONFIG, "%.120s:%d: %.120s", f->file, f->line, f->message);
    }
}

/* What is to come into force. */
struct prospect {
    struct snapshot *snapshot; /* one reference; NULL: nothing is */
    struct node_changes nodes;
    struct writer lines;       /* about them, for people */
};

/* Takes over `file`, with the changes of p->nodes. */
static void prepare(struct control *c, struct prospect *p, struct config *file, struct err *err) {
    struct config *config = config_with_nodes(file, &p->nodes, err);
    config_free(file);
    p->snapshot = config ? snapshot_new(config, c->snapshot, err) : NULL;
    if (p->snapshot) return;
    log_line(LOG_ERROR, "config", NULL, "%s. %s", err->message, err->hint);
    config_free(config);
}

static struct config *load(const char *path, struct err *err) {
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *fresh = config_load(path, &findings);
    report(&findings, err);
    config_findings_release(&findings);
    return fresh;
}

static void prepare_reload(struct control *c, struct prospect *p, struct err *err) {
    struct config *file = load(c->snapshot->config->path, err);
    if (!file) return;
    node_changes_review(&p->nodes, file, &p->lines);
    prepare(c, p, file, err);
}

/* Connections for reading leave it, and it is watched no more: of the primary that would be an outage. */
static bool refuse_primary(struct control *c, const struct node_order *o, struct err *err) {
    struct topology_place primary;
    bool is_contested;
    struct err why;
    if (o->verb != NODE_DRAIN && o->verb != NODE_REMOVE) return true;
    bool is_known = topology_primary(&c->hub.topology, o->cluster, &primary, &is_contested, &why);
    if (!is_known || strcmp(primary.name, o->name) != 0) return true;
    err_set(err, "55000", "node %s/%s is the primary now", o->cluster, o->name);
    err_hint(err, "Promote another node first; SHOW CLUSTERS tells when gilmok has followed.");
    return false;
}

static const char *what_holds(enum node_verb verb) {
    switch (verb) {
    case NODE_ADD: return "is there, until REMOVE NODE or a restart: write it into the file, too";
    case NODE_DRAIN: return "gets no new reads, until RESUME NODE or a restart; WAIT_CLOSE waits for those under way";
    case NODE_RESUME: return "gets reads again";
    case NODE_REMOVE: return "is gone, until ADD NODE or a restart: take it out of the file, too";
    }
    return "";
}

/* Which node, where it is to be, and whose order it is. */
static void tell_order(struct prospect *p, const struct node_order *o) {
    char address[TOPOLOGY_ADDRESS_MAX];
    const char *what = what_holds(o->verb);
    bool is_found = o->verb == NODE_ADD, has_place = is_found && o->host[0];
    if (is_found && !o->host[0]) what = "is there again, as before";
    if (has_place) (void)topology_address(address, o->host, o->port);
    if (o->source == NODE_FROM_STANDBYS) what = is_found ? "is a standby that the primary lists" : "is away, and not listed";
    if (o->source == NODE_FROM_DNS) what = is_found ? "is an address of its name" : "is no address of its name any more";
    writer_fmt(&p->lines, "node %s/%s%s%s", o->cluster, o->name, has_place ? " at " : "", has_place ? address : "");
    if (o->source == NODE_FROM_CONSOLE) writer_fmt(&p->lines, ", ordered by %s,", o->by);
    writer_fmt(&p->lines, " %s\n", what);
}

static const struct book_entry *entry_of(const struct snapshot *s, const struct node_order *o) {
    const struct config_cluster *cluster = config_find_cluster(s->config, o->cluster);
    const struct config_node *node = cluster ? config_find_node(cluster, o->name) : NULL;
    const struct book_entry *at = node ? addr_book_find(&s->book, node) : NULL;
    return at && at->is_known ? at : NULL;
}

/* Its name may be gone from the name server when somebody finds its address. */
static void note_address(const struct snapshot *s, struct node_order *o) {
    char text[ADDR_TEXT_MAX];
    const struct book_entry *at = entry_of(s, o);
    if (at) snprintf(o->address, sizeof o->address, "%.63s", addr_host_text(&at->addr, text));
}

/* That was added with another spelling of its address, or by a name: it would be two nodes. */
static bool refuse_twin(const struct snapshot *s, const struct node_order *o, struct err *err) {
    const struct book_entry *at = entry_of(s, o);
    const struct config_cluster *cluster = config_find_cluster(s->config, o->cluster);
    if (!at || o->verb != NODE_ADD || o->source != NODE_FROM_CONSOLE) return true;
    LIST_EACH(n, &cluster->nodes) {
        const struct config_node *other = CONTAINER_OF(n, struct config_node, node);
        const struct book_entry *its = addr_book_find(&s->book, other);
        if (!its || its == at || !its->is_known || !addr_equal(&its->addr, &at->addr)) continue;
        err_set(err, "42710", "node %s/%s is the same server", o->cluster, other->name);
        err_hint(err, "A server may be only one node of its cluster.");
        return false;
    }
    return true;
}

static void prepare_nodes(struct control *c, struct prospect *p, const struct control_request *r, struct err *err) {
    struct config *in_force = c->snapshot->config;
    uint32_t noted = 0;
    for (uint32_t i = 0; i < r->order_count; i++) {
        struct node_order o = r->orders[i];
        if (o.verb == NODE_REMOVE) note_address(c->snapshot, &o);
        if (!refuse_primary(c, &o, err) || !node_changes_note(&p->nodes, &o, in_force, err)) continue;
        tell_order(p, &o);
        noted++;
    }
    if (noted) prepare(c, p, config_ref(in_force->base ? in_force->base : in_force), err);
    bool has_twin = p->snapshot && r->order_count == 1 && !refuse_twin(p->snapshot, r->orders, err);
    if (!has_twin) return;
    snapshot_unref(p->snapshot);
    p->snapshot = NULL;
}

/* What is different goes to the log, and to who has asked. */
static void tell_changes(struct control *c, struct prospect *p) {
    struct writer lines;
    struct list *n = list_first(&c->reloads);
    writer_init(&lines, CONTROL_CHANGES_MAX);
    if (!p->lines.failed) writer_put(&lines, writer_bytes(&p->lines));
    config_diff(c->snapshot->config, p->snapshot->config, &c->start, &lines);
    struct bytes left = writer_bytes(&lines);
    if (n && left.len) writer_put(&CONTAINER_OF(n, struct control_request, node)->changes, left);
    while (left.len) {
        const uint8_t *end = memchr(left.ptr, '\n', left.len);
        size_t len = end ? (size_t)(end - left.ptr) : left.len - 1;
        log_line(LOG_INFO, "config", NULL, "%.*s", (int)len, (const char *)left.ptr);
        left = bytes_of(left.ptr + len + 1, left.len - len - 1);
    }
    writer_release(&lines);
}

static void put_into_force(struct control *c, struct prospect *p) {
    struct snapshot *fresh = p->snapshot;
    struct err err = {0};
    bool is_same_file = config_root(c->snapshot->config) == config_root(fresh->config);
    struct list *n;
    tell_changes(c, p);
    snapshot_unref(c->snapshot);
    c->snapshot = fresh;
    node_changes_release(&c->nodes);
    while ((n = list_take_first(&p->nodes.all))) list_push_back(&c->nodes.all, n);
    share_book_resize(&c->hub.shares, fresh->config);
    if (!watch_adopt(&c->watch, fresh, &err)) log_line(LOG_ERROR, "topology", NULL, "%s", err.message);
    if (c->on_config && !is_same_file) c->on_config(fresh->config);
    c->adoptions_owed = c->hub.worker_count;
    for (uint32_t i = 0; i < c->hub.worker_count; i++) {
        struct worker_thread *t = &c->threads[i];
        t->next = snapshot_ref(fresh);
        send_order(&t->adoption, t, &t->loop, run_adoption);
    }
}

/* The workers end, and the monitor: what would be begun now would be carried out by nobody. */
static void refuse_all(struct control *c) {
    struct list *n;
    while ((n = list_first(&c->reloads))) {
        struct control_request *r = CONTAINER_OF(n, struct control_request, node);
        err_set(&r->err, ERR_ADMIN_SHUTDOWN, "gilmok is shutting down");
        answer(r);
    }
}

static void begin_reload(struct control *c) {
    const struct control_request *r = CONTAINER_OF(list_first(&c->reloads), struct control_request, node);
    struct err err = {0};
    struct prospect p = {.snapshot = NULL};
    if (c->is_stopping) {
        refuse_all(c);
        return;
    }
    c->is_reloading = true;
    node_changes_init(&p.nodes);
    writer_init(&p.lines, CONTROL_CHANGES_MAX / 2);
    if (!node_changes_copy(&p.nodes, &c->nodes)) err_set(&err, ERR_OUT_OF_MEMORY, "out of memory");
    else if (r->verb == CONTROL_NODES) prepare_nodes(c, &p, r, &err);
    else prepare_reload(c, &p, &err);
    if (p.snapshot) put_into_force(c, &p);
    else if (r->verb != CONTROL_NODES) log_line(LOG_ERROR, "config", NULL, "reload refused: the configuration in force stays");
    node_changes_release(&p.nodes);
    writer_release(&p.lines);
    if (!p.snapshot) end_reload(c, &err);
}

void control_reload(struct control *c) {
    static struct control_request by_signal; /* a second signal while it waits asks for the same */
    if (c->is_draining || (by_signal.control && list_is_linked(&by_signal.node))) return;
    by_signal = (struct control_request){.control = c, .verb = CONTROL_RELOAD}; /* nobody reads its `changes`: the ceiling is 0 */
    list_init(&by_signal.node);
    list_push_back(&c->reloads, &by_signal.node);
    if (!c->is_reloading) begin_reload(c);
}

/* ---- the end ---- */

static void run_stop(struct mail *m) {
    loop_stop(&thread_of(m)->loop);
}

void control_stop(struct control *c) {
    c->is_stopping = true;
    for (uint32_t i = 0; i < c->hub.worker_count; i++) {
        struct worker_thread *t = &c->threads[i];
        if (t->stop.thread) continue;
        send_order(&t->stop, t, &t->loop, run_stop);
    }
    loop_stop(c->loop);
}

static void on_drained_mail(struct mail *m) {
    struct control *c = thread_of(m)->control;
    if (++c->drained < c->hub.worker_count) return;
    log_line(LOG_INFO, "control", NULL, "all clients have left, or their time is over");
    control_stop(c);
}

static void on_drained(struct worker *w) {
    struct worker_thread *t = CONTAINER_OF(w, struct worker_thread, worker);
    send_order(&t->drained, t, t->control->loop, on_drained_mail);
}

static void run_drain(struct mail *m) {
    struct worker_thread *t = thread_of(m);
    t->worker.on_drained = on_drained;
    worker_drain(&t->worker);
}

void control_drain(struct control *c) {
    if (c->is_draining) return;
    c->is_draining = true;
    log_line(LOG_INFO, "control", NULL, "draining %u clients", atomic_load_explicit(&c->hub.session_count, memory_order_relaxed));
    for (uint32_t i = 0; i < c->hub.worker_count; i++) {
        struct worker_thread *t = &c->threads[i];
        send_order(&t->drain, t, &t->loop, run_drain);
    }
}

static void run_leave(struct mail *m) {
    struct worker_thread *t = thread_of(m);
    t->worker.on_drained = on_drained;
    worker_leave(&t->worker);
}

void control_leave(struct control *c) {
    if (c->is_draining || c->is_leaving) return;
    c->is_leaving = true;
    log_line(LOG_INFO, "control", NULL, "no more clients are accepted; gilmok stops when the last one has left");
    for (uint32_t i = 0; i < c->hub.worker_count; i++) {
        struct worker_thread *t = &c->threads[i];
        send_order(&t->leave, t, &t->loop, run_leave);
    }
}

/* ---- requests ---- */

static void run_request(struct mail *m) {
    struct control_request *r = CONTAINER_OF(m, struct control_request, mail);
    struct control *c = r->control;
    r->mail.run = run_answer;
    if (r->verb == CONTROL_RELOAD || r->verb == CONTROL_NODES) {
        list_push_back(&c->reloads, &r->node);
        if (!c->is_reloading) begin_reload(c);
        return;
    }
    enum control_verb verb = r->verb;
    answer(r); /* in front of the orders, which end the asker too */
    if (verb == CONTROL_DRAIN) control_drain(c);
    else if (verb == CONTROL_LEAVE) control_leave(c);
    else control_stop(c);
}

void control_ask(struct control *c, struct control_request *r) {
    r->control = c;
    r->err = (struct err){0};
    r->mail.run = run_request;
    list_init(&r->node);
    loop_post(c->loop, &r->mail);
}

/* On the monitor's thread: discovery has found nodes, or lost some. */
static void on_orders(struct watch *w, const struct node_order *orders, uint32_t count) {
    struct control *c = CONTAINER_OF(w, struct control, watch);
    struct control_request *r = mem_alloc(sizeof *r + count * sizeof *orders);
    if (!r) return; /* it finds them again */
    struct node_order *copies = (struct node_order *)(r + 1);
    memcpy(copies, orders, count * sizeof *orders);
    *r = (struct control_request){.verb = CONTROL_NODES, .orders = copies, .order_count = count, .is_controls = true};
    control_ask(c, r);
}

static void forget_requests(struct control *c) {
    LIST_EACH(n, &c->reloads) {
        struct control_request *r = CONTAINER_OF(n, struct control_request, node);
        list_remove(n);
        if (r->is_controls) mem_free(r);
    }
}

/* ---- beginning ---- */

static bool init_thread(struct control *c, uint32_t number, const struct console_ops *console, struct err *err) {
    struct worker_thread *t = &c->threads[number];
    t->control = c;
    t->has_loop = loop_event_init(&t->loop, &clock_real, err);
    if (!t->has_loop) return false;
    t->has_worker = worker_init(&t->worker, number, &c->hub, &t->loop, c->snapshot, console, err);
    return t->has_worker;
}

bool control_init(struct control *c, struct loop *loop, struct config *config, const struct console_ops *console,
                  void (*on_config)(const struct config *c), struct err *err) {
    *c = (struct control){.loop = loop, .on_config = on_config};
    list_init(&c->reloads);
    node_changes_init(&c->nodes);
    map_init(&c->start);
    session_hub_init(&c->hub, config->workers);
    watch_init(&c->watch, &c->hub.topology, on_topology, on_orders);
    c->hub.ldap_desk = extauth_desk_new();
    c->hub.pam_desk = extauth_desk_new();
    c->threads = mem_alloc(config->workers * sizeof c->threads[0]);
    struct config *with_names = config_with_nodes(config, &c->nodes, err);
    config_free(config);
    config = with_names;
    c->snapshot = config ? snapshot_new(config, NULL, err) : NULL;
    if (!c->snapshot) config_free(config);
    if (!c->snapshot) return false;
    bool is_whole = c->threads && c->hub.ldap_desk && c->hub.pam_desk && config_diff_note_start(&c->start, config);
    if (!is_whole) return err_set(err, ERR_OUT_OF_MEMORY, "out of memory");
    if (on_config) on_config(config);
    for (uint32_t i = 0; i < c->hub.worker_count; i++)
        if (!init_thread(c, i, console, err)) return false;
    return true;
}

bool control_listen(struct control *c, struct err *err) {
    for (uint32_t i = 0; i < c->hub.worker_count; i++)
        if (!worker_listen(&c->threads[i].worker, err)) return false;
    return true;
}

static void *run_thread(void *arg) {
    struct worker_thread *t = arg;
    loop_run(&t->loop);
    return NULL;
}

/* Signals are the control thread's: the others are started with all of them blocked. */
static bool start_threads(struct control *c, struct err *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = true;
    for (uint32_t i = 0; i < c->hub.worker_count && ok; i++) {
        struct worker_thread *t = &c->threads[i];
        char name[16];
        ok = t->is_started = pthread_create(&t->id, NULL, run_thread, t) == 0;
        snprintf(name, sizeof name, "worker %u", i % WORKERS_MAX);
        if (ok) (void)pthread_setname_np(t->id, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok || err_set(err, ERR_INTERNAL, "cannot start a thread for every worker");
}

bool control_run(struct control *c, struct err *err) {
    bool ok = watch_adopt(&c->watch, c->snapshot, err) && start_threads(c, err);
    if (ok) loop_run(c->loop);
    else control_stop(c);
    for (uint32_t i = 0; i < c->hub.worker_count; i++)
        if (c->threads[i].is_started) pthread_join(c->threads[i].id, NULL);
    watch_stop(&c->watch);
    return ok;
}

/* All threads have ended: what is still in the mail is for this one to carry out. */
static void empty_mailboxes(struct control *c) {
    bool had_mail;
    do {
        had_mail = loop_take_mail(c->loop);
        for (uint32_t i = 0; i < c->hub.worker_count; i++)
            if (c->threads[i].has_loop) had_mail |= loop_take_mail(&c->threads[i].loop);
    } while (had_mail);
}

/* Behind the sessions, which forget their questions; in front of the loops, which get answers. */
static bool close_desks(struct control *c) {
    bool has_ldap_ended = extauth_desk_close(c->hub.ldap_desk);
    bool has_pam_ended = extauth_desk_close(c->hub.pam_desk);
    c->hub.ldap_desk = c->hub.pam_desk = NULL;
    return has_ldap_ended && has_pam_ended;
}

bool control_release(struct control *c) {
    bool has_all_ended = true;
    if (c->threads) {
        empty_mailboxes(c);
        for (uint32_t i = 0; i < c->hub.worker_count; i++)
            if (c->threads[i].has_worker) worker_close_sessions(&c->threads[i].worker);
        has_all_ended = close_desks(c);
        empty_mailboxes(c);
        for (uint32_t i = 0; i < c->hub.worker_count; i++)
            if (c->threads[i].has_worker) worker_release(&c->threads[i].worker);
        empty_mailboxes(c);
        for (uint32_t i = 0; i < c->hub.worker_count; i++)
            if (c->threads[i].has_loop) loop_release(&c->threads[i].loop);
    }
    has_all_ended &= close_desks(c);
    watch_release(&c->watch);
    mem_free(c->threads);
    forget_requests(c);
    snapshot_unref(c->snapshot);
    node_changes_release(&c->nodes);
    config_diff_release_start(&c->start);
    session_hub_release(&c->hub);
    return has_all_ended;
}
