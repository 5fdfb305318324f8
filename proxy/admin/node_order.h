/*
 * node_order.h - ADD NODE, DRAIN NODE, RESUME NODE and REMOVE NODE as orders (config_nodes.h). Pure.
 *
 *      ADD NODE cluster/name host [port] [weight n] [max_server_conn n] [zone name]
 *      ADD NODE cluster/name
 *      DRAIN NODE cluster/name          the same for RESUME NODE, REMOVE NODE
 *
 * Values as in the file's [node CLUSTER/NAME]; `weight = n` and `weight=n` mean the same.
 */
#ifndef GILMOK_PROXY_ADMIN_NODE_ORDER_H
#define GILMOK_PROXY_ADMIN_NODE_ORDER_H

#include "proxy/admin/words.h"
#include "proxy/config_nodes.h"

/* The words behind the first `used` ones. False: err, and `out` is void. */
MUST_USE bool node_order_parse(struct node_order *out, enum node_verb verb, const struct words *w, int used, struct err *err);

#endif
