//! Types with children: lists, structs, maps, unions. Elements of hidden
//! lists are left out, children of hidden structs become NULL.

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, GenericListViewArray, MapArray,
        OffsetSizeTrait, StructArray, UInt64Array, UnionArray,
    },
    buffer::{BooleanBuffer, NullBuffer, ScalarBuffer},
    compute::take,
    datatypes::{DataType, Field, FieldRef, Fields, UnionFields, UnionMode},
};

use super::{Rebuild, ScrubError, compact, is_shown, same_name, values::offsets, wrong_type};

impl Rebuild {
    pub(super) fn list<O: OffsetSizeTrait>(
        self,
        array: &ArrayRef,
        item: &FieldRef,
        validity: Option<NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array.as_list_opt::<O>().ok_or_else(|| wrong_type(array, item.data_type()))?;
        let ranges = list_ranges(source.value_offsets(), validity.as_ref());
        let elements = self.elements(source.values(), item, &ranges)?;
        let offsets = offsets::<O>(ranges.iter().map(ExactSizeIterator::len))?;
        let list = GenericListArray::<O>::try_new(Arc::clone(item), offsets, elements, validity)?;
        Ok(Arc::new(list))
    }

    pub(super) fn list_view<O: OffsetSizeTrait>(
        self,
        array: &ArrayRef,
        item: &FieldRef,
        validity: Option<NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array.as_list_view_opt::<O>().ok_or_else(|| wrong_type(array, item.data_type()))?;
        let ranges: Vec<Range<usize>> = source
            .offsets()
            .iter()
            .zip(source.sizes().iter())
            .enumerate()
            .map(|(place, (offset, size))| {
                let (start, length) = (offset.as_usize(), size.as_usize());
                start..if is_shown(validity.as_ref(), place) { start + length } else { start }
            })
            .collect();
        let elements = self.elements(source.values(), item, &ranges)?;
        let (starts, sizes) = consecutive::<O>(&ranges)?;
        let list = GenericListViewArray::<O>::try_new(
            Arc::clone(item),
            starts.into(),
            sizes.into(),
            elements,
            validity,
        )?;
        Ok(Arc::new(list))
    }

    pub(super) fn map(
        self,
        array: &ArrayRef,
        entries: &FieldRef,
        ordered: bool,
        validity: Option<NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array.as_map_opt().ok_or_else(|| wrong_type(array, entries.data_type()))?;
        let ranges = list_ranges(source.value_offsets(), validity.as_ref());
        let pairs: ArrayRef = Arc::new(source.entries().clone());
        let pairs = self.elements(&pairs, entries, &ranges)?;
        let pairs = pairs.as_struct_opt().ok_or(ScrubError::OutOfBounds)?.clone();
        let offsets = offsets::<i32>(ranges.iter().map(ExactSizeIterator::len))?;
        let map = MapArray::try_new(Arc::clone(entries), offsets, pairs, validity, ordered)?;
        Ok(Arc::new(map))
    }

    pub(super) fn fixed_size_list(
        self,
        array: &ArrayRef,
        item: &FieldRef,
        size: i32,
        validity: Option<NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array
            .as_fixed_size_list_opt()
            .filter(|source| source.value_length() == size)
            .ok_or_else(|| wrong_type(array, item.data_type()))?;
        let width = usize::try_from(size).map_err(|_| ScrubError::OutOfBounds)?;
        let shown = validity.as_ref().map(|validity| validity.expand(width));
        let elements = self.array(source.values(), item.data_type(), shown.as_ref())?;
        let list = FixedSizeListArray::try_new_with_length(
            Arc::clone(item),
            size,
            elements,
            validity,
            source.len(),
        )?;
        Ok(Arc::new(list))
    }

    pub(super) fn structure(
        self,
        array: &ArrayRef,
        fields: &Fields,
        validity: Option<NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array
            .as_struct_opt()
            .filter(|source| source.num_columns() == fields.len())
            .ok_or_else(|| wrong_type(array, &DataType::Struct(fields.clone())))?;
        let mut children = Vec::with_capacity(fields.len());
        for ((child, found), field) in source.columns().iter().zip(source.fields()).zip(fields) {
            same_name(found, field)?;
            children.push(self.array(child, field.data_type(), validity.as_ref())?);
        }
        let structure = StructArray::try_new_with_length(fields.clone(), children, validity, source.len())?;
        Ok(Arc::new(structure))
    }

    /// A union has no validity of its own. A hidden place becomes the first
    /// variant, NULL in it.
    pub(super) fn union(
        self,
        array: &ArrayRef,
        fields: &UnionFields,
        mode: UnionMode,
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array
            .as_union_opt()
            .filter(|source| has_variants(source, fields, mode))
            .ok_or_else(|| wrong_type(array, &DataType::Union(fields.clone(), mode)))?;
        let Some((first, _)) = fields.iter().next() else {
            return Err(ScrubError::OutOfBounds);
        };
        let variants: Vec<i8> = (0..source.len())
            .map(|place| if is_shown(shown, place) { source.type_id(place) } else { first })
            .collect();
        let mut children = Vec::with_capacity(fields.len());
        for (variant, field) in fields.iter() {
            let child = source.child(variant);
            children.push(match mode {
                UnionMode::Sparse => self.sparse_variant(child, field, variant, &variants, shown)?,
                UnionMode::Dense => self.dense_variant(source, field, variant, &variants, shown)?,
            });
        }
        let starts = matches!(mode, UnionMode::Dense)
            .then(|| dense_offsets(&variants))
            .transpose()?
            .map(ScalarBuffer::from);
        let union = UnionArray::try_new(fields.clone(), ScalarBuffer::from(variants), starts, children)?;
        Ok(Arc::new(union))
    }

    fn sparse_variant(
        self,
        child: &ArrayRef,
        field: &Field,
        variant: i8,
        variants: &[i8],
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let own: Vec<bool> = variants
            .iter()
            .enumerate()
            .map(|(place, found)| *found == variant && is_shown(shown, place))
            .collect();
        let own = NullBuffer::new(BooleanBuffer::from(own));
        self.array(child, field.data_type(), Some(&own))
    }

    fn dense_variant(
        self,
        source: &UnionArray,
        field: &Field,
        variant: i8,
        variants: &[i8],
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let places: Vec<Option<u64>> = variants
            .iter()
            .enumerate()
            .filter(|(_, found)| **found == variant)
            .map(|(place, _)| is_shown(shown, place).then(|| source.value_offset(place) as u64))
            .collect();
        self.picked(source.child(variant), field.data_type(), places)
    }

    /// The values at `places`, NULL where there is none.
    pub(super) fn picked(
        self,
        values: &ArrayRef,
        target: &DataType,
        places: Vec<Option<u64>>,
    ) -> Result<ArrayRef, ScrubError> {
        let places = UInt64Array::from(places);
        check_bounds(&places, values.len())?;
        let picked = take(values, &places, None)?;
        let shown = places.nulls().and_then(compact);
        self.array(&picked, target, shown.as_ref())
    }

    /// The elements of all `ranges`, one after the other.
    fn elements(
        self,
        values: &ArrayRef,
        item: &Field,
        ranges: &[Range<usize>],
    ) -> Result<ArrayRef, ScrubError> {
        let kept = match contiguous(ranges) {
            Some(range) if range.end <= values.len() => values.slice(range.start, range.len()),
            _ => {
                let places: UInt64Array =
                    ranges.iter().cloned().flatten().map(|place| place as u64).collect();
                check_bounds(&places, values.len())?;
                take(values, &places, None)?
            }
        };
        self.array(&kept, item.data_type(), None)
    }
}

/// Where the elements of each list lie; nothing for a hidden list.
fn list_ranges<O: OffsetSizeTrait>(offsets: &[O], validity: Option<&NullBuffer>) -> Vec<Range<usize>> {
    offsets
        .iter()
        .zip(offsets.iter().skip(1))
        .enumerate()
        .map(|(place, (start, end))| {
            let start = start.as_usize();
            start..if is_shown(validity, place) { end.as_usize() } else { start }
        })
        .collect()
}

/// The one range that all of them make up, if they do.
fn contiguous(ranges: &[Range<usize>]) -> Option<Range<usize>> {
    let mut filled = ranges.iter().filter(|range| !range.is_empty());
    let Some(first) = filled.next() else {
        return Some(0..0);
    };
    let mut whole = first.clone();
    for range in filled {
        if range.start != whole.end {
            return None;
        }
        whole.end = range.end;
    }
    Some(whole)
}

type Starts<O> = (Vec<O>, Vec<O>);

fn consecutive<O: OffsetSizeTrait>(ranges: &[Range<usize>]) -> Result<Starts<O>, ScrubError> {
    let offsets = offsets::<O>(ranges.iter().map(ExactSizeIterator::len))?;
    let starts = offsets.iter().take(ranges.len()).copied().collect();
    let sizes = offsets.lengths().map(O::usize_as).collect();
    Ok((starts, sizes))
}

fn check_bounds(places: &UInt64Array, length: usize) -> Result<(), ScrubError> {
    let inside = places.iter().flatten().all(|place| place < length as u64);
    if inside { Ok(()) } else { Err(ScrubError::OutOfBounds) }
}

fn has_variants(source: &UnionArray, fields: &UnionFields, mode: UnionMode) -> bool {
    let DataType::Union(found, found_mode) = source.data_type() else {
        return false;
    };
    *found_mode == mode
        && found.len() == fields.len()
        && found
            .iter()
            .zip(fields.iter())
            .all(|((found_id, found), (id, field))| found_id == id && found.name() == field.name())
}

/// Each variant's values stand in the order of the places that use them.
fn dense_offsets(variants: &[i8]) -> Result<Vec<i32>, ScrubError> {
    let mut used = std::collections::HashMap::<i8, i32>::new();
    variants
        .iter()
        .map(|variant| {
            let count = used.entry(*variant).or_default();
            let offset = *count;
            *count = count.checked_add(1).ok_or(ScrubError::OutOfBounds)?;
            Ok(offset)
        })
        .collect()
}
