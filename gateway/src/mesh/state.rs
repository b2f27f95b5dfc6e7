//! The present snapshot, and the ways in which it changes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use meshgate_engine::operator::{CannotFollow, DocumentVersion, OperatorDocument};
use tokio::sync::watch;

use super::{Described, DomainView, Memory, NodeConnection, Snapshot};

/// Swaps snapshots. Readers get one `Arc` and never wait for a writer's work.
#[derive(Debug)]
pub(crate) struct MeshState {
    present: watch::Sender<Arc<Snapshot>>,
    /// Held by the one writer at a time. Readers do not take it: what a node
    /// sends may take long to compile, and nobody's query waits for that.
    writing: Mutex<()>,
    /// Which document of the operator is in use.
    in_use: Mutex<Option<DocumentVersion>>,
    memory: Memory,
}

impl MeshState {
    /// Starts without any domain, and without a document if there is none that can be used.
    pub(crate) fn new(document: Option<OperatorDocument>) -> Self {
        let in_use = Mutex::new(document.as_ref().map(OperatorDocument::version));
        let present = watch::Sender::new(Arc::new(Snapshot::new(document)));
        Self { present, in_use, writing: Mutex::default(), memory: Memory::default() }
    }

    /// The same with what domains said last.
    pub(crate) fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// What domains said last.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// A domain takes part in the mesh, and has not described itself yet: what
    /// it said last tells who may know of its tables.
    pub(super) fn joins(&self, domain: &str) {
        if self.snapshot().domain(domain).is_some() {
            return;
        }
        let Some(described) = self.memory.last(domain).map(Arc::new) else { return };
        self.change(|snapshot| {
            let view = || DomainView::new(domain, Arc::clone(&described), &snapshot.mesh, None, 0);
            snapshot.domain(domain).is_none().then(|| snapshot.with_domain(view()))
        });
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
        let nothing = Arc::new(Described::default());
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
        self.memory.forget(domain);
        self.change(|snapshot| snapshot.domain(domain).map(|_| snapshot.without_domain(domain)));
    }

    /// The operator's document changed, unless it cannot follow the one in use.
    pub(crate) fn mesh_changed(&self, document: OperatorDocument) -> Result<(), CannotFollow> {
        let next = document.version();
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newer = in_use.as_ref().map_or(Ok(true), |version| version.is_followed_by(&next))?;
        *in_use = Some(next);
        if is_newer {
            self.change(|snapshot| Some(snapshot.with_document(document)));
        }
        Ok(())
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.present.subscribe()
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
        let state = Arc::new(MeshState::new(Some(larkfield::document())));
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
        let state = MeshState::new(Some(larkfield::document()));
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
