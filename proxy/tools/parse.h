/*
 * parse.h - `gilmok parse`: what does gilmok read in this SQL text?
 */
#ifndef GILMOK_PROXY_TOOLS_PARSE_H
#define GILMOK_PROXY_TOOLS_PARSE_H

/* What the arguments may be, for the usage. Ends with a line break. */
extern const char parse_usage[];

/*
 * Reads one SQL text from standard input and prints a line for each of its statements (docs/parser.md). `args` are the
 * `count` arguments behind `parse`. The exit status: 0, also for statements that cannot be read, since that is an
 * answer; 1 when reading or writing fails, memory is out or the text is too long; 2 for wrong arguments.
 */
int parse_run(int count, char **args);

#endif
