//! Goes through all rules of a domain and puts each to the tables it selects.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Compiled, Lookup, Mask, MaskId, Needs, PolicyColumn, TablePolicy, mask::redact, spelling::Spellings,
};
use crate::{
    Column, DataType, Mesh, Table,
    decision::Disclosed,
    document::{Disclosure, Grant, LookupSpec, Restriction, Sql},
    expression::{Expr, Scope, claims_of, lookups_of},
    principal::ClaimType,
    yaml::Problem,
};

/// A rule of the owner and the masks of its document.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) lookups: &'a [LookupSpec],
    pub(crate) contact: Option<&'a str>,
    pub(crate) own_masks: &'a BTreeMap<String, Sql>,
    pub(crate) grants: &'a [Grant],
    pub(crate) restrictions: &'a [Restriction],
    pub(crate) disclosures: &'a [Disclosure],
}

pub(super) struct Compiler<'a> {
    pub(super) domain: &'a str,
    pub(super) mesh: &'a Mesh,
    pub(super) tables: &'a [&'a Table],
    pub(super) policies: Vec<TablePolicy>,
    /// Types of the keys of lookups that rules can use.
    pub(super) lookup_keys: BTreeMap<String, DataType>,
    pub(super) lookups: BTreeMap<String, Lookup>,
    pub(super) problems: Vec<Problem>,
    pub(super) spellings: Spellings,
    /// Whom to ask about the rules that are being compiled.
    pub(super) contact: Option<Arc<str>>,
    /// Positions of masks by their canonical text, for each table.
    known_masks: Vec<HashMap<String, MaskId>>,
}

/// Compiles the rules of a domain's owner, in order, and those of the operator.
pub(crate) fn compile(
    domain: &str,
    mesh: &Mesh,
    tables: &[&Table],
    owner: &[Rules<'_>],
) -> (Compiled, Vec<Problem>) {
    let mut compiler = Compiler {
        domain,
        mesh,
        tables,
        policies: tables.iter().map(|table| empty(table)).collect(),
        lookup_keys: BTreeMap::new(),
        lookups: BTreeMap::new(),
        problems: Vec::new(),
        spellings: Spellings::default(),
        contact: None,
        known_masks: vec![HashMap::new(); tables.len()],
    };
    compiler.add_redact();
    compiler.check_contract_words();
    compiler.check_spelling(owner, mesh);
    let lookups: Vec<&LookupSpec> = owner.iter().flat_map(|rules| rules.lookups).collect();
    compiler.lookups(&lookups);
    for rules in owner {
        compiler.contact = rules.contact.map(Arc::from);
        for grant in rules.grants {
            compiler.grant(grant, rules.own_masks);
        }
    }
    for rules in owner {
        compiler.contact = rules.contact.map(Arc::from);
        for restriction in rules.restrictions {
            compiler.restriction(restriction, rules.own_masks, false);
        }
        for disclosure in rules.disclosures {
            compiler.disclosure(disclosure);
        }
    }
    // The operator's rules are for all domains: lookups are none of their words.
    compiler.lookup_keys.clear();
    let no_masks = BTreeMap::new();
    compiler.contact = mesh.contact.as_deref().map(Arc::from);
    for restriction in &mesh.restrictions {
        compiler.restriction(restriction, &no_masks, true);
    }
    for policy in &mut compiler.policies {
        policy.claims_read = claims_read(policy);
    }
    compiler.finish_lookups(&lookups);
    let tables = compiler.policies.into_iter().map(|policy| (policy.name.clone(), policy)).collect();
    (Compiled { tables, lookups: compiler.lookups }, compiler.problems)
}

fn empty(table: &Table) -> TablePolicy {
    let column = |column: &Column| PolicyColumn {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        required: column.required,
        disclosed: Disclosed::new(),
    };
    TablePolicy {
        name: table.name.clone(),
        columns: table.columns.iter().map(column).collect(),
        grants: Vec::new(),
        restrictions: Vec::new(),
        masks: Vec::new(),
        redact: Vec::new(),
        claims_read: BTreeSet::new(),
    }
}

impl Compiler<'_> {
    fn add_redact(&mut self) {
        for (position, table) in self.tables.iter().enumerate() {
            for column in &table.columns {
                let id = self.mask_id(position, redact(&column.data_type));
                if let (Some(policy), Some(id)) = (self.policies.get_mut(position), id) {
                    policy.redact.push(id);
                }
            }
        }
    }

    /// The position of a mask in the list of its table.
    pub(super) fn mask_id(&mut self, table: usize, expr: Expr) -> Option<MaskId> {
        let needs = self.needs_of([&expr]);
        let (policy, known) = (self.policies.get_mut(table)?, self.known_masks.get_mut(table)?);
        let next = MaskId(policy.masks.len());
        let id = *known.entry(expr.to_string()).or_insert(next);
        if id == next {
            policy.masks.push(Mask { expr, needs });
        }
        Some(id)
    }

    /// What expressions can name: the columns of a table, or no row.
    pub(super) fn scope<'t>(&'t self, table: Option<&'t Table>) -> Scope<'t> {
        Scope {
            columns: table.map_or(&[], |table| table.columns.as_slice()),
            claims: &self.mesh.claims,
            lookups: table.map(|_| &self.lookup_keys),
            zone: self.mesh.time_zone(),
            cell: None,
        }
    }

    pub(super) fn needs_of<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Needs {
        let mut names = BTreeSet::new();
        for expr in exprs {
            self.read_by(expr, &mut names);
        }
        self.needs(names)
    }

    /// The claims that an expression reads, those of its lookups included.
    pub(super) fn read_by(&self, expr: &Expr, claims: &mut BTreeSet<String>) {
        claims_of(expr, claims);
        let mut lookups = BTreeSet::new();
        lookups_of(expr, &mut lookups);
        for lookup in lookups.into_iter().filter_map(|name| self.lookups.get(name)) {
            claims.extend(lookup.needs.0.keys().cloned());
        }
    }

    pub(super) fn needs(&self, names: BTreeSet<String>) -> Needs {
        let declared = &self.mesh.claims;
        let typed: BTreeMap<String, ClaimType> = names
            .into_iter()
            .filter_map(|name| declared.get(&name).map(|claim| (name, claim.claim_type)))
            .collect();
        Needs(typed.into())
    }

    /// Adds a problem, once: a rule for many tables fails for all in the same way.
    pub(super) fn problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

fn claims_read(policy: &TablePolicy) -> BTreeSet<String> {
    let grants = policy.grants.iter().map(|grant| &grant.needs);
    let masks = policy.masks.iter().map(|mask| &mask.needs);
    let restrictions = policy.restrictions.iter().flat_map(super::TableRestriction::needs);
    grants.chain(masks).chain(restrictions).flat_map(|needs| needs.0.keys().cloned()).collect()
}
