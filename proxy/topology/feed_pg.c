/*
 * Knows PostgreSQL's catalogs; sends nothing. Columns that not all versions have are asked for through to_jsonb(). Numbers below
 * 10000 are the same in every database of all servers; those from 16384 on are a database's own.
 */
#include "proxy/topology/feed_pg.h"

/* What decides how expressions are read, computed and shown. */
#define SETTINGS                                                                                                         \
    "'datestyle', 'intervalstyle', 'timezone', 'timezone_abbreviations', 'extra_float_digits', 'bytea_output', 'lc_monetary',"  \
    " 'lc_numeric', 'lc_time', 'array_nulls', 'xmlbinary', 'xmloption', 'transform_null_equals', 'standard_conforming_strings',"  \
    " 'backslash_quote', 'quote_all_identifiers', 'default_text_search_config'"

#define DIGEST_BEGIN "left(encode(sha256(convert_to(coalesce("
#define DIGEST_END ", ''), 'UTF8')), 'hex'), 32)"
#define DIGEST(text) DIGEST_BEGIN text DIGEST_END

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

#define IS_NO_ORDINARY                                                                                                   \
    "c.relkind <> 'r' OR c.relpersistence <> 'p' OR c.relispartition OR EXISTS (SELECT FROM pg_inherits AS i"              \
    " WHERE i.inhparent = c.oid) OR EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid)"

#define HAS_OWN_TYPES                                                                                                    \
    "EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"               \
    " AND (a.atttypid >= 10000 OR a.atttypid = 28 OR format_type(a.atttypid, NULL) ~ '^reg'))" /* age() of an xid counts from now */

#define GENERATES_BY_OWN                                                                                                 \
    "EXISTS (SELECT FROM pg_attribute AS a JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"          \
    " JOIN pg_depend AS u ON u.classid = 'pg_attrdef'::regclass AND u.objid = d.oid AND u.refobjid >= 16384"               \
    " AND u.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_collation'::regclass)"   \
    " WHERE a.attrelid = c.oid AND a.attgenerated <> '')"

/* What is called alike may sort otherwise: by its definition, or by another version of the library. */
#define COLLATION                                                                                                        \
    "co.collname, co.collprovider, co.collcollate, co.collctype, co.collisdeterministic, to_jsonb(co) ->> 'colliculocale'," \
    " to_jsonb(co) ->> 'colllocale', to_jsonb(co) ->> 'collicurules', co.collversion, pg_collation_actual_version(co.oid)"

#define COLUMNS                                                                                                          \
    DIGEST("(SELECT string_agg(concat_ws(' ', quote_ident(a.attname), a.atttypid, a.atttypmod, " COLLATION ","             \
           " a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum)"                                     \
           " FROM pg_attribute AS a LEFT JOIN pg_collation AS co ON co.oid = a.attcollation"                               \
           " LEFT JOIN pg_attrdef AS d ON a.attgenerated <> '' AND d.adrelid = a.attrelid AND d.adnum = a.attnum"          \
           " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)")

/* What rows from before a column was added have in it; NULL: no such rows are known, for the table was written anew since. */
#define MISSING                                                                                                          \
    "(SELECT jsonb_object_agg(a.attname, " DIGEST("a.attmissingval::text") ") FROM pg_attribute AS a"                      \
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atthasmissing)"

/* What is filled in for rows that come without it. */
#define FILLED                                                                                                           \
    "(SELECT jsonb_agg(a.attname) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"  \
    " AND ((a.atthasdef AND a.attgenerated = '') OR a.attidentity <> ''))"

/* Other than columns' definitions this tells of each change of one, such as one of a type to itself. */
#define CHANGES                                                                                                          \
    DIGEST("(SELECT string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum) FROM pg_attribute AS a"             \
           " WHERE a.attrelid = c.oid AND a.attnum > 0)")

static void put_tables(struct writer *w) {
    writer_str(w, "WITH want AS (SELECT w.n, w.name, split_part(w.name, '.', 1) AS nsp, split_part(w.name, '.', 2) AS rel"
                  " FROM unnest($1::text[]) WITH ORDINALITY AS w(name, n)),"
                  " it AS (SELECT want.*, c.oid, c.relfilenode, c.relnatts, c.relreplident,"
                  " NOT (" IS_NO_ORDINARY ") AS is_ordinary, CASE WHEN c.oid IS NULL THEN 'there is no table ' || want.name"
                  " WHEN " IS_NO_ORDINARY " THEN want.name || ' is no ordinary table'"
                  " WHEN c.relrowsecurity THEN want.name || ' has row security'"
                  " WHEN " HAS_OWN_TYPES " THEN 'a column of ' || want.name || ' has a type that is not the server''s own'"
                  " WHEN " GENERATES_BY_OWN
                  " THEN 'a generated column of ' || want.name || ' needs something of the database''s own' END AS problem, "
                  COLUMNS " AS digest, " MISSING " AS missing, " FILLED " AS filled, " CHANGES " AS changes"
                  " FROM want LEFT JOIN (pg_namespace AS ns JOIN pg_class AS c ON c.relnamespace = ns.oid)"
                  " ON ns.nspname = want.nsp AND c.relname = want.rel)");
}

/* ---- the server and the database ------------------------------------------------------------------------------------- */

#define IS_NAMESAKE                                                                                                      \
    "(p.proname = ANY ($2::text[]) OR EXISTS (SELECT FROM pg_proc AS o WHERE o.proname = p.proname AND o.oid < 16384))"

#define SETTINGS_HERE                                                                                                    \
    "(SELECT string_agg(s.name || '=' || current_setting(s.name), chr(1) ORDER BY s.name) FROM unnest(ARRAY[" SETTINGS "])" \
    " AS s(name))"

#define SETTINGS_OF_ROLES                                                                                                \
    "(SELECT string_agg(concat_ws(chr(1), r.rolname, s.setdatabase <> 0, one), chr(1) ORDER BY r.rolname,"                 \
    " s.setdatabase <> 0, one) FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole,"                 \
    " unnest(s.setconfig) AS one WHERE s.setdatabase IN (0, d.oid) AND lower(split_part(one, '=', 1)) IN (" SETTINGS "))"

/* Those about types of the database's own: whichever is meant, it is the same. */
#define NAMESAKES                                                                                                        \
    "(SELECT string_agg(concat_ws(' ', p.proname, oidvectortypes(p.proargtypes), p.prorettype::regtype, p.provolatile,"    \
    " p.provariadic::regtype, p.pronargdefaults, l.lanname, p.prosrc, p.probin, p.proconfig::text), chr(1)"                \
    " ORDER BY p.proname, oidvectortypes(p.proargtypes), p.prosrc) FROM pg_proc AS p JOIN pg_language AS l"                \
    " ON l.oid = p.prolang WHERE p.oid >= 16384 AND p.prorettype NOT IN (2279, 3838) AND " IS_NAMESAKE ")"

static void put_server(struct writer *w, uint32_t version) {
    writer_str(w, ", server AS (SELECT " DIGEST_BEGIN "concat_ws(' ', current_setting('server_version_num')::int / 10000,"
                  " pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, to_jsonb(d) ->> 'datlocprovider',"
                  " to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticurules',"
                  " to_jsonb(d) ->> 'datcollversion'");
    if (version >= 150000) writer_str(w, ", pg_database_collation_actual_version(d.oid)");
    writer_str(w, ")" DIGEST_END " AS locale, " DIGEST("concat_ws(chr(1), " SETTINGS_HERE ", " SETTINGS_OF_ROLES ")")
                  " AS settings, " DIGEST(NAMESAKES) " AS namesakes FROM pg_database AS d WHERE d.datname = current_database())");
}

#define OWN_FUNCTION                                                                                                     \
    "(SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.oid >= 16384 AND p.prorettype NOT IN (2279, 3838) AND"   \
    " ((NOT EXISTS (SELECT FROM unnest(p.proargtypes) AS a(t) JOIN pg_type AS t ON t.oid = a.t"                            \
    " WHERE a.t >= 16384 AND t.typtype <> 'c') AND " IS_NAMESAKE ")"                                                       \
    " OR (p.pronargs > 0 AND p.pronargs - p.pronargdefaults <= 1 AND EXISTS (SELECT FROM pg_type AS t"                      \
    " WHERE t.oid = p.proargtypes[0] AND (t.typtype = 'c' OR t.oid IN (2249, 2276, 2283, 2776, 5077, 5079)))))"     \
    " ORDER BY p.oid LIMIT 1)"

/* Anything of the database's own that a text could mean where it says a name or a symbol of the server's. */
static void put_own_code(struct writer *w) {
    writer_str(w, ", own(problem) AS (SELECT coalesce("
                  "(SELECT 'there are operators between the server''s own types: ' || o.oid::regoperator FROM pg_operator AS o"
                  " WHERE o.oid >= 16384 AND o.oprleft < 16384 AND o.oprright < 16384 ORDER BY o.oid LIMIT 1),"
                  " (SELECT 'there are casts between the server''s own types: from ' || c.castsource::regtype FROM pg_cast AS c"
                  " WHERE c.oid >= 16384 AND c.castsource < 16384 AND c.casttarget < 16384 ORDER BY c.oid LIMIT 1),"
                  " 'there are functions with names of the server''s own, or of rows: ' || " OWN_FUNCTION ","
                  " (SELECT 'there are types with names of the server''s own: ' || t.oid::regtype FROM pg_type AS t"
                  " WHERE t.oid >= 16384 AND EXISTS (SELECT FROM pg_type AS o WHERE o.typname = t.typname AND o.oid < 10000)"
                  " ORDER BY t.oid LIMIT 1), CASE"
                  " WHEN EXISTS (SELECT FROM pg_db_role_setting AS s JOIN pg_roles AS r ON r.oid = s.setrole,"
                  " unnest(s.setconfig) AS one WHERE r.rolname = current_user AND lower(split_part(one, '=', 1)) IN (" SETTINGS "))"
                  " THEN 'the settings of monitor_user''s role hide the server''s' END))");
}

/* ---- the subscriber -------------------------------------------------------------------------------------------------- */

#define SUBSCRIPTION_PROBLEM                                                                                             \
    "CASE WHEN pg_is_in_recovery() THEN 'it is a standby'"                                                                 \
    " WHEN NOT EXISTS (SELECT FROM sub) THEN 'database ' || current_database() || ' has no subscription ' || $3"           \
    " WHEN NOT (SELECT subenabled FROM sub) THEN 'subscription ' || $3 || ' is disabled'"                                  \
    " WHEN (SELECT subslotname FROM sub) IS NULL THEN 'subscription ' || $3 || ' has no slot'"                             \
    " WHEN (SELECT received FROM sub) IS NULL THEN 'subscription ' || $3 || ' receives nothing'"                           \
    " END"

#define IS_AMBIGUOUS                                                                                                     \
    "EXISTS (SELECT FROM pg_class AS o WHERE o.relname = it.rel AND o.oid <> it.oid"                                       \
    " AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) THEN 'there is another relation called ' || it.rel"

#define IS_CHANGED_BY_TRIGGER                                                                                            \
    "EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = it.oid AND NOT t.tgisinternal AND t.tgenabled IN ('R', 'A'))"   \
    " THEN 'a trigger of ' || it.name || ' fires for what its subscription brings'"

#define BRINGING_PROBLEM                                                                                                 \
    "CASE WHEN " IS_AMBIGUOUS                                                                                              \
    " WHEN r.srsubstate IS NULL THEN 'subscription ' || $3 || ' does not bring ' || it.name"                               \
    " WHEN r.srsubstate <> 'r' THEN it.name || ' is still being copied'"                                                   \
    " WHEN r.srsublsn IS NULL THEN it.name || ' was not copied by its subscription'"                                       \
    " WHEN EXISTS (SELECT FROM pg_subscription_rel AS o WHERE o.srrelid = it.oid AND o.srsubid <> r.srsubid)"              \
    " THEN 'another subscription brings ' || it.name || ', too'"                                                           \
    " WHEN " IS_CHANGED_BY_TRIGGER " END"

#define OWN_LOG                                                                                                          \
    "CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() - '0/0'::pg_lsn END,"                               \
    " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() - '0/0'::pg_lsn END"

/* What it leaves out, by the will of its owner. */
static void put_gap(struct writer *w, uint32_t version) {
    writer_str(w, "CASE");
    if (version >= 160000) writer_str(w, " WHEN s.suborigin <> 'any' THEN 'its subscription leaves out what has an origin'");
    if (version >= 150000) writer_str(w, " WHEN s.subskiplsn <> '0/0' THEN 'its subscription was told to skip something'");
    writer_str(w, " WHEN false THEN '' END");
}

void feed_pg_put_copy_query(struct writer *w, uint32_t version) {
    put_tables(w);
    put_server(w, version);
    put_own_code(w);
    writer_str(w, ", sub AS (SELECT s.oid, s.subenabled, s.subslotname, s.subpublications, ");
    put_gap(w, version);
    writer_str(w, " AS gap, (SELECT max(a.received_lsn) - '0/0'::pg_lsn FROM pg_stat_subscription AS a WHERE a.subid = s.oid"
                  " AND a.relid IS NULL) AS received FROM pg_subscription AS s"
                  " JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = current_database() AND s.subname = $3),"
                  " each AS (SELECT it.n, coalesce(it.problem, " BRINGING_PROBLEM ") AS problem, it.digest, it.missing, it.filled,"
                  " coalesce(r.srsublsn - '0/0'::pg_lsn, 0) AS copied"
                  " FROM it LEFT JOIN (pg_subscription_rel AS r JOIN sub ON sub.oid = r.srsubid) ON r.srrelid = it.oid)"
                  " SELECT coalesce(" SUBSCRIPTION_PROBLEM ","
                  " (SELECT problem FROM each WHERE problem IS NOT NULL ORDER BY n LIMIT 1), (SELECT problem FROM own)),"
                  " (SELECT ARRAY[locale, settings, namesakes] || (SELECT array_agg(digest ORDER BY n) FROM each)"
                  " FROM server)::text,"
                  " (SELECT array_agg(missing ORDER BY n) FROM each)::text, (SELECT array_agg(filled ORDER BY n) FROM each)::text,"
                  " (SELECT subslotname FROM sub),"
                  " (SELECT subpublications FROM sub)::text, (SELECT string_agg(copied::text, ' ' ORDER BY n) FROM each),"
                  " (SELECT gap FROM sub), (SELECT received FROM sub), " OWN_LOG ", NULL");
}

/* ---- the primary ----------------------------------------------------------------------------------------------------- */

/*
 * By which entries of which publications all of it is brought, without a filter of rows or a list of columns. One that was taken
 * away and made again is another entry.
 */
#define BROUGHT_BEGIN                                                                                                    \
    "(SELECT CASE WHEN count(*) > 0 THEN left(" DIGEST("min(concat_ws('.', p.oid, p.xmin, way.entry))") ", 15) ELSE '0' END"  \
    " FROM pg_publication AS p CROSS JOIN LATERAL (SELECT '' AS entry WHERE p.puballtables"                                \
    " UNION ALL SELECT concat_ws('.', r.oid, r.xmin) FROM pg_publication_rel AS r WHERE r.prpubid = p.oid"                 \
    " AND r.prrelid = it.oid AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL"
#define BROUGHT_BY_SCHEMA                                                                                                \
    " UNION ALL SELECT concat_ws('.', s.oid, s.xmin) FROM pg_publication_namespace AS s"                                   \
    " WHERE s.pnpubid = p.oid AND s.pnnspid = to_regnamespace(quote_ident(it.nsp))"
#define BROUGHT_END                                                                                                      \
    ") AS way WHERE it.is_ordinary AND p.pubname = ANY ($4::text[])"                                                       \
    " AND p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate)"

#define HAS_OTHER_ROWS                                                                                                   \
    "EXISTS (SELECT FROM jsonb_each_text(it.missing) AS here JOIN jsonb_each_text((($6::text[])[it.n])::jsonb) AS there"   \
    " ON there.key = here.key AND there.value <> here.value)"

/* A row that came without the column has something in it there. */
#define FILLS                                                                                                            \
    "EXISTS (SELECT FROM jsonb_array_elements_text((($7::text[])[n])::jsonb) AS f WHERE NOT EXISTS (SELECT FROM pg_attribute"  \
    " AS a WHERE a.attrelid = each.oid AND a.attname = f AND NOT a.attisdropped))"

#define DIFFERS                                                                                                          \
    "it.digest IS DISTINCT FROM ($5::text[])[it.n + 3] THEN it.name || ' has other columns than at the primary'"           \
    " WHEN " HAS_OTHER_ROWS " THEN 'a column that was added to ' || it.name || ' had another default at the primary'"

#define SERVER_DIFFERS                                                                                                   \
    "(SELECT CASE WHEN locale IS DISTINCT FROM ($5::text[])[1]"                                                            \
    " THEN 'its major version or its locale is another one than the primary''s'"                                          \
    " WHEN settings IS DISTINCT FROM ($5::text[])[2] THEN 'its settings are others than the primary''s, such as TimeZone'" \
    " WHEN namesakes IS DISTINCT FROM ($5::text[])[3]"                                                                     \
    " THEN 'its functions with names of the server''s own are others than the primary''s' END FROM server)"

void feed_pg_put_source_query(struct writer *w, uint32_t version) {
    put_tables(w);
    put_server(w, version);
    put_own_code(w);
    writer_str(w, ", brought AS (SELECT it.*, " BROUGHT_BEGIN);
    if (version >= 150000) writer_str(w, BROUGHT_BY_SCHEMA);
    writer_str(w, BROUGHT_END " AS brought_by FROM it),"
                  " each AS (SELECT it.*, coalesce(it.problem, CASE WHEN " DIFFERS
                  " WHEN it.relreplident = 'f' THEN it.name || ' has REPLICA IDENTITY FULL'"
                  " WHEN it.brought_by = '0'"
                  " THEN 'the publications do not bring all of ' || it.name END) AS trouble FROM brought AS it),"
                  " sender AS (SELECT r.pid, r.sent_lsn, r.flush_lsn FROM pg_replication_slots AS s"
                  " JOIN pg_stat_replication AS r ON r.pid = s.active_pid WHERE s.slot_name = $3 AND s.slot_type = 'logical'"
                  " AND s.database = current_database() AND r.state = 'streaming')"
                  " SELECT coalesce(" SERVER_DIFFERS ", (SELECT trouble FROM each WHERE trouble IS NOT NULL ORDER BY n LIMIT 1),"
                  " (SELECT problem || ' at the primary' FROM own),"
                  " CASE WHEN NOT EXISTS (SELECT FROM sender) THEN 'the primary streams nothing to its subscription, or not yet'"
                  " WHEN (SELECT flush_lsn FROM sender) IS NULL THEN 'it has not told yet how far it is' END),"
                  " (SELECT string_agg(concat_ws(' ', coalesce(oid, 0), coalesce(relfilenode, 0),"
                  " ('x' || left(changes, 15))::bit(60)::int8, ('x' || brought_by)::bit(60)::int8, coalesce(relnatts, 0),"
                  " (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = each.oid AND a.attnum > 0 AND NOT a.attisdropped),"
                  " (SELECT coalesce(max(a.attnum), 0) FROM pg_attribute AS a WHERE a.attrelid = each.oid AND NOT a.attisdropped),"
                  " (digest IS NOT DISTINCT FROM ($5::text[])[n + 3])::int,"
                  " (missing IS NOT DISTINCT FROM (($6::text[])[n])::jsonb)::int, (" FILLS ")::int), ' ' ORDER BY n) FROM each),"
                  " EXISTS (SELECT FROM pg_replication_slots AS s WHERE s.slot_name = $3), (SELECT pid FROM sender),"
                  " (SELECT sent_lsn - '0/0'::pg_lsn FROM sender), (SELECT flush_lsn - '0/0'::pg_lsn FROM sender)");
}

/* ---- heartbeats ------------------------------------------------------------------------------------------------------ */

/* Names are plain (config_next_table()). */
static void put_table(struct writer *w, const struct feed_pg_heartbeat *heartbeat) {
    writer_str(w, " \"");
    writer_put(w, heartbeat->schema);
    writer_str(w, "\".\"");
    writer_put(w, heartbeat->table);
    writer_str(w, "\" ");
}

void feed_pg_put_copy_beat_query(struct writer *w, uint32_t version, const struct feed_pg_heartbeat *heartbeat) {
    put_tables(w);
    put_server(w, version);
    put_own_code(w);
    writer_str(w, ", each AS (SELECT it.n, coalesce(it.problem, CASE WHEN " IS_AMBIGUOUS " WHEN " IS_CHANGED_BY_TRIGGER
                  " END) AS problem, it.digest, it.missing FROM it)"
                  " SELECT coalesce(CASE WHEN pg_is_in_recovery() THEN 'it is a standby' END,"
                  " (SELECT problem FROM each WHERE problem IS NOT NULL ORDER BY n LIMIT 1), (SELECT problem FROM own)),"
                  " (SELECT ARRAY[locale, settings, namesakes] || (SELECT array_agg(digest ORDER BY n) FROM each)"
                  " FROM server)::text, (SELECT array_agg(missing ORDER BY n) FROM each)::text, NULL, NULL, NULL, NULL, NULL, NULL,"
                  " " OWN_LOG ", (SELECT b.beat FROM");
    put_table(w, heartbeat);
    writer_str(w, "AS b WHERE b.gilmok = $3::int8)");
}

/* Those of gilmoks that are gone are swept away. */
void feed_pg_put_source_beat_query(struct writer *w, uint32_t version, const struct feed_pg_heartbeat *heartbeat) {
    put_tables(w);
    put_server(w, version);
    put_own_code(w);
    writer_str(w, ", beat AS (INSERT INTO");
    put_table(w, heartbeat);
    writer_str(w, "AS b (gilmok, beat, at) VALUES ($3::int8, $4::int8, now())"
                  " ON CONFLICT (gilmok) DO UPDATE SET beat = excluded.beat, at = excluded.at),"
                  " old AS (DELETE FROM");
    put_table(w, heartbeat);
    writer_str(w, "AS b WHERE b.at < now() - interval '1 day' AND b.gilmok <> $3::int8)"
                  ", each AS (SELECT it.n, coalesce(it.problem, CASE WHEN " DIFFERS " END) AS trouble FROM it)"
                  " SELECT coalesce(" SERVER_DIFFERS ", (SELECT trouble FROM each WHERE trouble IS NOT NULL ORDER BY n LIMIT 1),"
                  " (SELECT problem || ' at the primary' FROM own)), NULL, NULL, NULL, NULL, NULL");
}
