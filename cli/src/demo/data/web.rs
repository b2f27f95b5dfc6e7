//! Data of the domain `web`.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, TimeUnit},
};

use super::{
    Extent, day_number,
    file::{BATCH_ROWS, JsonFile, ParquetFile, batch, schema},
    random::Random,
    sku,
};
use crate::failure::Failure;

const CLICKS_PER_SCALE: i64 = 2000;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

struct Click {
    microseconds: i64,
    customer_id: Option<i64>,
    page: String,
    campaign: Option<&'static str>,
    ip: String,
}

pub(super) fn write(folder: &Path, extent: &Extent) -> Result<(), Failure> {
    write_clicks(&folder.join("clicks/part-0.jsonl"), extent)?;
    write_recommendations(&folder.join("recommendations/part-0.parquet"), extent)
}

fn write_clicks(path: &Path, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("event_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ("customer_id", DataType::Int64, true),
        ("page", DataType::Utf8, false),
        ("campaign", DataType::Utf8, true),
        ("ip", DataType::Utf8, false),
    ]);
    let mut file = JsonFile::create(path)?;
    let mut clicks = clicks(extent);
    loop {
        let rows: Vec<Click> = clicks.by_ref().take(BATCH_ROWS).collect();
        if rows.is_empty() {
            return file.finish();
        }
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|click| click.microseconds));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(times.with_timezone("UTC")),
            Arc::new(Int64Array::from_iter(rows.iter().map(|click| click.customer_id))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|click| &click.page))),
            Arc::new(StringArray::from_iter(rows.iter().map(|click| click.campaign))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|click| &click.ip))),
        ];
        file.write(&batch(&schema, columns)?)?;
    }
}

/// The clicks of the month before the quarter, oldest first.
fn clicks(extent: &Extent) -> impl Iterator<Item = Click> {
    let mut random = Random::new(21);
    let customers = super::customers::generated(extent);
    let count = CLICKS_PER_SCALE * extent.scale;
    let start = i64::from(day_number(extent.quarter, -30)) * MICROSECONDS_A_DAY;
    let step = (30 * MICROSECONDS_A_DAY).checked_div(count).unwrap_or_default();
    (0..count).map(move |number| Click {
        microseconds: start + number * step,
        customer_id: random.happens(70).then(|| random.between(*customers.start(), *customers.end())),
        page: format!("/article/{}", sku(random.between(0, 199))),
        campaign: random.happens(30).then(|| *random.pick(&"autumn", &["newsletter", "friends"])),
        // RFC 5737: addresses for documentation.
        ip: format!("203.0.113.{}", random.between(1, 254)),
    })
}

fn write_recommendations(path: &Path, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("customer_id", DataType::Int64, false),
        ("sku", DataType::Utf8, false),
        ("score", DataType::Float64, false),
    ]);
    let mut file = ParquetFile::create(path, schema.clone())?;
    let mut random = Random::new(22);
    let mut rows = (1..=6).chain(super::customers::generated(extent)).flat_map(move |customer| {
        let article = random.between(0, 99);
        [0, 100].map(|offset| (customer, sku(article + offset), random.between(0, 1000) as f64 / 1000.0))
    });
    loop {
        let block: Vec<(i64, String, f64)> = rows.by_ref().take(BATCH_ROWS).collect();
        if block.is_empty() {
            return file.finish();
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(block.iter().map(|row| row.0))),
            Arc::new(StringArray::from_iter_values(block.iter().map(|row| &row.1))),
            Arc::new(Float64Array::from_iter_values(block.iter().map(|row| row.2))),
        ];
        file.write(&batch(&schema, columns)?)?;
    }
}
