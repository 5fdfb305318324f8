/*
 * fuzz_effect_my.c - what a text of MySQL's and MariaDB's leaves behind and asks of its session.
 *
 * A setting that is told is said again, under every mode that reads strings differently: it must be told as the same one, alone.
 */
#include "base/writer.h"
#include "routing/effect_my.h"
#include "tests/fuzz/fuzz_sql.h"

static struct arena arena, inner;

struct heard {
    struct bytes text;
    const struct sql_options *options;
    unsigned settings, counts; /* counts: enum effect_my of them */
};

/* ---- saying it again ------------------------------------------------------------------------------------------------- */

struct again {
    const struct effect_my_setting *first;
    unsigned times;
};

static void on_again(void *ctx, const struct effect_my_setting *s) {
    struct again *again = ctx;
    again->times++;
    PROMISE(s->kind == again->first->kind && bytes_equal(s->name, again->first->name));
    PROMISE(bytes_equal(s->value, again->first->value));
}

static void say_again(const struct effect_my_setting *s, struct sql_options options, uint32_t modes) {
    static const char *const verbs[] = {"SET ", "SET @", "SET NAMES "};
    const char *sign = s->kind == SETTING_MY_NAMES ? "" : " = ";
    struct again again = {.first = s};
    struct effect_my_ears ears = {.on_setting = on_again, .ctx = &again};
    struct writer w;
    options.modes = modes;
    writer_init(&w, 1 << 20);
    writer_str(&w, verbs[s->kind]);
    writer_put(&w, s->name);
    writer_str(&w, sign);
    writer_put(&w, s->value);
    PROMISE(effect_my_of(bytes_of(w.data, w.len), &options, &inner, &ears) == EFFECT_MY_SETS && again.times == 1);
    writer_release(&w);
}

static void on_setting(void *ctx, const struct effect_my_setting *s) {
    struct heard *h = ctx;
    h->settings++;
    PROMISE((s->kind == SETTING_MY_NAMES) == !s->name.len);
    for (size_t i = 0; i < s->name.len; i++) PROMISE(s->name.ptr[i] < 0x80 && !(s->name.ptr[i] >= 'A' && s->name.ptr[i] <= 'Z'));
    if (!s->value.ptr) {
        PROMISE(s->kind == SETTING_MY_VARIABLE && bytes_is(s->name, "sql_mode"));
        return;
    }
    bool may_be_other = s->kind == SETTING_MY_USER && s->is_string;
    for (size_t i = 0; i < s->value.len; i++) PROMISE(s->value.ptr[i] && (s->value.ptr[i] < 0x80 || may_be_other));
    PROMISE(!memchr(s->value.ptr, '\\', s->value.len));
    say_again(s, *h->options, 0);
    say_again(s, *h->options, SQL_ANSI_QUOTES);
    say_again(s, *h->options, SQL_NO_BACKSLASH_ESCAPES | SQL_IGNORE_SPACE | SQL_PIPES_AS_CONCAT);
}

static void on_count(void *ctx, enum effect_my which, uint32_t start, uint32_t end, bool is_item) {
    struct heard *h = ctx;
    h->counts |= which;
    PROMISE(which == EFFECT_MY_ASKS_ROW_COUNT || which == EFFECT_MY_ASKS_FOUND_ROWS);
    PROMISE(start < end && end <= h->text.len && h->text.ptr[end - 1] == ')');
    (void)is_item;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sql_options options;
    struct bytes text;
    if (!arena.max) {
        arena_init(&arena, 64 << 20);
        arena_keep(&arena, 1 << 20);
        arena_init(&inner, 64 << 20);
        arena_keep(&inner, 1 << 20);
    }
    if (!fuzz_sql_input(data, size, SQL_MYSQL, &options, &text)) return 0;
    struct heard h = {.text = text, .options = &options};
    struct effect_my_ears ears = {.on_setting = on_setting, .on_count = on_count, .ctx = &h}, none = {0};
    unsigned effects = effect_my_of(text, &options, &arena, &ears);
    unsigned counts = effects & (EFFECT_MY_ASKS_ROW_COUNT | EFFECT_MY_ASKS_FOUND_ROWS);
    PROMISE(!(effects & EFFECT_MY_SETS) == !h.settings && counts == h.counts);
    if (effects & (EFFECT_MY_SHOW_WARNINGS | EFFECT_MY_KEEPS_WARNINGS)) PROMISE(effects & EFFECT_MY_ASKS_WARNINGS);
    if (effects & EFFECT_MY_SHOW_WARNINGS) PROMISE(!(effects & (EFFECT_MY_STAYS | EFFECT_MY_MANY)));
    PROMISE(effects == effect_my_of(text, &options, &arena, &none));
    return 0;
}
