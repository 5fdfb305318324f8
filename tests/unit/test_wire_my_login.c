/*
 * test_wire_my_login.c - what MySQL's clients say of themselves: logins, requests for TLS, COM_CHANGE_USER; read as clients send
 * it, with and without each part, cut anywhere, and written and read back.
 */
#include "tests/unit/check_main.h"
#include "tests/unit/my_packets.h"
#include "tests/unit/pattern.h"

static struct writer w;
static struct my_login login;

static void fresh(void) {
    writer_init(&w, 1 << 20);
    login = (struct my_login){0};
}

static void release(void) {
    writer_release(&w);
}

/* Largest packet, collation, reserved bytes. */
#define HEAD_TAIL "\0\0\0\1\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
/* PROTOCOL_41 and LONG_PASSWORD, with the flags of higher bytes. */
#define HEAD(byte1, byte2) "\1" byte1 byte2 "\0" HEAD_TAIL "\0\0\0\0"

static void read_login(struct bytes payload) {
    ck_assert(my_login_read(payload, &login));
    ck_assert(login.caps & MY_CAP_PROTOCOL_41);
    ck_assert(!login.is_tls_request);
    ck_assert_uint_eq(login.packet_max, 1 << 24);
    ck_assert_uint_eq(login.collation, MY_COLLATION_UTF8MB4_GENERAL);
    ck_bytes(login.user, "app");
    ck_bytes(login.answer, "secret");
}

/* The same bytes come of it when it is written. */
static void ck_login_again(struct bytes payload) {
    writer_reset(&w);
    my_put_login(&w, 1, &login);
    ck_equal(only_payload(&w, 1), payload);
}

/* ---- logins ---- */

/* CONNECT_WITH_DB, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_ATTRS, PLUGIN_AUTH_LENENC */
#define FULL_LOGIN                                                                                                \
    "\x09\x82\x38\0" HEAD_TAIL "\0\0\0\0" "app\0" "\6secret" "shop\0" "mysql_native_password\0" "\x0d\4_pid\1" "7\3_os\1x"

static bool cut_full(struct bytes cut, size_t whole_len) {
    struct my_login l;
    bool ok = my_login_read(cut, &l);
    ck_assert(ok == (cut.len == whole_len));
    return ok;
}

START_TEST(a_login_with_everything) {
    read_login(BYTES(FULL_LOGIN));
    ck_bytes(login.schema, "shop");
    ck_bytes(login.plugin, MY_PLUGIN_NATIVE);
    ck_equal(login.attributes, BYTES("\4_pid\1" "7\3_os\1x"));
    ck_assert_uint_eq(login.mariadb_caps, 0);
    at_every_cut(BYTES(FULL_LOGIN), cut_full);
    ck_login_again(BYTES(FULL_LOGIN));
}
END_TEST

START_TEST(a_login_with_nothing_more) {
    struct bytes whole = BYTES(HEAD("\2", "\0") "app\0" "secret\0");
    read_login(whole);
    ck_assert(!login.schema.ptr && !login.plugin.ptr && login.attributes.len == 0);
    ck_login_again(whole);
    whole = BYTES(HEAD("\x82", "\0") "app\0" "\6secret");
    read_login(whole);
    ck_assert(!login.schema.ptr && !login.plugin.ptr && login.attributes.len == 0);
    at_every_cut(whole, cut_full);
    ck_login_again(whole);
    whole = BYTES(HEAD("\2", "\x20") "app\0" "\6secret");
    read_login(whole);
    at_every_cut(whole, cut_full);
    ck_login_again(whole);
}
END_TEST

START_TEST(a_login_with_one_part_more) {
    read_login(BYTES("\x09\x82\0\0" HEAD_TAIL "\0\0\0\0" "app\0" "\6secret" "shop\0"));
    ck_bytes(login.schema, "shop");
    ck_assert(!login.plugin.ptr && login.attributes.len == 0);
    ck_login_again(BYTES("\x09\x82\0\0" HEAD_TAIL "\0\0\0\0" "app\0" "\6secret" "shop\0"));
    read_login(BYTES(HEAD("\x82", "\x08") "app\0" "\6secret" "dialog\0"));
    ck_bytes(login.plugin, "dialog");
    ck_assert(!login.schema.ptr && login.attributes.len == 0);
    ck_login_again(BYTES(HEAD("\x82", "\x08") "app\0" "\6secret" "dialog\0"));
    read_login(BYTES(HEAD("\x82", "\x10") "app\0" "\6secret" "\4\1a\1b"));
    ck_bytes(login.attributes, "\1a\1b");
    ck_assert(!login.schema.ptr && !login.plugin.ptr);
    ck_login_again(BYTES(HEAD("\x82", "\x10") "app\0" "\6secret" "\4\1a\1b"));
}
END_TEST

/* Of its last string as much as there is: nobody can tell that it was cut. */
static bool cut_last(struct bytes cut, size_t whole_len) {
    size_t before = whole_len - strlen("shop") - 1;
    struct my_login l;
    bool ok = my_login_read(cut, &l);
    ck_assert(ok == (cut.len >= before));
    if (!ok) return false;
    size_t there = cut.len == whole_len ? strlen("shop") : cut.len - before;
    ck_assert_uint_eq(l.schema.len, there);
    ck_assert((l.schema.ptr == NULL) == (there == 0));
    return true;
}

START_TEST(a_last_string_may_lack_its_nul) {
    at_every_cut(BYTES("\x09\x82\0\0" HEAD_TAIL "\0\0\0\0" "app\0" "\6secret" "shop\0"), cut_last);
    ck_assert(my_login_read(BYTES(HEAD("\x82", "\x08") "app\0" "\6secret" "dialog"), &login));
    ck_bytes(login.plugin, "dialog");
    ck_assert(my_login_read(BYTES(HEAD("\2", "\0") "app\0" "secret"), &login));
    ck_bytes(login.answer, "secret");
    ck_assert(!my_login_read(BYTES(HEAD("\2", "\0") "app"), &login));
}
END_TEST

START_TEST(an_empty_name_is_none) {
    ck_assert(my_login_read(BYTES("\x09\x82\x08\0" HEAD_TAIL "\0\0\0\0" "\0\0\0\0"), &login));
    ck_assert(login.user.len == 0 && login.answer.len == 0);
    ck_assert(!login.schema.ptr && !login.plugin.ptr);
}
END_TEST

START_TEST(mariadbs_capabilities_stand_where_one_is_missing) {
    struct bytes whole = BYTES("\0\x82\0\0" HEAD_TAIL "\x1d\0\0\x80" "app\0" "\6secret");
    read_login(whole);
    ck_assert_uint_eq(login.mariadb_caps, 0x8000001d);
    ck_login_again(whole);
    read_login(BYTES("\1\x82\0\0" HEAD_TAIL "\x1d\0\0\x80" "app\0" "\6secret"));
    ck_assert_uint_eq(login.mariadb_caps, 0);
}
END_TEST

START_TEST(what_stands_behind_a_login_is_left_alone) {
    read_login(BYTES(FULL_LOGIN "\3"));
    ck_login_again(BYTES(FULL_LOGIN));
}
END_TEST

START_TEST(only_protocol_41_is_read) {
    ck_assert(!my_login_read(BYTES("\1\x80\0\0" HEAD_TAIL "\0\0\0\0" "app\0" "\6secret"), &login));
    login = (struct my_login){.caps = MY_CAP_SECURE_CONNECTION, .user = bytes_str("app")};
    my_put_login(&w, 1, &login);
    ck_assert(w.failed);
}
END_TEST

/* ---- requests for TLS ---- */

static bool cut_tls(struct bytes cut, size_t whole_len) {
    struct my_login l;
    bool ok = my_login_read(cut, &l);
    ck_assert(ok == (cut.len == whole_len));
    ck_assert(!ok || l.is_tls_request);
    return ok;
}

START_TEST(a_request_for_tls_has_32_bytes) {
    struct bytes whole = BYTES(HEAD("\x8a", "\0"));
    ck_assert_uint_eq(whole.len, 32);
    ck_assert(my_login_read(whole, &login));
    ck_assert(login.is_tls_request && !login.user.ptr);
    ck_assert_uint_eq(login.caps, MY_CAP_LONG_PASSWORD | MY_CAP_PROTOCOL_41 | MY_CAP_SSL | MY_CAP_SECURE_CONNECTION);
    at_every_cut(whole, cut_tls);
    ck_login_again(whole);
    ck_assert(!my_login_read(BYTES(HEAD("\x82", "\0")), &login)); /* SSL is not set, and there is no user */
    ck_assert(!my_login_read(BYTES(HEAD("\x8a", "\0") "a"), &login));
    read_login(BYTES(HEAD("\x8a", "\0") "app\0" "\6secret")); /* what follows inside of TLS */
}
END_TEST

START_TEST(a_request_for_tls_says_so) {
    login = (struct my_login){.caps = MY_CAP_PROTOCOL_41, .is_tls_request = true};
    my_put_login(&w, 1, &login);
    ck_assert(w.failed);
}
END_TEST

/* ---- limits ---- */

static bool comes_back(const struct my_login *l) {
    struct my_login out;
    writer_reset(&w);
    my_put_login(&w, 1, l);
    if (w.failed || !my_login_read(only_payload(&w, 1), &out)) return false;
    ck_assert(out.caps == l->caps && out.packet_max == l->packet_max && out.collation == l->collation);
    ck_equal(out.user, l->user);
    ck_equal(out.answer, l->answer);
    ck_equal(out.schema, l->schema);
    ck_equal(out.plugin, l->plugin);
    ck_equal(out.attributes, l->attributes);
    return true;
}

static struct bytes name_of(size_t len) {
    static char name[2 * MY_NAME_MAX];
    memset(name, 'n', sizeof name);
    return bytes_of(name, len);
}

START_TEST(names_answers_and_attributes_have_largest_sizes) {
    struct my_login l = {.caps = UINT32_MAX & ~(uint32_t)MY_CAP_SSL, .collation = 255, .packet_max = UINT32_MAX}, more;
    l.user = l.schema = l.plugin = name_of(MY_NAME_MAX);
    l.answer = pattern(MY_AUTH_MAX);
    l.attributes = pattern(MY_ATTRS_MAX);
    ck_assert(comes_back(&l));
    struct bytes *const names[] = {&more.user, &more.schema, &more.plugin};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        more = l;
        *names[i] = name_of(MY_NAME_MAX + 1);
        ck_assert(!comes_back(&more));
        *names[i] = BYTES("a\0b");
        ck_assert(!comes_back(&more));
    }
    more = l;
    more.answer = pattern(MY_AUTH_MAX + 1);
    ck_assert(!comes_back(&more));
    more = l;
    more.attributes = pattern(MY_ATTRS_MAX + 1);
    ck_assert(!comes_back(&more));
}
END_TEST

START_TEST(what_cannot_be_said_fails_the_writer) {
    struct my_login l = {.caps = MY_CAP_PROTOCOL_41 | MY_CAP_SECURE_CONNECTION, .answer = pattern(255), .collation = 255};
    ck_assert(comes_back(&l));
    l.answer = pattern(256);
    ck_assert(!comes_back(&l) && w.failed);
    l.answer = pattern(255);
    l.collation = 256;
    ck_assert(!comes_back(&l) && w.failed);
    l.collation = 1;
    l.caps = MY_CAP_PROTOCOL_41;
    ck_assert(!comes_back(&l) && w.failed); /* pattern() begins with a NUL */
}
END_TEST

/* ---- COM_CHANGE_USER ---- */

enum { CHANGE_CAPS = MY_CAP_PROTOCOL_41 | MY_CAP_SECURE_CONNECTION | MY_CAP_PLUGIN_AUTH | MY_CAP_CONNECT_ATTRS };

#define CHANGE_USER "app\0" "\6secret" "shop\0" "\xff\0" "mysql_native_password\0" "\4\1a\1b"

static bool cut_change_user(struct bytes cut, size_t whole_len) {
    struct my_login l;
    bool ok = my_change_user_read(cut, CHANGE_CAPS, &l);
    size_t schema_end = 4 + 7 + 5, plugin_end = schema_end + 2 + sizeof MY_PLUGIN_NATIVE;
    bool is_right = cut.len == schema_end || (cut.len >= schema_end + 2 && cut.len <= plugin_end) || cut.len == whole_len;
    ck_assert_msg(ok == is_right, "%zu bytes", cut.len);
    if (ok) ck_bytes(l.schema, "shop");
    return ok;
}

START_TEST(a_user_is_changed) {
    ck_assert(my_change_user_read(BYTES(CHANGE_USER), CHANGE_CAPS, &login));
    ck_bytes(login.user, "app");
    ck_bytes(login.answer, "secret");
    ck_bytes(login.schema, "shop");
    ck_assert_uint_eq(login.collation, 255);
    ck_bytes(login.plugin, MY_PLUGIN_NATIVE);
    ck_bytes(login.attributes, "\1a\1b");
    ck_assert_uint_eq(login.caps, CHANGE_CAPS);
    at_every_cut(BYTES(CHANGE_USER), cut_change_user);
    login.collation = 2304; /* MariaDB has such */
    my_put_change_user(&w, &login);
    struct bytes command = only_payload(&w, 0);
    ck_assert_uint_eq(command.ptr[0], MY_COM_CHANGE_USER);
    ck_assert(my_change_user_read(bytes_of(command.ptr + 1, command.len - 1), CHANGE_CAPS, &login));
    ck_assert_uint_eq(login.collation, 2304);
    ck_bytes(login.attributes, "\1a\1b");
}
END_TEST

START_TEST(a_user_is_changed_by_old_clients) {
    ck_assert(my_change_user_read(BYTES("app\0" "secret\0" "\0"), MY_CAP_PROTOCOL_41, &login));
    ck_bytes(login.user, "app");
    ck_bytes(login.answer, "secret");
    ck_assert(!login.schema.ptr && !login.plugin.ptr && login.collation == 0);
    my_put_change_user(&w, &login);
    ck_equal(only_payload(&w, 0), BYTES("\x11" "app\0" "secret\0" "\0" "\0\0"));
    ck_assert(!my_change_user_read(BYTES("app\0" "\xff" "secret\0" "shop\0"), CHANGE_CAPS, &login));
    writer_reset(&w);
    login = (struct my_login){.caps = CHANGE_CAPS, .answer = pattern(256)};
    my_put_change_user(&w, &login);
    ck_assert(w.failed);
}
END_TEST

/* ---- commands ---- */

START_TEST(commands_have_names) {
    ck_assert_str_eq(my_command_name(MY_COM_QUERY), "query");
    ck_assert_str_eq(my_command_name(MY_COM_RESET_CONNECTION), "reset_connection");
    ck_assert_str_eq(my_command_name(MY_COM_STMT_BULK_EXECUTE), "stmt_bulk_execute");
    int unknown = 0;
    for (int command = 0; command < 256; command++) unknown += !strcmp(my_command_name((uint8_t)command), "?");
    ck_assert_int_eq(unknown, 256 - (MY_COM_RESET_CONNECTION + 1) - 1);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("wire_my_login");
    tcase_add_checked_fixture(tc, fresh, release);
    tcase_add_test(tc, a_login_with_everything);
    tcase_add_test(tc, a_login_with_nothing_more);
    tcase_add_test(tc, a_login_with_one_part_more);
    tcase_add_test(tc, a_last_string_may_lack_its_nul);
    tcase_add_test(tc, an_empty_name_is_none);
    tcase_add_test(tc, mariadbs_capabilities_stand_where_one_is_missing);
    tcase_add_test(tc, what_stands_behind_a_login_is_left_alone);
    tcase_add_test(tc, only_protocol_41_is_read);
    tcase_add_test(tc, a_request_for_tls_has_32_bytes);
    tcase_add_test(tc, a_request_for_tls_says_so);
    tcase_add_test(tc, names_answers_and_attributes_have_largest_sizes);
    tcase_add_test(tc, what_cannot_be_said_fails_the_writer);
    tcase_add_test(tc, a_user_is_changed);
    tcase_add_test(tc, a_user_is_changed_by_old_clients);
    tcase_add_test(tc, commands_have_names);
    return check_main_of("wire_my_login", tc);
}
