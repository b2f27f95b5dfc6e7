//! Bounds on what queries may use. Everything has a finite default.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

const MEBIBYTE: usize = 1024 * 1024;

/// Bounds of one engine: of all its queries together, and of each.
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// Bytes that all queries together may hold in operators.
    pub memory: usize,
    /// Bytes that one query may hold in operators.
    pub query_memory: usize,
    /// Where sorts, joins and aggregates put what does not fit; created if it is not there.
    pub spill_directory: PathBuf,
    /// Bytes that all queries together may put there.
    pub spill_bytes: u64,
    /// Threads that do engine work.
    pub threads: usize,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Longest time that a query may take, whatever its own deadline.
    pub query_time: Duration,
    /// Streams into which an operator may split its work.
    pub target_partitions: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            memory: 2048 * MEBIBYTE,
            query_memory: 512 * MEBIBYTE,
            spill_directory: std::env::temp_dir().join("meshgate-spill"),
            spill_bytes: 10 * 1024 * 1024 * 1024,
            threads,
            batch_size: 8192,
            query_time: Duration::from_secs(300),
            target_partitions: threads,
        }
    }
}
