//! Statements over domains whose answers are larger than all that may wait for a reader: one batch in each channel, and
//! a stream's window in a connection. Whatever waits for what, each comes to its end with the right answer.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use meshgate_tests::mesh::MeshPlan;
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::large_results::of_rows;

const ROWS: i64 = 24_000;
/// A table is three times as large as the window of a stream.
const TEXT_BYTES: usize = 1_000;
const WITHIN: Duration = Duration::from_secs(120);

/// Both domains have the same rows: `id` from 0 on, and a text that tells it.
#[tokio::test(flavor = "multi_thread")]
async fn no_plan_waits_for_ever() {
    let mesh = plan().start().await;
    let mut client = mesh.client(&json!({ "sub": "reader" })).await;
    let (all, half) = (ROWS.to_string(), (ROWS / 2).to_string());
    let joined = "east.rows a join west.rows b on a.text = b.text";
    let cases = [
        (format!("select count(*) from {joined}"), &*all),
        (format!("select count(*) from {joined} join east.rows c on b.text = c.text"), &*all),
        (format!("select count(*) from {joined} join east.rows c on b.text = c.text join west.rows d on c.text = d.text"), &*all),
        ("select count(*) from (select text from east.rows union all select text from west.rows)".to_owned(), "48000"),
        ("select count(distinct text) from (select text from east.rows union all select text from west.rows)".to_owned(), &*all),
        ("select count(*) from (select text from east.rows intersect select text from west.rows)".to_owned(), &*all),
        ("select count(*) from (select text from east.rows except select text from west.rows where id % 2 = 0)".to_owned(), &*half),
        ("select count(*) from east.rows a left join west.rows b on a.text = b.text and b.id % 2 = 0 where b.id is null".to_owned(), &*half),
        ("select count(*) from east.rows a full join west.rows b on a.text = b.text and a.id % 2 = 0".to_owned(), "36000"),
        ("select count(*) from east.rows where text in (select text from west.rows where id % 2 = 0)".to_owned(), &*half),
        ("select count(*) from east.rows where text not in (select text from west.rows where id % 2 = 0)".to_owned(), &*half),
        ("select count(*) from east.rows a join west.rows b on a.text < b.text where a.id < 2".to_owned(), "47997"),
        ("select count(*) from east.rows a, west.rows b where a.id < 2 and length(a.text || b.text) = 2000".to_owned(), "48000"),
        ("select count(*) from east.rows where text <= (select max(text) from west.rows)".to_owned(), &*all),
        ("select max(n) from (select row_number() over (order by text) n from (select text from east.rows union all select text from west.rows))".to_owned(), "48000"),
        (format!("select a.id from {joined} order by b.text desc limit 1"), "23999"),
        // Readers that stop: of one side, and of both.
        (format!("select count(*) from (select a.id from {joined} limit 10)"), "10"),
        ("select count(*) from (select text from east.rows union all select text from west.rows limit 10)".to_owned(), "10"),
    ];
    for (sql, expected) in cases {
        let answer = tokio::time::timeout(WITHIN, client.query(&sql)).await;
        let rows = answer
            .unwrap_or_else(|_| panic!("{sql}: no answer"))
            .unwrap_or_else(|status| panic!("{sql}: {status}"));
        assert_eq!(rows.column(), [expected], "{sql}");
    }
}

fn plan() -> MeshPlan {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.parquet");
    write_rows(&file);
    of_rows(&["east", "west"], &std::fs::read(&file).unwrap())
}

fn write_rows(file: &Path) {
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("text", Arc::new(StringArray::from_iter_values((0..ROWS).map(|id| format!("{id:0TEXT_BYTES$}"))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
