//! `/livez` and `/readyz` for whatever watches the gateway.
//!
//! A listener of its own, without authentication: it tells counts and classes,
//! never a principal, a domain's name, a table or a path. What exactly is wrong
//! is in the log.

use std::{collections::BTreeMap, future::Future, io, sync::Arc};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;

/// What keeps the gateway from being ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReadinessProblem {
    /// No node of a domain answers.
    DomainUnavailable,
    /// A domain denies everything because its policies cannot be read.
    PolicyUnreadable,
    /// mesh.yaml cannot be used: the last good one is, or everything is denied.
    MeshYaml,
    /// A domain's file is broken; the last good ones are in use.
    ConfigurationBroken,
    /// A key set is broken; its last good keys are in use.
    KeySetBroken,
    /// The audit log cannot be written; queries are refused.
    AuditUnwritable,
    /// The gateway was told to stop.
    Stopping,
}

/// State of the gateway as `/readyz` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub domains_total: usize,
    pub domains_ready: usize,
    /// How often each problem is there.
    pub problems: BTreeMap<ReadinessProblem, usize>,
}

/// Asked at every `/readyz`; must be cheap.
pub(crate) type ReadinessProbe = Arc<dyn Fn() -> Readiness + Send + Sync>;

#[derive(Serialize)]
struct Body {
    ready: bool,
    domains: Domains,
    problems: BTreeMap<ReadinessProblem, usize>,
}

#[derive(Serialize)]
struct Domains {
    ready: usize,
    total: usize,
}

/// Serves until `shutdown` completes.
pub(crate) async fn serve(
    listener: TcpListener,
    probe: ReadinessProbe,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .with_state(probe);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn readiness(State(probe): State<ReadinessProbe>) -> impl IntoResponse {
    let Readiness { domains_total, domains_ready, problems } = probe();
    let ready = problems.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let domains = Domains { ready: domains_ready, total: domains_total };
    (status, Json(Body { ready, domains, problems }))
}

#[cfg(test)]
mod tests;
