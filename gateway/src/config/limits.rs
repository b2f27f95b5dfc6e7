//! The bounds of the gateway, and how amounts are read.

use std::time::Duration;

use meshgate_policies::yaml::{Reader, UnknownKeys, units};

/// Bounds of the gateway; each has a finite default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest time of a query, from its start to the last byte sent.
    pub query_time: Duration,
    /// Longest time that a result may wait for its reader.
    pub idle_time: Duration,
    /// Most rows of a result.
    pub result_rows: u64,
    /// Most bytes of a result, as Arrow arrays.
    pub result_bytes: u64,
    /// Memory of all queries together.
    pub memory: usize,
    /// Memory of one query.
    pub query_memory: usize,
    /// Disk that all queries together may use when memory does not suffice.
    pub spill: u64,
    /// Queries of all principals at the same time.
    pub queries: usize,
    /// Queries of one principal at the same time.
    pub per_principal: usize,
    /// Longest SQL text.
    pub statement_bytes: usize,
    /// How long a ticket or prepared handle can be used.
    pub ticket_time: Duration,
    /// How long a session lasts that is not used.
    pub session_time: Duration,
    /// How long a result goes on that would not be decided in the same way any more.
    pub revocation_time: Duration,
    /// How long running queries may go on after the gateway was told to stop.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_time: Duration::from_secs(600),
            idle_time: Duration::from_secs(120),
            result_rows: 50_000_000,
            result_bytes: 16 << 30,
            memory: 2 << 30,
            query_memory: 512 << 20,
            spill: 10 << 30,
            queries: 64,
            per_principal: 8,
            statement_bytes: 64 << 10,
            ticket_time: Duration::from_secs(600),
            session_time: Duration::from_secs(12 * 3600),
            revocation_time: Duration::from_secs(10),
            shutdown_time: Duration::from_secs(10),
        }
    }
}

/// Reads the section `limits`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    if !reader.has("limits") {
        return limits;
    }
    let Some(mut section) = reader.mapping("limits") else {
        return limits;
    };
    set(&mut limits.query_time, duration(&mut section, "query_time"));
    set(&mut limits.idle_time, duration(&mut section, "idle_time"));
    set(&mut limits.result_rows, count(&mut section, "result_rows"));
    set(&mut limits.result_bytes, bytes(&mut section, "result_bytes"));
    set(&mut limits.memory, size(&mut section, "memory"));
    let query_memory = size(&mut section, "query_memory");
    limits.query_memory = query_memory.unwrap_or(limits.query_memory.min(limits.memory));
    set(&mut limits.spill, bytes(&mut section, "spill"));
    set(&mut limits.queries, count(&mut section, "queries"));
    set(&mut limits.per_principal, count(&mut section, "per_principal"));
    set(&mut limits.statement_bytes, size(&mut section, "statement_bytes"));
    set(&mut limits.ticket_time, duration(&mut section, "ticket_time"));
    set(&mut limits.session_time, duration(&mut section, "session_time"));
    set(&mut limits.revocation_time, duration(&mut section, "revocation_time"));
    set(&mut limits.shutdown_time, duration(&mut section, "shutdown_time"));
    if limits.query_memory > limits.memory {
        let line = section.line_of("query_memory");
        section.error(line, "`query_memory` is larger than `memory`", None);
    }
    section.finish(UnknownKeys::Error);
    limits
}

fn set<T>(limit: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *limit = value;
    }
}

pub(super) fn duration(reader: &mut Reader<'_, '_>, key: &str) -> Option<Duration> {
    quantity(reader, key, "a time such as `30s`, `10m` or `2h`", |text| {
        units::duration(text).filter(|time| !time.is_zero())
    })
}

fn bytes(reader: &mut Reader<'_, '_>, key: &str) -> Option<u64> {
    quantity(reader, key, "a size such as `64KiB`, `512MiB` or `2GiB`", |text| {
        units::bytes(text).filter(|bytes| *bytes > 0)
    })
}

pub(super) fn size(reader: &mut Reader<'_, '_>, key: &str) -> Option<usize> {
    bytes(reader, key).and_then(|bytes| usize::try_from(bytes).ok())
}

fn count<T: TryFrom<u64>>(reader: &mut Reader<'_, '_>, key: &str) -> Option<T> {
    quantity(reader, key, "a number larger than 0", |text| {
        units::count(text).filter(|count| *count > 0).and_then(|count| T::try_from(count).ok())
    })
}

fn quantity<T>(
    reader: &mut Reader<'_, '_>,
    key: &str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = reader.text(key)?;
    let value = parse(&text);
    if value.is_none() {
        let line = reader.line_of(key);
        reader.error(line, format!("`{key}`: `{text}` cannot be used"), Some(format!("write {expected}")));
    }
    value
}
