/*
 * config_secret.h - reading files that hold secrets, or that say who may do what.
 *
 * Such a file must belong to us (or the user that `user =` names) or to root, and
 * nobody else may read it (or, if it holds no secret, write it); it is refused otherwise, with the command that puts it
 * right. `$CREDENTIALS_DIRECTORY/name` stands for a credential that systemd passes.
 */
#ifndef GILMOK_PROXY_CONFIG_SECRET_H
#define GILMOK_PROXY_CONFIG_SECRET_H

#include "base/arena.h"
#include "base/writer.h"
#include "proxy/config.h"

/* Where the key stands, for the findings, and who may own the file beside us and root. */
struct config_secret_place {
    const char *key;
    const char *file;
    int line;
    const char *run_as; /* NULL: nobody else */
    bool is_public;     /* it holds no secret: others may read it, but not write */
};

/* The path with $CREDENTIALS_DIRECTORY replaced, in the arena; NULL after an error. */
const char *config_secret_path(const struct config_secret_place *place, const char *path, struct arena *arena,
                               struct config_findings *findings);

/*
 * The whole file into `out`, whose ceiling is the largest size allowed. The caller
 * wipes it. False after an error, which is in the findings.
 */
MUST_USE bool config_secret_read(const struct config_secret_place *place, const char *path, bool is_credential,
                                 struct writer *out, struct config_findings *findings);

#endif
