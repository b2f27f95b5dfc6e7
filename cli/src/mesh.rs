//! `meshgate mesh`: what an operator does with mesh.yaml, and what owners do with their copy of it.

mod sign;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use meshgate_engine::{
    bounded_file::{self, DOCUMENT_BYTES},
    operator::{self, OperatorDocument, OperatorKeyError, OperatorKeys, OperatorSigner},
};
use meshgate_policies::{Mesh, yaml::Problem};

use crate::{dev::KeyError, failure::Failure, sql};

pub(crate) use sign::{Signing, sign_file};

#[derive(Debug, Subcommand)]
pub(crate) enum MeshCommand {
    /// Sign mesh.yaml with the operator's key, under a version that grows with each change.
    Sign(SignArguments),
    /// Check what mesh.yaml says, and its signature if a key is named.
    Check(CheckArguments),
    /// Take a verified copy of mesh.yaml, against which a domain's files can be checked offline.
    Pull(PullArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// mesh.yaml. The signature becomes its last line.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The operator's private key: Ed25519, PKCS#8 PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The version to give; without it the next one if the text changed.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    version: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// mesh.yaml.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A public key of the operator. May be repeated.
    #[arg(long = "operator-key", value_name = "FILE")]
    operator_keys: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// mesh.yaml as the operator publishes it, or a node's copy of it.
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// A public key of the operator. May be repeated.
    #[arg(long = "operator-key", value_name = "FILE", required = true)]
    operator_keys: Vec<PathBuf>,
    /// The copy.
    #[arg(long, value_name = "FILE", default_value = "mesh.lock.yaml")]
    out: PathBuf,
}

pub(crate) fn run(command: &MeshCommand) -> Result<(), Failure> {
    match command {
        MeshCommand::Sign(arguments) => sign(arguments),
        MeshCommand::Check(arguments) => check(arguments),
        MeshCommand::Pull(arguments) => pull(arguments),
    }
}

fn sign(arguments: &SignArguments) -> Result<(), Failure> {
    let signer = signer(&arguments.key)?;
    let file = arguments.file.display();
    let Signing { version, is_new } = sign_file(&arguments.file, &signer, arguments.version)?;
    sql::print(&if is_new {
        format!("{file}: signed, version {version}\n")
    } else {
        format!("{file}: is signed already, version {version}\n")
    })
}

/// The operator's key in a file.
pub(crate) fn signer(file: &Path) -> Result<OperatorSigner, Failure> {
    let pem = fs::read_to_string(file).map_err(|error| Failure::file("read the key", file, &error))?;
    OperatorSigner::from_pem(&pem).ok_or_else(|| KeyError::NotEd25519.into())
}

fn check(arguments: &CheckArguments) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let text = read(&arguments.file)?;
    let (mesh, warnings, signature) = if arguments.operator_keys.is_empty() {
        let (mesh, warnings) = Mesh::load(&name, &text).map_err(|problems| found(&problems))?;
        (mesh, warnings, "signature not checked: name the key with --operator-key")
    } else {
        let keys = OperatorKeys::load(&arguments.operator_keys)?;
        let (document, warnings) =
            OperatorDocument::open(&name, &text, &keys).map_err(|problems| found(&problems))?;
        (document.mesh().clone(), warnings, "the signature is the operator's")
    };
    for warning in warnings {
        eprintln!("{warning}");
    }
    let version = mesh.revision().map_or("no version".to_owned(), |version| format!("version {version}"));
    sql::print(&format!("{name}: mesh {}, {version}; {signature}\n", mesh.name()))
}

fn pull(arguments: &PullArguments) -> Result<(), Failure> {
    let keys = OperatorKeys::load(&arguments.operator_keys)?;
    let open = |path: &Path| {
        let (name, text) = (path.display().to_string(), read(path)?);
        OperatorDocument::open(&name, &text, &keys).map_err(|problems| found(&problems))
    };
    let (document, _) = open(&arguments.from)?;
    // What cannot be verified there is no reason to keep it.
    let present = if arguments.out.exists() { open(&arguments.out).ok() } else { None };
    if let Some((present, _)) = present {
        present.version().is_followed_by(&document.version()).map_err(|reason| {
            Failure::Found(format!("{} stays as it is: {reason}", arguments.out.display()))
        })?;
    }
    let day = chrono::Utc::now().date_naive().to_string();
    replace(&arguments.out, &operator::pulled(document.text(), &day))?;
    let version = document.version();
    sql::print(&format!("{}: mesh {}, version {}\n", arguments.out.display(), version.mesh, version.version))
}

fn read(file: &Path) -> Result<String, Failure> {
    bounded_file::read_text(file, DOCUMENT_BYTES).map_err(|error| Failure::file("read", file, &error))
}

/// Whoever reads the file finds the old text or the new one.
pub(crate) fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("write", file, &error);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = fs::metadata(file).map(|metadata| metadata.permissions());
    let mut unfinished = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    unfinished.write_all(text.as_bytes()).map_err(failed)?;
    let permissions = permissions.unwrap_or(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    unfinished.as_file().set_permissions(permissions).map_err(failed)?;
    unfinished.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

fn found(problems: &[Problem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Failure::Found(lines.join("\n"))
}

impl From<OperatorKeyError> for Failure {
    fn from(error: OperatorKeyError) -> Self {
        Self::Usage(error.to_string())
    }
}

#[cfg(test)]
mod tests;
