//! Memory of permits that were used: each is good for one query.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Permits remembered at a time; a minute's worth at 10,000 queries a second.
const REMEMBERED: usize = 600_000;

/// Bytes of a permit's id.
pub(crate) const ID_BYTES: usize = 16;

type PermitId = [u8; ID_BYTES];

/// The ids of permits that were used and have not expired.
#[derive(Debug)]
pub(crate) struct UsedPermits {
    memory: Mutex<Memory>,
    capacity: usize,
}

#[derive(Debug)]
struct Memory {
    ids: HashSet<PermitId>,
    by_expiry: BTreeMap<i64, Vec<PermitId>>,
    /// Ids of permits that expire up to here may have been forgotten. Refusing
    /// those permits keeps a clock that jumps back from opening a replay.
    forgotten_until: i64,
}

/// Why a permit cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It was used before, or may have been.
    Used,
    /// No room: forgetting a permit that is still valid would open a replay.
    Full,
}

impl UsedPermits {
    pub(crate) fn new() -> Self {
        Self::with_capacity(REMEMBERED)
    }

    fn with_capacity(capacity: usize) -> Self {
        let memory = Memory { ids: HashSet::new(), by_expiry: BTreeMap::new(), forgotten_until: i64::MIN };
        Self { memory: Mutex::new(memory), capacity }
    }

    /// Marks the permit as used. Times are microseconds since the epoch; after
    /// `expires_at` the permit is refused for its age by the caller.
    pub(crate) fn consume(&self, id: PermitId, expires_at: i64, now: i64) -> Result<(), Unusable> {
        // A panic while the lock was held cannot leave an id out that was promised: it is
        // inserted last.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget_expired(now);
        if expires_at <= memory.forgotten_until || memory.ids.contains(&id) {
            return Err(Unusable::Used);
        }
        if memory.ids.len() >= self.capacity {
            return Err(Unusable::Full);
        }
        memory.by_expiry.entry(expires_at).or_default().push(id);
        memory.ids.insert(id);
        Ok(())
    }
}

impl Memory {
    fn forget_expired(&mut self, now: i64) {
        while let Some(entry) = self.by_expiry.first_entry() {
            if *entry.key() >= now {
                break;
            }
            self.forgotten_until = self.forgotten_until.max(*entry.key());
            for id in entry.remove() {
                self.ids.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> PermitId {
        [number; ID_BYTES]
    }

    #[test]
    fn a_permit_is_good_for_one_query() {
        let used = UsedPermits::new();
        assert_eq!(used.consume(id(1), 100, 50), Ok(()));
        assert_eq!(used.consume(id(2), 100, 50), Ok(()));
        assert_eq!(used.consume(id(1), 100, 50), Err(Unusable::Used));
        assert_eq!(used.consume(id(1), 100, 100), Err(Unusable::Used));
    }

    #[test]
    fn expired_permits_make_room_and_stay_refused_when_the_clock_jumps_back() {
        let used = UsedPermits::with_capacity(1);
        assert_eq!(used.consume(id(1), 100, 50), Ok(()));
        assert_eq!(used.consume(id(2), 200, 60), Err(Unusable::Full));
        assert_eq!(used.consume(id(2), 200, 101), Ok(()));
        assert_eq!(used.consume(id(1), 100, 50), Err(Unusable::Used));
    }
}
