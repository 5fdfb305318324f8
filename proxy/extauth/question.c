/*
 * Questions: their one block of memory.
 */
#include "proxy/extauth/question.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/fault.h"
#include "proxy/auth/secret.h"

/* Texts behind each other in one block; without a block it only counts. */
struct packer {
    char *at;
    size_t needed;
};

static const char *pack(struct packer *p, const char *text) {
    size_t size = text ? strlen(text) + 1 : 0;
    char *copy = p->at;
    p->needed += size;
    if (!copy || !text) return NULL;
    memcpy(copy, text, size);
    p->at += size;
    return copy;
}

static void pack_all(struct packer *p, struct extauth_question *q, const struct extauth_question *from) {
    q->user = pack(p, from->user);
    q->host = pack(p, from->host);
    q->pam_directory = pack(p, from->pam_directory);
    q->pam.service = pack(p, from->pam.service);
    q->ldap.uris = pack(p, from->ldap.uris);
    q->ldap.prefix = pack(p, from->ldap.prefix);
    q->ldap.suffix = pack(p, from->ldap.suffix);
    q->ldap.base = pack(p, from->ldap.base);
    q->ldap.filter = pack(p, from->ldap.filter);
    q->ldap.attribute = pack(p, from->ldap.attribute);
    q->ldap.bind_dn = pack(p, from->ldap.bind_dn);
    q->ldap.bind_password = pack(p, from->ldap.bind_password);
}

struct extauth_question *extauth_question_new(enum auth_method method, const struct ldap_options *ldap,
                                              const struct pam_options *pam, const char *pam_directory, const char *user,
                                              const char *host) {
    struct extauth_question from = {.method = method, .user = user, .host = host, .pam_directory = pam_directory}, counted;
    struct packer p = {.at = NULL};
    if (method == AUTH_LDAP) from.ldap = *ldap;
    else from.pam = *pam;
    pack_all(&p, &counted, &from);
    size_t size = sizeof from + p.needed;
    struct extauth_question *q = mem_alloc(size);
    if (!q) return NULL;
    *q = from;
    q->size = size;
    p = (struct packer){.at = (char *)(q + 1)};
    pack_all(&p, q, &from);
    list_init(&q->node);
    return q;
}

void extauth_question_free(struct extauth_question *q) {
    if (!q) return;
    if (q->password) secret_wipe(q->password, strlen(q->password));
    mem_free(q->password);
    secret_wipe(q, q->size);
    mem_free(q);
}

bool extauth_question_set_password(struct extauth_question *q, struct bytes password) {
    q->password = mem_strdup((const char *)password.ptr, password.len);
    return q->password != NULL;
}

uint32_t extauth_question_left_ms(const struct extauth_question *q) {
    uint64_t now = clock_now_us(&clock_real);
    uint64_t left_ms = q->until_us > now ? (q->until_us - now) / 1000 : 0;
    return left_ms == 0 ? 1 : left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms;
}
