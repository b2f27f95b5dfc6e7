//! Signing a file where it lies.

use std::path::Path;

use meshgate_engine::operator::{self, OperatorSigner, SignError};
use meshgate_policies::Mesh;

use super::{read, replace};
use crate::failure::Failure;

/// A file that is signed now.
pub(crate) struct Signing {
    pub(crate) version: u64,
    /// False if it was signed before and nothing changed since.
    pub(crate) is_new: bool,
}

/// Signs the file in its place. One that no server could use stays as it is.
pub(crate) fn sign_file(
    file: &Path,
    signer: &OperatorSigner,
    version: Option<u64>,
) -> Result<Signing, Failure> {
    let name = file.display().to_string();
    let text = read(file)?;
    let signed = operator::sign(&name, &text, signer, version).map_err(|error| match error {
        SignError::Problems(_) => Failure::Found(error.to_string()),
        _ => Failure::Found(format!("{name}: {error}")),
    })?;
    let is_new = signed != text;
    if is_new {
        replace(file, &signed)?;
    }
    let version = Mesh::load(&name, &signed).ok().and_then(|(mesh, _)| mesh.revision()).unwrap_or_default();
    Ok(Signing { version, is_new })
}
