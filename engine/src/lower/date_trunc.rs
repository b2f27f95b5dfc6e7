//! Cutting dates and timestamps to a calendar unit, for every value.
//!
//! The engine's own function goes through nanoseconds: it fails for a date
//! like 9999-12-31, and turns dates into timestamps. This one keeps the type
//! and gives NULL only where the result does not fit the type, or where a zone
//! has no offset because the moment lies beyond any calendar.

use std::sync::{Arc, LazyLock};

use arrow::array::timezone::Tz;
use arrow::array::types::{
    ArrowTimestampType, Date32Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use meshgate_policies::expression::DateUnit;

const SECONDS_PER_DAY: i128 = 24 * 60 * 60;

/// The function that cuts to `unit`.
pub(super) fn function(unit: DateUnit) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Truncate { unit }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Truncate {
    unit: DateUnit,
}

impl ScalarUDFImpl for Truncate {
    fn name(&self) -> &str {
        match self.unit {
            DateUnit::Year => "truncate_to_year",
            DateUnit::Quarter => "truncate_to_quarter",
            DateUnit::Month => "truncate_to_month",
            DateUnit::Week => "truncate_to_week",
            DateUnit::Day => "truncate_to_day",
            DateUnit::Hour => "truncate_to_hour",
            DateUnit::Minute => "truncate_to_minute",
            DateUnit::Second => "truncate_to_second",
        }
    }

    fn signature(&self) -> &Signature {
        static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
        &ANY_ONE
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [data_type @ (DataType::Date32 | DataType::Timestamp(_, _))] => Ok(data_type.clone()),
            _ => exec_err!("{} takes one date or timestamp", self.name()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        match arrays.as_slice() {
            [array] => Ok(ColumnarValue::Array(truncate(array, self.unit)?)),
            _ => exec_err!("{} takes one date or timestamp", self.name()),
        }
    }
}

fn truncate(array: &ArrayRef, unit: DateUnit) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Date32 => {
            let cut = |days: i32| i32::try_from(truncate_days(i128::from(days), unit)).ok();
            Ok(Arc::new(array.as_primitive::<Date32Type>().unary_opt::<_, Date32Type>(cut)))
        }
        DataType::Timestamp(resolution, zone) => {
            let zone = zone.as_ref().map(|zone| zone.parse::<Tz>()).transpose()?;
            Ok(match resolution {
                TimeUnit::Second => timestamps::<TimestampSecondType>(array, zone, unit),
                TimeUnit::Millisecond => timestamps::<TimestampMillisecondType>(array, zone, unit),
                TimeUnit::Microsecond => timestamps::<TimestampMicrosecondType>(array, zone, unit),
                TimeUnit::Nanosecond => timestamps::<TimestampNanosecondType>(array, zone, unit),
            })
        }
        other => exec_err!("{other} has no calendar units"),
    }
}

fn timestamps<T: ArrowTimestampType>(array: &ArrayRef, zone: Option<Tz>, unit: DateUnit) -> ArrayRef {
    let per_second: i128 = match T::UNIT {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let cut = |value: i64| {
        let seconds = i128::from(value).div_euclid(per_second);
        let cut = match zone {
            None => truncate_seconds(seconds, unit),
            Some(zone) => truncate_in_zone(seconds, zone, unit)?,
        };
        i64::try_from(cut.checked_mul(per_second)?).ok()
    };
    let DataType::Timestamp(_, name) = array.data_type() else {
        return Arc::clone(array);
    };
    Arc::new(array.as_primitive::<T>().unary_opt::<_, T>(cut).with_timezone_opt(name.clone()))
}

/// The offset before a transition is the one that a reading of the clock just
/// before it had, so a reading that does not exist becomes the first moment
/// after the gap, and of two equal readings the one with the value's own offset is meant.
fn truncate_in_zone(seconds: i128, zone: Tz, unit: DateUnit) -> Option<i128> {
    let offset = offset_at(seconds, zone)?;
    let reading = truncate_seconds(seconds + offset, unit);
    let moment = reading - offset;
    match offset_at(moment, zone)? {
        same if same == offset => Some(moment),
        earlier => Some(reading - earlier),
    }
}

fn offset_at(seconds: i128, zone: Tz) -> Option<i128> {
    let moment = DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)?.naive_utc();
    Some(i128::from(zone.offset_from_utc_datetime(&moment).fix().local_minus_utc()))
}

fn truncate_seconds(seconds: i128, unit: DateUnit) -> i128 {
    let to = |length: i128| seconds - seconds.rem_euclid(length);
    match unit {
        DateUnit::Second => seconds,
        DateUnit::Minute => to(60),
        DateUnit::Hour => to(60 * 60),
        _ => truncate_days(seconds.div_euclid(SECONDS_PER_DAY), unit) * SECONDS_PER_DAY,
    }
}

fn truncate_days(days: i128, unit: DateUnit) -> i128 {
    let (year, month) = year_and_month(days);
    match unit {
        DateUnit::Year => first_day(year, 1),
        DateUnit::Quarter => first_day(year, month - (month - 1) % 3),
        DateUnit::Month => first_day(year, month),
        // Day 0 was a Thursday; weeks begin on Mondays.
        DateUnit::Week => days - (days + 3).rem_euclid(7),
        DateUnit::Day | DateUnit::Hour | DateUnit::Minute | DateUnit::Second => days,
    }
}

/// Days from 0000-03-01 to 1970-01-01, and the days of 400 years. Counting years from March puts
/// the leap day last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const EPOCH_FROM_MARCH_0000: i128 = 719_468;
const DAYS_PER_ERA: i128 = 146_097;

fn year_and_month(days: i128) -> (i128, i128) {
    let shifted = days + EPOCH_FROM_MARCH_0000;
    let (era, day) = (shifted.div_euclid(DAYS_PER_ERA), shifted.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i128::from(month <= 2), month)
}

fn first_day(year: i128, month: i128) -> i128 {
    let year = year - i128::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5;
    era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - EPOCH_FROM_MARCH_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoned(moment: &str, zone: &str, unit: DateUnit) -> String {
        let seconds = DateTime::parse_from_rfc3339(moment).unwrap().timestamp();
        let cut = truncate_in_zone(i128::from(seconds), zone.parse().unwrap(), unit).unwrap();
        DateTime::from_timestamp(i64::try_from(cut).unwrap(), 0).unwrap().to_rfc3339()
    }

    #[test]
    fn days_of_four_centuries_are_those_of_the_calendar() {
        use chrono::{Datelike, NaiveDate};
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut date = NaiveDate::from_ymd_opt(1799, 12, 28).unwrap();
        while date.year() < 2202 {
            let days = i128::from((date - epoch).num_days());
            let first = |month| {
                i128::from((NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap() - epoch).num_days())
            };
            assert_eq!(truncate_days(days, DateUnit::Year), first(1), "{date}");
            assert_eq!(truncate_days(days, DateUnit::Quarter), first(date.month0() / 3 * 3 + 1), "{date}");
            assert_eq!(truncate_days(days, DateUnit::Month), first(date.month()), "{date}");
            let monday = days - i128::from(date.weekday().num_days_from_monday());
            assert_eq!(truncate_days(days, DateUnit::Week), monday, "{date}");
            date = date.succ_opt().unwrap();
        }
    }

    #[test]
    fn zones_cut_by_their_own_clock() {
        let cut = zoned("2026-07-01T23:30:00Z", "Europe/Berlin", DateUnit::Day);
        assert_eq!(cut, "2026-07-01T22:00:00+00:00");
        let cut = zoned("2026-07-01T23:30:00Z", "Europe/Berlin", DateUnit::Year);
        assert_eq!(cut, "2025-12-31T23:00:00+00:00");
        let cut = zoned("2026-07-01T23:50:10Z", "+05:45", DateUnit::Hour);
        assert_eq!(cut, "2026-07-01T23:15:00+00:00");
    }

    #[test]
    fn readings_that_do_not_exist_or_exist_twice() {
        // At midnight the clock went from 00:00 to 01:00: the day begins at 01:00.
        let cut = zoned("2018-11-04T15:00:00Z", "America/Sao_Paulo", DateUnit::Day);
        assert_eq!(cut, "2018-11-04T03:00:00+00:00");
        // 02:30 occurred twice; each is cut within its own hour.
        assert_eq!(
            zoned("2026-10-25T00:30:00Z", "Europe/Berlin", DateUnit::Hour),
            "2026-10-25T00:00:00+00:00"
        );
        assert_eq!(
            zoned("2026-10-25T01:30:00Z", "Europe/Berlin", DateUnit::Hour),
            "2026-10-25T01:00:00+00:00"
        );
        // The day of the change begins with the offset from before the change.
        assert_eq!(
            zoned("2026-10-25T12:00:00Z", "Europe/Berlin", DateUnit::Day),
            "2026-10-24T22:00:00+00:00"
        );
    }
}
