import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Arrays;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/**
 * A client that uses what pgjdbc can do on the wire, and prints what it sees: the same on every run. (No temporary
 * tables: their schema, and with it the numbers of objects, depends on when earlier sessions have ended.)
 *
 * <p>Jdbc PORT PART OPTIONS: PART is "all", "cursors" or "cancel" (then SIGINT cancels what runs); OPTIONS go behind the URL.
 */
public final class Jdbc {
    private static String url;

    private static Connection connect(String options) throws SQLException {
        return DriverManager.getConnection(url + options);
    }

    private static void show(ResultSet rows) throws SQLException {
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (int i = 1; i <= columns; i++) {
                Object value = rows.getObject(i);
                line.append(i > 1 ? "|" : "")
                    .append(value instanceof byte[] ? Arrays.toString((byte[]) value) : String.valueOf(value));
            }
            System.out.println(line);
        }
    }

    private static void fails(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
            System.out.println("no error: " + sql);
        } catch (SQLException error) {
            System.out.println(error.getSQLState());
        }
    }

    /** Simple protocol: several statements in a string, notices, errors in transactions, notifications. */
    private static void simple() throws SQLException {
        try (Connection connection = connect("&preferQueryMode=simple")) {
            try (Statement statement = connection.createStatement()) {
                boolean hasRows = statement.execute("SELECT 1; SELECT 'two', NULL; SET my.own = 'value'");
                do {
                    if (hasRows)
                        show(statement.getResultSet());
                    else
                        System.out.println(statement.getUpdateCount());
                    hasRows = statement.getMoreResults();
                } while (hasRows || statement.getUpdateCount() != -1);
                statement.execute("DO $$ BEGIN RAISE WARNING 'a warning'; END $$");
                for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning())
                    System.out.println(warning.getMessage());
                statement.execute("LISTEN here; NOTIFY here, 'news'");
                System.out.println(connection.unwrap(PGConnection.class).getNotifications()[0].getParameter());
            }
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int + 1, ?::text")) {
                statement.setInt(1, 41);
                statement.setString(2, "it's");
                show(statement.executeQuery());
            }
            fails(connection, "SELECT * FROM nowhere");
        }
    }

    /** Extended protocol, and statements that the server keeps: binary values from the second execution on. */
    private static void prepared(int threshold) throws SQLException {
        try (Connection connection = connect("&prepareThreshold=" + threshold);
             PreparedStatement statement = connection.prepareStatement(
                 "SELECT ?::int8, ?::text, ?::numeric, ?::bytea, ?::timestamp, ?::int[], ?::bool, ?::float8")) {
            for (int i = 0; i < 7; i++) {
                Array array = connection.createArrayOf("int4", new Integer[] {i, null, -i});
                statement.setLong(1, 1L << (8 * i));
                statement.setString(2, i == 3 ? null : "text " + i);
                statement.setBigDecimal(3, new BigDecimal("12345.6789").movePointRight(i));
                statement.setBytes(4, new byte[] {0, (byte) i, -1});
                statement.setTimestamp(5, java.sql.Timestamp.valueOf("2026-11-20 12:00:0" + i));
                statement.setArray(6, array);
                statement.setBoolean(7, i % 2 == 0);
                statement.setDouble(8, i / 3.0);
                show(statement.executeQuery());
            }
            statement.setString(2, "after a change of type");
            statement.setNull(1, java.sql.Types.BIGINT);
            show(statement.executeQuery());
            fails(connection, "SELECT 1/0");
        }
    }

    private static void transactions() throws SQLException {
        try (Connection connection = connect("")) {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE t (id serial PRIMARY KEY, v text UNIQUE)");
                statement.execute("INSERT INTO t (v) VALUES ('a'), ('b')", Statement.RETURN_GENERATED_KEYS);
                show(statement.getGeneratedKeys());
                Savepoint savepoint = connection.setSavepoint("s");
                fails(connection, "INSERT INTO t (v) VALUES ('a')");
                connection.rollback(savepoint);
                connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
                show(statement.executeQuery("SELECT * FROM t ORDER BY id"));
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            connection.rollback();
        }
        try (Connection connection = connect("&autosave=always")) {
            connection.setAutoCommit(false);
            fails(connection, "SELECT nothing");
            fails(connection, "SELECT 1/0");
            connection.commit();
        }
    }

    private static void batches(String options) throws SQLException {
        try (Connection connection = connect(options); Statement plain = connection.createStatement()) {
            plain.execute("CREATE TABLE batch (id int PRIMARY KEY, v text)");
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO batch VALUES (?, ?)")) {
                for (int i = 0; i < 300; i++) {
                    insert.setInt(1, i);
                    insert.setString(2, "v".repeat(i % 50));
                    insert.addBatch();
                }
                System.out.println(insert.executeBatch().length);
                for (int id : new int[] {1000, 7, 1001}) {
                    insert.setInt(1, id);
                    insert.setString(2, "again");
                    insert.addBatch();
                }
                insert.executeBatch();
                System.out.println("no error");
            } catch (BatchUpdateException error) {
                System.out.println(error.getSQLState());
            }
            plain.addBatch("UPDATE batch SET v = 'x' WHERE id < 10");
            plain.addBatch("DELETE FROM batch WHERE id > 290");
            System.out.println(Arrays.toString(plain.executeBatch()));
            show(plain.executeQuery("SELECT count(*), sum(length(v)) FROM batch"));
            plain.execute("DROP TABLE batch");
        }
    }

    /** Rows in portions: a portal is executed again and again. */
    private static void cursors() throws SQLException {
        try (Connection connection = connect("&defaultRowFetchSize=9")) {
            connection.setAutoCommit(false);
            try (PreparedStatement statement = connection.prepareStatement(
                     "SELECT i, repeat('y', i) FROM generate_series(1, ?) i")) {
                long length = 0;
                for (int size : new int[] {0, 1, 7, 100}) {
                    statement.setFetchSize(size);
                    statement.setInt(1, 100);
                    try (ResultSet rows = statement.executeQuery()) {
                        while (rows.next())
                            length += rows.getString(2).length();
                    }
                }
                System.out.println(length);
                statement.setFetchSize(10);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next(); // and it is closed before its end
                }
                statement.setMaxRows(5);
                show(statement.executeQuery());
            }
            connection.commit();
        }
    }

    private static void copies() throws Exception {
        try (Connection connection = connect(""); Statement statement = connection.createStatement()) {
            CopyManager copies = connection.unwrap(PGConnection.class).getCopyAPI();
            statement.execute("CREATE TABLE c (id int, v text)");
            StringBuilder rows = new StringBuilder();
            for (int i = 0; i < 20000; i++)
                rows.append(i).append("\trow ").append(i).append('\n');
            System.out.println(copies.copyIn("COPY c FROM STDIN", new StringReader(rows.toString())));
            System.out.println(copies.copyIn("COPY c (v, id) FROM STDIN (FORMAT csv)",
                                             new StringReader("\"quoted, \"\"\n\"\"\",-1\n,-2\n")));
            try {
                copies.copyIn("COPY c FROM STDIN", new StringReader("no number\tx\n"));
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            ByteArrayOutputStream binary = new ByteArrayOutputStream();
            System.out.println(copies.copyOut("COPY (SELECT * FROM c ORDER BY id LIMIT 1000) TO STDOUT (FORMAT binary)", binary));
            System.out.println(copies.copyIn("COPY c FROM STDIN (FORMAT binary)", new ByteArrayInputStream(binary.toByteArray())));
            StringWriter text = new StringWriter();
            copies.copyOut("COPY (SELECT id, v FROM c WHERE id < 0 ORDER BY id) TO STDOUT", text);
            System.out.print(text);
            show(statement.executeQuery("SELECT count(*), sum(length(v)) FROM c"));
            statement.execute("DROP TABLE c");
        }
    }

    /** Calls of functions by their number (FunctionCall). */
    private static void largeObjects() throws SQLException {
        try (Connection connection = connect("")) {
            connection.setAutoCommit(false);
            LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
            long oid = manager.createLO(LargeObjectManager.READWRITE);
            LargeObject object = manager.open(oid, LargeObjectManager.READWRITE);
            object.write("large ".repeat(5000).getBytes(StandardCharsets.UTF_8));
            object.seek(29990);
            System.out.println(new String(object.read(100), StandardCharsets.UTF_8) + object.size());
            object.close();
            manager.delete(oid);
            connection.commit();
        }
    }

    private static void cancel() throws SQLException {
        try (Connection connection = connect(""); Statement statement = connection.createStatement()) {
            sun.misc.Signal.handle(new sun.misc.Signal("INT"), signal -> {
                try {
                    statement.cancel();
                } catch (SQLException error) {
                    System.out.println("cannot cancel: " + error.getMessage());
                }
            });
            try {
                statement.execute("SELECT pg_sleep(60)");
                System.out.println("not cancelled");
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            show(statement.executeQuery("SELECT 'alive'"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/postgres?ApplicationName=jdbc&loggerLevel=OFF"
            + (arguments.length > 2 ? "&" + arguments[2] : "&user=postgres");
        java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("UTC"));
        if (arguments[1].equals("cancel")) {
            cancel();
            return;
        }
        if (arguments[1].equals("cursors")) {
            cursors();
            return;
        }
        simple();
        prepared(5);
        prepared(1);
        prepared(0);
        transactions();
        batches("");
        batches("&reWriteBatchedInserts=true");
        cursors();
        copies();
        largeObjects();
    }
}
