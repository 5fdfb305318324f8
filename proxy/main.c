/*
 * The command line: which subcommand, and nothing more.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "proxy/serve.h"
#include "proxy/tools/check.h"
#include "proxy/tools/parse.h"
#include "proxy/tools/route.h"

static int usage(FILE *to, int status) {
    fputs("gilmok " GILMOK_VERSION " - a SQL-aware proxy for PostgreSQL\n"
          "\n"
          "  gilmok serve -c FILE   run the proxy\n"
          "  gilmok check -c FILE   check a configuration file; exit status 1 when it is wrong\n",
          to);
    fputs(parse_usage, to);
    fputs(route_usage, to);
    fputs("  gilmok --version       print the version\n"
          "  gilmok help            print this text\n"
          "\n"
          "Signals to a running gilmok: TERM drains and stops, INT stops at once, HUP reloads the configuration.\n",
          to);
    return status;
}

static const char *config_path(int argc, char **argv) {
    return argc == 4 && strcmp(argv[2], "-c") == 0 ? argv[3] : NULL;
}

int main(int argc, char **argv) {
    uint64_t seed;
    if (!clock_random(&clock_real, &seed, sizeof seed)) {
        fputs("gilmok: the system gives no random numbers\n", stderr);
        return 1;
    }
    map_seed(seed);
    const char *command = argc > 1 ? argv[1] : "";
    const char *path = config_path(argc, argv);
    if (strcmp(command, "serve") == 0 && path) return serve_run(path);
    if (strcmp(command, "check") == 0 && path) return check_run(path);
    if (strcmp(command, "parse") == 0) return parse_run(argc - 2, argv + 2);
    if (strcmp(command, "route") == 0) return route_run(argc - 2, argv + 2);
    if (strcmp(command, "--version") == 0) {
        puts("gilmok " GILMOK_VERSION);
        return 0;
    }
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) return usage(stdout, 0);
    return usage(stderr, 2);
}
