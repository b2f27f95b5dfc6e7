//! Secrets that are not on this machine: a repository is checked where its keys
//! are not. What refers to one is left out, and told.

use meshgate_policies::yaml::{self, Entry, ExpandError, Node, Problem, Value, Warning};

use super::references::Lookup;

/// Keys of node.yaml below which each entry has secrets of its own.
const WITH_SECRETS: [&str; 2] = ["pseudonyms", "credentials"];

/// A section that is nothing without its secrets.
const ALL_SECRET: &str = "direct";

/// An entry that was left out.
pub(super) struct Elsewhere {
    pub(super) key: String,
    pub(super) entry: String,
}

/// Takes the entries out of `root` whose secrets are not here, and says which these are.
pub(super) fn take_out(
    file: &str,
    root: &mut Node,
    lookup: &Lookup<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Elsewhere> {
    let mut elsewhere = Vec::new();
    let Value::Mapping(entries) = &mut root.value else { return elsewhere };
    let mut not_here = |at: &str, (line, what): (usize, String)| {
        let message = format!("{what} is not here: `{at}` was not looked at");
        problems.push(Problem::warning(Warning::SecretNotHere, file, line, message));
    };
    entries.retain(|entry| match missing(&entry.value, lookup) {
        Some(what) if entry.key == ALL_SECRET => {
            not_here(&entry.key, what);
            false
        }
        _ => true,
    });
    for Entry { key, value, .. } in
        entries.iter_mut().filter(|entry| WITH_SECRETS.contains(&entry.key.as_str()))
    {
        let Value::Mapping(inner) = &mut value.value else { continue };
        inner.retain(|entry| match missing(&entry.value, lookup) {
            None => true,
            Some(what) => {
                not_here(&format!("{key}.{}", entry.key), what);
                elsewhere.push(Elsewhere { key: key.clone(), entry: entry.key.clone() });
                false
            }
        });
    }
    elsewhere
}

/// The first reference in a value that leads nowhere.
fn missing(node: &Node, lookup: &Lookup<'_>) -> Option<(usize, String)> {
    match &node.value {
        Value::Scalar { text, .. } => match yaml::expand(text, &|reference| lookup.resolve(reference)) {
            Err(ExpandError::Unset(name)) => Some((node.line, format!("the variable `{name}`"))),
            Err(ExpandError::Unreadable(path)) => Some((node.line, format!("the file `{path}`"))),
            // What is written wrong is an error wherever it is read.
            Ok(_) | Err(ExpandError::Unclosed | ExpandError::Malformed(_)) => None,
        },
        Value::Sequence(items) => items.iter().find_map(|item| missing(item, lookup)),
        Value::Mapping(entries) => entries.iter().find_map(|entry| missing(&entry.value, lookup)),
    }
}
