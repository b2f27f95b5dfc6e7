//! JSON lines, value by value.

use super::*;

async fn read(text: impl AsRef<[u8]>, columns: &[&str]) -> Result<Vec<String>, SourceError> {
    let fixture = Fixture::new();
    fixture.write("t.jsonl", text);
    let table = fixture.open("t.jsonl", "json", columns).await?;
    Ok(rows_of(&batches(&table, None, &[]).await.map_err(source_error)?))
}

const TWO: [&str; 2] = ["name: a, logicalType: integer", "name: b, physicalName: B, logicalType: string"];

#[tokio::test]
async fn columns_go_by_name_and_others_are_not_served() {
    let text = "{\"secret\": 1, \"B\": \"one\", \"a\": 1}\n{\"a\": 2, \"B\": null}\r\n\n{\"a\": 3}";
    assert_eq!(read(text, &TWO).await.unwrap(), ["1|one", "2|NULL", "3|NULL"]);
    assert_eq!(read("", &TWO).await.unwrap(), [""; 0]);
    assert_eq!(read("\n \n", &TWO).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_bad_value_ends_the_query_without_its_text() {
    for (column, good, bad) in [
        ("name: c, logicalType: integer", "7", "\"SECRET\""),
        ("name: c, logicalType: string", "\"x\"", "4711"),
        ("name: c, logicalType: date", "\"2026-11-23\"", "\"SECRET\""),
        ("name: c, logicalType: array, items: { logicalType: integer }", "[1]", "[1, \"SECRET\"]"),
        (
            "name: c, logicalType: object, properties: [ { name: d, logicalType: integer } ]",
            "{\"d\": 1}",
            "\"SECRET\"",
        ),
    ] {
        let text = format!("{{\"c\": {good}}}\n{{\"c\": {bad}}}\n");
        let error = read(text, &[column]).await.unwrap_err();
        assert!(matches!(error, SourceError::BadCell { row: 2, .. }), "{column}: {error}");
        for told in [error.to_string(), format!("{error:?}")] {
            assert!(!told.contains("SECRET") && !told.contains("4711"), "{told}");
        }
    }
}

#[tokio::test]
async fn lines_that_are_no_objects_end_the_query() {
    for (line, name) in
        [("[1]", "array"), ("{\"a\": 1", "open"), ("{\"a\": 1, \"a\": 2}", "twice"), ("x", "text")]
    {
        let many = "{\"a\": 1, \"B\": \"x\"}\n".repeat(10_000);
        // At the beginning the table cannot be opened; behind it, the query ends.
        let error = read(format!("{line}\n"), &TWO).await.unwrap_err();
        assert!(matches!(error, SourceError::Malformed { row: 1, .. }), "{name}: {error}");
        let error = read(format!("{many}{line}\n"), &TWO).await.unwrap_err();
        assert!(matches!(error, SourceError::Malformed { row: 10_001, .. }), "{name}: {error}");
    }
    let long = format!("{{\"B\": \"{}\"}}\n", "x".repeat(2 * 1024 * 1024));
    assert!(matches!(read(long, &TWO).await.unwrap_err(), SourceError::RowTooLong { row: 1, .. }));
    assert!(matches!(
        read(b"{\"a\": 1}\n\xff\n", &TWO).await.unwrap_err(),
        SourceError::Malformed { row: 2, .. }
    ));
}

#[tokio::test]
async fn a_key_that_no_row_has_is_drift_and_one_that_some_row_has_is_not() {
    let error = read("{\"a\": 1}\n{\"a\": 2}\n", &TWO).await.unwrap_err();
    assert!(matches!(error, SourceError::Drift { ref column, .. } if column == "b"), "{error}");
    assert_eq!(read("{\"a\": 1}\n{\"a\": 2, \"B\": \"x\"}\n", &TWO).await.unwrap(), ["1|NULL", "2|x"]);
    let fixture = Fixture::new();
    fixture.write("t/1.jsonl", "{\"a\": 1}\n");
    fixture.write("t/2.jsonl", "");
    fixture.write("t/3.ndjson", "{\"B\": \"x\"}\n");
    let table = fixture.open("t", "json", &TWO).await.unwrap();
    assert_eq!(rows(&table).await, ["1|NULL", "NULL|x"]);
}

#[tokio::test]
async fn a_bad_value_that_nobody_asks_for_hurts_nobody() {
    let fixture = Fixture::new();
    fixture.write("t.json", "{\"a\": \"oops\", \"B\": \"x\"}\n");
    let table = fixture.open("t.json", "json", &TWO).await.unwrap();
    assert_eq!(rows_of(&batches(&table, Some(vec![1]), &[]).await.unwrap()), ["x"]);
    assert!(matches!(error(&table).await, SourceError::BadCell { .. }));
}
