/*
 * config_file.c - owns the way from bytes on disk to sections and entries.
 *
 * It does not know which sections and keys there are (config_keys.c), nor what a
 * value means. inih pulls lines through next_line() and calls on_pair() for each
 * pair while the line it came from is still the current one.
 */
#include "proxy/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/config_findings.h"

struct source {
    FILE *in;         /* owned */
    const char *path; /* in the arena */
    int line;         /* of the line read last */
    dev_t dev;
    ino_t ino;
};

struct reading {
    struct config_text *text;
    struct config_findings *findings;
    struct source stack[CONFIG_INCLUDE_DEPTH + 1];
    int depth; /* sources open */
    struct config_section *section; /* NULL: outside */
    bool is_skipping; /* the header was wrong and reported: its keys are passed over */
};

static struct source *top(struct reading *r) {
    return &r->stack[r->depth - 1];
}

#define FAULT_HERE(r, ...) config_error((r)->findings, top(r)->path, top(r)->line, __VA_ARGS__)

/* ---- paths and files ---- */

const char *config_path_from(struct arena *arena, const char *file, const char *path) {
    const char *slash = strrchr(file, '/');
    size_t dir_len = slash && path[0] != '/' ? (size_t)(slash - file) + 1 : 0;
    size_t path_len = strlen(path);
    char *joined = arena_alloc(arena, dir_len + path_len + 1);
    if (!joined) return NULL;
    memcpy(joined, file, dir_len);
    memcpy(joined + dir_len, path, path_len + 1);
    return joined;
}

static void leave_section(struct reading *r) {
    r->section = NULL;
    r->is_skipping = false;
}

/* Where an unreadable file is reported: on the %include line, or on the file itself. */
static void report_open(struct reading *r, const char *path, const char *why) {
    if (r->depth == 0) {
        config_error(r->findings, path, 0, "the file cannot be read: %s", why);
        config_advice(r->findings, "Check the path and its permissions");
        return;
    }
    FAULT_HERE(r, "the included file %s cannot be read: %s", path, why);
    config_advice(r->findings, "The path is relative to the file that includes it");
}

static bool is_open_already(const struct reading *r, const struct stat *st) {
    for (int i = 0; i < r->depth; i++) {
        if (r->stack[i].dev == st->st_dev && r->stack[i].ino == st->st_ino) return true;
    }
    return false;
}

static void open_source(struct reading *r, const char *path) {
    /* O_NONBLOCK: a named pipe must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        report_open(r, path, strerror(errno));
        if (fd >= 0) close(fd);
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        report_open(r, path, "it is not a regular file");
        close(fd);
        return;
    }
    if (is_open_already(r, &st)) {
        FAULT_HERE(r, "the file %s includes itself, directly or through others", path);
        config_advice(r->findings, "Remove this %%include");
        close(fd);
        return;
    }
    FILE *in = fdopen(fd, "r");
    if (!in) {
        report_open(r, path, strerror(errno));
        close(fd);
        return;
    }
    r->stack[r->depth++] = (struct source){.in = in, .path = path, .dev = st.st_dev, .ino = st.st_ino};
    if (r->text->file_count < CONFIG_FILES_MAX) r->text->files[r->text->file_count++] = path;
    leave_section(r);
}

static void close_source(struct reading *r) {
    fclose(top(r)->in);
    r->depth--;
    leave_section(r);
}

/* ---- one line ---- */

/*
 * Reads one line, without its end, into buf (CONFIG_LINE_MAX + 1 bytes). False at the
 * end of the file. A line that cannot be used is reported and comes back empty.
 */
static bool read_line(struct reading *r, char *buf) {
    struct source *s = top(r);
    size_t len = 0;
    int control = -1;
    int c = getc_unlocked(s->in);
    if (c == EOF) return false;
    s->line++;
    for (; c != EOF && c != '\n'; c = getc_unlocked(s->in)) {
        if (c == '\r') {
            int next = getc_unlocked(s->in);
            if (next != EOF) ungetc(next, s->in);
            if (next == '\n' || next == EOF) continue;
        }
        if (control < 0 && ((c < 0x20 && c != '\t') || c == 0x7f)) control = c;
        if (len < CONFIG_LINE_MAX) buf[len] = (char)c;
        len++;
    }
    buf[len < CONFIG_LINE_MAX ? len : CONFIG_LINE_MAX] = '\0';
    if (control >= 0) {
        FAULT_HERE(r, "the line holds %s (byte 0x%02x)", control ? "a control character" : "a NUL", (unsigned)control);
        config_advice(r->findings, "Write the file as plain text");
        buf[0] = '\0';
    } else if (len > CONFIG_LINE_MAX) {
        FAULT_HERE(r, "the line is %zu bytes long; %d is the limit", len, CONFIG_LINE_MAX);
        config_advice(r->findings, "Put a long value into a file of its own, as with server_password_file; "
                                   "break long comments");
        buf[0] = '\0';
    }
    bool has_mark = buf[0] == '\xef' && buf[1] == '\xbb' && buf[2] == '\xbf'; /* the byte order mark of UTF-8 */
    if (s->line == 1 && has_mark) memmove(buf, buf + 3, strlen(buf + 3) + 1);
    return true;
}

/* The start of a ` ;` comment, or the end of the text. */
static const char *find_comment(const char *text) {
    for (const char *at = text; *at; at++) {
        if (*at == ';' && at > text && isspace((unsigned char)at[-1])) return at;
    }
    return text + strlen(text);
}

static struct bytes trimmed(const char *from, const char *to) {
    while (from < to && isspace((unsigned char)*from)) from++;
    while (to > from && isspace((unsigned char)to[-1])) to--;
    return bytes_of(from, (size_t)(to - from));
}

/* ---- [section] ---- */

static struct config_section *find_section(const struct config_text *text, const char *kind, const char *name) {
    LIST_EACH(n, &text->sections) {
        struct config_section *s = CONTAINER_OF(n, struct config_section, node);
        if (strcmp(s->kind, kind) == 0 && strcmp(s->name, name) == 0) return s;
    }
    return NULL;
}

static void begin_section(struct reading *r, struct bytes header) {
    size_t kind_len = 0;
    while (kind_len < header.len && !isspace(header.ptr[kind_len])) kind_len++;
    const char *text = (const char *)header.ptr;
    struct arena *a = r->text->arena;
    struct config_section *s = arena_alloc(a, sizeof(*s));
    const char *kind = arena_strdup(a, bytes_of(text, kind_len));
    const char *name = arena_strdup(a, trimmed(text + kind_len, text + header.len));
    if (!s || !kind || !name) return; /* the arena remembers; config_file_read() reports */
    list_init(&s->node);
    list_init(&s->entries);
    s->kind = kind;
    s->name = name;
    s->file = top(r)->path;
    s->line = top(r)->line;
    const struct config_section *first = find_section(r->text, kind, name);
    if (first) {
        s->is_repeated = true;
        FAULT_HERE(r, "the section [%s%s%s] stands at %s:%d already", kind, *name ? " " : "", name, first->file,
                   first->line);
        config_advice(r->findings, "Move its keys there, or give this one another name");
    }
    list_push_back(&r->text->sections, &s->node);
    r->section = s;
}

/* `[` kind name `]` comment? */
static bool take_header(struct reading *r, const char *line) {
    leave_section(r);
    r->is_skipping = true;
    const char *end = find_comment(line);
    const char *close = memchr(line, ']', (size_t)(end - line));
    if (!close) {
        FAULT_HERE(r, "the section header has no closing bracket");
        config_advice(r->findings, "Write it as [database shop], and a comment on a line of its own");
        return false;
    }
    struct bytes rest = trimmed(close + 1, end);
    if (rest.len && rest.ptr[0] != ';' && rest.ptr[0] != '#') {
        FAULT_HERE(r, "there is text behind the section header");
        config_advice(r->findings, "Put it on a line of its own; a name must not hold a ]");
        return false;
    }
    struct bytes header = trimmed(line + 1, close);
    if (header.len > CONFIG_SECTION_MAX) {
        FAULT_HERE(r, "the section header holds %zu bytes; %d is the limit", header.len, CONFIG_SECTION_MAX);
        config_advice(r->findings, "Use a shorter name here; for a database, server_database gives the server's own "
                                   "name, and [database *] accepts names of any length");
        return false;
    }
    if (header.len == 0) {
        FAULT_HERE(r, "the section header is empty");
        config_advice(r->findings, "Write one of [gilmok], [cluster NAME], [node CLUSTER/NAME], [database NAME], "
                                   "[user NAME]");
        return false;
    }
    r->is_skipping = false;
    begin_section(r, header);
    return true;
}

/* ---- %include ---- */

static void take_include(struct reading *r, const char *rest) {
    struct bytes path = trimmed(rest, find_comment(rest));
    if (path.len >= 2 && path.ptr[0] == '"' && path.ptr[path.len - 1] == '"') path = bytes_of(path.ptr + 1, path.len - 2);
    if (path.len == 0) {
        FAULT_HERE(r, "%%include names no file");
        config_advice(r->findings, "Write %%include PATH");
        return;
    }
    if (r->depth > CONFIG_INCLUDE_DEPTH) {
        FAULT_HERE(r, "files include each other more than %d deep", CONFIG_INCLUDE_DEPTH);
        config_advice(r->findings, "Include from fewer levels");
        return;
    }
    const char *copy = arena_strdup(r->text->arena, path);
    const char *full = copy ? config_path_from(r->text->arena, top(r)->path, copy) : NULL;
    if (full) open_source(r, full);
    leave_section(r);
}

/* ---- key = value ---- */

static bool is_key_text(struct bytes name) {
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum(name.ptr[i]) && name.ptr[i] != '_' && name.ptr[i] != '-') return false;
    }
    return name.len > 0;
}

/* True when the quotes of a value are whole and hold nothing that inih would take for a comment. */
static bool check_quotes(struct reading *r, const char *value) {
    while (isspace((unsigned char)*value)) value++;
    if (*value == '"') {
        for (const char *at = value + 1; *at && *at != '"'; at++) {
            if (*at != ';' || !isspace((unsigned char)at[-1])) continue;
            FAULT_HERE(r, "the quoted value holds a blank and a semicolon, which begins a comment even there");
            config_advice(r->findings, "Remove the blank; for a password use server_password_file");
            return false;
        }
    }
    struct bytes v = trimmed(value, find_comment(value));
    bool is_begun = v.len > 0 && v.ptr[0] == '"';
    bool is_ended = v.len > 0 && v.ptr[v.len - 1] == '"';
    bool has_inner = is_begun && v.len > 2 && memchr(v.ptr + 1, '"', v.len - 2);
    if (is_begun != is_ended || (is_begun && v.len < 2) || has_inner) {
        FAULT_HERE(r, "the quotes around the value do not match");
        config_advice(r->findings, "Write one \" before and one behind the value, and none inside it");
        return false;
    }
    return true;
}

static bool check_pair(struct reading *r, const char *line) {
    const char *eq = memchr(line, '=', (size_t)(find_comment(line) - line));
    if (!eq) {
        FAULT_HERE(r, "the line is neither a section, a comment, nor `key = value`");
        config_advice(r->findings, "Write an = between key and value, or # at the start of a comment");
        return false;
    }
    if (!is_key_text(trimmed(line, eq))) {
        FAULT_HERE(r, "what stands before the = is not the name of a key");
        config_advice(r->findings, "Write `key = value`, the key in letters, digits and _");
        return false;
    }
    if (r->is_skipping) return false;
    if (!r->section) {
        FAULT_HERE(r, "the key stands outside of any section");
        config_advice(r->findings, "Write a header such as [gilmok] above it; a section does not reach into an included "
                                   "file, nor past an %%include");
        return false;
    }
    return check_quotes(r, eq + 1);
}

/* True when inih is to see the line. */
static bool take_line(struct reading *r, const char *line) {
    const char *at = line;
    while (isspace((unsigned char)*at)) at++;
    if (!*at || *at == '#' || *at == ';') return false;
    if (at > line) {
        FAULT_HERE(r, "the line is indented");
        config_advice(r->findings, "Begin it in the first column; a value cannot go on over several lines");
        return false;
    }
    if (*at == '[') return take_header(r, line);
    if (strncmp(line, "%include", 8) == 0 && (!line[8] || isspace((unsigned char)line[8]))) {
        take_include(r, line + 8);
        return false;
    }
    return check_pair(r, line);
}

/* inih's reader: the next line that is right, or NULL at the end of the last file. */
static char *next_line(char *buf, int size, void *stream) {
    struct reading *r = stream;
    INVARIANT(size > CONFIG_LINE_MAX);
    while (r->depth > 0) {
        if (!read_line(r, buf)) close_source(r);
        else if (take_line(r, buf)) return buf;
    }
    return NULL;
}

static int on_pair(void *user, const char *section, const char *name, const char *value) {
    struct reading *r = user;
    (void)section; /* inih's copy; ours has the line */
    if (!r->section) return 1;
    const struct config_entry *first = config_section_entry(r->section, name);
    if (first) {
        FAULT_HERE(r, "`%s` stands at line %d already", name, first->line);
        config_advice(r->findings, "Remove one of the two");
        return 1;
    }
    size_t len = strlen(value);
    if (len >= 2 && value[0] == '"') {
        value++;
        len -= 2;
    }
    struct arena *a = r->text->arena;
    struct config_entry *e = arena_alloc(a, sizeof(*e));
    char *key = arena_strdup(a, bytes_str(name));
    char *copy = arena_strdup(a, bytes_of(value, len));
    if (!e || !key || !copy) return 1; /* the arena remembers */
    list_init(&e->node);
    e->key = key;
    e->value = copy;
    e->file = top(r)->path;
    e->line = top(r)->line;
    list_push_back(&r->section->entries, &e->node);
    return 1;
}

void config_file_read(struct config_text *text, struct arena *arena, const char *path,
                      struct config_findings *findings) {
    text->arena = arena;
    text->file_count = 0;
    list_init(&text->sections);
    struct reading r = {.text = text, .findings = findings};
    const char *copy = arena_strdup(arena, bytes_str(path));
    if (copy) open_source(&r, copy);
    if (r.depth > 0) {
        int line = ini_parse_stream(next_line, &r, on_pair, &r);
        /* Every line was checked before; should inih still refuse one, nothing may go on. */
        if (line != 0) config_error(findings, path, 0, "the file cannot be parsed (line %d as read)", line);
    }
    if (arena->failed) config_error(findings, path, 0, "the configuration is too large, or memory is out");
}

struct config_entry *config_section_entry(const struct config_section *s, const char *key) {
    if (!s) return NULL;
    LIST_EACH(n, &s->entries) {
        struct config_entry *e = CONTAINER_OF(n, struct config_entry, node);
        if (strcmp(e->key, key) == 0) return e;
    }
    return NULL;
}
