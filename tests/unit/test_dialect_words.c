/* Versions, modes and whole sets of options from words. */
#include "parser/dialect_words.h"
#include "tests/unit/check_main.h"

static uint32_t pg(const char *text) {
    return sql_version_of(SQL_POSTGRES, bytes_str(text));
}

static uint32_t my(const char *text) {
    return sql_version_of(SQL_MYSQL, bytes_str(text));
}

START_TEST(versions_of_postgresql) {
    ck_assert_uint_eq(pg("15"), 150000);
    ck_assert_uint_eq(pg("15.4"), 150004);
    ck_assert_uint_eq(pg("15.14 (Debian 15.14-1.pgdg120+1)"), 150014);
    ck_assert_uint_eq(pg("9.6.24"), 90624);
    ck_assert_uint_eq(pg("19beta1"), 190000);
    ck_assert_uint_eq(pg("18rc2"), 180000);
    ck_assert_uint_eq(pg("19devel"), 190000);
    ck_assert_uint_eq(pg("15.4-custom"), 150004);
    static const char *const none[] = {"", "x", "15.", ".15", "15.4.1", "15x", "-15", "1000", "99999999999", "v15"};
    for (size_t i = 0; i < COUNT_OF(none); i++) ck_assert_msg(pg(none[i]) == 0, "%s", none[i]);
}
END_TEST

START_TEST(versions_of_mysql) {
    ck_assert_uint_eq(my("8.0.36"), 80036);
    ck_assert_uint_eq(my("8.0"), 80000);
    ck_assert_uint_eq(my("8"), 80000);
    ck_assert_uint_eq(my("9.7.4"), 90704);
    ck_assert_uint_eq(my("10.11.18"), 101118);
    ck_assert_uint_eq(my("10.11.18-MariaDB-1:10.11.18+maria~deb12"), 101118);
    ck_assert_uint_eq(my("8.0.36-0ubuntu0.22.04.1"), 80036);
    ck_assert_uint_eq(my("5.7.44-log"), 50744);
    static const char *const none[] = {"", "8.", "8.0.100", "8.100", "8.0.1.2", "8.0beta", "mysql"};
    for (size_t i = 0; i < COUNT_OF(none); i++) ck_assert_msg(my(none[i]) == 0, "%s", none[i]);
}
END_TEST

static uint32_t modes(enum sql_flavour flavour, const char *list) {
    uint32_t found = 0;
    struct bytes unknown = {0};
    ck_assert_msg(sql_modes_of(flavour, bytes_str(list), &found, &unknown), "%s", list);
    return found;
}

START_TEST(modes_of_mysql) {
    enum { ANSI = SQL_PIPES_AS_CONCAT | SQL_ANSI_QUOTES | SQL_IGNORE_SPACE };
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, ""), 0);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, "ANSI_QUOTES"), SQL_ANSI_QUOTES);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, "ansi_quotes, No_Backslash_Escapes,,"),
                      SQL_ANSI_QUOTES | SQL_NO_BACKSLASH_ESCAPES);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, "HIGH_NOT_PRECEDENCE"), SQL_HIGH_NOT_PRECEDENCE);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, "ANSI"), ANSI);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MARIADB, "ORACLE"), ANSI | SQL_ORACLE);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, "ORACLE"), ANSI);
    /* the defaults of MySQL 8.4 and MariaDB 10.11 */
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MYSQL, "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
                                               "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"), 0);
    ck_assert_uint_eq(modes(SQL_FLAVOUR_MARIADB, "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,"
                                                 "NO_ENGINE_SUBSTITUTION"), 0);
    uint32_t found = 7;
    struct bytes unknown;
    ck_assert(!sql_modes_of(SQL_FLAVOUR_MYSQL, bytes_str("ANSI, QUOTES ,DB2"), &found, &unknown));
    ck_assert(bytes_is(unknown, "QUOTES"));
    ck_assert_uint_eq(found, 7);
}
END_TEST

static struct sql_options options_of(struct sql_option_words words) {
    struct sql_options options;
    struct err err = {0};
    ck_assert_msg(sql_options_of(&words, &options, &err), "%s", err.message);
    return options;
}

START_TEST(options_from_words) {
    struct sql_options o = options_of((struct sql_option_words){0});
    struct sql_options usual = sql_options_default(SQL_POSTGRES);
    ck_assert_int_eq(o.dialect, SQL_POSTGRES);
    ck_assert_uint_eq(o.version, usual.version);
    ck_assert_uint_eq(o.modes, SQL_STANDARD_STRINGS);
    ck_assert_int_eq(o.encoding, SQL_ENCODING_UTF8);

    o = options_of((struct sql_option_words){.dialect = "Postgres", .version = "15.4", .standard_strings = "OFF", .encoding = "SJIS"});
    ck_assert_uint_eq(o.version, 150004);
    ck_assert_uint_eq(o.modes, 0);
    ck_assert_int_eq(o.encoding, SQL_ENCODING_UNSAFE);

    o = options_of((struct sql_option_words){.dialect = "mysql", .modes = "ANSI_QUOTES"});
    ck_assert_int_eq(o.dialect, SQL_MYSQL);
    ck_assert_int_eq(o.flavour, SQL_FLAVOUR_MYSQL);
    ck_assert_uint_eq(o.modes, SQL_ANSI_QUOTES);
}
END_TEST

START_TEST(a_flavour_follows_from_the_version) {
    static const struct {
        const char *flavour, *version;
        enum sql_flavour expected;
        uint32_t number;
    } rows[] = {
        {NULL, NULL, SQL_FLAVOUR_MYSQL, 80400},
        {"mysql", NULL, SQL_FLAVOUR_MYSQL, 80400},
        {"mariadb", NULL, SQL_FLAVOUR_MARIADB, 101100},
        {NULL, "8.0.36", SQL_FLAVOUR_MYSQL, 80036},
        {NULL, "9.7.4", SQL_FLAVOUR_MYSQL, 90704},
        {NULL, "10.11.18", SQL_FLAVOUR_MARIADB, 101118},
        {NULL, "11.8.2", SQL_FLAVOUR_MARIADB, 110802},
        {NULL, "5.5.68-mariadb", SQL_FLAVOUR_MARIADB, 50568},
        {"mysql", "10.1", SQL_FLAVOUR_MYSQL, 100100},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_options o =
            options_of((struct sql_option_words){.dialect = "mysql", .flavour = rows[i].flavour, .version = rows[i].version});
        ck_assert_int_eq(o.flavour, rows[i].expected);
        ck_assert_uint_eq(o.version, rows[i].number);
    }
}
END_TEST

START_TEST(what_makes_no_sense_is_named) {
    static const struct {
        struct sql_option_words words;
        const char *message;
    } rows[] = {
        {{.dialect = "oracle"}, "the dialect is postgres or mysql, not \"oracle\""},
        {{.flavour = "mariadb"}, "a flavour is of the dialect mysql: ask for that one"},
        {{.dialect = "mysql", .flavour = "percona"}, "the flavour is mysql or mariadb, not \"percona\""},
        {{.version = "15.4.1"}, "the version is one such as 15 or 15.4, not \"15.4.1\""},
        {{.dialect = "mysql", .version = "new"}, "the version is one such as 8.0.36 or 10.11.18, not \"new\""},
        {{.modes = "ANSI"}, "sql_mode is of the dialect mysql: ask for that one"},
        {{.dialect = "mysql", .modes = "ANSI,QUOTES"},
         "\"QUOTES\" is no sql_mode; modes stand in a list such as ANSI_QUOTES,NO_BACKSLASH_ESCAPES"},
        {{.dialect = "mysql", .standard_strings = "on"}, "standard strings are of the dialect postgres"},
        {{.standard_strings = "yes"}, "the setting of standard strings is on or off, not \"yes\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_options options;
        struct err err = {0};
        ck_assert(!sql_options_of(&rows[i].words, &options, &err));
        ck_assert_str_eq(err.message, rows[i].message);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("dialect words");
    tcase_add_test(tc, versions_of_postgresql);
    tcase_add_test(tc, versions_of_mysql);
    tcase_add_test(tc, modes_of_mysql);
    tcase_add_test(tc, options_from_words);
    tcase_add_test(tc, a_flavour_follows_from_the_version);
    tcase_add_test(tc, what_makes_no_sense_is_named);
    return check_main_of("dialect_words", tc);
}
