/*
 * config_file.h - the file as sections and entries, each with its file and line.
 *
 * Sits in front of inih, which reads the `key = value` syntax but cuts long names
 * and lines, joins indented lines, and tells no line numbers. Everything that inih
 * would change silently is refused here, with the line and advice:
 *
 *     [section name]            at most 49 bytes between the brackets
 *     key = value               a line has at most 198 bytes and is not indented
 *     key = "quoted value"      the quotes are removed
 *     # comment   ; comment     at the start of a line; ` ;` behind a value
 *     %include other.conf       relative to this file; 8 files deep; no cycles
 *
 * A section ends with its file: an included file begins outside of any section,
 * and so does the line behind the %include.
 *
 * A repeated section or key is an error; the first one stays.
 */
#ifndef GILMOK_PROXY_CONFIG_FILE_H
#define GILMOK_PROXY_CONFIG_FILE_H

#include "base/arena.h"
#include "base/list.h"
#include "proxy/config.h"

enum {
    CONFIG_LINE_MAX = 198,    /* bytes of a line without its end; inih's buffer holds 200 */
    CONFIG_SECTION_MAX = 49,  /* bytes between the brackets; inih cuts there */
    CONFIG_INCLUDE_DEPTH = 8, /* files below the first one */
    CONFIG_FILES_MAX = 256,
};

struct config_entry {
    struct list node; /* in config_section.entries */
    const char *key;
    char *value; /* without quotes; may be a secret */
    const char *file;
    int line;
};

struct config_section {
    struct list node; /* in config_text.sections */
    const char *kind; /* the first word: "database" */
    const char *name; /* the rest, or "" */
    const char *file;
    int line;
    bool is_repeated;
    struct list entries; /* struct config_entry, in file order */
};

struct config_text {
    struct arena *arena; /* borrowed; all strings live in it */
    struct list sections;
    const char *files[CONFIG_FILES_MAX]; /* in the order of reading */
    size_t file_count;
};

/* Reads everything there is to read; what is wrong goes to `findings`. */
void config_file_read(struct config_text *text, struct arena *arena, const char *path,
                      struct config_findings *findings);

/* NULL when the section (which may be NULL) has no such key. */
struct config_entry *config_section_entry(const struct config_section *s, const char *key);

/* `path`, relative to the folder of `file`; in the arena. NULL when memory is out. */
const char *config_path_from(struct arena *arena, const char *file, const char *path);

#endif
