/*
 *      first column    then
 *      function        schema; name; steady or volatile: all functions of that name together, those in SQL as their bodies are
 *      body            schema; name of a function; sql or plpgsql, a space, and the text: its body, its parameters' defaults
 *      relation        schema; name; table, view, sequence, foreign or unlogged: of itself, or of a part of it
 *      code            schema; name of a relation; sql, a space, and a query that reading it runs
 *      everywhere      nothing; nothing; sql, a space, and a query that calls what any expression may run
 *      row             nothing; name; nothing: a function of one row, which may be read as a column
 */
#include "routing/known_pg_own.h"

#include "base/fault.h"
#include "routing/read_pg.h"

/* ---- the query ------------------------------------------------------------------------------------------------------- */

/*
 * With nothing else in the path each name in a definition has its schema. To print one the server locks what is in it, and who
 * changes a table for long is not waited for.
 */
#define IN_ONE_MOMENT \
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;" \
    "SET LOCAL client_encoding = 'UTF8';" \
    "SET LOCAL lock_timeout = '1s';" \
    "SET LOCAL search_path = pg_catalog, pg_temp;" \
    "SET LOCAL statement_timeout = '60s';" \
    "SET LOCAL jit = off;" \
    "SET LOCAL standard_conforming_strings = on;"

#define PARTS \
    "(a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)"

/*
 * Of functions in SQL the body says it, whatever they are marked as; of aggregates, which are all marked as immutable, what
 * they are made of. Some in C that are marked as stable run SQL that they are given. Triggers are called by nobody.
 */
#define RUNS_TEXT "(l.lanname = 'c' AND p.probin ~ '(tablefunc|pgxml)$' AND p.proname ~ '^(crosstab|connectby|xpath_table)')"
#define FUNCTIONS_BEGIN \
    "SELECT 'function', n.nspname, p.proname, CASE WHEN bool_or(p.prokind = 'p' OR (p.provolatile = 'v' AND l.lanname <> 'sql')" \
    " OR " RUNS_TEXT ") THEN 'volatile' ELSE 'steady' END FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace" \
    " JOIN pg_language AS l ON l.oid = p.prolang" \
    " WHERE p.prorettype <> 'trigger'::regtype AND (p.oid >= 16384 OR n.nspname = 'information_schema'" /* (*) */
#define FUNCTIONS_END ") GROUP BY n.nspname, p.proname;"
/* Of the server's own those that are not known here, if they need nothing but their arguments. */
#define NEW_FUNCTIONS " OR (n.nspname = 'pg_catalog' AND p.provolatile = 'i')"

#define SHORT(text) "CASE WHEN octet_length(" text ") <= 262144 THEN " text " END"

#define BODIES_BEGIN \
    "SELECT 'body', n.nspname, p.proname, concat(l.lanname, ' ', " /* the body */
#define BODIES_END \
    ") FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace" \
    " JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')" \
    " WHERE p.oid >= 16384 AND (p.provolatile <> 'v' OR l.lanname = 'sql') AND p.prokind IN ('f', 'w')" \
    " AND p.prorettype <> 'trigger'::regtype ORDER BY p.oid;" \
    "SELECT 'body', n.nspname, p.proname, 'sql SELECT ' || " SHORT("pg_get_expr(p.proargdefaults, 0)") " FROM pg_proc AS p" \
    " JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.oid >= 16384 AND p.proargdefaults IS NOT NULL;" \
    "SELECT 'body', n.nspname, p.proname, 'sql SELECT ' || string_agg(s.oid::regproc || '()', ', ') FROM pg_aggregate AS a" \
    " JOIN pg_proc AS s ON s.oid IN " PARTS " AND s.oid >= 16384 JOIN pg_proc AS p ON p.oid = a.aggfnoid" \
    " JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.oid >= 16384 GROUP BY p.oid, n.nspname, p.proname;"

#define WORD_OF(c) \
    "CASE WHEN " c ".relkind = 'S' THEN 'sequence' WHEN " c ".relkind = 'f' THEN 'foreign' WHEN " c ".relkind = 'v' THEN 'view'" \
    " WHEN " c ".relpersistence = 'u' THEN 'unlogged' ELSE 'table' END"

/* Who reads a table reads its partitions and children. Temporary relations are their sessions'. */
#define RELATIONS \
    "SELECT 'relation', n.nspname, c.relname, " WORD_OF("c") " FROM pg_class AS c" \
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace" \
    " WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't';" \
    "WITH RECURSIVE part(parent, child) AS (SELECT inhparent, inhrelid FROM pg_inherits" \
    " UNION SELECT part.parent, i.inhrelid FROM part JOIN pg_inherits AS i ON i.inhparent = part.child)" \
    " SELECT DISTINCT 'relation', n.nspname, p.relname, " WORD_OF("c") " FROM part JOIN pg_class AS p ON p.oid = part.parent" \
    " JOIN pg_namespace AS n ON n.oid = p.relnamespace JOIN pg_class AS c ON c.oid = part.child" \
    " WHERE p.relkind IN ('r', 'p', 'f') AND p.relpersistence <> 't' AND c.relpersistence <> 't'" \
    " AND (c.relkind = 'f' OR c.relpersistence = 'u');"

/* A policy may be anybody's: all of them count. */
#define CODES \
    "SELECT 'code', n.nspname, c.relname, 'sql ' || " SHORT("pg_get_viewdef(c.oid)") " FROM pg_class AS c" \
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid >= 16384 AND c.relkind = 'v' AND c.relpersistence <> 't'" \
    " ORDER BY c.oid;" \
    "SELECT 'code', n.nspname, c.relname, 'sql SELECT ' || " SHORT("pg_get_expr(o.polqual, o.polrelid)") " FROM pg_policy AS o" \
    " JOIN pg_class AS c ON c.oid = o.polrelid AND c.relrowsecurity JOIN pg_namespace AS n ON n.oid = c.relnamespace" \
    " WHERE o.polqual IS NOT NULL AND o.polcmd IN ('r', '*') AND c.relpersistence <> 't';"

/* Those in C are what types are made of, and no SQL. */
#define EVERYWHERE \
    "SELECT 'everywhere', '', '', 'sql SELECT ' || string_agg(p.oid::regproc || '()', ', ') FROM pg_proc AS p" \
    " JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal') WHERE p.oid >= 16384 AND (" \
    "p.oid IN (SELECT oprcode FROM pg_operator UNION ALL SELECT castfunc FROM pg_cast UNION ALL SELECT amproc FROM pg_amproc" \
    " UNION ALL SELECT rngsubdiff FROM pg_range UNION ALL SELECT rngcanonical FROM pg_range" \
    " UNION ALL SELECT m.number[1]::oid FROM (SELECT conbin::text FROM pg_constraint WHERE contypid >= 16384) AS d(tree)," \
    " LATERAL regexp_matches(tree, ':(?:funcid|opfuncid) ([0-9]+)', 'g') AS m(number))" \
    ") HAVING count(*) > 0;" \
    "SELECT DISTINCT 'row', '', p.proname, '' FROM pg_proc AS p WHERE p.oid >= 16384 AND p.pronargs = 1" \
    " AND p.prorettype <> 'trigger'::regtype AND (SELECT t.typtype FROM pg_type AS t WHERE t.oid = p.proargtypes[0]) IN ('c', 'p');"

void known_pg_put_query(struct writer *w, uint32_t version) {
    writer_str(w, IN_ONE_MOMENT FUNCTIONS_BEGIN);
    if (version >= 160000) writer_str(w, NEW_FUNCTIONS);
    writer_str(w, FUNCTIONS_END BODIES_BEGIN);
    writer_str(w, version >= 140000 ? SHORT("coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)") : SHORT("p.prosrc"));
    writer_str(w, BODIES_END RELATIONS CODES EVERYWHERE "COMMIT");
}

/* ---- what is kept ---------------------------------------------------------------------------------------------------- */

enum { KEY_MAX = 65 };

static struct bytes key_of(uint8_t *storage, bool is_function, struct bytes name) {
    size_t len = name.len < KEY_MAX ? name.len : KEY_MAX - 1; /* the server cuts names to 63 bytes */
    storage[0] = is_function ? 'f' : 'r';
    if (len) memcpy(storage + 1, name.ptr, len);
    return bytes_of(storage, len + 1);
}

struct known_pg_thing *known_pg_find(const struct known_pg *f, bool is_function, struct bytes name) {
    uint8_t storage[KEY_MAX];
    return map_get(&f->by_name, key_of(storage, is_function, name));
}

static struct bytes copy_of(struct known_pg *f, struct bytes text) {
    char *copy = arena_strdup(&f->arena, text);
    return bytes_of(copy, copy ? text.len : 0);
}

static struct known_pg_thing *find_in(const struct known_pg *f, bool is_function, struct bytes schema, struct bytes name) {
    struct known_pg_thing *t = known_pg_find(f, is_function, name);
    while (t && !bytes_equal(t->schema, schema)) t = t->same_name;
    return t;
}

/* Found or made. NULL: memory is out. */
static struct known_pg_thing *thing_of(struct known_pg *f, bool is_function, struct bytes schema, struct bytes name) {
    uint8_t storage[KEY_MAX];
    struct known_pg_thing *t = find_in(f, is_function, schema, name);
    if (t) return t;
    t = arena_alloc(&f->arena, sizeof *t);
    if (!t) return NULL;
    *t = (struct known_pg_thing){.is_function = is_function, .schema = copy_of(f, schema), .name = copy_of(f, name)};
    t->same_name = known_pg_find(f, is_function, name);
    if (f->arena.failed || !map_put(&f->by_name, key_of(storage, is_function, name), t)) return NULL;
    *f->end = t;
    f->end = &t->next;
    return t;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static bool take_function(struct known_pg *f, const struct bytes row[]) {
    bool is_own = bytes_is(row[1], "pg_catalog");
    if (is_own && read_pg_function(row[2]) != READ_UNKNOWN) return true;
    struct known_pg_thing *t = thing_of(f, true, row[1], row[2]);
    if (!t) return false;
    uint8_t kind = bytes_is(row[3], "steady") ? CLASSIFY_FUNCTION_STEADY : CLASSIFY_FUNCTION_VOLATILE;
    if (kind > t->kind) t->kind = kind;
    return true;
}

static bool take_relation(struct known_pg *f, const struct bytes row[]) {
    static const struct {
        const char *word;
        enum classify_relation_kind kind;
    } words[] = {{"table", CLASSIFY_RELATION_TABLE}, {"view", CLASSIFY_RELATION_VIEW}, {"sequence", CLASSIFY_RELATION_SEQUENCE},
                 {"foreign", CLASSIFY_RELATION_FOREIGN}, {"unlogged", CLASSIFY_RELATION_UNLOGGED}};
    uint8_t kind = CLASSIFY_RELATION_UNKNOWN;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (bytes_is(row[3], words[i].word)) kind = (uint8_t)words[i].kind;
    struct known_pg_thing *t = thing_of(f, false, row[1], row[2]);
    if (t && kind > t->kind) t->kind = kind;
    return t;
}

static bool take_code(struct known_pg *f, struct known_pg_thing *t, struct bytes rest) {
    struct known_pg_code *code = t ? arena_alloc(&f->arena, sizeof *code) : NULL;
    if (!code) return false;
    const uint8_t *space = rest.len ? memchr(rest.ptr, ' ', rest.len) : NULL;
    size_t len = space ? (size_t)(space - rest.ptr) : rest.len;
    code->is_plpgsql = bytes_is(bytes_of(rest.ptr, len), "plpgsql");
    /* concat() writes nothing for what is left out as too long. */
    if (space && len + 1 < rest.len) code->text = copy_of(f, bytes_of(space + 1, rest.len - len - 1));
    code->next = t->codes;
    t->codes = code;
    return !f->arena.failed;
}

bool known_pg_take(struct known_pg *f, const struct bytes row[KNOWN_PG_COLUMNS]) {
    static const uint8_t is_there;
    if (bytes_is(row[0], "function")) return take_function(f, row);
    if (bytes_is(row[0], "relation")) return take_relation(f, row);
    if (bytes_is(row[0], "body")) return take_code(f, thing_of(f, true, row[1], row[2]), row[3]);
    if (bytes_is(row[0], "code")) return take_code(f, thing_of(f, false, row[1], row[2]), row[3]);
    if (bytes_is(row[0], "everywhere")) return take_code(f, &f->everywhere, row[3]);
    if (bytes_is(row[0], "row")) return map_put(&f->of_rows, row[2], (void *)(uintptr_t)&is_there);
    return false;
}

/* ---- answers --------------------------------------------------------------------------------------------------------- */

static bool is_meant(const struct known_pg_thing *t, struct bytes schema) {
    return !schema.len || bytes_equal(t->schema, schema);
}

static struct classify_function of_function(void *ctx, struct bytes schema, struct bytes name) {
    struct classify_function worst = {.kind = CLASSIFY_FUNCTION_NONE};
    for (const struct known_pg_thing *t = known_pg_find(ctx, true, name); t; t = t->same_name) {
        if (!is_meant(t, schema)) continue;
        unsigned kind = t->is_unsafe && t->kind < CLASSIFY_FUNCTION_UNSAFE ? CLASSIFY_FUNCTION_UNSAFE : t->kind;
        if (kind == CLASSIFY_FUNCTION_NONE) kind = CLASSIFY_FUNCTION_UNKNOWN; /* only its body has come */
        if (kind > worst.kind) worst = (struct classify_function){.kind = (enum classify_function_kind)kind, .because = t->because};
    }
    return worst;
}

static struct classify_relation of_relation(void *ctx, struct bytes schema, struct bytes name) {
    struct classify_relation worst = {.kind = CLASSIFY_RELATION_NONE};
    uint8_t copies = 0xff;
    for (const struct known_pg_thing *t = known_pg_find(ctx, false, name); t; t = t->same_name) {
        if (!is_meant(t, schema)) continue;
        unsigned kind = t->is_unsafe && t->kind < CLASSIFY_RELATION_UNSAFE ? CLASSIFY_RELATION_UNSAFE : t->kind;
        if (kind == CLASSIFY_RELATION_NONE) kind = CLASSIFY_RELATION_UNKNOWN;
        copies &= t->copies;
        if (kind > worst.kind) worst = (struct classify_relation){.kind = (enum classify_relation_kind)kind, .because = t->because};
    }
    worst.copies = worst.kind == CLASSIFY_RELATION_TABLE ? copies : 0;
    return worst;
}

static bool is_unsafe_column(void *ctx, struct bytes name) {
    const struct known_pg *f = ctx;
    return map_get(&f->of_rows, name) && of_function(ctx, bytes_of(NULL, 0), name).kind > CLASSIFY_FUNCTION_STEADY;
}

void known_pg_note_copy(struct known_pg *f, struct bytes schema, struct bytes table, uint8_t number) {
    struct known_pg_thing *t = find_in(f, false, schema, table);
    if (t) t->copies |= (uint8_t)(1u << number);
}

struct known_pg *known_pg_new(void) {
    struct known_pg *f = mem_alloc(sizeof *f);
    if (!f) return NULL;
    arena_init(&f->arena, KNOWN_PG_MEMORY_MAX);
    map_init(&f->by_name);
    map_init(&f->of_rows);
    f->end = &f->first;
    f->facts = (struct classify_facts){.of_function = of_function, .of_relation = of_relation,
                                       .is_unsafe_column = is_unsafe_column, .is_everything_safe = true, .ctx = f};
    return f;
}

void known_pg_free(struct known_pg *f) {
    if (!f) return;
    map_release(&f->by_name);
    map_release(&f->of_rows);
    arena_release(&f->arena);
    mem_free(f);
}

const struct classify_facts *known_pg_facts(const struct known_pg *f) {
    return &f->facts;
}
