/*
 * fuzz_config.c - a configuration file, and behind a NUL the text of users.txt beside it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/config.h"
#include "tests/fuzz/fuzz.h"

static char dir[] = "/tmp/fuzz_config.XXXXXX";
static char config_path[64], users_path[64];

static void remove_files(void) {
    unlink(config_path);
    unlink(users_path);
    rmdir(dir);
}

static void init(void) {
    if (config_path[0]) return;
    PROMISE(mkdtemp(dir));
    snprintf(config_path, sizeof config_path, "%s/gilmok.conf", dir);
    snprintf(users_path, sizeof users_path, "%s/users.txt", dir);
    atexit(remove_files);
}

static void write_file(const char *path, struct bytes text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    PROMISE(fd >= 0);
    PROMISE(text.len == 0 || write(fd, text.ptr, text.len) == (ssize_t)text.len);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    init();
    struct bytes users;
    struct bytes text = fuzz_cut(bytes_of(data, size), &users);
    write_file(config_path, text);
    write_file(users_path, users);
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *c = config_load(config_path, &findings);
    PROMISE((c == NULL) == (findings.errors > 0));
    int errors = 0, warnings = 0;
    LIST_EACH(n, &findings.all) {
        const struct config_finding *f = CONTAINER_OF(n, struct config_finding, node);
        PROMISE(f->message[0] && f->line >= 0);
        errors += f->is_error;
        warnings += !f->is_error;
    }
    PROMISE(errors == findings.errors && warnings == findings.warnings);
    if (c) {
        PROMISE(!list_is_empty(&c->listens));
        config_free(c);
    }
    config_findings_release(&findings);
    return 0;
}
