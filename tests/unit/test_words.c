/*
 * test_words.c - console statements as words.
 */
#include "proxy/admin/words.h"
#include "tests/unit/check_main.h"

static struct words w;

static void split(const char *sql) {
    words_split(&w, bytes_str(sql));
}

START_TEST(blanks_and_semicolons) {
    split(" \t show\n pools ; ; ");
    ck_assert_int_eq(w.count, 2);
    ck_assert(!w.is_cut);
    ck_assert_str_eq(w.text[0], "show");
    ck_assert_str_eq(w.text[1], "pools");
    split("PAUSE shop;RESUME shop");
    ck_assert(w.is_cut);
}
END_TEST

START_TEST(nothing_and_comments) {
    static const char *const empty[] = {"", " ; ", "-- ping", "-- one\n -- two\n;"};
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        split(empty[i]);
        ck_assert_int_eq(w.count, 0);
        ck_assert(!w.is_cut);
    }
    split("show -- what?\n stats -- all");
    ck_assert_int_eq(w.count, 2);
}
END_TEST

START_TEST(quotes) {
    int used;
    split("pause \"My \"\"shop\"\"; yes\";");
    ck_assert_int_eq(w.count, 2);
    ck_assert(!w.is_cut && w.is_quoted[1]);
    ck_assert_str_eq(w.text[1], "My \"shop\"; yes");
    split("\"SHOW\" pools");
    ck_assert(!words_begin_with(&w, "SHOW", &used));
    split("pause \"open");
    ck_assert(w.is_cut);
    split("pause \"");
    ck_assert(w.is_cut);
    split("pause \"\"");
    ck_assert(!w.is_cut && w.count == 2 && !w.text[1][0]);
}
END_TEST

START_TEST(phrases) {
    int used = 0;
    split("Shutdown wait_for_clients");
    ck_assert(words_begin_with(&w, "SHUTDOWN", &used) && used == 1);
    ck_assert(words_begin_with(&w, "SHUTDOWN WAIT_FOR_CLIENTS", &used) && used == 2);
    ck_assert(!words_begin_with(&w, "SHUTDOWN WAIT_FOR_CLIENTS NOW", &used));
    ck_assert(!words_begin_with(&w, "SHUT", &used));
}
END_TEST

START_TEST(limits) {
    char text[WORD_SIZE + 2];
    memset(text, 'x', sizeof text);
    words_split(&w, bytes_of(text, WORD_SIZE - 1));
    ck_assert(!w.is_cut && strlen(w.text[0]) == WORD_SIZE - 1);
    words_split(&w, bytes_of(text, WORD_SIZE));
    ck_assert(w.is_cut);
    split("1 2 3 4 5 6 7 8 9 10 11 12 13 14");
    ck_assert(!w.is_cut && w.count == WORDS_MAX);
    split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    ck_assert(w.is_cut);
    words_split(&w, bytes_of("a\0b", 3));
    ck_assert(w.is_cut);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("words");
    tcase_add_test(t, blanks_and_semicolons);
    tcase_add_test(t, nothing_and_comments);
    tcase_add_test(t, quotes);
    tcase_add_test(t, phrases);
    tcase_add_test(t, limits);
    return check_main_of("words", t);
}
