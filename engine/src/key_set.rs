//! The keys of a lookup, as a set that columns are held against.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, make_comparator};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::common::error::Result;
use datafusion::common::hash_utils::{RandomState, with_hashes};
use datafusion::common::{ScalarValue, exec_err, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use hashbrown::HashTable;

/// An immutable set of values of one type, and whether NULL was among them.
pub struct KeySet {
    keys: ArrayRef,
    /// Positions in `keys`.
    table: HashTable<u32>,
    hashes: RandomState,
    has_null: bool,
    _memory: MemoryReservation,
}

impl KeySet {
    /// The values of an array as a set, counted in `pool` for as long as it lives.
    pub fn try_new(keys: ArrayRef, pool: &Arc<dyn MemoryPool>) -> Result<Self> {
        if u32::try_from(keys.len()).is_err() {
            return exec_err!("too many keys");
        }
        let memory = MemoryConsumer::new("lookup").register(pool);
        // The table is at most seven eighths full, its sizes are powers of two.
        let slots = (keys.len() * 8 / 7 + 1).next_power_of_two();
        memory.try_grow(keys.get_array_memory_size() + slots * (size_of::<u32>() + 1))?;
        let hashes = RandomState::default();
        let table = table(&keys, &hashes)?;
        Ok(Self { has_null: keys.logical_null_count() > 0, keys, table, hashes, _memory: memory })
    }

    /// How many different values there are, NULL aside.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// No value but perhaps NULL.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Was NULL among the values?
    pub fn has_null(&self) -> bool {
        self.has_null
    }

    pub(crate) fn data_type(&self) -> &DataType {
        self.keys.data_type()
    }

    pub(crate) fn values(&self) -> Result<Vec<ScalarValue>> {
        self.table
            .iter()
            .map(|position| ScalarValue::try_from_array(self.keys.as_ref(), *position as usize))
            .collect()
    }

    /// Which values are keys. NULL for NULL, and for what is no key if NULL
    /// was among the keys.
    pub(crate) fn contains(&self, values: &dyn Array) -> Result<BooleanArray> {
        if values.data_type() != self.keys.data_type() {
            return internal_err!("values of another type than the keys");
        }
        let nulls = values.logical_nulls();
        let found = with_hashes([values], &self.hashes, |hashes| {
            let compare = make_comparator(values, self.keys.as_ref(), SortOptions::default())?;
            Ok(BooleanBuffer::collect_bool(values.len(), |row| {
                let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                let is_key = |position: &u32| compare(row, *position as usize).is_eq();
                valid && hashes.get(row).is_some_and(|hash| self.table.find(*hash, is_key).is_some())
            }))
        })?;
        let known = if self.has_null { Some(NullBuffer::new(found.clone())) } else { nulls };
        Ok(BooleanArray::new(found, known))
    }
}

fn table(keys: &ArrayRef, hashes: &RandomState) -> Result<HashTable<u32>> {
    let nulls = keys.logical_nulls();
    with_hashes([keys.as_ref()], hashes, |hashes| {
        let compare = make_comparator(keys.as_ref(), keys.as_ref(), SortOptions::default())?;
        let hash = |position: &u32| hashes.get(*position as usize).copied().unwrap_or_default();
        let mut table = HashTable::with_capacity(keys.len());
        for position in (0u32..).take(keys.len()) {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(position as usize)) {
                continue;
            }
            let same = |other: &u32| compare(*other as usize, position as usize).is_eq();
            if table.find(hash(&position), same).is_none() {
                table.insert_unique(hash(&position), position, hash);
            }
        }
        Ok(table)
    })
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The engine puts expressions into texts of plans and errors: no key.
        f.debug_struct("KeySet").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, UnboundedMemoryPool};

    use super::*;

    fn set(keys: impl Array + 'static) -> KeySet {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        KeySet::try_new(Arc::new(keys), &pool).unwrap()
    }

    fn contained(keys: impl Array + 'static, values: impl Array + 'static) -> Vec<Option<bool>> {
        set(keys).contains(&values).unwrap().iter().collect()
    }

    #[test]
    fn membership_is_three_valued() {
        let values = || Int64Array::from(vec![Some(1), Some(2), None]);
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(contained(Int64Array::from(vec![1, 3, 3]), values()), [yes, no, None]);
        assert_eq!(contained(Int64Array::from(vec![Some(1), None]), values()), [yes, None, None]);
        assert_eq!(contained(Int64Array::from(Vec::<i64>::new()), values()), [no, no, None]);
        assert_eq!(contained(Int64Array::from(vec![None::<i64>]), values()), [None; 3]);
    }

    #[test]
    fn keys_of_all_kinds() {
        let (yes, no) = (Some(true), Some(false));
        let texts = |texts: &[&str]| StringArray::from(texts.to_vec());
        assert_eq!(contained(texts(&["a", "", "ä"]), texts(&["ä", "A", ""])), [yes, no, yes]);
        let dates = |days: &[i32]| Date32Array::from(days.to_vec());
        assert_eq!(contained(dates(&[-1, 20_000]), dates(&[20_000, 0])), [yes, no]);
        let decimals =
            |values: &[i128]| Decimal128Array::from(values.to_vec()).with_precision_and_scale(12, 2).unwrap();
        assert_eq!(contained(decimals(&[100]), decimals(&[100, 1])), [yes, no]);
        // A slice of a longer array: only what is in it counts.
        let slice = Int64Array::from(vec![1, 2, 3, 4]).slice(1, 2);
        assert_eq!(contained(slice, Int64Array::from(vec![1, 2, 3, 4])), [no, yes, yes, no]);
        let error = set(Int64Array::from(vec![1])).contains(&Int32Array::from(vec![1])).unwrap_err();
        assert!(error.to_string().contains("another type"));
    }

    #[test]
    fn many_keys_are_all_found_and_no_others() {
        let keys = set(Int64Array::from_iter_values((0..100_000).map(|key| key * 3)));
        assert_eq!((keys.len(), keys.has_null(), keys.is_empty()), (100_000, false, false));
        let found = keys.contains(&Int64Array::from_iter_values(0..300_000)).unwrap();
        assert!(found.iter().enumerate().all(|(value, found)| found == Some(value % 3 == 0)));
    }

    #[test]
    fn a_set_counts_its_memory_and_shows_no_key() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let keys = |count: i64| Arc::new(Int64Array::from_iter_values(0..count));
        let small = KeySet::try_new(keys(10_000), &pool).unwrap();
        assert!(pool.reserved() >= 80_000);
        assert_eq!(format!("{small:?}"), "KeySet { .. }");
        KeySet::try_new(keys(200_000), &pool).unwrap_err();
        drop(small);
        assert_eq!(pool.reserved(), 0);
    }
}
