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

    /// What a clock in the mesh's time zone reads, in microseconds.
    pub(crate) fn clock(&self) -> Option<i64> {
        let local = DateTime::from_timestamp_micros(self.instant)?.with_timezone(&self.zone).naive_local();
        Some(local.and_utc().timestamp_micros())
    }
}

/// A calendar day as days since the epoch.
pub(crate) fn days_since_epoch(day: NaiveDate) -> i32 {
    const EPOCH_FROM_COMMON_ERA: i32 = 719_163;
    day.num_days_from_ce() - EPOCH_FROM_COMMON_ERA
}

/// The calendar day, if the calendar reaches that far.
pub(crate) fn day_from_epoch(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::TimeDelta::days(i64::from(days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_clocks_are_those_of_the_zone() {
        // 2026-11-22T23:30:00Z.
        let of = |zone: Tz| Statement { instant: 1_795_390_200_000_000, zone };
        let (utc, berlin) = (of(Tz::UTC), of(Tz::Europe__Berlin));
        assert_eq!((utc.today(), berlin.today()), (Some(20_779), Some(20_780)));
        assert_eq!(utc.clock(), Some(1_795_390_200_000_000));
        assert_eq!(berlin.clock(), Some(1_795_393_800_000_000));
        let beyond = Statement { instant: i64::MAX, zone: Tz::UTC };
        assert_eq!((beyond.today(), beyond.clock()), (None, None));
        assert_eq!(day_from_epoch(20_780), NaiveDate::from_ymd_opt(2026, 11, 23));
    }
}
