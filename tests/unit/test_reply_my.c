/*
 * test_reply_my.c - packet by packet: every form of answer, where clients of old want an EOF, and what no command explains.
 */
#include "proxy/pool/reply_my.h"
#include "tests/unit/check_main.h"
#include "tests/unit/my_packets.h"

/* Of status, two bytes, and no warnings. */
#define OK(status) BYTES("\x00\x00\x00" status "\x00\x00")
#define END(status) BYTES("\xfe\x00\x00" status "\x00\x00")
#define ERR BYTES("\xff\x28\x04#42000no")
#define DEFINITION BYTES("\x03" "def\x00\x00\x00")
#define ROW BYTES("\x01x")

static struct ledger l;
static struct reply_my r;
static struct reply_my_packet p; /* the latest */
static uint8_t seq;              /* of the next one */

static void fresh(void) {
    ledger_init(&l);
    r = (struct reply_my){.is_begun = false};
}

static void ask(uint8_t command) {
    ck_assert(reply_my_sent(&l, command, REPLY_FORWARD));
    seq = 1;
}

static void asked_of(uint8_t command) {
    ledger_release(&l);
    fresh();
    ask(command);
}

/* A packet of `len` bytes, of which `in_hand` are there: as many as needed at least. */
static enum reply_my_verdict take_cut(uint32_t len, struct bytes in_hand) {
    struct my_header h = {.len = len, .seq = seq++};
    ck_assert_uint_le(reply_my_needed(&r, &l, &h, in_hand.len ? in_hand.ptr[0] : 0), in_hand.len);
    return reply_my_received(&r, &l, &h, in_hand, &p);
}

/* In a block that ends where it ends: the sanitizer sees what is read beyond. */
static enum reply_my_verdict take(struct bytes payload) {
    uint8_t *block = malloc(payload.len ? payload.len : 1);
    ck_assert_ptr_nonnull(block);
    if (payload.len) memcpy(block, payload.ptr, payload.len);
    enum reply_my_verdict verdict = take_cut((uint32_t)payload.len, bytes_of(block, payload.len));
    free(block);
    return verdict;
}

static void part(struct bytes payload) {
    ck_assert_int_eq(take(payload), REPLY_MY_PART);
    ck_assert(ledger_head(&l) != NULL);
}

static void end(struct bytes payload, enum reply_my_kind kind) {
    uint32_t before = l.count;
    ck_assert_int_eq(take(payload), REPLY_MY_END);
    ck_assert_int_eq(p.kind, kind);
    ck_assert_uint_eq(l.count, before - 1);
    ck_assert(!r.is_begun);
}

static void ck_eof(bool before, bool behind) {
    ck_assert_int_eq(p.eof_before, before);
    ck_assert_int_eq(p.eof_behind, behind);
}

static void count_and_definitions(unsigned count) {
    uint8_t byte = (uint8_t)count;
    part(bytes_of(&byte, 1));
    ck_eof(false, false);
    for (unsigned i = 0; i < count; i++) {
        part(DEFINITION);
        ck_assert_int_eq(p.kind, REPLY_MY_DATA);
        ck_eof(false, false);
    }
}

/* ---- forms of answers ---- */

START_TEST(one_packet) {
    static const uint8_t commands[] = {
        MY_COM_INIT_DB, MY_COM_QUERY, MY_COM_CREATE_DB, MY_COM_DROP_DB, MY_COM_PING, MY_COM_STMT_EXECUTE,
        MY_COM_STMT_RESET, MY_COM_SET_OPTION, MY_COM_RESET_CONNECTION, MY_COM_STMT_BULK_EXECUTE,
    };
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        asked_of(commands[i]);
        end(OK("\x02\x00"), REPLY_MY_OK);
        ck_eof(false, false);
        ck_assert_uint_eq(p.command, commands[i]);
        ck_assert_uint_eq(p.ok.status, MY_STATUS_AUTOCOMMIT);
        ask(commands[i]);
        end(ERR, REPLY_MY_ERROR);
        ck_eof(false, false);
        ck_assert(ledger_is_quiet(&l));
    }
    asked_of(MY_COM_SET_OPTION);
    end(END("\x02\x00"), REPLY_MY_ROWS_END); /* servers say it so */
    ck_eof(false, false);
}
END_TEST

START_TEST(rows) {
    static const uint8_t commands[] = {MY_COM_QUERY, MY_COM_STMT_EXECUTE, MY_COM_STMT_BULK_EXECUTE, MY_COM_PROCESS_INFO};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        asked_of(commands[i]);
        count_and_definitions(3);
        part(ROW);
        ck_eof(true, false);
        part(ROW);
        ck_eof(false, false);
        end(END("\x02\x00"), REPLY_MY_ROWS_END);
        ck_eof(false, false);
    }
}
END_TEST

START_TEST(no_rows) {
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    end(END("\x22\x00"), REPLY_MY_ROWS_END);
    ck_eof(true, false);
    ck_assert_uint_eq(p.eof_warnings, 0);
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    end(BYTES("\xfe\x00\x00\x22\x00\x03\x01"), REPLY_MY_ROWS_END);
    ck_assert_uint_eq(p.eof_warnings, 259);
}
END_TEST

START_TEST(a_cursor_is_opened_and_fetched_from) {
    asked_of(MY_COM_STMT_EXECUTE);
    count_and_definitions(2);
    end(END("\x42\x00"), REPLY_MY_ROWS_END);
    ck_eof(false, false); /* it is itself the one behind the definitions */
    ask(MY_COM_STMT_FETCH);
    part(BYTES("\x00\x00x"));
    ck_eof(false, false);
    part(BYTES("\x00\x00y"));
    end(END("\xc2\x00"), REPLY_MY_ROWS_END);
    ck_eof(false, false);
    ask(MY_COM_STMT_FETCH);
    end(ERR, REPLY_MY_ERROR);
    ck_eof(false, false);
}
END_TEST

/* It has no EOF in front: none is sent where a cursor is opened. */
START_TEST(an_error_instead_of_a_cursor) {
    asked_of(MY_COM_STMT_EXECUTE);
    reply_my_sent_cursor(&l);
    reply_my_sent_more(&l, 4);
    seq = 5;
    count_and_definitions(1);
    end(ERR, REPLY_MY_ERROR);
    ck_eof(false, false);
    ask(MY_COM_STMT_EXECUTE); /* which wants none */
    count_and_definitions(1);
    end(ERR, REPLY_MY_ERROR);
    ck_eof(true, false);
    ask(MY_COM_STMT_EXECUTE);
    reply_my_sent_cursor(&l);
    count_and_definitions(1);
    part(ROW); /* it was not opened after all */
    ck_eof(true, false);
    end(ERR, REPLY_MY_ERROR);
}
END_TEST

START_TEST(several_results) {
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    part(ROW);
    part(END("\x0a\x00"));
    ck_assert_int_eq(p.kind, REPLY_MY_ROWS_END);
    part(OK("\x0a\x00"));
    ck_assert_int_eq(p.kind, REPLY_MY_OK);
    count_and_definitions(2);
    part(END("\x0a\x00"));
    ck_eof(true, false);
    end(OK("\x02\x00"), REPLY_MY_OK);
    ask(MY_COM_QUERY);
    part(OK("\x08\x00"));
    end(ERR, REPLY_MY_ERROR);
}
END_TEST

START_TEST(errors_end_it_anywhere) {
    asked_of(MY_COM_QUERY);
    part(BYTES("\x02"));
    part(DEFINITION);
    end(ERR, REPLY_MY_ERROR); /* between definitions */
    ck_eof(false, false);
    ask(MY_COM_QUERY);
    count_and_definitions(1);
    end(ERR, REPLY_MY_ERROR);
    ck_eof(true, false);
    ask(MY_COM_QUERY);
    count_and_definitions(1);
    part(ROW);
    end(BYTES("\xff\x28\x04no SQLSTATE"), REPLY_MY_ERROR);
    ck_eof(false, false);
    ask(MY_COM_STATISTICS);
    end(ERR, REPLY_MY_ERROR);
}
END_TEST

static void prepared(uint8_t columns, uint8_t parameters) {
    const uint8_t first[] = {0, 1, 0, 0, 0, columns, 0, parameters, 0, 0, 3, 1};
    asked_of(MY_COM_STMT_PREPARE);
    ck_assert_int_eq(take(bytes_of(first, sizeof first)), columns || parameters ? REPLY_MY_PART : REPLY_MY_END);
    ck_eof(false, false);
    for (unsigned i = 1; i <= parameters + (unsigned)columns; i++) {
        bool is_all = i == parameters + (unsigned)columns;
        ck_assert_int_eq(take(DEFINITION), is_all ? REPLY_MY_END : REPLY_MY_PART);
        ck_assert_int_eq(p.kind, REPLY_MY_DATA);
        ck_eof(false, i == parameters || is_all);
        ck_assert_uint_eq(p.eof_warnings, p.eof_behind ? 259 : 0);
    }
    ck_assert(ledger_is_quiet(&l));
}

START_TEST(prepare) {
    for (uint8_t columns = 0; columns < 4; columns++)
        for (uint8_t parameters = 0; parameters < 4; parameters++) prepared(columns, parameters);
    prepared(255, 255);
    asked_of(MY_COM_STMT_PREPARE);
    end(ERR, REPLY_MY_ERROR);
}
END_TEST

START_TEST(field_list) {
    asked_of(MY_COM_FIELD_LIST);
    for (int i = 0; i < 300; i++) {
        part(DEFINITION);
        ck_eof(false, false);
    }
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
    ck_eof(false, false);
    ask(MY_COM_FIELD_LIST);
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
}
END_TEST

START_TEST(statistics) {
    asked_of(MY_COM_STATISTICS);
    end(BYTES("Uptime: 1"), REPLY_MY_DATA);
    ask(MY_COM_STATISTICS);
    end(BYTES(""), REPLY_MY_DATA);
    ask(MY_COM_STATISTICS);
    end(BYTES("\xfeText"), REPLY_MY_DATA);
}
END_TEST

START_TEST(what_has_no_answer) {
    ck_assert(reply_my_is_unanswered(MY_COM_QUIT));
    ck_assert(reply_my_is_unanswered(MY_COM_STMT_CLOSE));
    ck_assert(reply_my_is_unanswered(MY_COM_STMT_SEND_LONG_DATA));
    ck_assert(!reply_my_is_unanswered(MY_COM_STMT_RESET));
    ck_assert(!reply_my_is_unanswered(MY_COM_PING));
}
END_TEST

/* ---- packets that go on ---- */

START_TEST(long_rows) {
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    ck_assert_int_eq(take_cut(MY_PACKET_MAX, BYTES("\xfe")), REPLY_MY_PART); /* a value of 16 MiB, and no end */
    ck_assert_int_eq(p.kind, REPLY_MY_DATA);
    ck_eof(true, false);
    ck_assert_int_eq(take_cut(MY_PACKET_MAX, BYTES("")), REPLY_MY_PART);
    ck_assert_int_eq(take_cut(5, BYTES("\xff")), REPLY_MY_PART); /* a rest, whatever it begins with */
    ck_assert_int_eq(p.kind, REPLY_MY_DATA);
    ck_eof(false, false);
    ck_assert_int_eq(take_cut(MY_PACKET_MAX, BYTES("\x01")), REPLY_MY_PART);
    ck_assert_int_eq(take_cut(0, BYTES("")), REPLY_MY_PART); /* the empty rest of one that is as long as can be */
    ck_eof(false, false);
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
}
END_TEST

START_TEST(long_definitions) {
    asked_of(MY_COM_QUERY);
    part(BYTES("\x02"));
    ck_assert_int_eq(take_cut(MY_PACKET_MAX, BYTES("\x03")), REPLY_MY_PART);
    ck_assert_int_eq(take_cut(0, BYTES("")), REPLY_MY_PART); /* not the second one */
    part(DEFINITION);
    part(ROW);
    ck_eof(true, false);
}
END_TEST

/* ---- several commands, numbers ---- */

START_TEST(several_commands) {
    asked_of(MY_COM_QUERY);
    ck_assert(reply_my_sent(&l, MY_COM_PING, REPLY_SWALLOW));
    ck_assert(reply_my_sent(&l, MY_COM_STMT_FETCH, REPLY_FORWARD));
    ck_assert(reply_my_sent(&l, MY_COM_FIELD_LIST, REPLY_FORWARD));
    ck_assert(reply_my_sent(&l, MY_COM_STATISTICS, REPLY_FORWARD));
    count_and_definitions(1);
    ck_assert_int_eq(p.fate, REPLY_FORWARD);
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
    seq = 1;
    end(OK("\x02\x00"), REPLY_MY_OK);
    ck_assert_int_eq(p.fate, REPLY_SWALLOW);
    ck_assert_uint_eq(p.command, MY_COM_PING);
    seq = 1;
    part(ROW);
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
    seq = 1;
    part(DEFINITION);
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
    seq = 1;
    end(BYTES("all"), REPLY_MY_DATA);
    ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(numbers) {
    asked_of(MY_COM_QUERY);
    reply_my_sent_more(&l, 1); /* a command of two packets */
    seq = 2;
    end(OK("\x02\x00"), REPLY_MY_OK);
    ask(MY_COM_QUERY);
    reply_my_sent_more(&l, 255);
    seq = 0; /* it goes round */
    end(OK("\x02\x00"), REPLY_MY_OK);
    ask(MY_COM_QUERY); /* whose number is not that of the one before */
    count_and_definitions(1);
    for (int i = 0; i < 600; i++) part(ROW);
    end(END("\x02\x00"), REPLY_MY_ROWS_END);
    reply_my_sent_more(&l, 7); /* of a command without an answer */
    ck_assert(ledger_is_quiet(&l));
    for (int wrong = 0; wrong < 256; wrong++) {
        asked_of(MY_COM_PING);
        seq = (uint8_t)wrong;
        ck_assert_int_eq(take(OK("\x02\x00")), wrong == 1 ? REPLY_MY_END : REPLY_MY_BROKEN);
    }
    asked_of(MY_COM_QUERY);
    part(BYTES("\x01"));
    seq++; /* one is missing */
    ck_assert_int_eq(take(DEFINITION), REPLY_MY_BROKEN);
}
END_TEST

/* Of a command of several packets: the server has read one, and does not want the others. */
START_TEST(errors_in_front_of_the_end_of_a_command) {
    for (uint8_t early = 0; early < 8; early++) {
        asked_of(MY_COM_QUERY);
        reply_my_sent_more(&l, 5);
        seq = early;
        bool is_right = early >= 1 && early <= 6;
        ck_assert_int_eq(take(ERR), is_right ? REPLY_MY_END : REPLY_MY_BROKEN);
        asked_of(MY_COM_QUERY);
        reply_my_sent_more(&l, 5);
        seq = early;
        ck_assert_int_eq(take(OK("\x02\x00")), early == 6 ? REPLY_MY_END : REPLY_MY_BROKEN);
    }
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    seq = 1; /* inside of an answer there is no earlier one */
    ck_assert_int_eq(take(ERR), REPLY_MY_BROKEN);
}
END_TEST

START_TEST(transactions) {
    asked_of(MY_COM_QUERY);
    end(OK("\x03\x00"), REPLY_MY_OK);
    ck_assert_int_eq(l.txn, TXN_OPEN);
    ask(MY_COM_QUERY);
    end(ERR, REPLY_MY_ERROR); /* says nothing of it */
    ck_assert_int_eq(l.txn, TXN_OPEN);
    ask(MY_COM_QUERY);
    count_and_definitions(1);
    end(END("\x03\x00"), REPLY_MY_ROWS_END);
    ck_assert_int_eq(l.txn, TXN_OPEN);
    ask(MY_COM_QUERY);
    end(OK("\x02\x00"), REPLY_MY_OK);
    ck_assert_int_eq(l.txn, TXN_NONE);
    ask(MY_COM_QUERY);
    end(OK("\x03\x00"), REPLY_MY_OK);
    ask(MY_COM_QUERY);
    end(BYTES("\xff\xbd\x04#40001Deadlock"), REPLY_MY_ERROR); /* the server has rolled it back, or somebody has signalled it */
    ck_assert_int_eq(l.txn, TXN_OPEN);
}
END_TEST

/* ---- files of the client's ---- */

START_TEST(a_file_is_asked_for) {
    asked_of(MY_COM_QUERY);
    part(BYTES("\xfb" "a file"));
    ck_assert_int_eq(p.kind, REPLY_MY_FILE);
    ck_assert_uint_eq(p.file.len, 6);
    ck_assert(l.is_client_turn && !ledger_is_quiet(&l));
    ck_assert_uint_eq(reply_my_sent_file(&r, &l, false), 2);
    ck_assert(l.is_client_turn);
    ck_assert_uint_eq(reply_my_sent_file(&r, &l, true), 3);
    ck_assert(!l.is_client_turn);
    seq = 4;
    part(OK("\x0a\x00")); /* and another result */
    part(BYTES("\xfb" "another"));
    ck_assert_uint_eq(reply_my_sent_file(&r, &l, true), 6);
    seq = 7;
    end(OK("\x02\x00"), REPLY_MY_OK);
    ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(nothing_comes_while_the_file_does) {
    asked_of(MY_COM_QUERY);
    part(BYTES("\xfb" "a file"));
    ck_assert_int_eq(take(OK("\x02\x00")), REPLY_MY_BROKEN);
}
END_TEST

/* ---- what cannot be ---- */

static void ck_broken(uint8_t command, struct bytes first) {
    asked_of(command);
    ck_assert_msg(take(first) == REPLY_MY_BROKEN, "%s: 0x%02x is taken", my_command_name(command), first.len ? first.ptr[0] : 0);
    ck_assert_uint_eq(l.count, 1);
}

START_TEST(answers_that_cannot_be) {
    ck_broken(MY_COM_QUERY, BYTES("\xfb")); /* a file without a name */
    ck_broken(MY_COM_STMT_EXECUTE, BYTES("\xfb" "/etc/passwd"));
    ck_broken(MY_COM_QUERY, BYTES(""));
    ck_broken(MY_COM_QUERY, BYTES("\xfc\x00\x00")); /* no columns */
    ck_broken(MY_COM_QUERY, BYTES("\xfd\x70\x11\x01")); /* 70000 of them */
    ck_broken(MY_COM_QUERY, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"));
    ck_broken(MY_COM_QUERY, BYTES("\xfc\x01")); /* half a number */
    ck_broken(MY_COM_QUERY, BYTES("\x01\x00")); /* more than a number */
    ck_broken(MY_COM_QUERY, BYTES("\x00\x00\x00\x02"));
    ck_broken(MY_COM_QUERY, BYTES("\xff\x28"));
    ck_broken(MY_COM_QUERY, BYTES("\xff\x28\x04#4200"));
    ck_broken(MY_COM_PING, BYTES("\x01"));
    ck_broken(MY_COM_PING, BYTES("\xfb"));
    ck_broken(MY_COM_PING, BYTES(""));
    ck_broken(MY_COM_STMT_PREPARE, BYTES("\x01"));
    ck_broken(MY_COM_STMT_PREPARE, END("\x02\x00"));
    ck_broken(MY_COM_STMT_PREPARE, BYTES("\x00\x01\x00\x00\x00\x01\x00\x01\x00\x00\x00"));
    ck_broken(MY_COM_FIELD_LIST, BYTES("\xfe\x00"));
    ck_broken(MY_COM_FIELD_LIST, BYTES(""));
    ck_broken(MY_COM_STMT_FETCH, BYTES(""));
    ck_broken(MY_COM_STMT_FETCH, BYTES("\xfe\x00\x00"));
}
END_TEST

START_TEST(limits) {
    asked_of(MY_COM_QUERY);
    part(BYTES("\xfc\xff\xff")); /* the most columns */
    ck_broken(MY_COM_QUERY, BYTES("\xfd\x00\x00\x01"));
}
END_TEST

START_TEST(later_packets_that_cannot_be) {
    asked_of(MY_COM_QUERY);
    part(BYTES("\x02"));
    ck_assert_int_eq(take(BYTES("")), REPLY_MY_BROKEN);
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    ck_assert_int_eq(take(BYTES("")), REPLY_MY_BROKEN);
    asked_of(MY_COM_QUERY);
    count_and_definitions(1);
    part(ROW);
    ck_assert_int_eq(take(BYTES("\xfe\x00\x00\x02\x00")), REPLY_MY_BROKEN); /* an EOF of old: never agreed */
    asked_of(MY_COM_PING);
    end(OK("\x02\x00"), REPLY_MY_OK);
    struct my_header h = {.len = 7, .seq = 2};
    ck_assert_int_eq(reply_my_received(&r, &l, &h, OK("\x02\x00"), &p), REPLY_MY_BROKEN); /* nobody has asked */
}
END_TEST

/* ---- what must be in hand ---- */

static size_t needed(uint32_t len, uint8_t first) {
    return reply_my_needed(&r, &l, &(struct my_header){.len = len, .seq = seq}, first);
}

START_TEST(bytes_that_are_needed) {
    asked_of(MY_COM_QUERY);
    ck_assert_uint_eq(needed(9, 0), 9);
    ck_assert_uint_eq(needed(0, 0), 0);
    ck_assert_uint_eq(needed(5000, MY_MARK_ERR), 5000);
    part(BYTES("\x02"));
    ck_assert_uint_eq(needed(50, 3), 1);
    ck_assert_uint_eq(needed(50, MY_MARK_ERR), 50);
    part(DEFINITION);
    part(DEFINITION);
    ck_assert_uint_eq(needed(MY_PACKET_MAX, 5), 1);
    ck_assert_uint_eq(needed(9, MY_MARK_EOF), 9);
    ck_assert_uint_eq(needed(MY_PACKET_MAX, MY_MARK_EOF), 1); /* a row */
    ck_assert_int_eq(take_cut(MY_PACKET_MAX, BYTES("\xfe")), REPLY_MY_PART);
    ck_assert_uint_eq(needed(9, MY_MARK_EOF), 0); /* a rest */
}
END_TEST

/* Behind the last packet of an answer stands what gilmok says, and the connection is free: its rest cannot still be to come. */
START_TEST(an_end_is_whole) {
    asked_of(MY_COM_STATISTICS);
    ck_assert_uint_eq(needed(200, 'U'), 200);
    asked_of(MY_COM_STMT_PREPARE);
    part(BYTES("\x00\x01\x00\x00\x00\x02\x00\x02\x00\x00\x00\x00"));
    static const size_t expected[] = {1, 60, 1, 60};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        ck_assert_uint_eq(needed(60, 3), expected[i]);
        (void)take(DEFINITION);
    }
    ck_assert(ledger_is_quiet(&l));
}
END_TEST

int main(void) {
    TCase *c = tcase_create("reply_my");
    tcase_add_checked_fixture(c, fresh, NULL);
    tcase_add_test(c, one_packet);
    tcase_add_test(c, rows);
    tcase_add_test(c, no_rows);
    tcase_add_test(c, a_cursor_is_opened_and_fetched_from);
    tcase_add_test(c, an_error_instead_of_a_cursor);
    tcase_add_test(c, several_results);
    tcase_add_test(c, errors_end_it_anywhere);
    tcase_add_test(c, prepare);
    tcase_add_test(c, field_list);
    tcase_add_test(c, statistics);
    tcase_add_test(c, what_has_no_answer);
    tcase_add_test(c, long_rows);
    tcase_add_test(c, long_definitions);
    tcase_add_test(c, several_commands);
    tcase_add_test(c, numbers);
    tcase_add_test(c, errors_in_front_of_the_end_of_a_command);
    tcase_add_test(c, transactions);
    tcase_add_test(c, a_file_is_asked_for);
    tcase_add_test(c, nothing_comes_while_the_file_does);
    tcase_add_test(c, answers_that_cannot_be);
    tcase_add_test(c, limits);
    tcase_add_test(c, later_packets_that_cannot_be);
    tcase_add_test(c, bytes_that_are_needed);
    tcase_add_test(c, an_end_is_whole);
    return check_main_of("reply_my", c);
}
