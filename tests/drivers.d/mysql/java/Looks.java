import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.*;
import java.util.*;
import java.util.concurrent.Executors;

/** What MariaDB Connector/J or MySQL Connector/J sees: Looks mariadb | mysql; ../README.md. */
public class Looks {
    static String driver;
    static final String EMOJI = "ü – 漢字 – 🐬 – \\ ' \" \n%";
    static final byte[] MEGABYTE = new byte[1 << 20];

    static String env(String name) { return System.getenv("MY_" + name); }

    interface Work<T> { void run(T t) throws Exception; }
    interface Step { void run() throws Exception; }

    static String url(String db, String more) {
        boolean isClear = env("CA").isEmpty();
        String tls = driver.equals("mysql") ? (isClear ? "&sslMode=DISABLED" : "&sslMode=REQUIRED")
            : isClear ? "" : "&sslMode=verify-full&serverSslCert=" + env("CA");
        return "jdbc:" + driver + "://" + env("HOST") + ":" + env("PORT") + "/" + db + "?a=b" + tls + more;
    }

    static void with(String more, Work<Connection> work) throws Exception {
        try (Connection c = DriverManager.getConnection(url(env("DATABASE"), more), env("USER"), env("PASSWORD"))) {
            work.run(c);
        }
    }

    static void line(String text) {
        byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
    }

    static String text(Object o) {
        if (o instanceof byte[]) o = "x" + HexFormat.of().formatHex((byte[]) o);
        String s = String.valueOf(o).replace("\\", "\\\\").replace("\n", "\\n");
        try {
            return s.length() < 2000 ? s : s.length() + " " + HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(s.getBytes(StandardCharsets.UTF_8)));
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static void see(Object... values) {
        StringJoiner all = new StringJoiner(" | ");
        for (Object o : values) all.add(text(o));
        line(all.toString());
    }

    /** Connector/J appends its own words about the link to a message, with times in them. */
    static void attempt(String what, Step step) { see(tried(what, step)); }

    static Object[] tried(String what, Step step) {
        try {
            step.run();
            return new Object[] {what, "nothing"};
        } catch (SQLException e) {
            return new Object[] {what, e.getClass().getSimpleName(), e.getErrorCode(), e.getSQLState(), String.valueOf(e.getMessage()).split("\n")[0].replaceAll("\\(conn=-?\\d+\\) ", "")};
        } catch (Exception e) {
            return new Object[] {what, e.getClass().getSimpleName()};
        }
    }

    static void rows(ResultSet r) throws SQLException {
        int n = r.getMetaData().getColumnCount();
        while (r.next()) {
            Object[] row = new Object[n];
            for (int i = 0; i < n; i++) row[i] = r.getObject(i + 1);
            see(row);
        }
    }

    static void ask(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            boolean isRows = s.execute(sql);
            for (;;) {
                if (isRows) rows(s.getResultSet());
                else if (s.getUpdateCount() >= 0) see("count", s.getUpdateCount());
                else return;
                isRows = s.getMoreResults();
            }
        }
    }

    static void bound(Connection c, String sql, Object... values) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) s.setObject(i + 1, values[i]);
            if (s.execute()) rows(s.getResultSet());
            else see("count", s.getUpdateCount());
        }
    }

    static final String SERVER = "&useServerPrepStmts=true&cachePrepStmts=true&prepStmtCacheSize=5";

    static void types(Connection c) throws SQLException {
        try (PreparedStatement s = c.prepareStatement("select * from d_types where id <> ? order by id")) {
            s.setInt(1, 9);
            ResultSet r = s.executeQuery();
            ResultSetMetaData m = r.getMetaData();
            while (r.next()) {
                for (int i = 1; i <= m.getColumnCount(); i++) {
                    int column = i;
                    try {
                        see(m.getColumnName(i), m.getPrecision(i), m.getScale(i), m.isSigned(i), m.isNullable(i), r.getString(i), r.getObject(i));
                    } catch (SQLException e) {
                        see(column, e.getMessage());
                    }
                }
            }
        }
    }

    static void keys(String more) throws Exception {
        with(more, c -> {
            try (PreparedStatement s = c.prepareStatement("insert into d_keys (v) values (?)", Statement.RETURN_GENERATED_KEYS)) {
                s.setInt(1, 1);
                see(s.executeUpdate());
                rows(s.getGeneratedKeys());
                for (int i = 0; i < 5; i++) {
                    s.setInt(1, i);
                    s.addBatch();
                }
                see(Arrays.toString(s.executeBatch()));
                rows(s.getGeneratedKeys());
            }
            for (String sql : List.of("update d_keys set v = 7", "update d_keys set v = 7", "delete from d_keys", "truncate d_keys")) ask(c, sql);
        });
    }

    /** What a query is told that another thread ends, and what that one is told. */
    static void ended(Work<Statement> query, Connection c, Work<Statement> how) throws Exception {
        Statement s = c.createStatement();
        List<Object[]> said = new ArrayList<>();
        Thread t = new Thread(() -> {
            try {
                Thread.sleep(700);
            } catch (InterruptedException e) {
                return;
            }
            said.add(tried("killer", () -> how.run(s)));
        });
        attempt("ended", () -> {
            t.start();
            query.run(s);
        });
        t.join();
        see(said.get(0));
        attempt("later", () -> ask(c, "select 1"));
    }

    static void features(Map<String, Step> all) {
        all.put("login", () -> {
            with("", c -> ask(c, "select 1, current_user(), database(), @@character_set_client, @@autocommit"));
            with("&sessionVariables=sql_mode='ANSI',time_zone='SYSTEM'&connectionCollation=utf8mb4_bin", c -> ask(c, "select @@sql_mode, @@time_zone, @@collation_connection"));
            try (Connection c = DriverManager.getConnection(url("", ""), env("USER"), env("PASSWORD"))) {
                ask(c, "select database()");
            }
            attempt("login", () -> DriverManager.getConnection(url(env("DATABASE"), ""), env("USER"), "wrong").close());
            attempt("login", () -> DriverManager.getConnection(url(env("DATABASE"), ""), "nobody", env("PASSWORD")).close());
        });
        all.put("tls", () -> {
            if (env("CA").isEmpty()) {
                line("-");
                return;
            }
            with("", c -> line("encrypted yes"));
            attempt("in clear", () -> with(driver.equals("mysql") ? "&sslMode=DISABLED" : "&sslMode=disable", c -> { }));
            if (driver.equals("mariadb")) {
                try {
                    with("&serverSslCert=" + env("OTHER_CA"), c -> line("stranger taken"));
                } catch (SQLException e) {
                    line("stranger refused");
                }
            }
        });
        all.put("types", () -> {
            with("", Looks::types);
            with(SERVER, Looks::types);
        });
        all.put("metadata", () -> with("", c -> {
            try (Statement s = c.createStatement()) {
                ResultSetMetaData m = s.executeQuery("select * from d_types").getMetaData();
                for (int i = 1; i <= m.getColumnCount(); i++) see(m.getColumnName(i), m.getColumnTypeName(i), m.getColumnClassName(i), m.getTableName(i));
            }
        }));
        all.put("unicode", () -> {
            for (String more : List.of("", SERVER)) {
                with(more, c -> {
                    bound(c, "insert into d_texts (t) values (?)", EMOJI);
                    bound(c, "select t, length(t), t = ?, ? as `漢字` from d_texts", EMOJI, EMOJI);
                });
            }
        });
        all.put("prepared", () -> with(SERVER, c -> {
            bound(c, "select ?, ?, ?, ?, ?, ?", 1, "x", null, 1.5, new byte[] {0, -1}, Timestamp.valueOf("2026-01-01 00:00:00.5"));
            for (int i = 0; i < 20; i++) bound(c, "select " + i % 12 + " + ?", i);
            attempt("error", () -> bound(c, "select * from nowhere where a = ?", 1));
            attempt("error", () -> bound(c, "insert into d_money values (?, ?)", 1, -1));
            try (CallableStatement s = c.prepareCall("{call d_out(?, ?, ?)}")) {
                s.setInt(1, 21);
                s.registerOutParameter(2, Types.INTEGER);
                s.setString(3, "x");
                s.registerOutParameter(3, Types.VARCHAR);
                see(s.execute());
                see(s.getInt(2), s.getString(3));
            }
            see(c.prepareStatement("select ?, 1 as one").getMetaData().getColumnCount(), c.prepareStatement("select ?, ?").getParameterMetaData().getParameterCount());
        }));
        all.put("results", () -> {
            with("&allowMultiQueries=true", c -> {
                for (String sql : List.of("select 1; select 'two', 2; do 1; select 3", "call d_two()")) ask(c, sql);
                attempt("in the middle", () -> ask(c, "select 1; selec"));
                ask(c, "select 1");
            });
            attempt("one only", () -> with("", c -> ask(c, "select 1; select 2")));
        });
        all.put("keys", () -> {
            for (String more : List.of("", SERVER, "&useAffectedRows=true", "&rewriteBatchedStatements=true&useBulkStmts=true")) keys(more);
        });
        all.put("transactions", () -> with("", c -> with("", other -> {
            c.setAutoCommit(false);
            ask(c, "insert into d_money values (1, 10)");
            ask(other, "select * from d_money");
            c.rollback();
            ask(c, "insert into d_money values (1, 11)");
            Savepoint p = c.setSavepoint("here");
            ask(c, "update d_money set v = 12");
            c.rollback(p);
            c.commit();
            ask(other, "select * from d_money");
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            c.setReadOnly(true);
            attempt("read only", () -> ask(c, "update d_money set v = 13"));
            c.rollback();
            see(c.getTransactionIsolation(), c.isReadOnly(), c.getAutoCommit());
        })));
        all.put("errors", () -> with("", c -> {
            for (String sql : List.of("selec", "select * from nowhere", "select nothing", "insert into d_money values ('x', 1)", "insert into d_money values (2, -1)",
                "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", "select if(seq < 5, seq, (select 1 union select 2)) from seq_1_to_9")) {
                attempt(sql.substring(0, 5), () -> ask(c, sql));
            }
            try (Statement s = c.createStatement()) {
                s.executeQuery("select 1/0");
                see(s.getWarnings());
            }
        }));
        all.put("large", () -> {
            for (String more : List.of("", SERVER)) {
                with(more + "&maxAllowedPacket=67108864", c -> {
                    for (int n : new int[] {1, 17}) {
                        byte[] data = new byte[n << 20];
                        for (int i = 0; i < n; i++) System.arraycopy(MEGABYTE, 0, data, i << 20, 1 << 20);
                        bound(c, "replace into d_large values (?, ?)", n, data);
                        try (PreparedStatement s = c.prepareStatement("replace into d_large values (?, ?)")) {
                            s.setInt(1, n + 100);
                            s.setBinaryStream(2, new java.io.ByteArrayInputStream(data), data.length);
                            see(s.executeUpdate());
                        }
                    }
                    bound(c, "select id, md5(data), data, length(data) from d_large where id > ? order by id", 0);
                });
            }
        });
        all.put("stream", () -> with("", c -> {
            try (Statement s = c.createStatement()) {
                s.setFetchSize(driver.equals("mysql") ? Integer.MIN_VALUE : 10);
                ResultSet r = s.executeQuery("select seq, repeat('x', 500) from seq_1_to_20000");
                long sum = 0;
                while (r.next()) sum += r.getInt(1);
                see(sum);
                r = s.executeQuery("select seq from seq_1_to_20000");
                r.next();
                r.close();
            }
            ask(c, "select 1");
        }));
        all.put("cursor", () -> {
            if (driver.equals("mariadb")) {
                line("-");
                return;
            }
            with(SERVER + "&useCursorFetch=true&defaultFetchSize=7", c -> {
                try (PreparedStatement s = c.prepareStatement("select seq, repeat('x', 500) from seq_1_to_200 where seq > ?")) {
                    s.setInt(1, 3);
                    ResultSet r = s.executeQuery();
                    long sum = 0;
                    for (int i = 0; r.next(); i++) {
                        sum += r.getInt(1);
                        if (i == 50) ask(c, "select 'between'");
                    }
                    see(sum);
                }
                bound(c, "select 1 where 0 = ?", 1);
                attempt("error", () -> bound(c, "select if(seq < 5, seq, (select 1 union select 2)) from seq_1_to_90 where seq > ?", 1));
            });
        });
        all.put("schema", () -> with("", c -> {
            c.setCatalog("information_schema");
            ask(c, "select database()");
            see(c.getCatalog());
            attempt("nowhere", () -> c.setCatalog("nowhere"));
            DatabaseMetaData m = c.getMetaData();
            see(m.getDriverName());
            rows(m.getTables("shop", null, "d\\_%", null));
            rows(m.getColumns("shop", null, "d\\_types", null));
            rows(m.getIndexInfo("shop", null, "d_keys", false, false));
            rows(m.getProcedures("shop", null, "d\\_%"));
            rows(m.getProcedureColumns("shop", null, "d_out", null));
        }));
        all.put("reset", () -> {
            if (driver.equals("mysql")) {
                line("-");
                return;
            }
            with("&useResetConnection=true", c -> {
                ask(c, "set @a = 1");
                ((org.mariadb.jdbc.Connection) c).reset();
                ask(c, "select @a, database()");
            });
        });
        all.put("ping", () -> with("", c -> {
            see(c.isValid(2));
            try (Statement s = c.createStatement()) {
                rows(s.executeQuery("/* ping */ select 1"));
            }
            see(c.isValid(0));
        }));
        all.put("timeout", () -> {
            attempt("socket", () -> with("&socketTimeout=700", c -> ask(c, "select sleep(3)")));
            with("", c -> {
                ask(c, "set max_statement_time = 0.5");
                attempt("server", () -> ask(c, "select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7"));
            });
            with("", c -> {
                c.setNetworkTimeout(Executors.newSingleThreadExecutor(r -> { Thread t = new Thread(r); t.setDaemon(true); return t; }), 5000);
                see(c.getNetworkTimeout());
                ask(c, "select 1");
            });
        });
        all.put("kill", () -> with("", c -> with("", other -> {
            ResultSet r = c.createStatement().executeQuery("select connection_id()");
            r.next();
            long id = r.getLong(1);
            ended(s -> rows(s.executeQuery("select sleep(3)")), c, s -> other.createStatement().execute("kill query " + id));
        })));
        all.put("cancel", () -> {
            with("", c -> ended(s -> rows(s.executeQuery("select sleep(2)")), c, Statement::cancel));
            with("", c -> {
                Statement s = c.createStatement();
                s.setQueryTimeout(1);
                attempt("time limit", () -> rows(s.executeQuery("select sleep(3)")));
                attempt("later", () -> ask(c, "select 1"));
            });
        });
        all.put("attributes", () -> with("&connectionAttributes=program_name:looks,more:" + "x".repeat(300), c -> ask(c, "select 1")));
        all.put("compress", () -> with("&useCompression=true", c -> {
            ask(c, "select repeat('x', 100000)");
            ask(c, "select 1");
        }));
        all.put("change_user", () -> {
            if (driver.equals("mariadb")) {
                line("-");
                return;
            }
            with("", c -> {
                attempt("changed", () -> ((com.mysql.cj.jdbc.JdbcConnection) c).changeUser(env("USER"), env("PASSWORD")));
                attempt("reset", () -> ((com.mysql.cj.jdbc.JdbcConnection) c).resetServerState());
                ask(c, "select 1");
            });
        });
        all.put("infile", () -> with(driver.equals("mysql") ? "&allowLoadLocalInfile=true" : "&allowLocalInfile=true", c -> {
            attempt("loaded", () -> ask(c, "load data local infile '" + env("FOLDER") + "/rows.txt' into table d_loaded"));
            ask(c, "select * from d_loaded");
        }));
    }

    public static void main(String[] args) throws Exception {
        driver = args[0];
        for (int i = 0; i < MEGABYTE.length; i++) MEGABYTE[i] = (byte) i;
        Driver d = (Driver) Class.forName(driver.equals("mysql") ? "com.mysql.cj.jdbc.Driver" : "org.mariadb.jdbc.Driver").getDeclaredConstructor().newInstance();
        String number = driver.equals("mysql") ? com.mysql.cj.Constants.CJ_VERSION : org.mariadb.jdbc.util.VersionFactory.getInstance().getVersion();
        line("version " + (driver.equals("mysql") ? "MySQL_Connector/J " : "MariaDB_Connector/J ") + number);
        Map<String, Step> all = new LinkedHashMap<>();
        features(all);
        for (Map.Entry<String, Step> f : all.entrySet()) {
            line("begin " + f.getKey());
            try {
                f.getValue().run();
            } catch (Throwable e) {
                line("raised " + text(e.getClass().getSimpleName() + " " + String.valueOf(e.getMessage()).split("\n")[0].replaceAll("\\(conn=-?\\d+\\) ", "")));
            }
        }
        line("end");
        System.exit(0);
    }
}
