/*
 * Bytes to keys and back. Knows no session.
 */
#include "proxy/session/cancel_key.h"

#include "base/reader.h"
#include "base/writer.h"
#include "proxy/auth/secret.h"

enum { FORMAT = 1, HOP_BIT = 0x80 };

size_t cancel_key_write(const struct cancel_key *k, uint8_t out[CANCEL_KEY_LONG]) {
    struct writer w;
    writer_init_fixed(&w, out, CANCEL_KEY_LONG);
    if (k->is_long) {
        writer_u8(&w, (uint8_t)(FORMAT | (k->is_passed_on ? HOP_BIT : 0)));
        writer_u8(&w, k->worker);
        writer_be16(&w, k->instance);
        writer_be32(&w, (uint32_t)(k->session >> 32));
        writer_be32(&w, (uint32_t)k->session);
    }
    writer_put(&w, bytes_of(k->secret, k->is_long ? CANCEL_SECRET_LEN : CANCEL_KEY_SHORT));
    return w.len;
}

bool cancel_key_read(struct bytes in, struct cancel_key *out) {
    *out = (struct cancel_key){.is_long = in.len == CANCEL_KEY_LONG};
    struct reader r = reader_over(in);
    if (out->is_long) {
        uint8_t format = reader_u8(&r);
        if ((format & ~HOP_BIT) != FORMAT) return false;
        out->is_passed_on = format & HOP_BIT;
        out->worker = reader_u8(&r);
        out->instance = reader_be16(&r);
        out->session = (uint64_t)reader_be32(&r) << 32;
        out->session |= reader_be32(&r);
    }
    struct bytes secret = reader_take(&r, out->is_long ? CANCEL_SECRET_LEN : CANCEL_KEY_SHORT);
    if (!reader_done(&r)) return false;
    memcpy(out->secret, secret.ptr, secret.len);
    return true;
}

bool cancel_key_matches(const struct cancel_key *ours, const struct cancel_key *brought) {
    return ours->is_long == brought->is_long &&
           secret_equal(ours->secret, brought->secret, ours->is_long ? CANCEL_SECRET_LEN : CANCEL_KEY_SHORT);
}
