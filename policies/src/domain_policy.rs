//! The policy of one domain, compiled for its tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Account, Decision, Digest, Explanation, Mesh, Principal, PseudonymSpace, Statement, Table, VisibleRule,
    compile::{Compiled, Rules, TablePolicy, compile},
    decide::{OpenTables, decide},
    decision_cache::DecisionCache,
    digest::DigestBuilder,
    document::{Matcher, OwnerDocument, Where},
    expression::{Caller, Expr, Function},
    names,
    yaml::Problem,
};

/// Most documents of a domain.
const MAX_DOCUMENTS: usize = 1_000;
/// Most rules of a domain.
const MAX_RULES: usize = 10_000;

/// A policy document as it lies in the owner's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// File name: rules are ordered by it.
    pub name: String,
    pub text: String,
}

/// A rule of the owner and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRule {
    pub id: String,
    /// A grant, or else a restriction.
    pub is_grant: bool,
    pub file: String,
    pub line: usize,
}

/// The owner's documents and the operator's restrictions, compiled for the
/// tables of one domain.
#[derive(Debug, Clone)]
pub struct DomainPolicy {
    owner_version: Digest,
    operator_version: Digest,
    rules: Compiled,
    open: OpenTables,
    decisions: DecisionCache,
    /// Who may read the rules' expressions.
    readers: Vec<Matcher>,
    no_claims: BTreeSet<String>,
    written: Vec<WrittenRule>,
}

impl DomainPolicy {
    /// Compiles the documents of `domain`. Warnings beside the policy, or all problems.
    pub fn load(
        domain: &str,
        documents: &[Document],
        mesh: &Mesh,
        tables: &[Table],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        // What the operator forbids is not known.
        if mesh.is_missing() {
            return Ok((Self::deny_all(domain), Vec::new()));
        }
        let mut problems = Vec::new();
        if names::is_reserved_domain(domain) {
            problems.push(Problem::error("", 0, format!("`{domain}` is reserved and cannot name a domain")));
        }
        if documents.len() > MAX_DOCUMENTS {
            let message = format!("the domain has more than {MAX_DOCUMENTS} policy documents");
            return Err(vec![Problem::error("", 0, message)]);
        }
        let sorted = in_order(documents);
        let owner: Vec<OwnerDocument> = sorted
            .iter()
            .map(|document| {
                OwnerDocument::read(domain, &document.name, &document.text, &mesh.words, &mut problems)
            })
            .collect();
        check_ids(&owner, &mut problems);
        let written = owner.iter().flat_map(written_rules).collect();
        let (tables, unpinned) = mesh.with_pinned_tags(domain, tables);
        problems.extend(unpinned);
        let tables: Vec<&Table> = tables.iter().collect();
        let rules: Vec<Rules<'_>> = owner.iter().map(rules_of).collect();
        let (compiled, found) = compile(domain, mesh, &tables, &rules);
        problems.extend(found);
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let policy = Self {
            owner_version: owner_version(&sorted),
            operator_version: mesh.version(),
            open: OpenTables::new(compiled.tables.values()),
            decisions: DecisionCache::new(compiled.moment()),
            rules: compiled,
            readers: owner
                .into_iter()
                .filter_map(|document| document.readers)
                .chain(mesh.readers.clone())
                .collect(),
            no_claims: BTreeSet::new(),
            written,
        };
        Ok((policy, problems))
    }

    /// What stands in for documents that cannot be read: no table exists.
    pub fn deny_all(domain: &str) -> Self {
        let version = DigestBuilder::new("meshgate-deny-all-v1").part(domain.as_bytes()).finish();
        Self {
            owner_version: version,
            operator_version: version,
            rules: Compiled::default(),
            open: OpenTables::default(),
            decisions: DecisionCache::default(),
            readers: Vec::new(),
            no_claims: BTreeSet::new(),
            written: Vec::new(),
        }
    }

    /// The owner's rules, as they stand in the documents.
    pub fn written_rules(&self) -> &[WrittenRule] {
        &self.written
    }

    pub(crate) fn table_policies(&self) -> impl Iterator<Item = &TablePolicy> {
        self.rules.tables.values()
    }

    /// Digest of the owner's documents.
    pub fn owner_version(&self) -> Digest {
        self.owner_version
    }

    /// Digest of the operator's document.
    pub fn operator_version(&self) -> Digest {
        self.operator_version
    }

    /// What policy says for one principal and one table. An unknown table is absent.
    pub fn decide(&self, table: &str, principal: &Principal, statement: &Statement) -> Decision {
        if !self.rules.tables.contains_key(table) {
            return Decision::Absent { rules: Vec::new() };
        }
        self.decisions.decision(table, principal, statement, || {
            decide(&self.rules, table, &Caller { principal, statement })
        })
    }

    /// The tables that may exist for a principal, sorted: a grant on them names
    /// one of its roles or groups, itself, or everyone.
    pub fn open_tables(&self, principal: &Principal) -> Vec<&str> {
        self.open.of(principal)
    }

    /// Which rules made the table what it is for one principal: at most `most` effects on its
    /// rows and on the columns that `reads` names. `None` if it does not exist for the principal.
    /// Expressions of rules are in it only for those who may read them.
    pub fn explain(
        &self,
        table: &str,
        principal: &Principal,
        statement: &Statement,
        reads: &dyn Fn(&str) -> bool,
        most: usize,
    ) -> Option<Explanation<'_>> {
        let may_read = self.readers.iter().any(|readers| readers.matches(principal));
        self.rules.tables.get(table)?.explain(&Caller { principal, statement }, may_read, reads, most)
    }

    /// The same for the owner: all columns, and every expression.
    pub fn explain_to_owner(
        &self,
        table: &str,
        principal: &Principal,
        statement: &Statement,
    ) -> Option<Explanation<'_>> {
        let caller = Caller { principal, statement };
        self.rules.tables.get(table)?.explain(&caller, true, &|_| true, usize::MAX)
    }

    /// Every rule of a table and what it has to do with one principal, for the owner alone.
    /// `None` if there is no such table.
    pub fn account(&self, table: &str, principal: &Principal, statement: &Statement) -> Option<Account<'_>> {
        let caller = Caller { principal, statement };
        Some(self.rules.tables.get(table)?.account(&caller))
    }

    /// The rules with an effect on what one principal sees of a table; none if that is nothing.
    pub fn visible_rules(
        &self,
        table: &str,
        principal: &Principal,
        statement: &Statement,
    ) -> Vec<VisibleRule<'_>> {
        let caller = Caller { principal, statement };
        self.rules.tables.get(table).and_then(|policy| policy.visible_rules(&caller)).unwrap_or_default()
    }

    /// Every rule of every table, whomever it is for: for those who look after the mesh.
    pub fn all_rules(&self) -> impl Iterator<Item = (&str, VisibleRule<'_>)> {
        self.rules
            .tables
            .values()
            .flat_map(|policy| policy.all_rules().map(|rule| (policy.name.as_str(), rule)))
    }

    /// The spaces of pseudonyms that rules use: those that need a key.
    pub fn pseudonym_spaces(&self) -> BTreeSet<PseudonymSpace> {
        let mut spaces = BTreeSet::new();
        for mask in self.rules.tables.values().flat_map(|policy| &policy.masks) {
            mask.expr.any(&mut |expr| {
                if let Expr::Call { function: Function::Pseudonym(space), .. } = expr {
                    spaces.insert(space.clone());
                }
                false
            });
        }
        spaces
    }

    /// The claims that rules of a table read: only these travel in its permits.
    pub fn claims_read(&self, table: &str) -> &BTreeSet<String> {
        self.rules.tables.get(table).map_or(&self.no_claims, |policy| &policy.claims_read)
    }
}

fn in_order(documents: &[Document]) -> Vec<&Document> {
    let mut sorted: Vec<&Document> = documents.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    sorted
}

fn rules_of(document: &OwnerDocument) -> Rules<'_> {
    Rules {
        lookups: &document.lookups,
        contact: document.contact.as_deref(),
        own_masks: &document.masks,
        grants: &document.grants,
        restrictions: &document.restrictions,
        disclosures: &document.disclosures,
    }
}

fn written_rules(document: &OwnerDocument) -> impl Iterator<Item = WrittenRule> + '_ {
    let rule = |id: &str, is_grant, at: &Where| WrittenRule {
        id: id.to_owned(),
        is_grant,
        file: at.file.clone(),
        line: at.line,
    };
    let grants = document.grants.iter().map(move |grant| rule(&grant.id, true, &grant.at));
    let restrictions = document.restrictions.iter();
    grants.chain(restrictions.map(move |restriction| rule(&restriction.id, false, &restriction.at)))
}

/// Ids are unique in the domain: audit and tests name rules by them.
fn check_ids(documents: &[OwnerDocument], problems: &mut Vec<Problem>) {
    let mut seen = BTreeMap::new();
    let mut count = 0;
    for document in documents {
        let grants = document.grants.iter().map(|grant| (&grant.id, &grant.at));
        let restrictions = document.restrictions.iter().map(|restriction| (&restriction.id, &restriction.at));
        for (id, at) in grants.chain(restrictions) {
            count += 1;
            if let Some(first) = seen.insert(id, at) {
                let message = format!("the id `{id}` is used twice, first in {}:{}", first.file, first.line);
                problems.push(Problem::error(&at.file, at.line, message));
            }
        }
    }
    if count > MAX_RULES {
        problems.push(Problem::error("", 0, format!("the domain has more than {MAX_RULES} rules")));
    }
}

fn owner_version(sorted: &[&Document]) -> Digest {
    DigestBuilder::new("meshgate-owner-v1")
        .parts(sorted.iter().map(|document| &document.name))
        .parts(sorted.iter().map(|document| &document.text))
        .finish()
}

#[cfg(test)]
mod tests {
    use crate::{decide::tests::fixture::Fixture, decision_cache::Moment};

    #[test]
    fn decisions_hold_for_a_day_unless_something_reads_the_instant() {
        let moment = |rules: &str| {
            let grant = "grants: [ { id: a, to: { everyone: true }, tables: [orders], columns: all } ]";
            Fixture::new(&format!("{grant}\n{rules}")).policy().rules.moment()
        };
        for rules in [
            "",
            "restrictions: [ { id: r, tables: [orders], rows: \"day < today()\" } ]",
            "lookups: { l: { of: orders, key: id, where: \"day < today()\" } }",
        ] {
            assert_eq!(moment(rules), Moment::Day, "{rules}");
        }
        for rules in [
            "restrictions: [ { id: r, tables: [orders], rows: \"day < cast(now() as date)\" } ]",
            "restrictions: [ { id: r, when: \"now() > '2027-01-01'\", deny: true } ]",
            "restrictions: [ { id: r, unless: [ { when: \"now() > '2027-01-01'\" } ], deny: true } ]",
            "restrictions: [ { id: r, columns: [note], mask: { sql: \"case when now() > '2027-01-01' then value end\" } } ]",
            "lookups: { l: { of: orders, key: id, where: \"day < cast(now() as date)\" } }",
        ] {
            assert_eq!(moment(rules), Moment::Instant, "{rules}");
        }
    }
}
