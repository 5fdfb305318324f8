/*
 * Owns the files' format, and the answers' form. What the answers should be, the files say.
 */
#include "tests/golden/parser_cases.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "parser/dialect_words.h"
#include "tests/golden/golden.h"

enum { WORD_MAX = 200, ANSWER_MAX = 64 << 20 };

/* ---- answers --------------------------------------------------------------------------------------------------------- */

struct check {
    struct bytes text;
    struct writer *wrong;
};

static void check_node(const struct ast *node, uint32_t start, uint32_t end, const struct check *c) {
    if (node->start > node->end || node->start < start || node->end > end || node->end > c->text.len) {
        writer_fmt(c->wrong, "=> WRONG: a node %s of bytes %u to %u stands in bytes %u to %u\n", ast_kind_name(node->kind),
                   (unsigned)node->start, (unsigned)node->end, (unsigned)start, (unsigned)end);
        return;
    }
    for (int i = 0; i < ast_slot_count(node); i++)
        for (const struct ast *child = ast_slot(node, i); child; child = child->next)
            check_node(child, node->start, node->end, c);
}

static void check_statement(const struct sql_statement *s, uint32_t least, const struct check *c) {
    if (s->start < least || s->end < s->start || s->end > c->text.len)
        writer_fmt(c->wrong, "=> WRONG: a statement of bytes %u to %u behind one that ends at %u\n", (unsigned)s->start, (unsigned)s->end,
                   (unsigned)least);
    if (s->outcome == SQL_UNKNOWN && (s->problem.position > c->text.len || !s->problem.reason || !s->problem.reason[0]))
        writer_fmt(c->wrong, "=> WRONG: a problem at %u without a place or a reason\n", (unsigned)s->problem.position);
    if (s->outcome != SQL_PARSED) return;
    check_node(s->ast, s->start, s->end, c);
    if (s->ast->next) writer_str(c->wrong, "=> WRONG: a statement has a sibling\n");
}

static void answer_nodes(const struct ast *node, struct bytes text, int depth, struct writer *out) {
    writer_fmt(out, "%*s%s ", 2 * depth, "", ast_kind_name(node->kind));
    golden_quote(out, bytes_of(text.ptr + node->start, node->end - node->start));
    for (int i = 0; i < ast_slot_count(node); i++) {
        for (const struct ast *child = ast_slot(node, i); child; child = child->next) {
            writer_str(out, "\n=> ");
            answer_nodes(child, text, depth + 1, out);
        }
    }
}

static void answer_statement(const struct sql_statement *s, struct bytes text, bool shows_nodes, struct writer *out) {
    switch (s->outcome) {
    case SQL_PARSED:
        if (shows_nodes) answer_nodes(s->ast, text, 0, out);
        else ast_dump(s->ast, text, out);
        break;
    case SQL_EMPTY: writer_str(out, "(empty)"); break;
    case SQL_UNKNOWN:
        writer_fmt(out, "(unknown %u ", (unsigned)s->problem.position);
        golden_quote(out, bytes_str(s->problem.reason ? s->problem.reason : ""));
        writer_u8(out, ')');
        break;
    }
}

void parser_answer(struct bytes text, const struct sql_options *options, bool shows_texts, bool shows_nodes, struct writer *out,
                   struct writer *wrong) {
    struct arena arena;
    arena_init(&arena, (size_t)1 << 30);
    struct sql_reader *reader = sql_reader_new(text, options, &arena);
    struct check check = {text, wrong};
    struct sql_statement s;
    uint32_t last_end = 0;
    bool has_any = false;
    while (reader && sql_reader_next(reader, &s)) {
        size_t problems = wrong->len;
        check_statement(&s, last_end, &check);
        last_end = s.end;
        has_any = true;
        if (wrong->len != problems) continue;
        if (shows_texts) {
            writer_str(out, "=> ");
            golden_quote(out, bytes_of(text.ptr + s.start, s.end - s.start));
            writer_u8(out, '\n');
        }
        writer_str(out, "=> ");
        answer_statement(&s, text, shows_nodes, out);
        writer_u8(out, '\n');
    }
    if (!has_any) writer_str(out, "=> (nothing)\n");
    arena_release(&arena);
}

void parser_case_answer(const struct parser_case *c, struct writer *out) {
    struct writer wrong;
    writer_init(&wrong, ANSWER_MAX);
    parser_answer(c->text, &c->options, c->shows_texts, c->shows_nodes, out, &wrong);
    writer_put(out, writer_bytes(&wrong));
    writer_release(&wrong);
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

/* What `@` lines set: of the file, copied and changed below each title. */
struct settings {
    char words[6][WORD_MAX]; /* as in `names`, empty when not set */
    bool is_escaped, shows_texts, shows_nodes;
};

static const char *const names[6] = {"dialect", "flavour", "version", "modes", "standard-strings", "encoding"};

struct file {
    const char *path;
    struct bytes text;
    size_t pos, before;  /* the next line; where the bytes before the next case's answer begin */
    int line;
    struct settings all, here;
    char title[WORD_MAX];
    bool is_bad;
};

static void complain(struct file *f, const char *what) {
    printf("FAILED: %s:%d: %s\n", f->path, f->line, what);
    f->is_bad = true;
}

static struct bytes line_at(const struct file *f) {
    const uint8_t *start = f->text.ptr + f->pos;
    size_t left = f->text.len - f->pos;
    const uint8_t *end = left ? memchr(start, '\n', left) : NULL;
    return bytes_of(start, end ? (size_t)(end - start) : left);
}

static void next_line(struct file *f) {
    f->pos += line_at(f).len;
    if (f->pos < f->text.len) f->pos++;
    f->line++;
}

/* "@ name value" */
static void set_option(struct file *f, struct bytes line, struct settings *s) {
    char word[WORD_MAX], value[WORD_MAX] = "";
    char copy[2 * WORD_MAX];
    snprintf(copy, sizeof copy, "%.*s", (int)line.len, (const char *)line.ptr);
    if (sscanf(copy, "@ %199s %199[^\n]", word, value) < 1) {
        complain(f, "an option has no name");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(word, names[i]) != 0) continue;
        snprintf(s->words[i], sizeof s->words[i], "%s", value);
        return;
    }
    if (strcmp(word, "escaped") == 0) s->is_escaped = true;
    else if (strcmp(word, "texts") == 0) s->shows_texts = true;
    else if (strcmp(word, "nodes") == 0) s->shows_nodes = true;
    else complain(f, "there is no such option");
}

static const char *word_or_null(const char *word) {
    return word[0] ? word : NULL;
}

static bool options_of(struct file *f, struct sql_options *options) {
    char(*w)[WORD_MAX] = f->here.words;
    struct sql_option_words words = {
        .dialect = word_or_null(w[0]),
        .flavour = word_or_null(w[1]),
        .version = word_or_null(w[2]),
        .modes = word_or_null(w[3]),
        .standard_strings = word_or_null(w[4]),
        .encoding = word_or_null(w[5]),
    };
    struct err err = {0};
    if (sql_options_of(&words, options, &err)) return true;
    complain(f, err.message);
    return false;
}

/* Goes on to the first line of the next text; titles and options on the way are noted. False: there is none. */
static bool find_text(struct file *f) {
    for (; f->pos < f->text.len; next_line(f)) {
        struct bytes line = line_at(f);
        if (line.len == 0 || line.ptr[0] == '#') continue;
        if (bytes_starts_with(line, "== ")) {
            snprintf(f->title, sizeof f->title, "%.*s", (int)line.len - 3, (const char *)line.ptr + 3);
            f->here = f->all;
        } else if (bytes_starts_with(line, "@ ")) {
            set_option(f, line, f->title[0] ? &f->here : &f->all);
        } else {
            return true;
        }
    }
    return false;
}

static bool is_answer(struct bytes line) {
    return bytes_starts_with(line, "=>");
}

/* The lines up to the answer, without the last line break. */
static struct bytes take_text(struct file *f) {
    size_t start = f->pos, end = f->pos;
    while (f->pos < f->text.len && !is_answer(line_at(f))) {
        end = f->pos + line_at(f).len;
        next_line(f);
    }
    return bytes_of(f->text.ptr + start, end - start);
}

static struct bytes take_answer(struct file *f) {
    size_t start = f->pos;
    while (f->pos < f->text.len && is_answer(line_at(f))) next_line(f);
    return bytes_of(f->text.ptr + start, f->pos - start);
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy in memory of exactly its size; in escaped texts \xNN is undone. */
static struct bytes copy_text(struct bytes raw, bool is_escaped) {
    uint8_t *copy = malloc(raw.len + 1);
    size_t len = 0;
    INVARIANT(copy);
    for (size_t i = 0; i < raw.len; i++) {
        const uint8_t *p = raw.ptr + i;
        bool is_hex = is_escaped && raw.len - i >= 4 && p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0;
        copy[len++] = is_hex ? (uint8_t)(hex_digit(p[2]) << 4 | hex_digit(p[3])) : *p;
        if (is_hex) i += 3;
    }
    uint8_t *exact = malloc(len ? len : 1);
    INVARIANT(exact);
    memcpy(exact, copy, len);
    free(copy);
    return bytes_of(exact, len);
}

static void visit_case(struct file *f, parser_case_visit *visit, void *ctx) {
    struct parser_case c = {.path = f->path, .line = f->line, .title = f->title};
    if (!f->title[0]) complain(f, "a text has no title");
    if (!options_of(f, &c.options)) return;
    c.shows_texts = f->here.shows_texts;
    c.shows_nodes = f->here.shows_nodes;
    c.text = copy_text(take_text(f), f->here.is_escaped);
    c.before = bytes_of(f->text.ptr + f->before, f->pos - f->before);
    c.expected = take_answer(f);
    f->before = f->pos;
    visit(&c, bytes_of(NULL, 0), ctx);
    free((void *)(uintptr_t)c.text.ptr);
}

static bool each_of_file(const char *path, parser_case_visit *visit, void *ctx) {
    struct writer w;
    writer_init(&w, ANSWER_MAX);
    FILE *in = fopen(path, "r");
    uint8_t *room = NULL;
    size_t n = 1;
    while (in && n > 0 && (room = writer_reserve(&w, 4096))) w.len += n = fread(room, 1, 4096, in);
    bool ok = in && !ferror(in) && !w.failed;
    if (in) fclose(in);
    struct file f = {.path = path, .text = writer_bytes(&w), .line = 1};
    if (!ok) complain(&f, strerror(errno));
    while (!f.is_bad && find_text(&f)) visit_case(&f, visit, ctx);
    if (!f.is_bad) visit(NULL, bytes_of(f.text.ptr + f.before, f.text.len - f.before), ctx);
    writer_release(&w);
    return !f.is_bad;
}

bool parser_cases_each(parser_case_visit *visit, void *ctx) {
    glob_t files;
    if (glob("tests/golden/parser/*.txt", 0, NULL, &files) != 0) {
        printf("FAILED: there is no tests/golden/parser/*.txt; run this from the tree's root\n");
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < files.gl_pathc; i++) ok &= each_of_file(files.gl_pathv[i], visit, ctx);
    globfree(&files);
    return ok;
}
