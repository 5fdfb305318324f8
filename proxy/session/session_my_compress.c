/*
 * A MySQL client that has asked for compression: what its stream needs for it, and what its session must say in between.
 *
 * Owns nothing but the codec that it gives to the stream, and the kit of its worker.
 */
#include "base/fault.h"
#include "base/log.h"
#include "proxy/net/codec.h"
#include "proxy/session/session_my.h"
#include "proxy/wire/my_compress.h"

static_assert((int)CODEC_UNIT_MAX <= (int)MY_PACKET_MAX, "a unit is one packet");

struct session_my_codec {
    struct codec base;
    struct my_compress packets;
};

static struct my_compress *packets_of(struct codec *c) {
    return &CONTAINER_OF(c, struct session_my_codec, base)->packets;
}

/* ---- for the stream ---- */

static enum codec_found unpack(struct codec *c, struct bytes *in, uint8_t *out, size_t cap, size_t *made, bool is_taken) {
    static const uint8_t found[] = {
        [MY_COMPRESS_MORE] = CODEC_MORE,
        [MY_COMPRESS_FULL] = CODEC_GOES_ON,
        [MY_COMPRESS_WAITS] = CODEC_WAITS,
        [MY_COMPRESS_GARBLED] = CODEC_GARBLED,
    };
    packets_of(c)->converses = session_my_is_asked(c->s->owner);
    return (enum codec_found)found[my_compress_unpack(packets_of(c), in, out, cap, made, is_taken)];
}

static size_t pack(struct codec *c, const struct iovec *pieces, int count, size_t *len, uint8_t *out, size_t cap) {
    return my_compress_pack(packets_of(c), pieces, count, len, out, cap);
}

static bool is_idle(const struct codec *c) {
    return my_compress_is_idle(&CONTAINER_OF(c, const struct session_my_codec, base)->packets);
}

static void drop(struct codec *c) {
    my_compress_drop(packets_of(c));
}

static void free_codec(struct codec *c) {
    mem_free(CONTAINER_OF(c, struct session_my_codec, base));
}

static const struct codec_ops ops = {.unpack = unpack, .pack = pack, .is_idle = is_idle, .drop = drop, .free = free_codec};

/* ---- for the session ---- */

/* NULL: it speaks as it is. */
static struct my_compress *find(const struct session *s) {
    return s->stream && s->stream->codec ? packets_of(s->stream->codec) : NULL;
}

static struct my_compress_kit *kit_of(struct session_env *env) {
    if (!env->compress_kit) env->compress_kit = my_compress_kit_new();
    return env->compress_kit;
}

uint32_t session_my_compress_offered(const struct session *s) {
    static const uint32_t caps[] = {
        [MYSQL_COMPRESSION_OFF] = 0,
        [MYSQL_COMPRESSION_ON] = MY_CAP_COMPRESS | MY_CAP_ZSTD,
        [MYSQL_COMPRESSION_ZLIB] = MY_CAP_COMPRESS,
        [MYSQL_COMPRESSION_ZSTD] = MY_CAP_ZSTD,
    };
    return caps[s->env->config->mysql_compression];
}

/* Both flags mean zlib; so one that was not offered says more than the other that was. */
bool session_my_compress_agrees(const struct session *s, uint32_t caps) {
    uint32_t wanted = caps & MY_CAP_COMPRESS ? MY_CAP_COMPRESS : caps & MY_CAP_ZSTD;
    return (session_my_compress_offered(s) & wanted) == wanted;
}

bool session_my_compress_ready(struct session *s, const struct my_login *l) {
    if (!(l->caps & (MY_CAP_COMPRESS | MY_CAP_ZSTD))) return true;
    struct my_compress_kit *kit = kit_of(s->env);
    struct session_my_codec *c = kit ? mem_alloc(sizeof *c) : NULL;
    if (!c) return false;
    c->base.ops = &ops;
    my_compress_init(&c->packets, kit, l->caps & MY_CAP_COMPRESS ? MY_COMPRESSION_ZLIB : MY_COMPRESSION_ZSTD, l->zstd_level);
    session_my_of(s)->login->codec = &c->base;
    return true;
}

void session_my_compress_begin(struct session *s) {
    struct session_my *sm = session_my_of(s);
    if (!sm->login->codec) return;
    stream_set_codec(s->stream, sm->login->codec, &ops);
    sm->login->codec = NULL;
    sm->is_compressed = true;
}

bool session_my_compress_arrive(struct session *s) {
    const struct session_my_login *login = session_my_of(s)->login;
    struct my_compress *c = login && login->codec ? packets_of(login->codec) : find(s);
    if (c) c->kit = kit_of(s->env);
    return !c || c->kit;
}

void session_my_compress_answer(struct session *s) {
    struct my_compress *c = find(s);
    if (!c) return;
    stream_pack(s->stream); /* of the answer before */
    my_compress_answer(c);
}

void session_my_compress_end(struct session *s) {
    struct my_compress *c = find(s);
    if (!c || request_is_open(&s->request)) return;
    stream_pack(s->stream);
    c->out_number = 1;
}

void session_my_on_garbled(struct session *s) {
    const struct my_compress *c = find(s);
    session_my_compress_answer(s);
    s->lessee.next_seq = (uint8_t)(session_my_of(s)->command_seq + 1);
    session_my_fail(s, c->is_out_of_order ? MY_ER_NET_PACKETS_OUT_OF_ORDER : MY_ER_NET_UNCOMPRESS, "08S01", "%s", c->why);
}

const char *session_my_compression(const struct session *s) {
    const struct my_compress *c = s->proto == &session_my_proto ? find(s) : NULL;
    return my_compression_name(c ? (enum my_compression)c->how : MY_COMPRESSION_NONE);
}
