/*
 * my_proto.h - numbers of the MySQL client/server protocol, version 10, as MySQL 9 and MariaDB 10.11 speak it.
 *
 * Everything is little-endian. A *packet* is a 4-byte header (3 bytes length, 1 byte sequence number) and its payload; a payload of
 * 2^24-1 bytes or more goes on in further packets, the last of which is shorter, perhaps empty. Sequence numbers begin with 0 at
 * each command and count the packets of both sides.
 *
 * Source: the protocol chapters of MySQL's and MariaDB's server documentation.
 */
#ifndef GILMOK_PROXY_WIRE_MY_PROTO_H
#define GILMOK_PROXY_WIRE_MY_PROTO_H

#include <stdint.h>

enum {
    MY_HEADER_LEN = 4,
    MY_PACKET_MAX = 0xffffff, /* payload bytes of one packet; so many mean that another one follows */
    MY_NONCE_LEN = 20,
    MY_LOGIN_MAX = 64 << 10,  /* a packet of a login, either way */
    MY_NAME_MAX = 256,        /* user, schema, plugin: bytes, without NUL */
    MY_AUTH_MAX = 4096,       /* one answer of an authentication plugin */
    MY_ATTRS_MAX = 32 << 10,  /* connection attributes of a client */
    MY_ERROR_TEXT_MAX = 512,
    MY_SQLSTATE_LEN = 5,
};

/* Capability flags. MY_CAP_LONG_PASSWORD missing in a greeting means a MariaDB server, with more flags elsewhere. */
enum my_cap {
    MY_CAP_LONG_PASSWORD = 1 << 0,
    MY_CAP_FOUND_ROWS = 1 << 1, /* affected rows count those found */
    MY_CAP_LONG_FLAG = 1 << 2,
    MY_CAP_CONNECT_WITH_DB = 1 << 3,
    MY_CAP_NO_SCHEMA = 1 << 4,
    MY_CAP_COMPRESS = 1 << 5,
    MY_CAP_ODBC = 1 << 6,
    MY_CAP_LOCAL_FILES = 1 << 7,
    MY_CAP_IGNORE_SPACE = 1 << 8,
    MY_CAP_PROTOCOL_41 = 1 << 9,
    MY_CAP_INTERACTIVE = 1 << 10,
    MY_CAP_SSL = 1 << 11,
    MY_CAP_IGNORE_SIGPIPE = 1 << 12,
    MY_CAP_TRANSACTIONS = 1 << 13,
    MY_CAP_RESERVED = 1 << 14,
    MY_CAP_SECURE_CONNECTION = 1 << 15,
    MY_CAP_MULTI_STATEMENTS = 1 << 16,
    MY_CAP_MULTI_RESULTS = 1 << 17,
    MY_CAP_PS_MULTI_RESULTS = 1 << 18,
    MY_CAP_PLUGIN_AUTH = 1 << 19,
    MY_CAP_CONNECT_ATTRS = 1 << 20,
    MY_CAP_PLUGIN_AUTH_LENENC = 1 << 21,
    MY_CAP_EXPIRED_PASSWORDS = 1 << 22,
    MY_CAP_SESSION_TRACK = 1 << 23,
    MY_CAP_DEPRECATE_EOF = 1 << 24,
    MY_CAP_OPTIONAL_METADATA = 1 << 25,
    MY_CAP_ZSTD = 1 << 26,
    MY_CAP_QUERY_ATTRIBUTES = 1 << 27,
};

/* MariaDB's extended capability flags, of greetings and logins without LONG_PASSWORD. */
enum my_mariadb_cap {
    MY_MARIADB_PROGRESS = 1 << 0,
    MY_MARIADB_BULK = 1 << 2,              /* COM_STMT_BULK_EXECUTE */
    MY_MARIADB_EXTENDED_METADATA = 1 << 3, /* definitions tell which of the newer types a column has */
    MY_MARIADB_CACHE_METADATA = 1 << 4,    /* definitions may be left out */
};

/* Status flags in OK and EOF packets. */
enum my_status {
    MY_STATUS_IN_TRANSACTION = 0x0001,
    MY_STATUS_AUTOCOMMIT = 0x0002,
    MY_STATUS_MORE_RESULTS = 0x0008,
    MY_STATUS_CURSOR_EXISTS = 0x0040,
    MY_STATUS_LAST_ROW_SENT = 0x0080,
    MY_STATUS_NO_BACKSLASH_ESCAPES = 0x0200,
    MY_STATUS_IN_READ_ONLY = 0x2000, /* a transaction that was begun READ ONLY */
    MY_STATUS_SESSION_CHANGED = 0x4000, /* what has changed stands behind it, where SESSION_TRACK was agreed */
    MY_STATUS_ANSI_QUOTES = 0x8000,     /* MariaDB only */
};

/* The first byte of a command. */
enum my_command {
    MY_COM_SLEEP = 0x00,
    MY_COM_QUIT = 0x01,
    MY_COM_INIT_DB = 0x02,
    MY_COM_QUERY = 0x03,
    MY_COM_FIELD_LIST = 0x04,
    MY_COM_CREATE_DB = 0x05,
    MY_COM_DROP_DB = 0x06,
    MY_COM_REFRESH = 0x07,
    MY_COM_SHUTDOWN = 0x08,
    MY_COM_STATISTICS = 0x09,
    MY_COM_PROCESS_INFO = 0x0a,
    MY_COM_CONNECT = 0x0b,
    MY_COM_PROCESS_KILL = 0x0c,
    MY_COM_DEBUG = 0x0d,
    MY_COM_PING = 0x0e,
    MY_COM_TIME = 0x0f,
    MY_COM_DELAYED_INSERT = 0x10,
    MY_COM_CHANGE_USER = 0x11,
    MY_COM_BINLOG_DUMP = 0x12,
    MY_COM_TABLE_DUMP = 0x13,
    MY_COM_CONNECT_OUT = 0x14,
    MY_COM_REGISTER_SLAVE = 0x15,
    MY_COM_STMT_PREPARE = 0x16,
    MY_COM_STMT_EXECUTE = 0x17,
    MY_COM_STMT_SEND_LONG_DATA = 0x18,
    MY_COM_STMT_CLOSE = 0x19,
    MY_COM_STMT_RESET = 0x1a,
    MY_COM_SET_OPTION = 0x1b,
    MY_COM_STMT_FETCH = 0x1c,
    MY_COM_DAEMON = 0x1d,
    MY_COM_BINLOG_DUMP_GTID = 0x1e,
    MY_COM_RESET_CONNECTION = 0x1f,
    MY_COM_STMT_BULK_EXECUTE = 0xfa, /* MariaDB */
};

/* The first byte of a packet from the server. What it means depends on what is expected. */
enum my_mark {
    MY_MARK_OK = 0x00,
    MY_MARK_MORE_AUTH = 0x01, /* during a login */
    MY_MARK_LOCAL_INFILE = 0xfb, /* in the place of a column count; in a row: NULL */
    MY_MARK_EOF = 0xfe, /* the end; or a request to change the authentication plugin; or a length of 8 bytes */
    MY_MARK_ERR = 0xff,
};

enum { MY_EOF_MAX = 9 /* payload bytes of an EOF packet of old, at most */ };

/* Character sets by the number of a collation of theirs, as greetings and logins name them. */
enum { MY_COLLATION_UTF8MB4_GENERAL = 45 };

#define MY_PLUGIN_NATIVE "mysql_native_password"
#define MY_PLUGIN_SHA2 "caching_sha2_password"

/* Error numbers that gilmok itself says. */
enum my_errno {
    MY_ER_CON_COUNT = 1040,
    MY_ER_HANDSHAKE = 1043,
    MY_ER_DBACCESS_DENIED = 1044,
    MY_ER_ACCESS_DENIED = 1045,
    MY_ER_NO_DB = 1046,
    MY_ER_UNKNOWN_COM = 1047,
    MY_ER_PARSE_ERROR = 1064,
    MY_ER_NO_SUCH_TABLE = 1146,
    MY_ER_UNKNOWN_SYSTEM_VARIABLE = 1193,
    MY_ER_WRONG_ARGUMENTS = 1210,
    MY_ER_LOCK_DEADLOCK = 1213,
    MY_ER_SPECIFIC_ACCESS_DENIED = 1227,
    MY_ER_LOCAL_VARIABLE = 1228,
    MY_ER_GLOBAL_VARIABLE = 1229,
    MY_ER_WRONG_TYPE_FOR_VAR = 1232,
    MY_ER_VARIABLE_IS_READONLY = 1238,
    MY_ER_UNKNOWN_CHARACTER_SET = 1115,
    MY_ER_WRONG_VALUE_FOR_VAR = 1231,
    MY_ER_UNKNOWN_COLLATION = 1273,
    MY_ER_BAD_DB = 1049,
    MY_ER_SERVER_SHUTDOWN = 1053,
    MY_ER_NO_SUCH_THREAD = 1094,
    MY_ER_KILL_DENIED = 1095,
    MY_ER_UNKNOWN = 1105,
    MY_ER_MALFORMED_PACKET = 1835,
    MY_ER_NET_PACKETS_OUT_OF_ORDER = 1156,
    MY_ER_NET_PACKET_TOO_LARGE = 1153,
    MY_ER_NET_UNCOMPRESS = 1157,
    MY_ER_NOT_SUPPORTED_YET = 1235,
    MY_ER_UNKNOWN_STMT_HANDLER = 1243,
    MY_ER_UNSUPPORTED_PS = 1295,
    MY_ER_NOT_SUPPORTED_AUTH_MODE = 1251,
    MY_ER_STMT_HAS_NO_OPEN_CURSOR = 1421,
    MY_ER_MAX_PREPARED_STMT_COUNT_REACHED = 1461,
    MY_ER_QUERY_INTERRUPTED = 1317,
    MY_ER_MUST_CHANGE_PASSWORD_LOGIN = 1862,
    MY_ER_ACCOUNT_LOCKED = 3118,
    MY_ER_ACCOUNT_LOCKED_MARIADB = 4151,
    MY_ER_SECURE_TRANSPORT_REQUIRED = 3159,
};

#endif
