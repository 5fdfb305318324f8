/* Words of comments, one by one. */
#include "routing/hint.h"
#include "tests/unit/check_main.h"

static int words, unknown;
static uint32_t last;

static void on_word(void *ctx, struct bytes word, uint32_t position, bool is_known) {
    ck_assert_int_eq(memcmp((const char *)ctx + position, word.ptr, word.len), 0);
    words++;
    unknown += !is_known;
    last = position;
}

static struct hint of(const char *text) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    words = unknown = 0;
    struct hint quiet = hint_read(bytes_str(text), &options, NULL, NULL);
    struct hint h = hint_read(bytes_str(text), &options, on_word, (void *)text);
    ck_assert_int_eq(hint_pack(quiet), hint_pack(h));
    return h;
}

START_TEST(each_word_is_told_with_its_place) {
    ck_assert_int_eq(of("SELECT 1 /*\n gilmok:primary,;\t x\r\ny */").route, HINT_PRIMARY);
    ck_assert_int_eq(words, 3);
    ck_assert_int_eq(unknown, 2);
    ck_assert_uint_eq(last, 34);
    ck_assert_int_eq(of("/* gilmok:replica*//* gilmok:replica */").route, HINT_REPLICA);
    ck_assert_int_eq(words, 2);
}
END_TEST

START_TEST(nothing_is_read_behind_what_cannot_be_read) {
    ck_assert_int_eq(of("/* gilmok: primary */ SELECT 'x").route, HINT_PRIMARY);
    ck_assert_int_eq(of("SELECT 'x /* gilmok: primary */").route, HINT_NO_ROUTE);
    ck_assert_int_eq(of("SELECT 1 /* gilmok: primary /* */").route, HINT_NO_ROUTE);
    ck_assert_int_eq(words, 0);
}
END_TEST

START_TEST(comments_end_where_the_server_ends_them) {
    ck_assert_int_eq(of("SELECT 1 /*/* */ gilmok: primary */").route, HINT_NO_ROUTE);
    ck_assert_int_eq(of("SELECT 1 -- /*\n/* gilmok: primary */").route, HINT_PRIMARY);
    ck_assert_int_eq(of("SELECT 1 -- /* x\r/*gilmok:primary*/").route, HINT_PRIMARY);
    ck_assert_int_eq(of("SELECT 1 /**//*/**/*//* gilmok: primary*/").route, HINT_PRIMARY);
    ck_assert_int_eq(of("SELECT 2 */* gilmok: primary */ 3").route, HINT_PRIMARY);
}
END_TEST

START_TEST(the_first_node_counts) {
    struct hint h = of("/* gilmok: node=a@10.0.0.6, node=b */ SELECT 1 /* gilmok: node= consistency=strong */");
    ck_assert(h.has_node);
    ck_assert(bytes_is(h.node, "a@10.0.0.6"));
    ck_assert_int_eq(h.consistency, HINT_STRONG);
    ck_assert_int_eq(words, 4);
    ck_assert_int_eq(unknown, 1);
    ck_assert(!of("/* gilmok: node= nodes=b */ SELECT 1").has_node);
}
END_TEST

START_TEST(all_of_it_but_the_name_fits_into_a_byte) {
    for (int i = 0; i < 3 * 5 * 2; i++) {
        struct hint in = {.route = (uint8_t)(i % 3), .consistency = (uint8_t)(i / 3 % 5), .has_node = i >= 15};
        struct hint h = hint_unpack(hint_pack(in));
        ck_assert_int_eq(h.route, in.route);
        ck_assert_int_eq(h.consistency, in.consistency);
        ck_assert_int_eq(h.has_node, in.has_node);
    }
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("hint");
    tcase_add_test(tc, each_word_is_told_with_its_place);
    tcase_add_test(tc, nothing_is_read_behind_what_cannot_be_read);
    tcase_add_test(tc, comments_end_where_the_server_ends_them);
    tcase_add_test(tc, the_first_node_counts);
    tcase_add_test(tc, all_of_it_but_the_name_fits_into_a_byte);
    return check_main_of("hint", tc);
}
