import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;

/** The JDBC driver against the demo: address, CA file, tokens of marco, anna, otto. */
public final class DemoClient {
    private static String address;
    private static String ca;
    private static int checks;

    private interface Action {
        void run() throws SQLException;
    }

    private static void check(boolean condition, Object what) {
        if (!condition) {
            throw new AssertionError(what);
        }
        checks++;
    }

    private static Connection connect(String parameters, String... properties) throws SQLException {
        Properties all = new Properties();
        for (int i = 0; i < properties.length; i += 2) {
            all.setProperty(properties[i], properties[i + 1]);
        }
        return DriverManager.getConnection("jdbc:arrow-flight-sql://" + address + parameters, all);
    }

    private static Connection byToken(String token) throws SQLException {
        return connect("?tlsRootCerts=" + ca, "token", token);
    }

    private static List<String> rows(ResultSet results) throws SQLException {
        List<String> rows = new ArrayList<>();
        int columns = results.getMetaData().getColumnCount();
        while (results.next()) {
            List<String> row = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                row.add(String.valueOf(results.getObject(column)));
            }
            rows.add(String.join("|", row));
        }
        results.close();
        return rows;
    }

    private static List<String> rows(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return rows(statement.executeQuery(sql));
        }
    }

    private static List<String> column(ResultSet results, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (results.next()) {
            values.add(results.getString(name));
        }
        results.close();
        return values;
    }

    private static String refusal(Action action) {
        try {
            action.run();
        } catch (SQLException error) {
            StringBuilder text = new StringBuilder();
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                text.append(cause.getMessage()).append('\n');
            }
            return text.toString();
        }
        throw new AssertionError("should be refused");
    }

    private static String refusal(Connection connection, String sql) {
        return refusal(() -> rows(connection, sql));
    }

    /** The text up to the query's id. */
    private static String sentence(String refusal) {
        return refusal.split(" \\(query ")[0];
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments[0];
        ca = arguments[1];
        String marco = arguments[2];
        String anna = arguments[3];
        String otto = arguments[4];
        try (Connection connection = byToken(marco)) {
            statements(connection);
            parameters(connection);
            columnsOf(connection);
            everyGetter(connection.getMetaData());
        }
        try (Connection connection = byToken(anna)) {
            metadata(connection.getMetaData());
            ownRowsOnly(connection);
        }
        try (Connection connection = byToken(otto)) {
            nothing(connection);
        }
        waysIn(marco, anna);
        System.out.println("jdbc: " + checks + " checks");
    }

    private static void statements(Connection connection) throws SQLException {
        List<String> joined = rows(connection, "select p.segment, count(*), sum(o.total) from sales.orders o"
            + " join customers.profiles p using (customer_id) group by 1 order by 1");
        check(joined.size() >= 2, joined);
        List<String> masked = rows(connection, "select distinct email from customers.profiles");
        check(masked.equals(List.of("***")), masked);
        try (Statement one = connection.createStatement(); Statement other = connection.createStatement()) {
            String sql = "select order_id from sales.orders where order_id between 1001 and 1008 order by 1";
            ResultSet left = one.executeQuery(sql);
            ResultSet right = other.executeQuery(sql + " desc");
            long leftSum = 0;
            long rightSum = 0;
            while (left.next() && right.next()) {
                check(left.getLong(1) + right.getLong(1) == 2009, "side by side");
                leftSum += left.getLong(1);
                rightSum += right.getLong(1);
            }
            check(leftSum == 8036 && rightSum == 8036, leftSum + " " + rightSum);
        }
        try (Statement statement = connection.createStatement()) {
            for (int turn = 0; turn < 3; turn++) {
                ResultSet results = statement.executeQuery("select " + turn);
                check(results.next() && results.getLong(1) == turn, "one statement, several results");
            }
            check(statement.execute("select 1 where false") && !statement.getResultSet().next(), "no rows are a result");
        }
        String hidden = refusal(connection, "select margin from sales.orders");
        String missing = refusal(connection, "select nargim from sales.orders");
        check(hidden.contains("column `margin` does not exist") && hidden.contains("(query "), hidden);
        check(sentence(hidden).equals(sentence(missing).replace("nargim", "margin")), missing);
        check(refusal(connection, "selekt 1").contains("does not parse"), "says what is wrong");
        check(refusal(() -> connection.createStatement().executeUpdate("delete from sales.orders")) != null, "read only");
        check(rows(connection, "select 1").equals(List.of("1")), "the connection goes on after errors");
    }

    private static void parameters(Connection connection) throws SQLException {
        String sql = "select order_id, total from sales.orders where order_id = ? and total < ? and region like ?"
            + " and order_date >= ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            ParameterMetaData parameters = statement.getParameterMetaData();
            check(parameters.getParameterCount() == 4, parameters.getParameterCount());
            List<Integer> types = new ArrayList<>();
            for (int parameter = 1; parameter <= 4; parameter++) {
                types.add(parameters.getParameterType(parameter));
            }
            check(types.equals(List.of(Types.BIGINT, Types.DECIMAL, Types.VARCHAR, Types.DATE)), types);
            check(statement.getMetaData().getColumnName(1).equals("order_id"), "described before it runs");
            for (long order : new long[] {1002, 1004, 1006}) {
                statement.setLong(1, order);
                statement.setBigDecimal(2, new BigDecimal("300.00"));
                statement.setString(3, "%");
                statement.setDate(4, Date.valueOf("2000-01-01"));
                List<String> found = rows(statement.executeQuery());
                List<String> expected = rows(connection,
                    "select order_id, total from sales.orders where total < 300 and order_id = " + order);
                check(found.equals(expected) && found.size() == (order == 1004 ? 0 : 1), found);
            }
            statement.setNull(1, Types.BIGINT);
            check(rows(statement.executeQuery()).isEmpty(), "nothing equals NULL");
        }
        String injected = "' or 1 = 1 --";
        try (PreparedStatement statement = connection.prepareStatement(
            "select count(*), cast(? as varchar) from sales.orders where region = ?")) {
            statement.setString(1, injected);
            statement.setString(2, injected);
            check(rows(statement.executeQuery()).equals(List.of("0|" + injected)), "a value is a value");
        }
        try (PreparedStatement statement = connection.prepareStatement(
            "select order_id from sales.orders where order_id in (?, ?) order by 1 limit ?")) {
            statement.setLong(1, 1001);
            statement.setInt(2, 1002);
            statement.setInt(3, 1);
            check(rows(statement.executeQuery()).equals(List.of("1001")), "lists and limits");
        }
        check(refusal(() -> {
            try (PreparedStatement statement = connection.prepareStatement("select order_id from sales.orders where order_id = ?")) {
                rows(statement.executeQuery());
            }
        }).length() > 0, "a parameter without a value");
        String hidden = refusal(() -> connection.prepareStatement("select 1 from sales.orders where margin = ?"));
        check(hidden.contains("column `margin` does not exist"), hidden);
    }

    private static void columnsOf(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            ResultSet results = statement.executeQuery("select order_id, region, total, order_date from sales.orders");
            ResultSetMetaData columns = results.getMetaData();
            List<String> described = new ArrayList<>();
            for (int column = 1; column <= columns.getColumnCount(); column++) {
                described.add(columns.getColumnName(column) + " " + columns.getColumnTypeName(column) + " "
                    + columns.getColumnType(column) + " "
                    + columns.getPrecision(column) + " " + columns.getScale(column));
            }
            results.close();
            System.out.println(described);
            check(columns.getColumnType(1) == Types.BIGINT && columns.getColumnType(3) == Types.DECIMAL
                && columns.getColumnType(4) == Types.DATE, described);
            check(columns.getPrecision(3) == 12 && columns.getScale(3) == 2, described);
        }
    }

    private static void metadata(DatabaseMetaData metadata) throws SQLException {
        check(column(metadata.getCatalogs(), "TABLE_CAT").equals(List.of("mesh")), "catalogs");
        List<String> schemas = column(metadata.getSchemas(), "TABLE_SCHEM");
        check(schemas.contains("sales") && schemas.contains("system") && !schemas.contains("web"), schemas);
        List<String> tables = column(metadata.getTables(null, "sales", "%", null), "TABLE_NAME");
        check(tables.contains("orders") && !tables.contains("stores") && !tables.contains("entitlements"), tables);
        check(column(metadata.getTables("mesh", "sal%", "ord_rs", new String[] {"TABLE"}), "TABLE_NAME")
            .equals(List.of("orders")), "patterns");
        check(column(metadata.getTables("other", "sales", "%", null), "TABLE_NAME").isEmpty(), "no such catalog");
        check(column(metadata.getTables(null, "web", "%", null), "TABLE_NAME").isEmpty(), "not granted");
        List<String> types = column(metadata.getTableTypes(), "TABLE_TYPE");
        check(types.contains("TABLE"), types);
        List<String> columns = new ArrayList<>();
        ResultSet results = metadata.getColumns(null, "sales", "orders", "%");
        while (results.next()) {
            columns.add(results.getString("COLUMN_NAME") + " " + results.getString("TYPE_NAME") + " "
                + results.getInt("DATA_TYPE") + " " + results.getInt("COLUMN_SIZE") + " "
                + results.getInt("DECIMAL_DIGITS") + " " + results.getInt("NULLABLE") + " "
                + results.getInt("ORDINAL_POSITION") + " " + results.getString("IS_AUTOINCREMENT") + " "
                + results.getString("REMARKS"));
        }
        results.close();
        System.out.println(columns);
        check(columns.stream().anyMatch(column -> column.startsWith("order_id BIGINT -5 ")), columns);
        check(columns.stream().anyMatch(column -> column.startsWith("total DECIMAL 3 12 2 ")), columns);
        check(columns.stream().noneMatch(column -> column.startsWith("margin ") || column.startsWith("card ")), columns);
        check(column(metadata.getColumns(null, "sales", "stores", "%"), "COLUMN_NAME").isEmpty(), "not granted");
        check(column(metadata.getPrimaryKeys(null, "sales", "orders"), "COLUMN_NAME").equals(List.of("order_id")), "key");
        check(column(metadata.getPrimaryKeys("mesh", "sales", "stores"), "COLUMN_NAME").isEmpty(), "key of a hidden table");
        check(column(metadata.getImportedKeys("mesh", "sales", "orders"), "FKCOLUMN_NAME").isEmpty(), "imported keys");
        check(metadata.getDatabaseProductName().equals("Meshgate") && metadata.isReadOnly(), "product");
        check(metadata.getIdentifierQuoteString().equals("\"") && metadata.getSearchStringEscape().equals("\\"), "quotes");
    }

    /** Tools ask all of it at their first connect: every getter without arguments answers. */
    private static void everyGetter(DatabaseMetaData metadata) throws Exception {
        TreeSet<String> failed = new TreeSet<>();
        int called = 0;
        for (Method method : DatabaseMetaData.class.getMethods()) {
            if (method.getParameterCount() > 0 || method.getDeclaringClass() != DatabaseMetaData.class) {
                continue;
            }
            called++;
            try {
                Object answer = method.invoke(metadata);
                if (answer instanceof ResultSet) {
                    rows((ResultSet) answer);
                }
            } catch (InvocationTargetException error) {
                if (!(error.getCause() instanceof SQLFeatureNotSupportedException)) {
                    failed.add(method.getName() + ": " + error.getCause());
                }
            }
        }
        check(called > 130, called);
        check(failed.isEmpty(), failed);
    }

    private static void ownRowsOnly(Connection connection) throws SQLException {
        check(rows(connection, "select distinct region from sales.orders").equals(List.of("DE")), "her region");
        try (PreparedStatement statement = connection.prepareStatement(
            "select count(*) from sales.orders where region = ? or order_id = ?")) {
            statement.setString(1, "FR");
            statement.setLong(2, 1003);
            check(rows(statement.executeQuery()).equals(List.of("0")), "parameters open nothing");
        }
        String hidden = refusal(() -> connection.prepareStatement("select 1 from sales.stores where city = ?"));
        String missing = refusal(() -> connection.prepareStatement("select 1 from sales.nothing where city = ?"));
        check(sentence(hidden).equals(sentence(missing).replace("nothing", "stores")), hidden + missing);
    }

    private static void nothing(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        check(column(metadata.getTables(null, "sales", "%", null), "TABLE_NAME").isEmpty(), "no tables");
        check(column(metadata.getColumns(null, null, "orders", "%"), "COLUMN_NAME").isEmpty(), "no columns");
        check(rows(connection, "select subject from mesh.system.whoami").equals(List.of("otto")), "whoami");
        String refused = sentence(refusal(connection, "select * from sales.orders"));
        String missing = sentence(refusal(connection, "select * from sales.nothing"));
        check(refused.equals(missing.replace("nothing", "orders")), refused);
    }

    private static void waysIn(String marco, String anna) throws SQLException {
        try (Connection connection = connect("?tlsRootCerts=" + ca, "user", "whatever", "password", anna)) {
            check(rows(connection, "select subject from mesh.system.whoami").equals(List.of("anna")), "password");
        }
        Connection withCatalog = connect("?useEncryption=true&tlsRootCerts=" + ca + "&catalog=mesh", "token", marco);
        check(rows(withCatalog, "select subject from mesh.system.whoami").equals(List.of("marco")), "catalog");
        // The driver closes its session twice, the second time over a closed channel.
        check(refusal(withCatalog::close).contains("Channel shutdown invoked"), "the driver's own mistake");
        List<String> refusals = new ArrayList<>();
        String forged = marco.substring(0, marco.length() - 4) + "AAAA";
        for (String[] properties : new String[][] {
            {"token", forged}, {"token", "nonsense"}, {"user", "marco", "password", "secret"},
            {"user", "marco", "password", forged}, {"user", "", "password", ""}, {},
        }) {
            String text = refusal(() -> {
                try (Connection connection = connect("?tlsRootCerts=" + ca, properties)) {
                    rows(connection, "select 1");
                }
            });
            check(text.contains("authentication failed"), text);
            refusals.add(sentence(text.substring(text.indexOf("authentication failed"))));
        }
        check(new TreeSet<>(refusals).size() == 1, refusals);
        String untrusted = refusal(() -> {
            try (Connection connection = connect("", "token", marco)) {
                rows(connection, "select 1");
            }
        });
        check(untrusted.contains("PKIX path building failed"), untrusted);
        String plain = refusal(() -> {
            try (Connection connection = connect("?useEncryption=false", "token", marco)) {
                rows(connection, "select 1");
            }
        });
        check(plain.contains("http2 exception") || plain.contains("UNAVAILABLE"), plain);
    }
}
