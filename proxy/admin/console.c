/*
 * Finds the command, checks the permission, sends the job round. What commands show and
 * do is in the files of the tables.
 */
#include "proxy/admin/console.h"

#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/admin/node_order.h"
#include "proxy/wire/pg_encode.h"

enum { REPLY_MAX = 64 << 20, TAG_WORD_MAX = 32 };

/* One statement. It belongs to the thread that it is at. */
struct job {
    struct mail mail;
    struct node_order order;
    struct control_request request; /* of a command that the control thread carries out */
    struct console *console;
    struct session *session; /* looked at only at home; NULL: it has left */
    uint64_t asker, newest;
    const struct console_verb *verb;
    char argument[WORD_SIZE];
    struct words words;
    int used; /* of them by the command itself */
    uint32_t home, visited, round;
    struct timer again;
    bool has_timer;
    bool is_resting; /* at home, until `again` fires */
    bool is_pending; /* on a worker of this round */
    bool is_canceled;
    struct writer out;
    struct map totals;
    struct err err;
};

static struct worker *worker_at(const struct job *j, uint32_t number) {
    return control_worker(j->console->control, number);
}

/* ---- the commands ---- */

static void end_help(struct console_call *call);

static const struct console_verb help_verbs[] = {
    {"SHOW HELP", NULL, CONSOLE_STATS, "this list", .columns = "verb needs meaning", .end = end_help},
};

static const struct console_table help_table = CONSOLE_TABLE(help_verbs);

static const struct console_table *const tables[] = {&help_table,        &show_pools_table,  &show_clients_table, &show_stats_table,
                                                     &show_config_table, &show_hba_table,    &show_memory_table,  &show_nodes_table,
                                                     &show_routes_table, &node_verbs_table,  &verbs_table,       &prelude_table};

static void end_help(struct console_call *call) {
    for (size_t t = 0; t < COUNT_OF(tables); t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct console_verb *v = &tables[t]->verbs[i];
            char text[128];
            if (!v->meaning) continue;
            struct row r = console_row(call);
            snprintf(text, sizeof text, "%s%s%s", v->text, v->argument ? " " : "", v->argument ? v->argument : "");
            row_text(&r, text);
            row_text(&r, v->needs == CONSOLE_ADMIN ? "admin" : "stats");
            row_text(&r, v->meaning);
            row_end(&r);
        }
    }
}

/* True when the statement is this command, of so many words; its argument, or "", goes into `argument`. */
static bool is_verb(const struct console_verb *v, const struct words *w, char argument[WORD_SIZE], int *count) {
    int used;
    if (!words_begin_with(w, v->text, &used)) return false;
    int left = w->count - used;
    *count = used;
    argument[0] = '\0';
    if (v->is_node_order) {
        if (left) snprintf(argument, WORD_SIZE, "%s", w->text[used]);
        return left && !w->is_cut; /* RESUME node is about a database */
    }
    if (v->argument && strcmp(v->argument, "...") == 0) {
        if (left) snprintf(argument, WORD_SIZE, "%s", w->text[used]);
        return true;
    }
    if (w->is_cut || left > (v->argument != NULL) || (left == 0 && v->argument && v->argument[0] != '[')) return false;
    if (left) snprintf(argument, WORD_SIZE, "%s", w->text[used]);
    return left == 0 || argument[0];
}

static const struct console_verb *find(const struct words *w, char argument[WORD_SIZE], int *used, bool *is_empty) {
    *is_empty = w->count == 0 && !w->is_cut;
    for (size_t t = 0; t < COUNT_OF(tables); t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            if (is_verb(&tables[t]->verbs[i], w, argument, used)) return &tables[t]->verbs[i];
    return NULL;
}

/* "SHOW", "PAUSE": the command's first word. */
static void put_tag(struct writer *out, const struct console_verb *v) {
    char word[TAG_WORD_MAX];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(v->text, " "), v->text);
    pg_put_command_complete(out, word);
}

/* ---- jobs ---- */

static void free_job(struct job *j) {
    struct bytes key;
    void *value;
    size_t at = 0;
    if (j->has_timer) timer_release(&j->again);
    while (map_next(&j->totals, &at, &key, &value)) mem_free(value);
    map_release(&j->totals);
    writer_release(&j->out);
    writer_release(&j->request.changes);
    mem_free(j);
}

/* At home: the client gets what there is. */
static void finish(struct job *j) {
    struct session *s = j->session;
    if (err_is_set(&j->err)) {
        writer_reset(&j->out);
        pg_put_error(&j->out, "ERROR", &j->err);
    }
    if (s && j->out.failed) session_close(s, "the console's answer does not fit into memory");
    else if (s) session_console_done(s, &j->out, j->verb && j->verb->ends_session && !err_is_set(&j->err));
    free_job(j);
}

static struct console_call call_at(struct job *j, uint32_t number) {
    return (struct console_call){.control = j->console->control, .worker = worker_at(j, number), .verb = j->verb,
                                 .argument = j->argument, .asker = j->asker, .newest = j->newest, .round = j->round, .out = &j->out,
                                 .totals = &j->totals, .err = &j->err};
}

static void end(struct job *j) {
    struct console_call call = call_at(j, j->home);
    if (j->verb->value) {
        struct row r = console_row(&call);
        row_text(&r, j->verb->value);
        row_end(&r);
    }
    if (j->verb->end) j->verb->end(&call);
    put_tag(&j->out, j->verb);
    finish(j);
}

static void begin_round(struct job *j);

static void on_again(struct timer *t) {
    struct job *j = CONTAINER_OF(t, struct job, again);
    j->is_resting = false;
    j->round++;
    begin_round(j);
}

static void rest(struct job *j) {
    if (!j->has_timer) j->has_timer = timer_init(&j->again, worker_at(j, j->home)->loop, on_again);
    if (!j->has_timer) {
        err_set(&j->err, ERR_OUT_OF_MEMORY, "out of memory");
        finish(j);
        return;
    }
    j->is_resting = true;
    timer_set(&j->again, CONSOLE_ROUND_MS);
}

static void end_waiting(struct job *j) {
    err_set(&j->err, ERR_QUERY_CANCELED, "canceling statement due to user request");
    err_hint(&j->err, "Only the waiting has ended: what the command has begun stays. RESUME undoes PAUSE and SUSPEND.");
    finish(j);
}

static void end_round(struct job *j) {
    if (!j->session) free_job(j);
    else if (err_is_set(&j->err)) finish(j);
    else if (j->is_pending && j->is_canceled) end_waiting(j);
    else if (j->is_pending) rest(j);
    else end(j);
}

static void on_mail_home(struct mail *m) {
    end_round(CONTAINER_OF(m, struct job, mail));
}

static void visit(struct job *j, uint32_t number) {
    struct console_call call = call_at(j, number);
    j->verb->visit(&call);
    j->is_pending |= call.is_pending;
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

static void begin_round(struct job *j) {
    j->visited = 0;
    j->is_pending = false;
    if (j->verb->visit) visit(j, j->home);
    if (!j->verb->visit || j->console->control->hub.worker_count == 1) end_round(j);
    else go_on(j);
}

static void log_command(const struct job *j) {
    if (j->verb->needs != CONSOLE_ADMIN) return;
    log_line(LOG_INFO, "console", j->session->user, "%s%s%.100s", j->verb->text, j->argument[0] ? " " : "", j->argument);
}

static void begin(struct job *j) {
    struct console_call call = call_at(j, j->home);
    log_command(j);
    if (j->verb->columns) rows_describe(&j->out, j->verb->columns);
    if (j->verb->begin) j->verb->begin(&call);
    if (err_is_set(&j->err)) finish(j);
    else begin_round(j);
}

/* ---- commands of the control thread ---- */

/* One notice a line. */
static void put_notices(struct writer *out, struct bytes lines) {
    while (lines.len) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.ptr) : lines.len;
        char text[ERR_MESSAGE_MAX];
        snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1), (const char *)lines.ptr);
        pg_put_notice(out, text);
        lines = bytes_of(lines.ptr + len + (end != NULL), lines.len - len - (end != NULL));
    }
}

static void on_control_answer(struct control_request *r) {
    struct job *j = CONTAINER_OF(r, struct job, request);
    if (err_is_set(&r->err)) {
        j->err = r->err;
        if (r->verb == CONTROL_RELOAD) err_hint(&j->err, "Nothing was changed. `gilmok check` prints everything that is wrong.");
    } else {
        put_notices(&j->out, writer_bytes(&r->changes));
        put_tag(&j->out, j->verb);
    }
    finish(j);
}

static void begin_control(struct job *j) {
    bool is_order = j->verb->is_node_order;
    log_command(j);
    if (is_order && !node_order_parse(&j->order, j->verb->node_verb, &j->words, j->used, &j->err)) {
        finish(j);
        return;
    }
    snprintf(j->order.by, sizeof j->order.by, "%.63s", j->session->user);
    j->request.verb = j->verb->control;
    j->request.orders = &j->order;
    j->request.order_count = is_order;
    j->request.answer_to = worker_at(j, j->home)->loop;
    j->request.on_answer = on_control_answer;
    control_ask(j->console->control, &j->request);
}

/* ---- statements ---- */

/* Asked for every statement: a reload may have taken it away. */
static enum console_permission permission_of(const struct session *s) {
    const struct config *c = s->env->config;
    struct bytes user = bytes_str(s->user);
    if (config_name_in_list(c->admin_users, user)) return CONSOLE_ADMIN;
    return config_name_in_list(c->stats_users, user) ? CONSOLE_STATS : CONSOLE_NOBODY;
}

static bool may_run(const struct session *s, const struct console_verb *v, struct err *err) {
    enum console_permission has = permission_of(s);
    if (v && has >= v->needs) return true;
    if (has == CONSOLE_NOBODY) {
        return err_set(err, ERR_INSUFFICIENT_PRIVILEGE, "user \"%s\" is in neither admin_users nor stats_users", s->user);
    } else if (v) {
        return err_set(err, ERR_INSUFFICIENT_PRIVILEGE, "%s needs a user of admin_users", v->text);
    }
    err_set(err, ERR_SYNTAX, "the console does not know this command");
    err_hint(err, "SHOW HELP lists all commands.");
    return false;
}

static bool describe(void *ctx, struct session *s, struct bytes sql, struct writer *out, struct err *err) {
    char argument[WORD_SIZE];
    bool is_empty;
    int used;
    struct words w;
    words_split(&w, sql);
    const struct console_verb *v = find(&w, argument, &used, &is_empty);
    (void)ctx;
    if (is_empty) return true;
    if (!may_run(s, v, err)) return false;
    if (v->columns) rows_describe(out, v->columns);
    return true;
}

static void run(void *ctx, struct session *s, struct bytes sql) {
    struct console *c = ctx;
    struct job *j = mem_alloc(sizeof *j);
    bool is_empty;
    if (!j) {
        session_close(s, "out of memory");
        return;
    }
    *j = (struct job){.console = c, .session = s, .asker = s->id, .home = s->env->worker};
    j->newest = atomic_load_explicit(&s->env->hub->last_id, memory_order_relaxed);
    writer_init(&j->out, REPLY_MAX);
    writer_init(&j->request.changes, CONTROL_CHANGES_MAX);
    map_init(&j->totals);
    s->console_job = j;
    words_split(&j->words, sql);
    j->verb = find(&j->words, j->argument, &j->used, &is_empty);
    if (is_empty) pg_put_empty_query(&j->out);
    if (is_empty || !may_run(s, j->verb, &j->err)) {
        j->verb = NULL;
        finish(j);
    } else if (j->verb->control) {
        begin_control(j);
    } else {
        begin(j);
    }
}

/* At home, as the next one. */
static void cancel(void *job) {
    struct job *j = job;
    j->is_canceled = true;
    if (!j->is_resting) return;
    timer_stop(&j->again);
    j->is_resting = false;
    end_waiting(j);
}

/* Nobody looks at the session at this moment. */
static void abandon(void *job) {
    struct job *j = job;
    j->session = NULL;
    if (j->is_resting) free_job(j);
}

void console_init(struct console *c, struct control *control) {
    c->control = control;
    c->ops = (struct console_ops){.describe = describe, .run = run, .cancel = cancel, .abandon = abandon, .ctx = c};
}
