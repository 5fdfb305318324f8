/* Which texts ask for a consistency token first. */
#include "routing/token_pg.h"
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

int main(void) {
    TCase *tc = tcase_create("token_pg");
    tcase_add_test(tc, what_asks);
    tcase_add_test(tc, what_does_not);
    return check_main_of("token_pg", tc);
}
