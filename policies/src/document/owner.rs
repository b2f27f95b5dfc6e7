//! One document of a domain's owner: `policies/<name>.yaml`.

use std::collections::BTreeMap;

use super::{
    Disclosure, Grant, Keys, LookupSpec, MaskSpec, Matcher, Restriction, Sql, Vocabulary,
    disclosure::read_disclosures, lookup::read_lookups, read_readers, read_restrictions,
};
use crate::yaml::{self, Problem, Reader, UnknownKeys};

/// One document of a domain's owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnerDocument {
    pub(crate) lookups: Vec<LookupSpec>,
    /// Whom to ask about the rules.
    pub(crate) contact: Option<String>,
    /// Who may read the rules' expressions.
    pub(crate) readers: Option<Matcher>,
    pub(crate) masks: BTreeMap<String, Sql>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) restrictions: Vec<Restriction>,
    pub(crate) disclosures: Vec<Disclosure>,
}

impl OwnerDocument {
    /// Reads a document; what could not be read is missing in it and among the problems.
    pub(crate) fn read(
        domain: &str,
        file: &str,
        text: &str,
        words: &Vocabulary,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let root = match yaml::parse(file, text) {
            Ok(root) => root,
            Err(problem) => {
                problems.push(problem);
                return Self::default();
            }
        };
        let mut reader = Reader::new(file, &root, problems);
        if let Some(named) = reader.required_text("domain").filter(|named| named != domain) {
            let line = reader.line_of("domain");
            reader.error(line, format!("this is the domain `{domain}`, not `{named}`"), None);
        }
        let contact = reader.text("owner");
        let readers = read_readers(&mut reader);
        let lookups = read_lookups(&mut reader);
        let masks = read_own_masks(&mut reader);
        let words = Vocabulary { own_masks: masks.keys().cloned().collect(), ..words.clone() };
        let grants = match reader.list("grants") {
            Some(nodes) => {
                nodes.iter().filter_map(|node| Grant::read(file, node, &words, &mut reader)).collect()
            }
            None => Vec::new(),
        };
        let restrictions = read_restrictions(&mut reader, &words);
        let disclosures = read_disclosures(&mut reader, domain);
        reader.finish(UnknownKeys::Error);
        Self { contact, readers, lookups, masks, grants, restrictions, disclosures }
    }
}

fn read_own_masks(reader: &mut Reader<'_, '_>) -> BTreeMap<String, Sql> {
    let mut masks = BTreeMap::new();
    for entry in reader.entries("masks").unwrap_or_default() {
        if MaskSpec::is_reserved(&entry.key) {
            let message = format!("`{}` is the name of a mask of the language", entry.key);
            reader.error(entry.key_line, message, Some("choose another name".to_owned()));
        }
        if let Some(sql) = reader.sql_of(&entry.key, &entry.value) {
            masks.insert(entry.key.clone(), sql);
        }
    }
    masks
}
