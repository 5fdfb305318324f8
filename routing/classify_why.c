/*
 * Words for findings, and nothing else.
 */
#include "routing/classify.h"

enum classify_place classify_why_place(enum classify_why why) {
    static const uint8_t places[] = {
#define CLASSIFY_ENUM(constant, place, text) CLASSIFY_##place,
        CLASSIFY_WHYS(CLASSIFY_ENUM)
#undef CLASSIFY_ENUM
    };
    return (enum classify_place)places[why];
}

const char *classify_why_text(enum classify_why why) {
    static const char *const texts[] = {
#define CLASSIFY_ENUM(constant, place, text) text,
        CLASSIFY_WHYS(CLASSIFY_ENUM)
#undef CLASSIFY_ENUM
    };
    return texts[why];
}

const char *classify_why_word(enum classify_why why) {
    static const char *const words[] = {
#define CLASSIFY_ENUM(constant, place, text) #constant,
        CLASSIFY_WHYS(CLASSIFY_ENUM)
#undef CLASSIFY_ENUM
    };
    return words[why];
}

const char *classify_about_name(enum classify_about about) {
    static const char *const names[] = {"statement", "table", "function", "clause", "operator", "type", "setting", "hint"};
    return names[about];
}

const char *classify_place_name(enum classify_place place) {
    static const char *const names[] = {"replica", "primary", "session", "refused"};
    return names[place];
}

/* Names in quotes may hold anything; a line stays a line. */
static void put_name(struct writer *w, struct bytes name) {
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (c < ' ' || c == 127) writer_fmt(w, "\\x%02x", c);
        else writer_u8(w, c);
    }
}

void classify_put_reason(const struct classify_reason *reason, struct writer *w) {
    if (reason->about != CLASSIFY_STATEMENT && reason->about != CLASSIFY_CLAUSE)
        writer_fmt(w, "%s ", classify_about_name(reason->about));
    if (reason->schema.len) {
        put_name(w, reason->schema);
        writer_u8(w, '.');
    }
    put_name(w, reason->name);
    writer_fmt(w, "%sat %u: %s", reason->name.len ? " " : "", (unsigned)reason->position, classify_why_text(reason->why));
    if (!reason->detail.len) return;
    writer_str(w, " (");
    put_name(w, reason->detail);
    writer_u8(w, ')');
}

static bool put_reasons(const struct classify_result *result, bool is_decisive, bool is_first, struct writer *w) {
    for (const struct classify_reason *r = result->reasons; r; r = r->next) {
        if ((classify_why_place(r->why) == result->place) != is_decisive) continue;
        if (!is_first) writer_str(w, "; ");
        classify_put_reason(r, w);
        is_first = false;
    }
    return is_first;
}

void classify_put(const struct classify_result *result, struct writer *w) {
    writer_fmt(w, "%s\t", classify_place_name(result->place));
    bool is_first = put_reasons(result, true, true, w);
    if (is_first) classify_put_reason(&result->decisive, w); /* they were not kept, or there was no room for it */
    put_reasons(result, false, false, w);
    if (result->left_out) writer_fmt(w, "; and %u more", result->left_out);
}
