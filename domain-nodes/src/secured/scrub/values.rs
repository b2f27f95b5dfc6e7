//! Types without children: each place holds one value.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeBinaryBuilder, GenericByteArray,
        OffsetSizeTrait, PrimitiveArray, builder::GenericByteViewBuilder, downcast_primitive,
    },
    buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{
        ArrowNativeType, BinaryType, BinaryViewType, ByteArrayType, ByteViewType, DataType, LargeBinaryType,
        LargeUtf8Type, StringViewType, Utf8Type,
    },
};

use super::{ScrubError, is_shown, wrong_type};

/// `array` has the type `target`, which has no children.
pub(super) fn rebuild(
    array: &ArrayRef,
    target: &DataType,
    validity: Option<NullBuffer>,
) -> Result<ArrayRef, ScrubError> {
    macro_rules! rebuild_primitive {
        ($native:ty) => {
            primitive::<$native>(array, target, validity)
        };
    }
    downcast_primitive! {
        target => (rebuild_primitive),
        DataType::Boolean => boolean(array, target, validity),
        DataType::Utf8 => bytes::<Utf8Type>(array, target, validity),
        DataType::LargeUtf8 => bytes::<LargeUtf8Type>(array, target, validity),
        DataType::Binary => bytes::<BinaryType>(array, target, validity),
        DataType::LargeBinary => bytes::<LargeBinaryType>(array, target, validity),
        DataType::Utf8View => view::<StringViewType>(array, target, validity.as_ref()),
        DataType::BinaryView => view::<BinaryViewType>(array, target, validity.as_ref()),
        DataType::FixedSizeBinary(size) => fixed_size(array, target, *size, validity.as_ref()),
        _ => Err(wrong_type(array, target)),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    target: &DataType,
    validity: Option<NullBuffer>,
) -> Result<ArrayRef, ScrubError> {
    let source = array.as_primitive_opt::<T>().ok_or_else(|| wrong_type(array, target))?;
    let values: Vec<T::Native> = match &validity {
        // The buffer is cut to the places, so each of its bytes is shown. Bits of a validity may be foreign.
        None if source.nulls().is_none() && array.data_type() == target => return Ok(Arc::clone(array)),
        None => source.values().to_vec(),
        Some(validity) => source
            .values()
            .iter()
            .zip(validity.iter())
            .map(|(value, valid)| if valid { *value } else { T::Native::default() })
            .collect(),
    };
    let rebuilt = PrimitiveArray::<T>::try_new(ScalarBuffer::from(values), validity)?;
    Ok(Arc::new(rebuilt.with_data_type(target.clone())))
}

fn boolean(
    array: &ArrayRef,
    target: &DataType,
    validity: Option<NullBuffer>,
) -> Result<ArrayRef, ScrubError> {
    let source = array.as_boolean_opt().ok_or_else(|| wrong_type(array, target))?;
    let values = BooleanBuffer::collect_bool(source.len(), |place| {
        is_shown(validity.as_ref(), place) && source.values().value(place)
    });
    Ok(Arc::new(BooleanArray::new(values, validity)))
}

fn bytes<T: ByteArrayType>(
    array: &ArrayRef,
    target: &DataType,
    validity: Option<NullBuffer>,
) -> Result<ArrayRef, ScrubError> {
    let source = array.as_bytes_opt::<T>().ok_or_else(|| wrong_type(array, target))?;
    let Some(shown) = &validity else {
        return whole_bytes(source);
    };
    let mut offsets = Vec::with_capacity(source.len() + 1);
    let mut values: Vec<u8> = Vec::new();
    offsets.push(T::Offset::default());
    for place in 0..source.len() {
        if shown.is_valid(place) {
            values.extend_from_slice(source.value(place).as_ref());
        }
        offsets.push(T::Offset::from_usize(values.len()).ok_or(ScrubError::OutOfBounds)?);
    }
    let rebuilt = GenericByteArray::<T>::try_new(
        OffsetBuffer::new(ScalarBuffer::from(offsets)),
        values.into(),
        validity,
    )?;
    Ok(Arc::new(rebuilt))
}

/// Everything between the first and the last offset is shown.
fn whole_bytes<T: ByteArrayType>(source: &GenericByteArray<T>) -> Result<ArrayRef, ScrubError> {
    let offsets = source.value_offsets();
    let first = offsets.first().copied().unwrap_or_default();
    let last = offsets.last().copied().unwrap_or_default();
    if first.as_usize() == 0 && last.as_usize() == source.value_data().len() && source.nulls().is_none() {
        return Ok(Arc::new(source.clone()));
    }
    let values = source.value_data().get(first.as_usize()..last.as_usize());
    let values = values.ok_or(ScrubError::OutOfBounds)?.to_vec();
    let offsets: Vec<T::Offset> = offsets.iter().map(|offset| *offset - first).collect();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, values.into(), None)?))
}

fn view<T: ByteViewType>(
    array: &ArrayRef,
    target: &DataType,
    validity: Option<&NullBuffer>,
) -> Result<ArrayRef, ScrubError> {
    let source = array.as_byte_view_opt::<T>().ok_or_else(|| wrong_type(array, target))?;
    let mut builder = GenericByteViewBuilder::<T>::with_capacity(source.len());
    for place in 0..source.len() {
        if is_shown(validity, place) {
            builder.append_value(source.value(place));
        } else {
            builder.append_null();
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn fixed_size(
    array: &ArrayRef,
    target: &DataType,
    size: i32,
    validity: Option<&NullBuffer>,
) -> Result<ArrayRef, ScrubError> {
    let source = array.as_fixed_size_binary_opt().ok_or_else(|| wrong_type(array, target))?;
    let mut builder = FixedSizeBinaryBuilder::with_capacity(source.len(), size);
    for place in 0..source.len() {
        if is_shown(validity, place) {
            builder.append_value(source.value(place))?;
        } else {
            builder.append_null();
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Offsets that start at zero, for lists whose lengths are given.
pub(super) fn offsets<O: OffsetSizeTrait>(
    lengths: impl Iterator<Item = usize>,
) -> Result<OffsetBuffer<O>, ScrubError> {
    let mut total = 0_usize;
    let mut offsets = vec![O::zero()];
    for length in lengths {
        total = total.checked_add(length).ok_or(ScrubError::OutOfBounds)?;
        offsets.push(O::from_usize(total).ok_or(ScrubError::OutOfBounds)?);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}
