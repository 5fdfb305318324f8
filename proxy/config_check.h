/*
 * config_check.h - what must fit together between sections, users and files.
 */
#ifndef GILMOK_PROXY_CONFIG_CHECK_H
#define GILMOK_PROXY_CONFIG_CHECK_H

#include "proxy/config_keys.h"
#include "proxy/config_secret.h"

enum { CONFIG_PASSWORD_FILE_MAX = 64 << 10, CONFIG_SCRAM_USERS_SHOWN = 5 };

/* Resolves names and secrets inside `g` and reports all that does not fit. */
void config_check(struct config_draft_gilmok *g, struct config_findings *findings);

/* The part of it that config_check_auth.c does. */
void config_check_logins(struct config_draft_gilmok *g, struct config_findings *findings);

struct config_place {
    const char *file;
    int line;
};
/* The key's line, else the section's (which may be NULL), else the file as a whole. */
struct config_place config_place_of(const struct config *c, const struct config_section *s, const char *key);
struct config_secret_place config_secret_place_of(const struct config *c, const struct config_section *s, const char *key);

#endif
