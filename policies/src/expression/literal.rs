//! Literals whose type is that of the other side.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

use super::{
    Literal,
    types::{integer_type, per_second},
};
use crate::{
    data_type::{DataType, TimeUnit},
    statement::days_since_epoch,
};

/// A number as it was written: `digits * 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Exact { value: i128, scale: u8 },
    Float(f64),
}

impl Number {
    /// `None` for what is no number of at most 38 digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains(['e', 'E']) {
            return text.parse().ok().filter(|value: &f64| value.is_finite()).map(Self::Float);
        }
        let (before, after) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{before}{after}");
        if digits.is_empty() || digits.len() > 38 || !digits.chars().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some(Self::Exact { value: digits.parse().ok()?, scale: u8::try_from(after.len()).ok()? })
    }

    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Exact { value, scale } => Self::Exact { value: -value, scale },
            Self::Float(value) => Self::Float(-value),
        }
    }

    /// The type it has if nothing else says one.
    pub(crate) fn natural_type(self) -> DataType {
        match self {
            Self::Float(_) => DataType::Float64,
            Self::Exact { value, scale: 0 } if i64::try_from(value).is_ok() => DataType::Int64,
            Self::Exact { value, scale } => {
                let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
                let precision = u8::try_from(digits).unwrap_or(38).max(scale).max(1);
                DataType::Decimal { precision, scale }
            }
        }
    }

    /// Its value in a type, if it fits exactly. Decimal fractions fit floats as
    /// the nearest value, whole numbers only as themselves.
    pub(crate) fn to_literal(self, data_type: &DataType) -> Option<Literal> {
        match data_type {
            DataType::Float32 | DataType::Float64 => self.to_float(data_type),
            DataType::Decimal { precision, scale } => {
                let value = self.scaled(*scale)?;
                let bound = 10u128.checked_pow(u32::from(*precision))?;
                let fits = value.unsigned_abs() < bound;
                fits.then_some(Literal::Decimal { value, precision: *precision, scale: *scale })
            }
            _ => {
                let value = self.scaled(0)?;
                let fits = integer_type(data_type)?.holds(value);
                fits.then(|| Literal::Integer { value, data_type: data_type.clone() })
            }
        }
    }

    fn scaled(self, scale: u8) -> Option<i128> {
        let Self::Exact { value, scale: own } = self else {
            return None;
        };
        if scale >= own {
            return value.checked_mul(10i128.checked_pow(u32::from(scale - own))?);
        }
        let divisor = 10i128.checked_pow(u32::from(own - scale))?;
        (value % divisor == 0).then(|| value / divisor)
    }

    fn to_float(self, data_type: &DataType) -> Option<Literal> {
        // Up to here a float holds every whole number.
        let exact: u128 = if *data_type == DataType::Float32 { 1 << 24 } else { 1 << 53 };
        let value = match self {
            Self::Float(value) => value,
            Self::Exact { value, scale: 0 } if value.unsigned_abs() > exact => return None,
            Self::Exact { value, scale } => format!("{value}e-{scale}").parse().ok()?,
        };
        let value = if *data_type == DataType::Float32 { f64::from(value as f32) } else { value };
        value.is_finite().then(|| Literal::Float { value, data_type: data_type.clone() })
    }
}

/// The value of a text literal in a type, if it can be read as one.
pub(crate) fn text_to_literal(text: &str, data_type: &DataType) -> Option<Literal> {
    match data_type {
        DataType::Text => Some(Literal::Text(text.to_owned())),
        DataType::Date => parse_date(text).map(Literal::Date),
        DataType::Timestamp { unit, zone } => {
            let value = parse_timestamp(text, *unit, zone.as_deref())?;
            Some(Literal::Timestamp { value, data_type: data_type.clone() })
        }
        _ => None,
    }
}

/// `YYYY-MM-DD`, exactly.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (day.format("%Y-%m-%d").to_string() == text).then(|| days_since_epoch(day))
}

/// A day, or a day and a time; with an offset where the type has a zone.
/// Without an offset it is a reading of the clock in that zone.
fn parse_timestamp(text: &str, unit: TimeUnit, zone: Option<&str>) -> Option<i64> {
    let local = parse_local(text);
    let moment = match (local, zone) {
        (Some(local), None) => local.and_utc(),
        (Some(local), Some(zone)) => local_to_instant(local, zone)?,
        (None, Some(_)) => DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)).ok()?.to_utc(),
        (None, None) => return None,
    };
    instant_to_count(moment, unit)
}

fn parse_local(text: &str) -> Option<NaiveDateTime> {
    if let Some(days) = parse_date(text) {
        return crate::statement::day_from_epoch(days)?.and_hms_opt(0, 0, 0);
    }
    let text = text.replacen('T', " ", 1);
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
}

/// The instant of a clock's reading; `None` if the zone is unknown or the
/// reading happens twice or never.
pub(crate) fn local_to_instant(local: NaiveDateTime, zone: &str) -> Option<DateTime<chrono::Utc>> {
    if let Ok(zone) = zone.parse::<Tz>() {
        return Some(zone.from_local_datetime(&local).single()?.to_utc());
    }
    let offset: chrono::FixedOffset = zone.parse().ok()?;
    Some(offset.from_local_datetime(&local).single()?.to_utc())
}

/// An instant in counts of a unit; `None` if it does not divide evenly or does not fit.
fn instant_to_count(moment: DateTime<chrono::Utc>, unit: TimeUnit) -> Option<i64> {
    let nanoseconds_per_count = 1_000_000_000 / i128::from(per_second(unit));
    let nanoseconds =
        i128::from(moment.timestamp()) * 1_000_000_000 + i128::from(moment.timestamp_subsec_nanos());
    if nanoseconds % nanoseconds_per_count != 0 {
        return None;
    }
    i64::try_from(nanoseconds / nanoseconds_per_count).ok()
}
