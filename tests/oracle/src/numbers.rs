//! Numbers made coarse, as the masks `bucket` and `round` say.

use crate::documents::Column;
use crate::value::Value;

/// The largest multiple of `width` that is not above the number.
pub(crate) fn bucket(raw: &Value, width: i128, column: &Column) -> Value {
    let below = |value: i128, step: i128| value - value.rem_euclid(step);
    match raw {
        Value::Integer(value) => fitting(Value::Integer(below(*value, width)), column),
        Value::Decimal { value, scale } => {
            let value = below(*value, width * 10_i128.pow(*scale));
            fitting(Value::Decimal { value, scale: *scale }, column)
        }
        Value::Float(value) => float(*value, (value / width as f64).floor() * width as f64),
        other => panic!("bucket of {other:?}"),
    }
}

/// The number with so many decimal places; halves go away from zero.
pub(crate) fn round(raw: &Value, places: i32, column: &Column) -> Value {
    let nearest = |value: i128, places_away: u32| {
        let step = 10_i128.pow(places_away);
        (value.abs() + step / 2) / step * step * value.signum()
    };
    match raw {
        Value::Integer(value) => {
            fitting(Value::Integer(nearest(*value, (-places).try_into().expect("places"))), column)
        }
        Value::Decimal { value, scale } => {
            let away = i32::try_from(*scale).unwrap() - places;
            let value = nearest(*value, away.try_into().expect("places"));
            fitting(Value::Decimal { value, scale: *scale }, column)
        }
        Value::Float(value) => {
            let power = 10_f64.powi(places.abs());
            let rounded =
                if places > 0 { (value * power).round() / power } else { (value / power).round() * power };
            float(*value, rounded)
        }
        other => panic!("round of {other:?}"),
    }
}

/// What has no places any more stays as it is.
fn float(raw: f64, coarse: f64) -> Value {
    Value::Float(if coarse.is_finite() { coarse } else { raw })
}

/// The number, or NULL if the column's type cannot hold it.
fn fitting(number: Value, column: &Column) -> Value {
    let fits = match number {
        Value::Integer(value) => {
            let (low, high) = range(&column.physical_type);
            (low..=high).contains(&value)
        }
        Value::Decimal { value, .. } => value.abs() < 10_i128.pow(precision(&column.physical_type)),
        _ => true,
    };
    if fits { number } else { Value::Null }
}

/// Of whole numbers.
fn range(physical_type: &str) -> (i128, i128) {
    match physical_type {
        "tinyint" | "byte" => (i8::MIN.into(), i8::MAX.into()),
        "smallint" | "int16" | "int2" | "short" => (i16::MIN.into(), i16::MAX.into()),
        "integer" | "int" | "int32" | "int4" => (i32::MIN.into(), i32::MAX.into()),
        "" | "bigint" | "int64" | "long" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" | "utinyint" => (0, u8::MAX.into()),
        "uint16" | "usmallint" => (0, u16::MAX.into()),
        "uint32" | "uinteger" => (0, u32::MAX.into()),
        "uint64" | "ubigint" => (0, u64::MAX.into()),
        other => panic!("the oracle does not know the range of {other}"),
    }
}

/// `p` of `decimal(p,s)`.
fn precision(physical_type: &str) -> u32 {
    let inside = physical_type.split_once('(').expect("a precision").1;
    inside.split([',', ')']).next().unwrap().trim().parse().expect("a precision")
}
