//! Data of the domain `customers`.

use std::{ops::RangeInclusive, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, StringArray},
    datatypes::DataType,
};

use super::{
    Extent,
    file::{JsonFile, batch, schema, write_csv, write_parquet},
    random::Random,
    sales::{REGIONS, money},
    story::{CUSTOMERS, ORDERS},
};
use crate::failure::Failure;

/// Generated customers begin here, at every scale.
const FIRST_CUSTOMER: i64 = 101;
const CUSTOMERS_PER_SCALE: i64 = 194;
const FEEDBACK_PER_SCALE: i64 = 50;
const SEGMENTS: [&str; 3] = ["gold", "regular", "new"];
const FIRST_NAMES: [&str; 8] = ["Ada", "Ben", "Clara", "David", "Ella", "Finn", "Ida", "Jonas"];
const LAST_NAMES: [&str; 8] = ["Adler", "Blanc", "Conrad", "Dubois", "Ebner", "Fuchs", "Garnier", "Huber"];

/// The customers that are not in the story.
pub(super) fn generated(extent: &Extent) -> RangeInclusive<i64> {
    FIRST_CUSTOMER..=FIRST_CUSTOMER + CUSTOMERS_PER_SCALE * extent.scale - 1
}

pub(super) fn write(folder: &Path, extent: &Extent) -> Result<(), Failure> {
    let header = "customer_id,full_name,email,birth_date,region,segment,marketing_consent";
    write_csv(&folder.join("profiles.csv"), header, profiles(extent))?;
    write_segments(&folder.join("segments/part-0.parquet"), extent)?;
    write_feedback(&folder.join("feedback/part-0.jsonl"), extent)
}

fn profiles(extent: &Extent) -> impl Iterator<Item = String> {
    let story = CUSTOMERS.iter().map(|customer| {
        format!(
            "{},{},{},{},{},{},{}",
            customer.customer_id,
            customer.full_name,
            customer.email,
            customer.birth_date,
            customer.region,
            customer.segment,
            customer.marketing_consent
        )
    });
    let mut random = Random::new(11);
    let others = generated(extent).map(move |id| {
        let first = choose(&mut random, &FIRST_NAMES);
        let last = choose(&mut random, &LAST_NAMES);
        let (year, month, day) = (random.between(1940, 2006), random.between(1, 12), random.between(1, 28));
        let region = choose(&mut random, &REGIONS);
        let segment = choose(&mut random, &SEGMENTS);
        let consent = random.happens(60);
        let email = format!("{}.{}.{id}@mail.example", first.to_lowercase(), last.to_lowercase());
        format!("{id},{first} {last},{email},{year}-{month:02}-{day:02},{region},{segment},{consent}")
    });
    story.chain(others)
}

fn write_segments(path: &Path, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("segment", DataType::Utf8, false),
        ("region", DataType::Utf8, false),
        ("people", DataType::Int64, false),
        ("lifetime_value", DataType::Decimal128(12, 2), false),
    ]);
    let mut random = Random::new(12);
    let rows: Vec<(&str, &str, i64, i64)> = SEGMENTS
        .iter()
        .flat_map(|segment| REGIONS.iter().map(move |region| (*segment, *region)))
        .map(|(segment, region)| {
            (segment, region, random.between(10, 40) * extent.scale, random.between(5_000, 90_000))
        })
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        money(rows.iter().map(|row| row.3))?,
    ];
    write_parquet(path, &batch(&schema, columns)?)
}

fn write_feedback(path: &Path, extent: &Extent) -> Result<(), Failure> {
    let schema = schema(&[
        ("customer_id", DataType::Int64, false),
        ("order_id", DataType::Int64, false),
        ("stars", DataType::Int64, false),
        ("text", DataType::Utf8, true),
    ]);
    let mut random = Random::new(13);
    let customers = generated(extent);
    let texts =
        ["Quick as ever.", "The box was damaged.", "My neighbour took it in, thanks.", "Never again."];
    let story = ORDERS.iter().take(3).map(|order| (order.customer_id, order.order_id, 5, Some("Lovely!")));
    let rows: Vec<(i64, i64, i64, Option<&str>)> = story
        .chain((0..FEEDBACK_PER_SCALE * extent.scale).map(|number| {
            let customer = random.between(*customers.start(), *customers.end());
            let text = (!random.happens(20)).then(|| choose(&mut random, &texts));
            (customer, 2001 + number, random.between(1, 5), text)
        }))
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.3))),
    ];
    let mut file = JsonFile::create(path)?;
    file.write(&batch(&schema, columns)?)?;
    file.finish()
}

fn choose(random: &mut Random, choices: &[&'static str]) -> &'static str {
    choices.split_first().map_or("", |(first, others)| *random.pick(first, others))
}
