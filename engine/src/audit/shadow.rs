//! What records say of a candidate for the policies, and what comes of many of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use meshgate_policies::Decision;
use meshgate_policies::shadow::Difference;
use serde::{Deserialize, Serialize};

use super::verify::each_line;

/// Most tables, subjects or columns of a kind that are named; of a query's record, columns of all tables together.
const NAMED: usize = 1_000;
/// Most tables of one query.
const TABLES: usize = 100;

/// What a query's record says of the candidates of its domains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// By domain, the digest of the candidate's documents.
    pub candidates: BTreeMap<String, String>,
    /// The tables that would be decided otherwise for this query.
    pub differs: Vec<ShadowTable>,
}

/// A table that would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowTable {
    /// As `domain.table`.
    pub table: String,
    pub effect: Effect,
    /// Columns that would be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<String>,
    /// Columns that the query reads and that would not be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// Columns that the query reads and that would show something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// Another condition would decide which rows there are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rows: bool,
}

/// What would become of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It would be refused: the table, or a column that it reads, would not exist.
    Refused,
    /// What it was refused for would exist.
    Allowed,
    /// It would give something else.
    Changed,
}

/// How many rows of a table one side alone gives, in orders of magnitude.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowRows {
    /// As `domain.table`.
    pub table: String,
    pub lost: String,
    pub gained: String,
}

impl Shadow {
    /// Notes a table that would be decided otherwise, within the bounds.
    pub fn note(&mut self, mut table: ShadowTable) {
        if self.differs.len() < TABLES {
            let named = |table: &ShadowTable| table.gained.len() + table.lost.len() + table.masked.len();
            let mut room = NAMED.saturating_sub(self.differs.iter().map(named).sum());
            for names in [&mut table.lost, &mut table.masked, &mut table.gained] {
                names.truncate(room);
                room -= names.len();
            }
            self.differs.push(table);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ShadowTable {
    /// None if nothing would be otherwise for a query that reads these columns.
    pub fn of(
        table: String,
        live: &Decision,
        candidate: &Decision,
        reads: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let Difference { is_refused, is_allowed, gained, mut lost, mut masked, rows } =
            Difference::between(live, candidate)?;
        lost.retain(|column| reads(column));
        masked.retain(|column| reads(column));
        let effect = if is_refused || !lost.is_empty() {
            Effect::Refused
        } else if is_allowed {
            Effect::Allowed
        } else {
            Effect::Changed
        };
        let found = Self { table, effect, gained, lost, masked, rows };
        let nothing = found.effect == Effect::Changed
            && !found.rows
            && found.gained.is_empty()
            && found.masked.is_empty();
        (!nothing).then_some(found)
    }
}

/// An order of magnitude: exact counts of rows that somebody does not see are nobody's business.
pub fn magnitude(count: u64) -> String {
    match count.checked_ilog10() {
        None => "0".to_owned(),
        Some(digits) => {
            let from = 10_u64.saturating_pow(digits);
            format!("{from}-{}", from.saturating_mul(9).saturating_add(from - 1))
        }
    }
}

/// What many records say of one candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Queries that were looked at under the candidate.
    pub queries: u64,
    /// Those of them that would give the same.
    pub same: u64,
    pub tables: BTreeMap<String, TableSummary>,
}

/// What would become of the queries of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableSummary {
    pub refused: u64,
    pub allowed: u64,
    pub changed: u64,
    /// Who asked them, as `subject (issuer)`.
    pub subjects: BTreeSet<String>,
    pub gained: BTreeSet<String>,
    pub lost: BTreeSet<String>,
    pub masked: BTreeSet<String>,
    /// How many of them other rows would be there for.
    pub other_rows: u64,
    /// Orders of magnitude of the rows, with how often each was counted.
    pub rows_lost: BTreeMap<String, u64>,
    pub rows_gained: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Line {
    principal: Option<Caller>,
    shadow: Option<Shadow>,
    shadow_rows: Option<RowsLine>,
}

#[derive(Deserialize)]
struct Caller {
    issuer: String,
    subject: String,
}

/// The rows that were counted for a query, once it had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsLine {
    /// The digest of the candidate's documents.
    pub candidate: String,
    pub tables: Vec<ShadowRows>,
}

/// Reads the log at `path` with all its files: by candidate, as `domain digest`.
pub fn summaries(path: &Path) -> io::Result<BTreeMap<String, Summary>> {
    let mut found = BTreeMap::new();
    each_line(path, &mut |line| {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            add(&mut found, &line);
        }
    })?;
    Ok(found)
}

fn add(found: &mut BTreeMap<String, Summary>, line: &Line) {
    // A subject is somebody only together with the issuer.
    let subject = |caller: &Caller| format!("{} ({})", caller.subject, caller.issuer);
    let subject = line.principal.as_ref().map_or_else(String::new, subject);
    for (domain, candidate) in line.shadow.iter().flat_map(|shadow| &shadow.candidates) {
        let summary = found.entry(format!("{domain} {candidate}")).or_default();
        let differs = line.shadow.iter().flat_map(|shadow| &shadow.differs);
        let own: Vec<&ShadowTable> = differs.filter(|table| is_of(&table.table, domain)).collect();
        summary.queries += 1;
        summary.same += u64::from(own.is_empty());
        for table in own {
            summary.of(&table.table, |of_table| of_table.add(table, &subject));
        }
    }
    if let Some(counted) = &line.shadow_rows {
        for rows in &counted.tables {
            let domain = rows.table.split('.').next().unwrap_or_default();
            let summary = found.entry(format!("{domain} {}", counted.candidate)).or_default();
            summary.of(&rows.table, |table| {
                *table.rows_lost.entry(rows.lost.clone()).or_default() += 1;
                *table.rows_gained.entry(rows.gained.clone()).or_default() += 1;
            });
        }
    }
}

fn is_of(table: &str, domain: &str) -> bool {
    table.strip_prefix(domain).is_some_and(|rest| rest.starts_with('.'))
}

impl Summary {
    fn of(&mut self, table: &str, change: impl FnOnce(&mut TableSummary)) {
        if self.tables.len() < NAMED || self.tables.contains_key(table) {
            change(self.tables.entry(table.to_owned()).or_default());
        }
    }
}

impl TableSummary {
    fn add(&mut self, table: &ShadowTable, subject: &str) {
        match table.effect {
            Effect::Refused => self.refused += 1,
            Effect::Allowed => self.allowed += 1,
            Effect::Changed => self.changed += 1,
        }
        self.other_rows += u64::from(table.rows);
        extend(&mut self.subjects, &[subject.to_owned()]);
        extend(&mut self.gained, &table.gained);
        extend(&mut self.lost, &table.lost);
        extend(&mut self.masked, &table.masked);
    }
}

fn extend(names: &mut BTreeSet<String>, more: &[String]) {
    let room = NAMED.saturating_sub(names.len());
    names.extend(more.iter().take(room).cloned());
}

#[cfg(test)]
mod tests {
    use super::super::{AuditFile, AuditSettings};
    use super::*;

    #[test]
    fn magnitudes() {
        for (count, expected) in [
            (0, "0"),
            (1, "1-9"),
            (9, "1-9"),
            (10, "10-99"),
            (99, "10-99"),
            (100, "100-999"),
            (12_345, "10000-99999"),
        ] {
            assert_eq!(magnitude(count), expected);
        }
        assert!(magnitude(u64::MAX).starts_with("10000000000000000000-"));
    }

    #[test]
    fn records_are_summed_up_by_candidate_and_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let settings = AuditSettings { rotate_bytes: 600, ..AuditSettings::at(&path) };
        {
            let log = AuditFile::open(&settings).unwrap();
            for line in [
                r#"{"principal":{"issuer":"i","subject":"anna"},"rows":1}"#,
                r#"{"principal":{"issuer":"i","subject":"anna"},"shadow":{"candidates":{"sales":"aa"},"differs":[]}}"#,
                r#"{"principal":{"issuer":"i","subject":"anna"},"shadow":{"candidates":{"sales":"aa","hr":"cc"},"differs":[{"table":"sales.orders","effect":"changed","gained":["margin"],"rows":true}]}}"#,
                r#"{"principal":{"issuer":"i","subject":"otto"},"shadow":{"candidates":{"sales":"aa"},"differs":[{"table":"sales.orders","effect":"allowed","gained":["id"]}]}}"#,
                r#"{"principal":{"issuer":"i","subject":"otto"},"shadow":{"candidates":{"sales":"bb"},"differs":[{"table":"sales.orders","effect":"refused","lost":["id"]}]}}"#,
                r#"{"shadow_rows":{"candidate":"aa","tables":[{"table":"sales.orders","lost":"0","gained":"10-99"}]}}"#,
            ] {
                log.append(line.as_bytes().to_vec()).unwrap();
            }
        }
        let found = summaries(&path).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["hr cc", "sales aa", "sales bb"]);
        assert_eq!((found["hr cc"].queries, found["hr cc"].same), (1, 1));
        let first = &found["sales aa"];
        assert_eq!((first.queries, first.same), (3, 1));
        let orders = &first.tables["sales.orders"];
        assert_eq!((orders.refused, orders.allowed, orders.changed, orders.other_rows), (0, 1, 1, 1));
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            (&orders.gained, &orders.subjects),
            (&set(&["id", "margin"]), &set(&["anna (i)", "otto (i)"]))
        );
        assert_eq!(orders.rows_gained, BTreeMap::from([("10-99".to_owned(), 1)]));
        assert_eq!(found["sales bb"].tables["sales.orders"].refused, 1);
    }
}
