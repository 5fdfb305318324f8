// pgjdbc behind the lines of README.md. A mode is the rest of the connection's URL: prepareThreshold=1, preferQueryMode=simple ...

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;

public class Agent {
    static final String PORT = System.getenv("PGPORT");
    static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    static final Map<String, Agent> CLIENTS = new ConcurrentHashMap<>();

    final ExecutorService thread = Executors.newSingleThreadExecutor(r -> {
        Thread t = new Thread(r);
        t.setDaemon(true);
        return t;
    });
    Connection c;
    String mode;
    Map<String, PreparedStatement> kept = new HashMap<>();

    static String escape(String v) {
        return v == null ? "\\N" : v.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
    }

    static String unescape(String v) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < v.length(); i++) {
            char ch = v.charAt(i);
            if (ch == '\\') {
                ch = v.charAt(++i);
                ch = ch == 't' ? '\t' : ch == 'n' ? '\n' : ch;
            }
            out.append(ch);
        }
        return out.toString();
    }

    static Connection connect(String mode) throws SQLException {
        return DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:" + PORT + "/" + System.getenv("PGDATABASE") + "?" + mode.replace("kept", "loginTimeout=15"),
            System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    }

    // The mode "kept" keeps its PreparedStatement objects, as pools with statement caches do; others make one for each query.
    List<String> query(String sql, String[] f) throws SQLException {
        List<Integer> order = new ArrayList<>();
        java.util.regex.Matcher m = java.util.regex.Pattern.compile("\\$(\\d)").matcher(sql);
        while (m.find()) order.add(Integer.parseInt(m.group(1)));
        String marked = sql.replaceAll("\\$\\d", "?");
        boolean keeps = mode.contains("kept");
        PreparedStatement s = keeps ? kept.get(sql) : null;
        if (s == null) s = c.prepareStatement(marked);
        if (keeps) kept.put(sql, s);
        try {
            for (int i = 0; i < order.size(); i++) {
                String a = f[3 + order.get(i) - 1];
                if (a.startsWith("i:")) s.setInt(i + 1, Integer.parseInt(a.substring(2)));
                else if (a.startsWith("x:")) s.setString(i + 1, "x".repeat(Integer.parseInt(a.substring(2))));
                else s.setString(i + 1, unescape(a.substring(2)));
            }
            List<String> out = new ArrayList<>(List.of("ok"));
            if (!s.execute()) {
                out.add("0");
                return out;
            }
            try (ResultSet r = s.getResultSet()) {
                ResultSetMetaData d = r.getMetaData();
                out.add("" + d.getColumnCount());
                for (int i = 1; i <= d.getColumnCount(); i++) out.add(escape(d.getColumnLabel(i)));
                while (r.next())
                    for (int i = 1; i <= d.getColumnCount(); i++) {
                        Object v = r.getObject(i);
                        out.add(escape(v == null ? null : v.toString()));
                    }
            }
            return out;
        } finally {
            if (!keeps) s.close();
        }
    }

    // Server-side cursor: in a transaction, fetchSize rows at a time.
    List<String> cursor(String sql, int size) throws SQLException {
        List<String> out = new ArrayList<>(List.of("ok", "1", "value"));
        try (PreparedStatement s = c.prepareStatement(sql)) {
            s.setFetchSize(size);
            try (ResultSet r = s.executeQuery()) {
                while (r.next()) out.add(escape(r.getString(1)));
            }
        }
        return out;
    }

    static List<String> pool(int size, int borrowers) throws Exception {
        BlockingQueue<Connection> idle = new LinkedBlockingQueue<>();
        for (int i = 0; i < size; i++) idle.add(connect("prepareThreshold=1"));
        ExecutorService threads = Executors.newFixedThreadPool(16);
        List<Future<Boolean>> asked = new ArrayList<>();
        for (int i = 0; i < borrowers; i++) {
            int mark = i;
            asked.add(threads.submit(() -> {
                Connection c = idle.take();
                try {
                    if (!c.isValid(5)) return false;
                    c.setAutoCommit(mark % 2 == 0);
                    try (PreparedStatement s = c.prepareStatement("select ?::int")) {
                        s.setInt(1, mark);
                        try (ResultSet r = s.executeQuery()) {
                            r.next();
                            return r.getInt(1) == mark;
                        }
                    }
                } finally { // as HikariCP does it
                    if (!c.getAutoCommit()) c.rollback();
                    c.setAutoCommit(true);
                    c.clearWarnings();
                    idle.add(c);
                }
            }));
        }
        int right = 0;
        for (Future<Boolean> a : asked) if (a.get(30, TimeUnit.SECONDS)) right++;
        threads.shutdown();
        for (Connection c : idle) c.close();
        return List.of("ok", "1", "right", "" + right);
    }

    List<String> work(String op, String[] f) throws Exception {
        switch (op) {
        case "open":
            mode = f[2];
            c = connect(mode);
            break;
        case "query": return query(unescape(f[2]), f);
        case "begin":
            c.setAutoCommit(false);
            break;
        case "commit":
        case "rollback":
            try {
                if (op.equals("commit")) c.commit();
                else c.rollback();
            } finally {
                c.setAutoCommit(true);
            }
            break;
        case "heal":
            for (PreparedStatement s : kept.values()) s.close();
            kept.clear();
            break;
        case "valid":
            if (!c.isValid(5)) return List.of("error", "driver", "not valid");
            break;
        case "cursor": return cursor(unescape(f[2]), Integer.parseInt(f[3]));
        case "copyin":
            c.unwrap(PGConnection.class).getCopyAPI().copyIn(unescape(f[2]), new StringReader(unescape(f[3])));
            break;
        case "copyout":
            StringWriter w = new StringWriter();
            c.unwrap(PGConnection.class).getCopyAPI().copyOut(unescape(f[2]), w);
            return List.of("ok", "1", "copy", escape(w.toString()));
        case "pool": return pool(Integer.parseInt(f[2]), Integer.parseInt(f[3]));
        case "close":
            c.close();
            break;
        default: return List.of("unknown");
        }
        return List.of("ok", "0");
    }

    void handle(String[] f) {
        List<String> reply;
        try {
            reply = work(f[1], f);
        } catch (SQLException e) {
            reply = List.of("error", e.getSQLState() == null ? "driver" : e.getSQLState(), escape(e.getMessage()));
        } catch (Exception e) {
            reply = List.of("error", "driver", escape(e.toString()));
        }
        synchronized (OUT) {
            OUT.print(f[0] + "\t" + String.join("\t", reply) + "\n");
            OUT.flush();
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            String[] f = line.split("\t", -1);
            Agent a = CLIENTS.computeIfAbsent(f[0], k -> new Agent());
            a.thread.execute(() -> a.handle(f));
        }
    }
}
