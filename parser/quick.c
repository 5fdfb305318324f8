/*
 * quick.c - which bytes quick.h may judge by, in each dialect.
 */
#include "parser/quick.h"

#define NAME QUICK_IN_NAME
#define SIGN QUICK_IN_SIGN
#define LONE (QUICK_SIGN | QUICK_IN_SIGN)

static const uint8_t pg_classes[256] = {
    [' '] = QUICK_SPACE, ['\t'] = QUICK_SPACE, ['\n'] = QUICK_SPACE, ['\r'] = QUICK_SPACE, ['\f'] = QUICK_SPACE,
    ['a' ... 'z'] = QUICK_WORD | NAME, ['A' ... 'Z'] = QUICK_WORD | NAME, ['_'] = QUICK_WORD | NAME,
    [0x80 ... 0xff] = QUICK_WORD | NAME, ['0' ... '9'] = QUICK_DIGIT | NAME, ['$'] = NAME,
    ['('] = QUICK_SELF, [')'] = QUICK_SELF, ['['] = QUICK_SELF, [']'] = QUICK_SELF, [','] = QUICK_SELF, [';'] = QUICK_SELF,
    ['.'] = QUICK_DOT, [':'] = QUICK_COLON, ['\''] = QUICK_QUOTE,
    ['+'] = LONE, ['-'] = LONE, ['*'] = LONE, ['/'] = LONE, ['%'] = LONE, ['^'] = LONE, ['<'] = LONE, ['>'] = LONE, ['='] = LONE,
    ['~'] = SIGN, ['!'] = SIGN, ['@'] = SIGN, ['#'] = SIGN, ['&'] = SIGN, ['|'] = SIGN, ['`'] = SIGN, ['?'] = SIGN,
};

/* A name that does not begin with a letter may be an introducer, a dollar-quoted string or in doubt. */
static const uint8_t mysql_classes[256] = {
    [' '] = QUICK_SPACE, ['\t' ... '\r'] = QUICK_SPACE,
    ['a' ... 'z'] = QUICK_WORD | NAME, ['A' ... 'Z'] = QUICK_WORD | NAME, ['0' ... '9'] = QUICK_DIGIT | NAME,
    ['_'] = NAME, ['$'] = NAME, [0x80 ... 0xff] = NAME,
    ['('] = QUICK_SELF, [')'] = QUICK_SELF, [','] = QUICK_SELF, [';'] = QUICK_SELF,
    ['.'] = QUICK_DOT, ['\''] = QUICK_QUOTE,
    ['+'] = LONE, ['-'] = LONE, ['*'] = LONE, ['/'] = LONE, ['%'] = LONE, ['^'] = LONE, ['<'] = LONE, ['>'] = LONE, ['='] = LONE,
    ['!'] = SIGN,
};

struct quick quick_of(const struct sql_options *options) {
    bool is_mysql = options->dialect == SQL_MYSQL;
    return (struct quick){
        .classes = is_mysql ? mysql_classes : pg_classes,
        .is_mysql = is_mysql,
        .has_strings = is_mysql || (options->modes & SQL_STANDARD_STRINGS),
        .escape = is_mysql && !(options->modes & SQL_NO_BACKSLASH_ESCAPES) ? '\\' : '\'',
    };
}
