/*
 * Knows PostgreSQL's catalogs; sends nothing. Columns that not all versions have are asked for through to_jsonb().
 */
#include "proxy/topology/feed_pg.h"

/* What decides how expressions are read, computed and shown. */
#define SETTINGS                                                                                                         \
    "'datestyle', 'intervalstyle', 'timezone', 'timezone_abbreviations', 'extra_float_digits', 'bytea_output', 'lc_monetary',"  \
    " 'lc_numeric', 'lc_time', 'array_nulls', 'xmlbinary', 'xmloption', 'transform_null_equals', 'standard_conforming_strings',"  \
    " 'backslash_quote', 'quote_all_identifiers', 'default_text_search_config'"

#define DIGEST(text) "left(encode(sha256(convert_to(coalesce(" text ", ''), 'UTF8')), 'hex'), 32)"

/* Numbers below 10000 are the same in every database of all servers. */
#define TABLES                                                                                                           \
    "WITH want AS (SELECT w.n, w.name, split_part(w.name, '.', 1) AS nsp, split_part(w.name, '.', 2) AS rel"               \
    " FROM unnest($1::text[]) WITH ORDINALITY AS w(name, n)),"                                                             \
    " it AS (SELECT want.*, c.oid, c.reltype, CASE WHEN c.oid IS NULL THEN 'there is no table ' || want.name"              \
    " WHEN c.relkind <> 'r' OR c.relpersistence <> 'p' OR c.relispartition OR EXISTS (SELECT FROM pg_inherits AS i"        \
    " WHERE i.inhparent = c.oid) OR EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid)"                        \
    " THEN want.name || ' is no ordinary table' WHEN c.relrowsecurity THEN want.name || ' has row security'"               \
    " WHEN EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"         \
    " AND (a.atttypid >= 10000 OR format_type(a.atttypid, NULL) ~ '^reg'))"                                                \
    " THEN 'a column of ' || want.name || ' has a type that is not the server''s own' END AS problem,"                     \
    " " DIGEST("(SELECT string_agg(concat_ws(' ', quote_ident(a.attname), a.atttypid, a.atttypmod, co.collname,"           \
               " co.collprovider, co.collversion, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum)" \
               " FROM pg_attribute AS a LEFT JOIN pg_collation AS co ON co.oid = a.attcollation"                           \
               " LEFT JOIN pg_attrdef AS d ON a.attgenerated <> '' AND d.adrelid = a.attrelid AND d.adnum = a.attnum"      \
               " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)") " AS digest"                          \
    " FROM want LEFT JOIN (pg_namespace AS ns JOIN pg_class AS c ON c.relnamespace = ns.oid)"                              \
    " ON ns.nspname = want.nsp AND c.relname = want.rel),"

/* The server: its version and locale, and its settings, with those of roles and of this database. */
#define SERVER                                                                                                           \
    " server AS (SELECT " DIGEST("concat_ws(' ', current_setting('server_version_num')::int / 10000,"                     \
                                 " pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, to_jsonb(d) ->> 'datlocprovider'," \
                                 " to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'," \
                                 " to_jsonb(d) ->> 'daticurules', to_jsonb(d) ->> 'datcollversion')") " AS locale, "      \
    DIGEST("concat_ws(chr(1), (SELECT string_agg(s.name || '=' || current_setting(s.name), chr(1) ORDER BY s.name)"       \
           " FROM unnest(ARRAY[" SETTINGS "]) AS s(name)),"                                                                 \
           " (SELECT string_agg(concat_ws(chr(1), r.rolname, s.setdatabase <> 0, one), chr(1) ORDER BY r.rolname,"        \
           " s.setdatabase <> 0, one) FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole,"          \
           " unnest(s.setconfig) AS one WHERE s.setdatabase IN (0, d.oid)"                                                 \
           " AND lower(split_part(one, '=', 1)) IN (" SETTINGS ")))") " AS settings"                                      \
    " FROM pg_database AS d WHERE d.datname = current_database()),"

/* Anything of the database's own that a text could mean where it says a name or a symbol of the server's. */
#define OWN_CODE                                                                                                         \
    " own(problem) AS (SELECT CASE"                                                                                       \
    " WHEN EXISTS (SELECT FROM pg_operator AS o WHERE o.oid >= 16384 AND o.oprleft < 16384 AND o.oprright < 16384)"        \
    " THEN 'there are operators between the server''s own types'"                                                          \
    " WHEN EXISTS (SELECT FROM pg_cast AS c WHERE c.oid >= 16384 AND c.castsource < 16384 AND c.casttarget < 16384)"       \
    " THEN 'there are casts between the server''s own types'"                                                              \
    " WHEN EXISTS (SELECT FROM pg_proc AS p WHERE p.oid >= 16384 AND p.prorettype NOT IN (2279, 3838) AND"                 \
    " ((NOT EXISTS (SELECT FROM unnest(p.proargtypes) AS a(t) JOIN pg_type AS t ON t.oid = a.t"                            \
    " WHERE a.t >= 16384 AND t.typtype <> 'c')"                                                                            \
    " AND EXISTS (SELECT FROM pg_proc AS o WHERE o.proname = p.proname AND o.oid < 16384))"                                \
    " OR (p.pronargs > 0 AND p.pronargs - p.pronargdefaults <= 1 AND EXISTS (SELECT FROM pg_type AS t"                      \
    " WHERE t.oid = p.proargtypes[0] AND (t.typtype = 'c' OR t.oid IN (2249, 2276, 2283, 2776, 5077, 5079))))))"           \
    " THEN 'there are functions with names of the server''s own, or of rows'"                                              \
    " WHEN EXISTS (SELECT FROM pg_type AS t WHERE t.oid >= 16384 AND EXISTS"                                               \
    " (SELECT FROM pg_type AS o WHERE o.typname = t.typname AND o.oid < 10000))"                                           \
    " THEN 'there are types with names of the server''s own' END)"

void feed_pg_put_copy_query(struct writer *w, uint32_t version) {
    writer_str(w, TABLES SERVER OWN_CODE ", sub AS (SELECT s.oid, s.subenabled, s.subslotname, s.subpublications, ");
    writer_str(w, version >= 160000 ? "s.suborigin = 'any'" : "true");
    writer_str(w, " AS has_all, EXISTS (SELECT FROM pg_stat_subscription AS a WHERE a.subid = s.oid AND a.relid IS NULL"
               " AND a.received_lsn IS NOT NULL) AS receives FROM pg_subscription AS s"
               " JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = current_database() AND s.subname = $2),"
               " each AS (SELECT it.n, coalesce(it.problem, CASE WHEN EXISTS (SELECT FROM pg_class AS o WHERE o.relname = it.rel"
               " AND o.oid <> it.oid AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S'))"
               " THEN 'there is another relation called ' || it.rel"
               " WHEN r.srsubstate IS NULL THEN 'subscription ' || $2 || ' does not bring ' || it.name"
               " WHEN r.srsubstate <> 'r' THEN it.name || ' is still being copied'"
               " WHEN r.srsublsn IS NULL THEN it.name || ' was not copied by its subscription'"
               " WHEN EXISTS (SELECT FROM pg_subscription_rel AS o WHERE o.srrelid = it.oid AND o.srsubid <> r.srsubid)"
               " THEN 'another subscription brings ' || it.name || ', too' END) AS problem, it.digest"
               " FROM it LEFT JOIN (pg_subscription_rel AS r JOIN sub ON sub.oid = r.srsubid) ON r.srrelid = it.oid)"
               " SELECT coalesce(CASE WHEN pg_is_in_recovery() THEN 'it is a standby'"
               " WHEN NOT EXISTS (SELECT FROM sub) THEN 'database ' || current_database() || ' has no subscription ' || $2"
               " WHEN NOT (SELECT subenabled FROM sub) THEN 'subscription ' || $2 || ' is disabled'"
               " WHEN (SELECT subslotname FROM sub) IS NULL THEN 'subscription ' || $2 || ' has no slot'"
               " WHEN NOT (SELECT receives FROM sub) THEN 'subscription ' || $2 || ' receives nothing'"
               " WHEN NOT (SELECT has_all FROM sub) THEN 'subscription ' || $2 || ' leaves out what has an origin' END,"
               " (SELECT problem FROM each WHERE problem IS NOT NULL ORDER BY n LIMIT 1), (SELECT problem FROM own)),"
               " (SELECT ARRAY[locale, settings] || (SELECT array_agg(digest ORDER BY n) FROM each) FROM server)::text,"
               " (SELECT subslotname FROM sub), (SELECT subpublications FROM sub)::text");
}

/* All of it: without a filter of rows or a list of columns. */
#define BY_SCHEMA                                                                                                        \
    " OR EXISTS (SELECT FROM pg_publication_namespace AS s WHERE s.pnpubid = p.oid AND s.pnnspid = to_regnamespace(it.nsp))"
#define IS_BROUGHT_BEGIN                                                                                                 \
    "EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = ANY ($4::text[]) AND p.pubinsert AND p.pubupdate"          \
    " AND p.pubdelete AND p.pubtruncate AND (p.puballtables"                                                             \
    " OR EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid"                                             \
    " AND r.prrelid = it.oid AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL)"
#define IS_BROUGHT_END "))"

void feed_pg_put_source_query(struct writer *w, uint32_t version) {
    writer_str(w, TABLES SERVER OWN_CODE
               ", each AS (SELECT it.n, coalesce(it.problem, CASE WHEN it.digest IS DISTINCT FROM ($2::text[])[it.n + 2]"
               " THEN it.name || ' has other columns than at the primary' WHEN NOT " IS_BROUGHT_BEGIN);
    if (version >= 150000) writer_str(w, BY_SCHEMA);
    writer_str(w, IS_BROUGHT_END
               " THEN 'the publications do not bring all of ' || it.name END) AS problem FROM it),"
               " sender AS (SELECT r.flush_lsn FROM pg_replication_slots AS s JOIN pg_stat_replication AS r ON r.pid = s.active_pid"
               " WHERE s.slot_name = $3 AND s.slot_type = 'logical' AND s.database = current_database() AND r.state = 'streaming')"
               " SELECT coalesce((SELECT CASE WHEN locale IS DISTINCT FROM ($2::text[])[1]"
               " THEN 'its major version or its locale is another one than the primary''s'"
               " WHEN settings IS DISTINCT FROM ($2::text[])[2]"
               " THEN 'its settings are others than the primary''s, such as TimeZone'"
               " END FROM server), (SELECT problem FROM each WHERE problem IS NOT NULL ORDER BY n LIMIT 1),"
               " (SELECT problem || ' at the primary' FROM own),"
               " CASE WHEN NOT EXISTS (SELECT FROM sender) THEN 'the primary streams nothing to its subscription'"
               " WHEN (SELECT flush_lsn FROM sender) IS NULL THEN 'it has not told yet how far it is' END),"
               " (SELECT flush_lsn - '0/0'::pg_lsn FROM sender)");
}
