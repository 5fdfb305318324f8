/*
 * The memory that OpenSSL takes for a network: a BIO that reads from a stream's
 * ciphertext and writes into its wire queue. It finds the ends of records, so that
 * OpenSSL is shown whole ones only.
 */
#include <string.h>

#include "proxy/net/tls_impl.h"

enum {
    RECORD_HEADER = 5,
    RECORD_CIPHER_MAX = (16 << 10) + 2048, /* TLS 1.2's limit; 1.3's is lower, OpenSSL knows */
};

static bool is_record_type(uint8_t type) {
    return type >= 20 && type <= 23; /* change_cipher_spec, alert, handshake, application_data */
}

/* The bytes of the record at the front when they are all there; everything when it cannot be a record (OpenSSL will
 * say what is wrong); 0 when more has to come. */
static uint32_t whole_record(const uint8_t *p, uint32_t len) {
    if (len > 0 && !is_record_type(p[0])) return len;
    if (len > 1 && p[1] != 3) return len;
    if (len < RECORD_HEADER) return 0;
    uint32_t body = (uint32_t)p[3] << 8 | p[4];
    if (body > RECORD_CIPHER_MAX) return len;
    return body + RECORD_HEADER <= len ? body + RECORD_HEADER : 0;
}

bool tls_has_record(struct tls *t) {
    if (t->in_visible == 0 && t->in_len > 0) t->in_visible = whole_record(t->in_buf->data + t->in_at, t->in_len);
    return t->in_visible > 0;
}

static int bio_read(BIO *b, char *into, int cap) {
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (cap <= 0) return 0;
    if (!tls_has_record(t)) {
        BIO_set_retry_read(b);
        return -1;
    }
    uint32_t n = t->in_visible < (uint32_t)cap ? t->in_visible : (uint32_t)cap;
    memcpy(into, t->in_buf->data + t->in_at, n);
    t->in_at += n;
    t->in_len -= n;
    t->in_visible -= n;
    return (int)n;
}

static int bio_write(BIO *b, const char *from, int len) {
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (len <= 0) return 0;
    if (t->wire.bytes > TLS_WIRE_MAX || !out_queue_put(&t->wire, t->s->loop, bytes_of(from, (size_t)len))) {
        t->wire_failed = true;
        return -1;
    }
    return len;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr) {
    (void)b;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void) {
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (!bio_method) return;
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

BIO *tls_bio_new(struct tls *t) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_bio_method);
    BIO *b = bio_method ? BIO_new(bio_method) : NULL;
    if (!b) return NULL;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return b;
}
