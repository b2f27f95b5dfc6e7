//! Texts to values, one strict grammar per type. A text that is not exactly a
//! value of the type is refused: nothing is trimmed, rounded or guessed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, PrimitiveBuilder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, TimestampMillisecondBuilder,
    TimestampNanosecondBuilder, TimestampSecondBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::scalar::ScalarValue;
use meshgate_policies::DataType;
use meshgate_policies::data_type::TimeUnit;

/// Can values of this type be written as a text?
pub(super) fn can_hold(data_type: &DataType) -> bool {
    Parser::new(data_type).is_some()
}

/// The value that a text stands for, `None` being NULL; `None` if it is not of the type.
pub(super) fn parse_scalar(data_type: &DataType, text: Option<&str>) -> Option<ScalarValue> {
    let mut parser = Parser::new(data_type)?;
    match text {
        Some(text) => parser.append(text).then_some(())?,
        None => parser.append_null(),
    }
    ScalarValue::try_from_array(&parser.finish(), 0).ok()
}

/// Collects the values of one column.
pub(super) enum Parser {
    Boolean(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    UInt8(PrimitiveBuilder<UInt8Type>),
    UInt16(PrimitiveBuilder<UInt16Type>),
    UInt32(PrimitiveBuilder<UInt32Type>),
    UInt64(PrimitiveBuilder<UInt64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Decimal { builder: Decimal128Builder, precision: u8, scale: u8 },
    Text(StringBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp { builder: TimestampBuilder, unit: TimeUnit, zoned: bool },
}

/// One builder per unit, each with its zone.
pub(super) enum TimestampBuilder {
    Second(TimestampSecondBuilder),
    Millisecond(TimestampMillisecondBuilder),
    Microsecond(TimestampMicrosecondBuilder),
    Nanosecond(TimestampNanosecondBuilder),
}

/// The same expression over the builder of any type.
macro_rules! each_builder {
    ($parser:expr, $builder:ident => $body:expr) => {
        match $parser {
            Parser::Boolean($builder) => $body,
            Parser::Int8($builder) => $body,
            Parser::Int16($builder) => $body,
            Parser::Int32($builder) => $body,
            Parser::Int64($builder) => $body,
            Parser::UInt8($builder) => $body,
            Parser::UInt16($builder) => $body,
            Parser::UInt32($builder) => $body,
            Parser::UInt64($builder) => $body,
            Parser::Float32($builder) => $body,
            Parser::Float64($builder) => $body,
            Parser::Decimal { builder: $builder, .. } => $body,
            Parser::Text($builder) => $body,
            Parser::Date($builder) => $body,
            Parser::Time($builder) => $body,
            Parser::Timestamp { builder: TimestampBuilder::Second($builder), .. } => $body,
            Parser::Timestamp { builder: TimestampBuilder::Millisecond($builder), .. } => $body,
            Parser::Timestamp { builder: TimestampBuilder::Microsecond($builder), .. } => $body,
            Parser::Timestamp { builder: TimestampBuilder::Nanosecond($builder), .. } => $body,
        }
    };
}

impl Parser {
    /// `None` for types that a cell cannot hold.
    pub(super) fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int8 => Self::Int8(PrimitiveBuilder::new()),
            DataType::Int16 => Self::Int16(PrimitiveBuilder::new()),
            DataType::Int32 => Self::Int32(PrimitiveBuilder::new()),
            DataType::Int64 => Self::Int64(PrimitiveBuilder::new()),
            DataType::UInt8 => Self::UInt8(PrimitiveBuilder::new()),
            DataType::UInt16 => Self::UInt16(PrimitiveBuilder::new()),
            DataType::UInt32 => Self::UInt32(PrimitiveBuilder::new()),
            DataType::UInt64 => Self::UInt64(PrimitiveBuilder::new()),
            DataType::Float32 => Self::Float32(PrimitiveBuilder::new()),
            DataType::Float64 => Self::Float64(PrimitiveBuilder::new()),
            DataType::Decimal { precision, scale } => {
                let scale_of_arrow = i8::try_from(*scale).ok()?;
                let builder =
                    Decimal128Builder::new().with_precision_and_scale(*precision, scale_of_arrow).ok()?;
                Self::Decimal { builder, precision: *precision, scale: *scale }
            }
            DataType::Text => Self::Text(StringBuilder::new()),
            DataType::Date => Self::Date(Date32Builder::new()),
            DataType::Time => Self::Time(Time64MicrosecondBuilder::new()),
            DataType::Timestamp { unit, zone } => Self::Timestamp {
                builder: TimestampBuilder::new(*unit, zone.as_deref()),
                unit: *unit,
                zoned: zone.is_some(),
            },
            DataType::Binary | DataType::List(_) | DataType::Struct(_) => return None,
        })
    }

    /// Adds the value of a text; `false` if it is not of the type.
    #[must_use]
    pub(super) fn append(&mut self, text: &str) -> bool {
        match self {
            Self::Boolean(builder) => add(boolean(text), |value| builder.append_value(value)),
            Self::Int8(builder) => append_integer(builder, text),
            Self::Int16(builder) => append_integer(builder, text),
            Self::Int32(builder) => append_integer(builder, text),
            Self::Int64(builder) => append_integer(builder, text),
            Self::UInt8(builder) => append_integer(builder, text),
            Self::UInt16(builder) => append_integer(builder, text),
            Self::UInt32(builder) => append_integer(builder, text),
            Self::UInt64(builder) => append_integer(builder, text),
            // Narrowing a finite double can give infinity, so each width is parsed as itself.
            Self::Float32(builder) => add(float(text, f32::is_finite), |value| builder.append_value(value)),
            Self::Float64(builder) => add(float(text, f64::is_finite), |value| builder.append_value(value)),
            Self::Decimal { builder, precision, scale } => {
                add(decimal(text, *precision, *scale), |value| builder.append_value(value))
            }
            Self::Text(builder) => add(Some(text), |value| builder.append_value(value)),
            Self::Date(builder) => add(date(text), |value| builder.append_value(value)),
            Self::Time(builder) => add(time(text), |value| builder.append_value(value)),
            Self::Timestamp { builder, unit, zoned } => {
                add(timestamp(text, *unit, *zoned), |value| builder.append(value))
            }
        }
    }

    pub(super) fn append_null(&mut self) {
        each_builder!(self, builder => builder.append_null());
    }

    /// The column so far; the parser is empty again.
    pub(super) fn finish(&mut self) -> ArrayRef {
        each_builder!(self, builder => Arc::new(builder.finish()))
    }
}

impl TimestampBuilder {
    fn new(unit: TimeUnit, zone: Option<&str>) -> Self {
        match unit {
            TimeUnit::Second => Self::Second(TimestampSecondBuilder::new().with_timezone_opt(zone)),
            TimeUnit::Millisecond => {
                Self::Millisecond(TimestampMillisecondBuilder::new().with_timezone_opt(zone))
            }
            TimeUnit::Microsecond => {
                Self::Microsecond(TimestampMicrosecondBuilder::new().with_timezone_opt(zone))
            }
            TimeUnit::Nanosecond => {
                Self::Nanosecond(TimestampNanosecondBuilder::new().with_timezone_opt(zone))
            }
        }
    }

    fn append(&mut self, value: i64) {
        match self {
            Self::Second(builder) => builder.append_value(value),
            Self::Millisecond(builder) => builder.append_value(value),
            Self::Microsecond(builder) => builder.append_value(value),
            Self::Nanosecond(builder) => builder.append_value(value),
        }
    }
}

fn add<T>(value: Option<T>, append: impl FnOnce(T)) -> bool {
    value.map(append).is_some()
}

fn append_integer<T>(builder: &mut PrimitiveBuilder<T>, text: &str) -> bool
where
    T: ArrowPrimitiveType,
    T::Native: std::str::FromStr,
{
    // The standard library also takes a plus sign.
    let is_plain = !text.starts_with('+');
    add(text.parse().ok().filter(|_| is_plain), |value| builder.append_value(value))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Digits, point, exponent; `NaN`, `Infinity` and `-Infinity` as PostgreSQL writes them.
fn float<T: std::str::FromStr + Copy>(text: &str, is_finite: impl Fn(T) -> bool) -> Option<T> {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return text.parse().ok();
    }
    let is_number = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    // `1e999` is no double: it would become infinity.
    text.parse().ok().filter(|value| is_number && !text.starts_with('+') && is_finite(*value))
}

/// Sign, digits, point, digits. Digits behind the scale must be zeros.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    if whole.is_empty() || !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let scale = usize::from(scale);
    let mut kept: String = fraction.chars().take(scale).collect();
    if fraction.chars().skip(scale).any(|digit| digit != '0') {
        return None;
    }
    while kept.len() < scale {
        kept.push('0');
    }
    let digits = format!("{}{kept}", whole.trim_start_matches('0'));
    let significant = digits.trim_start_matches('0');
    if significant.len() > usize::from(precision) {
        return None;
    }
    let value: i128 = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    Some(if negative { -value } else { value })
}

/// `yyyy-mm-dd`; days since the epoch.
fn date(text: &str) -> Option<i32> {
    let days = naive_date(text)?.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).ok()
}

fn naive_date(text: &str) -> Option<NaiveDate> {
    let [year, month, day] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
    NaiveDate::from_ymd_opt(i32::try_from(digits(year, 4)?).ok()?, digits(month, 2)?, digits(day, 2)?)
}

/// `hh:mm:ss` with up to six digits of a second; microseconds since midnight.
fn time(text: &str) -> Option<i64> {
    let nanoseconds = naive_time(text)?.signed_duration_since(NaiveTime::MIN).num_nanoseconds()?;
    exact_division(nanoseconds, 1_000)
}

fn naive_time(text: &str) -> Option<NaiveTime> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, nanoseconds(fraction)?),
        None => (text, 0),
    };
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>().try_into().ok()?;
    let second = digits(second, 2).filter(|second| *second < 60)?;
    NaiveTime::from_hms_nano_opt(digits(hour, 2)?, digits(minute, 2)?, second, fraction)
}

/// Digits behind the point of a second.
fn nanoseconds(fraction: &str) -> Option<u32> {
    let (kept, dropped) = fraction.split_at_checked(9).unwrap_or((fraction, ""));
    if kept.is_empty() || dropped.chars().any(|digit| digit != '0') {
        return None;
    }
    let missing = u32::try_from(9 - kept.len()).ok()?;
    Some(digits(kept, kept.len())? * 10_u32.pow(missing))
}

/// Exactly `length` digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    let is_number = text.len() == length && text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `yyyy-mm-dd hh:mm:ss`, `T` instead of the blank allowed; with `Z` or
/// `+hh:mm` exactly if the type has a zone. A wall-clock reading for a type
/// with a zone would be ambiguous twice a year.
fn timestamp(text: &str, unit: TimeUnit, zoned: bool) -> Option<i64> {
    let (day, rest) = text.split_once(['T', ' '])?;
    let (clock, offset) = split_offset(rest)?;
    let wall = NaiveDateTime::new(naive_date(day)?, naive_time(clock)?);
    let instant = match (offset, zoned) {
        (Some(offset), true) => {
            DateTime::<FixedOffset>::from_naive_utc_and_offset(wall.checked_sub_offset(offset)?, offset)
                .to_utc()
        }
        (None, false) => wall.and_utc(),
        _ => return None,
    };
    match unit {
        TimeUnit::Second => (instant.timestamp_subsec_nanos() == 0).then(|| instant.timestamp()),
        TimeUnit::Millisecond => {
            (instant.timestamp_subsec_nanos() % 1_000_000 == 0).then(|| instant.timestamp_millis())
        }
        TimeUnit::Microsecond => {
            (instant.timestamp_subsec_nanos() % 1_000 == 0).then(|| instant.timestamp_micros())
        }
        // 1677 to 2262.
        TimeUnit::Nanosecond => instant.timestamp_nanos_opt(),
    }
}

fn split_offset(rest: &str) -> Option<(&str, Option<FixedOffset>)> {
    if let Some(clock) = rest.strip_suffix('Z') {
        return Some((clock, FixedOffset::east_opt(0)));
    }
    let Some(at) = rest.find(['+', '-']) else { return Some((rest, None)) };
    let (clock, offset) = rest.split_at_checked(at)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2).filter(|minutes| *minutes < 60)?);
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    let offset = FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds })?;
    Some((clock, Some(offset)))
}

fn exact_division(value: i64, divisor: i64) -> Option<i64> {
    (value % divisor == 0).then(|| value / divisor)
}

#[cfg(test)]
mod tests;
