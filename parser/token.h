/*
 * token.h - the words of SQL: what a lexer gives and everything else takes.
 *
 * A token is a span of the statement's text and a kind. The kind alone decides
 * what the parser does:
 *   1..127    the character itself: ( ) [ ] , ; . : + - * / % ^ < > = and, in MySQL, & | ~ ! { }
 *   128..255  enum token_kind: literals, names, operators of several characters
 *   256..     keywords (keyword_list.h, made from keywords.txt). Whether a keyword may also be
 *             a name is the parser's business: keyword.h
 * Tokens own nothing; offsets count bytes from the start of the text.
 */
#ifndef GILMOK_PARSER_TOKEN_H
#define GILMOK_PARSER_TOKEN_H

#include "parser/dialect.h"
#include "parser/keyword_list.h"

enum token_kind {
    TOKEN_END = 0,      /* the end of the text, at its length */
    TOKEN_ERROR = 128,  /* the text cannot be read from here on: lexer.problem. Given again and again. */
    TOKEN_IDENT,        /* a name without quotes that is no keyword */
    TOKEN_QUOTED_IDENT, /* "x" or `x` */
    TOKEN_UNICODE_IDENT, /* U&"x", with its UESCAPE 'c' (PostgreSQL) */
    TOKEN_INTEGER,      /* decimal digits (PostgreSQL 16: 0x, 0o, 0b and _ too) */
    TOKEN_NUMBER,       /* with a point or an exponent, or an integer beyond 64 bits does not matter here */
    TOKEN_STRING,       /* '...' (MySQL also "..."); PostgreSQL: pieces over several lines are one token */
    TOKEN_ESCAPE_STRING, /* E'...' */
    TOKEN_UNICODE_STRING, /* U&'...' with its UESCAPE 'c' */
    TOKEN_DOLLAR_STRING, /* $tag$...$tag$ */
    TOKEN_NATIONAL_STRING, /* N'...' */
    TOKEN_BIT_STRING,   /* B'01' */
    TOKEN_HEX_STRING,   /* X'1F' */
    TOKEN_HEX_NUMBER,   /* 0x1F (MySQL) */
    TOKEN_BIT_NUMBER,   /* 0b01 (MySQL) */
    TOKEN_INTRODUCER,   /* _utf8mb4 before a string (MySQL); the caller knows whether a string follows */
    TOKEN_PARAM,        /* $1 (token.value is its number) or ? (value counts from 1 in the text) */
    TOKEN_USER_VARIABLE, /* @a, @'a', @"a", @`a` (MySQL); a lone @ is '@' */
    TOKEN_SYSTEM_VARIABLE, /* @@ (MySQL); the words after it are tokens of their own */
    TOKEN_NULL_ESCAPE,  /* \N (MySQL) */
    TOKEN_HINT,         /* optimizer hint, as a whole (MySQL; after SELECT, INSERT, REPLACE, UPDATE, DELETE) */
    TOKEN_OPERATOR,     /* PostgreSQL: any operator that has no kind of its own */
    TOKEN_TYPECAST,     /* :: */
    TOKEN_ASSIGN,       /* := */
    TOKEN_DOT_DOT,      /* .. */
    TOKEN_ARROW,        /* => (PostgreSQL, MariaDB) */
    TOKEN_LESS_EQUAL,   /* <= */
    TOKEN_GREATER_EQUAL, /* >= */
    TOKEN_NOT_EQUAL,    /* <> or != */
    TOKEN_NULL_SAFE_EQUAL, /* <=> (MySQL) */
    TOKEN_SHIFT_LEFT,   /* << (MySQL) */
    TOKEN_SHIFT_RIGHT,  /* >> (MySQL) */
    TOKEN_AND_AND,      /* && (MySQL) */
    TOKEN_OR_OR,        /* || (MySQL) */
    TOKEN_JSON_EXTRACT, /* -> (MySQL) */
    TOKEN_JSON_UNQUOTE, /* ->> (MySQL) */
    TOKEN_RIGHT_ARROW,  /* PostgreSQL 19: -> in graph patterns; unused otherwise */
    TOKEN_KIND_COUNT,
};

static_assert((int)TOKEN_KIND_COUNT <= (int)KEYWORD_FIRST, "token kinds must stay below the keywords");

enum token_flag {
    TOKEN_IS_PLAIN = 1 << 0,   /* name: the bytes of its span are its value (no quotes, no folding). String: the bytes between
                                  its one-byte quotes are its value. */
    TOKEN_AFTER_SPACE = 1 << 1, /* white space or a comment stands before it */
    TOKEN_IS_JOINED = 1 << 3,   /* PostgreSQL: a string of several pieces, with line ends and comments between them */
    TOKEN_HAS_UPPER = 1 << 2,  /* unquoted name with ASCII capitals or, in PostgreSQL, bytes that need a look (>= 0x80) */
};

struct token {
    uint16_t kind;
    uint16_t flags;
    uint32_t start; /* offset of its first byte */
    uint32_t end;   /* offset behind its last byte */
    uint32_t value; /* number of a parameter */
};

/* A keyword's word or what to call a kind in a message: "SELECT", "a string", "(". Static. */
const char *token_kind_name(uint16_t kind);

#endif
