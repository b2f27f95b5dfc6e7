//! Tags that the operator pins to columns and to fields inside them: `pinned_tags: { pii: ["customers.profiles.email"] }`.
//! They are there whatever the contracts say, so no owner can lose one.

use crate::{
    Column, Table,
    compile::nested,
    document::{Pattern, Vocabulary},
    yaml::{Problem, Reader, Warning, nearest_hint},
};

/// A tag and a column, or a field inside one, that has it.
#[derive(Debug, Clone)]
pub(crate) struct PinnedTag {
    tag: String,
    /// Domain, table and column or `column.field`, each a name or a glob.
    parts: [Pattern; 3],
}

/// The tags under `pinned_tags`.
pub(super) fn read(reader: &mut Reader<'_, '_>, words: &Vocabulary) -> Vec<PinnedTag> {
    let file = reader.file();
    let mut pinned = Vec::new();
    for entry in reader.entries("pinned_tags").unwrap_or_default() {
        let declared = words.tags.as_deref().unwrap_or_default();
        if words.tags.is_some() && !declared.contains(&entry.key) {
            let hint = nearest_hint(&entry.key, declared.iter().map(String::as_str));
            reader.error(entry.key_line, format!("mesh.yaml declares no tag `{}`", entry.key), hint);
        }
        let columns = entry.value.as_sequence().unwrap_or_default();
        if columns.is_empty() {
            let hint = "write a list: [domain.table.column, ..]".to_owned();
            reader.error(entry.key_line, format!("`{}` is pinned to nothing", entry.key), Some(hint));
        }
        for column in columns {
            match column.as_scalar().and_then(|text| parts(text, column.line)) {
                Some(parts) => pinned.push(PinnedTag { tag: entry.key.clone(), parts }),
                None => {
                    let hint = "write domain.table.column; each may be a glob".to_owned();
                    let problem =
                        Problem::error(file, column.line, "a tag is pinned to something else than a column");
                    reader.problems().push(problem.with_hint(hint));
                }
            }
        }
    }
    pinned
}

fn parts(text: &str, line: usize) -> Option<[Pattern; 3]> {
    let parts: Vec<Pattern> =
        text.splitn(3, '.').map(|part| Pattern { text: part.to_owned(), line }).collect();
    let parts = <[Pattern; 3]>::try_from(parts).ok()?;
    parts.iter().all(|part| !part.text.is_empty()).then_some(parts)
}

/// The fields inside a column, with their names.
fn paths(column: &Column) -> impl Iterator<Item = (String, Vec<String>)> {
    let fields = nested::fields(&column.data_type).into_iter();
    fields.map(|(path, _)| (nested::name(&column.name, &path), path))
}

impl PinnedTag {
    /// Puts the tag on those of the table's columns that it is pinned to.
    pub(super) fn put_on(&self, table: &mut Table) {
        let [domain, name, column] = &self.parts;
        if !domain.matches(&table.domain) || !name.matches(&table.name) {
            return;
        }
        for pinned in &mut table.columns {
            if column.text.contains('.') {
                let paths = paths(pinned).filter(|(name, _)| column.matches(name)).map(|(_, path)| path);
                let paths: Vec<Vec<String>> = paths.collect();
                paths.into_iter().for_each(|path| pinned.tag_field(path, &self.tag));
            } else if column.matches(&pinned.name) && !pinned.tags.contains(&self.tag) {
                pinned.tags.push(self.tag.clone());
            }
        }
    }

    /// Names a column of this domain that is not there. Perhaps only its contract is broken.
    pub(super) fn misses(&self, domain: &str, tables: &[Table]) -> Option<Problem> {
        let [of, name, column] = &self.parts;
        if of.text != domain || name.is_glob() || column.is_glob() {
            return None;
        }
        let mut found =
            tables.iter().filter(|table| table.name == name.text).flat_map(|table| &table.columns);
        if found.any(|found| found.name == column.text || paths(found).any(|(name, _)| name == column.text)) {
            return None;
        }
        let message = format!(
            "the tag `{}` is pinned to `{}.{}.{}`, which is not there",
            self.tag, of.text, name.text, column.text
        );
        Some(Problem::warning(Warning::PinnedToNothing, "mesh.yaml", column.line, message))
    }
}
