//! Liveness and readiness over plain HTTP, for whatever supervises the process.
//! The answers name classes of trouble only: no table, no path, no rule. Those are in the log.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::readiness::{Readiness, Trouble};

/// Serves `/livez` and `/readyz` until it is dropped.
pub(crate) async fn serve(listener: TcpListener, readiness: Readiness) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "liveness and readiness are not answered any more");
    }
}

async fn ready(Shared(readiness): Shared<Readiness>) -> (StatusCode, Json<Value>) {
    let troubles: Vec<&str> = readiness.troubles().into_iter().map(Trouble::name).collect();
    let status = if troubles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": troubles.is_empty(), "problems": troubles })))
}
