//! What the operators of one query need while they run.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use meshgate_policies::Principal;

use super::PermitIssuer;
use crate::{mesh::Snapshot, status::GatewayError};

/// Lies in the session of one query as an extension.
#[derive(Debug)]
pub struct QueryContext {
    pub query_id: String,
    pub principal: Arc<Principal>,
    /// The mesh that the query was planned against.
    pub snapshot: Arc<Snapshot>,
    pub permits: Arc<PermitIssuer>,
    /// When the whole query must have ended.
    pub deadline: Instant,
    /// Longest time that a node may stay silent.
    pub idle_time: Duration,
    /// What came from the domains.
    pub traffic: Traffic,
    failure: Mutex<Option<GatewayError>>,
}

/// Rows and bytes that domains sent.
#[derive(Debug, Default)]
pub struct Traffic {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Counts a batch.
    pub fn add(&self, rows: usize, bytes: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Rows and bytes so far.
    pub fn total(&self) -> (u64, u64) {
        (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl QueryContext {
    /// The context of a query that has not begun.
    pub fn new(
        query_id: String,
        principal: Arc<Principal>,
        snapshot: Arc<Snapshot>,
        permits: Arc<PermitIssuer>,
        deadline: Instant,
        idle_time: Duration,
    ) -> Self {
        let (traffic, failure) = (Traffic::default(), Mutex::default());
        Self { query_id, principal, snapshot, permits, deadline, idle_time, traffic, failure }
    }

    /// Keeps the first failure of a domain query: operators above wrap errors
    /// in ways that lose their type.
    pub fn fail(&self, error: &GatewayError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| error.clone());
    }

    /// The first failure of a domain query.
    pub fn failure(&self) -> Option<GatewayError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
