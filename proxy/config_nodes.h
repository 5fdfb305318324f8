/*
 * config_nodes.h - what the console and discovery change about the nodes of a configuration, and the configuration that follows.
 *
 *      file --------- config_load() ---> config --- config_with_nodes(changes) ---> config with other nodes
 *      console ------ node order ------> changes ---'
 *      discovery ---- node order --------'
 *
 * The file is not read again: what somebody is writing there comes into force by a reload and not by an order about a node. The
 * new configuration shares all that it has no copy of with the file's, and keeps that alive.
 *
 * A change lasts until it is undone, until a reload finds that it has no object any more, or until the process ends.
 */
#ifndef GILMOK_PROXY_CONFIG_NODES_H
#define GILMOK_PROXY_CONFIG_NODES_H

#include "base/writer.h"
#include "proxy/config.h"

enum node_verb { NODE_ADD, NODE_DRAIN, NODE_RESUME, NODE_REMOVE };

/* A value. */
struct node_order {
    enum node_verb verb;
    enum node_source source; /* who orders it: NODE_FROM_CONSOLE, or who has found or lost it */
    char cluster[CONFIG_NODE_NAME_SIZE], name[CONFIG_NODE_NAME_SIZE];
    char by[CONFIG_NODE_NAME_SIZE]; /* of NODE_FROM_CONSOLE: whose order it is */
    char host[CONFIG_NODE_HOST_SIZE]; /* of NODE_ADD; "": the node was there, and was removed */
    char address[CONFIG_NODE_NAME_SIZE]; /* of NODE_REMOVE: what its host is known as, by address; "": nobody knows */
    char of[CONFIG_NODE_NAME_SIZE]; /* of NODE_FROM_DNS: the node in whose name it was found; `host` is one of its addresses, and
                                       what follows is as there */
    uint16_t port;
    uint32_t weight, max_server_conn;
    char zone[CONFIG_NODE_NAME_SIZE]; /* "": not said */
};

/* What is different about one node. */
struct node_change {
    struct list node; /* in node_changes.all */
    char cluster[CONFIG_NODE_NAME_SIZE], name[CONFIG_NODE_NAME_SIZE];
    bool is_removed; /* at the console: the file's, or one that was found */
    bool is_gone;    /* was added at the console, and removed there: as below, and not to be found by anybody */
    bool is_added;   /* by `source`, with what follows */
    bool is_drained;
    enum node_source source;
    char host[CONFIG_NODE_HOST_SIZE];
    char address[CONFIG_NODE_NAME_SIZE]; /* what that was, or the file's, when it was removed; "": not known */
    char of[CONFIG_NODE_NAME_SIZE], of_host[CONFIG_NODE_HOST_SIZE]; /* of NODE_FROM_DNS: whose address it is */
    uint16_t port;
    uint32_t weight, max_server_conn;
    char zone[CONFIG_NODE_NAME_SIZE];
};

struct node_changes {
    struct list all; /* struct node_change, owned; oldest first */
};

void node_changes_init(struct node_changes *c);
void node_changes_release(struct node_changes *c);
/* Into one without changes. False: memory is out. */
MUST_USE bool node_changes_copy(struct node_changes *to, const struct node_changes *from);

/*
 * Notes an order. `in_force` is the configuration with the changes until now. False: it is refused, and nothing has changed; err
 * says why. Whether the node is the primary is not known here. What was found goes when it is lost, or removed at the console; what
 * was removed there, whoever had added it, does not come back by being found again, under whatever name.
 */
MUST_USE bool node_changes_note(struct node_changes *c, const struct node_order *o, const struct config *in_force, struct err *err);

/*
 * A configuration was loaded: what has no object in it is forgotten, with a line each into `lines`; and one line for each change
 * that stays.
 */
void node_changes_review(struct node_changes *c, const struct config *file, struct writer *lines);

/*
 * `file` is one that config_load() gave. The configuration with the changes, for config_free(); without any it is `file` itself
 * with one more reference. A node that stands for the addresses of its name is left out, unless its cluster has no other yet. NULL:
 * a cluster would have no node, or memory is out.
 */
struct config *config_with_nodes(struct config *file, const struct node_changes *c, struct err *err);

#endif
