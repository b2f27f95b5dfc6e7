//! On which day policies are looked at.

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;

/// Noon of a day, in microseconds since the epoch.
pub(crate) fn noon(day: NaiveDate, zone: Tz) -> Option<i64> {
    let noon = day.and_hms_opt(12, 0, 0)?;
    Some(zone.from_local_datetime(&noon).earliest()?.timestamp_micros())
}

/// The day that it is now.
pub(crate) fn today(zone: Tz) -> NaiveDate {
    DateTime::<Utc>::with_timezone(&Utc::now(), &zone).date_naive()
}
