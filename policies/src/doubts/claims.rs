//! Claims that rules read and nobody carries. A rule that reads one never does
//! what it says: a grant does not apply, a restriction leaves nothing.

use std::collections::BTreeSet;

use super::Doubts;
use crate::{Principal, compile::Needs, yaml::Warning};

impl Doubts<'_> {
    pub(super) fn claims(&mut self, callers: &[Principal]) {
        // Nobody is known, so nothing is known of what tokens carry.
        if callers.is_empty() {
            return;
        }
        let mut found: BTreeSet<(String, bool, String)> = BTreeSet::new();
        for table in self.tables.values() {
            for grant in &table.grants {
                let missing = nobody_sends(&grant.needs, callers);
                found.extend(missing.map(|claim| (grant.rule.id.clone(), true, claim.to_owned())));
            }
            for restriction in table.restrictions.iter().filter(|restriction| !restriction.rule.operator) {
                let needs = restriction.needs();
                let missing = needs.into_iter().flat_map(|needs| nobody_sends(needs, callers));
                found.extend(missing.map(|claim| (restriction.rule.id.clone(), false, claim.to_owned())));
            }
        }
        for (id, is_grant, claim) in found {
            let effect = if is_grant { "it never applies" } else { "its condition is never known" };
            let message = format!("`{id}` reads the claim `{claim}`, which no persona carries: {effect}");
            let hint = "give it to a persona as tokens carry it, or ask the operator how tokens call it";
            self.add(Warning::ClaimNobodySends, &id, message, hint.to_owned());
        }
    }
}

/// Claims that none of the callers has with the declared type.
fn nobody_sends<'n>(needs: &'n Needs, callers: &[Principal]) -> impl Iterator<Item = &'n str> {
    let is_sent = |name: &String, callers: &[Principal]| {
        let kind = needs.0.get(name);
        callers
            .iter()
            .any(|caller| caller.claims.get(name).zip(kind).is_some_and(|(value, kind)| kind.holds(value)))
    };
    needs.0.keys().filter(move |name| !is_sent(name, callers)).map(String::as_str)
}
