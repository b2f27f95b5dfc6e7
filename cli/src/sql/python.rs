//! A Python script that asks what `meshgate sql` would ask.

use super::target::Target;

/// Five lines, and one for a purpose, for the ADBC Flight SQL driver
/// (`pip install adbc-driver-flightsql pyarrow`), token and CA filled in.
pub(crate) fn script(target: &Target, statement: &str) -> String {
    format!(
        r#"import adbc_driver_flightsql.dbapi as flightsql
options = {{"adbc.flight.sql.authorization_header": {authorization},
           "adbc.flight.sql.client_option.tls_root_certs": open({ca}).read(){purpose}}}
with flightsql.connect({uri}, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
    print(cursor.execute({statement}).fetch_arrow_table())
"#,
        authorization = quoted(&format!("Bearer {}", target.token)),
        purpose = target.purpose.as_deref().map_or_else(String::new, purpose),
        ca = quoted(&target.ca.display().to_string()),
        uri = quoted(&target.uri),
        statement = quoted(statement),
    )
}

fn purpose(purpose: &str) -> String {
    format!(",\n           \"adbc.flight.sql.rpc.call_header.meshgate-purpose\": {}", quoted(purpose))
}

/// Every JSON string, as `serde_json` writes it, is a Python string too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_lines_with_everything_filled_in() {
        let target = Target {
            uri: "grpc+tls://localhost:31337".into(),
            ca: "/demo/mesh-ca.crt".into(),
            token: "abc".into(),
            purpose: None,
        };
        let text = script(&target, "select \"a\"\nfrom t");
        assert_eq!(text.lines().count(), 5);
        for part in
            ["\"Bearer abc\"", "\"/demo/mesh-ca.crt\"", "localhost:31337", r#""select \"a\"\nfrom t""#]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        let for_a_purpose = script(&Target { purpose: Some("audit".into()), ..target }, "select 1");
        let header = "\"adbc.flight.sql.rpc.call_header.meshgate-purpose\": \"audit\"}\n";
        assert!(for_a_purpose.contains(header), "{for_a_purpose}");
    }
}
