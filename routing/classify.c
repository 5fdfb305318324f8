/*
 * classify.c - statements: what each is, and the worst finding of a text. What is inside queries is classify_walk.c's.
 */
#include "routing/classify_walk.h"
#include "routing/token_pg.h"

/* ---- findings -------------------------------------------------------------------------------------------------------- */

static bool is_kept(const struct classify *c, const struct classify_reason *reason) {
    for (const struct classify_reason *r = c->result.reasons; r; r = r->next)
        if (r->why == reason->why && r->about == reason->about && bytes_equal(r->name, reason->name) &&
            bytes_equal(r->schema, reason->schema))
            return true;
    return false;
}

static void keep(struct classify *c, const struct classify_reason *reason) {
    if (!c->options->keeps_reasons || is_kept(c, reason)) return;
    struct classify_reason *copy = c->kept < CLASSIFY_REASONS_MAX ? arena_alloc(c->arena, sizeof *copy) : NULL;
    if (!copy) {
        c->result.left_out++;
        return;
    }
    *copy = *reason;
    *c->end = copy;
    c->end = &copy->next;
    c->kept++;
}

static bool is_of_transaction(enum classify_why why) {
    return why == CLASSIFY_BEGINS_TRANSACTION || why == CLASSIFY_IN_TRANSACTION || why == CLASSIFY_CURSOR;
}

/* It belongs on the primary for another reason; or what it begins, or ends, is noted itself. */
static bool writes_nothing(enum classify_why why) {
    switch (why) {
    case CLASSIFY_BEGINS_TRANSACTION: case CLASSIFY_IN_TRANSACTION: case CLASSIFY_CURSOR: case CLASSIFY_STATEMENT_SESSION:
    case CLASSIFY_SETTING_NODE: case CLASSIFY_FUNCTION_NODE: case CLASSIFY_TABLE_NODE: case CLASSIFY_FUNCTION_AHEAD:
    case CLASSIFY_TABLE_AHEAD: case CLASSIFY_TABLE_UNLOGGED: case CLASSIFY_TABLE_SESSION: case CLASSIFY_TABLE_TEMPORARY:
    case CLASSIFY_FUNCTION_SESSION: case CLASSIFY_DEALLOCATES: case CLASSIFY_HINT_PRIMARY:
        return true;
    default:
        return classify_why_place(why) == CLASSIFY_REPLICA;
    }
}

/* In a transaction at a replica: a setting is what it is there, but for the one that says what the server is. */
static bool is_right_within(enum classify_why why, struct bytes name) {
    if (why == CLASSIFY_SETTING_NODE) return !bytes_is(name, "in_hot_standby") && !token_pg_is_setting(name);
    return is_of_transaction(why) || why == CLASSIFY_DEALLOCATES || why == CLASSIFY_HINT_PRIMARY; /* it is too late for that */
}

void classify_note(struct classify *c, enum classify_why why, const struct classify_subject *s) {
    struct classify_reason reason = {.why = why, .about = s->about, .position = s->position, .schema = s->schema, .name = s->name,
                                     .detail = s->detail};
    enum classify_place place = classify_why_place(why);
    if (why == CLASSIFY_FUNCTION_FRESH) c->result.is_fresh = true;
    if (!writes_nothing(why)) c->result.may_write = true;
    if (place > c->result.within && !is_right_within(why, s->name)) c->result.within = place;
    if (place > c->result.place || c->result.decisive.why == CLASSIFY_NOTHING) {
        c->result.place = place;
        c->result.decisive = reason;
    }
    keep(c, &reason);
}

void classify_note_word(struct classify *c, enum classify_why why, enum classify_about about, const char *word, uint32_t position) {
    struct classify_subject s = {.about = about, .name = bytes_str(word), .position = position};
    classify_note(c, why, &s);
}

/* The statement as a whole, by its words: "CREATE TABLE". */
static void note_statement(struct classify *c, enum classify_why why, const struct ast *node) {
    char buf[64];
    const char *words = ast_statement_name(node, buf, sizeof buf);
    if (words == buf) {
        char *copy = c->options->keeps_reasons ? arena_strdup(c->arena, bytes_str(buf)) : NULL;
        words = copy ? copy : sql_verb_name(node->op);
    }
    classify_note_word(c, why, CLASSIFY_STATEMENT, words, node->start);
}

static void note_read(struct classify *c, const struct ast *node) {
    note_statement(c, CLASSIFY_READS, node);
    const struct classify_facts *facts = c->options->facts;
    if (!facts || facts->is_everything_safe) return;
    struct classify_subject s = {.about = CLASSIFY_STATEMENT, .position = node->start, .detail = facts->everywhere};
    classify_note(c, CLASSIFY_EVERYWHERE, &s);
}

/* ---- transactions ---------------------------------------------------------------------------------------------------- */

static unsigned modes_of(const struct ast_command *c) {
    unsigned modes = 0;
    if (c->node.flags & AST_COMMAND_READ_ONLY) modes |= CLASSIFY_READ_ONLY;
    if (c->node.flags & AST_COMMAND_READ_WRITE) modes |= CLASSIFY_READ_WRITE;
    for (const struct ast *o = c->options; o; o = o->next) {
        if (o->kind != AST_OPTION) continue;
        const struct ast_option *option = AST_AS(option, OPTION, o);
        if (!option->name || option->name->kind != AST_NAME) continue;
        struct bytes name = AST_AS(name, NAME, option->name)->text;
        if (bytes_is(name, "snapshot")) modes |= CLASSIFY_SNAPSHOT;
        if (!bytes_is(name, "isolation level") || !option->values || option->values->kind != AST_NAME) continue;
        if (bytes_is(AST_AS(name, NAME, option->values)->text, "serializable")) modes |= CLASSIFY_SERIALIZABLE;
    }
    return modes;
}

static unsigned transaction_of(const struct ast_command *c) {
    switch ((enum sql_verb)c->node.op) {
    case SQL_BEGIN: case SQL_START: return CLASSIFY_BEGINS | modes_of(c);
    case SQL_COMMIT: case SQL_ROLLBACK: case SQL_PREPARE_TRANSACTION: return CLASSIFY_ENDS;
    case SQL_SAVEPOINT: case SQL_RELEASE: case SQL_ROLLBACK_TO: return CLASSIFY_SAVEPOINT;
    case SQL_SET:
        return c->object == SQL_OBJECT_TRANSACTION || c->object == SQL_OBJECT_SESSION ? CLASSIFY_SETS | modes_of(c) : 0;
    default: return 0;
    }
}

/* ---- commands -------------------------------------------------------------------------------------------------------- */

static enum classify_why why_set(const struct ast_command *c) {
    bool is_local = c->object == SQL_OBJECT_TRANSACTION || c->object == SQL_OBJECT_CONSTRAINTS || c->node.flags & AST_COMMAND_LOCAL;
    return is_local && !(c->node.flags & AST_COMMAND_SESSION) ? CLASSIFY_IN_TRANSACTION : CLASSIFY_STATEMENT_SESSION;
}

static enum classify_why why_command(const struct ast_command *c) {
    switch ((enum sql_verb)c->node.op) {
    case SQL_BEGIN: case SQL_START: return CLASSIFY_BEGINS_TRANSACTION;
    case SQL_COMMIT: case SQL_ROLLBACK: case SQL_PREPARE_TRANSACTION: case SQL_SAVEPOINT: case SQL_RELEASE: case SQL_ROLLBACK_TO:
        return CLASSIFY_IN_TRANSACTION;
    case SQL_LOCK: return CLASSIFY_LOCKS_TABLES;
    case SQL_SET: return why_set(c);
    case SQL_RESET: case SQL_DISCARD: case SQL_LISTEN: case SQL_UNLISTEN: case SQL_LOAD: return CLASSIFY_STATEMENT_SESSION;
    case SQL_DECLARE: return c->node.flags & AST_COMMAND_HOLD ? CLASSIFY_CURSOR : CLASSIFY_IN_TRANSACTION;
    case SQL_FETCH: case SQL_MOVE: case SQL_CLOSE: return CLASSIFY_CURSOR;
    case SQL_DEALLOCATE: return CLASSIFY_DEALLOCATES;
    case SQL_PREPARE: case SQL_EXECUTE: return CLASSIFY_PREPARED;
    case SQL_NOTIFY: return CLASSIFY_NOTIFIES;
    case SQL_CALL: case SQL_DO: return CLASSIFY_RUNS_CODE;
    case SQL_CREATE: return c->node.flags & AST_COMMAND_TEMPORARY ? CLASSIFY_MAKES_TEMPORARY : CLASSIFY_CHANGES;
    case SQL_ALTER: case SQL_DROP: case SQL_COMMENT: case SQL_GRANT: case SQL_REVOKE: case SQL_REASSIGN: case SQL_IMPORT:
    case SQL_SECURITY_LABEL: case SQL_TRUNCATE: case SQL_REFRESH: case SQL_COMMIT_PREPARED: case SQL_ROLLBACK_PREPARED:
        return CLASSIFY_CHANGES;
    case SQL_VACUUM: case SQL_ANALYZE: case SQL_CLUSTER: case SQL_REINDEX: case SQL_REPACK: case SQL_CHECKPOINT:
        return CLASSIFY_MAINTAINS;
    default: return CLASSIFY_OTHER_STATEMENT;
    }
}

static void note_any(struct classify *c, const struct ast *node);

/* What a command runs besides being what it is. */
static void walk_command(struct classify *c, const struct ast_command *command) {
    switch ((enum sql_verb)command->node.op) {
    case SQL_CREATE:
        if (command->object != SQL_OBJECT_TABLE_AS && command->object != SQL_OBJECT_MATERIALIZED_VIEW) break;
        if (command->query && command->query->kind == AST_COMMAND) note_any(c, command->query); /* AS EXECUTE */
        else classify_walk(c, command->query);
        break;
    case SQL_DECLARE: classify_walk(c, command->query); break;
    case SQL_CALL: case SQL_EXECUTE: classify_walk_list(c, command->args); break;
    default: break;
    }
}

static void note_show(struct classify *c, const struct ast_command *show) {
    char joined[256];
    struct writer w;
    writer_init_fixed(&w, joined, sizeof joined);
    const struct ast *setting = show->args;
    const struct ast *names = setting && setting->kind == AST_SETTING ? AST_AS(setting, SETTING, setting)->names : NULL;
    note_statement(c, CLASSIFY_READS, &show->node);
    for (const struct ast *n = names; n; n = n->next) {
        if (n != names) writer_u8(&w, '.');
        if (n->kind == AST_NAME) writer_put(&w, AST_AS(name, NAME, n)->text);
    }
    if (!names || w.failed) {
        classify_note_word(c, CLASSIFY_SETTING_NODE, CLASSIFY_THE_SETTING, "ALL", show->node.start);
        return;
    }
    struct bytes written = bytes_of(c->text.ptr + names->start, setting->end - names->start);
    classify_setting(c, writer_bytes(&w), names->next ? written : AST_AS(name, NAME, names)->text, names->start);
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static void note_copy(struct classify *c, const struct ast_copy *copy) {
    if (copy->node.flags & AST_COPY_FROM) note_statement(c, CLASSIFY_WRITES, &copy->node);
    else note_read(c, &copy->node);
    if (copy->file || copy->node.flags & AST_COPY_PROGRAM)
        classify_note_word(c, CLASSIFY_USES_FILES, CLASSIFY_CLAUSE, copy->node.flags & AST_COPY_PROGRAM ? "PROGRAM" : "FILE",
                           copy->file ? copy->file->start : copy->node.start);
    classify_walk_list(c, copy->table);
    classify_walk_list(c, copy->query);
    classify_walk_list(c, copy->where);
}

/* With ANALYZE it is what it runs. */
static void note_explain(struct classify *c, const struct ast_command *explain) {
    const struct ast *inner = explain->query;
    if (explain->node.flags & AST_COMMAND_ANALYZE || !inner) {
        note_statement(c, inner ? CLASSIFY_RUNS_ANOTHER : CLASSIFY_OTHER_STATEMENT, &explain->node);
        if (inner) note_any(c, inner);
        return;
    }
    note_statement(c, CLASSIFY_PLANS, &explain->node);
    c->is_planned = true;
    if (inner->kind != AST_COMMAND) classify_walk(c, inner);
    else if (inner->op == SQL_EXECUTE) note_any(c, inner);
    else walk_command(c, AST_AS(command, COMMAND, inner));
    c->is_planned = false;
}

static void note_command(struct classify *c, const struct ast_command *command) {
    c->result.transaction |= transaction_of(command);
    if (command->node.op == SQL_EXPLAIN) note_explain(c, command);
    else if (command->node.op == SQL_SHOW) note_show(c, command);
    else {
        note_statement(c, why_command(command), &command->node);
        walk_command(c, command);
    }
}

static void note_any(struct classify *c, const struct ast *node) {
    switch ((enum ast_kind)node->kind) {
    case AST_SELECT: case AST_SETOP: case AST_VALUES:
        note_read(c, node);
        classify_walk(c, node);
        break;
    case AST_INSERT: case AST_UPDATE: case AST_DELETE: case AST_MERGE: classify_walk(c, node); break;
    case AST_COPY: note_copy(c, AST_AS(copy, COPY, node)); break;
    case AST_COMMAND: note_command(c, AST_AS(command, COMMAND, node)); break;
    default: note_statement(c, CLASSIFY_OTHER_STATEMENT, node); break;
    }
}

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

void classify_begin(struct classify *c, struct bytes text, const struct classify_options *options, struct arena *arena) {
    *c = (struct classify){.text = text, .options = options, .arena = arena, .common = 0xff};
    c->end = &c->result.reasons;
}

static bool is_query(const struct sql_statement *s) {
    if (s->outcome != SQL_PARSED) return false;
    return s->ast->kind == AST_SELECT || s->ast->kind == AST_SETOP || s->ast->kind == AST_VALUES;
}

void classify_statement(struct classify *c, const struct sql_statement *s) {
    struct classify_subject subject = {.about = CLASSIFY_STATEMENT, .position = s->start};
    if (s->outcome == SQL_EMPTY) return;
    if (!is_query(s)) classify_deny_copies(c);
    if (s->outcome == SQL_UNKNOWN) {
        subject.position = s->problem.position;
        subject.detail = bytes_str(s->problem.reason ? s->problem.reason : "");
        classify_note(c, CLASSIFY_NOT_READ, &subject);
    } else if (c->options->sql->dialect != SQL_POSTGRES) {
        classify_note(c, CLASSIFY_OTHER_DIALECT, &subject);
    } else {
        note_any(c, s->ast);
        classify_copy_statement(c, s->ast);
    }
}

static void note_hint(void *ctx, struct bytes word, uint32_t position, bool is_known) {
    enum classify_why why = bytes_is(word, hint_route_name(HINT_PRIMARY)) ? CLASSIFY_HINT_PRIMARY : CLASSIFY_HINT_TAKEN;
    struct classify_subject subject = {.about = CLASSIFY_HINT, .position = position, .name = word};
    classify_note(ctx, is_known ? why : CLASSIFY_HINT_UNKNOWN, &subject);
}

void classify_hints(struct classify *c) {
    if (c->options->takes_hints) c->result.hint = hint_read(c->text, c->options->sql, note_hint, c);
}

static void classify_under(struct bytes text, const struct classify_options *options, struct arena *arena,
                           struct classify_result *out) {
    struct classify c;
    struct sql_statement s;
    classify_begin(&c, text, options, arena);
    struct sql_reader *reader = sql_reader_new(text, options->sql, arena);
    while (reader && sql_reader_next(reader, &s)) classify_statement(&c, &s);
    if (!reader || arena->failed) {
        struct classify_subject subject = {.about = CLASSIFY_STATEMENT};
        classify_note(&c, CLASSIFY_OUT_OF_MEMORY, &subject);
    }
    classify_hints(&c);
    *out = c.result;
}

void classify_text(struct bytes text, const struct classify_options *options, struct arena *arena, struct classify_result *out) {
    classify_under(text, options, arena, out);
    if (options->is_sure_of_strings || options->sql->dialect != SQL_POSTGRES) return;
    if (!text.len || !memchr(text.ptr, '\\', text.len)) return;
    struct sql_options other = *options->sql;
    struct classify_options again = *options;
    struct classify_result result;
    other.modes ^= SQL_STANDARD_STRINGS;
    again.sql = &other;
    classify_under(text, &again, arena, &result);
    unsigned transaction = out->transaction | result.transaction;
    bool is_fresh = out->is_fresh || result.is_fresh, may_write = out->may_write || result.may_write;
    uint8_t copies = out->copies & result.copies;
    enum classify_place within = result.within > out->within ? result.within : out->within;
    if (result.place > out->place) *out = result;
    out->within = within;
    out->transaction = transaction;
    out->is_fresh = is_fresh;
    out->may_write = may_write;
    out->copies = copies;
}
