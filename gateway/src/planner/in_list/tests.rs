//! What lists say of 1, 4 and NULL, as a condition and as a value.

use arrow::{array::AsArray, compute::cast, datatypes::DataType};

use crate::testing::bench::{Bench, auditor};

async fn cells(bench: &Bench, sql: &str) -> String {
    let batches = bench.query(&auditor(), sql).await.unwrap_or_else(|status| panic!("{sql}: {status:?}"));
    let mut cells = Vec::new();
    for batch in batches {
        let column = cast(batch.column(0), &DataType::Utf8).unwrap();
        cells.extend(column.as_string::<i32>().iter().map(|cell| cell.unwrap_or("NULL").to_owned()));
    }
    cells.join(" ")
}

#[tokio::test]
async fn of_null_it_is_null_where_lists_meet() {
    let bench = Bench::start().await;
    let mut wrong = Vec::new();
    for (condition, rows, values) in [
        ("x not in (1) or x not in (2)", "1 4", "true true NULL"),
        ("x not in (1, 2, 3, 4) or x not in (5, 6, 7, 8)", "1 4", "true true NULL"),
        ("x not in (1, 2) or (x not in (3, 4) or x > 9)", "1 4", "true true NULL"),
        ("x not in (1, 2) or x not in (2, 1)", "4", "false true NULL"),
        ("not (x in (1, 2) and x in (3, 4))", "1 4", "true true NULL"),
        ("not (x in (1, 2) and x > 0) or not (x in (3, 4) and x < 9)", "1 4", "true true NULL"),
        ("not ((x = 1 or x = 2) and (x = 3 or x = 4))", "1 4", "true true NULL"),
        ("x in (1, 2) and x in (3, 4)", "", "false false NULL"),
        ("(x = 1 or x = 2) and (x = 3 or x = 4)", "", "false false NULL"),
        ("x in (1, 2) and x not in (1, 2)", "", "false false NULL"),
        ("(x in (1, 2) and x in (3, 4)) is null", "NULL", "false false true"),
        ("x in (1, 2, 4) and x in (4, 1, 5)", "1 4", "true true NULL"),
        ("x in (1, 2) and x in (1.0, 4.0)", "1", "true false NULL"),
        ("x in (1, 2) or x in (2, 4)", "1 4", "true true NULL"),
        ("x not in (1, null) or x not in (4)", "1", "true NULL NULL"),
    ] {
        let table = "(values (1), (4), (null)) as t(x)";
        let filtered = cells(&bench, &format!("select x from {table} where {condition} order by x")).await;
        let shown = cells(&bench, &format!("select {condition} as v from {table} order by x")).await;
        if (filtered.as_str(), shown.as_str()) != (rows, values) {
            wrong.push(format!("{condition}: rows {filtered}, not {rows}; values {shown}, not {values}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
