/*
 * parse_mysql_type.c - the types of MySQL and MariaDB: of columns and variables, and of CAST.
 *
 * A type is its name, what stands in its parentheses, and the words behind it that belong to it (UNSIGNED, a character
 * set). What a column has beyond its type (NOT NULL, DEFAULT ...) is the reader's of definitions. Which words may follow
 * which name was measured on MariaDB 10.11 and MySQL 9.7.
 */
#include "parser/parse_mysql.h"

/* What may follow a type's name. */
enum type_tail {
    TAIL_KNOWN = 1 << 0,       /* the name of a type at all */
    TAIL_LENGTH = 1 << 1,      /* (n) may follow */
    TAIL_LENGTH_MUST = 1 << 2, /* ... must */
    TAIL_SCALE = 1 << 3,       /* (n, d) may follow */
    TAIL_SIGN = 1 << 4,        /* SIGNED, UNSIGNED, ZEROFILL */
    TAIL_CHARSET = 1 << 5,     /* CHARACTER SET, ASCII, BINARY ..., COLLATE */
    TAIL_BINARY = 1 << 6,      /* BINARY, COLLATE: the character set is given by the name */
    TAIL_VALUES = 1 << 7,      /* ('a', 'b') must follow */
    TAIL_SPATIAL = 1 << 8,     /* MariaDB: (n) and REF_SYSTEM_ID=n */
    TAIL_NO_COLLATE = 1 << 9,  /* a character set, but no COLLATE */
    TAIL_COMPRESSED = 1 << 10, /* MariaDB: COMPRESSED */
};

static unsigned tail_of(uint16_t kind) {
    switch (kind) {
    case KW_TINYINT: case KW_SMALLINT: case KW_MEDIUMINT: case KW_MIDDLEINT: case KW_INT: case KW_INTEGER: case KW_BIGINT:
    case KW_INT1: case KW_INT2: case KW_INT3: case KW_INT4: case KW_INT8: case KW_YEAR: case KW_SQL_TSI_YEAR:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_SIGN;
    case KW_REAL: case KW_DOUBLE: case KW_FLOAT8:
        return TAIL_KNOWN | TAIL_SCALE | TAIL_SIGN;
    case KW_FLOAT: case KW_FLOAT4: case KW_DECIMAL: case KW_DEC: case KW_NUMERIC: case KW_FIXED: case KW_NUMBER:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_SCALE | TAIL_SIGN;
    case KW_BLOB:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_COMPRESSED;
    case KW_BIT: case KW_BINARY: case KW_TIME: case KW_TIMESTAMP: case KW_DATETIME: case KW_VECTOR:
        return TAIL_KNOWN | TAIL_LENGTH;
    case KW_BOOL: case KW_BOOLEAN: case KW_DATE: case KW_SERIAL: case KW_JSON:
        return TAIL_KNOWN;
    case KW_TINYBLOB: case KW_MEDIUMBLOB: case KW_LONGBLOB:
        return TAIL_KNOWN | TAIL_COMPRESSED;
    case KW_VARBINARY: case KW_RAW:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_LENGTH_MUST | TAIL_COMPRESSED;
    case KW_CHAR: case KW_CHARACTER:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_CHARSET;
    case KW_TEXT:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_CHARSET | TAIL_COMPRESSED;
    case KW_VARCHAR: case KW_VARCHARACTER: case KW_VARCHAR2:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_LENGTH_MUST | TAIL_CHARSET | TAIL_COMPRESSED;
    case KW_TINYTEXT: case KW_MEDIUMTEXT: case KW_LONGTEXT: case KW_LONG: case KW_CLOB:
        return TAIL_KNOWN | TAIL_CHARSET | TAIL_COMPRESSED;
    case KW_NCHAR: case KW_NATIONAL:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_BINARY;
    case KW_NVARCHAR:
        return TAIL_KNOWN | TAIL_LENGTH | TAIL_LENGTH_MUST | TAIL_BINARY | TAIL_COMPRESSED;
    case KW_ENUM: case KW_SET:
        return TAIL_KNOWN | TAIL_VALUES | TAIL_CHARSET;
    case KW_GEOMETRY: case KW_POINT: case KW_LINESTRING: case KW_POLYGON: case KW_MULTIPOINT: case KW_MULTILINESTRING:
    case KW_MULTIPOLYGON:
        return TAIL_KNOWN | TAIL_SPATIAL;
    default:
        return 0;
    }
}

/* What may follow the word at hand as a type's name; 0 when it is none that the grammar knows. */
static unsigned tail_at(const struct sql_reader *p) {
    uint16_t kind = p->tok.kind;
    bool is_oracle = kind == KW_NUMBER || kind == KW_VARCHAR2 || kind == KW_RAW || kind == KW_CLOB;
    if (is_oracle && !(p->options->modes & SQL_ORACLE)) return 0;
    if (!parse_at(p, TOKEN_IDENT)) return tail_of(kind);
    bool is_collection = parse_at_word(p, "geometrycollection") || parse_at_word(p, "geomcollection");
    return is_collection ? TAIL_KNOWN | TAIL_SPATIAL : 0;
}

/* ---- what follows a name ---------------------------------------------------------------------------------------------- */

/* number: an unsigned one */
static struct ast *parse_size(struct sql_reader *p) {
    if (!parse_at(p, TOKEN_INTEGER) && !parse_at(p, TOKEN_NUMBER)) parse_fail(p, "syntax error: expected a length");
    return parse_literal(p);
}

/* [ "(" number [ "," number ] ")" ] */
static struct ast *parse_opt_size(struct sql_reader *p, unsigned tail) {
    if (tail & TAIL_LENGTH_MUST && !parse_at(p, '(')) parse_fail(p, "syntax error: expected a length in parentheses");
    if (!(tail & (TAIL_LENGTH | TAIL_SCALE)) || !parse_accept(p, '(')) return NULL;
    struct parse_list sizes;
    parse_list_init(&sizes);
    parse_list_add(&sizes, parse_size(p));
    if (tail & TAIL_SCALE && (parse_at(p, ',') || !(tail & TAIL_LENGTH))) {
        parse_expect(p, ',');
        parse_list_add(&sizes, parse_size(p));
    }
    parse_expect(p, ')');
    return sizes.first;
}

/* value of ENUM and SET: 'a' | X'61' | 0x61 | B'01' | 0b01 */
static struct ast *parse_member(struct sql_reader *p) {
    switch (p->tok.kind) {
    case TOKEN_STRING: case TOKEN_HEX_STRING: case TOKEN_HEX_NUMBER: case TOKEN_BIT_STRING: case TOKEN_BIT_NUMBER:
        break;
    default:
        parse_fail(p, "syntax error: expected a string");
    }
    return parse_literal(p);
}

bool parse_mysql_accept_charset(struct sql_reader *p) {
    return parse_accept(p, KW_CHARSET) || parse_accept2(p, KW_CHARACTER, KW_SET) || parse_accept2(p, KW_CHAR, KW_SET);
}

static struct ast *parse_set_name(struct sql_reader *p) {
    bool may_default = p->is_mariadb || p->options->version < 80000;
    if (parse_at(p, KW_BINARY) || (may_default && parse_at(p, KW_DEFAULT))) return parse_name_of_token(p);
    return parse_name_or_string(p);
}

struct ast *parse_mysql_charset_name(struct sql_reader *p) {
    return parse_set_name(p);
}

struct ast *parse_mysql_collation_name(struct sql_reader *p) {
    return parse_set_name(p);
}

/* [ COMPRESSED [ "=" name ] ], of MariaDB */
static void parse_opt_compressed(struct sql_reader *p, unsigned tail, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (!p->is_mariadb || !(tail & TAIL_COMPRESSED) || !parse_accept(p, KW_COMPRESSED)) return;
    parse_list_add(options, parse_option(p, start, "compressed", parse_accept(p, '=') ? parse_name(p) : NULL));
}

/* One of: CHARACTER SET name | ASCII | UNICODE | BYTE | BINARY; NULL when it is none. */
static struct ast *parse_opt_charset_word(struct sql_reader *p, unsigned tail) {
    uint32_t start = p->tok.start;
    switch (p->tok.kind) {
    case KW_BINARY:
        return parse_word(p);
    case KW_ASCII: case KW_UNICODE: case KW_BYTE:
        return tail & TAIL_CHARSET ? parse_word(p) : NULL;
    default:
        if (!(tail & TAIL_CHARSET) || !parse_mysql_accept_charset(p)) return NULL;
        if (parse_at(p, KW_DEFAULT)) parse_fail(p, "syntax error: expected a character set");
        return parse_option(p, start, "character set", parse_mysql_charset_name(p));
    }
}

/* { charset-word } [ COLLATE name ] */
static void parse_charset_words(struct sql_reader *p, unsigned tail, struct parse_list *options) {
    struct ast *word;
    while ((word = parse_opt_charset_word(p, tail)) != NULL) parse_list_add(options, word);
    uint32_t start = p->tok.start;
    if (!(tail & TAIL_NO_COLLATE) && parse_accept(p, KW_COLLATE))
        parse_list_add(options, parse_option(p, start, "collate", parse_mysql_collation_name(p)));
}

/* { SIGNED | UNSIGNED | ZEROFILL }; MariaDB: at most UNSIGNED and ZEROFILL, each once */
static void parse_sign_words(struct sql_reader *p, struct parse_list *options) {
    uint16_t before = 0;
    while (parse_at(p, KW_SIGNED) || parse_at(p, KW_UNSIGNED) || parse_at(p, KW_ZEROFILL)) {
        bool is_again = before == p->tok.kind || before == KW_SIGNED || parse_at(p, KW_SIGNED) || (before && options->first->next);
        if (p->is_mariadb && before != 0 && is_again) parse_fail(p, "syntax error: SIGNED, UNSIGNED or ZEROFILL too much");
        before = p->tok.kind;
        parse_list_add(options, parse_word(p));
    }
}

/* [ REF_SYSTEM_ID "=" number ] */
static void parse_reference_system(struct sql_reader *p, struct parse_list *options) {
    uint32_t start = p->tok.start;
    if (!p->is_mariadb || !parse_accept(p, KW_REF_SYSTEM_ID)) return;
    parse_expect(p, '=');
    parse_list_add(options, parse_option(p, start, "ref_system_id", parse_size(p)));
}

/* What follows the type's name. */
static struct ast *parse_tail(struct sql_reader *p, struct ast_type *t, unsigned tail) {
    struct parse_list options;
    parse_list_init(&options);
    if (tail & TAIL_VALUES) t->modifiers = parse_paren_list(p, parse_member);
    else t->modifiers = parse_opt_size(p, tail & TAIL_SPATIAL && p->is_mariadb ? TAIL_LENGTH : tail);
    if (tail & TAIL_SIGN) parse_sign_words(p, &options);
    parse_opt_compressed(p, tail, &options);
    if (tail & (TAIL_CHARSET | TAIL_BINARY)) parse_charset_words(p, tail, &options);
    if (tail & TAIL_SPATIAL) parse_reference_system(p, &options);
    t->options = options.first;
    return parse_done(p, t);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

/* LONG [ VARBINARY | VARCHAR | VARCHARACTER | { CHAR | CHARACTER } VARYING ] */
static struct ast *parse_long_name(struct sql_reader *p, uint32_t start, unsigned *tail) {
    if (parse_accept(p, KW_VARBINARY)) {
        *tail = TAIL_KNOWN;
        return parse_name_static(p, start, "long varbinary");
    }
    if (parse_accept(p, KW_VARCHAR) || parse_accept(p, KW_VARCHARACTER) || parse_accept2(p, KW_CHAR, KW_VARYING) ||
        parse_accept2(p, KW_CHARACTER, KW_VARYING))
        return parse_name_static(p, start, "long varchar");
    return parse_name_static(p, start, "long");
}

/* NATIONAL { CHAR | CHARACTER } [ VARYING ] | NATIONAL { VARCHAR | VARCHARACTER } | NCHAR [ VARYING | VARCHAR | VARCHARACTER ] */
static struct ast *parse_national_name(struct sql_reader *p, uint32_t start, bool is_nchar, unsigned *tail) {
    bool is_varying = parse_accept(p, KW_VARCHAR) || parse_accept(p, KW_VARCHARACTER);
    if (!is_varying) {
        if (!is_nchar && !parse_accept(p, KW_CHAR)) parse_expect(p, KW_CHARACTER);
        is_varying = parse_accept(p, KW_VARYING);
    }
    if (!is_varying) return parse_name_static(p, start, "national char");
    *tail |= TAIL_LENGTH_MUST | TAIL_COMPRESSED;
    return parse_name_static(p, start, "national varchar");
}

/* The name of a type that is a word of the grammar: of one word or of several. */
static struct ast *parse_known_name(struct sql_reader *p, unsigned *tail) {
    uint32_t start = p->tok.start;
    uint16_t kind = p->tok.kind;
    struct ast *name = parse_name_of_token(p);
    switch (kind) {
    case KW_DOUBLE:
        return parse_accept(p, KW_PRECISION) ? parse_name_static(p, start, "double precision") : name;
    case KW_CHAR: case KW_CHARACTER:
        if (!parse_accept(p, KW_VARYING)) return name;
        *tail |= TAIL_LENGTH_MUST;
        return parse_name_static(p, start, "char varying");
    case KW_LONG:
        return parse_long_name(p, start, tail);
    case KW_NATIONAL: case KW_NCHAR:
        return parse_national_name(p, start, kind == KW_NCHAR, tail);
    default:
        return name;
    }
}

/* Words of the grammar of types that MariaDB takes for no plugin's type. */
static bool is_no_type(uint16_t kind) {
    switch (kind) {
    case KW_UNSIGNED: case KW_SIGNED: case KW_NUMBER: case KW_VARCHAR2: case KW_RAW: case KW_CLOB:
        return true;
    default:
        return false;
    }
}

/* MariaDB, a type of a plugin: word [ "." word ] [ "(" number [ "," number ] ")" ] [ REF_SYSTEM_ID "=" number ] */
static struct ast *parse_other_type(struct sql_reader *p, struct ast_type *t) {
    bool is_word = p->is_mariadb && !is_no_type(p->tok.kind);
    if (!is_word) parse_fail(p, "syntax error: expected a type");
    struct parse_list names;
    parse_list_init(&names);
    parse_list_add(&names, parse_label(p));
    if (parse_accept(p, '.')) parse_list_add(&names, parse_label(p));
    t->names = names.first;
    struct parse_list options;
    parse_list_init(&options);
    t->modifiers = parse_opt_size(p, TAIL_LENGTH | TAIL_SCALE);
    parse_reference_system(p, &options);
    t->options = options.first;
    return parse_done(p, t);
}

/* field of ROW (...): name type */
static struct ast *parse_row_field(struct sql_reader *p) {
    struct ast_column_def *d = PARSE_NODE(p, ast_column_def, COLUMN_DEF);
    d->name = parse_name(p);
    d->type = parse_mysql_type(p);
    return parse_done(p, d);
}

/*
 * MariaDB, in routines: TYPE OF column | ROW TYPE OF table | ROW "(" name type { "," name type } ")"; sql_mode=ORACLE:
 * column "%" TYPE | table "%" ROWTYPE. NULL when it is none of them.
 */
static struct ast *parse_opt_anchored_type(struct sql_reader *p) {
    if (!p->is_mariadb) return NULL;
    struct ast_type *t = PARSE_NODE(p, ast_type, TYPE);
    uint32_t start = p->tok.start;
    if (parse_accept2(p, KW_TYPE, KW_OF)) {
        t->node.flags |= AST_TYPE_PERCENT;
        t->names = parse_qualified_name(p);
        return parse_done(p, t);
    }
    if (!parse_at(p, KW_ROW)) return NULL;
    if (parse_accept3(p, KW_ROW, KW_TYPE, KW_OF)) {
        t->node.flags |= AST_TYPE_PERCENT;
        t->options = parse_option(p, start, "row", NULL);
        t->names = parse_qualified_name(p);
        return parse_done(p, t);
    }
    if (parse_peek(p, 1) != '(' || !parse_enter(p)) return NULL;
    t->names = parse_name_of_token(p);
    t->modifiers = parse_paren_list(p, parse_row_field);
    parse_leave(p);
    return parse_done(p, t);
}

/* column "%" TYPE | table "%" ROWTYPE, behind its names; NULL when no "%" follows them. */
static struct ast *parse_opt_percent_type(struct sql_reader *p) {
    if (!(p->options->modes & SQL_ORACLE) || !parse_at_name(p)) return NULL;
    unsigned n = 1;
    while (n + 2 < PARSE_AHEAD && parse_peek(p, n) == '.') n += 2;
    if (parse_peek(p, n) != '%') return NULL;
    struct ast_type *t = PARSE_NODE(p, ast_type, TYPE);
    t->node.flags |= AST_TYPE_PERCENT;
    t->names = parse_qualified_name(p);
    uint32_t start = p->tok.start;
    parse_expect(p, '%');
    if (parse_accept(p, KW_ROWTYPE)) t->options = parse_option(p, start, "row", NULL);
    else parse_expect(p, KW_TYPE);
    return parse_done(p, t);
}

/*
 * type: number [ "(" n [ "," d ] ")" ] { SIGNED | UNSIGNED | ZEROFILL }
 *     | text [ "(" n ")" ] { CHARACTER SET name | ASCII | UNICODE | BYTE | BINARY } [ COLLATE name ]
 *     | { ENUM | SET } "(" 'a' { "," 'b' } ")" { charset words }
 *     | time [ "(" n ")" ] | BLOB [ "(" n ")" ] | geometry [ REF_SYSTEM_ID "=" n ] | ...
 */
struct ast *parse_mysql_type(struct sql_reader *p) {
    struct ast *anchored = parse_opt_percent_type(p);
    if (!anchored) anchored = parse_opt_anchored_type(p);
    if (anchored) return anchored;
    struct ast_type *t = PARSE_NODE(p, ast_type, TYPE);
    unsigned tail = tail_at(p);
    if (tail == 0) return parse_other_type(p, t);
    t->names = parse_known_name(p, &tail);
    return parse_tail(p, t, tail);
}

/* ---- types of CAST ---------------------------------------------------------------------------------------------------- */

/* { SIGNED | UNSIGNED } [ INT | INTEGER ] */
static struct ast *parse_cast_integer(struct sql_reader *p, struct ast_type *t) {
    bool is_signed = parse_at(p, KW_SIGNED);
    uint32_t start = p->tok.start;
    parse_advance(p);
    if (!parse_accept(p, KW_INT)) parse_accept(p, KW_INTEGER);
    t->names = parse_name_static(p, start, is_signed ? "signed" : "unsigned");
    return parse_done(p, t);
}

/* MariaDB: INTERVAL DAY_SECOND "(" n ")" */
static struct ast *parse_cast_interval(struct sql_reader *p, struct ast_type *t) {
    t->names = parse_name_of_token(p);
    t->options = parse_interval_unit(p);
    parse_expect(p, '(');
    t->modifiers = parse_size(p);
    parse_expect(p, ')');
    return parse_done(p, t);
}

/* What may follow these names in CAST; 0 for types that are none there. The flavours differ: measured. */
static unsigned cast_tail_of(const struct sql_reader *p, uint16_t kind) {
    unsigned tail = tail_of(kind) & ~(unsigned)TAIL_SIGN;
    switch (kind) {
    case KW_BINARY: case KW_TIME: case KW_DATETIME: case KW_CHAR: case KW_CHARACTER: case KW_NCHAR: case KW_DECIMAL: case KW_DEC:
    case KW_DATE:
        return tail;
    case KW_DOUBLE:
        return p->is_mariadb ? tail : TAIL_KNOWN;
    case KW_FLOAT:
        return p->is_mariadb ? TAIL_KNOWN : TAIL_KNOWN | TAIL_LENGTH;
    case KW_VARCHAR: case KW_VARCHAR2:
        return p->is_mariadb ? tail : 0;
    case KW_INT: case KW_INTEGER:
        return p->is_mariadb ? TAIL_KNOWN : 0;
    case KW_NATIONAL:
        return p->is_mariadb ? 0 : tail;
    case KW_REAL: case KW_JSON: case KW_YEAR: case KW_SQL_TSI_YEAR:
        return p->is_mariadb ? 0 : TAIL_KNOWN;
    default:
        return 0;
    }
}

/*
 * cast-type: { SIGNED | UNSIGNED } [ INTEGER ] | BINARY [ "(" n ")" ] | CHAR [ "(" n ")" ] charset words | DATE
 *          | { TIME | DATETIME } [ "(" n ")" ] | DECIMAL [ "(" n [ "," d ] ")" ] | DOUBLE | FLOAT | REAL | JSON | YEAR
 *          | INTERVAL DAY_SECOND "(" n ")" | geometry | word [ "(" n ")" ]
 */
struct ast *parse_mysql_cast_type(struct sql_reader *p) {
    struct ast_type *t = PARSE_NODE(p, ast_type, TYPE);
    uint16_t kind = p->tok.kind;
    if (kind == KW_SIGNED || kind == KW_UNSIGNED) return parse_cast_integer(p, t);
    if (kind == KW_INTERVAL && p->is_mariadb && parse_peek(p, 1) == KW_DAY_SECOND) return parse_cast_interval(p, t);
    unsigned tail = tail_at(p);
    if (tail == 0 || (p->is_mariadb && kind == KW_VECTOR)) return parse_other_type(p, t);
    if (!(tail & TAIL_SPATIAL)) tail = cast_tail_of(p, kind);
    uint16_t next = parse_peek(p, 1);
    bool is_other = tail == 0 || next == KW_VARYING || (next == KW_PRECISION && p->is_mariadb) || kind == KW_GEOMETRY;
    if (is_other) parse_fail(p, "syntax error: this type is none to cast to");
    t->names = parse_known_name(p, &tail);
    return parse_tail(p, t, p->is_mariadb ? tail : tail | TAIL_NO_COLLATE);
}
