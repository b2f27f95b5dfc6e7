//! Two million rows through a node and the gateway: whole, in portions, in
//! bounded memory, no longer worked on than somebody reads, and in nobody's way.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use arrow_flight::decode::FlightRecordBatchStream;
use futures::TryStreamExt;
use meshgate_tests::eventually_async;
use meshgate_tests::mesh::{Mesh, MeshPlan};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

const ROWS: i64 = 2_000_000;
const ROWS_OF_A_BATCH: i64 = 50_000;
/// The whole result is larger than what the process may take.
const TEXT_BYTES: usize = 240;
const MEMORY_MAX: u64 = 400 << 20;
/// More than a connection's usual window holds for, if each fills its own.
const STOPPED_READERS: usize = 8;

/// In a process of its own: other tests need memory as well.
#[test]
fn large_results_take_little_memory() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["large_results::in_this_process", "--exact", "--ignored", "--nocapture"])
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by large_results_take_little_memory"]
async fn in_this_process() {
    let mesh = plan().start().await;
    let sql = "select id, text from big.rows";
    let before = most_memory();
    let (mut messages, mut rows, mut sum) = (0, 0, 0);
    let mut stream = stream(&mesh, sql).await;
    while let Some(batch) = stream.try_next().await.unwrap() {
        assert!(batch.column(1).as_string::<i32>().value(0).len() == TEXT_BYTES);
        messages += 1;
        rows += i64::try_from(batch.num_rows()).unwrap();
        sum += batch.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
    }
    let grown = most_memory() - before;
    eprintln!("{messages} messages, {} MiB more memory", grown >> 20);
    assert_eq!((rows, sum), (ROWS, ROWS * (ROWS - 1) / 2));
    assert!(messages > 100, "{messages}");
    assert!(grown < MEMORY_MAX, "{grown} bytes");

    let mut dropped = self::stream(&mesh, sql).await;
    assert!(dropped.try_next().await.unwrap().is_some());
    drop(dropped);
    for audit in ["big/audit.jsonl", "audit.jsonl"] {
        let record =
            eventually_async("the record of a cancelled query", Duration::from_secs(5), async || {
                let text = std::fs::read_to_string(mesh.path(audit)).unwrap();
                let last: Value = serde_json::from_str(text.lines().last()?).ok()?;
                (last["outcome"] == "cancelled").then_some(last)
            })
            .await;
        assert!(record["rows"].as_i64().unwrap() < ROWS, "{audit}: {record}");
    }
}

/// What lies unread in the one connection to a node must not fill it.
#[tokio::test(flavor = "multi_thread")]
async fn who_stops_reading_is_not_in_the_way_of_others() {
    let mesh = plan().start().await;
    let mut stopped = Vec::new();
    for _ in 0..STOPPED_READERS {
        let mut stream = stream(&mesh, "select id, text from big.rows").await;
        assert!(stream.try_next().await.unwrap().is_some());
        stopped.push(stream);
    }
    let mut client = mesh.client(&json!({ "sub": "another" })).await;
    for sql in ["select text from big.rows limit 200000", "select count(*) from big.rows"] {
        let answer = tokio::time::timeout(Duration::from_secs(60), client.query(sql)).await;
        assert!(answer.unwrap_or_else(|_| panic!("{sql}: no answer")).is_ok(), "{sql}");
    }
    // They are still served.
    for stream in &mut stopped {
        assert!(stream.try_next().await.unwrap().is_some());
    }
}

async fn stream(mesh: &Mesh, sql: &str) -> FlightRecordBatchStream {
    let mut client = mesh.client(&json!({ "sub": "reader" })).await;
    let info = client.plan(sql).await.unwrap();
    client.stream(&info).await.unwrap()
}

/// The most memory that this process ever had.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn plan() -> MeshPlan {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.parquet");
    write_rows(&file);
    of_rows(&["big"], &std::fs::read(&file).unwrap())
}

/// A mesh in which each domain has these rows, of an id and a text, as its table `rows`, and everybody sees them.
pub(crate) fn of_rows(domains: &[&str], parquet: &[u8]) -> MeshPlan {
    let mesh = "mesh: large\ntimezone: UTC\nroles: { path: $.roles }\ngroups: { path: $.groups }\n\
                classifications: [internal]\n";
    domains.iter().fold(MeshPlan::new(mesh, domains), |plan, domain| {
        let contract = format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: {domain}\nname: {domain}\nversion: 1.0.0\nstatus: active\n\
             servers: [ {{ server: files, environment: test, type: local, path: '../data/{{model}}.parquet', \
             format: parquet }} ]\nschema:\n  - name: rows\n    properties:\n\
             \x20     - {{ name: id, logicalType: integer, physicalType: bigint, required: true, classification: internal }}\n\
             \x20     - {{ name: text, logicalType: string, required: true, classification: internal }}\n"
        );
        let policy = format!(
            "domain: {domain}\nowner: {domain}@larkfield.example\ngrants:\n  - {{ id: all, why: A test., \
             to: {{ everyone: true }}, tables: [rows], columns: all }}\n"
        );
        plan.file(&format!("{domain}/products/{domain}.odcs.yaml"), contract)
            .file(&format!("{domain}/policies/{domain}.yaml"), policy)
            .file(&format!("{domain}/data/rows.parquet"), parquet)
    })
}

/// A thousand different texts: small on disk, large in a result.
fn write_rows(file: &Path) {
    let mut writer = None;
    for first in (0..ROWS).step_by(usize::try_from(ROWS_OF_A_BATCH).unwrap()) {
        let ids = first..first + ROWS_OF_A_BATCH;
        let texts = ids.clone().map(|id| format!("{:0TEXT_BYTES$}", id % 1000));
        let columns: [(&str, ArrayRef); 2] = [
            ("id", Arc::new(Int64Array::from_iter_values(ids))),
            ("text", Arc::new(StringArray::from_iter_values(texts))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let writer = writer.get_or_insert_with(|| {
            ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap()
        });
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
}
