/*
 * Asks the system for a user's name; keeps nothing.
 */
#include "proxy/auth/peer_user.h"

#include <pwd.h>

enum {
    ENTRY_MAX = 8192,       /* bytes of one user's entry */
    OVERFLOW_UID = 65534,   /* how the kernel shows users of another user namespace */
};

bool peer_user_name(uint32_t uid, char out[USER_NAME_MAX + 1]) {
    struct passwd entry, *found = NULL;
    char storage[ENTRY_MAX];
    if (uid == OVERFLOW_UID || getpwuid_r(uid, &entry, storage, sizeof storage, &found) != 0 || !found) return false;
    size_t len = strlen(entry.pw_name);
    if (len == 0 || len > USER_NAME_MAX) return false;
    memcpy(out, entry.pw_name, len + 1);
    return true;
}
