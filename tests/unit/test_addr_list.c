/*
 * test_addr_list.c - lists of addresses: what is in them, and what is said about mistakes.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "proxy/net/addr_list.h"
#include "tests/unit/check_main.h"

static struct addr_list list;
static struct err err;

static struct addr addr(const char *text) {
    struct addr a = {.len = 0};
    if (strcmp(text, "unix") == 0) {
        ck_assert(addr_unix(&a, "/run/x", &err));
    } else if (strchr(text, ':')) {
        a.sa.ss_family = AF_INET6;
        ck_assert_int_eq(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a.sa)->sin6_addr), 1);
    } else {
        a.sa.ss_family = AF_INET;
        ((struct sockaddr_in *)&a.sa)->sin_port = htons(5432);
        ck_assert_int_eq(inet_pton(AF_INET, text, &((struct sockaddr_in *)&a.sa)->sin_addr), 1);
    }
    return a;
}

static bool is_in(const char *text) {
    struct addr a = addr(text);
    return addr_list_contains(&list, &a);
}

static void parse(const char *text) {
    err = (struct err){0};
    ck_assert_msg(addr_list_parse(&list, text, &err), "%s: %s", text, err.message);
    ck_assert(!err_is_set(&err));
}

START_TEST(the_usual_list) {
    parse("10.0.0.0/8, 192.168.1.7,\t::1 ,fd00::/8, unix");
    ck_assert_uint_eq(list.count, 4);
    static const char *const in[] = {"10.0.0.0", "10.255.255.255", "192.168.1.7", "::1", "fd00::", "fdff::1", "unix", "::ffff:10.1.2.3"};
    static const char *const out[] = {"9.255.255.255", "11.0.0.0", "192.168.1.6", "192.168.1.8", "::2", "::", "fe00::", "fcff::",
                                      "::ffff:11.0.0.0", "::10.1.2.3"};
    for (size_t i = 0; i < COUNT_OF(in); i++) ck_assert_msg(is_in(in[i]), "%s", in[i]);
    for (size_t i = 0; i < COUNT_OF(out); i++) ck_assert_msg(!is_in(out[i]), "%s", out[i]);
}
END_TEST

START_TEST(an_empty_list_holds_nobody) {
    parse("");
    ck_assert(!is_in("127.0.0.1") && !is_in("::1") && !is_in("unix") && !is_in("0.0.0.0") && !is_in("::"));
    ck_assert(!addr_list_contains(&list, &(struct addr){.len = 0}));
    parse("0.0.0.0/0, ::/0, unix");
    ck_assert(!addr_list_contains(&list, &(struct addr){.len = 0}));
}
END_TEST

START_TEST(families_are_apart_except_for_mapped_addresses) {
    parse("0.0.0.0/0");
    ck_assert(is_in("1.2.3.4") && is_in("::ffff:1.2.3.4") && !is_in("::1") && !is_in("unix"));
    parse("::/0");
    ck_assert(!is_in("1.2.3.4") && !is_in("::ffff:1.2.3.4") && is_in("::1") && !is_in("unix"));
    parse("::ffff:10.0.0.0/104");
    ck_assert(is_in("10.1.2.3") && is_in("::ffff:10.1.2.3") && !is_in("11.0.0.0"));
    parse("unix");
    ck_assert(is_in("unix") && !is_in("127.0.0.1") && !is_in("::1"));
}
END_TEST

START_TEST(every_prefix_length) {
    for (int bits = 1; bits <= 32; bits++) {
        char text[32];
        snprintf(text, sizeof text, "128.0.0.0/%d", bits);
        parse(text);
        struct addr a = addr("128.0.0.0"), last = a, next = a;
        uint32_t size = bits == 32 ? 1 : UINT32_C(1) << (32 - bits);
        ((struct sockaddr_in *)&last.sa)->sin_addr.s_addr = htonl(UINT32_C(0x80000000) + size - 1);
        ((struct sockaddr_in *)&next.sa)->sin_addr.s_addr = htonl(UINT32_C(0x80000000) + size);
        ck_assert(addr_list_contains(&list, &a) && addr_list_contains(&list, &last));
        ck_assert(!addr_list_contains(&list, &next) && !is_in("127.255.255.255"));
    }
    for (int bits = 1; bits <= 128; bits++) {
        char text[32];
        snprintf(text, sizeof text, "8000::/%d", bits);
        parse(text);
        struct addr a = addr("8000::"), inside = a, outside = a;
        uint8_t *ip = (uint8_t *)&((struct sockaddr_in6 *)&inside.sa)->sin6_addr;
        for (int i = bits; i < 128; i++) ip[i / 8] |= (uint8_t)(0x80 >> i % 8);
        ((uint8_t *)&((struct sockaddr_in6 *)&outside.sa)->sin6_addr)[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
        ck_assert(addr_list_contains(&list, &inside) && !addr_list_contains(&list, &outside));
    }
}
END_TEST

START_TEST(mistakes_are_named) {
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {" ", "holds an empty address: ", "one comma"},
        {",", "holds an empty address", "one comma"},
        {"::1,", "holds an empty address", "one comma"},
        {"::1,,::2", "holds an empty address", "one comma"},
        {"proxy.example", "holds what is not an IP address: proxy.example", "names are not looked up"},
        {"10.0.0.0.", "not an IP address", "Write addresses"},
        {"10.0.0", "not an IP address", "Write addresses"},
        {"010.0.0.1", "not an IP address", "Write addresses"},
        {"[::1]", "not an IP address", "Write addresses"},
        {"::1:6432:", "not an IP address", "Write addresses"},
        {"127.0.0.1:6432", "not an IP address", "Write addresses"},
        {"fe80::1%lo", "not an IP address", "Write addresses"},
        {"/8", "not an IP address", "Write addresses"},
        {"unix:/run/x", "not an IP address: unix:/run/x", "or unix"},
        {"Unix", "not an IP address", "or unix"},
        {"10.0.0.0/", "prefix length", "0 to 32"},
        {"10.0.0.0/33", "prefix length", "0 to 32"},
        {"10.0.0.0/08", "prefix length", "0 to 32"},
        {"10.0.0.0/8x", "prefix length", "0 to 32"},
        {"10.0.0.0/-1", "prefix length", "0 to 32"},
        {"10.0.0.0/255.0.0.0", "prefix length", "0 to 32"},
        {"fd00::/129", "prefix length", "0 to 128"},
        {"fd00::/1000", "prefix length", "0 to 128"},
        {"10.1.0.0/8", "bits behind its prefix length: 10.1.0.0/8", "Write 10.0.0.0/8,"},
        {"10.0.0.1/31", "bits behind", "Write 10.0.0.0/31,"},
        {"1.2.3.4/0", "bits behind", "Write 0.0.0.0/0,"},
        {"fd00::1/8", "bits behind", "Write fd00::/8,"},
        {"::ffff:0:0/90", "bits behind", "/90"},
        {"::1, ::1", "twice: ::1", "Remove"},
        {"10.0.0.1, ::ffff:10.0.0.1", "twice", "Remove"},
        {"10.0.0.1, 10.0.0.1/32", "twice", "Remove"},
        {"unix, unix", "twice", "Remove"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        err = (struct err){0};
        ck_assert_msg(!addr_list_parse(&list, cases[i].text, &err), "%s", cases[i].text);
        ck_assert_msg(strstr(err.message, cases[i].message), "%s: %s", cases[i].text, err.message);
        ck_assert_msg(strstr(err.hint, cases[i].hint), "%s: %s", cases[i].text, err.hint);
        ck_assert_str_eq(err.sqlstate, ERR_CONFIG);
    }
}
END_TEST

START_TEST(the_list_has_an_end) {
    char text[ADDR_LIST_MAX * 20] = "unix";
    size_t len = 4;
    for (int i = 0; i < ADDR_LIST_MAX; i++) len += (size_t)snprintf(text + len, sizeof text - len, ",10.0.0.%d", i);
    parse(text);
    ck_assert_uint_eq(list.count, ADDR_LIST_MAX);
    ck_assert(is_in("10.0.0.0") && is_in("10.0.0.63") && !is_in("10.0.0.64"));
    snprintf(text + len, sizeof text - len, ",::1");
    ck_assert(!addr_list_parse(&list, text, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "more than 64 addresses: ::1"));
    memset(text, '1', 200); /* a long mistake is quoted in part */
    text[200] = '\0';
    ck_assert(!addr_list_parse(&list, text, &err));
    ck_assert_uint_lt(strlen(err.message), 120);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("addr list");
    tcase_add_test(t, the_usual_list);
    tcase_add_test(t, an_empty_list_holds_nobody);
    tcase_add_test(t, families_are_apart_except_for_mapped_addresses);
    tcase_add_test(t, every_prefix_length);
    tcase_add_test(t, mistakes_are_named);
    tcase_add_test(t, the_list_has_an_end);
    return check_main_of("addr list", t);
}
