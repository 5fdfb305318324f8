/*
 * test_lex_mysql.c - the tokens of MySQL and MariaDB: every rule as the servers answered it.
 *
 * Expected tokens are written one after the other, a letter for what has no keyword and is no sign: n name, q quoted
 * name, i integer, r number, s string, N national string, b bit string, x hexadecimal string, B and X such numbers,
 * d dollar-quoted string, c introducer, p parameter with its number, u and v variables, 0 \N, h hint, and k keyword;
 * behind it its text in brackets. !7 is an error at byte 7.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parser/lex.h"
#include "tests/unit/check_main.h"

static struct sql_options options;

static char kind_letter(uint16_t kind) {
    static const char letters[TOKEN_KIND_COUNT] = {
        [TOKEN_IDENT] = 'n', [TOKEN_QUOTED_IDENT] = 'q', [TOKEN_INTEGER] = 'i', [TOKEN_NUMBER] = 'r', [TOKEN_STRING] = 's',
        [TOKEN_NATIONAL_STRING] = 'N', [TOKEN_BIT_STRING] = 'b', [TOKEN_HEX_STRING] = 'x', [TOKEN_HEX_NUMBER] = 'X',
        [TOKEN_BIT_NUMBER] = 'B', [TOKEN_DOLLAR_STRING] = 'd', [TOKEN_INTRODUCER] = 'c', [TOKEN_USER_VARIABLE] = 'u',
        [TOKEN_SYSTEM_VARIABLE] = 'v', [TOKEN_NULL_ESCAPE] = '0', [TOKEN_HINT] = 'h',
    };
    return kind >= KEYWORD_FIRST ? 'k' : letters[kind];
}

/* All tokens of a text, in the notation above. Static. The text is copied so that reading behind it is noticed. */
static const char *tokens_of(struct bytes text) {
    static char out[8192];
    size_t used = 0;
    uint8_t *copy = malloc(text.len + 1);
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    uint8_t *exact = realloc(copy, text.len ? text.len : 1);
    struct lexer l;
    struct token t;
    lex_init(&l, bytes_of(exact, text.len), &options);
    uint32_t last = 0;
    out[0] = 0;
    for (lex_mysql_next(&l, &t); t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_mysql_next(&l, &t)) {
        ck_assert(t.start >= last && t.end > t.start && t.end <= text.len);
        last = t.end;
        char letter = kind_letter(t.kind);
        const char *space = used ? " " : "";
        if (t.kind == TOKEN_PARAM) used += (size_t)snprintf(out + used, sizeof out - used, "%sp%u", space, t.value);
        else if (!letter) used += (size_t)snprintf(out + used, sizeof out - used, "%s%s", space, token_kind_name(t.kind));
        else
            used += (size_t)snprintf(out + used, sizeof out - used, "%s%c[%.*s]", space, letter, (int)(t.end - t.start),
                                     (const char *)exact + t.start);
        ck_assert_uint_lt(used, sizeof out);
    }
    if (t.kind == TOKEN_ERROR) {
        ck_assert_ptr_nonnull(l.problem);
        ck_assert_uint_eq(t.start, l.problem_at);
        snprintf(out + used, sizeof out - used, "%s!%u", used ? " " : "", l.problem_at);
    } else {
        ck_assert_ptr_null(l.problem);
        ck_assert_uint_eq(t.start, text.len);
    }
    uint16_t end = t.kind;
    lex_mysql_next(&l, &t);
    ck_assert_uint_eq(t.kind, end);
    free(exact);
    return out;
}

static void mariadb(uint32_t version) {
    options = sql_options_default(SQL_MYSQL);
    options.flavour = SQL_FLAVOUR_MARIADB;
    options.version = version;
}

static void mysql(uint32_t version) {
    options = sql_options_default(SQL_MYSQL);
    options.version = version;
}

struct example {
    const char *text, *tokens;
};

static void check_all(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *got = tokens_of(bytes_str(examples[i].text));
        ck_assert_msg(strcmp(got, examples[i].tokens) == 0, "%s\nwanted %s\ngot    %s", examples[i].text, examples[i].tokens, got);
    }
}

#define CHECK_ALL(examples) check_all(examples, COUNT_OF(examples))

/* The same in both flavours. */
#define CHECK_BOTH(examples) \
    do { \
        mariadb(101119); \
        CHECK_ALL(examples); \
        mysql(90704); \
        CHECK_ALL(examples); \
    } while (0)

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

START_TEST(words_and_names) {
    static const struct example both[] = {
        {"", ""},
        {"SELECT a, B1 FROM t_$", "k[SELECT] n[a] , n[B1] k[FROM] n[t_$]"},
        {"sElEcT `select`", "k[sElEcT] q[`select`]"},
        {"`a``b`", "q[`a``b`]"},
        {"``", "q[``]"},
        {"`a\\`b`", "q[`a\\`] n[b] !5"},
        {"`a", "!0"},
        {"`a``", "!0"},
        {"a`b`", "n[a] q[`b`]"},
        {"\xc3\xa9 1\xc3\xa9 \xff", "n[\xc3\xa9] n[1\xc3\xa9] n[\xff]"},
        {"$a a$ a$b", "n[$a] n[a$] n[a$b]"},
        {"1abc 1_000 1$ 1e 1ea 12e", "n[1abc] n[1_000] n[1$] n[1e] n[1ea] n[12e]"},
        {"0x 0xZZ 0x12g 0X12 0b 0b2 0b012 0B01", "n[0x] n[0xZZ] n[0x12g] n[0X12] n[0b] n[0b2] n[0b012] n[0B01]"},
    };
    CHECK_BOTH(both);
}
END_TEST

START_TEST(dots) {
    static const struct example both[] = {
        {"a.b.c", "n[a] . n[b] . n[c]"},
        {"t.select", "n[t] . n[select]"},
        {"select.a", "n[select] . n[a]"},
        {"select.select", "n[select] . n[select]"},
        {"t .select", "n[t] . n[select]"},
        {"t. select", "n[t] . k[select]"},
        {"t . select", "n[t] . k[select]"},
        {"select .5", "k[select] r[.5]"},
        {"select.5", "n[select] . n[5]"},
        {"t.1 t.1e5 t.0x12 t.1.5", "n[t] . n[1] n[t] . n[1e5] n[t] . n[0x12] n[t] . n[1] . n[5]"},
        {"t .5", "n[t] r[.5]"},
        {"t/**/.5", "n[t] r[.5]"},
        {"`t`.5", "q[`t`] r[.5]"},
        {"`t`.a `t`.`a` `t`.select", "q[`t`] . n[a] q[`t`] . q[`a`] q[`t`] . n[select]"},
        {"t.`select` select.`a`", "n[t] . q[`select`] k[select] . q[`a`]"},
        {"1a.b", "n[1a] . n[b]"},
        {"t.x'41' t.n'4' t._utf8'a'", "n[t] . n[x] s['41'] n[t] . n[n] s['4'] n[t] . n[_utf8] s['a']"},
        {"$.5 \xc3\xa9.5", "n[$] . n[5] n[\xc3\xa9] . n[5]"},
        {"t.*", "n[t] . *"},
        {"t.", "n[t] ."},
        {".", "."},
    };
    CHECK_BOTH(both);
    static const struct example of_mariadb[] = {
        {"1..3", "i[1] .. i[3]"}, {"5 .. 6", "i[5] .. i[6]"}, {"a..b", "n[a] .. n[b]"}, {"a...5", "n[a] .. r[.5]"}, {"1...5", "i[1] .. r[.5]"},
    };
    mariadb(101119);
    CHECK_ALL(of_mariadb);
    static const struct example of_mysql[] = {
        {"1..3", "r[1.] r[.3]"}, {"5 .. 6", "i[5] . . i[6]"}, {"a..b", "n[a] . . n[b]"},
    };
    mysql(90704);
    CHECK_ALL(of_mysql);
}
END_TEST

START_TEST(numbers) {
    static const struct example both[] = {
        {"1 007 18446744073709551616", "i[1] i[007] i[18446744073709551616]"},
        {"5. .5 5.5 1.e3", "r[5.] r[.5] r[5.5] r[1.e3]"},
        {"1e5 1E5 1e+5 1e-5 .5e1 5.5E-1", "r[1e5] r[1E5] r[1e+5] r[1e-5] r[.5e1] r[5.5E-1]"},
        {"1e5abc 1e+5abc 1.0e5x 1.a 1.select", "r[1e5] n[abc] r[1e+5] n[abc] r[1.0e5] n[x] r[1.] n[a] r[1.] k[select]"},
        {"1e5.5 1.5.5 0x12.5", "r[1e5] r[.5] r[1.5] r[.5] X[0x12] r[.5]"},
        {"1e+", "n[1e] +"},
        {"1e+a", "n[1e] + n[a]"},
        {"1.5e", "!0"},
        {"1 1.5e,2", "i[1] !2"},
        {"5.e", "!0"},
        {"1.5e+", "!0"},
        {".5e", "!0"},
        {"0x1 0x12 0xfF 0b01", "X[0x1] X[0x12] X[0xfF] B[0b01]"},
        {"0x41'a' 0x41.a", "X[0x41] s['a'] X[0x41] . n[a]"},
        {"x'12' X'ab' x'' b'01' B'' b'1'b'1'", "x[x'12'] x[X'ab'] x[x''] b[b'01'] b[B''] b[b'1'] b[b'1']"},
        {"x'1'", "!0"},
        {"x'zz'", "!0"},
        {"x'12", "!0"},
        {"b'2'", "!0"},
        {"b'1", "!0"},
        {"x\"12\" b\"1\" x '12'", "n[x] s[\"12\"] n[b] s[\"1\"] n[x] s['12']"},
        {"1-1 1+.5", "i[1] - i[1] i[1] + r[.5]"},
    };
    CHECK_BOTH(both);
}
END_TEST

START_TEST(strings) {
    static const struct example both[] = {
        {"'a' \"b\" '' \"\"", "s['a'] s[\"b\"] s[''] s[\"\"]"},
        {"'a''b' 'a\\'b' \"a\"\"b\" \"a\\\"b\" 'a\\\\'", "s['a''b'] s['a\\'b'] s[\"a\"\"b\"] s[\"a\\\"b\"] s['a\\\\']"},
        {"'a' 'b' 'a'/**/'b' 'a\"b' \"a'b\"", "s['a'] s['b'] s['a'] s['b'] s['a\"b'] s[\"a'b\"]"},
        {"n'a' N'a\\'b' N\"a\" n 'a'", "N[n'a'] N[N'a\\'b'] n[N] s[\"a\"] n[n] s['a']"},
        {"'ab", "!0"},
        {"1 'a''", "i[1] !2"},
        {"'a\\'", "!0"},
        {"'\\", "!0"},
        {"'", "!0"},
        {"n'a", "!0"},
        {"'0123456789abcdef\\'0123456789abcdef''' 1", "s['0123456789abcdef\\'0123456789abcdef'''] i[1]"},
        {"'/* -- # ; ?' /* ' */ 1", "s['/* -- # ; ?'] i[1]"},
    };
    CHECK_BOTH(both);
    static const struct example no_backslash[] = {
        {"'a\\' 'b\\''' \"\\\"", "s['a\\'] s['b\\'''] s[\"\\\"]"},
        {"n'\\' @'\\' @\"\\\"", "N[n'\\'] u[@'\\'] u[@\"\\\"]"},
    };
    options.modes = SQL_NO_BACKSLASH_ESCAPES;
    CHECK_ALL(no_backslash);
    static const struct example ansi[] = {
        {"\"a\"\"b\" \"a\\\" 'a\\''", "q[\"a\"\"b\"] q[\"a\\\"] s['a\\'']"},
        {"t.\"a\" \"t\".a \"t\".5", "n[t] . q[\"a\"] q[\"t\"] . n[a] q[\"t\"] r[.5]"},
        {"_utf8\"a\" _utf8'a'", "n[_utf8] q[\"a\"] c[_utf8] s['a']"},
        {"@\"a\\\"", "u[@\"a\\\"]"},
        {"\"a", "!0"},
    };
    options.modes = SQL_ANSI_QUOTES;
    CHECK_ALL(ansi);
}
END_TEST

/* Long strings are read sixteen bytes at a time: every length and place of what ends or continues them. */
START_TEST(long_strings) {
    mysql(90704);
    char text[200];
    for (int len = 0; len < 70; len++) {
        for (int at = 0; at < len; at++) {
            text[0] = '\'';
            memset(text + 1, 'x', (size_t)len);
            text[1 + at] = '\\';
            text[len + 1] = '\'';
            text[len + 2] = '\'';
            bool escapes_quote = at == len - 1;
            struct lexer l;
            struct token t;
            lex_init(&l, bytes_of(text, (size_t)len + 2 + escapes_quote), &options);
            lex_mysql_next(&l, &t);
            ck_assert_uint_eq(t.kind, TOKEN_STRING);
            ck_assert_uint_eq(t.end, (unsigned)len + 2 + escapes_quote);
            ck_assert(!(t.flags & TOKEN_IS_PLAIN));
        }
    }
}
END_TEST

START_TEST(dollar_strings) {
    static const struct example quoted[] = {
        {"$$abc$$", "d[$$abc$$]"},
        {"$a$ 1 ' $$ $b$ $a$ 2", "d[$a$ 1 ' $$ $b$ $a$] i[2]"},
        {"$1$x$1$ $\xc3\xa9$x$\xc3\xa9$", "d[$1$x$1$] d[$\xc3\xa9$x$\xc3\xa9$]"},
        {"$a-b$", "n[$a] - n[b$]"},
        {"a$b$ t.$b$ t.$$x", "n[a$b$] n[t] . n[$b$] n[t] . n[$$x]"},
        {"$$", "!0"},
        {"$x$y", "!0"},
        {"1 $a$ $a", "i[1] !2"},
    };
    mysql(80400);
    CHECK_ALL(quoted);
    static const struct example names[] = {{"$$abc$$ $a$ 1 $a$", "n[$$abc$$] n[$a$] i[1] n[$a$]"}};
    mysql(80036);
    CHECK_ALL(names);
    mariadb(101119);
    CHECK_ALL(names);
}
END_TEST

START_TEST(comments) {
    static const struct example both[] = {
        {"1 # x ' \n 2", "i[1] i[2]"},
        {"1 #", "i[1]"},
        {"1 # x \r 2", "i[1]"},
        {"1 -- x\n2", "i[1] i[2]"},
        {"1 --\n2", "i[1] i[2]"},
        {"1--\t2", "i[1]"},
        {"1--\x01 2", "i[1]"},
        {"1--\x7f 2", "i[1]"},
        {"1--", "i[1]"},
        {"1--2 --1 5 - -2", "i[1] - - i[2] - - i[1] i[5] - - i[2]"},
        {"1---- 2", "i[1] - -"},
        {"1--/**/2", "i[1] - - i[2]"},
        {"1/* x */2/**/3/***/4/*/ */5", "i[1] i[2] i[3] i[4] i[5]"},
        {"1 /* /* */ 2 */", "i[1] i[2] * /"},
        {"1 /* ", "i[1] !2"},
        {"1 /*/", "i[1] !2"},
        {"1 /*", "i[1] !2"},
        {"1 / * 2 / 3", "i[1] / * i[2] / i[3]"},
        {"1 */ 2", "i[1] * / i[2]"},
        {"\t\n\v\f\r 1", "i[1]"},
        {"-- 1", ""},
        {"  ", ""},
        {"/*+ x */ 1", "i[1]"},
    };
    CHECK_BOTH(both);
}
END_TEST

START_TEST(executable_comments) {
    static const struct example both[] = {
        {"/*! 1 */", "i[1]"},
        {"/*!1*/ 2", "i[1] i[2]"},
        {"/*!1234 */", "i[1234]"},
        {"/*!*/", ""},
        {"7 /*!50000 +1*/", "i[7] + i[1]"},
        {"7 /*!12345+1*/ - 2", "i[7] + i[1] - i[2]"},
        {"7 /*!50699 +1*/", "i[7] + i[1]"},
        {"7 /*!00000 +1*/", "i[7] + i[1]"},
        {"7 /*!99999 ' */ 1", "i[7] i[1]"},
        {"7 /*! +1 /* x */ +1 */ +2", "i[7] + i[1] + i[1] + i[2]"},
        {"7 /*! +1 /*! +2 */ +4", "i[7] + i[1] + i[2] + i[4]"},
        {"7 /*! +1 /*! +2 */ +4 */", "i[7] + i[1] + i[2] + i[4] * /"},
        {"7 /*! +1 /*!99999 +2 */ +4 */", "i[7] + i[1] + i[4]"},
        {"7 /*! -- */ x\n +2 */", "i[7] + i[2]"},
        {"7 /*! # */ x\n +2 */", "i[7] + i[2]"},
        {"7 /*! + '*/' */", "i[7] + s['*/']"},
        {"7 /*!99999 +1 /* x */ +2 */ +4", "i[7] + i[4]"},
        {"7 /*!99999 +1 /* x /* y */ +2 */ +4", "i[7] + i[4]"},
        {"7 /*!99999 +1 /*! x */ /* y */ +2 */ +4", "i[7] + i[4]"},
        {"7 /*!99999 /*/ +2 */ */ +4", "i[7] + i[4]"},
        {"7 /*!99999 /*/ +2 */", "i[7] !2"},
        {"7 /*!99999 /* x */", "i[7] !2"},
        {"7 /*!99999 ", "i[7] !2"},
        {"7 /*! **/ 2", "i[7] * i[2]"},
        {"7 /*! */*/ 2", "i[7] * / i[2]"},
        {"7 /*! 1", "i[7] i[1] !2"},
        {"7 /*! 1 /*! 2", "i[7] i[1] i[2] !8"},
        {"7 /*!", "i[7] !2"},
        {"7 /*! /* x", "i[7] !6"},
        {"7 /*m! +1*/", "i[7]"},
        {"a/*! .5*/", "n[a] r[.5]"},
    };
    CHECK_BOTH(both);
    static const struct example of_mariadb[] = {
        {"7 /*!50700 +1*/", "i[7]"},
        {"7 /*!90704 +1*/", "i[7]"},
        {"7 /*!100000 +1*/", "i[7] + i[1]"},
        {"7 /*!101119 +1*/", "i[7] + i[1]"},
        {"7 /*!101119+1*/", "i[7] + i[1]"},
        {"7 /*!1011191*/", "i[7] i[1]"},
        {"7 /*!101120 +1*/", "i[7]"},
        {"7 /*!500001*/", "i[7]"},
        {"7 /*!080000 +1*/", "i[7]"},
        {"7 /*!040000 +1*/", "i[7] + i[1]"},
        {"7 /*M! +1*/", "i[7] + i[1]"},
        {"7 /*M!99999 +1*/", "i[7] + i[1]"},
        {"7 /*M!101119 +1*/", "i[7] + i[1]"},
        {"7 /*M!101120 +1*/", "i[7]"},
        {"7 /*M !1*/", "i[7]"},
    };
    mariadb(101119);
    CHECK_ALL(of_mariadb);
    static const struct example of_mysql[] = {
        {"7 /*!50700 +1*/", "i[7] + i[1]"},
        {"7 /*!90704 +1*/", "i[7] + i[1]"},
        {"7 /*!90705 +1*/", "i[7]"},
        {"7 /*!100000 +1*/", "i[7]"},
        {"7 /*!090704 +1*/", "i[7] + i[1]"},
        {"7 /*!090705 +1*/", "i[7]"},
        {"7 /*!080000\t+1*/", "i[7] + i[1]"},
        {"7 /*!080000+1*/", "i[7] i[0] + i[1]"},
        {"7 /*!080000*/", "i[7] i[0]"},
        {"7 /*!0800001 */", "i[7] i[01]"},
        {"7 /*!500001*/", "i[7] i[1]"},
        {"7 /*M! +1*/", "i[7]"},
    };
    mysql(90704);
    CHECK_ALL(of_mysql);
    static const struct example of_mysql_57[] = {{"7 /*!100000 +1*/", "i[7] i[0] + i[1]"}, {"7 /*!50708 +1*/", "i[7]"}};
    mysql(50707);
    CHECK_ALL(of_mysql_57);
    static const struct example of_mysql_80[] = {
        {"7 /*!80036 +1*/", "i[7] + i[1]"}, {"7 /*!80037 +1*/", "i[7]"}, {"7 /*!100000 +1*/", "i[7] !2"},
    };
    mysql(80036);
    CHECK_ALL(of_mysql_80);
}
END_TEST

START_TEST(hints) {
    static const struct example all[] = {
        {"SELECT /*+ x */ 1", "k[SELECT] h[/*+ x */] i[1]"},
        {"INSERT\n/*+*/ REPLACE/*+ ' */UPDATE /*+ /* */ DELETE /*+/ */",
         "k[INSERT] h[/*+*/] k[REPLACE] h[/*+ ' */] k[UPDATE] h[/*+ /* */] k[DELETE] h[/*+/ */]"},
        {"SELECT /*+ `a*/ 1", "k[SELECT] h[/*+ `a*/] i[1]"},
        {"SELECT /* x */ /*+ x */ 1", "k[SELECT] i[1]"},
        {"SELECT # x\n/*+ x */ 1", "k[SELECT] i[1]"},
        {"SELECT /*! /*+ x */ 1 */", "k[SELECT] i[1]"},
        {"/*! SELECT /*+ x */ 1 */", "k[SELECT] h[/*+ x */] i[1]"},
        {"SELECT /*! */ /*+ x */ 1", "k[SELECT] i[1]"},
        {"SELECT /*+ x */ /*+ y */ 1", "k[SELECT] h[/*+ x */] i[1]"},
        {"SELECT 1 /*+ x */", "k[SELECT] i[1]"},
        {"t.SELECT /*+ x */ FROM /*+ x */ `SELECT` /*+ x */", "n[t] . n[SELECT] k[FROM] q[`SELECT`]"},
        {"SELECT /*+ x", "k[SELECT] !7"},
        {"SELECT /*+", "k[SELECT] !7"},
        {"SELECT /*+/", "k[SELECT] !7"},
    };
    mysql(90704);
    CHECK_ALL(all);
    mysql(50707);
    CHECK_ALL(all);
    mariadb(120000);
    CHECK_ALL(all);
    static const struct example elsewhere[] = {{"SELECT /*+ x */ 1", "k[SELECT] i[1]"}, {"SELECT /*+ x", "k[SELECT] !7"}};
    mariadb(101119);
    CHECK_ALL(elsewhere);
    mysql(50706);
    CHECK_ALL(elsewhere);
}
END_TEST

START_TEST(introducers) {
    static const struct example both[] = {
        {"_utf8mb4'a' _latin1 'a' _UTF8 \"a\" _binary/**/'a'", "c[_utf8mb4] s['a'] c[_latin1] s['a'] c[_UTF8] s[\"a\"] c[_binary] s['a']"},
        {"_utf8 x'41' _utf8 0x41 _utf8 b'1' _utf8 0b1", "c[_utf8] x[x'41'] c[_utf8] X[0x41] c[_utf8] b[b'1'] c[_utf8] B[0b1]"},
        {"_utf8 /*! 'a' */", "c[_utf8] s['a']"},
        {"_utf8 -- x\n'a'", "c[_utf8] s['a']"},
        {"_utf8 _utf8 'a'", "n[_utf8] c[_utf8] s['a']"},
        {"_utf8", "n[_utf8]"},
        {"_utf8 as x", "n[_utf8] k[as] n[x]"},
        {"_utf8 n'a' _utf8 0xg _utf8 1 _utf8 a", "n[_utf8] N[n'a'] n[_utf8] n[0xg] n[_utf8] i[1] n[_utf8] n[a]"},
        {"_utf8.a 't'._utf8 'a'", "n[_utf8] . n[a] s['t'] . n[_utf8] s['a']"},
        {"_nosuch'a' _utf'a' _'a' _utf8mb4x'a'", "n[_nosuch] s['a'] n[_utf] s['a'] n[_] s['a'] n[_utf8mb4x] s['a']"},
        {"_utf8 /* x", "n[_utf8] !6"},
    };
    CHECK_BOTH(both);
    static const struct example of_mysql[] = {{"_gb18030'a'", "c[_gb18030] s['a']"}};
    CHECK_ALL(of_mysql);
    static const struct example of_mariadb[] = {{"_gb18030'a'", "n[_gb18030] s['a']"}};
    mariadb(101119);
    CHECK_ALL(of_mariadb);
}
END_TEST

START_TEST(variables) {
    static const struct example both[] = {
        {"@a @a.b @$x @1 @\xc3\xa9 @_", "u[@a] u[@a.b] u[@$x] u[@1] u[@\xc3\xa9] u[@_]"},
        {"@'x y' @\"x\\\"y\" @`x``y` @'a''b'", "u[@'x y'] u[@\"x\\\"y\"] u[@`x``y`] u[@'a''b']"},
        {"@a:=1, @b-1", "u[@a] := i[1] , u[@b] - i[1]"},
        {"u@h 'u'@'h' u @h u@1.2.3.4 u@`h`", "n[u] u[@h] s['u'] u[@'h'] n[u] u[@h] n[u] u[@1.2.3.4] n[u] u[@`h`]"},
        {"@ a @", "@ n[a] @"},
        {"@ 'x'", "@ s['x']"},
        {"@'a", "!0"},
        {"@`", "!0"},
        {"@@a @@global.a @@SESSION.a @@local . a", "v[@@] n[a] v[@@] k[global] . n[a] v[@@] k[SESSION] . n[a] v[@@] k[local] . n[a]"},
        {"@@select @@global.select @@x.select", "v[@@] n[select] v[@@] k[global] . n[select] v[@@] n[x] . n[select]"},
        {"@@`a` @@global.`a` @@1a @@a.1", "v[@@] q[`a`] v[@@] k[global] . q[`a`] v[@@] n[1a] v[@@] n[a] . n[1]"},
        {"@@ a", "v[@@] !2"},
        {"@@", "v[@@] !2"},
        {"@@.a", "v[@@] !2"},
        {"@@'a'", "v[@@] !2"},
        {"@@`a", "v[@@] !2"},
        {"@@a select", "v[@@] n[a] k[select]"},
        {"global session", "k[global] k[session]"},
    };
    CHECK_BOTH(both);
    static const struct example of_mysql[] = {
        {"@@persist.a @@PERSIST_ONLY.a", "v[@@] k[persist] . n[a] v[@@] k[PERSIST_ONLY] . n[a]"},
    };
    CHECK_ALL(of_mysql);
}
END_TEST

START_TEST(signs) {
    static const struct example both[] = {
        {"( ) [ ] { } , ; + - * / % ^ ~ & | ! < > = :", "( ) [ ] { } , ; + - * / % ^ ~ & | ! < > = :"},
        {"<= >= <> != <=> << >> && || :=", "<= >= <> <> <=> << >> && || :="},
        {"< = < > ! = : = & & | |", "< = < > ! = : = & & | |"},
        {"1<-1 1>-1 1=-1 1=+1 5&&-1 1|~2", "i[1] < - i[1] i[1] > - i[1] i[1] = - i[1] i[1] = + i[1] i[5] && - i[1] i[1] | ~ i[2]"},
        {"1>>!0 1>=!0 1<=>!0 1!=!1", "i[1] >> ! i[0] i[1] >= ! i[0] i[1] <=> ! i[0] i[1] <> ! i[1]"},
        {"&&& |||", "&& & || |"},
        {"? ?,?", "p1 p2 , p3"},
        {"??", "p1 p2"},
        {"?a", "!0"},
        {"?1", "!0"},
        {"'a'?'b'", "s['a'] p1 s['b']"},
        {"\\", "!0"},
        {"\\n", "!0"},
        {"1 \x01", "i[1] !2"},
        {"\x7f", "!0"},
    };
    CHECK_BOTH(both);
    static const struct example of_mariadb[] = {
        {"!!1 !>1 5=!5 1<!0 1<<!0 1<=!0", "! ! i[1] ! > i[1] i[5] = ! i[5] i[1] < ! i[0] i[1] << ! i[0] i[1] <= ! i[0]"},
        {"== =< >< <<= <>= =>", "= = = < > < << = <> = = >"},
        {"a->'b' a->>'b'", "n[a] - > s['b'] n[a] - >> s['b']"},
        {"\\N \\Na", "0[\\N] 0[\\N] n[a]"},
    };
    mariadb(101119);
    CHECK_ALL(of_mariadb);
    /* What follows a ! is dropped when the two are no operator: `!!1` is 0 there. */
    static const struct example of_mysql[] = {
        {"!!1", "! i[1]"}, {"!!!1", "! ! i[1]"}, {"!>1", "! i[1]"}, {"!<1", "! i[1]"},
        {"5=!5", "i[5] !1"}, {"1<!0", "i[1] !1"}, {"1<<!0", "i[1] !1"}, {"1<=!0", "i[1] !1"}, {"1>!0", "i[1] !1"},
        {"1==1", "i[1] !1"}, {"1=<2", "i[1] !1"}, {"1><2", "i[1] !1"}, {"1<<=2", "i[1] !1"}, {"1<>=2", "i[1] !1"}, {"1=>2", "i[1] !1"},
        {"a->'b' a->>'b' a - >b", "n[a] -> s['b'] n[a] ->> s['b'] n[a] - > n[b]"},
        {"\\N", "!0"},
    };
    mysql(90704);
    CHECK_ALL(of_mysql);
    static const struct example old[] = {{"\\N", "0[\\N]"}};
    mysql(50744);
    CHECK_ALL(old);
}
END_TEST

static void check_bytes(struct bytes text, const char *wanted) {
    const char *got = tokens_of(text);
    ck_assert_msg(strcmp(got, wanted) == 0, "wanted %s, got %s", wanted, got);
}

START_TEST(nul_bytes) {
    mariadb(101119);
    check_bytes(BYTES("1 \0 2"), "i[1] !2");
    check_bytes(BYTES("1 -- a\0b\n2"), "i[1] !6");
    check_bytes(BYTES("1 # a\0"), "i[1] !5");
    check_bytes(BYTES("1 --\0 x"), "i[1] !4");
    check_bytes(BYTES("1 /* a\0b */ 2"), "i[1] i[2]");
    check_bytes(BYTES("a\0"), "n[a] !1");
    struct lexer l;
    struct token t;
    lex_init(&l, BYTES("'a\0b' `\0`"), &options);
    lex_mysql_next(&l, &t);
    ck_assert(t.kind == TOKEN_STRING && t.end == 5 && (t.flags & TOKEN_IS_PLAIN));
    lex_mysql_next(&l, &t);
    ck_assert(t.kind == TOKEN_QUOTED_IDENT && t.end == 9);
}
END_TEST

START_TEST(character_sets) {
    mysql(90704);
    options.encoding = SQL_ENCODING_SINGLE_BYTE;
    check_bytes(BYTES("gr\xf6\xdf" "e '\xa0\xff' `\xa0` -- \xa0\n#\xa0"), "n[gr\xf6\xdf" "e] s['\xa0\xff'] q[`\xa0`]");
    check_bytes(BYTES("1\xa0" "a"), "!0");
    check_bytes(BYTES("1 a\xff"), "i[1] !2");
    check_bytes(BYTES("1 @\xa0"), "i[1] !2");
    check_bytes(BYTES("@@\xa0"), "v[@@] !2");
    check_bytes(BYTES("1--\xe4"), "i[1] !1");
    check_bytes(BYTES("1--2"), "i[1] - - i[2]");
    options.encoding = SQL_ENCODING_UTF8;
    check_bytes(BYTES("1\xa0" "a 1--\xe4"), "n[1\xa0" "a] i[1] - - n[\xe4]");
    options.encoding = SQL_ENCODING_UNSAFE;
    check_bytes(BYTES("select 'a'"), "k[select] s['a']");
    check_bytes(BYTES("select '\x81\x5c'"), "!8");
}
END_TEST

START_TEST(flags) {
    mysql(90704);
    static const struct {
        const char *text;
        uint16_t flags;
    } cases[] = {
        {"abc", TOKEN_IS_PLAIN},
        {"aBc", TOKEN_IS_PLAIN | TOKEN_HAS_UPPER},
        {"SELECT", TOKEN_IS_PLAIN | TOKEN_HAS_UPPER},
        {" a", TOKEN_IS_PLAIN | TOKEN_AFTER_SPACE},
        {"/**/a", TOKEN_IS_PLAIN | TOKEN_AFTER_SPACE},
        {"/*! a*/", TOKEN_IS_PLAIN | TOKEN_AFTER_SPACE},
        {"`aB`", TOKEN_IS_PLAIN}, {"`a``b`", 0}, {"1a", TOKEN_IS_PLAIN}, {"1", 0}, {"(", 0},
        {"'a'", TOKEN_IS_PLAIN}, {"'a''b'", 0}, {"'a\\'b'", 0}, {"'\\n'", 0}, {"\"a\"", TOKEN_IS_PLAIN},
        {"n'a'", TOKEN_IS_PLAIN}, {"n''''", 0}, {"@a", TOKEN_IS_PLAIN}, {"@'a'", TOKEN_IS_PLAIN}, {"@'''a'", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct lexer l;
        struct token t;
        lex_init(&l, bytes_str(cases[i].text), &options);
        lex_mysql_next(&l, &t);
        ck_assert_msg(t.kind != TOKEN_ERROR && t.flags == cases[i].flags, "%s: %u", cases[i].text, t.flags);
    }
    struct lexer l;
    struct token t;
    lex_init(&l, bytes_str("/*! a*/b"), &options);
    lex_mysql_next(&l, &t);
    lex_mysql_next(&l, &t);
    ck_assert_uint_eq(t.flags, TOKEN_IS_PLAIN | TOKEN_AFTER_SPACE);
    /* A copy of a lexer is a bookmark. */
    lex_init(&l, bytes_str("? t.select ?"), &options);
    lex_mysql_next(&l, &t);
    lex_mysql_next(&l, &t);
    struct lexer mark = l;
    for (int round = 0; round < 2; round++, l = mark) {
        lex_mysql_next(&l, &t);
        ck_assert_uint_eq(t.kind, '.');
        lex_mysql_next(&l, &t);
        ck_assert_uint_eq(t.kind, TOKEN_IDENT);
        lex_mysql_next(&l, &t);
        ck_assert(t.kind == TOKEN_PARAM && t.value == 2);
    }
}
END_TEST

START_TEST(defaults_and_encodings) {
    struct sql_options pg = sql_options_default(SQL_POSTGRES), my = sql_options_default(SQL_MYSQL);
    ck_assert(pg.dialect == SQL_POSTGRES && pg.version >= 150000 && pg.encoding == SQL_ENCODING_UTF8);
    ck_assert_uint_eq(pg.modes, SQL_STANDARD_STRINGS);
    ck_assert(my.dialect == SQL_MYSQL && my.flavour == SQL_FLAVOUR_MYSQL && my.version >= 80000 && my.modes == 0);
    static const struct {
        enum sql_encoding encoding;
        const char *names[20];
    } classes[] = {
        {SQL_ENCODING_UTF8, {"UTF8", "utf8mb4", "utf8mb3", "UTF-8", "unicode"}},
        {SQL_ENCODING_SINGLE_BYTE, {"LATIN1", "latin1", "SQL_ASCII", "EUC_JP", "EUC_KR", "WIN1252", "KOI8R", "binary", "ujis", "MULE_INTERNAL"}},
        {SQL_ENCODING_UNSAFE, {"SJIS", "sjis", "SHIFT_JIS_2004", "BIG5", "GBK", "GB18030", "UHC", "JOHAB", "cp932", "euckr", "", "utf8mb", "x"}},
    };
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        for (const char *const *name = classes[i].names; *name; name++) {
            ck_assert_msg(sql_encoding_of(bytes_str(*name)) == classes[i].encoding, "%s", *name);
        }
    }
}
END_TEST

/* What would take longer than linear time or more stack than there is would be noticed here. */
START_TEST(long_texts) {
    mysql(90704);
    static const char *const pieces[] = {
        "_utf8 ", "/*!*/", "/*! ", "@@a.b ", "/*!99999 /* x */ */", "$", "a.", "--", "'' ", "((", "/**/",
    };
    static char text[1 << 20];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        size_t len = strlen(pieces[i]), count = sizeof text / len;
        for (size_t k = 0; k < count; k++) memcpy(text + k * len, pieces[i], len);
        struct lexer l;
        struct token t;
        lex_init(&l, bytes_of(text, count * len), &options);
        size_t tokens = 0;
        do lex_mysql_next(&l, &t);
        while (t.kind != TOKEN_END && t.kind != TOKEN_ERROR && ++tokens);
        ck_assert_uint_le(tokens, count * len);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("lex_mysql");
    tcase_add_test(tc, words_and_names);
    tcase_add_test(tc, dots);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, strings);
    tcase_add_test(tc, long_strings);
    tcase_add_test(tc, dollar_strings);
    tcase_add_test(tc, comments);
    tcase_add_test(tc, executable_comments);
    tcase_add_test(tc, hints);
    tcase_add_test(tc, introducers);
    tcase_add_test(tc, variables);
    tcase_add_test(tc, signs);
    tcase_add_test(tc, nul_bytes);
    tcase_add_test(tc, character_sets);
    tcase_add_test(tc, flags);
    tcase_add_test(tc, defaults_and_encodings);
    tcase_add_test(tc, long_texts);
    return check_main_of("lex_mysql", tc);
}
