//! What a decision takes from the statement it is made for.

use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;

/// The moment of a statement: one for all its tables and both deciding sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Microseconds since the epoch, UTC.
    pub instant: i64,
    /// The mesh's time zone.
    pub zone: Tz,
}

impl Statement {
    /// The statement's day in the mesh's time zone, in days since the epoch.
    /// `None` for an instant outside the calendar.
    pub(crate) fn today(&self) -> Option<i32> {
        let day = DateTime::from_timestamp_micros(self.instant)?.with_timezone(&self.zone).date_naive();
        Some(days_since_epoch(day))
    }
}

/// A calendar day as days since the epoch.
pub(crate) fn days_since_epoch(day: NaiveDate) -> i32 {
    const EPOCH_FROM_COMMON_ERA: i32 = 719_163;
    day.num_days_from_ce() - EPOCH_FROM_COMMON_ERA
}
