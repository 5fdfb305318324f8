/* What texts of MySQL's and MariaDB's leave behind in their session, and ask of it. */
#include <stdio.h>

#include "routing/effect_my.h"
#include "routing/function_my.h"
#include "tests/unit/check_main.h"

enum { S = EFFECT_MY_SETS, SC = EFFECT_MY_SCHEMA, F = EFFECT_MY_FIXED, V = EFFECT_MY_USER_VARS, T = EFFECT_MY_TEMP,
       L = EFFECT_MY_LOCKS, H = EFFECT_MY_HANDLER, P = EFFECT_MY_PREPARES, XA = EFFECT_MY_XA, R = EFFECT_MY_ROUTINE,
       U = EFFECT_MY_UNREAD, Q = EFFECT_MY_SEQUENCE, N = EFFECT_MY_NEXT, C = EFFECT_MY_CALC_ROWS, I = EFFECT_MY_INSERT_ID,
       AI = EFFECT_MY_ASKS_INSERT_ID, AR = EFFECT_MY_ASKS_ROW_COUNT, AF = EFFECT_MY_ASKS_FOUND_ROWS,
       AW = EFFECT_MY_ASKS_WARNINGS, SW = EFFECT_MY_SHOW_WARNINGS, K = EFFECT_MY_KEEPS_WARNINGS, UL = EFFECT_MY_UNLOCKS,
       KC = EFFECT_MY_KEEPS_COUNT, M = EFFECT_MY_MANY, CH = EFFECT_MY_CHAIN, DC = EFFECT_MY_ASKS_COLLATION,
       O = EFFECT_MY_ODD_ROWS, RD = EFFECT_MY_READS };

static char heard[1024];

static void hear(const char *text, struct bytes more) {
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof heard - len, "%s%.*s", text, (int)more.len, more.len ? (const char *)more.ptr : "");
}

/* name=value, @name="value" with a string, NAMES value; ? for a value that the server tells; one behind the other */
static void on_setting(void *ctx, const struct effect_my_setting *s) {
    (void)ctx;
    hear(heard[0] ? "; " : "", bytes_of(NULL, 0));
    if (s->kind == SETTING_MY_NAMES) hear("NAMES ", s->value);
    if (s->kind == SETTING_MY_NAMES) return;
    hear(s->kind == SETTING_MY_USER ? "@" : "", s->name);
    hear(s->is_string ? "=s" : "=", s->value.ptr ? s->value : bytes_str("?"));
}

static void on_count(void *ctx, enum effect_my which, uint32_t start, uint32_t end, bool is_item) {
    (void)ctx;
    char place[64];
    const char *name = which == EFFECT_MY_ASKS_ROW_COUNT ? "row_count" : "found_rows";
    snprintf(place, sizeof place, "%s%s %u-%u%s", heard[0] ? "; " : "", name, start, end, is_item ? " item" : "");
    hear(place, bytes_of(NULL, 0));
}

static const struct effect_my_ears ears = {.on_setting = on_setting, .on_count = on_count};

static struct sql_options mariadb(void) {
    struct sql_options options = sql_options_default(SQL_MYSQL);
    options.flavour = SQL_FLAVOUR_MARIADB;
    options.version = 101119;
    options.modes = 0;
    return options;
}

static struct sql_options mysql(void) {
    struct sql_options options = mariadb();
    options.flavour = SQL_FLAVOUR_MYSQL;
    options.version = 80400;
    return options;
}

static unsigned effects_with(const char *text, const struct sql_options *options) {
    struct arena arena;
    heard[0] = '\0';
    arena_init(&arena, 1 << 20);
    unsigned effects = effect_my_of(bytes_str(text), options, &arena, &ears);
    arena_release(&arena);
    return effects;
}

/* What most statements have besides is tried by itself: all but SELECT count otherwise, and MariaDB's without tables keep warnings. */
static unsigned but_for_usual(unsigned effects) {
    return effects & ~(unsigned)(C | K | O | RD | EFFECT_MY_PUTS_BACK | EFFECT_MY_FINDS_ROWS);
}

static bool are(const char *text, const struct sql_options *options, unsigned effects) {
    return but_for_usual(effects_with(text, options)) == but_for_usual(effects);
}

struct row {
    const char *text;
    unsigned effects;
};

/* Alike on both servers. */
static const struct row texts[] = {
    {"", 0},
    {" -- nothing\n", 0},
    {"/* nothing */", 0},
    {"SELECT 1", 0},
    {"SELECT 1;", 0},
    {"SELECT 1; SELECT 2", M},
    {"SELECT lower(a), count(*), now(), COALESCE(a, b), extract(year FROM c), current_user, if(a, 1, 2) FROM t WHERE d = ?", 0},
    {"SELECT trim(both 'a' from b), left(a, 1), cast(a AS char), a DIV b, interval(1, 2), date_add(a, interval 1 day) FROM t", 0},
    {"SELECT rank() OVER (ORDER BY a), group_concat(a ORDER BY b), date '2020-01-01', utc_timestamp, values(a) FROM t", 0},
    {"INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)", 0},
    {"REPLACE INTO t SET a = 1", 0},
    {"UPDATE t, u SET t.a = u.a WHERE t.b = u.b", 0},
    {"DELETE t FROM t JOIN u ON t.a = u.a", 0},
    {"BEGIN; START TRANSACTION READ ONLY; SAVEPOINT a; ROLLBACK TO a; RELEASE SAVEPOINT a; COMMIT AND CHAIN; ROLLBACK", M},
    {"COMMIT RELEASE", CH},
    {"ROLLBACK NO RELEASE", 0},
    {"ROLLBACK RELEASE", CH},
    {"USE shop", SC},
    {"DROP DATABASE shop", SC},
    {"DROP SCHEMA IF EXISTS shop", SC},
    {"CREATE DATABASE shop; ALTER DATABASE shop CHARACTER SET utf8mb4", M},
    {"CREATE TABLE t (a int DEFAULT 1)", 0},
    {"CREATE TEMPORARY TABLE t (a int)", T},
    {"CREATE TEMPORARY TABLE t SELECT f()", T | R},
    {"DROP TEMPORARY TABLE t", 0},
    {"ALTER TABLE t ADD b int; RENAME TABLE t TO u; TRUNCATE t; CREATE INDEX i ON t (a); DROP TABLE t", M},
    {"CREATE TABLE t SELECT @a := 1 AS a", V},
    {"CREATE VIEW v AS SELECT f()", 0},
    {"ALTER VIEW v AS SELECT f()", 0},
    {"CREATE PROCEDURE p() SELECT f()", 0},
    {"CREATE FUNCTION f() RETURNS int RETURN g()", 0},
    {"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1", 0},
    {"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO CALL p()", 0},
    {"CREATE USER u; GRANT SELECT ON t TO u; REVOKE SELECT ON t FROM u; DROP USER u", M},
    {"LOCK TABLES t READ", L},
    {"UNLOCK TABLES", UL},
    {"FLUSH TABLES", 0},
    {"FLUSH TABLES t WITH READ LOCK", L},
    {"FLUSH TABLES WITH READ LOCK", L},
    {"FLUSH TABLES t FOR EXPORT", L},
    {"FLUSH PRIVILEGES", 0},
    {"SELECT GET_LOCK('a', 1)", L},
    {"SELECT release_lock('a'), release_all_locks(), is_free_lock('a')", 0},
    {"DO GET_LOCK('a', 1)", L},
    {"HANDLER t OPEN", H},
    {"HANDLER t OPEN AS h", H},
    {"HANDLER t READ FIRST", 0},
    {"HANDLER t READ i = (1) WHERE f()", R},
    {"HANDLER t CLOSE", 0},
    {"PREPARE p FROM 'SELECT 1'", P},
    {"EXECUTE p", P | R},
    {"EXECUTE p USING @a", P | R},
    {"DEALLOCATE PREPARE p", 0},
    {"DROP PREPARE p", 0},
    {"XA START 'a'", XA},
    {"XA BEGIN 'a'", XA},
    {"XA END 'a'; XA PREPARE 'a'; XA COMMIT 'a'; XA ROLLBACK 'a'; XA RECOVER", XA | M},
    {"CALL p(@a)", R},
    {"DO f()", R},
    {"DO sleep(1)", 0},
    {"SELECT f(1)", R},
    {"SELECT d.lower(1)", R}, /* whatever its name, it is a stored one */
    {"SELECT count (*)", U},  /* not the count(*) of the grammar */
    {"SELECT max (1), abs (1), left ('a', 1)", R},
    {"SELECT abs (1), left ('a', 1)", 0},
    {"SELECT * FROM t WHERE a IN (SELECT f(b) FROM u)", R},
    {"SELECT a INTO @a FROM t", V},
    {"SELECT a FROM t INTO OUTFILE '/a'", 0},
    {"SELECT @a := 1", V},
    {"UPDATE t SET a = (@a := @a + 1)", V},
    {"SELECT @a, @@version, @@global.warning_count", 0},
    {"LOAD DATA INFILE 'a' INTO TABLE t (a, @b) SET c = @b", V | DC},
    {"LOAD DATA LOCAL INFILE 'a' INTO TABLE t (a) SET c = f()", R | DC},
    {"SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1", C},
    {"SELECT 1 UNION (SELECT SQL_CALC_FOUND_ROWS 2)", C},
    {"SELECT LAST_INSERT_ID()", AI},
    {"INSERT INTO t VALUES (last_insert_id())", AI},
    {"UPDATE t SET a = LAST_INSERT_ID(a + 1)", I},
    {"SELECT LAST_INSERT_ID(LAST_INSERT_ID())", I | AI},
    {"SELECT @@identity", AI},
    {"SELECT @@session.last_insert_id", AI},
    {"SELECT @@LOCAL.Last_Insert_Id + 1 FROM t", AI},
    {"SELECT @@warning_count", AW | K},
    {"SELECT @@error_count, @@session.warning_count", AW | K},
    {"SELECT @@warning_count FROM t", AW},
    {"SHOW WARNINGS", AW | SW | K},
    {"SHOW WARNINGS;", AW | SW | K},
    {"SHOW WARNINGS LIMIT 1", AW | K},
    {"SHOW ERRORS", AW | K},
    {"SHOW COUNT(*) WARNINGS", AW | K},
    {"SHOW COUNT(*) ERRORS", AW | K},
    {"SHOW WARNINGS; SHOW WARNINGS", AW | K | M},
    {"SHOW WARNINGS; SELECT 1", AW | M},
    {"GET DIAGNOSTICS @a = NUMBER", AW | K | V | KC},
    {"GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT", AW | K | V | KC},
    {"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a'", 0},
    {"RESIGNAL", 0},
    {"SHOW TABLES; SHOW VARIABLES LIKE 'a'; SHOW PROFILES; HELP 'a'; KILL 1; SHOW CREATE TABLE t", M},
    {"SHOW TABLES WHERE f()", R},
    {"DESCRIBE t", 0},
    {"EXPLAIN SELECT 1", 0},
    {"EXPLAIN SELECT * FROM t WHERE a = f()", R},
    {"EXPLAIN SELECT * FROM t WHERE a = (@x := 1)", V},
    {"ANALYZE TABLE t; OPTIMIZE TABLE t; CHECK TABLE t; REPAIR TABLE t; CHECKSUM TABLE t", M},
    {"BINLOG 'a'", U},
    {"SELECT", U},
    {"SELECT 1; SELECT FROM; SET @a = f()", U | R | V | M},
    {"SET TRANSACTION ISOLATION LEVEL READ COMMITTED", N},
    {"SET TRANSACTION READ ONLY", N},
    {"SET GLOBAL TRANSACTION READ ONLY", 0},
    {"SET GLOBAL sql_mode = ''", 0},
    {"SET @@global.max_connections = f()", R},
    {"SET GLOBAL a.b = 1", 0},
    {"SET a.b = 1", F},
    {"SET insert_id = 4", F},
    {"SET rand_seed1 = 1, rand_seed2 = @a", F},
    {"SET last_insert_id = 4", I},
    {"SET @@identity = 4", I},
    {"SET sql_log_bin = 0", F},
    {"SET nonsense = 1", F},
    {"SET profiling = 1", F},
    {"SET session_track_schema = 1", F},
    {"SET PASSWORD = 'a'", 0},
    {"SET ROLE a", F},
    {"SET ROLE NONE", F},
    {"SET CHARACTER SET utf8mb4", F | DC},
    {"SET CHARSET utf8mb4", F | DC},
    {"SET autocommit = @a", F},
    {"SET autocommit = ?", F},
    {"SET autocommit = 1 + 0", F},
    {"SET time_zone = f()", F | R},
    {"SET time_zone = CONCAT('a', 'b')", F},
    {"SET time_zone = X'41'", F},
    {"SET time_zone = 'a' 'b'", F},
    {"SET time_zone = _utf8'a'", F},
    {"SET time_zone = 'a' COLLATE utf8mb4_bin", F},
    {"SET time_zone = N'a'", F},
    {"SET time_zone = 'a\\\\b'", F},
    {"SET time_zone = 'a\\0b'", F},
    {"SET time_zone = '\xc3\xa9'", F},
    {"SET time_zone = a.b", F},
    {"SET sql_auto_is_null = 1", F},
    {"SET @a = @b", V},
    {"SET @a = 1 + 1", V},
    {"SET @a = 0x41", V},
    {"SET @a = b'1'", V},
    {"SET @a = (SELECT 1)", V},
    {"SET @a := LAST_INSERT_ID()", V | AI},
    {"SET @`a b` = 1", V},
    {"SET @\xc3\xa9 = 1", V},
};

START_TEST(texts_have_effects) {
    struct sql_options maria = mariadb(), my = mysql();
    ck_assert_msg(are(texts[_i].text, &maria, texts[_i].effects), "%s: %#x, not %#x", texts[_i].text,
                  effects_with(texts[_i].text, &maria), texts[_i].effects);
    ck_assert_msg(are(texts[_i].text, &my, texts[_i].effects), "MySQL: %s: %#x, not %#x", texts[_i].text,
                  effects_with(texts[_i].text, &my), texts[_i].effects);
}
END_TEST

static const struct row mariadb_texts[] = {
    {"CREATE OR REPLACE TEMPORARY TABLE t (a int)", T},
    {"CREATE OR REPLACE DATABASE d", SC},
    {"CREATE TEMPORARY SEQUENCE s", T},
    {"SELECT NEXT VALUE FOR s, NEXTVAL(s), SETVAL(s, 1)", 0},
    {"SELECT PREVIOUS VALUE FOR s", Q},
    {"SELECT LASTVAL(s)", Q},
    {"SELECT @@last_gtid", Q},
    {"SELEC 1", U},
    {"SELECT 'unfinished; SELECT 1", U | M},
    {"SELECT @@collation_database", DC},
    {"SET @a = @@session.character_set_database", DC | V},
    {"SELECT @@global.collation_database, @collation_database", 0},
    {"EXECUTE IMMEDIATE 'SELECT 1'", P | R},
    {"BEGIN NOT ATOMIC SET @a = 1; END", R},
    {"IF 1 THEN SELECT 1; END IF", R},
    {"BACKUP STAGE START", L},
    {"BACKUP STAGE END", UL},
    {"BACKUP LOCK t", L},
    {"BACKUP UNLOCK", UL},
    {"INSERT INTO t VALUES (1) RETURNING f(a)", R},
    {"INSERT INTO t VALUES (1) RETURNING a", 0},
    {"ANALYZE SELECT f()", R},
    {"ANALYZE FORMAT=JSON SELECT GET_LOCK('a', 1)", L},
    {"SET STATEMENT max_statement_time = 1 FOR SELECT f()", R},
    {"SET STATEMENT sql_mode = '' FOR SELECT 1", 0},
    {"SET STATEMENT sql_mode = CONCAT(@a := 1, '') FOR SELECT 1", V},
    {"SET STATEMENT sql_mode = '' FOR SET time_zone = 'SYSTEM'", F}, /* it may be put back */
    {"SET STATEMENT sql_mode = '' FOR SET @a = 1", S},
    {"SET gtid_seq_no = 1", F},
    {"SET DEFAULT ROLE a", 0},
    {"SELECT json_detailed('{}'), nvl(a, b), median(a) OVER () FROM t", 0},
    {"SELECT uuid_to_bin(a), any_value(b) FROM t", R}, /* MySQL's own, and here whoever's */
    {"SELECT kdf('a', 'b', 1, 'c')", R},               /* since 11.3 */
};

START_TEST(texts_of_mariadb_have_effects) {
    struct sql_options options = mariadb();
    ck_assert_msg(are(mariadb_texts[_i].text, &options, mariadb_texts[_i].effects), "%s: %#x", mariadb_texts[_i].text,
                  effects_with(mariadb_texts[_i].text, &options));
}
END_TEST

static const struct row mysql_texts[] = {
    {"SELECT uuid_to_bin(a), any_value(b), json_pretty(c), grouping(a) FROM t", 0},
    {"SELECT nvl(a, b)", R},
    {"SELECT LASTVAL(s)", R},
    {"EXPLAIN ANALYZE SELECT f()", R},
    {"EXPLAIN FORMAT=JSON INTO @a SELECT 1", V},
    {"LOCK INSTANCE FOR BACKUP", L},
    {"UNLOCK INSTANCE", UL},
    {"SET PERSIST sql_mode = ''", 0},
    {"SET foreign_key_checks = DEFAULT", F},
    {"SET unique_checks = 0, foreign_key_checks = 1", S},
    {"SET @@persist_only.sql_mode = ''", 0},
    {"SET RESOURCE GROUP g", F},
    {"SET DEFAULT ROLE a TO u", 0},
    {"SET PASSWORD TO RANDOM", 0},
    {"DO f() AS a", R},
    {"SET autocommit = /*! f() */", F | R},
    {"RESTART", 0},
};

START_TEST(texts_of_mysql_have_effects) {
    struct sql_options options = mysql();
    ck_assert_msg(are(mysql_texts[_i].text, &options, mysql_texts[_i].effects), "%s: %#x", mysql_texts[_i].text,
                  effects_with(mysql_texts[_i].text, &options));
}
END_TEST

static const struct {
    const char *text;
    const char *heard;
} settings[] = {
    {"SET autocommit = 0", "autocommit=0"},
    {"SET AUTOCOMMIT=ON, @@session.Unique_Checks = off, LOCAL foreign_key_checks = FALSE",
     "autocommit='ON'; unique_checks='off'; foreign_key_checks=FALSE"},
    {"SET SESSION sql_mode = 'ANSI'; SET sql_mode = ansi; SET @@sql_mode := \"ANSI\"",
     "sql_mode=s'ANSI'; sql_mode='ansi'; sql_mode=s'ANSI'"},
    {"SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "sql_mode=?"},
    {"SET sql_mode = @a, time_zone = DEFAULT", "sql_mode=?; time_zone=DEFAULT"},
    {"SET sql_mode = ?", "sql_mode=?"},
    {"SET sql_mode = 'a\\\\b'", "sql_mode=?"},
    {"SET time_zone = '+02:00', timestamp = 1.5, lock_wait_timeout = - 5, wait_timeout = +6",
     "time_zone=s'+02:00'; timestamp=1.5; lock_wait_timeout=-5; wait_timeout=6"},
    {"SET character_set_results = NULL, character_set_client = binary", "character_set_results=NULL; character_set_client='binary'"},
    {"SET GLOBAL sql_mode = '', autocommit = 0", ""},
    {"SET autocommit = 0, GLOBAL sql_mode = '', time_zone = 'a', SESSION time_zone = 'b'", "autocommit=0; time_zone=s'b'"},
    {"SET sql_log_bin = 0, autocommit = 1", "autocommit=1"},
    {"SET sql_auto_is_null = 0", "sql_auto_is_null=0"},
    {"SET NAMES utf8mb4", "NAMES 'utf8mb4'"},
    {"SET NAMES 'utf8mb4' COLLATE utf8mb4_bin", "NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'"},
    {"SET NAMES DEFAULT", "NAMES DEFAULT"},
    {"SET NAMES binary, autocommit = 1", "NAMES 'binary'; autocommit=1"},
    {"SET @a = 1, @B_c.d = 'x', @`e` = NULL, @f := -1.5e3, @g = TRUE", "@a=1; @b_c.d=s'x'; @e=NULL; @f=-1.5e3; @g=TRUE"},
    {"SET @a = 'it''s', @b = \"it's \"\"b\"\"\", @c = 'a\\'b\\n\\tc', @d = ''",
     "@a=s'it''s'; @b=s'it''s \"b\"'; @c=s'a''b\n\tc'; @d=s''"},
    {"SET @a = '\xc3\xa9'", "@a=s'\xc3\xa9'"},
    {"SET SESSION TRANSACTION READ WRITE", "#read_only='OFF'"},
    {"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY", "#isolation='READ-COMMITTED'; #read_only='ON'"},
    {"SET LOCAL TRANSACTION ISOLATION LEVEL SERIALIZABLE", "#isolation='SERIALIZABLE'"},
    {"SET tx_isolation = 'READ-COMMITTED'", "#isolation=s'READ-COMMITTED'"},
    {"SET @@session.transaction_isolation = 'REPEATABLE-READ', tx_read_only = 1", "#isolation=s'REPEATABLE-READ'; #read_only=1"},
    {"SET @@tx_isolation = 'READ-COMMITTED'", ""},
    {"SELECT ROW_COUNT(), found_rows(), 1", "row_count 7-18 item; found_rows 20-32 item"},
    {"SELECT ROW_COUNT() AS a, (ROW_COUNT()), ROW_COUNT() + 1", "row_count 7-18; row_count 26-37; row_count 40-51"},
    {"SELECT (SELECT FOUND_ROWS())", "found_rows 15-27"},
    {"INSERT INTO t SELECT ROW_COUNT()", "row_count 21-32"},
    {"SELECT 1; SELECT ROW_COUNT ()", ""},
    {"DO 1; SELECT FOUND_ROWS()", "found_rows 13-25 item"},
    {"SELECT 1; SELECT FOUND_ROWS()", "found_rows 17-0 item"},
    {"SELECT ROW_COUNT() UNION SELECT 1", "row_count 7-18"},
};

/* The two names of a transaction's settings are # in the table. */
static void expect(const char *text, const struct sql_options *options, const char *prefix, const char *expected) {
    char full[256] = "";
    size_t len = 0;
    for (const char *at = expected; *at && len + 16 < sizeof full; at++) {
        if (*at == '#') len += (size_t)snprintf(full + len, sizeof full - len, "%s", prefix);
        else full[len++] = *at;
    }
    full[len] = '\0';
    (void)effects_with(text, options);
    ck_assert_msg(strcmp(heard, full) == 0, "%s: %s", text, heard);
}

START_TEST(settings_are_told) {
    struct sql_options maria = mariadb(), my = mysql(), new_maria = maria;
    new_maria.version = 110400;
    expect(settings[_i].text, &maria, "tx_", settings[_i].heard);
    expect(settings[_i].text, &new_maria, "transaction_", settings[_i].heard);
    expect(settings[_i].text, &my, "transaction_", settings[_i].heard);
}
END_TEST

START_TEST(strings_are_read_by_the_modes) {
    struct sql_options options = mariadb();
    options.modes = SQL_NO_BACKSLASH_ESCAPES;
    expect("SET @a = 'a\\'", &options, "", "");
    ck_assert(are("SET @a = 'a\\'", &options, V));
    expect("SET @a = 'b''c'", &options, "", "@a=s'b''c'");
    options.modes = SQL_ANSI_QUOTES;
    expect("SET sql_mode = \"ANSI\"", &options, "", "sql_mode='ANSI'");
    ck_assert(are("SET @a = \"x\"", &options, V));
    options.modes = SQL_IGNORE_SPACE;
    ck_assert(are("SELECT max (1), count (*)", &options, 0));
    options.modes = SQL_ORACLE;
    ck_assert(are("SELECT s.currval, s.nextval", &options, Q));
}
END_TEST

START_TEST(memory_that_ends_is_no_knowledge) {
    struct sql_options options = mariadb();
    for (size_t size = 64; size < 8192; size += 64) {
        struct arena arena;
        arena_init(&arena, size);
        unsigned effects = effect_my_of(bytes_str("SET @a = 'abc', time_zone = 'abc'"), &options, &arena, &ears);
        ck_assert(effects & (EFFECT_MY_STAYS | EFFECT_MY_SETS));
        if (but_for_usual(effects) != EFFECT_MY_SETS) ck_assert(effects & EFFECT_MY_STAYS);
        arena_release(&arena);
    }
}
END_TEST

static const struct row usual_texts[] = {
    {"SELECT 1", K | RD}, {"SELECT * FROM t", RD}, {"SELECT SQL_CALC_FOUND_ROWS a FROM t", C}, {"SELECT 1 FROM (SELECT 1) t", RD},
    {"SELECT (SELECT a FROM t)", RD}, {"SELECT 1 UNION SELECT 2", C | K}, {"SELECT 1 UNION SELECT a FROM t", C}, {"SET a = 1", K | F},
    {"SET @a = 1", K | S}, {"COMMIT", K}, {"BEGIN", K}, {"CREATE DATABASE a", K | O},
    {"DROP PROCEDURE p", K | O}, {"CREATE PROCEDURE p() SELECT a FROM t", K | O}, {"SHOW CREATE DATABASE a", K | O}, {"SHOW DATABASES", O},
    {"SHOW FULL PROCESSLIST", K | O}, {"XA END 'a'", K | XA | O}, {"CREATE TABLE t (a INT)", O}, {"DROP VIEW v", O}, {"DO 1", K}, {"USE a", K | SC}, {"SHOW TABLES", O},
    {"SHOW WARNINGS", K | AW | SW}, {"INSERT INTO t VALUES (1)", 0}, {"SELECT f()", R | RD}, {"EXPLAIN SELECT a FROM t", O},
    {"SHOW COUNT(*) WARNINGS", K | AW | RD}, {"SELECT 1; SELECT 2", C | K | M}, {"SELECT 1; SELECT a FROM t", C | M}, {"SELECT @@warning_count", K | AW | RD},
    {"INSERT INTO t SELECT a FROM t", C}, {"INSERT INTO t VALUES (1) RETURNING a", O}, {"DO 1; COMMIT", K | M},
    {"SET @a = (SELECT a FROM t)", C | V}, {"CREATE TABLE t AS SELECT a FROM s", C}, {"CHECK TABLE t", O}, {"VALUES (1)", O | K},
};

START_TEST(most_count_otherwise_and_some_keep_warnings) {
    struct sql_options options = mariadb(), others = mysql();
    ck_assert_msg(effects_with(usual_texts[_i].text, &options) == usual_texts[_i].effects, "%s: %#x", usual_texts[_i].text,
                  effects_with(usual_texts[_i].text, &options));
    bool keeps = effects_with(usual_texts[_i].text, &others) & K, asks = usual_texts[_i].effects & AW;
    ck_assert_int_eq(keeps, asks);
}
END_TEST

START_TEST(nobody_need_listen) {
    static const struct effect_my_ears none = {0};
    struct sql_options options = mariadb();
    struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned effects = effect_my_of(bytes_str("SET @a = ROW_COUNT(), time_zone = 'a'"), &options, &arena, &none);
    ck_assert_uint_eq(but_for_usual(effects), V | AR | S);
    arena_release(&arena);
}
END_TEST

START_TEST(functions_are_known_by_name) {
    struct sql_options options = mariadb();
    ck_assert_int_eq(function_my_find(bytes_str("Lower"), &options), FUNCTION_MY_PLAIN);
    ck_assert_int_eq(function_my_find(bytes_str("GET_LOCK"), &options), FUNCTION_MY_LOCK);
    ck_assert_int_eq(function_my_find(bytes_str("lowe"), &options), FUNCTION_MY_UNKNOWN);
    ck_assert_int_eq(function_my_find(bytes_str("bin_to_uuid"), &options), FUNCTION_MY_UNKNOWN);
    ck_assert_int_eq(function_my_find(bytes_str("lastval"), &options), FUNCTION_MY_LASTVAL);
    options.version = 100200;
    ck_assert_int_eq(function_my_find(bytes_str("lastval"), &options), FUNCTION_MY_UNKNOWN);
    ck_assert_int_eq(function_my_find(bytes_str(""), &options), FUNCTION_MY_UNKNOWN);
    static const char long_name[] = "a_name_that_is_longer_than_sixty_three_bytes_and_so_is_no_name_at_all";
    ck_assert_int_eq(function_my_find(bytes_str(long_name), &options), FUNCTION_MY_UNKNOWN);
}
END_TEST

START_TEST(updates_of_mysql_count_what_they_find) {
    struct sql_options my = mysql(), maria = mariadb();
    ck_assert(effects_with("UPDATE t SET a = 1", &my) & EFFECT_MY_FINDS_ROWS);
    ck_assert(effects_with("WITH c AS (SELECT 1) UPDATE t, c SET a = 1", &my) & EFFECT_MY_FINDS_ROWS);
    ck_assert(effects_with("DO 1", &my) & EFFECT_MY_FINDS_ROWS);
    ck_assert(!(effects_with("DO 1", &maria) & EFFECT_MY_FINDS_ROWS));
    ck_assert(!(effects_with("DELETE FROM t", &my) & EFFECT_MY_FINDS_ROWS));
    ck_assert(!(effects_with("UPDATE t SET a = 1", &maria) & EFFECT_MY_FINDS_ROWS));
}
END_TEST

START_TEST(functions_may_be_lost_again) {
    struct sql_options options = mysql();
    options.version = 90500;
    ck_assert_int_eq(function_my_find(bytes_str("md5"), &options), FUNCTION_MY_PLAIN);
    options.version = 90600;
    ck_assert_int_eq(function_my_find(bytes_str("md5"), &options), FUNCTION_MY_UNKNOWN);
    ck_assert_int_eq(function_my_find(bytes_str("sha2"), &options), FUNCTION_MY_PLAIN);
    options = mariadb();
    ck_assert_int_eq(function_my_find(bytes_str("md5"), &options), FUNCTION_MY_PLAIN);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("effect_my");
    tcase_add_loop_test(tc, texts_have_effects, 0, COUNT_OF(texts));
    tcase_add_loop_test(tc, texts_of_mariadb_have_effects, 0, COUNT_OF(mariadb_texts));
    tcase_add_loop_test(tc, texts_of_mysql_have_effects, 0, COUNT_OF(mysql_texts));
    tcase_add_loop_test(tc, settings_are_told, 0, COUNT_OF(settings));
    tcase_add_test(tc, strings_are_read_by_the_modes);
    tcase_add_test(tc, memory_that_ends_is_no_knowledge);
    tcase_add_loop_test(tc, most_count_otherwise_and_some_keep_warnings, 0, COUNT_OF(usual_texts));
    tcase_add_test(tc, nobody_need_listen);
    tcase_add_test(tc, functions_are_known_by_name);
    tcase_add_test(tc, functions_may_be_lost_again);
    tcase_add_test(tc, updates_of_mysql_count_what_they_find);
    return check_main_of("effect_my", tc);
}
