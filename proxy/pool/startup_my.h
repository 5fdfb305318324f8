/*
 * startup_my.h - what of a MySQL client's login makes two server connections different, as a variant's key. Pure.
 *
 * A connection is opened with these, and goes back to them between clients (COM_CHANGE_USER): so a client finds what its own login
 * would have made.
 */
#ifndef GILMOK_PROXY_POOL_STARTUP_MY_H
#define GILMOK_PROXY_POOL_STARTUP_MY_H

#include "base/writer.h"
#include "proxy/wire/my_proto.h"

enum {
    /* Capabilities that change what a server does, and cannot be changed later. */
    STARTUP_MY_FLAGS = MY_CAP_FOUND_ROWS | MY_CAP_NO_SCHEMA | MY_CAP_LOCAL_FILES | MY_CAP_IGNORE_SPACE | MY_CAP_INTERACTIVE |
                       MY_CAP_MULTI_STATEMENTS | MY_CAP_MULTI_RESULTS | MY_CAP_PS_MULTI_RESULTS,
};

struct startup_my {
    uint32_t flags;   /* of STARTUP_MY_FLAGS */
    uint32_t mariadb; /* MariaDB's extended capabilities */
    uint8_t collation;
    bool has_schema; /* the database was named: it is the current schema */
};

/* "collation\0" "45\0" "flags\0" "2\0" "schema\0" "1\0", and "mariadb\0" "12\0" where it has some */
void startup_my_put_key(struct writer *w, const struct startup_my *s);
/* Of a key that startup_my_put_key() has made; an empty one: what a client without wishes of its own has. */
struct startup_my startup_my_read_key(struct bytes key);

#endif
