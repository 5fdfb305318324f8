/* Where texts name prepared statements. */
#include <stdio.h>

#include "routing/name_use.h"
#include "tests/unit/check_main.h"

/* Each use as kind, statement and name; what is prepared behind an equals sign. */
static const char *uses_of(const char *text, char *out, size_t size) {
    static const char letters[] = {[NAME_PREPARED] = 'P', [NAME_EXECUTED] = 'E', [NAME_DEALLOCATED] = 'D', [NAME_ALL_DEALLOCATED] = 'A'};
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct name_uses uses;
    struct arena arena;
    size_t len = 0;
    out[0] = '\0';
    arena_init(&arena, 1 << 20);
    name_uses_find(&uses, bytes_str(text), &options, &arena);
    ck_assert(!uses.failed);
    for (uint32_t i = 0; i < uses.count; i++) {
        const struct name_use *u = &uses.items[i];
        len += (size_t)snprintf(out + len, size - len, "%s%c%u %.*s[%.*s]", i ? " " : "", letters[u->kind], u->number, (int)u->name.len,
                                (const char *)u->name.ptr, (int)(u->end - u->start), text + u->start);
        if (u->kind == NAME_PREPARED)
            len += (size_t)snprintf(out + len, size - len, "=%.*s", (int)(u->inner_end - u->inner), text + u->inner);
    }
    arena_release(&arena);
    return out;
}

static const struct {
    const char *text, *uses;
} texts[] = {
    {"", ""},
    {"SELECT 1; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'", ""},
    {"PREPARE p AS SELECT 1", "P0 p[p]=SELECT 1"},
    {" prepare \"A b\" ( int, numeric(3, 2) ) as (select 1) ; ", "P0 A b[\"A b\"]=(select 1)"},
    {"PREPARE Caps(text) AS/* c */WITH x AS (SELECT 1) INSERT INTO t TABLE x -- end",
     "P0 caps[Caps]=WITH x AS (SELECT 1) INSERT INTO t TABLE x"},
    {"EXECUTE p", "E0 p[p]"},
    {"EXECUTE p(1, f(2)); EXPLAIN (ANALYZE) EXECUTE q; EXPLAIN ANALYZE VERBOSE EXECUTE r(1)", "E0 p[p] E1 q[q] E2 r[r]"},
    {"CREATE TEMP TABLE t AS EXECUTE p; EXPLAIN CREATE TABLE t AS EXECUTE q(1) WITH NO DATA", "E0 p[p] E1 q[q]"},
    {";; DEALLOCATE p;; DEALLOCATE PREPARE q; DEALLOCATE ALL; DEALLOCATE PREPARE ALL", "D0 p[p] D1 q[q] A2 [] A3 []"},
    {"deallocate prepare; execute U&\"\\0061\"", "D0 prepare[prepare] E1 a[U&\"\\0061\"]"},
    {"SELECT 1; selec; EXECUTE p", "E2 p[p]"},
    {"DO $$ BEGIN EXECUTE p; END $$; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'execute p'", ""},
};

START_TEST(names_are_found) {
    char out[512];
    ck_assert_str_eq(uses_of(texts[_i].text, out, sizeof out), texts[_i].uses);
}
END_TEST

START_TEST(memory_that_ends_is_told) {
    static const char text[] = "EXECUTE p; EXECUTE q";
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    struct name_uses uses;
    struct arena arena;
    arena_init(&arena, 64);
    name_uses_find(&uses, bytes_str(text), &options, &arena);
    ck_assert(uses.failed);
    arena_release(&arena);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("name_use");
    tcase_add_loop_test(tc, names_are_found, 0, COUNT_OF(texts));
    tcase_add_test(tc, memory_that_ends_is_told);
    return check_main_of("name_use", tc);
}
