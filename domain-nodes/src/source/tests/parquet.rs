//! Parquet: types, names, drift.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType as T, Field, Fields, Int32Type, TimeUnit as U};

use super::*;
use crate::source::columns::accepts;

/// A contract column of each type and an array of it, NULL included.
fn every_type() -> Vec<(&'static str, ArrayRef)> {
    let zoned = |unit| T::Timestamp(unit, Some("Europe/Berlin".into()));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), None, Some(42)]));
    let to = |data_type: &T| cast(&numbers, data_type).unwrap();
    let texts = StringArray::from(vec![Some("a"), None, Some("ä\u{1F600}")]);
    let element = Arc::new(Field::new("item", T::Utf8, true));
    let offsets = OffsetBuffer::from_lengths([2, 0, 1]);
    let list = ListArray::new(
        element,
        offsets,
        Arc::new(texts.clone()),
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let fields = Fields::from(vec![Field::new("a", T::Int64, true), Field::new("b", T::Utf8, true)]);
    let nested = StructArray::new(
        fields,
        vec![Arc::clone(&numbers), Arc::new(texts.clone())],
        Some(NullBuffer::from(vec![true, false, true])),
    );
    vec![
        ("logicalType: boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("logicalType: integer, physicalType: tinyint", to(&T::Int8)),
        ("logicalType: integer, physicalType: smallint", to(&T::Int16)),
        ("logicalType: integer, physicalType: int", to(&T::Int32)),
        ("logicalType: integer", to(&T::Int64)),
        ("logicalType: integer, physicalType: uint8", to(&T::UInt8)),
        ("logicalType: integer, physicalType: uint16", to(&T::UInt16)),
        ("logicalType: integer, physicalType: uint32", to(&T::UInt32)),
        ("logicalType: integer, physicalType: uint64", to(&T::UInt64)),
        (
            "logicalType: number, physicalType: float",
            Arc::new(Float32Array::from(vec![Some(f32::NAN), None, Some(-0.0)])),
        ),
        ("logicalType: number", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), None, Some(0.1)]))),
        ("logicalType: number, physicalType: 'decimal(12,2)'", to(&T::Decimal128(12, 2))),
        ("logicalType: number, physicalType: 'decimal(38,0)'", to(&T::Decimal128(38, 0))),
        ("logicalType: string", Arc::new(texts)),
        (
            "logicalType: string, physicalType: bytea",
            Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), None, Some(b"")])),
        ),
        ("logicalType: date", to(&T::Int32).pipe(|days| cast(&days, &T::Date32).unwrap())),
        ("logicalType: time", to(&T::Time64(U::Microsecond))),
        ("logicalType: timestamp, physicalType: timestamp_ms", to(&T::Timestamp(U::Millisecond, None))),
        ("logicalType: timestamp", to(&T::Timestamp(U::Microsecond, None))),
        ("logicalType: timestamp, physicalType: timestamp_ns", to(&T::Timestamp(U::Nanosecond, None))),
        (
            "logicalType: timestamp, logicalTypeOptions: { timezone: true, defaultTimezone: Europe/Berlin }",
            to(&zoned(U::Microsecond)),
        ),
        ("logicalType: array, items: { logicalType: string }", Arc::new(list)),
        (
            "logicalType: object, properties: [ { name: a, logicalType: integer }, { name: b, logicalType: string } ]",
            Arc::new(nested),
        ),
    ]
}

trait Pipe: Sized {
    fn pipe<R>(self, f: impl FnOnce(Self) -> R) -> R {
        f(self)
    }
}
impl Pipe for ArrayRef {}

#[tokio::test]
async fn every_type_comes_back_as_it_was_written() {
    let fixture = Fixture::new();
    let types = every_type();
    let names: Vec<String> = (0..types.len()).map(|number| format!("c{number}")).collect();
    let arrays =
        names.iter().zip(&types).map(|(name, (_, array))| (name.as_str(), Arc::clone(array))).collect();
    fixture.write_parquet("t.parquet", arrays);
    let columns: Vec<String> =
        names.iter().zip(&types).map(|(name, (spelled, _))| format!("name: {name}, {spelled}")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let table = fixture.parquet("t.parquet", &columns).await;
    let batches = batches(&table, None, &[]).await.unwrap();
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    for ((spelled, expected), found) in types.iter().zip(batch.columns()) {
        assert_eq!(found, expected, "{spelled}");
    }
}

#[tokio::test]
async fn columns_have_the_contracts_names_and_others_are_not_served() {
    let fixture = Fixture::new();
    // `a` and `b` swap their names, and the file's `a` is bytes.
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("b", Arc::new(StringArray::from(vec!["text"]))),
        ("secret", Arc::new(StringArray::from(vec!["hidden"]))),
        ("a", Arc::new(BinaryArray::from(vec![&b"\xff"[..]]))),
    ];
    fixture.write_parquet("t.parquet", columns);
    let table = fixture
        .parquet(
            "t.parquet",
            &[
                "name: a, physicalName: b, logicalType: string",
                "name: b, physicalName: a, logicalType: string, physicalType: bytea",
            ],
        )
        .await;
    assert_eq!(rows(&table).await, ["text|ff"]);
    assert_eq!(rows_of(&batches(&table, Some(vec![1, 0]), &[]).await.unwrap()), ["ff|text"]);
    let schema = table.provider.schema();
    assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(schema.metadata().is_empty());
}

#[tokio::test]
async fn required_columns_are_nullable_in_the_raw_table() {
    let fixture = Fixture::new();
    fixture.write_parquet("t.parquet", vec![("a", Arc::new(Int64Array::from(vec![Some(1), None])))]);
    let table = fixture
        .parquet("t.parquet", &["name: a, logicalType: integer, required: true, primaryKey: true"])
        .await;
    assert!(table.provider.schema().field(0).is_nullable());
    assert!(table.provider.constraints().is_none());
    assert_eq!(rows(&table).await, ["1", "NULL"]);
}

#[tokio::test]
async fn conversions_that_cannot_fail_are_made() {
    let int: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let dictionary: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(vec![Some("x"), None]));
    let to = |array: &ArrayRef, data_type: T| cast(array, &data_type).unwrap();
    let seconds = cast(&int, &T::Time32(U::Second)).unwrap();
    let reordered = StructArray::from(vec![
        (Arc::new(Field::new("x", T::Utf8, true)), Arc::clone(&text)),
        (Arc::new(Field::new("b", T::Utf8View, true)), to(&text, T::Utf8View)),
        (Arc::new(Field::new("a", T::Int32, true)), Arc::clone(&int)),
    ]);
    for (spelled, array, expected) in [
        ("logicalType: integer", Arc::clone(&int), "1"),
        ("logicalType: number", Arc::clone(&int), "1.0"),
        ("logicalType: number, physicalType: 'decimal(12,2)'", Arc::clone(&int), "1.00"),
        ("logicalType: number, physicalType: 'decimal(12,4)'", to(&int, T::Decimal128(8, 2)), "1.0000"),
        ("logicalType: string", to(&text, T::Utf8View), "x"),
        ("logicalType: string", to(&text, T::LargeUtf8), "x"),
        ("logicalType: string", dictionary, "x"),
        ("logicalType: string, physicalType: bytea", to(&to(&text, T::Binary), T::BinaryView), "78"),
        ("logicalType: time", seconds, "00:00:01"),
        (
            "logicalType: timestamp, physicalType: timestamptz",
            to(&to(&int, T::Int64), T::Timestamp(U::Microsecond, Some("Europe/Berlin".into()))),
            "1970-01-01T00:00:00.000001Z",
        ),
        (
            "logicalType: object, properties: [ { name: a, logicalType: integer }, { name: b, logicalType: string } ]",
            Arc::new(reordered),
            "{a: 1, b: x}",
        ),
    ] {
        let fixture = Fixture::new();
        let found = array.data_type().clone();
        fixture.write_parquet("t.parquet", vec![("c", array)]);
        let table = fixture.parquet("t.parquet", &[&format!("name: c, {spelled}")]).await;
        assert!(
            rows(&table).await.contains(&expected.to_owned()),
            "{spelled} from {found}: {:?}",
            rows(&table).await
        );
    }
}

#[tokio::test]
async fn a_column_that_drifted_refuses_only_what_touches_it() {
    let fixture = Fixture::new();
    let column = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let texts = || -> ArrayRef { Arc::new(StringArray::from(vec!["1"])) };
    fixture.write_parquet(
        "t/1.parquet",
        vec![("a", column(vec![1])), ("b", column(vec![2])), ("c", column(vec![3]))],
    );
    fixture.write_parquet("t/2.parquet", vec![("a", column(vec![4])), ("c", texts())]);
    let table = fixture
        .parquet(
            "t",
            &[
                "name: a, logicalType: integer",
                "name: b, logicalType: integer",
                "name: c, logicalType: integer",
            ],
        )
        .await;
    assert_eq!(rows_of(&batches(&table, Some(vec![0]), &[]).await.unwrap()), ["1", "4"]);
    assert_eq!(
        batches(&table, Some(vec![]), &[]).await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(),
        2
    );
    for (projection, expected, drift) in [
        (vec![1], "b", "the files do not have it"),
        (vec![0, 2], "c", "a file holds Utf8, the contract says Int64"),
    ] {
        let error = source_error(batches(&table, Some(projection), &[]).await.unwrap_err());
        let SourceError::Drift { column, drift: found, .. } = error else { panic!("{error}") };
        assert_eq!((column.as_str(), found.to_string().as_str()), (expected, drift));
    }
    let filter = datafusion::prelude::col("c").eq(datafusion::prelude::lit(3_i64));
    assert!(batches(&table, Some(vec![0]), &[filter]).await.is_err());
}

#[tokio::test]
async fn a_nested_field_that_is_required_is_checked() {
    let fixture = Fixture::new();
    let row = |a: Option<i64>, present: bool| {
        let child: ArrayRef = Arc::new(Int64Array::from(vec![a]));
        let fields = Fields::from(vec![Field::new("a", T::Int64, true)]);
        let nested: ArrayRef =
            Arc::new(StructArray::new(fields, vec![child], Some(NullBuffer::from(vec![present]))));
        nested
    };
    let required =
        ["name: c, logicalType: object, properties: [ { name: a, logicalType: integer, required: true } ]"];
    fixture.write_parquet("t.parquet", vec![("c", row(Some(1), true))]);
    let table = fixture.parquet("t.parquet", &required).await;
    assert_eq!(rows(&table).await, ["{a: 1}"]);
    // A field under a NULL is not there at all.
    fixture.write_parquet("t.parquet", vec![("c", row(None, false))]);
    assert_eq!(rows(&fixture.parquet("t.parquet", &required).await).await, ["NULL"]);
    fixture.write_parquet("t.parquet", vec![("c", row(None, true))]);
    let table = fixture.parquet("t.parquet", &required).await;
    assert!(matches!(error(&table).await, SourceError::BrokenPromise { .. }));

    let items = ["name: c, logicalType: array, items: { logicalType: integer, required: true }"];
    let list = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>(vec![
            Some(values),
            None,
        ]))
    };
    fixture.write_parquet("t.parquet", vec![("c", list(vec![Some(1)]))]);
    assert_eq!(rows(&fixture.parquet("t.parquet", &items).await).await, ["NULL", "[1]"]);
    fixture.write_parquet("t.parquet", vec![("c", list(vec![Some(1), None]))]);
    assert!(matches!(
        error(&fixture.parquet("t.parquet", &items).await).await,
        SourceError::BrokenPromise { .. }
    ));
}

#[tokio::test]
async fn damaged_files_are_unreadable() {
    let columns = ["name: a, logicalType: integer"];
    for content in [&b""[..], b"PAR1", b"not a parquet file at all", b"PAR1\xff\xff\xff\x7fPAR1"] {
        let fixture = Fixture::new();
        fixture.write("t.parquet", content);
        let error = fixture.open("t.parquet", "parquet", &columns).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreadable { .. }), "{content:?}: {error}");
    }
    // A footer that is fine over pages that are not.
    let fixture = Fixture::new();
    fixture
        .write_parquet("t.parquet", vec![("a", Arc::new(Int64Array::from((0..1000).collect::<Vec<i64>>())))]);
    let mut bytes = fs::read(fixture.path("t.parquet")).unwrap();
    bytes[4..200].fill(0xFF);
    fs::write(fixture.path("t.parquet"), bytes).unwrap();
    let table = fixture.parquet("t.parquet", &columns).await;
    let error = error(&table).await;
    assert!(matches!(error, SourceError::Unreadable { .. }), "{error}");
    assert!(!error.to_string().contains(fixture.dir.path().to_str().unwrap()));
}

#[tokio::test]
async fn int96_has_more_digits_than_a_timestamp() {
    use datafusion::parquet::column::writer::ColumnWriter;
    use datafusion::parquet::data_type::Int96;
    use datafusion::parquet::file::writer::SerializedFileWriter;
    use datafusion::parquet::schema::parser::parse_message_type;
    let fixture = Fixture::new();
    let schema = Arc::new(parse_message_type("message m { optional int96 a; optional int64 b; }").unwrap());
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        match column.untyped() {
            ColumnWriter::Int96ColumnWriter(typed) => {
                typed.write_batch(&[Int96::from(vec![1, 2, 3])], Some(&[1]), None)
            }
            ColumnWriter::Int64ColumnWriter(typed) => typed.write_batch(&[7], Some(&[1]), None),
            _ => panic!("no such column"),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    fixture.write("t.parquet", bytes);
    let table = fixture
        .parquet(
            "t.parquet",
            &["name: a, logicalType: timestamp, physicalType: timestamp_ns", "name: b, logicalType: integer"],
        )
        .await;
    assert_eq!(rows_of(&batches(&table, Some(vec![1]), &[]).await.unwrap()), ["7"]);
    assert!(matches!(error(&table).await, SourceError::Drift { .. }));
}

#[test]
fn only_conversions_that_cannot_fail_are_accepted() {
    let list = |element: T| T::List(Arc::new(Field::new("element", element, true)));
    let fields = |names: &[(&str, T)]| {
        T::Struct(names.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect())
    };
    let zoned = |unit, zone: &str| T::Timestamp(unit, Some(zone.into()));
    for (expected, found) in [
        (T::Int64, T::UInt32),
        (T::UInt64, T::UInt8),
        (T::Float32, T::Int16),
        (T::Float64, T::Float32),
        (T::Decimal128(10, 0), T::Int32),
        (T::Decimal128(20, 0), T::UInt64),
        (T::Decimal128(38, 10), T::Decimal256(30, 2)),
        (T::Utf8, T::Dictionary(Box::new(T::Int8), Box::new(T::LargeUtf8))),
        (zoned(U::Microsecond, "Europe/Berlin"), zoned(U::Microsecond, "UTC")),
        (T::Time64(U::Microsecond), T::Time32(U::Millisecond)),
        (list(T::Int64), list(T::Int32)),
        (fields(&[("a", T::Int64)]), fields(&[("b", T::Utf8), ("a", T::Int8)])),
    ] {
        assert!(accepts(&expected, &found), "{expected} from {found}");
    }
    for (expected, found) in [
        (T::Int32, T::Int64),
        (T::Int8, T::UInt8),
        (T::Int64, T::UInt64),
        (T::UInt64, T::Int8),
        (T::Int64, T::Utf8),
        (T::Utf8, T::Int64),
        (T::Utf8, T::Binary),
        (T::Binary, T::Utf8),
        (T::Float32, T::Float64),
        (T::Float32, T::Int32),
        (T::Float64, T::Int64),
        (T::Float64, T::Decimal128(5, 2)),
        (T::Decimal128(9, 0), T::Int32),
        (T::Decimal128(12, 2), T::Decimal128(12, 3)),
        (T::Decimal128(12, 4), T::Decimal128(12, 2)),
        (T::Decimal128(12, 2), T::Float64),
        (T::Date32, T::Date64),
        (T::Date32, T::Timestamp(U::Microsecond, None)),
        (T::Timestamp(U::Microsecond, None), T::Date32),
        (T::Timestamp(U::Microsecond, None), T::Timestamp(U::Millisecond, None)),
        (T::Timestamp(U::Microsecond, None), T::Timestamp(U::Nanosecond, None)),
        (T::Timestamp(U::Microsecond, None), zoned(U::Microsecond, "UTC")),
        (zoned(U::Microsecond, "UTC"), T::Timestamp(U::Microsecond, None)),
        (T::Time64(U::Microsecond), T::Time64(U::Nanosecond)),
        (T::Boolean, T::Int8),
        (T::Utf8, T::Dictionary(Box::new(T::Int8), Box::new(T::Int64))),
        (list(T::Int32), list(T::Int64)),
        (list(T::Int32), T::Int32),
        (fields(&[("a", T::Int64)]), fields(&[("b", T::Int64)])),
        (fields(&[("a", T::Int64)]), fields(&[("a", T::Int64), ("a", T::Int64)])),
    ] {
        assert!(!accepts(&expected, &found), "{expected} from {found}");
    }
}
