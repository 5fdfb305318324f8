/*
 * session_steps.h - what an input of fuzz_session.c is made of: three bytes for the world, then steps.
 *
 *      step    kind (4 bits), who (2), `goes on` (1), `no time` (1); then, by kind: arg (a byte), raw (a length and bytes)
 *      length  a byte; 255: two more are the length
 */
#ifndef GILMOK_TESTS_FUZZ_SESSION_STEPS_H
#define GILMOK_TESTS_FUZZ_SESSION_STEPS_H

#include "base/reader.h"

enum {
    STEPS_WORLD_LEN = 3,
    /* Fewer steps than "~", lest the number of a session be the beginning of a mark. */
    STEPS_MAX = 120,
    STEP_RAW_MAX = 4096,
};

enum step_kind {
    STEP_CLIENT_RAW, STEP_CLIENT_MESSAGE, STEP_CLIENT_LOGIN, STEP_CLIENT_SAYS, STEP_CLIENT_QUERY, STEP_CLIENT_ENDS,
    STEP_CLIENT_CONNECTS,
    STEP_SERVER_RAW, STEP_SERVER_MESSAGE, STEP_SERVER_ANSWERS, STEP_SERVER_SAYS, STEP_SERVER_ENDS, STEP_SERVER_GREETS,
    STEP_TIME, STEP_SWITCH, STEP_CANCEL,
};

enum { STEP_GOES_ON = 64, /* gilmok gets no turn before the next step */ STEP_NO_TIME = 128 };

struct session_step {
    enum step_kind kind;
    unsigned who;
    uint8_t flags, arg;
    struct bytes raw; /* borrowed from the input */
};

/* What is missing at the end is 0. */
struct session_step session_step_read(struct reader *r);
bool session_step_has_arg(enum step_kind kind);
bool session_step_has_raw(enum step_kind kind);

/* What clients say: numbers in the table of fuzz_session.c that the mutator knows. */
enum {
    SAY_SELECT = 0, SAY_BEGIN = 1, SAY_COMMIT = 2, SAY_ROLLBACK = 3, SAY_FAIL = 4, SAY_SET = 5, SAY_RESET = 6, SAY_DISCARD = 7,
    SAY_COPY_IN = 9, SAY_COPY_OUT = 10, SAY_LISTEN = 11, SAY_PREPARE = 13, SAY_EXECUTE_P = 14, SAY_TEMP = 17, SAY_CALL = 22,
    SAY_PARSE = 25, SAY_PARSE_S1 = 26, SAY_PARSE_COPY = 30, SAY_BIND = 34, SAY_BIND_S1 = 35, SAY_DESCRIBE_S1 = 38,
    SAY_DESCRIBE_PORTAL = 40, SAY_EXECUTE = 42, SAY_SYNC = 44, SAY_FLUSH = 46, SAY_CLOSE_S1 = 47, SAY_DATA = 50, SAY_DONE = 51,
    SAY_COPY_FAIL = 52, SAY_TERMINATE = 54,
};

#endif
