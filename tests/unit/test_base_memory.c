/*
 * test_base_memory.c - arena, slab, list, map, and allocation that fails on request.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "tests/unit/check_main.h"

static bool is_zero(const void *ptr, size_t len) {
    const uint8_t *p = ptr;
    for (size_t i = 0; i < len; i++) {
        if (p[i] != 0) return false;
    }
    return true;
}

START_TEST(arena_gives_zeroed_aligned_memory_also_after_reset) {
    struct arena a;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 300; size++) {
            uint8_t *p = arena_alloc(&a, size);
            ck_assert_ptr_nonnull(p);
            ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
            ck_assert(is_zero(p, size));
            memset(p, 0xee, size);
        }
        arena_reset(&a);
        ck_assert_uint_eq(a.used, 0);
    }
    arena_release(&a);
}
END_TEST

START_TEST(arena_objects_do_not_overlap) {
    struct arena a;
    uint8_t *objects[200];
    arena_init(&a, 1 << 24);
    for (size_t i = 0; i < 200; i++) { /* some larger than a block */
        objects[i] = arena_alloc(&a, i * 57 + 1);
        ck_assert_ptr_nonnull(objects[i]);
        memset(objects[i], (int)i, i * 57 + 1);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i * 57 + 1; k++) ck_assert_uint_eq(objects[i][k], i);
    }
    arena_release(&a);
}
END_TEST

START_TEST(arena_ceiling_is_sticky) {
    struct arena a;
    arena_init(&a, 64);
    ck_assert_ptr_nonnull(arena_alloc(&a, 64));
    ck_assert_ptr_null(arena_alloc(&a, 1));
    ck_assert(a.failed);
    ck_assert_ptr_null(arena_alloc(&a, 0));
    arena_reset(&a);
    ck_assert(!a.failed);
    ck_assert_ptr_nonnull(arena_alloc(&a, 1));
    arena_release(&a);

    static const size_t huge[] = {65, 0x80000000u, 0xffffffffu, SIZE_MAX - 15, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(huge); i++) {
        arena_init(&a, 64);
        ck_assert_ptr_null(arena_alloc(&a, huge[i]));
        ck_assert(a.failed);
        arena_release(&a);
        arena_init(&a, SIZE_MAX);
        if (huge[i] > SIZE_MAX / 2) ck_assert_ptr_null(arena_alloc(&a, huge[i]));
        arena_release(&a);
    }
}
END_TEST

START_TEST(arena_strdup_ends_with_nul) {
    struct arena a;
    arena_init(&a, 1000);
    ck_assert_str_eq(arena_strdup(&a, bytes_of("hello", 4)), "hell");
    ck_assert_str_eq(arena_strdup(&a, bytes_of(NULL, 0)), "");
    ck_assert_ptr_null(arena_strdup(&a, bytes_of("x", SIZE_MAX)));
    arena_release(&a);
}
END_TEST

START_TEST(slab_takes_zeroed_distinct_objects) {
    static const size_t sizes[] = {1, 8, 24, 500, 16384, 70000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct slab s;
        void *objects[100];
        slab_init(&s, sizes[i]);
        for (int round = 0; round < 2; round++) {
            for (int k = 0; k < 100; k++) {
                objects[k] = slab_take(&s);
                ck_assert_ptr_nonnull(objects[k]);
                ck_assert_uint_eq((uintptr_t)objects[k] % _Alignof(max_align_t), 0);
                ck_assert(is_zero(objects[k], sizes[i]));
                memset(objects[k], k + 1, sizes[i]);
            }
            ck_assert_uint_eq(s.taken, 100);
            for (int k = 0; k < 100; k++) {
                ck_assert_uint_eq(((uint8_t *)objects[k])[sizes[i] - 1], k + 1);
                slab_give(&s, objects[k]);
            }
            ck_assert_uint_eq(s.taken, 0);
        }
        slab_release(&s);
    }
}
END_TEST

START_TEST(slab_reuses_before_it_grows) {
    struct slab s;
    slab_init(&s, 64);
    void *one = slab_take(&s);
    void *chunk = s.chunks;
    for (int i = 0; i < 10000; i++) {
        slab_give(&s, one);
        one = slab_take(&s);
    }
    ck_assert_ptr_eq(s.chunks, chunk);
    slab_release(&s);
}
END_TEST

struct item {
    int number;
    struct list node;
};

START_TEST(list_keeps_order_and_survives_removal_while_walking) {
    struct list head;
    struct item items[6];
    list_init(&head);
    ck_assert(list_is_empty(&head));
    ck_assert_ptr_null(list_first(&head));
    ck_assert_ptr_null(list_take_first(&head));
    for (int i = 0; i < 6; i++) {
        items[i].number = i;
        list_init(&items[i].node);
        list_push_back(&head, &items[i].node);
    }
    LIST_EACH(node, &head) {
        struct item *it = CONTAINER_OF(node, struct item, node);
        if (it->number % 2 == 0) list_remove(node);
    }
    list_remove(&items[0].node); /* twice is harmless */
    ck_assert(!list_is_linked(&items[0].node));
    list_push_front(&head, &items[4].node);
    static const int want[] = {4, 1, 3, 5};
    size_t at = 0;
    LIST_EACH(node, &head) {
        ck_assert_int_eq(CONTAINER_OF(node, struct item, node)->number, want[at]);
        at++;
    }
    ck_assert_uint_eq(at, 4);
    ck_assert_ptr_eq(list_last(&head), &items[5].node);
    ck_assert_ptr_eq(list_take_first(&head), &items[4].node);
}
END_TEST

enum { KEYS = 10000 };

static struct bytes numbered_key(int i, char *storage, size_t size) {
    return bytes_of(storage, (size_t)snprintf(storage, size, "key-%d", i));
}

START_TEST(map_holds_ten_thousand_keys_with_removals) {
    static int values[KEYS];
    struct map m;
    char name[32];
    map_seed(42);
    map_init(&m);
    for (int i = 0; i < KEYS; i++) ck_assert(map_put(&m, numbered_key(i, name, sizeof(name)), &values[i]));
    for (int i = 0; i < KEYS; i += 3) {
        ck_assert_ptr_eq(map_take(&m, numbered_key(i, name, sizeof(name))), &values[i]);
        ck_assert_ptr_null(map_take(&m, numbered_key(i, name, sizeof(name))));
    }
    for (int i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(map_get(&m, numbered_key(i, name, sizeof(name))), i % 3 == 0 ? NULL : &values[i]);
    for (int i = 0; i < KEYS; i += 3) ck_assert(map_put(&m, numbered_key(i, name, sizeof(name)), &values[i]));
    ck_assert_uint_eq(m.count, KEYS);

    static bool seen[KEYS];
    struct bytes key;
    void *value;
    size_t at = 0, count = 0;
    while (map_next(&m, &at, &key, &value)) {
        ptrdiff_t i = (int *)value - values;
        ck_assert(bytes_equal(key, numbered_key((int)i, name, sizeof(name))));
        ck_assert(!seen[i]);
        seen[i] = true;
        count++;
    }
    ck_assert_uint_eq(count, KEYS);
    map_release(&m);
    ck_assert_ptr_null(map_get(&m, bytes_str("key-1")));
}
END_TEST

START_TEST(map_that_changes_for_ever_stays_small) {
    struct map m;
    char name[32];
    int value;
    map_init(&m);
    for (int i = 0; i < 5000; i++) {
        ck_assert(map_put(&m, numbered_key(i, name, sizeof(name)), &value));
        if (i >= 8) ck_assert_ptr_nonnull(map_take(&m, numbered_key(i - 8, name, sizeof(name))));
    }
    ck_assert_uint_eq(m.count, 8);
    ck_assert_uint_le(m.cap, 32);
    map_release(&m);
}
END_TEST

/* Whatever becomes of the map between two questions. */
START_TEST(map_asked_again_says_what_it_says_at_first) {
    enum { NAMES = 40, STEPS = 20000 };
    struct map m;
    char name[24];
    int values[2];
    uint32_t state = 7;
    map_init(&m);
    ck_assert_ptr_null(map_get_again(&m, bytes_str("nothing")));
    for (int i = 0; i < STEPS; i++) {
        state = state * 1664525 + 1013904223;
        struct bytes key = numbered_key((int)(state >> 16) % NAMES, name, sizeof(name));
        if (state >> 30 == 0) ck_assert(map_put(&m, key, &values[state >> 15 & 1]));
        else if (state >> 30 == 1) (void)map_take(&m, key);
        for (int again = 0; again < 2; again++) ck_assert_ptr_eq(map_get_again(&m, key), map_get(&m, key));
    }
    map_release(&m);
    ck_assert_ptr_null(map_get_again(&m, bytes_str("key-1")));
}
END_TEST

START_TEST(map_keys_are_any_bytes_and_copied) {
    struct map m;
    int a, b, c;
    char key[] = "k\0one";
    map_init(&m);
    ck_assert_ptr_null(map_get(&m, bytes_str("nothing")));
    ck_assert(map_put(&m, bytes_of(key, 5), &a));
    key[2] = 'x';
    ck_assert_ptr_null(map_get(&m, bytes_of(key, 5)));
    ck_assert_ptr_eq(map_get(&m, bytes_of("k\0one", 5)), &a);
    ck_assert(map_put(&m, bytes_of(NULL, 0), &b));
    ck_assert_ptr_eq(map_get(&m, bytes_str("")), &b);
    ck_assert(map_put(&m, bytes_str(""), &c)); /* replaces */
    ck_assert_ptr_eq(map_take(&m, bytes_str("")), &c);
    ck_assert_uint_eq(m.count, 1);
    map_release(&m);
}
END_TEST

START_TEST(map_hash_depends_on_the_seed_and_every_byte) {
    uint8_t data[40] = {0};
    map_seed(1);
    uint64_t one = map_hash(bytes_of(data, 40));
    ck_assert_uint_eq(one, map_hash(bytes_of(data, 40)));
    for (size_t i = 0; i < sizeof(data); i++) {
        ck_assert_uint_ne(map_hash(bytes_of(data, i)), one);
        data[i] = 1;
        ck_assert_uint_ne(map_hash(bytes_of(data, 40)), one);
        data[i] = 0;
    }
    map_seed(2);
    ck_assert_uint_ne(map_hash(bytes_of(data, 40)), one);
}
END_TEST

START_TEST(mem_is_zeroed_and_zero_sizes_are_no_failure) {
    uint8_t *p = mem_alloc(100);
    ck_assert(p && is_zero(p, 100));
    p = mem_realloc(p, 0);
    ck_assert_ptr_nonnull(p);
    mem_free(p);
    p = mem_alloc(0);
    ck_assert_ptr_nonnull(p);
    mem_free(p);
    char *copy = mem_strdup("abc", 2);
    ck_assert_str_eq(copy, "ab");
    mem_free(copy);
    ck_assert_ptr_null(mem_strdup("abc", SIZE_MAX));
}
END_TEST

START_TEST(real_clock_moves_and_random_differs) {
    uint8_t a[300] = {0}, b[300] = {0};
    uint64_t t1 = clock_now_us(&clock_real);
    uint64_t t2 = clock_now_us(&clock_real);
    ck_assert_uint_le(t1, t2);
    ck_assert(clock_random(&clock_real, a, sizeof(a)));
    ck_assert(clock_random(&clock_real, b, sizeof(b)));
    ck_assert(!bytes_equal(bytes_of(a, sizeof(a)), bytes_of(b, sizeof(b))));
    ck_assert(clock_random(&clock_real, a, 0));
}
END_TEST

#ifdef GILMOK_FAULT
START_TEST(fault_fires_once_at_its_number) {
    fault_disarm();
    fault_arm(FAULT_ALLOC, 2);
    void *a = mem_alloc(1), *b = mem_alloc(1), *c = mem_alloc(1), *d = mem_alloc(1);
    ck_assert(a && b && !c && d);
    ck_assert(fault_fired(FAULT_ALLOC));
    ck_assert_uint_eq(fault_left(FAULT_ALLOC), 0);
    ck_assert(!fault_fired(FAULT_SEND));
    fault_disarm();
    ck_assert(!fault_fired(FAULT_ALLOC));
    mem_free(a);
    mem_free(b);
    mem_free(d);
}
END_TEST

/* Every allocation of a growing map fails once: no key is lost and none appears. */
START_TEST(map_put_fails_without_a_trace) {
    int value;
    char name[32];
    for (uint64_t n = 0;; n++) {
        struct map m;
        map_init(&m);
        fault_disarm();
        fault_arm(FAULT_ALLOC, n);
        for (int i = 0; i < 40; i++) {
            size_t before = m.count;
            struct bytes key = numbered_key(i, name, sizeof(name));
            if (!map_put(&m, key, &value)) {
                ck_assert_uint_eq(m.count, before);
                ck_assert_ptr_null(map_get(&m, key));
                ck_assert(map_put(&m, key, &value));
            }
        }
        for (int i = 0; i < 40; i++) ck_assert_ptr_nonnull(map_get(&m, numbered_key(i, name, sizeof(name))));
        bool has_fired = fault_fired(FAULT_ALLOC);
        map_release(&m);
        if (!has_fired) break;
    }
    fault_disarm();
}
END_TEST

START_TEST(arena_and_slab_report_missing_memory) {
    struct arena a;
    struct slab s;
    fault_disarm();
    arena_init(&a, 1000);
    fault_arm(FAULT_ALLOC, 0);
    ck_assert_ptr_null(arena_alloc(&a, 10));
    ck_assert_ptr_null(arena_alloc(&a, 10));
    ck_assert(a.failed);
    arena_release(&a);
    slab_init(&s, 10);
    for (uint64_t n = 0; n < 2; n++) {
        fault_arm(FAULT_ALLOC, n);
        ck_assert_ptr_null(slab_take(&s));
        ck_assert_uint_eq(s.taken, 0);
    }
    ck_assert_ptr_nonnull(slab_take(&s));
    slab_release(&s);
    fault_disarm();
}
END_TEST
#endif

int main(void) {
    TCase *t = tcase_create("memory");
    tcase_add_test(t, arena_gives_zeroed_aligned_memory_also_after_reset);
    tcase_add_test(t, arena_objects_do_not_overlap);
    tcase_add_test(t, arena_ceiling_is_sticky);
    tcase_add_test(t, arena_strdup_ends_with_nul);
    tcase_add_test(t, slab_takes_zeroed_distinct_objects);
    tcase_add_test(t, slab_reuses_before_it_grows);
    tcase_add_test(t, list_keeps_order_and_survives_removal_while_walking);
    tcase_add_test(t, map_holds_ten_thousand_keys_with_removals);
    tcase_add_test(t, map_that_changes_for_ever_stays_small);
    tcase_add_test(t, map_asked_again_says_what_it_says_at_first);
    tcase_add_test(t, map_keys_are_any_bytes_and_copied);
    tcase_add_test(t, map_hash_depends_on_the_seed_and_every_byte);
    tcase_add_test(t, mem_is_zeroed_and_zero_sizes_are_no_failure);
    tcase_add_test(t, real_clock_moves_and_random_differs);
#ifdef GILMOK_FAULT
    tcase_add_test(t, fault_fires_once_at_its_number);
    tcase_add_test(t, map_put_fails_without_a_trace);
    tcase_add_test(t, arena_and_slab_report_missing_memory);
#endif
    return check_main_of("base memory", t);
}
