// Flyway and Liquibase: a program for tools.py. Prints what it sees; its database is that of PGHOST and so on, its folder the
// current one. Arguments: flyway | flyway-session | liquibase, then all | together, with liquibase also prepare.

import java.io.PrintStream;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Arrays;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import liquibase.Contexts;
import liquibase.LabelExpression;
import liquibase.Liquibase;
import liquibase.Scope;
import liquibase.database.Database;
import liquibase.database.DatabaseFactory;
import liquibase.database.jvm.JdbcConnection;
import liquibase.lockservice.LockServiceFactory;
import liquibase.resource.DirectoryResourceAccessor;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.MigrationInfo;
import org.flywaydb.core.api.configuration.FluentConfiguration;

public class Migrate {
    static final String URL = "jdbc:postgresql://" + env("PGHOST") + ":" + env("PGPORT") + "/" + env("PGDATABASE");

    static String env(String name) {
        return System.getenv(name);
    }

    static void write(String path, String text) throws Exception {
        Path p = Path.of(path);
        if (p.getParent() != null) Files.createDirectories(p.getParent());
        Files.writeString(p, text);
    }

    interface Work {
        void run() throws Exception;
    }

    static void trying(String what, Work work) throws Exception {
        try {
            work.run();
        } catch (Exception e) {
            Throwable t = e;
            while (t.getCause() != null) t = t.getCause();
            System.out.println(what + ": " + e.getClass().getSimpleName() + ", " + String.valueOf(t.getMessage()).lines().findFirst().orElse(""));
        }
    }

    // ---- Flyway ----

    static Flyway flyway(boolean session, String... more) {
        FluentConfiguration c = Flyway.configure().dataSource(URL, env("PGUSER"), env("PGPASSWORD")).locations("filesystem:sql");
        c.cleanDisabled(false).mixed(session).connectRetries(3).lockRetryCount(100).placeholders(Map.of("colour", "red"));
        c.configuration(Map.of("flyway.postgresql.transactional.lock", String.valueOf(!session)));
        if (more.length > 0) c.target(more[0]);
        return c.load();
    }

    static void show(Flyway f) {
        for (MigrationInfo i : f.info().all()) {
            System.out.println(i.getVersion() + " " + i.getDescription() + " " + i.getState() + " " + i.getChecksum());
        }
    }

    static void flywayFiles(boolean session) throws Exception {
        write("sql/V1__items.sql", "create table item (id bigserial primary key, name text);\ninsert into item (name) values ('${colour}'), ('two');\n"
            + "set search_path to public, pg_catalog;\nset work_mem to '3MB';\nset app.who to 'flyway';\nselect pg_sleep(1);\n");
        write("sql/V1.1__copied.sql", "copy item (name) from stdin;\nthree\nfour\n\\.\ncreate function twice(int) returns int language plpgsql as\n"
            + "$$ begin return $1 * 2; end; $$;\ndo $$ begin raise notice 'done'; end $$;\n");
        write("sql/V2__colour.sql", "create type colour as enum ('red', 'green');\nalter table item add colour colour default '${colour}';\n");
        if (session) write("sql/V3__index.sql", "create index concurrently item_name on item (name);\n");
        write("sql/V4__fails.sql", "create table lost (n int);\nselect 1 / 0;\n");
        write("sql/R__views.sql", "create or replace view names as select name from item;\n");
        write("sql/beforeMigrate.sql", "set client_min_messages to warning;\ncreate temp table if not exists run (n int);\n");
    }

    static void flywayDays(boolean session) throws Exception {
        flywayFiles(session);
        flyway(session, "2").migrate();
        show(flyway(session));
        trying("migrate", () -> flyway(session).migrate());
        show(flyway(session));
        Files.writeString(Path.of("sql/V4__fails.sql"), "create table found (n int);\n");
        trying("validate", () -> flyway(session).validate());
        trying("repair", () -> flyway(session).repair());
        trying("again", () -> System.out.println(flyway(session).migrate().migrationsExecuted));
        write("sql/R__views.sql", "create or replace view names as select name, twice(id::int) as twice from item;\n");
        System.out.println(flyway(session).migrate().migrationsExecuted);
        show(flyway(session));
        flyway(session).clean();
        Flyway.configure().configuration(flyway(session).getConfiguration()).baselineVersion("0").load().baseline();
        System.out.println(flyway(session).migrate().migrationsExecuted);
    }

    // ---- Liquibase ----

    static final String CHANGES = """
        databaseChangeLog:
        - changeSet:
            id: 1
            author: a
            changes:
            - createTable:
                tableName: item
                columns:
                - column: {name: id, type: bigint, autoIncrement: true, constraints: {primaryKey: true}}
                - column: {name: name, type: varchar(40), constraints: {nullable: false}}
                - column: {name: at, type: timestamptz, defaultValueComputed: now()}
            - sql: {sql: select pg_sleep(1)}
        - changeSet:
            id: 2
            author: a
            changes:
            - insert: {tableName: item, columns: [column: {name: name, value: "it's"}, column: {name: at, valueDate: "2026-03-29T00:30:00"}]}
            - addColumn: {tableName: item, columns: [column: {name: colour, type: text, defaultValue: red}]}
            - createIndex: {indexName: item_name, tableName: item, columns: [column: {name: name}]}
            - tagDatabase: {tag: two}
            rollback:
            - dropIndex: {indexName: item_name, tableName: item}
            - dropColumn: {tableName: item, columnName: colour}
        - changeSet:
            id: 3
            author: a
            runInTransaction: false
            changes:
            - sql: {sql: "create index concurrently item_colour on item (colour)"}
            rollback:
            - sql: {sql: "drop index item_colour"}
        - changeSet:
            id: 4
            author: a
            preConditions: [onFail: MARK_RAN, tableExists: {tableName: nothing}]
            changes:
            - sql: {sql: "select 1 / 0"}
            rollback:
            - sql: {sql: "select 1"}
        - changeSet:
            id: 5
            author: a
            context: failing
            changes:
            - createTable: {tableName: lost, columns: [column: {name: n, type: int}]}
            - sql: {sql: "select 1 / 0"}
        """;

    static void with(Work2 work) throws Exception {
        write("changes.yaml", CHANGES);
        try (Connection c = DriverManager.getConnection(URL, env("PGUSER"), env("PGPASSWORD"))) {
            Database d = DatabaseFactory.getInstance().findCorrectDatabaseImplementation(new JdbcConnection(c));
            work.run(new Liquibase("changes.yaml", new DirectoryResourceAccessor(Path.of(".")), d), d);
        }
    }

    interface Work2 {
        void run(Liquibase l, Database d) throws Exception;
    }

    static void show(Liquibase l) throws Exception {
        StringWriter out = new StringWriter();
        l.reportStatus(true, new Contexts("plain"), out);
        System.out.println(out);
    }

    static void liquibase() throws Exception {
        with((l, d) -> {
            show(l);
            l.update(new Contexts("plain"));
            show(l);
            StringWriter sql = new StringWriter();
            l.rollback("two", null, new Contexts("plain"), new LabelExpression(), sql);
            System.out.println(sql.toString().lines().filter(x -> !x.startsWith("--") && !x.contains("LOCK")).toList());
            l.rollback(2, new Contexts("plain"), new LabelExpression());
            show(l);
            trying("failing", () -> l.update(new Contexts("failing")));
            System.out.println(Arrays.toString(l.listLocks()).length());
            l.forceReleaseLocks();
            l.update(new Contexts("plain"));
            l.clearCheckSums();
            l.validate();
            show(l);
            System.out.println(l.tagExists("two") + " " + l.tagExists("three"));
        });
    }

    public static void main(String[] args) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF);
        boolean together = args[1].equals("together"), session = args[0].equals("flyway-session");
        trying(args[0], () -> {
            if (args[0].equals("liquibase")) {
                System.setErr(new PrintStream(PrintStream.nullOutputStream()));
                Scope.child(Map.of(Scope.Attr.ui.name(), new liquibase.ui.LoggerUIService()), () -> {
                    if (args[1].equals("prepare")) with((l, d) -> LockServiceFactory.getInstance().getLockService(d).init());
                    else if (together) with((l, d) -> l.update(new Contexts("plain")));
                    else liquibase();
                });
            } else if (together) {
                flywayFiles(session);
                flyway(session, session ? "3" : "2").migrate();
            } else {
                flywayDays(session);
            }
            System.out.println("done");
        });
    }
}
