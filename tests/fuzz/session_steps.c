/*
 * Reads steps, for whoever carries them out and for whoever changes them.
 */
#include "tests/fuzz/session_steps.h"

bool session_step_has_arg(enum step_kind kind) {
    return kind != STEP_CLIENT_RAW && kind != STEP_CLIENT_QUERY && kind != STEP_CLIENT_CONNECTS && kind != STEP_SERVER_RAW &&
           kind != STEP_SERVER_GREETS;
}

bool session_step_has_raw(enum step_kind kind) {
    return kind == STEP_CLIENT_RAW || kind == STEP_CLIENT_MESSAGE || kind == STEP_CLIENT_QUERY || kind == STEP_SERVER_RAW ||
           kind == STEP_SERVER_MESSAGE;
}

static struct bytes take_raw(struct reader *r) {
    size_t len = reader_u8(r);
    if (len == 255) len = reader_be16(r);
    if (len > STEP_RAW_MAX) len = STEP_RAW_MAX;
    if (len > reader_left(r)) len = reader_left(r);
    return reader_take(r, len);
}

struct session_step session_step_read(struct reader *r) {
    uint8_t what = reader_u8(r);
    struct session_step s = {.kind = what & 15, .who = what >> 4 & 3, .flags = what & (STEP_GOES_ON | STEP_NO_TIME)};
    if (session_step_has_arg(s.kind)) s.arg = reader_u8(r);
    if (session_step_has_raw(s.kind)) s.raw = take_raw(r);
    return s;
}
