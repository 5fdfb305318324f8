/*
 * known_pg_judge.c - what bodies, definitions and policies run.
 *
 * At first all of them are taken for safe. Who asks for what is noted: when something turns out to be unsafe, those that have asked
 * for it are judged again. What is safe in the end uses nothing that is not, in whatever circles.
 */
#include "routing/body_pg.h"
#include "routing/classify_walk.h"
#include "routing/known_pg_own.h"

enum { JUDGE_MEMORY_MAX = 256 << 20, BECAUSE_MAX = 400 };

struct judge {
    struct known_pg *facts;
    const struct classify_options *options;
    struct arena arena; /* of one text */
    struct bytes because;
    bool is_unsafe;
    struct known_pg_thing *current; /* that is being judged */
    struct known_pg_thing *queue, **queue_end;
    struct arena uses;
    size_t judged; /* bytes of code */
};

static void find(struct judge *j, const char *what, struct bytes name) {
    char buf[BECAUSE_MAX];
    struct writer w;
    if (j->is_unsafe) return;
    writer_init_fixed(&w, buf, sizeof buf);
    writer_str(&w, what);
    writer_put(&w, name);
    j->is_unsafe = true;
    char *copy = w.failed ? NULL : arena_strdup(&j->facts->arena, writer_bytes(&w));
    j->because = copy ? bytes_of(copy, w.len) : bytes_str("its text");
}

/* ---- SQL ------------------------------------------------------------------------------------------------------------- */

static bool takes_word(struct bytes *text, const char *word) {
    struct bytes rest = *text;
    while (rest.len && strchr(" \t\r\n", rest.ptr[0])) rest = bytes_of(rest.ptr + 1, rest.len - 1);
    if (!bytes_starts_with(rest, word)) return false;
    *text = bytes_of(rest.ptr + strlen(word), rest.len - strlen(word));
    return true;
}

/* As the server prints a body that it keeps parsed: RETURN x is SELECT x, and BEGIN ATOMIC ... END is statements. */
static struct bytes statements_of(struct judge *j, struct bytes body) {
    static const char select[] = "SELECT ";
    struct bytes rest = body;
    if (takes_word(&rest, "BEGIN ATOMIC")) {
        while (rest.len && strchr(" \t\r\n", rest.ptr[rest.len - 1])) rest.len--;
        bool has_end = rest.len >= 3 && memcmp(rest.ptr + rest.len - 3, "END", 3) == 0;
        return has_end ? bytes_of(rest.ptr, rest.len - 3) : body;
    }
    if (!takes_word(&rest, "RETURN ")) return body;
    uint8_t *copy = arena_alloc(&j->arena, sizeof select - 1 + rest.len);
    if (!copy) return body; /* which no statement begins like */
    memcpy(copy, select, sizeof select - 1);
    if (rest.len) memcpy(copy + sizeof select - 1, rest.ptr, rest.len);
    return bytes_of(copy, sizeof select - 1 + rest.len);
}

static void judge_sql(struct judge *j, struct bytes text) {
    char buf[BECAUSE_MAX];
    struct classify_result result;
    struct writer w;
    classify_text(statements_of(j, text), j->options, &j->arena, &result);
    if (result.place == CLASSIFY_REPLICA) return;
    writer_init_fixed(&w, buf, sizeof buf);
    classify_put_reason(&result.decisive, &w);
    find(j, "", w.failed ? bytes_str(classify_why_text(result.decisive.why)) : writer_bytes(&w));
}

/* ---- PL/pgSQL -------------------------------------------------------------------------------------------------------- */

static bool is_safe_own(enum read_kind own, const struct effect_argument *first) {
    if (own == READ_SETTING) return first->text.ptr && read_pg_is_setting_everywhere(first->text);
    return own == READ_STEADY || own == READ_FRESH;
}

/* A word before a parenthesis that names no function is grammar, or a type. */
static unsigned on_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    struct judge *j = ctx;
    enum read_kind own = read_pg_function(name);
    struct classify_subject s = {.about = CLASSIFY_FUNCTION, .name = name};
    enum classify_why why = classify_function_why(j->options, &s, own);
    bool is_grammar = why == CLASSIFY_FUNCTION_NOT_THERE;
    bool is_safe = own == READ_UNKNOWN || own == READ_UNCALLABLE || is_safe_own(own, first) || why == CLASSIFY_FUNCTION_LISTED;
    if (!is_grammar && (classify_why_place(why) != CLASSIFY_REPLICA || !is_safe)) find(j, "function ", name);
    return 0;
}

/* Any word may be a relation's name. */
static unsigned on_relation(void *ctx, struct bytes name, bool is_written) {
    struct judge *j = ctx;
    const struct classify_facts *facts = j->options->facts;
    enum read_kind own = read_pg_relation(name);
    if (is_written) return 0;
    if (own != READ_UNKNOWN && own != READ_STEADY) find(j, "relation ", name);
    enum classify_relation_kind kind = facts->of_relation(facts->ctx, bytes_of(NULL, 0), name).kind;
    bool is_safe = kind == CLASSIFY_RELATION_NONE || kind == CLASSIFY_RELATION_TABLE || kind == CLASSIFY_RELATION_VIEW;
    if (!is_safe) find(j, "relation ", name);
    if (facts->is_unsafe_column(facts->ctx, name)) find(j, "function ", name);
    return 0;
}

static void on_setting(void *ctx, struct bytes name) {
    find(ctx, "setting ", name);
}

static void judge_plpgsql(struct judge *j, struct bytes body) {
    const struct effect_names names = {.of_function = on_function, .of_relation = on_relation, .on_setting = on_setting, .ctx = j};
    unsigned effects = body_pg_effects(body, j->options->sql, &names);
    if (effects) find(j, "a part of its body that is not known to read", bytes_of(NULL, 0));
}

/* ---- who asks for what ----------------------------------------------------------------------------------------------- */

static void note_use(struct judge *j, struct known_pg_thing *asked) {
    if (asked->uses && asked->uses->by == j->current) return;
    struct known_pg_use *use = arena_alloc(&j->uses, sizeof *use);
    if (!use) return; /* known_pg_judge() sees it */
    *use = (struct known_pg_use){.next = asked->uses, .by = j->current};
    asked->uses = use;
}

static void note_uses(struct judge *j, bool is_function, struct bytes name) {
    for (struct known_pg_thing *t = known_pg_find(j->facts, is_function, name); t; t = t->same_name) note_use(j, t);
}

static struct classify_function asked_function(void *ctx, struct bytes schema, struct bytes name) {
    struct judge *j = ctx;
    note_uses(j, true, name);
    return j->facts->facts.of_function(j->facts, schema, name);
}

static struct classify_relation asked_relation(void *ctx, struct bytes schema, struct bytes name) {
    struct judge *j = ctx;
    note_uses(j, false, name);
    return j->facts->facts.of_relation(j->facts, schema, name);
}

static bool asked_column(void *ctx, struct bytes name) {
    struct judge *j = ctx;
    note_uses(j, true, name);
    return j->facts->facts.is_unsafe_column(j->facts, name);
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

/* True when it has become unsafe. */
static bool judge_thing(struct judge *j, struct known_pg_thing *t) {
    if (t->is_unsafe) return false;
    j->is_unsafe = false;
    j->current = t;
    for (const struct known_pg_code *code = t->codes; code && !j->is_unsafe; code = code->next) {
        j->judged += code->text.len;
        if (!code->text.ptr) find(j, "a body that is too long", bytes_of(NULL, 0));
        else if (code->is_plpgsql) judge_plpgsql(j, code->text);
        else judge_sql(j, code->text);
        arena_reset(&j->arena);
    }
    t->is_unsafe = j->is_unsafe;
    if (t->is_unsafe) t->because = j->because;
    return t->is_unsafe;
}

static void queue(struct judge *j, struct known_pg_thing *t) {
    if (t->is_queued || t->is_unsafe || !t->codes) return;
    t->is_queued = true;
    t->next_queued = NULL;
    *j->queue_end = t;
    j->queue_end = &t->next_queued;
}

static struct known_pg_thing *take_queued(struct judge *j) {
    struct known_pg_thing *t = j->queue;
    if (!t) return NULL;
    j->queue = t->next_queued;
    if (!j->queue) j->queue_end = &j->queue;
    t->is_queued = false;
    return t;
}

/* False: there is too much of it. */
static bool judge_all(struct judge *j) {
    struct known_pg_thing *t;
    for (t = j->facts->first; t; t = t->next) {
        t->uses = NULL;
        t->is_queued = false;
        queue(j, t);
    }
    while ((t = take_queued(j))) {
        if (j->judged > KNOWN_PG_JUDGED_MAX || j->uses.failed) return false;
        if (!judge_thing(j, t)) continue;
        for (const struct known_pg_use *use = t->uses; use; use = use->next) queue(j, use->by);
    }
    return true;
}

static void doubt_all(struct known_pg *f) {
    for (struct known_pg_thing *t = f->first; t; t = t->next) {
        if (t->is_unsafe || !t->codes) continue;
        t->is_unsafe = true;
        t->because = bytes_str("more code than is looked at");
    }
}

bool known_pg_judge(struct known_pg *f, const struct classify_options *options) {
    struct classify_options asked = *options;
    struct sql_options sql = *options->sql;
    struct judge j = {.facts = f, .options = &asked, .queue_end = &j.queue};
    const struct classify_facts facts = {.of_function = asked_function, .of_relation = asked_relation,
                                         .is_unsafe_column = asked_column, .is_everything_safe = true, .ctx = &j};
    sql.encoding = SQL_ENCODING_UTF8;
    sql.modes |= SQL_STANDARD_STRINGS;
    asked.facts = &facts;
    asked.sql = &sql;
    asked.keeps_reasons = false;
    arena_init(&j.arena, JUDGE_MEMORY_MAX);
    arena_init(&j.uses, JUDGE_MEMORY_MAX);
    if (!judge_all(&j)) doubt_all(f);
    judge_thing(&j, &f->everywhere);
    f->facts.is_everything_safe = !f->everywhere.is_unsafe;
    f->facts.everywhere = f->everywhere.because;
    arena_release(&j.arena);
    arena_release(&j.uses);
    for (struct known_pg_thing *t = f->first; t; t = t->next) t->uses = NULL;
    return !f->arena.failed;
}
