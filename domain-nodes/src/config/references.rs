//! `${VAR}`, `${VAR:-default}` and `${file:path}` in node.yaml.

use std::path::{Path, PathBuf};

use meshgate_policies::yaml::{Node, Problem, Reference, Value, expand};

/// Where references of a file lead.
pub(super) struct Lookup<'a> {
    /// Relative paths start here: the folder of the file itself.
    pub(super) folder: PathBuf,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Lookup<'_> {
    /// A path as it is meant in the file.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(Path::new(text))
    }

    fn resolve(&self, reference: Reference<'_>) -> Option<String> {
        match reference {
            Reference::Variable(name) => (self.environment)(name),
            Reference::File(path) => {
                let text = std::fs::read_to_string(self.path(path)).ok()?;
                // Editors and `echo` end a secret with a line break that is no part of it.
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

/// Replaces the references in all values. Done on the tree, so that what a
/// variable holds can never become a key or a list.
pub(super) fn expand_all(file: &str, node: &mut Node, lookup: &Lookup<'_>, problems: &mut Vec<Problem>) {
    let line = node.line;
    match &mut node.value {
        Value::Scalar { text, quoted } => {
            if !text.contains("${") {
                return;
            }
            match expand(text, &|reference| lookup.resolve(reference)) {
                Ok(expanded) => (*text, *quoted) = (expanded, true),
                Err(error) => problems.push(Problem::error(file, line, error.to_string())),
            }
        }
        Value::Sequence(items) => {
            for item in items {
                expand_all(file, item, lookup, problems);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                expand_all(file, &mut entry.value, lookup, problems);
            }
        }
    }
}
