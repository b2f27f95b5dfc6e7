use arrow::array::{AsArray, UnionArray};
use arrow::datatypes::UInt32Type;

use super::*;

const STRING: i8 = 0;
const BOOL: i8 = 1;
const INT64: i8 = 2;
const INT32: i8 = 3;
const LIST: i8 = 4;
const MAP: i8 = 5;

fn rows(wanted: &[u32]) -> Vec<(u32, i8)> {
    let batch = SqlInfoTable::new(&FunctionNames::default()).unwrap().rows(wanted).unwrap();
    let values: &UnionArray = batch.column(1).as_union();
    let codes = batch.column(0).as_primitive::<UInt32Type>();
    (0..batch.num_rows()).map(|row| (codes.value(row), values.type_id(row))).collect()
}

/// The type that drivers cast the value of a code to.
fn expected_type(code: u32) -> i8 {
    match code {
        0..=2 | 6 | 7 | 504 | 513 | 514 | 529..=531 => STRING,
        3..=5 | 9 | 500..=502 | 506 | 515 | 516 | 518..=521 | 523 | 524 | 527 | 532 | 536 | 537 | 539 => BOOL,
        556 | 563 | 565 | 566 | 572..=576 => BOOL,
        541..=555 | 557..=562 => INT64,
        508..=512 => LIST,
        517 => MAP,
        _ => INT32,
    }
}

#[test]
fn every_code_is_answered_with_the_type_that_drivers_expect() {
    let answered: BTreeMap<u32, i8> = rows(&[]).into_iter().collect();
    let wanted: Vec<u32> = (0..=9).chain(100..=101).chain(500..=576).collect();
    let missing: Vec<_> = wanted.iter().filter(|code| !answered.contains_key(code)).collect();
    assert_eq!(missing, Vec::<&u32>::new());
    let wrong: Vec<_> = answered.iter().filter(|(code, kind)| expected_type(**code) != **kind).collect();
    assert_eq!(wrong, Vec::<(&u32, &i8)>::new());
    assert_eq!(answered.len(), wanted.len());
}

#[test]
fn ingestion_is_told_only_by_number() {
    assert_eq!(rows(&[8, 10, 11]), [(8, INT32), (10, BOOL), (11, BOOL)]);
}

#[test]
fn unknown_codes_have_no_rows() {
    assert_eq!(rows(&[999, 50_000, u32::MAX]), []);
}
