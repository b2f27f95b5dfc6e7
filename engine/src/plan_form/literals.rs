//! Literals that a message may hold: single values of fixed size, text and
//! bytes. Nested ones travel as messages inside of the message, dictionaries
//! and unions likewise: nothing that is worth reading from a stranger.

use arrow::datatypes::{Decimal128Type, Decimal256Type, DecimalType, validate_decimal_precision_and_scale};
use datafusion_proto::generated::datafusion_common::scalar_value::Value;
use datafusion_proto::generated::datafusion_common::{Decimal128, Decimal256, ScalarValue};

use super::PlanFormError;

pub(super) fn check_literal(literal: &ScalarValue) -> Result<(), PlanFormError> {
    let refused = |name| Err(PlanFormError::Literal(name));
    match literal.value.as_ref().ok_or(PlanFormError::Missing)? {
        Value::NullValue(_)
        | Value::BoolValue(_)
        | Value::Utf8Value(_)
        | Value::LargeUtf8Value(_)
        | Value::Utf8ViewValue(_)
        | Value::Int8Value(_)
        | Value::Int16Value(_)
        | Value::Int32Value(_)
        | Value::Int64Value(_)
        | Value::Uint8Value(_)
        | Value::Uint16Value(_)
        | Value::Uint32Value(_)
        | Value::Uint64Value(_)
        | Value::Float32Value(_)
        | Value::Float64Value(_)
        | Value::Date32Value(_)
        | Value::Date64Value(_)
        | Value::Time32Value(_)
        | Value::Time64Value(_)
        | Value::IntervalYearmonthValue(_)
        | Value::IntervalDaytimeValue(_)
        | Value::IntervalMonthDayNano(_)
        | Value::DurationSecondValue(_)
        | Value::DurationMillisecondValue(_)
        | Value::DurationMicrosecondValue(_)
        | Value::DurationNanosecondValue(_)
        | Value::TimestampValue(_)
        | Value::BinaryValue(_)
        | Value::LargeBinaryValue(_)
        | Value::BinaryViewValue(_) => Ok(()),
        // The decoder takes the number of bytes for granted, and who writes a number its precision and scale.
        Value::Decimal128Value(Decimal128 { value, p, s })
            if value.len() == 16 && is_decimal::<Decimal128Type>(*p, *s) =>
        {
            Ok(())
        }
        Value::Decimal256Value(Decimal256 { value, p, s })
            if value.len() == 32 && is_decimal::<Decimal256Type>(*p, *s) =>
        {
            Ok(())
        }
        Value::Decimal128Value(_) | Value::Decimal256Value(_) => {
            refused("a decimal of another size, precision or scale")
        }
        Value::Decimal32Value(_) | Value::Decimal64Value(_) => refused("a small decimal"),
        Value::ListValue(_)
        | Value::LargeListValue(_)
        | Value::FixedSizeListValue(_)
        | Value::ListViewValue(_)
        | Value::LargeListViewValue(_)
        | Value::StructValue(_)
        | Value::MapValue(_) => refused("a nested value"),
        Value::DictionaryValue(_) => refused("a dictionary value"),
        Value::FixedSizeBinaryValue(_) => refused("a binary value of fixed size"),
        Value::UnionValue(_) => refused("a union value"),
        Value::RunEndEncodedValue(_) => refused("a run-end-encoded value"),
    }
}

fn is_decimal<T: DecimalType>(precision: i64, scale: i64) -> bool {
    let both = u8::try_from(precision).ok().zip(i8::try_from(scale).ok());
    both.is_some_and(|(precision, scale)| validate_decimal_precision_and_scale::<T>(precision, scale).is_ok())
}
