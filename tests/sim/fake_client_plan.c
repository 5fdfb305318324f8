/*
 * What a fake client asks next, and the exact answer that each question has.
 */
#include <stdio.h>

#include "tests/sim/fake_client.h"
#include "tests/sim/fake_pg.h"

enum { TAIL_MAX = 4 << 20 };

static uint32_t below(struct fake_client *c, uint32_t n) {
    return net_sim_below(c->world->sim, n);
}

static bool one_in(struct fake_client *c, uint32_t n) {
    return net_sim_one_in(c->world->sim, n);
}

/* ---- building blocks ---- */

static struct group *open_group(struct fake_client *c) {
    INVARIANT(c->group_count < CLIENT_GROUPS_MAX);
    struct group *g = &c->groups[(c->group_first + c->group_count++) % CLIENT_GROUPS_MAX];
    memset(g, 0, sizeof *g);
    g->tail_at = -1;
    g->is_first = c->world->holds_begin && c->is_begun_only && c->group_count == 1;
    g->is_refusable = c->txn == PG_TXN_IDLE || g->is_first;
    writer_init(&g->tail, TAIL_MAX);
    return g;
}

static struct expect *want(struct group *g, uint8_t type, const char *text) {
    INVARIANT(g->count < CLIENT_EXPECTS_MAX);
    struct expect *e = &g->e[g->count++];
    e->type = type;
    size_t len = strlen(text);
    INVARIANT(len < sizeof e->text);
    memcpy(e->text, text, len);
    return e;
}

static void want_ready(struct group *g, char status) {
    char text[2] = {status, 0};
    want(g, PG_B_READY, text);
}

static void new_text(struct fake_client *c, char text[CLIENT_TEXT_MAX]) {
    snprintf(text, CLIENT_TEXT_MAX, "c%u q%u", c->number, ++c->query);
}

static void put_parse(struct writer *w, const char *name, const char *sql) {
    size_t at = pg_begin(w, PG_F_PARSE);
    writer_cstr(w, bytes_str(name));
    writer_cstr(w, bytes_str(sql));
    writer_be16(w, 0);
    pg_end(w, at);
}

static void put_bind(struct writer *w, const char *name, const char *value) {
    size_t at = pg_begin(w, PG_F_BIND);
    writer_cstr(w, bytes_str(""));
    writer_cstr(w, bytes_str(name));
    writer_be16(w, 0);
    writer_be16(w, value ? 1 : 0);
    if (value) {
        writer_be32(w, (uint32_t)strlen(value));
        writer_str(w, value);
    }
    writer_be16(w, 0);
    pg_end(w, at);
}

static void put_describe_portal(struct writer *w) {
    size_t at = pg_begin(w, PG_F_DESCRIBE);
    writer_u8(w, 'P');
    writer_cstr(w, bytes_str(""));
    pg_end(w, at);
}

static void put_execute(struct writer *w, uint32_t limit) {
    size_t at = pg_begin(w, PG_F_EXECUTE);
    writer_cstr(w, bytes_str(""));
    writer_be32(w, limit);
    pg_end(w, at);
}

static void put_flush(struct writer *w) {
    pg_end(w, pg_begin(w, PG_F_FLUSH));
}

/* A simple Query whose answer is one tag. */
static struct group *command(struct fake_client *c, const char *sql, const char *tag, char status) {
    struct group *g = open_group(c);
    pg_put_query(&c->out, sql);
    want(g, PG_B_COMMAND_COMPLETE, tag);
    want_ready(g, status);
    return g;
}

static void failing(struct fake_client *c, const char *sql, const char *sqlstate, char status) {
    struct group *g = open_group(c);
    pg_put_query(&c->out, sql);
    want(g, PG_B_ERROR, sqlstate);
    want_ready(g, status);
}

static void want_select(struct group *g, const char *text, bool is_described) {
    if (is_described) want(g, PG_B_ROW_DESCRIPTION, "");
    want(g, PG_B_DATA_ROW, text);
    want(g, PG_B_COMMAND_COMPLETE, "SELECT 1");
}

/* ---- simple Queries ---- */

static void ask_select(struct fake_client *c, char status) {
    char sql[512], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    uint32_t count = one_in(c, 3) ? 3 : 1;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        new_text(c, text);
        at += (size_t)snprintf(sql + at, sizeof sql - at, "%sselect '%s'", i ? "; " : "", text);
        want_select(g, text, true);
    }
    pg_put_query(&c->out, sql);
    want_ready(g, status);
}

static void ask_rows(struct fake_client *c, char status) {
    char sql[256], tag[32], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    uint32_t count = 1 + below(c, one_in(c, 12) ? 800 : 40), pad = below(c, one_in(c, 12) ? 3000 : 80);
    new_text(c, text);
    snprintf(sql, sizeof sql, "rows %u %u %s", count, pad, text);
    snprintf(tag, sizeof tag, "SELECT %u", count);
    pg_put_query(&c->out, sql);
    want(g, PG_B_ROW_DESCRIPTION, "");
    struct expect *e = want(g, PG_B_DATA_ROW, text);
    e->count = count;
    e->pad = pad;
    want(g, PG_B_COMMAND_COMPLETE, tag);
    want_ready(g, status);
}

static void ask_sleep(struct fake_client *c, char status) {
    char sql[256], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    new_text(c, text);
    snprintf(sql, sizeof sql, "sleep %u %s", 1 + below(c, 40), text);
    pg_put_query(&c->out, sql);
    want_select(g, text, true);
    want_ready(g, status);
}

static void ask_empty(struct fake_client *c, char status) {
    struct group *g = open_group(c);
    pg_put_query(&c->out, "");
    want(g, PG_B_EMPTY_QUERY, "");
    want_ready(g, status);
}

static void ask_show(struct fake_client *c, char status) {
    static const struct {
        const char *name;
        enum client_check check;
    } shown[] = {{"TimeZone", CHECK_BELIEF}, {"DateStyle", CHECK_BELIEF}, {"search_path", CHECK_PATH}, {"application_name", CHECK_APP}};
    char sql[64];
    struct group *g = open_group(c);
    uint32_t i = below(c, COUNT_OF(shown));
    snprintf(sql, sizeof sql, "show %s", shown[i].name);
    pg_put_query(&c->out, sql);
    want(g, PG_B_ROW_DESCRIPTION, "");
    want(g, PG_B_DATA_ROW, shown[i].name)->check = shown[i].check;
    want(g, PG_B_COMMAND_COMPLETE, "SHOW");
    want_ready(g, status);
}

static void ask_set(struct fake_client *c, char status) {
    static const char *const reported[] = {"set TimeZone = 'Asia/Tokyo'", "set DateStyle = 'SQL, DMY'", "reset TimeZone"};
    char sql[128];
    if (one_in(c, 2)) {
        snprintf(c->own_path, sizeof c->own_path, "path_of_c%u", c->number);
        snprintf(sql, sizeof sql, "set search_path = '%s'", c->own_path);
        command(c, sql, "SET", status);
    } else {
        uint32_t i = below(c, COUNT_OF(reported));
        command(c, reported[i], i == 2 ? "RESET" : "SET", status);
    }
}

/* ---- COPY ---- */

static uint32_t put_copy_data(struct fake_client *c, struct writer *w) {
    uint32_t sum = 0, count = below(c, 5);
    for (uint32_t i = 0; i < count; i++) {
        size_t at = pg_begin(w, PG_F_COPY_DATA), body = w->len;
        uint32_t len = 1 + below(c, one_in(c, 6) ? 30000 : 200);
        for (uint32_t k = 0; k < len; k++) writer_u8(w, (uint8_t)('a' + (k + i) % 26));
        pg_end(w, at);
        if (!w->failed) sum = fake_pg_copy_sum(sum, bytes_of(w->data + body, len));
    }
    return sum;
}

static void put_copy_end(struct writer *w, uint8_t type) {
    size_t at = pg_begin(w, type);
    if (type == PG_F_COPY_FAIL) writer_cstr(w, bytes_str("changed my mind"));
    pg_end(w, at);
}

/* Data at once behind the Query, or when the server asks for it. */
static void ask_copy_in(struct fake_client *c, char status) {
    char sql[256], tag[32], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    bool waits = !one_in(c, 4);
    struct writer *w = waits ? &g->tail : &c->out;
    new_text(c, text);
    snprintf(sql, sizeof sql, "copy in %s", text);
    pg_put_query(&c->out, sql);
    if (waits) g->tail_at = 1;
    uint32_t sum = put_copy_data(c, w);
    want(g, PG_B_COPY_IN, "");
    if (one_in(c, 5)) {
        put_copy_end(w, PG_F_COPY_FAIL);
        want(g, PG_B_ERROR, ERR_QUERY_CANCELED);
        want_ready(g, status == PG_TXN_OPEN ? PG_TXN_FAILED : status);
        return;
    }
    put_copy_end(w, PG_F_COPY_DONE);
    snprintf(tag, sizeof tag, "COPY %u", sum);
    want(g, PG_B_COMMAND_COMPLETE, tag);
    want_ready(g, status);
}

static void ask_copy_bad(struct fake_client *c, char status) {
    char sql[256], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    new_text(c, text);
    snprintf(sql, sizeof sql, "copy bad %s", text);
    pg_put_query(&c->out, sql);
    g->tail_at = 1;
    (void)put_copy_data(c, &g->tail);
    size_t at = pg_begin(&g->tail, PG_F_COPY_DATA);
    writer_str(&g->tail, "the bad part");
    pg_end(&g->tail, at);
    put_copy_end(&g->tail, PG_F_COPY_DONE);
    want(g, PG_B_COPY_IN, "");
    want(g, PG_B_ERROR, "22P04");
    want_ready(g, status == PG_TXN_OPEN ? PG_TXN_FAILED : status);
}

static void ask_copy_out(struct fake_client *c, char status) {
    char sql[256], tag[32], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    uint32_t count = 1 + below(c, 60), pad = below(c, 100);
    new_text(c, text);
    snprintf(sql, sizeof sql, "copy out %u %u %s", count, pad, text);
    snprintf(tag, sizeof tag, "COPY %u", count);
    pg_put_query(&c->out, sql);
    want(g, PG_B_COPY_OUT, "");
    struct expect *e = want(g, PG_B_COPY_DATA, text);
    e->count = count;
    e->pad = pad;
    want(g, PG_B_COPY_DONE, "");
    want(g, PG_B_COMMAND_COMPLETE, tag);
    want_ready(g, status);
}

/* As libpq does it: Sync right behind Execute, which the server ignores, and another behind the data. */
static void ask_copy_extended(struct fake_client *c, char status) {
    char sql[256], tag[32], text[CLIENT_TEXT_MAX];
    struct group *g = open_group(c);
    new_text(c, text);
    snprintf(sql, sizeof sql, "copy in %s", text);
    put_parse(&c->out, "", sql);
    put_bind(&c->out, "", NULL);
    put_describe_portal(&c->out);
    put_execute(&c->out, 0);
    pg_put_sync(&c->out);
    want(g, PG_B_PARSE_COMPLETE, "");
    want(g, PG_B_BIND_COMPLETE, "");
    want(g, PG_B_NO_DATA, "");
    want(g, PG_B_COPY_IN, "");
    g->tail_at = 4;
    snprintf(tag, sizeof tag, "COPY %u", put_copy_data(c, &g->tail));
    put_copy_end(&g->tail, PG_F_COPY_DONE);
    pg_put_sync(&g->tail);
    want(g, PG_B_COMMAND_COMPLETE, tag);
    want_ready(g, status);
}

/* ---- the extended protocol ---- */

/* One Parse, Bind, Describe, Execute. */
static void put_extended(struct fake_client *c, struct group *g, const char *name, bool is_described) {
    char sql[256], text[CLIENT_TEXT_MAX], row[2 * CLIENT_TEXT_MAX], value[32];
    new_text(c, text);
    snprintf(sql, sizeof sql, "select '%s'", text);
    snprintf(value, sizeof value, "v%u", c->query);
    snprintf(row, sizeof row, "%s %s", text, value);
    put_parse(&c->out, name, sql);
    put_bind(&c->out, name, value);
    if (is_described) put_describe_portal(&c->out);
    put_execute(&c->out, 0);
    want(g, PG_B_PARSE_COMPLETE, "");
    want(g, PG_B_BIND_COMPLETE, "");
    want_select(g, row, is_described);
}

static void ask_extended(struct fake_client *c, char status) {
    struct group *g = open_group(c);
    for (uint32_t i = 1 + below(c, 4); i > 0; i--) put_extended(c, g, "", one_in(c, 2));
    pg_put_sync(&c->out);
    want_ready(g, status);
}

/* The third statement is never looked at. */
static void ask_extended_failing(struct fake_client *c, char status) {
    struct group *g = open_group(c);
    char sql[128];
    put_extended(c, g, "", true);
    snprintf(sql, sizeof sql, "fail c%u", c->number);
    put_parse(&c->out, "", sql);
    put_bind(&c->out, "", NULL);
    put_execute(&c->out, 0);
    want(g, PG_B_PARSE_COMPLETE, "");
    want(g, PG_B_BIND_COMPLETE, "");
    want(g, PG_B_ERROR, "22012");
    int count = g->count;
    put_extended(c, g, "", true);
    g->count = count;
    pg_put_sync(&c->out);
    want_ready(g, status == PG_TXN_OPEN ? PG_TXN_FAILED : status);
}

/* Replies are asked for with Flush; the Sync follows only when they are in. */
static void ask_flush(struct fake_client *c, char status) {
    struct group *g = open_group(c);
    put_extended(c, g, "", false);
    put_flush(&c->out);
    pg_put_sync(&g->tail);
    g->tail_at = g->count;
    g->tail_is_sync = true;
    want_ready(g, status);
}

static void ask_portal(struct fake_client *c, char status) {
    struct group *g = open_group(c);
    char sql[256], text[CLIENT_TEXT_MAX];
    new_text(c, text);
    snprintf(sql, sizeof sql, "rows 7 20 %s", text);
    put_parse(&c->out, "", sql);
    put_bind(&c->out, "", NULL);
    want(g, PG_B_PARSE_COMPLETE, "");
    want(g, PG_B_BIND_COMPLETE, "");
    for (uint32_t first = 0; first < 7; first += 3) {
        uint32_t count = first == 6 ? 1 : 3;
        put_execute(&c->out, 3);
        struct expect *e = want(g, PG_B_DATA_ROW, text);
        e->first = first;
        e->count = count;
        e->pad = 20;
        if (first < 6) want(g, PG_B_PORTAL_SUSPENDED, "");
        else want(g, PG_B_COMMAND_COMPLETE, "SELECT 1");
    }
    pg_put_sync(&c->out);
    want_ready(g, status);
}

/* Wherever and whenever it is parsed: under the DateStyle of now, as far as the client knows it. */
static void put_parse_alone(struct fake_client *c, const char *name, char text[CLIENT_TEXT_MAX], char status) {
    char sql[256];
    bool knows_style = c->group_count == 0;
    struct group *g = open_group(c);
    new_text(c, text);
    int n = snprintf(sql, sizeof sql, "select '%s'", text);
    if (knows_style) snprintf(sql + n, sizeof sql - (size_t)n, FAKE_STYLE_MARK "%s", fake_client_param(c, "DateStyle"));
    put_parse(&c->out, name, sql);
    pg_put_sync(&c->out);
    want(g, PG_B_PARSE_COMPLETE, "");
    want_ready(g, status);
    if (name[0]) memcpy(g->names, text, sizeof g->names);
}

static struct group *put_use(struct fake_client *c, const char *name, const char *text, char status) {
    struct group *g = open_group(c);
    put_bind(&c->out, name, NULL);
    put_execute(&c->out, 0);
    pg_put_sync(&c->out);
    want(g, PG_B_BIND_COMPLETE, "");
    want_select(g, text, false);
    want_ready(g, status);
    return g;
}

/* Parse, Sync; then Bind, Execute, Sync: must find its statement. A second use may find it, or that it is gone. */
static void ask_unnamed_later(struct fake_client *c, char status) {
    char text[CLIENT_TEXT_MAX];
    put_parse_alone(c, "", text, status);
    put_use(c, "", text, status);
    if (status != PG_TXN_IDLE || one_in(c, 2)) return;
    memcpy(put_use(c, "", text, status)->may_fail, ERR_NO_SUCH_STATEMENT, 6);
}

/* A simple Query in between destroys the unnamed statement. */
static void ask_unnamed_lost(struct fake_client *c) {
    char text[CLIENT_TEXT_MAX];
    put_parse_alone(c, "", text, PG_TXN_IDLE);
    ask_select(c, PG_TXN_IDLE);
    struct group *g = open_group(c);
    put_bind(&c->out, "", NULL);
    put_execute(&c->out, 0);
    pg_put_sync(&c->out);
    want(g, PG_B_ERROR, ERR_NO_SUCH_STATEMENT);
    want_ready(g, PG_TXN_IDLE);
}

/* One exchange of several Parses and a use; others may have the connection between them. */
static void ask_unnamed_in_turns(struct fake_client *c) {
    if (c->unnamed_parses > 0) {
        c->unnamed_parses--;
        put_parse_alone(c, "", c->unnamed, PG_TXN_IDLE);
        return;
    }
    memcpy(put_use(c, "", c->unnamed, PG_TXN_IDLE)->may_fail, ERR_NO_SUCH_STATEMENT, 6); /* its Parse was refused */
    c->unnamed[0] = '\0';
}

static void ask_named(struct fake_client *c, char status) {
    char text[CLIENT_TEXT_MAX];
    if (c->named[0]) put_use(c, "s1", c->named, status);
    else if (status == PG_TXN_IDLE && one_in(c, 2)) put_parse_alone(c, "s1", text, status);
    else ask_select(c, status);
}

/* Under another DateStyle than it was parsed under, in one send or two. */
static void ask_named_otherwise(struct fake_client *c) {
    command(c, one_in(c, 2) ? "set DateStyle = 'SQL, DMY'" : "set DateStyle = 'German'", "SET", PG_TXN_IDLE);
    if (one_in(c, 2)) ask_named(c, PG_TXN_IDLE);
}

/* ---- larger pieces ---- */

static void ask_transaction_at_once(struct fake_client *c) {
    command(c, "begin", "BEGIN", PG_TXN_OPEN)->opens_txn = true;
    ask_select(c, PG_TXN_OPEN);
    if (one_in(c, 2)) ask_extended(c, PG_TXN_OPEN);
    ask_rows(c, PG_TXN_OPEN);
    command(c, "commit", "COMMIT", PG_TXN_IDLE)->ends_txn = true;
    for (int i = 1; i < c->group_count; i++) {
        struct group *g = &c->groups[(c->group_first + i) % CLIENT_GROUPS_MAX];
        g->is_refusable = g->is_first = c->world->holds_begin && i == 1;
    }
}

static void ask_to_forget(struct fake_client *c) {
    bool is_all = one_in(c, 2);
    struct group *g = command(c, is_all ? "discard all" : "deallocate all", is_all ? "DISCARD ALL" : "DEALLOCATE ALL", PG_TXN_IDLE);
    g->forgets_names = true;
    if (is_all) c->has_set_app_name = true;
}

static void ask_to_die(struct fake_client *c) {
    char sql[64];
    struct group *g = open_group(c);
    snprintf(sql, sizeof sql, "die c%u", c->number);
    pg_put_query(&c->out, sql);
    want(g, 'X', "");
    want_ready(g, c->txn);
}

/* Questions that leave everything as it was, so that several may be under way. */
static void ask_harmless(struct fake_client *c, char status) {
    switch (below(c, 10)) {
    case 0:
        ask_rows(c, status);
        break;
    case 1:
        ask_extended(c, status);
        break;
    case 2:
        ask_sleep(c, status);
        break;
    case 3:
        ask_empty(c, status);
        break;
    case 4:
        ask_show(c, status);
        break;
    case 5:
        ask_copy_out(c, status);
        break;
    case 6:
        ask_portal(c, status);
        break;
    case 7:
        ask_set(c, status);
        break;
    default:
        ask_select(c, status);
        break;
    }
}

static void plan_idle(struct fake_client *c) {
    char sql[64];
    if (c->unnamed[0]) {
        ask_unnamed_in_turns(c);
        return;
    }
    snprintf(sql, sizeof sql, "fail c%u", c->number);
    switch (below(c, 18)) {
    case 0:
        command(c, "begin", "BEGIN", PG_TXN_OPEN)->opens_txn = true;
        break;
    case 1:
        ask_transaction_at_once(c);
        break;
    case 2:
        failing(c, sql, "22012", PG_TXN_IDLE);
        break;
    case 3:
        ask_extended_failing(c, PG_TXN_IDLE);
        break;
    case 4:
        ask_flush(c, PG_TXN_IDLE);
        break;
    case 5:
        ask_unnamed_later(c, PG_TXN_IDLE);
        break;
    case 6:
        ask_unnamed_lost(c);
        break;
    case 7:
        ask_named(c, PG_TXN_IDLE);
        break;
    case 8:
        ask_copy_in(c, PG_TXN_IDLE);
        break;
    case 9:
        ask_copy_bad(c, PG_TXN_IDLE);
        break;
    case 10:
        ask_copy_extended(c, PG_TXN_IDLE);
        break;
    case 11:
        if (one_in(c, 3)) ask_to_forget(c);
        else if (one_in(c, 6)) ask_to_die(c);
        else ask_set(c, PG_TXN_IDLE);
        break;
    case 12:
        for (uint32_t i = 1 + below(c, 6); i > 0; i--) ask_harmless(c, PG_TXN_IDLE);
        break;
    case 13:
        ask_named_otherwise(c);
        break;
    case 14:
        c->unnamed_parses = 1 + (int)below(c, 3);
        ask_unnamed_in_turns(c);
        break;
    default:
        ask_harmless(c, PG_TXN_IDLE);
        break;
    }
}

static void plan_open(struct fake_client *c) {
    char sql[64];
    snprintf(sql, sizeof sql, "fail c%u", c->number);
    switch (below(c, 12)) {
    case 0:
    case 1:
    case 2:
        command(c, "commit", "COMMIT", PG_TXN_IDLE);
        break;
    case 3:
        command(c, "rollback", "ROLLBACK", PG_TXN_IDLE);
        break;
    case 4:
        failing(c, sql, "22012", PG_TXN_FAILED);
        break;
    case 5:
        ask_extended_failing(c, PG_TXN_OPEN);
        break;
    case 6:
        ask_unnamed_later(c, PG_TXN_OPEN);
        break;
    case 7:
        ask_copy_in(c, PG_TXN_OPEN);
        break;
    case 8:
        ask_flush(c, PG_TXN_OPEN);
        break;
    case 9:
        failing(c, "discard all", "25001", PG_TXN_FAILED);
        break;
    default:
        for (uint32_t i = 1 + below(c, 3); i > 0; i--) ask_harmless(c, PG_TXN_OPEN);
        break;
    }
}

static void plan_failed(struct fake_client *c) {
    char sql[64];
    snprintf(sql, sizeof sql, "select 'c%u'", c->number);
    if (one_in(c, 3)) {
        failing(c, sql, "25P02", PG_TXN_FAILED);
    } else if (one_in(c, 3)) {
        struct group *g = open_group(c);
        put_parse(&c->out, "", sql);
        put_bind(&c->out, "", NULL);
        put_execute(&c->out, 0);
        pg_put_sync(&c->out);
        want(g, PG_B_ERROR, "25P02");
        want_ready(g, PG_TXN_FAILED);
    } else {
        command(c, one_in(c, 2) ? "rollback" : "commit", "ROLLBACK", PG_TXN_IDLE);
    }
}

bool fake_client_plan(struct fake_client *c) {
    if (c->steps_left == 0) return false;
    c->steps_left--;
    if (c->txn == PG_TXN_IDLE) plan_idle(c);
    else if (c->txn == PG_TXN_OPEN) plan_open(c);
    else plan_failed(c);
    return true;
}
