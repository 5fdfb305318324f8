#!/usr/bin/python3
"""More of what scripts contain: what programs say to a server, in their own words: drivers, frameworks and dumps; statements that end
transactions without saying so; schemas and routines of a client's own."""

DRIVERS = (
    # MySQL Connector/J, MariaDB Connector/J
    "/* mysql-connector-java-8.0.33 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, "
    "@@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@init_connect AS init_connect, "
    "@@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@net_write_timeout AS net_write_timeout, "
    "@@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@tx_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout",
    "SET character_set_results = NULL", "SET autocommit=1", "SET autocommit=0", "SET sql_mode='STRICT_TRANS_TABLES'", "set session transaction read only", "set session transaction read write",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SELECT @@session.tx_isolation", "select @@session.tx_read_only", "SET SQL_SELECT_LIMIT=1", "SET SQL_SELECT_LIMIT=DEFAULT",
    "set autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')", "SET NAMES utf8mb4", "set session_track_schema=1", "SET NET_WRITE_TIMEOUT=600",
    # Django, SQLAlchemy, Rails, Laravel, Doctrine, Sequelize, GORM
    "SET SQL_AUTO_IS_NULL = 0", "SELECT @@SQL_AUTO_IS_NULL", "SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null, @@lower_case_table_names, "
    "CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL", "SELECT DATABASE()", "SELECT @@tx_isolation", "SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1", "SHOW VARIABLES LIKE 'lower_case%'",
    "SET  @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),  @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483", "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, @@SESSION.sql_mode = 'NO_ZERO_DATE'",
    "set names 'utf8mb4' collate 'utf8mb4_unicode_ci'", "set session sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES'", "SELECT @@autocommit", "ROLLBACK", "COMMIT", "START TRANSACTION", "BEGIN",
    "SAVEPOINT LEVEL1", "ROLLBACK TO SAVEPOINT LEVEL1", "RELEASE SAVEPOINT LEVEL1", "SAVEPOINT `s140_x1`", "RELEASE SAVEPOINT `s140_x1`", "ROLLBACK TO SAVEPOINT `s140_x1`", "START TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "select 1 /*application:shop,action:index*/", "/*traceparent='00-1'*/ select @@autocommit",
    "SELECT GET_LOCK('{a}.x', 0)", "SELECT RELEASE_LOCK('{a}.x')", "SHOW FULL TABLES WHERE table_type = 'VIEW'", "SELECT SCHEMA_NAME from information_schema.SCHEMATA where SCHEMA_NAME = database()",
    "SHOW SESSION VARIABLES LIKE 'sql_mode'", "SHOW WARNINGS", "SELECT LAST_INSERT_ID()", "SELECT ROW_COUNT()", "SELECT FOUND_ROWS()", "set wait_timeout=28800", "USE `{a}`", "USE `{b}`;",
)  # fmt: skip
DUMP = (
    "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */", "/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */", "/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */",
    "/*!40101 SET NAMES utf8mb4 */", "/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */", "/*!40103 SET TIME_ZONE='+00:00' */", "/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */",
    "/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */", "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */", "/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */",
    "DROP TABLE IF EXISTS `n{i}`", "/*!40101 SET @saved_cs_client     = @@character_set_client */", "/*!40101 SET character_set_client = utf8 */", "CREATE TABLE IF NOT EXISTS `n{i}` (`id` int(11) NOT NULL, `x` int) ENGINE=InnoDB",
    "/*!40101 SET character_set_client = @saved_cs_client */", "LOCK TABLES `n{i}` WRITE", "/*!40000 ALTER TABLE `n{i}` DISABLE KEYS */", "INSERT INTO `n{i}` VALUES (1,2),(3,4)", "/*!40000 ALTER TABLE `n{i}` ENABLE KEYS */",
    "UNLOCK TABLES", "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */", "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */", "/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */", "/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */",
    "/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */", "/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */", "/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */",
    "/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */", "/*!99999 SET @a = 7 */", "/*M!100100 SET @b = 8 */", "/*M!999999 SET @b = 9 */", "SET /*!50000 SESSION */ time_zone = '+03:00'",
    "/*!50003 SET sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO' */ ;", "select /*! 1 + */ 2, @a, @b", "FLUSH /*!40101 LOCAL */ TABLES", "SET SESSION NET_READ_TIMEOUT=86400, SESSION NET_WRITE_TIMEOUT=86400",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */", "SELECT @@collation_database", "SET SQL_QUOTE_SHOW_CREATE=1",
)  # fmt: skip


class Programs:
    """Some of a Writer's kinds. `one`, `dice` and `me` are the Writer's."""

    def driver(self):
        return self.one(*DRIVERS)

    def dump(self):
        return self.one(*DUMP).replace("{i}", str(self.me))

    def implicit(self):
        """Ends transactions without saying so, or seems to."""
        i, v = self.me, self.dice.randrange(100, 900)
        return self.one("begin", "begin", "set autocommit = 0", "set autocommit = 1", f"insert into t{i} (v) values ({v})", f"insert into t{i} (v) values ({v})", "rollback", "rollback", "commit", "select @@in_transaction",
                        f"select v from t{i} order by v", f"create table if not exists n{i} (x int)", f"drop table if exists n{i}", f"truncate g{i}", f"alter table u{i} comment 'c'", f"create index if not exists k on u{i} (n)",
                        f"analyze table t{i}", f"lock tables t{i} write", "unlock tables", "create temporary table if not exists tmp (x int)", "drop temporary table if exists tmp", f"create or replace view v{i} as select id from t{i}",
                        f"create or replace procedure q{i}() select 'q', @@in_transaction", f"call q{i}()", f"drop procedure if exists q{i}", f"drop procedure q{i}", f"optimize table u{i}", f"check table t{i}", "savepoint one",
                        "rollback to one", "start transaction read only", f"create table words as select {v} x", f"alter table no_such{i} add x int", "drop table if exists no_such", f"rename table n{i} to m{i}, m{i} to n{i}", "set @@autocommit = 1",
                        f"create or replace procedure q{i}() begin insert into t{i} (v) values ({v}); commit; end", f"select * from t{i} where v = {v} for update", "flush tables", "set autocommit = @a")  # fmt: skip

    def database(self):
        """One of the client's own."""
        i = self.me
        x = f"{{a}}x{self.me}"
        return self.one(f"create database {x}", f"create database if not exists {x} character set latin2", f"use {x}", f"use {x}", ("schema", x), f"drop database {x}", f"drop database if exists {x}", "select database()", "select database(), @@collation_database",
                        f"create or replace database {x} collate utf8mb4_bin", f"alter database {x} character set ascii", f"create table {x}.own{i} (x int auto_increment primary key, s text)",
                        f"create table own{i} (x int)", f"insert into {x}.own{i} (s) values ('a'), ('b')", f"select * from own{i} order by 1", "show tables", f"show create table own{i}", "use {a}", "use {b}", f"drop table own{i}", "set character set utf8mb4", "select collation('x')",
                        "select * from words", "create temporary table tmp (x int)", f"show create database {x}")  # fmt: skip

    def xa(self):
        """Of a name of the client's own; what is prepared ends in the same text, or it would outlive the client."""
        i, v = self.me, self.dice.randrange(100, 900)
        x = f"'{{a}}.x{i}'"
        return self.one(f"xa start {x}", f"xa start {x}", f"xa begin {x}", f"xa end {x}", f"xa end {x}", f"xa commit {x} one phase", f"xa commit {x} one phase", f"xa rollback {x}", f"xa commit {x}", f"insert into t{i} (v) values ({v})",
                        f"xa prepare {x}; xa commit {x}", f"xa prepare {x}; xa rollback {x}", f"xa end {x}; xa prepare {x}; xa commit {x}", "begin", "commit", "rollback", "select @@in_transaction", f"select v from t{i} order by v",
                        f"truncate g{i}", "set autocommit = 0", "set autocommit = 1", "savepoint one", f"xa start '{{a}}.y{i}'", f"xa end '{{a}}.y{i}'", f"xa rollback '{{a}}.y{i}'")  # fmt: skip

    def large(self):
        n = self.one(300, 17000, 70000, 300000)
        return self.one(f"select repeat('x', {n})", f"select id, repeat(w, {n // 10}) from words order by id", f"set @a = repeat('y', {n})", "select length(@a), @b", f"select /* {'c' * (n % 70001)} */ 1", f"set @b = '{'z' * (n % 70001)}'",
                        f"insert into t{self.me} (v, s) values {', '.join(f'({k}, {k % 7})' for k in range(1000, 1000 + n % 1700))}", f"select count(*) from t{self.me}", f"select '{'q' * (n % 70001)}' = '', @a is null",
                        f"select * from t{self.me} t, words w order by w.id, t.id, t.v, t.s", f"update t{self.me} set v = v + 5000 where v >= 1000", f"show warnings", f"insert ignore into t{self.me} (v) values {', '.join('(10)' for _ in range(n % 71))}")  # fmt: skip
