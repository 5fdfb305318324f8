/*
 * roundtrip.c - roundtrip: what must hold of every text of a corpus, whatever it says.
 *
 *      roundtrip postgres|mariadb CORPUS...
 *
 * - An edit list without edits prints the exact text.
 * - With other white space and a comment wherever white space stood (a change that preserves the fingerprint), the
 *   fingerprint is the same, and the trees print the same lines.
 *
 * Ends with 1 when one of them does not, and shows the first such texts; with 77 when no corpus is there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parser/edit.h"
#include "parser/fingerprint.h"
#include "parser/lex.h"
#include "parser/parser.h"

enum { SHOWN_MAX = 10, TEXT_MAX = 64 << 20 };

static struct sql_options options;
static struct arena arena;
static struct writer spaced, lines[2], prints[2], printed;
static size_t texts, wrong, unlexed;

static void tell(const char *what, struct bytes text) {
    if (wrong++ < SHOWN_MAX) printf("%s:\n    %.*s\n", what, (int)(text.len > 2000 ? 2000 : text.len), (const char *)text.ptr);
}

/* The text with more white space where there was some. False: its tokens cannot be told. */
static bool space_out(struct bytes text, struct writer *out) {
    struct lexer l;
    struct token t;
    uint32_t done = 0;
    writer_reset(out);
    lex_init(&l, text, &options);
    for (lex_next(&l, &t); t.kind != TOKEN_END; lex_next(&l, &t)) {
        if (t.kind == TOKEN_ERROR) return false;
        if (!(t.flags & TOKEN_AFTER_SPACE)) continue;
        writer_put(out, bytes_of(text.ptr + done, t.start - done));
        /* In an executable comment no other comment may stand. */
        writer_str(out, l.is_in_executable ? " \n\t" : " \n/* ' ; ( */\t");
        done = t.start;
    }
    writer_put(out, bytes_of(text.ptr + done, text.len - done));
    return !out->failed;
}

/* All lines of the text's statements, a mark for one that is not analysable. */
static void dump_all(struct bytes text, struct writer *out) {
    struct sql_statement s;
    writer_reset(out);
    arena_reset(&arena);
    struct sql_reader *reader = sql_reader_new(text, &options, &arena);
    while (reader && sql_reader_next(reader, &s)) {
        if (s.outcome == SQL_PARSED) ast_dump(s.ast, text, out);
        else writer_str(out, s.outcome == SQL_EMPTY ? "empty" : "unknown");
        writer_u8(out, '\n');
    }
}

static void check_edits(struct bytes text) {
    struct edit_list list;
    arena_reset(&arena);
    writer_reset(&printed);
    edit_init(&list, text, &options, &arena);
    if (!edit_print(&list, &printed) || !bytes_equal(writer_bytes(&printed), text)) tell("an empty edit list changes the text", text);
}

static void check_spaces(struct bytes text) {
    struct fingerprint fingerprints[2];
    struct sql_problem problem;
    if (!space_out(text, &spaced)) {
        unlexed++;
        return;
    }
    const struct bytes both[2] = {text, writer_bytes(&spaced)};
    for (int i = 0; i < 2; i++) {
        dump_all(both[i], &lines[i]);
        writer_reset(&prints[i]);
        if (!fingerprint_make(both[i], &options, &prints[i], &fingerprints[i], &problem)) {
            tell("no fingerprint", text);
            return;
        }
    }
    if (!bytes_equal(writer_bytes(&lines[0]), writer_bytes(&lines[1]))) tell("other trees with other white space", text);
    if (fingerprints[0].hash != fingerprints[1].hash || !bytes_equal(fingerprints[0].text, fingerprints[1].text)) {
        tell("another fingerprint with other white space", text);
    }
}

static bool check_corpus(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t head[4];
    if (!file) return false;
    uint8_t *data = malloc(TEXT_MAX);
    while (data && fread(head, 1, 4, file) == 4) {
        uint32_t len = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
        if (len > TEXT_MAX || fread(data, 1, len, file) != len) break;
        struct bytes text = bytes_of(data, len);
        texts++;
        check_edits(text);
        check_spaces(text);
    }
    free(data);
    fclose(file);
    return true;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: roundtrip postgres|mariadb CORPUS...\n", stderr);
        return 2;
    }
    bool is_pg = strcmp(argv[1], "postgres") == 0, found = false;
    options = sql_options_default(is_pg ? SQL_POSTGRES : SQL_MYSQL);
    if (is_pg) {
        options.version = 150000;
    } else {
        options.flavour = SQL_FLAVOUR_MARIADB;
        options.version = 101118;
    }
    arena_init(&arena, (size_t)1 << 30);
    arena_keep(&arena, 1 << 20);
    struct writer *writers[] = {&spaced, &lines[0], &lines[1], &prints[0], &prints[1], &printed};
    for (size_t i = 0; i < COUNT_OF(writers); i++) writer_init(writers[i], (size_t)1 << 30);
    for (int i = 2; i < argc; i++) found = check_corpus(argv[i]) || found;
    for (size_t i = 0; i < COUNT_OF(writers); i++) writer_release(writers[i]);
    arena_release(&arena);
    if (!found) {
        printf("roundtrip: skipped: no corpus is there; tests/parser/corpus_pg and corpus_my make them\n");
        return 77;
    }
    printf("round trip, %s: %zu texts, %zu of them without tokens to the end, %zu wrong\n", argv[1], texts, unlexed, wrong);
    return wrong ? 1 : 0;
}
