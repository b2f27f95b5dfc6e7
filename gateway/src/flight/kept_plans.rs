//! Plans of statements that were described a moment ago: clients ask for a result right after they were told what
//! it would be. That saves planning and nothing else: a plan that is not here, or not good any more, is made again.
//!
//! A plan is used once, by who and for what it was made, as long as every table that it reads is decided as it was.
//! What reads tables of the gateway itself is never kept: they hold what was there when they were planned.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use datafusion::physical_plan::ExecutionPlan;

use super::{access::Access, asked::Asked, attempt::Attempt, authenticate::Caller};
use crate::{
    app::Gateway,
    planner::{Parameters, Planned},
    query::DomainQueryExec,
};

/// Most plans; the oldest ones go first.
const PLANS_MAX: usize = 256;
/// A client that takes longer does something else meanwhile.
const LIFE: Duration = Duration::from_secs(10);
/// Longer statements are planned again, so that plans that wait are small.
const STATEMENT_BYTES_MAX: usize = 4 << 10;
/// Most columns of all operators of a plan, for the same reason.
const COLUMNS_MAX: usize = 2_000;

/// Plans by the query ids of the calls that made them, which begin with the time: the first one is the oldest.
#[derive(Debug, Default)]
pub(crate) struct KeptPlans(Mutex<BTreeMap<String, Kept>>);

#[derive(Debug)]
struct Kept {
    asked: Asked,
    attempt: Attempt,
    planned: Planned,
}

impl KeptPlans {
    /// Keeps the plan of `asked` under the id that it was made for.
    pub(super) fn keep(&self, asked: Asked, attempt: Attempt, planned: Planned) {
        if !is_kept(&asked, &planned) {
            return;
        }
        let kept = Kept { asked, attempt, planned };
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|_, other| other.is_fresh(kept.made_at()));
        if plans.len() >= PLANS_MAX {
            plans.pop_first();
        }
        plans.insert(kept.attempt.context.query_id(), kept);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The plan that `call` made of the same statement, if `caller` would get the same one now.
    pub(super) fn take(
        &self,
        gateway: &Gateway,
        caller: &Caller,
        call: &str,
        sql: &str,
        parameters: &Parameters,
    ) -> Option<(Attempt, Planned)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(call)?;
        let catalog = &kept.attempt.catalog;
        let is_same = matches!(parameters, Parameters::Given(values) if *values == kept.asked.values)
            && sql == kept.asked.sql
            && catalog.principal == caller.principal
            && Arc::ptr_eq(&catalog.snapshot, &caller.snapshot);
        let is_good = is_same
            && kept.is_fresh(gateway.clock.now())
            && Access::of(gateway, catalog).holds(&caller.snapshot);
        is_good.then_some((kept.attempt, kept.planned))
    }
}

impl Kept {
    /// Microseconds since the epoch.
    fn made_at(&self) -> i64 {
        self.attempt.catalog.statement.instant
    }

    fn is_fresh(&self, now: i64) -> bool {
        let age = u64::try_from(now.saturating_sub(self.made_at()));
        age.is_ok_and(|age| Duration::from_micros(age) <= LIFE)
    }
}

fn is_kept(asked: &Asked, planned: &Planned) -> bool {
    let bytes = asked.sql.len().saturating_add(asked.values.bytes());
    bytes <= STATEMENT_BYTES_MAX
        && columns_over_domains(planned.plan.as_ref()).is_some_and(|columns| columns <= COLUMNS_MAX)
}

/// Columns of all operators of a plan that reads domains and nothing else.
fn columns_over_domains(plan: &dyn ExecutionPlan) -> Option<usize> {
    let own = plan.schema().fields().len();
    let children = plan.children();
    if children.is_empty() {
        return plan.is::<DomainQueryExec>().then_some(own);
    }
    children
        .into_iter()
        .try_fold(own, |sum, child| Some(sum.saturating_add(columns_over_domains(child.as_ref())?)))
}
