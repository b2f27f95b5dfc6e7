//! CSV, cell by cell.

use super::*;

async fn read(text: impl AsRef<[u8]>, columns: &[&str]) -> Result<Vec<String>, SourceError> {
    let fixture = Fixture::new();
    fixture.write("t.csv", text);
    let table = fixture.open("t.csv", "csv", columns).await?;
    Ok(rows_of(&batches(&table, None, &[]).await.map_err(source_error)?))
}

#[tokio::test]
async fn columns_go_by_name_and_others_are_not_served() {
    let text = "secret,B,a\nx,1,one\ny,2,two\n";
    let columns =
        ["name: a, logicalType: string", "name: b, physicalName: B, logicalType: integer, required: true"];
    assert_eq!(read(text, &columns).await.unwrap(), ["one|1", "two|2"]);
}

#[tokio::test]
async fn a_bad_cell_of_any_type_ends_the_query_without_its_text() {
    for (data_type, good, bad) in [
        ("logicalType: boolean", "true", "maybe"),
        ("logicalType: integer", "-7", "7x"),
        ("logicalType: integer, physicalType: tinyint", "-7", "128"),
        ("logicalType: integer, physicalType: uint8", "7", "-1"),
        ("logicalType: number", "1.5", "1,5"),
        ("logicalType: number, physicalType: 'decimal(5,2)'", "999.99", "0.001"),
        ("logicalType: date", "2026-11-23", "23.11.2026"),
        ("logicalType: time", "10:00:00", "25:00:00"),
        ("logicalType: timestamp", "2026-11-23T10:00:00", "yesterday"),
        ("logicalType: timestamp, physicalType: timestamptz", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00"),
    ] {
        let columns = [&format!("name: c, {data_type}"), "name: d, logicalType: string"];
        let rows = read(format!("c,d\n{good},x\n,x\n\"{good}\",x\n"), &columns.map(|c| c)).await.unwrap();
        assert_eq!(rows.len(), 3, "{data_type}");
        assert_eq!(rows.iter().filter(|row| row.starts_with("NULL|")).count(), 1, "{data_type}: {rows:?}");
        let error = read(format!("c,d\n{good},x\n\"{bad}\",x\n"), &columns.map(|c| c)).await.unwrap_err();
        assert!(
            matches!(error, SourceError::BadCell { ref column, row: 3, .. } if column == "c"),
            "{data_type}: {error}"
        );
        assert!(!error.to_string().contains(bad) && !format!("{error:?}").contains(bad), "{error:?}");
    }
}

#[tokio::test]
async fn rows_of_another_length_and_broken_quotes_end_the_query() {
    let columns = ["name: a, logicalType: string"];
    for (text, row) in [
        ("a,b\n1,2\n3\n", 3),
        ("a,b\n1,2,3\n", 2),
        ("a,b\n1,2\n\n", 3),
        ("a,b\n\"1,2\n", 2),
        ("a,b\n\"1\"x,2\n", 2),
        ("a,b\n1\",2\n", 2),
        ("a,b\r1,2\r", 1),
    ] {
        let error = read(text, &columns).await.unwrap_err();
        assert!(
            matches!(error, SourceError::Malformed { row: found, .. } if found == row),
            "{text:?}: {error}"
        );
    }
    let error = read(b"a\n\xff\n", &columns).await.unwrap_err();
    assert!(matches!(error, SourceError::Malformed { row: 2, .. }), "{error}");
    let long = format!("a\n{}\n", "x".repeat(2 * 1024 * 1024));
    let error = read(long, &columns).await.unwrap_err();
    assert!(matches!(error, SourceError::RowTooLong { row: 2, .. }), "{error}");
}

#[tokio::test]
async fn quotes_tell_an_empty_text_from_null() {
    let columns = ["name: a, logicalType: string", "name: b, logicalType: string"];
    assert_eq!(read("a,b\n,\"\"\n", &columns).await.unwrap(), ["NULL|"]);
    assert_eq!(read("a,b\n\"x, \"\"y\"\"\r\nz\",w\r\n", &columns).await.unwrap(), ["x, \"y\"\r\nz|w"]);
    let error = read("n\n\"\"\n", &["name: n, logicalType: integer"]).await.unwrap_err();
    assert!(matches!(error, SourceError::BadCell { .. }), "{error}");
    // In a table of one column an empty line is a row.
    assert_eq!(read("n\n\n1\n", &["name: n, logicalType: integer"]).await.unwrap(), ["1", "NULL"]);
}

#[tokio::test]
async fn options_of_the_server_count() {
    let fixture = Fixture::new();
    fixture.write("t.csv", "1;\\N;,\n2;x;\n");
    let properties = |header: bool| {
        format!(
            "csv, customProperties: [ {{ vendor: meshgate, property: delimiter, value: ';' }}, \
             {{ vendor: meshgate, property: header, value: {header} }}, {{ vendor: meshgate, property: nullText, value: '\\N' }} ]"
        )
    };
    let columns =
        ["name: a, logicalType: integer", "name: b, logicalType: string", "name: c, logicalType: string"];
    let table = fixture.open("t.csv", &properties(false), &columns).await.unwrap();
    assert_eq!(rows(&table).await, ["1|NULL|,", "2|x|"]);
    assert_eq!(rows_of(&batches(&table, Some(vec![2, 0]), &[]).await.unwrap()), [",|1", "|2"]);
    // Without a header the rows must be as long as the contract.
    let table = fixture.open("t.csv", &properties(false), &columns[..2]).await.unwrap();
    assert!(matches!(error(&table).await, SourceError::Malformed { row: 1, .. }));
    // With one the first row has names, and none of these.
    let table = fixture.open("t.csv", &properties(true), &columns).await.unwrap();
    assert!(matches!(error(&table).await, SourceError::Drift { .. }));
}

#[tokio::test]
async fn files_without_rows_are_fine() {
    let columns = ["name: a, logicalType: integer", "name: b, logicalType: string"];
    for text in ["", "a,b\n", "a,b", "\u{feff}a,b\n"] {
        assert_eq!(read(text, &columns).await.unwrap(), [""; 0], "{text:?}");
    }
    assert_eq!(read("\u{feff}a,b\n1,x", &columns).await.unwrap(), ["1|x"]);
}

#[tokio::test]
async fn a_column_that_drifted_refuses_only_what_touches_it() {
    let fixture = Fixture::new();
    fixture.write("t/a.csv", "a,b\n1,x\n");
    fixture.write("t/b.csv", "a,c,c\n2,y,z\n");
    fixture.write("t/empty.csv", "");
    let columns =
        ["name: a, logicalType: integer", "name: b, logicalType: string", "name: c, logicalType: string"];
    let table = fixture.csv("t", &columns).await;
    assert_eq!(rows_of(&batches(&table, Some(vec![0]), &[]).await.unwrap()), ["1", "2"]);
    assert_eq!(
        batches(&table, Some(vec![]), &[]).await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(),
        2
    );
    for (projection, expected) in [(vec![1], "b"), (vec![0, 1], "b"), (vec![2], "c")] {
        let error = source_error(batches(&table, Some(projection), &[]).await.unwrap_err());
        assert!(matches!(error, SourceError::Drift { ref column, .. } if column == expected), "{error}");
    }
    let filter = datafusion::prelude::col("b").is_null();
    let error = source_error(batches(&table, Some(vec![0]), &[filter]).await.unwrap_err());
    assert!(matches!(error, SourceError::Drift { ref column, .. } if column == "b"), "{error}");
}

#[tokio::test]
async fn a_bad_cell_that_nobody_asks_for_hurts_nobody() {
    let fixture = Fixture::new();
    fixture.write("t.csv", "a,b\n1,oops\n");
    let table =
        fixture.csv("t.csv", &["name: a, logicalType: integer", "name: b, logicalType: integer"]).await;
    assert_eq!(rows_of(&batches(&table, Some(vec![0]), &[]).await.unwrap()), ["1"]);
    assert!(matches!(error(&table).await, SourceError::BadCell { .. }));
}

#[tokio::test]
async fn many_rows_come_in_batches_and_a_limit_ends_them() {
    let fixture = Fixture::new();
    let lines: Vec<String> = (0..1000).map(|number| format!("{number}")).collect();
    fixture.write("t/a.csv", format!("id\n{}\nbad\n", lines.join("\n")));
    fixture.write("t/b.csv", "id\n5000\n");
    let table = fixture.csv("t", &["name: id, logicalType: integer"]).await;
    assert!(matches!(error(&table).await, SourceError::BadCell { row: 1002, .. }));
    let state = state_with(SessionConfig::new().with_target_partitions(1).with_batch_size(64));
    let plan = table.provider.scan(&state, None, &[], Some(1000)).await.unwrap();
    let batches = collect(plan, state.task_ctx()).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 64));
    assert_eq!(batches.len(), 16);
    // Behind a filter a limit counts other rows: the scan may not stop early.
    let filter = datafusion::prelude::col("id").gt(datafusion::prelude::lit(990_i64));
    let plan = table.provider.scan(&state, None, &[filter], Some(1)).await.unwrap();
    assert!(collect(plan, state.task_ctx()).await.is_err());
}
