/*
 * watch.h - the monitor's thread: it begins with the first configuration that has something to watch, and ends with the process.
 *
 *      control thread --- snapshot (mail) ---> monitor thread --- topology, on_change ---> workers
 *                                                             <-- suspect (mail) ---------
 */
#ifndef GILMOK_PROXY_WATCH_H
#define GILMOK_PROXY_WATCH_H

#include <pthread.h>

#include "proxy/snapshot.h"
#include "proxy/topology/monitor.h"

struct watch {
    struct loop loop; /* the thread's own */
    struct monitor monitor;
    struct topology *topology; /* borrowed */
    struct snapshot *snapshot; /* the monitor's; one reference */
    void (*on_change)(struct watch *w); /* on the monitor's thread: topology_version() has risen */
    void (*on_orders)(struct watch *w, const struct node_order *orders, uint32_t count); /* likewise: as monitor.on_orders */
    char copy_functions[MONITOR_FUNCTIONS_MAX];
    struct mail hurry, freshen, stop;
    pthread_t id;
    bool has_loop, is_started;
};

/* Before any worker's thread starts. */
void watch_init(struct watch *w, struct topology *t, void (*on_change)(struct watch *w),
                void (*on_orders)(struct watch *w, const struct node_order *orders, uint32_t count));
/* Of the control thread: at the start and after every reload. False: the thread that is needed cannot be started. */
MUST_USE bool watch_adopt(struct watch *w, struct snapshot *s, struct err *err);
/* Ends the thread. Nobody has suspicions any more. */
void watch_stop(struct watch *w);
void watch_release(struct watch *w);

#endif
