/*
 * literal_list.h - moves over lists of constants without making tokens of them.
 *
 * For texts that consist of little else: a thousand rows behind VALUES, a long
 * list behind IN. Knows the plain forms of constants only and stops short in front of
 * everything else: it may say too little, never too much. What it moved over a lexer would have
 * read as just such a list (tests/unit/test_fingerprint.c compares the two).
 */
#ifndef GILMOK_PARSER_LITERAL_LIST_H
#define GILMOK_PARSER_LITERAL_LIST_H

#include "parser/lex.h"

/*
 * From where the lexer stands over as many `, element` as there are, and returns the offset behind the last of them;
 * l->pos when there is none. An element is one constant when `columns` is 0, else that many of them in parentheses. Behind
 * it there may be white space before the comma or closing bracket that follows.
 */
uint32_t literal_list_skip(const struct lexer *l, uint32_t columns);

#endif
