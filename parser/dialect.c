/*
 * dialect.c - default settings, and what is known of character sets.
 */
#include "parser/dialect.h"

struct sql_options sql_options_default(enum sql_dialect dialect) {
    if (dialect == SQL_POSTGRES) return (struct sql_options){.dialect = dialect, .version = 180000, .modes = SQL_STANDARD_STRINGS};
    return (struct sql_options){.dialect = dialect, .flavour = SQL_FLAVOUR_MYSQL, .version = 80400};
}

/*
 * Encodings of PostgreSQL's clients (as it reports them, and usual ways to ask for them) and character sets of MySQL's.
 * Left out, so unsafe: SJIS, SHIFT_JIS_2004, BIG5, GBK, GB18030, UHC, JOHAB; sjis, cp932; euckr of MySQL, whose trail bytes
 * may be letters (PostgreSQL's EUC_KR has none); swe7, in which punctuation is letters; ucs2, utf16 and utf32, which no
 * client may use.
 */
static const char *const utf8_names[] = {"utf8mb4", "utf8", "utf-8", "utf8mb3", "unicode"};

static const char *const single_byte_names[] = {
    /* PostgreSQL */
    "latin1", "latin2", "latin3", "latin4", "latin5", "latin6", "latin7", "latin8", "latin9", "latin10", "sql_ascii",
    "win866", "win874", "win1250", "win1251", "win1252", "win1253", "win1254", "win1255", "win1256", "win1257", "win1258",
    "koi8r", "koi8u", "iso_8859_5", "iso_8859_6", "iso_8859_7", "iso_8859_8", "iso-8859-1", "iso88591", "windows-1252",
    "euc_jp", "euc_cn", "euc_kr", "euc_tw", "euc_jis_2004", "mule_internal",
    /* MySQL and MariaDB, where they are not above */
    "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8", "eucjpms",
    "gb2312", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "macce", "macroman", "tis620", "ujis",
};

static bool equals_folded(struct bytes name, const char *lower) {
    if (strlen(lower) != name.len) return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i]) return false;
    }
    return true;
}

static bool is_among(struct bytes name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (equals_folded(name, names[i])) return true;
    }
    return false;
}

enum sql_encoding sql_encoding_of(struct bytes name) {
    if (is_among(name, utf8_names, COUNT_OF(utf8_names))) return SQL_ENCODING_UTF8;
    if (is_among(name, single_byte_names, COUNT_OF(single_byte_names))) return SQL_ENCODING_SINGLE_BYTE;
    return SQL_ENCODING_UNSAFE;
}
