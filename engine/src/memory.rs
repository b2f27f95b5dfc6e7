//! Memory of queries: each draws from its own pool up to its cap, and through
//! it from the pool of all.
//!
//! Both levels share fairly among operators that can spill, so that one of
//! them spills instead of making another one fail.

use std::fmt;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::common::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What operators are told when their query's cap is reached. They look at
/// the error's kind to decide whether to spill, so it has to be the engine's own.
pub(crate) const QUERY_MEMORY_REACHED: &str = "the memory of this query is used up";
/// The same for the memory of all queries.
pub(crate) const MEMORY_REACHED: &str = "the memory of all queries is used up";

/// One query's share of the memory of all.
#[derive(Debug)]
pub(crate) struct QueryPool {
    own: FairSpillPool,
    cap: usize,
    all: Arc<dyn MemoryPool>,
}

impl QueryPool {
    pub(crate) fn new(cap: usize, all: Arc<dyn MemoryPool>) -> Self {
        Self { own: FairSpillPool::new(cap), cap, all }
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own
            .try_grow(reservation, additional)
            .map_err(|_| DataFusionError::ResourcesExhausted(QUERY_MEMORY_REACHED.into()))?;
        self.all.try_grow(reservation, additional).map_err(|_| {
            self.own.shrink(reservation, additional);
            DataFusionError::ResourcesExhausted(MEMORY_REACHED.into())
        })
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.cap)
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {} bytes)", self.reserved(), self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(all: usize, caps: [usize; 2]) -> (Arc<dyn MemoryPool>, [Arc<dyn MemoryPool>; 2]) {
        let all: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(all));
        let queries = caps.map(|cap| Arc::new(QueryPool::new(cap, Arc::clone(&all))) as _);
        (all, queries)
    }

    fn refusal(result: Result<()>) -> String {
        match result {
            Err(DataFusionError::ResourcesExhausted(text)) => text,
            other => panic!("a limit, not {other:?}"),
        }
    }

    #[test]
    fn no_query_takes_more_than_its_cap() {
        let (all, [first, second]) = pools(1_000, [300, 500]);
        let one = MemoryConsumer::new("one").register(&first);
        let two = MemoryConsumer::new("two").register(&second);
        one.try_grow(300).unwrap();
        assert_eq!(refusal(one.try_grow(1)), QUERY_MEMORY_REACHED);
        two.try_grow(500).unwrap();
        assert_eq!(refusal(two.try_grow(1)), QUERY_MEMORY_REACHED);
        assert_eq!((first.reserved(), second.reserved(), all.reserved()), (300, 500, 800));
        drop((one, two));
        assert_eq!((first.reserved(), second.reserved(), all.reserved()), (0, 0, 0));
    }

    #[test]
    fn all_queries_together_take_no_more_than_there_is() {
        let (all, [first, second]) = pools(600, [400, 400]);
        let one = MemoryConsumer::new("one").register(&first);
        let two = MemoryConsumer::new("two").register(&second);
        one.try_grow(400).unwrap();
        assert_eq!(refusal(two.try_grow(201)), MEMORY_REACHED);
        // What was refused above is not counted in the query either.
        assert_eq!((second.reserved(), all.reserved()), (0, 400));
        two.try_grow(200).unwrap();
        one.shrink(100);
        two.try_grow(100).unwrap();
        assert_eq!(all.reserved(), 600);
    }

    #[test]
    fn operators_that_can_spill_share_a_query_fairly() {
        let (_, [query, _]) = pools(1_000, [100, 100]);
        let spillable = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&query);
        let (sort, aggregate) = (spillable("sort"), spillable("aggregate"));
        assert_eq!(refusal(sort.try_grow(51)), QUERY_MEMORY_REACHED);
        sort.try_grow(50).unwrap();
        aggregate.try_grow(50).unwrap();
    }
}
