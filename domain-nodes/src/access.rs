//! Whether a query that runs may go on: policies change while results flow.

use std::sync::Arc;
use std::time::Duration;

use meshgate_engine::{permit, revocation};
use meshgate_policies::{Decision, Digest, Principal, Statement};
use meshgate_proto::v1::Permit;
use tokio::sync::watch;

use crate::node::Clock;
use crate::request::CheckedQuery;
use crate::state::State;

/// What was decided for one query, and what is decided now.
#[derive(Debug)]
pub(crate) struct Access {
    states: watch::Receiver<Arc<State>>,
    /// None if nobody is known who could still have access.
    principal: Option<Principal>,
    tables: Vec<(String, Digest)>,
    clock: Clock,
    /// How long a query may go on that would be decided differently.
    within: Duration,
}

impl Access {
    pub(crate) fn new(
        states: watch::Receiver<Arc<State>>,
        permit: &Permit,
        checked: &CheckedQuery,
        clock: Clock,
        within: Duration,
    ) -> Self {
        let principal = permit.principal.as_ref();
        let principal = principal.and_then(|principal| permit::principal_from_message(principal).ok());
        let table =
            |table: &crate::request::CheckedTable| (table.table.name().to_owned(), table.decision.digest);
        Self { states, principal, tables: checked.tables.iter().map(table).collect(), clock, within }
    }

    /// A query that reads nothing loses nothing.
    #[cfg(test)]
    pub(crate) fn to_nothing(states: watch::Receiver<Arc<State>>) -> Self {
        Self {
            states,
            principal: None,
            tables: Vec::new(),
            clock: Clock::System,
            within: Duration::from_secs(60),
        }
    }

    /// Nobody is known who has access.
    #[cfg(test)]
    pub(crate) fn lost_at_once(states: watch::Receiver<Arc<State>>) -> Self {
        let tables = vec![("orders".to_owned(), Digest::of(b"another decision"))];
        Self { tables, within: Duration::from_millis(10), ..Self::to_nothing(states) }
    }

    /// Completes once the query has been decided differently for as long as it may be.
    pub(crate) async fn lost(self) {
        let states = self.states.clone();
        revocation::lost(states, self.within, move |state| self.holds(state)).await;
    }

    /// Does this state decide as it was decided?
    fn holds(&self, state: &State) -> bool {
        self.tables.iter().all(|(table, digest)| self.decides(state, table, *digest))
    }

    fn decides(&self, state: &State, table: &str, digest: Digest) -> bool {
        let (Some(principal), Some(zone), Some(_)) = (&self.principal, state.zone(), state.table(table))
        else {
            return false;
        };
        let statement = Statement { instant: self.clock.now(), zone };
        match state.policy().decide(table, principal, &statement) {
            Decision::Visible(decision) => decision.digest == digest,
            Decision::Absent { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Domain, POLICIES, Request};

    /// What an analyst reads, as it was decided under the present state.
    fn access(states: &watch::Sender<Arc<State>>) -> Access {
        let state = states.borrow().clone();
        let mut request = Request::new(&state, &["id"]);
        let query = request.seal();
        let checked =
            crate::request::check_query(&state, &request.permit, &query, Clock::System.now()).unwrap();
        Access::new(states.subscribe(), &request.permit, &checked, Clock::System, Duration::from_millis(20))
    }

    async fn is_lost(access: Access) -> bool {
        tokio::time::timeout(Duration::from_secs(10), access.lost()).await.is_ok()
    }

    async fn is_kept(access: Access) -> bool {
        tokio::time::timeout(Duration::from_millis(200), access.lost()).await.is_err()
    }

    #[tokio::test]
    async fn it_is_lost_when_what_was_decided_is_not_decided_any_more() {
        let domain = Domain::new();
        let states = watch::Sender::new(domain.state());
        let publish = |policies: &str| {
            domain.write("policies/sales.yaml", policies);
            states.send_replace(domain.loader().load().state);
        };
        assert!(is_kept(access(&states)).await);
        let (same, rows) = (access(&states), access(&states));
        publish(&format!("{POLICIES}# Another text.\n"));
        assert!(is_kept(same).await, "the rules are the same");
        publish(&POLICIES.replace("'EU'", "'US'"));
        assert!(is_lost(rows).await);
        let grant = access(&states);
        publish(&POLICIES.replace("roles: [analyst]", "roles: [other]"));
        assert!(is_lost(grant).await);
        publish(POLICIES);
        let table = access(&states);
        std::fs::remove_file(domain.path("products/orders.odcs.yaml")).unwrap();
        states.send_replace(domain.loader().load().state);
        assert!(is_lost(table).await);
    }
}
