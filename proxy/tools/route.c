/*
 * route.c - owns the arguments and the output of `gilmok route`; what a text is, says routing/classify.h.
 */
#include "proxy/tools/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/writer.h"
#include "parser/dialect_words.h"
#include "proxy/config.h"
#include "proxy/tools/route_facts.h"

#define TREES_MAX ((size_t)4 << 30) /* bytes of the trees and the reasons of one text */
#define LINE_MAX_LEN ((size_t)1 << 30)

const char route_usage[] = "  gilmok route -c FILE -d DATABASE [--offline] [OPTION VALUE] ... [SQL]\n"
                           "                         where a text may go, and why; without SQL, each line of standard input\n"
                           "    --offline                     ask no server: tables are taken for ordinary ones\n"
                           "    --null                        texts on standard input end with zero bytes, not line breaks\n"
                           "    -U USER                       who asks the server; the configuration may say it, else libpq does\n"
                           "    --server-version VERSION      such as 15.4; when no server is asked\n"
                           "    --standard-strings on|off     standard_conforming_strings; when nothing is said, it may be either\n"
                           "    --encoding NAME               client_encoding\n"
                           "    --read-functions LIST         functions that read, beside read_functions in FILE\n"
                           "    --write-functions LIST        functions that write, beside write_functions\n";

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

struct request {
    struct sql_option_words words;
    const char *file, *database, *user, *read_functions, *write_functions;
    const char *text; /* NULL: lines of standard input */
    bool is_offline;
    char end; /* of a text on standard input */
};

/* The place for the value of an argument, or NULL. */
static const char **value_of(struct request *r, const char *arg) {
    if (strcmp(arg, "-c") == 0) return &r->file;
    if (strcmp(arg, "-d") == 0) return &r->database;
    if (strcmp(arg, "-U") == 0) return &r->user;
    if (strcmp(arg, "--server-version") == 0) return &r->words.version;
    if (strcmp(arg, "--standard-strings") == 0) return &r->words.standard_strings;
    if (strcmp(arg, "--encoding") == 0) return &r->words.encoding;
    if (strcmp(arg, "--read-functions") == 0) return &r->read_functions;
    if (strcmp(arg, "--write-functions") == 0) return &r->write_functions;
    return NULL;
}

static bool read_args(int count, char **args, struct request *r, struct err *err) {
    for (int i = 0; i < count; i++) {
        const char **value = value_of(r, args[i]);
        if (value) {
            if (i + 1 == count) return err_set(err, ERR_SYNTAX, "%s needs a value", args[i]);
            *value = args[++i];
        } else if (strcmp(args[i], "--offline") == 0) {
            r->is_offline = true;
        } else if (strcmp(args[i], "--null") == 0) {
            r->end = '\0';
        } else if (args[i][0] == '-' && !strpbrk(args[i], " \t\n")) { /* a text may begin with a comment */
            return err_set(err, ERR_SYNTAX, "there is no argument %s", args[i]);
        } else if (r->text) {
            return err_set(err, ERR_SYNTAX, "one text at a time: put it in quotes, or several on lines of standard input");
        } else {
            r->text = args[i];
        }
    }
    if (!r->file) return err_set(err, ERR_SYNTAX, "-c FILE is needed: the configuration");
    if (!r->database) return err_set(err, ERR_SYNTAX, "-d DATABASE is needed: one of the configuration");
    return true;
}

/* ---- the configuration ----------------------------------------------------------------------------------------------- */

struct printer {
    struct classify_options options;
    struct sql_options sql;
    struct known_pg *facts; /* NULL: no server was asked */
    struct writer read_functions, write_functions; /* of the configuration and of the arguments */
    struct arena arena;
    struct writer line;
};

/* Asks the server what the names of the database stand for, unless that is not wanted. */
static bool load_facts(const struct request *r, const struct config_database *db, struct printer *p, struct err *err) {
    if (r->is_offline) return true;
    struct route_facts_ask ask = {.database = db, .name = r->database, .user = r->user};
    p->facts = known_pg_new();
    if (!p->facts) return err_set(err, ERR_OUT_OF_MEMORY, "memory is out");
    p->sql.version = route_facts_load(&ask, p->facts, err);
    if (!p->sql.version) return false;
    if (!known_pg_judge(p->facts, &p->options)) return err_set(err, ERR_OUT_OF_MEMORY, "memory is out");
    p->options.facts = known_pg_facts(p->facts);
    return true;
}

static struct bytes put_both(struct writer *w, const char *configured, const char *said) {
    writer_fmt(w, "%s,%s", configured ? configured : "", said ? said : "");
    return writer_bytes(w);
}

static bool read_lists(const struct request *r, const struct config_database *db, struct printer *p, struct err *err) {
    p->options.read_functions = put_both(&p->read_functions, db->read_functions, r->read_functions);
    p->options.write_functions = put_both(&p->write_functions, db->write_functions, r->write_functions);
    if (!p->read_functions.failed && !p->write_functions.failed) return true;
    return err_set(err, ERR_OUT_OF_MEMORY, "memory is out");
}

static bool read_config(const struct request *r, struct printer *p, struct err *err) {
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *config = config_load(r->file, &findings);
    const struct config_database *db = config ? config_find_database(config, bytes_str(r->database)) : NULL;
    if (!config) err_set(err, ERR_CONFIG, "%s is not right; gilmok check -c %s says why", r->file, r->file);
    else if (!db) err_set(err, ERR_CONFIG, "%s has no database %s", r->file, r->database);
    bool ok = db && read_lists(r, db, p, err) && load_facts(r, db, p, err);
    config_findings_release(&findings);
    config_free(config);
    return ok;
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

static bool print_text(struct printer *p, struct bytes text, struct err *err) {
    struct classify_result result;
    writer_reset(&p->line);
    classify_text(text, &p->options, &p->arena, &result);
    classify_put(&result, &p->line);
    writer_u8(&p->line, '\n');
    arena_reset(&p->arena);
    if (p->line.failed) return err_set(err, ERR_OUT_OF_MEMORY, "memory is out");
    if (fwrite(p->line.data, 1, p->line.len, stdout) == p->line.len) return true;
    return err_set(err, ERR_INTERNAL, "standard output cannot be written: %s", strerror(errno));
}

static bool print_lines(struct printer *p, char end, struct err *err) {
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool ok = true;
    while (ok && (len = getdelim(&line, &size, end, stdin)) >= 0) {
        if (len && line[len - 1] == end) len--;
        ok = print_text(p, bytes_of(line, (size_t)len), err);
    }
    if (ok && ferror(stdin)) ok = err_set(err, ERR_INTERNAL, "standard input cannot be read: %s", strerror(errno));
    free(line);
    return ok;
}

static int complain(const struct err *err, int status) {
    fprintf(stderr, "gilmok route: %s\n", err->message);
    if (status == 2) fprintf(stderr, "\n%s", route_usage);
    return status;
}

int route_run(int count, char **args) {
    struct request r = {.end = '\n'};
    struct err err = {0};
    struct printer p = {.options = {.keeps_reasons = true}};
    if (!read_args(count, args, &r, &err) || !sql_options_of(&r.words, &p.sql, &err)) return complain(&err, 2);
    p.options.sql = &p.sql;
    p.options.is_sure_of_strings = r.words.standard_strings;
    arena_init(&p.arena, TREES_MAX);
    writer_init(&p.read_functions, LINE_MAX_LEN);
    writer_init(&p.write_functions, LINE_MAX_LEN);
    writer_init(&p.line, LINE_MAX_LEN);
    bool ok = read_config(&r, &p, &err);
    p.options.takes_hints = true; /* but not of what the database has */
    if (ok) ok = r.text ? print_text(&p, bytes_str(r.text), &err) : print_lines(&p, r.end, &err);
    if (ok && fflush(stdout) != 0) ok = err_set(&err, ERR_INTERNAL, "standard output cannot be written: %s", strerror(errno));
    arena_release(&p.arena);
    writer_release(&p.line);
    writer_release(&p.read_functions);
    writer_release(&p.write_functions);
    known_pg_free(p.facts);
    return ok ? 0 : complain(&err, 1);
}
