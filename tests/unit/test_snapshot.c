/*
 * test_snapshot.c - a configuration is taken over as a whole or not at all: every user has keys, or there is no snapshot.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "proxy/snapshot.h"
#include "tests/unit/check_main.h"

static char dir[64];
static struct err err;

/* ---- OpenSSL's heap ---- */

static uint64_t allocs_left; /* the one that makes it 0 fails; 0: none does */

static bool must_fail(void) {
    return allocs_left > 0 && --allocs_left == 0;
}

static void *take(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return must_fail() ? NULL : malloc(size);
}

static void *retake(void *old, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return must_fail() ? NULL : realloc(old, size);
}

static void give_back(void *p, const char *file, int line) {
    (void)file;
    (void)line;
    free(p);
}

/* ---- configurations ---- */

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

static struct config *load(const char *users) {
    char path[128];
    struct config_findings findings;
    snprintf(dir, sizeof dir, "/tmp/gilmok-snapshot-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("users.txt", users);
    put("g.conf", "[gilmok]\nuser_file = users.txt\n[cluster main]\nserver_tls = disable\n[node main/a]\n[database shop]\n");
    snprintf(path, sizeof path, "%s/g.conf", dir);
    config_findings_init(&findings);
    struct config *c = config_load(path, &findings);
    ck_assert_ptr_nonnull(c);
    config_findings_release(&findings);
    unlink(path);
    snprintf(path, sizeof path, "%s/users.txt", dir);
    unlink(path);
    rmdir(dir);
    err = (struct err){0};
    return c;
}

static bool is_derived(const struct snapshot *s, const char *name) {
    return user_store_find(&s->config->user_store, bytes_str(name))->has_verifier;
}

#define USERS "\"a\" \"1\"\n\"b\" \"2\"\n\"c\" \"3\"\n"

static bool is_whole(const struct snapshot *s) {
    return is_derived(s, "a") && is_derived(s, "b") && is_derived(s, "c");
}

static void check_refusal(struct config *c) {
    ck_assert(err_is_set(&err));
    config_free(c); /* it is still ours */
}

/* ---- tests ---- */

START_TEST(without_openssls_memory_there_is_no_snapshot) {
    uint64_t refused = 0;
    bool fired = true;
    for (uint64_t n = 1; fired; n += 1 + n / 10) { /* a derivation takes thousands, nearly all of them alike */
        struct config *c = load(USERS);
        allocs_left = n;
        struct snapshot *s = snapshot_new(c, NULL, &err);
        fired = allocs_left == 0;
        allocs_left = 0;
        if (s) {
            ck_assert(is_whole(s));
            snapshot_unref(s);
            continue;
        }
        ck_assert(fired);
        ck_assert_ptr_nonnull(strstr(err.message, "the keys of user \""));
        ck_assert_ptr_null(strstr(err.message, "1"));
        check_refusal(c);
        refused++;
    }
    ck_assert_uint_ge(refused, 3);
}
END_TEST

START_TEST(a_reload_derives_what_is_new_only) {
    struct snapshot *old = snapshot_new(load(USERS), NULL, &err);
    ck_assert(old && is_whole(old));
    struct config *c = load(USERS);
    allocs_left = 1;
    struct snapshot *same = snapshot_new(c, old, &err);
    ck_assert(same && is_whole(same) && allocs_left == 1);
    allocs_left = 0;
    c = load("\"a\" \"1\"\n\"b\" \"another\"\n\"c\" \"3\"\n");
    allocs_left = 20; /* OpenSSL gets by without some of the first */
    ck_assert_ptr_null(snapshot_new(c, same, &err));
    allocs_left = 0;
    ck_assert_ptr_nonnull(strstr(err.message, "user \"b\""));
    check_refusal(c);
    ck_assert(is_whole(same));
    snapshot_unref(old);
    snapshot_unref(same);
}
END_TEST

#ifdef GILMOK_FAULT
START_TEST(without_our_memory_there_is_no_snapshot) {
    bool fired = true;
    uint64_t refused = 0;
    for (uint64_t n = 0; fired; n++) {
        struct config *c = load(USERS);
        fault_arm(FAULT_ALLOC, n);
        struct snapshot *s = snapshot_new(c, NULL, &err);
        fired = fault_fired(FAULT_ALLOC);
        fault_disarm();
        if (s) {
            ck_assert(is_whole(s));
            snapshot_unref(s);
            continue;
        }
        ck_assert(fired);
        check_refusal(c);
        refused++;
    }
    ck_assert_uint_ge(refused, 3);
}
END_TEST
#endif

int main(void) {
    struct scram_verifier first; /* OpenSSL's own beginnings do not survive a lack of memory; they are not what is tested */
    if (!CRYPTO_set_mem_functions(take, retake, give_back)) return EXIT_FAILURE;
    if (!scram_verifier_derive("x", (const uint8_t *)"salt", 4, 4096, &first)) return EXIT_FAILURE;
    TCase *t = tcase_create("snapshot");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, without_openssls_memory_there_is_no_snapshot);
    tcase_add_test(t, a_reload_derives_what_is_new_only);
#ifdef GILMOK_FAULT
    tcase_add_test(t, without_our_memory_there_is_no_snapshot);
#endif
    return check_main_of("snapshot", t);
}
