/*
 * fuzz_hba.c - a file of rules, behind a NUL name maps, behind another one the connection: transport and address (17 bytes), user, NUL,
 * database.
 */
#include <sys/socket.h>

#include "proxy/access/name_map.h"
#include "tests/fuzz/fuzz.h"

static int complaints;

/* Names in files, and a file that names itself. */
static bool read_names(void *ctx, const char *file, int line, const char *name, struct writer *out) {
    PROMISE(ctx == &complaints && file && line >= 1 && *name);
    writer_str(out, name[0] == 'l' ? "x @loop" : "ann,\"b\"");
    return true;
}

static void complain(void *ctx, const char *file, int line, const char *what, const char *advice) {
    PROMISE(ctx == &complaints && file && line >= 1 && *what && *advice);
    complaints++;
}

static const struct hba_files files = {.read = read_names, .complain = complain, .ctx = &complaints};

/* What each method needs stands in its rule, or there is no such rule. */
static void ck_rule(const struct hba_rule *r) {
    if (r->method == AUTH_PEER) PROMISE(r->type == HBA_LOCAL);
    if (r->method == AUTH_CERT) PROMISE(r->type == HBA_HOSTSSL && r->clientcert == HBA_CERT_VERIFY_FULL);
    if (r->method == AUTH_PASSWORD) PROMISE(r->type != HBA_HOSTNOSSL);
    if (r->clientcert != HBA_CERT_NOT_ASKED && r->method != AUTH_REJECT) PROMISE(r->type == HBA_HOSTSSL);
    if (r->method != AUTH_REJECT) PROMISE(!list_is_empty(&r->databases) && !list_is_empty(&r->users));
    PROMISE(r->line >= 1);
}

static const char *text_of(struct arena *a, struct bytes data) {
    const char *text = arena_strdup(a, data);
    return text ? text : "";
}

static void ask(struct arena *a, const struct hba *h, const struct name_maps *maps, struct bytes data) {
    static const uint8_t nowhere[17];
    struct bytes database;
    const uint8_t *place = data.len >= sizeof nowhere ? data.ptr : nowhere;
    struct bytes user = fuzz_cut(data.len >= sizeof nowhere ? bytes_of(data.ptr + sizeof nowhere, data.len - sizeof nowhere)
                                 : bytes_of(NULL, 0),
                                 &database);
    struct hba_who who = {.user = text_of(a, user), .database = text_of(a, database), .ip = place + 1};
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, 0};
    who.family = families[place[0] & 3];
    who.is_on_socket = place[0] & 4;
    who.has_tls = place[0] & 8;
    who.is_physical_replication = place[0] & 16;
    const struct hba_rule *r = hba_find(h, &who);
    if (!r) return;
    PROMISE((r->type == HBA_LOCAL) == who.is_on_socket);
    PROMISE(r->type != HBA_HOSTSSL || who.has_tls);
    PROMISE(r->type != HBA_HOSTNOSSL || !who.has_tls);
    PROMISE(hba_rule_is_for_user(r, who.user));
    if (r->type != HBA_LOCAL && !r->is_any_address) PROMISE(addr_net_contains(&r->net, who.family, who.ip));
    if (name_maps_allow(maps, r->map, who.database, who.user) && r->map) PROMISE(name_maps_has(maps, r->map));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest, last;
    struct bytes rules = fuzz_cut(bytes_of(data, size), &rest);
    struct bytes map_lines = fuzz_cut(rest, &last);
    struct arena arena;
    struct hba h;
    struct name_maps maps;
    arena_init(&arena, 1 << 20);
    hba_init(&h);
    name_maps_init(&maps);
    complaints = 0;
    bool ok = hba_parse(&h, &arena, "hba", rules, &files) && name_maps_parse(&maps, &arena, "ident", map_lines, &files);
    PROMISE(ok == !arena.failed);
    size_t count = 0;
    LIST_EACH(n, &h.rules) {
        ck_rule(CONTAINER_OF(n, struct hba_rule, node));
        count++;
    }
    PROMISE(h.count <= count && (h.count == count || complaints || arena.failed));
    if (ok) ask(&arena, &h, &maps, last);
    hba_release(&h);
    name_maps_release(&maps);
    arena_release(&arena);
    return 0;
}
