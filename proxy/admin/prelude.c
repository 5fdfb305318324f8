/*
 * What drivers and pools of connections say by themselves, before and after what a person
 * wants: SET of their own settings, which mean nothing here; SHOW of some; a probe. And
 * what they try in vain, with a hint.
 */
#include <strings.h>

#include "proxy/admin/console.h"

/* The first word of SET is no key of gilmok's: those stand in its file. */
static void take_set(struct console_call *call) {
    static const char *const ignored[] = {
        "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle", "default_transaction_isolation",
        "default_transaction_read_only", "extra_float_digits", "idle_in_transaction_session_timeout", "intervalstyle",
        "lock_timeout", "names", "search_path", "session", "standard_conforming_strings", "statement_timeout", "time", "timezone",
    };
    size_t len = strcspn(call->argument, "=");
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        if (strlen(ignored[i]) == len && strncasecmp(call->argument, ignored[i], len) == 0) return;
    err_set(call->err, ERR_FEATURE_NOT_SUPPORTED, "the console changes no settings");
    err_hint(call->err, "Change the configuration file, then RELOAD. SHOW CONFIG tells what is in force.");
}

static void refuse_transaction(struct console_call *call) {
    err_set(call->err, ERR_FEATURE_NOT_SUPPORTED, "the console has no transactions");
    err_hint(call->err, "Set the driver's autocommit.");
}

#define CONSTANT(command, column, text) {command, NULL, CONSOLE_STATS, NULL, .columns = column, .value = text}
#define NO_TRANSACTION(command) {command, "...", CONSOLE_STATS, NULL, .begin = refuse_transaction}

static const struct console_verb verbs[] = {
    {"SET", "...", CONSOLE_STATS, NULL, .begin = take_set},
    {"RESET", "...", CONSOLE_STATS, NULL},
    {"DISCARD", "...", CONSOLE_STATS, NULL},
    {"DEALLOCATE", "...", CONSOLE_STATS, NULL},
    CONSTANT("SELECT 1", "#?column?", "1"),
    CONSTANT("SHOW CLIENT_ENCODING", "client_encoding", "UTF8"),
    CONSTANT("SHOW DATESTYLE", "DateStyle", "ISO, MDY"),
    CONSTANT("SHOW DEFAULT_TRANSACTION_ISOLATION", "default_transaction_isolation", "read committed"),
    CONSTANT("SHOW SERVER_ENCODING", "server_encoding", "UTF8"),
    CONSTANT("SHOW STANDARD_CONFORMING_STRINGS", "standard_conforming_strings", "on"),
    CONSTANT("SHOW TIMEZONE", "TimeZone", "UTC"),
    CONSTANT("SHOW TRANSACTION ISOLATION LEVEL", "transaction_isolation", "read committed"),
    CONSTANT("SHOW TRANSACTION_ISOLATION", "transaction_isolation", "read committed"),
    NO_TRANSACTION("BEGIN"),
    NO_TRANSACTION("START TRANSACTION"),
    NO_TRANSACTION("COMMIT"),
    NO_TRANSACTION("ROLLBACK"),
    NO_TRANSACTION("SAVEPOINT"),
};

const struct console_table prelude_table = CONSOLE_TABLE(verbs);
