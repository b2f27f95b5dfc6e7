//! Sources over files that the tests write.

mod arrow_ipc;
mod buckets;
mod checks;
mod csv;
mod engine;
mod files;
mod formats;
mod json;
mod parquet;
mod pruning;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::Expr;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _, collect};
use datafusion::prelude::SessionConfig;
use tempfile::TempDir;

use super::{Access, RawTable, Source, SourceError};
use crate::contract::{ProductTable, load_folder};

/// A folder with `products/` for the contract and `data/`, the only root.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("products")).unwrap();
        fs::create_dir_all(dir.path().join("data")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn write_parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>) {
        self.write_groups(name, columns, None);
    }

    /// The same rows in a file of any format.
    fn write_as(&self, name: &str, format: &str, columns: Vec<(&str, ArrayRef)>) {
        self.write(name, encoded(format, &nullable(columns)));
    }

    /// In row groups of so many rows.
    fn write_groups(&self, name: &str, columns: Vec<(&str, ArrayRef)>, rows: Option<usize>) {
        let batch = nullable(columns);
        let properties = WriterProperties::builder().set_max_row_group_row_count(rows.or(Some(1024))).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        self.write(name, writer.into_inner().unwrap());
    }

    /// The table `t` with these columns (YAML without braces), read from `path` under `data/`.
    fn table(&self, path: &str, format: &str, columns: &[&str]) -> ProductTable {
        self.table_at(&format!("type: local, path: '../data/{path}'"), format, columns)
    }

    /// The same on any server.
    fn table_at(&self, server: &str, format: &str, columns: &[&str]) -> ProductTable {
        let columns: Vec<String> = columns.iter().map(|column| format!("      - {{ {column} }}\n")).collect();
        let contract = format!(
            "apiVersion: v3.2.0\nkind: DataContract\nid: x\nname: p\nversion: 1.0.0\n\
             servers:\n  - {{ environment: dev, {server}, format: {format} }}\n\
             schema:\n  - name: t\n    properties:\n{}",
            columns.concat()
        );
        let products = self.dir.path().join("products");
        fs::write(products.join("p.odcs.yaml"), contract).unwrap();
        let mut contracts = load_folder(&products, "d", "dev", &BTreeMap::new());
        assert!(contracts.problems.is_empty(), "{}", contracts.problems[0]);
        contracts.products.remove(0).tables.remove(0)
    }

    fn access(&self) -> Access {
        access(&[self.path("")])
    }

    fn source(&self, path: &str, format: &str, columns: &[&str]) -> Source {
        Source::new(&self.table(path, format, columns), &self.access()).unwrap()
    }

    async fn open(&self, path: &str, format: &str, columns: &[&str]) -> Result<RawTable, SourceError> {
        self.source(path, format, columns).open(&state()).await
    }

    async fn csv(&self, path: &str, columns: &[&str]) -> RawTable {
        self.open(path, "csv", columns).await.unwrap()
    }

    async fn parquet(&self, path: &str, columns: &[&str]) -> RawTable {
        self.open(path, "parquet", columns).await.unwrap()
    }
}

fn nullable(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name.to_owned(), array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// A format of contracts and the extensions of its files.
const FORMATS: [(&str, &str); 5] =
    [("parquet", "parquet"), ("csv", "csv"), ("json", "jsonl"), ("arrow", "arrow"), ("arrow", "arrows")];

/// The rows as the bytes of a file with this extension.
fn encoded(extension: &str, batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    match extension {
        "parquet" => {
            let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
            writer.write(batch).unwrap();
            writer.close().unwrap();
        }
        "csv" => arrow::csv::Writer::new(&mut bytes).write(batch).unwrap(),
        "jsonl" => {
            let mut writer = arrow::json::LineDelimitedWriter::new(&mut bytes);
            writer.write(batch).unwrap();
            writer.finish().unwrap();
        }
        "arrow" => {
            let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            writer.write(batch).unwrap();
            writer.finish().unwrap();
        }
        "arrows" => {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            writer.write(batch).unwrap();
            writer.finish().unwrap();
        }
        other => panic!("{other}"),
    }
    bytes
}

/// Folders and no stores.
fn access(roots: &[PathBuf]) -> Access {
    Access::new(roots.to_vec(), BTreeMap::new())
}

fn state() -> SessionState {
    state_with(SessionConfig::new().with_target_partitions(2))
}

fn state_with(config: SessionConfig) -> SessionState {
    SessionStateBuilder::new_with_default_features().with_config(config).build()
}

async fn plan(
    table: &RawTable,
    projection: Option<Vec<usize>>,
    filters: &[Expr],
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    table.provider.scan(&state(), projection.as_ref(), filters, limit).await
}

async fn batches(
    table: &RawTable,
    projection: Option<Vec<usize>>,
    filters: &[Expr],
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let plan = plan(table, projection, filters, None).await?;
    let batches = collect(Arc::clone(&plan), state().task_ctx()).await?;
    for batch in &batches {
        assert_eq!(batch.schema(), plan.schema());
        assert!(batch.schema().fields().iter().all(|field| field.is_nullable()));
    }
    Ok(batches)
}

/// All rows as texts, sorted; NULL is `NULL`.
fn rows_of(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = |array: &ArrayRef| match array.is_null(row) {
                true => "NULL".to_owned(),
                false => array_value_to_string(array, row).unwrap(),
            };
            rows.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    rows
}

async fn rows(table: &RawTable) -> Vec<String> {
    rows_of(&batches(table, None, &[]).await.unwrap())
}

async fn error(table: &RawTable) -> SourceError {
    source_error(batches(table, None, &[]).await.unwrap_err())
}

fn source_error(error: DataFusionError) -> SourceError {
    match error {
        DataFusionError::External(error) => *error.downcast::<SourceError>().unwrap(),
        DataFusionError::Context(_, error) => source_error(*error),
        other => panic!("not of a source: {other:?}"),
    }
}

fn partitions(plan: &Arc<dyn ExecutionPlan>) -> usize {
    plan.output_partitioning().partition_count()
}
