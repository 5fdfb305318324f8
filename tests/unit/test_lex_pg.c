/*
 * test_lex_pg.c - PostgreSQL's tokens, rule by rule.
 *
 * Expected tokens are written one after the other, a letter for what has no keyword and is no sign: n name, q quoted
 * name, Q name with Unicode escapes, i integer, r number, s string, e string with escapes, S string with Unicode escapes,
 * d dollar-quoted string, N national string, b bit string, x hexadecimal string, o operator, p parameter with its number,
 * k keyword; behind it its text in brackets. !7 is an error at byte 7.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parser/lex.h"
#include "tests/unit/check_main.h"

static struct sql_options options;

static char kind_letter(uint16_t kind) {
    static const char letters[TOKEN_KIND_COUNT] = {
        [TOKEN_IDENT] = 'n', [TOKEN_QUOTED_IDENT] = 'q', [TOKEN_UNICODE_IDENT] = 'Q', [TOKEN_INTEGER] = 'i', [TOKEN_NUMBER] = 'r',
        [TOKEN_STRING] = 's', [TOKEN_ESCAPE_STRING] = 'e', [TOKEN_UNICODE_STRING] = 'S', [TOKEN_DOLLAR_STRING] = 'd',
        [TOKEN_NATIONAL_STRING] = 'N', [TOKEN_BIT_STRING] = 'b', [TOKEN_HEX_STRING] = 'x', [TOKEN_OPERATOR] = 'o',
    };
    return kind >= KEYWORD_FIRST ? 'k' : letters[kind];
}

/* All tokens of a text, in the notation above. Static. The text is copied so that reading behind it is noticed. */
static const char *tokens_of(struct bytes text) {
    static char out[8192];
    size_t used = 0;
    uint8_t *exact = malloc(text.len ? text.len : 1);
    struct lexer l;
    struct token t;
    uint32_t last = 0;
    if (text.len > 0) memcpy(exact, text.ptr, text.len);
    lex_init(&l, bytes_of(exact, text.len), &options);
    out[0] = 0;
    for (lex_pg_next(&l, &t); t.kind != TOKEN_END && t.kind != TOKEN_ERROR; lex_pg_next(&l, &t)) {
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
        snprintf(out + used, sizeof out - used, "%s!%u", used ? " " : "", l.problem_at);
    }
    uint16_t end = t.kind;
    lex_pg_next(&l, &t);
    ck_assert_uint_eq(t.kind, end);
    free(exact);
    return out;
}

struct example {
    const char *text, *tokens;
};

static void check_all(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *got = tokens_of(bytes_str(examples[i].text));
        ck_assert_msg(strcmp(got, examples[i].tokens) == 0, "%s\n  gives     %s\n  expected  %s", examples[i].text, got,
                      examples[i].tokens);
    }
}
#define CHECK_ALL(examples) check_all(examples, COUNT_OF(examples))

static void version(uint32_t number) {
    options = sql_options_default(SQL_POSTGRES);
    options.version = number;
}

START_TEST(names_and_keywords) {
    static const struct example examples[] = {
        {"select Foo _a1 a$b$c", "k[select] n[Foo] n[_a1] n[a$b$c]"},
        {"SeLeCt sel\xc3\xa9", "k[SeLeCt] n[sel\xc3\xa9]"},
        {"\"a b\" \"a\"\"b\" \"select\"", "q[\"a b\"] q[\"a\"\"b\"] q[\"select\"]"},
        {"\"\"", "!0"},
        {"a \"b", "n[a] !2"},
        {"U&\"d\\0061t\\+000061\"", "Q[U&\"d\\0061t\\+000061\"]"},
        {"u&\"d!0061\" UESCAPE '!' x", "Q[u&\"d!0061\" UESCAPE '!'] n[x]"},
        {"u & b", "n[u] o[&] n[b]"},
        {"u&b", "n[u] o[&] n[b]"},
        {"json_table enforced", "n[json_table] n[enforced]"},
        {"current_catalog_of_everything_that_there_is_in_the_world_and_more_than_that", "n[current_catalog_of_everything_that_there_is_in_the_world_and_more_than_that]"},
    };
    CHECK_ALL(examples);
    version(180000);
    static const struct example newer[] = {{"json_table enforced", "k[json_table] k[enforced]"}};
    CHECK_ALL(newer);
}
END_TEST

START_TEST(strings) {
    static const struct example examples[] = {
        {"'a' '' 'it''s'", "s['a'] s[''] s['it''s']"},
        {"'a\\' c'", "s['a\\'] n[c] !6"}, /* the last quote opens another string */
        {"'a\\' b'", "s['a\\'] !5"},      /* and here a bit string */
        {"'a'\n'b'", "s['a'\n'b']"},
        {"'a' -- x\n 'b' c", "s['a' -- x\n 'b'] n[c]"},
        {"'a' /* x */\n 'b'", "s['a'] s['b']"},
        {"'a' 'b'", "s['a'] s['b']"},
        {"'a'\n-- end", "s['a']"},
        {"E'a\\'b' e'\\n\\x41\\u0041\\U00000041\\101'", "e[E'a\\'b'] e[e'\\n\\x41\\u0041\\U00000041\\101']"},
        {"E'\\u12'", "!2"},
        {"E'\\ud83d\\ude00'", "e[E'\\ud83d\\ude00']"},
        {"E'\\ud83d x'", "!8"},
        {"E'\\ude00'", "!2"},
        {"E'\\000'", "!2"},
        {"E'\\x0'", "!2"},
        {"E'a\\", "!0"},
        {"U&'d\\0061' U&'d!0061' UESCAPE '!'", "S[U&'d\\0061'] S[U&'d!0061' UESCAPE '!']"},
        {"U&'\\00'", "!0"},
        {"U&'a' UESCAPE 'ab'", "!14"},
        {"U&'a' UESCAPE '+'", "!14"},
        {"U&'a' UESCAPE b", "!14"},
        {"B'01' x'1F' N'n'", "b[B'01'] x[x'1F'] N[N'n']"},
        {"'open", "!0"},
        {"'open''", "!0"},
        {"$$a'b$$ $t$ $$ $t$ $T$ $t$ $T$", "d[$$a'b$$] d[$t$ $$ $t$] d[$T$ $t$ $T$]"},
        {"$a$ x $a", "!0"},
        {"$1a$", "!0"},
        {"$", "!0"},
    };
    CHECK_ALL(examples);
}
END_TEST

START_TEST(strings_with_backslashes) {
    options.modes = 0; /* standard_conforming_strings = off */
    static const struct example examples[] = {
        {"'a\\'b' c", "e['a\\'b'] n[c]"},
        {"'a''b'", "e['a''b']"},
        {"U&'a'", "!0"},
        {"U&\"a\"", "Q[U&\"a\"]"},
        {"N'a\\'b'", "N[N'a\\'b']"},
    };
    CHECK_ALL(examples);
}
END_TEST

START_TEST(numbers) {
    static const struct example examples[] = {
        {"1 42 007", "i[1] i[42] i[007]"},
        {"1.5 .5 5. 1e5 1E+5 1.e-3 .5e1", "r[1.5] r[.5] r[5.] r[1e5] r[1E+5] r[1.e-3] r[.5e1]"},
        {"1..10", "i[1] .. i[10]"},
        {"1...10", "i[1] .. r[.10]"},
        {"a.b.1", "n[a] . n[b] r[.1]"},
        {"1a", "!0"},
        {"1e", "!0"},
        {"1e+", "!0"},
        {"1_000", "!0"},
        {"0x1F", "!0"},
        {"$1 $12+$3", "p1 p12 + p3"},
        {"$1or", "!0"},
        {"$2147483647 $2147483648", "p2147483647 !12"},
    };
    CHECK_ALL(examples);
    version(140000);
    static const struct example older[] = {{"1a $1or 0x1F", "i[1] n[a] p1 k[or] i[0] n[x1F]"}};
    CHECK_ALL(older);
    version(160000);
    static const struct example newer[] = {
        {"1_000 0x1F 0X_ff 0o17 0b1_01 1_0.5_0e1_0", "i[1_000] i[0x1F] i[0X_ff] i[0o17] i[0b1_01] r[1_0.5_0e1_0]"},
        {"1__0", "!0"},
        {"1_", "!0"},
        {"0x", "!0"},
        {"0b12", "i[0b1] i[2]"},
    };
    CHECK_ALL(newer);
}
END_TEST

START_TEST(operators) {
    static const struct example examples[] = {
        {"a=-1", "n[a] = - i[1]"},
        {"c@-1", "n[c] o[@-] i[1]"},
        {"a*-b", "n[a] * - n[b]"},
        {"a<=b>=c<>d!=e", "n[a] <= n[b] >= n[c] <> n[d] <> n[e]"},
        {"a->b->>c @> d", "n[a] o[->] n[b] o[->>] n[c] o[@>] n[d]"},
        {"a?b ?| c", "n[a] o[?] n[b] o[?|] n[c]"},
        {"a::int b:=c d=>e f:g", "n[a] :: k[int] n[b] := n[c] n[d] => n[e] n[f] : n[g]"},
        {"a+/*c*/b", "n[a] + n[b]"},
        {"a+--c\nb", "n[a] + n[b]"},
        {"a<--b\n", "n[a] <"},
        {"a||b", "n[a] o[||] n[b]"},
        {"#@!+-", "o[#@!+-]"},
        {"+-", "+ -"},
        {"@+-+", "o[@+-+]"},
        {"=*-+", "o[=*] - +"},
        {"+-+*+-+ @+- *-+", "o[+-+*] + - + o[@+-] * - +"},
        {"~ ! @ # ^ & | ` ? + - * / % < > =", "o[~] o[!] o[@] o[#] ^ o[&] o[|] o[`] o[?] + - * / % < > ="},
        {"( ) [ ] , ; .", "( ) [ ] , ; ."},
    };
    CHECK_ALL(examples);
}
END_TEST

START_TEST(spaces_and_comments) {
    static const struct example examples[] = {
        {" \t\r\n\fa", "n[a]"},
        {"a/* x /* y */ z */b", "n[a] n[b]"},
        {"a/* x /* y */", "n[a] !1"},
        {"/*", "!0"},
        {"/**/a", "n[a]"},
        {"/*/a", "!0"},
        {"-- all of it", ""},
        {"a--x\rb", "n[a] n[b]"},
        {"", ""},
        {"\\", "!0"},
        {"a {", "n[a] !2"},
        {"a\vb", "n[a] !1"},
    };
    CHECK_ALL(examples);
    ck_assert_str_eq(tokens_of(bytes_of("a\0b", 3)), "n[a] !1");
    version(160000);
    static const struct example newer[] = {{"a\vb", "n[a] n[b]"}};
    CHECK_ALL(newer);
}
END_TEST

START_TEST(encodings) {
    static const struct example invalid[] = {
        {"'\xff'", "!1"},
        {"a \xc3", "!2"},
        {"\xc0\xaf", "!0"},
        {"\xed\xa0\x80", "!0"},
        {"\xf4\x90\x80\x80", "!0"},
        {"\xe0\x9f\xbf", "!0"},
        {"'0123456789abcdef\x80'", "!17"},
        {"'\xf0\x9f\x98\x80' \xef\xbf\xbf", "s['\xf0\x9f\x98\x80'] n[\xef\xbf\xbf]"},
    };
    CHECK_ALL(invalid);
    options.encoding = SQL_ENCODING_SINGLE_BYTE;
    static const struct example single[] = {{"'\xff' \xe4", "s['\xff'] n[\xe4]"}};
    CHECK_ALL(single);
    options.encoding = SQL_ENCODING_UNSAFE;
    static const struct example unsafe[] = {{"'\x95\x5c' x", "!1"}, {"'a' x", "s['a'] n[x]"}};
    CHECK_ALL(unsafe);
}
END_TEST

static void setup(void) {
    version(150000);
}

int main(void) {
    TCase *all = tcase_create("tokens");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, names_and_keywords);
    tcase_add_test(all, strings);
    tcase_add_test(all, strings_with_backslashes);
    tcase_add_test(all, numbers);
    tcase_add_test(all, operators);
    tcase_add_test(all, spaces_and_comments);
    tcase_add_test(all, encodings);
    return check_main_of("PostgreSQL's tokens", all);
}
