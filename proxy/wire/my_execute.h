/*
 * my_execute.h - the head of COM_STMT_EXECUTE and of MariaDB's COM_STMT_BULK_EXECUTE: read from as much of the packet as is there,
 * and written for another server. Pure.
 *
 * What stands behind the head, the values, is never looked at and need not be in hand. Without QUERY_ATTRIBUTES, which would put a
 * count of parameters and names into the head: who agrees on that with a client must not come here.
 */
#ifndef GILMOK_PROXY_WIRE_MY_EXECUTE_H
#define GILMOK_PROXY_WIRE_MY_EXECUTE_H

#include "base/writer.h"
#include "proxy/wire/my_proto.h"

/*
 *  byte  0      1..4           5               6..9
 *       0x17   statement id   flags: cursor   iterations
 *
 * and where the statement has parameters, n of them:
 *
 *  byte  10 ..                     then 1           2 * n, where that is 1            then
 *       NULL bitmap, (n + 7) / 8   types follow?    types: a type and flags of each   values
 *
 * Without parameters, the head ends behind the iterations; what a client sends there all the same servers ignore.
 *
 * In bulk, for statements with parameters alone:
 *
 *  byte  0      1..4           5..6    2 * n, where the flags say so       then
 *       0xfa   statement id   flags   types: a type and flags of each     values of as many rows as there are
 */
enum { MY_EXECUTE_TYPE_LEN = 2, MY_BULK_HAS_TYPES = 128 /* of the flags */ };

struct my_execute {
    uint32_t statement; /* the id that the client was given */
    bool is_bulk;
    uint16_t bulk_flags;
    uint8_t flags;   /* 0 of a bulk */
    bool has_values; /* one of the parameters is not NULL */
    bool has_types;
    const uint8_t *types; /* MY_EXECUTE_TYPE_LEN for each parameter, in the payload; NULL without */
    size_t head_len;      /* bytes of the payload that are the head: up to its end as drawn above, without the values */
};

enum my_execute_verdict {
    MY_EXECUTE_READ,
    MY_EXECUTE_MORE,   /* only head_len is set: so many bytes of the payload must be in hand to know more */
    MY_EXECUTE_BROKEN, /* too short for so many parameters, not an EXECUTE, neither with types nor without; *out means nothing */
};

/*
 * `payload`: as much as is in hand of what will have `total` bytes in this packet; n: how many parameters the statement has.
 * MY_EXECUTE_MORE comes three times at most for one packet, if each time there are as many bytes as head_len says.
 */
enum my_execute_verdict my_execute_read(struct bytes payload, size_t total, uint16_t n, struct my_execute *out);

/*
 * The packet header, and the head for the server's own id of the statement. `types`, of n parameters: they are put in where the
 * client has sent none; NULL: all is as it came. `e`, `total` and n: as they were read, from this payload. What follows the head
 * in the client's packet follows unchanged: total - head_len bytes.
 *
 * A payload of MY_PACKET_MAX goes on in a further packet, into which nothing can be moved: the writer fails if types had to be put
 * into such a one, or would make one of it.
 */
void my_put_execute_head(struct writer *w, const struct my_execute *e, struct bytes payload, size_t total, uint16_t n,
                         uint32_t server_id, const uint8_t *types);

#endif
