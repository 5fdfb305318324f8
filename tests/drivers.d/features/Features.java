// pgjdbc: fetch sizes, batches rewritten or not, binary transfer, CopyManager, large objects, XA, several hosts, notifications.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.*;
import javax.sql.XAConnection;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.ds.PGPoolingDataSource;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;
import org.postgresql.xa.PGXADataSource;

public final class Features {
    interface Work { void run() throws Exception; }

    static final Map<String, String> ENV = System.getenv();
    static final boolean MOVES = !ENV.get("FEATURES_ROUTE").equals("direct");
    static final String PORT = ENV.get("PGPORT"), DATABASE = ENV.get("PGDATABASE");
    static final Map<String, Work> FEATURES = new LinkedHashMap<>();
    static final List<Connection> OPEN = new ArrayList<>();

    static class Missing extends RuntimeException { }

    static Connection at(String where, String password) throws SQLException {
        Connection c = DriverManager.getConnection("jdbc:postgresql://" + where, ENV.get("PGUSER"), password);
        OPEN.add(c);
        return c;
    }

    static Connection connect(String more) throws SQLException {
        return at("127.0.0.1:" + PORT + "/" + DATABASE + "?connectTimeout=10&" + more, ENV.get("PGPASSWORD"));
    }

    static Connection connect() throws SQLException { return connect(""); }

    static void exec(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) { s.execute(sql); }
    }

    // All values, row by row.
    static List<Object> rows(Connection c, String sql, Object... args) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) { return rows(s, args); }
    }

    static List<Object> rows(PreparedStatement s, Object... args) throws SQLException {
        for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
        List<Object> got = new ArrayList<>();
        try (ResultSet r = s.executeQuery()) {
            while (r.next()) for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) got.add(r.getObject(i));
        }
        return got;
    }

    static void equal(Object got, Object expected) {
        if (!Objects.deepEquals(got, expected)) throw new RuntimeException("got " + shown(got) + ", not " + shown(expected));
    }

    static String shown(Object v) {
        String s = v instanceof byte[] ? Arrays.toString((byte[]) v) : String.valueOf(v);
        return s.substring(0, Math.min(s.length(), 200));
    }

    static SQLException fails(String what, Work work) throws Exception {
        try {
            work.run();
        } catch (SQLException e) {
            for (Throwable t = e; t != null; t = t.getCause()) if (String.valueOf(t.getMessage()).contains(what)) return e;
            if (what.equals(e.getSQLState())) return e;
            throw new RuntimeException("error " + e.getSQLState() + " " + e.getMessage() + ", not " + what);
        }
        throw new RuntimeException("no error " + what);
    }

    static void moved(Set<String> pids) {
        Set<String> clients = new HashSet<>();
        for (String p : pids) clients.add(p.split(" ")[0]);
        if (MOVES != (pids.size() > clients.size())) throw new RuntimeException("statements were done by " + pids.size() + " server processes");
    }

    static void login() throws Exception {
        Connection c = connect("ApplicationName=features-of-pgjdbc");
        equal(rows(c, "select current_user::text, current_setting('application_name')"), List.of(ENV.get("PGUSER"), "features-of-pgjdbc"));
        equal(c.isValid(5), true);
        fails("28P01", () -> at("127.0.0.1:" + PORT + "/" + DATABASE, "wrong"));
        fails("3D000", () -> at("127.0.0.1:" + PORT + "/nowhere_at_all", ENV.get("PGPASSWORD")));
    }

    static void tls() throws Exception {
        String more = "/" + DATABASE + "?sslmode=verify-full&sslrootcert=";
        Connection c = at("localhost:" + PORT + more + ENV.get("FEATURES_CA"), ENV.get("PGPASSWORD"));
        equal(rows(c, "select 1"), List.of(1));
        fails("unable to find valid certification path", () -> at("localhost:" + PORT + more + ENV.get("FEATURES_OTHER_CA"), ENV.get("PGPASSWORD")));
        fails("could not be verified", () -> at("127.0.0.1:" + PORT + more + ENV.get("FEATURES_CA"), ENV.get("PGPASSWORD")));
    }

    static void hosts() throws Exception {
        String where = "127.0.0.1:" + ENV.get("FEATURES_DEAD_PORT") + ",127.0.0.1:" + PORT + "/" + DATABASE + "?hostRecheckSeconds=0&targetServerType=";
        for (String wanted : List.of("any", "primary", "preferSecondary", "primary&loadBalanceHosts=true")) {
            equal(rows(at(where + wanted, ENV.get("PGPASSWORD")), "select 5"), List.of(5));
        }
        fails("Could not find a server with specified targetServerType", () -> at(where + "secondary", ENV.get("PGPASSWORD")));
    }

    static void settings() throws Exception {
        List<Connection> some = new ArrayList<>();
        Set<String> pids = new HashSet<>();
        for (int i = 0; i < 5; i++) {
            some.add(connect("currentSchema=s" + i + "&options=-c%20app.mine=" + i));
            exec(some.get(i), "set intervalstyle to " + (i % 2 == 0 ? "iso_8601" : "postgres"));
        }
        for (int n = 0; n < 5; n++) {
            some.get(n).setAutoCommit(false); // somebody else has to do without this one's server connection
            rows(some.get(n), "select 1");
            for (int i = 0; i < 5; i++) {
                List<Object> got = rows(some.get(i), "select current_setting('search_path'), current_setting('app.mine'), current_setting('intervalstyle'), pg_backend_pid()");
                equal(got.subList(0, 3), List.of("s" + i, "" + i, i % 2 == 0 ? "iso_8601" : "postgres"));
                equal(some.get(i).getSchema(), null);
                pids.add(i + " " + got.get(3));
            }
            some.get(n).commit();
            some.get(n).setAutoCommit(true);
        }
        some.get(0).setSchema("pg_catalog");
        equal(some.get(0).getSchema(), "pg_catalog");
        equal(rows(some.get(1), "show search_path"), List.of("s1"));
        moved(pids);
    }

    static void thereAndBack(String more) throws Exception {
        Connection c = connect(more);
        OffsetDateTime when = OffsetDateTime.parse("2024-02-29T12:30:15.123456Z");
        UUID uuid = new UUID(0, 77);
        PGobject json = new PGobject();
        json.setType("jsonb");
        json.setValue("{\"a\": [1, \"ü\"]}");
        try (PreparedStatement s = c.prepareStatement("select ?, ?, ?, ?, ?, ?::text, ?, ?, ?, ?, ?::text, ?, ?")) {
            for (int n = 0; n < 7; n++) {
                Object[] values = {1, 1L << 40, 1.5, new BigDecimal("12345.6789"), true, "ä€𝄞'\\", when, LocalDate.of(2024, 2, 29), uuid, json, null, (short) 7};
                for (int i = 0; i < values.length; i++) s.setObject(i + 1, values[i]);
                s.setNull(11, Types.VARCHAR);
                s.setBytes(13, new byte[] {0, -1, 39});
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    for (int i = 0; i < values.length; i++) {
                        Object got = values[i] == null ? r.getObject(i + 1) : values[i] instanceof Short ? (Object) r.getShort(i + 1) : r.getObject(i + 1, values[i].getClass());
                        equal(got, values[i]);
                    }
                    equal(r.getBytes(13), new byte[] {0, -1, 39});
                }
                try (PreparedStatement a = c.prepareStatement("select ?::int[], ?::text[]")) {
                    a.setArray(1, c.createArrayOf("int4", new Integer[] {1, null, 3}));
                    a.setArray(2, c.createArrayOf("text", new String[] {"a,b", "\""}));
                    try (ResultSet r = a.executeQuery()) {
                        r.next();
                        equal(r.getArray(1).getArray(), new Integer[] {1, null, 3});
                        equal(r.getArray(2).getArray(), new String[] {"a,b", "\""});
                    }
                }
            }
        }
    }

    static void types() throws Exception { thereAndBack("binaryTransfer=false"); }

    static void binary() throws Exception {
        for (String more : List.of("", "prepareThreshold=-1", "prepareThreshold=1&binaryTransferEnable=TIMESTAMPTZ,NUMERIC,BOOL")) thereAndBack(more);
    }

    static void large() throws Exception {
        Connection c = connect("adaptiveFetch=true&defaultRowFetchSize=10&maxResultBuffer=20M");
        for (int n = 0; n < 6; n++) {
            equal(rows(c, "select length(?), repeat('y', 3000000)", "x".repeat(3000000)), List.of(3000000, "y".repeat(3000000)));
        }
        c.setAutoCommit(false);
        equal(rows(c, "select length(repeat('z', 10000)) from generate_series(1, 1000)").size(), 1000);
        c.commit();
    }

    static void prepared() throws Exception {
        Set<String> pids = new HashSet<>();
        for (String more : List.of("prepareThreshold=1&preparedStatementCacheQueries=3", "preferQueryMode=extendedCacheEverything", "reWriteBatchedInserts=true")) {
            List<Connection> some = new ArrayList<>();
            for (int i = 0; i < 5; i++) some.add(connect(more));
            for (int n = 1; n <= 8; n++) {
                Connection holder = some.get(n % 5);
                holder.setAutoCommit(false);
                rows(holder, "select 1");
                for (int i = 0; i < 5; i++) {
                    for (int k = 0; k < 4; k++) { // one more than are kept
                        List<Object> got = rows(some.get(i), "select name, " + i + ", " + k + ", pg_backend_pid() from feature_items where id = ?", n);
                        equal(got.subList(0, 3), List.of("item " + n, i, k));
                        pids.add(more + i + " " + got.get(3));
                    }
                }
                holder.commit();
                holder.setAutoCommit(true);
            }
            try (PreparedStatement s = some.get(0).prepareStatement("select ?::int + 1")) {
                s.unwrap(PGStatement.class).setPrepareThreshold(1);
                for (int n = 0; n < 4; n++) equal(rows(s, n), List.of(n + 1));
                equal(s.unwrap(PGStatement.class).isUseServerPrepare(), true);
                exec(some.get(0), "deallocate all");
                equal(rows(s, 5), List.of(6));
            }
            for (Connection c : some) c.close();
        }
        moved(pids);
    }

    static void cursor() throws Exception {
        List<Connection> some = List.of(connect("prepareThreshold=1"), connect("defaultRowFetchSize=70"));
        List<ResultSet> results = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            some.get(i).setAutoCommit(false);
            PreparedStatement s = some.get(i).prepareStatement("select ? + n from generate_series(1, 1000) n");
            s.setFetchSize(70);
            s.setInt(1, i * 10000);
            results.add(s.executeQuery());
        }
        for (int n = 1; n <= 1000; n++) {
            for (int i = 0; i < 2; i++) {
                equal(results.get(i).next(), true);
                equal(results.get(i).getInt(1), i * 10000 + n);
                if (n % 300 == 0) equal(rows(some.get(i), "select 7"), List.of(7));
            }
        }
        equal(results.get(0).next(), false);
        exec(some.get(0), "create function pg_temp.two() returns refcursor language plpgsql as $$ declare c refcursor; begin open c for select id, name "
            + "from feature_items order by id; return c; end $$");
        try (CallableStatement f = some.get(0).prepareCall("{ ? = call pg_temp.two() }")) { // a cursor that a function opened
            f.registerOutParameter(1, Types.OTHER);
            f.execute();
            try (ResultSet r = (ResultSet) f.getObject(1)) {
                int n = 0;
                while (r.next()) equal(r.getString(2), "item " + ++n);
                equal(n, 100);
            }
        }
        for (Connection c : some) c.rollback();
    }

    static void hold() throws Exception {
        List<Connection> some = List.of(connect(), connect());
        List<ResultSet> results = new ArrayList<>();
        for (Connection c : some) {
            c.setHoldability(ResultSet.HOLD_CURSORS_OVER_COMMIT);
            c.setAutoCommit(false);
            Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE, ResultSet.HOLD_CURSORS_OVER_COMMIT);
            s.setFetchSize(10);
            results.add(s.executeQuery("select id, name, v from feature_items order by id"));
            c.commit();
        }
        for (int i = 0; i < 2; i++) {
            ResultSet r = results.get(i);
            equal(r.absolute(50), true);
            equal(r.getString(2), "item 50");
            r.updateString(2, "changed");
            r.updateRow();
            some.get(i).commit();
            equal(rows(some.get(1 - i), "select name from feature_items where id = 50"), List.of("changed"));
            r.updateString(2, "item 50");
            r.updateRow();
            some.get(i).commit();
            some.get(1 - i).commit();
        }
    }

    static void batch() throws Exception {
        for (String more : List.of("", "reWriteBatchedInserts=true", "preferQueryMode=simple", "prepareThreshold=1")) {
            Connection c = connect(more);
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("insert into feature_items (id, name) values (?, ?)")) {
                for (int i = 0; i < 3000; i++) {
                    s.setInt(1, 1000 + i);
                    s.setString(2, "b" + i);
                    s.addBatch();
                }
                equal(s.executeBatch().length, 3000);
                equal(rows(c, "select count(*) from feature_items where id >= 1000"), List.of(3000L));
                c.commit();
                for (int id : new int[] {5000, 1, 5001}) {
                    s.setInt(1, id);
                    s.setString(2, "x");
                    s.addBatch();
                }
                fails("feature_items_pkey", s::executeBatch);
                c.rollback();
            }
            try (Statement s = c.createStatement()) {
                for (int i = 0; i < 30; i++) s.addBatch("delete from feature_items where id between " + (1000 + i * 100) + " and " + (1099 + i * 100));
                equal(Arrays.stream(s.executeBatch()).sum(), 3000);
                s.execute("select 1; select 2");
                equal(s.getMoreResults(), true);
            }
            c.commit();
            equal(rows(c, "select count(*) from feature_items"), List.of(100L));
            c.close();
        }
    }

    static void copyin() throws Exception {
        Connection c = connect();
        var copies = c.unwrap(PGConnection.class).getCopyAPI();
        StringBuilder lines = new StringBuilder();
        for (int i = 2000; i < 7000; i++) lines.append(i).append("\tcopied ").append(i).append("\t\\N\n");
        equal(copies.copyIn("copy feature_items from stdin", new ByteArrayInputStream(lines.toString().getBytes(StandardCharsets.UTF_8))), 5000L);
        equal(rows(c, "select count(*), min(name) from feature_items where id >= 2000"), List.of(5000L, "copied 2000"));
        exec(c, "delete from feature_items where id >= 2000");
        fails("22P02", () -> copies.copyIn("copy feature_items from stdin", new ByteArrayInputStream("no number\tx\t1\n".getBytes())));
        var given = copies.copyIn("copy feature_items from stdin");
        given.writeToCopy("9000\tx\t1\n".getBytes(), 0, 9);
        given.cancelCopy();
        equal(rows(c, "select count(*) from feature_items"), List.of(100L));
    }

    static void copyout() throws Exception {
        Connection c = connect();
        var copies = c.unwrap(PGConnection.class).getCopyAPI();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        equal(copies.copyOut("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv", out), 20000L);
        StringBuilder expected = new StringBuilder();
        for (int n = 1; n <= 20000; n++) expected.append(n).append(",row ").append(n).append('\n');
        equal(out.toString(StandardCharsets.UTF_8), expected.toString());
        equal(rows(c, "select 5"), List.of(5));
    }

    static void listen() throws Exception {
        Connection c = connect(), deaf = connect(), other = connect();
        exec(c, "listen feature_channel");
        List<String> got = new ArrayList<>();
        for (int i = 0; i < 3; i++) rows(other, "select pg_notify('feature_channel', ?)::text", "payload " + i + " ü");
        for (int n = 0; n < 20 && got.size() < 3; n++) {
            for (PGNotification note : c.unwrap(PGConnection.class).getNotifications(500)) got.add(note.getName() + " " + note.getParameter());
        }
        equal(got, List.of("feature_channel payload 0 ü", "feature_channel payload 1 ü", "feature_channel payload 2 ü"));
        exec(c, "unlisten *");
        exec(other, "notify feature_channel, 'late'");
        equal(rows(c, "select 2"), List.of(2));
        for (Connection one : List.of(c, deaf)) {
            PGNotification[] late = one.unwrap(PGConnection.class).getNotifications(200);
            equal(late == null ? 0 : late.length, 0);
        }
    }

    static void cancel() throws Exception {
        Connection c = connect(), other = connect();
        for (int n = 0; n < 2; n++) {
            Statement s = c.createStatement();
            Thread later = new Thread(() -> {
                try { Thread.sleep(300); s.cancel(); } catch (Exception e) { throw new RuntimeException(e); }
            });
            later.start();
            fails("57014", () -> s.execute("select pg_sleep(20)"));
            later.join();
            s.setQueryTimeout(1);
            fails("57014", () -> s.execute("select pg_sleep(20)"));
            s.close();
            equal(rows(c, "select 3"), List.of(3));
            equal(rows(other, "select ?::int", n), List.of(n));
        }
    }

    static void transactions() throws Exception {
        for (String more : List.of("", "autosave=always", "autosave=conservative")) {
            Connection c = connect(more), other = connect();
            c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            c.setAutoCommit(false);
            equal(rows(c, "select name from feature_items where id = 1"), List.of("item 1"));
            exec(other, "update feature_items set name = 'changed' where id = 1");
            Savepoint s = c.setSavepoint();
            fails("40001", () -> exec(c, "update feature_items set name = 'mine' where id = 1"));
            if (!more.contains("always")) c.rollback(s);
            equal(rows(c, "select name from feature_items where id = 1"), List.of("item 1"));
            c.commit();
            exec(other, "update feature_items set name = 'item 1' where id = 1");
            c.setReadOnly(true);
            fails("25006", () -> exec(c, "delete from feature_items"));
            c.rollback();
            c.setReadOnly(false);
            c.setAutoCommit(true);
            equal(rows(c, "select name from feature_items where id = 1"), List.of("item 1"));
            equal(c.getTransactionIsolation(), Connection.TRANSACTION_REPEATABLE_READ);
            c.close();
        }
    }

    static class Id implements Xid {
        public int getFormatId() { return 7; }
        public byte[] getGlobalTransactionId() { return "feature".getBytes(); }
        public byte[] getBranchQualifier() { return "jdbc".getBytes(); }
    }

    static void twophase() throws Exception {
        if (ENV.getOrDefault("FEATURES_TWO_PHASES", "").isEmpty()) throw new Missing();
        PGXADataSource source = new PGXADataSource();
        source.setUrl("jdbc:postgresql://127.0.0.1:" + PORT + "/" + DATABASE);
        XAConnection one = source.getXAConnection(ENV.get("PGUSER"), ENV.get("PGPASSWORD")), two = source.getXAConnection(ENV.get("PGUSER"), ENV.get("PGPASSWORD"));
        Xid id = new Id();
        one.getXAResource().start(id, XAResource.TMNOFLAGS);
        exec(one.getConnection(), "update feature_items set v = 7 where id = 7");
        one.getXAResource().end(id, XAResource.TMSUCCESS);
        one.getXAResource().prepare(id);
        equal(two.getXAResource().recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN).length, 1);
        two.getXAResource().commit(id, false);
        equal(rows(connect(), "select v::int from feature_items where id = 7"), List.of(7));
        one.close();
        two.close();
    }

    static void keys() throws Exception {
        Connection c = connect();
        for (int n = 0; n < 7; n++) {
            try (PreparedStatement s = c.prepareStatement("insert into feature_keys select from generate_series(1, 3)", Statement.RETURN_GENERATED_KEYS)) {
                equal(s.executeUpdate(), 3);
                List<Object> got = new ArrayList<>();
                try (ResultSet r = s.getGeneratedKeys()) { while (r.next()) got.add(r.getObject(1)); }
                equal(rows(c, "select id from (select id from feature_keys order by id desc limit 3) x order by id"), got);
            }
        }
    }

    static void errors() throws Exception {
        Connection c = connect();
        for (int n = 0; n < 7; n++) {
            PSQLException e = (PSQLException) fails("23505", () -> rows(c, "insert into feature_items values (?, 'x', 0) returning 1", 1));
            equal(e.getServerErrorMessage().getConstraint() + " " + e.getServerErrorMessage().getTable(), "feature_items_pkey feature_items");
            fails("42703", () -> rows(c, "select nothing_like_it, ?", 1));
            fails("22012", () -> rows(c, "select 1 / ?", 0));
            equal(rows(c, "select ?::int", 8), List.of(8));
        }
        try (Statement s = c.createStatement()) {
            s.execute("do $$ begin raise notice 'heard'; raise warning 'twice'; end $$");
            equal(s.getWarnings().getMessage() + " " + s.getWarnings().getNextWarning().getMessage(), "heard twice");
        }
        try (ResultSet r = c.getMetaData().getColumns(null, null, "feature_items", "%")) {
            List<String> got = new ArrayList<>();
            while (r.next()) got.add(r.getString("COLUMN_NAME") + " " + r.getString("TYPE_NAME"));
            equal(got, List.of("id int4", "name text", "v numeric"));
        }
    }

    static void lobs() throws Exception {
        Connection c = connect();
        c.setAutoCommit(false);
        LargeObjectManager api = c.unwrap(PGConnection.class).getLargeObjectAPI();
        long oid = api.createLO(LargeObjectManager.READWRITE);
        LargeObject lob = api.open(oid, LargeObjectManager.READWRITE);
        byte[] data = new byte[100000];
        Arrays.fill(data, (byte) 7);
        lob.write(data);
        lob.seek(10);
        lob.write("there".getBytes());
        lob.seek(8);
        equal(new String(lob.read(8)), "\7\7there\7");
        lob.truncate(12);
        equal(lob.size(), 12);
        lob.close();
        c.commit();
        try (PreparedStatement s = c.prepareStatement("select ?::oid")) {
            s.setLong(1, oid);
            try (ResultSet r = s.executeQuery()) {
                r.next();
                equal(r.getBlob(1).length(), 12L);
            }
        }
        api.delete(oid);
        c.commit();
    }

    static void pool() throws Exception {
        PGPoolingDataSource pool = new PGPoolingDataSource();
        pool.setDataSourceName("features");
        pool.setUrl("jdbc:postgresql://127.0.0.1:" + PORT + "/" + DATABASE);
        pool.setUser(ENV.get("PGUSER"));
        pool.setPassword(ENV.get("PGPASSWORD"));
        pool.setMaxConnections(6);
        List<Thread> threads = new ArrayList<>();
        List<Object> wrong = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 12; i++) {
            int me = i;
            threads.add(new Thread(() -> {
                for (int n = 0; n < 10; n++) {
                    try (Connection c = pool.getConnection()) {
                        if (!c.isValid(5) || !rows(c, "select ?::int, ?::int", me, n).equals(List.of(me, n))) wrong.add(me);
                    } catch (Exception e) { wrong.add(e); }
                }
            }));
        }
        for (Thread t : threads) t.start();
        for (Thread t : threads) t.join(20000);
        pool.close();
        equal(wrong, List.of());
    }

    public static void main(String[] args) {
        FEATURES.put("login", Features::login);
        FEATURES.put("tls", Features::tls);
        FEATURES.put("hosts", Features::hosts);
        FEATURES.put("settings", Features::settings);
        FEATURES.put("types", Features::types);
        FEATURES.put("binary", Features::binary);
        FEATURES.put("large", Features::large);
        FEATURES.put("prepared", Features::prepared);
        FEATURES.put("cursor", Features::cursor);
        FEATURES.put("hold", Features::hold);
        FEATURES.put("batch", Features::batch);
        FEATURES.put("copyin", Features::copyin);
        FEATURES.put("copyout", Features::copyout);
        FEATURES.put("listen", Features::listen);
        FEATURES.put("cancel", Features::cancel);
        FEATURES.put("transactions", Features::transactions);
        FEATURES.put("twophase", Features::twophase);
        FEATURES.put("keys", Features::keys);
        FEATURES.put("errors", Features::errors);
        FEATURES.put("lobs", Features::lobs);
        FEATURES.put("pool", Features::pool);
        System.out.println("version pgjdbc " + org.postgresql.util.DriverInfo.DRIVER_VERSION);
        for (String name : args.length > 0 ? Arrays.asList(args) : FEATURES.keySet()) {
            if (!FEATURES.containsKey(name)) continue;
            System.out.println("begin " + name);
            try {
                FEATURES.get(name).run();
                System.out.println(name + " ok");
            } catch (Missing e) {
                System.out.println(name + " -");
            } catch (Throwable e) {
                StackTraceElement[] at = e.getStackTrace();
                System.out.println(name + " failed " + (e + " " + Arrays.stream(at).filter(s -> s.getClassName().equals("Features")).toList()).replaceAll("\\s+", " "));
            }
            for (Connection c : OPEN) try { c.close(); } catch (SQLException e) { System.err.println(e); }
            OPEN.clear();
        }
        System.out.println("end");
        System.exit(0);
    }
}
