/*
 * check_main.h - the end of every test program's main: its checks are run and counted.
 */
#ifndef GILMOK_TESTS_UNIT_CHECK_MAIN_H
#define GILMOK_TESTS_UNIT_CHECK_MAIN_H

#include <check.h>

/* Runs the suite, which is freed with it; CK_VERBOSITY says how much is told. Returns what main returns. */
static inline int check_main(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* The same for a suite of one case, which is called as the case is. */
static inline int check_main_of(const char *name, TCase *only) {
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, only);
    return check_main(suite);
}

#endif
