//! Data of the domain `sales`.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, Date32Array, Decimal128Array, Int64Array, StringArray},
    datatypes::DataType,
};
use chrono::NaiveDate;

use super::{
    Extent, day_number,
    file::{BATCH_ROWS, ParquetFile, batch, schema, write_arrow, write_csv},
    random::Random,
    sku,
    story::{ORDERS, STORES, region_of},
};
use crate::failure::Failure;

/// Generated orders begin here, at every scale.
const FIRST_ORDER: i64 = 2001;
const ORDERS_PER_SCALE: i64 = 992;
/// How far back the shop's orders go.
const DAYS: i64 = 700;
/// The one total that only the story's order 1003 has.
const SECRET_TOTAL: i64 = 99_900;

pub(super) const REGIONS: [&str; 3] = ["AT", "DE", "FR"];

#[derive(Clone)]
struct Order {
    order_id: i64,
    customer_id: i64,
    store_id: &'static str,
    day: i64,
    total_cents: i64,
    margin_cents: i64,
    card: Option<String>,
}

pub(super) fn write(folder: &Path, extent: &Extent) -> Result<(), Failure> {
    for region in REGIONS {
        write_orders(&folder.join(format!("orders/region={region}/part-0.parquet")), region, extent)?;
    }
    write_lines(&folder.join("order_lines/part-0.parquet"), extent)?;
    write_forecast(&folder.join("order_forecast/part-0.arrow"), extent)?;
    let stores = STORES.iter().map(|store| format!("{},{},{}", store.store_id, store.region, store.org_path));
    write_csv(&folder.join("stores.csv"), "store_id,region,org_path", stores)?;
    let entitlements = [("eve", "FR", "2031-12-31"), ("eve", "AT", "2020-06-30")];
    let lines = entitlements.iter().map(|(person, region, day)| format!("{person},{region},{day}"));
    write_csv(&folder.join("entitlements.csv"), "person,region,valid_until", lines)
}

/// All orders, story first. Every file walks through them all, so that an
/// order does not depend on the file it lands in.
fn orders(extent: &Extent) -> impl Iterator<Item = Order> {
    let story = ORDERS.iter().map(|order| Order {
        order_id: order.order_id,
        customer_id: order.customer_id,
        store_id: order.store_id,
        day: order.day,
        total_cents: order.total_cents,
        margin_cents: order.margin_cents,
        card: Some(order.card.to_owned()),
    });
    let mut random = Random::new(1);
    let customers = super::customers::generated(extent);
    let generated = (0..ORDERS_PER_SCALE * extent.scale).map(move |number| {
        let total_cents = match random.between(500, 60_000) + 100 * random.between(0, 600) {
            SECRET_TOTAL => SECRET_TOTAL + 1,
            other => other,
        };
        let margin_percent = random.between(10, 35);
        let [first, others @ ..] = &STORES;
        Order {
            order_id: FIRST_ORDER + number,
            customer_id: random.between(*customers.start(), *customers.end()),
            store_id: random.pick(first, others).store_id,
            day: -random.between(0, DAYS),
            total_cents,
            margin_cents: total_cents * margin_percent / 100,
            // Who pays by bank transfer has no card.
            card: (!random.happens(10)).then(|| format!("4{:015}", random.between(0, 999_999_999_999_999))),
        }
    });
    story.chain(generated)
}

/// The orders of one region, without the region: the folder says it.
fn write_orders(path: &Path, region: &str, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("order_id", DataType::Int64, false),
        ("customer_id", DataType::Int64, false),
        ("store_id", DataType::Utf8, false),
        ("order_date", DataType::Date32, false),
        ("total", DataType::Decimal128(12, 2), false),
        ("margin", DataType::Decimal128(12, 2), false),
        ("card", DataType::Utf8, true),
    ]);
    let mut file = ParquetFile::create(path, schema.clone())?;
    let mut of_region = orders(extent).filter(|order| region_of(order.store_id) == region);
    loop {
        let rows: Vec<Order> = of_region.by_ref().take(BATCH_ROWS).collect();
        if rows.is_empty() {
            return file.finish();
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|order| order.order_id))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|order| order.customer_id))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|order| order.store_id))),
            Arc::new(days(extent.quarter, rows.iter().map(|order| order.day))),
            money(rows.iter().map(|order| order.total_cents))?,
            money(rows.iter().map(|order| order.margin_cents))?,
            Arc::new(StringArray::from_iter(rows.iter().map(|order| order.card.as_deref()))),
        ];
        file.write(&batch(&schema, columns)?)?;
    }
}

/// One or two lines an order.
fn write_lines(path: &Path, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("order_id", DataType::Int64, false),
        ("sku", DataType::Utf8, false),
        ("quantity", DataType::Int64, false),
        ("price", DataType::Decimal128(12, 2), false),
    ]);
    let mut file = ParquetFile::create(path, schema.clone())?;
    let mut random = Random::new(2);
    let mut lines = orders(extent).flat_map(move |order| {
        let article = random.between(0, 99);
        let first = (order.order_id, sku(article), 1, order.total_cents / 2);
        let second = (order.order_id, sku(article + 100), 1, order.total_cents - order.total_cents / 2);
        [first, second]
    });
    loop {
        let rows: Vec<(i64, String, i64, i64)> = lines.by_ref().take(BATCH_ROWS).collect();
        if rows.is_empty() {
            return file.finish();
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|line| line.0))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|line| &line.1))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|line| line.2))),
            money(rows.iter().map(|line| line.3))?,
        ];
        file.write(&batch(&schema, columns)?)?;
    }
}

fn write_forecast(path: &Path, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("region", DataType::Utf8, false),
        ("week", DataType::Date32, false),
        ("expected_total", DataType::Decimal128(12, 2), false),
    ]);
    let mut random = Random::new(3);
    let rows: Vec<(&str, i64, i64)> = REGIONS
        .iter()
        .flat_map(|region| (0..13).map(move |week| (*region, week * 7)))
        .map(|(region, day)| (region, day, random.between(1_000_000, 9_000_000) * extent.scale))
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(days(extent.first_monday(), rows.iter().map(|row| row.1))),
        money(rows.iter().map(|row| row.2))?,
    ];
    write_arrow(path, &batch(&schema, columns)?)
}

/// Days counted from `start`.
fn days(start: NaiveDate, offsets: impl Iterator<Item = i64>) -> Date32Array {
    Date32Array::from_iter_values(offsets.map(|offset| day_number(start, offset)))
}

/// `decimal(12,2)` from cents.
pub(super) fn money(cents: impl Iterator<Item = i64>) -> Result<ArrayRef, Failure> {
    let array = Decimal128Array::from_iter_values(cents.map(i128::from))
        .with_precision_and_scale(12, 2)
        .map_err(|error| Failure::Usage(format!("the demo's data cannot be made: {error}")))?;
    debug_assert_eq!(array.null_count(), 0);
    Ok(Arc::new(array))
}
