//! Casts that are defined for every value.

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Between, Case, Cast, TryCast};
use meshgate_policies::DataType;
use meshgate_policies::data_type::TimeUnit;
use meshgate_policies::expression::{IntegerType, integer_type};

use super::{LowerError, literal};
use crate::data_type::to_arrow;

/// What a cast does with values that the target cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// There are none.
    Total,
    /// Only moments hundreds of thousands of years away, beyond the engine's
    /// calendar: those become NULL.
    Calendar,
    /// There are some, or the cast is none at all.
    Partial,
}

/// A cast that cannot fail.
pub(super) fn total(expr: Expr, from: &DataType, to: &DataType) -> Result<Expr, LowerError> {
    match range(from, to) {
        Range::Total if from == to => Ok(expr),
        Range::Total => Ok(exact(expr, to_arrow(to))),
        Range::Calendar => tried(expr, from, to),
        Range::Partial => Err(LowerError::CastCanFail { from: from.clone(), to: to.clone() }),
    }
}

/// NULL for values that the target cannot hold. Some casts of the engine fail
/// for moments beyond its calendar even so; those are made NULL beforehand.
pub(super) fn tried(expr: Expr, from: &DataType, to: &DataType) -> Result<Expr, LowerError> {
    Ok(or_null(within_calendar(expr, from)?, to_arrow(to)))
}

/// For casts of this module's callers that are known to be total.
pub(super) fn exact(expr: Expr, to: ArrowType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}

/// NULL where the cast fails.
pub(super) fn or_null(expr: Expr, to: ArrowType) -> Expr {
    Expr::TryCast(TryCast::new(Box::new(expr), to))
}

fn range(from: &DataType, to: &DataType) -> Range {
    let total = match (from, to) {
        (from, to) if from == to => true,
        (DataType::Boolean | DataType::Float32 | DataType::Float64, DataType::Text)
        | (DataType::Decimal { .. }, DataType::Text | DataType::Float32 | DataType::Float64)
        | (DataType::Float32, DataType::Float64)
        | (DataType::Text, DataType::Binary) => true,
        (DataType::Boolean, to) => integer_type(to).is_some(),
        (DataType::Decimal { precision, scale }, DataType::Decimal { precision: to, scale: to_scale }) => {
            decimal_widens((*precision, *scale), (*to, *to_scale))
        }
        (from, to) => match integer_type(from) {
            Some(integer) => integer_widens(integer, to),
            None => return calendar(from, to),
        },
    };
    if total { Range::Total } else { Range::Partial }
}

fn calendar(from: &DataType, to: &DataType) -> Range {
    match (from, to) {
        (DataType::Date, DataType::Timestamp { .. })
        | (DataType::Timestamp { .. }, DataType::Date | DataType::Timestamp { .. })
        | (DataType::Date | DataType::Timestamp { .. } | DataType::Time, DataType::Text) => Range::Calendar,
        _ => Range::Partial,
    }
}

/// Some 257,000 years before and after 1970: less than the calendar has, so
/// that no zone can lead out of it.
const CALENDAR_DAYS: i64 = 94_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const LAST_MICROSECOND_OF_DAY: i64 = 86_399_999_999;

fn within_calendar(expr: Expr, data_type: &DataType) -> Result<Expr, LowerError> {
    let days = i32::try_from(CALENDAR_DAYS).unwrap_or(i32::MAX);
    let (first, last) = match data_type {
        DataType::Date => (ScalarValue::Date32(Some(-days)), ScalarValue::Date32(Some(days))),
        DataType::Time => (
            ScalarValue::Time64Microsecond(Some(0)),
            ScalarValue::Time64Microsecond(Some(LAST_MICROSECOND_OF_DAY)),
        ),
        DataType::Timestamp { unit, .. } => {
            let per_second: i64 = match unit {
                TimeUnit::Second => 1,
                TimeUnit::Millisecond => 1_000,
                TimeUnit::Microsecond => 1_000_000,
                TimeUnit::Nanosecond => 1_000_000_000,
            };
            let bound = (CALENDAR_DAYS * SECONDS_PER_DAY).saturating_mul(per_second);
            let at = |value| literal::timestamp(value, data_type);
            (at(-bound)?, at(bound)?)
        }
        _ => return Ok(expr),
    };
    let inside = Expr::Between(Between::new(
        Box::new(expr.clone()),
        false,
        Box::new(Expr::Literal(first, None)),
        Box::new(Expr::Literal(last, None)),
    ));
    Ok(Expr::Case(Case::new(None, vec![(Box::new(inside), Box::new(expr))], None)))
}

fn integer_widens(from: IntegerType, to: &DataType) -> bool {
    match to {
        DataType::Text | DataType::Float32 | DataType::Float64 => true,
        DataType::Decimal { precision, scale } => from.digits() <= precision.saturating_sub(*scale),
        to => integer_type(to).is_some_and(|to| from.widens_to(to)),
    }
}

/// Fewer decimals round, which can carry into one more digit in front.
fn decimal_widens(from: (u8, u8), to: (u8, u8)) -> bool {
    let (before, to_before) = (from.0.saturating_sub(from.1), to.0.saturating_sub(to.1));
    if to.1 >= from.1 { to_before >= before } else { to_before > before }
}
