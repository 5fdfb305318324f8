/*
 * parse_mysql_show.c - SHOW, DESCRIBE and EXPLAIN of MySQL and MariaDB.
 *
 * SHOW: the first of the command's options is named after what is shown ("tables", "table status", "create view"), the
 * others are what else is said (full, extended, limit). objects: the table, database or routine it is about; the
 * database of FROM stands behind the table. args: one OPTION "like" or "where". The command's object is the kind of thing
 * as far as there is one.
 */
#include "parser/parse_mysql_command.h"

struct ast *parse_mysql_opt_filter(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_LIKE)) return parse_option(p, start, "like", parse_string(p));
    if (!parse_at(p, KW_WHERE)) return NULL;
    struct ast *condition = parse_opt_where(p);
    return parse_option(p, start, "where", condition);
}

/* What a SHOW may go on with behind its words. */
enum show_tail {
    SHOW_NOTHING,
    SHOW_FILTER,   /* [ LIKE | WHERE ] */
    SHOW_DATABASE, /* [ { FROM | IN } database ] [ LIKE | WHERE ] */
    SHOW_COLUMNS,  /* { FROM | IN } table [ { FROM | IN } database ] [ LIKE | WHERE ] */
    SHOW_INDEX,    /* { FROM | IN } table [ { FROM | IN } database ] [ WHERE ] */
    SHOW_LIMIT,    /* [ LIMIT ] */
};

struct show_row {
    uint16_t words[2];
    uint8_t tail;
    uint16_t object;
    const char *name;
};

/* What is shown by words alone. Of two rows with the same first word the longer comes first. */
static const struct show_row show_rows[] = {
    {{KW_DATABASES}, SHOW_FILTER, SQL_OBJECT_DATABASE, "databases"},
    {{KW_SCHEMAS}, SHOW_FILTER, SQL_OBJECT_DATABASE, "databases"},
    {{KW_TABLES}, SHOW_DATABASE, SQL_OBJECT_TABLE, "tables"},
    {{KW_TABLE, KW_STATUS}, SHOW_DATABASE, SQL_OBJECT_TABLE, "table status"},
    {{KW_OPEN, KW_TABLES}, SHOW_DATABASE, SQL_OBJECT_TABLE, "open tables"},
    {{KW_TRIGGERS}, SHOW_DATABASE, SQL_OBJECT_TRIGGER, "triggers"},
    {{KW_EVENTS}, SHOW_DATABASE, SQL_OBJECT_EVENT, "events"},
    {{KW_COLUMNS}, SHOW_COLUMNS, SQL_OBJECT_COLUMN, "columns"},
    {{KW_FIELDS}, SHOW_COLUMNS, SQL_OBJECT_COLUMN, "columns"},
    {{KW_INDEX}, SHOW_INDEX, SQL_OBJECT_INDEX, "index"},
    {{KW_INDEXES}, SHOW_INDEX, SQL_OBJECT_INDEX, "index"},
    {{KW_KEYS}, SHOW_INDEX, SQL_OBJECT_INDEX, "index"},
    {{KW_VARIABLES}, SHOW_FILTER, SQL_OBJECT_VARIABLE, "variables"},
    {{KW_STATUS}, SHOW_FILTER, SQL_OBJECT_STATUS, "status"},
    {{KW_CHARSET}, SHOW_FILTER, SQL_OBJECT_CHARACTER_SET, "character set"},
    {{KW_CHARACTER, KW_SET}, SHOW_FILTER, SQL_OBJECT_CHARACTER_SET, "character set"},
    {{KW_CHAR, KW_SET}, SHOW_FILTER, SQL_OBJECT_CHARACTER_SET, "character set"},
    {{KW_COLLATION}, SHOW_FILTER, SQL_OBJECT_COLLATION, "collation"},
    {{KW_PROCEDURE, KW_STATUS}, SHOW_FILTER, SQL_OBJECT_PROCEDURE, "procedure status"},
    {{KW_FUNCTION, KW_STATUS}, SHOW_FILTER, SQL_OBJECT_FUNCTION, "function status"},
    {{KW_PACKAGE, KW_STATUS}, SHOW_FILTER, SQL_OBJECT_PACKAGE, "package status"},
    {{KW_LIBRARY, KW_STATUS}, SHOW_FILTER, SQL_OBJECT_LIBRARY, "library status"},
    {{KW_WARNINGS}, SHOW_LIMIT, SQL_OBJECT_WARNINGS, "warnings"},
    {{KW_ERRORS}, SHOW_LIMIT, SQL_OBJECT_WARNINGS, "errors"},
    {{KW_STORAGE, KW_ENGINES}, SHOW_NOTHING, SQL_OBJECT_NONE, "engines"},
    {{KW_ENGINES}, SHOW_NOTHING, SQL_OBJECT_NONE, "engines"},
    {{KW_PROFILES}, SHOW_NOTHING, SQL_OBJECT_NONE, "profiles"},
    {{KW_PROCESSLIST}, SHOW_NOTHING, SQL_OBJECT_NONE, "processlist"},
    {{KW_PRIVILEGES}, SHOW_NOTHING, SQL_OBJECT_PRIVILEGES, "privileges"},
    {{KW_AUTHORS}, SHOW_NOTHING, SQL_OBJECT_NONE, "authors"},
    {{KW_CONTRIBUTORS}, SHOW_NOTHING, SQL_OBJECT_NONE, "contributors"},
    {{KW_MASTER, KW_STATUS}, SHOW_NOTHING, SQL_OBJECT_MASTER, "master status"},
    {{KW_MASTER, KW_LOGS}, SHOW_NOTHING, SQL_OBJECT_BINARY_LOGS, "binary logs"},
    {{KW_BINARY, KW_LOGS}, SHOW_NOTHING, SQL_OBJECT_BINARY_LOGS, "binary logs"},
    {{KW_BINLOG, KW_STATUS}, SHOW_NOTHING, SQL_OBJECT_BINLOG, "binlog status"},
    {{KW_SLAVE, KW_HOSTS}, SHOW_NOTHING, SQL_OBJECT_REPLICA, "replicas"},
    {{KW_REPLICA, KW_HOSTS}, SHOW_NOTHING, SQL_OBJECT_REPLICA, "replicas"},
    {{KW_REPLICAS}, SHOW_NOTHING, SQL_OBJECT_REPLICA, "replicas"},
};

struct show {
    struct ast_command *c;
    struct parse_list options;
};

static bool accept_from(struct sql_reader *p) {
    return parse_accept(p, KW_FROM) || parse_accept(p, KW_IN);
}

/* [ { FROM | IN } database ] */
static struct ast *parse_opt_from_database(struct sql_reader *p) {
    return accept_from(p) ? parse_object(p, SQL_OBJECT_DATABASE, parse_name(p)) : NULL;
}

static void parse_show_tail(struct sql_reader *p, struct show *s, enum show_tail tail) {
    struct ast_command *c = s->c;
    uint32_t start = p->tok.start;
    if (tail == SHOW_LIMIT && parse_at(p, KW_LIMIT)) {
        struct ast *limit = parse_opt_limit(p);
        parse_list_add(&s->options, parse_option(p, start, "limit", limit));
    }
    if (tail == SHOW_COLUMNS || tail == SHOW_INDEX) {
        if (!accept_from(p)) parse_expect(p, KW_FROM);
        c->objects = parse_table_name(p);
        parse_append(&c->objects, parse_opt_from_database(p));
    }
    if (tail == SHOW_DATABASE) c->objects = parse_opt_from_database(p);
    bool has_filter = tail == SHOW_FILTER || tail == SHOW_DATABASE || tail == SHOW_COLUMNS;
    if (has_filter || (tail == SHOW_INDEX && parse_at(p, KW_WHERE))) c->args = parse_mysql_opt_filter(p);
}

/* Reads one of the rows' words and tail; false when none begins here. */
static bool parse_show_row(struct sql_reader *p, struct show *s) {
    for (unsigned i = 0; i < sizeof(show_rows) / sizeof(show_rows[0]); i++) {
        const struct show_row *row = &show_rows[i];
        if (!parse_at(p, row->words[0]) || (row->words[1] != 0 && parse_peek(p, 1) != row->words[1])) continue;
        uint32_t start = p->tok.start;
        parse_advance(p);
        if (row->words[1] != 0) parse_advance(p);
        s->c->object = row->object;
        parse_list_add(&s->options, parse_option(p, start, row->name, NULL));
        parse_show_tail(p, s, (enum show_tail)row->tail);
        return true;
    }
    return false;
}

static void show_what(struct sql_reader *p, struct show *s, uint32_t start, const char *name, enum sql_object object) {
    s->c->object = (uint16_t)object;
    parse_list_add(&s->options, parse_option(p, start, name, NULL));
}

/* [ IN string ] [ FROM number ] [ LIMIT ... ] [ FOR CHANNEL string ] */
static void parse_show_log_range(struct sql_reader *p, struct show *s) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_IN)) parse_list_add(&s->options, parse_option(p, start, "in", parse_string(p)));
    start = p->tok.start;
    if (parse_accept(p, KW_FROM)) parse_list_add(&s->options, parse_option(p, start, "from", parse_literal(p)));
    parse_show_tail(p, s, SHOW_LIMIT);
}

/* BINLOG EVENTS range | RELAYLOG [ connection ] EVENTS range */
static void parse_show_log_events(struct sql_reader *p, struct show *s, uint32_t start) {
    bool is_relay = parse_at(p, KW_RELAYLOG);
    parse_advance(p);
    if (is_relay) s->c->args = parse_opt_string(p);
    parse_expect(p, KW_EVENTS);
    show_what(p, s, start, is_relay ? "relaylog events" : "binlog events", SQL_OBJECT_BINLOG);
    parse_show_log_range(p, s);
    struct ast *channel = is_relay ? parse_mysql_opt_channel(p) : NULL;
    if (channel) parse_list_add(&s->options, channel);
}

/* { SLAVE | REPLICA } [ connection ] STATUS [ NONBLOCKING ] [ FOR CHANNEL string ] | ALL { SLAVES | REPLICAS } STATUS */
static void parse_show_replica(struct sql_reader *p, struct show *s, uint32_t start) {
    bool is_all = parse_accept(p, KW_ALL);
    if (is_all && !parse_accept(p, KW_SLAVES)) parse_expect(p, KW_REPLICAS);
    if (!is_all) {
        parse_advance(p);
        s->c->args = parse_opt_string(p);
    }
    parse_expect(p, KW_STATUS);
    show_what(p, s, start, is_all ? "all replicas status" : "replica status", SQL_OBJECT_REPLICA);
    uint32_t at = p->tok.start;
    if (!is_all && !p->is_mariadb && parse_accept_word(p, "nonblocking"))
        parse_list_add(&s->options, parse_option(p, at, "nonblocking", NULL));
    struct ast *channel = is_all ? NULL : parse_mysql_opt_channel(p);
    if (channel) parse_list_add(&s->options, channel);
}

/* COUNT "(" "*" ")" { WARNINGS | ERRORS } */
static void parse_show_count(struct sql_reader *p, struct show *s, uint32_t start) {
    parse_expect(p, KW_COUNT);
    bool is_apart = p->tok.flags & TOKEN_AFTER_SPACE && !(p->options->modes & SQL_IGNORE_SPACE);
    if (is_apart) parse_fail(p, "syntax error: expected COUNT(*)");
    parse_expect(p, '(');
    parse_expect(p, '*');
    parse_expect(p, ')');
    bool is_errors = parse_accept(p, KW_ERRORS);
    if (!is_errors) parse_expect(p, KW_WARNINGS);
    show_what(p, s, start, is_errors ? "count errors" : "count warnings", SQL_OBJECT_WARNINGS);
}

/* kind of figures: CPU | MEMORY | BLOCK IO | CONTEXT SWITCHES | PAGE FAULTS | IPC | SWAPS | SOURCE | ALL */
static struct ast *parse_profile_kind(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_BLOCK, KW_IO)) return parse_option(p, start, "block io", NULL);
    if (parse_accept2(p, KW_CONTEXT, KW_SWITCHES)) return parse_option(p, start, "context switches", NULL);
    if (parse_accept2(p, KW_PAGE, KW_FAULTS)) return parse_option(p, start, "page faults", NULL);
    switch (p->tok.kind) {
    case KW_CPU: case KW_MEMORY: case KW_IPC: case KW_SWAPS: case KW_SOURCE: case KW_ALL:
        break;
    default:
        parse_fail(p, "syntax error: expected a kind of figures");
    }
    return parse_word(p);
}

/* PROFILE [ kind { "," kind } ] [ FOR QUERY number ] [ LIMIT ... ] */
static void parse_show_profile(struct sql_reader *p, struct show *s, uint32_t start) {
    parse_expect(p, KW_PROFILE);
    show_what(p, s, start, "profile", SQL_OBJECT_NONE);
    bool is_end = parse_at(p, KW_FOR) || parse_at(p, KW_LIMIT) || parse_at(p, ';') || parse_at(p, TOKEN_END);
    if (!is_end) s->c->args = parse_comma_list(p, parse_profile_kind);
    uint32_t at = p->tok.start;
    if (parse_accept2(p, KW_FOR, KW_QUERY)) parse_list_add(&s->options, parse_option(p, at, "for query", parse_literal(p)));
    parse_show_tail(p, s, SHOW_LIMIT);
}

/* GRANTS [ FOR role [ USING role { "," role } ] ] */
static void parse_show_grants(struct sql_reader *p, struct show *s, uint32_t start) {
    parse_expect(p, KW_GRANTS);
    show_what(p, s, start, "grants", SQL_OBJECT_PRIVILEGES);
    if (!parse_accept(p, KW_FOR)) return;
    s->c->objects = parse_role(p);
    uint32_t at = p->tok.start;
    if (!p->is_mariadb && parse_accept(p, KW_USING))
        parse_list_add(&s->options, parse_option(p, at, "using", parse_comma_list(p, parse_role)));
}

/* ENGINE { name | ALL } { STATUS | MUTEX | LOGS } */
static void parse_show_engine(struct sql_reader *p, struct show *s, uint32_t start) {
    parse_expect(p, KW_ENGINE);
    show_what(p, s, start, "engine", SQL_OBJECT_NONE);
    s->c->args = parse_at(p, KW_ALL) ? parse_word(p) : parse_name_or_string(p);
    bool is_known = parse_at(p, KW_STATUS) || parse_at(p, KW_MUTEX) || parse_at(p, KW_LOGS);
    if (!is_known) parse_fail(p, "syntax error: expected STATUS, MUTEX or LOGS");
    parse_list_add(&s->options, parse_word(p));
}

struct create_row {
    uint16_t words[2];
    uint16_t object;
    const char *name;
};

static const struct create_row create_rows[] = {
    {{KW_TABLE}, SQL_OBJECT_TABLE, "create table"},         {{KW_VIEW}, SQL_OBJECT_VIEW, "create view"},
    {{KW_PROCEDURE}, SQL_OBJECT_PROCEDURE, "create procedure"}, {{KW_FUNCTION}, SQL_OBJECT_FUNCTION, "create function"},
    {{KW_TRIGGER}, SQL_OBJECT_TRIGGER, "create trigger"},   {{KW_EVENT}, SQL_OBJECT_EVENT, "create event"},
    {{KW_SEQUENCE}, SQL_OBJECT_SEQUENCE, "create sequence"}, {{KW_LIBRARY}, SQL_OBJECT_LIBRARY, "create library"},
    {{KW_PACKAGE, KW_BODY}, SQL_OBJECT_PACKAGE_BODY, "create package body"},
    {{KW_PACKAGE}, SQL_OBJECT_PACKAGE, "create package"},
};

/* { DATABASE | SCHEMA } [ IF NOT EXISTS ] name | USER [ role ] | MASKING POLICY name; false when it is none of them */
static bool parse_show_create_other(struct sql_reader *p, struct show *s, uint32_t start) {
    if (parse_accept(p, KW_USER)) {
        show_what(p, s, start, "create user", SQL_OBJECT_USER);
        if (!p->is_mariadb || (!parse_at(p, ';') && !parse_at(p, TOKEN_END))) s->c->objects = parse_role(p);
        return true;
    }
    if (parse_accept2(p, KW_MASKING, KW_POLICY)) {
        show_what(p, s, start, "create masking policy", SQL_OBJECT_POLICY);
        s->c->objects = parse_object(p, SQL_OBJECT_POLICY, parse_name(p));
        return true;
    }
    if (!parse_accept(p, KW_DATABASE) && !parse_accept(p, KW_SCHEMA)) return false;
    show_what(p, s, start, "create database", SQL_OBJECT_DATABASE);
    if (parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) s->c->node.flags |= AST_COMMAND_IF_NOT_EXISTS;
    s->c->objects = parse_object(p, SQL_OBJECT_DATABASE, parse_name(p));
    return true;
}

/* CREATE { TABLE | VIEW | PROCEDURE | ... } name | CREATE DATABASE [ IF NOT EXISTS ] name | CREATE USER [ role ] */
static void parse_show_create(struct sql_reader *p, struct show *s, uint32_t start) {
    parse_expect(p, KW_CREATE);
    for (unsigned i = 0; i < sizeof(create_rows) / sizeof(create_rows[0]); i++) {
        const struct create_row *row = &create_rows[i];
        if (!parse_at(p, row->words[0]) || (row->words[1] != 0 && parse_peek(p, 1) != row->words[1])) continue;
        parse_advance(p);
        if (row->words[1] != 0) parse_advance(p);
        show_what(p, s, start, row->name, (enum sql_object)row->object);
        bool is_table = row->object == SQL_OBJECT_TABLE || row->object == SQL_OBJECT_VIEW || row->object == SQL_OBJECT_SEQUENCE;
        s->c->objects = is_table ? parse_table_name(p) : parse_mysql_object(p, (enum sql_object)row->object);
        return;
    }
    if (!parse_show_create_other(p, s, start)) parse_fail(p, "syntax error: nothing that can be shown");
}

/* { PROCEDURE | FUNCTION | PACKAGE [ BODY ] } CODE name | PACKAGE BODY STATUS filter */
static void parse_show_code(struct sql_reader *p, struct show *s, uint32_t start) {
    enum sql_object object = parse_at(p, KW_PROCEDURE) ? SQL_OBJECT_PROCEDURE : SQL_OBJECT_FUNCTION;
    if (parse_at(p, KW_PACKAGE)) {
        object = parse_peek(p, 1) == KW_BODY ? SQL_OBJECT_PACKAGE_BODY : SQL_OBJECT_PACKAGE;
        if (object == SQL_OBJECT_PACKAGE_BODY) parse_advance(p);
    }
    parse_advance(p);
    if (object == SQL_OBJECT_PACKAGE_BODY && parse_accept(p, KW_STATUS)) {
        show_what(p, s, start, "package body status", object);
        parse_show_tail(p, s, SHOW_FILTER);
        return;
    }
    if (!parse_accept_word(p, "code")) parse_fail(p, "syntax error: expected STATUS or CODE");
    show_what(p, s, start, "code", object);
    s->c->objects = parse_mysql_object(p, object);
}

/* MariaDB: { EXPLAIN | ANALYZE } [ FORMAT "=" name ] FOR expr */
static void parse_show_explain(struct sql_reader *p, struct show *s, uint32_t start) {
    bool is_analyze = parse_at(p, KW_ANALYZE);
    parse_advance(p);
    show_what(p, s, start, is_analyze ? "analyze" : "explain", SQL_OBJECT_NONE);
    uint32_t at = p->tok.start;
    if (parse_accept2(p, KW_FORMAT, '=')) parse_list_add(&s->options, parse_option(p, at, "format", parse_name_or_string(p)));
    parse_expect(p, KW_FOR);
    s->c->args = parse_expr(p);
}

/* PLUGINS [ SONAME string | LIKE | WHERE ] */
static void parse_show_plugins(struct sql_reader *p, struct show *s, uint32_t start) {
    parse_expect(p, KW_PLUGINS);
    show_what(p, s, start, "plugins", SQL_OBJECT_PLUGIN);
    uint32_t at = p->tok.start;
    if (p->is_mariadb && parse_accept(p, KW_SONAME)) {
        bool has_name = parse_at_string(p);
        parse_list_add(&s->options, parse_option(p, at, "soname", has_name ? parse_string(p) : parse_mysql_opt_filter(p)));
    }
}

/* [ EXTENDED ] [ FULL ] | [ GLOBAL | SESSION | LOCAL ]; false when what follows is not what the words may stand before */
static bool parse_show_modifiers(struct sql_reader *p, struct show *s) {
    if (parse_at(p, KW_GLOBAL) || parse_at(p, KW_SESSION) || parse_at(p, KW_LOCAL)) {
        if (parse_at(p, KW_GLOBAL)) s->c->node.flags |= AST_COMMAND_GLOBAL;
        else s->c->node.flags |= parse_at(p, KW_SESSION) ? AST_COMMAND_SESSION : AST_COMMAND_LOCAL;
        parse_advance(p);
        return parse_at(p, KW_VARIABLES) || parse_at(p, KW_STATUS);
    }
    uint16_t kind = p->tok.kind;
    bool is_extended = !p->is_mariadb && kind == KW_EXTENDED;
    if (!is_extended && kind != KW_FULL) return true;
    parse_advance(p);
    bool is_full = is_extended ? parse_accept(p, KW_FULL) : true;
    bool is_table_like = parse_at(p, KW_TABLES) || parse_at(p, KW_COLUMNS) || parse_at(p, KW_FIELDS);
    bool is_index_like = parse_at(p, KW_INDEX) || parse_at(p, KW_INDEXES) || parse_at(p, KW_KEYS);
    if (is_extended) return is_table_like || (!is_full && is_index_like);
    return is_table_like || parse_at(p, KW_TRIGGERS) || parse_at(p, KW_PROCESSLIST);
}

/* What is not in show_rows. */
static void parse_show_other(struct sql_reader *p, struct show *s) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_BINLOG: case KW_RELAYLOG: parse_show_log_events(p, s, start); return;
    case KW_SLAVE: case KW_REPLICA: case KW_ALL: parse_show_replica(p, s, start); return;
    case KW_COUNT: parse_show_count(p, s, start); return;
    case KW_PROFILE: parse_show_profile(p, s, start); return;
    case KW_GRANTS: parse_show_grants(p, s, start); return;
    case KW_ENGINE: parse_show_engine(p, s, start); return;
    case KW_CREATE: parse_show_create(p, s, start); return;
    case KW_PROCEDURE: case KW_FUNCTION: case KW_PACKAGE: parse_show_code(p, s, start); return;
    case KW_EXPLAIN: case KW_ANALYZE: parse_show_explain(p, s, start); return;
    case KW_PLUGINS: parse_show_plugins(p, s, start); return;
    case KW_BINARY:
        parse_advance(p);
        parse_expect(p, KW_LOG);
        parse_expect(p, KW_STATUS);
        show_what(p, s, start, "binlog status", SQL_OBJECT_BINLOG);
        return;
    case TOKEN_IDENT: /* a table of the information schema that a plugin of MariaDB's brings along */
        if (p->is_mariadb) {
            parse_list_add(&s->options, parse_name(p));
            parse_show_tail(p, s, SHOW_FILTER);
            return;
        }
        break;
    default:
        break;
    }
    parse_fail(p, "syntax error: nothing that can be shown");
}

/* SHOW [ FULL | EXTENDED | GLOBAL | SESSION | LOCAL ] what [ FROM ... ] [ LIKE string | WHERE expr ] ... */
struct ast *parse_mysql_show(struct sql_reader *p) {
    struct show s = {.c = parse_command(p, SQL_SHOW, SQL_OBJECT_NONE)};
    parse_list_init(&s.options);
    parse_expect(p, KW_SHOW);
    struct ast *first = NULL;
    uint32_t start = p->tok.start;
    uint16_t kind = p->tok.kind;
    if (!parse_show_modifiers(p, &s)) parse_fail(p, "syntax error: nothing that can be shown");
    if (kind == KW_FULL || (kind == KW_EXTENDED && !p->is_mariadb))
        first = parse_option(p, start, kind == KW_FULL ? "full" : "extended", NULL);
    if (!parse_show_row(p, &s)) parse_show_other(p, &s);
    if (first) parse_list_add(&s.options, first);
    s.c->options = s.options.first;
    return parse_done(p, s.c);
}

/* ---- DESCRIBE, EXPLAIN ------------------------------------------------------------------------------------------------- */

bool parse_mysql_is_explainable(uint16_t kind) {
    switch (kind) {
    case KW_SELECT: case KW_INSERT: case KW_REPLACE: case KW_UPDATE: case KW_DELETE: case KW_TABLE: case KW_VALUES: case KW_WITH:
    case '(':
        return true;
    default:
        return false;
    }
}

/* table [ column | string ], the table form: a DESCRIBE whatever its word */
static struct ast *parse_describe_table(struct sql_reader *p, struct ast_command *c) {
    c->node.op = SQL_DESCRIBE;
    c->object = SQL_OBJECT_TABLE;
    c->objects = parse_table_name(p);
    if (parse_at_string(p) || parse_at_name(p)) c->args = parse_name_or_string(p);
    return parse_done(p, c);
}

/* [ FORMAT "=" name | EXTENDED [ ALL ] | PARTITIONS ] [ INTO "@" name ] [ FOR { SCHEMA | DATABASE } name ] */
static struct ast *parse_explain_options(struct sql_reader *p) {
    struct parse_list options;
    parse_list_init(&options);
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_FORMAT, '=')) {
        parse_list_add(&options, parse_option(p, start, "format", parse_name_or_string(p)));
    } else if (parse_at(p, KW_EXTENDED) || parse_at(p, KW_PARTITIONS)) {
        bool is_extended = parse_at(p, KW_EXTENDED);
        parse_list_add(&options, parse_word(p));
        if (is_extended && p->is_mariadb) parse_accept(p, KW_ALL);
    }
    if (p->is_mariadb) return options.first;
    start = p->tok.start;
    if (parse_accept(p, KW_INTO)) parse_list_add(&options, parse_option(p, start, "into", parse_variable(p)));
    start = p->tok.start;
    if (parse_accept2(p, KW_FOR, KW_SCHEMA) || parse_accept2(p, KW_FOR, KW_DATABASE))
        parse_list_add(&options, parse_option(p, start, "for database", parse_name(p)));
    return options.first;
}

/* Is the word at hand one that only EXPLAIN of a statement has, and no table's name? */
static bool is_at_explain_word(struct sql_reader *p) {
    uint16_t next;
    switch (p->tok.kind) {
    case KW_FOR: case KW_INTO: case KW_ANALYZE:
        return true;
    case KW_FORMAT:
        return parse_peek(p, 1) == '=';
    case KW_EXTENDED: case KW_PARTITIONS:
        next = parse_peek(p, 1);
        return parse_mysql_is_explainable(next) || (p->is_mariadb && next == KW_ALL);
    default:
        return parse_mysql_is_explainable(p->tok.kind);
    }
}

/*
 * { DESCRIBE | DESC | EXPLAIN } table [ column | pattern ]
 * { DESCRIBE | DESC | EXPLAIN } [ ANALYZE ] options { statement | FOR CONNECTION number }
 * ANALYZE [ FORMAT "=" name ] statement
 */
struct ast *parse_mysql_describe(struct sql_reader *p) {
    struct ast_command *c = parse_command(p, SQL_EXPLAIN, SQL_OBJECT_NONE);
    bool is_analyze = parse_at(p, KW_ANALYZE);
    parse_advance(p);
    if (!is_analyze && !is_at_explain_word(p)) return parse_describe_table(p, c);
    if (!is_analyze && !p->is_mariadb) is_analyze = parse_accept(p, KW_ANALYZE);
    if (is_analyze) c->node.flags |= AST_COMMAND_ANALYZE;
    c->options = parse_explain_options(p);
    if ((!is_analyze || !p->is_mariadb) && parse_accept(p, KW_FOR)) {
        parse_expect(p, KW_CONNECTION);
        c->args = parse_expr(p);
        return parse_done(p, c);
    }
    if (!parse_mysql_is_explainable(p->tok.kind)) parse_fail(p, "syntax error: expected a statement that can be explained");
    if (!parse_enter(p)) return parse_done(p, c);
    c->query = parse_statement(p);
    parse_leave(p);
    return parse_done(p, c);
}
