/*
 * config_check.h - what must fit together between sections, users and files.
 */
#ifndef GILMOK_PROXY_CONFIG_CHECK_H
#define GILMOK_PROXY_CONFIG_CHECK_H

#include "proxy/config_keys.h"

enum { CONFIG_PASSWORD_FILE_MAX = 64 << 10, CONFIG_SCRAM_USERS_SHOWN = 5 };

/* Resolves names and secrets inside `g` and reports all that does not fit. */
void config_check(struct config_draft_gilmok *g, struct config_findings *findings);

#endif
