/*
 * fuzz_addr_list.c - the text of a list and, behind a NUL, an address that may be in it.
 */
#include <netinet/in.h>

#include "proxy/net/addr_list.h"
#include "tests/fuzz/fuzz.h"

static struct addr addr_from(struct bytes raw) {
    struct addr a = {.len = 0};
    a.sa.ss_family = raw.len >= 16 ? AF_INET6 : raw.len >= 4 ? AF_INET : AF_UNIX;
    if (raw.len >= 16) memcpy(&((struct sockaddr_in6 *)&a.sa)->sin6_addr, raw.ptr, 16);
    else if (raw.len >= 4) memcpy(&((struct sockaddr_in *)&a.sa)->sin_addr, raw.ptr, 4);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct addr_list list;
    struct err err = {0};
    struct bytes raw, text = fuzz_cut(bytes_of(data, size), &raw);
    char *copy = malloc(text.len + 1);
    if (!copy) return 0;
    if (text.len) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    bool ok = addr_list_parse(&list, copy, &err);
    free(copy);
    PROMISE(ok != err_is_set(&err));
    if (!ok) {
        PROMISE(err.hint[0]);
        return 0;
    }
    PROMISE(list.count <= ADDR_LIST_MAX);
    for (unsigned i = 0; i < list.count; i++) {
        PROMISE(list.nets[i].bits <= 128);
        PROMISE(addr_list_contains(&list, &(struct addr){0}) == false);
        struct addr first = addr_from(bytes_of(list.nets[i].ip, 16)); /* a network's own address is in it */
        PROMISE(addr_list_contains(&list, &first));
    }
    struct addr a = addr_from(raw);
    bool is_in = addr_list_contains(&list, &a);
    if (is_in) PROMISE(list.count > 0 || list.has_unix);
    return 0;
}
