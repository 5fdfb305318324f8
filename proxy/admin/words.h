/*
 * words.h - a console statement as words.
 *
 * Words are separated by blanks; a word in double quotes may hold anything, with a
 * doubled quote for a quote. Semicolons may stand at the end. A statement that is only
 * a comment has no words, as on a server. Pure.
 */
#ifndef GILMOK_PROXY_ADMIN_WORDS_H
#define GILMOK_PROXY_ADMIN_WORDS_H

#include "base/bytes.h"

enum { WORDS_MAX = 14 /* of ADD NODE with all its options */, WORD_SIZE = 256 /* a host name */ };

struct words {
    int count;
    bool is_cut; /* there are more of them, or one is too long, or a quote is open: no command is like that */
    char text[WORDS_MAX][WORD_SIZE];
    bool is_quoted[WORDS_MAX];
};

void words_split(struct words *w, struct bytes sql);
/*
 * True when the statement begins with the words of `phrase` (upper case, one blank
 * between them), in whatever case; *used is then their number.
 */
bool words_begin_with(const struct words *w, const char *phrase, int *used);

#endif
