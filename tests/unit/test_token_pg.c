/* Which texts ask for a consistency token first. */
#include "routing/token_pg.h"

#include <stdio.h>

#include "tests/unit/check_main.h"

static bool asks(const char *text) {
    const struct sql_options options = sql_options_default(SQL_POSTGRES);
    bool does = token_pg_is_asked(bytes_str(text), &options);
    ck_assert(!does || token_pg_may_be(bytes_str(text)));
    return does;
}

START_TEST(what_asks) {
    ck_assert(asks("SHOW gilmok.consistency_token"));
    ck_assert(asks("show GILMOK . Consistency_Token ; ;"));
    ck_assert(asks("\n  show gilmok.consistency_token\n"));
    ck_assert(asks("/* who asks */ ; SHOW gilmok.consistency_token"));
    ck_assert(asks("SHOW/**/gilmok.consistency_token -- now"));
    ck_assert(asks("SHOW \"gilmok\".consistency_token"));
    ck_assert(asks("SHOW \"Gilmok\" . \"CONSISTENCY_token\""));
    ck_assert(asks("SHOW gilmok.consistency_token; SELECT 1"));
}
END_TEST

START_TEST(what_does_not) {
    static const char *const texts[] = {
        "", "SHOW", "SHOW gilmok", "SHOW gilmok.", "SHOW gilmok.route", "SHOW consistency_token", "SHOW gilmok.consistency_token.x",
        "SELECT 1; SHOW gilmok.consistency_token", "\"SHOW\" gilmok.consistency_token", "SHOW \"gilmok.consistency_token\"",
        "SHOW \"gilmok", "SHOW gilmok.\"\"", "SHOW gilmok.consistency_token SELECT 1", "SHOW gilmok.consistency_tokens", "SHOWgilmok.consistency_token", "SET gilmok.consistency_token = ''",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) ck_assert_msg(!asks(texts[i]), "%s", texts[i]);
}
END_TEST

/* "": it says nothing that could be compared. */
static const char *said(const char *text) {
    static char out[64];
    struct token_pg t;
    out[0] = 0;
    if (token_pg_read(bytes_str(text), &t))
        snprintf(out, sizeof out, "%u %llX %llX", t.timeline, (unsigned long long)t.lsn, (unsigned long long)t.system_id);
    return out;
}

START_TEST(what_a_token_says) {
    ck_assert_str_eq(said("00000003/0/5A2F110/6A3C0D5B2F9E41A7"), "3 5A2F110 6A3C0D5B2F9E41A7");
    ck_assert_str_eq(said("FFFFFFFF/ffffffff/00000001/1"), "4294967295 FFFFFFFF00000001 1");
    ck_assert_str_eq(said("1/1/0/FFFFFFFFFFFFFFFF"), "1 100000000 FFFFFFFFFFFFFFFF");
}
END_TEST

START_TEST(what_says_nothing) {
    static const char *const texts[] = {
        "", "/", "00000003/0/5A2F110", "00000003/0/5A2F110/", "00000003/0/5A2F110/0", "0/0/5A2F110/1", "1/0/0/1", "1//5A2F110/1",
        "100000003/0/5A2F110/1", "1/100000000/1/1", "1/0/100000000/1", "1/0/1/10000000000000000", "1/0/1/1/", "1/0/1/1/1", "1/0/1/-1",
        "1/0/0x1/1", " 1/0/1/1", "1/0/1/1 ", "1/0/1/G", "mine",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) ck_assert_msg(!*said(texts[i]), "%s", texts[i]);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("token_pg");
    tcase_add_test(tc, what_asks);
    tcase_add_test(tc, what_does_not);
    tcase_add_test(tc, what_a_token_says);
    tcase_add_test(tc, what_says_nothing);
    return check_main_of("token_pg", tc);
}
