/*
 * toy_proto.h - a second protocol, to show that sessions, requests, pools, backends
 * and ledgers assume nothing of PostgreSQL. Built the way MySQL works; shares no
 * code with either.
 *
 * Lines end with \n. The server greets first; a client answers USER NAME DB.
 *
 *      command                  reply
 *      ECHO TEXT                ROWS 1 S, then TEXT
 *      COUNT N                  ROWS N S, then lines 0 to N-1
 *      MULTI                    ROWS 1 S MORE, a, ROWS 2 S, b, c
 *      BEGIN | COMMIT | SET X   OK S; SET says OK S CHANGED
 *      GET                      ROWS 1 S, then what SET left on the connection, or -
 *      LOAD                     DATA; then the client sends lines up to "."; then OK S
 *      PING | RESET             OK S
 *      NOTE TEXT                nothing at all
 *      FAIL                     ERR S TEXT
 *      QUIT                     the end
 *
 * S is I or T: inside a transaction. No line says which command it answers, and the
 * end of a reply is known from its counts alone.
 */
#ifndef GILMOK_TESTS_SIM_TOY_PROTO_H
#define GILMOK_TESTS_SIM_TOY_PROTO_H

#include "proxy/session/session.h"

extern const struct session_proto toy_session_proto;
extern const struct backend_proto toy_backend_proto;

/* The first line of `data` without its \n, and *total with it. False: it is not whole yet. */
bool toy_line(struct bytes data, struct bytes *line, size_t *total);

#endif
