/*
 * check.h - `gilmok check`: is this configuration right, and what would it do?
 */
#ifndef GILMOK_PROXY_TOOLS_CHECK_H
#define GILMOK_PROXY_TOOLS_CHECK_H

/*
 * Prints every finding as `FILE:LINE: error: MESSAGE. ADVICE` and a summary to standard
 * output; for a right configuration an overview too, and behind it, as `FILE:LINE: advice: ...`,
 * what could be better. 0 when it is right (warnings and advice are no hindrance), else 1:
 * the exit status. Contacts no server.
 */
int check_run(const char *path);

#endif
