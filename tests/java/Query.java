import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.TimeZone;

/** Prints columns and rows of a statement: address (or a whole URL), CA file, token, statement. */
public final class Query {
    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Properties properties = new Properties();
        String url = arguments[0];
        if (!url.startsWith("jdbc:")) {
            properties.setProperty("token", arguments[2]);
            url = "jdbc:arrow-flight-sql://" + arguments[0] + "?tlsRootCerts=" + arguments[1];
        }
        try (Connection connection = DriverManager.getConnection(url, properties);
            Statement statement = connection.createStatement();
            ResultSet results = statement.executeQuery(arguments[3])) {
            ResultSetMetaData columns = results.getMetaData();
            int count = columns.getColumnCount();
            List<List<String>> lines = new ArrayList<>();
            for (int column = 1; column <= count; column++) {
                List<String> line = new ArrayList<>();
                line.add(columns.getColumnName(column));
                line.add(columns.getColumnTypeName(column));
                lines.add(line);
            }
            while (results.next()) {
                for (int column = 1; column <= count; column++) {
                    lines.get(column - 1).add(shown(value(results, column, columns.getColumnType(column))));
                    // What the driver reads as an object, it also reads as a text.
                    results.getString(column);
                }
            }
            lines.forEach(line -> System.out.println(String.join("|", line)));
        }
    }

    private static Object value(ResultSet results, int column, int type) throws Exception {
        // The driver has no object for it, and says so.
        return type == Types.TIMESTAMP_WITH_TIMEZONE ? results.getTimestamp(column) : results.getObject(column);
    }

    private static String shown(Object value) throws Exception {
        if (value instanceof byte[] bytes) {
            return HexFormat.of().formatHex(bytes);
        }
        if (value instanceof Array array) {
            List<String> items = new ArrayList<>();
            for (Object item : (Object[]) array.getArray()) {
                items.add(shown(item));
            }
            return items.toString();
        }
        return String.valueOf(value);
    }
}
