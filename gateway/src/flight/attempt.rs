//! How a statement is planned for its caller, and what the plan runs with.

use std::{sync::Arc, time::Instant};

use super::authenticate::Caller;
use crate::{
    app::{Gateway, has_role},
    catalog::{AuditView, PrincipalCatalog},
    planner::{Parameters, Planned},
    query::QueryContext,
    status::GatewayError,
};

/// Most purposes that are tried for a name that is missing.
const PURPOSES_TRIED: usize = 8;

/// What a statement is planned against, and what it runs with.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) catalog: Arc<PrincipalCatalog>,
    pub(super) context: Arc<QueryContext>,
}

impl Attempt {
    pub(super) fn new(gateway: &Gateway, caller: &Caller, query_id: &str) -> Self {
        let snapshot = Arc::clone(&caller.snapshot);
        let catalog = PrincipalCatalog::new(snapshot, Arc::clone(&caller.principal), gateway.clock.now())
            .with_audit(AuditView::of(gateway, &caller.principal))
            .with_analyze(has_role(&caller.principal, &gateway.analyze_roles));
        let context = QueryContext::new(
            query_id.to_owned(),
            Arc::clone(&caller.principal),
            Arc::clone(&caller.snapshot),
            Arc::clone(&gateway.permits),
            Instant::now() + gateway.limits.query_time,
            gateway.limits.idle_time,
        );
        Self { catalog: Arc::new(catalog), context: Arc::new(context) }
    }

    async fn plan(
        &self,
        gateway: &Gateway,
        sql: &str,
        parameters: &Parameters,
    ) -> Result<Planned, GatewayError> {
        let (catalog, context) = (Arc::clone(&self.catalog), Arc::clone(&self.context));
        gateway.planner.plan(sql.to_owned(), parameters.clone(), catalog, context).await
    }
}

/// What the call `earlier` planned of the same statement, or else a new plan. It runs as the query `query_id`.
pub(super) async fn planned(
    gateway: &Gateway,
    caller: &Caller,
    query_id: &str,
    sql: &str,
    parameters: &Parameters,
    earlier: Option<&str>,
) -> (Attempt, Result<Planned, GatewayError>) {
    let kept = earlier.and_then(|call| gateway.kept_plans.take(gateway, caller, call, sql, parameters));
    if let Some((attempt, planned)) = kept {
        attempt.context.run_as(query_id, Instant::now() + gateway.limits.query_time);
        return (attempt, Ok(planned));
    }
    let attempt = Attempt::new(gateway, caller, query_id);
    let planned = plan(gateway, caller, sql, parameters, &attempt).await;
    (attempt, planned)
}

/// Plans a statement. If nothing is missing but a purpose that the caller may
/// choose, the error names it.
async fn plan(
    gateway: &Gateway,
    caller: &Caller,
    sql: &str,
    parameters: &Parameters,
    attempt: &Attempt,
) -> Result<Planned, GatewayError> {
    match attempt.plan(gateway, sql, parameters).await {
        Err(missing @ (GatewayError::UnknownTable(_) | GatewayError::UnknownColumn(_))) => {
            let purposes = sufficient_purposes(gateway, caller, sql, parameters).await;
            Err(match purposes.is_empty() {
                true => missing,
                false => GatewayError::OtherPurpose { missing: Box::new(missing), purposes },
            })
        }
        planned => planned,
    }
}

/// The purposes of the caller under which the statement could be planned.
async fn sufficient_purposes(
    gateway: &Gateway,
    caller: &Caller,
    sql: &str,
    parameters: &Parameters,
) -> Vec<String> {
    let mut sufficient = Vec::new();
    for purpose in caller.principal.purposes.iter().take(PURPOSES_TRIED) {
        let Ok(other) = caller.clone().working_for(Some(purpose)) else { continue };
        let attempt = Attempt::new(gateway, &other, &caller.query_id);
        if attempt.plan(gateway, sql, parameters).await.is_ok() {
            sufficient.push(purpose.clone());
        }
    }
    sufficient
}
