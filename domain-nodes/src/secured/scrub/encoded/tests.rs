//! Keys and ends of runs fit into the types that they had.

use super::*;

#[test]
fn a_key_that_does_not_fit_is_an_error_and_not_a_null() {
    let cast = |number: u64| checked_cast(&UInt64Array::from(vec![Some(number), None]), &DataType::UInt8);
    let largest = cast(255).unwrap();
    let largest = largest.as_primitive::<UInt8Type>();
    assert_eq!(largest.iter().collect::<Vec<_>>(), [Some(255), None]);
    assert!(matches!(cast(256), Err(ScrubError::Inconsistent(_))));
}
