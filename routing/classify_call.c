/*
 * classify_call.c - functions: PostgreSQL's own by the table, others by the catalog, and what the configuration says of either.
 */
#include "routing/classify_walk.h"
#include "routing/constant.h"

/* ---- what the configuration says ------------------------------------------------------------------------------------- */

static struct bytes trim(struct bytes word) {
    while (word.len && (word.ptr[0] == ' ' || word.ptr[0] == '\t')) word = bytes_of(word.ptr + 1, word.len - 1);
    while (word.len && (word.ptr[word.len - 1] == ' ' || word.ptr[word.len - 1] == '\t')) word.len--;
    return word;
}

/* The next name of a list; the list is cut. False: there is none. */
static bool next_name(struct bytes *list, struct bytes *name) {
    if (!list->len) return false;
    const uint8_t *comma = memchr(list->ptr, ',', list->len);
    size_t len = comma ? (size_t)(comma - list->ptr) : list->len;
    *name = trim(bytes_of(list->ptr, len));
    *list = bytes_of(list->ptr + len + (comma ? 1 : 0), list->len - len - (comma ? 1 : 0));
    return true;
}

/* Is "schema.name" or "name" that function? A side without a schema means any: of the list always, of the call where `is_wide`. */
static bool is_that(struct bytes word, const struct classify_subject *s, bool is_wide) {
    if (bytes_equal(word, s->name)) return true;
    if (word.len <= s->name.len + 1) return false;
    struct bytes end = bytes_of(word.ptr + word.len - s->name.len, s->name.len);
    if (end.ptr[-1] != '.' || !bytes_equal(end, s->name)) return false;
    if (!s->schema.len) return is_wide;
    return bytes_equal(bytes_of(word.ptr, word.len - s->name.len - 1), s->schema);
}

static bool is_listed(struct bytes list, const struct classify_subject *s, bool is_wide) {
    struct bytes word;
    while (next_name(&list, &word))
        if (is_that(word, s, is_wide)) return true;
    return false;
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

/* What no configuration changes: it writes, keeps state, or acts on its server. CLASSIFY_WHY_COUNT: it is none of these. */
static enum classify_why why_never(enum read_kind own) {
    switch (own) {
    case READ_WRITES: return CLASSIFY_FUNCTION_WRITES;
    case READ_LARGE: return CLASSIFY_FUNCTION_LARGE;
    case READ_SESSION: return CLASSIFY_FUNCTION_SESSION;
    case READ_ACTS: return CLASSIFY_FUNCTION_ACTS;
    default: return CLASSIFY_WHY_COUNT;
    }
}

static enum classify_why why_own(enum read_kind own) {
    switch (own) {
    case READ_STEADY: return CLASSIFY_FUNCTION_OWN;
    case READ_FRESH: return CLASSIFY_FUNCTION_FRESH;
    case READ_NODE: return CLASSIFY_FUNCTION_NODE;
    case READ_AHEAD: return CLASSIFY_FUNCTION_AHEAD;
    case READ_FILES: return CLASSIFY_FUNCTION_FILES;
    case READ_RUNS: return CLASSIFY_FUNCTION_RUNS;
    default: return CLASSIFY_FUNCTION_NOT_KNOWN;
    }
}

static enum classify_why why_theirs(enum classify_function_kind theirs) {
    switch (theirs) {
    case CLASSIFY_FUNCTION_NONE: return CLASSIFY_FUNCTION_NOT_THERE;
    case CLASSIFY_FUNCTION_STEADY: return CLASSIFY_FUNCTION_PROVEN;
    case CLASSIFY_FUNCTION_UNSAFE: return CLASSIFY_FUNCTION_CALLS;
    case CLASSIFY_FUNCTION_VOLATILE: return CLASSIFY_FUNCTION_MAY_WRITE;
    case CLASSIFY_FUNCTION_UNKNOWN: break;
    }
    return CLASSIFY_FUNCTION_NOT_KNOWN;
}

static enum classify_function_kind ask(const struct classify_options *o, struct classify_subject *s) {
    if (!classify_is_plain_name(o, s)) return CLASSIFY_FUNCTION_UNKNOWN;
    struct classify_function theirs = o->facts->of_function(o->facts->ctx, s->schema, s->name);
    s->detail = theirs.because;
    return theirs.kind;
}

/* Of none of PostgreSQL's own. Where there is no such function, type(value) is a cast. */
static enum classify_why why_unknown(const struct classify_options *o, struct classify_subject *s) {
    bool is_type = (!s->schema.len || bytes_is(s->schema, "pg_catalog")) && read_pg_is_type(s->name);
    enum classify_function_kind theirs = o->facts ? ask(o, s) : CLASSIFY_FUNCTION_NONE;
    if (is_type && theirs == CLASSIFY_FUNCTION_NONE) return CLASSIFY_FUNCTION_CAST;
    return o->facts ? why_theirs(theirs) : CLASSIFY_FUNCTION_NO_SERVER;
}

/* A name without a schema may mean PostgreSQL's own or a namesake of it with other arguments: both count. */
enum classify_why classify_function_why(const struct classify_options *o, struct classify_subject *s, enum read_kind own) {
    enum classify_why never = why_never(own);
    if (is_listed(o->write_functions, s, true)) return CLASSIFY_FUNCTION_SAID_TO_WRITE;
    if (never != CLASSIFY_WHY_COUNT) return never;
    if (is_listed(o->read_functions, s, false)) return CLASSIFY_FUNCTION_LISTED;
    /* One that cannot be called: whoever calls it means another one. */
    if (own == READ_UNKNOWN || own == READ_UNCALLABLE) return why_unknown(o, s);
    if (own == READ_SETTING) own = READ_STEADY; /* which setting it is decides */
    if (bytes_is(s->schema, "pg_catalog") || !o->facts) return why_own(own);
    enum classify_function_kind theirs = ask(o, s);
    bool is_safe = theirs == CLASSIFY_FUNCTION_NONE || theirs == CLASSIFY_FUNCTION_STEADY;
    return is_safe ? why_own(own) : CLASSIFY_FUNCTION_NAMESAKE;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

void classify_setting(struct classify *c, struct bytes name, struct bytes written, uint32_t position) {
    struct classify_subject s = {.about = CLASSIFY_THE_SETTING, .name = written, .position = position};
    classify_note(c, read_pg_is_setting_everywhere(name) ? CLASSIFY_SETTING_EVERYWHERE : CLASSIFY_SETTING_NODE, &s);
}

static void note_current_setting(struct classify *c, const struct ast_func *call, const struct classify_subject *s) {
    struct bytes name;
    const struct ast *arg = constant_without_cast(call->args);
    if (arg && constant_text(c->text, arg, &name)) classify_setting(c, name, name, arg->start);
    else classify_note(c, CLASSIFY_SETTING_COMPUTED, s);
}

void classify_call(struct classify *c, const struct ast_func *call) {
    if (call->node.op == CALL_SPECIAL || call->node.op == CALL_BARE) return; /* grammar, and always the server's own */
    struct classify_subject s = {.about = CLASSIFY_FUNCTION, .position = call->node.start};
    if (!classify_name_of(call->names, &s)) {
        classify_note(c, CLASSIFY_FUNCTION_NOT_KNOWN, &s);
        return;
    }
    bool may_be_own = !s.schema.len || bytes_is(s.schema, "pg_catalog");
    enum read_kind own = may_be_own ? read_pg_function(s.name) : READ_UNKNOWN;
    enum classify_why why = classify_function_why(c->options, &s, own);
    if (own == READ_SETTING && why == CLASSIFY_FUNCTION_OWN) note_current_setting(c, call, &s);
    else classify_note(c, why, &s);
}
