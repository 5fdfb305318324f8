/*
 * test_buf.c - chunks that are shared, come back, and are not asked of the heap twice.
 */
#include "base/fault.h"
#include "proxy/net/buf.h"
#include "tests/unit/check_main.h"

static struct buf_pool pool;

static void fresh(void) {
    buf_pool_init(&pool);
}

static void release(void) {
    buf_pool_release(&pool);
}

START_TEST(the_class_is_the_smallest_that_fits) {
    ck_assert_int_eq(buf_class_for(0), BUF_SMALL);
    ck_assert_int_eq(buf_class_for(BUF_SMALL_SIZE), BUF_SMALL);
    ck_assert_int_eq(buf_class_for(BUF_SMALL_SIZE + 1), BUF_MEDIUM);
    ck_assert_int_eq(buf_class_for(BUF_MEDIUM_SIZE), BUF_MEDIUM);
    ck_assert_int_eq(buf_class_for(BUF_MEDIUM_SIZE + 1), BUF_LARGE);
    ck_assert_int_eq(buf_class_for(BUF_LARGE_SIZE), BUF_LARGE);
    ck_assert_int_eq(buf_class_for(SIZE_MAX), BUF_LARGE);
}
END_TEST

START_TEST(a_chunk_holds_what_its_class_says) {
    static const uint32_t sizes[BUF_CLASSES] = {BUF_SMALL_SIZE, BUF_MEDIUM_SIZE, BUF_LARGE_SIZE};
    for (int size = 0; size < BUF_CLASSES; size++) {
        struct buf *b = buf_take(&pool, (enum buf_class)size);
        ck_assert_ptr_nonnull(b);
        ck_assert_uint_eq(b->cap, sizes[size]);
        ck_assert_uint_eq(b->len, 0);
        memset(b->data, 0xaa, b->cap); /* the sanitizer tells when that is too much */
        buf_unref(b);
    }
}
END_TEST

START_TEST(a_chunk_lives_as_long_as_its_last_reference) {
    struct buf *b = buf_take(&pool, BUF_SMALL);
    b->data[0] = 'x';
    ck_assert_ptr_eq(buf_ref(b), b);
    buf_unref(b);
    ck_assert_uint_eq(pool.out, 1);
    struct buf *other = buf_take(&pool, BUF_SMALL);
    ck_assert_ptr_ne(other, b);
    ck_assert_uint_eq(b->data[0], 'x');
    buf_unref(other);
    buf_unref(b);
    ck_assert_uint_eq(pool.out, 0);
}
END_TEST

START_TEST(a_chunk_that_came_back_is_used_again) {
    struct buf *b = buf_take(&pool, BUF_LARGE);
    b->len = 100;
    buf_unref(b);
    struct buf *small = buf_take(&pool, BUF_SMALL);
    struct buf *again = buf_take(&pool, BUF_LARGE);
    ck_assert_ptr_ne(small, b);
    ck_assert_ptr_eq(again, b);
    ck_assert_uint_eq(again->len, 0);
    ck_assert_uint_eq(again->refs, 1);
    buf_unref(small);
    buf_unref(again);
}
END_TEST

START_TEST(no_more_is_kept_than_is_sensible) {
    enum { MANY = 600 };
    static struct buf *all[MANY];
    for (int size = 0; size < BUF_CLASSES; size++) {
        for (int i = 0; i < MANY; i++) {
            all[i] = buf_take(&pool, (enum buf_class)size);
            ck_assert_ptr_nonnull(all[i]);
        }
        ck_assert_uint_eq(pool.out, MANY);
        for (int i = 0; i < MANY; i++) buf_unref(all[i]);
        ck_assert_uint_eq(pool.out, 0);
        ck_assert_uint_gt(pool.kept[size], 0);
        ck_assert_uint_lt(pool.kept[size], MANY);
    }
}
END_TEST

START_TEST(giving_back_nothing_is_allowed) {
    buf_unref(NULL);
    ck_assert_uint_eq(pool.out, 0);
}
END_TEST

#ifdef GILMOK_FAULT
START_TEST(without_memory_there_is_no_chunk) {
    fault_arm(FAULT_ALLOC, 0);
    ck_assert_ptr_null(buf_take(&pool, BUF_SMALL));
    fault_disarm();
    ck_assert_uint_eq(pool.out, 0);
}
END_TEST
#endif

int main(void) {
    TCase *tc = tcase_create("buf");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, the_class_is_the_smallest_that_fits);
    tcase_add_test(tc, a_chunk_holds_what_its_class_says);
    tcase_add_test(tc, a_chunk_lives_as_long_as_its_last_reference);
    tcase_add_test(tc, a_chunk_that_came_back_is_used_again);
    tcase_add_test(tc, no_more_is_kept_than_is_sensible);
    tcase_add_test(tc, giving_back_nothing_is_allowed);
#ifdef GILMOK_FAULT
    tcase_add_test(tc, without_memory_there_is_no_chunk);
#endif
    return check_main_of("buf", tc);
}
