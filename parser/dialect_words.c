/*
 * dialect_words.c - owns the spellings of versions and modes; what they mean for reading is the lexers' business.
 */
#include "parser/dialect_words.h"

#include <strings.h>

static bool is_word(struct bytes text, const char *word) {
    return text.len == strlen(word) && strncasecmp((const char *)text.ptr, word, text.len) == 0;
}

/* ---- versions -------------------------------------------------------------------------------------------------------- */

enum { PART_MAX = 999, PARTS_MAX = 3 };

/* One to three numbers with points between them, from the start of `text`, which is moved behind them. -1: none. */
static int read_numbers(struct bytes *text, uint32_t parts[PARTS_MAX]) {
    size_t at = 0;
    int count = 0;
    for (;;) {
        size_t start = at;
        uint32_t value = 0;
        for (; at < text->len && text->ptr[at] >= '0' && text->ptr[at] <= '9'; at++) {
            value = 10 * value + (text->ptr[at] - '0');
            if (value > PART_MAX) return -1;
        }
        if (at == start) return -1;
        parts[count++] = value;
        if (at == text->len || text->ptr[at] != '.' || count == PARTS_MAX) break;
        at++;
    }
    *text = bytes_of(text->ptr + at, text->len - at);
    return count;
}

static bool is_version_end(enum sql_dialect dialect, struct bytes rest) {
    if (rest.len == 0 || rest.ptr[0] == ' ' || rest.ptr[0] == '-') return true;
    if (dialect != SQL_POSTGRES) return false;
    return bytes_starts_with(rest, "beta") || bytes_starts_with(rest, "rc") || bytes_starts_with(rest, "devel");
}

uint32_t sql_version_of(enum sql_dialect dialect, struct bytes text) {
    uint32_t parts[PARTS_MAX] = {0};
    int count = read_numbers(&text, parts);
    if (count < 0 || !is_version_end(dialect, text)) return 0;
    if (dialect == SQL_POSTGRES && parts[0] >= 10) /* since then two numbers: 15.4 is the fourth update of 15 */
        return count > 2 ? 0 : parts[0] * 10000 + parts[1];
    if (parts[1] > 99 || parts[2] > 99) return 0;
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

/* Does a server of the MySQL family that calls its version so be MariaDB? */
static bool is_mariadb(struct bytes version) {
    enum { FIRST_MARIADB_ONLY = 100000 }; /* MariaDB went from 5.5 to 10.0, MySQL is at 9 */
    for (size_t i = 0; i + 7 <= version.len; i++)
        if (strncasecmp((const char *)version.ptr + i, "mariadb", 7) == 0) return true;
    return sql_version_of(SQL_MYSQL, version) >= FIRST_MARIADB_ONLY;
}

/* ---- sql_mode -------------------------------------------------------------------------------------------------------- */

enum { ANSI_MODES = SQL_PIPES_AS_CONCAT | SQL_ANSI_QUOTES | SQL_IGNORE_SPACE };

/* MySQL Reference Manual, "Server SQL Modes" (5.5 to 9); MariaDB Knowledge Base, "SQL_MODE". */
static const struct {
    const char *name;
    uint32_t modes;
} mode_names[] = {
    {"ANSI_QUOTES", SQL_ANSI_QUOTES},
    {"NO_BACKSLASH_ESCAPES", SQL_NO_BACKSLASH_ESCAPES},
    {"PIPES_AS_CONCAT", SQL_PIPES_AS_CONCAT},
    {"IGNORE_SPACE", SQL_IGNORE_SPACE},
    {"HIGH_NOT_PRECEDENCE", SQL_HIGH_NOT_PRECEDENCE},
    {"ANSI", ANSI_MODES},
    {"ORACLE", ANSI_MODES | SQL_ORACLE},
    {"MSSQL", ANSI_MODES},
    {"DB2", ANSI_MODES},
    {"POSTGRESQL", ANSI_MODES},
    {"MAXDB", ANSI_MODES},
    {"MYSQL323", SQL_HIGH_NOT_PRECEDENCE},
    {"MYSQL40", SQL_HIGH_NOT_PRECEDENCE},
    {"ALLOW_INVALID_DATES", 0},
    {"EMPTY_STRING_IS_NULL", 0},
    {"ERROR_FOR_DIVISION_BY_ZERO", 0},
    {"IGNORE_BAD_TABLE_OPTIONS", 0},
    {"NO_AUTO_CREATE_USER", 0},
    {"NO_AUTO_VALUE_ON_ZERO", 0},
    {"NO_DIR_IN_CREATE", 0},
    {"NO_ENGINE_SUBSTITUTION", 0},
    {"NO_FIELD_OPTIONS", 0},
    {"NO_KEY_OPTIONS", 0},
    {"NO_TABLE_OPTIONS", 0},
    {"NO_UNSIGNED_SUBTRACTION", 0},
    {"NO_ZERO_DATE", 0},
    {"NO_ZERO_IN_DATE", 0},
    {"ONLY_FULL_GROUP_BY", 0},
    {"PAD_CHAR_TO_FULL_LENGTH", 0},
    {"REAL_AS_FLOAT", 0},
    {"SIMULTANEOUS_ASSIGNMENT", 0},
    {"STRICT_ALL_TABLES", 0},
    {"STRICT_TRANS_TABLES", 0},
    {"TIME_ROUND_FRACTIONAL", 0},
    {"TIME_TRUNCATE_FRACTIONAL", 0},
    {"TRADITIONAL", 0},
};

static bool add_mode(struct bytes name, uint32_t *modes) {
    for (size_t i = 0; i < COUNT_OF(mode_names); i++) {
        if (!is_word(name, mode_names[i].name)) continue;
        *modes |= mode_names[i].modes;
        return true;
    }
    return false;
}

static struct bytes trim(struct bytes text) {
    while (text.len > 0 && text.ptr[0] == ' ') text = bytes_of(text.ptr + 1, text.len - 1);
    while (text.len > 0 && text.ptr[text.len - 1] == ' ') text.len--;
    return text;
}

bool sql_modes_of(enum sql_flavour flavour, struct bytes list, uint32_t *modes, struct bytes *unknown) {
    uint32_t found = 0;
    for (size_t start = 0, end; start <= list.len; start = end + 1) {
        for (end = start; end < list.len && list.ptr[end] != ',';) end++;
        struct bytes name = trim(bytes_of(list.ptr + start, end - start));
        if (name.len > 0 && !add_mode(name, &found)) {
            *unknown = name;
            return false;
        }
    }
    /* MySQL 5.7 had the word ORACLE too, for the modes that come with it, not for Oracle's language. */
    if (flavour == SQL_FLAVOUR_MYSQL) found &= ~(uint32_t)SQL_ORACLE;
    *modes = found;
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static bool bad_word(struct err *err, const char *what, const char *expected, const char *found) {
    return err_set(err, ERR_SYNTAX, "%s is %s, not \"%s\"", what, expected, found);
}

static bool set_dialect(const char *word, struct sql_options *out, struct err *err) {
    enum sql_dialect dialect = SQL_POSTGRES;
    if (word && is_word(bytes_str(word), "mysql")) dialect = SQL_MYSQL;
    else if (word && !is_word(bytes_str(word), "postgres")) return bad_word(err, "the dialect", "postgres or mysql", word);
    *out = sql_options_default(dialect);
    return true;
}

/* The newest of each family that is maintained for years: what a flavour means when no version is given. */
static uint32_t usual_version(enum sql_flavour flavour) {
    return flavour == SQL_FLAVOUR_MARIADB ? 101100 : 80400;
}

static bool set_flavour(const struct sql_option_words *words, struct sql_options *out, struct err *err) {
    enum sql_flavour flavour = out->flavour;
    if (words->flavour) {
        struct bytes word = bytes_str(words->flavour);
        if (out->dialect != SQL_MYSQL) return err_set(err, ERR_SYNTAX, "a flavour is of the dialect mysql: ask for that one");
        if (is_word(word, "mariadb")) flavour = SQL_FLAVOUR_MARIADB;
        else if (is_word(word, "mysql")) flavour = SQL_FLAVOUR_MYSQL;
        else return bad_word(err, "the flavour", "mysql or mariadb", words->flavour);
    } else if (out->dialect == SQL_MYSQL && words->version) {
        flavour = is_mariadb(bytes_str(words->version)) ? SQL_FLAVOUR_MARIADB : SQL_FLAVOUR_MYSQL;
    }
    if (flavour != out->flavour) out->version = usual_version(flavour);
    out->flavour = flavour;
    return true;
}

static bool set_version(const char *word, struct sql_options *out, struct err *err) {
    if (!word) return true;
    out->version = sql_version_of(out->dialect, bytes_str(word));
    if (out->version) return true;
    return bad_word(err, "the version", out->dialect == SQL_POSTGRES ? "one such as 15 or 15.4" : "one such as 8.0.36 or 10.11.18",
                    word);
}

static bool set_modes(const char *list, struct sql_options *out, struct err *err) {
    if (!list) return true;
    if (out->dialect != SQL_MYSQL) return err_set(err, ERR_SYNTAX, "sql_mode is of the dialect mysql: ask for that one");
    struct bytes unknown;
    if (sql_modes_of(out->flavour, bytes_str(list), &out->modes, &unknown)) return true;
    return err_set(err, ERR_SYNTAX, "\"%.*s\" is no sql_mode; modes stand in a list such as ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
                   unknown.len < 80 ? (int)unknown.len : 80, (const char *)unknown.ptr);
}

static bool set_standard_strings(const char *word, struct sql_options *out, struct err *err) {
    if (!word) return true;
    if (out->dialect != SQL_POSTGRES) return err_set(err, ERR_SYNTAX, "standard strings are of the dialect postgres");
    bool is_on = is_word(bytes_str(word), "on");
    if (!is_on && !is_word(bytes_str(word), "off")) return bad_word(err, "the setting of standard strings", "on or off", word);
    out->modes = is_on ? out->modes | SQL_STANDARD_STRINGS : out->modes & ~(uint32_t)SQL_STANDARD_STRINGS;
    return true;
}

bool sql_options_of(const struct sql_option_words *words, struct sql_options *out, struct err *err) {
    struct sql_options o;
    if (!set_dialect(words->dialect, &o, err) || !set_flavour(words, &o, err)) return false;
    if (!set_version(words->version, &o, err) || !set_modes(words->modes, &o, err)) return false;
    if (!set_standard_strings(words->standard_strings, &o, err)) return false;
    if (words->encoding) o.encoding = sql_encoding_of(bytes_str(words->encoding));
    *out = o;
    return true;
}
