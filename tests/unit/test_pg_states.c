/*
 * test_pg_states.c - the tables of messages hold together with the rest of wire. That gilmok goes by them is tests/script/states.py's.
 */
#include "proxy/wire/pg_decode.h"
#include "proxy/wire/pg_states.h"
#include "tests/unit/check_main.h"

START_TEST(every_type_has_a_bit_of_its_own) {
    uint64_t seen = 0;
    for (int type = 0; type < 256; type++) {
        uint64_t bit = pg_type_bit((uint8_t)type);
        bool is_type = (type >= 'A' && type <= 'z') || (type >= '1' && type <= '3');
        ck_assert_int_eq(bit != 0, is_type);
        ck_assert(!(seen & bit));
        seen |= bit;
    }
}
END_TEST

START_TEST(a_row_says_one_thing_of_each_type) {
    for (int s = 0; s < PG_CLIENT_STATES; s++) {
        const struct pg_state_row *r = &pg_client_rows[s];
        ck_assert(!(r->taken & r->ignored) && !r->last);
        ck_assert(pg_client_state_name((enum pg_client_state)s)[0]);
    }
    for (int s = 0; s < PG_SERVER_STATES; s++) {
        const struct pg_state_row *r = &pg_server_rows[s];
        ck_assert(!(r->taken & r->last) && !r->ignored);
        ck_assert_int_eq(pg_server_verdict((enum pg_server_state)s, PG_B_ERROR), PG_TAKEN);
        ck_assert(pg_server_state_name((enum pg_server_state)s)[0]);
    }
}
END_TEST

/* After the login one look at the length limit tells which types there are at all. */
START_TEST(a_busy_client_may_send_what_has_a_length) {
    for (int type = 0; type < 256; type++) {
        bool is_taken = pg_client_verdict(PG_CLIENT_BUSY, (uint8_t)type) == PG_TAKEN;
        ck_assert_int_eq(is_taken, pg_frontend_limit((uint8_t)type) > 0);
        for (int s = PG_CLIENT_IDLE; s < PG_CLIENT_STATES; s++)
            ck_assert_int_eq(pg_client_verdict((enum pg_client_state)s, (uint8_t)type) != PG_FATAL, is_taken);
    }
}
END_TEST

int main(void) {
    TCase *t = tcase_create("pg states");
    tcase_add_test(t, every_type_has_a_bit_of_its_own);
    tcase_add_test(t, a_row_says_one_thing_of_each_type);
    tcase_add_test(t, a_busy_client_may_send_what_has_a_length);
    return check_main_of("pg states", t);
}
