//! mesh.yaml, the operator's document: vocabulary, claims, restrictions for
//! all domains.

mod claims;
mod path;
mod pinned;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use self::claims::{ClaimSource, Names};
use self::pinned::PinnedTag;
use crate::{
    Digest, Persona, Principal, PseudonymScope, PseudonymSpace, Table,
    digest::DigestBuilder,
    document::{Keys, Matcher, Restriction, Vocabulary, read_readers, read_restrictions},
    expression::ClaimDefinition,
    names::{ID_HINT, is_id},
    yaml::{self, Problem, Reader, UnknownKeys, nearest_hint},
};

/// The operator's document: vocabulary, claims, restrictions for all domains.
#[derive(Debug, Clone)]
pub struct Mesh {
    name: String,
    time_zone: Tz,
    version: Digest,
    revision: Option<u64>,
    missing: bool,
    /// Whom to ask about the operator's rules.
    pub(crate) contact: Option<String>,
    /// Who may read the expressions of all domains' rules.
    pub(crate) readers: Option<Matcher>,
    roles: Names,
    groups: Names,
    purposes: Names,
    sources: BTreeMap<String, ClaimSource>,
    pub(crate) claims: BTreeMap<String, ClaimDefinition>,
    pub(crate) words: Vocabulary,
    pinned: Vec<PinnedTag>,
    pub(crate) restrictions: Vec<Restriction>,
    personas: Vec<Persona>,
}

impl Mesh {
    /// Reads mesh.yaml. Warnings beside the mesh, or all problems.
    pub fn load(file: &str, text: &str) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let root = yaml::parse(file, text).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mesh = Self::read(text, Reader::new(file, &root, &mut problems));
        match mesh {
            Some(mesh) if !problems.iter().any(Problem::is_error) => Ok((mesh, problems)),
            _ => Err(problems),
        }
    }

    fn read(text: &str, mut reader: Reader<'_, '_>) -> Option<Self> {
        let name = reader.required_text("mesh");
        let time_zone = read_time_zone(&mut reader);
        let revision = read_revision(&mut reader);
        let contact = reader.text("owner");
        let readers = read_readers(&mut reader);
        let roles = Names::read(&mut reader, "roles");
        let groups = Names::read(&mut reader, "groups");
        let purposes = match reader.has("token_purposes") {
            true => Names::read(&mut reader, "token_purposes"),
            false => Names::at("$.purposes"),
        };
        let (sources, claims) = claims::read(&mut reader);
        let pseudonyms = read_pseudonyms(&mut reader);
        let words = Vocabulary {
            classifications: reader
                .has("classifications")
                .then(|| reader.names("classifications").unwrap_or_default()),
            tags: reader.has("tags").then(|| described_names(&mut reader, "tags")),
            purposes: read_purposes(&mut reader),
            pseudonyms,
            own_masks: Vec::new(),
        };
        let pinned = pinned::read(&mut reader, &words);
        let restrictions = read_restrictions(&mut reader, &words);
        check_ids(&mut reader, &restrictions);
        let personas = Persona::read(&mut reader);
        reader.finish(UnknownKeys::Error);
        Some(Self {
            name: name?,
            time_zone: time_zone?,
            version: document_version(text),
            revision,
            missing: false,
            contact,
            readers,
            roles,
            groups,
            purposes,
            sources,
            claims,
            words,
            pinned,
            restrictions,
            personas,
        })
    }

    /// What stands in for a document that cannot be used: it maps no claims,
    /// and every domain's policy under it denies everything.
    pub fn missing() -> Self {
        Self {
            name: String::new(),
            time_zone: Tz::UTC,
            version: document_version(""),
            revision: None,
            missing: true,
            contact: None,
            readers: None,
            roles: Names::default(),
            groups: Names::default(),
            purposes: Names::default(),
            sources: BTreeMap::new(),
            claims: BTreeMap::new(),
            words: Vocabulary::default(),
            pinned: Vec::new(),
            restrictions: Vec::new(),
            personas: Vec::new(),
        }
    }

    /// Is it [`Self::missing`]?
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// The mesh's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time zone of `today()`, `now()` and `until`.
    pub fn time_zone(&self) -> Tz {
        self.time_zone
    }

    /// Digest of the document as it was read.
    pub fn version(&self) -> Digest {
        self.version
    }

    /// The number that grows from document to document, if there is one; never 0.
    pub fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Who a verified token is, as this mesh maps its claims. What is missing,
    /// of another type or too large is absent. No purpose is chosen yet.
    pub fn principal(&self, issuer: &str, subject: &str, token: &Map<String, Value>) -> Principal {
        let claims = self
            .sources
            .iter()
            .filter_map(|(name, source)| Some((name.clone(), source.value(token, self.claims.get(name)?)?)))
            .collect();
        let mut purposes = self.purposes.of(issuer, token);
        purposes.retain(|purpose| self.words.purposes.contains(purpose));
        Principal {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            roles: self.roles.of(issuer, token),
            groups: self.groups.of(issuer, token),
            claims,
            purpose: None,
            purposes,
        }
    }

    /// A domain's tables with the tags that are pinned to their columns, and
    /// what is pinned to columns that are not there.
    pub(crate) fn with_pinned_tags(&self, domain: &str, tables: &[Table]) -> (Vec<Table>, Vec<Problem>) {
        let mut tables: Vec<Table> = tables.iter().filter(|table| table.domain == domain).cloned().collect();
        for table in &mut tables {
            self.pinned.iter().for_each(|tag| tag.put_on(table));
        }
        let problems = self.pinned.iter().filter_map(|tag| tag.misses(domain, &tables)).collect();
        (tables, problems)
    }

    /// Callers for demos and tests, shared by all domains. No server knows them.
    pub fn personas(&self) -> &[Persona] {
        &self.personas
    }

    /// The purposes that can be chosen.
    pub fn purposes(&self) -> &[String] {
        &self.words.purposes
    }
}

fn document_version(text: &str) -> Digest {
    DigestBuilder::new("meshgate-operator-v1").part(text.as_bytes()).finish()
}

fn read_revision(reader: &mut Reader<'_, '_>) -> Option<u64> {
    let version = reader.integer("version")?;
    if version < 0 {
        let line = reader.line_of("version");
        reader.error(line, "`version` cannot be negative", None);
    }
    u64::try_from(version).ok().filter(|version| *version > 0)
}

fn read_time_zone(reader: &mut Reader<'_, '_>) -> Option<Tz> {
    let text = reader.required_text("timezone")?;
    let zone = text.parse().ok();
    if zone.is_none() {
        let line = reader.line_of("timezone");
        let hint = nearest_hint(&text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
            .unwrap_or_else(|| "write a name like Europe/Berlin or UTC".to_owned());
        reader.error(line, format!("there is no time zone `{text}`"), Some(hint));
    }
    zone
}

/// Spaces of pseudonyms. Without a scope none of them leaves its domain.
fn read_pseudonyms(reader: &mut Reader<'_, '_>) -> Vec<PseudonymSpace> {
    let file = reader.file();
    let mut spaces = Vec::new();
    for entry in reader.entries("pseudonyms").unwrap_or_default() {
        let mut inner = Reader::new(file, &entry.value, reader.problems());
        let scope = match inner.text("scope") {
            Some(text) => PseudonymScope::by_name(&text),
            None => Some(PseudonymScope::Domain),
        };
        if scope.is_none() {
            let line = inner.line_of("scope");
            inner.error(line, "`scope` is neither `domain` nor `mesh`", None);
        }
        if !is_id(&entry.key) {
            let message = format!("`{}` cannot name a space of pseudonyms", entry.key);
            inner.error(entry.key_line, message, Some(ID_HINT.to_owned()));
        }
        inner.finish(UnknownKeys::Error);
        spaces.extend(scope.map(|scope| PseudonymSpace { name: entry.key.clone(), scope }));
    }
    spaces
}

/// `[a, b]` or `{ a: what it means, b: .. }`.
fn described_names(reader: &mut Reader<'_, '_>, key: &str) -> Vec<String> {
    match reader.node(key).and_then(yaml::Node::as_mapping) {
        Some(entries) => entries.iter().map(|entry| entry.key.clone()).collect(),
        None => reader.names(key).unwrap_or_default(),
    }
}

fn read_purposes(reader: &mut Reader<'_, '_>) -> Vec<String> {
    let file = reader.file();
    let mut purposes = Vec::new();
    for entry in reader.entries("purposes").unwrap_or_default() {
        let mut inner = Reader::new(file, &entry.value, reader.problems());
        inner.required_text("title");
        inner.text("approver");
        // It travels in a header and in a cookie.
        if !is_id(&entry.key) {
            let message = format!("`{}` cannot name a purpose", entry.key);
            inner.error(entry.key_line, message, Some(ID_HINT.to_owned()));
        }
        inner.finish(UnknownKeys::Error);
        purposes.push(entry.key.clone());
    }
    purposes
}

fn check_ids(reader: &mut Reader<'_, '_>, restrictions: &[Restriction]) {
    let mut seen = BTreeMap::new();
    for restriction in restrictions {
        if let Some(first) = seen.insert(restriction.id.as_str(), restriction.at.line) {
            let message = format!("the id `{}` is used twice, first in line {first}", restriction.id);
            reader.error(restriction.at.line, message, None);
        }
    }
}
