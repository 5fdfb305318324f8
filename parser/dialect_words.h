/*
 * dialect_words.h - struct sql_options from words as people and servers write them.
 *
 * For the command line, for tests, and for what a server says about itself:
 * `15.4 (Debian 15.4-1)`, `10.11.18-MariaDB`, a value of sql_mode.
 */
#ifndef GILMOK_PARSER_DIALECT_WORDS_H
#define GILMOK_PARSER_DIALECT_WORDS_H

#include "base/err.h"
#include "parser/dialect.h"

/* Borrowed; NULL where nothing is said. */
struct sql_option_words {
    const char *dialect;          /* postgres, mysql */
    const char *flavour;          /* mysql, mariadb */
    const char *version;          /* see sql_version_of */
    const char *modes;            /* see sql_modes_of; of MySQL */
    const char *standard_strings; /* on, off: standard_conforming_strings; of PostgreSQL */
    const char *encoding;         /* see sql_encoding_of */
};

/*
 * What is not said is as sql_options_default has it for the dialect, which is PostgreSQL when nothing is said; a MySQL flavour
 * that is not said follows from the version: 10 and later, or the word MariaDB, is MariaDB. False: a word
 * makes no sense; `err` says which and what to write.
 */
MUST_USE bool sql_options_of(const struct sql_option_words *words, struct sql_options *out, struct err *err);

/*
 * A version as struct sql_options has it: `15`, `15.4`, `9.6.24`; `8.0.36`, `10.11.18`, `8.0`. What stands behind it after a
 * space or '-' is left out, in PostgreSQL also beta1, rc1 and devel. 0: it is none.
 */
uint32_t sql_version_of(enum sql_dialect dialect, struct bytes text);

/*
 * The modes in a list of sql_mode, any case, combinations such as ANSI included; those that do not change how text is
 * read are known and left out. False: `unknown` is a name that is no mode of any server.
 */
bool sql_modes_of(enum sql_flavour flavour, struct bytes list, uint32_t *modes, struct bytes *unknown);

#endif
