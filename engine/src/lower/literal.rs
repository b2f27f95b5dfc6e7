//! Literals of policy expressions as values of exactly their type.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use meshgate_policies::DataType;
use meshgate_policies::data_type::TimeUnit;
use meshgate_policies::expression::{Expr, Literal};

use super::LowerError;

/// The engine's value of a literal.
pub(super) fn scalar(literal: &Literal) -> Result<ScalarValue, LowerError> {
    match literal {
        Literal::Boolean(value) => Ok(ScalarValue::Boolean(Some(*value))),
        Literal::Integer { value, data_type } => integer(*value, data_type),
        Literal::Float { value, data_type } => float(*value, data_type),
        Literal::Decimal { value, precision, scale } => decimal(*value, *precision, *scale),
        Literal::Text(value) => Ok(ScalarValue::Utf8(Some(value.clone()))),
        Literal::Date(days) => Ok(ScalarValue::Date32(Some(*days))),
        Literal::Timestamp { value, data_type } => timestamp(*value, data_type),
    }
}

/// Is this numeric literal zero? `None` if it is no numeric literal.
pub(super) fn is_zero(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Literal(Literal::Integer { value, .. } | Literal::Decimal { value, .. }) => Some(*value == 0),
        Expr::Literal(Literal::Float { value, .. }) => Some(*value == 0.0),
        _ => None,
    }
}

/// Is this the integer literal -1?
pub(super) fn is_minus_one(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Literal::Integer { value: -1, .. }))
}

fn integer(value: i128, data_type: &DataType) -> Result<ScalarValue, LowerError> {
    let misfit = |_| LowerError::Literal(data_type.clone());
    Ok(match data_type {
        DataType::Int8 => ScalarValue::Int8(Some(value.try_into().map_err(misfit)?)),
        DataType::Int16 => ScalarValue::Int16(Some(value.try_into().map_err(misfit)?)),
        DataType::Int32 => ScalarValue::Int32(Some(value.try_into().map_err(misfit)?)),
        DataType::Int64 => ScalarValue::Int64(Some(value.try_into().map_err(misfit)?)),
        DataType::UInt8 => ScalarValue::UInt8(Some(value.try_into().map_err(misfit)?)),
        DataType::UInt16 => ScalarValue::UInt16(Some(value.try_into().map_err(misfit)?)),
        DataType::UInt32 => ScalarValue::UInt32(Some(value.try_into().map_err(misfit)?)),
        DataType::UInt64 => ScalarValue::UInt64(Some(value.try_into().map_err(misfit)?)),
        other => return Err(LowerError::Literal(other.clone())),
    })
}

fn float(value: f64, data_type: &DataType) -> Result<ScalarValue, LowerError> {
    match data_type {
        DataType::Float64 => Ok(ScalarValue::Float64(Some(value))),
        DataType::Float32 => Ok(ScalarValue::Float32(Some(value as f32))),
        other => Err(LowerError::Literal(other.clone())),
    }
}

fn decimal(value: i128, precision: u8, scale: u8) -> Result<ScalarValue, LowerError> {
    let misfit = || LowerError::Literal(DataType::Decimal { precision, scale });
    let bound = 10_u128.checked_pow(u32::from(precision)).ok_or_else(misfit)?;
    if precision > 38 || scale > precision || value.unsigned_abs() >= bound {
        return Err(misfit());
    }
    let scale = i8::try_from(scale).map_err(|_| misfit())?;
    Ok(ScalarValue::Decimal128(Some(value), precision, scale))
}

pub(super) fn timestamp(value: i64, data_type: &DataType) -> Result<ScalarValue, LowerError> {
    let DataType::Timestamp { unit, zone } = data_type else {
        return Err(LowerError::Literal(data_type.clone()));
    };
    let zone = zone.as_deref().map(Arc::from);
    Ok(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(value), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(value), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(value), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(value), zone),
    })
}
