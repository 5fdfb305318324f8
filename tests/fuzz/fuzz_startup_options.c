/*
 * fuzz_startup_options.c - the startup parameter `options`, and behind a NUL what the server says that it has set: a "name=value" a
 * line. The application_name in it, what is asked about it, and whether it can be shared: beside a second reading of the same rules,
 * which makes the list of words first.
 */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/writer.h"
#include "proxy/pool/startup_pg.h"
#include "proxy/wire/pg_encode.h"
#include "tests/fuzz/fuzz.h"

enum { WORDS = 4096, WORD_MAX = 1023 /* longer ones are not taken for options */ };

struct word {
    char text[WORD_MAX + 1];
    size_t len;
};

/* White space ends a word; a backslash takes what follows as it is. At the end of all it is itself. */
static int split(struct bytes text, struct word *words) {
    int count = 0;
    bool is_open = false;
    for (size_t i = 0; i < text.len && count < WORDS; i++) {
        uint8_t c = text.ptr[i];
        if (isspace(c)) {
            is_open = false;
            continue;
        }
        if (c == '\\' && i + 1 < text.len) c = text.ptr[++i];
        if (is_open && words[count - 1].len == WORD_MAX) is_open = false; /* the next byte begins another word */
        if (!is_open) words[count++].len = 0;
        is_open = true;
        struct word *w = &words[count - 1];
        w->text[w->len++] = (char)c;
        w->text[w->len] = '\0';
    }
    return count;
}

/* What one option says, from word `*at` on. NULL: it is none. */
static const char *say(const struct word *words, int count, int *at) {
    const struct word *w = &words[(*at)++];
    if (w->len == WORD_MAX || w->text[0] != '-') return NULL;
    if (w->text[1] == '-') return w->text + 2;
    if (w->text[1] != 'c') return NULL;
    if (w->len > 2) return w->text + 2;
    return *at < count ? words[(*at)++].text : NULL;
}

static bool is_app_name(const char *option, size_t len) {
    static const char name[] = "application_name";
    if (len != strlen(name)) return false;
    for (size_t i = 0; i < len; i++) {
        char c = option[i] == '-' ? '_' : option[i];
        if (tolower((unsigned char)c) != name[i]) return false;
    }
    return true;
}

static bool app_name_again(struct bytes text, char out[STARTUP_PG_APP_NAME_MAX + 1]) {
    static struct word words[WORDS];
    int count = split(text, words), at = 0;
    bool is_there = false;
    while (at < count) {
        const char *option = say(words, count, &at);
        if (!option) break;
        const char *equals = strchr(option, '=');
        if (!equals || !is_app_name(option, (size_t)(equals - option))) continue;
        snprintf(out, STARTUP_PG_APP_NAME_MAX + 1, "%s", equals + 1);
        is_there = true;
    }
    return is_there;
}

static void ck_app_name(struct bytes options) {
    char got[STARTUP_PG_APP_NAME_MAX + 1], want[STARTUP_PG_APP_NAME_MAX + 1];
    bool is_there = startup_pg_app_name(options, got);
    PROMISE(is_there == app_name_again(options, want));
    if (is_there) PROMISE(memchr(got, 0, sizeof got) && strcmp(got, want) == 0);
}

static bool is_name(const char *option, size_t len) {
    static const char *const others[] = {"application_name", "default_table_access_method", "default_tablespace",
                                         "default_text_search_config", "local_preload_libraries", "role", "seed",
                                         "session_authorization", "temp_buffers", "temp_tablespaces"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strlen(others[i]) == len && strncasecmp(others[i], option, len) == 0) return false;
    return len > 0 && len <= 63 && strncasecmp(option, "transaction_", 12) != 0;
}

/* What can be asked about is nothing but assignments to settings that are not of the start alone. */
static void put_column(struct writer *rows, struct bytes text) {
    writer_be32(rows, (uint32_t)text.len);
    writer_put(rows, text);
}

static void put_rows(struct writer *rows, struct bytes told) {
    while (told.len) {
        const uint8_t *end = memchr(told.ptr, '\n', told.len);
        struct bytes line = bytes_of(told.ptr, end ? (size_t)(end - told.ptr) : told.len);
        told = end ? bytes_of(end + 1, told.len - line.len - 1) : bytes_of("", 0);
        const uint8_t *equals = line.len ? memchr(line.ptr, '=', line.len) : NULL;
        size_t name_len = equals ? (size_t)(equals - line.ptr) : line.len;
        size_t at = pg_begin(rows, PG_B_DATA_ROW);
        writer_be16(rows, 2);
        put_column(rows, bytes_of(line.ptr, name_len));
        if (equals) put_column(rows, bytes_of(equals + 1, line.len - name_len - 1));
        else writer_be32(rows, UINT32_MAX);
        pg_end(rows, at);
    }
}

/* What they set is set, wherever it is put; and nothing of it is there where nothing was put. */
static void ck_shared(struct startup_pg *st, const struct params_pg *start) {
    struct params_pg home = {0};
    PROMISE(startup_pg_put_on(st, start, &home));
    PROMISE(startup_pg_is_there(st, &home) == (st->rest.count == 0));
    for (int i = 0; i < st->reported.count; i++)
        if (st->own >> i & 1) PROMISE(startup_pg_sets(st, bytes_str(st->reported.items[i].name)));
    for (uint32_t i = 0; i < st->rest.count; i++) PROMISE(startup_pg_sets(st, bytes_str(st->rest.items[i].name)));
    params_pg_release(&home);
}

static void ck_answer(struct bytes key, struct bytes told, int option_count) {
    struct list known;
    struct writer rows;
    struct params_pg reported = {0}, start = {0};
    struct startup_pg *st = startup_pg_new(key);
    writer_init(&rows, 1 << 22);
    list_init(&known);
    put_rows(&rows, told);
    PROMISE(params_pg_set(&reported, bytes_str("TimeZone"), bytes_str("Asia/Tokyo")));
    PROMISE(params_pg_set(&reported, bytes_str("DateStyle"), bytes_str("ISO, MDY")));
    PROMISE(params_pg_set(&start, bytes_str("TimeZone"), bytes_str("UTC")));
    PROMISE(!rows.failed && st && startup_pg_read(st, writer_bytes(&rows), &reported));
    if (!told.len) PROMISE(st->is_shareable == (option_count == 0)); /* the server has told nothing of what they set */
    if (st->is_shareable) ck_shared(st, &start);
    startup_pg_remember(&known, st);
    PROMISE(startup_pg_find(&known, key) == st);
    startup_pg_forget_all(&known);
    params_pg_release(&reported);
    params_pg_release(&start);
    writer_release(&rows);
}

static void ck_question(struct bytes options, struct bytes told) {
    static struct word words[WORDS];
    struct writer key, sql;
    writer_init(&key, 1 << 16);
    writer_init(&sql, 1 << 22);
    writer_cstr(&key, bytes_str("options"));
    writer_put(&key, options);
    writer_u8(&key, 0);
    if (!key.failed && startup_pg_put_question(&sql, writer_bytes(&key))) {
        int count = split(options, words), at = 0;
        while (at < count) {
            const char *option = say(words, count, &at);
            PROMISE(option);
            const char *equals = strchr(option, '=');
            PROMISE(equals);
            char name[WORD_MAX + 1];
            snprintf(name, sizeof name, "%.*s", (int)(equals - option), option);
            for (char *c = name; *c; c++) *c = *c == '-' ? '_' : *c;
            PROMISE(is_name(name, strlen(name)));
        }
        ck_answer(writer_bytes(&key), told, count);
    }
    writer_release(&key);
    writer_release(&sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest;
    if (size > 8000) return 0;
    struct bytes options = fuzz_cut(bytes_of(data, size), &rest); /* a packet's parameters hold no NUL */
    ck_app_name(options);
    ck_question(options, rest);
    return 0;
}
