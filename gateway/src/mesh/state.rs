//! The present snapshot, and the ways in which it changes.

use std::{sync::Arc, time::Duration};

use meshgate_policies::Mesh;
use tokio::sync::watch;

use super::{Described, DomainView, NodeConnection, Snapshot};

/// Swaps snapshots. Readers get one `Arc` and never wait for a writer's work to end half-way.
#[derive(Debug)]
pub struct MeshState {
    present: watch::Sender<Arc<Snapshot>>,
}

impl MeshState {
    /// Starts without any domain.
    pub fn new(mesh: Mesh) -> Self {
        Self { present: watch::Sender::new(Arc::new(Snapshot::new(Arc::new(mesh)))) }
    }

    /// The present snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.present.borrow())
    }

    /// A node described its domain.
    pub fn described(&self, domain: &str, described: Described, connection: Arc<NodeConnection>) {
        let described = Arc::new(described);
        self.change(|snapshot| {
            let generation = snapshot.domain(domain).map_or(0, |view| view.generation) + 1;
            let view = DomainView::new(
                domain,
                Arc::clone(&described),
                &snapshot.mesh,
                Some(Arc::clone(&connection)),
                generation,
            );
            Some(snapshot.with_domain(view))
        });
    }

    /// A node described its domain in a way that cannot be used: what is not
    /// understood is not there.
    pub fn not_understood(&self, domain: &str) {
        let nothing =
            Arc::new(Described { node: String::new(), revision: 0, tables: Vec::new(), documents: None });
        self.change(|snapshot| {
            let generation = snapshot.domain(domain).map_or(0, |view| view.generation) + 1;
            let view = DomainView::new(domain, Arc::clone(&nothing), &snapshot.mesh, None, generation);
            Some(snapshot.with_domain(view))
        });
    }

    /// No node of the domain answers any more.
    pub fn unavailable(&self, domain: &str) {
        self.change(|snapshot| {
            let view = snapshot.domain(domain).filter(|view| view.connection.is_some())?;
            Some(snapshot.with_domain(view.unavailable()))
        });
    }

    /// The domain does not take part in the mesh any more.
    pub fn left(&self, domain: &str) {
        self.change(|snapshot| snapshot.domain(domain).map(|_| snapshot.without_domain(domain)));
    }

    /// The operator's document changed.
    pub fn mesh_changed(&self, mesh: Mesh) {
        let mesh = Arc::new(mesh);
        self.change(|snapshot| Some(snapshot.with_mesh(Arc::clone(&mesh))));
    }

    /// Waits until something changed against `seen`, or until the time is over.
    pub async fn changed_since(&self, seen: &Arc<Snapshot>, within: Duration) -> Arc<Snapshot> {
        let mut receiver = self.present.subscribe();
        let changed = receiver.wait_for(|present| !Arc::ptr_eq(present, seen));
        // Both ways of not seeing a change leave the present snapshot, which is then tried again.
        let _ = tokio::time::timeout(within, changed).await;
        self.snapshot()
    }

    fn change(&self, change: impl Fn(&Snapshot) -> Option<Snapshot>) {
        self.present.send_if_modified(|present| match change(present) {
            Some(changed) => {
                *present = Arc::new(changed);
                true
            }
            None => false,
        });
    }
}
