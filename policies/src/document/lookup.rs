//! Lookups as they are written: `name: { of: table, key: column, where: SQL, as: policy | caller }`.

use super::{Keys, Sql, Where};
use crate::{
    names,
    yaml::{Reader, UnknownKeys, Value},
};

/// A lookup as it is written.
#[derive(Debug, Clone)]
pub(crate) struct LookupSpec {
    pub(crate) name: String,
    pub(crate) at: Where,
    /// A table of the domain.
    pub(crate) of: String,
    /// One of its columns.
    pub(crate) key: String,
    /// `where`; all rows if there is none.
    pub(crate) rows: Option<Sql>,
    pub(crate) rights: Rights,
}

/// Whose rows of the table count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// All of them.
    Policy,
    /// Those that the caller may see.
    Caller,
}

impl Rights {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Caller => "caller",
        }
    }
}

/// The lookups under `lookups`.
pub(super) fn read_lookups(reader: &mut Reader<'_, '_>) -> Vec<LookupSpec> {
    let file = reader.file();
    let mut lookups = Vec::new();
    for entry in reader.entries("lookups").unwrap_or_default() {
        let name = entry.key.clone();
        if !names::is_name(&name) {
            let hint = "use lower-case letters, digits and `_`".to_owned();
            reader.error(entry.key_line, format!("`{name}` is not the name of a lookup"), Some(hint));
        }
        let mut inner = Reader::new(file, &entry.value, reader.problems());
        let (of, key) = (inner.required_text("of"), inner.required_text("key"));
        let rows = inner.sql("where");
        let rights = read_rights(&mut inner);
        inner.finish(UnknownKeys::Error);
        let at = Where { file: file.to_owned(), line: entry.key_line };
        if let (Some(of), Some(key), Some(rights)) = (of, key, rights) {
            lookups.push(LookupSpec { name, at, of, key, rows, rights });
        }
    }
    lookups
}

fn read_rights(reader: &mut Reader<'_, '_>) -> Option<Rights> {
    let Some(node) = reader.node("as") else { return Some(Rights::Policy) };
    match &node.value {
        Value::Scalar { text, .. } if text == Rights::Policy.name() => Some(Rights::Policy),
        Value::Scalar { text, .. } if text == Rights::Caller.name() => Some(Rights::Caller),
        _ => {
            let hint = "write `policy` for all rows, `caller` for those that the caller may see".to_owned();
            reader.error(node.line, "`as` is neither `policy` nor `caller`", Some(hint));
            None
        }
    }
}
