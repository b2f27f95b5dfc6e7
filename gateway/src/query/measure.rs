//! How much came of a domain query, for the explanation of a query that ran.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt, TryStreamExt, stream};

use crate::edge;

/// What came so far.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    rows: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Measure {
    /// The same batches, which are counted from the first poll to the end.
    pub(super) fn over<E>(
        measure: Arc<Self>,
        batches: impl Stream<Item = Result<RecordBatch, E>>,
    ) -> impl Stream<Item = Result<RecordBatch, E>> {
        stream::once(async move {
            let running = Running { measure, since: Instant::now() };
            batches.inspect_ok(move |batch| running.add(batch))
        })
        .flatten()
    }

    /// Rows that the domain gave.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes of their arrays.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// From when the domain was asked until the last row was taken.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

struct Running {
    measure: Arc<Measure>,
    since: Instant,
}

impl Running {
    fn add(&self, batch: &RecordBatch) {
        let add = |counter: &AtomicU64, number: usize| counter.fetch_add(number as u64, Ordering::Relaxed);
        add(&self.measure.rows, batch.num_rows());
        add(&self.measure.bytes, edge::size(batch));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let elapsed = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.measure.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
    }
}
