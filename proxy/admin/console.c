/*
 * Finds the verb, checks the permission, sends the job round. What SHOW shows is in
 * show.c; what the other verbs do, the control thread does.
 */
#include "proxy/admin/console.h"

#include <ctype.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/wire/pg_encode.h"

enum { VERB_MAX = 64, REPLY_MAX = 64 << 20 };

/* One statement. It belongs to the thread that it is at. */
struct job {
    struct mail mail;
    struct control_request request; /* of a verb that the control thread carries out */
    struct console *console;
    struct session *session; /* looked at only at home; NULL: it has left */
    const struct console_verb *verb;
    uint32_t home, visited;
    bool ends_session;
    struct writer out;
    struct map totals;
};

static struct worker *worker_at(const struct job *j, uint32_t number) {
    return control_worker(j->console->control, number);
}

/* ---- the verbs ---- */

static void put_verbs(struct writer *out, const struct console_verb *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct bytes row[] = {bytes_str(list[i].text), bytes_str(list[i].needs == CONSOLE_ADMIN ? "admin" : "stats"),
                              bytes_str(list[i].meaning)};
        pg_put_text_row(out, row, COUNT_OF(row));
    }
}

static void end_help(struct console_call *call);

static const char *const help_columns[] = {"verb", "needs", "meaning"};

static const struct console_verb help_verb = {"SHOW HELP", CONSOLE_STATS, "this list", help_columns, 3, NULL, end_help};

/* Verbs of the control thread. */
static const struct {
    struct console_verb verb;
    enum control_verb request;
    const char *tag;
    bool ends_session;
} control_verbs[] = {
    {{"RELOAD", CONSOLE_ADMIN, "read the configuration again, all or nothing", NULL, 0, NULL, NULL}, CONTROL_RELOAD, "RELOAD", false},
    {{"SHUTDOWN", CONSOLE_ADMIN, "stop now", NULL, 0, NULL, NULL}, CONTROL_STOP, "SHUTDOWN", true},
    {{"SHUTDOWN WAIT_FOR_CLIENTS", CONSOLE_ADMIN, "take no new clients and stop when the last one has left", NULL, 0, NULL, NULL},
     CONTROL_DRAIN, "SHUTDOWN", true},
};

static void end_help(struct console_call *call) {
    put_verbs(call->out, &help_verb, 1);
    put_verbs(call->out, show_verbs, show_verb_count);
    for (size_t i = 0; i < COUNT_OF(control_verbs); i++) put_verbs(call->out, &control_verbs[i].verb, 1);
}

/* The verb; *control_index is its place in control_verbs, or -1. */
static const struct console_verb *find(const char *text, int *control_index) {
    *control_index = -1;
    if (strcmp(help_verb.text, text) == 0) return &help_verb;
    for (size_t i = 0; i < show_verb_count; i++)
        if (strcmp(show_verbs[i].text, text) == 0) return &show_verbs[i];
    for (size_t i = 0; i < COUNT_OF(control_verbs); i++) {
        if (strcmp(control_verbs[i].verb.text, text) != 0) continue;
        *control_index = (int)i;
        return &control_verbs[i].verb;
    }
    return NULL;
}

/* ---- jobs ---- */

static void free_job(struct job *j) {
    struct bytes key;
    void *value;
    size_t at = 0;
    while (map_next(&j->totals, &at, &key, &value)) mem_free(value);
    map_release(&j->totals);
    writer_release(&j->out);
    mem_free(j);
}

/* At home: the client gets what there is. */
static void finish(struct job *j) {
    if (j->session) {
        if (!j->ends_session) pg_put_ready(&j->out, PG_TXN_IDLE);
        if (j->out.failed) session_close(j->session, "the console's answer does not fit into memory");
        else session_console_done(j->session, writer_bytes(&j->out), j->ends_session);
    }
    free_job(j);
}

static void end_show(struct job *j) {
    struct console_call call = {j->console->control, worker_at(j, j->home), &j->out, &j->totals};
    if (j->verb->end) j->verb->end(&call);
    pg_put_command_complete(&j->out, "SHOW");
    finish(j);
}

static void on_mail_home(struct mail *m) {
    end_show(CONTAINER_OF(m, struct job, mail));
}

static void visit(struct job *j, uint32_t number) {
    struct console_call call = {j->console->control, worker_at(j, number), &j->out, &j->totals};
    j->verb->visit(&call);
}

static void on_mail_abroad(struct mail *m);

/* To the next worker, or home. */
static void go_on(struct job *j) {
    uint32_t count = j->console->control->hub.worker_count;
    bool is_round_done = ++j->visited >= count;
    uint32_t next = is_round_done ? j->home : (j->home + j->visited) % count;
    j->mail.run = is_round_done ? on_mail_home : on_mail_abroad;
    loop_post(worker_at(j, next)->loop, &j->mail);
}

static void on_mail_abroad(struct mail *m) {
    struct job *j = CONTAINER_OF(m, struct job, mail);
    visit(j, (j->home + j->visited) % j->console->control->hub.worker_count);
    go_on(j);
}

static void begin_show(struct job *j) {
    pg_put_row_description(&j->out, j->verb->columns, j->verb->column_count);
    if (j->verb->visit) visit(j, j->home);
    if (!j->verb->visit || j->console->control->hub.worker_count == 1) end_show(j);
    else go_on(j);
}

static void on_control_answer(struct control_request *r) {
    struct job *j = CONTAINER_OF(r, struct job, request);
    if (err_is_set(&r->err)) {
        err_hint(&r->err, "Nothing was changed. `gilmok check` prints everything that is wrong.");
        pg_put_error(&j->out, "ERROR", &r->err);
    } else {
        pg_put_command_complete(&j->out, control_verbs[j->visited].tag);
    }
    finish(j);
}

static void begin_control(struct job *j, int index) {
    log_line(LOG_INFO, "console", j->session->user, "%s", j->verb->text);
    j->visited = (uint32_t)index;
    j->ends_session = control_verbs[index].ends_session;
    j->request.verb = control_verbs[index].request;
    j->request.answer_to = worker_at(j, j->home)->loop;
    j->request.on_answer = on_control_answer;
    control_ask(j->console->control, &j->request);
}

/* ---- statements ---- */

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

static enum console_permission permission_of(const struct session *s) {
    return config_name_in_list(s->env->config->admin_users, bytes_str(s->user)) ? CONSOLE_ADMIN : CONSOLE_STATS;
}

static void refuse(struct job *j, const char *text) {
    struct err err = {0};
    if (j->verb) {
        err_set(&err, ERR_INSUFFICIENT_PRIVILEGE, "%s needs a user of admin_users", j->verb->text);
    } else if (text && text[0] == '\0') {
        pg_put_empty_query(&j->out);
        return;
    } else {
        err_set(&err, ERR_SYNTAX, "the console does not know this command");
        err_hint(&err, "SHOW HELP lists all commands.");
    }
    pg_put_error(&j->out, "ERROR", &err);
}

static void run(void *ctx, struct session *s, struct bytes sql) {
    struct console *c = ctx;
    struct job *j = mem_alloc(sizeof *j);
    char text[VERB_MAX];
    int control_index = -1;
    if (!j) {
        session_close(s, "out of memory");
        return;
    }
    *j = (struct job){.console = c, .session = s, .home = s->env->worker};
    writer_init(&j->out, REPLY_MAX);
    map_init(&j->totals);
    s->console_job = j;
    bool fits = normalise(sql, text);
    j->verb = fits ? find(text, &control_index) : NULL;
    if (!j->verb || j->verb->needs > permission_of(s)) {
        refuse(j, fits ? text : NULL);
        finish(j);
    } else if (control_index >= 0) {
        begin_control(j, control_index);
    } else {
        begin_show(j);
    }
}

/* At home, so that nobody looks at the session at this moment. */
static void abandon(void *job) {
    ((struct job *)job)->session = NULL;
}

void console_init(struct console *c, struct control *control) {
    c->control = control;
    c->ops = (struct console_ops){.run = run, .abandon = abandon, .ctx = c};
}
