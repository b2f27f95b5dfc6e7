//! What all requests of a node share.

use std::sync::Arc;

use meshgate_engine::Engine;
use meshgate_engine::reload::Reload;
use tokio::sync::{Semaphore, watch};

use crate::audit::AuditLog;
use crate::config::NodeLimits;
use crate::operator::OperatorFile;
use crate::request::PermitCheck;
use crate::state::State;

/// A running node, as its requests see it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) engine: Arc<Engine>,
    pub(crate) permits: PermitCheck,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) states: watch::Receiver<Arc<State>>,
    pub(crate) operator: Arc<OperatorFile>,
    pub(crate) slots: Arc<Semaphore>,
    /// Queries that clients read themselves.
    pub(crate) direct_slots: Arc<Semaphore>,
    pub(crate) limits: NodeLimits,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) reload: Reload,
    /// Counts of a candidate's rows; none if they are not configured.
    pub(crate) counts: Option<Arc<Semaphore>>,
    pub(crate) clock: Clock,
}

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    System,
    /// Always this one, in microseconds since the epoch.
    Stopped(i64),
}

impl Clock {
    /// Microseconds since the epoch.
    pub(crate) fn now(self) -> i64 {
        match self {
            Self::System => now(),
            Self::Stopped(instant) => instant,
        }
    }
}

/// How far a node is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    /// No new work; what runs may finish.
    Draining,
    /// What still runs ends now, in an error.
    Cut,
}

/// Microseconds since the epoch.
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
