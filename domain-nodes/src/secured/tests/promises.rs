//! What the contract promises is checked; what breaks is reported without a word of data.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType as ArrowType, Field, Schema},
};
use datafusion::{
    catalog::{MemTable, TableProvider},
    error::DataFusionError,
    prelude::SessionContext,
};
use meshgate_policies::{Cell, DataType, Table, TableDecision, expression::Expr};

use super::fixture::{
    MARKER, Source, column, decision, equals, raw_schema, raw_table, run_checked, secured, session, table,
    text,
};
use crate::secured::error::{Failure, withhold};
use crate::secured::{ReadError, SecureError, SecuredTable, TableError};
use crate::source::{Drift, SourceError};
use crate::tests::logs;

const MEMORY: Source = Source::Memory { partitions: 1 };

/// `name` is required, and NULL where `region` is US.
fn broken() -> (Table, RecordBatch) {
    let contract = table(&[
        ("id", DataType::Int64, false),
        ("name", DataType::Text, true),
        ("region", DataType::Text, false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..20)),
        Arc::new(StringArray::from_iter((0..20).map(|id| (id != 13).then_some(MARKER)))),
        Arc::new(StringArray::from_iter_values((0..20).map(|id| if id < 10 { "EU" } else { "US" }))),
    ];
    let batch = RecordBatch::try_new(raw_schema(&contract), columns).unwrap();
    (contract, batch)
}

fn registered(contract: &Table, decision: &TableDecision, raw: Arc<dyn TableProvider>) -> SessionContext {
    let context = session(5, MEMORY);
    context.register_table("t", secured(decision, contract, raw)).unwrap();
    context
}

fn assert_unavailable(error: &DataFusionError) {
    assert!(matches!(TableError::find(error).unwrap().error, ReadError::Unavailable { .. }), "{error:?}");
    assert!(!error.to_string().contains(MARKER), "{error}");
    assert!(!format!("{error:?}").contains(MARKER), "{error:?}");
    assert!(!error.to_string().contains("name"), "{error}");
}

#[tokio::test]
async fn a_null_in_a_required_column_ends_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let (contract, batch) = broken();
    let raw = raw_table(&batch, MEMORY, folder.path());
    let context = registered(&contract, &decision(&contract, None), raw);
    for sql in ["SELECT * FROM t", "SELECT name FROM t", "SELECT count(name) FROM t WHERE 1/(id+1) >= 0"] {
        assert_unavailable(&run_checked(&context, sql).await.unwrap_err());
    }
    let untouched = run_checked(&context, "SELECT id FROM t").await.unwrap();
    assert_eq!(untouched.len(), 20, "queries that do not read it go on");
}

#[tokio::test]
async fn a_hidden_row_that_breaks_a_promise_is_not_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (contract, batch) = broken();
    let rows = equals(column(&contract, "region"), text("EU"));
    let raw = raw_table(&batch, MEMORY, folder.path());
    let context = registered(&contract, &decision(&contract, Some(rows)), raw);
    assert_eq!(run_checked(&context, "SELECT name FROM t").await.unwrap().len(), 10);
    assert_eq!(run_checked(&context, "SELECT id FROM t WHERE name > 'A'").await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_masked_required_column_is_nullable() {
    let folder = tempfile::tempdir().unwrap();
    let (contract, batch) = broken();
    let mut decision = decision(&contract, None);
    decision.columns[1].cell = Cell::Computed(Expr::Null(DataType::Text));
    decision.columns[1].plain = false;
    decision.columns[1].nullable = true;
    let raw = raw_table(&batch, MEMORY, folder.path());
    let context = registered(&contract, &decision, raw);
    assert_eq!(run_checked(&context, "SELECT name FROM t WHERE name IS NULL").await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_cell_that_does_not_parse_is_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let contract = table(&[("id", DataType::Int64, false), ("name", DataType::Text, false)]);
    let mut file = std::fs::File::create(folder.path().join("0.csv")).unwrap();
    writeln!(file, "id,name\n1,a\n{MARKER},b").unwrap();
    drop(file);
    let raw = csv(&contract, folder.path());
    let context = registered(&contract, &decision(&contract, None), raw);
    assert_unavailable(&run_checked(&context, "SELECT * FROM t").await.unwrap_err());
}

fn csv(contract: &Table, folder: &std::path::Path) -> Arc<dyn TableProvider> {
    use datafusion::datasource::{
        file_format::csv::CsvFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    };
    let url = ListingTableUrl::parse(format!("{}/", folder.display())).unwrap();
    let format = CsvFormat::default().with_has_header(true);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(".csv");
    let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(raw_schema(contract));
    Arc::new(ListingTable::try_new(config).unwrap())
}

#[tokio::test]
async fn a_broken_or_missing_file_is_not_described() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::Parquet { pushdown: false, reorder: false };
    let (contract, batch) = broken();
    let raw = raw_table(&batch, source, folder.path());
    let context = registered(&contract, &decision(&contract, None), raw);
    let plan = super::fixture::plan(&context, "SELECT id FROM t").await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let error = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap_err();
    assert_unavailable(&error);
    assert!(!error.to_string().contains("parquet"), "{error}");
}

#[test]
fn what_does_not_fit_the_contract_is_refused() {
    let (contract, batch) = broken();
    let raw = |schema: Schema| -> Arc<dyn TableProvider> {
        Arc::new(MemTable::try_new(Arc::new(schema), vec![vec![]]).unwrap())
    };
    let good = decision(&contract, None);
    let original = batch.schema();
    let changed = |place: usize, field: Field| {
        let mut fields: Vec<Field> = original.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields[place] = field;
        raw(Schema::new(fields))
    };
    for wrong in [
        changed(0, Field::new("id", ArrowType::Int32, true)),
        changed(0, Field::new("other", ArrowType::Int64, true)),
        changed(1, Field::new("name", ArrowType::Utf8, false)),
        raw(original.project(&[0, 1]).unwrap()),
    ] {
        let refused = SecuredTable::new(&good, Arc::new(contract.clone()), wrong);
        assert!(matches!(refused, Err(SecureError::SourceColumns(_))));
    }
    let fits = || raw(original.as_ref().clone());
    let with = |change: &dyn Fn(&mut TableDecision)| {
        let mut decision = good.clone();
        change(&mut decision);
        SecuredTable::new(&decision, Arc::new(contract.clone()), fits())
    };
    assert!(with(&|_| ()).is_ok());
    assert!(matches!(with(&|d| d.columns.clear()), Err(SecureError::NothingVisible)));
    for change in [
        &(|d: &mut TableDecision| d.columns[0].index = 7) as &dyn Fn(&mut TableDecision),
        &|d| d.columns[0].index = 1,
        &|d| d.columns[0].name = "other".to_owned(),
        &|d| d.columns[0].data_type = DataType::Text,
        &|d| d.columns[0] = d.columns[1].clone(),
        // Masked and plain at once.
        &|d| d.columns[0].cell = Cell::Computed(Expr::Null(DataType::Int64)),
    ] {
        assert!(matches!(with(change), Err(SecureError::DecisionColumns(_))));
    }
}

#[tokio::test]
async fn a_mask_of_another_type_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let (contract, batch) = broken();
    let mut decision = decision(&contract, None);
    decision.columns[0].cell = Cell::Computed(Expr::Null(DataType::Text));
    decision.columns[0].plain = false;
    let raw = raw_table(&batch, MEMORY, folder.path());
    let context = registered(&contract, &decision, raw);
    assert_unavailable(&run_checked(&context, "SELECT id FROM t").await.unwrap_err());
}

#[test]
fn memory_limits_are_told_apart() {
    let error = DataFusionError::ResourcesExhausted(format!("{MARKER} for consumer")).context("above");
    let told = crate::secured::error::withhold("t", &crate::secured::error::Failure::Below(error));
    assert!(matches!(told.error, ReadError::LimitReached { .. }));
    assert_eq!(told.table, "t");
    assert!(!told.to_string().contains(MARKER));
    // An error that is already said in these words keeps its id.
    let again = crate::secured::error::withhold(
        "t",
        &crate::secured::error::Failure::Below(DataFusionError::from(told.clone()).context("outer")),
    );
    assert_eq!(again, told);
}

/// However the engine wraps an error, what a barrier said is found, and nothing else is taken for it.
#[test]
fn what_a_barrier_said_is_found_in_every_wrapping() {
    let id = uuid::Uuid::nil();
    let said = TableError { table: "people".to_owned(), error: ReadError::Changed { id } };
    let plain = || DataFusionError::from(said.clone());
    let in_arrow = arrow::error::ArrowError::ExternalError(Box::new(plain()));
    for wrapped in [
        plain(),
        DataFusionError::External(Box::new(plain())),
        DataFusionError::Context("reading".to_owned(), Box::new(plain())),
        DataFusionError::Shared(Arc::new(plain())),
        DataFusionError::Collection(vec![DataFusionError::Plan("other".to_owned()), plain()]),
        DataFusionError::ArrowError(Box::new(in_arrow), None),
    ] {
        assert_eq!(TableError::find(&wrapped), Some(&said), "{wrapped:?}");
    }
    for other in [
        DataFusionError::Plan("other".to_owned()),
        DataFusionError::ArrowError(Box::new(arrow::error::ArrowError::DivideByZero), None),
    ] {
        assert_eq!(TableError::find(&other), None);
    }
    assert_eq!(format!("{said:?}"), format!("{:?}", said.error), "no name of a table");
}

fn withheld(table: &str, error: DataFusionError) -> ReadError {
    withhold(table, &Failure::Below(error)).error
}

/// What may be tried again, what is the query's own fault, and all else; the log has a word for each.
#[tokio::test]
async fn errors_below_become_few_kinds() {
    logs::start();
    let stopped = tokio::spawn(std::future::pending::<()>());
    stopped.abort();
    let cancelled = stopped.await.unwrap_err();
    let broken = tokio::spawn(async { panic!("{MARKER}") }).await.unwrap_err();
    let stored = |error: object_store::Error| DataFusionError::ObjectStore(Box::new(error));
    let of_source = |error: SourceError| DataFusionError::from(error).context("reading");
    let (path, table, cause) = (String::new, || MARKER.to_owned(), || "x".into());
    for (class, error) in [
        ("limit", DataFusionError::ResourcesExhausted(String::new())),
        ("cancelled", DataFusionError::ExecutionJoin(Box::new(cancelled))),
        ("other", DataFusionError::ExecutionJoin(Box::new(broken))),
        ("changed", stored(object_store::Error::Precondition { path: path(), source: cause() })),
        ("changed", stored(object_store::Error::NotModified { path: path(), source: cause() })),
        ("storage", stored(object_store::Error::NotFound { path: path(), source: cause() })),
        ("storage", DataFusionError::IoError(std::io::Error::other("x"))),
        ("broken_data", DataFusionError::ArrowError(Box::new(arrow::error::ArrowError::DivideByZero), None)),
        ("changed", of_source(SourceError::Changed { table: table() })),
        ("promise_broken", of_source(SourceError::BrokenPromise { table: table(), column: table() })),
        ("drift", of_source(SourceError::Drift { table: table(), column: table(), drift: Drift::Missing })),
        ("broken_data", of_source(SourceError::BadCell { table: table(), column: table(), row: 7 })),
        ("broken_data", of_source(SourceError::Malformed { table: table(), row: 7 })),
        ("storage", of_source(SourceError::Refused { table: table(), reason: String::new() })),
        ("storage", of_source(SourceError::Store { table: table(), reason: String::new() })),
        ("source", of_source(SourceError::NoFiles { table: table() })),
        ("source", DataFusionError::External("x".into())),
        ("other", DataFusionError::Plan(String::new())),
    ] {
        let table = format!("sales.kind_{class}");
        let before = logs::lines_with(&[&table]).len();
        let kind = withheld(&table, error);
        let expected = match class {
            "limit" => matches!(kind, ReadError::LimitReached { .. }),
            "cancelled" => matches!(kind, ReadError::Cancelled { .. }),
            "changed" => matches!(kind, ReadError::Changed { .. }),
            _ => matches!(kind, ReadError::Unavailable { .. }),
        };
        assert!(expected, "{class}: {kind:?}");
        let lines = logs::lines_with(&[&table]);
        assert_eq!(lines.len(), before + 1);
        assert!(lines.iter().all(|line| line.contains(&format!("class=\"{class}\""))), "{lines:?}");
    }
}
