//! A domain's repository: node.yaml, contracts, policies, and the operator's
//! document beside them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use meshgate_domain_node::{config::Repository, offline::OfflineDomain};
use meshgate_engine::{
    bounded_file::{self, DOCUMENT_BYTES},
    operator,
};
use meshgate_policies::{Mesh, yaml::Problem};

use crate::{failure::Failure, serve};

/// What `meshgate mesh pull` writes.
pub(crate) const LOCK_FILE: &str = "mesh.lock.yaml";
/// Days after which a copy of the operator's document should be looked after.
const LOCK_DAYS: i64 = 30;
const REFRESH: &str = "take a new copy with `meshgate mesh pull <mesh.yaml> --operator-key <operator.pub>`";

/// A domain's files, read.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) folder: PathBuf,
    pub(crate) domain: OfflineDomain,
    /// Folders of contracts and policies.
    pub(crate) products: PathBuf,
    pub(crate) policies: PathBuf,
    /// Where the operator's document was read.
    pub(crate) mesh_file: PathBuf,
    pub(crate) warnings: Vec<Problem>,
}

impl Workspace {
    /// Reads the repository in `folder`. All problems at once.
    pub(crate) fn open(folder: &Path) -> Result<Result<Self, Vec<Problem>>, Failure> {
        let file = folder.join("node.yaml");
        if !file.is_file() {
            return Err(Failure::Usage(format!(
                "there is no node.yaml in {}: name a domain's folder, or make one with `meshgate init domain`",
                folder.display()
            )));
        }
        Ok(Self::read(folder, &file))
    }

    fn read(folder: &Path, file: &Path) -> Result<Self, Vec<Problem>> {
        let repository = Repository::load(file, &serve::environment)?;
        let (mesh, mesh_file, mut warnings) = read_mesh(folder, &repository)?;
        let (domain, found) = OfflineDomain::load(&repository, mesh)?;
        warnings.extend(found);
        let Repository { products, policies, .. } = repository;
        Ok(Self { folder: folder.to_owned(), domain, products, policies, mesh_file, warnings })
    }
}

/// The copy that was pulled counts before the one that a gateway brought to a node here: it is
/// the same on every machine.
fn read_mesh(folder: &Path, repository: &Repository) -> Result<(Mesh, PathBuf, Vec<Problem>), Vec<Problem>> {
    let lock = folder.join(LOCK_FILE);
    if !lock.is_file() {
        let (mesh, warnings) = load(&repository.mesh)?;
        return Ok((mesh, repository.mesh.clone(), warnings));
    }
    let (mesh, mut warnings) = load(&lock)?;
    let name = lock.display().to_string();
    if let Ok((other, _)) = load(&repository.mesh)
        && other.name() != mesh.name()
    {
        let message = format!(
            "this is of the mesh `{}`, and the node here is a part of the mesh `{}`",
            mesh.name(),
            other.name()
        );
        warnings.push(Problem::warning(&name, 1, message).with_hint(REFRESH));
    }
    warnings.extend(too_old(&lock, &name, Utc::now()));
    Ok((mesh, lock, warnings))
}

fn load(file: &Path) -> Result<(Mesh, Vec<Problem>), Vec<Problem>> {
    let name = file.display().to_string();
    let text = bounded_file::read_text(file, DOCUMENT_BYTES).map_err(|error| {
        vec![Problem::error(&name, 0, format!("cannot be read: {error}")).with_hint(REFRESH)]
    })?;
    Mesh::load(&name, &text)
}

fn too_old(lock: &Path, name: &str, now: DateTime<Utc>) -> Option<Problem> {
    let text = bounded_file::read_text(lock, DOCUMENT_BYTES).ok()?;
    let (day, _) = operator::split_pulled(&text);
    let written = || std::fs::metadata(lock).and_then(|metadata| metadata.modified()).ok();
    // One that was not pulled, but copied, says nothing of its age.
    let day = day.and_then(|day| day.parse::<NaiveDate>().ok());
    let day = day.or_else(|| written().map(|time| DateTime::<Utc>::from(time).date_naive()))?;
    let age = now.date_naive().signed_duration_since(day).num_days();
    (age > LOCK_DAYS).then(|| {
        Problem::warning(name, 1, format!("this copy of the operator's document is {age} days old"))
            .with_hint(REFRESH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_old_after_thirty_days() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join(LOCK_FILE);
        std::fs::write(&lock, operator::pulled("mesh: m\ntimezone: UTC\n", "2026-01-01")).unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(too_old(&lock, "x", at("2026-01-31T23:00:00Z")), None);
        let problem = too_old(&lock, "x", at("2026-02-01T01:00:00Z")).unwrap();
        assert!(
            problem.to_string().contains("31 days old; take a new copy with `meshgate mesh pull"),
            "{problem}"
        );
    }
}
