//! Places outside of the values that they point to: no constructor makes such an
//! array, a decoder might.

use arrow::array::Int64Array;

use super::*;

fn values() -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..3))
}

#[test]
fn values_are_picked_from_inside_only() {
    let picked =
        |places: &[Option<u64>]| Rebuild { depth: 0 }.picked(&values(), &DataType::Int64, places.to_vec());
    let expected: ArrayRef = Arc::new(Int64Array::from(vec![Some(2), None, Some(0)]));
    assert_eq!(&picked(&[Some(2), None, Some(0)]).unwrap(), &expected);
    for outside in [3, 4, u64::MAX] {
        let found = picked(&[Some(0), None, Some(outside)]);
        assert!(matches!(found, Err(ScrubError::OutOfBounds)), "{outside}");
    }
}

/// Start and end of each range.
type Bounds = &'static [(usize, usize)];

#[test]
fn elements_are_taken_from_inside_only() {
    let item = Field::new("item", DataType::Int64, true);
    let elements = |bounds: Bounds| {
        let ranges: Vec<Range<usize>> = bounds.iter().map(|(start, end)| *start..*end).collect();
        Rebuild { depth: 0 }.elements(&values(), &item, &ranges)
    };
    let inside: [(Bounds, &[i64]); 6] = [
        (&[], &[]),
        (&[(1, 1)], &[]),
        (&[(0, 3)], &[0, 1, 2]),
        (&[(0, 1), (2, 2), (1, 3)], &[0, 1, 2]),
        (&[(1, 2), (2, 3)], &[1, 2]),
        (&[(2, 3), (0, 1)], &[2, 0]),
    ];
    for (bounds, expected) in inside {
        let expected: ArrayRef = Arc::new(Int64Array::from(expected.to_vec()));
        assert_eq!(&elements(bounds).unwrap(), &expected, "{bounds:?}");
    }
    let outside: [Bounds; 4] = [&[(0, 4)], &[(3, 4)], &[(0, 1), (1, 4)], &[(2, 3), (0, 4)]];
    for bounds in outside {
        assert!(matches!(elements(bounds), Err(ScrubError::OutOfBounds)), "{bounds:?}");
    }
}
