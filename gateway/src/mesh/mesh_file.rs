//! mesh.yaml on disk: read at start, watched while the gateway runs.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::{Mesh, yaml::Problem};

use super::{
    MeshState,
    settling::{LOOK_EVERY, Settling, stamp},
};

/// Why mesh.yaml cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MeshFileError {
    #[error("{path}: the file cannot be read: {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The operator's document on disk.
#[derive(Debug)]
pub(crate) struct MeshFile {
    path: PathBuf,
    broken: AtomicBool,
}

impl MeshFile {
    /// The file at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, broken: AtomicBool::new(false) }
    }

    /// Reads the file.
    pub(crate) fn read(&self) -> Result<Mesh, MeshFileError> {
        let path = self.path.display().to_string();
        let text = bounded_file::read_text(&self.path, DOCUMENT_BYTES)
            .map_err(|source| MeshFileError::Unreadable { path: path.clone(), source })?;
        let (mesh, warnings) = Mesh::load(&path, &text).map_err(MeshFileError::Problems)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(mesh)
    }

    /// Is the file on disk broken, so that the last good one is in use?
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Takes over every change of the file. Runs until it is dropped.
    pub(crate) async fn watch(self: Arc<Self>, state: Arc<MeshState>) {
        let mut settling = Settling::new(stamp(&self.path));
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if !settling.has_settled(stamp(&self.path)) {
                continue;
            }
            let read = self.read();
            if !settling.accept(stamp(&self.path)) {
                continue;
            }
            match read {
                Ok(mesh) => {
                    tracing::info!("mesh.yaml changed");
                    self.broken.store(false, Ordering::Relaxed);
                    state.mesh_changed(mesh);
                }
                Err(error) => {
                    tracing::error!(%error, "mesh.yaml is broken: the last good one stays in use");
                    self.broken.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
