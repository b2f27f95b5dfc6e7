//! Flight messages of secured tables, searched for bytes that must not leave.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Int64Array, ListArray, PrimitiveArray, RecordBatch, StringArray,
        StructArray,
    },
    buffer::OffsetBuffer,
    datatypes::{
        ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type,
        Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type,
    },
};
use arrow_flight::encode::FlightDataEncoderBuilder;
use datafusion::{physical_plan::execute_stream, prelude::SessionContext};
use futures::TryStreamExt;
use meshgate_engine::data_type::to_arrow;
use meshgate_policies::{
    Cell, DataType, Table, TableDecision,
    data_type::{Field, TimeUnit},
    expression::Expr,
};

use super::fixture::{Source, column, decision, plan, raw_schema, raw_table, secured, session, table};
use crate::secured::check;

const ROWS: usize = 60;
const HIDDEN: &str = "SECRET";
const SHOWN: &str = "VISIBLE";
/// In every hidden number that has room for it.
const HIDDEN_NUMBER: i64 = 0x25A5_A6A7_A8A9_AAAB;
const SHOWN_NUMBER: i64 = 0x25B5_B6B7_B8B9_BABB;

/// Every third row and every second cell is hidden.
fn is_shown(row: usize, masked: bool) -> bool {
    let cell_hidden = masked && row % 2 == 1;
    !row.is_multiple_of(3) && !cell_hidden
}

fn types() -> Vec<(&'static str, DataType)> {
    let timestamp = |unit, zone: Option<&str>| DataType::Timestamp { unit, zone: zone.map(str::to_owned) };
    let nested = Field { name: "note".to_owned(), data_type: DataType::Text, nullable: true };
    let number = Field { name: "number".to_owned(), data_type: DataType::Int64, nullable: true };
    let item = |data_type| Box::new(Field { name: "item".to_owned(), data_type, nullable: true });
    vec![
        ("boolean", DataType::Boolean),
        ("int8", DataType::Int8),
        ("int16", DataType::Int16),
        ("int32", DataType::Int32),
        ("int64", DataType::Int64),
        ("uint8", DataType::UInt8),
        ("uint16", DataType::UInt16),
        ("uint32", DataType::UInt32),
        ("uint64", DataType::UInt64),
        ("float32", DataType::Float32),
        ("float64", DataType::Float64),
        ("decimal", DataType::Decimal { precision: 38, scale: 2 }),
        ("text", DataType::Text),
        ("bytes", DataType::Binary),
        ("date", DataType::Date),
        ("time", DataType::Time),
        ("second", timestamp(TimeUnit::Second, None)),
        ("millisecond", timestamp(TimeUnit::Millisecond, None)),
        ("microsecond", timestamp(TimeUnit::Microsecond, Some("UTC"))),
        ("nanosecond", timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin"))),
        ("list", DataType::List(item(DataType::Text))),
        ("structure", DataType::Struct(vec![nested.clone(), number.clone()])),
        ("nested", DataType::List(item(DataType::Struct(vec![nested, number])))),
    ]
}

fn contract() -> Table {
    let mut columns = vec![
        ("id", DataType::Int64, true),
        ("row_shown", DataType::Boolean, true),
        ("cell_shown", DataType::Boolean, true),
    ];
    columns.extend(types().into_iter().map(|(name, data_type)| (name, data_type, false)));
    table(&columns)
}

/// Text of a cell; long enough to lie outside of any inline form.
fn text(shown: bool) -> &'static str {
    if shown { "VISIBLE-VISIBLE-VISIBLE" } else { "SECRET-SECRET-SECRET" }
}

fn number(shown: bool) -> i64 {
    if shown { SHOWN_NUMBER } else { HIDDEN_NUMBER }
}

/// One column, its hidden cells full of markers.
fn values(data_type: &DataType, shown: &[bool]) -> ArrayRef {
    fn numbers<T: ArrowPrimitiveType>(
        target: &DataType,
        shown: &[bool],
        value: impl Fn(i64) -> T::Native,
    ) -> ArrayRef {
        let values = shown.iter().map(|shown| value(number(*shown)));
        Arc::new(PrimitiveArray::<T>::from_iter_values(values).with_data_type(to_arrow(target)))
    }
    let low = |value: i64| (value & 0x7FFF_FFFF) as u32;
    match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from(shown.to_vec())),
        DataType::Int8 => numbers::<Int8Type>(data_type, shown, |value| value as i8),
        DataType::Int16 => numbers::<Int16Type>(data_type, shown, |value| value as i16),
        DataType::Int32 => numbers::<Int32Type>(data_type, shown, |value| low(value) as i32),
        DataType::Int64 => numbers::<Int64Type>(data_type, shown, |value| value),
        DataType::UInt8 => numbers::<UInt8Type>(data_type, shown, |value| value as u8),
        DataType::UInt16 => numbers::<UInt16Type>(data_type, shown, |value| value as u16),
        DataType::UInt32 => numbers::<UInt32Type>(data_type, shown, low),
        DataType::UInt64 => numbers::<UInt64Type>(data_type, shown, |value| value as u64),
        DataType::Float32 => numbers::<Float32Type>(data_type, shown, |value| f32::from_bits(low(value))),
        DataType::Float64 => numbers::<Float64Type>(data_type, shown, |value| f64::from_bits(value as u64)),
        DataType::Decimal { .. } => numbers::<Decimal128Type>(data_type, shown, i128::from),
        DataType::Date => numbers::<Date32Type>(data_type, shown, |value| low(value) as i32),
        DataType::Time => numbers::<Time64MicrosecondType>(data_type, shown, |value| value),
        DataType::Timestamp { unit, .. } => match unit {
            TimeUnit::Second => numbers::<TimestampSecondType>(data_type, shown, |value| value),
            TimeUnit::Millisecond => numbers::<TimestampMillisecondType>(data_type, shown, |value| value),
            TimeUnit::Microsecond => numbers::<TimestampMicrosecondType>(data_type, shown, |value| value),
            TimeUnit::Nanosecond => numbers::<TimestampNanosecondType>(data_type, shown, |value| value),
        },
        DataType::Text => Arc::new(StringArray::from_iter_values(shown.iter().map(|s| text(*s)))),
        DataType::Binary => Arc::new(BinaryArray::from_iter_values(shown.iter().map(|s| text(*s)))),
        DataType::List(item) => {
            let ArrowType::List(field) = to_arrow(data_type) else { panic!("a list") };
            let twice: Vec<bool> = shown.iter().flat_map(|shown| [*shown, *shown]).collect();
            let offsets = OffsetBuffer::from_lengths(vec![2; shown.len()]);
            Arc::new(ListArray::new(field, offsets, values(&item.data_type, &twice), None))
        }
        DataType::Struct(fields) => {
            let ArrowType::Struct(arrow_fields) = to_arrow(data_type) else { panic!("a struct") };
            let children = fields.iter().map(|field| values(&field.data_type, shown)).collect();
            Arc::new(StructArray::new(arrow_fields, children, None))
        }
    }
}

fn raw_batch(masked: bool) -> RecordBatch {
    let shown: Vec<bool> = (0..ROWS).map(|row| is_shown(row, masked)).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..ROWS as i64)),
        Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(row % 3 != 0)))),
        Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(is_shown(row, true))))),
    ];
    columns.extend(types().iter().map(|(_, data_type)| values(data_type, &shown)));
    RecordBatch::try_new(raw_schema(&contract()), columns).unwrap()
}

/// Cells are shown where `cell_shown` is, as if one of two grants had no rows.
fn masked(mut decision: TableDecision) -> TableDecision {
    let contract = contract();
    for decided in decision.columns.iter_mut().skip(3) {
        decided.plain = false;
        decided.nullable = true;
        decided.cell = Cell::Computed(Expr::Case {
            branches: vec![(column(&contract, "cell_shown"), column(&contract, &decided.name))],
            otherwise: None,
            data_type: decided.data_type.clone(),
        });
    }
    decision
}

const STATEMENTS: [&str; 6] = [
    "SELECT * FROM t",
    "SELECT * FROM t LIMIT 11",
    "SELECT * FROM t WHERE id > 7",
    "SELECT * FROM t ORDER BY id DESC LIMIT 7",
    "SELECT a.* FROM t a JOIN t b ON a.id = b.id",
    "SELECT coalesce(text, '') AS a, nullif(list, list) AS b, structure, nested FROM t",
];

/// All bytes of the messages of one statement.
async fn messages(context: &SessionContext, sql: &str) -> Vec<u8> {
    let plan = plan(context, sql).await.unwrap();
    check(&plan).unwrap();
    let stream = execute_stream(plan, context.task_ctx()).unwrap();
    let stream = stream.map_err(|error| arrow_flight::error::FlightError::ExternalError(Box::new(error)));
    let messages: Vec<_> = FlightDataEncoderBuilder::new().build(stream).try_collect().await.unwrap();
    messages
        .into_iter()
        .flat_map(|message| [message.data_header, message.data_body, message.app_metadata])
        .flatten()
        .collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Markers of every width that can be told from other bytes.
fn markers(text: &str, number: i64) -> Vec<Vec<u8>> {
    let low = (number & 0x7FFF_FFFF) as u32;
    vec![text.as_bytes().to_vec(), number.to_le_bytes().to_vec(), low.to_le_bytes().to_vec()]
}

async fn search(source: Source, batch_size: usize, decision: &TableDecision, cells_masked: bool) {
    let folder = tempfile::tempdir().unwrap();
    let context = session(batch_size, source);
    let raw = raw_table(&raw_batch(cells_masked), source, folder.path());
    context.register_table("t", secured(decision, &contract(), raw)).unwrap();
    for sql in STATEMENTS {
        let bytes = messages(&context, sql).await;
        for marker in markers(HIDDEN, HIDDEN_NUMBER) {
            assert!(!contains(&bytes, &marker), "{source:?} {batch_size} {sql}: {marker:x?}");
        }
        assert!(contains(&bytes, SHOWN.as_bytes()), "{source:?} {batch_size} {sql}");
        assert!(contains(&bytes, &SHOWN_NUMBER.to_le_bytes()), "{source:?} {batch_size} {sql}");
    }
}

const SOURCES: [(Source, usize); 4] = [
    (Source::Memory { partitions: 1 }, 8192),
    (Source::Memory { partitions: 4 }, 10),
    (Source::Parquet { pushdown: false, reorder: false }, 8192),
    (Source::Parquet { pushdown: true, reorder: true }, 10),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a108_hidden_rows_do_not_leave() {
    let contract = contract();
    let rows = decision(&contract, Some(column(&contract, "row_shown")));
    for (source, batch_size) in SOURCES {
        search(source, batch_size, &rows, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a108_masked_cells_do_not_leave() {
    let contract = contract();
    let cells = masked(decision(&contract, None));
    let both = masked(decision(&contract, Some(column(&contract, "row_shown"))));
    for (source, batch_size) in SOURCES {
        search(source, batch_size, &cells, true).await;
        search(source, batch_size, &both, true).await;
    }
}

/// The twin: where nothing is hidden, the same markers are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a108_everything_leaves_where_nothing_is_hidden() {
    let contract = contract();
    let open = decision(&contract, None);
    for (source, batch_size) in SOURCES {
        let folder = tempfile::tempdir().unwrap();
        let context = session(batch_size, source);
        let raw = raw_table(&raw_batch(true), source, folder.path());
        context.register_table("t", secured(&open, &contract, raw)).unwrap();
        let bytes = messages(&context, "SELECT * FROM t").await;
        for marker in markers(HIDDEN, HIDDEN_NUMBER).into_iter().chain(markers(SHOWN, SHOWN_NUMBER)) {
            assert!(contains(&bytes, &marker), "{source:?} {batch_size}: {marker:x?}");
        }
    }
}
