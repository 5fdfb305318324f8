/*
 * parse_mysql_object.c - the objects that are neither tables, users nor programs: databases, views, sequences, servers,
 * tablespaces, and what only MySQL has.
 *
 * Each command has the object in `objects` (views and sequences as TABLEs: queries name them so) and the rest in `options`.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- databases ------------------------------------------------------------------------------------------------------- */

/* COMMENT ["="] string (MariaDB) | [DEFAULT] ENCRYPTION ["="] string, READ ONLY ["="] (DEFAULT | number) (MySQL) | charset */
static struct ast *opt_database_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_COMMENT: return p->is_mariadb ? parse_mysql_word_option(p, parse_string) : NULL;
    case KW_ENCRYPTION: return parse_mysql_word_option(p, parse_string);
    case KW_DEFAULT:
        if (parse_peek(p, 1) == KW_ENCRYPTION) return parse_mysql_option(p, "encryption", 2, parse_string);
        return parse_mysql_opt_charset_option(p);
    case KW_READ:
        if (p->is_mariadb || parse_peek(p, 1) != KW_ONLY) return NULL;
        return parse_mysql_option(p, "read only", 2, parse_mysql_number_or_default);
    default: return parse_mysql_opt_charset_option(p);
    }
}

/* Does an option begin with this word, so that the word before it was a name? */
static bool is_option_word(uint16_t kind) {
    switch (kind) {
    case KW_COMMENT:
    case KW_ENCRYPTION:
    case KW_DEFAULT:
    case KW_READ:
    case KW_CHARSET:
    case KW_CHARACTER:
    case KW_CHAR:
    case KW_COLLATE:
    case KW_UPGRADE: return true;
    default: return false;
    }
}

/* (DATABASE | SCHEMA) [IF NOT EXISTS] [name] ({ option } | UPGRADE DATA DIRECTORY NAME) */
struct ast *parse_mysql_database(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    bool is_create = c->node.op == SQL_CREATE;
    parse_list_init(&options);
    c->object = SQL_OBJECT_DATABASE;
    parse_advance(p);
    if (is_create) parse_mysql_if_not_exists(p, c);
    bool may_be_option = parse_at(p, KW_CHARSET) || parse_at(p, KW_COMMENT) || parse_at(p, KW_ENCRYPTION);
    bool is_name = parse_at_name(p) && (!may_be_option || is_option_word(parse_peek(p, 1)));
    if (is_create || is_name) c->objects = parse_object(p, SQL_OBJECT_DATABASE, parse_name(p));
    if (!is_create && parse_at(p, KW_UPGRADE)) {
        parse_list_add(&options, parse_mysql_words(p, "upgrade data directory name", 4));
    } else {
        for (struct ast *o = opt_database_option(p); o; o = opt_database_option(p)) parse_list_add(&options, o);
        if (!is_create && !options.first) parse_fail(p, "syntax error: expected an option");
    }
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- views ----------------------------------------------------------------------------------------------------------- */

/* [WITH [CASCADED | LOCAL] CHECK OPTION] */
static void check_option(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    const char *name = "with check option";
    if (!parse_accept(p, KW_WITH)) return;
    if (parse_accept(p, KW_CASCADED)) name = "with cascaded check option";
    else if (parse_accept(p, KW_LOCAL)) name = "with local check option";
    parse_expect(p, KW_CHECK);
    parse_expect(p, KW_OPTION);
    parse_list_add(options, parse_option(p, start, name, NULL));
}

/* VIEW [IF NOT EXISTS] name ["(" names ")"] AS query [WITH CHECK OPTION]: names of columns among the args */
struct ast *parse_mysql_view(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    c->object = SQL_OBJECT_VIEW;
    parse_expect(p, KW_VIEW);
    if (c->node.op == SQL_CREATE) parse_mysql_if_not_exists(p, c);
    c->objects = parse_table_name(p);
    c->args = parse_opt_paren_names(p);
    parse_expect(p, KW_AS);
    c->query = parse_mysql_defining_query(p);
    check_option(p, options);
    c->options = options->first;
    return parse_done(p, c);
}

/* JSON [RELATIONAL] DUALITY VIEW [IF NOT EXISTS] name AS query (MySQL 9)
   How the query makes JSON of columns has a syntax of its own, which is passed over. */
struct ast *parse_mysql_duality_view(struct sql_reader *p, struct ast_command *c, struct parse_list *options) {
    c->object = SQL_OBJECT_VIEW;
    parse_list_add(options, parse_mysql_words(p, "json", 1));
    parse_accept(p, KW_RELATIONAL);
    parse_expect(p, KW_DUALITY);
    parse_expect(p, KW_VIEW);
    if (c->node.op == SQL_CREATE) parse_mysql_if_not_exists(p, c);
    c->objects = parse_table_name(p);
    parse_expect(p, KW_AS);
    uint32_t start = p->tok.start;
    if (!parse_at(p, KW_SELECT) && !parse_at(p, KW_WITH)) parse_fail(p, "syntax error: expected a query");
    parse_skip_rest(p);
    parse_list_add(options, parse_option(p, start, "query", NULL));
    c->options = options->first;
    return parse_done(p, c);
}

/* ---- sequences (MariaDB) --------------------------------------------------------------------------------------------- */

/* [WITH | BY | "="] number */
static struct ast *sequence_number(struct sql_reader *p) {
    if (!parse_accept(p, KW_WITH) && !parse_accept(p, KW_BY)) parse_accept(p, '=');
    return parse_signed_number(p);
}

/* NO (MINVALUE | MAXVALUE | CACHE | CYCLE) */
static struct ast *no_option(struct sql_reader *p) {
    switch (parse_peek(p, 1)) {
    case KW_MINVALUE: return parse_mysql_words(p, "no minvalue", 2);
    case KW_MAXVALUE: return parse_mysql_words(p, "no maxvalue", 2);
    case KW_CACHE: return parse_mysql_words(p, "no cache", 2);
    case KW_CYCLE: return parse_mysql_words(p, "no cycle", 2);
    default: return NULL;
    }
}

/* RESTART [[WITH | "="] number] */
static struct ast *restart(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    switch (p->tok.kind) {
    case KW_WITH:
    case '=':
    case '+':
    case '-':
    case TOKEN_INTEGER: return parse_option(p, start, "restart", sequence_number(p));
    default: return parse_option(p, start, "restart", NULL);
    }
}

static struct ast *opt_sequence_option(struct sql_reader *p, bool is_create) {
    switch (p->tok.kind) {
    case KW_AS: return parse_mysql_option(p, "as", 1, parse_mysql_type);
    case KW_INCREMENT:
    case KW_MINVALUE:
    case KW_MAXVALUE:
    case KW_START:
    case KW_CACHE: return parse_mysql_word_option(p, sequence_number);
    case KW_NOCACHE: return parse_mysql_words(p, "no cache", 1);
    case KW_NOMINVALUE: return parse_mysql_words(p, "no minvalue", 1);
    case KW_NOMAXVALUE: return parse_mysql_words(p, "no maxvalue", 1);
    case KW_CYCLE: return parse_mysql_words(p, "cycle", 1);
    case KW_NOCYCLE: return parse_mysql_words(p, "no cycle", 1);
    case KW_NO: return no_option(p);
    case KW_RESTART: return is_create ? NULL : restart(p);
    default: return NULL;
    }
}

/* SEQUENCE [IF [NOT] EXISTS] name { option } { table option }: the latter in CREATE */
struct ast *parse_mysql_sequence(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    bool is_create = c->node.op == SQL_CREATE;
    parse_list_init(&options);
    c->object = SQL_OBJECT_SEQUENCE;
    parse_advance(p);
    if (is_create) parse_mysql_if_not_exists(p, c);
    else parse_mysql_if_exists(p, c);
    c->objects = parse_table_name(p);
    for (struct ast *o = opt_sequence_option(p, is_create); o; o = opt_sequence_option(p, is_create)) parse_list_add(&options, o);
    for (struct ast *o = NULL; is_create && (o = parse_mysql_opt_table_option(p));) parse_list_add(&options, o);
    if (!is_create && !options.first) parse_fail(p, "syntax error: expected an option");
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- servers --------------------------------------------------------------------------------------------------------- */

/* (USER | HOST | DATABASE | OWNER | PASSWORD | SOCKET) string | PORT number | name string (MariaDB) */
static struct ast *server_option(struct sql_reader *p) {
    struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
    option->name = parse_label(p);
    option->values = parse_at_string(p) ? parse_string(p) : parse_mysql_number(p);
    return parse_done(p, option);
}

/* SERVER [IF NOT EXISTS] name [FOREIGN DATA WRAPPER name] OPTIONS "(" option { "," option } ")" */
struct ast *parse_mysql_server(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_SERVER;
    parse_advance(p);
    if (c->node.op == SQL_CREATE) parse_mysql_if_not_exists(p, c);
    c->objects = parse_object(p, SQL_OBJECT_SERVER, parse_mysql_string_or_name(p));
    uint32_t start = p->tok.start;
    if (c->node.op == SQL_CREATE) {
        parse_expect(p, KW_FOREIGN);
        parse_expect(p, KW_DATA);
        parse_expect(p, KW_WRAPPER);
        parse_list_add(&options, parse_option(p, start, "foreign data wrapper", parse_mysql_string_or_name(p)));
        start = p->tok.start;
    }
    parse_expect(p, KW_OPTIONS);
    parse_list_add(&options, parse_option(p, start, "options", parse_paren_list(p, server_option)));
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- tablespaces ----------------------------------------------------------------------------------------------------- */

static struct ast *opt_tablespace_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_INITIAL_SIZE:
    case KW_AUTOEXTEND_SIZE:
    case KW_MAX_SIZE:
    case KW_EXTENT_SIZE:
    case KW_UNDO_BUFFER_SIZE:
    case KW_REDO_BUFFER_SIZE:
    case KW_FILE_BLOCK_SIZE: return parse_mysql_word_option(p, parse_mysql_size);
    case KW_NODEGROUP: return parse_mysql_word_option(p, parse_mysql_number);
    case KW_COMMENT:
    case KW_ENCRYPTION:
    case KW_ENGINE_ATTRIBUTE: return parse_mysql_word_option(p, parse_string);
    case KW_ENGINE: return parse_mysql_word_option(p, parse_mysql_string_or_name);
    case KW_STORAGE:
        if (parse_peek(p, 1) != KW_ENGINE) return NULL;
        return parse_mysql_option(p, "engine", 2, parse_mysql_string_or_name);
    case KW_WAIT: return parse_mysql_words(p, "wait", 1);
    case KW_NO_WAIT: return parse_mysql_words(p, "no_wait", 1);
    default: return NULL;
    }
}

/* (ADD | DROP | CHANGE) (DATAFILE | UNDOFILE | REDOFILE) string | USE LOGFILE GROUP name | SET (ACTIVE | INACTIVE) |
   RENAME TO name | READ_ONLY | READ_WRITE | NOT ACCESSIBLE: only at the beginning */
static struct ast *opt_tablespace_action(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_ADD:
    case KW_DROP:
    case KW_CHANGE: {
        struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
        uint32_t start = p->tok.start;
        const char *name = parse_at(p, KW_ADD) ? "add file" : parse_at(p, KW_DROP) ? "drop file" : "change file";
        parse_advance(p);
        if (!parse_accept(p, KW_DATAFILE) && !parse_accept(p, KW_UNDOFILE)) parse_expect(p, KW_REDOFILE);
        option->name = parse_name_static(p, start, name);
        option->values = parse_string(p);
        return parse_done(p, option);
    }
    case KW_USE:
        if (parse_peek(p, 1) != KW_LOGFILE || parse_peek(p, 2) != KW_GROUP) return NULL;
        return parse_mysql_option(p, "use logfile group", 3, parse_name);
    case KW_RENAME: return parse_mysql_option(p, "rename to", 2, parse_name);
    case KW_SET: return parse_mysql_option(p, "set", 1, parse_word);
    case KW_READ_ONLY: return parse_mysql_words(p, "read_only", 1);
    case KW_READ_WRITE: return parse_mysql_words(p, "read_write", 1);
    case KW_NOT: return parse_mysql_words(p, "not accessible", 2);
    default: return NULL;
    }
}

/* ([UNDO] TABLESPACE | LOGFILE GROUP) name { action } { option [","] } */
struct ast *parse_mysql_tablespace(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = parse_at(p, KW_UNDO) ? SQL_OBJECT_UNDO_TABLESPACE : SQL_OBJECT_TABLESPACE;
    if (parse_accept2(p, KW_LOGFILE, KW_GROUP)) {
        c->object = SQL_OBJECT_LOGFILE_GROUP;
    } else {
        parse_accept(p, KW_UNDO);
        parse_expect(p, KW_TABLESPACE);
    }
    c->objects = parse_object(p, (enum sql_object)c->object, parse_name(p));
    for (struct ast *o = opt_tablespace_action(p); o; o = opt_tablespace_action(p)) parse_list_add(&options, o);
    for (struct ast *o = opt_tablespace_option(p); o; o = opt_tablespace_option(p)) {
        parse_list_add(&options, o);
        parse_accept(p, ',');
    }
    c->options = options.first;
    return parse_done(p, c);
}

/* ---- MySQL's own ----------------------------------------------------------------------------------------------------- */

/* number ["-" number] */
static struct ast *cpu_range(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    struct ast *from = parse_mysql_number(p);
    if (parse_accept(p, '-')) from->next = parse_mysql_number(p);
    return parse_option(p, start, NULL, from);
}

/* range { [","] range } */
static struct ast *cpu_ranges(struct sql_reader *p) {
    struct parse_list list;
    parse_list_init(&list);
    do parse_list_add(&list, cpu_range(p));
    while (parse_accept(p, ',') || parse_at(p, TOKEN_INTEGER));
    return list.first;
}

static struct ast *opt_resource_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_TYPE: return parse_mysql_word_option(p, parse_word);
    case KW_VCPU: return parse_mysql_word_option(p, cpu_ranges);
    case KW_THREAD_PRIORITY: return parse_mysql_word_option(p, parse_signed_number);
    case KW_ENABLE: return parse_mysql_words(p, "enable", 1);
    case KW_DISABLE: return parse_mysql_words(p, "disable", 1);
    case KW_FORCE: return parse_mysql_words(p, "force", 1);
    default: return NULL;
    }
}

/* RESOURCE GROUP name { option } */
struct ast *parse_mysql_resource_group(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_RESOURCE;
    parse_advance(p);
    parse_expect(p, KW_GROUP);
    c->objects = parse_object(p, SQL_OBJECT_RESOURCE, parse_name(p));
    for (struct ast *o = opt_resource_option(p); o; o = opt_resource_option(p)) parse_list_add(&options, o);
    c->options = options.first;
    return parse_done(p, c);
}

/* MASKING POLICY [IF [NOT] EXISTS] name ["(" names ")" expression]: the latter in CREATE */
struct ast *parse_mysql_masking_policy(struct sql_reader *p, struct ast_command *c) {
    c->object = SQL_OBJECT_POLICY;
    parse_advance(p);
    parse_expect(p, KW_POLICY);
    if (c->node.op == SQL_CREATE) parse_mysql_if_not_exists(p, c);
    else parse_mysql_if_exists(p, c);
    c->objects = parse_mysql_object(p, SQL_OBJECT_POLICY);
    if (c->node.op == SQL_CREATE) {
        c->elements = parse_paren_names(p);
        c->args = parse_expr(p);
    }
    return parse_done(p, c);
}

static struct ast *opt_reference_option(struct sql_reader *p) {
    switch (p->tok.kind) {
    case KW_NAME:
    case KW_DEFINITION:
    case KW_DESCRIPTION: return parse_mysql_word_option(p, parse_string);
    case KW_ORGANIZATION: {
        struct ast_option *option = PARSE_NODE(p, ast_option, OPTION);
        uint32_t start = p->tok.start;
        parse_advance(p);
        option->name = parse_name_static(p, start, "organization");
        option->values = parse_string(p);
        parse_expect(p, KW_IDENTIFIED);
        parse_expect(p, KW_BY);
        parse_append(&option->values, parse_mysql_number(p));
        return parse_done(p, option);
    }
    default: return NULL;
    }
}

/* SPATIAL REFERENCE SYSTEM [IF NOT EXISTS] number { option } */
struct ast *parse_mysql_spatial_reference(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_SPATIAL_REFERENCE;
    parse_advance(p);
    parse_expect(p, KW_REFERENCE);
    parse_expect(p, KW_SYSTEM);
    if (c->node.op == SQL_CREATE) parse_mysql_if_not_exists(p, c);
    else parse_mysql_if_exists(p, c);
    c->objects = parse_object(p, SQL_OBJECT_SPATIAL_REFERENCE, parse_mysql_number(p));
    if (c->node.op == SQL_CREATE) {
        for (struct ast *o = opt_reference_option(p); o; o = opt_reference_option(p)) parse_list_add(&options, o);
        if (!options.first) parse_fail(p, "syntax error: expected NAME");
    }
    c->options = options.first;
    return parse_done(p, c);
}

/* INSTANCE (ROTATE ... | RELOAD ... | ENABLE ... | DISABLE ...): what follows is words */
struct ast *parse_mysql_alter_instance(struct sql_reader *p, struct ast_command *c) {
    struct parse_list options;
    parse_list_init(&options);
    c->object = SQL_OBJECT_INSTANCE;
    parse_advance(p);
    if (!parse_at(p, KW_ROTATE) && !parse_at(p, KW_RELOAD) && !parse_at(p, KW_ENABLE) && !parse_at(p, KW_DISABLE)) {
        parse_fail(p, "syntax error");
    }
    while (!parse_at(p, TOKEN_END) && !parse_at(p, ';') && !p->failed) {
        bool is_name = parse_at(p, TOKEN_IDENT) || parse_at(p, TOKEN_QUOTED_IDENT);
        parse_list_add(&options, is_name ? parse_name(p) : parse_word(p));
    }
    c->options = options.first;
    return parse_done(p, c);
}
