/*
 * config_check.h - what must fit together between sections, users and files.
 */
#ifndef GILMOK_PROXY_CONFIG_CHECK_H
#define GILMOK_PROXY_CONFIG_CHECK_H

#include "proxy/config_keys.h"
#include "proxy/config_secret.h"

enum {
    CONFIG_PASSWORD_FILE_MAX = 64 << 10,
    CONFIG_SCRAM_USERS_SHOWN = 5,
    CONFIG_AUTH_POOL_SIZE = 2, /* connections of each worker for auth_query, to each cluster */
};

/* Resolves names and secrets inside `g` and reports all that does not fit. */
void config_check(struct config_draft_gilmok *g, struct config_findings *findings);

/* The part of it that config_check_mysql.c does. Databases have their clusters by then. */
void config_check_mysql(struct config_draft_gilmok *g, struct config_findings *findings);

/* The part of it that config_check_auth.c does: how clients log in; and of that the part of config_check_users.c. */
void config_check_logins(struct config_draft_gilmok *g, struct config_findings *findings);
void config_check_users(struct config_draft_gilmok *g, struct config_findings *findings);

/* An address, and no name. */
bool config_check_is_ip(const char *host);

/* ---- config_hba.c ---- */
/* The rules of hba_file, or those that client_auth stands for; needs proxy_protocol_from. */
void config_hba_read(struct config_draft_gilmok *g, struct config_findings *findings);
/* Its clients are on this machine: no proxy passes on to it who is somewhere else. */
bool config_is_socket(const struct config *c, const struct config_listen *l);
/* May a client of this listener be asked by this rule? By any rule of that kind of connection; of any listener: is it used? */
bool config_rule_is_for(const struct config *c, const struct hba_rule *r, const struct config_listen *l);
bool config_rule_is_used(const struct config *c, const struct hba_rule *r);
/* Where it stands. */
struct config_place config_rule_place(const struct config_draft_gilmok *g, const struct hba_rule *r);

struct config_place {
    const char *file;
    int line;
};
/* The key's line, else the section's (which may be NULL), else the file as a whole. */
struct config_place config_place_of(const struct config *c, const struct config_section *s, const char *key);
struct config_secret_place config_secret_place_of(const struct config *c, const struct config_section *s, const char *key);

#endif
