/*
 * name_map.h - which database user a name from outside (a system user, a certificate's name) may be: as in pg_ident.conf.
 *
 *     # MAP   SYSTEM-USERNAME            DATABASE-USERNAME
 *     ops     alice                      admin
 *     ops     "/^(.*)@example\.com$"     \1
 *     ops     root                       all
 *
 * A system name that begins with a slash is a regular expression; \1 in the database name then stands for what its first
 * parentheses have found. A database name may be `all` (unquoted) or a regular expression. Any line that fits is enough.
 *
 * Without a map a name may be the user of the same name, and no other. Read once, never changed after that.
 */
#ifndef GILMOK_PROXY_ACCESS_NAME_MAP_H
#define GILMOK_PROXY_ACCESS_NAME_MAP_H

#include "proxy/access/hba.h"

enum name_map_user { NAME_MAP_LITERAL, NAME_MAP_ALL, NAME_MAP_REGEX };

struct name_map_line {
    struct list node; /* in name_maps.lines */
    int line;
    const char *map;
    const char *system; /* without the slash of an expression */
    bool is_system_regex;
    regex_t system_regex;
    enum name_map_user kind;
    const char *user;
    regex_t user_regex;
};

struct name_maps {
    struct list lines; /* struct name_map_line, in their order */
};

void name_maps_init(struct name_maps *m);
void name_maps_release(struct name_maps *m); /* the expressions; the rest is the arena's */

/* Appends the lines of a text; as hba_parse(). */
MUST_USE bool name_maps_parse(struct name_maps *m, struct arena *a, const char *file, struct bytes text,
                              const struct hba_files *files);

bool name_maps_has(const struct name_maps *m, const char *map);

/* May `name` be the database user `user`? `map` may be NULL. An empty name is nobody's. */
bool name_maps_allow(const struct name_maps *m, const char *map, const char *name, const char *user);

#endif
