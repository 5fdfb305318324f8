/*
 * my_encode.h - MySQL packets into a writer, for both directions.
 *
 * Each my_put_ writes one whole packet with its header; a payload of MY_PACKET_MAX bytes or more, which needs further packets,
 * makes the writer fail (nothing that gilmok says itself is so long). `seq`: the packet's sequence number.
 */
#ifndef GILMOK_PROXY_WIRE_MY_ENCODE_H
#define GILMOK_PROXY_WIRE_MY_ENCODE_H

#include "base/writer.h"
#include "proxy/wire/my_decode.h"

void my_w16(struct writer *w, uint16_t value);
void my_w24(struct writer *w, uint32_t value);
void my_w32(struct writer *w, uint32_t value);
void my_w64(struct writer *w, uint64_t value);
void my_w_lenenc(struct writer *w, uint64_t value);
void my_w_lenenc_str(struct writer *w, struct bytes data);

/* A packet of one's own: begin, write its payload, end. */
size_t my_begin(struct writer *w, uint8_t seq);
void my_end(struct writer *w, size_t at);
/* A payload of any kind as one packet. */
void my_put(struct writer *w, uint8_t seq, struct bytes payload);

/* ---- to clients ---- */

/* As my_greeting_read() has it; `version` and `plugin` must have no NUL. The writer fails otherwise. */
void my_put_greeting(struct writer *w, uint8_t seq, const struct my_greeting *g);
/* A nonce of MY_NONCE_LEN bytes gets a NUL behind it, as servers send it; others get none. */
void my_put_auth_switch(struct writer *w, uint8_t seq, const char *plugin, struct bytes nonce);
void my_put_more_auth(struct writer *w, uint8_t seq, struct bytes data); /* 0x01, data */
/*
 * `mark`: MY_MARK_OK, or MY_MARK_EOF where it ends rows. Info and changes are written where `tracks_session` (with changes the
 * status says SESSION_CHANGED, and with that, there are changes, if empty ones), else the info alone.
 */
void my_put_ok(struct writer *w, uint8_t seq, uint8_t mark, const struct my_ok *ok, bool tracks_session);
void my_put_eof(struct writer *w, uint8_t seq, const struct my_eof *eof);
/* Text beyond MY_ERROR_TEXT_MAX bytes is cut. `sqlstate`: MY_SQLSTATE_LEN characters, or NULL before the client's login is in. */
void my_put_err(struct writer *w, uint8_t seq, uint16_t number, const char *sqlstate, struct bytes text);

/* ---- to servers ---- */

/*
 * As my_login_read() has it; with is_tls_request the short form. The fields that `caps` does not announce are left out. The writer
 * fails on what cannot be said: no PROTOCOL_41, a TLS request without SSL, a NUL in a name, a collation above 255, an answer of
 * more than 255 bytes without PLUGIN_AUTH_LENENC.
 */
void my_put_login(struct writer *w, uint8_t seq, const struct my_login *l);
/* COM_CHANGE_USER with everything that my_change_user_read() reads with l->caps; collation 2 bytes. Sequence number 0. */
void my_put_change_user(struct writer *w, const struct my_login *l);
/* A command of one byte and what follows it. Sequence number 0. */
void my_put_command(struct writer *w, uint8_t command, struct bytes rest);

#endif
