/*
 * serve.h - `gilmok serve`: the process around the worker.
 */
#ifndef GILMOK_PROXY_SERVE_H
#define GILMOK_PROXY_SERVE_H

/* Runs until stopped. The exit status: 0 after a stop that was asked for, 1 when it could not start. */
int serve_run(const char *path);

#endif
