/*
 * parse_mysql_alter.c - ALTER TABLE: every action is one OPTION among the command's elements, named by its words.
 *
 * Tables that an action names besides the altered one (RENAME TO, EXCHANGE PARTITION, CONVERT TABLE) are TABLEs among the
 * OPTION's values. Options of the table are the OPTIONs that CREATE TABLE has, among the elements too.
 */
#include "parser/parse_mysql_ddl.h"

/* ---- parts ----------------------------------------------------------------------------------------------------------- */

/* [IF EXISTS] (MariaDB) */
static void opt_if_exists(struct sql_reader *p, struct parse_list *list) {
    uint32_t start = p->tok.start;
    if (p->is_mariadb && parse_accept2(p, KW_IF, KW_EXISTS)) parse_list_add(list, parse_option(p, start, "if exists", NULL));
}

/* [FIRST | AFTER name] */
static void opt_place(struct sql_reader *p, struct parse_list *list) {
    uint32_t start = p->tok.start;
    if (parse_accept(p, KW_FIRST)) parse_list_add(list, parse_option(p, start, "first", NULL));
    else if (parse_accept(p, KW_AFTER)) parse_list_add(list, parse_option(p, start, "after", parse_name(p)));
}

/* ---- ADD, CHANGE, MODIFY --------------------------------------------------------------------------------------------- */

/* ADD (constraint | key | PERIOD FOR ... | SYSTEM VERSIONING | [COLUMN] [IF NOT EXISTS] (column [place] | "(" elements ")")) */
static const char *add(struct sql_reader *p, struct parse_list *list) {
    if (parse_accept2(p, KW_SYSTEM, KW_VERSIONING)) return "add system versioning";
    if (parse_mysql_at_constraint(p)) {
        parse_list_add(list, parse_mysql_table_element(p));
        return "add constraint";
    }
    parse_accept(p, KW_COLUMN);
    uint32_t start = p->tok.start;
    if (p->is_mariadb && parse_accept3(p, KW_IF, KW_NOT, KW_EXISTS)) {
        parse_list_add(list, parse_option(p, start, "if not exists", NULL));
    }
    if (parse_at(p, '(')) {
        parse_mysql_append(list, parse_paren_list(p, parse_mysql_table_element));
    } else {
        parse_list_add(list, parse_mysql_column_def(p));
        opt_place(p, list);
    }
    return "add column";
}

/* CHANGE [COLUMN] [IF EXISTS] name column [place] */
static const char *change(struct sql_reader *p, struct parse_list *list) {
    parse_accept(p, KW_COLUMN);
    opt_if_exists(p, list);
    parse_list_add(list, parse_name(p));
    parse_list_add(list, parse_mysql_column_def(p));
    opt_place(p, list);
    return "change column";
}

/* MODIFY [COLUMN] [IF EXISTS] column [place] */
static const char *modify(struct sql_reader *p, struct parse_list *list) {
    parse_accept(p, KW_COLUMN);
    opt_if_exists(p, list);
    parse_list_add(list, parse_mysql_column_def(p));
    opt_place(p, list);
    return "modify column";
}

/* ---- DROP ------------------------------------------------------------------------------------------------------------ */

/* [IF EXISTS] name */
static const char *drop_named(struct sql_reader *p, struct parse_list *list, const char *name) {
    parse_advance(p);
    opt_if_exists(p, list);
    parse_list_add(list, parse_name(p));
    return name;
}

/* DROP (PRIMARY KEY | FOREIGN KEY name | KEY name | CONSTRAINT name | CHECK name | PERIOD FOR name | SYSTEM VERSIONING |
   [COLUMN] [IF EXISTS] name [RESTRICT | CASCADE]) */
static const char *drop(struct sql_reader *p, struct parse_list *list) {
    switch (p->tok.kind) {
    case KW_PRIMARY:
        parse_advance(p);
        parse_expect(p, KW_KEY);
        return "drop primary key";
    case KW_FOREIGN:
        parse_advance(p);
        if (!parse_at(p, KW_KEY)) parse_expect(p, KW_KEY);
        return drop_named(p, list, "drop foreign key");
    case KW_KEY:
    case KW_INDEX: return drop_named(p, list, "drop index");
    case KW_CONSTRAINT:
        if (p->is_mariadb && parse_accept3(p, KW_CONSTRAINT, KW_PRIMARY, KW_KEY)) return "drop primary key";
        return drop_named(p, list, "drop constraint");
    case KW_CHECK:
        if (p->is_mariadb) parse_fail(p, "syntax error");
        return drop_named(p, list, "drop check");
    case KW_PERIOD:
        if (parse_peek(p, 1) != KW_FOR && parse_peek(p, 1) != KW_IF) break;
        parse_advance(p);
        opt_if_exists(p, list);
        parse_expect(p, KW_FOR);
        parse_list_add(list, parse_name(p));
        return "drop period for";
    case KW_SYSTEM:
        if (parse_accept2(p, KW_SYSTEM, KW_VERSIONING)) return "drop system versioning";
        break;
    default: break;
    }
    parse_accept(p, KW_COLUMN);
    opt_if_exists(p, list);
    parse_list_add(list, parse_name(p));
    if (parse_at(p, KW_RESTRICT) || parse_at(p, KW_CASCADE)) parse_list_add(list, parse_word(p));
    return "drop column";
}

/* ---- ALTER, RENAME, CONVERT ------------------------------------------------------------------------------------------ */

/* MySQL: VISIBLE | INVISIBLE | [NOT] ENFORCED. MariaDB: [NOT] IGNORED */
static struct ast *visibility(struct sql_reader *p) {
    bool is_not = parse_at(p, KW_NOT);
    switch (is_not ? parse_peek(p, 1) : p->tok.kind) {
    case KW_IGNORED:
        if (!p->is_mariadb) break;
        return is_not ? parse_mysql_words(p, "not ignored", 2) : parse_mysql_words(p, "ignored", 1);
    case KW_ENFORCED: return is_not ? parse_mysql_words(p, "not enforced", 2) : parse_mysql_words(p, "enforced", 1);
    case KW_VISIBLE:
    case KW_INVISIBLE:
        if (p->is_mariadb || is_not) break;
        return parse_mysql_words(p, parse_at(p, KW_VISIBLE) ? "visible" : "invisible", 1);
    default: break;
    }
    parse_fail(p, "syntax error");
    return parse_word(p);
}

/* ALTER [COLUMN] [IF EXISTS] name (SET DEFAULT value | DROP DEFAULT | SET VISIBLE | SET INVISIBLE |
   SET MASKING POLICY name | DROP MASKING POLICY) */
static const char *alter_column(struct sql_reader *p, struct parse_list *list) {
    parse_accept(p, KW_COLUMN);
    opt_if_exists(p, list);
    parse_list_add(list, parse_name(p));
    if (parse_accept(p, KW_DROP)) {
        if (!p->is_mariadb && parse_accept2(p, KW_MASKING, KW_POLICY)) return "alter column drop masking policy";
        parse_expect(p, KW_DEFAULT);
        return "alter column drop default";
    }
    parse_expect(p, KW_SET);
    if (!p->is_mariadb && parse_accept2(p, KW_MASKING, KW_POLICY)) {
        parse_list_add(list, parse_name(p));
        return "alter column set masking policy";
    }
    if (!parse_accept(p, KW_DEFAULT)) {
        parse_list_add(list, visibility(p));
        return "alter column set";
    }
    parse_list_add(list, parse_mysql_default_value(p));
    return "alter column set default";
}

/* ALTER ((INDEX | KEY) name visibility | (CHECK | CONSTRAINT) name [NOT] ENFORCED | column) */
static const char *alter(struct sql_reader *p, struct parse_list *list) {
    const char *name = "alter constraint";
    switch (p->tok.kind) {
    case KW_INDEX:
    case KW_KEY: name = "alter index"; break;
    case KW_CHECK:
    case KW_CONSTRAINT: break;
    default: return alter_column(p, list);
    }
    parse_advance(p);
    opt_if_exists(p, list);
    parse_list_add(list, parse_name(p));
    parse_list_add(list, visibility(p));
    return name;
}

/* RENAME ((COLUMN | INDEX | KEY) [IF EXISTS] name TO name | [TO | AS | "="] table) */
static const char *rename_action(struct sql_reader *p, struct parse_list *list) {
    if (!parse_at(p, KW_COLUMN) && !parse_at(p, KW_INDEX) && !parse_at(p, KW_KEY)) {
        if (!parse_accept(p, KW_TO) && !parse_accept(p, KW_AS)) parse_accept(p, '=');
        parse_list_add(list, parse_table_name(p));
        return "rename to";
    }
    bool is_column = parse_at(p, KW_COLUMN);
    parse_advance(p);
    opt_if_exists(p, list);
    parse_list_add(list, parse_name(p));
    parse_expect(p, KW_TO);
    parse_list_add(list, parse_name(p));
    return is_column ? "rename column" : "rename index";
}

/* CONVERT TO (CHARACTER SET | CHARSET) name [COLLATE ["="] name] */
static const char *convert(struct sql_reader *p, struct parse_list *list) {
    parse_expect(p, KW_TO);
    if (!parse_mysql_accept_charset(p)) parse_fail(p, "syntax error: expected CHARACTER SET");
    parse_list_add(list, (parse_at(p, KW_DEFAULT) ? parse_name_of_token(p) : parse_mysql_charset_name(p)));
    if (parse_at(p, KW_COLLATE)) parse_list_add(list, parse_mysql_opt_charset_option(p));
    return "convert to";
}

/* (SECONDARY_LOAD | SECONDARY_UNLOAD) [PARTITION "(" names ")"] */
static const char *secondary(struct sql_reader *p, struct parse_list *list, const char *name) {
    if (parse_accept(p, KW_PARTITION)) parse_mysql_append(list, parse_paren_names(p));
    return name;
}

/* ---- actions --------------------------------------------------------------------------------------------------------- */

/* Behind the verb. */
static const char *verb_action(struct sql_reader *p, uint16_t verb, struct parse_list *list) {
    switch (verb) {
    case KW_ADD: return add(p, list);
    case KW_CHANGE: return change(p, list);
    case KW_MODIFY: return modify(p, list);
    case KW_DROP: return drop(p, list);
    case KW_ALTER: return alter(p, list);
    case KW_RENAME: return rename_action(p, list);
    case KW_CONVERT: return convert(p, list);
    case KW_DISABLE: parse_expect(p, KW_KEYS); return "disable keys";
    case KW_ENABLE: parse_expect(p, KW_KEYS); return "enable keys";
    case KW_FORCE: return "force";
    case KW_SECONDARY_LOAD: return secondary(p, list, "secondary_load");
    case KW_SECONDARY_UNLOAD: return secondary(p, list, "secondary_unload");
    default: return NULL;
    }
}

static bool is_verb(uint16_t kind) {
    switch (kind) {
    case KW_ADD:
    case KW_CHANGE:
    case KW_MODIFY:
    case KW_DROP:
    case KW_ALTER:
    case KW_RENAME:
    case KW_CONVERT:
    case KW_DISABLE:
    case KW_ENABLE:
    case KW_FORCE:
    case KW_SECONDARY_LOAD:
    case KW_SECONDARY_UNLOAD: return true;
    default: return false;
    }
}

/* { table option } */
static void options(struct sql_reader *p, struct parse_list *actions) {
    struct ast *option = parse_mysql_opt_table_option(p);
    if (!option) parse_fail(p, "syntax error");
    for (; option; option = parse_mysql_opt_table_option(p)) parse_list_add(actions, option);
}

/* column [ASC | DESC] */
static struct ast *order_item(struct sql_reader *p) {
    struct ast_sort *item = PARSE_NODE(p, ast_sort, SORT);
    item->expr = parse_column(p);
    if (parse_accept(p, KW_ASC)) item->node.flags |= AST_SORT_ASC;
    else if (parse_accept(p, KW_DESC)) item->node.flags |= AST_SORT_DESC;
    return parse_done(p, item);
}

/* ORDER BY item { "," item } */
static struct ast *order_by(struct sql_reader *p) {
    uint32_t start = p->tok.start;
    parse_advance(p);
    parse_expect(p, KW_BY);
    return parse_option(p, start, "order by", parse_comma_list(p, order_item));
}

/* verb ... | ORDER BY items | ALGORITHM ... | LOCK ... | (WITH | WITHOUT) VALIDATION | table options */
static void action(struct sql_reader *p, struct parse_list *actions) {
    struct parse_list list;
    uint32_t start = p->tok.start;
    uint16_t verb = p->tok.kind;
    parse_list_init(&list);
    if (is_verb(verb)) {
        parse_advance(p);
        const char *name = verb_action(p, verb, &list);
        parse_list_add(actions, parse_option(p, start, name, list.first));
    } else if (verb == KW_ORDER) {
        parse_list_add(actions, order_by(p));
    } else if (verb == KW_ALGORITHM || verb == KW_LOCK) {
        parse_list_add(actions, parse_mysql_opt_online_option(p));
    } else if ((verb == KW_WITH || verb == KW_WITHOUT) && parse_peek(p, 1) == KW_VALIDATION) {
        parse_list_add(actions, parse_mysql_words(p, verb == KW_WITH ? "with validation" : "without validation", 2));
    } else {
        options(p, actions);
    }
}

/* DISCARD TABLESPACE | IMPORT TABLESPACE | partition action: each stands alone. NULL: none of them. */
static struct ast *opt_lone_action(struct sql_reader *p) {
    if (parse_at(p, KW_DISCARD) && parse_peek(p, 1) == KW_TABLESPACE) return parse_mysql_words(p, "discard tablespace", 2);
    if (parse_at(p, KW_IMPORT) && parse_peek(p, 1) == KW_TABLESPACE) return parse_mysql_words(p, "import tablespace", 2);
    return parse_mysql_opt_partition_action(p);
}

static bool at_modifier(const struct sql_reader *p) {
    return parse_at(p, KW_ALGORITHM) || parse_at(p, KW_LOCK) || parse_at(p, KW_WITH) || parse_at(p, KW_WITHOUT);
}

/* [{ ALGORITHM ... "," | LOCK ... "," } lone action | [action { "," action }] [PARTITION BY ... | REMOVE PARTITIONING]] */
static struct ast *actions(struct sql_reader *p) {
    struct parse_list list;
    parse_list_init(&list);
    if (parse_at(p, TOKEN_END) || parse_at(p, ';')) return NULL;
    if (!parse_at(p, KW_PARTITION) && !parse_at(p, KW_REMOVE)) {
        bool may_be_lone = true; /* MySQL: behind modifiers too */
        do {
            struct ast *lone = may_be_lone ? opt_lone_action(p) : NULL;
            if (lone) {
                parse_list_add(&list, lone);
                return list.first;
            }
            may_be_lone = may_be_lone && !p->is_mariadb && at_modifier(p);
            action(p, &list);
        } while (parse_accept(p, ','));
    }
    if (parse_at(p, KW_PARTITION)) parse_list_add(&list, parse_mysql_partition_by(p));
    else if (parse_at(p, KW_REMOVE) && parse_peek(p, 1) == KW_PARTITIONING) {
        parse_list_add(&list, parse_mysql_words(p, "remove partitioning", 2));
    }
    return list.first;
}

/* { ONLINE | IGNORE } TABLE [IF EXISTS] name [WAIT n | NOWAIT] actions */
struct ast *parse_mysql_alter_table(struct sql_reader *p, struct ast_command *c) {
    struct parse_list list;
    parse_list_init(&list);
    c->object = SQL_OBJECT_TABLE;
    while (p->is_mariadb && (parse_at(p, KW_ONLINE) || parse_at(p, KW_IGNORE))) parse_list_add(&list, parse_word(p));
    parse_expect(p, KW_TABLE);
    if (p->is_mariadb) parse_mysql_if_exists(p, c);
    c->objects = parse_table_name(p);
    struct ast *wait = parse_mysql_opt_wait(p);
    if (wait) parse_list_add(&list, wait);
    c->options = list.first;
    c->elements = actions(p);
    return parse_done(p, c);
}
