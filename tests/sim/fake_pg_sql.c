/*
 * What the fake server's statements do: rows, settings, transactions, COPY.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "tests/sim/fake_pg_conn.h"

#define LOOK "CASE WHEN l.setting " /* how state_pg_put_look() begins */
#define CATALOG "BEGIN ISOLATION LEVEL REPEATABLE READ" /* how catalog_pg_put_query() and known_pg_put_query() begin */
#define FACTS CATALOG " READ ONLY;SET LOCAL client_encoding" /* the latter alone */
#define AUTHID "rolname, rolpassword" /* how LOOKUP_PG_QUERY goes on */
#define SET_CONFIG "pg_catalog.set_config"

enum outcome { RAN, FAILED, WAITS, GONE };

/* ---- settings ---- */

void fake_settings_init(struct fake_conn *c) {
    static const struct fake_setting all[] = {
        {"server_version", "15.0", "15.0", true}, {"client_encoding", "UTF8", "UTF8", true},
        {"TimeZone", "UTC", "UTC", true},         {"DateStyle", "ISO, MDY", "ISO, MDY", true},
        {"application_name", "", "", true},       {"search_path", "public", "public", false},
        {"work_mem", "4MB", "4MB", false},
    };
    memcpy(c->settings, all, sizeof all);
    c->setting_count = COUNT_OF(all);
}

static struct fake_setting *find_setting(struct fake_conn *c, struct bytes name) {
    for (int i = 0; i < c->setting_count; i++)
        if (strlen(c->settings[i].name) == name.len && strncasecmp(c->settings[i].name, (const char *)name.ptr, name.len) == 0)
            return &c->settings[i];
    return NULL;
}

bool fake_setting_start(struct fake_conn *c, struct bytes name, struct bytes value) {
    struct fake_setting *s = find_setting(c, name);
    if (!s) return false;
    snprintf(s->value, sizeof s->value, "%.*s", (int)value.len, (const char *)value.ptr);
    memcpy(s->start, s->value, sizeof s->start);
    return true;
}

static void report(struct fake_conn *c, const struct fake_setting *s) {
    if (s->is_reported) pg_put_parameter_status(&c->out, bytes_str(s->name), bytes_str(s->value));
}

void fake_settings_report(struct fake_conn *c) {
    for (int i = 0; i < c->setting_count; i++) report(c, &c->settings[i]);
}

static void set_value(struct fake_conn *c, struct fake_setting *s, const char *value) {
    bool is_new = strcmp(s->value, value) != 0;
    char copy[sizeof s->value];
    snprintf(copy, sizeof copy, "%s", value);
    memcpy(s->value, copy, sizeof copy);
    if (is_new) report(c, s);
}

static void reset_all(struct fake_conn *c) {
    for (int i = 0; i < c->setting_count; i++) set_value(c, &c->settings[i], c->settings[i].start);
}

/* ---- who wrote it ---- */

void fake_check_owner(struct fake_conn *c, struct bytes sql) {
    const char *app = find_setting(c, bytes_str("application_name"))->value;
    if (!c->pg->checks_owner || !app[0] || strcmp(app, FAKE_ONE_APP) == 0) return;
    for (size_t i = 1; i + 1 < sql.len; i++) {
        bool is_mark = sql.ptr[i] == 'c' && isdigit(sql.ptr[i + 1]) && (sql.ptr[i - 1] == ' ' || sql.ptr[i - 1] == '\'');
        if (!is_mark) continue;
        size_t len = 1;
        while (i + len < sql.len && isdigit(sql.ptr[i + len])) len++;
        if (!bytes_is(bytes_of(sql.ptr + i, len), app))
            fake_complain(c, "runs \"%.*s\" for client %s", (int)(sql.len < 80 ? sql.len : 80), (const char *)sql.ptr, app);
        return;
    }
}

void fake_check_style(struct fake_conn *c, struct bytes sql) {
    const char *style = find_setting(c, bytes_str("DateStyle"))->value;
    const char *mark = memmem(sql.ptr, sql.len, FAKE_STYLE_MARK, sizeof FAKE_STYLE_MARK - 1);
    if (mark && strcmp(mark + sizeof FAKE_STYLE_MARK - 1, style) != 0)
        fake_complain(c, "parses \"%s\" under DateStyle %s", (const char *)sql.ptr, style);
}

struct fake_statement *fake_find_statement(struct fake_conn *c, struct bytes name) {
    for (int i = 0; i < c->statement_count; i++)
        if (bytes_is(name, c->statements[i].name)) return &c->statements[i];
    return NULL;
}

struct fake_portal *fake_find_portal(struct fake_conn *c, struct bytes name) {
    for (int i = 0; i < c->portal_count; i++)
        if (bytes_is(name, c->portals[i].name)) return &c->portals[i];
    return NULL;
}

/* ---- rows ---- */

bool fake_returns_rows(const char *sql) {
    return strncasecmp(sql, "select", 6) == 0 || strncasecmp(sql, "rows", 4) == 0 || strncasecmp(sql, "show", 4) == 0 ||
           strncasecmp(sql, "sleep", 5) == 0;
}

void fake_put_description(struct fake_conn *c) {
    static const char *const names[] = {"text", "connection"};
    pg_put_row_description(&c->out, names, COUNT_OF(names));
}

static void put_row(struct fake_conn *c, const char *text, size_t len) {
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%u", c->pid);
    struct bytes values[] = {bytes_of(text, len), bytes_of(pid, (size_t)n)};
    pg_put_text_row(&c->out, values, 2);
}

static void complete(struct fake_conn *c, const char *tag, uint32_t n) {
    char text[40];
    snprintf(text, sizeof text, "%s %u", tag, n);
    pg_put_command_complete(&c->out, text);
}

/* What a statement is run with. */
struct run {
    struct fake_portal *portal; /* NULL: simple */
    uint32_t limit;             /* rows; 0: all */
};

static enum outcome fail(struct fake_conn *c, const struct run *run, const char *sqlstate, const char *message) {
    if (run->portal) {
        fake_extended_error(c, sqlstate, message);
    } else {
        fake_error(c, "ERROR", sqlstate, message);
        if (c->txn == PG_TXN_OPEN) c->txn = PG_TXN_FAILED;
    }
    return FAILED;
}

static void describe(struct fake_conn *c, const struct run *run) {
    if (!run->portal) fake_put_description(c);
}

static enum outcome one_row(struct fake_conn *c, const struct run *run, const char *text, size_t len, const char *tag) {
    describe(c, run);
    put_row(c, text, len);
    pg_put_command_complete(&c->out, tag);
    return RAN;
}

/*   pg_catalog.set_config('name','value',true) , ...        as gilmok puts them around a Parse; false: before a request */
static enum outcome do_set_config(struct fake_conn *c, const struct run *run, const char *arg) {
    char name[64], value[64], is_local[8];
    int used = 0;
    while (sscanf(arg, SET_CONFIG "('%63[^']','%63[^']',%7[a-z])%n", name, value, is_local, &used) == 3 && used) {
        struct fake_setting *s = find_setting(c, bytes_str(name));
        if (!s) return fail(c, run, "42704", "unrecognized configuration parameter");
        set_value(c, s, value);
        arg += used + (arg[used] == ',');
        used = 0;
    }
    return *arg ? fail(c, run, ERR_SYNTAX, "set_config of what?") : one_row(c, run, "", 0, "SELECT 1");
}

/* gilmok looks at what is in the session: who one is, and what was set. */
static enum outcome do_look(struct fake_conn *c, const struct run *run) {
    struct bytes values[] = {bytes_str("role"), bytes_str("none")};
    describe(c, run);
    pg_put_text_row(&c->out, values, 2);
    for (int i = 0; i < c->setting_count; i++) {
        const struct fake_setting *s = &c->settings[i];
        if (strcmp(s->value, s->start) == 0) continue;
        values[0] = bytes_str(s->name);
        values[1] = bytes_str(s->value);
        pg_put_text_row(&c->out, values, 2);
    }
    pg_put_command_complete(&c->out, "SELECT 1");
    return RAN;
}

/* Who asks has a login of its own, and an empty search_path. */
static enum outcome do_authid(struct fake_conn *c, const struct run *run) {
    struct fake_pg *pg = c->pg;
    int at = 0;
    pg->lookups++;
    if (strcmp(c->user, "asker") != 0) fake_complain(c, "user %s reads pg_authid", c->user);
    if (find_setting(c, bytes_str("search_path"))->value[0]) fake_complain(c, "pg_authid is read with a search_path");
    if (!run->portal || !run->portal->has_value) return fail(c, run, ERR_SYNTAX, "there is no parameter $1");
    while (at < pg->user_count && strcmp(pg->users[at].name, run->portal->value) != 0) at++;
    if (at < pg->user_count) {
        struct bytes values[] = {bytes_str(pg->users[at].name), bytes_str(pg->users[at].secret), bytes_str("t")};
        pg_put_text_row(&c->out, values, COUNT_OF(values));
    }
    complete(c, "SELECT", at < pg->user_count);
    return RAN;
}

static enum outcome do_select(struct fake_conn *c, const struct run *run, const char *arg) {
    char text[FAKE_SQL_MAX + 128];
    if (strncmp(arg, LOOK, sizeof LOOK - 1) == 0) return do_look(c, run);
    if (strncmp(arg, AUTHID, sizeof AUTHID - 1) == 0) return do_authid(c, run);
    if (strncmp(arg, SET_CONFIG, sizeof SET_CONFIG - 1) == 0) return do_set_config(c, run, arg);
    const char *end = arg[0] == '\'' ? strchr(arg + 1, '\'') : NULL;
    if (!end) return fail(c, run, ERR_SYNTAX, "select wants a quoted text");
    int n = snprintf(text, sizeof text, "%.*s", (int)(end - arg - 1), arg + 1);
    if (run->portal && run->portal->has_value) n += snprintf(text + n, sizeof text - (size_t)n, " %s", run->portal->value);
    return one_row(c, run, text, (size_t)n, "SELECT 1");
}

static enum outcome do_rows(struct fake_conn *c, const struct run *run, const char *arg) {
    char *end, text[FAKE_SQL_MAX];
    uint32_t count = (uint32_t)strtoul(arg, &end, 10);
    uint32_t len = (uint32_t)strtoul(end, &end, 10);
    uint32_t first = run->portal ? run->portal->row : 0, done = 0;
    while (*end == ' ') end++;
    describe(c, run);
    char *row = malloc(sizeof text + len);
    INVARIANT(row);
    while (first + done < count && !(run->limit && done == run->limit)) {
        int n = snprintf(text, sizeof text, "%s #%u ", end, first + done);
        memcpy(row, text, (size_t)n);
        memset(row + n, 'x', len);
        put_row(c, row, (size_t)n + len);
        done++;
        if (c->out.len > 8192) fake_flush(c);
    }
    free(row);
    if (run->portal) run->portal->row = first + done;
    if (first + done < count) pg_end(&c->out, pg_begin(&c->out, PG_B_PORTAL_SUSPENDED));
    else complete(c, "SELECT", done);
    return RAN;
}

static enum outcome do_show(struct fake_conn *c, const struct run *run, const char *arg) {
    struct fake_setting *s = find_setting(c, bytes_str(arg));
    if (!s) return fail(c, run, "42704", "unrecognized configuration parameter");
    return one_row(c, run, s->value, strlen(s->value), "SHOW");
}

static enum outcome do_sleep(struct fake_conn *c, const struct run *run, const char *arg, bool has_slept) {
    char *end;
    uint32_t ms = (uint32_t)strtoul(arg, &end, 10);
    while (*end == ' ') end++;
    if (has_slept) return one_row(c, run, end, strlen(end), "SELECT 1");
    c->is_asleep = true;
    timer_set(&c->nap, ms);
    return WAITS;
}

/* ---- session state ---- */

/*   name = 'value'        gilmok writes the name in quotes */
static enum outcome do_set(struct fake_conn *c, const struct run *run, const char *arg) {
    arg += *arg == '"';
    size_t len = strcspn(arg, "\" =");
    struct fake_setting *s = find_setting(c, bytes_of(arg, len));
    char value[64];
    if (!s) return fail(c, run, "42704", "unrecognized configuration parameter");
    arg += len + strspn(arg + len, "\" =");
    if (arg[0] == '\'') arg++;
    snprintf(value, sizeof value, "%.*s", (int)strcspn(arg, "'"), arg);
    set_value(c, s, value);
    pg_put_command_complete(&c->out, "SET");
    return RAN;
}

static enum outcome do_reset(struct fake_conn *c, const struct run *run, const char *arg) {
    struct fake_setting *s = find_setting(c, bytes_str(arg));
    if (strcasecmp(arg, "all") == 0) reset_all(c);
    else if (s) set_value(c, s, s->start);
    else return fail(c, run, "42704", "unrecognized configuration parameter");
    pg_put_command_complete(&c->out, "RESET");
    return RAN;
}

/* ALL, or SEQUENCES, of which there are none here. */
static enum outcome do_discard(struct fake_conn *c, const struct run *run, const char *arg) {
    if (strcasecmp(arg, "sequences") == 0) {
        pg_put_command_complete(&c->out, "DISCARD SEQUENCES");
        return RAN;
    }
    if (c->txn != PG_TXN_IDLE) return fail(c, run, "25001", "DISCARD ALL cannot run inside a transaction block");
    reset_all(c);
    c->statement_count = 0;
    pg_put_command_complete(&c->out, "DISCARD ALL");
    return RAN;
}

static enum outcome do_begin(struct fake_conn *c) {
    if (c->txn == PG_TXN_IDLE) memcpy(c->before_txn, c->settings, sizeof c->settings);
    c->txn = PG_TXN_OPEN;
    pg_put_command_complete(&c->out, "BEGIN");
    return RAN;
}

static enum outcome end_txn(struct fake_conn *c, bool is_commit) {
    bool is_undone = c->txn == PG_TXN_FAILED || (c->txn == PG_TXN_OPEN && !is_commit);
    if (is_undone)
        for (int i = 0; i < c->setting_count; i++) set_value(c, &c->settings[i], c->before_txn[i].value);
    pg_put_command_complete(&c->out, is_commit && c->txn != PG_TXN_FAILED ? "COMMIT" : "ROLLBACK");
    c->txn = PG_TXN_IDLE;
    return RAN;
}

/* ---- COPY ---- */

uint32_t fake_pg_copy_sum(uint32_t sum, struct bytes data) {
    for (size_t i = 0; i < data.len; i++) sum = (sum * 31 + data.ptr[i]) % FAKE_PG_COPY_MOD;
    return sum;
}

static void put_copy_response(struct fake_conn *c, uint8_t type) {
    size_t at = pg_begin(&c->out, type);
    writer_u8(&c->out, 0);
    writer_be16(&c->out, 0);
    pg_end(&c->out, at);
}

static enum outcome copy_in(struct fake_conn *c, const struct run *run, bool is_bad) {
    put_copy_response(c, PG_B_COPY_IN);
    c->copy = run->portal ? COPY_EXTENDED : COPY_QUERY;
    c->copy_sum = 0;
    c->is_copy_bad = is_bad;
    fake_flush(c);
    return WAITS;
}

static enum outcome copy_out(struct fake_conn *c, const char *arg) {
    char *end, text[FAKE_SQL_MAX];
    uint32_t count = (uint32_t)strtoul(arg, &end, 10);
    uint32_t len = (uint32_t)strtoul(end, &end, 10);
    while (*end == ' ') end++;
    put_copy_response(c, PG_B_COPY_OUT);
    for (uint32_t i = 0; i < count; i++) {
        size_t at = pg_begin(&c->out, PG_B_COPY_DATA);
        int n = snprintf(text, sizeof text, "%s #%u ", end, i);
        writer_put(&c->out, bytes_of(text, (size_t)n));
        for (uint32_t k = 0; k < len; k++) writer_u8(&c->out, 'x');
        pg_end(&c->out, at);
    }
    pg_end(&c->out, pg_begin(&c->out, PG_B_COPY_DONE));
    complete(c, "COPY", count);
    return RAN;
}

static enum outcome do_copy(struct fake_conn *c, const struct run *run, const char *arg) {
    if (strncmp(arg, "in ", 3) == 0) return copy_in(c, run, false);
    if (strncmp(arg, "bad ", 4) == 0) return copy_in(c, run, true);
    if (strncmp(arg, "out ", 4) == 0) return copy_out(c, arg + 4);
    return fail(c, run, ERR_SYNTAX, "copy what?");
}

/* ---- statements ---- */

static const char *after_word(const char *sql, const char *word) {
    size_t len = strlen(word);
    if (strncasecmp(sql, word, len) != 0 || (sql[len] && sql[len] != ' ')) return NULL;
    return sql + len + (sql[len] == ' ');
}

/*   RESET name;SELECT pg_catalog.set_config(...);        as gilmok makes one client's settings another's */
static enum outcome do_changes(struct fake_conn *c, const struct run *run, const char *sql) {
    char one[FAKE_SQL_MAX];
    enum outcome outcome = RAN;
    for (const char *end; outcome == RAN && (end = strchr(sql, ';')); sql = end + 1) {
        snprintf(one, sizeof one, "%.*s", (int)(end - sql), sql);
        const char *name = after_word(one, "RESET"), *call = after_word(one, "SELECT");
        outcome = name ? do_reset(c, run, name) : call ? do_set_config(c, run, call) : fail(c, run, ERR_SYNTAX, "change what?");
    }
    return outcome;
}

static bool is_change(const char *sql) {
    size_t len = strlen(sql);
    return len && sql[len - 1] == ';' && (strncmp(sql, "RESET ", 6) == 0 || strncmp(sql, "SELECT " SET_CONFIG, 7 + sizeof SET_CONFIG - 1) == 0);
}

static enum outcome run_statement(struct fake_conn *c, const struct run *run, const char *sql, bool has_slept) {
    const char *arg;
    if (!run->portal && is_change(sql)) return do_changes(c, run, sql);
    if (!after_word(sql, "set")) fake_check_owner(c, bytes_str(sql)); /* gilmok's own SET makes the next client the owner */
    if (after_word(sql, "rollback")) return end_txn(c, false);
    if (after_word(sql, "commit")) return end_txn(c, true);
    if (c->txn == PG_TXN_FAILED) return fail(c, run, "25P02", "current transaction is aborted");
    if ((arg = after_word(sql, "select"))) return do_select(c, run, arg);
    if ((arg = after_word(sql, "rows"))) return do_rows(c, run, arg);
    if ((arg = after_word(sql, "show"))) return do_show(c, run, arg);
    if ((arg = after_word(sql, "sleep"))) return do_sleep(c, run, arg, has_slept);
    if ((arg = after_word(sql, "set"))) return do_set(c, run, arg);
    if ((arg = after_word(sql, "reset"))) return do_reset(c, run, arg);
    if ((arg = after_word(sql, "copy"))) return do_copy(c, run, arg);
    if ((arg = after_word(sql, "discard"))) return do_discard(c, run, arg);
    if (after_word(sql, "begin")) return do_begin(c);
    if (after_word(sql, "fail")) return fail(c, run, "22012", "division by zero");
    if (after_word(sql, "die")) {
        fake_end(c, ENDING_FATAL);
        return GONE;
    }
    if (after_word(sql, "deallocate")) {
        c->statement_count = 0;
        pg_put_command_complete(&c->out, "DEALLOCATE ALL");
        return RAN;
    }
    return fail(c, run, ERR_SYNTAX, "syntax error");
}

/* ---- simple Query ---- */

static void end_query(struct fake_conn *c) {
    free(c->rest);
    c->rest = NULL;
    if (c->txn == PG_TXN_IDLE) fake_forget_portals(c);
    pg_put_ready(&c->out, c->txn);
    fake_flush(c);
}

static void run_rest(struct fake_conn *c, bool has_slept) {
    bool is_empty = c->rest_at == 0;
    struct run run = {0};
    for (;;) {
        char *sql = c->rest + c->rest_at;
        sql += strspn(sql, " ;\n");
        if (!*sql) break;
        is_empty = false;
        size_t len = strcspn(sql, ";"), end = len;
        while (end && sql[end - 1] == '\n') end--;
        char *copy = strndup(sql, end);
        size_t next = (size_t)(sql - c->rest) + len;
        enum outcome outcome = run_statement(c, &run, copy, has_slept);
        free(copy);
        has_slept = false;
        if (outcome == GONE) return;
        if (outcome != WAITS || c->copy) c->rest_at = next; /* a nap runs the same statement again */
        if (outcome == WAITS) return;
        if (outcome == FAILED) {
            end_query(c);
            return;
        }
    }
    if (is_empty) pg_put_empty_query(&c->out);
    end_query(c);
}

/* gilmok reads what code the database has: none, but for one function. */
static void tell_catalog(struct fake_conn *c, bool is_facts) {
    const struct run run = {0};
    struct bytes digest[] = {bytes_str("digest"), bytes_str("0"), bytes_str(""), bytes_str("")};
    struct bytes facts[][4] = {
        {bytes_str("function"), bytes_str("public"), bytes_str("twice"), bytes_str("steady")},
        {bytes_str("body"), bytes_str("public"), bytes_str("twice"), bytes_str("sql SELECT $1 + $1")},
        {bytes_str("relation"), bytes_str("public"), bytes_str("t"), bytes_str("table")},
    };
    describe(c, &run);
    if (!is_facts) pg_put_text_row(&c->out, digest, COUNT_OF(digest));
    for (size_t i = 0; is_facts && i < COUNT_OF(facts); i++) pg_put_text_row(&c->out, facts[i], COUNT_OF(facts[i]));
    pg_put_command_complete(&c->out, "COMMIT");
    pg_put_ready(&c->out, c->txn);
    fake_flush(c);
}

void fake_run_query(struct fake_conn *c, struct bytes sql) {
    struct fake_statement *unnamed = fake_find_statement(c, bytes_str(""));
    if (unnamed) *unnamed = c->statements[--c->statement_count];
    if (bytes_starts_with(sql, CATALOG)) {
        tell_catalog(c, bytes_starts_with(sql, FACTS));
        return;
    }
    INVARIANT(!c->rest);
    c->rest = strndup((const char *)sql.ptr, sql.len);
    c->rest_at = 0;
    run_rest(c, false);
}

static void run_portal(struct fake_conn *c, struct fake_portal *p, uint32_t limit, bool has_slept) {
    struct run run = {.portal = p, .limit = limit};
    if (!p->sql[0]) {
        pg_put_empty_query(&c->out);
        return;
    }
    bool sleeps = run_statement(c, &run, p->sql, has_slept) == WAITS && c->is_asleep;
    c->napping = sleeps ? p : NULL;
}

void fake_run_portal(struct fake_conn *c, struct fake_portal *p, uint32_t limit) {
    run_portal(c, p, limit, false);
}

void fake_go_on(struct fake_conn *c) {
    if (c->copy) return;
    if (c->napping) run_portal(c, c->napping, 0, true);
    else if (c->rest) run_rest(c, true);
}

/* ---- inside COPY IN ---- */

static void fail_copy(struct fake_conn *c, const char *sqlstate, const char *message) {
    bool is_extended = c->copy == COPY_EXTENDED;
    c->copy = COPY_NONE;
    if (is_extended) {
        fake_extended_error(c, sqlstate, message);
        fake_flush(c);
        return;
    }
    fake_error(c, "ERROR", sqlstate, message);
    if (c->txn == PG_TXN_OPEN) c->txn = PG_TXN_FAILED;
    end_query(c);
}

static void end_copy(struct fake_conn *c) {
    bool is_extended = c->copy == COPY_EXTENDED;
    c->copy = COPY_NONE;
    complete(c, "COPY", c->copy_sum);
    if (!is_extended) run_rest(c, false);
}

bool fake_take_copy(struct fake_conn *c, uint8_t type, struct bytes body) {
    switch (type) {
    case PG_F_COPY_DATA:
        c->copy_sum = fake_pg_copy_sum(c->copy_sum, body);
        if (c->is_copy_bad) fail_copy(c, "22P04", "bad data");
        return true;
    case PG_F_COPY_DONE:
        end_copy(c);
        return true;
    case PG_F_COPY_FAIL:
        fail_copy(c, ERR_QUERY_CANCELED, "COPY from stdin failed");
        return true;
    case PG_F_SYNC:
    case PG_F_FLUSH:
        return true;
    case PG_F_TERMINATE:
        return false;
    default:
        fake_complain(c, "message %c during COPY IN", type);
        return true;
    }
}
