/*
 * test_reply_pg.c - every kind of owed reply against every message type byte: explained by the table below, or broken.
 *
 * Whole conversations are in tests/golden/ledger.
 */
#include "proxy/pool/reply_pg.h"
#include "proxy/wire/pg_proto.h"
#include "tests/unit/check_main.h"

/* What the server may say while this is the head. Async messages and errors may always come. */
static const struct {
    uint8_t sent;
    uint8_t target;
    uint8_t kind;
    const char *parts; /* the head stays */
    const char *last;  /* the head is answered */
} rules[] = {
    {PG_F_QUERY, 0, OWED_QUERY, "TDCIGWHdc", ""},
    {PG_F_FUNCTION_CALL, 0, OWED_FUNCTION, "V", ""},
    {PG_F_SYNC, 0, OWED_SYNC, "", ""},
    {PG_F_PARSE, 0, OWED_PARSE, "", "1"},
    {PG_F_BIND, 0, OWED_BIND, "", "2"},
    {PG_F_DESCRIBE, 'S', OWED_DESCRIBE_STATEMENT, "t", ""},
    {PG_F_DESCRIBE, 'P', OWED_DESCRIBE_PORTAL, "", "Tn"},
    {PG_F_DESCRIBE, 'U', OWED_DESCRIBE_UNNAMED, "", "Tn"},
    {PG_F_EXECUTE, 0, OWED_EXECUTE, "DGWHdc", "CIs"},
    {PG_F_EXECUTE, 'U', OWED_EXECUTE_UNNAMED, "DGWHdc", "CIs"},
    {PG_F_CLOSE, 0, OWED_CLOSE, "", "3"},
    {PG_F_PARSE, 'T', OWED_PARSE_TRIED, "", "1"},
};

static bool is_one_of(uint8_t type, const char *types) {
    return type && strchr(types, type);
}

static bool ends_group(size_t rule) {
    return is_one_of(rules[rule].sent, "QFS");
}

/* A ledger whose head is of this rule's kind, with a whole group behind it. */
static void open_ledger(struct ledger *l, size_t rule, enum reply_fate fate) {
    ledger_init(l);
    ck_assert(reply_pg_sent(l, rules[rule].sent, rules[rule].target, fate));
    ck_assert_uint_eq(ledger_head(l)->kind, rules[rule].kind);
    ck_assert(reply_pg_sent(l, PG_F_SYNC, 0, REPLY_FORWARD));
    ck_assert(reply_pg_sent(l, PG_F_QUERY, 0, REPLY_FORWARD));
}

static void ck_one(size_t rule, uint8_t type, uint8_t status, enum reply_fate fate) {
    struct ledger l;
    open_ledger(&l, rule, fate);
    enum reply_pg_verdict expected = REPLY_PG_BROKEN;
    uint32_t left = 3;
    if (is_one_of(type, "NAS")) expected = REPLY_PG_ASYNC;
    else if (type == 'E') {
        expected = REPLY_PG_PART;
        left = ends_group(rule) ? 3 : 2;
    } else if (type == 'Z' && ends_group(rule) && is_one_of(status, "ITE")) {
        expected = REPLY_PG_READY;
        left = 2;
    } else if (is_one_of(type, "GW") && fate != REPLY_FORWARD) {
        expected = REPLY_PG_BROKEN; /* gilmok itself begins no COPY */
    } else if (is_one_of(type, rules[rule].parts)) {
        expected = REPLY_PG_PART;
        /* COPY IN: the Sync behind it falls away */
        if (is_one_of(type, "GW")) left = 2;
    } else if (is_one_of(type, rules[rule].last)) {
        expected = REPLY_PG_PART;
        left = 2;
    }
    enum reply_fate got;
    enum reply_pg_verdict verdict = reply_pg_received(&l, type, status, &got);
    ck_assert_msg(verdict == expected, "%s, 0x%02x: verdict %d, not %d", reply_pg_kind_name(rules[rule].kind), type, verdict,
                  expected);
    if (verdict != REPLY_PG_BROKEN) {
        ck_assert_int_eq(got, fate);
        ck_assert_msg(l.count == left, "%s, 0x%02x: %u left, not %u", reply_pg_kind_name(rules[rule].kind), type, l.count,
                      left);
        ck_assert(!ledger_is_quiet(&l));
    }
    ledger_release(&l);
}

START_TEST(every_kind_and_every_type) {
    for (size_t rule = 0; rule < COUNT_OF(rules); rule++) {
        for (int type = 0; type < 256; type++) {
            ck_one(rule, (uint8_t)type, 'I', REPLY_FORWARD);
            ck_one(rule, (uint8_t)type, 'I', REPLY_SWALLOW);
        }
    }
}
END_TEST

START_TEST(every_status_of_ready) {
    for (size_t rule = 0; rule < COUNT_OF(rules); rule++)
        for (int status = 0; status < 256; status++) ck_one(rule, 'Z', (uint8_t)status, REPLY_FORWARD);
}
END_TEST

START_TEST(ready_tells_the_transaction) {
    static const struct {
        uint8_t status;
        enum txn_state txn;
    } cases[] = {{'I', TXN_NONE}, {'T', TXN_OPEN}, {'E', TXN_FAILED}};
    struct ledger l;
    ledger_init(&l);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum reply_fate fate;
        ck_assert(reply_pg_sent(&l, PG_F_QUERY, 0, REPLY_FORWARD));
        ck_assert_int_eq(reply_pg_received(&l, 'Z', cases[i].status, &fate), REPLY_PG_READY);
        ck_assert_int_eq(l.txn, cases[i].txn);
        ck_assert(ledger_is_quiet(&l));
    }
}
END_TEST

START_TEST(nothing_owed_explains_nothing) {
    for (int type = 0; type < 256; type++) {
        struct ledger l;
        ledger_init(&l);
        enum reply_fate fate = REPLY_SWALLOW;
        enum reply_pg_verdict verdict = reply_pg_received(&l, (uint8_t)type, 'I', &fate);
        ck_assert_int_eq(verdict, is_one_of((uint8_t)type, "NAS") ? REPLY_PG_ASYNC
                                  : type == 'E'                   ? REPLY_PG_FATAL
                                                                  : REPLY_PG_BROKEN);
        ck_assert_int_eq(fate, REPLY_FORWARD);
        ck_assert(ledger_is_quiet(&l));
        ledger_release(&l);
    }
}
END_TEST

START_TEST(describe_of_a_statement_takes_both_parts) {
    for (int type = 0; type < 256; type++) {
        struct ledger l;
        enum reply_fate fate;
        open_ledger(&l, 5, REPLY_FORWARD);
        ck_assert_int_eq(reply_pg_received(&l, 't', 0, &fate), REPLY_PG_PART);
        enum reply_pg_verdict verdict = reply_pg_received(&l, (uint8_t)type, 0, &fate);
        if (is_one_of((uint8_t)type, "Tn")) {
            ck_assert_int_eq(verdict, REPLY_PG_PART);
            ck_assert_uint_eq(l.count, 2);
        } else {
            ck_assert_int_eq(verdict, is_one_of((uint8_t)type, "NAS") ? REPLY_PG_ASYNC
                                      : type == 'E'                   ? REPLY_PG_PART
                                                                      : REPLY_PG_BROKEN);
        }
        ledger_release(&l);
    }
}
END_TEST

START_TEST(messages_without_a_reply_owe_nothing) {
    for (int type = 0; type < 256; type++) {
        struct ledger l;
        ledger_init(&l);
        ck_assert(reply_pg_sent(&l, (uint8_t)type, 'S', REPLY_FORWARD));
        ck_assert_uint_eq(l.count, is_one_of((uint8_t)type, "QFSPBDEC"));
        ck_assert_uint_eq(l.groups, is_one_of((uint8_t)type, "QFS"));
        ck_assert(ledger_is_quiet(&l) == !is_one_of((uint8_t)type, "QFSPBDEC"));
        ledger_release(&l);
    }
}
END_TEST

/* A deep pipeline, with an error in every third group: each is answered by its own ReadyForQuery. */
START_TEST(a_pipeline_to_the_limit) {
    struct ledger l;
    ledger_init(&l);
    uint32_t groups = 0;
    while (!ledger_is_full(&l)) {
        ck_assert(reply_pg_sent(&l, PG_F_BIND, 0, REPLY_FORWARD));
        ck_assert(reply_pg_sent(&l, PG_F_EXECUTE, 0, REPLY_FORWARD));
        ck_assert(reply_pg_sent(&l, PG_F_SYNC, 0, REPLY_FORWARD));
        groups++;
    }
    ck_assert_uint_eq(groups, LEDGER_GROUPS_MAX);
    for (uint32_t i = 0; i < groups; i++) {
        enum reply_fate fate;
        ck_assert(!ledger_is_quiet(&l));
        const char *replies = i % 3 ? "2CZ" : "EZ";
        for (const char *r = replies; *r; r++)
            ck_assert_int_eq(reply_pg_received(&l, (uint8_t)*r, 'I', &fate), *r == 'Z' ? REPLY_PG_READY : REPLY_PG_PART);
    }
    ck_assert(ledger_is_quiet(&l));
    ledger_release(&l);
}
END_TEST

START_TEST(every_kind_has_a_name) {
    for (uint8_t kind = OWED_QUERY; kind <= OWED_COPY_END; kind++) ck_assert_str_ne(reply_pg_kind_name(kind), "?");
    ck_assert_str_eq(reply_pg_kind_name(OWED_COPY_END + 1), "?");
    ck_assert_str_eq(reply_pg_kind_name(255), "?");
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("reply_pg");
    tcase_add_test(tc, every_kind_and_every_type);
    tcase_add_test(tc, every_status_of_ready);
    tcase_add_test(tc, ready_tells_the_transaction);
    tcase_add_test(tc, nothing_owed_explains_nothing);
    tcase_add_test(tc, describe_of_a_statement_takes_both_parts);
    tcase_add_test(tc, messages_without_a_reply_owe_nothing);
    tcase_add_test(tc, a_pipeline_to_the_limit);
    tcase_add_test(tc, every_kind_has_a_name);
    return check_main_of("reply_pg", tc);
}
