/*
 * parse_pg_alter_table.c - the actions of ALTER TABLE, which the server's grammar allows to all of its kin: INDEX, SEQUENCE,
 * VIEW, MATERIALIZED VIEW, FOREIGN TABLE. Which fit whom, it finds out later.
 *
 * Every action is an OPTION of `elements`: its words, and what stands behind them.
 */
#include "parser/parse_pg_command.h"

/* ---- ADD, DROP ------------------------------------------------------------------------------------------------------- */

/* ADD [COLUMN] [IF NOT EXISTS] column | ADD constraint */
static struct ast *add(struct sql_reader *p) {
    static const struct parse_pg_phrase columns[] = {
        {.words = {KW_ADD, KW_COLUMN, KW_IF, KW_NOT, KW_EXISTS}, .name = "add column if not exists", .value = parse_pg_column_def},
        {.words = {KW_ADD, KW_COLUMN}, .name = "add column", .value = parse_pg_column_def},
        {.words = {KW_ADD, KW_IF, KW_NOT, KW_EXISTS}, .name = "add column if not exists", .value = parse_pg_column_def},
        {.name = NULL},
    };
    struct ast *option = parse_pg_opt_phrase(p, columns);
    if (option) return option;
    uint32_t start = p->tok.start;
    parse_advance(p);
    if (parse_pg_at_constraint(p)) return parse_option(p, start, "add constraint", parse_pg_table_constraint(p));
    return parse_option(p, start, "add column", parse_pg_column_def(p));
}

/* DROP CONSTRAINT [IF EXISTS] name | DROP [COLUMN] [IF EXISTS] name, each [CASCADE | RESTRICT] */
static struct ast *drop(struct sql_reader *p) {
    static const struct parse_pg_phrase drops[] = {
        {.words = {KW_DROP, KW_CONSTRAINT, KW_IF, KW_EXISTS}, .name = "drop constraint if exists", .value = parse_pg_dropped},
        {.words = {KW_DROP, KW_CONSTRAINT}, .name = "drop constraint", .value = parse_pg_dropped},
        {.words = {KW_DROP, KW_COLUMN, KW_IF, KW_EXISTS}, .name = "drop column if exists", .value = parse_pg_dropped},
        {.words = {KW_DROP, KW_COLUMN}, .name = "drop column", .value = parse_pg_dropped},
        {.words = {KW_DROP, KW_IF, KW_EXISTS}, .name = "drop column if exists", .value = parse_pg_dropped},
        {.words = {KW_DROP}, .name = "drop column", .value = parse_pg_dropped},
        {.name = NULL},
    };
    return parse_pg_phrase(p, drops);
}

/* ---- ALTER COLUMN ---------------------------------------------------------------------------------------------------- */

/* AS "(" expression ")" */
static struct ast *as_expr(struct sql_reader *p) {
    parse_expect(p, KW_AS);
    return parse_pg_paren_expr(p);
}

/* type [COLLATE name] [USING expression] */
static struct ast *changed_type(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    parse_list_add(&l, parse_type(p));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_COLLATE, "collate", parse_qualified_name));
    parse_pg_append(p, &l, parse_pg_opt_clause(p, KW_USING, "using", parse_expr));
    return l.first;
}

/* ALWAYS | BY DEFAULT */
static struct ast *generated_when(struct sql_reader *p) {
    static const struct parse_pg_phrase whens[] = {
        {.words = {KW_ALWAYS}, .name = "always"},
        {.words = {KW_BY, KW_DEFAULT}, .name = "by default"},
        {.name = NULL},
    };
    return parse_pg_phrase(p, whens);
}

static struct ast *opt_restart(struct sql_reader *p) {
    if (parse_accept(p, KW_WITH)) return parse_signed_number(p);
    return parse_pg_at_number(p) ? parse_signed_number(p) : NULL;
}

/* SET sequence option: not AS, RESTART, OWNED BY */
static struct ast *set_sequence_option(struct sql_reader *p) {
    if (parse_at(p, KW_AS) || parse_at(p, KW_RESTART) || parse_at(p, KW_OWNED)) parse_fail(p, "not of a column's sequence");
    struct ast *option = parse_pg_sequence_option(p);
    if (!option) parse_fail(p, "a sequence's option is expected here");
    return option;
}

/* (RESTART [[WITH] n] | SET GENERATED when | SET sequence option) {...} */
static struct ast *identity_options(struct sql_reader *p) {
    static const struct parse_pg_phrase options[] = {
        {.words = {KW_RESTART}, .name = "restart", .value = opt_restart},
        {.words = {KW_SET, KW_GENERATED}, .name = "set generated", .value = generated_when},
        {.words = {KW_SET}, .name = "set", .value = set_sequence_option},
        {.name = NULL},
    };
    struct ast *l = parse_pg_phrases(p, options);
    if (!l) parse_fail(p, "a change of a column is expected here");
    return l;
}

static struct ast *set_storage(struct sql_reader *p) {
    return parse_is_pg(p, 160000) ? parse_pg_name_or_default(p) : parse_name(p);
}

/* What ALTER [COLUMN] name does, but for what identity_options reads. */
static const struct parse_pg_phrase column_changes[] = {
    {.words = {KW_SET, KW_DEFAULT}, .name = "set default", .value = parse_expr},
    {.words = {KW_DROP, KW_DEFAULT}, .name = "drop default"},
    {.words = {KW_SET, KW_NOT, KW_NULL}, .name = "set not null"},
    {.words = {KW_DROP, KW_NOT, KW_NULL}, .name = "drop not null"},
    {.words = {KW_SET, KW_EXPRESSION}, .name = "set expression", .value = as_expr, .since = 170000},
    {.words = {KW_DROP, KW_EXPRESSION, KW_IF, KW_EXISTS}, .name = "drop expression if exists"},
    {.words = {KW_DROP, KW_EXPRESSION}, .name = "drop expression"},
    {.words = {KW_SET, KW_STATISTICS}, .name = "set statistics", .value = parse_pg_int_or_default},
    {.words = {KW_RESET}, .name = "reset", .value = parse_pg_reloptions},
    {.words = {KW_SET, KW_STORAGE}, .name = "set storage", .value = set_storage},
    {.words = {KW_SET, KW_COMPRESSION}, .name = "set compression", .value = parse_pg_name_or_default},
    {.words = {KW_ADD}, .name = "add", .value = parse_pg_identity},
    {.words = {KW_DROP, KW_IDENTITY, KW_IF, KW_EXISTS}, .name = "drop identity if exists"},
    {.words = {KW_DROP, KW_IDENTITY}, .name = "drop identity"},
    {.words = {KW_SET, KW_DATA, KW_TYPE}, .name = "type", .value = changed_type},
    {.words = {KW_TYPE}, .name = "type", .value = changed_type},
    {.name = NULL},
};

/* SET "(" parameters ")" | OPTIONS "(" changes ")" | a change of the table */
static struct ast *column_change(struct sql_reader *p) {
    if (parse_at(p, KW_OPTIONS)) return parse_pg_alter_generic_options(p);
    if (parse_at(p, KW_SET) && parse_peek(p, 1) == '(') return parse_pg_opt_clause(p, KW_SET, "set", parse_pg_reloptions);
    struct ast *change = parse_pg_opt_phrase(p, column_changes);
    return change ? change : identity_options(p);
}

/* integer: a column's number, of 15 bits and not 0 */
static struct ast *column_number(struct sql_reader *p) {
    uint32_t value = 0;
    for (uint32_t i = p->tok.start; i < p->tok.end && value <= INT16_MAX; i++) value = value * 10 + (p->text[i] - (uint32_t)'0');
    if (value == 0 || value > INT16_MAX) parse_fail(p, "a column's number is between 1 and 32767");
    return parse_pg_int(p);
}

/* ALTER [COLUMN] (name | integer) change: of a column without a name, its statistics alone */
static struct ast *alter_column(struct sql_reader *p) {
    static const struct parse_pg_phrase statistics[] = {
        {.words = {KW_SET, KW_STATISTICS}, .name = "set statistics", .value = parse_pg_int_or_default},
        {.name = NULL},
    };
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_accept(p, KW_COLUMN);
    bool is_number = parse_at(p, TOKEN_INTEGER);
    struct ast *column = is_number ? column_number(p) : parse_name(p);
    column->next = is_number ? parse_pg_phrase(p, statistics) : column_change(p);
    return parse_option(p, start, "alter column", column);
}

/* ALTER CONSTRAINT name attributes; PostgreSQL 18: also [NOT] ENFORCED and [NO] INHERIT */
static struct ast *alter_constraint(struct sql_reader *p) {
    static const struct parse_pg_phrase inherit[] = {
        {.words = {KW_INHERIT}, .name = "inherit", .since = 180000},
        {.name = NULL},
    };
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_expect(p, KW_CONSTRAINT);
    struct ast *name = parse_name(p);
    unsigned more = parse_is_pg(p, 180000) ? PARSE_PG_ENFORCED | PARSE_PG_NO_INHERIT : 0;
    name->next = parse_pg_opt_phrase(p, inherit);
    if (!name->next) name->next = parse_pg_attributes(p, PARSE_PG_DEFERRABLE | more);
    return parse_option(p, start, "alter constraint", name);
}

/* ---- other actions --------------------------------------------------------------------------------------------------- */

/* ALL | USER | name */
static struct ast *trigger_name(struct sql_reader *p) {
    return parse_at(p, KW_ALL) || parse_at(p, KW_USER) ? parse_word(p) : parse_name(p);
}

/* NOTHING | FULL | DEFAULT | USING INDEX name */
static struct ast *replica_identity(struct sql_reader *p) {
    static const struct parse_pg_phrase identities[] = {
        {.words = {KW_NOTHING}, .name = "nothing"},
        {.words = {KW_FULL}, .name = "full"},
        {.words = {KW_DEFAULT}, .name = "default"},
        {.words = {KW_USING, KW_INDEX}, .name = "using index", .value = parse_name},
        {.name = NULL},
    };
    return parse_pg_phrase(p, identities);
}

static struct ast *access_method(struct sql_reader *p) {
    return parse_is_pg(p, 170000) ? parse_pg_name_or_default(p) : parse_name(p);
}

static const struct parse_pg_phrase actions[] = {
    {.words = {KW_VALIDATE, KW_CONSTRAINT}, .name = "validate constraint", .value = parse_name},
    {.words = {KW_SET, KW_WITHOUT, KW_OIDS}, .name = "set without oids"},
    {.words = {KW_CLUSTER, KW_ON}, .name = "cluster on", .value = parse_name},
    {.words = {KW_SET, KW_WITHOUT, KW_CLUSTER}, .name = "set without cluster"},
    {.words = {KW_SET, KW_LOGGED}, .name = "set logged"},
    {.words = {KW_SET, KW_UNLOGGED}, .name = "set unlogged"},
    {.words = {KW_ENABLE, KW_TRIGGER}, .name = "enable trigger", .value = trigger_name},
    {.words = {KW_ENABLE, KW_ALWAYS, KW_TRIGGER}, .name = "enable always trigger", .value = parse_name},
    {.words = {KW_ENABLE, KW_REPLICA, KW_TRIGGER}, .name = "enable replica trigger", .value = parse_name},
    {.words = {KW_DISABLE, KW_TRIGGER}, .name = "disable trigger", .value = trigger_name},
    {.words = {KW_ENABLE, KW_RULE}, .name = "enable rule", .value = parse_name},
    {.words = {KW_ENABLE, KW_ALWAYS, KW_RULE}, .name = "enable always rule", .value = parse_name},
    {.words = {KW_ENABLE, KW_REPLICA, KW_RULE}, .name = "enable replica rule", .value = parse_name},
    {.words = {KW_DISABLE, KW_RULE}, .name = "disable rule", .value = parse_name},
    {.words = {KW_INHERIT}, .name = "inherit", .value = parse_table_name},
    {.words = {KW_NO, KW_INHERIT}, .name = "no inherit", .value = parse_table_name},
    {.words = {KW_OF}, .name = "of", .value = parse_qualified_name},
    {.words = {KW_NOT, KW_OF}, .name = "not of"},
    {.words = {KW_OWNER, KW_TO}, .name = "owner to", .value = parse_role},
    {.words = {KW_SET, KW_ACCESS, KW_METHOD}, .name = "set access method", .value = access_method},
    {.words = {KW_SET, KW_TABLESPACE}, .name = "set tablespace", .value = parse_name},
    {.words = {KW_RESET}, .name = "reset", .value = parse_pg_reloptions},
    {.words = {KW_REPLICA, KW_IDENTITY}, .name = "replica identity", .value = replica_identity},
    {.words = {KW_ENABLE, KW_ROW, KW_LEVEL, KW_SECURITY}, .name = "enable row level security"},
    {.words = {KW_DISABLE, KW_ROW, KW_LEVEL, KW_SECURITY}, .name = "disable row level security"},
    {.words = {KW_FORCE, KW_ROW, KW_LEVEL, KW_SECURITY}, .name = "force row level security"},
    {.words = {KW_NO, KW_FORCE, KW_ROW, KW_LEVEL, KW_SECURITY}, .name = "no force row level security"},
    {.name = NULL},
};

/* add | drop | alter | OPTIONS "(" changes ")" | SET "(" parameters ")" | an action of the table above */
static struct ast *action(struct sql_reader *p) {
    static const struct parse_pg_phrase with_oids[] = {
        {.words = {KW_SET, KW_WITH, KW_OIDS}, .name = "set with oids"},
        {.name = NULL},
    };
    switch (p->tok.kind) {
    case KW_ADD: return add(p);
    case KW_DROP: return drop(p);
    case KW_ALTER: return parse_peek(p, 1) == KW_CONSTRAINT ? alter_constraint(p) : alter_column(p);
    case KW_OPTIONS: return parse_pg_alter_generic_options(p);
    default: break;
    }
    if (parse_at(p, KW_SET) && parse_peek(p, 1) == '(') return parse_pg_opt_clause(p, KW_SET, "set", parse_pg_reloptions);
    struct ast *option = parse_is_pg(p, 120000) ? NULL : parse_pg_opt_phrase(p, with_oids);
    return option ? option : parse_pg_phrase(p, actions);
}

/* ---- partitions ------------------------------------------------------------------------------------------------------ */

/* table bound */
static struct ast *bounded_partition(struct sql_reader *p) {
    struct ast *table = parse_table_name(p);
    table->next = parse_pg_partition_bound(p);
    return table;
}

/* table [CONCURRENTLY | FINALIZE] */
static struct ast *detached_partition(struct sql_reader *p) {
    struct ast *table = parse_table_name(p);
    if (parse_at(p, KW_CONCURRENTLY) || parse_at(p, KW_FINALIZE)) table->next = parse_word(p);
    return table;
}

/* PARTITION table bound: an OPTION */
static struct ast *new_partition(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_expect(p, KW_PARTITION);
    return parse_option(p, start, "partition", bounded_partition(p));
}

/* table INTO "(" new partitions ")" */
static struct ast *split_partition(struct sql_reader *p) {
    struct ast *table = parse_table_name(p);
    parse_expect(p, KW_INTO);
    table->next = parse_paren_list(p, new_partition);
    return table;
}

/* "(" tables ")" INTO table: OPTION "into" comes last */
static struct ast *merged_partitions(struct sql_reader *p) {
    struct parse_list l;
    parse_list_init(&l);
    parse_pg_append(p, &l, parse_paren_list(p, parse_table_name));
    uint32_t start = p->tok.start;
    parse_expect(p, KW_INTO);
    parse_list_add(&l, parse_option(p, start, "into", parse_table_name(p)));
    return l.first;
}

/* ATTACH PARTITION table bound | DETACH PARTITION ... | SPLIT PARTITION ..., MERGE PARTITIONS ...: PostgreSQL 19 */
static struct ast *opt_partition_action(struct sql_reader *p) {
    static const struct parse_pg_phrase partition_actions[] = {
        {.words = {KW_ATTACH, KW_PARTITION}, .name = "attach partition", .value = bounded_partition},
        {.words = {KW_DETACH, KW_PARTITION}, .name = "detach partition", .value = detached_partition},
        {.words = {KW_SPLIT, KW_PARTITION}, .name = "split partition", .value = split_partition, .since = 190000},
        {.words = {KW_MERGE, KW_PARTITIONS}, .name = "merge partitions", .value = merged_partitions, .since = 190000},
        {.name = NULL},
    };
    return parse_pg_opt_phrase(p, partition_actions);
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* RENAME [COLUMN] a TO b | RENAME CONSTRAINT a TO b */
static struct ast *opt_rename(struct sql_reader *p, enum sql_object object) {
    static const struct parse_pg_phrase renames[] = {
        {.words = {KW_RENAME, KW_CONSTRAINT}, .name = "rename constraint", .value = parse_pg_renamed},
        {.words = {KW_RENAME, KW_COLUMN}, .name = "rename column", .value = parse_pg_renamed},
        {.words = {KW_RENAME}, .name = "rename column", .value = parse_pg_renamed},
        {.name = NULL},
    };
    if (object == SQL_OBJECT_INDEX || object == SQL_OBJECT_SEQUENCE) return NULL;
    return parse_pg_opt_phrase(p, object == SQL_OBJECT_TABLE ? renames : renames + 1);
}

/* [ATTACH PARTITION index | sequence options] */
static struct ast *opt_own_action(struct sql_reader *p, const struct ast_command *c) {
    static const struct parse_pg_phrase attach[] = {
        {.words = {KW_ATTACH, KW_PARTITION}, .name = "attach partition", .value = parse_table_name},
        {.name = NULL},
    };
    switch (c->object) {
    case SQL_OBJECT_TABLE: return opt_partition_action(p);
    case SQL_OBJECT_INDEX: return c->node.flags & AST_COMMAND_IF_EXISTS ? NULL : parse_pg_opt_phrase(p, attach);
    case SQL_OBJECT_SEQUENCE: return parse_pg_sequence_options(p);
    default: return NULL;
    }
}

/* RENAME ... | partitions | sequence options | action {"," action} */
void parse_pg_alter_relation(struct sql_reader *p, struct ast_command *c) {
    c->elements = opt_rename(p, c->object);
    if (!c->elements) c->elements = opt_own_action(p, c);
    if (!c->elements) c->elements = parse_comma_list(p, action);
}

/* ALL IN TABLESPACE name [OWNED BY roles] SET TABLESPACE name [NOWAIT] */
void parse_pg_alter_all_in_tablespace(struct sql_reader *p, struct ast_command *c) {
    static const struct parse_pg_phrase from[] = {
        {.words = {KW_ALL, KW_IN, KW_TABLESPACE}, .name = "all in tablespace", .value = parse_name},
        {.name = NULL},
    };
    static const struct parse_pg_phrase owners[] = {
        {.words = {KW_OWNED, KW_BY}, .name = "owned by", .value = parse_pg_roles},
        {.name = NULL},
    };
    static const struct parse_pg_phrase to[] = {
        {.words = {KW_SET, KW_TABLESPACE}, .name = "set tablespace", .value = parse_name},
        {.name = NULL},
    };
    struct parse_list l;
    parse_list_init(&l);
    c->node.flags |= AST_COMMAND_ALL;
    parse_list_add(&l, parse_pg_phrase(p, from));
    parse_pg_append(p, &l, parse_pg_opt_phrase(p, owners));
    c->elements = parse_pg_phrase(p, to);
    if (parse_at(p, KW_NOWAIT)) parse_list_add(&l, parse_word(p));
    c->options = l.first;
}
