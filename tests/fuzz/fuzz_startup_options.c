/*
 * fuzz_startup_options.c - the startup parameter `options`: behind the application_name that is read from it, and in front of what a pool
 * makes of it. Both beside a second reading of the same rules, which makes the list of words first.
 */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/writer.h"
#include "proxy/pool/startup_pg.h"
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
static void ck_question(struct bytes options) {
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
        struct startup_pg *st = startup_pg_new(writer_bytes(&key));
        struct params_pg reported = {0};
        PROMISE(st && startup_pg_read(st, bytes_of("", 0), &reported));
        PROMISE(st->is_shareable == (count == 0)); /* the server has told nothing of what they set */
        startup_pg_unref(st);
        params_pg_release(&reported);
    }
    writer_release(&key);
    writer_release(&sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest;
    if (size > 8000) return 0;
    struct bytes options = fuzz_cut(bytes_of(data, size), &rest); /* a packet's parameters hold no NUL */
    ck_app_name(options);
    ck_question(options);
    return 0;
}
