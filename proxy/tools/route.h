/*
 * route.h - `gilmok route`: where a text may go, and why.
 */
#ifndef GILMOK_PROXY_TOOLS_ROUTE_H
#define GILMOK_PROXY_TOOLS_ROUTE_H

/* The lines of `gilmok help` about it. */
extern const char route_usage[];

/* `args`: what follows the word route. Prints, and returns the exit status: 2 for wrong options. */
int route_run(int count, char **args);

#endif
