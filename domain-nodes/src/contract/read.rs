//! What contracts need on top of the YAML reader: keys that may be left empty,
//! keys that are known but not used, names that must fit.

use meshgate_policies::names::is_name;
use meshgate_policies::yaml::{Node, Reader};

use super::proposal::propose_name;

/// A text that may be absent or left empty, as templates leave it.
pub(super) fn optional_text(reader: &mut Reader<'_, '_>, key: &str) -> Option<String> {
    given(reader, key)?;
    reader.text(key)
}

/// `true` or `false`; absent and empty are `false`.
pub(super) fn flag(reader: &mut Reader<'_, '_>, key: &str) -> bool {
    given(reader, key).is_some() && reader.boolean(key).unwrap_or(false)
}

/// A whole number that may be absent or left empty.
pub(super) fn optional_integer(reader: &mut Reader<'_, '_>, key: &str) -> Option<i64> {
    given(reader, key)?;
    reader.integer(key)
}

/// A list of texts that may be absent or left empty.
pub(super) fn optional_texts(reader: &mut Reader<'_, '_>, key: &str) -> Vec<String> {
    match given(reader, key) {
        Some(_) => reader.texts(key).unwrap_or_default(),
        None => Vec::new(),
    }
}

/// A list that may be absent or left empty.
pub(super) fn optional_list<'n>(reader: &mut Reader<'n, '_>, key: &str) -> &'n [Node] {
    match given(reader, key) {
        Some(_) => reader.list(key).unwrap_or_default(),
        None => &[],
    }
}

/// A value that is there and not empty. Empty is different from wrong.
pub(super) fn given<'n>(reader: &mut Reader<'n, '_>, key: &str) -> Option<&'n Node> {
    reader.node(key).filter(|node| !node.is_null())
}

/// Makes keys known that are part of the standard but mean nothing here.
pub(super) fn accept(reader: &mut Reader<'_, '_>, keys: &[&str]) {
    for key in keys {
        reader.has(key);
    }
}

/// The name under `key`; one that does not fit is an error with a proposal.
pub(super) fn required_name(reader: &mut Reader<'_, '_>, key: &str, what: &str) -> Option<String> {
    let name = reader.required_text(key)?;
    if is_name(&name) {
        return Some(name);
    }
    let line = reader.line_of(key);
    let message =
        format!("`{name}` cannot be the name of a {what}: names are `[a-z][a-z0-9_]*`, at most 63 long");
    reader.error(line, message, Some(format!("write `{key}: {}`", propose_name(&name))));
    None
}
