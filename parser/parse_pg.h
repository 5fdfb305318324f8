/*
 * parse_pg.h - PostgreSQL's statements that are no query and change no rows: who reads what.
 *
 * Each of the statements stands at its first keyword, is read up to its `;` or the end, and
 * gives a COMMAND. What a command puts into which slot stands above its parse function.
 *
 * What recurs is tables: a *phrase* is some keywords and what follows them, which give an
 * OPTION called by the keywords in lower case (parse_pg_part.c); the kinds of objects are a
 * table for each of CREATE, ALTER, and DROP with its like.
 *
 * The rules follow the server's grammar with what it checks while it reads; what it finds
 * out later (from the catalogue, or by analysis) is accepted here. Words of PostgreSQL 16
 * and later are known by version.
 */
#ifndef GILMOK_PARSER_PARSE_PG_H
#define GILMOK_PARSER_PARSE_PG_H

#include "parser/parse.h"

/* ---- definitions ----------------------------------------------------------------------------------------------------- */

struct ast *parse_pg_create(struct sql_reader *p);         /* CREATE anything */
struct ast *parse_pg_alter(struct sql_reader *p);          /* ALTER anything; DEFAULT PRIVILEGES by the function below */
struct ast *parse_pg_drop(struct sql_reader *p);           /* DROP anything, DROP OWNED */
struct ast *parse_pg_comment(struct sql_reader *p);        /* COMMENT ON */
struct ast *parse_pg_security_label(struct sql_reader *p); /* SECURITY LABEL */
struct ast *parse_pg_reassign(struct sql_reader *p);       /* REASSIGN OWNED */
struct ast *parse_pg_truncate(struct sql_reader *p);       /* TRUNCATE */
struct ast *parse_pg_import(struct sql_reader *p);         /* IMPORT FOREIGN SCHEMA */

/* ---- commands -------------------------------------------------------------------------------------------------------- */

struct ast *parse_pg_grant(struct sql_reader *p);              /* GRANT, REVOKE */
struct ast *parse_pg_default_privileges(struct sql_reader *p); /* ALTER DEFAULT PRIVILEGES, at ALTER */
/* SETTING of SET ..., RESET ... as ALTER ROLE, DATABASE, FUNCTION, SYSTEM have it; at SET or RESET, which is read too. */
struct ast *parse_pg_set_clause(struct sql_reader *p);

/* ---- parts: parse_pg_part.c ------------------------------------------------------------------------------------------ */

/* Appends a list, which may be empty. Without memory all nodes are one, and a list of it has no end: so not after a failure. */
static inline void parse_pg_append(const struct sql_reader *p, struct parse_list *l, struct ast *list) {
    for (; list && !p->failed; list = list->next) parse_list_add(l, list);
}

struct parse_pg_phrase {
    uint16_t words[5];     /* keywords; 0 behind the last */
    const char *name;      /* the OPTION's name; NULL ends a table */
    parse_function *value; /* reads the OPTION's values behind the words; or NULL */
    uint32_t since;        /* only in this version and later */
};

/* Do these keywords stand here, one after the other? `max` of them at most, fewer when a 0 ends them. */
bool parse_pg_at_words(struct sql_reader *p, const uint16_t *words, unsigned max);
void parse_pg_skip_words(struct sql_reader *p, const uint16_t *words, unsigned max);
/* Is the current word the beginning of OPERATOR CLASS or FAMILY? `class` may also be a schema: OPERATOR class.+ */
bool parse_pg_at_operator_class(struct sql_reader *p);
/* OPTION of the first phrase of the table that stands here; NULL when none does. Longer phrases come before their beginnings. */
struct ast *parse_pg_opt_phrase(struct sql_reader *p, const struct parse_pg_phrase *table);
struct ast *parse_pg_phrase(struct sql_reader *p, const struct parse_pg_phrase *table);
struct ast *parse_pg_phrases(struct sql_reader *p, const struct parse_pg_phrase *table); /* none or more */
/* OPTION "name" with these values, when the keyword stands here. */
struct ast *parse_pg_opt_clause(struct sql_reader *p, uint16_t keyword, const char *name, parse_function *value);
struct ast *parse_pg_clause(struct sql_reader *p, uint16_t keyword, const char *name, parse_function *value); /* must be there */

void parse_pg_opt_if_exists(struct sql_reader *p, struct ast_command *c);
void parse_pg_opt_if_not_exists(struct sql_reader *p, struct ast_command *c);

struct ast *parse_pg_and_behavior(struct sql_reader *p, struct ast *node); /* the node, then a WORD of [CASCADE | RESTRICT] */
struct ast *parse_pg_dropped(struct sql_reader *p); /* NAME, then the same */

struct ast *parse_pg_named(struct sql_reader *p, enum sql_object object);     /* OBJECT: name */
struct ast *parse_pg_qualified(struct sql_reader *p, enum sql_object object); /* OBJECT: a.b.c */
struct ast *parse_pg_large_object(struct sql_reader *p, enum sql_object object); /* OBJECT: number */
struct ast *parse_pg_table_by_name(struct sql_reader *p);                     /* TABLE: a.b.c, of any length */

struct ast *parse_pg_renamed(struct sql_reader *p); /* name TO name: two NAMEs */

bool parse_pg_is_string(uint16_t kind);        /* is a token of this kind a string constant? */
bool parse_pg_is_identifier(uint16_t kind);    /* a name that is no keyword? */
bool parse_pg_at_number(struct sql_reader *p); /* [+|-] number */
struct ast *parse_pg_int(struct sql_reader *p);        /* a LITERAL of at most 31 bits */
struct ast *parse_pg_int_or_default(struct sql_reader *p); /* signed; PostgreSQL 17: or DEFAULT */
struct ast *parse_pg_string_or_null(struct sql_reader *p);
struct ast *parse_pg_paren_expr(struct sql_reader *p); /* "(" expression ")" */
struct ast *parse_pg_roles(struct sql_reader *p);      /* role {, role} */
struct ast *parse_pg_role_id(struct sql_reader *p);    /* OBJECT: a role by its own name */
struct ast *parse_pg_func_type(struct sql_reader *p);  /* TYPE, or t.c%TYPE */
struct ast *parse_pg_simple_type(struct sql_reader *p); /* TYPE without SETOF and [] */
struct ast *parse_pg_types(struct sql_reader *p);      /* "(" type {, type} ")" */
struct ast *parse_pg_opt_collate(struct sql_reader *p); /* NAMEs of [COLLATE name] */
struct ast *parse_pg_with_data(struct sql_reader *p, struct ast_command *c); /* [WITH [NO] DATA] */

/* A value of an option in `name = value`: a type, a keyword, an operator, a number, a string, NONE. */
struct ast *parse_pg_def_arg(struct sql_reader *p);
struct ast *parse_pg_definition(struct sql_reader *p);     /* "(" name [= value] {, ...} ")": OPTIONs */
struct ast *parse_pg_opt_definition(struct sql_reader *p); /* OPTION "with" of WITH definition; or NULL */
struct ast *parse_pg_operator_definition(struct sql_reader *p); /* a definition where values must be there (till 16) */
/* "(" name [= value] {, ...} ")", names in one or two parts: storage parameters. OPTIONs. */
struct ast *parse_pg_reloptions(struct sql_reader *p);
struct ast *parse_pg_opt_reloptions(struct sql_reader *p); /* OPTION "with" of WITH reloptions; or NULL */
struct ast *parse_pg_opt_generic_options(struct sql_reader *p); /* OPTION "options" of [OPTIONS (name 'value' {, ...})] */
struct ast *parse_pg_alter_generic_options(struct sql_reader *p); /* at OPTIONS: ([ADD | SET | DROP] name 'value' {, ...}) */
struct ast *parse_pg_sequence_options(struct sql_reader *p);    /* OPTIONs; none or more */
struct ast *parse_pg_sequence_option(struct sql_reader *p);     /* one of them; NULL when none stands here */

/* ---- columns and constraints: parse_pg_column.c ---------------------------------------------------------------------- */

/* Attributes that a constraint may be given; NOT DEFERRABLE and INITIALLY IMMEDIATE always. */
enum parse_pg_attribute {
    PARSE_PG_DEFERRABLE = 1,
    PARSE_PG_NOT_VALID = 2,
    PARSE_PG_NO_INHERIT = 4,
    PARSE_PG_ENFORCED = 8,
};
struct ast *parse_pg_attributes(struct sql_reader *p, unsigned allowed); /* OPTIONs */

struct ast *parse_pg_column_def(struct sql_reader *p);         /* COLUMN_DEF */
struct ast *parse_pg_column_constraints(struct sql_reader *p); /* CONSTRAINTs and OPTIONs */
bool parse_pg_at_constraint(struct sql_reader *p);             /* of a table */
struct ast *parse_pg_table_constraint(struct sql_reader *p);   /* CONSTRAINT */
struct ast *parse_pg_domain_constraint(struct sql_reader *p);  /* CONSTRAINT */
struct ast *parse_pg_identity(struct sql_reader *p);           /* CONSTRAINT: at GENERATED, of ALTER COLUMN ADD */
struct ast *parse_pg_field(struct sql_reader *p); /* COLUMN_DEF: name type [COLLATE c], of composite types */
struct ast *parse_pg_name_or_default(struct sql_reader *p);
struct ast *parse_pg_opt_nulls_distinct(struct sql_reader *p); /* OPTION: [NULLS [NOT] DISTINCT] */

/* ---- statements by what they are about; `c` has its verb, object and modifiers ---------------------------------------- */

typedef void parse_pg_rest(struct sql_reader *p, struct ast_command *c);

/* parse_pg_table.c */
parse_pg_rest parse_pg_create_table, parse_pg_create_foreign_table;
struct ast *parse_pg_partition_bound(struct sql_reader *p); /* OPTION */

/* parse_pg_view.c */
parse_pg_rest parse_pg_create_view, parse_pg_create_materialized_view;

/* parse_pg_index.c */
parse_pg_rest parse_pg_create_index, parse_pg_create_statistics, parse_pg_alter_statistics;
struct ast *parse_pg_index_element(struct sql_reader *p); /* SORT: of an index, or a conflict target */
struct ast *parse_pg_key_expr(struct sql_reader *p);      /* a column, a call or "(" expression ")" */

/* parse_pg_type.c */
parse_pg_rest parse_pg_create_type, parse_pg_create_domain, parse_pg_create_collation, parse_pg_create_defined;
parse_pg_rest parse_pg_alter_type, parse_pg_alter_domain, parse_pg_alter_collation, parse_pg_alter_dictionary;
parse_pg_rest parse_pg_alter_configuration;

/* parse_pg_routine.c */
parse_pg_rest parse_pg_create_routine, parse_pg_create_aggregate, parse_pg_alter_routine;
struct ast *parse_pg_func_name(struct sql_reader *p); /* NAMEs */
/* OBJECT with `args`: name [ "(" arguments ")" ], as DROP FUNCTION and GRANT ... ON FUNCTION name it. */
struct ast *parse_pg_routine_signature(struct sql_reader *p, enum sql_object object);
struct ast *parse_pg_aggregate_signature(struct sql_reader *p, enum sql_object object);

/* parse_pg_operator.c */
parse_pg_rest parse_pg_create_operator, parse_pg_create_operator_class, parse_pg_create_operator_family;
parse_pg_rest parse_pg_alter_operator, parse_pg_alter_operator_family;
parse_pg_rest parse_pg_create_cast, parse_pg_create_transform;
struct ast *parse_pg_operator_signature(struct sql_reader *p, enum sql_object object); /* OBJECT: + (type, type) */
struct ast *parse_pg_class_by_name(struct sql_reader *p, enum sql_object object);      /* OBJECT: name USING method */
struct ast *parse_pg_cast_by_types(struct sql_reader *p, enum sql_object object);      /* OBJECT: (type AS type) */
struct ast *parse_pg_transform_by_type(struct sql_reader *p, enum sql_object object);  /* OBJECT: FOR type LANGUAGE name */

/* parse_pg_trigger.c */
parse_pg_rest parse_pg_create_trigger, parse_pg_create_event_trigger, parse_pg_create_rule, parse_pg_create_policy;
parse_pg_rest parse_pg_alter_event_trigger, parse_pg_alter_policy;
struct ast *parse_pg_named_on_table(struct sql_reader *p, enum sql_object object); /* OBJECT: name ON table */

/* parse_pg_extension.c */
parse_pg_rest parse_pg_create_extension, parse_pg_create_language, parse_pg_create_conversion, parse_pg_create_access_method;
parse_pg_rest parse_pg_create_wrapper, parse_pg_create_server, parse_pg_create_user_mapping;
parse_pg_rest parse_pg_alter_extension, parse_pg_alter_wrapper, parse_pg_alter_server, parse_pg_alter_user_mapping;
parse_pg_rest parse_pg_drop_user_mapping;

/* parse_pg_publication.c */
parse_pg_rest parse_pg_create_publication, parse_pg_create_subscription;
parse_pg_rest parse_pg_alter_publication, parse_pg_alter_subscription;

/* parse_pg_role.c */
parse_pg_rest parse_pg_create_role, parse_pg_create_database, parse_pg_create_tablespace;
parse_pg_rest parse_pg_alter_role, parse_pg_alter_group, parse_pg_alter_database, parse_pg_alter_tablespace;
parse_pg_rest parse_pg_alter_system, parse_pg_drop_database;

/* parse_pg_graph.c */
parse_pg_rest parse_pg_create_graph, parse_pg_alter_graph;

/* parse_pg_alter_table.c */
parse_pg_rest parse_pg_alter_relation;     /* the actions of ALTER TABLE and its kin, behind the name */
parse_pg_rest parse_pg_alter_all_in_tablespace; /* at ALL */

/* parse_pg_object.c */
/* OBJECT or TABLE: kind thing, as ALTER EXTENSION ... ADD has it */
struct ast *parse_pg_member(struct sql_reader *p);

/* ---- SQL/JSON: parse_pg_json.c --------------------------------------------------------------------------------------- */

/* The insides of the parentheses; the keyword says which function it is. */
void parse_pg_json_constructor(struct sql_reader *p, struct ast_func *f, uint16_t kind); /* JSON_OBJECT, JSON_ARRAY, ...AGG */
void parse_pg_json_query(struct sql_reader *p, struct ast_func *f, uint16_t kind);       /* JSON_VALUE, JSON_QUERY, JSON_EXISTS */
void parse_pg_json_simple(struct sql_reader *p, struct ast_func *f, uint16_t kind);      /* JSON, JSON_SCALAR, JSON_SERIALIZE */
struct ast *parse_pg_json_table(struct sql_reader *p);                                   /* FUNC of JSON_TABLE(...) */

/* ---- property graphs: parse_pg_graph_table.c ------------------------------------------------------------------------- */

struct ast *parse_pg_graph_table(struct sql_reader *p); /* FUNC of GRAPH_TABLE(...) */

#endif
