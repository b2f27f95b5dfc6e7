//! The version to compare with: a folder, a file, or a git revision.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use meshgate_domain_node::offline::TableData;
use meshgate_policies::yaml::Problem;
use tempfile::TempDir;

use crate::{failure::Failure, policy::workspace::Workspace};

/// Another version of a domain's files.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) workspace: Workspace,
    /// Where its files lie, if they were taken from git or put together.
    _files: Option<TempDir>,
}

impl Version {
    /// Opens what `named` means beside the present version.
    pub(super) fn open(named: &str, now: &Workspace) -> Result<Result<Self, Vec<Problem>>, Failure> {
        let path = Path::new(named);
        let files = if path.is_dir() {
            return Ok(Workspace::open(path)?.map(|workspace| Self { workspace, _files: None }));
        } else if path.is_file() {
            with_policy_file(path, now)?
        } else {
            of_revision(named, &now.folder)?
        };
        let workspace = Workspace::open(files.path())?;
        Ok(workspace.map(|workspace| Self { workspace, _files: Some(files) }))
    }
}

/// The tables of `before`, over the present data where there is a table of the same name.
pub(super) fn data(before: &Workspace, now: &BTreeMap<String, TableData>) -> BTreeMap<String, TableData> {
    let own = before.domain.data();
    own.into_iter()
        .map(|(table, data)| {
            let data = now.get(&table).cloned().unwrap_or(data);
            (table, data)
        })
        .collect()
}

fn temporary() -> Result<TempDir, Failure> {
    tempfile::tempdir()
        .map_err(|error| Failure::Usage(format!("there is no place for the other version: {error}")))
}

/// The present files, with one policy file in the place of that of its name.
fn with_policy_file(file: &Path, now: &Workspace) -> Result<TempDir, Failure> {
    let target = temporary()?;
    copy_yaml(&now.folder, target.path())?;
    for folder in [&now.products, &now.policies] {
        let name = folder.strip_prefix(&now.folder).map_err(|_| {
            Failure::Usage(format!("{} lies outside of the domain's folder", folder.display()))
        })?;
        copy_yaml(folder, &target.path().join(name))?;
        if folder == &now.policies {
            let name = target.path().join(name).join(file.file_name().unwrap_or(OsStr::new("policies.yaml")));
            std::fs::copy(file, name).map_err(|error| Failure::file("read", file, &error))?;
        }
    }
    Ok(target)
}

/// The YAML files directly in a folder.
fn copy_yaml(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to).map_err(|error| Failure::file("make", to, &error))?;
    let entries = std::fs::read_dir(from).map_err(|error| Failure::file("read", from, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| Failure::file("read", from, &error))?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if let (true, true, Some(name)) = (is_yaml, path.is_file(), path.file_name()) {
            std::fs::copy(&path, to.join(name)).map_err(|error| Failure::file("read", &path, &error))?;
        }
    }
    Ok(())
}

/// The domain's folder as it was in a revision of the repository that it lies in.
fn of_revision(revision: &str, folder: &Path) -> Result<TempDir, Failure> {
    let nowhere = || {
        Failure::Usage(format!(
            "`{revision}` is neither a folder nor a file, and {} is in no git repository that could have it as a revision",
            folder.display()
        ))
    };
    let unknown =
        || Failure::Usage(format!("the git repository of {} has no revision `{revision}`", folder.display()));
    let prefix = git(folder, None, &["rev-parse", "--show-prefix"])?.ok_or_else(nowhere)?;
    // What begins with a dash is an option to git.
    if revision.starts_with('-') {
        return Err(unknown());
    }
    let commit = format!("{revision}^{{commit}}");
    let commit = git(folder, None, &["rev-parse", "--verify", "--quiet", &commit])?.ok_or_else(unknown)?;
    let tree = match prefix.as_str() {
        "" => format!("{commit}^{{tree}}"),
        prefix => format!("{commit}:{prefix}"),
    };
    let empty = || Failure::Usage(format!("revision `{revision}` has no folder {}", folder.display()));
    // In a folder below the root git checks out what lies there alone.
    let root = git(folder, None, &["rev-parse", "--show-toplevel"])?.map_or(folder.to_owned(), PathBuf::from);
    let target = temporary()?;
    // An index of our own: that of the repository stays as it is.
    let index = target.path().join(".index");
    git(&root, Some(&index), &["read-tree", &tree])?.ok_or_else(empty)?;
    let into = format!("--prefix={}/", target.path().display());
    git(&root, Some(&index), &["checkout-index", "--all", &into])?.ok_or_else(empty)?;
    Ok(target)
}

/// What git prints; `None` if it says no.
fn git(folder: &Path, index: Option<&PathBuf>, arguments: &[&str]) -> Result<Option<String>, Failure> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(std::process::Stdio::null());
    // In a hook they are about the repository's root, and about what is being committed.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let Output { status, stdout, .. } = command.output().map_err(|error| {
        Failure::Usage(format!("a git revision needs the command `git`, and it does not run: {error}"))
    })?;
    let text = String::from_utf8_lossy(&stdout).trim_end_matches('\n').to_owned();
    Ok(status.success().then_some(text))
}
