//! Lookups: sets of keys of the domain's own tables. Rules test membership in
//! them; whoever has the data computes them, once per query.

use std::collections::{BTreeMap, BTreeSet};

use super::{Needs, TablePolicy, compiler::Compiler};
use crate::{
    DataType, Digest, Table,
    digest::DigestBuilder,
    document::{LookupSpec, Rights},
    expression::{self, Expr, is_key_type, lookups_of},
    yaml::{Problem, nearest_hint},
};

/// Most lookups of a domain.
const MAX_LOOKUPS: usize = 1_000;
/// Most lookups that lie behind one another.
const MAX_CHAIN: usize = 16;

/// A lookup whose table and key are known.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) table: String,
    /// Position of the key among the table's columns.
    pub(crate) key: usize,
    pub(crate) rows: Option<Expr>,
    pub(crate) rights: Rights,
    /// Claims that `rows` reads, those of the lookups in it included: rules
    /// that use the lookup need them.
    pub(crate) needs: Needs,
    /// Of all that defines the keys but the data and the rules of the table.
    pub(crate) digest: Digest,
}

impl<'a> Compiler<'a> {
    /// Compiles all lookups; rules can use them afterwards.
    pub(super) fn lookups(&mut self, specs: &[&LookupSpec]) {
        if specs.len() > MAX_LOOKUPS {
            let message = format!("the domain has more than {MAX_LOOKUPS} lookups");
            self.problem(Problem::error("", 0, message));
            return;
        }
        let mut found = Vec::with_capacity(specs.len());
        for spec in specs {
            let Some((table, key)) = self.key(spec) else { continue };
            if self.lookup_keys.contains_key(&spec.name) {
                let message = format!("there is another lookup `{}` in this domain", spec.name);
                self.problem(Problem::error(&spec.at.file, spec.at.line, message));
                continue;
            }
            let data_type = table.columns.get(key).map_or(DataType::Boolean, |c| c.data_type.clone());
            self.lookup_keys.insert(spec.name.clone(), data_type);
            found.push((*spec, table, key));
        }
        let mut rows = BTreeMap::new();
        for (spec, table, _) in &found {
            rows.insert(spec.name.as_str(), self.lookup_rows(spec, table));
        }
        let uses = |name: &str| used_by(rows.get(name).into_iter().flatten());
        let Some(order) = self.in_order(specs, &uses) else { return };
        for name in order {
            let Some((spec, table, key)) = found.iter().find(|(spec, ..)| spec.name == name) else {
                continue;
            };
            let rows = rows.get(name.as_str()).cloned().flatten();
            let needs = self.needs_of(&rows);
            let digest = self.lookup_digest(spec, table, rows.as_ref());
            let lookup =
                Lookup { table: table.name.clone(), key: *key, rows, rights: spec.rights, needs, digest };
            self.lookups.insert(spec.name.clone(), lookup);
        }
    }

    /// The table and the position of the key's column.
    fn key(&mut self, spec: &LookupSpec) -> Option<(&'a Table, usize)> {
        let tables = self.tables;
        let at = |message: String| Problem::error(&spec.at.file, spec.at.line, message);
        let Some(table) = tables.iter().find(|table| table.name == spec.of) else {
            let message =
                format!("the lookup `{}` is of `{}`, which is no table of this domain", spec.name, spec.of);
            let mut problem = at(message);
            problem.hint = nearest_hint(&spec.of, tables.iter().map(|table| table.name.as_str()));
            self.problem(problem);
            return None;
        };
        let Some(key) = table.columns.iter().position(|column| column.name == spec.key) else {
            let mut problem = at(format!("the table `{}` has no column `{}`", spec.of, spec.key));
            problem.hint = nearest_hint(&spec.key, table.columns.iter().map(|column| column.name.as_str()));
            self.problem(problem);
            return None;
        };
        let data_type = table.columns.get(key).map(|column| &column.data_type);
        if let Some(unfit) = data_type.filter(|data_type| !is_key_type(data_type)) {
            let problem = at(format!("`{}.{}` is {unfit}: that is no type for keys", spec.of, spec.key));
            self.problem(
                problem.with_hint("take a column of texts, whole numbers, decimals, dates or timestamps"),
            );
            return None;
        }
        Some((table, key))
    }

    fn lookup_rows(&mut self, spec: &LookupSpec, table: &Table) -> Option<Expr> {
        let sql = spec.rows.as_ref()?;
        match expression::condition(&sql.text, self.scope(Some(table))) {
            Ok(expr) => Some(expr),
            Err(error) => {
                let message = format!("`where` of the lookup `{}`: {error}", spec.name);
                let mut problem = Problem::error(&sql.at.file, sql.at.line, message);
                problem.hint = error.hint;
                self.problem(problem);
                None
            }
        }
    }

    fn lookup_digest(&self, spec: &LookupSpec, table: &Table, rows: Option<&Expr>) -> Digest {
        DigestBuilder::new("meshgate-lookup-v1")
            .part(spec.name.as_bytes())
            .part(table.version().as_bytes())
            .part(spec.key.as_bytes())
            .part(spec.rights.name().as_bytes())
            .parts(rows.iter().map(ToString::to_string))
            .parts(self.lookup_digests(rows).iter().map(Digest::as_bytes))
            .finish()
    }

    /// What the lookups in these expressions are, for the digests of rules.
    pub(super) fn lookup_digests<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Digest> {
        let names = used_by(exprs);
        names.iter().filter_map(|name| self.lookups.get(name)).map(|lookup| lookup.digest).collect()
    }

    /// Lookups that read as the caller read the rules of their table, which
    /// may use lookups: none may come back to itself. Then what a caller is
    /// asked for by a table includes what such lookups ask for.
    pub(super) fn finish_lookups(&mut self, specs: &[&LookupSpec]) {
        let of_tables: BTreeMap<String, BTreeSet<String>> =
            self.policies.iter().map(|policy| (policy.name.clone(), lookups_in(policy))).collect();
        let lookups = self.lookups.clone();
        let uses = |name: &str| {
            let Some(lookup) = lookups.get(name) else { return BTreeSet::new() };
            let mut used = used_by(&lookup.rows);
            if lookup.rights == Rights::Caller {
                used.extend(of_tables.get(&lookup.table).into_iter().flatten().cloned());
            }
            used
        };
        let Some(order) = self.in_order(specs, &uses) else { return };
        let mut claims: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for name in order {
            let Some(lookup) = lookups.get(&name) else { continue };
            let mut read: BTreeSet<String> = lookup.needs.0.keys().cloned().collect();
            read.extend(uses(&name).iter().filter_map(|used| claims.get(used)).flatten().cloned());
            let table = self.policies.iter().find(|policy| policy.name == lookup.table);
            if let (Rights::Caller, Some(table)) = (lookup.rights, table) {
                read.extend(table.claims_read.iter().cloned());
            }
            claims.insert(name, read);
        }
        for policy in &mut self.policies {
            let used = of_tables.get(&policy.name).into_iter().flatten();
            policy.claims_read.extend(used.filter_map(|name| claims.get(name)).flatten().cloned());
        }
    }

    /// The lookups, each behind those that it uses; `None` if one uses itself.
    fn in_order(
        &mut self,
        specs: &[&LookupSpec],
        uses: &dyn Fn(&str) -> BTreeSet<String>,
    ) -> Option<Vec<String>> {
        let mut order = Order { uses, depths: BTreeMap::new(), done: Vec::new(), path: Vec::new() };
        for spec in specs {
            let Err(problem) = order.visit(&spec.name) else { continue };
            self.problem(Problem::error(&spec.at.file, spec.at.line, problem).with_hint(
                "a lookup needs those in its `where` and, `as: caller`, those in the rules of its table",
            ));
            return None;
        }
        Some(order.done)
    }
}

/// Depth-first search.
struct Order<'a> {
    uses: &'a dyn Fn(&str) -> BTreeSet<String>,
    /// How many lookups lie behind one another, the one itself included.
    depths: BTreeMap<String, usize>,
    done: Vec<String>,
    path: Vec<String>,
}

impl Order<'_> {
    fn visit(&mut self, name: &str) -> Result<usize, String> {
        if let Some(depth) = self.depths.get(name) {
            return Ok(*depth);
        }
        if let Some(start) = self.path.iter().position(|before| before == name) {
            let cycle: Vec<&str> = self.path.iter().skip(start).map(String::as_str).chain([name]).collect();
            return Err(format!("the lookup `{name}` uses itself: {}", cycle.join(" -> ")));
        }
        self.path.push(name.to_owned());
        let mut depth = 1;
        for used in (self.uses)(name) {
            depth = depth.max(1 + self.visit(&used)?);
        }
        if depth > MAX_CHAIN {
            return Err(format!("more than {MAX_CHAIN} lookups lie behind `{name}`"));
        }
        self.path.pop();
        self.depths.insert(name.to_owned(), depth);
        self.done.push(name.to_owned());
        Ok(depth)
    }
}

fn used_by<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for expr in exprs {
        lookups_of(expr, &mut names);
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The lookups that rules of a table use, whoever they are for.
fn lookups_in(policy: &TablePolicy) -> BTreeSet<String> {
    used_by(policy.exprs())
}
