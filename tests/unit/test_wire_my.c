/*
 * test_wire_my.c - MySQL packets of servers, and the pieces of all: what is written can be read back, packets as servers send them
 * are read, and what is cut anywhere is refused, or is right as far as it goes.
 */
#include "tests/unit/check_main.h"
#include "tests/unit/my_packets.h"
#include "tests/unit/pattern.h"

static struct writer w;

static void fresh(void) {
    writer_init(&w, 32 << 20);
}

static void release(void) {
    writer_release(&w);
}

/* ---- pieces ---- */

START_TEST(a_header_is_not_read_before_it_is_whole) {
    struct my_header h;
    for (size_t len = 0; len < MY_HEADER_LEN; len++) ck_assert(!my_header_read(bytes_of("\1\2\3\4", len), &h));
    ck_assert(my_header_read(BYTES("\1\2\3\4"), &h));
    ck_assert_uint_eq(h.len, 0x030201);
    ck_assert_uint_eq(h.seq, 4);
    ck_assert(my_header_read(BYTES("\xff\xff\xff\xff"), &h));
    ck_assert_uint_eq(h.len, MY_PACKET_MAX);
}
END_TEST

START_TEST(numbers_come_back) {
    my_w16(&w, 0x0102);
    my_w24(&w, 0x010203);
    my_w32(&w, 0x81020304);
    my_w64(&w, 0x8102030405060708);
    ck_equal(writer_bytes(&w), BYTES("\2\1\3\2\1\4\3\2\x81\x8\7\6\5\4\3\2\x81"));
    struct reader r = reader_over(writer_bytes(&w));
    ck_assert_uint_eq(my_le16(&r), 0x0102);
    ck_assert_uint_eq(my_le24(&r), 0x010203);
    ck_assert_uint_eq(my_le32(&r), 0x81020304);
    ck_assert_uint_eq(my_le64(&r), 0x8102030405060708);
    ck_assert(reader_done(&r));
    ck_assert_uint_eq(my_le16(&r), 0);
    ck_assert(r.failed);
}
END_TEST

static void ck_lenenc(uint64_t value, struct bytes expected) {
    writer_reset(&w);
    my_w_lenenc(&w, value);
    ck_equal(writer_bytes(&w), expected);
    struct reader r = reader_over(expected);
    ck_assert_uint_eq(my_lenenc(&r), value);
    ck_assert(reader_done(&r));
}

START_TEST(lengths_have_four_forms) {
    ck_lenenc(0, BYTES("\0"));
    ck_lenenc(250, BYTES("\xfa"));
    ck_lenenc(251, BYTES("\xfc\xfb\0"));
    ck_lenenc(255, BYTES("\xfc\xff\0"));
    ck_lenenc(65535, BYTES("\xfc\xff\xff"));
    ck_lenenc(65536, BYTES("\xfd\0\0\1"));
    ck_lenenc((1 << 24) - 1, BYTES("\xfd\xff\xff\xff"));
    ck_lenenc(1 << 24, BYTES("\xfe\0\0\0\1\0\0\0\0"));
    ck_lenenc(UINT64_MAX, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"));
}
END_TEST

static bool length_is(struct bytes in, uint64_t value) {
    struct reader r = reader_over(in);
    uint64_t read = my_lenenc(&r);
    if (r.failed) ck_assert_uint_eq(read, 0);
    return reader_done(&r) && read == value;
}

START_TEST(lengths_may_be_longer_than_needed) {
    ck_assert(length_is(BYTES("\xfc\0\0"), 0));
    ck_assert(length_is(BYTES("\xfd\xfa\0\0"), 250));
    ck_assert(length_is(BYTES("\xfe\1\0\0\0\0\0\0\0"), 1));
}
END_TEST

START_TEST(null_and_error_are_no_lengths) {
    ck_assert(!length_is(BYTES("\xfb"), 0) && !length_is(BYTES("\xff"), 0) && !length_is(BYTES(""), 0));
    ck_assert(!length_is(BYTES("\xfb\0\0\0\0\0\0\0\0"), 0) && !length_is(BYTES("\xff\0\0\0\0\0\0\0\0"), 0));
    struct reader r = reader_over(BYTES("\xfb\5"));
    my_lenenc(&r);
    ck_assert_uint_eq(my_lenenc(&r), 0); /* sticky */
}
END_TEST

static bool cut_lenenc(struct bytes cut, size_t whole_len) {
    struct reader r = reader_over(cut);
    my_lenenc(&r);
    ck_assert(r.failed == (cut.len < whole_len));
    return !r.failed;
}

static bool cut_lenenc_str(struct bytes cut, size_t whole_len) {
    struct reader r = reader_over(cut);
    struct bytes str = my_lenenc_str(&r);
    ck_assert(r.failed == (cut.len < whole_len));
    if (r.failed) ck_assert_uint_eq(str.len, 0);
    return !r.failed;
}

START_TEST(lengths_and_strings_are_not_read_before_they_are_whole) {
    at_every_cut(BYTES("\5"), cut_lenenc);
    at_every_cut(BYTES("\xfc\1\2"), cut_lenenc);
    at_every_cut(BYTES("\xfd\1\2\3"), cut_lenenc);
    at_every_cut(BYTES("\xfe\1\2\3\4\5\6\7\x8"), cut_lenenc);
    at_every_cut(BYTES("\5abcde"), cut_lenenc_str);
    at_every_cut(BYTES("\xfe\5\0\0\0\0\0\0\0abcde"), cut_lenenc_str);
}
END_TEST

/* Whatever is added to such a length wraps, in 32 bits or in 64. */
START_TEST(strings_longer_than_their_packet_are_refused) {
    static const char *const lengths[] = {"\xff\xff\xff\xff\xff\xff\xff\xff", "\xfe\xff\xff\xff\xff\xff\xff\xff",
                                          "\xff\xff\xff\xff\xff\xff\xff\x7f", "\xff\xff\xff\xff\0\0\0\0",
                                          "\4\0\0\0\1\0\0\0",                 "\4\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        writer_reset(&w);
        writer_u8(&w, 0xfe);
        writer_put(&w, bytes_of(lengths[i], 8));
        writer_str(&w, "abc");
        struct reader r = reader_over(writer_bytes(&w));
        ck_assert_uint_eq(my_lenenc_str(&r).len, 0);
        ck_assert(r.failed);
        ck_assert_uint_eq(reader_u8(&r), 0);
    }
}
END_TEST

static void ck_str_of(size_t len) {
    writer_reset(&w);
    my_w_lenenc_str(&w, pattern(len));
    struct reader r = reader_over(writer_bytes(&w));
    ck_equal(my_lenenc_str(&r), pattern(len));
    ck_assert(reader_done(&r));
}

START_TEST(strings_of_any_length_come_back) {
    static const size_t lens[] = {0, 1, 250, 251, 252, 65535, 65536, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(lens); i++) ck_str_of(lens[i]);
}
END_TEST

static bool is_one_packet(size_t len) {
    writer_reset(&w);
    size_t at = my_begin(&w, 7);
    uint8_t *p = writer_reserve(&w, len);
    ck_assert_ptr_nonnull(p);
    memset(p, 'x', len);
    w.len += len;
    my_end(&w, at);
    if (!w.failed) ck_assert_uint_eq(only_payload(&w, 7).len, len);
    return !w.failed;
}

START_TEST(a_packet_that_goes_on_in_another_fails_the_writer) {
    ck_assert(is_one_packet(0));
    ck_assert(is_one_packet(65536));
    ck_assert(is_one_packet(MY_PACKET_MAX - 1));
    ck_assert(!is_one_packet(MY_PACKET_MAX));
    ck_assert(!is_one_packet(MY_PACKET_MAX + 1));
}
END_TEST

START_TEST(a_packet_that_does_not_fit_fails_the_writer) {
    for (size_t size = 0; size < MY_HEADER_LEN + 5; size++) {
        uint8_t storage[MY_HEADER_LEN + 5];
        struct writer fixed;
        writer_init_fixed(&fixed, storage, size);
        my_put_command(&fixed, MY_COM_QUERY, bytes_str("DO 1"));
        ck_assert(fixed.failed);
        ck_assert_uint_eq(writer_bytes(&fixed).len, 0);
    }
    my_put_command(&w, MY_COM_QUERY, bytes_str("DO 1"));
    ck_equal(writer_bytes(&w), BYTES("\5\0\0\0\3DO 1"));
    writer_reset(&w);
    my_put(&w, 255, bytes_str("xy"));
    ck_equal(writer_bytes(&w), BYTES("\2\0\0\xffxy"));
    writer_reset(&w);
    my_put_more_auth(&w, 4, BYTES("\3"));
    ck_equal(writer_bytes(&w), BYTES("\2\0\0\4\1\3"));
}
END_TEST

/* ---- the greeting ---- */

#define NONCE "abcdefghijklmnopqrst"
#define MARIADB_VERSION "5.5.5-10.11.19-MariaDB-0+deb12u1"
#define MARIADB_GREETING                                                                                          \
    "\x0a" MARIADB_VERSION "\0\5\2\0\0abcdefgh\0\xfe\xf7\x2d\2\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0" \
    "mysql_native_password\0"
#define MYSQL_GREETING                                                                                 \
    "\x0a"                                                                                             \
    "9.7.4\0\x8\0\0\0abcdefgh\0\xff\xff\xff\2\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0" \
    "caching_sha2_password\0"

static bool cut_greeting(struct bytes cut, size_t whole_len) {
    struct my_greeting g;
    bool ok = my_greeting_read(cut, &g);
    ck_assert(ok == (cut.len == whole_len));
    return ok;
}

START_TEST(the_greeting_of_mariadb) {
    struct my_greeting g;
    ck_assert(my_greeting_read(BYTES(MARIADB_GREETING), &g));
    ck_bytes(g.version, MARIADB_VERSION);
    ck_assert_uint_eq(g.thread_id, 0x205);
    ck_assert_mem_eq(g.nonce, NONCE, MY_NONCE_LEN);
    ck_assert_uint_eq(g.caps, 0x81fff7fe);
    ck_assert_uint_eq(g.mariadb_caps, 0x1d);
    ck_assert_uint_eq(g.collation, MY_COLLATION_UTF8MB4_GENERAL);
    ck_assert_uint_eq(g.status, MY_STATUS_AUTOCOMMIT);
    ck_bytes(g.plugin, MY_PLUGIN_NATIVE);
    at_every_cut(BYTES(MARIADB_GREETING), cut_greeting);
    my_put_greeting(&w, 0, &g);
    ck_equal(only_payload(&w, 0), BYTES(MARIADB_GREETING));
}
END_TEST

START_TEST(the_greeting_of_mysql) {
    struct my_greeting g;
    ck_assert(my_greeting_read(BYTES(MYSQL_GREETING), &g));
    ck_bytes(g.version, "9.7.4");
    ck_assert_uint_eq(g.thread_id, 8);
    ck_assert_mem_eq(g.nonce, NONCE, MY_NONCE_LEN);
    ck_assert_uint_eq(g.caps, 0xdfffffff);
    ck_assert_uint_eq(g.mariadb_caps, 0);
    ck_assert_uint_eq(g.collation, 255);
    ck_bytes(g.plugin, MY_PLUGIN_SHA2);
    at_every_cut(BYTES(MYSQL_GREETING), cut_greeting);
    my_put_greeting(&w, 9, &g);
    ck_equal(only_payload(&w, 9), BYTES(MYSQL_GREETING));
}
END_TEST

/* What a server of MySQL has in the reserved bytes are no capabilities of MariaDB's. */
START_TEST(reserved_bytes_of_a_greeting_mean_nothing) {
    uint8_t in[sizeof(MYSQL_GREETING) - 1];
    memcpy(in, MYSQL_GREETING, sizeof in);
    memset(in + 7 + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1, 0x55, 10);
    struct my_greeting g;
    ck_assert(my_greeting_read(bytes_of(in, sizeof in), &g));
    ck_assert_uint_eq(g.mariadb_caps, 0);
}
END_TEST

static bool greeting_with(size_t at, uint8_t value) {
    uint8_t in[sizeof(MYSQL_GREETING) - 1];
    memcpy(in, MYSQL_GREETING, sizeof in);
    in[at] = value;
    struct my_greeting g;
    return my_greeting_read(bytes_of(in, sizeof in), &g);
}

START_TEST(a_greeting_that_cannot_be_answered_is_refused) {
    enum { AT_NONCE_LEN = 7 + 4 + 8 + 1 + 2 + 1 + 2 + 2 };
    ck_assert(greeting_with(AT_NONCE_LEN, 21));
    ck_assert(greeting_with(AT_NONCE_LEN, 0) && greeting_with(AT_NONCE_LEN, 8) && greeting_with(AT_NONCE_LEN, 20));
    ck_assert(!greeting_with(AT_NONCE_LEN, 22) && !greeting_with(AT_NONCE_LEN, 255));
    ck_assert(!greeting_with(0, 9) && !greeting_with(0, 11) && !greeting_with(0, MY_MARK_ERR));
    struct my_greeting g;
    ck_assert(!my_greeting_read(BYTES(MYSQL_GREETING "x"), &g));
}
END_TEST

START_TEST(a_greeting_comes_back) {
    struct my_greeting in = {.version = bytes_str("x"), .thread_id = UINT32_MAX, .collation = 1, .status = 0x1234}, out;
    in.caps = MY_CAP_PROTOCOL_41;
    in.mariadb_caps = 0x8000001d;
    memcpy(in.nonce, NONCE, MY_NONCE_LEN);
    my_put_greeting(&w, 3, &in);
    ck_assert(my_greeting_read(only_payload(&w, 3), &out));
    ck_equal(out.version, in.version);
    ck_assert(out.thread_id == in.thread_id && out.caps == in.caps && out.mariadb_caps == in.mariadb_caps);
    ck_assert(out.collation == in.collation && out.status == in.status && out.plugin.len == 0);
    ck_assert_mem_eq(out.nonce, in.nonce, MY_NONCE_LEN);
    in.version = BYTES("a\0b");
    my_put_greeting(&w, 0, &in);
    ck_assert(w.failed);
    writer_reset(&w);
    in.version = bytes_str("a");
    in.caps |= MY_CAP_PLUGIN_AUTH;
    in.plugin = BYTES("a\0b");
    my_put_greeting(&w, 0, &in);
    ck_assert(w.failed);
}
END_TEST

/* ---- other plugins ---- */

static bool cut_auth_switch(struct bytes cut, size_t whole_len) {
    struct bytes plugin, data;
    bool ok = my_auth_switch_read(cut, &plugin, &data);
    ck_assert(ok == (cut.len > 1 + strlen(MY_PLUGIN_SHA2)));
    if (ok) ck_assert_uint_eq(data.len, cut.len == whole_len ? MY_NONCE_LEN : cut.len - 2 - strlen(MY_PLUGIN_SHA2));
    return ok;
}

START_TEST(a_plugin_can_be_changed) {
    struct bytes plugin, data, whole = BYTES("\xfe" MY_PLUGIN_SHA2 "\0" NONCE "\0");
    ck_assert(my_auth_switch_read(whole, &plugin, &data));
    ck_bytes(plugin, MY_PLUGIN_SHA2);
    ck_bytes(data, NONCE);
    at_every_cut(whole, cut_auth_switch);
    my_put_auth_switch(&w, 2, MY_PLUGIN_SHA2, bytes_of(NONCE, MY_NONCE_LEN));
    ck_equal(only_payload(&w, 2), whole);
    ck_assert(my_auth_switch_read(bytes_of(whole.ptr, whole.len - 1), &plugin, &data));
    ck_bytes(data, NONCE);
    ck_assert(!my_auth_switch_read(BYTES("\xfe"), &plugin, &data));
    ck_assert(!my_auth_switch_read(BYTES("\0p\0n"), &plugin, &data));
}
END_TEST

START_TEST(a_nonce_of_another_plugin_is_given_as_it_came) {
    struct bytes plugin, data;
    ck_assert(my_auth_switch_read(BYTES("\xfe" "dialog\0"), &plugin, &data));
    ck_assert_uint_eq(data.len, 0);
    ck_assert(my_auth_switch_read(BYTES("\xfe" "client_ed25519\0" "0123456789abcdef0123456789abcde\0"), &plugin, &data));
    ck_bytes(plugin, "client_ed25519");
    ck_equal(data, BYTES("0123456789abcdef0123456789abcde\0"));
    ck_assert(my_auth_switch_read(BYTES("\xfe" "p\0" NONCE "u"), &plugin, &data));
    ck_bytes(data, NONCE "u");
}
END_TEST

/* ---- OK, EOF, ERR ---- */

static bool tracks;
static size_t accepted; /* bit n: n bytes of the packet were accepted */

static bool cut_ok(struct bytes cut, size_t whole_len) {
    (void)whole_len;
    struct my_ok ok;
    bool is_right = my_ok_read(cut, tracks, &ok);
    if (is_right) accepted |= (size_t)1 << cut.len;
    if (is_right) ck_assert(ok.info.len + ok.changes.len <= cut.len - ok.fixed_len);
    return is_right;
}

/* Which beginnings of `whole` are OKs. */
static size_t ok_cuts(struct bytes whole, bool tracks_session) {
    tracks = tracks_session;
    accepted = 0;
    at_every_cut(whole, cut_ok);
    return accepted;
}

/* As MariaDB tells of a transaction that was committed, and of a schema that was chosen. */

START_TEST(an_ok_tells_what_has_changed) {
    static const char whole[] = "\0\2\0\2\x40\0\0\4info\x17\0\x11\x09last_gtid\6" "0-1-10\1\2\1x";
    struct my_ok ok;
    ck_assert(my_ok_read(BYTES(whole), true, &ok));
    ck_assert_uint_eq(ok.affected_rows, 2);
    ck_assert_uint_eq(ok.last_insert_id, 0);
    ck_assert_uint_eq(ok.status, MY_STATUS_AUTOCOMMIT | MY_STATUS_SESSION_CHANGED);
    ck_assert_uint_eq(ok.warnings, 0);
    ck_assert_uint_eq(ok.fixed_len, 7);
    ck_bytes(ok.info, "info");
    struct reader r = reader_over(ok.changes), data;
    struct my_change change;
    ck_assert(my_change_next(&r, &change));
    ck_assert_uint_eq(change.type, MY_CHANGE_VARIABLE);
    data = reader_over(change.data);
    ck_bytes(my_lenenc_str(&data), "last_gtid");
    ck_bytes(my_lenenc_str(&data), "0-1-10");
    ck_assert(reader_done(&data));
    ck_assert(my_change_next(&r, &change));
    ck_assert_uint_eq(change.type, MY_CHANGE_SCHEMA);
    data = reader_over(change.data);
    ck_bytes(my_lenenc_str(&data), "x");
    ck_assert(!my_change_next(&r, &change) && reader_done(&r));
    ck_assert_uint_eq(ok_cuts(BYTES(whole), true), (size_t)1 << (sizeof whole - 1) | 1 << 7);
    my_put_ok(&w, 1, MY_MARK_OK, &ok, true);
    ck_equal(only_payload(&w, 1), BYTES(whole));
}
END_TEST

static bool cut_changes(struct bytes cut, size_t whole_len) {
    struct reader r = reader_over(cut);
    struct my_change change;
    size_t count = 0;
    while (my_change_next(&r, &change)) count++;
    ck_assert(r.failed == (cut.len != 0 && cut.len != 4 && cut.len != whole_len));
    ck_assert_uint_eq(count, cut.len == whole_len ? 2 : cut.len >= 4);
    ck_assert(!my_change_next(&r, &change));
    return !r.failed;
}

START_TEST(changes_are_read_to_their_end_and_not_beyond) {
    at_every_cut(BYTES("\1\2\1x\x63\xfc\1\0z"), cut_changes);
}
END_TEST

START_TEST(an_ok_may_end_rows) {
    struct my_ok ok;
    struct bytes whole = BYTES("\xfe\0\0\x22\0\1\0");
    ck_assert(my_ok_read(whole, true, &ok));
    ck_assert(ok.status == 0x22 && ok.warnings == 1 && ok.info.len == 0 && ok.changes.len == 0 && ok.fixed_len == 7);
    ck_assert_uint_eq(ok_cuts(whole, true), 1 << 7);
    ck_assert_uint_eq(ok_cuts(whole, false), 1 << 7);
    my_put_ok(&w, 0, MY_MARK_EOF, &ok, true);
    ck_equal(only_payload(&w, 0), whole);
    ck_assert(!my_ok_read(BYTES("\1\0\0\x22\0\1\0"), true, &ok));
}
END_TEST

/* As MariaDB 10.11 answers an UPDATE where SESSION_TRACK was not agreed: the info has a length there, too. */
START_TEST(an_ok_without_tracking) {
    struct my_ok ok;
    struct bytes whole = BYTES("\0\2\0\2\0\0\0\x28Rows matched: 2  Changed: 2  Warnings: 0");
    ck_assert(my_ok_read(whole, false, &ok));
    ck_bytes(ok.info, "Rows matched: 2  Changed: 2  Warnings: 0");
    ck_assert_uint_eq(ok_cuts(whole, false), (size_t)1 << whole.len | 1 << 7);
    my_put_ok(&w, 1, MY_MARK_OK, &ok, false);
    ck_equal(only_payload(&w, 1), whole);
    /* What has changed is said to those who asked for it. */
    ok.status |= MY_STATUS_SESSION_CHANGED;
    ok.changes = bytes_str("\1\2\1x");
    writer_reset(&w);
    my_put_ok(&w, 1, MY_MARK_OK, &ok, false);
    ck_assert_uint_eq(only_payload(&w, 1).len, whole.len);
    ck_assert(my_ok_read(only_payload(&w, 1), false, &ok));
    ck_assert_uint_eq(ok.changes.len, 0);
}
END_TEST

START_TEST(an_ok_comes_back) {
    struct my_ok in = {.affected_rows = UINT64_MAX, .last_insert_id = 1 << 24, .status = 0x1234, .warnings = 65535}, out;
    in.changes = pattern(70000);
    my_put_ok(&w, 5, MY_MARK_OK, &in, true);
    ck_assert(my_ok_read(only_payload(&w, 5), true, &out));
    ck_assert(out.affected_rows == in.affected_rows && out.last_insert_id == in.last_insert_id && out.warnings == in.warnings);
    ck_assert_uint_eq(out.status, 0x1234 | MY_STATUS_SESSION_CHANGED);
    ck_assert_uint_eq(out.info.len, 0);
    ck_equal(out.changes, in.changes);
}
END_TEST

static bool cut_eof(struct bytes cut, size_t whole_len) {
    struct my_eof eof;
    bool ok = my_eof_read(cut, &eof);
    ck_assert(ok == (cut.len == whole_len));
    return ok;
}

START_TEST(an_eof_comes_back) {
    struct my_eof in = {.warnings = 0x0102, .status = MY_STATUS_MORE_RESULTS}, out;
    my_put_eof(&w, 6, &in);
    ck_equal(only_payload(&w, 6), BYTES("\xfe\2\1\x8\0"));
    ck_assert(my_eof_read(only_payload(&w, 6), &out));
    ck_assert(out.warnings == in.warnings && out.status == in.status);
    at_every_cut(only_payload(&w, 6), cut_eof);
    ck_assert(!my_eof_read(BYTES("\xfe\2\1\x8\0x"), &out) && !my_eof_read(BYTES("\0\2\1\x8\0"), &out));
}
END_TEST

static bool cut_err(struct bytes cut, size_t whole_len) {
    (void)whole_len;
    struct my_error err;
    bool ok = my_err_read(cut, &err);
    ck_assert(ok == (cut.len == 3 || cut.len >= 9));
    if (ok) ck_assert_uint_eq(err.text.len, cut.len < 9 ? 0 : cut.len - 9);
    return ok;
}

START_TEST(an_error_has_a_sqlstate) {
    struct my_error err;
    struct bytes whole = BYTES("\xff\x28\4#42000You have an error");
    ck_assert(my_err_read(whole, &err));
    ck_assert_uint_eq(err.number, 1064);
    ck_assert_str_eq(err.sqlstate, "42000");
    ck_bytes(err.text, "You have an error");
    at_every_cut(whole, cut_err);
    my_put_err(&w, 1, 1064, "42000", bytes_str("You have an error"));
    ck_equal(only_payload(&w, 1), whole);
}
END_TEST

START_TEST(an_error_before_the_login_has_none) {
    struct my_error err;
    struct bytes whole = BYTES("\xff\x10\4Too many connections");
    ck_assert(my_err_read(whole, &err));
    ck_assert_uint_eq(err.number, MY_ER_CON_COUNT);
    ck_assert_str_eq(err.sqlstate, "HY000");
    ck_bytes(err.text, "Too many connections");
    my_put_err(&w, 0, MY_ER_CON_COUNT, NULL, err.text);
    ck_equal(only_payload(&w, 0), whole);
    ck_assert(my_err_read(BYTES("\xff\x10\4"), &err) && err.text.len == 0);
    ck_assert(!my_err_read(BYTES("\xff\x10"), &err) && !my_err_read(BYTES("\0\x10\4"), &err));
}
END_TEST

START_TEST(a_sqlstate_is_digits_and_capitals) {
    struct my_error err;
    ck_assert(my_err_read(BYTES("\xff\1\2#XA123"), &err));
    ck_assert_str_eq(err.sqlstate, "XA123");
    ck_assert(!my_err_read(BYTES("\xff\1\2#xa123t"), &err) && !my_err_read(BYTES("\xff\1\2#4200\0t"), &err));
    my_put_err(&w, 0, 1, "HY0000", bytes_str("t"));
    ck_assert(w.failed);
}
END_TEST

static size_t error_text_len(struct bytes text) {
    struct my_error err;
    writer_reset(&w);
    my_put_err(&w, 0, 1105, "HY000", text);
    ck_assert(my_err_read(only_payload(&w, 0), &err));
    ck_assert_mem_eq(err.text.ptr, text.ptr, err.text.len);
    return err.text.len;
}

START_TEST(a_long_error_is_cut_between_characters) {
    char text[MY_ERROR_TEXT_MAX + 100];
    memset(text, 'x', sizeof text);
    ck_assert_uint_eq(error_text_len(bytes_of(text, MY_ERROR_TEXT_MAX)), MY_ERROR_TEXT_MAX);
    ck_assert_uint_eq(error_text_len(bytes_of(text, sizeof text)), MY_ERROR_TEXT_MAX);
    for (size_t before = 0; before <= 4; before++) {
        memset(text, 'x', sizeof text);
        memcpy(text + MY_ERROR_TEXT_MAX - before, "\xf0\x9f\x98\x80", 4);
        ck_assert_uint_eq(error_text_len(bytes_of(text, sizeof text)), MY_ERROR_TEXT_MAX - before % 4);
    }
    memset(text, 0x80, sizeof text);
    ck_assert_uint_eq(error_text_len(bytes_of(text, sizeof text)), MY_ERROR_TEXT_MAX - 3);
}
END_TEST

static bool cut_prepared(struct bytes cut, size_t whole_len) {
    struct my_prepared p;
    bool ok = my_prepared_read(cut, &p);
    ck_assert(ok == (cut.len == whole_len));
    return ok;
}

START_TEST(a_statement_is_prepared) {
    struct my_prepared p;
    struct bytes whole = BYTES("\0\1\2\3\4\5\6\7\x8\0\x9\x0a");
    ck_assert(my_prepared_read(whole, &p));
    ck_assert_uint_eq(p.statement, 0x04030201);
    ck_assert(p.columns == 0x0605 && p.parameters == 0x0807 && p.warnings == 0x0a09);
    at_every_cut(whole, cut_prepared);
    ck_assert(!my_prepared_read(BYTES("\1\1\2\3\4\5\6\7\x8\0\x9\x0a"), &p));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("wire_my");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, a_header_is_not_read_before_it_is_whole);
    tcase_add_test(tc, numbers_come_back);
    tcase_add_test(tc, lengths_have_four_forms);
    tcase_add_test(tc, lengths_may_be_longer_than_needed);
    tcase_add_test(tc, null_and_error_are_no_lengths);
    tcase_add_test(tc, lengths_and_strings_are_not_read_before_they_are_whole);
    tcase_add_test(tc, strings_longer_than_their_packet_are_refused);
    tcase_add_test(tc, strings_of_any_length_come_back);
    tcase_add_test(tc, a_packet_that_goes_on_in_another_fails_the_writer);
    tcase_add_test(tc, a_packet_that_does_not_fit_fails_the_writer);
    tcase_add_test(tc, the_greeting_of_mariadb);
    tcase_add_test(tc, the_greeting_of_mysql);
    tcase_add_test(tc, reserved_bytes_of_a_greeting_mean_nothing);
    tcase_add_test(tc, a_greeting_that_cannot_be_answered_is_refused);
    tcase_add_test(tc, a_greeting_comes_back);
    tcase_add_test(tc, a_plugin_can_be_changed);
    tcase_add_test(tc, a_nonce_of_another_plugin_is_given_as_it_came);
    tcase_add_test(tc, an_ok_tells_what_has_changed);
    tcase_add_test(tc, changes_are_read_to_their_end_and_not_beyond);
    tcase_add_test(tc, an_ok_may_end_rows);
    tcase_add_test(tc, an_ok_without_tracking);
    tcase_add_test(tc, an_ok_comes_back);
    tcase_add_test(tc, an_eof_comes_back);
    tcase_add_test(tc, an_error_has_a_sqlstate);
    tcase_add_test(tc, an_error_before_the_login_has_none);
    tcase_add_test(tc, a_sqlstate_is_digits_and_capitals);
    tcase_add_test(tc, a_long_error_is_cut_between_characters);
    tcase_add_test(tc, a_statement_is_prepared);
    return check_main_of("wire_my", tc);
}
