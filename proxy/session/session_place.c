/*
 * Knows the configuration and the book of shares; no protocol's words.
 */
#include "proxy/session/session_place.h"

static const char *name_of(enum proto_kind protocol) {
    return protocol == PROTO_MYSQL ? "MySQL" : "PostgreSQL";
}

const struct config_database *session_find_place(struct session *s, enum proto_kind protocol, struct err *err) {
    struct session_env *env = s->env;
    struct bytes name = bytes_str(s->database);
    const struct config_database *db = config_find_database(env->config, name);
    bool is_known = db && db == config_pool_database(env->config, name);
    bool is_enabled = is_known && !(gate_book_of(&env->hub->gates, name) & GATE_DISABLED);
    if (!is_known) {
        err_set(err, ERR_NO_SUCH_DATABASE, "database \"%s\" does not exist", s->database);
    } else if (db->cluster->protocol != protocol) {
        err_set(err, ERR_NO_SUCH_DATABASE, "database \"%s\" is for %s clients", s->database, name_of(db->cluster->protocol));
        err_hint(err, "They have an address of their own: `listen` for PostgreSQL, `listen_mysql` for MySQL.");
    } else if (!is_enabled) {
        err_set(err, ERR_CANNOT_CONNECT, "database \"%s\" is disabled", s->database);
    } else {
        struct bytes user = bytes_str(s->user);
        return share_book_enter(&env->hub->shares, env->config, db, name, user, env->worker, &s->group, &s->share, err) ? db : NULL;
    }
    return NULL;
}
