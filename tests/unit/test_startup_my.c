/* A login's wishes as the key of its variant, and back. */
#include "proxy/pool/startup_my.h"
#include "tests/unit/check_main.h"

static struct startup_my there_and_back(struct startup_my s) {
    uint8_t storage[128];
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    startup_my_put_key(&w, &s);
    ck_assert(!w.failed);
    return startup_my_read_key(writer_bytes(&w));
}

START_TEST(every_wish_comes_back) {
    for (unsigned collation = 0; collation < 256; collation++) {
        for (unsigned i = 0; i < 28; i++) {
            struct startup_my s = {.flags = 1u << i, .collation = (uint8_t)collation, .has_schema = i % 2}, got = there_and_back(s);
            ck_assert_uint_eq(got.flags, s.flags & STARTUP_MY_FLAGS);
            ck_assert_uint_eq(got.collation, collation);
            ck_assert_int_eq(got.has_schema, s.has_schema);
        }
    }
    ck_assert_uint_eq(there_and_back((struct startup_my){.flags = UINT32_MAX}).flags, STARTUP_MY_FLAGS);
}
END_TEST

START_TEST(without_wishes) {
    struct startup_my s = startup_my_read_key(bytes_of(NULL, 0));
    ck_assert_uint_eq(s.collation, MY_COLLATION_UTF8MB4_GENERAL);
    ck_assert_uint_eq(s.flags, MY_CAP_MULTI_RESULTS | MY_CAP_PS_MULTI_RESULTS);
    ck_assert(s.has_schema);
}
END_TEST

START_TEST(names_of_others_and_half_a_key) {
    static const char key[] = "other\0001\0collation\0008\0flags\0002\0schema";
    struct startup_my s = startup_my_read_key(bytes_of(key, sizeof key - 1));
    ck_assert_uint_eq(s.collation, 8);
    ck_assert_uint_eq(s.flags, MY_CAP_FOUND_ROWS);
    ck_assert(s.has_schema);
}
END_TEST

int main(void) {
    TCase *c = tcase_create("startup_my");
    tcase_add_test(c, every_wish_comes_back);
    tcase_add_test(c, without_wishes);
    tcase_add_test(c, names_of_others_and_half_a_key);
    return check_main_of("startup_my", c);
}
