/*
 * facts.c - parser_facts: what the parser says of every text of a corpus, one line of JSON a text, for the oracles.
 *
 *      parser_facts [--dialect postgres|mysql] [--flavour mysql|mariadb] [--version 150000] CORPUS
 *
 *      {"statements":[{"start":0,"end":40,"kind":"SELECT","reads":["s.t"],"writes":[],"functions":["count"],
 *                      "constants":["1","'a'"],"params":[1]},
 *                     {"start":41,"end":50,"unknown":{"position":44,"reason":"..."}}]}
 *
 * A corpus is, for each text, its length (uint32, little-endian) and its bytes. Empty statements are not told of.
 * Tables, functions, constants and parameters are those of queries and statements that change rows, COPY among them,
 * and of such statements inside EXPLAIN, PREPARE, DECLARE and the commands that make something of a query (views,
 * CREATE TABLE AS). What counts as which is said in pg_query.py, which takes the same facts from another parser.
 *
 * It owns the walk with the scopes of CTEs and the printing. It takes nothing from the parser but parser.h and ast.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parser/parser.h"

enum { ARENA_MAX = 256 << 20, NAME_MAX_BYTES = 1024 };

/* A name, constant or parameter; `at` orders those that are told in the order of the text. */
struct fact {
    struct bytes text;
    uint32_t at;
    uint32_t number;
};

struct fact_list {
    struct fact *items;
    size_t count, cap;
};

struct facts {
    struct bytes text;
    struct arena *arena;
    struct fact_list reads, writes, functions, constants, params;
    struct fact_list scope; /* names of the CTEs that may be meant here, innermost last */
};

static void die(const char *what) {
    fprintf(stderr, "parser_facts: %s\n", what);
    exit(1);
}

static void add(struct fact_list *list, struct fact fact) {
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->items = realloc(list->items, list->cap * sizeof(*list->items));
        if (!list->items) die("out of memory");
    }
    list->items[list->count++] = fact;
}

/* ---- collecting ------------------------------------------------------------------------------------------------------ */

static void collect(struct facts *f, const struct ast *node);

static void collect_list(struct facts *f, const struct ast *node) {
    for (; node; node = node->next) collect(f, node);
}

static void collect_below(struct facts *f, const struct ast *node) {
    for (int i = 0, n = ast_slot_count(node); i < n; i++) collect_list(f, ast_slot(node, i));
}

/* a.b.c, in the arena. */
static struct bytes dotted(struct facts *f, const struct ast *names) {
    size_t len = 0;
    for (const struct ast *n = names; n; n = n->next) {
        if (n->kind == AST_NAME) len += AST_AS(name, NAME, n)->text.len + 1;
    }
    uint8_t *out = arena_alloc(f->arena, len + 1), *end = out;
    if (!out) die("out of memory");
    for (const struct ast *n = names; n; n = n->next) {
        if (n->kind != AST_NAME) continue;
        struct bytes part = AST_AS(name, NAME, n)->text;
        if (end > out) *end++ = '.';
        if (part.len) memcpy(end, part.ptr, part.len);
        end += part.len;
    }
    return bytes_of(out, (size_t)(end - out));
}

static void add_names(struct facts *f, struct fact_list *list, const struct ast *names) {
    if (names) add(list, (struct fact){.text = dotted(f, names), .at = names->start});
}

static void collect_read(struct facts *f, const struct ast_table *t) {
    if (t->names && !t->names->next && t->names->kind == AST_NAME) {
        struct bytes name = AST_AS(name, NAME, t->names)->text;
        for (size_t i = f->scope.count; i-- > 0;) {
            if (bytes_equal(f->scope.items[i].text, name)) return;
        }
    }
    add_names(f, &f->reads, t->names);
}

/* What a table's name carries: TABLESAMPLE with its arguments. */
static void collect_around_table(struct facts *f, const struct ast_table *t) {
    collect_list(f, t->sample);
    collect_list(f, t->period);
}

/* The targets of a change: tables by name are written, whatever else stands there (MySQL's joins) is read. */
static void collect_written(struct facts *f, const struct ast *node) {
    for (; node; node = node->next) {
        if (node->kind == AST_TABLE) {
            add_names(f, &f->writes, AST_AS(table, TABLE, node)->names);
            collect_around_table(f, AST_AS(table, TABLE, node));
        } else {
            collect(f, node);
        }
    }
}

/* WITH: a CTE is known to those behind it; if RECURSIVE, to all of them. */
static void collect_with(struct facts *f, const struct ast *node) {
    const struct ast_with *with = AST_AS(with, WITH, node);
    bool is_recursive = node->flags & AST_WITH_RECURSIVE;
    for (const struct ast *c = with->ctes; is_recursive && c; c = c->next) {
        add(&f->scope, (struct fact){.text = dotted(f, AST_AS(cte, CTE, c)->name)});
    }
    for (const struct ast *c = with->ctes; c; c = c->next) {
        collect_below(f, c);
        if (!is_recursive) add(&f->scope, (struct fact){.text = dotted(f, AST_AS(cte, CTE, c)->name)});
    }
}

static void collect_slots_but(struct facts *f, const struct ast *node, const struct ast *skipped) {
    for (int i = 0, n = ast_slot_count(node); i < n; i++) {
        const struct ast *slot = ast_slot(node, i);
        if (slot && slot != skipped && slot->kind != AST_WITH) collect_list(f, slot);
    }
}

/* A statement that may begin with WITH; `written` is its slot of targets, or NULL. */
static void collect_statement(struct facts *f, const struct ast *node, const struct ast *with, const struct ast *written) {
    size_t scope = f->scope.count;
    if (with) collect_with(f, with);
    if (written) collect_written(f, written);
    collect_slots_but(f, node, written);
    f->scope.count = scope;
}

static void collect_copy(struct facts *f, const struct ast *node) {
    const struct ast_copy *copy = AST_AS(copy, COPY, node);
    if (copy->table) {
        add_names(f, node->flags & AST_COPY_FROM ? &f->writes : &f->reads, AST_AS(table, TABLE, copy->table)->names);
    }
    collect_list(f, copy->query);
    collect_list(f, copy->where);
}

static void collect_func(struct facts *f, const struct ast *node) {
    const struct ast_func *func = AST_AS(func, FUNC, node);
    add_names(f, &f->functions, func->names);
    if (node->op == CALL_BARE) return; /* CURRENT_TIMESTAMP(3): a precision */
    collect_slots_but(f, node, func->names);
}

/* INTERVAL '1' SECOND (2): the fields behind the constant are part of its type's name, as in CAST(... AS INTERVAL SECOND (2)). */
static void collect_cast(struct facts *f, const struct ast *node) {
    collect_slots_but(f, node, node->op == CAST_PREFIX ? AST_AS(cast, CAST, node)->options : NULL);
}

static void collect_into(struct facts *f, const struct ast *node) {
    if (node->op == INTO_TABLE) collect_written(f, AST_AS(into, INTO, node)->targets);
    else collect_below(f, node);
}

/* Commands around a statement; of others nothing is told. */
static void collect_command(struct facts *f, const struct ast *node) {
    const struct ast_command *c = AST_AS(command, COMMAND, node);
    bool is_around = node->op == SQL_EXPLAIN || node->op == SQL_PREPARE || node->op == SQL_DECLARE;
    if (node->op == SQL_CREATE) {
        is_around = c->object == SQL_OBJECT_VIEW || c->object == SQL_OBJECT_TABLE_AS || c->object == SQL_OBJECT_MATERIALIZED_VIEW;
    }
    if (!is_around) return;
    size_t scope = f->scope.count;
    if (node->flags & AST_COMMAND_RECURSIVE && c->objects) { /* RECURSIVE VIEW v AS ... is WITH RECURSIVE v AS (...) */
        const struct ast *name = AST_AS(table, TABLE, c->objects)->names;
        while (name->next) name = name->next;
        add(&f->scope, (struct fact){.text = dotted(f, name)});
    }
    collect_list(f, c->query);
    f->scope.count = scope;
}

static void collect_table(struct facts *f, const struct ast *node) {
    collect_read(f, AST_AS(table, TABLE, node));
    collect_around_table(f, AST_AS(table, TABLE, node));
}

static void collect_literal(struct facts *f, const struct ast *node) {
    add(&f->constants, (struct fact){.text = bytes_of(f->text.ptr + node->start, node->end - node->start), .at = node->start});
}

static void collect(struct facts *f, const struct ast *node) {
    switch (node->kind) {
    case AST_SELECT: collect_statement(f, node, AST_AS(select, SELECT, node)->with, NULL); break;
    case AST_SETOP: collect_statement(f, node, AST_AS(setop, SETOP, node)->with, NULL); break;
    case AST_VALUES: collect_statement(f, node, AST_AS(values, VALUES, node)->with, NULL); break;
    case AST_INSERT: collect_statement(f, node, AST_AS(insert, INSERT, node)->with, AST_AS(insert, INSERT, node)->table); break;
    case AST_UPDATE: collect_statement(f, node, AST_AS(update, UPDATE, node)->with, AST_AS(update, UPDATE, node)->tables); break;
    case AST_DELETE: collect_statement(f, node, AST_AS(delete, DELETE, node)->with, AST_AS(delete, DELETE, node)->tables); break;
    case AST_MERGE: collect_statement(f, node, AST_AS(merge, MERGE, node)->with, AST_AS(merge, MERGE, node)->table); break;
    case AST_COPY: collect_copy(f, node); break;
    case AST_COMMAND: collect_command(f, node); break;
    case AST_TABLE: collect_table(f, node); break;
    case AST_INTO: collect_into(f, node); break;
    case AST_FUNC: collect_func(f, node); break;
    case AST_CAST: collect_cast(f, node); break;
    case AST_LITERAL: collect_literal(f, node); break;
    case AST_PARAM: add(&f->params, (struct fact){.at = node->start, .number = AST_AS(param, PARAM, node)->number}); break;
    case AST_LOCK: /* FOR UPDATE OF names what FROM has named */
    case AST_TYPE: /* its modifiers are part of its name */ break;
    default: collect_below(f, node); break;
    }
}

/* ---- printing -------------------------------------------------------------------------------------------------------- */

static int compare_text(const void *a, const void *b) {
    struct bytes x = ((const struct fact *)a)->text, y = ((const struct fact *)b)->text;
    size_t len = x.len < y.len ? x.len : y.len;
    int order = len ? memcmp(x.ptr, y.ptr, len) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static int compare_place(const void *a, const void *b) {
    uint32_t x = ((const struct fact *)a)->at, y = ((const struct fact *)b)->at;
    return (x > y) - (x < y);
}

static void print_string(struct bytes s) {
    putchar('"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

static void print_facts(const char *name, struct fact_list *list, int (*order)(const void *, const void *), bool is_numbers) {
    if (list->count) qsort(list->items, list->count, sizeof(*list->items), order);
    printf(",\"%s\":[", name);
    for (size_t i = 0; i < list->count; i++) {
        if (i) putchar(',');
        if (is_numbers) printf("%u", list->items[i].number);
        else print_string(list->items[i].text);
    }
    putchar(']');
    list->count = 0;
}

static void print_statement(struct facts *f, const struct sql_statement *s) {
    char name[NAME_MAX_BYTES];
    printf("{\"start\":%u,\"end\":%u", s->start, s->end);
    if (s->outcome == SQL_UNKNOWN) {
        printf(",\"unknown\":{\"position\":%u,\"reason\":", s->problem.position);
        print_string(bytes_str(s->problem.reason));
        printf("}}");
        return;
    }
    printf(",\"kind\":");
    print_string(bytes_str(ast_statement_name(s->ast, name, sizeof(name))));
    collect(f, s->ast);
    print_facts("reads", &f->reads, compare_text, false);
    print_facts("writes", &f->writes, compare_text, false);
    print_facts("functions", &f->functions, compare_text, false);
    print_facts("constants", &f->constants, compare_place, false);
    print_facts("params", &f->params, compare_place, true);
    putchar('}');
}

static void print_text(struct facts *f, const struct sql_options *options) {
    struct sql_statement s;
    bool is_first = true;
    arena_reset(f->arena);
    struct sql_reader *r = sql_reader_new(f->text, options, f->arena);
    if (!r) die("out of memory");
    printf("{\"statements\":[");
    while (sql_reader_next(r, &s)) {
        if (s.outcome == SQL_EMPTY) continue;
        if (!is_first) putchar(',');
        is_first = false;
        print_statement(f, &s);
    }
    printf("]}\n");
    fflush(stdout); /* who dies of the next text has told of this one */
}

/* ---- the corpus ------------------------------------------------------------------------------------------------------ */

static struct bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) die("the corpus cannot be read");
    long size = ftell(file);
    uint8_t *data = size > 0 ? malloc((size_t)size) : NULL;
    if (!data || fseek(file, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)size, file) != (size_t)size) {
        die("the corpus cannot be read, or is empty");
    }
    fclose(file);
    return bytes_of(data, (size_t)size);
}

static void print_corpus(struct bytes corpus, const struct sql_options *options) {
    struct arena arena;
    struct facts f = {.arena = &arena};
    arena_init(&arena, ARENA_MAX);
    arena_keep(&arena, ARENA_MAX);
    for (size_t at = 0; at < corpus.len;) {
        if (corpus.len - at < 4) die("the corpus ends within a length");
        const uint8_t *p = corpus.ptr + at;
        size_t len = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        if (len > corpus.len - at - 4) die("the corpus ends within a text");
        /* A copy of just this size, so that a sanitizer sees who reads beyond a text's end. */
        uint8_t *text = malloc(len ? len : 1);
        if (!text) die("out of memory");
        memcpy(text, p + 4, len);
        f.text = bytes_of(text, len);
        print_text(&f, options);
        free(text);
        at += 4 + len;
    }
    struct fact_list *lists[] = {&f.reads, &f.writes, &f.functions, &f.constants, &f.params, &f.scope};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) free(lists[i]->items);
    arena_release(&arena);
}

static void usage(void) {
    die("usage: parser_facts [--dialect postgres|mysql] [--flavour mysql|mariadb] [--version 150000] CORPUS");
}

int main(int argc, char **argv) {
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    const char *flavour = NULL, *version = NULL;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--dialect") == 0) {
            if (strcmp(argv[i + 1], "mysql") != 0 && strcmp(argv[i + 1], "postgres") != 0) usage();
            options = sql_options_default(strcmp(argv[i + 1], "mysql") == 0 ? SQL_MYSQL : SQL_POSTGRES);
        } else if (strcmp(argv[i], "--flavour") == 0) {
            flavour = argv[i + 1];
        } else if (strcmp(argv[i], "--version") == 0) {
            version = argv[i + 1];
        } else {
            usage();
        }
    }
    if (i + 1 != argc) usage();
    if (flavour) options.flavour = strcmp(flavour, "mariadb") == 0 ? SQL_FLAVOUR_MARIADB : SQL_FLAVOUR_MYSQL;
    if (version) options.version = (uint32_t)strtoul(version, NULL, 10);
    struct bytes corpus = read_file(argv[i]);
    print_corpus(corpus, &options);
    free((void *)(uintptr_t)corpus.ptr);
    return fflush(stdout) == 0 ? 0 : 1;
}
