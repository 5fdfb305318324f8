/*
 * edit.h - changes to a statement's text, by spans of the original.
 *
 *      struct edit_list list;
 *      edit_init(&list, text, &options, &arena);
 *      edit_replace(&list, node->start, node->end, bytes_str("\"t_3\""));
 *      edit_insert(&list, end, bytes_str(" LIMIT 10"));
 *      if (!edit_print(&list, &out)) ... list.problem
 *
 * Spans count bytes of the original text whatever other edits there are, and may come in any order; they must not
 * overlap. Text inserted at the edge of another span stays outside of it; several texts at one place stay in the order
 * in which they came.
 *
 * What is printed has, as the server reads it, the tokens of the original outside of the spans and the tokens of what
 * was put there, one after the other, and no others: this is checked with the lexer, from a few tokens before each seam
 * on. Where two would join (5 and 6, - and -, a name and a number's point, what follows a line comment), a space, a
 * line's end or an empty comment is put between them. What cannot be kept apart is refused, and so are spans that cut a
 * token or leave a comment without its end, texts that are unreadable by themselves, and names that would become reserved
 * words. Hints do not count.
 */
#ifndef GILMOK_PARSER_EDIT_H
#define GILMOK_PARSER_EDIT_H

#include "base/arena.h"
#include "base/writer.h"
#include "parser/dialect.h"

struct edit {
    uint32_t start, end; /* what goes; nothing when they are the same */
    struct bytes with;   /* what comes instead; borrowed */
};

struct edit_list {
    struct bytes text;                 /* borrowed */
    const struct sql_options *options; /* borrowed */
    struct arena *arena;
    struct edit *edits; /* in the arena, in order */
    uint32_t count, cap;
    const char *problem; /* static; NULL while all is well. The first one stays. */
    uint32_t problem_at; /* offset in the original */
};

void edit_init(struct edit_list *list, struct bytes text, const struct sql_options *options, struct arena *arena);

/* [start, end) of the original gives way to `with`, which is borrowed until the list is printed. Failure is sticky. */
void edit_replace(struct edit_list *list, uint32_t start, uint32_t end, struct bytes with);

static inline void edit_insert(struct edit_list *list, uint32_t at, struct bytes what) {
    edit_replace(list, at, at, what);
}

static inline void edit_delete(struct edit_list *list, uint32_t start, uint32_t end) {
    edit_replace(list, start, end, bytes_of("", 0));
}

/*
 * Appends the edited text to `out`; without edits the exact original, whatever it is. False: `problem` is set, and
 * what was appended is gone again unless the writer has failed.
 */
MUST_USE bool edit_print(struct edit_list *list, struct writer *out);

/*
 * A name in quotes, and a string as a literal, so that the server reads exactly these bytes whatever they are. False,
 * and nothing is appended: no such thing can be written (a NUL in PostgreSQL, an empty name there, bytes >= 0x80 in an
 * encoding where they might hide a quote). A string is a single token, though perhaps one with a prefix (E'...').
 */
MUST_USE bool edit_quote_name(struct writer *out, struct bytes name, const struct sql_options *options);
MUST_USE bool edit_quote_string(struct writer *out, struct bytes value, const struct sql_options *options);

#endif
