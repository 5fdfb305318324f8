/*
 * pg_proto.h - the PostgreSQL frontend/backend protocol 3.0 to 3.2: numbers and limits.
 *
 * Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol"; limits as
 * in the server's pqcomm.h and postgres.c. A message is one type byte, a 32-bit
 * big-endian length that counts itself but not the type byte, and a body. The
 * first packet of a connection has no type byte.
 */
#ifndef GILMOK_PROXY_WIRE_PG_PROTO_H
#define GILMOK_PROXY_WIRE_PG_PROTO_H

#include <stdint.h>

enum {
    PG_HEADER_LEN = 5,
    PG_STARTUP_MAX = 10000,      /* bytes of a first packet, length word included */
    PG_AUTH_MAX = 10000,         /* bytes of a client's authentication message */
    PG_SMALL_MAX = 10000,        /* Sync, Close, Describe, ...: longest declared length */
    PG_LARGE_MAX = 0x3ffffffe,   /* Query, Parse, Bind, FunctionCall, CopyData */
    PG_PARAM_MAX = 64,           /* startup parameters in one packet */
    PG_TAG_MAX = 64,             /* a command tag and its NUL (COMPLETION_TAG_BUFSIZE) */
    PG_NOTIFICATION_MAX = 32 << 10, /* a NotificationResponse body; a server's are below 8.1 kB, before they change encoding */
    PG_STATUS_MAX = 16 << 10,    /* a ParameterStatus body that gilmok will hold */
    PG_BACKEND_AUTH_MAX = 8192,  /* a server's message before ReadyForQuery */
};

#define PG_VERSION_3_0 0x00030000u
#define PG_VERSION_3_2 0x00030002u /* longer cancel keys; PostgreSQL 18. There is no 3.1 of its own */
#define PG_VERSION_LATEST PG_VERSION_3_2
#define PG_CODE_CANCEL 80877102u
#define PG_CODE_SSL 80877103u
#define PG_CODE_GSSENC 80877104u

/* Client to server. */
enum pg_frontend {
    PG_F_BIND = 'B',
    PG_F_CLOSE = 'C',
    PG_F_DESCRIBE = 'D',
    PG_F_EXECUTE = 'E',
    PG_F_FUNCTION_CALL = 'F',
    PG_F_FLUSH = 'H',
    PG_F_PARSE = 'P',
    PG_F_QUERY = 'Q',
    PG_F_SYNC = 'S',
    PG_F_TERMINATE = 'X',
    PG_F_COPY_DATA = 'd',
    PG_F_COPY_DONE = 'c',
    PG_F_COPY_FAIL = 'f',
    PG_F_AUTH = 'p', /* password, SASLInitialResponse, SASLResponse */
};

/* Server to client. */
enum pg_backend {
    PG_B_AUTH = 'R',
    PG_B_KEY_DATA = 'K',
    PG_B_PARAMETER_STATUS = 'S',
    PG_B_READY = 'Z',
    PG_B_ERROR = 'E',
    PG_B_NOTICE = 'N',
    PG_B_NOTIFICATION = 'A',
    PG_B_ROW_DESCRIPTION = 'T',
    PG_B_DATA_ROW = 'D',
    PG_B_COMMAND_COMPLETE = 'C',
    PG_B_EMPTY_QUERY = 'I',
    PG_B_PARSE_COMPLETE = '1',
    PG_B_BIND_COMPLETE = '2',
    PG_B_CLOSE_COMPLETE = '3',
    PG_B_PARAMETER_DESCRIPTION = 't',
    PG_B_NO_DATA = 'n',
    PG_B_PORTAL_SUSPENDED = 's',
    PG_B_FUNCTION_RESPONSE = 'V',
    PG_B_COPY_IN = 'G',
    PG_B_COPY_OUT = 'H',
    PG_B_COPY_BOTH = 'W',
    PG_B_COPY_DATA = 'd',
    PG_B_COPY_DONE = 'c',
    PG_B_NEGOTIATE = 'v',
};

enum pg_auth {
    PG_AUTH_OK = 0,
    PG_AUTH_CLEARTEXT = 3,
    PG_AUTH_MD5 = 5,
    PG_AUTH_SASL = 10,
    PG_AUTH_SASL_CONTINUE = 11,
    PG_AUTH_SASL_FINAL = 12,
};

/* Types of gilmok's own columns (pg_type.dat). */
enum pg_type { PG_TYPE_INT8 = 20, PG_TYPE_TEXT = 25 };

/* The status byte of ReadyForQuery. */
enum pg_txn_status { PG_TXN_IDLE = 'I', PG_TXN_OPEN = 'T', PG_TXN_FAILED = 'E' };

#endif
