/*
 * test_params_tag_pg.c - what a server reported, compared by digest; and which command tags leave state behind.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/map.h"
#include "proxy/pool/params_pg.h"
#include "proxy/pool/tag_pg.h"
#include "tests/unit/check_main.h"

static struct params_pg a, b;

static void fresh(void) {
    map_seed(42);
    a = b = (struct params_pg){0};
}

static void release(void) {
    params_pg_release(&a);
    params_pg_release(&b);
}

static void set(struct params_pg *p, const char *name, const char *value) {
    ck_assert(params_pg_set(p, bytes_str(name), bytes_str(value)));
}

START_TEST(values_are_kept_and_replaced) {
    ck_assert_ptr_null(params_pg_get(&a, "TimeZone"));
    set(&a, "TimeZone", "UTC");
    set(&a, "TimeZone", "Europe/Berlin");
    set(&a, "DateStyle", "");
    ck_assert_str_eq(params_pg_get(&a, "TimeZone"), "Europe/Berlin");
    ck_assert_str_eq(params_pg_get(&a, "DateStyle"), "");
    ck_assert_ptr_null(params_pg_get(&a, "timezone"));
    ck_assert_int_eq(a.count, 2);
}
END_TEST

START_TEST(the_digest_does_not_know_the_order) {
    static const char *const names[] = {"TimeZone", "DateStyle", "client_encoding", "search_path"};
    for (size_t i = 0; i < COUNT_OF(names); i++) set(&a, names[i], names[3 - i]);
    for (size_t i = COUNT_OF(names); i-- > 0;) set(&b, names[i], names[3 - i]);
    ck_assert_uint_eq(a.digest, b.digest);
}
END_TEST

START_TEST(the_digest_knows_every_value) {
    set(&a, "TimeZone", "UTC");
    uint64_t one = a.digest;
    set(&a, "DateStyle", "ISO");
    uint64_t two = a.digest;
    ck_assert_uint_ne(one, two);
    set(&a, "TimeZone", "CET");
    ck_assert_uint_ne(a.digest, two);
    set(&a, "TimeZone", "UTC");
    ck_assert_uint_eq(a.digest, two);
    set(&b, "TimeZone", "ISO");
    set(&b, "DateStyle", "UTC");
    ck_assert_uint_ne(b.digest, two);
}
END_TEST

START_TEST(a_value_that_moves_to_another_name_is_another_set) {
    set(&a, "one", "x");
    set(&a, "two", "y");
    set(&b, "one", "y");
    set(&b, "two", "x");
    ck_assert_uint_ne(a.digest, b.digest);
}
END_TEST

START_TEST(application_name_follows_the_client) {
    set(&a, "TimeZone", "UTC");
    uint64_t before = a.digest;
    set(&a, "application_name", "psql");
    ck_assert_uint_eq(a.digest, before);
    set(&a, "application_name", "other");
    ck_assert_uint_eq(a.digest, before);
    ck_assert_str_eq(params_pg_get(&a, "application_name"), "other");
}
END_TEST

START_TEST(a_copy_is_equal_and_its_own) {
    set(&a, "TimeZone", "UTC");
    set(&a, "application_name", "psql");
    set(&b, "left over", "from before");
    ck_assert(params_pg_copy(&b, &a));
    ck_assert_uint_eq(a.digest, b.digest);
    ck_assert_int_eq(b.count, 2);
    set(&a, "TimeZone", "CET");
    ck_assert_str_eq(params_pg_get(&b, "TimeZone"), "UTC");
}
END_TEST

START_TEST(names_are_bounded) {
    char name[16];
    for (int i = 0; i < PARAMS_PG_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        set(&a, name, "x");
    }
    ck_assert(!params_pg_set(&a, bytes_str("one too many"), bytes_str("x")));
    set(&a, "p0", "replaced");
    ck_assert_int_eq(a.count, PARAMS_PG_MAX);
    ck_assert_str_eq(params_pg_get(&a, "p0"), "replaced");
}
END_TEST

START_TEST(a_released_set_is_empty) {
    uint64_t empty = a.digest;
    set(&a, "TimeZone", "UTC");
    params_pg_release(&a);
    ck_assert_ptr_null(params_pg_get(&a, "TimeZone"));
    ck_assert_uint_eq(a.digest, empty);
}
END_TEST

#ifdef GILMOK_FAULT
START_TEST(without_memory_the_old_value_stays) {
    set(&a, "TimeZone", "UTC");
    uint64_t before = a.digest;
    for (uint64_t n = 0; n < 2; n++) {
        fault_arm(FAULT_ALLOC, n);
        ck_assert(!params_pg_set(&a, bytes_str("new"), bytes_str("x")));
        fault_disarm();
    }
    fault_arm(FAULT_ALLOC, 0);
    ck_assert(!params_pg_set(&a, bytes_str("TimeZone"), bytes_str("CET")));
    fault_disarm();
    ck_assert_uint_eq(a.digest, before);
    ck_assert_int_eq(a.count, 1);
    ck_assert_str_eq(params_pg_get(&a, "TimeZone"), "UTC");
}
END_TEST
#endif

/* ---- tags ---- */

static const struct {
    const char *tag;
    int effect;
} tags[] = {
    {"SELECT 5", TAG_PG_IS_SELECT},
    {"SELECT", TAG_PG_IS_SELECT},
    {"INSERT 0 1", TAG_PG_CLEAN},
    {"UPDATE 3", TAG_PG_CLEAN},
    {"DELETE 0", TAG_PG_CLEAN},
    {"MERGE 1", TAG_PG_CLEAN},
    {"COPY 10", TAG_PG_CLEAN},
    {"FETCH 1", TAG_PG_CLEAN},
    {"BEGIN", TAG_PG_CLEAN},
    {"COMMIT", TAG_PG_CLEAN},
    {"ROLLBACK", TAG_PG_CLEAN},
    {"SAVEPOINT", TAG_PG_CLEAN},
    {"SHOW", TAG_PG_CLEAN},
    {"DEALLOCATE", TAG_PG_CLEAN},
    {"SET CONSTRAINTS", TAG_PG_CLEAN},
    {"PREPARE TRANSACTION", TAG_PG_CLEAN},
    {"NOTIFY", TAG_PG_CLEAN},
    {"SET", TAG_PG_TAINTS},
    {"PREPARE", TAG_PG_TAINTS},
    {"LISTEN", TAG_PG_TAINTS},
    {"DECLARE CURSOR", TAG_PG_TAINTS},
    {"CREATE TABLE", TAG_PG_TAINTS},
    {"CREATE TABLE AS", TAG_PG_TAINTS},
    {"LOAD", TAG_PG_TAINTS},
    {"DO", TAG_PG_TAINTS},
    {"CALL", TAG_PG_TAINTS},
    {"DISCARD TEMP", TAG_PG_TAINTS},
    {"A TAG OF A SERVER TO COME", TAG_PG_TAINTS},
    {"", TAG_PG_TAINTS},
    {"SELECTED", TAG_PG_TAINTS},
    {"SELEC", TAG_PG_TAINTS},
    {"select 1", TAG_PG_TAINTS},
    {"BEGIN 1", TAG_PG_TAINTS},
    {"RESET", TAG_PG_TAINTS | TAG_PG_RESETS},
    {"DEALLOCATE ALL", TAG_PG_DROPS_STATEMENTS},
    {"DISCARD ALL", TAG_PG_TAINTS | TAG_PG_RESETS | TAG_PG_DROPS_STATEMENTS},
};

START_TEST(a_tag_tells_what_is_left_behind) {
    ck_assert_msg((int)tag_pg_effect(bytes_str(tags[_i].tag)) == tags[_i].effect, "%s", tags[_i].tag);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("params_tag_pg");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, values_are_kept_and_replaced);
    tcase_add_test(tc, the_digest_does_not_know_the_order);
    tcase_add_test(tc, the_digest_knows_every_value);
    tcase_add_test(tc, a_value_that_moves_to_another_name_is_another_set);
    tcase_add_test(tc, application_name_follows_the_client);
    tcase_add_test(tc, a_copy_is_equal_and_its_own);
    tcase_add_test(tc, names_are_bounded);
    tcase_add_test(tc, a_released_set_is_empty);
#ifdef GILMOK_FAULT
    tcase_add_test(tc, without_memory_the_old_value_stays);
#endif
    tcase_add_loop_test(tc, a_tag_tells_what_is_left_behind, 0, COUNT_OF(tags));
    return check_main_of("params_tag_pg", tc);
}
