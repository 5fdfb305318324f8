/*
 * The list of harmless tags (the server's cmdtaglist.h names all there are), default: taints.
 * EXPLAIN is not on it: EXPLAIN ANALYZE carries out what it explains, CREATE TABLE AS too.
 */
#include "proxy/pool/tag_pg.h"

#define TAG(literal) {literal, sizeof(literal) - 1}

/* Tags of which the first word decides; a row count may follow. */
static const struct {
    const char *text;
    size_t len;
} harmless_first_words[] = {
    TAG("INSERT"), TAG("UPDATE"), TAG("DELETE"), TAG("MERGE"),
    TAG("COPY"),   TAG("FETCH"),  TAG("MOVE"),
};

static const struct {
    const char *text;
    size_t len;
} harmless[] = {
    TAG("BEGIN"),      TAG("START TRANSACTION"),
    TAG("SAVEPOINT"),  TAG("RELEASE"),           TAG("PREPARE TRANSACTION"), TAG("COMMIT PREPARED"),
    TAG("ROLLBACK PREPARED"), TAG("SHOW"),       TAG("VACUUM"),          TAG("ANALYZE"),
    TAG("CHECKPOINT"), TAG("REINDEX"),           TAG("CLUSTER"),
    TAG("LOCK TABLE"), TAG("TRUNCATE TABLE"),    TAG("NOTIFY"),          TAG("CLOSE CURSOR"),
    TAG("SET CONSTRAINTS"), TAG("DEALLOCATE"),   TAG("UNLISTEN"),        TAG("REFRESH MATERIALIZED VIEW"),
    TAG("COMMIT"), TAG("ROLLBACK"),
};

static bool has_first_word(struct bytes tag, const char *text, size_t len) {
    return tag.len >= len && memcmp(tag.ptr, text, len) == 0 && (tag.len == len || tag.ptr[len] == ' ');
}

enum tag_pg_effect tag_pg_effect(struct bytes tag) {
    if (has_first_word(tag, "SELECT", 6)) return TAG_PG_IS_SELECT;
    for (size_t i = 0; i < COUNT_OF(harmless_first_words); i++)
        if (has_first_word(tag, harmless_first_words[i].text, harmless_first_words[i].len)) return TAG_PG_CLEAN;
    for (size_t i = 0; i < COUNT_OF(harmless); i++)
        if (tag.len == harmless[i].len && memcmp(tag.ptr, harmless[i].text, tag.len) == 0) return TAG_PG_CLEAN;
    if (bytes_is(tag, "DEALLOCATE ALL")) return TAG_PG_DROPS_STATEMENTS;
    if (bytes_is(tag, "DISCARD ALL")) return TAG_PG_TAINTS | TAG_PG_RESETS | TAG_PG_DROPS_STATEMENTS;
    if (bytes_is(tag, "RESET")) return TAG_PG_TAINTS | TAG_PG_RESETS;
    return TAG_PG_TAINTS;
}
