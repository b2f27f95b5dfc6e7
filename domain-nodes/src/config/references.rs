//! Where `${VAR}` and `${file:path}` in node.yaml lead.

use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, SECRET_BYTES};
use meshgate_policies::yaml::Reference;

/// Where references of a file lead.
pub(super) struct Lookup<'a> {
    /// Relative paths start here: the folder of the file itself.
    pub(super) folder: PathBuf,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Lookup<'_> {
    /// A path as it is meant in the file.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        // Without `.` in between, as messages name it.
        self.folder.join(Path::new(text)).components().collect()
    }

    /// What a reference stands for.
    pub(super) fn resolve(&self, reference: Reference<'_>) -> Option<String> {
        match reference {
            Reference::Variable(name) => (self.environment)(name),
            Reference::File(path) => {
                let text = bounded_file::read_text(&self.path(path), SECRET_BYTES).ok()?;
                // Editors and `echo` end a secret with a line break that is no part of it.
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}
