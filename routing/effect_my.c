/*
 * effect_my.c - one walk over each tree: commands by their verb, calls by their name. SET is in effect_my_set.c, what
 * expressions are made of in effect_my_call.c.
 */
#include "routing/effect_my.h"

#include <strings.h>

#include "routing/effect_my_walk.h"
#include "routing/values_my.h"

bool effect_my_says(const struct finding_my *f, const struct ast *node, const char *word) {
    if (!node || node->end - node->start != strlen(word)) return false;
    return strncasecmp((const char *)f->text.ptr + node->start, word, strlen(word)) == 0;
}

/* The words that an option is. */
static struct bytes option_words(const struct ast *node) {
    const struct ast *name = node && node->kind == AST_OPTION ? AST_AS(option, OPTION, node)->name : NULL;
    return name && name->kind == AST_NAME ? AST_AS(name, NAME, name)->text : bytes_of(NULL, 0);
}

static bool has_option(const struct ast *options, const char *words) {
    for (const struct ast *o = options; o; o = o->next)
        if (bytes_is(option_words(o), words)) return true;
    return false;
}

static bool has_user_variable(const struct ast *list) {
    for (const struct ast *n = list; n; n = n->next)
        if (n->kind == AST_VARIABLE && n->op == SCOPE_USER) return true;
    return false;
}

/* ---- commands that are more than their verb -------------------------------------------------------------------------- */

/* What a definition has in it does not run; the query that fills a table does, and when an event is to begin is computed. */
static void note_create(struct finding_my *f, const struct ast_command *c) {
    if (c->node.flags & AST_COMMAND_TEMPORARY) f->effects |= EFFECT_MY_TEMP;
    if (c->object == SQL_OBJECT_TABLE) effect_my_walk(f, c->query);
    if (c->object == SQL_OBJECT_EVENT) effect_my_walk(f, c->options);
    bool drops = c->node.flags & AST_COMMAND_OR_REPLACE;
    if (c->object == SQL_OBJECT_DATABASE && drops) f->effects |= EFFECT_MY_SCHEMA;
}

/* A new column's default is computed for the rows that are there. */
static void note_alter(struct finding_my *f, const struct ast_command *c) {
    if (c->object == SQL_OBJECT_DATABASE && has_option(c->options, "upgrade data directory name")) f->effects |= EFFECT_MY_SCHEMA;
    if (c->object == SQL_OBJECT_TABLE) effect_my_walk(f, c->elements);
    if (c->object == SQL_OBJECT_TABLE || c->object == SQL_OBJECT_EVENT) effect_my_walk(f, c->options);
}

static void note_show(struct finding_my *f, const struct ast_command *c) {
    if (c->object == SQL_OBJECT_WARNINGS) f->effects |= EFFECT_MY_ASKS_WARNINGS;
    effect_my_walk(f, c->args);
}

/* { @name | name } = item ... */
static void note_diagnostics(struct finding_my *f, const struct ast_command *c) {
    f->effects |= EFFECT_MY_ASKS_WARNINGS | EFFECT_MY_KEEPS_COUNT;
    for (const struct ast *a = c->args; a; a = a->next)
        if (a->kind == AST_ASSIGNMENT && has_user_variable(AST_AS(assignment, ASSIGNMENT, a)->targets))
            f->effects |= EFFECT_MY_USER_VARS;
}

/*
 * The servers compute what is constant before they explain: EXPLAIN SELECT * FROM t WHERE a = (@x := 1) sets @x. So it is read as
 * if it ran.
 */
static void note_explain(struct finding_my *f, const struct ast_command *c) {
    if (has_option(c->options, "into")) f->effects |= EFFECT_MY_USER_VARS;
    effect_my_walk(f, c->args);
    effect_my_walk(f, c->query);
}

static unsigned effect_of_flush(const struct ast_command *c) {
    bool locks = has_option(c->args, "with read lock") || has_option(c->args, "with read lock and disable checkpoint") ||
                 has_option(c->args, "for export");
    return locks ? EFFECT_MY_LOCKS : 0;
}

/* STAGE name | LOCK table | UNLOCK */
static unsigned effect_of_backup(const struct finding_my *f, const struct ast_command *c) {
    if (has_option(c->options, "unlock")) return EFFECT_MY_UNLOCKS;
    bool is_end = has_option(c->options, "stage") && effect_my_says(f, AST_AS(option, OPTION, c->options)->values, "end");
    return is_end ? EFFECT_MY_UNLOCKS : EFFECT_MY_LOCKS;
}

static unsigned effect_of_drop(const struct ast_command *c) {
    return c->object == SQL_OBJECT_DATABASE || c->object == SQL_OBJECT_SCHEMA ? EFFECT_MY_SCHEMA : 0;
}

/* ---- commands -------------------------------------------------------------------------------------------------------- */

/* What the verb leaves, beyond what is found below it. Those that stored programs alone have are none of a text's. */
static unsigned effect_of_verb(const struct finding_my *f, const struct ast_command *c) {
    switch ((enum sql_verb)c->node.op) {
    case SQL_ANALYZE: case SQL_BEGIN: case SQL_CACHE: case SQL_CHANGE: case SQL_CHECK: case SQL_CHECKSUM: case SQL_CLONE:
    case SQL_DEALLOCATE: case SQL_DESCRIBE: case SQL_DO: case SQL_GRANT: case SQL_HELP: case SQL_IMPORT: case SQL_INSTALL:
    case SQL_KILL: case SQL_LOAD: case SQL_OPTIMIZE: case SQL_PURGE: case SQL_RELEASE: case SQL_RENAME: case SQL_REPAIR:
    case SQL_RESET: case SQL_RESIGNAL: case SQL_RESTART: case SQL_REVOKE: case SQL_ROLLBACK_TO: case SQL_SAVEPOINT:
    case SQL_SHUTDOWN: case SQL_SIGNAL: case SQL_START: case SQL_STOP: case SQL_TRUNCATE: case SQL_UNINSTALL:
        return 0;
    case SQL_COMMIT: case SQL_ROLLBACK: return c->node.flags & AST_COMMAND_RELEASE ? EFFECT_MY_CHAIN : 0;
    case SQL_BACKUP: return effect_of_backup(f, c);
    case SQL_CALL: return EFFECT_MY_ROUTINE;
    case SQL_DROP: return effect_of_drop(c);
    case SQL_EXECUTE: return EFFECT_MY_PREPARES | EFFECT_MY_ROUTINE;
    case SQL_FLUSH: return effect_of_flush(c);
    case SQL_HANDLER: return effect_my_says(f, c->options, "open") ? EFFECT_MY_HANDLER : 0;
    case SQL_LOCK: return EFFECT_MY_LOCKS;
    case SQL_PREPARE: return EFFECT_MY_PREPARES;
    case SQL_UNLOCK: return EFFECT_MY_UNLOCKS;
    case SQL_USE: return EFFECT_MY_SCHEMA;
    case SQL_XA_COMMIT: case SQL_XA_END: case SQL_XA_PREPARE: case SQL_XA_RECOVER: case SQL_XA_ROLLBACK: case SQL_XA_START:
        return EFFECT_MY_XA;
    default: return EFFECT_MY_UNREAD;
    }
}

static void note_command(struct finding_my *f, const struct ast_command *c) {
    switch ((enum sql_verb)c->node.op) {
    case SQL_COMPOUND: f->effects |= EFFECT_MY_ROUTINE; return;
    case SQL_ALTER: note_alter(f, c); return;
    case SQL_CREATE: note_create(f, c); return;
    case SQL_EXPLAIN: note_explain(f, c); return;
    case SQL_GET_DIAGNOSTICS: note_diagnostics(f, c); return;
    case SQL_SET: effect_my_note_set(f, c); return;
    case SQL_SHOW: note_show(f, c); return;
    default: break;
    }
    f->effects |= effect_of_verb(f, c);
    effect_my_walk(f, c->args);
    effect_my_walk(f, c->elements);
    effect_my_walk(f, c->options);
    effect_my_walk(f, c->query);
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

static bool visit(struct ast *node, void *ctx) {
    struct finding_my *f = ctx;
    switch ((enum ast_kind)node->kind) {
    case AST_NAME: case AST_LITERAL: case AST_TYPE: return false;
    case AST_COLUMN: effect_my_note_column(f, AST_AS(column, COLUMN, node)); return false;
    case AST_VARIABLE: effect_my_note_variable(f, AST_AS(variable, VARIABLE, node)); return false;
    case AST_FUNC: effect_my_note_call(f, AST_AS(func, FUNC, node)); return true;
    case AST_SELECT:
        if (node->flags & AST_SELECT_CALC_FOUND_ROWS) f->effects |= EFFECT_MY_CALC_ROWS;
        if (AST_AS(select, SELECT, node)->from) f->has_tables = true;
        return true;
    case AST_BINARY:
        if (node->op == OPERATOR_ASSIGN) f->effects |= EFFECT_MY_USER_VARS;
        return true;
    case AST_INTO:
        if (has_user_variable(AST_AS(into, INTO, node)->targets)) f->effects |= EFFECT_MY_USER_VARS;
        return false;
    case AST_LOAD:
        f->effects |= EFFECT_MY_ASKS_COLLATION;
        if (has_user_variable(AST_AS(load, LOAD, node)->columns)) f->effects |= EFFECT_MY_USER_VARS;
        return true;
    case AST_COMMAND: note_command(f, AST_AS(command, COMMAND, node)); return false;
    default: return true;
    }
}

void effect_my_walk(struct finding_my *f, struct ast *list) {
    for (struct ast *n = list; n; n = n->next) ast_walk(n, visit, f);
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

/* SELECT @@warning_count, without tables */
static bool asks_counts_alone(const struct ast *statement) {
    const struct ast_select *s = statement->kind == AST_SELECT ? AST_AS(select, SELECT, statement) : NULL;
    if (!s || s->from || s->into || s->with || s->where) return false;
    for (const struct ast *t = s->targets; t; t = t->next)
        if (t->kind != AST_TARGET || AST_AS(target, TARGET, t)->expr->kind != AST_VARIABLE) return false;
    return s->targets != NULL;
}

static bool is_show_warnings(const struct ast *statement, bool without_limit) {
    const struct ast_command *c = statement->kind == AST_COMMAND ? AST_AS(command, COMMAND, statement) : NULL;
    if (!c || c->node.op != SQL_SHOW || c->object != SQL_OBJECT_WARNINGS) return false;
    return !without_limit || (bytes_is(option_words(c->options), "warnings") && !c->options->next);
}

/* Of MariaDB's: as long as they read from nothing. */
static bool is_without_tables(const struct ast *statement) {
    switch ((enum ast_kind)statement->kind) {
    case AST_SELECT: case AST_SETOP: case AST_VALUES: return true;
    case AST_COMMAND: break;
    default: return false;
    }
    switch ((enum sql_verb)statement->op) {
    case SQL_BEGIN: case SQL_COMMIT: case SQL_DEALLOCATE: case SQL_DO: case SQL_RELEASE: case SQL_ROLLBACK: case SQL_ROLLBACK_TO:
    case SQL_SAVEPOINT: case SQL_SET: case SQL_START: case SQL_UNLOCK: case SQL_USE:
        return true;
    default: return false;
    }
}

/* SHOW CREATE ..., SHOW [ FULL ] PROCESSLIST and others that no table of information_schema answers */
static bool is_show_without_tables(const struct ast_command *c) {
    struct bytes words = option_words(c->options);
    if (c->object == SQL_OBJECT_DATABASE || c->object == SQL_OBJECT_PROCEDURE || c->object == SQL_OBJECT_FUNCTION)
        return words.len > 7 && memcmp(words.ptr, "create ", 7) == 0;
    return bytes_is(words, "processlist") || bytes_is(words, "privileges") || bytes_is(words, "grants") ||
           bytes_is(words, "profiles");
}

/* Of MariaDB's: those that are about no table. */
static bool is_about_no_table(const struct ast *statement) {
    if (is_without_tables(statement)) return true;
    const struct ast_command *c = statement->kind == AST_COMMAND ? AST_AS(command, COMMAND, statement) : NULL;
    if (!c) return false;
    switch ((enum sql_verb)c->node.op) {
    case SQL_ALTER: case SQL_CREATE: case SQL_DROP:
        return c->object == SQL_OBJECT_DATABASE || c->object == SQL_OBJECT_PROCEDURE || c->object == SQL_OBJECT_FUNCTION;
    case SQL_HELP: case SQL_KILL:
    case SQL_XA_COMMIT: case SQL_XA_END: case SQL_XA_PREPARE: case SQL_XA_RECOVER: case SQL_XA_ROLLBACK: case SQL_XA_START:
        return true;
    case SQL_SHOW: return is_show_without_tables(c);
    default: return false;
    }
}

static bool keeps_warnings(const struct finding_my *f, const struct ast *statement, unsigned effects) {
    bool is_mariadb = f->options->flavour == SQL_FLAVOUR_MARIADB;
    if (is_mariadb && !f->has_tables && is_about_no_table(statement) && !(effects & EFFECT_MY_ROUTINE)) return true;
    if (!(effects & EFFECT_MY_ASKS_WARNINGS)) return false;
    bool is_diagnostics = statement->kind == AST_COMMAND && statement->op == SQL_GET_DIAGNOSTICS;
    return is_diagnostics || is_show_warnings(statement, false) || asks_counts_alone(statement);
}

/* Rows come of it, but FOUND_ROWS() is another matter. */
static bool may_return_rows(const struct ast *statement) {
    switch ((enum ast_kind)statement->kind) {
    case AST_INSERT: return AST_AS(insert, INSERT, statement)->returning;
    case AST_UPDATE: return AST_AS(update, UPDATE, statement)->returning;
    case AST_DELETE: return AST_AS(delete, DELETE, statement)->returning;
    case AST_COMMAND: break;
    default: return true;
    }
    bool is_diagnostics = statement->op == SQL_GET_DIAGNOSTICS || is_show_warnings(statement, false);
    return !is_diagnostics && !is_without_tables(statement);
}

/* To the servers SHOW COUNT(*) WARNINGS is SELECT @@warning_count. */
static bool is_show_count(const struct ast *statement) {
    if (!is_show_warnings(statement, false)) return false;
    struct bytes words = option_words(AST_AS(command, COMMAND, statement)->options);
    return bytes_is(words, "count warnings") || bytes_is(words, "count errors");
}

static unsigned rows_of(const struct finding_my *f, const struct ast *statement) {
    bool is_command = statement->kind == AST_COMMAND;
    bool runs_queries = f->has_tables && !(is_command && (statement->op == SQL_EXPLAIN || statement->op == SQL_SHOW));
    bool is_for_query = is_command && statement->op == SQL_SET && AST_AS(command, COMMAND, statement)->query; /* SET STATEMENT */
    if (is_show_count(statement)) return EFFECT_MY_READS;
    if (f->outermost) return f->effects & EFFECT_MY_CALC_ROWS ? 0 : EFFECT_MY_READS;
    bool finds = statement->kind == AST_UPDATE || (is_command && statement->op == SQL_DO);
    if (finds && f->options->flavour == SQL_FLAVOUR_MYSQL) return EFFECT_MY_FINDS_ROWS;
    if (runs_queries || is_for_query || statement->kind == AST_SETOP) return EFFECT_MY_CALC_ROWS;
    return may_return_rows(statement) ? EFFECT_MY_ODD_ROWS : 0;
}

static bool note_statement(struct finding_my *f, struct ast *statement) {
    unsigned before = f->effects;
    f->effects = 0;
    f->has_tables = false;
    f->outermost = statement->kind == AST_SELECT ? statement : NULL;
    effect_my_walk(f, statement);
    bool keeps = keeps_warnings(f, statement, f->effects);
    f->effects |= rows_of(f, statement);
    f->effects |= before;
    return keeps;
}

/* Where it ends is a guess. */
static unsigned effect_of_unread(struct bytes text, const struct sql_statement *s) {
    const uint8_t *semicolon = s->end > s->start ? memchr(text.ptr + s->start, ';', s->end - s->start) : NULL;
    return EFFECT_MY_UNREAD | (semicolon ? EFFECT_MY_MANY : 0);
}

unsigned effect_my_of(struct bytes text, const struct sql_options *options, struct arena *arena,
                      const struct effect_my_ears *ears) {
    bool counts = ears->on_count; /* it wants to know where things stand */
    if (UNLIKELY(text.len >= VALUES_MY_LONG) && !counts) text = values_my_shorten(text, options, arena);
    struct finding_my f = {.ears = ears, .options = options, .arena = arena, .text = text};
    struct sql_statement s;
    struct sql_reader *reader = sql_reader_new(text, options, arena);
    unsigned count = 0, kept = 0;
    bool is_show = false;
    if (!reader) f.effects = EFFECT_MY_UNREAD | EFFECT_MY_MANY;
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_EMPTY) continue;
        count++;
        if (s.outcome == SQL_UNKNOWN) f.effects |= effect_of_unread(text, &s);
        if (s.outcome != SQL_PARSED) continue;
        f.is_behind = count > 1;
        kept += note_statement(&f, s.ast);
        f.is_behind_read |= (f.effects & (EFFECT_MY_READS | EFFECT_MY_CALC_ROWS | EFFECT_MY_ODD_ROWS)) != 0;
        is_show = is_show_warnings(s.ast, true);
    }
    arena_reset(arena);
    if (count > 1) f.effects |= EFFECT_MY_MANY;
    if (count > 1 && f.effects & EFFECT_MY_READS) f.effects = (f.effects & ~(unsigned)EFFECT_MY_READS) | EFFECT_MY_CALC_ROWS;
    if (kept == count) f.effects |= EFFECT_MY_KEEPS_WARNINGS;
    if (count == 1 && is_show) f.effects |= EFFECT_MY_SHOW_WARNINGS;
    return f.effects;
}
