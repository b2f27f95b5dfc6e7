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

use meshgate_engine::reload::{Reload, ReloadRequests, reload_channel};
use meshgate_policies::yaml::Problem;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    MeshState, keep_described,
    settling::{Settling, Stamp, next_look, stamp},
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
    reload: Reload,
    /// Held by the one who watches.
    requests: tokio::sync::Mutex<ReloadRequests>,
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
        let (reload, requests) = reload_channel();
        let (domains, broken) = (AtomicUsize::new(domains), AtomicBool::new(false));
        Self { folder, domains, broken, reload, requests: requests.into() }
    }

    /// What has the files read at once.
    pub(crate) fn reload(&self) -> Reload {
        self.reload.clone()
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
        let mut requests = self.requests.lock().await;
        let mut settling = Settling::new(stamps(&self.folder));
        let mut listeners = Listeners { tls, state, tasks: JoinSet::new(), present: BTreeMap::new() };
        listeners.follow(domains).await;
        loop {
            let asked = next_look(&mut requests).await;
            if !settling.has_settled(stamps(&self.folder)) && asked.is_none() {
                continue;
            }
            let read = config::load_folder(&self.folder);
            let counts = settling.accept(stamps(&self.folder));
            if counts {
                self.take(read, &mut listeners).await;
            }
            // Whoever asked may have gone.
            let _ = asked.map(|asked| asked.send(counts && !self.is_broken()));
        }
    }

    async fn take(&self, read: Result<Vec<DomainConfig>, Vec<Problem>>, listeners: &mut Listeners) {
        self.broken.store(read.is_err(), Ordering::Relaxed);
        match read {
            Ok(domains) => {
                tracing::info!(domains = domains.len(), "the domains' files were read");
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
