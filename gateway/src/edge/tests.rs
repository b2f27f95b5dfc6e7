use arrow::{
    array::{
        Array, AsArray, DictionaryArray, Float32Array, StringArray, StringViewArray, UInt8Array, UInt64Array,
    },
    datatypes::{Int16Type, Int32Type, Int64Type},
};

use super::*;

#[test]
fn views_and_dictionaries_become_plain() {
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    let views = StringViewArray::from(vec![Some("long enough to be out of line"), None, Some("b")]);
    let inner = Schema::new(vec![
        Field::new("d", dictionary.data_type().clone(), true)
            .with_metadata([("secret".into(), "x".into())].into()),
        Field::new("v", DataType::Utf8View, true),
    ]);
    let batch =
        RecordBatch::try_new(Arc::new(inner.clone()), vec![Arc::new(dictionary), Arc::new(views)]).unwrap();
    let outer = schema(&inner);
    let plain =
        Schema::new(vec![Field::new("d", DataType::Utf8, true), Field::new("v", DataType::Utf8, true)]);
    assert_eq!(outer.as_ref(), &plain);
    let converted = convert(&batch, &outer).unwrap();
    let texts = StringArray::from(vec![Some("a"), None, Some("a")]);
    assert_eq!(converted.column(0).as_ref(), &texts as &dyn Array);
}

#[test]
fn nested_and_rare_types_are_widened() {
    let struct_of = |text, float| {
        DataType::List(Arc::new(Field::new(
            "item",
            DataType::Struct(vec![Field::new("t", text, true), Field::new("f", float, false)].into()),
            true,
        )))
    };
    assert_eq!(
        data_type(&struct_of(DataType::Utf8View, DataType::Float16)),
        struct_of(DataType::Utf8, DataType::Float32)
    );
    assert_eq!(data_type(&DataType::Decimal64(10, 2)), DataType::Decimal128(10, 2));
}

#[test]
fn rows_without_columns_keep_their_number() {
    let rows = RecordBatchOptions::new().with_row_count(Some(7));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows).unwrap();
    assert_eq!(convert(&batch, &schema(&Schema::empty())).unwrap().num_rows(), 7);
}

#[test]
fn a_null_where_none_was_promised_is_an_error() {
    let nullable = Arc::new(Schema::new(vec![Field::new("f", DataType::Float32, true)]));
    let promised = Arc::new(Schema::new(vec![Field::new("f", DataType::Float32, false)]));
    let batch =
        RecordBatch::try_new(nullable, vec![Arc::new(Float32Array::from(vec![None, Some(1.0)]))]).unwrap();
    assert!(convert(&batch, &promised).is_err());
}

#[test]
fn large_batches_are_split_by_their_own_bytes() {
    let long = "x".repeat(1_000);
    let texts: StringArray = (0..100).map(|row| (row < 50).then_some(long.as_str())).collect();
    let fields = Schema::new(vec![Field::new("t", DataType::Utf8, true)]);
    let batch = RecordBatch::try_new(Arc::new(fields), vec![Arc::new(texts)]).unwrap();
    let pieces = split(batch.clone(), 10_000);
    assert_eq!(pieces.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    assert!(pieces.iter().all(|piece| size(piece) <= 10_000));
    // The rows without a text need no splitting.
    assert_eq!(pieces.last().unwrap().num_rows(), 50);
    assert_eq!(split(batch.slice(0, 1), 1).len(), 1);
}

#[test]
fn unsigned_numbers_are_widened_and_never_change() {
    let of = |array: Arc<dyn Array>| {
        let batch = RecordBatch::try_from_iter([("n", array)]).unwrap();
        convert(&batch, &schema(&batch.schema()))
    };
    let bytes = of(Arc::new(UInt8Array::from(vec![Some(255), None]))).unwrap();
    assert_eq!(bytes.column(0).as_primitive::<Int16Type>().iter().collect::<Vec<_>>(), [Some(255), None]);
    let largest = u64::try_from(i64::MAX).unwrap();
    let numbers = of(Arc::new(UInt64Array::from(vec![largest]))).unwrap();
    assert_eq!(numbers.column(0).as_primitive::<Int64Type>().value(0), i64::MAX);
    assert!(matches!(of(Arc::new(UInt64Array::from(vec![largest + 1]))), Err(ArrowError::CastError(_))));
    let lists = DataType::List(Arc::new(Field::new("item", DataType::UInt16, true)));
    assert_eq!(data_type(&lists), DataType::List(Arc::new(Field::new("item", DataType::Int32, true))));
}

#[test]
fn decimals_tell_their_size_where_drivers_look() {
    let fields = Schema::new(vec![
        Field::new("d", DataType::Decimal128(12, 2), true),
        Field::new("t", DataType::Utf8, true),
    ]);
    let schema = schema(&fields);
    let metadata = |key: &str| schema.field(0).metadata()[&format!("ARROW:FLIGHT:SQL:{key}")].as_str();
    assert_eq!((metadata("PRECISION"), metadata("SCALE")), ("12", "2"));
    assert!(schema.field(1).metadata().is_empty());
}
