/*
 * Counts what the C library would make of an expression before it does. Whether the expression is right is not judged here.
 */
#include "proxy/access/rule_regex.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* "[...]": where it ends, or the end of the text. */
static const char *skip_set(const char *p) {
    p += p[1] == '^' ? 2 : 1;
    if (*p == ']') p++;
    while (*p && *p != ']') {
        const char *end = NULL;
        char close[] = {p[1], ']', '\0'};
        if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) end = strstr(p + 2, close);
        p = end ? end + 2 : p + 1;
    }
    return *p ? p : p - 1;
}

/* "+" or "{n}", "{n,}", "{n,m}": how many copies there are at most. */
static unsigned long copies(const char *p) {
    char *end;
    if (*p != '{') return 2; /* "*" and "?" are not copied, but one behind the other they double the time */
    unsigned long n = strtoul(p + 1, &end, 10);
    unsigned long m = *end == ',' && isdigit((unsigned char)end[1]) ? strtoul(end + 1, NULL, 10) : 0;
    if (m > n) n = m;
    return n > RULE_REGEX_MAX ? RULE_REGEX_MAX : n + 1;
}

static bool is_small(const char *p) {
    unsigned long sizes[RULE_REGEX_DEPTH_MAX] = {0}, last = 0; /* of the groups that are open; of what a "+" would copy */
    unsigned depth = 0;
    for (; *p; p++) {
        unsigned long before = last;
        if (*p == '(') {
            if (++depth == RULE_REGEX_DEPTH_MAX) return false;
            sizes[depth] = last = 0;
            continue;
        }
        if (*p == ')' && depth) {
            last = 1 + sizes[depth--];
            before = 0;
        } else if (strchr("+*?{", *p)) {
            last *= copies(p);
        } else {
            if (*p == '\\' && p[1]) p++;
            else if (*p == '[') p = skip_set(p);
            last = 1;
            before = 0;
        }
        sizes[depth] += last - before;
        if (sizes[depth] > RULE_REGEX_MAX || last > RULE_REGEX_MAX) return false;
    }
    return true;
}

int rule_regex_compile(regex_t *out, const char *text, int flags) {
    return is_small(text) ? regcomp(out, text, REG_EXTENDED | flags) : REG_ESPACE;
}
