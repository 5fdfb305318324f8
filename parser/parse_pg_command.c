/*
 * parse_pg_command.c - PostgreSQL's commands: by the first keyword to who reads it.
 */
#include "parser/parse_pg_command.h"

/* What each keyword begins; NULL: no command. */
static parse_function *reader_of(const struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_ABORT: return parse_pg_rollback;
    case KW_ALTER: return parse_pg_alter;
    case KW_ANALYSE: return parse_pg_analyze;
    case KW_ANALYZE: return parse_pg_analyze;
    case KW_BEGIN: return parse_pg_begin;
    case KW_CALL: return parse_pg_call;
    case KW_CHECKPOINT: return parse_pg_checkpoint;
    case KW_CLOSE: return parse_pg_close;
    case KW_CLUSTER: return parse_pg_cluster;
    case KW_COMMENT: return parse_pg_comment;
    case KW_COMMIT: return parse_pg_commit;
    case KW_CREATE: return parse_pg_create;
    case KW_DEALLOCATE: return parse_pg_deallocate;
    case KW_DECLARE: return parse_pg_declare;
    case KW_DISCARD: return parse_pg_discard;
    case KW_DO: return parse_pg_do;
    case KW_DROP: return parse_pg_drop;
    case KW_END: return parse_pg_commit;
    case KW_EXECUTE: return parse_pg_execute;
    case KW_EXPLAIN: return parse_pg_explain;
    case KW_FETCH: return parse_pg_fetch;
    case KW_GRANT: return parse_pg_grant;
    case KW_IMPORT: return parse_pg_import;
    case KW_LISTEN: return parse_pg_listen;
    case KW_LOAD: return parse_pg_load;
    case KW_LOCK: return parse_pg_lock;
    case KW_MOVE: return parse_pg_fetch;
    case KW_NOTIFY: return parse_pg_listen;
    case KW_PREPARE: return parse_pg_prepare;
    case KW_REASSIGN: return parse_pg_reassign;
    case KW_REFRESH: return parse_pg_refresh;
    case KW_REINDEX: return parse_pg_reindex;
    case KW_RELEASE: return parse_pg_savepoint;
    case KW_REPACK: return parse_pg_repack;
    case KW_RESET: return parse_pg_reset;
    case KW_REVOKE: return parse_pg_grant;
    case KW_ROLLBACK: return parse_pg_rollback;
    case KW_SAVEPOINT: return parse_pg_savepoint;
    case KW_SECURITY: return parse_pg_security_label;
    case KW_SET: return parse_pg_set;
    case KW_SHOW: return parse_pg_show;
    case KW_START: return parse_pg_begin;
    case KW_TRUNCATE: return parse_pg_truncate;
    case KW_UNLISTEN: return parse_pg_listen;
    case KW_VACUUM: return parse_pg_vacuum;
    case KW_WAIT: return parse_pg_wait;
    default: return NULL;
    }
}

/* Any of PostgreSQL's commands. Fails at a word that begins none. */
struct ast *parse_pg_command(struct sql_reader *p) {
    parse_function *reader = reader_of(p);
    if (reader) return reader(p);
    parse_fail(p, "no statement begins so");
    return parse_done(p, parse_command(p, SQL_NONE, SQL_OBJECT_NONE));
}
