/*
 * Finds the verb, checks the permission, runs it. What SHOW shows is in show.c.
 */
#include "proxy/admin/console.h"

#include <ctype.h>
#include <string.h>

#include "base/log.h"
#include "proxy/wire/pg_encode.h"

enum { VERB_MAX = 64 };

static void run_reload(struct console_call *call) {
    struct err err = {0};
    if (worker_reload(call->worker, &err)) {
        pg_put_command_complete(call->out, "RELOAD");
        return;
    }
    err_hint(&err, "Nothing was changed. `gilmok check` prints everything that is wrong.");
    pg_put_error(call->out, "ERROR", &err);
}

static void run_shutdown(struct console_call *call) {
    pg_put_command_complete(call->out, "SHUTDOWN");
    call->ends_session = true;
    worker_stop(call->worker);
}

static void run_drain(struct console_call *call) {
    pg_put_command_complete(call->out, "SHUTDOWN");
    call->ends_session = true;
    worker_drain(call->worker);
}

static void run_help(struct console_call *call);

static const struct console_verb verbs[] = {
    {"SHOW HELP", CONSOLE_STATS, "this list", run_help},
    {"RELOAD", CONSOLE_ADMIN, "read the configuration again, all or nothing", run_reload},
    {"SHUTDOWN", CONSOLE_ADMIN, "stop now", run_shutdown},
    {"SHUTDOWN WAIT_FOR_CLIENTS", CONSOLE_ADMIN, "take no new clients and stop when the last one has left", run_drain},
};

static void put_verbs(struct writer *out, const struct console_verb *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct bytes row[] = {bytes_str(list[i].text), bytes_str(list[i].needs == CONSOLE_ADMIN ? "admin" : "stats"),
                              bytes_str(list[i].meaning)};
        pg_put_text_row(out, row, COUNT_OF(row));
    }
}

static void run_help(struct console_call *call) {
    static const char *const columns[] = {"verb", "needs", "meaning"};
    pg_put_row_description(call->out, columns, COUNT_OF(columns));
    put_verbs(call->out, show_verbs, show_verb_count);
    put_verbs(call->out, verbs, COUNT_OF(verbs));
    pg_put_command_complete(call->out, "SHOW");
}

/* Upper-case words separated by single spaces, without semicolons at the end. False: too long to be a verb. */
static bool normalise(struct bytes sql, char out[VERB_MAX]) {
    size_t len = 0;
    for (size_t i = 0; i < sql.len; i++) {
        char c = (char)toupper(sql.ptr[i]);
        if (isspace((unsigned char)c)) c = ' ';
        if (c == ' ' && (len == 0 || out[len - 1] == ' ')) continue;
        if (len == VERB_MAX - 1) return false;
        out[len++] = c;
    }
    while (len && (out[len - 1] == ';' || out[len - 1] == ' ')) len--;
    out[len] = '\0';
    return true;
}

static const struct console_verb *find(const char *text) {
    for (size_t i = 0; i < show_verb_count; i++)
        if (strcmp(show_verbs[i].text, text) == 0) return &show_verbs[i];
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].text, text) == 0) return &verbs[i];
    return NULL;
}

static enum console_permission permission_of(const struct session *s) {
    return config_name_in_list(s->env->config->admin_users, bytes_str(s->user)) ? CONSOLE_ADMIN : CONSOLE_STATS;
}

static bool run(void *ctx, struct session *s, struct bytes sql, struct writer *out) {
    struct console *c = ctx;
    struct console_call call = {.worker = c->worker, .session = s, .out = out};
    char text[VERB_MAX];
    struct err err;
    bool fits = normalise(sql, text);
    const struct console_verb *verb = fits ? find(text) : NULL;
    if (verb && verb->needs <= permission_of(s)) {
        if (verb->needs == CONSOLE_ADMIN) log_line(LOG_INFO, "console", s->user, "%s", verb->text);
        verb->run(&call);
    } else if (verb) {
        err_set(&err, ERR_INSUFFICIENT_PRIVILEGE, "%s needs a user of admin_users", verb->text);
        pg_put_error(out, "ERROR", &err);
    } else if (fits && text[0] == '\0') {
        pg_put_empty_query(out);
    } else {
        err_set(&err, ERR_SYNTAX, "the console does not know this command");
        err_hint(&err, "SHOW HELP lists all commands.");
        pg_put_error(out, "ERROR", &err);
    }
    if (!call.ends_session) pg_put_ready(out, PG_TXN_IDLE);
    return !call.ends_session;
}

void console_init(struct console *c, struct worker *w) {
    c->worker = w;
    c->ops = (struct console_ops){.run = run, .ctx = c};
}
