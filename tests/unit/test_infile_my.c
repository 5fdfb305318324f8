/* The client's own files that texts of MySQL's name. */
#include <stdlib.h>

#include "routing/infile_my.h"
#include "tests/unit/check_main.h"

/* The names, with bars between them. */
static const char *names_of(struct bytes text, uint32_t modes, char *out) {
    struct sql_options options = sql_options_default(SQL_MYSQL);
    uint8_t storage[256];
    struct writer names;
    options.flavour = SQL_FLAVOUR_MARIADB;
    options.modes |= modes;
    writer_init_fixed(&names, storage, sizeof storage);
    if (infile_my_may_name(text)) infile_my_put_names(text, &options, &names);
    ck_assert(!names.failed);
    for (size_t i = 0; i < names.len; i++) out[i] = storage[i] ? (char)storage[i] : '|';
    out[names.len] = '\0';
    return out;
}

static const struct {
    const char *text, *names;
} texts[] = {
    {"load data local infile 'a' into table t", "a|"},
    {"LOAD DATA LOW_PRIORITY LOCAL INFILE \"/tmp/a b\" REPLACE INTO TABLE t", "/tmp/a b|"},
    {"  LOAD XML CONCURRENT LOCAL /* here */ INFILE'x'INTO TABLE t", "x|"},
    {"/* a note */ load data local infile 'a' into table t", "a|"},
    {"-- a note\nload data local infile 'a' into table t", "a|"},
    {"select 1; load data local infile 'a' into table t; load data local infile 'b' into table t", "a|b|"},
    {"load data /*!50000 local */ infile 'a' into table t", "a|"},
    {"load data local infile 'it''s\\t\\'new\\'\\\\\\x' into table t", "it's\t'new'\\x|"},
    {"load data local infile 'a\\%\\_' into table t", "a\\%\\_|"},
    {"load data infile 'a' into table t", ""},
    {"load data local infile '' into table t", ""},
    {"load data local infile 'a\\0b' into table t", ""},
    {"load data local infile 'a", ""}, /* cut */
    {"load data local infile `a` into table t", ""},
    {"select 'x; load data local infile ''a'''", ""},
    {"select 1 -- ; load data local infile 'a'", ""},
    {"lock tables infile read", ""},
    {"insert into t values ('; infile')", ""},
    {"", ""},
    {"   ", ""},
};

START_TEST(files_are_found) {
    char out[256];
    ck_assert_str_eq(names_of(bytes_str(texts[_i].text), 0, out), texts[_i].names);
}
END_TEST

START_TEST(a_backslash_may_be_one) {
    char out[256];
    struct bytes text = bytes_str("load data local infile 'C:\\new\\t''s' into table t");
    ck_assert_str_eq(names_of(text, SQL_NO_BACKSLASH_ESCAPES, out), "C:\\new\\t's|");
    ck_assert_str_eq(names_of(text, 0, out), "C:\new\t's|");
}
END_TEST

/* Every beginning of a text: nothing is read behind its end, and no name comes but the one that is there. */
START_TEST(texts_may_be_cut) {
    static const char text[] = "select 1; load data local infile 'a\\\\''b' into table t";
    char out[256];
    for (size_t len = 0; len < sizeof text; len++) {
        uint8_t *block = malloc(len ? len : 1);
        ck_assert_ptr_nonnull(block);
        memcpy(block, text, len);
        const char *names = names_of(bytes_of(block, len), 0, out);
        ck_assert_msg(!*names || strcmp(names, "a\\'b|") == 0 || strcmp(names, "a\\|") == 0, "%zu bytes: %s", len, names);
        free(block);
    }
}
END_TEST

START_TEST(most_texts_cost_a_look_at_their_first_word) {
    ck_assert(!infile_my_may_name(bytes_str("select infile from t")));
    ck_assert(!infile_my_may_name(bytes_str("insert into infile values (1)")));
    ck_assert(infile_my_may_name(bytes_str("select 1; infile")));
    ck_assert(infile_my_may_name(bytes_str("/**/ InFile")));
}
END_TEST

int main(void) {
    TCase *c = tcase_create("infile_my");
    tcase_add_loop_test(c, files_are_found, 0, (int)(sizeof texts / sizeof *texts));
    tcase_add_test(c, a_backslash_may_be_one);
    tcase_add_test(c, texts_may_be_cut);
    tcase_add_test(c, most_texts_cost_a_look_at_their_first_word);
    return check_main_of("infile_my", c);
}
