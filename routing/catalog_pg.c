/*
 *      first column    then
 *      digest          the text
 *      function        its number; its name; language, in C followed by the library
 *      aggregate       its number; nothing; the functions that it runs
 *      read, write     a relation's number; its name; what that runs: f1 function, r2 a relation read, w3 one written
 *      everywhere      nothing; nothing; functions
 *      do              there is PL/pgSQL, and the user may use it
 *      body            a function's number; language, and when its first parameter is text a space and its name; text
 *
 * Numbers below 16384 are the server's own objects: of those, functions that leave nothing are left out.
 */
#include "routing/catalog_pg.h"

#include "routing/body_pg.h"
#include "routing/function_pg.h"

/* ---- the queries ----------------------------------------------------------------------------------------------------- */

/* To compile such a query takes the server longer than to run it. */
#define IN_ONE_MOMENT \
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;" \
    "SET LOCAL search_path = pg_catalog, pg_temp;" \
    "SET LOCAL statement_timeout = '60s';" \
    "SET LOCAL jit = off;"

/* A name that another client's encoding would write with other bytes is none; in bodies such a character is one of no name. */
#define ODD "'[^' || chr(1) || '-' || chr(126) || ']'"
#define PLAIN(name) "CASE WHEN " name " ~ (" ODD ") THEN '' ELSE " name " END"

#define SUM_OF(rows) "(SELECT concat(count(*), '/', sum(hashtext(o::text || ' ' || x::text))) FROM (" rows ") AS t(o, x))"

/*
 * All that either this or known_pg.h reads changes with one of these. Definitions are printed with the names that things have now;
 * what ALTER does to the server's own functions is not looked for.
 */
#define DIGEST \
    "SELECT 'digest', concat_ws(' '" \
    ", " SUM_OF("SELECT oid, xmin FROM pg_proc WHERE oid >= 16384") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_rewrite WHERE oid >= 16384") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_attrdef") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_constraint WHERE oid >= 16384 AND contype IN ('c', 'f')") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_trigger WHERE NOT tgisinternal") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_policy") \
    ", " SUM_OF("SELECT indexrelid, xmin FROM pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL") \
    ", " SUM_OF("SELECT inhrelid, xmin FROM pg_inherits") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_operator WHERE oid >= 16384") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_cast WHERE oid >= 16384") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_amproc WHERE oid >= 16384") \
    ", " SUM_OF("SELECT rngtypid, xmin FROM pg_range WHERE rngtypid >= 16384") \
    ", " SUM_OF("SELECT oid, nspname FROM pg_namespace WHERE oid = 2200 OR (oid >= 16384 AND left(nspname, 3) <> 'pg_')") \
    ", " SUM_OF("SELECT oid, xmin FROM pg_language") \
    ", " SUM_OF("SELECT oid, concat_ws(' ', relname, relnamespace, relkind, relpersistence) FROM pg_class" \
             " WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND relpersistence <> 't'") \
    "), '', '';"

#define DO \
    "SELECT 'do', '', '', '' FROM pg_language WHERE lanname = 'plpgsql' AND has_language_privilege(oid, 'USAGE');"

#define FUNCTIONS \
    "SELECT 'function', p.oid, " PLAIN("p.proname") ", concat(l.lanname, ' ', CASE l.lanname WHEN 'c' THEN p.probin END)" \
    " FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.oid >= 16384 AND p.prokind <> 'a'" \
    " UNION ALL SELECT 'function', p.oid, " PLAIN("p.proname") ", 'aggregate' FROM pg_proc AS p" \
    " WHERE p.oid >= 16384 AND p.prokind = 'a';" \
    "SELECT 'aggregate', a.aggfnoid::oid, '', concat_ws(' ', 'f' || a.aggtransfn::oid, 'f' || a.aggfinalfn::oid," \
    " 'f' || a.aggcombinefn::oid, 'f' || a.aggserialfn::oid, 'f' || a.aggdeserialfn::oid, 'f' || a.aggmtransfn::oid," \
    " 'f' || a.aggminvtransfn::oid, 'f' || a.aggmfinalfn::oid) FROM pg_aggregate AS a WHERE a.aggfnoid >= 16384;"

/*
 * The trees, for each relation whose reading or writing runs them. A view that is written writes what it shows. Since version 18 a
 * column may be computed when it is read.
 */
#define CODE_BEGIN \
    "WITH code(rel, op, tree) AS (" \
    "SELECT ev_class, CASE ev_type WHEN '1' THEN 'read' ELSE 'write' END, concat(ev_qual, ev_action) FROM pg_rewrite" \
    " WHERE ev_class >= 16384" \
    " UNION ALL SELECT ev_class, 'write', concat(ev_qual, ev_action) FROM pg_rewrite WHERE ev_class >= 16384 AND ev_type = '1'" \
    " UNION ALL SELECT d.adrelid, "
#define ALWAYS_WRITTEN "'write', d.adbin::text FROM pg_attrdef AS d"
#define READ_OR_WRITTEN \
    "CASE a.attgenerated WHEN 'v' THEN 'read' ELSE 'write' END, d.adbin::text FROM pg_attrdef AS d" \
    " JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
#define CODE_END \
    " UNION ALL SELECT conrelid, 'write', conbin::text FROM pg_constraint WHERE conrelid >= 16384 AND conbin IS NOT NULL" \
    " UNION ALL SELECT indrelid, 'write', concat(indexprs, indpred) FROM pg_index WHERE indrelid >= 16384" \
    " AND (indexprs IS NOT NULL OR indpred IS NOT NULL)" \
    " UNION ALL SELECT tgrelid, 'write', tgqual::text FROM pg_trigger WHERE tgqual IS NOT NULL" \
    " UNION ALL SELECT polrelid, op, concat(polqual, polwithcheck) FROM pg_policy, (VALUES ('read'), ('write')) AS o(op))"

#define FUNCTION_NUMBERS "regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m(number)"

/*
 * Most trees are of the server's own functions, which leave nothing: those are passed over at a glance. At each (?) stand the
 * names of the server's own functions that are wanted, which the table knows.
 */
#define KINDS "funcid|opfuncid|aggfnoid|winfnoid|relid"
#define RELATIONS_BEGIN \
    CODE_END ", found(rel, op, kind, number) AS MATERIALIZED (SELECT DISTINCT rel, op, m.x[1], m.x[2]::oid FROM code," \
    " LATERAL regexp_matches(tree, ':(" KINDS ") ([0-9]+)', 'g') AS m(x) WHERE tree ~ (" \
    "SELECT concat(':(?:" KINDS ") (?:[0-9]{5,}|', string_agg(oid::text, '|'), ')[^0-9]') FROM pg_proc WHERE oid < 16384" \
    " AND proname IN (" /* (?) */
#define RELATIONS_MIDDLE \
    "))), ref(rel, op, ref) AS (" \
    "SELECT rel, op, CASE WHEN p.oid >= 16384 THEN 'f' || p.oid ELSE 'b' || p.proname END FROM found" \
    " JOIN pg_proc AS p ON p.oid = found.number WHERE found.kind <> 'relid' AND (p.oid >= 16384 OR p.proname IN (" /* (?) */
#define RELATIONS_END \
    "))" \
    " UNION SELECT rel, op, 'r' || number FROM found WHERE kind = 'relid'" \
    " UNION SELECT rel, op, 'w' || number FROM found WHERE kind = 'relid' AND op = 'write'" \
    " UNION SELECT rel, op, 'bpg_prepared_statement' FROM found WHERE kind = 'relid'" \
    " AND number = 'pg_prepared_statements'::regclass" \
    " UNION SELECT tgrelid, 'write', 'f' || tgfoid FROM pg_trigger WHERE NOT tgisinternal" \
    " UNION SELECT confrelid, 'write', 'w' || conrelid FROM pg_constraint WHERE contype = 'f'" \
    " AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))" \
    " UNION SELECT inhparent, o.op, o.sign || inhrelid FROM pg_inherits, (VALUES ('read', 'r'), ('write', 'w')) AS o(op, sign))" \
    " SELECT ref.op, c.oid, " PLAIN("c.relname") ", string_agg(ref.ref, ' ') FROM ref JOIN pg_class AS c ON c.oid = ref.rel" \
    " WHERE c.oid >= 16384 GROUP BY ref.op, c.oid, c.relname;"

/* What any expression may run. Those in C are what types are made of, and no SQL. A function of one row can be read as a column. */
#define EVERYWHERE \
    "SELECT 'everywhere', '', '', string_agg('f' || p.oid, ' ') FROM pg_proc AS p" \
    " JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal') WHERE p.oid >= 16384 AND (" \
    "p.oid IN (SELECT oprcode FROM pg_operator UNION ALL SELECT castfunc FROM pg_cast UNION ALL SELECT amproc FROM pg_amproc" \
    " UNION ALL SELECT rngsubdiff FROM pg_range UNION ALL SELECT rngcanonical FROM pg_range" \
    " UNION ALL SELECT m.number[1]::oid FROM (SELECT conbin::text FROM pg_constraint WHERE contypid >= 16384) AS d(tree)," \
    " LATERAL " FUNCTION_NUMBERS ")" \
    " OR (p.pronargs = 1 AND p.prorettype <> 2279 AND (SELECT t.typtype FROM pg_type AS t WHERE t.oid = p.proargtypes[0]) = 'c'));"

/* Since version 14 an SQL function may be kept as trees instead of a text. */
#define BODIES_BEGIN \
    "SELECT 'body', b.oid, b.language, CASE WHEN length(b.body) > 262144 THEN NULL WHEN b.body ~ (" ODD ")" \
    " THEN regexp_replace(b.body, " ODD ", chr(127), 'g') ELSE b.body END FROM (SELECT p.oid," \
    " concat(l.lanname, CASE WHEN p.proargtypes[0] IN (25, 1043) AND coalesce(p.proargmodes[1], 'i') = 'i'" \
    " AND coalesce(p.proargnames[1], '') ~ '^[a-z0-9_]*$' THEN ' ' || coalesce(p.proargnames[1], '') END) AS language, "
#define BODIES_END \
    " AS body FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')" \
    " WHERE p.oid >= 16384 AND p.prokind <> 'a') AS b;"

void catalog_pg_put_check(struct writer *w) {
    writer_str(w, IN_ONE_MOMENT DIGEST "COMMIT");
}

static void put_unclean_name(void *ctx, const char *name) {
    writer_fmt(ctx, ", '%s'", name);
}

void catalog_pg_put_query(struct writer *w, uint32_t version) {
    writer_str(w, IN_ONE_MOMENT DIGEST DO FUNCTIONS CODE_BEGIN);
    writer_str(w, version >= 180000 ? READ_OR_WRITTEN : ALWAYS_WRITTEN);
    writer_str(w, RELATIONS_BEGIN "''");
    function_pg_each_unclean(put_unclean_name, w);
    writer_str(w, RELATIONS_MIDDLE "''");
    function_pg_each_unclean(put_unclean_name, w);
    writer_str(w, RELATIONS_END EVERYWHERE BODIES_BEGIN);
    writer_str(w, version >= 140000 ? "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)" : "p.prosrc");
    writer_str(w, BODIES_END "COMMIT");
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* Libraries in C whose functions leave nothing in a session, as far as names tell; without version numbers behind a dash. */
static bool is_clean_library(struct bytes path) {
    static const char *const names[] = {
        "_int", "address_standardizer", "amcheck", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn",
        "earthdistance", "fuzzystrmatch", "hstore", "insert_username", "lo", "ltree", "moddatetime", "pageinspect",
        "pg_buffercache", "pg_freespacemap", "pg_stat_statements", "pg_visibility", "pgcrypto", "pgrowlocks", "pgstattuple",
        "plpgsql", "postgis", "postgis_raster", "postgis_topology", "seg", "sslinfo", "tsm_system_rows", "tsm_system_time",
        "unaccent", "uuid-ossp", "vector",
    };
    while (path.len && memchr(path.ptr, '/', path.len)) path = bytes_of(path.ptr + 1, path.len - 1);
    if (path.len > 3 && memcmp(path.ptr + path.len - 3, ".so", 3) == 0) path.len -= 3;
    uint8_t last = path.len > 2 && path.ptr[path.len - 2] == '-' ? path.ptr[path.len - 1] : 0;
    if (last >= '0' && last <= '9') path.len -= 2;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_is(path, names[i])) return true;
    return false;
}

/* Of a function, as its language lets it be judged; what has a body is judged when that comes. */
static unsigned effects_of_language(struct bytes language) {
    const unsigned anything = function_pg_effects(FUNCTION_UNKNOWN);
    if (bytes_is(language, "aggregate") || bytes_is(language, "sql ") || bytes_is(language, "plpgsql ")) return 0;
    if (language.len > 2 && memcmp(language.ptr, "c ", 2) == 0)
        return is_clean_library(bytes_of(language.ptr + 2, language.len - 2)) ? 0 : anything;
    return anything;
}

static void take_function(struct catalog *c, const struct bytes row[]) {
    uint32_t function = catalog_node(c, CATALOG_FUNCTION, row[1]);
    const struct effect_argument passed = {.is_parameter = true};
    catalog_calls(c, catalog_node(c, CATALOG_FUNCTION_NAME, row[2]), function, &passed);
    catalog_leaves(c, function, effects_of_language(row[3]));
}

/* f1 r2 w3 bset_config: what a node runs. */
static void take_list(struct catalog *c, uint32_t node, struct bytes list) {
    while (list.len) {
        const uint8_t *space = memchr(list.ptr, ' ', list.len);
        size_t len = space ? (size_t)(space - list.ptr) : list.len;
        struct bytes key = bytes_of(list.ptr + 1, len ? len - 1 : 0);
        switch (len ? list.ptr[0] : 0) {
        case 'f': catalog_runs(c, node, catalog_node(c, CATALOG_FUNCTION, key)); break;
        case 'r': catalog_runs(c, node, catalog_node(c, CATALOG_READ, key)); break;
        case 'w': catalog_runs(c, node, catalog_node(c, CATALOG_WRITE, key)); break;
        case 'b': catalog_leaves(c, node, function_pg_effects(function_pg_find(key))); break;
        default: break;
        }
        list = bytes_of(list.ptr + len + (space ? 1 : 0), list.len - len - (space ? 1 : 0));
    }
}

static void take_relation(struct catalog *c, const struct bytes row[], bool is_written) {
    uint32_t relation = catalog_node(c, is_written ? CATALOG_WRITE : CATALOG_READ, row[1]);
    catalog_runs(c, catalog_node(c, is_written ? CATALOG_WRITE_NAME : CATALOG_READ_NAME, row[2]), relation);
    take_list(c, relation, row[3]);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

/* While a body is read, names become edges: what they stand for may still change. */
struct body {
    struct catalog *catalog;
    uint32_t function;
};

static unsigned body_of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    struct body *b = ctx;
    uint32_t node = catalog_find(b->catalog, CATALOG_FUNCTION_NAME, name);
    catalog_calls(b->catalog, b->function, node, first);
    return node ? 0 : EFFECT_NO_SUCH;
}

static unsigned body_of_relation(void *ctx, struct bytes name, bool is_written) {
    struct body *b = ctx;
    catalog_runs(b->catalog, b->function, catalog_find(b->catalog, is_written ? CATALOG_WRITE_NAME : CATALOG_READ_NAME, name));
    return 0;
}

static void body_on_setting(void *ctx, struct bytes name) {
    struct body *b = ctx;
    if (!catalog_note_setting(b->catalog, name)) catalog_leaves(b->catalog, b->function, EFFECT_STAYS);
}

static void take_body(struct catalog *c, const struct bytes row[], struct arena *arena) {
    struct body body = {.catalog = c, .function = catalog_node(c, CATALOG_FUNCTION, row[1])};
    const uint8_t *space = row[2].len ? memchr(row[2].ptr, ' ', row[2].len) : NULL;
    struct bytes language = space ? bytes_of(row[2].ptr, (size_t)(space - row[2].ptr)) : row[2];
    const struct effect_names names = {
        .of_function = body_of_function, .of_relation = body_of_relation, .on_setting = body_on_setting,
        .has_parameter = space, .parameter = space ? bytes_of(space + 1, row[2].len - language.len - 1) : bytes_of("", 0),
        .ctx = &body};
    struct sql_options options = sql_options_default(SQL_POSTGRES);
    unsigned effects = function_pg_effects(FUNCTION_UNKNOWN);
    if (row[3].ptr && bytes_is(language, "plpgsql")) effects = body_pg_effects(row[3], &options, &names);
    else if (row[3].ptr) effects = body_pg_sql_effects(row[3], &options, arena, &names);
    catalog_leaves(c, body.function, effects & ~(unsigned)EFFECT_CATALOG);
}

bool catalog_pg_is_digest(const struct bytes row[CATALOG_PG_COLUMNS]) {
    return bytes_is(row[0], "digest");
}

bool catalog_pg_take(struct catalog *c, const struct bytes row[CATALOG_PG_COLUMNS], struct arena *arena) {
    if (bytes_is(row[0], "function")) take_function(c, row);
    else if (bytes_is(row[0], "aggregate")) take_list(c, catalog_node(c, CATALOG_FUNCTION, row[1]), row[3]);
    else if (bytes_is(row[0], "read")) take_relation(c, row, false);
    else if (bytes_is(row[0], "write")) take_relation(c, row, true);
    else if (bytes_is(row[0], "everywhere")) take_list(c, catalog_node(c, CATALOG_EVERYWHERE, bytes_of(NULL, 0)), row[3]);
    else if (bytes_is(row[0], "do")) catalog_note_do(c);
    else if (bytes_is(row[0], "body")) take_body(c, row, arena);
    else return catalog_pg_is_digest(row);
    return true;
}
