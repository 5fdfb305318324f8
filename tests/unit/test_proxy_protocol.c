/*
 * test_proxy_protocol.c - the PROXY protocol's header, whole and in pieces, right and wrong.
 *
 * The checksums were computed by another program.
 */
#include "base/writer.h"
#include "proxy/net/proxy_protocol.h"
#include "tests/unit/check_main.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LITERAL(text) bytes_of(text, sizeof(text) - 1)
#define V4_BODY "\xcb\x00\x71\x07\x0a\x00\x00\x01\xc8\x22\x19\x20"
#define V6_BODY                                                                                                                  \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xc8\x22\x19\x20"
#define CHECKED                                                                                                                  \
    SIGNATURE "\x21\x11\x00\x23" V4_BODY "\x04\x00\x00\x03\x00\x04\x58\x5e\x14\x43\x02\x00\x0a" "db.example"
#define CHECKED_V6                                                                                                               \
    SIGNATURE "\x21\x21\x00\x3d" V6_BODY "\x20\x00\x0f\x01\0\0\0\0\x21\x00\x07TLSv1.3\x03\x00\x04\xa3\x0d\xcc\x31"

static struct proxy_source source;
static size_t used;
static uint8_t storage[1 << 17];

static enum proxy_header read_it(struct bytes data) {
    used = 77;
    return proxy_protocol_read(data, &source, &used);
}

static const char *peer(void) {
    static char text[ADDR_TEXT_MAX];
    return addr_text(&source.peer, text);
}

static const char *local(void) {
    static char text[ADDR_TEXT_MAX];
    return addr_text(&source.local, text);
}

/* A version 2 header around `body`. */
static struct bytes header(uint8_t version_command, uint8_t family_transport, struct bytes body) {
    struct writer w;
    writer_init_fixed(&w, storage, sizeof storage);
    writer_put(&w, LITERAL(SIGNATURE));
    writer_u8(&w, version_command);
    writer_u8(&w, family_transport);
    writer_be16(&w, (uint16_t)body.len);
    writer_put(&w, body);
    ck_assert(!w.failed);
    return writer_bytes(&w);
}

/* Right as a whole, and with bytes behind it; not yet, with fewer. */
static void assert_ok(struct bytes h) {
    uint8_t longer[PROXY_PROTOCOL_MAX + 8];
    ck_assert_uint_le(h.len, PROXY_PROTOCOL_MAX);
    for (size_t len = 0; len < h.len; len++) {
        ck_assert_int_eq(read_it(bytes_of(h.ptr, len)), PROXY_HEADER_NEED_MORE);
        ck_assert_uint_eq(used, 0);
        ck_assert(!source.is_given && !source.why);
    }
    memcpy(longer, h.ptr, h.len);
    memcpy(longer + h.len, "\0\0\0\x08\r\nxx", 8);
    ck_assert_int_eq(read_it(bytes_of(longer, h.len + 8)), PROXY_HEADER_OK);
    ck_assert_uint_eq(used, h.len);
    ck_assert_int_eq(read_it(h), PROXY_HEADER_OK);
    ck_assert_uint_eq(used, h.len);
    ck_assert_ptr_null(source.why);
}

static void assert_bad(struct bytes h, const char *why) {
    ck_assert_int_eq(read_it(h), PROXY_HEADER_BAD);
    ck_assert_uint_eq(used, 0);
    ck_assert(!source.is_given);
    ck_assert_msg(strstr(source.why, why), "\"%s\", expected \"%s\"", source.why, why);
}

/* ---- version 1 ---- */

START_TEST(text_of_both_families) {
    assert_ok(bytes_str("PROXY TCP4 203.0.113.7 10.0.0.1 51234 6432\r\n"));
    ck_assert(source.is_given);
    ck_assert_str_eq(peer(), "203.0.113.7:51234");
    ck_assert_str_eq(local(), "10.0.0.1:6432");
    assert_ok(bytes_str("PROXY TCP6 2001:DB8::7 ::ffff:10.0.0.1 0 65535\r\n"));
    ck_assert(source.is_given);
    ck_assert_str_eq(peer(), "[2001:db8::7]:0");
    ck_assert_str_eq(local(), "[::ffff:10.0.0.1]:65535");
    assert_ok(bytes_str("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
}
END_TEST

START_TEST(text_unknown_leaves_the_sockets_peer) {
    static const char *const lines[] = {
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN \r\n",
        "PROXY UNKNOWN TCP4 1.2.3.4 what ever\r\n",
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_ok(bytes_str(lines[i]));
        ck_assert(!source.is_given);
    }
    ck_assert_uint_eq(strlen(lines[3]), PROXY_PROTOCOL_TEXT_MAX);
}
END_TEST

START_TEST(text_ends_within_107_bytes) {
    char line[PROXY_PROTOCOL_TEXT_MAX + 3];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    ck_assert_int_eq(read_it(bytes_of(line, PROXY_PROTOCOL_TEXT_MAX - 1)), PROXY_HEADER_NEED_MORE);
    assert_bad(bytes_of(line, PROXY_PROTOCOL_TEXT_MAX), "no end");
    line[PROXY_PROTOCOL_TEXT_MAX - 1] = '\r';
    line[PROXY_PROTOCOL_TEXT_MAX] = '\n';
    assert_bad(bytes_of(line, PROXY_PROTOCOL_TEXT_MAX + 1), "no end");
    line[PROXY_PROTOCOL_TEXT_MAX - 2] = '\r';
    line[PROXY_PROTOCOL_TEXT_MAX - 1] = '\n';
    assert_ok(bytes_of(line, PROXY_PROTOCOL_TEXT_MAX));
}
END_TEST

START_TEST(text_is_parsed_to_the_letter) {
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"PROXY\r\n", "no space"},
        {"PROXYTCP4 1.2.3.4 1.2.3.4 1 2\r\n", "no space"},
        {"PROXY \r\n", "none of"},
        {"PROXY \n", "CR and LF"},
        {"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "none of"},
        {"PROXY TCP 1.2.3.4 1.2.3.4 1 2\r\n", "none of"},
        {"PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "none of"},
        {"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "none of"},
        {"PROXY UNKNOWNS\r\n", "none of"},
        {"PROXY UNKNOWN\n", "CR and LF"},
        {"PROXY UNKNOWN a\nb\r\n", "CR and LF"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "CR and LF"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", "destination port"},
        {"PROXY TCP4\r\n", "source address"},
        {"PROXY TCP4 \r\n", "source address"},
        {"PROXY TCP4 1.2.3.4\r\n", "destination address"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4\r\n", "source port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "destination port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "behind"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "behind"},
        {"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "behind"},
        {"PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n", "source address"},
        {"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "source address"},
        {"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", "source address"},
        {"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "source address"},
        {"PROXY TCP4 ::1 1.2.3.4 1 2\r\n", "source address"},
        {"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "source address"},
        {"PROXY TCP6 ::1 fe80::1%lo 1 2\r\n", "destination address"},
        {"PROXY TCP6 ::1 [::1] 1 2\r\n", "destination address"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "source port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "source port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 00 2\r\n", "source port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "source port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n", "destination port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 100000\r\n", "destination port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2x\r\n", "destination port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n", "destination port"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_bad(bytes_str(cases[i].line), cases[i].why);
    assert_bad(LITERAL("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"), "source address");
    assert_bad(LITERAL("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\0\r\n"), "destination port");
}
END_TEST

/* ---- version 2 ---- */

START_TEST(binary_of_all_families) {
    static const uint8_t transports[] = {1, 2};
    uint8_t paths[216] = {0};
    memcpy(paths, "/run/a", 6);
    memset(paths + 108, 'b', 108); /* a path that fills its field has no NUL */
    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        assert_ok(header(0x21, 0x10 | transports[i], LITERAL(V4_BODY)));
        ck_assert(source.is_given);
        ck_assert_str_eq(peer(), "203.0.113.7:51234");
        ck_assert_str_eq(local(), "10.0.0.1:6432");
        assert_ok(header(0x21, 0x20 | transports[i], LITERAL(V6_BODY)));
        ck_assert(source.is_given);
        ck_assert_str_eq(peer(), "[2001:db8::7]:51234");
        ck_assert_str_eq(local(), "[fd00::1]:6432");
        assert_ok(header(0x21, 0x30 | transports[i], bytes_of(paths, sizeof paths)));
        ck_assert(source.is_given && addr_is_unix(&source.peer));
        ck_assert_str_eq(peer(), "unix:/run/a");
        ck_assert_uint_eq(strlen(local()), 5 + 108);
        ck_assert(memchr(local() + 5, 'b', 108) && !strchr(local() + 5, '/'));
    }
    paths[0] = '\0'; /* abstract, or no name */
    assert_ok(header(0x21, 0x31, bytes_of(paths, sizeof paths)));
    ck_assert_str_eq(peer(), "unix:");
}
END_TEST

START_TEST(local_and_unspecified_leave_the_sockets_peer) {
    static const uint8_t unspecified[] = {0x00, 0x01, 0x02, 0x10, 0x20, 0x30};
    assert_ok(header(0x20, 0x00, LITERAL("")));
    ck_assert(!source.is_given);
    assert_ok(header(0x20, 0x11, LITERAL(V4_BODY)));
    ck_assert(!source.is_given);
    assert_ok(header(0x20, 0xff, LITERAL("\x20\xff\xff"))); /* whatever LOCAL carries is skipped */
    ck_assert(!source.is_given);
    for (size_t i = 0; i < COUNT_OF(unspecified); i++) {
        assert_ok(header(0x21, unspecified[i], LITERAL("\x20\xff\xff")));
        ck_assert(!source.is_given);
    }
}
END_TEST

START_TEST(binary_bytes_that_nobody_assigned) {
    for (unsigned byte = 0; byte < 256; byte++) {
        struct bytes h = header((uint8_t)byte, 0x11, LITERAL(V4_BODY));
        if (byte == 0x20 || byte == 0x21) assert_ok(h);
        else assert_bad(h, byte >> 4 == 2 ? "neither LOCAL nor PROXY" : "version");
        h = header(0x21, (uint8_t)byte, bytes_of((uint8_t[216]){'/', 'a'}, 216));
        if (byte >> 4 > 3 || (byte & 15) > 2) {
            assert_bad(bytes_of(h.ptr, 16), "family"); /* said as soon as it can be seen */
        } else if (byte >> 4 == 3 || byte >> 4 == 0 || (byte & 15) == 0) {
            assert_ok(h);
        }
    }
}
END_TEST

START_TEST(binary_lengths_at_their_edges) {
    static const struct {
        uint8_t family;
        uint16_t len;
    } cases[] = {{0x11, 12}, {0x21, 36}, {0x31, 216}};
    static uint8_t zeros[1 << 16];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t len = 0; len < cases[i].len; len++)
            assert_bad(header(0x21, cases[i].family, bytes_of(zeros, len)), "too short");
        assert_ok(header(0x21, cases[i].family, bytes_of(zeros, cases[i].len)));
    }
    assert_ok(header(0x20, 0, bytes_of(zeros, PROXY_PROTOCOL_MAX - 16)));
    struct bytes h = header(0x20, 0, bytes_of(zeros, PROXY_PROTOCOL_MAX - 15));
    assert_bad(h, "longer than 2048");
    assert_bad(bytes_of(h.ptr, 16), "longer than 2048");
    assert_bad(header(0x21, 0x11, bytes_of(zeros, 0xffff)), "longer than 2048");
}
END_TEST

START_TEST(extensions_end_with_the_header) {
    static const struct {
        struct bytes body;
        const char *why;
    } cases[] = {
        {{(const uint8_t *)V4_BODY "\x04", 13}, "longer than the header"},
        {{(const uint8_t *)V4_BODY "\x04\0", 14}, "longer than the header"},
        {{(const uint8_t *)V4_BODY "\x04\0\x01", 15}, "longer than the header"},
        {{(const uint8_t *)V4_BODY "\xea\0\x05" "four", 19}, "longer than the header"},
        {{(const uint8_t *)V4_BODY "\x04\xff\xff" "four", 19}, "longer than the header"},
        {{(const uint8_t *)V4_BODY "\x04\0\0\x04", 16}, "longer than the header"},
        {{(const uint8_t *)V4_BODY "\x03\0\0", 15}, "four bytes"},
        {{(const uint8_t *)V4_BODY "\x03\0\x05" "fifth", 20}, "four bytes"},
        {{(const uint8_t *)V4_BODY "\x03\0\x04" "four", 19}, "does not fit"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_bad(header(0x21, 0x11, cases[i].body), cases[i].why);
    assert_ok(header(0x21, 0x11, LITERAL(V4_BODY "\x04\0\0\xea\0\x04" "four\x04\0\x01" "x")));
    ck_assert(source.is_given);
}
END_TEST

START_TEST(checksums_are_compared) {
    static const uint8_t checked[] = CHECKED;
    uint8_t copy[sizeof checked - 1];
    assert_ok(LITERAL(CHECKED));
    ck_assert_str_eq(peer(), "203.0.113.7:51234");
    assert_ok(LITERAL(CHECKED_V6));
    ck_assert_str_eq(peer(), "[2001:db8::7]:51234");
    for (size_t i = 16; i < sizeof copy; i++) { /* a changed bit anywhere behind the fixed part */
        memcpy(copy, checked, sizeof copy);
        copy[i] ^= 1;
        bool is_type = i == 31; /* of the checksum: then there is none */
        ck_assert_int_eq(read_it(bytes_of(copy, sizeof copy)), is_type ? PROXY_HEADER_OK : PROXY_HEADER_BAD);
    }
}
END_TEST

START_TEST(two_checksums_are_one_too_many) {
    /* The first one fits: it was computed over both. */
    assert_bad(LITERAL(SIGNATURE "\x21\x11\x00\x1a" V4_BODY "\x03\0\x04\xf9\x60\xd2\xcd\x03\0\x04\0\0\0\0"), "two checksums");
}
END_TEST

/* ---- neither ---- */

START_TEST(what_does_not_begin_like_a_header) {
    static const struct bytes cases[] = {
        {(const uint8_t *)"\0\0\0\x08\x04\xd2\x16\x2f", 8}, {(const uint8_t *)"\x16\x03\x01", 3},
        {(const uint8_t *)"GET / HTTP/1.1\r\n", 16},       {(const uint8_t *)"proxy TCP4", 10},
        {(const uint8_t *)"PROXX", 5},                      {(const uint8_t *)"\r\n\r\nQUIT", 8},
        {(const uint8_t *)"\n", 1},                         {(const uint8_t *)" PROXY", 6},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_int_eq(read_it(cases[i]), PROXY_HEADER_ABSENT);
        ck_assert_uint_eq(used, 0);
        ck_assert(!source.is_given && !source.why);
    }
    ck_assert_int_eq(read_it(bytes_of(NULL, 0)), PROXY_HEADER_NEED_MORE);
    ck_assert_str_eq(proxy_header_name(PROXY_HEADER_ABSENT), "absent");
}
END_TEST

int main(void) {
    TCase *t = tcase_create("proxy protocol");
    tcase_add_test(t, text_of_both_families);
    tcase_add_test(t, text_unknown_leaves_the_sockets_peer);
    tcase_add_test(t, text_ends_within_107_bytes);
    tcase_add_test(t, text_is_parsed_to_the_letter);
    tcase_add_test(t, binary_of_all_families);
    tcase_add_test(t, local_and_unspecified_leave_the_sockets_peer);
    tcase_add_test(t, binary_bytes_that_nobody_assigned);
    tcase_add_test(t, binary_lengths_at_their_edges);
    tcase_add_test(t, extensions_end_with_the_header);
    tcase_add_test(t, checksums_are_compared);
    tcase_add_test(t, two_checksums_are_one_too_many);
    tcase_add_test(t, what_does_not_begin_like_a_header);
    return check_main_of("proxy protocol", t);
}
