//! Literals in messages: the column says which type they are of.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use meshgate_proto::v1::{Literal, literal::Value};

/// Bytes that a decimal of at most 38 digits can need, and a bound on what is read.
const DECIMAL_BYTES: usize = 16;

/// The message of a value that is not NULL.
pub(super) fn to_message(value: &ScalarValue) -> Option<Literal> {
    let value = match value {
        ScalarValue::Boolean(Some(value)) => Value::Boolean(*value),
        ScalarValue::Int8(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::Int16(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::Int32(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::Int64(Some(value)) => Value::Integer(*value),
        ScalarValue::UInt8(Some(value)) => Value::Unsigned((*value).into()),
        ScalarValue::UInt16(Some(value)) => Value::Unsigned((*value).into()),
        ScalarValue::UInt32(Some(value)) => Value::Unsigned((*value).into()),
        ScalarValue::UInt64(Some(value)) => Value::Unsigned(*value),
        ScalarValue::Float32(Some(value)) => Value::Float((*value).into()),
        ScalarValue::Float64(Some(value)) => Value::Float(*value),
        ScalarValue::Decimal128(Some(value), _, _) => Value::Decimal(value.to_be_bytes().to_vec()),
        ScalarValue::Utf8(Some(value)) => Value::Text(value.clone()),
        ScalarValue::Binary(Some(value)) => Value::Binary(value.clone()),
        ScalarValue::Date32(Some(value)) => Value::Date(*value),
        ScalarValue::Time64Microsecond(Some(value))
        | ScalarValue::TimestampSecond(Some(value), _)
        | ScalarValue::TimestampMillisecond(Some(value), _)
        | ScalarValue::TimestampMicrosecond(Some(value), _)
        | ScalarValue::TimestampNanosecond(Some(value), _) => Value::Time(*value),
        _ => return None,
    };
    Some(Literal { value: Some(value) })
}

/// A value of exactly `data_type`, or nothing: values are never converted.
pub(super) fn from_message(literal: &Literal, data_type: &DataType) -> Option<ScalarValue> {
    Some(match (literal.value.as_ref()?, data_type) {
        (Value::Boolean(value), DataType::Boolean) => ScalarValue::Boolean(Some(*value)),
        (Value::Integer(value), DataType::Int8) => ScalarValue::Int8(Some((*value).try_into().ok()?)),
        (Value::Integer(value), DataType::Int16) => ScalarValue::Int16(Some((*value).try_into().ok()?)),
        (Value::Integer(value), DataType::Int32) => ScalarValue::Int32(Some((*value).try_into().ok()?)),
        (Value::Integer(value), DataType::Int64) => ScalarValue::Int64(Some(*value)),
        (Value::Unsigned(value), DataType::UInt8) => ScalarValue::UInt8(Some((*value).try_into().ok()?)),
        (Value::Unsigned(value), DataType::UInt16) => ScalarValue::UInt16(Some((*value).try_into().ok()?)),
        (Value::Unsigned(value), DataType::UInt32) => ScalarValue::UInt32(Some((*value).try_into().ok()?)),
        (Value::Unsigned(value), DataType::UInt64) => ScalarValue::UInt64(Some(*value)),
        (Value::Float(value), DataType::Float32) => ScalarValue::Float32(Some(single(*value)?)),
        (Value::Float(value), DataType::Float64) => ScalarValue::Float64(Some(*value)),
        (Value::Decimal(bytes), DataType::Decimal128(precision, scale)) => {
            ScalarValue::Decimal128(Some(decimal(bytes, *precision)?), *precision, *scale)
        }
        (Value::Text(value), DataType::Utf8) => ScalarValue::Utf8(Some(value.clone())),
        (Value::Binary(value), DataType::Binary) => ScalarValue::Binary(Some(value.clone())),
        (Value::Date(days), DataType::Date32) => ScalarValue::Date32(Some(*days)),
        (Value::Time(value), DataType::Time64(TimeUnit::Microsecond)) => {
            ScalarValue::Time64Microsecond(Some(*value))
        }
        (Value::Time(value), DataType::Timestamp(unit, zone)) => {
            let (value, zone) = (Some(*value), zone.clone());
            match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(value, zone),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(value, zone),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(value, zone),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(value, zone),
            }
        }
        _ => return None,
    })
}

/// Only values that a single precision column can hold, so that nothing is rounded on the way.
fn single(value: f64) -> Option<f32> {
    let narrowed = value as f32;
    (value.is_nan() || f64::from(narrowed) == value).then_some(narrowed)
}

fn decimal(bytes: &[u8], precision: u8) -> Option<i128> {
    let first = *bytes.first()?;
    let padding = DECIMAL_BYTES.checked_sub(bytes.len())?;
    let mut whole = [if first >= 0x80 { 0xff } else { 0 }; DECIMAL_BYTES];
    whole.get_mut(padding..)?.copy_from_slice(bytes);
    let value = i128::from_be_bytes(whole);
    (value.unsigned_abs() < 10_u128.checked_pow(precision.into())?).then_some(value)
}
