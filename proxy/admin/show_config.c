/*
 * SHOW CONFIG, VERSION, STATE, PEERS, and what gilmok does not show.
 */
#include <stdio.h>

#include "proxy/admin/console.h"
#include "proxy/config_keys.h"

enum { KEY_TEXT_MAX = 256 };

/* ---- SHOW CONFIG ---- */

/* Keys of [gilmok] have their own name, as tools look for them; others have their section's in front. */
static void put_key(void *ctx, const char *section, const struct config_key *key, const char *value) {
    struct row r = console_row(ctx);
    char name[KEY_TEXT_MAX];
    if (key->kind == CONFIG_GILMOK) snprintf(name, sizeof name, "%s", key->name);
    else snprintf(name, sizeof name, "[%s] %s", section, key->name);
    row_text(&r, name);
    row_text(&r, value);
    row_text(&r, key->fallback);
    row_text(&r, key->change == CHANGE_BY_RELOAD ? "yes" : "no");
    row_text(&r, key->meaning);
    row_end(&r);
}

static void end_config(struct console_call *call) {
    config_keys_each(console_config(call), put_key, call);
}

/* ---- SHOW PEERS, SHOW STATE ---- */

static void end_peers(struct console_call *call) {
    LIST_EACH(n, &console_config(call)->peers) {
        const struct config_peer *p = CONTAINER_OF(n, struct config_peer, node);
        struct row r = console_row(call);
        row_number(&r, p->instance);
        row_text(&r, p->host);
        row_number(&r, p->port);
        row_number(&r, 0);
        row_text(&r, p->name);
        row_end(&r);
    }
}

static void end_state(struct console_call *call) {
    unsigned gates = gate_book_own(&call->control->hub.gates, bytes_of(NULL, 0));
    const struct {
        const char *name;
        bool is_so;
    } states[] = {{"active", !gates}, {"paused", gates == GATE_PAUSED}, {"suspended", gates & GATE_SUSPENDED}};
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct row r = console_row(call);
        row_text(&r, states[i].name);
        row_text(&r, states[i].is_so ? "yes" : "no");
        row_end(&r);
    }
}

/* ---- what there is not ---- */

static void refuse_fds(struct console_call *call) {
    err_set(call->err, ERR_FEATURE_NOT_SUPPORTED, "gilmok does not hand its sockets to another process");
    err_hint(call->err, "SHOW SOCKETS lists them. For a restart, SHUTDOWN WAIT_FOR_CLIENTS and start another gilmok.");
}

static void refuse_dns(struct console_call *call) {
    err_set(call->err, ERR_FEATURE_NOT_SUPPORTED,
            "gilmok keeps no cache of names: they are looked up when the configuration is read");
    err_hint(call->err, "RELOAD looks them up again.");
}

/* ---- the table ---- */

static const struct console_verb verbs[] = {
    {"SHOW CONFIG", NULL, CONSOLE_STATS, "every key of the configuration; secrets as ***",
     .columns = "key value default changeable meaning", .end = end_config},
    {"SHOW VERSION", NULL, CONSOLE_STATS, "the version of gilmok", .columns = "version", .value = "gilmok " GILMOK_VERSION},
    {"SHOW STATE", NULL, CONSOLE_STATS, "whether all databases are paused or suspended", .columns = "key value", .end = end_state},
    {"SHOW PEERS", NULL, CONSOLE_STATS, "the gilmoks of the group", .columns = "#peer_id host #port #pool_size name",
     .end = end_peers},
    {"SHOW FDS", NULL, CONSOLE_ADMIN, NULL, .columns = "#fd", .begin = refuse_fds},
    {"SHOW DNS_HOSTS", NULL, CONSOLE_STATS, NULL, .columns = "hostname", .begin = refuse_dns},
    {"SHOW DNS_ZONES", NULL, CONSOLE_STATS, NULL, .columns = "zonename", .begin = refuse_dns},
};

const struct console_table show_config_table = CONSOLE_TABLE(verbs);
