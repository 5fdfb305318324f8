/*
 * session_place.h - where a client belongs that has proved who it is: its database, and a worker's share of the pool.
 */
#ifndef GILMOK_PROXY_SESSION_SESSION_PLACE_H
#define GILMOK_PROXY_SESSION_SESSION_PLACE_H

#include "proxy/session/session.h"

/*
 * Its database, which must be one of clients of this protocol. It is counted in a share from then on (s->group, s->share),
 * perhaps of another worker. NULL: err says why. Borrowed from the configuration.
 */
const struct config_database *session_find_place(struct session *s, enum proto_kind protocol, struct err *err);

#endif
