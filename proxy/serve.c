/*
 * What belongs to the process and not to a worker: privileges, descriptors, the pid
 * file, the log file, signals, the service manager.
 */
#include "proxy/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/admin/console.h"
#include "proxy/control.h"
#include "proxy/net/loop_event.h"

/* Tells systemd, when it asked to be told (sd_notify's protocol: one datagram). */
static void notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof un.sun_path) return;
    memcpy(un.sun_path, path, len);
    if (path[0] == '@') un.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&un,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

enum { FILE_MODE = 0600 }; /* of the files that gilmok makes: nobody else's, whatever the umask is */

static int log_file_fd = -1; /* -1: the log goes to standard error */

/* The log file is opened again with every configuration, so that SIGHUP finishes a log rotation. */
static void apply_to_process(const struct config *c) {
    int fd = STDERR_FILENO;
    if (c->log_file) fd = open(c->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        log_line(LOG_ERROR, "config", NULL, "cannot open log_file %s: %s; the log stays where it is", c->log_file, strerror(errno));
        fd = log_file_fd < 0 ? STDERR_FILENO : log_file_fd;
    }
    log_setup_levels(fd, &c->log_levels, c->log_format);
    if (log_file_fd >= 0 && log_file_fd != fd) close(log_file_fd);
    log_file_fd = fd == STDERR_FILENO ? -1 : fd;
}

/* What PG... says to libpq is not meant for gilmok. Before there are threads. */
static void forget_libpq_environment(void) {
    for (char **at = environ; *at;) {
        char name[64];
        size_t len = strcspn(*at, "=");
        bool is_libpqs = strncmp(*at, "PG", 2) == 0 && len < sizeof name;
        snprintf(name, sizeof name, "%.*s", (int)len, *at);
        if (!is_libpqs || unsetenv(name) != 0) at++;
    }
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool drop_privileges(const struct config *c, struct err *err) {
    if (geteuid() != 0) return true;
    if (!c->run_as) {
        err_set(err, ERR_CONFIG, "gilmok does not run as root");
        err_hint(err, "Set `user = NAME` in [gilmok], or start it as another user.");
        return false;
    }
    struct passwd *pw = getpwnam(c->run_as);
    if (!pw || pw->pw_uid == 0) return err_set(err, ERR_CONFIG, "user \"%s\" does not exist or is root", c->run_as);
    /* Root has opened it; a reload opens it again. A device stays whose it is. */
    struct stat st;
    bool is_file = log_file_fd >= 0 && fstat(log_file_fd, &st) == 0 && S_ISREG(st.st_mode);
    if (is_file && fchown(log_file_fd, pw->pw_uid, pw->pw_gid) != 0)
        log_line(LOG_WARN, "config", NULL, "log_file %s cannot be given to %s: %s", c->log_file, c->run_as, strerror(errno));
    if (setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)
        return err_set(err, ERR_CONFIG, "cannot become user \"%s\": %s", c->run_as, strerror(errno));
    return true;
}

static bool write_pid_file(const struct config *c, struct err *err) {
    if (!c->pid_file) return true;
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
    int fd = open(c->pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    bool ok = fd >= 0 && write(fd, text, (size_t)len) == len;
    if (!ok) err_set(err, ERR_CONFIG, "cannot write pid_file %s: %s", c->pid_file, strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

static void on_signal(int signo, void *ctx) {
    struct control *c = ctx;
    switch (signo) {
    case SIGHUP:
        notify("RELOADING=1");
        control_reload(c);
        notify("READY=1");
        break;
    case SIGTERM:
        notify("STOPPING=1");
        control_drain(c);
        break;
    default:
        notify("STOPPING=1");
        control_stop(c);
    }
}

static struct config *load(const char *path) {
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *c = config_load(path, &findings);
    LIST_EACH(n, &findings.all) {
        struct config_finding *f = CONTAINER_OF(n, struct config_finding, node);
        log_line(f->is_error ? LOG_ERROR : LOG_WARN, "config", NULL, "%s:%d: %s. %s", f->file, f->line, f->message, f->advice);
    }
    config_findings_release(&findings);
    return c;
}

static bool start(struct control *control, struct loop *loop, struct err *err) {
    const struct config *c = control->snapshot->config;
    raise_descriptor_limit();
    if (!control_listen(control, err) || !write_pid_file(c, err) || !drop_privileges(c, err)) return false;
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core file, no debugger: secrets live in this memory */
    signal(SIGPIPE, SIG_IGN);
    return (loop_event_signal(loop, SIGTERM, on_signal, control) && loop_event_signal(loop, SIGINT, on_signal, control) &&
            loop_event_signal(loop, SIGHUP, on_signal, control)) ||
           err_set(err, ERR_INTERNAL, "cannot handle signals");
}

static bool run(struct control *control, struct err *err) {
    log_line(LOG_INFO, "serve", NULL, "gilmok %s is ready (%s, %u worker%s, process %d)", GILMOK_VERSION, control->loop->ops->name,
             control->hub.worker_count, control->hub.worker_count > 1 ? "s" : "", (int)getpid());
    notify("READY=1");
    bool ok = control_run(control, err);
    log_line(LOG_INFO, "serve", NULL, "gilmok stops");
    return ok;
}

/* *ends_at_once: without the libraries' clean-up. */
static int serve(struct config *c, bool *ends_at_once) {
    struct loop loop;
    struct control control;
    struct console console;
    struct err err = {0};
    if (!loop_event_init(&loop, &clock_real, &err)) {
        log_line(LOG_ERROR, "serve", NULL, "%s", err.message);
        config_free(c);
        return 1;
    }
    console_init(&console, &control);
    bool is_up = control_init(&control, &loop, c, &console.ops, apply_to_process, &err) && start(&control, &loop, &err);
    bool ok = is_up && run(&control, &err);
    if (!ok) log_line(LOG_ERROR, "serve", NULL, "cannot start: %s%s%s", err.message, err.hint[0] ? " " : "", err.hint);
    const char *pid_file = is_up ? control.snapshot->config->pid_file : NULL;
    if (pid_file) (void)unlink(pid_file);
    *ends_at_once = !control_release(&control);
    loop_release(&loop);
    return ok ? 0 : 1;
}

int serve_run(const char *path) {
    struct config *c = load(path);
    if (!c) return 1;
    forget_libpq_environment();
    if (!log_start()) log_line(LOG_WARN, "serve", NULL, "the log has no thread of its own: a slow reader of it slows clients down");
    bool ends_at_once = false;
    int status = serve(c, &ends_at_once);
    log_stop();
    if (ends_at_once) _exit(status);
    return status;
}
