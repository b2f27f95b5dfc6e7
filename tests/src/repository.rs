//! The example of a domain's repository, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::process::{meshgate, run};

/// A copy of `examples/sales-data-products`.
#[derive(Debug)]
pub struct Repository {
    parent: tempfile::TempDir,
    /// Where the domain's files lie.
    folder: PathBuf,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the example") {
        let path = entry.expect("a file").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// The environment of a shell in which `meshgate` is the program that is tested, and git has no settings but ours.
#[expect(clippy::disallowed_methods, reason = "programs lie where the tests find them")]
fn environment() -> Vec<(&'static str, String)> {
    let programs = meshgate().parent().map(|folder| folder.display().to_string()).expect("a folder");
    let path = std::env::var("PATH").expect("a path");
    let mut variables = vec![("PATH", format!("{programs}:{path}"))];
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Sven"),
        ("GIT_AUTHOR_EMAIL", "sven@larkfield.example"),
        ("GIT_COMMITTER_NAME", "Sven"),
        ("GIT_COMMITTER_EMAIL", "sven@larkfield.example"),
    ] {
        variables.push((name, value.to_owned()));
    }
    variables
}

impl Default for Repository {
    fn default() -> Self {
        Self::below("")
    }
}

impl Repository {
    /// A copy that lies in `folder` of what may become a git repository.
    pub fn below(folder: &str) -> Self {
        let parent = tempfile::tempdir().expect("a folder");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sales-data-products");
        let folder = parent.path().join(folder);
        copy(&example, &folder);
        Self { parent, folder }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).expect("a text")
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("a file");
    }

    /// Replaces a text that must be there.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replace(from, to));
    }

    /// `meshgate policy COMMAND` of the folder.
    pub fn policy(&self, command: &str, options: &[&str]) -> Output {
        let folder = self.folder.to_str().expect("a text");
        run(&[&["policy", command, folder], options].concat())
    }

    /// A command line, run by bash in the domain's folder as build servers do it.
    pub fn shell(&self, line: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("bash");
        command.args(["-e", "-c", line]).current_dir(&self.folder).stdin(Stdio::null());
        command.envs(environment()).envs(variables.iter().copied());
        command.output().expect("bash runs")
    }

    /// `git` at the root, which must do what it is asked for.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments, &[]);
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn try_git(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.parent.path()).stdin(Stdio::null());
        command.envs(environment()).envs(variables.iter().copied());
        command.output().expect("git runs")
    }
}
