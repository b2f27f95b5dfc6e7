//! One table with visible and hidden rows, in all raw forms and beside it the
//! same table with the visible rows alone.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray},
    compute::filter_record_batch,
    datatypes::SchemaRef,
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::{
    catalog::{MemTable, TableProvider},
    common::config::TableParquetOptions,
    datasource::{
        file_format::{FileFormat, csv::CsvFormat, parquet::ParquetFormat},
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    error::Result,
    parquet::{arrow::ArrowWriter, file::properties::WriterProperties},
    physical_plan::{ExecutionPlan, collect},
    prelude::{SessionConfig, SessionContext},
};
use meshgate_engine::data_type;
use meshgate_policies::{
    Cell, Column, DataType, DecidedColumn, Digest, Table, TableDecision,
    expression::{ComparisonOperator, Expr, Literal},
};

use crate::secured::{SecuredTable, check};

/// Text of hidden cells. Whatever contains it has leaked.
pub(super) const MARKER: &str = "SECRET";

pub(super) const ROWS: i64 = 200;

/// Where the raw data lies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Memory { partitions: usize },
    Csv,
    Parquet { pushdown: bool, reorder: bool },
}

pub(super) const SOURCES: [Source; 6] = [
    Source::Memory { partitions: 1 },
    Source::Memory { partitions: 4 },
    Source::Csv,
    Source::Parquet { pushdown: false, reorder: false },
    Source::Parquet { pushdown: true, reorder: false },
    Source::Parquet { pushdown: true, reorder: true },
];

/// The contract of the table that is attacked.
pub(super) fn contract() -> Table {
    let columns = [
        ("id", DataType::Int64),
        ("region", DataType::Text),
        ("ssn", DataType::Text),
        ("x", DataType::Int64),
        ("big", DataType::Int64),
        ("day_text", DataType::Text),
        ("pattern", DataType::Text),
        ("length", DataType::Int64),
        ("day", DataType::Date),
    ];
    table(&columns.map(|(name, data_type)| (name, data_type, name == "id")))
}

pub(super) fn table(columns: &[(&str, DataType, bool)]) -> Table {
    Table {
        domain: "sales".to_owned(),
        product: "people".to_owned(),
        name: "people".to_owned(),
        columns: columns
            .iter()
            .map(|(name, data_type, required)| Column {
                name: (*name).to_owned(),
                data_type: data_type.clone(),
                required: *required,
                classification: None,
                tags: Vec::new(),
                nested: Vec::new(),
            })
            .collect(),
        primary_key: Vec::new(),
    }
}

/// A schema as a raw table has it: the contract's, all nullable.
pub(super) fn raw_schema(contract: &Table) -> SchemaRef {
    let fields: Vec<_> = contract
        .columns
        .iter()
        .map(|column| data_type::field(&column.name, &column.data_type, true))
        .collect();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

/// Six of ten rows are visible: too many for `AND` to skip its right side.
pub(super) fn is_visible(id: i64) -> bool {
    id % 10 < 6
}

/// The raw rows. Every hidden row makes some expression fail that no visible
/// row does.
pub(super) fn raw_batch(nulls: bool) -> RecordBatch {
    let missing = move |id: i64, every: i64| nulls && every > 0 && id % every == 3;
    let text = |value: &dyn Fn(i64) -> String, every| -> ArrayRef {
        Arc::new(StringArray::from_iter((0..ROWS).map(|id| (!missing(id, every)).then(|| value(id)))))
    };
    let number = |value: &dyn Fn(i64) -> i64, every| -> ArrayRef {
        Arc::new(Int64Array::from_iter((0..ROWS).map(|id| (!missing(id, every)).then(|| value(id)))))
    };
    let columns: Vec<ArrayRef> = vec![
        number(&|id| id, 0),
        text(&|id| if is_visible(id) { "EU" } else { "US" }.to_owned(), 13),
        text(&|id| if is_visible(id) { format!("{}", 1000 + id) } else { format!("{MARKER}-{id}") }, 7),
        number(&|id| if is_visible(id) { id % 4 } else { 5 }, 8),
        number(&|id| if is_visible(id) { id } else { i64::MAX - id }, 9),
        text(&|id| if is_visible(id) { format!("2024-01-1{}", id % 10) } else { MARKER.to_owned() }, 10),
        text(&|id| if is_visible(id) { "^E".to_owned() } else { format!("({MARKER}") }, 11),
        number(&|id| if is_visible(id) { id % 3 } else { -1 }, 12),
        Arc::new(Date32Array::from_iter((0..ROWS).map(|id| {
            let hidden = if is_visible(id) { 0 } else { 2_900_000 };
            Some(i32::try_from(19_000 + id).unwrap() + hidden)
        }))),
    ];
    RecordBatch::try_new(raw_schema(&contract()), columns).unwrap()
}

/// Every column raw and plain; rows as given.
pub(super) fn decision(contract: &Table, rows: Option<Expr>) -> TableDecision {
    TableDecision {
        columns: contract
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| DecidedColumn {
                index,
                name: column.name.clone(),
                data_type: column.data_type.clone(),
                nullable: !column.required,
                plain: true,
                cell: Cell::Raw,
                disclosed: Default::default(),
            })
            .collect(),
        rows,
        rules: Vec::new(),
        row_rules: Vec::new(),
        lookups: Vec::new(),
        digest: Digest::of(b"test"),
    }
}

pub(super) fn column(contract: &Table, name: &str) -> Expr {
    let index = contract.columns.iter().position(|column| column.name == name).unwrap();
    Expr::Column { index, name: name.to_owned(), data_type: contract.columns[index].data_type.clone() }
}

pub(super) fn equals(left: Expr, right: Literal) -> Expr {
    Expr::Compare {
        operator: ComparisonOperator::Equal,
        left: Box::new(left),
        right: Box::new(Expr::Literal(right)),
    }
}

pub(super) fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}

/// Row predicates that all say `region = 'EU'`, at different costs.
pub(super) fn row_predicates() -> Vec<Expr> {
    let contract = contract();
    let region = || column(&contract, "region");
    let is_eu = equals(region(), text("EU"));
    vec![
        is_eu.clone(),
        Expr::Like { expr: Box::new(region()), pattern: "E%".to_owned(), negated: false, ignore_case: false },
        Expr::Case {
            branches: vec![(is_eu, Expr::Literal(Literal::Boolean(true)))],
            otherwise: None,
            data_type: DataType::Boolean,
        },
    ]
}

pub(super) fn session(batch_size: usize, source: Source) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_batch_size(batch_size)
        .with_target_partitions(4)
        .with_repartition_file_min_size(0);
    let options = config.options_mut();
    if let Source::Parquet { pushdown, reorder } = source {
        options.execution.parquet.pushdown_filters = pushdown;
        options.execution.parquet.reorder_filters = reorder;
    }
    SessionContext::new_with_config(config)
}

/// The batch as a raw table. `folder` keeps its files.
pub(super) fn raw_table(batch: &RecordBatch, source: Source, folder: &Path) -> Arc<dyn TableProvider> {
    let schema = batch.schema();
    match source {
        Source::Memory { partitions } => {
            let each = batch.num_rows().div_ceil(partitions);
            let slices = (0..partitions)
                .map(|part| {
                    let start = part * each;
                    let rows = batch.slice(start, each.min(batch.num_rows() - start));
                    // Slices of one allocation: the rest of it must not leave.
                    vec![
                        rows.slice(0, 7.min(rows.num_rows())),
                        rows.slice(7.min(rows.num_rows()), rows.num_rows().saturating_sub(7)),
                    ]
                })
                .collect();
            Arc::new(MemTable::try_new(schema, slices).unwrap())
        }
        Source::Csv => {
            for (part, rows) in thirds(batch).into_iter().enumerate() {
                let file = std::fs::File::create(folder.join(format!("{part}.csv"))).unwrap();
                arrow::csv::Writer::new(file).write(&rows).unwrap();
            }
            listing(schema, Arc::new(CsvFormat::default().with_has_header(true)), ".csv", folder)
        }
        Source::Parquet { pushdown, reorder } => {
            for (part, rows) in thirds(batch).into_iter().enumerate() {
                let file = std::fs::File::create(folder.join(format!("{part}.parquet"))).unwrap();
                let properties = WriterProperties::builder().set_max_row_group_row_count(Some(20)).build();
                let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
                writer.write(&rows).unwrap();
                writer.close().unwrap();
            }
            let mut options = TableParquetOptions::default();
            options.global.pushdown_filters = pushdown;
            options.global.reorder_filters = reorder;
            options.global.schema_force_view_types = false;
            listing(schema, Arc::new(ParquetFormat::default().with_options(options)), ".parquet", folder)
        }
    }
}

fn thirds(batch: &RecordBatch) -> Vec<RecordBatch> {
    let each = batch.num_rows().div_ceil(3);
    (0..3).map(|part| batch.slice(part * each, each.min(batch.num_rows() - part * each))).collect()
}

fn listing(
    schema: SchemaRef,
    format: Arc<dyn FileFormat>,
    extension: &str,
    folder: &Path,
) -> Arc<dyn TableProvider> {
    let url = ListingTableUrl::parse(format!("{}/", folder.display())).unwrap();
    let options = ListingOptions::new(format).with_file_extension(extension);
    let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(schema);
    Arc::new(ListingTable::try_new(config).unwrap())
}

/// The visible rows alone, as if nothing else had ever been there.
pub(super) fn visible_table(batch: &RecordBatch) -> Arc<dyn TableProvider> {
    let region: &StringArray = batch["region"].as_any().downcast_ref().unwrap();
    let keep = region.iter().map(|region| Some(region == Some("EU"))).collect();
    let rows = filter_record_batch(batch, &keep).unwrap();
    let contract = contract();
    let fields: Vec<_> = contract
        .columns
        .iter()
        .map(|column| data_type::field(&column.name, &column.data_type, !column.required))
        .collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let rows = RecordBatch::try_new(Arc::clone(&schema), rows.columns().to_vec()).unwrap();
    Arc::new(MemTable::try_new(schema, vec![vec![rows]]).unwrap())
}

pub(super) fn secured(
    decision: &TableDecision,
    contract: &Table,
    raw: Arc<dyn TableProvider>,
) -> Arc<SecuredTable> {
    Arc::new(SecuredTable::new(decision, Arc::new(contract.clone()), raw).unwrap())
}

/// Rows as sorted texts.
pub(super) fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<_> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(cells.join("|"));
        }
    }
    rows.sort();
    rows
}

pub(super) async fn plan(context: &SessionContext, sql: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(sql).await?.create_physical_plan().await
}

pub(super) async fn run(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let plan = plan(context, sql).await?;
    Ok(rows(&collect(plan, context.task_ctx()).await?))
}

/// Runs a statement over secured tables only, with a look at its plan.
pub(super) async fn run_checked(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let plan = plan(context, sql).await?;
    if let Err(error) = check(&plan) {
        let shown = datafusion::physical_plan::displayable(plan.as_ref()).indent(true);
        panic!("{error}\n{sql}\n{shown}");
    }
    Ok(rows(&collect(plan, context.task_ctx()).await?))
}
