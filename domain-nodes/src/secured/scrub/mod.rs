//! Arrays that leave a secured table, rebuilt from what is visible.
//!
//! An Arrow array can carry more bytes than it shows: values under NULLs
//! (`nullif` and `CASE` keep them), the rest of a buffer of which it is a
//! slice, view buffers of rows that a filter dropped, dictionary values that
//! no key uses. All of them would travel in a Flight message. [`rebuild`]
//! copies what is visible into buffers of its own; hidden places hold zeros.
//!
//! This is no check of policy: what is visible was decided below.

mod encoded;
mod nested;
mod values;

use arrow::{
    array::{Array, ArrayRef, NullArray},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::{DataType, Field},
    error::ArrowError,
};

/// Why an array could not be rebuilt. Never holds a value of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScrubError {
    #[error("expected values of type {expected}, found {found}")]
    WrongType { expected: String, found: String },
    /// Arrow found the parts inconsistent; a NULL in a required nested field is one case.
    #[error("inconsistent values: {0}")]
    Inconsistent(#[from] ArrowError),
    #[error("offsets or keys outside of the values they point to")]
    OutOfBounds,
    #[error("values nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

/// Deeper types are refused: the walk below is recursive.
const MAX_DEPTH: usize = 64;

/// The array with the type `target`, whose buffers hold nothing but visible
/// values. `target` may differ from the array's own type in nullability and
/// metadata of nested fields only.
pub(super) fn rebuild(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, ScrubError> {
    Rebuild { depth: 0 }.array(array, target, None)
}

/// One level of the walk.
#[derive(Clone, Copy)]
struct Rebuild {
    depth: usize,
}

impl Rebuild {
    fn deeper(self) -> Result<Self, ScrubError> {
        if self.depth >= MAX_DEPTH {
            return Err(ScrubError::TooDeep);
        }
        Ok(Self { depth: self.depth + 1 })
    }

    /// `shown`: the places that the parent shows; `None` is all of them.
    /// Other places become NULL.
    fn array(
        self,
        array: &ArrayRef,
        target: &DataType,
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let next = self.deeper()?;
        let validity = valid_and_shown(array, shown);
        // Every type is named: a new one must not pass unseen.
        match target {
            DataType::Null => {
                same_type(array, target)?;
                Ok(std::sync::Arc::new(NullArray::new(array.len())))
            }
            DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float16
            | DataType::Float32
            | DataType::Float64
            | DataType::Timestamp(_, _)
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Duration(_)
            | DataType::Interval(_)
            | DataType::Decimal32(_, _)
            | DataType::Decimal64(_, _)
            | DataType::Decimal128(_, _)
            | DataType::Decimal256(_, _)
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View => {
                same_type(array, target)?;
                values::rebuild(array, target, validity)
            }
            DataType::List(item) => next.list::<i32>(array, item, validity),
            DataType::LargeList(item) => next.list::<i64>(array, item, validity),
            DataType::ListView(item) => next.list_view::<i32>(array, item, validity),
            DataType::LargeListView(item) => next.list_view::<i64>(array, item, validity),
            DataType::FixedSizeList(item, size) => next.fixed_size_list(array, item, *size, validity),
            DataType::Struct(fields) => next.structure(array, fields, validity),
            DataType::Map(entries, ordered) => next.map(array, entries, *ordered, validity),
            DataType::Union(fields, mode) => next.union(array, fields, *mode, shown),
            DataType::Dictionary(keys, values) => next.dictionary(array, keys, values, validity),
            DataType::RunEndEncoded(run_ends, values) => {
                next.run_end_encoded(array, target, run_ends, values, shown)
            }
        }
    }
}

/// The places that are both valid and shown, in a buffer without foreign
/// bits; `None` if that is all of them.
fn valid_and_shown(array: &ArrayRef, shown: Option<&NullBuffer>) -> Option<NullBuffer> {
    let both = NullBuffer::union(array.nulls(), shown)?;
    compact(&both)
}

fn compact(nulls: &NullBuffer) -> Option<NullBuffer> {
    (nulls.null_count() > 0)
        .then(|| NullBuffer::new(BooleanBuffer::collect_bool(nulls.len(), |place| nulls.is_valid(place))))
}

fn is_shown(shown: Option<&NullBuffer>, place: usize) -> bool {
    shown.is_none_or(|shown| shown.is_valid(place))
}

fn same_type(array: &ArrayRef, target: &DataType) -> Result<(), ScrubError> {
    if array.data_type() == target { Ok(()) } else { Err(wrong_type(array, target)) }
}

fn same_name(found: &Field, expected: &Field) -> Result<(), ScrubError> {
    if found.name() == expected.name() {
        return Ok(());
    }
    Err(ScrubError::WrongType {
        expected: format!("a field {:?}", expected.name()),
        found: format!("a field {:?}", found.name()),
    })
}

fn wrong_type(array: &ArrayRef, target: &DataType) -> ScrubError {
    ScrubError::WrongType { expected: target.to_string(), found: array.data_type().to_string() }
}
