//! What the operators of one query need while they run.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use meshgate_policies::Principal;

use super::{PermitIssuer, Told};
use crate::{mesh::Snapshot, status::GatewayError};

/// Lies in the session of one query as an extension.
#[derive(Debug)]
pub(crate) struct QueryContext {
    pub principal: Arc<Principal>,
    /// The mesh that the query was planned against.
    pub snapshot: Arc<Snapshot>,
    pub permits: Arc<PermitIssuer>,
    /// Longest time that a node may stay silent.
    pub idle_time: Duration,
    run: Mutex<Run>,
    failure: Mutex<Option<GatewayError>>,
    told: Mutex<Vec<Told>>,
}

/// What is not known when a query is planned.
#[derive(Debug)]
struct Run {
    query_id: String,
    deadline: Instant,
}

impl QueryContext {
    /// The context of a query that has not begun.
    pub(crate) fn new(
        query_id: String,
        principal: Arc<Principal>,
        snapshot: Arc<Snapshot>,
        permits: Arc<PermitIssuer>,
        deadline: Instant,
        idle_time: Duration,
    ) -> Self {
        let run = Mutex::new(Run { query_id, deadline });
        let (failure, told) = (Mutex::default(), Mutex::default());
        Self { principal, snapshot, permits, idle_time, run, failure, told }
    }

    /// What was planned by an earlier call runs as this query, until this deadline.
    pub(crate) fn run_as(&self, query_id: &str, deadline: Instant) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) =
            Run { query_id: query_id.to_owned(), deadline };
    }

    /// Names the query on both sides.
    pub(crate) fn query_id(&self) -> String {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).query_id.clone()
    }

    /// When the whole query must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).deadline
    }

    /// Keeps the first failure of a domain query: operators above wrap errors
    /// in ways that lose their type.
    pub(crate) fn fail(&self, error: &GatewayError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| error.clone());
    }

    /// Notes what a domain is told of another one's values.
    pub(crate) fn tell(&self, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// What domains were told of one another's values so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first failure of a domain query.
    pub(crate) fn failure(&self) -> Option<GatewayError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
