/*
 * DEALLOCATE by SQL, which drivers send for statements that they prepared by the
 * protocol: the server knows them by another name. Reads this one command, and knows
 * nothing else of SQL.
 */
#include <ctype.h>

#include "proxy/session/session_pg_names.h"

static void skip_spaces(struct bytes *sql) {
    while (sql->len && isspace(sql->ptr[0])) *sql = bytes_of(sql->ptr + 1, sql->len - 1);
}

static bool is_word_char(uint8_t c) {
    return isalnum(c) || c == '_' || c == '$' || c > 127;
}

static bool take_word(struct bytes *sql, const char *word) {
    size_t len = strlen(word);
    if (sql->len < len) return false;
    for (size_t i = 0; i < len; i++)
        if (toupper(sql->ptr[i]) != word[i]) return false;
    if (sql->len > len && is_word_char(sql->ptr[len])) return false;
    *sql = bytes_of(sql->ptr + len, sql->len - len);
    skip_spaces(sql);
    return true;
}

/* An identifier as the server reads it: quoted, or folded to lower case. Only ASCII when not quoted. */
static bool take_identifier(struct bytes *sql, struct writer *out) {
    size_t i = 0;
    if (sql->len && sql->ptr[0] == '"') {
        for (i = 1; i < sql->len; i++) {
            bool is_doubled = i + 1 < sql->len && sql->ptr[i + 1] == '"';
            if (sql->ptr[i] == '"' && !is_doubled) break;
            if (sql->ptr[i] == '"') i++;
            writer_u8(out, sql->ptr[i]);
        }
        if (i++ >= sql->len) return false; /* no closing quote */
    } else {
        for (; i < sql->len && is_word_char(sql->ptr[i]); i++) {
            if (sql->ptr[i] > 127) return false;
            writer_u8(out, (uint8_t)tolower(sql->ptr[i]));
        }
    }
    *sql = bytes_of(sql->ptr + i, sql->len - i);
    skip_spaces(sql);
    return !out->failed && out->len > 0;
}

/*   DEALLOCATE [ PREPARE ] name [ ; ]        and nothing else in the query */
bool session_pg_deallocate(struct session_pg *ps, struct bytes sql, bool really) {
    uint8_t storage[64];
    struct writer name;
    writer_init_fixed(&name, storage, sizeof storage);
    skip_spaces(&sql);
    if (!take_word(&sql, "DEALLOCATE")) return false;
    struct bytes rest = sql;
    if (take_word(&rest, "PREPARE") && rest.len && rest.ptr[0] != ';') sql = rest;
    if (!take_identifier(&sql, &name)) return false;
    if (sql.len && sql.ptr[0] == ';') {
        sql = bytes_of(sql.ptr + 1, sql.len - 1);
        skip_spaces(&sql);
    }
    if (sql.len || !session_pg_prepared_is_known(ps, writer_bytes(&name))) return false;
    if (really) session_pg_names_forget(&ps->prepared, writer_bytes(&name));
    return true;
}
