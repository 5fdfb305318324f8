/*
 * my_decode.h - MySQL packets out of bytes, for both directions.
 *
 * Pure: no sockets, no allocation; results are slices of the input. Functions that read a payload take it without its header,
 * whole, and return false when it is malformed; then what they have filled in means nothing. Both ends are hostile.
 */
#ifndef GILMOK_PROXY_WIRE_MY_DECODE_H
#define GILMOK_PROXY_WIRE_MY_DECODE_H

#include "base/bytes.h"
#include "base/reader.h"
#include "proxy/wire/my_proto.h"

/* ---- pieces ---- */

/* Little-endian integers; 0 on failure, which is sticky as everywhere in a reader. */
uint16_t my_le16(struct reader *r);
uint32_t my_le24(struct reader *r);
uint32_t my_le32(struct reader *r);
uint64_t my_le64(struct reader *r);
/*
 * A length-encoded integer: one byte below 0xfb, or 0xfc + 2, 0xfd + 3, 0xfe + 8 bytes. 0xfb (NULL) and 0xff are failures.
 */
uint64_t my_lenenc(struct reader *r);
/* A length-encoded string. */
struct bytes my_lenenc_str(struct reader *r);

/*
 *  byte  0..2              3           4 ..
 *       payload length    sequence    payload
 */
struct my_header {
    uint32_t len; /* of the payload */
    uint8_t seq;
};
/* False: fewer than MY_HEADER_LEN bytes are there. Inline: it runs for every row. */
static inline bool my_header_read(struct bytes in, struct my_header *h) {
    if (in.len < MY_HEADER_LEN) return false;
    h->len = (uint32_t)in.ptr[0] | (uint32_t)in.ptr[1] << 8 | (uint32_t)in.ptr[2] << 16;
    h->seq = in.ptr[3];
    return true;
}

/* ---- from servers ---- */

/*
 * The greeting, protocol 10:
 *   version 10 | server version NUL | thread id 4 | nonce 8 | 0 | capabilities low 2 | collation 1 | status 2 | capabilities high 2
 *   | nonce length in all 1 | reserved 6 | MariaDB's extended capabilities 4, where LONG_PASSWORD is missing | rest of the nonce,
 *   max(13, length - 8), NUL at its end | plugin NUL, with PLUGIN_AUTH
 * A nonce of another length than MY_NONCE_LEN cannot be answered: false. (Servers without PLUGIN_AUTH say 0 and send as many.)
 * An ERR packet (too many connections, host blocked) may stand in its place: my_err_read().
 */
struct my_greeting {
    struct bytes version; /* without NUL */
    uint32_t thread_id;
    uint8_t nonce[MY_NONCE_LEN];
    uint32_t caps;
    uint32_t mariadb_caps;
    uint8_t collation;
    uint16_t status;
    struct bytes plugin; /* empty: none was named */
};
MUST_USE bool my_greeting_read(struct bytes payload, struct my_greeting *out);

/*
 * "Use another plugin": 0xfe | plugin NUL | nonce, with a NUL behind it or not. A NUL behind MY_NONCE_LEN bytes is not part of
 * *data; nonces of other lengths are given as they came. The short form, 0xfe alone, means a scramble of before 4.1: false.
 */
MUST_USE bool my_auth_switch_read(struct bytes payload, struct bytes *plugin, struct bytes *data);

/*
 * OK: 0x00 or 0xfe | affected rows lenenc | last insert id lenenc | status 2 | warnings 2 | info lenenc string | with
 * SESSION_TRACK, where SESSION_CHANGED is set: the changes as a lenenc string. All behind the warnings may be missing. (By the
 * documentation the info has no length where SESSION_TRACK was not agreed; servers write one there, too, and clients skip it.)
 */
struct my_ok {
    uint64_t affected_rows, last_insert_id;
    uint16_t status, warnings;
    struct bytes info;    /* human-readable */
    struct bytes changes; /* for my_change_next(); empty: none */
    size_t fixed_len;     /* bytes up to and with the warnings */
};
MUST_USE bool my_ok_read(struct bytes payload, bool tracks_session, struct my_ok *out);

/* EOF of old: 0xfe | warnings 2 | status 2. */
struct my_eof {
    uint16_t warnings, status;
};
MUST_USE bool my_eof_read(struct bytes payload, struct my_eof *out);

/*
 * ERR: 0xff | number 2 | '#' SQLSTATE 5 | text. Before the client's login is in, a server leaves '#' and SQLSTATE out. A SQLSTATE
 * is five digits or capital letters.
 */
struct my_error {
    uint16_t number;
    char sqlstate[MY_SQLSTATE_LEN + 1]; /* "HY000" where it has none */
    struct bytes text;
};
MUST_USE bool my_err_read(struct bytes payload, struct my_error *out);

/* One entry of my_ok.changes: type 1 | data lenenc string. */
enum my_change_type {
    MY_CHANGE_VARIABLE = 0,
    MY_CHANGE_SCHEMA = 1,
    MY_CHANGE_STATE = 2,
    MY_CHANGE_GTIDS = 3,
    MY_CHANGE_TRANSACTION = 5,
};
struct my_change {
    uint8_t type;      /* others than these exist, and may come */
    struct bytes data; /* of a variable: name lenenc, value lenenc, perhaps several pairs; of a schema: its name lenenc */
};
/* False at the end, and where it is malformed (r->failed tells). */
MUST_USE bool my_change_next(struct reader *r, struct my_change *out);

/* The answer to STMT_PREPARE: 0x00 | statement 4 | columns 2 | parameters 2 | 0x00 | warnings 2. */
struct my_prepared {
    uint32_t statement;
    uint16_t columns, parameters, warnings;
};
MUST_USE bool my_prepared_read(struct bytes payload, struct my_prepared *out);

/* ---- from clients ---- */

/*
 * The first packet of a client, protocol 4.1:
 *   capabilities 4 | largest packet 4 | collation 1 | reserved 23 (its last 4 are MariaDB's extended capabilities, where
 *   LONG_PASSWORD is missing) -- a request for TLS ends here, with SSL set -- | user NUL | answer: lenenc string with
 *   PLUGIN_AUTH_LENENC, else 1 byte length, with SECURE_CONNECTION, else NUL-terminated | schema NUL with CONNECT_WITH_DB |
 *   plugin NUL with PLUGIN_AUTH | attributes lenenc with CONNECT_ATTRS | level of compression 1 with ZSTD
 * A last string may lack its NUL, and a last schema or plugin be missing (old clients). What stands behind all this is left alone,
 * as servers do. No PROTOCOL_41, or a field beyond its limit (MY_NAME_MAX, MY_AUTH_MAX, MY_ATTRS_MAX): false.
 */
struct my_login {
    uint32_t caps;
    uint32_t mariadb_caps;
    uint32_t packet_max;
    uint16_t collation;  /* 1 byte in a login, 2 in COM_CHANGE_USER */
    bool is_tls_request; /* nothing else is set */
    struct bytes user;
    struct bytes answer; /* of the plugin */
    struct bytes schema; /* ptr NULL: none was named; an empty one is none, too, here and in `plugin` */
    struct bytes plugin; /* ptr NULL: none was named */
    struct bytes attributes; /* pairs of lenenc strings, as they came */
    uint8_t zstd_level; /* 0: none was named */
};
MUST_USE bool my_login_read(struct bytes payload, struct my_login *out);

/*
 * COM_CHANGE_USER, behind its first byte: user NUL | answer, 1 byte length with SECURE_CONNECTION, else NUL-terminated | schema NUL
 * | collation 2 | plugin NUL with PLUGIN_AUTH | attributes with CONNECT_ATTRS. What stands behind the schema may be missing.
 * `caps`: as agreed at login; they are in out->caps, too. Limits as in a login.
 */
MUST_USE bool my_change_user_read(struct bytes body, uint32_t caps, struct my_login *out);

/* The name of a command for logs: "query"; "?" of one that there is none of. */
const char *my_command_name(uint8_t command);

#endif
