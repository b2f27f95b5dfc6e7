//! `meshgate.reload`: an administrator has the gateway and all nodes read
//! their files at once. For everybody else the action does not exist.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use meshgate_proto::{NOT_ALL_GOOD, RELOAD_ACTION, RELOADED};
use serde_json::{Map, Value, json};

use super::{authenticate::Caller, record::QueryRecord};
use crate::{
    app::{Gateway, has_role},
    mesh::DomainView,
    planner::Parameters,
    status::GatewayError,
};

/// Longest wait for one server's files.
const WITHIN: Duration = Duration::from_secs(20);
const UNAVAILABLE: &str = "unavailable";

/// May this caller have files read?
pub(super) fn is_allowed(gateway: &Gateway, caller: &Caller) -> bool {
    has_role(&caller.principal, &gateway.admin_roles)
}

/// Gives what came of it: `{"gateway": .., "domains": {..}}`.
pub(super) async fn run(gateway: &Gateway, caller: &Caller) -> Result<Vec<u8>, GatewayError> {
    gateway.audit.ready()?;
    let audit = Arc::clone(&gateway.audit);
    let record =
        QueryRecord::begin(audit, &caller.query_id, &caller.principal, RELOAD_ACTION, &Parameters::Open);
    let own = tokio::time::timeout(WITHIN, gateway.reload.now()).await.unwrap_or(false);
    // Only now: a domain's file may have named another node.
    let snapshot = gateway.mesh.snapshot();
    let nodes: FuturesUnordered<_> = snapshot.domains().map(|domain| of_domain(domain)).collect();
    let domains: Map<String, Value> = nodes.collect().await;
    record.completed()?;
    let own = if own { RELOADED } else { NOT_ALL_GOOD };
    Ok(json!({ "gateway": own, "domains": domains }).to_string().into_bytes())
}

async fn of_domain(domain: &DomainView) -> (String, Value) {
    let read = match &domain.connection {
        Some(node) => tokio::time::timeout(WITHIN, node.reload()).await.ok().and_then(Result::ok),
        None => None,
    };
    let outcome = match read {
        Some(true) => RELOADED,
        Some(false) => NOT_ALL_GOOD,
        None => UNAVAILABLE,
    };
    (domain.name.clone(), outcome.into())
}
