/*
 * config_keys.h - the table of all keys, and the drafts that sections are read into.
 *
 * One row a key: section, name, type, default as it would stand in the file, bounds,
 * whether a reload can change it, and what it means. Reading, the defaults, the "did
 * you mean", SHOW CONFIG and docs/configuration.md all follow this table.
 *
 * A draft is the public object of config.h and, behind it, the keys that end there
 * only after a check (a cluster's name becomes a pointer, a password file a password).
 * The public object comes first: its address is the draft's.
 */
#ifndef GILMOK_PROXY_CONFIG_KEYS_H
#define GILMOK_PROXY_CONFIG_KEYS_H

#include "base/err.h"
#include "proxy/config.h"
#include "proxy/config_file.h"

enum config_kind { CONFIG_GILMOK, CONFIG_CLUSTER, CONFIG_NODE, CONFIG_DATABASE, CONFIG_USER, CONFIG_PEER, CONFIG_KINDS };

enum config_type {
    KEY_TEXT,     /* const char *; empty = NULL */
    KEY_SECRET,   /* as text, never shown */
    KEY_PATH,     /* const char *; relative paths begin at the file's folder */
    KEY_NAMES,    /* const char *; comma-separated */
    KEY_BOOL,     /* bool */
    KEY_NUMBER,   /* uint32_t */
    KEY_PORT,     /* uint16_t */
    KEY_DURATION, /* uint32_t, milliseconds */
    KEY_SECONDS,  /* uint32_t, whole seconds; bounds in milliseconds */
    KEY_SIZE,     /* uint32_t, bytes */
    KEY_WORD,     /* int or an enum; -1 where the default is "" */
    KEY_ADDRS,    /* const char *; addresses and networks (addr_list.h), empty = NULL */
    KEY_LISTENS,  /* struct list of struct config_listen */
    KEY_LEVELS,   /* struct log_levels; `words` are the areas */
};

enum config_change { CHANGE_BY_RELOAD, CHANGE_BY_RESTART };

struct config_key {
    enum config_kind kind;
    const char *name;
    enum config_type type;
    const char *fallback; /* the default as text; "" = none */
    uint64_t min, max;    /* numbers, durations (ms), sizes (bytes) */
    const char *const *words;
    size_t offset; /* in the draft */
    enum config_change change;
    const char *meaning; /* one line */
};

struct config_draft_gilmok {
    struct config config;
    const struct config_section *section; /* NULL when the file has none */
    int client_auth_socket;               /* enum auth_method; -1: as client_auth */
    const char *proxy_protocol_from;
    int client_tls_cert;                  /* 0 optional, 1 required */
    struct hba hba; /* what `config` points to */
    struct name_maps name_maps;
    struct user_store user_store;
};

struct config_draft_cluster {
    struct config_cluster cluster;
    const struct config_section *section;
    const char *auth_password_file;
    const char *monitor_password_file;
};

struct config_draft_node {
    struct config_node node;
    const struct config_section *section;
};

struct config_draft_database {
    struct config_database database;
    const struct config_section *section;
    const char *cluster;
    const char *server_password_file;
};

struct config_draft_user {
    struct config_user user;
    const struct config_section *section;
};

struct config_draft_peer {
    struct config_peer peer;
    const struct config_section *section;
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;

const char *config_kind_header(enum config_kind kind); /* "[database NAME]" */
MUST_USE bool config_kind_find(const char *name, enum config_kind *out);

const struct config_key *config_key_find(enum config_kind kind, const char *name);
/* The nearest name by edit distance, or NULL when none is near. */
const char *config_kind_nearest(const char *name);
const char *config_key_nearest(enum config_kind kind, const char *name);

/* Puts the value into the draft. `file` is where it stands (NULL: a default). */
MUST_USE bool config_key_set(const struct config_key *key, void *draft, const char *text, const char *file,
                             struct arena *arena, struct err *err);
/* The value as it would stand in the file; secrets as "***" or "". */
void config_key_text(const struct config_key *key, const void *draft, char *out, size_t size);

/*
 * Every key of every section that the configuration has, in file order of the sections
 * within their kind. `section` is "gilmok", "database shop", ...; the strings live for
 * the call. Only for a configuration that config_load() gave.
 */
typedef void config_keys_fn(void *ctx, const char *section, const struct config_key *key, const char *value);
void config_keys_each(const struct config *c, config_keys_fn *each, void *ctx);

#endif
