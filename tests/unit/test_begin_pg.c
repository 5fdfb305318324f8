/* Which texts are nothing but a BEGIN, a SET TRANSACTION or the end of one. */
#include <stdio.h>

#include "routing/begin_pg.h"
#include "tests/unit/check_main.h"

/* "COMMIT", "BEGIN READ ONLY": its tag, and with modes what a BEGIN with them looks like; "" where it is none. */
static const char *of(const char *text) {
    static char out[2 * BEGIN_PG_TEXT_MAX];
    const struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct begin_modes modes = {0};
    enum begin_verb verb = begin_pg_read(bytes_str(text), &options, &modes);
    char again[BEGIN_PG_TEXT_MAX];
    snprintf(out, sizeof out, "%s", begin_pg_tag(verb));
    if (!verb) {
        ck_assert(!modes.isolation && !modes.access && !modes.deferrable);
        return out;
    }
    begin_pg_text(&modes, again);
    snprintf(out + strlen(out), sizeof out - strlen(out), "%s", again + strlen("BEGIN"));
    bool may_be = begin_pg_may_be(bytes_str(text), verb != BEGIN_BEGINS && verb != BEGIN_STARTS);
    ck_assert_msg(may_be || strchr(" ;\t", *text), "%s", text);
    struct begin_modes same = {0};
    ck_assert_int_eq(begin_pg_read(bytes_str(again), &options, &same), BEGIN_BEGINS);
    ck_assert_int_eq(memcmp(&same, &modes, sizeof same), 0);
    return out;
}

START_TEST(what_begins) {
    ck_assert_str_eq(of("BEGIN"), "BEGIN");
    ck_assert_str_eq(of("begin;"), "BEGIN");
    ck_assert_str_eq(of("BEGIN WORK"), "BEGIN");
    ck_assert_str_eq(of("BEGIN TRANSACTION READ ONLY"), "BEGIN READ ONLY");
    ck_assert_str_eq(of("START TRANSACTION"), "START TRANSACTION");
    ck_assert_str_eq(of("start transaction isolation level repeatable read, read write;;"),
                     "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE");
    ck_assert_str_eq(of("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"),
                     "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
    ck_assert_str_eq(of(" ;\n BEGIN ISOLATION LEVEL READ COMMITTED, NOT DEFERRABLE ; "),
                     "BEGIN ISOLATION LEVEL READ COMMITTED NOT DEFERRABLE");
    ck_assert_str_eq(of("BEGIN ISOLATION LEVEL READ UNCOMMITTED"), "BEGIN ISOLATION LEVEL READ UNCOMMITTED");
    ck_assert_str_eq(of("BEGIN READ ONLY, READ WRITE"), "BEGIN READ WRITE"); /* the last one counts */
}
END_TEST

START_TEST(what_sets_and_ends) {
    ck_assert_str_eq(of("SET TRANSACTION READ ONLY"), "SET READ ONLY");
    ck_assert_str_eq(of("SET LOCAL TRANSACTION ISOLATION LEVEL REPEATABLE READ"), "SET ISOLATION LEVEL REPEATABLE READ");
    ck_assert_str_eq(of("COMMIT"), "COMMIT");
    ck_assert_str_eq(of("END TRANSACTION;"), "COMMIT");
    ck_assert_str_eq(of("commit work and no chain"), "COMMIT");
    ck_assert_str_eq(of("ROLLBACK"), "ROLLBACK");
    ck_assert_str_eq(of("ABORT"), "ROLLBACK");
    ck_assert_str_eq(of("COMMIT /* of request 5 */"), "COMMIT"); /* nothing runs that it could be about */
    ck_assert_str_eq(of("ROLLBACK -- why"), "ROLLBACK");
}
END_TEST

static bool may_end(const char *text) {
    const struct sql_options options = sql_options_default(SQL_POSTGRES);
    return begin_pg_may_end(bytes_str(text), &options);
}

START_TEST(what_a_failed_transaction_listens_to) {
    static const char *const ends[] = {
        "", " ; -- nothing", "COMMIT", "/* a */ ;; end", "abort work", "ROLLBACK; SELECT 1", "rollback and chain", "ROLLBACK TO s",
        "PREPARE TRANSACTION 'x'", "COMMIT 1",
    };
    static const char *const others[] = {"SELECT 1", "SELECT 1; ROLLBACK", "\"rollback\"", "BEGIN", "SET TRANSACTION READ ONLY", "'"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) ck_assert_msg(may_end(ends[i]), "%s", ends[i]);
    for (size_t i = 0; i < COUNT_OF(others); i++) ck_assert_msg(!may_end(others[i]), "%s", others[i]);
}
END_TEST

START_TEST(modes_are_added) {
    const struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct begin_modes modes = {.isolation = ISOLATION_REPEATABLE_READ, .access = ACCESS_READ_WRITE};
    char text[BEGIN_PG_TEXT_MAX];
    ck_assert_int_eq(begin_pg_read(bytes_str("SET TRANSACTION READ ONLY, DEFERRABLE"), &options, &modes), BEGIN_SETS);
    ck_assert_str_eq(begin_pg_text(&modes, text), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE");
    ck_assert_int_eq(begin_pg_read(bytes_str("SET TRANSACTION READ WRITE, ISOLATION LEVEL ?"), &options, &modes), BEGIN_NO_VERB);
    ck_assert_str_eq(begin_pg_text(&modes, text), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE");
}
END_TEST

START_TEST(what_is_the_servers) {
    static const char *const texts[] = {
        "", ";", "SELECT 1", "BEGIN; SELECT 1", "BEGIN; BEGIN", "SELECT 1; COMMIT", "BEGIN READ", "BEGIN ISOLATION", "BEGIN NOT",
        "BEGIN ISOLATION LEVEL", "BEGIN ISOLATION LEVEL REPEATABLE", "BEGIN ISOLATION LEVEL CHAOS", "BEGIN ISOLATION LEVEL READ ONLY",
        "BEGIN READ ONLY,", "BEGIN , READ ONLY", "BEGIN WORK TRANSACTION", "START", "START WORK", "STARTTRANSACTION", "\"BEGIN\"",
        "BEGIN ATOMIC", "BEGIN 'x'", "BEGIN $1", "BEGIN /* gilmok: primary */", "BEGIN -- why", "BEGIN /*", "SET TRANSACTION",
        "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION READ ONLY", "SET transaction_read_only = on", "SET LOCAL work_mem = '1MB'", "COMMIT AND CHAIN",
        "COMMIT AND NO", "COMMIT PREPARED 'x'", "ROLLBACK TO s", "ROLLBACK WORK TO SAVEPOINT s", "ROLLBACK AND CHAIN",
        "ROLLBACK PREPARED 'x'", "PREPARE TRANSACTION 'x'", "SAVEPOINT s", "RELEASE s", "END IF", "ABORT ABORT",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) ck_assert_msg(!*of(texts[i]), "%s", texts[i]);
}
END_TEST

/* The name; "" for what imports nothing. */
static const char *imported(const char *text) {
    static char out[64];
    const struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct bytes name = {0};
    bool does = begin_pg_imports(bytes_str(text), &options, &name);
    snprintf(out, sizeof out, "%.*s", does ? (int)name.len : 0, does ? (const char *)name.ptr : "");
    return out;
}

START_TEST(what_imports) {
    ck_assert_str_eq(imported("SET TRANSACTION SNAPSHOT '00000003-0000001B-1'"), "00000003-0000001B-1");
    ck_assert_str_eq(imported("set local transaction snapshot 'a';"), "a");
    ck_assert_str_eq(imported("BEGIN TRANSACTION READ ONLY; SET TRANSACTION /* it */ SNAPSHOT 'a'; SELECT 1"), "a");
    ck_assert_str_eq(imported("BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT 'b'"), "b");
    ck_assert_str_eq(imported("SET TRANSACTION SNAPSHOT"), "");
    ck_assert_str_eq(imported("SET TRANSACTION SNAPSHOT $1"), "");
    ck_assert_str_eq(imported("SET TRANSACTION READ ONLY"), "");
    ck_assert_str_eq(imported("SELECT 'TRANSACTION SNAPSHOT ''a'''"), "");
    ck_assert_str_eq(imported("BEGIN; SELECT 'never ends"), "");
    ck_assert_str_eq(imported(""), "");
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("begin_pg");
    tcase_add_test(tc, what_begins);
    tcase_add_test(tc, what_sets_and_ends);
    tcase_add_test(tc, what_a_failed_transaction_listens_to);
    tcase_add_test(tc, modes_are_added);
    tcase_add_test(tc, what_is_the_servers);
    tcase_add_test(tc, what_imports);
    return check_main_of("begin_pg", tc);
}
