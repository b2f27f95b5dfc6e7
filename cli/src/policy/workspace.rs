//! A domain's repository: node.yaml, contracts, policies, and the operator's
//! document beside them.

use std::path::{Path, PathBuf};

use meshgate_domain_node::{config::Repository, offline::OfflineDomain};
use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::{Mesh, yaml::Problem};

use super::lock;
use crate::{failure::Failure, serve, silences::Silences};

/// A domain's files, read.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) folder: PathBuf,
    pub(crate) domain: OfflineDomain,
    /// Folders of contracts and policies.
    pub(crate) products: PathBuf,
    pub(crate) policies: PathBuf,
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
        let (mesh, mut warnings) = read_mesh(folder, &repository)?;
        let (domain, found) = OfflineDomain::load(&repository, mesh)?;
        warnings.extend(found);
        let Repository { products, policies, .. } = repository;
        Silences::read(file, &[&products, &policies]).apply(&mut warnings);
        Ok(Self { folder: folder.to_owned(), domain, products, policies, warnings })
    }
}

/// The copy that was pulled counts before the one that a gateway brought to a node here: it is
/// the same on every machine.
fn read_mesh(folder: &Path, repository: &Repository) -> Result<(Mesh, Vec<Problem>), Vec<Problem>> {
    let copy = folder.join(lock::FILE);
    if !copy.is_file() {
        return load(&repository.mesh);
    }
    let (mesh, mut warnings) = load(&copy)?;
    warnings.extend(lock::warnings(&copy, &repository.mesh));
    Ok((mesh, warnings))
}

fn load(file: &Path) -> Result<(Mesh, Vec<Problem>), Vec<Problem>> {
    let name = file.display().to_string();
    let text = bounded_file::read_text(file, DOCUMENT_BYTES).map_err(|error| {
        vec![Problem::error(&name, 0, format!("cannot be read: {error}")).with_hint(lock::REFRESH)]
    })?;
    Mesh::load(&name, &text)
}
