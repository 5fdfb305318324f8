/*
 * rule_regex.h - regular expressions of rules, of a bounded size.
 *
 * The C library copies what a "+" or a "{n}" stands behind, so that "a++++..." and "((a{99}){99}){99}" take all the memory there
 * is.
 */
#ifndef GILMOK_PROXY_ACCESS_RULE_REGEX_H
#define GILMOK_PROXY_ACCESS_RULE_REGEX_H

#include <regex.h>

enum { RULE_REGEX_MAX = 1000 /* single characters, with all copies */, RULE_REGEX_DEPTH_MAX = 16 };

/* As regcomp() with REG_EXTENDED and these flags; REG_ESPACE also for what is larger. */
int rule_regex_compile(regex_t *out, const char *text, int flags);

#endif
