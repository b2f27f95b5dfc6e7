//! What an owner lets other domains know of its values where they are joined with them.

use super::{ColumnSelection, Keys, Pattern, Selection, Where};
use crate::{
    decision::JoinKeys,
    names,
    yaml::{Reader, UnknownKeys},
};

/// An entry of `disclosures`.
#[derive(Debug, Clone)]
pub(crate) struct Disclosure {
    pub(crate) at: Where,
    pub(crate) selection: Selection,
    pub(crate) columns: ColumnSelection,
    pub(crate) join_keys: JoinKeys,
    pub(crate) to_domains: Vec<String>,
}

/// The disclosures of the owner of `domain`; one that cannot be read discloses nothing.
pub(super) fn read_disclosures(reader: &mut Reader<'_, '_>, domain: &str) -> Vec<Disclosure> {
    let nodes = reader.list("disclosures").unwrap_or_default();
    nodes.iter().filter_map(|node| read(reader.over(node), domain)).collect()
}

fn read(mut reader: Reader<'_, '_>, domain: &str) -> Option<Disclosure> {
    let at = Where { file: reader.file().to_owned(), line: reader.line() };
    let tables = required_patterns(&mut reader, "tables");
    let columns = required_patterns(&mut reader, "columns");
    for pattern in columns.iter().flatten().filter(|pattern| pattern.text.contains('.')) {
        let message = format!("`{}` is a field inside a column, and no key of joins", pattern.text);
        reader.error(pattern.line, message, None);
    }
    let join_keys = read_join_keys(&mut reader);
    let to_domains = read_to_domains(&mut reader, domain);
    reader.text("why");
    reader.finish(UnknownKeys::Error);
    Some(Disclosure {
        at,
        selection: Selection::Tables(tables?),
        columns: ColumnSelection::Names(columns?),
        join_keys: join_keys?,
        to_domains: to_domains?,
    })
}

fn required_patterns(reader: &mut Reader<'_, '_>, key: &str) -> Option<Vec<Pattern>> {
    reader.require(key)?;
    reader.patterns(key)
}

fn read_join_keys(reader: &mut Reader<'_, '_>) -> Option<JoinKeys> {
    let word = reader.required_text("join_keys")?;
    let join_keys = JoinKeys::by_word(&word);
    if join_keys.is_none() {
        let line = reader.line_of("join_keys");
        reader.error(line, format!("`{word}` is not `bounds` or `values`"), None);
    }
    join_keys
}

/// Which domains there are is for the operator to know: here they only need names.
fn read_to_domains(reader: &mut Reader<'_, '_>, domain: &str) -> Option<Vec<String>> {
    reader.require("to_domains")?;
    let to_domains = reader.names("to_domains")?;
    let line = reader.line_of("to_domains");
    for to in &to_domains {
        if to == domain {
            reader.error(line, format!("`{to}` is this domain: it is told nothing new"), None);
        } else if !names::is_name(to) || names::is_reserved_domain(to) {
            let hint = "name each domain: there is no word for all of them".to_owned();
            reader.error(line, format!("`{to}` is no name of a domain"), Some(hint));
        }
    }
    Some(to_domains)
}
