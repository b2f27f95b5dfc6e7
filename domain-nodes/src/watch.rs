//! Notices that files changed and publishes the state that they make.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use meshgate_engine::reload::{Reload, ReloadRequests, reload_channel};
use meshgate_policies::yaml::Severity;
use meshgate_proto::v1::Descriptor;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::NodeConfig;
use crate::readiness::{Readiness, Trouble};
use crate::reload::{Loaded, Loader, yaml_files};
use crate::source::Survey;
use crate::state::{ServedTable, State};

const INTERVAL: Duration = Duration::from_millis(250);
/// Longest look at the source of one table.
const SURVEY_TIME: Duration = Duration::from_secs(30);
const SURVEYS_AT_A_TIME: usize = 4;
/// How often files that change while they are read are read again for one request.
const ATTEMPTS: usize = 5;

/// Size, change time and inode of every file that a state is made from.
type Fingerprint = BTreeMap<PathBuf, (u64, i64, i64, u64)>;

/// Keeps the published state equal to what lies on disk.
#[derive(Debug)]
pub(crate) struct Watcher {
    config: Arc<NodeConfig>,
    loader: Loader,
    loaded: Fingerprint,
    /// Of the candidate for the policies that was read last.
    candidate: Fingerprint,
    sender: Arc<watch::Sender<Arc<State>>>,
    readiness: Readiness,
    survey: Option<JoinHandle<()>>,
    reload: Reload,
    requests: ReloadRequests,
}

impl Watcher {
    /// Reads the files for the first time. Blocks.
    pub(crate) fn start(config: Arc<NodeConfig>, mut loader: Loader, readiness: Readiness) -> Self {
        let (before, candidate) = (fingerprint(&config), candidate_print(&config));
        loader.read_candidate();
        let first = loader.load();
        report(&first, &readiness);
        let mut state = first.state.as_ref().clone();
        state.descriptor = Arc::new(Descriptor { revision: 1, ..state.descriptor.as_ref().clone() });
        let sender = Arc::new(watch::Sender::new(Arc::new(state)));
        let (reload, requests) = reload_channel();
        Self { config, loader, loaded: before, candidate, sender, readiness, survey: None, reload, requests }
    }

    /// What has the files read at once.
    pub(crate) fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// The published state and its changes.
    pub(crate) fn states(&self) -> watch::Receiver<Arc<State>> {
        self.sender.subscribe()
    }

    /// Looks at the files until it is dropped.
    pub(crate) async fn run(mut self) {
        self.survey();
        let mut surveyed = Instant::now();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut pending, mut pending_candidate) = (None, None);
        let operator = self.loader.operator().clone();
        loop {
            let brought = tokio::select! {
                _ = ticks.tick() => false,
                () = operator.brought.notified() => true,
                asked = self.requests.next() => {
                    pending = None;
                    // Whoever asked may have gone.
                    let _ = asked.send(self.read_now().await);
                    continue;
                }
            };
            if surveyed.elapsed() >= self.config.survey_interval {
                self.survey();
                surveyed = Instant::now();
            }
            let Some((seen, candidate)) = self.look().await else { continue };
            // A candidate settles by itself: it is not to keep what is in force waiting.
            let new_candidate = (candidate != self.candidate
                && pending_candidate.as_ref() == Some(&candidate))
            .then(|| candidate.clone());
            pending_candidate = Some(candidate);
            // A file is read once nothing has changed for an interval: half a
            // written policy could be one without its restrictions.
            let is_settled = pending.as_ref() == Some(&seen) || (brought && self.is_only_the_copy(&seen));
            let is_same = seen == self.loaded;
            if (is_same && new_candidate.is_some()) || (!is_same && is_settled) {
                pending = None;
                self.read(seen, new_candidate).await;
            } else if is_same {
                pending = None;
            } else {
                pending = Some(seen);
            }
        }
    }

    /// What lies on disk: what a state is made from, and the candidate for the policies.
    async fn look(&self) -> Option<(Fingerprint, Fingerprint)> {
        let config = self.config.clone();
        tokio::task::spawn_blocking(move || (fingerprint(&config), candidate_print(&config))).await.ok()
    }

    /// The copy of the operator's document is written whole or not at all: it
    /// need not settle, unless something else is being written too.
    fn is_only_the_copy(&self, seen: &Fingerprint) -> bool {
        let others = |files: &Fingerprint| -> Fingerprint {
            let others = files.iter().filter(|(file, _)| **file != self.config.mesh);
            others.map(|(file, print)| (file.clone(), *print)).collect()
        };
        others(seen) == others(&self.loaded)
    }

    /// Reads the files as they are: whoever asks for it says that they are
    /// complete. True if all of them can be used.
    async fn read_now(&mut self) -> bool {
        for _ in 0..ATTEMPTS {
            let Some((seen, candidate)) = self.look().await else { return false };
            if let Some(is_good) = self.read(seen, Some(candidate)).await {
                return is_good;
            }
        }
        false
    }

    /// Reads the files and publishes what they say, unless they are not as
    /// expected any more. Gives whether all of them can be used. A candidate is
    /// read too if it is expected, and stays what it was if it has changed.
    async fn read(&mut self, expected: Fingerprint, candidate: Option<Fingerprint>) -> Option<bool> {
        let (config, mut loader) = (self.config.clone(), self.loader.clone());
        let work = move || {
            let mut with_candidate = loader.clone();
            let candidate = candidate.filter(|expected| {
                with_candidate.read_candidate();
                candidate_print(&config) == *expected
            });
            if candidate.is_some() {
                loader = with_candidate;
            }
            let loaded = loader.load();
            (loaded, loader, candidate, fingerprint(&config))
        };
        let Ok((loaded, loader, candidate, after)) = tokio::task::spawn_blocking(work).await else {
            tracing::error!("reading the changed files failed; what was served before stays");
            return None;
        };
        // Changed while it was read: the next look begins anew.
        if after != expected {
            return None;
        }
        self.loader = loader;
        self.loaded = expected;
        self.candidate = candidate.unwrap_or_else(|| std::mem::take(&mut self.candidate));
        report(&loaded, &self.readiness);
        self.sender.send_modify(|current| *current = Arc::new(follow(current, &loaded.state)));
        tracing::info!(
            revision = self.sender.borrow().descriptor.revision,
            "files changed, now serving them"
        );
        self.survey();
        Some(loaded.troubles.is_empty())
    }

    /// Looks at the sources of the present state behind its back: how many rows
    /// and bytes there are, and whether all of them can be read.
    fn survey(&mut self) {
        if let Some(earlier) = self.survey.take() {
            earlier.abort();
        }
        let (sender, readiness) = (self.sender.clone(), self.readiness.clone());
        let state = sender.borrow().clone();
        self.survey = Some(tokio::spawn(async move {
            let surveys = surveys(&state).await;
            let is_broken = surveys.values().any(|survey| !survey.as_ref().is_some_and(|s| s.is_whole));
            sender.send_if_modified(|current| {
                let is_current = Arc::ptr_eq(current, &state);
                if is_current {
                    readiness.set(Trouble::Sources, is_broken);
                }
                is_current && with_estimates(current, &surveys)
            });
        }));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(survey) = &self.survey {
            survey.abort();
        }
    }
}

fn report(loaded: &Loaded, readiness: &Readiness) {
    for problem in &loaded.problems {
        match problem.severity {
            Severity::Error => tracing::error!("{problem}"),
            Severity::Warning(_) => tracing::warn!("{problem}"),
        }
    }
    for trouble in [Trouble::Contracts, Trouble::Policies, Trouble::OperatorDocument, Trouble::Pseudonyms] {
        readiness.set(trouble, loaded.troubles.contains(&trouble));
    }
    // That all sources are well is for the survey to say.
    if loaded.troubles.contains(&Trouble::Sources) {
        readiness.set(Trouble::Sources, true);
    }
}

/// The next state, with the estimates that still hold and a revision that grows if the descriptor differs.
fn follow(current: &State, next: &State) -> State {
    let mut descriptor = next.descriptor.as_ref().clone();
    descriptor.revision = current.descriptor.revision;
    keep_estimates(&mut descriptor, &current.descriptor);
    if descriptor != *current.descriptor {
        descriptor.revision += 1;
    }
    State { descriptor: Arc::new(descriptor), ..next.clone() }
}

fn keep_estimates(next: &mut Descriptor, current: &Descriptor) {
    let known: BTreeMap<_, _> = current
        .products
        .iter()
        .flat_map(|product| &product.tables)
        .map(|table| (&table.name, (&table.contract_version, table.estimated_rows, table.estimated_bytes)))
        .collect();
    for table in next.products.iter_mut().flat_map(|product| &mut product.tables) {
        if let Some((version, rows, bytes)) = known.get(&table.name)
            && **version == table.contract_version
        {
            (table.estimated_rows, table.estimated_bytes) = (*rows, *bytes);
        }
    }
}

/// By table; none for a source that cannot be read.
type Surveys = BTreeMap<String, Option<Survey>>;

async fn surveys(state: &State) -> Surveys {
    let tables: Vec<Arc<ServedTable>> = state.tables.values().cloned().collect();
    let work = futures::stream::iter(tables)
        .map(|table| async move { (table.name().to_owned(), survey(&table).await) });
    work.buffer_unordered(SURVEYS_AT_A_TIME).collect().await
}

async fn survey(table: &ServedTable) -> Option<Survey> {
    let name = table.name();
    match tokio::time::timeout(SURVEY_TIME, table.source()?.survey()).await {
        Ok(Ok(survey)) => Some(survey),
        Ok(Err(error)) => {
            tracing::error!(table = name, %error, "the source of a table cannot be read");
            None
        }
        Err(_) => {
            tracing::error!(table = name, limit = ?SURVEY_TIME, "the source of a table does not answer in time");
            None
        }
    }
}

/// Puts the counts into the published state.
fn with_estimates(current: &mut Arc<State>, surveys: &Surveys) -> bool {
    let mut descriptor = current.descriptor.as_ref().clone();
    for table in descriptor.products.iter_mut().flat_map(|product| &mut product.tables) {
        if let Some(Some(survey)) = surveys.get(&table.name) {
            table.estimated_bytes = Some(survey.bytes);
            table.estimated_rows = survey.rows;
        }
    }
    if descriptor == *current.descriptor {
        return false;
    }
    descriptor.revision += 1;
    *current = Arc::new(State { descriptor: Arc::new(descriptor), ..current.as_ref().clone() });
    true
}

fn fingerprint(config: &NodeConfig) -> Fingerprint {
    // A folder that cannot be read holds nothing: its coming and going are changes.
    let files = |folder: &Path| yaml_files(folder).unwrap_or_default();
    let mut paths = vec![config.mesh.clone()];
    paths.extend(files(&config.products));
    paths.extend(files(&config.policies));
    prints(paths)
}

/// The same of the candidate for the policies.
fn candidate_print(config: &NodeConfig) -> Fingerprint {
    let Some(shadow) = &config.shadow else { return Fingerprint::new() };
    let mut found = prints(yaml_files(&shadow.policies).unwrap_or_default());
    // An empty folder is a candidate, none is not. Its times change with files that do not count.
    found.extend(print(&shadow.policies).map(|(_, _, _, inode)| (shadow.policies.clone(), (0, 0, 0, inode))));
    found
}

fn prints(paths: Vec<PathBuf>) -> Fingerprint {
    paths.into_iter().filter_map(|path| Some((path.clone(), print(&path)?))).collect()
}

fn print(path: &Path) -> Option<(u64, i64, i64, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}
