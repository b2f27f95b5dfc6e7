use arrow::{
    array::{
        BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
        Int32Array, Int64Array, ListArray, NullArray, StringArray, StringViewArray,
        TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
    },
    datatypes::{Int64Type, TimeUnit},
};

use super::*;

fn row(values: Vec<ArrayRef>) -> RecordBatch {
    let types = values.iter().map(|value| value.data_type().clone());
    RecordBatch::try_new(schema(types), values).unwrap()
}

fn bind(value: impl arrow::array::Array + 'static, to: DataType) -> Result<String, ParameterFault> {
    let bound = ParameterValues::bind(&row(vec![Arc::new(value)]), &schema([to.clone()]))?;
    Ok(if bound.0[0].data_type() == &to { bound.shown().remove(0) } else { "another type".to_owned() })
}

fn decimal(value: i128, precision: u8, scale: i8) -> Decimal128Array {
    Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap()
}

fn timestamp(unit: TimeUnit, zone: Option<&str>) -> DataType {
    DataType::Timestamp(unit, zone.map(Into::into))
}

#[test]
fn values_are_converted_where_nothing_is_lost() {
    for (bound, shown) in [
        (bind(Int64Array::from(vec![7]), DataType::Int64), "7"),
        (bind(Int64Array::from(vec![7]), DataType::Int8), "7"),
        (bind(Int8Array::from(vec![-7]), DataType::Int64), "-7"),
        (bind(Int64Array::from(vec![7]), DataType::Float64), "7.0"),
        (bind(Float64Array::from(vec![7.0]), DataType::Int32), "7"),
        (bind(Float64Array::from(vec![0.1]), DataType::Float32), "0.1"),
        (bind(Float32Array::from(vec![0.5]), DataType::Float64), "0.5"),
        (bind(Float64Array::from(vec![0.1]), DataType::Decimal128(12, 2)), "0.10"),
        (bind(Int64Array::from(vec![100]), DataType::Decimal128(12, 2)), "100.00"),
        (bind(decimal(1500, 10, 3), DataType::Decimal128(12, 2)), "1.50"),
        (bind(decimal(7, 10, 0), DataType::Int64), "7"),
        (bind(StringViewArray::from(vec!["a"]), DataType::Utf8), "a"),
        (bind(BinaryArray::from(vec![&b"a"[..]]), DataType::LargeBinary), "61"),
        (bind(BooleanArray::from(vec![true]), DataType::Boolean), "true"),
        (bind(Date32Array::from(vec![1]), timestamp(TimeUnit::Microsecond, None)), "1970-01-02T00:00:00"),
        (bind(TimestampMicrosecondArray::from(vec![86_400_000_000]), DataType::Date32), "1970-01-02"),
        (
            bind(
                TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC"),
                timestamp(TimeUnit::Nanosecond, Some("+00:00")),
            ),
            "1970-01-01T00:00:00.000001Z",
        ),
        (bind(NullArray::new(1), DataType::Int64), "NULL"),
        (bind(StringArray::from(vec![None::<&str>]), DataType::Int64), "NULL"),
    ] {
        assert_eq!(bound.as_deref(), Ok(shown));
    }
}

#[test]
fn values_that_would_change_are_refused() {
    let zone = TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC");
    for bound in [
        bind(Int64Array::from(vec![128]), DataType::Int8),
        bind(UInt64Array::from(vec![u64::MAX]), DataType::Int64),
        bind(Int64Array::from(vec![(1 << 53) + 1]), DataType::Float64),
        bind(Float64Array::from(vec![1.5]), DataType::Int64),
        bind(Float64Array::from(vec![f64::NAN]), DataType::Int64),
        bind(Float64Array::from(vec![1e300]), DataType::Float32),
        bind(Float64Array::from(vec![1.005]), DataType::Decimal128(12, 2)),
        bind(decimal(1501, 10, 3), DataType::Decimal128(12, 2)),
        bind(decimal(10_i128.pow(20), 30, 0), DataType::Decimal128(12, 2)),
        bind(TimestampMicrosecondArray::from(vec![1]), DataType::Date32),
        bind(TimestampNanosecondArray::from(vec![1]), timestamp(TimeUnit::Microsecond, None)),
    ] {
        assert!(matches!(bound, Err(ParameterFault::Value { number: 1, .. })), "{bound:?}");
    }
    for bound in [
        bind(StringArray::from(vec!["7"]), DataType::Int64),
        bind(Int64Array::from(vec![7]), DataType::Utf8),
        bind(BooleanArray::from(vec![true]), DataType::Int64),
        bind(StringArray::from(vec!["2026-01-01"]), DataType::Date32),
        bind(BinaryArray::from(vec![&b"a"[..]]), DataType::Utf8),
        bind(Int64Array::from(vec![7]), timestamp(TimeUnit::Microsecond, None)),
        bind(zone, timestamp(TimeUnit::Microsecond, None)),
        bind(TimestampMicrosecondArray::from(vec![1]), timestamp(TimeUnit::Microsecond, Some("UTC"))),
        bind(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]), DataType::Int64),
    ] {
        assert!(matches!(bound, Err(ParameterFault::Type { number: 1, .. })), "{bound:?}");
    }
}

#[test]
fn values_are_one_row_with_one_value_for_each() {
    let types = schema([DataType::Int64, DataType::Utf8]);
    let number = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let text = || Arc::new(StringArray::from(vec!["a"])) as ArrayRef;
    assert!(ParameterValues::bind(&row(vec![number(), text()]), &types).is_ok());
    for values in [vec![number()], vec![number(), text(), text()]] {
        let given = values.len();
        let bound = ParameterValues::bind(&row(values), &types);
        assert_eq!(bound, Err(ParameterFault::Count { expected: 2, given }));
    }
    let two = Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    let none = Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef;
    for values in [two, none] {
        let bound = ParameterValues::bind(&row(vec![values]), &schema([DataType::Int64]));
        assert_eq!(bound, Err(ParameterFault::Rows));
    }
    let literals = ParameterValues::default().literals(&schema([DataType::Int64]));
    assert_eq!(literals, Err(ParameterFault::Count { expected: 1, given: 0 }));
}

#[test]
fn encoded_values_come_back() {
    let values = row(vec![
        Arc::new(Int32Array::from(vec![Some(7)])),
        Arc::new(StringArray::from(vec![None::<&str>])),
        Arc::new(decimal(150, 12, 2)),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])])),
    ]);
    let bound = ParameterValues::bind(&values, &values.schema()).unwrap();
    assert_eq!(ParameterValues::decode(&bound.encode().unwrap()).unwrap(), bound);
    assert_eq!(bound.shown(), ["7", "NULL", "1.50", "[1, NULL]"]);
    assert_eq!(ParameterValues::default().encode().unwrap(), Vec::<u8>::new());
    assert_eq!(ParameterValues::decode(&[]).unwrap(), ParameterValues::default());
    assert!(ParameterValues::decode(b"nonsense").is_err());
}

#[test]
fn faults_say_what_to_do_and_hold_no_value() {
    let error = bind(StringArray::from(vec!["SECRET"]), DataType::Decimal128(12, 2)).unwrap_err().to_string();
    assert_eq!(
        error,
        "parameter 1 is DECIMAL(12, 2) and the value is VARCHAR: bind the parameter's type, or write `cast(? as ..)` with the value's"
    );
    let error = bind(Int64Array::from(vec![4_711_000]), DataType::Int8).unwrap_err().to_string();
    assert!(error.contains("does not fit TINYINT exactly") && !error.contains("4711"), "{error}");
}
