/*
 * ast_words.h - the words that nodes of one kind are told apart by (their `op`), each with its name in dumps.
 *
 * Every list makes an enum and a function from its constants to their names.
 */
#ifndef GILMOK_PARSER_AST_WORDS_H
#define GILMOK_PARSER_AST_WORDS_H

#include <stdint.h>

/* what kind of constant */
#define AST_LITERALS(X)                                                                                         \
    X(INTEGER, "integer") X(NUMBER, "number") X(STRING, "string") X(ESCAPE_STRING, "escape-string")             \
    X(UNICODE_STRING, "unicode-string") X(DOLLAR_STRING, "dollar-string") X(NATIONAL_STRING, "national-string") \
    X(BIT_STRING, "bit-string") X(HEX_STRING, "hex-string") X(TRUE, "true") X(FALSE, "false") X(NULL, "null")   \
    X(UNKNOWN, "unknown")
enum ast_literal_op {
#define AST_ENUM(constant, name) LITERAL_##constant,
    AST_LITERALS(AST_ENUM)
#undef AST_ENUM
    LITERAL_COUNT,
};
const char *ast_literal_name(unsigned op);

/* operators; CUSTOM: a PostgreSQL operator known by its symbol alone */
#define AST_OPERATORS(X)                                                                                            \
    X(CUSTOM, "custom") X(EQ, "=") X(NE, "<>") X(LT, "<") X(LE, "<=") X(GT, ">") X(GE, ">=") X(NULL_SAFE_EQ, "<=>") \
    X(ADD, "+") X(SUB, "-") X(MUL, "*") X(DIV, "/") X(MOD, "%") X(POW, "^") X(INT_DIV, "div") X(BIT_AND, "&")       \
    X(BIT_OR, "|") X(BIT_XOR, "bit-xor") X(BIT_NOT, "~") X(SHIFT_LEFT, "<<") X(SHIFT_RIGHT, ">>") X(CONCAT, "||")   \
    X(NOT, "not") X(BANG, "!") X(PLUS, "unary-plus") X(MINUS, "unary-minus") X(JSON_EXTRACT, "->")                  \
    X(JSON_UNQUOTE, "->>") X(LIKE, "like") X(ILIKE, "ilike") X(SIMILAR, "similar-to") X(REGEXP, "regexp")           \
    X(SOUNDS_LIKE, "sounds-like") X(OVERLAPS, "overlaps") X(MEMBER_OF, "member-of") X(ASSIGN, ":=")                 \
    X(BINARY, "binary") X(PRIOR, "prior")
enum ast_operator {
#define AST_ENUM(constant, name) OPERATOR_##constant,
    AST_OPERATORS(AST_ENUM)
#undef AST_ENUM
    OPERATOR_COUNT,
};
const char *ast_operator_name(unsigned op);

/* IS ... */
#define AST_ISS(X)                                                                                            \
    X(NULL, "null") X(TRUE, "true") X(FALSE, "false") X(UNKNOWN, "unknown") X(DISTINCT_FROM, "distinct-from") \
    X(DOCUMENT, "document") X(NORMALIZED, "normalized") X(JSON, "json") X(OF, "of")
enum ast_is_op {
#define AST_ENUM(constant, name) IS_##constant,
    AST_ISS(AST_ENUM)
#undef AST_ENUM
    IS_COUNT,
};
const char *ast_is_name(unsigned op);

/* what stands before the parentheses of a query */
#define AST_SUBQUERYS(X)                                      \
    X(SCALAR, "scalar") X(EXISTS, "exists") X(ARRAY, "array")
enum ast_subquery_op {
#define AST_ENUM(constant, name) SUBQUERY_##constant,
    AST_SUBQUERYS(AST_ENUM)
#undef AST_ENUM
    SUBQUERY_COUNT,
};
const char *ast_subquery_name(unsigned op);

/* how a cast is written: CAST(a AS t), a::t, t 'a', CONVERT(a, t), CONVERT(a USING charset), BINARY a */
#define AST_CASTS(X)                                                                                        \
    X(FUNCTION, "function") X(COLONS, "colons") X(PREFIX, "prefix") X(CONVERT, "convert") X(USING, "using") \
    X(TREAT, "treat")
enum ast_cast_op {
#define AST_ENUM(constant, name) CAST_##constant,
    AST_CASTS(AST_ENUM)
#undef AST_ENUM
    CAST_COUNT,
};
const char *ast_cast_name(unsigned op);

/* how a call is written: f(a), EXTRACT(a FROM b) with words of its own, CURRENT_DATE without parentheses */
#define AST_CALLS(X)                                        \
    X(PLAIN, "plain") X(SPECIAL, "special") X(BARE, "bare")
enum ast_call {
#define AST_ENUM(constant, name) CALL_##constant,
    AST_CALLS(AST_ENUM)
#undef AST_ENUM
    CALL_COUNT,
};
const char *ast_call_name(unsigned op);

/* of variables and settings */
#define AST_SCOPES(X)                                                                                                 \
    X(NONE, "none") X(USER, "user") X(SESSION, "session") X(LOCAL, "local") X(GLOBAL, "global") X(PERSIST, "persist") \
    X(PERSIST_ONLY, "persist-only") X(SYSTEM, "system")
enum ast_scope_op {
#define AST_ENUM(constant, name) SCOPE_##constant,
    AST_SCOPES(AST_ENUM)
#undef AST_ENUM
    SCOPE_COUNT,
};
const char *ast_scope_name(unsigned op);

/* kinds of JOIN; COMMA does not occur, a list is a list */
#define AST_JOINS(X)                                                                                              \
    X(INNER, "inner") X(LEFT, "left") X(RIGHT, "right") X(FULL, "full") X(CROSS, "cross") X(STRAIGHT, "straight")
enum ast_join_op {
#define AST_ENUM(constant, name) JOIN_##constant,
    AST_JOINS(AST_ENUM)
#undef AST_ENUM
    JOIN_COUNT,
};
const char *ast_join_name(unsigned op);

#define AST_SETOPS(X)                                               \
    X(UNION, "union") X(INTERSECT, "intersect") X(EXCEPT, "except")
enum ast_setop_op {
#define AST_ENUM(constant, name) SETOP_##constant,
    AST_SETOPS(AST_ENUM)
#undef AST_ENUM
    SETOP_COUNT,
};
const char *ast_setop_name(unsigned op);

/* FOR UPDATE and its kin */
#define AST_LOCK_STRENGTHS(X)                                                                         \
    X(UPDATE, "update") X(NO_KEY_UPDATE, "no-key-update") X(SHARE, "share") X(KEY_SHARE, "key-share") \
    X(SHARE_MODE, "share-mode")
enum ast_lock_strength {
#define AST_ENUM(constant, name) LOCK_##constant,
    AST_LOCK_STRENGTHS(AST_ENUM)
#undef AST_ENUM
    LOCK_COUNT,
};
const char *ast_lock_strength_name(unsigned op);

/* SELECT ... INTO */
#define AST_INTOS(X)                                                                          \
    X(TABLE, "table") X(OUTFILE, "outfile") X(DUMPFILE, "dumpfile") X(VARIABLES, "variables")
enum ast_into_op {
#define AST_ENUM(constant, name) INTO_##constant,
    AST_INTOS(AST_ENUM)
#undef AST_ENUM
    INTO_COUNT,
};
const char *ast_into_name(unsigned op);

#define AST_GROUPINGS(X)                                                  \
    X(EMPTY, "empty") X(ROLLUP, "rollup") X(CUBE, "cube") X(SETS, "sets")
enum ast_grouping_op {
#define AST_ENUM(constant, name) GROUPING_##constant,
    AST_GROUPINGS(AST_ENUM)
#undef AST_ENUM
    GROUPING_COUNT,
};
const char *ast_grouping_name(unsigned op);

#define AST_FRAMES(X)                                     \
    X(ROWS, "rows") X(RANGE, "range") X(GROUPS, "groups")
enum ast_frame_op {
#define AST_ENUM(constant, name) FRAME_##constant,
    AST_FRAMES(AST_ENUM)
#undef AST_ENUM
    FRAME_COUNT,
};
const char *ast_frame_name(unsigned op);

#define AST_BOUNDS(X)                                                                                     \
    X(UNBOUNDED_PRECEDING, "unbounded-preceding") X(PRECEDING, "preceding") X(CURRENT_ROW, "current-row") \
    X(FOLLOWING, "following") X(UNBOUNDED_FOLLOWING, "unbounded-following")
enum ast_bound_op {
#define AST_ENUM(constant, name) BOUND_##constant,
    AST_BOUNDS(AST_ENUM)
#undef AST_ENUM
    BOUND_COUNT,
};
const char *ast_bound_name(unsigned op);

#define AST_CONFLICTS(X)                                                                            \
    X(NOTHING, "nothing") X(UPDATE, "update") X(DUPLICATE_KEY, "duplicate-key") X(SELECT, "select")
enum ast_conflict_op {
#define AST_ENUM(constant, name) CONFLICT_##constant,
    AST_CONFLICTS(AST_ENUM)
#undef AST_ENUM
    CONFLICT_COUNT,
};
const char *ast_conflict_name(unsigned op);

#define AST_MERGE_ACTIONS(X)                                                          \
    X(UPDATE, "update") X(DELETE, "delete") X(INSERT, "insert") X(NOTHING, "nothing")
enum ast_merge_action {
#define AST_ENUM(constant, name) MERGE_##constant,
    AST_MERGE_ACTIONS(AST_ENUM)
#undef AST_ENUM
    MERGE_COUNT,
};
const char *ast_merge_action_name(unsigned op);

#define AST_CONSTRAINTS(X)                                                                                        \
    X(NULL, "null") X(NOT_NULL, "not-null") X(DEFAULT, "default") X(CHECK, "check") X(UNIQUE, "unique")           \
    X(PRIMARY_KEY, "primary-key") X(FOREIGN_KEY, "foreign-key") X(GENERATED, "generated") X(IDENTITY, "identity") \
    X(EXCLUDE, "exclude") X(INDEX, "index") X(FULLTEXT, "fulltext") X(SPATIAL, "spatial") X(COLLATE, "collate")   \
    X(OTHER, "other")
enum ast_constraint_op {
#define AST_ENUM(constant, name) CONSTRAINT_##constant,
    AST_CONSTRAINTS(AST_ENUM)
#undef AST_ENUM
    CONSTRAINT_COUNT,
};
const char *ast_constraint_name(unsigned op);

/* the first words of commands that are no SELECT, INSERT, REPLACE, UPDATE, DELETE, MERGE, COPY or LOAD DATA */
#define SQL_VERBS(X)                                                                                                  \
    X(NONE, "NONE") X(ALTER, "ALTER") X(ANALYZE, "ANALYZE") X(BACKUP, "BACKUP") X(BEGIN, "BEGIN") X(BINLOG, "BINLOG") \
    X(CACHE, "CACHE") X(CALL, "CALL") X(CHANGE, "CHANGE") X(CHECK, "CHECK") X(CHECKPOINT, "CHECKPOINT")               \
    X(CHECKSUM, "CHECKSUM") X(CLONE, "CLONE") X(CLOSE, "CLOSE") X(CLUSTER, "CLUSTER") X(COMMENT, "COMMENT")           \
    X(COMMIT, "COMMIT") X(COMPOUND, "COMPOUND") X(CREATE, "CREATE") X(DEALLOCATE, "DEALLOCATE") X(DECLARE, "DECLARE") \
    X(DELIMITER, "DELIMITER") X(DESCRIBE, "DESCRIBE") X(DISCARD, "DISCARD") X(DO, "DO") X(DROP, "DROP")               \
    X(EXECUTE, "EXECUTE") X(EXPLAIN, "EXPLAIN") X(FETCH, "FETCH") X(FLUSH, "FLUSH")                                   \
    X(GET_DIAGNOSTICS, "GET DIAGNOSTICS") X(GRANT, "GRANT") X(HANDLER, "HANDLER") X(HELP, "HELP") X(IMPORT, "IMPORT") \
    X(INSTALL, "INSTALL") X(KILL, "KILL") X(LISTEN, "LISTEN") X(LOAD, "LOAD") X(LOCK, "LOCK") X(MOVE, "MOVE")         \
    X(NOTIFY, "NOTIFY") X(OPTIMIZE, "OPTIMIZE") X(PREPARE, "PREPARE") X(PREPARE_TRANSACTION, "PREPARE TRANSACTION")   \
    X(COMMIT_PREPARED, "COMMIT PREPARED") X(ROLLBACK_PREPARED, "ROLLBACK PREPARED") X(PURGE, "PURGE")                 \
    X(REASSIGN, "REASSIGN") X(REFRESH, "REFRESH") X(REINDEX, "REINDEX") X(RELEASE, "RELEASE") X(RENAME, "RENAME")     \
    X(REPACK, "REPACK") X(REPAIR, "REPAIR") X(RESET, "RESET") X(RESIGNAL, "RESIGNAL") X(RESTART, "RESTART")           \
    X(REVOKE, "REVOKE") X(ROLLBACK, "ROLLBACK") X(ROLLBACK_TO, "ROLLBACK TO") X(SAVEPOINT, "SAVEPOINT")               \
    X(SECURITY_LABEL, "SECURITY LABEL") X(SET, "SET") X(SHOW, "SHOW") X(SHUTDOWN, "SHUTDOWN") X(SIGNAL, "SIGNAL")     \
    X(START, "START") X(STOP, "STOP") X(TRUNCATE, "TRUNCATE") X(UNINSTALL, "UNINSTALL") X(UNLISTEN, "UNLISTEN")       \
    X(UNLOCK, "UNLOCK") X(USE, "USE") X(VACUUM, "VACUUM") X(WAIT, "WAIT") X(XA_START, "XA START") X(XA_END, "XA END") \
    X(XA_PREPARE, "XA PREPARE") X(XA_COMMIT, "XA COMMIT") X(XA_ROLLBACK, "XA ROLLBACK") X(XA_RECOVER, "XA RECOVER") \
    X(OPEN, "OPEN") X(RETURN, "RETURN") X(LEAVE, "LEAVE") X(ITERATE, "ITERATE")
enum sql_verb {
#define AST_ENUM(constant, name) SQL_##constant,
    SQL_VERBS(AST_ENUM)
#undef AST_ENUM
    SQL_COUNT,
};
const char *sql_verb_name(unsigned op);

/* what commands are about */
#define SQL_OBJECTS(X)                                                                                                \
    X(NONE, "NONE") X(ACCESS_METHOD, "ACCESS METHOD") X(AGGREGATE, "AGGREGATE") X(ALL, "ALL")                         \
    X(ASSERTION, "ASSERTION") X(AUTHORIZATION, "AUTHORIZATION") X(BINARY_LOGS, "BINARY LOGS") X(CAST, "CAST")         \
    X(CHARACTER_SET, "CHARACTER SET") X(COLLATION, "COLLATION") X(COLUMN, "COLUMN") X(CONSTRAINT, "CONSTRAINT")       \
    X(CONSTRAINTS, "CONSTRAINTS") X(CONVERSION, "CONVERSION") X(DATABASE, "DATABASE")                                 \
    X(DEFAULT_PRIVILEGES, "DEFAULT PRIVILEGES") X(DEFAULT_ROLE, "DEFAULT ROLE") X(DOMAIN, "DOMAIN")                   \
    X(DOMAIN_CONSTRAINT, "DOMAIN CONSTRAINT") X(EVENT, "EVENT") X(EVENT_TRIGGER, "EVENT TRIGGER")                     \
    X(EXTENSION, "EXTENSION") X(FOREIGN_DATA_WRAPPER, "FOREIGN DATA WRAPPER") X(FOREIGN_TABLE, "FOREIGN TABLE")       \
    X(FUNCTION, "FUNCTION") X(GROUP, "GROUP") X(INDEX, "INDEX") X(INSTANCE, "INSTANCE") X(LANGUAGE, "LANGUAGE")       \
    X(LARGE_OBJECT, "LARGE OBJECT") X(LIBRARY, "LIBRARY") X(LOGFILE_GROUP, "LOGFILE GROUP")                           \
    X(MATERIALIZED_VIEW, "MATERIALIZED VIEW") X(MASTER, "MASTER") X(NAMES, "NAMES") X(OPERATOR, "OPERATOR")           \
    X(OPERATOR_CLASS, "OPERATOR CLASS") X(OPERATOR_FAMILY, "OPERATOR FAMILY") X(OWNED, "OWNED") X(PACKAGE, "PACKAGE") \
    X(PACKAGE_BODY, "PACKAGE BODY") X(PARAMETER, "PARAMETER") X(PASSWORD, "PASSWORD") X(PLUGIN, "PLUGIN")             \
    X(COMPONENT, "COMPONENT") X(POLICY, "POLICY") X(PREPARE, "PREPARE") X(PRIVILEGES, "PRIVILEGES")                   \
    X(PROCEDURE, "PROCEDURE") X(PROPERTY_GRAPH, "PROPERTY GRAPH") X(PUBLICATION, "PUBLICATION") X(REPLICA, "REPLICA") \
    X(RESOURCE, "RESOURCE") X(ROLE, "ROLE") X(ROUTINE, "ROUTINE") X(RULE, "RULE") X(SCHEMA, "SCHEMA")                 \
    X(SEQUENCE, "SEQUENCE") X(SERVER, "SERVER") X(SESSION, "SESSION") X(SLAVE, "SLAVE") X(SONAME, "SONAME")           \
    X(SPATIAL_REFERENCE, "SPATIAL REFERENCE") X(STATEMENT, "STATEMENT") X(STATISTICS, "STATISTICS")                   \
    X(STATUS, "STATUS") X(SUBSCRIPTION, "SUBSCRIPTION") X(SYSTEM, "SYSTEM") X(TABLE, "TABLE")                         \
    X(TABLESPACE, "TABLESPACE") X(TABLE_CONSTRAINT, "TABLE CONSTRAINT")                                               \
    X(TEXT_SEARCH_CONFIGURATION, "TEXT SEARCH CONFIGURATION") X(TEXT_SEARCH_DICTIONARY, "TEXT SEARCH DICTIONARY")     \
    X(TEXT_SEARCH_PARSER, "TEXT SEARCH PARSER") X(TEXT_SEARCH_TEMPLATE, "TEXT SEARCH TEMPLATE")                       \
    X(TIME_ZONE, "TIME ZONE") X(TRANSACTION, "TRANSACTION") X(TRANSFORM, "TRANSFORM") X(TRIGGER, "TRIGGER")           \
    X(TYPE, "TYPE") X(USER, "USER") X(USER_MAPPING, "USER MAPPING") X(VARIABLE, "VARIABLE") X(VIEW, "VIEW")           \
    X(WARNINGS, "WARNINGS") X(WORK, "WORK") X(TABLE_AS, "TABLE AS") X(ATTRIBUTE, "ATTRIBUTE") X(BINLOG, "BINLOG")     \
    X(KEY_CACHE, "KEY CACHE") X(INDEX_CACHE, "INDEX CACHE") X(PLANS, "PLANS") X(SEQUENCES, "SEQUENCES")               \
    X(TEMP, "TEMP") X(UNDO_TABLESPACE, "UNDO TABLESPACE") X(CURSOR, "CURSOR") X(CURSOR_ALL, "CURSOR ALL")             \
    X(XML_OPTION, "XML OPTION") X(FOREIGN_SCHEMA, "FOREIGN SCHEMA")
enum sql_object {
#define AST_ENUM(constant, name) SQL_OBJECT_##constant,
    SQL_OBJECTS(AST_ENUM)
#undef AST_ENUM
    SQL_OBJECT_COUNT,
};
const char *sql_object_name(unsigned op);

#endif
