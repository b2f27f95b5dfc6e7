//! The attacks once more, on the node's own sources: files whose columns have
//! other names than the contract's, in a session as the node's.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use arrow::{array::RecordBatch, datatypes::Schema};
use datafusion::{
    error::DataFusionError,
    parquet::{arrow::ArrowWriter, file::properties::WriterProperties},
    physical_plan::collect,
    prelude::SessionContext,
};

use super::{
    attacks::attack_table,
    fixture::{MARKER, Source as Setting, decision, plan, raw_batch, row_predicates, secured, session},
};
use crate::{
    contract::{ProductTable, load_folder},
    secured::{ReadError, SecuredTable, TableError},
    source::{Access, Source},
};

const COLUMNS: [(&str, &str); 9] = [
    ("id", "integer, physicalType: bigint, required: true"),
    ("region", "string"),
    ("ssn", "string"),
    ("x", "integer, physicalType: bigint"),
    ("big", "integer, physicalType: bigint"),
    ("day_text", "string"),
    ("pattern", "string"),
    ("length", "integer, physicalType: bigint"),
    ("day", "date"),
];

/// What the files call a column.
fn file_name(column: &str) -> String {
    format!("F_{}", column.to_uppercase())
}

fn write_files(batch: &RecordBatch, format: &str, folder: &Path) {
    let original = batch.schema();
    let fields =
        original.fields().iter().map(|field| field.as_ref().clone().with_name(file_name(field.name())));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()).unwrap();
    let half = batch.num_rows() / 2;
    for (part, rows) in [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)].iter().enumerate()
    {
        let file = fs::File::create(folder.join(format!("{part}.{format}"))).unwrap();
        match format {
            "csv" => arrow::csv::Writer::new(file).write(rows).unwrap(),
            "json" => {
                let mut writer = arrow::json::LineDelimitedWriter::new(file);
                writer.write(rows).unwrap();
                writer.finish().unwrap();
            }
            "arrow" => {
                let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &schema).unwrap();
                writer.write(rows).unwrap();
                writer.finish().unwrap();
            }
            _ => {
                let properties = WriterProperties::builder().set_max_row_group_row_count(Some(20)).build();
                let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
                writer.write(rows).unwrap();
                writer.close().unwrap();
            }
        }
    }
}

fn product_table(format: &str, folder: &Path) -> ProductTable {
    let mut contract = format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: x\nname: people\nversion: 1.0.0\nservers:\n  \
         - {{ environment: dev, type: local, path: '../data/*.{format}', format: {format} }}\n\
         schema:\n  - name: people\n    properties:\n"
    );
    for (name, logical_type) in COLUMNS {
        let physical = file_name(name);
        contract.push_str(&format!(
            "      - {{ name: {name}, physicalName: {physical}, logicalType: {logical_type} }}\n"
        ));
    }
    fs::create_dir_all(folder.join("products")).unwrap();
    fs::write(folder.join("products/people.odcs.yaml"), contract).unwrap();
    let mut contracts = load_folder(&folder.join("products"), "sales", "dev", &BTreeMap::new());
    assert!(contracts.problems.is_empty(), "{}", contracts.problems[0]);
    contracts.products.remove(0).tables.remove(0)
}

async fn secured_files(
    batch: &RecordBatch,
    format: &str,
    folder: &Path,
    context: &SessionContext,
) -> Arc<SecuredTable> {
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    write_files(batch, format, &data);
    let table = product_table(format, folder);
    let raw = Source::new(&table, &Access::new(vec![data], BTreeMap::new()))
        .unwrap()
        .open(&context.state())
        .await
        .unwrap();
    let rows = row_predicates().swap_remove(0);
    secured(&decision(&table.table, Some(rows)), &table.table, raw.provider)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a050_to_a054_a109_a110_in_the_nodes_own_sources() {
    for (format, batch_size, nulls) in [
        ("csv", 8192, true),
        ("parquet", 8192, false),
        ("parquet", 10, true),
        ("json", 8192, true),
        ("json", 10, false),
        ("arrow", 8192, true),
        ("arrow", 10, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let context = session(batch_size, Setting::Csv);
        let batch = raw_batch(nulls);
        let table = secured_files(&batch, format, folder.path(), &context).await;
        let how = format!("{format}, nulls {nulls}, batches of {batch_size}");
        attack_table(&context, table, &batch, &how).await;
    }
}

async fn read_after(format: &str, change: impl FnOnce(&Path)) -> DataFusionError {
    let folder = tempfile::tempdir().unwrap();
    let context = session(8192, Setting::Csv);
    let table = secured_files(&raw_batch(false), format, folder.path(), &context).await;
    context.register_table("t", table).unwrap();
    let plan = plan(&context, "SELECT * FROM t").await.unwrap();
    change(&folder.path().join("data").join(format!("0.{format}")));
    let error = collect(plan, context.task_ctx()).await.unwrap_err();
    for told in [error.to_string(), format!("{error:?}")] {
        assert!(!told.contains(MARKER) && !told.contains("F_") && !told.contains("people"), "{told}");
    }
    error
}

#[tokio::test]
async fn files_that_change_between_planning_and_reading_are_told_apart() {
    for format in ["csv", "parquet", "json", "arrow"] {
        let error = read_after(format, |file| {
            let content = fs::read(file).unwrap();
            fs::remove_file(file).unwrap();
            fs::write(file, content).unwrap();
        });
        let error = error.await;
        assert!(
            matches!(TableError::find(&error).unwrap().error, ReadError::Changed { .. }),
            "{format}: {error:?}"
        );
    }
}
