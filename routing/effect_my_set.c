/*
 * effect_my_set.c - SET: what can be said again, in words that mean the same in every session.
 *
 * Strings are written anew, between '...' with '' inside: that is read alike under ANSI_QUOTES and NO_BACKSLASH_ESCAPES. One
 * with a backslash is not. A word is written as a string, which it is to the server. Numbers stay numbers: no server takes a
 * string for one.
 */
#include "routing/effect_my_walk.h"
#include "routing/variable_my.h"

/* ---- values ---------------------------------------------------------------------------------------------------------- */

struct value_text {
    uint8_t *ptr;
    size_t len, max;
    bool has_failed;
};

static void value_put(struct value_text *v, uint8_t c) {
    if (v->len == v->max) v->has_failed = true;
    else v->ptr[v->len++] = c;
}

static void value_put_text(struct value_text *v, struct bytes text) {
    for (size_t i = 0; i < text.len; i++) value_put(v, text.ptr[i]);
}

static struct value_text value_start(struct finding_my *f, size_t max) {
    uint8_t *ptr = arena_alloc(f->arena, max);
    return (struct value_text){.ptr = ptr, .max = ptr ? max : 0, .has_failed = !ptr};
}

static struct bytes value_end(const struct value_text *v) {
    return v->has_failed ? bytes_of(NULL, 0) : bytes_of(v->ptr, v->len);
}

/* What stands behind a backslash, without it; 0: the backslash stays, or it is none that can be written again. */
static uint8_t unescaped(uint8_t c) {
    switch (c) {
    case 'b': return '\b';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'Z': return 0x1a;
    case '0': case '%': case '_': case '\\': return 0;
    default: return c;
    }
}

/* 'it''s' of 'it\'s' or "it's". A ptr of NULL: there is no way to write it. */
static struct bytes quoted(struct finding_my *f, struct bytes inside, uint8_t quote, bool has_escapes, bool may_be_other) {
    struct value_text v = value_start(f, 2 * inside.len + 2);
    value_put(&v, '\'');
    for (size_t i = 0; i < inside.len; i++) {
        uint8_t c = inside.ptr[i];
        bool is_escape = has_escapes && c == '\\' && i + 1 < inside.len;
        if (is_escape) c = unescaped(inside.ptr[++i]);
        else if (c == quote) i++; /* the first of two */
        if (c == 0 || (c == '\\' && !is_escape) || (c >= 0x80 && !may_be_other)) return bytes_of(NULL, 0);
        value_put(&v, c);
        if (c == '\'') value_put(&v, c);
    }
    value_put(&v, '\'');
    return value_end(&v);
}

static struct bytes string_value(struct finding_my *f, const struct ast *node, bool may_be_other) {
    struct bytes all = bytes_of(f->text.ptr + node->start, node->end - node->start);
    if (AST_AS(literal, LITERAL, node)->parts || all.len < 2 || (all.ptr[0] != '\'' && all.ptr[0] != '"')) return bytes_of(NULL, 0);
    bool has_escapes = !(f->options->modes & SQL_NO_BACKSLASH_ESCAPES);
    return quoted(f, bytes_of(all.ptr + 1, all.len - 2), all.ptr[0], has_escapes, may_be_other);
}

static struct bytes number_value(struct finding_my *f, const struct ast *node, bool is_minus) {
    struct value_text v = value_start(f, node->end - node->start + 1);
    if (is_minus) value_put(&v, '-');
    value_put_text(&v, bytes_of(f->text.ptr + node->start, node->end - node->start));
    return value_end(&v);
}

static struct bytes literal_value(struct finding_my *f, const struct ast *node, bool may_be_other) {
    switch ((enum ast_literal_op)node->op) {
    case LITERAL_INTEGER:
    case LITERAL_NUMBER: return number_value(f, node, false);
    case LITERAL_STRING: return string_value(f, node, may_be_other);
    case LITERAL_TRUE: return bytes_str("TRUE");
    case LITERAL_FALSE: return bytes_str("FALSE");
    case LITERAL_NULL: return bytes_str("NULL");
    default: return bytes_of(NULL, 0);
    }
}

static struct bytes signed_value(struct finding_my *f, const struct ast_unary *unary) {
    bool is_sign = unary->node.op == OPERATOR_MINUS || unary->node.op == OPERATOR_PLUS, is_minus = unary->node.op == OPERATOR_MINUS;
    bool is_number = unary->arg->kind == AST_LITERAL && (unary->arg->op == LITERAL_INTEGER || unary->arg->op == LITERAL_NUMBER);
    return is_sign && is_number ? number_value(f, unary->arg, is_minus) : bytes_of(NULL, 0);
}

/* A constant, as it is written again. A ptr of NULL: it is computed, or cannot be written. */
static struct bytes constant_value(struct finding_my *f, const struct ast *node, bool may_be_other) {
    if (!node || node->next) return bytes_of(NULL, 0);
    if (node->kind == AST_LITERAL) return literal_value(f, node, may_be_other);
    return node->kind == AST_UNARY ? signed_value(f, AST_AS(unary, UNARY, node)) : bytes_of(NULL, 0);
}

/* What a system variable is set to: besides, DEFAULT and words. */
static struct bytes system_value(struct finding_my *f, const struct ast *node) {
    if (!node || node->next) return bytes_of(NULL, 0);
    if (node->kind == AST_DEFAULT) return AST_AS(default, DEFAULT, node)->column ? bytes_of(NULL, 0) : bytes_str("DEFAULT");
    if (node->kind == AST_WORD)
        return quoted(f, bytes_of(f->text.ptr + node->start, node->end - node->start), 0, false, false);
    if (node->kind != AST_COLUMN) return constant_value(f, node, false);
    const struct ast *name = AST_AS(column, COLUMN, node)->names;
    bool is_word = name && !name->next && name->kind == AST_NAME;
    return is_word ? quoted(f, AST_AS(name, NAME, name)->text, 0, false, false) : bytes_of(NULL, 0);
}

/* ---- telling --------------------------------------------------------------------------------------------------------- */

static void tell(struct finding_my *f, enum effect_my_setting_kind kind, struct bytes name, struct bytes value, bool is_string) {
    struct effect_my_setting setting = {.kind = kind, .name = name, .value = value, .is_string = is_string};
    f->effects |= EFFECT_MY_SETS;
    if (f->ears->on_setting) f->ears->on_setting(f->ears->ctx, &setting);
}

static bool is_string(const struct ast *node) {
    return node->kind == AST_LITERAL && node->op == LITERAL_STRING;
}

enum { NAME_MAX_LEN = 64 }; /* both servers' limit */

/* One name of plain characters, in lower case; empty: it is another one. */
static struct bytes plain_name(const struct ast *names, uint8_t *lower) {
    if (!names || names->next || names->kind != AST_NAME) return bytes_of(NULL, 0);
    struct bytes name = AST_AS(name, NAME, names)->text;
    if (name.len > NAME_MAX_LEN) return bytes_of(NULL, 0);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') && c != '_' && c != '$' && c != '.') return bytes_of(NULL, 0);
        lower[i] = is_letter ? (uint8_t)(c | 0x20) : c;
    }
    return bytes_of(lower, name.len);
}

/* ---- variables ------------------------------------------------------------------------------------------------------- */

static void set_user(struct finding_my *f, const struct ast_setting *s) {
    uint8_t lower[NAME_MAX_LEN];
    struct bytes name = plain_name(s->names, lower);
    struct bytes value = name.len ? constant_value(f, s->values, true) : bytes_of(NULL, 0);
    if (value.ptr) tell(f, SETTING_MY_USER, name, value, is_string(s->values));
    else f->effects |= EFFECT_MY_USER_VARS;
}

/* Only the server knows what comes of a computed value; of sql_mode it says so. */
static void set_plain(struct finding_my *f, const struct ast_setting *s, struct bytes name) {
    struct bytes value = system_value(f, s->values);
    bool is_odd = f->options->flavour == SQL_FLAVOUR_MYSQL && variable_my_has_odd_default(name) && bytes_is(value, "DEFAULT");
    if (is_odd || f->is_for_statement || (!value.ptr && !bytes_is(name, "sql_mode"))) f->effects |= EFFECT_MY_FIXED;
    else tell(f, SETTING_MY_VARIABLE, name, value, value.ptr && is_string(s->values));
}

static void set_isolation(struct finding_my *f, const struct ast_setting *s, struct bytes name) {
    bool is_read_only = bytes_is(name, "tx_read_only") || bytes_is(name, "transaction_read_only");
    if (s->node.op == SCOPE_SYSTEM) f->effects |= EFFECT_MY_NEXT;
    else set_plain(f, s, variable_my_isolation_name(is_read_only, f->options));
}

static void set_system(struct finding_my *f, const struct ast_setting *s) {
    uint8_t lower[NAME_MAX_LEN];
    struct bytes name = plain_name(s->names, lower);
    switch (variable_my_find(name)) {
    case VARIABLE_MY_PLAIN: set_plain(f, s, name); return;
    case VARIABLE_MY_ISOLATION: set_isolation(f, s, name); return;
    case VARIABLE_MY_NEXT: f->effects |= EFFECT_MY_FIXED; return; /* until something takes it, which no answer tells */
    case VARIABLE_MY_INSERT_ID: f->effects |= EFFECT_MY_INSERT_ID; return;
    case VARIABLE_MY_UNKNOWN: break;
    }
    bool is_off = bytes_is(name, "sql_auto_is_null") && s->values && bytes_is(system_value(f, s->values), "0");
    if (is_off) set_plain(f, s, name);
    else f->effects |= EFFECT_MY_FIXED;
}

/* ---- NAMES and others ------------------------------------------------------------------------------------------------ */

/* charset | 'charset' | DEFAULT: DEFAULT stays, the others become strings */
static bool put_charset(struct finding_my *f, struct value_text *v, const struct ast *node) {
    uint8_t lower[NAME_MAX_LEN];
    struct bytes name = bytes_of(NULL, 0);
    if (!node) return false;
    if (node->kind == AST_DEFAULT) {
        value_put_text(v, bytes_str("DEFAULT"));
        return true;
    }
    if (node->kind == AST_NAME) name = quoted(f, plain_name(node, lower), 0, false, false);
    else if (node->kind == AST_LITERAL && node->op == LITERAL_STRING) name = string_value(f, node, false);
    value_put_text(v, name);
    return name.len > 2;
}

/* NAMES { charset | DEFAULT } [ COLLATE name ] */
static void set_names(struct finding_my *f, const struct ast_setting *s) {
    struct value_text v = value_start(f, s->node.end - s->node.start + sizeof "''''");
    const struct ast *collate = s->values->next;
    bool is_known = put_charset(f, &v, s->values);
    if (collate) {
        const struct ast *name = collate->kind == AST_OPTION ? AST_AS(option, OPTION, collate)->values : NULL;
        value_put_text(&v, bytes_str(" COLLATE "));
        is_known = is_known && put_charset(f, &v, name);
    }
    struct bytes value = value_end(&v);
    if (is_known && value.ptr && !f->is_for_statement) tell(f, SETTING_MY_NAMES, bytes_of(NULL, 0), value, false);
    else f->effects |= EFFECT_MY_FIXED;
}

/* What is no variable has words for a name that no variable has. False: it is one. */
static bool set_other(struct finding_my *f, const struct ast_setting *s) {
    static const char *const of_users[] = {"password", "default role"};
    if (s->node.op != SCOPE_NONE || !s->names || s->names->next || s->names->kind != AST_NAME) return false;
    struct bytes name = AST_AS(name, NAME, s->names)->text;
    if (s->names->flags & AST_NAME_QUOTED) return false;
    for (size_t i = 0; i < COUNT_OF(of_users); i++)
        if (bytes_is(name, of_users[i])) return true;
    if (bytes_is(name, "names") && s->values) set_names(f, s);
    else if (bytes_is(name, "character set")) f->effects |= EFFECT_MY_FIXED | EFFECT_MY_ASKS_COLLATION;
    else if (bytes_is(name, "names") || bytes_is(name, "role")) f->effects |= EFFECT_MY_FIXED;
    else return false;
    return true;
}

static void note_setting(struct finding_my *f, const struct ast_setting *s) {
    if (set_other(f, s)) return;
    effect_my_walk(f, s->values);
    switch ((enum ast_scope_op)s->node.op) {
    case SCOPE_USER: set_user(f, s); return;
    case SCOPE_NONE: case SCOPE_SESSION: case SCOPE_LOCAL: case SCOPE_SYSTEM: set_system(f, s); return;
    case SCOPE_GLOBAL: case SCOPE_PERSIST: case SCOPE_PERSIST_ONLY: return;
    case SCOPE_COUNT: break;
    }
    f->effects |= EFFECT_MY_FIXED;
}

/* ---- TRANSACTION ----------------------------------------------------------------------------------------------------- */

/* 'READ-COMMITTED' of read committed */
static void tell_level(struct finding_my *f, const struct ast *level) {
    struct bytes words = level && level->kind == AST_NAME ? AST_AS(name, NAME, level)->text : bytes_of(NULL, 0);
    struct value_text v = value_start(f, words.len + 2);
    value_put(&v, '\'');
    for (size_t i = 0; i < words.len; i++) value_put(&v, words.ptr[i] == ' ' ? '-' : (uint8_t)(words.ptr[i] & ~0x20));
    value_put(&v, '\'');
    struct bytes value = value_end(&v);
    if (value.ptr && words.len) tell(f, SETTING_MY_VARIABLE, variable_my_isolation_name(false, f->options), value, false);
    else f->effects |= EFFECT_MY_FIXED;
}

/* [ GLOBAL | SESSION | LOCAL ] TRANSACTION { level | mode } ... */
static void set_transaction(struct finding_my *f, const struct ast_command *c) {
    uint32_t access = c->node.flags & (AST_COMMAND_READ_ONLY | AST_COMMAND_READ_WRITE);
    if (c->node.flags & AST_COMMAND_GLOBAL) return;
    if (!(c->node.flags & (AST_COMMAND_SESSION | AST_COMMAND_LOCAL))) {
        f->effects |= EFFECT_MY_NEXT;
        return;
    }
    if (f->is_for_statement) {
        f->effects |= EFFECT_MY_FIXED;
        return;
    }
    for (const struct ast *o = c->options; o; o = o->next)
        tell_level(f, o->kind == AST_OPTION ? AST_AS(option, OPTION, o)->values : NULL);
    if (!access) return;
    struct bytes value = access & AST_COMMAND_READ_ONLY ? bytes_str("'ON'") : bytes_str("'OFF'");
    tell(f, SETTING_MY_VARIABLE, variable_my_isolation_name(true, f->options), value, false);
}

/* ---- SET ------------------------------------------------------------------------------------------------------------- */

/* STATEMENT settings FOR statement: the settings are put back, what their values do is not. */
static void set_for_statement(struct finding_my *f, const struct ast_command *c) {
    bool was = f->is_for_statement;
    for (const struct ast *s = c->args; s; s = s->next)
        if (s->kind == AST_SETTING) effect_my_walk(f, AST_AS(setting, SETTING, s)->values);
    f->is_for_statement = true;
    effect_my_walk(f, c->query);
    f->is_for_statement = was;
}

void effect_my_note_set(struct finding_my *f, const struct ast_command *c) {
    if (c->object == SQL_OBJECT_STATEMENT) {
        f->effects |= EFFECT_MY_PUTS_BACK;
        set_for_statement(f, c);
    } else if (c->object == SQL_OBJECT_TRANSACTION) {
        set_transaction(f, c);
    } else if (c->object == SQL_OBJECT_RESOURCE) {
        f->effects |= EFFECT_MY_FIXED;
    } else {
        for (const struct ast *s = c->args; s; s = s->next) {
            if (s->kind == AST_SETTING) note_setting(f, AST_AS(setting, SETTING, s));
            else f->effects |= EFFECT_MY_UNREAD;
        }
    }
}
