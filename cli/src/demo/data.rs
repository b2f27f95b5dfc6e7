//! Larkfield's data. It depends on the scale and the quarter alone: the same
//! bytes each time. The story's rows are there at every scale.

mod customers;
mod file;
mod random;
mod sales;
mod story;
#[cfg(test)]
mod tests;
mod web;

use std::path::Path;

use chrono::{Datelike, Days, NaiveDate};

use crate::failure::Failure;

/// How much data, and around which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) scale: i64,
    /// First day of the quarter that is under embargo.
    pub(crate) quarter: NaiveDate,
}

impl Extent {
    pub(crate) fn new(scale: u32, today: NaiveDate) -> Self {
        Self { scale: i64::from(scale), quarter: quarter_start(today) }
    }

    /// The first Monday of the quarter.
    fn first_monday(&self) -> NaiveDate {
        let days = (7 - self.quarter.weekday().num_days_from_monday()) % 7;
        self.quarter.checked_add_days(Days::new(u64::from(days))).unwrap_or(self.quarter)
    }
}

/// Writes the data of each domain into `<folder>/<domain>/data`.
pub(crate) fn write(folder: &Path, extent: &Extent) -> Result<(), Failure> {
    sales::write(&folder.join("sales/data"), extent)?;
    customers::write(&folder.join("customers/data"), extent)?;
    web::write(&folder.join("web/data"), extent)
}

/// First day of the quarter that `day` lies in.
pub(crate) fn quarter_start(day: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1).unwrap_or(day)
}

/// Days since the epoch of the day that lies `offset` days behind `start`.
fn day_number(start: NaiveDate, offset: i64) -> i32 {
    let since_epoch = start.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(since_epoch.saturating_add(offset)).unwrap_or_default()
}

/// Name of an article.
fn sku(number: i64) -> String {
    format!("LF-{number:04}")
}
