//! The present snapshot, and the ways in which it changes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use meshgate_policies::Mesh;
use tokio::sync::watch;

use super::{Described, DomainView, NodeConnection, Snapshot};

/// Swaps snapshots. Readers get one `Arc` and never wait for a writer's work.
#[derive(Debug)]
pub(crate) struct MeshState {
    present: watch::Sender<Arc<Snapshot>>,
    /// Held by the one writer at a time. Readers do not take it: what a node
    /// sends may take long to compile, and nobody's query waits for that.
    writing: Mutex<()>,
}

impl MeshState {
    /// Starts without any domain.
    pub(crate) fn new(mesh: Mesh) -> Self {
        let present = watch::Sender::new(Arc::new(Snapshot::new(Arc::new(mesh))));
        Self { present, writing: Mutex::default() }
    }

    /// The present snapshot.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.present.borrow())
    }

    /// A node described its domain.
    #[cfg(test)]
    pub(crate) fn described(&self, domain: &str, described: Described, connection: Arc<NodeConnection>) {
        self.described_while(domain, described, connection, &|| true);
    }

    /// The same, unless the description is not wanted any more once it is compiled.
    pub(super) fn described_while(
        &self,
        domain: &str,
        described: Described,
        connection: Arc<NodeConnection>,
        is_wanted: &dyn Fn() -> bool,
    ) {
        let described = Arc::new(described);
        self.change(|snapshot| {
            let generation = snapshot.domain(domain).map_or(0, |view| view.generation) + 1;
            let view = DomainView::new(domain, described, &snapshot.mesh, Some(connection), generation);
            is_wanted().then(|| snapshot.with_domain(view))
        });
    }

    /// A node described its domain in a way that cannot be used: what is not
    /// understood is not there.
    pub(crate) fn not_understood(&self, domain: &str) {
        let nothing =
            Arc::new(Described { node: String::new(), revision: 0, tables: Vec::new(), documents: None });
        self.change(|snapshot| {
            let generation = snapshot.domain(domain).map_or(0, |view| view.generation) + 1;
            let view = DomainView::new(domain, Arc::clone(&nothing), &snapshot.mesh, None, generation);
            Some(snapshot.with_domain(view))
        });
    }

    /// No node of the domain answers any more.
    pub(crate) fn unavailable(&self, domain: &str) {
        self.change(|snapshot| {
            let view = snapshot.domain(domain).filter(|view| view.connection.is_some())?;
            Some(snapshot.with_domain(view.unavailable()))
        });
    }

    /// The domain does not take part in the mesh any more.
    pub(crate) fn left(&self, domain: &str) {
        self.change(|snapshot| snapshot.domain(domain).map(|_| snapshot.without_domain(domain)));
    }

    /// The operator's document changed.
    pub(crate) fn mesh_changed(&self, mesh: Mesh) {
        let mesh = Arc::new(mesh);
        self.change(|snapshot| Some(snapshot.with_mesh(Arc::clone(&mesh))));
    }

    /// Waits until something changed against `seen`, or until the time is over.
    pub(crate) async fn changed_since(&self, seen: &Arc<Snapshot>, within: Duration) -> Arc<Snapshot> {
        let mut receiver = self.present.subscribe();
        let changed = receiver.wait_for(|present| !Arc::ptr_eq(present, seen));
        // Both ways of not seeing a change leave the present snapshot, which is then tried again.
        let _ = tokio::time::timeout(within, changed).await;
        self.snapshot()
    }

    fn change(&self, change: impl FnOnce(&Snapshot) -> Option<Snapshot>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changed) = change(&self.snapshot()) {
            self.present.send_replace(Arc::new(changed));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::testing::larkfield;

    #[test]
    fn readers_do_not_wait_for_a_change_that_takes_long() {
        let state = Arc::new(MeshState::new(larkfield::mesh()));
        let reader = Arc::clone(&state);
        let (sender, receiver) = mpsc::channel();
        state.change(|present| {
            std::thread::spawn(move || sender.send(reader.snapshot()));
            let seen = receiver.recv_timeout(Duration::from_secs(10)).expect("a reader gets the present one");
            assert!(Arc::ptr_eq(&seen.mesh, &present.mesh));
            None
        });
    }

    #[test]
    fn a_description_that_is_not_wanted_any_more_changes_nothing() {
        let state = MeshState::new(larkfield::mesh());
        let descriptor = larkfield::descriptor("sales", larkfield::SALES_POLICY);
        let described = || Described::read("sales", descriptor.clone()).unwrap();
        let channel = || tonic::transport::Channel::from_static("http://127.0.0.1:1").connect_lazy();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let connection = runtime.block_on(async { Arc::new(NodeConnection::over(channel())) });
        state.described_while("sales", described(), Arc::clone(&connection), &|| false);
        assert!(state.snapshot().domain("sales").is_none());
        state.described("sales", described(), connection);
        assert!(state.snapshot().domain("sales").is_some());
    }
}
