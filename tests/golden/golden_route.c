/*
 * golden_route.c - texts of SQL, where they may go, and why: tests/golden/route (routing/classify.h).
 *
 *     SELECT 1 => replica | SELECT at 0: reads
 *
 * Behind the first word stand the reasons, as `gilmok route` prints them. A text is one line and has no ` => ` in it (write := for named
 * arguments). Lines before it change what is known, up to the next `==`:
 *     @ facts                             a server was asked; what is not below is not there
 *     @ function [schema.]name steady|unsafe|volatile|unknown [because ...]
 *     @ relation [schema.]name table|view|unsafe|sequence|foreign|unlogged|temporary|unknown [because ...]
 *     @ column NAME                       a function of a row that may write has that name
 *     @ everywhere                        volatile code hides behind operators or types
 *     @ read LIST, @ write LIST           functions that the configuration names
 *     @ strings on|off                    standard_conforming_strings, for sure
 *     @ encoding NAME
 *     @ mysql
 *     @ version NUMBER                    150000 for 15
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routing/classify.h"
#include "tests/golden/golden.h"

enum { FACTS_MAX = 32, WORD_MAX = 128 };

struct fact {
    char schema[WORD_MAX], name[WORD_MAX], because[WORD_MAX];
    bool is_function;
    int kind;
};

static struct {
    struct fact facts[FACTS_MAX];
    int count;
    bool has_facts, is_everywhere, is_sure_of_strings;
    char reads[WORD_MAX], writes[WORD_MAX], column[WORD_MAX];
    struct sql_options sql;
} known;

static void begin_case(void) {
    memset(&known, 0, sizeof known);
    known.sql = sql_options_default(SQL_POSTGRES);
}

/* ---- facts ----------------------------------------------------------------------------------------------------------- */

static bool is_fact(const struct fact *f, bool is_function, struct bytes schema, struct bytes name) {
    return f->is_function == is_function && bytes_is(name, f->name) && (!schema.len || bytes_is(schema, f->schema));
}

static struct classify_function of_function(void *ctx, struct bytes schema, struct bytes name) {
    (void)ctx;
    struct classify_function worst = {.kind = CLASSIFY_FUNCTION_NONE};
    for (int i = 0; i < known.count; i++) {
        const struct fact *f = &known.facts[i];
        if (!is_fact(f, true, schema, name) || f->kind <= (int)worst.kind) continue;
        worst = (struct classify_function){.kind = (enum classify_function_kind)f->kind, .because = bytes_str(f->because)};
    }
    return worst;
}

static bool is_unsafe_column(void *ctx, struct bytes name) {
    (void)ctx;
    return bytes_is(name, known.column);
}

static struct classify_relation of_relation(void *ctx, struct bytes schema, struct bytes name) {
    (void)ctx;
    struct classify_relation worst = {.kind = CLASSIFY_RELATION_NONE};
    for (int i = 0; i < known.count; i++) {
        const struct fact *f = &known.facts[i];
        if (!is_fact(f, false, schema, name) || f->kind < (int)worst.kind) continue;
        worst.kind = (enum classify_relation_kind)f->kind;
        worst.because = bytes_str(f->because);
    }
    return worst;
}

/* ---- lines ----------------------------------------------------------------------------------------------------------- */

static int index_of(const char *word, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0) return i;
    return -1;
}

static bool add_fact(const char *line, bool is_function) {
    static const char *const functions[] = {"none", "steady", "unsafe", "volatile", "unknown"};
    static const char *const relations[] = {"none", "table", "view", "unsafe", "sequence", "foreign", "unlogged", "temporary", "unknown"};
    char name[WORD_MAX], kind[WORD_MAX];
    if (known.count == FACTS_MAX) return false;
    struct fact *f = &known.facts[known.count];
    if (sscanf(line, "%127s %127s because %127[^\n]", name, kind, f->because) < 2) return false;
    char *dot = strchr(name, '.');
    if (dot) *dot = '\0';
    snprintf(f->schema, sizeof f->schema, "%s", dot ? name : "public");
    snprintf(f->name, sizeof f->name, "%s", dot ? dot + 1 : name);
    f->is_function = is_function;
    f->kind = is_function ? index_of(kind, functions, COUNT_OF(functions)) : index_of(kind, relations, COUNT_OF(relations));
    known.count++;
    known.has_facts = true;
    return f->kind >= 0;
}

static void note_strings(bool is_on) {
    known.is_sure_of_strings = true;
    known.sql.modes &= ~(uint32_t)SQL_STANDARD_STRINGS;
    if (is_on) known.sql.modes |= SQL_STANDARD_STRINGS;
}

static bool note(const char *line) {
    if (strcmp(line, "facts") == 0) known.has_facts = true;
    else if (strcmp(line, "everywhere") == 0) known.has_facts = known.is_everywhere = true;
    else if (strncmp(line, "strings ", 8) == 0) note_strings(strcmp(line + 8, "on") == 0);
    else if (strcmp(line, "mysql") == 0) known.sql = sql_options_default(SQL_MYSQL);
    else if (strncmp(line, "version ", 8) == 0) known.sql.version = (uint32_t)strtoul(line + 8, NULL, 10);
    else if (strncmp(line, "encoding ", 9) == 0) known.sql.encoding = sql_encoding_of(bytes_str(line + 9));
    else if (strncmp(line, "column ", 7) == 0) snprintf(known.column, sizeof known.column, "%s", line + 7);
    else if (strncmp(line, "read ", 5) == 0) snprintf(known.reads, sizeof known.reads, "%s", line + 5);
    else if (strncmp(line, "write ", 6) == 0) snprintf(known.writes, sizeof known.writes, "%s", line + 6);
    else if (strncmp(line, "function ", 9) == 0) return add_fact(line + 9, true);
    else if (strncmp(line, "relation ", 9) == 0) return add_fact(line + 9, false);
    else return false;
    return true;
}

static void put_flags(const struct classify_result *r, struct writer *out) {
    static const char *const words[] = {"begins", "ends", "sets", "read only", "read write", "serializable", "snapshot", "savepoint"};
    if (r->transaction) writer_str(out, " | transaction:");
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        if (r->transaction & 1u << i) writer_fmt(out, " %s", words[i]);
    if (r->hint.route) writer_fmt(out, " | hint: %s", hint_route_name((enum hint_route)r->hint.route));
    if (r->hint.consistency) writer_fmt(out, " | consistency: %s", hint_consistency_name((enum hint_consistency)r->hint.consistency));
    if (r->hint.has_node) writer_fmt(out, " | node: %.*s", (int)r->hint.node.len, (const char *)r->hint.node.ptr);
}

/* The same text without reasons: the same place, the same one that decides. */
static bool agrees(struct bytes text, const struct classify_options *options, const struct classify_result *r) {
    struct arena arena;
    struct classify_options bare = *options;
    struct classify_result other;
    arena_init(&arena, 1 << 20);
    bare.keeps_reasons = false;
    classify_text(text, &bare, &arena, &other);
    bool ok = other.place == r->place && other.decisive.why == r->decisive.why && other.is_fresh == r->is_fresh &&
              other.transaction == r->transaction && other.hint.route == r->hint.route &&
              other.hint.consistency == r->hint.consistency && !other.reasons;
    arena_release(&arena);
    return ok;
}

static bool step(char *input, struct writer *out) {
    if (strncmp(input, "@ ", 2) == 0) {
        writer_str(out, "noted");
        return note(input + 2);
    }
    const struct classify_facts facts = {.of_function = of_function, .of_relation = of_relation, .is_unsafe_column = is_unsafe_column,
                                        .is_everything_safe = !known.is_everywhere, .everywhere = bytes_str("function f")};
    const struct classify_options options = {.sql = &known.sql, .facts = known.has_facts ? &facts : NULL, .takes_hints = true, .keeps_reasons = true,
                                             .is_sure_of_strings = known.is_sure_of_strings,
                                             .read_functions = bytes_str(known.reads), .write_functions = bytes_str(known.writes)};
    struct arena arena;
    struct classify_result result;
    struct writer line;
    arena_init(&arena, 1 << 20);
    writer_init(&line, 1 << 16);
    classify_text(bytes_str(input), &options, &arena, &result);
    classify_put(&result, &line);
    struct bytes put = writer_bytes(&line);
    const uint8_t *tab = memchr(put.ptr, '\t', put.len);
    bool ok = tab && agrees(bytes_str(input), &options, &result);
    if (tab) {
        writer_put(out, bytes_of(put.ptr, (size_t)(tab - put.ptr)));
        writer_str(out, " | ");
        writer_put(out, bytes_of(tab + 1, put.len - (size_t)(tab - put.ptr) - 1));
        put_flags(&result, out);
    }
    if (!ok) writer_str(out, " WRONG: without reasons it is another answer");
    writer_release(&line);
    arena_release(&arena);
    return ok;
}

int main(int argc, char **argv) {
    static const struct golden_suite suite = {.name = "route", .begin_case = begin_case, .step = step, .counts_lines = true};
    begin_case();
    return golden_main(argc, argv, &suite);
}
