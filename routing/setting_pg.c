/*
 * Names count whatever their letters' case.
 */
#include "routing/setting_pg.h"

#include <strings.h>

static bool is_one_of(struct bytes name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (name.len == strlen(names[i]) && strncasecmp((const char *)name.ptr, names[i], name.len) == 0) return true;
    return false;
}

/* Shown to superusers only, although others may be granted to set them. */
static bool is_hidden(struct bytes name) {
    static const char *const names[] = {"dynamic_library_path", "extension_control_path", "extension_destdir",
                                        "session_preload_libraries"};
    return is_one_of(name, names, COUNT_OF(names));
}

/* With a dot it is one that no library has defined, or may be. */
bool setting_pg_is_unlisted(struct bytes name) {
    return name.len && (memchr(name.ptr, '.', name.len) || is_hidden(name));
}

/* Since version 9.0; newer servers report more. */
bool setting_pg_is_reported(struct bytes name) {
    static const char *const names[] = {"application_name", "client_encoding", "DateStyle", "IntervalStyle",
                                        "standard_conforming_strings", "TimeZone"};
    return is_one_of(name, names, COUNT_OF(names));
}
