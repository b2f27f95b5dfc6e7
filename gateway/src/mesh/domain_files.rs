//! `domains/*.yaml` on disk: a domain that joins is listened to, one that
//! leaves is gone, one whose file changes is connected anew. While a file is
//! broken, everything stays as it is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::task::{AbortHandle, JoinSet};

use super::{
    MeshState, keep_described,
    settling::{LOOK_EVERY, Settling, Stamp, stamp},
};
use crate::{
    config::{self, DomainConfig},
    tls::NodesTls,
};

/// The folder of the domains' files.
#[derive(Debug)]
pub(crate) struct DomainFiles {
    folder: PathBuf,
    domains: AtomicUsize,
    broken: AtomicBool,
}

/// What listens to the nodes of the present domains.
struct Listeners {
    tls: Arc<NodesTls>,
    state: Arc<MeshState>,
    tasks: JoinSet<()>,
    present: BTreeMap<String, (DomainConfig, AbortHandle)>,
}

impl DomainFiles {
    /// The files in `folder`, from which this many domains were read at start.
    pub(crate) fn new(folder: PathBuf, domains: usize) -> Self {
        Self { folder, domains: AtomicUsize::new(domains), broken: AtomicBool::new(false) }
    }

    /// How many domains take part in the mesh.
    pub(crate) fn domains(&self) -> usize {
        self.domains.load(Ordering::Relaxed)
    }

    /// Is a file on disk broken, so that the last good ones are in use?
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Listens to the nodes of `domains`, and takes over every change of the
    /// files. Runs until it is dropped.
    pub(crate) async fn watch(
        self: Arc<Self>,
        domains: Vec<DomainConfig>,
        tls: Arc<NodesTls>,
        state: Arc<MeshState>,
    ) {
        let mut settling = Settling::new(stamps(&self.folder));
        let mut listeners = Listeners { tls, state, tasks: JoinSet::new(), present: BTreeMap::new() };
        listeners.follow(domains).await;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if !settling.has_settled(stamps(&self.folder)) {
                continue;
            }
            let read = config::load_folder(&self.folder);
            if !settling.accept(stamps(&self.folder)) {
                continue;
            }
            self.broken.store(read.is_err(), Ordering::Relaxed);
            match read {
                Ok(domains) => {
                    tracing::info!(domains = domains.len(), "the domains' files changed");
                    self.domains.store(domains.len(), Ordering::Relaxed);
                    listeners.follow(domains).await;
                }
                Err(problems) => {
                    for problem in problems {
                        tracing::error!(%problem, "a domain's file is broken: the last good ones stay in use");
                    }
                }
            }
        }
    }
}

impl Listeners {
    /// Listens to exactly these.
    async fn follow(&mut self, domains: Vec<DomainConfig>) {
        let mut left = std::mem::take(&mut self.present);
        for config in domains {
            let domain = config.domain.clone();
            let task = match left.remove(&domain) {
                Some((same, task)) if same == config => task,
                Some((_, task)) => {
                    self.stop(&task).await;
                    self.state.unavailable(&domain);
                    self.start(&config)
                }
                None => self.start(&config),
            };
            self.present.insert(domain, (config, task));
        }
        for (domain, (_, task)) in left {
            self.stop(&task).await;
            self.state.left(&domain);
        }
    }

    fn start(&mut self, config: &DomainConfig) -> AbortHandle {
        self.tasks.spawn(keep_described(config.clone(), Arc::clone(&self.tls), Arc::clone(&self.state)))
    }

    /// Once it is over, the task changes nothing any more.
    async fn stop(&mut self, task: &AbortHandle) {
        task.abort();
        while !task.is_finished() && self.tasks.join_next().await.is_some() {}
    }
}

/// A folder that cannot be read holds nothing: its coming and going are changes.
fn stamps(folder: &Path) -> Vec<(PathBuf, Stamp)> {
    let files = config::domain_files(folder).unwrap_or_default();
    files.into_iter().map(|file| (file.clone(), stamp(&file))).collect()
}

#[cfg(test)]
mod tests;
