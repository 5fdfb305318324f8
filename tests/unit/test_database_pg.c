/* Which database a statement needs for itself alone. */
#include "routing/database_pg.h"
#include "tests/unit/check_main.h"

static const struct {
    const char *text, *database; /* NULL: none */
} texts[] = {
    {"DROP DATABASE shadow", "shadow"},
    {"drop database if exists \"Odd \"\"one\" with (force)", "Odd \"one"},
    {"-- why\n /* and /* so */ on */ ;; Drop Database X;", "x"},
    {"ALTER DATABASE d RENAME TO e", "d"},
    {"ALTER DATABASE d SET TABLESPACE t", "d"},
    {"CREATE DATABASE d", "template1"},
    {"CREATE DATABASE d OWNER o TEMPLATE = e ENCODING 'UTF8'", "e"},
    {"CREATE DATABASE d TEMPLATE 'E f'", "E f"},
    {"CREATE DATABASE d WITH TEMPLATE DEFAULT", "template1"},
    {"CREATE DATABASE d TEMPLATE 'E\\x'", NULL},
    {"ALTER DATABASE d SET work_mem = '1MB'", NULL},
    {"ALTER DATABASE d OWNER TO o", NULL},
    {"ALTER DATABASE d CONNECTION LIMIT 5", NULL},
    {"DROP DATABASE d; SELECT 1", NULL},
    {"DROP DATABASE", NULL},
    {"DROP TABLE database", NULL},
    {"CREATE TABLE d (x int)", NULL},
    {"DELETE FROM t", NULL},
    {"SELECT 'drop database d'", NULL},
    {"/* drop database d */ SELECT 1", NULL},
    {"", NULL},
    {"DROP DATABASE a123456789b123456789c123456789d123456789e123456789f123456789ABC", "a123456789b123456789c123456789d123456789e123456789f123456789abc"},
    {"DROP DATABASE a123456789b123456789c123456789d123456789e123456789f123456789ABCD", "a123456789b123456789c123456789d123456789e123456789f123456789abc"},
};

START_TEST(needed_databases) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct bytes text = bytes_str(texts[_i].text);
    char name[DATABASE_PG_NAME_MAX];
    struct arena arena;
    arena_init(&arena, 1 << 20);
    bool needs = database_pg_may_start(text) && database_pg_starts(text) && database_pg_needs(text, &options, &arena, name);
    ck_assert_msg(needs == (texts[_i].database != NULL), "%s", texts[_i].text);
    if (needs) ck_assert_str_eq(name, texts[_i].database);
    arena_release(&arena);
}
END_TEST

/* What runs all day is not even read. */
START_TEST(others_are_seen_at_once) {
    static const char *const others[] = {"SELECT 1", "DELETE FROM t", "CREATE TABLE t ()", "COMMIT", " -- x\nUPDATE t SET a = 1", "$", "'", "/*"};
    for (size_t i = 0; i < COUNT_OF(others); i++) ck_assert_msg(!database_pg_starts(bytes_str(others[i])), "%s", others[i]);
    ck_assert(!database_pg_may_start(bytes_str("SELECT 1")) && !database_pg_may_start(bytes_str("")));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("database_pg");
    tcase_add_loop_test(tc, needed_databases, 0, COUNT_OF(texts));
    tcase_add_test(tc, others_are_seen_at_once);
    return check_main_of("database_pg", tc);
}
