/*
 * control.h - the control thread: it starts the workers, loads configurations, ends it all.
 *
 *      control thread --- snapshot, "drain", "stop" (mail) ---> workers 0 .. n-1
 *                     <-- "adopted", "drained", requests -----
 *
 *                     --- snapshot ------------------------> monitor (watch.h) --- "another primary" ---> workers
 *
 * Its loop carries signals and mail, nothing of a client's. What may take long (reading
 * files, resolving names, deriving keys) happens here, never on a worker.
 */
#ifndef GILMOK_PROXY_CONTROL_H
#define GILMOK_PROXY_CONTROL_H

#include "proxy/config_nodes.h"
#include "proxy/watch.h"
#include "proxy/worker.h"

/* A request from any thread, answered on the asker's. Owned by the asker, who must live until on_answer. */
struct control_request {
    struct mail mail;
    struct list node;
    struct control *control;
    enum control_verb { CONTROL_NOTHING, CONTROL_RELOAD, CONTROL_NODES, CONTROL_DRAIN, CONTROL_LEAVE, CONTROL_STOP } verb;
    const struct node_order *orders; /* of CONTROL_NODES; of several those are carried out that can be */
    uint32_t order_count;
    bool is_controls; /* memory, and all in it, of the control thread: nobody waits for the answer */
    struct loop *answer_to;
    void (*on_answer)(struct control_request *r); /* on the thread of `answer_to`; r->err is set when it was refused */
    struct err err;
    struct writer changes; /* the asker's; lines that say what has changed (config_diff.h, config_nodes.h) */
};

enum { CONTROL_CHANGES_MAX = 16 << 10 };

struct control {
    struct loop *loop; /* borrowed; the control thread's own */
    struct session_hub hub;
    struct snapshot *snapshot; /* in force; one reference */
    struct node_changes nodes; /* what is different in it from its file */
    struct map start;          /* the values that hold until a restart */
    struct worker_thread *threads; /* owned; hub.worker_count of them */
    void (*on_config)(const struct config *c);
    struct watch watch;
    struct list reloads;        /* struct control_request that wait for their turn, of CONTROL_NODES too; the first is under way */
    uint32_t adoptions_owed;
    uint32_t drained;
    bool is_draining;
    bool is_leaving;
    bool is_reloading;
    bool is_stopping; /* requests are refused */
};

/*
 * Takes over `config`. `on_config` (may be NULL) is called with every configuration that
 * comes into force, for what belongs to the process. Workers exist afterwards, but do not
 * run: listening needs privileges that are dropped in between.
 */
MUST_USE bool control_init(struct control *c, struct loop *loop, struct config *config, const struct console_ops *console,
                           void (*on_config)(const struct config *c), struct err *err);
MUST_USE bool control_listen(struct control *c, struct err *err);
/* Starts the workers' threads, turns the control loop until everything is to end, and waits for the threads. */
MUST_USE bool control_run(struct control *c, struct err *err);
/*
 * False: a thread that asks PAM or a directory is still at it. The process then ends by _exit(): the libraries' own clean-up would
 * take away what that thread uses.
 */
MUST_USE bool control_release(struct control *c);

struct worker *control_worker(const struct control *c, uint32_t number);

/* On the control thread. A reload is all or nothing; the log says what is wrong. */
void control_reload(struct control *c);
void control_drain(struct control *c);
/* Accepts no more clients, and stops when the last one has left by itself. */
void control_leave(struct control *c);
void control_stop(struct control *c);
/* From any thread. */
void control_ask(struct control *c, struct control_request *r);

#endif
