/*
 * test_wire_pg.c - PostgreSQL messages: what is written can be read back, and what is at a limit's edge is told apart.
 *
 * Single inputs and their decodings are in tests/golden/wire.
 */
#include <stdio.h>

#include "proxy/wire/pg_encode.h"
#include "tests/unit/check_main.h"

static struct writer w;
static struct err err;
static struct pg_first first;

static void fresh(void) {
    writer_init(&w, 1 << 20);
    err = (struct err){0};
    first = (struct pg_first){0};
}

static void release(void) {
    writer_release(&w);
}

/* The body of the only message written, after its header was found right. */
static struct bytes only_body(uint8_t type) {
    ck_assert(!w.failed);
    struct pg_header h;
    ck_assert_int_eq(pg_header_read(writer_bytes(&w), &h), PG_FRAME_OK);
    ck_assert_uint_eq(h.type, type);
    ck_assert_uint_eq(h.total, w.len);
    ck_assert_uint_eq(h.body_len, w.len - PG_HEADER_LEN);
    return bytes_of(w.data + PG_HEADER_LEN, h.body_len);
}

static void ck_bytes(struct bytes actual, const char *expected) {
    ck_assert_msg(bytes_is(actual, expected), "`%.*s` is not `%s`", (int)actual.len, (const char *)actual.ptr, expected);
}

/* ---- headers ---- */

static enum pg_frame header(uint32_t len) {
    uint8_t in[PG_HEADER_LEN] = {'Q', (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    struct pg_header h;
    enum pg_frame frame = pg_header_read(bytes_of(in, sizeof in), &h);
    if (frame == PG_FRAME_OK) {
        ck_assert_uint_eq(h.total, len + 1);
        ck_assert_uint_eq(h.body_len, len - 4);
    }
    return frame;
}

START_TEST(a_header_has_a_length_within_the_limits) {
    ck_assert_int_eq(header(0), PG_FRAME_BAD);
    ck_assert_int_eq(header(3), PG_FRAME_BAD);
    ck_assert_int_eq(header(4), PG_FRAME_OK);
    ck_assert_int_eq(header(PG_LARGE_MAX), PG_FRAME_OK);
    ck_assert_int_eq(header(PG_LARGE_MAX + 1), PG_FRAME_BAD);
    ck_assert_int_eq(header(0x7fffffff), PG_FRAME_BAD);
    ck_assert_int_eq(header(0x80000000), PG_FRAME_BAD);
    ck_assert_int_eq(header(UINT32_MAX), PG_FRAME_BAD);
}
END_TEST

START_TEST(a_header_is_not_read_before_it_is_whole) {
    struct pg_header h;
    for (size_t len = 0; len < PG_HEADER_LEN; len++)
        ck_assert_int_eq(pg_header_read(bytes_of("Q\0\0\0\4", len), &h), PG_FRAME_NEED_MORE);
    ck_assert_int_eq(pg_header_read(bytes_of("Q\0\0\0\4", PG_HEADER_LEN), &h), PG_FRAME_OK);
}
END_TEST

START_TEST(each_client_message_has_its_limit) {
    static const char large[] = "QPBFd", small[] = "CDEHSXcf";
    for (int type = 0; type < 256; type++) {
        uint32_t limit = type && strchr(large, type) ? PG_LARGE_MAX : type && strchr(small, type) ? PG_SMALL_MAX : 0;
        ck_assert_uint_eq(pg_frontend_limit((uint8_t)type), limit);
    }
}
END_TEST

/* ---- the first packet ---- */

static void put_startup(int params) {
    size_t at;
    pg_put_startup_begin(&w, &at);
    for (int i = 0; i < params; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "name%d", i);
        pg_put_startup_param(&w, bytes_of(name, (size_t)len), bytes_str("v"));
    }
    pg_put_startup_end(&w, at);
    ck_assert(!w.failed);
}

START_TEST(a_startup_packet_comes_back) {
    size_t at;
    pg_put_startup_begin(&w, &at);
    pg_put_startup_param(&w, bytes_str("user"), bytes_str("app"));
    pg_put_startup_param(&w, bytes_str("options"), bytes_str(""));
    pg_put_startup_end(&w, at);
    ck_assert_int_eq(pg_first_read(writer_bytes(&w), &first, &err), PG_FRAME_OK);
    ck_assert_int_eq(first.kind, PG_FIRST_STARTUP);
    ck_assert_uint_eq(first.version, PG_VERSION_3_0);
    ck_assert_uint_eq(first.total, w.len);
    ck_bytes(pg_first_param(&first, "user"), "app");
    ck_bytes(pg_first_param(&first, "options"), "");
    ck_assert_ptr_nonnull(pg_first_param(&first, "options").ptr);
    ck_assert_ptr_null(pg_first_param(&first, "database").ptr);
}
END_TEST

START_TEST(a_startup_packet_is_not_read_before_it_is_whole) {
    put_startup(3);
    for (size_t len = 0; len < w.len; len++)
        ck_assert_int_eq(pg_first_read(bytes_of(w.data, len), &first, &err), PG_FRAME_NEED_MORE);
    writer_str(&w, "the next message");
    ck_assert_int_eq(pg_first_read(writer_bytes(&w), &first, &err), PG_FRAME_OK);
    ck_assert_uint_eq(first.total, w.len - strlen("the next message"));
}
END_TEST

START_TEST(startup_parameters_are_counted) {
    put_startup(PG_PARAM_MAX);
    ck_assert_int_eq(pg_first_read(writer_bytes(&w), &first, &err), PG_FRAME_OK);
    ck_assert_int_eq(first.param_count, PG_PARAM_MAX);
    writer_reset(&w);
    put_startup(PG_PARAM_MAX + 1);
    ck_assert_int_eq(pg_first_read(writer_bytes(&w), &first, &err), PG_FRAME_BAD);
    ck_assert_str_eq(err.sqlstate, ERR_PROTOCOL_VIOLATION);
}
END_TEST

static enum pg_frame startup_of_size(size_t total) {
    static uint8_t filler[PG_STARTUP_MAX + 1];
    memset(filler, 'x', sizeof filler);
    size_t at;
    writer_reset(&w);
    pg_put_startup_begin(&w, &at);
    pg_put_startup_param(&w, bytes_str("user"), bytes_of(filler, total - 8 - 5 - 1 - 1));
    pg_put_startup_end(&w, at);
    ck_assert_uint_eq(w.len, total);
    return pg_first_read(writer_bytes(&w), &first, &err);
}

START_TEST(a_startup_packet_has_a_largest_size) {
    ck_assert_int_eq(startup_of_size(PG_STARTUP_MAX), PG_FRAME_OK);
    ck_assert_int_eq(startup_of_size(PG_STARTUP_MAX + 1), PG_FRAME_BAD);
}
END_TEST

START_TEST(a_startup_packet_too_large_is_refused_by_its_first_bytes) {
    ck_assert_int_eq(pg_first_read(bytes_of("\xff\xff\xff\xff", 4), &first, &err), PG_FRAME_BAD);
    ck_assert_int_eq(pg_first_read(bytes_of("GET ", 4), &first, &err), PG_FRAME_BAD);
}
END_TEST

static enum pg_frame cancel_with_key(size_t len) {
    static const uint8_t key[512] = {1, 2, 3, 4, 0, 5};
    writer_reset(&w);
    pg_put_cancel(&w, 4711, bytes_of(key, len));
    enum pg_frame frame = pg_first_read(writer_bytes(&w), &first, &err);
    if (frame == PG_FRAME_OK) {
        ck_assert_int_eq(first.kind, PG_FIRST_CANCEL);
        ck_assert_uint_eq(first.cancel_pid, 4711);
        ck_assert(bytes_equal(first.cancel_key, bytes_of(key, len)));
    }
    return frame;
}

START_TEST(a_cancel_key_has_4_to_256_bytes) {
    ck_assert_int_eq(cancel_with_key(0), PG_FRAME_BAD);
    ck_assert_int_eq(cancel_with_key(3), PG_FRAME_BAD);
    ck_assert_int_eq(cancel_with_key(4), PG_FRAME_OK);
    ck_assert_int_eq(cancel_with_key(32), PG_FRAME_OK);
    ck_assert_int_eq(cancel_with_key(256), PG_FRAME_OK);
    ck_assert_int_eq(cancel_with_key(257), PG_FRAME_BAD);
}
END_TEST

/* ---- round trips ---- */

START_TEST(authentication_comes_back) {
    uint32_t code;
    struct bytes rest;
    pg_put_auth(&w, PG_AUTH_SASL_CONTINUE, bytes_str("r=x"));
    ck_assert(pg_auth_read(only_body('R'), &code, &rest));
    ck_assert_uint_eq(code, PG_AUTH_SASL_CONTINUE);
    ck_bytes(rest, "r=x");
    writer_reset(&w);
    pg_put_auth_sasl(&w, "SCRAM-SHA-256", NULL);
    ck_assert(pg_auth_read(only_body('R'), &code, &rest));
    ck_assert_uint_eq(code, PG_AUTH_SASL);
    ck_assert(pg_sasl_offers(rest, "SCRAM-SHA-256"));
    ck_assert(!pg_sasl_offers(rest, "SCRAM-SHA-256-PLUS"));
    ck_assert(!pg_sasl_offers(rest, "SCRAM-SHA-25"));
    ck_assert(!pg_sasl_offers(rest, ""));
}
END_TEST

START_TEST(a_mechanism_list_is_read_to_its_end_and_not_beyond) {
    ck_assert(pg_sasl_offers(bytes_of("A\0B\0", 5), "B"));
    ck_assert(!pg_sasl_offers(bytes_of("A\0\0B\0", 6), "B"));
    ck_assert(!pg_sasl_offers(bytes_of("A\0B", 3), "B"));
    ck_assert(!pg_sasl_offers(bytes_of("", 0), "B"));
}
END_TEST

START_TEST(sasl_initial_comes_back) {
    struct bytes mechanism, response;
    pg_put_sasl_initial(&w, "SCRAM-SHA-256", bytes_str("n,,n=,r=abc"));
    ck_assert(pg_sasl_initial_read(only_body('p'), &mechanism, &response));
    ck_bytes(mechanism, "SCRAM-SHA-256");
    ck_bytes(response, "n,,n=,r=abc");
}
END_TEST

START_TEST(a_missing_sasl_response_is_not_an_empty_one) {
    struct bytes mechanism, response;
    ck_assert(pg_sasl_initial_read(bytes_of("M\0\xff\xff\xff\xff", 6), &mechanism, &response));
    ck_assert_ptr_null(response.ptr);
    ck_assert(pg_sasl_initial_read(bytes_of("M\0\0\0\0\0", 6), &mechanism, &response));
    ck_assert_ptr_nonnull(response.ptr);
    ck_assert_uint_eq(response.len, 0);
}
END_TEST

START_TEST(parameter_status_comes_back) {
    struct pg_param p;
    pg_put_parameter_status(&w, bytes_str("TimeZone"), bytes_str("Etc/UTC"));
    ck_assert(pg_parameter_status_read(only_body('S'), &p));
    ck_bytes(p.name, "TimeZone");
    ck_bytes(p.value, "Etc/UTC");
}
END_TEST

START_TEST(a_notification_is_read) {
    static const char body[] = "\0\0\1\2chan\0text";
    struct pg_notification n;
    ck_assert(pg_notification_read(bytes_of((const uint8_t *)body, sizeof body), &n));
    ck_assert_uint_eq(n.pid, 258);
    ck_assert(bytes_is(n.channel, "chan") && bytes_is(n.payload, "text"));
    for (size_t len = 0; len < sizeof body; len++) ck_assert(!pg_notification_read(bytes_of((const uint8_t *)body, len), &n));
}
END_TEST

START_TEST(key_data_comes_back) {
    uint32_t pid;
    struct bytes key;
    pg_put_key_data(&w, UINT32_MAX, bytes_of("\0\1\2\3", 4));
    ck_assert(pg_key_data_read(only_body('K'), &pid, &key));
    ck_assert_uint_eq(pid, UINT32_MAX);
    ck_assert(bytes_equal(key, bytes_of("\0\1\2\3", 4)));
}
END_TEST

START_TEST(a_command_tag_comes_back) {
    struct bytes tag;
    pg_put_command_complete(&w, "INSERT 0 1");
    ck_assert(pg_command_tag_read(only_body('C'), &tag));
    ck_bytes(tag, "INSERT 0 1");
}
END_TEST

START_TEST(an_error_comes_back) {
    struct pg_error_fields f;
    err_set(&err, "22012", "division by %s", "zero");
    err_detail(&err, "in line 1");
    err_hint(&err, "do not");
    pg_put_error(&w, "FATAL", &err);
    ck_assert(pg_error_read(only_body('E'), &f));
    ck_bytes(f.severity, "FATAL");
    ck_bytes(f.sqlstate, "22012");
    ck_bytes(f.message, "division by zero");
    ck_bytes(f.detail, "in line 1");
    ck_bytes(f.hint, "do not");
}
END_TEST

START_TEST(an_error_always_has_severity_code_and_message) {
    struct pg_error_fields f;
    pg_put_error(&w, "ERROR", &err);
    ck_assert(pg_error_read(only_body('E'), &f));
    ck_bytes(f.severity, "ERROR");
    ck_bytes(f.sqlstate, ERR_INTERNAL);
    ck_assert_uint_gt(f.message.len, 0);
    ck_assert_ptr_null(f.detail.ptr);
    ck_assert_ptr_null(f.hint.ptr);
}
END_TEST

/* A server may leave any field out (and a hostile one does). */
START_TEST(an_error_may_lack_any_field) {
    static const char codes[] = "SVCMDHX";
    for (unsigned subset = 0; subset < 1u << (sizeof codes - 1); subset++) {
        writer_reset(&w);
        for (size_t i = 0; codes[i]; i++) {
            if (!(subset & 1u << i)) continue;
            writer_u8(&w, (uint8_t)codes[i]);
            writer_cstr(&w, bytes_of(&codes[i], 1));
        }
        writer_u8(&w, 0);
        struct pg_error_fields f;
        ck_assert(pg_error_read(writer_bytes(&w), &f));
        ck_bytes(f.severity, subset & 2 ? "V" : subset & 1 ? "S" : "");
        ck_bytes(f.sqlstate, subset & 4 ? "C" : "");
        ck_bytes(f.message, subset & 8 ? "M" : "");
        ck_bytes(f.detail, subset & 16 ? "D" : "");
        ck_bytes(f.hint, subset & 32 ? "H" : "");
    }
}
END_TEST

START_TEST(negotiation_names_the_unknown_options) {
    size_t at;
    pg_put_startup_begin(&w, &at);
    pg_put_startup_param(&w, bytes_str("_pq_.one"), bytes_str("1"));
    pg_put_startup_param(&w, bytes_str("user"), bytes_str("app"));
    pg_put_startup_param(&w, bytes_str("_pq_.two"), bytes_str("2"));
    pg_put_startup_end(&w, at);
    struct writer kept = w;
    ck_assert_int_eq(pg_first_read(writer_bytes(&kept), &first, &err), PG_FRAME_OK);
    writer_init(&w, 1000);
    pg_put_negotiate(&w, PG_VERSION_3_0, &first);
    static const char expected[] = "\0\3\0\0\0\0\0\2_pq_.one\0_pq_.two";
    ck_assert(bytes_equal(only_body('v'), bytes_of(expected, sizeof expected)));
    writer_release(&kept);
}
END_TEST

START_TEST(rows_are_as_long_as_they_say) {
    static const char *const names[] = {"a", "bc"};
    pg_put_row_description(&w, names, 2);
    ck_assert_uint_eq(only_body('T').len, 2 + 2 * (1 + 18) + 1 + 2);
    writer_reset(&w);
    struct bytes values[] = {bytes_str("x"), bytes_of(NULL, 0), bytes_str("")};
    pg_put_text_row(&w, values, 3);
    ck_assert(bytes_equal(only_body('D'), bytes_of("\0\3\0\0\0\1x\xff\xff\xff\xff\0\0\0\0", 15)));
}
END_TEST

START_TEST(a_message_that_does_not_fit_fails_the_writer) {
    uint8_t storage[12];
    struct writer fixed;
    writer_init_fixed(&fixed, storage, sizeof storage);
    pg_put_query(&fixed, "SELECT 1");
    ck_assert(fixed.failed);
    ck_assert_uint_eq(writer_bytes(&fixed).len, 0);
}
END_TEST

START_TEST(text_with_a_nul_cannot_become_two_fields) {
    pg_put_parameter_status(&w, bytes_of("a\0b", 3), bytes_str("v"));
    ck_assert(w.failed);
}
END_TEST

/* ---- Bind, Describe, Close ---- */

START_TEST(the_first_value_of_a_bind) {
    static const uint8_t two[] = "p\0s\0\0\1\0\0\0\2\0\0\0\3a.b\0\0\0\1x", null[] = "\0\0\0\0\0\1\377\377\377\377", none[] = "\0\0\0\0\0\0";
    struct bytes value;
    for (size_t len = 0; len < 17; len++) ck_assert(!pg_bind_first(bytes_of(two, len), &value));
    ck_assert(pg_bind_first(bytes_of(two, 17), &value) && bytes_is(value, "a.b"));
    ck_assert(pg_bind_first(bytes_of(null, 10), &value) && !value.len);
    ck_assert(pg_bind_first(bytes_of(none, 6), &value) && !value.len);
}
END_TEST

START_TEST(bind_names_are_read_from_a_prefix) {
    static const char body[] = "portal\0statement\0\0\0";
    struct bytes portal, statement;
    for (size_t len = 0; len < 17; len++)
        ck_assert_int_eq(pg_bind_names(bytes_of(body, len), &portal, &statement), PG_FRAME_NEED_MORE);
    ck_assert_int_eq(pg_bind_names(bytes_of(body, 17), &portal, &statement), PG_FRAME_OK);
    ck_bytes(portal, "portal");
    ck_bytes(statement, "statement");
    ck_assert_int_eq(pg_bind_names(bytes_of("\0\0", 2), &portal, &statement), PG_FRAME_OK);
    ck_assert_uint_eq(portal.len + statement.len, 0);
}
END_TEST

/* Short ones and long ones are found in different ways. */
START_TEST(a_bind_has_names_of_any_length) {
    enum { LEN_MAX = 40 };
    char body[2 * LEN_MAX + 2];
    struct bytes portal, statement;
    for (size_t portal_len = 0; portal_len <= LEN_MAX; portal_len++) {
        for (size_t name_len = 0; name_len <= LEN_MAX; name_len++) {
            size_t whole = portal_len + name_len + 2;
            memset(body, 'n', sizeof body);
            body[portal_len] = body[whole - 1] = 0;
            for (size_t len = 0; len < whole; len++)
                ck_assert_int_eq(pg_bind_names(bytes_of(body, len), &portal, &statement), PG_FRAME_NEED_MORE);
            ck_assert_int_eq(pg_bind_names(bytes_of(body, whole), &portal, &statement), PG_FRAME_OK);
            ck_assert(portal.ptr == (const uint8_t *)body && portal.len == portal_len);
            ck_assert(statement.ptr == (const uint8_t *)body + portal_len + 1 && statement.len == name_len);
        }
    }
}
END_TEST

START_TEST(a_parse_names_its_statement) {
    ck_assert_ptr_null(pg_parse_name_end(bytes_of("", 0)));
    ck_assert_ptr_null(pg_parse_name_end(bytes_of("ab", 2)));
    const uint8_t *unnamed = (const uint8_t *)"\0SELECT 1", *named = (const uint8_t *)"ab\0SELECT 1";
    ck_assert_ptr_eq(pg_parse_name_end(bytes_of(unnamed, 10)), unnamed);
    ck_assert_ptr_eq(pg_parse_name_end(bytes_of(named, 12)), named + 2);
}
END_TEST

START_TEST(a_target_is_a_statement_or_a_portal) {
    uint8_t kind;
    struct bytes name;
    ck_assert(pg_target_read(bytes_of("Sx\0", 3), &kind, &name));
    ck_assert_uint_eq(kind, 'S');
    ck_bytes(name, "x");
    ck_assert(pg_target_read(bytes_of("P\0", 2), &kind, &name));
    ck_assert(!pg_target_read(bytes_of("Xx\0", 3), &kind, &name));
    ck_assert(!pg_target_read(bytes_of("Sx", 2), &kind, &name));
    ck_assert(!pg_target_read(bytes_of("Sx\0y", 4), &kind, &name));
    ck_assert(!pg_target_read(bytes_of("", 0), &kind, &name));
}
END_TEST

/* ---- literals ---- */

static void ck_literal(const char *value, const char *expected) {
    writer_reset(&w);
    pg_put_literal(&w, bytes_str(value));
    ck_bytes(writer_bytes(&w), expected);
}

START_TEST(literals_cannot_be_left) {
    ck_literal("", "''");
    ck_literal("plain", "'plain'");
    ck_literal("it's", "'it''s'");
    ck_literal("'", "''''");
    ck_literal("a\\b", " E'a\\\\b'");
    ck_literal("\\", " E'\\\\'");
    ck_literal("\\'", " E'\\\\'''");
    ck_literal("'\\", " E'''\\\\'");
    ck_literal("'; DROP TABLE t; --", "'''; DROP TABLE t; --'");
    ck_literal("\x95\\x\n", " E'?\\\\x?'"); /* 0x95 0x5c is one character in SJIS */
}
END_TEST

START_TEST(identifiers_cannot_be_left) {
    pg_put_identifier(&w, bytes_str("a\"b \"\"; \xe4\\"));
    ck_assert(bytes_is(writer_bytes(&w), "\"a\"\"b \"\"\"\"; \xe4\\\""));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("wire_pg");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, a_header_has_a_length_within_the_limits);
    tcase_add_test(tc, a_header_is_not_read_before_it_is_whole);
    tcase_add_test(tc, each_client_message_has_its_limit);
    tcase_add_test(tc, a_startup_packet_comes_back);
    tcase_add_test(tc, a_startup_packet_is_not_read_before_it_is_whole);
    tcase_add_test(tc, startup_parameters_are_counted);
    tcase_add_test(tc, a_startup_packet_has_a_largest_size);
    tcase_add_test(tc, a_startup_packet_too_large_is_refused_by_its_first_bytes);
    tcase_add_test(tc, a_cancel_key_has_4_to_256_bytes);
    tcase_add_test(tc, authentication_comes_back);
    tcase_add_test(tc, a_mechanism_list_is_read_to_its_end_and_not_beyond);
    tcase_add_test(tc, sasl_initial_comes_back);
    tcase_add_test(tc, a_missing_sasl_response_is_not_an_empty_one);
    tcase_add_test(tc, parameter_status_comes_back);
    tcase_add_test(tc, a_notification_is_read);
    tcase_add_test(tc, key_data_comes_back);
    tcase_add_test(tc, a_command_tag_comes_back);
    tcase_add_test(tc, an_error_comes_back);
    tcase_add_test(tc, an_error_always_has_severity_code_and_message);
    tcase_add_test(tc, an_error_may_lack_any_field);
    tcase_add_test(tc, negotiation_names_the_unknown_options);
    tcase_add_test(tc, rows_are_as_long_as_they_say);
    tcase_add_test(tc, a_message_that_does_not_fit_fails_the_writer);
    tcase_add_test(tc, text_with_a_nul_cannot_become_two_fields);
    tcase_add_test(tc, the_first_value_of_a_bind);
    tcase_add_test(tc, bind_names_are_read_from_a_prefix);
    tcase_add_test(tc, a_bind_has_names_of_any_length);
    tcase_add_test(tc, a_parse_names_its_statement);
    tcase_add_test(tc, a_target_is_a_statement_or_a_portal);
    tcase_add_test(tc, literals_cannot_be_left);
    tcase_add_test(tc, identifiers_cannot_be_left);
    return check_main_of("wire_pg", tc);
}
