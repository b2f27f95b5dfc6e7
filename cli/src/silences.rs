//! Silences in the files of a domain or a mesh: which warnings their authors
//! have looked at.

use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::yaml::{self, Problem, Silence};

/// All silences of some files.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    found: Vec<Silence>,
    /// What is written wrong in them.
    problems: Vec<Problem>,
}

impl Silences {
    /// Those in `file` and in the YAML files directly in `folders`. Files that cannot be read have none.
    pub(crate) fn read(file: &Path, folders: &[&Path]) -> Self {
        let mut silences = Self::default();
        let in_folders = folders.iter().flat_map(|folder| yaml_files(folder));
        for path in std::iter::once(file.to_owned()).chain(in_folders) {
            if let Ok(text) = bounded_file::read_text(&path, DOCUMENT_BYTES) {
                let name = path.display().to_string();
                silences.found.extend(Silence::read(&name, &text, &mut silences.problems));
            }
        }
        silences
    }

    /// Takes the warnings out that are silenced.
    pub(crate) fn apply(&self, problems: &mut Vec<Problem>) {
        yaml::silence(&self.found, problems);
    }

    /// The same for a report of everything: silences that are wrong are problems, and so are those of
    /// warnings that are not there. What could not be read hides warnings, so that then nobody can know.
    pub(crate) fn apply_strictly(self, problems: &mut Vec<Problem>) {
        let stale = yaml::silence(&self.found, problems);
        if !problems.iter().any(Problem::is_error) {
            problems.extend(stale);
        }
        problems.extend(self.problems);
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files.sort();
    files
}
