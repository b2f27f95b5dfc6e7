//! The node's copy of the operator's document, mesh.yaml.
//!
//! A gateway brings the document; the copy is what the node starts with.
//! Beside it lies the highest version that was ever in use here: whoever puts
//! an older document into the copy's place, or brings one, is refused.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_engine::operator::{CannotFollow, DocumentVersion, OperatorDocument, OperatorKeys};
use meshgate_policies::Digest;
use meshgate_policies::yaml::Problem;
use meshgate_proto::v1::OperatorDocumentReceipt as Receipt;
use meshgate_proto::v1::operator_document_receipt::Outcome;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Behind the name of the copy.
const HIGHEST: &str = ".highest";
/// It takes a tenth of it.
const HIGHEST_BYTES_MAX: u64 = 4 << 10;

/// The copy on disk and what may take its place.
#[derive(Debug)]
pub(crate) struct OperatorFile {
    copy: PathBuf,
    highest: PathBuf,
    keys: OperatorKeys,
    /// Held from reading what is there to writing what follows it.
    writing: Mutex<()>,
    /// Told when a gateway brought a document.
    pub(crate) brought: Notify,
}

/// Why the file of the highest version does not help.
#[derive(Debug, thiserror::Error)]
enum HighestError {
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
    #[error("it is not what a node writes")]
    Format,
}

/// Why a document is not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable(Vec<Problem>),
    #[error(transparent)]
    CannotFollow(#[from] CannotFollow),
    #[error("`{}`: {source}", file.display())]
    Highest { file: PathBuf, source: HighestError },
    #[error("`{}` cannot be written: {source}", file.display())]
    NotWritten { file: PathBuf, source: io::Error },
}

impl OperatorFile {
    pub(crate) fn new(copy: PathBuf, keys: OperatorKeys) -> Self {
        let mut highest = copy.clone().into_os_string();
        highest.push(HIGHEST);
        Self { copy, highest: highest.into(), keys, writing: Mutex::default(), brought: Notify::new() }
    }

    /// The document of the copy. Warnings beside it, or all problems.
    pub(crate) fn read(&self) -> Result<(OperatorDocument, Vec<Problem>), Vec<Problem>> {
        let _writing = self.lock();
        let file = self.copy.display().to_string();
        let problem = |message: String| vec![Problem::error(&file, 0, message)];
        let text =
            bounded_file::read_text(&self.copy, DOCUMENT_BYTES).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    problem("there is no operator's document yet: a gateway brings it".to_owned())
                }
                _ => problem(format!("cannot be read: {error}")),
            })?;
        let (document, warnings) = OperatorDocument::open(&file, &text, &self.keys)?;
        match self.follow(&document, || Ok(())) {
            Ok(_) => Ok((document, warnings)),
            Err(error) => Err(problem(error.to_string())),
        }
    }

    /// Takes the document that a gateway brought, if it may follow.
    pub(crate) fn take(&self, text: &[u8]) -> Receipt {
        let _writing = self.lock();
        let taken = self.taken(text);
        let held = self.read_highest().ok().flatten().map_or(0, |highest| highest.version);
        let outcome = match &taken {
            Ok(true) => Outcome::Taken,
            Ok(false) => Outcome::Held,
            Err(NotTaken::Unusable(_)) => Outcome::Unusable,
            Err(NotTaken::CannotFollow(CannotFollow::OtherMesh { .. })) => Outcome::OtherMesh,
            Err(NotTaken::CannotFollow(CannotFollow::Older { .. })) => Outcome::Older,
            Err(NotTaken::CannotFollow(CannotFollow::SameVersion { .. })) => Outcome::SameVersion,
            Err(NotTaken::Highest { .. } | NotTaken::NotWritten { .. }) => Outcome::NotKept,
        };
        match taken {
            Ok(true) => {
                tracing::info!(version = held, "a gateway brought the operator's document");
                self.brought.notify_one();
            }
            Ok(false) => {}
            Err(error) => tracing::error!(
                %error, "a gateway brought an operator's document that cannot be used: what was in use stays"
            ),
        }
        Receipt { outcome: outcome.into(), version: held }
    }

    /// True if the copy is another one now.
    fn taken(&self, text: &[u8]) -> Result<bool, NotTaken> {
        let name = "the document that a gateway brought";
        let text = std::str::from_utf8(text)
            .map_err(|_| NotTaken::Unusable(vec![Problem::error(name, 0, "it is not UTF-8")]))?;
        let (document, _) = OperatorDocument::open(name, text, &self.keys).map_err(NotTaken::Unusable)?;
        if self.is_copy(text) {
            return self.follow(&document, || Ok(())).map(|_| false);
        }
        self.follow(&document, || write(&self.copy, text.as_bytes()))?;
        Ok(true)
    }

    fn is_copy(&self, text: &str) -> bool {
        bounded_file::read_text(&self.copy, DOCUMENT_BYTES).is_ok_and(|copy| copy == text)
    }

    /// Remembers the document as the highest, if it is; before that it is `kept`.
    /// In this order, a node that stops in between starts with the new one.
    fn follow(
        &self,
        document: &OperatorDocument,
        keep: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), NotTaken> {
        let version = document.version();
        let failed = |source| NotTaken::Highest { file: self.highest.clone(), source };
        let is_newer = match self.read_highest().map_err(failed)? {
            Some(highest) => highest.is_followed_by(&version)?,
            None => true,
        };
        keep().map_err(|source| NotTaken::NotWritten { file: self.copy.clone(), source })?;
        if is_newer {
            write(&self.highest, highest_text(&version).as_bytes()).map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    /// None if no document was ever in use here.
    fn read_highest(&self) -> Result<Option<DocumentVersion>, HighestError> {
        let text = match bounded_file::read_text(&self.highest, HIGHEST_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        highest_version(&text).map(Some).ok_or(HighestError::Format)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn highest_text(version: &DocumentVersion) -> String {
    let DocumentVersion { mesh, version, digest } = version;
    format!("{}\n", json!({ "mesh": mesh, "version": version, "digest": digest.to_string() }))
}

fn highest_version(text: &str) -> Option<DocumentVersion> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(DocumentVersion {
        mesh: value.get("mesh")?.as_str()?.to_owned(),
        version: value.get("version")?.as_u64()?,
        digest: Digest::from_hex(value.get("digest")?.as_str()?)?,
    })
}

/// Whoever reads it, before or after a loss of power, finds the old text or the new one.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!(".{name}.new"));
    let mut target = File::create(&unfinished)?;
    target.write_all(text)?;
    target.sync_all()?;
    fs::rename(&unfinished, file)?;
    File::open(folder)?.sync_all()
}
