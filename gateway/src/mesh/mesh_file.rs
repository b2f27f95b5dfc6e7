//! mesh.yaml on disk: read at start, watched while the gateway runs. It counts
//! if the operator signed it, and if it does not take the mesh back to an
//! older version. Without one that counts everything is denied.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use meshgate_engine::{
    bounded_file::{self, DOCUMENT_BYTES},
    operator::{CannotFollow, OperatorDocument, OperatorKeys},
    reload::{Reload, ReloadRequests, reload_channel},
};
use meshgate_policies::yaml::Problem;

use super::{
    MeshState,
    settling::{Settling, Stamp, next_look, stamp},
};

/// Why mesh.yaml cannot be used.
#[derive(Debug, thiserror::Error)]
enum MeshFileError {
    #[error("{path}: the file cannot be read: {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    #[error("{path}: {reason}")]
    CannotFollow { path: String, reason: CannotFollow },
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The operator's document on disk.
#[derive(Debug)]
pub(crate) struct MeshFile {
    path: PathBuf,
    keys: OperatorKeys,
    /// How the file looked when it was read first.
    first: Stamp,
    broken: AtomicBool,
    reload: Reload,
    /// Held by the one who watches.
    requests: tokio::sync::Mutex<ReloadRequests>,
}

impl MeshFile {
    /// The file at `path`, and the document in it, if there is one.
    pub(crate) fn open(path: PathBuf, keys: OperatorKeys) -> (Self, Option<OperatorDocument>) {
        let (reload, requests) = reload_channel();
        let (first, broken) = (stamp(&path), AtomicBool::new(false));
        let file = Self { path, keys, first, broken, reload, requests: requests.into() };
        let document = file.read().inspect_err(|error| {
            tracing::error!(%error, "mesh.yaml cannot be used: everything is denied");
            file.broken.store(true, Ordering::Relaxed);
        });
        let document = document.ok();
        (file, document)
    }

    /// Can the file on disk not be used, so that the last good one is in use, or none?
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// What has the file read at once.
    pub(crate) fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Takes over every change of the file. Runs until it is dropped.
    pub(crate) async fn watch(self: Arc<Self>, state: Arc<MeshState>) {
        let mut requests = self.requests.lock().await;
        let mut settling = Settling::new(self.first);
        loop {
            let asked = next_look(&mut requests).await;
            if !settling.has_settled(stamp(&self.path)) && asked.is_none() {
                continue;
            }
            let read = self.read();
            let counts = settling.accept(stamp(&self.path));
            if counts {
                self.take(read, &state);
            }
            // Whoever asked may have gone.
            let _ = asked.map(|asked| asked.send(counts && !self.is_broken()));
        }
    }

    fn take(&self, read: Result<OperatorDocument, MeshFileError>, state: &MeshState) {
        let taken = read.and_then(|document| {
            let version = document.version().version;
            let reason = state.mesh_changed(document).err();
            let path = self.path.display().to_string();
            reason.map_or(Ok(version), |reason| Err(MeshFileError::CannotFollow { path, reason }))
        });
        self.broken.store(taken.is_err(), Ordering::Relaxed);
        match taken {
            Ok(version) => tracing::info!(version, "mesh.yaml changed"),
            Err(error) => tracing::error!(%error, "mesh.yaml cannot be used: what was in use stays"),
        }
    }

    fn read(&self) -> Result<OperatorDocument, MeshFileError> {
        let path = self.path.display().to_string();
        let text = bounded_file::read_text(&self.path, DOCUMENT_BYTES)
            .map_err(|source| MeshFileError::Unreadable { path: path.clone(), source })?;
        let (document, warnings) =
            OperatorDocument::open(&path, &text, &self.keys).map_err(MeshFileError::Problems)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests;
