//! Roles and groups that differ only in case: tokens have one of the two, so a
//! rule for the other one matches nobody. A restriction would miss whom it is for.

use std::collections::BTreeMap;

use super::compiler::{Compiler, Rules};
use crate::{
    Mesh,
    document::{Matcher, Restriction, Where},
    expression::{Expr, Parameter},
    yaml::Problem,
};

/// The first spelling of each name, and where it was written.
#[derive(Debug, Default)]
pub(super) struct Spellings(BTreeMap<(&'static str, String), (String, Where)>);

impl Spellings {
    /// Another spelling that was there before; remembers this one otherwise.
    fn other(&mut self, kind: &'static str, name: &str, at: &Where) -> Option<Problem> {
        let key = (kind, name.to_lowercase());
        let (first, place) = self.0.entry(key).or_insert_with(|| (name.to_owned(), at.clone()));
        if first == name {
            return None;
        }
        let message = format!(
            "the {kind} `{name}` differs only in case from `{first}` in {}:{}",
            place.file, place.line
        );
        Some(Problem::error(&at.file, at.line, message).with_hint("write it as tokens do"))
    }
}

impl Compiler<'_> {
    /// Checks the names of all rules of the domain and of mesh.yaml.
    pub(super) fn check_spelling(&mut self, owner: &[Rules<'_>], mesh: &Mesh) {
        let mut found: Vec<(&Matcher, &Where)> = Vec::new();
        for rules in owner {
            found.extend(rules.grants.iter().map(|grant| (&grant.to, &grant.at)));
        }
        let restrictions = owner.iter().flat_map(|rules| rules.restrictions).chain(&mesh.restrictions);
        found.extend(restrictions.flat_map(matchers));
        for (to, at) in found {
            for (kind, names) in [("role", &to.roles), ("group", &to.groups)] {
                for name in names {
                    let problem = self.spellings.other(kind, name, at);
                    problem.into_iter().for_each(|problem| self.problem(problem));
                }
            }
        }
    }

    /// Checks the roles that an expression asks for.
    pub(super) fn check_spelling_in(&mut self, expr: &Expr, at: &Where) {
        let mut roles = Vec::new();
        expr.any(&mut |expr| {
            if let Expr::Parameter { parameter: Parameter::HasRole(role), .. } = expr {
                roles.push(role.clone());
            }
            false
        });
        for role in roles {
            let problem = self.spellings.other("role", &role, at);
            problem.into_iter().for_each(|problem| self.problem(problem));
        }
    }
}

fn matchers(restriction: &Restriction) -> impl Iterator<Item = (&Matcher, &Where)> {
    let unless = restriction.unless.iter().filter_map(|exception| exception.to.as_ref());
    unless.chain([&restriction.to]).map(|to| (to, &restriction.at))
}
