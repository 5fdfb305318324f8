/*
 * bench_parser.c - the parser beside libpg_query, in one process, in alternating rounds.
 *
 *      bench_parser [CORPUS]
 *
 * For each text: nanoseconds a call of the full tree here, of libpg_query's raw parse (PostgreSQL's own parser, its tree kept
 * in memory) and of its protobuf parse; medians of rounds, and the ratio of paired rounds. CORPUS is the file that
 * tests/parser/corpus_pg makes: every text of PostgreSQL's regression suite, one after the other. Then the speed of the
 * fingerprint in MB of text a second, and how often the heap was asked for memory after warm-up.
 *
 * libpg_query's header does not show its raw parse; the library exports it (declared below as version 4.0 has it).
 */
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "parser/fingerprint.h"
#include "parser/parser.h"

/* ---- libpg_query, what its header leaves out ------------------------------------------------------------------------- */

struct raw_result {
    void *tree;
    char *stderr_buffer;
    PgQueryError *error;
};
struct raw_result pg_query_raw_parse(const char *input);
void *pg_query_enter_memory_context(void);
void pg_query_exit_memory_context(void *context);
void pg_query_free_error(PgQueryError *error);

/* ---- counting what the heap is asked for ----------------------------------------------------------------------------- */

/* glibc's own names of what this program puts a counter in front of. */
void *__libc_malloc(size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_calloc(size_t count, size_t size);
static uint64_t heap_calls;

void *malloc(size_t size) {
    heap_calls++;
    return __libc_malloc(size);
}
void *realloc(void *ptr, size_t size) {
    heap_calls++;
    return __libc_realloc(ptr, size);
}
void *calloc(size_t count, size_t size) {
    heap_calls++;
    return __libc_calloc(count, size);
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 11, TEXTS_MAX = 64 * 1024, INSERT_ROWS = 1000, ROUND_NS = 60 * 1000 * 1000 };

struct text_set {
    const char *name;
    struct bytes *texts; /* each with a NUL behind it */
    size_t count;
    size_t bytes;
};

static const char point_select[] = "SELECT c FROM sbtest1 WHERE id=$1";
static const char pgbench_update[] = "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2";
static const char join_group[] =
    "SELECT c.name, count(*) AS orders, sum(oi.quantity * oi.price) AS total FROM customers c JOIN orders o ON "
    "o.customer_id = c.id JOIN order_items oi ON oi.order_id = o.id WHERE o.created_at >= $1 AND o.status IN ('paid', "
    "'shipped') AND c.region = $2 GROUP BY c.name HAVING sum(oi.quantity * oi.price) > 100 ORDER BY total DESC LIMIT 20";

static struct text_set one(const char *name, const char *text) {
    struct bytes *texts = malloc(sizeof *texts);
    *texts = bytes_str(text);
    return (struct text_set){name, texts, 1, texts->len};
}

static struct text_set insert_of_rows(void) {
    struct writer w;
    writer_init(&w, 1 << 20);
    writer_str(&w, "INSERT INTO events (id, name, price, at, note) VALUES ");
    for (int i = 0; i < INSERT_ROWS; i++) {
        writer_fmt(&w, "%s(%d, 'event number %d', %d.%02d, '2026-11-22 10:%02d:%02d', NULL)", i ? ", " : "", i * 7919, i, i % 1000, i % 100,
                   i / 60 % 60, i % 60);
    }
    writer_u8(&w, 0);
    struct text_set set = one("INSERT of 1,000 rows", (const char *)w.data);
    return set;
}

static struct text_set corpus(const char *path) {
    struct text_set set = {.name = "regression corpus"};
    FILE *file = fopen(path, "rb");
    uint8_t head[4];
    if (!file) {
        fprintf(stderr, "bench_parser: %s cannot be opened\n", path);
        exit(1);
    }
    set.texts = malloc(TEXTS_MAX * sizeof *set.texts);
    while (set.count < TEXTS_MAX && fread(head, 1, 4, file) == 4) {
        uint32_t len = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
        uint8_t *text = malloc((size_t)len + 1);
        if (fread(text, 1, len, file) != len) break;
        text[len] = 0;
        set.texts[set.count++] = bytes_of(text, len);
        set.bytes += len;
    }
    fclose(file);
    return set;
}

/* ---- the contestants ------------------------------------------------------------------------------------------------- */

static struct sql_options options;
static struct arena arena;
static struct writer out;
static uint64_t sink; /* keeps results from being optimised away */

static void parse_here(struct bytes text) {
    struct sql_statement s;
    struct sql_reader *reader = sql_reader_new(text, &options, &arena);
    while (reader && sql_reader_next(reader, &s)) sink += s.end;
    arena_reset(&arena);
}

static void parse_raw(struct bytes text) {
    void *context = pg_query_enter_memory_context();
    struct raw_result result = pg_query_raw_parse((const char *)text.ptr);
    sink += (uintptr_t)result.tree;
    free(result.stderr_buffer);
    if (result.error) pg_query_free_error(result.error);
    pg_query_exit_memory_context(context);
}

static void parse_protobuf(struct bytes text) {
    PgQueryProtobufParseResult result = pg_query_parse_protobuf((const char *)text.ptr);
    sink += result.parse_tree.len;
    pg_query_free_protobuf_parse_result(result);
}

static void fingerprint_here(struct bytes text) {
    struct fingerprint fingerprint;
    struct sql_problem problem;
    writer_reset(&out);
    if (fingerprint_make(text, &options, &out, &fingerprint, &problem)) sink += fingerprint.hash;
}

/* ---- measuring ------------------------------------------------------------------------------------------------------- */

typedef void contestant(struct bytes text);

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds for each text of the set, over `passes` passes. */
static double run(const struct text_set *set, contestant *f, size_t passes) {
    double start = cpu_ns();
    for (size_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < set->count; i++) f(set->texts[i]);
    }
    return (cpu_ns() - start) / (double)(passes * set->count);
}

static size_t passes_for(const struct text_set *set, contestant *f) {
    double once = run(set, f, 1) * (double)set->count;
    once = run(set, f, 1) * (double)set->count;
    return once > ROUND_NS ? 1 : (size_t)(ROUND_NS / once) + 1;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values) {
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static void compare(const struct text_set *set, double bar) {
    double here[ROUNDS], raw[ROUNDS], protobuf[ROUNDS], ratio[ROUNDS];
    size_t n_here = passes_for(set, parse_here), n_raw = passes_for(set, parse_raw), n_protobuf = passes_for(set, parse_protobuf);
    uint64_t calls = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = heap_calls;
        here[i] = run(set, parse_here, n_here);
        calls += heap_calls - before;
        raw[i] = run(set, parse_raw, n_raw);
        ratio[i] = here[i] / raw[i];
        protobuf[i] = run(set, parse_protobuf, n_protobuf);
    }
    double r = median(ratio);
    printf("%-22s %8zu %10.0f %10.0f %10.0f   %5.3f %-6s %6llu\n", set->name, set->bytes / set->count, median(here), median(raw),
           median(protobuf), r, r <= bar ? "met" : "MISSED", (unsigned long long)calls);
}

/* The set's texts as one, those with tokens to their ends: a cost for each text alone does not count here. */
static struct text_set concatenated(const struct text_set *set) {
    struct writer all;
    struct fingerprint fingerprint;
    struct sql_problem problem;
    writer_init(&all, 64 << 20);
    for (size_t i = 0; i < set->count; i++) {
        writer_reset(&out);
        if (!fingerprint_make(set->texts[i], &options, &out, &fingerprint, &problem)) continue;
        writer_put(&all, set->texts[i]);
        writer_str(&all, "\n;\n"); /* the text may end in a comment */
    }
    writer_u8(&all, 0);
    struct text_set one_text = {.name = "the same, one text", .texts = malloc(sizeof(struct bytes)), .count = 1};
    one_text.texts[0] = bytes_of(all.data, all.len - 1);
    one_text.bytes = one_text.texts[0].len;
    return one_text;
}

/* MB of text a second; and how many times that is what the raw parse reads of `others`, in alternating rounds. */
static void speed(const struct text_set *set, const struct text_set *others, double bar) {
    double mb[ROUNDS], times[ROUNDS];
    size_t n = passes_for(set, fingerprint_here), n_raw = passes_for(others, parse_raw);
    double bytes = (double)set->bytes / (double)set->count, raw_bytes = (double)others->bytes / (double)others->count;
    uint64_t calls = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = heap_calls;
        double ns = run(set, fingerprint_here, n);
        calls += heap_calls - before;
        mb[i] = bytes / ns * 1e3;
        times[i] = bytes / ns * run(others, parse_raw, n_raw) / raw_bytes;
    }
    double m = median(mb);
    printf("%-22s %8zu %10.0f MB/s, bar %.0f %-6s %10.1f %6llu\n", set->name, set->bytes / set->count, m, bar,
           m >= bar ? "met" : "MISSED", median(times), (unsigned long long)calls);
}

int main(int argc, char **argv) {
    options = sql_options_default(SQL_POSTGRES);
    options.version = 150000;
    arena_init(&arena, (size_t)256 << 20);
    arena_keep(&arena, (size_t)16 << 20);
    writer_init(&out, 16 << 20);
    struct text_set sets[] = {one("point SELECT", point_select), one("pgbench UPDATE", pgbench_update),
                              one("3-way join, grouped", join_group), insert_of_rows(), {0}};
    size_t count = 4;
    if (argc > 1) sets[count++] = corpus(argv[1]);
    printf("nanoseconds a text, medians of %d rounds; ratio: here / libpg_query's raw parse, bar 0.5\n", ROUNDS);
    printf("%-22s %8s %10s %10s %10s   %-12s %6s\n", "text", "bytes", "gilmok", "raw", "protobuf", "ratio", "malloc");
    for (size_t i = 0; i < count; i++) compare(&sets[i], 0.5);
    printf("\nfingerprint, text a second; that divided by the raw parse's; calls of the heap after warm-up\n");
    if (count > 4) {
        struct text_set whole = concatenated(&sets[4]);
        speed(&sets[4], &sets[4], 250);
        speed(&whole, &sets[4], 250);
    }
    speed(&sets[3], &sets[3], 500);
    return sink == 1;
}
