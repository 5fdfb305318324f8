/*
 * parse.c - owns the arguments and the output of `gilmok parse`; reading SQL is parser/'s.
 */
#include "proxy/tools/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/writer.h"
#include "parser/dialect_words.h"
#include "parser/fingerprint.h"
#include "parser/lex.h"
#include "parser/parser.h"

#define TREES_MAX ((size_t)16 << 30)    /* bytes of the trees of one text */
#define LINE_MAX_LEN ((size_t)16 << 30) /* bytes of one line */

const char parse_usage[] = "  gilmok parse [--dialect postgres|mysql] [--fingerprint | --count] [OPTION VALUE] ...\n"
                           "                         read one SQL text from standard input, print a line for each statement\n"
                           "    --dialect postgres|mysql      default: postgres\n"
                           "    --server-version VERSION      such as 15.4, 8.0.36, 10.11.18-MariaDB\n"
                           "    --flavour mysql|mariadb       when the version does not say it\n"
                           "    --sql-mode LIST               a value of sql_mode (mysql)\n"
                           "    --standard-strings on|off     standard_conforming_strings (postgres)\n"
                           "    --encoding NAME               client_encoding, character_set_client\n"
                           "    --fingerprint                 print each statement without its constants, and a hash of that\n"
                           "    --count                       print only how many statements there are\n";

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

struct request {
    struct sql_option_words words;
    bool only_count;
    bool only_fingerprints;
};

/* The place for the value of an argument, or NULL. */
static const char **value_of(struct request *r, const char *arg) {
    if (strcmp(arg, "--dialect") == 0) return &r->words.dialect;
    if (strcmp(arg, "--flavour") == 0) return &r->words.flavour;
    if (strcmp(arg, "--server-version") == 0) return &r->words.version;
    if (strcmp(arg, "--sql-mode") == 0) return &r->words.modes;
    if (strcmp(arg, "--standard-strings") == 0) return &r->words.standard_strings;
    if (strcmp(arg, "--encoding") == 0) return &r->words.encoding;
    return NULL;
}

static bool read_args(int count, char **args, struct request *r, struct err *err) {
    for (int i = 0; i < count; i++) {
        const char **value = value_of(r, args[i]);
        if (value) {
            if (i + 1 == count) return err_set(err, ERR_SYNTAX, "%s needs a value", args[i]);
            *value = args[++i];
        } else if (strcmp(args[i], "--count") == 0) {
            r->only_count = true;
        } else if (strcmp(args[i], "--fingerprint") == 0) {
            r->only_fingerprints = true;
        } else {
            return err_set(err, ERR_SYNTAX, "there is no argument %s", args[i]);
        }
    }
    if (r->only_count && r->only_fingerprints) return err_set(err, ERR_SYNTAX, "--fingerprint and --count exclude each other");
    return true;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

enum { READ_SIZE = 1 << 16 };

/* Up to `len` bytes more of standard input. 0: its end. -1: errno. */
static ssize_t read_some(uint8_t *data, size_t len) {
    ssize_t n;
    do n = read(STDIN_FILENO, data, len);
    while (n < 0 && errno == EINTR);
    return n;
}

static bool is_input_over(void) {
    uint8_t byte;
    return read_some(&byte, 1) == 0;
}

static bool read_text(struct writer *text, struct err *err) {
    for (;;) {
        size_t room = LEX_TEXT_MAX - text->len;
        if (room == 0) {
            if (is_input_over()) return true;
            return err_set(err, ERR_LIMIT_EXCEEDED, "the text is longer than %d bytes", LEX_TEXT_MAX);
        }
        if (room > READ_SIZE) room = READ_SIZE;
        uint8_t *data = writer_reserve(text, room);
        if (!data) return err_set(err, ERR_OUT_OF_MEMORY, "memory for the text is out");
        ssize_t n = read_some(data, room);
        if (n < 0) return err_set(err, ERR_INTERNAL, "standard input cannot be read: %s", strerror(errno));
        if (n == 0) return true;
        text->len += (size_t)n;
    }
}

/* ---- printing -------------------------------------------------------------------------------------------------------- */

static void write_unknown(const struct sql_problem *problem, struct writer *line) {
    writer_fmt(line, "(unknown %u \"", (unsigned)problem->position);
    for (const char *c = problem->reason; *c; c++) {
        if (*c == '"' || *c == '\\') writer_u8(line, '\\');
        writer_u8(line, (uint8_t)*c);
    }
    writer_str(line, "\")");
}

/* The hash, then the text, in which a byte below the space is \xNN: names in quotes may hold line breaks. */
static void write_fingerprint(const struct sql_statement *s, struct bytes text, const struct sql_options *options,
                              struct writer *line) {
    struct fingerprint fingerprint;
    struct sql_problem problem;
    struct writer kept;
    writer_init(&kept, LINE_MAX_LEN);
    if (fingerprint_make(bytes_of(text.ptr + s->start, s->end - s->start), options, &kept, &fingerprint, &problem)) {
        writer_fmt(line, "%016" PRIx64 " ", fingerprint.hash);
        for (size_t i = 0; i < fingerprint.text.len; i++) {
            uint8_t c = fingerprint.text.ptr[i];
            if (c < ' ' || c == 127) writer_fmt(line, "\\x%02x", c);
            else writer_u8(line, c);
        }
    } else if (!kept.failed) {
        problem.position += s->start;
        write_unknown(&problem, line);
    }
    if (kept.failed) line->failed = true;
    writer_release(&kept);
}

static bool print_statement(const struct sql_statement *s, struct bytes text, const struct request *r,
                            const struct sql_options *options, struct writer *line) {
    writer_reset(line);
    if (s->outcome == SQL_EMPTY) writer_str(line, "(empty)");
    else if (s->outcome == SQL_UNKNOWN) write_unknown(&s->problem, line);
    else if (r->only_fingerprints) write_fingerprint(s, text, options, line);
    else ast_dump(s->ast, text, line);
    writer_u8(line, '\n');
    return !line->failed && fwrite(line->data, 1, line->len, stdout) == line->len;
}

/* PostgreSQL says nothing to an empty statement; MySQL answers each with an error, so that it counts there. */
static bool is_answered(const struct sql_statement *s, const struct sql_options *options) {
    return s->outcome != SQL_EMPTY || options->dialect == SQL_MYSQL;
}

static bool print_statements(struct bytes text, const struct request *r, const struct sql_options *options, struct err *err) {
    struct arena arena;
    arena_init(&arena, TREES_MAX);
    struct writer line;
    writer_init(&line, LINE_MAX_LEN);
    struct sql_reader *reader = sql_reader_new(text, options, &arena);
    bool ok = reader != NULL;
    unsigned long count = 0;
    struct sql_statement s;
    while (ok && sql_reader_next(reader, &s)) {
        if (!is_answered(&s, options)) continue;
        count++;
        if (!r->only_count) ok = print_statement(&s, text, r, options, &line);
    }
    if (!ok && (!reader || line.failed)) err_set(err, ERR_OUT_OF_MEMORY, "memory is out");
    else if (r->only_count) printf("%lu\n", count);
    writer_release(&line);
    arena_release(&arena);
    if (fflush(stdout) == 0 && ok) return true;
    return err_is_set(err) ? false : err_set(err, ERR_INTERNAL, "standard output cannot be written: %s", strerror(errno));
}

static int complain(const struct err *err, int status) {
    fprintf(stderr, "gilmok parse: %s\n", err->message);
    if (status == 2) fprintf(stderr, "\n%s", parse_usage);
    return status;
}

int parse_run(int count, char **args) {
    struct request request = {.only_count = false};
    struct sql_options options;
    struct err err = {0};
    if (!read_args(count, args, &request, &err) || !sql_options_of(&request.words, &options, &err)) return complain(&err, 2);
    struct writer text;
    writer_init(&text, LEX_TEXT_MAX);
    bool ok = read_text(&text, &err) && print_statements(writer_bytes(&text), &request, &options, &err);
    writer_release(&text);
    return ok ? 0 : complain(&err, 1);
}
