/*
 * peer_user.h - the name of a system user, for logins by `peer`.
 */
#ifndef GILMOK_PROXY_AUTH_PEER_USER_H
#define GILMOK_PROXY_AUTH_PEER_USER_H

#include "proxy/auth/user_store.h"

/*
 * False: there is no such user, its name is too long, or it is the one that stands for users of other
 * namespaces, who could be anybody. Asks the system, which may ask a directory service: it may block.
 */
MUST_USE bool peer_user_name(uint32_t uid, char out[USER_NAME_MAX + 1]);

#endif
