//! The table of types in `docs/contracts.md` is what the code does.

use arrow::datatypes::{DataType as ArrowType, TimeUnit as U};
use meshgate_engine::data_type::to_arrow;

use super::types::{ROWS, Row, Spelled, Target, resolve};
use crate::source;

const DOCUMENT: &str = include_str!("../../../docs/contracts.md");
const BEGIN: &str = "<!-- types: begin -->\n";
const END: &str = "<!-- types: end -->";

/// Types that Parquet files have in Arrow's eyes, and how the document calls them.
fn candidates() -> Vec<(&'static str, ArrowType)> {
    use ArrowType as T;
    let zoned = |unit| T::Timestamp(unit, Some("UTC".into()));
    vec![
        ("Boolean", T::Boolean),
        ("Int8", T::Int8),
        ("Int16", T::Int16),
        ("Int32", T::Int32),
        ("Int64", T::Int64),
        ("UInt8", T::UInt8),
        ("UInt16", T::UInt16),
        ("UInt32", T::UInt32),
        ("UInt64", T::UInt64),
        ("Float16", T::Float16),
        ("Float32", T::Float32),
        ("Float64", T::Float64),
        ("Decimal of at most as many digits before and behind the point", T::Decimal128(9, 2)),
        ("Utf8", T::Utf8),
        ("LargeUtf8", T::LargeUtf8),
        ("Utf8View", T::Utf8View),
        ("Binary", T::Binary),
        ("LargeBinary", T::LargeBinary),
        ("BinaryView", T::BinaryView),
        ("FixedSizeBinary", T::FixedSizeBinary(16)),
        ("Date32", T::Date32),
        ("Date64", T::Date64),
        ("Time32(s)", T::Time32(U::Second)),
        ("Time32(ms)", T::Time32(U::Millisecond)),
        ("Time64(µs)", T::Time64(U::Microsecond)),
        ("Time64(ns)", T::Time64(U::Nanosecond)),
        ("Timestamp(s)", T::Timestamp(U::Second, None)),
        ("Timestamp(ms)", T::Timestamp(U::Millisecond, None)),
        ("Timestamp(µs)", T::Timestamp(U::Microsecond, None)),
        ("Timestamp(ns)", T::Timestamp(U::Nanosecond, None)),
        ("Timestamp(s) with any zone", zoned(U::Second)),
        ("Timestamp(ms) with any zone", zoned(U::Millisecond)),
        ("Timestamp(µs) with any zone", zoned(U::Microsecond)),
        ("Timestamp(ns) with any zone", zoned(U::Nanosecond)),
    ]
}

fn rendered() -> String {
    let mut table =
        "| logicalType | physicalType | type | Arrow | accepted in Parquet files |\n|---|---|---|---|---|\n"
            .to_owned();
    for row in ROWS {
        let data_type = resolve(&sample(row)).unwrap();
        let arrow = to_arrow(&data_type);
        let accepted: Vec<&str> = candidates()
            .into_iter()
            .filter(|(_, found)| source::accepts(&arrow, found))
            .map(|(name, _)| name)
            .collect();
        let spellings: Vec<String> = row.physical.iter().map(|physical| spelling(row, physical)).collect();
        table.push_str(&format!(
            "| {} | {} | {data_type} | {arrow} | {} |\n",
            row.logical,
            spellings.join(", "),
            accepted.join(", ")
        ));
    }
    table
}

fn sample(row: &Row) -> Spelled {
    let physical = row.physical[0];
    let physical =
        if row.target == Target::Decimal { format!("{physical}(12,2)") } else { physical.to_owned() };
    Spelled { logical: Some(row.logical.to_owned()), physical: Some(physical), ..Spelled::default() }
}

fn spelling(row: &Row, physical: &str) -> String {
    match physical {
        "" => "none".to_owned(),
        physical if row.target == Target::Decimal => format!("`{physical}(12,2)`"),
        physical => format!("`{physical}`"),
    }
}

#[test]
fn the_documented_table_of_types_is_the_one_in_the_code() {
    let documented =
        DOCUMENT.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(table, _)| table);
    let rendered = rendered();
    assert!(
        documented == Some(rendered.as_str()),
        "write this between the markers of docs/contracts.md:\n{rendered}"
    );
}

#[test]
fn every_spelling_of_every_row_gives_the_rows_type() {
    for row in ROWS {
        let expected = resolve(&sample(row)).unwrap();
        for physical in row.physical {
            let arguments = if row.target == Target::Decimal { "(12,2)" } else { "" };
            let spelled = Spelled { physical: Some(format!("{physical}{arguments}")), ..sample(row) };
            assert_eq!(resolve(&spelled), Ok(expected.clone()), "{} {physical}", row.logical);
        }
    }
}
