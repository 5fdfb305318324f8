/*
 * config_secret.c - owns the rules for files with secrets; knows nothing of what is in them.
 */
#include "proxy/config_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/config_findings.h"

#define CREDENTIALS "$CREDENTIALS_DIRECTORY"

const char *config_secret_path(const struct config_secret_place *place, const char *path, struct arena *arena,
                               struct config_findings *findings) {
    if (path[0] != '$') return path;
    size_t len = sizeof(CREDENTIALS) - 1;
    if (strncmp(path, CREDENTIALS "/", len + 1) != 0) {
        config_error(findings, place->file, place->line, "`%s` begins with a variable that is not known", place->key);
        config_advice(findings, "Only " CREDENTIALS "/NAME is replaced; write the path itself");
        return NULL;
    }
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir || dir[0] != '/') {
        config_error(findings, place->file, place->line, "`%s` needs a credential of systemd, but none was passed",
                     place->key);
        config_advice(findings, "Write LoadCredential= in the unit, or set CREDENTIALS_DIRECTORY when testing by hand");
        return NULL;
    }
    size_t dir_len = strlen(dir);
    char *full = arena_alloc(arena, dir_len + strlen(path) - len + 1);
    if (!full) return NULL;
    memcpy(full, dir, dir_len);
    memcpy(full + dir_len, path + len, strlen(path) - len + 1);
    return full;
}

static bool is_owner_right(const struct stat *st, const char *run_as) {
    if (st->st_uid == 0 || st->st_uid == geteuid()) return true;
    const struct passwd *pw = run_as ? getpwnam(run_as) : NULL;
    return pw && st->st_uid == pw->pw_uid;
}

static bool check_safety(const struct config_secret_place *place, const char *path, bool is_credential,
                         const struct stat *st, struct config_findings *findings) {
    if (!S_ISREG(st->st_mode)) {
        config_error(findings, place->file, place->line, "`%s`: %s is not a regular file", place->key, path);
        config_advice(findings, place->is_public ? "Name the file itself" : "Name the file that holds the secret");
        return false;
    }
    bool is_safe = true;
    /* systemd lets a unit's user read a credential by an access list, which shows as the group's read bit. */
    mode_t refused = place->is_public ? S_IWOTH | S_IWGRP : is_credential ? S_IRWXO | S_IWGRP : S_IRWXO | S_IRWXG;
    if (st->st_mode & refused && place->is_public) {
        config_error(findings, place->file, place->line, "`%s`: %s says who may log in, but others can write it (mode %04o)",
                     place->key, path, (unsigned)(st->st_mode & 07777));
        config_advice(findings, "Run: chmod go-w %s", path);
        is_safe = false;
    } else if (st->st_mode & refused) {
        bool is_others = (st->st_mode & S_IRWXO) != 0;
        config_error(findings, place->file, place->line, "`%s`: %s holds secrets, but %s can use it (mode %04o)",
                     place->key, path, is_others ? "everybody" : "its group", (unsigned)(st->st_mode & 07777));
        config_advice(findings, "Run: chmod 600 %s", path);
        is_safe = false;
    }
    if (!is_owner_right(st, place->run_as)) {
        config_error(findings, place->file, place->line, "`%s`: %s belongs to another user (uid %u)", place->key, path,
                     (unsigned)st->st_uid);
        config_advice(findings, "Run: chown %s %s", place->run_as ? place->run_as : "root", path);
        is_safe = false;
    }
    return is_safe;
}

static bool read_all(int fd, struct writer *out) {
    for (;;) {
        size_t chunk = 4096;
        if (out->max - out->len < chunk) chunk = out->max - out->len;
        if (chunk == 0) {
            uint8_t more;
            return read(fd, &more, 1) == 0;
        }
        uint8_t *room = writer_reserve(out, chunk);
        ssize_t n = room ? read(fd, room, chunk) : -1;
        if (n < 0 && errno == EINTR && room) continue;
        if (n <= 0) return n == 0;
        out->len += (size_t)n;
    }
}

bool config_secret_read(const struct config_secret_place *place, const char *path, bool is_credential,
                        struct writer *out, struct config_findings *findings) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        config_error(findings, place->file, place->line, "`%s`: %s cannot be read: %s", place->key, path,
                     strerror(errno));
        config_advice(findings, "Check the path; a relative one begins at the folder of this file");
        if (fd >= 0) close(fd);
        return false;
    }
    /* Checked on the open file, so that nobody can put another one in between. */
    bool is_right = check_safety(place, path, is_credential, &st, findings);
    if (is_right && !read_all(fd, out)) {
        config_error(findings, place->file, place->line, "`%s`: %s cannot be read to its end%s", place->key, path,
                     out->failed ? ": memory is out" : "");
        config_advice(findings, "It may hold at most %zu bytes", out->max);
        is_right = false;
    }
    close(fd);
    return is_right;
}
