/*
 * test_base_text.c - what users and operators read: errors and log lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "tests/unit/check_main.h"

static int pipe_ends[2];
static char line[8192];

static void open_log(void) {
    ck_assert_int_eq(pipe2(pipe_ends, O_NONBLOCK), 0);
}

static void close_log(void) {
    log_setup(STDERR_FILENO, LOG_INFO, LOG_TEXT);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* What was written since the last call, as a string; empty when nothing was. */
static const char *written(void) {
    ssize_t len = read(pipe_ends[0], line, sizeof(line) - 1);
    line[len < 0 ? 0 : len] = '\0';
    return line;
}

static size_t count_char(const char *text, char c) {
    size_t count = 0;
    for (; *text; text++) count += *text == c;
    return count;
}

static void assert_ends_with(const char *text, const char *end) {
    size_t text_len = strlen(text), end_len = strlen(end);
    ck_assert_uint_ge(text_len, end_len);
    ck_assert_str_eq(text + text_len - end_len, end);
}

START_TEST(err_set_clears_what_was_there) {
    struct err e = {0};
    ck_assert(!err_is_set(&e));
    ck_assert(!err_set(&e, ERR_SYNTAX, "first %d", 1));
    err_detail(&e, "at %s", "here");
    err_hint(&e, "try %d", 2);
    ck_assert(err_is_set(&e));
    ck_assert_str_eq(e.sqlstate, "42601");
    ck_assert_str_eq(e.detail, "at here");
    ck_assert_str_eq(e.hint, "try 2");
    err_set(&e, e.sqlstate, "wrapped: %s", e.message); /* an error may quote itself */
    ck_assert_str_eq(e.message, "wrapped: first 1");
    ck_assert_str_eq(e.sqlstate, "42601");
    ck_assert_str_eq(e.detail, "");
    ck_assert_str_eq(e.hint, "");
}
END_TEST

START_TEST(err_texts_are_cut_at_their_size) {
    struct err e = {0};
    char text[1000];
    for (size_t len = 180; len < 300; len++) {
        memset(text, 'm', len);
        text[len] = '\0';
        err_set(&e, ERR_INTERNAL, "%s", text);
        err_detail(&e, "%s", text);
        err_hint(&e, "%s", text);
        ck_assert_uint_eq(strlen(e.message), len < ERR_MESSAGE_MAX ? len : ERR_MESSAGE_MAX - 1);
        ck_assert_uint_eq(strlen(e.detail), len < ERR_DETAIL_MAX ? len : ERR_DETAIL_MAX - 1);
        ck_assert_uint_eq(strlen(e.hint), len < ERR_HINT_MAX ? len : ERR_HINT_MAX - 1);
    }
}
END_TEST

START_TEST(err_is_cut_between_characters) {
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x98"};
    struct err e = {0};
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        size_t size = strlen(characters[i]);
        for (size_t lead = 0; lead < size; lead++) { /* the cut falls on each byte of the character */
            char text[1000] = "xxx";
            size_t at = lead;
            for (; at < 900; at += size) memcpy(text + at, characters[i], size);
            text[at] = '\0';
            err_set(&e, ERR_INTERNAL, "%s", text);
            size_t len = strlen(e.message);
            ck_assert_uint_eq((len - lead) % size, 0);
            ck_assert_uint_gt(len, ERR_MESSAGE_MAX - 1 - size);
        }
    }
}
END_TEST

START_TEST(text_line_has_time_level_area_object_sentence) {
    log_setup(pipe_ends[1], LOG_INFO, LOG_TEXT);
    time_t before = time(NULL);
    log_line(LOG_INFO, "session", "c12 shop/app@127.0.0.1:5123", "logged in as %s", "app");
    int year, month, day, hour, minute, second, ms, used = 0;
    ck_assert_int_eq(sscanf(written(), "%4d-%2d-%2d %2d:%2d:%2d.%3d %n", &year, &month, &day, &hour, &minute, &second,
                            &ms, &used), 7);
    ck_assert_str_eq(line + used, "info  session c12 shop/app@127.0.0.1:5123: logged in as app\n");
    struct tm utc = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute,
                     .tm_sec = second};
    time_t stamp = timegm(&utc);
    ck_assert(stamp >= before && stamp <= time(NULL) + 1); /* time() may be a tick behind the clock that wrote the line */

    log_line(LOG_ERROR, "main", NULL, "no object");
    assert_ends_with(written(), " error main: no object\n");
}
END_TEST

START_TEST(json_line_has_named_fields) {
    log_setup(pipe_ends[1], LOG_INFO, LOG_JSON);
    log_line(LOG_WARN, "pool", "s3", "say \"hi\" \\ bye");
    ck_assert(strncmp(written(), "{\"ts\":\"2", 8) == 0);
    ck_assert_int_eq(line[7 + 10], 'T');
    assert_ends_with(line, "Z\",\"level\":\"warn\",\"area\":\"pool\",\"object\":\"s3\","
                           "\"message\":\"say \\\"hi\\\" \\\\ bye\"}\n");
    log_line(LOG_WARN, "pool", NULL, "x");
    assert_ends_with(written(), "Z\",\"level\":\"warn\",\"area\":\"pool\",\"message\":\"x\"}\n");
}
END_TEST

START_TEST(nobody_can_forge_a_line) {
    const char *evil = "x\r\n2026-01-01 00:00:00.000 info  session: forged\x1b[2J\x7f\t";
    log_setup(pipe_ends[1], LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "session", evil, "name is %s", evil);
    ck_assert_uint_eq(count_char(written(), '\n'), 1);
    ck_assert_ptr_nonnull(strstr(line, "x\\x0d\\x0a2026"));
    ck_assert_ptr_nonnull(strstr(line, "forged\\x1b[2J\\x7f\\x09"));

    log_setup(pipe_ends[1], LOG_INFO, LOG_JSON);
    log_line(LOG_INFO, "session", "\",\"level\":\"error", "name is %s", evil);
    ck_assert_uint_eq(count_char(written(), '\n'), 1);
    ck_assert_ptr_nonnull(strstr(line, "\"object\":\"\\\",\\\"level\\\":\\\"error\""));
    ck_assert_ptr_nonnull(strstr(line, "x\\u000d\\u000a2026"));
    for (const char *p = line; *p != '\n'; p++) ck_assert_int_ge((uint8_t)*p, 0x20);
}
END_TEST

START_TEST(only_well_formed_utf8_passes_unescaped) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x98", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x98"},
        {"\xff", "\\xff"},
        {"\xc3", "\\xc3"},
        {"\xe2\x82", "\\xe2\\x82"},
        {"\xc0\x8a", "\\xc0\\x8a"},         /* a newline in two bytes */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"}, /* and in three */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"\xc2\x9b", "\\xc2\\x9b"}, /* CSI in one character */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char want[100];
        log_setup(pipe_ends[1], LOG_INFO, LOG_TEXT);
        log_line(LOG_INFO, "a", NULL, "[%s]", cases[i].in);
        snprintf(want, sizeof(want), "a: [%s]\n", cases[i].out);
        assert_ends_with(written(), want);
    }
    log_setup(pipe_ends[1], LOG_INFO, LOG_JSON);
    log_line(LOG_INFO, "a", NULL, "[\xff]");
    assert_ends_with(written(), "\"message\":\"[\\u00ff]\"}\n");
}
END_TEST

START_TEST(long_texts_are_cut_and_the_line_stays_whole) {
    static char text[5000];
    for (int fill = 0; fill < 2; fill++) {
        memset(text, fill == 0 ? 'x' : 1, sizeof(text) - 1);
        log_setup(pipe_ends[1], LOG_INFO, LOG_JSON);
        log_line(LOG_INFO, text, text, "%s", text);
        assert_ends_with(written(), "\"}\n");
        ck_assert_uint_le(strlen(line), 4096); /* one pipe write, never split */
        ck_assert_uint_eq(count_char(line, '\n'), 1);
        ck_assert_ptr_nonnull(strstr(line, "\",\"object\":\""));
        ck_assert_ptr_nonnull(strstr(line, fill == 0 ? "\",\"message\":\"xxx" : "\",\"message\":\"\\u0001"));
        if (fill == 1) ck_assert(strncmp(strrchr(line, '\\'), "\\u0001\"", 7) == 0); /* no half escape */
        log_setup(pipe_ends[1], LOG_INFO, LOG_TEXT);
        log_line(LOG_INFO, text, text, "%s", text);
        assert_ends_with(written(), fill == 0 ? "xxx\n" : "\\x01\n");
    }
}
END_TEST

START_TEST(levels_below_the_lowest_are_silent) {
    log_setup(pipe_ends[1], LOG_WARN, LOG_TEXT);
    ck_assert(!log_is_on(LOG_INFO, "a"));
    ck_assert(log_is_on(LOG_WARN, "a"));
    log_line(LOG_INFO, "a", NULL, "x");
    ck_assert_str_eq(written(), "");
    log_setup(pipe_ends[1], LOG_DEBUG, LOG_TEXT);
    errno = EAGAIN;
    log_line(LOG_DEBUG, "a", NULL, "x");
    ck_assert_int_eq(errno, EAGAIN);
    assert_ends_with(written(), " debug a: x\n");
    log_setup(-1, LOG_DEBUG, LOG_TEXT);
    errno = EAGAIN;
    log_line(LOG_DEBUG, "a", NULL, "nowhere to go");
    ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(broken_invariant_aborts) {
    INVARIANT(1 + 1 == 2);
    log_setup(-1, LOG_ERROR, LOG_TEXT);
    INVARIANT(1 + 1 == 3);
}
END_TEST

int main(void) {
    Suite *s = suite_create("base text");
    TCase *err = tcase_create("err");
    tcase_add_test(err, err_set_clears_what_was_there);
    tcase_add_test(err, err_texts_are_cut_at_their_size);
    tcase_add_test(err, err_is_cut_between_characters);
    suite_add_tcase(s, err);
    TCase *log = tcase_create("log");
    tcase_add_checked_fixture(log, open_log, close_log);
    tcase_add_test(log, text_line_has_time_level_area_object_sentence);
    tcase_add_test(log, json_line_has_named_fields);
    tcase_add_test(log, nobody_can_forge_a_line);
    tcase_add_test(log, only_well_formed_utf8_passes_unescaped);
    tcase_add_test(log, long_texts_are_cut_and_the_line_stays_whole);
    tcase_add_test(log, levels_below_the_lowest_are_silent);
    suite_add_tcase(s, log);
    TCase *invariant = tcase_create("invariant");
    tcase_add_test_raise_signal(invariant, broken_invariant_aborts, SIGABRT);
    suite_add_tcase(s, invariant);
    return check_main(s);
}
