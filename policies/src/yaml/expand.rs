//! References in configuration values: `${VAR}`, `${VAR:-default}`,
//! `${file:path}`; `$${` is a literal `${`. What they stand for is looked up by
//! the caller. A looked-up text is not expanded again.

use super::{Node, Problem, Value};

/// What a `${..}` refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    Variable(&'a str),
    File(&'a str),
}

/// Why a text could not be expanded. Never holds a looked-up value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error("a `${{` has no closing `}}`; write `$${{` for a literal one")]
    Unclosed,
    #[error("`${{{0}}}` is not a reference; write `${{NAME}}`, `${{NAME:-default}}` or `${{file:path}}`")]
    Malformed(String),
    #[error("the variable `{0}` is not set; set it or write `${{{0}:-default}}`")]
    Unset(String),
    #[error("the file `{0}` cannot be read")]
    Unreadable(String),
}

/// Replaces the references in all values of `root`. Done on the tree, so that
/// what a variable holds can never become a key or a list.
pub fn expand_all(
    file: &str,
    root: &mut Node,
    lookup: &dyn Fn(Reference<'_>) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    let line = root.line;
    match &mut root.value {
        Value::Scalar { text, quoted } => {
            if !text.contains("${") {
                return;
            }
            match expand(text, lookup) {
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

/// Replaces the references in `text`.
pub fn expand(text: &str, lookup: &dyn Fn(Reference<'_>) -> Option<String>) -> Result<String, ExpandError> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            result.push_str(literal);
            result.push_str("${");
            rest = after;
            continue;
        }
        let (inside, tail) = after.split_once('}').ok_or(ExpandError::Unclosed)?;
        result.push_str(before);
        result.push_str(&resolve(inside, lookup)?);
        rest = tail;
    }
    result.push_str(rest);
    Ok(result)
}

fn resolve(inside: &str, lookup: &dyn Fn(Reference<'_>) -> Option<String>) -> Result<String, ExpandError> {
    if let Some(path) = inside.strip_prefix("file:") {
        if path.is_empty() {
            return Err(ExpandError::Malformed(inside.to_owned()));
        }
        return lookup(Reference::File(path)).ok_or_else(|| ExpandError::Unreadable(path.to_owned()));
    }
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(ExpandError::Malformed(inside.to_owned()));
    }
    lookup(Reference::Variable(name))
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| ExpandError::Unset(name.to_owned()))
}
