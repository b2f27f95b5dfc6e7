//! Types that keep values apart from places: dictionaries and run ends. Only
//! values that a visible place uses stay, in the order of their first use.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, DictionaryArray, PrimitiveArray, RunArray, UInt64Array, make_array},
    buffer::NullBuffer,
    compute::{CastOptions, cast_with_options},
    datatypes::{
        ArrowDictionaryKeyType, DataType, FieldRef, Int8Type, Int16Type, Int32Type, Int64Type,
        RunEndIndexType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};

use super::{Rebuild, ScrubError, is_shown, wrong_type};

impl Rebuild {
    pub(super) fn dictionary(
        self,
        array: &ArrayRef,
        key_type: &DataType,
        value_type: &DataType,
        validity: Option<NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array.as_any_dictionary_opt().ok_or_else(|| wrong_type(array, value_type))?;
        if source.keys().data_type() != key_type {
            return Err(wrong_type(array, key_type));
        }
        let used = used_keys(source.keys(), validity.as_ref())?;
        let mut places = HashMap::new();
        let mut values = Vec::new();
        let keys: Vec<Option<u64>> = used
            .into_iter()
            .map(|key| {
                key.map(|key| {
                    *places.entry(key).or_insert_with(|| {
                        values.push(Some(key));
                        values.len() as u64 - 1
                    })
                })
            })
            .collect();
        let values = self.picked(source.values(), value_type, values)?;
        let keys = checked_cast(&UInt64Array::from(keys), key_type)?;
        match key_type {
            DataType::Int8 => with_keys::<Int8Type>(&keys, values),
            DataType::Int16 => with_keys::<Int16Type>(&keys, values),
            DataType::Int32 => with_keys::<Int32Type>(&keys, values),
            DataType::Int64 => with_keys::<Int64Type>(&keys, values),
            DataType::UInt8 => with_keys::<UInt8Type>(&keys, values),
            DataType::UInt16 => with_keys::<UInt16Type>(&keys, values),
            DataType::UInt32 => with_keys::<UInt32Type>(&keys, values),
            DataType::UInt64 => with_keys::<UInt64Type>(&keys, values),
            _ => Err(wrong_type(array, key_type)),
        }
    }

    pub(super) fn run_end_encoded(
        self,
        array: &ArrayRef,
        target: &DataType,
        run_ends: &FieldRef,
        values: &FieldRef,
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        match run_ends.data_type() {
            DataType::Int16 => self.runs::<Int16Type>(array, target, values, shown),
            DataType::Int32 => self.runs::<Int32Type>(array, target, values, shown),
            DataType::Int64 => self.runs::<Int64Type>(array, target, values, shown),
            _ => Err(wrong_type(array, target)),
        }
    }

    fn runs<R: RunEndIndexType>(
        self,
        array: &ArrayRef,
        target: &DataType,
        values: &FieldRef,
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ScrubError> {
        let source = array.as_run_opt::<R>().ok_or_else(|| wrong_type(array, target))?;
        let mut ends: Vec<u64> = Vec::new();
        let mut places: Vec<Option<u64>> = Vec::new();
        for place in 0..source.len() {
            let run = is_shown(shown, place).then(|| source.get_physical_index(place) as u64);
            let end = place as u64 + 1;
            match ends.last_mut() {
                Some(last) if places.last() == Some(&run) => *last = end,
                _ => {
                    ends.push(end);
                    places.push(run);
                }
            }
        }
        let kept = self.picked(source.values(), values.data_type(), places)?;
        let ends = checked_cast(&UInt64Array::from(ends), &R::DATA_TYPE)?;
        let ends: &PrimitiveArray<R> = ends.as_primitive_opt().ok_or(ScrubError::OutOfBounds)?;
        let rebuilt = RunArray::<R>::try_new(ends, &kept)?;
        // `try_new` names its fields itself; the target's names and nullability count.
        let data = rebuilt.into_data().into_builder().data_type(target.clone()).build()?;
        Ok(make_array(data))
    }
}

/// The key of each place; none for a hidden one.
fn used_keys(keys: &dyn Array, validity: Option<&NullBuffer>) -> Result<Vec<Option<u64>>, ScrubError> {
    // Keys under NULL may be anything: the cast leaves them out.
    let wide = arrow::compute::cast(keys, &DataType::UInt64)?;
    let wide = wide.as_primitive::<UInt64Type>().iter().enumerate();
    Ok(wide.map(|(place, key)| key.filter(|_| is_shown(validity, place))).collect())
}

fn with_keys<K: ArrowDictionaryKeyType>(keys: &ArrayRef, values: ArrayRef) -> Result<ArrayRef, ScrubError> {
    let keys: &PrimitiveArray<K> = keys.as_primitive_opt().ok_or(ScrubError::OutOfBounds)?;
    Ok(Arc::new(DictionaryArray::<K>::try_new(keys.clone(), values)?))
}

/// Never more keys or runs than before, so they fit; an error otherwise.
fn checked_cast(numbers: &UInt64Array, target: &DataType) -> Result<ArrayRef, ScrubError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok(cast_with_options(numbers, target, &options)?)
}
