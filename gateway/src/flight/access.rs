//! Whether a result may go on: policies change while it is given.
//!
//! Nodes end what they send themselves; this is for what they have sent already.

use std::{sync::Arc, time::Duration};

use meshgate_engine::revocation;
use meshgate_policies::{Digest, Principal};
use tokio::sync::watch;

use crate::{app::Gateway, catalog::PrincipalCatalog, identity::Clock, mesh::Snapshot};

/// What was decided for one statement, and what is decided now.
#[derive(Debug)]
pub(super) struct Access {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    principal: Arc<Principal>,
    /// Domain and table.
    tables: Vec<(String, String, Digest)>,
    clock: Clock,
    /// How long a result may go on that would be decided differently.
    within: Duration,
}

impl Access {
    /// Of the tables that the statement named.
    pub(super) fn of(gateway: &Gateway, catalog: &PrincipalCatalog) -> Self {
        let named = catalog.named();
        let tables =
            named.iter().map(|table| (table.domain.clone(), table.name.clone(), table.decision.digest));
        Self {
            snapshots: gateway.mesh.changes(),
            principal: Arc::clone(&catalog.principal),
            tables: tables.collect(),
            clock: gateway.clock.clone(),
            within: gateway.limits.revocation_time,
        }
    }

    /// Completes once the statement has been decided differently for as long as it may be.
    pub(super) async fn lost(self) {
        let snapshots = self.snapshots.clone();
        revocation::lost(snapshots, self.within, move |snapshot| self.holds(snapshot)).await;
    }

    /// Would the same be decided now, by `snapshot`?
    pub(super) fn holds(&self, snapshot: &Snapshot) -> bool {
        let statement = snapshot.statement(self.clock.now());
        self.tables.iter().all(|(domain, table, digest)| {
            let decision =
                snapshot.domain(domain).and_then(|domain| domain.decide(table, &self.principal, &statement));
            decision.is_some_and(|decision| decision.digest == *digest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bench::Bench;

    /// What an auditor reads of sales.
    fn access(bench: &Bench) -> Access {
        let auditor = Principal { roles: ["auditor".to_owned()].into(), ..Principal::default() };
        let (snapshot, now) = (bench.gateway.mesh.snapshot(), bench.gateway.clock.now());
        let catalog = PrincipalCatalog::new(snapshot, Arc::new(auditor), now);
        catalog.table("sales", "orders").unwrap();
        Access { within: Duration::from_millis(20), ..Access::of(&bench.gateway, &catalog) }
    }

    async fn is_lost(access: Access, within: Duration) -> bool {
        tokio::time::timeout(within, access.lost()).await.is_ok()
    }

    #[tokio::test]
    async fn it_is_lost_when_what_was_decided_is_not_decided_any_more() {
        const BRIEF: Duration = Duration::from_millis(200);
        let bench = Bench::start().await;
        let (from_before, waiting) = (access(&bench), tokio::spawn(access(&bench).lost()));
        assert!(!is_lost(access(&bench), BRIEF).await);
        // A node that is away decides nothing differently.
        bench.gateway.mesh.unavailable("sales");
        assert!(!is_lost(access(&bench), BRIEF).await);
        assert!(!waiting.is_finished());
        bench.gateway.mesh.not_understood("sales");
        assert!(is_lost(from_before, Duration::from_secs(10)).await);
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    }
}
