/*
 * fuzz_words.c - a console statement as words.
 */
#include "base/writer.h"
#include "proxy/admin/words.h"
#include "tests/fuzz/fuzz.h"

/* Every word in quotes, with a doubled quote for a quote: the same words, however they came. */
static void ck_same_in_quotes(const struct words *w) {
    uint8_t storage[WORDS_MAX * (2 * WORD_SIZE + 3) + 8];
    struct writer out;
    struct words again;
    writer_init_fixed(&out, storage, sizeof storage);
    for (int i = 0; i < w->count; i++) {
        writer_str(&out, i ? " \t\"" : "\"");
        for (const char *c = w->text[i]; *c; c++) {
            if (*c == '"') writer_u8(&out, '"');
            writer_u8(&out, (uint8_t)*c);
        }
        writer_u8(&out, '"');
    }
    writer_str(&out, " ; ;");
    PROMISE(!out.failed);
    words_split(&again, writer_bytes(&out));
    PROMISE(!again.is_cut && again.count == w->count);
    for (int i = 0; i < w->count; i++) PROMISE(again.is_quoted[i] && strcmp(again.text[i], w->text[i]) == 0);
}

/* The first `n` words, in upper case, as a phrase: a statement begins with its own words unless one is in quotes. */
static void ck_begins_with_itself(const struct words *w, int n) {
    char phrase[WORDS_MAX * WORD_SIZE];
    size_t len = 0;
    bool is_plain = true;
    int used = -1;
    for (int i = 0; i < n; i++) {
        is_plain = is_plain && !w->is_quoted[i];
        if (i) phrase[len++] = ' ';
        for (const char *c = w->text[i]; *c; c++) phrase[len++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    phrase[len] = '\0';
    if (is_plain) PROMISE(words_begin_with(w, phrase, &used) && used == n);
    phrase[len++] = '?';
    phrase[len] = '\0';
    if (n) PROMISE(!words_begin_with(w, phrase, &used));
}

static size_t count_of(struct bytes sql, uint8_t c) {
    size_t n = 0;
    for (size_t i = 0; i < sql.len; i++) n += sql.ptr[i] == c;
    return n;
}

static bool has_comment(struct bytes sql) {
    return memmem(sql.ptr, sql.len, "--", 2) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes sql = bytes_of(data, size);
    struct words w;
    words_split(&w, sql);
    PROMISE(w.count >= 0 && w.count <= WORDS_MAX);
    for (int i = 0; i < w.count; i++) {
        PROMISE(memchr(w.text[i], 0, WORD_SIZE) != NULL);
        if (w.is_quoted[i]) continue;
        PROMISE(!strpbrk(w.text[i], " \t\n\v\f\r;\""));
        PROMISE(w.is_cut || w.text[i][0]);
    }
    if (w.is_cut) return 0;
    if (!has_comment(sql)) PROMISE(count_of(sql, 0) == 0 && count_of(sql, '"') % 2 == 0); /* no word holds a NUL or is open */
    ck_same_in_quotes(&w);
    for (int i = 1; i <= w.count; i++) ck_begins_with_itself(&w, i);
    return 0;
}
