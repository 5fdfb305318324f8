/*
 * dialect.h - what must be known about a session before its SQL can be read.
 *
 * The same bytes mean different things to different servers and sessions: a
 * backslash, a double quote or a comment with a version number may begin or end
 * a string. All of it comes from outside as one small value; the parser keeps no
 * state of its own and guesses nothing.
 */
#ifndef GILMOK_PARSER_DIALECT_H
#define GILMOK_PARSER_DIALECT_H

#include "base/bytes.h"

enum sql_dialect {
    SQL_POSTGRES,
    SQL_MYSQL, /* MySQL and MariaDB; `flavour` tells them apart */
};

enum sql_flavour {
    SQL_FLAVOUR_MYSQL,
    SQL_FLAVOUR_MARIADB,
};

/* The session's client encoding, as far as reading SQL depends on it. */
enum sql_encoding {
    SQL_ENCODING_UTF8,
    SQL_ENCODING_SINGLE_BYTE, /* LATIN1, WIN1252, EUC_*: no byte below 0x80 is part of a longer character */
    SQL_ENCODING_UNSAFE,      /* SJIS, BIG5, GBK, GB18030, UHC, JOHAB: a trail byte may look like ASCII. Such a text is
                                 read when it is plain ASCII and is not analysable otherwise. */
};

enum sql_mode {
    /* PostgreSQL */
    SQL_STANDARD_STRINGS = 1 << 0, /* standard_conforming_strings = on: a backslash in '...' is a backslash */
    /* MySQL and MariaDB: parts of sql_mode that change how text is read */
    SQL_ANSI_QUOTES = 1 << 1,          /* "x" is an identifier */
    SQL_NO_BACKSLASH_ESCAPES = 1 << 2, /* a backslash in a string is a backslash */
    SQL_PIPES_AS_CONCAT = 1 << 3,      /* || joins strings instead of meaning OR */
    SQL_IGNORE_SPACE = 1 << 4,         /* COUNT (x) with white space is still the built-in function */
    SQL_HIGH_NOT_PRECEDENCE = 1 << 5,  /* NOT binds like ! */
    SQL_ORACLE = 1 << 6,               /* MariaDB's sql_mode=ORACLE */
};

struct sql_options {
    enum sql_dialect dialect;
    enum sql_flavour flavour; /* SQL_MYSQL only */
    uint32_t version;         /* PostgreSQL: 150004 is 15.4. MySQL, MariaDB: 80036 is 8.0.36, 101118 is 10.11.18 */
    enum sql_encoding encoding;
    uint32_t modes; /* enum sql_mode, or-ed */
};

/* A server of the kind most in use, in its default settings, UTF-8. */
struct sql_options sql_options_default(enum sql_dialect dialect);

/* The encoding class of a client_encoding or character set name, any case. Unknown names are unsafe. */
enum sql_encoding sql_encoding_of(struct bytes name);

#endif
