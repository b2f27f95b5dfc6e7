//! The demo holds the operator's key, and signs mesh.yaml again when it is edited.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use meshgate_engine::operator::OperatorSigner;

use super::folder::{self, DOMAINS, DemoFolder};
use crate::{
    failure::Failure,
    mesh::{self, Signing},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const MESH_FILE: &str = "mesh/mesh.yaml";
const KEY_FILE: &str = "keys/operator/operator.key";

/// Signs the mesh.yaml of a new folder, and gives every node its copy: it starts with that.
pub(super) fn sign_first(folder: &Path) -> Result<(), Failure> {
    mesh::sign_file(&folder.join(MESH_FILE), &mesh::signer(&folder.join(KEY_FILE))?, None)?;
    let path = folder.join(MESH_FILE);
    let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    for domain in DOMAINS {
        folder::write(&folder.join(domain).join("mesh.yaml"), &text)?;
    }
    Ok(())
}

/// Signs what was edited while the demo did not run. What cannot be signed is
/// told, and the servers deny what they cannot decide.
pub(super) fn sign_again(folder: &DemoFolder) -> Result<OperatorSigner, Failure> {
    let signer = mesh::signer(&folder.path.join(KEY_FILE))?;
    tell(mesh::sign_file(&folder.path.join(MESH_FILE), &signer, None));
    Ok(signer)
}

/// Signs after each change of the file, once it has settled. Runs until it is dropped.
pub(super) async fn keep_signed(file: std::path::PathBuf, signer: OperatorSigner) {
    let mut signed = stamp(&file);
    let mut last = signed;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let present = stamp(&file);
        if present == last && present != signed {
            tell(mesh::sign_file(&file, &signer, None));
            signed = stamp(&file);
        }
        last = present;
    }
}

/// Where [`keep_signed`] looks.
pub(super) fn mesh_file(folder: &DemoFolder) -> std::path::PathBuf {
    folder.path.join(MESH_FILE)
}

fn tell(signing: Result<Signing, Failure>) {
    match signing {
        Ok(Signing { version, is_new: true }) => {
            eprintln!("mesh.yaml was edited: signed as version {version}");
        }
        Ok(_) => {}
        Err(failure) => eprintln!("mesh.yaml was edited and is not signed: {failure}"),
    }
}

fn stamp(file: &Path) -> Option<(u64, i64, i64, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}
